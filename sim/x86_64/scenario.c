/* SPDX-License-Identifier: Apache-2.0 */
/* x86_64 in scenarios: names, and the operations of its guests. */
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/vmx/vmx.h"
#include "sim/scenario_language.h"
#include "sim/x86_64/arch.h"
#include "sim/x86_64/insn.h"

static bool parse_register(const char *text, uint8_t *reg)
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx",
                                        "rsp", "rbp", "rsi", "rdi"};
    uint64_t number;

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *reg = (uint8_t)i;
            return true;
        }
    }
    if ((text[0] != 'r' && strncmp(text, "xmm", 3) != 0) ||
        !parse_number(text + (text[0] == 'r' ? 1 : 3), &number) ||
        number >= X86_GPR_COUNT || (text[0] == 'r' && number < 8))
        return false;
    *reg = (uint8_t)number;
    return true;
}

/* What `expect register` knows besides. */
static bool parse_control(const char *name, uint64_t *reg)
{
    static const struct scenario_name names[] = {
        {"rflags", X86_REG_RFLAGS}, {"cr0", X86_REG_CR0},
        {"cr2", X86_REG_CR2},       {"cr3", X86_REG_CR3},
        {"cr4", X86_REG_CR4},       {"efer", X86_REG_EFER},
        {"pat", X86_REG_PAT},       {"dr6", X86_REG_DR6},
        {"dr7", X86_REG_DR7},
    };

    return scenario_find_name(names, ARRAY_SIZE(names), name, reg);
}

static bool read_register(const struct vcpu *vcpu, const char *name,
                          uint64_t *value)
{
    const struct x86_vcpu *v = to_x86_const(vcpu);
    uint64_t reg;

    if (!parse_control(name, &reg))
        return false;
    *value = v->vendor->get(v, (enum x86_register)reg);
    return true;
}

static bool read_vmx_register(const struct vcpu *vcpu, const char *name,
                              uint64_t *value)
{
    uint64_t reg;

    if (!parse_control(name, &reg))
        return false;
    *value = x86_64_vmx_register(to_vmx_const(vcpu), (enum x86_register)reg);
    return true;
}

static const struct scenario_name exceptions[] = {
    {"de", X86_VECTOR_DE}, {"db", X86_VECTOR_DB}, {"nmi", X86_VECTOR_NMI},
    {"bp", X86_VECTOR_BP}, {"of", X86_VECTOR_OF}, {"br", X86_VECTOR_BR},
    {"ud", X86_VECTOR_UD}, {"nm", X86_VECTOR_NM}, {"df", X86_VECTOR_DF},
    {"ts", X86_VECTOR_TS}, {"np", X86_VECTOR_NP}, {"ss", X86_VECTOR_SS},
    {"gp", X86_VECTOR_GP}, {"pf", X86_VECTOR_PF}, {"mf", X86_VECTOR_MF},
    {"ac", X86_VECTOR_AC}, {"mc", X86_VECTOR_MC}, {"xf", X86_VECTOR_XF},
    {"cp", X86_VECTOR_CP},
};

static bool parse_exception(const char *text, uint64_t *vector)
{
    return scenario_find_name(exceptions, ARRAY_SIZE(exceptions), text,
                              vector) ||
           parse_number(text, vector);
}

static const char *exception_name(uint64_t vector)
{
    return scenario_name_of(exceptions, ARRAY_SIZE(exceptions), vector);
}

static bool parse_exit(const char *text, uint64_t *code)
{
    return x86_64_exit_code(text, code) || parse_number(text, code);
}

static bool parse_vmx_exit(const char *text, uint64_t *reason)
{
    return x86_64_vmx_exit_code(text, reason) || parse_number(text, reason);
}

static bool parse_msr(const char *text, uint32_t *number)
{
    static const struct scenario_name names[] = {
#define X(name, number) {#name, number},
        X86_MSRS(X)
#undef X
    };
    uint64_t value;

    if (!scenario_find_name(names, ARRAY_SIZE(names), text, &value) &&
        !parse_number(text, &value))
        return false;
    *number = (uint32_t)value;
    return value <= UINT32_MAX;
}

