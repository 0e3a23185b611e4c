/* SPDX-License-Identifier: Apache-2.0 */
/* What QEMU's and Bochs's processors, and the manual, do alike (docs/truth.md):
 * details of entries, exits and page walks. */
#include "rig.h"

TestSuite(fidelity, .init = rig_setup);

static const struct guest_op hlt = {.kind = OP_X86_HLT};

static void stop_at_hlt(void)
{
    vmcb_set_intercept(&rig.vmcb->control, INTERCEPT_HLT, true);
}

/* Base addresses are canonical by the width that the processor has. */
Test(fidelity, bases_by_the_width_of_addresses)
{
    static const struct {
        const char *profile;
        uint64_t base;
    } rows[] = {{"full", UINT64_C(0xffff900000001000)},
                {"qemu", UINT64_C(0x900000001000)}};

    for_each_row (i, rows) {
        rig_load(rows[i].profile);
        stop_at_hlt();
        rig.vmcb->save.ds.base = UINT64_C(0x900000001000);
        rig.vmcb->save.gdtr.base = UINT64_C(0x900000001000);
        rig_one(&hlt);
        cr_assert_eq(rig.vmcb->save.ds.base, rows[i].base, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.gdtr.base, rows[i].base, "row %zu", i);
    }
}

/* Bits that the processor does not have are not in what the exit stores. */
Test(fidelity, registers_that_are_loaded)
{
    struct vmcb_save *save = &rig.vmcb->save;

    stop_at_hlt();
    save->rflags = UINT64_C(0xfffffffffff00000) | BIT(15) | BIT(5) | BIT(3);
    save->rflags &= ~X86_RFLAGS_VM;
    save->cr0 = X86_CR0_PE;
    rig_run(&hlt, 1);
    cr_assert_eq(rig.vmcb->control.exitcode, VMEXIT_HLT);
    cr_assert_eq(save->rflags, BIT_MASK(21, 20) | X86_RFLAGS_FIXED);
    cr_assert_eq(save->cr0, X86_CR0_PE | X86_CR0_ET);
    save->rip = UINT64_C(0x900000000000) | RIG_CODE;
    rig_run(&hlt, 1);
    cr_assert_eq(save->rip, RIG_CODE, "32 bits outside 64-bit mode");
}

/* A processor without nRIP does not write it. */
Test(fidelity, nrip_is_not_touched)
{
    rig_load("qemu");
    stop_at_hlt();
    rig.vmcb->control.nrip = 0x1234;
    rig_one(&hlt);
    cr_assert_eq(rig.vmcb->control.exitcode, VMEXIT_HLT);
    cr_assert_eq(rig.vmcb->control.nrip, 0x1234);
}

/* Every table that a walk comes by is accessed. */
Test(fidelity, accessed_bits_of_all_levels)
{
    rig_long_mode();
    stop_at_hlt();
    for (unsigned level = 0; level < 3; level++)
        cr_assert_eq(
            *(uint64_t *)rig_memory(RIG_CR3 + level * PAGE_SIZE) & NPT_A, 0);
    rig_one(&hlt);
    for (unsigned level = 0; level < 3; level++)
        cr_assert_neq(*(uint64_t *)rig_memory(RIG_CR3 + level * PAGE_SIZE) &
                          NPT_A,
                      0, "level %u", level);
}

/* Fetches are told from reads if they can be forbidden. */
Test(fidelity, error_codes_of_fetches)
{
    static const struct {
        uint64_t cr4, efer;
        bool told;
    } rows[] = {
        {0, 0, false},           {0, X86_EFER_NXE, false},
        {X86_CR4_PAE, 0, false}, {X86_CR4_PAE, X86_EFER_NXE, true},
        {X86_CR4_SMEP, 0, true},
    };

    for_each_row (i, rows) {
        rig_setup();
        rig.vmcb->control.intercept_exceptions = UINT32_MAX;
        rig.vmcb->save.cr0 |= X86_CR0_PG;
        rig.vmcb->save.cr3 = RIG_CR3;
        rig.vmcb->save.cr4 = rows[i].cr4;
        rig.vmcb->save.efer |= rows[i].efer;
        rig_one(&hlt);
        cr_assert_eq(rig.vmcb->control.exitcode, VMEXIT_EXCP0 + X86_VECTOR_PF,
                     "row %zu", i);
        cr_assert_eq(rig.vmcb->control.exitinfo1,
                     rows[i].told ? X86_FAULT_ID : 0, "row %zu", i);
    }
}

/* Programs, and virtual-8086 mode, do not have these. */
Test(fidelity, absent_from_programs)
{
    static const struct {
        struct guest_op op;
        uint64_t rflags;
    } rows[] = {
        {{.kind = OP_X86_MONITOR}, 0},
        {{.kind = OP_X86_MWAIT}, 0},
        {{.kind = OP_X86_LLDT}, X86_RFLAGS_VM},
        {{.kind = OP_X86_STR}, X86_RFLAGS_VM},
        {{.kind = OP_X86_STGI}, X86_RFLAGS_VM},
    };

    for_each_row (i, rows) {
        rig_setup();
        rig.vmcb->control.intercept_exceptions = UINT32_MAX;
        rig.vmcb->save.cpl = 3;
        rig.vmcb->save.rflags |= rows[i].rflags;
        rig_one(&rows[i].op);
        cr_assert_eq(rig.vmcb->control.exitcode, VMEXIT_EXCP0 + X86_VECTOR_UD,
                     "row %zu", i);
    }
}

/* SMSW by the size of its operand. */
Test(fidelity, smsw_by_size)
{
    static const struct guest_op smsw = {.kind = OP_X86_SMSW,
                                         .reg = X86_GPR_RBX};
    static const struct {
        uint16_t attrib;
        uint64_t value;
    } rows[] = {{0x09b, UINT64_C(0x1111111111110011)}, {0xc9b, 0x40000011}};

    for_each_row (i, rows) {
        rig_setup();
        rig.vmcb->save.cs.attrib = rows[i].attrib;
        rig.vmcb->save.cr0 |= X86_CR0_CD;
        rig.regs.gpr[X86_GPR_RBX] = UINT64_C(0x1111111111111111);
        rig_one(&smsw);
        cr_assert_eq(rig.regs.gpr[X86_GPR_RBX], rows[i].value,
                     "row %zu: 0x%llx", i,
                     (unsigned long long)rig.regs.gpr[X86_GPR_RBX]);
    }
}

/* CR8 has four bits. */
Test(fidelity, cr8)
{
    static const struct guest_op read = {
        .kind = OP_X86_READ_CR, .number = 8, .reg = X86_GPR_RBX};

    rig_long_mode();
    rig.vmcb->control.vintr |= 0x15;
    rig_one(&read);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RBX], 5);
}

/* A frame is pushed downwards: the fault is at its first word. */
Test(fidelity, frames_are_pushed_downwards)
{
    rig_idt();
    rig.vmcb->control.eventinj =
        EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_INTR) | 0x20;
    rig.vmcb->save.rsp = UINT64_C(0x100000000) + RIG_HOLE + 0x100;
    rig_run(NULL, 0);
    cr_assert_eq(rig.vmcb->control.exitcode, VMEXIT_NPF);
    cr_assert_eq(rig.vmcb->control.exitinfo2, RIG_HOLE + 0xfc);
    rig.vmcb->control.eventinj =
        EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_INTR) | 0x20;
    rig.vmcb->save.rsp = UINT64_C(0x100000000) + RIG_STACK;
    rig_run(NULL, 0);
    cr_assert_eq(rig.vmcb->save.rsp, RIG_STACK - 12, "ESP has 32 bits");
}
