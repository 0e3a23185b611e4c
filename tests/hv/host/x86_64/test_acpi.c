/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware's tables: how they are found, and what is believed of them. */
#include <criterion/criterion.h>
#include <string.h>

#include "rig.h"
#include "support/rows.h"

#define RSDP 0xe1230u
#define RSDT 0x10000u
#define XSDT 0x11000u
#define MADT 0x12000u
#define FADT 0x13000u
#define DSDT 0x14000u

static struct x86_board x86;

/* A processor, an IOAPIC, COM1's interrupt: low and level. */
static const uint8_t madt[] = {
    0, 0,  0xe0, 0xfe, 1,  0, 0,    0,                  /* local APIC, flags */
    0, 8,  0,    7,    1,  0, 0,    0,                  /* APIC id 7 */
    0, 8,  1,    8,    0,  0, 0,    0,                  /* 8, not enabled */
    1, 12, 0,    0,    0,  0, 0xc0, 0xfe, 24,  0, 0, 0, /* from GSI 24 on */
    2, 10, 0,    4,    20, 0, 0,    0,    0xf, 0,       /* ISA 4 is GSI 20 */
    2, 10, 0,    3,    21, 0, 0,    0,    0xf, 0,       /* COM2's */
    9, 16, 0,    0,    0,  1, 0,    0,    1,   0, 0, 0,
    0, 0,  0,    0, /* x2APIC id 0x100 */
    9, 16, 0,    0,    7,  0, 0,    0,    1,   0, 0, 0,
    0, 0,  0,    0, /* 7 again */
};

/* "Name (_S5_, Package () {5, One, ...})" behind something else. */
static const uint8_t dsdt[] = {
    0x5b, 0x80, 0x08, '_', 'S', '5', '_', 0x12, 0x07, 4, 0x0a, 5, 1, 0, 0,
};

static void put_rsdp(uint64_t at, uint8_t revision, uint32_t rsdt,
                     uint64_t xsdt)
{
    const uint32_t length = 36;

    rig_put(at, "RSD PTR ", 8);
    rig_put(at + 15, &revision, 1);
    rig_put(at + 16, &rsdt, 4);
    rig_put(at + 20, &length, 4);
    rig_put(at + 24, &xsdt, 8);
    rig_sum(at, 20, 8);
    rig_sum(at, 36, 32);
}

static void put_fadt(uint32_t old_dsdt, uint64_t x_dsdt, size_t size)
{
    uint8_t fadt[244 - RIG_TABLE_HEADER] = {0};
    const uint32_t ports[] = {0x600, 0, 0x604, 0};
    const uint8_t reset[] = {1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6};
    const uint32_t flags = 1 << 10;

    memcpy(fadt + 40 - RIG_TABLE_HEADER, &old_dsdt, 4);
    fadt[48 - RIG_TABLE_HEADER] = 0xb2; /* SMI_CMD */
    fadt[52 - RIG_TABLE_HEADER] = 0xf1; /* ACPI_ENABLE */
    memcpy(fadt + 56 - RIG_TABLE_HEADER, ports, sizeof(ports));
    memcpy(fadt + 112 - RIG_TABLE_HEADER, &flags, 4);
    memcpy(fadt + 116 - RIG_TABLE_HEADER, reset, sizeof(reset));
    memcpy(fadt + 140 - RIG_TABLE_HEADER, &x_dsdt, 8);
    rig_table(FADT, "FACP", fadt, size);
}

/* A firmware as it should be. */
static void put_firmware(void)
{
    const uint32_t rsdt[] = {FADT, MADT};
    const uint64_t xsdt[] = {0, 0xffffffffffff, FADT, MADT};

    rig_start(&x86);
    put_rsdp(RSDP, 2, RSDT, XSDT);
    rig_table(RSDT, "RSDT", rsdt, RIG_TABLE_HEADER + sizeof(rsdt));
    rig_table(XSDT, "XSDT", xsdt, RIG_TABLE_HEADER + sizeof(xsdt));
    rig_table(MADT, "APIC", madt, RIG_TABLE_HEADER + sizeof(madt));
    put_fadt(DSDT, DSDT, 244);
    rig_table(DSDT, "DSDT", dsdt, RIG_TABLE_HEADER + sizeof(dsdt));
}

