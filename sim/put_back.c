/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State that is put back: see put_back.h. Only what has changed is written, and
 * nothing is asked of AddressSanitizer, which looks at each range that a
 * memcpy() is of: what is put back is the simulator's own.
 */
#include "sim/put_back.h"

#include <stdint.h>
#include <string.h>

#include "lib/compiler.h"

#define WORDS 8 /* that are compared at once */
#define BLOCK (WORDS * sizeof(uint64_t))

static ALWAYS_INLINE void put_block(uint8_t *to, const uint8_t *from)
{
    uint64_t now[WORDS], then[WORDS], changed = 0;

    memcpy(now, to, BLOCK);
    memcpy(then, from, BLOCK);
    for (unsigned i = 0; i < WORDS; i++)
        changed |= now[i] ^ then[i];
    if (changed != 0)
        memcpy(to, then, BLOCK);
}

void put_back(void *to, const void *from, size_t size)
{
    uint8_t *at = to;
    const uint8_t *source = from;

    for (; size >= BLOCK; size -= BLOCK) {
        put_block(at, source);
        at += BLOCK;
        source += BLOCK;
    }
    for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t)) {
        memcpy(at, source, sizeof(uint64_t));
        at += sizeof(uint64_t);
        source += sizeof(uint64_t);
    }
    for (size_t i = 0; i < size; i++)
        at[i] = source[i];
}
