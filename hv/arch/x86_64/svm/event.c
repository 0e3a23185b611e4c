/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: EVENTINJ carries one into the guest, EXITINTINFO says which one an
 * exit has cut short (APM volume 2, sections 15.20 and 15.7.2). A guest that
 * takes no interrupts at the moment gets a virtual one pending, whose intercept
 * (VINTR) tells when it does (15.21.4). NMIs: nmi.c.
 */
#include "arch/x86_64/svm/svm.h"

void svm_sets_event(struct x86_vcpu *x86, const struct x86_event *event)
{
    if (event->type == X86_EVENT_NMI)
        svm_begin_nmi(svm_of(x86));
}

/* An NMI that waits for an IRET comes first, right behind it. */
bool svm_takes_interrupt(const struct x86_vcpu *x86)
{
    const struct svm_vcpu *v = svm_of_const(x86);

    return (v->vmcb.save.rflags & X86_RFLAGS_IF) != 0 && !svm_is_in_shadow(v) &&
           !(svm_is_at_iret(v) && atomic_load(&x86->nmi));
}

/*
 * An NMI waits for the IRET of the one before it, which exits, and is then
 * stepped over; or, in an interrupt shadow, for the next instruction. The
 * virtual interrupt tells of the shadow's end if the guest takes interrupts
 * there. Where it does not, behind a load of SS, the exit that comes next does,
 * whatever it is: a step over any instruction could be seen by the guest.
 */
void svm_set_windows(struct x86_vcpu *x86, bool interrupt, bool nmi)
{
    struct svm_vcpu *v = svm_of(x86);
    struct vmcb_control *control = &v->vmcb.control;
    const uint64_t pending =
        VINTR_V_IRQ | VINTR_V_IGN_TPR | FIELD_PUT(VINTR_V_INTR_PRIO, 15);
    bool steps = nmi && svm_is_at_iret(v);
    bool on = !steps && (interrupt || (nmi && v->nmi != NMI_HANDLED));

    control->vintr = VINTR_V_INTR_MASKING | (on ? pending : 0);
    vmcb_set_intercept(control, INTERCEPT_VINTR, on);
    svm_dirty(v, CLEAN_TPR | CLEAN_I);
    if (steps)
        svm_step_over_iret(v);
}

/* INT3 and INTO come again by themselves, as INT n does: RIP is at the
 * instruction. */
static bool comes_again(uint64_t info)
{
    uint64_t type = FIELD_GET(EVENT_TYPE, info);
    uint64_t vector = FIELD_GET(EVENT_VECTOR, info);

    return type == EVENT_TYPE_EXCEPTION &&
           (vector == X86_VECTOR_BP || vector == X86_VECTOR_OF);
}

/* Whether VMRUN would take it: no processor says anything else. */
static bool is_event(uint64_t info)
{
    uint64_t vector = FIELD_GET(EVENT_VECTOR, info);

    switch ((enum svm_event_type)FIELD_GET(EVENT_TYPE, info)) {
    case EVENT_TYPE_INTR:
    case EVENT_TYPE_NMI: return (info & EVENT_V) != 0;
    case EVENT_TYPE_EXCEPTION:
        return (info & EVENT_V) != 0 && vector < X86_EXCEPTIONS &&
               (X86_EXCEPTION_VECTORS & BIT(vector)) != 0;
    default: return false;
    }
}

void svm_resume_event(struct svm_vcpu *v)
{
    struct vmcb_control *control = &v->vmcb.control;
    uint64_t info = control->exitintinfo;

    if (is_event(info) && !comes_again(info))
        control->eventinj = info;
}
