/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VMX instructions and exits report: VM-instruction errors, exit reasons,
 * and the bits of the fields that say more. Intel SDM volume 3: the chapters on
 * the VMCS, on VM exits and on VMX instructions, appendix C, whose names are
 * used.
 */
#ifndef ARCH_X86_64_VMX_EXIT_H
#define ARCH_X86_64_VMX_EXIT_H

#include <stdint.h>

#include "lib/bits.h"

/* Of VMfailValid. X(number, name, text) */
/* clang-format off */
#define VMX_ERRORS(X)                                                          \
    X(1, VMCALL_IN_ROOT, "VMCALL in VMX root operation")                       \
    X(2, VMCLEAR_ADDRESS, "VMCLEAR with an invalid physical address")          \
    X(3, VMCLEAR_VMXON, "VMCLEAR with the VMXON pointer")                      \
    X(4, VMLAUNCH_NOT_CLEAR, "VMLAUNCH with a VMCS that is not clear")         \
    X(5, VMRESUME_NOT_LAUNCHED, "VMRESUME with a VMCS that is not launched")   \
    X(6, VMRESUME_AFTER_VMXOFF, "VMRESUME after VMXOFF")                       \
    X(7, ENTRY_CONTROLS, "VM entry with invalid control fields")               \
    X(8, ENTRY_HOST_STATE, "VM entry with invalid host-state fields")          \
    X(9, VMPTRLD_ADDRESS, "VMPTRLD with an invalid physical address")          \
    X(10, VMPTRLD_VMXON, "VMPTRLD with the VMXON pointer")                     \
    X(11, VMPTRLD_REVISION, "VMPTRLD with another VMCS revision identifier")   \
    X(12, UNSUPPORTED_FIELD, "VMREAD or VMWRITE of an unsupported field")      \
    X(13, VMWRITE_READ_ONLY, "VMWRITE to a read-only field")                   \
    X(15, VMXON_IN_ROOT, "VMXON in VMX root operation")                        \
    X(16, EXECUTIVE_POINTER, "VM entry with an invalid executive-VMCS pointer")\
    X(17, EXECUTIVE_NOT_LAUNCHED, "VM entry with an executive VMCS that is "   \
                                  "not launched")                              \
    X(18, EXECUTIVE_NOT_VMXON, "VM entry with an executive-VMCS pointer that " \
                               "is not the VMXON pointer")                     \
    X(19, VMCALL_NOT_CLEAR, "VMCALL with a VMCS that is not clear")            \
    X(20, VMCALL_EXIT_CONTROLS, "VMCALL with invalid VM-exit control fields")  \
    X(22, VMCALL_MSEG_REVISION, "VMCALL with another MSEG revision identifier")\
    X(23, VMXOFF_DUAL_MONITOR, "VMXOFF under dual-monitor treatment")          \
    X(24, VMCALL_SMM_FEATURES, "VMCALL with invalid SMM-monitor features")     \
    X(25, EXECUTIVE_CONTROLS, "VM entry with invalid VM-execution control "    \
                              "fields in the executive VMCS")                  \
    X(26, ENTRY_MOV_SS, "VM entry with events blocked by MOV SS")              \
    X(28, INVALIDATION_OPERAND, "invalid operand of INVEPT or INVVPID")

