/* SPDX-License-Identifier: Apache-2.0 */
/* Initialization: device status and features, step by step. */
#include "disk.h"
#include "support/rows.h"

/* A modern driver's way through the device status: each step needs the one
 * before, and only a reset goes back. 0 in `writes` ends them. */
Test(virtio_mmio, status_steps)
{
    static const struct {
        uint32_t writes[6];
        uint32_t status;
    } rows[] = {
        {{ACKNOWLEDGE}, ACKNOWLEDGE},
        {{DRIVER}, 0},
        {{DRIVER_OK}, 0},
        {{FEATURES_OK}, 0},
        {{ACKNOWLEDGE, DRIVER}, 3},
        {{ACKNOWLEDGE, FEATURES_OK}, 1},
        {{ACKNOWLEDGE, DRIVER, DRIVER_OK}, 3},
        {{1, 3, 11}, 11},
        {{1, 3, 11, 15}, 15},
        {{15}, 15},
        {{1, 2, 8, 4}, 15}, /* bits are not cleared */
        {{1, 3, 11, 15, 1}, 15},
        {{NEEDS_RESET}, 0},
        {{16}, 0},
        {{32}, 0},
        {{FAILED}, FAILED},
        {{1, 3, 11, 15, FAILED}, 15 | FAILED},
        {{0xffffffff}, 15 | FAILED},
        {{0x100}, 0}, /* not zero: no reset, and no bit */
        {{1, 3, 0x100}, 3},
    };

    for_each_row (i, rows) {
        struct guest guest;

        make_small_disk(&guest, false);
        accept_word(&guest, VERSION_1_WORD, VERSION_1_BIT);
        for (size_t n = 0; n < 6 && rows[i].writes[n] != 0; n++)
            set_status(&guest, rows[i].writes[n]);
        cr_expect_eq(status(&guest), rows[i].status, "row %zu: 0x%x", i,
                     status(&guest));
        set_status(&guest, 0);
        cr_expect_eq(status(&guest), 0);
        guest_free(&guest);
    }
}

/* A legacy driver may take its steps as it likes; FEATURES_OK and
 * DEVICE_NEEDS_RESET are not known. */
Test(virtio_mmio, legacy_status)
{
    static const struct {
        uint32_t writes[3];
        uint32_t status;
    } rows[] = {
        {{1, 3, 7}, 7},
        {{4}, 4},
        {{FEATURES_OK}, 0},
        {{0xff}, 7 | FAILED},
    };

    for_each_row (i, rows) {
        struct guest guest;

        make_small_disk(&guest, true);
        for (size_t n = 0; n < 3 && rows[i].writes[n] != 0; n++)
            set_status(&guest, rows[i].writes[n]);
        cr_expect_eq(status(&guest), rows[i].status, "row %zu", i);
        set_status(&guest, 0);
        cr_expect_eq(status(&guest), 0);
        guest_free(&guest);
    }
}

/* FEATURES_OK stays clear for features that were not offered, and without
 * VERSION_1; a driver may think again. */
