/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace files: the input is a *.twx file, which is read as `twinax trace stat`
 * reads it, and some are replayed as by `twinax replay`.
 *
 * No mutation of bytes gets past the checksums. So the mutator takes the
 * stream out of its chunk, has libFuzzer mutate that, mostly its events, and
 * packs it again; now and then it leaves the file itself wrong.
 *
 * A finding is a sanitizer's report, a CHECK of the reader that fails, or a
 * trace that takes long. What a replay does with a stream that makes no sense
 * is a divergence, never a finding.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/recording.h"
#include "sim/replay.h"
#include "sim/trace_file_layout.h"
#include "sim/trace_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed);

/* A replay takes ten times as long as reading: it is made of one trace in so
 * many, by the input's checksum, and of small machines only. */
#define READS_PER_REPLAY 64
#define REPLAY_RAM       (UINT64_C(16) << 20)

#define MOST_STREAM (64 * 1024)

/* One for all inputs: making it takes longer than most inputs do. */
static struct trace_decoder *the_decoder(void)
{
    static struct trace_decoder *decoder;

    if (decoder == NULL)
        decoder = trace_decoder_new();
    return decoder;
}

/* Opens the file; close_input() afterwards, whatever came of it. */
static bool open_input(struct trace_input *input, const uint8_t *data,
                       size_t size)
{
    char what[TRACE_ERROR_SIZE];
    struct trace_source source;

    *input = (struct trace_input){.path = "input", .decoder = the_decoder()};
    input->file = twx_open_stream(fmemopen((void *)data, size, "rb"), what);
    if (input->file == NULL)
        return false;
    source = twx_source(input->file);
    input->start = trace_decoder_start(input->decoder);
    return trace_decoder_begin(input->decoder, &source, what);
}

static void close_input(const struct trace_input *input)
{
    twx_close(input->file);
}

/* --- One input --- */

static bool on_end(void *context, uint64_t number,
                   const struct trace_event *event, bool cut)
{
    (void)number;
    trace_count_end(context, event, cut);
    return true;
}

static void on_costs(void *context, const struct trace_event *event)
{
    trace_count_costs(context, event);
}

/* Every byte that the decoder hands out is looked at. */
static void on_crossing(void *context, const struct trace_crossing *crossing)
{
    const volatile uint8_t *bytes = crossing->bytes;

    (void)context;
    for (uint64_t i = 0; bytes != NULL && i < crossing->result; i++)
        (void)bytes[i];
}

/* How many events there are. */
static uint64_t count(const struct trace_input *input)
{
    static struct trace_counts counts;
    const struct trace_visitor visitor = {.crossing = on_crossing,
                                          .end = on_end,
                                          .costs = on_costs,
                                          .context = &counts};
    char text[2 * TRACE_ERROR_SIZE];

    counts = (struct trace_counts){0};
    (void)trace_walk(input->decoder, &visitor);
    (void)trace_input_error(input, text);
    return counts.events;
}

static void replay(const uint8_t *data, size_t size)
{
    static const struct replay_options all;
    struct replay_result result;
    struct trace_input input;

    if (open_input(&input, data, size))
        (void)replay_run(input.decoder, &all, &result);
    close_input(&input);
}

/* That of the first chunk, as the file has it. */
static uint32_t chunk_checksum(const uint8_t *data, size_t size)
{
    struct twx_chunk chunk = {0};

    if (size >= sizeof(struct twx_header) + sizeof(chunk))
        memcpy(&chunk, data + sizeof(struct twx_header), sizeof(chunk));
    return chunk.checksum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_input input;
    bool worth_it;

    if (size == 0)
        return 0;
    worth_it = open_input(&input, data, size) && count(&input) != 0 &&
               input.start->numbers.ram_size <= REPLAY_RAM &&
               chunk_checksum(data, size) % READS_PER_REPLAY == 0;
    close_input(&input);
    if (worth_it)
        replay(data, size);
    return 0;
}

