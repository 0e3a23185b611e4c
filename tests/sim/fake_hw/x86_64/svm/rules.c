/* SPDX-License-Identifier: Apache-2.0 */
/* What VMRUN checks: each rule with a state that breaks it, and one that is as
 * near as can be and does not. */
#include <stddef.h>
#include <string.h>

#include "rig.h"

TestSuite(rules, .init = rig_setup);

/* Up to three words of the VMCB. */
struct change {
    size_t at;
    uint64_t value;
    uint8_t size;
};

#define SET(field, value)                                                      \
    {                                                                          \
        offsetof(struct vmcb, field), value, sizeof(((struct vmcb *)0)->field) \
    }

#define LONG_CR0            (X86_CR0_PE | X86_CR0_ET | X86_CR0_PG | X86_CR0_WP)
#define LONG                (X86_EFER_SVME | X86_EFER_LME | X86_EFER_LMA)
#define HIGH                BIT(32)
#define EVENT(type, vector) (EVENT_V | FIELD_PUT(EVENT_TYPE, type) | (vector))

static const struct {
    enum violation_rule rule;
    struct change breaks[4], keeps[4];
} rows[] = {
    {RULE_VMCB_EFER_SVME, {SET(save.efer, 0)}, {SET(save.efer, 0x1001)}},
    {RULE_VMCB_CR0_NW,
     {SET(save.cr0, X86_CR0_PE | X86_CR0_NW)},
     {SET(save.cr0, X86_CR0_PE | X86_CR0_NW | X86_CR0_CD)}},
    {RULE_VMCB_CR0_HIGH,
     {SET(save.cr0, X86_CR0_PE | HIGH)},
     {SET(save.cr0, X86_CR0_PE | X86_CR0_CD)}},
    {RULE_VMCB_CR3,
     {SET(save.efer, LONG), SET(save.cr0, LONG_CR0), SET(save.cr4, X86_CR4_PAE),
      SET(save.cr3, BIT(48))},
     {SET(save.efer, LONG), SET(save.cr0, LONG_CR0), SET(save.cr4, X86_CR4_PAE),
      SET(save.cr3, 0xfffffffff000)}},
    {RULE_VMCB_CR3, {SET(save.cr3, HIGH)}, {SET(save.cr3, 0xffffffff)}},
    {RULE_VMCB_CR4,
     {SET(save.cr4, BIT(13))},
     {SET(save.cr4, X86_CR4_UMIP | X86_CR4_SMAP)}},
    {RULE_VMCB_CR4, {SET(save.cr4, HIGH)}, {SET(save.cr4, X86_CR4_OSXSAVE)}},
    {RULE_VMCB_DR6, {SET(save.dr6, HIGH)}, {SET(save.dr6, 0xffffffff)}},
    {RULE_VMCB_DR7, {SET(save.dr7, HIGH)}, {SET(save.dr7, 0xffffffff)}},
    {RULE_VMCB_EFER,
     {SET(save.efer, X86_EFER_SVME | BIT(1))},
     {SET(save.efer, X86_EFER_SVME | X86_EFER_TCE)}},
    {RULE_VMCB_LONG_PAE,
     {SET(save.efer, LONG), SET(save.cr0, LONG_CR0)},
     {SET(save.efer, LONG), SET(save.cr0, LONG_CR0),
      SET(save.cr4, X86_CR4_PAE)}},
    {RULE_VMCB_LONG_PE,
     {SET(save.efer, LONG), SET(save.cr0, X86_CR0_PG | X86_CR0_WP),
      SET(save.cr4, X86_CR4_PAE)},
     {SET(save.cr0, X86_CR0_PG | X86_CR0_WP)}}, /* paged real mode */
    {RULE_VMCB_LONG_CS,
     {SET(save.efer, LONG), SET(save.cr0, LONG_CR0), SET(save.cr4, X86_CR4_PAE),
      SET(save.cs.attrib, 0xe9b)},
     {SET(save.efer, LONG), SET(save.cr0, LONG_CR0), SET(save.cr4, X86_CR4_PAE),
      SET(save.cs.attrib, 0xa9b)}},
    {RULE_VMCB_LONG_CS,
     {SET(save.efer, LONG), SET(save.cr0, LONG_CR0), SET(save.cr4, X86_CR4_PAE),
      SET(save.cs.attrib, 0xe9b)},
     {SET(save.cs.attrib, 0xe9b)}},
    {RULE_VMCB_VMRUN,
     {SET(control.intercept[1], 0)},
     {SET(control.intercept[1], 1)}},
    {RULE_VMCB_EVENT_TYPE,
     {SET(control.eventinj, EVENT(1, 32))},
     {SET(control.eventinj, EVENT(1, 32) & ~EVENT_V)}},
    {RULE_VMCB_EVENT_TYPE,
     {SET(control.eventinj, EVENT(5, 32))},
     {SET(control.eventinj, EVENT(EVENT_TYPE_SOFT, 32))}},
    {RULE_VMCB_EVENT_VECTOR,
     {SET(control.eventinj, EVENT(EVENT_TYPE_EXCEPTION, 2))},
     {SET(control.eventinj, EVENT(EVENT_TYPE_NMI, 2))}},
    {RULE_VMCB_EVENT_VECTOR,
     {SET(control.eventinj, EVENT(EVENT_TYPE_EXCEPTION, 32))},
     {SET(control.eventinj, EVENT(EVENT_TYPE_EXCEPTION, 13))}},
    {RULE_VMCB_ASID,
     {SET(control.guest_asid, 0)},
     {SET(control.guest_asid, 1)}},
    {RULE_VMCB_ASID_LIMIT,
     {SET(control.guest_asid, 32768)},
     {SET(control.guest_asid, 32767)}},
    {RULE_VMCB_TLB_CONTROL,
     {SET(control.tlb_control, 2)},
     {SET(control.tlb_control, TLB_CONTROL_FLUSH_GUEST)}},
    {RULE_VMCB_S_CET, {SET(save.s_cet, 4)}, {SET(save.s_cet, 3)}},
    {RULE_VMCB_CET_WP,
     {SET(save.cr4, X86_CR4_CET)},
     {SET(save.cr4, X86_CR4_CET), SET(save.cr0, X86_CR0_PE | X86_CR0_WP)}},
    {RULE_VMCB_G_PAT, {SET(save.g_pat, 2)}, {SET(save.g_pat, 1)}},
    {RULE_VMCB_G_PAT, {SET(save.g_pat, BIT(63))}, {SET(save.g_pat, 7)}},
    {RULE_VMCB_EVENT_VECTOR,
     {SET(control.eventinj, EVENT(EVENT_TYPE_EXCEPTION, 9))},
     {SET(control.eventinj, EVENT(EVENT_TYPE_EXCEPTION, 21))}},
    {RULE_VMCB_EVENT_VECTOR,
     {SET(control.eventinj, EVENT(EVENT_TYPE_EXCEPTION, 29))},
     {SET(control.eventinj, EVENT(EVENT_TYPE_SOFT, 29))}},
    {RULE_VMCB_UNMODELLED,
     {SET(control.vintr, VINTR_V_INTR_MASKING | VINTR_AVIC_ENABLE)},
     {SET(control.vintr, VINTR_V_INTR_MASKING | VINTR_VGIF)}},
    {RULE_VMCB_UNMODELLED, {SET(control.np_enable, 3)}, {}},
    {RULE_VMCB_UNMODELLED, {SET(control.lbr_virtualization_enable, 1)}, {}},
    {RULE_VMCB_NP, {SET(control.np_enable, 0)}, {SET(control.np_enable, 1)}},
    {RULE_VMCB_INTR,
     {SET(control.vintr, 0)},
     {SET(control.vintr, VINTR_V_INTR_MASKING | 5)}},
};

