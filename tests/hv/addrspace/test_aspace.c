/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping, unmapping, protecting, faults, translation: case by case. */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/bits.h"
#include "mmu.h"
#include "sim/ram.h"
#include "sim/shim.h"
#include "support/rows.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct aspace aspace;
static struct tlb tlb;

static void start(const struct hw *hw)
{
    ram_reset(64 * MIB);
    tlb_start(&tlb, hw, &aspace);
}

static void end(void)
{
    aspace_fini(&aspace);
    cr_assert(ram_frames_in_use() == 0, "%lu frames leaked",
              ram_frames_in_use());
}

static struct hw_walk seen(uint64_t address)
{
    return hw_translate(tlb.hw, aspace.root, address);
}

static err_t linear(uint64_t start, uint64_t to, uint64_t size)
{
    return aspace_map_linear(&aspace, gpa(start), hpa(to), size, MEM_RWX);
}

static err_t lazy(uint64_t start, uint64_t size)
{
    return aspace_map_lazy(&aspace, gpa(start), size, MEM_RWX, false);
}

static err_t populated(uint64_t start, uint64_t size)
{
    return aspace_map_lazy(&aspace, gpa(start), size, MEM_RWX, true);
}

static uint64_t run_at(uint64_t address)
{
    uint64_t run = 0;

    cr_assert(aspace_translate(&aspace, gpa(address), NULL, NULL, &run) == OK);
    return run;
}

static bool fault_resolves(uint64_t address, unsigned access)
{
    bool resolved = false;

    cr_assert(aspace_handle_fault(&aspace, gpa(address), access, &resolved) ==
              OK);
    return resolved;
}

Test(aspace, bad_ranges_are_refused)
{
    static const struct {
        uint64_t start, size;
        err_t error;
    } rows[] = {
        {0, 0, ERR_INVALID_INPUT},
        {1, 4 * KIB, ERR_INVALID_INPUT},
        {0x800, 4 * KIB, ERR_INVALID_INPUT},
        {0, 1, ERR_INVALID_INPUT},
        {4 * KIB, 4 * KIB + 1, ERR_INVALID_INPUT},
        {0, UINT64_MAX - 0xfff, ERR_OUT_OF_RANGE},
        {UINT64_MAX - 0xfff, 4 * KIB, ERR_OUT_OF_RANGE},
        {4 * KIB, UINT64_MAX - 0xfff, ERR_OUT_OF_RANGE},
        {BIT(63), BIT(63), ERR_OUT_OF_RANGE},
    };

    for (unsigned f = 0; f < hw_format_count; f++) {
        uint64_t limit = s2_gpa_limit(hw_formats[f].format);

        start(&hw_formats[f]);
        for_each_row (i, rows) {
            gpa_t at = gpa(rows[i].start);

            cr_assert(linear(at.raw, 0, rows[i].size) == rows[i].error,
                      "row %zu", i);
            cr_assert(lazy(at.raw, rows[i].size) == rows[i].error, "row %zu",
                      i);
            cr_assert(aspace_unmap(&aspace, at, rows[i].size) == rows[i].error);
            cr_assert(aspace_protect(&aspace, at, rows[i].size, MEM_READ) ==
                      rows[i].error);
        }
        cr_assert(lazy(limit, 4 * KIB) == ERR_OUT_OF_RANGE);
        cr_assert(lazy(limit - 4 * KIB, 8 * KIB) == ERR_OUT_OF_RANGE);
        cr_assert(lazy(limit - 4 * KIB, 4 * KIB) == OK, "the last page");
        cr_assert(fault_resolves(limit - 1, ACCESS_WRITE));
        cr_assert(seen(limit - 4 * KIB).present);
        cr_assert(aspace_protect(&aspace, gpa(limit - 4 * KIB), 4 * KIB,
                                 MEM_READ) == OK);
        cr_assert(seen(limit - 4 * KIB).access == MEM_READ);
        cr_assert(aspace_unmap(&aspace, gpa(limit - 4 * KIB), 4 * KIB) == OK);
        cr_assert(!seen(limit - 4 * KIB).present);
        end();
    }
}

