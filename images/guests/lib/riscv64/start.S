/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry of a tiny guest, at the first byte of its image: S-mode, paging
 * off, a0 the hart, a1 the device tree. The very first instruction reads the
 * instruction counter, so that the bench guest can tell what came before it.
 */
    .section .text.start, "ax"
    .globl guest_start
guest_start:
    csrr    t0, instret
    la      sp, guest_stack_top
    la      t1, guest_first_instret
    sd      t0, 0(t1)
    la      t1, guest_trap_entry
    csrw    stvec, t1
    call    guest_begin

/*
 * A second hart: sp from a1, function to run in the word below it. See
 * guest_for_each_other_cpu().
 */
    .globl guest_hart_entry
guest_hart_entry:
    mv      sp, a1
    la      t1, guest_trap_entry
    csrw    stvec, t1
    ld      t1, -8(sp)
    addi    sp, sp, -16
    jalr    t1
1:  wfi
    j       1b

/*
 * Traps: all registers are saved, guest_trap() decides. A trap on a stack that
 * is no memory ends in a loop of traps, which is for the hypervisor to see.
 */
    .balign 4
guest_trap_entry:
    addi    sp, sp, -256
    .irp    n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, \
               19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sd      x\n, (8 * \n)(sp)
    .endr
    csrr    t0, sepc
    sd      t0, 0(sp)
    mv      a0, sp
    call    guest_trap
    ld      t0, 0(sp)
    csrw    sepc, t0
    .irp    n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, \
               19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ld      x\n, (8 * \n)(sp)
    .endr
    addi    sp, sp, 256
    sret
