/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage-2 walker: creating, looking up, mapping. See walk.h for how the
 * pieces make an operation, walk_change.c for those that change what exists.
 *
 * Functions over ranges recurse along the levels, at most five deep.
 */
#include "addrspace/walk_step.h"
#include "lib/check.h"

err_t s2_create(const struct s2_format *format, struct s2_tables *tables)
{
    uint64_t frames = s2_root_frames(format);
    hpa_t root = memory_alloc_contiguous(frames, frames * PAGE_SIZE);

    if (hpa_is_none(root))
        return ERR_NO_MEMORY;
    *tables = (struct s2_tables){.format = format, .root = root};
    return OK;
}

void s2_destroy(const struct s2_tables *tables)
{
    memory_free_contiguous(tables->root, s2_root_frames(tables->format));
}

struct s2_slot s2_lookup(const struct s2_tables *tables, uint64_t address,
                         struct s2_hint *hint)
{
    const struct s2_format *format = tables->format;
    unsigned level = s2_root_level(tables);
    pte_t *table, *slot;

    if (address >> hint->shift == hint->part) {
        level = hint->level;
        table = hint->table;
    } else {
        table = s2_root(tables);
    }
    slot = &table[s2_index(format, address, level)];
    while (level != 0 && s2_is_table(format, *slot, level)) {
        table = s2_table(format, *slot, level--);
        slot = &table[s2_index(format, address, level)];
        hint->table = table;
        hint->level = level;
        hint->shift = s2_level_shift(level + 1);
        hint->part = address >> hint->shift;
    }
    return (struct s2_slot){.entry = slot, .level = level};
}

void s2_free_tables(const struct s2_format *format, pte_t link, unsigned level)
{
    pte_t *table;

    if (!s2_is_table(format, link, level))
        return;
    table = s2_table(format, link, level);
    for (unsigned i = 0; i < S2_TABLE_ENTRIES; i++)
        s2_free_tables(format, table[i], level - 1);
    memory_free_frame(format->address(link, level));
}

/* From the leaf up: nothing is visible before the last store. */
err_t s2_fill(const struct s2_tables *tables, struct s2_slot slot,
              uint64_t address, pte_t leaf)
{
    const struct s2_format *format = tables->format;
    pte_t entry = leaf;

    for (unsigned level = 0; level < slot.level; level++) {
        hpa_t frame = memory_alloc_frame();
        pte_t *table;

        if (hpa_is_none(frame)) {
            s2_free_tables(format, entry, level);
            return ERR_NO_MEMORY;
        }
        table = memory_phys_to_virt(frame);
        table[s2_index(format, address, level)] = entry;
        entry = format->make_table(frame, level + 1);
    }
    s2_write(slot.entry, entry);
    return OK;
}

/* The page of a leaf at `level` for `address`. False when there is none so
 * large: smaller ones may do. */
static bool take_page(struct s2_source *source, uint64_t address,
                      unsigned level, hpa_t *page)
{
    uint64_t size = s2_level_size(level);

    if (level > source->top_level)
        return false;
    if (!(source->flags & MEM_OWNED)) {
        *page = hpa(address + source->delta);
        return is_aligned(page->raw, size);
    }
    *page = level == 0 ? memory_alloc_frame()
                       : memory_alloc_contiguous(size / PAGE_SIZE, size);
    if (!hpa_is_none(*page))
        return true;
    /* The host is out of runs of this size: do not ask for each leaf. */
    source->top_level = level == 0 ? 0 : level - 1;
    return false;
}

/* A new entry is detached where the hardware would see it; below a detached
 * one, it does not. */
static void put_new(const struct s2_format *format, const struct s2_step *step,
                    pte_t entry, unsigned level, bool hidden)
{
    s2_write(step->slot, hidden ? entry : format->detach(entry, level));
}

/* The table below the step's entry, made if there is none yet. */
static err_t need_table(const struct s2_format *format,
                        const struct s2_step *step, unsigned level, bool hidden)
{
    hpa_t frame;

    if (*step->slot != 0)
        return OK;
    frame = memory_alloc_frame();
    if (hpa_is_none(frame))
        return ERR_NO_MEMORY;
    put_new(format, step, format->make_table(frame, level), level, hidden);
    return OK;
}

static err_t map_in(const struct s2_format *format, pte_t *table,
                    unsigned level, uint64_t start, uint64_t end,
                    struct s2_source *source, bool hidden)
{
    s2_for_each_step(step, format, table, level, start, end)
    {
        err_t error;
        hpa_t page;

        if (*step.slot == 0 && s2_step_is_whole(&step, level) &&
            take_page(source, step.start, level, &page)) {
            put_new(format, &step,
                    format->make_leaf(page, source->flags, level), level,
                    hidden);
            continue;
        }
        if (level == 0)
            return ERR_NO_MEMORY;
        error = need_table(format, &step, level, hidden);
        if (error != OK)
            return error;
        CHECK(!s2_is_leaf(format, *step.slot, level));
        error = map_in(format, s2_table(format, *step.slot, level), level - 1,
                       step.start, step.end, source,
                       hidden || !format->is_attached(*step.slot, level));
        if (error != OK)
            return error;
    }
    return OK;
}

err_t s2_map(const struct s2_tables *tables, uint64_t start, uint64_t end,
             struct s2_source *source)
{
    return map_in(tables->format, s2_root(tables), s2_root_level(tables), start,
                  end, source, false);
}

static void attach_in(const struct s2_format *format, pte_t *table,
                      unsigned level, uint64_t start, uint64_t end)
{
    s2_for_each_step(step, format, table, level, start, end)
    {
        pte_t entry = *step.slot;

        CHECK(entry != 0);
        if (!format->is_attached(entry, level))
            s2_write(step.slot, format->attach(entry, level));
        else if (!s2_is_leaf(format, entry, level))
            attach_in(format, s2_table(format, entry, level), level - 1,
                      step.start, step.end);
    }
}

void s2_attach(const struct s2_tables *tables, uint64_t start, uint64_t end)
{
    attach_in(tables->format, s2_root(tables), s2_root_level(tables), start,
              end);
}
