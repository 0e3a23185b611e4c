/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory, as the hypervisor reads and writes it. */
#include <criterion/criterion.h>
#include <string.h>

#include "addrspace/aspace.h"
#include "lib/bits.h"
#include "sim/ram.h"

#define MIB  (UINT64_C(1) << 20)
#define SIZE (5 * PAGE_SIZE)

static struct aspace aspace;
static hpa_t host; /* 2 MiB that linear regions map, and disks are made of */

/*
 * The guest's memory: lazy pages, linear ones right behind them that go
 * downwards in host memory, read-only and inaccessible ones, and a hole.
 */
#define LAZY   UINT64_C(0x10000)
#define LINEAR UINT64_C(0x20000)
#define RONLY  UINT64_C(0x30000)
#define XONLY  UINT64_C(0x40000)
#define HOLE   UINT64_C(0x50000)

static void map_linear_downwards(void)
{
    for (uint64_t i = 0; i < 16; i++)
        cr_assert(aspace_map_linear(&aspace, gpa(LINEAR + i * PAGE_SIZE),
                                    hpa_add(host, (20 - i) * PAGE_SIZE),
                                    PAGE_SIZE, MEM_RWX) == OK);
}

static void start(void)
{
    ram_reset(64 * MIB);
    host = memory_alloc_contiguous(512, 2 * MIB);
    cr_assert(aspace_init(&aspace, &s2_sv39x4, NULL) == OK);
    cr_assert(aspace_map_lazy(&aspace, gpa(LAZY), 0x10000, MEM_RWX, false) ==
              OK);
    map_linear_downwards();
    cr_assert(aspace_map_lazy(&aspace, gpa(RONLY), 0x10000, MEM_READ, false) ==
              OK);
    cr_assert(aspace_map_lazy(&aspace, gpa(XONLY), 0x10000, MEM_EXECUTE,
                              false) == OK);
}

static void end(void)
{
    aspace_fini(&aspace);
    memory_free_contiguous(host, 512);
    cr_assert(ram_frames_in_use() == 0);
}

static unsigned char *at_host(uint64_t offset)
{
    return memory_phys_to_virt(hpa_add(host, offset));
}

static void fill(unsigned char *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 13 + i / 256 + seed);
}

/* Ranges over the borders of pages and regions, and what they may be. */
static const struct {
    uint64_t at;
    size_t size;
    err_t read, write, loader;
} ranges[] = {
    {LAZY, 1, OK, OK, OK},
    {LAZY + 0xfff, 2, OK, OK, OK},
    {LAZY + 0x800, SIZE, OK, OK, OK},
    {LINEAR - 3, 7, OK, OK, OK},
    {LINEAR - 0x1800, SIZE, OK, OK, OK},
    {LINEAR + 0xff8, 16, OK, OK, OK},
    {RONLY - 4, 8, OK, ERR_DENIED, OK},
    {RONLY, 8, OK, ERR_DENIED, OK},
    {XONLY, 8, ERR_DENIED, ERR_DENIED, OK},
    {XONLY - 8, 16, ERR_DENIED, ERR_DENIED, OK},
    {HOLE, 1, ERR_NOT_FOUND, ERR_NOT_FOUND, ERR_NOT_FOUND},
    {LAZY - 1, 1, ERR_NOT_FOUND, ERR_NOT_FOUND, ERR_NOT_FOUND},
    {LAZY - 1, 2, ERR_NOT_FOUND, ERR_NOT_FOUND, ERR_NOT_FOUND},
    {HOLE - 1, 2, ERR_DENIED, ERR_DENIED, ERR_NOT_FOUND},
    {HOLE, 0, OK, OK, OK},
    {UINT64_MAX, 0, OK, OK, OK},
    {UINT64_MAX, 1, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE},
    {BIT(41), 1, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE},
    {LAZY, SIZE_MAX, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE},
    {0, BIT(41) + 1, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE},
};

Test(access, what_is_written_is_read)
{
    static unsigned char out[SIZE], in[SIZE];

    for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
        gpa_t at = gpa(ranges[i].at);
        size_t size = ranges[i].size;

        start();
        fill(out, sizeof(out), i);
        cr_assert(aspace_write(&aspace, at, out, size) == ranges[i].write,
                  "row %u", i);
        cr_assert(aspace_store(&aspace, at, out, size) == ranges[i].loader,
                  "row %u", i);
        cr_assert(aspace_read(&aspace, at, in, size) == ranges[i].read,
                  "row %u", i);
        if (ranges[i].read == OK)
            cr_assert(memcmp(in, out, size) == 0, "row %u", i);
        end();
    }
}

/* The same ranges, between the guest and a disk in host memory. */
Test(access, what_is_moved_in_is_moved_out)
{
    for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
        gpa_t at = gpa(ranges[i].at);
        uint64_t size = ranges[i].size;
        hpa_t disk;

        start();
        disk = hpa_add(host, MIB + 3);
        fill(at_host(MIB), MIB, i);
        cr_assert(aspace_move_in(&aspace, at, disk, size) == ranges[i].write,
                  "row %u", i);
        cr_assert(aspace_load(&aspace, at, disk, size) == ranges[i].loader,
                  "row %u", i);
        memset(at_host(MIB), 0, MIB / 2);
        disk = hpa_add(host, MIB + 5);
        cr_assert(aspace_move_out(&aspace, at, disk, size) == ranges[i].read,
                  "row %u", i);
        if (ranges[i].read == OK && size != 0) {
            static unsigned char want[SIZE + 3];

            fill(want, sizeof(want), i);
            cr_assert(memcmp(at_host(MIB + 5), want + 3, size) == 0, "row %u",
                      i);
            cr_assert(*at_host(MIB + 5 + size) == 0);
        }
        end();
    }
}

