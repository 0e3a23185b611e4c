/* SPDX-License-Identifier: Apache-2.0 */
/* The processors of the tests: see mmu.h. */
#include <criterion/criterion.h>

#include "lib/bits.h"
#include "mmu.h"
#include "sim/ram.h"

static const struct hw_entry fault = {.kind = HW_FAULT};

static struct hw_entry table_at(uint64_t address)
{
    return (struct hw_entry){.kind = HW_TABLE, .address = address};
}

static struct hw_entry leaf_at(uint64_t address, unsigned access,
                               unsigned level)
{
    cr_assert(is_aligned(address, UINT64_C(1) << (12 + 9 * level)),
              "a large leaf is aligned: %lx, level %u", address, level);
    return (struct hw_entry){
        .kind = HW_LEAF, .address = address, .access = access};
}

/* Privileged architecture 20211203, 4.3.2 "Virtual Address Translation
 * Process", 8.5.1 for U and G. `pbmt`: Svpbmt is there. */
static struct hw_entry riscv_decode(pte_t entry, unsigned level, bool pbmt)
{
    bool v = entry & 1, r = entry & 2, w = entry & 4, x = entry & 8;
    uint64_t address = ((entry >> 10) & 0xfffffffffff) << 12;
    unsigned access = (r ? 1u : 0) | (w ? 2u : 0) | (x ? 4u : 0);

    if (!v || (!r && w))
        return fault;
    cr_assert((entry >> 63) == 0 && ((entry >> 54) & 0x7f) == 0,
              "reserved bits: %lx", entry);
    cr_assert((entry & 0x20) == 0, "G is 0 in a G-stage: %lx", entry);
    if (!r && !x) {
        cr_assert((entry >> 61) == 0 && (entry & 0xd0) == 0,
                  "reserved in a pointer: %lx", entry);
        return level == 0 ? fault : table_at(address);
    }
    cr_assert((entry & 0x10) != 0, "U: %lx", entry);
    cr_assert((entry & 0xc0) == 0xc0, "A and D are preset: %lx", entry);
    cr_assert((entry >> 61) != 3 && (pbmt || (entry >> 61) == 0),
              "memory type: %lx", entry);
    return leaf_at(address, access, level);
}

static struct hw_entry decode_plain(pte_t entry, unsigned level)
{
    return riscv_decode(entry, level, false);
}

static struct hw_entry decode_svpbmt(pte_t entry, unsigned level)
{
    return riscv_decode(entry, level, true);
}

/* SDM volume 3, "EPT Misconfigurations". Execute-only is not offered. */
static struct hw_entry ept_decode(pte_t entry, unsigned level)
{
    unsigned access = entry & 7, type = (entry >> 3) & 7;
    uint64_t address = entry & 0xffffffffff000;

    if (access == 0)
        return fault;
    cr_assert((access & 1) != 0, "a misconfiguration: %lx", entry);
    if (level != 0 && (entry & 0x80) == 0) {
        cr_assert((entry & 0xf8) == 0, "reserved in a pointer: %lx", entry);
        cr_assert((entry & 0x100) != 0, "A is preset: %lx", entry);
        cr_assert(access == 7);
        return table_at(address);
    }
    cr_assert(level < 3, "no leaf in the PML4");
    cr_assert(type == 0 || type == 6, "memory type: %lx", entry);
    cr_assert((entry & 0x300) == 0x300, "A and D are preset: %lx", entry);
    return leaf_at(address, access, level);
}

static struct hw_entry ept_2m_decode(pte_t entry, unsigned level)
{
    cr_assert(level < 2 || (entry & 0x80) == 0, "no leaves of 1 GiB");
    return ept_decode(entry, level);
}

static struct hw_entry npt_decode(pte_t entry, unsigned level)
{
    uint64_t address = entry & 0xffffffffff000;
    unsigned access = 1 | (entry & 2) | (entry >> 63 ? 0 : 4u);

    if ((entry & 1) == 0)
        return fault;
    cr_assert((entry & 4) != 0, "nested walks are made as a user: %lx", entry);
    if (level != 0 && (entry & 0x80) == 0) {
        cr_assert((entry & 2) != 0 && entry >> 63 == 0, "%lx", entry);
        return table_at(address);
    }
    cr_assert(level < 3, "no leaf in the PML4");
    cr_assert((entry & 0x60) == 0x60, "A and D are preset: %lx", entry);
    return leaf_at(address, access, level);
}

