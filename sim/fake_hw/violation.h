/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Violations: what the hypervisor did that real hardware would punish, at once
 * or some day: a missing fence, an illegal entry state, a guest that reaches
 * memory nobody gave it. They are counted by rule, kept as text, and printed.
 */
#ifndef SIM_FAKE_HW_VIOLATION_H
#define SIM_FAKE_HW_VIOLATION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "sim/fake_hw/x86_64/vmx/rule_controls.h"
#include "sim/fake_hw/x86_64/vmx/rule_guest.h"
#include "sim/fake_hw/x86_64/vmx/rule_host.h"

/* X(rule, name, what it says) */
/* clang-format off */
#define VIOLATION_RULES(X)                                                     \
    X(RULE_STALE_G_STAGE, "stale-g-stage",                                     \
      "a stage-2 translation was changed without an HFENCE.GVMA")              \
    X(RULE_STALE_VS_STAGE, "stale-vs-stage",                                   \
      "a VS-stage translation of another vCPU is still in the TLB")            \
    X(RULE_REACHES_HOST, "reaches-host",                                       \
      "a guest access reached host memory that is not allocated")              \
    X(RULE_ENTRY_SPV, "entry-spv",                                             \
      "hstatus.SPV is clear: SRET would enter HS- or U-mode")                  \
    X(RULE_ENTRY_HGATP_BARE, "entry-hgatp-bare",                               \
      "hgatp.MODE is Bare: the guest would see host memory")                   \
    X(RULE_ENTRY_HGATP_ROOT, "entry-hgatp-root",                               \
      "hgatp.PPN does not name an allocated 16 KiB root table")                \
    X(RULE_ENTRY_ZERO, "entry-zero", "the guest's x0 is not 0")                \
    X(RULE_ENTRY_PC, "entry-pc", "the guest's pc is odd")                      \
    X(RULE_HGATP_ALIGN, "hgatp-align",                                         \
      "a root table that is not aligned to 16 KiB")                            \
    X(RULE_HGATP_MODE, "hgatp-mode", "an hgatp.MODE the processor lacks")      \
    X(RULE_HGATP_VMID, "hgatp-vmid", "a VMID wider than VMIDLEN")              \
    X(RULE_UNIT_OFF, "unit-off",                                               \
      "FP or vector registers were touched while the unit is off")             \
    X(RULE_UNIT_ABSENT, "unit-absent",                                         \
      "a unit or CSR was used that the processor does not have")               \
    X(RULE_STALE_NPT, "stale-npt",                                             \
      "a nested translation was changed without a TLB flush")                  \
    X(RULE_STALE_ASID, "stale-asid",                                           \
      "an ASID was given to another guest without a TLB flush")                \
    X(RULE_STALE_VMCB, "stale-vmcb",                                           \
      "a VMCB field was changed without clearing its clean bit")               \
    X(RULE_SVM_HOST_SVME, "svm-host-svme",                                     \
      "SVM was used while the host's EFER.SVME is clear")                      \
    X(RULE_SVM_VMCB_ADDRESS, "svm-vmcb-address",                               \
      "a VMCB that is not an aligned page of allocated memory")                \
    X(RULE_SVM_HSAVE, "svm-hsave",                                             \
      "VM_HSAVE_PA is no aligned page of allocated memory")                    \
    X(RULE_SVM_HSAVE_SHARED, "svm-hsave-shared",                               \
      "VM_HSAVE_PA is the VMCB itself")                                        \
    X(RULE_SVM_XCR0, "svm-xcr0", "an XCR0 that the processor rejects")         \
    X(RULE_SVM_MSR, "svm-msr",                                                 \
      "the host used an MSR or a value that the processor does not have")      \
    X(RULE_STALE_EPT, "stale-ept",                                             \
      "an EPT translation was changed without an INVEPT of it")                \
    X(RULE_STALE_VPID, "stale-vpid",                                           \
      "a VPID was given to another guest without an INVVPID of it")            \
    X(RULE_VMX_INSTRUCTION, "vmx-instruction",                                 \
      "a VMX instruction of the host has failed")                              \
    X(RULE_VMX_ABORT, "vmx-abort",                                             \
      "a VM exit cannot store or load an MSR: a VMX abort")                    \
    X(RULE_VMX_ADDRESS, "vmx-address",                                         \
      "a VMXON region or a VMCS that is not in allocated memory")              \
    X(RULE_VMX_TWO_PROCESSORS, "vmx-two-processors",                           \
      "a VMCS became active on a processor while it was on another")           \
    X(RULE_VMX_OTHER_HOST, "vmx-other-host",                                   \
      "a VM exit has loaded the host state of another processor")              \
    X(RULE_VMCB_EFER_SVME, "vmcb-efer-svme", "EFER.SVME is zero")              \
    X(RULE_VMCB_CR0_NW, "vmcb-cr0-nw", "CR0.CD is zero and CR0.NW is set")     \
    X(RULE_VMCB_CR0_HIGH, "vmcb-cr0-high", "CR0[63:32] are not zero")          \
    X(RULE_VMCB_CR3, "vmcb-cr3", "an MBZ bit of CR3 is set")                   \
    X(RULE_VMCB_CR4, "vmcb-cr4", "an MBZ bit of CR4 is set")                   \
    X(RULE_VMCB_DR6, "vmcb-dr6", "DR6[63:32] are not zero")                    \
    X(RULE_VMCB_DR7, "vmcb-dr7", "DR7[63:32] are not zero")                    \
    X(RULE_VMCB_EFER, "vmcb-efer", "an MBZ bit of EFER is set")                \
    X(RULE_VMCB_LONG_ABSENT, "vmcb-long-absent",                               \
      "EFER.LMA or EFER.LME, and the processor has no long mode")              \
    X(RULE_VMCB_LONG_PAE, "vmcb-long-pae",                                     \
      "EFER.LME and CR0.PG are set and CR4.PAE is zero")                       \
    X(RULE_VMCB_LONG_PE, "vmcb-long-pe",                                       \
      "EFER.LME and CR0.PG are set and CR0.PE is zero")                        \
    X(RULE_VMCB_LONG_CS, "vmcb-long-cs",                                       \
      "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all set")                  \
    X(RULE_VMCB_VMRUN, "vmcb-vmrun", "the VMRUN intercept bit is clear")       \
    X(RULE_VMCB_IOPM, "vmcb-iopm",                                             \
      "the IOIO permission map ends above the physical addresses")             \
    X(RULE_VMCB_MSRPM, "vmcb-msrpm",                                           \
      "the MSR permission map ends above the physical addresses")              \
    X(RULE_VMCB_EVENT_TYPE, "vmcb-event-type",                                 \
      "EVENTINJ.TYPE is reserved")                                             \
    X(RULE_VMCB_EVENT_VECTOR, "vmcb-event-vector",                             \
      "EVENTINJ has an exception whose vector is of none")                     \
    X(RULE_VMCB_ASID, "vmcb-asid", "ASID is zero")                             \
    X(RULE_VMCB_ASID_LIMIT, "vmcb-asid-limit",                                 \
      "an ASID that the processor does not have")                              \
    X(RULE_VMCB_TLB_CONTROL, "vmcb-tlb-control",                               \
      "a TLB_CONTROL that the processor does not have")                        \
    X(RULE_VMCB_S_CET, "vmcb-s-cet", "a reserved bit of S_CET is set")         \
    X(RULE_VMCB_CET_WP, "vmcb-cet-wp", "CR4.CET is set and CR0.WP is zero")    \
    X(RULE_VMCB_NCR3, "vmcb-ncr3", "an MBZ bit of N_CR3 is set")               \
    X(RULE_VMCB_G_PAT, "vmcb-g-pat",                                           \
      "G_PAT has a memory type or a bit that is reserved")                     \
    X(RULE_VMCB_UNMODELLED, "vmcb-unmodelled",                                 \
      "AVIC, virtual NMIs, LBR virtualisation, SEV: not modelled")             \
    X(RULE_VMCB_NP, "vmcb-np",                                                 \
      "NP_ENABLE is clear: the guest would see host memory")                   \
    X(RULE_VMCB_NCR3_ROOT, "vmcb-ncr3-root",                                   \
      "N_CR3 does not name an allocated table")                                \
    X(RULE_VMCB_IOPM_MEMORY, "vmcb-iopm-memory",                               \
      "the IOIO permission map is not in allocated memory")                    \
    X(RULE_VMCB_MSRPM_MEMORY, "vmcb-msrpm-memory",                             \
      "the MSR permission map is not in allocated memory")                     \
    X(RULE_VMCB_INTR, "vmcb-intr",                                             \
      "INTR or V_INTR_MASKING is clear: the guest could keep the CPU")
