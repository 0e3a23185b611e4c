/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts and exceptions of the hypervisor itself. They are taken on the
 * stack that is in use (x86_host.h says why), and all end up in x86_trap(),
 * which returns from interrupts and from most NMIs.
 *
 * Frame: struct x86_trap_frame.
 */
#include "host/x86_64/entry.h"

    .text
    .balign 16
trap:
    cld
    pushq %r15
    pushq %r14
    pushq %r13
    pushq %r12
    pushq %r11
    pushq %r10
    pushq %r9
    pushq %r8
    pushq %rdi
    pushq %rsi
    pushq %rbp
    subq $8, %rsp /* RSP's place: the frame has it further up */
    pushq %rbx
    pushq %rdx
    pushq %rcx
    pushq %rax
    movq %rsp, %rdi
    movq %rsp, %rbp
    andq $-16, %rsp
    call x86_trap
    movq %rbp, %rsp
    popq %rax
    popq %rcx
    popq %rdx
    popq %rbx
    addq $8, %rsp
    popq %rbp
    popq %rsi
    popq %rdi
    popq %r8
    popq %r9
    popq %r10
    popq %r11
    popq %r12
    popq %r13
    popq %r14
    popq %r15
    addq $16, %rsp /* vector, error code */
    iretq

    /* Each 16 bytes, exceptions 0 to 31 first; those without an error code get
     * one. Then the interrupts, and what no other vector has. */
    .balign 16
    .globl x86_trap_stubs
x86_trap_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    .if (0x60227d00 >> vector) & 1 /* APM volume 2, table 8-1 */
    .else
    pushq $0
    .endif
    pushq $vector
    jmp trap
    .set vector, vector + 1
    .endr
    .irp vector, VECTOR_CONSOLE, VECTOR_TIMER, VECTOR_IPI, VECTOR_SPURIOUS
    .balign 16
    pushq $0
    pushq $\vector
    jmp trap
    .endr

    /* void x86_report_on(stack, frame): x86_report() on another stack. */
    .globl x86_report_on
x86_report_on:
    movq %rdi, %rsp
    movq %rsi, %rdi
    call x86_report
