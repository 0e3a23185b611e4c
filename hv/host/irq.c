/* SPDX-License-Identifier: Apache-2.0 */
/* Host interrupts: hv/api/arch.h. */
#include "api/arch.h"

#include "host/host.h"
#include "host/machine.h"

uint32_t arch_fetch_irq_impl(void)
{
    uint32_t irq = machine_take_irq();

    if (irq == HOST_IRQ_IPI)
        host_take_kick();
    return irq;
}

void arch_handle_irq_impl(uint32_t irq)
{
    if (irq == HOST_IRQ_TIMER)
        time_handle_alarm();
}
