/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers that do what none may do: rings of every kind of nonsense, and
 * memory that changes while it is looked at. Whatever they do, the device
 * answers, or asks for a reset and works again after it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "disk.h"
#include "support/rows.h"

#define RING_SIZE 8

#define NEXT     VRING_DESC_F_NEXT
#define WRITE    VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

/* The parts of the request that is going to be spoiled: a read of one sector,
 * in descriptors 0 (header), 1 (data) and 2 (status). */
struct target {
    struct guest *guest;
    struct ring *ring;
    struct request request;
    uint64_t data;
    uint64_t table; /* room for an indirect table */
};

static void set(struct target *target, unsigned index, uint64_t addr,
                uint32_t len, unsigned flags, unsigned next)
{
    desc_set(target->guest, desc_at(target->ring, index), addr, len, flags,
             next);
}

static void set_indirect(struct target *target, unsigned index, uint64_t addr,
                         uint32_t len, unsigned flags, unsigned next)
{
    desc_set(target->guest, target->table + index * UINT64_C(16), addr, len,
             flags, next);
}

/* Moves the request to the indirect table, and refers to it. */
static void use_table(struct target *target, uint64_t at, uint32_t len,
                      unsigned flags)
{
    set_indirect(target, 0, target->request.header, 16, NEXT, 1);
    set_indirect(target, 1, target->data, SECTOR, NEXT | WRITE, 2);
    set_indirect(target, 2, target->request.status, 1, WRITE, 0);
    set(target, 0, at, len, flags, 1);
}

static void head_is_size(struct target *target)
{
    poke16(target->guest, avail_entry_at(target->ring, 0), RING_SIZE);
}

static void head_is_huge(struct target *target)
{
    poke16(target->guest, avail_entry_at(target->ring, 0), 0xffff);
}

static void index_jumps(struct target *target)
{
    poke16(target->guest, avail_idx_at(target->ring), RING_SIZE + 1);
}

static void index_goes_back(struct target *target)
{
    poke16(target->guest, avail_idx_at(target->ring), 0xffff);
}

static void next_is_size(struct target *target)
{
    set(target, 0, target->request.header, 16, NEXT, RING_SIZE);
}

static void next_is_huge(struct target *target)
{
    set(target, 1, target->data, SECTOR, NEXT | WRITE, 0xffff);
}

static void loop_of_one(struct target *target)
{
    set(target, 0, target->request.header, 16, NEXT, 0);
}

static void loop_of_two(struct target *target)
{
    set(target, 1, target->data, SECTOR, NEXT | WRITE, 2);
    set(target, 2, target->data, SECTOR, NEXT | WRITE, 1);
}

static void loop_of_nothing(struct target *target)
{
    set(target, 1, target->data, 0, NEXT | WRITE, 1);
}

static void readable_after_writable(struct target *target)
{
    set(target, 0, target->data, SECTOR, NEXT | WRITE, 1);
    set(target, 1, target->request.header, 16, NEXT, 2);
}

static void readable_at_the_end(struct target *target)
{
    set(target, 1, target->request.status, 1, NEXT | WRITE, 2);
    set(target, 2, target->data, 1, 0, 0);
}

static void address_wraps(struct target *target)
{
    set(target, 1, UINT64_MAX - 100, SECTOR, NEXT | WRITE, 2);
}

static void longer_than_4_gib(struct target *target)
{
    set(target, 1, target->data, UINT32_MAX, NEXT | WRITE, 3);
    set(target, 3, target->data, UINT32_MAX, NEXT | WRITE, 2);
}

static void huge_but_possible(struct target *target)
{
    set(target, 1, target->data, UINT32_MAX - 100, NEXT | WRITE, 2);
}

static void no_header(struct target *target)
{
    set(target, 0, target->request.header, 15, NEXT, 1);
}

static void no_status(struct target *target)
{
    set(target, 0, target->request.header, 16, 0, 0);
}

static void status_in_hole(struct target *target)
{
    set(target, 2, HOLE, 1, WRITE, 0);
}

