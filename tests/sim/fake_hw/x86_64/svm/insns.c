/* SPDX-License-Identifier: Apache-2.0 */
/* What instructions do that do not exit: descriptor tables, segments, flags,
 * the machine status word, strings of port accesses. */
#include <string.h>

#include "rig.h"

TestSuite(insns, .init = rig_setup);

#define OP(name, ...)                      \
    {                                      \
        .kind = OP_X86_##name, __VA_ARGS__ \
    }

static uint64_t word(uint64_t gpa)
{
    uint64_t value;

    memcpy(&value, rig_memory(gpa), sizeof(value));
    return value;
}

static void put(uint64_t gpa, uint64_t value)
{
    memcpy(rig_memory(gpa), &value, sizeof(value));
}

static void run_one(const struct guest_op *op)
{
    rig_one(op);
    cr_assert_eq(rig.done, 1, "%s: exit 0x%llx", guest_op_name(op->kind),
                 (unsigned long long)rig.vmcb->control.exitcode);
    cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED, "%s: vector %llu",
                 guest_op_name(op->kind), (unsigned long long)rig.last.cause);
}

static void expect_exception(const struct guest_op *op, unsigned vector,
                             uint64_t error)
{
    rig_idt();
    rig_one(op);
    cr_assert_eq(rig.last.outcome, OUTCOME_EXCEPTION, "%s",
                 guest_op_name(op->kind));
    cr_assert_eq(rig.last.cause, vector, "%s: %llu", guest_op_name(op->kind),
                 (unsigned long long)rig.last.cause);
    cr_assert_eq(rig.last.tval, error);
}

Test(insns, tables_are_loaded_and_stored)
{
    static const struct guest_op lgdt =
        OP(LGDT, .address = 0x123450, .number = 0x7f);
    static const struct guest_op lidt =
        OP(LIDT, .address = 0x6000, .number = 0x3ff);
    static const struct guest_op sgdt = OP(SGDT, .address = RIG_DATA);
    static const struct guest_op sidt = OP(SIDT, .address = RIG_DATA + 16);

    run_one(&lgdt);
    run_one(&lidt);
    cr_assert_eq(rig.vmcb->save.gdtr.base, 0x123450);
    cr_assert_eq(rig.vmcb->save.idtr.limit, 0x3ff);
    run_one(&sgdt);
    run_one(&sidt);
    cr_assert_eq(word(RIG_DATA) & BIT_MASK(47, 0), UINT64_C(0x00123450007f));
    cr_assert_eq(word(RIG_DATA + 16) & BIT_MASK(47, 0), 0x600003ff);
}

#define CODE_64 UINT64_C(0x00af9b000000ffff)
#define DATA    UINT64_C(0x00cf93000000ffff)
#define LDT     UINT64_C(0x0000820020000fff) /* at 2000h */
#define TSS     UINT64_C(0x0000890030000067) /* at 3000h */
#define ABSENT  UINT64_C(0x004f1b000000ffff)
#define IS(n)   ((n)*8)

static void make_gdt(void)
{
    static const uint64_t gdt[] = {0, CODE_64, DATA, LDT, TSS, ABSENT};

    memcpy(rig_memory(RIG_DATA), gdt, sizeof(gdt));
    rig.vmcb->save.gdtr.base = RIG_DATA;
    rig.vmcb->save.gdtr.limit = sizeof(gdt) - 1;
}

