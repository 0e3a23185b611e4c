/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage-2 page-table formats. A format is one row: a handful of numbers and
 * pure functions on entries. The walker (walk.c) is written once for all.
 *
 * Level 0 is the level whose leaves map 4 KiB, level 1 maps 2 MiB, level 2
 * 1 GiB, and so on up to `levels` - 1, the root.
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

    MEM_ACCESS = MEM_READ | MEM_WRITE | MEM_EXECUTE,
    MEM_RWX = MEM_ACCESS,
};

typedef uint64_t pte_t;

struct s2_format {
    const char *name; /* as the manual calls it: "Sv39x4" */
    uint8_t levels;
    uint8_t root_index_bits; /* 9, or 11 where the root is four frames */
    uint8_t max_leaf_level;  /* the largest leaf: 2 is 1 GiB */
    uint8_t gpa_bits;
    uint32_t mode; /* the root register's encoding (hgatp.MODE, EPTP, ...) */

    /* All pure. `level` is the level of the table that holds the entry. */
    pte_t (*make_table)(hpa_t table);
    pte_t (*make_leaf)(hpa_t page, unsigned flags, unsigned level);
    bool (*is_present)(pte_t entry);
    bool (*is_leaf)(pte_t entry, unsigned level); /* of a present entry */
    hpa_t (*address)(pte_t entry, unsigned level);
    unsigned (*flags)(pte_t entry, unsigned level); /* of a leaf: mem_flags */
};

/* RISC-V privileged architecture, "Guest-physical address translation". */
extern const struct s2_format s2_sv39x4;
extern const struct s2_format s2_sv48x4;
extern const struct s2_format s2_sv57x4;

static inline unsigned s2_level_shift(unsigned level)
{
    return PAGE_SHIFT + 9 * level;
}

/* Bytes that a leaf at `level` maps. */
static inline uint64_t s2_level_size(unsigned level)
{
    return UINT64_C(1) << s2_level_shift(level);
}

#endif
