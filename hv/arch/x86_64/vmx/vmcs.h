/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual-machine control structure: its fields and their encodings, and
 * the bits of controls. Intel SDM volume 3: the chapter on the VMCS, appendix B
 * (encodings), whose names are used.
 *
 * The format of the region in memory is the processor's: fields are reached by
 * VMREAD and VMWRITE with an encoding, which alone says how wide a field is and
 * of what kind. The table has a row for each of the 201 fields; appendix B,
 * which has a row for each half of those of 64 bits, lists 275 encodings.
 */
#ifndef ARCH_X86_64_VMX_VMCS_H
#define ARCH_X86_64_VMX_VMCS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bits.h"

/* X(name, encoding, on which processors: VMCS_CONDITIONS) */
/* clang-format off */
#define VMCS_FIELDS_16(X)                                                      \
    X(VPID,                           0x0000, VPID)                            \
    X(POSTED_INTERRUPT_VECTOR,        0x0002, POSTED_INTERRUPTS)               \
    X(EPTP_INDEX,                     0x0004, VE)                              \
    X(HLAT_PREFIX_SIZE,               0x0006, HLAT)                            \
    X(LAST_PID_POINTER_INDEX,         0x0008, IPI_VIRTUALIZATION)              \
    X(GUEST_ES_SELECTOR,              0x0800, ALWAYS)                          \
    X(GUEST_CS_SELECTOR,              0x0802, ALWAYS)                          \
    X(GUEST_SS_SELECTOR,              0x0804, ALWAYS)                          \
    X(GUEST_DS_SELECTOR,              0x0806, ALWAYS)                          \
    X(GUEST_FS_SELECTOR,              0x0808, ALWAYS)                          \
    X(GUEST_GS_SELECTOR,              0x080a, ALWAYS)                          \
    X(GUEST_LDTR_SELECTOR,            0x080c, ALWAYS)                          \
    X(GUEST_TR_SELECTOR,              0x080e, ALWAYS)                          \
    X(GUEST_INTERRUPT_STATUS,         0x0810, VIRTUAL_INTERRUPTS)              \
    X(PML_INDEX,                      0x0812, PML)                             \
    X(GUEST_UINV,                     0x0814, UINV)                            \
    X(HOST_ES_SELECTOR,               0x0c00, ALWAYS)                          \
    X(HOST_CS_SELECTOR,               0x0c02, ALWAYS)                          \
    X(HOST_SS_SELECTOR,               0x0c04, ALWAYS)                          \
    X(HOST_DS_SELECTOR,               0x0c06, ALWAYS)                          \
    X(HOST_FS_SELECTOR,               0x0c08, ALWAYS)                          \
    X(HOST_GS_SELECTOR,               0x0c0a, ALWAYS)                          \
    X(HOST_TR_SELECTOR,               0x0c0c, ALWAYS)

