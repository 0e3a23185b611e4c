/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nested page tables, those that the hypervisor really built in fake RAM. APM
 * volume 2, sections 5.3 and 15.25.
 *
 * Each use of a remembered translation is checked against the entries that the
 * walk has read, and, if one has changed, against a fresh walk. Where the TLB
 * still allows what the tables no longer do, the hypervisor has left out a
 * flush: that is a violation. Where it allows less, the tables are walked
 * again, as x86 processors do before they fault.
 */
#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/ram.h"

#define NPT_LEVELS 4
#define INDEX_BITS 9
#define PTE_SIZE   8

/* A walk's result; at first, all rights. */
struct walk {
    bool ok;
    bool reserved; /* a reserved bit was set */
    unsigned rights;
    uint64_t page;
    uint64_t *entry[NPT_LEVELS]; /* NULL below the leaf */
};

/* Bits that must be 0 in an entry of `level`, 0 being the page tables'. */
static uint64_t reserved_bits(const struct fake_x86 *cpu, uint64_t entry,
                              unsigned level)
{
    uint64_t reserved = BIT_MASK(51, 12) & ~(BIT(cpu->profile->phys_bits) - 1);

    if (cpu->profile->npt_unchecked)
        return 0;
    if (level == 3)
        return reserved | NPT_PS;
    if (level > 0 && (entry & NPT_PS) != 0)
        reserved |= BIT_MASK(11 + INDEX_BITS * level, 13); /* 12 is PAT */
    return reserved;
}

static unsigned entry_rights(uint64_t entry)
{
    if ((entry & NPT_US) == 0)
        return 0;
    return CPU_CAN_READ | ((entry & NPT_RW) != 0 ? CPU_CAN_WRITE : 0u) |
           ((entry & NPT_NX) == 0 ? CPU_CAN_EXECUTE : 0u);
}

static void walk_leaf(struct walk *walk, uint64_t entry, uint64_t gpa,
                      unsigned level)
{
    uint64_t low = BIT(PAGE_SHIFT + INDEX_BITS * level) - 1;

    walk->ok = true;
    walk->page = ((entry & NPT_ADDRESS & ~low) | (gpa & low)) >> PAGE_SHIFT;
}

static void walk_nested(const struct fake_x86 *cpu, uint64_t gpa,
                        struct walk *walk)
{
    uint64_t table = cpu->svm.control.n_cr3 & NPT_ADDRESS;

    if (gpa >> (PAGE_SHIFT + INDEX_BITS * NPT_LEVELS) != 0)
        return;
    for (unsigned level = NPT_LEVELS; level-- > 0;) {
        unsigned shift = PAGE_SHIFT + INDEX_BITS * level;
        uint64_t at = table + (gpa >> shift & (BIT(INDEX_BITS) - 1)) * PTE_SIZE;
        uint64_t *host = cpu_host_memory(cpu, at, PTE_SIZE);
        uint64_t entry;

        if (host == NULL)
            return;
        entry = __atomic_load_n(host, __ATOMIC_RELAXED);
        if ((entry & NPT_P) == 0)
            return;
        walk->entry[level] = host;
        if ((entry & reserved_bits(cpu, entry, level)) != 0) {
            walk->reserved = true;
            return;
        }
        walk->rights &= entry_rights(entry);
        if (level == 0 || (level < 3 && (entry & NPT_PS) != 0)) {
            walk_leaf(walk, entry, gpa, level);
            return;
        }
        table = entry & NPT_ADDRESS;
    }
}

/* Sets A of all entries and D of the leaf, where they are not set. */
static void set_used(const struct walk *walk, enum cpu_access access)
{
    uint64_t used = NPT_A | (access == CPU_WRITE ? NPT_D : 0);

    for (unsigned level = 0; level < NPT_LEVELS; level++) {
        uint64_t *entry = walk->entry[level];

        if (entry == NULL)
            continue;
        if ((*entry & used) != used)
            *entry |= used;
        used = NPT_A;
    }
}

static struct cpu_translation fault(const struct walk *walk, uint64_t gpa,
                                    enum cpu_access access,
                                    enum cpu_place place)
{
    uint64_t info = 0;

    if (walk->ok || walk->reserved)
        info |= X86_FAULT_P;
    if (walk->reserved)
        info |= X86_FAULT_RSV;
    if (access == CPU_WRITE)
        info |= X86_FAULT_RW;
    if (access == CPU_FETCH)
        info |= X86_FAULT_ID;
    return (struct cpu_translation){
        .nested = true, .place = place, .info = info, .gpa = gpa};
}

void svm_nested_fault(struct fake_x86 *cpu, uint64_t linear,
                      const struct cpu_translation *translation)
{
    uint64_t info = translation->info | X86_FAULT_US |
                    (translation->place == CPU_TABLE ? NPF_TABLE : NPF_FINAL);

    if (cpu->delivering != 0)
        svm_exit(cpu, VMEXIT_NPF, info, translation->gpa);
    else
        svm_op_exit(cpu, VMEXIT_NPF, info, translation->gpa);
}

/* What the walk has come by, flags and all. */
static void remember(struct fake_x86 *cpu, uint64_t page,
                     const struct walk *walk, enum cpu_access access)
{
    struct cpu_walk found = {
        .root = cpu->svm.control.n_cr3,
        .flagged = CPU_READ | CPU_FETCH | (access == CPU_WRITE ? CPU_WRITE : 0),
    };

    for (unsigned level = 0; level < NPT_LEVELS; level++) {
        if (walk->entry[level] == NULL)
            continue;
        found.entry[found.levels].at = walk->entry[level];
        found.entry[found.levels++].value = *walk->entry[level];
    }
    cpu_tlb_put_nested(cpu, page, walk->page, walk->rights, &found);
}

static struct cpu_translation translated(uint64_t gpa, uint64_t page)
{
    return (struct cpu_translation){.ok = true,
                                    .gpa = gpa,
                                    .hpa = page << PAGE_SHIFT |
                                           (gpa & (PAGE_SIZE - 1))};
}

struct cpu_translation svm_translate(struct fake_x86 *cpu, uint64_t gpa,
                                     enum cpu_access access,
                                     enum cpu_place place)
{
    uint64_t page = gpa >> PAGE_SHIFT;
    const struct cpu_tlb_entry *same =
        cpu_tlb_recall(cpu, page, access, cpu->svm.control.n_cr3);
    struct walk fresh = {.rights =
                             CPU_CAN_READ | CPU_CAN_WRITE | CPU_CAN_EXECUTE};

    if (likely(same != NULL))
        return translated(gpa, same->to);
    walk_nested(cpu, gpa, &fresh);
    if (!cpu_tlb_is_right(cpu, page, access, fresh.ok, fresh.rights,
                          fresh.page) ||
        !fresh.ok || (fresh.rights & access) == 0)
        return fault(&fresh, gpa, access, place);
    set_used(&fresh, access);
    remember(cpu, page, &fresh, access);
    return translated(gpa, fresh.page);
}
