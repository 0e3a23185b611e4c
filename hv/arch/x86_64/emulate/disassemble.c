/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions as text; see disassemble.h. */
#include "arch/x86_64/emulate/disassemble.h"

#include <stdarg.h>

#include "lib/bits.h"
#include "lib/format.h"

struct text {
    char *to;
    size_t size, used;
};

static PRINTF_LIKE(2, 3) void append(struct text *t, const char *format, ...)
{
    size_t at = t->used < t->size ? t->used : t->size;
    va_list args;

    va_start(args, format);
    t->used += format_args(t->to + at, t->size - at, format, args);
    va_end(args);
}

static uint64_t low_bytes(unsigned bytes)
{
    return bytes < sizeof(uint64_t) ? BIT(8 * bytes) - 1 : UINT64_MAX;
}

/* Small numbers are the same in both notations. */
static void append_number(struct text *t, uint64_t number)
{
    append(t, number > 9 ? "0x%llx" : "%llu", (unsigned long long)number);
}

static const char *const segment_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

static const char *gpr_name(unsigned reg, unsigned size)
{
    static const char names[][16][5] = {
        {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b",
         "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"},
        {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w",
         "r11w", "r12w", "r13w", "r14w", "r15w"},
        {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d",
         "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"},
        {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9",
         "r10", "r11", "r12", "r13", "r14", "r15"},
    };

    if (reg == X86_RIP)
        return size == 8 ? "rip" : "eip";
    return names[size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3][reg];
}

const char *x86_register_name(const struct x86_operand *operand)
{
    static const char *const high[] = {"ah", "ch", "dh", "bh"};
    static const char numbered[][16][6] = {
#define ROW(name)                                                     \
    {name "0",  name "1",  name "2",  name "3", name "4",  name "5",  \
     name "6",  name "7",  name "8",  name "9", name "10", name "11", \
     name "12", name "13", name "14", name "15"}
        ROW("cr"), ROW("dr"), ROW("xmm"), ROW("mm")
#undef ROW
    };

    switch (operand->kind) {
    case X86_OPERAND_GPR: return gpr_name(operand->reg, operand->size);
    case X86_OPERAND_HIGH: return high[operand->reg];
    case X86_OPERAND_SEGMENT: return segment_names[operand->reg];
    default: return numbered[operand->kind - X86_OPERAND_CONTROL][operand->reg];
    }
}

/* "qword ptr gs:": the segment if it is not what is `usual`. */
static void append_access(struct text *t, unsigned size, unsigned segment,
                          unsigned usual)
{
    static const char *const sizes[] = {[1] = "byte ptr ",
                                        [2] = "word ptr ",
                                        [4] = "dword ptr ",
                                        [8] = "qword ptr ",
                                        [16] = "xmmword ptr "};

    if (size != 0)
        append(t, "%s", sizes[size]);
    if (segment != usual)
        append(t, "%s:", segment_names[segment]);
}

static void append_displacement(struct text *t, const struct x86_insn *insn,
                                bool is_alone)
{
    uint64_t distance = (uint64_t)insn->displacement;

    if (is_alone) {
        append_number(t, distance & low_bytes(insn->address_size));
    } else if (insn->displacement < 0) {
        append(t, " - ");
        append_number(t, 0 - distance);
    } else if (insn->displacement > 0) {
        append(t, " + ");
        append_number(t, distance);
    }
}

static void append_memory(struct text *t, const struct x86_insn *insn,
                          unsigned size)
{
    bool is_on_stack = insn->base == X86_GPR_RSP || insn->base == X86_GPR_RBP;
    const char *plus = "";

    append_access(t, size, insn->segment, is_on_stack ? X86_SS : X86_DS);
    append(t, "[");
    if (insn->base != X86_NO_REG) {
        append(t, "%s", gpr_name(insn->base, insn->address_size));
        plus = " + ";
    }
    if (insn->index != X86_NO_REG) {
        append(t, "%s%s", plus, gpr_name(insn->index, insn->address_size));
        if (insn->scale != 1)
            append(t, "*%u", insn->scale);
        plus = " + ";
    }
    append_displacement(t, insn, *plus == '\0');
    append(t, "]");
}

