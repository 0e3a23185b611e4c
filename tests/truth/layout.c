/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the guest's memory: tables for every mode of paging, which map it
 * to itself, interrupt tables, whose gates lead to HLTs, descriptors. APM
 * volume 2, chapters 4, 5 and 8; SDM volume 3 has the same.
 */
#include <string.h>

#include "tests/truth/host.h"

#define P  BIT(0)
#define RW BIT(1)
#define US BIT(2)
#define NX BIT(63)

#define INTERRUPT_GATE (UINT64_C(0x8e00) << 32)

/* Accessed already, so that loading one writes nothing. */
#define CODE32 UINT64_C(0x00cf9b000000ffff)
#define CODE64 UINT64_C(0x00af9b000000ffff)
#define DATA   UINT64_C(0x00cf93000000ffff)

struct layout_piece layout_pieces[TRUTH_MAX_PIECES];
static unsigned count;

static uint8_t *add_piece(uint32_t at, uint32_t size)
{
    struct layout_piece *piece = &layout_pieces[count++];

    *piece = (struct layout_piece){.at = at, .size = size};
    return piece->bytes;
}

static void put(uint8_t *bytes, unsigned index, unsigned size, uint64_t value)
{
    memcpy(bytes + (size_t)index * size, &value, size);
}

static void add_handlers(void)
{
    uint8_t *ivt = add_piece(LAYOUT_IVT, 256 * 4);
    uint8_t *idt32 = add_piece(LAYOUT_IDT32, 256 * 8);
    uint8_t *idt64 = add_piece(LAYOUT_IDT64, 256 * 16);

    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t handler = LAYOUT_HANDLERS + vector;
        uint64_t gate = handler | LAYOUT_SELECTOR_CODE << 16 | INTERRUPT_GATE;

        put(ivt, vector, 4, handler);
        put(idt32, vector, 8, gate);
        put(idt64, 2 * vector, 8, gate);
    }
}

static void add_descriptors(uint32_t at, uint64_t code)
{
    uint8_t *gdt = add_piece(at, 4 * 8);

    put(gdt, LAYOUT_SELECTOR_CODE / 8, 8, code);
    put(gdt, LAYOUT_SELECTOR_DATA / 8, 8, DATA);
}

/* A page table; the format decides about the size of entries alone. */
static void add_table(uint32_t at, unsigned size)
{
    uint8_t *table = add_piece(at, 4096);

    for (uint32_t page = 0; page < LAYOUT_PAGES + 1; page++) {
        uint64_t address = page * UINT64_C(4096);
        uint64_t entry = address | P | RW | US;

        if (address == LAYOUT_ABSENT)
            entry = 0;
        if (address == LAYOUT_READ_ONLY)
            entry &= ~RW;
        if (address == LAYOUT_SUPERVISOR)
            entry &= ~US;
        if (address == LAYOUT_NX && size == 8)
            entry |= NX;
        put(table, page, size, entry);
    }
}

unsigned layout_make(void)
{
    count = 0;
    add_handlers();
    add_descriptors(LAYOUT_GDT32, CODE32);
    add_descriptors(LAYOUT_GDT64, CODE64);
    for (unsigned level = 0; level < 3; level++) {
        uint32_t at = LAYOUT_PML4 + level * 0x1000;

        put(add_piece(at, 4096), 0, 8, (at + 0x1000) | P | RW | US);
    }
    add_table(LAYOUT_PML4 + 0x3000, 8);
    put(add_piece(LAYOUT_PDPT_PAE, 4 * 8), 0, 8, (LAYOUT_PML4 + 0x2000) | P);
    put(add_piece(LAYOUT_PD32, 4096), 0, 4,
        (LAYOUT_PD32 + 0x1000) | P | RW | US);
    add_table(LAYOUT_PD32 + 0x1000, 4);
    add_piece(LAYOUT_TSS, 0x68);
    return count;
}

uint8_t layout_rights(uint32_t page)
{
    switch (page * 4096) {
    case LAYOUT_NESTED_ABSENT: return 0;
    case LAYOUT_NESTED_NX: return TRUTH_READ | TRUTH_WRITE;
    case LAYOUT_NESTED_READ_ONLY: return TRUTH_READ | TRUTH_EXECUTE;
    default: return TRUTH_READ | TRUTH_WRITE | TRUTH_EXECUTE;
    }
}
