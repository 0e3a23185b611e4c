/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage-2 tables of x86, 4 levels: the nested page tables of AMD's SVM (APM
 * volume 2, sections 15.25 and 5.3: the entries of long mode) and Intel's
 * extended page tables (SDM volume 3, "The Extended Page Table Mechanism").
 *
 * Addresses and leaves are where they are in both, and what the processor
 * ignores in both holds an entry's flags as they were asked for. Attaching and
 * detaching only writes the bits that make an entry present; with those clear,
 * the rest is software's.
 *
 * Neither denies reads of what can be written or executed: NPT cannot, and EPT
 * only where execute-only leaves are offered. A and D are set, so that the
 * processor never writes an entry.
 */
#include "addrspace/format.h"
#include "lib/bits.h"
#include "lib/compiler.h"

#define PTE_PS      BIT(7) /* a leaf, above level 0 */
#define PTE_ADDRESS BIT_MASK(51, 12)

/* enum mem_flags. NPT would take some of these bits for a protection key if
 * the host had CR4.PKE set, EPT for what paging-write and guest-paging
 * verification ask: none of it is used. */
#define PTE_FLAGS BIT_MASK(59, 52)

_Static_assert((MEM_ACCESS | MEM_TYPE | MEM_OWNED) <= 0xff,
               "an entry has room for all flags");

static bool x86_is_leaf(pte_t entry, unsigned level)
{
    return level == 0 || (entry & PTE_PS) != 0;
}

static hpa_t x86_address(pte_t entry, unsigned level)
{
    return hpa(entry & PTE_ADDRESS);
}

static unsigned x86_flags(pte_t entry, unsigned level)
{
    return (unsigned)FIELD_GET(PTE_FLAGS, entry);
}

/* What both have of a leaf. */
static pte_t make_detached(hpa_t page, unsigned flags, unsigned level)
{
    if (flags & MEM_ACCESS)
        flags |= MEM_READ;
    return page.raw | FIELD_PUT(PTE_FLAGS, flags) | (level != 0 ? PTE_PS : 0);
}

#define ROW(identifier, text, prefix, largest, root) \
    const struct s2_format identifier = {            \
        .name = text,                                \
        .levels = X86_LEVELS,                        \
        .root_index_bits = S2_INDEX_BITS,            \
        .max_leaf_level = largest,                   \
        .gpa_bits = 48,                              \
        .hpa_bits = 52,                              \
        .mode = root,                                \
        .make_table = prefix##_make_table,           \
        .make_leaf = prefix##_make_leaf,             \
        .is_leaf = x86_is_leaf,                      \
        .address = x86_address,                      \
        .flags = x86_flags,                          \
        .is_attached = prefix##_is_attached,         \
        .attach = prefix##_attach,                   \
        .detach = prefix##_detach,                   \
    };

#define X86_LEVELS 4

/*
 * NPT. The nested walk makes all accesses as a user: US is always set. NX
 * needs the host's EFER.NXE.
 *
 * The types of memory are indices into the host's PAT as it is after a reset.
 */
#define NPT_P   BIT(0)
#define NPT_RW  BIT(1)
#define NPT_US  BIT(2)
#define NPT_PWT BIT(3)
#define NPT_PCD BIT(4)
#define NPT_A   BIT(5)
#define NPT_D   BIT(6)
#define NPT_NX  BIT(63)

/* PA3 of PAT is UC, PA2 is UC-. */
#define NPT_DEVICE   (NPT_PCD | NPT_PWT)
#define NPT_UNCACHED NPT_PCD

static bool npt_is_attached(pte_t entry, unsigned level)
{
    return (entry & NPT_P) != 0;
}

static pte_t npt_attach(pte_t entry, unsigned level)
{
    return x86_flags(entry, level) & MEM_ACCESS ? entry | NPT_P : entry;
}

static pte_t npt_detach(pte_t entry, unsigned level)
{
    return entry & ~NPT_P;
}

