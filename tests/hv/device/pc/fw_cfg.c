/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's firmware at fw_cfg: docs/specs/fw_cfg of QEMU, and linux/
 * qemu_fw_cfg.h for the constants. */
#include "device/pc/fw_cfg.h"

#include <linux/qemu_fw_cfg.h>
#include <string.h>

#include "ports.h"
#include "support/rows.h"

#define SELECT   0x510
#define DATA     0x511
#define DMA_HIGH 0x514
#define DMA_LOW  0x518

#define COMMAND (PORTS_RAM + 0x100)
#define BUFFER  (PORTS_RAM + 0x1000)
#define FILES   4
#define BIG     0x100000

static const char text[] = "ACPI tables";
static uint8_t big[BIG];

static void add_child(struct ports *ports, const char *node, const char *name,
                      const char *cell, uint32_t value, const void *data,
                      int size)
{
    void *tree = ports->tree;
    int error = fdt_begin_node(tree, node);

    if (name != NULL)
        error |= fdt_property(tree, "file-name", name, (int)strlen(name) + 1);
    if (cell != NULL)
        error |= fdt_property_u32(tree, cell, value);
    if (data != NULL)
        error |= fdt_property(tree, "data", data, size);
    error |= fdt_end_node(tree);
    cr_assert_eq(error, 0);
}

static void make(struct ports *ports)
{
    static const struct device_ram ram[] = {{0, 0x80000000},
                                            {0x100000000, 0x40000000}};
    const char *what;
    err_t error;

    ports_begin(ports, "qemu,fw-cfg");
    ports->context.ram = ram;
    ports->context.ram_count = ARRAY_SIZE(ram);
    add_child(ports, "one", "etc/acpi/tables", NULL, 0, text, sizeof(text));
    add_child(ports, "two", "opt/empty", NULL, 0, "", 0);
    add_child(ports, "three", NULL, "key", 0x8001, text, 4);
    error = ports_try(ports, &what);
    cr_assert_eq(error, OK, "%s: %s", what, error_text(error));
    for (unsigned i = 0; i < BIG; i++)
        big[i] = (uint8_t)(i >> 8 ^ i);
    cr_assert_eq(fw_cfg_add_file(ports->device, "opt/big", big, BIG), OK);
}

static void read_item(struct ports *ports, uint16_t key, void *to, size_t size)
{
    uint8_t *bytes = to;

    ports_out(ports, SELECT, 2, key);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)ports_in(ports, DATA, 1);
}

/* The items that have numbers; behind their end there are zeros. */
Test(pc_fw_cfg, items)
{
    static const struct {
        uint16_t key;
        uint8_t bytes[10];
    } rows[] = {
        {FW_CFG_SIGNATURE, "QEMU"},
        {FW_CFG_ID, {3}},
        {FW_CFG_RAM_SIZE, {0, 0, 0, 0xc0}},
        {FW_CFG_NB_CPUS, {3}},
        {FW_CFG_MAX_CPUS, {3}},
        {0x8001, "ACPI"},
        {FW_CFG_KERNEL_SIZE, {0}},
        {0x7fff, {0}},
        {0xffff, {0}},
    };
    struct ports ports;

    make(&ports);
    for_each_row (i, rows) {
        uint8_t bytes[10];

        read_item(&ports, rows[i].key, bytes, sizeof(bytes));
        cr_expect_arr_eq(bytes, rows[i].bytes, sizeof(bytes), "key 0x%x",
                         rows[i].key);
        /* It is read-only. */
        ports_out(&ports, SELECT, 2, rows[i].key);
        ports_out(&ports, DATA, 1, 0x55);
        cr_expect_eq(ports_in(&ports, DATA, 1), rows[i].bytes[0]);
        cr_expect_eq(ports_in(&ports, SELECT, 2), 0);
    }
    cr_expect_eq(ports_in(&ports, DMA_HIGH, 4), 0x554d4551);
    cr_expect_eq(ports_in(&ports, DMA_LOW, 4), 0x47464320);
    ports_free(&ports);
}

static struct fw_cfg_file find(struct ports *ports, const char *name)
{
    struct {
        fdt32_t count;
        struct fw_cfg_file files[FILES];
    } directory;

    read_item(ports, FW_CFG_FILE_DIR, &directory, sizeof(directory));
    cr_assert_eq(fdt32_to_cpu(directory.count), FILES);
    for (unsigned i = 0; i < FILES; i++) {
        struct fw_cfg_file *file = &directory.files[i];

        file->size = fdt32_to_cpu(file->size);
        file->select = (uint16_t)(file->select << 8 | file->select >> 8);
        if (strcmp(file->name, name) == 0)
            return *file;
    }
    cr_assert(false, "no %s", name);
    return directory.files[0];
}

