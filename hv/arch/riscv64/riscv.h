/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The riscv64 vCPU. Its files:
 *   vcpu.c     the operations: setup, bind, unbind, prepare
 *   boot.c     what a guest boots with: formats, kernel placement, CPU nodes
 *   decode.c   exit registers to struct vm_exit, pure
 *   insn.c     loads and stores, 32-bit and compressed, pure
 *   sbi*.c     the firmware interface
 *   csr.c      what a trapped CSR access gets
 *   fpu.c      lazy floating-point and vector state
 *   vmid.c     VMIDs, and what each CPU holds
 *   inject.c   exceptions and virtual interrupts
 *   trace.c    what a trace is told of all this
 */
#ifndef ARCH_RISCV64_RISCV_H
#define ARCH_RISCV64_RISCV_H

#include "arch/riscv64/hw.h"
#include "vcpu/tag.h"
#include "vcpu/vcpu.h"

/* The units whose registers are switched lazily; sets of them are masks. */
enum riscv_unit { UNIT_FP, UNIT_VECTOR, UNIT_COUNT };

/* A CPU number that is none. */
#define RISCV_NO_CPU 0xff

struct riscv_vcpu {
    struct vcpu base;
    struct riscv_regs regs;

    /*
     * Interrupts, HVIP bits, written from any CPU. `edges` is consumed by
     * riscv_sync_interrupts(); `lines` is the level; `lowered` are lines that
     * have fallen since it last ran.
     */
    _Atomic uint64_t edges;
    _Atomic uint64_t lines;
    _Atomic uint64_t lowered;

    /* Fences that other harts asked for, bits of enum riscv_fence. */
    _Atomic uint32_t fences;
    /* If it is Blocked, it waits in SBI HSM suspend. Cleared by bind. */
    _Atomic bool suspended;

    /* The units it has, and those whose registers this CPU holds for it. */
    uint8_t units;
    uint8_t live;
    /* The CPU whose registers hold the unit's newest state, if no vCPU has
     * used them since; the state in memory is as new while unbound. */
    uint8_t unit_cpu[UNIT_COUNT];

    uint8_t vmid_bits;
    struct tag vmid;

    uint32_t features; /* enum riscv_feature */

    /* Without Sstc: the guest's deadline, and the token of its host timer. */
    uint64_t timer_deadline;
    uint64_t timer;

    struct riscv_vs_state vs;
    struct riscv_fp_state fp;
    struct riscv_vector_state *vector; /* NULL without V */
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

/* Sets a general register; x0 stays 0. */
static inline void riscv_write_gpr(struct riscv_vcpu *v, size_t reg,
                                   uint64_t value)
{
    if (reg != REG_ZERO)
        v->regs.gpr[reg] = value;
}

/* The architecture's row in the VMM's table of architectures. */
extern const struct vcpu_ops riscv_vcpu_ops;

/* --- vcpu.c --- */

void riscv_advance(struct vcpu *vcpu, const struct vm_exit *exit);
enum verdict riscv_instruction(struct vcpu *vcpu, struct vm_exit *exit,
                               char *what);

/* --- vmid.c --- */

/* What a CPU holds of vCPUs. Touched by that CPU alone. */
struct riscv_cpu {
    struct tag_space vmids;
    const struct riscv_vcpu *owner[UNIT_COUNT]; /* of the unit's registers */
} ALIGNED(64);

extern struct riscv_cpu riscv_cpus[MAX_CPU_NUM];

void riscv_reset_machine(void);

/*
 * Makes v->vmid valid on `cpu`, the current one. True when it is another one
 * than before, so that nothing on this CPU is known of the guest.
 */
bool riscv_assign_vmid(struct riscv_vcpu *v, uint32_t cpu);

/* --- decode.c, insn.c --- */

void riscv_decode(const struct vcpu *vcpu, struct vm_exit *exit);
err_t riscv_decode_mmio(struct vcpu *vcpu, const struct vm_exit *fault,
                        struct device_access *access);
void riscv_finish_read(struct vcpu *vcpu, const struct device_access *access,
                       uint64_t value);
void riscv_finish_write(struct vcpu *vcpu, const struct device_access *access);

/* --- fpu.c --- */

/* The units that `insn` may need, as a mask; all of them for 0. */
uint8_t riscv_units_needed(uint64_t insn);
/* On the current CPU: what its registers hold for `v` becomes live; what is
 * live and has changed goes to memory. */
void riscv_bind_units(struct riscv_vcpu *v, uint32_t cpu);
void riscv_unbind_units(struct riscv_vcpu *v);
/* Forgets what registers hold, and clears the state. */
void riscv_reset_units(struct riscv_vcpu *v);
enum verdict riscv_lazy_state(struct vcpu *vcpu, struct vm_exit *exit);
/* A floating-point register of the guest, wherever it is. */
uint64_t riscv_read_fpr(const struct riscv_vcpu *v, unsigned reg);
void riscv_write_fpr(struct riscv_vcpu *v, unsigned reg, uint64_t value);

/* --- csr.c --- */

enum verdict riscv_sysreg(struct vcpu *vcpu, struct vm_exit *exit);

/* --- inject.c --- */

/* Makes the guest take exception `number` at its current pc. */
void riscv_inject_exception(struct riscv_vcpu *v, uint64_t number,
                            uint64_t value);
bool riscv_inject_fault(struct vcpu *vcpu, const struct vm_exit *exit);
err_t riscv_inject_interrupt(struct vcpu *vcpu, interrupt_vector vector,
                             enum trigger trigger);
err_t riscv_set_interrupt_line(struct vcpu *vcpu, interrupt_vector vector,
                               bool high);
/* Brings what is pending into the CPU; on the vCPU's CPU, bound. */
void riscv_sync_interrupts(struct riscv_vcpu *v);
bool riscv_has_wakeup(struct vcpu *vcpu);

/* --- sbi*.c --- */

enum verdict riscv_firmware_call(struct vcpu *vcpu, struct vm_exit *exit);
void riscv_set_cpu_up_result(struct vcpu *vcpu, err_t result);
/* Finishes an HSM suspend that keeps the hart's state. */
void riscv_suspend(struct riscv_vcpu *v);
/* Carries out fences that other harts asked for. */
void riscv_do_fences(struct riscv_vcpu *v);
void riscv_cancel_timer(struct riscv_vcpu *v);
uint64_t riscv_wakeup_deadline(struct vcpu *vcpu);

#endif
