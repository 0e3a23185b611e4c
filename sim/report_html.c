/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report page: sim/report.html, a page that draws itself from the JSON
 * that is put in the place of its marker. It needs nothing from outside.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/json.h"
#include "sim/report_data.h"
#include "sim/report_page.h"

#define TOP_PLACES    24
#define TOP_REGISTERS 64

static const char marker[] = "/*DATA*/null";

/* JSON in a page: no text may end the script that it is in. */
static void put_text(FILE *out, const char *text)
{
    char *copy = NULL;
    size_t size = 0;
    FILE *quoted = open_memstream(&copy, &size);

    if (quoted == NULL) {
        fputs("\"\"", out);
        return;
    }
    json_string(quoted, text);
    fclose(quoted);
    for (const char *at = copy; *at != '\0'; at++) {
        if (*at == '<')
            fputs("\\u003c", out);
        else
            fputc(*at, out);
    }
    free(copy);
}

/* Bins as a string of numbers, the zeros at the end left out. */
static void put_bins(FILE *out, const uint32_t bins[REPORT_BINS])
{
    unsigned used = REPORT_BINS;

    while (used > 0 && bins[used - 1] == 0)
        used--;
    fputc('[', out);
    for (unsigned i = 0; i < used; i++)
        fprintf(out, "%s%" PRIu32, i == 0 ? "" : ",", bins[i]);
    fputc(']', out);
}

static void put_kinds(const struct report_data *data, FILE *out)
{
    const char *separator = "";

    fputs("\"kinds\":[", out);
    for (unsigned kind = 0; kind < REPORT_MAX_KINDS; kind++) {
        const struct trace_cost *cost = &data->counts.costs[kind];

        if (data->counts.kinds[kind] == 0)
            continue;
        fprintf(out, "%s{\"id\":%u,\"name\":", separator, kind);
        put_text(out, trace_exit_kind_name(data->start, kind));
        fprintf(out, ",\"count\":%" PRIu64, data->counts.kinds[kind]);
        if (cost->count != 0)
            fprintf(out,
                    ",\"min\":%" PRIu64 ",\"avg\":%" PRIu64 ",\"max\":%" PRIu64,
                    cost->least, cost->sum / cost->count, cost->most);
        fputc('}', out);
        separator = ",";
    }
    fputs("],\n", out);
}

static void put_vcpus(const struct report_data *data, FILE *out)
{
    char room[32];

    fputs("\"vcpus\":[", out);
    for (unsigned i = 0; i < data->counts.vcpu_count; i++) {
        uint64_t name = data->counts.vcpus[i].name;
        const char *separator = "";

        fprintf(out, "%s{\"vm\":", i == 0 ? "" : ",\n");
        put_text(out, trace_vm_name(&data->devices, trace_name_vm(name), room,
                                    sizeof(room)));
        fprintf(out, ",\"vcpu\":%u,\"exits\":%" PRIu64 ",\"bins\":{",
                trace_name_vcpu(name), data->counts.vcpus[i].exits);
        for (unsigned kind = 0;
             i < REPORT_SHOWN_VCPUS && kind < REPORT_MAX_KINDS; kind++) {
            if (data->counts.kinds[kind] == 0)
                continue;
            fprintf(out, "%s\"%u\":", separator, kind);
            put_bins(out, data->exits[i][kind]);
            separator = ",";
        }
        fputs("}}", out);
    }
    fputs("],\n", out);
}

static void put_cpus(const struct report_data *data, FILE *out)
{
    uint64_t cpus = data->start->numbers.cpu_count;

    fputs("\"cpus\":[", out);
    for (uint64_t cpu = 0; cpu < cpus && cpu < REPORT_MAX_CPUS; cpu++) {
        fputs(cpu == 0 ? "" : ",", out);
        put_bins(out, data->busy[cpu]);
    }
    fputs("],\n", out);
}

static void put_devices(const struct report_data *data, FILE *out)
{
    const char *separator = "";
    char room[32];

    fputs("\"devices\":[", out);
    for (unsigned i = 0; i < data->devices.count; i++) {
        const struct trace_device *device = &data->devices.devices[i];

        fprintf(out, "%s{\"id\":%u,\"vm\":", separator, i);
        put_text(out,
                 trace_vm_name(&data->devices, device->vm, room, sizeof(room)));
        fputs(",\"name\":", out);
        put_text(out, device->name);
        fprintf(out, ",\"reads\":%" PRIu64 ",\"writes\":%" PRIu64 ",\"bins\":",
                device->reads, device->writes);
        put_bins(out, data->accesses[i]);
        fputc('}', out);
        separator = ",\n";
    }
    fputs("],\n", out);
}

