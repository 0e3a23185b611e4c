/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contents of the DSDT: processors, the PCI host bridge, the devices that
 * cannot be found by probing, and how the machine is turned off. ACPI 6.5,
 * sections 6.1, 6.2 (_CRS, _PRT), 7.4.2 (_S5) and 8.4 (processors).
 */
#include "arch/x86_64/boot/dsdt.h"

#include "arch/x86_64/boot/aml.h"
#include "lib/bits.h"

#define MOST_RESOURCES 160 /* bytes */

static struct blob no_resources(uint8_t bytes[MOST_RESOURCES])
{
    return (struct blob){.bytes = bytes, .size = MOST_RESOURCES};
}

/* Devices on no bus -------------------------------------------------------*/

#define MOST_PORTS 2

/* Ports of count 0 are none. */
static const struct {
    unsigned device; /* enum acpi_device */
    const char *name, *id;
    struct {
        uint16_t base;
        uint8_t count;
    } ports[MOST_PORTS];
    unsigned irq;
} devices[] = {
    {ACPI_COM1, "COM1", "PNP0501", {{0x3f8, 8}}, 4},
    {ACPI_RTC, "RTC", "PNP0B00", {{0x70, 2}}, 8},
    {ACPI_I8042, "KBD", "PNP0303", {{0x60, 1}, {0x64, 1}}, 1},
    {ACPI_I8042, "MOU", "PNP0F13", {{0}}, 12},
};

static void put_device(struct blob *blob, unsigned which)
{
    uint8_t bytes[MOST_RESOURCES];
    struct blob resources = no_resources(bytes);
    aml_open_t open = aml_open(blob, AML_DEVICE, devices[which].name);

    aml_name_id(blob, "_HID", devices[which].id);
    aml_name_integer(blob, "_UID", 1);
    for (unsigned i = 0; i < MOST_PORTS; i++) {
        if (devices[which].ports[i].count != 0)
            aml_resource_io(&resources, devices[which].ports[i].base,
                            devices[which].ports[i].count);
    }
    aml_resource_irq(&resources, devices[which].irq);
    aml_name_resources(blob, &resources);
    aml_close(blob, open);
}

/* Processors ---------------------------------------------------------------*/

static void put_processor(struct blob *blob, unsigned number)
{
    static const char digits[] = "0123456789ABCDEF";
    char name[] = {'C', 'P', digits[number >> 4], digits[number & 15], '\0'};
    aml_open_t open = aml_open(blob, AML_DEVICE, name);

    aml_name_id(blob, "_HID", "ACPI0007");
    aml_name_integer(blob, "_UID", number);
    aml_close(blob, open);
}

/* The PCI host bridge ------------------------------------------------------*/

#define PCI_BUSES        256
#define PCI_CONFIG_BASE  0xcf8
#define PCI_CONFIG_COUNT 8
#define PCI_PORTS_BEHIND 0xd00
#define PCI_PORTS        0x10000
#define PCI_SLOTS        32
#define PCI_PINS         4
#define PCI_ANY_FUNCTION 0xffff
#define PRT_FIELDS       4 /* address, pin, source, GSI */

static void put_windows(struct blob *blob, const struct acpi_pci *pci)
{
    uint8_t bytes[MOST_RESOURCES];
    struct blob resources = no_resources(bytes);

    aml_resource_space(&resources, 2, AML_SPACE_BUS, 0, PCI_BUSES);
    aml_resource_io(&resources, PCI_CONFIG_BASE, PCI_CONFIG_COUNT);
    aml_resource_space(&resources, 2, AML_SPACE_IO, 0, PCI_CONFIG_BASE);
    aml_resource_space(&resources, 2, AML_SPACE_IO, PCI_PORTS_BEHIND,
                       PCI_PORTS - PCI_PORTS_BEHIND);
    if (pci->memory_size != 0)
        aml_resource_space(&resources, 4, AML_SPACE_MEMORY, pci->memory_base,
                           pci->memory_size);
    if (pci->high_size != 0)
        aml_resource_space(&resources, 8, AML_SPACE_MEMORY, pci->high_base,
                           pci->high_size);
    aml_name_resources(blob, &resources);
}

static void put_routing(struct blob *blob, const struct acpi_pci *pci)
{
    aml_open_t table;

    aml_name(blob, "_PRT");
    table = aml_open_package(blob, PCI_SLOTS * PCI_PINS);
    for (unsigned i = 0; i < PCI_SLOTS * PCI_PINS; i++) {
        unsigned slot = i / PCI_PINS, pin = i % PCI_PINS;
        aml_open_t row = aml_open_package(blob, PRT_FIELDS);

        aml_integer(blob, slot << 16 | PCI_ANY_FUNCTION);
        aml_integer(blob, pin);
        aml_integer(blob, 0); /* no link device: a GSI */
        aml_integer(blob, pci->gsi[(slot + pin) % ACPI_PCI_GSIS]);
        aml_close(blob, row);
    }
    aml_close(blob, table);
}

static void put_pci(struct blob *blob, const struct acpi_pci *pci)
{
    aml_open_t open = aml_open(blob, AML_DEVICE, "PCI0");

    aml_name_id(blob, "_HID", "PNP0A03");
    aml_name_integer(blob, "_UID", 0);
    aml_name_integer(blob, "_BBN", 0);
    put_windows(blob, pci);
    put_routing(blob, pci);
    aml_close(blob, open);
}

/* Package () {SLP_TYPa, SLP_TYPb, reserved, reserved} */
static void put_s5(struct blob *blob, uint8_t type)
{
    aml_open_t open;

    aml_name(blob, "\\_S5");
    open = aml_open_package(blob, 4);
    aml_integer(blob, type);
    for (unsigned i = 1; i < 4; i++)
        aml_integer(blob, 0);
    aml_close(blob, open);
}

void dsdt_put(struct blob *blob, const struct acpi_machine *machine)
{
    aml_open_t open;

    put_s5(blob, machine->s5_type);
    open = aml_open(blob, AML_SCOPE, "\\_SB");
    for (unsigned i = 0; i < machine->cpu_count; i++)
        put_processor(blob, i);
    if (machine->pci.is_there)
        put_pci(blob, &machine->pci);
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        if ((machine->devices & devices[i].device) != 0)
            put_device(blob, i);
    }
    aml_close(blob, open);
}
