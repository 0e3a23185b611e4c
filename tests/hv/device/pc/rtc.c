/* SPDX-License-Identifier: Apache-2.0 */
/* The MC146818 of a PC, against Motorola's data sheet and C's calendar. */
#include <time.h>

#include "device/pc/calendar.h"
#include "pc.h"
#include "sim/clock.h"

#define GSI    8
#define SECOND UINT64_C(1000000000)
#define START  UINT64_C(951782400) /* 2000-02-29 00:00:00, a Tuesday */

enum { A = 10, B = 11, C = 12, D = 13, CENTURY = 0x32 };
enum { SET = 0x80, PIE = 0x40, AIE = 0x20, UIE = 0x10, DM = 4, H24 = 2 };

static void make(struct pc *pc, uint64_t start)
{
    const struct pc_property properties[] = {{"boot-time", 2, start}, {NULL}};

    pc_make_bare(pc);
    (void)pc_add(pc, "motorola,mc146818", properties);
}

static uint8_t get(struct pc *pc, uint8_t index)
{
    pc_out(pc, 0x70, index);
    return pc_in(pc, 0x71);
}

/* `size` bytes from `index` on, the lowest first. */
static uint32_t get_number(struct pc *pc, uint8_t index, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)get(pc, (uint8_t)(index + i)) << i * 8;
    return value;
}

static void put(struct pc *pc, uint8_t index, uint8_t value)
{
    pc_out(pc, 0x70, index);
    pc_out(pc, 0x71, value);
}

static uint8_t bcd(int number)
{
    return (uint8_t)(number / 10 % 10 << 4 | number % 10);
}

static uint8_t coded(int number, uint8_t mode)
{
    return mode & DM ? (uint8_t)number : bcd(number);
}

static uint8_t coded_hour(int hour, uint8_t mode)
{
    if (mode & H24)
        return coded(hour, mode);
    return (uint8_t)(coded(hour % 12 == 0 ? 12 : hour % 12, mode) |
                     (hour >= 12 ? 0x80 : 0));
}

static void expect_time(struct pc *pc, time_t time, uint8_t mode)
{
    struct tm tm;

    gmtime_r(&time, &tm);
    cr_expect_eq(get(pc, 0), coded(tm.tm_sec, mode));
    cr_expect_eq(get(pc, 2), coded(tm.tm_min, mode));
    cr_expect_eq(get(pc, 4), coded_hour(tm.tm_hour, mode));
    cr_expect_eq(get(pc, 6), coded(tm.tm_wday + 1, mode));
    cr_expect_eq(get(pc, 7), coded(tm.tm_mday, mode));
    cr_expect_eq(get(pc, 8), coded(tm.tm_mon + 1, mode));
    cr_expect_eq(get(pc, 9), coded(tm.tm_year % 100, mode));
    cr_expect_eq(get(pc, CENTURY), coded((tm.tm_year + 1900) / 100, mode));
}

/* The calendar is C's, both ways. */
Test(rtc, calendar)
{
    uint64_t seed = 1;

    for (unsigned i = 0; i < 100000; i++) {
        time_t time = (time_t)pc_random(&seed, CALENDAR_LAST + 1);
        struct calendar c;
        struct tm tm;

        if (i < 40000)
            time = (time_t)i * 86400;
        gmtime_r(&time, &tm);
        calendar_of_seconds((uint64_t)time, &c);
        cr_assert(c.year == (uint32_t)tm.tm_year + 1900 &&
                  c.month == (uint32_t)tm.tm_mon + 1 &&
                  c.day == (uint32_t)tm.tm_mday &&
                  c.hour == (uint32_t)tm.tm_hour &&
                  c.minute == (uint32_t)tm.tm_min &&
                  c.second == (uint32_t)tm.tm_sec &&
                  c.weekday == (uint32_t)tm.tm_wday + 1);
        cr_assert_eq(calendar_to_seconds(&c), (uint64_t)time);
    }
}

