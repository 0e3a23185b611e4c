/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draining a ring: see trace_drain.h. The memory belongs to a machine that
 * runs, and that may be anything: what the header says is looked at once and
 * checked before it is used.
 */
#define _GNU_SOURCE
#include "sim/trace_drain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/bits.h"
#include "sim/trace_file.h"
#include "trace/ring.h"

/* How long to sleep when there is nothing: little, since a full ring makes the
 * machine wait; more while there is not even a ring. */
#define EMPTY_SLEEP_NS  500000
#define SEARCH_SLEEP_NS 20000000

/* At most so much is taken before the ring's tail moves. */
#define MOST_AT_ONCE (256 * 1024)

struct drain {
    const struct drain_options *options;
    int fd;
    uint8_t *ram;
    uint64_t ram_size;
    struct trace_ring *ring; /* in `ram` */
    const uint8_t *data;
    uint64_t size, session; /* of the ring, as checked */
    bool machine_is_gone;
    struct twx_writer *writer;
};

bool drain_complain(const char *path, const char *message)
{
    fprintf(stderr, "twinax trace record: %s: %s\n", path, message);
    return false;
}

static void sleep_ns(long nanoseconds)
{
    const struct timespec time = {.tv_nsec = nanoseconds};

    (void)nanosleep(&time, NULL);
}

/* Whether there will be nothing more: looked at before the ring is, so that
 * what was written before the end is still found. */
