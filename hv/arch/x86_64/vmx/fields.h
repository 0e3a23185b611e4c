/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hypervisor knows of an exit without a VMREAD: fields that each exit
 * brings in, fields that some do, and which.
 *
 * One table says so (vmx_exit_fields()): the world switch reads these fields,
 * and a trace records them, so that a replay needs no VMCS. What is needed more
 * rarely is read when it is, by x86_vmx_vmread().
 */
#ifndef ARCH_X86_64_VMX_FIELDS_H
#define ARCH_X86_64_VMX_FIELDS_H

#include <stdint.h>

#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/vmcs.h"

/* clang-format off */
/* X(member, field of the VMCS). With each exit. */
#define VMX_FIELDS_ALWAYS(X)                                                   \
    X(rip,               GUEST_RIP)                                            \
    X(reason,            EXIT_REASON)                                          \
    X(rflags,            GUEST_RFLAGS)                                         \
    X(interruptibility,  GUEST_INTERRUPTIBILITY_STATE)                         \
    X(length,            EXIT_INSTRUCTION_LENGTH)                              \
    X(qualification,     EXIT_QUALIFICATION)

/* With some. */
#define VMX_FIELDS_SOMETIMES(X)                                                \
    X(idt_vectoring,     IDT_VECTORING_INFO)                                   \
    X(interruption,      EXIT_INTERRUPTION_INFO)                               \
    X(error_code,        EXIT_INTERRUPTION_ERROR_CODE)                         \
    X(guest_physical,    GUEST_PHYSICAL_ADDRESS)                               \
    X(cr3,               GUEST_CR3)                                            \
    X(efer,              GUEST_IA32_EFER)                                      \
    X(cs_access,         GUEST_CS_ACCESS_RIGHTS)
/* clang-format on */

#define VMX_EXIT_FIELDS(X) VMX_FIELDS_ALWAYS(X) VMX_FIELDS_SOMETIMES(X)

/* Zero-extended. An entry that failed has no exit: then `reason` is
 * VMX_ENTRY_REFUSED, with the VM-instruction error, or 0 for VMfailInvalid. */
struct vmx_exit {
#define X(member, field) uint64_t member;
    VMX_EXIT_FIELDS(X)
#undef X
};

#define VMX_ENTRY_REFUSED BIT(32)
#define VMX_REASON_MAX    128 /* basic reasons are below */

/* Their numbers: bit n of a set of fields. */
enum vmx_exit_field {
#define X(member, field) VMX_FIELD_##member,
    VMX_EXIT_FIELDS(X)
#undef X
        VMX_FIELD_COUNT
};

#define VMX_FIELD(member) BIT(VMX_FIELD_##member)
/* In a set, too: RSP, which is one of the general registers. */
#define VMX_WITH_RSP BIT(VMX_FIELD_COUNT)

#define X(member, field)        +1
#define VMX_FIELDS_ALWAYS_COUNT (0 VMX_FIELDS_ALWAYS(X))
enum { VMX_ALWAYS = VMX_FIELDS_ALWAYS_COUNT };
#undef X

/* The fields of an exit of basic reason n, below VMX_REASON_MAX, that come
 * sometimes. */
extern const uint32_t vmx_fields_of_reason[VMX_REASON_MAX];

/* Those of the most frequent one: what the code at RIP is found by, in 64-bit
 * mode, besides what the fault is. An exit while an event is delivered has the
 * IDT-vectoring information. */
#define VMX_FIELDS_OF_CODE \
    (VMX_FIELD(cr3) | VMX_FIELD(efer) | VMX_FIELD(cs_access) | VMX_WITH_RSP)
#define VMX_FIELDS_OF_EPT_VIOLATION \
    (VMX_FIELD(guest_physical) | VMX_FIELD(idt_vectoring) | VMX_FIELDS_OF_CODE)

#endif
