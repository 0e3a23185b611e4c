/* SPDX-License-Identifier: Apache-2.0 */
/* The memory map, against a model that knows each byte's type. */
#include "hv/arch/x86_64/boot/rig.h"

#include "lib/bits.h"

#define BYTES 96
#define STEPS 200000

static struct e820 map;
static uint8_t model[BYTES];

static unsigned random_below(unsigned limit)
{
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return (state >> 8) % limit;
}

static void expect_as_model(void)
{
    uint8_t seen[BYTES] = {0};
    uint64_t end = 0;

    for (unsigned i = 0; i < map.count; i++) {
        const struct e820_entry *entry = &map.entries[i];

        cr_assert_geq(entry->start, end);
        cr_assert_gt(entry->size, 0u);
        cr_assert(i == 0 || entry->start > end ||
                  entry->type != entry[-1].type);
        end = entry->start + entry->size;
        cr_assert_leq(end, BYTES);
        memset(seen + entry->start, (int)entry->type, entry->size);
    }
    cr_assert_eq(memcmp(seen, model, BYTES), 0);
}

static bool model_is_ram(uint64_t start, uint64_t size)
{
    for (uint64_t i = start; i < start + size; i++) {
        if (i >= BYTES || model[i] != E820_RAM)
            return false;
    }
    return true;
}

static bool model_find(const struct e820_wish *wish, uint64_t *start)
{
    bool found = false;

    for (uint64_t at = 0; at < BYTES; at += wish->align) {
        if (at >= wish->from && at + wish->size <= wish->to &&
            model_is_ram(at, wish->size) && (!found || wish->highest)) {
            *start = at;
            found = true;
        }
    }
    return found;
}

static void expect_finds(void)
{
    struct e820_wish wish = {
        .size = 1 + random_below(12),
        .align = BIT(random_below(5)),
        .from = random_below(BYTES),
        .to = random_below(BYTES + 20),
        .highest = random_below(2) == 0,
    };
    uint64_t start = 0, expected = 0;
    bool found = model_find(&wish, &expected);

    cr_assert_eq(e820_find(&map, &wish, &start), found);
    cr_assert(!found || start == expected);
}

Test(e820, any_order_of_ranges_gives_what_was_set_last)
{
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned start = random_below(BYTES);
        unsigned size = random_below(BYTES + 1 - start) >> random_below(6);
        unsigned type = random_below(E820_UNUSABLE + 1);

        cr_assert_eq(e820_set(&map, start, size, type), OK);
        memset(model + start, (int)type, size);
        expect_as_model();
        cr_assert_eq(e820_is_ram(&map, start, size), model_is_ram(start, size));
        expect_finds();
    }
}

Test(e820, a_range_that_wraps_and_one_too_many_are_refused)
{
    struct e820 before;
    unsigned i = 0;

    map.count = 0;
    cr_expect_eq(e820_set(&map, UINT64_MAX, 1, E820_RAM), ERR_OUT_OF_RANGE);
    cr_expect_eq(e820_set(&map, 4096, UINT64_MAX - 4095, E820_RAM),
                 ERR_OUT_OF_RANGE);
    cr_expect_eq(map.count, 0u);
    while (e820_set(&map, 2 * i, 1, E820_RAM) == OK)
        i++;
    cr_expect_geq(map.count, E820_MAX_ENTRIES - 2);
    cr_expect_leq(map.count, E820_MAX_ENTRIES);
    before = map;
    cr_expect_eq(e820_set(&map, 1000, 1, E820_RAM), ERR_NO_MEMORY);
    cr_expect_eq(map.count, before.count);
    for (i = 0; i < map.count; i++) {
        cr_expect_eq(map.entries[i].start, before.entries[i].start);
        cr_expect_eq(map.entries[i].size, before.entries[i].size);
        cr_expect_eq(map.entries[i].type, before.entries[i].type);
    }
}

#define MIB UINT64_C(0x100000)

static const struct {
    struct e820_entry ranges[4], expected[6];
} builds[] = {
    {{{0, 2 * MIB, E820_RAM}},
     {{0, 0xa0000, E820_RAM},
      {0xe0000, 0x20000, E820_RESERVED},
      {MIB, MIB, E820_RAM}}},
    {{{0, 0x80000, E820_RAM}, {MIB, MIB, E820_RAM}},
     {{0, 0x80000, E820_RAM}, {MIB, MIB, E820_RAM}}},
    /* Devices come first in the list, and still hide RAM. */
    {{{3 * MIB, MIB, E820_RESERVED},
      {MIB, 4 * MIB, E820_RAM},
      {4096 * MIB, MIB, E820_RAM}},
     {{MIB, 2 * MIB, E820_RAM},
      {3 * MIB, MIB, E820_RESERVED},
      {4 * MIB, MIB, E820_RAM},
      {4096 * MIB, MIB, E820_RAM}}},
    {{{0, 2 * MIB, E820_RAM}, {0xf0000, 0x1000, E820_ACPI}},
     {{0, 0xa0000, E820_RAM},
      {0xe0000, 0x10000, E820_RESERVED},
      {0xf0000, 0x1000, E820_ACPI},
      {0xf1000, 0xf000, E820_RESERVED},
      {MIB, MIB, E820_RAM}}},
};

Test(e820, a_pc_has_no_memory_where_its_roms_are)
{
    for_each_row (i, builds) {
        cr_assert_eq(e820_build(&map, builds[i].ranges, 4), OK);
        for (unsigned k = 0; k < 6; k++) {
            const struct e820_entry *expected = &builds[i].expected[k];

            if (expected->size == 0) {
                cr_expect_eq(map.count, k, "row %zu", i);
                break;
            }
            cr_expect_eq(map.entries[k].start, expected->start, "row %zu", i);
            cr_expect_eq(map.entries[k].size, expected->size, "row %zu", i);
            cr_expect_eq(map.entries[k].type, expected->type, "row %zu", i);
        }
    }
}

Test(e820, ranges_that_cannot_be_make_no_map)
{
    static const struct {
        struct e820_entry range;
        err_t error;
    } rows[] = {
        {{0, 1, E820_UNUSABLE + 1}, ERR_INVALID_INPUT},
        {{UINT64_MAX, 1, E820_RAM}, ERR_OUT_OF_RANGE},
        {{UINT64_MAX, 1, E820_RESERVED}, ERR_OUT_OF_RANGE},
    };

    for_each_row (i, rows)
        cr_expect_eq(e820_build(&map, &rows[i].range, 1), rows[i].error);
}
