/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sv39 (RISC-V Privileged Architecture 1.12, chapter "Supervisor-Level ISA"),
 * for hv/host/paging.c. The A and D bits are set from the start, so that no
 * processor has to.
 */
#ifndef HOST_RISCV64_PAGE_TABLE_H
#define HOST_RISCV64_PAGE_TABLE_H

#include "api/memory.h"
#include "lib/bits.h"

#define PTE_V   BIT(0)
#define PTE_R   BIT(1)
#define PTE_W   BIT(2)
#define PTE_X   BIT(3)
#define PTE_A   BIT(6)
#define PTE_D   BIT(7)
#define PTE_PPN BIT_MASK(53, 10)

#define PTE_TEXT   (PTE_V | PTE_A | PTE_R | PTE_X)
#define PTE_RODATA (PTE_V | PTE_A | PTE_R)
#define PTE_DATA   (PTE_V | PTE_A | PTE_D | PTE_R | PTE_W)
#define PTE_DEVICE PTE_DATA

#define SATP_SV39 FIELD_PUT(BIT_MASK(63, 60), 8)

#define PAGE_TABLE_LEVELS 3
#define PAGE_TABLE_TOP    BIT(38) /* of the lower half */

static inline uint64_t pte_address(uint64_t entry)
{
    return FIELD_GET(PTE_PPN, entry) * PAGE_SIZE;
}

static inline uint64_t pte_flags(uint64_t entry)
{
    return entry & ~PTE_PPN;
}

static inline bool pte_is_leaf(uint64_t entry, unsigned level)
{
    return (entry & (PTE_R | PTE_W | PTE_X)) != 0;
}

static inline uint64_t pte_leaf(uint64_t address, unsigned level,
                                uint64_t flags)
{
    return FIELD_PUT(PTE_PPN, address / PAGE_SIZE) | flags;
}

static inline uint64_t pte_table(uint64_t address)
{
    return pte_leaf(address, 0, PTE_V);
}

static inline unsigned page_table_largest_leaf(void)
{
    return PAGE_TABLE_LEVELS - 1;
}

static inline void page_table_forget(uint64_t address)
{
    __asm__ volatile("sfence.vma %0" : : "r"(address) : "memory");
}

#endif
