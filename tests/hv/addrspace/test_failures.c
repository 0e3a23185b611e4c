/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of every operation fails once, and from then on: the
 * operation succeeds without it, or fails, changes nothing and keeps nothing.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/bits.h"
#include "model.h"
#include "sim/ram.h"
#include "sim/shim.h"
#include "support/rows.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* What there is, and what is then done to it. */
static const struct {
    struct model_step before[2], step;
} rows[] = {
    {{{OP_UNMAP, 0, 1, 0}}, {OP_LINEAR, 0, 1024, MEM_RWX}},
    {{{OP_UNMAP, 0, 1, 0}}, {OP_LINEAR, 3, 1021, MEM_RWX}},
    {{{OP_UNMAP, 0, 1, 0}}, {OP_LINEAR_SHIFTED, 0, 1024, MEM_RWX}},
    {{{OP_UNMAP, 0, 1, 0}}, {OP_LAZY, 0, 1024, MEM_RWX}},
    {{{OP_UNMAP, 0, 1, 0}}, {OP_POPULATE, 510, 514, MEM_RWX}},
    {{{OP_UNMAP, 0, 1, 0}}, {OP_POPULATE, 508, 1024, MEM_RWX}},
    {{{OP_LINEAR, 500, 520, MEM_RWX}}, {OP_POPULATE, 490, 500, MEM_RWX}},
    {{{OP_LAZY, 0, 1024, MEM_RWX}}, {OP_FAULT, 77, 78, MEM_READ}},
    {{{OP_LAZY, 0, 1024, MEM_RWX}, {OP_FAULT, 77, 78, MEM_READ}},
     {OP_FAULT, 78, 79, MEM_WRITE}},
    {{{OP_LAZY, 0, 1024, MEM_RWX}, {OP_FAULT, 77, 78, MEM_READ}},
     {OP_FAULT, 700, 701, MEM_WRITE}},
    {{{OP_LINEAR, 0, 1024, MEM_RWX}}, {OP_UNMAP, 0, 1024, 0}},
    {{{OP_LINEAR, 0, 1024, MEM_RWX}}, {OP_UNMAP, 1, 2, 0}},
    {{{OP_LINEAR, 0, 1024, MEM_RWX}}, {OP_UNMAP, 100, 900, 0}},
    {{{OP_POPULATE, 0, 1024, MEM_RWX}}, {OP_UNMAP, 511, 513, 0}},
    {{{OP_POPULATE, 0, 1024, MEM_RWX}}, {OP_PROTECT, 511, 513, MEM_READ}},
    {{{OP_POPULATE, 0, 1024, MEM_RWX}}, {OP_PROTECT, 0, 512, MEM_READ}},
    {{{OP_LINEAR, 0, 1024, MEM_RWX}, {OP_PROTECT, 5, 6, MEM_READ}},
     {OP_PROTECT, 0, 1023, MEM_RWX}},
};

static bool pages_are_same(const struct model *one, const struct model *other)
{
    for (size_t i = 0; i < ARRAY_SIZE(one->pages); i++) {
        const struct model_page *a = &one->pages[i], *b = &other->pages[i];

        if (a->kind != b->kind || a->flags != b->flags ||
            a->present != b->present || a->page != b->page)
            return false;
    }
    return true;
}

static void fail_from(struct model *model, const struct model_step *step,
                      uint64_t nth, bool forever, bool *was_reached)
{
    struct model before = *model;

    *was_reached = model_do_failing(model, step, nth, forever);
    model_compare(model);
    /* And then it can be done after all. */
    if (pages_are_same(&before, model)) {
        model_do(model, step);
        model_compare(model);
        model_sweep(model); /* says the same */
    }
}

static void sweep(const struct hw *hw, size_t row, bool forever)
{
    static struct model model;
    bool was_reached = true;

    for (uint64_t nth = 1; was_reached; nth++) {
        model_start(&model, hw);
        model_do(&model, &rows[row].before[0]);
        if (rows[row].before[1].end != 0)
            model_do(&model, &rows[row].before[1]);
        model_compare(&model); /* also learns where lazy pages are */
        fail_from(&model, &rows[row].step, nth, forever, &was_reached);
        model_end(&model);
        /* Past the first ones, the 512 pages of a leaf are all alike. */
        if (nth > 20)
            nth += 50;
    }
}

