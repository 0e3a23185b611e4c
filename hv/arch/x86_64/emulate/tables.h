/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opcode maps: a row per opcode, in the notation of the manuals' opcode
 * maps (Intel SDM volume 2, appendix A.2; AMD APM volume 3, appendix A).
 */
#ifndef ARCH_X86_64_EMULATE_TABLES_H
#define ARCH_X86_64_EMULATE_TABLES_H

#include <stdint.h>

#include "arch/x86_64/emulate/ops.h"

/* Where an operand is. */
enum x86_place {
    PLACE_NONE,
    PLACE_RM,          /* ModRM.rm: a general register, or memory */
    PLACE_REG,         /* ModRM.reg: a general register */
    PLACE_OPCODE,      /* a general register in the opcode's bits 2:0 */
    PLACE_ACCUMULATOR, /* AL, AX, EAX, RAX */
    PLACE_DX,
    PLACE_IMMEDIATE,
    PLACE_SIGNED_BYTE, /* an immediate byte, extended with its sign */
    PLACE_OFFSET,      /* memory at an address that follows the opcode */
    PLACE_SI,
    PLACE_DI,
    PLACE_SEGMENT, /* ModRM.reg: a segment register */
    PLACE_CONTROL,
    PLACE_DEBUG,
    PLACE_XMM_RM, /* ModRM.rm: an XMM register, or memory */
    PLACE_XMM_REG,
    PLACE_MMX_RM,
    PLACE_MMX_REG,
};

/* Sizes that depend on prefixes and mode; others are numbers of bytes. */
enum {
    SIZE_V = 32,  /* the operand size */
    SIZE_Z,       /* the operand size, 4 bytes at most */
    SIZE_Y,       /* 8 bytes with REX.W, else 4 */
    SIZE_NATURAL, /* 8 bytes in 64-bit mode, else 4 */
    SIZE_MV,      /* 2 bytes of memory, a register of the operand size */
};

/* The manuals' names: place, size. */
#define X86_OPERAND_TYPES(X)           \
    X(None, PLACE_NONE, 0)             \
    X(Eb, PLACE_RM, 1)                 \
    X(Ew, PLACE_RM, 2)                 \
    X(Ev, PLACE_RM, SIZE_V)            \
    X(Ey, PLACE_RM, SIZE_Y)            \
    X(Ez, PLACE_RM, SIZE_Z)            \
    X(MwRv, PLACE_RM, SIZE_MV)         \
    X(M, PLACE_RM, 0)                  \
    X(Mq, PLACE_RM, 8)                 \
    X(Mdq, PLACE_RM, 16)               \
    X(Rnat, PLACE_RM, SIZE_NATURAL)    \
    X(Gb, PLACE_REG, 1)                \
    X(Gv, PLACE_REG, SIZE_V)           \
    X(Gy, PLACE_REG, SIZE_Y)           \
    X(Gnat, PLACE_REG, SIZE_NATURAL)   \
    X(Zb, PLACE_OPCODE, 1)             \
    X(Zv, PLACE_OPCODE, SIZE_V)        \
    X(AL, PLACE_ACCUMULATOR, 1)        \
    X(rAX, PLACE_ACCUMULATOR, SIZE_V)  \
    X(eAX, PLACE_ACCUMULATOR, SIZE_Z)  \
    X(DX, PLACE_DX, 2)                 \
    X(Ib, PLACE_IMMEDIATE, 1)          \
    X(Ibs, PLACE_SIGNED_BYTE, SIZE_V)  \
    X(Iv, PLACE_IMMEDIATE, SIZE_V)     \
    X(Iz, PLACE_IMMEDIATE, SIZE_Z)     \
    X(Ob, PLACE_OFFSET, 1)             \
    X(Ov, PLACE_OFFSET, SIZE_V)        \
    X(Xb, PLACE_SI, 1)                 \
    X(Xv, PLACE_SI, SIZE_V)            \
    X(Xz, PLACE_SI, SIZE_Z)            \
    X(Yb, PLACE_DI, 1)                 \
    X(Yv, PLACE_DI, SIZE_V)            \
    X(Yz, PLACE_DI, SIZE_Z)            \
    X(Sw, PLACE_SEGMENT, 2)            \
    X(Cd, PLACE_CONTROL, SIZE_NATURAL) \
    X(Dd, PLACE_DEBUG, SIZE_NATURAL)   \
    X(Vd, PLACE_XMM_REG, 4)            \
    X(Vq, PLACE_XMM_REG, 8)            \
    X(Vdq, PLACE_XMM_REG, 16)          \
    X(Wd, PLACE_XMM_RM, 4)             \
    X(Wq, PLACE_XMM_RM, 8)             \
    X(Wdq, PLACE_XMM_RM, 16)           \
    X(Pd, PLACE_MMX_REG, 4)            \
    X(Pq, PLACE_MMX_REG, 8)            \
    X(Qq, PLACE_MMX_RM, 8)

enum x86_operand_type {
#define X(name, place, size) X86_TYPE_##name,
    X86_OPERAND_TYPES(X)
#undef X
};

struct x86_operand_type_row {
    uint8_t place;
    uint8_t size;
};

extern const struct x86_operand_type_row x86_operand_types[];

/* Properties of an opcode. A row whose KNOWN is clear is no instruction of
 * ours. */
enum {
    X86_KNOWN = 1 << 0,
    X86_MODRM = 1 << 1,    /* a ModRM byte follows */
    X86_LOCKABLE = 1 << 2, /* LOCK is allowed if the destination is memory */
    X86_WIDE = 1 << 3,     /* in 64-bit mode the operand size is 64, or 16 */
    X86_NOT_64 = 1 << 4,   /* #UD in 64-bit mode */
    X86_ONLY_64 = 1 << 5,  /* something else in other modes */
    X86_MEMORY = 1 << 6,   /* of the register form the tables know nothing */
    X86_NO_MOD = 1 << 7,   /* ModRM.mod is ignored, and taken for 3 */
    X86_VECTOR = 1 << 8,
    X86_ALIGNED = 1 << 9,
    X86_BY_REG = 1 << 10,    /* `op` is a group: rows by ModRM.reg */
    X86_BY_PREFIX = 1 << 11, /* `op` is a group: rows by mandatory prefix */
    X86_BY_MODRM = 1 << 12,  /* group 7: its register forms have own opcodes */
};

struct x86_opcode {
    uint8_t op;      /* enum x86_op, or the number of a group */
    uint8_t type[2]; /* enum x86_operand_type */
    uint16_t flags;
};

/* Indices of a BY_PREFIX group. */
enum { X86_PREFIX_NONE, X86_PREFIX_66, X86_PREFIX_F3, X86_PREFIX_F2 };

extern const struct x86_opcode x86_map_one[256];
extern const struct x86_opcode x86_map_0f[256];
extern const struct x86_opcode x86_map_0f38[256];
extern const struct x86_opcode x86_groups[][8];
extern const struct x86_opcode x86_prefix_groups[][4];
extern const struct x86_opcode x86_group7_registers[64];

#endif
