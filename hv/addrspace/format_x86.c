/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nested page tables of AMD's SVM. APM volume 2, sections 15.25 (nested
 * paging) and 5.3 (the entries, which are those of long mode, 4 levels).
 *
 * The nested walk makes all accesses as a user: US is always set. A and D are
 * set, so that the processor never writes an entry. The processor cannot deny
 * reads of what it lets write or execute. NX needs the host's EFER.NXE.
 *
 * The types of memory are indices into the host's PAT as it is after a reset.
 */
#include "addrspace/format.h"
#include "lib/bits.h"
#include "lib/compiler.h"

#define PTE_P       BIT(0)
#define PTE_RW      BIT(1)
#define PTE_US      BIT(2)
#define PTE_PWT     BIT(3)
#define PTE_PCD     BIT(4)
#define PTE_A       BIT(5)
#define PTE_D       BIT(6)
#define PTE_PS      BIT(7) /* a leaf, above level 0 */
#define PTE_ADDRESS BIT_MASK(51, 12)
#define PTE_NX      BIT(63)

/* Bits 11:9 are left to software. */
#define PTE_OWNED     BIT(9)
#define PTE_NO_ACCESS BIT(10) /* a leaf that allows nothing: P stays 0 */

/* PA3 of PAT is UC, PA2 is UC-. */
#define TYPE_DEVICE   (PTE_PCD | PTE_PWT)
#define TYPE_UNCACHED PTE_PCD

static pte_t npt_make_table(hpa_t table, unsigned level)
{
    return table.raw | PTE_P | PTE_RW | PTE_US | PTE_A;
}

static pte_t npt_make_leaf(hpa_t page, unsigned flags, unsigned level)
{
    pte_t entry = page.raw | PTE_US | PTE_A | PTE_D;

    entry |= flags & MEM_ACCESS ? PTE_P : PTE_NO_ACCESS;
    if (flags & MEM_WRITE)
        entry |= PTE_RW;
    if (!(flags & MEM_EXECUTE))
        entry |= PTE_NX;
    if (level != 0)
        entry |= PTE_PS;
    if (flags & MEM_DEVICE)
        entry |= TYPE_DEVICE;
    else if (flags & MEM_UNCACHED)
        entry |= TYPE_UNCACHED;
    return flags & MEM_OWNED ? entry | PTE_OWNED : entry;
}

static bool npt_is_leaf(pte_t entry, unsigned level)
{
    return level == 0 || (entry & PTE_PS) != 0;
}

static hpa_t npt_address(pte_t entry, unsigned level)
{
    return hpa(entry & PTE_ADDRESS);
}

static unsigned npt_flags(pte_t entry, unsigned level)
{
    unsigned flags = 0;

    if (!(entry & PTE_NO_ACCESS)) {
        flags |= MEM_READ;
        if (entry & PTE_RW)
            flags |= MEM_WRITE;
        if (!(entry & PTE_NX))
            flags |= MEM_EXECUTE;
    }
    if (entry & PTE_OWNED)
        flags |= MEM_OWNED;
    if ((entry & TYPE_DEVICE) == TYPE_DEVICE)
        flags |= MEM_DEVICE;
    else if (entry & TYPE_UNCACHED)
        flags |= MEM_UNCACHED;
    return flags;
}

static bool npt_is_attached(pte_t entry, unsigned level)
{
    return (entry & PTE_P) != 0;
}

static pte_t npt_attach(pte_t entry, unsigned level)
{
    return entry & PTE_NO_ACCESS ? entry : entry | PTE_P;
}

/* With P clear, the rest of the entry is software's. */
static pte_t npt_detach(pte_t entry, unsigned level)
{
    return entry & ~PTE_P;
}

#define ROW(identifier, text, largest)    \
    const struct s2_format identifier = { \
        .name = text,                     \
        .levels = 4,                      \
        .root_index_bits = S2_INDEX_BITS, \
        .max_leaf_level = largest,        \
        .gpa_bits = 48,                   \
        .hpa_bits = 52,                   \
        .make_table = npt_make_table,     \
        .make_leaf = npt_make_leaf,       \
        .is_leaf = npt_is_leaf,           \
        .address = npt_address,           \
        .flags = npt_flags,               \
        .is_attached = npt_is_attached,   \
        .attach = npt_attach,             \
        .detach = npt_detach,             \
    };

ROW(s2_npt, "NPT", 2)
ROW(s2_npt_2m, "NPT, 2M", 1)
