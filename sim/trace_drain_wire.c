/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a trace from a wire: see trace_drain.h. What is on the wire before
 * the trace is skipped; what comes behind it is read, so that nobody who writes
 * to a pipe is ended by that, and forgotten.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sim/trace_drain.h"
#include "sim/trace_file.h"
#include "trace/wire.h"

struct reader {
    const struct drain_options *options;
    int fd;
    struct twx_writer *writer;
    size_t at, filled;
    uint8_t bytes[65536];
};

/* False at the end, or when this is asked to end. */
static bool refill(struct reader *reader)
{
    ssize_t got;

    do {
        if (*reader->options->wanted_end != 0)
            return false;
        got = read(reader->fd, reader->bytes, sizeof(reader->bytes));
    } while (got < 0 && errno == EINTR);
    reader->at = 0;
    reader->filled = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* How many of `size` bytes there were. */
static size_t take(struct reader *reader, void *to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t piece = reader->filled - reader->at;

        if (piece == 0 && !refill(reader))
            break;
        piece = reader->filled - reader->at;
        if (piece > size - done)
            piece = size - done;
        memcpy((uint8_t *)to + done, reader->bytes + reader->at, piece);
        reader->at += piece;
        done += piece;
    }
    return done;
}

/* The magic's first letter is in it once. */
static bool find_begin(struct reader *reader)
{
    static const char magic[] = TRACE_WIRE_MAGIC;
    unsigned matched = 0;
    char letter;

    while (matched < TRACE_WIRE_MAGIC_SIZE) {
        if (take(reader, &letter, 1) == 0)
            return false;
        if (letter == magic[matched])
            matched++;
        else
            matched = letter == magic[0];
    }
    return true;
}

enum frame { FRAME_MORE, FRAME_LAST, FRAME_CUT, FRAME_BROKEN };

static enum frame take_frame(struct reader *reader)
{
    static uint8_t data[TRACE_WIRE_MOST];
    uint8_t head[TRACE_WIRE_HEAD_SIZE];
    size_t length, got;

    if (take(reader, head, sizeof(head)) < sizeof(head))
        return FRAME_CUT;
    if ((head[0] ^ head[2]) != 0xff || (head[1] ^ head[3]) != 0xff)
        return FRAME_BROKEN;
    length = (size_t)(head[0] | head[1] << 8);
    if (length == 0)
        return FRAME_LAST;
    got = take(reader, data, length);
    if (!twx_write(reader->writer, data, got))
        return FRAME_BROKEN;
    return got == length ? FRAME_MORE : FRAME_CUT;
}

static bool take_all(struct reader *reader)
{
    const char *wire = reader->options->wire;
    enum frame frame;

    do {
        frame = take_frame(reader);
    } while (frame == FRAME_MORE);
    if (frame == FRAME_CUT)
        drain_complain(wire, "the recording was interrupted: the trace has no "
                             "end record");
    if (frame == FRAME_BROKEN && twx_error(reader->writer) == NULL)
        drain_complain(wire, "the trace is broken: something else has come by "
                             "the wire in the middle of it");
    if (!drain_finish(reader->writer, reader->options->out))
        return false;
    while (frame == FRAME_LAST && refill(reader)) {
    }
    return frame != FRAME_BROKEN;
}

bool trace_drain_wire(const struct drain_options *options)
{
    struct reader reader = {.options = options};
    char what[TRACE_ERROR_SIZE];
    bool done;

    reader.fd = open(options->wire, O_RDONLY | O_CLOEXEC);
    if (reader.fd < 0)
        return drain_complain(options->wire, strerror(errno));
    reader.writer = twx_create(options->out, what);
    if (reader.writer == NULL) {
        done = drain_complain(options->out, what);
    } else if (find_begin(&reader)) {
        done = take_all(&reader);
    } else {
        twx_abandon(reader.writer);
        done = drain_complain(options->wire, DRAIN_NOTHING);
    }
    close(reader.fd);
    return done;
}
