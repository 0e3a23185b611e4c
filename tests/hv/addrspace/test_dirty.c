/* SPDX-License-Identifier: Apache-2.0 */
/* Dirty tracking: no write of the guest or for it goes unnoticed. */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/bits.h"
#include "mmu.h"
#include "sim/ram.h"
#include "sim/shim.h"

#define MIB   (UINT64_C(1) << 20)
#define PAGES 1024
#define WORDS (PAGES / 64)
#define BASE  (4 * MIB)
#define HOST  (UINT64_C(0x1000000000))

static struct aspace aspace;
static struct tlb tlb;
static uint64_t bitmap[WORDS];

enum memory { LAZY, POPULATED, LINEAR, MEMORY_KINDS };

static void map(enum memory memory)
{
    if (memory == LINEAR)
        cr_assert(aspace_map_linear(&aspace, gpa(BASE), hpa(HOST), 4 * MIB,
                                    MEM_RWX) == OK);
    else
        cr_assert(aspace_map_lazy(&aspace, gpa(BASE), 4 * MIB, MEM_RWX,
                                  memory == POPULATED) == OK);
}

static void start(const struct hw *hw, enum memory memory)
{
    ram_reset(64 * MIB);
    tlb_start(&tlb, hw, &aspace);
    map(memory);
}

static void end(void)
{
    aspace_fini(&aspace);
    cr_assert(ram_frames_in_use() == 0, "%lu frames leaked",
              ram_frames_in_use());
}

static uint64_t address(unsigned page)
{
    return BASE + page * PAGE_SIZE;
}

/* The guest writes to `page`: through the tables, or by way of a fault. */
static void guest_writes(unsigned page)
{
    struct hw_walk walk = hw_translate(tlb.hw, aspace.root, address(page));
    bool resolved = false;

    if (walk.present && (walk.access & MEM_WRITE))
        return;
    cr_assert(aspace_handle_fault(&aspace, gpa(address(page) + 8), ACCESS_WRITE,
                                  &resolved) == OK);
    cr_assert(resolved, "page %u", page);
    walk = hw_translate(tlb.hw, aspace.root, address(page));
    cr_assert(walk.present && (walk.access & MEM_WRITE), "page %u", page);
}

static void expect_marks(const unsigned *pages, unsigned count)
{
    uint64_t wanted[WORDS] = {0};

    for (unsigned i = 0; i < count; i++)
        wanted[pages[i] / 64] |= BIT(pages[i] % 64);
    memset(bitmap, 0xa5, sizeof(bitmap));
    cr_assert(aspace_dirty_collect(&aspace, gpa(BASE), 4 * MIB, bitmap) == OK);
    for (unsigned i = 0; i < WORDS; i++)
        cr_assert(bitmap[i] == wanted[i], "word %u: %lx, not %lx", i, bitmap[i],
                  wanted[i]);
}

Test(dirty, guest_writes_are_marked_until_collected)
{
    static const unsigned written[] = {0, 1, 63, 64, 511, 512, 1023};

    for (unsigned f = 0; f < hw_format_count; f++) {
        for (enum memory memory = 0; memory < MEMORY_KINDS; memory++) {
            start(&hw_formats[f], memory);
            guest_writes(5); /* before: not marked */
            cr_assert(aspace_dirty_start(&aspace, gpa(BASE + MIB)) == OK);
            expect_marks(NULL, 0);
            for (unsigned round = 0; round < 2; round++) {
                for (unsigned i = 0; i < ARRAY_SIZE(written); i++)
                    guest_writes(written[i]);
                expect_marks(written, ARRAY_SIZE(written));
                expect_marks(NULL, 0);
            }
            guest_writes(5);
            expect_marks((unsigned[]){5}, 1);
            end();
        }
    }
}

Test(dirty, reads_are_not_marked)
{
    for (enum memory memory = 0; memory < MEMORY_KINDS; memory++) {
        uint64_t word;
        bool resolved;

        start(&hw_formats[0], memory);
        cr_assert(aspace_dirty_start(&aspace, gpa(BASE)) == OK);
        cr_assert(aspace_handle_fault(&aspace, gpa(BASE), ACCESS_READ,
                                      &resolved) == OK);
        cr_assert(resolved == (memory == LAZY));
        if (memory != LINEAR)
            cr_assert(aspace_read(&aspace, gpa(address(7)), &word, 8) == OK);
        expect_marks(NULL, 0);
        guest_writes(0);
        expect_marks((unsigned[]){0}, 1);
        end();
    }
}