/* X(number, name, text) */
#define VMX_REASONS(X)                                                         \
    X(0, EXCEPTION_NMI, "exception or NMI")                                    \
    X(1, EXTERNAL_INTERRUPT, "external interrupt")                             \
    X(2, TRIPLE_FAULT, "triple fault")                                         \
    X(3, INIT, "INIT signal")                                                  \
    X(4, SIPI, "start-up IPI")                                                 \
    X(5, IO_SMI, "I/O SMI")                                                    \
    X(6, OTHER_SMI, "other SMI")                                               \
    X(7, INTERRUPT_WINDOW, "interrupt window")                                 \
    X(8, NMI_WINDOW, "NMI window")                                             \
    X(9, TASK_SWITCH, "task switch")                                           \
    X(10, CPUID, "CPUID")                                                      \
    X(11, GETSEC, "GETSEC")                                                    \
    X(12, HLT, "HLT")                                                          \
    X(13, INVD, "INVD")                                                        \
    X(14, INVLPG, "INVLPG")                                                    \
    X(15, RDPMC, "RDPMC")                                                      \
    X(16, RDTSC, "RDTSC")                                                      \
    X(17, RSM, "RSM")                                                          \
    X(18, VMCALL, "VMCALL")                                                    \
    X(19, VMCLEAR, "VMCLEAR")                                                  \
    X(20, VMLAUNCH, "VMLAUNCH")                                                \
    X(21, VMPTRLD, "VMPTRLD")                                                  \
    X(22, VMPTRST, "VMPTRST")                                                  \
    X(23, VMREAD, "VMREAD")                                                    \
    X(24, VMRESUME, "VMRESUME")                                                \
    X(25, VMWRITE, "VMWRITE")                                                  \
    X(26, VMXOFF, "VMXOFF")                                                    \
    X(27, VMXON, "VMXON")                                                      \
    X(28, CR_ACCESS, "control-register access")                                \
    X(29, MOV_DR, "MOV DR")                                                    \
    X(30, IO_INSTRUCTION, "I/O instruction")                                   \
    X(31, RDMSR, "RDMSR")                                                      \
    X(32, WRMSR, "WRMSR")                                                      \
    X(33, ENTRY_GUEST_STATE, "VM-entry failure: invalid guest state")          \
    X(34, ENTRY_MSR_LOADING, "VM-entry failure: MSR loading")                  \
    X(36, MWAIT, "MWAIT")                                                      \
    X(37, MONITOR_TRAP_FLAG, "monitor trap flag")                              \
    X(39, MONITOR, "MONITOR")                                                  \
    X(40, PAUSE, "PAUSE")                                                      \
    X(41, ENTRY_MACHINE_CHECK, "VM-entry failure: machine-check event")        \
    X(43, TPR_BELOW_THRESHOLD, "TPR below threshold")                          \
    X(44, APIC_ACCESS, "APIC access")                                          \
    X(45, VIRTUALIZED_EOI, "virtualized EOI")                                  \
    X(46, GDTR_IDTR_ACCESS, "access to GDTR or IDTR")                          \
    X(47, LDTR_TR_ACCESS, "access to LDTR or TR")                              \
    X(48, EPT_VIOLATION, "EPT violation")                                      \
    X(49, EPT_MISCONFIGURATION, "EPT misconfiguration")                        \
    X(50, INVEPT, "INVEPT")                                                    \
    X(51, RDTSCP, "RDTSCP")                                                    \
    X(52, PREEMPTION_TIMER, "VMX-preemption timer expired")                    \
    X(53, INVVPID, "INVVPID")                                                  \
    X(54, WBINVD, "WBINVD or WBNOINVD")                                        \
    X(55, XSETBV, "XSETBV")                                                    \
    X(56, APIC_WRITE, "APIC write")                                            \
    X(57, RDRAND, "RDRAND")                                                    \
    X(58, INVPCID, "INVPCID")                                                  \
    X(59, VMFUNC, "VMFUNC")                                                    \
    X(60, ENCLS, "ENCLS")                                                      \
    X(61, RDSEED, "RDSEED")                                                    \
    X(62, PML_FULL, "page-modification log full")                              \
    X(63, XSAVES, "XSAVES")                                                    \
    X(64, XRSTORS, "XRSTORS")                                                  \
    X(65, PCONFIG, "PCONFIG")                                                  \
    X(66, SPP_EVENT, "SPP-related event")                                      \
    X(67, UMWAIT, "UMWAIT")                                                    \
    X(68, TPAUSE, "TPAUSE")                                                    \
    X(69, LOADIWKEY, "LOADIWKEY")                                              \
    X(70, ENCLV, "ENCLV")                                                      \
    X(72, ENQCMD, "ENQCMD PASID translation failure")                          \
    X(73, ENQCMDS, "ENQCMDS PASID translation failure")                        \
    X(74, BUS_LOCK, "bus lock")                                                \
    X(75, INSTRUCTION_TIMEOUT, "instruction timeout")                          \
    X(76, SEAMCALL, "SEAMCALL")                                                \
    X(77, TDCALL, "TDCALL")                                                    \
    X(78, RDMSRLIST, "RDMSRLIST")                                              \
    X(79, WRMSRLIST, "WRMSRLIST")                                              \
    X(80, URDMSR, "URDMSR")                                                    \
    X(81, UWRMSR, "UWRMSR")