static void apply(const struct change *changes)
{
    for (unsigned i = 0; i < 4 && changes[i].size != 0; i++)
        memcpy((uint8_t *)rig.vmcb + changes[i].at, &changes[i].value,
               changes[i].size);
}

Test(rules, reject)
{
    for_each_row (i, rows) {
        rig_setup();
        apply(rows[i].breaks);
        cr_assert(rig_is_refused(), "row %zu", i);
        cr_assert_eq(violations_of(rows[i].rule), 1, "row %zu: %s", i,
                     violations_last());
        cr_assert_eq(violations_count(), 1, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.rip, RIG_CODE, "row %zu", i);
    }
}

Test(rules, accept)
{
    for_each_row (i, rows) {
        rig_setup();
        rig_idt();
        apply(rows[i].keeps);
        cr_assert_not(rig_is_refused(), "row %zu: %s", i, violations_last());
        cr_assert_eq(violations_count(), 0, "row %zu: %s", i,
                     violations_last());
    }
}

/* Labelled, the entry goes on as it is; repaired, what is not legal is. */
Test(rules, label_and_repair)
{
    for_each_row (i, rows) {
        rig_setup();
        rig_idt();
        fake_svm_set_rule_mode(RULES_LABEL);
        apply(rows[i].breaks);
        cr_assert_not(rig_is_refused(), "row %zu", i);
        cr_assert_eq(violations_of(rows[i].rule), 1, "row %zu", i);
        rig_setup();
        rig_idt();
        fake_svm_set_rule_mode(RULES_REPAIR);
        apply(rows[i].breaks);
        cr_assert_not(rig_is_refused(), "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu: %s", i,
                     violations_last());
    }
}

