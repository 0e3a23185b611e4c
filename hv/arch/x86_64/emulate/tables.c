/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opcode maps; see tables.h. Not here: what works on registers only and is
 * never intercepted, x87, AVX (VEX and EVEX prefixes), and what changes the
 * flow of control.
 */
#include "arch/x86_64/emulate/tables.h"

const struct x86_operand_type_row x86_operand_types[] = {
#define X(name, place, size) {place, size},
    X86_OPERAND_TYPES(X)
#undef X
};

/* A row: instruction, two operands, flags. M of OPM: with a ModRM byte. */
#define OP(name, a, b, more)                         \
    {                                                \
        X86_OP_##name, {X86_TYPE_##a, X86_TYPE_##b}, \
            (uint16_t)(X86_KNOWN | (more))           \
    }
#define OPM(name, a, b, more) OP(name, a, b, X86_MODRM | (more))
#define BARE(name)            OP(name, None, None, 0)
#define VEC(name, a, b, more) OPM(name, a, b, X86_VECTOR | (more))
#define GROUP(number, a, b, more)                                   \
    {                                                               \
        number, {X86_TYPE_##a, X86_TYPE_##b},                       \
            (uint16_t)(X86_KNOWN | X86_MODRM | X86_BY_REG | (more)) \
    }
#define BY_PREFIX(number)                                     \
    {                                                         \
        number, {0, 0}, X86_KNOWN | X86_MODRM | X86_BY_PREFIX \
    }

/* Groups by ModRM.reg. A row without operands has those of the opcode. */
enum {
    GROUP_1,
    GROUP_1A,
    GROUP_3_BYTE,
    GROUP_3,
    GROUP_4,
    GROUP_5,
    GROUP_6,
    GROUP_7,
    GROUP_8,
    GROUP_9,
    GROUP_11,
};

#define INHERIT(name, more) OPM(name, None, None, more)

const struct x86_opcode x86_groups[][8] = {
    [GROUP_1] = {INHERIT(add, X86_LOCKABLE), INHERIT(or, X86_LOCKABLE),
                 INHERIT(adc, X86_LOCKABLE), INHERIT(sbb, X86_LOCKABLE),
                 INHERIT(and, X86_LOCKABLE), INHERIT(sub, X86_LOCKABLE),
                 INHERIT(xor, X86_LOCKABLE), INHERIT(cmp, 0)},
    [GROUP_1A] = {INHERIT(pop, X86_WIDE)},
    [GROUP_3_BYTE] = {OPM(test, Eb, Ib, 0), OPM(test, Eb, Ib, 0),
                      INHERIT(not, X86_LOCKABLE), INHERIT(neg, X86_LOCKABLE)},
    [GROUP_3] = {OPM(test, Ev, Iz, 0), OPM(test, Ev, Iz, 0),
                 INHERIT(not, X86_LOCKABLE), INHERIT(neg, X86_LOCKABLE)},
    [GROUP_4] = {INHERIT(inc, X86_LOCKABLE), INHERIT(dec, X86_LOCKABLE)},
    [GROUP_5] = {INHERIT(inc, X86_LOCKABLE),
                 INHERIT(dec, X86_LOCKABLE), [6] = INHERIT(push, X86_WIDE)},
    [GROUP_6] = {OPM(sldt, MwRv, None, 0), OPM(str, MwRv, None, 0),
                 OPM(lldt, Ew, None, 0), OPM(ltr, Ew, None, 0)},
    [GROUP_7] = {OPM(sgdt, M, None, X86_MEMORY),
                 OPM(sidt, M, None, X86_MEMORY),
                 OPM(lgdt, M, None, X86_MEMORY),
                 OPM(lidt, M, None, X86_MEMORY),
                 OPM(smsw, MwRv, None, 0),
                 {0},
                 OPM(lmsw, Ew, None, 0),
                 OPM(invlpg, M, None, X86_MEMORY)},
    [GROUP_8] = {[4] = INHERIT(bt, 0),
                 INHERIT(bts, X86_LOCKABLE),
                 INHERIT(btr, X86_LOCKABLE),
                 INHERIT(btc, X86_LOCKABLE)},
    [GROUP_9] = {[1] = OPM(cmpxchg8b, Mq, None, X86_LOCKABLE | X86_MEMORY)},
    [GROUP_11] = {INHERIT(mov, 0)},
};

/* Group 7 with ModRM.mod of 3, by the rest of the ModRM byte. */
const struct x86_opcode x86_group7_registers[64] = {
    [0x01] = BARE(vmcall),  [0x08] = BARE(monitor),
    [0x09] = BARE(mwait),   [0x10] = BARE(xgetbv),
    [0x11] = BARE(xsetbv),  [0x18] = BARE(vmrun),
    [0x19] = BARE(vmmcall), [0x1a] = BARE(vmload),
    [0x1b] = BARE(vmsave),  [0x1c] = BARE(stgi),
    [0x1d] = BARE(clgi),    [0x1e] = BARE(skinit),
    [0x1f] = BARE(invlpga), [0x38] = OP(swapgs, None, None, X86_ONLY_64),
    [0x39] = BARE(rdtscp),  [0x3a] = BARE(monitorx),
    [0x3b] = BARE(mwaitx),  [0x3c] = BARE(clzero),
    [0x3d] = BARE(rdpru),
};

/* Groups by mandatory prefix: none, 66, F3, F2. */
enum {
    PREFIX_0F10,
    PREFIX_0F11,
    PREFIX_0F12,
    PREFIX_0F13,
    PREFIX_0F16,
    PREFIX_0F17,
    PREFIX_0F28,
    PREFIX_0F29,
    PREFIX_0F2B,
    PREFIX_0F6E,
    PREFIX_0F6F,
    PREFIX_0F7E,
    PREFIX_0F7F,
    PREFIX_0FC3,
    PREFIX_0FD6,
    PREFIX_0FE7,
    PREFIX_0FF0,
    PREFIX_0F382A,
    PREFIX_0F3882,
    PREFIX_0F38F0,
    PREFIX_0F38F1,
};

const struct x86_opcode x86_prefix_groups[][4] = {
    [PREFIX_0F10] = {VEC(movups, Vdq, Wdq, 0), VEC(movupd, Vdq, Wdq, 0),
                     VEC(movss, Vd, Wd, 0), VEC(movsd, Vq, Wq, 0)},
    [PREFIX_0F11] = {VEC(movups, Wdq, Vdq, 0), VEC(movupd, Wdq, Vdq, 0),
                     VEC(movss, Wd, Vd, 0), VEC(movsd, Wq, Vq, 0)},
    [PREFIX_0F12] = {VEC(movlps, Vq, Wq, X86_MEMORY),
                     VEC(movlpd, Vq, Wq, X86_MEMORY)},
    [PREFIX_0F13] = {VEC(movlps, Wq, Vq, X86_MEMORY),
                     VEC(movlpd, Wq, Vq, X86_MEMORY)},
    [PREFIX_0F16] = {VEC(movhps, Vq, Wq, X86_MEMORY),
                     VEC(movhpd, Vq, Wq, X86_MEMORY)},
    [PREFIX_0F17] = {VEC(movhps, Wq, Vq, X86_MEMORY),
                     VEC(movhpd, Wq, Vq, X86_MEMORY)},
    [PREFIX_0F28] = {VEC(movaps, Vdq, Wdq, X86_ALIGNED),
                     VEC(movapd, Vdq, Wdq, X86_ALIGNED)},
    [PREFIX_0F29] = {VEC(movaps, Wdq, Vdq, X86_ALIGNED),
                     VEC(movapd, Wdq, Vdq, X86_ALIGNED)},
    [PREFIX_0F2B] = {VEC(movntps, Wdq, Vdq, X86_ALIGNED | X86_MEMORY),
                     VEC(movntpd, Wdq, Vdq, X86_ALIGNED | X86_MEMORY)},
    /* With REX.W these two are named MOVQ. */
    [PREFIX_0F6E] = {VEC(movd, Pq, Ey, 0), VEC(movd, Vdq, Ey, 0)},
    [PREFIX_0F6F] = {VEC(movq, Pq, Qq, 0), VEC(movdqa, Vdq, Wdq, X86_ALIGNED),
                     VEC(movdqu, Vdq, Wdq, 0)},
    [PREFIX_0F7E] = {VEC(movd, Ey, Pq, 0), VEC(movd, Ey, Vdq, 0),
                     VEC(movq, Vq, Wq, 0)},
    [PREFIX_0F7F] = {VEC(movq, Qq, Pq, 0), VEC(movdqa, Wdq, Vdq, X86_ALIGNED),
                     VEC(movdqu, Wdq, Vdq, 0)},
    [PREFIX_0FC3] = {OPM(movnti, Ey, Gy, X86_MEMORY)},
    [PREFIX_0FD6] = {{0}, VEC(movq, Wq, Vq, 0)},
    [PREFIX_0FE7] = {VEC(movntq, Qq, Pq, X86_MEMORY),
                     VEC(movntdq, Wdq, Vdq, X86_ALIGNED | X86_MEMORY)},
    [PREFIX_0FF0] = {[X86_PREFIX_F2] = VEC(lddqu, Vdq, Wdq, X86_MEMORY)},
    [PREFIX_0F382A] = {{0}, VEC(movntdqa, Vdq, Wdq, X86_ALIGNED | X86_MEMORY)},
    [PREFIX_0F3882] = {{0}, OPM(invpcid, Gnat, Mdq, X86_MEMORY)},
    /* 66 is MOVBE's operand size; with F2 it would be CRC32. */
    [PREFIX_0F38F0] = {OPM(movbe, Gv, Ev, X86_MEMORY),
                       OPM(movbe, Gv, Ev, X86_MEMORY)},
    [PREFIX_0F38F1] = {OPM(movbe, Ev, Gv, X86_MEMORY),
                       OPM(movbe, Ev, Gv, X86_MEMORY)},
};

/* The six forms of an ALU operation. */
#define ALU(base, name, lock)                                                 \
    [(base)] = OPM(name, Eb, Gb, lock),                                       \
    [(base) + 1] = OPM(name, Ev, Gv, lock),                                   \
    [(base) + 2] = OPM(name, Gb, Eb, 0), [(base) + 3] = OPM(name, Gv, Ev, 0), \
    [(base) + 4] = OP(name, AL, Ib, 0), [(base) + 5] = OP(name, rAX, Iz, 0)

/* An opcode that has a register in bits 2:0. */
#define EIGHT(base, row)                                        \
    [(base)] = row, [(base) + 1] = row, [(base) + 2] = row,     \
    [(base) + 3] = row, [(base) + 4] = row, [(base) + 5] = row, \
    [(base) + 6] = row, [(base) + 7] = row

const struct x86_opcode x86_map_one[256] = {
    ALU(0x00, add, X86_LOCKABLE),
    ALU(0x08, or, X86_LOCKABLE),
    ALU(0x10, adc, X86_LOCKABLE),
    ALU(0x18, sbb, X86_LOCKABLE),
    ALU(0x20, and, X86_LOCKABLE),
    ALU(0x28, sub, X86_LOCKABLE),
    ALU(0x30, xor, X86_LOCKABLE),
    ALU(0x38, cmp, 0),
    EIGHT(0x40, OP(inc, Zv, None, X86_NOT_64)), /* REX in 64-bit mode */
    EIGHT(0x48, OP(dec, Zv, None, X86_NOT_64)),
    EIGHT(0x50, OP(push, Zv, None, X86_WIDE)),
    EIGHT(0x58, OP(pop, Zv, None, X86_WIDE)),
    [0x63] = OPM(movsxd, Gv, Ez, X86_ONLY_64), /* ARPL elsewhere */
    [0x68] = OP(push, Iz, None, X86_WIDE),
    [0x6a] = OP(push, Ibs, None, X86_WIDE),
    [0x6c] = OP(ins, Yb, DX, 0),
    [0x6d] = OP(ins, Yz, DX, 0),
    [0x6e] = OP(outs, DX, Xb, 0),
    [0x6f] = OP(outs, DX, Xz, 0),
    [0x80] = GROUP(GROUP_1, Eb, Ib, 0),
    [0x81] = GROUP(GROUP_1, Ev, Iz, 0),
    [0x82] = GROUP(GROUP_1, Eb, Ib, X86_NOT_64),
    [0x83] = GROUP(GROUP_1, Ev, Ibs, 0),
    [0x84] = OPM(test, Eb, Gb, 0),
    [0x85] = OPM(test, Ev, Gv, 0),
    [0x86] = OPM(xchg, Eb, Gb, X86_LOCKABLE),
    [0x87] = OPM(xchg, Ev, Gv, X86_LOCKABLE),
    [0x88] = OPM(mov, Eb, Gb, 0),
    [0x89] = OPM(mov, Ev, Gv, 0),
    [0x8a] = OPM(mov, Gb, Eb, 0),
    [0x8b] = OPM(mov, Gv, Ev, 0),
    [0x8c] = OPM(mov_from_segment, MwRv, Sw, 0),
    [0x8e] = OPM(mov_to_segment, Sw, Ew, 0),
    [0x8f] = GROUP(GROUP_1A, Ev, None, 0),
    EIGHT(0x90, OP(xchg, Zv, rAX, 0)), /* 90 itself: see decode.c */
    [0x9c] = OP(pushf, None, None, X86_WIDE),
    [0x9d] = OP(popf, None, None, X86_WIDE),
    [0xa0] = OP(movabs, AL, Ob, 0),
    [0xa1] = OP(movabs, rAX, Ov, 0),
    [0xa2] = OP(movabs, Ob, AL, 0),
    [0xa3] = OP(movabs, Ov, rAX, 0),
    [0xa4] = OP(movs, Yb, Xb, 0),
    [0xa5] = OP(movs, Yv, Xv, 0),
    [0xa6] = OP(cmps, Xb, Yb, 0),
    [0xa7] = OP(cmps, Xv, Yv, 0),
    [0xa8] = OP(test, AL, Ib, 0),
    [0xa9] = OP(test, rAX, Iz, 0),
    [0xaa] = OP(stos, Yb, AL, 0),
    [0xab] = OP(stos, Yv, rAX, 0),
    [0xac] = OP(lods, AL, Xb, 0),
    [0xad] = OP(lods, rAX, Xv, 0),
    [0xae] = OP(scas, AL, Yb, 0),
    [0xaf] = OP(scas, rAX, Yv, 0),
    EIGHT(0xb0, OP(mov, Zb, Ib, 0)),
    EIGHT(0xb8, OP(mov, Zv, Iv, 0)),
    [0xc6] = GROUP(GROUP_11, Eb, Ib, 0),
    [0xc7] = GROUP(GROUP_11, Ev, Iz, 0),
    [0xcc] = BARE(int3),
    [0xcd] = OP(int, Ib, None, 0),
    [0xce] = OP(into, None, None, X86_NOT_64),
    [0xcf] = BARE(iret),
    [0xe4] = OP(in, AL, Ib, 0),
    [0xe5] = OP(in, eAX, Ib, 0),
    [0xe6] = OP(out, Ib, AL, 0),
    [0xe7] = OP(out, Ib, eAX, 0),
    [0xec] = OP(in, AL, DX, 0),
    [0xed] = OP(in, eAX, DX, 0),
    [0xee] = OP(out, DX, AL, 0),
    [0xef] = OP(out, DX, eAX, 0),
    [0xf1] = BARE(int1),
    [0xf4] = BARE(hlt),
    [0xf6] = GROUP(GROUP_3_BYTE, Eb, None, 0),
    [0xf7] = GROUP(GROUP_3, Ev, None, 0),
    [0xfe] = GROUP(GROUP_4, Eb, None, 0),
    [0xff] = GROUP(GROUP_5, Ev, None, 0),
};

const struct x86_opcode x86_map_0f[256] = {
    [0x00] = GROUP(GROUP_6, None, None, 0),
    [0x01] = GROUP(GROUP_7, None, None, X86_BY_MODRM),
    [0x06] = BARE(clts),
    [0x08] = BARE(invd),
    [0x09] = BARE(wbinvd),
    [0x10] = BY_PREFIX(PREFIX_0F10),
    [0x11] = BY_PREFIX(PREFIX_0F11),
    [0x12] = BY_PREFIX(PREFIX_0F12),
    [0x13] = BY_PREFIX(PREFIX_0F13),
    [0x16] = BY_PREFIX(PREFIX_0F16),
    [0x17] = BY_PREFIX(PREFIX_0F17),
    [0x20] = OPM(mov_control, Rnat, Cd, X86_NO_MOD),
    [0x21] = OPM(mov_debug, Rnat, Dd, X86_NO_MOD),
    [0x22] = OPM(mov_control, Cd, Rnat, X86_NO_MOD),
    [0x23] = OPM(mov_debug, Dd, Rnat, X86_NO_MOD),
    [0x28] = BY_PREFIX(PREFIX_0F28),
    [0x29] = BY_PREFIX(PREFIX_0F29),
    [0x2b] = BY_PREFIX(PREFIX_0F2B),
    [0x30] = BARE(wrmsr),
    [0x31] = BARE(rdtsc),
    [0x32] = BARE(rdmsr),
    [0x33] = BARE(rdpmc),
    [0x6e] = BY_PREFIX(PREFIX_0F6E),
    [0x6f] = BY_PREFIX(PREFIX_0F6F),
    [0x7e] = BY_PREFIX(PREFIX_0F7E),
    [0x7f] = BY_PREFIX(PREFIX_0F7F),
    [0xa2] = BARE(cpuid),
    [0xa3] = OPM(bt, Ev, Gv, 0),
    [0xaa] = BARE(rsm),
    [0xab] = OPM(bts, Ev, Gv, X86_LOCKABLE),
    [0xb0] = OPM(cmpxchg, Eb, Gb, X86_LOCKABLE),
    [0xb1] = OPM(cmpxchg, Ev, Gv, X86_LOCKABLE),
    [0xb3] = OPM(btr, Ev, Gv, X86_LOCKABLE),
    [0xb6] = OPM(movzx, Gv, Eb, 0),
    [0xb7] = OPM(movzx, Gv, Ew, 0),
    [0xba] = GROUP(GROUP_8, Ev, Ib, 0),
    [0xbb] = OPM(btc, Ev, Gv, X86_LOCKABLE),
    [0xbe] = OPM(movsx, Gv, Eb, 0),
    [0xbf] = OPM(movsx, Gv, Ew, 0),
    [0xc0] = OPM(xadd, Eb, Gb, X86_LOCKABLE),
    [0xc1] = OPM(xadd, Ev, Gv, X86_LOCKABLE),
    [0xc3] = BY_PREFIX(PREFIX_0FC3),
    [0xc7] = GROUP(GROUP_9, None, None, 0),
    [0xd6] = BY_PREFIX(PREFIX_0FD6),
    [0xe7] = BY_PREFIX(PREFIX_0FE7),
    [0xf0] = BY_PREFIX(PREFIX_0FF0),
};

const struct x86_opcode x86_map_0f38[256] = {
    [0x2a] = BY_PREFIX(PREFIX_0F382A),
    [0x82] = BY_PREFIX(PREFIX_0F3882),
    [0xf0] = BY_PREFIX(PREFIX_0F38F0),
    [0xf1] = BY_PREFIX(PREFIX_0F38F1),
};
