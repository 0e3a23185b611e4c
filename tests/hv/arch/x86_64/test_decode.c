/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder: instructions chosen for what is special about them, and random
 * ones against Capstone.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/emulate/decode.h"
#include "disassembler.h"
#include "lib/compiler.h"
#include "random.h"

#define ROUNDS 1000000

#define M16 X86_MODE_16
#define M32 X86_MODE_32
#define M64 X86_MODE_64
#define B   sizeof

/* What is expected: kinds of operands and their sizes as two digits' worth of
 * `operands` text: g general, h high byte, m memory, i immediate, s segment, c
 * control, d debug, x XMM, q MMX, S rSI, D rDI; then the size. */
static const struct {
    const char *bytes;
    unsigned count;
    enum x86_mode mode;
    enum x86_decoded decoded;
    enum x86_op op;
    const char *operands;
    unsigned length;
} rows[] = {
#define ROW(text, mode, op, operands)                                \
    {                                                                \
        text, B(text) - 1, mode, X86_DECODED, X86_OP_##op, operands, \
            B(text) - 1                                              \
    }
#define NOT(text, mode, why)                      \
    {                                             \
        text, B(text) - 1, mode, X86_DECODE_##why \
    }
    /* Sizes by mode and prefix. */
    ROW("\x89\x08", M64, mov, "m4g4"),
    ROW("\x66\x89\x08", M64, mov, "m2g2"),
    ROW("\x48\x89\x08", M64, mov, "m8g8"),
    ROW("\x66\x48\x89\x08", M64, mov, "m8g8"),
    ROW("\x48\x66\x89\x08", M64, mov, "m2g2"),
    ROW("\x89\x08", M16, mov, "m2g2"),
    ROW("\x66\x89\x08", M16, mov, "m4g4"),
    ROW("\x66\x89\x08", M32, mov, "m2g2"),
    ROW("\x88\x20", M64, mov, "m1h1"),
    ROW("\x40\x88\x20", M64, mov, "m1g1"),
    ROW("\x40", M32, inc, "g4"),
    ROW("\xc7\x05\x01\x02\x03\x04\x05\x06\x07\x08", M64, mov, "m4i4"),
    ROW("\x48\xc7\x00\x05\x06\x07\x88", M64, mov, "m8i8"),
    ROW("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", M64, mov, "g8i8"),
    ROW("\xa1\x01\x02\x03\x04\x05\x06\x07\x08", M64, movabs, "g4m4"),
    ROW("\x67\xa1\x01\x02\x03\x04", M64, movabs, "g4m4"),
    ROW("\xa2\x01\x02", M16, movabs, "m1g1"),
    ROW("\x83\x00\xff", M16, add, "m2i2"),
    ROW("\x0f\xb6\x00", M64, movzx, "g4m1"),
    ROW("\x48\x0f\xbf\x00", M64, movsx, "g8m2"),
    ROW("\x48\x63\x00", M64, movsxd, "g8m4"),
    ROW("\x66\x0f\x38\xf0\x00", M64, movbe, "g2m2"),
    ROW("\x0f\x38\xf1\x00", M32, movbe, "m4g4"),
    ROW("\xff\x30", M64, push, "m8"),
    ROW("\x66\xff\x30", M64, push, "m2"),
    ROW("\x8f\x00", M32, pop, "m4"),
    ROW("\x6a\x80", M64, push, "i8"),
    ROW("\x0f\xc7\x08", M64, cmpxchg8b, "m8"),
    ROW("\xf0\x48\x0f\xc7\x08", M64, cmpxchg16b, "m16"),
    ROW("\x8c\xd8", M64, mov_from_segment, "g4s2"),
    ROW("\x8c\x18", M64, mov_from_segment, "m2s2"),
    ROW("\xf3\x48\xa5", M64, movs, "D8S8"),
    ROW("\x48\x6d", M64, ins, "D4g2"),
    ROW("\x66\xe5\x10", M64, in, "g2i1"),
    /* Addresses. */
    ROW("\x8b\x04\x25\x01\x02\x03\x04", M64, mov, "g4m4"),
    ROW("\x8b\x44\x24\x10", M64, mov, "g4m4"),
    ROW("\x8b\x84\x88\x01\x02\x03\x04", M32, mov, "g4m4"),
    ROW("\x67\x8b\x86\x01\x02", M32, mov, "g4m4"),
    ROW("\x8b\x06\x01\x02", M16, mov, "g2m2"),
    ROW("\x67\x8b\x04\x24", M16, mov, "g2m2"),
    /* Mandatory prefixes: F2 and F3 before 66, the last one counts. */
    ROW("\x0f\x10\x00", M64, movups, "x16m16"),
    ROW("\x66\x0f\x10\x00", M64, movupd, "x16m16"),
    ROW("\xf3\x66\x0f\x10\x00", M64, movss, "x4m4"),
    ROW("\xf3\xf2\x0f\x10\x00", M64, movsd, "x8m8"),
    ROW("\x66\x0f\x7f\x00", M16, movdqa, "m16x16"),
    ROW("\x0f\x6f\x00", M64, movq, "q8m8"),
    ROW("\x66\x48\x0f\x6e\x00", M64, movq, "x16m8"),
    ROW("\x66\x0f\xd6\x00", M64, movq, "m8x8"),
    ROW("\x0f\xc3\x08", M64, movnti, "m4g4"),
    ROW("\x66\x0f\xe7\x00", M64, movntdq, "m16x16"),
    /* What is intercepted, with prefixes that do nothing. */
    ROW("\x0f\xa2", M64, cpuid, ""),
    ROW("\xf3\x66\x2e\x48\x0f\xa2", M64, cpuid, ""),
    ROW("\x0f\x01\xd9", M64, vmmcall, ""),
    ROW("\x66\x66\x0f\x01\xd9", M32, vmmcall, ""),
    ROW("\x2e\xf4", M64, hlt, ""),
    ROW("\x41\x0f\x32", M64, rdmsr, ""),
    ROW("\xf2\x0f\x30", M64, wrmsr, ""),
    ROW("\x36\x0f\x31", M16, rdtsc, ""),
    ROW("\x0f\x01\xf9", M64, rdtscp, ""),
    ROW("\x0f\x08", M64, invd, ""),
    ROW("\xf3\x0f\x09", M64, wbinvd, ""),
    ROW("\x0f\x01\xd1", M64, xsetbv, ""),
    ROW("\xf3\x6c", M64, ins, "D1g2"),
    ROW("\x66\xef", M16, out, "g2g4"),
    ROW("\x65\x0f\x01\x3c\x25\x00\x00\x00\x00", M64, invlpg, "m0"),
    ROW("\x0f\x01\x7e\x01", M16, invlpg, "m0"),
    ROW("\x44\x0f\x20\xc0", M64, mov_control, "g8c8"),
    ROW("\x0f\x22\x00", M32, mov_control, "c4g4"), /* mod is ignored */
    ROW("\xf0\x0f\x22\xc0", M32, mov_control, "c4g4"),
    ROW("\x0f\x23\xf8", M64, mov_debug, "d8g8"),
    ROW("\x0f\x06", M64, clts, ""),
    ROW("\x0f\x01\xf0", M64, lmsw, "g2"),
    ROW("\x0f\x01\x20", M64, smsw, "m2"),
    ROW("\xf3\x90", M64, pause, ""),
    ROW("\x90", M64, nop, ""),
    ROW("\x41\x90", M64, xchg, "g4g4"),
    ROW("\x0f\x01\xc8", M64, monitor, ""),
    ROW("\x67\x0f\x01\xc9", M64, mwait, ""),
    ROW("\x0f\x33", M64, rdpmc, ""),
    ROW("\xcd\x80", M64, int, "i1"),
    ROW("\x0f\x01\x1d\x01\x02\x03\x04", M64, lidt, "m0"),
    ROW("\x66\x0f\x38\x82\x00", M64, invpcid, "g8m16"),
    /* LOCK. */
    ROW("\xf0\x01\x08", M64, add, "m4g4"),
    ROW("\xf0\x87\x08", M64, xchg, "m4g4"),
    NOT("\xf0\x03\x08", M64, INVALID),
    NOT("\xf0\x01\xc8", M64, INVALID),
    NOT("\xf0\x39\x08", M64, INVALID),
    NOT("\xf0\x89\x08", M64, INVALID),
    NOT("\xf0\x0f\xa3\x08", M64, INVALID),
    NOT("\xf0\x0f\xa2", M64, INVALID),
    /* Registers that do not exist; opcodes that do not. */
    NOT("\x0f\x22\xc8", M64, INVALID),
    NOT("\x44\x0f\x21\xc0", M64, INVALID),
    NOT("\x8e\xc8", M64, INVALID),
    NOT("\x8c\xf8", M64, INVALID),
    NOT("\x82\x00\x01", M64, INVALID),
    NOT("\x0f\x0b", M64, UNKNOWN),
    NOT("\x63\x00", M32, UNKNOWN),
    NOT("\x0f\x01\xf8", M32, UNKNOWN),
    NOT("\x0f\xe7\xc0", M64, UNKNOWN),
    NOT("\xc5\xf8\x10\x00", M64, UNKNOWN),
    /* Ends. */
    NOT("", M64, TRUNCATED),
    NOT("\x66", M64, TRUNCATED),
    NOT("\x0f", M64, TRUNCATED),
    NOT("\x8b\x80\x01\x02\x03", M64, TRUNCATED),
    NOT("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66", M64,
        TOO_LONG),
    NOT("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f", M64,
        TRUNCATED),
#undef ROW
#undef NOT
};

