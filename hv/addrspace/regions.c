/* SPDX-License-Identifier: Apache-2.0 */
/* The regions of an address space: see regions.h. */
#include "addrspace/regions.h"
#include "lib/check.h"
#include "lib/string.h"

unsigned regions_first(const struct aspace *aspace, uint64_t address)
{
    unsigned low = 0, high = aspace->region_count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (region_end(&aspace->regions[middle]) > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct region *regions_search(struct aspace *aspace, uint64_t address)
{
    unsigned i = regions_first(aspace, address);

    if (i == aspace->region_count || !region_has(&aspace->regions[i], address))
        return NULL;
    aspace->last_hit = i;
    return &aspace->regions[i];
}

bool regions_overlap(const struct aspace *aspace, uint64_t start, uint64_t end)
{
    unsigned i = regions_first(aspace, start);

    return i < aspace->region_count && aspace->regions[i].start.raw < end;
}

bool regions_cover(const struct aspace *aspace, uint64_t start, uint64_t end)
{
    for (unsigned i = regions_first(aspace, start); start < end; i++) {
        if (i == aspace->region_count || aspace->regions[i].start.raw > start ||
            aspace->regions[i].backing == BACKING_HIDDEN)
            return false;
        start = region_end(&aspace->regions[i]);
    }
    return true;
}

bool regions_divide_tracked(const struct aspace *aspace, uint64_t start,
                            uint64_t end)
{
    for (unsigned i = regions_first(aspace, start);
         i < aspace->region_count && aspace->regions[i].start.raw < end; i++) {
        const struct region *region = &aspace->regions[i];

        if (region->dirty != NULL &&
            (region->start.raw < start || region_end(region) > end))
            return true;
    }
    return false;
}

unsigned regions_count_in(const struct aspace *aspace, uint64_t start,
                          uint64_t end)
{
    return regions_first(aspace, end - 1) - regions_first(aspace, start) +
           (regions_overlap(aspace, end - 1, end) ? 1 : 0);
}

/* The region that has pages on both sides of `address`, or NULL. */
static struct region *region_across(struct aspace *aspace, uint64_t address)
{
    unsigned i = regions_first(aspace, address);

    if (i == aspace->region_count || aspace->regions[i].start.raw >= address)
        return NULL;
    return &aspace->regions[i];
}

unsigned regions_splits_at(struct aspace *aspace, uint64_t address)
{
    return region_across(aspace, address) != NULL ? 1 : 0;
}

/* Makes room at index `i`, or closes the gap there. */
static void shift(struct aspace *aspace, unsigned i, int by)
{
    struct region *from = &aspace->regions[by < 0 ? i + 1 : i];
    struct region *to = &aspace->regions[by < 0 ? i : i + 1];
    unsigned end = aspace->region_count;

    CHECK(by < 0 || end < ARRAY_SIZE(aspace->regions));
    memmove(to, from,
            (size_t)(&aspace->regions[end] - from) * sizeof(struct region));
    aspace->region_count += (unsigned)by;
    /* What lies behind the last one is none, and has no size. */
    if (by < 0)
        aspace->regions[aspace->region_count].size = 0;
}

void regions_split_at(struct aspace *aspace, uint64_t address)
{
    struct region *region = region_across(aspace, address);
    uint64_t size;

    if (region == NULL)
        return;
    CHECK(region->dirty == NULL);
    size = address - region->start.raw;
    shift(aspace, (unsigned)(region - aspace->regions), 1);
    region[0].size = size;
    region[1].start = gpa(address);
    region[1].size -= size;
}

void regions_insert(struct aspace *aspace, const struct region *region)
{
    unsigned i = regions_first(aspace, region->start.raw);

    shift(aspace, i, 1);
    aspace->regions[i] = *region;
}

void regions_remove(struct aspace *aspace, uint64_t start, uint64_t end)
{
    unsigned i = regions_first(aspace, start);

    while (i < aspace->region_count && aspace->regions[i].start.raw < end) {
        CHECK(aspace->regions[i].start.raw >= start);
        CHECK(region_end(&aspace->regions[i]) <= end);
        shift(aspace, i, -1);
    }
}

/* Linear parts of one mapping continue each other in host memory. */
static bool are_alike(const struct region *left, const struct region *right)
{
    return left->mapping == right->mapping && left->flags == right->flags &&
           region_end(left) == right->start.raw && left->dirty == NULL &&
           right->dirty == NULL;
}

void regions_join(struct aspace *aspace, uint64_t start, uint64_t end)
{
    unsigned i = regions_first(aspace, start == 0 ? 0 : start - 1);

    while (i + 1 < aspace->region_count &&
           aspace->regions[i].start.raw <= end) {
        struct region *region = &aspace->regions[i];

        if (!are_alike(&region[0], &region[1])) {
            i++;
            continue;
        }
        region[0].size += region[1].size;
        shift(aspace, i + 1, -1);
    }
}
