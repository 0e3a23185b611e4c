/* SPDX-License-Identifier: Apache-2.0 */
/* See stream.h. */
#include "hv/trace/stream.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"

/* The rows of the drawn seam: these again and again. */
static const struct trace_row rows[] = {
    {"fn", TRACE_SHAPE_FN, FEED, 2},
    {"proc", TRACE_SHAPE_PROC, FEED, TRACE_MAX_ARGS},
    {"get", TRACE_SHAPE_GET, FEED, 1},
    {"put", TRACE_SHAPE_PUT, FEED, 0},
};

#define ROWS      80
#define MAX_BYTES 4096
#define MAX_ROWS  200

struct crossing {
    unsigned row, args;
    uint64_t arg[TRACE_MAX_ARGS];
    uint64_t result;
    uint8_t bytes[MAX_BYTES];
};

/* One event as it was drawn. */
struct drawn {
    struct trace_event event;
    bool cut; /* it has no tail */
    unsigned count;
    struct crossing crossings[MAX_ROWS];
};

struct dice {
    uint64_t state;
    const struct stream_kind *kind;
    uint64_t time;
    uint64_t entered[STREAM_CPUS];
};

static uint64_t roll(struct dice *dice)
{
    dice->state = dice->state * UINT64_C(6364136223846793005) + 1442695;
    return dice->state ^ dice->state >> 29;
}

static unsigned below(struct dice *dice, unsigned limit)
{
    return (unsigned)((roll(dice) >> 20) % limit);
}

/* Where numbers get one byte longer, and differences wrap. */
static const uint64_t extremes[] = {0,
                                    1,
                                    0x3f,
                                    0x40,
                                    0x7f,
                                    0x80,
                                    UINT32_MAX,
                                    INT64_MAX,
                                    (uint64_t)1 << 63,
                                    UINT64_MAX - 1,
                                    UINT64_MAX};

/* A value that mostly is the same for the same question. */
static uint64_t value(struct dice *dice, uint64_t question)
{
    unsigned bits = 1 + below(dice, dice->kind->bits);

    if (below(dice, dice->kind->surprise) != 0)
        return codec_mix(question, 1) % 1000;
    if (dice->kind->bits == 64 && below(dice, 2) == 0)
        return extremes[below(dice, ARRAY_SIZE(extremes))];
    return zero_extend(roll(dice), bits);
}

static struct trace_row row_of(unsigned number)
{
    if (number == ROW_TIMER)
        return (struct trace_row){"timer", TRACE_SHAPE_PROC, 0, 2};
    return rows[number % ARRAY_SIZE(rows)];
}

static void draw_crossing(struct dice *dice, struct crossing *crossing,
                          uint64_t question)
{
    struct trace_row row;

    crossing->row = ROW_LAST_SPECIAL + 1 + below(dice, ROWS);
    if (below(dice, 20) == 0)
        crossing->row = ROW_TIMER;
    row = row_of(crossing->row);
    crossing->args = row.arg_count;
    for (unsigned i = 0; i < row.arg_count; i++)
        crossing->arg[i] = value(dice, question + crossing->row + i);
    crossing->result = value(dice, question + crossing->row + 99);
    if (row.shape == TRACE_SHAPE_GET || row.shape == TRACE_SHAPE_PUT) {
        crossing->result = below(dice, dice->kind->bytes + 1);
        for (unsigned i = 0; i < crossing->result; i++)
            crossing->bytes[i] = (uint8_t)value(dice, i);
    }
}

static void draw_exit(struct dice *dice, struct trace_event *event)
{
    uint64_t all = BIT_MASK(STREAM_FIELDS - 1, 0);
    uint64_t pc = 0xffffffff80000000 + 4 * below(dice, dice->kind->places);

    event->vcpu = dice->entered[event->cpu];
    event->mask = (BIT(0) | BIT(1) | value(dice, pc)) & all;
    for (unsigned i = 0; i < STREAM_FIELDS; i++)
        event->fields[i] = value(dice, pc + i);
    event->fields[TRACE_FIELD_PC] = pc;
    event->exit_kind = value(dice, pc) % EXIT_KIND_COUNT;
    event->changed = (BIT(0) | value(dice, pc + 7)) & all;
    for (unsigned i = 0; i < STREAM_FIELDS; i++)
        event->outputs[i] = value(dice, pc + i + 100);
    event->outputs[TRACE_FIELD_PC] = pc + 4;
}

