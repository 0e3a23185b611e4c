/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI tables, read as an operating system reads them. Their syntax is judged
 * by tests/oracle/acpi. */
#include "hv/arch/x86_64/boot/rig.h"

#include "arch/x86_64/boot/acpi.h"

#define BASE UINT64_C(0xe0000)
#define SIZE 65536

static uint8_t tables[SIZE];
static uint32_t ids[ACPI_MAX_CPUS];
static struct acpi_machine pc;

static void make_pc(void)
{
    for (unsigned i = 0; i < ACPI_MAX_CPUS; i++)
        ids[i] = i * 2;
    pc = (struct acpi_machine){
        .cpu_count = 2,
        .apic_ids = ids,
        .lapic_base = 0xfee00000,
        .ioapic_base = 0xfec00000,
        .ioapic_id = 17,
        .sci = 9,
        .pm_event = 0x600,
        .pm_control = 0x604,
        .pm_timer = 0x608,
        .s5_type = 5,
        .devices = ACPI_COM1 | ACPI_RTC,
        .pci = {true, {16, 17, 18, 19}, 0xc0000000, 0x10000000, 0, 0},
    };
}

TestSuite(acpi, .init = make_pc);

static uint64_t get(size_t offset, unsigned width)
{
    return get_le(tables + offset, width);
}

/* The table at the address in a field, with its checksum checked. */
static size_t follow(size_t field, unsigned width, const char *signature)
{
    size_t at = get(field, width) - BASE;
    uint8_t sum = 0;

    cr_assert_lt(at, SIZE, "%s", signature);
    cr_assert_eq(memcmp(tables + at, signature, 4), 0, "%s", signature);
    for (size_t i = 0; i < get(at + 4, 4); i++)
        sum = (uint8_t)(sum + tables[at + i]);
    cr_assert_eq(strcmp(signature, "FACS") == 0 || sum == 0, true, "%s",
                 signature);
    return at;
}

static void build(void)
{
    size_t used = 0;

    cr_assert_eq(acpi_build(&pc, gpa(BASE), tables, SIZE, &used), OK);
}

static size_t fadt(void)
{
    return follow(follow(24, 8, "XSDT") + 36, 8, "FACP");
}

Test(acpi, the_rsdp_comes_first)
{
    uint8_t sum = 0, extended = 0;

    build();
    for (unsigned i = 0; i < 36; i++) {
        sum = (uint8_t)(sum + (i < 20 ? tables[i] : 0));
        extended = (uint8_t)(extended + tables[i]);
    }
    cr_expect_eq(memcmp(tables, "RSD PTR ", 8), 0);
    cr_expect_eq(sum | extended, 0);
    cr_expect_eq(get(15, 1), 2u);
    cr_expect_eq(get(20, 4), 36u);
    cr_expect_eq(get(follow(24, 8, "XSDT") + 4, 4), 36u + 2 * 8);
}

/* Of the FADT (ACPI 6.5, table 5.9), each as the machine above needs it. */
static const struct rig_patch fields[] = {
    {4, 4, 276, "length"},
    {8, 1, 6, "revision"},
    {46, 2, 9, "SCI_INT"},
    {48, 4, 0, "SMI_CMD"},
    {56, 4, 0x600, "PM1a_EVT_BLK"},
    {64, 4, 0x604, "PM1a_CNT_BLK"},
    {76, 4, 0x608, "PM_TMR_BLK"},
    {88, 2, 0x0204, "PM1_EVT_LEN, PM1_CNT_LEN"},
    {91, 1, 4, "PM_TMR_LEN"},
    {108, 1, 0x32, "CENTURY"},
    {109, 2, 0x5, "IAPC_BOOT_ARCH: no VGA, no 8042"},
    {112, 4, 0x575, "Flags: not hardware-reduced"},
    {116, 4, 0x01000801, "RESET_REG"},
    {120, 8, 0xcf9, "RESET_REG"},
    {128, 1, 6, "RESET_VALUE"},
    {131, 1, 5, "minor version"},
    {132, 8, 0, "X_FIRMWARE_CTRL: there is a FIRMWARE_CTRL"},
    {148, 4, 0x02002001, "X_PM1a_EVT_BLK"},
    {152, 8, 0x600, "X_PM1a_EVT_BLK"},
    {172, 4, 0x02001001, "X_PM1a_CNT_BLK"},
    {176, 8, 0x604, "X_PM1a_CNT_BLK"},
    {208, 4, 0x03002001, "X_PM_TMR_BLK"},
    {212, 8, 0x608, "X_PM_TMR_BLK"},
};

