/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues, the device's side: virtio 1.2, section 2.7, and for the
 * legacy layout section 2.7.2.
 *
 * The rings are in guest memory and the guest is hostile. Each field is
 * copied once, and only the copy is looked at. What a driver may not do (an
 * index out of range, a loop, a nested indirect table, ...) is ERR_CORRUPT;
 * memory that is not there is what the address space says. Whatever the
 * error, the queue cannot be used any more until the driver resets it.
 *
 * A chain is answered before the next one is looked at, so that both rings
 * have the same index. Packed virtqueues are not offered: no driver needs
 * them.
 *
 * Rings and descriptors are little-endian, as the hosts are. A big-endian
 * guest's legacy driver, which would use its own order, is not served.
 */
#ifndef DEVICE_VIRTIO_QUEUE_H
#define DEVICE_VIRTIO_QUEUE_H

#include "addrspace/aspace.h"
#include "lib/bits.h"
#include "lib/error.h"

/* The feature bits that concern queues: section 6. */
#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX     BIT(29)

/* The largest queue that a device offers. */
#define VIRTQUEUE_MAX_SIZE 256

struct virtqueue {
    struct aspace *memory;
    uint16_t size_max; /* what the device offers, a power of two */

    /* What the driver has set up. It changes only while not `ready`. */
    bool ready;
    uint32_t size;
    gpa_t desc;   /* Descriptor Area: the descriptor table */
    gpa_t driver; /* Driver Area: the available ring */
    gpa_t device; /* Device Area: the used ring */
    uint64_t features;

    uint16_t next;     /* index of the next chain, in both rings */
    uint16_t reported; /* `next` when an interrupt was last considered */
    uint64_t progress; /* how much of that chain the device has done: its own
                          measure, 0 whenever a chain is new */
};

/* A run of guest memory, as one descriptor gives it. */
struct virtqueue_piece {
    gpa_t start;
    uint32_t size;
};

/* A chain: first what the device reads, then what it writes. */
struct virtqueue_chain {
    uint16_t head;
    unsigned count;
    unsigned readable_count; /* so many pieces, the first, are readable */
    uint64_t readable;       /* bytes of each part */
    uint64_t writable;
    struct virtqueue_piece pieces[VIRTQUEUE_MAX_SIZE];
};

/* The state after a reset: not ready, the largest size, no addresses. */
void virtqueue_reset(struct virtqueue *queue);

/*
 * Makes the queue ready, at index 0, with the features that were negotiated.
 * ERR_INVALID_INPUT, and it is not, when the size is no power of two or above
 * size_max, or an area is misaligned or wraps.
 */
err_t virtqueue_enable(struct virtqueue *queue, uint64_t features) MUST_CHECK;

/*
 * Where the parts of a queue in the legacy layout lie, which starts at
 * `start` and whose used ring is aligned to `align`. ERR_INVALID_INPUT:
 * `align` is no power of two.
 */
err_t virtqueue_set_legacy(struct virtqueue *queue, gpa_t start,
                           uint32_t align) MUST_CHECK;

/* How many chains wait for an answer: `size` at most. */
err_t virtqueue_available(const struct virtqueue *queue,
                          uint16_t *count) MUST_CHECK;

/* Decodes the next chain. Only when one is available. */
err_t virtqueue_peek(const struct virtqueue *queue,
                     struct virtqueue_chain *chain) MUST_CHECK;

/* Gives the chain that was peeked at back, `written` bytes of it written. */
err_t virtqueue_answer(struct virtqueue *queue,
                       const struct virtqueue_chain *chain,
                       uint32_t written) MUST_CHECK;

/*
 * Asks the driver to notify about the next chain. `more` tells that chains
 * are there already of which it will not.
 */
err_t virtqueue_rearm(const struct virtqueue *queue, bool *more) MUST_CHECK;

/* Whether the driver wants an interrupt for the answers given since this was
 * last asked. */
err_t virtqueue_wants_interrupt(struct virtqueue *queue,
                                bool *wanted) MUST_CHECK;

/*
 * The bytes of a chain: copies of, and moves from and to host memory that the
 * hypervisor does not look at. `offset` counts in the readable part for read
 * and move_out, in the writable part for write and move_in;
 * ERR_OUT_OF_RANGE when the range leaves it. On an error, a prefix of the
 * range may have been transferred.
 */
err_t virtqueue_read(const struct virtqueue *queue,
                     const struct virtqueue_chain *chain, uint64_t offset,
                     void *to, size_t size) MUST_CHECK;
err_t virtqueue_write(const struct virtqueue *queue,
                      const struct virtqueue_chain *chain, uint64_t offset,
                      const void *from, size_t size) MUST_CHECK;
err_t virtqueue_move_out(const struct virtqueue *queue,
                         const struct virtqueue_chain *chain, uint64_t offset,
                         hpa_t to, uint64_t size) MUST_CHECK;
err_t virtqueue_move_in(const struct virtqueue *queue,
                        const struct virtqueue_chain *chain, uint64_t offset,
                        hpa_t from, uint64_t size) MUST_CHECK;

#endif
