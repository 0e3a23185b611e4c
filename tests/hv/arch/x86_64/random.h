/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers that repeat, and random instructions made of them. */
#ifndef TEST_X86_RANDOM_H
#define TEST_X86_RANDOM_H

#include <stdint.h>

#include "arch/x86_64/emulate/decode.h"

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift
 * generators, scrambled"). */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* One of `count`. */
static inline unsigned random_pick(uint64_t *state, unsigned count)
{
    return (unsigned)((random_next(state) >> 32) % count);
}

/* A number that is small, near a power of two, or anything. */
uint64_t random_value(uint64_t *state);

/*
 * Fills `bytes` with prefixes, an opcode and whatever comes behind it; most
 * are instructions that the decoder knows.
 */
void random_insn(uint64_t *state, enum x86_mode mode,
                 uint8_t bytes[X86_INSN_MAX]);

/* How many times to try: `usual`, or what the environment variable
 * TWINAX_RANDOM_INSNS says. */
unsigned long random_rounds(unsigned long usual);

#endif
