/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPUID's feature bits say to a guest, bit by bit: the policy. A bit that
 * is not here is 0. Names and places: AMD APM volume 3, appendix E, and Intel
 * SDM volume 2, CPUID.
 *
 *   X(name, leaf, subleaf, register, bit, what a guest gets)
 *
 *   PASS   what the host has: instructions and modes whose state a vCPU has
 *          of its own, without more help than it gets anyway
 *   AVX    the same, of instructions that need the AVX state of XSAVE
 *   AUX    the same, of those that read TSC_AUX: both, or none
 *   SET    always 1: the hypervisor emulates it
 *   LAPIC  1 if the VM has local APICs, which do it
 *   OWN    computed from the VM or the vCPU (guest_cpuid.c)
 *   HIDE   0, for the reason beside the group. It is here so that one sees it
 *          was thought of.
 */
#ifndef ARCH_X86_64_GUEST_FEATURES_H
#define ARCH_X86_64_GUEST_FEATURES_H

/* clang-format off */
#define X86_FEATURES_BASIC(X)                                                  \
    X(SSE3,             1, 0, ECX,  0, PASS)                                   \
    X(PCLMULQDQ,        1, 0, ECX,  1, PASS)                                   \
    X(DTES64,           1, 0, ECX,  2, HIDE) /* debug store */                 \
    X(MONITOR,          1, 0, ECX,  3, HIDE) /* would idle the host's CPU */   \
    X(DS_CPL,           1, 0, ECX,  4, HIDE)                                   \
    X(VMX,              1, 0, ECX,  5, HIDE)                                   \
    X(SMX,              1, 0, ECX,  6, HIDE)                                   \
    X(EIST,             1, 0, ECX,  7, HIDE) /* power is the host's */         \
    X(TM2,              1, 0, ECX,  8, HIDE)                                   \
    X(SSSE3,            1, 0, ECX,  9, PASS)                                   \
    X(CNXT_ID,          1, 0, ECX, 10, HIDE)                                   \
    X(SDBG,             1, 0, ECX, 11, HIDE)                                   \
    X(FMA,              1, 0, ECX, 12, AVX)                                    \
    X(CMPXCHG16B,       1, 0, ECX, 13, PASS)                                   \
    X(XTPR,             1, 0, ECX, 14, HIDE)                                   \
    X(PDCM,             1, 0, ECX, 15, HIDE) /* performance counters */        \
    X(PCID,             1, 0, ECX, 17, PASS)                                   \
    X(DCA,              1, 0, ECX, 18, HIDE)                                   \
    X(SSE41,            1, 0, ECX, 19, PASS)                                   \
    X(SSE42,            1, 0, ECX, 20, PASS)                                   \
    X(X2APIC,           1, 0, ECX, 21, LAPIC)                                  \
    X(MOVBE,            1, 0, ECX, 22, PASS)                                   \
    X(POPCNT,           1, 0, ECX, 23, PASS)                                   \
    X(TSC_DEADLINE,     1, 0, ECX, 24, LAPIC)                                  \
    X(AES,              1, 0, ECX, 25, PASS)                                   \
    X(XSAVE,            1, 0, ECX, 26, PASS)                                   \
    X(OSXSAVE,          1, 0, ECX, 27, OWN)                                    \
    X(AVX,              1, 0, ECX, 28, AVX)                                    \
    X(F16C,             1, 0, ECX, 29, AVX)                                    \
    X(RDRAND,           1, 0, ECX, 30, PASS)                                   \
    X(HYPERVISOR,       1, 0, ECX, 31, SET)                                    \
    X(FPU,              1, 0, EDX,  0, PASS)                                   \
    X(VME,              1, 0, EDX,  1, PASS)                                   \
    X(DE,               1, 0, EDX,  2, PASS)                                   \
    X(PSE,              1, 0, EDX,  3, PASS)                                   \
    X(TSC,              1, 0, EDX,  4, PASS)                                   \
    X(MSR,              1, 0, EDX,  5, SET)                                    \
    X(PAE,              1, 0, EDX,  6, PASS)                                   \
    X(MCE,              1, 0, EDX,  7, SET)  /* without banks: guest_msr.c */  \
    X(CX8,              1, 0, EDX,  8, PASS)                                   \
    X(APIC,             1, 0, EDX,  9, OWN)                                    \
    X(SEP,              1, 0, EDX, 11, PASS)                                   \
    X(MTRR,             1, 0, EDX, 12, SET)  /* kept, without effect */        \
    X(PGE,              1, 0, EDX, 13, PASS)                                   \
    X(MCA,              1, 0, EDX, 14, SET)                                    \
    X(CMOV,             1, 0, EDX, 15, PASS)                                   \
    X(PAT,              1, 0, EDX, 16, PASS)                                   \
    X(PSE36,            1, 0, EDX, 17, PASS)                                   \
    X(PSN,              1, 0, EDX, 18, HIDE) /* names the host */              \
    X(CLFSH,            1, 0, EDX, 19, PASS)                                   \
    X(DS,               1, 0, EDX, 21, HIDE)                                   \
    X(ACPI,             1, 0, EDX, 22, HIDE) /* thermal control */             \
    X(MMX,              1, 0, EDX, 23, PASS)                                   \
    X(FXSR,             1, 0, EDX, 24, PASS)                                   \
    X(SSE,              1, 0, EDX, 25, PASS)                                   \
    X(SSE2,             1, 0, EDX, 26, PASS)                                   \
    X(SS,               1, 0, EDX, 27, PASS)                                   \
    X(HTT,              1, 0, EDX, 28, OWN)                                    \
    X(TM,               1, 0, EDX, 29, HIDE)                                   \
    X(PBE,              1, 0, EDX, 31, HIDE)                                   \
    X(ARAT,             6, 0, EAX,  2, LAPIC)

