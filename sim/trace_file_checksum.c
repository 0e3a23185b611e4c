/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C, a byte at a time: see trace_file_layout.h. */
#include "sim/trace_file_layout.h"

#define POLYNOMIAL UINT32_C(0x82f63b78) /* reflected */

/* Entry n: the remainder of n * x^32. Entry 1, say, is never 0. */
static uint32_t table[256];

static void fill_table(void)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t rest = n;

        for (unsigned bit = 0; bit < 8; bit++)
            rest = rest >> 1 ^ ((rest & 1) != 0 ? POLYNOMIAL : 0);
        table[n] = rest;
    }
}

uint32_t twx_checksum(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    if (table[1] == 0)
        fill_table();
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ table[(crc ^ from[i]) & 0xff];
    return ~crc;
}