/* --- The mutator --- */

/* A zstd frame of one raw block (RFC 8878, 3.1.1): its header with the
 * content's size in 4 bytes, and the block's. */
#define FRAME_HEAD 12

static void put_number(uint8_t *at, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void put_frame(uint8_t *at, const uint8_t *stream, uint32_t size)
{
    put_number(at, UINT32_C(0xfd2fb528), 4);
    at[4] = 0xa0; /* single segment, content size of 4 bytes */
    put_number(at + 5, size, 4);
    put_number(at + 9, size << 3 | 1, 3); /* the last block, raw */
    memcpy(at + FRAME_HEAD, stream, size);
}

#define FILE_OVERHEAD                                       \
    (sizeof(struct twx_header) + sizeof(struct twx_chunk) + \
     sizeof(struct twx_trailer) + FRAME_HEAD)

static size_t pack(uint8_t *data, const uint8_t *stream, size_t size)
{
    struct twx_header header = {.magic = TWX_MAGIC, .version = TWX_VERSION};
    struct twx_chunk chunk = {.magic = TWX_CHUNK_MAGIC,
                              .packed_size = (uint32_t)size + FRAME_HEAD,
                              .raw_size = (uint32_t)size};
    struct twx_trailer trailer = {
        .magic = TWX_TRAILER_MAGIC, .chunks = 1, .raw_size = size};
    uint8_t *frame = data + sizeof(header) + sizeof(chunk);

    header.checksum =
        twx_checksum(0, &header, offsetof(struct twx_header, checksum));
    put_frame(frame, stream, (uint32_t)size);
    chunk.checksum =
        twx_checksum(0, &chunk, offsetof(struct twx_chunk, checksum));
    chunk.checksum = twx_checksum(chunk.checksum, frame, chunk.packed_size);
    trailer.checksum =
        twx_checksum(0, &trailer, offsetof(struct twx_trailer, checksum));
    memcpy(data, &header, sizeof(header));
    memcpy(data + sizeof(header), &chunk, sizeof(chunk));
    memcpy(frame + chunk.packed_size, &trailer, sizeof(trailer));
    return FILE_OVERHEAD + size;
}

/* Where the stream's events begin; 0 when its start record is broken. */
static size_t events_of(uint8_t *stream, size_t size)
{
    struct recording_buffer buffer = {.bytes = stream, .size = size};
    const struct trace_source source = recording_source(&buffer);
    char what[TRACE_ERROR_SIZE];

    return trace_decoder_begin(the_decoder(), &source, what)
               ? trace_decoder_position(the_decoder())
               : 0;
}

/* The stream of a file, as far as it is intact; and where its events begin. */
static size_t unpack(const uint8_t *data, size_t size, uint8_t *stream,
                     size_t room, size_t *events)
{
    struct twx_reader *reader;
    char what[TRACE_ERROR_SIZE];
    size_t done = 0, piece;

    *events = 0;
    reader = twx_open_stream(fmemopen((void *)data, size, "rb"), what);
    if (reader == NULL)
        return 0;
    while (done < room &&
           (piece = twx_read(reader, stream + done, room - done)) != 0)
        done += piece;
    twx_close(reader);
    *events = events_of(stream, done);
    return done;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed)
{
    static uint8_t stream[MOST_STREAM];
    size_t room, length, events;

    if (seed % 16 == 0 || size == 0 || max_size <= FILE_OVERHEAD)
        return LLVMFuzzerMutate(data, size, max_size);
    room = max_size - FILE_OVERHEAD;
    room = room < sizeof(stream) ? room : sizeof(stream);
    length = unpack(data, size, stream, room, &events);
    /* The start record only now and then. */
    if (seed % 8 == 1 || events >= length)
        events = 0;
    length = events +
             LLVMFuzzerMutate(stream + events, length - events, room - events);
    return pack(data, stream, length);
}
