/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio console: virtio.h, with output that must come out as it was sent,
 * and input that must come in as it was typed: whole, in order, and as soon as
 * there is a buffer for it.
 */
#include <string.h>

#include "fuzz/virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECEIVEQ, TRANSMITQ };

#define MOST_BYTES 4000 /* more than a slice of work */

static struct {
    uint8_t typed[MOST_BYTES];
    size_t typed_size, received; /* of those, so far */
    unsigned waiting;            /* buffers for input */
    struct {
        uint64_t at;
        uint32_t size;
    } buffers[256]; /* by head */
} state;

static void restart(struct guest *guest)
{
    state.typed_size = state.received = state.waiting = 0;
}

static void fill(uint8_t *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(seed + i + i / 251);
}

static void send(struct guest *guest, struct fuzz_input *input)
{
    static uint8_t bytes[MOST_BYTES];
    uint32_t size = 1 + (uint32_t)fuzz_take(input, 2) % MOST_BYTES;
    struct buffer buffers[3];
    uint32_t id, len, done = 0;
    uint16_t head;
    unsigned count = virtio_fuzz_pieces(guest, input, size, false, buffers);

    fill(bytes, size, (unsigned)fuzz_take(input, 1));
    for (unsigned i = 0; i < count; i++) {
        poke(guest, buffers[i].at, bytes + done, buffers[i].size);
        done += buffers[i].size;
    }
    guest->output_size = 0;
    head = virtio_fuzz_add(guest, input, TRANSMITQ, buffers, count);
    (void)ring_kick(guest, TRANSMITQ);
    cr_assert(ring_take(guest, TRANSMITQ, &id, &len), "no answer");
    cr_assert(id == head && len == 0, "%u bytes of %u", len, id);
    cr_assert(guest->output_size == size &&
                  memcmp(guest->output, bytes, size) == 0,
              "%zu bytes have come out of %u", guest->output_size, size);
}

static void receive(struct guest *guest)
{
    uint32_t id, len;

    while (ring_take(guest, RECEIVEQ, &id, &len)) {
        uint8_t bytes[256];

        cr_assert(state.waiting-- != 0 && id < guest->rings[RECEIVEQ].size,
                  "buffer %u", id);
        cr_assert(len >= 1 && len <= state.buffers[id].size, "%u bytes", len);
        cr_assert(len <= state.typed_size - state.received,
                  "%u bytes that nobody has typed", len);
        peek(guest, state.buffers[id].at, bytes, len);
        cr_assert(memcmp(bytes, state.typed + state.received, len) == 0,
                  "other bytes than those typed");
        state.received += len;
    }
    cr_assert(state.waiting == 0 || state.received == state.typed_size,
              "%zu bytes are held back", state.typed_size - state.received);
}

static void give_buffer(struct guest *guest, struct fuzz_input *input)
{
    uint32_t size = 1 + (uint32_t)fuzz_take(input, 1);
    struct buffer buffer = {give(guest, size, 1), size, true};
    uint16_t head;

    /* Descriptors are used in turn, and come back in that order. */
    if (state.waiting == guest->rings[RECEIVEQ].size)
        return;
    head = virtio_fuzz_add(guest, input, RECEIVEQ, &buffer, 1);
    state.buffers[head].at = buffer.at;
    state.buffers[head].size = size;
    state.waiting++;
    (void)ring_kick(guest, RECEIVEQ);
    receive(guest);
}

static void type_some(struct guest *guest, struct fuzz_input *input)
{
    size_t size = 1 + fuzz_take(input, 2) % 700;

    if (size > MOST_BYTES - state.typed_size)
        return;
    fill(state.typed + state.typed_size, size, (unsigned)fuzz_take(input, 1));
    state.typed_size += size;
    type_text(guest, (char *)state.typed + state.typed_size - size, size);
    receive(guest);
}

static void do_request(struct guest *guest, struct fuzz_input *input)
{
    static void (*const requests[])(struct guest *, struct fuzz_input *) = {
        send, give_buffer, type_some};

    requests[fuzz_pick(input, ARRAY_SIZE(requests))](guest, input);
}

static const struct virtio_target target = {
    .compatible = "virtio,console",
    .queue_count = 2,
    .ring_shift = 7,
    .restart = restart,
    .request = do_request,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return virtio_fuzz_run(&target, data, size);
}
