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

struct x86_profile {
    struct fake_profile base;
    const struct fake_x86_vendor *vendor;
    uint64_t svm;      /* enum svm_feature */
    uint64_t cr4;      /* bits that may be set */
    uint64_t efer;     /* bits that may be set, but for SVME */
    uint64_t xcr0;     /* components that exist */
    uint32_t asids;    /* ASID 0 included */
    uint8_t phys_bits; /* width of physical addresses */
    bool no_long_mode;
    bool rdpru, invpcid; /* the instruction exists */
    bool npt_unchecked;  /* reserved bits of nested tables are ignored */
    bool short_invalid;  /* VMEXIT_INVALID comes with 32 bits */
};

/* The default comes first; the table ends with a NULL name. */
extern const struct x86_profile x86_profiles[];

/* The profile called `name`, or NULL. */
const struct x86_profile *x86_profile_find(const char *name);

#endif
