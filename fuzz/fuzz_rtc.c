/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MC146818, given anything: while it runs, what it shows is a time; a
 * second later it shows the next one; its line is high exactly while a flag
 * and its enable are; and it does not keep the host busy.
 */
#include "device/pc/calendar.h"
#include "fuzz/pc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECOND   UINT64_C(1000000000)
#define REG_A    10
#define REG_B    11
#define REG_C    12
#define GSI      8
#define VECTOR   0x48
#define MAX_STEP 128

#define INPUTS_PER_TIME 8

enum step_kind { READ, WRITE, TIME, NEXT_SECOND, RESET };

struct step {
    enum step_kind kind;
    uint8_t index, value;
    uint64_t nanos;
};

static struct fuzz_pc *pc;

/* Reading the time takes as long as the steps. That it is one, and the next one
 * a second later, is seen of any steps in an input that begins with them. */
static bool reads_time;

static void take_step(struct fuzz_input *input, struct step *step)
{
    static const uint8_t kinds[] = {READ,  WRITE, WRITE, TIME,
                                    WRITE, TIME,  READ,  NEXT_SECOND};
    unsigned how = (unsigned)fuzz_take(input, 1);

    *step = (struct step){.kind = how == 0xff ? RESET : kinds[how % 8]};
    if (step->kind == READ || step->kind == WRITE)
        step->index = (uint8_t)(how & 0x80 ? fuzz_take(input, 1) : how / 8);
    if (step->kind == WRITE)
        step->value = (uint8_t)fuzz_take(input, 1);
    if (step->kind == TIME)
        step->nanos = fuzz_number(input) % (2 * SECOND);
}

static void skip(struct fuzz_input *input)
{
    struct step step;

    take_step(input, &step);
}

FUZZ_MUTATOR(skip)

static uint8_t get(uint8_t index)
{
    fuzz_pc_out(pc, 0x70, index);
    return fuzz_pc_in(pc, 0x71);
}

static uint32_t number(uint8_t value, uint8_t mode)
{
    if (mode & 4)
        return value;
    fuzz_need((value & 0xf) < 10 && value >> 4 < 10, "no number");
    return value % 16 + value / 16 * 10U;
}

static uint64_t read_time(void)
{
    uint8_t mode = get(REG_B);
    uint8_t hour = get(4);
    struct calendar c = {
        .second = number(get(0), mode),
        .minute = number(get(2), mode),
        .hour = number(mode & 2 ? hour : hour & 0x7f, mode),
        .day = number(get(7), mode),
        .month = number(get(8), mode),
        .year = number(get(0x32), mode) * 100 + number(get(9), mode),
    };

    if ((mode & 2) == 0) {
        fuzz_need(c.hour >= 1 && c.hour <= 12, "no hour of twelve");
        c.hour = c.hour % 12 + (hour & 0x80 ? 12 : 0);
    }
    fuzz_need(c.second < 60 && c.minute < 60 && c.hour < 24 && c.day >= 1 &&
                  c.day <= 31 && c.month >= 1 && c.month <= 12,
              "no time");
    return calendar_to_seconds(&c);
}

static bool is_running(void)
{
    return (get(REG_B) & 0x80) == 0 && (get(REG_A) & 0x70) <= 0x20;
}

static void check_next_second(void)
{
    uint64_t before = CALENDAR_LAST;

    if (reads_time && is_running())
        before = read_time();
    fuzz_pc_run(SECOND);
    if (before < CALENDAR_LAST)
        fuzz_need(read_time() == before + 1, "a second is not one");
}

static bool is_requested(void)
{
    return (lapic_read(lapics_get(pc->lapics, 0), 0x200 + VECTOR / 32 * 16,
                       4) >>
                VECTOR % 32 &
            1) != 0;
}

/* The line, through a level-triggered pin: it is requested while it is high,
 * as nobody takes it. A read of C lowers it. */
static void check_line(void)
{
    uint8_t c;

    if (!is_requested())
        return;
    fuzz_need(lapic_acknowledge(lapics_get(pc->lapics, 0)) == VECTOR,
              "another vector");
    c = get(REG_C);
    fuzz_need((c & 0x80) != 0 && (c & get(REG_B) & 0x70) != 0,
              "an interrupt of nothing");
    lapic_write(lapics_get(pc->lapics, 0), 0xb0, 4, 0);
    fuzz_need(!is_requested(), "the line stays high");
}

static void wire(void)
{
    lapic_write(lapics_get(pc->lapics, 0), 0xf0, 4, 0x1ff);
    fuzz_pc_write(pc, BUS_MMIO, 0xfec00000, 4, 0x10 + 2 * GSI);
    fuzz_pc_write(pc, BUS_MMIO, 0xfec00010, 4, 0x8000 | VECTOR);
}

static void do_step(const struct step *step)
{
    switch (step->kind) {
    case READ: (void)get(step->index); break;
    case WRITE:
        fuzz_pc_out(pc, 0x70, step->index);
        fuzz_pc_out(pc, 0x71, step->value);
        break;
    case TIME: fuzz_pc_run(step->nanos); break;
    case NEXT_SECOND: check_next_second(); break;
    case RESET:
        device_set_reset(&pc->set);
        wire();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    fuzz_pc_begin(&pc, "motorola,mc146818", wire);
    reads_time = fuzz_is_one_in(INPUTS_PER_TIME, data, size);
    for (unsigned i = 0; i < MAX_STEP && !fuzz_is_empty(&input); i++) {
        struct step step;

        take_step(&input, &step);
        do_step(&step);
        check_line();
    }
    if (reads_time && is_running())
        (void)read_time();
    fuzz_pc_end(&pc);
    return 0;
}
