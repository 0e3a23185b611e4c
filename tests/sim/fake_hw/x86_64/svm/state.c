/* SPDX-License-Identifier: Apache-2.0 */
/* What the fake SVM CPU keeps and loads: clean bits, what the guest changes,
 * registers that no VMCB holds. */
#include <stddef.h>
#include <string.h>

#include "rig.h"

TestSuite(state, .init = rig_setup);

#define AT(field) \
    offsetof(struct vmcb, field), sizeof(((struct vmcb *)0)->field)

/* Fields, the clean bit that covers them, and another legal value. */
static const struct {
    size_t at, size;
    uint64_t bit;
    uint64_t change; /* toggled */
} fields[] = {
    {AT(control.intercept[0]), CLEAN_I, BIT(INTERCEPT_CPUID)},
    {AT(control.intercept_cr_write), CLEAN_I, 1},
    {AT(control.intercept_exceptions), CLEAN_I, BIT(6)},
    {AT(control.tsc_offset), CLEAN_I, 5},
    {AT(control.pause_filter_count), CLEAN_I, 5},
    {AT(control.iopm_base_pa), CLEAN_IOPM, 0x1000},
    {AT(control.msrpm_base_pa), CLEAN_IOPM, 0x1000},
    {AT(control.guest_asid), CLEAN_ASID, 2},
    {AT(control.vintr), CLEAN_TPR, 7},
    {AT(save.g_pat), CLEAN_NP, 1},
    {AT(save.cr0), CLEAN_CRX, X86_CR0_TS},
    {AT(save.cr3), CLEAN_CRX, 0x1000},
    {AT(save.cr4), CLEAN_CRX, X86_CR4_PGE},
    {AT(save.efer), CLEAN_CRX, X86_EFER_SCE},
    {AT(save.dr6), CLEAN_DRX, 1},
    {AT(save.dr7), CLEAN_DRX, 1},
    {AT(save.gdtr.base), CLEAN_DT, 0x100},
    {AT(save.idtr.limit), CLEAN_DT, 0xff},
    {AT(save.cs.base), CLEAN_SEG, 0x10},
    {AT(save.ss.selector), CLEAN_SEG, 8},
    {AT(save.cpl), CLEAN_SEG, 3},
    {AT(save.cr2), CLEAN_CR2, 0x1234},
    {AT(save.dbgctl), CLEAN_LBR, 2},
    {AT(control.avic_backing_page), CLEAN_AVIC, 0x1000},
    {AT(save.ssp), CLEAN_CET, 8},
};

/* The field of a VMCB. */
static uint64_t get(const void *vmcb, size_t i)
{
    uint64_t value = 0;

    memcpy(&value, (const uint8_t *)vmcb + fields[i].at, fields[i].size);
    return value;
}

static void toggle(size_t i)
{
    uint64_t value = get(rig.vmcb, i) ^ fields[i].change;

    memcpy((uint8_t *)rig.vmcb + fields[i].at, &value, fields[i].size);
}

/* What the processor has. */
static uint64_t get_known(size_t i)
{
    struct vmcb known;

    memcpy(&known.control, &rig.cpu->svm.control, sizeof(known.control));
    memcpy(&known.save, &rig.cpu->state, sizeof(known.save));
    return get(&known, i);
}

/* VMRUN, a change, VMRUN with these clean bits: whether the processor has seen
 * the change. */
static bool is_seen(size_t i, uint64_t clean)
{
    uint64_t then;

    rig_run(NULL, 0);
    then = get_known(i);
    toggle(i);
    rig.vmcb->control.clean = (uint32_t)clean;
    rig_run(NULL, 0);
    return get_known(i) != then;
}