static void status_in_rom(struct target *target)
{
    set(target, 2, ROM_START, 1, WRITE, 0);
}

static void data_in_hole(struct target *target)
{
    set(target, 1, HOLE, SECTOR, NEXT | WRITE, 2);
}

static void data_at_top_of_memory(struct target *target)
{
    set(target, 1, UINT64_MAX - SECTOR, SECTOR, NEXT | WRITE, 2);
}

static void empty_piece(struct target *target)
{
    set(target, 1, target->data, SECTOR, NEXT | WRITE, 3);
    set(target, 3, HOLE, 0, NEXT | WRITE, 2);
}

static void unknown_flags(struct target *target)
{
    set(target, 0, target->request.header, 16, NEXT | 0xfff8, 1);
}

static void good_table(struct target *target)
{
    use_table(target, target->table, 3 * 16, INDIRECT);
}

static void table_said_to_be_writable(struct target *target)
{
    use_table(target, target->table, 3 * 16, INDIRECT | WRITE);
}

static void table_with_room(struct target *target)
{
    use_table(target, target->table, 512 * 16, INDIRECT);
}

static void table_at_the_end_of_a_chain(struct target *target)
{
    use_table(target, target->table, 3 * 16, INDIRECT);
    set_indirect(target, 0, target->data, SECTOR, NEXT | WRITE, 1);
    set_indirect(target, 1, target->request.status, 1, WRITE, 0);
    set(target, 0, target->request.header, 16, NEXT, 5);
    set(target, 5, target->table, 2 * 16, INDIRECT, 0);
}

static void table_with_next(struct target *target)
{
    use_table(target, target->table, 3 * 16, INDIRECT | NEXT);
}

static void table_in_itself(struct target *target)
{
    use_table(target, target->table, 3 * 16, INDIRECT);
    set_indirect(target, 1, target->table, 3 * 16, INDIRECT, 0);
}

static void table_in_table(struct target *target)
{
    use_table(target, target->table, 3 * 16, INDIRECT);
    set_indirect(target, 1, target->table + UINT64_C(8) * 16, 2 * 16, INDIRECT,
                 0);
    set_indirect(target, 8, target->data, SECTOR, NEXT | WRITE, 1);
    set_indirect(target, 9, target->request.status, 1, WRITE, 0);
}

static void table_of_nothing(struct target *target)
{
    use_table(target, target->table, 0, INDIRECT);
}

static void table_of_a_part(struct target *target)
{
    use_table(target, target->table, 3 * 16 + 1, INDIRECT);
}

static void table_in_hole(struct target *target)
{
    use_table(target, HOLE, 3 * 16, INDIRECT);
}

static void table_wraps(struct target *target)
{
    use_table(target, UINT64_MAX - 15, 3 * 16, INDIRECT);
}

static void table_is_left(struct target *target)
{
    use_table(target, target->table, 2 * 16, INDIRECT);
}

static void table_loops(struct target *target)
{
    use_table(target, target->table, 3 * 16, INDIRECT);
    set_indirect(target, 1, target->data, SECTOR, NEXT | WRITE, 1);
}

static void table_longer_than_queue(struct target *target)
{
    use_table(target, target->table, 16 * 16, INDIRECT);
    for (unsigned i = 1; i < RING_SIZE; i++)
        set_indirect(target, i, target->data, SECTOR, NEXT | WRITE, i + 1);
    set_indirect(target, RING_SIZE, target->request.status, 1, WRITE, 0);
}

static void table_as_long_as_queue(struct target *target)
{
    table_longer_than_queue(target);
    set_indirect(target, RING_SIZE - 1, target->request.status, 1, WRITE, 0);
}

/* What becomes of it. */
enum { BREAKS = 0x100 };

