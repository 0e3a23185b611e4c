/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/memory.h"
#include "disk.h"
#include "sim/ram.h"
#include "support/rows.h"

#define DISK_SIZE    (UINT64_C(2) * 1024 * 1024)
#define DISK_SECTORS (DISK_SIZE / SECTOR)

/* Newer than the Linux headers of some hosts. */
#define GET_LIFETIME 10

/* What the device does for one notification, at most. */
#define SLICE (UINT64_C(512) * 1024)

static const struct property disk_properties[] = {
    PROPERTY_CELL("size", DISK_SIZE),
    PROPERTY_TEXT("serial", "TWX-0001"),
    PROPERTY_END,
};
static const struct property read_only_properties[] = {
    PROPERTY_CELL("size", DISK_SIZE),
    PROPERTY_FLAG("read-only"),
    PROPERTY_END,
};

static void make_disk(struct guest *guest, bool legacy)
{
    guest_make(guest, &(struct setup){.compatible = "virtio,blk",
                                      .legacy = legacy,
                                      .properties = disk_properties});
}

/* What is written is read, in both interfaces, direct and indirect, over any
 * number of pieces. */
Test(virtio_blk, round_trip)
{
    static const struct {
        uint64_t sector;
        uint32_t size;
        uint64_t features;
    } rows[] = {
        {0, SECTOR, 0},
        {0, SECTOR, F_ALL},
        {1, 8 * SECTOR, F_ALL},
        {DISK_SECTORS - 1, SECTOR, F_ALL},
        {DISK_SECTORS - 2048, 2048 * SECTOR, F_ALL}, /* several slices */
        {0, DISK_SIZE, 0},
        {7, 0, F_ALL},
        {DISK_SECTORS, 0, F_ALL},
    };

    for (int legacy = 0; legacy < 2; legacy++) {
        for_each_row (i, rows) {
            struct guest guest;
            uint32_t size = rows[i].size;
            uint32_t len;

            make_disk(&guest, legacy);
            start(&guest, rows[i].features, 16);
            uint64_t from = give(&guest, size, 4096);
            uint64_t to = give(&guest, size, 4096);

            pattern_put(&guest, from, size, 7);
            cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_OUT, rows[i].sector, from,
                                 size, &len),
                         VIRTIO_BLK_S_OK, "row %zu", i);
            cr_expect_eq(len, 1, "row %zu", i);
            cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_IN, rows[i].sector, to,
                                 size, &len),
                         VIRTIO_BLK_S_OK, "row %zu", i);
            cr_expect_eq(len, size + 1, "row %zu", i);
            cr_expect(pattern_is(&guest, to, size, 7), "row %zu", i);
            guest_free(&guest);
        }
    }
}

/* Framing is free: header, data and status may be cut anywhere. */
Test(virtio_blk, any_layout)
{
    static const uint32_t cuts[] = {1, 3, 15, 16, 17, 100, 512, 527, 528};

    for (int indirect = 0; indirect < 2; indirect++) {
        for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
            struct guest guest;

            make_disk(&guest, false);
            start(&guest, F_ALL, 16);
            /* Header and data lie one behind the other. */
            uint64_t at = give(&guest, 16 + SECTOR, 16);
            uint64_t status = give(&guest, 1, 1);
            const struct virtio_blk_outhdr header = {VIRTIO_BLK_T_OUT, 0, 3};
            poke(&guest, at, &header, sizeof(header));
            pattern_put(&guest, at + 16, SECTOR, 9);
            const struct buffer out[] = {
                {at, cuts[i], false},
                {at + cuts[i], 16 + SECTOR - cuts[i], false},
                {status, 1, true},
            };
            if (indirect)
                ring_add_indirect(&guest, 0, out, 3);
            else
                ring_add(&guest, 0, out, 3);
            (void)ring_kick(&guest, 0);
            cr_assert(ring_take(&guest, 0, NULL, NULL));

            /* Data and status likewise. */
            uint64_t read = give(&guest, 16, 16);
            uint64_t to = give(&guest, SECTOR + 1, 16);
            const struct virtio_blk_outhdr in = {VIRTIO_BLK_T_IN, 0, 3};
            uint8_t result = NO_STATUS;
            uint32_t cut = cuts[i] <= SECTOR ? cuts[i] : SECTOR;
            uint32_t len;
            poke(&guest, read, &in, sizeof(in));
            poke(&guest, to + SECTOR, &result, 1);
            const struct buffer chain[] = {
                {read, 16, false},
                {to, cut, true},
                {to + cut, SECTOR + 1 - cut, true},
            };
            if (indirect)
                ring_add_indirect(&guest, 0, chain, 3);
            else
                ring_add(&guest, 0, chain, 3);
            (void)ring_kick(&guest, 0);
            cr_assert(ring_take(&guest, 0, NULL, &len));
            peek(&guest, to + SECTOR, &result, 1);
            cr_expect_eq(result, VIRTIO_BLK_S_OK, "cut %u", cuts[i]);
            cr_expect_eq(len, SECTOR + 1, "cut %u", cuts[i]);
            cr_expect(pattern_is(&guest, to, SECTOR, 9), "cut %u", cuts[i]);
            guest_free(&guest);
        }
    }
}

