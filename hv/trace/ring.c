/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's side of the ring: see ring.h. */
#include "trace/ring.h"

#include "lib/bits.h"
#include "lib/check.h"
#include "lib/pause.h"

void trace_ring_init(void *memory, hpa_t self, uint64_t bytes, uint64_t session)
{
    struct trace_ring *ring = memory;

    CHECK(bytes >= 2 * PAGE_SIZE && is_aligned(self.raw, PAGE_SIZE));
    /* What an earlier recording left must not look like this one. */
    atomic_store_explicit(&ring->magic, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    ring->version = TRACE_RING_VERSION;
    ring->header_size = (uint32_t)PAGE_SIZE;
    ring->self = self.raw;
    ring->size = BIT(bit_highest(bytes - PAGE_SIZE));
    ring->session = session;
    ring->dropped = 0;
    atomic_store_explicit(&ring->head, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->ended, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->stop, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->magic, TRACE_RING_MAGIC, memory_order_release);
}

/* Waits until there is room, and returns how much; 0: the reader has gone. */
static uint64_t wait_for_room(struct trace_ring *ring, uint64_t head)
{
    for (;;) {
        uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

        if (atomic_load_explicit(&ring->stop, memory_order_relaxed) != 0)
            return 0;
        if (head - tail < ring->size)
            return ring->size - (head - tail);
        cpu_pause();
    }
}

static void ring_write(void *context, const void *bytes, size_t size)
{
    struct trace_ring *ring = context;
    uint8_t *data = (uint8_t *)ring + ring->header_size;
    const uint8_t *from = bytes;

    while (size != 0) {
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        uint64_t at = head & (ring->size - 1);
        uint64_t piece = wait_for_room(ring, head);

        if (piece == 0)
            return;
        if (piece > size)
            piece = size;
        if (piece > ring->size - at)
            piece = ring->size - at;
        memcpy(data + at, from, piece);
        atomic_store_explicit(&ring->head, head + piece, memory_order_release);
        from += piece;
        size -= piece;
    }
}

static bool ring_is_refused(void *context)
{
    struct trace_ring *ring = context;

    return atomic_load_explicit(&ring->stop, memory_order_relaxed) != 0;
}

struct trace_sink trace_ring_sink(struct trace_ring *ring)
{
    return (struct trace_sink){ring_write, ring_is_refused, ring};
}

void trace_ring_end(struct trace_ring *ring)
{
    atomic_store_explicit(&ring->ended, 1, memory_order_release);
}
