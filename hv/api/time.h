/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time and one-shot timers. Ticks are those of the platform's monotonic
 * counter; nanoseconds count from the same zero.
 */
#ifndef API_TIME_H
#define API_TIME_H

#include "api/api.h"
#include "lib/timer_queue.h"

/* Called once, on the CPU that registered the timer, at or after its deadline;
 * `now_ns` is the time of the call. */
typedef void (*timer_fn)(void *context, uint64_t now_ns);

/* Names a registered timer; never reused. TIMER_NONE names none. */
typedef uint64_t timer_token;
#define TIMER_NONE UINT64_C(0)

/* clang-format off */
#define TIME_API(FN, PROC, GET, PUT)                                           \
    /* The counter's value. */                                                 \
    FN(uint64_t, time_ticks, (void), (), (0), FEED, NEVER_FAILS)               \
    /* What a counter of `hz` Hz has counted from the same zero, rounded down: \
     * for a device with a slower clock, so that a trace holds no more of the  \
     * time than the guest sees. `hz` times the frequency is below 2^64. */    \
    FN(uint64_t, time_ticks_at, (uint64_t hz), (hz), (hz), FEED, NEVER_FAILS)  \
    /* The counter's frequency in Hz, constant, not 0. */                      \
    FN(uint64_t, time_frequency, (void), (), (0), FEED, NEVER_FAILS)           \
    /* Calls `fire(context, now)` on this CPU at or after `deadline_ns`, once. \
     * A deadline that has passed fires at the next chance, never from within  \
     * this call. TIMER_NONE when no timer is left. */                         \
    FN(uint64_t, time_register_timer,                                          \
       (uint64_t deadline_ns, timer_fn fire, void *context),                   \
       (deadline_ns, fire, context), (deadline_ns), RUN, TIMER_NONE)           \
    /* From any CPU. ERR_NOT_FOUND when it has fired or was cancelled. */      \
    FN(err_t, time_cancel_timer, (uint64_t token), (token),                    \
       (TIMER_TOKEN_SLOT(token), TIMER_TOKEN_REST(token)), RUN, NEVER_FAILS)
/* clang-format on */

API_DECLARE(TIME_API)

/* What time_ticks_at() is, for who implements it: no product overflows before
 * the result does. */
static inline uint64_t time_ticks_scaled(uint64_t ticks, uint64_t frequency,
                                         uint64_t hz)
{
    return ticks / frequency * hz + ticks % frequency * hz / frequency;
}

/* Conversions at time_frequency(), rounding down, saturating. */
uint64_t time_ticks_to_nanos(uint64_t ticks);
uint64_t time_nanos_to_ticks(uint64_t nanos);

/* time_ticks() in nanoseconds. */
uint64_t time_nanos(void);

/*
 * The CPU's cycle counter, for measuring what code costs. Nothing may be
 * decided by it: it is not recorded.
 */
uint64_t time_cycles(void);

#endif
