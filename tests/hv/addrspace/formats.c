/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that only the tests have. VMSAv8-64 stage 2 shows that the walker takes
 * the format of another architecture. In the "odd" one, entries of different
 * levels look different, and each function checks that it is asked about its
 * own level.
 */
#include <criterion/criterion.h>

#include "lib/bits.h"
#include "mmu.h"

static bool has(pte_t entry, pte_t bits)
{
    return (entry & bits) != 0;
}

/* VMSAv8-64, 4 KiB granule, 40 bits: three levels, from two concatenated
 * tables. Its "level 1" is level 2 here, and so on. */
#define VMSA_VALID     BIT(0)
#define VMSA_TABLE     BIT(1) /* at the last level: a page */
#define VMSA_NORMAL    (UINT64_C(0xf) << 2)
#define VMSA_S2AP      BIT_MASK(7, 6)
#define VMSA_INNER     (UINT64_C(3) << 8)
#define VMSA_AF        BIT(10)
#define VMSA_XN        BIT(54)
#define VMSA_OWNED     BIT(55)
#define VMSA_NO_ACCESS BIT(56)
#define VMSA_ADDRESS   BIT_MASK(47, 12)

static pte_t vmsa_make_table(hpa_t table, unsigned level)
{
    return table.raw | VMSA_VALID | VMSA_TABLE;
}

static pte_t vmsa_make_leaf(hpa_t page, unsigned flags, unsigned level)
{
    return page.raw | VMSA_INNER | VMSA_AF | (level == 0 ? VMSA_TABLE : 0) |
           FIELD_PUT(VMSA_S2AP, flags) |
           FIELD_PUT(VMSA_S2AP, flags & MEM_WRITE ? MEM_READ : 0) |
           (flags & MEM_EXECUTE ? 0 : VMSA_XN) |
           (flags & MEM_DEVICE ? 0 : VMSA_NORMAL) |
           (flags & MEM_OWNED ? VMSA_OWNED : 0) |
           (flags & MEM_ACCESS ? VMSA_VALID : VMSA_NO_ACCESS);
}

static bool vmsa_is_leaf(pte_t entry, unsigned level)
{
    return level == 0 || !has(entry, VMSA_TABLE);
}

static hpa_t vmsa_address(pte_t entry, unsigned level)
{
    return hpa(entry & VMSA_ADDRESS);
}

static unsigned vmsa_flags(pte_t entry, unsigned level)
{
    return (unsigned)FIELD_GET(VMSA_S2AP, entry) |
           (has(entry, VMSA_XN) ? 0 : MEM_EXECUTE) |
           (has(entry, VMSA_NORMAL) ? 0 : MEM_DEVICE) |
           (has(entry, VMSA_OWNED) ? MEM_OWNED : 0);
}

static bool vmsa_is_attached(pte_t entry, unsigned level)
{
    return has(entry, VMSA_VALID);
}

static pte_t vmsa_attach(pte_t entry, unsigned level)
{
    return has(entry, VMSA_NO_ACCESS) ? entry : entry | VMSA_VALID;
}

static pte_t vmsa_detach(pte_t entry, unsigned level)
{
    return entry & ~VMSA_VALID;
}

const struct s2_format s2_vmsa40 = {
    .name = "VMSAv8-64, 40 bits",
    .levels = 3,
    .root_index_bits = 10,
    .max_leaf_level = 2,
    .gpa_bits = 40,
    .hpa_bits = 48,
    .make_table = vmsa_make_table,
    .make_leaf = vmsa_make_leaf,
    .is_leaf = vmsa_is_leaf,
    .address = vmsa_address,
    .flags = vmsa_flags,
    .is_attached = vmsa_is_attached,
    .attach = vmsa_attach,
    .detach = vmsa_detach,
};

/* The odd format: level + 1 in bits 2..0, a page's number shifted by it. */
#define ODD_LEVEL    UINT64_C(7)
#define ODD_LEAF     BIT(3)
#define ODD_ATTACHED BIT(4)
#define ODD_ACCESS   BIT_MASK(7, 5)
#define ODD_OWNED    BIT(8)
#define ODD_DEVICE   BIT(9)
#define ODD_UNCACHED BIT(10)

static void odd_expect(pte_t entry, unsigned level)
{
    cr_assert((entry & ODD_LEVEL) == level + 1,
              "an entry of level %lu is taken for one of level %u",
              (entry & ODD_LEVEL) - 1, level);
}

static pte_t odd_entry(hpa_t address, unsigned level)
{
    cr_assert(level < 3);
    return address.raw >> 12 << (16 + level) | (level + 1);
}

static pte_t odd_make_table(hpa_t table, unsigned level)
{
    cr_assert(level != 0);
    return odd_entry(table, level) | ODD_ATTACHED;
}

static pte_t odd_make_leaf(hpa_t page, unsigned flags, unsigned level)
{
    cr_assert(is_aligned(page.raw, s2_level_size(level)));
    if (flags & MEM_WRITE)
        flags |= MEM_READ;
    return odd_entry(page, level) | ODD_LEAF | FIELD_PUT(ODD_ACCESS, flags) |
           (flags & MEM_OWNED ? ODD_OWNED : 0) |
           (flags & MEM_DEVICE ? ODD_DEVICE : 0) |
           (flags & MEM_UNCACHED ? ODD_UNCACHED : 0) |
           (flags & MEM_ACCESS ? ODD_ATTACHED : 0);
}

static bool odd_is_leaf(pte_t entry, unsigned level)
{
    odd_expect(entry, level);
    return has(entry, ODD_LEAF);
}

static hpa_t odd_address(pte_t entry, unsigned level)
{
    odd_expect(entry, level);
    return hpa(entry >> (16 + level) << 12);
}

static unsigned odd_flags(pte_t entry, unsigned level)
{
    odd_expect(entry, level);
    cr_assert(has(entry, ODD_LEAF));
    return (unsigned)FIELD_GET(ODD_ACCESS, entry) |
           (has(entry, ODD_OWNED) ? MEM_OWNED : 0) |
           (has(entry, ODD_DEVICE) ? MEM_DEVICE : 0) |
           (has(entry, ODD_UNCACHED) ? MEM_UNCACHED : 0);
}

static bool odd_is_attached(pte_t entry, unsigned level)
{
    odd_expect(entry, level);
    return has(entry, ODD_ATTACHED);
}

static pte_t odd_attach(pte_t entry, unsigned level)
{
    odd_expect(entry, level);
    if (has(entry, ODD_LEAF) && !has(entry, ODD_ACCESS))
        return entry;
    return entry | ODD_ATTACHED;
}

static pte_t odd_detach(pte_t entry, unsigned level)
{
    odd_expect(entry, level);
    return entry & ~ODD_ATTACHED;
}

const struct s2_format s2_odd = {
    .name = "odd",
    .levels = 3,
    .root_index_bits = 9,
    .max_leaf_level = 2,
    .gpa_bits = 39,
    .hpa_bits = 52,
    .make_table = odd_make_table,
    .make_leaf = odd_make_leaf,
    .is_leaf = odd_is_leaf,
    .address = odd_address,
    .flags = odd_flags,
    .is_attached = odd_is_attached,
    .attach = odd_attach,
    .detach = odd_detach,
};
