/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of x86_64 processor is faked: whose it is, what CPUID says of it,
 * and how it does what the manual leaves open.
 */
#ifndef SIM_FAKE_HW_X86_64_PROFILE_H
#define SIM_FAKE_HW_X86_64_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/fake_hw/profile.h"

struct fake_x86_vendor;
struct vmx_profile;

struct x86_profile {
    struct fake_profile base;
    const struct fake_x86_vendor *vendor;
    const struct vmx_profile *vmx; /* NULL: not VMX's */
    uint64_t svm;                  /* enum svm_feature */
    uint64_t cr4;                  /* bits that may be set */
    uint64_t efer;                 /* bits that may be set, but for SVME */
    uint64_t xcr0;                 /* components that exist */
    uint32_t asids;                /* ASID 0 included */
    uint8_t phys_bits;             /* width of physical addresses */
    bool no_long_mode;
    bool rdpru, invpcid; /* the instruction exists */
    bool random;         /* RDRAND and RDSEED do */
    bool npt_unchecked;  /* reserved bits of nested tables are ignored */
    bool short_invalid;  /* VMEXIT_INVALID comes with 32 bits */
};

/* With SVM and with VMX: the default comes first; each table ends with a NULL
 * name. */
extern const struct x86_profile x86_profiles[], x86_vmx_profiles[];

/* The profile called `name`, or NULL. */
const struct x86_profile *x86_profile_find(const char *name);
const struct x86_profile *x86_vmx_profile_find(const char *name);

#endif
