/* SPDX-License-Identifier: Apache-2.0 */
/* Capstone against the decoder; see disassembler.h. */
/* Capstone has an enumeration of the decoder's structure's name. */
#define x86_insn capstone_x86_insn
#include <capstone/capstone.h>
#undef x86_insn

#include "arch/x86_64/emulate/disassemble.h"
#include "disassembler.h"
#include "plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct disassembler {
    csh handle[3]; /* by enum x86_mode */
    cs_insn *insn;
    unsigned long compared, excused;
};

struct disassembler *disassembler_open(void)
{
    static const cs_mode modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    struct disassembler *dis = calloc(1, sizeof(*dis));

    for (unsigned i = 0; i < 3; i++) {
        if (cs_open(CS_ARCH_X86, modes[i], &dis->handle[i]) != CS_ERR_OK)
            abort();
        cs_option(dis->handle[i], CS_OPT_DETAIL, CS_OPT_ON);
    }
    dis->insn = cs_malloc(dis->handle[0]);
    return dis;
}

void disassembler_close(struct disassembler *dis)
{
    cs_free(dis->insn, 1);
    for (unsigned i = 0; i < 3; i++)
        cs_close(&dis->handle[i]);
    free(dis);
}

unsigned long disassembler_compared(const struct disassembler *dis)
{
    return dis->compared;
}

unsigned long disassembler_excused(const struct disassembler *dis)
{
    return dis->excused;
}

/* Capstone's mnemonic: the last word, as prefixes go before it. */
static const char *mnemonic_of(const cs_insn *theirs)
{
    const char *space = strrchr(theirs->mnemonic, ' ');

    return space != NULL ? space + 1 : theirs->mnemonic;
}

/* Names that Capstone gives with the operand's size, or otherwise. */
static bool is_named(const struct x86_insn *ours, const char *theirs)
{
    static const char suffix[] = {[1] = 'b', [2] = 'w', [4] = 'd', [8] = 'q'};
    const char *name = x86_op_name(ours->op);
    size_t length = strlen(name);
    unsigned size;

    switch (ours->op) {
    case X86_OP_movs:
    case X86_OP_stos:
    case X86_OP_lods:
    case X86_OP_cmps:
    case X86_OP_scas:
    case X86_OP_ins:
    case X86_OP_outs:
        size = ours->operand[ours->op == X86_OP_outs ? 1 : 0].size;
        return strncmp(theirs, name, length) == 0 &&
               theirs[length] == suffix[size] && theirs[length + 1] == '\0';
    case X86_OP_mov:
    case X86_OP_movabs:
        return strcmp(theirs, "mov") == 0 || strcmp(theirs, "movabs") == 0;
    case X86_OP_mov_from_segment:
    case X86_OP_mov_to_segment:
    case X86_OP_mov_control:
    case X86_OP_mov_debug: return strcmp(theirs, "mov") == 0;
    case X86_OP_movq: /* MOVD with REX.W: Capstone has both names for it */
        return strcmp(theirs, "movq") == 0 || strcmp(theirs, "movd") == 0;
    case X86_OP_pushf:
    case X86_OP_popf:
    case X86_OP_iret:
        size = ours->operand_size;
        return strncmp(theirs, name, length) == 0 &&
               (theirs[length] == '\0' || theirs[length] == suffix[size]);
    default: return strcmp(theirs, name) == 0;
    }
}

static bool is_same_reg(csh handle, x86_reg theirs, unsigned ours,
                        unsigned size)
{
    const char *name = cs_reg_name(handle, theirs);

    /* EIZ and RIZ are Capstone's names of no index. */
    if (theirs == X86_REG_EIZ || theirs == X86_REG_RIZ)
        return ours == X86_NO_REG;
    if (theirs == X86_REG_INVALID || name == NULL)
        return ours == X86_NO_REG;
    if (ours == X86_RIP)
        return strcmp(name, size == 8 ? "rip" : "eip") == 0;
    return ours != X86_NO_REG &&
           strcmp(name, x86_register_name(&(struct x86_operand){
                            X86_OPERAND_GPR, (uint8_t)size, (uint8_t)ours})) ==
               0;
}

/* In 64-bit mode Capstone shows segments that have no effect. */
static bool is_same_segment(csh handle, const struct x86_insn *ours,
                            unsigned segment, x86_reg theirs, unsigned usual)
{
    static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    const char *name = cs_reg_name(handle, theirs);

    if (theirs == X86_REG_INVALID || name == NULL)
        return segment == usual ||
               (ours->mode == X86_MODE_64 && segment < X86_FS);
    if (strcmp(name, names[segment]) == 0)
        return true;
    return ours->mode == X86_MODE_64 && segment < X86_FS && name[0] != 'f' &&
           name[0] != 'g';
}

