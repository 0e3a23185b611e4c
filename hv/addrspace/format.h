/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage-2 page-table formats. A format is one row: a handful of numbers and
 * pure functions on entries. The walker (walk.h) is written once for all.
 *
 * Level 0 is the level whose leaves map 4 KiB, level 1 maps 2 MiB, level 2
 * 1 GiB, and so on up to `levels` - 1, the root. Each function's `level` is
 * that of the table that holds the entry.
 *
 * An entry of 0 is empty, in every format. Any other entry is a table or a
 * leaf, and is either attached, so that the hardware uses it, or detached: the
 * hardware takes it for empty, and the walker reads in it all that it held. A
 * leaf that allows nothing is never visible to the hardware, whatever is done
 * to it; it still names its page.
 */
#ifndef ADDRSPACE_FORMAT_H
#define ADDRSPACE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

/* What a mapping allows, and what kind of memory it is. */
enum mem_flags {
    MEM_READ = 1 << 0,
    MEM_WRITE = 1 << 1,
    MEM_EXECUTE = 1 << 2,
    MEM_DEVICE = 1 << 4,   /* strongly ordered, no speculation */
    MEM_UNCACHED = 1 << 5, /* normal memory, not cached */
    MEM_OWNED = 1 << 7,    /* in entries only: freed when unmapped */

    MEM_ACCESS = MEM_READ | MEM_WRITE | MEM_EXECUTE,
    MEM_RWX = MEM_ACCESS,
    MEM_TYPE = MEM_DEVICE | MEM_UNCACHED,
};

typedef uint64_t pte_t;

struct s2_format {
    const char *name; /* as the manual calls it: "Sv39x4" */
    uint8_t levels;
    uint8_t root_index_bits; /* 9, or 11 where the root is four frames */
    uint8_t max_leaf_level;  /* the largest leaf: 2 is 1 GiB */
    uint8_t gpa_bits;
    uint8_t hpa_bits; /* width of an address in an entry */
    uint32_t mode;    /* the root register's encoding (hgatp.MODE, EPTP, ...) */

    pte_t (*make_table)(hpa_t table, unsigned level);
    /* `page` is aligned to the leaf's size. MEM_WRITE comes with MEM_READ.
     * Access bits and dirty bits are set, so that the hardware never writes
     * an entry. */
    pte_t (*make_leaf)(hpa_t page, unsigned flags, unsigned level);

    /* Of entries that are not empty. At level 0, everything is a leaf. */
    bool (*is_leaf)(pte_t entry, unsigned level);
    hpa_t (*address)(pte_t entry, unsigned level);
    /* Of a leaf, attached or detached. A format that has no memory types gives
     * none back. */
    unsigned (*flags)(pte_t entry, unsigned level);

    bool (*is_attached)(pte_t entry, unsigned level);
    pte_t (*attach)(pte_t entry, unsigned level);
    pte_t (*detach)(pte_t entry, unsigned level);
};

/*
 * RISC-V privileged architecture, "Guest-physical address translation". The
 * plain rows leave the type of memory to the physical memory attributes, and
 * ignore MEM_DEVICE and MEM_UNCACHED: the page-based bits are reserved, and
 * fault, unless the processor has Svpbmt. The second rows are for one that has
 * it, with menvcfg.PBMTE set.
 */
extern const struct s2_format s2_sv39x4;
extern const struct s2_format s2_sv48x4;
extern const struct s2_format s2_sv57x4;
extern const struct s2_format s2_sv39x4_svpbmt;
extern const struct s2_format s2_sv48x4_svpbmt;
extern const struct s2_format s2_sv57x4_svpbmt;

/* AMD APM volume 2, section 15.25. The second row is for a processor without
 * pages of 1 GiB. */
extern const struct s2_format s2_npt;
extern const struct s2_format s2_npt_2m;

/* Intel SDM volume 3, "The Extended Page Table Mechanism". The second row is
 * for a processor without pages of 1 GiB: see IA32_VMX_EPT_VPID_CAP. */
extern const struct s2_format s2_ept;
extern const struct s2_format s2_ept_2m;

/*
 * The EPTP of tables in one of these rows, which are walked as WB memory.
 *
 * With `accessed_dirty`, which IA32_VMX_EPT_VPID_CAP must offer, the processor
 * keeps A and D. They are set in all entries, so that it does not write any;
 * but it takes what the guest's own page walks read for writes, so that those
 * fault in memory that is read-only or tracked.
 */
uint64_t s2_ept_pointer(const struct s2_format *format, hpa_t root,
                        bool accessed_dirty);

#define S2_INDEX_BITS    9
#define S2_TABLE_ENTRIES (1u << S2_INDEX_BITS)

static inline unsigned s2_level_shift(unsigned level)
{
    return PAGE_SHIFT + S2_INDEX_BITS * level;
}

/* Bytes that a leaf at `level` maps. */
static inline uint64_t s2_level_size(unsigned level)
{
    return UINT64_C(1) << s2_level_shift(level);
}

/* Bytes of guest-physical addresses. */
static inline uint64_t s2_gpa_limit(const struct s2_format *format)
{
    return UINT64_C(1) << format->gpa_bits;
}

/* Frames of the root table, which is aligned to its size. */
static inline uint64_t s2_root_frames(const struct s2_format *format)
{
    return UINT64_C(1) << (format->root_index_bits - S2_INDEX_BITS);
}

#endif
