/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space: mapping, unmapping, protecting, faults. See aspace.h for
 * the contract, walk.h for the steps of which an operation is made, and
 * regions.h for the list that says what is mapped where.
 *
 * The tables never know more than the regions: a leaf lies within one region,
 * and what is no region has no entries. A linear region is all in the tables;
 * a lazy one as far as it was touched.
 */
#include "addrspace/aspace_impl.h"
#include "api/memory.h"
#include "lib/check.h"
#include "lib/string.h"

_Static_assert((unsigned)MEM_READ == ACCESS_READ &&
                   (unsigned)MEM_WRITE == ACCESS_WRITE &&
                   (unsigned)MEM_EXECUTE == ACCESS_EXECUTE,
               "an access is compared with what is allowed");

err_t aspace_init(struct aspace *aspace, const struct s2_format *format,
                  const struct aspace_flusher *flusher)
{
    struct s2_tables tables;
    err_t error;

    memset(aspace, 0, sizeof(*aspace));
    error = s2_create(format, &tables);
    if (error != OK)
        return error;
    aspace->format = tables.format;
    aspace->root = tables.root;
    aspace->hint = (struct s2_hint)S2_HINT_NONE;
    if (flusher != NULL)
        aspace->flusher = *flusher;
    return OK;
}

void aspace_flush(struct aspace *aspace, const struct s2_change *change,
                  uint64_t start, uint64_t end)
{
    const struct aspace_flusher *flusher = &aspace->flusher;

    if (change->tables || change->leaves)
        atomic_fetch_add(&aspace->generation, 1);
    if (flusher->flush == NULL)
        return;
    if (change->tables)
        flusher->flush(flusher->context, gpa(0), s2_gpa_limit(aspace->format));
    else if (change->leaves)
        flusher->flush(flusher->context, gpa(start), end - start);
}

/* Empties the range, which no leaf reaches out of. */
static void empty_range(struct aspace *aspace, uint64_t start, uint64_t end,
                        struct s2_change *change)
{
    struct s2_tables tables = aspace_tables(aspace);

    s2_detach(&tables, start, end, change);
    aspace_flush(aspace, change, start, end);
    s2_reap(&tables, start, end);
    s2_settle(&tables, (struct s2_part){start, end, start, end});
    aspace->hint = (struct s2_hint)S2_HINT_NONE;
    for (unsigned i = regions_first(aspace, start);
         i < aspace->region_count && aspace->regions[i].start.raw < end; i++)
        region_drop_dirty(&aspace->regions[i]);
    regions_remove(aspace, start, end);
}

void aspace_fini(struct aspace *aspace)
{
    struct s2_change change = {0};
    struct s2_tables tables = aspace_tables(aspace);

    if (hpa_is_none(aspace->root))
        return;
    spin_lock(&aspace->lock);
    empty_range(aspace, 0, s2_gpa_limit(aspace->format), &change);
    spin_unlock(&aspace->lock);
    s2_destroy(&tables);
    aspace->root = HPA_NONE;
}

static err_t check_range(const struct aspace *aspace, gpa_t start,
                         uint64_t size)
{
    if (size == 0 || !is_aligned(start.raw | size, PAGE_SIZE))
        return ERR_INVALID_INPUT;
    return aspace_has(aspace, start.raw, size) ? OK : ERR_OUT_OF_RANGE;
}

/* A page that can be written can be read: no format has it otherwise. */
static unsigned complete_access(unsigned flags)
{
    return flags & MEM_WRITE ? flags | MEM_READ : flags;
}

static err_t check_flags(unsigned flags)
{
    if ((flags & ~(unsigned)(MEM_ACCESS | MEM_TYPE)) != 0 ||
        (flags & MEM_TYPE) == MEM_TYPE)
        return ERR_INVALID_INPUT;
    return OK;
}

