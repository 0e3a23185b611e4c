/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring through which the image hands its trace to the outside: memory that
 * both sides see (QEMU's RAM as a file). One page of header, then the data.
 * The reader finds it by its first words at a page boundary, `self` being that
 * page's own host-physical address.
 *
 * Nothing is dropped: the writer waits for the reader while the ring is full.
 * The layout is part of docs/trace-format.md.
 */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include <stdatomic.h>

#include "lib/addr.h"
#include "lib/compiler.h"
#include "trace/encode.h"

/* "TWXRING1" in memory. */
#define TRACE_RING_MAGIC   UINT64_C(0x31474e4952585754)
#define TRACE_RING_VERSION 1

struct trace_ring {
    _Atomic uint64_t magic; /* written last */
    uint32_t version;
    uint32_t header_size; /* the data begins here */
    uint64_t self;        /* host-physical address of this header */
    uint64_t size;        /* of the data: a power of two */
    uint64_t session;     /* differs from one recording to the next */

    ALIGNED(64) _Atomic uint64_t head; /* bytes ever written; the writer's */
    _Atomic uint32_t ended;            /* nothing follows; the writer's */

    ALIGNED(64) _Atomic uint64_t tail; /* bytes ever read; the reader's */
    _Atomic uint32_t stop; /* the reader wants no more: discard; the reader's */
};

/*
 * Makes a ring of `bytes` of memory (at least two frames) at `memory`, a
 * frame's start, host-physical `self`. The data gets the largest power of two
 * that fits behind the header's frame.
 */
void trace_ring_init(void *memory, hpa_t self, uint64_t bytes,
                     uint64_t session);

/* The writer's own: what the other side has no business with. */
struct trace_ring_writer {
    struct trace_ring *ring;
    /* Told when a write has waited for so many ticks of the host's counter,
     * and once more when it goes on. Called within a step, with the recorder's
     * lock held, so it crosses no seam. May be NULL. */
    void (*stalled)(bool is_over);
    uint64_t patience;
};

/* A sink that writes to the writer's ring. */
struct trace_sink trace_ring_sink(struct trace_ring_writer *writer);

/* Tells the reader that the recording has ended. */
void trace_ring_end(struct trace_ring *ring);

#endif
