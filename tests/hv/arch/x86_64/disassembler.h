/* SPDX-License-Identifier: Apache-2.0 */
/* Capstone, as a second opinion on what an instruction is. */
#ifndef TEST_X86_DISASSEMBLER_H
#define TEST_X86_DISASSEMBLER_H

#include <stddef.h>

#include "arch/x86_64/emulate/decode.h"

struct disassembler;

struct disassembler *disassembler_open(void);
void disassembler_close(struct disassembler *dis);

/*
 * Whether both decoders say the same of `bytes`: that it is not an instruction
 * of the tables, or which one it is, its length and its operands. Where
 * Capstone is known to be wrong, that is: see `departures` there. Otherwise
 * `why` tells the difference.
 */
bool disassembler_agrees(struct disassembler *dis, enum x86_mode mode,
                         const uint8_t bytes[X86_INSN_MAX], char *why,
                         size_t size);

/* How many of the answers were compared operand by operand; how many were put
 * down to a departure. */
unsigned long disassembler_compared(const struct disassembler *dis);
unsigned long disassembler_excused(const struct disassembler *dis);

#endif
