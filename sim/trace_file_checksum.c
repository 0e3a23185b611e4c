/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C, eight bytes at a time ("slicing by 8"): see trace_file_layout.h. */
#include <string.h>

#include "sim/trace_file_layout.h"

#define POLYNOMIAL UINT32_C(0x82f63b78) /* reflected */
#define SLICES     8

/* Table s, entry n: the remainder of n * x^(32 + 8 * s). Entry 1 of the first,
 * say, is never 0. */
static uint32_t table[SLICES][256];

static void fill_table(void)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t rest = n;

        for (unsigned bit = 0; bit < 8; bit++)
            rest = rest >> 1 ^ ((rest & 1) != 0 ? POLYNOMIAL : 0);
        table[0][n] = rest;
    }
    for (unsigned s = 1; s < SLICES; s++) {
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t before = table[s - 1][n];

            table[s][n] = before >> 8 ^ table[0][before & 0xff];
        }
    }
}

/* Bytes [0, 8), which come first in the lowest of `word`. */
static uint32_t add_word(uint32_t crc, uint64_t word)
{
    uint32_t result = 0;

    word ^= crc;
    for (unsigned i = 0; i < SLICES; i++)
        result ^= table[SLICES - 1 - i][word >> 8 * i & 0xff];
    return result;
}

uint32_t twx_checksum(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    if (table[0][1] == 0)
        fill_table();
    crc = ~crc;
    for (; size >= SLICES; size -= SLICES, from += SLICES) {
        uint64_t word;

        memcpy(&word, from, sizeof(word));
        crc = add_word(crc, word);
    }
    for (; size != 0; size--, from++)
        crc = crc >> 8 ^ table[0][(crc ^ *from) & 0xff];
    return ~crc;
}
