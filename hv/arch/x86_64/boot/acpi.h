/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of a PC, made from a description of it: RSDP, XSDT, FADT,
 * FACS, MADT and DSDT. ACPI 6.5, sections 5 and 6.
 *
 * The hardware is not "hardware-reduced", and always in ACPI mode: there is no
 * SMI command port. There are no general-purpose events.
 */
#ifndef ARCH_X86_64_BOOT_ACPI_H
#define ARCH_X86_64_BOOT_ACPI_H

#include <stddef.h>
#include <stdint.h>

#include "device/pc/acpi.h"
#include "lib/addr.h"
#include "lib/compiler.h"
#include "lib/error.h"

/* What the tables' address is a multiple of, for the FACS. */
#define ACPI_ALIGN 64

/*
 * Writes the tables to `buffer`, of `size` bytes, as they are to be at `base`
 * in guest memory; the RSDP comes first. `used` becomes their size.
 * ERR_INVALID_INPUT for a machine that is out of the ranges above, or has a
 * window that wraps, or for a `base` that is no multiple of ACPI_ALIGN;
 * ERR_OUT_OF_RANGE when they would not lie below 4 GiB; ERR_NO_MEMORY when
 * the buffer is too small.
 */
err_t acpi_build(const struct acpi_machine *machine, gpa_t base, void *buffer,
                 size_t size, size_t *used) MUST_CHECK;

#endif
