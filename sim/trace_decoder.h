/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder's own structure, for its two files: the start record's and the
 * events'. Everybody else includes trace_decode.h. */
#ifndef SIM_TRACE_DECODER_H
#define SIM_TRACE_DECODER_H

#include <inttypes.h>

#include "sim/trace_decode.h"

#define DECODER_WINDOW (256 * 1024)

/* Slots of the codec that are remembered as used, so that the next stream need
 * not clear half a megabyte because of a few: at most so many. */
#define DECODER_USED 1024

#define TRACE_NO_FLAGS 1u

struct trace_decoder {
    struct trace_situation at;
    const uint8_t *next, *end; /* what is left of the window */
    /* Of the open group, as far as they are not used yet, below a bit that says
     * where they end; TRACE_NO_FLAGS: none is open. */
    unsigned flags;
    uint64_t missed; /* the last value of the event that was */
    bool has_row;    /* a row was taken and not yet handed out */
    unsigned row;
    uint64_t row_value;
    uint64_t events;
    uint64_t consumed; /* bytes of the stream before the window */
    uint64_t all_fields;
    struct trace_source source;
    struct trace_start start;
    char *names; /* what the start record's strings are in */
    uint8_t *bytes;
    size_t bytes_room;
    bool broke_off;
    char error[TRACE_ERROR_SIZE];
    /* What follows is not cleared for another stream as what precedes is. */
    struct codec codec;
    uint16_t used[DECODER_USED];
    unsigned used_count; /* more than DECODER_USED: any slot */
    uint8_t window[DECODER_WINDOW + CODEC_GROUP_MAX];
};

/* Fills the window as far as the source can. */
void trace_decoder_refill(struct trace_decoder *decoder);
/* Takes bytes as they stand; false, having failed, when there are too few. */
bool trace_decoder_take_raw(struct trace_decoder *decoder, void *to,
                            size_t size);

#endif
