/* SPDX-License-Identifier: Apache-2.0 */
/* riscv64 in scenarios: names, and the operations of its guests. */
#include <string.h>

#include "arch/riscv64/hw.h"
#include "sim/riscv64/arch.h"
#include "sim/scenario_language.h"

static bool parse_register(const char *text, uint8_t *reg)
{
    static const char *const names[REG_COUNT] = {
        "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
        "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
        "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    };
    uint64_t number;

    for (unsigned i = 0; i < REG_COUNT; i++) {
        if (strcmp(names[i], text) == 0) {
            *reg = (uint8_t)i;
            return true;
        }
    }
    if ((text[0] != 'x' && text[0] != 'f' && text[0] != 'v') ||
        !parse_number(text + 1, &number) || number >= REG_COUNT)
        return false;
    *reg = (uint8_t)number;
    return true;
}

static const struct scenario_name causes[] = {
    {"insn-misaligned", CAUSE_INSN_MISALIGNED},
    {"insn-access", CAUSE_INSN_ACCESS},
    {"illegal-insn", CAUSE_ILLEGAL_INSN},
    {"breakpoint", CAUSE_BREAKPOINT},
    {"load-misaligned", CAUSE_LOAD_MISALIGNED},
    {"load-access", CAUSE_LOAD_ACCESS},
    {"store-misaligned", CAUSE_STORE_MISALIGNED},
    {"store-access", CAUSE_STORE_ACCESS},
    {"ecall-u", CAUSE_ECALL_U},
    {"ecall-hs", CAUSE_ECALL_HS},
    {"ecall-vs", CAUSE_ECALL_VS},
    {"ecall-m", CAUSE_ECALL_M},
    {"insn-page-fault", CAUSE_INSN_PAGE_FAULT},
    {"load-page-fault", CAUSE_LOAD_PAGE_FAULT},
    {"store-page-fault", CAUSE_STORE_PAGE_FAULT},
    {"insn-guest-page-fault", CAUSE_INSN_GUEST_PAGE_FAULT},
    {"load-guest-page-fault", CAUSE_LOAD_GUEST_PAGE_FAULT},
    {"virtual-insn", CAUSE_VIRTUAL_INSN},
    {"store-guest-page-fault", CAUSE_STORE_GUEST_PAGE_FAULT},
    {"soft-interrupt", CAUSE_INTERRUPT | IRQ_S_SOFT},
    {"timer-interrupt", CAUSE_INTERRUPT | IRQ_S_TIMER},
    {"external-interrupt", CAUSE_INTERRUPT | IRQ_S_EXT},
    {"vs-soft-interrupt", CAUSE_INTERRUPT | IRQ_VS_SOFT},
    {"vs-timer-interrupt", CAUSE_INTERRUPT | IRQ_VS_TIMER},
    {"vs-external-interrupt", CAUSE_INTERRUPT | IRQ_VS_EXT},
};

static bool parse_cause(const char *text, uint64_t *cause)
{
    return scenario_find_name(causes, ARRAY_SIZE(causes), text, cause) ||
           parse_number(text, cause);
}

static const char *cause_name(uint64_t cause)
{
    return scenario_name_of(causes, ARRAY_SIZE(causes), cause);
}

static bool parse_csr(const char *text, uint32_t *number)
{
    static const struct scenario_name names[] = {
#define X(name, number) {#name, number},
        RISCV_CSRS(X)
#undef X
    };
    uint64_t value;

    if (!scenario_find_name(names, ARRAY_SIZE(names), text, &value) &&
        !parse_number(text, &value))
        return false;
    *number = (uint32_t)value;
    return value < 4096;
}

/* SBI extension ids (SBI 2.0). */
static bool parse_extension(const char *text, uint64_t *number)
{
    static const struct scenario_name names[] = {
        {"base", 0x10},         {"time", 0x54494d45}, {"ipi", 0x735049},
        {"rfence", 0x52464e43}, {"hsm", 0x48534d},    {"srst", 0x53525354},
        {"pmu", 0x504d55},      {"dbcn", 0x4442434e}, {"hypercall", 0x485643},
    };

    return scenario_find_name(names, ARRAY_SIZE(names), text, number) ||
           parse_number(text, number);
}

static bool took(const struct guest_result *result, const char *text,
                 bool *known)
{
    static const struct scenario_name names[] = {
        {"none", 0},
        {"soft", BIT(IRQ_S_SOFT)},
        {"timer", BIT(IRQ_S_TIMER)},
        {"external", BIT(IRQ_S_EXT)},
    };
    uint64_t bits;

    *known = scenario_find_name(names, ARRAY_SIZE(names), text, &bits);
    return *known && result->interrupts == bits;
}

static bool read_csr(struct op_reader *reader)
{
    const char *word = op_take(reader);

    if (word == NULL || !parse_csr(word, &reader->op->number)) {
        scenario_bad(reader->s, "a CSR is missing, or not known");
        return false;
    }
    if (reader->op->kind != OP_CSR_READ) {
        reader->op->flags |= OP_HAS_VALUE;
        if (!op_take_number(reader, &reader->op->value))
            return false;
    }
    return op_read_modifiers(reader);
}

/* ecall EXTENSION [FUNCTION [a0 to a5]] */
static bool read_ecall(struct op_reader *reader)
{
    const char *word = op_take(reader);

    if (word == NULL || !parse_extension(word, &reader->op->args[7])) {
        scenario_bad(reader->s, "an SBI extension is missing");
        return false;
    }
    if (reader->next < reader->end &&
        !op_take_number(reader, &reader->op->args[6]))
        return false;
    for (unsigned i = 0; i < 6 && reader->next < reader->end; i++) {
        if (!op_take_number(reader, &reader->op->args[i]))
            return false;
    }
    return true;
}

/* exit CAUSE [stval=N] [htval=N] [htinst=N] [insn=N] */
static bool read_raw_exit(struct op_reader *reader)
{
    static const char *const keys[] = {"stval", "htval", "htinst", "insn"};

    if (!op_read_raw_exit(reader, parse_cause, keys, ARRAY_SIZE(keys)))
        return false;
    reader->op->number = (uint32_t)reader->op->args[ARRAY_SIZE(keys)];
    return true;
}

static const struct op_syntax ops[] = {
    {OP_LOAD, true, op_read_load},
    {OP_STORE, true, op_read_store},
    {OP_LR, true, op_read_load},
    {OP_SC, true, op_read_store},
    {OP_AMO, true, op_read_store},
    {OP_FETCH, false, op_read_address},
    {OP_CSR_READ, false, read_csr},
    {OP_CSR_WRITE, false, read_csr},
    {OP_CSR_SET, false, read_csr},
    {OP_CSR_CLEAR, false, read_csr},
    {OP_ECALL, false, read_ecall},
    {OP_WFI, false, op_read_modifiers},
    {OP_EBREAK, false, op_read_modifiers},
    {OP_SRET, false, op_read_modifiers},
    {OP_SFENCE, false, op_read_modifiers},
    {OP_FENCE_I, false, op_read_modifiers},
    {OP_FP, false, op_read_set},
    {OP_VECTOR, false, op_read_set},
    {OP_FP_READ, false, op_take_register},
    {OP_VECTOR_READ, false, op_take_register},
    {OP_INSN, false, op_read_number},
    {OP_HYPERVISOR, false, op_read_modifiers},
    {OP_SET_REG, false, op_read_set},
    {OP_SET_PC, false, op_read_address},
    {OP_USER_MODE, false, op_read_modifiers},
    {OP_SUPERVISOR_MODE, false, op_read_modifiers},
    {OP_DELAY, false, op_read_value},
    {OP_RAW_EXIT, false, read_raw_exit},
};

const struct scenario_language riscv64_language = {
    .parse_register = parse_register,
    .parse_cause = parse_cause,
    .cause_name = cause_name,
    .took = took,
    .default_reg = OP_DEFAULT_REG,
    .ops = ops,
    .op_count = ARRAY_SIZE(ops),
};