#define VMCS_FIELDS_64(X)                                                      \
    X(IO_BITMAP_A,                    0x2000, ALWAYS)                          \
    X(IO_BITMAP_B,                    0x2002, ALWAYS)                          \
    X(MSR_BITMAPS,                    0x2004, MSR_BITMAPS)                     \
    X(EXIT_MSR_STORE_ADDRESS,         0x2006, ALWAYS)                          \
    X(EXIT_MSR_LOAD_ADDRESS,          0x2008, ALWAYS)                          \
    X(ENTRY_MSR_LOAD_ADDRESS,         0x200a, ALWAYS)                          \
    X(EXECUTIVE_VMCS_POINTER,         0x200c, ALWAYS)                          \
    X(PML_ADDRESS,                    0x200e, PML)                             \
    X(TSC_OFFSET,                     0x2010, ALWAYS)                          \
    X(VIRTUAL_APIC_ADDRESS,           0x2012, TPR_SHADOW)                      \
    X(APIC_ACCESS_ADDRESS,            0x2014, APIC_ACCESSES)                   \
    X(POSTED_INTERRUPT_DESCRIPTOR,    0x2016, POSTED_INTERRUPTS)               \
    X(VM_FUNCTION_CONTROLS,           0x2018, VM_FUNCTIONS)                    \
    X(EPTP,                           0x201a, EPT)                             \
    X(EOI_EXIT0,                      0x201c, VIRTUAL_INTERRUPTS)              \
    X(EOI_EXIT1,                      0x201e, VIRTUAL_INTERRUPTS)              \
    X(EOI_EXIT2,                      0x2020, VIRTUAL_INTERRUPTS)              \
    X(EOI_EXIT3,                      0x2022, VIRTUAL_INTERRUPTS)              \
    X(EPTP_LIST_ADDRESS,              0x2024, EPTP_SWITCHING)                  \
    X(VMREAD_BITMAP,                  0x2026, SHADOWING)                       \
    X(VMWRITE_BITMAP,                 0x2028, SHADOWING)                       \
    X(VE_INFORMATION_ADDRESS,         0x202a, VE)                              \
    X(XSS_EXITING_BITMAP,             0x202c, XSAVES)                          \
    X(ENCLS_EXITING_BITMAP,           0x202e, ENCLS)                           \
    X(SPP_TABLE_POINTER,              0x2030, SPP)                             \
    X(TSC_MULTIPLIER,                 0x2032, TSC_SCALING)                     \
    X(TERTIARY_CONTROLS,              0x2034, TERTIARY)                        \
    X(ENCLV_EXITING_BITMAP,           0x2036, ENCLV)                           \
    X(LOW_PASID_DIRECTORY,            0x2038, PASID)                           \
    X(HIGH_PASID_DIRECTORY,           0x203a, PASID)                           \
    X(SHARED_EPTP,                    0x203c, SEAM)                            \
    X(PCONFIG_EXITING_BITMAP,         0x203e, PCONFIG)                         \
    X(HLATP,                          0x2040, HLAT)                            \
    X(PID_POINTER_TABLE,              0x2042, IPI_VIRTUALIZATION)              \
    X(SECONDARY_EXIT_CONTROLS,        0x2044, SECONDARY_EXIT)                  \
    X(IA32_SPEC_CTRL_MASK,            0x204a, SPEC_CTRL)                       \
    X(IA32_SPEC_CTRL_SHADOW,          0x204c, SPEC_CTRL)                       \
    X(INJECTED_EVENT_DATA,            0x2052, FRED)                            \
    X(GUEST_PHYSICAL_ADDRESS,         0x2400, EPT)                             \
    X(MSR_DATA,                       0x2402, MSR_LIST)                        \
    X(ORIGINAL_EVENT_DATA,            0x2404, FRED)                            \
    X(LINK_POINTER,                   0x2800, ALWAYS)                          \
    X(GUEST_IA32_DEBUGCTL,            0x2802, ALWAYS)                          \
    X(GUEST_IA32_PAT,                 0x2804, GUEST_PAT)                       \
    X(GUEST_IA32_EFER,                0x2806, GUEST_EFER)                      \
    X(GUEST_IA32_PERF_GLOBAL_CTRL,    0x2808, GUEST_PERF)                      \
    X(GUEST_PDPTE0,                   0x280a, EPT)                             \
    X(GUEST_PDPTE1,                   0x280c, EPT)                             \
    X(GUEST_PDPTE2,                   0x280e, EPT)                             \
    X(GUEST_PDPTE3,                   0x2810, EPT)                             \
    X(GUEST_IA32_BNDCFGS,             0x2812, BNDCFGS)                         \
    X(GUEST_IA32_RTIT_CTL,            0x2814, RTIT)                            \
    X(GUEST_IA32_LBR_CTL,             0x2816, LBR)                             \
    X(GUEST_IA32_PKRS,                0x2818, GUEST_PKRS)                      \
    X(GUEST_IA32_FRED_CONFIG,         0x281a, FRED)                            \
    X(GUEST_IA32_FRED_RSP1,           0x281c, FRED)                            \
    X(GUEST_IA32_FRED_RSP2,           0x281e, FRED)                            \
    X(GUEST_IA32_FRED_RSP3,           0x2820, FRED)                            \
    X(GUEST_IA32_FRED_STKLVLS,        0x2822, FRED)                            \
    X(GUEST_IA32_FRED_SSP1,           0x2824, FRED)                            \
    X(GUEST_IA32_FRED_SSP2,           0x2826, FRED)                            \
    X(GUEST_IA32_FRED_SSP3,           0x2828, FRED)                            \
    X(HOST_IA32_PAT,                  0x2c00, HOST_PAT)                        \
    X(HOST_IA32_EFER,                 0x2c02, HOST_EFER)                       \
    X(HOST_IA32_PERF_GLOBAL_CTRL,     0x2c04, HOST_PERF)                       \
    X(HOST_IA32_PKRS,                 0x2c06, HOST_PKRS)                       \
    X(HOST_IA32_FRED_CONFIG,          0x2c08, FRED)                            \
    X(HOST_IA32_FRED_RSP1,            0x2c0a, FRED)                            \
    X(HOST_IA32_FRED_RSP2,            0x2c0c, FRED)                            \
    X(HOST_IA32_FRED_RSP3,            0x2c0e, FRED)                            \
    X(HOST_IA32_FRED_STKLVLS,         0x2c10, FRED)                            \
    X(HOST_IA32_FRED_SSP1,            0x2c12, FRED)                            \
    X(HOST_IA32_FRED_SSP2,            0x2c14, FRED)                            \
    X(HOST_IA32_FRED_SSP3,            0x2c16, FRED)

