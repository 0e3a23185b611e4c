/* SPDX-License-Identifier: Apache-2.0 */
/* The table of `twinax trace stat`, in the manner of `perf kvm stat`. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/json.h"
#include "sim/trace_report.h"

static void count_vcpu(struct trace_counts *counts, uint64_t name)
{
    unsigned i = 0;

    while (i < counts->vcpu_count && counts->vcpus[i].name != name)
        i++;
    if (i == REPORT_MAX_VCPUS)
        return;
    if (i == counts->vcpu_count) {
        counts->vcpus[i].name = name;
        counts->vcpu_count++;
    }
    counts->vcpus[i].exits++;
}

void trace_count_end(struct trace_counts *counts,
                     const struct trace_event *event, bool cut)
{
    if (counts->events == 0)
        counts->first_time = event->time;
    counts->last_time = event->time;
    counts->events++;
    if (event->kind == TRACE_EVENT_WAKE)
        counts->wakes++;
    if (event->kind != TRACE_EVENT_EXIT)
        return;
    counts->exits++;
    if (!cut && event->exit_kind < REPORT_MAX_KINDS)
        counts->kinds[event->exit_kind]++;
    count_vcpu(counts, event->vcpu);
}

void trace_count_costs(struct trace_counts *counts,
                       const struct trace_event *event)
{
    uint64_t kinds = event->cost_count < EXIT_KIND_COUNT ? event->cost_count
                                                         : EXIT_KIND_COUNT;

    counts->has_costs = true;
    for (uint64_t kind = 0; kind < kinds && kind < REPORT_MAX_KINDS; kind++)
        counts->costs[kind] = event->costs[kind];
    if (event->kind != TRACE_EVENT_END)
        return;
    counts->has_end = true;
    counts->end = event->end < TRACE_END_COUNT ? (enum trace_end)event->end
                                               : TRACE_END_STOPPED;
}

double trace_counts_seconds(const struct trace_counts *counts,
                            const struct trace_start *start)
{
    double ticks = (double)(counts->last_time - counts->first_time) *
                   (double)(UINT64_C(1) << start->numbers.time_shift);

    return ticks / (double)start->numbers.frequency;
}

const char *trace_end_text(enum trace_end end)
{
    static const char *const texts[] = {
#define X(end, text) text,
        TRACE_ENDS(X)
#undef X
    };

    return end < TRACE_END_COUNT ? texts[end] : "?";
}

static bool on_end(void *context, uint64_t number,
                   const struct trace_event *event, bool cut)
{
    (void)number;
    trace_count_end(context, event, cut);
    return true;
}

static void on_crossing(void *context, const struct trace_crossing *crossing)
{
    struct trace_counts *counts = context;

    (void)crossing;
    counts->crossings++;
}

static void on_costs(void *context, const struct trace_event *event)
{
    trace_count_costs(context, event);
}

/* Kinds by their counts, the most frequent first. */
static unsigned sort_kinds(const struct trace_counts *counts,
                           unsigned order[REPORT_MAX_KINDS])
{
    unsigned used = 0;

    for (unsigned kind = 0; kind < REPORT_MAX_KINDS; kind++) {
        unsigned at = used;

        if (counts->kinds[kind] == 0)
            continue;
        for (; at > 0 && counts->kinds[order[at - 1]] < counts->kinds[kind];
             at--)
            order[at] = order[at - 1];
        order[at] = kind;
        used++;
    }
    return used;
}

static uint64_t mean(const struct trace_cost *cost)
{
    return cost->count == 0 ? 0 : cost->sum / cost->count;
}

static double per_exit(uint64_t bytes, const struct trace_counts *counts)
{
    return counts->exits == 0 ? 0 : (double)bytes / (double)counts->exits;
}

static void print_table(const struct trace_input *input,
                        const struct trace_counts *counts, FILE *out)
{
    unsigned order[REPORT_MAX_KINDS];
    unsigned used = sort_kinds(counts, order);

    fprintf(out, "%-20s %12s %8s %10s %10s %12s\n", "EXIT", "COUNT", "SHARE",
            "MIN", "AVG", "MAX");
    for (unsigned i = 0; i < used; i++) {
        unsigned kind = order[i];
        const struct trace_cost *cost = &counts->costs[kind];

        fprintf(out, "%-20s %12" PRIu64 " %7.2f%%",
                trace_exit_kind_name(input->start, kind), counts->kinds[kind],
                100.0 * (double)counts->kinds[kind] / (double)counts->exits);
        if (cost->count != 0)
            fprintf(out, " %10" PRIu64 " %10" PRIu64 " %12" PRIu64, cost->least,
                    mean(cost), cost->most);
        fputc('\n', out);
    }
    if (counts->has_costs)
        fputs("MIN, AVG, MAX: cycles of a step, those of recording it "
              "included\n",
              out);
    fputc('\n', out);
    for (unsigned i = 0; i < counts->vcpu_count; i++)
        fprintf(out, "VM %u vCPU %-3u        %12" PRIu64 "\n",
                trace_name_vm(counts->vcpus[i].name),
                trace_name_vcpu(counts->vcpus[i].name), counts->vcpus[i].exits);
}