/* Bytes land where the guest sees them, and nowhere else. */
Test(access, linear_pages_are_written_where_they_are)
{
    unsigned char bytes[6] = {1, 2, 3, 4, 5, 6};

    start();
    cr_assert(aspace_write(&aspace, gpa(LINEAR + 0x1000 - 3), bytes, 6) == OK);
    cr_assert(memcmp(at_host(20 * PAGE_SIZE + 0xffd), bytes, 3) == 0);
    cr_assert(memcmp(at_host(19 * PAGE_SIZE), bytes + 3, 3) == 0);
    cr_assert(*at_host(21 * PAGE_SIZE) == 0, "the page behind, in host memory");
    cr_assert(*at_host(19 * PAGE_SIZE + 3) == 0);
    end();
}

Test(access, a_transfer_longer_than_a_run_is_whole)
{
    static unsigned char out[600 * 1024], in[sizeof(out)];

    start();
    cr_assert(
        aspace_map_linear(&aspace, gpa(4 * MIB), host, 2 * MIB, MEM_RWX) == OK);
    fill(out, sizeof(out), 7);
    cr_assert(aspace_write(&aspace, gpa(4 * MIB + 100), out, sizeof(out)) ==
              OK);
    cr_assert(aspace_read(&aspace, gpa(4 * MIB + 100), in, sizeof(in)) == OK);
    cr_assert(memcmp(in, out, sizeof(in)) == 0);
    cr_assert(memcmp(at_host(100), out, sizeof(out)) == 0);
    cr_assert(*at_host(100 + sizeof(out)) == 0 && *at_host(99) == 0);
    end();
}

Test(access, clearing_clears_and_brings_nothing_in)
{
    unsigned char bytes[64];
    uint64_t frames;

    start();
    memset(bytes, 0xff, sizeof(bytes));
    cr_assert(aspace_map_lazy(&aspace, gpa(BIT(40)), BIT(39) - MIB, MEM_RWX,
                              false) == OK);
    cr_assert(aspace_write(&aspace, gpa(BIT(40) + 4 * MIB), bytes, 64) == OK);
    cr_assert(aspace_store(&aspace, gpa(XONLY + 0x2000), bytes, 64) == OK);
    cr_assert(aspace_write(&aspace, gpa(LINEAR), bytes, 64) == OK);
    frames = ram_frames_in_use();
    cr_assert(aspace_clear(&aspace, gpa(BIT(40) + 10), BIT(39) - MIB - 10) ==
                  OK,
              "half a terabyte, of which a page was touched");
    cr_assert(aspace_clear(&aspace, gpa(LAZY), HOLE - LAZY) == OK);
    cr_assert(ram_frames_in_use() == frames);
    cr_assert(aspace_read(&aspace, gpa(BIT(40) + 4 * MIB), bytes, 64) == OK);
    cr_assert(bytes[0] == 0 && bytes[63] == 0);
    cr_assert(*at_host(20 * PAGE_SIZE) == 0);
    cr_assert(aspace_clear(&aspace, gpa(LAZY), HOLE - LAZY + 1) ==
              ERR_NOT_FOUND);
    cr_assert(aspace_clear(&aspace, gpa(BIT(40) + BIT(38)),
                           BIT(38) - MIB + 1) == ERR_NOT_FOUND);
    cr_assert(aspace_clear(&aspace, gpa(LAZY), UINT64_MAX) == ERR_OUT_OF_RANGE);
    cr_assert(aspace_clear(&aspace, gpa(HOLE), 0) == OK);
    end();
}

Test(access, clearing_ends_where_it_should)
{
    unsigned char bytes[3 * 4096];

    start();
    memset(bytes, 0xff, sizeof(bytes));
    cr_assert(aspace_write(&aspace, gpa(LAZY), bytes, sizeof(bytes)) == OK);
    cr_assert(aspace_clear(&aspace, gpa(LAZY + 100), 2 * PAGE_SIZE) == OK);
    cr_assert(aspace_read(&aspace, gpa(LAZY), bytes, sizeof(bytes)) == OK);
    for (size_t i = 0; i < sizeof(bytes); i++)
        cr_assert((bytes[i] == 0) == (i >= 100 && i < 100 + 2 * PAGE_SIZE),
                  "byte %zu", i);
    end();
}

Test(access, an_untouched_page_reads_as_zero)
{
    unsigned char bytes[16];

    start();
    memset(bytes, 0xff, sizeof(bytes));
    cr_assert(aspace_read(&aspace, gpa(LAZY + 0x3ff8), bytes, 16) == OK);
    for (unsigned i = 0; i < 16; i++)
        cr_assert(bytes[i] == 0);
    cr_assert(aspace_translate(&aspace, gpa(LAZY + 0x3000), NULL, NULL, NULL) ==
              OK);
    end();
}
