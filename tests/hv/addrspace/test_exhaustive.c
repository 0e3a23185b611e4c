/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All sequences of up to four operations in a tiny universe, against a flat
 * model: five cells of guest-physical addresses, cut so that ranges of a page,
 * of 2 MiB and of 1 GiB begin and end at them, and each alike throughout.
 *
 *   cell   a          b          c              d          e
 *   from   1G - 4K    1G         1G + 4K        1G + 2M    1G + 2M + 4K
 *   pages  1          1          511            1          to 2G
 *
 * Every sequence begins with a mapping: without one, there is only emptiness.
 * TWINAX_LENGTH=5 has the format that most guests get do sequences of five, of
 * which those are left out whose beginning has changed nothing: they are
 * shorter ones with something in front.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "mmu.h"
#include "sim/ram.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

enum { CELL_A, CELL_B, CELL_C, CELL_D, CELL_E, CELLS };

static const uint64_t bounds[CELLS + 1] = {
    GIB - PAGE_SIZE,           GIB,    GIB + PAGE_SIZE, GIB + 2 * MIB,
    GIB + 2 * MIB + PAGE_SIZE, 2 * GIB};

/* Linear mappings lead here, aligned as the guest's addresses are. */
#define LINEAR (UINT64_C(64) << 30)

enum op_kind {
    OP_LINEAR,
    OP_LAZY,
    OP_POPULATE,
    OP_UNMAP,
    OP_PROTECT,
    OP_FAULT, /* on the first page of the first cell */
    OP_TRACK,
    OP_UNTRACK,
    OP_COLLECT,
};

struct op {
    enum op_kind kind;
    unsigned first, end; /* cells */
    unsigned flags;      /* of a mapping; of a fault: what it wanted */
};

#define R  MEM_READ
#define RW (MEM_READ | MEM_WRITE)

/* Those that can do something to an empty address space come first. */
static const struct op ops[] = {
    {OP_LINEAR, CELL_A, CELL_B, MEM_RWX},
    {OP_LINEAR, CELL_B, CELL_C, RW},
    {OP_LINEAR, CELL_B, CELL_D, MEM_RWX},
    {OP_LINEAR, CELL_B, CELLS, MEM_RWX},
    {OP_LAZY, CELL_A, CELL_C, MEM_RWX},
    {OP_LAZY, CELL_B, CELL_D, MEM_RWX},
    {OP_LAZY, CELL_B, CELLS, MEM_RWX},
    {OP_POPULATE, CELL_A, CELL_C, MEM_RWX},
    {OP_UNMAP, CELL_B, CELL_C, 0},
    {OP_UNMAP, CELL_A, CELL_C, 0},
    {OP_UNMAP, CELL_B, CELL_D, 0},
    {OP_UNMAP, CELL_B, CELLS, 0},
    {OP_PROTECT, CELL_B, CELL_C, R},
    {OP_PROTECT, CELL_B, CELL_D, R},
    {OP_PROTECT, CELL_B, CELLS, R},
    {OP_PROTECT, CELL_B, CELL_C, MEM_RWX},
    {OP_PROTECT, CELL_B, CELL_D, MEM_RWX},
    {OP_PROTECT, CELL_B, CELL_C, 0},
    {OP_FAULT, CELL_A, CELL_B, MEM_WRITE},
    {OP_FAULT, CELL_B, CELL_C, MEM_READ},
    {OP_FAULT, CELL_B, CELL_C, MEM_WRITE},
    {OP_FAULT, CELL_B, CELL_C, MEM_EXECUTE},
    {OP_FAULT, CELL_D, CELL_E, MEM_WRITE},
    {OP_TRACK, CELL_B, CELL_C, 0},
    {OP_UNTRACK, CELL_B, CELL_C, 0},
    {OP_COLLECT, CELL_B, CELL_C, 0},
    {OP_COLLECT, CELL_B, CELL_D, 0},
};

/* How many of them map. */
#define MAPPINGS 8

#define MAX_LENGTH 5

struct cell {
    bool mapped, lazy, present;
    bool tracked, marked;
    bool written;     /* tracked, and its entry allows writing again */
    bool continues;   /* the region of the cell before it */
    unsigned mapping; /* which mapping made it */
    unsigned flags;
};

struct flat {
    struct cell cells[CELLS];
    unsigned mappings;
};

