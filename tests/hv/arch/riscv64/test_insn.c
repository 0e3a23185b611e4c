/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder of loads and stores, against a second one written straight from
 * the instruction set's listing, over every encoding that could matter.
 */
#include <criterion/criterion.h>

#include "arch/riscv64/insn.h"
#include "lib/compiler.h"
#include "support/rows.h"

/* The listing: match and mask, as riscv-opcodes has them. */
enum { X_INT, X_FP };
enum { IN_RD, IN_RS2, IN_C_RD, IN_C_RS2, IN_CP }; /* where the register is */

static const struct listed {
    const char *name;
    uint32_t match, mask;
    uint8_t width, length, where;
    bool store, fp, sign;
} listing[] = {
    {"lb", 0x0003, 0x707f, 1, 4, IN_RD, false, false, true},
    {"lh", 0x1003, 0x707f, 2, 4, IN_RD, false, false, true},
    {"lw", 0x2003, 0x707f, 4, 4, IN_RD, false, false, true},
    {"ld", 0x3003, 0x707f, 8, 4, IN_RD, false, false, false},
    {"lbu", 0x4003, 0x707f, 1, 4, IN_RD, false, false, false},
    {"lhu", 0x5003, 0x707f, 2, 4, IN_RD, false, false, false},
    {"lwu", 0x6003, 0x707f, 4, 4, IN_RD, false, false, false},
    {"flw", 0x2007, 0x707f, 4, 4, IN_RD, false, true, false},
    {"fld", 0x3007, 0x707f, 8, 4, IN_RD, false, true, false},
    {"sb", 0x0023, 0x707f, 1, 4, IN_RS2, true, false, false},
    {"sh", 0x1023, 0x707f, 2, 4, IN_RS2, true, false, false},
    {"sw", 0x2023, 0x707f, 4, 4, IN_RS2, true, false, false},
    {"sd", 0x3023, 0x707f, 8, 4, IN_RS2, true, false, false},
    {"fsw", 0x2027, 0x707f, 4, 4, IN_RS2, true, true, false},
    {"fsd", 0x3027, 0x707f, 8, 4, IN_RS2, true, true, false},
    {"c.fld", 0x2000, 0xe003, 8, 2, IN_CP, false, true, false},
    {"c.lw", 0x4000, 0xe003, 4, 2, IN_CP, false, false, true},
    {"c.ld", 0x6000, 0xe003, 8, 2, IN_CP, false, false, false},
    {"c.fsd", 0xa000, 0xe003, 8, 2, IN_CP, true, true, false},
    {"c.sw", 0xc000, 0xe003, 4, 2, IN_CP, true, false, false},
    {"c.sd", 0xe000, 0xe003, 8, 2, IN_CP, true, false, false},
    {"c.fldsp", 0x2002, 0xe003, 8, 2, IN_C_RD, false, true, false},
    {"c.lwsp", 0x4002, 0xe003, 4, 2, IN_C_RD, false, false, true},
    {"c.ldsp", 0x6002, 0xe003, 8, 2, IN_C_RD, false, false, false},
    {"c.fsdsp", 0xa002, 0xe003, 8, 2, IN_C_RS2, true, true, false},
    {"c.swsp", 0xc002, 0xe003, 4, 2, IN_C_RS2, true, false, false},
    {"c.sdsp", 0xe002, 0xe003, 8, 2, IN_C_RS2, true, false, false},
};

static unsigned listed_reg(const struct listed *row, uint32_t insn)
{
    switch (row->where) {
    case IN_RD: return insn >> 7 & 31;
    case IN_RS2: return insn >> 20 & 31;
    case IN_C_RD: return insn >> 7 & 31;
    case IN_C_RS2: return insn >> 2 & 31;
    default: return 8 + (insn >> 2 & 7);
    }
}

static const struct listed *find(uint32_t insn)
{
    for (size_t i = 0; i < ARRAY_SIZE(listing); i++) {
        const struct listed *row = &listing[i];

        if ((insn & row->mask) != row->match)
            continue;
        /* rd = x0 is reserved in c.lwsp and c.ldsp. */
        if (row->where == IN_C_RD && !row->fp && listed_reg(row, insn) == 0)
            return NULL;
        return row;
    }
    return NULL;
}

static bool agrees(const struct listed *row, uint32_t insn, bool decoded,
                   const struct riscv_access *access)
{
    if (row == NULL)
        return !decoded;
    return decoded && access->width == row->width &&
           access->length == row->length && access->store == row->store &&
           access->is_fp == row->fp && access->sign_extend == row->sign &&
           access->reg == listed_reg(row, insn);
}

static bool decode(uint32_t insn, struct riscv_access *access)
{
    bool store = (insn & INSN_OPCODE_STORE) != 0;

    return riscv_decode_htinst(riscv_transform_insn(insn, store), access);
}

