/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of both interfaces, and the states they lead through. */
#include "disk.h"
#include "support/rows.h"

#define QUEUE_NUM_MAX 128

/* Every place of the register page, after power-on. Write-only registers and
 * holes read as 0. */
Test(virtio_mmio, reset_values)
{
    static const struct {
        uint64_t offset;
        uint32_t modern;
        uint32_t legacy;
    } rows[] = {
        {VIRTIO_MMIO_MAGIC_VALUE, 0x74726976, 0x74726976},
        {VIRTIO_MMIO_VERSION, 2, 1},
        {VIRTIO_MMIO_DEVICE_ID, VIRTIO_ID_BLOCK, VIRTIO_ID_BLOCK},
        {VIRTIO_MMIO_VENDOR_ID, 0x584e5754, 0x584e5754},
        {VIRTIO_MMIO_DEVICE_FEATURES, 0x30006e46, 0x38006e46},
        {VIRTIO_MMIO_QUEUE_NUM_MAX, QUEUE_NUM_MAX, QUEUE_NUM_MAX},
        {VIRTIO_MMIO_SHM_LEN_LOW, UINT32_MAX, 0},
        {VIRTIO_MMIO_SHM_LEN_HIGH, UINT32_MAX, 0},
        {VIRTIO_MMIO_SHM_BASE_LOW, UINT32_MAX, 0},
        {VIRTIO_MMIO_SHM_BASE_HIGH, UINT32_MAX, 0},
    };

    for (int legacy = 0; legacy < 2; legacy++) {
        struct guest guest;

        make_small_disk(&guest, legacy);
        for (uint64_t offset = 0; offset < VIRTIO_MMIO_CONFIG; offset += 4) {
            uint32_t expected = 0;
            for_each_row (i, rows) {
                if (rows[i].offset == offset)
                    expected = legacy ? rows[i].legacy : rows[i].modern;
            }
            cr_expect_eq(reg(&guest, offset), expected, "0x%llx: 0x%x",
                         (unsigned long long)offset, reg(&guest, offset));
        }
        cr_expect(!guest.line);
        guest_free(&guest);
    }
}

/* Writing to what is read-only, or is not there, changes nothing. */
Test(virtio_mmio, read_only_registers)
{
    static const uint32_t offsets[] = {
        VIRTIO_MMIO_MAGIC_VALUE,
        VIRTIO_MMIO_VERSION,
        VIRTIO_MMIO_DEVICE_ID,
        VIRTIO_MMIO_VENDOR_ID,
        VIRTIO_MMIO_DEVICE_FEATURES,
        VIRTIO_MMIO_QUEUE_NUM_MAX,
        VIRTIO_MMIO_INTERRUPT_STATUS,
        VIRTIO_MMIO_SHM_LEN_LOW,
        VIRTIO_MMIO_SHM_BASE_HIGH,
        VIRTIO_MMIO_CONFIG_GENERATION,
        VIRTIO_MMIO_SHM_SEL,
        0x018,
        0x01c,
        0x02c,
        0x048,
        0x0fc,
    };

    for (int legacy = 0; legacy < 2; legacy++) {
        for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
            struct guest guest;

            make_small_disk(&guest, legacy);
            uint32_t before = reg(&guest, offsets[i]);
            set_reg(&guest, offsets[i], 0x55aa55aa);
            cr_expect_eq(reg(&guest, offsets[i]), before, "0x%x", offsets[i]);
            cr_expect_eq(status(&guest), 0, "0x%x", offsets[i]);
            guest_free(&guest);
        }
    }
}

/* Registers are 32 bits wide. */
Test(virtio_mmio, widths)
{
    static const unsigned widths[] = {1, 2, 8};
    struct guest guest;

    make_small_disk(&guest, false);
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        struct bus *bus = &guest.devices.buses[BUS_MMIO];
        uint64_t value = 1;

        cr_expect_eq(bus_read(bus, DEVICE_START, widths[i], &value), OK);
        cr_expect_eq(value, 0, "width %u", widths[i]);
        cr_expect_eq(bus_write(bus, DEVICE_START + VIRTIO_MMIO_STATUS,
                               widths[i], ACKNOWLEDGE),
                     OK);
        cr_expect_eq(status(&guest), 0, "width %u", widths[i]);
    }
    guest_free(&guest);
}