#define VMCS_FIELDS_32(X)                                                      \
    X(PIN_CONTROLS,                   0x4000, ALWAYS)                          \
    X(PRIMARY_CONTROLS,               0x4002, ALWAYS)                          \
    X(EXCEPTION_BITMAP,               0x4004, ALWAYS)                          \
    X(PAGE_FAULT_ERROR_CODE_MASK,     0x4006, ALWAYS)                          \
    X(PAGE_FAULT_ERROR_CODE_MATCH,    0x4008, ALWAYS)                          \
    X(CR3_TARGET_COUNT,               0x400a, ALWAYS)                          \
    X(EXIT_CONTROLS,                  0x400c, ALWAYS)                          \
    X(EXIT_MSR_STORE_COUNT,           0x400e, ALWAYS)                          \
    X(EXIT_MSR_LOAD_COUNT,            0x4010, ALWAYS)                          \
    X(ENTRY_CONTROLS,                 0x4012, ALWAYS)                          \
    X(ENTRY_MSR_LOAD_COUNT,           0x4014, ALWAYS)                          \
    X(ENTRY_INTERRUPTION_INFO,        0x4016, ALWAYS)                          \
    X(ENTRY_EXCEPTION_ERROR_CODE,     0x4018, ALWAYS)                          \
    X(ENTRY_INSTRUCTION_LENGTH,       0x401a, ALWAYS)                          \
    X(TPR_THRESHOLD,                  0x401c, TPR_SHADOW)                      \
    X(SECONDARY_CONTROLS,             0x401e, SECONDARY)                       \
    X(PLE_GAP,                        0x4020, PLE)                             \
    X(PLE_WINDOW,                     0x4022, PLE)                             \
    X(INSTRUCTION_TIMEOUT,            0x4024, INSTRUCTION_TIMEOUT)             \
    X(SEAM_GUEST_KEYID,               0x4026, SEAM)                            \
    X(VM_INSTRUCTION_ERROR,           0x4400, ALWAYS)                          \
    X(EXIT_REASON,                    0x4402, ALWAYS)                          \
    X(EXIT_INTERRUPTION_INFO,         0x4404, ALWAYS)                          \
    X(EXIT_INTERRUPTION_ERROR_CODE,   0x4406, ALWAYS)                          \
    X(IDT_VECTORING_INFO,             0x4408, ALWAYS)                          \
    X(IDT_VECTORING_ERROR_CODE,       0x440a, ALWAYS)                          \
    X(EXIT_INSTRUCTION_LENGTH,        0x440c, ALWAYS)                          \
    X(EXIT_INSTRUCTION_INFO,          0x440e, ALWAYS)                          \
    X(GUEST_ES_LIMIT,                 0x4800, ALWAYS)                          \
    X(GUEST_CS_LIMIT,                 0x4802, ALWAYS)                          \
    X(GUEST_SS_LIMIT,                 0x4804, ALWAYS)                          \
    X(GUEST_DS_LIMIT,                 0x4806, ALWAYS)                          \
    X(GUEST_FS_LIMIT,                 0x4808, ALWAYS)                          \
    X(GUEST_GS_LIMIT,                 0x480a, ALWAYS)                          \
    X(GUEST_LDTR_LIMIT,               0x480c, ALWAYS)                          \
    X(GUEST_TR_LIMIT,                 0x480e, ALWAYS)                          \
    X(GUEST_GDTR_LIMIT,               0x4810, ALWAYS)                          \
    X(GUEST_IDTR_LIMIT,               0x4812, ALWAYS)                          \
    X(GUEST_ES_ACCESS_RIGHTS,         0x4814, ALWAYS)                          \
    X(GUEST_CS_ACCESS_RIGHTS,         0x4816, ALWAYS)                          \
    X(GUEST_SS_ACCESS_RIGHTS,         0x4818, ALWAYS)                          \
    X(GUEST_DS_ACCESS_RIGHTS,         0x481a, ALWAYS)                          \
    X(GUEST_FS_ACCESS_RIGHTS,         0x481c, ALWAYS)                          \
    X(GUEST_GS_ACCESS_RIGHTS,         0x481e, ALWAYS)                          \
    X(GUEST_LDTR_ACCESS_RIGHTS,       0x4820, ALWAYS)                          \
    X(GUEST_TR_ACCESS_RIGHTS,         0x4822, ALWAYS)                          \
    X(GUEST_INTERRUPTIBILITY_STATE,   0x4824, ALWAYS)                          \
    X(GUEST_ACTIVITY_STATE,           0x4826, ALWAYS)                          \
    X(GUEST_SMBASE,                   0x4828, ALWAYS)                          \
    X(GUEST_IA32_SYSENTER_CS,         0x482a, ALWAYS)                          \
    X(PREEMPTION_TIMER_VALUE,         0x482e, PREEMPTION_TIMER)                \
    X(HOST_IA32_SYSENTER_CS,          0x4c00, ALWAYS)