#define X86_FEATURES_STRUCTURED(X)                                             \
    X(FSGSBASE,         7, 0, EBX,  0, PASS)                                   \
    X(TSC_ADJUST,       7, 0, EBX,  1, SET)                                    \
    X(SGX,              7, 0, EBX,  2, HIDE)                                   \
    X(BMI1,             7, 0, EBX,  3, PASS)                                   \
    X(HLE,              7, 0, EBX,  4, HIDE) /* TSX */                         \
    X(AVX2,             7, 0, EBX,  5, AVX)                                    \
    X(FDP_EXCPTN_ONLY,  7, 0, EBX,  6, PASS)                                   \
    X(SMEP,             7, 0, EBX,  7, PASS)                                   \
    X(BMI2,             7, 0, EBX,  8, PASS)                                   \
    X(ERMS,             7, 0, EBX,  9, PASS)                                   \
    X(INVPCID,          7, 0, EBX, 10, PASS)                                   \
    X(RTM,              7, 0, EBX, 11, HIDE)                                   \
    X(RDT_M,            7, 0, EBX, 12, HIDE) /* caches are the host's */       \
    X(FCS_FDS_GONE,     7, 0, EBX, 13, PASS)                                   \
    X(MPX,              7, 0, EBX, 14, HIDE) /* state not in x86_xsave */      \
    X(RDT_A,            7, 0, EBX, 15, HIDE)                                   \
    X(AVX512F,          7, 0, EBX, 16, HIDE) /* state not in x86_xsave */      \
    X(AVX512DQ,         7, 0, EBX, 17, HIDE)                                   \
    X(RDSEED,           7, 0, EBX, 18, PASS)                                   \
    X(ADX,              7, 0, EBX, 19, PASS)                                   \
    X(SMAP,             7, 0, EBX, 20, PASS)                                   \
    X(AVX512_IFMA,      7, 0, EBX, 21, HIDE)                                   \
    X(CLFLUSHOPT,       7, 0, EBX, 23, PASS)                                   \
    X(CLWB,             7, 0, EBX, 24, PASS)                                   \
    X(INTEL_PT,         7, 0, EBX, 25, HIDE)                                   \
    X(AVX512PF,         7, 0, EBX, 26, HIDE)                                   \
    X(AVX512ER,         7, 0, EBX, 27, HIDE)                                   \
    X(AVX512CD,         7, 0, EBX, 28, HIDE)                                   \
    X(SHA,              7, 0, EBX, 29, PASS)                                   \
    X(AVX512BW,         7, 0, EBX, 30, HIDE)                                   \
    X(AVX512VL,         7, 0, EBX, 31, HIDE)                                   \
    X(AVX512_VBMI,      7, 0, ECX,  1, HIDE)                                   \
    X(UMIP,             7, 0, ECX,  2, PASS)                                   \
    X(PKU,              7, 0, ECX,  3, HIDE) /* PKRU not in x86_xsave */       \
    X(OSPKE,            7, 0, ECX,  4, HIDE)                                   \
    X(WAITPKG,          7, 0, ECX,  5, HIDE) /* would idle the host's CPU */   \
    X(AVX512_VBMI2,     7, 0, ECX,  6, HIDE)                                   \
    X(CET_SS,           7, 0, ECX,  7, HIDE) /* state not in x86_xsave */      \
    X(GFNI,             7, 0, ECX,  8, PASS)                                   \
    X(VAES,             7, 0, ECX,  9, AVX)                                    \
    X(VPCLMULQDQ,       7, 0, ECX, 10, AVX)                                    \
    X(AVX512_VNNI,      7, 0, ECX, 11, HIDE)                                   \
    X(AVX512_BITALG,    7, 0, ECX, 12, HIDE)                                   \
    X(TME,              7, 0, ECX, 13, HIDE)                                   \
    X(AVX512_VPOPCNTDQ, 7, 0, ECX, 14, HIDE)                                   \
    X(LA57,             7, 0, ECX, 16, HIDE) /* 48 bits, in nested tables */   \
    X(RDPID,            7, 0, ECX, 22, AUX)                                    \
    X(KL,               7, 0, ECX, 23, HIDE)                                   \
    X(BUS_LOCK_DETECT,  7, 0, ECX, 24, HIDE)                                   \
    X(CLDEMOTE,         7, 0, ECX, 25, PASS)                                   \
    X(MOVDIRI,          7, 0, ECX, 27, HIDE) /* for devices: not emulated */   \
    X(MOVDIR64B,        7, 0, ECX, 28, HIDE)                                   \
    X(ENQCMD,           7, 0, ECX, 29, HIDE)                                   \
    X(SGX_LC,           7, 0, ECX, 30, HIDE)                                   \
    X(PKS,              7, 0, ECX, 31, HIDE)                                   \
    X(AVX512_4VNNIW,    7, 0, EDX,  2, HIDE)                                   \
    X(AVX512_4FMAPS,    7, 0, EDX,  3, HIDE)                                   \
    X(FSRM,             7, 0, EDX,  4, PASS)                                   \
    X(UINTR,            7, 0, EDX,  5, HIDE)                                   \
    X(AVX512_VP2I,      7, 0, EDX,  8, HIDE)                                   \
    X(SRBDS_CTRL,       7, 0, EDX,  9, HIDE) /* an MSR that is not offered */  \
    X(MD_CLEAR,         7, 0, EDX, 10, PASS)                                   \
    X(SERIALIZE,        7, 0, EDX, 14, PASS)                                   \
    X(TSXLDTRK,         7, 0, EDX, 16, HIDE)                                   \
    X(PCONFIG,          7, 0, EDX, 18, HIDE)                                   \
    X(ARCH_LBR,         7, 0, EDX, 19, HIDE)                                   \
    X(CET_IBT,          7, 0, EDX, 20, HIDE)                                   \
    X(AMX_BF16,         7, 0, EDX, 22, HIDE) /* state not in x86_xsave */      \
    X(AVX512_FP16,      7, 0, EDX, 23, HIDE)                                   \
    X(AMX_TILE,         7, 0, EDX, 24, HIDE)                                   \
    X(AMX_INT8,         7, 0, EDX, 25, HIDE)                                   \
    X(SPEC_CTRL,        7, 0, EDX, 26, HIDE) /* MSRs that are not offered */   \
    X(STIBP,            7, 0, EDX, 27, HIDE)                                   \
    X(L1D_FLUSH,        7, 0, EDX, 28, HIDE)                                   \
    X(ARCH_CAPABILITIES, 7, 0, EDX, 29, HIDE)                                  \
    X(CORE_CAPABILITIES, 7, 0, EDX, 30, HIDE)                                  \
    X(SSBD,             7, 0, EDX, 31, HIDE)                                   \
    X(SHA512,           7, 1, EAX,  0, AVX)                                    \
    X(SM3,              7, 1, EAX,  1, AVX)                                    \
    X(SM4,              7, 1, EAX,  2, AVX)                                    \
    X(AVX_VNNI,         7, 1, EAX,  4, AVX)                                    \
    X(AVX512_BF16,      7, 1, EAX,  5, HIDE)                                   \
    X(FZRM,             7, 1, EAX, 10, PASS)                                   \
    X(FSRS,             7, 1, EAX, 11, PASS)                                   \
    X(FSRC,             7, 1, EAX, 12, PASS)                                   \
    X(FRED,             7, 1, EAX, 17, HIDE)                                   \
    X(HRESET,           7, 1, EAX, 22, HIDE)                                   \
    X(AVX_IFMA,         7, 1, EAX, 23, AVX)                                    \
    X(LAM,              7, 1, EAX, 26, HIDE) /* changes canonical addresses */ \
    X(AVX_VNNI_INT8,    7, 1, EDX,  4, AVX)                                    \
    X(AVX_NE_CONVERT,   7, 1, EDX,  5, AVX)                                    \
    X(AVX_VNNI_INT16,   7, 1, EDX, 10, AVX)                                    \
    X(PREFETCHI,        7, 1, EDX, 14, PASS)                                   \
    X(AVX10,            7, 1, EDX, 19, HIDE)                                   \
    X(XSAVEOPT,        13, 1, EAX,  0, PASS)                                   \
    X(XSAVEC,          13, 1, EAX,  1, PASS)                                   \
    X(XGETBV1,         13, 1, EAX,  2, PASS)                                   \
    X(XSAVES,          13, 1, EAX,  3, HIDE) /* IA32_XSS */                    \
    X(XFD,             13, 1, EAX,  4, HIDE)