static bool is_same_memory(csh handle, const struct x86_insn *ours,
                           const x86_op_mem *theirs)
{
    unsigned usual = ours->base == X86_GPR_RSP || ours->base == X86_GPR_RBP
                         ? X86_SS
                         : X86_DS;
    uint64_t difference = (uint64_t)(theirs->disp - ours->displacement);

    return is_same_reg(handle, theirs->base, ours->base, ours->address_size) &&
           is_same_reg(handle, theirs->index, ours->index,
                       ours->address_size) &&
           (ours->index == X86_NO_REG || theirs->scale == ours->scale) &&
           difference << (64 - 8 * ours->address_size) == 0 &&
           is_same_segment(handle, ours, ours->segment, theirs->segment, usual);
}

static bool is_same_operand(csh handle, const struct x86_insn *ours,
                            const struct x86_operand *operand,
                            const cs_x86_op *theirs)
{
    unsigned bits = operand->size != 0 ? 8 * operand->size : 64;
    const char *name;

    switch (operand->kind) {
    case X86_OPERAND_IMMEDIATE:
        return theirs->type == X86_OP_IMM &&
               ((uint64_t)theirs->imm ^ ours->immediate) << (64 - bits) == 0;
    case X86_OPERAND_MEMORY:
        return theirs->type == X86_OP_MEM &&
               (operand->size == 0 || theirs->size == operand->size) &&
               is_same_memory(handle, ours, &theirs->mem);
    case X86_OPERAND_SI:
        return theirs->type == X86_OP_MEM && theirs->size == operand->size &&
               is_same_reg(handle, theirs->mem.base, X86_GPR_RSI,
                           ours->address_size) &&
               is_same_segment(handle, ours, ours->segment, theirs->mem.segment,
                               X86_DS);
    case X86_OPERAND_DI:
        return theirs->type == X86_OP_MEM && theirs->size == operand->size &&
               is_same_reg(handle, theirs->mem.base, X86_GPR_RDI,
                           ours->address_size);
    default:
        name = cs_reg_name(handle, theirs->reg);
        return theirs->type == X86_OP_REG && name != NULL &&
               strcmp(name, x86_register_name(operand)) == 0;
    }
}

static unsigned operand_count(const struct x86_insn *ours)
{
    unsigned count = 0;

    while (count < 2 && ours->operand[count].kind != X86_OPERAND_NONE)
        count++;
    return count;
}

/* Capstone has operands of registers that are always the same. */
static bool is_implicit(unsigned op)
{
    return op == X86_OP_vmrun || op == X86_OP_vmload || op == X86_OP_vmsave ||
           op == X86_OP_skinit || op == X86_OP_invlpga;
}