#define VMCS_FIELDS_NATURAL(X)                                                 \
    X(CR0_GUEST_HOST_MASK,            0x6000, ALWAYS)                          \
    X(CR4_GUEST_HOST_MASK,            0x6002, ALWAYS)                          \
    X(CR0_READ_SHADOW,                0x6004, ALWAYS)                          \
    X(CR4_READ_SHADOW,                0x6006, ALWAYS)                          \
    X(CR3_TARGET_VALUE0,              0x6008, ALWAYS)                          \
    X(CR3_TARGET_VALUE1,              0x600a, ALWAYS)                          \
    X(CR3_TARGET_VALUE2,              0x600c, ALWAYS)                          \
    X(CR3_TARGET_VALUE3,              0x600e, ALWAYS)                          \
    X(EXIT_QUALIFICATION,             0x6400, ALWAYS)                          \
    X(IO_RCX,                         0x6402, ALWAYS)                          \
    X(IO_RSI,                         0x6404, ALWAYS)                          \
    X(IO_RDI,                         0x6406, ALWAYS)                          \
    X(IO_RIP,                         0x6408, ALWAYS)                          \
    X(GUEST_LINEAR_ADDRESS,           0x640a, ALWAYS)                          \
    X(GUEST_CR0,                      0x6800, ALWAYS)                          \
    X(GUEST_CR3,                      0x6802, ALWAYS)                          \
    X(GUEST_CR4,                      0x6804, ALWAYS)                          \
    X(GUEST_ES_BASE,                  0x6806, ALWAYS)                          \
    X(GUEST_CS_BASE,                  0x6808, ALWAYS)                          \
    X(GUEST_SS_BASE,                  0x680a, ALWAYS)                          \
    X(GUEST_DS_BASE,                  0x680c, ALWAYS)                          \
    X(GUEST_FS_BASE,                  0x680e, ALWAYS)                          \
    X(GUEST_GS_BASE,                  0x6810, ALWAYS)                          \
    X(GUEST_LDTR_BASE,                0x6812, ALWAYS)                          \
    X(GUEST_TR_BASE,                  0x6814, ALWAYS)                          \
    X(GUEST_GDTR_BASE,                0x6816, ALWAYS)                          \
    X(GUEST_IDTR_BASE,                0x6818, ALWAYS)                          \
    X(GUEST_DR7,                      0x681a, ALWAYS)                          \
    X(GUEST_RSP,                      0x681c, ALWAYS)                          \
    X(GUEST_RIP,                      0x681e, ALWAYS)                          \
    X(GUEST_RFLAGS,                   0x6820, ALWAYS)                          \
    X(GUEST_PENDING_DEBUG_EXCEPTIONS, 0x6822, ALWAYS)                          \
    X(GUEST_IA32_SYSENTER_ESP,        0x6824, ALWAYS)                          \
    X(GUEST_IA32_SYSENTER_EIP,        0x6826, ALWAYS)                          \
    X(GUEST_IA32_S_CET,               0x6828, GUEST_CET)                       \
    X(GUEST_SSP,                      0x682a, GUEST_CET)                       \
    X(GUEST_IA32_SSP_TABLE_ADDRESS,   0x682c, GUEST_CET)                       \
    X(HOST_CR0,                       0x6c00, ALWAYS)                          \
    X(HOST_CR3,                       0x6c02, ALWAYS)                          \
    X(HOST_CR4,                       0x6c04, ALWAYS)                          \
    X(HOST_FS_BASE,                   0x6c06, ALWAYS)                          \
    X(HOST_GS_BASE,                   0x6c08, ALWAYS)                          \
    X(HOST_TR_BASE,                   0x6c0a, ALWAYS)                          \
    X(HOST_GDTR_BASE,                 0x6c0c, ALWAYS)                          \
    X(HOST_IDTR_BASE,                 0x6c0e, ALWAYS)                          \
    X(HOST_IA32_SYSENTER_ESP,         0x6c10, ALWAYS)                          \
    X(HOST_IA32_SYSENTER_EIP,         0x6c12, ALWAYS)                          \
    X(HOST_RSP,                       0x6c14, ALWAYS)                          \
    X(HOST_RIP,                       0x6c16, ALWAYS)                          \
    X(HOST_IA32_S_CET,                0x6c18, HOST_CET)                        \
    X(HOST_SSP,                       0x6c1a, HOST_CET)                        \
    X(HOST_IA32_SSP_TABLE_ADDRESS,    0x6c1c, HOST_CET)
