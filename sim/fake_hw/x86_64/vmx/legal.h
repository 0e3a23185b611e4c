/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMCSs that any VM entry takes, as something to start from: for tests, fuzzers
 * and benchmarks. Fields that the controls leave without use are legal, too, so
 * that most controls can be set alone.
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_LEGAL_H
#define SIM_FAKE_HW_X86_64_VMX_LEGAL_H

#include "sim/fake_hw/x86_64/vmx/rules.h"

/* The guest's mode. */
enum vmx_guest_mode {
    VMX_GUEST_LONG,
    VMX_GUEST_PROTECTED, /* with 32-bit paging */
    VMX_GUEST_PAE,       /* EPT is needed, for PDPTEs in the VMCS */
    VMX_GUEST_V86,
    VMX_GUEST_REAL, /* as an unrestricted guest */
    VMX_GUEST_MODES
};

/* Whether the processor can enter it. */
bool vmx_mode_exists(const struct vmx_profile *profile,
                     enum vmx_guest_mode mode);

/* Fills all fields of `check`, for its profile and its host. */
void vmx_make_legal(struct vmx_check *check, enum vmx_guest_mode mode);

#endif
