/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's side of the wire: see wire.h. */
#include "trace/wire.h"

static void put_head(const struct trace_sink *wire, unsigned length)
{
    const uint8_t head[TRACE_WIRE_HEAD_SIZE] = {
        (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)~length,
        (uint8_t)(~length >> 8)};

    wire->write(wire->context, head, sizeof(head));
}

static void put_frames(void *context, const void *bytes, size_t size)
{
    const struct trace_sink *wire = context;
    const uint8_t *from = bytes;

    while (size != 0) {
        size_t piece = size < TRACE_WIRE_MOST ? size : TRACE_WIRE_MOST;

        put_head(wire, (unsigned)piece);
        wire->write(wire->context, from, piece);
        from += piece;
        size -= piece;
    }
}

struct trace_sink trace_wire_begin(struct trace_sink *wire)
{
    wire->write(wire->context, TRACE_WIRE_MAGIC, TRACE_WIRE_MAGIC_SIZE);
    return (struct trace_sink){.write = put_frames, .context = wire};
}

void trace_wire_end(const struct trace_sink *wire)
{
    put_head(wire, 0);
}
