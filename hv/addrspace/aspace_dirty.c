/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty tracking by write protection. While a region is tracked, the entry of
 * a page that is not marked allows no writing; the fault of the first write
 * marks the page and lets the entry allow it. What the hypervisor writes for
 * the guest is marked as it is written.
 */
#include "addrspace/aspace_impl.h"
#include "api/memory.h"
#include "lib/check.h"

#define WORD_BITS 64

static uint64_t page_of(const struct region *region, uint64_t address)
{
    return (address - region->start.raw) >> PAGE_SHIFT;
}

void region_mark_dirty(struct region *region, uint64_t start, uint64_t end)
{
    if (likely(region->dirty == NULL))
        return;
    for (uint64_t page = page_of(region, start);
         page <= page_of(region, end - 1); page++)
        region->dirty[page / WORD_BITS] |= BIT(page % WORD_BITS);
}

void region_drop_dirty(struct region *region)
{
    if (region->dirty == NULL)
        return;
    memory_free_contiguous(memory_virt_to_phys(region->dirty),
                           region->dirty_frames);
    region->dirty = NULL;
    region->dirty_frames = 0;
}

/* Large leaves are split down to the page; where that fails for want of
 * memory, the whole leaf counts as written. */
void aspace_unprotect_dirty(struct aspace *aspace, struct region *region,
                            uint64_t address, struct s2_slot slot)
{
    struct s2_tables tables = aspace_tables(aspace);
    struct s2_change change = {0};
    uint64_t start = align_down(address, PAGE_SIZE), end = start + PAGE_SIZE;

    CHECK(region->dirty != NULL);
    if (s2_split(&tables, start, end, &change) != OK) {
        start = align_down(address, s2_level_size(slot.level));
        end = start + s2_level_size(slot.level);
    }
    s2_set_flags(&tables, start, end, region->flags, &change);
    aspace_flush(aspace, &change, start, end);
    s2_settle(&tables, region_part(region, start, end));
    region_mark_dirty(region, start, end);
}

static err_t start_locked(struct aspace *aspace, uint64_t address)
{
    struct region *region = aspace_find(aspace, address);
    struct s2_tables tables = aspace_tables(aspace);
    struct s2_change change = {0};
    uint64_t bytes;
    hpa_t bitmap;

    if (region == NULL)
        return ERR_NOT_FOUND;
    if (region->dirty != NULL)
        return ERR_BUSY;
    bytes = align_up(region->size / PAGE_SIZE, WORD_BITS) / 8;
    region->dirty_frames = align_up(bytes, PAGE_SIZE) / PAGE_SIZE;
    bitmap = memory_alloc_contiguous(region->dirty_frames, PAGE_SIZE);
    if (hpa_is_none(bitmap))
        return ERR_NO_MEMORY;
    region->dirty = memory_phys_to_virt(bitmap);
    s2_set_flags(&tables, region->start.raw, region_end(region),
                 region_entry_flags(region), &change);
    aspace_flush(aspace, &change, region->start.raw, region_end(region));
    return OK;
}

err_t aspace_dirty_start(struct aspace *aspace, gpa_t in_region)
{
    err_t error;

    spin_lock(&aspace->lock);
    error = start_locked(aspace, in_region.raw);
    spin_unlock(&aspace->lock);
    return error;
}

/* 64 marks from page `first` on, of a bitmap of `words`. */
static uint64_t marks_at(const uint64_t *dirty, uint64_t words, uint64_t first)
{
    uint64_t word = first / WORD_BITS, shift = first % WORD_BITS;
    uint64_t marks = dirty[word] >> shift;

    if (shift != 0 && word + 1 < words)
        marks |= dirty[word + 1] << (WORD_BITS - shift);
    return marks;
}

static void take_marks(struct region *region, uint64_t first, uint64_t count,
                       uint64_t *bitmap)
{
    uint64_t words = region->dirty_frames * PAGE_SIZE / sizeof(uint64_t);

    for (uint64_t page = 0; page < count; page += WORD_BITS) {
        uint64_t marks = marks_at(region->dirty, words, first + page);

        if (count - page < WORD_BITS)
            marks &= BIT(count - page) - 1;
        bitmap[page / WORD_BITS] = marks;
    }
    for (uint64_t page = first; page < first + count; page++)
        region->dirty[page / WORD_BITS] &= ~BIT(page % WORD_BITS);
}

/* The marks are taken after the flush: what was written before it is marked,
 * what is written after it faults. */
static err_t collect_locked(struct aspace *aspace, uint64_t start, uint64_t end,
                            uint64_t *bitmap)
{
    struct region *region = aspace_find(aspace, start);
    struct s2_tables tables = aspace_tables(aspace);
    struct s2_change change = {0};
    err_t error;

    if (region == NULL || end > region_end(region))
        return ERR_NOT_FOUND;
    if (region->dirty == NULL)
        return ERR_BAD_STATE;
    error = s2_split(&tables, start, end, &change);
    if (error != OK)
        return error;
    s2_set_flags(&tables, start, end, region_entry_flags(region), &change);
    aspace_flush(aspace, &change, start, end);
    s2_settle(&tables, region_part(region, start, end));
    aspace->hint = (struct s2_hint)S2_HINT_NONE;
    take_marks(region, page_of(region, start), (end - start) / PAGE_SIZE,
               bitmap);
    return OK;
}

err_t aspace_dirty_collect(struct aspace *aspace, gpa_t start, uint64_t size,
                           uint64_t *bitmap)
{
    err_t error;

    if (size == 0 || !is_aligned(start.raw | size, PAGE_SIZE))
        return ERR_INVALID_INPUT;
    if (!aspace_has(aspace, start.raw, size))
        return ERR_OUT_OF_RANGE;
    spin_lock(&aspace->lock);
    error = collect_locked(aspace, start.raw, start.raw + size, bitmap);
    spin_unlock(&aspace->lock);
    return error;
}

static err_t stop_locked(struct aspace *aspace, uint64_t address)
{
    struct region *region = aspace_find(aspace, address);
    struct s2_tables tables = aspace_tables(aspace);
    struct s2_change change = {0};
    uint64_t start, end;

    if (region == NULL)
        return ERR_NOT_FOUND;
    if (region->dirty == NULL)
        return ERR_BAD_STATE;
    start = region->start.raw;
    end = region_end(region);
    region_drop_dirty(region);
    s2_set_flags(&tables, start, end, region->flags, &change);
    s2_merge(&tables, region_part(region, start, end), &change);
    aspace_flush(aspace, &change, start, end);
    s2_settle(&tables, region_part(region, start, end));
    aspace->hint = (struct s2_hint)S2_HINT_NONE;
    return OK;
}

err_t aspace_dirty_stop(struct aspace *aspace, gpa_t in_region)
{
    err_t error;

    spin_lock(&aspace->lock);
    error = stop_locked(aspace, in_region.raw);
    spin_unlock(&aspace->lock);
    return error;
}
