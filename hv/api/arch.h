/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host interrupts. The hypervisor itself runs with interrupts off: a CPU takes
 * a host interrupt by leaving its guest or its idle wait, and then asks here
 * what is pending, until there is nothing more.
 */
#ifndef API_ARCH_H
#define API_ARCH_H

#include "api/api.h"

enum host_irq {
    HOST_IRQ_NONE,    /* nothing is pending on this CPU */
    HOST_IRQ_TIMER,   /* a timer of this CPU has reached its deadline */
    HOST_IRQ_IPI,     /* another CPU kicked this one */
    HOST_IRQ_CONSOLE, /* console_read() has input */
    HOST_IRQ_OTHER    /* a device the hypervisor does not use */
};

/* clang-format off */
#define ARCH_API(FN, PROC, GET, PUT)                                           \
    /* The most urgent pending interrupt of this CPU, an enum host_irq;        \
     * acknowledged, so that the next call returns the next one. */            \
    FN(uint32_t, arch_fetch_irq, (void), (), (0), FEED, NEVER_FAILS)           \
    /* Lets the host handle `irq`, an enum host_irq: HOST_IRQ_TIMER calls      \
     * the functions of the timers that are due. */                            \
    PROC(arch_handle_irq, (uint32_t irq), (irq), (irq), RUN)
/* clang-format on */

API_DECLARE(ARCH_API)

#endif
