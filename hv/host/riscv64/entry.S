/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where harts enter the image: with paging and interrupts off, a0 the hart's
 * id. The boot hart comes from the boot loader with a1 the device tree
 * (RISC-V Linux boot requirements, which OpenSBI and QEMU follow); each other
 * one comes from SBI HSM hart_start with a1 its struct host_cpu.
 *
 * A hart may also come to the first entry after the boot hart: OpenSBI up to
 * 1.1 lets a hart go before it has stored where to, and firmware without HSM
 * lets all of them go at once. Such a hart waits until it is its turn to be
 * started.
 *
 * tp holds the hart's struct host_cpu from here on, and its stack ends where
 * that begins.
 */
    .section .text.entry, "ax"
    .globl riscv_start
riscv_start:
    csrw sie, zero
    la t0, entered
    li t1, 1
    amoadd.w t0, t1, (t0)
    bnez t0, wait_for_turn

    la t0, image_bss_start
    la t1, image_bss_end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    ld tp, boot_cpu
    mv sp, tp
    j riscv_boot

wait_for_turn:
    .insn i 0x0f, 0, x0, x0, 0x010 /* PAUSE */
    ld a1, riscv_starting
    beqz a1, wait_for_turn
    fence r, rw
    ld t0, 0(a1) /* hw_id */
    bne t0, a0, wait_for_turn

    .globl riscv_start_other
riscv_start_other:
    csrw sie, zero
    mv tp, a1
    mv sp, a1
    ld t0, riscv_satp
    sfence.vma
    csrw satp, t0
    sfence.vma
    j riscv_boot_other

    /* Harts that have come; not in .bss, which the first one clears. */
    .data
    .balign 4
entered:
    .4byte 0
