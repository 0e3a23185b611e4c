/* SPDX-License-Identifier: Apache-2.0 */
/* The host bridge, configuration space, and the window. */
#include <libfdt.h>
#include <string.h>

#include "machine.h"
#include "support/rows.h"

#define ISR_OF(bar)    ((bar) + 0x1000)
#define STATUS_OF(bar) ((bar) + COMMON(STATUS))

/* Mechanism #1: what CONFIG_ADDRESS takes, and what CONFIG_DATA gives. */
Test(pci_host, mechanism_1)
{
    static const struct {
        const char *what;
        uint32_t address;
        unsigned offset, width;
        uint32_t value;
    } rows[] = {
        {"vendor and device", 0x80000000, 0, 4, 0x12378086},
        {"low word", 0x80000000, 0, 2, 0x8086},
        {"high word", 0x80000000, 2, 2, 0x1237},
        {"first byte", 0x80000000, 0, 1, 0x86},
        {"last byte", 0x80000000, 3, 1, 0x12},
        {"register's low bits are not there", 0x80000003, 0, 4, 0x12378086},
        {"reserved bits are not there", 0xff000000, 0, 4, 0x12378086},
        {"disabled", 0x00000000, 0, 4, UINT32_MAX},
        {"disabled, byte", 0x00000000, 1, 1, 0xff},
        {"bus 1", 0x80010000, 0, 4, UINT32_MAX},
        {"no such device", 0x80001800, 0, 4, UINT32_MAX},
        {"no such device, word", 0x80001800, 2, 2, 0xffff},
        {"no such function", 0x80000100, 0, 4, UINT32_MAX},
        {"device 31", 0x8000f800, 0, 4, UINT32_MAX},
        {"function 3", 0x80000b00, 0, 4, 0x71138086},
        {"class", 0x80000008, 0, 4, 0x06000002},
        {"the last register", 0x800000fc, 0, 4, 0},
    };
    struct machine machine;

    machine_make(&machine, true);
    for_each_row (i, rows) {
        out(&machine, CONFIG_ADDRESS, 4, rows[i].address);
        cr_expect_eq(in(&machine, CONFIG_DATA + rows[i].offset, rows[i].width),
                     rows[i].value, "%s", rows[i].what);
        /* A write to what does not exist is no error. */
        out(&machine, CONFIG_DATA + rows[i].offset, rows[i].width, 0);
    }
    machine_free(&machine);
}

/* An access to CONFIG_ADDRESS of less than 4 bytes is not one to it. */
Test(pci_host, config_address_is_a_dword)
{
    static const struct {
        unsigned offset, width;
        uint32_t reads;
    } rows[] = {
        {0, 1, 0xff}, {1, 1, 0x00},   {2, 1, 0xff},
        {3, 1, 0xff}, {0, 2, 0xffff}, {2, 2, 0xffff},
    };
    struct machine machine;

    machine_make(&machine, true);
    out(&machine, CONFIG_ADDRESS, 4, 0xffffffff);
    cr_expect_eq(in(&machine, CONFIG_ADDRESS, 4), 0x80fffffc);
    out(&machine, CONFIG_ADDRESS, 4, 0x80000804);
    for_each_row (i, rows) {
        uint64_t port = CONFIG_ADDRESS + rows[i].offset;

        cr_expect_eq(in(&machine, port, rows[i].width), rows[i].reads,
                     "row %zu", i);
        out(&machine, port, rows[i].width, 0);
        cr_expect_eq(in(&machine, CONFIG_ADDRESS, 4), 0x80000804, "row %zu", i);
    }
    cr_expect_eq(machine.reboots, 0);
    machine_free(&machine);
}