static void put_madt(const uint8_t *bytes, size_t size)
{
    put_firmware();
    rig_table(MADT, "APIC", bytes, RIG_TABLE_HEADER + size);
}

Test(acpi, a_machine)
{
    put_firmware();
    cr_assert(rig_acpi(&x86) == NULL);
    cr_assert(x86.lapic == 0xfee00000);
    cr_assert(x86.cpu_count == 2 && x86.apic_ids[0] == 7 &&
              x86.apic_ids[1] == 0x100);
    cr_assert(x86.ioapic_count == 1 && x86.ioapics[0].address == 0xfec00000 &&
              x86.ioapics[0].first_gsi == 24);
    cr_assert(x86.com1_irq.gsi == 20 && x86.com1_irq.is_low &&
              x86.com1_irq.is_level);
    cr_assert(x86.power.pm1a_control == 0x604 && x86.power.pm1b_control == 0);
    cr_assert(x86.power.smi_command == 0xb2 && x86.power.acpi_enable == 0xf1);
    cr_assert(x86.power.has_s5 && x86.power.s5_type_a == 5 &&
              x86.power.s5_type_b == 1);
    cr_assert(x86.power.reset_port == 0xcf9 && x86.power.reset_value == 6);
}

/* From the boot loader, the extended BIOS data area, the BIOS' own space; not
 * from elsewhere, and not if it is none. */
Test(acpi, where_the_rsdp_is)
{
    static const struct {
        uint64_t at, loader;
        uint16_t ebda;
        bool found;
    } rows[] = {
        {RSDP, 0, 0, true},
        {0xfffd0, 0, 0, true},
        {0x9fc10, 0, 0x9fc0, true},
        {0x9fff0, 0, 0x9fc0, true},
        {0xa0000, 0, 0x9fc0, false},
        {0x9fc10, 0, 0, false},
        {0x20008, 0x20008, 0, true},
        {0x20008, 0x20000, 0, false},
        {RSDP, UINT64_MAX - 3, 0xffff, true},
        {RSDP + 4, 0, 0, false},
    };

    for_each_row (i, rows) {
        const char *refusal;

        put_firmware();
        memset(rig_at(RSDP, 36), 0, 36);
        put_rsdp(rows[i].at, 2, RSDT, XSDT);
        rig_put(0x40e, &rows[i].ebda, 2);
        x86.rsdp = rows[i].loader;
        refusal = rig_acpi(&x86);
        cr_assert((refusal == NULL) == rows[i].found, "row %zu", i);
    }
}

/* One that is broken is as good as none. */
Test(acpi, which_root_is_taken)
{
    static const struct {
        uint8_t revision;
        uint32_t rsdt;
        uint64_t xsdt;
        uint64_t broken; /* a byte that is changed */
        const char *refusal;
    } rows[] = {
        {2, RSDT, XSDT, 0, NULL},
        {2, 0, XSDT, 0, NULL},
        {2, RSDT, 0, 0, NULL},
        {2, RSDT, UINT64_MAX - 20, 0, NULL},
        {2, RSDT, MADT, 0, NULL},
        {0, RSDT, 0, 0, NULL},
        {0, 0, XSDT, 0, "no MADT"},
        {2, RSDT, XSDT, XSDT + 40, NULL},
        {2, RSDT, XSDT, RSDT + 40, NULL},
        {0, RSDT, 0, RSDT + 40, "no MADT"},
        {2, RSDT, XSDT, MADT + 40, "no MADT"},
        {2, RSDT, XSDT, MADT, "no MADT"},
        {2, RSDT, XSDT, RSDP + 16, "no ACPI"},
        {2, RSDT, XSDT, RSDP + 24, NULL},
        {0, RSDT, XSDT, RSDP + 24, NULL},
        {2, 0, XSDT, RSDP + 24, "no MADT"},
    };

    for_each_row (i, rows) {
        const char *refusal;

        put_firmware();
        put_rsdp(RSDP, rows[i].revision, rows[i].rsdt, rows[i].xsdt);
        if (rows[i].broken != 0)
            *rig_at(rows[i].broken, 1) ^= 0x10;
        refusal = rig_acpi(&x86);
        if (rows[i].refusal == NULL)
            cr_assert(refusal == NULL, "row %zu: %s", i, refusal);
        else
            cr_assert(refusal != NULL && strstr(refusal, rows[i].refusal),
                      "row %zu: %s", i, refusal);
    }
}