/* Requests that are answered with an error, and touch nothing. */
Test(virtio_blk, errors)
{
    static const struct {
        const char *what;
        uint32_t type;
        uint64_t sector;
        uint32_t size;
        uint64_t data; /* 0: memory that is there */
        uint8_t status;
        uint64_t without; /* features that are not negotiated */
    } rows[] = {
        {"read behind the end", VIRTIO_BLK_T_IN, DISK_SECTORS, SECTOR, 0,
         VIRTIO_BLK_S_IOERR, 0},
        {"write behind the end", VIRTIO_BLK_T_OUT, DISK_SECTORS, SECTOR, 0,
         VIRTIO_BLK_S_IOERR, 0},
        {"read across the end", VIRTIO_BLK_T_IN, DISK_SECTORS - 1, 2 * SECTOR,
         0, VIRTIO_BLK_S_IOERR, 0},
        {"sector that overflows in bytes", VIRTIO_BLK_T_OUT, UINT64_C(1) << 55,
         SECTOR, 0, VIRTIO_BLK_S_IOERR, 0},
        {"last sector there can be", VIRTIO_BLK_T_OUT, UINT64_MAX, SECTOR, 0,
         VIRTIO_BLK_S_IOERR, 0},
        {"nothing, behind the end", VIRTIO_BLK_T_IN, DISK_SECTORS + 1, 0, 0,
         VIRTIO_BLK_S_IOERR, 0},
        {"part of a sector read", VIRTIO_BLK_T_IN, 0, SECTOR - 1, 0,
         VIRTIO_BLK_S_IOERR, 0},
        {"part of a sector written", VIRTIO_BLK_T_OUT, 0, SECTOR + 1, 0,
         VIRTIO_BLK_S_IOERR, 0},
        {"read to a hole", VIRTIO_BLK_T_IN, 0, SECTOR, HOLE, VIRTIO_BLK_S_IOERR,
         0},
        {"read to read-only memory", VIRTIO_BLK_T_IN, 0, SECTOR, ROM_START,
         VIRTIO_BLK_S_IOERR, 0},
        {"read to the device's registers", VIRTIO_BLK_T_IN, 0, SECTOR,
         DEVICE_START, VIRTIO_BLK_S_IOERR, 0},
        {"write from a hole", VIRTIO_BLK_T_OUT, 0, SECTOR, HOLE,
         VIRTIO_BLK_S_IOERR, 0},
        {"read beyond the end of memory", VIRTIO_BLK_T_IN, 0, 2 * SECTOR,
         RAM_START + RAM_SIZE - SECTOR, VIRTIO_BLK_S_IOERR, 0},
        {"SCSI command", VIRTIO_BLK_T_SCSI_CMD, 0, SECTOR, 0,
         VIRTIO_BLK_S_UNSUPP, 0},
        {"secure erase", VIRTIO_BLK_T_SECURE_ERASE, 0, 16, 0,
         VIRTIO_BLK_S_UNSUPP, 0},
        {"lifetime", GET_LIFETIME, 0, 6, 0, VIRTIO_BLK_S_UNSUPP, 0},
        {"unknown type", 0xffffffff, 0, 0, 0, VIRTIO_BLK_S_UNSUPP, 0},
        {"read with the barrier bit", 0x80000000, 0, SECTOR, 0,
         VIRTIO_BLK_S_UNSUPP, 0},
        {"flush that was not negotiated", VIRTIO_BLK_T_FLUSH, 0, 0, 0,
         VIRTIO_BLK_S_UNSUPP, F(VIRTIO_BLK_F_FLUSH)},
        {"discard that was not negotiated", VIRTIO_BLK_T_DISCARD, 0, 16, 0,
         VIRTIO_BLK_S_UNSUPP, F(VIRTIO_BLK_F_DISCARD)},
        {"zeroes that were not negotiated", VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0,
         VIRTIO_BLK_S_UNSUPP, F(VIRTIO_BLK_F_WRITE_ZEROES)},
    };

    for_each_row (i, rows) {
        struct guest guest;
        uint64_t data = rows[i].data;
        uint32_t len;

        make_disk(&guest, false);
        start(&guest, F_ALL & ~rows[i].without, 16);
        uint64_t before = give(&guest, DISK_SIZE, 4096);
        uint64_t after = give(&guest, DISK_SIZE, 4096);
        pattern_put(&guest, before, DISK_SIZE, 3);
        cr_assert_eq(
            disk_do(&guest, VIRTIO_BLK_T_OUT, 0, before, DISK_SIZE, NULL),
            VIRTIO_BLK_S_OK);
        if (data == 0)
            data = give(&guest, rows[i].size, 4096);

        cr_expect_eq(disk_do(&guest, rows[i].type, rows[i].sector, data,
                             rows[i].size, &len),
                     rows[i].status, "%s", rows[i].what);
        cr_expect_leq(len, 1, "%s", rows[i].what);
        cr_expect(!has_status(&guest, NEEDS_RESET), "%s", rows[i].what);
        if (rows[i].data == 0)
            cr_expect(is_all(&guest, data, rows[i].size, 0), "%s",
                      rows[i].what);
        cr_assert_eq(
            disk_do(&guest, VIRTIO_BLK_T_IN, 0, after, DISK_SIZE, NULL),
            VIRTIO_BLK_S_OK);
        cr_expect(pattern_is(&guest, after, DISK_SIZE, 3), "%s", rows[i].what);
        guest_free(&guest);
    }
}