static pte_t npt_make_table(hpa_t table, unsigned level)
{
    return table.raw | FIELD_PUT(PTE_FLAGS, MEM_RWX) | NPT_P | NPT_RW | NPT_US |
           NPT_A;
}

static pte_t npt_make_leaf(hpa_t page, unsigned flags, unsigned level)
{
    pte_t entry = make_detached(page, flags, level) | NPT_US | NPT_A | NPT_D;

    if (flags & MEM_WRITE)
        entry |= NPT_RW;
    if (!(flags & MEM_EXECUTE))
        entry |= NPT_NX;
    if (flags & MEM_DEVICE)
        entry |= NPT_DEVICE;
    else if (flags & MEM_UNCACHED)
        entry |= NPT_UNCACHED;
    return npt_attach(entry, level);
}

ROW(s2_npt, "NPT", npt, 2, 0)
ROW(s2_npt_2m, "NPT, 2M", npt, 1, 0)

/*
 * EPT. An entry is present when it allows anything at all.
 *
 * The guest's PAT is combined with the memory type as with that of an MTRR,
 * so UC is what NPT's UC- is: the guest may make it WC. It has no say in
 * devices. A and D are ignored unless the EPTP enables them; bit 63 says
 * something only with the control "EPT-violation #VE", which is not used.
 */
#define EPT_ACCESS BIT_MASK(2, 0) /* R, W, X: numbered as enum mem_flags */
#define EPT_TYPE   BIT_MASK(5, 3)
#define EPT_IPAT   BIT(6) /* the guest's PAT is ignored */
#define EPT_A      BIT(8)
#define EPT_D      BIT(9)

#define EPT_TYPE_UC 0
#define EPT_TYPE_WB 6

/* EPTP, "Format of Extended-Page-Table Pointer". */
#define EPTP_TYPE   BIT_MASK(2, 0) /* of memory, for the walk itself */
#define EPTP_LENGTH BIT_MASK(5, 3) /* levels less one */
#define EPTP_AD     BIT(6)
#define EPTP_MODE \
    (FIELD_PUT(EPTP_TYPE, EPT_TYPE_WB) | FIELD_PUT(EPTP_LENGTH, X86_LEVELS - 1))

_Static_assert(EPT_ACCESS == MEM_ACCESS, "R, W and X are where the flags are");

static bool ept_is_attached(pte_t entry, unsigned level)
{
    return (entry & EPT_ACCESS) != 0;
}

static pte_t ept_attach(pte_t entry, unsigned level)
{
    return entry | (x86_flags(entry, level) & MEM_ACCESS);
}

static pte_t ept_detach(pte_t entry, unsigned level)
{
    return entry & ~EPT_ACCESS;
}

static pte_t ept_make_table(hpa_t table, unsigned level)
{
    return table.raw | FIELD_PUT(PTE_FLAGS, MEM_RWX) | MEM_RWX | EPT_A;
}

static pte_t ept_make_leaf(hpa_t page, unsigned flags, unsigned level)
{
    pte_t entry = make_detached(page, flags, level) | EPT_A | EPT_D;

    if (flags & MEM_DEVICE)
        entry |= FIELD_PUT(EPT_TYPE, EPT_TYPE_UC) | EPT_IPAT;
    else if (flags & MEM_UNCACHED)
        entry |= FIELD_PUT(EPT_TYPE, EPT_TYPE_UC);
    else
        entry |= FIELD_PUT(EPT_TYPE, EPT_TYPE_WB);
    return ept_attach(entry, level);
}

ROW(s2_ept, "EPT", ept, 2, EPTP_MODE)
ROW(s2_ept_2m, "EPT, 2M", ept, 1, EPTP_MODE)

uint64_t s2_ept_pointer(const struct s2_format *format, hpa_t root,
                        bool accessed_dirty)
{
    return root.raw | format->mode | (accessed_dirty ? EPTP_AD : 0);
}