static int by_accesses(const void *a, const void *b)
{
    const struct report_register *x = a, *y = b;
    uint64_t m = x->reads + x->writes, n = y->reads + y->writes;

    return m < n ? 1 : m > n ? -1 : 0;
}

static int by_count(const void *a, const void *b)
{
    const struct report_place *x = a, *y = b;

    return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static void put_registers(const struct report_data *data, FILE *out)
{
    qsort(data->registers, REPORT_MAX_REGISTERS, sizeof(*data->registers),
          by_accesses);
    fputs("\"registers\":[", out);
    for (unsigned i = 0; i < TOP_REGISTERS; i++) {
        const struct report_register *reg = &data->registers[i];

        if (reg->reads + reg->writes == 0)
            break;
        fprintf(out,
                "%s{\"device\":%td,\"offset\":%" PRIu64 ",\"reads\":%" PRIu64
                ",\"writes\":%" PRIu64 "}",
                i == 0 ? "" : ",", reg->device - data->devices.devices,
                reg->offset, reg->reads, reg->writes);
    }
    fputs("],\n", out);
}

static void put_places(const struct report_data *data, FILE *out)
{
    qsort(data->places, REPORT_MAX_PLACES, sizeof(*data->places), by_count);
    fputs("\"places\":[", out);
    for (unsigned i = 0; i < TOP_PLACES && data->places[i].count != 0; i++)
        fprintf(out,
                "%s{\"pc\":\"0x%" PRIx64 "\",\"kind\":%" PRIu64
                ",\"count\":%" PRIu64 "}",
                i == 0 ? "" : ",", data->places[i].pc, data->places[i].kind,
                data->places[i].count);
    fputs("]\n", out);
}

static void put_summary(const struct trace_input *input,
                        const struct report_data *data, FILE *out)
{
    const struct trace_start *start = data->start;
    double tick = (double)(UINT64_C(1) << start->numbers.time_shift) /
                  (double)start->numbers.frequency;
    char error[2 * TRACE_ERROR_SIZE];

    fputs("\"file\":", out);
    put_text(out, input->path);
    fputs(",\"architecture\":", out);
    put_text(out, start->arch);
    fputs(",\"build\":", out);
    put_text(out, start->build_id);
    fprintf(
        out,
        ",\"exits\":%" PRIu64 ",\"events\":%" PRIu64 ",\"wakes\":%" PRIu64
        ",\"seconds\":%.6f,\"fileBytes\":%" PRIu64 ",\"streamBytes\":%" PRIu64
        ",\"bins\":%d,\"binSeconds\":%.9f,\"binTicks\":%" PRIu64 ",\"end\":",
        data->counts.exits, data->counts.events, data->counts.wakes,
        trace_counts_seconds(&data->counts, start),
        twx_reader_file_bytes(input->file), twx_reader_raw_bytes(input->file),
        REPORT_BINS, (double)data->width * tick, data->width);
    if (data->counts.has_end)
        put_text(out, trace_end_text(data->counts.end));
    else
        fputs("null", out);
    fputs(",\"error\":", out);
    if (trace_input_error(input, error))
        put_text(out, error);
    else
        fputs("null", out);
    fputs(",\n", out);
}

bool report_html(struct trace_input *input, uint64_t until, const char *path,
                 FILE *out)
{
    struct report_data *data = report_collect(input, until);
    const char *place = strstr(report_page, marker);

    (void)path;
    if (data == NULL || place == NULL) {
        fputs("twinax trace export: out of memory\n", stderr);
        report_free(data);
        return false;
    }
    fwrite(report_page, 1, (size_t)(place - report_page), out);
    fputc('{', out);
    put_summary(input, data, out);
    put_kinds(data, out);
    put_vcpus(data, out);
    put_cpus(data, out);
    put_devices(data, out);
    put_registers(data, out);
    put_places(data, out);
    fputc('}', out);
    fputs(place + sizeof(marker) - 1, out);
    report_free(data);
    return !trace_input_report(input, "twinax trace export");
}
