/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's time on a fake CPU: from the hypervisor's entry, over as many
 * guest operations as there are without an exit, to the exit.
 */
#include "sim/clock.h"
#include "sim/fake_hw/riscv64/cpu.h"

/*
 * What the hypervisor has made of the operation that exited: it has put the pc
 * behind the instruction, had the guest take an exception, or left the pc, so
 * that the guest tries again. A raw exit is never tried again.
 */
static enum guest_outcome outcome_of_exit(const struct fake_riscv *cpu)
{
    const struct trap_source *source = cpu->source;
    uint64_t pc = cpu->regs->pc;
    uint64_t moved = pc - source->op_pc;
    unsigned length;

    (void)encode_op(source->op, &length);
    if (source->op->kind == OP_RAW_EXIT && (moved == 2 || moved == 4))
        return OUTCOME_RETIRED;
    if (moved == length && length != 0)
        return OUTCOME_RETIRED;
    if (source->op_injected)
        return OUTCOME_EXCEPTION;
    if (moved != 0)
        return OUTCOME_REDIRECTED;
    return source->op->kind == OP_RAW_EXIT ? OUTCOME_RESUMED : OUTCOME_PENDING;
}

/* Settles the operation in flight, if it has been with the hypervisor. */
static void settle(struct fake_riscv *cpu)
{
    struct trap_source *source = cpu->source;
    enum guest_outcome outcome;

    if (source == NULL || source->op == NULL || !source->op_exited)
        return;
    outcome = outcome_of_exit(cpu);
    source->op_exited = false;
    if (outcome == OUTCOME_PENDING)
        return;
    if (outcome == OUTCOME_EXCEPTION) {
        source->result.cause = cpu->vscause;
        source->result.tval = cpu->vstval;
    }
    op_finish(cpu, outcome);
}

/* Has an operation in flight, if the source has one. */
static bool need_op(struct fake_riscv *cpu)
{
    struct trap_source *source = cpu->source;

    if (source == NULL)
        return false;
    if (source->op == NULL) {
        source->op = source->next(source);
        source->starved = source->op == NULL;
        source->result.exits = 0;
    }
    return source->op != NULL;
}

/* A guest without operations is interrupted, for no reason that anybody will
 * find: whoever runs the CPUs looks at source->starved. */
static void starve(struct fake_riscv *cpu)
{
    static const struct fake_trap nothing;

    trap_exit(cpu, CAUSE_INTERRUPT | IRQ_S_SOFT, &nothing);
}

/* An entry that hardware would have got wrong. */
static void fail_entry(struct fake_riscv *cpu)
{
    struct fake_trap trap = {
        .cause = CAUSE_INSN_ACCESS, .tval = cpu->regs->pc, .gva = true};

    trap_exit(cpu, CAUSE_INSN_ACCESS, &trap);
}

void riscv_hw_run_impl(struct riscv_regs *regs)
{
    struct fake_riscv *cpu = fake_riscv_current();

    cpu->regs = regs;
    cpu->user = (cpu->sstatus & STATUS_SPP) == 0;
    cpu->exited = false;
    clock_advance_ticks(FAKE_RISCV_OP_TICKS);
    if (!entry_check(cpu)) {
        fail_entry(cpu);
        return;
    }
    settle(cpu);
    while (!cpu->exited && !trap_interrupt(cpu)) {
        if (!need_op(cpu)) {
            starve(cpu);
            return;
        }
        op_execute(cpu);
        clock_advance_ticks(FAKE_RISCV_OP_TICKS);
    }
}
