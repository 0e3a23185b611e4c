/* SPDX-License-Identifier: Apache-2.0 */
/* The processors that can be faked. */
#include <stddef.h>
#include <string.h>

#include "arch/x86_64/cpuid.h"
#include "arch/x86_64/regs.h"
#include "sim/fake_hw/x86_64/cpu/vendor.h"
#include "sim/fake_hw/x86_64/profile.h"
#include "sim/fake_hw/x86_64/vmx/capability.h"

/* Bits of CR4 of the first and of the present ones: VME to OSXMMEXCPT. */
#define CR4_PHENOM BIT_MASK(10, 0)
#define CR4_ZEN                                                       \
    (CR4_PHENOM | X86_CR4_UMIP | X86_CR4_FSGSBASE | X86_CR4_OSXSAVE | \
     X86_CR4_SMEP | X86_CR4_SMAP)
#define EFER_USUAL                                               \
    (X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE | \
     X86_EFER_LMSLE | X86_EFER_FFXSR)
#define EFER_INTEL (X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE)
#define XCR0_SSE   (X86_XCR0_X87 | X86_XCR0_SSE)

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
        .cr4 = CR4_ZEN | X86_CR4_LA57 | X86_CR4_PKE | X86_CR4_PKS,
        .efer = EFER_USUAL & ~X86_EFER_LMSLE,
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
        .cr4 = CR4_ZEN & ~X86_CR4_UMIP,
        .efer = EFER_USUAL & ~X86_EFER_LMSLE,
        .xcr0 = XCR0_SSE | X86_XCR0_AVX,
        .asids = 32768,
        .phys_bits = 40,
    },
    {.base = {NULL, NULL}},
};

/* Row `index` of vmx_profiles[], whose CR4 it repeats. */
#define VMX(index, id, text, cr4_bits, xcr0_bits, phys, is_new)             \
    {                                                                       \
        .base = {id, text}, .vendor = &vmx_fake_vendor,                     \
        .vmx = &vmx_profiles[index], .cr4 = (cr4_bits), .efer = EFER_INTEL, \
        .xcr0 = (xcr0_bits), .phys_bits = (phys), .invpcid = (is_new),      \
        .random = (is_new),                                                 \
    }

const struct x86_profile x86_vmx_profiles[] = {
    VMX(0, "full", "everything that entries can check", UINT64_C(0xf77fff),
        XCR0_SSE | X86_XCR0_AVX, 46, true),
    VMX(1, "penryn", "as Bochs' core2_penryn_t9600: no EPT, no VPID",
        UINT64_C(0x467ff), 0, 40, false),
    VMX(2, "lynnfield",
        "as Bochs' corei5_lynnfield_750: EPT, no unrestricted guest",
        UINT64_C(0x67ff), 0, 40, false),
    VMX(3, "haswell", "as Bochs' corei7_haswell_4770: unrestricted guest",
        UINT64_C(0x1727ff), XCR0_SSE | X86_XCR0_AVX, 40, true),
    VMX(4, "skylake", "as Bochs' corei7_skylake_x", UINT64_C(0x3727ff),
        XCR0_SSE | X86_XCR0_AVX, 40, true),
    VMX(5, "arrandale",
        "as Bochs' corei5_arrandale_m520: no accessed and dirty flags of EPT",
        UINT64_C(0x67ff), 0, 40, false),
    VMX(6, "tigerlake", "as Bochs' tigerlake: shadow stacks, MTF",
        UINT64_C(0xf72fff), XCR0_SSE | X86_XCR0_AVX, 40, true),
    VMX(7, "registers", "as arrandale, with APIC-register virtualization",
        UINT64_C(0x67ff), 0, 40, false),
    VMX(8, "plain", "as arrandale, without a TPR shadow", UINT64_C(0x67ff), 0,
        40, false),
    {.base = {NULL, NULL}},
};

static const struct x86_profile *find(const struct x86_profile *profiles,
                                      const char *name)
{
    while (profiles->base.name != NULL &&
           strcmp(profiles->base.name, name) != 0)
        profiles++;
    return profiles->base.name != NULL ? profiles : NULL;
}

const struct x86_profile *x86_profile_find(const char *name)
{
    return find(x86_profiles, name);
}

const struct x86_profile *x86_vmx_profile_find(const char *name)
{
    return find(x86_vmx_profiles, name);
}
