/* SPDX-License-Identifier: Apache-2.0 */
/* The fake RAM: what hv/api/memory.h promises, and snapshots. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "api/memory.h"
#include "lib/bits.h"
#include "sim/ram.h"
#include "sim/sim.h"
#include "support/rows.h"

static void setup(void)
{
    sim_reset(1);
    ram_reset(UINT64_C(1) << 20);
}

TestSuite(ram, .init = setup);

static bool is_zero(hpa_t at, size_t size)
{
    const uint8_t *bytes = memory_phys_to_virt(at);

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

Test(ram, frames_come_zeroed_also_the_second_time)
{
    hpa_t frame = memory_alloc_frame();

    cr_assert(!hpa_is_none(frame));
    cr_assert(is_zero(frame, PAGE_SIZE));
    memset(memory_phys_to_virt(frame), 0xff, PAGE_SIZE);
    memory_free_frame(frame);
    cr_assert_eq(memory_alloc_frame().raw, frame.raw, "the lowest free frame");
    cr_assert(is_zero(frame, PAGE_SIZE));
}

Test(ram, runs_are_aligned_zeroed_and_disjoint)
{
    static const struct {
        size_t frames, align;
    } rows[] = {
        {1, 0},     {1, 1},     {3, 4096},   {4, 16384}, {1, 65536},
        {64, 4096}, {65, 8192}, {2, 131072}, {5, 4096},
    };
    hpa_t runs[ARRAY_SIZE(rows)];
    uint64_t frames = 0;

    for_each_row (i, rows) {
        runs[i] = memory_alloc_contiguous(rows[i].frames, rows[i].align);
        cr_assert(!hpa_is_none(runs[i]), "row %zu", i);
        cr_assert(is_aligned(runs[i].raw, PAGE_SIZE), "row %zu", i);
        if (rows[i].align != 0)
            cr_assert(is_aligned(runs[i].raw, rows[i].align), "row %zu", i);
        cr_assert(is_zero(runs[i], rows[i].frames * PAGE_SIZE));
        memset(memory_phys_to_virt(runs[i]), (int)i + 1,
               rows[i].frames * PAGE_SIZE);
        frames += rows[i].frames;
    }
    cr_assert_eq(ram_frames_in_use(), frames);
    for_each_row (i, rows) {
        const uint8_t *bytes = memory_phys_to_virt(runs[i]);

        cr_assert_eq(bytes[0], i + 1, "row %zu", i);
        cr_assert_eq(bytes[rows[i].frames * PAGE_SIZE - 1], i + 1);
        memory_free_contiguous(runs[i], rows[i].frames);
    }
    cr_assert_eq(ram_frames_in_use(), 0);
    cr_assert_eq(ram_frames_peak(), frames);
}

Test(ram, exhaustion_is_an_error_and_loses_nothing)
{
    uint64_t frames = ram_size() / PAGE_SIZE;
    hpa_t all;

    cr_assert(hpa_is_none(memory_alloc_contiguous(0, PAGE_SIZE)));
    cr_assert(hpa_is_none(memory_alloc_contiguous(frames + 1, PAGE_SIZE)));
    all = memory_alloc_contiguous(frames, PAGE_SIZE);
    cr_assert_eq(all.raw, RAM_BASE);
    cr_assert(hpa_is_none(memory_alloc_frame()));
    memory_free_contiguous(all, frames);
    for (uint64_t i = 0; i < frames; i++)
        cr_assert(!hpa_is_none(memory_alloc_frame()), "frame %u", (unsigned)i);
    cr_assert(hpa_is_none(memory_alloc_frame()));
    memory_free_frame(hpa(RAM_BASE + 7 * PAGE_SIZE));
    cr_assert(hpa_is_none(memory_alloc_contiguous(2, PAGE_SIZE)));
    cr_assert_eq(memory_alloc_frame().raw, RAM_BASE + 7 * PAGE_SIZE);
}

Test(ram, an_alignment_beyond_the_window_is_an_error)
{
    cr_assert(hpa_is_none(memory_alloc_contiguous(1, UINT64_C(1) << 40)));
    cr_assert(hpa_is_none(memory_alloc_contiguous(1, UINT64_C(1) << 63)));
}

Test(ram, random_allocations_against_a_map)
{
    enum { FRAMES = 256, STEPS = 20000 };
    static uint8_t owner[FRAMES];
    static struct {
        uint64_t first;
        size_t frames;
    } runs[32];
    uint32_t random = 12345;

    for (unsigned step = 0; step < STEPS; step++) {
        unsigned slot = (random >> 8) % ARRAY_SIZE(runs);
        size_t frames = 1 + (random >> 16) % 9;
        size_t align = PAGE_SIZE << (random >> 24) % 4;

        random = random * 1664525 + 1013904223;
        if (runs[slot].frames != 0) {
            for (size_t i = 0; i < runs[slot].frames; i++)
                owner[runs[slot].first + i] = 0;
            memory_free_contiguous(hpa(RAM_BASE + runs[slot].first * PAGE_SIZE),
                                   runs[slot].frames);
            runs[slot].frames = 0;
            continue;
        }
        hpa_t run = memory_alloc_contiguous(frames, align);
        if (hpa_is_none(run))
            continue;
        runs[slot].first = (run.raw - RAM_BASE) / PAGE_SIZE;
        runs[slot].frames = frames;
        cr_assert(is_aligned(run.raw, align));
        for (size_t i = 0; i < frames; i++) {
            cr_assert_eq(owner[runs[slot].first + i], 0, "step %u", step);
            owner[runs[slot].first + i] = 1;
        }
    }
    uint64_t used = 0;
    for (unsigned i = 0; i < FRAMES; i++) {
        used += owner[i];
        cr_assert_eq(ram_is_allocated(hpa(RAM_BASE + i * PAGE_SIZE), PAGE_SIZE),
                     owner[i] != 0);
    }
    cr_assert_eq(ram_frames_in_use(), used);
}

Test(ram, is_allocated_looks_at_every_frame)
{
    hpa_t run = memory_alloc_contiguous(3, PAGE_SIZE);

    cr_assert(ram_is_allocated(run, 3 * PAGE_SIZE));
    cr_assert(ram_is_allocated(hpa_add(run, 5), 3 * PAGE_SIZE - 5));
    cr_assert(!ram_is_allocated(run, 3 * PAGE_SIZE + 1));
    cr_assert(!ram_is_allocated(hpa_add(run, 3 * PAGE_SIZE - 4), 8));
    memory_free_frame(hpa_add(run, PAGE_SIZE));
    cr_assert(!ram_is_allocated(run, 3 * PAGE_SIZE));
    cr_assert(!ram_is_allocated(hpa(0), 1));
    cr_assert(!ram_is_allocated(hpa(RAM_BASE - 1), 2));
    cr_assert(!ram_is_allocated(hpa(UINT64_MAX), 1));
    cr_assert(!ram_is_allocated(hpa(UINT64_MAX - 3), 8));
}

Test(ram, pointers_and_addresses_are_each_others_inverse)
{
    hpa_t run = memory_alloc_contiguous(2, PAGE_SIZE);
    uint8_t *bytes = memory_phys_to_virt(run);

    cr_assert_eq(memory_virt_to_phys(bytes + 5000).raw, run.raw + 5000);
    cr_assert_eq(memory_phys_to_virt(hpa_add(run, 5000)), bytes + 5000);
}

Test(ram, guest_memory_is_copied_moved_and_cleared)
{
    hpa_t run = memory_alloc_contiguous(4, PAGE_SIZE);
    char text[16] = "";

    memory_write_guest(hpa_add(run, PAGE_SIZE - 3), "straddles", 10);
    cr_assert_eq(memory_read_guest(hpa_add(run, PAGE_SIZE - 3), text, 10), 10);
    cr_assert_str_eq(text, "straddles");
    memory_move(hpa_add(run, 2 * PAGE_SIZE), hpa_add(run, PAGE_SIZE - 3), 10);
    (void)memory_read_guest(hpa_add(run, 2 * PAGE_SIZE), text, 10);
    cr_assert_str_eq(text, "straddles");
    memory_clear(hpa_add(run, PAGE_SIZE - 1), 4);
    (void)memory_read_guest(hpa_add(run, PAGE_SIZE - 3), text, 10);
    cr_assert_eq(memcmp(text, "st\0\0\0\0les", 10), 0);
}

/* Writes words of equal bytes until it is told that it has been enough. */
struct writer {
    hpa_t at;
    size_t size;
    atomic_bool enough;
};