/* clang-format on */

#define VMCS_FIELDS(X) \
    VMCS_FIELDS_16(X)  \
    VMCS_FIELDS_64(X)  \
    VMCS_FIELDS_32(X)  \
    VMCS_FIELDS_NATURAL(X)

enum vmcs_field {
#define X(name, encoding, condition) VMCS_##name = (encoding),
    VMCS_FIELDS(X)
#undef X
};

/* An encoding's parts (section on VMREAD, VMWRITE, and encodings). */
#define VMCS_ENCODING_HIGH     BIT(0) /* bits 63:32 of a 64-bit field */
#define VMCS_ENCODING_INDEX    BIT_MASK(9, 1)
#define VMCS_ENCODING_TYPE     BIT_MASK(11, 10)
#define VMCS_ENCODING_WIDTH    BIT_MASK(14, 13)
#define VMCS_ENCODING_RESERVED (~(BIT_MASK(14, 13) | BIT_MASK(11, 0)))

enum vmcs_type {
    VMCS_TYPE_CONTROL,
    VMCS_TYPE_READ_ONLY, /* VM-exit information */
    VMCS_TYPE_GUEST,
    VMCS_TYPE_HOST,
};

enum vmcs_width {
    VMCS_WIDTH_16,
    VMCS_WIDTH_64,
    VMCS_WIDTH_32,
    VMCS_WIDTH_NATURAL, /* 64 bits where there is Intel 64 */
};

static inline enum vmcs_type vmcs_type(uint64_t encoding)
{
    return (enum vmcs_type)FIELD_GET(VMCS_ENCODING_TYPE, encoding);
}

static inline enum vmcs_width vmcs_width(uint64_t encoding)
{
    return (enum vmcs_width)FIELD_GET(VMCS_ENCODING_WIDTH, encoding);
}

/* In bits; half of a 64-bit field counts as 32. */
static inline unsigned vmcs_bits(uint64_t encoding)
{
    static const uint8_t bits[] = {16, 64, 32, 64};

    return (encoding & VMCS_ENCODING_HIGH) != 0 ? 32
                                                : bits[vmcs_width(encoding)];
}

/* The first doubleword of a VMCS region and of a VMXON region; the second one
 * of a VMCS region is the VMX-abort indicator. */
#define VMCS_REVISION BIT_MASK(30, 0)
#define VMCS_SHADOW   BIT(31)

/* What an address field holds that names nothing. */
#define VMCS_NO_ADDRESS UINT64_MAX

/* Pin-based VM-execution controls. */
#define VMX_PIN_EXTERNAL_INTERRUPT_EXITING BIT(0)
#define VMX_PIN_NMI_EXITING                BIT(3)
#define VMX_PIN_VIRTUAL_NMIS               BIT(5)
#define VMX_PIN_PREEMPTION_TIMER           BIT(6)
#define VMX_PIN_POSTED_INTERRUPTS          BIT(7)

