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
#define MOST      4096u
#define RSDP_SIZE 36u

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
    if (length >= RIG_TABLE_HEADER && length <= RIG_MEMORY - at)
        rig_sum(at, length, 9);
}

/* Of the tables, too: a root comes before what it points to. */
static void mend(size_t size)
{
    static const char signatures[][5] = {"RSDT", "XSDT", "APIC", "FACP",
                                         "DSDT"};

    for (uint64_t at = INFO; at + RIG_TABLE_HEADER <= INFO + size; at += 4) {
        const uint8_t *bytes = rig_at(at, RIG_TABLE_HEADER);

        if (memcmp(bytes, "RSD ", 4) == 0)
            mend_rsdp(at);
        for (unsigned i = 0; i < ARRAY_SIZE(signatures); i++) {
            if (memcmp(bytes, signatures[i], 4) == 0)
                mend_table(at);
        }
    }
}

/* Inputs write to one place only. */
static void start(void)
{
    static bool is_made;

    if (!is_made)
        rig_start(&x86);
    is_made = true;
    memset(rig_at(INFO, MOST), 0, MOST);
    memset(&x86, 0, sizeof(x86));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *refusal;

    if (size < 2)
        return 0;
    size = size > MOST + 1 ? MOST : size - 1;
    start();
    rig_put(INFO, data + 1, size);
    mend(size);
    refusal = rig_bootinfo(&x86, data[0] % (BOOT_UNKNOWN + 1), INFO);
    fuzz_need(refusal != NULL || x86.board.ram_count != 0, "no memory");
    fuzz_need(x86.board.ram_count <= BOARD_MAX_RAM &&
                  x86.board.reserved_count <= BOARD_MAX_RESERVED,
              "too many pieces of memory");
    /* Looking for one in vain takes long. */
    if (memmem(data, size + 1, "RSD PTR ", 8) != NULL)
        (void)rig_acpi(&x86);
    fuzz_need(x86.cpu_count <= MAX_CPU_NUM &&
                  x86.ioapic_count <= X86_MAX_IOAPICS,
              "too many of something");
    return 0;
}
