/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes loads and stores; see insn.h.
 *
 * Not here: AMO, LR and SC (a device has no reservation, and cannot read and
 * write in one access), vector loads and stores, half-precision. They get
 * what bare hardware gives for memory without the attribute: an access fault.
 */
#include "arch/riscv64/insn.h"

#define LOAD(w, sign)                       \
    {                                       \
        .width = (w), .sign_extend = (sign) \
    }
#define STORE(w)                    \
    {                               \
        .width = (w), .store = true \
    }
#define FP_LOAD(w)                  \
    {                               \
        .width = (w), .is_fp = true \
    }
#define FP_STORE(w)                                \
    {                                              \
        .width = (w), .is_fp = true, .store = true \
    }

const struct riscv_access_row riscv_access_rows[32] = {
    [INSN_ROW(0, 0, 0)] = LOAD(1, true),  /* LB */
    [INSN_ROW(0, 0, 1)] = LOAD(2, true),  /* LH */
    [INSN_ROW(0, 0, 2)] = LOAD(4, true),  /* LW */
    [INSN_ROW(0, 0, 3)] = LOAD(8, false), /* LD */
    [INSN_ROW(0, 0, 4)] = LOAD(1, false), /* LBU */
    [INSN_ROW(0, 0, 5)] = LOAD(2, false), /* LHU */
    [INSN_ROW(0, 0, 6)] = LOAD(4, false), /* LWU */
    [INSN_ROW(0, 1, 2)] = FP_LOAD(4),     /* FLW */
    [INSN_ROW(0, 1, 3)] = FP_LOAD(8),     /* FLD */
    [INSN_ROW(1, 0, 0)] = STORE(1),       /* SB */
    [INSN_ROW(1, 0, 1)] = STORE(2),       /* SH */
    [INSN_ROW(1, 0, 2)] = STORE(4),       /* SW */
    [INSN_ROW(1, 0, 3)] = STORE(8),       /* SD */
    [INSN_ROW(1, 1, 2)] = FP_STORE(4),    /* FSW */
    [INSN_ROW(1, 1, 3)] = FP_STORE(8),    /* FSD */
};

/* Compressed instructions: quadrant 0 is relative to a register, quadrant 2
 * to the stack pointer; both have the same rows by funct3. */
#define C_QUADRANT BIT_MASK(1, 0)
#define C_FUNCT3   BIT_MASK(15, 13)
#define C_REG      BIT_MASK(4, 2) /* of quadrant 0: x8 to x15 */
#define C_REG_BASE 8
#define C_SP_RD    BIT_MASK(11, 7) /* of quadrant 2's loads */
#define C_SP_RS2   BIT_MASK(6, 2)  /* and stores */

/* What they expand to: opcode and funct3, with the bit clear that says that
 * the instruction was a compressed one. */
static const uint16_t expansions[8] = {
    [1] = 0x3005, /* C.FLD, C.FLDSP: FLD */
    [2] = 0x2001, /* C.LW, C.LWSP: LW */
    [3] = 0x3001, /* C.LD, C.LDSP: LD */
    [5] = 0x3025, /* C.FSD, C.FSDSP: FSD */
    [6] = 0x2021, /* C.SW, C.SWSP: SW */
    [7] = 0x3021, /* C.SD, C.SDSP: SD */
};

static uint64_t compressed_reg(uint64_t insn, bool store)
{
    if ((insn & C_QUADRANT) == 0)
        return C_REG_BASE + FIELD_GET(C_REG, insn);
    return store ? FIELD_GET(C_SP_RS2, insn) : FIELD_GET(C_SP_RD, insn);
}

uint64_t riscv_transform_compressed(uint64_t insn)
{
    uint64_t expansion = expansions[FIELD_GET(C_FUNCT3, insn)];
    bool store = (expansion & INSN_OPCODE_STORE) != 0;
    uint64_t reg = compressed_reg(insn, store);

    if ((insn & C_QUADRANT) == 1 || expansion == 0)
        return 0;
    /* C.LWSP and C.LDSP to x0 are reserved. */
    if (reg == 0 && (expansion & (INSN_OPCODE_STORE | INSN_OPCODE_FP)) == 0)
        return 0;
    return expansion |
           (store ? FIELD_PUT(INSN_RS2, reg) : FIELD_PUT(INSN_RD, reg));
}
