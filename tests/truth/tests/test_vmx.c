/* SPDX-License-Identifier: Apache-2.0 */
/* What VM entries come to on a fake processor, as answers have it. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/vmcs.h"
#include "support/rows.h"
#include "tests/truth/host.h"

#define REFUSED   UINT64_C(0x80000021)
#define NO_ANSWER UINT64_MAX

static struct truth_buffer list;
static struct truth_list opened;
static struct truth_machine machine;

/* Of states alone. */
static void make_list(void)
{
    list = (struct truth_buffer){0};
    cr_assert(truth_set_profile(TRUTH_VMX, "haswell"));
    truth_make(&truth_maker_vmx, "haswell", 1, 0, &list);
    cr_assert_null(truth_open(&opened, list.bytes, list.size));
    cr_assert(truth_prepare(&machine, &opened));
}

static void drop_list(void)
{
    free(list.bytes);
}

TestSuite(truth_vmx, .init = make_list, .fini = drop_list);

static uint64_t find(const struct truth_answer *answer, uint16_t field)
{
    for (uint32_t i = 0; i < answer->count; i++) {
        if (answer->changes[i].field == field)
            return answer->changes[i].value;
    }
    return NO_ANSWER;
}

static void run(uint16_t state, uint16_t field, uint64_t value,
                struct truth_answer *answer)
{
    uint8_t entry[TRUTH_ENTRY_SIZE];
    struct truth_case one = {.state = state,
                             .rule = TRUTH_NO_RULE,
                             .code_at = LAYOUT_CODE,
                             .code_size = 1,
                             .code = (const uint8_t[]){TRUTH_HLT},
                             .entries = {field != 0, entry}};

    memcpy(entry, &field, sizeof(field));
    memcpy(entry + sizeof(field), &value, sizeof(value));
    truth_run_fake(&machine, &one, true, answer);
}

Test(truth_vmx, how_entries_end)
{
    static const struct {
        uint16_t state, field;
        uint64_t value, fail, reason, qualification;
    } rows[] = {
        {0, 0, 0, NO_ANSWER, VMX_REASON_HLT, NO_ANSWER},
        {8, 0, 0, NO_ANSWER, VMX_REASON_HLT, NO_ANSWER},
        {0, VMCS_PIN_CONTROLS, 0, 7, NO_ANSWER, NO_ANSWER},
        {0, VMCS_HOST_CR4, X86_CR4_VMXE, 8, NO_ANSWER, NO_ANSWER},
        {0, VMCS_GUEST_RFLAGS, 0, NO_ANSWER, REFUSED, NO_ANSWER},
        {0, VMCS_LINK_POINTER, 1, NO_ANSWER, REFUSED, 4},
    };
    static struct truth_answer answer;

    for_each_row (i, rows) {
        run(rows[i].state, rows[i].field, rows[i].value, &answer);
        cr_expect_eq(find(&answer, TRUTH_FAIL), rows[i].fail, "row %zu", i);
        cr_expect_eq(find(&answer, VMCS_EXIT_REASON), rows[i].reason,
                     "row %zu: %llx", i,
                     (unsigned long long)find(&answer, VMCS_EXIT_REASON));
        cr_expect_eq(find(&answer, VMCS_EXIT_QUALIFICATION),
                     rows[i].qualification, "row %zu", i);
    }
}

/* A processor without a field is not asked for it, and has not changed it. */
Test(truth_vmx, fields_that_there_are_not)
{
    static struct truth_answer answer;

    run(0, VMCS_TSC_MULTIPLIER, 5, &answer);
    cr_expect_eq(find(&answer, VMCS_EXIT_REASON), VMX_REASON_HLT);
    cr_expect_eq(find(&answer, VMCS_TSC_MULTIPLIER), NO_ANSWER);
}

/* Each rule has cases or a reason to have none, and not both. */
Test(truth_vmx, rules_without_cases)
{
    static uint32_t counts[TRUTH_MAX_RULES];
    FILE *out = tmpfile();
    unsigned reasons = 0, rules = truth_maker_vmx.rule_count();

    for (unsigned i = 0; i < rules; i++)
        reasons += truth_unbroken(truth_maker_vmx.rule_name(i)) != NULL;
    cr_assert_gt(reasons, 0);
    cr_expect_eq(truth_print_rules(&truth_maker_vmx, counts, out),
                 rules - reasons);
    for (unsigned i = 0; i < rules; i++)
        counts[i] = 1;
    cr_expect_eq(truth_print_rules(&truth_maker_vmx, counts, out), reasons);
    fclose(out);
}
