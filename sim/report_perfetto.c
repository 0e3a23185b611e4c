/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timeline in the JSON trace-event format, which ui.perfetto.dev and
 * chrome://tracing open: a process per VM with a track per vCPU and its exits,
 * and a process of the host's CPUs with the vCPUs that ran on them.
 *
 * A trace's times are coarse. Events of one coarse tick are spread evenly over
 * it, so that their order shows; where in the tick they were is not known.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "sim/json.h"
#include "sim/trace_report.h"

/* The host's "process". */
#define HOST_PID 0

/* An event, as far as the timeline shows it. */
struct mark {
    uint64_t number, cpu, vcpu, entered, kind, pc;
    bool is_exit;
};

struct timeline {
    const struct trace_start *start;
    struct trace_devices devices;
    struct trace_counts counts; /* for which vCPUs there are */
    uint64_t until;
    FILE *out;
    bool any; /* something was printed: a comma is due */
    uint64_t tick;
    /* The events of that tick: how many there will be is not known before. */
    size_t pending, room;
    struct mark *marks;
    bool out_of_memory;
    /* By CPU: the vCPU that it is in the guest of, and since when. */
    uint64_t running[MAX_CPU_NUM];
    double since[MAX_CPU_NUM];
};

static void begin_item(struct timeline *line)
{
    fputs(line->any ? ",\n" : "\n", line->out);
    line->any = true;
}

static double microseconds(const struct timeline *line, double ticks)
{
    const struct trace_start_numbers *numbers = &line->start->numbers;

    return ticks * (double)(UINT64_C(1) << numbers->time_shift) * 1e6 /
           (double)numbers->frequency;
}

/* The most that a trace of sense comes to is far below this. */
#define MOST_MICROSECONDS 9e12

static int64_t nanoseconds(double microseconds)
{
    if (microseconds > MOST_MICROSECONDS)
        microseconds = MOST_MICROSECONDS;
    return (int64_t)(microseconds * 1e3 + 0.5);
}

/* When a slice is. Its ends are rounded, not its length: slices that adjoin
 * would overlap otherwise, and overlapping ones nest. */
static void put_span(struct timeline *line, double from, double to)
{
    int64_t start = nanoseconds(from), end = nanoseconds(to);
    int64_t length = end > start ? end - start : 0;

    fprintf(line->out, ",\"ts\":%" PRId64 ".%03d,\"dur\":%" PRId64 ".%03d",
            start / 1000, (int)(start % 1000), length / 1000,
            (int)(length % 1000));
}

static void put_exit(struct timeline *line, const struct mark *mark, double at,
                     double length)
{
    begin_item(line);
    fputs("{\"ph\":\"X\",\"name\":", line->out);
    json_string(line->out, trace_exit_kind_name(line->start, mark->kind));
    fprintf(line->out, ",\"pid\":%u,\"tid\":%u", trace_name_vm(mark->vcpu) + 1,
            trace_name_vcpu(mark->vcpu) + 1);
    put_span(line, at, at + length);
    fprintf(line->out,
            ",\"args\":{\"event\":%" PRIu64 ",\"pc\":\"0x%" PRIx64
            "\",\"cpu\":%" PRIu64 "}}",
            mark->number, mark->pc, mark->cpu);
}

/* The CPU has been in one vCPU's guest until now, or in none. */
static void put_run(struct timeline *line, uint64_t cpu, double now)
{
    uint64_t vcpu = line->running[cpu];
    char room[32];

    if (vcpu == 0)
        return;
    begin_item(line);
    fputs("{\"ph\":\"X\",\"name\":", line->out);
    json_string(line->out, trace_vm_name(&line->devices, trace_name_vm(vcpu),
                                         room, sizeof(room)));
    fprintf(line->out, ",\"pid\":%d,\"tid\":%" PRIu64, HOST_PID, cpu + 1);
    put_span(line, line->since[cpu], now);
    fprintf(line->out, ",\"args\":{\"vcpu\":%u}}", trace_name_vcpu(vcpu));
}

static void place_cpu(struct timeline *line, const struct mark *mark, double at)
{
    if (mark->cpu >= MAX_CPU_NUM || line->running[mark->cpu] == mark->entered)
        return;
    put_run(line, mark->cpu, at);
    line->running[mark->cpu] = mark->entered;
    line->since[mark->cpu] = at;
}