Test(virtio_mmio, features_ok)
{
    static const struct {
        const char *what;
        uint32_t word;
        uint32_t features;
        uint32_t version_1;
        bool ok;
        bool retry_ok; /* a second try, with nothing but VERSION_1 */
    } rows[] = {
        {"nothing but VERSION_1", 0, 0, VERSION_1_BIT, true, true},
        {"all of word 0", 0, 0x30006e46, VERSION_1_BIT, true, true},
        {"RING_RESET", 1, (uint32_t)(F_RING_RESET >> 32) | VERSION_1_BIT,
         (uint32_t)(F_RING_RESET >> 32) | VERSION_1_BIT, true, true},
        {"no VERSION_1", 0, 0x30006e46, 0, false, true},
        {"a feature of the type", 0, 1U << VIRTIO_BLK_F_MQ, VERSION_1_BIT,
         false, true},
        {"ANY_LAYOUT", 0, 1U << 27, VERSION_1_BIT, false, true},
        {"PACKED", 1, VERSION_1_BIT | 4, VERSION_1_BIT | 4, false, true},
        {"bit 63", 1, VERSION_1_BIT | 0x80000000, VERSION_1_BIT | 0x80000000,
         false, true},
        {"nothing of word 2", 2, 0, VERSION_1_BIT, true, true},
        {"something of word 2", 2, 1, VERSION_1_BIT, false, false},
        {"something of the last word", UINT32_MAX, 1, VERSION_1_BIT, false,
         false},
    };

    for_each_row (i, rows) {
        struct guest guest;

        make_small_disk(&guest, false);
        set_status(&guest, ACKNOWLEDGE);
        set_status(&guest, ACKNOWLEDGE | DRIVER);
        accept_word(&guest, rows[i].word, rows[i].features);
        accept_word(&guest, VERSION_1_WORD, rows[i].version_1);
        set_status(&guest, ACKNOWLEDGE | DRIVER | FEATURES_OK);
        cr_expect_eq(has_status(&guest, FEATURES_OK), rows[i].ok, "%s",
                     rows[i].what);
        set_status(&guest, ALL_OK);
        cr_expect_eq(has_status(&guest, DRIVER_OK), rows[i].ok, "%s",
                     rows[i].what);
        cr_expect(!has_status(&guest, FAILED), "%s", rows[i].what);
        /* Another try, with what is there. */
        accept_word(&guest, 0, 0);
        accept_word(&guest, 1, VERSION_1_BIT);
        set_status(&guest, ACKNOWLEDGE | DRIVER | FEATURES_OK);
        cr_expect_eq(has_status(&guest, FEATURES_OK), rows[i].retry_ok, "%s",
                     rows[i].what);
        set_status(&guest, 0);
        start(&guest, F_ALL, 8);
        cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                     VIRTIO_BLK_S_OK);
        guest_free(&guest);
    }
}

/* What was accepted stands from FEATURES_OK on, in the legacy interface from
 * DRIVER_OK on. */
Test(virtio_mmio, features_are_fixed)
{
    for (int legacy = 0; legacy < 2; legacy++) {
        struct guest guest;

        make_small_disk(&guest, legacy);
        start(&guest, 0, 8);
        accept_word(&guest, 0, 1U << VIRTIO_BLK_F_FLUSH);
        cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                     VIRTIO_BLK_S_UNSUPP);
        guest_free(&guest);
    }
}

/* A legacy driver that accepts what was not offered does not get it. */
Test(virtio_mmio, legacy_features_are_masked)
{
    struct guest guest;

    make_small_disk(&guest, true);
    set_reg(&guest, VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096);
    set_status(&guest, 3);
    accept_word(&guest, 0, UINT32_MAX);
    accept_word(&guest, 1, UINT32_MAX);
    ring_place(&guest, 0, 8);
    ring_enable(&guest, 0);
    set_status(&guest, 7);
    cr_expect_eq(status(&guest), 7);
    cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                 VIRTIO_BLK_S_OK);
    cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_SECURE_ERASE, 0, 0, 0, NULL),
                 VIRTIO_BLK_S_UNSUPP);
    guest_free(&guest);
}

/* Whether a notification is acted on, by the status that has been reached. */
Test(virtio_mmio, when_queues_live)
{
    static const struct {
        bool legacy;
        uint32_t status;
        bool live;
    } rows[] = {
        {false, 0, false},
        {false, 3, false},
        {false, 11, false},
        {false, 15, true},
        {false, 15 | FAILED, false},
        {true, 0, true},
        {true, 3, true},
        {true, 7, true},
        {true, 7 | FAILED, false},
    };

    for_each_row (i, rows) {
        struct guest guest;

        make_small_disk(&guest, rows[i].legacy);
        set_reg(&guest, VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096);
        accept_word(&guest, 1, VERSION_1_BIT);
        accept_word(&guest, 0, 1U << VIRTIO_BLK_F_FLUSH);
        ring_place(&guest, 0, 8);
        ring_enable(&guest, 0);
        if (rows[i].status != 0)
            set_status(&guest, rows[i].status);
        cr_assert_eq(status(&guest), rows[i].status);
        struct request request =
            request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
        ring_add(&guest, 0, request.buffers, request.count);
        (void)ring_kick(&guest, 0);
        cr_expect_eq(ring_take(&guest, 0, NULL, NULL), rows[i].live, "row %zu",
                     i);
        cr_expect_eq(guest.line, rows[i].live, "row %zu", i);
        guest_free(&guest);
    }
}
