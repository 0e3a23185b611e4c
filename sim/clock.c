/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual time: see clock.h. Each CPU has a timer queue, as on the machine,
 * and its next deadline in ticks, so that asking whether a timer is due costs
 * a comparison.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/check.h"
#include "lib/compiler.h"
#include "lib/timer_queue.h"
#include "sim/clock.h"
#include "sim/cpus.h"
#include "sim/put_back.h"

#define NANOS_PER_SECOND UINT64_C(1000000000)

struct clock_cpu {
    struct timer_queue queue;
    uint64_t next_ticks; /* when the first timer is due; UINT64_MAX: never */
    uint32_t most;       /* timers there ever were: no slot beyond is used */
    struct timer_slot slots[CLOCK_TIMERS];
};

static struct clock {
    uint64_t ticks;
    uint64_t frequency;
    uint32_t cpus; /* those whose queues are set up since the last reset */
    uint32_t made; /* those that ever were */
    struct clock_cpu cpu[MAX_CPU_NUM];
} clock_state = {.frequency = CLOCK_DEFAULT_FREQUENCY};

void clock_reset(void)
{
    clock_state.ticks = 0;
    clock_state.frequency = CLOCK_DEFAULT_FREQUENCY;
    clock_state.cpus = 0;
}

static void (*announce)(uint64_t token, uint64_t now_ns);

void clock_set_announce(void (*listener)(uint64_t token, uint64_t now_ns))
{
    announce = listener;
}

static void announce_timer(uint64_t token, uint64_t now_ns)
{
    if (announce != NULL)
        announce(token, now_ns);
}

static void set_up(uint32_t cpu)
{
    struct clock_cpu *made = &clock_state.cpu[cpu];

    timer_queue_init(&made->queue, cpu, made->slots, CLOCK_TIMERS);
    made->queue.announce = announce_timer;
    made->next_ticks = UINT64_MAX;
    made->most = 0;
}

/* CPU `cpu`'s timers, set up at the first use since the last reset, unless
 * there never was one: that takes longer than making a small machine. */
static struct clock_cpu *cpu_of(uint32_t cpu)
{
    while (unlikely(cpu >= clock_state.cpus)) {
        if (clock_state.cpus == clock_state.made ||
            clock_state.cpu[clock_state.cpus].most != 0)
            set_up(clock_state.cpus);
        clock_state.cpus++;
        if (clock_state.made < clock_state.cpus)
            clock_state.made = clock_state.cpus;
    }
    return &clock_state.cpu[cpu];
}

void clock_set_frequency(uint64_t hz)
{
    CHECK(hz != 0);
    clock_state.frequency = hz;
}

uint64_t clock_ticks(void)
{
    return clock_state.ticks;
}

uint64_t clock_nanos(void)
{
    return time_ticks_to_nanos(clock_state.ticks);
}

void clock_advance_ticks(uint64_t ticks)
{
    clock_state.ticks += ticks;
}

/* The first tick that is not before `nanos`. */
static uint64_t ticks_at(uint64_t nanos)
{
    uint64_t ticks = time_nanos_to_ticks(nanos);

    if (time_ticks_to_nanos(ticks) < nanos && ticks != UINT64_MAX)
        ticks++;
    return ticks;
}

void clock_set_nanos(uint64_t nanos)
{
    uint64_t ticks = ticks_at(nanos);

    if (ticks > clock_state.ticks)
        clock_state.ticks = ticks;
}

static void update_next(struct clock_cpu *cpu)
{
    uint64_t deadline = timer_queue_next_deadline(&cpu->queue);

    cpu->next_ticks =
        deadline == TIMER_QUEUE_NEVER ? UINT64_MAX : ticks_at(deadline);
}

uint64_t clock_next_deadline(uint32_t cpu)
{
    return timer_queue_next_deadline(&cpu_of(cpu)->queue);
}

bool clock_timer_due(uint32_t cpu)
{
    return cpu_of(cpu)->next_ticks <= clock_state.ticks;
}

