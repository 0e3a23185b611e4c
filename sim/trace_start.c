/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a stream: reads and checks its start record. See trace_decode.h. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/bits.h"
#include "sim/trace_decoder.h"

/* Far beyond what any recorder writes: what is more is no start record. */
#define MOST_KINDS  256
#define MOST_ROWS   4096
#define MOST_CONFIG (UINT64_C(16) << 20)
#define TEXT_SIZE   256 /* a byte of length, the text, and a NUL */

static bool check_numbers(struct trace_decoder *decoder)
{
    const struct trace_start_numbers *n = &decoder->start.numbers;
    char why[64];

    if (n->version != TRACE_FORMAT_VERSION) {
        snprintf(why, sizeof(why),
                 "format version %" PRIu64 ", where %d is known", n->version,
                 TRACE_FORMAT_VERSION);
        trace_decoder_fail(decoder, why);
        return false;
    }
    if (n->slot_bits == CODEC_SLOT_BITS && n->cpu_count >= 1 &&
        n->cpu_count <= MAX_CPU_NUM && n->frequency != 0 &&
        n->time_shift < 64 && n->exit_kinds <= MOST_KINDS && n->fields > 0 &&
        n->fields <= TRACE_MAX_FIELDS && n->rows <= MOST_ROWS &&
        n->config_size <= MOST_CONFIG)
        return true;
    trace_decoder_fail(decoder, "a start record with impossible numbers");
    return false;
}

static const char *take_text(struct trace_decoder *decoder, char **names)
{
    char *text = *names;
    uint8_t size = 0;

    if (!trace_decoder_take_raw(decoder, &size, 1) ||
        !trace_decoder_take_raw(decoder, text, size))
        size = 0;
    text[size] = '\0';
    *names = text + size + 1;
    return text;
}

static bool take_row(struct trace_decoder *decoder, struct trace_row *row,
                     char **names)
{
    uint8_t about[3] = {0};

    if (!trace_decoder_take_raw(decoder, about, sizeof(about)))
        return false;
    *row = (struct trace_row){take_text(decoder, names), about[0], about[1],
                              about[2]};
    if (row->shape < TRACE_SHAPE_COUNT && row->arg_count <= TRACE_MAX_ARGS)
        return true;
    trace_decoder_fail(decoder, "a start record with an impossible function");
    return false;
}

/* The array and string memory that the numbers ask for. */
static bool allocate(struct trace_decoder *decoder, char **names)
{
    struct trace_start *start = &decoder->start;
    const struct trace_start_numbers *n = &start->numbers;

    start->row_count = (unsigned)n->rows + ROW_LAST_SPECIAL + 1;
    start->exit_kinds = calloc(n->exit_kinds + 1, sizeof(char *));
    start->fields = calloc(n->fields, sizeof(char *));
    start->rows = calloc(start->row_count, sizeof(*start->rows));
    start->config = calloc(1, n->config_size + 1);
    decoder->names =
        malloc((2 + n->exit_kinds + n->fields + n->rows) * TEXT_SIZE);
    *names = decoder->names;
    if (start->exit_kinds != NULL && start->fields != NULL &&
        start->rows != NULL && start->config != NULL && *names != NULL)
        return true;
    trace_decoder_fail(decoder, "out of memory");
    return false;
}

static void take_names(struct trace_decoder *decoder, char *names)
{
    struct trace_start *start = &decoder->start;

    start->arch = take_text(decoder, &names);
    start->build_id = take_text(decoder, &names);
    for (unsigned i = 0; i < start->numbers.exit_kinds; i++)
        start->exit_kinds[i] = take_text(decoder, &names);
    for (unsigned i = 0; i < start->numbers.fields; i++)
        start->fields[i] = take_text(decoder, &names);
    start->rows[ROW_NONE] = (struct trace_row){"none", TRACE_SHAPE_PROC, 0, 0};
    start->rows[ROW_TIMER] =
        (struct trace_row){"timer", TRACE_SHAPE_PROC, 0, 2};
    start->rows[ROW_CUT] = (struct trace_row){"cut", TRACE_SHAPE_PROC, 0, 0};
    for (unsigned i = ROW_LAST_SPECIAL + 1; i < start->row_count; i++) {
        if (!take_row(decoder, &start->rows[i], &names))
            return;
    }
}