static void append_operand(struct text *t, const struct x86_insn *insn,
                           const struct x86_operand *operand)
{
    switch (operand->kind) {
    case X86_OPERAND_MEMORY: append_memory(t, insn, operand->size); break;
    case X86_OPERAND_IMMEDIATE:
        append_number(t, insn->immediate & low_bytes(operand->size));
        break;
    case X86_OPERAND_SI:
        append_access(t, operand->size, insn->segment, X86_DS);
        append(t, "[%s]", gpr_name(X86_GPR_RSI, insn->address_size));
        break;
    case X86_OPERAND_DI:
        append_access(t, operand->size, X86_ES,
                      insn->mode == X86_MODE_64 ? X86_ES : X86_SEGMENTS);
        append(t, "[%s]", gpr_name(X86_GPR_RDI, insn->address_size));
        break;
    default: append(t, "%s", x86_register_name(operand)); break;
    }
}

static bool is_string_op(unsigned op)
{
    return op >= X86_OP_movs && op <= X86_OP_outs;
}

/* The size that a mnemonic ends with: a string instruction's is that of its
 * elements, and 16-bit PUSHF, POPF and IRET have none. */
static unsigned suffix_size(const struct x86_insn *insn)
{
    switch (insn->op) {
    case X86_OP_outs: return insn->operand[1].size;
    case X86_OP_pushf:
    case X86_OP_popf:
    case X86_OP_iret: return insn->operand_size == 2 ? 0 : insn->operand_size;
    default: return is_string_op(insn->op) ? insn->operand[0].size : 0;
    }
}

/* The manual's mnemonic: the tables have several rows of MOV. */
static void append_mnemonic(struct text *t, const struct x86_insn *insn)
{
    static const char suffixes[] = {[1] = 'b', [2] = 'w', [4] = 'd', [8] = 'q'};
    unsigned size = suffix_size(insn);

    switch (insn->op) {
    case X86_OP_movabs:
    case X86_OP_mov_from_segment:
    case X86_OP_mov_to_segment:
    case X86_OP_mov_control:
    case X86_OP_mov_debug: append(t, "mov"); break;
    default: append(t, "%s", x86_op_name((enum x86_op)insn->op)); break;
    }
    if (size != 0)
        append(t, "%c", suffixes[size]);
}

/* Prefixes that do something: others are in the bytes only. */
static void append_prefixes(struct text *t, const struct x86_insn *insn)
{
    bool compares = insn->op == X86_OP_cmps || insn->op == X86_OP_scas;

    if (insn->lock)
        append(t, "lock ");
    if (!is_string_op(insn->op) || insn->repeat == X86_REPEAT_NONE)
        return;
    if (compares)
        append(t, insn->repeat == X86_REPEAT_REP ? "repe " : "repne ");
    else
        append(t, "rep ");
}

static void append_insn(struct text *t, const struct x86_insn *insn)
{
    append_prefixes(t, insn);
    append_mnemonic(t, insn);
    for (unsigned i = 0; i < 2; i++) {
        if (insn->operand[i].kind == X86_OPERAND_NONE)
            break;
        append(t, i == 0 ? " " : ", ");
        append_operand(t, insn, &insn->operand[i]);
    }
}

/* What the decoder does not know; SDM volume 2, table A-2. Outside of 64-bit
 * mode, what would be a register operand of LDS, LES and BOUND is VEX, EVEX. */
static const char *extension(const uint8_t *bytes, unsigned available,
                             enum x86_mode mode)
{
    unsigned at = 0;
    uint8_t opcode, next;
    bool is_vex;

    while (at < available && x86_is_prefix(bytes[at]))
        at++;
    opcode = at < available ? bytes[at] : 0;
    next = at + 1 < available ? bytes[at + 1] : 0;
    is_vex = mode == X86_MODE_64 || next >= 0xc0;
    if (opcode >= 0xd8 && opcode <= 0xdf)
        return "an x87 instruction";
    if (is_vex && (opcode == 0xc4 || opcode == 0xc5))
        return "an AVX instruction";
    if (is_vex && opcode == 0x62)
        return "an AVX-512 instruction";
    return "an instruction";
}

size_t x86_disassemble(char *to, size_t size, const uint8_t *bytes,
                       unsigned available, enum x86_mode mode)
{
    struct text t = {.to = to, .size = size};
    struct x86_insn insn;

    if (x86_decode_insn(bytes, available, mode, &insn) == X86_DECODED)
        append_insn(&t, &insn);
    else
        append(&t, "%s", extension(bytes, available, mode));
    return t.used;
}
