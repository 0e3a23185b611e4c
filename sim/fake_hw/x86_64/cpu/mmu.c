/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's own page tables: two levels, PAE, four and five. APM volume 2,
 * chapter 5. Not modelled: PCIDs, protection keys, and reserved bits of entries
 * but those above the physical addresses.
 *
 * A remembered translation that is stale is the guest's own doing, and is used
 * as it is, unless another guest left it there.
 */
#include <string.h>

#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/ram.h"

#define PTE_P       BIT(0)
#define PTE_RW      BIT(1)
#define PTE_US      BIT(2)
#define PTE_A       BIT(5)
#define PTE_D       BIT(6)
#define PTE_PS      BIT(7)
#define PTE_G       BIT(8)
#define PTE_NX      BIT(63)
#define PTE_ADDRESS BIT_MASK(51, 12)

/* A paging mode. */
struct paging {
    unsigned levels, index_bits, entry_size;
    uint64_t root;
    bool pae_root; /* four entries without rights */
};

struct guest_walk {
    unsigned rights;
    uint64_t page;
    uint64_t leaf, leaf_at;
};

void *cpu_host_memory(const struct fake_x86 *cpu, uint64_t address,
                      uint64_t size)
{
    void *memory = ram_pointer(hpa(address), size);

    if (likely(memory != NULL))
        return memory;
    violation(RULE_REACHES_HOST, "HPA 0x%llx from RIP 0x%llx on CPU %u",
              (unsigned long long)address, (unsigned long long)cpu->state.rip,
              cpu->index);
    return NULL;
}

static struct paging paging_of(const struct fake_x86 *cpu)
{
    const struct vmcb_save *save = &cpu->state;

    if (cpu_long_mode(cpu))
        return (struct paging){(save->cr4 & X86_CR4_LA57) != 0 ? 5 : 4, 9, 8,
                               save->cr3 & X86_CR3_ADDRESS, false};
    if ((save->cr4 & X86_CR4_PAE) != 0)
        return (struct paging){3, 9, 8, save->cr3 & X86_CR3_PAE, true};
    return (struct paging){2, 10, 4, save->cr3 & X86_CR3_ADDRESS & UINT32_MAX,
                           false};
}

/* Where fetches may be forbidden, an error code tells them from reads. */
static bool tells_fetches(const struct fake_x86 *cpu)
{
    const struct vmcb_save *save = &cpu->state;

    return (save->cr4 & X86_CR4_SMEP) != 0 ||
           ((save->efer & X86_EFER_NXE) != 0 && (save->cr4 & X86_CR4_PAE) != 0);
}

static struct cpu_translation page_fault(const struct fake_x86 *cpu,
                                         enum cpu_access access, unsigned cpl,
                                         uint64_t cause)
{
    uint64_t error = cause;

    if (access == CPU_WRITE)
        error |= X86_FAULT_RW;
    if (access == CPU_FETCH && tells_fetches(cpu))
        error |= X86_FAULT_ID;
    if (cpl == 3)
        error |= X86_FAULT_US;
    return (struct cpu_translation){.info = error};
}

/* Reads, or writes, an entry. False: a nested page fault. */
static bool access_entry(struct fake_x86 *cpu, uint64_t at, uint64_t *entry,
                         unsigned size, bool write, struct cpu_translation *why)
{
    void *host;

    *why = cpu->vendor->translate(
        cpu, at, write ? CPU_WRITE : cpu->table_access, CPU_TABLE);
    if (!why->ok)
        return false;
    host = cpu_host_memory(cpu, why->hpa, size);
    if (host == NULL) {
        *why = (struct cpu_translation){
            .nested = true, .place = CPU_TABLE, .gpa = at};
        return false;
    }
    if (write) {
        memcpy(host, entry, size);
        ram_note_write(hpa(why->hpa), size);
    } else {
        *entry = 0;
        memcpy(entry, host, size);
    }
    return true;
}

/* Of any entry; those of 32 bits have none of them. */
static uint64_t reserved_bits(const struct fake_x86 *cpu)
{
    uint64_t wide = BIT_MASK(51, 12) & ~(BIT(cpu->profile->phys_bits) - 1);

    return (cpu->state.efer & X86_EFER_NXE) != 0 ? wide : wide | PTE_NX;
}