Test(aspace, bad_host_ranges_and_flags_are_refused)
{
    start(&hw_formats[0]);
    cr_assert(linear(0, 1, 4 * KIB) == ERR_INVALID_INPUT);
    cr_assert(linear(0, BIT(56), 4 * KIB) == ERR_OUT_OF_RANGE);
    cr_assert(linear(0, BIT(56) - 4 * KIB, 8 * KIB) == ERR_OUT_OF_RANGE);
    cr_assert(linear(0, UINT64_MAX - 0xfff, 8 * KIB) == ERR_OUT_OF_RANGE);
    cr_assert(linear(0, BIT(56) - 4 * KIB, 4 * KIB) == OK);
    cr_assert(aspace_map_lazy(&aspace, gpa(MIB), 4 * KIB,
                              MEM_READ | MEM_DEVICE | MEM_UNCACHED,
                              false) == ERR_INVALID_INPUT);
    cr_assert(aspace_map_lazy(&aspace, gpa(MIB), 4 * KIB, MEM_RWX | MEM_OWNED,
                              false) == ERR_INVALID_INPUT);
    cr_assert(aspace_map_lazy(&aspace, gpa(MIB), 4 * KIB, 1 << 3, false) ==
              ERR_INVALID_INPUT);
    end();
}

Test(aspace, overlap_is_refused)
{
    static const struct {
        uint64_t start, size;
        err_t error;
    } rows[] = {
        {0, 64 * KIB, OK},
        {64 * KIB, 4 * KIB, ERR_ALREADY_EXISTS},
        {60 * KIB, 8 * KIB, ERR_ALREADY_EXISTS},
        {0, MIB, ERR_ALREADY_EXISTS},
        {72 * KIB, 64 * KIB, ERR_ALREADY_EXISTS},
        {76 * KIB, 64 * KIB, ERR_ALREADY_EXISTS},
        {80 * KIB, 64 * KIB, OK},
    };

    start(&hw_formats[0]);
    cr_assert(lazy(64 * KIB, 16 * KIB) == OK);
    for_each_row (i, rows) {
        cr_assert(lazy(rows[i].start, rows[i].size) == rows[i].error, "row %zu",
                  i);
        if (rows[i].error == OK)
            cr_assert(aspace_unmap(&aspace, gpa(rows[i].start), rows[i].size) ==
                      OK);
    }
    end();
}

Test(aspace, linear_leaves_are_as_large_as_alignment_permits)
{
    static const struct {
        uint64_t start, to, size, probe;
        unsigned level;
    } rows[] = {
        {4 * GIB, 8 * GIB, 2 * GIB, 4 * GIB, 2},
        {4 * GIB, 8 * GIB, 2 * GIB, 6 * GIB - 4 * KIB, 2},
        {4 * GIB, 8 * GIB + 2 * MIB, GIB, 4 * GIB, 1},
        {4 * GIB, 8 * GIB + 4 * KIB, 4 * MIB, 4 * GIB, 0},
        {4 * GIB - 4 * KIB, 8 * GIB - 4 * KIB, GIB + 8 * KIB, 4 * GIB - 1, 0},
        {4 * GIB - 4 * KIB, 8 * GIB - 4 * KIB, GIB + 8 * KIB, 4 * GIB, 2},
        {4 * GIB - 4 * KIB, 8 * GIB - 4 * KIB, GIB + 8 * KIB, 5 * GIB, 0},
        {2 * MIB, 4 * MIB, GIB, 2 * MIB, 1},
        {2 * MIB, 4 * MIB, 2 * MIB - 4 * KIB, 2 * MIB, 0},
        {8 * GIB, 4 * GIB, GIB, 8 * GIB, 2},
        {GIB, 0, GIB, GIB, 2},
        {0, 0, 2 * MIB, 0, 1},
    };

    for (unsigned f = 0; f < hw_format_count; f++) {
        for_each_row (i, rows) {
            uint64_t last = rows[i].start + rows[i].size - 4 * KIB;
            struct hw_walk walk;

            start(&hw_formats[f]);
            cr_assert(linear(rows[i].start, rows[i].to, rows[i].size) == OK);
            walk = seen(rows[i].probe);
            cr_assert(walk.present && walk.level == rows[i].level,
                      "row %zu: level %u", i, walk.level);
            cr_assert(walk.page == align_down(rows[i].probe, 4 * KIB) -
                                       rows[i].start + rows[i].to,
                      "row %zu", i);
            cr_assert(seen(last).present);
            cr_assert(!seen(last + 4 * KIB).present);
            cr_assert(rows[i].start == 0 ||
                      !seen(rows[i].start - 4 * KIB).present);
            end();
        }
    }
}

