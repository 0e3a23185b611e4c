/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ASIDs (vcpu/tag.h), and when a TLB is flushed: APM volume 2, sections 15.16
 * and 15.25. The CPU whose ASIDs are used up flushes everything with its next
 * entry. Where the processor cannot flush a single ASID, a new number is as
 * good.
 */
#include "arch/x86_64/svm/svm.h"
#include "lib/string.h"

/* Zero is a state as good as any: see svm_assign_asid(). */
struct svm_cpu svm_cpus[MAX_CPU_NUM];

void svm_reset_machine(void)
{
    memset(svm_cpus, 0, sizeof(svm_cpus));
}

static void set_tlb_control(struct svm_vcpu *v, enum svm_tlb_control what)
{
    struct vmcb_control *control = &v->vmcb.control;

    if (control->tlb_control != TLB_CONTROL_FLUSH_ALL)
        control->tlb_control = (uint8_t)what;
}

static void take_asid(struct svm_vcpu *v, uint32_t number)
{
    struct svm_cpu *cpu = &svm_cpus[number];

    if (tag_take(&v->asid, &cpu->asids, number, v->asids))
        cpu->must_flush = true;
    v->vmcb.control.guest_asid = v->asid.number;
    svm_dirty(v, CLEAN_ASID);
    if (cpu->must_flush)
        set_tlb_control(v, TLB_CONTROL_FLUSH_ALL);
}

void svm_assign_asid(struct svm_vcpu *v, uint32_t number)
{
    if (!tag_is_valid(&v->asid, &svm_cpus[number].asids, number)) {
        v->vmcb.control.tlb_control = TLB_CONTROL_NOTHING;
        take_asid(v, number);
    }
}

void svm_flush(struct x86_vcpu *x86)
{
    struct svm_vcpu *v = svm_of(x86);

    if (v->features & SVM_FEATURE_FLUSH_BY_ASID)
        set_tlb_control(v, TLB_CONTROL_FLUSH_GUEST);
    else
        take_asid(v, v->asid.cpu);
}

void svm_flushed(struct svm_vcpu *v)
{
    if (v->vmcb.control.tlb_control == TLB_CONTROL_FLUSH_ALL)
        svm_cpus[v->asid.cpu].must_flush = false;
    v->vmcb.control.tlb_control = TLB_CONTROL_NOTHING;
}
