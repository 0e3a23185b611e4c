/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A processor with VMX alone, and rows of rules: a state that is legal, and
 * what makes it break one.
 */
#ifndef TESTS_SIM_FAKE_HW_X86_64_VMX_RIG_H
#define TESTS_SIM_FAKE_HW_X86_64_VMX_RIG_H

#include <criterion/criterion.h>

#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/capability.h"
#include "sim/fake_hw/x86_64/vmx/legal.h"
#include "sim/fake_hw/x86_64/vmx/vmx.h"
#include "sim/ram.h"
#include "support/rows.h"

/* Pages of RAM that are allocated. */
#define RIG_PAGE(n) (RAM_BASE + (n)*UINT64_C(4096))
#define RIG_PAGES   16

/* The first ones are what they are called. */
#define RIG_VMXON  RIG_PAGE(0)
#define RIG_VMCS   RIG_PAGE(1)
#define RIG_LINKED RIG_PAGE(2)
#define RIG_APIC   RIG_PAGE(3)
#define RIG_MSRS   RIG_PAGE(4)
#define RIG_PDPTES RIG_PAGE(5)
#define RIG_FREE   RIG_PAGE(6)

/* A change of a field: a value, or bits to set or to clear. */
struct change {
    uint16_t at;
    enum { CHANGE_NONE, CHANGE_SET, CHANGE_OR, CHANGE_CLEAR } kind;
    uint64_t value;
};

#define SET(name, value)                  \
    {                                     \
        VMCS_AT_##name, CHANGE_SET, value \
    }
#define OR(name, bits)                  \
    {                                   \
        VMCS_AT_##name, CHANGE_OR, bits \
    }
#define CLEAR(name, bits)                  \
    {                                      \
        VMCS_AT_##name, CHANGE_CLEAR, bits \
    }

/* A doubleword pair in memory. */
struct poke {
    uint64_t at, value;
};

#define CHANGES 8

struct rule_row {
    enum violation_rule rule;
    enum vmx_guest_mode mode;
    const char *profile; /* NULL: the default one */
    bool host_32, tracing;
    struct poke pokes[4];
    struct change given[CHANGES], breaks[4];
};

struct rule_table {
    const struct rule_row *rows;
    size_t count;
};

extern const struct rule_table control_rows, host_rows, guest_rows,
    segment_rows;

/* VMX is on, and RIG_VMCS current and clear. */
struct rig {
    struct fake_vmx vmx;
};

extern struct rig rig;

void rig_setup(void);
void rig_profile(const struct vmx_profile *profile);

void rig_poke(uint64_t at, uint64_t value, unsigned size);
void rig_apply(const struct change *changes, size_t count);

/* The state of a row, before it is broken. */
void rig_given(const struct rule_row *row);

#endif
