/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world switch of VMX: into the guest by VMLAUNCH or VMRESUME, out of it by
 * a VM exit, which takes RSP and RIP from the VMCS (SDM volume 3, chapters 27
 * and 28). RIP is the same for all, which is why this is not inlined where it
 * is used, as SVM's is (world_switch.h).
 */
    .text

    /*
     * RAX: the struct x86_regs, whose RSP is left alone. ECX: whether the VMCS
     * has been launched. RDX: the encoding of the host's RSP. Changes all
     * registers but RSP and RAX.
     *
     * Returns CF and ZF, both clear if the guest has exited: a VM exit clears
     * RFLAGS. If it was not entered, they say why, as behind every instruction
     * of VMX. MOV, PUSH, POP and LEA leave the flags alone.
     */
    .balign 16
    .globl x86_vmx_switch, x86_vmx_exit
x86_vmx_switch:
    pushq %rax
    vmwrite %rsp, %rdx
    testl %ecx, %ecx
    movq 8 * 1(%rax), %rcx
    movq 8 * 2(%rax), %rdx
    movq 8 * 3(%rax), %rbx
    movq 8 * 5(%rax), %rbp
    movq 8 * 6(%rax), %rsi
    movq 8 * 7(%rax), %rdi
    movq 8 * 8(%rax), %r8
    movq 8 * 9(%rax), %r9
    movq 8 * 10(%rax), %r10
    movq 8 * 11(%rax), %r11
    movq 8 * 12(%rax), %r12
    movq 8 * 13(%rax), %r13
    movq 8 * 14(%rax), %r14
    movq 8 * 15(%rax), %r15
    movq (%rax), %rax
    jz 1f
    vmresume
    jmp x86_vmx_exit
1:  vmlaunch
x86_vmx_exit:
    pushq %rax
    movq 8(%rsp), %rax
    movq %rcx, 8 * 1(%rax)
    movq %rdx, 8 * 2(%rax)
    movq %rbx, 8 * 3(%rax)
    movq %rbp, 8 * 5(%rax)
    movq %rsi, 8 * 6(%rax)
    movq %rdi, 8 * 7(%rax)
    movq %r8, 8 * 8(%rax)
    movq %r9, 8 * 9(%rax)
    movq %r10, 8 * 10(%rax)
    movq %r11, 8 * 11(%rax)
    movq %r12, 8 * 12(%rax)
    movq %r13, 8 * 13(%rax)
    movq %r14, 8 * 14(%rax)
    movq %r15, 8 * 15(%rax)
    popq (%rax)
    leaq 8(%rsp), %rsp
    ret
