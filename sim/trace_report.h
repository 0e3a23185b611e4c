/* SPDX-License-Identifier: Apache-2.0 */
/* What `twinax trace` makes of a trace. */
#ifndef SIM_TRACE_REPORT_H
#define SIM_TRACE_REPORT_H

#include <stdio.h>

#include "sim/trace_devices.h"
#include "sim/trace_input.h"

#define REPORT_MAX_KINDS 64
#define REPORT_MAX_VCPUS 256

/* Counts of a trace, collected on the way through it. */
struct trace_counts {
    uint64_t events, exits, wakes, crossings;
    uint64_t first_time, last_time; /* coarse */
    uint64_t kinds[REPORT_MAX_KINDS];
    struct trace_cost costs[REPORT_MAX_KINDS]; /* as far as recorded */
    bool has_costs;
    unsigned vcpu_count;
    struct {
        uint64_t name, exits;
    } vcpus[REPORT_MAX_VCPUS];
    bool has_end;
    enum trace_end end;
};

/* What a step that was cut off was taken for, no trace says: it is an exit of
 * no kind. */
void trace_count_end(struct trace_counts *counts,
                     const struct trace_event *event, bool cut);
void trace_count_costs(struct trace_counts *counts,
                       const struct trace_event *event);

/* Seconds from the first event to the last. */
double trace_counts_seconds(const struct trace_counts *counts,
                            const struct trace_start *start);
const char *trace_end_text(enum trace_end end);

/* The table of `twinax trace stat`. False: the trace is broken, which was
 * said on standard error; what precedes was counted. */
bool trace_stat(struct trace_input *input, bool json, FILE *out);

/* Events `from` to `until` (exclusive; 0: to the end) as readable text. */
bool trace_show(struct trace_input *input, uint64_t from, uint64_t until,
                FILE *out);

/* Formats of `twinax trace export`. Events from `until` on are left out, if it
 * is not 0. */
struct trace_export {
    const char *name;
    const char *summary;
    /* `out` is a new file, but for a format that makes a folder: then it is
     * NULL, and `path` the folder's name. */
    bool (*run)(struct trace_input *input, uint64_t until, const char *path,
                FILE *out);
    bool makes_folder;
};
extern const struct trace_export trace_exports[]; /* ends with a NULL name */

bool report_perfetto(struct trace_input *input, uint64_t until,
                     const char *path, FILE *out);
bool report_html(struct trace_input *input, uint64_t until, const char *path,
                 FILE *out);
bool report_seeds(struct trace_input *input, uint64_t until, const char *path,
                  FILE *out);
bool report_test(struct trace_input *input, uint64_t until, const char *path,
                 FILE *out);

#endif
