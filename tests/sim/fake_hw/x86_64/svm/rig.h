/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest on the fake SVM CPU without a hypervisor above it: a VMCB that VMRUN
 * accepts, nested tables made by hand, a list of operations.
 */
#ifndef TESTS_SIM_FAKE_HW_X86_64_SVM_RIG_H
#define TESTS_SIM_FAKE_HW_X86_64_SVM_RIG_H

#include <criterion/criterion.h>

#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/sim.h"
#include "support/rows.h"

#define RIG_CODE  0x1000 /* RIP */
#define RIG_DATA  0x2000
#define RIG_STACK 0x4000 /* RSP; the page below is mapped */
#define RIG_IDT   0x5000
#define RIG_CR3   0x6000  /* and three more pages: see rig_long_mode() */
#define RIG_HOLE  0x80000 /* nothing is mapped from here on */

/* What all of the rig's leaves allow. */
#define RIG_LEAF (NPT_P | NPT_RW | NPT_US)

struct rig {
    struct fake_x86 *cpu;
    struct vmcb *vmcb;
    hpa_t vmcb_pa;
    struct x86_regs regs;
    uint8_t *iopm, *msrpm;
    hpa_t memory; /* of guest pages 0 to RIG_HOLE */

    struct trap_source source;
    const struct guest_op *ops;
    unsigned count, next, done;
    struct guest_result last;
};

extern struct rig rig;

/* A processor of this profile and a VMCB that it accepts: 32-bit code without
 * paging, at privilege level 0. */
void rig_load(const char *profile);
void rig_setup(void);

/* The nested entry of a guest page. */
uint64_t *rig_nested(uint64_t gpa);

/* Guest memory, up to RIG_HOLE. */
void *rig_memory(uint64_t gpa);

/* The guest is in 64-bit mode; its first 2 MiB are mapped to themselves. */
void rig_long_mode(void);

/* An IDT whose gates, interrupt gates, lead to RIG_CODE + 0x100 + vector. */
void rig_idt(void);

/* VMRUN, with operations to come. */
void rig_enter(void);
void rig_run(const struct guest_op *ops, unsigned count);

/* A fresh operation at RIG_CODE, until it is done or exits. */
void rig_one(const struct guest_op *op);

/* VMRUN refuses. */
bool rig_is_refused(void);

#endif
