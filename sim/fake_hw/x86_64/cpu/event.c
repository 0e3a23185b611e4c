/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions: the guest's, unless the vendor makes an exit of them; double and
 * triple faults. APM volume 2, section 8.2.9.
 */
#include <string.h>

#include "sim/clock.h"
#include "sim/console.h"
#include "sim/cpus.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"

/* Exceptions that become a double fault with one another. */
#define CONTRIBUTORY                                                \
    (BIT(X86_VECTOR_DE) | BIT(X86_VECTOR_TS) | BIT(X86_VECTOR_NP) | \
     BIT(X86_VECTOR_SS) | BIT(X86_VECTOR_GP))

static uint64_t exception_event(unsigned vector, uint64_t error)
{
    uint64_t event =
        EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_EXCEPTION) | vector;

    if ((X86_ERROR_CODE_VECTORS & BIT(vector)) != 0)
        event |= EVENT_EV | FIELD_PUT(EVENT_ERRORCODE, error);
    return event;
}

static bool is_in(uint64_t set, uint64_t vector)
{
    return vector < 64 && (set & BIT(vector)) != 0;
}

/* Whether `vector` makes a double fault of the exception on its way. */
static bool makes_double_fault(uint64_t delivering, unsigned vector)
{
    uint64_t first = FIELD_GET(EVENT_VECTOR, delivering);

    if ((delivering & EVENT_V) == 0 ||
        FIELD_GET(EVENT_TYPE, delivering) != EVENT_TYPE_EXCEPTION)
        return false;
    if (first == X86_VECTOR_PF)
        return is_in(CONTRIBUTORY | BIT(X86_VECTOR_PF), vector);
    return is_in(CONTRIBUTORY, first) && is_in(CONTRIBUTORY, vector);
}

static bool is_delivering_double_fault(const struct fake_x86 *cpu)
{
    return (cpu->delivering & EVENT_V) != 0 &&
           FIELD_GET(EVENT_TYPE, cpu->delivering) == EVENT_TYPE_EXCEPTION &&
           FIELD_GET(EVENT_VECTOR, cpu->delivering) == X86_VECTOR_DF;
}

/* The guest takes its exception: the operation in flight, if it is what has
 * raised it, is over. */
static void take_exception(struct fake_x86 *cpu, unsigned vector,
                           uint64_t error, uint64_t cr2)
{
    struct trap_source *source = cpu->source;

    if (vector == X86_VECTOR_PF)
        cpu->state.cr2 = cr2;
    if (vector == X86_VECTOR_DB)
        cpu->state.dr6 |= cpu->debug_cause;
    if (cpu->delivering == 0 && source != NULL && source->op != NULL) {
        source->result.cause = vector;
        source->result.tval = vector == X86_VECTOR_PF ? cr2 : error;
        source->result.error = error;
        cpu_op_finish(cpu, OUTCOME_EXCEPTION);
    }
    cpu_deliver(cpu, exception_event(vector, error));
}

void cpu_exception(struct fake_x86 *cpu, unsigned vector, uint64_t error,
                   uint64_t cr2)
{
    if (cpu->vendor->exception_exits(cpu, vector, error, cr2))
        return;
    if (is_delivering_double_fault(cpu)) {
        cpu_shutdown(cpu);
        return;
    }
    if (makes_double_fault(cpu->delivering, vector)) {
        cpu_exception(cpu, X86_VECTOR_DF, 0, 0);
        return;
    }
    take_exception(cpu, vector, error, cr2);
}

void cpu_memory_fault(struct fake_x86 *cpu, uint64_t linear,
                      const struct cpu_translation *translation)
{
    if (translation->nested)
        cpu->vendor->nested_fault(cpu, linear, translation);
    else
        cpu_exception(cpu, X86_VECTOR_PF, translation->info, linear);
}

void cpu_shutdown(struct fake_x86 *cpu)
{
    cpu->delivering = 0;
    cpu->vendor->shutdown(cpu);
}

bool cpu_host_interrupt(const struct fake_x86 *cpu)
{
    return (cpu->index == 0 && console_has_interrupt()) ||
           cpus_is_kicked(cpu->index) || clock_timer_due(cpu->index);
}

bool cpu_is_exception(const struct fake_x86 *cpu, uint64_t vector)
{
    uint64_t exceptions = X86_EXCEPTION_VECTORS | cpu->vendor->exceptions;

    if ((cpu->profile->cr4 & X86_CR4_CET) != 0)
        exceptions |= BIT(X86_VECTOR_CP);
    return vector < X86_EXCEPTIONS && (exceptions & BIT(vector)) != 0;
}
