/* SPDX-License-Identifier: Apache-2.0 */
/* Bit operations on 64-bit words, and alignment. */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define BIT(n) (UINT64_C(1) << (n))

/* Bits hi..lo set, both included. */
#define BIT_MASK(hi, lo) \
    ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))

/* Value of the field that `mask` covers in `word`, and `word` with it set. */
#define FIELD_GET(mask, word) (((word) & (mask)) / ((mask) & -(mask)))
#define FIELD_PUT(mask, value) \
    (((uint64_t)(value) * ((mask) & -(mask))) & (mask))

static inline bool is_aligned(uint64_t value, uint64_t power_of_two)
{
    return (value & (power_of_two - 1)) == 0;
}

static inline uint64_t align_down(uint64_t value, uint64_t power_of_two)
{
    return value & ~(power_of_two - 1);
}

/* Wraps to 0 when no multiple is representable. */
static inline uint64_t align_up(uint64_t value, uint64_t power_of_two)
{
    return align_down(value + power_of_two - 1, power_of_two);
}

static inline bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* `value`'s low `bits` bits (1 to 64), sign-extended. */
static inline int64_t sign_extend(uint64_t value, unsigned bits)
{
    unsigned shift = 64 - bits;
    return (int64_t)(value << shift) >> shift;
}

/* `value`'s low `bits` bits (1 to 64). */
static inline uint64_t zero_extend(uint64_t value, unsigned bits)
{
    return value & (~UINT64_C(0) >> (64 - bits));
}

/* Index of the lowest, the highest set bit. `word` must not be 0. */
static inline unsigned bit_lowest(uint64_t word)
{
    return (unsigned)__builtin_ctzll(word);
}

static inline unsigned bit_highest(uint64_t word)
{
    return 63 - (unsigned)__builtin_clzll(word);
}

static inline unsigned bit_count(uint64_t word)
{
    return (unsigned)__builtin_popcountll(word);
}

#endif
