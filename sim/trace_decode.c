/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder: groups from the source, values from groups. The grammar is in
 * hv/trace/grammar.h, the model in hv/trace/codec.h. See trace_decode.h.
 */
#include "sim/trace_decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/trace_decoder.h"

static void decode_value(struct trace_decoder *decoder, uint64_t strong,
                         struct codec_weak weak, uint64_t *value);

#define TRACE_CODER struct trace_decoder
#define trace_code  decode_value
#include "trace/grammar.h"

void trace_decoder_fail(struct trace_decoder *decoder, const char *why)
{
    if (decoder->error[0] != '\0')
        return;
    snprintf(decoder->error, sizeof(decoder->error),
             "%s, in event %" PRIu64 " at byte %" PRIu64, why,
             decoder->events == 0 ? 0 : decoder->events - 1,
             decoder->consumed + (uint64_t)(decoder->next - decoder->window));
}

static void break_off(struct trace_decoder *decoder)
{
    decoder->broke_off = decoder->error[0] == '\0';
    trace_decoder_fail(decoder, "the stream breaks off");
}

const char *trace_decoder_error(const struct trace_decoder *decoder)
{
    return decoder->error[0] != '\0' ? decoder->error : NULL;
}

void trace_decoder_refill(struct trace_decoder *decoder)
{
    size_t left = (size_t)(decoder->end - decoder->next);

    memmove(decoder->window, decoder->next, left);
    decoder->consumed += (uint64_t)(decoder->next - decoder->window);
    while (left < DECODER_WINDOW) {
        size_t got =
            decoder->source.read(decoder->source.context,
                                 decoder->window + left, DECODER_WINDOW - left);
        if (got == 0)
            break;
        left += got;
    }
    decoder->next = decoder->window;
    decoder->end = decoder->window + left;
    memset(decoder->window + left, 0, CODEC_GROUP_MAX);
}

/* A whole group lies in the window, as far as the stream has one; behind the
 * stream's end lie zeros. */
static void open_group(struct trace_decoder *decoder)
{
    decoder->flags = TRACE_NO_FLAGS << CODEC_GROUP;
    if (unlikely(decoder->error[0] != '\0'))
        return;
    if (unlikely(decoder->end - decoder->next < CODEC_GROUP_MAX))
        trace_decoder_refill(decoder);
    if (unlikely(decoder->next >= decoder->end))
        break_off(decoder);
    else
        decoder->flags |= *decoder->next++;
}

static uint64_t take_number(struct trace_decoder *decoder)
{
    const uint8_t *at = decoder->next;
    uint64_t number = *at & 0x7f;

    if (unlikely(decoder->error[0] != '\0'))
        return 0;
    for (unsigned shift = 7; (*at++ & 0x80) != 0; shift += 7) {
        if (shift == 63 && *at > 1) {
            trace_decoder_fail(decoder, "a number has more than 64 bits");
            return 0;
        }
        number |= (uint64_t)(*at & 0x7f) << shift;
    }
    decoder->next = at;
    if (unlikely(at > decoder->end)) {
        decoder->next = decoder->end;
        break_off(decoder);
    }
    return number;
}

/* A value that its prediction missed. */
static uint64_t take_missed(struct trace_decoder *decoder,
                            const struct codec_guess *guess,
                            struct codec_weak weak)
{
    uint64_t number = take_number(decoder);
    uint64_t others[CODEC_OTHERS];

    if (likely(number >= CODEC_NEAR))
        return guess->value + codec_unzigzag(number - CODEC_NEAR + 1);
    if (number == CODEC_PLAIN)
        return take_number(decoder);
    codec_others(&decoder->codec, guess, weak, decoder->missed, others);
    return others[number];
}

static inline void note_used(struct trace_decoder *decoder,
                             const struct codec_slot *slot)
{
    if (decoder->used_count < DECODER_USED)
        decoder->used[decoder->used_count] =
            (uint16_t)(slot - decoder->codec.slots);
    if (decoder->used_count <= DECODER_USED)
        decoder->used_count++;
}