/* A length that is too short, or reaches out of memory, is no table's. */
Test(acpi, lengths_of_tables)
{
    static const struct {
        uint64_t table;
        uint32_t length;
        bool refused;
    } rows[] = {
        {MADT, 0, true},
        {MADT, 35, true},
        {MADT, 36, false},
        {MADT, 43, false},
        {MADT, 44, false},
        {MADT, 0x01000001, true},
        {MADT, 0xffffffff, true},
        {MADT, RIG_MEMORY - MADT, false},
        {FADT, 0, false},
        {FADT, 36, false},
        {FADT, 115, false},
        {FADT, 116, false},
        {FADT, 128, false},
        {FADT, 147, false},
        {DSDT, 36, false},
        {DSDT, 0xffffffff, false},
        {XSDT, 36, true},
        {XSDT, 43, true},
        {XSDT, RIG_MEMORY - XSDT, false},
    };

    for_each_row (i, rows) {
        uint32_t length = rows[i].length;

        put_firmware();
        rig_put(rows[i].table + 4, &length, 4);
        if (length >= RIG_TABLE_HEADER && length <= RIG_MEMORY - rows[i].table)
            rig_sum(rows[i].table, length, 9);
        cr_assert((rig_acpi(&x86) != NULL) == rows[i].refused, "row %zu", i);
        cr_assert(rows[i].table != MADT || length >= 44 || x86.lapic == 0,
                  "row %zu", i);
        cr_assert(rows[i].table != FADT || length >= 148 ||
                      x86.power.has_s5 == (length >= 116),
                  "row %zu: the old pointer to the DSDT does", i);
    }
}

/* Firmware has some tens. What has very many of them shall not take for ever.
 */
Test(acpi, how_many_tables_are_looked_at)
{
    static const struct {
        unsigned madt; /* its number */
        bool found;
    } rows[] = {{0, true}, {1023, true}, {1024, false}, {100000, false}};

    for_each_row (i, rows) {
        static uint32_t entries[100001];

        memset(entries, 0, sizeof(entries));
        entries[rows[i].madt] = MADT;
        put_firmware();
        put_rsdp(RSDP, 0, 0x20000, 0);
        rig_table(0x20000, "RSDT", entries, RIG_TABLE_HEADER + sizeof(entries));
        cr_assert((rig_acpi(&x86) == NULL) == rows[i].found, "row %zu", i);
    }
}

/* Each entry is taken as far as it is whole, and none behind one that lies. */
Test(acpi, entries_of_the_madt)
{
#define HEAD 0, 0, 0xe0, 0xfe, 1, 0, 0, 0
#define CPU  0, 8, 0, 3, 1, 0, 0, 0
    static const struct {
        uint8_t bytes[40];
        size_t size;
        unsigned cpus;
    } rows[] = {
        {{HEAD, CPU}, 16, 1},
        {{HEAD, CPU, 0}, 17, 1},
        {{HEAD, 0, 0, CPU}, 18, 0},
        {{HEAD, 0, 1, CPU}, 18, 0},
        {{HEAD, 0, 2, CPU}, 18, 1},
        {{HEAD, 0, 7, 0, 3, 1, 0, 0, CPU}, 23, 1},
        {{HEAD, CPU, 0, 255}, 18, 1},
        {{HEAD, 0, 8, 0, 3}, 12, 0},
        {{HEAD, 0, 8, 0, 255, 1, 0, 0, 0, CPU}, 24, 1},
        {{HEAD, 9, 15, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, CPU}, 31, 1},
        {{HEAD, 9, 16, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0, CPU},
         32,
         1},
        {{HEAD, 1, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, CPU}, 27, 1},
        {{HEAD, 2, 9, 0, 4, 9, 0, 0, 0, 0, CPU}, 25, 1},
        {{HEAD, 5, 11, 0, 0, 1, 2, 3, 4, 5, 6, 7, CPU}, 27, 1},
        {{HEAD, 200, 3, 0, CPU}, 19, 1},
    };

    for_each_row (i, rows) {
        put_madt(rows[i].bytes, rows[i].size);
        cr_assert(rig_acpi(&x86) == NULL, "row %zu", i);
        cr_assert(x86.cpu_count == rows[i].cpus, "row %zu: %u CPUs", i,
                  x86.cpu_count);
        cr_assert(x86.ioapic_count == 0 && x86.com1_irq.gsi == 4 &&
                      x86.lapic == 0xfee00000,
                  "row %zu", i);
    }
}