/* The headers, as they are after power-on. */
Test(pci_host, headers)
{
    static const struct {
        unsigned number, reg, width;
        uint32_t value;
    } rows[] = {
        {BRIDGE, PCI_VENDOR_ID, 4, 0x12378086},
        {BRIDGE, PCI_COMMAND, 4, 0},
        {BRIDGE, PCI_HEADER_TYPE, 1, 0},
        {BRIDGE, PCI_INTERRUPT_PIN, 1, 0},
        {BRIDGE, PCI_CAPABILITY_LIST, 1, 0},
        {DISK, PCI_VENDOR_ID, 4, 0x10421af4},
        {DISK, PCI_COMMAND, 2, 0},
        {DISK, PCI_STATUS, 2, PCI_STATUS_CAP_LIST},
        {DISK, PCI_CLASS_REVISION, 4, 0x01000001},
        {DISK, PCI_HEADER_TYPE, 1, 0x80}, /* there is a function 3 */
        {DISK, PCI_BASE_ADDRESS_0, 4, 0},
        {DISK, PCI_BASE_ADDRESS_1, 4, 0},
        {DISK, PCI_SUBSYSTEM_VENDOR_ID, 4, 0x11001af4},
        {DISK, PCI_INTERRUPT_PIN, 1, 1},
        {PM, PCI_VENDOR_ID, 4, 0x71138086},
        {PM, PCI_HEADER_TYPE, 1, 0},
        {PM, 0x40, 4, 0xb001},
        {PM, 0x80, 1, 1},
        {ISA, PCI_VENDOR_ID, 4, 0x71108086},
        {ISA, PCI_CLASS_REVISION, 4, 0x06010002},
        {ISA, PCI_INTERRUPT_PIN, 1, 0},
        {ISA, PCI_COMMAND, 2,
         PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER},
        {ISA, 0x60, 4, 0x80808080}, /* no line leads to an 8259 */
        {CONSOLE, PCI_VENDOR_ID, 4, 0x10431af4},
        {CONSOLE, PCI_CLASS_REVISION, 4, 0x07800001},
        {CONSOLE, PCI_HEADER_TYPE, 1, 0},
        {RNG, PCI_VENDOR_ID, 4, 0x10441af4},
        {RNG, PCI_CLASS_REVISION, 4, 0xff000001},
    };
    struct machine machine;

    machine_make(&machine, true);
    for (int again = 0; again < 2; again++) {
        for_each_row (i, rows)
            cr_expect_eq(
                pci_get(&machine, rows[i].number, rows[i].reg, rows[i].width),
                rows[i].value, "row %zu", i);
        /* After a reset, whatever was written. */
        for (unsigned number = 0; number < 256; number++) {
            for (unsigned reg = 0; reg < 256; reg += 4)
                pci_put(&machine, number, reg, 4, UINT32_MAX);
        }
        device_set_reset(&machine.guest.devices);
    }
    machine_free(&machine);
}

/* Which bits of a header software can change. */
Test(pci_host, writable_bits)
{
    static const struct {
        unsigned reg;
        uint32_t writable;
    } rows[] = {
        {PCI_VENDOR_ID, 0},
        {PCI_COMMAND,
         PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE},
        {PCI_CLASS_REVISION, 0},
        {PCI_CACHE_LINE_SIZE, 0},
        {PCI_BASE_ADDRESS_0, 0xffffc000},
        {PCI_BASE_ADDRESS_1, 0xfffff000},
        {PCI_BASE_ADDRESS_2, 0},
        {PCI_BASE_ADDRESS_3, 0},
        {PCI_BASE_ADDRESS_4, 0},
        {PCI_BASE_ADDRESS_5, 0},
        {PCI_CARDBUS_CIS, 0},
        {PCI_SUBSYSTEM_VENDOR_ID, 0},
        {PCI_ROM_ADDRESS, 0},
        {PCI_CAPABILITY_LIST, 0},
        {0x38, 0},
        {PCI_INTERRUPT_LINE, 0xff},
        {0x40, 0}, /* the first capability */
        {0xfc, 0},
    };
    struct machine machine;

    machine_make(&machine, true);
    for_each_row (i, rows) {
        uint32_t old = pci_get(&machine, DISK, rows[i].reg, 4);

        for (int ones = 0; ones < 2; ones++) {
            uint32_t all = ones ? UINT32_MAX : 0;

            pci_put(&machine, DISK, rows[i].reg, 4, all);
            cr_expect_eq(pci_get(&machine, DISK, rows[i].reg, 4),
                         (old & ~rows[i].writable) | (all & rows[i].writable),
                         "register 0x%x", rows[i].reg);
        }
    }
    /* Firmware finds ports behind the ISA bridge, and routes lines there. */
    pci_put(&machine, ISA, PCI_COMMAND, 2, 0);
    cr_expect_neq(pci_get(&machine, ISA, PCI_COMMAND, 2) & PCI_COMMAND_IO, 0);
    pci_put(&machine, ISA, 0x60, 4, UINT32_MAX);
    cr_expect_eq(pci_get(&machine, ISA, 0x60, 4), 0x8f8f8f8f);
    /* Bytes and words reach their own bits alone. */
    pci_put(&machine, DISK, PCI_BASE_ADDRESS_0, 4, 0);
    pci_put(&machine, DISK, PCI_BASE_ADDRESS_0 + 3, 1, 0xe1);
    pci_put(&machine, DISK, PCI_BASE_ADDRESS_0, 2, 0xffff);
    cr_expect_eq(pci_get(&machine, DISK, PCI_BASE_ADDRESS_0, 4), 0xe100c000);
    machine_free(&machine);
}