static void draw_entry(struct dice *dice, struct trace_event *event)
{
    uint64_t all = BIT_MASK(STREAM_FIELDS - 1, 0);

    event->entered = below(dice, 4) == 0
                         ? below(dice, 2) * trace_vcpu_name(1, below(dice, 4))
                         : event->vcpu;
    event->rewritten = 0;
    if (event->entered != 0 && event->entered != event->vcpu &&
        below(dice, 2) == 0)
        event->rewritten = value(dice, 5) & all;
    for (unsigned i = 0; i < STREAM_FIELDS; i++)
        event->entries[i] = value(dice, i);
    dice->entered[event->cpu] = event->entered;
}

static void draw_costs(struct dice *dice, struct trace_event *event)
{
    event->kind = TRACE_EVENT_COSTS;
    event->cpu = 0;
    event->end = TRACE_END_COUNT;
    event->events = value(dice, 1);
    event->cost_count = below(dice, EXIT_KIND_COUNT + 1);
    for (unsigned i = 0; i < event->cost_count; i++) {
        uint64_t count = value(dice, i) * below(dice, 2);

        if (count != 0)
            event->costs[i] =
                (struct trace_cost){count, value(dice, i + 1),
                                    value(dice, i + 2), value(dice, i + 3)};
    }
}

static void draw_crossings(struct dice *dice, struct drawn *drawn)
{
    drawn->count = below(dice, dice->kind->crossings + 1);
    for (unsigned i = 0; i < drawn->count; i++)
        draw_crossing(dice, &drawn->crossings[i],
                      drawn->event.fields[TRACE_FIELD_PC] + i);
}

static void draw(struct dice *dice, struct drawn *drawn, unsigned number)
{
    struct trace_event *event = &drawn->event;

    memset(event, 0, sizeof(*event));
    drawn->count = 0;
    if (below(dice, 3) == 0)
        dice->time += below(dice, 50) == 0 ? value(dice, 9) : below(dice, 3);
    event->time = dice->time;
    event->cpu = below(dice, STREAM_CPUS);
    drawn->cut = below(dice, 50) == 0;
    if (number != 0 && below(dice, 40) == 0) {
        draw_costs(dice, event);
        return;
    }
    event->kind = number == 0                      ? TRACE_EVENT_INIT
                  : dice->entered[event->cpu] != 0 ? TRACE_EVENT_EXIT
                                                   : TRACE_EVENT_WAKE;
    if (event->kind == TRACE_EVENT_EXIT)
        draw_exit(dice, event);
    draw_crossings(dice, drawn);
    event->result = value(dice, 1);
    if (event->kind != TRACE_EVENT_INIT && !drawn->cut)
        draw_entry(dice, event);
}

/* --- In --- */

static void sink_write(void *context, const void *bytes, size_t size)
{
    struct stream *stream = context;

    if (stream->size + size > stream->room) {
        stream->room = 2 * (stream->size + size);
        stream->bytes = realloc(stream->bytes, stream->room);
        cr_assert_not_null(stream->bytes);
    }
    memcpy(stream->bytes + stream->size, bytes, size);
    stream->size += size;
}

static void put_text(struct trace_encoder *encoder, const char *text)
{
    uint8_t size = (uint8_t)strlen(text);

    trace_encode_raw(encoder, &size, 1);
    trace_encode_raw(encoder, text, size);
}

static void put_start(struct trace_encoder *encoder)
{
    const struct trace_start_numbers numbers = {
        .version = TRACE_FORMAT_VERSION,
        .slot_bits = CODEC_SLOT_BITS,
        .cpu_count = STREAM_CPUS,
        .frequency = STREAM_FREQUENCY,
        .time_shift = trace_time_shift(STREAM_FREQUENCY),
        .exit_kinds = 1,
        .fields = STREAM_FIELDS,
        .rows = ROWS,
    };

    trace_encode_raw(encoder, TRACE_STREAM_MAGIC, TRACE_STREAM_MAGIC_SIZE);
    trace_encode_raw(encoder, &numbers, sizeof(numbers));
    put_text(encoder, "drawn");
    put_text(encoder, "id");
    put_text(encoder, "kind");
    for (unsigned i = 0; i < STREAM_FIELDS; i++)
        put_text(encoder, "field");
    for (unsigned i = 0; i < ROWS; i++) {
        struct trace_row row = row_of(ROW_LAST_SPECIAL + 1 + i);
        const uint8_t about[] = {row.shape, row.flow, row.arg_count};

        trace_encode_raw(encoder, about, sizeof(about));
        put_text(encoder, row.name);
    }
}

