/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage: acpi_tables FOLDER
 *
 * Writes the ACPI tables of machines small and large to FOLDER, each table as
 * NUMBER-SIGNATURE.aml, for other people's tools to look at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/boot/acpi.h"
#include "arch/x86_64/boot/bytes.h"

#define BASE       UINT64_C(0xe0000)
#define MAX_SIZE   65536
#define PC         .lapic_base = 0xfee00000, .ioapic_base = 0xfec00000, .sci = 9
#define PORTS      .pm_event = 0x600, .pm_control = 0x604, .pm_timer = 0x608
#define PCI_WINDOW .memory_base = 0xc0000000, .memory_size = 0x20000000
#define PCI_GSIS   .is_there = true, .gsi = {16, 17, 18, 19}

static uint32_t ids[ACPI_MAX_CPUS];

static const struct acpi_machine machines[] = {
    {1, ids, PC, PORTS},
    {1, ids, PC, PORTS, .s5_type = 5, .devices = ACPI_COM1},
    {4, ids, PC, PORTS, .devices = ACPI_COM1 | ACPI_RTC,
     .pci = {PCI_GSIS, PCI_WINDOW}},
    {ACPI_MAX_CPUS, ids, PC, PORTS, .s5_type = 7,
     .devices = ACPI_COM1 | ACPI_RTC | ACPI_I8042,
     .pci = {PCI_GSIS, PCI_WINDOW, UINT64_C(0x8000000000),
             UINT64_C(0x8000000000)}},
};

static uint8_t tables[MAX_SIZE];

static int write_table(const char *folder, size_t number, size_t at)
{
    char path[4096];
    FILE *file;
    size_t size = get_le(tables + at + 4, 4);

    (void)snprintf(path, sizeof(path), "%s/%zu-%.4s.aml", folder, number,
                   (const char *)tables + at);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(tables + at, 1, size, file) != size ||
        fclose(file) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

static int write_machine(const char *folder, size_t number)
{
    size_t used, xsdt, fadt, madt;

    if (acpi_build(&machines[number], gpa(BASE), tables, sizeof(tables),
                   &used) != OK) {
        (void)fprintf(stderr, "machine %zu has no tables\n", number);
        return 1;
    }
    xsdt = get_le(tables + 24, 8) - BASE;
    fadt = get_le(tables + xsdt + 36, 8) - BASE;
    madt = get_le(tables + xsdt + 44, 8) - BASE;
    return write_table(folder, number, xsdt) |
           write_table(folder, number, fadt) |
           write_table(folder, number, madt) |
           write_table(folder, number, get_le(tables + fadt + 36, 4) - BASE) |
           write_table(folder, number, get_le(tables + fadt + 140, 8) - BASE);
}

int main(int argc, char **argv)
{
    int status = 0;

    if (argc != 2) {
        (void)fprintf(stderr, "Usage: acpi_tables FOLDER\n");
        return 2;
    }
    for (unsigned i = 0; i < ACPI_MAX_CPUS; i++)
        ids[i] = i < 200 ? i : i + 1000;
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        status |= write_machine(argv[1], i);
    return status;
}
