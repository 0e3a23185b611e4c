/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RISC-V G-stage page tables: Sv39x4, Sv48x4, Sv57x4. The RISC-V Instruction
 * Set Manual, Volume II: "Sv39: Page-Based 39-bit Virtual-Memory System" for
 * the entries, "Guest-Physical Address Translation" (hgatp) for what differs
 * in the G-stage, "Svpbmt" for the memory types.
 *
 * Every leaf has U set, because the G-stage checks accesses as if made in
 * U-mode, and A and D, so that neither a processor that sets them nor one that
 * faults instead has anything to do. G must be 0. Svnapot is not used.
 */
#include "addrspace/format.h"
#include "lib/bits.h"
#include "lib/compiler.h"

#define PTE_V    BIT(0)
#define PTE_R    BIT(1)
#define PTE_W    BIT(2)
#define PTE_X    BIT(3)
#define PTE_U    BIT(4)
#define PTE_A    BIT(6)
#define PTE_D    BIT(7)
#define PTE_RSW  BIT_MASK(9, 8)
#define PTE_PPN  BIT_MASK(53, 10)
#define PTE_PBMT BIT_MASK(62, 61)

/* The two bits that are left to software. */
#define PTE_NO_ACCESS BIT(8) /* a leaf that allows nothing: V stays 0 */
#define PTE_OWNED     BIT(9)

/* Values of PTE_PBMT. */
#define PBMT_PMA 0 /* as the physical memory attributes say */
#define PBMT_NC  1 /* non-cacheable, idempotent, main memory */
#define PBMT_IO  2 /* non-cacheable, non-idempotent, strongly ordered */

/* hgatp.MODE */
#define HGATP_MODE_SV39X4 8
#define HGATP_MODE_SV48X4 9
#define HGATP_MODE_SV57X4 10

_Static_assert((PTE_RSW & (PTE_NO_ACCESS | PTE_OWNED)) == PTE_RSW,
               "software's bits are where the manual has them");

static pte_t from_address(hpa_t address)
{
    return FIELD_PUT(PTE_PPN, address.raw >> PAGE_SHIFT);
}

static pte_t riscv_make_table(hpa_t table, unsigned level)
{
    return from_address(table) | PTE_V;
}

/* What an access takes in an entry. W without R is reserved. */
static const uint8_t access_bits[MEM_ACCESS + 1] = {
    [0] = 0,
    [MEM_READ] = PTE_V | PTE_R,
    [MEM_WRITE] = PTE_V | PTE_R | PTE_W,
    [MEM_READ | MEM_WRITE] = PTE_V | PTE_R | PTE_W,
    [MEM_EXECUTE] = PTE_V | PTE_X,
    [MEM_READ | MEM_EXECUTE] = PTE_V | PTE_R | PTE_X,
    [MEM_WRITE | MEM_EXECUTE] = PTE_V | PTE_R | PTE_W | PTE_X,
    [MEM_RWX] = PTE_V | PTE_R | PTE_W | PTE_X,
};

static pte_t riscv_make_leaf(hpa_t page, unsigned flags, unsigned level)
{
    pte_t entry = from_address(page) | PTE_U | PTE_A | PTE_D |
                  access_bits[flags & MEM_ACCESS];

    if (unlikely(!(flags & MEM_ACCESS)))
        entry |= PTE_NO_ACCESS;
    return flags & MEM_OWNED ? entry | PTE_OWNED : entry;
}

static pte_t svpbmt_make_leaf(hpa_t page, unsigned flags, unsigned level)
{
    unsigned type = PBMT_PMA;

    if (flags & MEM_DEVICE)
        type = PBMT_IO;
    else if (flags & MEM_UNCACHED)
        type = PBMT_NC;
    return riscv_make_leaf(page, flags, level) | FIELD_PUT(PTE_PBMT, type);
}

static bool riscv_is_leaf(pte_t entry, unsigned level)
{
    return (entry & (PTE_R | PTE_X | PTE_NO_ACCESS)) != 0;
}

static hpa_t riscv_address(pte_t entry, unsigned level)
{
    return hpa(FIELD_GET(PTE_PPN, entry) << PAGE_SHIFT);
}

static unsigned riscv_flags(pte_t entry, unsigned level)
{
    unsigned flags = 0;

    if (entry & PTE_R)
        flags |= MEM_READ;
    if (entry & PTE_W)
        flags |= MEM_WRITE;
    if (entry & PTE_X)
        flags |= MEM_EXECUTE;
    if (entry & PTE_OWNED)
        flags |= MEM_OWNED;
    return flags;
}

static unsigned svpbmt_flags(pte_t entry, unsigned level)
{
    static const unsigned types[] = {
        [PBMT_PMA] = 0,
        [PBMT_NC] = MEM_UNCACHED,
        [PBMT_IO] = MEM_DEVICE,
        [3] = 0 /* reserved, never made */
    };

    return riscv_flags(entry, level) | types[FIELD_GET(PTE_PBMT, entry)];
}

static bool riscv_is_attached(pte_t entry, unsigned level)
{
    return (entry & PTE_V) != 0;
}

static pte_t riscv_attach(pte_t entry, unsigned level)
{
    return entry & PTE_NO_ACCESS ? entry : entry | PTE_V;
}

/* With V clear, the rest of the entry is software's. */
static pte_t riscv_detach(pte_t entry, unsigned level)
{
    return entry & ~PTE_V;
}

/* The root has two more index bits than other tables: "x4". */
#define ROW(identifier, text, depth, encoding, leaf, leaf_flags) \
    const struct s2_format identifier = {                        \
        .name = text,                                            \
        .levels = depth,                                         \
        .root_index_bits = S2_INDEX_BITS + 2,                    \
        .max_leaf_level = 2,                                     \
        .gpa_bits = PAGE_SHIFT + S2_INDEX_BITS * (depth) + 2,    \
        .hpa_bits = 56,                                          \
        .mode = encoding,                                        \
        .make_table = riscv_make_table,                          \
        .make_leaf = leaf,                                       \
        .is_leaf = riscv_is_leaf,                                \
        .address = riscv_address,                                \
        .flags = leaf_flags,                                     \
        .is_attached = riscv_is_attached,                        \
        .attach = riscv_attach,                                  \
        .detach = riscv_detach,                                  \
    };

#define PLAIN  riscv_make_leaf, riscv_flags
#define SVPBMT svpbmt_make_leaf, svpbmt_flags

#define ROW_OF(...) ROW(__VA_ARGS__)

ROW_OF(s2_sv39x4, "Sv39x4", 3, HGATP_MODE_SV39X4, PLAIN)
ROW_OF(s2_sv48x4, "Sv48x4", 4, HGATP_MODE_SV48X4, PLAIN)
ROW_OF(s2_sv57x4, "Sv57x4", 5, HGATP_MODE_SV57X4, PLAIN)
ROW_OF(s2_sv39x4_svpbmt, "Sv39x4+Svpbmt", 3, HGATP_MODE_SV39X4, SVPBMT)
ROW_OF(s2_sv48x4_svpbmt, "Sv48x4+Svpbmt", 4, HGATP_MODE_SV48X4, SVPBMT)
ROW_OF(s2_sv57x4_svpbmt, "Sv57x4+Svpbmt", 5, HGATP_MODE_SV57X4, SVPBMT)