/* Port 0xcf9. */
Test(pci_host, reset_control)
{
    static const struct {
        const char *what;
        uint8_t writes[3];
        uint8_t reads;
        unsigned reboots;
    } rows[] = {
        {"nothing", {0, 0, 0}, 0, 0},
        {"hard without reset", {2, 2, 2}, 2, 0},
        {"Linux' order", {2, 6, 6}, 6, 1},
        {"of the CPU", {4, 4, 4}, 4, 1},
        {"what OVMF writes", {0x0e, 0x0e, 0x0e}, 6, 1},
        {"a second edge", {6, 2, 6}, 6, 2},
        {"other bits", {0xf9, 0xf9, 0xf9}, 0, 0},
    };

    for_each_row (i, rows) {
        struct machine machine;

        machine_make(&machine, true);
        for (unsigned j = 0; j < 3; j++)
            out(&machine, 0xcf9, 1, rows[i].writes[j]);
        cr_expect_eq(machine.reboots, rows[i].reboots, "%s", rows[i].what);
        cr_expect_eq(in(&machine, 0xcf9, 1), rows[i].reads, "%s", rows[i].what);
        device_set_reset(&machine.guest.devices);
        cr_expect_eq(in(&machine, 0xcf9, 1), 0, "%s", rows[i].what);
        cr_expect_eq(machine.downs, 0);
        machine_free(&machine);
    }
}

/* Where a BAR is decoded, and where it is not. The status register tells one
 * disk from nothing. */
Test(pci_host, bars_move)
{
    static const struct {
        const char *what;
        uint32_t bar;
        uint16_t command;
        uint64_t at;
        bool decoded;
    } rows[] = {
        {"start of the window", 0xe0000000, 2, 0xe0000000, true},
        {"its end", 0xe0ffc000, 2, 0xe0ffc000, true},
        {"memory is off", 0xe0000000, 4, 0xe0000000, false},
        {"somewhere else", 0xe0008000, 2, 0xe0000000, false},
        {"below", 0xe0004000, 2, 0xe0000000, false},
        {"outside, below", 0xdfffc000, 2, 0xe0000000, false},
        {"outside, above", 0xe1000000, 2, 0xe0ffc000, false},
        {"all ones", 0xffffffff, 2, 0xe0ffc000, false},
    };
    struct machine machine;

    machine_make(&machine, true);
    for_each_row (i, rows) {
        pci_put(&machine, DISK, PCI_BASE_ADDRESS_0, 4, rows[i].bar);
        pci_put(&machine, DISK, PCI_BASE_ADDRESS_1, 4, 0);
        pci_put(&machine, DISK, PCI_COMMAND, 2, rows[i].command);
        store(&machine, STATUS_OF(rows[i].at), 1, 0);
        store(&machine, STATUS_OF(rows[i].at), 1, ACKNOWLEDGE);
        cr_expect_eq(load(&machine, STATUS_OF(rows[i].at), 1),
                     rows[i].decoded ? ACKNOWLEDGE : 0xff, "%s", rows[i].what);
        cr_expect_eq(load(&machine, rows[i].at, 4),
                     rows[i].decoded ? 0 : UINT32_MAX, "%s", rows[i].what);
        cr_expect_eq(load(&machine, rows[i].at, 8),
                     rows[i].decoded ? UINT64_C(0x30006e46) << 32 : UINT64_MAX,
                     "%s", rows[i].what);
    }
    machine_free(&machine);
}

