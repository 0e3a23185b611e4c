/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world switch of VMX: into the guest by VMLAUNCH or VMRESUME, out of it by
 * a VM exit, which takes RSP and RIP from the VMCS (SDM volume 3, chapters 26
 * and 27). Like SVM's (world_switch.h), it is inlined where it is used, which
 * is one place: its label would be there twice otherwise.
 *
 * A VM exit leaves RFLAGS clear but for its reserved bit. So behind the label
 * CF and ZF say, both for an entry that failed and for a guest that exited,
 * what they say behind every VMX instruction.
 */
#ifndef HOST_X86_64_WORLD_SWITCH_VMX_H
#define HOST_X86_64_WORLD_SWITCH_VMX_H

#include "host/x86_64/world_switch.h"

/* RAX is the struct x86_regs, ECX says whether the VMCS has been launched, RDX
 * is the encoding of the host's RSP. MOV and LEA leave the flags alone. */
/* clang-format off */
#define WORLD_SWITCH_VMX                                                       \
    "pushq %%rax\n"                                                            \
    "vmwrite %%rsp, %%rdx\n"                                                   \
    "testl %%ecx, %%ecx\n"                                                     \
    WS_GPRS(WS_LOAD)                                                           \
    "movq (%%rax), %%rax\n"                                                    \
    "jz 1f\n"                                                                  \
    "vmresume\n"                                                               \
    "jmp x86_vmx_exit\n"                                                       \
    "1: vmlaunch\n"                                                            \
    ".globl x86_vmx_exit\n"                                                    \
    "x86_vmx_exit:\n"                                                          \
    "pushq %%rax\n"                                                            \
    "movq 8(%%rsp), %%rax\n"                                                   \
    WS_GPRS(WS_STORE)                                                          \
    "popq (%%rax)\n"                                                           \
    "leaq 8(%%rsp), %%rsp\n"
/* clang-format on */

#define world_switch_vmx(regs, launched, host_rsp, failed, invalid)       \
    do {                                                                  \
        uint64_t rcx_ = (launched), rdx_ = (host_rsp);                    \
        __asm__ volatile(WORLD_SWITCH_VMX                                 \
                         : "+a"(regs), "+c"(rcx_), "+d"(rdx_),            \
                           "=@ccbe"(failed), "=@ccc"(invalid)             \
                         :                                                \
                         : "rbx", "rbp", "rsi", "rdi", "r8", "r9", "r10", \
                           "r11", "r12", "r13", "r14", "r15", "memory");  \
    } while (0)

#endif