static err_t map_locked(struct aspace *aspace, struct region *region,
                        struct s2_source *source)
{
    uint64_t start = region->start.raw, end = region_end(region);
    struct s2_tables tables = aspace_tables(aspace);
    err_t error = OK;

    if (regions_overlap(aspace, start, end))
        return ERR_ALREADY_EXISTS;
    if (aspace->region_count == ASPACE_MAX_REGIONS)
        return ERR_NO_MEMORY;
    if (source != NULL)
        error = s2_map(&tables, start, end, source);
    if (error != OK) {
        s2_reap(&tables, start, end);
        return error;
    }
    region->mapping = ++aspace->mappings;
    regions_insert(aspace, region);
    if (source != NULL)
        s2_attach(&tables, start, end);
    return OK;
}

/* `source`: where the pages come from, now; NULL when they are touched. */
static err_t map_region(struct aspace *aspace, struct region *region,
                        struct s2_source *source)
{
    err_t error = check_flags(region->flags);

    if (error == OK)
        error = check_range(aspace, region->start, region->size);
    if (error != OK)
        return error;
    region->flags = complete_access(region->flags);
    if (source != NULL)
        source->flags |= region->flags;
    spin_lock(&aspace->lock);
    error = map_locked(aspace, region, source);
    spin_unlock(&aspace->lock);
    return error;
}

static err_t map_host(struct aspace *aspace, gpa_t start, hpa_t to,
                      uint64_t size, unsigned flags,
                      enum region_backing backing)
{
    uint64_t hpa_limit = UINT64_C(1) << aspace->format->hpa_bits;
    struct region region = {
        .start = start, .size = size, .flags = flags, .backing = backing};
    struct s2_source source = {.delta = to.raw - start.raw,
                               .top_level = aspace->format->max_leaf_level};

    if (!is_aligned(to.raw, PAGE_SIZE))
        return ERR_INVALID_INPUT;
    if (size > hpa_limit || to.raw > hpa_limit - size)
        return ERR_OUT_OF_RANGE;
    return map_region(aspace, &region, &source);
}

err_t aspace_map_linear(struct aspace *aspace, gpa_t start, hpa_t to,
                        uint64_t size, unsigned flags)
{
    return map_host(aspace, start, to, size, flags, BACKING_LINEAR);
}

err_t aspace_map_hidden(struct aspace *aspace, gpa_t start, hpa_t to,
                        uint64_t size)
{
    return map_host(aspace, start, to, size, MEM_READ | MEM_WRITE,
                    BACKING_HIDDEN);
}

err_t aspace_map_lazy(struct aspace *aspace, gpa_t start, uint64_t size,
                      unsigned flags, bool populate)
{
    struct region region = {
        .start = start, .size = size, .flags = flags, .backing = BACKING_LAZY};
    struct s2_source source = {.flags = MEM_OWNED,
                               .top_level = aspace->format->max_leaf_level};

    return map_region(aspace, &region, populate ? &source : NULL);
}

/* Whether the list has room when regions are divided at both ends of the
 * range, and `removed` regions go. */
static bool can_divide(struct aspace *aspace, uint64_t start, uint64_t end,
                       unsigned removed)
{
    unsigned added =
        regions_splits_at(aspace, start) + regions_splits_at(aspace, end);

    return aspace->region_count + added - removed <= ASPACE_MAX_REGIONS;
}

static err_t unmap_locked(struct aspace *aspace, uint64_t start, uint64_t end)
{
    struct s2_tables tables = aspace_tables(aspace);
    struct s2_change change = {0};
    err_t error;

    if (!regions_overlap(aspace, start, end))
        return OK;
    if (regions_divide_tracked(aspace, start, end))
        return ERR_BUSY;
    if (!can_divide(aspace, start, end, regions_count_in(aspace, start, end)))
        return ERR_NO_MEMORY;
    error = s2_split(&tables, start, end, &change);
    if (error != OK)
        return error;
    regions_split_at(aspace, start);
    regions_split_at(aspace, end);
    empty_range(aspace, start, end, &change);
    return OK;
}

