/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VM entries check of the guest-state area and of the MSRs to load: Intel
 * SDM volume 3, sections 29.3.1 and 29.4 of the edition of June 2026. Failure:
 * exit 33, or 34 for an MSR.
 *
 * X(rule, name, section, failure, what breaks it)
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_RULE_GUEST_H
#define SIM_FAKE_HW_X86_64_VMX_RULE_GUEST_H

/* clang-format off */
#define VMX_RULES_REGISTERS(X)                                                 \
    X(GUEST_CR0_FIXED0, "vmx-guest-cr0-fixed0", "29.3.1.1", GUEST,             \
      "a bit of CR0 is 0 that must be 1")                                      \
    X(GUEST_CR0_FIXED1, "vmx-guest-cr0-fixed1", "29.3.1.1", GUEST,             \
      "a bit of CR0 is 1 that must be 0")                                      \
    X(GUEST_PG_PE, "vmx-guest-pg-pe", "29.3.1.1", GUEST,                       \
      "CR0.PG is set and CR0.PE is zero")                                      \
    X(GUEST_CR4_FIXED0, "vmx-guest-cr4-fixed0", "29.3.1.1", GUEST,             \
      "a bit of CR4 is 0 that must be 1")                                      \
    X(GUEST_CR4_FIXED1, "vmx-guest-cr4-fixed1", "29.3.1.1", GUEST,             \
      "a bit of CR4 is 1 that must be 0")                                      \
    X(GUEST_CET_WP, "vmx-guest-cet-wp", "29.3.1.1", GUEST,                     \
      "CR4.CET is set and CR0.WP is zero")                                     \
    X(GUEST_DEBUGCTL, "vmx-guest-debugctl", "29.3.1.1", GUEST,                 \
      "a reserved bit of IA32_DEBUGCTL is set")                                \
    X(GUEST_LONG_PG, "vmx-guest-long-pg", "29.3.1.1", GUEST,                   \
      "an IA-32e mode guest, and CR0.PG is zero")                              \
    X(GUEST_LONG_PAE, "vmx-guest-long-pae", "29.3.1.1", GUEST,                 \
      "an IA-32e mode guest, and CR4.PAE is zero")                             \
    X(GUEST_PCIDE, "vmx-guest-pcide", "29.3.1.1", GUEST,                       \
      "CR4.PCIDE is set outside of IA-32e mode")                               \
    X(GUEST_CR3, "vmx-guest-cr3", "29.3.1.1", GUEST,                           \
      "a bit of CR3 is set above the physical addresses")                      \
    X(GUEST_DR7, "vmx-guest-dr7", "29.3.1.1", GUEST,                           \
      "bits 63:32 of DR7 are not zero")                                        \
    X(GUEST_SYSENTER_ESP, "vmx-guest-sysenter-esp", "29.3.1.1", GUEST,         \
      "IA32_SYSENTER_ESP is not canonical")                                    \
    X(GUEST_SYSENTER_EIP, "vmx-guest-sysenter-eip", "29.3.1.1", GUEST,         \
      "IA32_SYSENTER_EIP is not canonical")                                    \
    X(GUEST_S_CET_CANONICAL, "vmx-guest-s-cet-canonical", "29.3.1.1", GUEST,   \
      "IA32_S_CET is not canonical")                                           \
    X(GUEST_SSP_TABLE, "vmx-guest-ssp-table", "29.3.1.1", GUEST,               \
      "IA32_INTERRUPT_SSP_TABLE_ADDR is not canonical")                        \
    X(GUEST_PERF_GLOBAL_CTRL, "vmx-guest-perf-global-ctrl", "29.3.1.1", GUEST, \
      "a reserved bit of IA32_PERF_GLOBAL_CTRL is set")                        \
    X(GUEST_PAT, "vmx-guest-pat", "29.3.1.1", GUEST,                           \
      "IA32_PAT has a memory type that is reserved")                           \
    X(GUEST_EFER, "vmx-guest-efer", "29.3.1.1", GUEST,                         \
      "a reserved bit of IA32_EFER is set")                                    \
    X(GUEST_EFER_LMA, "vmx-guest-efer-lma", "29.3.1.1", GUEST,                 \
      "IA32_EFER.LMA is not as IA-32e mode guest")                             \
    X(GUEST_EFER_LME, "vmx-guest-efer-lme", "29.3.1.1", GUEST,                 \
      "CR0.PG is set and IA32_EFER.LME is not IA32_EFER.LMA")                  \
    X(GUEST_BNDCFGS, "vmx-guest-bndcfgs", "29.3.1.1", GUEST,                   \
      "a reserved bit of IA32_BNDCFGS is set")                                 \
    X(GUEST_BNDCFGS_CANONICAL, "vmx-guest-bndcfgs-canonical",                  \
      "29.3.1.1", GUEST,                                                       \
      "the address in IA32_BNDCFGS is not canonical")                          \
    X(GUEST_RTIT_CTL, "vmx-guest-rtit-ctl", "29.3.1.1", GUEST,                 \
      "a reserved bit of IA32_RTIT_CTL is set")                                \
    X(GUEST_S_CET, "vmx-guest-s-cet", "29.3.1.1", GUEST,                       \
      "a reserved bit of IA32_S_CET is set")                                   \
    X(GUEST_S_CET_SUPPRESS, "vmx-guest-s-cet-suppress", "29.3.1.1", GUEST,     \
      "SUPPRESS and TRACKER of IA32_S_CET are both set")                       \
    X(GUEST_LBR_CTL, "vmx-guest-lbr-ctl", "29.3.1.1", GUEST,                   \
      "a reserved bit of IA32_LBR_CTL is set")                                 \
    X(GUEST_PKRS, "vmx-guest-pkrs", "29.3.1.1", GUEST,                         \
      "bits 63:32 of IA32_PKRS are not zero")                                  \
    X(GUEST_UINV, "vmx-guest-uinv", "29.3.1.1", GUEST,                         \
      "bits 15:8 of UINV are not zero")

