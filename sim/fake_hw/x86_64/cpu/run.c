/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's time on the CPU: what became of the operation that exited, and the
 * operations that follow, until one exits.
 */
#include "sim/clock.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"

/*
 * What the hypervisor has made of the operation that exited: it has put RIP
 * behind the instruction, has the guest take an exception, or left RIP, so that
 * the guest tries again. A raw exit is never tried again.
 */
static enum guest_outcome outcome_of_exit(const struct fake_x86 *cpu,
                                          uint64_t event)
{
    const struct trap_source *source = cpu->source;
    uint64_t moved = cpu->state.rip - source->op_pc;
    bool is_raw = source->op->kind == OP_RAW_EXIT;

    if ((event & EVENT_V) != 0 &&
        FIELD_GET(EVENT_TYPE, event) >= EVENT_TYPE_EXCEPTION)
        return OUTCOME_EXCEPTION;
    if (moved != 0 &&
        (is_raw ? moved <= CPU_INSN_MAX : moved == source->op_length))
        return OUTCOME_RETIRED;
    if (moved != 0)
        return OUTCOME_REDIRECTED;
    return is_raw ? OUTCOME_RESUMED : OUTCOME_PENDING;
}

void cpu_settle(struct fake_x86 *cpu, uint64_t event)
{
    struct trap_source *source = cpu->source;
    enum guest_outcome outcome;

    if (source == NULL || source->op == NULL || !source->op_exited)
        return;
    outcome = outcome_of_exit(cpu, event);
    source->op_exited = false;
    if (outcome == OUTCOME_PENDING)
        return;
    if (outcome == OUTCOME_EXCEPTION) {
        source->result.cause = FIELD_GET(EVENT_VECTOR, event);
        source->result.tval = source->result.cause == X86_VECTOR_PF
                                  ? cpu->state.cr2
                                  : FIELD_GET(EVENT_ERRORCODE, event);
        source->result.error = FIELD_GET(EVENT_ERRORCODE, event);
    }
    cpu_op_finish(cpu, outcome);
}

/* Has an operation in flight, if the source has one. */
static bool need_op(struct fake_x86 *cpu)
{
    struct trap_source *source = cpu->source;

    if (source == NULL)
        return false;
    if (source->op == NULL) {
        source->op = source->next(source);
        source->op_begun = false;
        source->starved = source->op == NULL;
        source->result.exits = 0;
    }
    return source->op != NULL;
}

/* The operation in flight, and the trap behind it: section 13.1.4. */
static void execute(struct fake_x86 *cpu)
{
    bool traps = (cpu->state.rflags & X86_RFLAGS_TF) != 0;

    cpu->stepped = false;
    cpu_op_execute(cpu);
    if (!traps || !cpu->stepped || cpu->exited)
        return;
    cpu->debug_cause = X86_DR6_BS;
    cpu_exception(cpu, X86_VECTOR_DB, 0, 0);
}

void cpu_run(struct fake_x86 *cpu)
{
    while (!cpu->exited) {
        cpu->vendor->interrupt(cpu);
        if (cpu->exited)
            return;
        if (!need_op(cpu)) {
            cpu->vendor->starve(cpu);
            return;
        }
        execute(cpu);
        clock_advance_ticks(FAKE_X86_OP_TICKS);
    }
}
