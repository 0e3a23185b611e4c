/* SPDX-License-Identifier: Apache-2.0 */
/* What a vCPU's registers hold when it enters its guest, mode by mode. */
#include "arch/x86_64/boot/entry.h"

#include "lib/bits.h"
#include "lib/string.h"

/* Attributes: segments that have been accessed, DPL 0, present. */
#define CODE_16 0x09b
#define DATA_16 0x093
#define CODE_32 0xc9b
#define DATA_32 0xc93
#define CODE_64 0xa9b
#define TSS     0x08b /* busy; of 32 or 64 bits, by the mode */
#define LDT     0x082

#define ATTRIBUTES_LOW  BIT_MASK(7, 0)
#define ATTRIBUTES_HIGH BIT_MASK(11, 8)
#define GRANULAR        BIT(11)

/* Descriptors, by index: Linux wants its code and data in these. */
#define GDT_CODE 2
#define GDT_DATA 3
#define GDT_TSS  4

#define SELECTOR(index) ((uint16_t)((index)*8))

#define TSS_LIMIT 0x67

static const struct {
    uint64_t cr0, cr4, efer;
    uint16_t code, data, tss, ldt; /* attributes */
    uint32_t limit, system_limit;
    uint16_t idt_limit;
    bool has_gdt;
} modes[X86_ENTRY_MODE_COUNT] = {
    [X86_ENTRY_REAL] = {X86_CR0_ET, 0, 0, CODE_16, DATA_16, TSS, LDT, 0xffff,
                        0xffff, 0x3ff, false},
    [X86_ENTRY_PROTECTED] = {X86_CR0_ET | X86_CR0_PE, 0, 0, CODE_32, DATA_32,
                             TSS, 0, UINT32_MAX, TSS_LIMIT, 0, true},
    [X86_ENTRY_PAE] = {X86_CR0_ET | X86_CR0_PE | X86_CR0_PG, X86_CR4_PAE, 0,
                       CODE_32, DATA_32, TSS, 0, UINT32_MAX, TSS_LIMIT, 0,
                       true},
    [X86_ENTRY_LONG] = {X86_CR0_ET | X86_CR0_PE | X86_CR0_PG, X86_CR4_PAE,
                        X86_EFER_LME | X86_EFER_LMA, CODE_64, DATA_32, TSS, 0,
                        UINT32_MAX, TSS_LIMIT, 0, true},
};

static void set_segments(struct x86_entry *entry)
{
    bool has_gdt = modes[entry->mode].has_gdt;

    for (unsigned i = X86_ES; i <= X86_GS; i++)
        entry->segment[i] = (struct x86_segment){
            .limit = modes[entry->mode].limit,
            .selector = has_gdt ? SELECTOR(GDT_DATA) : 0,
            .attributes = modes[entry->mode].data,
        };
    entry->segment[X86_CS].selector = has_gdt ? SELECTOR(GDT_CODE) : 0;
    entry->segment[X86_CS].attributes = modes[entry->mode].code;
    entry->segment[X86_ENTRY_TR] = (struct x86_segment){
        .limit = modes[entry->mode].system_limit,
        .selector = has_gdt ? SELECTOR(GDT_TSS) : 0,
        .attributes = modes[entry->mode].tss,
    };
    entry->segment[X86_ENTRY_LDTR] = (struct x86_segment){
        .limit = has_gdt ? 0 : modes[entry->mode].system_limit,
        .attributes = modes[entry->mode].ldt,
    };
}

void x86_entry_init(struct x86_entry *entry, enum x86_entry_mode mode,
                    uint64_t rip)
{
    *entry = (struct x86_entry){
        .mode = mode,
        .rip = rip,
        .rflags = X86_RFLAGS_FIXED,
        .cr0 = modes[mode].cr0,
        .cr4 = modes[mode].cr4,
        .efer = modes[mode].efer,
        .gdtr.limit = modes[mode].has_gdt ? 0 : 0xffff,
        .idtr.limit = modes[mode].idt_limit,
    };
    set_segments(entry);
}

/* The lower 8 bytes of a segment descriptor (SDM volume 3, section 3.4.5). */
static uint64_t make_descriptor(const struct x86_segment *segment)
{
    uint64_t base = segment->base;
    uint64_t limit = segment->limit;

    if ((segment->attributes & GRANULAR) != 0)
        limit >>= PAGE_SHIFT;
    return (limit & BIT_MASK(15, 0)) | (base & BIT_MASK(23, 0)) << 16 |
           (segment->attributes & ATTRIBUTES_LOW) << 40 |
           FIELD_GET(BIT_MASK(19, 16), limit) << 48 |
           FIELD_GET(ATTRIBUTES_HIGH, (uint64_t)segment->attributes) << 52 |
           FIELD_GET(BIT_MASK(31, 24), base) << 56;
}

void x86_entry_set_gdt(struct x86_entry *entry, gpa_t at,
                       uint64_t gdt[X86_ENTRY_GDT_ENTRIES])
{
    memset(gdt, 0, X86_ENTRY_GDT_ENTRIES * sizeof(gdt[0]));
    gdt[GDT_CODE] = make_descriptor(&entry->segment[X86_CS]);
    gdt[GDT_DATA] = make_descriptor(&entry->segment[X86_DS]);
    gdt[GDT_TSS] = make_descriptor(&entry->segment[X86_ENTRY_TR]);
    entry->gdtr = (struct x86_entry_table){
        at.raw, X86_ENTRY_GDT_ENTRIES * sizeof(gdt[0]) - 1};
}

/* The pages, in order: PML4, page directory pointers, four directories. */
#define PAGE_POINTERS    1
#define PAGE_DIRECTORIES 2
#define DIRECTORIES      4
#define PAGE_PTES        512

#define PTE_PRESENT  BIT(0)
#define PTE_WRITABLE BIT(1)
#define PTE_LARGE    BIT(7)
#define LARGE_SHIFT  21

uint64_t x86_entry_get_pte(enum x86_entry_mode mode, gpa_t at, unsigned index)
{
    unsigned page = index / PAGE_PTES, entry = index % PAGE_PTES;

    if (page >= PAGE_DIRECTORIES)
        return (uint64_t)(index - PAGE_DIRECTORIES * PAGE_PTES) << LARGE_SHIFT |
               PTE_PRESENT | PTE_WRITABLE | PTE_LARGE;
    if (entry >= (page == PAGE_POINTERS ? DIRECTORIES : 1))
        return 0;
    /* Of PAE's directory pointers, all bits but P are reserved. */
    return (at.raw + (page + 1 + entry) * PAGE_SIZE) | PTE_PRESENT |
           (mode == X86_ENTRY_PAE ? 0 : PTE_WRITABLE);
}

void x86_entry_set_tables(struct x86_entry *entry, gpa_t at)
{
    entry->cr3 = at.raw;
    if (entry->mode == X86_ENTRY_PAE)
        entry->cr3 += PAGE_POINTERS * PAGE_SIZE;
}
