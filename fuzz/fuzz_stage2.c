/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage-2 tables of every format, against the flat model of the tests
 * (tests/hv/addrspace/model.h): the input is a format, and steps that map,
 * unmap, protect, fault, read, write and track. Each is compared as the
 * hardware sees it through a TLB, and each may run out of memory.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "fuzz/harness.h"
#include "fuzz/rewind.h"
#include "lib/bits.h"
#include "sim/ram.h"
#include "sim/shim.h"
#include "tests/hv/addrspace/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM        (UINT64_C(64) << 20)
#define MOST_STEPS 24

/* Looking at all pages costs as much as the rest, taking tables down, too: by
 * the input's sum, one of so many. Of all others, the pages are looked at in
 * the end that its steps have named, and those next to them. */
#define INPUTS_PER_SWEEP 16
#define INPUTS_PER_END   512

/*
 * What is done page by page takes long for many pages: to map them one by one,
 * to track them, to compare them all. That is done in one of so many inputs; in
 * others, to a few pages. Populating clears memory, too: many pages once in
 * such an input.
 */
#define INPUTS_PER_LONG 16
#define FEW_PAGES       32
#define FEW_POPULATED   8
#define LARGE_LEAF      512  /* pages */
#define MANY            0xf0 /* says the byte of the flags from here on */

enum {
    KIND_STEPS = OP_FAULT + 1, /* those of the model come first */
    KIND_FAIL = KIND_STEPS,    /* the next one runs out of memory */
    KIND_ACCESS, /* the hypervisor reads or writes for the guest */
    KIND_TRACK,
    KIND_WRONG,   /* arguments that nothing may come of */
    KIND_COMPARE, /* all pages, now */
    KIND_COUNT,
};

/* What is left of the input, and what it has asked for. */
struct run {
    struct fuzz_input input;
    uint64_t fail_nth; /* 0: the next step does not fail */
    bool fail_forever;
    bool is_long;       /* its steps may be */
    bool has_populated; /* many pages */
    unsigned step_count;
    struct model_step steps[MOST_STEPS];
};

static struct model model;

/* An address space of each format, as each input finds it. */
static struct aspace *fresh;
static uint64_t *fresh_tables; /* frames of each */
static uint64_t fresh_frames;

/* Where the model may have pages: [first, end). */
static unsigned used_first = MODEL_PAGES, used_end;

/* Bounds of large leaves and their neighbours, or any page. */
static unsigned take_page(struct fuzz_input *input)
{
    static const unsigned places[] = {0,   1,   2,   255, 256,  510,  511,
                                      512, 513, 700, 767, 1021, 1022, 1023};
    unsigned how = (unsigned)fuzz_take(input, 1);

    if (how < 0x80)
        return places[how % ARRAY_SIZE(places)];
    return (how << 8 | (unsigned)fuzz_take(input, 1)) % MODEL_PAGES;
}

/* The last page of a range from `first` on, or to it: mostly near. */
static unsigned take_last(struct fuzz_input *input, unsigned first)
{
    unsigned how = fuzz_is_empty(input) ? 0 : *input->at;

    if (how < 0x20 || how >= 0xe0)
        return take_page(input);
    (void)fuzz_take(input, 1);
    return (first + how % 16) % MODEL_PAGES;
}

/* How many pages at most, of [first, end). */
static unsigned limit_of(struct run *run, enum model_op op, unsigned first,
                         unsigned end, unsigned how)
{
    bool is_large = is_aligned(first | end, LARGE_LEAF);

    if (op == OP_POPULATE) {
        bool may = run->is_long && how >= MANY && !run->has_populated;

        run->has_populated |= may;
        return may ? MODEL_PAGES : FEW_POPULATED;
    }
    if (run->is_long || (op == OP_LINEAR && is_large))
        return MODEL_PAGES;
    return op == OP_LINEAR || op == OP_LINEAR_SHIFTED ? FEW_PAGES : MODEL_PAGES;
}

static struct model_step take_step(struct run *run, enum model_op op)
{
    unsigned a = take_page(&run->input), b = take_last(&run->input, a);
    unsigned how = (unsigned)fuzz_take(&run->input, 1);
    struct model_step step = {
        .op = op,
        .first = a < b ? a : b,
        .end = (a < b ? b : a) + 1,
        .flags = how & MEM_ACCESS,
    };
    unsigned limit = limit_of(run, op, step.first, step.end, how);

