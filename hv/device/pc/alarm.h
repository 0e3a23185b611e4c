/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's alarm: one host timer that is set again and again, and whose end
 * can be waited for. Setting and cancelling it is serialised by the owner's
 * lock; `fire` is called without it and takes it.
 *
 * An alarm that is cancelled or set anew while it fires on another CPU calls
 * `fire` nevertheless: its owner keeps the deadline, and looks at it.
 */
#ifndef DEVICE_PC_ALARM_H
#define DEVICE_PC_ALARM_H

#include <stdatomic.h>

#include "api/time.h"

struct alarm {
    timer_fn fire;
    void *context;
    timer_token token;
    _Atomic uint32_t outstanding; /* calls of fire that are to come, or run */
};

void alarm_init(struct alarm *alarm, timer_fn fire, void *context);

/* Calls fire(context, now) at or after `deadline_ns`, and no more at what was
 * set before. Without a host timer left, never. */
void alarm_set(struct alarm *alarm, uint64_t deadline_ns);
void alarm_cancel(struct alarm *alarm);

/* The last of an alarm, without the owner's lock: nobody sets it any more, and
 * when this returns `fire` is running on no CPU. */
void alarm_end(struct alarm *alarm);

/* Conversions between nanoseconds and the cycles of a clock of `hz`, at most
 * 10^9: cycles that are complete, and when a cycle is. */
uint64_t alarm_cycles(uint64_t nanos, uint64_t hz);
uint64_t alarm_nanos(uint64_t cycles, uint64_t hz);

#endif
