/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the report page shows, collected on one way through a trace: counts by
 * time, vCPU, exit kind and device. Time is divided into bins whose width
 * doubles as often as the trace turns out to be longer.
 */
#ifndef SIM_REPORT_DATA_H
#define SIM_REPORT_DATA_H

#include "sim/trace_report.h"

#define REPORT_BINS          512
#define REPORT_MAX_CPUS      64
#define REPORT_MAX_PLACES    4096 /* distinct (pc, kind) that are counted */
#define REPORT_MAX_REGISTERS 2048 /* distinct (device, offset) */

struct report_place {
    uint64_t pc, kind, count; /* count 0: free */
};

struct report_register {
    const struct trace_device *device; /* NULL: free */
    uint64_t offset, reads, writes;
};

struct report_data {
    const struct trace_start *start;
    struct trace_devices devices;
    struct trace_counts counts;
    uint64_t until;
    uint64_t first; /* coarse time of the first event */
    uint64_t width; /* of a bin, in coarse ticks */
    /* By vCPU as in counts.vcpus, kind and bin; by device and bin. */
    uint32_t (*exits)[REPORT_MAX_KINDS][REPORT_BINS];
    uint32_t (*accesses)[REPORT_BINS];
    /* By CPU: since when it is in a guest, or in none; and time in guests, in
     * coarse ticks, by bin. */
    uint64_t cpu_since[REPORT_MAX_CPUS];
    bool cpu_is_busy[REPORT_MAX_CPUS];
    uint32_t (*busy)[REPORT_BINS];
    struct report_place *places;
    struct report_register *registers;
};

/* Exits of at most so many vCPUs are shown in time; the rest is counted. */
#define REPORT_SHOWN_VCPUS 64

/* NULL: no memory. */
struct report_data *report_collect(struct trace_input *input, uint64_t until);
void report_free(struct report_data *data);

#endif
