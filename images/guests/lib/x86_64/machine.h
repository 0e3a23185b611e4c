/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An x86_64 guest: ports, MSRs, local APIC, traps. It runs in ring 0 of long
 * mode, with the lowest 4 GiB mapped to themselves, in a VM or on a bare PC.
 */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include "guest.h"

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static inline uint64_t read_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

struct guest_cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct guest_cpuid read_cpuid(uint32_t leaf)
{
    struct guest_cpuid result;

    __asm__ volatile("cpuid"
                     : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx),
                       "=d"(result.edx)
                     : "a"(leaf), "c"(0));
    return result;
}

/* A PC's COM1. */
#define COM1     0x3f8
#define COM1_LSR (COM1 + 5)
#define LSR_THRE 0x20

/* The local APIC's registers (Intel SDM 3A, table 11-1). */
#define LAPIC_BASE    UINT64_C(0xfee00000)
#define LAPIC_ID      0x020
#define LAPIC_VERSION 0x030
#define LAPIC_EOI     0x0b0
#define LAPIC_SVR     0x0f0
#define LAPIC_ICR     0x300
#define LAPIC_ICR2    0x310
#define LAPIC_LVTT    0x320
#define LAPIC_TIMER   0x380
#define LAPIC_DIVIDE  0x3e0

static inline uint32_t lapic_get(unsigned offset)
{
    return *(volatile uint32_t *)(LAPIC_BASE + offset);
}

static inline void lapic_put(unsigned offset, uint32_t value)
{
    *(volatile uint32_t *)(LAPIC_BASE + offset) = value;
}

/* What is on the stack at a trap. */
struct guest_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * Called on a trap. The library's ends an interrupt at the local APIC; of an
 * exception it tells, and powers off, as a failed guest. A guest with its own
 * defines another.
 */
void guest_trap(struct guest_frame *frame);

/* The time-stamp counter at the guest's first instruction. */
extern uint64_t guest_first_tsc;
/* The multiboot information, or PVH's start info. */
extern uint32_t guest_boot_info;

#endif
