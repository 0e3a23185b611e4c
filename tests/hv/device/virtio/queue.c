/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtqueues by what a well-behaved driver sees of them, most of it through a
 * disk: notification suppression both ways, indices that wrap, work that
 * comes meanwhile.
 */
#include "hv/device/virtio/queue.h"

#include "api/memory.h"
#include "disk.h"
#include "support/rows.h"

#define RING_SIZE 8

/* Whether the driver gets an interrupt for `count` answers. */
Test(virtqueue, interrupt_suppression)
{
    static const struct {
        bool event_idx;
        uint16_t flags;
        uint16_t used_event;
        unsigned before; /* answers that came earlier */
        unsigned count;
        bool interrupt;
    } rows[] = {
        {false, 0, 0, 0, 1, true},
        {false, 0, 77, 0, 1, true}, /* used_event means nothing */
        {false, 1, 0, 0, 1, false},
        {false, 1, 0, 0, 3, false},
        {true, 0, 0, 0, 1, true},
        {true, 1, 0, 0, 1, true}, /* the flag means nothing */
        {true, 0, 1, 0, 1, false},
        {true, 0, 1, 0, 2, true},
        {true, 0, 2, 0, 2, false},
        {true, 0, 0, 1, 1, false}, /* passed already */
        {true, 0, 1, 1, 1, true},
        {true, 0, 3, 2, 3, true},
        {true, 0, 5, 2, 3, false},
        {true, 0, 0xffff, 0, 3, false},
        {false, 0, 0, 0, 0, false},
        {true, 0, 0, 0, 0, false},
    };

    for (int legacy = 0; legacy < 2; legacy++) {
        for_each_row (i, rows) {
            struct guest guest;
            struct request request;

            make_small_disk(&guest, legacy);
            start(&guest, rows[i].event_idx ? F_ALL : F(VIRTIO_BLK_F_FLUSH),
                  RING_SIZE);
            struct ring *ring = &guest.rings[0];
            request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
            for (unsigned n = 0; n < rows[i].before; n++)
                ring_add(&guest, 0, request.buffers, request.count);
            (void)ring_kick(&guest, 0);
            set_reg(&guest, VIRTIO_MMIO_INTERRUPT_ACK, 3);
            cr_assert(!guest.line);

            poke16(&guest, avail_flags_at(ring), rows[i].flags);
            poke16(&guest, used_event_at(ring), rows[i].used_event);
            for (unsigned n = 0; n < rows[i].count; n++)
                ring_add(&guest, 0, request.buffers, request.count);
            (void)ring_kick(&guest, 0);
            cr_expect_eq(guest.line, rows[i].interrupt, "row %zu", i);
            cr_expect_eq(reg(&guest, VIRTIO_MMIO_INTERRUPT_STATUS),
                         rows[i].interrupt ? VIRTIO_MMIO_INT_VRING : 0,
                         "row %zu", i);
            guest_free(&guest);
        }
    }
}

/* With event indices the device says when it wants to hear of more; without
 * them it leaves both places alone. */
Test(virtqueue, notification_suppression)
{
    for (int event_idx = 0; event_idx < 2; event_idx++) {
        struct guest guest;
        struct request request;

        make_small_disk(&guest, false);
        start(&guest, event_idx ? F_ALL : F(VIRTIO_BLK_F_FLUSH), RING_SIZE);
        struct ring *ring = &guest.rings[0];
        poke16(&guest, avail_event_at(ring), 0x7777);
        request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
        for (uint16_t n = 1; n <= 3 * RING_SIZE; n++) {
            ring_add(&guest, 0, request.buffers, request.count);
            cr_expect_eq(ring_kick(&guest, 0), 0);
            cr_expect_eq(peek16(&guest, avail_event_at(ring)),
                         event_idx ? n : 0x7777);
            cr_expect_eq(peek16(&guest, ring->used), 0);
        }
        guest_free(&guest);
    }
}

