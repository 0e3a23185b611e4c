/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest state that C cannot express: floating-point and vector registers
 * (the only code of the image that uses them; images/check-image sees to
 * that), and loads through the guest's own translation.
 *
 * The layouts are struct riscv_fp_state and struct riscv_vector_state of
 * arch/riscv64/regs.h; hw.c asserts the offsets.
 */
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
     * Loads that may fault do so into a vector of their own. The fault has
     * changed sstatus (SPP) and hstatus (SPV, GVA), by which the guest will be
     * entered: they are put back.
     *
     * int64_t hw_fetch_guest(uint64_t address): 16 bits, or -1.
     */
    .globl hw_fetch_guest
hw_fetch_guest:
    csrr t2, sstatus
    csrr t3, hstatus
    la t0, hw_load_faulted
    csrrw t1, stvec, t0
    hlvx.hu a0, (a0)
    csrw stvec, t1
    ret

    /* int64_t hw_load_guest(uint64_t address): 8 bits, or -1. */
    .globl hw_load_guest
hw_load_guest:
    csrr t2, sstatus
    csrr t3, hstatus
    la t0, hw_load_faulted
    csrrw t1, stvec, t0
    hlv.bu a0, (a0)
    csrw stvec, t1
    ret

    .balign 4
hw_load_faulted:
    csrw stvec, t1
    csrw sstatus, t2
    csrw hstatus, t3
    li a0, -1
    ret

    /* int64_t hw_probe_cycle(void): -1 when reading `cycle` traps. */
    .globl hw_probe_cycle
hw_probe_cycle:
    csrr t2, sstatus
    csrr t3, hstatus
    la t0, hw_load_faulted
    csrrw t1, stvec, t0
    rdcycle a0
    csrw stvec, t1
    li a0, 0
    ret