Test(failures, every_allocation)
{
    ram_reset(64 * MIB);
    for (unsigned f = 0; f < hw_format_count; f++) {
        for_each_row (row, rows) {
            sweep(&hw_formats[f], row, false);
            sweep(&hw_formats[f], row, true);
        }
    }
}

/* Two leaves of a gigabyte, to be split down to the page at both ends. */
static void expect_two_gigabytes(const struct hw *hw, struct aspace *aspace)
{
    cr_assert(hw_translate(hw, aspace->root, 1 * GIB).level == 2);
    cr_assert(hw_translate(hw, aspace->root, 2 * GIB).level == 2);
    cr_assert(hw_translate(hw, aspace->root, 2 * GIB).access == MEM_RWX);
    cr_assert(aspace->region_count == 1);
}

static bool gigabyte_change_fails(struct aspace *aspace, bool unmap,
                                  uint64_t nth)
{
    gpa_t start = gpa(GIB + 5 * PAGE_SIZE);
    err_t error;

    shim_fail_nth(nth, "memory_alloc", false);
    error = unmap ? aspace_unmap(aspace, start, GIB)
                  : aspace_protect(aspace, start, GIB, MEM_READ);
    shim_fail_never();
    cr_assert(error == OK || error == ERR_NO_MEMORY);
    return error != OK;
}

Test(failures, splits_over_two_levels)
{
    struct aspace aspace;

    ram_reset(64 * MIB);
    for (unsigned f = 0; f < 2 * hw_format_count; f++) {
        const struct hw *hw = &hw_formats[f / 2];
        uint64_t frames, nth = 1;

        cr_assert(aspace_init(&aspace, hw->format, NULL) == OK);
        cr_assert(aspace_map_linear(&aspace, gpa(GIB), hpa(8 * GIB), 2 * GIB,
                                    MEM_RWX) == OK);
        frames = ram_frames_in_use();
        while (gigabyte_change_fails(&aspace, f % 2, nth)) {
            cr_assert(ram_frames_in_use() == frames, "%lu frames kept",
                      ram_frames_in_use() - frames);
            expect_two_gigabytes(hw, &aspace);
            nth++;
        }
        cr_assert(nth == 5, "two tables at each end");
        aspace_fini(&aspace);
        cr_assert(ram_frames_in_use() == 0);
    }
}

Test(failures, an_address_space_that_could_not_be_made)
{
    struct aspace aspace;

    ram_reset(64 * MIB);
    memset(&aspace, 0x5a, sizeof(aspace));
    shim_fail_nth(1, "memory_alloc", true);
    cr_assert(aspace_init(&aspace, &s2_sv39x4, NULL) == ERR_NO_MEMORY);
    shim_fail_never();
    aspace_fini(&aspace);
    cr_assert(ram_frames_in_use() == 0);
}

/* Reads and writes bring lazy pages in, and may find no memory on the way. */
Test(failures, transfers)
{
    struct aspace aspace;
    char bytes[3 * PAGE_SIZE] = {1};

    ram_reset(64 * MIB);
    for (uint64_t nth = 1; nth <= 6; nth++) {
        gpa_t at = gpa(2 * MIB - PAGE_SIZE - 10);
        err_t error;

        cr_assert(aspace_init(&aspace, &s2_sv39x4, NULL) == OK);
        cr_assert(aspace_map_lazy(&aspace, gpa(0), 4 * MIB, MEM_RWX, false) ==
                  OK);
        shim_fail_nth(nth, "memory_alloc", false);
        error = nth % 2 ? aspace_read(&aspace, at, bytes, sizeof(bytes))
                        : aspace_write(&aspace, at, bytes, sizeof(bytes));
        cr_assert(error == ERR_NO_MEMORY, "%lu: %s", nth, error_text(error));
        shim_fail_never();
        cr_assert(aspace_read(&aspace, at, bytes, sizeof(bytes)) == OK);
        aspace_fini(&aspace);
        cr_assert(ram_frames_in_use() == 0);
    }
}