static struct hw_entry npt_2m_decode(pte_t entry, unsigned level)
{
    cr_assert(level < 2 || (entry & 0x80) == 0, "no leaves of 1 GiB");
    return npt_decode(entry, level);
}

static struct hw_entry vmsa_decode(pte_t entry, unsigned level)
{
    uint64_t address = entry & 0xfffffffff000;
    unsigned access = ((entry >> 6) & 3) | ((entry >> 54) & 1 ? 0 : 4u);

    if ((entry & 1) == 0)
        return fault;
    if (level == 0 ? (entry & 2) == 0 : level > 2 && (entry & 2) == 0)
        return fault;
    if (level != 0 && (entry & 2) != 0)
        return table_at(address);
    cr_assert((entry & 0x400) != 0, "AF is preset: %lx", entry);
    cr_assert(((entry >> 8) & 3) == 3, "inner shareable: %lx", entry);
    return leaf_at(address, access, level);
}

/* formats.c, "odd". */
static struct hw_entry odd_decode(pte_t entry, unsigned level)
{
    uint64_t address = (entry >> (16 + level)) << 12;

    if ((entry & 0x10) == 0)
        return fault;
    cr_assert((entry & 7) == level + 1, "an entry of level %lu at level %u",
              (entry & 7) - 1, level);
    if ((entry & 8) == 0)
        return table_at(address);
    return leaf_at(address, (entry >> 5) & 7, level);
}

const struct hw hw_formats[] = {
    {&s2_sv39x4, 3, 2048, decode_plain},
    {&s2_sv48x4, 4, 2048, decode_plain},
    {&s2_sv57x4, 5, 2048, decode_plain},
    {&s2_sv39x4_svpbmt, 3, 2048, decode_svpbmt},
    {&s2_sv48x4_svpbmt, 4, 2048, decode_svpbmt},
    {&s2_sv57x4_svpbmt, 5, 2048, decode_svpbmt},
    {&s2_ept, 4, 512, ept_decode, .reads_all = true},
    {&s2_npt, 4, 512, npt_decode, .reads_all = true},
    {&s2_vmsa40, 3, 1024, vmsa_decode},
    {&s2_odd, 3, 512, odd_decode},
};
const unsigned hw_format_count = sizeof(hw_formats) / sizeof(hw_formats[0]);

const struct hw hw_npt_2m = {&s2_npt_2m, 4, 512, npt_2m_decode, true};
const struct hw hw_ept_2m = {&s2_ept_2m, 4, 512, ept_2m_decode, true};

/* The words of a table, which must be allocated. What is so stays so until
 * frames are freed: many walks in a row go by the same few tables. */
static const pte_t *table_words(uint64_t table, uint64_t entries)
{
    static struct known_table {
        uint64_t table, entries, frees;
        const pte_t *words;
    } known[8];
    struct known_table *here = &known[table / PAGE_SIZE % ARRAY_SIZE(known)];

    if (here->table == table && here->entries == entries &&
        here->frees == ram_frees())
        return here->words;
    *here = (struct known_table){table, entries, ram_frees(),
                                 ram_pointer(hpa(table), entries * 8)};
    cr_assert(here->words != NULL, "a table in a frame that is free");
    return here->words;
}

static struct hw_walk walk(const struct hw *hw, hpa_t root, uint64_t gpa,
                           uint64_t tables[5])
{
    uint64_t table = root.raw;

    cr_assert(is_aligned(table, hw->root_entries * 8), "the root is aligned");
    for (unsigned level = hw->levels; level-- != 0;) {
        uint64_t shift = 12 + 9 * level;
        uint64_t entries = level + 1 == hw->levels ? hw->root_entries : 512;
        uint64_t index = gpa >> shift;
        const pte_t *words;
        struct hw_entry entry;

        cr_assert(level + 1 != hw->levels || index < entries);
        words = table_words(table, entries);
        entry = hw->decode(
            __atomic_load_n(&words[index % entries], __ATOMIC_ACQUIRE), level);
        tables[level] = table;
        table = entry.address;
        if (entry.kind == HW_FAULT)
            return (struct hw_walk){.level = level};
        if (entry.kind == HW_LEAF)
            return (struct hw_walk){
                .present = true,
                .page = entry.address +
                        align_down(gpa & ((UINT64_C(1) << shift) - 1), 4096),
                .access = entry.access,
                .level = level};
    }
    cr_assert(false, "the walk has not ended at level 0");
    return (struct hw_walk){0};
}

