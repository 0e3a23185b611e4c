/* SPDX-License-Identifier: Apache-2.0 */
/* The fake machine's CPUs: see cpus.h. */
#include <stdatomic.h>

#include "lib/bits.h"
#include "lib/check.h"
#include "sim/cpus.h"

struct cpus_state cpus_state = {.count = 1};

/* Tests that race run real threads, each of them a CPU. */
static _Thread_local uint32_t current_cpu;

void cpus_reset(uint32_t count)
{
    CHECK(count >= 1 && count <= MAX_CPU_NUM);
    atomic_store(&cpus_state.kicked, 0);
    cpus_state.count = count;
    cpus_state.power = POWER_ON;
    current_cpu = 0;
}

void cpus_set_current(uint32_t cpu)
{
    CHECK(cpu < cpus_state.count);
    current_cpu = cpu;
}

bool cpus_is_kicked(uint32_t cpu)
{
    return (atomic_load_explicit(&cpus_state.kicked, memory_order_relaxed) &
            BIT(cpu)) != 0;
}

bool cpus_take_kick(uint32_t cpu)
{
    if (!cpus_is_kicked(cpu))
        return false;
    atomic_fetch_and(&cpus_state.kicked, ~BIT(cpu));
    return true;
}

enum cpus_power cpus_power(void)
{
    return cpus_state.power;
}

uint32_t host_cpu_count_impl(void)
{
    return cpus_state.count;
}

uint32_t host_current_cpu_impl(void)
{
    return current_cpu;
}

void host_kick_cpu_impl(uint32_t cpu)
{
    CHECK(cpu < cpus_state.count);
    atomic_fetch_or(&cpus_state.kicked, BIT(cpu));
}

void host_kick_cpu_and_wait_impl(uint32_t cpu)
{
    host_kick_cpu_impl(cpu);
}

void host_power_off_impl(bool reboot)
{
    cpus_state.power = reboot ? POWER_REBOOT : POWER_OFF;
}
