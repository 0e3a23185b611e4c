/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four-level page tables of long mode (AMD APM volume 2, section 5.3), for
 * hv/host/paging.c. The accessed and dirty bits are set from the start.
 */
#ifndef HOST_X86_64_PAGE_TABLE_H
#define HOST_X86_64_PAGE_TABLE_H

#include "api/memory.h"
#include "host/x86_64/processor.h"
#include "lib/bits.h"

#define PTE_P   BIT(0)
#define PTE_RW  BIT(1)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_A   BIT(5)
#define PTE_D   BIT(6)
#define PTE_PS  BIT(7)
#define PTE_G   BIT(8)
#define PTE_NX  BIT(63)

#define PTE_ADDRESS BIT_MASK(51, 12)

#define PTE_TEXT   (PTE_P | PTE_A | PTE_G)
#define PTE_RODATA (PTE_TEXT | PTE_NX)
#define PTE_DATA   (PTE_RODATA | PTE_RW | PTE_D)
#define PTE_DEVICE (PTE_DATA | PTE_PCD | PTE_PWT)

#define PAGE_TABLE_LEVELS 4
#define PAGE_TABLE_TOP    BIT(47) /* of the lower half */

static inline uint64_t pte_address(uint64_t entry)
{
    return entry & PTE_ADDRESS;
}

static inline uint64_t pte_flags(uint64_t entry)
{
    return entry & ~(PTE_ADDRESS | PTE_PS);
}

static inline bool pte_is_leaf(uint64_t entry, unsigned level)
{
    return level == 0 || (entry & PTE_PS) != 0;
}

static inline uint64_t pte_leaf(uint64_t address, unsigned level,
                                uint64_t flags)
{
    return address | flags | (level != 0 ? PTE_PS : 0);
}

static inline uint64_t pte_table(uint64_t address)
{
    return address | PTE_P | PTE_RW | PTE_A;
}

static inline unsigned page_table_largest_leaf(void)
{
    uint32_t edx = cpuid(X86_CPUID_EXT_FEATURES, 0).edx;

    return (edx & X86_CPUID_EXT_EDX_PAGE1GB) != 0 ? 2 : 1;
}

static inline void page_table_forget(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

#endif
