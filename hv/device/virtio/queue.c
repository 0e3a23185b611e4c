/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues: see queue.h. Sections are those of virtio 1.2.
 *
 * The fences pair with those that section 2.7.13 asks of the driver. They
 * matter because a driver may run on another CPU while this runs.
 */
#include "device/virtio/queue.h"

#include <stdatomic.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "rings and descriptors are used as they stand in memory");

/* 2.7.5: struct virtq_desc. */
struct descriptor {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};
_Static_assert(sizeof(struct descriptor) == 16, "2.7.5");

enum {
    VIRTQ_DESC_F_NEXT = 1,
    VIRTQ_DESC_F_WRITE = 2,
    VIRTQ_DESC_F_INDIRECT = 4,
};

/* 2.7.8: struct virtq_used_elem. */
struct used_elem {
    uint32_t id;
    uint32_t len;
};
_Static_assert(sizeof(struct used_elem) == 8, "2.7.8");

/* 2.7.6 and 2.7.8: offsets in the available and the used ring. Behind each
 * ring's entries lies the index at which the reader wants to be notified. */
enum {
    AVAIL_FLAGS = 0,
    AVAIL_IDX = 2,
    AVAIL_RING = 4,
    USED_IDX = 2,
    USED_RING = 4,
    EVENT_SIZE = 2,
};
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1

/* 2.7: the alignments of the three areas. */
enum { DESC_ALIGN = 16, DRIVER_ALIGN = 2, DEVICE_ALIGN = 4 };

/* 2.7.5: a chain has no more bytes. */
#define CHAIN_MAX_BYTES (UINT64_C(1) << 32)

static uint64_t desc_area_size(uint32_t size)
{
    return sizeof(struct descriptor) * (uint64_t)size;
}

static uint64_t driver_area_size(uint32_t size)
{
    return AVAIL_RING + sizeof(uint16_t) * (uint64_t)size + EVENT_SIZE;
}

static uint64_t device_area_size(uint32_t size)
{
    return USED_RING + sizeof(struct used_elem) * (uint64_t)size + EVENT_SIZE;
}

/* An area that neither is misaligned nor wraps. Whether there is memory shows
 * when it is used: the guest may unmap it at any time anyway. */
static bool is_sound(gpa_t area, uint64_t align, uint64_t size)
{
    return is_aligned(area.raw, align) && area.raw <= UINT64_MAX - size;
}

void virtqueue_reset(struct virtqueue *queue)
{
    *queue = (struct virtqueue){
        .memory = queue->memory,
        .size_max = queue->size_max,
        .size = queue->size_max,
    };
}

err_t virtqueue_enable(struct virtqueue *queue, uint64_t features)
{
    uint32_t size = queue->size;

    if (!is_power_of_two(size) || size > queue->size_max ||
        !is_sound(queue->desc, DESC_ALIGN, desc_area_size(size)) ||
        !is_sound(queue->driver, DRIVER_ALIGN, driver_area_size(size)) ||
        !is_sound(queue->device, DEVICE_ALIGN, device_area_size(size)))
        return ERR_INVALID_INPUT;
    queue->features = features;
    queue->next = 0;
    queue->reported = 0;
    queue->progress = 0;
    queue->ready = true;
    return OK;
}

err_t virtqueue_set_legacy(struct virtqueue *queue, gpa_t start, uint32_t align)
{
    gpa_t end;

    if (!is_power_of_two(align))
        return ERR_INVALID_INPUT;
    queue->desc = start;
    queue->driver = gpa_add(start, desc_area_size(queue->size));
    end = gpa_add(queue->driver, driver_area_size(queue->size));
    queue->device = gpa(align_up(end.raw, align));
    return OK;
}

static err_t read_u16(const struct virtqueue *queue, gpa_t from,
                      uint16_t *value)
{
    return aspace_read(queue->memory, from, value, sizeof(*value));
}

static err_t write_u16(const struct virtqueue *queue, gpa_t to, uint16_t value)
{
    return aspace_write(queue->memory, to, &value, sizeof(value));
}

/* Where the entry of the next chain is in a ring of entries of `entry` bytes.
 */
static gpa_t ring_entry(const struct virtqueue *queue, gpa_t ring, size_t entry)
{
    uint64_t slot = queue->next & (queue->size - 1);

    return gpa_add(ring, slot * entry);
}

err_t virtqueue_available(const struct virtqueue *queue, uint16_t *count)
{
    uint16_t index;
    err_t error = read_u16(queue, gpa_add(queue->driver, AVAIL_IDX), &index);

    if (error != OK)
        return error;
    /* No ring entry is read, and nothing it leads to, before the index that
     * says it is there. */
    atomic_thread_fence(memory_order_acquire);
    *count = (uint16_t)(index - queue->next);
    return *count <= queue->size ? OK : ERR_CORRUPT;
}

