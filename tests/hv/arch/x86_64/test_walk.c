/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest page walker. The model is flat: a translation is made by choosing,
 * for each level, what its entry shall say; tables are written from the
 * choice, and what is expected follows from the choice, not from the tables.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "arch/x86_64/emulate/walk.h"
#include "lib/compiler.h"
#include "random.h"

#define FRAMES 16

/* Guest memory of a few pages, tables in frames 1 and up. */
static uint8_t memory[FRAMES * 4096];
static unsigned reads;
static bool disturbed; /* somebody else writes to each entry before we do */

static bool read_entry(void *context, gpa_t address, uint64_t *entry,
                       unsigned bytes)
{
    reads++;
    cr_assert_eq(address.raw % bytes, 0);
    if (address.raw > sizeof(memory) - bytes)
        return false;
    memcpy(entry, memory + address.raw, bytes);
    return true;
}

static bool exchange(void *context, gpa_t address, uint64_t old, uint64_t new,
                     unsigned bytes, bool *changed)
{
    uint64_t now = 0;

    memcpy(&now, memory + address.raw, bytes);
    *changed = disturbed || now != old;
    if (!*changed)
        memcpy(memory + address.raw, &new, bytes);
    return true;
}

static const struct x86_walk_memory guest = {read_entry, exchange, NULL};

/* Paging modes by their number of levels. */
static struct x86_paging paging_of(unsigned levels)
{
    struct x86_paging paging = {
        .physical_bits = 46, .has_gigabyte_pages = true, .has_pse36 = true};

    paging.control.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP;
    paging.control.cr3 = 0x1000;
    paging.control.cr4 = levels == 2 ? X86_CR4_PSE : X86_CR4_PAE;
    if (levels >= 4)
        paging.control.efer = X86_EFER_LMA | X86_EFER_NXE;
    if (levels == 3)
        paging.control.efer = X86_EFER_NXE;
    if (levels == 5)
        paging.control.cr4 |= X86_CR4_LA57;
    return paging;
}

static unsigned entry_bytes(unsigned levels)
{
    return levels == 2 ? 4 : 8;
}

/* Where a level's entry for `linear` is: level n's table is in frame
 * levels - n + 1. */
static uint64_t entry_at(unsigned levels, unsigned level, uint64_t linear)
{
    unsigned bits = levels == 2 ? 10 : 9;
    uint64_t index = linear >> (12 + bits * (level - 1)) & ((1U << bits) - 1);

    if (levels == 3 && level == 3)
        index &= 3;
    return (uint64_t)(levels - level + 1) * 4096 + index * entry_bytes(levels);
}

static void put_entry(unsigned levels, unsigned level, uint64_t linear,
                      uint64_t entry)
{
    memcpy(memory + entry_at(levels, level, linear), &entry,
           entry_bytes(levels));
}

static uint64_t get_entry(unsigned levels, unsigned level, uint64_t linear)
{
    uint64_t entry = 0;

    memcpy(&entry, memory + entry_at(levels, level, linear),
           entry_bytes(levels));
    return entry;
}

static uint64_t page_size(unsigned levels, unsigned level)
{
    static const uint64_t sizes[] = {0, UINT64_C(1) << 12, UINT64_C(1) << 21,
                                     UINT64_C(1) << 30};

    return levels == 2 && level == 2 ? UINT64_C(1) << 22 : sizes[level];
}

/* What is chosen for an attempt. */
struct choice {
    unsigned levels, leaf;                  /* the level of the page's entry */
    unsigned absent;                        /* the level without P; 0: none */
    bool read_only, supervisor, no_execute; /* some level says so */
    unsigned where;                         /* that level */
    uint64_t linear, frame;
    unsigned access;
    bool wp, smep, smap, ac, nxe;
};

