/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VM entries check of the VMX controls: Intel SDM volume 3, section 29.2.1
 * of the edition of June 2026. Failure: VMfailValid(7).
 *
 * X(rule, name, section, failure, what breaks it)
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_RULE_CONTROLS_H
#define SIM_FAKE_HW_X86_64_VMX_RULE_CONTROLS_H

/* clang-format off */
#define VMX_RULES_EXECUTION(X)                                                 \
    X(PIN_FIXED1, "vmx-pin-fixed1", "29.2.1.1", CONTROLS,                      \
      "a pin-based control is 0 that must be 1")                               \
    X(PIN_ALLOWED1, "vmx-pin-allowed1", "29.2.1.1", CONTROLS,                  \
      "a pin-based control is 1 that must be 0")                               \
    X(PRIMARY_FIXED1, "vmx-primary-fixed1", "29.2.1.1", CONTROLS,              \
      "a primary processor-based control is 0 that must be 1")                 \
    X(PRIMARY_ALLOWED1, "vmx-primary-allowed1", "29.2.1.1", CONTROLS,          \
      "a primary processor-based control is 1 that must be 0")                 \
    X(SECONDARY_ALLOWED1, "vmx-secondary-allowed1", "29.2.1.1", CONTROLS,      \
      "a secondary processor-based control is 1 that must be 0")               \
    X(TERTIARY_ALLOWED1, "vmx-tertiary-allowed1", "29.2.1.1", CONTROLS,        \
      "a tertiary processor-based control is 1 that must be 0")                \
    X(CR3_TARGETS, "vmx-cr3-targets", "29.2.1.1", CONTROLS,                    \
      "more CR3-target values than the processor has")                         \
    X(IO_BITMAP_A_ALIGN, "vmx-io-bitmap-a-align", "29.2.1.1", CONTROLS,        \
      "the address of I/O bitmap A is not of a page")                          \
    X(IO_BITMAP_A_WIDTH, "vmx-io-bitmap-a-width", "29.2.1.1", CONTROLS,        \
      "the address of I/O bitmap A is too wide")                               \
    X(IO_BITMAP_B_ALIGN, "vmx-io-bitmap-b-align", "29.2.1.1", CONTROLS,        \
      "the address of I/O bitmap B is not of a page")                          \
    X(IO_BITMAP_B_WIDTH, "vmx-io-bitmap-b-width", "29.2.1.1", CONTROLS,        \
      "the address of I/O bitmap B is too wide")                               \
    X(MSR_BITMAPS_ALIGN, "vmx-msr-bitmaps-align", "29.2.1.1", CONTROLS,        \
      "the address of the MSR bitmaps is not of a page")                       \
    X(MSR_BITMAPS_WIDTH, "vmx-msr-bitmaps-width", "29.2.1.1", CONTROLS,        \
      "the address of the MSR bitmaps is too wide")                            \
    X(VIRTUAL_APIC_ALIGN, "vmx-virtual-apic-align", "29.2.1.1", CONTROLS,      \
      "the address of the virtual-APIC page is not of a page")                 \
    X(VIRTUAL_APIC_WIDTH, "vmx-virtual-apic-width", "29.2.1.1", CONTROLS,      \
      "the address of the virtual-APIC page is too wide")                      \
    X(APIC_ACCESS_ALIGN, "vmx-apic-access-align", "29.2.1.1", CONTROLS,        \
      "the address of the APIC-access page is not of a page")                  \
    X(APIC_ACCESS_WIDTH, "vmx-apic-access-width", "29.2.1.1", CONTROLS,        \
      "the address of the APIC-access page is too wide")                       \
    X(PML_ALIGN, "vmx-pml-align", "29.2.1.1", CONTROLS,                        \
      "the address of the page-modification log is not of a page")             \
    X(PML_WIDTH, "vmx-pml-width", "29.2.1.1", CONTROLS,                        \
      "the address of the page-modification log is too wide")                  \
    X(SPP_TABLE_ALIGN, "vmx-spp-table-align", "29.2.1.1", CONTROLS,            \
      "the address of the sub-page-permission table is not of a page")         \
    X(SPP_TABLE_WIDTH, "vmx-spp-table-width", "29.2.1.1", CONTROLS,            \
      "the address of the sub-page-permission table is too wide")              \
    X(EPTP_LIST_ALIGN, "vmx-eptp-list-align", "29.2.1.1", CONTROLS,            \
      "the address of the EPTP list is not of a page")                         \
    X(EPTP_LIST_WIDTH, "vmx-eptp-list-width", "29.2.1.1", CONTROLS,            \
      "the address of the EPTP list is too wide")                              \
    X(VMREAD_BITMAP_ALIGN, "vmx-vmread-bitmap-align", "29.2.1.1", CONTROLS,    \
      "the address of the VMREAD bitmap is not of a page")                     \
    X(VMREAD_BITMAP_WIDTH, "vmx-vmread-bitmap-width", "29.2.1.1", CONTROLS,    \
      "the address of the VMREAD bitmap is too wide")                          \
    X(VMWRITE_BITMAP_ALIGN, "vmx-vmwrite-bitmap-align", "29.2.1.1", CONTROLS,  \
      "the address of the VMWRITE bitmap is not of a page")                    \
    X(VMWRITE_BITMAP_WIDTH, "vmx-vmwrite-bitmap-width", "29.2.1.1", CONTROLS,  \
      "the address of the VMWRITE bitmap is too wide")                         \
    X(VE_INFORMATION_ALIGN, "vmx-ve-information-align", "29.2.1.1", CONTROLS,  \
      "the address of the virtualization-exception information is not of a "   \
      "page")                                                                  \
    X(VE_INFORMATION_WIDTH, "vmx-ve-information-width", "29.2.1.1", CONTROLS,  \
      "the address of the virtualization-exception information is too wide")   \
    X(LOW_PASID_ALIGN, "vmx-low-pasid-align", "29.2.1.1", CONTROLS,            \
      "the address of the low PASID directory is not of a page")               \
    X(LOW_PASID_WIDTH, "vmx-low-pasid-width", "29.2.1.1", CONTROLS,            \
      "the address of the low PASID directory is too wide")                    \
    X(HIGH_PASID_ALIGN, "vmx-high-pasid-align", "29.2.1.1", CONTROLS,          \
      "the address of the high PASID directory is not of a page")              \
    X(HIGH_PASID_WIDTH, "vmx-high-pasid-width", "29.2.1.1", CONTROLS,          \
      "the address of the high PASID directory is too wide")                   \
    X(TPR_THRESHOLD_HIGH, "vmx-tpr-threshold-high", "29.2.1.1", CONTROLS,      \
      "bits 31:4 of the TPR threshold are not zero")                           \
    X(TPR_THRESHOLD_VTPR, "vmx-tpr-threshold-vtpr", "29.2.1.1", CONTROLS,      \
      "the TPR threshold is above the virtual TPR")                            \
    X(VIRTUAL_NMIS, "vmx-virtual-nmis", "29.2.1.1", CONTROLS,                  \
      "virtual NMIs without NMI exiting")                                      \
    X(NMI_WINDOW, "vmx-nmi-window", "29.2.1.1", CONTROLS,                      \
      "NMI-window exiting without virtual NMIs")                               \
    X(X2APIC_SHADOW, "vmx-x2apic-shadow", "29.2.1.1", CONTROLS,                \
      "x2APIC mode is virtualized without a TPR shadow")                       \
    X(APIC_REGISTERS_SHADOW, "vmx-apic-registers-shadow",                      \
      "29.2.1.1", CONTROLS,                                                    \
      "APIC registers are virtualized without a TPR shadow")                   \
    X(VIRTUAL_INTERRUPTS_SHADOW, "vmx-virtual-interrupts-shadow",              \
      "29.2.1.1", CONTROLS,                                                    \
      "virtual-interrupt delivery without a TPR shadow")                       \
    X(IPI_SHADOW, "vmx-ipi-shadow", "29.2.1.1", CONTROLS,                      \
      "IPI virtualization without a TPR shadow")                               \
    X(X2APIC_ACCESSES, "vmx-x2apic-accesses", "29.2.1.1", CONTROLS,            \
      "x2APIC mode and APIC accesses are both virtualized")                    \
    X(VIRTUAL_INTERRUPTS_EXITING, "vmx-virtual-interrupts-exiting",            \
      "29.2.1.1", CONTROLS,                                                    \
      "virtual-interrupt delivery without external-interrupt exiting")         \
    X(POSTED_DELIVERY, "vmx-posted-delivery", "29.2.1.1", CONTROLS,            \
      "posted interrupts without virtual-interrupt delivery")                  \
    X(POSTED_ACKNOWLEDGE, "vmx-posted-acknowledge", "29.2.1.1", CONTROLS,      \
      "posted interrupts without acknowledge interrupt on exit")               \
    X(POSTED_VECTOR, "vmx-posted-vector", "29.2.1.1", CONTROLS,                \
      "bits 15:8 of the posted-interrupt vector are not zero")                 \
    X(POSTED_ALIGN, "vmx-posted-align", "29.2.1.1", CONTROLS,                  \
      "the posted-interrupt descriptor is not aligned to 64 bytes")            \
    X(POSTED_WIDTH, "vmx-posted-width", "29.2.1.1", CONTROLS,                  \
      "the address of the posted-interrupt descriptor is too wide")            \
    X(IPI_ALIGN, "vmx-ipi-align", "29.2.1.1", CONTROLS,                        \
      "the PID-pointer table is not aligned to 8 bytes")                       \
    X(IPI_WIDTH, "vmx-ipi-width", "29.2.1.1", CONTROLS,                        \
      "the address of the PID-pointer table is too wide")                      \
    X(IPI_LAST, "vmx-ipi-last", "29.2.1.1", CONTROLS,                          \
      "the address of the last PID pointer is too wide")                       \
    X(VPID, "vmx-vpid", "29.2.1.1", CONTROLS,                                  \
      "the VPID is zero")                                                      \
    X(EPTP_MEMORY_TYPE, "vmx-eptp-memory-type", "29.2.1.1", CONTROLS,          \
      "a memory type of EPT that the processor does not have")                 \
    X(EPTP_WALK, "vmx-eptp-walk", "29.2.1.1", CONTROLS,                        \
      "a length of EPT walks that the processor does not have")                \
    X(EPTP_AD, "vmx-eptp-ad", "29.2.1.1", CONTROLS,                            \
      "EPT accessed and dirty flags that the processor does not have")         \
    X(EPTP_RESERVED, "vmx-eptp-reserved", "29.2.1.1", CONTROLS,                \
      "a reserved bit of EPTP is set")                                         \
    X(EPTP_WIDTH, "vmx-eptp-width", "29.2.1.1", CONTROLS,                      \
      "the address in EPTP is too wide")                                       \
    X(PML_EPT, "vmx-pml-ept", "29.2.1.1", CONTROLS,                            \
      "page-modification logging without EPT")                                 \
    X(UNRESTRICTED_EPT, "vmx-unrestricted-ept", "29.2.1.1", CONTROLS,          \
      "an unrestricted guest without EPT")                                     \
    X(MODE_BASED_EPT, "vmx-mode-based-ept", "29.2.1.1", CONTROLS,              \
      "mode-based execute control without EPT")                                \
    X(SPP_EPT, "vmx-spp-ept", "29.2.1.1", CONTROLS,                            \
      "sub-page write permissions without EPT")                                \
    X(PT_EPT, "vmx-pt-ept", "29.2.1.1", CONTROLS,                              \
      "Intel PT with guest-physical addresses without EPT")                    \
    X(HLAT_EPT, "vmx-hlat-ept", "29.2.1.1", CONTROLS,                          \
      "HLAT without EPT")                                                      \
    X(PAGING_WRITE_EPT, "vmx-paging-write-ept", "29.2.1.1", CONTROLS,          \
      "EPT paging-write control without EPT")                                  \
    X(GUEST_PAGING_EPT, "vmx-guest-paging-ept", "29.2.1.1", CONTROLS,          \
      "guest-paging verification without EPT")                                 \
    X(FUNCTION_ALLOWED1, "vmx-function-allowed1", "29.2.1.1", CONTROLS,        \
      "a VM-function control is 1 that must be 0")                             \
    X(EPTP_SWITCHING_EPT, "vmx-eptp-switching-ept", "29.2.1.1", CONTROLS,      \
      "EPTP switching without EPT")                                            \
    X(PT_TRACING, "vmx-pt-tracing", "29.2.1.1", CONTROLS,                      \
      "IA32_RTIT_CTL would be loaded, and the processor is tracing")           \
    X(PT_LOAD, "vmx-pt-load", "29.2.1.1", CONTROLS,                            \
      "Intel PT with guest-physical addresses does not load IA32_RTIT_CTL")    \
    X(PT_CLEAR, "vmx-pt-clear", "29.2.1.1", CONTROLS,                          \
      "Intel PT with guest-physical addresses does not clear IA32_RTIT_CTL")   \
    X(TSC_MULTIPLIER, "vmx-tsc-multiplier", "29.2.1.1", CONTROLS,              \
      "the TSC multiplier is zero")                                            \
    X(HLATP_RESERVED, "vmx-hlatp-reserved", "29.2.1.1", CONTROLS,              \
      "a reserved bit of HLATP is set")                                        \
    X(HLATP_WIDTH, "vmx-hlatp-width", "29.2.1.1", CONTROLS,                    \
      "the address in HLATP is too wide")

