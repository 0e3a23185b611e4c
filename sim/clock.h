/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual time, and the timers of hv/api/time.h. Time stands still until
 * somebody advances it: fake hardware a little at every guest entry, the
 * machine to the next deadline when all CPUs are idle.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "api/host.h"
#include "api/time.h"

/* As on QEMU's virt machine: a tick is 100 ns. */
#define CLOCK_DEFAULT_FREQUENCY UINT64_C(10000000)

/* How many timers a CPU can have at once. */
#define CLOCK_TIMERS 256

/* Time 0, the default frequency, no timers. */
void clock_reset(void);

/* Another frequency, for a replay: in Hz, not 0. */
void clock_set_frequency(uint64_t hz);

/* The time, without passing a shim. */
uint64_t clock_ticks(void);
uint64_t clock_nanos(void);

/* Time never goes back: setting an earlier one changes nothing. */
void clock_advance_ticks(uint64_t ticks);
void clock_set_nanos(uint64_t nanos);

/* Whether a timer of CPU `cpu` has reached its deadline. */
bool clock_timer_due(uint32_t cpu);

/* The earliest deadline of CPU `cpu`, in ns; UINT64_MAX: it has no timer. */
uint64_t clock_next_deadline(uint32_t cpu);

/* Calls the functions of the timers of `cpu` that are due. */
void clock_fire_due(uint32_t cpu);

/* Who is told of each timer right before its function is called, for traces;
 * NULL: nobody. Resets do not change it. */
void clock_set_announce(void (*listener)(uint64_t token, uint64_t now_ns));

/* Timers that are registered and have not fired. */
uint32_t clock_timer_count(void);

/* The clock as it is now, for free(); NULL: out of memory. And back to it. */
struct clock *clock_save(void);
void clock_restore(const struct clock *saved);

#endif