static bool are_operands_same(csh handle, const struct x86_insn *ours,
                              const cs_x86 *theirs)
{
    unsigned count = operand_count(ours);

    if (count == 0 && is_implicit(ours->op))
        return true;
    if (theirs->op_count != count)
        return false;
    for (unsigned swap = 0; swap < 2; swap++) {
        bool same = true;

        for (unsigned i = 0; i < count; i++)
            same &= is_same_operand(handle, ours, &ours->operand[i],
                                    &theirs->operands[i ^ (swap % count)]);
        if (same)
            return true;
        /* The order of these two operands says nothing. */
        if (ours->op != X86_OP_xchg && ours->op != X86_OP_test)
            return false;
    }
    return false;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* Whether the tables should have had this instruction. */
static bool is_ours(const cs_insn *theirs)
{
    static const char *const segments[] = {"cs", "ds", "es", "fs",
                                           "gs", "ss", NULL};
    const char *name = mnemonic_of(theirs);
    unsigned op_count = theirs->detail->x86.op_count;

    /* PUSH and POP of segment registers, NOP with a ModRM byte are not. */
    if ((strcmp(name, "push") == 0 || strcmp(name, "pop") == 0) &&
        is_one_of(theirs->op_str, segments))
        return false;
    if (strcmp(name, "nop") == 0 && op_count != 0)
        return false;
    for (unsigned op = 0; op < X86_OP_COUNT; op++) {
        struct x86_insn insn = {.op = (uint8_t)op};

        for (unsigned size = 1; size <= 8; size *= 2) {
            insn.operand_size = (uint8_t)size;
            insn.operand[0].size = insn.operand[1].size = (uint8_t)size;
            if (is_named(&insn, name))
                return true;
        }
    }
    return false;
}

/*
 * Where Capstone 4.0.2 departs from the manual, in `plain` encodings. A row
 * says what the manual says, and recognises the case without asking the
 * decoder's tables.
 */
struct departure_case {
    const struct plain *plain;
    enum x86_decoded decoded;
    const struct x86_insn *ours;
    const cs_insn *theirs; /* NULL: not an instruction, it says */
    csh handle;
};

/* LOCK: "An undefined opcode exception will also be generated if the LOCK
 * prefix is used with any instruction not in the above list", or if the
 * destination is not in memory (SDM volume 2, "LOCK"). */
static bool has_bad_lock(const struct departure_case *c)
{
    static const char *const names[] = {
        "add", "adc",  "and",  "btc",       "btr",        "bts", "cmpxchg",
        "dec", "inc",  "neg",  "not",       "or",         "sbb", "sub",
        "xor", "xadd", "xchg", "cmpxchg8b", "cmpxchg16b", NULL};
    const cs_x86_op *operands;
    const char *name;

    if (!c->plain->lock || c->decoded != X86_DECODE_INVALID ||
        c->theirs == NULL)
        return false;
    name = mnemonic_of(c->theirs);
    operands = c->theirs->detail->x86.operands;
    if (operands[0].type == X86_OP_MEM ||
        (strcmp(name, "xchg") == 0 && operands[1].type == X86_OP_MEM))
        return !is_one_of(name, names);
    return true;
}

/* "LOCK MOV CR0 can be used to access CR8 outside of 64-bit mode" (APM volume
 * 3, "MOV CRn"). */
static bool has_cr8_lock(const struct departure_case *c)
{
    return c->plain->lock && c->theirs == NULL &&
           (c->plain->opcode == 0x0f20 || c->plain->opcode == 0x0f22);
}

/* "Attempts to reference CR1, CR5, CR6, CR7, and CR9-CR15 result in undefined
 * opcode (#UD) exceptions"; MOV to CS is invalid; debug registers have no
 * numbers above 7 (SDM volume 2, "MOV"). */
static bool has_no_such_register(const struct departure_case *c)
{
    static const char *const none[] = {"cr1",  "cr5",  "cr6",  "cr7",  "cr9",
                                       "cr10", "cr11", "cr12", "cr13", "cr14",
                                       "cr15", "dr8",  "dr9",  "dr10", "dr11",
                                       "dr12", "dr13", "dr14", "dr15", NULL};
    const cs_x86_op *operands;

    if (c->decoded != X86_DECODE_INVALID || c->theirs == NULL ||
        strcmp(mnemonic_of(c->theirs), "mov") != 0)
        return false;
    operands = c->theirs->detail->x86.operands;
    for (unsigned i = 0; i < 2; i++) {
        const char *name = operands[i].type == X86_OP_REG
                               ? cs_reg_name(c->handle, operands[i].reg)
                               : NULL;

        if (name != NULL && is_one_of(name, none))
            return true;
    }
    return c->plain->opcode == 0x8e && operands[0].reg == X86_REG_CS;
}

/* SSE instructions, MOVBE and CRC32 exist with certain prefixes only; the
 * opcode map's other cells are reserved or another instruction (SDM volume 2,
 * tables ). */
static bool has_reserved_prefix(const struct departure_case *c)
{
    static const struct {
        unsigned opcode;
        const char *prefixes; /* none, 66, F3, F2 */
    } rows[] = {
        {0x0f12, "-632"}, {0x0f13, "-6"},    {0x0f16, "-63"},   {0x0f17, "-6"},
        {0x0f28, "-6"},   {0x0f29, "-6"},    {0x0f2b, "-6"},    {0x0f6e, "-6"},
        {0x0f6f, "-63"},  {0x0f7e, "-63"},   {0x0f7f, "-63"},   {0x0fc3, "-"},
        {0x0fd6, "632"},  {0x0fe7, "-6"},    {0x0ff0, "2"},     {0x0f382a, "6"},
        {0x0f3882, "6"},  {0x0f38f0, "-62"}, {0x0f38f1, "-62"},
    };
    char prefix = c->plain->operand != 0 ? '6' : '-';

    if (c->plain->repeat != 0)
        prefix = c->plain->repeat == 0xf3 ? '3' : '2';
    if (c->decoded != X86_DECODE_UNKNOWN)
        return false;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].opcode == c->plain->opcode)
            return strchr(rows[i].prefixes, prefix) == NULL;
    return false;
}

static bool is_length_same(const struct departure_case *c)
{
    return c->decoded == X86_DECODED && c->theirs != NULL &&
           c->theirs->size + c->plain->dropped == c->ours->length;
}