#define VMX_RULES_SEGMENT_V86(X, SEG, seg)                                     \
    X(GUEST_##SEG##_V86_BASE, "vmx-guest-" seg "-v86-base", "29.3.1.2", GUEST, \
      seg ": the base is not the selector times 16 in virtual-8086 mode")      \
    X(GUEST_##SEG##_V86_LIMIT, "vmx-guest-" seg "-v86-limit",                  \
      "29.3.1.2", GUEST,                                                       \
      seg ": the limit is not FFFFh in virtual-8086 mode")                     \
    X(GUEST_##SEG##_V86_RIGHTS, "vmx-guest-" seg "-v86-rights",                \
      "29.3.1.2", GUEST,                                                       \
      seg ": the access rights are not F3h in virtual-8086 mode")

#define VMX_RULES_SEGMENT_DATA(X, SEG, seg)                                    \
    X(GUEST_##SEG##_ACCESSED, "vmx-guest-" seg "-accessed", "29.3.1.2", GUEST, \
      seg ": the type is not of an accessed segment")                          \
    X(GUEST_##SEG##_READABLE, "vmx-guest-" seg "-readable", "29.3.1.2", GUEST, \
      seg ": the type is of a code segment that is not readable")              \
    X(GUEST_##SEG##_DPL, "vmx-guest-" seg "-dpl", "29.3.1.2", GUEST,           \
      seg ": the DPL is below the RPL")

#define VMX_RULES_SEGMENT(X, SEG, seg)                                         \
    X(GUEST_##SEG##_S, "vmx-guest-" seg "-s", "29.3.1.2", GUEST,               \
      seg ": S is zero")                                                       \
    X(GUEST_##SEG##_P, "vmx-guest-" seg "-p", "29.3.1.2", GUEST,               \
      seg ": P is zero")                                                       \
    X(GUEST_##SEG##_RESERVED, "vmx-guest-" seg "-reserved", "29.3.1.2", GUEST, \
      seg ": a reserved bit of the access rights is set")                      \
    X(GUEST_##SEG##_G_0, "vmx-guest-" seg "-g-0", "29.3.1.2", GUEST,           \
      seg ": G is set and bits 11:0 of the limit are not all ones")            \
    X(GUEST_##SEG##_G_1, "vmx-guest-" seg "-g-1", "29.3.1.2", GUEST,           \
      seg ": G is zero and bits 31:20 of the limit are not zero")

