/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world switch of SVM: into the guest by VMRUN, out of it by #VMEXIT (AMD
 * APM volume 2, section 15.5).
 *
 * It is inlined into the function that calls it and declares every register
 * changed. So the compiler saves those that it needs afterwards, and no others.
 *
 * An interrupt of the host must end the guest, not be taken before it: the
 * guest's controls have V_INTR_MASKING, by which the host's IF at VMRUN says
 * whether interrupts exit; so IF is set under CLGI. VMRUN shall not follow STI:
 * if the guest exits at once, processors take STI's shadow for the guest's.
 * #VMEXIT has cleared GIF, too, and STGI comes when IF is off again.
 */
#ifndef HOST_X86_64_WORLD_SWITCH_H
#define HOST_X86_64_WORLD_SWITCH_H

#include "arch/x86_64/regs.h"
#include "lib/addr.h"

/* clang-format off */
/* X(register, number): all but RSP, and RAX, which points to them. */
#define WS_GPRS(X)                                                             \
    X(rcx, 1) X(rdx, 2) X(rbx, 3) X(rbp, 5) X(rsi, 6) X(rdi, 7) X(r8, 8)       \
    X(r9, 9) X(r10, 10) X(r11, 11) X(r12, 12) X(r13, 13) X(r14, 14) X(r15, 15)

#define WS_LOAD(name, n)  "movq 8 * " #n "(%%rax), %%" #name "\n"
#define WS_STORE(name, n) "movq %%" #name ", 8 * " #n "(%%rax)\n"

/* RAX is the struct x86_regs, RDX the VMCB's physical address. */
#define WORLD_SWITCH                                                           \
    "clgi\n"                                                                   \
    "sti\n"                                                                    \
    "pushq %%rax\n"                                                            \
    "pushq %%rdx\n"                                                            \
    WS_GPRS(WS_LOAD)                                                           \
    "popq %%rax\n"                                                             \
    "vmrun %%rax\n"                                                            \
    "cli\n"                                                                    \
    "stgi\n"                                                                   \
    "popq %%rax\n"                                                             \
    WS_GPRS(WS_STORE)
/* clang-format on */

#define WORLD_SWITCH_CLOBBERS                                                  \
    "rbx", "rcx", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", \
        "r14", "r15", "cc", "memory"

#define world_switch(regs, vmcb)                   \
    do {                                           \
        uint64_t rdx_ = (vmcb).raw;                \
        __asm__ volatile(WORLD_SWITCH              \
                         : "+a"(regs), "+d"(rdx_)  \
                         :                         \
                         : WORLD_SWITCH_CLOBBERS); \
    } while (0)

#endif
