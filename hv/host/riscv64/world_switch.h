/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world switch: into the guest by SRET, out of it by a trap, in one piece
 * of assembly whose end is the trap vector.
 *
 * It is inlined into the function that calls it and declares every register
 * changed. So the compiler saves those that it needs afterwards, and no others;
 * and since all of the hypervisor runs between two world switches, that is
 * next to nothing.
 *
 * While a guest runs, sscratch holds its struct riscv_regs; while the
 * hypervisor runs it is 0, by which the vector tells the guest's traps from
 * those of the hypervisor itself. hstatus.SPV and sstatus.SPP, which SRET goes
 * by, are as the last exit or riscv_hw_load_vs() has left them. gp is not
 * used by the hypervisor and is left as the guest has it.
 */
#ifndef HOST_RISCV64_WORLD_SWITCH_H
#define HOST_RISCV64_WORLD_SWITCH_H

#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"

#define WS_STRING_(x) #x
#define WS_STRING(x)  WS_STRING_(x)

/* clang-format off */
/* X(register, number): all but zero and a0, which points to them. */
#define WS_GPRS(X)                                                             \
    X(ra, 1) X(sp, 2) X(gp, 3) X(tp, 4) X(t0, 5) X(t1, 6) X(t2, 7) X(s0, 8)    \
    X(s1, 9) X(a1, 11) X(a2, 12) X(a3, 13) X(a4, 14) X(a5, 15) X(a6, 16)       \
    X(a7, 17) X(s2, 18) X(s3, 19) X(s4, 20) X(s5, 21) X(s6, 22) X(s7, 23)      \
    X(s8, 24) X(s9, 25) X(s10, 26) X(s11, 27) X(t3, 28) X(t4, 29) X(t5, 30)    \
    X(t6, 31)

#define WS_LOAD(name, n)  "ld " #name ", 8 * " #n "(a0)\n"
#define WS_STORE(name, n) "sd " #name ", 8 * " #n "(a0)\n"
#define WS_A0             "8 * 10(a0)\n"
#define WS_REGS(member)   WS_STRING(RISCV_REGS_##member) "(a0)\n"

/* a0 is the struct riscv_regs. `vector` names the trap vector that stvec has,
 * and must be unique in the image. */
#define WORLD_SWITCH(vector)                                                   \
    "ld t0, " WS_REGS(PC)                                                      \
    "csrw sepc, t0\n"                                                          \
    "sd sp, " WS_REGS(HOST_SP)                                                 \
    "sd tp, " WS_REGS(HOST_TP)                                                 \
    "csrw sscratch, a0\n"                                                      \
    WS_GPRS(WS_LOAD)                                                           \
    "ld a0, " WS_A0                                                            \
    "sret\n"                                                                   \
    ".balign 4\n"                                                              \
    ".globl " vector "\n"                                                      \
    vector ":\n"                                                               \
    "csrrw a0, sscratch, a0\n"                                                 \
    "bnez a0, 1f\n"                                                            \
    "j riscv_host_trap\n"                                                      \
    "1:\n"                                                                     \
    WS_GPRS(WS_STORE)                                                          \
    "csrrw t0, sscratch, zero\n"                                               \
    "sd t0, " WS_A0                                                            \
    "csrr t0, sepc\n"                                                          \
    "csrr t1, scause\n"                                                        \
    "sd t0, " WS_REGS(PC)                                                      \
    "sd t1, " WS_REGS(SCAUSE)                                                  \
    "ld sp, " WS_REGS(HOST_SP)                                                 \
    "ld tp, " WS_REGS(HOST_TP)                                                 \
    /* Calls of the guest, the most frequent exits, are complete. For     \
     * others it is cheaper to read what may have been written than to    \
     * look. */ \
    "li t2, " WS_STRING(WS_ECALL_VS) "\n"                                      \
    "beq t1, t2, 2f\n"                                                         \
    "csrr t0, stval\n"                                                         \
    "csrr t1, 0x643\n" /* htval */                                             \
    "csrr t2, 0x64a\n" /* htinst */                                            \
    "sd t0, " WS_REGS(STVAL)                                                   \
    "sd t1, " WS_REGS(HTVAL)                                                   \
    "sd t2, " WS_REGS(HTINST)                                                  \
    "2:\n"
/* clang-format on */

#define WS_ECALL_VS 10
_Static_assert(WS_ECALL_VS == CAUSE_ECALL_VS, "as the string needs it");
_Static_assert(CSR_htval == 0x643 && CSR_htinst == 0x64a, "likewise");

#define WORLD_SWITCH_CLOBBERS                                               \
    "ra", "t0", "t1", "t2", "s0", "s1", "a1", "a2", "a3", "a4", "a5", "a6", \
        "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", \
        "t3", "t4", "t5", "t6", "memory"

#define world_switch(regs, vector)                              \
    do {                                                        \
        register struct riscv_regs *a0_ __asm__("a0") = (regs); \
        __asm__ volatile(WORLD_SWITCH(vector)                   \
                         : "+r"(a0_)                            \
                         :                                      \
                         : WORLD_SWITCH_CLOBBERS);              \
        (regs) = a0_;                                           \
    } while (0)

#endif
