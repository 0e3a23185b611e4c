/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-test: the image with this in place of hv/vmm. It tests the bare-
 * metal host, which only a machine can run; tests/image/run says with which
 * machines, and what must come out. The bundle's configuration names one test:
 * / { test = "frames"; };
 */
#ifndef TESTS_IMAGE_SELFTEST_H
#define TESTS_IMAGE_SELFTEST_H

#include "host/host.h"
#include "host/machine.h"
#include "vcpu/vcpu.h"
#include "vmm/vmm.h"

/* Ends the machine as a failure that names the expression. */
#define EXPECT(expression)                                  \
    do {                                                    \
        if (!(expression))                                  \
            selftest_fail(#expression, __FILE__, __LINE__); \
    } while (0)

/* This CPU is got out of its guest every millisecond. */
void selftest_start_timer(void);
/* Handles the interrupts that this CPU has. */
void selftest_take_irqs(void);

_Noreturn void selftest_fail(const char *expression, const char *file,
                             int line);
/* Ends the machine well. */
_Noreturn void selftest_pass(void);

struct selftest {
    const char *name;
    /* Run on the boot CPU, before any guest. */
    void (*init)(void);
    /* Then each CPU enters this; a test without one ends after `init`. */
    const char *guest;
    /* A CPU is back from its guest, or from its wait. False: to wait for an
     * interrupt. */
    bool (*step)(struct vcpu *vcpu);
};

/* host.c, guests.c, panics.c, and arch.c in the architecture's folder; they end
 * with a row without name. */
extern const struct selftest host_tests[], guest_tests[], panic_tests[],
    arch_tests[];

/*
 * The architecture's part. Guests run where they lie in the image, with nothing
 * between them and the machine's memory; each has a vCPU, and a CPU, of its
 * own.
 */
void selftest_make_vcpus(uint32_t count, const char *guest);
struct vcpu *selftest_vcpu(uint32_t cpu);
/* Loads what a world switch does not. */
void selftest_load(struct vcpu *vcpu);

/* What a guest asks for by a call. */
enum guest_call {
    CALL_NOTHING = 1, /* just comes back */
    CALL_BUMP = 2,    /* every register gets its own number added */
    CALL_RESULT = 3,  /* the result is what the guest has found */
};

/* The last exit: an interrupt of the host; a call, or nothing of both. */
bool selftest_was_interrupted(const struct vcpu *vcpu);
bool selftest_has_called(const struct vcpu *vcpu);
/* Of a call; the guest goes on behind it. */
enum guest_call selftest_take_call(struct vcpu *vcpu);
uint64_t selftest_result(const struct vcpu *vcpu);
void selftest_bump(struct vcpu *vcpu);
uint64_t selftest_pc(const struct vcpu *vcpu);
void selftest_set_pc(struct vcpu *vcpu, const char *pc);

extern const char guest_spin[], guest_count[], guest_registers[];

#endif
