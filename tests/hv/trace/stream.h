/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams made of events that were drawn, and the same events taken out again:
 * for the tests of the trace's encoder.
 */
#ifndef TESTS_HV_TRACE_STREAM_H
#define TESTS_HV_TRACE_STREAM_H

#include "sim/trace_decode.h"
#include "trace/encode.h"

#define STREAM_CPUS      4
#define STREAM_FIELDS    20
#define STREAM_FREQUENCY 10000000

/* Bytes in memory, as the encoder's sink and the decoder's source. */
struct stream {
    uint8_t *bytes;
    size_t size, room, read;
};

void stream_free(struct stream *stream);

/* What events are like. */
struct stream_kind {
    const char *name;
    unsigned places;    /* distinct pcs */
    unsigned crossings; /* of an event, at most */
    unsigned bits;      /* of values that are drawn, at most */
    unsigned surprise;  /* one of so many values is drawn, not repeated */
    unsigned bytes;     /* of a GET or PUT, at most */
};

/* A start record, `events` events drawn from `seed`, and an END. */
void stream_write(struct stream *stream, const struct stream_kind *kind,
                  uint64_t seed, unsigned events);

/* A start record, one exit again and again, with a value that counts, and an
 * END. */
void stream_repeat(struct stream *stream, unsigned times);

/*
 * Takes events out of the stream and compares each with the same draw: how
 * many came out whole. `error`, if not NULL, gets the decoder's complaint, or
 * NULL (a string of the caller's, TRACE_ERROR_SIZE bytes).
 */
unsigned stream_compare(struct stream *stream, const struct stream_kind *kind,
                        uint64_t seed, char *error);

/* Takes out what there is, whatever it is. */
unsigned stream_drain(struct stream *stream, char *error);

#endif
