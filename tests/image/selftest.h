/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-test: the image with this in place of hv/vmm. It tests the bare-
 * metal host, which only a machine can run; tests/image/run says with which
 * machines, and what must come out. The bundle's configuration names one test:
 * / { test = "frames"; };
 */
#ifndef TESTS_IMAGE_SELFTEST_H
#define TESTS_IMAGE_SELFTEST_H

#include "arch/riscv64/riscv.h"
#include "host/host.h"
#include "host/machine.h"
#include "vmm/vmm.h"

/* Ends the machine as a failure that names the expression. */
#define EXPECT(expression)                                  \
    do {                                                    \
        if (!(expression))                                  \
            selftest_fail(#expression, __FILE__, __LINE__); \
    } while (0)

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
    bool (*step)(struct riscv_vcpu *vcpu);
};

/* host.c, guests.c, panics.c; they end with a row without name. */
extern const struct selftest host_tests[], guest_tests[], panic_tests[];

/* Of CPU `cpu`. */
struct riscv_vcpu *selftest_vcpu(uint32_t cpu);

extern const char guest_spin[], guest_count[], guest_registers[];

#endif
