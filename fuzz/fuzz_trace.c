/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces: what an input is, its first byte says.
 * - 'T': a *.twx file, which is read as `twinax trace stat` reads it. No
 *   mutation of bytes gets past the checksums: so the mutator takes the stream
 *   out of its chunk, has libFuzzer mutate that, and packs it again; now and
 *   then it leaves the file itself wrong.
 * - even: a stream, from its start record on, without the file around it.
 * - odd: events of a trace that the target has recorded, with its start record;
 *   some are replayed as by `twinax replay`, behind the recorded making of VMs.
 *
 * A finding is a sanitizer's report, a CHECK of the reader that fails, or a
 * trace that takes long. What a replay does with a stream that makes no sense
 * is a divergence, never a finding.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/harness.h"
#include "sim/recording.h"
#include "sim/replay.h"
#include "sim/trace_file_layout.h"
#include "sim/trace_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed);

/* A replay takes as long as reading a hundred inputs. */
#define READS_PER_REPLAY 1024
#define MACHINE_RAM      (UINT64_C(8) << 20)

/* Bytes that the mutator lets a file's stream have; a stream; and events, of
 * which a byte may stand for eight values. */
#define MOST_STREAM    1024
#define MOST_OF_STREAM 192
#define MOST_EVENTS    48

/* Of the recorded trace: its stream, and where its start record and its first
 * event, which makes the VMs, end. */
static struct {
    struct recording_buffer stream;
    size_t start_end, made_end;
    struct trace_decoder *decoder;
} usual;

/* For streams with a start record of their own. Both decoders are made once, as
 * that takes longer than most inputs do. */
static struct trace_decoder *decoder;

/* Up to two pieces of a stream. */
struct pieces {
    struct {
        const uint8_t *bytes;
        size_t size;
    } pieces[2];
};

static size_t read_pieces(void *context, void *bytes, size_t size)
{
    struct pieces *from = context;
    unsigned i = from->pieces[0].size == 0;
    size_t left = from->pieces[i].size;

    size = size < left ? size : left;
    if (size == 0)
        return 0;
    memcpy(bytes, from->pieces[i].bytes, size);
    from->pieces[i].bytes += size;
    from->pieces[i].size -= size;
    return size;
}

static bool is_stream(const uint8_t *data)
{
    return data[0] % 2 == 0;
}

static bool is_file(const uint8_t *data, size_t size)
{
    return size != 0 && data[0] == TWX_MAGIC[0];
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

static void count(struct trace_decoder *from)
{
    static struct trace_counts counts;
    const struct trace_visitor visitor = {.crossing = on_crossing,
                                          .end = on_end,
                                          .costs = on_costs,
                                          .context = &counts};

    counts = (struct trace_counts){0};
    (void)trace_walk(from, &visitor);
}

static void read_file(const uint8_t *data, size_t size)
{
    struct trace_input input = {.path = "input", .decoder = decoder};
    char what[2 * TRACE_ERROR_SIZE];
    struct trace_source source;

    input.file = twx_open_stream(fmemopen((void *)data, size, "rb"), what);
    if (input.file == NULL)
        return;
    source = twx_source(input.file);
    if (trace_decoder_begin(decoder, &source, what))
        count(decoder);
    (void)trace_input_error(&input, what);
    trace_decoder_end(decoder);
    twx_close(input.file);
}

static void read_stream(const uint8_t *data, size_t size)
{
    struct pieces pieces = {{{data, size}}};
    const struct trace_source source = {read_pieces, &pieces};
    char what[TRACE_ERROR_SIZE];

    if (trace_decoder_begin(decoder, &source, what))
        count(decoder);
    trace_decoder_end(decoder);
}

/* --- Events of the recorded trace --- */

static err_t start_recording(void *context, const struct vmm_boot *boot)
{
    return recording_start(boot, context);
}

/* Makes the trace: a VM does some of what VMs do. */
static void record(void)
{
    static const struct guest_op ops[] = {
        {.kind = OP_STORE, .width = 8, .address = SPEC_MEMORY + 0x1000},
        {.kind = OP_LOAD, .width = 4, .address = SPEC_PLIC + 4},
        {.kind = OP_STORE, .width = 1, .address = SPEC_UART, .value = 'x'},
        {.kind = OP_LOAD, .width = 8, .address = SPEC_MEMORY + 0x1000},
    };
    static struct trace_sink sink;
    struct machine_spec spec = {.vm_count = 1};
    struct bundle bundle;
    struct machine_config config = {.ram = MACHINE_RAM,
                                    .bundle = &bundle,
                                    .before_boot = start_recording,
                                    .context = &sink};
    struct machine *machine;
    struct guest_result result;

    sink = recording_sink(&usual.stream);
    fuzz_usual_vm(&spec.vms[0], 1, 1);
    fuzz_need(spec_build(&spec, &bundle) == OK &&
                  machine_create(&config, &machine) == OK,
              "there is no usual machine");
    bundle_free(&bundle);
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        struct guest_op op = ops[i];

        op.reg = OP_DEFAULT_REG;
        op.flags = op.kind == OP_STORE ? OP_HAS_VALUE : 0;
        fuzz_need(machine_do(machine, 1, 0, &op, &result) == OK,
                  "the usual machine does not run");
    }
    recording_stop(TRACE_END_STOPPED);
    (void)machine_destroy(machine);
}

