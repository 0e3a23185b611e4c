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

/* The files by which firmware gets them, of fw_cfg as QEMU has it. */
#define ACPI_FILE_RSDP   "etc/acpi/rsdp"
#define ACPI_FILE_TABLES "etc/acpi/tables"
#define ACPI_FILE_SCRIPT "etc/table-loader" /* acpi_script.h */

#define ACPI_SCRIPT_SIZE 2048

struct acpi_files {
    struct {
        size_t at, size; /* in the buffer */
    } rsdp, tables, script;
};

/*
 * Writes the same tables to `buffer` as files, of which firmware makes them at
 * addresses of its own. ERR_INVALID_INPUT, ERR_NO_MEMORY as above.
 */
err_t acpi_build_files(const struct acpi_machine *machine, void *buffer,
                       size_t size, struct acpi_files *files) MUST_CHECK;

#endif