static unsigned guest_rights(const struct fake_x86 *cpu, uint64_t entry)
{
    bool nx = (cpu->state.efer & X86_EFER_NXE) != 0 && (entry & PTE_NX) != 0;

    return CPU_CAN_READ | ((entry & PTE_RW) != 0 ? CPU_CAN_WRITE : 0u) |
           ((entry & PTE_US) != 0 ? CPU_CAN_USER : 0u) |
           (nx ? 0u : CPU_CAN_EXECUTE);
}

/* Whether an entry at `level` is a leaf. */
static bool is_leaf(const struct fake_x86 *cpu, const struct paging *paging,
                    uint64_t entry, unsigned level)
{
    if (level == 0)
        return true;
    if ((entry & PTE_PS) == 0 || level > 2 || (paging->pae_root && level == 2))
        return false;
    return paging->entry_size == 8 || (cpu->state.cr4 & X86_CR4_PSE) != 0;
}

/* Sets bits of the entry that the walk has come to. False: a nested page
 * fault. */
static bool note_used(struct fake_x86 *cpu, const struct paging *paging,
                      struct guest_walk *walk, uint64_t used,
                      struct cpu_translation *why)
{
    if ((walk->leaf & used) == used)
        return true;
    walk->leaf |= used;
    return access_entry(cpu, walk->leaf_at, &walk->leaf, paging->entry_size,
                        true, why);
}

static bool walk_guest(struct fake_x86 *cpu, uint64_t linear,
                       struct guest_walk *walk, struct cpu_translation *why,
                       enum cpu_access access, unsigned cpl)
{
    const struct paging paging = paging_of(cpu);
    uint64_t table = paging.root;

    walk->rights =
        CPU_CAN_READ | CPU_CAN_WRITE | CPU_CAN_EXECUTE | CPU_CAN_USER;
    for (unsigned level = paging.levels; level-- > 0;) {
        unsigned shift = PAGE_SHIFT + paging.index_bits * level;
        uint64_t low = BIT(shift) - 1;
        uint64_t index = linear >> shift & (BIT(paging.index_bits) - 1);
        bool is_root = paging.pae_root && level == 2;

        walk->leaf_at =
            table + (is_root ? index & 3 : index) * paging.entry_size;
        if (!access_entry(cpu, walk->leaf_at, &walk->leaf, paging.entry_size,
                          false, why))
            return false;
        *why = page_fault(cpu, access, cpl, 0);
        if ((walk->leaf & PTE_P) == 0)
            return false;
        *why = page_fault(cpu, access, cpl, X86_FAULT_P | X86_FAULT_RSV);
        if ((walk->leaf & reserved_bits(cpu)) != 0)
            return false;
        if (!is_root)
            walk->rights &= guest_rights(cpu, walk->leaf);
        if (is_leaf(cpu, &paging, walk->leaf, level)) {
            walk->page = ((walk->leaf & PTE_ADDRESS & ~low) | (linear & low)) >>
                         PAGE_SHIFT;
            if ((walk->leaf & PTE_G) != 0)
                walk->rights |= CPU_CAN_GLOBAL;
            return true;
        }
        table = walk->leaf & PTE_ADDRESS;
        if (!is_root && !note_used(cpu, &paging, walk, PTE_A, why))
            return false;
    }
    return false;
}

/* SMEP and SMAP bind the supervisor, CR0.WP whether it may write read-only
 * pages. */
static bool permits(const struct fake_x86 *cpu, unsigned rights,
                    enum cpu_access access, unsigned cpl)
{
    const struct vmcb_save *save = &cpu->state;

    if (cpl == 3)
        return (rights & CPU_CAN_USER) != 0 && (rights & access) != 0;
    if ((rights & CPU_CAN_USER) != 0 && access == CPU_FETCH &&
        (save->cr4 & X86_CR4_SMEP) != 0)
        return false;
    if ((rights & CPU_CAN_USER) != 0 && access != CPU_FETCH &&
        (save->cr4 & X86_CR4_SMAP) != 0 && (save->rflags & X86_RFLAGS_AC) == 0)
        return false;
    return (rights & access) != 0 ||
           (access == CPU_WRITE && (save->cr0 & X86_CR0_WP) == 0);
}

