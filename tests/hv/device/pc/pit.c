/* SPDX-License-Identifier: Apache-2.0 */
/* The 8254 and port 0x61: Intel's data sheet, and against a counter that
 * really counts. */
#include <string.h>

#include "pit_model.h"

#include "pc.h"
#include "sim/clock.h"

#define HZ      UINT64_C(1193182)
#define CONTROL 0x43
#define PORT61  0x61
#define GSI     2

static void make(struct pc *pc)
{
    pc_make_bare(pc);
    (void)pc_add(pc, "intel,i8254", NULL);
}

static uint64_t nanos_at(uint64_t clocks)
{
    return (clocks * 1000000000 + HZ - 1) / HZ;
}

/* The clock that has just ticked. */
static uint64_t clocks_now(void)
{
    return clock_nanos() / 1000000000 * HZ +
           clock_nanos() % 1000000000 * HZ / 1000000000;
}

static void run_clocks(uint64_t count)
{
    pc_run(nanos_at(clocks_now() + count) - clock_nanos());
}

/* Status and count of a channel, by the read-back command. */
static uint8_t read_back(struct pc *pc, unsigned channel, uint16_t *count)
{
    uint8_t status;

    pc_out(pc, CONTROL, (uint8_t)(0xc0 | 2 << channel));
    status = pc_in(pc, 0x40 + channel);
    *count = pc_in(pc, 0x40 + channel);
    *count |= (uint16_t)(pc_in(pc, 0x40 + channel) << 8);
    return status;
}

static void load(struct pc *pc, unsigned channel, uint16_t count)
{
    pc_out(pc, 0x40 + channel, (uint8_t)count);
    pc_out(pc, 0x40 + channel, (uint8_t)(count >> 8));
}

static uint16_t to_bcd(uint32_t number)
{
    return (uint16_t)(number / 1000 % 10 << 12 | number / 100 % 10 << 8 |
                      number / 10 % 10 << 4 | number % 10);
}

static void compare(struct pc *pc, const struct pit_model *model,
                    const char *what)
{
    uint16_t count;
    uint8_t status = read_back(pc, 2, &count);

    cr_assert_eq(status >> 7, model->out, "mode %u, OUT after %s", model->mode,
                 what);
    cr_assert_eq((pc_in(pc, PORT61) & 0x20) != 0, model->out);
    cr_assert_eq((status & 0x40) != 0, model->null, "mode %u, null after %s",
                 model->mode, what);
    cr_assert_eq(status & 0x3f, 0x30 | model->mode << 1 | model->bcd);
    if (model->counting)
        cr_assert_eq(count, pit_model_read(model),
                     "mode %u, count 0x%x for 0x%x after %s", model->mode,
                     count, pit_model_read(model), what);
}

static uint32_t small_or_any(uint64_t *seed, uint32_t range)
{
    return 2 + (uint32_t)pc_random(seed, pc_random(seed, 4) ? 20 : range - 1);
}

static void step(struct pc *pc, struct pit_model *model, uint64_t *seed)
{
    uint32_t range = pit_model_range(model);
    uint64_t ticks = pc_random(seed, pc_random(seed, 30) ? 30 : 70000) + 1;
    const char *what = "time";

    switch (pc_random(seed, 8)) {
    case 0: {
        uint32_t count = small_or_any(seed, range);

        pc_out(pc, 0x42, (uint8_t)(model->bcd ? to_bcd(count) : count));
        pit_model_first_byte(model);
        pc_out(pc, 0x42, (uint8_t)((model->bcd ? to_bcd(count) : count) >> 8));
        pit_model_count(model, count);
        what = "a count";
        break;
    }
    case 1: {
        bool gate = pc_random(seed, 2) != 0;

        /* The data sheet does not say what a gate does to a strobe. */
        if (model->mode >= 4 && !model->out)
            break;
        pc_out(pc, PORT61, gate);
        pit_model_gate(model, gate);
        what = "a gate";
        break;
    }
    default: break;
    }
    run_clocks(ticks);
    for (uint64_t i = 0; i < ticks; i++)
        pit_model_tick(model);
    compare(pc, model, what);
}

Test(pit, counts_as_the_model)
{
    struct pit_model model = {0};
    uint64_t seed = 3;
    struct pc pc;

    for (unsigned run = 0; run < 120; run++) {
        unsigned mode = run % 6;
        bool bcd = run / 6 % 2 != 0;

        make(&pc);
        pc_out(&pc, PORT61, 1);
        pc_out(&pc, CONTROL, (uint8_t)(0xb0 | mode << 1 | bcd));
        model.gate = true;
        pit_model_control(&model, mode, bcd);
        for (unsigned i = 0; i < 150; i++)
            step(&pc, &model, &seed);
        pc_end(&pc);
    }
}

