/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ACPI tables tell of a PC. Each device fills in its own part (struct
 * device_model, describe_acpi), the architecture that writes the tables the
 * rest.
 */
#ifndef DEVICE_PC_ACPI_H
#define DEVICE_PC_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#define ACPI_MAX_CPUS 255

/* Devices that the tables tell of, at a PC's usual ports and interrupts. */
enum acpi_device {
    ACPI_COM1 = 1 << 0,
    ACPI_RTC = 1 << 1,
    ACPI_I8042 = 1 << 2,
};

/* Device `slot`'s pin INTA# to INTD# (0 to 3) drives gsi[(slot + pin) % 4] of
 * the IOAPIC, low and level-triggered. Windows of size 0 do not exist. */
#define ACPI_PCI_GSIS 4
struct acpi_pci {
    bool is_there;
    uint32_t gsi[ACPI_PCI_GSIS];
    uint32_t memory_base, memory_size; /* below 4 GiB */
    uint64_t high_base, high_size;     /* anywhere */
};

struct acpi_machine {
    unsigned cpu_count;       /* 1 to ACPI_MAX_CPUS */
    const uint32_t *apic_ids; /* by vCPU */
    uint32_t lapic_base;      /* of all local APICs */
    uint32_t ioapic_base;     /* its first interrupt is GSI 0 */
    uint8_t ioapic_id;
    uint8_t sci;         /* the power management's GSI, 3 to 15 */
    uint16_t pm_event;   /* ports: PM1a status and enable, 4 of them */
    uint16_t pm_control; /* PM1a control, 2 */
    uint16_t pm_timer;   /* 4; 32 bits count */
    uint8_t s5_type;     /* SLP_TYP that turns it off, 0 to 7 */
    unsigned devices;    /* of enum acpi_device */
    struct acpi_pci pci;
};

#endif
