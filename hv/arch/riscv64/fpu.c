/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floating-point and vector registers, switched lazily. Privileged
 * Architecture 1.12, "Machine Status Registers": with V=1, both vsstatus.FS
 * and the HS-level sstatus.FS must be on, and a change makes both Dirty; VS is
 * alike.
 *
 * While the CPU's registers are not the bound vCPU's, the HS-level status is
 * Off and illegal instructions are not delegated: the guest's first use of the
 * unit exits, and its registers are loaded. Registers that have changed are
 * saved when the vCPU is unbound, so that it may go on anywhere; if it comes
 * back to a CPU where nobody has used the unit since, they are still there.
 */
#include "arch/riscv64/riscv.h"
#include "lib/string.h"

/* --- Which unit an instruction needs --- */

#define MASK_FP     BIT(UNIT_FP)
#define MASK_VECTOR BIT(UNIT_VECTOR)
#define MASK_BOTH   (MASK_FP | MASK_VECTOR)

/* By bits 6..2 of a 32-bit instruction. A vector instruction may also use
 * floating-point registers. */
static const uint8_t full_units[32] = {
    [0x01] = MASK_BOTH, /* LOAD-FP: scalar and vector loads */
    [0x09] = MASK_BOTH, /* STORE-FP */
    [0x10] = MASK_FP,   /* MADD */
    [0x11] = MASK_FP,   /* MSUB */
    [0x12] = MASK_FP,   /* NMSUB */
    [0x13] = MASK_FP,   /* NMADD */
    [0x14] = MASK_FP,   /* OP-FP */
    [0x15] = MASK_BOTH, /* OP-V */
    [0x1c] = MASK_BOTH, /* SYSTEM: the units' CSRs */
};

/* LOAD-FP and STORE-FP of these widths (funct3) are scalar. */
#define OPCODE_LOAD_FP  0x07
#define OPCODE_STORE_FP 0x27
#define FUNCT3_H        1
#define FUNCT3_Q        4

/* C.FLD and C.FSD, in quadrants 0 and 2. */
#define C_FUNCT3_FLD 1
#define C_FUNCT3_FSD 5

static bool is_vector_csr(uint64_t csr)
{
    return (csr >= CSR_vstart && csr <= CSR_vcsr) ||
           (csr >= CSR_vl && csr <= CSR_vlenb);
}

static uint8_t csr_units(uint64_t insn)
{
    uint64_t csr = FIELD_GET(BIT_MASK(31, 20), insn);

    if (csr >= CSR_fflags && csr <= CSR_fcsr)
        return MASK_FP;
    return is_vector_csr(csr) ? MASK_VECTOR : 0;
}

static uint8_t compressed_units(uint64_t insn)
{
    uint64_t funct3 = FIELD_GET(BIT_MASK(15, 13), insn);

    return (insn & 3) != 1 && (funct3 == C_FUNCT3_FLD || funct3 == C_FUNCT3_FSD)
               ? MASK_FP
               : 0;
}

uint8_t riscv_units_needed(uint64_t insn)
{
    uint64_t opcode = insn & 0x7f;
    uint64_t funct3 = FIELD_GET(BIT_MASK(14, 12), insn);

    if (insn == 0) /* the hardware does not say which it was */
        return MASK_BOTH;
    if ((insn & 3) != 3)
        return compressed_units(insn);
    if (opcode == 0x73)
        return csr_units(insn);
    if ((opcode == OPCODE_LOAD_FP || opcode == OPCODE_STORE_FP) &&
        funct3 >= FUNCT3_H && funct3 <= FUNCT3_Q)
        return MASK_FP;
    return full_units[opcode >> 2];
}

/* --- Loading and saving --- */

static void load_fp(struct riscv_vcpu *v)
{
    riscv_hw_load_fp(&v->fp);
}

static void save_fp(struct riscv_vcpu *v)
{
    riscv_hw_save_fp(&v->fp);
}

static void load_vector(struct riscv_vcpu *v)
{
    riscv_hw_load_vector(v->vector);
}

static void save_vector(struct riscv_vcpu *v)
{
    riscv_hw_save_vector(v->vector);
}

static const struct unit {
    uint64_t (*read_status)(void);
    void (*write_status)(uint64_t status);
    void (*load)(struct riscv_vcpu *v);
    void (*save)(struct riscv_vcpu *v);
} units[UNIT_COUNT] = {
    [UNIT_FP] = {riscv_hw_read_fs, riscv_hw_write_fs, load_fp, save_fp},
    [UNIT_VECTOR] = {riscv_hw_read_vs, riscv_hw_write_vs, load_vector,
                     save_vector},
};

