/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The riscv64 vCPU. Its files:
 *   vcpu.c    the operations: setup, bind, unbind, prepare
 *   decode.c  exit registers to struct vm_exit, pure
 *   insn.c    loads and stores, 32-bit and compressed, pure
 *   sbi*.c    the firmware interface
 *   csr.c     what a trapped CSR access or instruction gets
 *   fpu.c     lazy floating-point and vector state
 *   vmid.c    VMIDs with generations
 *   inject.c  exceptions and virtual interrupts
 */
#ifndef ARCH_RISCV64_RISCV_H
#define ARCH_RISCV64_RISCV_H

#include "arch/riscv64/hw.h"
#include "vcpu/vcpu.h"

/* SBI HSM: a hart's state (SBI 2.0, table 19). */
enum hsm_state {
    HSM_STARTED = 0,
    HSM_STOPPED = 1,
    HSM_START_PENDING = 2,
    HSM_STOP_PENDING = 3,
    HSM_SUSPENDED = 4,
};

struct riscv_vcpu {
    struct vcpu base;
    struct riscv_regs regs;

    /* Interrupts. `edges` is consumed at entry; `lines` is the level. */
    _Atomic uint64_t edges; /* HVIP bits to set once */
    _Atomic uint64_t lines; /* HVIP bits held by their sources */

    /* Fences that other harts asked for, bits of enum riscv_fence. */
    _Atomic uint32_t fences;

    uint64_t vmid;
    uint64_t vmid_generation;
    uint64_t timer; /* without Sstc: token of the pending timer */

    struct riscv_vs_state vs;
    struct riscv_fp_state fp;
    struct riscv_vector_state *vector; /* NULL without V */
    int8_t fp_cpu;     /* CPU whose registers hold its FP state, or -1 */
    int8_t vector_cpu; /* likewise */
};

enum riscv_fence {
    RISCV_FENCE_I = 1 << 0,
    RISCV_FENCE_VVMA = 1 << 1,
};

static inline struct riscv_vcpu *to_riscv(struct vcpu *vcpu)
{
    return container_of(vcpu, struct riscv_vcpu, base);
}

static inline const struct riscv_vcpu *to_riscv_const(const struct vcpu *vcpu)
{
    return container_of(vcpu, const struct riscv_vcpu, base);
}

/* The architecture's row in vm_architectures (hv/vm/arch.c). */
extern const struct vcpu_ops riscv_vcpu_ops;

#endif
