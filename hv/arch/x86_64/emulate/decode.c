/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder; see decode.h. Intel SDM volume 2, chapter 2; AMD APM volume 3,
 * chapter 1.
 *
 * The bytes are copied to a buffer with zeros behind them, longer than what
 * any prefixes, opcode and operands can take, so that there is one check of
 * the end, when all is decoded.
 */
#include "arch/x86_64/emulate/decode.h"

#include "arch/x86_64/emulate/tables.h"
#include "lib/bits.h"
#include "lib/string.h"

#define CODE_BUFFER 48 /* X86_INSN_MAX prefixes, and what may follow */

/* REX (SDM volume 2, section 2.2.1). */
#define REX_W 0x08
#define REX_R 0x04
#define REX_X 0x02
#define REX_B 0x01

/* ModRM and SIB: two bits, three, three. */
#define FIELD_TOP(byte)    ((byte) >> 6)
#define FIELD_MIDDLE(byte) ((byte) >> 3 & 7)
#define FIELD_LOW(byte)    ((byte)&7)
#define MOD_REGISTER       3

#define ESCAPE_0F   0x0f
#define ESCAPE_0F38 0x38
#define OPCODE_NOP  0x90

#define RM_SIB    4 /* of 32- and 64-bit addressing: a SIB byte follows */
#define RM_DISP   5 /* with mod of 0: no base, but a displacement */
#define RM16_DISP 6
#define NO_INDEX  4

struct decoding {
    struct x86_insn *insn;
    const struct x86_opcode *row;
    const uint8_t *type; /* the two operands' types */
    unsigned flags;      /* the row's, and its group's */
    unsigned at;
    uint8_t opcode;
    uint8_t modrm;
    uint8_t rex;
    bool operand_override; /* 66 */
    bool address_override; /* 67 */
    uint8_t segment;       /* as overridden, or X86_SEGMENTS */
    uint8_t code[CODE_BUFFER];
};

static inline uint8_t take_byte(struct decoding *d)
{
    return d->code[d->at++];
}

static inline uint64_t take(struct decoding *d, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)d->code[d->at + i] << (8 * i);
    d->at += bytes;
    return value;
}

static inline int64_t take_signed(struct decoding *d, unsigned bytes)
{
    return sign_extend(take(d, bytes), 8 * bytes);
}

/* Prefixes (SDM volume 2, section 2.1.1). */
enum prefix {
    NOT_PREFIX,
    PREFIX_SEGMENT,
    PREFIX_OPERAND,
    PREFIX_ADDRESS,
    PREFIX_LOCK,
    PREFIX_REPNE,
    PREFIX_REP,
    PREFIX_REX,
};

#define REX_ROW                                                             \
    PREFIX_REX, PREFIX_REX, PREFIX_REX, PREFIX_REX, PREFIX_REX, PREFIX_REX, \
        PREFIX_REX, PREFIX_REX

static const uint8_t prefixes[256] = {
    [0x26] = PREFIX_SEGMENT, [0x2e] = PREFIX_SEGMENT, [0x36] = PREFIX_SEGMENT,
    [0x3e] = PREFIX_SEGMENT, [0x40] = REX_ROW,        REX_ROW,
    [0x64] = PREFIX_SEGMENT, [0x65] = PREFIX_SEGMENT, [0x66] = PREFIX_OPERAND,
    [0x67] = PREFIX_ADDRESS, [0xf0] = PREFIX_LOCK,    [0xf2] = PREFIX_REPNE,
    [0xf3] = PREFIX_REP,
};

bool x86_is_prefix(uint8_t byte)
{
    return prefixes[byte] != NOT_PREFIX;
}

/* The segment that an override names: 26, 2E, 36, 3E by bits 4:3; 64, 65. In
 * 64-bit mode the first four do nothing, not even to one before them. */
static void override_segment(struct decoding *d, uint8_t byte)
{
    if (byte >= 0x64)
        d->segment = (uint8_t)(X86_FS + (byte & 1));
    else if (d->insn->mode != X86_MODE_64)
        d->segment = FIELD_MIDDLE(byte) & 3;
}

