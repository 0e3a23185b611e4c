/* SPDX-License-Identifier: Apache-2.0 */
/* Which fields of the VMCS an exit brings in: see fields.h. */
#include "arch/x86_64/vmx/fields.h"

/* Reasons that are not here have none: they are decoded by what all exits
 * bring, or stop the VM. Of the stack pointer, none of those has need. */
const uint32_t vmx_fields_of_reason[VMX_REASON_MAX] = {
    [VMX_REASON_EXCEPTION_NMI] = VMX_FIELD(interruption) |
                                 VMX_FIELD(error_code) |
                                 VMX_FIELD(idt_vectoring) | VMX_WITH_RSP,
    [VMX_REASON_EXTERNAL_INTERRUPT] = VMX_FIELD(interruption),
    [VMX_REASON_TASK_SWITCH] = VMX_FIELD(idt_vectoring) | VMX_WITH_RSP,
    [VMX_REASON_CR_ACCESS] = VMX_FIELDS_OF_CODE,
    [VMX_REASON_APIC_ACCESS] = VMX_FIELD(idt_vectoring) | VMX_FIELDS_OF_CODE,
    [VMX_REASON_EPT_VIOLATION] = VMX_FIELDS_OF_EPT_VIOLATION,
    [VMX_REASON_EPT_MISCONFIGURATION] =
        VMX_FIELD(guest_physical) | VMX_FIELD(idt_vectoring),
};
