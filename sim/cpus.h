/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake machine's CPUs, as hv/api/host.h sees them: how many there are,
 * which one this thread is at present, and who was kicked.
 *
 * Fake CPUs take turns on one thread. A CPU that is "in its guest" executes
 * nothing while another one works, and looks at its kick before it executes
 * the next guest instruction: so a kick takes effect at once, and
 * host_kick_cpu_and_wait() has nothing to wait for.
 */
#ifndef SIM_CPUS_H
#define SIM_CPUS_H

#include "api/host.h"

/* `count` CPUs, 1 to MAX_CPU_NUM, none of them kicked; CPU 0 is current. */
void cpus_reset(uint32_t count);

/* This thread is CPU `cpu` from now on. */
void cpus_set_current(uint32_t cpu);

/* Whether CPU `cpu` has a kick that it has not taken yet; takes it. */
bool cpus_is_kicked(uint32_t cpu);
bool cpus_take_kick(uint32_t cpu);

/* What host_power_off() asked for, if it was called since the last reset. */
enum cpus_power { POWER_ON, POWER_OFF, POWER_REBOOT };
enum cpus_power cpus_power(void);

/* The state as a block, for snapshots. */
struct cpus_state {
    _Atomic uint64_t kicked; /* bit per CPU */
    uint32_t count;
    enum cpus_power power;
};
extern struct cpus_state cpus_state;

#endif
