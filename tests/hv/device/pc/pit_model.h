/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One counter of an 8254 that really counts, clock by clock, as the data
 * sheet's mode definitions have it. For comparison with the device, which
 * computes, in tests and fuzz targets. Binary or BCD, counts of 2 or more.
 */
#ifndef TESTS_PIT_MODEL_H
#define TESTS_PIT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct pit_model {
    unsigned mode;
    bool bcd, gate, out;
    bool written;   /* a count has been, since the control word */
    bool null;      /* and is not in the counting element */
    bool load;      /* it is, at the next clock */
    bool counting;  /* there is a count to go on with */
    bool armed;     /* OUT will still change: once, by mode */
    bool strobe;    /* OUT is low for this clock */
    uint32_t count; /* what was written: 2 to 65536 */
    uint32_t now;   /* the counting element */
};

static inline uint32_t pit_model_range(const struct pit_model *model)
{
    return model->bcd ? 10000 : 65536;
}

static inline void pit_model_control(struct pit_model *model, unsigned mode,
                                     bool bcd)
{
    bool gate = model->gate;

    *model = (struct pit_model){.mode = mode, .bcd = bcd, .gate = gate};
    model->out = mode != 0;
    model->null = true;
}

static inline void pit_model_first_byte(struct pit_model *model)
{
    if (model->mode != 0)
        return;
    model->counting = false;
    model->load = false;
    model->out = false;
}

/* `count` as a number, whatever its coding. */
static inline void pit_model_count(struct pit_model *model, uint32_t count)
{
    bool periodic = model->mode == 2 || model->mode == 3;

    model->count = count;
    model->null = true;
    model->written = true;
    if (model->mode == 1 || model->mode == 5)
        return;
    if (model->mode == 0)
        model->out = false;
    if (!periodic || !model->counting)
        model->load = true;
}

static inline void pit_model_gate(struct pit_model *model, bool gate)
{
    bool rises = gate && !model->gate;
    bool falls = !gate && model->gate;
    bool reloads = model->mode != 0 && model->mode != 4;

    model->gate = gate;
    if (rises && reloads && model->written)
        model->load = true;
    if (rises && model->mode == 1 && model->written)
        model->out = false; /* the device is a clock early */
    if (falls && (model->mode == 2 || model->mode == 3))
        model->out = true;
}

static inline void pit_model_load(struct pit_model *model)
{
    model->load = false;
    model->null = false;
    model->counting = true;
    model->armed = true;
    model->strobe = false;
    model->now = model->count;
    model->out = model->mode >= 2;
    if (model->mode == 3)
        model->now &= ~1U;
}

static inline void pit_model_count_down(struct pit_model *model)
{
    model->now = model->now % pit_model_range(model) == 0
                     ? pit_model_range(model) - 1
                     : model->now - 1;
}

/* Modes 0, 1, 4, 5: what happens once, when the count gets to 0. */
static inline void pit_model_terminal(struct pit_model *model)
{
    if (model->strobe) {
        model->strobe = false;
        model->out = true;
    }
    if (!model->armed || model->now != 0)
        return;
    model->armed = false;
    model->out = model->mode < 2;
    model->strobe = model->mode >= 4;
}

/* In mode 3, `strobe` says that the count of this half was odd, so that its
 * high half has a clock at 0. */
static inline void pit_model_tick_square(struct pit_model *model)
{
    if (model->now > 2) {
        model->now -= 2;
        return;
    }
    if (model->now == 2 && model->out && model->strobe) {
        model->now = 0;
        return;
    }
    model->out = !model->out;
    model->now = model->count & ~1U;
    model->strobe = model->count & 1;
    model->null = false;
}

static inline void pit_model_tick(struct pit_model *model)
{
    if (model->load) {
        pit_model_load(model);
        if (model->mode == 3)
            model->strobe = model->count & 1;
        if (!model->gate && (model->mode == 2 || model->mode == 3))
            model->out = true;
        return;
    }
    if (!model->counting)
        return;
    /* A gate that is low stops it, but not in the modes that it triggers. */
    if (!model->gate && model->mode != 1 && model->mode != 5)
        return;
    if (model->mode == 3) {
        pit_model_tick_square(model);
    } else if (model->mode == 2) {
        if (--model->now == 0) {
            model->now = model->count;
            model->null = false;
        }
        model->out = model->now != 1;
    } else {
        pit_model_count_down(model);
        pit_model_terminal(model);
    }
}

/* How many clocks at least only count: nothing but `now` changes in them. */
static inline uint64_t pit_model_quiet(const struct pit_model *model)
{
    if (model->load)
        return 0;
    if (!model->counting ||
        (!model->gate && model->mode != 1 && model->mode != 5))
        return UINT64_MAX;
    if (model->mode == 3)
        return model->now > 2 ? (model->now - 2) / 2 : 0;
    if (model->mode == 2)
        return model->now > 2 && model->out ? model->now - 2 : 0;
    return model->now > 1 && !model->strobe ? model->now - 1 : 0;
}

/* So many clocks, as if one by one. */
static inline void pit_model_run(struct pit_model *model, uint64_t clocks)
{
    while (clocks != 0) {
        uint64_t quiet = pit_model_quiet(model);

        if (quiet == UINT64_MAX)
            return;
        quiet = quiet < clocks ? quiet : clocks;
        model->now -= (uint32_t)quiet * (model->mode == 3 ? 2 : 1);
        clocks -= quiet;
        if (clocks == 0)
            return;
        pit_model_tick(model);
        clocks--;
    }
}

/* The count as it is read. */
static inline uint32_t pit_model_read(const struct pit_model *model)
{
    uint32_t now = model->now % pit_model_range(model);

    if (!model->bcd)
        return now;
    return now / 1000 << 12 | now / 100 % 10 << 8 | now / 10 % 10 << 4 |
           now % 10;
}

#endif