Test(state, clean_bits)
{
    for_each_row (i, fields) {
        rig_setup();
        cr_assert(is_seen(i, CLEAN_ALL & ~fields[i].bit), "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu: %s", i,
                     violations_last());
        rig_setup();
        cr_assert_not(is_seen(i, fields[i].bit), "row %zu", i);
        cr_assert_eq(violations_of(RULE_STALE_VMCB), 1, "row %zu: %s", i,
                     violations_last());
        rig_load("toliman");
        cr_assert(is_seen(i, CLEAN_ALL) || fields[i].bit == CLEAN_CET,
                  "row %zu: it has no clean bits", i);
        cr_assert_eq(violations_of(RULE_STALE_VMCB), 0);
    }
}

/* What has changed shows: the guest goes on with the old intercepts. */
Test(state, stale_intercepts)
{
    static const struct guest_op op = {.kind = OP_X86_CPUID};

    rig_one(&op);
    vmcb_set_intercept(&rig.vmcb->control, INTERCEPT_CPUID, true);
    rig.vmcb->control.clean = CLEAN_I;
    rig_one(&op);
    cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED);
    rig.vmcb->control.clean = 0;
    rig_one(&op);
    cr_assert_eq(rig.vmcb->control.exitcode, VMEXIT_CPUID);
}

/* Another VMCB in between, or another CPU's, is remembered instead. */
Test(state, clean_bits_of_another_vmcb)
{
    hpa_t other_pa = memory_alloc_frame();
    struct vmcb *other = memory_phys_to_virt(other_pa);

    rig_run(NULL, 0);
    memcpy(other, rig.vmcb, sizeof(*other));
    other->control.clean = CLEAN_ALL;
    other->save.cr2 = 0x1234;
    x86_svm_run(&rig.regs, other, other_pa);
    cr_assert_eq(other->save.cr2, 0x1234);
    rig.vmcb->control.clean = CLEAN_ALL;
    rig.vmcb->save.cr2 = 0x5678;
    rig_run(NULL, 0);
    cr_assert_eq(rig.vmcb->save.cr2, 0x5678);
    cr_assert_eq(violations_count(), 0);
}

/* RIP, RSP, RAX, RFLAGS, EVENTINJ and the like are always looked at. */
Test(state, what_no_clean_bit_covers)
{
    rig_run(NULL, 0);
    rig.vmcb->control.clean = CLEAN_ALL;
    rig.vmcb->save.rip = 0x1800;
    rig.vmcb->save.rax = 7;
    rig.vmcb->save.rsp = 0x3000;
    rig.vmcb->save.rflags = X86_RFLAGS_FIXED | X86_RFLAGS_AC;
    rig.vmcb->control.interrupt_shadow = 1;
    rig_run(NULL, 0);
    cr_assert_eq(rig.cpu->state.rip, 0x1800);
    cr_assert_eq(rig.vmcb->save.rax, 7);
    cr_assert_eq(rig.vmcb->save.rsp, 0x3000);
    cr_assert_eq(rig.vmcb->save.rflags, X86_RFLAGS_FIXED | X86_RFLAGS_AC);
    cr_assert_eq(rig.vmcb->control.interrupt_shadow, 1);
    cr_assert_eq(violations_count(), 0);
}

/* CR8 is V_TPR. */
Test(state, virtual_tpr)
{
    static const struct guest_op ops[] = {
        {.kind = OP_X86_WRITE_CR, .number = 8, .reg = 6, .value = 9},
        {.kind = OP_X86_READ_CR, .number = 8, .reg = 7},
    };

    rig_run(ops, 2);
    cr_assert_eq(rig.last.value, 9);
    cr_assert_eq(FIELD_GET(VINTR_V_TPR, rig.vmcb->control.vintr), 9);
}

Test(state, long_mode_activation)
{
    static const struct guest_op on = {.kind = OP_X86_WRITE_CR,
                                       .reg = 6,
                                       .value = X86_CR0_PE | X86_CR0_ET |
                                                X86_CR0_PG};
    static const struct guest_op off = {
        .kind = OP_X86_WRITE_CR, .reg = 6, .value = X86_CR0_PE | X86_CR0_ET};

    rig_long_mode();
    rig.vmcb->save.cr0 = X86_CR0_PE | X86_CR0_ET;
    rig.vmcb->save.efer &= ~X86_EFER_LMA;
    rig.vmcb->save.cs.attrib = 0xc9b;
    rig_one(&on);
    cr_assert_neq(rig.vmcb->save.efer & X86_EFER_LMA, 0);
    rig_one(&off);
    cr_assert_eq(rig.vmcb->save.efer & X86_EFER_LMA, 0);
}