#define VMX_RULES_SEGMENTS(X)                                                  \
    X(GUEST_TR_TI, "vmx-guest-tr-ti", "29.3.1.2", GUEST,                       \
      "TR: TI is set")                                                         \
    X(GUEST_LDTR_TI, "vmx-guest-ldtr-ti", "29.3.1.2", GUEST,                   \
      "LDTR: TI is set")                                                       \
    X(GUEST_SS_RPL, "vmx-guest-ss-rpl", "29.3.1.2", GUEST,                     \
      "SS: the RPL is not that of CS")                                         \
    VMX_RULES_SEGMENT_V86(X, CS, "cs")                                         \
    VMX_RULES_SEGMENT_V86(X, SS, "ss")                                         \
    VMX_RULES_SEGMENT_V86(X, DS, "ds")                                         \
    VMX_RULES_SEGMENT_V86(X, ES, "es")                                         \
    VMX_RULES_SEGMENT_V86(X, FS, "fs")                                         \
    VMX_RULES_SEGMENT_V86(X, GS, "gs")                                         \
    X(GUEST_TR_BASE, "vmx-guest-tr-base", "29.3.1.2", GUEST,                   \
      "TR: the base is not canonical")                                         \
    X(GUEST_FS_BASE, "vmx-guest-fs-base", "29.3.1.2", GUEST,                   \
      "FS: the base is not canonical")                                         \
    X(GUEST_GS_BASE, "vmx-guest-gs-base", "29.3.1.2", GUEST,                   \
      "GS: the base is not canonical")                                         \
    X(GUEST_LDTR_BASE, "vmx-guest-ldtr-base", "29.3.1.2", GUEST,               \
      "LDTR: the base is not canonical")                                       \
    X(GUEST_CS_BASE, "vmx-guest-cs-base", "29.3.1.2", GUEST,                   \
      "CS: bits 63:32 of the base are not zero")                               \
    X(GUEST_SS_BASE, "vmx-guest-ss-base", "29.3.1.2", GUEST,                   \
      "SS: bits 63:32 of the base are not zero")                               \
    X(GUEST_DS_BASE, "vmx-guest-ds-base", "29.3.1.2", GUEST,                   \
      "DS: bits 63:32 of the base are not zero")                               \
    X(GUEST_ES_BASE, "vmx-guest-es-base", "29.3.1.2", GUEST,                   \
      "ES: bits 63:32 of the base are not zero")                               \
    X(GUEST_CS_TYPE, "vmx-guest-cs-type", "29.3.1.2", GUEST,                   \
      "CS: the type is not of an accessed code segment")                       \
    X(GUEST_CS_TYPE_UNRESTRICTED, "vmx-guest-cs-type-unrestricted",            \
      "29.3.1.2", GUEST,                                                       \
      "CS: the type is not of an accessed code segment, nor 3 for an "         \
      "unrestricted guest")                                                    \
    X(GUEST_SS_TYPE, "vmx-guest-ss-type", "29.3.1.2", GUEST,                   \
      "SS: the type is not 3 or 7")                                            \
    VMX_RULES_SEGMENT_DATA(X, DS, "ds")                                        \
    VMX_RULES_SEGMENT_DATA(X, ES, "es")                                        \
    VMX_RULES_SEGMENT_DATA(X, FS, "fs")                                        \
    VMX_RULES_SEGMENT_DATA(X, GS, "gs")                                        \
    X(GUEST_CS_DPL_DATA, "vmx-guest-cs-dpl-data", "29.3.1.2", GUEST,           \
      "CS: the DPL of a data segment is not 0")                                \
    X(GUEST_CS_DPL, "vmx-guest-cs-dpl", "29.3.1.2", GUEST,                     \
      "CS: the DPL of non-conforming code is not that of SS")                  \
    X(GUEST_CS_DPL_CONFORMING, "vmx-guest-cs-dpl-conforming",                  \
      "29.3.1.2", GUEST,                                                       \
      "CS: the DPL of conforming code is above that of SS")                    \
    X(GUEST_SS_DPL_RPL, "vmx-guest-ss-dpl-rpl", "29.3.1.2", GUEST,             \
      "SS: the DPL is not the RPL")                                            \
    X(GUEST_SS_DPL_REAL, "vmx-guest-ss-dpl-real", "29.3.1.2", GUEST,           \
      "SS: the DPL is not 0 in real-address mode")                             \
    VMX_RULES_SEGMENT(X, CS, "cs")                                             \
    VMX_RULES_SEGMENT(X, SS, "ss")                                             \
    VMX_RULES_SEGMENT(X, DS, "ds")                                             \
    VMX_RULES_SEGMENT(X, ES, "es")                                             \
    VMX_RULES_SEGMENT(X, FS, "fs")                                             \
    VMX_RULES_SEGMENT(X, GS, "gs")                                             \
    X(GUEST_CS_DB, "vmx-guest-cs-db", "29.3.1.2", GUEST,                       \
      "CS: D and L are both set in IA-32e mode")                               \
    X(GUEST_TR_TYPE, "vmx-guest-tr-type", "29.3.1.2", GUEST,                   \
      "TR: the type is not of a busy TSS")                                     \
    X(GUEST_TR_TYPE_LONG, "vmx-guest-tr-type-long", "29.3.1.2", GUEST,         \
      "TR: the type is not of a busy 64-bit TSS in IA-32e mode")               \
    X(GUEST_TR_S, "vmx-guest-tr-s", "29.3.1.2", GUEST,                         \
      "TR: S is set")                                                          \
    X(GUEST_TR_P, "vmx-guest-tr-p", "29.3.1.2", GUEST,                         \
      "TR: P is zero")                                                         \
    X(GUEST_TR_RESERVED, "vmx-guest-tr-reserved", "29.3.1.2", GUEST,           \
      "TR: a reserved bit of the access rights is set")                        \
    X(GUEST_TR_G_0, "vmx-guest-tr-g-0", "29.3.1.2", GUEST,                     \
      "TR: G is set and bits 11:0 of the limit are not all ones")              \
    X(GUEST_TR_G_1, "vmx-guest-tr-g-1", "29.3.1.2", GUEST,                     \
      "TR: G is zero and bits 31:20 of the limit are not zero")                \
    X(GUEST_TR_UNUSABLE, "vmx-guest-tr-unusable", "29.3.1.2", GUEST,           \
      "TR is unusable")                                                        \
    X(GUEST_LDTR_TYPE, "vmx-guest-ldtr-type", "29.3.1.2", GUEST,               \
      "LDTR: the type is not of an LDT")                                       \
    X(GUEST_LDTR_S, "vmx-guest-ldtr-s", "29.3.1.2", GUEST,                     \
      "LDTR: S is set")                                                        \
    X(GUEST_LDTR_P, "vmx-guest-ldtr-p", "29.3.1.2", GUEST,                     \
      "LDTR: P is zero")                                                       \
    X(GUEST_LDTR_RESERVED, "vmx-guest-ldtr-reserved", "29.3.1.2", GUEST,       \
      "LDTR: a reserved bit of the access rights is set")                      \
    X(GUEST_LDTR_G_0, "vmx-guest-ldtr-g-0", "29.3.1.2", GUEST,                 \
      "LDTR: G is set and bits 11:0 of the limit are not all ones")            \
    X(GUEST_LDTR_G_1, "vmx-guest-ldtr-g-1", "29.3.1.2", GUEST,                 \
      "LDTR: G is zero and bits 31:20 of the limit are not zero")