/* The features offered, by word. */
Test(virtio_mmio, offered_features)
{
    static const struct {
        uint32_t word;
        uint32_t modern;
        uint32_t legacy;
    } rows[] = {
        {0, 0x30006e46, 0x38006e46},
        {1, VERSION_1_BIT | (uint32_t)(F_RING_RESET >> 32), 0},
        {2, 0, 0},
        {31, 0, 0},
        {32, 0, 0},
        {UINT32_MAX, 0, 0},
    };

    for (int legacy = 0; legacy < 2; legacy++) {
        struct guest guest;

        make_small_disk(&guest, legacy);
        for_each_row (i, rows)
            cr_expect_eq(offered_word(&guest, rows[i].word),
                         legacy ? rows[i].legacy : rows[i].modern, "word %u",
                         rows[i].word);
        guest_free(&guest);
    }
}

/* Queues that a driver may not set up: they stay off, and a reset is asked
 * for; the interrupt waits for DRIVER_OK. */
Test(virtio_mmio, bad_queue_set_up)
{
    static const struct {
        const char *what;
        uint32_t num;
        uint64_t desc, avail, used;
    } rows[] = {
        {"size 0", 0, RAM_START, RAM_START, RAM_START},
        {"no power of two", 6, RAM_START, RAM_START, RAM_START},
        {"above the maximum", 256, RAM_START, RAM_START, RAM_START},
        {"huge", 0x80000000, RAM_START, RAM_START, RAM_START},
        {"larger than 16 bits", 0x10008, RAM_START, RAM_START, RAM_START},
        {"descriptors misaligned", 8, RAM_START + 8, RAM_START, RAM_START},
        {"available ring misaligned", 8, RAM_START, RAM_START + 1, RAM_START},
        {"used ring misaligned", 8, RAM_START, RAM_START, RAM_START + 2},
        {"descriptors wrap", 8, UINT64_MAX - 15, RAM_START, RAM_START},
        {"available ring wraps", 8, RAM_START, UINT64_MAX - 1, RAM_START},
        {"used ring wraps", 8, RAM_START, RAM_START, UINT64_MAX - 3},
    };

    for_each_row (i, rows) {
        struct guest guest;

        make_small_disk(&guest, false);
        negotiate(&guest, F_ALL);
        guest.rings[0] = (struct ring){
            .size = 8,
            .desc = rows[i].desc,
            .avail = rows[i].avail,
            .used = rows[i].used,
        };
        /* ring_enable() writes a size of 16 bits. */
        set_reg(&guest, VIRTIO_MMIO_QUEUE_SEL, 0);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)rows[i].desc);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_DESC_HIGH,
                (uint32_t)(rows[i].desc >> 32));
        set_reg(&guest, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)rows[i].avail);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
                (uint32_t)(rows[i].avail >> 32));
        set_reg(&guest, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)rows[i].used);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_USED_HIGH,
                (uint32_t)(rows[i].used >> 32));
        set_reg(&guest, VIRTIO_MMIO_QUEUE_NUM, rows[i].num);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_READY, 1);
        cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_READY), 0, "%s",
                     rows[i].what);
        cr_expect(has_status(&guest, NEEDS_RESET), "%s", rows[i].what);
        cr_expect(!guest.line, "%s", rows[i].what);
        set_status(&guest, ALL_OK);
        cr_expect(guest.line, "%s", rows[i].what);
        cr_expect_eq(reg(&guest, VIRTIO_MMIO_INTERRUPT_STATUS),
                     VIRTIO_MMIO_INT_CONFIG);
        start(&guest, F_ALL, 8);
        cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                     VIRTIO_BLK_S_OK, "%s", rows[i].what);
        guest_free(&guest);
    }
}

