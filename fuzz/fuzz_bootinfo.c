/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What boot loader and firmware leave in a PC's memory, read as the image reads
 * it at boot (hv/host/x86_64/bootinfo.c, acpi.c): the input is the memory from
 * INFO on. Checksums are mended first, where there is a signature. A finding:
 * memory that is read and was not asked for, which AddressSanitizer tells, and
 * a machine that is taken for more than there is room for.
 */
#include <string.h>

#include "fuzz/harness.h"
#include "host/x86_64/entry.h"
#include "tests/hv/host/x86_64/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INFO      0xe0000u
#define MOST      1024u
#define RSDP_SIZE 36u

/* Looking for an RSDP through all of the BIOS' space takes as long as a hundred
 * inputs: of those that have none where it is looked for first, one in so many
 * does. */
#define INPUTS_PER_SEARCH 1024

static struct x86_board x86;

static void mend_rsdp(uint64_t at)
{
    if (at + RSDP_SIZE > RIG_MEMORY)
        return;
    rig_sum(at, 20, 8);
    rig_sum(at, RSDP_SIZE, 32);
}

static void mend_table(uint64_t at)
{
    uint32_t length;

    memcpy(&length, rig_at(at, RIG_TABLE_HEADER) + 4, sizeof(length));
    if (length >= RIG_TABLE_HEADER && length <= 2 * MOST)
        rig_sum(at, length, 9);
}

static uint32_t word_at(const void *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Of the tables, too: a root comes before what it points to. */
static void mend(size_t size)
{
    static const char tables[][5] = {"RSDT", "XSDT", "APIC", "FACP", "DSDT"};
    const uint8_t *bytes = rig_at(INFO, MOST);

    for (size_t at = 0; at + RIG_TABLE_HEADER <= size; at += 4) {
        uint32_t word = word_at(bytes + at);

        if (word == word_at("RSD "))
            mend_rsdp(INFO + at);
        for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
            if (word == word_at(tables[i]))
                mend_table(INFO + at);
        }
    }
}

/* Whether there is an RSDP that was mended at `at`. */
static bool is_rsdp(const uint8_t *bytes, size_t size, uint64_t at)
{
    return at % 4 == 0 && at < size && size - at >= RSDP_SIZE &&
           word_at(bytes + at) == word_at("RSD ") &&
           word_at(bytes + at + 4) == word_at("PTR ");
}

/* Whether one is where it is looked for soon. */
static bool has_rsdp(size_t size)
{
    const uint8_t *bytes = rig_at(INFO, MOST);

    if (is_rsdp(bytes, size, x86.rsdp - INFO))
        return true;
    for (size_t at = 0; at < size; at += 16) {
        if (is_rsdp(bytes, size, at))
            return true;
    }
    return false;
}

/* Inputs write to one place only. */
static void start(const uint8_t *data, size_t size)
{
    static size_t last;

    if (last == 0)
        rig_start(&x86);
    memset(&x86, 0, sizeof(x86));
    rig_put(INFO, data, size);
    if (size < last)
        memset(rig_at(INFO + size, last - size), 0, last - size);
    last = size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *refusal;
    bool searches;

    if (size < 2)
        return 0;
    searches = fuzz_is_one_in(INPUTS_PER_SEARCH, data, size);
    size = size > MOST + 1 ? MOST : size - 1;
    start(data + 1, size);
    mend(size);
    refusal = rig_bootinfo(&x86, data[0] % (BOOT_UNKNOWN + 1), INFO);
    fuzz_need(refusal != NULL || x86.board.ram_count != 0, "no memory");
    fuzz_need(x86.board.ram_count <= BOARD_MAX_RAM &&
                  x86.board.reserved_count <= BOARD_MAX_RESERVED,
              "too many pieces of memory");
    if (has_rsdp(size) || searches)
        (void)rig_acpi(&x86);
    fuzz_need(x86.cpu_count <= MAX_CPU_NUM &&
                  x86.ioapic_count <= X86_MAX_IOAPICS,
              "too many of something");
    return 0;
}
