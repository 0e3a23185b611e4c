/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMX's functions of the x86_64 hardware seam (hv/arch/x86_64/hw.h), and what
 * VMX is to a fake CPU. An instruction that fails is the hypervisor's fault:
 * but for the entry, nobody would look.
 */
#include "sim/fake_hw/x86_64/vmx/guest.h"

/* Family 6, model 60. */
#define SIGNATURE 0x000306c3

/* Whether an instruction has succeeded; reports what has not. */
static bool succeeds(const struct fake_x86 *cpu, const char *instruction,
                     enum vmx_outcome outcome)
{
    if (likely(outcome == VMX_SUCCEED))
        return true;
    violation(RULE_VMX_INSTRUCTION, "%s on CPU %u: %s, error %u", instruction,
              cpu->index,
              outcome == VMX_FAIL_VALID     ? "VMfailValid"
              : outcome == VMX_FAIL_INVALID ? "VMfailInvalid"
                                            : "it faults",
              outcome == VMX_FAIL_VALID
                  ? (unsigned)VMCS(cpu, VM_INSTRUCTION_ERROR)
                  : 0);
    return false;
}

void x86_vmx_vmclear_impl(hpa_t vmcs)
{
    struct fake_x86 *cpu = fake_x86_current();

    (void)succeeds(cpu, "VMCLEAR", vmx_vmclear(&cpu->vmx, vmcs.raw));
}

void x86_vmx_vmptrld_impl(hpa_t vmcs)
{
    struct fake_x86 *cpu = fake_x86_current();

    (void)succeeds(cpu, "VMPTRLD", vmx_vmptrld(&cpu->vmx, vmcs.raw));
}

uint64_t x86_vmx_vmread_impl(uint32_t field)
{
    struct fake_x86 *cpu = fake_x86_current();
    uint64_t value = 0;

    if (!succeeds(cpu, "VMREAD", vmx_vmread(&cpu->vmx, field, &value)))
        return 0;
    return value;
}

void x86_vmx_vmwrite_impl(uint32_t field, uint64_t value)
{
    struct fake_x86 *cpu = fake_x86_current();

    (void)succeeds(cpu, "VMWRITE", vmx_vmwrite(&cpu->vmx, field, value));
}

uint64_t x86_vmx_get_impl(uint32_t field)
{
    return x86_vmx_vmread_impl(field);
}

void x86_vmx_put_impl(uint32_t field, uint64_t value)
{
    x86_vmx_vmwrite_impl(field, value);
}

void x86_vmx_set_host_state_impl(void)
{
    struct fake_x86 *cpu = fake_x86_current();

    if (cpu->vmx.vmcs != NULL)
        fake_vmx_set_host_state(cpu);
    else
        violation(RULE_VMX_INSTRUCTION, "no current VMCS on CPU %u",
                  cpu->index);
}

/* Whose interrupt it was is asked for elsewhere. */
void x86_vmx_host_event_impl(uint32_t info) {}

void x86_vmx_load_state_impl(const struct x86_vmx_state *state)
{
    struct fake_x86 *cpu = fake_x86_current();

    cpu->cr2 = state->cr2;
    cpu->dr6 = state->dr6;
    cpu->loaded.star = state->star;
    cpu->loaded.lstar = state->lstar;
    cpu->loaded.cstar = state->cstar;
    cpu->loaded.sfmask = state->sfmask;
    cpu->loaded.kernel_gs_base = state->kernel_gs_base;
}

void x86_vmx_save_state_impl(struct x86_vmx_state *state)
{
    const struct fake_x86 *cpu = fake_x86_current();

    *state = (struct x86_vmx_state){
        .cr2 = cpu->cr2,
        .dr6 = cpu->dr6,
        .star = cpu->loaded.star,
        .lstar = cpu->loaded.lstar,
        .cstar = cpu->loaded.cstar,
        .sfmask = cpu->loaded.sfmask,
        .kernel_gs_base = cpu->loaded.kernel_gs_base,
    };
}

/* Mappings of EPT and combined ones, whatever the VPID. */
void x86_vmx_invept_impl(uint64_t type, uint64_t eptp)
{
    struct fake_x86 *cpu = fake_x86_current();
    const uint64_t descriptor[2] = {eptp, 0};
    struct cpu_tag tag = {.tables = eptp & VMX_EP4TA, .id = CPU_ANY_ID};

    if (!succeeds(cpu, "INVEPT", vmx_invept(&cpu->vmx, type, descriptor)))
        return;
    if (type == VMX_INVEPT_ALL_CONTEXTS)
        tag.tables = CPU_ANY_TABLES;
    cpu_tlb_flush_nested(cpu, tag);
    cpu_tlb_flush_linear(cpu, tag, true);
}

