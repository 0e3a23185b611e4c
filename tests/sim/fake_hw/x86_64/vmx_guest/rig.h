/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest on the fake VMX CPU without a hypervisor above it: a VMCS that VM
 * entries accept, EPT made by hand, a list of operations.
 */
#ifndef TESTS_SIM_FAKE_HW_X86_64_VMX_GUEST_RIG_H
#define TESTS_SIM_FAKE_HW_X86_64_VMX_GUEST_RIG_H

#include <criterion/criterion.h>

#include "sim/fake_hw/x86_64/vmx/guest.h"
#include "sim/sim.h"
#include "support/rows.h"

#define RIG_CODE  0x1000 /* RIP */
#define RIG_DATA  0x2000
#define RIG_STACK 0x4000 /* RSP; the page below is mapped */
#define RIG_IDT   0x5000
#define RIG_CR3   0x6000  /* and three more pages: see rig_long_mode() */
#define RIG_HOLE  0x80000 /* nothing is mapped from here on */

/* What all of the rig's leaves allow: reads, writes, fetches; write-back. */
#define RIG_LEAF UINT64_C(0x37)

struct rig {
    struct fake_x86 *cpu;
    struct x86_regs regs;
    uint8_t *io, *msrs; /* the bitmaps: two pages, a page */
    uint8_t *apic;      /* the virtual-APIC page */
    hpa_t memory;       /* of guest pages 0 to RIG_HOLE */
    bool launched;
    uint32_t result; /* of the last entry */

    struct trap_source source;
    const struct guest_op *ops;
    unsigned count, next, done;
    struct guest_result last;
};

extern struct rig rig;

/* A field of the rig's VMCS. */
#define FIELD(name) (rig.cpu->vmx.vmcs->field[VMCS_AT_##name])

/* A processor of this profile and a VMCS that it accepts: 32-bit code without
 * paging, at privilege level 0; what can be made to exit does not. */
void rig_load(const char *profile);
void rig_setup(void);

/* The entry of EPT for a guest page. */
uint64_t *rig_ept(uint64_t gpa);

/* Guest memory, up to RIG_HOLE. */
void *rig_memory(uint64_t gpa);

/* The guest is in 64-bit mode; its first 2 MiB are mapped to themselves. */
void rig_long_mode(void);

/* An IDT whose gates, interrupt gates, lead to RIG_CODE + 0x100 + vector. */
void rig_idt(void);

/* VMLAUNCH or VMRESUME, with operations to come. */
void rig_enter(void);
void rig_run(const struct guest_op *ops, unsigned count);

/* A fresh operation at RIG_CODE, until it is done or exits. */
void rig_one(const struct guest_op *op);

/* What the last exit says. */
unsigned rig_reason(void);

#endif
