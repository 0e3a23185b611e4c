/* SPDX-License-Identifier: Apache-2.0 */
/*
 * riscv64 instructions as text: see insn.h. Encodings: RISC-V
 * Unprivileged ISA, "Instruction Set Listings" and "C"; Privileged
 * Architecture 1.12, "Supervisor-" and "Hypervisor Instructions".
 */
#include "sim/riscv64/insn.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/riscv64/csr.h"
#include "arch/riscv64/insn.h"
#include "lib/compiler.h"

static const char *const gpr_names[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

static const char *const fpr_names[32] = {
    "ft0", "ft1", "ft2",  "ft3",  "ft4", "ft5", "ft6",  "ft7",
    "fs0", "fs1", "fa0",  "fa1",  "fa2", "fa3", "fa4",  "fa5",
    "fa6", "fa7", "fs2",  "fs3",  "fs4", "fs5", "fs6",  "fs7",
    "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
};

static const struct {
    uint16_t number;
    const char *name;
} csr_names[] = {
#define X(name, number) {(number), #name},
    RISCV_CSRS(X)
#undef X
};

/*
 * An instruction: the bits that tell it, and what its operands are, a letter
 * each: d s t are rd, rs1, rs2; D T the same as floating-point registers; i o
 * the immediates of loads and stores, with rs1 in parentheses; c a CSR's
 * number; z rs1 as a number; a rs1 in parentheses. Of compressed instructions:
 * p q are the short rd' or rs2', P Q the same as floating-point registers, w x
 * the scaled offsets of words and doublewords from rs1'; u v those from sp in
 * loads, m n in stores; e E is rs2 of a store to the stack. The ordering bits
 * of atomics are not shown. No name: it is no instruction after all.
 */
struct insn_row {
    uint32_t mask, match;
    const char *name;
    const char *operands;
};

#define LOAD(funct3)      0x0000707f, 0x00000003 | (funct3) << 12
#define LOAD_FP(funct3)   0x0000707f, 0x00000007 | (funct3) << 12
#define STORE(funct3)     0x0000707f, 0x00000023 | (funct3) << 12
#define STORE_FP(funct3)  0x0000707f, 0x00000027 | (funct3) << 12
#define SYSTEM(funct3)    0x0000707f, 0x00000073 | (funct3) << 12
#define FENCE_VMA(funct7) 0xfe007fff, 0x00000073 | (uint32_t)(funct7) << 25
#define HLV(funct7, rs2) \
    0xfff0707f, 0x00004073 | (uint32_t)(funct7) << 25 | (rs2) << 20
#define AMO(funct5, funct3) \
    0xf800707f, 0x0000002f | (uint32_t)(funct5) << 27 | (funct3) << 12
#define LR(funct3)                      0xf9f0707f, 0x1000002f | (funct3) << 12
#define COMPRESSED(quadrant, funct3)    0x0000e003, (quadrant) | (funct3) << 13
#define COMPRESSED_X0(quadrant, funct3) 0x0000ef83, (quadrant) | (funct3) << 13
#define AMO_ROWS(funct5, name)           \
    {AMO(funct5, 2), name ".w", "dta"},  \
    {                                    \
        AMO(funct5, 3), name ".d", "dta" \
    }

static const struct insn_row insn_rows[] = {
    {LOAD(0), "lb", "di"},
    {LOAD(1), "lh", "di"},
    {LOAD(2), "lw", "di"},
    {LOAD(3), "ld", "di"},
    {LOAD(4), "lbu", "di"},
    {LOAD(5), "lhu", "di"},
    {LOAD(6), "lwu", "di"},
    {LOAD_FP(2), "flw", "Di"},
    {LOAD_FP(3), "fld", "Di"},
    {STORE(0), "sb", "to"},
    {STORE(1), "sh", "to"},
    {STORE(2), "sw", "to"},
    {STORE(3), "sd", "to"},
    {STORE_FP(2), "fsw", "To"},
    {STORE_FP(3), "fsd", "To"},
    {LR(2), "lr.w", "da"},
    {LR(3), "lr.d", "da"},
    AMO_ROWS(0x03, "sc"),
    AMO_ROWS(0x01, "amoswap"),
    AMO_ROWS(0x00, "amoadd"),
    AMO_ROWS(0x04, "amoxor"),
    AMO_ROWS(0x0c, "amoand"),
    AMO_ROWS(0x08, "amoor"),
    AMO_ROWS(0x10, "amomin"),
    AMO_ROWS(0x14, "amomax"),
    AMO_ROWS(0x18, "amominu"),
    AMO_ROWS(0x1c, "amomaxu"),
    {0xffffffff, 0x00000073, "ecall", ""},
    {0xffffffff, 0x00100073, "ebreak", ""},
    {0xffffffff, 0x10200073, "sret", ""},
    {0xffffffff, 0x10500073, "wfi", ""},
    {FENCE_VMA(0x09), "sfence.vma", "st"},
    {FENCE_VMA(0x0b), "sinval.vma", "st"},
    {FENCE_VMA(0x11), "hfence.vvma", "st"},
    {FENCE_VMA(0x31), "hfence.gvma", "st"},
    {0xffffffff, 0x18000073, "sfence.w.inval", ""},
    {0xffffffff, 0x18100073, "sfence.inval.ir", ""},
    {HLV(0x30, 0), "hlv.b", "da"},
    {HLV(0x30, 1), "hlv.bu", "da"},
    {HLV(0x32, 0), "hlv.h", "da"},
    {HLV(0x32, 1), "hlv.hu", "da"},
    {HLV(0x32, 3), "hlvx.hu", "da"},
    {HLV(0x34, 0), "hlv.w", "da"},
    {HLV(0x34, 1), "hlv.wu", "da"},
    {HLV(0x34, 3), "hlvx.wu", "da"},
    {HLV(0x36, 0), "hlv.d", "da"},
    {SYSTEM(1), "csrrw", "dcs"},
    {SYSTEM(2), "csrrs", "dcs"},
    {SYSTEM(3), "csrrc", "dcs"},
    {SYSTEM(5), "csrrwi", "dcz"},
    {SYSTEM(6), "csrrsi", "dcz"},
    {SYSTEM(7), "csrrci", "dcz"},
    {0x0000707f, 0x0000100f, "fence.i", ""},
    {0xfff07fff, 0x0000200f, "cbo.inval", "a"},
    {0xfff07fff, 0x0010200f, "cbo.clean", "a"},
    {0xfff07fff, 0x0020200f, "cbo.flush", "a"},
    {0xfff07fff, 0x0040200f, "cbo.zero", "a"},
    {COMPRESSED(0, 1), "c.fld", "Px"},
    {COMPRESSED(0, 2), "c.lw", "pw"},
    {COMPRESSED(0, 3), "c.ld", "px"},
    {COMPRESSED(0, 5), "c.fsd", "Px"},
    {COMPRESSED(0, 6), "c.sw", "pw"},
    {COMPRESSED(0, 7), "c.sd", "px"},
    {COMPRESSED_X0(2, 2), NULL, ""}, /* reserved */
    {COMPRESSED_X0(2, 3), NULL, ""},
    {COMPRESSED(2, 1), "c.fldsp", "Dv"},
    {COMPRESSED(2, 2), "c.lwsp", "du"},
    {COMPRESSED(2, 3), "c.ldsp", "dv"},
    {COMPRESSED(2, 5), "c.fsdsp", "En"},
    {COMPRESSED(2, 6), "c.swsp", "em"},
    {COMPRESSED(2, 7), "c.sdsp", "en"},
};

struct text {
    char *buffer;
    size_t size, used;
};

static void PRINTF_LIKE(2, 3) add(struct text *text, const char *format, ...)
{
    size_t left = text->used < text->size ? text->size - text->used : 0;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(left != 0 ? text->buffer + text->used : NULL, left,
                       format, args);
    va_end(args);
    if (length > 0)
        text->used += (size_t)length;
}

static unsigned bits(uint32_t insn, unsigned high, unsigned low)
{
    return (unsigned)FIELD_GET(BIT_MASK(high, low), insn);
}

static void add_csr(struct text *text, unsigned number)
{
    for (size_t i = 0; i < ARRAY_SIZE(csr_names); i++) {
        if (csr_names[i].number == number) {
            add(text, "%s", csr_names[i].name);
            return;
        }
    }
    add(text, "0x%x", number);
}

static void add_offset(struct text *text, int64_t offset, unsigned base)
{
    add(text, "%" PRId64 "(%s)", offset, gpr_names[base]);
}

/* Unprivileged ISA, chapter "C": the pieces of the offsets. */
static void add_short_operand(struct text *text, uint32_t insn, char operand)
{
    unsigned base = 8 + bits(insn, 9, 7), high = bits(insn, 12, 10) << 3;

    switch (operand) {
    case 'p': add(text, "%s", gpr_names[8 + bits(insn, 4, 2)]); break;
    case 'P': add(text, "%s", fpr_names[8 + bits(insn, 4, 2)]); break;
    case 'e': add(text, "%s", gpr_names[bits(insn, 6, 2)]); break;
    case 'E': add(text, "%s", fpr_names[bits(insn, 6, 2)]); break;
    case 'w':
        add_offset(text, high | bits(insn, 5, 5) << 6 | bits(insn, 6, 6) << 2,
                   base);
        break;
    case 'x': add_offset(text, high | bits(insn, 6, 5) << 6, base); break;
    case 'u':
        add_offset(text,
                   bits(insn, 12, 12) << 5 | bits(insn, 6, 4) << 2 |
                       bits(insn, 3, 2) << 6,
                   REG_SP);
        break;
    case 'v':
        add_offset(text,
                   bits(insn, 12, 12) << 5 | bits(insn, 6, 5) << 3 |
                       bits(insn, 4, 2) << 6,
                   REG_SP);
        break;
    case 'm':
        add_offset(text, bits(insn, 12, 9) << 2 | bits(insn, 8, 7) << 6,
                   REG_SP);
        break;
    default: add_offset(text, high | bits(insn, 9, 7) << 6, REG_SP); break;
    }
}

static void add_operand(struct text *text, uint32_t insn, char operand)
{
    unsigned rd = bits(insn, 11, 7), rs1 = bits(insn, 19, 15);
    unsigned rs2 = bits(insn, 24, 20);

    switch (operand) {
    case 'd': add(text, "%s", gpr_names[rd]); break;
    case 's': add(text, "%s", gpr_names[rs1]); break;
    case 't': add(text, "%s", gpr_names[rs2]); break;
    case 'D': add(text, "%s", fpr_names[rd]); break;
    case 'T': add(text, "%s", fpr_names[rs2]); break;
    case 'a': add(text, "(%s)", gpr_names[rs1]); break;
    case 'z': add(text, "%u", rs1); break;
    case 'c': add_csr(text, bits(insn, 31, 20)); break;
    case 'i': add_offset(text, sign_extend(bits(insn, 31, 20), 12), rs1); break;
    case 'o':
        add_offset(text, sign_extend(bits(insn, 31, 25) << 5 | rd, 12), rs1);
        break;
    default: add_short_operand(text, insn, operand); break;
    }
}

static const struct insn_row *find_row(uint32_t insn)
{
    for (size_t i = 0; i < ARRAY_SIZE(insn_rows); i++) {
        const struct insn_row *row = &insn_rows[i];

        if ((insn & row->mask) == row->match)
            return row->name != NULL ? row : NULL;
    }
    return NULL;
}

/* Whether the operand is an address that htinst does not tell. */
static bool is_address(char operand)
{
    return strchr("ioa", operand) != NULL;
}

static void format_row(const struct insn_row *row, uint32_t insn,
                       bool transformed, char *buffer, size_t size)
{
    struct text text = {buffer, size, 0};

    add(&text, "%s", row->name);
    for (const char *operand = row->operands; *operand != '\0'; operand++) {
        add(&text, operand == row->operands ? " " : ", ");
        if (transformed && is_address(*operand))
            add(&text, "(...)");
        else
            add_operand(&text, insn, *operand);
    }
}

void riscv64_format_insn(uint32_t insn, char *text, size_t size)
{
    uint32_t whole = (insn & 3) == 3 ? insn : insn & 0xffff;
    const struct insn_row *row = find_row(whole);

    if (row == NULL)
        snprintf(text, size, (insn & 3) == 3 ? ".insn 0x%08x" : ".insn 0x%04x",
                 whole);
    else
        format_row(row, whole, false, text, size);
}

/* A transformed instruction: bit 1 says nothing about its length here. */
static bool format_htinst(uint64_t htinst, char *text, size_t size)
{
    uint32_t insn = (uint32_t)htinst | HTINST_FULL;
    const struct insn_row *row = find_row(insn);

    if (htinst == 0 || (htinst & HTINST_TRANSFORMED) == 0 || row == NULL)
        return false;
    format_row(row, insn, true, text, size);
    return true;
}

bool riscv64_insn(const struct riscv_regs *regs, char *text, size_t size)
{
    switch (regs->scause) {
    case CAUSE_ECALL_VS:
    case CAUSE_ECALL_U: snprintf(text, size, "ecall"); return true;
    case CAUSE_BREAKPOINT: snprintf(text, size, "ebreak"); return true;
    case CAUSE_ILLEGAL_INSN:
    case CAUSE_VIRTUAL_INSN:
        if (regs->stval == 0)
            return false;
        riscv64_format_insn((uint32_t)regs->stval, text, size);
        return true;
    case CAUSE_LOAD_GUEST_PAGE_FAULT:
    case CAUSE_STORE_GUEST_PAGE_FAULT:
        return format_htinst(regs->htinst, text, size);
    default: return false;
    }
}