/* Of two functions at one place, the lower number answers; the other does
 * when that one goes. */
Test(pci_host, bars_overlap)
{
    static const unsigned functions[] = {RNG, DISK, CONSOLE};
    static const struct {
        unsigned off; /* the function whose memory is switched off next */
        unsigned queues;
    } rows[] = {{BRIDGE, 1}, {DISK, 2}, {CONSOLE, 1}, {RNG, 0xffff}};
    struct machine machine;

    machine_make(&machine, true);
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        pci_put(&machine, functions[i], PCI_BASE_ADDRESS_0, 4, WINDOW);
        pci_put(&machine, functions[i], PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    }
    for_each_row (i, rows) {
        pci_put(&machine, rows[i].off, PCI_COMMAND, 2, 0);
        cr_expect_eq(load(&machine, WINDOW + COMMON(NUMQ), 2), rows[i].queues,
                     "row %zu", i);
    }
    machine_free(&machine);
}

/* 8 bytes are two accesses of 4. */
Test(pci_host, eight_bytes)
{
    struct machine machine;
    struct found found;

    machine_make(&machine, true);
    found = probe(&machine, VIRTIO_ID_BLOCK);
    store(&machine, found.table, 8, 0x123456789abcdef3);
    cr_expect_eq(load(&machine, found.table, 4), 0x9abcdef0);
    cr_expect_eq(load(&machine, found.table + 4, 4), 0x12345678);
    cr_expect_eq(load(&machine, found.table, 8), 0x123456789abcdef0);
    machine_free(&machine);
}

/* Configurations that are refused, and what is wrong with them. */
struct bad_child {
    const char *compatible;
    uint32_t slot, function;
};

static void write_bad(void *tree, int size, uint64_t base, uint64_t length,
                      unsigned intx_cells, uint32_t intx,
                      const struct bad_child *children)
{
    const fdt64_t reg[] = {cpu_to_fdt64(base), cpu_to_fdt64(length)};
    fdt32_t cells[5];
    int error = fdt_create(tree, size);

    for (uint32_t i = 0; i < ARRAY_SIZE(cells); i++)
        cells[i] = cpu_to_fdt32(intx);
    error |= fdt_finish_reservemap(tree);
    error |= fdt_begin_node(tree, "");
    error |= fdt_begin_node(tree, "pci");
    error |= fdt_property_string(tree, "compatible", "intel,82441fx");
    error |= fdt_property(tree, "reg", reg, sizeof(reg));
    if (intx_cells != 0)
        error |= fdt_property(tree, "intx", cells, (int)intx_cells * 4);
    for (unsigned i = 0; i < 2 && children[i].compatible != NULL; i++) {
        error |= fdt_begin_node(tree, i == 0 ? "one" : "two");
        error |= fdt_property(tree, "compatible", children[i].compatible,
                              (int)strlen(children[i].compatible) + 1);
        if (children[i].slot != 0)
            error |= fdt_property_u32(tree, "slot", children[i].slot);
        error |= fdt_property_u32(tree, "function", children[i].function);
        error |= fdt_end_node(tree);
    }
    error |= fdt_end_node(tree);
    error |= fdt_end_node(tree);
    error |= fdt_finish(tree);
    cr_assert_eq(error, 0);
}

