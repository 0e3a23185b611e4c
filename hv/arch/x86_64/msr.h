/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model-specific registers that the hypervisor or the fake hardware knows.
 * Names: AMD APM volume 2, appendix A; where AMD has none, Intel SDM volume 4.
 */
#ifndef ARCH_X86_64_MSR_H
#define ARCH_X86_64_MSR_H

#include <stdint.h>

/* X(name, number) */
/* clang-format off */
#define X86_MSRS(X)                                                            \
    X(TSC,            0x00000010) X(APIC_BASE,      0x0000001b)                \
    X(SPEC_CTRL,      0x00000048) X(PRED_CMD,       0x00000049)                \
    X(MTRRcap,        0x000000fe)                                              \
    X(SYSENTER_CS,    0x00000174) X(SYSENTER_ESP,   0x00000175)                \
    X(SYSENTER_EIP,   0x00000176) X(MCG_CAP,        0x00000179)                \
    X(MCG_STAT,       0x0000017a) X(MCG_CTL,        0x0000017b)                \
    X(DBG_CTL,        0x000001d9) X(BR_FROM,        0x000001db)                \
    X(BR_TO,          0x000001dc) X(LAST_EXCP_FROM, 0x000001dd)                \
    X(LAST_EXCP_TO,   0x000001de)                                              \
    X(PAT,            0x00000277) X(MTRR_DEF_TYPE,  0x000002ff)                \
    X(TSC_DEADLINE,   0x000006e0)                                              \
    X(EFER,           0xc0000080) X(STAR,           0xc0000081)                \
    X(LSTAR,          0xc0000082) X(CSTAR,          0xc0000083)                \
    X(SFMASK,         0xc0000084) X(FS_BASE,        0xc0000100)                \
    X(GS_BASE,        0xc0000101) X(KERNEL_GS_BASE, 0xc0000102)                \
    X(TSC_AUX,        0xc0000103) X(TSC_RATIO,      0xc0000104)                \
    X(SYS_CFG,        0xc0010010) X(HWCR,           0xc0010015)                \
    X(VM_CR,          0xc0010114) X(IGNNE,          0xc0010115)                \
    X(VM_HSAVE_PA,    0xc0010117)                                              \
    /* Further ones that guests access. */                                     \
    X(PLATFORM_ID,    0x00000017) X(TSC_ADJUST,     0x0000003b)                \
    X(PATCH_LEVEL,    0x0000008b) X(MISC_ENABLE,    0x000001a0)                \
    X(MTRR_BASE0,     0x00000200) X(MTRR_FIX64K,    0x00000250)                \
    X(MTRR_FIX16K,    0x00000258) X(MTRR_FIX4K,     0x00000268)                \
    X(X2APIC,         0x00000800) X(NB_CFG,         0xc001001f)                \
    X(INT_PENDING,    0xc0010055) X(MMIO_CONF_BASE, 0xc0010058)                \
    X(SMM_ADDR,       0xc0010112) X(SMM_MASK,       0xc0010113)                \
    X(OSVW_ID_LENGTH, 0xc0010140) X(OSVW_STATUS,    0xc0010141)                \
    X(DE_CFG,         0xc0011029)                                              \
    /* VMX (SDM volume 3, appendix A), and what a VMCS loads and saves. */     \
    X(FEATURE_CONTROL,            0x0000003a) X(VMX_BASIC,        0x00000480)  \
    X(VMX_PINBASED_CTLS,          0x00000481) X(VMX_PROCBASED_CTLS, 0x00000482)\
    X(VMX_EXIT_CTLS,              0x00000483) X(VMX_ENTRY_CTLS,   0x00000484)  \
    X(VMX_MISC,                   0x00000485) X(VMX_CR0_FIXED0,   0x00000486)  \
    X(VMX_CR0_FIXED1,             0x00000487) X(VMX_CR4_FIXED0,   0x00000488)  \
    X(VMX_CR4_FIXED1,             0x00000489) X(VMX_VMCS_ENUM,    0x0000048a)  \
    X(VMX_PROCBASED_CTLS2,        0x0000048b) X(VMX_EPT_VPID_CAP, 0x0000048c)  \
    X(VMX_TRUE_PINBASED_CTLS,     0x0000048d)                                  \
    X(VMX_TRUE_PROCBASED_CTLS,    0x0000048e)                                  \
    X(VMX_TRUE_EXIT_CTLS,         0x0000048f)                                  \
    X(VMX_TRUE_ENTRY_CTLS,        0x00000490)                                  \
    X(VMX_VMFUNC,                 0x00000491)                                  \
    X(VMX_PROCBASED_CTLS3,        0x00000492) X(VMX_EXIT_CTLS2,   0x00000493)  \
    X(PERF_GLOBAL_CTRL,           0x0000038f) X(RTIT_CTL,         0x00000570)  \
    X(S_CET,                      0x000006a2)                                  \
    X(INTERRUPT_SSP_TABLE_ADDR,   0x000006a8) X(PKRS,             0x000006e1)  \
    X(BNDCFGS,                    0x00000d90) X(XSS,              0x00000da0)  \
    X(LBR_CTL,                    0x000014ce)
/* clang-format on */

enum x86_msr {
#define X(name, number) X86_MSR_##name = (number),
    X86_MSRS(X)
#undef X
};

/* VM_CR (APM volume 2, section 15.30.1). */
#define X86_VM_CR_R_INIT BIT(1)
#define X86_VM_CR_LOCK   BIT(3)
#define X86_VM_CR_SVMDIS BIT(4)

/* Memory types in PAT's bytes (section 7.8.1); 2 and 3 are reserved. */
#define X86_PAT_RESET UINT64_C(0x0007040600070406)

#endif
