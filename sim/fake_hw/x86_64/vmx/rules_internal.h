/* SPDX-License-Identifier: Apache-2.0 */
/* How rules are written, and what their conditions are made of. */
#ifndef SIM_FAKE_HW_X86_64_VMX_RULES_INTERNAL_H
#define SIM_FAKE_HW_X86_64_VMX_RULES_INTERNAL_H

#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/capability.h"
#include "lib/compiler.h"
#include "sim/fake_hw/x86_64/vmx/rule_controls.h"
#include "sim/fake_hw/x86_64/vmx/rule_guest.h"
#include "sim/fake_hw/x86_64/vmx/rule_host.h"
#include "sim/fake_hw/x86_64/vmx/rules.h"

/* A field of the VMCS of `c`. */
#define F(name) (c->field[VMCS_AT_##name])

/* A rule: when it holds, and what makes it hold. */
#define RULE(id, condition, ...)                      \
    static bool holds_##id(const struct vmx_check *c) \
    {                                                 \
        return condition;                             \
    }                                                 \
    static void repair_##id(struct vmx_check *c)      \
    {                                                 \
        __VA_ARGS__;                                  \
    }

/* The rows of a list of rules, and the first one of it that is broken. */
#define ROW(id, name, section, failure, text)           \
    {RULE_VMX_##id,       name,       section,    text, \
     VMX_FAILS_##failure, holds_##id, repair_##id},
#define BROKEN(id, name, section, failure, text) \
    if (unlikely(!holds_##id(c)))                \
        return RULE_VMX_##id;

#define RULE_GROUP(group, LIST)        RULE_GROUP_(group, LIST, false)
#define STABLE_RULE_GROUP(group, LIST) RULE_GROUP_(group, LIST, true)
#define RULE_GROUP_(group, LIST, stable)                                 \
    static const struct vmx_rule rows_##group[] = {LIST(ROW)};           \
    static enum violation_rule broken_##group(const struct vmx_check *c) \
    {                                                                    \
        LIST(BROKEN)                                                     \
        return RULE_COUNT;                                               \
    }                                                                    \
    const struct vmx_rule_group vmx_group_##group = {                    \
        rows_##group, ARRAY_SIZE(rows_##group), broken_##group, stable};

/* A group is a table of rules, and, the same at once, a function that returns
 * the first that is broken: RULE_COUNT if all hold. */
struct vmx_rule_group {
    const struct vmx_rule *rows;
    unsigned count;
    enum violation_rule (*broken)(const struct vmx_check *check);
    /* Whether its rules look at nothing but what rules.c compares. */
    bool is_stable;
};

/* The groups, in the order of checking. */
#define RULE_GROUPS(X) \
    X(execution)       \
    X(exit)            \
    X(entry)           \
    X(event)           \
    X(entry_load)      \
    X(host)            \
    X(registers)       \
    X(segments)        \
    X(tables)          \
    X(non_register)    \
    X(pdptes)          \
    X(msrs)

#define X(group) extern const struct vmx_rule_group vmx_group_##group;
RULE_GROUPS(X)
#undef X

static inline bool has_all(uint64_t word, uint64_t bits)
{
    return (word & bits) == bits;
}

static inline bool has_any(uint64_t word, uint64_t bits)
{
    return (word & bits) != 0;
}

/* "If the left holds, then the right." */
static inline bool implies(bool left, bool right)
{
    return !left || right;
}

/* Controls that are not activated are 0. */
static inline uint64_t cpu2(const struct vmx_check *c)
{
    return has_all(F(PRIMARY_CONTROLS), VMX_CPU_SECONDARY_CONTROLS)
               ? F(SECONDARY_CONTROLS)
               : 0;
}

static inline uint64_t cpu3(const struct vmx_check *c)
{
    return has_all(F(PRIMARY_CONTROLS), VMX_CPU_TERTIARY_CONTROLS)
               ? F(TERTIARY_CONTROLS)
               : 0;
}

static inline bool pin_has(const struct vmx_check *c, uint64_t control)
{
    return has_all(F(PIN_CONTROLS), control);
}

static inline bool cpu_has(const struct vmx_check *c, uint64_t control)
{
    return has_all(F(PRIMARY_CONTROLS), control);
}

static inline bool cpu2_has(const struct vmx_check *c, uint64_t control)
{
    return has_all(cpu2(c), control);
}

static inline bool cpu3_has(const struct vmx_check *c, uint64_t control)
{
    return has_all(cpu3(c), control);
}

static inline bool exit_has(const struct vmx_check *c, uint64_t control)
{
    return has_all(F(EXIT_CONTROLS), control);
}

static inline bool entry_has(const struct vmx_check *c, uint64_t control)
{
    return has_all(F(ENTRY_CONTROLS), control);
}

/* "IA-32e mode guest". */
static inline bool guest_long(const struct vmx_check *c)
{
    return entry_has(c, VMX_ENTRY_IA32E_MODE_GUEST);
}

static inline bool unrestricted(const struct vmx_check *c)
{
    return cpu2_has(c, VMX_CPU2_UNRESTRICTED_GUEST);
}

/* Bits that no physical address has. */
static inline uint64_t above(const struct vmx_check *c)
{
    return ~(BIT(c->profile->phys_bits) - 1);
}

/* The address made canonical. */
static inline uint64_t canonical(const struct vmx_check *c, uint64_t address)
{
    return (uint64_t)sign_extend(address, c->profile->linear_bits);
}

static inline bool is_canonical(const struct vmx_check *c, uint64_t address)
{
    return canonical(c, address) == address;
}

/* Whether the bits above the linear addresses, without the highest that those
 * have, are alike. */
static inline bool is_alike(const struct vmx_check *c, uint64_t address)
{
    uint64_t high = address >> c->profile->linear_bits;

    return high == 0 || high == ~UINT64_C(0) >> c->profile->linear_bits;
}

/* The type of the event that an entry injects; -1: it injects none. */
static inline int event_type(const struct vmx_check *c)
{
    uint64_t event = F(ENTRY_INTERRUPTION_INFO);

    return has_all(event, VMX_EVENT_VALID)
               ? (int)FIELD_GET(VMX_EVENT_TYPE, event)
               : -1;
}

static inline uint64_t event_vector(const struct vmx_check *c)
{
    return FIELD_GET(VMX_EVENT_VECTOR, F(ENTRY_INTERRUPTION_INFO));
}

/* Bits that CR0, CR4 must have, must not have, and lack or have. */
static inline uint64_t missing(uint64_t value, uint64_t fixed0)
{
    return fixed0 & ~value;
}

static inline bool pat_is_legal(uint64_t pat)
{
    /* Types are 0, 1, and 4 to 7: bits 7:3 are 0, and bit 1 only with bit 2. */
    return (pat & UINT64_C(0xf8f8f8f8f8f8f8f8)) == 0 &&
           (pat & ~(pat >> 1) & UINT64_C(0x0202020202020202)) == 0;
}

/* IA32_PAT after a reset (SDM volume 3, memory cache control). */
#define PAT_RESET UINT64_C(0x0007040600070406)

#define S_CET_SUPPRESS BIT(10)
#define S_CET_TRACKER  BIT(11)

static inline bool s_cet_suppresses_twice(uint64_t value)
{
    return has_all(value, S_CET_SUPPRESS | S_CET_TRACKER);
}

/* The virtual TPR, as thresholds have it. */
uint64_t vmx_vtpr(const struct vmx_check *check);

/* `size` bytes of memory, 8 at most; all ones where there is none. */
uint64_t vmx_memory(uint64_t address, unsigned size);

#endif