/* The same in the legacy interface, where no bit tells. */
Test(virtio_mmio, bad_legacy_queue_set_up)
{
    static const struct {
        const char *what;
        uint32_t page, num, align, pfn;
        bool good;
    } rows[] = {
        {"good", 4096, 8, 4096, RAM_START / 4096, true},
        {"other page size", 65536, 8, 4096, RAM_START / 65536, true},
        {"small alignment", 4096, 8, 4, RAM_START / 4096, true},
        {"no page size", 0, 8, 4096, RAM_START / 4096, false},
        {"odd page size", 4097, 8, 4096, RAM_START / 4096, false},
        {"no alignment", 4096, 8, 0, RAM_START / 4096, false},
        {"odd alignment", 4096, 8, 3, RAM_START / 4096, false},
        {"too small an alignment", 4096, 8, 2, RAM_START / 4096, false},
        {"size 0", 4096, 0, 4096, RAM_START / 4096, false},
        {"too large", 4096, 256, 4096, RAM_START / 4096, false},
        {"huge", 4096, 0x80000000, 4096, RAM_START / 4096, false},
    };

    for_each_row (i, rows) {
        struct guest guest;

        make_small_disk(&guest, true);
        set_reg(&guest, VIRTIO_MMIO_GUEST_PAGE_SIZE, rows[i].page);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_NUM, rows[i].num);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_ALIGN, rows[i].align);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_PFN, rows[i].pfn);
        cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_PFN),
                     rows[i].good ? rows[i].pfn : 0, "%s", rows[i].what);
        cr_expect_eq(status(&guest), 0);
        /* A running queue is not moved, but can be taken away. */
        set_reg(&guest, VIRTIO_MMIO_QUEUE_PFN, 0x1234);
        cr_expect_neq(reg(&guest, VIRTIO_MMIO_QUEUE_PFN), 0x1234);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_PFN, 0);
        cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_PFN), 0);
        start(&guest, F_ALL, 8);
        cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                     VIRTIO_BLK_S_OK, "%s", rows[i].what);
        guest_free(&guest);
    }
}

/* Linux writes GuestPageSize before its first reset. */
Test(virtio_mmio, page_size_survives_the_drivers_reset)
{
    struct guest guest;

    make_small_disk(&guest, true);
    set_reg(&guest, VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096);
    set_status(&guest, 0);
    ring_place(&guest, 0, 8);
    ring_enable(&guest, 0);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_PFN),
                 guest.rings[0].desc / 4096);
    guest_free(&guest);
}

/* ... but not the power's. */
Test(virtio_mmio, page_size_after_power_on)
{
    struct guest guest;

    make_small_disk(&guest, true);
    set_reg(&guest, VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096);
    device_set_reset(&guest.devices);
    ring_place(&guest, 0, 8);
    ring_enable(&guest, 0);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_PFN), 0);
    guest_free(&guest);
}

/* A legacy queue may lie above 4 GiB: where there is no memory here, although
 * there would be at the lower 32 bits of its address. */
Test(virtio_mmio, page_number_above_4_gib)
{
    struct guest guest;
    struct request request;
    uint32_t pfn;

    make_small_disk(&guest, true);
    start(&guest, F_ALL, 8);
    set_reg(&guest, VIRTIO_MMIO_QUEUE_SEL, 0);
    pfn = reg(&guest, VIRTIO_MMIO_QUEUE_PFN) + 0x100000;
    set_reg(&guest, VIRTIO_MMIO_QUEUE_PFN, 0);
    set_reg(&guest, VIRTIO_MMIO_QUEUE_NUM, 8);
    set_reg(&guest, VIRTIO_MMIO_QUEUE_PFN, pfn);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_PFN), pfn);
    request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    ring_add(&guest, 0, request.buffers, request.count);
    (void)ring_kick(&guest, 0);
    cr_expect_eq(request_status(&guest, &request), NO_STATUS);
    guest_free(&guest);
}

