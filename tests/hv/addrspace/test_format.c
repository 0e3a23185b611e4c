/* SPDX-License-Identifier: Apache-2.0 */
/* The promises of format.h, for every row; and what the manuals say. */
#include <criterion/criterion.h>

#include "lib/bits.h"
#include "mmu.h"
#include "support/rows.h"

static const unsigned accesses[] = {
    0,
    MEM_READ,
    MEM_EXECUTE,
    MEM_READ | MEM_WRITE,
    MEM_READ | MEM_EXECUTE,
    MEM_RWX,
};
static const unsigned extras[] = {0, MEM_DEVICE, MEM_UNCACHED, MEM_OWNED,
                                  MEM_OWNED | MEM_DEVICE};

static void expect_leaf(const struct hw *hw, unsigned flags, unsigned level)
{
    const struct s2_format *format = hw->format;
    uint64_t top = (UINT64_C(1) << format->hpa_bits) - s2_level_size(level);
    hpa_t pages[] = {hpa(0), hpa(s2_level_size(level)), hpa(top)};
    unsigned access = hw_granted(hw, flags & MEM_ACCESS);

    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        pte_t leaf = format->make_leaf(pages[i], flags, level);
        pte_t hidden = format->detach(leaf, level);
        struct hw_entry seen = hw->decode(leaf, level);

        cr_assert(leaf != 0 && hidden != 0, "%s", format->name);
        cr_assert(level == 0 || format->is_leaf(leaf, level));
        cr_assert(level == 0 || format->is_leaf(hidden, level));
        cr_assert(format->address(leaf, level).raw == pages[i].raw);
        cr_assert(format->address(hidden, level).raw == pages[i].raw);
        cr_assert((format->flags(leaf, level) & (MEM_ACCESS | MEM_OWNED)) ==
                  (access | (flags & MEM_OWNED)));
        cr_assert(format->flags(hidden, level) == format->flags(leaf, level));
        cr_assert(format->is_attached(leaf, level) == (access != 0));
        cr_assert(!format->is_attached(hidden, level));
        cr_assert(format->attach(hidden, level) == leaf);
        cr_assert(format->attach(leaf, level) == leaf);
        cr_assert(hw->decode(hidden, level).kind == HW_FAULT);
        cr_assert(seen.kind == (access == 0 ? HW_FAULT : HW_LEAF));
        cr_assert(access == 0 ||
                  (seen.address == pages[i].raw && seen.access == access));
    }
}

Test(format, leaves_keep_what_they_are_made_of)
{
    for (unsigned f = 0; f < hw_format_count; f++) {
        for (unsigned a = 0; a < ARRAY_SIZE(accesses); a++) {
            for (unsigned e = 0; e < ARRAY_SIZE(extras); e++) {
                for (unsigned level = 0;
                     level <= hw_formats[f].format->max_leaf_level; level++)
                    expect_leaf(&hw_formats[f], accesses[a] | extras[e], level);
            }
        }
    }
}

Test(format, a_page_that_can_be_written_can_be_read)
{
    for (unsigned f = 0; f < hw_format_count; f++) {
        const struct s2_format *format = hw_formats[f].format;
        pte_t leaf = format->make_leaf(hpa(0x1000), MEM_WRITE, 0);

        cr_assert((format->flags(leaf, 0) & MEM_ACCESS) ==
                      (MEM_READ | MEM_WRITE),
                  "%s", format->name);
    }
}

Test(format, tables_are_no_leaves)
{
    for (unsigned f = 0; f < hw_format_count; f++) {
        const struct hw *hw = &hw_formats[f];
        const struct s2_format *format = hw->format;

        cr_assert(format->levels == hw->levels);
        cr_assert(512 * s2_root_frames(format) == hw->root_entries);
        cr_assert(s2_gpa_limit(format) ==
                  hw->root_entries * s2_level_size(hw->levels - 1));
        for (unsigned level = 1; level < hw->levels; level++) {
            hpa_t at = hpa((UINT64_C(1) << format->hpa_bits) - 0x1000);
            pte_t link = format->make_table(at, level);
            pte_t hidden = format->detach(link, level);

            cr_assert(hw->decode(link, level).kind == HW_TABLE);
            cr_assert(hw->decode(link, level).address == at.raw);
            cr_assert(hw->decode(hidden, level).kind == HW_FAULT);
            cr_assert(!format->is_leaf(link, level));
            cr_assert(!format->is_leaf(hidden, level) && hidden != 0);
            cr_assert(format->address(hidden, level).raw == at.raw);
            cr_assert(format->is_attached(link, level));
            cr_assert(!format->is_attached(hidden, level));
            cr_assert(format->attach(hidden, level) == link);
        }
    }
}