/* clang-format on */

enum vmx_error {
#define X(number, name, text) VMX_ERROR_##name = (number),
    VMX_ERRORS(X)
#undef X
};

enum vmx_reason {
#define X(number, name, text) VMX_REASON_##name = (number),
    VMX_REASONS(X)
#undef X
};

/* Exit reason. */
#define VMX_REASON_BASIC         BIT_MASK(15, 0)
#define VMX_REASON_BUS_LOCK_TOO  BIT(26)
#define VMX_REASON_ENCLAVE       BIT(27)
#define VMX_REASON_PENDING_MTF   BIT(28)
#define VMX_REASON_FROM_ROOT     BIT(29)
#define VMX_REASON_ENTRY_FAILURE BIT(31)

/* Exit qualification of an entry that fails for the guest's state; 0 for all
 * other reasons. That of MSR loading is the entry's number, from 1 on. */
enum vmx_entry_failure {
    VMX_ENTRY_FAILURE_PDPTES = 2,
    VMX_ENTRY_FAILURE_NMI = 3, /* injected while blocked by STI, MOV SS */
    VMX_ENTRY_FAILURE_LINK_POINTER = 4,
};

/* Interruption information: of VM entries, of VM exits, IDT-vectoring. */
#define VMX_EVENT_VECTOR        BIT_MASK(7, 0)
#define VMX_EVENT_TYPE          BIT_MASK(10, 8)
#define VMX_EVENT_ERROR_CODE    BIT(11) /* there is one */
#define VMX_EVENT_NMI_UNBLOCKED BIT(12) /* due to IRET; of exits only */
#define VMX_EVENT_VALID         BIT(31)
#define VMX_EVENT_RESERVED      BIT_MASK(30, 12) /* at entries */

enum vmx_event_type {
    VMX_EVENT_INTERRUPT = 0, /* external */
    VMX_EVENT_NMI = 2,
    VMX_EVENT_EXCEPTION = 3,            /* of hardware */
    VMX_EVENT_SOFTWARE_INTERRUPT = 4,   /* INT n */
    VMX_EVENT_PRIVILEGED_EXCEPTION = 5, /* INT1 */
    VMX_EVENT_SOFTWARE_EXCEPTION = 6,   /* INT3, INTO */
    VMX_EVENT_OTHER = 7,                /* with vector 0: pending MTF exit */
};

/* Segments' access rights. */
#define VMX_AR_TYPE     BIT_MASK(3, 0)
#define VMX_AR_S        BIT(4)
#define VMX_AR_DPL      BIT_MASK(6, 5)
#define VMX_AR_P        BIT(7)
#define VMX_AR_AVL      BIT(12)
#define VMX_AR_L        BIT(13)
#define VMX_AR_DB       BIT(14)
#define VMX_AR_G        BIT(15)
#define VMX_AR_UNUSABLE BIT(16)
#define VMX_AR_RESERVED (BIT_MASK(31, 17) | BIT_MASK(11, 8))

/* Interruptibility state. */
#define VMX_BLOCKING_STI      BIT(0)
#define VMX_BLOCKING_MOV_SS   BIT(1)
#define VMX_BLOCKING_SMI      BIT(2)
#define VMX_BLOCKING_NMI      BIT(3)
#define VMX_BLOCKING_ENCLAVE  BIT(4) /* an enclave was interrupted */
#define VMX_BLOCKING_RESERVED BIT_MASK(31, 5)