/* ---- the model ---------------------------------------------------------- */

static bool is_same(const struct flat *one, const struct flat *other)
{
    for (unsigned i = 0; i < CELLS; i++) {
        const struct cell *a = &one->cells[i], *b = &other->cells[i];

        if (a->mapped != b->mapped || a->lazy != b->lazy ||
            a->present != b->present || a->tracked != b->tracked ||
            a->marked != b->marked || a->written != b->written ||
            a->continues != b->continues || a->mapping != b->mapping ||
            a->flags != b->flags)
            return false;
    }
    return one->mappings == other->mappings;
}

/* The cells of the region that `cell` is in. */
static void region_of(const struct flat *flat, unsigned cell, unsigned *first,
                      unsigned *end)
{
    *first = cell;
    while (flat->cells[*first].continues)
        (*first)--;
    *end = cell + 1;
    while (*end < CELLS && flat->cells[*end].continues)
        (*end)++;
}

static err_t flat_map(struct flat *flat, const struct op *op)
{
    for (unsigned i = op->first; i < op->end; i++) {
        if (flat->cells[i].mapped)
            return ERR_ALREADY_EXISTS;
    }
    flat->mappings++;
    for (unsigned i = op->first; i < op->end; i++)
        flat->cells[i] = (struct cell){.mapped = true,
                                       .lazy = op->kind != OP_LINEAR,
                                       .present = op->kind != OP_LAZY,
                                       .continues = i != op->first,
                                       .mapping = flat->mappings,
                                       .flags = op->flags};
    return OK;
}

/* A tracked region is not divided. */
static bool divides_tracked(const struct flat *flat, const struct op *op)
{
    bool at_first = flat->cells[op->first].continues;
    bool at_end = op->end < CELLS && flat->cells[op->end].continues;

    return (at_first && flat->cells[op->first].tracked) ||
           (at_end && flat->cells[op->end].tracked);
}

static void divide(struct flat *flat, const struct op *op)
{
    flat->cells[op->first].continues = false;
    if (op->end < CELLS)
        flat->cells[op->end].continues = false;
}

static err_t flat_unmap(struct flat *flat, const struct op *op)
{
    if (divides_tracked(flat, op))
        return ERR_BUSY;
    divide(flat, op);
    for (unsigned i = op->first; i < op->end; i++)
        flat->cells[i] = (struct cell){0};
    return OK;
}

/* Neighbours of one mapping that have become alike are one region again. */
static void join(struct flat *flat, unsigned at)
{
    const struct cell *left = &flat->cells[at - 1];
    struct cell *right = &flat->cells[at];

    if (left->mapped && right->mapped && left->mapping == right->mapping &&
        left->flags == right->flags && !left->tracked && !right->tracked)
        right->continues = true;
}

static err_t flat_protect(struct flat *flat, const struct op *op)
{
    for (unsigned i = op->first; i < op->end; i++) {
        if (!flat->cells[i].mapped)
            return ERR_NOT_FOUND;
    }
    if (divides_tracked(flat, op))
        return ERR_BUSY;
    divide(flat, op);
    for (unsigned i = op->first; i < op->end; i++) {
        flat->cells[i].flags = op->flags;
        flat->cells[i].written = false;
    }
    for (unsigned i = op->first; i <= op->end && i < CELLS; i++) {
        if (i != 0)
            join(flat, i);
    }
    return OK;
}

/* Whether the guest may write to the cell without a fault. */
static bool is_writable(const struct cell *cell)
{
    return (cell->flags & MEM_WRITE) != 0 && (!cell->tracked || cell->written);
}

static err_t flat_fault(struct flat *flat, const struct op *op, bool *resolved)
{
    struct cell *cell = &flat->cells[op->first];
    bool writes = (op->flags & MEM_WRITE) != 0;

    if (!cell->mapped)
        return ERR_NOT_FOUND;
    if ((op->flags & ~cell->flags) != 0)
        return ERR_DENIED;
    *resolved = !cell->present || (writes && !is_writable(cell));
    cell->present = true;
    if (cell->tracked && writes) {
        cell->marked |= *resolved;
        cell->written = true;
    }
    return OK;
}