/* Linear and combined mappings, whatever the EP4TA: those of EPT alone stay. */
void x86_vmx_invvpid_impl(uint64_t type, uint16_t vpid, uint64_t address)
{
    struct fake_x86 *cpu = fake_x86_current();
    const uint64_t descriptor[2] = {vpid, address};
    struct cpu_tag tag = {.tables = CPU_ANY_TABLES, .id = vpid};

    if (!succeeds(cpu, "INVVPID", vmx_invvpid(&cpu->vmx, type, descriptor)))
        return;
    switch ((enum vmx_invvpid)type) {
    case VMX_INVVPID_ADDRESS: cpu_tlb_flush_address(cpu, address, vpid); break;
    case VMX_INVVPID_ALL_CONTEXTS: tag.id = CPU_ANY_ID; /* fallthrough */
    case VMX_INVVPID_SINGLE_CONTEXT:
        cpu_tlb_flush_linear(cpu, tag, true);
        break;
    case VMX_INVVPID_RETAINING_GLOBALS:
        cpu_tlb_flush_linear(cpu, tag, false);
        break;
    }
}

uint64_t x86_vmx_read_apic_impl(const uint32_t *page, uint32_t offset)
{
    return page[offset / sizeof(*page)];
}

/* --- The vendor --- */

/* Firmware has allowed VMX, and the host is in protected mode. */
static void reset(struct fake_x86 *cpu)
{
    const struct vmx_profile *profile = cpu->profile->vmx;

    vmx_reset(&cpu->vmx, profile, cpu->index);
    cpu->vmx.cr0 = profile->cr0_fixed0 | X86_CR0_ET;
    cpu->vmx.cr4 = X86_CR4_PAE;
    cpu->vmx.feature_control = VMX_FEATURE_LOCK | VMX_FEATURE_OUTSIDE_SMX;
}

static uint64_t *host_msr(struct fake_x86 *cpu, uint32_t msr)
{
    if ((enum x86_msr)msr == X86_MSR_FEATURE_CONTROL)
        return &cpu->vmx.feature_control;
    if (vmx_capability(cpu->profile->vmx, msr, &cpu->vmx_guest.capability))
        return &cpu->vmx_guest.capability;
    return NULL;
}

static bool msr_takes(const struct fake_x86 *cpu, uint32_t msr, uint64_t value)
{
    uint64_t capability;

    switch ((enum x86_msr)msr) {
    case X86_MSR_EFER: return (value & ~cpu->profile->efer) == 0;
    case X86_MSR_FEATURE_CONTROL:
        return (cpu->vmx.feature_control & VMX_FEATURE_LOCK) == 0;
    default: return !vmx_capability(cpu->profile->vmx, msr, &capability);
    }
}

static bool ferr_exits(struct fake_x86 *cpu)
{
    return false;
}

static void wrote_msr(struct fake_x86 *cpu, uint32_t msr, uint64_t value) {}

/* NMIs were unblocked before IRET could fault. */
static void returned(struct fake_x86 *cpu) {}

/* Vector 20 is #VE. */
const struct fake_x86_vendor vmx_fake_vendor = {
    .name = "vmx",
    .exceptions = BIT(20),
    .signature = SIGNATURE,
    .cpuid_vendor = "GenuineIntel",
    .hypercall = 0xc1010f, /* VMCALL */
    .pushes_first = true,
    .stale_nested = RULE_STALE_EPT,
    .stale_tag = RULE_STALE_VPID,
    .reset = reset,
    .host_msr = host_msr,
    .msr_takes = msr_takes,
    .op_exits = fake_vmx_op_exits,
    .read_cr_exits = fake_vmx_read_cr_exits,
    .write_cr_exits = fake_vmx_write_cr_exits,
    .dr_exits = fake_vmx_dr_exits,
    .msr_exits = fake_vmx_msr_exits,
    .msr_answers = fake_vmx_msr_answers,
    .port_exits = fake_vmx_port_exits,
    .task_switch_exits = fake_vmx_task_switch_exits,
    .ferr_exits = ferr_exits,
    .raw_exit = fake_vmx_raw_exit,
    .exception_exits = fake_vmx_exception_exits,
    .nested_fault = fake_vmx_nested_fault,
    .shutdown = fake_vmx_shutdown,
    .interrupt = fake_vmx_interrupt,
    .starve = fake_vmx_starve,
    .has_op = fake_vmx_has_op,
    .read_cr = fake_vmx_read_cr,
    .merge_cr = fake_vmx_merge_cr,
    .takes_cr = fake_vmx_takes_cr,
    .wrote_cr = fake_vmx_wrote_cr,
    .wrote_msr = wrote_msr,
    .read_tpr = fake_vmx_read_tpr,
    .write_tpr = fake_vmx_write_tpr,
    .returned = returned,
    .set_state = fake_vmx_set_state,
    .translate = fake_vmx_translate,
};