/* The next match is the one that looking at every second finds. */
Test(rtc, next_match)
{
    static const uint32_t hours[] = {CALENDAR_ANY, 0, 7, 23};
    static const uint32_t others[] = {CALENDAR_ANY, 0, 30, 59};
    uint64_t seed = 2;

    for (unsigned i = 0; i < 64; i++) {
        const struct calendar_match match = {hours[i % 4], others[i / 4 % 4],
                                             others[i / 16]};
        uint64_t after = pc_random(&seed, START);
        uint64_t at = after + 1;

        while ((match.second != CALENDAR_ANY && at % 60 != match.second) ||
               (match.minute != CALENDAR_ANY && at / 60 % 60 != match.minute) ||
               (match.hour != CALENDAR_ANY && at / 3600 % 24 != match.hour))
            at++;
        cr_expect_eq(calendar_next_match(after, &match), at, "row %u", i);
    }
    cr_expect_eq(calendar_next_match(0, &(struct calendar_match){24, 0, 0}),
                 CALENDAR_NEVER);
    cr_expect_eq(
        calendar_next_match(0, &(struct calendar_match){CALENDAR_ANY, 60, 0}),
        CALENDAR_NEVER);
    cr_expect_eq(calendar_next_match(0, &(struct calendar_match){0, 0, 255}),
                 CALENDAR_NEVER);
}

/* Time passes, in each format. */
Test(rtc, reads_time)
{
    static const uint8_t modes[] = {0, DM, H24, DM | H24};
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        make(&pc, START);
        put(&pc, B, modes[i]);
        expect_time(&pc, (time_t)START, modes[i]);
        for (unsigned hour = 0; hour < 26; hour++) {
            pc_run(3599 * SECOND);
            expect_time(&pc, (time_t)(START + 3600 * hour + 3599), modes[i]);
            pc_run(SECOND - 1);
            expect_time(&pc, (time_t)(START + 3600 * hour + 3599), modes[i]);
            pc_run(1);
            expect_time(&pc, (time_t)(START + 3600 * hour + 3600), modes[i]);
        }
        pc_end(&pc);
    }
}

/* As a driver sets it: under SET, in each format. */
Test(rtc, set_time)
{
    static const uint8_t modes[] = {0, DM, H24, DM | H24};
    const time_t time = 4107596399; /* 2100-02-28 23:59:59, no leap year */
    struct tm tm;
    struct pc pc;

    gmtime_r(&time, &tm);
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        uint8_t mode = modes[i];

        make(&pc, START);
        put(&pc, B, SET | mode);
        pc_run(10 * SECOND);
        put(&pc, 0, coded(tm.tm_sec, mode));
        put(&pc, 2, coded(tm.tm_min, mode));
        put(&pc, 4, coded_hour(tm.tm_hour, mode));
        put(&pc, 7, coded(tm.tm_mday, mode));
        put(&pc, 8, coded(tm.tm_mon + 1, mode));
        put(&pc, 9, coded(tm.tm_year % 100, mode));
        put(&pc, CENTURY, coded(21, mode));
        pc_run(10 * SECOND);
        cr_expect_eq(get(&pc, 0), coded(59, mode));
        put(&pc, B, mode);
        expect_time(&pc, time, mode);
        pc_run(SECOND);
        expect_time(&pc, time + 1, mode);
        pc_end(&pc);
    }
}

/* What is no time is taken for the nearest one, and breaks nothing. */
Test(rtc, absurd_values)
{
    struct pc pc;

    for (unsigned mode = 0; mode < 8; mode += 2) {
        for (unsigned value = 0; value < 256; value += 5) {
            make(&pc, START);
            put(&pc, B, (uint8_t)(SET | mode | AIE | UIE | PIE));
            for (uint8_t index = 0; index < 10; index++)
                put(&pc, index, (uint8_t)value);
            put(&pc, CENTURY, (uint8_t)value);
            put(&pc, B, (uint8_t)(mode | AIE | UIE | PIE));
            pc_run(3 * SECOND);
            cr_expect_leq(get(&pc, 7), 0x31);
            pc_end(&pc);
        }
    }
}

/* A divider that is reset holds time; half a second after, it goes on. */
Test(rtc, divider_reset)
{
    struct pc pc;

    make(&pc, START);
    pc_run(SECOND / 10);
    put(&pc, A, 0x76);
    pc_run(5 * SECOND);
    expect_time(&pc, (time_t)START, H24);
    put(&pc, A, 0x26);
    pc_run(SECOND / 2 - 1);
    expect_time(&pc, (time_t)START, H24);
    pc_run(1);
    expect_time(&pc, (time_t)START + 1, H24);
    pc_end(&pc);
}