#define VMX_RULES_TABLES(X)                                                    \
    X(GUEST_GDTR_BASE, "vmx-guest-gdtr-base", "29.3.1.3", GUEST,               \
      "the base of GDTR is not canonical")                                     \
    X(GUEST_IDTR_BASE, "vmx-guest-idtr-base", "29.3.1.3", GUEST,               \
      "the base of IDTR is not canonical")                                     \
    X(GUEST_GDTR_LIMIT, "vmx-guest-gdtr-limit", "29.3.1.3", GUEST,             \
      "bits 31:16 of GDTR's limit are not zero")                               \
    X(GUEST_IDTR_LIMIT, "vmx-guest-idtr-limit", "29.3.1.3", GUEST,             \
      "bits 31:16 of IDTR's limit are not zero")                               \
    X(GUEST_RIP_HIGH, "vmx-guest-rip-high", "29.3.1.4", GUEST,                 \
      "bits 63:32 of RIP are not zero outside of 64-bit mode")                 \
    X(GUEST_RIP, "vmx-guest-rip", "29.3.1.4", GUEST,                           \
      "RIP has bits above the linear addresses that are not alike")            \
    X(GUEST_RFLAGS, "vmx-guest-rflags", "29.3.1.4", GUEST,                     \
      "a reserved bit of RFLAGS is set")                                       \
    X(GUEST_RFLAGS_FIXED, "vmx-guest-rflags-fixed", "29.3.1.4", GUEST,         \
      "bit 1 of RFLAGS is zero")                                               \
    X(GUEST_RFLAGS_VM, "vmx-guest-rflags-vm", "29.3.1.4", GUEST,               \
      "RFLAGS.VM is set in IA-32e mode or in real-address mode")               \
    X(GUEST_RFLAGS_IF, "vmx-guest-rflags-if", "29.3.1.4", GUEST,               \
      "an external interrupt is injected and RFLAGS.IF is zero")               \
    X(GUEST_SSP, "vmx-guest-ssp", "29.3.1.4", GUEST,                           \
      "bits 1:0 of SSP are not zero")                                          \
    X(GUEST_SSP_CANONICAL, "vmx-guest-ssp-canonical", "29.3.1.4", GUEST,       \
      "SSP has bits above the linear addresses that are not alike")

