/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The regions of an address space, as a list: what is mapped where, before any
 * table says so. Called with the address space's lock held; nothing here fails.
 */
#ifndef ADDRSPACE_REGIONS_H
#define ADDRSPACE_REGIONS_H

#include "addrspace/aspace.h"

static inline uint64_t region_end(const struct region *region)
{
    return region->start.raw + region->size;
}

static inline bool region_has(const struct region *region, uint64_t address)
{
    return address - region->start.raw < region->size;
}

/* The region at `address`, or NULL. A guest's faults and a device's accesses
 * mostly hit what the last one hit. */
struct region *regions_search(struct aspace *aspace, uint64_t address);

static inline struct region *regions_find(struct aspace *aspace,
                                          uint64_t address)
{
    struct region *last = &aspace->regions[aspace->last_hit];

    if (likely(region_has(last, address)))
        return last;
    return regions_search(aspace, address);
}

/* The index of the first region that ends behind `address`. */
unsigned regions_first(const struct aspace *aspace, uint64_t address);

/* Whether some region, every page of the range, is mapped; for the latter,
 * hidden ones are not. */
bool regions_overlap(const struct aspace *aspace, uint64_t start, uint64_t end);
bool regions_cover(const struct aspace *aspace, uint64_t start, uint64_t end);

/* Whether a tracked region reaches both into and out of the range. */
bool regions_divide_tracked(const struct aspace *aspace, uint64_t start,
                            uint64_t end);

/* How many regions have pages in the range. */
unsigned regions_count_in(const struct aspace *aspace, uint64_t start,
                          uint64_t end);

/* How many regions more there are when two meet at `address`: 0 or 1. */
unsigned regions_splits_at(struct aspace *aspace, uint64_t address);
void regions_split_at(struct aspace *aspace, uint64_t address);

/* There must be room, and no overlap. */
void regions_insert(struct aspace *aspace, const struct region *region);

/* Forgets the regions in the range; none reaches out of it. */
void regions_remove(struct aspace *aspace, uint64_t start, uint64_t end);

/* Joins neighbours of one mapping that touch the range and are alike again. */
void regions_join(struct aspace *aspace, uint64_t start, uint64_t end);

#endif