static bool all_hold(const struct fake_x86 *cpu)
{
    for (unsigned i = 0; i < svm_rule_count; i++) {
        if (!svm_rules[i].holds(cpu))
            return false;
    }
    return true;
}

/* What was found legal is not taken for what it has become since. */
static void expect_checked_again(uint8_t *at, size_t size)
{
    for (size_t bit = 0; bit < size * 8; bit++) {
        cr_assert(svm_check_guest(rig.cpu));
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_eq(svm_check_guest(rig.cpu), all_hold(rig.cpu),
                     "bit %zu of the area at %p", bit, (void *)at);
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

Test(rules, each_bit_is_checked_again)
{
    rig_setup();
    vmcb_set_intercept(&rig.vmcb->control, INTERCEPT_IOIO, true);
    vmcb_set_intercept(&rig.vmcb->control, INTERCEPT_MSR, true);
    rig_long_mode();
    cr_assert_not(rig_is_refused());
    expect_checked_again((uint8_t *)&rig.cpu->svm.control,
                         sizeof(rig.cpu->svm.control));
    expect_checked_again((uint8_t *)&rig.cpu->state, sizeof(rig.cpu->state));
    cr_assert_gt(violations_count(), 0);
}

/* Nor is memory that has been freed since. */
Test(rules, freed_maps)
{
    rig_setup();
    vmcb_set_intercept(&rig.vmcb->control, INTERCEPT_IOIO, true);
    cr_assert_not(rig_is_refused());
    memory_free_contiguous(hpa(rig.vmcb->control.iopm_base_pa),
                           IOPM_SIZE / PAGE_SIZE);
    cr_assert(rig_is_refused());
    cr_assert_eq(violations_of(RULE_VMCB_IOPM_MEMORY), 1);
}

/* Those that need more than a word. */
Test(rules, maps_and_tables)
{
    uint64_t limit = BIT(48);
    const struct {
        enum violation_rule rule;
        enum svm_intercept intercept;
        struct change breaks;
    } special[] = {
        {RULE_VMCB_IOPM, INTERCEPT_IOIO,
         SET(control.iopm_base_pa, limit - IOPM_SIZE + PAGE_SIZE)},
        {RULE_VMCB_MSRPM, INTERCEPT_MSR,
         SET(control.msrpm_base_pa, limit - MSRPM_SIZE)},
        {RULE_VMCB_IOPM_MEMORY, INTERCEPT_IOIO,
         SET(control.iopm_base_pa, 0x1000)},
        {RULE_VMCB_MSRPM_MEMORY, INTERCEPT_MSR,
         SET(control.msrpm_base_pa, 0x1000)},
        {RULE_VMCB_NCR3, INTERCEPT_INTR, SET(control.n_cr3, limit)},
        {RULE_VMCB_NCR3_ROOT, INTERCEPT_INTR, SET(control.n_cr3, 0x1000)},
    };

    for_each_row (i, special) {
        rig_setup();
        vmcb_set_intercept(&rig.vmcb->control, special[i].intercept, true);
        cr_assert_not(rig_is_refused(), "row %zu", i);
        memcpy((uint8_t *)rig.vmcb + special[i].breaks.at,
               &special[i].breaks.value, special[i].breaks.size);
        cr_assert(rig_is_refused(), "row %zu", i);
        cr_assert_eq(violations_of(special[i].rule), 1, "row %zu: %s", i,
                     violations_last());
    }
}

Test(rules, of_the_processor)
{
    rig_load("toliman");
    rig.vmcb->control.tlb_control = TLB_CONTROL_FLUSH_GUEST;
    cr_assert(rig_is_refused(), "no FlushByASID");
    rig_load("toliman");
    rig.vmcb->save.cr4 = X86_CR4_SMEP;
    cr_assert(rig_is_refused(), "no SMEP");
    rig_load("toliman");
    rig.vmcb->save.s_cet = 4;
    cr_assert_not(rig_is_refused(), "no S_CET");
    rig_load("qemu");
    rig.vmcb->control.guest_asid = 16;
    rig_enter();
    cr_assert_eq(rig.vmcb->control.exitcode, UINT32_MAX);
}

Test(rules, of_long_mode_that_is_absent)
{
    struct x86_profile profile = x86_profiles[0];

    profile.no_long_mode = true;
    rig.cpu->profile = &profile;
    cr_assert_not(rig_is_refused());
    rig.vmcb->save.efer = X86_EFER_SVME | X86_EFER_LME;
    cr_assert(rig_is_refused());
    cr_assert_eq(violations_of(RULE_VMCB_LONG_ABSENT), 1);
}

Test(rules, of_the_host)
{
    hpa_t other = memory_alloc_frame();

    x86_hw_write_msr(X86_MSR_EFER, X86_EFER_LME | X86_EFER_LMA);
    cr_assert(rig_is_refused());
    cr_assert_eq(violations_of(RULE_SVM_HOST_SVME), 1);
    rig_setup();
    x86_hw_write_msr(X86_MSR_VM_HSAVE_PA, 0);
    cr_assert(rig_is_refused());
    cr_assert_eq(violations_of(RULE_SVM_HSAVE), 1);
    rig_setup();
    x86_hw_write_msr(X86_MSR_VM_HSAVE_PA, rig.vmcb_pa.raw);
    cr_assert(rig_is_refused());
    cr_assert_eq(violations_of(RULE_SVM_HSAVE_SHARED), 1);
    rig_setup();
    x86_svm_run(&rig.regs, rig.vmcb, hpa(rig.vmcb_pa.raw + 8));
    cr_assert_eq(violations_of(RULE_SVM_VMCB_ADDRESS), 1);
    rig_setup();
    other = memory_alloc_frame();
    x86_svm_run(&rig.regs, rig.vmcb, other);
    cr_assert_eq(violations_of(RULE_SVM_VMCB_ADDRESS), 1);
    x86_hw_write_msr(X86_MSR_VM_HSAVE_PA, 0x123);
    cr_assert_eq(violations_of(RULE_SVM_MSR), 1);
}

/* Maps that just fit: not refused for that, but there is no memory. */
Test(rules, maps_that_fit)
{
    rig.vmcb->control.iopm_base_pa = BIT(48) - IOPM_SIZE;
    cr_assert_not(rig_is_refused(), "it is not looked at");
    cr_assert_eq(violations_count(), 0);
    vmcb_set_intercept(&rig.vmcb->control, INTERCEPT_IOIO, true);
    cr_assert(rig_is_refused());
    cr_assert_eq(violations_of(RULE_VMCB_IOPM), 0);
    cr_assert_eq(violations_of(RULE_VMCB_IOPM_MEMORY), 1);
    rig_setup();
    rig.vmcb->control.msrpm_base_pa = BIT(48) - MSRPM_SIZE - PAGE_SIZE + 5;
    cr_assert_not(rig_is_refused());
}

/* What VMRUN makes of a state that it does not refuse. */
Test(rules, what_is_adjusted)
{
    struct vmcb_save *save = &rig.vmcb->save;

    save->efer = X86_EFER_SVME | X86_EFER_LMA;
    save->gdtr.base = BIT(47);
    save->cr0 = X86_CR0_ET;
    save->cpl = 2;
    save->rflags = 0;
    cr_assert_not(rig_is_refused());
    cr_assert_eq(save->efer, X86_EFER_SVME, "LMA follows LME and PG");
    cr_assert_eq(save->gdtr.base, UINT64_C(0xffff800000000000));
    cr_assert_eq(save->cpl, 0, "in real mode");
    cr_assert_eq(save->rflags, X86_RFLAGS_FIXED);
    save->cr0 |= X86_CR0_PE;
    save->rflags |= X86_RFLAGS_VM;
    cr_assert_not(rig_is_refused());
    cr_assert_eq(save->cpl, 3, "in virtual-8086 mode");
}

/* Each row has its name and text, and no rule is there twice. */
Test(rules, are_named)
{
    uint64_t seen = 0;

    cr_assert_geq(svm_rule_count, 19);
    for (unsigned i = 0; i < svm_rule_count; i++) {
        uint64_t bit = BIT(svm_rules[i].rule - RULE_STALE_NPT);

        cr_assert_eq(seen & bit, 0, "%s",
                     violation_rule_name(svm_rules[i].rule));
        seen |= bit;
        cr_assert_not_null(svm_rules[i].section);
        cr_assert_neq(strcmp(violation_rule_text(svm_rules[i].rule), "?"), 0);
    }
}
