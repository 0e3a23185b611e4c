/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: the VM-entry interruption information carries one into the guest,
 * the IDT-vectoring information says which one an exit has cut short (SDM
 * volume 3, sections 27.6 and 28.2.4). Two controls ask for an exit as soon as
 * the guest takes an interrupt, or an NMI; with virtual NMIs the processor
 * knows itself when the handler of one has ended.
 */
#include "arch/x86_64/vmx/vmx.h"

#define INFO   BIT_MASK(31, 0) /* of struct vmx_vcpu's event */
#define SHADOW (VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS)

/*
 * A handler is entered without a shadow, so that the one in which the guest is
 * ends here; and with it a single step's trap that has been held back, which
 * goes with the exception or is lost, as it is where nobody intercepts.
 */
static void leave_shadow(struct vmx_vcpu *v, uint8_t vector)
{
    if (vector == X86_VECTOR_DB || (v->exit.interruptibility & SHADOW) != 0)
        x86_vmx_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    x86_end_shadow(&v->x86);
}

void vmx_sets_event(struct x86_vcpu *x86, const struct x86_event *event)
{
    if (event->type == X86_EVENT_EXCEPTION)
        leave_shadow(vmx_of(x86), event->vector);
}

bool vmx_takes_interrupt(const struct x86_vcpu *x86)
{
    const struct vmx_vcpu *v = vmx_of_const(x86);

    return (v->exit.rflags & X86_RFLAGS_IF) != 0 &&
           (v->exit.interruptibility & SHADOW) == 0;
}

bool vmx_takes_nmi(const struct x86_vcpu *x86)
{
    return (vmx_of_const(x86)->exit.interruptibility &
            (SHADOW | VMX_BLOCKING_NMI)) == 0;
}

void vmx_set_windows(struct x86_vcpu *x86, bool interrupt, bool nmi)
{
    struct vmx_vcpu *v = vmx_of(x86);
    uint32_t controls;

    v->windows = (uint32_t)((interrupt ? VMX_CPU_INTERRUPT_WINDOW_EXITING : 0) |
                            (nmi ? VMX_CPU_NMI_WINDOW_EXITING : 0));
    controls = vmx_cpu_controls(v);
    if (controls == v->cpu_controls)
        return;
    v->cpu_controls = controls;
    x86_vmx_vmwrite(VMCS_PRIMARY_CONTROLS, controls);
}

void vmx_set_nmi_blocking(struct x86_vcpu *x86, bool on)
{
    uint64_t *state = &vmx_of(x86)->exit.interruptibility;

    *state = on ? *state | VMX_BLOCKING_NMI : *state & ~VMX_BLOCKING_NMI;
}

/* A #DB that exits has not changed DR6 and DR7. */
void vmx_take_exception(struct x86_vcpu *x86, uint8_t vector)
{
    const uint64_t bits = VMX_DEBUG_B | VMX_DEBUG_BD | VMX_DEBUG_BS;
    uint64_t why = vmx_of_const(x86)->exit.qualification;

    if (vector != X86_VECTOR_DB)
        return;
    x86_hw_write_dr6((x86_hw_read_dr6() & ~VMX_DEBUG_B) | (why & bits));
    if ((why & VMX_DEBUG_BD) != 0)
        vmx_set(x86, X86_REG_DR7, vmx_get(x86, X86_REG_DR7) & ~X86_DR7_GD);
}

/* After exits ------------------------------------------------------------ */

static bool has_error_code(uint64_t vector)
{
    return (X86_ERROR_CODE_VECTORS & BIT(vector)) != 0 &&
           (x86_vmx_get(VMCS_GUEST_CR0) & X86_CR0_PE) != 0;
}

/*
 * INT n, INT3, INTO and INT1 come again by themselves: RIP is at them. Of the
 * others an entry takes what the guest could have been taking; a processor does
 * not leave anything else.
 */
static bool is_resumed(const struct vmx_vcpu *v, uint64_t info)
{
    uint64_t vector = FIELD_GET(VMX_EVENT_VECTOR, info);
    bool has_error = (info & VMX_EVENT_ERROR_CODE) != 0;

    switch ((enum vmx_event_type)FIELD_GET(VMX_EVENT_TYPE, info)) {
    case VMX_EVENT_INTERRUPT: return !has_error && vmx_takes_interrupt(&v->x86);
    case VMX_EVENT_NMI:
        return !has_error && vector == X86_VECTOR_NMI &&
               (v->exit.interruptibility & VMX_BLOCKING_MOV_SS) == 0;
    case VMX_EVENT_EXCEPTION:
        return vector < X86_EXCEPTIONS && has_error == has_error_code(vector);
    default: return false;
    }
}

void vmx_resume_event(struct vmx_vcpu *v)
{
    uint64_t info = v->exit.idt_vectoring & INFO & ~VMX_EVENT_RESERVED;

    if (!is_resumed(v, info))
        return;
    v->event = info;
    if ((info & VMX_EVENT_ERROR_CODE) != 0)
        v->event |=
            FIELD_PUT(X86_EVENT_ERROR_CODE,
                      x86_vmx_get(VMCS_IDT_VECTORING_ERROR_CODE) & UINT16_MAX);
    /* Its delivery has begun, and will begin again. */
    if (FIELD_GET(VMX_EVENT_TYPE, info) == VMX_EVENT_NMI)
        v->exit.interruptibility &= ~VMX_BLOCKING_NMI;
}

void vmx_block_nmi(struct vmx_vcpu *v)
{
    if ((v->exit.idt_vectoring & VMX_EVENT_VALID) == 0)
        v->exit.interruptibility |= VMX_BLOCKING_NMI;
}

void vmx_take_interruption(struct vmx_vcpu *v)
{
    struct vmx_exit *exit = &v->exit;
    uint64_t info = exit->interruption;

    if (exit->reason == VMX_REASON_EXTERNAL_INTERRUPT ||
        FIELD_GET(VMX_EVENT_TYPE, info) == VMX_EVENT_NMI)
        x86_vmx_host_event((uint32_t)info);
    else if ((info & VMX_EVENT_NMI_UNBLOCKED) != 0)
        vmx_block_nmi(v);
}
