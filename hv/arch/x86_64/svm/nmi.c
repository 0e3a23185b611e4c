/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An NMI masks others until its handler's IRET is complete (APM volume 2,
 * section 8.2.3). The processor tells of an IRET before it makes it, by an exit
 * (15.9), and of its end not at all. While another NMI waits, the guest is
 * therefore entered with RFLAGS.TF: the trap behind the IRET exits.
 *
 * The guest does not see that. What IRET pops is RFLAGS without TF or with its
 * own, and an interrupt would push TF, so none is delivered before the IRET. An
 * IRET that faults would push it, too: while it is stepped over, all that it
 * can raise exits, and is delivered with the flags as they were; NMIs stay
 * masked until the next IRET. RF keeps an instruction breakpoint, which came
 * before the first exit, from coming again.
 */
#include "arch/x86_64/svm/svm.h"

#define STEP_EXCEPTIONS                                             \
    (BIT(X86_VECTOR_TS) | BIT(X86_VECTOR_NP) | BIT(X86_VECTOR_SS) | \
     BIT(X86_VECTOR_GP) | BIT(X86_VECTOR_PF))

#define STEP_FLAGS (X86_RFLAGS_TF | X86_RFLAGS_RF)

static void intercept_iret(struct svm_vcpu *v, bool on)
{
    vmcb_set_intercept(&v->vmcb.control, INTERCEPT_IRET, on);
    svm_dirty(v, CLEAN_I);
}

static void set_step(struct svm_vcpu *v, bool on)
{
    v->step.on = on;
    v->vmcb.control.intercept_exceptions =
        (uint32_t)(SVM_INTERCEPTED_EXCEPTIONS | (on ? STEP_EXCEPTIONS : 0));
    svm_dirty(v, CLEAN_I | CLEAN_DRX);
}

void svm_begin_nmi(struct svm_vcpu *v)
{
    v->nmi = NMI_HANDLED;
    intercept_iret(v, true);
}

void svm_reset_nmi(struct svm_vcpu *v)
{
    v->nmi = NMI_NONE;
    intercept_iret(v, false);
    set_step(v, false);
}

bool svm_is_at_iret(const struct svm_vcpu *v)
{
    return v->nmi == NMI_ENDS && v->vmcb.save.rip == v->nmi_iret;
}

bool svm_takes_nmi(const struct x86_vcpu *x86)
{
    const struct svm_vcpu *v = svm_of_const(x86);

    return (v->nmi == NMI_NONE || (v->nmi == NMI_ENDS && !svm_is_at_iret(v))) &&
           !svm_is_in_shadow(v);
}

/* An event that is delivered first takes the guest away from the IRET. The last
 * exit is none of the step: there may be a look at it before the entry. */
void svm_step_over_iret(struct svm_vcpu *v)
{
    struct vmcb_save *save = &v->vmcb.save;

    if ((v->vmcb.control.eventinj & EVENT_V) != 0)
        return;
    v->step.rflags = save->rflags & STEP_FLAGS;
    v->step.dr6 = save->dr6;
    save->rflags |= STEP_FLAGS;
    save->dr6 &= ~(X86_DR6_BREAKPOINTS | X86_DR6_BS);
    v->vmcb.control.exitcode = VMEXIT_INTR;
    set_step(v, true);
}

static void inject(struct svm_vcpu *v, uint8_t vector)
{
    x86_inject_exception(
        &v->x86, &(struct x86_exception){
                     .vector = vector,
                     .has_error = (X86_ERROR_CODE_VECTORS & BIT(vector)) != 0,
                     .error = (uint32_t)v->vmcb.control.exitinfo1,
                     .address = v->vmcb.control.exitinfo2,
                 });
}

/* What the guest's own breakpoints, and its own TF, make of the trap. */
static void end_iret(struct svm_vcpu *v)
{
    struct vmcb_save *save = &v->vmcb.save;
    uint64_t due = save->dr6 & X86_DR6_BREAKPOINTS;

    if ((v->step.rflags & X86_RFLAGS_TF) != 0)
        due |= X86_DR6_BS;
    v->nmi = NMI_NONE;
    save->dr6 = v->step.dr6 | due;
    if (due != 0)
        inject(v, X86_VECTOR_DB);
}

static bool is_exception(const struct svm_vcpu *v, uint8_t *vector)
{
    *vector = (uint8_t)(v->vmcb.control.exitcode - VMEXIT_EXCP0);
    return v->vmcb.control.exitcode - VMEXIT_EXCP0 < X86_EXCEPTIONS;
}

static void end_step(struct svm_vcpu *v)
{
    struct vmcb_save *save = &v->vmcb.save;
    uint8_t vector;
    bool raised = is_exception(v, &vector);

    set_step(v, false);
    if (raised && vector == X86_VECTOR_DB) {
        end_iret(v);
        return;
    }
    save->rflags = (save->rflags & ~STEP_FLAGS) | v->step.rflags;
    save->dr6 = v->step.dr6;
    if (!raised)
        return;
    svm_begin_nmi(v);
    inject(v, vector);
}

void svm_end_nmi(struct svm_vcpu *v)
{
    if (v->step.on)
        end_step(v);
    if (v->vmcb.control.exitcode != VMEXIT_IRET || v->nmi != NMI_HANDLED)
        return;
    v->nmi = NMI_ENDS;
    v->nmi_iret = v->vmcb.save.rip;
    intercept_iret(v, false);
}
