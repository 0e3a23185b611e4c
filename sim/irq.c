/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host interrupts of the fake machine (hv/api/arch.h): kicks, timers that are
 * due, and console input, in this order. Console input is CPU 0's.
 */
#include "api/arch.h"
#include "lib/check.h"
#include "sim/clock.h"
#include "sim/console.h"
#include "sim/cpus.h"

uint32_t arch_fetch_irq_impl(void)
{
    uint32_t cpu = host_current_cpu_impl();

    if (cpus_take_kick(cpu))
        return HOST_IRQ_IPI;
    if (clock_timer_due(cpu))
        return HOST_IRQ_TIMER;
    if (cpu == 0 && console_take_interrupt())
        return HOST_IRQ_CONSOLE;
    return HOST_IRQ_NONE;
}

void arch_handle_irq_impl(uint32_t irq)
{
    if (irq == HOST_IRQ_TIMER)
        clock_fire_due(host_current_cpu_impl());
}
