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

/* Taking tables down costs more than most inputs: by the input's sum, one of
 * so many. */
#define INPUTS_PER_END 32

/* Populating clears memory: so many pages, but for one step of few inputs. */
#define FEW_PAGES       8
#define MANY            0xf0 /* says the byte of the flags from here on */
#define INPUTS_PER_MANY 16

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
    bool has_populated; /* many pages */
};

static struct model model;

/* An address space of each format, as each input finds it. */
static struct aspace *fresh;
static uint64_t fresh_frames;

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

static struct model_step take_step(struct run *run, enum model_op op)
{
    unsigned a = take_page(&run->input), b = take_page(&run->input);
    unsigned how = (unsigned)fuzz_take(&run->input, 1);
    struct model_step step = {
        .op = op,
        .first = a < b ? a : b,
        .end = (a < b ? b : a) + 1,
        .flags = how & MEM_ACCESS,
    };

    if (op == OP_POPULATE && step.end - step.first > FEW_PAGES) {
        if (how < MANY || run->has_populated)
            step.end = step.first + FEW_PAGES;
        run->has_populated |= how >= MANY;
    }
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
    case KIND_COMPARE: model_sweep(&model); break;
    default: do_step(run, (enum model_op)kind); break;
    }
    run->fail_nth = 0;
}

static void make(void)
{
    ram_reset(RAM);
    fresh = calloc(hw_format_count, sizeof(*fresh));
    fuzz_need(fresh != NULL, "no memory");
    for (unsigned i = 0; i < hw_format_count; i++) {
        model_start(&model, &hw_formats[i]);
        fresh[i] = model.aspace;
    }
    fresh_frames = ram_frames_in_use();
    fuzz_remember();
}

static void start(unsigned format)
{
    fuzz_rewind();
    memset(model.pages, 0, sizeof(model.pages));
    model.aspace = fresh[format];
    model.hw = &hw_formats[format];
    model.tlb.hw = model.hw;
    model.tlb.count = 0;
}

/* Of some inputs, the address space is taken down: none of its frames may be
 * left. Of all, there are as many as the tables and the model say. */
static void end(uint64_t others, bool takes_down)
{
    fuzz_need(ram_frames_in_use() == others + model_frames(&model),
              "a frame is lost");
    if (!takes_down)
        return;
    aspace_fini(&model.aspace);
    fuzz_need(ram_frames_in_use() == others, "a frame is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.input = {data, data + size},
                      .has_populated =
                          !fuzz_is_one_in(INPUTS_PER_MANY, data, size)};
    uint64_t others;

    if (fresh == NULL)
        make();
    start(fuzz_pick(&run.input, hw_format_count));
    others = fresh_frames - model_frames(&model);
    for (unsigned i = 0; i < MOST_STEPS && !fuzz_is_empty(&run.input); i++)
        do_next(&run);
    model_sweep(&model);
    if (fuzz_is_thorough)
        model_compare(&model);
    end(others, fuzz_is_one_in(INPUTS_PER_END, data, size));
    return 0;
}