Test(aspace, no_leaf_is_larger_than_the_processor_has)
{
    static const struct hw *const rows[] = {&hw_npt_2m, &hw_ept_2m};

    for_each_row (i, rows) {
        start(rows[i]);
        cr_assert(linear(4 * GIB, 8 * GIB, 2 * GIB) == OK);
        cr_assert(seen(5 * GIB).present && seen(5 * GIB).level == 1);
        cr_assert(aspace_protect(&aspace, gpa(4 * GIB), 4 * KIB, MEM_READ) ==
                  OK);
        cr_assert(seen(4 * GIB).level == 0);
        cr_assert(aspace_protect(&aspace, gpa(4 * GIB), 4 * KIB, MEM_RWX) ==
                  OK);
        cr_assert(seen(4 * GIB).level == 1);
        end();
    }
}

/* The hardware could have larger ones, which nobody has asked for. */
Test(aspace, no_leaf_is_larger_than_a_gigabyte)
{
    for (unsigned f = 0; f < hw_format_count; f++) {
        if (hw_formats[f].levels < 4)
            continue;
        start(&hw_formats[f]);
        cr_assert(linear(512 * GIB, 512 * GIB, 512 * GIB) == OK);
        cr_assert(seen(512 * GIB).level == 2);
        cr_assert(
            aspace_protect(&aspace, gpa(512 * GIB), 512 * GIB, MEM_READ) == OK);
        cr_assert(seen(1023 * GIB).level == 2);
        cr_assert(seen(1023 * GIB).access == MEM_READ);
        end();
    }
}

/* The offset between the two addresses is one modulo 2^64. */
Test(aspace, host_memory_may_lie_above_or_below_the_guests)
{
    static const struct {
        uint64_t guest, host;
    } rows[] = {{0, 8 * GIB}, {8 * GIB, 0}, {GIB, GIB}, {4 * KIB, 3 * GIB}};

    start(&hw_formats[0]);
    for_each_row (i, rows) {
        hpa_t to;

        cr_assert(linear(rows[i].guest, rows[i].host, 4 * KIB) == OK);
        cr_assert(aspace_translate(&aspace, gpa(rows[i].guest + 0x10), &to,
                                   NULL, NULL) == OK);
        cr_assert(to.raw == rows[i].host + 0x10);
        cr_assert(seen(rows[i].guest).page == rows[i].host);
    }
    end();
}

/* The guest has it mapped; for everybody else nothing is there. */
Test(aspace, hidden_memory_is_a_hole)
{
    const uint64_t at = 4 * MIB, to = 8 * GIB;
    uint8_t byte = 0;
    uint64_t found;

    start(&hw_formats[0]);
    cr_assert(lazy(0, at) == OK);
    cr_assert(lazy(at + 4 * KIB, 4 * KIB) == OK);
    cr_assert(aspace_map_hidden(&aspace, gpa(at), hpa(to), 4 * KIB) == OK);
    cr_assert(aspace_map_hidden(&aspace, gpa(at), hpa(to), 4 * KIB) ==
              ERR_ALREADY_EXISTS);
    cr_assert(seen(at).present && seen(at).page == to);
    cr_assert(seen(at).access == (MEM_READ | MEM_WRITE));
    cr_assert(aspace_read(&aspace, gpa(at), &byte, 1) == ERR_NOT_FOUND);
    cr_assert(aspace_write(&aspace, gpa(at - 1), "ab", 2) == ERR_NOT_FOUND);
    cr_assert(aspace_exchange(&aspace, gpa(at), 0, 1, 4, &found) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_clear(&aspace, gpa(at), 1) == ERR_NOT_FOUND);
    cr_assert(aspace_translate(&aspace, gpa(at), NULL, NULL, NULL) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_handle_fault(&aspace, gpa(at), ACCESS_READ, NULL) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_protect(&aspace, gpa(at - 4 * KIB), 12 * KIB, MEM_READ) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_dirty_start(&aspace, gpa(at)) == ERR_NOT_FOUND);
    cr_assert(aspace_unmap(&aspace, gpa(at), 4 * KIB) == OK);
    cr_assert(!seen(at).present);
    end();
}