static bool is_over(struct drain *drain)
{
    int64_t pid = drain->options->pid;

    if (pid != 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        drain->machine_is_gone = true;
    return drain->machine_is_gone || *drain->options->wanted_end != 0;
}

static bool map_ram(struct drain *drain)
{
    const char *path = drain->options->ram;
    struct stat status;
    void *ram;

    drain->fd = open(path, O_RDWR | O_CLOEXEC);
    if (drain->fd < 0 || fstat(drain->fd, &status) != 0)
        return drain_complain(path, strerror(errno));
    drain->ram_size = (uint64_t)status.st_size;
    if (drain->ram_size < 2 * PAGE_SIZE)
        return drain_complain(path, "it is too small to be a machine's RAM");
    ram = mmap(NULL, drain->ram_size, PROT_READ | PROT_WRITE, MAP_SHARED,
               drain->fd, 0);
    if (ram == MAP_FAILED)
        return drain_complain(path, strerror(errno));
    drain->ram = ram;
    return true;
}

/* Whether a ring begins at `offset`; uses it then. */
static bool try_ring(struct drain *drain, uint64_t offset)
{
    struct trace_ring *ring =
        (struct trace_ring *)(void *)(drain->ram + offset);
    uint64_t size, header, left = drain->ram_size - offset;

    if (atomic_load_explicit(&ring->magic, memory_order_acquire) !=
            TRACE_RING_MAGIC ||
        ring->self != drain->options->base + offset)
        return false;
    size = ring->size;
    header = ring->header_size;
    if (!is_power_of_two(size) || header < sizeof(*ring) || header >= left ||
        size > left - header || ring->version != TRACE_RING_VERSION)
        return false;
    drain->ring = ring;
    drain->data = (const uint8_t *)ring + header;
    drain->size = size;
    drain->session = ring->session;
    return true;
}

/*
 * Looks at each page that the machine has touched. Where the file system does
 * not tell which these are, at all of them.
 */
static bool find_ring(struct drain *drain)
{
    uint64_t at = 0;

    while (at < drain->ram_size) {
        off_t data = lseek(drain->fd, (off_t)at, SEEK_DATA);
        off_t hole;

        if (data < 0 && errno == ENXIO)
            return false;
        hole = data < 0 ? -1 : lseek(drain->fd, data, SEEK_HOLE);
        at = data < 0 ? at : align_down((uint64_t)data, PAGE_SIZE);
        for (uint64_t end = hole < 0 ? drain->ram_size : (uint64_t)hole;
             at < end && drain->ram_size - at >= 2 * PAGE_SIZE;
             at += PAGE_SIZE) {
            if (try_ring(drain, at))
                return true;
        }
        if (drain->ram_size - at < 2 * PAGE_SIZE)
            return false;
    }
    return false;
}

static bool wait_for_ring(struct drain *drain)
{
    for (;;) {
        bool over = is_over(drain);

        if (find_ring(drain))
            return true;
        if (over)
            return drain_complain(drain->options->ram, DRAIN_NOTHING);
        sleep_ns(SEARCH_SLEEP_NS);
    }
}

/* The machine has been reset, and what is in the ring now is another
 * recording's, or nothing. */
static bool is_another_session(const struct drain *drain)
{
    return atomic_load_explicit(&drain->ring->magic, memory_order_acquire) !=
               TRACE_RING_MAGIC ||
           drain->ring->session != drain->session;
}

enum taken { TAKEN_SOME, TAKEN_NOTHING, TAKEN_BROKEN };

/* Moves what is in the ring to the file, up to a limit. */
static enum taken take(struct drain *drain)
{
    struct trace_ring *ring = drain->ring;
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t at = tail & (drain->size - 1);
    uint64_t size = head - tail;

    if (size > drain->size)
        return TAKEN_BROKEN;
    if (size > MOST_AT_ONCE)
        size = MOST_AT_ONCE;
    if (size > drain->size - at)
        size = drain->size - at;
    if (size == 0)
        return TAKEN_NOTHING;
    if (!twx_write(drain->writer, drain->data + at, size))
        return TAKEN_BROKEN;
    atomic_store_explicit(&ring->tail, tail + size, memory_order_release);
    return TAKEN_SOME;
}

/* True when all of the recording has been taken. */
static bool take_all(struct drain *drain)
{
    for (;;) {
        /* In this order: whoever says so has written everything before. */
        bool over = is_over(drain);
        bool ended = atomic_load_explicit(&drain->ring->ended,
                                          memory_order_acquire) != 0;
        enum taken taken;

        /* A machine that goes on shall not wait for a reader that ends. */
        if (over)
            atomic_store_explicit(&drain->ring->stop, 1, memory_order_relaxed);
        if (is_another_session(drain)) {
            drain_complain(
                drain->options->ram,
                "the machine was reset while it recorded: the trace ends "
                "there");
            return true;
        }
        taken = take(drain);
        if (taken == TAKEN_BROKEN)
            return false;
        if (taken == TAKEN_SOME)
            continue;
        if (ended)
            return true;
        if (over) {
            drain_complain(
                drain->options->ram,
                "the recording was interrupted: the trace has no end "
                "record");
            return true;
        }
        sleep_ns(EMPTY_SLEEP_NS);
    }
}

bool drain_finish(struct twx_writer *writer, const char *path)
{
    char what[TRACE_ERROR_SIZE];
    uint64_t raw = twx_raw_bytes(writer);
    uint64_t packed;

    if (!twx_finish(writer, &packed, what))
        return drain_complain(path, what);
    fprintf(stderr,
            "twinax trace record: %s: %" PRIu64 " bytes of trace in %" PRIu64
            "\n",
            path, raw, packed);
    return true;
}

static bool finish(struct drain *drain, bool complete)
{
    if (!complete && twx_error(drain->writer) == NULL)
        drain_complain(drain->options->ram, "the ring's header is broken");
    return drain_finish(drain->writer, drain->options->out) && complete;
}

static bool drain_ring(struct drain *drain)
{
    char what[TRACE_ERROR_SIZE];
    bool complete;

    drain->writer = twx_create(drain->options->out, what);
    if (drain->writer == NULL)
        return drain_complain(drain->options->out, what);
    if (!wait_for_ring(drain)) {
        twx_abandon(drain->writer);
        return false;
    }
    complete = take_all(drain);
    atomic_store_explicit(&drain->ring->stop, 1, memory_order_relaxed);
    return finish(drain, complete);
}

bool trace_drain(const struct drain_options *options)
{
    struct drain drain = {.options = options, .fd = -1};
    bool done = map_ram(&drain) && drain_ring(&drain);

    if (drain.ram != NULL)
        munmap(drain.ram, drain.ram_size);
    if (drain.fd >= 0)
        close(drain.fd);
    return done;
}
