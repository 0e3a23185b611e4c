/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of VM entries together, and the three modes; see rules.h. */
#include <stddef.h>
#include <string.h>

#include "api/memory.h"
#include "lib/check.h"
#include "sim/fake_hw/x86_64/vmx/rules_internal.h"
#include "sim/ram.h"

/* Repairing a rule can break one before it. As each repair takes something from
 * the state, or puts it to what few others look at, this many rounds are more
 * than any state needs. */
#define REPAIR_ROUNDS 16

static const struct vmx_rule_group *const groups[] = {
#define X(group) &vmx_group_##group,
    RULE_GROUPS(X)
#undef X
};

static enum rule_mode rule_mode;

void (*vmx_rule_listener)(enum violation_rule rule);

uint64_t vmx_memory(uint64_t address, unsigned size)
{
    uint64_t value = 0;

    if (!ram_has(address, size))
        return zero_extend(UINT64_MAX, size * 8);
    memcpy(&value, memory_phys_to_virt(hpa(address)), size);
    return value;
}

const struct vmx_rule *vmx_rule(unsigned i)
{
    for (unsigned k = 0; k < ARRAY_SIZE(groups); k++) {
        if (i < groups[k]->count)
            return &groups[k]->rows[i];
        i -= groups[k]->count;
    }
    return NULL;
}

/* The row of a rule that is broken. */
static const struct vmx_rule *row_of(const struct vmx_rule_group *group,
                                     enum violation_rule rule)
{
    const struct vmx_rule *row = &group->rows[rule - group->rows[0].rule];

    CHECK(row->rule == rule);
    return row;
}

/*
 * The fields that stable groups look at. What is left out is what exits change
 * most: exit information, RIP, RSP, RFLAGS, what of the guest's state is no
 * register, the timer; and the event that an entry injects.
 */
static const struct {
    uint8_t first, last;
} stable_fields[] = {
    {VMCS_AT_VPID, VMCS_AT_INJECTED_EVENT_DATA},
    {VMCS_AT_LINK_POINTER, VMCS_AT_ENTRY_MSR_LOAD_COUNT},
    {VMCS_AT_TPR_THRESHOLD, VMCS_AT_SEAM_GUEST_KEYID},
    {VMCS_AT_GUEST_ES_LIMIT, VMCS_AT_GUEST_TR_ACCESS_RIGHTS},
    {VMCS_AT_GUEST_SMBASE, VMCS_AT_GUEST_IA32_SYSENTER_CS},
    {VMCS_AT_HOST_IA32_SYSENTER_CS, VMCS_AT_CR3_TARGET_VALUE3},
    {VMCS_AT_GUEST_CR0, VMCS_AT_GUEST_DR7},
    {VMCS_AT_GUEST_IA32_SYSENTER_ESP, VMCS_AT_HOST_IA32_SSP_TABLE_ADDRESS},
};

static uint64_t vtpr_of(const struct vmx_check *c)
{
    return cpu_has(c, VMX_CPU_TPR_SHADOW) ? vmx_vtpr(c) : 0;
}

/* Whether stable groups cannot tell it from what was legal. */
static bool stable_are_alike(const struct vmx_check *c,
                             const struct vmx_legal *legal)
{
    uint64_t flags = F(GUEST_RFLAGS) ^ legal->field[VMCS_AT_GUEST_RFLAGS];

    if (legal->check.profile != c->profile ||
        legal->check.current != c->current ||
        legal->check.host_long != c->host_long ||
        legal->check.tracing != c->tracing || (flags & X86_RFLAGS_VM) != 0)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(stable_fields); i++) {
        unsigned first = stable_fields[i].first;
        unsigned count = stable_fields[i].last - first + 1u;

        if (memcmp(&c->field[first], &legal->field[first],
                   count * sizeof(uint64_t)) != 0)
            return false;
    }
    return vtpr_of(c) == legal->vtpr;
}

static void remember(const struct vmx_check *check, struct vmx_legal *legal)
{
    legal->check = *check;
    legal->vtpr = vtpr_of(check);
    memcpy(legal->field, check->field, sizeof(legal->field));
}

/* The first that is broken of those rules that are not known to hold. */
static const struct vmx_rule *first_broken(const struct vmx_check *check,
                                           bool all)
{
    for (unsigned k = 0; k < ARRAY_SIZE(groups); k++) {
        enum violation_rule rule;

        if (groups[k]->is_stable && !all)
            continue;
        rule = groups[k]->broken(check);

        if (unlikely(rule != RULE_COUNT))
            return row_of(groups[k], rule);
    }
    return NULL;
}

const struct vmx_rule *vmx_first_broken(const struct vmx_check *check)
{
    return first_broken(check, true);
}

/* Repairs what is broken in a group; false: nothing is. */
static bool repair_group(const struct vmx_rule_group *group,
                         struct vmx_check *check)
{
    enum violation_rule first = group->broken(check);

    if (likely(first == RULE_COUNT))
        return false;
    for (const struct vmx_rule *rule = row_of(group, first);
         rule < group->rows + group->count; rule++) {
        if (likely(rule->holds(check)))
            continue;
        if (vmx_rule_listener != NULL)
            vmx_rule_listener(rule->rule);
        rule->repair(check);
    }
    return true;
}

static bool repair_once(struct vmx_check *check)
{
    bool was_broken = false;

    for (unsigned k = 0; k < ARRAY_SIZE(groups); k++)
        was_broken |= repair_group(groups[k], check);
    return was_broken;
}

void vmx_repair(struct vmx_check *check)
{
    for (unsigned i = 0; repair_once(check); i++)
        CHECK(i < REPAIR_ROUNDS);
}

void vmx_set_rule_mode(enum rule_mode mode)
{
    rule_mode = mode;
}

static void report(const struct vmx_check *check, const struct vmx_rule *rule)
{
    violation(rule->rule, "RIP 0x%llx, VMCS 0x%llx",
              (unsigned long long)check->field[VMCS_AT_GUEST_RIP],
              (unsigned long long)check->current);
}

/* Counts all that are broken. */
static void label(const struct vmx_check *check)
{
    const struct vmx_rule *rule;

    for (unsigned i = 0; (rule = vmx_rule(i)) != NULL; i++) {
        if (!rule->holds(check))
            report(check, rule);
    }
}

const struct vmx_rule *vmx_check_entry(struct vmx_check *check,
                                       struct vmx_legal *legal)
{
    bool is_alike = stable_are_alike(check, legal);
    const struct vmx_rule *rule = first_broken(check, !is_alike);

    if (likely(rule == NULL)) {
        if (!is_alike)
            remember(check, legal);
        return NULL;
    }
    switch (rule_mode) {
    case RULES_REPAIR: vmx_repair(check); return NULL;
    case RULES_LABEL: label(check); return NULL;
    case RULES_REJECT: break;
    }
    report(check, rule);
    return rule;
}