static void describe(const struct x86_insn *insn, char *text, size_t size)
{
    static const char letters[] = {
        [X86_OPERAND_GPR] = 'g',     [X86_OPERAND_HIGH] = 'h',
        [X86_OPERAND_MEMORY] = 'm',  [X86_OPERAND_IMMEDIATE] = 'i',
        [X86_OPERAND_SEGMENT] = 's', [X86_OPERAND_CONTROL] = 'c',
        [X86_OPERAND_DEBUG] = 'd',   [X86_OPERAND_XMM] = 'x',
        [X86_OPERAND_MMX] = 'q',     [X86_OPERAND_SI] = 'S',
        [X86_OPERAND_DI] = 'D',
    };
    size_t at = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < 2; i++)
        if (insn->operand[i].kind != X86_OPERAND_NONE)
            at += (size_t)snprintf(text + at, size - at, "%c%u",
                                   letters[insn->operand[i].kind],
                                   insn->operand[i].size);
}

Test(x86_decode_insn, chosen_instructions)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct x86_insn insn;
        char text[16];
        enum x86_decoded decoded = x86_decode_insn(
            (const uint8_t *)rows[i].bytes, rows[i].count, rows[i].mode, &insn);

        cr_expect_eq(decoded, rows[i].decoded, "row %u: %d", i, decoded);
        if (rows[i].decoded != X86_DECODED || decoded != X86_DECODED)
            continue;
        describe(&insn, text, sizeof(text));
        cr_expect_eq(insn.op, rows[i].op, "row %u: %s", i,
                     x86_op_name(insn.op));
        cr_expect_str_eq(text, rows[i].operands, "row %u: %s", i, text);
        cr_expect_eq(insn.length, rows[i].length, "row %u", i);
    }
}