static err_t flat_track(struct flat *flat, const struct op *op)
{
    unsigned first, end;

    if (!flat->cells[op->first].mapped)
        return ERR_NOT_FOUND;
    if (flat->cells[op->first].tracked != (op->kind == OP_UNTRACK))
        return op->kind == OP_TRACK ? ERR_BUSY : ERR_BAD_STATE;
    region_of(flat, op->first, &first, &end);
    for (unsigned i = first; i < end; i++) {
        flat->cells[i].tracked = op->kind == OP_TRACK;
        flat->cells[i].marked = flat->cells[i].written = false;
    }
    return OK;
}

static err_t flat_collect(struct flat *flat, const struct op *op, bool *marked)
{
    unsigned first, end;

    if (!flat->cells[op->first].mapped)
        return ERR_NOT_FOUND;
    region_of(flat, op->first, &first, &end);
    if (op->end > end)
        return ERR_NOT_FOUND;
    if (!flat->cells[op->first].tracked)
        return ERR_BAD_STATE;
    *marked = flat->cells[op->first].marked;
    for (unsigned i = op->first; i < op->end; i++)
        flat->cells[i].marked = flat->cells[i].written = false;
    return OK;
}

/* `flag`: a fault was resolved, the first page was marked. */
static err_t flat_do(struct flat *flat, const struct op *op, bool *flag)
{
    *flag = false;
    switch (op->kind) {
    case OP_LINEAR:
    case OP_LAZY:
    case OP_POPULATE: return flat_map(flat, op);
    case OP_UNMAP: return flat_unmap(flat, op);
    case OP_PROTECT: return flat_protect(flat, op);
    case OP_FAULT: return flat_fault(flat, op, flag);
    case OP_TRACK:
    case OP_UNTRACK: return flat_track(flat, op);
    case OP_COLLECT: return flat_collect(flat, op, flag);
    }
    return ERR_UNSUPPORTED;
}

/* ---- the real one ------------------------------------------------------- */

/* Of pages that cannot have been written, none is marked. */
static err_t real_collect(struct aspace *aspace, gpa_t start, uint64_t size,
                          bool *marked)
{
    uint64_t bitmap[2 * MIB / PAGE_SIZE / 64] = {0};
    err_t error = aspace_dirty_collect(aspace, start, size, bitmap);

    *marked = (bitmap[0] & 1) != 0;
    cr_assert((bitmap[0] & ~UINT64_C(1)) == 0);
    for (unsigned i = 1; i < ARRAY_SIZE(bitmap); i++)
        cr_assert(bitmap[i] == 0);
    return error;
}

static err_t real_do(struct aspace *aspace, const struct op *op, bool *flag)
{
    gpa_t start = gpa(bounds[op->first]);
    uint64_t size = bounds[op->end] - start.raw;

    *flag = false;
    switch (op->kind) {
    case OP_LINEAR:
        return aspace_map_linear(aspace, start, hpa(LINEAR + start.raw), size,
                                 op->flags);
    case OP_LAZY:
    case OP_POPULATE:
        return aspace_map_lazy(aspace, start, size, op->flags,
                               op->kind == OP_POPULATE);
    case OP_UNMAP: return aspace_unmap(aspace, start, size);
    case OP_PROTECT: return aspace_protect(aspace, start, size, op->flags);
    case OP_FAULT:
        return aspace_handle_fault(aspace, gpa_add(start, 8), op->flags, flag);
    case OP_TRACK: return aspace_dirty_start(aspace, start);
    case OP_UNTRACK: return aspace_dirty_stop(aspace, start);
    case OP_COLLECT: return real_collect(aspace, start, size, flag);
    }
    return ERR_UNSUPPORTED;
}

/* ---- comparing ---------------------------------------------------------- */

static unsigned sequence[MAX_LENGTH], length;
static const struct hw *hw;
static uint64_t sequences;

static const char *describe(void)
{
    static char text[128];
    int used = snprintf(text, sizeof(text), "%s, rows", hw->format->name);

    for (unsigned i = 0; i < length; i++)
        used += snprintf(text + used, sizeof(text) - (size_t)used, " %u",
                         sequence[i]);
    return text;
}

static unsigned granted(const struct cell *cell)
{
    return hw_granted(hw, is_writable(cell)
                              ? cell->flags
                              : cell->flags & ~(unsigned)MEM_WRITE);
}