static void *write_words(void *argument)
{
    struct writer *writer = argument;

    for (uint64_t word = 0; !atomic_load(&writer->enough); word = ~word)
        memory_write_guest_impl(writer->at, &word, writer->size);
    return NULL;
}

Test(ram, words_are_all_as_expected_or_they_are_not)
{
    hpa_t frame = memory_alloc_frame();
    struct memory_word words[] = {
        {hpa_add(frame, 8), 1},
        {hpa_add(frame, PAGE_SIZE - 8), UINT64_MAX},
        {frame, 3},
    };
    const unsigned count = sizeof(words) / sizeof(words[0]);

    for (unsigned i = 0; i < count; i++)
        memory_write_guest(words[i].at, &words[i].value, 8);
    cr_assert(memory_has_words(words, count));
    for (unsigned i = 0; i < count; i++) {
        words[i].value ^= UINT64_C(1) << 63;
        cr_assert(i == 0 || memory_has_words(words, i), "%u", i);
        for (unsigned more = i + 1; more <= count; more++)
            cr_assert_not(memory_has_words(words, more), "%u of %u", i, more);
        words[i].value ^= UINT64_C(1) << 63;
    }
}

Test(ram, an_aligned_word_is_never_seen_half_written)
{
    hpa_t frame = memory_alloc_frame();

    for (size_t size = 2; size <= 8; size *= 2) {
        struct writer writer = {.at = frame, .size = size};
        uint64_t word = 0, before = 0;
        pthread_t thread;

        memory_clear(frame, PAGE_SIZE);
        cr_assert_eq(pthread_create(&thread, NULL, write_words, &writer), 0);
        for (unsigned changes = 0; changes < 1000; before = word) {
            (void)memory_read_guest_impl(frame, &word, size);
            cr_assert(word == 0 || bit_count(word) == size * 8, "%lx", word);
            changes += word != before;
        }
        atomic_store(&writer.enough, true);
        pthread_join(thread, NULL);
    }
}