void clock_fire_due(uint32_t cpu)
{
    struct clock_cpu *timers = cpu_of(cpu);

    (void)timer_queue_expire(&timers->queue, clock_nanos());
    update_next(timers);
}

uint32_t clock_timer_count(void)
{
    uint32_t count = 0;

    for (uint32_t cpu = 0; cpu < clock_state.cpus; cpu++)
        count += clock_state.cpu[cpu].queue.count;
    return count;
}

uint64_t time_ticks_impl(void)
{
    return clock_state.ticks;
}

uint64_t time_ticks_at_impl(uint64_t hz)
{
    return time_ticks_scaled(clock_state.ticks, clock_state.frequency, hz);
}

uint64_t time_frequency_impl(void)
{
    return clock_state.frequency;
}

uint64_t time_register_timer_impl(uint64_t deadline_ns, timer_fn fire,
                                  void *context)
{
    struct clock_cpu *timers = cpu_of(host_current_cpu_impl());
    uint64_t token =
        timer_queue_insert(&timers->queue, deadline_ns, fire, context);

    if (timers->queue.count > timers->most)
        timers->most = timers->queue.count;
    update_next(timers);
    return token;
}

err_t time_cancel_timer_impl(uint64_t token)
{
    struct clock_cpu *timers = cpu_of(timer_queue_number(token));
    err_t error = timer_queue_cancel(&timers->queue, token);

    update_next(timers);
    return error;
}

/* a * b / c without overflow in between, saturating. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128 scaled;
    uint64_t product;

    if (!__builtin_mul_overflow(a, b, &product))
        return product / c;
    scaled = (unsigned __int128)a * b / c;
    return scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
}

/* Where a second is a whole number of ticks' lengths, no wide division. */
uint64_t time_ticks_to_nanos(uint64_t ticks)
{
    uint64_t hz = clock_state.frequency;
    uint64_t nanos;

    if (likely(hz == CLOCK_DEFAULT_FREQUENCY)) {
        if (__builtin_mul_overflow(
                ticks, NANOS_PER_SECOND / CLOCK_DEFAULT_FREQUENCY, &nanos))
            return UINT64_MAX;
        return nanos;
    }
    return scale(ticks, NANOS_PER_SECOND, hz);
}

uint64_t time_nanos_to_ticks(uint64_t nanos)
{
    if (likely(clock_state.frequency == CLOCK_DEFAULT_FREQUENCY))
        return nanos / (NANOS_PER_SECOND / CLOCK_DEFAULT_FREQUENCY);
    return scale(nanos, clock_state.frequency, NANOS_PER_SECOND);
}

uint64_t time_nanos(void)
{
    return time_ticks_to_nanos(time_ticks());
}

/* Cycles of the process would differ from run to run: these do not. */
uint64_t time_cycles(void)
{
    return clock_state.ticks;
}

/* Queues that are not set up hold nothing. */
static size_t clock_used(const struct clock *clock)
{
    return offsetof(struct clock, cpu) + clock->cpus * sizeof(clock->cpu[0]);
}

struct clock *clock_save(void)
{
    struct clock *saved = malloc(clock_used(&clock_state));

    if (saved != NULL)
        memcpy(saved, &clock_state, clock_used(&clock_state));
    return saved;
}

/* Slots are taken lowest first, and freed ones before those that never were:
 * those beyond the most there ever were are as they were at first. */
static void restore_timers(struct clock_cpu *cpu, const struct clock_cpu *saved)
{
    uint32_t most = cpu->most > saved->most ? cpu->most : saved->most;

    put_back(cpu, saved,
             offsetof(struct clock_cpu, slots) + most * sizeof(cpu->slots[0]));
}

void clock_restore(const struct clock *saved)
{
    for (uint32_t cpu = 0; cpu < saved->cpus; cpu++)
        restore_timers(cpu_of(cpu), &saved->cpu[cpu]);
    clock_state.ticks = saved->ticks;
    clock_state.frequency = saved->frequency;
    clock_state.cpus = saved->cpus;
}
