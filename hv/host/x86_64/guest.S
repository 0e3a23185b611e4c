/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest state that C cannot express: single XMM registers. With hw.c's XSAVE
 * and XRSTOR, this is the only code of the image that uses them, which
 * images/check-image sees to.
 */
    .text

    /*
     * A function that does `insn` between the top of the stack and the XMM
     * register that EDI names: one entry of 16 bytes for each register.
     */
    .macro by_number name, load, insn
    .globl \name
\name:
    pushq %rsi
    shll $4, %edi
    leaq 1f(%rip), %rax
    addq %rdi, %rax
    jmp *%rax
    .balign 16
1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .balign 16
    .if \load
    \insn (%rsp), %xmm\n
    .else
    \insn %xmm\n, (%rsp)
    .endif
    popq %rax
    ret
    .endr
    .endm

    /* uint64_t hw_read_xmm_low(uint32_t reg), likewise _high */
    by_number hw_read_xmm_low, 0, movlps
    by_number hw_read_xmm_high, 0, movhps

    /* void hw_write_xmm_low(uint32_t reg, uint64_t value), likewise _high: the
     * other half stays */
    by_number hw_write_xmm_low, 1, movlps
    by_number hw_write_xmm_high, 1, movhps