#define VMX_RULES_NON_REGISTER(X)                                              \
    X(GUEST_ACTIVITY, "vmx-guest-activity", "29.3.1.5", GUEST,                 \
      "an activity state that the processor does not have")                    \
    X(GUEST_ACTIVITY_HLT, "vmx-guest-activity-hlt", "29.3.1.5", GUEST,         \
      "the activity state is HLT, and the DPL of SS is not 0")                 \
    X(GUEST_ACTIVITY_BLOCKING, "vmx-guest-activity-blocking",                  \
      "29.3.1.5", GUEST,                                                       \
      "a blocked instruction boundary in an activity state other than "        \
      "active")                                                                \
    X(GUEST_ACTIVITY_HLT_EVENT, "vmx-guest-activity-hlt-event",                \
      "29.3.1.5", GUEST,                                                       \
      "an event is injected that the HLT state blocks")                        \
    X(GUEST_ACTIVITY_SHUTDOWN_EVENT, "vmx-guest-activity-shutdown-event",      \
      "29.3.1.5", GUEST,                                                       \
      "an event is injected that the shutdown state blocks")                   \
    X(GUEST_ACTIVITY_SIPI_EVENT, "vmx-guest-activity-sipi-event",              \
      "29.3.1.5", GUEST,                                                       \
      "an event is injected into the wait-for-SIPI state")                     \
    X(GUEST_BLOCKING, "vmx-guest-blocking", "29.3.1.5", GUEST,                 \
      "a reserved bit of the interruptibility state is set")                   \
    X(GUEST_BLOCKING_BOTH, "vmx-guest-blocking-both", "29.3.1.5", GUEST,       \
      "blocking by STI and by MOV SS")                                         \
    X(GUEST_BLOCKING_STI, "vmx-guest-blocking-sti", "29.3.1.5", GUEST,         \
      "blocking by STI, and RFLAGS.IF is zero")                                \
    X(GUEST_BLOCKING_INTERRUPT, "vmx-guest-blocking-interrupt",                \
      "29.3.1.5", GUEST,                                                       \
      "an external interrupt is injected while blocked by STI or MOV SS")      \
    X(GUEST_BLOCKING_NMI_STI, "vmx-guest-blocking-nmi-sti", "29.3.1.5", NMI,   \
      "an NMI is injected while blocked by STI")                               \
    X(GUEST_BLOCKING_NMI_MOV_SS, "vmx-guest-blocking-nmi-mov-ss",              \
      "29.3.1.5", GUEST,                                                       \
      "an NMI is injected while blocked by MOV SS")                            \
    X(GUEST_BLOCKING_SMI, "vmx-guest-blocking-smi", "29.3.1.5", GUEST,         \
      "blocking by SMI outside of SMM")                                        \
    X(GUEST_BLOCKING_NMI, "vmx-guest-blocking-nmi", "29.3.1.5", GUEST,         \
      "an NMI is injected while virtual NMIs are blocked")                     \
    X(GUEST_BLOCKING_ENCLAVE, "vmx-guest-blocking-enclave", "29.3.1.5", GUEST, \
      "an enclave was interrupted and blocking by MOV SS")                     \
    X(GUEST_BLOCKING_SGX, "vmx-guest-blocking-sgx", "29.3.1.5", GUEST,         \
      "an enclave was interrupted, and there is no SGX")                       \
    X(GUEST_PENDING, "vmx-guest-pending", "29.3.1.5", GUEST,                   \
      "a reserved bit of the pending debug exceptions is set")                 \
    X(GUEST_PENDING_BS, "vmx-guest-pending-bs", "29.3.1.5", GUEST,             \
      "BS is not pending in a blocked single step")                            \
    X(GUEST_PENDING_NO_BS, "vmx-guest-pending-no-bs", "29.3.1.5", GUEST,       \
      "BS is pending where no single step is blocked")                         \
    X(GUEST_PENDING_RTM, "vmx-guest-pending-rtm", "29.3.1.5", GUEST,           \
      "a transaction is pending with other debug exceptions")                  \
    X(GUEST_PENDING_RTM_ABSENT, "vmx-guest-pending-rtm-absent",                \
      "29.3.1.5", GUEST,                                                       \
      "a transaction is pending, and there is no RTM")                         \
    X(GUEST_PENDING_RTM_MOV_SS, "vmx-guest-pending-rtm-mov-ss",                \
      "29.3.1.5", GUEST,                                                       \
      "a transaction is pending while blocked by MOV SS")                      \
    X(GUEST_LINK_ALIGN, "vmx-guest-link-align", "29.3.1.5", LINK,              \
      "the VMCS link pointer is not of a page")                                \
    X(GUEST_LINK_WIDTH, "vmx-guest-link-width", "29.3.1.5", LINK,              \
      "the VMCS link pointer is too wide")                                     \
    X(GUEST_LINK_REVISION, "vmx-guest-link-revision", "29.3.1.5", LINK,        \
      "the linked VMCS has another revision identifier")                       \
    X(GUEST_LINK_SHADOW, "vmx-guest-link-shadow", "29.3.1.5", LINK,            \
      "the linked VMCS is a shadow VMCS or not, other than VMCS shadowing")    \
    X(GUEST_LINK_CURRENT, "vmx-guest-link-current", "29.3.1.5", LINK,          \
      "the VMCS link pointer is the current VMCS")

