/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VM entries check, as named rules: Intel SDM volume 3, chapter on VM
 * entries, sections 2 to 4 of it. Numbers of sections are those of the edition
 * of June 2026 (326019-092US), where that chapter is 29; it has had the same
 * sections as chapter 26 and 27.
 *
 * Not here, as no profile has them: FRED, SEAM, APIC-timer virtualization, and
 * loading of IA32_SPEC_CTRL. There is no SMM.
 *
 *   rule_*.h          names, sections, failures, texts, in the order of
 * checking rules_controls.c  conditions and repairs: VMX controls rules_host.c
 * the host-state area rules_guest.c     the guest-state area, but for
 *   rules_segments.c  its segments
 *   rules_msr.c       MSRs to load
 *   rules.c           all of them, and the three modes
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_RULES_H
#define SIM_FAKE_HW_X86_64_VMX_RULES_H

#include "arch/x86_64/vmx/exit.h"
#include "sim/fake_hw/violation.h"
#include "sim/fake_hw/x86_64/vmx/vmcs.h"

/* What a VM entry checks, and what it depends on. */
struct vmx_check {
    uint64_t *field; /* by enum vmcs_at */
    const struct vmx_profile *profile;
    uint64_t current; /* the VMCS pointer */
    bool host_long;   /* IA32_EFER.LMA of now */
    bool tracing;     /* IA32_RTIT_CTL.TraceEn of now */
};

/* What was legal at an earlier entry. */
struct vmx_legal {
    struct vmx_check check; /* `profile` is NULL: nothing */
    uint64_t vtpr;
    uint64_t field[VMCS_FIELD_COUNT];
};

/* How an entry fails that breaks a rule. */
enum vmx_rule_failure {
    VMX_FAILS_CONTROLS, /* VMfailValid(7) */
    VMX_FAILS_HOST,     /* VMfailValid(8) */
    VMX_FAILS_GUEST,    /* exit 33, and what the qualification is */
    VMX_FAILS_PDPTES,   /* 2 */
    VMX_FAILS_NMI,      /* 3 */
    VMX_FAILS_LINK,     /* 4 */
    VMX_FAILS_MSR,      /* exit 34; the number of the entry */
};

struct vmx_rule {
    enum violation_rule rule;
    const char *name, *section, *text;
    enum vmx_rule_failure failure;
    bool (*holds)(const struct vmx_check *check);
    void (*repair)(struct vmx_check *check);
};

/* In the order of checking; NULL from `i` = number of rules on. */
const struct vmx_rule *vmx_rule(unsigned i);

/* The first rule that is broken; NULL: none, the entry is legal. */
const struct vmx_rule *vmx_first_broken(const struct vmx_check *check);

/* Of the MSRs to load, the number of the first that breaks a rule, from 1. */
unsigned vmx_msr_broken(const struct vmx_check *check);

/* Whether an entry with EPT takes the EPTP. */
bool vmx_eptp_is_legal(const struct vmx_profile *profile, uint64_t eptp);

/* Makes it legal, whatever the mode. Who listens hears of the rules that were
 * broken. */
void vmx_repair(struct vmx_check *check);
extern void (*vmx_rule_listener)(enum violation_rule rule);

/* How illegal entries are treated; RULES_REJECT by default. */
void vmx_set_rule_mode(enum rule_mode mode);

/*
 * The check of an entry, in the mode that was set: NULL if the entry goes on,
 * or else the rule for which it fails. `legal` is what the last call has found
 * legal, with whatever VMCS: rules that look at nothing that has changed since
 * are not evaluated again.
 */
const struct vmx_rule *vmx_check_entry(struct vmx_check *check,
                                       struct vmx_legal *legal);

#endif
