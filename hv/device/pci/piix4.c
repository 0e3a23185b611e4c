/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power management function of Intel's 82371AB (PIIX4), as far as firmware
 * finds the ACPI registers by it: data sheet, sections 7.1.25 (PMBA) and
 * 7.1.28 (PMREGMISC). OVMF's timer and power-off look there. The registers
 * themselves are those of pc/acpi_pm.c, at a fixed place, so that PMBA is
 * read-only and always enabled. There is no SMBus.
 *
 * Properties of the configuration node, besides slot and function, which on a
 * PC are 1 and 3:
 *   pm-base   the first port of the registers; default: 0xb000
 */
#include "device/pc/acpi_pm.h"
#include "device/pci/pci.h"
#include "memory/arena.h"

#define PMBA      0x40
#define PMBA_IO   0x01
#define PMREGMISC 0x80
#define PMIOSE    0x01

static const struct pci_ids piix4_ids = {
    .vendor = 0x8086,
    .device = 0x7113,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x068000, /* bridge, other */
    .revision = 3,
    .no_interrupt = true,
};

/* It has no BAR to be accessed by. */
static err_t piix4_read(struct device *device, unsigned range, uint64_t offset,
                        unsigned width, uint64_t *value)
{
    *value = 0;
    return OK;
}

static err_t piix4_write(struct device *device, unsigned range, uint64_t offset,
                         unsigned width, uint64_t value)
{
    return OK;
}

static void piix4_reset(struct device *device)
{
    pci_function_reset(container_of(device, struct pci_function, device));
}

static const struct device_ops piix4_ops = {
    .read = piix4_read,
    .write = piix4_write,
    .reset = piix4_reset,
};

static err_t piix4_create(const struct device_context *context,
                          struct device **device, const char **what)
{
    struct pci_function *function =
        arena_new(context->arena, struct pci_function);
    uint32_t base = ACPI_PM_BASE;
    err_t error;

    if (function == NULL)
        return ERR_NO_MEMORY;
    error =
        device_parse_cell(context, "pm-base", 0, ACPI_PM_MAX_BASE, &base, what);
    if (error != OK)
        return error;
    pci_function_init(function, &piix4_ids, &piix4_ops);
    pci_config_set(function->reset, PMBA, 4, base | PMBA_IO);
    function->reset[PMREGMISC] = PMIOSE;
    *device = &function->device;
    return pci_function_attach(context, function, what);
}

static const struct device_model piix4_model = {
    .compatible = "intel,piix4-pm",
    .create = piix4_create,
};
DEVICE_MODEL(piix4_model);
