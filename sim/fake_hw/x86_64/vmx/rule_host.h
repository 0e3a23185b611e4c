/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VM entries check of the host-state area: Intel SDM volume 3, sections
 * 29.2.2 to 29.2.4 of the edition of June 2026. Failure: VMfailValid(8).
 *
 * X(rule, name, section, failure, what breaks it)
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_RULE_HOST_H
#define SIM_FAKE_HW_X86_64_VMX_RULE_HOST_H

/* clang-format off */
#define VMX_RULES_HOST(X)                                                      \
    X(HOST_CR0_FIXED0, "vmx-host-cr0-fixed0", "29.2.2", HOST,                  \
      "a bit of CR0 is 0 that must be 1")                                      \
    X(HOST_CR0_FIXED1, "vmx-host-cr0-fixed1", "29.2.2", HOST,                  \
      "a bit of CR0 is 1 that must be 0")                                      \
    X(HOST_CR4_FIXED0, "vmx-host-cr4-fixed0", "29.2.2", HOST,                  \
      "a bit of CR4 is 0 that must be 1")                                      \
    X(HOST_CR4_FIXED1, "vmx-host-cr4-fixed1", "29.2.2", HOST,                  \
      "a bit of CR4 is 1 that must be 0")                                      \
    X(HOST_CET_WP, "vmx-host-cet-wp", "29.2.2", HOST,                          \
      "CR4.CET is set and CR0.WP is zero")                                     \
    X(HOST_CR3, "vmx-host-cr3", "29.2.2", HOST,                                \
      "a bit of CR3 is set above the physical addresses")                      \
    X(HOST_SYSENTER_ESP, "vmx-host-sysenter-esp", "29.2.2", HOST,              \
      "IA32_SYSENTER_ESP is not canonical")                                    \
    X(HOST_SYSENTER_EIP, "vmx-host-sysenter-eip", "29.2.2", HOST,              \
      "IA32_SYSENTER_EIP is not canonical")                                    \
    X(HOST_PERF_GLOBAL_CTRL, "vmx-host-perf-global-ctrl", "29.2.2", HOST,      \
      "a reserved bit of IA32_PERF_GLOBAL_CTRL is set")                        \
    X(HOST_PAT, "vmx-host-pat", "29.2.2", HOST,                                \
      "IA32_PAT has a memory type that is reserved")                           \
    X(HOST_EFER, "vmx-host-efer", "29.2.2", HOST,                              \
      "a reserved bit of IA32_EFER is set")                                    \
    X(HOST_EFER_LMA, "vmx-host-efer-lma", "29.2.2", HOST,                      \
      "IA32_EFER.LMA is not the host address-space size")                      \
    X(HOST_EFER_LME, "vmx-host-efer-lme", "29.2.2", HOST,                      \
      "IA32_EFER.LME is not the host address-space size")                      \
    X(HOST_S_CET, "vmx-host-s-cet", "29.2.2", HOST,                            \
      "a reserved bit of IA32_S_CET is set")                                   \
    X(HOST_S_CET_SUPPRESS, "vmx-host-s-cet-suppress", "29.2.2", HOST,          \
      "SUPPRESS and TRACKER of IA32_S_CET are both set")                       \
    X(HOST_SSP, "vmx-host-ssp", "29.2.2", HOST,                                \
      "bits 1:0 of SSP are not zero")                                          \
    X(HOST_PKRS, "vmx-host-pkrs", "29.2.2", HOST,                              \
      "bits 63:32 of IA32_PKRS are not zero")                                  \
    X(HOST_ES_SELECTOR, "vmx-host-es-selector", "29.2.3", HOST,                \
      "RPL or TI of ES is not zero")                                           \
    X(HOST_CS_SELECTOR, "vmx-host-cs-selector", "29.2.3", HOST,                \
      "RPL or TI of CS is not zero")                                           \
    X(HOST_SS_SELECTOR, "vmx-host-ss-selector", "29.2.3", HOST,                \
      "RPL or TI of SS is not zero")                                           \
    X(HOST_DS_SELECTOR, "vmx-host-ds-selector", "29.2.3", HOST,                \
      "RPL or TI of DS is not zero")                                           \
    X(HOST_FS_SELECTOR, "vmx-host-fs-selector", "29.2.3", HOST,                \
      "RPL or TI of FS is not zero")                                           \
    X(HOST_GS_SELECTOR, "vmx-host-gs-selector", "29.2.3", HOST,                \
      "RPL or TI of GS is not zero")                                           \
    X(HOST_TR_SELECTOR, "vmx-host-tr-selector", "29.2.3", HOST,                \
      "RPL or TI of TR is not zero")                                           \
    X(HOST_CS_NULL, "vmx-host-cs-null", "29.2.3", HOST,                        \
      "CS is null")                                                            \
    X(HOST_TR_NULL, "vmx-host-tr-null", "29.2.3", HOST,                        \
      "TR is null")                                                            \
    X(HOST_SS_NULL, "vmx-host-ss-null", "29.2.3", HOST,                        \
      "SS is null, and the host is not in 64-bit mode")                        \
    X(HOST_FS_BASE, "vmx-host-fs-base", "29.2.3", HOST,                        \
      "the base of FS is not canonical")                                       \
    X(HOST_GS_BASE, "vmx-host-gs-base", "29.2.3", HOST,                        \
      "the base of GS is not canonical")                                       \
    X(HOST_TR_BASE, "vmx-host-tr-base", "29.2.3", HOST,                        \
      "the base of TR is not canonical")                                       \
    X(HOST_GDTR_BASE, "vmx-host-gdtr-base", "29.2.3", HOST,                    \
      "the base of GDTR is not canonical")                                     \
    X(HOST_IDTR_BASE, "vmx-host-idtr-base", "29.2.3", HOST,                    \
      "the base of IDTR is not canonical")                                     \
    X(HOST_GUEST_64_SIZE_32, "vmx-host-guest-64-size-32", "29.2.4", HOST,      \
      "an IA-32e mode guest, and the host address-space size is 0")            \
    X(HOST_GUEST_64_FROM_32, "vmx-host-guest-64-from-32", "29.2.4", HOST,      \
      "an IA-32e mode guest is entered from outside of IA-32e mode")           \
    X(HOST_SIZE_64_FROM_32, "vmx-host-size-64-from-32", "29.2.4", HOST,        \
      "the host address-space size is 1 outside of IA-32e mode")               \
    X(HOST_SIZE_32_FROM_64, "vmx-host-size-32-from-64", "29.2.4", HOST,        \
      "the host address-space size is 0 in IA-32e mode")                       \
    X(HOST_PCIDE, "vmx-host-pcide", "29.2.4", HOST,                            \
      "CR4.PCIDE is set, and the host address-space size is 0")                \
    X(HOST_RIP_HIGH, "vmx-host-rip-high", "29.2.4", HOST,                      \
      "bits 63:32 of RIP are not zero, and the host address-space size is "    \
      "0")                                                                     \
    X(HOST_S_CET_HIGH, "vmx-host-s-cet-high", "29.2.4", HOST,                  \
      "bits 63:32 of IA32_S_CET are not zero, and the host address-space "     \
      "size is 0")                                                             \
    X(HOST_SSP_HIGH, "vmx-host-ssp-high", "29.2.4", HOST,                      \
      "bits 63:32 of SSP are not zero, and the host address-space size is "    \
      "0")                                                                     \
    X(HOST_PAE, "vmx-host-pae", "29.2.4", HOST,                                \
      "CR4.PAE is zero, and the host address-space size is 1")                 \
    X(HOST_RIP, "vmx-host-rip", "29.2.4", HOST,                                \
      "RIP is not canonical")                                                  \
    X(HOST_S_CET_CANONICAL, "vmx-host-s-cet-canonical", "29.2.4", HOST,        \
      "IA32_S_CET is not canonical")                                           \
    X(HOST_SSP_CANONICAL, "vmx-host-ssp-canonical", "29.2.4", HOST,            \
      "SSP is not canonical")                                                  \
    X(HOST_SSP_TABLE, "vmx-host-ssp-table", "29.2.4", HOST,                    \
      "IA32_INTERRUPT_SSP_TABLE_ADDR is not canonical")

/* clang-format on */

#endif