/* "interrupt=VECTOR": this one, and no other. */
static bool took(const struct guest_result *result, const char *text,
                 bool *known)
{
    uint64_t expected[4] = {0};
    uint64_t vector;

    *known = strcmp(text, "none") == 0;
    if (!*known) {
        *known = parse_exception(text, &vector) && vector < 256;
        if (!*known)
            return false;
        expected[vector / 64] = BIT(vector % 64);
    }
    return memcmp(expected, result->vectors, sizeof(expected)) == 0;
}

static bool need_msr(struct op_reader *reader)
{
    const char *word = op_take(reader);

    if (word != NULL && parse_msr(word, &reader->op->number))
        return true;
    scenario_bad(reader->s, "an MSR is missing, or not known");
    return false;
}

static bool read_msr(struct op_reader *reader)
{
    return need_msr(reader) && (reader->op->kind != OP_X86_WRMSR ||
                                op_take_number(reader, &reader->op->value));
}

static bool take_optional(struct op_reader *reader, uint64_t *value)
{
    return reader->next == reader->end || op_take_number(reader, value);
}

/* cpuid LEAF [SUBLEAF] */
static bool read_cpuid(struct op_reader *reader)
{
    return op_take_number(reader, &reader->op->args[0]) &&
           take_optional(reader, &reader->op->args[1]);
}

/* vmmcall NUMBER [ARGUMENT]... */
static bool read_vmmcall(struct op_reader *reader)
{
    if (!op_take_number(reader, &reader->op->args[0]))
        return false;
    for (unsigned i = 1; i < 7 && reader->next < reader->end; i++) {
        if (!op_take_number(reader, &reader->op->args[i]))
            return false;
    }
    return true;
}

static bool read_in(struct op_reader *reader)
{
    return op_read_number(reader);
}

static bool read_out(struct op_reader *reader)
{
    return op_read_number(reader) && op_take_number(reader, &reader->op->value);
}

/* insN PORT ADDRESS [COUNT] */
static bool read_string(struct op_reader *reader)
{
    return op_read_number(reader) &&
           op_take_number(reader, &reader->op->address) &&
           take_optional(reader, &reader->op->value);
}

/* mov-from-cr NUMBER [REG] */
static bool read_from_control(struct op_reader *reader)
{
    return op_read_number(reader) && op_read_modifiers(reader);
}

/* mov-to-cr NUMBER VALUE [REG] */
static bool read_to_control(struct op_reader *reader)
{
    return op_read_number(reader) &&
           op_take_number(reader, &reader->op->value) &&
           op_read_modifiers(reader);
}

/* xsetbv NUMBER VALUE */
static bool read_number_value(struct op_reader *reader)
{
    return op_read_number(reader) && op_take_number(reader, &reader->op->value);
}

/* lgdt BASE LIMIT; traps ADDRESS */
static bool read_table(struct op_reader *reader)
{
    return op_take_number(reader, &reader->op->address) &&
           op_read_number(reader);
}

/* jmp-far SELECTOR ADDRESS */
static bool read_far(struct op_reader *reader)
{
    return op_read_number(reader) &&
           op_take_number(reader, &reader->op->address);
}

/* raise VECTOR [ERROR [ADDRESS]] */
static bool read_raise(struct op_reader *reader)
{
    const char *word = op_take(reader);
    uint64_t vector;

    if (word == NULL || !parse_exception(word, &vector)) {
        scenario_bad(reader->s, "an exception is missing, or not known");
        return false;
    }
    reader->op->number = (uint32_t)vector;
    return take_optional(reader, &reader->op->value) &&
           take_optional(reader, &reader->op->address);
}

/* invpcid TYPE ADDRESS */
static bool read_invpcid(struct op_reader *reader)
{
    return op_take_number(reader, &reader->op->value) &&
           op_take_number(reader, &reader->op->address);
}

/* exit REASON [qualification=N] [physical=N] [vectoring=N] [length=N]
 * [interruption=N] [error=N] [insn=N] */