Test(insns, selectors)
{
    static const struct guest_op lldt = OP(LLDT, .value = IS(3));
    static const struct guest_op ltr = OP(LTR, .value = IS(4));
    static const struct guest_op no_ldt = OP(LLDT, .value = 0);
    static const struct guest_op no_tss = OP(LTR, .value = 0);
    static const struct guest_op beyond = OP(LTR, .value = IS(6));
    static const struct guest_op sldt = OP(SLDT, .reg = X86_GPR_RSI);
    static const struct guest_op str = OP(STR, .reg = X86_GPR_RDI);

    make_gdt();
    run_one(&lldt);
    run_one(&ltr);
    cr_assert_eq(rig.cpu->loaded.ldtr.base, 0x2000);
    cr_assert_eq(rig.cpu->loaded.ldtr.limit, 0xfff);
    cr_assert_eq(rig.cpu->loaded.tr.base, 0x3000);
    cr_assert_eq(rig.cpu->loaded.tr.attrib, 0x8b);
    run_one(&sldt);
    run_one(&str);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RSI], IS(3));
    cr_assert_eq(rig.regs.gpr[X86_GPR_RDI], IS(4));
    run_one(&no_ldt);
    cr_assert_eq(rig.cpu->loaded.ldtr.selector, 0);
    expect_exception(&no_tss, X86_VECTOR_GP, 0);
    expect_exception(&beyond, X86_VECTOR_GP, IS(6));
}

Test(insns, far_jumps)
{
    static const struct guest_op code =
        OP(JMP_FAR, .number = IS(1), .address = 0x1100);
    static const struct guest_op data = OP(JMP_FAR, .number = IS(2));
    static const struct guest_op absent = OP(JMP_FAR, .number = IS(5));
    static const struct guest_op null = OP(JMP_FAR, .number = 0);
    static const struct guest_op real =
        OP(JMP_FAR, .number = 0x123, .address = 0x10);

    make_gdt();
    run_one(&code);
    cr_assert_eq(rig.vmcb->save.rip, 0x1100);
    cr_assert_eq(rig.vmcb->save.cs.selector, IS(1));
    cr_assert_eq(rig.vmcb->save.cs.attrib, 0xa9b);
    cr_assert_eq(rig.vmcb->save.cs.limit, UINT32_MAX);
    rig_setup();
    make_gdt();
    expect_exception(&data, X86_VECTOR_GP, IS(2));
    expect_exception(&absent, X86_VECTOR_NP, IS(5));
    expect_exception(&null, X86_VECTOR_GP, 0);
    rig_setup();
    rig.vmcb->save.cr0 &= ~X86_CR0_PE;
    run_one(&real);
    cr_assert_eq(rig.vmcb->save.cs.base, 0x1230);
    cr_assert_eq(rig.vmcb->save.rip, 0x10);
}

Test(insns, flags)
{
    static const struct guest_op pushf = OP(PUSHF);
    static const struct guest_op popf = OP(POPF);

    rig.vmcb->save.rflags |= X86_RFLAGS_RF | X86_RFLAGS_CF;
    run_one(&pushf);
    cr_assert_eq(rig.vmcb->save.rsp, RIG_STACK - 4);
    cr_assert_eq(word(RIG_STACK - 4) & UINT32_MAX, 3);
    put(RIG_STACK - 4, X86_RFLAGS_IF | X86_RFLAGS_DF | X86_RFLAGS_IOPL);
    run_one(&popf);
    cr_assert_eq(rig.vmcb->save.rsp, RIG_STACK);
    cr_assert_eq(rig.vmcb->save.rflags, X86_RFLAGS_FIXED | X86_RFLAGS_IF |
                                            X86_RFLAGS_DF | X86_RFLAGS_IOPL);
    /* Not by programs. */
    rig.vmcb->save.cpl = 3;
    rig.vmcb->save.rsp -= 4;
    put(RIG_STACK - 4, X86_RFLAGS_CF);
    run_one(&popf);
    cr_assert_eq(rig.vmcb->save.rflags, X86_RFLAGS_FIXED | X86_RFLAGS_IF |
                                            X86_RFLAGS_CF | X86_RFLAGS_IOPL);
}

Test(insns, machine_status_word)
{
    static const struct guest_op lmsw =
        OP(LMSW, .value = X86_CR0_TS | X86_CR0_WP);
    static const struct guest_op smsw = OP(SMSW, .reg = X86_GPR_RBX);
    static const struct guest_op clts = OP(CLTS);
    uint64_t cr0 = rig.vmcb->save.cr0;

    run_one(&lmsw);
    cr_assert_eq(rig.vmcb->save.cr0, cr0 | X86_CR0_TS, "PE stays, WP too");
    run_one(&smsw);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RBX], cr0 | X86_CR0_TS);
    run_one(&clts);
    cr_assert_eq(rig.vmcb->save.cr0, cr0);
}

