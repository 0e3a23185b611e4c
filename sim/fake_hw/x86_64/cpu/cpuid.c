/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPUID says of a fake CPU: a processor of its vendor's with what its
 * profile has, and what all of them have. APM volume 3, appendix E.
 */
#include <string.h>

#include "sim/fake_hw/x86_64/cpu/cpu.h"

#define CPUID_EXT_LAST X86_CPUID_SVM

#define CLFLUSH_SIZE (8u << 8) /* 64 bytes */

enum cpuid_reg { EAX, EBX, ECX, EDX };

/* Bits that a profile's CR4 or XCR0 brings; with neither, all have them. */
struct feature {
    uint32_t leaf;
    uint8_t reg, bit;
    uint64_t cr4, xcr0;
    const struct fake_x86_vendor *only; /* NULL: all */
};

static const struct feature features[] = {
    {X86_CPUID_FEATURES, ECX, 0, 0, 0},                   /* SSE3 */
    {X86_CPUID_FEATURES, ECX, 3, 0, 0},                   /* MONITOR */
    {X86_CPUID_FEATURES, ECX, 5, 0, 0, &vmx_fake_vendor}, /* VMX */
    {X86_CPUID_FEATURES, ECX, 9, 0, 0},                   /* SSSE3 */
    {X86_CPUID_FEATURES, ECX, 13, 0, 0},                  /* CMPXCHG16B */
    {X86_CPUID_FEATURES, ECX, 17, X86_CR4_PCIDE, 0},
    {X86_CPUID_FEATURES, ECX, 19, 0, 0}, /* SSE4.1 */
    {X86_CPUID_FEATURES, ECX, 20, 0, 0}, /* SSE4.2 */
    {X86_CPUID_FEATURES, ECX, 22, 0, 0}, /* MOVBE */
    {X86_CPUID_FEATURES, ECX, 23, 0, 0}, /* POPCNT */
    {X86_CPUID_FEATURES, ECX, 26, X86_CR4_OSXSAVE, 0},
    {X86_CPUID_FEATURES, ECX, 28, 0, X86_XCR0_AVX},
    {X86_CPUID_FEATURES, EDX, 0, 0, 0}, /* FPU */
    {X86_CPUID_FEATURES, EDX, 1, X86_CR4_VME, 0},
    {X86_CPUID_FEATURES, EDX, 2, X86_CR4_DE, 0},
    {X86_CPUID_FEATURES, EDX, 3, X86_CR4_PSE, 0},
    {X86_CPUID_FEATURES, EDX, 4, X86_CR4_TSD, 0},
    {X86_CPUID_FEATURES, EDX, 5, 0, 0}, /* MSR */
    {X86_CPUID_FEATURES, EDX, 6, X86_CR4_PAE, 0},
    {X86_CPUID_FEATURES, EDX, 7, X86_CR4_MCE, 0},
    {X86_CPUID_FEATURES, EDX, 8, 0, 0},  /* CMPXCHG8B */
    {X86_CPUID_FEATURES, EDX, 9, 0, 0},  /* APIC */
    {X86_CPUID_FEATURES, EDX, 11, 0, 0}, /* SYSENTER */
    {X86_CPUID_FEATURES, EDX, 12, 0, 0}, /* MTRR */
    {X86_CPUID_FEATURES, EDX, 13, X86_CR4_PGE, 0},
    {X86_CPUID_FEATURES, EDX, 14, 0, 0}, /* MCA */
    {X86_CPUID_FEATURES, EDX, 15, 0, 0}, /* CMOV */
    {X86_CPUID_FEATURES, EDX, 16, 0, 0}, /* PAT */
    {X86_CPUID_FEATURES, EDX, 17, 0, 0}, /* PSE36 */
    {X86_CPUID_FEATURES, EDX, 19, 0, 0}, /* CLFLUSH */
    {X86_CPUID_FEATURES, EDX, 23, 0, 0}, /* MMX */
    {X86_CPUID_FEATURES, EDX, 24, X86_CR4_OSFXSR, 0},
    {X86_CPUID_FEATURES, EDX, 25, X86_CR4_OSXMMEXCPT, 0}, /* SSE */
    {X86_CPUID_FEATURES, EDX, 26, 0, 0},                  /* SSE2 */
    {X86_CPUID_STRUCTURED, EBX, 0, X86_CR4_FSGSBASE, 0},
    {X86_CPUID_STRUCTURED, EBX, 7, X86_CR4_SMEP, 0},
    {X86_CPUID_STRUCTURED, EBX, 20, X86_CR4_SMAP, 0},
    {X86_CPUID_STRUCTURED, ECX, 2, X86_CR4_UMIP, 0},
    {X86_CPUID_STRUCTURED, ECX, 3, X86_CR4_PKE, 0},
    {X86_CPUID_STRUCTURED, ECX, 7, X86_CR4_CET, 0},
    {X86_CPUID_STRUCTURED, ECX, 16, X86_CR4_LA57, 0},
    {X86_CPUID_EXT_FEATURES, ECX, 0, 0, 0}, /* LAHF and SAHF */
    {X86_CPUID_EXT_FEATURES, ECX, 2, 0, 0, &svm_fake_vendor}, /* SVM */
    /* CR8 outside of 64-bit mode */
    {X86_CPUID_EXT_FEATURES, ECX, 4, 0, 0, &svm_fake_vendor},
    {X86_CPUID_EXT_FEATURES, EDX, 11, 0, 0},                   /* SYSCALL */
    {X86_CPUID_EXT_FEATURES, EDX, 20, 0, 0},                   /* NX */
    {X86_CPUID_EXT_FEATURES, EDX, 25, 0, 0, &svm_fake_vendor}, /* FFXSR */
    {X86_CPUID_EXT_FEATURES, EDX, 26, 0, 0}, /* pages of 1 GiB */
    {X86_CPUID_EXT_FEATURES, EDX, 27, 0, 0}, /* RDTSCP */
};

