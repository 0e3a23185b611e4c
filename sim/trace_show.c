/* SPDX-License-Identifier: Apache-2.0 */
/* Events as lines for people: `twinax trace show`. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/bits.h"
#include "sim/trace_report.h"

/* Bytes of a GET or PUT that are shown. */
#define SHOWN_BYTES 32

struct show {
    const struct trace_input *input;
    const struct trace_start *start;
    struct trace_devices devices;
    uint64_t from, until;
    bool shown; /* the current event is in the range */
    FILE *out;
};

static void show_fields(const struct show *show, uint64_t mask,
                        const uint64_t *values)
{
    for (; mask != 0; mask &= mask - 1) {
        unsigned field = bit_lowest(mask);

        fprintf(show->out, " %s=%" PRIx64, trace_field_name(show->start, field),
                values[field]);
    }
}

static void show_time(const struct show *show, const struct trace_event *event)
{
    uint64_t ticks = event->time << show->start->numbers.time_shift;

    fprintf(show->out, " %.4f s",
            (double)ticks / (double)show->start->numbers.frequency);
}

static void on_begin(void *context, uint64_t number,
                     const struct trace_event *event)
{
    struct show *show = context;

    show->shown =
        number >= show->from && (show->until == 0 || number < show->until);
    if (!show->shown)
        return;
    fprintf(show->out, "#%" PRIu64, number);
    show_time(show, event);
    fprintf(show->out, " CPU %" PRIu64, event->cpu);
    if (event->kind == TRACE_EVENT_INIT) {
        fputs(" makes the VMs\n", show->out);
    } else if (event->kind == TRACE_EVENT_WAKE) {
        fputs(" wakes up\n", show->out);
    } else {
        fprintf(show->out, " VM %u vCPU %u exits:", trace_name_vm(event->vcpu),
                trace_name_vcpu(event->vcpu));
        show_fields(show, event->mask, event->fields);
        fputc('\n', show->out);
    }
}

static void show_bytes(const struct show *show, const uint8_t *bytes,
                       size_t size)
{
    size_t shown = size < SHOWN_BYTES ? size : SHOWN_BYTES;

    for (size_t i = 0; i < shown; i++)
        fprintf(show->out, " %02x", bytes[i]);
    fputs(size > shown ? " ... \"" : " \"", show->out);
    for (size_t i = 0; i < shown; i++)
        fputc(isprint(bytes[i]) ? bytes[i] : '.', show->out);
    fputc('"', show->out);
}

static void on_crossing(void *context, const struct trace_crossing *crossing)
{
    struct show *show = context;
    const struct trace_row *row = &show->start->rows[crossing->row];

    if (!show->shown)
        return;
    fprintf(show->out, "    %s(", row->name);
    for (unsigned arg = 0; arg < crossing->arg_count; arg++)
        fprintf(show->out, "%s0x%" PRIx64, arg == 0 ? "" : ", ",
                crossing->args[arg]);
    fputc(')', show->out);
    if (row->shape == TRACE_SHAPE_FN) {
        fprintf(show->out, " = 0x%" PRIx64, crossing->result);
    } else if (crossing->bytes != NULL) {
        fprintf(show->out, " %s %" PRIu64 " bytes:",
                row->shape == TRACE_SHAPE_GET ? "=" : "<-", crossing->result);
        show_bytes(show, crossing->bytes, crossing->result);
    }
    fputc('\n', show->out);
}

static void show_exit(struct show *show, const struct trace_event *event)
{
    struct trace_exit exit;

    trace_describe_exit(&show->devices, show->start, event, &exit);
    fprintf(show->out, "    %s", trace_exit_kind_name(show->start, exit.kind));
    if (exit.insn[0] != '\0')
        fprintf(show->out, ", %s", exit.insn);
    if (exit.has_gpa)
        fprintf(show->out, ", at 0x%" PRIx64, exit.gpa);
    if (exit.device != NULL)
        fprintf(show->out, " (%s)", exit.device->name);
    if (event->changed != 0) {
        fputs(" ->", show->out);
        show_fields(show, event->changed, event->outputs);
    }
    fputc('\n', show->out);
}

static bool on_end(void *context, uint64_t number,
                   const struct trace_event *event, bool cut)
{
    struct show *show = context;

    if (!show->shown)
        return show->until == 0 || number + 1 < show->until;
    if (cut) {
        fputs("    the machine is powered off\n", show->out);
        return true;
    }
    if (event->kind == TRACE_EVENT_INIT) {
        fprintf(show->out, "    result %" PRIu64 "\n", event->result);
        return true;
    }
    if (event->kind == TRACE_EVENT_EXIT)
        show_exit(show, event);
    if (event->entered == 0)
        fputs("    idle\n", show->out);
    else if (event->entered != event->vcpu)
        fprintf(show->out, "    enters VM %u vCPU %u",
                trace_name_vm(event->entered), trace_name_vcpu(event->entered));
    if (event->entered != 0 && event->entered != event->vcpu) {
        show_fields(show, event->rewritten, event->entries);
        fputc('\n', show->out);
    }
    return show->until == 0 || number + 1 < show->until;
}

static void on_costs(void *context, const struct trace_event *event)
{
    struct show *show = context;

    if (event->kind == TRACE_EVENT_END && show->until == 0)
        fprintf(show->out, "end: %s\n",
                trace_end_text((enum trace_end)event->end));
}

bool trace_show(struct trace_input *input, uint64_t from, uint64_t until,
                FILE *out)
{
    struct show *show = calloc(1, sizeof(*show));
    struct trace_visitor visitor = {on_begin, on_crossing, on_end, on_costs,
                                    show};

    if (show == NULL) {
        fputs("twinax trace show: out of memory\n", stderr);
        return false;
    }
    *show = (struct show){.input = input,
                          .start = input->start,
                          .from = from,
                          .until = until,
                          .out = out};
    trace_devices_init(&show->devices, input->start);
    (void)trace_walk(input->decoder, &visitor);
    trace_devices_fini(&show->devices);
    free(show);
    return !trace_input_report(input, "twinax trace show");
}