static void take_prefixes(struct decoding *d)
{
    while (d->at < X86_INSN_MAX) {
        uint8_t byte = d->code[d->at];
        enum prefix prefix = prefixes[byte];

        if (prefix == PREFIX_REX && d->insn->mode != X86_MODE_64)
            return;
        if (prefix == NOT_PREFIX)
            return;
        d->at++;
        /* REX counts if it is the last prefix only. */
        d->rex = prefix == PREFIX_REX ? byte : 0;
        switch (prefix) {
        case PREFIX_SEGMENT: override_segment(d, byte); break;
        case PREFIX_OPERAND: d->operand_override = true; break;
        case PREFIX_ADDRESS: d->address_override = true; break;
        case PREFIX_LOCK: d->insn->lock = true; break;
        case PREFIX_REPNE: d->insn->repeat = X86_REPEAT_REPNE; break;
        case PREFIX_REP: d->insn->repeat = X86_REPEAT_REP; break;
        default: break;
        }
    }
}

static void take_opcode(struct decoding *d)
{
    d->opcode = take_byte(d);
    if (likely(d->opcode != ESCAPE_0F)) {
        d->row = &x86_map_one[d->opcode];
        return;
    }
    d->opcode = take_byte(d);
    if (d->opcode != ESCAPE_0F38) {
        d->row = &x86_map_0f[d->opcode];
        return;
    }
    d->opcode = take_byte(d);
    d->row = &x86_map_0f38[d->opcode];
}

/* F2 and F3 go before 66. */
static unsigned mandatory_prefix(const struct decoding *d)
{
    switch (d->insn->repeat) {
    case X86_REPEAT_REP: return X86_PREFIX_F3;
    case X86_REPEAT_REPNE: return X86_PREFIX_F2;
    default: return d->operand_override ? X86_PREFIX_66 : X86_PREFIX_NONE;
    }
}

static bool is_memory_form(const struct decoding *d)
{
    return FIELD_TOP(d->modrm) != MOD_REGISTER;
}

/* From the opcode's row to that of the instruction, where it is a group's. */
static void resolve_group(struct decoding *d)
{
    const struct x86_opcode *group = d->row;
    unsigned reg = FIELD_MIDDLE(d->modrm);

    if ((group->flags & X86_BY_PREFIX) != 0) {
        d->row = &x86_prefix_groups[group->op][mandatory_prefix(d)];
        d->type = d->row->type;
        d->flags = d->row->flags;
        return;
    }
    d->row = &x86_groups[group->op][reg];
    if ((group->flags & X86_BY_MODRM) != 0 && !is_memory_form(d)) {
        const struct x86_opcode *own = &x86_group7_registers[d->modrm & 0x3f];

        if ((own->flags & X86_KNOWN) != 0)
            d->row = own;
    }
    d->flags = d->row->flags | (group->flags & X86_NOT_64);
    d->type = d->row->type;
    if (d->type[0] == X86_TYPE_None)
        d->type = group->type;
}

static enum x86_decoded check_row(const struct decoding *d)
{
    unsigned flags = d->flags;
    bool is_64 = d->insn->mode == X86_MODE_64;

    if ((flags & X86_KNOWN) == 0 || (!is_64 && (flags & X86_ONLY_64) != 0))
        return X86_DECODE_UNKNOWN;
    if (is_64 && (flags & X86_NOT_64) != 0)
        return X86_DECODE_INVALID;
    if ((flags & X86_MEMORY) != 0 && !is_memory_form(d))
        return X86_DECODE_UNKNOWN;
    return X86_DECODED;
}

/* SDM volume 2, table 2-4 and section 2.2.1.2 "More on REX Prefix Fields". */
static void set_sizes(struct decoding *d)
{
    struct x86_insn *insn = d->insn;

    if (insn->mode == X86_MODE_64) {
        insn->address_size = d->address_override ? 4 : 8;
        if ((d->rex & REX_W) != 0)
            insn->operand_size = 8;
        else if (d->operand_override)
            insn->operand_size = 2;
        else
            insn->operand_size = (d->flags & X86_WIDE) != 0 ? 8 : 4;
        return;
    }
    insn->address_size =
        (insn->mode == X86_MODE_32) != d->address_override ? 4 : 2;
    insn->operand_size =
        (insn->mode == X86_MODE_32) != d->operand_override ? 4 : 2;
}

static void set_segment(struct decoding *d, unsigned usual)
{
    d->insn->segment =
        (uint8_t)(d->segment != X86_SEGMENTS ? d->segment : usual);
}