/* clang-format on */

/* What VM entries check, in that order. X(rule, name, section, failure, what it
 * says) */
#define VMX_RULES(X)          \
    VMX_RULES_EXECUTION(X)    \
    VMX_RULES_EXIT(X)         \
    VMX_RULES_ENTRY(X)        \
    VMX_RULES_EVENT(X)        \
    VMX_RULES_ENTRY_LOAD(X)   \
    VMX_RULES_HOST(X)         \
    VMX_RULES_REGISTERS(X)    \
    VMX_RULES_SEGMENTS(X)     \
    VMX_RULES_TABLES(X)       \
    VMX_RULES_NON_REGISTER(X) \
    VMX_RULES_PDPTES(X)       \
    VMX_RULES_MSRS(X)

enum violation_rule {
#define X(rule, name, text) rule,
    VIOLATION_RULES(X)
#undef X
#define X(rule, name, section, failure, text) RULE_VMX_##rule,
        VMX_RULES(X)
#undef X
            RULE_COUNT
};

/* What an illegal entry state does. */
enum rule_mode {
    RULES_REJECT, /* counts, and the entry fails */
    RULES_REPAIR, /* the state becomes the nearest legal one; not counted */
    RULES_LABEL,  /* counts only */
};

/* Forgets all violations. */
void violations_reset(void);

/* Whether they are printed to standard error as they occur: yes by default,
 * the first twenty. */
void violations_set_print(bool print);

/* Whether the first one ends the process, as a fuzzer wants it. */
void violations_set_fatal(bool fatal);

/* Whether there are none, whatever happens: while recorded exits are replayed,
 * the fake hardware is not what the hypervisor runs on. */
void violations_set_ignored(bool ignored);

/* Reports a violation; the text says what was found. */
void violation(enum violation_rule rule, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* How many there were, in all and of one rule. */
uint64_t violations_count(void);
uint64_t violations_of(enum violation_rule rule);

/* The last one as text; "" if there was none. */
const char *violations_last(void);

const char *violation_rule_name(enum violation_rule rule);
const char *violation_rule_text(enum violation_rule rule);

#endif