/* The two slots that learn; one that has a hit has learned before. */
static void note_slots(struct trace_decoder *decoder,
                       const struct codec_guess *guess, struct codec_weak weak)
{
    uint32_t tag;

    if (likely(decoder->used_count > DECODER_USED))
        return;
    note_used(decoder, guess->strong);
    note_used(decoder, codec_slot(&decoder->codec, codec_key(weak), &tag));
}

/* The value is not what the strong key's slot says, or there is none. */
static __attribute__((noinline)) uint64_t
decode_miss(struct trace_decoder *decoder, const struct codec_guess *guess,
            struct codec_weak weak, bool missed)
{
    uint64_t value = guess->value;

    if (missed)
        decoder->missed = value = take_missed(decoder, guess, weak);
    codec_learn_miss(&decoder->codec, guess, weak, value);
    note_slots(decoder, guess, weak);
    return value;
}

static inline void decode_value(struct trace_decoder *decoder, uint64_t strong,
                                struct codec_weak weak, uint64_t *value)
{
    struct codec_guess guess = codec_guess(&decoder->codec, strong, weak);
    unsigned missed;

    if (decoder->flags == TRACE_NO_FLAGS)
        open_group(decoder);
    missed = decoder->flags & 1;
    decoder->flags >>= 1;
    if (likely(missed == 0 && guess.is_strong)) {
        codec_learn_hit(&guess);
        *value = guess.value;
    } else {
        *value = decode_miss(decoder, &guess, weak, missed != 0);
    }
}

static void close_group(struct trace_decoder *decoder)
{
    if (unlikely((decoder->flags & (decoder->flags - 1)) != 0))
        trace_decoder_fail(decoder, "a group has values that nobody reads");
    decoder->flags = TRACE_NO_FLAGS;
}

static void check_head(struct trace_decoder *decoder, struct trace_event *event)
{
    if (event->kind >= TRACE_EVENT_COUNT)
        trace_decoder_fail(decoder, "an event of a kind that does not exist");
    else if (event->cpu >= decoder->start.numbers.cpu_count)
        trace_decoder_fail(decoder, "an event of a CPU that does not exist");
    else if (event->kind == TRACE_EVENT_EXIT &&
             (event->mask & ~decoder->all_fields) != 0)
        trace_decoder_fail(decoder, "an exit with fields that do not exist");
    if (decoder->error[0] != '\0')
        event->kind = TRACE_EVENT_END;
}

void trace_decode_head(struct trace_decoder *decoder, struct trace_event *event)
{
    uint64_t before = decoder->events++;

    decoder->has_row = false;
    decoder->missed = 0;
    trace_code_head(decoder, event);
    check_head(decoder, event);
    if (event->kind == TRACE_EVENT_COSTS || event->kind == TRACE_EVENT_END) {
        close_group(decoder);
        decoder->events = before;
    }
}

unsigned trace_peek_row(struct trace_decoder *decoder)
{
    if (decoder->has_row)
        return decoder->row;
    decoder->has_row = true;
    trace_code_row(decoder, &decoder->row_value);
    if (unlikely(decoder->row_value >= decoder->start.row_count ||
                 (decoder->row_value > ROW_LAST_SPECIAL &&
                  decoder->start.rows[decoder->row_value].name[0] == '\0')))
        trace_decoder_fail(decoder, "a crossing of a seam that has no such");
    decoder->row =
        unlikely(decoder->error[0] != '\0') ? 0 : (unsigned)decoder->row_value;
    return decoder->row;
}

unsigned trace_decode_row(struct trace_decoder *decoder)
{
    unsigned row = trace_peek_row(decoder);

    decoder->has_row = false;
    return row;
}

