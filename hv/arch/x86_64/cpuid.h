/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID leaves, and their bits that the hypervisor or the fake hardware looks
 * at. Names: AMD APM volume 3, appendix E.
 */
#ifndef ARCH_X86_64_CPUID_H
#define ARCH_X86_64_CPUID_H

#include "lib/bits.h"

#define X86_CPUID_VENDOR       0x00000000
#define X86_CPUID_FEATURES     0x00000001
#define X86_CPUID_STRUCTURED   0x00000007
#define X86_CPUID_XSTATE       0x0000000d
#define X86_CPUID_HYPERVISOR   0x40000000
#define X86_CPUID_EXT_MAX      0x80000000
#define X86_CPUID_EXT_FEATURES 0x80000001
#define X86_CPUID_ADDRESSES    0x80000008
#define X86_CPUID_SVM          0x8000000a

/* Fn0000_0001: ECX. */
#define X86_CPUID_ECX_VMX BIT(5)

/* Fn8000_0001: ECX, EDX. */
#define X86_CPUID_EXT_ECX_SVM     BIT(2)
#define X86_CPUID_EXT_EDX_NX      BIT(20)
#define X86_CPUID_EXT_EDX_FFXSR   BIT(25)
#define X86_CPUID_EXT_EDX_PAGE1GB BIT(26)
#define X86_CPUID_EXT_EDX_RDTSCP  BIT(27)
#define X86_CPUID_EXT_EDX_LM      BIT(29)

/* Fn8000_0008: EAX. */
#define X86_CPUID_PHYS_ADDR_SIZE BIT_MASK(7, 0)
#define X86_CPUID_LIN_ADDR_SIZE  BIT_MASK(15, 8)

/* Fn8000_000A: EBX is the number of ASIDs; EDX has these. */
enum svm_feature {
    SVM_FEATURE_NP = 1 << 0,
    SVM_FEATURE_LBR_VIRT = 1 << 1,
    SVM_FEATURE_SVML = 1 << 2,
    SVM_FEATURE_NRIPS = 1 << 3,
    SVM_FEATURE_TSC_RATE_MSR = 1 << 4,
    SVM_FEATURE_VMCB_CLEAN = 1 << 5,
    SVM_FEATURE_FLUSH_BY_ASID = 1 << 6,
    SVM_FEATURE_DECODE_ASSISTS = 1 << 7,
    SVM_FEATURE_PAUSE_FILTER = 1 << 10,
    SVM_FEATURE_PAUSE_FILTER_THRESHOLD = 1 << 12,
    SVM_FEATURE_AVIC = 1 << 13,
    SVM_FEATURE_VMSAVE_VIRT = 1 << 15,
    SVM_FEATURE_VGIF = 1 << 16,
    SVM_FEATURE_X2AVIC = 1 << 18,
    SVM_FEATURE_VNMI = 1 << 25,
    SVM_FEATURE_SVME_ADDR_CHK = 1 << 28,
};

#endif