/* Modes 6 and 7 are 2 and 3. */
Test(pit, mode_aliases)
{
    struct pc pc;
    uint16_t count;

    make(&pc);
    for (unsigned mode = 0; mode < 8; mode++) {
        pc_out(&pc, CONTROL, (uint8_t)(0x30 | mode << 1));
        cr_expect_eq(read_back(&pc, 0, &count) & 0xf,
                     (mode > 5 ? mode - 4 : mode) << 1);
    }
    pc_end(&pc);
}

/* Low byte, high byte, or both: for writes and reads. */
Test(pit, access_modes)
{
    struct pc pc;

    make(&pc);
    pc_out(&pc, PORT61, 0); /* the count stands still */
    pc_out(&pc, CONTROL, 0x90);
    pc_out(&pc, 0x42, 0x34);
    cr_expect_eq(pc_in(&pc, 0x42), 0x34);
    cr_expect_eq(pc_in(&pc, 0x42), 0x34);
    pc_out(&pc, CONTROL, 0xa0);
    pc_out(&pc, 0x42, 0x12);
    cr_expect_eq(pc_in(&pc, 0x42), 0x12);
    cr_expect_eq(pc_in(&pc, 0x42), 0x12);
    pc_out(&pc, CONTROL, 0xb0);
    load(&pc, 2, 0x5678);
    cr_expect_eq(pc_in(&pc, 0x42), 0x78);
    cr_expect_eq(pc_in(&pc, 0x42), 0x56);
    cr_expect_eq(pc_in(&pc, 0x42), 0x78);
    cr_expect_eq(pc_in(&pc, CONTROL), 0xff);
    pc_end(&pc);
}

/* A latched count is held until it is read, whatever else is asked for. */
Test(pit, latches)
{
    struct pc pc;

    make(&pc);
    pc_out(&pc, CONTROL, 0x34);
    load(&pc, 0, 10000);
    run_clocks(1001);
    pc_out(&pc, CONTROL, 0x00);
    run_clocks(1000);
    pc_out(&pc, CONTROL, 0x00);
    pc_out(&pc, CONTROL, 0xd2); /* read-back: count of channel 0 */
    cr_expect_eq(pc_in(&pc, 0x40), 9000 % 256);
    run_clocks(1000);
    cr_expect_eq(pc_in(&pc, 0x40), 9000 / 256);
    pc_out(&pc, CONTROL, 0x00);
    cr_expect_eq(pc_in(&pc, 0x40), 7000 % 256);
    cr_expect_eq(pc_in(&pc, 0x40), 7000 / 256);
    /* Status comes before the count, and is held, too. */
    pc_out(&pc, CONTROL, 0xe2);
    pc_out(&pc, CONTROL, 0x30);
    pc_out(&pc, CONTROL, 0xe2);
    pc_out(&pc, CONTROL, 0x34);
    pc_out(&pc, CONTROL, 0xc2);
    cr_expect_eq(pc_in(&pc, 0x40), 0xf4);
    pc_end(&pc);
}

/* Where OUT of channel 0 rises, an interrupt is. */
Test(pit, interrupts)
{
    static const struct {
        unsigned mode;
        uint64_t first, period; /* in clocks, with a count of 1000 */
    } rows[] = {
        {0, 1001, 0},
        {2, 1001, 1000},
        {3, 1001, 1000},
        {4, 1002, 0},
    };
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned rises;

        make(&pc);
        pc_out(&pc, CONTROL, (uint8_t)(0x30 | rows[i].mode << 1));
        load(&pc, 0, 1000);
        rises = pc.lines[GSI].rises;
        run_clocks(rows[i].first - 1);
        cr_expect_eq(pc.lines[GSI].rises, rises, "row %zu", i);
        run_clocks(1);
        cr_expect_eq(pc.lines[GSI].rises, rises + 1, "row %zu", i);
        if (rows[i].period != 0) {
            run_clocks(rows[i].period - 1);
            cr_expect_eq(pc.lines[GSI].rises, rises + 1, "row %zu", i);
            run_clocks(1 + 3 * rows[i].period);
            cr_expect_eq(pc.lines[GSI].rises, rises + 5, "row %zu", i);
        } else {
            run_clocks(100000);
            cr_expect_eq(pc.lines[GSI].rises, rises + 1, "row %zu", i);
            cr_expect_eq(clock_timer_count(), 0);
        }
        pc_end(&pc);
    }
}