/* TS and MP may change without the selective intercept. */
Test(insns, selective_cr0)
{
    static const struct guest_op lmsw =
        OP(LMSW, .value = X86_CR0_TS | X86_CR0_MP);

    vmcb_set_intercept(&rig.vmcb->control, INTERCEPT_CR0_SEL_WRITE, true);
    run_one(&lmsw);
}

Test(insns, port_strings)
{
    static const struct guest_op ins =
        OP(INS, .width = 2, .number = 0x1f0, .address = RIG_DATA, .value = 3);
    static const struct guest_op outs =
        OP(OUTS, .width = 4, .number = 0x80, .address = RIG_DATA + 8);
    static const struct guest_op far_ins =
        OP(INS, .width = 4, .address = RIG_HOLE - 8, .value = 4);

    run_one(&ins);
    cr_assert_eq(word(RIG_DATA), UINT64_C(0xffffffffffff));
    cr_assert_eq(rig.regs.gpr[X86_GPR_RDI], RIG_DATA + 6);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RCX], 0);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RDX], 0x1f0);
    rig.vmcb->save.rflags |= X86_RFLAGS_DF;
    run_one(&outs);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RSI], RIG_DATA + 4);
    /* Two items are done when the third faults; it goes on with that. */
    rig.vmcb->save.rflags &= ~X86_RFLAGS_DF;
    rig_one(&far_ins);
    cr_assert_eq(rig.vmcb->control.exitcode, VMEXIT_NPF);
    cr_assert_eq(rig.vmcb->control.exitinfo2, RIG_HOLE);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RCX], 2);
    *rig_nested(RIG_HOLE) = memory_alloc_frame().raw | RIG_LEAF;
    rig_enter();
    cr_assert_eq(rig.done, 1);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RDI], RIG_HOLE + 8);
}

/* What EXITINFO says of one; a count of 0 accesses nothing. */
Test(insns, port_strings_that_exit)
{
    static const struct guest_op outs =
        OP(OUTS, .width = 1, .number = 0x402, .address = RIG_DATA, .value = 5);
    static const struct guest_op ins =
        OP(INS, .width = 4, .number = 0x60, .address = RIG_DATA);
    const struct vmcb_control *control = &rig.vmcb->control;

    vmcb_set_intercept(&rig.vmcb->control, INTERCEPT_IOIO, true);
    rig_one(&outs);
    cr_assert_eq(control->exitcode, VMEXIT_IOIO);
    cr_assert_eq(control->exitinfo1, UINT64_C(0x402) << 16 | IOIO_STR |
                                         IOIO_REP | IOIO_SZ8 | IOIO_A32 |
                                         UINT64_C(3) << 10);
    cr_assert_eq(control->exitinfo2, RIG_CODE + 2);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RCX], 5);
    /* The hypervisor has done two of them, and lets the guest go on. */
    rig.regs.gpr[X86_GPR_RCX] = 3;
    rig_enter();
    cr_assert_eq(control->exitcode, VMEXIT_IOIO);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RCX], 3);
    rig.regs.gpr[X86_GPR_RCX] = 0;
    rig_enter();
    cr_assert_eq(rig.done, 1);
    rig_one(&ins);
    cr_assert_eq(control->exitinfo1, UINT64_C(0x60) << 16 | IOIO_STR |
                                         IOIO_TYPE_IN | IOIO_SZ32 | IOIO_A32);
}

/* An x87 exception without its own vector, and nobody to see it. */
Test(insns, x87_exceptions)
{
    static const struct guest_op fwait = OP(FWAIT);

    run_one(&fwait);
    rig.vmcb->save.cr0 |= X86_CR0_NE;
    expect_exception(&fwait, X86_VECTOR_MF, 0);
}