Test(pc_fw_cfg, files)
{
    static const uint8_t e820[40] = {
        [7] = 0, [11] = 0x80, [16] = 1, [24] = 1, [31] = 0x40, [36] = 1};
    static const struct {
        const char *name;
        uint32_t size;
        const void *bytes;
    } rows[] = {
        {"etc/acpi/tables", sizeof(text), text},
        {"opt/empty", 0, ""},
        {"etc/e820", sizeof(e820), e820},
        {"opt/big", BIG, big},
    };
    struct ports ports;

    make(&ports);
    for_each_row (i, rows) {
        struct fw_cfg_file file = find(&ports, rows[i].name);
        uint8_t bytes[64];
        size_t size = file.size < sizeof(bytes) ? file.size : sizeof(bytes);

        cr_expect_eq(file.size, rows[i].size, "%s", rows[i].name);
        cr_expect_geq(file.select, FW_CFG_FILE_FIRST);
        read_item(&ports, file.select, bytes, size);
        cr_expect(memcmp(bytes, rows[i].bytes, size) == 0, "%s", rows[i].name);
    }
    ports_free(&ports);
}

/* Starts a command; its control field afterwards. */
static uint32_t dma(struct ports *ports, uint64_t at, uint32_t control,
                    uint32_t length, uint64_t address)
{
    struct fw_cfg_dma_access access = {
        cpu_to_fdt32(control), cpu_to_fdt32(length), cpu_to_fdt64(address)};

    if (at - PORTS_RAM < PORTS_RAM_SIZE)
        cr_assert_eq(
            aspace_write(&ports->memory, gpa(at), &access, sizeof(access)), OK);
    ports_out(ports, DMA_HIGH, 4, cpu_to_fdt32((uint32_t)(at >> 32)));
    ports_out(ports, DMA_LOW, 4, cpu_to_fdt32((uint32_t)at));
    if (at - PORTS_RAM < PORTS_RAM_SIZE)
        cr_assert_eq(aspace_read(&ports->memory, gpa(at), &access.control, 4),
                     OK);
    return fdt32_to_cpu(access.control);
}

/* What DMA answers, and how far the item has been read then. */
Test(pc_fw_cfg, dma_commands)
{
    static const struct {
        const char *what;
        uint32_t control, length;
        uint64_t address;
        uint32_t answer;
        char next; /* byte of the ACPI tables' item */
    } rows[] = {
        {"nothing", 0, 5, BUFFER, 0, 'A'},
        {"read", FW_CFG_DMA_CTL_READ, 5, BUFFER, 0, 't'},
        {"skip", FW_CFG_DMA_CTL_SKIP, 1, BUFFER, 0, 'C'},
        {"skip, no address", FW_CFG_DMA_CTL_SKIP, 2, 0, 0, 'P'},
        {"skip too much", FW_CFG_DMA_CTL_SKIP, UINT32_MAX, 0, 0, 0},
        {"write", FW_CFG_DMA_CTL_WRITE, 1, BUFFER, FW_CFG_DMA_CTL_ERROR, 'A'},
        {"select another", 0x80010000 | FW_CFG_DMA_CTL_SELECT, 0, 0, 0, 'A'},
        {"select none",
         0x7fff0000 | FW_CFG_DMA_CTL_SELECT | FW_CFG_DMA_CTL_READ, 4, BUFFER, 0,
         0},
        {"read nothing", FW_CFG_DMA_CTL_READ, 0, 0, 0, 'A'},
        {"into a hole", FW_CFG_DMA_CTL_READ, 1, 0x1000, FW_CFG_DMA_CTL_ERROR,
         'C'},
        {"wraps", FW_CFG_DMA_CTL_READ, 2, UINT64_MAX, FW_CFG_DMA_CTL_ERROR,
         'P'},
        {"far too much", FW_CFG_DMA_CTL_READ, UINT32_MAX, BUFFER,
         FW_CFG_DMA_CTL_ERROR, 0},
    };

    for_each_row (i, rows) {
        struct ports ports;

        make(&ports);
        ports_out(&ports, SELECT, 2, find(&ports, "etc/acpi/tables").select);
        cr_expect_eq(dma(&ports, COMMAND, rows[i].control, rows[i].length,
                         rows[i].address),
                     rows[i].answer, "%s", rows[i].what);
        cr_expect_eq((char)ports_in(&ports, DATA, 1), rows[i].next, "%s",
                     rows[i].what);
        ports_free(&ports);
    }
}

/* A large file comes in slices, whole, with zeros behind its end; a command
 * that the guest changes meanwhile stays what it was. */