static void print_text(const struct trace_input *input,
                       const struct trace_counts *counts, FILE *out)
{
    const struct trace_start *start = input->start;
    uint64_t raw = twx_reader_raw_bytes(input->file);
    uint64_t packed = twx_reader_file_bytes(input->file);

    fprintf(out,
            "%s: %s, %" PRIu64 " CPUs, %" PRIu64 " MiB; built from %s\n"
            "%" PRIu64 " exits, %" PRIu64 " idle wake-ups, %" PRIu64
            " seam crossings in %.3f s\n"
            "%" PRIu64 " bytes (%.2f per exit), unpacked %" PRIu64
            " (%.2f per exit)\n",
            input->path, start->arch, start->numbers.cpu_count,
            start->numbers.ram_size >> 20, start->build_id, counts->exits,
            counts->wakes, counts->crossings,
            trace_counts_seconds(counts, start), packed,
            per_exit(packed, counts), raw, per_exit(raw, counts));
    fprintf(out, "%s\n\n",
            counts->has_end ? trace_end_text(counts->end)
                            : "the recording was interrupted");
    print_table(input, counts, out);
}

static void print_json_kinds(const struct trace_input *input,
                             const struct trace_counts *counts, FILE *out)
{
    unsigned order[REPORT_MAX_KINDS];
    unsigned used = sort_kinds(counts, order);

    for (unsigned i = 0; i < used; i++) {
        const struct trace_cost *cost = &counts->costs[order[i]];

        fprintf(out, "%s\n    {\"kind\": ", i == 0 ? "" : ",");
        json_string(out, trace_exit_kind_name(input->start, order[i]));
        fprintf(out, ", \"count\": %" PRIu64 ", \"share\": %.6f",
                counts->kinds[order[i]],
                (double)counts->kinds[order[i]] / (double)counts->exits);
        if (cost->count != 0)
            fprintf(out,
                    ", \"cycles_min\": %" PRIu64 ", \"cycles_avg\": %" PRIu64
                    ", \"cycles_max\": %" PRIu64,
                    cost->least, mean(cost), cost->most);
        fputc('}', out);
    }
}

static void print_json(const struct trace_input *input,
                       const struct trace_counts *counts, FILE *out)
{
    const struct trace_start *start = input->start;
    uint64_t raw = twx_reader_raw_bytes(input->file);
    uint64_t packed = twx_reader_file_bytes(input->file);
    char error[2 * TRACE_ERROR_SIZE];

    fputs("{\n  \"file\": ", out);
    json_string(out, input->path);
    fputs(",\n  \"architecture\": ", out);
    json_string(out, start->arch);
    fprintf(out,
            ",\n  \"cpus\": %" PRIu64 ",\n  \"exits\": %" PRIu64
            ",\n  \"events\": %" PRIu64 ",\n  \"wakes\": %" PRIu64
            ",\n  \"crossings\": %" PRIu64 ",\n  \"seconds\": %.6f"
            ",\n  \"file_bytes\": %" PRIu64 ",\n  \"stream_bytes\": %" PRIu64
            ",\n  \"trace_bytes_per_exit\": %.4f"
            ",\n  \"stream_bytes_per_exit\": %.4f,\n  \"end\": ",
            start->numbers.cpu_count, counts->exits, counts->events,
            counts->wakes, counts->crossings,
            trace_counts_seconds(counts, start), packed, raw,
            per_exit(packed, counts), per_exit(raw, counts));
    if (counts->has_end)
        json_string(out, trace_end_text(counts->end));
    else
        fputs("null", out);
    fputs(",\n  \"error\": ", out);
    if (trace_input_error(input, error))
        json_string(out, error);
    else
        fputs("null", out);
    fputs(",\n  \"kinds\": [", out);
    print_json_kinds(input, counts, out);
    fputs("],\n  \"vcpus\": [", out);
    for (unsigned i = 0; i < counts->vcpu_count; i++)
        fprintf(out,
                "%s\n    {\"vm\": %u, \"vcpu\": %u, \"exits\": %" PRIu64 "}",
                i == 0 ? "" : ",", trace_name_vm(counts->vcpus[i].name),
                trace_name_vcpu(counts->vcpus[i].name), counts->vcpus[i].exits);
    fputs("]\n}\n", out);
}

bool trace_stat(struct trace_input *input, bool json, FILE *out)
{
    struct trace_counts *counts = calloc(1, sizeof(*counts));
    struct trace_visitor visitor = {.crossing = on_crossing,
                                    .end = on_end,
                                    .costs = on_costs,
                                    .context = counts};

    if (counts == NULL) {
        fputs("twinax trace stat: out of memory\n", stderr);
        return false;
    }
    (void)trace_walk(input->decoder, &visitor);
    if (json)
        print_json(input, counts, out);
    else
        print_text(input, counts, out);
    free(counts);
    return !trace_input_report(input, "twinax trace stat");
}
