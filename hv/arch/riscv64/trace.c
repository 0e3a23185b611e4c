/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trace is told of riscv64: its registers, the rows of its hardware
 * seam, and which registers an exit brings in.
 */
#include "arch/riscv64/trace.h"

#include "arch/riscv64/insn.h"
#include "arch/riscv64/riscv.h"

/* clang-format off */
/* X(name, register): every general-purpose register but the hardwired zero,
 * in the order of their numbers. */
#define GPRS(X)                                                                \
    X("ra", REG_RA)   X("sp", REG_SP)   X("gp", REG_GP)   X("tp", REG_TP)      \
    X("t0", REG_T0)   X("t1", REG_T1)   X("t2", REG_T2)   X("s0", REG_S0)      \
    X("s1", REG_S1)   X("a0", REG_A0)   X("a1", REG_A1)   X("a2", REG_A2)      \
    X("a3", REG_A3)   X("a4", REG_A4)   X("a5", REG_A5)   X("a6", REG_A6)      \
    X("a7", REG_A7)   X("s2", REG_S2)   X("s3", REG_S3)   X("s4", REG_S4)      \
    X("s5", REG_S5)   X("s6", REG_S6)   X("s7", REG_S7)   X("s8", REG_S8)      \
    X("s9", REG_S9)   X("s10", REG_S10) X("s11", REG_S11) X("t3", REG_T3)      \
    X("t4", REG_T4)   X("t5", REG_T5)   X("t6", REG_T6)
/* clang-format on */

/* Numbers of the fields. x<n> is FIELD_GPR + n. */
enum {
    FIELD_PC = TRACE_FIELD_PC,
    FIELD_SCAUSE = TRACE_FIELD_CAUSE,
    FIELD_STVAL,
    FIELD_HTVAL,
    FIELD_HTINST,
    FIELD_COUNT_BEFORE_GPRS,
    FIELD_GPR = FIELD_COUNT_BEFORE_GPRS - 1,
    FIELD_COUNT = FIELD_GPR + REG_COUNT,
};

#define FIELD_AT(member) offsetof(struct riscv_vcpu, regs.member)

static const struct trace_field fields[FIELD_COUNT] = {
    [FIELD_PC] = {"pc", FIELD_AT(pc)},
    [FIELD_SCAUSE] = {"scause", FIELD_AT(scause)},
    [FIELD_STVAL] = {"stval", FIELD_AT(stval)},
    [FIELD_HTVAL] = {"htval", FIELD_AT(htval)},
    [FIELD_HTINST] = {"htinst", FIELD_AT(htinst)},
#define X(name, reg) [FIELD_GPR + (reg)] = {(name), FIELD_AT(gpr[(reg)])},
    GPRS(X)
#undef X
};

#define EXIT_ALWAYS (BIT(FIELD_PC) | BIT(FIELD_SCAUSE))
#define EXIT_FAULT  (BIT(FIELD_STVAL) | BIT(FIELD_HTVAL) | BIT(FIELD_HTINST))
#define ALL_GPRS    BIT_MASK(FIELD_COUNT - 1, FIELD_GPR + 1)
#define CALL_GPRS   BIT_MASK(FIELD_GPR + REG_A7, FIELD_GPR + REG_A0)

static uint64_t gpr_field(uint64_t reg)
{
    return reg == REG_ZERO ? 0 : BIT(FIELD_GPR + reg);
}

/* The value that a store hands over, if one goes to a device. What a
 * floating-point register holds comes in through the seam. */
static uint64_t store_fields(const struct riscv_regs *regs)
{
    struct riscv_access access;

    if (regs->htinst == 0)
        return ALL_GPRS;
    if (!riscv_decode_htinst(regs->htinst, &access) || access.is_fp)
        return 0;
    return gpr_field(access.reg);
}

/* The operand of a CSR instruction. */
static uint64_t virtual_insn_fields(const struct riscv_regs *regs)
{
    return regs->stval == 0
               ? ALL_GPRS
               : gpr_field(FIELD_GET(BIT_MASK(19, 15), regs->stval));
}

static uint64_t exit_fields(const struct vcpu *vcpu)
{
    const struct riscv_regs *regs = &to_riscv_const(vcpu)->regs;

    if (regs->scause == CAUSE_ECALL_VS)
        return EXIT_ALWAYS | CALL_GPRS;
    if (regs->scause >= CAUSE_COUNT ||
        (RISCV_FAULT_CAUSES & BIT(regs->scause)) == 0)
        return EXIT_ALWAYS;
    if (regs->scause == CAUSE_STORE_GUEST_PAGE_FAULT)
        return EXIT_ALWAYS | EXIT_FAULT | store_fields(regs);
    if (regs->scause == CAUSE_VIRTUAL_INSN)
        return EXIT_ALWAYS | EXIT_FAULT | virtual_insn_fields(regs);
    return EXIT_ALWAYS | EXIT_FAULT;
}

static const struct trace_row rows[] = {TRACE_ROW_TABLE(RISCV_HW_API)};

const struct trace_arch riscv_trace_arch = {
    .name = "riscv64",
    .fields = fields,
    .field_count = FIELD_COUNT,
    .rows = rows,
    .row_count = ARRAY_SIZE(rows),
    .exit_fields = exit_fields,
};