Test(aspace, populating_uses_large_leaves_while_there_is_memory_for_them)
{
    start(&hw_formats[0]);
    cr_assert(populated(2 * MIB - 8 * KIB, 2 * MIB + 16 * KIB) == OK);
    cr_assert(seen(2 * MIB - 8 * KIB).level == 0);
    cr_assert(seen(2 * MIB).level == 1);
    cr_assert(seen(4 * MIB).level == 0 && seen(4 * MIB + 4 * KIB).present);
    end();

    start(&hw_formats[0]);
    shim_fail_nth(1, "memory_alloc_contiguous", true);
    cr_assert(populated(0, 6 * MIB) == OK);
    cr_assert(shim_failed_calls() == 1, "there was no use in asking again");
    shim_fail_never();
    cr_assert(seen(0).present && seen(0).level == 0);
    cr_assert(seen(6 * MIB - 4 * KIB).present);
    cr_assert(seen(6 * MIB - 4 * KIB).level == 0);
    end();

    start(&hw_formats[0]);
    cr_assert(populated(0, 65 * MIB) == ERR_NO_MEMORY);
    cr_assert(ram_frames_in_use() == 4, "only the root");
    end();
}

Test(aspace, populating_gives_a_gigabyte_in_one_leaf)
{
    start(&hw_formats[0]);
    aspace_fini(&aspace);
    ram_reset(4 * GIB);
    tlb_start(&tlb, &hw_formats[0], &aspace);
    cr_assert(populated(2 * GIB, GIB + 2 * MIB) == OK);
    cr_assert(seen(2 * GIB).level == 2 && seen(3 * GIB).level == 1);
    end();
    ram_reset(64 * MIB);
}

Test(aspace, a_part_of_an_owned_leaf_is_freed_exactly)
{
    uint64_t frames;

    start(&hw_formats[0]);
    cr_assert(populated(0, 2 * MIB) == OK);
    frames = ram_frames_in_use();
    cr_assert(aspace_unmap(&aspace, gpa(64 * KIB), 12 * KIB) == OK);
    cr_assert(ram_frames_in_use() == frames - 3 + 1, "3 pages less, a table");
    cr_assert(seen(60 * KIB).present && !seen(64 * KIB).present);
    cr_assert(!seen(72 * KIB).present && seen(76 * KIB).present);
    cr_assert(aspace_unmap(&aspace, gpa(0), 64 * KIB) == OK);
    cr_assert(aspace_unmap(&aspace, gpa(76 * KIB), 2 * MIB) == OK);
    cr_assert(ram_frames_in_use() == 4, "only the root");
    end();
}

Test(aspace, protecting_splits_and_merges_again)
{
    for (unsigned f = 0; f < hw_format_count; f++) {
        uint64_t frames, page = 4 * GIB + 6 * MIB + 20 * KIB;

        start(&hw_formats[f]);
        cr_assert(linear(4 * GIB, 8 * GIB, GIB) == OK);
        cr_assert(seen(page).level == 2);
        frames = ram_frames_in_use();

        cr_assert(aspace_protect(&aspace, gpa(page), 4 * KIB, MEM_READ) == OK);
        cr_assert(seen(page).level == 0 && seen(page).access == MEM_READ);
        cr_assert(seen(page + 4 * KIB).access == MEM_RWX);
        cr_assert(seen(4 * GIB).level == 1);
        cr_assert(ram_frames_in_use() == frames + 2);
        cr_assert(aspace.region_count == 3);
        cr_assert(seen(page).page == page + 4 * GIB);
        cr_assert(seen(page + 4 * KIB).page == page + 4 * GIB + 4 * KIB);

        cr_assert(aspace_protect(&aspace, gpa(page), 4 * KIB, MEM_RWX) == OK);
        cr_assert(seen(page).level == 2 && seen(page).access == MEM_RWX);
        cr_assert(ram_frames_in_use() == frames);
        cr_assert(aspace.region_count == 1);
        end();
    }
}

/* Two mappings are never one leaf, and stay two regions. */
Test(aspace, neighbours_of_other_mappings_do_not_merge)
{
    start(&hw_formats[0]);
    cr_assert(linear(0, 8 * GIB, MIB) == OK);
    cr_assert(linear(MIB, 8 * GIB + MIB, MIB) == OK);
    cr_assert(aspace_protect(&aspace, gpa(0), 2 * MIB, MEM_READ) == OK);
    cr_assert(aspace.region_count == 2);
    cr_assert(seen(0).level == 0);
    end();
}