/* Primary processor-based VM-execution controls. */
#define VMX_CPU_INTERRUPT_WINDOW_EXITING BIT(2)
#define VMX_CPU_TSC_OFFSETTING           BIT(3)
#define VMX_CPU_HLT_EXITING              BIT(7)
#define VMX_CPU_INVLPG_EXITING           BIT(9)
#define VMX_CPU_MWAIT_EXITING            BIT(10)
#define VMX_CPU_RDPMC_EXITING            BIT(11)
#define VMX_CPU_RDTSC_EXITING            BIT(12)
#define VMX_CPU_CR3_LOAD_EXITING         BIT(15)
#define VMX_CPU_CR3_STORE_EXITING        BIT(16)
#define VMX_CPU_TERTIARY_CONTROLS        BIT(17)
#define VMX_CPU_CR8_LOAD_EXITING         BIT(19)
#define VMX_CPU_CR8_STORE_EXITING        BIT(20)
#define VMX_CPU_TPR_SHADOW               BIT(21)
#define VMX_CPU_NMI_WINDOW_EXITING       BIT(22)
#define VMX_CPU_MOV_DR_EXITING           BIT(23)
#define VMX_CPU_UNCONDITIONAL_IO_EXITING BIT(24)
#define VMX_CPU_IO_BITMAPS               BIT(25)
#define VMX_CPU_MONITOR_TRAP_FLAG        BIT(27)
#define VMX_CPU_MSR_BITMAPS              BIT(28)
#define VMX_CPU_MONITOR_EXITING          BIT(29)
#define VMX_CPU_PAUSE_EXITING            BIT(30)
#define VMX_CPU_SECONDARY_CONTROLS       BIT(31)

/* Secondary processor-based VM-execution controls. */
#define VMX_CPU2_APIC_ACCESSES              BIT(0)
#define VMX_CPU2_EPT                        BIT(1)
#define VMX_CPU2_DESCRIPTOR_TABLE_EXITING   BIT(2)
#define VMX_CPU2_RDTSCP                     BIT(3)
#define VMX_CPU2_X2APIC_MODE                BIT(4)
#define VMX_CPU2_VPID                       BIT(5)
#define VMX_CPU2_WBINVD_EXITING             BIT(6)
#define VMX_CPU2_UNRESTRICTED_GUEST         BIT(7)
#define VMX_CPU2_APIC_REGISTERS             BIT(8)
#define VMX_CPU2_VIRTUAL_INTERRUPTS         BIT(9)
#define VMX_CPU2_PAUSE_LOOP_EXITING         BIT(10)
#define VMX_CPU2_RDRAND_EXITING             BIT(11)
#define VMX_CPU2_INVPCID                    BIT(12)
#define VMX_CPU2_VM_FUNCTIONS               BIT(13)
#define VMX_CPU2_VMCS_SHADOWING             BIT(14)
#define VMX_CPU2_ENCLS_EXITING              BIT(15)
#define VMX_CPU2_RDSEED_EXITING             BIT(16)
#define VMX_CPU2_PML                        BIT(17)
#define VMX_CPU2_EPT_VIOLATION_VE           BIT(18)
#define VMX_CPU2_CONCEAL_FROM_PT            BIT(19)
#define VMX_CPU2_XSAVES                     BIT(20)
#define VMX_CPU2_PASID_TRANSLATION          BIT(21)
#define VMX_CPU2_MODE_BASED_EXECUTE         BIT(22)
#define VMX_CPU2_SUB_PAGE_WRITE_PERMISSIONS BIT(23)
#define VMX_CPU2_PT_GUEST_PHYSICAL          BIT(24)
#define VMX_CPU2_TSC_SCALING                BIT(25)
#define VMX_CPU2_USER_WAIT_PAUSE            BIT(26)
#define VMX_CPU2_PCONFIG                    BIT(27)
#define VMX_CPU2_ENCLV_EXITING              BIT(28)
#define VMX_CPU2_BUS_LOCK_DETECTION         BIT(30)
#define VMX_CPU2_INSTRUCTION_TIMEOUT        BIT(31)

/* Tertiary processor-based VM-execution controls. */
#define VMX_CPU3_LOADIWKEY_EXITING  BIT(0)
#define VMX_CPU3_HLAT               BIT(1)
#define VMX_CPU3_PAGING_WRITE       BIT(2)
#define VMX_CPU3_GUEST_PAGING       BIT(3)
#define VMX_CPU3_IPI_VIRTUALIZATION BIT(4)
#define VMX_CPU3_SEAM_GPA_WIDTH     BIT(5)
#define VMX_CPU3_MSR_LIST           BIT(6)
#define VMX_CPU3_VIRTUAL_SPEC_CTRL  BIT(7)

/* VM-function controls. */
#define VMX_FUNCTION_EPTP_SWITCHING BIT(0)

