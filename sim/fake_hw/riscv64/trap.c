/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where exceptions and interrupts of a guest go: to its own trap handler in
 * VS-mode when hedeleg and hideleg say so, to the hypervisor otherwise.
 * Manual: "Traps" in chapter "Hypervisor Extension".
 */
#include "sim/clock.h"
#include "sim/console.h"
#include "sim/cpus.h"
#include "sim/fake_hw/riscv64/cpu.h"

#define TVEC_MODE     UINT64_C(3)
#define TVEC_VECTORED 1

/* The privilege the guest comes from, as sstatus.SPP and hstatus.SPVP say. */
static uint64_t put_flag(uint64_t word, uint64_t flag, bool set)
{
    return set ? word | flag : word & ~flag;
}

/* Enters the guest's own trap handler. */
static void trap_to_vs(struct fake_riscv *cpu, uint64_t cause, uint64_t tval)
{
    uint64_t status = cpu->vsstatus;
    uint64_t base = cpu->vstvec & ~TVEC_MODE;

    status = put_flag(status, STATUS_SPP, !cpu->user);
    status = put_flag(status, STATUS_SPIE, (status & STATUS_SIE) != 0);
    cpu->vsstatus = status & ~STATUS_SIE;
    cpu->vsepc = cpu->regs->pc & ~UINT64_C(1);
    cpu->vscause = cause;
    cpu->vstval = tval;
    cpu->user = false;
    if ((cause & CAUSE_INTERRUPT) != 0 &&
        (cpu->vstvec & TVEC_MODE) == TVEC_VECTORED)
        base += 4 * (cause & ~CAUSE_INTERRUPT);
    cpu->regs->pc = base;
}

void trap_exit(struct fake_riscv *cpu, uint64_t scause,
               const struct fake_trap *trap)
{
    struct riscv_regs *regs = cpu->regs;

    regs->scause = scause;
    cpu->stval = trap->tval;
    cpu->htval = trap->htval;
    cpu->htinst = trap->htinst;
    if (scause < CAUSE_COUNT && (RISCV_FAULT_CAUSES & BIT(scause)) != 0) {
        regs->stval = trap->tval;
        regs->htval = trap->htval;
        regs->htinst = trap->htinst;
    }
    cpu->sstatus = put_flag(cpu->sstatus, STATUS_SPP, !cpu->user);
    cpu->hstatus = put_flag(cpu->hstatus, HSTATUS_SPVP, !cpu->user);
    cpu->hstatus = put_flag(cpu->hstatus, HSTATUS_GVA, trap->gva);
    cpu->hstatus |= HSTATUS_SPV;
    cpu->exited = true;
    if (cpu->source != NULL)
        cpu->source->result.exits++;
}

void trap_op_exits(struct trap_source *source)
{
    source->op_exited = true;
    source->op_injected = false;
}

void trap_exception(struct fake_riscv *cpu, const struct fake_trap *trap)
{
    if ((cpu->hedeleg & BIT(trap->cause)) != 0) {
        trap_to_vs(cpu, trap->cause, trap->tval);
        cpu->source->result.cause = trap->cause;
        cpu->source->result.tval = trap->tval;
        op_finish(cpu, OUTCOME_EXCEPTION);
        return;
    }
    trap_op_exits(cpu->source);
    trap_exit(cpu, trap->cause, trap);
}

/* The HS-level interrupt that is most urgent, as a cause; 0: none. */
static uint64_t host_interrupt(const struct fake_riscv *cpu)
{
    if (cpu->index == 0 && console_has_interrupt())
        return IRQ_S_EXT;
    if (cpus_is_kicked(cpu->index))
        return IRQ_S_SOFT;
    if (clock_timer_due(cpu->index))
        return IRQ_S_TIMER;
    return 0;
}

/* Of VS-level interrupts, external ones are the most urgent, then software
 * interrupts, then timers. */
static uint64_t most_urgent(uint64_t pending)
{
    if ((pending & HVIP_VSEIP) != 0)
        return IRQ_VS_EXT;
    if ((pending & HVIP_VSSIP) != 0)
        return IRQ_VS_SOFT;
    return IRQ_VS_TIMER;
}

/*
 * HS-mode's interrupts are always enabled while a guest is in. Delegated ones
 * are taken in VU-mode, or in VS-mode if vsstatus.SIE.
 */
bool trap_interrupt(struct fake_riscv *cpu)
{
    static const struct fake_trap nothing;
    uint64_t pending = csr_hip(cpu) & cpu->hie;
    uint64_t cause = host_interrupt(cpu);

    if (cause == 0 && (pending & ~cpu->hideleg) != 0)
        cause = most_urgent(pending & ~cpu->hideleg);
    if (cause != 0) {
        trap_exit(cpu, CAUSE_INTERRUPT | cause, &nothing);
        return true;
    }
    pending &= cpu->hideleg;
    if (pending != 0 && (cpu->user || (cpu->vsstatus & STATUS_SIE) != 0)) {
        cause = most_urgent(pending) - 1;
        trap_to_vs(cpu, CAUSE_INTERRUPT | cause, 0);
        if (cpu->source != NULL)
            cpu->source->result.interrupts |= BIT(cause);
    }
    return false;
}
