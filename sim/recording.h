/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording in the process: the same recorder as the image's (hv/trace), with
 * the shims' hooks in place of the image's shims. Whoever makes the machine
 * starts a recording between the reset of the host and vmm_init(), and calls
 * trace_init() and trace_step().
 */
#ifndef SIM_RECORDING_H
#define SIM_RECORDING_H

#include "sim/trace_decode.h"
#include "trace/record.h"

/* ERR_NO_MEMORY; ERR_BUSY while another one runs. */
err_t recording_start(const struct vmm_boot *boot,
                      const struct trace_sink *sink) MUST_CHECK;

/* Ends it; nothing if none runs. */
void recording_stop(enum trace_end why);

/* A sink, and a decoder's source, in memory. All 0 is empty. */
struct recording_buffer {
    uint8_t *bytes;
    size_t size, room;
    size_t read; /* by the source */
    bool failed; /* out of memory: bytes are missing */
};

struct trace_sink recording_sink(struct recording_buffer *buffer);
struct trace_source recording_source(struct recording_buffer *buffer);
void recording_buffer_free(struct recording_buffer *buffer);

#endif
