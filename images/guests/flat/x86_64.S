/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest in real mode, as a PC's firmware would start it: one sector at
 * 0x7c00, entered there. It greets through COM1 and powers off.
 */
#define COM1        0x3f8
#define COM1_LSR    0x3fd
#define LSR_THRE    0x20
#define PM1_CONTROL 0xb004
#define SLP_EN      0x2000
#define SECTOR      512
#define SIGNATURE   0xaa55

    .code16
    .text
    .globl  guest_start
guest_start:
    ljmp    $0, $here
here:
    xor     %ax, %ax
    mov     %ax, %ds
    mov     $text, %si
    cld
next:
    mov     $COM1_LSR, %dx
1:  inb     %dx, %al
    test    $LSR_THRE, %al
    jz      1b
    lodsb
    test    %al, %al
    jz      power_off
    mov     $COM1, %dx
    outb    %al, %dx
    jmp     next
power_off:
    mov     $PM1_CONTROL, %dx
    mov     $SLP_EN, %ax
    outw    %ax, %dx
1:  cli
    hlt
    jmp     1b

text:
    .asciz  "guest: hello from real mode\nguest: all checks: ok\n"

    .org    SECTOR - 2
    .word   SIGNATURE
