/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest state that C cannot express: floating-point and vector registers
 * (the only code of the image that uses them; images/check-image sees to
 * that), and loads through the guest's own translation.
 *
 * The layouts are struct riscv_fp_state and struct riscv_vector_state of
 * arch/riscv64/regs.h; hw.c asserts the offsets.
 */
#define HSTATUS_SPV  0x80
#define HSTATUS_SPVP 0x100

    .option arch, +h
    .option arch, +v

    .section .text.fp, "ax"

    /* void hw_load_fp(const struct riscv_fp_state *) */
    .globl hw_load_fp
hw_load_fp:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fld f\n, 8 * \n(a0)
    .endr
    lw t0, 256(a0) /* fcsr */
    fscsr t0
    ret

    /* void hw_save_fp(struct riscv_fp_state *) */
    .globl hw_save_fp
hw_save_fp:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fsd f\n, 8 * \n(a0)
    .endr
    frcsr t0
    sw t0, 256(a0) /* fcsr */
    ret

    /* uint64_t hw_read_fpr(uint32_t reg): one entry of 8 bytes each. */
    .globl hw_read_fpr
hw_read_fpr:
    la t0, 1f
    slli a0, a0, 3
    add t0, t0, a0
    jr t0
    .option push
    .option norvc
    .balign 4
1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fmv.x.d a0, f\n
    ret
    .endr
    .option pop

    /* void hw_write_fpr(uint32_t reg, uint64_t value) */
    .globl hw_write_fpr
hw_write_fpr:
    la t0, 1f
    slli a0, a0, 3
    add t0, t0, a0
    jr t0
    .option push
    .option norvc
    .balign 4
1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fmv.d.x f\n, a1
    ret
    .endr
    .option pop

    /*
     * void hw_load_vector(const void *registers, uint64_t vlenb)
     * void hw_save_vector(void *registers, uint64_t vlenb)
     * The registers alone; whole-register moves do not look at vl and vtype.
     */
    .globl hw_load_vector
hw_load_vector:
    slli t0, a1, 3
    vl8re8.v v0, (a0)
    add a0, a0, t0
    vl8re8.v v8, (a0)
    add a0, a0, t0
    vl8re8.v v16, (a0)
    add a0, a0, t0
    vl8re8.v v24, (a0)
    ret

    .globl hw_save_vector
hw_save_vector:
    slli t0, a1, 3
    vs8r.v v0, (a0)
    add a0, a0, t0
    vs8r.v v8, (a0)
    add a0, a0, t0
    vs8r.v v16, (a0)
    add a0, a0, t0
    vs8r.v v24, (a0)
    ret

    /* void hw_set_vl(uint64_t vl, uint64_t vtype) */
    .globl hw_set_vl
hw_set_vl:
    vsetvl zero, a0, a1
    ret

    .text

    /*
     * Accesses that may fault do so into a vector of their own: t0 takes its
     * address, t1 keeps stvec's. A fault has changed what the guest will be
     * entered by, hstatus.SPV and sstatus.SPP: they are put back, as they were
     * after the guest's exit (SPVP says the same as SPP then). The access gives
     * all ones, and what follows it comes next. t2 is used, too.
     */
    .globl hw_access_faulted
    .balign 4
hw_access_faulted:
    csrr t0, hstatus
    li t2, HSTATUS_SPVP /* where SPP is in sstatus */
    and t0, t0, t2
    csrc sstatus, t2
    csrs sstatus, t0
    li t2, HSTATUS_SPV
    csrs hstatus, t2
    csrr t0, sepc
    addi t0, t0, 4
    li a0, -1
    jr t0

    /* int64_t hw_load_guest(uint64_t address): 8 bits, or -1. */
    .globl hw_load_guest
hw_load_guest:
    la t0, hw_access_faulted
    csrrw t1, stvec, t0
    hlv.bu a0, (a0)
    csrw stvec, t1
    ret

    /* int64_t hw_probe_cycle(void): `cycle`, or -1 if it traps. */
    .globl hw_probe_cycle
hw_probe_cycle:
    la t0, hw_access_faulted
    csrrw t1, stvec, t0
    rdcycle a0
    csrw stvec, t1
    ret
