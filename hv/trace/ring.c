/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's side of the ring: see ring.h. */
#include "trace/ring.h"

#include "api/time.h"
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
    atomic_store_explicit(&ring->head, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->ended, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->stop, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->magic, TRACE_RING_MAGIC, memory_order_release);
}

static bool ring_is_refused(struct trace_ring *ring)
{
    return atomic_load_explicit(&ring->stop, memory_order_relaxed) != 0;
}

/* Bytes of room behind `head`. */
static uint64_t room(struct trace_ring *ring, uint64_t head)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    return ring->size - (head - tail);
}

/* The ring is full: waits until it is not, or the reader has gone. A machine
 * that stands still says why. */
static void wait_for_room(struct trace_ring_writer *writer, uint64_t head)
{
    struct trace_ring *ring = writer->ring;
    uint64_t since = time_ticks_impl();
    bool told = writer->stalled == NULL;

    while (room(ring, head) == 0 && !ring_is_refused(ring)) {
        if (!told && time_ticks_impl() - since >= writer->patience) {
            writer->stalled(false);
            told = true;
        }
        cpu_pause();
    }
    if (told && writer->stalled != NULL)
        writer->stalled(true);
}

static void ring_write(void *context, const void *bytes, size_t size)
{
    struct trace_ring_writer *writer = context;
    struct trace_ring *ring = writer->ring;
    uint8_t *data = (uint8_t *)ring + ring->header_size;
    const uint8_t *from = bytes;

    while (size != 0) {
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        uint64_t at = head & (ring->size - 1);
        uint64_t piece = room(ring, head);

        if (ring_is_refused(ring))
            return;
        if (piece == 0) {
            wait_for_room(writer, head);
            continue;
        }
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

static bool is_refused(void *context)
{
    const struct trace_ring_writer *writer = context;

    return ring_is_refused(writer->ring);
}

struct trace_sink trace_ring_sink(struct trace_ring_writer *writer)
{
    return (struct trace_sink){ring_write, is_refused, writer};
}

void trace_ring_end(struct trace_ring *ring)
{
    atomic_store_explicit(&ring->ended, 1, memory_order_release);
}
