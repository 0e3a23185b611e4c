/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the targets of virtio devices share: two machines around a device, one
 * with the modern and one with the legacy interface (those of the tests:
 * tests/hv/device/virtio/guest.h), and a driver that the input plays, well or
 * badly: registers, configuration space, chains, memory, and what changes in
 * memory while the device looks at it.
 *
 * Found out here: memory that the device touches when it may not, work that
 * does not end, and an interrupt line that is not what the status register
 * says. A target adds requests with a reference, for as long as the driver
 * has done nothing wrong since it started the device.
 */
#ifndef FUZZ_VIRTIO_H
#define FUZZ_VIRTIO_H

#include "fuzz/harness.h"
#include "tests/hv/device/virtio/guest.h"

struct virtio_target {
    const char *compatible;
    const struct property *properties;
    uint64_t images_size;
    unsigned queue_count;
    unsigned ring_shift; /* log2 of the largest ring */
    /* The device has just been reset: what a reference holds starts again. */
    void (*restart)(struct guest *guest);
    /* A request of a driver that does nothing wrong. */
    void (*request)(struct guest *guest, struct fuzz_input *input);
};

/* One input, on machines that the first one makes. Returns 0, as a fuzz target
 * does. */
int virtio_fuzz_run(const struct virtio_target *target, const uint8_t *data,
                    size_t size);

/* Memory in one to three pieces, `size` bytes in all: how many. */
unsigned virtio_fuzz_pieces(struct guest *guest, struct fuzz_input *input,
                            uint32_t size, bool writable,
                            struct buffer buffers[3]);

/* Adds the chain, in the queue's table or, if that was negotiated and the
 * input wants it, in an indirect one; its head. */
uint16_t virtio_fuzz_add(struct guest *guest, struct fuzz_input *input,
                         unsigned queue, const struct buffer *buffers,
                         unsigned count);

#endif
