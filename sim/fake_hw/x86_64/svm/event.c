/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions and interrupts: whether they are exits or the guest's. APM volume
 * 2, sections 15.7.2 (EXITINTINFO), 15.12 (exception intercepts), 15.13
 * (interrupt intercepts), 15.20 (injection), 15.21 (virtual interrupts).
 */
#include "sim/fake_hw/x86_64/svm/svm.h"

bool svm_exception_exits(struct fake_x86 *cpu, unsigned vector, uint64_t error,
                         uint64_t cr2)
{
    uint64_t code = VMEXIT_EXCP0 + vector;

    if ((cpu->svm.control.intercept_exceptions & BIT(vector)) == 0)
        return false;
    if (vector == X86_VECTOR_DB)
        cpu->state.dr6 |= cpu->debug_cause;
    if (cpu_in_op(cpu))
        svm_op_exit(cpu, code, error, cr2);
    else
        svm_exit(cpu, code, error, cr2);
    return true;
}

void svm_shutdown(struct fake_x86 *cpu)
{
    if (!vmcb_intercepts(&cpu->svm.control, INTERCEPT_SHUTDOWN))
        violation(RULE_REACHES_HOST,
                  "a guest's shutdown takes CPU %u with it: not intercepted",
                  cpu->index);
    if (cpu_in_op(cpu))
        svm_op_exit(cpu, VMEXIT_SHUTDOWN, 0, 0);
    else
        svm_exit(cpu, VMEXIT_SHUTDOWN, 0, 0);
}

/* Exceptions that are injected are not intercepted, but those that come of
 * their delivery are. */
void svm_inject(struct fake_x86 *cpu)
{
    uint64_t event = cpu->svm.control.eventinj;

    cpu->svm.control.eventinj &= ~EVENT_V;
    if ((event & EVENT_V) == 0)
        return;
    if (FIELD_GET(EVENT_TYPE, event) == EVENT_TYPE_NMI)
        event = (event & ~EVENT_VECTOR) | X86_VECTOR_NMI;
    cpu_deliver(cpu, event);
}

/* Something that arrives at the CPU: an exit if it is intercepted. */
static bool arrives(struct fake_x86 *cpu, bool *pending,
                    enum svm_intercept intercept, uint64_t code)
{
    if (!*pending || !vmcb_intercepts(&cpu->svm.control, intercept))
        return false;
    *pending = false;
    svm_exit(cpu, code, 0, 0);
    return true;
}

/* With V_INTR_MASKING the guest's RFLAGS.IF and interrupt shadow are nothing to
 * the host's interrupts. */
static bool take_host_interrupt(struct fake_x86 *cpu)
{
    const struct vmcb_control *control = &cpu->svm.control;
    bool masked = (control->vintr & VINTR_V_INTR_MASKING) == 0 &&
                  ((cpu->state.rflags & X86_RFLAGS_IF) == 0 ||
                   (cpu->shadow & CPU_SHADOW_STI) != 0);

    if (masked || !cpu_host_interrupt(cpu) ||
        !vmcb_intercepts(control, INTERCEPT_INTR))
        return false;
    svm_exit(cpu, VMEXIT_INTR, 0, 0);
    return true;
}

/* Whether the guest takes its virtual interrupt now. */
static bool virtual_interrupt_is_due(const struct fake_x86 *cpu)
{
    uint64_t vintr = cpu->svm.control.vintr;
    bool gif = (vintr & VINTR_VGIF_ENABLE) == 0 || (vintr & VINTR_VGIF) != 0;
    bool above_tpr = (vintr & VINTR_V_IGN_TPR) != 0 ||
                     FIELD_GET(VINTR_V_INTR_PRIO, vintr) >
                         (FIELD_GET(VINTR_V_TPR, vintr) & 0xf);

    return (vintr & VINTR_V_IRQ) != 0 && gif && above_tpr &&
           (cpu->state.rflags & X86_RFLAGS_IF) != 0 &&
           (cpu->shadow & CPU_SHADOW_STI) == 0;
}

static void take_virtual_interrupt(struct fake_x86 *cpu)
{
    uint64_t vector = FIELD_GET(VINTR_V_INTR_VECTOR, cpu->svm.control.vintr);

    if (vmcb_intercepts(&cpu->svm.control, INTERCEPT_VINTR)) {
        svm_exit(cpu, VMEXIT_VINTR, 0, 0);
        return;
    }
    cpu->svm.control.vintr &= ~VINTR_V_IRQ;
    cpu_deliver(cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_INTR) | vector);
}

void svm_interrupt(struct fake_x86 *cpu)
{
    if (arrives(cpu, &cpu->init_pending, INTERCEPT_INIT, VMEXIT_INIT) ||
        arrives(cpu, &cpu->smi_pending, INTERCEPT_SMI, VMEXIT_SMI) ||
        arrives(cpu, &cpu->nmi_pending, INTERCEPT_NMI, VMEXIT_NMI) ||
        take_host_interrupt(cpu))
        return;
    if (cpu->nmi_pending && !cpu->nmi_blocked) {
        cpu->nmi_pending = false;
        cpu_deliver(cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_NMI) |
                             X86_VECTOR_NMI);
    } else if (virtual_interrupt_is_due(cpu)) {
        take_virtual_interrupt(cpu);
    }
}
