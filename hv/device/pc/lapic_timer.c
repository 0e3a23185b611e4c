/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer of a local APIC: SDM volume 3A, section 11.5.4. It counts at 1 GHz
 * before division. The count is not kept but follows from the time at which
 * it will be 0, so that a timer costs one host timer however often it is read.
 *
 * A periodic timer whose host timer comes late skips the periods that are
 * over: the vCPU would have had them in one, as IRR has one bit. One that is
 * faster than MIN_PERIOD_NS interrupts no more often than that, or a guest
 * could keep a CPU busy with it; its count is as programmed.
 */
#include "device/pc/lapic_impl.h"

#define MIN_PERIOD_NS UINT64_C(100000)

enum timer_mode lapic_timer_mode(const struct lapic *lapic)
{
    return (enum timer_mode)FIELD_GET(LVT_TIMER_MODE, lapic->lvt[LVT_TIMER]);
}

/* Bits 0, 1 and 3: 2, 4 to 128, and the last one is 1. */
static uint64_t divisor_of(uint32_t divide)
{
    uint32_t exponent = ((divide & 3) | (divide >> 1 & 4)) + 1;

    return UINT64_C(1) << exponent % 8;
}

static uint64_t period_of(const struct lapic *lapic)
{
    return lapic->initial_count * divisor_of(lapic->divide);
}

void lapic_timer_stop(struct lapic *lapic)
{
    lapic->expiry_ns = NO_EXPIRY;
    lapic->tsc_deadline = 0;
    alarm_cancel(&lapic->alarm);
}

static void set_expiry(struct lapic *lapic, uint64_t expiry_ns)
{
    lapic->expiry_ns = expiry_ns;
    alarm_set(&lapic->alarm, expiry_ns);
}

static uint64_t nanos_left(const struct lapic *lapic, uint64_t now)
{
    uint64_t period = period_of(lapic);

    if (lapic->expiry_ns == NO_EXPIRY)
        return 0;
    if (lapic->expiry_ns > now)
        return lapic->expiry_ns - now;
    if (lapic_timer_mode(lapic) != TIMER_PERIODIC || period == 0)
        return 0;
    return period - (now - lapic->expiry_ns) % period;
}

static bool counts(const struct lapic *lapic)
{
    return lapic_timer_mode(lapic) <= TIMER_PERIODIC;
}

uint32_t lapic_timer_count(const struct lapic *lapic)
{
    uint64_t divisor = divisor_of(lapic->divide);

    if (!counts(lapic))
        return 0;
    return (uint32_t)((nanos_left(lapic, time_nanos()) + divisor - 1) /
                      divisor);
}

/* To and from TSC-deadline mode, and the reserved one, it is disarmed; between
 * the other two it goes on, as OSes count on. */
void lapic_timer_set_mode(struct lapic *lapic, uint32_t old_lvt)
{
    uint32_t changed = (old_lvt ^ lapic->lvt[LVT_TIMER]) & LVT_TIMER_MODE;
    bool counted = FIELD_GET(LVT_TIMER_MODE, old_lvt) <= TIMER_PERIODIC;

    if (changed == 0 || (counted && counts(lapic)))
        return;
    lapic_timer_stop(lapic);
    lapic->initial_count = 0;
}

void lapic_timer_start(struct lapic *lapic, uint32_t count)
{
    if (!counts(lapic))
        return;
    lapic_timer_stop(lapic);
    lapic->initial_count = count;
    if (count != 0)
        set_expiry(lapic, time_nanos() + period_of(lapic));
}

/* The count goes on from where it is. */
void lapic_timer_set_divide(struct lapic *lapic, uint32_t divide)
{
    uint64_t count = lapic_timer_count(lapic);

    lapic->divide = divide;
    if (lapic->expiry_ns != NO_EXPIRY && counts(lapic) && count != 0)
        set_expiry(lapic, time_nanos() + count * divisor_of(divide));
}

/* The first nanosecond at which the counter has reached `ticks`. */
static uint64_t nanos_of(uint64_t ticks)
{
    uint64_t nanos = time_ticks_to_nanos(ticks);

    return nanos == UINT64_MAX ? nanos : nanos + 1;
}

/* A deadline that has passed expires at once. */
void lapic_timer_set_deadline(struct lapic *lapic, uint64_t deadline)
{
    uint64_t now = time_ticks();
    uint64_t tsc = now + lapic->tsc_offset;

    if (lapic_timer_mode(lapic) != TIMER_DEADLINE)
        return;
    lapic_timer_stop(lapic);
    if (deadline == 0)
        return;
    if (deadline <= tsc) {
        lapic_raise_local(lapic, LVT_TIMER);
        return;
    }
    lapic->tsc_deadline = deadline;
    now = deadline - tsc <= UINT64_MAX - now ? now + (deadline - tsc)
                                             : UINT64_MAX;
    set_expiry(lapic, nanos_of(now));
}

void lapic_set_tsc_offset(struct lapic *lapic, uint64_t offset)
{
    spin_lock(&lapic->lock);
    lapic->tsc_offset = offset;
    lapic_timer_set_deadline(lapic, lapic->tsc_deadline);
    lapic_update(lapic);
    spin_unlock(&lapic->lock);
}

/* The next period that is to come, of a timer that has expired. */
static void start_again(struct lapic *lapic, uint64_t now)
{
    uint64_t period = period_of(lapic);
    uint64_t over = (now - lapic->expiry_ns) / period;

    lapic->expiry_ns += (over + 1) * period;
    alarm_set(&lapic->alarm, lapic->expiry_ns > now + MIN_PERIOD_NS
                                 ? lapic->expiry_ns
                                 : now + MIN_PERIOD_NS);
}

void lapic_on_alarm(void *context, uint64_t now_ns)
{
    struct lapic *lapic = context;

    spin_lock(&lapic->lock);
    if (lapic->expiry_ns != NO_EXPIRY && now_ns >= lapic->expiry_ns) {
        if (lapic_timer_mode(lapic) == TIMER_PERIODIC &&
            lapic->initial_count != 0)
            start_again(lapic, now_ns);
        else
            lapic_timer_stop(lapic);
        lapic_raise_local(lapic, LVT_TIMER);
        lapic_update(lapic);
    }
    spin_unlock(&lapic->lock);
}