/* Adds what `desc` describes to the end of `chain`. */
static err_t add_piece(const struct virtqueue *queue,
                       struct virtqueue_chain *chain,
                       const struct descriptor *desc)
{
    bool writable = (desc->flags & VIRTQ_DESC_F_WRITE) != 0;

    /* The queue's size is also the limit of a chain (2.7.5.3.1), which is what
     * ends a loop. */
    if (chain->count == queue->size)
        return ERR_CORRUPT;
    /* 2.7.4.2: what is written comes after what is read. */
    if (!writable && chain->readable_count != chain->count)
        return ERR_CORRUPT;
    if (desc->addr > UINT64_MAX - desc->len)
        return ERR_CORRUPT;
    if (desc->len > CHAIN_MAX_BYTES - chain->readable - chain->writable)
        return ERR_CORRUPT;
    chain->pieces[chain->count] =
        (struct virtqueue_piece){gpa(desc->addr), desc->len};
    chain->count++;
    if (writable) {
        chain->writable += desc->len;
    } else {
        chain->readable += desc->len;
        chain->readable_count++;
    }
    return OK;
}

/* The table in which a chain's descriptors are being looked up. */
struct table {
    gpa_t start;
    uint32_t count;
    bool indirect;
};

/* 2.7.5.3: `desc` refers to the table in which the chain goes on. */
static err_t enter_indirect(const struct virtqueue *queue, struct table *table,
                            const struct descriptor *desc)
{
    if (!(queue->features & VIRTIO_F_INDIRECT_DESC) || table->indirect ||
        (desc->flags & VIRTQ_DESC_F_NEXT))
        return ERR_CORRUPT;
    if (desc->len % sizeof(struct descriptor) != 0)
        return ERR_CORRUPT;
    *table = (struct table){
        .start = gpa(desc->addr),
        .count = (uint32_t)(desc->len / sizeof(struct descriptor)),
        .indirect = true,
    };
    return OK;
}

/* Copies descriptor `index`. */
static err_t read_descriptor(const struct virtqueue *queue,
                             const struct table *table, uint32_t index,
                             struct descriptor *desc)
{
    if (index >= table->count)
        return ERR_CORRUPT;
    return aspace_read(queue->memory,
                       gpa_add(table->start, desc_area_size(index)), desc,
                       sizeof(*desc));
}

/* Ends: each round adds a piece, of which there is a limit, or enters the
 * indirect table, which happens once. */
static err_t decode_chain(const struct virtqueue *queue,
                          struct virtqueue_chain *chain)
{
    struct table table = {queue->desc, queue->size, false};
    uint32_t index = chain->head;

    for (;;) {
        struct descriptor desc;
        err_t error = read_descriptor(queue, &table, index, &desc);

        if (error != OK)
            return error;
        if (desc.flags & VIRTQ_DESC_F_INDIRECT) {
            error = enter_indirect(queue, &table, &desc);
            index = 0;
        } else {
            error = add_piece(queue, chain, &desc);
            index = desc.next;
        }
        if (error != OK)
            return error;
        if ((desc.flags & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) == 0)
            return OK;
    }
}

err_t virtqueue_peek(const struct virtqueue *queue,
                     struct virtqueue_chain *chain)
{
    gpa_t ring = gpa_add(queue->driver, AVAIL_RING);
    uint16_t head;
    err_t error = read_u16(queue, ring_entry(queue, ring, sizeof(head)), &head);

    if (error != OK)
        return error;
    chain->head = head;
    chain->count = 0;
    chain->readable_count = 0;
    chain->readable = 0;
    chain->writable = 0;
    return decode_chain(queue, chain);
}

err_t virtqueue_answer(struct virtqueue *queue,
                       const struct virtqueue_chain *chain, uint32_t written)
{
    const struct used_elem elem = {chain->head, written};
    gpa_t ring = gpa_add(queue->device, USED_RING);
    err_t error =
        aspace_write(queue->memory, ring_entry(queue, ring, sizeof(elem)),
                     &elem, sizeof(elem));

    if (error != OK)
        return error;
    queue->next++;
    queue->progress = 0;
    /* The buffer's bytes and the entry are there before the index says so. */
    atomic_thread_fence(memory_order_release);
    return write_u16(queue, gpa_add(queue->device, USED_IDX), queue->next);
}

err_t virtqueue_rearm(const struct virtqueue *queue, bool *more)
{
    uint64_t avail_event = device_area_size(queue->size) - EVENT_SIZE;
    uint16_t count;
    err_t error;

    /* Without event indices nothing is ever suppressed: what was added after
     * the last look has its own notification. */
    *more = false;
    if (!(queue->features & VIRTIO_F_EVENT_IDX))
        return OK;
    error = write_u16(queue, gpa_add(queue->device, avail_event), queue->next);
    if (error != OK)
        return error;
    /* 2.7.10: the driver writes its index, then reads avail_event; this is
     * the other way round, so that one of the two sees the other's write. */
    atomic_thread_fence(memory_order_seq_cst);
    error = virtqueue_available(queue, &count);
    *more = error == OK && count != 0;
    return error;
}

