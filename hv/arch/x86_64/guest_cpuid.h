/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPUID says to a guest. The policy is two tables: guest_features.h has
 * the feature bits, guest_cpuid.c the leaves of numbers. A VM's answers are
 * computed once, so that an exit looks one up, and so that no vCPU sees another
 * processor than the next one.
 *
 * The topology is one package of cores with one thread each; the APIC ID is
 * the vCPU's. What is in neither table reads as on hardware without it.
 */
#ifndef ARCH_X86_64_GUEST_CPUID_H
#define ARCH_X86_64_GUEST_CPUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/guest_features.h"
#include "arch/x86_64/regs.h"
#include "lib/bits.h"
#include "lib/compiler.h"

/* Of the VM. */
struct x86_vm_facts {
    unsigned vcpus;         /* 1 to MAX_VCPU_NUM */
    unsigned physical_bits; /* of guest-physical addresses, that stage 2 has */
    uint64_t tsc_hz;        /* that the guest's TSC counts */
    bool has_apic;          /* its vCPUs have local APICs */
};

/* Of the vCPU, at the time of its CPUID. */
struct x86_vcpu_facts {
    uint32_t apic_id;
    bool apic_enabled; /* IA32_APIC_BASE.EN */
    uint64_t cr4, xcr0;
};

/* Of linear addresses, as there is no LA57. */
#define X86_GUEST_LINEAR_BITS 48

/* As many as guest_cpuid.c has rows; asserted there. */
#define X86_GUEST_CPUID_ROWS 40
#define X86_GUEST_LEAVES     34 /* of a class */

/* A leaf is a class, basic, the hypervisor's, or extended, and a number. */
#define X86_LEAF_CLASS_SHIFT 30
#define X86_LEAF_NUMBER      BIT_MASK(X86_LEAF_CLASS_SHIFT - 1, 0)

struct x86_guest_cpuid {
    uint64_t features[(X86_FEATURE_COUNT + 63) / 64];
    unsigned physical_bits;
    /* How many leaves there are of each class; and the row of each one's
     * subleaf 0, from 1 on, or 0 if there is none. */
    uint32_t limits[4];
    uint8_t index[3][X86_GUEST_LEAVES];
    uint64_t plain; /* rows whose answer is that of all subleaves and vCPUs */
    struct x86_cpuid answers[1 + X86_GUEST_CPUID_ROWS]; /* the first is 0 */
};

/* The host's CPUID: x86_hw_cpuid, or what a test makes up. */
typedef size_t (*x86_cpuid_fn)(uint32_t leaf, uint32_t subleaf,
                               struct x86_cpuid *cpuid);

void x86_guest_cpuid_init(struct x86_guest_cpuid *cpuid,
                          const struct x86_vm_facts *facts, x86_cpuid_fn host);

/* CPUID with EAX `leaf` and ECX `subleaf`. Pure. */
void x86_guest_cpuid(const struct x86_guest_cpuid *cpuid,
                     const struct x86_vcpu_facts *facts, uint32_t leaf,
                     uint32_t subleaf, struct x86_cpuid *result);

/* The answer, if it depends on the leaf alone; otherwise NULL. */
static inline const struct x86_cpuid *
x86_guest_plain_cpuid(const struct x86_guest_cpuid *cpuid, uint32_t leaf)
{
    uint32_t class = leaf >> X86_LEAF_CLASS_SHIFT;
    uint32_t number = leaf & (uint32_t)X86_LEAF_NUMBER;
    unsigned row;

    if (unlikely(number >= cpuid->limits[class]))
        return NULL;
    row = cpuid->index[class][number];
    return likely(cpuid->plain >> row & 1) ? &cpuid->answers[row] : NULL;
}

/* Whether the guest has the feature. That is not for OSXSAVE and APIC, which
 * change. */
static inline bool x86_guest_has(const struct x86_guest_cpuid *cpuid,
                                 enum x86_feature feature)
{
    return (cpuid->features[feature / 64] >> (feature % 64) & 1) != 0;
}

/*
 * The hypervisor's leaves. The first one's EBX, ECX and EDX are the signature,
 * and EAX is the last leaf.
 */
#define X86_GUEST_SIGNATURE "TwinaxTwinax"

/* 40000001h: EAX is a set of these; the rest is 0. */
#define X86_GUEST_HAS_TIMING BIT(0) /* there is leaf 40000010h */

/* 40000010h, as FreeBSD reads it under any hypervisor: EAX is the TSC's, EBX
 * the APIC timer's frequency in kHz. */
#define X86_GUEST_LEAF_TIMING 0x40000010

/* Of device/pc/lapic_timer.c, before division. */
#define X86_GUEST_APIC_HZ UINT64_C(1000000000)

#endif
