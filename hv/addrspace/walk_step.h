/* SPDX-License-Identifier: Apache-2.0 */
/* What the walker's files share: entries, tables, and steps along a range. */
#ifndef ADDRSPACE_WALK_STEP_H
#define ADDRSPACE_WALK_STEP_H

#include "addrspace/walk.h"
#include "api/memory.h"
#include "lib/bits.h"

/* One entry of a table, and the part of a range that lies below it. */
struct s2_step {
    uint64_t start, end;
    pte_t *slot;
};

/* Only the root has more entries than S2_TABLE_ENTRIES, and its index is all
 * that is left of an address. */
static inline uint64_t s2_index(const struct s2_format *format,
                                uint64_t address, unsigned level)
{
    uint64_t index = address >> s2_level_shift(level);

    return level + 1u == format->levels ? index
                                        : index & (S2_TABLE_ENTRIES - 1);
}

static inline bool s2_is_leaf(const struct s2_format *format, pte_t entry,
                              unsigned level)
{
    return level == 0 || format->is_leaf(entry, level);
}

static inline bool s2_is_table(const struct s2_format *format, pte_t entry,
                               unsigned level)
{
    return entry != 0 && !s2_is_leaf(format, entry, level);
}

/* The table that the entry `link` at `level` points to. */
static inline pte_t *s2_table(const struct s2_format *format, pte_t link,
                              unsigned level)
{
    return memory_phys_to_virt(format->address(link, level));
}

static inline unsigned s2_root_level(const struct s2_tables *tables)
{
    return tables->format->levels - 1u;
}

static inline pte_t *s2_root(const struct s2_tables *tables)
{
    return memory_phys_to_virt(tables->root);
}

static inline struct s2_step s2_step_at(const struct s2_format *format,
                                        pte_t *table, unsigned level,
                                        uint64_t start, uint64_t end)
{
    uint64_t size = s2_level_size(level);
    uint64_t next = align_down(start, size) + size;

    return (struct s2_step){.start = start,
                            .end = next < end ? next : end,
                            .slot = &table[s2_index(format, start, level)]};
}

static inline bool s2_step_is_whole(const struct s2_step *step, unsigned level)
{
    return step->end - step->start == s2_level_size(level);
}

/* Runs the body once for each entry of `table` that maps some of [from, to),
 * as `step`. */
#define s2_for_each_step(step, format, table, level, from, to) \
    for (struct s2_step step = {.end = (from)};                \
         step.end < (to) &&                                    \
         (step = s2_step_at(format, table, level, step.end, to), true);)

/* Frees the tables at and below `link`, not what their leaves map. */
void s2_free_tables(const struct s2_format *format, pte_t link, unsigned level);

#endif
