/* SPDX-License-Identifier: Apache-2.0 */
/* A trace file that is read from its beginning, event by event: what the
 * commands that look at traces share. */
#ifndef SIM_TRACE_INPUT_H
#define SIM_TRACE_INPUT_H

#include "sim/trace_decode.h"
#include "sim/trace_file.h"

struct trace_input {
    const char *path;
    struct twx_reader *file;
    struct trace_decoder *decoder;
    const struct trace_start *start;
};

/* False, having said on standard error why, when it cannot be read at all. */
bool trace_input_open(struct trace_input *input, const char *path);
void trace_input_close(struct trace_input *input);

/*
 * What is wrong with the trace, as far as it was read: `text`, of
 * 2 * TRACE_ERROR_SIZE bytes. False when all is well; a recording that ended
 * without an END event, because the machine did, is not broken.
 */
bool trace_input_error(const struct trace_input *input, char *text);
/* Says so on standard error: "COMMAND: FILE: ...; what precedes is intact". */
bool trace_input_report(const struct trace_input *input, const char *command);

/* A seam crossing, whole. */
struct trace_crossing {
    unsigned row;
    unsigned arg_count;
    uint64_t args[TRACE_MAX_ARGS];
    uint64_t result;   /* of a function; the size of bytes */
    const void *bytes; /* NULL where there are none; until the next crossing */
};

/* Who is told of what is in a trace. Functions may be NULL. */
struct trace_visitor {
    /* An event's head has been read. */
    void (*begin)(void *context, uint64_t number,
                  const struct trace_event *event);
    void (*crossing)(void *context, const struct trace_crossing *crossing);
    /* The event is complete; `cut`: its step never returned, so there is no
     * tail. False: that was enough. */
    bool (*end)(void *context, uint64_t number, const struct trace_event *event,
                bool cut);
    /* COSTS and END. */
    void (*costs)(void *context, const struct trace_event *event);
    void *context;
};

/* Goes through the trace. True when it has come to an END event, or was told
 * that it is enough. */
bool trace_walk(struct trace_decoder *decoder,
                const struct trace_visitor *visitor);

#endif