/* Displacements by ModRM.mod. */
static void take_displacement(struct decoding *d, unsigned mod, unsigned full)
{
    if (mod == 1)
        d->insn->displacement = take_signed(d, 1);
    else if (mod == 2)
        d->insn->displacement = take_signed(d, full);
}

/* SDM volume 2, table 2-1 "16-Bit Addressing Forms". */
static void take_address_16(struct decoding *d)
{
    static const struct {
        uint8_t base, index, segment;
    } forms[8] = {
        {X86_GPR_RBX, X86_GPR_RSI, X86_DS}, {X86_GPR_RBX, X86_GPR_RDI, X86_DS},
        {X86_GPR_RBP, X86_GPR_RSI, X86_SS}, {X86_GPR_RBP, X86_GPR_RDI, X86_SS},
        {X86_GPR_RSI, X86_NO_REG, X86_DS},  {X86_GPR_RDI, X86_NO_REG, X86_DS},
        {X86_GPR_RBP, X86_NO_REG, X86_SS},  {X86_GPR_RBX, X86_NO_REG, X86_DS},
    };
    unsigned mod = FIELD_TOP(d->modrm), rm = FIELD_LOW(d->modrm);

    if (mod == 0 && rm == RM16_DISP) {
        d->insn->displacement = take_signed(d, 2);
        set_segment(d, X86_DS);
        return;
    }
    d->insn->base = forms[rm].base;
    d->insn->index = forms[rm].index;
    set_segment(d, forms[rm].segment);
    take_displacement(d, mod, 2);
}

/* SDM volume 2, table 2-3 "32-Bit Addressing Forms with the SIB Byte". */
static unsigned take_sib(struct decoding *d)
{
    uint8_t sib = take_byte(d);
    unsigned index = FIELD_MIDDLE(sib) | ((d->rex & REX_X) != 0 ? 8 : 0);

    if (index != NO_INDEX) {
        d->insn->index = (uint8_t)index;
        d->insn->scale = (uint8_t)(1 << FIELD_TOP(sib));
    }
    return FIELD_LOW(sib);
}

/* SDM volume 2, table 2-2 "32-Bit Addressing Forms with the ModR/M Byte", and
 * section 2.2.1.6 "RIP-Relative Addressing". */
static void take_address(struct decoding *d)
{
    unsigned mod = FIELD_TOP(d->modrm), base = FIELD_LOW(d->modrm);
    bool has_sib = base == RM_SIB;

    if (has_sib)
        base = take_sib(d);
    if (mod == 0 && base == RM_DISP) {
        d->insn->displacement = take_signed(d, 4);
        if (!has_sib && d->insn->mode == X86_MODE_64)
            d->insn->base = X86_RIP;
        set_segment(d, X86_DS);
        return;
    }
    if ((d->rex & REX_B) != 0)
        base |= 8;
    d->insn->base = (uint8_t)base;
    set_segment(d,
                base == X86_GPR_RSP || base == X86_GPR_RBP ? X86_SS : X86_DS);
    take_displacement(d, mod, 4);
}

static unsigned size_of(const struct x86_insn *insn, unsigned size,
                        unsigned rex, bool is_memory)
{
    switch (size) {
    case SIZE_V: return insn->operand_size;
    case SIZE_Z: return insn->operand_size == 2 ? 2 : 4;
    case SIZE_Y: return (rex & REX_W) != 0 ? 8 : 4;
    case SIZE_NATURAL: return insn->mode == X86_MODE_64 ? 8 : 4;
    case SIZE_MV: return is_memory ? 2 : insn->operand_size;
    default: return size;
    }
}

static void set_register(struct x86_operand *operand, unsigned kind,
                         unsigned reg)
{
    operand->kind = (uint8_t)kind;
    operand->reg = (uint8_t)reg;
}

/* Without REX, byte registers 4 to 7 are AH, CH, DH and BH. */
static void set_gpr(const struct decoding *d, struct x86_operand *operand,
                    unsigned reg, unsigned rex_bit)
{
    if (operand->size == 1 && d->rex == 0 && reg >= 4)
        set_register(operand, X86_OPERAND_HIGH, reg - 4);
    else
        set_register(operand, X86_OPERAND_GPR,
                     reg | ((d->rex & rex_bit) != 0 ? 8 : 0));
}

