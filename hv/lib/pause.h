/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's hint that this CPU only waits for another one. */
#ifndef LIB_PAUSE_H
#define LIB_PAUSE_H

static inline void cpu_pause(void)
{
#if defined(__riscv)
    /* PAUSE (Zihintpause): a FENCE that older processors execute as such. */
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory");
#elif defined(__x86_64__)
    __asm__ volatile("pause" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
#error "no pause hint is known for this processor"
#endif
}

#endif
