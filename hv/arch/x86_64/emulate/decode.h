/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86 instructions, decoded: those that guests use on devices, and those that
 * a hypervisor intercepts, of which it may have to know the length. Intel SDM
 * volume 2, chapters 2 "Instruction Format" and appendix A "Opcode Map"; AMD
 * APM volume 3, chapter 1 and appendix A.
 *
 * Decoding is pure: bytes and the code segment's size in, struct x86_insn out.
 */
#ifndef ARCH_X86_64_EMULATE_DECODE_H
#define ARCH_X86_64_EMULATE_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/emulate/ops.h"
#include "arch/x86_64/regs.h"
#include "lib/compiler.h"

/* Longer instructions raise #GP(0) (SDM volume 2, section 2.3.11). */
#define X86_INSN_MAX 15

/* What the code segment's L and D bits say; real mode is 16-bit code. */
enum x86_mode { X86_MODE_16, X86_MODE_32, X86_MODE_64 };

/* Besides general registers, enum x86_gpr. */
enum {
    X86_RIP = X86_GPR_COUNT, /* as a base only */
    X86_NO_REG
};

/* Segment registers, as encoded. */
enum {
    X86_ES,
    X86_CS,
    X86_SS,
    X86_DS,
    X86_FS,
    X86_GS,
    X86_SEGMENTS,
};

enum x86_operand_kind {
    X86_OPERAND_NONE,
    X86_OPERAND_GPR,
    X86_OPERAND_HIGH,   /* AH, CH, DH, BH: bits 15:8 of `reg` */
    X86_OPERAND_MEMORY, /* segment:[base + index * scale + displacement] */
    X86_OPERAND_IMMEDIATE,
    X86_OPERAND_SEGMENT,
    X86_OPERAND_CONTROL,
    X86_OPERAND_DEBUG,
    X86_OPERAND_XMM,
    X86_OPERAND_MMX,
    X86_OPERAND_SI, /* segment:[rSI], of string instructions */
    X86_OPERAND_DI, /* ES:[rDI] */
};

/* `size` is in bytes; 0 where the instruction only names an address. */
struct x86_operand {
    uint8_t kind;
    uint8_t size;
    uint8_t reg;
};

enum x86_repeat { X86_REPEAT_NONE, X86_REPEAT_REPNE, X86_REPEAT_REP };

struct x86_insn {
    uint8_t length; /* bytes, prefixes included */
    uint8_t op;     /* enum x86_op */
    uint8_t mode;
    uint8_t operand_size; /* bytes: 2, 4, 8 */
    uint8_t address_size; /* bytes: 2, 4, 8 */
    uint8_t repeat;       /* F2 or F3, whichever came last */
    bool lock;
    uint8_t segment; /* of the memory operand, or of rSI */
    uint8_t base;    /* X86_RIP: the next instruction's address; X86_NO_REG */
    uint8_t index;   /* X86_NO_REG: none */
    uint8_t scale;   /* 1, 2, 4, 8 */
    bool is_vector;  /* needs the SSE or MMX state */
    bool is_aligned; /* the memory operand must be aligned to its size */
    struct x86_operand operand[2]; /* the first is the destination */
    int64_t displacement;
    uint64_t immediate; /* extended as the instruction prescribes */
};

enum x86_decoded {
    X86_DECODED,
    X86_DECODE_UNKNOWN,   /* not in the tables */
    X86_DECODE_INVALID,   /* raises #UD, whatever the state */
    X86_DECODE_TRUNCATED, /* the bytes given end before the instruction */
    X86_DECODE_TOO_LONG,  /* raises #GP(0) */
};

/*
 * Decodes the instruction at the start of `bytes`, of which `available` are
 * known; more than X86_INSN_MAX are not looked at. `insn` is written in any
 * case, and means something after X86_DECODED only.
 */
enum x86_decoded x86_decode_insn(const uint8_t *bytes, unsigned available,
                                 enum x86_mode mode,
                                 struct x86_insn *insn) MUST_CHECK;

/* Whether `byte` is a prefix in 64-bit mode: in others REX is instructions. */
bool x86_is_prefix(uint8_t byte);

/* The manual's name, in lower case. */
const char *x86_op_name(enum x86_op op);

#endif
