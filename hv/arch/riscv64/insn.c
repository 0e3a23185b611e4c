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
#define C_FULL     3 /* the "quadrant" of 32-bit instructions */
#define C_FUNCT3   BIT_MASK(15, 13)
#define C_REG      BIT_MASK(4, 2) /* of quadrant 0: x8 to x15 */
#define C_REG_BASE 8
#define C_SP_RD    BIT_MASK(11, 7) /* of quadrant 2's loads */
#define C_SP_RS2   BIT_MASK(6, 2)  /* and stores */

static const struct riscv_access_row compressed_rows[8] = {
    [1] = FP_LOAD(8),     /* C.FLD, C.FLDSP */
    [2] = LOAD(4, true),  /* C.LW, C.LWSP */
    [3] = LOAD(8, false), /* C.LD, C.LDSP */
    [5] = FP_STORE(8),    /* C.FSD, C.FSDSP */
    [6] = STORE(4),       /* C.SW, C.SWSP */
    [7] = STORE(8),       /* C.SD, C.SDSP */
};

static uint64_t compressed_reg(uint32_t insn, bool store)
{
    if ((insn & C_QUADRANT) == 0)
        return C_REG_BASE + FIELD_GET(C_REG, insn);
    return store ? FIELD_GET(C_SP_RS2, insn) : FIELD_GET(C_SP_RD, insn);
}

static bool decode_compressed(uint32_t insn, struct riscv_access *access)
{
    const struct riscv_access_row *row =
        &compressed_rows[FIELD_GET(C_FUNCT3, insn)];
    uint64_t reg = compressed_reg(insn, row->store);

    if ((insn & C_QUADRANT) == 1)
        return false;
    /* C.LWSP and C.LDSP to x0 are reserved. */
    if (reg == 0 && !row->store && !row->is_fp)
        return false;
    *access = (struct riscv_access){
        .width = row->width,
        .reg = (uint8_t)reg,
        .length = 2,
        .store = row->store,
        .is_fp = row->is_fp,
        .sign_extend = row->sign_extend,
    };
    return row->width != 0;
}

bool riscv_decode_insn(uint32_t insn, struct riscv_access *access)
{
    const uint64_t fixed = INSN_OPCODE & ~(INSN_OPCODE_STORE | INSN_OPCODE_FP);

    if ((insn & C_QUADRANT) != C_FULL)
        return decode_compressed(insn, access);
    if ((insn & fixed) != INSN_OPCODE_LOAD)
        return false;
    *access = riscv_access_of(insn, FIELD_GET(INSN_OPCODE_STORE, insn),
                              FIELD_GET(INSN_OPCODE_FP, insn), 4);
    return access->width != 0;
}
