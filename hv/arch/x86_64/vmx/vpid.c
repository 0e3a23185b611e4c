/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VPIDs, which tell the translations of one vCPU from another's in a CPU's
 * TLB, and when translations are dropped: Intel SDM volume 3, chapter 29.4.
 *
 * Each CPU gives out VPIDs of its own: a vCPU that comes to a CPU gets a number
 * that nobody has used there in the CPU's current generation. When they are
 * used up, the CPU drops what it has by all of them and starts a new
 * generation. So a vCPU that moves leaves nothing of its own behind. Without
 * VPIDs, each entry and each exit drops everything.
 *
 * Translations of stage 2 alone are known by their EPTP, whoever's VPID it is,
 * and those of its vCPUs' page tables by both. They go, on a CPU, when a vCPU
 * comes to it, which may have been elsewhere while stage 2 has changed, and
 * when a vCPU that is there is told that stage 2 has changed.
 */
#include "arch/x86_64/vmx/vmx.h"
#include "lib/string.h"

/* Zero is a state as good as any: see vmx_assign_vpid(). */
struct vmx_cpu vmx_cpus[MAX_CPU_NUM];

void vmx_reset_machine(void)
{
    memset(vmx_cpus, 0, sizeof(vmx_cpus));
}

/* VPID 0 is the host's. */
static void take_vpid(struct vmx_vcpu *v, struct vmx_cpu *cpu)
{
    if (cpu->generation == 0 || cpu->next_vpid >= v->controls->vpids) {
        cpu->generation++;
        cpu->next_vpid = 1;
        x86_vmx_invvpid(VMX_INVVPID_ALL_CONTEXTS, 0, 0);
    }
    v->vpid = (uint16_t)cpu->next_vpid++;
    v->vpid_generation = cpu->generation;
    x86_vmx_vmwrite(VMCS_VPID, v->vpid);
}

void vmx_assign_vpid(struct vmx_vcpu *v, uint32_t number)
{
    struct vmx_cpu *cpu = &vmx_cpus[number];

    if (v->vpid_cpu != number)
        vmx_flush_stage2(v);
    if (v->controls->vpids != 0 &&
        (v->vpid_cpu != number || v->vpid_generation != cpu->generation))
        take_vpid(v, cpu);
    v->vpid_cpu = (uint8_t)number;
}

void vmx_flush(struct x86_vcpu *x86)
{
    struct vmx_vcpu *v = vmx_of(x86);

    if (v->controls->vpids != 0)
        x86_vmx_invvpid(v->controls->invvpid, v->vpid, 0);
}

void vmx_flush_stage2(struct vmx_vcpu *v)
{
    x86_vmx_invept(v->controls->invept, v->eptp);
}
