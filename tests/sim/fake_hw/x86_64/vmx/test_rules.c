/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VM entries check: every rule with a state that is as near as can be and
 * breaks none, and one that breaks it before all others.
 */
#include <string.h>

#include "rig.h"

TestSuite(vmx_rules, .init = rig_setup);

static const struct rule_table *const tables[] = {&control_rows, &host_rows,
                                                  &guest_rows, &segment_rows};

#define ALL_ROWS 512

static const struct rule_row *all[ALL_ROWS];

static size_t gather(void)
{
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        for (size_t k = 0; k < tables[i]->count; k++) {
            cr_assert(count < ALL_ROWS);
            all[count++] = &tables[i]->rows[k];
        }
        rows_begin(__FILE__, __LINE__, tables[i]->count);
    }
    return count;
}

static const char *name_of(const struct rule_row *row)
{
    return violation_rule_name(row->rule);
}

static const struct vmx_rule *first_broken(void)
{
    struct vmx_check check = vmx_check_of(&rig.vmx);

    return vmx_first_broken(&check);
}

static uint64_t field(enum vmcs_at at)
{
    return rig.vmx.vmcs->field[at];
}

/* How the entry fails, as the rule says: exit reason and qualification, or the
 * error. */
static void expect_failure(const struct rule_row *row,
                           const struct vmx_rule *rule)
{
    enum vmx_outcome outcome = vmx_enter(&rig.vmx, true);
    static const struct {
        uint32_t reason, qualification;
    } late[] = {
        [VMX_FAILS_GUEST] = {33, 0}, [VMX_FAILS_PDPTES] = {33, 2},
        [VMX_FAILS_NMI] = {33, 3},   [VMX_FAILS_LINK] = {33, 4},
        [VMX_FAILS_MSR] = {34, 2},
    };

    if (rule->failure <= VMX_FAILS_HOST) {
        cr_assert_eq(outcome, VMX_FAIL_VALID, "%s", name_of(row));
        cr_assert_eq(field(VMCS_AT_VM_INSTRUCTION_ERROR),
                     rule->failure == VMX_FAILS_HOST ? 8u : 7u, "%s",
                     name_of(row));
        return;
    }
    cr_assert_eq(outcome, VMX_EXIT, "%s", name_of(row));
    cr_assert_eq(field(VMCS_AT_EXIT_REASON),
                 late[rule->failure].reason | BIT(31), "%s", name_of(row));
    cr_assert_eq(field(VMCS_AT_EXIT_QUALIFICATION),
                 late[rule->failure].qualification, "%s", name_of(row));
}

Test(vmx_rules, accept_and_reject)
{
    size_t count = gather();

    for (size_t i = 0; i < count; i++) {
        const struct vmx_rule *rule;

        rig_given(all[i]);
        rule = first_broken();
        cr_assert_null(rule, "row %zu, %s: breaks %s", i, name_of(all[i]),
                       rule->name);
        rig_apply(all[i]->breaks, ARRAY_SIZE(all[i]->breaks));
        rule = first_broken();
        cr_assert_not_null(rule, "row %zu, %s: not broken", i, name_of(all[i]));
        cr_assert_eq(rule->rule, all[i]->rule, "row %zu, %s: breaks %s", i,
                     name_of(all[i]), rule->name);
        violations_reset();
        expect_failure(all[i], rule);
        cr_assert_eq(violations_of(rule->rule), 1, "%s", rule->name);
        cr_assert_eq(violations_count(), 1, "%s", rule->name);
    }
}

/* Legal states are entered, once launched and then resumed. */
Test(vmx_rules, enter)
{
    size_t count = gather();

    for (size_t i = 0; i < count; i++) {
        rig_given(all[i]);
        cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_SUCCEED, "%s",
                     name_of(all[i]));
        cr_assert_eq(vmx_enter(&rig.vmx, false), VMX_SUCCEED, "%s",
                     name_of(all[i]));
    }
    cr_assert_eq(violations_count(), 0);
}

static void expect_same_verdict(const struct rule_row *row, unsigned at,
                                unsigned bit)
{
    struct vmx_check check = vmx_check_of(&rig.vmx);

    cr_assert_eq(vmx_check_entry(&check, vmx_legal_of(&rig.vmx)),
                 vmx_first_broken(&check), "%s, bit %u of %s", name_of(row),
                 bit, vmcs_fields[at].name);
}

/* What was found legal at the last entry is not taken for what it has become
 * since, by a change of whatever bit. */
Test(vmx_rules, each_bit_is_checked_again)
{
    size_t count = gather();

    for (size_t i = 0; i < count; i += 7) {
        rig_given(all[i]);
        for (unsigned bit = 0; bit < VMCS_FIELD_COUNT * 64; bit++) {
            uint64_t *changed = &rig.vmx.vmcs->field[bit / 64];

            expect_same_verdict(all[i], bit / 64, 64);
            *changed ^= BIT(bit % 64);
            expect_same_verdict(all[i], bit / 64, bit % 64);
            *changed ^= BIT(bit % 64);
        }
    }
}