/* UIP: 244 us before the update, and not while time is set. */
Test(rtc, update_in_progress)
{
    struct pc pc;

    make(&pc, START);
    cr_expect_eq(get(&pc, A), 0x26);
    pc_run(SECOND - 244001);
    cr_expect_eq(get(&pc, A), 0x26);
    pc_run(1);
    cr_expect_eq(get(&pc, A), 0xa6);
    pc_run(244000 - 1);
    cr_expect_eq(get(&pc, A), 0xa6);
    put(&pc, B, SET | H24);
    cr_expect_eq(get(&pc, A), 0x26);
    put(&pc, B, H24);
    pc_run(1);
    cr_expect_eq(get(&pc, A), 0x26);
    /* It cannot be written. */
    put(&pc, A, 0xff & ~0x70);
    cr_expect_eq(get(&pc, A), 0x0f);
    pc_end(&pc);
}

/* Flags come without enables, too; a read of C takes them all. */
Test(rtc, flags)
{
    struct pc pc;

    make(&pc, START);
    put(&pc, A, 0x20);
    cr_expect_eq(get(&pc, C), 0);
    pc_run(SECOND);
    cr_expect_eq(get(&pc, C), UIE);
    cr_expect_eq(get(&pc, C), 0);
    put(&pc, 1, 0x05);
    put(&pc, 3, 0xc0);
    put(&pc, 5, 0xff);
    pc_run(3 * SECOND);
    cr_expect_eq(get(&pc, C), UIE);
    pc_run(SECOND);
    cr_expect_eq(get(&pc, C), UIE | AIE);
    /* A change of the rate is no period. */
    put(&pc, A, 0x26);
    cr_expect_eq(get(&pc, C), 0);
    pc_run(SECOND / 1024 + 1);
    cr_expect_eq(get(&pc, C), PIE);
    cr_expect_eq(pc.lines[GSI].rises, 0);
    pc_end(&pc);
}

/* An enable after its flag interrupts; the line is low with C's read. */
Test(rtc, interrupts)
{
    static const struct {
        uint8_t enable;
        uint64_t period;
    } rows[] = {{UIE, SECOND}, {AIE, SECOND}, {PIE, SECOND / 2}};
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        make(&pc, START);
        put(&pc, A, 0x2f); /* 2 Hz */
        for (uint8_t index = 1; index < 6; index += 2)
            put(&pc, index, 0xc0);
        put(&pc, B, H24 | rows[i].enable);
        for (unsigned n = 1; n < 4; n++) {
            pc_run(rows[i].period - 1);
            cr_expect_not(pc.lines[GSI].high, "row %zu", i);
            pc_run(1);
            cr_expect(pc.lines[GSI].high, "row %zu", i);
            cr_expect_eq(get(&pc, C) & (0x80 | rows[i].enable),
                         0x80 | rows[i].enable);
            cr_expect_not(pc.lines[GSI].high);
            cr_expect_eq(pc.lines[GSI].rises, n);
        }
        put(&pc, B, H24);
        pc_run(rows[i].period);
        cr_expect_not(pc.lines[GSI].high);
        put(&pc, B, H24 | rows[i].enable);
        cr_expect(pc.lines[GSI].high);
        /* Unserved, it takes no timer of the host's. */
        cr_expect_eq(clock_timer_count(), 0);
        device_set_reset(&pc.set);
        cr_expect_not(pc.lines[GSI].high);
        cr_expect_eq(get(&pc, B), H24);
        pc_end(&pc);
    }
}

/* Each rate of the periodic interrupt. */
Test(rtc, rates)
{
    static const uint32_t hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};
    struct pc pc;

    for (uint8_t rate = 0; rate < 16; rate++) {
        unsigned count = 0;

        make(&pc, START);
        put(&pc, A, 0x20 | rate);
        put(&pc, B, H24 | PIE);
        for (unsigned i = 0; i < 20000; i++) {
            pc_run(SECOND / 20000);
            count += (get(&pc, C) & PIE) != 0;
        }
        cr_expect_eq(count, hz[rate], "rate %u: %u", rate, count);
        pc_end(&pc);
    }
}

