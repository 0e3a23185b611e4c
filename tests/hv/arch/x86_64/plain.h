/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capstone wants prefixes in a certain order, and lets some have effects that
 * they have not. By the manual their order is nothing ("Groups 1 through 4 may
 * be placed in any order relative to each other", SDM volume 2, section 2.1.1);
 * of F2 and F3 the last counts; REX is ignored unless it is the last (section
 * 2.2.1); F2 and F3 select among SSE instructions before 66 does, and do
 * nothing to others but string instructions, PAUSE and CRC32; in 64-bit mode
 * CS, DS, ES and SS overrides are ignored (section 3.3.4 of volume 1).
 *
 * `plain` has such an encoding written in the one way that leaves no choice.
 */
#ifndef TEST_X86_PLAIN_H
#define TEST_X86_PLAIN_H

#include "arch/x86_64/emulate/decode.h"

struct plain {
    uint8_t bytes[2 * X86_INSN_MAX];
    enum x86_mode mode;
    unsigned dropped; /* how many bytes fewer it has */
    bool lock;
    uint8_t repeat, operand, rex;
    bool is_sse;
    unsigned opcode; /* with its escape bytes: 0x0f10, 0x0f382a */
};

void make_plain(struct plain *plain, enum x86_mode mode,
                const uint8_t bytes[X86_INSN_MAX]);

#endif