/* VM-exit controls, and the secondary ones. */
#define VMX_EXIT_SAVE_DEBUG_CONTROLS      BIT(2)
#define VMX_EXIT_HOST_64                  BIT(9)
#define VMX_EXIT_LOAD_PERF_GLOBAL_CTRL    BIT(12)
#define VMX_EXIT_ACKNOWLEDGE_INTERRUPT    BIT(15)
#define VMX_EXIT_SAVE_PAT                 BIT(18)
#define VMX_EXIT_LOAD_PAT                 BIT(19)
#define VMX_EXIT_SAVE_EFER                BIT(20)
#define VMX_EXIT_LOAD_EFER                BIT(21)
#define VMX_EXIT_SAVE_PREEMPTION_TIMER    BIT(22)
#define VMX_EXIT_CLEAR_BNDCFGS            BIT(23)
#define VMX_EXIT_CONCEAL_FROM_PT          BIT(24)
#define VMX_EXIT_CLEAR_RTIT_CTL           BIT(25)
#define VMX_EXIT_CLEAR_LBR_CTL            BIT(26)
#define VMX_EXIT_CLEAR_UINV               BIT(27)
#define VMX_EXIT_LOAD_CET                 BIT(28)
#define VMX_EXIT_LOAD_PKRS                BIT(29)
#define VMX_EXIT_SAVE_PERF_GLOBAL_CTRL    BIT(30)
#define VMX_EXIT_SECONDARY_CONTROLS       BIT(31)
#define VMX_EXIT2_SAVE_FRED               BIT(0)
#define VMX_EXIT2_LOAD_FRED               BIT(1)
#define VMX_EXIT2_PREMATURELY_BUSY_SSTACK BIT(3)

/* VM-entry controls. */
#define VMX_ENTRY_LOAD_DEBUG_CONTROLS     BIT(2)
#define VMX_ENTRY_IA32E_MODE_GUEST        BIT(9)
#define VMX_ENTRY_TO_SMM                  BIT(10)
#define VMX_ENTRY_DEACTIVATE_DUAL_MONITOR BIT(11)
#define VMX_ENTRY_LOAD_PERF_GLOBAL_CTRL   BIT(13)
#define VMX_ENTRY_LOAD_PAT                BIT(14)
#define VMX_ENTRY_LOAD_EFER               BIT(15)
#define VMX_ENTRY_LOAD_BNDCFGS            BIT(16)
#define VMX_ENTRY_CONCEAL_FROM_PT         BIT(17)
#define VMX_ENTRY_LOAD_RTIT_CTL           BIT(18)
#define VMX_ENTRY_LOAD_UINV               BIT(19)
#define VMX_ENTRY_LOAD_CET                BIT(20)
#define VMX_ENTRY_LOAD_LBR_CTL            BIT(21)
#define VMX_ENTRY_LOAD_PKRS               BIT(22)
#define VMX_ENTRY_LOAD_FRED               BIT(23)

/* Where a control is, or the capability MSR that tells whether it may be 1. */
enum vmx_word {
    VMX_WORD_NONE,
    VMX_WORD_PIN,
    VMX_WORD_CPU,
    VMX_WORD_CPU2,
    VMX_WORD_CPU3,
    VMX_WORD_EXIT,
    VMX_WORD_EXIT2,
    VMX_WORD_ENTRY,
    VMX_WORD_FUNCTION,
    VMX_WORD_COUNT
};

/*
 * A field is there if one of the two controls may be 1 (appendix B's notes).
 * X(name, word, control, word, other control)
 */
