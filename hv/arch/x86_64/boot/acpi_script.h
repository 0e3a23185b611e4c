/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The script by which firmware places ACPI tables that it gets as files: that
 * of QEMU's bios-linker-loader (hw/acpi/bios-linker-loader.c), which OVMF and
 * SeaBIOS carry out. Entries of 128 bytes, in order:
 *
 *   allocate   puts a file at an address that the firmware chooses
 *   pointer    adds the address of a file to a number in another one
 *   checksum   makes the bytes of a range add up to 0; the one that is set must
 *              be 0 before
 */
#ifndef ARCH_X86_64_BOOT_ACPI_SCRIPT_H
#define ARCH_X86_64_BOOT_ACPI_SCRIPT_H

#include "arch/x86_64/boot/blob.h"

enum acpi_zone {
    ACPI_ZONE_HIGH = 1,
    ACPI_ZONE_FSEG = 2, /* where BIOSes keep what is searched for */
};

void acpi_script_allocate(struct blob *script, const char *file, unsigned align,
                          enum acpi_zone zone);
/* The number of `width` bytes at `at` in `file`. */
void acpi_script_pointer(struct blob *script, const char *file, size_t at,
                         unsigned width, const char *target);
/* Of `count` bytes from `start` on; the byte at `at` is set. */
void acpi_script_checksum(struct blob *script, const char *file, size_t at,
                          size_t start, size_t count);

#endif
