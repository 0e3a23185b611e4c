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

/* The script, carried out as firmware does --------------------------------- */

struct file {
    const char *name;
    uint8_t *bytes; /* NULL: not there, until it is allocated */
    size_t size;
    uint64_t at; /* where firmware has put it */
};

static struct acpi_files files;
static struct file rsdp_file, tables_file;

static struct file *find_file(const uint8_t *name)
{
    struct file *const known[] = {&rsdp_file, &tables_file};

    for_each_row (i, known) {
        if (strcmp((const char *)name, known[i]->name) == 0)
            return known[i];
    }
    cr_assert(false, "there is no file '%.56s'", (const char *)name);
    return NULL;
}

static struct file *find_allocated(const uint8_t *name)
{
    struct file *file = find_file(name);

    cr_assert_neq(file->at, 0u, "%s is not allocated", file->name);
    return file;
}

static void allocate_file(const uint8_t *entry, uint64_t at)
{
    struct file *file = find_file(entry);

    cr_expect_eq(file->at, 0u, "%s: twice", file->name);
    cr_expect_eq(at % get_le(entry + 56, 4), 0u, "%s", file->name);
    file->at = at;
}

static void add_pointer(const uint8_t *entry)
{
    const struct file *file = find_allocated(entry);
    const struct file *target = find_allocated(entry + 56);
    uint64_t at = get_le(entry + 112, 4);
    unsigned width = entry[116];
    uint64_t value;

    cr_assert_leq(at + width, file->size);
    value = get_le(file->bytes + at, width);
    cr_assert_lt(value, target->size, "firmware looks for a table there");
    put_le(file->bytes + at, value + target->at, width);
}

static void set_checksum(const uint8_t *entry)
{
    const struct file *file = find_allocated(entry);
    uint64_t at = get_le(entry + 56, 4), start = get_le(entry + 60, 4);
    uint64_t count = get_le(entry + 64, 4);
    uint8_t sum = 0;

    cr_assert(at < file->size && start + count <= file->size);
    cr_expect_eq(file->bytes[at], 0, "%s, 0x%llx", file->name,
                 (unsigned long long)at);
    for (uint64_t i = start; i < start + count; i++)
        sum = (uint8_t)(sum + file->bytes[i]);
    file->bytes[at] = (uint8_t)-sum;
}

/* Builds files, and has them at these addresses. */
static void carry_out(uint8_t *buffer, size_t size, uint64_t rsdp,
                      uint64_t rest)
{
    cr_assert_eq(acpi_build_files(&pc, buffer, size, &files), OK);
    cr_assert_eq(files.script.size % 128, 0u);
    rsdp_file = (struct file){"etc/acpi/rsdp", buffer + files.rsdp.at,
                              files.rsdp.size, 0};
    tables_file = (struct file){"etc/acpi/tables", buffer + files.tables.at,
                                files.tables.size, 0};
    for (size_t i = 0; i < files.script.size; i += 128) {
        const uint8_t *entry = buffer + files.script.at + i;

        switch (get_le(entry, 4)) {
        case 1:
            allocate_file(entry + 4,
                          find_file(entry + 4) == &rsdp_file ? rsdp : rest);
            break;
        case 2: add_pointer(entry + 4); break;
        case 3: set_checksum(entry + 4); break;
        default: cr_assert(false, "entry %zu", i / 128);
        }
    }
}

/* Where acpi_build() would put them, they are the same. */
Test(acpi, firmware_makes_the_same_tables)
{
    static uint8_t buffer[SIZE];

    for (unsigned cpus = 1; cpus <= ACPI_MAX_CPUS; cpus += 127) {
        for (unsigned with_pci = 0; with_pci < 2; with_pci++) {
            size_t used = 0;

            pc.cpu_count = cpus;
            pc.pci.is_there = with_pci != 0;
            cr_assert_eq(acpi_build(&pc, gpa(BASE), tables, SIZE, &used), OK);
            carry_out(buffer, SIZE, BASE, BASE + 64);
            cr_expect_eq(memcmp(buffer, tables, 36), 0, "%u CPUs", cpus);
            cr_assert_eq(files.tables.size, used - 64);
            cr_expect_eq(
                memcmp(buffer + files.tables.at, tables + 64, used - 64), 0,
                "%u CPUs", cpus);
        }
    }
}

/* And elsewhere each still leads to the next. */
Test(acpi, firmware_chooses_the_addresses)
{
    static uint8_t buffer[SIZE];

    memset(tables, 0, sizeof(tables));
    carry_out(buffer, SIZE, BASE, BASE + 0x8000);
    memcpy(tables, buffer, 36);
    memcpy(tables + 0x8000, buffer + files.tables.at, files.tables.size);
    cr_expect_eq(follow(fadt() + 40, 4, "DSDT"),
                 follow(fadt() + 140, 8, "DSDT"));
    cr_expect_eq(follow(fadt() + 36, 4, "FACS") % 64, 0u);
    (void)follow(follow(24, 8, "XSDT") + 44, 8, "APIC");
}

Test(acpi, files_need_their_place)
{
    static uint8_t buffer[SIZE];
    struct acpi_files ignored;
    size_t used;

    cr_assert_eq(acpi_build_files(&pc, buffer, SIZE, &files), OK);
    used = files.script.at + files.script.size;
    for (size_t size = 0; size < used; size++)
        cr_assert_eq(acpi_build_files(&pc, buffer, size, &ignored),
                     ERR_NO_MEMORY, "%zu", size);
    cr_expect_eq(acpi_build_files(&pc, buffer, used, &ignored), OK);
    pc.sci = 0;
    cr_expect_eq(acpi_build_files(&pc, buffer, SIZE, &ignored),
                 ERR_INVALID_INPUT);
}