/* clang-format off */
#define VMCS_CONDITIONS(X)                                                     \
    X(ALWAYS, NONE, 0, NONE, 0)                                                \
    X(POSTED_INTERRUPTS, PIN, VMX_PIN_POSTED_INTERRUPTS, NONE, 0)              \
    X(PREEMPTION_TIMER, PIN, VMX_PIN_PREEMPTION_TIMER, NONE, 0)                \
    X(MSR_BITMAPS, CPU, VMX_CPU_MSR_BITMAPS, NONE, 0)                          \
    X(TPR_SHADOW, CPU, VMX_CPU_TPR_SHADOW, NONE, 0)                            \
    X(SECONDARY, CPU, VMX_CPU_SECONDARY_CONTROLS, NONE, 0)                     \
    X(TERTIARY, CPU, VMX_CPU_TERTIARY_CONTROLS, NONE, 0)                       \
    X(APIC_ACCESSES, CPU2, VMX_CPU2_APIC_ACCESSES, NONE, 0)                    \
    X(EPT, CPU2, VMX_CPU2_EPT, NONE, 0)                                        \
    X(VPID, CPU2, VMX_CPU2_VPID, NONE, 0)                                      \
    X(VIRTUAL_INTERRUPTS, CPU2, VMX_CPU2_VIRTUAL_INTERRUPTS, NONE, 0)          \
    X(PLE, CPU2, VMX_CPU2_PAUSE_LOOP_EXITING, NONE, 0)                         \
    X(VM_FUNCTIONS, CPU2, VMX_CPU2_VM_FUNCTIONS, NONE, 0)                      \
    X(SHADOWING, CPU2, VMX_CPU2_VMCS_SHADOWING, NONE, 0)                       \
    X(ENCLS, CPU2, VMX_CPU2_ENCLS_EXITING, NONE, 0)                            \
    X(PML, CPU2, VMX_CPU2_PML, NONE, 0)                                        \
    X(VE, CPU2, VMX_CPU2_EPT_VIOLATION_VE, NONE, 0)                            \
    X(XSAVES, CPU2, VMX_CPU2_XSAVES, NONE, 0)                                  \
    X(PASID, CPU2, VMX_CPU2_PASID_TRANSLATION, NONE, 0)                        \
    X(SPP, CPU2, VMX_CPU2_SUB_PAGE_WRITE_PERMISSIONS, NONE, 0)                 \
    X(TSC_SCALING, CPU2, VMX_CPU2_TSC_SCALING, NONE, 0)                        \
    X(PCONFIG, CPU2, VMX_CPU2_PCONFIG, NONE, 0)                                \
    X(ENCLV, CPU2, VMX_CPU2_ENCLV_EXITING, NONE, 0)                            \
    X(INSTRUCTION_TIMEOUT, CPU2, VMX_CPU2_INSTRUCTION_TIMEOUT, NONE, 0)        \
    X(HLAT, CPU3, VMX_CPU3_HLAT, NONE, 0)                                      \
    X(IPI_VIRTUALIZATION, CPU3, VMX_CPU3_IPI_VIRTUALIZATION, NONE, 0)          \
    X(SEAM, CPU3, VMX_CPU3_SEAM_GPA_WIDTH, NONE, 0)                            \
    X(MSR_LIST, CPU3, VMX_CPU3_MSR_LIST, NONE, 0)                              \
    X(SPEC_CTRL, CPU3, VMX_CPU3_VIRTUAL_SPEC_CTRL, NONE, 0)                    \
    X(EPTP_SWITCHING, FUNCTION, VMX_FUNCTION_EPTP_SWITCHING, NONE, 0)          \
    X(SECONDARY_EXIT, EXIT, VMX_EXIT_SECONDARY_CONTROLS, NONE, 0)              \
    X(HOST_PERF, EXIT, VMX_EXIT_LOAD_PERF_GLOBAL_CTRL, NONE, 0)                \
    X(HOST_PAT, EXIT, VMX_EXIT_LOAD_PAT, NONE, 0)                              \
    X(HOST_EFER, EXIT, VMX_EXIT_LOAD_EFER, NONE, 0)                            \
    X(HOST_CET, EXIT, VMX_EXIT_LOAD_CET, NONE, 0)                              \
    X(HOST_PKRS, EXIT, VMX_EXIT_LOAD_PKRS, NONE, 0)                            \
    X(GUEST_PERF, ENTRY, VMX_ENTRY_LOAD_PERF_GLOBAL_CTRL, NONE, 0)             \
    X(GUEST_CET, ENTRY, VMX_ENTRY_LOAD_CET, NONE, 0)                           \
    X(GUEST_PKRS, ENTRY, VMX_ENTRY_LOAD_PKRS, NONE, 0)                         \
    X(GUEST_PAT, ENTRY, VMX_ENTRY_LOAD_PAT, EXIT, VMX_EXIT_SAVE_PAT)           \
    X(GUEST_EFER, ENTRY, VMX_ENTRY_LOAD_EFER, EXIT, VMX_EXIT_SAVE_EFER)        \
    X(BNDCFGS, ENTRY, VMX_ENTRY_LOAD_BNDCFGS, EXIT, VMX_EXIT_CLEAR_BNDCFGS)    \
    X(RTIT, ENTRY, VMX_ENTRY_LOAD_RTIT_CTL, EXIT, VMX_EXIT_CLEAR_RTIT_CTL)     \
    X(LBR, ENTRY, VMX_ENTRY_LOAD_LBR_CTL, EXIT, VMX_EXIT_CLEAR_LBR_CTL)        \
    X(UINV, ENTRY, VMX_ENTRY_LOAD_UINV, EXIT, VMX_EXIT_CLEAR_UINV)             \
    X(FRED, ENTRY, VMX_ENTRY_LOAD_FRED, EXIT2, VMX_EXIT2_SAVE_FRED)
/* clang-format on */

enum vmcs_condition {
#define X(name, word, control, other_word, other) VMCS_IF_##name,
    VMCS_CONDITIONS(X)
#undef X
};

#endif
