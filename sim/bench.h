/* SPDX-License-Identifier: Apache-2.0 */
/* What `twinax bench` measures. Each part adds its numbers to the report. */
#ifndef SIM_BENCH_H
#define SIM_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/arch.h"
#include "sim/machine.h"

#define BENCH_NUMBERS 32

struct bench_number {
    const char *key; /* in JSON; says its unit */
    double value;
    const char *summary;
};

struct bench_report {
    unsigned count;
    struct bench_number numbers[BENCH_NUMBERS];
};

struct bench_options {
    const struct sim_arch *arch;
    double seconds;    /* how long each part measures, about */
    const char *trace; /* a trace to replay; NULL: none was given */
};

/* Operations that exit, over and over. */
struct bench_exits {
    const char *key, *summary;
    const struct guest_op *ops;
    unsigned count;
};

/* What is measured of an architecture: sim/<arch>/bench.c. */
struct sim_bench {
    const struct bench_exits *exits;
    unsigned exits_count;
    /* How fast exits and instructions are decoded; returns as those below. */
    bool (*decode)(const struct bench_options *options,
                   struct bench_report *report);
};

/* A machine of one CPU, with the usual VM of one vCPU; NULL, having said why.
 */
struct machine *bench_machine(const struct sim_arch *arch);

void bench_add(struct bench_report *report, const char *key, double value,
               const char *summary);

/* Seconds of the process's CPU time: the machine may be busy. */
double bench_seconds(void);

/* Each returns false after saying on standard error what is wrong. */
bool bench_inject(const struct bench_options *options,
                  struct bench_report *report);
bool bench_entry_check(const struct bench_options *options,
                       struct bench_report *report);
bool bench_replay(const struct bench_options *options,
                  struct bench_report *report);

#endif
