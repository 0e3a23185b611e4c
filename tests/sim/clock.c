/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual time, timers and host interrupts. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/arch.h"
#include "api/time.h"
#include "sim/sim.h"
#include "support/rows.h"

static void setup(void)
{
    sim_reset(3);
}

TestSuite(clock, .init = setup);

static uint64_t fired[8];
static unsigned fired_count;

static void fire(void *context, uint64_t now_ns)
{
    fired[fired_count++ % 8] = (uint64_t)(uintptr_t)context;
}

static void fire_and_rearm(void *context, uint64_t now_ns)
{
    fired_count++;
    cr_assert_neq(time_register_timer(now_ns, fire_and_rearm, NULL),
                  TIMER_NONE);
}

Test(clock, conversions_round_down_and_saturate)
{
    static const struct {
        uint64_t hz, ticks, nanos, back;
    } rows[] = {
        {10000000, 0, 0, 0},
        {10000000, 1, 100, 1},
        {10000000, UINT64_MAX, UINT64_MAX, UINT64_MAX / 100},
        {1000000000, 12345, 12345, 12345},
        {3, 1, 333333333, 0},
        {3, 3, 1000000000, 3},
        {UINT64_C(1) << 40, 1, 0, 0},
    };

    for_each_row (i, rows) {
        clock_set_frequency(rows[i].hz);
        cr_assert_eq(time_ticks_to_nanos(rows[i].ticks), rows[i].nanos,
                     "row %zu", i);
        cr_assert_eq(time_nanos_to_ticks(rows[i].nanos), rows[i].back,
                     "row %zu", i);
    }
    cr_assert_eq(time_frequency(), UINT64_C(1) << 40);
}

Test(clock, a_slower_counter_has_the_same_zero)
{
    static const struct {
        uint64_t frequency, ticks, hz, expected;
    } rows[] = {
        {10000000, 0, 3579545, 0},
        {10000000, 2, 3579545, 0},
        {10000000, 3, 3579545, 1},
        {10000000, 10000000, 3579545, 3579545},
        {10000000, 12345678901, 3579545, UINT64_C(4419191318)},
        {10000000, UINT64_MAX, 10000000, UINT64_MAX},
        {3, 1, 1000, 333},
        {UINT64_C(1) << 40, UINT64_MAX, 1 << 20, UINT64_MAX >> 20},
    };

    for_each_row (i, rows) {
        sim_reset(1);
        clock_set_frequency(rows[i].frequency);
        clock_advance_ticks(rows[i].ticks);
        cr_assert_eq(time_ticks_at(rows[i].hz), rows[i].expected, "row %zu", i);
    }
}

Test(clock, time_moves_only_forward)
{
    cr_assert_eq(time_ticks(), 0);
    clock_advance_ticks(5);
    cr_assert_eq(time_nanos(), 500);
    clock_set_nanos(1001);
    cr_assert_eq(time_ticks(), 11, "the first tick at or after it");
    clock_set_nanos(3);
    cr_assert_eq(time_ticks(), 11);
}

Test(clock, timers_are_their_cpus_and_fire_in_order)
{
    uint64_t last;

    fired_count = 0;
    (void)!time_register_timer(300, fire, (void *)3);
    (void)!time_register_timer(100, fire, (void *)1);
    last = time_register_timer(200, fire, (void *)2);
    cpus_set_current(1);
    (void)!time_register_timer(150, fire, (void *)9);
    cr_assert_eq(clock_next_deadline(0), 100);
    cr_assert_eq(clock_next_deadline(1), 150);
    cr_assert_eq(clock_next_deadline(2), UINT64_MAX);
    clock_set_nanos(99);
    clock_advance_ticks(0);
    cr_assert_eq(clock_timer_due(0), true, "99 ns rounds up to a tick");
    clock_set_nanos(1000);
    cr_assert_eq(time_cancel_timer(last), OK, "from another CPU");
    cr_assert_eq(time_cancel_timer(last), ERR_NOT_FOUND);
    cpus_set_current(0);
    cr_assert_eq(arch_fetch_irq(), HOST_IRQ_TIMER);
    arch_handle_irq(HOST_IRQ_TIMER);
    cr_assert_eq(fired_count, 2);
    cr_assert_eq(fired[0], 1);
    cr_assert_eq(fired[1], 3);
    cr_assert_eq(arch_fetch_irq(), HOST_IRQ_NONE);
    cr_assert_eq(clock_timer_count(), 1);
}

Test(clock, a_timer_that_rearms_itself_does_not_hold_the_cpu)
{
    fired_count = 0;
    (void)!time_register_timer(0, fire_and_rearm, NULL);
    arch_handle_irq(HOST_IRQ_TIMER);
    cr_assert_eq(fired_count, 1);
    cr_assert(clock_timer_due(0));
}

Test(clock, timers_run_out)
{
    for (unsigned i = 0; i < CLOCK_TIMERS; i++)
        cr_assert_neq(time_register_timer(i, fire, NULL), TIMER_NONE);
    cr_assert_eq(time_register_timer(1, fire, NULL), TIMER_NONE);
}

Test(clock, interrupts_come_in_the_order_of_their_urgency)
{
    fired_count = 0;
    (void)!time_register_timer(0, fire, NULL);
    host_kick_cpu(0);
    host_kick_cpu_and_wait(2);
    (void)console_inject("x", 1);
    cr_assert_eq(arch_fetch_irq(), HOST_IRQ_IPI);
    cr_assert_eq(arch_fetch_irq(), HOST_IRQ_TIMER);
    arch_handle_irq(HOST_IRQ_TIMER);
    cr_assert_eq(arch_fetch_irq(), HOST_IRQ_CONSOLE);
    cr_assert_eq(arch_fetch_irq(), HOST_IRQ_NONE);
    cpus_set_current(2);
    cr_assert_eq(host_current_cpu(), 2);
    cr_assert_eq(arch_fetch_irq(), HOST_IRQ_IPI);
    cr_assert_eq(arch_fetch_irq(), HOST_IRQ_NONE);
}

Test(clock, the_console_keeps_what_fits)
{
    static char block[CONSOLE_OUTPUT_SIZE];
    char text[4];
    size_t size;

    memset(block, 'a', sizeof(block));
    cr_assert_eq(console_inject("12345", 5), 5);
    cr_assert_eq(console_read(text, 3), 3);
    cr_assert_eq(console_read(text, 3), 2);
    cr_assert_eq(console_read(text, 3), 0);
    cr_assert_eq(console_inject(block, CONSOLE_INPUT_SIZE + 1),
                 CONSOLE_INPUT_SIZE);
    console_write(block, sizeof(block));
    console_write("more", 4);
    cr_assert_not_null(console_output(&size));
    cr_assert_eq(size, CONSOLE_OUTPUT_SIZE);
    cr_assert_eq(console_dropped(), 4);
    console_clear_output();
    console_write("b", 1);
    cr_assert_str_eq(console_output(NULL), "b");
}