/* 2.7.7: whether the driver's event index lies in [from, to). */
static bool passes_event(uint16_t from, uint16_t to, uint16_t event)
{
    return (uint16_t)(to - event - 1) < (uint16_t)(to - from);
}

err_t virtqueue_wants_interrupt(struct virtqueue *queue, bool *wanted)
{
    bool event_idx = (queue->features & VIRTIO_F_EVENT_IDX) != 0;
    uint64_t used_event = driver_area_size(queue->size) - EVENT_SIZE;
    uint16_t from = queue->reported;
    uint16_t value;
    err_t error;

    *wanted = false;
    if (from == queue->next)
        return OK;
    queue->reported = queue->next;
    /* As in virtqueue_rearm(), with the roles exchanged. */
    atomic_thread_fence(memory_order_seq_cst);
    error = read_u16(
        queue, gpa_add(queue->driver, event_idx ? used_event : AVAIL_FLAGS),
        &value);
    if (error != OK)
        return error;
    *wanted = event_idx ? passes_event(from, queue->next, value)
                        : (value & VIRTQ_AVAIL_F_NO_INTERRUPT) == 0;
    return OK;
}

/* What is done with a run of guest memory. `host` is where its counterpart
 * starts: a pointer or a host-physical address, by operation. */
union host {
    uint8_t *bytes;
    const uint8_t *constant;
    hpa_t memory;
};

typedef err_t (*transfer_fn)(struct aspace *memory, gpa_t guest,
                             union host host, uint64_t done, uint64_t size);

static err_t transfer_read(struct aspace *memory, gpa_t guest, union host host,
                           uint64_t done, uint64_t size)
{
    return aspace_read(memory, guest, host.bytes + done, (size_t)size);
}

static err_t transfer_write(struct aspace *memory, gpa_t guest, union host host,
                            uint64_t done, uint64_t size)
{
    return aspace_write(memory, guest, host.constant + done, (size_t)size);
}

static err_t transfer_move_out(struct aspace *memory, gpa_t guest,
                               union host host, uint64_t done, uint64_t size)
{
    return aspace_move_out(memory, guest, hpa_add(host.memory, done), size);
}

static err_t transfer_move_in(struct aspace *memory, gpa_t guest,
                              union host host, uint64_t done, uint64_t size)
{
    return aspace_move_in(memory, guest, hpa_add(host.memory, done), size);
}

/* Transfers [offset, offset + size) of pieces [first, end). */
static err_t transfer(const struct virtqueue *queue,
                      const struct virtqueue_chain *chain, unsigned first,
                      unsigned end, uint64_t offset, uint64_t size,
                      transfer_fn operation, union host host)
{
    uint64_t done = 0;

    for (unsigned i = first; i < end && done < size; i++) {
        const struct virtqueue_piece *piece = &chain->pieces[i];
        uint64_t here;
        err_t error;

        if (offset >= piece->size) {
            offset -= piece->size;
            continue;
        }
        here = piece->size - offset;
        if (here > size - done)
            here = size - done;
        error = operation(queue->memory, gpa_add(piece->start, offset), host,
                          done, here);
        if (error != OK)
            return error;
        done += here;
        offset = 0;
    }
    return done == size ? OK : ERR_OUT_OF_RANGE;
}

static err_t transfer_readable(const struct virtqueue *queue,
                               const struct virtqueue_chain *chain,
                               uint64_t offset, uint64_t size,
                               transfer_fn operation, union host host)
{
    return transfer(queue, chain, 0, chain->readable_count, offset, size,
                    operation, host);
}

static err_t transfer_writable(const struct virtqueue *queue,
                               const struct virtqueue_chain *chain,
                               uint64_t offset, uint64_t size,
                               transfer_fn operation, union host host)
{
    return transfer(queue, chain, chain->readable_count, chain->count, offset,
                    size, operation, host);
}

err_t virtqueue_read(const struct virtqueue *queue,
                     const struct virtqueue_chain *chain, uint64_t offset,
                     void *to, size_t size)
{
    return transfer_readable(queue, chain, offset, size, transfer_read,
                             (union host){.bytes = to});
}

err_t virtqueue_write(const struct virtqueue *queue,
                      const struct virtqueue_chain *chain, uint64_t offset,
                      const void *from, size_t size)
{
    return transfer_writable(queue, chain, offset, size, transfer_write,
                             (union host){.constant = from});
}

err_t virtqueue_move_out(const struct virtqueue *queue,
                         const struct virtqueue_chain *chain, uint64_t offset,
                         hpa_t to, uint64_t size)
{
    return transfer_readable(queue, chain, offset, size, transfer_move_out,
                             (union host){.memory = to});
}

err_t virtqueue_move_in(const struct virtqueue *queue,
                        const struct virtqueue_chain *chain, uint64_t offset,
                        hpa_t from, uint64_t size)
{
    return transfer_writable(queue, chain, offset, size, transfer_move_in,
                             (union host){.memory = from});
}
