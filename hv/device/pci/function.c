/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration space of a function: PCI Local Bus Specification 3.0,
 * chapter 6. It is 256 bytes, and a mask of what software may change of them;
 * few registers do more than hold what is written. See pci.h.
 */
#include "device/pci/host.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "lib/string.h"

#define BAR(i) (PCI_BAR0 + 4 * (i))
#define COMMAND_WRITABLE \
    (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF)
#define PIN_INTA 1

uint32_t pci_config_get(const uint8_t *bytes, unsigned offset, unsigned width)
{
    uint32_t value = 0;

    memcpy(&value, bytes + offset, width);
    return value;
}

void pci_config_set(uint8_t *bytes, unsigned offset, unsigned width,
                    uint32_t value)
{
    memcpy(bytes + offset, &value, width);
}

/* A register's value after power-on, and which of its bits can change. */
static void define(struct pci_function *function, unsigned offset,
                   unsigned width, uint32_t value, uint32_t writable)
{
    pci_config_set(function->reset, offset, width, value);
    pci_config_set(function->writable, offset, width, writable);
}

void pci_function_init(struct pci_function *function, const struct pci_ids *ids,
                       const struct device_ops *ops)
{
    function->device.ops = ops;
    function->end = PCI_HEADER_SIZE;
    define(function, PCI_VENDOR_ID, 2, ids->vendor, 0);
    define(function, PCI_DEVICE_ID, 2, ids->device, 0);
    define(function, PCI_REVISION_ID, 1, ids->revision, 0);
    define(function, PCI_CLASS_CODE, 2, ids->class_code & 0xffff, 0);
    define(function, PCI_CLASS_CODE + 2, 1, ids->class_code >> 16, 0);
    define(function, PCI_SUBSYSTEM_VENDOR_ID, 2, ids->subsystem_vendor, 0);
    define(function, PCI_SUBSYSTEM_ID, 2, ids->subsystem, 0);
    define(function, PCI_COMMAND, 2, 0, COMMAND_WRITABLE);
    define(function, PCI_INTERRUPT_LINE, 1, 0, 0xff);
    define(function, PCI_INTERRUPT_PIN, 1, ids->no_interrupt ? 0 : PIN_INTA, 0);
}

/* 6.2.5.1: the low bits, which say memory, 32 bits, not prefetchable, are 0
 * and fixed, and so are those below the size. */
void pci_function_add_bar(struct pci_function *function, unsigned index,
                          uint32_t size)
{
    struct device_range *range = &function->device.ranges[index];

    CHECK(index < PCI_MAX_BARS && is_power_of_two(size) && size >= 16);
    *range = (struct device_range){.size = size,
                                   .bus = BUS_MMIO,
                                   .index = (uint8_t)index,
                                   .widths = WIDTH_1 | WIDTH_2 | WIDTH_4};
    if (function->device.range_count <= index)
        function->device.range_count = index + 1;
    define(function, BAR(index), 4, 0, ~(size - 1));
}

uint8_t pci_function_add_capability(struct pci_function *function, uint8_t id,
                                    uint8_t size)
{
    uint8_t at = function->end;
    unsigned link =
        function->last == 0 ? PCI_CAPABILITIES : function->last + 1u;

    CHECK(at + align_up(size, 4) <= PCI_CONFIG_SIZE - 4);
    function->reset[at] = id;
    function->reset[link] = at;
    function->reset[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    function->last = at;
    function->end = (uint8_t)(at + align_up(size, 4));
    return at;
}

/* What the line is: what the device wants, and software lets it. 6.2.2. */
static void drive_interrupt(struct pci_function *function)
{
    uint32_t command = pci_config_get(function->config, PCI_COMMAND, 2);

    device_set_irq(&function->device,
                   function->interrupt && !(command & PCI_COMMAND_INTX_OFF));
}

void pci_function_set_interrupt(struct pci_function *function, bool high)
{
    uint8_t *status = &function->config[PCI_STATUS];

    function->interrupt = high;
    *status = (uint8_t)((*status & ~PCI_STATUS_INTERRUPT) |
                        (high ? PCI_STATUS_INTERRUPT : 0));
    drive_interrupt(function);
}

/* Tells the bridge where the BARs are now. */
static void move_bars(struct pci_function *function)
{
    struct spinlock *lock = pci_bridge_lock(function->bridge);

    spin_lock(lock);
    function->decodes =
        (function->config[PCI_COMMAND] & PCI_COMMAND_MEMORY) != 0;
    for (unsigned i = 0; i < function->device.range_count; i++)
        function->decoded[i] = pci_config_get(function->config, BAR(i), 4);
    spin_unlock(lock);
}

void pci_function_reset(struct pci_function *function)
{
    memcpy(function->config, function->reset, PCI_CONFIG_SIZE);
    move_bars(function);
    pci_function_set_interrupt(function, false);
}

uint32_t pci_function_read(struct pci_function *function, unsigned offset,
                           unsigned width)
{
    if (function->before_read != NULL)
        function->before_read(function, offset, width);
    return pci_config_get(function->config, offset, width);
}

err_t pci_function_write(struct pci_function *function, unsigned offset,
                         unsigned width, uint32_t value)
{
    uint32_t writable = pci_config_get(function->writable, offset, width);
    uint32_t old = pci_config_get(function->config, offset, width);

    pci_config_set(function->config, offset, width,
                   (old & ~writable) | (value & writable));
    move_bars(function);
    drive_interrupt(function);
    return function->after_write == NULL
               ? OK
               : function->after_write(function, offset, width);
}

bool pci_function_decodes(const struct pci_function *function, uint64_t address,
                          unsigned *bar, uint64_t *offset)
{
    for (unsigned i = 0; function->decodes && i < function->device.range_count;
         i++) {
        *bar = i;
        *offset = address - function->decoded[i];
        if (*offset < function->device.ranges[i].size)
            return true;
    }
    return false;
}

err_t pci_function_attach(const struct device_context *context,
                          struct pci_function *function, const char **what)
{
    uint32_t slot = 0, number = 0;
    err_t error;

    *what = "compatible";
    if (context->pci == NULL)
        return ERR_INVALID_INPUT;
    error = device_parse_cell(context, "slot", 1, 31, &slot, what);
    if (error == OK)
        error = device_parse_cell(context, "function", 0, 7, &number, what);
    if (error != OK)
        return error;
    *what = "slot";
    return slot == 0
               ? ERR_NOT_FOUND
               : pci_bridge_add(context->pci, function, slot << 3 | number);
}
