/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a trace's stream apart, value by value, in the order in which the
 * recorder put it together: the start record when it is opened, then events.
 *
 * Nothing in a stream is trusted. Where it breaks off or makes no sense, the
 * decoder fails: from then on every value is a guess, every event is END, and
 * trace_decoder_error() says where and why.
 */
#ifndef SIM_TRACE_DECODE_H
#define SIM_TRACE_DECODE_H

#include "trace/format.h"
#include "trace/rows.h"
#include "trace/start.h"

struct trace_source {
    /* Up to `size` bytes of the stream; 0: there are no more. */
    size_t (*read)(void *context, void *bytes, size_t size);
    void *context;
};

/* The start record. The strings and arrays are the decoder's. */
struct trace_start {
    struct trace_start_numbers numbers;
    const char *arch;
    const char *build_id;
    const char **exit_kinds; /* numbers.exit_kinds of them */
    const char **fields;     /* numbers.fields of them */
    struct trace_row *rows;  /* by number in the stream: row_count of them */
    unsigned row_count;
    const void *config;
};

/* The bits of all of the trace's fields, of which there are 63 at most. */
static inline uint64_t trace_all_fields(const struct trace_start *start)
{
    return BIT(start->numbers.fields % 64) - 1;
}

#define TRACE_ERROR_SIZE 256

struct trace_decoder;

/* Reads the start record. NULL, with the reason in `what` (TRACE_ERROR_SIZE
 * bytes), when it is none that can be read. */
struct trace_decoder *trace_decoder_open(const struct trace_source *source,
                                         char *what);
void trace_decoder_close(struct trace_decoder *decoder); /* NULL is allowed */

/*
 * The same in two steps, for who decodes many streams: a decoder of none (NULL:
 * no memory), and the beginning of another stream, whatever the last one came
 * to. False, with the reason in `what`; the decoder can begin again then.
 */
struct trace_decoder *trace_decoder_new(void);
bool trace_decoder_begin(struct trace_decoder *decoder,
                         const struct trace_source *source, char *what);
/* Other events behind the start record that was read: `source` has only them.
 */
void trace_decoder_again(struct trace_decoder *decoder,
                         const struct trace_source *source);
/* Frees what belongs to the stream; not the decoder. */
void trace_decoder_end(struct trace_decoder *decoder);

const struct trace_start *
trace_decoder_start(const struct trace_decoder *decoder);

/* Events begun so far: the number of the current one, counted from 0, plus
 * one. COSTS and END do not count. */
uint64_t trace_decoder_events(const struct trace_decoder *decoder);

/* NULL while all is well. */
const char *trace_decoder_error(const struct trace_decoder *decoder);

/* Whether it failed because the stream has no more bytes. */
bool trace_decoder_broke_off(const struct trace_decoder *decoder);

/* Bytes of the stream that have been read: behind an event, where it ends. */
uint64_t trace_decoder_position(const struct trace_decoder *decoder);

/* Makes the decoder fail, unless it has: what it stands in makes no sense. */
void trace_decoder_fail(struct trace_decoder *decoder, const char *why);

/* The head of the next event. */
void trace_decode_head(struct trace_decoder *decoder,
                       struct trace_event *event);
/* What is crossed next; ROW_NONE when the tail follows, ROW_CUT when there is
 * none. The second function leaves it to be taken. */
unsigned trace_decode_row(struct trace_decoder *decoder);
unsigned trace_peek_row(struct trace_decoder *decoder);
/* The values of that crossing, in this order: arguments from 0, then an FN's
 * result, or a GET's or PUT's bytes, which are the decoder's. */
uint64_t trace_decode_arg(struct trace_decoder *decoder, unsigned arg);
uint64_t trace_decode_result(struct trace_decoder *decoder);
const void *trace_decode_bytes(struct trace_decoder *decoder, size_t *size);
/* The end of the event; of one without a tail. */
void trace_decode_tail(struct trace_decoder *decoder,
                       struct trace_event *event);
void trace_decode_end(struct trace_decoder *decoder);

/* Passes over what is left of a crossing whose row has just been taken. */
void trace_skip_crossing(struct trace_decoder *decoder, unsigned row);

/* "memory_alloc_frame"; "?" for a number that is no row. */
const char *trace_row_name(const struct trace_start *start, unsigned row);
const char *trace_field_name(const struct trace_start *start, unsigned field);
const char *trace_exit_kind_name(const struct trace_start *start,
                                 uint64_t kind);

#endif
