/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own page tables: Sv39 (RISC-V Privileged Architecture 1.12,
 * chapter "Supervisor-Level ISA"), identity-mapped, made once at boot.
 *
 * Nothing is both writable and executable; what is not needed is not mapped:
 * the image, the allocator's RAM, the device tree, the bundle, the console and
 * the interrupt controller. The A and D bits are set from the start, so that
 * no processor has to. Identity mapping confines the hypervisor to the lower
 * half of Sv39's addresses: RAM above it is not used.
 */
#include "api/memory.h"
#include "host/riscv64/csr_access.h"
#include "host/riscv64/riscv_host.h"
#include "lib/bits.h"
#include "lib/check.h"

#define PTE_V    BIT(0)
#define PTE_R    BIT(1)
#define PTE_W    BIT(2)
#define PTE_X    BIT(3)
#define PTE_A    BIT(6)
#define PTE_D    BIT(7)
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)
#define PTE_PPN  BIT_MASK(53, 10)

#define TEXT   (PTE_V | PTE_A | PTE_R | PTE_X)
#define RODATA (PTE_V | PTE_A | PTE_R)
#define DATA   (PTE_V | PTE_A | PTE_D | PTE_R | PTE_W)

#define LEVELS      3
#define PTES        512
#define SATP_SV39   FIELD_PUT(BIT_MASK(63, 60), 8)
#define ADDRESS_TOP BIT(38) /* of the lower half */

uint64_t riscv_satp;
static uint64_t *root;

static uint64_t level_size(unsigned level)
{
    return PAGE_SIZE << (9 * level);
}

static uint64_t *entry_at(uint64_t *table, uint64_t address, unsigned level)
{
    return &table[address / level_size(level) % PTES];
}

static uint64_t leaf(uint64_t address, uint64_t flags)
{
    return FIELD_PUT(PTE_PPN, address / PAGE_SIZE) | flags;
}

static uint64_t *table_of(uint64_t entry)
{
    return memory_phys_to_virt(hpa(FIELD_GET(PTE_PPN, entry) * PAGE_SIZE));
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

    if ((old & PTE_V) != 0 && (old & PTE_LEAF) == 0)
        return table_of(old);
    table = new_table();
    if ((old & PTE_V) != 0) {
        uint64_t step = leaf(level_size(level - 1), 0);
        for (unsigned i = 0; i < PTES; i++)
            table[i] = old + i * step;
    }
    *entry = leaf((uint64_t)(uintptr_t)table, PTE_V);
    return table;
}

/* The largest leaf that may begin at `address`. */
static unsigned leaf_level(uint64_t address, uint64_t end)
{
    unsigned level = LEVELS - 1;

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
        uint64_t pte = leaf(address, flags), step = leaf(size, 0);
        uint64_t *table = root;
        uint64_t *entry, *stop;

        for (unsigned above = LEVELS - 1; above > level; above--)
            table = go_down(entry_at(table, address, above), above);
        entry = entry_at(table, address, level);
        stop = entry + leaves_from(entry, address, end, size);
        address += size * (uint64_t)(stop - entry);
        for (; entry != stop; pte += step)
            *entry++ = pte;
    }
}

static void map_range(uint64_t start, uint64_t size, uint64_t flags)
{
    uint64_t end = align_up(start + size, PAGE_SIZE);

    start = align_down(start, PAGE_SIZE);
    if (end > ADDRESS_TOP)
        host_refuse("0x%llx is beyond the addresses that the hypervisor maps",
                    (unsigned long long)end);
    map(start, end, flags);
}

static void map_zone(uint64_t start, uint64_t size)
{
    map_range(start, size, DATA);
}

static void map_section(const char *start, const char *end, uint64_t flags)
{
    map((uint64_t)(uintptr_t)start, (uint64_t)(uintptr_t)end, flags);
}

static void map_image(void)
{
    map_section(image_start, image_text_end, TEXT);
    map_section(image_text_end, image_rodata_end, RODATA);
    map_section(image_rodata_end, image_end, DATA);
    paging_remove((uint64_t)(uintptr_t)&boot_block,
                  HOST_GUARD_PAGES * PAGE_SIZE);
}

void paging_init(const struct board *board)
{
    root = new_table();
    frames_for_each_zone(map_zone);
    map_image();
    map_range((uint64_t)(uintptr_t)board->fdt, board->fdt_size, RODATA);
    map_range(board->bundle.start, board->bundle.size, DATA);
    if (board->console != NULL)
        map_range(board->console->reg.start, board->console->reg.size, DATA);
    map_range(board->irq_chip.reg.start, board->irq_chip.reg.size, DATA);
    map_range(board->finisher.start, board->finisher.size, DATA);

    riscv_satp = SATP_SV39 | (uint64_t)(uintptr_t)root / PAGE_SIZE;
    __asm__ volatile("sfence.vma" : : : "memory");
    csr_write(satp, riscv_satp);
    __asm__ volatile("sfence.vma" : : : "memory");
}

void paging_remove(uint64_t start, uint64_t size)
{
    for (; size != 0; start += PAGE_SIZE, size -= PAGE_SIZE) {
        uint64_t *table = root;

        for (unsigned level = LEVELS - 1; level > 0; level--)
            table = go_down(entry_at(table, start, level), level);
        *entry_at(table, start, 0) = 0;
        __asm__ volatile("sfence.vma %0" : : "r"(start) : "memory");
    }
}
