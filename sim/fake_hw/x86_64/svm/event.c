/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions and interrupts: whether they are exits or the guest's. APM volume
 * 2, sections 8.2.9 (double faults), 15.7.2 (EXITINTINFO), 15.12 (exception
 * intercepts), 15.13 (interrupt intercepts), 15.20 (injection), 15.21 (virtual
 * interrupts).
 */
#include <string.h>

#include "sim/clock.h"
#include "sim/console.h"
#include "sim/cpus.h"
#include "sim/fake_hw/x86_64/svm/cpu.h"

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

static bool is_delivering_double_fault(const struct fake_svm *cpu)
{
    return (cpu->delivering & EVENT_V) != 0 &&
           FIELD_GET(EVENT_TYPE, cpu->delivering) == EVENT_TYPE_EXCEPTION &&
           FIELD_GET(EVENT_VECTOR, cpu->delivering) == X86_VECTOR_DF;
}

/* The guest takes its exception: the operation in flight, if it is what has
 * raised it, is over. */
static void take_exception(struct fake_svm *cpu, unsigned vector,
                           uint64_t error, uint64_t cr2)
{
    struct trap_source *source = cpu->source;

    if (vector == X86_VECTOR_PF)
        cpu->guest.save.cr2 = cr2;
    if (cpu->delivering == 0 && source != NULL && source->op != NULL) {
        source->result.cause = vector;
        source->result.tval = vector == X86_VECTOR_PF ? cr2 : error;
        source->result.error = error;
        svm_op_finish(cpu, OUTCOME_EXCEPTION);
    }
    svm_deliver(cpu, exception_event(vector, error));
}

void svm_exception(struct fake_svm *cpu, unsigned vector, uint64_t error,
                   uint64_t cr2)
{
    if (is_delivering_double_fault(cpu)) {
        svm_shutdown(cpu);
        return;
    }
    if ((cpu->guest.control.intercept_exceptions & BIT(vector)) != 0) {
        uint64_t code = VMEXIT_EXCP0 + vector;

        if (cpu->delivering != 0 || cpu->source == NULL ||
            cpu->source->op == NULL)
            svm_exit(cpu, code, error, cr2);
        else
            svm_op_exit(cpu, code, error, cr2);
        return;
    }
    if (makes_double_fault(cpu->delivering, vector)) {
        svm_exception(cpu, X86_VECTOR_DF, 0, 0);
        return;
    }
    take_exception(cpu, vector, error, cr2);
}

void svm_memory_fault(struct fake_svm *cpu, uint64_t linear,
                      const struct svm_translation *translation)
{
    if (!translation->nested)
        svm_exception(cpu, X86_VECTOR_PF, translation->info, linear);
    else if (cpu->delivering != 0)
        svm_exit(cpu, VMEXIT_NPF, translation->info, translation->gpa);
    else
        svm_op_exit(cpu, VMEXIT_NPF, translation->info, translation->gpa);
}

void svm_shutdown(struct fake_svm *cpu)
{
    cpu->delivering = 0;
    if (!vmcb_intercepts(&cpu->guest.control, INTERCEPT_SHUTDOWN))
        violation(RULE_REACHES_HOST,
                  "a guest's shutdown takes CPU %u with it: not intercepted",
                  cpu->index);
    if (cpu->source != NULL && cpu->source->op != NULL)
        svm_op_exit(cpu, VMEXIT_SHUTDOWN, 0, 0);
    else
        svm_exit(cpu, VMEXIT_SHUTDOWN, 0, 0);
}

/* Exceptions that are injected are not intercepted, but those that come of
 * their delivery are. */
void svm_inject(struct fake_svm *cpu)
{
    uint64_t event = cpu->guest.control.eventinj;

    cpu->guest.control.eventinj &= ~EVENT_V;
    if ((event & EVENT_V) == 0)
        return;
    if (FIELD_GET(EVENT_TYPE, event) == EVENT_TYPE_NMI)
        event = (event & ~EVENT_VECTOR) | X86_VECTOR_NMI;
    svm_deliver(cpu, event);
}

/* Whether the host has an interrupt. */
static bool host_interrupt(const struct fake_svm *cpu)
{
    return (cpu->index == 0 && console_has_interrupt()) ||
           cpus_is_kicked(cpu->index) || clock_timer_due(cpu->index);
}

/* Something that arrives at the CPU: an exit if it is intercepted. */
static bool arrives(struct fake_svm *cpu, bool *pending,
                    enum svm_intercept intercept, uint64_t code)
{
    if (!*pending || !vmcb_intercepts(&cpu->guest.control, intercept))
        return false;
    *pending = false;
    svm_exit(cpu, code, 0, 0);
    return true;
}

/* With V_INTR_MASKING the guest's RFLAGS.IF and interrupt shadow are nothing to
 * the host's interrupts. */
static bool take_host_interrupt(struct fake_svm *cpu)
{
    const struct vmcb_control *control = &cpu->guest.control;
    bool masked = (control->vintr & VINTR_V_INTR_MASKING) == 0 &&
                  ((cpu->guest.save.rflags & X86_RFLAGS_IF) == 0 ||
                   (control->interrupt_shadow & SHADOW_INTERRUPT) != 0);

    if (masked || !host_interrupt(cpu) ||
        !vmcb_intercepts(control, INTERCEPT_INTR))
        return false;
    svm_exit(cpu, VMEXIT_INTR, 0, 0);
    return true;
}

/* Whether the guest takes its virtual interrupt now. */
static bool virtual_interrupt_is_due(const struct fake_svm *cpu)
{
    uint64_t vintr = cpu->guest.control.vintr;
    bool gif = (vintr & VINTR_VGIF_ENABLE) == 0 || (vintr & VINTR_VGIF) != 0;
    bool above_tpr = (vintr & VINTR_V_IGN_TPR) != 0 ||
                     FIELD_GET(VINTR_V_INTR_PRIO, vintr) >
                         (FIELD_GET(VINTR_V_TPR, vintr) & 0xf);

    return (vintr & VINTR_V_IRQ) != 0 && gif && above_tpr &&
           (cpu->guest.save.rflags & X86_RFLAGS_IF) != 0 &&
           (cpu->guest.control.interrupt_shadow & SHADOW_INTERRUPT) == 0;
}

static void take_virtual_interrupt(struct fake_svm *cpu)
{
    uint64_t vector = FIELD_GET(VINTR_V_INTR_VECTOR, cpu->guest.control.vintr);

    if (vmcb_intercepts(&cpu->guest.control, INTERCEPT_VINTR)) {
        svm_exit(cpu, VMEXIT_VINTR, 0, 0);
        return;
    }
    cpu->guest.control.vintr &= ~VINTR_V_IRQ;
    svm_deliver(cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_INTR) | vector);
}

void svm_interrupt(struct fake_svm *cpu)
{
    if (arrives(cpu, &cpu->init_pending, INTERCEPT_INIT, VMEXIT_INIT) ||
        arrives(cpu, &cpu->smi_pending, INTERCEPT_SMI, VMEXIT_SMI) ||
        arrives(cpu, &cpu->nmi_pending, INTERCEPT_NMI, VMEXIT_NMI) ||
        take_host_interrupt(cpu))
        return;
    if (cpu->nmi_pending && !cpu->nmi_blocked) {
        cpu->nmi_pending = false;
        svm_deliver(cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_NMI) |
                             X86_VECTOR_NMI);
    } else if (virtual_interrupt_is_due(cpu)) {
        take_virtual_interrupt(cpu);
    }
}