Test(aspace, protection_is_what_the_guest_gets)
{
    static const unsigned accesses[] = {ACCESS_READ, ACCESS_WRITE,
                                        ACCESS_EXECUTE};
    static const unsigned flags[] = {0,
                                     MEM_READ,
                                     MEM_EXECUTE,
                                     MEM_READ | MEM_WRITE,
                                     MEM_READ | MEM_EXECUTE,
                                     MEM_RWX};

    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
        start(&hw_formats[0]);
        cr_assert(aspace_map_lazy(&aspace, gpa(0), MIB, flags[i], false) == OK);
        for (unsigned a = 0; a < ARRAY_SIZE(accesses); a++) {
            gpa_t at = gpa(a * 4 * KIB);
            bool allowed = (flags[i] & accesses[a]) != 0;
            bool resolved = !allowed;

            cr_assert(
                aspace_handle_fault(&aspace, at, accesses[a], &resolved) ==
                (allowed ? OK : ERR_DENIED));
            cr_assert(resolved == allowed);
            cr_assert(seen(at.raw).access == (allowed ? flags[i] : 0));
        }
        end();
    }
}

Test(aspace, protecting_a_hole_changes_nothing)
{
    start(&hw_formats[0]);
    cr_assert(linear(0, 8 * GIB, MIB) == OK);
    cr_assert(linear(MIB + 4 * KIB, 9 * GIB, MIB) == OK);
    cr_assert(aspace_protect(&aspace, gpa(0), 2 * MIB, MEM_READ) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_protect(&aspace, gpa(MIB), 4 * KIB, MEM_READ) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_protect(&aspace, gpa(2 * MIB), MIB, MEM_READ) ==
              ERR_NOT_FOUND);
    cr_assert(seen(0).access == MEM_RWX);
    cr_assert(seen(MIB + 4 * KIB).access == MEM_RWX);
    end();
}

Test(aspace, memory_without_access_keeps_its_contents)
{
    const char text[] = "kept";
    char bytes[sizeof(text)];

    for (unsigned f = 0; f < hw_format_count; f++) {
        start(&hw_formats[f]);
        cr_assert(populated(0, 2 * MIB) == OK);
        cr_assert(aspace_write(&aspace, gpa(MIB), text, sizeof(text)) == OK);
        cr_assert(aspace_protect(&aspace, gpa(0), 2 * MIB, 0) == OK);
        cr_assert(!seen(MIB).present);
        cr_assert(aspace_handle_fault(&aspace, gpa(MIB), ACCESS_READ, NULL) ==
                  ERR_DENIED);
        cr_assert(aspace_read(&aspace, gpa(MIB), bytes, sizeof(bytes)) ==
                  ERR_DENIED);
        cr_assert(aspace_protect(&aspace, gpa(MIB), 4 * KIB, MEM_READ) == OK);
        cr_assert(seen(MIB).access == MEM_READ);
        cr_assert(aspace_read(&aspace, gpa(MIB), bytes, sizeof(bytes)) == OK);
        cr_assert_str_eq(bytes, text);
        end();
    }
}

Test(aspace, a_second_fault_finds_the_page_as_the_first_left_it)
{
    const char text[] = "data of the first";
    char bytes[sizeof(text)];
    uint64_t frames;

    start(&hw_formats[0]);
    cr_assert(lazy(0, MIB) == OK);
    cr_assert(fault_resolves(0x5000, ACCESS_WRITE));
    cr_assert(aspace_write(&aspace, gpa(0x5000), text, sizeof(text)) == OK);
    frames = ram_frames_in_use();
    cr_assert(!fault_resolves(0x5000, ACCESS_WRITE));
    cr_assert(!fault_resolves(0x5fff, ACCESS_READ));
    cr_assert(ram_frames_in_use() == frames);
    cr_assert(aspace_read(&aspace, gpa(0x5000), bytes, sizeof(bytes)) == OK);
    cr_assert_str_eq(bytes, text);
    end();
}

