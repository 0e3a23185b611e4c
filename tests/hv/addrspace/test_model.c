/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space against the flat model of model.h, for every format: all
 * short sequences of operations over ranges that begin and end around the
 * bounds of large leaves, and long random ones.
 */
#include <criterion/criterion.h>

#include "lib/bits.h"
#include "model.h"
#include "sim/ram.h"

#define MIB (UINT64_C(1) << 20)

/* Bounds of ranges: those of large leaves, a page beside them, the middle. */
static const unsigned bounds[] = {0, 1, 511, 512, 700, 1024};

/* Pages to compare: on both sides of each bound. */
static const unsigned probes[] = {0, 1, 511, 512, 699, 700, 1023};

static const struct {
    enum model_op op;
    unsigned flags;
} changes[] = {
    {OP_LINEAR, MEM_RWX},  {OP_LINEAR_SHIFTED, MEM_READ | MEM_WRITE},
    {OP_LAZY, MEM_RWX},    {OP_POPULATE, MEM_RWX},
    {OP_UNMAP, 0},         {OP_PROTECT, MEM_READ},
    {OP_PROTECT, MEM_RWX}, {OP_PROTECT, 0},
};

#define MAX_STEPS 160

static struct model_step steps[MAX_STEPS];
static unsigned step_count;

static void add_step(enum model_op op, unsigned first, unsigned end,
                     unsigned flags)
{
    cr_assert(step_count < MAX_STEPS);
    steps[step_count++] = (struct model_step){op, first, end, flags};
}

/* Populating clears megabytes: a few ranges of it do. */
static bool is_too_slow(enum model_op op, unsigned first, unsigned end)
{
    return op == OP_POPULATE && end - first > 200 &&
           (first != 512 || end != MODEL_PAGES);
}

static void list_steps(void)
{
    step_count = 0;
    for (unsigned a = 0; a < ARRAY_SIZE(bounds); a++) {
        for (unsigned b = a + 1; b < ARRAY_SIZE(bounds); b++) {
            for (unsigned c = 0; c < ARRAY_SIZE(changes); c++) {
                if (!is_too_slow(changes[c].op, bounds[a], bounds[b]))
                    add_step(changes[c].op, bounds[a], bounds[b],
                             changes[c].flags);
            }
        }
        if (bounds[a] != MODEL_PAGES) {
            add_step(OP_FAULT, bounds[a], bounds[a] + 1, MEM_READ);
            add_step(OP_FAULT, bounds[a], bounds[a] + 1, MEM_WRITE);
        }
    }
}

static void compare_probes(struct model *model)
{
    for (unsigned i = 0; i < ARRAY_SIZE(probes); i++)
        model_compare_page(model, probes[i]);
}

/* Nothing is left behind in the tables either: without a region, there is
 * only the root. */
static void end_empty(struct model *model)
{
    const struct model_step all = {OP_UNMAP, 0, MODEL_PAGES, 0};

    model_do(model, &all);
    compare_probes(model);
    cr_assert(ram_frames_in_use() == s2_root_frames(model->hw->format),
              "tables are left of nothing");
    model_end(model);
}

/* What sequences start from, besides nothing. */
static const struct model_step prefixes[][2] = {
    {{OP_LINEAR, 0, 1024, MEM_RWX}, {OP_FAULT, 0, 1, 0}},
    {{OP_LAZY, 1, 1023, MEM_RWX}, {OP_FAULT, 512, 513, MEM_WRITE}},
    {{OP_POPULATE, 512, 1024, MEM_RWX}, {OP_LINEAR, 0, 512, MEM_READ}},
};

static void run_pairs(const struct hw *hw, const struct model_step *prefix)
{
    static struct model model;

    for (unsigned a = 0; a < step_count; a++) {
        for (unsigned b = 0; b < step_count; b++) {
            model_start(&model, hw);
            if (prefix != NULL) {
                model_do(&model, &prefix[0]);
                model_do(&model, &prefix[1]);
            }
            model_do(&model, &steps[a]);
            compare_probes(&model);
            model_do(&model, &steps[b]);
            compare_probes(&model);
            end_empty(&model);
        }
    }
}

