/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCI host bridge of a PC, and bus 0 behind it: PCI Local Bus
 * Specification 3.0, section 3.2.2.3.2 (configuration mechanism #1), and the
 * identity of Intel's 82441FX, by which OVMF knows what machine it is on. None
 * of that chip's own registers (PAM, SMRAM, ...) are there.
 *
 *   0xcf8   CONFIG_ADDRESS, 4 bytes: bit 31 enable, 23:16 bus, 15:8 device
 *           and function, 7:2 register. A narrower access is none of it; a
 *           byte at 0xcf9 is the reset control register (pc/reset.c)
 *   0xcfc   CONFIG_DATA, 1, 2 or 4 bytes, at the register's byte
 *
 * A function that does not exist reads as ones, and so does what no BAR
 * decodes; writes go nowhere (a master abort, 3.2.2.3.4).
 *
 * Properties of the configuration node, besides those of all devices:
 *   reg    the memory window: the only addresses that BARs are decoded at,
 *          below 4 GiB
 *   intx   four cells: the interrupt controller's inputs that the lines A to
 *          D lead to. INTA# of device n is wired to line n mod 4. The lines
 *          are low while they are asserted
 * Its children are the functions: what a device model makes with a `slot`.
 *
 * THE WINDOW. A device's ranges cannot move on the VM's bus, but a BAR can. So
 * the whole window is a range of the bridge, which looks for the function that
 * decodes an address, lowest number first, at each access. The bridge's lock
 * is held only meanwhile: it is given up while the function works, under its
 * own lock, so that a disk at work keeps nobody from the console. The order is
 * function, then bridge; a write to a BAR takes both.
 */
#include <libfdt.h>

#include "device/parse.h"
#include "device/pc/acpi.h"
#include "device/pc/reset.h"
#include "device/pci/host.h"
#include "device/pci/pci.h"
#include "device/pci/virtio_pci.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "memory/arena.h"

enum { RANGE_WINDOW, RANGE_PORTS, RANGES };

#define PORTS_BASE     0xcf8
#define PORTS_SIZE     8
#define CONFIG_ADDRESS 0 /* offsets from PORTS_BASE */
#define RESET_CONTROL  1
#define CONFIG_DATA    4

#define ADDRESS_ENABLE   BIT(31)
#define ADDRESS_BUS      BIT_MASK(23, 16)
#define ADDRESS_FUNCTION BIT_MASK(15, 8)
#define ADDRESS_REGISTER BIT_MASK(7, 2)
#define ADDRESS_WRITABLE \
    (ADDRESS_ENABLE | ADDRESS_BUS | ADDRESS_FUNCTION | ADDRESS_REGISTER)

#define INTX_LINES 4
#define WINDOW_END (UINT64_C(1) << 32)

struct pci_bridge {
    struct device device; /* whose lock guards `address`, `reset`, and the
                             functions' `decoded` */
    uint32_t address;
    struct reset_control reset;
    struct pci_function *functions[PCI_FUNCTIONS]; /* by number */
    struct pci_function *first;
    struct pci_function self; /* function 0 of device 0 */

    /* The functions' irq_chip: input n + 1 is INTA# of function n, high while
     * it asserts it. A line is asserted while one that is wired to it is. */
    struct irq_chip intx;
    struct spinlock intx_lock;
    struct irq_chip *irq_chip;
    uint32_t inputs[INTX_LINES];
    unsigned asserted[INTX_LINES]; /* how many drive it */
    bool levels[PCI_FUNCTIONS];
};

static struct pci_bridge *to_bridge(struct device *device)
{
    return container_of(device, struct pci_bridge, device);
}

/* --- Interrupt lines --- */

static void drive_line(struct pci_bridge *bridge, unsigned line)
{
    if (bridge->irq_chip != NULL)
        bridge->irq_chip->set_level(bridge->irq_chip, bridge->inputs[line],
                                    bridge->asserted[line] == 0);
}

static void intx_set_level(struct irq_chip *chip, uint32_t irq, bool high)
{
    struct pci_bridge *bridge = container_of(chip, struct pci_bridge, intx);
    unsigned number = irq - 1;
    unsigned line = (number >> 3) % INTX_LINES;

    spin_lock(&bridge->intx_lock);
    if (bridge->levels[number] != high) {
        bridge->levels[number] = high;
        bridge->asserted[line] += high ? 1u : -1u;
        drive_line(bridge, line);
    }
    spin_unlock(&bridge->intx_lock);
}

/* PCI interrupts are levels. */
static void intx_pulse(struct irq_chip *chip, uint32_t irq)
{
    intx_set_level(chip, irq, true);
    intx_set_level(chip, irq, false);
}

/* --- Configuration space --- */

static struct pci_function *addressed(const struct pci_bridge *bridge)
{
    uint32_t address = bridge->address;

    if (!(address & ADDRESS_ENABLE) || FIELD_GET(ADDRESS_BUS, address) != 0)
        return NULL;
    return bridge->functions[FIELD_GET(ADDRESS_FUNCTION, address)];
}

static unsigned addressed_register(const struct pci_bridge *bridge,
                                   uint64_t offset)
{
    return (unsigned)((bridge->address & ADDRESS_REGISTER) +
                      (offset - CONFIG_DATA));
}

/* The bridge's lock is given up for the function's: see THE WINDOW. */
static void enter(struct pci_bridge *bridge, struct pci_function *function)
{
    spin_unlock(&bridge->device.lock);
    spin_lock(&function->device.lock);
}

static void leave(struct pci_bridge *bridge, struct pci_function *function)
{
    spin_unlock(&function->device.lock);
    spin_lock(&bridge->device.lock);
}

static uint64_t ones(unsigned width)
{
    return ~UINT64_C(0) >> (64 - 8 * width);
}

static uint64_t read_config(struct pci_bridge *bridge, uint64_t offset,
                            unsigned width)
{
    struct pci_function *function = addressed(bridge);
    unsigned where = addressed_register(bridge, offset);
    uint64_t value;

    if (function == NULL)
        return ones(width);
    enter(bridge, function);
    value = pci_function_read(function, where, width);
    leave(bridge, function);
    return value;
}

static err_t write_config(struct pci_bridge *bridge, uint64_t offset,
                          unsigned width, uint32_t value)
{
    struct pci_function *function = addressed(bridge);
    unsigned where = addressed_register(bridge, offset);
    err_t error;

    if (function == NULL)
        return OK;
    enter(bridge, function);
    error = pci_function_write(function, where, width, value);
    leave(bridge, function);
    return error;
}

static uint64_t read_ports(struct pci_bridge *bridge, uint64_t offset,
                           unsigned width)
{
    if (offset >= CONFIG_DATA)
        return read_config(bridge, offset, width);
    if (offset == CONFIG_ADDRESS && width == 4)
        return bridge->address;
    if (offset == RESET_CONTROL && width == 1)
        return reset_control_read(&bridge->reset);
    return ones(width);
}

static err_t write_ports(struct pci_bridge *bridge, uint64_t offset,
                         unsigned width, uint32_t value)
{
    if (offset >= CONFIG_DATA)
        return write_config(bridge, offset, width, value);
    if (offset == CONFIG_ADDRESS && width == 4)
        bridge->address = value & (uint32_t)ADDRESS_WRITABLE;
    else if (offset == RESET_CONTROL && width == 1)
        reset_control_write(&bridge->reset, (uint8_t)value);
    return OK;
}

/* --- The window --- */

/* The function, entered, that decodes `address`; or NULL. */
static struct pci_function *find_decoder(struct pci_bridge *bridge,
                                         uint64_t address, unsigned *bar,
                                         uint64_t *offset)
{
    struct pci_function *function = bridge->first;

    while (function != NULL &&
           !pci_function_decodes(function, address, bar, offset))
        function = function->next;
    if (function != NULL)
        enter(bridge, function);
    return function;
}

static err_t read_window(struct pci_bridge *bridge, uint64_t address,
                         unsigned width, uint64_t *value)
{
    unsigned bar;
    uint64_t offset;
    struct pci_function *function =
        find_decoder(bridge, address, &bar, &offset);
    err_t error;

    *value = ones(width);
    if (function == NULL)
        return OK;
    error = function->device.ops->read(&function->device, bar, offset, width,
                                       value);
    leave(bridge, function);
    return error;
}

static err_t write_window(struct pci_bridge *bridge, uint64_t address,
                          unsigned width, uint64_t value)
{
    unsigned bar;
    uint64_t offset;
    struct pci_function *function =
        find_decoder(bridge, address, &bar, &offset);
    err_t error;

    if (function == NULL)
        return OK;
    error = function->device.ops->write(&function->device, bar, offset, width,
                                        value);
    leave(bridge, function);
    return error;
}

/* The bus is 32 bits wide: 8 bytes are two accesses, the lower one first. */
static err_t bridge_read(struct device *device, unsigned range, uint64_t offset,
                         unsigned width, uint64_t *value)
{
    struct pci_bridge *bridge = to_bridge(device);
    uint64_t address = device->ranges[RANGE_WINDOW].base + offset;
    uint64_t high;
    err_t error;

    if (range == RANGE_PORTS) {
        *value = read_ports(bridge, offset, width);
        return OK;
    }
    if (width < 8)
        return read_window(bridge, address, width, value);
    error = read_window(bridge, address, 4, value);
    if (error == OK)
        error = read_window(bridge, address + 4, 4, &high);
    if (error == OK)
        *value |= high << 32;
    return error;
}

static err_t bridge_write(struct device *device, unsigned range,
                          uint64_t offset, unsigned width, uint64_t value)
{
    struct pci_bridge *bridge = to_bridge(device);
    uint64_t address = device->ranges[RANGE_WINDOW].base + offset;
    err_t error;

    if (range == RANGE_PORTS)
        return write_ports(bridge, offset, width, (uint32_t)value);
    if (width < 8)
        return write_window(bridge, address, width, value);
    error = write_window(bridge, address, 4, zero_extend(value, 32));
    return error != OK ? error
                       : write_window(bridge, address + 4, 4, value >> 32);
}

static void bridge_reset(struct device *device)
{
    struct pci_bridge *bridge = to_bridge(device);

    bridge->address = 0;
    reset_control_reset(&bridge->reset);
    for (struct pci_function *function = bridge->first; function != NULL;
         function = function->next) {
        enter(bridge, function);
        function->device.ops->reset(&function->device);
        leave(bridge, function);
    }
    spin_lock(&bridge->intx_lock);
    for (unsigned line = 0; line < INTX_LINES; line++)
        drive_line(bridge, line);
    spin_unlock(&bridge->intx_lock);
}

static const struct device_ops bridge_ops = {
    .read = bridge_read,
    .write = bridge_write,
    .reset = bridge_reset,
};

/* --- Function 0 of device 0: the bridge itself --- */

static const struct pci_ids bridge_ids = {
    .vendor = 0x8086,
    .device = 0x1237,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x060000,
    .revision = 2,
    .no_interrupt = true,
};

static void self_reset(struct device *device)
{
    pci_function_reset(container_of(device, struct pci_function, device));
}

/* It has no BAR to be accessed by. */
static const struct device_ops self_ops = {.reset = self_reset};

/* --- Making it --- */

/* 6.2.1: function 0 of a device tells that there are others. */
static void mark_multifunction(const struct pci_bridge *bridge, unsigned number)
{
    unsigned first = number & ~7u;

    for (unsigned i = first + 1; i < first + 8; i++) {
        if (bridge->functions[i] != NULL && bridge->functions[first] != NULL)
            bridge->functions[first]->reset[PCI_HEADER_TYPE] =
                PCI_MULTIFUNCTION;
    }
}

struct spinlock *pci_bridge_lock(struct pci_bridge *bridge)
{
    return &bridge->device.lock;
}

err_t pci_bridge_add(struct pci_bridge *bridge, struct pci_function *function,
                     unsigned number)
{
    struct pci_function **link = &bridge->first;

    if (bridge->functions[number] != NULL)
        return ERR_ALREADY_EXISTS;
    while (*link != NULL && (*link)->number < number)
        link = &(*link)->next;
    function->next = *link;
    *link = function;
    bridge->functions[number] = function;
    function->bridge = bridge;
    function->number = number;
    function->device.irq_chip = &bridge->intx;
    function->device.irq = number + 1;
    mark_multifunction(bridge, number);
    return OK;
}

/* Without the property, the lines lead nowhere. */
static err_t parse_intx(const struct device_context *context,
                        struct pci_bridge *bridge, const char **what)
{
    uint32_t count =
        context->irq_chip == NULL ? 0 : context->irq_chip->irq_count;
    int size;
    const fdt32_t *cells =
        fdt_getprop(context->fdt, context->node, "intx", &size);

    if (cells == NULL)
        return OK;
    *what = "intx";
    if (size != INTX_LINES * (int)sizeof(*cells))
        return ERR_INVALID_INPUT;
    for (unsigned i = 0; i < INTX_LINES; i++) {
        bridge->inputs[i] = fdt32_ld(&cells[i]);
        if (bridge->inputs[i] == 0 || bridge->inputs[i] >= count)
            return ERR_INVALID_INPUT;
    }
    bridge->irq_chip = context->irq_chip;
    return OK;
}

static err_t find_console(const struct device_context *context,
                          struct device_context *inner)
{
    if (context->open_console == NULL)
        return OK;
    inner->console = context->open_console(
        context->vm_object, fdt_get_name(inner->fdt, inner->node, NULL));
    return inner->console != NULL ? OK : ERR_NO_MEMORY;
}

static err_t make_functions(const struct device_context *context,
                            struct pci_bridge *bridge, const char **what)
{
    struct device_context inner = *context;
    struct device *device;

    inner.pci = bridge;
    inner.irq_chip = NULL;
    inner.create_virtio = virtio_pci_create;
    fdt_for_each_subnode(inner.node, context->fdt, context->node)
    {
        err_t error = find_console(context, &inner);

        if (error == OK)
            error = device_from_node(&inner, &device, what);
        if (error != OK)
            return error;
        /* Not one that is a device elsewhere. */
        if (device->irq_chip != &bridge->intx) {
            *what = "compatible";
            return ERR_INVALID_INPUT;
        }
    }
    return OK;
}

static err_t bridge_create(const struct device_context *context,
                           struct device **device, const char **what)
{
    struct pci_bridge *bridge;
    struct device_range *ranges;
    uint64_t base, size;
    err_t error = device_parse_reg(context, &base, &size, what);

    if (error != OK)
        return error;
    if (size > WINDOW_END || base > WINDOW_END - size)
        return ERR_INVALID_INPUT;
    bridge = arena_new(context->arena, struct pci_bridge);
    if (bridge == NULL)
        return ERR_NO_MEMORY;
    ranges = bridge->device.ranges;
    ranges[RANGE_WINDOW] =
        (struct device_range){base, size, BUS_MMIO, RANGE_WINDOW, WIDTH_ALL};
    ranges[RANGE_PORTS] =
        (struct device_range){PORTS_BASE, PORTS_SIZE, BUS_PORT, RANGE_PORTS,
                              WIDTH_1 | WIDTH_2 | WIDTH_4};
    bridge->device.range_count = RANGES;
    bridge->device.ops = &bridge_ops;
    bridge->intx =
        (struct irq_chip){intx_set_level, intx_pulse, PCI_FUNCTIONS + 1};
    reset_control_init(&bridge->reset, context);
    pci_function_init(&bridge->self, &bridge_ids, &self_ops);
    error = pci_bridge_add(bridge, &bridge->self, 0);
    CHECK(error == OK);
    error = parse_intx(context, bridge, what);
    if (error == OK)
        error = make_functions(context, bridge, what);
    *device = &bridge->device;
    return error;
}

static void bridge_describe_acpi(const struct device *device,
                                 struct acpi_machine *machine)
{
    const struct pci_bridge *bridge =
        container_of(device, const struct pci_bridge, device);
    const struct device_range *window = &device->ranges[RANGE_WINDOW];

    machine->pci.is_there = true;
    machine->pci.memory_base = (uint32_t)window->base;
    machine->pci.memory_size = (uint32_t)window->size;
    for (unsigned i = 0; i < ACPI_PCI_GSIS; i++)
        machine->pci.gsi[i] = bridge->inputs[i];
}

static const struct device_model bridge_model = {
    .compatible = "intel,82441fx",
    .create = bridge_create,
    .describe_acpi = bridge_describe_acpi,
};
DEVICE_MODEL(bridge_model);