static const struct hostile {
    const char *what;
    void (*spoil)(struct target *target);
    uint64_t without; /* features that are not negotiated */
    int outcome;      /* BREAKS, or the request's status */
} hostile[] = {
    {"head is the queue's size", head_is_size, 0, BREAKS},
    {"head is huge", head_is_huge, 0, BREAKS},
    {"index jumps by more than the queue", index_jumps, 0, BREAKS},
    {"index goes back", index_goes_back, 0, BREAKS},
    {"next is the queue's size", next_is_size, 0, BREAKS},
    {"next is huge", next_is_huge, 0, BREAKS},
    {"loop of one descriptor", loop_of_one, 0, BREAKS},
    {"loop of two descriptors", loop_of_two, 0, BREAKS},
    {"loop of no bytes", loop_of_nothing, 0, BREAKS},
    {"readable after writable", readable_after_writable, 0, BREAKS},
    {"readable at the end", readable_at_the_end, 0, BREAKS},
    {"address that wraps", address_wraps, 0, BREAKS},
    {"more than 4 GiB", longer_than_4_gib, 0, BREAKS},
    {"almost 4 GiB", huge_but_possible, 0, VIRTIO_BLK_S_IOERR},
    {"no header", no_header, 0, BREAKS},
    {"no status", no_status, 0, BREAKS},
    {"status in a hole", status_in_hole, 0, BREAKS},
    {"status in read-only memory", status_in_rom, 0, BREAKS},
    {"data in a hole", data_in_hole, 0, VIRTIO_BLK_S_IOERR},
    {"data at the top of memory", data_at_top_of_memory, 0, VIRTIO_BLK_S_IOERR},
    {"piece of no bytes", empty_piece, 0, VIRTIO_BLK_S_OK},
    {"unknown flags", unknown_flags, 0, VIRTIO_BLK_S_OK},
    {"indirect table", good_table, 0, VIRTIO_BLK_S_OK},
    {"indirect table said to be writable", table_said_to_be_writable, 0,
     VIRTIO_BLK_S_OK},
    {"indirect table larger than the queue", table_with_room, 0,
     VIRTIO_BLK_S_OK},
    {"indirect table at the end of a chain", table_at_the_end_of_a_chain, 0,
     VIRTIO_BLK_S_OK},
    {"indirect chain as long as the queue", table_as_long_as_queue, 0,
     VIRTIO_BLK_S_OK},
    {"indirect chain longer than the queue", table_longer_than_queue, 0,
     BREAKS},
    {"indirect table that was not negotiated", good_table,
     F(VIRTIO_RING_F_INDIRECT_DESC), BREAKS},
    {"indirect table with NEXT", table_with_next, 0, BREAKS},
    {"nested indirect table", table_in_table, 0, BREAKS},
    {"indirect table in itself", table_in_itself, 0, BREAKS},
    {"indirect table of nothing", table_of_nothing, 0, BREAKS},
    {"indirect table of a part", table_of_a_part, 0, BREAKS},
    {"indirect table in a hole", table_in_hole, 0, BREAKS},
    {"indirect table that wraps", table_wraps, 0, BREAKS},
    {"chain leaves the indirect table", table_is_left, 0, BREAKS},
    {"loop in the indirect table", table_loops, 0, BREAKS},
};

/* A disk that works: reads a sector after a fresh start. */
static void check_works(struct guest *guest, const char *what)
{
    start(guest, F_ALL, RING_SIZE);
    cr_expect_eq(disk_do(guest, VIRTIO_BLK_T_IN, 0, give(guest, SECTOR, 512),
                         SECTOR, NULL),
                 VIRTIO_BLK_S_OK, "%s", what);
}

/* The device asks for a reset. */
static void check_asks(struct guest *guest, const char *what)
{
    uint32_t bit = guest->legacy ? 0 : NEEDS_RESET;
    uint32_t interrupt = guest->legacy ? 0 : VIRTIO_MMIO_INT_CONFIG;

    cr_expect_eq(status(guest) & NEEDS_RESET, bit, "%s", what);
    cr_expect_eq(reg(guest, VIRTIO_MMIO_INTERRUPT_STATUS) &
                     VIRTIO_MMIO_INT_CONFIG,
                 interrupt, "%s", what);
    cr_expect(guest->legacy || guest->line, "%s", what);
}