static void put_crossing(struct trace_encoder *encoder,
                         const struct crossing *crossing)
{
    struct trace_row row = row_of(crossing->row);

    if (row.shape == TRACE_SHAPE_PROC)
        trace_encode_proc(encoder, crossing->row, crossing->arg,
                          crossing->args);
    else if (row.shape == TRACE_SHAPE_FN)
        trace_encode_fn(encoder, crossing->row, crossing->arg, crossing->args,
                        crossing->result);
    else
        trace_encode_bytes(encoder, crossing->row, crossing->arg,
                           crossing->args, crossing->bytes, crossing->result);
}

static struct trace_encoder *begin(struct stream *stream)
{
    const struct trace_sink sink = {.write = sink_write, .context = stream};
    size_t size = (trace_encoder_size() + 63) / 64 * 64;
    struct trace_encoder *encoder =
        trace_encoder_init(aligned_alloc(64, size), &sink);

    put_start(encoder);
    return encoder;
}

static void finish(struct trace_encoder *encoder, uint64_t time,
                   unsigned events)
{
    struct trace_event end = {
        .kind = TRACE_EVENT_END, .time = time, .events = events};

    trace_encode_head(encoder, &end);
    trace_encode_end(encoder);
    free(encoder);
}

static void put_event(struct trace_encoder *encoder, struct drawn *drawn)
{
    trace_encode_head(encoder, &drawn->event);
    for (unsigned i = 0; i < drawn->count; i++)
        put_crossing(encoder, &drawn->crossings[i]);
    if (drawn->event.kind == TRACE_EVENT_COSTS)
        trace_encode_end(encoder);
    else if (drawn->cut)
        trace_encode_cut(encoder);
    else
        trace_encode_tail(encoder, &drawn->event);
}

void stream_write(struct stream *stream, const struct stream_kind *kind,
                  uint64_t seed, unsigned events)
{
    struct trace_encoder *encoder = begin(stream);
    struct dice dice = {seed, kind, 0, {0}};
    static struct drawn drawn;

    for (unsigned i = 0; i < events; i++) {
        draw(&dice, &drawn, i);
        put_event(encoder, &drawn);
    }
    finish(encoder, dice.time, events);
}

void stream_repeat(struct stream *stream, unsigned times)
{
    struct trace_encoder *encoder = begin(stream);
    const uint64_t args[] = {0x80001000, 4};
    static struct trace_event event;

    for (unsigned i = 0; i < times; i++) {
        event = (struct trace_event){.kind = TRACE_EVENT_EXIT,
                                     .vcpu = trace_vcpu_name(1, 0)};
        event.mask = 0xff;
        event.fields[TRACE_FIELD_PC] = 0x80200000;
        event.fields[5] = i;
        event.changed = 1;
        event.outputs[TRACE_FIELD_PC] = 0x80200004;
        event.entered = event.vcpu;
        trace_encode_head(encoder, &event);
        trace_encode_fn(encoder, ROW_ARCH - 2, args, 2, 7);
        trace_encode_proc(encoder, ROW_ARCH - 2, args, 2);
        trace_encode_tail(encoder, &event);
    }
    finish(encoder, 0, times);
}

void stream_free(struct stream *stream)
{
    free(stream->bytes);
    *stream = (struct stream){0};
}

/* --- Out --- */

static size_t source_read(void *context, void *bytes, size_t size)
{
    struct stream *stream = context;
    size_t left = stream->size - stream->read;

    /* In pieces, so that no window holds all of it. */
    if (size > 1000)
        size = 1000;
    if (size > left)
        size = left;
    if (size != 0)
        memcpy(bytes, stream->bytes + stream->read, size);
    stream->read += size;
    return size;
}

static struct trace_decoder *open_stream(struct stream *stream, char *error)
{
    const struct trace_source source = {source_read, stream};

    stream->read = 0;
    return trace_decoder_open(&source, error);
}

static bool same_crossing(struct trace_decoder *decoder,
                          const struct crossing *crossing)
{
    struct trace_row row = row_of(crossing->row);
    bool same = trace_decode_row(decoder) == crossing->row;
    const void *bytes;
    size_t size;

    for (unsigned i = 0; same && i < crossing->args; i++)
        same = trace_decode_arg(decoder, i) == crossing->arg[i];
    if (!same || row.shape == TRACE_SHAPE_PROC)
        return same;
    if (row.shape == TRACE_SHAPE_FN)
        return trace_decode_result(decoder) == crossing->result;
    bytes = trace_decode_bytes(decoder, &size);
    return size == crossing->result &&
           (size == 0 || memcmp(bytes, crossing->bytes, size) == 0);
}