    if (step.end - step.first > limit)
        step.end = step.first + limit;
    return step;
}

static void compare_around(const struct model_step *step)
{
    model_compare_page(&model, step->first);
    model_compare_page(&model, step->end - 1);
    if (step->first != 0)
        model_compare_page(&model, step->first - 1);
    if (step->end != MODEL_PAGES)
        model_compare_page(&model, step->end);
}

static void do_step(struct run *run, enum model_op op)
{
    struct model_step step = take_step(run, op);

    /* Another error that the model does not know: too many regions. */
    if (model.aspace.region_count + 2 > ASPACE_MAX_REGIONS)
        return;
    if (step.first < used_first)
        used_first = step.first;
    if (step.end > used_end)
        used_end = step.end;
    run->steps[run->step_count++] = step;
    if (run->fail_nth == 0)
        model_do(&model, &step);
    else
        (void)model_do_failing(&model, &step, run->fail_nth, run->fail_forever);
    compare_around(&step);
}

static void arm_failure(struct run *run)
{
    unsigned how = (unsigned)fuzz_take(&run->input, 1);

    run->fail_nth = 1 + how % 16;
    run->fail_forever = how >= 0x80;
}

/* The hypervisor's access to a page, whose frame it then has. Linear pages of
 * the model are nowhere. */
static void do_access(struct run *run)
{
    unsigned page = take_page(&run->input);
    unsigned access = fuzz_pick(&run->input, 2) ? MEM_WRITE : MEM_READ;
    struct model_page *expected = &model.pages[page];
    gpa_t at = gpa(model_address(page) + fuzz_take(&run->input, 1) * 8);
    uint64_t word = 0x5a;
    err_t error;

    if (expected->kind == MODEL_OF_LINEAR)
        return;
    error = access == MEM_WRITE
                ? aspace_write(&model.aspace, at, &word, sizeof(word))
                : aspace_read(&model.aspace, at, &word, sizeof(word));
    if (expected->kind == MODEL_HOLE) {
        cr_assert_eq(error, ERR_NOT_FOUND);
    } else if ((expected->flags & access) == 0) {
        cr_assert_eq(error, ERR_DENIED);
    } else {
        cr_assert_eq(error, OK);
        expected->present = true;
    }
    model_compare_page(&model, page);
}

/* Sizes and addresses that are no whole pages, wrap, or lie outside. */
static void do_wrong(struct run *run)
{
    uint64_t start = fuzz_number(&run->input), size = fuzz_number(&run->input);
    unsigned regions = model.aspace.region_count;
    uint64_t limit = s2_gpa_limit(model.hw->format);
    err_t errors[4];

    if (is_aligned(start | size, PAGE_SIZE) && size != 0 && start < limit &&
        size <= limit - start)
        return;
    errors[0] = aspace_map_linear(&model.aspace, gpa(start), hpa(MODEL_LINEAR),
                                  size, MEM_RWX);
    errors[1] =
        aspace_map_lazy(&model.aspace, gpa(start), size, MEM_RWX, false);
    errors[2] = aspace_unmap(&model.aspace, gpa(start), size);
    errors[3] = aspace_protect(&model.aspace, gpa(start), size, MEM_READ);
    for (unsigned i = 0; i < ARRAY_SIZE(errors); i++)
        cr_assert(errors[i] != OK, "operation %u, %lx, size %lx", i, start,
                  size);
    cr_assert_eq(model.aspace.region_count, regions);
}

/*
 * Tracking, from its start to its end: nothing else happens meanwhile, so that
 * the model need not know of it.
 */
struct tracking {
    unsigned first, end; /* pages of the region */
    bool marks[MODEL_PAGES];
    bool is_coarse; /* memory was short: neighbours may be marked too */
};

static bool find_region(unsigned page, struct tracking *tracking)
{
    uint64_t address = model_address(page);

    for (unsigned i = 0; i < model.aspace.region_count; i++) {
        const struct region *region = &model.aspace.regions[i];

        if (address - region->start.raw >= region->size)
            continue;
        tracking->first =
            (unsigned)((region->start.raw - MODEL_BASE) / PAGE_SIZE);
        tracking->end = tracking->first + (unsigned)(region->size / PAGE_SIZE);
        return true;
    }
    return false;
}

static bool is_writable(unsigned page)
{
    struct hw_walk walk =
        hw_translate(model.hw, model.aspace.root, model_address(page));

    return walk.present && (walk.access & MEM_WRITE) != 0;
}