static void choose(struct choice *c, uint64_t *random)
{
    memset(c, 0, sizeof(*c));
    c->levels = 2 + random_pick(random, 4);
    c->leaf = 1 + random_pick(random, c->levels >= 4 ? 3 : 2);
    if (random_pick(random, 4) == 0)
        c->absent = c->leaf + random_pick(random, c->levels - c->leaf + 1);
    c->read_only = random_pick(random, 2) != 0;
    c->supervisor = random_pick(random, 2) != 0;
    c->no_execute = c->levels != 2 && random_pick(random, 2) != 0;
    c->where = c->leaf + random_pick(random, c->levels - c->leaf + 1);
    if (c->levels == 3 && c->where == 3)
        c->where = 2; /* PAE's third level has no rights */
    c->linear = random_next(random);
    if (c->levels <= 3)
        c->linear &= UINT32_MAX;
    else
        c->linear =
            (uint64_t)((int64_t)(c->linear << (c->levels == 4 ? 16 : 7)) >>
                       (c->levels == 4 ? 16 : 7));
    c->frame = random_next(random) & ((UINT64_C(1) << 46) - 1) &
               ~(page_size(c->levels, c->leaf) - 1);
    if (c->levels == 2)
        c->frame &= c->leaf == 2 ? (UINT64_C(1) << 40) - 1 : UINT32_MAX;
    c->access = random_pick(random, 16);
    if ((c->access & X86_WALK_WRITE) != 0)
        c->access &= ~(unsigned)X86_WALK_FETCH;
    c->access |= random_pick(random, 2) != 0 ? X86_WALK_UPDATE : 0;
    if ((c->access & X86_WALK_USER) != 0)
        c->access &= ~(unsigned)X86_WALK_IMPLICIT;
    c->wp = random_pick(random, 2) != 0;
    c->smep = random_pick(random, 2) != 0;
    c->smap = random_pick(random, 2) != 0;
    c->ac = random_pick(random, 2) != 0;
    c->nxe = c->levels != 2 && (c->no_execute || random_pick(random, 2) != 0);
}

static void write_tables(const struct choice *c)
{
    for (unsigned level = c->levels; level >= c->leaf; level--) {
        bool here = level == c->where;
        uint64_t entry = level == c->absent ? 0 : 1;

        if (!(c->levels == 3 && level == 3)) {
            entry |= here && c->read_only ? 0 : 2;
            entry |= here && c->supervisor ? 0 : 4;
            entry |= here && c->no_execute ? UINT64_C(1) << 63 : 0;
        }
        if (level != c->leaf)
            entry |= (uint64_t)(c->levels - level + 2) << 12;
        else if (c->levels == 2 && level == 2)
            entry |= (c->frame & 0xffc00000) | (c->frame >> 32) << 13 | 0x80;
        else
            entry |= c->frame | (level != 1 ? 0x80 : 0);
        put_entry(c->levels, level, c->linear, entry);
    }
}

static struct x86_paging controls_of(const struct choice *c)
{
    struct x86_paging paging = paging_of(c->levels);

    if (!c->wp)
        paging.control.cr0 &= ~X86_CR0_WP;
    paging.control.cr4 |=
        (c->smep ? X86_CR4_SMEP : 0) | (c->smap ? X86_CR4_SMAP : 0);
    paging.rflags = c->ac ? X86_RFLAGS_AC : 0;
    paging.control.efer &= ~X86_EFER_NXE;
    paging.control.efer |= c->nxe ? X86_EFER_NXE : 0;
    return paging;
}

/* The manual's lists of what may be done to which address (SDM volume 3,
 * section 4.6.1), as they stand there. */
static bool is_allowed(const struct choice *c)
{
    bool user = (c->access & X86_WALK_USER) != 0;
    bool write = (c->access & X86_WALK_WRITE) != 0;
    bool fetch = (c->access & X86_WALK_FETCH) != 0;
    bool implicit = (c->access & X86_WALK_IMPLICIT) != 0;

    if (user && c->supervisor)
        return false;
    if (user)
        return fetch ? !c->no_execute : !write || !c->read_only;
    if (fetch)
        return !c->no_execute && (c->supervisor || !c->smep);
    if (!c->supervisor && c->smap && (implicit || !c->ac))
        return false;
    return !write || !c->read_only || !c->wp;
}

static uint32_t error_of(const struct choice *c)
{
    uint32_t error = c->absent != 0 ? 0 : 1;

    error |= (c->access & X86_WALK_WRITE) != 0 ? 2 : 0;
    error |= (c->access & X86_WALK_USER) != 0 ? 4 : 0;
    if ((c->access & X86_WALK_FETCH) != 0 && (c->smep || c->nxe))
        error |= 16;
    return error;
}

static void check_bits(const struct choice *c, bool updated, unsigned round)
{
    for (unsigned level = c->leaf; level <= c->levels; level++) {
        bool write = (c->access & X86_WALK_WRITE) != 0;
        uint64_t expected = updated ? 0x20 : 0;

        if (c->levels == 3 && level == 3)
            continue;
        if (updated && write && level == c->leaf)
            expected |= 0x40;
        cr_assert_eq(get_entry(c->levels, level, c->linear) & 0x60, expected,
                     "round %u: accessed and dirty of level %u", round, level);
    }
}