#define VMX_RULES_EXIT(X)                                                      \
    X(EXIT_FIXED1, "vmx-exit-fixed1", "29.2.1.2", CONTROLS,                    \
      "a VM-exit control is 0 that must be 1")                                 \
    X(EXIT_ALLOWED1, "vmx-exit-allowed1", "29.2.1.2", CONTROLS,                \
      "a VM-exit control is 1 that must be 0")                                 \
    X(EXIT2_ALLOWED1, "vmx-exit2-allowed1", "29.2.1.2", CONTROLS,              \
      "a secondary VM-exit control is 1 that must be 0")                       \
    X(SAVE_TIMER, "vmx-save-timer", "29.2.1.2", CONTROLS,                      \
      "the preemption timer would be saved, and is not active")                \
    X(EXIT_STORE_ALIGN, "vmx-exit-store-align", "29.2.1.2", CONTROLS,          \
      "the VM-exit MSR-store area is not aligned to 16 bytes")                 \
    X(EXIT_STORE_WIDTH, "vmx-exit-store-width", "29.2.1.2", CONTROLS,          \
      "the address of the VM-exit MSR-store area is too wide")                 \
    X(EXIT_STORE_LAST, "vmx-exit-store-last", "29.2.1.2", CONTROLS,            \
      "the address of the end of the VM-exit MSR-store area is too wide")      \
    X(EXIT_LOAD_ALIGN, "vmx-exit-load-align", "29.2.1.2", CONTROLS,            \
      "the VM-exit MSR-load area is not aligned to 16 bytes")                  \
    X(EXIT_LOAD_WIDTH, "vmx-exit-load-width", "29.2.1.2", CONTROLS,            \
      "the address of the VM-exit MSR-load area is too wide")                  \
    X(EXIT_LOAD_LAST, "vmx-exit-load-last", "29.2.1.2", CONTROLS,              \
      "the address of the end of the VM-exit MSR-load area is too wide")