/* Addresses: base, index, scale, displacement, segment. */
Test(x86_decode_insn, addresses)
{
    static const struct {
        const char *bytes;
        unsigned count;
        enum x86_mode mode;
        uint8_t base, index, scale, segment;
        int64_t displacement;
    } addresses[] = {
#define ROW(text, ...) {text, B(text) - 1, __VA_ARGS__}
        ROW("\x8b\x05\xfe\xff\xff\xff", M64, X86_RIP, X86_NO_REG, 1, X86_DS,
            -2),
        ROW("\x8b\x05\xfe\xff\xff\xff", M32, X86_NO_REG, X86_NO_REG, 1, X86_DS,
            -2),
        ROW("\x8b\x44\x24\x10", M64, X86_GPR_RSP, X86_NO_REG, 1, X86_SS, 16),
        ROW("\x41\x8b\x44\x24\x10", M64, 12, X86_NO_REG, 1, X86_DS, 16),
        ROW("\x41\x8b\x45\x00", M64, 13, X86_NO_REG, 1, X86_DS, 0),
        ROW("\x8b\x45\x80", M64, X86_GPR_RBP, X86_NO_REG, 1, X86_SS, -128),
        ROW("\x42\x8b\x04\xa0", M64, X86_GPR_RAX, 12, 4, X86_DS, 0),
        ROW("\x8b\x04\xad\x10\x00\x00\x00", M64, X86_NO_REG, X86_GPR_RBP, 4,
            X86_DS, 16),
        ROW("\x2e\x65\x8b\x00", M32, X86_GPR_RAX, X86_NO_REG, 1, X86_GS, 0),
        ROW("\x65\x2e\x8b\x00", M32, X86_GPR_RAX, X86_NO_REG, 1, X86_CS, 0),
        ROW("\x65\x2e\x8b\x00", M64, X86_GPR_RAX, X86_NO_REG, 1, X86_GS, 0),
        ROW("\x8b\x02", M16, X86_GPR_RBP, X86_GPR_RSI, 1, X86_SS, 0),
        ROW("\x8b\x47\xff", M16, X86_GPR_RBX, X86_NO_REG, 1, X86_DS, -1),
        ROW("\x3e\x8b\x46\x04", M16, X86_GPR_RBP, X86_NO_REG, 1, X86_DS, 4),
        ROW("\x26\xa4", M32, X86_NO_REG, X86_NO_REG, 1, X86_ES, 0),
#undef ROW
    };

    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct x86_insn insn;

        cr_assert_eq(x86_decode_insn((const uint8_t *)addresses[i].bytes,
                                     addresses[i].count, addresses[i].mode,
                                     &insn),
                     X86_DECODED);
        cr_expect_eq(insn.base, addresses[i].base, "row %u: base", i);
        cr_expect_eq(insn.index, addresses[i].index, "row %u: index", i);
        cr_expect_eq(insn.scale, addresses[i].scale, "row %u: scale", i);
        cr_expect_eq(insn.segment, addresses[i].segment, "row %u: segment", i);
        cr_expect_eq(insn.displacement, addresses[i].displacement,
                     "row %u: displacement", i);
    }
}