uint64_t trace_decode_arg(struct trace_decoder *decoder, unsigned arg)
{
    uint64_t value = 0;

    trace_code_arg(decoder, arg, &value);
    return value;
}

uint64_t trace_decode_result(struct trace_decoder *decoder)
{
    uint64_t value;

    trace_code_result(decoder, &value);
    return value;
}

static void take_words(struct trace_decoder *decoder, size_t size)
{
    for (unsigned word = 0; word * 8 < size; word++) {
        uint64_t value;

        trace_code_seam(decoder, SEAM_WORD + word, &value);
        memcpy(decoder->bytes + word * 8, &value, 8);
    }
}

/* Bytes that stand in the stream as they are. */
bool trace_decoder_take_raw(struct trace_decoder *decoder, void *to,
                            size_t size)
{
    uint8_t *out = to;

    while (size != 0) {
        size_t piece;

        if (decoder->next == decoder->end)
            trace_decoder_refill(decoder);
        piece = (size_t)(decoder->end - decoder->next);
        if (piece == 0) {
            break_off(decoder);
            return false;
        }
        if (piece > size)
            piece = size;
        memcpy(out, decoder->next, piece);
        decoder->next += piece;
        out += piece;
        size -= piece;
    }
    return true;
}

/* More than any function of the seams moves at once. */
#define MOST_BYTES (UINT64_C(64) << 20)

static bool make_room(struct trace_decoder *decoder, uint64_t size)
{
    uint8_t *larger;

    if (size <= decoder->bytes_room)
        return true;
    larger = size <= MOST_BYTES ? realloc(decoder->bytes, size) : NULL;
    if (larger == NULL) {
        trace_decoder_fail(decoder, "bytes that are too many");
        return false;
    }
    decoder->bytes = larger;
    decoder->bytes_room = size;
    return true;
}

const void *trace_decode_bytes(struct trace_decoder *decoder, size_t *size)
{
    uint64_t count = trace_decode_result(decoder);

    *size = 0;
    if (!make_room(decoder, count < CODEC_WORDS_MAX ? CODEC_WORDS_MAX : count))
        return decoder->bytes;
    if (count <= CODEC_WORDS_MAX) {
        take_words(decoder, count);
    } else {
        close_group(decoder);
        if (!trace_decoder_take_raw(decoder, decoder->bytes, count))
            return decoder->bytes;
    }
    *size = count;
    return decoder->bytes;
}

void trace_decode_tail(struct trace_decoder *decoder, struct trace_event *event)
{
    trace_code_tail(decoder, event);
    if (((event->kind == TRACE_EVENT_EXIT ? event->changed : 0) |
         (event->entered != 0 ? event->rewritten : 0)) &
        ~decoder->all_fields)
        trace_decoder_fail(decoder, "outputs that do not exist");
    trace_decode_end(decoder);
}

void trace_decode_end(struct trace_decoder *decoder)
{
    close_group(decoder);
}

void trace_skip_crossing(struct trace_decoder *decoder, unsigned row)
{
    const struct trace_row *about = &decoder->start.rows[row];
    size_t size;

    for (unsigned arg = 0; arg < about->arg_count; arg++)
        (void)trace_decode_arg(decoder, arg);
    if (about->shape == TRACE_SHAPE_FN)
        (void)trace_decode_result(decoder);
    else if (about->shape != TRACE_SHAPE_PROC)
        (void)trace_decode_bytes(decoder, &size);
}

uint64_t trace_decoder_position(const struct trace_decoder *decoder)
{
    return decoder->consumed + (uint64_t)(decoder->next - decoder->window);
}

bool trace_decoder_broke_off(const struct trace_decoder *decoder)
{
    return decoder->broke_off;
}

uint64_t trace_decoder_events(const struct trace_decoder *decoder)
{
    return decoder->events;
}

const struct trace_start *
trace_decoder_start(const struct trace_decoder *decoder)
{
    return &decoder->start;
}