Test(acpi, more_of_everything_than_there_is_room_for)
{
    static uint8_t bytes[8 + (MAX_CPU_NUM + 5) * 16 + X86_MAX_IOAPICS * 24];
    size_t size = 8;

    for (unsigned i = 0; i < MAX_CPU_NUM + 5u; i++, size += 16) {
        const uint8_t entry[16] = {9, 16, 0, 0, (uint8_t)i, (uint8_t)(i >> 8),
                                   0, 0,  1};
        memcpy(bytes + size, entry, sizeof(entry));
    }
    for (unsigned i = 0; i < 2 * X86_MAX_IOAPICS; i++, size += 12) {
        const uint8_t entry[12] = {1, 12, 0, 0, 0, 0, 0xc0, 0xfe};
        memcpy(bytes + size, entry, sizeof(entry));
    }
    put_madt(bytes, size);
    cr_assert(rig_acpi(&x86) == NULL);
    cr_assert(x86.cpu_count == MAX_CPU_NUM && x86.board.cpus_ignored == 5);
    cr_assert(x86.ioapic_count == X86_MAX_IOAPICS);
}

/* The value that powers off, in all its encodings, and what only looks so. */
Test(acpi, the_package_s5)
{
    static const struct {
        uint8_t bytes[16];
        size_t size;
        bool found;
        uint8_t a, b;
    } rows[] = {
        {{'_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0}, 11, true, 0, 0},
        {{'_', 'S', '5', '_', 0x12, 6, 2, 0x0a, 7, 0x0a, 3}, 11, true, 7, 3},
        {{'_', 'S', '5', '_', 0x12, 0x46, 0, 2, 1, 1}, 10, true, 1, 1},
        {{'_', 'S', '5', '_', 0x12, 0xc6, 0, 0, 0, 2, 1, 1}, 12, true, 1, 1},
        {{'_', 'S', '5', '_'}, 4, false, 0, 0},
        {{'_', 'S', '5', '_', 0x12}, 5, false, 0, 0},
        {{'_', 'S', '5', '_', 0x12, 6, 4}, 7, false, 0, 0},
        {{'_', 'S', '5', '_', 0x12, 6, 4, 0x0a}, 8, false, 0, 0},
        {{'_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5}, 9, false, 0, 0},
        {{'_', 'S', '5', '_', 0x12, 6, 4, 0x0b, 5, 0, 0}, 11, false, 0, 0},
        {{'_', 'S', '5', '_', 0x12, 0xc6, 0}, 7, false, 0, 0},
        {{'_', 'S', '5', '_', 0x11, 6, 4, 0, 0, 0, 0}, 11, false, 0, 0},
        {{'_', 'S', '5', '_', '_', 'S', '5', '_', 0x12, 3, 2, 1, 1},
         13,
         true,
         1,
         1},
    };

    for_each_row (i, rows) {
        put_firmware();
        rig_table(DSDT, "DSDT", rows[i].bytes, RIG_TABLE_HEADER + rows[i].size);
        cr_assert(rig_acpi(&x86) == NULL, "row %zu", i);
        cr_assert(x86.power.has_s5 == rows[i].found, "row %zu", i);
        cr_assert(!rows[i].found || (x86.power.s5_type_a == rows[i].a &&
                                     x86.power.s5_type_b == rows[i].b),
                  "row %zu", i);
    }
}
