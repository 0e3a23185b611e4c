/* SPDX-License-Identifier: Apache-2.0 */
/* Processors whose CPUID the tests make up, and guests of theirs. */
#ifndef TEST_X86_HOSTS_H
#define TEST_X86_HOSTS_H

#include "arch/x86_64/guest_cpuid.h"

enum host_fill { HOST_ZEROS, HOST_ONES, HOST_RANDOM };

/*
 * What the host answers: leaf 0 and Fn8000_0000 have `vendor` and the maximum
 * leaves; bits that guests may see are of `fill`, random ones by `seed`; all
 * others, and those beyond the maximum leaves, are random by `noise`, or as
 * `fill` says.
 */
struct host {
    const char *vendor; /* twelve characters */
    uint32_t max_basic, max_extended;
    enum host_fill fill;
    uint64_t seed, noise;
};

extern struct host host;

/* One with everything, and nothing. */
void host_set(const char *vendor, enum host_fill fill);
size_t host_cpuid(uint32_t leaf, uint32_t subleaf, struct x86_cpuid *cpuid);

#define AMD   "AuthenticAMD"
#define INTEL "GenuineIntel"

/* Bits of a feature leaf that a guest may have of its host, and that are always
 * set, in the order EAX to EDX. */
struct host_leaf {
    uint32_t leaf, subleaf;
    uint32_t pass[4], set[4];
    const char *only; /* of this vendor, or NULL */
};

extern const struct host_leaf host_leaves[];
extern const size_t host_leaf_count;

static inline uint32_t host_register(const struct x86_cpuid *cpuid, unsigned n)
{
    const uint32_t values[] = {cpuid->eax, cpuid->ebx, cpuid->ecx, cpuid->edx};

    return values[n];
}

/* A VM on the host, with a TSC of 2.5 GHz. */
void host_guest(struct x86_guest_cpuid *cpuid, unsigned vcpus);
/* What vCPU `id` of it is told, with paging off and its APIC on. */
struct x86_cpuid host_ask(const struct x86_guest_cpuid *cpuid, uint32_t id,
                          uint32_t leaf, uint32_t subleaf);

#endif
