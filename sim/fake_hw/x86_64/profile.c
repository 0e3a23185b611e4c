/* SPDX-License-Identifier: Apache-2.0 */
/* The processors that can be faked. */
#include <stddef.h>
#include <string.h>

#include "arch/x86_64/cpuid.h"
#include "arch/x86_64/regs.h"
#include "sim/fake_hw/x86_64/cpu/vendor.h"
#include "sim/fake_hw/x86_64/profile.h"

/* Bits of CR4 of the first and of the present ones: VME to OSXMMEXCPT. */
#define CR4_PHENOM BIT_MASK(10, 0)
#define CR4_ZEN                                                       \
    (CR4_PHENOM | X86_CR4_UMIP | X86_CR4_FSGSBASE | X86_CR4_OSXSAVE | \
     X86_CR4_SMEP | X86_CR4_SMAP)
#define EFER_USUAL                                               \
    (X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE | \
     X86_EFER_LMSLE | X86_EFER_FFXSR)
#define XCR0_SSE (X86_XCR0_X87 | X86_XCR0_SSE)

const struct x86_profile x86_profiles[] = {
    {
        .base = {"full", "everything: NRIPS, decode assists, FlushByASID, VMCB "
                         "clean bits, AVIC, CET"},
        .vendor = &svm_fake_vendor,
        .svm = SVM_FEATURE_NP | SVM_FEATURE_LBR_VIRT | SVM_FEATURE_SVML |
               SVM_FEATURE_NRIPS | SVM_FEATURE_TSC_RATE_MSR |
               SVM_FEATURE_VMCB_CLEAN | SVM_FEATURE_FLUSH_BY_ASID |
               SVM_FEATURE_DECODE_ASSISTS | SVM_FEATURE_PAUSE_FILTER |
               SVM_FEATURE_PAUSE_FILTER_THRESHOLD | SVM_FEATURE_AVIC |
               SVM_FEATURE_VMSAVE_VIRT | SVM_FEATURE_VGIF | SVM_FEATURE_X2AVIC |
               SVM_FEATURE_SVME_ADDR_CHK,
        .cr4 = CR4_ZEN | X86_CR4_PCIDE | X86_CR4_PKE | X86_CR4_CET,
        .efer = EFER_USUAL | X86_EFER_TCE,
        .xcr0 = XCR0_SSE | X86_XCR0_AVX,
        .asids = 32768,
        .phys_bits = 48,
        .rdpru = true,
        .invpcid = true,
    },
    {
        .base = {"qemu", "as QEMU's max: none of NRIPS, decode assists, "
                         "FlushByASID, clean bits"},
        .vendor = &svm_fake_vendor,
        .svm = SVM_FEATURE_NP | SVM_FEATURE_VGIF | SVM_FEATURE_SVME_ADDR_CHK,
        .cr4 = CR4_ZEN | X86_CR4_LA57 | X86_CR4_PKE,
        .efer = EFER_USUAL,
        .xcr0 = XCR0_SSE | X86_XCR0_AVX,
        .asids = 16,
        .phys_bits = 40,
        .npt_unchecked = true,
        .short_invalid = true,
    },
    {
        .base = {"toliman",
                 "as Bochs' phenom_8650_toliman: nested paging and no more"},
        .vendor = &svm_fake_vendor,
        .svm = SVM_FEATURE_NP | SVM_FEATURE_LBR_VIRT,
        .cr4 = CR4_PHENOM,
        .efer = EFER_USUAL,
        .xcr0 = 0,
        .asids = 64,
        .phys_bits = 40,
    },
    {
        .base = {"ryzen",
                 "as Bochs' ryzen: NRIPS, FlushByASID, no decode assists"},
        .vendor = &svm_fake_vendor,
        .svm = SVM_FEATURE_NP | SVM_FEATURE_LBR_VIRT | SVM_FEATURE_NRIPS |
               SVM_FEATURE_VMCB_CLEAN | SVM_FEATURE_FLUSH_BY_ASID,
        .cr4 = CR4_ZEN,
        .efer = EFER_USUAL,
        .xcr0 = XCR0_SSE | X86_XCR0_AVX,
        .asids = 32768,
        .phys_bits = 40,
    },
    {.base = {NULL, NULL}},
};

const struct x86_profile *x86_profile_find(const char *name)
{
    for (const struct x86_profile *p = x86_profiles; p->base.name != NULL;
         p++) {
        if (strcmp(p->base.name, name) == 0)
            return p;
    }
    return NULL;
}