static void expect_agreement(uint32_t insn, unsigned *wrong)
{
    struct riscv_access access;
    bool decoded = decode(insn, &access);
    const struct listed *row = find(insn);

    if (agrees(row, insn, decoded, &access))
        return;
    if ((*wrong)++ < 10)
        cr_expect_fail("0x%08x is %s", insn, row ? row->name : "no access");
}

Test(insn, every_compressed_encoding)
{
    unsigned wrong = 0;

    for (uint32_t insn = 0; insn <= 0xffff; insn++) {
        if ((insn & 3) != 3) {
            expect_agreement(insn, &wrong);
            expect_agreement(insn | 0xdead0000, &wrong);
        }
    }
    cr_expect_eq(wrong, 0);
}

/* All opcodes, all of funct3, all registers; the rest of the fields all 0, all
 * 1 and mixed. */
Test(insn, every_full_opcode)
{
    unsigned wrong = 0;

    for (uint32_t low = 3; low <= 0x7fff; low += 4) {
        for (uint32_t rs2 = 0; rs2 < 32; rs2++) {
            expect_agreement(low | rs2 << 20, &wrong);
            expect_agreement(low | rs2 << 20 | 0xfe0f8000, &wrong);
            expect_agreement(low | rs2 << 20 | 0x02010000, &wrong);
        }
    }
    cr_expect_eq(wrong, 0);
}

/* What the hardware puts into htinst for an instruction: the manual's section
 * on transformed instructions, for every load and store. */
static uint32_t expand(const struct listed *row, uint32_t insn)
{
    unsigned reg = listed_reg(row, insn);
    uint32_t funct3 = row->width == 1   ? 0
                      : row->width == 2 ? 1
                      : row->width == 4 ? 2
                                        : 3;
    uint32_t opcode = (row->store ? 0x23u : 0x03u) | (row->fp ? 4u : 0u);

    if (!row->store && !row->fp && !row->sign && row->width < 8)
        funct3 |= 4;
    return opcode | funct3 << 12 | (row->store ? reg << 20 : reg << 7);
}

Test(insn, htinst_says_the_same_as_the_instruction)
{
    for (size_t i = 0; i < ARRAY_SIZE(listing); i++) {
        const struct listed *row = &listing[i];

        for (uint32_t reg = 1; reg < 32; reg++) {
            uint32_t insn =
                row->match | (row->where == IN_RD      ? reg << 7
                              : row->where == IN_RS2   ? reg << 20
                              : row->where == IN_C_RD  ? reg << 7
                              : row->where == IN_C_RS2 ? reg << 2
                                                       : (reg & 7) << 2);
            uint32_t htinst = expand(row, insn);
            struct riscv_access from_insn, from_htinst, fast;

            if (row->length == 2)
                htinst &= ~UINT32_C(2);
            cr_assert(decode(insn, &from_insn), "%s", row->name);
            cr_assert(riscv_decode_htinst(htinst, &from_htinst), "%s",
                      row->name);
            cr_expect(agrees(row, insn, true, &from_insn), "%s", row->name);
            cr_expect(agrees(row, insn, true, &from_htinst), "%s", row->name);
            bool usual = !row->fp && row->length == 4;
            cr_expect_eq(riscv_decode_integer_insn(insn, row->store, &fast),
                         usual, "%s", row->name);
            if (usual)
                cr_expect(agrees(row, insn, true, &fast), "%s", row->name);
            cr_expect_not(riscv_decode_integer_insn(insn, !row->store, &fast),
                          "%s", row->name);
        }
    }
}

Test(insn, what_htinst_says_of_nothing_a_device_can_answer)
{
    static const struct {
        uint64_t htinst;
        const char *what;
    } rows[] = {
        {0, "nothing"},
        {0x3000, "a page-table read"},
        {0x3020, "a page-table write"},
        {0x2000, "a page-table read of 32 bits"},
        {0x0000a003, "the second part of a misaligned load"},
        {0x000fa023, "a later part of a misaligned store"},
        {0x7003, "a load of funct3 7"},
        {0x4023, "a store of funct3 4"},
        {0x1007, "a half-precision load"},
        {0x0007, "a vector load"},
        {0x4007, "a quad-precision load"},
        {0x5007, "a vector load"},
        {0x202f, "an AMO"},
        {0x1000202f, "an LR"},
        {0x1800202f, "an SC"},
        {0x200f, "a CBO"},
        {0x73, "a SYSTEM instruction"},
        {UINT64_C(0x100002003), "a register wider than an instruction"},
        {UINT64_MAX, "all ones"},
    };

    for_each_row (i, rows) {
        struct riscv_access access;

        cr_expect_not(riscv_decode_htinst(rows[i].htinst, &access), "%s",
                      rows[i].what);
    }
    cr_expect(riscv_htinst_is_implicit(0x3000));
    cr_expect(riscv_htinst_is_implicit(0x3020));
    cr_expect_not(riscv_htinst_is_implicit(0));
    cr_expect_not(riscv_htinst_is_implicit(0x2003));
    cr_expect(riscv_htinst_is_implicit_write(0x3020));
    cr_expect_not(riscv_htinst_is_implicit_write(0x3000));
}