/* Spreads the events of a tick over it. */
static void flush_tick(struct timeline *line)
{
    double step = microseconds(line, 1) / (double)(line->pending + 1);

    for (size_t i = 0; i < line->pending; i++) {
        double at = microseconds(line, (double)line->tick) + step * (double)i;

        if (line->marks[i].is_exit)
            put_exit(line, &line->marks[i], at, step / 2);
        place_cpu(line, &line->marks[i], at);
    }
    line->pending = 0;
}

/* Room for one more event of the tick. */
static bool make_room(struct timeline *line)
{
    size_t room = 2 * line->room + 64;
    struct mark *larger;

    if (line->pending < line->room)
        return true;
    larger = realloc(line->marks, room * sizeof(*larger));
    if (larger == NULL) {
        line->out_of_memory = true;
        return false;
    }
    line->marks = larger;
    line->room = room;
    return true;
}

static bool on_end(void *context, uint64_t number,
                   const struct trace_event *event, bool cut)
{
    struct timeline *line = context;

    trace_count_end(&line->counts, event, cut);
    if (event->time != line->tick)
        flush_tick(line);
    line->tick = event->time;
    if (!make_room(line))
        return false;
    line->marks[line->pending++] = (struct mark){
        .number = number,
        .cpu = event->cpu,
        .vcpu = event->vcpu,
        .entered = cut || event->kind == TRACE_EVENT_INIT ? 0 : event->entered,
        .kind = event->exit_kind,
        .pc = event->fields[TRACE_FIELD_PC],
        .is_exit = event->kind == TRACE_EVENT_EXIT && !cut,
    };
    return line->until == 0 || number + 1 < line->until;
}

static void put_name(struct timeline *line, const char *what, uint64_t pid,
                     uint64_t tid, const char *name)
{
    begin_item(line);
    fprintf(line->out,
            "{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64
            ",\"args\":{\"name\":",
            what, pid, tid);
    json_string(line->out, name);
    fputs("}}", line->out);
}

static void put_names(struct timeline *line)
{
    char room[32], text[64];

    put_name(line, "process_name", HOST_PID, 0, "host CPUs");
    for (uint64_t cpu = 0; cpu < line->start->numbers.cpu_count; cpu++) {
        snprintf(text, sizeof(text), "CPU %" PRIu64, cpu);
        put_name(line, "thread_name", HOST_PID, cpu + 1, text);
    }
    for (unsigned i = 0; i < line->counts.vcpu_count; i++) {
        uint64_t vcpu = line->counts.vcpus[i].name;

        put_name(line, "process_name", trace_name_vm(vcpu) + 1, 0,
                 trace_vm_name(&line->devices, trace_name_vm(vcpu), room,
                               sizeof(room)));
        snprintf(text, sizeof(text), "vCPU %u", trace_name_vcpu(vcpu));
        put_name(line, "thread_name", trace_name_vm(vcpu) + 1,
                 trace_name_vcpu(vcpu) + 1, text);
    }
}

static bool complain_of_memory(void)
{
    fputs("twinax trace export: out of memory\n", stderr);
    return false;
}

bool report_perfetto(struct trace_input *input, uint64_t until,
                     const char *path, FILE *out)
{
    struct timeline *line = calloc(1, sizeof(*line));
    struct trace_visitor visitor = {.end = on_end, .context = line};
    bool ok;

    (void)path;
    if (line == NULL)
        return complain_of_memory();
    line->start = input->start;
    line->until = until;
    line->out = out;
    trace_devices_init(&line->devices, input->start);
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
    (void)trace_walk(input->decoder, &visitor);
    flush_tick(line);
    for (uint64_t cpu = 0; cpu < MAX_CPU_NUM; cpu++)
        put_run(line, cpu, microseconds(line, (double)line->tick + 1));
    put_names(line);
    fputs("\n]}\n", out);
    ok = !line->out_of_memory || complain_of_memory();
    trace_devices_fini(&line->devices);
    free(line->marks);
    free(line);
    return !trace_input_report(input, "twinax trace export") && ok;
}
