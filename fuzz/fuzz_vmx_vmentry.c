/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of VM entries: the input changes fields of a VMCS that is legal,
 * and memory that it points to. The first rule that is broken must be the one
 * for which the entry fails, and as it says; what repairs make of it must be
 * entered, and they must not change it again. Rules that were broken on the way
 * are features.
 */
#include <string.h>

#include "arch/x86_64/regs.h"
#include "fuzz/features.h"
#include "fuzz/vmx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VMXON_PAGE 0
#define VMCS_PAGE  1
#define FREE_PAGE  2 /* and those behind it */

#define PAGE_WORDS 512

/* How often rules are looked at one by one: they are 320 calls. */
#define RUNS_PER_TABLE 8

static struct fake_vmx vmx;

/* A field and a number for it, or a word of memory. */
struct step {
    bool memory;
    uint32_t at;
    uint64_t value;
};

static struct step take_step(struct fuzz_input *input)
{
    uint64_t kind = fuzz_take(input, 1);
    struct step step = {.memory = kind < 0x18};

    if (step.memory)
        step.at = (uint32_t)fuzz_take(input, 2) %
                  ((VMX_PAGES - FREE_PAGE) * PAGE_SIZE / 8);
    else
        step.at = fuzz_pick(input, VMCS_FIELD_COUNT);
    step.value = fuzz_number(input);
    if (!step.memory && kind >= 0xd0)
        step.value += fuzz_vmx_page(FREE_PAGE);
    return step;
}

static void skip(struct fuzz_input *input)
{
    take_step(input);
}

FUZZ_MUTATOR(skip)

static void do_step(struct vmx_check *check, const struct step *step)
{
    if (step->memory)
        memcpy((uint8_t *)fuzz_vmx_memory(FREE_PAGE + step->at / PAGE_WORDS) +
                   step->at % PAGE_WORDS * 8,
               &step->value, 8);
    else /* one bit more or less, or another number */
        check->field[step->at] = zero_extend(
            step->value < 64 ? check->field[step->at] ^ BIT(step->value)
                             : step->value,
            vmcs_bits(vmcs_fields[step->at].encoding));
}

/* The first one by the table. */
static const struct vmx_rule *first_by_table(const struct vmx_check *check)
{
    const struct vmx_rule *rule;
    unsigned i = 0;

    while ((rule = vmx_rule(i)) != NULL && rule->holds(check))
        i++;
    return rule;
}

static uint64_t field(enum vmcs_at at)
{
    return vmx.vmcs->field[at];
}

static void check_failure(const struct vmx_rule *rule, enum vmx_outcome outcome)
{
    uint64_t reason = rule->failure == VMX_FAILS_MSR ? 34 : 33;

    if (rule->failure == VMX_FAILS_CONTROLS ||
        rule->failure == VMX_FAILS_HOST) {
        fuzz_need(outcome == VMX_FAIL_VALID, "no VMfailValid");
        fuzz_need(field(VMCS_AT_VM_INSTRUCTION_ERROR) ==
                      (rule->failure == VMX_FAILS_HOST ? 8 : 7),
                  "another error");
        return;
    }
    fuzz_need(outcome == VMX_EXIT, "no VM exit");
    fuzz_need(field(VMCS_AT_EXIT_REASON) == (reason | BIT(31)),
              "another exit reason");
}

static void check_repaired(struct vmx_check *check, bool by_table)
{
    vmx_repair(check);
    fuzz_need(!by_table || first_by_table(check) == NULL, "still illegal");
    fuzz_need(vmx_enter(&vmx, true) == VMX_SUCCEED, "a legal state is refused");
}

static void make_processor(struct fuzz_input *input)
{
    fuzz_vmx_power_on(&vmx, fuzz_vmx_profile(input), 0);
    fuzz_vmx_region(VMXON_PAGE, (uint32_t)vmx.profile->basic);
    fuzz_vmx_region(VMCS_PAGE, (uint32_t)vmx.profile->basic);
    fuzz_need(vmx_vmxon(&vmx, fuzz_vmx_page(VMXON_PAGE)) == VMX_SUCCEED &&
                  vmx_vmclear(&vmx, fuzz_vmx_page(VMCS_PAGE)) == VMX_SUCCEED &&
                  vmx_vmptrld(&vmx, fuzz_vmx_page(VMCS_PAGE)) == VMX_SUCCEED,
              "no VMCS");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    enum vmx_guest_mode mode;
    struct vmx_check check;
    const struct vmx_rule *rule;
    bool by_table;

    fuzz_vmx_begin();
    vmx_rule_listener = features_of_rule;
    make_processor(&input);
    mode = fuzz_pick(&input, VMX_GUEST_MODES);
    if (fuzz_pick(&input, 8) == 0)
        vmx.efer = 0;
    check = vmx_check_of(&vmx);
    vmx_make_legal(&check, vmx_mode_exists(vmx.profile, mode) ? mode : 0);
    while (!fuzz_is_empty(&input)) {
        struct step step = take_step(&input);

        do_step(&check, &step);
    }
    by_table = fuzz_is_one_in(RUNS_PER_TABLE, data, size);
    rule = vmx_first_broken(&check);
    fuzz_need(!by_table || rule == first_by_table(&check),
              "another rule is first");
    if (rule != NULL)
        check_failure(rule, vmx_enter(&vmx, true));
    check_repaired(&check, by_table);
    return 0;
}
