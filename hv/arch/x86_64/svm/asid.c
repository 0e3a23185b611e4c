/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ASIDs, which tell the translations of one vCPU from another's in a CPU's
 * TLB. APM volume 2, sections 15.16 and 15.25.
 *
 * Each CPU gives out ASIDs of its own: a vCPU that comes to a CPU gets a number
 * that nobody has used there in the CPU's current generation. When they are
 * used up, the CPU flushes everything with its next entry and starts a new
 * generation. So a vCPU that moves needs no other flush; and where the
 * processor cannot flush a single ASID, a new number is as good.
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

/* ASID 0 is the host's. */
static void start_generation(struct svm_cpu *cpu)
{
    cpu->generation++;
    cpu->next_asid = 1;
    cpu->must_flush = true;
}

static void take_asid(struct svm_vcpu *v, struct svm_cpu *cpu)
{
    if (cpu->generation == 0 || cpu->next_asid >= v->asids)
        start_generation(cpu);
    v->vmcb.control.guest_asid = cpu->next_asid++;
    v->asid_generation = cpu->generation;
    svm_dirty(v, CLEAN_ASID);
    if (cpu->must_flush)
        set_tlb_control(v, TLB_CONTROL_FLUSH_ALL);
}

void svm_assign_asid(struct svm_vcpu *v, uint32_t number)
{
    struct svm_cpu *cpu = &svm_cpus[number];

    if (v->asid_cpu != number || v->asid_generation != cpu->generation) {
        v->vmcb.control.tlb_control = TLB_CONTROL_NOTHING;
        v->asid_cpu = (uint8_t)number;
        take_asid(v, cpu);
    }
}

void svm_flush(struct x86_vcpu *x86)
{
    struct svm_vcpu *v = svm_of(x86);

    if (v->features & SVM_FEATURE_FLUSH_BY_ASID)
        set_tlb_control(v, TLB_CONTROL_FLUSH_GUEST);
    else
        take_asid(v, &svm_cpus[v->asid_cpu]);
}

void svm_flushed(struct svm_vcpu *v)
{
    if (v->vmcb.control.tlb_control == TLB_CONTROL_FLUSH_ALL)
        svm_cpus[v->asid_cpu].must_flush = false;
    v->vmcb.control.tlb_control = TLB_CONTROL_NOTHING;
}
