/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake TLB: two direct-mapped arrays, of guest-physical and of guest-linear
 * pages, tagged by ASID. It forgets nothing but what is flushed or what another
 * page displaces, as the worst of real TLBs would. APM volume 2, section 15.16.
 */
#include "sim/fake_hw/x86_64/svm/cpu.h"

static uint32_t current_asid(const struct fake_svm *cpu)
{
    return cpu->guest.control.guest_asid;
}

/* Pages that guests use together, and the same page of other guests, seldom
 * collide: a multiplicative hash. */
static unsigned slot_of(uint64_t page, uint32_t asid)
{
    uint64_t hash =
        (page ^ (uint64_t)asid << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return (unsigned)(hash >> (64 - SVM_TLB_BITS));
}

static struct svm_tlb_entry *find(struct fake_svm *cpu,
                                  struct svm_tlb_entry *entries, uint64_t page)
{
    uint32_t asid = current_asid(cpu);
    struct svm_tlb_entry *entry = &entries[slot_of(page, asid)];

    if (entry->generation == cpu->tlb.generation && entry->page == page &&
        entry->asid == asid)
        return entry;
    return NULL;
}

struct svm_tlb_entry *svm_tlb_find_nested(struct fake_svm *cpu, uint64_t page)
{
    return find(cpu, cpu->tlb.nested, page);
}

struct svm_tlb_entry *svm_tlb_find_linear(struct fake_svm *cpu, uint64_t page)
{
    return find(cpu, cpu->tlb.linear, page);
}

static void put(struct fake_svm *cpu, struct svm_tlb_entry *entries,
                uint64_t page, uint64_t to, unsigned rights)
{
    uint32_t asid = current_asid(cpu);

    entries[slot_of(page, asid)] = (struct svm_tlb_entry){
        .generation = cpu->tlb.generation,
        .page = page,
        .to = to,
        .guest = cpu->source,
        .asid = asid,
        .rights = (uint8_t)rights,
    };
}

void svm_tlb_put_nested(struct fake_svm *cpu, uint64_t page, uint64_t to,
                        unsigned rights)
{
    put(cpu, cpu->tlb.nested, page, to, rights);
}

void svm_tlb_put_linear(struct fake_svm *cpu, uint64_t page, uint64_t to,
                        unsigned rights)
{
    put(cpu, cpu->tlb.linear, page, to, rights);
}

void svm_tlb_flush_all(struct fake_svm *cpu)
{
    cpu->tlb.generation++;
}

static void forget(struct svm_tlb_entry *entries, uint32_t asid,
                   bool globals_too)
{
    for (unsigned i = 0; i < SVM_TLB_ENTRIES; i++) {
        if (entries[i].asid == asid &&
            (globals_too || (entries[i].rights & SVM_CAN_GLOBAL) == 0))
            entries[i].generation = 0;
    }
}

void svm_tlb_flush_guest(struct fake_svm *cpu, bool globals_too)
{
    forget(cpu->tlb.linear, current_asid(cpu), globals_too);
}

/*
 * What processors remember is the way from linear to host-physical addresses:
 * a flush of what is not global may leave, for global pages, what was in the
 * nested tables. So it is no flush of those.
 */
void svm_tlb_control(struct fake_svm *cpu)
{
    uint32_t asid = current_asid(cpu);

    switch (cpu->guest.control.tlb_control) {
    case TLB_CONTROL_FLUSH_ALL: svm_tlb_flush_all(cpu); break;
    case TLB_CONTROL_FLUSH_GUEST:
        forget(cpu->tlb.linear, asid, true);
        forget(cpu->tlb.nested, asid, true);
        break;
    case TLB_CONTROL_FLUSH_GUEST_NONGLOBAL:
        forget(cpu->tlb.linear, asid, false);
        break;
    default: break;
    }
}

/* The nested translation behind the page stays, as it may be another page's. */
void svm_tlb_flush_page(struct fake_svm *cpu, uint64_t address, uint32_t asid)
{
    uint64_t page = address >> PAGE_SHIFT;
    struct svm_tlb_entry *entry = &cpu->tlb.linear[slot_of(page, asid)];

    if (entry->page == page && entry->asid == asid)
        entry->generation = 0;
}