/* Bits as the manual numbers them: D A G U X W R V, and PBMT in 62..61. */
Test(format, riscv_entries_are_as_in_the_manual)
{
    static const struct {
        const struct s2_format *format;
        unsigned flags;
        uint64_t entry; /* for page 0x12345000 */
    } rows[] = {
        {&s2_sv39x4, MEM_RWX, 0x48d14df},
        {&s2_sv39x4, MEM_READ, 0x48d14d3},
        {&s2_sv48x4, MEM_READ | MEM_WRITE, 0x48d14d7},
        {&s2_sv57x4, MEM_EXECUTE, 0x48d14d9},
        {&s2_sv39x4, MEM_READ | MEM_OWNED, 0x48d16d3},
        {&s2_sv39x4, MEM_READ | MEM_DEVICE, 0x48d14d3},
        {&s2_sv39x4, 0, 0x48d15d0},
        {&s2_sv39x4_svpbmt, MEM_READ, 0x48d14d3},
        {&s2_sv39x4_svpbmt, MEM_READ | MEM_UNCACHED, 0x20000000048d14d3},
        {&s2_sv48x4_svpbmt, MEM_READ | MEM_DEVICE, 0x40000000048d14d3},
    };

    for_each_row (i, rows) {
        pte_t entry =
            rows[i].format->make_leaf(hpa(0x12345000), rows[i].flags, 0);

        cr_assert(entry == rows[i].entry, "row %zu: %lx", i, entry);
    }
    cr_assert(s2_sv39x4.make_table(hpa(0x12345000), 1) == 0x48d1401);
}

Test(format, riscv_modes_and_widths)
{
    static const struct {
        const struct s2_format *format;
        unsigned mode, gpa_bits, levels;
    } rows[] = {
        {&s2_sv39x4, 8, 41, 3},        {&s2_sv48x4, 9, 50, 4},
        {&s2_sv57x4, 10, 59, 5},       {&s2_sv39x4_svpbmt, 8, 41, 3},
        {&s2_sv48x4_svpbmt, 9, 50, 4}, {&s2_sv57x4_svpbmt, 10, 59, 5},
    };

    for_each_row (i, rows) {
        cr_assert(rows[i].format->mode == rows[i].mode);
        cr_assert(rows[i].format->gpa_bits == rows[i].gpa_bits);
        cr_assert(rows[i].format->levels == rows[i].levels);
        cr_assert(s2_root_frames(rows[i].format) == 4, "16 KiB");
    }
}

/* What the processor reads of an entry, but for the page 0x40000000. NPT: NX
 * in 63, PS D A PCD PWT US RW P in 7..0. EPT: D A PS IPAT in 9..6, the type in
 * 5..3, X W R. */
Test(format, x86_entries_are_as_in_the_manual)
{
    const uint64_t npt_reads = BIT(63) | 0xfff, ept_reads = 0xfff;
    const struct {
        const struct s2_format *format;
        unsigned flags, level;
        uint64_t reads, entry;
    } rows[] = {
        {&s2_npt, MEM_RWX, 0, npt_reads, 0x67},
        {&s2_npt, MEM_READ | MEM_OWNED, 0, npt_reads, BIT(63) | 0x65},
        {&s2_npt, MEM_READ | MEM_EXECUTE, 1, npt_reads, 0xe5},
        {&s2_npt, MEM_RWX | MEM_DEVICE, 2, npt_reads, 0xff},
        {&s2_npt, MEM_RWX | MEM_UNCACHED, 0, npt_reads, 0x77},
        {&s2_npt, 0, 0, BIT(0), 0},
        {&s2_ept, MEM_RWX, 0, ept_reads, 0x337},
        {&s2_ept, MEM_READ | MEM_OWNED, 0, ept_reads, 0x331},
        {&s2_ept, MEM_EXECUTE, 0, ept_reads, 0x335},
        {&s2_ept, MEM_READ | MEM_EXECUTE, 1, ept_reads, 0x3b5},
        {&s2_ept, MEM_RWX | MEM_DEVICE, 2, ept_reads, 0x3c7},
        {&s2_ept, MEM_RWX | MEM_UNCACHED, 0, ept_reads, 0x307},
        {&s2_ept, 0, 0, 7, 0},
    };

    for_each_row (i, rows) {
        pte_t entry = rows[i].format->make_leaf(hpa(0x40000000), rows[i].flags,
                                                rows[i].level);

        cr_assert((entry & rows[i].reads) == rows[i].entry, "row %zu: %lx", i,
                  entry);
    }
    cr_assert((s2_npt.make_table(hpa(0x1000), 1) & npt_reads) == 0x27);
    cr_assert((s2_ept.make_table(hpa(0x1000), 1) & ept_reads) == 0x107);
}

/* SDM volume 3, "Format of Extended-Page-Table Pointer". */
Test(format, the_eptp_has_type_and_length_of_the_walk)
{
    cr_assert(s2_ept_pointer(&s2_ept, hpa(0x1234000), false) == 0x123401e);
    cr_assert(s2_ept_pointer(&s2_ept_2m, hpa(0x1234000), true) == 0x123405e);
}

/* The type comes back; without Svpbmt, it is not the entry's. */
Test(format, memory_types)
{
    static const struct s2_format *const typed[] = {
        &s2_sv39x4_svpbmt, &s2_npt, &s2_npt_2m, &s2_ept, &s2_ept_2m};

    for (unsigned e = 0; e < ARRAY_SIZE(extras); e++) {
        unsigned flags = MEM_READ | extras[e];
        pte_t plain = s2_sv39x4.make_leaf(hpa(0x1000), flags, 0);

        cr_assert(s2_sv39x4.flags(plain, 0) == (flags & ~(unsigned)MEM_TYPE));
        for_each_row (i, typed)
            cr_assert(
                typed[i]->flags(typed[i]->make_leaf(hpa(0x1000), flags, 0),
                                0) == flags,
                "%s", typed[i]->name);
    }
}