static unsigned take_tracked(struct fuzz_input *input,
                             const struct tracking *tracking)
{
    return tracking->first +
           take_page(input) % (tracking->end - tracking->first);
}

/* The guest writes: through the tables, or by way of a fault. */
static void guest_writes(struct run *run, struct tracking *tracking)
{
    unsigned page = take_tracked(&run->input, tracking);
    uint64_t at = model_address(page);
    struct model_page *expected = &model.pages[page];
    bool resolved;
    err_t error;

    if (is_writable(page)) {
        cr_assert(tracking->marks[page] || tracking->is_coarse,
                  "page %u is written unseen", page);
        return;
    }
    shim_fail_nth(run->fail_nth / 2, "memory_alloc", run->fail_forever);
    error =
        aspace_handle_fault(&model.aspace, gpa(at), ACCESS_WRITE, &resolved);
    tracking->is_coarse |= shim_failed_calls() != 0;
    shim_fail_never();
    if (error == ERR_NO_MEMORY && tracking->is_coarse)
        return;
    if ((expected->flags & MEM_WRITE) == 0) {
        cr_assert_eq(error, ERR_DENIED);
        return;
    }
    cr_assert(error == OK && resolved, "page %u", page);
    expected->present = true;
    tracking->marks[page] = true;
}

static void check_mark(const struct tracking *tracking, unsigned page,
                       bool marked)
{
    cr_assert(marked || !tracking->marks[page], "page %u is not marked", page);
    cr_assert(!marked || tracking->marks[page] || tracking->is_coarse,
              "page %u is marked", page);
}

/* What could be written without a fault counts as written. Of large ranges,
 * that is looked up for some pages. */
static void collect(struct run *run, struct tracking *tracking)
{
    uint64_t bitmap[MODEL_PAGES / 64] = {0};
    unsigned a = take_tracked(&run->input, tracking);
    unsigned b = take_tracked(&run->input, tracking);
    unsigned first = a < b ? a : b, end = (a < b ? b : a) + 1;
    unsigned stride = (end - first) / 32 + 1;
    bool was_writable[MODEL_PAGES] = {0};

    for (unsigned i = first; i < end; i += stride)
        was_writable[i] = is_writable(i);
    cr_assert(aspace_dirty_collect(&model.aspace, gpa(model_address(first)),
                                   (end - first) * PAGE_SIZE, bitmap) == OK);
    for (unsigned i = first; i < end; i++) {
        bool marked = (bitmap[(i - first) / 64] >> (i - first) % 64 & 1) != 0;

        check_mark(tracking, i, marked);
        cr_assert(marked || !was_writable[i], "page %u was written unseen", i);
        tracking->marks[i] = false;
    }
    for (unsigned i = first; i < end; i += stride)
        cr_assert(!is_writable(i), "page %u can be written unseen", i);
}

/* A tracked region is not divided. */
static void divide(const struct tracking *tracking)
{
    gpa_t start = gpa(model_address(tracking->first));

    if (tracking->end - tracking->first == 1)
        return;
    cr_assert_eq(aspace_unmap(&model.aspace, start, PAGE_SIZE), ERR_BUSY);
    cr_assert_eq(aspace_protect(&model.aspace, start, PAGE_SIZE, MEM_READ),
                 ERR_BUSY);
    cr_assert_eq(aspace_dirty_start(&model.aspace, start), ERR_BUSY);
}

static void track(struct run *run, struct tracking *tracking)
{
    unsigned count = fuzz_pick(&run->input, 12);

    for (unsigned i = 0; i < count; i++) {
        switch (fuzz_pick(&run->input, 4)) {
        case 0: collect(run, tracking); break;
        case 1: divide(tracking); break;
        default: guest_writes(run, tracking); break;
        }
    }
}

