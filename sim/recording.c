/* SPDX-License-Identifier: Apache-2.0 */
/* Recording in the process: see recording.h. */
#include "sim/recording.h"

#include <stdlib.h>
#include <string.h>

#include "sim/arch.h"
#include "sim/clock.h"
#include "sim/ram.h"
#include "sim/shim.h"

static const struct trace_arch *arch;
static uint16_t rows[SHIM_COUNT]; /* what the recorder calls the shims' */
static void *memory;              /* the recorder's */

/* The row of a function, or ROW_NONE: the recorder does not know it. */
static unsigned find_row(const char *name)
{
    for (unsigned row = ROW_LAST_SPECIAL + 1; row < ROW_ARCH + arch->row_count;
         row++) {
        const struct trace_row *known =
            row < ROW_ARCH ? &trace_api_rows[row - ROW_LAST_SPECIAL - 1]
                           : &arch->rows[row - ROW_ARCH];

        if (known->name != NULL && strcmp(known->name, name) == 0)
            return row;
    }
    return ROW_NONE;
}

static unsigned arg_count(unsigned row)
{
    return row < ROW_ARCH ? trace_api_rows[row - ROW_LAST_SPECIAL - 1].arg_count
                          : arch->rows[row - ROW_ARCH].arg_count;
}

static void before(void *context, const struct shim_call *call)
{
    unsigned row = rows[call->id];

    if (!trace_is_on() || row == ROW_NONE)
        return;
    if (shim_rows[call->id].kind == SHIM_KIND_PROC)
        trace_proc(row, call->args, arg_count(row));
    else if (shim_rows[call->id].kind == SHIM_KIND_PUT)
        trace_put(row, call->args, arg_count(row), call->bytes, call->result);
}

static void after(void *context, const struct shim_call *call)
{
    unsigned row = rows[call->id];

    if (!trace_is_on() || row == ROW_NONE)
        return;
    if (shim_rows[call->id].kind == SHIM_KIND_FN)
        trace_fn(row, call->args, arg_count(row), call->result);
    else if (shim_rows[call->id].kind == SHIM_KIND_GET)
        trace_get(row, call->args, arg_count(row), call->bytes, call->result);
}

static const struct shim_hooks hooks = {.before = before, .after = after};

static void announce_timer(uint64_t token, uint64_t now_ns)
{
    if (trace_is_on())
        trace_timer(token, now_ns);
}

err_t recording_start(const struct vmm_boot *boot,
                      const struct trace_sink *sink)
{
    const struct sim_arch *sim = sim_arch_of(boot->arch);
    const struct trace_machine machine = {
        .arch = sim->trace,
        .ram_base = hpa(ram_base()),
        .ram_size = ram_size(),
        .cpu_count = host_cpu_count_impl(),
        .time_frequency = time_frequency_impl(),
    };

    if (trace_is_on())
        return ERR_BUSY;
    free(memory);
    memory = aligned_alloc(64, (trace_recorder_size() + 63) / 64 * 64);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    arch = sim->trace;
    for (unsigned id = 0; id < SHIM_COUNT; id++)
        rows[id] = (uint16_t)find_row(shim_rows[id].name);
    trace_start(memory, &machine, boot, sink);
    shim_set_hooks(&hooks);
    clock_set_announce(announce_timer);
    return OK;
}

void recording_stop(enum trace_end why)
{
    if (memory == NULL)
        return;
    trace_stop(why);
    if (shim_get_hooks() == &hooks)
        shim_set_hooks(NULL);
    clock_set_announce(NULL);
    free(memory);
    memory = NULL;
}

static void buffer_write(void *context, const void *bytes, size_t size)
{
    struct recording_buffer *buffer = context;

    if (size > buffer->room - buffer->size) {
        size_t room = 2 * (buffer->room + size);
        uint8_t *larger = realloc(buffer->bytes, room);

        if (larger == NULL) {
            buffer->failed = true;
            return;
        }
        buffer->bytes = larger;
        buffer->room = room;
    }
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

static bool buffer_is_refused(void *context)
{
    const struct recording_buffer *buffer = context;

    return buffer->failed;
}

struct trace_sink recording_sink(struct recording_buffer *buffer)
{
    return (struct trace_sink){buffer_write, buffer_is_refused, buffer};
}

static size_t buffer_read(void *context, void *bytes, size_t size)
{
    struct recording_buffer *buffer = context;

    if (size > buffer->size - buffer->read)
        size = buffer->size - buffer->read;
    if (size == 0)
        return 0;
    memcpy(bytes, buffer->bytes + buffer->read, size);
    buffer->read += size;
    return size;
}

struct trace_source recording_source(struct recording_buffer *buffer)
{
    return (struct trace_source){buffer_read, buffer};
}

void recording_buffer_free(struct recording_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct recording_buffer){0};
}