static bool is_enough(void *context, uint64_t number,
                      const struct trace_event *event, bool cut)
{
    return false;
}

static void make(void)
{
    const struct trace_visitor first_event = {.end = is_enough};
    struct trace_source source;
    char what[TRACE_ERROR_SIZE];

    record();
    decoder = trace_decoder_new();
    usual.decoder = trace_decoder_new();
    source = recording_source(&usual.stream);
    fuzz_need(decoder != NULL && usual.decoder != NULL, "no memory");
    fuzz_need(trace_decoder_begin(usual.decoder, &source, what), what);
    usual.start_end = trace_decoder_position(usual.decoder);
    fuzz_need(trace_walk(usual.decoder, &first_event), "no event");
    usual.made_end = trace_decoder_position(usual.decoder);
}

static void read_events(const uint8_t *data, size_t size)
{
    struct pieces pieces = {{{data, size}}};
    const struct trace_source source = {read_pieces, &pieces};

    trace_decoder_again(usual.decoder, &source);
    count(usual.decoder);
}

static void replay_events(const uint8_t *data, size_t size)
{
    static const struct replay_options all;
    struct pieces pieces = {{{usual.stream.bytes + usual.start_end,
                              usual.made_end - usual.start_end},
                             {data, size}}};
    const struct trace_source source = {read_pieces, &pieces};
    struct replay_result result;

    trace_decoder_again(usual.decoder, &source);
    (void)replay_run(usual.decoder, &all, &result);
    fuzz_need(result.events != 0, "the VMs are not made");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (decoder == NULL)
        make();
    if (is_file(data, size)) {
        read_file(data, size);
    } else if (is_stream(data)) {
        read_stream(data + 1, size - 1);
    } else {
        read_events(data + 1, size - 1);
        if (fuzz_is_one_in(READS_PER_REPLAY, data, size))
            replay_events(data + 1, size - 1);
    }
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
static size_t events_of(const uint8_t *stream, size_t size)
{
    struct pieces pieces = {{{stream, size}}};
    const struct trace_source source = {read_pieces, &pieces};
    char what[TRACE_ERROR_SIZE];
    size_t events = 0;

    if (trace_decoder_begin(decoder, &source, what))
        events = trace_decoder_position(decoder);
    trace_decoder_end(decoder);
    return events;
}

/* The stream of a file that was packed by the function above; NULL: of
 * another. */
static const uint8_t *unpack(const uint8_t *data, size_t size, size_t *length)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0};
    const uint8_t *at =
        data + sizeof(struct twx_header) + sizeof(struct twx_chunk);

    if (size <= FILE_OVERHEAD || memcmp(at, frame, sizeof(frame)) != 0)
        return NULL;
    *length = size - FILE_OVERHEAD;
    return at + FRAME_HEAD;
}

static size_t mutate_file(uint8_t *data, size_t size, size_t max_size,
                          unsigned seed)
{
    static uint8_t stream[MOST_STREAM];
    size_t length, room = max_size - FILE_OVERHEAD, events = 0;
    const uint8_t *bytes = unpack(data, size, &length);

    if (bytes == NULL || length > room || length > sizeof(stream))
        return LLVMFuzzerMutate(data, size, max_size);
    room = room < sizeof(stream) ? room : sizeof(stream);
    memcpy(stream, bytes, length);
    /* The start record only now and then. */
    if (seed % 4 != 1)
        events = events_of(stream, length);
    if (events >= length)
        events = 0;
    length = events +
             LLVMFuzzerMutate(stream + events, length - events, room - events);
    return pack(data, stream, length);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed)
{
    size_t most = max_size;

    if (decoder == NULL)
        make();
    if (is_file(data, size) && seed % 16 != 0 && max_size > FILE_OVERHEAD)
        return mutate_file(data, size, max_size, seed);
    if (size != 0 && !is_file(data, size))
        most = least(max_size, is_stream(data) ? MOST_OF_STREAM : MOST_EVENTS);
    return LLVMFuzzerMutate(data, least(size, most), most);
}
