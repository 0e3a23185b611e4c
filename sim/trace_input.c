/* SPDX-License-Identifier: Apache-2.0 */
/* See trace_input.h. */
#include "sim/trace_input.h"

#include <stdio.h>

bool trace_input_open(struct trace_input *input, const char *path)
{
    char what[TRACE_ERROR_SIZE];
    struct trace_source source;

    *input = (struct trace_input){.path = path};
    input->file = twx_open(path, what);
    if (input->file != NULL) {
        source = twx_source(input->file);
        input->decoder = trace_decoder_open(&source, what);
    }
    if (input->decoder == NULL) {
        const char *file_error =
            input->file != NULL ? twx_reader_error(input->file) : NULL;

        fprintf(stderr, "twinax: %s: %s\n", path,
                file_error != NULL ? file_error : what);
        twx_close(input->file);
        return false;
    }
    input->start = trace_decoder_start(input->decoder);
    return true;
}

void trace_input_close(struct trace_input *input)
{
    trace_decoder_close(input->decoder);
    twx_close(input->file);
}

bool trace_input_error(const struct trace_input *input, char *text)
{
    const char *file = twx_reader_error(input->file);
    const char *stream = trace_decoder_error(input->decoder);

    /* A recording that was interrupted is whole as far as it goes. */
    if (file == NULL && trace_decoder_broke_off(input->decoder))
        return false;
    if (file == NULL && stream == NULL)
        return false;
    snprintf(text, 2 * TRACE_ERROR_SIZE, "%s%s%s", file != NULL ? file : "",
             file != NULL && stream != NULL ? ": " : "",
             stream != NULL ? stream : "");
    return true;
}

bool trace_input_report(const struct trace_input *input, const char *command)
{
    char text[2 * TRACE_ERROR_SIZE];

    if (!trace_input_error(input, text))
        return false;
    fprintf(stderr, "%s: %s: %s; what precedes is intact\n", command,
            input->path, text);
    return true;
}

static void visit_crossing(struct trace_decoder *decoder,
                           const struct trace_visitor *visitor, unsigned row)
{
    const struct trace_row *about = &trace_decoder_start(decoder)->rows[row];
    struct trace_crossing crossing = {.row = row,
                                      .arg_count = about->arg_count};
    size_t size = 0;

    for (unsigned arg = 0; arg < about->arg_count; arg++)
        crossing.args[arg] = trace_decode_arg(decoder, arg);
    if (about->shape == TRACE_SHAPE_FN) {
        crossing.result = trace_decode_result(decoder);
    } else if (about->shape != TRACE_SHAPE_PROC) {
        crossing.bytes = trace_decode_bytes(decoder, &size);
        crossing.result = size;
    }
    if (visitor->crossing != NULL && trace_decoder_error(decoder) == NULL)
        visitor->crossing(visitor->context, &crossing);
}

/* One event. False when the walk is at its end. */
static bool visit_event(struct trace_decoder *decoder,
                        const struct trace_visitor *visitor,
                        struct trace_event *event)
{
    uint64_t number = trace_decoder_events(decoder);
    unsigned row;

    if (visitor->begin != NULL)
        visitor->begin(visitor->context, number - 1, event);
    while ((row = trace_decode_row(decoder)) != ROW_NONE && row != ROW_CUT)
        visit_crossing(decoder, visitor, row);
    if (row == ROW_CUT)
        trace_decode_end(decoder);
    else
        trace_decode_tail(decoder, event);
    if (trace_decoder_error(decoder) != NULL)
        return false;
    return visitor->end == NULL ||
           visitor->end(visitor->context, number - 1, event, row == ROW_CUT);
}

bool trace_walk(struct trace_decoder *decoder,
                const struct trace_visitor *visitor)
{
    struct trace_event event = {0};

    for (;;) {
        trace_decode_head(decoder, &event);
        if (trace_decoder_error(decoder) != NULL)
            return false;
        if (event.kind == TRACE_EVENT_COSTS || event.kind == TRACE_EVENT_END) {
            if (visitor->costs != NULL)
                visitor->costs(visitor->context, &event);
            if (event.kind == TRACE_EVENT_END)
                return true;
        } else if (!visit_event(decoder, visitor, &event)) {
            return trace_decoder_error(decoder) == NULL;
        }
    }
}
