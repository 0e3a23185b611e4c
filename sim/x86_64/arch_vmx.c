/* SPDX-License-Identifier: Apache-2.0 */
/* x86_64 with VMX, for the simulator: see sim/arch.h. */
#include <stdio.h>

#include "arch/x86_64/vmx/capability.h"
#include "arch/x86_64/vmx/trace.h"
#include "arch/x86_64/vmx/vmx.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/x86_64/arch.h"
#include "sim/x86_64/insn.h"

static const struct fake_profile *profile(unsigned index)
{
    const struct fake_profile *base = &x86_vmx_profiles[index].base;

    return base->name != NULL ? base : NULL;
}

static void reset(const struct fake_profile *base, uint32_t cpus)
{
    if (base == NULL)
        base = &x86_vmx_profiles[0].base;
    fake_x86_reset(container_of(base, struct x86_profile, base), cpus);
}

/* VMXON, with a region of the CPU's own. */
static err_t start(struct fake_x86 *cpu)
{
    hpa_t region = memory_alloc_frame_impl();
    uint32_t *revision;

    if (hpa_is_none(region))
        return ERR_NO_MEMORY;
    revision = memory_phys_to_virt(region);
    *revision =
        (uint32_t)FIELD_GET(VMX_BASIC_REVISION, cpu->profile->vmx->basic);
    cpu->vmx.cr4 |= X86_CR4_VMXE;
    return vmx_vmxon(&cpu->vmx, region.raw) == VMX_SUCCEED ? OK : ERR_BAD_STATE;
}

/* Whether the hypervisor runs on such processors. */
static bool is_supported(void)
{
    struct vmx_capability capability;
    struct vmx_controls controls;
    char refusal[VMX_REFUSAL_SIZE];

    vmx_read_capability(&capability, x86_hw_read_msr_impl);
    if (vmx_choose_controls(&capability, &controls, refusal))
        return true;
    fprintf(stderr, "twinax: %s\n", refusal);
    return false;
}

static err_t power_on(uint32_t cpus)
{
    err_t error = is_supported() ? OK : ERR_UNSUPPORTED;

    for (uint32_t i = 0; error == OK && i < cpus; i++)
        error = start(&fake_x86_cpus[i]);
    return error;
}

static void power_off(uint32_t cpus)
{
    for (uint32_t i = 0; i < cpus; i++) {
        struct fake_vmx *vmx = &fake_x86_cpus[i].vmx;
        hpa_t region = hpa(vmx->vmxon);

        if (vmx_vmxoff(vmx) == VMX_SUCCEED)
            memory_free_frame_impl(region);
    }
}

static bool instruction(const struct vcpu *vcpu, char *text, size_t size)
{
    const struct vmx_exit *exit = &to_vmx_const(vcpu)->exit;

    return x86_64_vmx_insn(exit->reason, exit->qualification, text, size);
}

/* Where the fields of the VMCS are, and on which CPU it is; NULL: on none. */
static const uint64_t *find_fields(const struct vmx_vcpu *v,
                                   const struct fake_x86 **on)
{
    const struct fake_vmcs *memory = memory_phys_to_virt(v->vmcs_pa);

    for (unsigned cpu = 0; cpu < MAX_CPU_NUM; cpu++) {
        const struct fake_vmx *vmx = &fake_x86_cpus[cpu].vmx;

        for (unsigned i = 0; i < VMX_ACTIVE; i++) {
            *on = &fake_x86_cpus[cpu];
            if (vmx->active[i].address == v->vmcs_pa.raw)
                return vmx->active[i].vmcs.field;
        }
    }
    *on = NULL;
    return memory->field;
}

const uint64_t *x86_64_vmx_fields(const struct vmx_vcpu *v)
{
    const struct fake_x86 *on;

    return find_fields(v, &on);
}

static uint64_t entry_register(const struct x86_entry *entry,
                               enum x86_register reg)
{
    switch (reg) {
    case X86_REG_CR0: return entry->cr0;
    case X86_REG_CR3: return entry->cr3;
    case X86_REG_CR4: return entry->cr4;
    case X86_REG_EFER: return entry->efer;
    case X86_REG_PAT: return X86_PAT_RESET;
    case X86_REG_DR7: return X86_DR7_RESET;
    default: return 0;
    }
}

/* As a read in the guest is. */
static uint64_t masked(uint64_t value, uint64_t mask, uint64_t shadow)
{
    return (value & ~mask) | (shadow & mask);
}

static uint64_t field_register(const uint64_t *field, enum x86_register reg)
{
    switch (reg) {
    case X86_REG_CR0:
        return masked(field[VMCS_AT_GUEST_CR0],
                      field[VMCS_AT_CR0_GUEST_HOST_MASK],
                      field[VMCS_AT_CR0_READ_SHADOW]);
    case X86_REG_CR4:
        return masked(field[VMCS_AT_GUEST_CR4],
                      field[VMCS_AT_CR4_GUEST_HOST_MASK],
                      field[VMCS_AT_CR4_READ_SHADOW]);
    case X86_REG_CR3: return field[VMCS_AT_GUEST_CR3];
    case X86_REG_EFER: return field[VMCS_AT_GUEST_IA32_EFER];
    case X86_REG_PAT: return field[VMCS_AT_GUEST_IA32_PAT];
    case X86_REG_DR7: return field[VMCS_AT_GUEST_DR7];
    default: return 0;
    }
}

uint64_t x86_64_vmx_register(const struct vmx_vcpu *v, enum x86_register reg)
{
    const struct fake_x86 *on;
    const uint64_t *field = find_fields(v, &on);

    switch (reg) {
    case X86_REG_RFLAGS: return v->exit.rflags;
    case X86_REG_CR2: return on != NULL ? on->cr2 : v->state.cr2;
    case X86_REG_DR6: return on != NULL ? on->dr6 : v->state.dr6;
    default:
        return v->has_entry ? entry_register(&v->entry, reg)
                            : field_register(field, reg);
    }
}

const struct sim_arch x86_64_vmx_sim_arch = {
    X86_64_SIM_ARCH,
    .name = "x86_64-vmx",
    .ops = &x86_vmx_vcpu_ops,
    .trace = &x86_vmx_trace_arch,
    .profile = profile,
    .reset = reset,
    .power_on = power_on,
    .power_off = power_off,
    .instruction = instruction,
    .seeds = &x86_64_vmx_seeds,
    .language = &x86_64_vmx_language,
};
