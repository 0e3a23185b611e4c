/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kinds of VMX are faked: the values of the capability MSRs (Intel SDM
 * volume 3, appendix A), and which bits the registers have that VM entries
 * check. All have Intel 64.
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_CAPABILITY_H
#define SIM_FAKE_HW_X86_64_VMX_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/vmx/vmcs.h"
#include "sim/fake_hw/profile.h"

/* Of 32 controls: which must be 1, and which may. */
struct vmx_control_word {
    uint32_t fixed1, allowed1;
};

struct vmx_profile {
    struct fake_profile base;
    uint64_t basic, misc;
    /* Those of the MSRs TRUE_..., if IA32_VMX_BASIC says that there are. */
    struct vmx_control_word pin, cpu, exit, entry;
    uint32_t cpu2; /* may be 1, as in the following */
    uint64_t cpu3, exit2, function;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t ept_vpid;
    uint8_t phys_bits, linear_bits;
    bool sgx, rtm; /* CPUID.07H: EBX[2], EBX[11] */
    /* Bits that the MSRs have which entries and exits load. */
    uint64_t debugctl, efer, perf_global_ctrl, rtit_ctl, lbr_ctl, s_cet;
};

/* The default comes first; the table ends with a NULL name. */
extern const struct vmx_profile vmx_profiles[];

/* The profile called `name`, or NULL. */
const struct vmx_profile *vmx_profile_find(const char *name);

/* What RDMSR of a capability MSR reads; false: there is no such MSR. */
bool vmx_capability(const struct vmx_profile *profile, uint32_t msr,
                    uint64_t *value);

/* Which controls of `word` may be 1. */
uint64_t vmx_allowed(const struct vmx_profile *profile, enum vmx_word word);

/* Whether a field is there which depends on `condition`. */
bool vmx_condition_holds(const struct vmx_profile *profile,
                         enum vmcs_condition condition);

#endif