/* What the guest handles itself: every exception of its own, and an illegal
 * instruction unless it may be the first use of a unit. */
#define HEDELEG_ALWAYS                                         \
    (BIT(CAUSE_INSN_MISALIGNED) | BIT(CAUSE_INSN_ACCESS) |     \
     BIT(CAUSE_BREAKPOINT) | BIT(CAUSE_LOAD_MISALIGNED) |      \
     BIT(CAUSE_LOAD_ACCESS) | BIT(CAUSE_STORE_MISALIGNED) |    \
     BIT(CAUSE_STORE_ACCESS) | BIT(CAUSE_ECALL_U) |            \
     BIT(CAUSE_INSN_PAGE_FAULT) | BIT(CAUSE_LOAD_PAGE_FAULT) | \
     BIT(CAUSE_STORE_PAGE_FAULT))

static void delegate_exceptions(const struct riscv_vcpu *v)
{
    riscv_hw_write_hedeleg(HEDELEG_ALWAYS |
                           (v->live == v->units ? BIT(CAUSE_ILLEGAL_INSN) : 0));
}

void riscv_bind_units(struct riscv_vcpu *v, uint32_t cpu)
{
    v->live = 0;
    for (unsigned unit = 0; unit < UNIT_COUNT; unit++) {
        bool here = (v->units & BIT(unit)) != 0 && v->unit_cpu[unit] == cpu &&
                    riscv_cpus[cpu].owner[unit] == v;

        units[unit].write_status(here ? EXT_CLEAN : EXT_OFF);
        v->live |= (uint8_t)(here ? BIT(unit) : 0);
    }
    delegate_exceptions(v);
}

void riscv_unbind_units(struct riscv_vcpu *v)
{
    for (unsigned unit = 0; unit < UNIT_COUNT; unit++) {
        if ((v->live & BIT(unit)) != 0 &&
            units[unit].read_status() == EXT_DIRTY)
            units[unit].save(v);
    }
    v->live = 0;
}

void riscv_reset_units(struct riscv_vcpu *v)
{
    v->live = 0;
    memset(v->unit_cpu, RISCV_NO_CPU, sizeof(v->unit_cpu));
    memset(&v->fp, 0, sizeof(v->fp));
    if (v->vector != NULL)
        memset(v->vector, 0, sizeof(*v->vector));
}

/* The status must not be Off for loading, and loading makes it Dirty. */
static void load_unit(struct riscv_vcpu *v, unsigned unit)
{
    uint32_t cpu = host_current_cpu();

    units[unit].write_status(EXT_DIRTY);
    units[unit].load(v);
    units[unit].write_status(EXT_CLEAN);
    riscv_cpus[cpu].owner[unit] = v;
    v->unit_cpu[unit] = (uint8_t)cpu;
    v->live |= (uint8_t)BIT(unit);
}

/* The guest tries again. If its own switch is off, or the instruction is
 * illegal after all, it now gets the exception without an exit. */
enum verdict riscv_lazy_state(struct vcpu *vcpu, struct vm_exit *exit)
{
    struct riscv_vcpu *v = to_riscv(vcpu);
    uint8_t wanted =
        riscv_units_needed(v->regs.stval) & v->units & (uint8_t)~v->live;

    for (unsigned unit = 0; unit < UNIT_COUNT; unit++) {
        if ((wanted & BIT(unit)) != 0)
            load_unit(v, unit);
    }
    delegate_exceptions(v);
    return VERDICT_RESUME;
}

/* --- Single registers, for accesses to devices --- */

NOINLINE uint64_t riscv_read_fpr(const struct riscv_vcpu *v, unsigned reg)
{
    return (v->live & MASK_FP) != 0 ? riscv_hw_read_fpr(reg) : v->fp.f[reg];
}

NOINLINE void riscv_write_fpr(struct riscv_vcpu *v, unsigned reg,
                              uint64_t value)
{
    if ((v->live & MASK_FP) != 0)
        riscv_hw_write_fpr(reg, value);
    else
        v->fp.f[reg] = value;
    /* As the instruction would have done: otherwise the guest's kernel does
     * not save the register. */
    riscv_hw_write_vsstatus(riscv_hw_read_vsstatus() | STATUS_FS | STATUS_SD);
}
