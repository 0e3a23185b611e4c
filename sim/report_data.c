/* SPDX-License-Identifier: Apache-2.0 */
/* See report_data.h. */
#include "sim/report_data.h"

#include <stdlib.h>

/* Halves the resolution of one row of bins. */
static void merge(uint32_t bins[REPORT_BINS])
{
    for (unsigned i = 0; i < REPORT_BINS / 2; i++)
        bins[i] = bins[2 * i] + bins[2 * i + 1];
    for (unsigned i = REPORT_BINS / 2; i < REPORT_BINS; i++)
        bins[i] = 0;
}

static void widen(struct report_data *data)
{
    for (unsigned vcpu = 0; vcpu < REPORT_SHOWN_VCPUS; vcpu++) {
        for (unsigned kind = 0; kind < REPORT_MAX_KINDS; kind++)
            merge(data->exits[vcpu][kind]);
    }
    for (unsigned device = 0; device < TRACE_MAX_DEVICES; device++)
        merge(data->accesses[device]);
    for (unsigned cpu = 0; cpu < REPORT_MAX_CPUS; cpu++)
        merge(data->busy[cpu]);
    data->width *= 2;
}

static unsigned bin_of(struct report_data *data, uint64_t time)
{
    uint64_t since = time > data->first ? time - data->first : 0;

    while (since / data->width >= REPORT_BINS)
        widen(data);
    return (unsigned)(since / data->width);
}

/* A CPU was in a guest from one coarse time to another. */
static void add_busy(struct report_data *data, uint64_t cpu, uint64_t from,
                     uint64_t to)
{
    if (cpu >= REPORT_MAX_CPUS)
        return;
    (void)bin_of(data, to);
    while (from < to) {
        unsigned bin = bin_of(data, from);
        uint64_t end = data->first + (bin + 1) * data->width;
        uint64_t piece = (end < to ? end : to) - from;

        data->busy[cpu][bin] += (uint32_t)piece;
        from += piece;
    }
}

static void note_cpu(struct report_data *data, const struct trace_event *event)
{
    uint64_t cpu = event->cpu;

    if (cpu >= REPORT_MAX_CPUS)
        return;
    if (data->cpu_is_busy[cpu])
        add_busy(data, cpu, data->cpu_since[cpu], event->time);
    data->cpu_since[cpu] = event->time;
    data->cpu_is_busy[cpu] = event->entered != 0;
}

static void note_place(struct report_data *data, uint64_t pc, uint64_t kind)
{
    uint64_t at = codec_mix(pc, kind);

    for (unsigned i = 0; i < 16; i++, at++) {
        struct report_place *place = &data->places[at % REPORT_MAX_PLACES];

        if (place->count == 0)
            *place = (struct report_place){pc, kind, 0};
        if (place->pc == pc && place->kind == kind) {
            place->count++;
            return;
        }
    }
}

static void note_register(struct report_data *data,
                          const struct trace_exit *exit)
{
    uint64_t offset = exit->gpa - exit->device->base;
    uint64_t at = codec_mix(exit->device->base, offset);

    for (unsigned i = 0; i < 16; i++, at++) {
        struct report_register *reg =
            &data->registers[at % REPORT_MAX_REGISTERS];

        if (reg->device == NULL)
            *reg = (struct report_register){exit->device, offset, 0, 0};
        if (reg->device != exit->device || reg->offset != offset)
            continue;
        if (exit->is_write)
            reg->writes++;
        else
            reg->reads++;
        return;
    }
}

static void note_device(struct report_data *data, const struct trace_exit *exit,
                        unsigned bin)
{
    struct trace_device *device = exit->device;

    if (exit->is_write)
        device->writes++;
    else
        device->reads++;
    data->accesses[device - data->devices.devices][bin]++;
    note_register(data, exit);
}

static unsigned vcpu_index(const struct report_data *data, uint64_t name)
{
    unsigned i = 0;

    while (i < data->counts.vcpu_count && data->counts.vcpus[i].name != name)
        i++;
    return i;
}

static void note_exit(struct report_data *data, const struct trace_event *event)
{
    unsigned bin = bin_of(data, event->time);
    unsigned vcpu = vcpu_index(data, event->vcpu);
    struct trace_exit exit;

    if (vcpu < REPORT_SHOWN_VCPUS && event->exit_kind < REPORT_MAX_KINDS)
        data->exits[vcpu][event->exit_kind][bin]++;
    note_place(data, event->fields[TRACE_FIELD_PC], event->exit_kind);
    trace_describe_exit(&data->devices, data->start, event, &exit);
    if (exit.device != NULL)
        note_device(data, &exit, bin);
}

static bool on_end(void *context, uint64_t number,
                   const struct trace_event *event, bool cut)
{
    struct report_data *data = context;

    if (data->counts.events == 0)
        data->first = event->time;
    trace_count_end(&data->counts, event, cut);
    (void)bin_of(data, event->time);
    if (event->kind == TRACE_EVENT_EXIT && !cut)
        note_exit(data, event);
    if (!cut)
        note_cpu(data, event);
    return data->until == 0 || number + 1 < data->until;
}

static void on_costs(void *context, const struct trace_event *event)
{
    struct report_data *data = context;

    trace_count_costs(&data->counts, event);
}

void report_free(struct report_data *data)
{
    if (data == NULL)
        return;
    trace_devices_fini(&data->devices);
    free(data->exits);
    free(data->accesses);
    free(data->busy);
    free(data->places);
    free(data->registers);
    free(data);
}

struct report_data *report_collect(struct trace_input *input, uint64_t until)
{
    struct report_data *data = calloc(1, sizeof(*data));
    struct trace_visitor visitor = {
        .end = on_end, .costs = on_costs, .context = data};

    if (data == NULL)
        return NULL;
    data->start = input->start;
    data->until = until;
    data->width = 1;
    data->exits = calloc(REPORT_SHOWN_VCPUS, sizeof(*data->exits));
    data->accesses = calloc(TRACE_MAX_DEVICES, sizeof(*data->accesses));
    data->busy = calloc(REPORT_MAX_CPUS, sizeof(*data->busy));
    data->places = calloc(REPORT_MAX_PLACES, sizeof(*data->places));
    data->registers = calloc(REPORT_MAX_REGISTERS, sizeof(*data->registers));
    if (data->exits == NULL || data->accesses == NULL || data->busy == NULL ||
        data->places == NULL || data->registers == NULL) {
        report_free(data);
        return NULL;
    }
    trace_devices_init(&data->devices, input->start);
    (void)trace_walk(input->decoder, &visitor);
    return data;
}
