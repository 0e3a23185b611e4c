/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage-2 tables of one address space, in any format. The caller holds
 * the address space's lock, and hands in ranges of whole pages within the
 * format's guest-physical width.
 *
 * A change is prepared, where it can still fail, then made, and cleaned up
 * after. Entries that leave, or are replaced by one of another size, are
 * detached first, which the hardware takes for empty; then the caller flushes,
 * once; then frames are freed and replacements attached. On the way there is
 * never a moment in which the hardware could hold two translations of one
 * address, or walk a freed table: what "break before make" of the Arm
 * architecture demands is done on all, and is what makes it unnecessary to
 * remember anything between the steps but the tables themselves. A vCPU that
 * meets a detached entry faults, waits for the lock, and tries again.
 *
 *   map      s2_map, then s2_attach; or s2_reap when it failed
 *   unmap    s2_split, s2_detach; flush; s2_reap, s2_settle
 *   protect  s2_split, s2_set_flags, s2_merge; flush; s2_settle
 *   fault    s2_lookup, s2_fill
 */
#ifndef ADDRSPACE_WALK_H
#define ADDRSPACE_WALK_H

#include <stdatomic.h>

#include "addrspace/format.h"
#include "lib/compiler.h"
#include "lib/error.h"

struct s2_tables {
    const struct s2_format *format;
    hpa_t root;
};

/* Where a walk ended: at a leaf, or an empty entry. */
struct s2_slot {
    pte_t *entry;
    unsigned level;
};

/*
 * The last table below the root that a walk went through, so that the next
 * one, to the same part of the address space, starts there. To be set to
 * S2_HINT_NONE when tables may have been freed.
 */
struct s2_hint {
    pte_t *table;
    uint64_t part;  /* the address bits above those that index the table */
    unsigned shift; /* where these begin */
    unsigned level;
};

#define S2_HINT_NONE                            \
    {                                           \
        .part = UINT64_MAX, .shift = PAGE_SHIFT \
    }

/* What a change asks to be flushed: nothing, translations of the range, or,
 * as entries that point to tables have changed, everything. */
struct s2_change {
    bool leaves;
    bool tables;
};

/* The entry replaces one that another CPU may be walking through: it sees, if
 * the new entry, then also all that was written before. */
static inline void s2_write(pte_t *slot, pte_t entry)
{
    /* A fence and a store, as in spin_unlock(). */
    atomic_thread_fence(memory_order_release);
    __atomic_store_n(slot, entry, __ATOMIC_RELAXED);
}

/* An empty root table; the root's frames. ERR_NO_MEMORY. */
err_t s2_create(const struct s2_format *format,
                struct s2_tables *tables) MUST_CHECK;
/* Frees the root; everything was reaped before. */
void s2_destroy(const struct s2_tables *tables);

/* Walks to `address`, from `hint` if that helps, and updates it. */
struct s2_slot s2_lookup(const struct s2_tables *tables, uint64_t address,
                         struct s2_hint *hint);

/* The entry of a page whose table, of level 0, is in the hint; otherwise NULL.
 * Touching one new page after the other takes no walk. */
static inline pte_t *s2_lookup_near(const struct s2_hint *hint,
                                    uint64_t address)
{
    if (address >> hint->shift != hint->part || hint->level != 0)
        return NULL;
    return &hint->table[(address >> PAGE_SHIFT) & (S2_TABLE_ENTRIES - 1)];
}

/*
 * Puts `leaf`, of level 0, into the tables for `address`, whose walk ended at
 * the empty `slot`: with the tables that are missing, and in one step.
 * ERR_NO_MEMORY.
 */
err_t s2_fill(const struct s2_tables *tables, struct s2_slot slot,
              uint64_t address, pte_t leaf) MUST_CHECK;

/* Where the pages of a new mapping come from. */
struct s2_source {
    unsigned flags;     /* with MEM_OWNED: they are allocated */
    uint64_t delta;     /* otherwise: host minus guest address, modulo 2^64 */
    unsigned top_level; /* the largest leaf that may still be had */
};

/*
 * Maps the empty range [start, end), detached, with the largest leaves that
 * alignment and the host's memory permit. ERR_NO_MEMORY leaves part of it,
 * which s2_reap() takes back without a flush.
 */
err_t s2_map(const struct s2_tables *tables, uint64_t start, uint64_t end,
             struct s2_source *source) MUST_CHECK;
/* Makes the range visible. */
void s2_attach(const struct s2_tables *tables, uint64_t start, uint64_t end);

/* Splits leaves so that none lies across `start` or `end`. ERR_NO_MEMORY, and
 * nothing is changed. */
err_t s2_split(const struct s2_tables *tables, uint64_t start, uint64_t end,
               struct s2_change *change) MUST_CHECK;

/* Gives all leaves in [start, end) these flags; MEM_OWNED stays as it is. */
void s2_set_flags(const struct s2_tables *tables, uint64_t start, uint64_t end,
                  unsigned flags, struct s2_change *change);

/* A range, and the bounds [low, high) around it that no leaf may reach out of:
 * those of a region, which is more than its entries can tell. */
struct s2_part {
    uint64_t start, end;
    uint64_t low, high;
};

/* Detaches tables that map part of the range and could be one leaf. */
void s2_merge(const struct s2_tables *tables, struct s2_part part,
              struct s2_change *change);

/* Detaches what is in the range, and tables that hold nothing else. */
void s2_detach(const struct s2_tables *tables, uint64_t start, uint64_t end,
               struct s2_change *change);

/* Empties the range: frees owned frames, and tables that have become empty. */
void s2_reap(const struct s2_tables *tables, uint64_t start, uint64_t end);

/* Ends a change: of the tables that s2_split() and s2_merge() have left
 * detached, those that could be one leaf are replaced by it, the others are
 * attached. */
void s2_settle(const struct s2_tables *tables, struct s2_part part);

#endif