Test(acpi, the_fadt_describes_fixed_hardware)
{
    size_t at, facs;

    build();
    at = fadt();
    for_each_row (i, fields)
        cr_expect_eq(get(at + fields[i].offset, fields[i].width),
                     fields[i].value, "%s", fields[i].what);
    facs = follow(at + 36, 4, "FACS");
    cr_expect_eq(facs % 64, 0u);
    cr_expect_eq(get(facs + 4, 4), 64u);
    cr_expect_eq(follow(at + 40, 4, "DSDT"), follow(at + 140, 8, "DSDT"));
}

/* Devices, and IAPC_BOOT_ARCH and the century's place. */
static const struct {
    unsigned devices, boot, century;
} legacy[] = {
    {0, 0x24, 0},
    {ACPI_RTC, 0x04, 0x32},
    {ACPI_COM1, 0x25, 0},
    {ACPI_I8042, 0x27, 0},
    {ACPI_COM1 | ACPI_RTC | ACPI_I8042, 0x07, 0x32},
};

Test(acpi, the_fadt_says_which_legacy_devices_there_are)
{
    for_each_row (i, legacy) {
        pc.devices = legacy[i].devices;
        build();
        cr_expect_eq(get(fadt() + 109, 2), legacy[i].boot, "row %zu", i);
        cr_expect_eq(get(fadt() + 108, 1), legacy[i].century, "row %zu", i);
    }
}

Test(acpi, the_madt_lists_interrupt_controllers)
{
    static const uint8_t expected[] = {
        0,  8,  0,   0,   1,    0,   0,    0, /* vCPU 0 */
        9,  16, 0,   0,   0x2c, 1,   0,    0,    1,   0, 0, 0,
        1,  0,  0,   0,                       /* vCPU 1 */
        0,  8,  2,   254, 1,    0,   0,    0, /* vCPU 2 */
        9,  16, 0,   0,   255,  0,   0,    0,    1,   0, 0, 0,
        3,  0,  0,   0,                                        /* vCPU 3 */
        1,  12, 17,  0,   0,    0,   0xc0, 0xfe, 0,   0, 0, 0, /* IOAPIC */
        2,  10, 0,   0,   2,    0,   0,    0,    0,   0,       /* timer */
        2,  10, 0,   9,   9,    0,   0,    0,    0xd, 0,       /* SCI */
        4,  6,  255, 0,   0,    1,                             /* NMI */
        10, 12, 0,   0,   255,  255, 255,  255,  1,   0, 0, 0,
    };
    size_t at;

    ids[1] = 300;
    ids[2] = 254;
    ids[3] = 255;
    pc.cpu_count = 4;
    build();
    at = follow(follow(24, 8, "XSDT") + 44, 8, "APIC");
    cr_expect_eq(get(at + 36, 4), 0xfee00000u);
    cr_expect_eq(get(at + 40, 4), 1u);
    cr_assert_eq(get(at + 4, 4), 44 + sizeof(expected));
    for (unsigned i = 0; i < sizeof(expected); i++)
        cr_expect_eq(tables[at + 44 + i], expected[i], "byte %u", i);
}

static bool dsdt_has(const char *bytes, size_t count)
{
    size_t at = follow(fadt() + 40, 4, "DSDT");

    for (size_t i = 36; i + count <= get(at + 4, 4); i++) {
        if (memcmp(tables + at + i, bytes, count) == 0)
            return true;
    }
    return false;
}