enum vmx_activity {
    VMX_ACTIVITY_ACTIVE,
    VMX_ACTIVITY_HLT,
    VMX_ACTIVITY_SHUTDOWN,
    VMX_ACTIVITY_WAIT_FOR_SIPI,
};

/* Pending debug exceptions; bits 3:0 are DR6's. A VM exit may leave a bus lock
 * pending, which no VM entry takes. */
#define VMX_PENDING_B       BIT_MASK(3, 0)
#define VMX_PENDING_BLD     BIT(11) /* bus lock */
#define VMX_PENDING_ENABLED BIT(12) /* a breakpoint that was enabled */
#define VMX_PENDING_BS      BIT(14)
#define VMX_PENDING_RTM     BIT(16)
#define VMX_PENDING_RESERVED \
    (~(VMX_PENDING_B | VMX_PENDING_ENABLED | VMX_PENDING_BS | VMX_PENDING_RTM))

/* Exit qualification of EPT violations. */
#define VMX_EPT_READ          BIT(0)
#define VMX_EPT_WRITE         BIT(1)
#define VMX_EPT_FETCH         BIT(2)
#define VMX_EPT_READABLE      BIT(3)
#define VMX_EPT_WRITABLE      BIT(4)
#define VMX_EPT_EXECUTABLE    BIT(5)
#define VMX_EPT_EXECUTABLE_U  BIT(6) /* with mode-based execute control */
#define VMX_EPT_LINEAR        BIT(7) /* the guest-linear address is valid */
#define VMX_EPT_FINAL         BIT(8) /* its translation; else its page walk */
#define VMX_EPT_LINEAR_USER   BIT(9) /* 9 to 11: with "advanced" information */
#define VMX_EPT_LINEAR_WRITE  BIT(10)
#define VMX_EPT_LINEAR_NX     BIT(11)
#define VMX_EPT_NMI_UNBLOCKED BIT(12)
#define VMX_EPT_SHADOW_STACK  BIT(13)

/* Exit qualification of control-register accesses. */
#define VMX_CR_NUMBER       BIT_MASK(3, 0)
#define VMX_CR_TYPE         BIT_MASK(5, 4)
#define VMX_CR_LMSW_MEMORY  BIT(6)
#define VMX_CR_GPR          BIT_MASK(11, 8)
#define VMX_CR_LMSW_OPERAND BIT_MASK(31, 16)

enum vmx_cr_type {
    VMX_CR_TO,
    VMX_CR_FROM,
    VMX_CR_CLTS,
    VMX_CR_LMSW,
};

/* Of MOV DR. */
#define VMX_DR_NUMBER BIT_MASK(2, 0)
#define VMX_DR_FROM   BIT(4)
#define VMX_DR_GPR    BIT_MASK(11, 8)

/* Of I/O instructions. */
#define VMX_IO_SIZE      BIT_MASK(2, 0) /* in bytes, less 1 */
#define VMX_IO_IN        BIT(3)
#define VMX_IO_STRING    BIT(4)
#define VMX_IO_REP       BIT(5)
#define VMX_IO_IMMEDIATE BIT(6)
#define VMX_IO_PORT      BIT_MASK(31, 16)

/* Of task switches. */
#define VMX_TASK_SELECTOR BIT_MASK(15, 0)
#define VMX_TASK_SOURCE   BIT_MASK(31, 30)

enum vmx_task_source {
    VMX_TASK_CALL,
    VMX_TASK_IRET,
    VMX_TASK_JMP,
    VMX_TASK_GATE, /* in the IDT */
};

/* Of APIC accesses. */
#define VMX_APIC_OFFSET BIT_MASK(11, 0)
#define VMX_APIC_TYPE   BIT_MASK(15, 12)

