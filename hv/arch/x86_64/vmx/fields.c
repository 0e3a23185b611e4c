/* SPDX-License-Identifier: Apache-2.0 */
/* Which fields of the VMCS an exit brings in: see fields.h. */
#include "arch/x86_64/vmx/fields.h"

#define INSTRUCTION VMX_FIELD(length)
/* What the code at RIP is found by, in 64-bit mode. */
#define CODE (VMX_FIELD(cr3) | VMX_FIELD(efer) | VMX_FIELD(cs_access))

/* Reasons that are not here have none: they are decoded by what all exits
 * bring, or stop the VM. */
const uint32_t vmx_fields_of_reason[VMX_REASON_MAX] = {
    [VMX_REASON_EXCEPTION_NMI] = VMX_FIELD(interruption) |
                                 VMX_FIELD(error_code) |
                                 VMX_FIELD(qualification),
    [VMX_REASON_EXTERNAL_INTERRUPT] = VMX_FIELD(interruption),
    [VMX_REASON_TASK_SWITCH] = INSTRUCTION | VMX_FIELD(qualification),
    [VMX_REASON_CPUID] = INSTRUCTION,
    [VMX_REASON_HLT] = INSTRUCTION,
    [VMX_REASON_INVD] = INSTRUCTION,
    [VMX_REASON_VMCALL] = INSTRUCTION,
    [VMX_REASON_CR_ACCESS] = INSTRUCTION | VMX_FIELD(qualification) | CODE,
    [VMX_REASON_IO_INSTRUCTION] = INSTRUCTION | VMX_FIELD(qualification),
    [VMX_REASON_RDMSR] = INSTRUCTION,
    [VMX_REASON_WRMSR] = INSTRUCTION,
    [VMX_REASON_ENTRY_GUEST_STATE] = VMX_FIELD(qualification),
    [VMX_REASON_ENTRY_MSR_LOADING] = VMX_FIELD(qualification),
    [VMX_REASON_EPT_VIOLATION] =
        VMX_FIELD(qualification) | VMX_FIELD(guest_physical) | CODE,
    [VMX_REASON_EPT_MISCONFIGURATION] = VMX_FIELD(guest_physical),
    [VMX_REASON_WBINVD] = INSTRUCTION,
    [VMX_REASON_XSETBV] = INSTRUCTION,
};

const uint16_t vmx_field_encodings[VMX_FIELD_COUNT] = {
#define X(member, field) [VMX_FIELD_##member] = VMCS_##field,
    VMX_EXIT_FIELDS(X)
#undef X
};
