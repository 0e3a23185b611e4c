/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake TLB: two direct-mapped arrays, one for each stage, tagged by VMID
 * and, for the VS-stage, ASID. It forgets nothing but what is fenced or what
 * another page displaces, as the worst of real TLBs would.
 */
#include <string.h>

#include "sim/fake_hw/riscv64/cpu.h"

#define SATP_ASID BIT_MASK(59, 44)

static uint16_t current_vmid(const struct fake_riscv *cpu)
{
    return (uint16_t)FIELD_GET(HGATP_VMID, cpu->hgatp);
}

static uint16_t current_asid(const struct fake_riscv *cpu)
{
    return (uint16_t)FIELD_GET(SATP_ASID, cpu->vsatp);
}

/* Pages that guests use together, and the same page of other guests, seldom
 * collide: a multiplicative hash. */
static unsigned slot_of(uint64_t page, uint16_t vmid)
{
    uint64_t hash =
        (page ^ (uint64_t)vmid << 48) * UINT64_C(0x9e3779b97f4a7c15);

    return (unsigned)(hash >> (64 - TLB_BITS));
}

struct tlb_entry *tlb_find_g(struct fake_riscv *cpu, uint64_t page)
{
    uint16_t vmid = current_vmid(cpu);
    struct tlb_entry *entry = &cpu->tlb.g[slot_of(page, vmid)];

    if (entry->generation == cpu->tlb.generation && entry->page == page &&
        entry->vmid == vmid)
        return entry;
    return NULL;
}

struct tlb_entry *tlb_find_vs(struct fake_riscv *cpu, uint64_t page)
{
    uint16_t vmid = current_vmid(cpu);
    struct tlb_entry *entry = &cpu->tlb.vs[slot_of(page, vmid)];

    if (entry->generation == cpu->tlb.vs_generation && entry->page == page &&
        entry->vmid == vmid &&
        ((entry->access & TLB_GLOBAL) != 0 || entry->asid == current_asid(cpu)))
        return entry;
    return NULL;
}

static void put(struct fake_riscv *cpu, struct tlb_entry *entries,
                uint64_t generation, uint64_t page, uint64_t to,
                unsigned access)
{
    uint16_t vmid = current_vmid(cpu);

    entries[slot_of(page, vmid)] = (struct tlb_entry){
        .generation = generation,
        .page = page,
        .to = to,
        .guest = cpu->source,
        .vmid = vmid,
        .asid = current_asid(cpu),
        .access = (uint8_t)access,
    };
}

void tlb_put_g(struct fake_riscv *cpu, uint64_t page, uint64_t to,
               unsigned access)
{
    put(cpu, cpu->tlb.g, cpu->tlb.generation, page, to, access);
}

void tlb_put_vs(struct fake_riscv *cpu, uint64_t page, uint64_t to,
                unsigned access)
{
    put(cpu, cpu->tlb.vs, cpu->tlb.vs_generation, page, to, access);
}

void tlb_reset(struct fake_riscv *cpu)
{
    cpu->tlb.generation++;
    cpu->tlb.vs_generation++;
}

/* Whether the entry's page lies in [start, start + size); a size of TLB_ANY is
 * everything. */
static bool in_range(const struct tlb_entry *entry, uint64_t start,
                     uint64_t size)
{
    uint64_t address = entry->page << PAGE_SHIFT;

    if (size == TLB_ANY)
        return true;
    start = align_down(start, PAGE_SIZE);
    return address >= start && address - start < size;
}

static void forget(struct tlb_entry *entry)
{
    entry->generation = 0;
}

/* HFENCE.GVMA. What was read of the guest's own tables stays, as it may: it is
 * HFENCE.VVMA's. */
void tlb_flush_g(struct fake_riscv *cpu, uint64_t vmid, uint64_t start,
                 uint64_t size)
{
    if (vmid == TLB_ANY && size == TLB_ANY) {
        cpu->tlb.generation++;
        return;
    }
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *g = &cpu->tlb.g[i];

        if ((vmid == TLB_ANY || g->vmid == vmid) && in_range(g, start, size))
            forget(g);
    }
}

/* HFENCE.VVMA, SFENCE.VMA with V=1: of the VMID in hgatp. An ASID spares
 * global entries. */
void tlb_flush_vs(struct fake_riscv *cpu, uint64_t asid, uint64_t start,
                  uint64_t size)
{
    uint16_t vmid = current_vmid(cpu);

    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *vs = &cpu->tlb.vs[i];

        if (vs->vmid == vmid && in_range(vs, start, size) &&
            (asid == TLB_ANY ||
             (vs->asid == asid && (vs->access & TLB_GLOBAL) == 0)))
            forget(vs);
    }
}
