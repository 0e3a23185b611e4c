/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86 guest page walker: the input is the control registers, an access,
 * entries of tables, and entries that change while they are read. The walk
 * must end after a bounded number of reads, and what it answers must be
 * possible.
 */
#include <string.h>

#include "arch/x86_64/emulate/walk.h"
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TABLES     8
#define MOST_READS 15 /* five levels, three times */

struct guest {
    struct fuzz_input input;
    uint64_t entries[TABLES][512];
    unsigned reads;
    bool hostile;
};

static struct guest guest;

static uint8_t *entry_at(gpa_t address, unsigned bytes)
{
    if (address.raw >= sizeof(guest.entries))
        return NULL;
    fuzz_need(address.raw % bytes == 0, "an entry is not aligned");
    return (uint8_t *)guest.entries + address.raw;
}

static bool read_entry(void *context, gpa_t address, uint64_t *entry,
                       unsigned bytes)
{
    uint8_t *at = entry_at(address, bytes);

    fuzz_need(++guest.reads <= MOST_READS, "the walk does not end");
    if (at == NULL)
        return false;
    memcpy(entry, at, bytes);
    if (guest.hostile && !fuzz_is_empty(&guest.input))
        at[fuzz_pick(&guest.input, bytes)] ^=
            (uint8_t)fuzz_take(&guest.input, 1);
    return true;
}

static bool exchange(void *context, gpa_t address, uint64_t old, uint64_t new,
                     unsigned bytes, bool *changed)
{
    uint8_t *at = entry_at(address, bytes);

    fuzz_need(at != NULL, "an entry is written that was not read");
    *changed = memcmp(at, &old, bytes) != 0;
    if (!*changed)
        memcpy(at, &new, bytes);
    return true;
}

static const struct x86_walk_memory memory = {read_entry, exchange, NULL};

static void take_paging(struct fuzz_input *input, struct x86_paging *paging)
{
    unsigned how = (unsigned)fuzz_take(input, 2);

    *paging = (struct x86_paging){
        .physical_bits = (uint8_t)(32 + fuzz_pick(input, 21)),
        .has_gigabyte_pages = (how & 1) != 0,
        .has_pse36 = (how & 2) != 0,
        .reserves_bit_8 = (how & 4) != 0,
        .rflags = (how & 8) != 0 ? X86_RFLAGS_AC : 0,
    };
    paging->control.cr0 =
        (how & 16) != 0 ? X86_CR0_PG | X86_CR0_WP : X86_CR0_PG;
    paging->control.cr4 = ((how & 32) != 0 ? X86_CR4_PAE : 0) |
                          ((how & 64) != 0 ? X86_CR4_LA57 : 0) |
                          ((how & 128) != 0 ? X86_CR4_SMEP : 0) |
                          ((how & 256) != 0 ? X86_CR4_SMAP : 0) |
                          ((how & 512) != 0 ? X86_CR4_PSE : 0);
    paging->control.efer = ((how & 1024) != 0 ? X86_EFER_LMA : 0) |
                           ((how & 2048) != 0 ? X86_EFER_NXE : 0);
    paging->control.cr3 = fuzz_number(input);
}

/* A table's entry often points to another one. */
static void take_entries(struct fuzz_input *input)
{
    unsigned count = fuzz_pick(input, 16);

    memset(guest.entries, 0, sizeof(guest.entries));
    for (unsigned i = 0; i < count; i++) {
        unsigned how = (unsigned)fuzz_take(input, 2);
        uint64_t entry = fuzz_number(input);

        if (entry < TABLES)
            entry = entry << 12 | 7;
        guest.entries[how % TABLES][how / TABLES % 512] = entry;
    }
}

static void check(const struct x86_paging *paging, unsigned access,
                  enum x86_walk_result result,
                  const struct x86_translation *translation)
{
    bool write = (access & X86_WALK_WRITE) != 0;
    bool user = (access & X86_WALK_USER) != 0;
    uint64_t size = translation->page_size;

    if (result == X86_WALK_FAULT) {
        fuzz_need(((translation->error & X86_FAULT_RW) != 0) == write, "W");
        fuzz_need(((translation->error & X86_FAULT_US) != 0) == user, "U");
        fuzz_need((translation->error & X86_FAULT_RSV) == 0 ||
                      (translation->error & X86_FAULT_P) != 0,
                  "RSVD without P");
    }
    if (result == X86_WALK_RETRY)
        fuzz_need(guest.hostile && (access & X86_WALK_UPDATE) != 0, "RETRY");
    if (result == X86_WALK_OK) {
        fuzz_need(size == 0x1000 || size == 0x200000 || size == 0x400000 ||
                      size == 0x40000000,
                  "page size");
        fuzz_need(translation->address.raw >> paging->physical_bits == 0,
                  "an address beyond MAXPHYADDR");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    struct x86_translation first, second;
    enum x86_walk_result result;
    struct x86_paging paging;
    uint64_t linear;
    unsigned access;

    take_paging(&input, &paging);
    linear = fuzz_number(&input);
    access = (unsigned)fuzz_take(&input, 1) & 31;
    take_entries(&input);

    /* Tables that stay. An update may change the answer: an entry of PAE that
     * is of two levels gets a bit that is reserved in the other. */
    guest.hostile = false;
    guest.reads = 0;
    result = x86_walk(&paging, linear, access, &memory, &first);
    check(&paging, access, result, &first);
    guest.reads = 0;
    if ((access & X86_WALK_UPDATE) == 0)
        fuzz_need(x86_walk(&paging, linear, access, &memory, &second) ==
                          result &&
                      first.address.raw == second.address.raw &&
                      first.error == second.error,
                  "the same walk has another answer");

    guest.hostile = true;
    guest.input = input;
    guest.reads = 0;
    result = x86_walk(&paging, linear, access, &memory, &first);
    check(&paging, access, result, &first);
    return 0;
}