/* Bits that say something else than a bit of a control register. */
#define FEATURES_ECX_RDRAND    (1u << 30)
#define STRUCTURED_EBX_INVPCID (1u << 10)
#define STRUCTURED_EBX_RDSEED  (1u << 18)
#define ADDRESSES_EBX_RDPRU    (1u << 4)

static bool has(const struct x86_profile *profile,
                const struct feature *feature)
{
    return (profile->cr4 & feature->cr4) == feature->cr4 &&
           (profile->xcr0 & feature->xcr0) == feature->xcr0 &&
           (feature->only == NULL || feature->only == profile->vendor);
}

static void add_features(const struct x86_profile *profile, uint32_t leaf,
                         struct x86_cpuid *result)
{
    uint32_t *regs[] = {[EAX] = &result->eax,
                        [EBX] = &result->ebx,
                        [ECX] = &result->ecx,
                        [EDX] = &result->edx};

    for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
        const struct feature *feature = &features[i];

        if (feature->leaf == leaf && has(profile, feature))
            *regs[feature->reg] |= 1u << feature->bit;
    }
}

static void fill_leaf(const struct x86_profile *profile, uint32_t leaf,
                      uint32_t subleaf, struct x86_cpuid *result)
{
    switch (leaf) {
    case X86_CPUID_VENDOR:
        result->eax = X86_CPUID_XSTATE;
        memcpy(&result->ebx, profile->vendor->cpuid_vendor, 4);
        memcpy(&result->edx, profile->vendor->cpuid_vendor + 4, 4);
        memcpy(&result->ecx, profile->vendor->cpuid_vendor + 8, 4);
        break;
    case X86_CPUID_FEATURES:
        *result =
            (struct x86_cpuid){profile->vendor->signature, CLFLUSH_SIZE,
                               profile->random ? FEATURES_ECX_RDRAND : 0, 0};
        break;
    case X86_CPUID_STRUCTURED:
        result->ebx = (profile->invpcid ? STRUCTURED_EBX_INVPCID : 0) |
                      (profile->random ? STRUCTURED_EBX_RDSEED : 0);
        break;
    case X86_CPUID_XSTATE:
        if (subleaf == 0 && profile->xcr0 != 0)
            *result = (struct x86_cpuid){(uint32_t)profile->xcr0,
                                         X86_XSAVE_SIZE, X86_XSAVE_SIZE, 0};
        break;
    case X86_CPUID_EXT_MAX:
        result->eax =
            profile->vmx != NULL ? X86_CPUID_ADDRESSES : CPUID_EXT_LAST;
        break;
    case X86_CPUID_EXT_FEATURES:
        if (!profile->no_long_mode)
            result->edx = (uint32_t)X86_CPUID_EXT_EDX_LM;
        break;
    case X86_CPUID_ADDRESSES:
        result->eax = 48u << 8 | profile->phys_bits;
        result->ebx = profile->rdpru ? ADDRESSES_EBX_RDPRU : 0;
        break;
    case X86_CPUID_SVM:
        if (profile->vmx == NULL)
            *result = (struct x86_cpuid){1, profile->asids, 0,
                                         (uint32_t)profile->svm};
        break;
    default: break;
    }
}

void cpu_cpuid(const struct fake_x86 *cpu, uint32_t leaf, uint32_t subleaf,
               struct x86_cpuid *result)
{
    *result = (struct x86_cpuid){0};
    fill_leaf(cpu->profile, leaf, subleaf, result);
    if (subleaf == 0 || leaf != X86_CPUID_STRUCTURED)
        add_features(cpu->profile, leaf, result);
}