/* Queues that are not there. */
Test(virtio_mmio, missing_queues)
{
    static const uint32_t queues[] = {1, 2, 0x10000, UINT32_MAX};

    for (int legacy = 0; legacy < 2; legacy++) {
        for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
            struct guest guest;

            make_small_disk(&guest, legacy);
            start(&guest, F_ALL, 8);
            set_reg(&guest, VIRTIO_MMIO_QUEUE_SEL, queues[i]);
            cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
            set_reg(&guest, VIRTIO_MMIO_QUEUE_NUM, 8);
            set_reg(&guest, VIRTIO_MMIO_QUEUE_ALIGN, 4096);
            set_reg(&guest, VIRTIO_MMIO_QUEUE_PFN, 1);
            set_reg(&guest, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
            set_reg(&guest, VIRTIO_MMIO_QUEUE_READY, 1);
            set_reg(&guest, QUEUE_RESET, 1);
            set_reg(&guest, VIRTIO_MMIO_QUEUE_NOTIFY, queues[i]);
            cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_READY), 0);
            cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_PFN), 0);
            cr_expect(!has_status(&guest, NEEDS_RESET));
            cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                         VIRTIO_BLK_S_OK);
            guest_free(&guest);
        }
    }
}

/* A ready queue's set-up does not change, nor is it made ready once more:
 * what has been answered is not answered again. */
Test(virtio_mmio, ready_queue_is_fixed)
{
    const uint8_t no_status = NO_STATUS;
    struct guest guest;
    struct request request;

    make_small_disk(&guest, false);
    start(&guest, F_ALL, 8);
    request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    ring_add(&guest, 0, request.buffers, request.count);
    (void)ring_kick(&guest, 0);
    cr_assert(ring_take(&guest, 0, NULL, NULL));
    poke(&guest, request.status, &no_status, 1);

    set_reg(&guest, VIRTIO_MMIO_QUEUE_SEL, 0);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_READY), 1);
    set_reg(&guest, VIRTIO_MMIO_QUEUE_NUM, 3);
    for (uint64_t offset = VIRTIO_MMIO_QUEUE_DESC_LOW;
         offset <= VIRTIO_MMIO_QUEUE_USED_HIGH; offset += 4)
        set_reg(&guest, offset, 0xdead0000);
    set_reg(&guest, VIRTIO_MMIO_QUEUE_READY, 1);
    cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                 VIRTIO_BLK_S_OK);
    cr_expect_eq(request_status(&guest, &request), NO_STATUS);
    guest_free(&guest);
}

/* The ways in which a driver stops a queue; each lets it start anew, with
 * other rings, from index 0. */
Test(virtio_mmio, stopped_queue)
{
    static const struct {
        const char *what;
        uint64_t reg;
        uint32_t value;
        uint64_t without;
        bool legacy;
        bool stops;
    } rows[] = {
        {"QueueReady", VIRTIO_MMIO_QUEUE_READY, 0, 0, false, true},
        {"QueueReset", QUEUE_RESET, 1, 0, false, true},
        {"QueueReset with 2", QUEUE_RESET, 2, 0, false, false},
        {"QueueReset, not negotiated", QUEUE_RESET, 1, F_RING_RESET, false,
         false},
        {"QueueReset, legacy", QUEUE_RESET, 1, 0, true, false},
        {"QueuePFN", VIRTIO_MMIO_QUEUE_PFN, 0, 0, true, true},
    };

    for_each_row (i, rows) {
        struct guest guest;
        struct request request;

        make_small_disk(&guest, rows[i].legacy);
        start(&guest, F_ALL & ~rows[i].without, 8);
        cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                     VIRTIO_BLK_S_OK);
        set_reg(&guest, VIRTIO_MMIO_QUEUE_SEL, 0);
        set_reg(&guest, rows[i].reg, rows[i].value);
        cr_expect_eq(reg(&guest, QUEUE_RESET), 0);
        request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
        ring_add(&guest, 0, request.buffers, request.count);
        (void)ring_kick(&guest, 0);
        cr_expect_eq(ring_take(&guest, 0, NULL, NULL), !rows[i].stops, "%s",
                     rows[i].what);
        if (rows[i].stops) {
            set_reg(&guest, VIRTIO_MMIO_INTERRUPT_ACK, 3);
            ring_place(&guest, 0, 16);
            ring_enable(&guest, 0);
            cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                         VIRTIO_BLK_S_OK, "%s", rows[i].what);
            cr_expect(guest.line, "%s", rows[i].what);
        }
        cr_expect(!has_status(&guest, NEEDS_RESET));
        guest_free(&guest);
    }
}

