/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio entropy device: virtio.h, with requests that get as many bytes as
 * the device says, other ones each time, and nothing behind them.
 */
#include <string.h>

#include "fuzz/virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_BYTES 5000 /* more than the device gives at once */
#define FILL       0xa5

/* Making them takes time: seldom many. */
#define FEW_BYTES 128
#define MANY      0xf000

/* So many bytes are never the same twice, nor what was there before. */
#define TELLING 16

static uint8_t last[TELLING];

static void restart(struct guest *guest)
{
    memset(last, FILL, sizeof(last));
}

static void check_bytes(const uint8_t *bytes, uint32_t len, uint32_t size)
{
    for (uint32_t i = len; i < size; i++)
        cr_assert(bytes[i] == FILL, "byte %u of %u", i, len);
    if (len < TELLING)
        return;
    cr_assert(memcmp(bytes, last, TELLING) != 0, "the same bytes again");
    memcpy(last, bytes, TELLING);
}

static void do_request(struct guest *guest, struct fuzz_input *input)
{
    static uint8_t bytes[MOST_BYTES], fill[MOST_BYTES];
    uint32_t how = (uint32_t)fuzz_take(input, 2);
    uint32_t size = 1 + how % (how >= MANY ? MOST_BYTES : FEW_BYTES);
    struct buffer buffers[3];
    uint32_t id, len, done = 0;
    uint16_t head;
    unsigned count = virtio_fuzz_pieces(guest, input, size, true, buffers);

    memset(fill, FILL, size);
    for (unsigned i = 0; i < count; i++)
        poke(guest, buffers[i].at, fill, buffers[i].size);
    head = virtio_fuzz_add(guest, input, 0, buffers, count);
    (void)ring_kick(guest, 0);
    cr_assert(ring_take(guest, 0, &id, &len), "no answer");
    cr_assert_eq(id, head);
    cr_assert(len >= 1 && len <= size, "%u bytes of %u", len, size);
    for (unsigned i = 0; i < count; i++) {
        peek(guest, buffers[i].at, bytes + done, buffers[i].size);
        done += buffers[i].size;
    }
    check_bytes(bytes, len, size);
}

static const struct virtio_target target = {
    .compatible = "virtio,rng",
    .queue_count = 1,
    .ring_shift = 4,
    .restart = restart,
    .request = do_request,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return virtio_fuzz_run(&target, data, size);
}
