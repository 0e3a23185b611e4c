/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/bits.h"
#include "memory/arena.h"
#include "sim/ram.h"
#include "sim/shim.h"

#define MIB (UINT64_C(1) << 20)

static struct arena arena;

static void start(void)
{
    ram_reset(64 * MIB);
    arena = (struct arena)ARENA_INIT;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

Test(arena, pieces_are_zeroed_aligned_and_apart)
{
    static const size_t sizes[] = {1,    8,    63,    64,     65,     4096,
                                   4097, 8191, 8192,  8193,   30000,  32767,
                                   5,    7,    32768, 100000, 1 << 20};
    static const size_t aligns[] = {1, 8, 64, 4096};
    unsigned char *pieces[ARRAY_SIZE(sizes) * ARRAY_SIZE(aligns)];

    start();
    /* Frames that were used come back zeroed only if the arena asks so. */
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
            size_t size = sizes[i / ARRAY_SIZE(aligns)];
            size_t align = aligns[i % ARRAY_SIZE(aligns)];

            pieces[i] = arena_alloc(&arena, size, align);
            cr_assert(pieces[i] != NULL);
            cr_assert(is_aligned((uintptr_t)pieces[i], align), "%zu", align);
            cr_assert(is_zero(pieces[i], size), "%zu", size);
            memset(pieces[i], (int)i + 1, size);
        }
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
            size_t size = sizes[i / ARRAY_SIZE(aligns)];

            cr_assert(pieces[i][0] == i + 1 && pieces[i][size - 1] == i + 1,
                      "piece %zu was overwritten", i);
        }
        arena_free_all(&arena);
        cr_assert(ram_frames_in_use() == 0);
    }
}

Test(arena, small_pieces_share_frames)
{
    start();
    for (unsigned i = 0; i < 256; i++)
        cr_assert(arena_alloc(&arena, 64, 64) != NULL);
    cr_assert(ram_frames_in_use() <= 8, "16 KiB in %lu frames",
              ram_frames_in_use());
    arena_free_all(&arena);
}

Test(arena, a_large_piece_leaves_the_current_block_in_use)
{
    uint64_t frames;

    start();
    cr_assert(arena_alloc(&arena, 64, 64) != NULL);
    frames = ram_frames_in_use();
    cr_assert(arena_alloc(&arena, MIB, 64) != NULL);
    cr_assert(ram_frames_in_use() == frames + MIB / PAGE_SIZE + 1);
    frames = ram_frames_in_use();
    cr_assert(arena_alloc(&arena, 64, 64) != NULL);
    cr_assert(ram_frames_in_use() == frames);
    arena_free_all(&arena);
    cr_assert(ram_frames_in_use() == 0);
}

Test(arena, the_first_piece_may_be_large)
{
    start();
    cr_assert(arena_alloc(&arena, MIB, 4096) != NULL);
    cr_assert(arena_alloc(&arena, 8, 8) != NULL);
    arena_free_all(&arena);
    cr_assert(ram_frames_in_use() == 0);
}

Test(arena, what_cannot_be_had_is_null)
{
    static const size_t sizes[] = {0, SIZE_MAX, SIZE_MAX - 16,
                                   SIZE_MAX - 2 * PAGE_SIZE, 65 * MIB};

    start();
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        cr_assert(arena_alloc(&arena, sizes[i], 64) == NULL, "%zx", sizes[i]);
        cr_assert(arena_alloc(&arena, sizes[i], PAGE_SIZE) == NULL);
    }
    cr_assert(arena_alloc_array(&arena, SIZE_MAX / 8 + 1, 16) == NULL);
    cr_assert(arena_alloc_array(&arena, 0, 16) == NULL);
    cr_assert(arena_alloc_array(&arena, 3, 16) != NULL);
    arena_free_all(&arena);
    cr_assert(ram_frames_in_use() == 0);
}

Test(arena, a_failed_allocation_changes_nothing)
{
    static const size_t sizes[] = {64, 3 * 4096, 40000};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        start();
        for (unsigned j = 0; j < 20; j++)
            cr_assert(arena_alloc(&arena, 1500, 8) != NULL);
        shim_fail_nth(1, "memory_alloc", true);
        while (arena_alloc(&arena, sizes[i], 64) != NULL)
            ;
        cr_assert(arena_alloc(&arena, sizes[i], 64) == NULL);
        shim_fail_never();
        cr_assert(arena_alloc(&arena, sizes[i], 64) != NULL);
        arena_free_all(&arena);
        cr_assert(ram_frames_in_use() == 0, "size %zu", sizes[i]);
        cr_assert(arena_new(&arena, uint64_t) != NULL, "usable again");
        arena_free_all(&arena);
    }
}