Test(dirty, writes_for_the_guest_are_marked)
{
    static const unsigned written[] = {2, 3, 10, 20, 30, 31, 40, 511, 512};
    static const char text[16];
    hpa_t disk;

    for (enum memory memory = LAZY; memory <= POPULATED; memory++) {
        start(&hw_formats[0], memory);
        disk = memory_alloc_contiguous(8, PAGE_SIZE);
        cr_assert(aspace_dirty_start(&aspace, gpa(BASE)) == OK);
        for (unsigned round = 0; round < 2; round++) {
            cr_assert(aspace_write(&aspace, gpa(address(3) - 8), text, 16) ==
                      OK);
            cr_assert(aspace_store(&aspace, gpa(address(10)), text, 16) == OK);
            cr_assert(aspace_move_in(&aspace, gpa(address(20)), disk, 16) ==
                      OK);
            cr_assert(aspace_load(&aspace, gpa(address(30) + 1), disk,
                                  PAGE_SIZE) == OK);
            cr_assert(aspace_write(&aspace, gpa(address(40)), text, 1) == OK);
            cr_assert(aspace_clear(&aspace, gpa(address(40)), 1) == OK);
            cr_assert(aspace_write(&aspace, gpa(address(512) - 1), text, 2) ==
                      OK);
            cr_assert(aspace_move_out(&aspace, gpa(address(50)), disk, 16) ==
                      OK);
            expect_marks(written, ARRAY_SIZE(written));
        }
        memory_free_contiguous(disk, 8);
        end();
    }
}

/* What a processor may still hold when marks are collected lets no write
 * through that the next collection would miss. */
Test(dirty, translations_are_flushed)
{
    for (unsigned f = 0; f < hw_format_count; f++) {
        for (enum memory memory = POPULATED; memory < MEMORY_KINDS; memory++) {
            const uint64_t pages[] = {address(0), address(1), address(511),
                                      address(512), address(700)};

            start(&hw_formats[f], memory);
            tlb_fill(&tlb, pages, ARRAY_SIZE(pages));
            cr_assert(aspace_dirty_start(&aspace, gpa(BASE)) == OK);
            tlb_check(&tlb);
            tlb_fill(&tlb, pages, ARRAY_SIZE(pages));
            guest_writes(1);
            tlb_check(&tlb);
            tlb_fill(&tlb, pages, ARRAY_SIZE(pages));
            guest_writes(700);
            guest_writes(0);
            tlb_check(&tlb);
            tlb_fill(&tlb, pages, ARRAY_SIZE(pages));
            expect_marks((unsigned[]){0, 1, 700}, 3);
            tlb_check(&tlb);
            tlb_fill(&tlb, pages, ARRAY_SIZE(pages));
            cr_assert(aspace_dirty_stop(&aspace, gpa(BASE)) == OK);
            tlb_check(&tlb);
            end();
        }
    }
}

Test(dirty, a_part_can_be_collected)
{
    start(&hw_formats[0], POPULATED);
    cr_assert(aspace_dirty_start(&aspace, gpa(BASE)) == OK);
    for (unsigned page = 60; page < 140; page += 3)
        guest_writes(page);
    cr_assert(aspace_dirty_collect(&aspace, gpa(address(63)), 70 * PAGE_SIZE,
                                   bitmap) == OK);
    for (unsigned i = 0; i < 128; i++)
        cr_assert(((bitmap[i / 64] >> i % 64) & 1) == (i < 70 && i % 3 == 0),
                  "page %u", 63 + i);
    expect_marks((unsigned[]){60, 135, 138}, 3);
    cr_assert(aspace_dirty_collect(&aspace, gpa(address(1023)), PAGE_SIZE,
                                   bitmap) == OK);
    cr_assert(bitmap[0] == 0);
    end();
}

Test(dirty, large_leaves_come_back)
{
    for (enum memory memory = POPULATED; memory < MEMORY_KINDS; memory++) {
        uint64_t frames, run = 0;

        start(&hw_formats[0], memory);
        frames = ram_frames_in_use();
        cr_assert(aspace_dirty_start(&aspace, gpa(BASE)) == OK);
        cr_assert(hw_translate(tlb.hw, aspace.root, BASE).level == 1,
                  "not split before it is written to");
        guest_writes(3);
        cr_assert(hw_translate(tlb.hw, aspace.root, BASE).level == 0);
        cr_assert(aspace_translate(&aspace, gpa(BASE), NULL, NULL, &run) == OK);
        cr_assert(run == PAGE_SIZE);
        cr_assert(aspace_dirty_stop(&aspace, gpa(BASE)) == OK);
        cr_assert(hw_translate(tlb.hw, aspace.root, BASE).level == 1);
        cr_assert(hw_translate(tlb.hw, aspace.root, BASE).access == MEM_RWX);
        cr_assert(ram_frames_in_use() == frames);
        cr_assert(aspace_translate(&aspace, gpa(BASE), NULL, NULL, &run) == OK);
        cr_assert(run == 2 * MIB);
        end();
    }
}