Test(x86_walk, random_translations)
{
    uint64_t random = 0x7477696e6178;
    unsigned allowed = 0, faults = 0;

    for (unsigned round = 0; round < 300000; round++) {
        struct x86_translation translation;
        enum x86_walk_result result;
        struct x86_paging paging;
        struct choice c;
        bool ok;

        choose(&c, &random);
        write_tables(&c);
        paging = controls_of(&c);
        ok = c.absent == 0 && is_allowed(&c);
        reads = 0;
        result = x86_walk(&paging, c.linear, c.access, &guest, &translation);
        cr_assert_eq(result, ok ? X86_WALK_OK : X86_WALK_FAULT, "round %u: %d",
                     round, result);
        cr_assert_leq(reads, c.levels);
        if (ok) {
            uint64_t size = page_size(c.levels, c.leaf);

            cr_assert_eq(translation.address.raw,
                         c.frame | (c.linear & (size - 1)), "round %u", round);
            cr_assert_eq(translation.page_size, size);
        } else {
            cr_assert_eq(translation.error, error_of(&c), "round %u: %#x",
                         round, translation.error);
        }
        check_bits(&c, ok && (c.access & X86_WALK_UPDATE) != 0, round);
        allowed += ok;
        faults += !ok;
    }
    cr_expect_gt(allowed, 50000);
    cr_expect_gt(faults, 50000);
}

/* Reserved bits: by level, of an entry that has a page, or a table. */
Test(x86_walk, reserved_bits)
{
    static const struct {
        unsigned levels, level;
        bool leaf;
        unsigned bit;
        bool reserved;
    } rows[] = {
        {4, 4, false, 7, true},   {4, 4, false, 46, true},
        {4, 4, false, 51, true},  {4, 4, false, 52, false},
        {4, 4, false, 62, false}, {4, 3, true, 12, false},
        {4, 3, true, 13, true},   {4, 3, true, 29, true},
        {4, 3, true, 46, true},   {4, 2, true, 12, false},
        {4, 2, true, 13, true},   {4, 2, true, 20, true},
        {4, 2, true, 21, false},  {4, 1, true, 7, false},
        {4, 1, true, 46, true},   {4, 1, true, 58, false},
        {5, 5, false, 7, true},   {5, 4, false, 7, true},
        {3, 3, false, 1, true},   {3, 3, false, 2, true},
        {3, 3, false, 3, false},  {3, 3, false, 5, true},
        {3, 3, false, 8, true},   {3, 3, false, 9, false},
        {3, 3, false, 63, true},  {3, 3, false, 46, true},
        {3, 2, true, 13, true},   {3, 2, true, 52, true},
        {3, 2, false, 62, true},  {3, 1, true, 62, true},
        {3, 1, true, 63, false},  {2, 2, true, 12, false},
        {2, 2, true, 21, true},   {2, 2, true, 20, false},
        {2, 1, true, 7, false},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct x86_paging paging = paging_of(rows[i].levels);
        struct x86_translation translation;
        enum x86_walk_result result;
        struct choice c = {.levels = rows[i].levels,
                           .leaf = rows[i].leaf ? rows[i].level : 1,
                           .linear = 0x12345678};

        write_tables(&c);
        put_entry(c.levels, rows[i].level, c.linear,
                  get_entry(c.levels, rows[i].level, c.linear) |
                      UINT64_C(1) << rows[i].bit);
        result = x86_walk(&paging, c.linear, 0, &guest, &translation);
        cr_expect_eq(result, rows[i].reserved ? X86_WALK_FAULT : X86_WALK_OK,
                     "row %u: %d", i, result);
        if (rows[i].reserved)
            cr_expect_eq(translation.error, 9, "row %u", i);
    }
}

/* What the processor has decides about reserved bits, too. */
Test(x86_walk, capabilities)
{
    struct x86_paging paging = paging_of(4);
    struct choice c = {.levels = 4, .leaf = 3, .linear = 0x40000000};
    struct x86_translation translation;

    write_tables(&c);
    cr_expect_eq(x86_walk(&paging, c.linear, 0, &guest, &translation),
                 X86_WALK_OK);
    paging.has_gigabyte_pages = false;
    cr_expect_eq(x86_walk(&paging, c.linear, 0, &guest, &translation),
                 X86_WALK_FAULT);
    cr_expect_eq(translation.error, 9);

    c = (struct choice){.levels = 4, .leaf = 1};
    write_tables(&c);
    put_entry(4, 4, 0, get_entry(4, 4, 0) | 0x100);
    paging = paging_of(4);
    cr_expect_eq(x86_walk(&paging, 0, 0, &guest, &translation), X86_WALK_OK);
    paging.reserves_bit_8 = true;
    cr_expect_eq(x86_walk(&paging, 0, 0, &guest, &translation), X86_WALK_FAULT);
    put_entry(4, 4, 0, 0x2007 | UINT64_C(1) << 63);
    paging.control.efer &= ~X86_EFER_NXE;
    cr_expect_eq(x86_walk(&paging, 0, 0, &guest, &translation), X86_WALK_FAULT);
    cr_expect_eq(translation.error, 9);

    /* 4 MiB pages: with 36 bits of address, and without PSE-36. */
    c = (struct choice){.levels = 2, .leaf = 2};
    write_tables(&c);
    put_entry(2, 2, 0, get_entry(2, 2, 0) | 1 << 16);
    paging = paging_of(2);
    paging.physical_bits = 36;
    cr_expect_eq(x86_walk(&paging, 5, 0, &guest, &translation), X86_WALK_OK);
    cr_expect_eq(translation.address.raw, 0x800000005);
    paging.physical_bits = 35;
    cr_expect_eq(x86_walk(&paging, 5, 0, &guest, &translation), X86_WALK_FAULT);
    paging.physical_bits = 46;
    paging.has_pse36 = false;
    cr_expect_eq(x86_walk(&paging, 5, 0, &guest, &translation), X86_WALK_FAULT);
    /* Without CR4.PSE, PS is nothing: the entry has a table. */
    put_entry(2, 2, 0, 0x2087);
    put_entry(2, 1, 0, 0x5007);
    paging.control.cr4 = 0;
    cr_expect_eq(x86_walk(&paging, 5, 0, &guest, &translation), X86_WALK_OK);
    cr_expect_eq(translation.address.raw, 0x5005);
}