Test(ram, a_snapshot_brings_back_contents_and_allocations)
{
    hpa_t a = memory_alloc_frame(), b = memory_alloc_frame();
    hpa_t c = memory_alloc_frame();

    memset(memory_phys_to_virt(a), 1, PAGE_SIZE);
    memory_write_guest(b, "before", 7);
    cr_assert_eq(ram_snapshot_take(), OK);
    ram_track(b, PAGE_SIZE);
    for (unsigned round = 0; round < 30; round++) {
        hpa_t extra = memory_alloc_contiguous(9, PAGE_SIZE);
        char text[8] = "";

        cr_assert(!hpa_is_none(extra));
        memset(memory_phys_to_virt(a), 2, PAGE_SIZE);
        memory_write_guest(b, "after", 6);
        memory_free_frame(c);
        cr_assert_eq(ram_frames_in_use(), 11);
        ram_snapshot_restore();
        cr_assert_eq(ram_frames_in_use(), 3);
        cr_assert(ram_is_allocated(c, PAGE_SIZE));
        cr_assert(!ram_is_allocated(extra, PAGE_SIZE));
        cr_assert_eq(((uint8_t *)memory_phys_to_virt(a))[77], 1);
        (void)memory_read_guest(b, text, 7);
        cr_assert_str_eq(text, "before", "round %u", round);
        cr_assert_eq(memory_alloc_frame().raw, extra.raw);
        memory_free_frame(extra);
    }
    ram_snapshot_drop();
}

Test(ram, a_tracked_frame_that_was_freed_comes_back)
{
    hpa_t a = memory_alloc_frame();
    char text[8] = "";

    memory_write_guest(a, "before", 7);
    cr_assert_eq(ram_snapshot_take(), OK);
    ram_track(a, PAGE_SIZE);
    memory_free_frame(a);
    cr_assert_eq(memory_alloc_frame().raw, a.raw, "and is zeroed");
    ram_snapshot_restore();
    (void)memory_read_guest(a, text, 7);
    cr_assert_str_eq(text, "before");
    ram_snapshot_drop();
}

/* Two frames are written in each round; the others rest for so long in between
 * that a snapshot that watches write-protects them again and again. */
Test(ram, a_watching_snapshot_brings_back_what_was_written)
{
    enum { FRAMES = 4, ROUNDS = 4500, SIZE = FRAMES * PAGE_SIZE };
    static uint8_t before[SIZE];
    hpa_t run = memory_alloc_contiguous(FRAMES, PAGE_SIZE);
    uint8_t *bytes = memory_phys_to_virt(run);

    for (unsigned i = 0; i < SIZE; i++)
        before[i] = (uint8_t)(i / 3);
    memcpy(bytes, before, SIZE);
    cr_assert_eq(ram_snapshot_take(), OK);
    ram_snapshot_watch();
    for (unsigned round = 0; round < ROUNDS; round++) {
        /* Frame 3 is first written late, frame 2 by way of the allocator. */
        bytes[round * 17 % (2 * PAGE_SIZE)] ^= 0xff;
        if (round % 1000 == 999) {
            bytes[3 * PAGE_SIZE + round] ^= 0xff;
            memory_free_frame(hpa_add(run, 2 * PAGE_SIZE));
            cr_assert_eq(memory_alloc_frame().raw, run.raw + 2 * PAGE_SIZE);
            cr_assert_eq(bytes[2 * PAGE_SIZE + 77], 0);
        }
        ram_snapshot_restore();
        cr_assert_eq(memcmp(bytes, before, SIZE), 0, "round %u", round);
    }
    ram_track(run, SIZE);
    ram_snapshot_drop();
    memset(bytes, 1, SIZE); /* nothing is protected any more */
}
