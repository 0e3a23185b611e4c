/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VPIDs (vcpu/tag.h), and when translations are dropped: Intel SDM volume 3,
 * section 29.4. Without VPIDs, each entry and each exit drops everything.
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

static void take_vpid(struct vmx_vcpu *v, struct vmx_cpu *cpu, uint32_t number)
{
    if (tag_take(&v->vpid, &cpu->vpids, number, v->controls->vpids))
        x86_vmx_invvpid(VMX_INVVPID_ALL_CONTEXTS, 0, 0);
    x86_vmx_vmwrite(VMCS_VPID, v->vpid.number);
}

void vmx_assign_vpid(struct vmx_vcpu *v, uint32_t number)
{
    struct vmx_cpu *cpu = &vmx_cpus[number];

    if (v->vpid.cpu != number)
        vmx_flush_stage2(v);
    if (v->controls->vpids == 0)
        v->vpid.cpu = (uint8_t)number;
    else if (!tag_is_valid(&v->vpid, &cpu->vpids, number))
        take_vpid(v, cpu, number);
}

void vmx_flush(struct x86_vcpu *x86)
{
    struct vmx_vcpu *v = vmx_of(x86);

    if (v->controls->vpids != 0)
        x86_vmx_invvpid(v->controls->invvpid, (uint16_t)v->vpid.number, 0);
}

void vmx_flush_stage2(struct vmx_vcpu *v)
{
    x86_vmx_invept(v->controls->invept, v->eptp);
}
