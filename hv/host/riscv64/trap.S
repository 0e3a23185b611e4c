/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traps of the hypervisor itself. Interrupts are off while it runs, and the
 * few accesses that may fault (guest.S) have a vector of their own: whatever
 * gets here is a bug.
 *
 * Nothing the bug may have spoilt is relied on: neither sp nor tp. Each such
 * trap, of whichever hart, takes the next of a few stacks, so that one hart's
 * report survives another's trap, and a trap in the report does not overwrite
 * the first one. When the stacks have run out, the machine is ended.
 */
#include "host/riscv64/sbi.h"

#define TRAP_STACKS     8
#define TRAP_STACK_SIZE 4096
#define FRAME_SIZE      (32 * 8)

    .text
    .globl riscv_host_trap
    .balign 4
    /* From the trap vector: a0 and sscratch (0) are swapped. */
riscv_host_trap:
    csrrw a0, sscratch, a0
    /* The guest's state is lost from here on: its registers are scratch. */
    csrw 0x240 /* vsscratch */, sp
    csrw 0x243, t0
    la sp, trap_count
    li t0, 1
    amoadd.w t0, t0, (sp)
    li sp, TRAP_STACKS
    bgeu t0, sp, riscv_give_up
    addi t0, t0, 1
    slli t0, t0, 12 /* TRAP_STACK_SIZE */
    la sp, trap_stacks
    add sp, sp, t0
    csrr t0, 0x243

    addi sp, sp, -FRAME_SIZE
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, \
            20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sd x\n, 8 * \n(sp)
    .endr
    csrr t0, 0x240
    sd t0, 8 * 2(sp)
    sd zero, 0(sp)
    mv a0, sp
    j riscv_report_trap

    /* Another hart may still be reporting: it gets some time. */
riscv_give_up:
    li t0, 1 << 24
1:  .insn i 0x0f, 0, x0, x0, 0x010 /* PAUSE */
    addi t0, t0, -1
    bnez t0, 1b
    li a7, SBI_SRST
    li a6, SBI_SRST_RESET
    li a0, SBI_RESET_SHUTDOWN
    li a1, SBI_REASON_FAILURE
    ecall
2:  wfi
    j 2b

    .section .bss.noinit, "aw", @nobits
    .balign 16
trap_stacks:
    .skip TRAP_STACKS * TRAP_STACK_SIZE

    .bss
    .balign 4
trap_count:
    .skip 4