static void do_track(struct run *run)
{
    static struct tracking tracking;
    unsigned page = take_page(&run->input);
    gpa_t at = gpa(model_address(page));
    bool failed;
    err_t error;

    if (find_region(page, &tracking) && !run->is_long &&
        tracking.end - tracking.first > FEW_PAGES)
        return;
    memset(&tracking, 0, sizeof(tracking));
    /* That takes one allocation; else it is the faults that fail. */
    shim_fail_nth(run->fail_nth, "memory_alloc", false);
    error = aspace_dirty_start(&model.aspace, at);
    failed = shim_failed_calls() != 0;
    shim_fail_never();
    if (!find_region(page, &tracking)) {
        cr_assert_eq(error, ERR_NOT_FOUND);
        cr_assert_eq(aspace_dirty_stop(&model.aspace, at), ERR_NOT_FOUND);
        return;
    }
    if (error != OK) {
        cr_assert(failed && error == ERR_NO_MEMORY, "%s", error_text(error));
        cr_assert_eq(aspace_dirty_stop(&model.aspace, at), ERR_BAD_STATE);
        return;
    }
    track(run, &tracking);
    cr_assert_eq(aspace_dirty_stop(&model.aspace, at), OK);
    compare_around(
        &(struct model_step){.first = tracking.first, .end = tracking.end});
}

static void compare_now(const struct run *run)
{
    if (run->is_long)
        model_sweep(&model);
}

static void do_next(struct run *run)
{
    unsigned kind = fuzz_pick(&run->input, KIND_COUNT);

    if (kind == KIND_FAIL) {
        arm_failure(run);
        kind = fuzz_pick(&run->input, KIND_STEPS + 1);
        if (kind == KIND_STEPS)
            kind = KIND_TRACK;
    }
    switch (kind) {
    case KIND_ACCESS: do_access(run); break;
    case KIND_TRACK: do_track(run); break;
    case KIND_WRONG: do_wrong(run); break;
    case KIND_COMPARE: compare_now(run); break;
    default: do_step(run, (enum model_op)kind); break;
    }
    run->fail_nth = 0;
}

/* The first table of format `i`'s address space. */
static uint64_t root_size(unsigned i)
{
    return hw_formats[i].root_entries * sizeof(pte_t);
}

static void make(void)
{
    ram_reset(RAM);
    fresh = calloc(hw_format_count, sizeof(*fresh));
    fresh_tables = calloc(hw_format_count, sizeof(*fresh_tables));
    fuzz_need(fresh != NULL && fresh_tables != NULL, "no memory");
    for (unsigned i = 0; i < hw_format_count; i++) {
        model_start(&model, &hw_formats[i]);
        fresh[i] = model.aspace;
        fresh_tables[i] = model_frames(&model);
    }
    fresh_frames = ram_frames_in_use();
    fuzz_remember();
    /* Of an input's format only, the root must be put back. */
    for (unsigned i = 0; i < hw_format_count; i++)
        ram_track(fresh[i].root, root_size(i));
}

static void start(unsigned format)
{
    fuzz_rewind();
    if (used_first < used_end)
        memset(&model.pages[used_first], 0,
               (used_end - used_first) * sizeof(model.pages[0]));
    used_first = MODEL_PAGES;
    used_end = 0;
    model.aspace = fresh[format];
    ram_note_tracked_write(model.aspace.root, root_size(format));
    model.hw = &hw_formats[format];
    model.tlb.hw = model.hw;
    model.tlb.count = 0;
}

/* All pages are as in the model, and there are as many frames as the tables and
 * the model say. */
static void check_all(uint64_t others)
{
    model_sweep(&model);
    if (fuzz_is_thorough)
        model_compare(&model);
    fuzz_need(ram_frames_in_use() == others + model_frames(&model),
              "a frame is lost");
}

static void check_named(const struct run *run)
{
    for (unsigned i = 0; i < run->step_count; i++)
        compare_around(&run->steps[i]);
}

/* The address space is taken down: none of its frames may be left. */
static void take_down(uint64_t others)
{
    aspace_fini(&model.aspace);
    fuzz_need(ram_frames_in_use() == others, "a frame is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run;
    uint64_t others;

    if (fresh == NULL)
        make();
    run.input = (struct fuzz_input){data, data + size};
    run.fail_nth = 0;
    run.fail_forever = false;
    run.is_long = fuzz_is_one_in(INPUTS_PER_LONG, data, size);
    run.has_populated = false;
    run.step_count = 0;
    start(fuzz_pick(&run.input, hw_format_count));
    others = fresh_frames - fresh_tables[model.hw - hw_formats];
    for (unsigned i = 0; i < MOST_STEPS && !fuzz_is_empty(&run.input); i++)
        do_next(&run);
    if (fuzz_is_one_in(INPUTS_PER_SWEEP, data, size))
        check_all(others);
    else
        check_named(&run);
    if (fuzz_is_one_in(INPUTS_PER_END, data, size))
        take_down(others);
    return 0;
}
