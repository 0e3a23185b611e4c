/* SPDX-License-Identifier: Apache-2.0 */
#include "device/pc/alarm.h"

#include "lib/pause.h"

#define SECOND UINT64_C(1000000000)

void alarm_init(struct alarm *alarm, timer_fn fire, void *context)
{
    alarm->fire = fire;
    alarm->context = context;
    alarm->token = TIMER_NONE;
    atomic_init(&alarm->outstanding, 0);
}

/* The count is the last that is touched: the alarm may be gone then. */
static void on_timer(void *context, uint64_t now_ns)
{
    struct alarm *alarm = context;

    alarm->fire(alarm->context, now_ns);
    atomic_fetch_sub(&alarm->outstanding, 1);
}

void alarm_cancel(struct alarm *alarm)
{
    if (alarm->token == TIMER_NONE)
        return;
    if (time_cancel_timer(alarm->token) == OK)
        atomic_fetch_sub(&alarm->outstanding, 1);
    alarm->token = TIMER_NONE;
}

void alarm_set(struct alarm *alarm, uint64_t deadline_ns)
{
    alarm_cancel(alarm);
    atomic_fetch_add(&alarm->outstanding, 1);
    alarm->token = time_register_timer(deadline_ns, on_timer, alarm);
    if (alarm->token == TIMER_NONE)
        atomic_fetch_sub(&alarm->outstanding, 1);
}

void alarm_end(struct alarm *alarm)
{
    alarm_cancel(alarm);
    while (atomic_load(&alarm->outstanding) != 0)
        cpu_pause();
}

uint64_t alarm_cycles(uint64_t nanos, uint64_t hz)
{
    return nanos / SECOND * hz + nanos % SECOND * hz / SECOND;
}

uint64_t alarm_nanos(uint64_t cycles, uint64_t hz)
{
    return cycles / hz * SECOND + (cycles % hz * SECOND + hz - 1) / hz;
}
