/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests of the self-test. They run in VS-mode with neither stage of
 * translation, where they lie in the image. a7 says what a call means.
 */
#include "calls.h"

    .section .text.selftest, "ax"

    /* For ever. */
    .globl guest_spin
guest_spin:
    j guest_spin

    /* 1000 calls, and 1000 turns of the loop without; a0: what the calls took
     * more. */
    .globl guest_count
guest_count:
    rdinstret s0
    li s1, 1000
1:  li a7, CALL_NOTHING
    ecall
    addi s1, s1, -1
    bnez s1, 1b
    rdinstret s2
    sub s2, s2, s0

    rdinstret s0
    li s1, 1000
2:  li a7, CALL_NOTHING
    nop
    addi s1, s1, -1
    bnez s1, 2b
    rdinstret s3
    sub s3, s3, s0
    sub a0, s2, s3
    li a7, CALL_RESULT
    ecall

    /* Fills every register but a7 with a value of its own, calls, and looks
     * whether each has grown by the value of CALL_BUMP's answer: every
     * register by its number. a0: the first that was wrong, or 0. */
    .globl guest_registers
guest_registers:
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, \
            20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li x\n, 0x0101010101010101 * \n
    .endr
    li a7, CALL_BUMP
    ecall
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, \
            20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li a7, 0x0101010101010101 * \n + \n
    beq a7, x\n, 3f
    li a0, \n
    li a7, CALL_RESULT
    ecall
3:
    .endr
    li a0, 0
    li a7, CALL_RESULT
    ecall
