/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/arch/x86_64/vmx/rig.h"

#include "sim/x86_64/arch.h"

const char *const rig_vmx_profiles[] = {RIG_VMX "full",
                                        RIG_VMX "haswell",
                                        RIG_VMX "skylake",
                                        RIG_VMX "arrandale",
                                        RIG_VMX "registers",
                                        RIG_VMX "plain",
                                        NULL};

struct vmx_vcpu *rig_vmx(vcpu_id id)
{
    return to_vmx(rig.vm->vcpus[id]);
}

uint64_t rig_field(vcpu_id id, enum vmcs_at at)
{
    return x86_64_vmx_fields(rig_vmx(id))[at];
}

static uint64_t get(vcpu_id id, enum x86_register reg)
{
    return x86_64_vmx_register(rig_vmx(id), reg);
}

/* Most exits leave it in the VMCS, whose value counts until another one has
 * been set. */
static uint64_t get_rsp(vcpu_id id)
{
    const struct vmx_vcpu *v = rig_vmx(id);
    uint64_t rsp = v->x86.regs.gpr[X86_GPR_RSP];

    return v->is_filled && rsp == v->written.rsp
               ? rig_field(id, VMCS_AT_GUEST_RSP)
               : rsp;
}

static struct x86_segment get_cs(vcpu_id id)
{
    const struct vmx_vcpu *v = rig_vmx(id);

    if (v->has_entry)
        return v->entry.segment[X86_CS];
    return (struct x86_segment){
        .base = rig_field(id, VMCS_AT_GUEST_CS_BASE),
        .selector = (uint16_t)rig_field(id, VMCS_AT_GUEST_CS_SELECTOR),
    };
}

static void make_access(vcpu_id id, uint64_t gpa_raw, bool write,
                        uint8_t length)
{
    struct vmx_vcpu *v = rig_vmx(id);
    struct vmx_exit *exit = &v->exit;

    exit->reason = VMX_REASON_EPT_VIOLATION;
    exit->qualification =
        VMX_EPT_LINEAR | VMX_EPT_FINAL | (write ? VMX_EPT_WRITE : VMX_EPT_READ);
    exit->guest_physical = gpa_raw;
    exit->idt_vectoring = 0;
    exit->cr3 = rig_field(id, VMCS_AT_GUEST_CR3);
    exit->efer = rig_field(id, VMCS_AT_GUEST_IA32_EFER);
    exit->cs_access = rig_field(id, VMCS_AT_GUEST_CS_ACCESS_RIGHTS);
    v->x86.regs.gpr[X86_GPR_RSP] = get_rsp(id);
}

const struct rig_vendor rig_vmx_vendor = {
    .arch = &x86_64_vmx_sim_arch,
    .get = get,
    .get_rsp = get_rsp,
    .get_cs = get_cs,
    .make_access = make_access,
};