#define VMX_RULES_PDPTES(X)                                                    \
    X(GUEST_PDPTE0, "vmx-guest-pdpte0", "29.3.1.6", PDPTES,                    \
      "a reserved bit of PDPTE0 is set")                                       \
    X(GUEST_PDPTE1, "vmx-guest-pdpte1", "29.3.1.6", PDPTES,                    \
      "a reserved bit of PDPTE1 is set")                                       \
    X(GUEST_PDPTE2, "vmx-guest-pdpte2", "29.3.1.6", PDPTES,                    \
      "a reserved bit of PDPTE2 is set")                                       \
    X(GUEST_PDPTE3, "vmx-guest-pdpte3", "29.3.1.6", PDPTES,                    \
      "a reserved bit of PDPTE3 is set")

#define VMX_RULES_MSRS(X)                                                      \
    X(MSR_BASE, "vmx-msr-base", "29.4", MSR,                                   \
      "an MSR to load is FS.base or GS.base")                                  \
    X(MSR_X2APIC, "vmx-msr-x2apic", "29.4", MSR,                               \
      "an MSR to load is the local APIC's")                                    \
    X(MSR_SMM, "vmx-msr-smm", "29.4", MSR,                                     \
      "an MSR to load can be written in SMM only")                             \
    X(MSR_MODEL, "vmx-msr-model", "29.4", MSR,                                 \
      "an MSR to load cannot be loaded by VM entries")                         \
    X(MSR_RESERVED, "vmx-msr-reserved", "29.4", MSR,                           \
      "bits 63:32 of an entry of MSRs to load are not zero")                   \
    X(MSR_VALUE, "vmx-msr-value", "29.4", MSR,                                 \
      "a value to load that WRMSR would refuse")

/* clang-format on */

#endif
