/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's CPUs. They are numbered from 0 without gaps, whatever the
 * hardware calls them.
 */
#ifndef API_HOST_H
#define API_HOST_H

#include "api/api.h"

#define MAX_CPU_NUM 64

/* clang-format off */
#define HOST_API(FN, PROC, GET, PUT)                                           \
    /* How many CPUs run the hypervisor: 1 to MAX_CPU_NUM, constant. */        \
    FN(uint32_t, host_cpu_count, (void), (), (0), FEED, NEVER_FAILS)           \
    /* The CPU this is called on. */                                           \
    FN(uint32_t, host_current_cpu, (void), (), (0), QUIET, NEVER_FAILS)        \
    /* Makes CPU `cpu` leave its guest, or its idle wait, and run vmm_step();  \
     * returns at once. Kicking the current CPU makes it not enter the guest   \
     * before another vmm_step(). */                                           \
    PROC(host_kick_cpu, (uint32_t cpu), (cpu), (cpu), FEED)                    \
    /* Kicks `cpu` and returns when it has been outside guest mode since the   \
     * call: what it enters a guest with next is what memory says now. */      \
    PROC(host_kick_cpu_and_wait, (uint32_t cpu), (cpu), (cpu), FEED)           \
    /* Ends the machine: power off, or reboot. May return in tests only. */    \
    PROC(host_power_off, (bool reboot), (reboot), (reboot), FEED)
/* clang-format on */

API_DECLARE(HOST_API)

#endif