/* The values of the fields in `mask`. */
static bool same_values(uint64_t mask, const uint64_t *a, const uint64_t *b)
{
    for (; mask != 0; mask &= mask - 1) {
        if (a[bit_lowest(mask)] != b[bit_lowest(mask)])
            return false;
    }
    return true;
}

static bool same_head(const struct trace_event *a, const struct trace_event *b)
{
    return a->kind == b->kind && a->cpu == b->cpu && a->time == b->time &&
           a->vcpu == b->vcpu &&
           (a->kind != TRACE_EVENT_EXIT ||
            (a->mask == b->mask && same_values(a->mask, a->fields, b->fields)));
}

/* What was written may be listed again as kept, and no more than that. */
static bool same_outputs(const struct trace_event *in,
                         const struct trace_event *out)
{
    return in->exit_kind == out->exit_kind &&
           (in->changed & ~out->changed) == 0 &&
           ((out->changed & ~in->changed) & ~out->mask) == out->kept &&
           same_values(out->changed, in->outputs, out->outputs);
}

static bool same_tail(const struct trace_event *in,
                      const struct trace_event *out)
{
    if (in->kind == TRACE_EVENT_INIT)
        return in->result == out->result;
    return (in->kind != TRACE_EVENT_EXIT || same_outputs(in, out)) &&
           in->entered == out->entered && in->rewritten == out->rewritten &&
           same_values(in->rewritten, in->entries, out->entries);
}

static bool same_costs(const struct trace_event *a, const struct trace_event *b)
{
    return a->end == b->end && a->events == b->events &&
           a->cost_count == b->cost_count &&
           memcmp(a->costs, b->costs, a->cost_count * sizeof(a->costs[0])) == 0;
}

static bool same_event(struct trace_decoder *decoder, const struct drawn *drawn)
{
    static struct trace_event event;

    memset(&event, 0, sizeof(event));
    trace_decode_head(decoder, &event);
    if (trace_decoder_error(decoder) != NULL ||
        !same_head(&drawn->event, &event))
        return false;
    if (event.kind == TRACE_EVENT_COSTS)
        return same_costs(&drawn->event, &event);
    for (unsigned i = 0; i < drawn->count; i++) {
        if (!same_crossing(decoder, &drawn->crossings[i]))
            return false;
    }
    if (trace_decode_row(decoder) != (drawn->cut ? ROW_CUT : ROW_NONE))
        return false;
    if (drawn->cut) {
        trace_decode_end(decoder);
        return trace_decoder_error(decoder) == NULL;
    }
    trace_decode_tail(decoder, &event);
    return same_tail(&drawn->event, &event) &&
           trace_decoder_error(decoder) == NULL;
}

unsigned stream_compare(struct stream *stream, const struct stream_kind *kind,
                        uint64_t seed, char *error)
{
    char what[TRACE_ERROR_SIZE] = "";
    struct trace_decoder *decoder = open_stream(stream, what);
    struct dice dice = {seed, kind, 0, {0}};
    static struct drawn drawn;
    unsigned same = 0;

    if (decoder != NULL) {
        do
            draw(&dice, &drawn, same++);
        while (same_event(decoder, &drawn));
        if (trace_decoder_error(decoder) != NULL)
            strcpy(what, trace_decoder_error(decoder));
        same--;
    }
    trace_decoder_close(decoder);
    if (error != NULL)
        strcpy(error, what);
    return same;
}

unsigned stream_drain(struct stream *stream, char *error)
{
    char what[TRACE_ERROR_SIZE] = "";
    struct trace_decoder *decoder = open_stream(stream, what);
    struct trace_event event = {0};
    unsigned events = 0, row;

    while (decoder != NULL) {
        trace_decode_head(decoder, &event);
        if (event.kind == TRACE_EVENT_END)
            break;
        if (event.kind == TRACE_EVENT_COSTS)
            continue;
        while ((row = trace_decode_row(decoder)) != ROW_NONE && row != ROW_CUT)
            trace_skip_crossing(decoder, row);
        if (row == ROW_CUT)
            trace_decode_end(decoder);
        else
            trace_decode_tail(decoder, &event);
        events++;
    }
    if (decoder != NULL && trace_decoder_error(decoder) != NULL)
        strcpy(what, trace_decoder_error(decoder));
    trace_decoder_close(decoder);
    strcpy(error, what);
    return events;
}