static const struct cpu_tlb_entry *remembered(struct fake_x86 *cpu,
                                              uint64_t linear,
                                              enum cpu_access access,
                                              unsigned cpl)
{
    const struct cpu_tlb_entry *entry =
        cpu_tlb_find_linear(cpu, linear >> PAGE_SHIFT);

    if (entry == NULL || !permits(cpu, entry->rights, access, cpl))
        return NULL;
    if (entry->guest == cpu->source)
        return entry;
    violation(cpu->vendor->stale_tag, "linear 0x%llx, tag %u on CPU %u",
              (unsigned long long)linear, entry->tag.id, cpu->index);
    return NULL;
}

/* The guest-physical page behind `linear`. */
static bool linear_page(struct fake_x86 *cpu, uint64_t linear,
                        enum cpu_access access, unsigned cpl, uint64_t *page,
                        struct cpu_translation *why)
{
    const struct cpu_tlb_entry *entry = remembered(cpu, linear, access, cpl);
    struct guest_walk walk;
    struct paging paging;
    uint64_t used = PTE_A | (access == CPU_WRITE ? PTE_D : 0);

    if (entry != NULL) {
        *page = entry->to;
        return true;
    }
    if (!walk_guest(cpu, linear, &walk, why, access, cpl))
        return false;
    if (!permits(cpu, walk.rights, access, cpl)) {
        *why = page_fault(cpu, access, cpl, X86_FAULT_P);
        return false;
    }
    paging = paging_of(cpu);
    if (!note_used(cpu, &paging, &walk, used, why))
        return false;
    /* A store must come by again to set D. */
    if ((walk.leaf & PTE_D) == 0)
        walk.rights &= ~(unsigned)CPU_CAN_WRITE;
    cpu_tlb_put_linear(cpu, linear >> PAGE_SHIFT, walk.page, walk.rights);
    *page = walk.page;
    return true;
}

struct cpu_translation mmu_linear(struct fake_x86 *cpu, uint64_t linear,
                                  enum cpu_access access, unsigned cpl)
{
    const struct cpu_tlb_entry *entry;
    uint64_t gpa;
    uint64_t page;
    struct cpu_translation why;

    if (!cpu_long_mode(cpu))
        linear &= UINT32_MAX;
    gpa = linear;
    if ((cpu->state.cr0 & X86_CR0_PG) != 0) {
        if (!linear_page(cpu, linear, access, cpl, &page, &why))
            return why;
        gpa = page << PAGE_SHIFT | (linear & (PAGE_SIZE - 1));
    } else {
        /* Whoever turns paging off flushes: MOV to CR0 does. */
        entry = cpu_tlb_find_linear(cpu, linear >> PAGE_SHIFT);
        if (entry != NULL)
            gpa = entry->to << PAGE_SHIFT | (linear & (PAGE_SIZE - 1));
    }
    return cpu->vendor->translate(cpu, gpa, access, CPU_FINAL);
}

bool cpu_copy(struct fake_x86 *cpu, uint64_t linear, void *bytes, size_t size,
              enum cpu_access access, unsigned cpl)
{
    struct cpu_translation parts[2];
    uint64_t first = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    unsigned count = size > first ? 2 : 1;
    uint8_t *at = bytes;

    if (first > size)
        first = size;
    for (unsigned i = 0; i < count; i++) {
        uint64_t address = linear + (i == 0 ? 0 : first);

        parts[i] = mmu_linear(cpu, address, access, cpl);
        if (!parts[i].ok) {
            cpu_memory_fault(cpu, address, &parts[i]);
            return false;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        uint64_t part = i == 0 ? first : size - first;
        void *host = cpu_host_memory(cpu, parts[i].hpa, part);

        if (host == NULL) {
            cpu_shutdown(cpu);
            return false;
        }
        if (access == CPU_WRITE) {
            memcpy(host, at, part);
            ram_note_write(hpa(parts[i].hpa), part);
        } else {
            memcpy(at, host, part);
        }
        at += part;
    }
    return true;
}