Test(pci_host, configurations)
{
    static const struct {
        uint64_t base, size;
        unsigned intx_cells;
        uint32_t intx;
        struct bad_child children[2];
        err_t error;
        const char *what;
    } rows[] = {
        {0xe0000000, 0x1000, 0, 0, {{0}}, OK, ""},
        {0xe0000000, 0x1000, 4, 16, {{0}}, OK, ""},
        {0xfffff000, 0x1000, 0, 0, {{0}}, OK, ""},
        {0xfffff000, 0x2000, 0, 0, {{0}}, ERR_INVALID_INPUT, "reg"},
        {0x100000000, 0x1000, 0, 0, {{0}}, ERR_INVALID_INPUT, "reg"},
        {0xe0000000, 0, 0, 0, {{0}}, ERR_INVALID_INPUT, "reg"},
        {0xe0000000, 0x1000, 3, 16, {{0}}, ERR_INVALID_INPUT, "intx"},
        {0xe0000000, 0x1000, 5, 16, {{0}}, ERR_INVALID_INPUT, "intx"},
        {0xe0000000, 0x1000, 4, 0, {{0}}, ERR_INVALID_INPUT, "intx"},
        {0xe0000000, 0x1000, 4, 24, {{0}}, ERR_INVALID_INPUT, "intx"},
        {0xe0000000, 0x1000, 0, 0, {{"virtio,rng", 1, 0}}, OK, ""},
        {0xe0000000, 0x1000, 0, 0, {{"virtio,rng", 31, 7}}, OK, ""},
        {0xe0000000,
         0x1000,
         0,
         0,
         {{"virtio,rng", 1, 0}, {"virtio,rng", 1, 1}},
         OK,
         ""},
        {0xe0000000,
         0x1000,
         0,
         0,
         {{"virtio,rng", 1, 0}, {"virtio,rng", 1, 0}},
         ERR_ALREADY_EXISTS,
         "slot"},
        {0xe0000000,
         0x1000,
         0,
         0,
         {{"virtio,rng", 0, 0}},
         ERR_NOT_FOUND,
         "slot"},
        {0xe0000000,
         0x1000,
         0,
         0,
         {{"virtio,rng", 32, 0}},
         ERR_INVALID_INPUT,
         "slot"},
        {0xe0000000,
         0x1000,
         0,
         0,
         {{"virtio,rng", 1, 8}},
         ERR_INVALID_INPUT,
         "function"},
        {0xe0000000,
         0x1000,
         0,
         0,
         {{"no such", 1, 0}},
         ERR_NOT_FOUND,
         "compatible"},
        {0xe0000000,
         0x1000,
         0,
         0,
         {{"intel,i8042", 1, 0}},
         ERR_INVALID_INPUT,
         "compatible"},
    };

    for_each_row (i, rows) {
        struct machine machine;
        const char *what;

        machine_make_bare(&machine);
        write_bad(machine.tree, sizeof(machine.tree), rows[i].base,
                  rows[i].size, rows[i].intx_cells, rows[i].intx,
                  rows[i].children);
        cr_expect_eq(machine_try(&machine, &what), rows[i].error, "row %zu: %s",
                     i, what);
        if (rows[i].error != OK)
            cr_expect_str_eq(what, rows[i].what, "row %zu", i);
        machine_free(&machine);
    }
}

/* A function outside of a bus is none. */
Test(pci_host, function_without_a_bus)
{
    struct machine machine;
    const char *what;

    machine_make_bare(&machine);
    cr_assert_eq(fdt_create(machine.tree, sizeof(machine.tree)), 0);
    cr_assert_eq(
        fdt_finish_reservemap(machine.tree) | fdt_begin_node(machine.tree, "") |
            fdt_begin_node(machine.tree, "pm") |
            fdt_property_string(machine.tree, "compatible", "intel,piix4-pm") |
            fdt_end_node(machine.tree) | fdt_end_node(machine.tree) |
            fdt_finish(machine.tree),
        0);
    cr_expect_eq(machine_try(&machine, &what), ERR_INVALID_INPUT);
    cr_expect_str_eq(what, "compatible");
    machine_free(&machine);
}
