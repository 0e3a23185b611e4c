/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena: memory that is taken piece by piece and given back all at once.
 * A VM has one, for its vCPUs, its devices and its tables, so that destroying
 * the VM cannot leak and a failing creation has nothing to unwind.
 */
#ifndef MEMORY_ARENA_H
#define MEMORY_ARENA_H

#include <stddef.h>

#include "lib/addr.h"
#include "lib/compiler.h"

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes taken from the newest block */
};

#define ARENA_INIT \
    {              \
        0          \
    }

/*
 * `size` zeroed bytes, aligned to `align` (a power of two, PAGE_SIZE at most).
 * NULL when the host has no memory left, or `size` is 0.
 */
void *arena_alloc(struct arena *arena, size_t size, size_t align) MUST_CHECK;

#define arena_new(arena, type) ((type *)arena_alloc(arena, sizeof(type), 64))
#define arena_new_array(arena, type, count) \
    ((type *)arena_alloc_array(arena, count, sizeof(type)))

/* The same for `count` elements; NULL also when the product overflows. */
void *arena_alloc_array(struct arena *arena, size_t count,
                        size_t element) MUST_CHECK;

/* Gives everything back; the arena is empty and usable again. */
void arena_free_all(struct arena *arena);

#endif
