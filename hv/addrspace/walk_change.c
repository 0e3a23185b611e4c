/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage-2 walker: changing what is mapped. See walk.h for how the pieces
 * make an operation.
 */
#include "addrspace/walk_step.h"
#include "lib/check.h"

/* A leaf's replacement, while it is being built out of the hardware's sight. */
struct piece {
    pte_t *slot; /* NULL: nothing needs to be split */
    unsigned level;
    pte_t link; /* what shall take the leaf's place */
};

/* In place of a leaf, a table of leaves that map the same. */
static err_t leaf_to_table(const struct s2_format *format, pte_t *slot,
                           unsigned level)
{
    hpa_t page = format->address(*slot, level);
    unsigned flags = format->flags(*slot, level);
    hpa_t frame = memory_alloc_frame();
    pte_t *table;

    if (hpa_is_none(frame))
        return ERR_NO_MEMORY;
    table = memory_phys_to_virt(frame);
    for (unsigned i = 0; i < S2_TABLE_ENTRIES; i++)
        table[i] = format->make_leaf(
            hpa_add(page, i * s2_level_size(level - 1)), flags, level - 1);
    *slot = format->make_table(frame, level);
    return OK;
}

/* Splits what `slot` holds until no leaf of it lies across `address`. */
static err_t split_below(const struct s2_format *format, pte_t *slot,
                         unsigned level, uint64_t address)
{
    while (*slot != 0 && !is_aligned(address, s2_level_size(level))) {
        if (s2_is_leaf(format, *slot, level)) {
            err_t error = leaf_to_table(format, slot, level);

            if (error != OK)
                return error;
        }
        CHECK(level != 0); /* `address` is that of a page */
        slot = s2_table(format, *slot, level--);
        slot += s2_index(format, address, level);
    }
    return OK;
}

/* The leaf that lies across `address`, if there is one. */
static struct piece piece_across(const struct s2_tables *tables,
                                 uint64_t address)
{
    struct s2_hint none = S2_HINT_NONE;
    struct s2_slot slot;

    if (address >= s2_gpa_limit(tables->format))
        return (struct piece){0};
    slot = s2_lookup(tables, address, &none);
    if (*slot.entry == 0 || is_aligned(address, s2_level_size(slot.level)))
        return (struct piece){0};
    return (struct piece){
        .slot = slot.entry, .level = slot.level, .link = *slot.entry};
}

static err_t piece_split(const struct s2_format *format, struct piece *piece,
                         uint64_t address)
{
    if (piece->slot == NULL)
        return OK;
    return split_below(format, &piece->link, piece->level, address);
}

static void piece_discard(const struct s2_format *format,
                          const struct piece *piece)
{
    if (piece->slot != NULL)
        s2_free_tables(format, piece->link, piece->level);
}

static void piece_install(const struct s2_format *format,
                          const struct piece *piece, struct s2_change *change)
{
    if (piece->slot == NULL)
        return;
    s2_write(piece->slot, format->detach(piece->link, piece->level));
    change->tables = true;
}

err_t s2_split(const struct s2_tables *tables, uint64_t start, uint64_t end,
               struct s2_change *change)
{
    const struct s2_format *format = tables->format;
    struct piece first = piece_across(tables, start);
    struct piece last = piece_across(tables, end);
    bool same = first.slot == last.slot;
    err_t error = piece_split(format, &first, start);

    if (error == OK)
        error = piece_split(format, same ? &first : &last, end);
    if (same)
        last.slot = NULL;
    if (error != OK) {
        piece_discard(format, &first);
        piece_discard(format, &last);
        return error;
    }
    piece_install(format, &first, change);
    piece_install(format, &last, change);
    return OK;
}

static void set_flags_in(const struct s2_format *format, pte_t *table,
                         unsigned level, uint64_t start, uint64_t end,
                         unsigned flags, struct s2_change *change)
{
    s2_for_each_step(step, format, table, level, start, end)
    {
        pte_t old = *step.slot, entry;

        if (s2_is_table(format, old, level))
            set_flags_in(format, s2_table(format, old, level), level - 1,
                         step.start, step.end, flags, change);
        if (old == 0 || !s2_is_leaf(format, old, level))
            continue;
        CHECK(s2_step_is_whole(&step, level));
        entry = format->make_leaf(
            format->address(old, level),
            flags | (format->flags(old, level) & MEM_OWNED), level);
        if (entry == old)
            continue;
        change->leaves |= format->is_attached(old, level);
        s2_write(step.slot, entry);
    }
}

void s2_set_flags(const struct s2_tables *tables, uint64_t start, uint64_t end,
                  unsigned flags, struct s2_change *change)
{
    set_flags_in(tables->format, s2_root(tables), s2_root_level(tables), start,
                 end, flags, change);
}

static pte_t merged_leaf(const struct s2_format *format, pte_t link,
                         unsigned level);

/* The leaf that an entry is, or, as a table detached by merge_in(), will be;
 * otherwise 0. */
static pte_t future_leaf(const struct s2_format *format, pte_t entry,
                         unsigned level)
{
    if (entry == 0 || s2_is_leaf(format, entry, level))
        return entry;
    if (format->is_attached(entry, level))
        return 0;
    return merged_leaf(format, entry, level);
}

/* The leaf that could replace table `link`, or 0. */
static pte_t merged_leaf(const struct s2_format *format, pte_t link,
                         unsigned level)
{
    const pte_t *table = s2_table(format, link, level);
    pte_t first = future_leaf(format, table[0], level - 1);
    unsigned flags;
    hpa_t page;

    if (first == 0 || level > format->max_leaf_level)
        return 0;
    page = format->address(first, level - 1);
    flags = format->flags(first, level - 1);
    if (!is_aligned(page.raw, s2_level_size(level)))
        return 0;
    for (unsigned i = 1; i < S2_TABLE_ENTRIES; i++) {
        hpa_t at = hpa_add(page, i * s2_level_size(level - 1));

        if (future_leaf(format, table[i], level - 1) !=
            format->make_leaf(at, flags, level - 1))
            return 0;
    }
    return format->make_leaf(page, flags, level);
}

