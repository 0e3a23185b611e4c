/* SPDX-License-Identifier: Apache-2.0 */
/* What the test of resets needs of an architecture. */
#ifndef TESTS_SIM_RESET_H
#define TESTS_SIM_RESET_H

#include "sim/machine.h"
#include "sim/spec.h"

#define RESET_CPUS 2

struct image; /* all of a machine that can be told apart, as bytes */

void put(struct image *image, const void *bytes, size_t size);
void put_number(struct image *image, uint64_t number);

/* Random numbers, the same in each run. */
uint32_t draw(uint32_t below);
uint64_t draw64(void);

struct reset_arch {
    const struct sim_arch *arch;
    interrupt_vector interrupt; /* that may be injected */
    /* The fake CPU, and what the hypervisor keeps of it, but for TLBs. */
    void (*put_cpu)(struct image *image, uint32_t cpu);
    /* An operation of a guest. */
    struct guest_op (*draw_op)(void);
    void (*damage_cpu)(uint32_t cpu);
};

extern const struct reset_arch reset_riscv64, reset_x86_64, reset_x86_64_vmx;

#endif
