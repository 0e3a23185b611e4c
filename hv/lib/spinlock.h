/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ticket lock: CPUs get it in the order in which they asked. The hypervisor
 * runs with interrupts off, so a holder is never interrupted.
 */
#ifndef LIB_SPINLOCK_H
#define LIB_SPINLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/pause.h"

struct spinlock {
    _Atomic uint64_t next;    /* the ticket the next CPU takes */
    _Atomic uint64_t serving; /* the ticket that holds the lock */
};

#define SPINLOCK_INIT \
    {                 \
        0, 0          \
    }

static inline void spin_lock(struct spinlock *lock)
{
    uint64_t ticket =
        atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);
    while (unlikely(
        atomic_load_explicit(&lock->serving, memory_order_acquire) != ticket))
        cpu_pause();
}

static inline void spin_unlock(struct spinlock *lock)
{
    uint64_t serving =
        atomic_load_explicit(&lock->serving, memory_order_relaxed);
    /* A fence and a store: GCC 12 makes any atomic store an AMOSWAP on
     * RISC-V. */
    atomic_thread_fence(memory_order_release);
    *(volatile uint64_t *)&lock->serving = serving + 1;
}

/* For assertions: whether some CPU holds the lock. */
static inline bool spin_is_locked(struct spinlock *lock)
{
    return atomic_load_explicit(&lock->serving, memory_order_relaxed) !=
           atomic_load_explicit(&lock->next, memory_order_relaxed);
}

#endif
