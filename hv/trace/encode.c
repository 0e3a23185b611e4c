/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder: values into groups, groups into the sink. The grammar is in
 * grammar.h, the model in codec.h.
 */
#include "trace/encode.h"

/* Room for the groups of most events, so that the sink gets them in one. */
#define ENCODER_BUFFER 1024

struct trace_encoder {
    struct trace_situation at;
    struct trace_sink sink;
    unsigned flags;  /* where the open group's flags are in the buffer */
    unsigned coded;  /* values in the open group; CODEC_GROUP: none is open */
    unsigned filled; /* bytes in the buffer */
    uint64_t missed; /* the last value of the event that was */
    uint8_t buffer[ENCODER_BUFFER];
    struct codec codec;
};

static void encode_value(struct trace_encoder *encoder, uint64_t strong,
                         struct codec_weak weak, const uint64_t *value);

#define TRACE_CODER struct trace_encoder
#define trace_code  encode_value
#include "trace/grammar.h"

static void flush(struct trace_encoder *encoder)
{
    if (encoder->filled != 0)
        encoder->sink.write(encoder->sink.context, encoder->buffer,
                            encoder->filled);
    encoder->filled = 0;
}

static void close_group(struct trace_encoder *encoder)
{
    encoder->coded = CODEC_GROUP;
}

static void open_group(struct trace_encoder *encoder)
{
    if (encoder->filled > ENCODER_BUFFER - CODEC_GROUP_MAX)
        flush(encoder);
    encoder->flags = encoder->filled;
    encoder->buffer[encoder->filled++] = 0;
    encoder->coded = 0;
}

static void put_number(struct trace_encoder *encoder, uint64_t number)
{
    unsigned at = encoder->filled;

    for (; number >= 0x80; number >>= 7)
        encoder->buffer[at++] = (uint8_t)(number | 0x80);
    encoder->buffer[at++] = (uint8_t)number;
    encoder->filled = at;
}

/* A value that its prediction missed. */
static void put_missed(struct trace_encoder *encoder,
                       const struct codec_guess *guess, struct codec_weak weak,
                       uint64_t value)
{
    uint64_t near = codec_zigzag(value - guess->value) - 1 + CODEC_NEAR;
    uint64_t others[CODEC_OTHERS];

    codec_others(&encoder->codec, guess, weak, encoder->missed, others);
    encoder->missed = value;
    for (unsigned i = 0; i < CODEC_OTHERS; i++) {
        if (others[i] == value) {
            put_number(encoder, i);
            return;
        }
    }
    if (unlikely(near < CODEC_NEAR)) {
        put_number(encoder, CODEC_PLAIN);
        put_number(encoder, value);
        return;
    }
    put_number(encoder, near);
}

static void encode_value(struct trace_encoder *encoder, uint64_t strong,
                         struct codec_weak weak, const uint64_t *value)
{
    struct codec_guess guess = codec_guess(&encoder->codec, strong, weak);
    bool hit = *value == guess.value;

    if (encoder->coded == CODEC_GROUP)
        open_group(encoder);
    if (!hit) {
        encoder->buffer[encoder->flags] |= (uint8_t)(1u << encoder->coded);
        put_missed(encoder, &guess, weak, *value);
    }
    encoder->coded++;
    if (likely(hit && guess.is_strong))
        codec_learn_hit(&guess);
    else
        codec_learn_miss(&encoder->codec, &guess, weak, *value);
}

size_t trace_encoder_size(void)
{
    return sizeof(struct trace_encoder);
}

struct trace_encoder *trace_encoder_init(void *memory,
                                         const struct trace_sink *sink)
{
    struct trace_encoder *encoder = memory;

    memset(encoder, 0, sizeof(*encoder));
    encoder->sink = *sink;
    codec_init(&encoder->codec);
    close_group(encoder);
    return encoder;
}

void trace_encode_raw(struct trace_encoder *encoder, const void *bytes,
                      size_t size)
{
    close_group(encoder);
    flush(encoder);
    encoder->sink.write(encoder->sink.context, bytes, size);
}

void trace_encode_head(struct trace_encoder *encoder, struct trace_event *event)
{
    encoder->missed = 0;
    trace_code_head(encoder, event);
}

void trace_encode_proc(struct trace_encoder *encoder, unsigned row,
                       const uint64_t *args, unsigned count)
{
    uint64_t number = row;

    trace_code_row(encoder, &number);
    for (unsigned arg = 0; arg < count; arg++) {
        uint64_t value = args[arg];

        trace_code_arg(encoder, arg, &value);
    }
}

void trace_encode_fn(struct trace_encoder *encoder, unsigned row,
                     const uint64_t *args, unsigned count, uint64_t result)
{
    trace_encode_proc(encoder, row, args, count);
    trace_code_result(encoder, &result);
}

void trace_encode_bytes(struct trace_encoder *encoder, unsigned row,
                        const uint64_t *args, unsigned count, const void *bytes,
                        size_t size)
{
    const uint8_t *from = bytes;
    uint64_t length = size;

    trace_encode_proc(encoder, row, args, count);
    trace_code_result(encoder, &length);
    if (size > CODEC_WORDS_MAX) {
        trace_encode_raw(encoder, bytes, size);
        return;
    }
    for (unsigned word = 0; word * 8 < size; word++) {
        size_t left = size - word * 8;
        uint64_t value = 0;

        for (size_t byte = 0; byte < 8 && byte < left; byte++)
            value |= (uint64_t)from[word * 8 + byte] << 8 * byte;
        trace_code_seam(encoder, SEAM_WORD + word, &value);
    }
}

void trace_encode_tail(struct trace_encoder *encoder, struct trace_event *event)
{
    uint64_t none = ROW_NONE;

    trace_code_row(encoder, &none);
    trace_code_tail(encoder, event);
    trace_encode_end(encoder);
}

void trace_encode_cut(struct trace_encoder *encoder)
{
    uint64_t cut = ROW_CUT;

    trace_code_row(encoder, &cut);
    trace_encode_end(encoder);
}

void trace_encode_end(struct trace_encoder *encoder)
{
    close_group(encoder);
    flush(encoder);
}

bool trace_encoder_is_refused(const struct trace_encoder *encoder)
{
    return encoder->sink.is_refused != NULL &&
           encoder->sink.is_refused(encoder->sink.context);
}
