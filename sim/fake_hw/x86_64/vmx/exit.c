/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VM exits: SDM volume 3, chapter on VM exits, whose sections on recording
 * information, on saving guest state and on loading host state are followed in
 * that order. Fields that an exit leaves undefined keep what they had.
 */
#include "sim/fake_hw/x86_64/vmx/guest.h"

/* The event on its way, which common code has as exceptions and interrupts
 * only: that of INT3 and of INT1 have types of their own. */
static uint64_t vectoring_info(const struct fake_x86 *cpu)
{
    uint64_t info = cpu->delivering & UINT32_MAX;

    if (cpu->soft_length == 0 || cpu->source == NULL || cpu->source->op == NULL)
        return info;
    if (FIELD_GET(VMX_EVENT_TYPE, info) != VMX_EVENT_EXCEPTION)
        return info;
    return (info & ~VMX_EVENT_TYPE) |
           FIELD_PUT(VMX_EVENT_TYPE, cpu_op(cpu)->kind == OP_X86_ICEBP
                                         ? VMX_EVENT_PRIVILEGED_EXCEPTION
                                         : VMX_EVENT_SOFTWARE_EXCEPTION);
}

static void record_vectoring(struct fake_x86 *cpu)
{
    uint64_t info = vectoring_info(cpu);

    VMCS(cpu, IDT_VECTORING_INFO) = info;
    if ((info & VMX_EVENT_VALID) == 0)
        return;
    if ((info & VMX_EVENT_ERROR_CODE) != 0)
        VMCS(cpu, IDT_VECTORING_ERROR_CODE) =
            FIELD_GET(EVENT_ERRORCODE, cpu->delivering);
    if (FIELD_GET(VMX_EVENT_TYPE, info) >= VMX_EVENT_SOFTWARE_INTERRUPT)
        VMCS(cpu, EXIT_INSTRUCTION_LENGTH) = cpu->soft_length;
}

static void record(struct fake_x86 *cpu, const struct fake_vmx_exit *exit)
{
    uint32_t interruption = exit->interruption;

    if (cpu->vmx_guest.nmi_unblocked && (interruption & VMX_EVENT_VALID) != 0 &&
        FIELD_GET(VMX_EVENT_VECTOR, interruption) != X86_VECTOR_DF)
        interruption |= (uint32_t)VMX_EVENT_NMI_UNBLOCKED;
    VMCS(cpu, EXIT_REASON) = exit->reason;
    VMCS(cpu, EXIT_QUALIFICATION) = exit->qualification;
    VMCS(cpu, EXIT_INTERRUPTION_INFO) = interruption;
    if ((interruption & VMX_EVENT_ERROR_CODE) != 0)
        VMCS(cpu, EXIT_INTERRUPTION_ERROR_CODE) = exit->error;
    record_vectoring(cpu);
    if (exit->has_length)
        VMCS(cpu, EXIT_INSTRUCTION_LENGTH) =
            exit->length != 0 ? exit->length : cpu->source->op_length;
}

static void set_rf(struct fake_x86 *cpu, enum fake_vmx_rf rf)
{
    if (rf == VMX_RF_CLEAR)
        cpu->state.rflags &= ~X86_RFLAGS_RF;
    if (rf == VMX_RF_SET && cpu->delivering == 0)
        cpu->state.rflags |= X86_RFLAGS_RF;
}

void fake_vmx_leave(struct fake_x86 *cpu)
{
    fake_vmx_load_host(cpu);
    fake_vmx_load_host_msrs(cpu);
    fake_vmx_drop_untagged(cpu);
    cpu->delivering = 0;
    cpu->exited = true;
    if (cpu->source != NULL)
        cpu->source->result.exits++;
}

void fake_vmx_exit(struct fake_x86 *cpu, const struct fake_vmx_exit *exit)
{
    VMCS(cpu, ENTRY_INTERRUPTION_INFO) &= ~VMX_EVENT_VALID;
    record(cpu, exit);
    set_rf(cpu, exit->rf);
    fake_vmx_save_guest(cpu);
    fake_vmx_store_msrs(cpu);
    fake_vmx_leave(cpu);
}

void fake_vmx_op_exit(struct fake_x86 *cpu, const struct fake_vmx_exit *exit)
{
    cpu->source->op_exited = true;
    cpu->source->op_injected = false;
    fake_vmx_exit(cpu, exit);
}

void fake_vmx_insn_exit(struct fake_x86 *cpu, enum vmx_reason reason,
                        uint64_t qualification)
{
    uint32_t info = fake_vmx_insn_info(cpu);

    if (info != 0)
        VMCS(cpu, EXIT_INSTRUCTION_INFO) = info;
    fake_vmx_op_exit(cpu,
                     &(struct fake_vmx_exit){.reason = reason,
                                             .rf = VMX_RF_CLEAR,
                                             .qualification = qualification,
                                             .has_length = true});
}
