/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a guest's page tables: no paging, 32-bit (two levels, with 4 MiB pages
 * and PSE-36), PAE, four levels and five. Intel SDM volume 3, chapter 4; AMD
 * APM volume 2, chapter 5.
 *
 * Protection keys and shadow stacks are not known here: CR4.PKE, CR4.PKS and
 * CR4.CET have no effect, and the bits of theirs in entries are ignored.
 */
#ifndef ARCH_X86_64_EMULATE_WALK_H
#define ARCH_X86_64_EMULATE_WALK_H

#include "arch/x86_64/emulate/cpu.h"
#include "lib/addr.h"

enum x86_walk_access {
    X86_WALK_READ = 0,
    X86_WALK_WRITE = 1 << 0,
    X86_WALK_FETCH = 1 << 1,
    X86_WALK_USER = 1 << 2, /* at CPL 3, and not implicitly supervisor's */
    /* Of a descriptor table or TSS: supervisor's, and RFLAGS.AC is nothing to
     * SMAP. */
    X86_WALK_IMPLICIT = 1 << 3,
    /* Set accessed and dirty bits, once the access is known to be allowed. */
    X86_WALK_UPDATE = 1 << 4,
};

enum x86_walk_result {
    X86_WALK_OK,
    X86_WALK_FAULT,      /* #PF with the error code */
    X86_WALK_UNREADABLE, /* the table at the address is not in memory */
    X86_WALK_RETRY,      /* the tables kept changing under the update */
};

/* What the processor that the guest sees has. */
struct x86_paging {
    struct x86_control control;
    uint64_t rflags;         /* AC */
    uint8_t physical_bits;   /* 32 to 52 */
    bool has_gigabyte_pages; /* with four and five levels */
    bool has_pse36;          /* 4 MiB pages above 4 GiB */
    bool reserves_bit_8;     /* AMD's: of entries above a page directory's */
    const uint64_t *pdptes;  /* PAE: as CR3 loaded them; NULL: in memory */
};

/* Guest memory. Entries are of `bytes` 4 or 8, aligned; false: there is none.
 * Each entry is read once. */
struct x86_walk_memory {
    bool (*read)(void *context, gpa_t address, uint64_t *entry, unsigned bytes);
    /* Only for X86_WALK_UPDATE: if the entry is still `old` it becomes `new`,
     * atomically; else, `*changed`. False: it cannot be written. */
    bool (*exchange)(void *context, gpa_t address, uint64_t old, uint64_t new,
                     unsigned bytes, bool *changed);
    void *context;
};

struct x86_translation {
    gpa_t address;      /* X86_WALK_OK, X86_WALK_UNREADABLE */
    uint64_t page_size; /* X86_WALK_OK; 0 without paging */
    uint32_t error;     /* X86_WALK_FAULT */
};

/*
 * Translates `linear`, which must be canonical in long mode (a non-canonical
 * one gives #GP or #SS before there is a walk). `access` is of enum
 * x86_walk_access. Reads five entries at most, and twice that many with
 * updates that others disturb.
 */
enum x86_walk_result x86_walk(const struct x86_paging *paging, uint64_t linear,
                              unsigned access,
                              const struct x86_walk_memory *memory,
                              struct x86_translation *translation) MUST_CHECK;

#endif
