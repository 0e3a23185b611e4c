/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena: see arena.h. It takes blocks of frames from the host and cuts
 * pieces off the newest. What would waste too much of a block, or is larger,
 * gets a block of its own, behind the newest, which stays in use.
 */
#include "memory/arena.h"
#include "api/memory.h"
#include "lib/bits.h"
#include "lib/check.h"

#define BLOCK_FRAMES 8
#define BLOCK_SIZE   (BLOCK_FRAMES * PAGE_SIZE)

/* From here on a piece gets its own block. */
#define LARGE_PIECE (BLOCK_SIZE / 4)

/* The header of a block, at its start. */
struct arena_block {
    struct arena_block *next; /* older */
    size_t frames;
};

static struct arena_block *block_alloc(size_t frames)
{
    hpa_t memory = memory_alloc_contiguous(frames, PAGE_SIZE);
    struct arena_block *block;

    if (hpa_is_none(memory))
        return NULL;
    block = memory_phys_to_virt(memory);
    block->frames = frames;
    return block;
}

static void *piece_at(struct arena_block *block, size_t offset)
{
    return (char *)block + offset;
}

static void *alloc_large(struct arena *arena, size_t size, size_t align)
{
    size_t offset = align_up(sizeof(struct arena_block), align);
    struct arena_block *block;

    if (size > SIZE_MAX - offset - PAGE_SIZE)
        return NULL;
    block = block_alloc(align_up(offset + size, PAGE_SIZE) / PAGE_SIZE);
    if (block == NULL)
        return NULL;
    if (arena->blocks == NULL) {
        arena->blocks = block;
        arena->used = block->frames * PAGE_SIZE;
    } else {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    }
    return piece_at(block, offset);
}

static bool fits_newest(const struct arena *arena, size_t size, size_t align)
{
    return arena->blocks != NULL && align_up(arena->used, align) + size <=
                                        arena->blocks->frames * PAGE_SIZE;
}

void *arena_alloc(struct arena *arena, size_t size, size_t align)
{
    size_t offset;

    CHECK(is_power_of_two(align) && align <= PAGE_SIZE);
    if (size == 0)
        return NULL;
    if (size >= LARGE_PIECE)
        return alloc_large(arena, size, align);
    if (!fits_newest(arena, size, align)) {
        struct arena_block *block = block_alloc(BLOCK_FRAMES);

        if (block == NULL)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used = sizeof(*block);
    }
    offset = align_up(arena->used, align);
    arena->used = offset + size;
    return piece_at(arena->blocks, offset);
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t element)
{
    size_t size;

    if (__builtin_mul_overflow(count, element, &size))
        return NULL;
    return arena_alloc(arena, size, 64);
}

void arena_free_all(struct arena *arena)
{
    struct arena_block *next;

    for (struct arena_block *block = arena->blocks; block != NULL;
         block = next) {
        next = block->next;
        memory_free_contiguous(memory_virt_to_phys(block), block->frames);
    }
    *arena = (struct arena)ARENA_INIT;
}