/* The three formats of the hypervisor, and of the others the oddest. */
static bool is_exhausted(const struct s2_format *format)
{
    return format == &s2_sv39x4 || format == &s2_sv48x4 ||
           format == &s2_sv57x4 || format == &s2_odd;
}

Test(model, every_pair_of_operations)
{
    ram_reset(64 * MIB);
    list_steps();
    for (unsigned f = 0; f < hw_format_count; f++) {
        if (is_exhausted(hw_formats[f].format))
            run_pairs(&hw_formats[f], NULL);
    }
}

Test(model, every_pair_of_operations_on_something)
{
    ram_reset(64 * MIB);
    list_steps();
    for (unsigned p = 0; p < ARRAY_SIZE(prefixes); p++)
        run_pairs(&hw_formats[p], prefixes[p]);
}

static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % limit);
}

/* Mostly around bounds; sometimes anywhere. */
static unsigned random_page(void)
{
    static const unsigned places[] = {0, 1, 511, 512, 513, 1022, 1023};

    return random_below(3) == 0 ? random_below(MODEL_PAGES)
                                : places[random_below(ARRAY_SIZE(places))];
}

static struct model_step random_step(void)
{
    static const unsigned accesses[] = {
        0, MEM_READ, MEM_EXECUTE, MEM_WRITE, MEM_READ | MEM_EXECUTE, MEM_RWX};
    static const enum model_op ops[] = {
        OP_LINEAR, OP_LINEAR_SHIFTED, OP_LAZY,  OP_POPULATE, OP_UNMAP,
        OP_UNMAP,  OP_PROTECT,        OP_FAULT, OP_FAULT,    OP_PROTECT};
    unsigned a = random_page(), b = random_page();
    struct model_step step = {.op = ops[random_below(ARRAY_SIZE(ops))],
                              .first = a < b ? a : b,
                              .end = (a < b ? b : a) + 1};

    step.flags = accesses[random_below(ARRAY_SIZE(accesses))];
    return step;
}

Test(model, random_sequences)
{
    static struct model model;

    ram_reset(64 * MIB);
    random_state = 20240229;
    for (unsigned round = 0; round < 10 * hw_format_count; round++) {
        model_start(&model, &hw_formats[round % hw_format_count]);
        for (unsigned i = 0; i < 100; i++) {
            struct model_step step = random_step();

            /* More regions than there are is another test's business. */
            if (model.aspace.region_count + 2 > ASPACE_MAX_REGIONS)
                break;
            model_do(&model, &step);
            compare_probes(&model);
            if (i % 16 == 0)
                model_compare(&model);
        }
        model_compare(&model);
        end_empty(&model);
    }
}

/*
 * Entries of different regions may look alike: in NPT, what may be executed
 * may be read. They are not one leaf all the same, since each region's are
 * changed without the other's.
 */
Test(model, regions_that_look_alike_stay_apart)
{
    static const struct model_step alike[] = {
        {OP_LINEAR, 0, 1024, MEM_READ | MEM_EXECUTE},
        {OP_PROTECT, 510, 511, MEM_EXECUTE},
        {OP_PROTECT, 0, 513, 0}, /* two regions, and a part of one */
        {OP_PROTECT, 511, 1024, MEM_RWX},
        {OP_UNMAP, 510, 511, 0},
    };
    static struct model model;

    ram_reset(64 * MIB);
    for (unsigned f = 0; f < hw_format_count; f++) {
        model_start(&model, &hw_formats[f]);
        for (unsigned i = 0; i < ARRAY_SIZE(alike); i++) {
            model_do(&model, &alike[i]);
            model_compare(&model);
        }
        end_empty(&model);
    }
}