/* Any end before the last byte is told from any other answer. */
Test(x86_decode_insn, every_truncation)
{
    uint64_t random = 3;

    for (unsigned i = 0; i < 20000; i++) {
        enum x86_mode mode = (enum x86_mode)(i % 3);
        uint8_t bytes[X86_INSN_MAX];
        struct x86_insn insn;

        random_insn(&random, mode, bytes);
        if (x86_decode_insn(bytes, X86_INSN_MAX, mode, &insn) != X86_DECODED)
            continue;
        for (unsigned length = insn.length; length-- > 0;)
            cr_assert_eq(x86_decode_insn(bytes, length, mode, &insn),
                         X86_DECODE_TRUNCATED);
    }
}

Test(x86_decode_insn, capstone_agrees, .timeout = 600)
{
    struct disassembler *dis = disassembler_open();
    unsigned long rounds = random_rounds(ROUNDS);
    uint64_t random = 0x7477696e6178;

    for (unsigned long i = 0; i < rounds; i++) {
        enum x86_mode mode = (enum x86_mode)(i % 3);
        uint8_t bytes[X86_INSN_MAX];
        char text[3 * X86_INSN_MAX + 1], why[256];

        random_insn(&random, mode, bytes);
        if (disassembler_agrees(dis, mode, bytes, why, sizeof(why)))
            continue;
        for (unsigned k = 0; k < X86_INSN_MAX; k++)
            snprintf(text + 3 * k, 4, "%02x ", bytes[k]);
        cr_assert_fail("%u-bit code, %s: %s", 16U << mode, text, why);
    }
    cr_expect_gt(disassembler_compared(dis), rounds / 2);
    cr_expect_lt(disassembler_excused(dis), rounds / 20);
    disassembler_close(dis);
}