Test(vmx_rules, each_has_a_row)
{
    size_t count = gather();
    const struct vmx_rule *rule;
    unsigned rules = 0;

    for (; (rule = vmx_rule(rules)) != NULL; rules++) {
        size_t i = 0;

        while (i < count && all[i]->rule != rule->rule)
            i++;
        cr_assert(i < count, "%s has no row", rule->name);
        cr_assert_str_eq(violation_rule_name(rule->rule), rule->name);
        cr_assert_str_eq(violation_rule_text(rule->rule), rule->text);
        cr_assert(strncmp(rule->name, "vmx-", 4) == 0);
        cr_assert(rule->section[0] != '\0');
    }
    cr_assert_geq(rules, 195);
    cr_assert_eq(rules, (unsigned)(RULE_COUNT - RULE_VMX_PIN_FIXED1));
}

/* Labelled, the entry goes on as it is; repaired, what is not legal is. */
Test(vmx_rules, label_and_repair)
{
    size_t count = gather();

    for (size_t i = 0; i < count; i++) {
        struct fake_vmcs broken;

        violations_reset();
        rig_given(all[i]);
        rig_apply(all[i]->breaks, ARRAY_SIZE(all[i]->breaks));
        broken = *rig.vmx.vmcs;
        vmx_set_rule_mode(RULES_LABEL);
        cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_SUCCEED);
        cr_assert_eq(violations_of(all[i]->rule), 1, "%s", name_of(all[i]));
        cr_assert_eq(
            memcmp(broken.field, rig.vmx.vmcs->field, sizeof(broken.field)), 0);
        violations_reset();
        vmx_set_rule_mode(RULES_REPAIR);
        cr_assert_eq(vmx_enter(&rig.vmx, false), VMX_SUCCEED);
        cr_assert_eq(violations_count(), 0, "%s", name_of(all[i]));
        cr_assert_null(first_broken(), "%s", name_of(all[i]));
        vmx_set_rule_mode(RULES_REJECT);
    }
}

static uint64_t heard;

static void hear(enum violation_rule rule)
{
    heard += rule == RULE_VMX_VPID;
}

Test(vmx_rules, listener)
{
    static const struct rule_row row = {
        .given = {SET(VPID, 0)},
    };
    struct vmx_check check;

    rig_given(&row);
    vmx_rule_listener = hear;
    check = vmx_check_of(&rig.vmx);
    vmx_repair(&check);
    cr_assert_eq(heard, 1);
    cr_assert_eq(rig.vmx.vmcs->field[VMCS_AT_VPID], 1);
}

/* Which number comes after `*state` (xorshift). */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Legal but for some fields, or nothing but random numbers. */
static void randomize(struct vmx_check *check, uint64_t *state)
{
    unsigned fields = next(state) % 4 == 0 ? 0 : (unsigned)(next(state) % 24);

    if (fields != 0)
        vmx_make_legal(check, next(state) % VMX_GUEST_MODES);
    for (unsigned i = 0; i < (fields == 0 ? VMCS_FIELD_COUNT : fields); i++) {
        unsigned at =
            fields == 0 ? i : (unsigned)(next(state) % VMCS_FIELD_COUNT);
        uint64_t value = next(state);

        if (next(state) % 2 == 0) {
            value &= next(state);
            value &= next(state);
        }
        check->field[at] =
            zero_extend(value, vmcs_bits(vmcs_fields[at].encoding));
    }
}

/* From any contents, on any processor. */
Test(vmx_rules, repair_reaches_legality)
{
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    unsigned profiles = 0;

    while (vmx_profiles[profiles].base.name != NULL)
        profiles++;
    for (unsigned i = 0; i < 100000; i++) {
        struct vmx_check check;

        rig.vmx.profile = &vmx_profiles[i % profiles];
        rig.vmx.efer = next(&state) % 4 == 0 ? 0 : X86_EFER_LMA;
        check = vmx_check_of(&rig.vmx);
        randomize(&check, &state);
        vmx_repair(&check);
        cr_assert_null(vmx_first_broken(&check), "state %u", i);
    }
}

/* All modes that a processor has, on all processors. */
Test(vmx_rules, legal_states)
{
    for (const struct vmx_profile *p = vmx_profiles; p->base.name != NULL;
         p++) {
        for (unsigned mode = 0; mode < VMX_GUEST_MODES; mode++) {
            for (unsigned host_long = 0; host_long < 2; host_long++) {
                const struct vmx_rule *rule;
                struct vmx_check check;

                if (!vmx_mode_exists(p, mode))
                    continue;
                rig.vmx.profile = p;
                rig.vmx.efer = host_long != 0 ? X86_EFER_LMA : 0;
                check = vmx_check_of(&rig.vmx);
                vmx_make_legal(&check, mode);
                rule = vmx_first_broken(&check);
                cr_assert_null(rule, "%s, mode %u: %s", p->base.name, mode,
                               rule->name);
            }
        }
    }
}