/* A header that is not there is an error like any other. */
Test(virtio_blk, header_in_a_hole)
{
    struct guest guest;
    struct request request;

    make_disk(&guest, false);
    start(&guest, F_ALL, 16);
    request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    request.buffers[0].at = HOLE;
    ring_add(&guest, 0, request.buffers, request.count);
    (void)ring_kick(&guest, 0);
    cr_expect(ring_take(&guest, 0, NULL, NULL));
    cr_expect_eq(request_status(&guest, &request), VIRTIO_BLK_S_IOERR);
    guest_free(&guest);
}

Test(virtio_blk, read_only)
{
    static const uint32_t types[] = {VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_DISCARD,
                                     VIRTIO_BLK_T_WRITE_ZEROES};
    struct guest guest;

    guest_make(&guest, &(struct setup){.compatible = "virtio,blk",
                                       .properties = read_only_properties});
    start(&guest, F_ALL, 16);
    uint64_t data = give(&guest, SECTOR, 512);
    uint64_t to = give(&guest, SECTOR, 512);
    pattern_put(&guest, data, SECTOR, 1);
    cr_expect(guest.features & F(VIRTIO_BLK_F_RO));
    cr_expect(!(guest.features &
                (F(VIRTIO_BLK_F_DISCARD) | F(VIRTIO_BLK_F_WRITE_ZEROES) |
                 F(VIRTIO_BLK_F_CONFIG_WCE))));
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        cr_expect_neq(disk_do(&guest, types[i], 0, data, SECTOR, NULL),
                      VIRTIO_BLK_S_OK, "type %u", types[i]);
    cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_IN, 0, to, SECTOR, NULL),
                 VIRTIO_BLK_S_OK);
    cr_expect(is_all(&guest, to, SECTOR, 0));
    cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                 VIRTIO_BLK_S_OK);
    guest_free(&guest);
}

/* The specification asks for an I/O error even when the driver has not taken
 * note of RO. */
Test(virtio_blk, write_to_read_only_is_an_io_error)
{
    struct guest guest;

    guest_make(&guest, &(struct setup){.compatible = "virtio,blk",
                                       .properties = read_only_properties});
    start(&guest, 0, 16);
    cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_OUT, 0, give(&guest, SECTOR, 512),
                         SECTOR, NULL),
                 VIRTIO_BLK_S_IOERR);
    guest_free(&guest);
}