/* The line is high while a bit of InterruptStatus is set; only the bits that
 * are acknowledged go. */
Test(virtio_mmio, interrupt_line)
{
    struct guest guest;

    make_small_disk(&guest, false);
    start(&guest, 0, 8);
    cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_IN, 0, HOLE, SECTOR, NULL),
                 VIRTIO_BLK_S_IOERR);
    cr_expect(guest.line);
    cr_expect_eq(guest.rises, 1);
    ring_publish(&guest, 0, 0xffff);
    (void)ring_kick(&guest, 0);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
    cr_expect_eq(guest.rises, 1);
    set_reg(&guest, VIRTIO_MMIO_INTERRUPT_ACK, 0xfffffffc);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
    set_reg(&guest, VIRTIO_MMIO_INTERRUPT_ACK, 1);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_INTERRUPT_STATUS), 2);
    cr_expect(guest.line);
    set_reg(&guest, VIRTIO_MMIO_INTERRUPT_ACK, 2);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    cr_expect(!guest.line);
    guest_free(&guest);
}

/* Both kinds of reset, in the middle of things: nothing of before is left. */
Test(virtio_mmio, reset)
{
    for (int legacy = 0; legacy < 2; legacy++) {
        for (int power = 0; power < 2; power++) {
            struct guest guest;
            struct request request;

            make_small_disk(&guest, legacy);
            start(&guest, F_ALL, 8);
            cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                         VIRTIO_BLK_S_OK);
            cr_assert(guest.line);
            if (power)
                device_set_reset(&guest.devices);
            else
                set_status(&guest, 0);
            cr_expect(!guest.line);
            cr_expect_eq(reg(&guest, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
            cr_expect_eq(status(&guest), 0);
            set_reg(&guest, VIRTIO_MMIO_QUEUE_SEL, 0);
            cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_READY), 0);
            cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_PFN), 0);
            request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
            ring_add(&guest, 0, request.buffers, request.count);
            (void)ring_kick(&guest, 0);
            cr_expect_eq(request_status(&guest, &request), NO_STATUS);
            /* Features are forgotten: they have to be accepted again. */
            set_status(&guest, ACKNOWLEDGE | DRIVER | FEATURES_OK);
            cr_expect_eq(status(&guest), 3);
            start(&guest, F_ALL, 8);
            cr_expect_eq(disk_do(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL),
                         VIRTIO_BLK_S_OK);
            guest_free(&guest);
        }
    }
}

/* Selectors go back to 0 with the power. */
Test(virtio_mmio, selectors_after_power_on)
{
    struct guest guest;

    make_small_disk(&guest, false);
    set_reg(&guest, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    set_reg(&guest, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 5);
    set_reg(&guest, VIRTIO_MMIO_QUEUE_SEL, 9);
    device_set_reset(&guest.devices);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_DEVICE_FEATURES), 0x30006e46);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_QUEUE_NUM_MAX), QUEUE_NUM_MAX);
    set_reg(&guest, VIRTIO_MMIO_DRIVER_FEATURES, 1U << VIRTIO_BLK_F_FLUSH);
    set_reg(&guest, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    set_reg(&guest, VIRTIO_MMIO_DRIVER_FEATURES, VERSION_1_BIT);
    set_status(&guest, 11);
    cr_expect_eq(status(&guest), 11);
    guest_free(&guest);
}