/* The immediate counts as many bytes as the operand that it is extended to. */
static void take_immediate(struct decoding *d, struct x86_operand *operand)
{
    struct x86_insn *insn = d->insn;

    operand->kind = X86_OPERAND_IMMEDIATE;
    if (operand->size == 4 && insn->operand_size == 8) {
        insn->immediate = (uint64_t)take_signed(d, 4);
        operand->size = 8;
    } else {
        insn->immediate = take(d, operand->size);
    }
}

static unsigned with_rex_r(const struct decoding *d)
{
    return FIELD_MIDDLE(d->modrm) | ((d->rex & REX_R) != 0 ? 8 : 0);
}

static void set_rm(const struct decoding *d, struct x86_operand *operand,
                   unsigned kind, unsigned rex_bit)
{
    unsigned reg = FIELD_LOW(d->modrm);

    if (is_memory_form(d) && (d->flags & X86_NO_MOD) == 0)
        operand->kind = X86_OPERAND_MEMORY;
    else if (kind == X86_OPERAND_GPR)
        set_gpr(d, operand, reg, rex_bit);
    else
        set_register(operand, kind, reg | ((d->rex & rex_bit) != 0 ? 8 : 0));
}

static void take_offset(struct decoding *d, struct x86_operand *operand)
{
    operand->kind = X86_OPERAND_MEMORY;
    d->insn->displacement = (int64_t)take(d, d->insn->address_size);
    set_segment(d, X86_DS);
}

static void take_operand(struct decoding *d, struct x86_operand *operand,
                         const struct x86_operand_type_row *type)
{
    operand->size =
        (uint8_t)size_of(d->insn, type->size, d->rex, is_memory_form(d));
    switch (type->place) {
    case PLACE_RM: set_rm(d, operand, X86_OPERAND_GPR, REX_B); break;
    case PLACE_REG: set_gpr(d, operand, FIELD_MIDDLE(d->modrm), REX_R); break;
    case PLACE_OPCODE: set_gpr(d, operand, FIELD_LOW(d->opcode), REX_B); break;
    case PLACE_ACCUMULATOR:
        set_register(operand, X86_OPERAND_GPR, X86_GPR_RAX);
        break;
    case PLACE_DX: set_register(operand, X86_OPERAND_GPR, X86_GPR_RDX); break;
    case PLACE_IMMEDIATE: take_immediate(d, operand); break;
    case PLACE_SIGNED_BYTE:
        operand->kind = X86_OPERAND_IMMEDIATE;
        d->insn->immediate = (uint64_t)take_signed(d, 1);
        break;
    case PLACE_OFFSET: take_offset(d, operand); break;
    case PLACE_SI:
        operand->kind = X86_OPERAND_SI;
        set_segment(d, X86_DS);
        break;
    case PLACE_DI: operand->kind = X86_OPERAND_DI; break;
    case PLACE_SEGMENT:
        set_register(operand, X86_OPERAND_SEGMENT, FIELD_MIDDLE(d->modrm));
        break;
    case PLACE_CONTROL:
        set_register(operand, X86_OPERAND_CONTROL, with_rex_r(d));
        break;
    case PLACE_DEBUG:
        set_register(operand, X86_OPERAND_DEBUG, with_rex_r(d));
        break;
    case PLACE_XMM_RM: set_rm(d, operand, X86_OPERAND_XMM, REX_B); break;
    case PLACE_XMM_REG:
        set_register(operand, X86_OPERAND_XMM, with_rex_r(d));
        break;
    case PLACE_MMX_RM: set_rm(d, operand, X86_OPERAND_MMX, 0); break;
    case PLACE_MMX_REG:
        set_register(operand, X86_OPERAND_MMX, FIELD_MIDDLE(d->modrm));
        break;
    default: break;
    }
}

/* What ModRM and prefixes make of an opcode beside its operands. */
static void set_op(struct decoding *d)
{
    struct x86_insn *insn = d->insn;

    insn->op = d->row->op;
    insn->is_vector = (d->flags & X86_VECTOR) != 0;
    insn->is_aligned = (d->flags & X86_ALIGNED) != 0;
    if ((d->rex & REX_W) != 0) {
        if (insn->op == X86_OP_movd)
            insn->op = X86_OP_movq;
        if (insn->op == X86_OP_cmpxchg8b) {
            insn->op = X86_OP_cmpxchg16b;
            insn->operand[0].size = 16;
        }
    }
    /* XCHG with itself is NOP; XCHG R8, RAX is not (SDM, "NOP"). */
    if (d->row == &x86_map_one[OPCODE_NOP] && (d->rex & REX_B) == 0) {
        insn->op = insn->repeat == X86_REPEAT_REP ? X86_OP_pause : X86_OP_nop;
        insn->operand[0] = insn->operand[1] = (struct x86_operand){0};
    }
    insn->is_aligned |= insn->op == X86_OP_cmpxchg16b;
}

