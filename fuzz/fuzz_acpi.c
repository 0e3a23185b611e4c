/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables of machines that the input describes, in a buffer of a size that
 * it says. A finding: tables that are not where they are said to be, do not
 * lie in the buffer, have a wrong checksum or length, or structures or packages
 * that do not add up to what holds them.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/boot/acpi.h"
#include "arch/x86_64/boot/bytes.h"
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define USUAL_SIZE 65536

/* The tables, as somebody finds them who knows their address and size only. */
static const uint8_t *tables;
static size_t tables_size;
static uint64_t base;

static uint64_t get(size_t offset, unsigned width)
{
    fuzz_need(offset <= tables_size && width <= tables_size - offset,
              "a field outside the tables");
    return get_le(tables + offset, width);
}

static void check_sum(size_t at, size_t size)
{
    uint8_t sum = 0;

    fuzz_need(at <= tables_size && size <= tables_size - at,
              "a table outside the tables");
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + tables[at + i]);
    fuzz_need(sum == 0, "a wrong checksum");
}

static size_t follow(size_t field, unsigned width, const char *signature)
{
    size_t at = get(field, width) - base;

    (void)get(at, 8);
    fuzz_need(memcmp(tables + at, signature, 4) == 0, "a wrong signature");
    if (strcmp(signature, "FACS") != 0)
        check_sum(at, get(at + 4, 4));
    return at;
}

static void check_madt(size_t at, unsigned cpus)
{
    size_t end = at + get(at + 4, 4);
    unsigned found = 0;

    at += 44;
    while (at < end) {
        unsigned type = (unsigned)get(at, 1);

        found += type == 0 || type == 9;
        fuzz_need(get(at + 1, 1) >= 2, "a structure without a length");
        at += get(at + 1, 1);
    }
    fuzz_need(at == end, "structures that do not end with the table");
    fuzz_need(found == cpus, "not so many processors");
}

/* Reads a PkgLength; returns where its object ends. */
static size_t read_length(size_t *at)
{
    size_t start = *at, length = get(*at, 1);
    unsigned extra = (unsigned)(length >> 6);

    *at += 1 + extra;
    if (extra != 0)
        length = (length & 15) | get(start + 1, extra) << 4;
    return start + length;
}

/* Reads the objects of the DSDT up to `end`: as much of AML as there is. */
static void check_objects(size_t at, size_t end, unsigned depth);

static size_t check_object(size_t at, unsigned depth)
{
    static const uint8_t widths[] = {
        [0xa] = 1, [0xb] = 2, [0xc] = 4, [0xe] = 8};
    unsigned op = (unsigned)get(at++, 1);
    size_t end;

    switch (op) {
    case 0x00:
    case 0x01: return at;
    case 0x08: /* Name: a name, and an object */
        at += get(at, 1) == '\\';
        return check_object(at + 4, depth);
    case 0x0a:
    case 0x0b:
    case 0x0c:
    case 0x0e: return at + widths[op];
    case 0x0d: /* a string */
        while (get(at++, 1) != 0)
            continue;
        return at;
    case 0x5b: /* Device */
        fuzz_need(get(at++, 1) == 0x82, "an unknown opcode");
        end = read_length(&at);
        check_objects(at + 4, end, depth);
        return end;
    case 0x10: /* Scope */
        end = read_length(&at);
        check_objects(at + 5, end, depth);
        return end;
    case 0x11: return read_length(&at);
    case 0x12: /* Package, which counts its elements */
        end = read_length(&at);
        check_objects(at + 1, end, depth);
        return end;
    default: fuzz_need(false, "an unknown opcode");
    }
    return at;
}

static void check_objects(size_t at, size_t end, unsigned depth)
{
    fuzz_need(depth < 8, "objects too deep");
    fuzz_need(end <= tables_size, "an object that leaves the table");
    while (at < end)
        at = check_object(at, depth + 1);
    fuzz_need(at == end, "an object that leaves what holds it");
}