static bool read_vmx_exit(struct op_reader *reader)
{
    static const char *const keys[] = {
        "qualification", "physical", "vectoring", "length",
        "interruption",  "error",    "insn"};

    if (!op_read_raw_exit(reader, parse_vmx_exit, keys, ARRAY_SIZE(keys)))
        return false;
    reader->op->number = (uint32_t)reader->op->args[ARRAY_SIZE(keys)];
    return true;
}

/* exit CODE [info1=N] [info2=N] [intinfo=N] [nrip=N] [insn=N] */
static bool read_raw_exit(struct op_reader *reader)
{
    static const char *const keys[] = {"info1", "info2", "intinfo", "nrip",
                                       "insn"};

    if (!op_read_raw_exit(reader, parse_exit, keys, ARRAY_SIZE(keys)))
        return false;
    reader->op->number = (uint32_t)reader->op->args[ARRAY_SIZE(keys)];
    return true;
}

/* clang-format off */
/* All but raw exits. */
#define OPS                                                                    \
    {OP_LOAD, true, op_read_load},                                             \
    {OP_STORE, true, op_read_store},                                           \
    {OP_AMO, true, op_read_store},                                             \
    {OP_FETCH, false, op_read_address},                                        \
    {OP_WFI, false, op_read_modifiers},                                        \
    {OP_FP, false, op_read_set},                                               \
    {OP_FP_READ, false, op_take_register},                                     \
    {OP_INSN, false, op_read_number},                                          \
    {OP_SET_REG, false, op_read_set},                                          \
    {OP_SET_PC, false, op_read_address},                                       \
    {OP_USER_MODE, false, op_read_modifiers},                                  \
    {OP_SUPERVISOR_MODE, false, op_read_modifiers},                            \
    {OP_DELAY, false, op_read_value},                                          \
    {OP_X86_CPUID, false, read_cpuid},                                         \
    {OP_X86_HLT, false, op_read_modifiers},                                    \
    {OP_X86_RDMSR, false, read_msr},                                           \
    {OP_X86_WRMSR, false, read_msr},                                           \
    {OP_X86_IN, true, read_in},                                                \
    {OP_X86_OUT, true, read_out},                                              \
    {OP_X86_INS, true, read_string},                                           \
    {OP_X86_OUTS, true, read_string},                                          \
    {OP_X86_READ_CR, false, read_from_control},                                \
    {OP_X86_WRITE_CR, false, read_to_control},                                 \
    {OP_X86_READ_DR, false, read_from_control},                                \
    {OP_X86_WRITE_DR, false, read_to_control},                                 \
    {OP_X86_LMSW, false, op_read_value},                                       \
    {OP_X86_SMSW, false, op_read_modifiers},                                   \
    {OP_X86_CLTS, false, op_read_modifiers},                                   \
    {OP_X86_INVLPG, false, op_read_address},                                   \
    {OP_X86_INVLPGA, false, op_read_modifiers},                                \
    {OP_X86_INVPCID, false, read_invpcid},                                     \
    {OP_X86_VMMCALL, false, read_vmmcall},                                     \
    {OP_X86_PAUSE, false, op_read_modifiers},                                  \
    {OP_X86_MONITOR, false, op_read_modifiers},                                \
    {OP_X86_MWAIT, false, op_read_modifiers},                                  \
    {OP_X86_XSETBV, false, read_number_value},                                 \
    {OP_X86_RDTSC, false, op_read_modifiers},                                  \
    {OP_X86_RDTSCP, false, op_read_modifiers},                                 \
    {OP_X86_RDPMC, false, op_read_number},                                     \
    {OP_X86_RDPRU, false, op_read_number},                                     \
    {OP_X86_INT, false, op_read_number},                                       \
    {OP_X86_INT3, false, op_read_modifiers},                                   \
    {OP_X86_ICEBP, false, op_read_modifiers},                                  \
    {OP_X86_RAISE, false, read_raise},                                         \
    {OP_X86_FWAIT, false, op_read_modifiers},                                  \
    {OP_X86_IRET, false, op_read_modifiers},                                   \
    {OP_X86_STI, false, op_read_modifiers},                                    \
    {OP_X86_CLI, false, op_read_modifiers},                                    \
    {OP_X86_PUSHF, false, op_read_modifiers},                                  \
    {OP_X86_POPF, false, op_read_modifiers},                                   \
    {OP_X86_INVD, false, op_read_modifiers},                                   \
    {OP_X86_WBINVD, false, op_read_modifiers},                                 \
    {OP_X86_LGDT, false, read_table},                                          \
    {OP_X86_LIDT, false, read_table},                                          \
    {OP_X86_SGDT, false, op_read_address},                                     \
    {OP_X86_SIDT, false, op_read_address},                                     \
    {OP_X86_LLDT, false, op_read_value},                                       \
    {OP_X86_LTR, false, op_read_value},                                        \
    {OP_X86_SLDT, false, op_read_modifiers},                                   \
    {OP_X86_STR, false, op_read_modifiers},                                    \
    {OP_X86_JMP_FAR, false, read_far},                                         \
    {OP_X86_RSM, false, op_read_modifiers},                                    \
    {OP_X86_VMRUN, false, op_read_modifiers},                                  \
    {OP_X86_VMLOAD, false, op_read_modifiers},                                 \
    {OP_X86_VMSAVE, false, op_read_modifiers},                                 \
    {OP_X86_STGI, false, op_read_modifiers},                                   \
    {OP_X86_CLGI, false, op_read_modifiers},                                   \
    {OP_X86_SKINIT, false, op_read_modifiers},                                 \
    {OP_X86_SHUTDOWN, false, op_read_modifiers},                               \
    {OP_X86_NMI, false, op_read_modifiers},                                    \
    {OP_X86_SMI, false, op_read_modifiers},                                    \
    {OP_X86_INIT, false, op_read_modifiers},                                   \
    {OP_X86_STATE, true, read_number_value},                                   \
    {OP_X86_TRAPS, false, op_read_address},                                    \
    {OP_X86_RDRAND, false, op_read_modifiers},                                 \
    {OP_X86_RDSEED, false, op_read_modifiers},                                 \
    {OP_X86_GETSEC, false, op_read_modifiers},                                 \
    {OP_X86_VMCLEAR, false, op_read_address},                                  \
    {OP_X86_VMPTRLD, false, op_read_address},                                  \
    {OP_X86_VMPTRST, false, op_read_address},                                  \
    {OP_X86_VMXON, false, op_read_address},                                    \
    {OP_X86_INVEPT, false, op_read_address},                                   \
    {OP_X86_INVVPID, false, op_read_address},                                  \
    {OP_X86_VMLAUNCH, false, op_read_modifiers},                               \
    {OP_X86_VMREAD, false, op_read_modifiers},                                 \
    {OP_X86_VMRESUME, false, op_read_modifiers},                               \
    {OP_X86_VMWRITE, false, op_read_modifiers},                                \
    {OP_X86_VMXOFF, false, op_read_modifiers}
/* clang-format on */

static const struct op_syntax ops[] = {{OP_RAW_EXIT, false, read_raw_exit},
                                       OPS};
static const struct op_syntax vmx_ops[] = {{OP_RAW_EXIT, false, read_vmx_exit},
                                           OPS};

const struct scenario_language x86_64_language = {
    .parse_register = parse_register,
    .read_register = read_register,
    .parse_cause = parse_exception,
    .cause_name = exception_name,
    .took = took,
    .default_reg = X86_GPR_RAX,
    .ops = ops,
    .op_count = ARRAY_SIZE(ops),
};

const struct scenario_language x86_64_vmx_language = {
    .parse_register = parse_register,
    .read_register = read_vmx_register,
    .parse_cause = parse_exception,
    .cause_name = exception_name,
    .took = took,
    .default_reg = X86_GPR_RAX,
    .ops = vmx_ops,
    .op_count = ARRAY_SIZE(vmx_ops),
};