#define VMX_RULES_ENTRY(X)                                                     \
    X(ENTRY_FIXED1, "vmx-entry-fixed1", "29.2.1.3", CONTROLS,                  \
      "a VM-entry control is 0 that must be 1")                                \
    X(ENTRY_ALLOWED1, "vmx-entry-allowed1", "29.2.1.3", CONTROLS,              \
      "a VM-entry control is 1 that must be 0")

#define VMX_RULES_EVENT(X)                                                     \
    X(EVENT_TYPE, "vmx-event-type", "29.2.1.3", CONTROLS,                      \
      "the type of the injected event is reserved")                            \
    X(EVENT_OTHER, "vmx-event-other", "29.2.1.3", CONTROLS,                    \
      "a pending MTF exit is injected, and there is no monitor trap flag")     \
    X(EVENT_NMI_VECTOR, "vmx-event-nmi-vector", "29.2.1.3", CONTROLS,          \
      "an NMI is injected whose vector is not 2")                              \
    X(EVENT_EXCEPTION_VECTOR, "vmx-event-exception-vector",                    \
      "29.2.1.3", CONTROLS,                                                    \
      "a hardware exception is injected whose vector is above 31")             \
    X(EVENT_OTHER_VECTOR, "vmx-event-other-vector", "29.2.1.3", CONTROLS,      \
      "an other event is injected whose vector is not 0")                      \
    X(EVENT_ERROR_MISSING, "vmx-event-error-missing", "29.2.1.3", CONTROLS,    \
      "an exception is injected without its error code")                       \
    X(EVENT_ERROR_TYPE, "vmx-event-error-type", "29.2.1.3", CONTROLS,          \
      "an event is injected with an error code that is no hardware "           \
      "exception")                                                             \
    X(EVENT_ERROR_REAL, "vmx-event-error-real", "29.2.1.3", CONTROLS,          \
      "an error code is injected into real-address mode")                      \
    X(EVENT_ERROR_VECTOR, "vmx-event-error-vector", "29.2.1.3", CONTROLS,      \
      "an error code is injected with an exception that has none")             \
    X(EVENT_RESERVED, "vmx-event-reserved", "29.2.1.3", CONTROLS,              \
      "a reserved bit of the interruption information is set")                 \
    X(EVENT_ERROR_HIGH, "vmx-event-error-high", "29.2.1.3", CONTROLS,          \
      "bits 31:16 of the injected error code are not zero")                    \
    X(EVENT_LENGTH, "vmx-event-length", "29.2.1.3", CONTROLS,                  \
      "the instruction length of an injected event is above 15")               \
    X(EVENT_LENGTH_ZERO, "vmx-event-length-zero", "29.2.1.3", CONTROLS,        \
      "the instruction length of an injected event is 0")

#define VMX_RULES_ENTRY_LOAD(X)                                                \
    X(ENTRY_LOAD_ALIGN, "vmx-entry-load-align", "29.2.1.3", CONTROLS,          \
      "the VM-entry MSR-load area is not aligned to 16 bytes")                 \
    X(ENTRY_LOAD_WIDTH, "vmx-entry-load-width", "29.2.1.3", CONTROLS,          \
      "the address of the VM-entry MSR-load area is too wide")                 \
    X(ENTRY_LOAD_LAST, "vmx-entry-load-last", "29.2.1.3", CONTROLS,            \
      "the address of the end of the VM-entry MSR-load area is too wide")      \
    X(ENTRY_SMM, "vmx-entry-smm", "29.2.1.3", CONTROLS,                        \
      "an entry to SMM from outside of it")                                    \
    X(ENTRY_DUAL_MONITOR, "vmx-entry-dual-monitor", "29.2.1.3", CONTROLS,      \
      "dual-monitor treatment would end outside of SMM")

/* clang-format on */

#endif
