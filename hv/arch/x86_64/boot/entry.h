/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers with which a vCPU enters its guest, in no vendor's format, and
 * the tables in memory that they point to. Intel SDM volume 3, chapters 2 to 4
 * and 10 (10.1.1 for reset); AMD APM volume 2, chapters 4, 5 and 14.
 */
#ifndef ARCH_X86_64_BOOT_ENTRY_H
#define ARCH_X86_64_BOOT_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/emulate/cpu.h"
#include "lib/addr.h"

enum x86_entry_mode {
    X86_ENTRY_REAL,
    X86_ENTRY_PROTECTED, /* 32 bits, flat, no paging */
    X86_ENTRY_PAE,       /* 32 bits, flat, PAE paging */
    X86_ENTRY_LONG,      /* 64 bits, paging with 4 levels */
    X86_ENTRY_MODE_COUNT,
};

/* Segments, numbered as instructions do, then LDTR and TR. */
enum x86_entry_segment {
    X86_ENTRY_LDTR = X86_SEGMENTS,
    X86_ENTRY_TR,
    X86_ENTRY_SEGMENT_COUNT,
};

struct x86_entry_table {
    uint64_t base;
    uint16_t limit;
};

struct x86_entry {
    enum x86_entry_mode mode;
    uint64_t rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
    uint64_t gpr[X86_GPR_COUNT];
    struct x86_segment segment[X86_ENTRY_SEGMENT_COUNT];
    struct x86_entry_table gdtr, idtr;
};

/* Whatever `mode` implies, and `rip`; other registers and tables are 0. In
 * real mode, all segments begin at 0. */
void x86_entry_init(struct x86_entry *entry, enum x86_entry_mode mode,
                    uint64_t rip);

/* The GDT that the selectors of x86_entry_init() name: two descriptors that
 * nobody uses, code, data, and a TSS of two. Sets GDTR. */
#define X86_ENTRY_GDT_ENTRIES 6
void x86_entry_set_gdt(struct x86_entry *entry, gpa_t at,
                       uint64_t gdt[X86_ENTRY_GDT_ENTRIES]);

/*
 * Page tables that map the lowest 4 GiB to themselves, for PAE and long mode:
 * so many pages at `at`, a multiple of PAGE_SIZE below 4 GiB. get_pte() says
 * what entry `index`, counted from the first page on, holds; set_tables()
 * points CR3 at them.
 */
#define X86_ENTRY_TABLE_PAGES 6
#define X86_ENTRY_PTES        (X86_ENTRY_TABLE_PAGES * 512)
uint64_t x86_entry_get_pte(enum x86_entry_mode mode, gpa_t at, unsigned index);
void x86_entry_set_tables(struct x86_entry *entry, gpa_t at);

#endif
