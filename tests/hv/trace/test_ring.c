/* SPDX-License-Identifier: Apache-2.0 */
/* The ring, from the writer's side: hv/trace/ring.c. */
#include "trace/ring.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pause.h"

#define FRAMES 4

static struct trace_ring *make_ring(unsigned frames)
{
    struct trace_ring *ring = aligned_alloc(PAGE_SIZE, frames * PAGE_SIZE);

    memset((void *)ring, 0xa5, frames * PAGE_SIZE);
    trace_ring_init(ring, hpa(0x80005000), frames * PAGE_SIZE, 77);
    return ring;
}

static const uint8_t *data_of(const struct trace_ring *ring)
{
    return (const uint8_t *)ring + ring->header_size;
}

Test(trace_ring, the_header_says_where_and_how_large_it_is)
{
    const struct {
        unsigned frames;
        uint64_t size;
    } cases[] = {{2, 4096}, {3, 8192}, {4, 8192}, {5, 16384}, {9, 32768}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trace_ring *ring = make_ring(cases[i].frames);

        cr_assert_eq(ring->magic, TRACE_RING_MAGIC);
        cr_assert_eq(memcmp(ring, "TWXRING1", 8), 0);
        cr_assert_eq(ring->version, TRACE_RING_VERSION);
        cr_assert_eq(ring->self, 0x80005000);
        cr_assert_eq(ring->header_size, PAGE_SIZE);
        cr_assert_eq(ring->size, cases[i].size, "%u", cases[i].frames);
        cr_assert_eq(ring->session, 77);
        cr_assert_eq(ring->head, 0);
        cr_assert_eq(ring->ended, 0);
        free(ring);
    }
}

/* A reader in a thread of its own, slower than the writer. */
struct reader {
    struct trace_ring *ring;
    uint8_t *bytes;
    size_t wanted, got;
};

static void *read_all(void *context)
{
    struct reader *reader = context;
    struct trace_ring *ring = reader->ring;

    while (reader->got < reader->wanted) {
        uint64_t tail = atomic_load(&ring->tail);

        if (atomic_load_explicit(&ring->head, memory_order_acquire) == tail) {
            cpu_pause();
            continue;
        }
        reader->bytes[reader->got++] = data_of(ring)[tail & (ring->size - 1)];
        atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    }
    return NULL;
}

Test(trace_ring, a_full_ring_waits_and_loses_nothing)
{
    enum { BYTES = 300000 };
    struct trace_ring *ring = make_ring(2);
    struct trace_ring_writer writer = {.ring = ring};
    struct trace_sink sink = trace_ring_sink(&writer);
    struct reader reader = {ring, malloc(BYTES), BYTES, 0};
    uint8_t *sent = malloc(BYTES);
    pthread_t thread;

    for (size_t i = 0; i < BYTES; i++)
        sent[i] = (uint8_t)(i * 31 + i / 251);
    cr_assert_eq(pthread_create(&thread, NULL, read_all, &reader), 0);
    for (size_t at = 0, piece = 1; at < BYTES; at += piece) {
        piece = 1 + at % 9000;
        if (piece > BYTES - at)
            piece = BYTES - at;
        sink.write(sink.context, sent + at, piece);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(memcmp(sent, reader.bytes, BYTES), 0);
    cr_assert_eq(ring->head, BYTES);
    trace_ring_end(ring);
    cr_assert_eq(ring->ended, 1);
    free(sent);
    free(reader.bytes);
    free(ring);
}

Test(trace_ring, a_reader_that_stops_lets_the_writer_go_on)
{
    struct trace_ring *ring = make_ring(2);
    struct trace_ring_writer writer = {.ring = ring};
    struct trace_sink sink = trace_ring_sink(&writer);
    uint8_t bytes[10000] = {0};

    cr_assert_not(sink.is_refused(sink.context));
    atomic_store(&ring->stop, 1);
    cr_assert(sink.is_refused(sink.context));
    sink.write(sink.context, bytes, sizeof(bytes));
    cr_assert_leq(ring->head, ring->size);
    free(ring);
}

/* What the writer has said; the reader takes all there is when it hears it. */
static struct reader late;
static unsigned stalls, ends;

static void stalled(bool is_over)
{
    if (is_over) {
        ends++;
    } else {
        stalls++;
        late.wanted = atomic_load(&late.ring->head);
        (void)read_all(&late);
    }
}

Test(trace_ring, a_writer_that_waits_says_so_once)
{
    struct trace_ring *ring = make_ring(2);
    struct trace_ring_writer writer = {.ring = ring, .stalled = stalled};
    struct trace_sink sink = trace_ring_sink(&writer);
    uint8_t sent[PAGE_SIZE + 100], got[sizeof(sent)];

    late = (struct reader){ring, got, 0, 0};
    memset(sent, 0x5a, sizeof(sent));
    sink.write(sink.context, sent, PAGE_SIZE);
    cr_assert_eq(stalls, 0);
    sink.write(sink.context, sent + PAGE_SIZE, 100);
    cr_assert_eq(stalls, 1);
    cr_assert_eq(ends, 1);
    late.wanted = sizeof(got);
    (void)read_all(&late);
    cr_assert_eq(memcmp(got, sent, sizeof(got)), 0);
    free(ring);
}

Test(trace_ring, a_writer_that_is_patient_says_nothing)
{
    struct trace_ring *ring = make_ring(2);
    struct trace_ring_writer writer = {
        .ring = ring, .stalled = stalled, .patience = UINT64_MAX};
    struct trace_sink sink = trace_ring_sink(&writer);
    static uint8_t sent[3 * PAGE_SIZE], got[sizeof(sent)];
    struct reader reader = {ring, got, sizeof(got), 0};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, read_all, &reader), 0);
    sink.write(sink.context, sent, sizeof(sent));
    pthread_join(thread, NULL);
    cr_assert_eq(stalls, 0);
    free(ring);
}
