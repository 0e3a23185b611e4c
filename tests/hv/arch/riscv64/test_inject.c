/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest sees when it is interrupted. */
#include "rig.h"
#include "support/rows.h"

static const struct {
    uint64_t status; /* before */
    bool supervisor;
    uint64_t expected; /* of SIE, SPIE, SPP after */
} modes[] = {
    {STATUS_SIE, true, STATUS_SPIE | STATUS_SPP},
    {STATUS_SIE, false, STATUS_SPIE},
    {0, true, STATUS_SPP},
    {STATUS_SPIE | STATUS_SPP, false, 0},
    {STATUS_SIE | STATUS_SPIE, true, STATUS_SPIE | STATUS_SPP},
};

Test(inject, an_exception_is_a_trap_to_the_guests_vector)
{
    const uint64_t others = STATUS_SUM | STATUS_MXR;

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    struct fake_riscv *cpu = fake_riscv_current();
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        v->regs.pc = 0x80200006;
        cpu->vsstatus = modes[i].status | others;
        cpu->vstvec = RIG_VECTOR | 1; /* vectored: exceptions do not care */
        riscv_hw_write_spp_impl(modes[i].supervisor);
        riscv_inject_exception(v, CAUSE_LOAD_ACCESS, 0x1234);

        cr_expect_eq(v->regs.pc, RIG_VECTOR, "row %zu", i);
        cr_expect_eq(cpu->vsepc, 0x80200006);
        cr_expect_eq(cpu->vscause, CAUSE_LOAD_ACCESS);
        cr_expect_eq(cpu->vstval, 0x1234);
        cr_expect_eq(cpu->vsstatus, modes[i].expected | others, "row %zu", i);
        cr_expect(riscv_hw_read_spp_impl(), "it is in VS-mode now");
    }
    rig_stop();
}

Test(inject, what_each_exit_deserves)
{
    static const struct {
        enum exit_kind kind;
        uint64_t scause;
        uint64_t cause, value;
    } rows[] = {
        {EXIT_NESTED_PAGE_FAULT, CAUSE_LOAD_GUEST_PAGE_FAULT, CAUSE_LOAD_ACCESS,
         0x1234},
        {EXIT_NESTED_PAGE_FAULT, CAUSE_STORE_GUEST_PAGE_FAULT,
         CAUSE_STORE_ACCESS, 0x1234},
        {EXIT_NESTED_PAGE_FAULT, CAUSE_INSN_GUEST_PAGE_FAULT, CAUSE_INSN_ACCESS,
         0x1234},
        {EXIT_MMIO_READ, CAUSE_LOAD_GUEST_PAGE_FAULT, CAUSE_LOAD_ACCESS,
         0x1234},
        {EXIT_MMIO_WRITE, CAUSE_STORE_GUEST_PAGE_FAULT, CAUSE_STORE_ACCESS,
         0x1234},
        {EXIT_SYSREG_READ, CAUSE_VIRTUAL_INSN, CAUSE_ILLEGAL_INSN, 0x1234},
        {EXIT_SYSREG_WRITE, CAUSE_VIRTUAL_INSN, CAUSE_ILLEGAL_INSN, 0x1234},
        {EXIT_LAZY_STATE, CAUSE_ILLEGAL_INSN, CAUSE_ILLEGAL_INSN, 0x1234},
        {EXIT_IDLE, CAUSE_VIRTUAL_INSN, CAUSE_ILLEGAL_INSN, 0x1234},
        {EXIT_UNKNOWN, UINT64_MAX, CAUSE_ILLEGAL_INSN, 0},
        {EXIT_KIND_COUNT, 16, CAUSE_ILLEGAL_INSN, 0},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    struct fake_riscv *cpu = fake_riscv_current();
    for_each_row (i, rows) {
        const struct vm_exit exit = {.kind = rows[i].kind};

        v->regs.pc = 0x80200000;
        v->regs.scause = rows[i].scause;
        v->regs.stval = 0x1234;
        riscv_vcpu_ops.inject_fault(&v->base, &exit);
        cr_expect_eq(v->regs.pc, RIG_VECTOR);
        cr_expect_eq(cpu->vscause, rows[i].cause, "row %zu", i);
        cr_expect_eq(cpu->vstval, rows[i].value, "row %zu", i);
    }
    rig_stop();
}

/* A call never traps: it says that it has failed. */
Test(inject, a_call_gets_an_error)
{
    static const enum exit_kind kinds[] = {
        EXIT_HYPERCALL, EXIT_FIRMWARE_CALL, EXIT_CPU_UP,  EXIT_CPU_DOWN,
        EXIT_HALT,      EXIT_SYSTEM_DOWN,   EXIT_SEND_IPI};

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct vm_exit exit = {.kind = kinds[i], .insn_len = 4};

        v->regs.pc = 0x80200000;
        v->regs.scause = CAUSE_ECALL_VS;
        riscv_vcpu_ops.inject_fault(&v->base, &exit);
        cr_expect_eq(v->regs.pc, 0x80200004);
        cr_expect_eq((int64_t)v->regs.gpr[REG_A0], SBI_ERR_FAILED);
    }
    rig_stop();
}

static uint64_t pending(struct riscv_vcpu *v)
{
    riscv_sync_interrupts(v);
    return riscv_hw_read_hip_impl() & HVIP_ALL;
}

