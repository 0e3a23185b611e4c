/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two functions of Intel's 82371AB (PIIX4), as far as firmware finds by them
 * what a PC has at fixed places: data sheet, sections 4.1 and 7.1.
 *
 *   intel,piix4-isa   the ISA bridge, on a PC function 0 of slot 1: behind it
 *                     OVMF expects serial ports and the keyboard. It answers
 *                     ports, whatever PCICMD (4.1.3) is. PIRQRC[A:D] (4.1.10)
 *                     keep what is written; the interrupt lines are routed by
 *                     the host bridge's `intx`
 *   intel,piix4-pm    power management, function 3: PMBA (7.1.25) says where
 *                     the ACPI registers are, which are pc/acpi_pm.c's, and
 *                     PMREGMISC (7.1.28) that they are there, always. There is
 *                     no SMBus
 *
 * Properties of the configuration node, besides slot and function:
 *   pm-base   the first port of the ACPI registers; default: 0xb000
 */
#include "device/pc/acpi_pm.h"
#include "device/pci/pci.h"
#include "memory/arena.h"

/* IOSE, MSE, BME: always set. */
#define ISA_COMMAND 0x07

#define PIRQRC     0x60
#define PIRQ_LINES 4
#define PIRQ_OFF   0x80 /* nowhere */
#define PIRQ_BITS  0x8f

#define PMBA      0x40
#define PMBA_IO   0x01
#define PMREGMISC 0x80
#define PMIOSE    0x01

static const struct pci_ids isa_ids = {
    .vendor = 0x8086,
    .device = 0x7110,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x060100, /* bridge, ISA */
    .revision = 2,
    .no_interrupt = true,
};

static const struct pci_ids pm_ids = {
    .vendor = 0x8086,
    .device = 0x7113,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x068000, /* bridge, other */
    .revision = 3,
    .no_interrupt = true,
};

static void piix4_reset(struct device *device)
{
    pci_function_reset(container_of(device, struct pci_function, device));
}

/* They have no BAR to be accessed by. */
static const struct device_ops piix4_ops = {
    .reset = piix4_reset,
};

static err_t isa_create(const struct device_context *context,
                        struct device **device, const char **what)
{
    struct pci_function *function =
        arena_new(context->arena, struct pci_function);

    if (function == NULL)
        return ERR_NO_MEMORY;
    pci_function_init(function, &isa_ids, &piix4_ops);
    pci_config_set(function->reset, PCI_COMMAND, 2, ISA_COMMAND);
    pci_config_set(function->writable, PCI_COMMAND, 2, 0);
    for (unsigned line = PIRQRC; line < PIRQRC + PIRQ_LINES; line++) {
        function->reset[line] = PIRQ_OFF;
        function->writable[line] = PIRQ_BITS;
    }
    *device = &function->device;
    return pci_function_attach(context, function, what);
}

static err_t pm_create(const struct device_context *context,
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
    pci_function_init(function, &pm_ids, &piix4_ops);
    pci_config_set(function->reset, PMBA, 4, base | PMBA_IO);
    function->reset[PMREGMISC] = PMIOSE;
    *device = &function->device;
    return pci_function_attach(context, function, what);
}

static const struct device_model isa_model = {
    .compatible = "intel,piix4-isa",
    .create = isa_create,
};
DEVICE_MODEL(isa_model);

static const struct device_model pm_model = {
    .compatible = "intel,piix4-pm",
    .create = pm_create,
};
DEVICE_MODEL(pm_model);