err_t aspace_unmap(struct aspace *aspace, gpa_t start, uint64_t size)
{
    err_t error = check_range(aspace, start, size);

    if (error != OK)
        return error;
    spin_lock(&aspace->lock);
    error = unmap_locked(aspace, start.raw, start.raw + size);
    spin_unlock(&aspace->lock);
    return error;
}

/* Merges leaves that touch the range, region by region: a leaf lies in one,
 * also if its neighbours of another one happen to look alike. */
static void merge_range(struct aspace *aspace, uint64_t start, uint64_t end,
                        struct s2_change *change)
{
    struct s2_tables tables = aspace_tables(aspace);

    for (unsigned i = regions_first(aspace, start);
         i < aspace->region_count && aspace->regions[i].start.raw < end; i++)
        s2_merge(&tables, region_part(&aspace->regions[i], start, end), change);
}

static void settle_range(struct aspace *aspace, uint64_t start, uint64_t end)
{
    struct s2_tables tables = aspace_tables(aspace);

    for (unsigned i = regions_first(aspace, start);
         i < aspace->region_count && aspace->regions[i].start.raw < end; i++)
        s2_settle(&tables, region_part(&aspace->regions[i], start, end));
}

/* No region reaches out of the range. */
static void set_access(struct aspace *aspace, uint64_t start, uint64_t end,
                       unsigned access, struct s2_change *change)
{
    struct s2_tables tables = aspace_tables(aspace);

    for (unsigned i = regions_first(aspace, start);
         i < aspace->region_count && aspace->regions[i].start.raw < end; i++) {
        struct region *region = &aspace->regions[i];

        region->flags = (region->flags & ~(unsigned)MEM_ACCESS) | access;
        s2_set_flags(&tables, region->start.raw, region_end(region),
                     region_entry_flags(region), change);
    }
}

static err_t protect_locked(struct aspace *aspace, uint64_t start, uint64_t end,
                            unsigned access)
{
    struct s2_tables tables = aspace_tables(aspace);
    struct s2_change change = {0};
    err_t error;

    if (!regions_cover(aspace, start, end))
        return ERR_NOT_FOUND;
    if (regions_divide_tracked(aspace, start, end))
        return ERR_BUSY;
    if (!can_divide(aspace, start, end, 0))
        return ERR_NO_MEMORY;
    error = s2_split(&tables, start, end, &change);
    if (error != OK)
        return error;
    regions_split_at(aspace, start);
    regions_split_at(aspace, end);
    set_access(aspace, start, end, access, &change);
    regions_join(aspace, start, end);
    merge_range(aspace, start, end, &change);
    aspace_flush(aspace, &change, start, end);
    settle_range(aspace, start, end);
    aspace->hint = (struct s2_hint)S2_HINT_NONE;
    return OK;
}

err_t aspace_protect(struct aspace *aspace, gpa_t start, uint64_t size,
                     unsigned flags)
{
    err_t error = check_range(aspace, start, size);

    if (error != OK)
        return error;
    spin_lock(&aspace->lock);
    error = protect_locked(aspace, start.raw, start.raw + size,
                           complete_access(flags & MEM_ACCESS));
    spin_unlock(&aspace->lock);
    return error;
}

/* First touch of a lazy page. A write is about to happen: it is marked now. */
static err_t fill_page(struct aspace *aspace, struct region *region,
                       uint64_t address, unsigned access, struct s2_slot slot)
{
    struct s2_tables tables = aspace_tables(aspace);
    unsigned flags = region_entry_flags(region) | MEM_OWNED |
                     (access & ACCESS_WRITE ? MEM_WRITE : 0);
    hpa_t frame = memory_alloc_frame();
    err_t error;

    if (hpa_is_none(frame))
        return ERR_NO_MEMORY;
    error = s2_fill(&tables, slot, address,
                    aspace->format->make_leaf(frame, flags, 0));
    if (error != OK) {
        memory_free_frame(frame);
        return error;
    }
    if (access & ACCESS_WRITE)
        region_mark_dirty(region, address, address + 1);
    return OK;
}