/* Both indices go round at 65536, and nothing is lost or told twice. */
Test(virtqueue, indices_wrap)
{
    struct guest guest;
    const unsigned batch = RING_SIZE / 2;
    uint32_t id;

    make_small_disk(&guest, false);
    start(&guest, F_ALL, RING_SIZE);
    struct ring *ring = &guest.rings[0];
    struct request request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    for (unsigned n = 0; n < 66000; n += batch) {
        uint16_t heads[RING_SIZE];

        /* An interrupt with the last of the batch, not before. */
        poke16(&guest, used_event_at(ring),
               (uint16_t)(ring->used_idx + batch - 1));
        for (unsigned i = 0; i < batch; i++) {
            heads[i] = ring_add(&guest, 0, request.buffers, request.count);
            cr_assert(!guest.line);
            cr_assert_eq(ring_kick(&guest, 0), 0);
        }
        cr_assert(guest.line);
        set_reg(&guest, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
        for (unsigned i = 0; i < batch; i++) {
            cr_assert(ring_take(&guest, 0, &id, NULL));
            cr_assert_eq(id, heads[i]);
        }
        cr_assert(!ring_take(&guest, 0, NULL, NULL));
    }
    guest_free(&guest);
}

/* Every size a driver may choose, full to the last descriptor. */
Test(virtqueue, all_sizes)
{
    for (int legacy = 0; legacy < 2; legacy++) {
        for (uint16_t size = 2; size <= 128; size = (uint16_t)(size * 2)) {
            struct guest guest;

            make_small_disk(&guest, legacy);
            start(&guest, F_ALL, size);
            struct request request =
                request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
            for (unsigned round = 0; round < 3; round++) {
                unsigned count = size / 2;
                for (unsigned i = 0; i < count; i++)
                    ring_add(&guest, 0, request.buffers, request.count);
                (void)ring_kick(&guest, 0);
                for (unsigned i = 0; i < count; i++)
                    cr_assert(ring_take(&guest, 0, NULL, NULL));
                cr_assert(!ring_take(&guest, 0, NULL, NULL));
            }
            guest_free(&guest);
        }
    }
}

/* Descriptors are work, too: a full queue of long chains takes more than one
 * slice, though they have no bytes to speak of. */
Test(virtqueue, long_chains_take_slices)
{
    struct buffer buffers[128] = {{0}};
    struct guest guest;
    struct request request;
    unsigned again;

    make_small_disk(&guest, false);
    start(&guest, F_ALL, 128);
    request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    buffers[0] = request.buffers[0];
    buffers[127] = request.buffers[1];
    uint16_t head = ring_add_indirect(&guest, 0, buffers, 128);
    for (unsigned i = 1; i < 128; i++)
        ring_publish(&guest, 0, head);
    again = ring_kick(&guest, 0);
    cr_expect_geq(again, 1);
    cr_expect_leq(again, 4);
    for (unsigned i = 0; i < 128; i++)
        cr_assert(ring_take(&guest, 0, NULL, NULL));
    guest_free(&guest);
}

/*
 * A chain becomes available while the device works on the one before: here
 * because that one's data are the available ring's index. With event indices
 * nobody notifies for it, so that the device has to look once more.
 */
Test(virtqueue, chains_that_come_meanwhile)
{
    /* struct vring_avail: three chains, of which two start at 4. */
    static const uint16_t avail[SECTOR / 2] = {0, 3, 0, 4, 4};
    struct guest guest;
    struct request over, flush;
    uint64_t data;

    make_small_disk(&guest, false);
    start(&guest, F_ALL, RING_SIZE);
    data = give(&guest, SECTOR, 512);
    poke(&guest, data, avail, sizeof(avail));
    cr_assert_eq(disk_do(&guest, VIRTIO_BLK_T_OUT, 0, data, SECTOR, NULL),
                 VIRTIO_BLK_S_OK);
    start(&guest, F_ALL, RING_SIZE);

    struct ring *ring = &guest.rings[0];
    flush = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    ring->free = 4;
    ring_add(&guest, 0, flush.buffers, flush.count);
    over = request_make(&guest, VIRTIO_BLK_T_IN, 0, ring->avail, SECTOR);
    ring->free = 0;
    ring->avail_idx = 0;
    ring_add(&guest, 0, over.buffers, over.count);

    cr_expect(ring_kick_once(&guest, 0), "more has come");
    cr_expect(ring_take(&guest, 0, NULL, NULL));
    cr_expect(!ring_take(&guest, 0, NULL, NULL));
    cr_expect_eq(request_status(&guest, &flush), NO_STATUS);
    cr_expect(!ring_kick_once(&guest, 0));
    cr_expect(ring_take(&guest, 0, NULL, NULL));
    cr_expect(ring_take(&guest, 0, NULL, NULL));
    cr_expect(!ring_take(&guest, 0, NULL, NULL));
    cr_expect_eq(request_status(&guest, &flush), VIRTIO_BLK_S_OK);
    guest_free(&guest);
}

/* The functions that move a chain's bytes keep to their part of it. */
Test(virtqueue, ranges_of_a_chain)
{
    static const struct {
        uint64_t offset;
        uint64_t size;
        err_t read;  /* 30 readable bytes, in pieces of 10 and 20 */
        err_t write; /* 20 writable bytes */
    } rows[] = {
        {0, 0, OK, OK},
        {0, 20, OK, OK},
        {5, 10, OK, OK},
        {9, 2, OK, OK},
        {10, 10, OK, OK},
        {20, 0, OK, OK},
        {20, 10, OK, ERR_OUT_OF_RANGE},
        {29, 1, OK, ERR_OUT_OF_RANGE},
        {30, 0, OK, OK},
        {30, 1, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE},
        {0, 31, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE},
        {UINT64_MAX, 2, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE},
        {1, UINT64_MAX, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE},
    };
    struct guest guest;
    uint8_t source[50], bytes[64];
    hpa_t host = memory_alloc_frame();

    make_small_disk(&guest, false);
    uint64_t at = give(&guest, 64, 16);
    const struct virtqueue queue = {.memory = &guest.memory};
    const struct virtqueue_chain chain = {
        .count = 3,
        .readable_count = 2,
        .readable = 30,
        .writable = 20,
        .pieces = {{gpa(at), 10}, {gpa(at + 10), 20}, {gpa(at + 30), 20}},
    };
    for (unsigned i = 0; i < sizeof(source); i++)
        source[i] = (uint8_t)(i + 1);
    poke(&guest, at, source, sizeof(source));
    for_each_row (i, rows) {
        uint64_t offset = rows[i].offset;
        size_t size = (size_t)rows[i].size;

        cr_expect_eq(virtqueue_read(&queue, &chain, offset, bytes, size),
                     rows[i].read, "row %zu", i);
        for (size_t n = 0; rows[i].read == OK && n < size; n++)
            cr_assert_eq(bytes[n], offset + n + 1);
        cr_expect_eq(virtqueue_move_out(&queue, &chain, offset, host, size),
                     rows[i].read, "row %zu", i);
        cr_expect_eq(virtqueue_move_in(&queue, &chain, offset, host, size),
                     rows[i].write, "row %zu", i);
        cr_expect_eq(virtqueue_write(&queue, &chain, offset, source, size),
                     rows[i].write, "row %zu", i);
        if (rows[i].write == OK) {
            peek(&guest, at + 30 + offset, bytes, size);
            for (size_t n = 0; n < size; n++)
                cr_assert_eq(bytes[n], n + 1);
        }
    }
    memory_free_frame(host);
    guest_free(&guest);
}
