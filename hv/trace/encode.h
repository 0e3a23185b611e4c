/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts events into a trace's stream. The image and the process use the same
 * encoder; they differ in the sink.
 */
#ifndef TRACE_ENCODE_H
#define TRACE_ENCODE_H

#include "trace/format.h"

struct trace_sink {
    /* Takes bytes, all of them, waiting where it must. */
    void (*write)(void *context, const void *bytes, size_t size);
    /* Whether nobody wants any more bytes. May be NULL: never. */
    bool (*is_refused)(void *context);
    void *context;
};

struct trace_encoder;

/* Bytes of memory that an encoder needs, aligned to 64. */
size_t trace_encoder_size(void);

/* Makes an encoder of `memory`, with nothing in the stream yet. */
struct trace_encoder *trace_encoder_init(void *memory,
                                         const struct trace_sink *sink);

/* Bytes that stand in the stream as they are: the start record. */
void trace_encode_raw(struct trace_encoder *encoder, const void *bytes,
                      size_t size);

/* An event begins: its head. COSTS and END have nothing else. */
void trace_encode_head(struct trace_encoder *encoder,
                       struct trace_event *event);

/*
 * Crossings of the event. `row` is an enum trace_row_id or an architecture's;
 * `args` its traced arguments, TRACE_MAX_ARGS at most.
 */
void trace_encode_proc(struct trace_encoder *encoder, unsigned row,
                       const uint64_t *args, unsigned count);
void trace_encode_fn(struct trace_encoder *encoder, unsigned row,
                     const uint64_t *args, unsigned count, uint64_t result);
/* GET, with the bytes that came in; PUT, with those that go out. */
void trace_encode_bytes(struct trace_encoder *encoder, unsigned row,
                        const uint64_t *args, unsigned count, const void *bytes,
                        size_t size);

/* The event ends: its tail, and the sink gets what it has not got yet. */
void trace_encode_tail(struct trace_encoder *encoder,
                       struct trace_event *event);
/* The same for an event whose step will never return. */
void trace_encode_cut(struct trace_encoder *encoder);
/* The same for an event without crossings. */
void trace_encode_end(struct trace_encoder *encoder);

/* Whether the sink wants no more bytes. */
bool trace_encoder_is_refused(const struct trace_encoder *encoder);

#endif