Test(pc_fw_cfg, dma_in_slices)
{
    static uint8_t bytes[BIG + 4];
    struct bus *bus;
    struct ports ports;
    uint16_t key;
    struct fw_cfg_dma_access access;
    unsigned slices = 1;

    make(&ports);
    bus = &ports.set.buses[BUS_PORT];
    key = find(&ports, "opt/big").select;
    memset(bytes, 0xee, sizeof(bytes));
    cr_assert_eq(aspace_write(&ports.memory, gpa(BUFFER), bytes, sizeof(bytes)),
                 OK);
    access = (struct fw_cfg_dma_access){
        cpu_to_fdt32((uint32_t)key << 16 | FW_CFG_DMA_CTL_SELECT |
                     FW_CFG_DMA_CTL_READ),
        cpu_to_fdt32(sizeof(bytes)), cpu_to_fdt64(BUFFER)};
    cr_assert_eq(
        aspace_write(&ports.memory, gpa(COMMAND), &access, sizeof(access)), OK);
    ports_out(&ports, DMA_HIGH, 4, 0);
    while (bus_write(bus, DMA_LOW, 4, cpu_to_fdt32(COMMAND)) == ERR_BUSY) {
        slices++;
        memset(&access, 0xff, sizeof(access));
        cr_assert_eq(
            aspace_write(&ports.memory, gpa(COMMAND), &access, sizeof(access)),
            OK);
    }
    cr_expect_geq(slices, 4);
    cr_assert_eq(aspace_read(&ports.memory, gpa(COMMAND), &access, 4), OK);
    cr_expect_eq(access.control, 0);
    cr_assert_eq(aspace_read(&ports.memory, gpa(BUFFER), bytes, sizeof(bytes)),
                 OK);
    cr_expect(memcmp(bytes, big, BIG) == 0);
    cr_expect(memcmp(bytes + BIG, "\0\0\0", 4) == 0);
    ports_free(&ports);
}

/* A command that is not in memory is none. */
Test(pc_fw_cfg, dma_from_nowhere)
{
    struct ports ports;
    uint8_t byte;

    make(&ports);
    (void)dma(&ports, 0x1000, 0, 0, 0);
    (void)dma(&ports, 0xfffffffc, 0, 0, 0);
    read_item(&ports, FW_CFG_SIGNATURE, &byte, 1);
    cr_expect_eq(byte, 'Q');
    ports_free(&ports);
}

/* Configurations that are refused. */
Test(pc_fw_cfg, configurations)
{
    static const struct {
        const char *name, *cell;
        uint32_t value;
        const void *data;
        err_t error;
        const char *what;
    } rows[] = {
        {"opt/a", NULL, 0, "x", OK, ""},
        {NULL, "key", 0x1f, "x", OK, ""},
        {NULL, "key", 0x8000, "x", OK, ""},
        {NULL, "key", 0x20, "x", ERR_INVALID_INPUT, "key"},
        {NULL, "key", 0xffff, "x", ERR_INVALID_INPUT, "key"},
        {NULL, "key", 0, "x", ERR_ALREADY_EXISTS, "key"},
        {"opt/a", "key", 0x8000, "x", ERR_INVALID_INPUT, "file-name"},
        {NULL, NULL, 0, "x", ERR_INVALID_INPUT, "file-name"},
        {"", NULL, 0, "x", ERR_INVALID_INPUT, "file-name"},
        {"opt/a", NULL, 0, NULL, ERR_INVALID_INPUT, "data"},
        {"a name of fifty-six characters is one too many for a file", NULL, 0,
         "x", ERR_INVALID_INPUT, "file-name"},
    };

    for_each_row (i, rows) {
        struct ports ports;
        const char *what;

        ports_begin(&ports, "qemu,fw-cfg");
        add_child(&ports, "item", rows[i].name, rows[i].cell, rows[i].value,
                  rows[i].data, 1);
        cr_expect_eq(ports_try(&ports, &what), rows[i].error, "row %zu: %s", i,
                     what);
        if (rows[i].error != OK)
            cr_expect_str_eq(what, rows[i].what, "row %zu", i);
        ports_free(&ports);
    }
}

Test(pc_fw_cfg, files_of_others)
{
    static const struct {
        const char *name;
        err_t error;
    } rows[] = {
        {"etc/acpi/rsdp", OK},
        {"etc/acpi/rsdp", ERR_ALREADY_EXISTS},
        {"etc/e820", ERR_ALREADY_EXISTS},
        {"", ERR_INVALID_INPUT},
    };
    struct ports ports;
    char name[] = "opt/00";
    unsigned added = 0;

    make(&ports);
    for_each_row (i, rows)
        cr_expect_eq(fw_cfg_add_file(ports.device, rows[i].name, "x", 1),
                     rows[i].error, "row %zu", i);
    for (; added < 100; added++) {
        name[4] = (char)('0' + added / 10);
        name[5] = (char)('0' + added % 10);
        if (fw_cfg_add_file(ports.device, name, "x", 1) != OK)
            break;
    }
    cr_expect_eq(added, 32 - FILES - 1);
    ports_free(&ports);
}
