/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers of one to eight bytes, at any address. */
#ifndef ARCH_X86_64_BOOT_BYTES_H
#define ARCH_X86_64_BOOT_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t get_le(const uint8_t *from, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* What does not fit is cut off. */
static inline void put_le(uint8_t *to, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

#endif