/* "MOVSXD r32, r/m32" and "MOVSXD r16, r/m16" without REX.W: Capstone always
 * has a 64-bit destination. */
static bool is_short_movsxd(const struct departure_case *c)
{
    return c->plain->opcode == 0x63 && (c->plain->rex & 8) == 0 &&
           is_length_same(c);
}

/* MOV to and from segment registers: REX.R is ignored, the source's low 16
 * bits count; Capstone refuses, or has the whole register as an operand. */
static bool is_segment_mov(const struct departure_case *c)
{
    if (c->plain->opcode != 0x8e && c->plain->opcode != 0x8c)
        return false;
    if (c->theirs == NULL)
        return (c->plain->rex & 4) != 0;
    return c->plain->opcode == 0x8e && is_length_same(c);
}

/* "F3 90 PAUSE": the prefix is lost on Capstone in 16-bit code. */
static bool is_pause_16(const struct departure_case *c)
{
    return c->plain->opcode == 0x90 && c->plain->repeat == 0xf3 &&
           c->plain->mode == X86_MODE_16 && is_length_same(c);
}

/* SWAPGS: "Compat/Leg Mode: Invalid". */
static bool is_legacy_swapgs(const struct departure_case *c)
{
    return c->plain->mode != X86_MODE_64 && c->theirs != NULL &&
           c->decoded == X86_DECODE_UNKNOWN &&
           strcmp(mnemonic_of(c->theirs), "swapgs") == 0;
}

/* MONITORX, MWAITX, CLZERO, RDPRU (APM volume 3): newer than Capstone's
 * tables, or not known to it in every mode. */
static bool is_recent(const struct departure_case *c)
{
    uint8_t op = c->ours->op;

    return c->decoded == X86_DECODED && c->theirs == NULL &&
           (op == X86_OP_monitorx || op == X86_OP_mwaitx ||
            op == X86_OP_clzero || op == X86_OP_rdpru);
}

static bool (*const departures[])(const struct departure_case *c) = {
    has_bad_lock,        has_cr8_lock,     has_no_such_register,
    has_reserved_prefix, is_short_movsxd,  is_segment_mov,
    is_pause_16,         is_legacy_swapgs, is_recent,
};

static bool is_departure(const struct departure_case *c)
{
    for (unsigned i = 0; i < sizeof(departures) / sizeof(departures[0]); i++)
        if (departures[i](c))
            return true;
    return false;
}

/* Whether Capstone, given `bytes` in `mode`, says what `ours` says; `delta` is
 * what its length lacks. */
static bool is_same(struct disassembler *dis, const uint8_t *bytes,
                    enum x86_mode mode, enum x86_decoded decoded,
                    const struct x86_insn *ours, unsigned delta, bool *known)
{
    csh handle = dis->handle[mode];
    const uint8_t *at = bytes;
    size_t left = X86_INSN_MAX;
    uint64_t address = 0;

    *known = cs_disasm_iter(handle, &at, &left, &address, dis->insn);
    if (decoded != X86_DECODED)
        return !*known || !is_ours(dis->insn);
    return *known && dis->insn->size + delta == ours->length &&
           is_named(ours, mnemonic_of(dis->insn)) &&
           are_operands_same(handle, ours, &dis->insn->detail->x86);
}

bool disassembler_agrees(struct disassembler *dis, enum x86_mode mode,
                         const uint8_t bytes[X86_INSN_MAX], char *why,
                         size_t size)
{
    struct x86_insn ours;
    enum x86_decoded decoded =
        x86_decode_insn(bytes, X86_INSN_MAX, mode, &ours);
    const cs_insn *theirs = dis->insn;
    struct plain plain;
    bool known;

    if (is_same(dis, bytes, mode, decoded, &ours, 0, &known)) {
        dis->compared += decoded == X86_DECODED;
        return true;
    }
    make_plain(&plain, mode, bytes);
    if (is_same(dis, plain.bytes, plain.mode, decoded, &ours, plain.dropped,
                &known)) {
        dis->compared += decoded == X86_DECODED;
        return true;
    }
    if (is_departure(&(struct departure_case){&plain, decoded, &ours,
                                              known ? theirs : NULL,
                                              dis->handle[plain.mode]})) {
        dis->excused++;
        return true;
    }
    snprintf(why, size, "ours %d: %s length %u, Capstone: %s %s length %u",
             decoded, decoded == X86_DECODED ? x86_op_name(ours.op) : "",
             ours.length, known ? theirs->mnemonic : "-",
             known ? theirs->op_str : "",
             known ? theirs->size + plain.dropped : 0);
    return false;
}