/* EDX of Fn8000_0001 has copies of leaf 1's bits on AMD processors. */
#define X86_FEATURES_EXTENDED(X)                                               \
    X(LAHF,             0x80000001, 0, ECX,  0, PASS)                          \
    X(CMP_LEGACY,       0x80000001, 0, ECX,  1, OWN)                           \
    X(SVM,              0x80000001, 0, ECX,  2, HIDE)                          \
    X(EXT_APIC_SPACE,   0x80000001, 0, ECX,  3, HIDE)                          \
    X(ALT_MOV_CR8,      0x80000001, 0, ECX,  4, PASS)                          \
    X(ABM,              0x80000001, 0, ECX,  5, PASS)                          \
    X(SSE4A,            0x80000001, 0, ECX,  6, PASS)                          \
    X(MISALIGN_SSE,     0x80000001, 0, ECX,  7, PASS)                          \
    X(PREFETCHW,        0x80000001, 0, ECX,  8, PASS)                          \
    X(OSVW,             0x80000001, 0, ECX,  9, PASS)                          \
    X(IBS,              0x80000001, 0, ECX, 10, HIDE)                          \
    X(XOP,              0x80000001, 0, ECX, 11, AVX)                           \
    X(SKINIT,           0x80000001, 0, ECX, 12, HIDE)                          \
    X(WDT,              0x80000001, 0, ECX, 13, HIDE)                          \
    X(LWP,              0x80000001, 0, ECX, 15, HIDE)                          \
    X(FMA4,             0x80000001, 0, ECX, 16, AVX)                           \
    X(TCE,              0x80000001, 0, ECX, 17, HIDE) /* an EFER bit */        \
    X(NODE_ID_MSR,      0x80000001, 0, ECX, 19, HIDE)                          \
    X(TBM,              0x80000001, 0, ECX, 21, PASS)                          \
    X(TOPOEXT,          0x80000001, 0, ECX, 22, PASS)                          \
    X(PERF_CTR_CORE,    0x80000001, 0, ECX, 23, HIDE) /* counters */           \
    X(PERF_CTR_NB,      0x80000001, 0, ECX, 24, HIDE)                          \
    X(DATA_BREAKPOINT,  0x80000001, 0, ECX, 26, HIDE) /* MSRs of masks */      \
    X(PERF_TSC,         0x80000001, 0, ECX, 27, HIDE)                          \
    X(PERF_CTR_LLC,     0x80000001, 0, ECX, 28, HIDE)                          \
    X(MONITORX,         0x80000001, 0, ECX, 29, HIDE)                          \
    X(SYSCALL,          0x80000001, 0, EDX, 11, PASS)                          \
    X(NX,               0x80000001, 0, EDX, 20, PASS)                          \
    X(MMX_EXT,          0x80000001, 0, EDX, 22, PASS)                          \
    X(FFXSR,            0x80000001, 0, EDX, 25, PASS)                          \
    X(PAGE1GB,          0x80000001, 0, EDX, 26, PASS)                          \
    X(RDTSCP,           0x80000001, 0, EDX, 27, AUX)                           \
    X(LM,               0x80000001, 0, EDX, 29, PASS)                          \
    X(3DNOW_EXT,        0x80000001, 0, EDX, 30, PASS)                          \
    X(3DNOW,            0x80000001, 0, EDX, 31, PASS)                          \
    X(INVARIANT_TSC,    0x80000007, 0, EDX,  8, SET)                           \
    X(CLZERO,           0x80000008, 0, EBX,  0, PASS)                          \
    X(IRPERF,           0x80000008, 0, EBX,  1, HIDE) /* a counter */          \
    X(XSAVE_ERPTR,      0x80000008, 0, EBX,  2, PASS)                          \
    X(INVLPGB,          0x80000008, 0, EBX,  3, HIDE) /* beyond the VM */      \
    X(RDPRU,            0x80000008, 0, EBX,  4, HIDE) /* counters */           \
    X(MCOMMIT,          0x80000008, 0, EBX,  8, HIDE)                          \
    X(WBNOINVD,         0x80000008, 0, EBX,  9, HIDE) /* caches: the host's */ \
    X(IBPB,             0x80000008, 0, EBX, 12, HIDE) /* MSRs, not offered */  \
    X(IBRS,             0x80000008, 0, EBX, 14, HIDE)                          \
    X(AMD_STIBP,        0x80000008, 0, EBX, 15, HIDE)                          \
    X(AMD_SSBD,         0x80000008, 0, EBX, 24, HIDE)                          \
    X(VIRT_SSBD,        0x80000008, 0, EBX, 25, HIDE)                          \
    X(SSB_NO,           0x80000008, 0, EBX, 26, PASS)                          \
    X(BTC_NO,           0x80000008, 0, EBX, 29, PASS)                          \
    X(NO_NESTED_DATA_BP, 0x80000021, 0, EAX, 0, PASS)                          \
    X(LFENCE_SERIALIZES, 0x80000021, 0, EAX, 2, PASS)                          \
    X(NULL_SEL_CLR_BASE, 0x80000021, 0, EAX, 6, PASS)                          \
    X(UAI,              0x80000021, 0, EAX,  7, HIDE) /* an EFER bit */        \
    X(AUTO_IBRS,        0x80000021, 0, EAX,  8, HIDE)                          \
    X(PREFETCH_CTL,     0x80000021, 0, EAX, 13, HIDE)
/* clang-format on */

#define X86_FEATURES(X)        \
    X86_FEATURES_BASIC(X)      \
    X86_FEATURES_STRUCTURED(X) \
    X86_FEATURES_EXTENDED(X)

enum x86_feature {
    X86_FEATURE_NONE,  /* always there: for tables of what needs a feature */
    X86_FEATURE_AMD,   /* the vendor is AMD or Hygon ... */
    X86_FEATURE_INTEL, /* ... or another one */
#define X(name, leaf, subleaf, reg, bit, policy) X86_FEATURE_##name,
    X86_FEATURES(X)
#undef X
        X86_FEATURE_COUNT
};

#endif