Test(state, tsc_offset)
{
    static const struct guest_op op = {.kind = OP_X86_RDTSC};

    rig.vmcb->control.tsc_offset = UINT64_C(1) << 40;
    rig_one(&op);
    cr_assert_geq(rig.last.value, UINT64_C(1) << 40);
    cr_assert_lt(cpu_tsc(), UINT64_C(1) << 40);
}

Test(state, xsave)
{
    static const struct guest_op write = {
        .kind = OP_FP, .reg = 3, .value = 0x1122334455667788};
    static const struct guest_op read = {.kind = OP_FP_READ, .reg = 3};
    static struct x86_xsave area, none;

    rig.vmcb->save.cr4 = X86_CR4_OSFXSR;
    x86_hw_write_xcr0(7);
    rig_one(&write);
    cr_assert_eq(x86_hw_read_xmm(3, 0), write.value);
    x86_hw_xsave(&area, 7);
    x86_hw_xrstor(&none, 7);
    rig_one(&read);
    cr_assert_eq(rig.last.value, 0, "initial");
    x86_hw_xrstor(&area, 7);
    rig_one(&read);
    cr_assert_eq(rig.last.value, write.value);
    x86_hw_write_xmm(3, 1, 5);
    cr_assert_eq(x86_hw_read_xmm(3, 1), 5);
    cr_assert_eq(x86_hw_read_xmm(3, 0), write.value);
}

Test(state, xcr0)
{
    static const struct {
        uint64_t value;
        bool legal;
    } rows[] = {{1, true},  {3, true},  {7, true}, {0, false},
                {2, false}, {5, false}, {9, false}};

    for_each_row (i, rows) {
        struct guest_op op = {.kind = OP_X86_XSETBV, .value = rows[i].value};

        rig_setup();
        rig_idt();
        x86_hw_write_xcr0(rows[i].value);
        cr_assert_eq(violations_of(RULE_SVM_XCR0), !rows[i].legal, "row %zu",
                     i);
        rig.vmcb->save.cr4 = X86_CR4_OSXSAVE;
        rig_one(&op);
        cr_assert_eq(rig.last.outcome,
                     rows[i].legal ? OUTCOME_RETIRED : OUTCOME_EXCEPTION,
                     "row %zu", i);
    }
}

Test(state, debug_registers)
{
    static const struct guest_op write = {
        .kind = OP_X86_WRITE_DR, .number = 2, .reg = 6, .value = 0x1234};
    struct x86_debug_state saved, host = {{1, 2, 3, 4}};

    rig_one(&write);
    x86_hw_save_debug(&saved);
    cr_assert_eq(saved.dr[2], 0x1234);
    x86_hw_load_debug(&host);
    x86_hw_save_debug(&saved);
    cr_assert_eq(memcmp(&saved, &host, sizeof(host)), 0);
}

Test(state, cpuid)
{
    struct x86_cpuid cpuid;

    (void)x86_hw_cpuid(X86_CPUID_SVM, 0, &cpuid);
    cr_assert_eq(cpuid.edx, x86_svm_features());
    cr_assert_eq(cpuid.ebx, x86_svm_asids());
    (void)x86_hw_cpuid(X86_CPUID_VENDOR, 0, &cpuid);
    cr_assert_eq(memcmp(&cpuid.ebx, "Auth", 4), 0);
    cr_assert_eq(memcmp(&cpuid.edx, "enti", 4), 0);
    cr_assert_eq(memcmp(&cpuid.ecx, "cAMD", 4), 0);
}
