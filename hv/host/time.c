/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time and timers: hv/api/time.h. A CPU's timers are a queue of its own; the
 * alarm of its hardware is set for the earliest. Cancelling leaves the alarm
 * as it is: it then goes off for nothing, once.
 */
#include "api/time.h"

#include "host/host.h"
#include "host/machine.h"
#include "trace/record.h"

#define NANOS_PER_SECOND UINT64_C(1000000000)

/* floor(value * to / from), saturating, for `from` and `to` up to 2^34. */
static uint64_t scale(uint64_t value, uint64_t to, uint64_t from)
{
    uint64_t whole, part = value % from * to / from;

    if (__builtin_mul_overflow(value / from, to, &whole) ||
        __builtin_add_overflow(whole, part, &whole))
        return UINT64_MAX;
    return whole;
}

uint64_t time_ticks_to_nanos(uint64_t ticks)
{
    return scale(ticks, NANOS_PER_SECOND, machine_frequency());
}

uint64_t time_nanos_to_ticks(uint64_t nanos)
{
    return scale(nanos, machine_frequency(), NANOS_PER_SECOND);
}

uint64_t time_nanos(void)
{
    return time_ticks_to_nanos(time_ticks());
}

uint64_t time_cycles(void)
{
    return machine_cycles();
}

uint64_t time_ticks_impl(void)
{
    return machine_ticks();
}

uint64_t time_ticks_at_impl(uint64_t hz)
{
    return time_ticks_scaled(machine_ticks(), machine_frequency(), hz);
}

uint64_t time_frequency_impl(void)
{
    return machine_frequency();
}

/* Announces a timer's call to the recording. */
static void time_announce(uint64_t token, uint64_t now_ns)
{
    if (trace_is_on())
        trace_timer(token, now_ns);
}

void time_init_cpu(struct host_cpu *cpu)
{
    timer_queue_init(&cpu->timers, cpu->id, cpu->timer_slots, HOST_TIMERS);
    cpu->timers.announce = time_announce;
    cpu->alarm = UINT64_MAX;
}

/* Sets the alarm for the earliest timer, if that is not what it is set for. */
static void update_alarm(struct host_cpu *cpu)
{
    uint64_t deadline = timer_queue_next_deadline(&cpu->timers);
    uint64_t alarm = UINT64_MAX;

    /* The first tick that is not before the deadline. */
    if (deadline != TIMER_QUEUE_NEVER) {
        alarm = time_nanos_to_ticks(deadline);
        if (time_ticks_to_nanos(alarm) < deadline && alarm != UINT64_MAX)
            alarm++;
    }
    if (alarm == cpu->alarm)
        return;
    cpu->alarm = alarm;
    machine_set_alarm(alarm);
}

uint64_t time_register_timer_impl(uint64_t deadline_ns, timer_fn fire,
                                  void *context)
{
    struct host_cpu *cpu = machine_this_cpu();
    uint64_t token =
        timer_queue_insert(&cpu->timers, deadline_ns, fire, context);

    update_alarm(cpu);
    return token;
}

err_t time_cancel_timer_impl(uint64_t token)
{
    uint32_t cpu = timer_queue_number(token);

    if (cpu >= host_cpu_count_impl())
        return ERR_NOT_FOUND;
    return timer_queue_cancel(&host_cpus[cpu]->timers, token);
}

/* machine_take_irq() has switched the alarm off. */
void time_handle_alarm(void)
{
    struct host_cpu *cpu = machine_this_cpu();

    cpu->alarm = UINT64_MAX;
    timer_queue_expire(&cpu->timers, time_ticks_to_nanos(machine_ticks()));
    update_alarm(cpu);
}