/* Whether the entry of a step at `level` maps nothing out of bounds. */
static bool is_in_bounds(const struct s2_step *step, unsigned level,
                         const struct s2_part *part)
{
    uint64_t size = s2_level_size(level);
    uint64_t base = align_down(step->start, size);

    return base >= part->low && base + size <= part->high;
}

/* From the leaves up, so that merged tables can make their parent merge. */
static void merge_in(const struct s2_format *format, pte_t *table,
                     unsigned level, const struct s2_part *part,
                     struct s2_change *change)
{
    s2_for_each_step(step, format, table, level, part->start, part->end)
    {
        struct s2_part below = {step.start, step.end, part->low, part->high};
        pte_t link = *step.slot;

        if (!s2_is_table(format, link, level))
            continue;
        merge_in(format, s2_table(format, link, level), level - 1, &below,
                 change);
        if (!is_in_bounds(&step, level, part) ||
            merged_leaf(format, link, level) == 0)
            continue;
        s2_write(step.slot, format->detach(link, level));
        change->tables = true;
    }
}

void s2_merge(const struct s2_tables *tables, struct s2_part part,
              struct s2_change *change)
{
    merge_in(tables->format, s2_root(tables), s2_root_level(tables), &part,
             change);
}

static bool is_empty(const pte_t *from, const pte_t *to)
{
    while (from < to) {
        if (*from++ != 0)
            return false;
    }
    return true;
}

/* True when the table, not the root, holds nothing that stays attached. */
static bool detach_in(const struct s2_format *format, pte_t *table,
                      unsigned level, uint64_t start, uint64_t end,
                      struct s2_change *change)
{
    pte_t *first = &table[s2_index(format, start, level)];
    pte_t *last = &table[s2_index(format, end - 1, level)];
    bool nothing_stays = true;

    s2_for_each_step(step, format, table, level, start, end)
    {
        pte_t entry = *step.slot;
        bool is_table = s2_is_table(format, entry, level);

        if (entry == 0)
            continue;
        if (is_table && !s2_step_is_whole(&step, level) &&
            !detach_in(format, s2_table(format, entry, level), level - 1,
                       step.start, step.end, change)) {
            nothing_stays = false;
            continue;
        }
        if (format->is_attached(entry, level)) {
            change->tables |= is_table;
            change->leaves = true;
        }
        s2_write(step.slot, format->detach(entry, level));
    }
    return nothing_stays && level + 1u != format->levels &&
           is_empty(table, first) &&
           is_empty(last + 1, table + S2_TABLE_ENTRIES);
}

void s2_detach(const struct s2_tables *tables, uint64_t start, uint64_t end,
               struct s2_change *change)
{
    detach_in(tables->format, s2_root(tables), s2_root_level(tables), start,
              end, change);
}

static void free_page(const struct s2_format *format, pte_t entry,
                      unsigned level)
{
    if (format->flags(entry, level) & MEM_OWNED)
        memory_free_contiguous(format->address(entry, level),
                               s2_level_size(level) / PAGE_SIZE);
}

/* `hidden`: the hardware does not get as far as `slot`. */
static void reap_in(const struct s2_format *format, pte_t *slot, unsigned level,
                    uint64_t start, uint64_t end, bool hidden)
{
    pte_t *table;

    if (*slot == 0)
        return;
    hidden |= !format->is_attached(*slot, level);
    if (s2_is_leaf(format, *slot, level)) {
        CHECK(hidden && end - start == s2_level_size(level));
        free_page(format, *slot, level);
        s2_write(slot, 0);
        return;
    }
    table = s2_table(format, *slot, level);
    s2_for_each_step(step, format, table, level - 1, start, end)
        reap_in(format, step.slot, level - 1, step.start, step.end, hidden);
    if (end - start != s2_level_size(level) &&
        !is_empty(table, table + S2_TABLE_ENTRIES))
        return;
    CHECK(hidden);
    memory_free_frame(format->address(*slot, level));
    s2_write(slot, 0);
}

void s2_reap(const struct s2_tables *tables, uint64_t start, uint64_t end)
{
    unsigned level = s2_root_level(tables);

    s2_for_each_step(step, tables->format, s2_root(tables), level, start, end)
        reap_in(tables->format, step.slot, level, step.start, step.end, false);
}

/* From the leaves up: what becomes visible is settled below. */
static void settle_in(const struct s2_format *format, pte_t *table,
                      unsigned level, const struct s2_part *part)
{
    s2_for_each_step(step, format, table, level, part->start, part->end)
    {
        struct s2_part below = {step.start, step.end, part->low, part->high};
        pte_t link = *step.slot, leaf = 0;
        bool attached;

        if (!s2_is_table(format, link, level))
            continue;
        attached = format->is_attached(link, level);
        if (!attached && is_in_bounds(&step, level, part))
            leaf = merged_leaf(format, link, level);
        if (leaf != 0) {
            s2_write(step.slot, leaf);
            s2_free_tables(format, link, level);
            continue;
        }
        settle_in(format, s2_table(format, link, level), level - 1, &below);
        if (!attached)
            s2_write(step.slot, format->attach(link, level));
    }
}

void s2_settle(const struct s2_tables *tables, struct s2_part part)
{
    settle_in(tables->format, s2_root(tables), s2_root_level(tables), &part);
}