static bool is_control_register(unsigned reg)
{
    return reg == 0 || (reg >= 2 && reg <= 4) || reg == 8;
}

/* Registers that do not exist (SDM, "MOV", "MOV-Move to/from Control
 * Registers", "MOV-Move to/from Debug Registers"). */
static bool is_register_valid(const struct x86_insn *insn, unsigned i)
{
    const struct x86_operand *operand = &insn->operand[i];

    switch (operand->kind) {
    case X86_OPERAND_CONTROL: return is_control_register(operand->reg);
    case X86_OPERAND_DEBUG: return operand->reg < 8;
    case X86_OPERAND_SEGMENT:
        return operand->reg < X86_SEGMENTS &&
               (i != 0 || operand->reg != X86_CS);
    default: return true;
    }
}

/*
 * AMD's way to CR8 outside of 64-bit mode is MOV CR0 with LOCK (APM volume 3,
 * "MOV CRn"). Elsewhere LOCK raises #UD but with a few instructions.
 */
static enum x86_decoded check_operands(struct decoding *d)
{
    struct x86_insn *insn = d->insn;

    if (insn->lock && insn->op == X86_OP_mov_control) {
        unsigned i = insn->operand[0].kind == X86_OPERAND_CONTROL ? 0 : 1;

        insn->operand[i].reg |= 8;
        insn->lock = false;
    }
    if (insn->lock && ((d->flags & X86_LOCKABLE) == 0 ||
                       insn->operand[0].kind != X86_OPERAND_MEMORY))
        return X86_DECODE_INVALID;
    if (!is_register_valid(insn, 0) || !is_register_valid(insn, 1))
        return X86_DECODE_INVALID;
    return X86_DECODED;
}

static enum x86_decoded decode(struct decoding *d)
{
    struct x86_insn *insn = d->insn;
    enum x86_decoded decoded;

    take_prefixes(d);
    take_opcode(d);
    d->type = d->row->type;
    d->flags = d->row->flags;
    if ((d->row->flags & X86_MODRM) != 0) {
        d->modrm = take_byte(d);
        if ((d->row->flags & (X86_BY_REG | X86_BY_PREFIX)) != 0)
            resolve_group(d);
    }
    decoded = check_row(d);
    if (decoded != X86_DECODED)
        return decoded;
    set_sizes(d);
    if ((d->flags & X86_MODRM) != 0 && is_memory_form(d) &&
        (d->flags & X86_NO_MOD) == 0) {
        if (insn->address_size == 2)
            take_address_16(d);
        else
            take_address(d);
    }
    take_operand(d, &insn->operand[0], &x86_operand_types[d->type[0]]);
    take_operand(d, &insn->operand[1], &x86_operand_types[d->type[1]]);
    set_op(d);
    return check_operands(d);
}

enum x86_decoded x86_decode_insn(const uint8_t *bytes, unsigned available,
                                 enum x86_mode mode, struct x86_insn *insn)
{
    struct decoding d = {.insn = insn, .segment = X86_SEGMENTS};
    enum x86_decoded decoded;

    if (available > X86_INSN_MAX)
        available = X86_INSN_MAX;
    memcpy(d.code, bytes, available);
    *insn = (struct x86_insn){.mode = (uint8_t)mode,
                              .segment = X86_DS,
                              .base = X86_NO_REG,
                              .index = X86_NO_REG,
                              .scale = 1};
    decoded = decode(&d);
    insn->length = (uint8_t)d.at;
    if (likely(d.at <= available))
        return decoded;
    return available < X86_INSN_MAX ? X86_DECODE_TRUNCATED
                                    : X86_DECODE_TOO_LONG;
}

const char *x86_op_name(enum x86_op op)
{
    static const char *const names[] = {
#define X(name, function) #name,
        X86_OPS(X)
#undef X
    };

    return names[op];
}
