/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace on a wire: bytes that leave one by one through a device that takes
 * them, for a machine whose memory nobody else sees. Other things may be on the
 * wire before the trace and behind it.
 *
 * It begins with TRACE_WIRE_MAGIC. Then come frames: two bytes of length, two
 * of its complement, both little-endian, and so many bytes of the stream. A
 * frame of length 0 is the end. The layout is part of docs/trace-format.md.
 */
#ifndef TRACE_WIRE_H
#define TRACE_WIRE_H

#include "trace/encode.h"

#define TRACE_WIRE_MAGIC      "TWXWIRE1" /* without its NUL */
#define TRACE_WIRE_MAGIC_SIZE 8
#define TRACE_WIRE_HEAD_SIZE  4
#define TRACE_WIRE_MOST       0xffff /* bytes in a frame */

/* Begins a trace on `wire`, which takes its bytes and stays where it is. */
struct trace_sink trace_wire_begin(struct trace_sink *wire);
/* Nothing follows. */
void trace_wire_end(const struct trace_sink *wire);

#endif
