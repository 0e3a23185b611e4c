/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the address space share. All of it is called with the
 * address space's lock held.
 */
#ifndef ADDRSPACE_ASPACE_IMPL_H
#define ADDRSPACE_ASPACE_IMPL_H

#include "addrspace/regions.h"
#include "lib/bits.h"

/* The smaller of two sizes. */
static inline uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline struct s2_tables aspace_tables(const struct aspace *aspace)
{
    return (struct s2_tables){.format = aspace->format, .root = aspace->root};
}

static inline struct s2_slot aspace_lookup(struct aspace *aspace,
                                           uint64_t address)
{
    pte_t *near = s2_lookup_near(&aspace->hint, address);
    struct s2_tables tables;

    if (likely(near != NULL))
        return (struct s2_slot){.entry = near, .level = 0};
    tables = aspace_tables(aspace);
    return s2_lookup(&tables, address, &aspace->hint);
}

/* Whether [start, start + size) can be addressed. */
static inline bool aspace_has(const struct aspace *aspace, uint64_t start,
                              uint64_t size)
{
    uint64_t limit = s2_gpa_limit(aspace->format);

    return size <= limit && start <= limit - size;
}

/* The region at `address`, or NULL, also if it is hidden. */
static inline struct region *aspace_find(struct aspace *aspace,
                                         uint64_t address)
{
    struct region *region = regions_find(aspace, address);

    return region != NULL && region->backing != BACKING_HIDDEN ? region : NULL;
}

/* What the entries of a region allow: while it is tracked, writing a page
 * faults until it is marked. */
static inline unsigned region_entry_flags(const struct region *region)
{
    return region->dirty == NULL ? region->flags
                                 : region->flags & ~(unsigned)MEM_WRITE;
}

/* Tells the flusher what `change`, made within the range, asks for. */
void aspace_flush(struct aspace *aspace, const struct s2_change *change,
                  uint64_t start, uint64_t end);

/*
 * Makes the page at `address` of `region` present, and allow `access`, which
 * the region does. `changed` says whether that was necessary.
 */
err_t aspace_back_page(struct aspace *aspace, struct region *region,
                       uint64_t address, unsigned access, bool *changed,
                       struct s2_slot *slot) MUST_CHECK;

/* Marks the pages of [start, end), in `region`, if it is tracked. */
void region_mark_dirty(struct region *region, uint64_t start, uint64_t end);

/* Resolves a write to a page of a tracked region whose entry, in `slot`, does
 * not allow it. */
void aspace_unprotect_dirty(struct aspace *aspace, struct region *region,
                            uint64_t address, struct s2_slot slot);

/* Ends the tracking of a region that is going to be forgotten. */
void region_drop_dirty(struct region *region);

/* The part of [start, end) that lies in the region. */
static inline struct s2_part region_part(const struct region *region,
                                         uint64_t start, uint64_t end)
{
    uint64_t low = region->start.raw, high = region_end(region);

    return (struct s2_part){.start = low > start ? low : start,
                            .end = least_of(high, end),
                            .low = low,
                            .high = high};
}

#endif
