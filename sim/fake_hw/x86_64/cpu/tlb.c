/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake TLB: two direct-mapped arrays, of guest-physical and of guest-linear
 * pages, each with the tag that the vendor says at an entry. It forgets nothing
 * but what is flushed or what another page displaces, as the worst of real TLBs
 * would.
 */
#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/ram.h"

/* Pages that guests use together, and the same page of other guests, seldom
 * collide: a multiplicative hash. */
static unsigned slot_of(uint64_t page, struct cpu_tag tag)
{
    uint64_t hash = (page ^ (uint64_t)tag.id << 40 ^ tag.tables << 24) *
                    UINT64_C(0x9e3779b97f4a7c15);

    return (unsigned)(hash >> (64 - CPU_TLB_BITS));
}

static bool is_tagged(const struct cpu_tlb_entry *entry, struct cpu_tag tag)
{
    return entry->tag.id == tag.id && entry->tag.tables == tag.tables;
}

static struct cpu_tlb_entry *find(struct fake_x86 *cpu,
                                  struct cpu_tlb_entry *entries,
                                  struct cpu_tag tag, uint64_t page)
{
    struct cpu_tlb_entry *entry = &entries[slot_of(page, tag)];

    if (entry->generation == cpu->tlb.generation && entry->page == page &&
        is_tagged(entry, tag))
        return entry;
    return NULL;
}

struct cpu_tlb_entry *cpu_tlb_find_nested(struct fake_x86 *cpu, uint64_t page)
{
    return find(cpu, cpu->tlb.nested, cpu->nested_tag, page);
}

struct cpu_tlb_entry *cpu_tlb_find_linear(struct fake_x86 *cpu, uint64_t page)
{
    return find(cpu, cpu->tlb.linear, cpu->linear_tag, page);
}

static void put(struct fake_x86 *cpu, struct cpu_tlb_entry *entries,
                struct cpu_tag tag, uint64_t page, uint64_t to, unsigned rights)
{
    entries[slot_of(page, tag)] = (struct cpu_tlb_entry){
        .generation = cpu->tlb.generation,
        .page = page,
        .to = to,
        .guest = cpu->source,
        .tag = tag,
        .rights = (uint8_t)rights,
    };
}

void cpu_tlb_put_nested(struct fake_x86 *cpu, uint64_t page, uint64_t to,
                        unsigned rights, const struct cpu_walk *walk)
{
    struct cpu_walk *kept = &cpu->tlb.walks[slot_of(page, cpu->nested_tag)];

    put(cpu, cpu->tlb.nested, cpu->nested_tag, page, to, rights);
    kept->root = walk->root;
    kept->frees = ram_frees();
    kept->levels = walk->levels;
    kept->flagged = walk->flagged;
    for (unsigned i = 0; i < walk->levels; i++)
        kept->entry[i] = walk->entry[i];
}

const struct cpu_tlb_entry *cpu_tlb_recall(struct fake_x86 *cpu, uint64_t page,
                                           enum cpu_access access,
                                           uint64_t root)
{
    struct cpu_tlb_entry *entry = cpu_tlb_find_nested(cpu, page);
    const struct cpu_walk *walk;

    if (entry == NULL)
        return NULL;
    walk = &cpu->tlb.walks[entry - cpu->tlb.nested];
    if ((entry->rights & walk->flagged & access) == 0 || walk->root != root ||
        walk->frees != ram_frees())
        return NULL;
    for (unsigned i = 0; i < walk->levels; i++) {
        if (__atomic_load_n(walk->entry[i].at, __ATOMIC_RELAXED) !=
            walk->entry[i].value)
            return NULL;
    }
    entry->guest = cpu->source;
    return entry;
}

void cpu_tlb_put_linear(struct fake_x86 *cpu, uint64_t page, uint64_t to,
                        unsigned rights)
{
    put(cpu, cpu->tlb.linear, cpu->linear_tag, page, to, rights);
}

void cpu_tlb_flush_all(struct fake_x86 *cpu)
{
    cpu->tlb.generation++;
}

bool cpu_tlb_is_right(struct fake_x86 *cpu, uint64_t page,
                      enum cpu_access access, bool ok, unsigned rights,
                      uint64_t to)
{
    const struct cpu_tlb_entry *entry = cpu_tlb_find_nested(cpu, page);

    if (entry == NULL || (entry->rights & access) == 0 ||
        (ok && (rights & access) != 0 && to == entry->to))
        return true;
    violation(entry->guest == cpu->source ? cpu->vendor->stale_nested
                                          : cpu->vendor->stale_tag,
              "GPA 0x%llx of tag %u on CPU %u: TLB has page 0x%llx, the "
              "tables %s 0x%llx",
              (unsigned long long)page << PAGE_SHIFT, entry->tag.id, cpu->index,
              (unsigned long long)entry->to,
              ok ? "have" : "have nothing:", (unsigned long long)to);
    return false;
}

static void forget(struct cpu_tlb_entry *entries, struct cpu_tag tag,
                   bool globals_too)
{
    for (unsigned i = 0; i < CPU_TLB_ENTRIES; i++) {
        const struct cpu_tlb_entry *entry = &entries[i];

        if ((tag.id == CPU_ANY_ID || entry->tag.id == tag.id) &&
            (tag.tables == CPU_ANY_TABLES || entry->tag.tables == tag.tables) &&
            (globals_too || (entry->rights & CPU_CAN_GLOBAL) == 0))
            entries[i].generation = 0;
    }
}

void cpu_tlb_flush_nested(struct fake_x86 *cpu, struct cpu_tag tag)
{
    forget(cpu->tlb.nested, tag, true);
}

void cpu_tlb_flush_linear(struct fake_x86 *cpu, struct cpu_tag tag,
                          bool globals_too)
{
    forget(cpu->tlb.linear, tag, globals_too);
}

void cpu_tlb_flush_guest(struct fake_x86 *cpu, bool globals_too)
{
    forget(cpu->tlb.linear, cpu->linear_tag, globals_too);
}

/* The nested translation behind the page stays, as it may be another page's. */
void cpu_tlb_flush_page(struct fake_x86 *cpu, uint64_t address,
                        struct cpu_tag tag)
{
    uint64_t page = address >> PAGE_SHIFT;
    struct cpu_tlb_entry *entry = &cpu->tlb.linear[slot_of(page, tag)];

    if (entry->page == page && is_tagged(entry, tag))
        entry->generation = 0;
}

void cpu_tlb_flush_address(struct fake_x86 *cpu, uint64_t address, uint32_t id)
{
    for (unsigned i = 0; i < CPU_TLB_ENTRIES; i++) {
        struct cpu_tlb_entry *entry = &cpu->tlb.linear[i];

        if (entry->page == address >> PAGE_SHIFT && entry->tag.id == id)
            entry->generation = 0;
    }
}