static void take_start(struct trace_decoder *decoder)
{
    struct trace_start *start = &decoder->start;
    char magic[TRACE_STREAM_MAGIC_SIZE];
    char *names;

    if (!trace_decoder_take_raw(decoder, magic, sizeof(magic)))
        return;
    if (memcmp(magic, TRACE_STREAM_MAGIC, sizeof(magic)) != 0) {
        trace_decoder_fail(decoder, "not the stream of a trace");
        return;
    }
    if (!trace_decoder_take_raw(decoder, &start->numbers,
                                sizeof(start->numbers)) ||
        !check_numbers(decoder) || !allocate(decoder, &names))
        return;
    take_names(decoder, names);
    if (decoder->error[0] == '\0')
        (void)trace_decoder_take_raw(decoder, (void *)start->config,
                                     start->numbers.config_size);
    decoder->all_fields = trace_all_fields(start);
}

void trace_decoder_end(struct trace_decoder *decoder)
{
    free(decoder->start.exit_kinds);
    free(decoder->start.fields);
    free(decoder->start.rows);
    free((void *)decoder->start.config);
    free(decoder->names);
    free(decoder->bytes);
    memset(decoder, 0, offsetof(struct trace_decoder, codec));
}

/* The codec is as before the first value. */
static void forget(struct trace_decoder *decoder)
{
    if (decoder->used_count > DECODER_USED)
        codec_init(&decoder->codec);
    for (unsigned i = 0; i < decoder->used_count && i < DECODER_USED; i++)
        decoder->codec.slots[decoder->used[i]] = (struct codec_slot){0};
    decoder->used_count = 0;
}

static void start_source(struct trace_decoder *decoder,
                         const struct trace_source *source)
{
    forget(decoder);
    decoder->source = *source;
    decoder->next = decoder->end = decoder->window;
    decoder->flags = TRACE_NO_FLAGS;
}

struct trace_decoder *trace_decoder_new(void)
{
    return calloc(1, sizeof(struct trace_decoder));
}

bool trace_decoder_begin(struct trace_decoder *decoder,
                         const struct trace_source *source, char *what)
{
    trace_decoder_end(decoder);
    start_source(decoder, source);
    take_start(decoder);
    if (decoder->error[0] == '\0')
        return true;
    snprintf(what, TRACE_ERROR_SIZE, "%s", decoder->error);
    return false;
}

void trace_decoder_again(struct trace_decoder *decoder,
                         const struct trace_source *source)
{
    struct trace_start start = decoder->start;
    char *names = decoder->names;
    uint8_t *bytes = decoder->bytes;
    size_t room = decoder->bytes_room;

    memset(decoder, 0, offsetof(struct trace_decoder, codec));
    decoder->start = start;
    decoder->names = names;
    decoder->bytes = bytes;
    decoder->bytes_room = room;
    decoder->all_fields = trace_all_fields(&decoder->start);
    start_source(decoder, source);
}

struct trace_decoder *trace_decoder_open(const struct trace_source *source,
                                         char *what)
{
    struct trace_decoder *decoder = trace_decoder_new();

    if (decoder == NULL) {
        snprintf(what, TRACE_ERROR_SIZE, "out of memory");
        return NULL;
    }
    if (trace_decoder_begin(decoder, source, what))
        return decoder;
    trace_decoder_close(decoder);
    return NULL;
}

void trace_decoder_close(struct trace_decoder *decoder)
{
    if (decoder == NULL)
        return;
    trace_decoder_end(decoder);
    free(decoder);
}

const char *trace_row_name(const struct trace_start *start, unsigned row)
{
    return row < start->row_count ? start->rows[row].name : "?";
}

const char *trace_field_name(const struct trace_start *start, unsigned field)
{
    return field < start->numbers.fields ? start->fields[field] : "?";
}

const char *trace_exit_kind_name(const struct trace_start *start, uint64_t kind)
{
    return kind < start->numbers.exit_kinds ? start->exit_kinds[kind] : "?";
}
