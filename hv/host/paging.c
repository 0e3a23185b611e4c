/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own page tables: identity-mapped, made once at boot. What
 * an entry looks like, says the architecture.
 *
 * Nothing is both writable and executable; what is not needed is not mapped:
 * what is, are the image, the allocator's RAM, the bundle, and what the
 * architecture adds. Identity mapping confines the hypervisor to the lower
 * half of the addresses: RAM above it is not used.
 *
 * The architecture's page_table.h has
 *   PAGE_TABLE_LEVELS  of 512 entries each
 *   PAGE_TABLE_TOP     where the addresses end that are used
 *   PTE_TEXT, PTE_RODATA, PTE_DATA, PTE_DEVICE
 *                      the flags of leaves
 *   pte_leaf, pte_table, pte_is_leaf, pte_address, pte_flags
 *                      entries; one that is not present is 0
 *   page_table_largest_leaf
 *                      the level of the largest leaf there is, from 0
 *   page_table_forget  drops what this CPU remembers of an address
 */
#include "api/memory.h"
#include "host/board.h"
#include "host/host.h"
#include "host/machine.h"
#include "lib/bits.h"
#include "page_table.h"

#define PTES 512

uint64_t *paging_root;

static uint64_t level_size(unsigned level)
{
    return PAGE_SIZE << (9 * level);
}

static uint64_t *entry_at(uint64_t *table, uint64_t address, unsigned level)
{
    return &table[address / level_size(level) % PTES];
}

static uint64_t *table_of(uint64_t entry)
{
    return memory_phys_to_virt(hpa(pte_address(entry)));
}

static uint64_t *new_table(void)
{
    hpa_t frame = memory_alloc_frame_impl();

    if (hpa_is_none(frame))
        host_refuse("there is no memory for the hypervisor's page tables");
    return memory_phys_to_virt(frame);
}

/* The table below `entry`, which is made if the entry is empty or a leaf. */
static uint64_t *go_down(uint64_t *entry, unsigned level)
{
    uint64_t old = *entry;
    uint64_t *table;

    if (old != 0 && !pte_is_leaf(old, level))
        return table_of(old);
    table = new_table();
    if (old != 0) {
        uint64_t size = level_size(level - 1);
        for (unsigned i = 0; i < PTES; i++)
            table[i] = pte_leaf(pte_address(old) + i * size, level - 1,
                                pte_flags(old));
    }
    *entry = pte_table((uint64_t)(uintptr_t)table);
    return table;
}

/* The largest leaf that may begin at `address`. */
static unsigned leaf_level(uint64_t address, uint64_t end)
{
    unsigned level = page_table_largest_leaf();

    while (level > 0 && (!is_aligned(address, level_size(level)) ||
                         end - address < level_size(level)))
        level--;
    return level;
}

/* How many leaves of `size` fit below `end`, in the table `entry` is in. */
static uint64_t leaves_from(const uint64_t *entry, uint64_t address,
                            uint64_t end, uint64_t size)
{
    uint64_t left = PTES - (uintptr_t)entry % PAGE_SIZE / sizeof(*entry);
    uint64_t fit = (end - address) / size;

    return fit < left ? fit : left;
}

/* Maps [address, end), whole pages, with as few leaves as possible. */
static void map(uint64_t address, uint64_t end, uint64_t flags)
{
    while (address < end) {
        unsigned level = leaf_level(address, end);
        uint64_t size = level_size(level);
        uint64_t *table = paging_root;
        uint64_t *entry, *stop;

        for (unsigned above = PAGE_TABLE_LEVELS - 1; above > level; above--)
            table = go_down(entry_at(table, address, above), above);
        entry = entry_at(table, address, level);
        stop = entry + leaves_from(entry, address, end, size);
        for (; entry != stop; address += size)
            *entry++ = pte_leaf(address, level, flags);
    }
}

void paging_map(uint64_t start, uint64_t size, uint64_t flags)
{
    uint64_t end = align_up(start + size, PAGE_SIZE);

    start = align_down(start, PAGE_SIZE);
    if (end > PAGE_TABLE_TOP)
        host_refuse("0x%llx is beyond the addresses that the hypervisor maps",
                    (unsigned long long)end);
    map(start, end, flags);
}

static void map_zone(uint64_t start, uint64_t size)
{
    paging_map(start, size, PTE_DATA);
}

static void map_section(const char *start, const char *end, uint64_t flags)
{
    map((uint64_t)(uintptr_t)start, (uint64_t)(uintptr_t)end, flags);
}

void paging_init(const struct board *board)
{
    paging_root = new_table();
    frames_for_each_zone(map_zone);
    map_section(image_start, image_text_end, PTE_TEXT);
    map_section(image_text_end, image_rodata_end, PTE_RODATA);
    map_section(image_rodata_end, image_end, PTE_DATA);
    paging_map(board->bundle.start, board->bundle.size, PTE_DATA);
}

void paging_remove(uint64_t start, uint64_t size)
{
    for (; size != 0; start += PAGE_SIZE, size -= PAGE_SIZE) {
        uint64_t *table = paging_root;

        for (unsigned level = PAGE_TABLE_LEVELS - 1; level > 0; level--)
            table = go_down(entry_at(table, start, level), level);
        *entry_at(table, start, 0) = 0;
        page_table_forget(start);
    }
}