Test(interrupts, vectors_that_exist_and_that_do_not)
{
    rig_start("virt");
    struct vcpu *vcpu = &rig_vcpu(0)->base;
    for (unsigned vector = 0; vector < 256; vector++) {
        bool exists = vector == IRQ_VS_SOFT || vector == IRQ_VS_TIMER ||
                      vector == IRQ_VS_EXT;
        err_t expected = exists ? OK : ERR_INVALID_INPUT;
        interrupt_vector v = (interrupt_vector)vector;

        cr_expect_eq(vcpu_inject_interrupt(vcpu, v), expected, "%u", vector);
        cr_expect_eq(vcpu_inject_interrupt_with_trigger(vcpu, v, TRIGGER_LEVEL),
                     expected, "%u", vector);
        cr_expect_eq(vcpu_set_interrupt_line(vcpu, v, false), expected, "%u",
                     vector);
    }
    rig_stop();
}

Test(interrupts, an_edge_is_pending_once)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    cr_assert_eq(vcpu_inject_interrupt(&v->base, IRQ_VS_SOFT), OK);
    cr_assert_eq(vcpu_inject_interrupt(&v->base, IRQ_VS_SOFT), OK);
    cr_expect_eq(pending(v), HVIP_VSSIP);
    /* The guest clears it, in its sip. */
    fake_riscv_current()->hvip &= ~HVIP_VSSIP;
    cr_expect_eq(pending(v), 0);
    rig_stop();
}

Test(interrupts, a_line_is_pending_while_it_is_high)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    cr_expect_eq(pending(v), HVIP_VSEIP);
    cr_expect_eq(pending(v), HVIP_VSEIP);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, false), OK);
    cr_expect_eq(pending(v), 0);
    /* Down and up again before anybody looks: up. */
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    cr_expect_eq(pending(v), HVIP_VSEIP);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, false), OK);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    cr_expect_eq(pending(v), HVIP_VSEIP);
    /* Up and down: not pending. */
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, false), OK);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, false), OK);
    cr_expect_eq(pending(v), 0);
    rig_stop();
}

Test(interrupts, they_do_not_disturb_each_other)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    cr_assert_eq(vcpu_inject_interrupt(&v->base, IRQ_VS_SOFT), OK);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    cr_expect_eq(pending(v), HVIP_VSSIP | HVIP_VSEIP);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, false), OK);
    cr_expect_eq(pending(v), HVIP_VSSIP);
    /* The guest has taken the IPI; its next device interrupt is no IPI. */
    fake_riscv_current()->hvip &= ~HVIP_VSSIP;
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    cr_expect_eq(pending(v), HVIP_VSEIP);
    rig_stop();
}

/* Interrupts that come while the vCPU is nowhere, and while it moves. */
Test(interrupts, they_wait_for_the_vcpu_and_go_with_it)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_vcpu(0);
    cr_assert_eq(vcpu_inject_interrupt(&v->base, IRQ_VS_SOFT), OK);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    rig_bind(0, 0);
    cr_expect_eq(pending(v), HVIP_VSSIP | HVIP_VSEIP);
    rig_unbind(0);
    rig_bind(1, 0);
    cr_expect_eq(pending(rig_vcpu(1)), 0, "another vCPU sees none of it");
    rig_unbind(1);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, false), OK);
    rig_bind(0, 2);
    cr_expect_eq(pending(v), HVIP_VSSIP);
    rig_stop();
}

/* A line outlives a hart's restart, an edge does not. */
Test(interrupts, what_a_restart_leaves)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_vcpu(0);
    struct vcpu_setup again = v->base.boot;

    cr_assert_eq(vcpu_inject_interrupt(&v->base, IRQ_VS_SOFT), OK);
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    cr_assert_eq(vcpu_reset(&v->base), OK);
    cr_assert_eq(vcpu_setup(&v->base, &again), OK);
    cr_expect(atomic_load(&v->base.requests) & VCPU_REQUEST_INTERRUPT);
    rig_bind(0, 0);
    cr_expect_eq(pending(v), HVIP_VSEIP);
    rig_stop();
}

/* A wait ends for what is pending and enabled, whether or not the guest takes
 * interrupts. */
Test(interrupts, what_ends_a_wait)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    struct fake_riscv *cpu = fake_riscv_current();

    cr_assert_eq(vcpu_inject_interrupt(&v->base, IRQ_VS_SOFT), OK);
    cpu->vsstatus &= ~STATUS_SIE;
    cpu->hie = 0;
    cr_expect_not(riscv_vcpu_ops.has_wakeup(&v->base));
    cpu->hie = HVIP_VSEIP | HVIP_VSTIP;
    cr_expect_not(riscv_vcpu_ops.has_wakeup(&v->base));
    cpu->hie = HVIP_VSSIP;
    cr_expect(riscv_vcpu_ops.has_wakeup(&v->base));
    rig_stop();
}

/* The guest takes them by itself, in its own order. */
Test(interrupts, a_guest_takes_them_without_an_exit)
{
    const struct guest_op wait = {.kind = OP_DELAY, .value = 1};

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    fake_riscv_current()->hie = HVIP_ALL;
    fake_riscv_current()->vsstatus |= STATUS_SIE;
    cr_assert_eq(vcpu_set_interrupt_line(&v->base, IRQ_VS_EXT, true), OK);
    cr_assert_eq(vcpu_inject_interrupt(&v->base, IRQ_VS_SOFT), OK);
    struct guest_result result = rig_do(v, wait);
    cr_expect_eq(result.exits, 0);
    cr_expect_eq(result.interrupts, BIT(IRQ_VS_EXT - 1));
    rig_stop();
}

Test(interrupts, there_is_no_end_of_interrupt_to_tell)
{
    interrupt_vector vector;

    rig_start("virt");
    cr_expect_not(vcpu_handle_eoi(&rig_vcpu(0)->base, &vector));
    rig_stop();
}