/* Without memory for a table, the guest goes on, and more is marked. */
Test(dirty, no_memory_marks_the_whole_leaf)
{
    unsigned all[512];

    for (unsigned i = 0; i < 512; i++)
        all[i] = 512 + i;
    start(&hw_formats[0], LINEAR);
    cr_assert(aspace_dirty_start(&aspace, gpa(BASE)) == OK);
    shim_fail_nth(1, "memory_alloc", true);
    guest_writes(700);
    guest_writes(1000);
    shim_fail_never();
    expect_marks(all, 512);
    guest_writes(700);
    expect_marks((unsigned[]){700}, 1);
    end();
}

Test(dirty, calls_in_the_wrong_state)
{
    gpa_t base = gpa(BASE), hole = gpa(64 * MIB);
    uint64_t frames;

    start(&hw_formats[0], LINEAR);
    frames = ram_frames_in_use();
    cr_assert(aspace_dirty_start(&aspace, hole) == ERR_NOT_FOUND);
    cr_assert(aspace_dirty_stop(&aspace, hole) == ERR_NOT_FOUND);
    cr_assert(aspace_dirty_stop(&aspace, base) == ERR_BAD_STATE);
    cr_assert(aspace_dirty_collect(&aspace, base, PAGE_SIZE, bitmap) ==
              ERR_BAD_STATE);
    shim_fail_nth(1, "memory_alloc", true);
    cr_assert(aspace_dirty_start(&aspace, base) == ERR_NO_MEMORY);
    shim_fail_never();
    cr_assert(hw_translate(tlb.hw, aspace.root, BASE).access == MEM_RWX);

    cr_assert(aspace_dirty_start(&aspace, base) == OK);
    cr_assert(aspace_dirty_start(&aspace, base) == ERR_BUSY);
    cr_assert(aspace_dirty_collect(&aspace, hole, PAGE_SIZE, bitmap) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_dirty_collect(&aspace, base, 8 * MIB, bitmap) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_dirty_collect(&aspace, base, 1, bitmap) ==
              ERR_INVALID_INPUT);
    shim_fail_nth(1, "memory_alloc", true);
    cr_assert(aspace_dirty_collect(&aspace, base, PAGE_SIZE, bitmap) ==
                  ERR_NO_MEMORY,
              "it lies in a large leaf");
    shim_fail_never();
    cr_assert(aspace_dirty_collect(&aspace, base, 0, bitmap) ==
              ERR_INVALID_INPUT);
    cr_assert(aspace_dirty_collect(&aspace, base, BIT(60), bitmap) ==
              ERR_OUT_OF_RANGE);
    cr_assert(aspace_dirty_stop(&aspace, base) == OK);
    cr_assert(aspace_dirty_stop(&aspace, base) == ERR_BAD_STATE);
    cr_assert(ram_frames_in_use() == frames);
    end();
}

Test(dirty, a_tracked_region_is_not_divided)
{
    gpa_t base = gpa(BASE);

    start(&hw_formats[0], POPULATED);
    cr_assert(aspace_dirty_start(&aspace, base) == OK);
    guest_writes(9);
    cr_assert(aspace_unmap(&aspace, base, PAGE_SIZE) == ERR_BUSY);
    cr_assert(aspace_unmap(&aspace, gpa(BASE + MIB), 8 * MIB) == ERR_BUSY);
    cr_assert(aspace_protect(&aspace, base, MIB, MEM_READ) == ERR_BUSY);
    /* As a whole it can change, and go. */
    cr_assert(aspace_protect(&aspace, base, 4 * MIB, MEM_READ) == OK);
    cr_assert(aspace_handle_fault(&aspace, base, ACCESS_WRITE, NULL) ==
              ERR_DENIED);
    cr_assert(aspace_protect(&aspace, base, 4 * MIB, MEM_RWX) == OK);
    guest_writes(10);
    expect_marks((unsigned[]){9, 10}, 2);
    cr_assert(aspace_unmap(&aspace, base, 4 * MIB) == OK);
    cr_assert(ram_frames_in_use() == 4, "only the root");
    end();
}
