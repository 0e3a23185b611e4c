/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio entropy device: virtio 1.2, section 5.4.
 *
 * Properties of the configuration node, besides those of all devices:
 *   seed   bytes to start from, any number; best 32 from a good source, and
 *          others for each VM
 *
 * WHAT THE BYTES ARE WORTH. The hypervisor has no source of entropy. The
 * generator is ChaCha20 (RFC 8439) with fast key erasure: every request gets
 * a key stream of its own, whose first block replaces the key, so that bytes
 * given out earlier cannot be computed from the state. What goes in is the
 * `seed`, the VM's number, and the time counter when the VM is created and at
 * each request. With a secret `seed` of 32 bytes the output cannot be told
 * from random by one who does not know it. Without one, all there is to guess
 * is a few counter values, to which guests, other VMs and whoever knows when
 * the machine started come close: enough to start a guest's own pool
 * differently on each boot, NOT enough to make keys from. Two boots from one
 * bundle use one seed and differ in the counter only.
 *
 * The counter comes in through the time API, so that a recorded run replays
 * with the bytes that the guest was given.
 */
#include <libfdt.h>

#include "api/time.h"
#include "device/virtio/chacha20.h"
#include "device/virtio/virtio.h"
#include "lib/string.h"
#include "memory/arena.h"

#define RNG_QUEUE_SIZE 16
/* 5.4.6.1: at least one byte per buffer, the rest at will. */
#define RNG_SLICE 4096

/* What makes the key stream of a request its own, with the key. */
struct nonce {
    uint64_t ticks;
    uint32_t request;
} __attribute__((packed));
_Static_assert(sizeof(struct nonce) == CHACHA20_NONCE_SIZE, "RFC 8439, 2.3");

struct rng {
    struct virtio_device virtio;
    uint8_t key[CHACHA20_KEY_SIZE];
    uint32_t requests;
};

/* Starts a key stream: *nonce names it, and block 0 has become the key that
 * comes after `old`. */
static void start_stream(struct rng *rng, struct nonce *nonce,
                         uint8_t old[CHACHA20_KEY_SIZE])
{
    uint8_t block[CHACHA20_BLOCK_SIZE];

    *nonce = (struct nonce){time_ticks(), rng->requests++};
    memcpy(old, rng->key, CHACHA20_KEY_SIZE);
    chacha20_block(old, 0, (const uint8_t *)nonce, block);
    memcpy(rng->key, block, CHACHA20_KEY_SIZE);
}

/* Makes the key depend on `size` further bytes. */
static void absorb(struct rng *rng, const uint8_t *bytes, size_t size)
{
    uint8_t old[CHACHA20_KEY_SIZE];
    struct nonce nonce;

    while (size > 0) {
        size_t here = size < CHACHA20_KEY_SIZE ? size : CHACHA20_KEY_SIZE;

        for (size_t i = 0; i < here; i++)
            rng->key[i] ^= bytes[i];
        start_stream(rng, &nonce, old);
        bytes += here;
        size -= here;
    }
}

static enum virtio_outcome rng_answer(struct virtio_device *virtio,
                                      struct virtqueue *queue,
                                      const struct virtqueue_chain *chain,
                                      uint32_t *written)
{
    struct rng *rng = container_of(virtio, struct rng, virtio);
    uint8_t key[CHACHA20_KEY_SIZE];
    struct nonce nonce;
    uint64_t size;
    uint32_t counter = 1;

    /* 5.4.6: the driver places writable buffers, and no others. */
    if (chain->readable != 0 || chain->writable == 0)
        return VIRTIO_BROKEN;
    size = virtio_budget(virtio, chain->writable);
    start_stream(rng, &nonce, key);
    for (uint64_t done = 0; done < size; done += CHACHA20_BLOCK_SIZE) {
        uint8_t block[CHACHA20_BLOCK_SIZE];
        uint64_t left = size - done;

        chacha20_block(key, counter++, (const uint8_t *)&nonce, block);
        if (virtqueue_write(queue, chain, done, block,
                            left < sizeof(block) ? left : sizeof(block)) != OK)
            return VIRTIO_BROKEN;
    }
    *written = (uint32_t)size;
    return VIRTIO_ANSWERED;
}

static const struct virtio_type rng_type = {
    .id = VIRTIO_ID_ENTROPY,
    .queue_count = 1,
    .queue_size = RNG_QUEUE_SIZE,
    .slice = RNG_SLICE,
    .answer = rng_answer,
};

static err_t rng_create(const struct device_context *context,
                        struct device **device, const char **what)
{
    struct rng *rng = arena_new(context->arena, struct rng);
    int size = 0;
    const void *seed;

    if (rng == NULL)
        return ERR_NO_MEMORY;
    seed = fdt_getprop(context->fdt, context->node, "seed", &size);
    absorb(rng, (const uint8_t *)&context->vm, sizeof(context->vm));
    if (seed != NULL)
        absorb(rng, seed, (size_t)size);
    virtio_init(&rng->virtio, &rng_type, context, 0, NULL, 0);
    return virtio_create(context, &rng->virtio, device, what);
}

static const struct device_model rng_model = {
    .compatible = "virtio,rng",
    .guest_compatible = "virtio,mmio",
    .create = rng_create,
};
DEVICE_MODEL(rng_model);