/* AML by hand, and the devices with which it is there. */
#define ALWAYS     (1U << 31)
#define AML(bytes) bytes, sizeof(bytes) - 1
static const struct {
    const char *bytes;
    size_t count;
    unsigned devices; /* 0: PCI; ALWAYS: with any */
} aml[] = {
    {AML("\x08\\_S5_\x12\x07\x04\x0a\x05\x00\x00\x00"), ALWAYS},
    {AML("\x08_HID\x0c\x41\xd0\x05\x01"), ACPI_COM1}, /* PNP0501 */
    {AML("\x47\x01\xf8\x03\xf8\x03\x01\x08\x22\x10\x00\x79\x00"), ACPI_COM1},
    {AML("\x08_HID\x0c\x41\xd0\x0b\x00"), ACPI_RTC}, /* PNP0B00 */
    {AML("\x47\x01\x70\x00\x70\x00\x01\x02\x22\x00\x01\x79\x00"), ACPI_RTC},
    {AML("\x08_HID\x0c\x41\xd0\x03\x03"), ACPI_I8042}, /* PNP0303 */
    {AML("\x08_HID\x0c\x41\xd0\x0f\x13"), ACPI_I8042}, /* PNP0F13 */
    {AML("\x08_HID\x0c\x41\xd0\x0a\x03"), 0},          /* PNP0A03 */
    /* Slot 1, INTB#, and slot 31, INTD#: GSI 18. */
    {AML("\x12\x0b\x04\x0c\xff\xff\x01\x00\x01\x00\x0a\x12"), 0},
    {AML("\x12\x0c\x04\x0c\xff\xff\x1f\x00\x0a\x03\x00\x0a\x12"), 0},
    /* The window below 4 GiB. */
    {AML("\x87\x17\x00\x00\x0c\x01\x00\x00\x00\x00\x00\x00\x00\xc0"
         "\xff\xff\xff\xcf\x00\x00\x00\x00\x00\x00\x00\x10"),
     0},
};

Test(acpi, the_dsdt_describes_the_devices_that_there_are)
{
    for_each_row (i, aml) {
        bool always = aml[i].devices == ALWAYS;

        pc.devices = always ? 0 : aml[i].devices;
        pc.pci.is_there = aml[i].devices == 0;
        build();
        cr_expect(dsdt_has(aml[i].bytes, aml[i].count), "row %zu", i);
        pc.devices = ~pc.devices & 7;
        pc.pci.is_there = !pc.pci.is_there;
        build();
        cr_expect_eq(dsdt_has(aml[i].bytes, aml[i].count), always, "row %zu",
                     i);
    }
}

/* A machine that is out of range, by the change of one field. */
#define FIELD(name, value)                                                 \
    {                                                                      \
        offsetof(struct acpi_machine, name), sizeof(pc.name), value, #name \
    }
static const struct rig_patch wrong[] = {
    FIELD(cpu_count, 0),
    FIELD(cpu_count, ACPI_MAX_CPUS + 1),
    FIELD(sci, 2),
    FIELD(sci, 16),
    FIELD(s5_type, 8),
    FIELD(pci.memory_size, 0x40000001),
    FIELD(pci.memory_base, 0xf0000001),
};

Test(acpi, a_machine_that_cannot_be_has_no_tables)
{
    size_t used;

    for_each_row (i, wrong) {
        make_pc();
        put_le((uint8_t *)&pc + wrong[i].offset, wrong[i].value,
               wrong[i].width);
        cr_expect_eq(acpi_build(&pc, gpa(BASE), tables, SIZE, &used),
                     ERR_INVALID_INPUT, "%s", wrong[i].what);
    }
    make_pc();
    pc.pci.high_base = UINT64_MAX;
    pc.pci.high_size = 1;
    cr_expect_eq(acpi_build(&pc, gpa(BASE), tables, SIZE, &used), OK);
    pc.pci.high_size = 2;
    cr_expect_eq(acpi_build(&pc, gpa(BASE), tables, SIZE, &used),
                 ERR_INVALID_INPUT);
}

Test(acpi, tables_need_their_place)
{
    size_t used = 0, ignored;

    cr_assert_eq(acpi_build(&pc, gpa(BASE), tables, SIZE, &used), OK);
    for (size_t size = 0; size < used; size++)
        cr_assert_eq(acpi_build(&pc, gpa(BASE), tables, size, &ignored),
                     ERR_NO_MEMORY, "%zu", size);
    cr_expect_eq(acpi_build(&pc, gpa(BASE), tables, used, &ignored), OK);
    cr_expect_eq(acpi_build(&pc, gpa(BASE + 16), tables, SIZE, &ignored),
                 ERR_INVALID_INPUT);
    cr_expect_eq(acpi_build(&pc, gpa(0xffffffc0), tables, SIZE, &ignored),
                 ERR_OUT_OF_RANGE);
}
