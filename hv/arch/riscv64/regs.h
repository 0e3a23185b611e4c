/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a world switch saves and loads. The image's assembly (hv/host/riscv64)
 * addresses struct riscv_regs by the offsets asserted below.
 */
#ifndef ARCH_RISCV64_REGS_H
#define ARCH_RISCV64_REGS_H

#include <stddef.h>
#include <stdint.h>

/* clang-format off */
enum riscv_gpr {
    REG_ZERO, REG_RA, REG_SP, REG_GP, REG_TP, REG_T0, REG_T1, REG_T2,
    REG_S0, REG_S1, REG_A0, REG_A1, REG_A2, REG_A3, REG_A4, REG_A5,
    REG_A6, REG_A7, REG_S2, REG_S3, REG_S4, REG_S5, REG_S6, REG_S7,
    REG_S8, REG_S9, REG_S10, REG_S11, REG_T3, REG_T4, REG_T5, REG_T6,
    REG_COUNT
};
/* clang-format on */

/*
 * Loaded at every entry, stored at every exit. gpr[0] stays 0.
 */
struct riscv_regs {
    uint64_t gpr[REG_COUNT];
    uint64_t pc;

    /* Why the guest exited. stval, htval and htinst are written by exits
     * whose cause is in RISCV_FAULT_CAUSES, and are stale after others. */
    uint64_t scause;
    uint64_t stval;
    uint64_t htval;  /* guest-physical address >> 2 */
    uint64_t htinst; /* transformed instruction, or 0 */

    /* The host's, while the guest runs. */
    uint64_t host_sp;
    uint64_t host_tp;
    uint64_t host_ra;
};

#define RISCV_REGS_PC      256
#define RISCV_REGS_SCAUSE  264
#define RISCV_REGS_STVAL   272
#define RISCV_REGS_HTVAL   280
#define RISCV_REGS_HTINST  288
#define RISCV_REGS_HOST_SP 296
#define RISCV_REGS_HOST_TP 304
#define RISCV_REGS_HOST_RA 312

_Static_assert(offsetof(struct riscv_regs, pc) == RISCV_REGS_PC, "pc");
_Static_assert(offsetof(struct riscv_regs, scause) == RISCV_REGS_SCAUSE, "");
_Static_assert(offsetof(struct riscv_regs, stval) == RISCV_REGS_STVAL, "");
_Static_assert(offsetof(struct riscv_regs, htval) == RISCV_REGS_HTVAL, "");
_Static_assert(offsetof(struct riscv_regs, htinst) == RISCV_REGS_HTINST, "");
_Static_assert(offsetof(struct riscv_regs, host_sp) == RISCV_REGS_HOST_SP, "");
_Static_assert(offsetof(struct riscv_regs, host_tp) == RISCV_REGS_HOST_TP, "");
_Static_assert(offsetof(struct riscv_regs, host_ra) == RISCV_REGS_HOST_RA, "");

/* The VS-level state that is loaded at bind and saved at unbind. */
struct riscv_vs_state {
    uint64_t hstatus; /* SPV, SPVP and the guest's controls */
    uint64_t sstatus; /* SPP: the guest's privilege */
    uint64_t vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsatp;
    uint64_t vstimecmp; /* with Sstc */
    uint64_t scounteren, senvcfg;
    uint64_t hvip;
};

struct riscv_fp_state {
    uint64_t f[32];
    uint32_t fcsr;
};

#define RISCV_MAX_VLENB 256 /* bytes of a vector register: VLEN <= 2048 */

struct riscv_vector_state {
    uint64_t vstart, vl, vtype, vcsr;
    uint8_t v[32 * RISCV_MAX_VLENB]; /* 32 registers of vlenb bytes each */
};

#endif