struct hw_walk hw_translate(const struct hw *hw, hpa_t root, uint64_t gpa)
{
    uint64_t tables[5] = {0};

    return walk(hw, root, gpa, tables);
}

struct hw_walk hw_translate_to(const struct hw *hw, hpa_t root, uint64_t gpa,
                               hpa_t *table)
{
    uint64_t tables[5] = {0};
    struct hw_walk result = walk(hw, root, gpa, tables);

    *table = hpa(tables[result.level]);
    return result;
}

/* At the flush, what is remembered is gone, or is the same page in a leaf of
 * the same size. */
static void check_broken(const struct tlb *tlb, const struct tlb_entry *known)
{
    struct hw_walk now = hw_translate(tlb->hw, tlb->aspace->root, known->gpa);

    for (unsigned level = 0; level < tlb->hw->levels; level++)
        cr_assert(known->tables[level] == 0 ||
                      ram_is_allocated(hpa(known->tables[level]), 4096),
                  "a table is freed before the flush, at %lx", known->gpa);
    if (!known->walk.present || !now.present)
        return;
    cr_assert(now.page == known->walk.page && now.level == known->walk.level,
              "replaced before the flush, at %lx: level %u to level %u",
              known->gpa, known->walk.level, now.level);
}

/* A large leaf may be held in pieces: only that of the range is forgotten. And
 * a fence of a range need not reach pointers to tables. */
static void tlb_flush(void *context, gpa_t start, uint64_t size)
{
    struct tlb *tlb = context;
    bool all = start.raw == 0 && size == s2_gpa_limit(tlb->hw->format);

    tlb->flushes++;
    tlb->full_flushes += all;
    for (unsigned i = 0; i < tlb->count; i++) {
        struct tlb_entry *known = &tlb->entries[i];

        check_broken(tlb, known);
        if (all)
            *known = (struct tlb_entry){.gpa = known->gpa};
        else if (known->gpa - start.raw < size)
            known->walk = (struct hw_walk){0};
    }
}

void tlb_start(struct tlb *tlb, const struct hw *hw, struct aspace *aspace)
{
    struct aspace_flusher flusher = {tlb_flush, tlb};

    *tlb = (struct tlb){.hw = hw, .aspace = aspace};
    cr_assert(aspace_init(aspace, hw->format, &flusher) == OK);
}

void tlb_fill(struct tlb *tlb, const uint64_t *gpas, unsigned count)
{
    cr_assert(count <= TLB_SIZE);
    tlb->count = count;
    tlb->flushes = 0;
    tlb->full_flushes = 0;
    for (unsigned i = 0; i < count; i++) {
        struct tlb_entry *entry = &tlb->entries[i];

        *entry = (struct tlb_entry){.gpa = gpas[i]};
        entry->walk = walk(tlb->hw, tlb->aspace->root, gpas[i], entry->tables);
    }
}

void tlb_check(const struct tlb *tlb)
{
    for (unsigned i = 0; i < tlb->count; i++) {
        const struct tlb_entry *known = &tlb->entries[i];
        uint64_t tables[5] = {0};
        struct hw_walk now =
            walk(tlb->hw, tlb->aspace->root, known->gpa, tables);

        for (unsigned level = 0; level < tlb->hw->levels; level++)
            cr_assert(known->tables[level] == 0 ||
                          known->tables[level] == tables[level],
                      "a stale pointer to a table, at %lx", known->gpa);
        if (!known->walk.present)
            continue;
        cr_assert(now.present && now.page == known->walk.page &&
                      now.level == known->walk.level,
                  "a stale translation of %lx", known->gpa);
        cr_assert((known->walk.access & ~now.access) == 0,
                  "a stale permission for %lx", known->gpa);
    }
}
