/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bits of the MSRs that say what a processor's VMX has: IA32_VMX_BASIC to
 * IA32_VMX_EXIT_CTLS2, IA32_FEATURE_CONTROL. Intel SDM volume 3, appendix A;
 * their numbers are in arch/x86_64/msr.h.
 *
 * The capability of 32 controls is in one MSR: a control may be 0 if its bit
 * in the low half is, and may be 1 if its bit in the high half is. Of tertiary
 * and secondary VM-exit controls the whole MSR says which may be 1.
 */
#ifndef ARCH_X86_64_VMX_CAPABILITY_H
#define ARCH_X86_64_VMX_CAPABILITY_H

#include "lib/bits.h"

/* IA32_FEATURE_CONTROL. */
#define VMX_FEATURE_LOCK        BIT(0)
#define VMX_FEATURE_INSIDE_SMX  BIT(1)
#define VMX_FEATURE_OUTSIDE_SMX BIT(2)

/* IA32_VMX_BASIC. */
#define VMX_BASIC_REVISION     BIT_MASK(30, 0)
#define VMX_BASIC_SIZE         BIT_MASK(44, 32) /* of regions, in bytes */
#define VMX_BASIC_32BIT        BIT(48) /* addresses of regions have 32 bits */
#define VMX_BASIC_DUAL_MONITOR BIT(49)
#define VMX_BASIC_MEMORY_TYPE  BIT_MASK(53, 50)
#define VMX_BASIC_INS_OUTS     BIT(54) /* instruction information of them */
#define VMX_BASIC_TRUE         BIT(55) /* there are the MSRs TRUE_... */
#define VMX_BASIC_ANY_ERROR    BIT(56) /* code, or none, with any exception */

/* IA32_VMX_MISC. */
#define VMX_MISC_TIMER_RATE    BIT_MASK(4, 0) /* TSC's bit that moves it */
#define VMX_MISC_STORE_LMA     BIT(5) /* exits store it as IA-32e mode guest */
#define VMX_MISC_HLT           BIT(6) /* activity states */
#define VMX_MISC_SHUTDOWN      BIT(7)
#define VMX_MISC_WAIT_FOR_SIPI BIT(8)
#define VMX_MISC_PT            BIT(14)
#define VMX_MISC_RDMSR_SMBASE  BIT(15)
#define VMX_MISC_CR3_TARGETS   BIT_MASK(24, 16)
#define VMX_MISC_MSR_LIST      BIT_MASK(27, 25) /* n: 512 * (n + 1) at most */
#define VMX_MISC_SMM_UNBLOCKED BIT(28)
#define VMX_MISC_WRITE_ANY     BIT(29) /* VMWRITE to any supported field */
#define VMX_MISC_INJECT_ANY    BIT(30) /* instruction length of 0 */

/* IA32_VMX_EPT_VPID_CAP. */
#define VMX_EPT_CAP_EXECUTE_ONLY    BIT(0)
#define VMX_EPT_CAP_WALK_4          BIT(6)
#define VMX_EPT_CAP_WALK_5          BIT(7)
#define VMX_EPT_CAP_UC              BIT(8)
#define VMX_EPT_CAP_WB              BIT(14)
#define VMX_EPT_CAP_2M              BIT(16)
#define VMX_EPT_CAP_1G              BIT(17)
#define VMX_EPT_CAP_INVEPT          BIT(20)
#define VMX_EPT_CAP_AD              BIT(21)
#define VMX_EPT_CAP_ADVANCED_EXIT   BIT(22) /* bits 11:9 of violations */
#define VMX_EPT_CAP_SHADOW_STACK    BIT(23)
#define VMX_EPT_CAP_INVEPT_SINGLE   BIT(25)
#define VMX_EPT_CAP_INVEPT_ALL      BIT(26)
#define VMX_VPID_CAP_INVVPID        BIT(32)
#define VMX_VPID_CAP_ADDRESS        BIT(40)
#define VMX_VPID_CAP_SINGLE         BIT(41)
#define VMX_VPID_CAP_ALL            BIT(42)
#define VMX_VPID_CAP_SINGLE_GLOBALS BIT(43) /* retains globals */

/* IA32_VMX_VMCS_ENUM: the highest index of a field's encoding. */
#define VMX_ENUM_INDEX BIT_MASK(9, 1)

#endif
