/* SPDX-License-Identifier: Apache-2.0 */
/* Privileged instructions, one function each. */
#ifndef HOST_X86_64_PROCESSOR_H
#define HOST_X86_64_PROCESSOR_H

#include <stdint.h>

#include "arch/x86_64/cpuid.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/regs.h"

static inline struct x86_cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct x86_cpuid out;

    __asm__ volatile("cpuid"
                     : "=a"(out.eax), "=b"(out.ebx), "=c"(out.ecx),
                       "=d"(out.edx)
                     : "a"(leaf), "c"(subleaf));
    return out;
}

static inline uint64_t msr_read(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value),
                       "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t tsc_read(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t xcr0_read(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static inline void xcr0_write(uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(0), "a"((uint32_t)value),
                       "d"((uint32_t)(value >> 32))
                     : "memory");
}

#define REGISTER_ACCESS(name)                                               \
    static inline uint64_t name##_read(void)                                \
    {                                                                       \
        uint64_t value;                                                     \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory"); \
        return value;                                                       \
    }                                                                       \
    static inline void name##_write(uint64_t value)                         \
    {                                                                       \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");     \
    }
REGISTER_ACCESS(cr0)
REGISTER_ACCESS(cr2)
REGISTER_ACCESS(cr3)
REGISTER_ACCESS(cr4)
REGISTER_ACCESS(dr0)
REGISTER_ACCESS(dr1)
REGISTER_ACCESS(dr2)
REGISTER_ACCESS(dr3)
REGISTER_ACCESS(dr6)
#undef REGISTER_ACCESS

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t port_read16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t port_read32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void port_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* What LGDT and LIDT take. */
struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static inline void gdt_load(const void *table, uint16_t size)
{
    struct table_register gdtr = {(uint16_t)(size - 1), (uintptr_t)table};

    __asm__ volatile("lgdt %0" : : "m"(gdtr) : "memory");
}

static inline void idt_load(const void *table, uint16_t size)
{
    struct table_register idtr = {(uint16_t)(size - 1), (uintptr_t)table};

    __asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
}

static inline uint64_t idt_base(void)
{
    struct table_register idtr;

    __asm__ volatile("sidt %0" : "=m"(idtr) : : "memory");
    return idtr.base;
}

#endif
