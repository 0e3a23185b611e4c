/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recording that a boot argument asks for:
 *
 *   record             through a ring in memory of 64 MiB
 *   record=SIZE        of SIZE MiB, or KiB with a K behind
 *   record=@0xADDRESS  through a device that takes bytes at that address, which
 *                      on x86_64 is a port: 0xe9 in Bochs, whose memory nobody
 *                      else sees
 *
 * Who reads it, says docs/record-replay.md.
 */
#include "api/memory.h"
#include "host/board.h"
#include "host/host.h"
#include "host/machine.h"
#include "lib/bits.h"
#include "trace/record.h"
#include "trace/ring.h"
#include "trace/wire.h"

#define KIB              (UINT64_C(1) << 10)
#define MIB              (UINT64_C(1) << 20)
#define DEFAULT_RING_MIB 64
#define MAX_RING_MIB     65536

/* What the argument says: the bytes of a ring, or a wire's device. */
struct request {
    bool is_wire;
    uint64_t size, address;
};

/* Where the trace goes: one of them, or none. */
static struct trace_ring *ring;
static struct trace_ring_writer ring_writer;
static struct trace_sink wire;
static uint64_t wire_address;

static bool is_end_of_word(const char *text)
{
    return *text == '\0' || *text == ' ';
}

/* The value of a digit, or something that is larger than all of them. */
static unsigned digit_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return (unsigned)(digit - '0');
    return digit >= 'a' && digit <= 'f' ? (unsigned)(digit - 'a') + 10 : 16;
}

/* Digits up to what is none, or to what would be too many. */
static const char *read_digits(const char *text, unsigned base, uint64_t most,
                               uint64_t *number)
{
    for (*number = 0; digit_of(*text) < base && *number <= most; text++)
        *number = *number * base + digit_of(*text);
    return text;
}

static bool read_wire(const char *value, struct request *request)
{
    const char *end;

    if (value[0] != '0' || value[1] != 'x')
        return false;
    end = read_digits(value + 2, 16, UINT64_MAX >> 4, &request->address);
    request->is_wire = true;
    return end != value + 2 && is_end_of_word(end);
}

static bool read_size(const char *value, struct request *request)
{
    uint64_t number, unit = MIB;
    const char *end = read_digits(value, 10, MAX_RING_MIB, &number);

    if (*end == 'K') {
        unit = KIB;
        end++;
    }
    request->size = number * unit;
    return number <= MAX_RING_MIB && request->size >= PAGE_SIZE &&
           is_end_of_word(end);
}

static struct request read_request(const char *value)
{
    struct request request = {.size = DEFAULT_RING_MIB * MIB};

    if (is_end_of_word(value))
        return request;
    if (value[1] == '@' ? !read_wire(value + 2, &request)
                        : !read_size(value + 1, &request))
        host_refuse("boot argument record=SIZE: SIZE is 1 to %d, in MiB, or "
                    "4K to %dK, in KiB; or @0x and a device's address",
                    MAX_RING_MIB, MAX_RING_MIB);
    return request;
}

bool host_is_recorded(const struct board *board)
{
    return board_argument(board, "record") != NULL;
}

static void *need_memory(uint64_t bytes, const char *what)
{
    hpa_t memory =
        memory_alloc_contiguous_impl((bytes + PAGE_SIZE - 1) / PAGE_SIZE, 0);

    if (hpa_is_none(memory))
        host_refuse("there is no memory for %s of %llu bytes; give the machine "
                    "more",
                    what, (unsigned long long)bytes);
    return memory_phys_to_virt(memory);
}

/* Without a word, a machine that waits for the ring's reader looks hung. */
static void ring_stalled(bool is_over)
{
    host_print(is_over ? "twinax: the recording goes on\n"
                       : "twinax: the recording's ring is full: everything "
                         "waits for its reader, 'twinax trace record'\n");
}

static struct trace_sink make_ring(uint64_t size)
{
    ring = need_memory(size + PAGE_SIZE, "a trace ring");
    trace_ring_init(ring, memory_virt_to_phys(ring), size + PAGE_SIZE,
                    machine_ticks());
    ring_writer = (struct trace_ring_writer){
        .ring = ring, .stalled = ring_stalled, .patience = machine_frequency()};
    return trace_ring_sink(&ring_writer);
}

static void write_to_device(void *context, const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < size; i++)
        machine_write_device(*(const uint64_t *)context, 1, byte[i]);
}

static struct trace_sink make_wire(uint64_t address)
{
    wire_address = address;
    wire =
        (struct trace_sink){.write = write_to_device, .context = &wire_address};
    return trace_wire_begin(&wire);
}

/* From the lowest to the highest byte of RAM. */
static struct range ram_span(const struct board *board)
{
    uint64_t start = UINT64_MAX, end = 0;

    for (uint32_t i = 0; i < board->ram_count; i++) {
        if (board->ram[i].start < start)
            start = board->ram[i].start;
        if (range_end(board->ram[i]) > end)
            end = range_end(board->ram[i]);
    }
    return (struct range){start, end - start};
}

void host_start_recording(const struct board *board,
                          const struct vmm_boot *boot)
{
    const char *value = board_argument(board, "record");
    struct range span = ram_span(board);
    struct request request;
    struct trace_sink sink;
    void *memory;

    if (value == NULL)
        return;
    request = read_request(value);
    sink =
        request.is_wire ? make_wire(request.address) : make_ring(request.size);
    memory = need_memory(trace_recorder_size(), "the recorder");
    const struct trace_machine machine = {
        .arch = machine_trace_arch(),
        .ram_base = hpa(span.start),
        .ram_size = span.size,
        .cpu_count = host_cpu_count_impl(),
        .time_frequency = machine_frequency(),
    };
    trace_start(memory, &machine, boot, &sink);
    host_print("twinax: recording\n");
}

void host_end_recording(bool reboot)
{
    if (ring == NULL && wire.write == NULL)
        return;
    trace_stop(reboot ? TRACE_END_REBOOT : TRACE_END_POWER_OFF);
    host_cut_recording();
}

void host_cut_recording(void)
{
    if (ring != NULL)
        trace_ring_end(ring);
    if (wire.write != NULL)
        trace_wire_end(&wire);
}
