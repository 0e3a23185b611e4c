/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers: bits of the control registers that the hypervisor or the fake
 * hardware uses, exception vectors, and what a world switch saves and loads.
 * Names: AMD APM volume 2, chapters 2, 3 and 8. The image's assembly addresses
 * struct x86_regs by the offsets asserted below.
 */
#ifndef ARCH_X86_64_REGS_H
#define ARCH_X86_64_REGS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/bits.h"

#define X86_CR0_PE BIT(0)
#define X86_CR0_MP BIT(1)
#define X86_CR0_EM BIT(2)
#define X86_CR0_TS BIT(3)
#define X86_CR0_ET BIT(4)
#define X86_CR0_NE BIT(5)
#define X86_CR0_WP BIT(16)
#define X86_CR0_AM BIT(18)
#define X86_CR0_NW BIT(29)
#define X86_CR0_CD BIT(30)
#define X86_CR0_PG BIT(31)

#define X86_CR3_PWT     BIT(3)
#define X86_CR3_PCD     BIT(4)
#define X86_CR3_ADDRESS BIT_MASK(51, 12)
#define X86_CR3_PAE     BIT_MASK(31, 5) /* the address, of legacy PAE */

#define X86_CR4_VME        BIT(0)
#define X86_CR4_PVI        BIT(1)
#define X86_CR4_TSD        BIT(2)
#define X86_CR4_DE         BIT(3)
#define X86_CR4_PSE        BIT(4)
#define X86_CR4_PAE        BIT(5)
#define X86_CR4_MCE        BIT(6)
#define X86_CR4_PGE        BIT(7)
#define X86_CR4_PCE        BIT(8)
#define X86_CR4_OSFXSR     BIT(9)
#define X86_CR4_OSXMMEXCPT BIT(10)
#define X86_CR4_UMIP       BIT(11)
#define X86_CR4_LA57       BIT(12)
#define X86_CR4_VMXE       BIT(13)
#define X86_CR4_SMXE       BIT(14)
#define X86_CR4_FSGSBASE   BIT(16)
#define X86_CR4_PCIDE      BIT(17)
#define X86_CR4_OSXSAVE    BIT(18)
#define X86_CR4_SMEP       BIT(20)
#define X86_CR4_SMAP       BIT(21)
#define X86_CR4_PKE        BIT(22)
#define X86_CR4_CET        BIT(23)
#define X86_CR4_PKS        BIT(24)

#define X86_EFER_SCE   BIT(0)
#define X86_EFER_LME   BIT(8)
#define X86_EFER_LMA   BIT(10)
#define X86_EFER_NXE   BIT(11)
#define X86_EFER_SVME  BIT(12)
#define X86_EFER_LMSLE BIT(13)
#define X86_EFER_FFXSR BIT(14)
#define X86_EFER_TCE   BIT(15)

#define X86_RFLAGS_CF    BIT(0)
#define X86_RFLAGS_FIXED BIT(1) /* always 1 */
#define X86_RFLAGS_PF    BIT(2)
#define X86_RFLAGS_AF    BIT(4)
#define X86_RFLAGS_ZF    BIT(6)
#define X86_RFLAGS_SF    BIT(7)
#define X86_RFLAGS_TF    BIT(8)
#define X86_RFLAGS_IF    BIT(9)
#define X86_RFLAGS_DF    BIT(10)
#define X86_RFLAGS_OF    BIT(11)
#define X86_RFLAGS_IOPL  BIT_MASK(13, 12)
#define X86_RFLAGS_NT    BIT(14)
#define X86_RFLAGS_RF    BIT(16)
#define X86_RFLAGS_VM    BIT(17)
#define X86_RFLAGS_AC    BIT(18)

#define X86_DR6_BREAKPOINTS BIT_MASK(3, 0)
#define X86_DR6_BS          BIT(14)
#define X86_DR6_RESET       UINT64_C(0xffff0ff0)
#define X86_DR7_GD          BIT(13)
#define X86_DR7_RESET       UINT64_C(0x400)

#define X86_XCR0_X87 BIT(0)
#define X86_XCR0_SSE BIT(1)
#define X86_XCR0_AVX BIT(2)

/* Of the error code of #PF, and of a nested page fault's EXITINFO1. */
#define X86_FAULT_P   BIT(0)
#define X86_FAULT_RW  BIT(1)
#define X86_FAULT_US  BIT(2)
#define X86_FAULT_RSV BIT(3)
#define X86_FAULT_ID  BIT(4)

#define X86_VECTOR_DE  0
#define X86_VECTOR_DB  1
#define X86_VECTOR_NMI 2
#define X86_VECTOR_BP  3
#define X86_VECTOR_OF  4
#define X86_VECTOR_BR  5
#define X86_VECTOR_UD  6
#define X86_VECTOR_NM  7
#define X86_VECTOR_DF  8
#define X86_VECTOR_TS  10
#define X86_VECTOR_NP  11
#define X86_VECTOR_SS  12
#define X86_VECTOR_GP  13
#define X86_VECTOR_PF  14
#define X86_VECTOR_MF  16
#define X86_VECTOR_AC  17
#define X86_VECTOR_MC  18
#define X86_VECTOR_XF  19
#define X86_VECTOR_CP  21

#define X86_EXCEPTIONS 32 /* vectors of exceptions are below */

/* Those that there are, without shadow stacks: #NMI is none, 9, 15 and what
 * follows #XF are reserved. */
#define X86_EXCEPTION_VECTORS \
    (BIT_MASK(X86_VECTOR_XF, 0) & ~(BIT(X86_VECTOR_NMI) | BIT(9) | BIT(15)))

/* Exceptions that push an error code. */
#define X86_ERROR_CODE_VECTORS                                      \
    (BIT(X86_VECTOR_DF) | BIT(X86_VECTOR_TS) | BIT(X86_VECTOR_NP) | \
     BIT(X86_VECTOR_SS) | BIT(X86_VECTOR_GP) | BIT(X86_VECTOR_PF) | \
     BIT(X86_VECTOR_AC) | BIT(X86_VECTOR_CP))

/* General registers, by their number in instructions. */
/* clang-format off */
enum x86_gpr {
    X86_GPR_RAX, X86_GPR_RCX, X86_GPR_RDX, X86_GPR_RBX,
    X86_GPR_RSP, X86_GPR_RBP, X86_GPR_RSI, X86_GPR_RDI,
    X86_GPR_R8, X86_GPR_R9, X86_GPR_R10, X86_GPR_R11,
    X86_GPR_R12, X86_GPR_R13, X86_GPR_R14, X86_GPR_R15,
    X86_GPR_COUNT
};
/* clang-format on */

/*
 * Loaded at every entry, stored at every exit: what the guest has that no VMCB
 * and no VMCS holds. SVM keeps RAX and RSP in the VMCB, and does not look at
 * gpr[X86_GPR_RAX] and gpr[X86_GPR_RSP].
 */
struct x86_regs {
    uint64_t gpr[X86_GPR_COUNT];
};

#define X86_REGS_GPR(number) ((number)*8)

_Static_assert(offsetof(struct x86_regs, gpr[X86_GPR_R15]) == X86_REGS_GPR(15),
               "gpr");

/* Debug registers that neither VMCB nor VMCS holds. */
struct x86_debug_state {
    uint64_t dr[4];
};

/* Registers that a VMCB holds and a VMCS does not, and that processors with
 * VMX therefore do not switch. */
struct x86_vmx_state {
    uint64_t cr2, dr6;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
};

/* What CPUID returns. */
struct x86_cpuid {
    uint32_t eax, ebx, ecx, edx;
};

#endif