/* What the hardware and aspace_translate() make of a page. */
static void compare_page(struct aspace *aspace, const struct cell *cell,
                         uint64_t at)
{
    struct hw_walk walk = hw_translate(hw, aspace->root, at);
    hpa_t to = HPA_NONE;
    unsigned flags = 0;
    uint64_t run = 0;
    err_t error = aspace_translate(aspace, gpa(at), &to, &flags, &run);

    if (!cell->present) {
        cr_assert(error == ERR_NOT_FOUND && !walk.present, "%s at %lx",
                  describe(), at);
        return;
    }
    cr_assert(error == OK && flags == cell->flags, "%s at %lx", describe(), at);
    cr_assert(run != 0 && is_aligned(run, PAGE_SIZE), "%s", describe());
    cr_assert(cell->lazy ? ram_is_allocated(to, PAGE_SIZE)
                         : to.raw == LINEAR + at,
              "%s at %lx", describe(), at);
    cr_assert(walk.present == (cell->flags != 0), "%s at %lx", describe(), at);
    cr_assert(!walk.present ||
                  (walk.page == to.raw && walk.access == granted(cell)),
              "%s at %lx: access %x", describe(), at, walk.access);
}

/* The last page of a cell too, unless it is lazy: only its first was touched.
 */
static void compare(struct aspace *aspace, const struct flat *flat)
{
    static const struct cell untouched;

    for (unsigned i = 0; i < CELLS; i++) {
        const struct cell *cell = &flat->cells[i];
        uint64_t last = bounds[i + 1] - PAGE_SIZE;

        compare_page(aspace, cell, bounds[i]);
        if (last != bounds[i])
            compare_page(aspace, cell->lazy ? &untouched : cell, last);
    }
}

/* Returns whether the last operation has changed anything. */
static bool run_sequence(void)
{
    static struct aspace aspace;
    static struct tlb tlb;
    struct flat flat = {0}, before = {0};
    bool real_flag, flag;

    sequences++;
    tlb_start(&tlb, hw, &aspace);
    for (unsigned i = 0; i < length; i++) {
        const struct op *op = &ops[sequence[i]];

        before = flat;
        if (i + 1 == length)
            tlb_fill(&tlb, bounds, CELLS);
        err_t wanted = flat_do(&flat, op, &flag);
        err_t error = real_do(&aspace, op, &real_flag);
        cr_assert(error == wanted, "%s: %s, not %s", describe(),
                  error_text(error), error_text(wanted));
        cr_assert(real_flag == flag, "%s", describe());
    }
    tlb_check(&tlb);
    cr_assert(tlb.flushes <= 1, "%s: %u flushes", describe(), tlb.flushes);
    compare(&aspace, &flat);
    aspace_fini(&aspace);
    cr_assert(ram_frames_in_use() == 0, "%s: %lu frames leaked", describe(),
              ram_frames_in_use());
    return !is_same(&before, &flat);
}

/* All sequences that begin with `sequence`; `full` long ones even after
 * nothing has changed. */
static void explore(unsigned full, unsigned longest)
{
    unsigned count = length == 0 ? MAPPINGS : ARRAY_SIZE(ops);

    length++;
    for (unsigned i = 0; i < count; i++) {
        bool changed;

        sequence[length - 1] = i;
        changed = run_sequence();
        if (length < (changed ? longest : full))
            explore(full, longest);
    }
    length--;
}

/* With sanitizers, or without optimisation, everything takes longer. */
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define SHORTER 1
#else
#define SHORTER 0
#endif

static unsigned longest_of(const struct hw *which, unsigned full)
{
    const char *wanted = getenv("TWINAX_LENGTH");

    if (wanted == NULL || which->format != &s2_sv39x4)
        return full;
    full = (unsigned)strtoul(wanted, NULL, 0);
    return full < MAX_LENGTH ? full : MAX_LENGTH;
}

static void explore_format(const struct hw *which)
{
    bool usual = which->format == &s2_sv39x4 || which->format == &s2_sv48x4;
    unsigned full = (usual ? 4 : 3) - SHORTER;

    hw = which;
    length = 0;
    sequences = 0;
    explore(full, longest_of(which, full));
    cr_log_info("%s: %lu sequences", which->format->name, sequences);
}

Test(exhaustive, every_sequence_in_a_tiny_universe)
{
    ram_reset(64 * MIB);
    for (unsigned f = 0; f < hw_format_count; f++)
        explore_format(&hw_formats[f]);
}