enum vmx_apic_type {
    VMX_APIC_READ,
    VMX_APIC_WRITE,
    VMX_APIC_FETCH,
    VMX_APIC_DELIVERY,               /* an access while an event is delivered */
    VMX_APIC_PHYSICAL_DELIVERY = 10, /* the same by guest-physical address */
    VMX_APIC_PHYSICAL = 15,
};

/* Of virtualized EOIs. */
#define VMX_EOI_VECTOR BIT_MASK(7, 0)

/* Guest interrupt status: the highest vectors that are requested, in service.
 */
#define VMX_STATUS_RVI BIT_MASK(7, 0)
#define VMX_STATUS_SVI BIT_MASK(15, 8)

/* Of INIT, SIPI: the vector. Of debug exceptions: DR6's bits. */
#define VMX_SIPI_VECTOR BIT_MASK(7, 0)
#define VMX_DEBUG_B     BIT_MASK(3, 0)
#define VMX_DEBUG_BLD   BIT(11)
#define VMX_DEBUG_BD    BIT(13)
#define VMX_DEBUG_BS    BIT(14)
#define VMX_DEBUG_RTM   BIT(16)

/* VM-exit instruction information, as far as most instructions have it: what
 * addresses memory, and registers. */
#define VMX_INSN_SCALE        BIT_MASK(1, 0)
#define VMX_INSN_REG1         BIT_MASK(6, 3)
#define VMX_INSN_ADDRESS_SIZE BIT_MASK(9, 7) /* 0: 16 bits, 1: 32, 2: 64 */
#define VMX_INSN_REGISTER     BIT(10)        /* the operand is no memory */
#define VMX_INSN_OPERAND_SIZE BIT(11)        /* of LGDT and so on: 32 bits */
#define VMX_INSN_SEGMENT      BIT_MASK(17, 15)
#define VMX_INSN_INDEX        BIT_MASK(21, 18)
#define VMX_INSN_NO_INDEX     BIT(22)
#define VMX_INSN_BASE         BIT_MASK(26, 23)
#define VMX_INSN_NO_BASE      BIT(27)
#define VMX_INSN_REG2         BIT_MASK(31, 28)
#define VMX_INSN_TABLE        BIT_MASK(29, 28) /* enum vmx_table_insn */

/* Bits 1:0: LGDT and so on; LLDT and so on. */
enum vmx_table_insn {
    VMX_INSN_SGDT = 0,
    VMX_INSN_SIDT = 1,
    VMX_INSN_LGDT = 2,
    VMX_INSN_LIDT = 3,
    VMX_INSN_SLDT = 0,
    VMX_INSN_STR = 1,
    VMX_INSN_LLDT = 2,
    VMX_INSN_LTR = 3,
};

/* EPTP. */
#define VMX_EPTP_MEMORY_TYPE  BIT_MASK(2, 0)
#define VMX_EPTP_WALK         BIT_MASK(5, 3) /* levels, less 1 */
#define VMX_EPTP_AD           BIT(6)         /* accessed and dirty flags */
#define VMX_EPTP_SHADOW_STACK BIT(7)
#define VMX_EPTP_RESERVED     BIT_MASK(11, 8)

enum vmx_memory_type {
    VMX_MEMORY_UC = 0,
    VMX_MEMORY_WB = 6,
};

enum vmx_invept {
    VMX_INVEPT_SINGLE_CONTEXT = 1,
    VMX_INVEPT_ALL_CONTEXTS = 2,
};

enum vmx_invvpid {
    VMX_INVVPID_ADDRESS,
    VMX_INVVPID_SINGLE_CONTEXT,
    VMX_INVVPID_ALL_CONTEXTS,
    VMX_INVVPID_RETAINING_GLOBALS, /* of a single context */
};

/* An entry of the lists of MSRs to load and to store, 16 bytes. */
struct vmx_msr_entry {
    uint32_t index;
    uint32_t reserved;
    uint64_t data;
};

#endif