/* A good request is not looked at, and no interrupt comes. */
static void check_idle(struct guest *guest, const char *what)
{
    struct request request = request_make(guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);

    guest->rings[0].avail_idx = 0;
    ring_add(guest, 0, request.buffers, request.count);
    cr_expect_eq(ring_kick(guest, 0), 0);
    cr_expect_eq(request_status(guest, &request), NO_STATUS, "%s", what);
    cr_expect(!guest->line, "%s", what);
}

/* The device asks for a reset, and does nothing more until it gets one. */
static void check_broken(struct guest *guest, const char *what)
{
    check_asks(guest, what);
    set_reg(guest, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
    check_idle(guest, what);
    set_status(guest, 0);
    cr_expect_eq(status(guest), 0, "%s", what);
}

Test(virtqueue, hostile_chains)
{
    for (int legacy = 0; legacy < 2; legacy++) {
        for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
            const struct hostile *row = &hostile[i];
            struct guest guest;

            make_small_disk(&guest, legacy);
            start(&guest, F_ALL & ~row->without, RING_SIZE);
            struct target target = {.guest = &guest, .ring = &guest.rings[0]};
            target.data = give(&guest, SECTOR, 512);
            target.table = give(&guest, UINT64_C(64) * 16, 16);
            target.request =
                request_make(&guest, VIRTIO_BLK_T_IN, 0, target.data, SECTOR);
            ring_add(&guest, 0, target.request.buffers, 3);
            row->spoil(&target);
            (void)ring_kick(&guest, 0);
            if (row->outcome == BREAKS) {
                cr_expect(!ring_take(&guest, 0, NULL, NULL), "%s", row->what);
                check_broken(&guest, row->what);
            } else {
                cr_expect(ring_take(&guest, 0, NULL, NULL), "%s", row->what);
                cr_expect_eq(request_status(&guest, &target.request),
                             row->outcome, "%s: %u", row->what,
                             request_status(&guest, &target.request));
            }
            check_works(&guest, row->what);
            guest_free(&guest);
        }
    }
}

/* Areas that are set up all right and then turn out not to be memory. */
Test(virtqueue, areas_that_are_no_memory)
{
    enum { DESC, AVAIL, USED };
    static const struct {
        const char *what;
        int area;
        uint64_t at;
    } rows[] = {
        {"descriptors in a hole", DESC, HOLE},
        {"descriptors at the end of memory", DESC, RAM_START + RAM_SIZE - 16},
        {"descriptors at the top", DESC, UINT64_C(0xffffffffffff0000)},
        {"available ring in a hole", AVAIL, HOLE},
        {"available ring at the registers", AVAIL, DEVICE_START},
        {"available ring at the end", AVAIL, RAM_START + RAM_SIZE - 2},
        {"used ring in a hole", USED, HOLE},
        {"used ring in read-only memory", USED, ROM_START},
        {"used ring at the end of memory", USED, RAM_START + RAM_SIZE - 4},
    };

    for_each_row (i, rows) {
        struct guest guest;
        struct request request;

        make_small_disk(&guest, false);
        negotiate(&guest, F_ALL);
        ring_place(&guest, 0, RING_SIZE);
        struct ring *ring = &guest.rings[0];
        uint64_t *areas[] = {&ring->desc, &ring->avail, &ring->used};
        uint64_t good = *areas[rows[i].area];
        *areas[rows[i].area] = rows[i].at;
        ring_enable(&guest, 0);
        *areas[rows[i].area] = good;
        set_status(&guest, ALL_OK);
        cr_assert(has_status(&guest, ALL_OK));
        request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
        ring_add(&guest, 0, request.buffers, 2);
        ring_add(&guest, 0, request.buffers, 2);
        (void)ring_kick(&guest, 0);
        check_broken(&guest, rows[i].what);
        check_works(&guest, rows[i].what);
        guest_free(&guest);
    }
}