static void check_tables(const struct acpi_machine *machine)
{
    size_t xsdt, fadt, dsdt;

    check_sum(0, 20);
    check_sum(0, 36);
    xsdt = follow(24, 8, "XSDT");
    fuzz_need(get(xsdt + 4, 4) == 36 + 2 * 8, "not two tables");
    fadt = follow(xsdt + 36, 8, "FACP");
    (void)follow(fadt + 36, 4, "FACS");
    dsdt = follow(fadt + 40, 4, "DSDT");
    check_objects(dsdt + 36, dsdt + get(dsdt + 4, 4), 0);
    check_madt(follow(xsdt + 44, 8, "APIC"), machine->cpu_count);
}

/* Many processors, and the host bridge, which has a route of each pin of 32
 * slots, take as long as ten other machines: one input in so many may have
 * them. */
#define MACHINES_PER_LARGE 8

static unsigned take_cpus(struct fuzz_input *input, bool is_large)
{
    unsigned how = (unsigned)fuzz_take(input, 2);

    return how % 256 < 0xf0 || !is_large ? how % 4
                                         : how / 256 % (ACPI_MAX_CPUS + 2);
}

static void take_machine(struct fuzz_input *input, struct acpi_machine *machine,
                         uint32_t ids[ACPI_MAX_CPUS], bool is_large)
{
    *machine = (struct acpi_machine){
        .cpu_count = take_cpus(input, is_large),
        .apic_ids = ids,
        .lapic_base = (uint32_t)fuzz_number(input),
        .ioapic_base = (uint32_t)fuzz_number(input),
        .ioapic_id = (uint8_t)fuzz_take(input, 1),
        .sci = (uint8_t)fuzz_pick(input, 18),
        .pm_event = (uint16_t)fuzz_number(input),
        .pm_control = (uint16_t)fuzz_number(input),
        .pm_timer = (uint16_t)fuzz_number(input),
        .s5_type = (uint8_t)fuzz_pick(input, 9),
        .devices = fuzz_pick(input, 8),
    };
    machine->pci.is_there = fuzz_pick(input, 2) == 0 && is_large;
    machine->pci.memory_base = (uint32_t)fuzz_number(input);
    machine->pci.memory_size = (uint32_t)fuzz_number(input);
    machine->pci.high_base = fuzz_number(input);
    machine->pci.high_size = fuzz_number(input);
    for (unsigned i = 0; i < ACPI_PCI_GSIS; i++)
        machine->pci.gsi[i] = (uint32_t)fuzz_number(input);
    for (unsigned i = 0; i < machine->cpu_count && i < ACPI_MAX_CPUS; i++)
        ids[i] = fuzz_is_empty(input) ? i : (uint32_t)fuzz_number(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    struct acpi_machine machine;
    uint32_t ids[ACPI_MAX_CPUS];
    bool is_small = fuzz_pick(&input, 4) == 0;
    size_t room = is_small ? fuzz_take(&input, 2) : USUAL_SIZE;
    static uint8_t usual[USUAL_SIZE];
    uint8_t *small = is_small ? malloc(room != 0 ? room : 1) : NULL;
    uint8_t *buffer = is_small ? small : usual;
    err_t error;

    fuzz_need(buffer != NULL, "no memory");
    base = is_small ? UINT64_C(0xe0000) : fuzz_number(&input) & ~UINT64_C(63);
    take_machine(&input, &machine, ids,
                 fuzz_is_one_in(MACHINES_PER_LARGE, data, size));
    tables = buffer;
    error = acpi_build(&machine, gpa(base), buffer, room, &tables_size);
    if (error == OK) {
        fuzz_need(tables_size <= room, "tables larger than their buffer");
        fuzz_need(base + tables_size <= UINT64_C(1) << 32, "tables too high");
        check_tables(&machine);
    } else {
        fuzz_need(error == ERR_INVALID_INPUT || error == ERR_OUT_OF_RANGE ||
                      (is_small && error == ERR_NO_MEMORY),
                  "it fails for no reason");
    }
    free(small);
    return 0;
}