Test(aspace, faults_outside_are_errors)
{
    static const uint64_t holes[] = {0,       0xfff,   0x3000,
                                     8 * GIB, BIT(41), UINT64_MAX};

    start(&hw_formats[0]);
    cr_assert(lazy(0x1000, 0x2000) == OK);
    for (unsigned i = 0; i < ARRAY_SIZE(holes); i++) {
        bool resolved = true;

        cr_assert(aspace_handle_fault(&aspace, gpa(holes[i]), ACCESS_READ,
                                      &resolved) == ERR_NOT_FOUND);
        cr_assert(!resolved);
        cr_assert(aspace_translate(&aspace, gpa(holes[i]), NULL, NULL, NULL) ==
                  ERR_NOT_FOUND);
    }
    cr_assert(aspace_handle_fault(&aspace, gpa(0x1000), 0, NULL) == OK,
              "an access that asks for nothing");
    cr_assert(linear(GIB, 8 * GIB, 2 * MIB) == OK);
    cr_assert(!fault_resolves(GIB, ACCESS_WRITE), "it was there all along");
    end();
}

Test(aspace, a_run_ends_with_its_leaf_and_its_region)
{
    start(&hw_formats[0]);
    cr_assert(linear(4 * MIB, 8 * GIB, 6 * MIB + 8 * KIB) == OK);
    cr_assert(run_at(4 * MIB) == 2 * MIB);
    cr_assert(run_at(4 * MIB + 1) == 2 * MIB - 1);
    cr_assert(run_at(6 * MIB - 1) == 1);
    cr_assert(run_at(10 * MIB + 5) == 4 * KIB - 5);
    cr_assert(run_at(10 * MIB + 8 * KIB - 1) == 1, "the region's last byte");
    cr_assert(aspace_unmap(&aspace, gpa(4 * MIB + 8 * KIB), 4 * KIB) == OK);
    cr_assert(run_at(4 * MIB + 4 * KIB) == 4 * KIB);
    cr_assert(aspace_translate(&aspace, gpa(4 * MIB + 8 * KIB), NULL, NULL,
                               NULL) == ERR_NOT_FOUND);
    cr_assert(lazy(0, MIB) == OK);
    cr_assert(aspace_translate(&aspace, gpa(0), NULL, NULL, NULL) ==
                  ERR_NOT_FOUND,
              "not touched yet");
    end();
}

Test(aspace, the_list_of_regions_is_bounded)
{
    uint64_t last = (ASPACE_MAX_REGIONS - 1) * 64 * KIB;

    start(&hw_formats[0]);
    for (uint64_t i = 0; i < ASPACE_MAX_REGIONS; i++)
        cr_assert(linear(i * 64 * KIB, 8 * GIB, 32 * KIB) == OK);
    cr_assert(lazy(GIB, MIB) == ERR_NO_MEMORY);
    cr_assert(populated(GIB, MIB) == ERR_NO_MEMORY);
    cr_assert(aspace_unmap(&aspace, gpa(4 * KIB), 4 * KIB) == ERR_NO_MEMORY);
    cr_assert(aspace_protect(&aspace, gpa(0), 4 * KIB, MEM_READ) ==
              ERR_NO_MEMORY);
    cr_assert(seen(4 * KIB).present && seen(0).access == MEM_RWX);
    /* What leaves no more of them can be done. */
    cr_assert(aspace_unmap(&aspace, gpa(28 * KIB), 64 * KIB) == OK);
    cr_assert(aspace_unmap(&aspace, gpa(0), 4 * KIB) == OK);
    cr_assert(aspace_unmap(&aspace, gpa(last + 28 * KIB), 4 * KIB) == OK);
    cr_assert(aspace.region_count == ASPACE_MAX_REGIONS);
    cr_assert(aspace_unmap(&aspace, gpa(last), 32 * KIB) == OK);
    cr_assert(aspace_unmap(&aspace, gpa(8 * KIB), 4 * KIB) == OK);
    cr_assert(aspace.region_count == ASPACE_MAX_REGIONS);
    end();
}