/* Areas that lie on one another: the device's own writes change what it has
 * yet to read. Whatever comes of it stays in the guest. */
Test(virtqueue, areas_that_overlap)
{
    for (unsigned distance = 0; distance < 160; distance += 4) {
        for (int on_descriptors = 0; on_descriptors < 2; on_descriptors++) {
            struct guest guest;
            struct request request;

            make_small_disk(&guest, false);
            negotiate(&guest, F_ALL);
            ring_place(&guest, 0, RING_SIZE);
            struct ring *ring = &guest.rings[0];
            ring->used = (on_descriptors ? ring->desc : ring->avail) + distance;
            ring_enable(&guest, 0);
            set_status(&guest, ALL_OK);
            request = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
            for (int i = 0; i < 4; i++)
                ring_add(&guest, 0, request.buffers, 2);
            for (int i = 0; i < 20 && ring_kick_once(&guest, 0); i++)
                continue;
            set_status(&guest, 0);
            check_works(&guest, "after an overlap");
            guest_free(&guest);
        }
    }
}

/* What was answered before the device broke is in the used ring, and told. */
Test(virtqueue, breaks_in_the_middle)
{
    struct guest guest;
    struct request good;

    make_small_disk(&guest, false);
    start(&guest, 0, RING_SIZE);
    good = request_make(&guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    ring_add(&guest, 0, good.buffers, good.count);
    ring_publish(&guest, 0, RING_SIZE);
    (void)ring_kick(&guest, 0);
    cr_expect(ring_take(&guest, 0, NULL, NULL));
    cr_expect(!ring_take(&guest, 0, NULL, NULL));
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_INTERRUPT_STATUS),
                 VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
    cr_expect(has_status(&guest, NEEDS_RESET));
    guest_free(&guest);
}

/* Another vCPU that scribbles over the rings while the device reads them. */
struct scribbler {
    struct guest *guest;
    _Atomic bool stop;
};

static void *scribble(void *context)
{
    struct scribbler *scribbler = context;
    struct guest *guest = scribbler->guest;
    const struct ring *ring = &guest->rings[0];
    uint32_t random = 12345;

    while (!atomic_load(&scribbler->stop)) {
        random = random * 1664525 + 1013904223;
        uint64_t word = random >> 8;
        uint64_t at = ring->desc + (word & 0x7ff);
        uint16_t value = (uint16_t)(random >> 24);
        (void)!aspace_write(&guest->memory, gpa(at), &value, 2);
    }
    return NULL;
}

Test(virtqueue, memory_that_changes)
{
    struct guest guest;
    struct scribbler scribbler = {.guest = &guest};
    pthread_t thread;
    unsigned broken = 0;

    make_small_disk(&guest, false);
    start(&guest, F_ALL, 64);
    const uint64_t data = give(&guest, 64 * SECTOR, 4096);
    const uint64_t mark = guest.next_free;
    cr_assert_eq(pthread_create(&thread, NULL, scribble, &scribbler), 0);
    for (int i = 0; i < 3000 || broken == 0; i++) {
        struct request request =
            request_make(&guest, VIRTIO_BLK_T_IN, 0, data, SECTOR);

        ring_add(&guest, 0, request.buffers, request.count);
        for (int n = 0; n < 4 && ring_kick_once(&guest, 0); n++)
            continue;
        guest.next_free = mark;
        if (i % 64 == 0)
            sched_yield();
        if (!has_status(&guest, NEEDS_RESET))
            continue;
        broken++;
        negotiate(&guest, F_ALL);
        guest.rings[0].avail_idx = 0;
        guest.rings[0].free = 0;
        poke16(&guest, avail_idx_at(&guest.rings[0]), 0);
        ring_enable(&guest, 0);
        set_status(&guest, ALL_OK);
    }
    atomic_store(&scribbler.stop, true);
    pthread_join(thread, NULL);
    check_works(&guest, "after a scribbler");
    guest_free(&guest);
}
