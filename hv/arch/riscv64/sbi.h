/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's firmware: RISC-V Supervisor Binary Interface 2.0. One row per
 * function; sbi_find() is what an ECALL costs before its handler.
 */
#ifndef ARCH_RISCV64_SBI_H
#define ARCH_RISCV64_SBI_H

#include "arch/riscv64/riscv.h"

/* SBI 2.0, section 3.4, table 1. */
enum sbi_error {
    SBI_SUCCESS = 0,
    SBI_ERR_FAILED = -1,
    SBI_ERR_NOT_SUPPORTED = -2,
    SBI_ERR_INVALID_PARAM = -3,
    SBI_ERR_DENIED = -4,
    SBI_ERR_INVALID_ADDRESS = -5,
    SBI_ERR_ALREADY_AVAILABLE = -6,
    SBI_ERR_ALREADY_STARTED = -7,
    SBI_ERR_ALREADY_STOPPED = -8,
    SBI_ERR_NO_SHMEM = -9,
};

/* Extension ids. Those of the legacy extensions are 0 to SBI_LEGACY_LAST. */
#define SBI_EID_BASE      0x10
#define SBI_EID_TIME      0x54494d45
#define SBI_EID_IPI       0x735049
#define SBI_EID_RFENCE    0x52464e43
#define SBI_EID_HSM       0x48534d
#define SBI_EID_SRST      0x53525354
#define SBI_EID_DBCN      0x4442434e
#define SBI_EID_PMU       0x504d55
#define SBI_EID_HYPERCALL 0x485643 /* "HVC": this hypervisor's own */

/* A hart's state, as hart_get_status says it (table 19). */
enum hsm_state {
    HSM_STARTED = 0,
    HSM_STOPPED = 1,
    HSM_START_PENDING = 2,
    HSM_STOP_PENDING = 3,
    HSM_SUSPENDED = 4,
};

struct sbi_function {
    /* Performs the call, pc and results included. NULL where `decode` never
     * leaves the exit an EXIT_FIRMWARE_CALL. */
    enum verdict (*handler)(struct riscv_vcpu *v);
    /* Makes the exit one of the neutral kinds, if its arguments permit; pure.
     * NULL: none is meant. */
    void (*decode)(const struct riscv_vcpu *v, struct vm_exit *exit);
};

/*
 * The extensions, found by the low bits of their ids, which all differ. Free
 * slots have no function.
 */
struct sbi_extension {
    uint32_t eid;
    uint32_t count;
    const struct sbi_function *functions; /* by function id */
};

#define SBI_SLOT_BITS 5
#define SBI_SLOT(eid) ((eid)&BIT_MASK(SBI_SLOT_BITS - 1, 0))
extern const struct sbi_extension sbi_extensions[1 << SBI_SLOT_BITS];

/* A call to what is not in the table: extensions of one function, whatever its
 * id, and what does not exist. */
const struct sbi_function *sbi_find_plain(uint64_t eid);

/* What function->decode() makes of `exit`. */
struct vm_exit sbi_decode_call(const struct riscv_vcpu *v, struct vm_exit exit,
                               const struct sbi_function *function);

static inline void sbi_set_exit(const struct riscv_vcpu *v,
                                struct vm_exit *exit,
                                const struct sbi_function *function)
{
    exit->kind = EXIT_FIRMWARE_CALL;
    exit->insn_len = 4;
    exit->firmware.row = function;
    if (unlikely(function->decode != NULL))
        *exit = sbi_decode_call(v, *exit, function);
}

/* Decodes an ECALL. Every pair of an extension and a function has a row. */
static inline void sbi_decode(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    uint64_t eid = v->regs.gpr[REG_A7];
    uint64_t fid = v->regs.gpr[REG_A6];
    const struct sbi_extension *row = &sbi_extensions[SBI_SLOT(eid)];

    sbi_set_exit(v, exit,
                 likely(row->eid == eid && fid < row->count)
                     ? &row->functions[fid]
                     : sbi_find_plain(eid));
}

/* Functions of the extensions that have a file of their own. */
#define SBI_RFENCE_COUNT 7
#define SBI_HSM_COUNT    4
#define SBI_DBCN_COUNT   3
#define SBI_LEGACY_COUNT 9
extern const struct sbi_function sbi_rfence_functions[SBI_RFENCE_COUNT];
extern const struct sbi_function sbi_hsm_functions[SBI_HSM_COUNT];
extern const struct sbi_function sbi_dbcn_functions[SBI_DBCN_COUNT];
extern const struct sbi_function sbi_legacy_functions[SBI_LEGACY_COUNT];

/* Sets the guest's timer to `deadline` ticks. False: the host has no timer
 * left, and the guest has none now. */
bool sbi_set_timer(struct riscv_vcpu *v, uint64_t deadline) MUST_CHECK;

/* What the remote fences of the RFENCE and the legacy extension ask for. */
struct sbi_fence {
    enum riscv_fence kind;
    bool one_asid; /* RISCV_FENCE_VVMA: of address space `asid` only */
    uint64_t asid;
    uint64_t start, size; /* both 0, or a size of all ones: everything */
};

enum sbi_error sbi_fence(struct riscv_vcpu *v, vcpu_set targets,
                         const struct sbi_fence *fence);

/*
 * The vCPUs that a hart mask means: bit n is hart `base` + n; a base of all
 * ones means all harts. False when a hart does not exist.
 */
bool sbi_harts(const struct riscv_vcpu *v, uint64_t mask, uint64_t base,
               vcpu_set *harts);

static inline uint64_t sbi_arg(const struct riscv_vcpu *v, unsigned n)
{
    return v->regs.gpr[REG_A0 + n];
}

/* Ends a call: a0 is the error, a1 the value. */
static inline enum verdict sbi_return(struct riscv_vcpu *v,
                                      enum sbi_error error, uint64_t value)
{
    v->regs.gpr[REG_A0] = (uint64_t)(int64_t)error;
    v->regs.gpr[REG_A1] = value;
    v->regs.pc += 4;
    return VERDICT_RESUME;
}

/* Ends a legacy call: a0 is all there is. */
static inline enum verdict sbi_return_legacy(struct riscv_vcpu *v,
                                             uint64_t value)
{
    v->regs.gpr[REG_A0] = value;
    v->regs.pc += 4;
    return VERDICT_RESUME;
}

#endif