err_t aspace_back_page(struct aspace *aspace, struct region *region,
                       uint64_t address, unsigned access, bool *changed,
                       struct s2_slot *slot)
{
    pte_t entry;
    err_t error;

    *slot = aspace_lookup(aspace, address);
    entry = *slot->entry;
    if (entry == 0) {
        CHECK(region->backing == BACKING_LAZY);
        error = fill_page(aspace, region, address, access, *slot);
        *changed = error == OK;
        return error;
    }
    *changed = (access & ~aspace->format->flags(entry, slot->level)) != 0;
    if (*changed)
        aspace_unprotect_dirty(aspace, region, address, *slot);
    return OK;
}

static err_t fault_locked(struct aspace *aspace, uint64_t address,
                          unsigned access, bool *changed)
{
    struct region *region = aspace_find(aspace, address);
    struct s2_slot slot;

    *changed = false;
    if (region == NULL)
        return ERR_NOT_FOUND;
    if ((access & ~region->flags) != 0)
        return ERR_DENIED;
    return aspace_back_page(aspace, region, address, access, changed, &slot);
}

/*
 * What a guest's fault mostly is: the first touch of a page, in the region and
 * beside the page that were touched before. It takes no walk, no call but for
 * the frame and the format's, and one store. False when it is something else,
 * or has failed: fault_locked() finds out what.
 */
static inline bool touch_near(struct aspace *aspace, uint64_t address,
                              unsigned access)
{
    const struct region *region = &aspace->regions[aspace->last_hit];
    pte_t *slot = s2_lookup_near(&aspace->hint, address);
    hpa_t frame;

    if (!region_has(region, address) || (access & ~region->flags) != 0 ||
        slot == NULL || *slot != 0 || region->dirty != NULL)
        return false;
    frame = memory_alloc_frame();
    if (unlikely(hpa_is_none(frame)))
        return false;
    s2_write(slot,
             aspace->format->make_leaf(frame, region->flags | MEM_OWNED, 0));
    return true;
}

err_t aspace_handle_fault(struct aspace *aspace, gpa_t address, unsigned access,
                          bool *resolved)
{
    bool changed = true;
    err_t error = OK;

    spin_lock(&aspace->lock);
    if (unlikely(!touch_near(aspace, address.raw, access)))
        error = fault_locked(aspace, address.raw, access, &changed);
    spin_unlock(&aspace->lock);
    if (resolved != NULL)
        *resolved = changed;
    return error;
}

static err_t translate_locked(struct aspace *aspace, uint64_t address,
                              hpa_t *to, unsigned *flags, uint64_t *run)
{
    struct region *region = aspace_find(aspace, address);
    struct s2_slot slot;
    uint64_t offset, size;

    if (region == NULL)
        return ERR_NOT_FOUND;
    slot = aspace_lookup(aspace, address);
    if (*slot.entry == 0)
        return ERR_NOT_FOUND;
    size = s2_level_size(slot.level);
    offset = address & (size - 1);
    if (to != NULL)
        *to = hpa_add(aspace->format->address(*slot.entry, slot.level), offset);
    if (flags != NULL)
        *flags = region->flags;
    if (run != NULL)
        *run = least_of(size - offset, region_end(region) - address);
    return OK;
}

err_t aspace_translate(struct aspace *aspace, gpa_t address, hpa_t *to,
                       unsigned *flags, uint64_t *run)
{
    err_t error;

    spin_lock(&aspace->lock);
    error = translate_locked(aspace, address.raw, to, flags, run);
    spin_unlock(&aspace->lock);
    return error;
}
