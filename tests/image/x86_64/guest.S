/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests of the self-test. They run in 64-bit mode on the hypervisor's own page
 * tables, where they lie in the image. RAX says what a call means (enum
 * guest_call), RDI is the result.
 */
#define CALL_NOTHING 1
#define CALL_BUMP    2
#define CALL_RESULT  3

    .section .text.selftest, "ax"

    /* For ever. */
    .globl guest_spin
guest_spin:
    jmp guest_spin

    .macro read_tsc to
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, \to
    .endm

    /* 1000 calls, and 1000 turns of the loop without; RDI: what the calls took
     * more, where an instruction is a tick. */
    .globl guest_count
guest_count:
    read_tsc %rbx
    movl $1000, %esi
1:  movl $CALL_NOTHING, %eax
    vmmcall
    decl %esi
    jnz 1b
    read_tsc %rdi
    subq %rbx, %rdi

    read_tsc %rbx
    movl $1000, %esi
2:  movl $CALL_NOTHING, %eax
    nop
    decl %esi
    jnz 2b
    read_tsc %rcx
    subq %rbx, %rcx
    subq %rcx, %rdi
    movl $CALL_RESULT, %eax
    vmmcall

    /* Fills every register but RAX and RSP with a value of its own, calls, and
     * looks whether each has grown by the value of CALL_BUMP's answer: every
     * register by its number. RDI: the first that was wrong, or 0. */
    .globl guest_registers
guest_registers:
    .macro fill reg, n
    movabsq $0x0101010101010101 * \n, %\reg
    .endm
    .macro test_it reg, n
    movabsq $0x0101010101010101 * \n + \n, %rax
    cmpq %rax, %\reg
    movl $\n, %eax
    jne wrong
    .endm
    .macro every do
    \do rcx, 1
    \do rdx, 2
    \do rbx, 3
    \do rsp, 4
    \do rbp, 5
    \do rsi, 6
    \do rdi, 7
    \do r8, 8
    \do r9, 9
    \do r10, 10
    \do r11, 11
    \do r12, 12
    \do r13, 13
    \do r14, 14
    \do r15, 15
    .endm
    every fill
    movl $CALL_BUMP, %eax
    vmmcall
    every test_it
    xorl %eax, %eax
wrong:
    movl %eax, %edi
    movl $CALL_RESULT, %eax
    vmmcall

    /* RDI: what is at RSI. */
    .globl guest_nested
guest_nested:
    movq (%rsi), %rdi
    movl $CALL_RESULT, %eax
    vmmcall
