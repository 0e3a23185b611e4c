/* SPDX-License-Identifier: Apache-2.0 */
/* The memory map that guests are given. ACPI 6.5, section 15. */
#include "arch/x86_64/boot/e820.h"

#include "lib/bits.h"
#include "lib/string.h"

static uint64_t end_of(const struct e820_entry *entry)
{
    return entry->start + entry->size;
}

/* The index of the first entry that ends behind `address`. */
static unsigned first_behind(const struct e820 *map, uint64_t address)
{
    unsigned i = 0;

    while (i < map->count && end_of(&map->entries[i]) <= address)
        i++;
    return i;
}

/* Replaces `count` entries from `at` on by room for `more`. */
static void make_room(struct e820 *map, unsigned at, unsigned count,
                      unsigned more)
{
    unsigned behind = at + count;

    memmove(&map->entries[at + more], &map->entries[behind],
            (map->count - behind) * sizeof(map->entries[0]));
    map->count = map->count - count + more;
}

/* Has an entry end, and another begin, at `address`, if one reaches over it. */
static void cut(struct e820 *map, uint64_t address)
{
    unsigned i = first_behind(map, address);
    struct e820_entry *entry = &map->entries[i];
    uint64_t before;

    if (i == map->count || entry->start >= address)
        return;
    before = address - entry->start;
    make_room(map, i, 0, 1);
    entry[1].start = address;
    entry[1].size -= before;
    entry[0].size = before;
}

static void join(struct e820 *map, unsigned at)
{
    struct e820_entry *entry = &map->entries[at];

    if (at + 1 >= map->count || entry->type != entry[1].type ||
        end_of(entry) != entry[1].start)
        return;
    entry->size += entry[1].size;
    make_room(map, at + 1, 1, 0);
}

err_t e820_set(struct e820 *map, uint64_t start, uint64_t size,
               enum e820_type type)
{
    unsigned from, to;

    if (size > UINT64_MAX - start)
        return ERR_OUT_OF_RANGE;
    if (size == 0)
        return OK;
    if (map->count + 2 > E820_MAX_ENTRIES)
        return ERR_NO_MEMORY;
    cut(map, start);
    cut(map, start + size);
    from = first_behind(map, start);
    to = from;
    while (to < map->count && map->entries[to].start < start + size)
        to++;
    make_room(map, from, to - from, type != E820_HOLE ? 1 : 0);
    if (type == E820_HOLE)
        return OK;
    map->entries[from] = (struct e820_entry){start, size, type};
    join(map, from);
    if (from != 0)
        join(map, from - 1);
    return OK;
}

/* Sets those of `ranges` that are RAM, or those that are not. */
static err_t set_all(struct e820 *map, const struct e820_entry *ranges,
                     unsigned count, bool ram)
{
    err_t error = OK;

    for (unsigned i = 0; i < count && error == OK; i++) {
        const struct e820_entry *range = &ranges[i];

        if (range->type > E820_UNUSABLE)
            error = ERR_INVALID_INPUT;
        else if ((range->type == E820_RAM) == ram)
            error = e820_set(map, range->start, range->size, range->type);
    }
    return error;
}

/* What a PC has below 1 MiB. */
static err_t set_low_area(struct e820 *map)
{
    bool has_firmware = e820_is_ram(map, E820_FIRMWARE_START,
                                    E820_HIGH_START - E820_FIRMWARE_START);
    err_t error =
        e820_set(map, E820_LOW_END, E820_HIGH_START - E820_LOW_END, E820_HOLE);

    if (error == OK && has_firmware)
        error = e820_set(map, E820_FIRMWARE_START,
                         E820_HIGH_START - E820_FIRMWARE_START, E820_RESERVED);
    return error;
}

err_t e820_build(struct e820 *map, const struct e820_entry *ranges,
                 unsigned count)
{
    err_t error;

    map->count = 0;
    error = set_all(map, ranges, count, true);
    if (error == OK)
        error = set_low_area(map);
    if (error == OK)
        error = set_all(map, ranges, count, false);
    return error;
}

uint64_t e820_ram_at(const struct e820 *map, uint64_t start)
{
    unsigned i = first_behind(map, start);
    const struct e820_entry *entry = &map->entries[i];

    /* Neighbours of one type are one entry. */
    if (i == map->count || entry->start > start || entry->type != E820_RAM)
        return 0;
    return end_of(entry) - start;
}

bool e820_is_ram(const struct e820 *map, uint64_t start, uint64_t size)
{
    return size == 0 || e820_ram_at(map, start) >= size;
}

/* The place in one entry, if the wish can be granted there. */
static bool find_in(const struct e820_entry *entry,
                    const struct e820_wish *wish, uint64_t *start)
{
    uint64_t from = entry->start > wish->from ? entry->start : wish->from;
    uint64_t to = end_of(entry) < wish->to ? end_of(entry) : wish->to;

    if (entry->type != E820_RAM || to < from || to - from < wish->size)
        return false;
    *start = wish->highest ? align_down(to - wish->size, wish->align)
                           : align_up(from, wish->align);
    return *start >= from && *start <= to - wish->size;
}

bool e820_find(const struct e820 *map, const struct e820_wish *wish,
               uint64_t *start)
{
    for (unsigned i = 0; i < map->count; i++) {
        unsigned which = wish->highest ? map->count - 1 - i : i;

        if (find_in(&map->entries[which], wish, start))
            return true;
    }
    return false;
}