/* An alarm, of each kind of don't-care. */
Test(rtc, alarm)
{
    static const struct {
        uint8_t hour, minute, second;
        uint64_t after;
    } rows[] = {
        {0x00, 0x00, 0x00, 86400}, {0x00, 0x00, 0x30, 30},
        {0x01, 0x00, 0x00, 3600},  {0xff, 0x10, 0x00, 600},
        {0xc0, 0xc0, 0x15, 15},    {0xc0, 0xc0, 0xc0, 1},
        {0x23, 0x59, 0x59, 86399}, {0x23, 0xff, 0x00, 82800},
    };
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        make(&pc, START);
        put(&pc, 5, rows[i].hour);
        put(&pc, 3, rows[i].minute);
        put(&pc, 1, rows[i].second);
        put(&pc, B, H24 | AIE);
        pc_run(rows[i].after * SECOND - 1);
        cr_expect_not(pc.lines[GSI].high, "row %zu", i);
        pc_run(1);
        cr_expect(pc.lines[GSI].high, "row %zu", i);
        pc_end(&pc);
    }
}

/* The memory: kept by a reset, as is time. Index bit 7 is not part of it. */
Test(rtc, memory)
{
    struct pc pc;

    make(&pc, START);
    for (unsigned i = 0x0e; i < 0x80; i++) {
        if (i != CENTURY)
            put(&pc, (uint8_t)(i | 0x80), (uint8_t)~i);
    }
    pc_run(5 * SECOND);
    device_set_reset(&pc.set);
    for (unsigned i = 0x0e; i < 0x80; i++) {
        if (i != CENTURY)
            cr_expect_eq(get(&pc, (uint8_t)i), (uint8_t)~i);
    }
    expect_time(&pc, (time_t)START + 5, H24);
    put(&pc, D, 0);
    cr_expect_eq(get(&pc, D), 0x80);
    cr_expect_eq(pc_in(&pc, 0x70), 0xff);
    pc_end(&pc);
}

Test(rtc, memory_sizes)
{
    static const struct {
        uint64_t low, high;
        uint32_t base, extended, over_16m, over_4g;
    } rows[] = {
        {0, 0, 0, 0, 0, 0},
        {0x80000, 0, 512, 0, 0, 0},
        {0x400000, 0, 640, 3072, 0, 0},
        {0x8000000, 0, 640, 0xffff, 0x700, 0},
        {0x80000000, 0x140000000, 640, 0xffff, 0x7f00, 0x14000},
        {UINT64_MAX, UINT64_MAX, 640, 0xffff, 0xffff, 0xffffff},
    };
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct device_ram ram[] = {{0, rows[i].low},
                                         {UINT64_C(1) << 32, rows[i].high}};

        pc_make_bare(&pc);
        pc.context.vcpu_count = 4;
        pc.context.ram = ram;
        pc.context.ram_count = ARRAY_SIZE(ram);
        (void)pc_add(&pc, "motorola,mc146818", NULL);
        cr_expect_eq(get_number(&pc, 0x15, 2), rows[i].base);
        cr_expect_eq(get_number(&pc, 0x17, 2), rows[i].extended);
        cr_expect_eq(get_number(&pc, 0x30, 2), rows[i].extended);
        cr_expect_eq(get_number(&pc, 0x34, 2), rows[i].over_16m);
        cr_expect_eq(get_number(&pc, 0x5b, 3), rows[i].over_4g);
        cr_expect_eq(get(&pc, 0x5f), 3);
        pc_end(&pc);
    }
}

Test(rtc, wrong_properties)
{
    static const struct pc_property rows[][2] = {
        {{"boot-time", 1, 5}, {NULL}},
        {{"boot-time", 2, UINT64_MAX}, {NULL}},
        {{"boot-time", 2, CALENDAR_LAST + 1}, {NULL}},
    };
    const char *what;
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        pc_make_bare(&pc);
        cr_expect_eq(pc_try(&pc, "motorola,mc146818", rows[i], &what),
                     ERR_INVALID_INPUT);
        cr_expect_str_eq(what, rows[i][0].name);
        pc_end(&pc);
    }
}