Test(aspace, what_was_valid_is_flushed_once_and_what_was_not_is_not)
{
    uint64_t page = 0x5000;

    start(&hw_formats[0]);
    tlb_fill(&tlb, &page, 1);
    cr_assert(lazy(0, 4 * MIB) == OK);
    cr_assert(linear(GIB, 8 * GIB, GIB) == OK);
    cr_assert(fault_resolves(page, ACCESS_WRITE));
    cr_assert(aspace_unmap(&aspace, gpa(2 * MIB), MIB) == OK);
    cr_assert(aspace_protect(&aspace, gpa(MIB), MIB, MEM_READ) == OK);
    cr_assert(tlb.flushes == 0, "nothing of that was ever valid");

    tlb_fill(&tlb, &page, 1);
    cr_assert(aspace_protect(&aspace, gpa(page), 4 * KIB, MEM_READ) == OK);
    cr_assert(tlb.flushes == 1);
    tlb_check(&tlb);
    cr_assert(aspace_unmap(&aspace, gpa(0), MIB) == OK);
    cr_assert(tlb.flushes == 2);
    tlb_check(&tlb);
    cr_assert(aspace_protect(&aspace, gpa(GIB), GIB, MEM_RWX) == OK);
    cr_assert(tlb.flushes == 2, "nothing has changed");
    end();
}

/* Where the tables stay, only the range is flushed. */
Test(aspace, a_page_among_others_is_flushed_alone)
{
    uint64_t page = 0x5000;

    for (unsigned f = 0; f < hw_format_count; f++) {
        static const uint64_t others[] = {0x4000, 0x6000, 2 * MIB};

        for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
            start(&hw_formats[f]);
            cr_assert(lazy(0, 4 * MIB) == OK);
            cr_assert(fault_resolves(page, ACCESS_WRITE));
            cr_assert(fault_resolves(others[i], ACCESS_WRITE));
            tlb_fill(&tlb, &page, 1);
            cr_assert(aspace_unmap(&aspace, gpa(page), 4 * KIB) == OK);
            /* In the last row, its table has become empty. */
            cr_assert(tlb.flushes == 1);
            cr_assert(tlb.full_flushes == (others[i] == 2 * MIB));
            tlb_check(&tlb);
            end();
        }
    }
}

/* A walk does not start in a table that is no more. */
Test(aspace, freed_tables_are_forgotten)
{
    start(&hw_formats[0]);
    cr_assert(lazy(0, 4 * KIB) == OK);
    cr_assert(fault_resolves(0, ACCESS_WRITE));
    cr_assert(aspace_unmap(&aspace, gpa(0), 4 * KIB) == OK);
    cr_assert(lazy(0, 4 * KIB) == OK);
    cr_assert(fault_resolves(0, ACCESS_WRITE) && seen(0).present);

    cr_assert(linear(GIB, 8 * GIB, 2 * MIB) == OK);
    cr_assert(aspace_protect(&aspace, gpa(GIB), 4 * KIB, MEM_READ) == OK);
    cr_assert(run_at(GIB) == 4 * KIB);
    cr_assert(aspace_protect(&aspace, gpa(GIB), 4 * KIB, MEM_RWX) == OK);
    cr_assert(run_at(GIB) == 2 * MIB);
    end();
}

Test(aspace, two_vms_see_nothing_of_each_other)
{
    struct aspace other;
    uint64_t secret = 42, found = 1;

    start(&hw_formats[0]);
    cr_assert(aspace_init(&other, &s2_sv39x4, NULL) == OK);
    cr_assert(lazy(0, MIB) == OK);
    cr_assert(aspace_map_lazy(&other, gpa(0), MIB, MEM_RWX, false) == OK);
    cr_assert(aspace_write(&aspace, gpa(0x100), &secret, 8) == OK);
    cr_assert(aspace_read(&other, gpa(0x100), &found, 8) == OK);
    cr_assert(found == 0);
    cr_assert(seen(0).page != hw_translate(tlb.hw, other.root, 0).page);
    /* A freed page comes back cleared. */
    cr_assert(aspace_unmap(&aspace, gpa(0), MIB) == OK);
    cr_assert(aspace_read(&other, gpa(0x2100), &found, 8) == OK);
    cr_assert(found == 0);
    aspace_fini(&other);
    end();
}

Test(aspace, the_end_may_come_twice)
{
    start(&hw_formats[0]);
    cr_assert(populated(0, 2 * MIB + 4 * KIB) == OK);
    cr_assert(lazy(GIB, GIB) == OK);
    cr_assert(fault_resolves(GIB, ACCESS_READ));
    aspace_fini(&aspace);
    end();
}
