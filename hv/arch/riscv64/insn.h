/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores, as far as a device can answer them. RISC-V Unprivileged
 * ISA, chapters RV64I, F, D and "C"; for htinst, Privileged Architecture 1.12,
 * section 8.6.3 "Transformed Instruction or Pseudoinstruction for mtinst or
 * htinst".
 */
#ifndef ARCH_RISCV64_INSN_H
#define ARCH_RISCV64_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bits.h"
#include "lib/compiler.h"

/* A load or a store: how many bytes, from or to which register. */
struct riscv_access {
    uint8_t width;  /* bytes of memory */
    uint8_t reg;    /* destination of a load, source of a store */
    uint8_t length; /* bytes of the instruction */
    bool store;
    bool is_fp;       /* `reg` is a floating-point register */
    bool sign_extend; /* an integer load that extends with the sign */
};

/* What an encoding means; a width of 0: it is no load or store. */
struct riscv_access_row {
    uint8_t width;
    bool store;
    bool is_fp;
    bool sign_extend;
};

/*
 * 32-bit instructions. LOAD, LOAD-FP, STORE and STORE-FP differ in two bits of
 * the opcode; the rows are by those two and funct3.
 */
#define INSN_LENGTH       BIT_MASK(1, 0)
#define INSN_LENGTH_FULL  3
#define INSN_OPCODE       BIT_MASK(6, 0)
#define INSN_OPCODE_LOAD  0x03
#define INSN_OPCODE_FP    BIT(2)
#define INSN_OPCODE_STORE BIT(5)
#define INSN_FUNCT3       BIT_MASK(14, 12)
#define INSN_RD           BIT_MASK(11, 7)
#define INSN_RS1          BIT_MASK(19, 15)
#define INSN_RS2          BIT_MASK(24, 20)
#define INSN_LOAD_FIELDS  (INSN_OPCODE | INSN_FUNCT3 | INSN_RD)
#define INSN_STORE_FIELDS (INSN_OPCODE | INSN_FUNCT3 | INSN_RS2)

#define INSN_ROW(store, fp, funct3) ((store) << 4 | (fp) << 3 | (funct3))
extern const struct riscv_access_row riscv_access_rows[32];

/*
 * The access of a 32-bit instruction that has one of the four opcodes, which
 * `store` and `fp`, 0 or 1, tell. Its width may be 0.
 */
static inline struct riscv_access riscv_access_of(uint64_t insn, uint64_t store,
                                                  uint64_t fp, unsigned length)
{
    const struct riscv_access_row *row =
        &riscv_access_rows[INSN_ROW(store, fp, FIELD_GET(INSN_FUNCT3, insn))];

    return (struct riscv_access){
        .width = row->width,
        .reg = (uint8_t)(store != 0 ? FIELD_GET(INSN_RS2, insn)
                                    : FIELD_GET(INSN_RD, insn)),
        .length = (uint8_t)length,
        .store = store != 0,
        .is_fp = fp != 0,
        .sign_extend = row->sign_extend,
    };
}

/*
 * htinst. Bit 0 tells a transformed instruction from a pseudoinstruction. Bit
 * 1 clear says that the instruction was compressed; the rest of it is the
 * 32-bit instruction that it expands to. The field of rs1 counts how far the
 * faulting address is behind the access's start.
 */
#define HTINST_TRANSFORMED    BIT(0)
#define HTINST_FULL           BIT(1)
#define HTINST_OFFSET         INSN_RS1
#define HTINST_IMPLICIT_READ  UINT64_C(0x3000)
#define HTINST_IMPLICIT_WRITE UINT64_C(0x3020)

/* What is the same in all loads and stores that are aligned. */
#define HTINST_FIXED                                                       \
    ((INSN_OPCODE & ~(INSN_OPCODE_FP | INSN_OPCODE_STORE | HTINST_FULL)) | \
     HTINST_OFFSET | BIT_MASK(63, 32))

static inline unsigned riscv_htinst_length(uint64_t htinst)
{
    return 2 + (unsigned)(htinst & HTINST_FULL);
}

/*
 * Decodes htinst. False also for 0, for the pseudoinstructions of implicit
 * accesses, and for a later part of a misaligned access.
 */
static inline bool riscv_decode_htinst(uint64_t htinst,
                                       struct riscv_access *access)
{
    if ((htinst & HTINST_FIXED) != (INSN_OPCODE_LOAD & HTINST_FIXED))
        return false;
    *access = riscv_access_of(htinst, FIELD_GET(INSN_OPCODE_STORE, htinst),
                              FIELD_GET(INSN_OPCODE_FP, htinst),
                              riscv_htinst_length(htinst));
    return access->width != 0;
}

/* The same for an instruction of 32 bits, if it is an integer store, or load.
 */
static inline bool riscv_decode_integer_insn(uint64_t insn, bool store,
                                             struct riscv_access *access)
{
    uint64_t opcode = INSN_OPCODE_LOAD | (store ? INSN_OPCODE_STORE : 0);

    if ((insn & INSN_OPCODE) != opcode)
        return false;
    *access = riscv_access_of(insn, store, 0, 4);
    return access->width != 0;
}

/*
 * What htinst would say of `insn`, taken for a store or for a load: if it is
 * the other, or neither, decoding the result refuses it. The upper half is
 * ignored when the lower one is a compressed instruction.
 */
uint64_t riscv_transform_compressed(uint64_t insn);

static inline uint64_t riscv_transform_insn(uint64_t insn, bool store)
{
    if (unlikely((insn & INSN_LENGTH) != INSN_LENGTH_FULL))
        return riscv_transform_compressed(insn);
    return insn & (store ? INSN_STORE_FIELDS : INSN_LOAD_FIELDS);
}

/* Whether htinst tells of a page-table access of the VS-stage, and whether
 * that was a write. */
static inline bool riscv_htinst_is_implicit(uint64_t htinst)
{
    return (htinst & ~(HTINST_IMPLICIT_READ ^ HTINST_IMPLICIT_WRITE)) ==
           HTINST_IMPLICIT_READ;
}

static inline bool riscv_htinst_is_implicit_write(uint64_t htinst)
{
    return htinst == HTINST_IMPLICIT_WRITE;
}

#endif