/* Of five levels, the upper two and the next two meet the same entry: what the
 * update changes by itself does not keep it from its end. */
Test(x86_walk, tables_that_refer_to_themselves)
{
    const unsigned a = 1, b = 2, last = 3;
    const uint64_t tables = 0x1000;
    const uint64_t linear = (uint64_t)a << 48 | (uint64_t)a << 39 |
                            (uint64_t)b << 30 | (uint64_t)b << 21 |
                            (uint64_t)last << 12;
    struct x86_paging paging = paging_of(5);
    struct x86_translation translation;
    const uint64_t itself = tables | 7, page = 0x5007;

    memset(memory, 0, sizeof(memory));
    memcpy(memory + tables + 8 * a, &itself, 8);
    memcpy(memory + tables + 8 * b, &itself, 8);
    memcpy(memory + tables + 8 * last, &page, 8);
    cr_expect_eq(x86_walk(&paging, linear, X86_WALK_UPDATE | X86_WALK_WRITE,
                          &guest, &translation),
                 X86_WALK_OK);
    cr_expect_eq(translation.address.raw, 0x5000);
    cr_expect_eq(memory[tables + 8 * a], 0x27);
    cr_expect_eq(memory[tables + 8 * b], 0x27);
    cr_expect_eq(memory[tables + 8 * last], 0x67);
}

Test(x86_walk, edges)
{
    uint64_t pdptes[4] = {0, 0x2001, 0, 0};
    struct x86_paging paging = paging_of(4);
    struct choice c = {.levels = 4, .leaf = 1};
    struct x86_translation translation;

    /* Tables outside of memory. */
    paging.control.cr3 = 0x12345000;
    cr_expect_eq(x86_walk(&paging, 8 << 12, 0, &guest, &translation),
                 X86_WALK_UNREADABLE);
    cr_expect_eq(translation.address.raw, 0x12345000);

    /* Tables that change under each update: an end, and no translation. */
    write_tables(&c);
    paging = paging_of(4);
    disturbed = true;
    reads = 0;
    cr_expect_eq(x86_walk(&paging, 0, X86_WALK_UPDATE, &guest, &translation),
                 X86_WALK_RETRY);
    cr_expect_leq(reads, 3 * 4);
    disturbed = false;

    /* No paging. */
    paging.control.cr0 = X86_CR0_PE;
    reads = 0;
    cr_expect_eq(x86_walk(&paging, UINT64_C(0x112345678),
                          X86_WALK_USER | X86_WALK_WRITE, &guest, &translation),
                 X86_WALK_OK);
    cr_expect_eq(translation.address.raw, 0x12345678);
    cr_expect_eq(reads, 0);

    /* PAE with page-directory pointers that were loaded, not those in memory;
     * CR3 is then aligned to 32 bytes only. */
    c = (struct choice){
        .levels = 3, .leaf = 1, .linear = 0x40001000, .frame = 0x7000};
    write_tables(&c);
    paging = paging_of(3);
    paging.control.cr3 = 0x123456e0;
    paging.pdptes = pdptes;
    cr_expect_eq(x86_walk(&paging, c.linear, 0, &guest, &translation),
                 X86_WALK_OK);
    cr_expect_eq(translation.address.raw, 0x7000);
    paging.pdptes = NULL;
    paging.control.cr3 = 0x1000 | 8;
    cr_expect_eq(x86_walk(&paging, c.linear, 0, &guest, &translation),
                 X86_WALK_OK);
}