Test(virtio_blk, get_id)
{
    static const struct {
        uint32_t size;
        uint32_t len;
    } rows[] = {{20, 21}, {32, 20}, {3, 4}, {0, 1}};
    static const char id[20] = "TWX-0001";

    for_each_row (i, rows) {
        struct guest guest;
        char got[32] = {0};
        uint32_t len;

        make_disk(&guest, false);
        start(&guest, F_ALL, 16);
        uint64_t data = give(&guest, sizeof(got), 16);
        memset(got, '?', sizeof(got));
        poke(&guest, data, got, sizeof(got));
        cr_expect_eq(
            disk_do(&guest, VIRTIO_BLK_T_GET_ID, 0, data, rows[i].size, &len),
            VIRTIO_BLK_S_OK);
        cr_expect_eq(len, rows[i].len, "row %zu: %u", i, len);
        peek(&guest, data, got, sizeof(got));
        uint32_t valid = rows[i].size < 20 ? rows[i].size : 20;
        cr_expect_eq(memcmp(got, id, valid), 0, "row %zu", i);
        cr_expect_eq(got[valid], '?', "row %zu", i);
        guest_free(&guest);
    }
}

struct range {
    uint64_t sector;
    uint32_t sectors;
    uint32_t flags;
};

/* Discard and write-zeroes: what they clear, and when they do nothing. */
Test(virtio_blk, clearing)
{
    static const struct {
        const char *what;
        uint32_t type;
        unsigned count;
        uint32_t size; /* of the data; 0: count ranges */
        struct range ranges[2];
        uint8_t status;
    } rows[] = {
        {"discard", VIRTIO_BLK_T_DISCARD, 1, 0, {{2, 3, 0}}, VIRTIO_BLK_S_OK},
        {"zeroes",
         VIRTIO_BLK_T_WRITE_ZEROES,
         1,
         0,
         {{2, 3, 0}},
         VIRTIO_BLK_S_OK},
        {"zeroes that may unmap",
         VIRTIO_BLK_T_WRITE_ZEROES,
         1,
         0,
         {{2, 3, 1}},
         VIRTIO_BLK_S_OK},
        {"two ranges",
         VIRTIO_BLK_T_DISCARD,
         2,
         0,
         {{0, 1, 0}, {5, 2, 0}},
         VIRTIO_BLK_S_OK},
        {"the whole disk, in slices",
         VIRTIO_BLK_T_WRITE_ZEROES,
         2,
         0,
         {{0, 2000, 0}, {2000, DISK_SECTORS - 2000, 0}},
         VIRTIO_BLK_S_OK},
        {"nothing",
         VIRTIO_BLK_T_DISCARD,
         1,
         0,
         {{DISK_SECTORS, 0, 0}},
         VIRTIO_BLK_S_OK},
        {"discard that unmaps",
         VIRTIO_BLK_T_DISCARD,
         1,
         0,
         {{2, 3, 1}},
         VIRTIO_BLK_S_UNSUPP},
        {"unknown flag",
         VIRTIO_BLK_T_WRITE_ZEROES,
         1,
         0,
         {{2, 3, 2}},
         VIRTIO_BLK_S_UNSUPP},
        {"behind the end",
         VIRTIO_BLK_T_DISCARD,
         1,
         0,
         {{DISK_SECTORS - 1, 2, 0}},
         VIRTIO_BLK_S_IOERR},
        {"second range behind the end",
         VIRTIO_BLK_T_WRITE_ZEROES,
         2,
         0,
         {{0, 1, 0}, {DISK_SECTORS, 1, 0}},
         VIRTIO_BLK_S_IOERR},
        {"sector that overflows",
         VIRTIO_BLK_T_DISCARD,
         1,
         0,
         {{UINT64_MAX, 2, 0}},
         VIRTIO_BLK_S_IOERR},
        {"too large a range",
         VIRTIO_BLK_T_DISCARD,
         1,
         0,
         {{0, UINT32_MAX, 0}},
         VIRTIO_BLK_S_IOERR},
        {"half a range",
         VIRTIO_BLK_T_DISCARD,
         1,
         24,
         {{0, 1, 0}, {1, 1, 0}},
         VIRTIO_BLK_S_IOERR},
        {"no range",
         VIRTIO_BLK_T_WRITE_ZEROES,
         1,
         8,
         {{0, 1, 0}},
         VIRTIO_BLK_S_IOERR},
        {"too many ranges",
         VIRTIO_BLK_T_DISCARD,
         1,
         17 * 16,
         {{0, 1, 0}},
         VIRTIO_BLK_S_IOERR},
    };

    for_each_row (i, rows) {
        struct guest guest;
        const uint32_t bytes = DISK_SIZE;

        make_disk(&guest, false);
        start(&guest, F_ALL, 16);
        uint64_t disk = give(&guest, bytes, 4096);
        uint64_t ranges = give(&guest, 1024, 16);
        pattern_put(&guest, disk, bytes, 5);
        cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_OUT, 0, disk, bytes, NULL),
                     VIRTIO_BLK_S_OK);
        poke(&guest, ranges, rows[i].ranges, sizeof(rows[i].ranges));
        cr_expect_eq(
            disk_do(&guest, rows[i].type, 0, ranges,
                    rows[i].size != 0 ? rows[i].size : rows[i].count * 16,
                    NULL),
            rows[i].status, "%s", rows[i].what);

        /* The disk as it should be now, in the guest's copy. */
        for (unsigned n = 0; n < rows[i].count; n++) {
            static const uint8_t zeroes[SECTOR];
            const struct range *range = &rows[i].ranges[n];
            for (uint64_t s = 0;
                 rows[i].status == VIRTIO_BLK_S_OK && s < range->sectors; s++)
                poke(&guest, disk + (range->sector + s) * SECTOR, zeroes,
                     SECTOR);
        }
        uint64_t now = give(&guest, bytes, 4096);
        static uint8_t want[DISK_SIZE], got[DISK_SIZE];
        cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_IN, 0, now, bytes, NULL),
                     VIRTIO_BLK_S_OK);
        peek(&guest, disk, want, bytes);
        peek(&guest, now, got, bytes);
        cr_expect_eq(memcmp(want, got, bytes), 0, "%s", rows[i].what);
        guest_free(&guest);
    }
}