/* Mode 0 is a level: it falls with the next count. */
Test(pit, mode_0_level)
{
    struct pc pc;

    make(&pc);
    pc_out(&pc, CONTROL, 0x30);
    cr_expect_not(pc.lines[GSI].high);
    load(&pc, 0, 100);
    run_clocks(101);
    cr_expect(pc.lines[GSI].high);
    pc_out(&pc, 0x40, 100);
    cr_expect_not(pc.lines[GSI].high);
    run_clocks(500);
    cr_expect_not(pc.lines[GSI].high);
    pc_out(&pc, 0x40, 0);
    run_clocks(101);
    cr_expect(pc.lines[GSI].high);
    device_set_reset(&pc.set);
    cr_expect_not(pc.lines[GSI].high);
    pc_end(&pc);
}

/* A new count of a periodic channel begins with the next period. */
Test(pit, new_count_of_a_period)
{
    struct pc pc;
    unsigned rises;

    make(&pc);
    pc_out(&pc, CONTROL, 0x34);
    load(&pc, 0, 1000);
    run_clocks(501);
    load(&pc, 0, 3000);
    rises = pc.lines[GSI].rises;
    run_clocks(500);
    cr_expect_eq(pc.lines[GSI].rises, rises + 1);
    run_clocks(2999);
    cr_expect_eq(pc.lines[GSI].rises, rises + 1);
    run_clocks(1);
    cr_expect_eq(pc.lines[GSI].rises, rises + 2);
    pc_end(&pc);
}

/* A host that is late makes one of several edges, and keeps the phase; a
 * period that nobody can follow does not keep it busy. */
Test(pit, late_and_fast)
{
    struct pc pc;
    unsigned rises;

    make(&pc);
    pc_out(&pc, CONTROL, 0x34);
    load(&pc, 0, 1000);
    rises = pc.lines[GSI].rises;
    clock_set_nanos(nanos_at(5501));
    pc_run(0);
    cr_expect_eq(pc.lines[GSI].rises, rises + 1);
    run_clocks(499);
    cr_expect_eq(pc.lines[GSI].rises, rises + 1);
    run_clocks(1);
    cr_expect_eq(pc.lines[GSI].rises, rises + 2);
    for (uint16_t count = 1; count < 4; count++) {
        for (uint8_t control = 0x34; control <= 0x36; control += 2) {
            pc_out(&pc, CONTROL, control);
            load(&pc, 0, count);
            rises = pc.lines[GSI].rises;
            pc_run(10000000);
            cr_expect(pc.lines[GSI].rises - rises >= 90 &&
                      pc.lines[GSI].rises - rises <= 101);
        }
    }
    pc_end(&pc);
}

/* Port 0x61: what is kept, and what moves. */
Test(pit, port_61)
{
    unsigned toggles = 0;
    uint8_t last;
    struct pc pc;

    make(&pc);
    pc_out(&pc, PORT61, 0xff);
    cr_expect_eq(pc_in(&pc, PORT61) & 0xcf, 0x0f);
    pc_out(&pc, PORT61, 0x00);
    cr_expect_eq(pc_in(&pc, PORT61) & 0xcf, 0x00);
    last = pc_in(&pc, PORT61) & 0x10;
    for (unsigned i = 0; i < 1000; i++) {
        pc_run(1000);
        toggles += (pc_in(&pc, PORT61) & 0x10) != last;
        last = pc_in(&pc, PORT61) & 0x10;
    }
    /* Every 15.085 us. */
    cr_expect(toggles >= 65 && toggles <= 67, "%u in 1 ms", toggles);
    pc_end(&pc);
}

/* The model's way to go many clocks at once, which the fuzzer takes. */
Test(pit, the_model_runs_as_it_ticks)
{
    uint64_t seed = 5;

    for (unsigned i = 0; i < 20000; i++) {
        struct pit_model one = {0}, many;
        uint32_t random = (uint32_t)(seed = seed * 6364136223846793005 + 1);
        unsigned clocks = (unsigned)(seed >> 33) % 300;

        one.gate = (seed >> 60 & 1) != 0;
        pit_model_control(&one, (unsigned)(seed >> 40) % 6,
                          (seed >> 50 & 1) != 0);
        pit_model_count(&one, 2 + random % 100);
        if ((seed >> 51 & 1) != 0)
            pit_model_gate(&one, !one.gate);
        many = one;
        for (unsigned k = 0; k < clocks; k++)
            pit_model_tick(&one);
        pit_model_run(&many, clocks);
        cr_assert(one.now == many.now && one.out == many.out &&
                      one.null == many.null && one.load == many.load &&
                      one.counting == many.counting &&
                      one.armed == many.armed && one.strobe == many.strobe,
                  "mode %u, %u clocks", one.mode, clocks);
    }
}
