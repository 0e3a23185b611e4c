/* SPDX-License-Identifier: Apache-2.0 */
/* The ACPI PM registers, for whoever describes them to the guest: the FADT,
 * the DSDT's \_S5. */
#ifndef DEVICE_PC_ACPI_PM_H
#define DEVICE_PC_ACPI_PM_H

#define ACPI_PM_BASE     0xb000 /* where they are by default */
#define ACPI_PM_MAX_BASE 0xffc0
#define ACPI_PM_SIZE     0x40

/* Offsets of the register blocks. */
#define ACPI_PM_PM1A_EVENT   0x0 /* 4 bytes */
#define ACPI_PM_PM1A_CONTROL 0x4 /* 2 bytes */
#define ACPI_PM_TIMER        0x8 /* 4 bytes */

/* SLP_TYP for S5, as on QEMU's PC: OVMF knows no other. */
#define ACPI_PM_SLP_TYP_S5 0

/* The interrupt of a PC's power management, which never occurs here. */
#define ACPI_PM_SCI 9

#endif