/* The disk outlives the driver and the power. */
Test(virtio_blk, content_survives_resets)
{
    struct guest guest;
    uint64_t data, to;

    make_disk(&guest, false);
    start(&guest, F_ALL, 16);
    data = give(&guest, SECTOR, 512);
    to = give(&guest, SECTOR, 512);
    pattern_put(&guest, data, SECTOR, 11);
    cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_OUT, 9, data, SECTOR, NULL),
                 VIRTIO_BLK_S_OK);
    device_set_reset(&guest.devices);
    start(&guest, F_ALL, 16);
    cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_IN, 9, to, SECTOR, NULL),
                 VIRTIO_BLK_S_OK);
    cr_expect(pattern_is(&guest, to, SECTOR, 11));
    guest_free(&guest);
}

#define BUNDLE_SIZE  (UINT64_C(64) * 1024)
#define BUNDLE_START 4096

static void make_bundled(struct guest *guest, bool read_only)
{
    const struct property properties[] = {
        PROPERTY_CELL("data-offset", BUNDLE_START),
        PROPERTY_CELL("data-size", 8 * SECTOR),
        {read_only ? "read-only" : "writable", "", 0},
        PROPERTY_END,
    };
    const char *what;

    cr_assert_eq(guest_try(guest,
                           &(struct setup){.compatible = "virtio,blk",
                                           .properties = properties},
                           BUNDLE_SIZE, &what),
                 OK);
}

/* A disk that came with the VM: its content, and nothing of its neighbours. */
Test(virtio_blk, disk_in_the_bundle)
{
    struct guest guest;
    uint32_t words[8 * SECTOR / 4];
    uint64_t data;
    const uint32_t *bundle;

    make_bundled(&guest, false);
    start(&guest, F_ALL, 16);
    data = give(&guest, sizeof(words), 4096);
    cr_assert_eq(config(&guest, 0, 8), 8);
    cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_IN, 0, data, sizeof(words), NULL),
                 VIRTIO_BLK_S_OK);
    peek(&guest, data, words, sizeof(words));
    for (uint32_t i = 0; i < ARRAY_SIZE(words); i++)
        cr_assert_eq(words[i], BUNDLE_START + i * 4);
    pattern_put(&guest, data, sizeof(words), 2);
    cr_assert_eq(
        disk_do(&guest, VIRTIO_BLK_T_OUT, 0, data, sizeof(words), NULL),
        VIRTIO_BLK_S_OK);
    bundle = memory_phys_to_virt(guest.images);
    for (uint32_t at = 0; at < BUNDLE_SIZE; at += 4) {
        bool inside = at >= BUNDLE_START && at < BUNDLE_START + sizeof(words);
        if (!inside)
            cr_assert_eq(bundle[at / 4], at);
    }
    cr_expect_neq(bundle[BUNDLE_START / 4], BUNDLE_START);
    guest_free(&guest);
}

