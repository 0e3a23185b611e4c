/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A processor's view of stage-2 tables, for the tests: for each format, the
 * walk as the manual has it, written independently of the format's row; and a
 * TLB that keeps what it may keep until it is told to forget.
 */
#ifndef TESTS_ADDRSPACE_MMU_H
#define TESTS_ADDRSPACE_MMU_H

#include "addrspace/aspace.h"

/* What the hardware takes an entry for. */
enum hw_kind { HW_FAULT, HW_TABLE, HW_LEAF };

struct hw_entry {
    enum hw_kind kind;
    uint64_t address;
    unsigned access; /* of a leaf: enum mem_flags */
};

/* A format, and its hardware. */
struct hw {
    const struct s2_format *format;
    unsigned levels;
    unsigned root_entries;
    struct hw_entry (*decode)(pte_t entry, unsigned level);
    bool reads_all; /* what can be accessed at all, can be read */
};

/* Every format with leaves of 1 GiB: the hypervisor's, and those that only the
 * tests have. */
extern const struct hw hw_formats[];
extern const unsigned hw_format_count;
/* x86 without such leaves. */
extern const struct hw hw_npt_2m, hw_ept_2m;

/* The access that hardware grants where a region allows `access`. */
static inline unsigned hw_granted(const struct hw *hw, unsigned access)
{
    return hw->reads_all && access != 0 ? access | MEM_READ : access;
}

/* Rows that only the tests have, to prove that the walker takes them. */
extern const struct s2_format s2_vmsa40; /* Arm ARM, D8.3: 3 levels, 40 bits */
extern const struct s2_format s2_odd;    /* entries differ by level */

/* A translation: of which page, to where, and how large its leaf is. */
struct hw_walk {
    bool present;
    uint64_t page; /* host-physical, of the 4 KiB page */
    unsigned access;
    unsigned level; /* of the entry that said so, or that there is none */
};

struct hw_walk hw_translate(const struct hw *hw, hpa_t root, uint64_t gpa);
/* And the table that the walk has ended in. */
struct hw_walk hw_translate_to(const struct hw *hw, hpa_t root, uint64_t gpa,
                               hpa_t *table);

/*
 * The TLB holds translations and pointers to tables for chosen addresses. As
 * the address space's flusher it forgets, and checks that
 *  - no frame it still knows has been freed before the flush;
 *  - what it knows is not valid as something else yet (break before make).
 */
#define TLB_SIZE 64

struct tlb_entry {
    uint64_t gpa;
    struct hw_walk walk;
    uint64_t tables[5]; /* by level: the tables that the walk read */
};

struct tlb {
    const struct hw *hw;
    struct aspace *aspace;
    unsigned count;
    unsigned flushes; /* since tlb_fill() */
    unsigned full_flushes;
    struct tlb_entry entries[TLB_SIZE];
};

/* Makes an address space whose flusher the TLB is. */
void tlb_start(struct tlb *tlb, const struct hw *hw, struct aspace *aspace);
/* Forgets everything, then remembers these pages. */
void tlb_fill(struct tlb *tlb, const uint64_t *gpas, unsigned count);
/* What is still remembered must be true. */
void tlb_check(const struct tlb *tlb);

#endif
