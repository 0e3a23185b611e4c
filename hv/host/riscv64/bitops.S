/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that gcc calls for __builtin_ctzll() and its like, since the
 * image does not rely on Zbb. libgcc has them too, but takes up to 60
 * instructions where these take about ten, and they are on every exit path
 * that looks for a bit in a word.
 */
    .text

    /* The lowest set bit, multiplied by a de Bruijn sequence, has its place in
     * the product's top six bits: a different number for each bit. */
    .globl __ctzdi2
__ctzdi2:
    neg a1, a0
    and a0, a0, a1
    /* a0 is a power of two. */
place_of_bit:
    ld a1, de_bruijn
    mul a0, a0, a1
    srli a0, a0, 58
    lla a1, places
    add a0, a0, a1
    lbu a0, 0(a0)
    ret

    .globl __clzdi2
__clzdi2:
    /* Leaves the highest bit alone. */
    .irp shift, 1, 2, 4, 8, 16, 32
    srli a1, a0, \shift
    or a0, a0, a1
    .endr
    srli a1, a0, 1
    xor a0, a0, a1
    mv t0, ra
    call place_of_bit
    li a1, 63
    sub a0, a1, a0
    jr t0

    /* Bits are added up in pairs, fours, bytes, and then by a product. */
    .globl __popcountdi2
__popcountdi2:
    ld a1, pairs
    srli a2, a0, 1
    and a2, a2, a1
    sub a0, a0, a2
    ld a1, fours
    and a2, a0, a1
    srli a0, a0, 2
    and a0, a0, a1
    add a0, a0, a2
    srli a1, a0, 4
    add a0, a0, a1
    ld a1, bytes
    and a0, a0, a1
    ld a1, ones
    mul a0, a0, a1
    srli a0, a0, 56
    ret

    .section .rodata.bitops, "a"
    .balign 8
de_bruijn:
    .8byte 0x03f79d71b4cb0a89
pairs:
    .8byte 0x5555555555555555
fours:
    .8byte 0x3333333333333333
bytes:
    .8byte 0x0f0f0f0f0f0f0f0f
ones:
    .8byte 0x0101010101010101
    /* places[(de_bruijn << n) >> 58] == n */
places:
    .byte 0, 1, 48, 2, 57, 49, 28, 3, 61, 58, 50, 42, 38, 29, 17, 4
    .byte 62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5
    .byte 63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11
    .byte 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9, 13, 8, 7, 6
