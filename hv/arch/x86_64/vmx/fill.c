/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VMCS holds before its first entry, and keeps: controls, bitmaps,
 * masks. SDM volume 3, chapter 25.
 */
#include "api/time.h"
#include "arch/x86_64/guest_control.h"
#include "arch/x86_64/vmx/vmx.h"

#define INTERCEPTED_EXCEPTIONS \
    (BIT(X86_VECTOR_DB) | BIT(X86_VECTOR_AC) | BIT(X86_VECTOR_MC))

uint64_t vmx_cr4_mask(const struct vmx_vcpu *v)
{
    return ~x86_guest_cr4_bits(v->x86.cpuid) | X86_CR4_MCE;
}

/*
 * A guest that makes no exit for so long gets one. The host's alarm ends its
 * turn before; but Bochs 2.7 does not let an interrupt of the host out of a
 * guest that was entered with RFLAGS.IF clear.
 */
#define TURN_NS UINT64_C(10000000)

static void fill_timer(const struct vmx_controls *controls)
{
    uint64_t ticks = time_nanos_to_ticks(TURN_NS) >> controls->timer_shift;

    if ((controls->pin & VMX_PIN_PREEMPTION_TIMER) != 0)
        x86_vmx_vmwrite(VMCS_PREEMPTION_TIMER_VALUE,
                        ticks <= UINT32_MAX ? ticks : UINT32_MAX);
}

/* All of them exit: the guest's processor has no SGX. */
static void fill_encls(const struct vmx_controls *controls)
{
    if ((controls->cpu2 & VMX_CPU2_ENCLS_EXITING) != 0)
        x86_vmx_vmwrite(VMCS_ENCLS_EXITING_BITMAP, UINT64_MAX);
    if ((controls->cpu2 & VMX_CPU2_ENCLV_EXITING) != 0)
        x86_vmx_vmwrite(VMCS_ENCLV_EXITING_BITMAP, UINT64_MAX);
}

void vmx_fill(struct vmx_vcpu *v)
{
    const struct vmx_controls *controls = v->controls;
    const struct {
        enum vmcs_field field;
        uint64_t value;
    } values[] = {
        {VMCS_PIN_CONTROLS, controls->pin},
        {VMCS_EXIT_CONTROLS, controls->exit},
        {VMCS_ENTRY_CONTROLS, controls->entry},
        {VMCS_EXCEPTION_BITMAP, INTERCEPTED_EXCEPTIONS},
        {VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0},
        {VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0},
        {VMCS_CR3_TARGET_COUNT, 0},
        {VMCS_EXIT_MSR_STORE_COUNT, 0},
        {VMCS_EXIT_MSR_LOAD_COUNT, 0},
        {VMCS_ENTRY_MSR_LOAD_COUNT, 0},
        {VMCS_ENTRY_INTERRUPTION_INFO, 0},
        {VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0},
        {VMCS_ENTRY_INSTRUCTION_LENGTH, 0},
        {VMCS_EPTP, v->eptp},
        {VMCS_LINK_POINTER, VMCS_NO_ADDRESS},
        {VMCS_CR0_GUEST_HOST_MASK, VMX_CR0_MASK},
        {VMCS_CR4_GUEST_HOST_MASK, vmx_cr4_mask(v)},
        {VMCS_GUEST_IA32_PAT, X86_PAT_RESET},
        {VMCS_GUEST_IA32_DEBUGCTL, 0},
        {VMCS_GUEST_IA32_SYSENTER_CS, 0},
        {VMCS_GUEST_IA32_SYSENTER_ESP, 0},
        {VMCS_GUEST_IA32_SYSENTER_EIP, 0},
        {VMCS_GUEST_ACTIVITY_STATE, VMX_ACTIVITY_ACTIVE},
        {VMCS_GUEST_SMBASE, 0},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
        x86_vmx_vmwrite(values[i].field, values[i].value);
    fill_timer(controls);
    fill_encls(controls);
    vmx_apic_fill(v);
}