Test(virtio_blk, read_only_disk_in_the_bundle)
{
    struct guest guest;
    const uint32_t *bundle;

    make_bundled(&guest, true);
    start(&guest, F_ALL, 16);
    cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_OUT, 0, give(&guest, SECTOR, 512),
                         SECTOR, NULL),
                 VIRTIO_BLK_S_IOERR);
    bundle = memory_phys_to_virt(guest.images);
    for (uint32_t at = 0; at < BUNDLE_SIZE; at += 4)
        cr_assert_eq(bundle[at / 4], at);
    guest_free(&guest);
}

/* One notification moves one slice; the answer comes with the last. */
Test(virtio_blk, large_requests_come_in_slices)
{
    struct guest guest;
    struct request request;
    uint64_t data;

    make_disk(&guest, false);
    start(&guest, F_ALL, 16);
    data = give(&guest, DISK_SIZE, 4096);
    pattern_put(&guest, data, DISK_SIZE, 4);
    cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_OUT, 0, data, DISK_SIZE, NULL),
                 VIRTIO_BLK_S_OK);

    uint64_t to = give(&guest, DISK_SIZE, 4096);
    request = request_make(&guest, VIRTIO_BLK_T_IN, 0, to, DISK_SIZE);
    ring_add(&guest, 0, request.buffers, request.count);
    for (uint32_t done = SLICE; done < DISK_SIZE; done += SLICE) {
        cr_assert(ring_kick_once(&guest, 0));
        cr_assert(pattern_is(&guest, to, done, 4));
        cr_assert(is_all(&guest, to + done, DISK_SIZE - done, 0));
        cr_assert(!ring_take(&guest, 0, NULL, NULL));
    }
    cr_expect(!ring_kick_once(&guest, 0));
    cr_expect(ring_take(&guest, 0, NULL, NULL));
    cr_expect_eq(request_status(&guest, &request), VIRTIO_BLK_S_OK);
    cr_expect(pattern_is(&guest, to, DISK_SIZE, 4));
    guest_free(&guest);
}

/* A request that the guest changes between two slices, into one ... */
Test(virtio_blk, request_changes_between_slices)
{
    static const struct {
        const char *what;
        uint32_t type;
        uint32_t size;
        uint64_t sector;
        uint8_t status;
    } rows[] = {
        {"that is shorter than what is done", VIRTIO_BLK_T_IN, SECTOR, 0,
         VIRTIO_BLK_S_IOERR},
        {"that ends where it has got to", VIRTIO_BLK_T_IN, SLICE, 0,
         VIRTIO_BLK_S_OK},
        {"that leaves the disk", VIRTIO_BLK_T_IN, DISK_SIZE, 1,
         VIRTIO_BLK_S_IOERR},
        {"of another type", VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_OK},
        {"that writes", VIRTIO_BLK_T_OUT, SECTOR, 0, VIRTIO_BLK_S_IOERR},
        {"that clears less", VIRTIO_BLK_T_DISCARD, 16, 0, VIRTIO_BLK_S_IOERR},
    };

    for_each_row (i, rows) {
        struct guest guest;
        struct request request, other;
        uint64_t data;

        make_disk(&guest, false);
        start(&guest, F_ALL, 16);
        data = give(&guest, DISK_SIZE, 4096);
        request = request_make(&guest, VIRTIO_BLK_T_IN, 0, data, DISK_SIZE);
        ring_add(&guest, 0, request.buffers, request.count);
        cr_assert(ring_kick_once(&guest, 0));

        const struct range range = {0, 1, 0};
        uint64_t changed = give(&guest, DISK_SIZE, 4096);
        poke(&guest, changed, &range, sizeof(range));
        other = request_make(&guest, rows[i].type, rows[i].sector, changed,
                             rows[i].size);
        guest.rings[0].free = 0;
        guest.rings[0].avail_idx = 0;
        ring_add(&guest, 0, other.buffers, other.count);
        (void)ring_kick(&guest, 0);
        cr_expect(ring_take(&guest, 0, NULL, NULL), "%s", rows[i].what);
        cr_expect_eq(request_status(&guest, &other), rows[i].status, "%s: %u",
                     rows[i].what, request_status(&guest, &other));
        /* The next request starts at its start. */
        pattern_put(&guest, changed, SECTOR, 8);
        cr_expect_eq(
            disk_do(&guest, VIRTIO_BLK_T_OUT, 4, changed, SECTOR, NULL),
            VIRTIO_BLK_S_OK);
        cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_IN, 4, data, SECTOR, NULL),
                     VIRTIO_BLK_S_OK);
        cr_expect(pattern_is(&guest, data, SECTOR, 8), "%s", rows[i].what);
        guest_free(&guest);
    }
}
