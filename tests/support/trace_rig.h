/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings of simulated machines, for the tests of traces. */
#ifndef TESTS_SUPPORT_TRACE_RIG_H
#define TESTS_SUPPORT_TRACE_RIG_H

#include "sim/machine.h"
#include "sim/recording.h"
#include "sim/replay.h"
#include "sim/spec.h"

/* A register without any effect of its own, which the guests read and write:
 * SCR of the NS16550A. */
#define RIG_UART_SCRATCH (SPEC_UART + 7)

/* What is recorded. */
struct rig_run {
    uint32_t cpus;
    uint32_t vcpus; /* per VM */
    uint32_t vms;
    uint64_t seed; /* of the guests' operations, and of the CPUs' order */
    uint64_t steps;
};

/* Runs guests that do a bit of everything, and records all of it. */
void rig_record(const struct rig_run *run, struct recording_buffer *trace);

/* The same without a recording; returns how many exits there were. */
uint64_t rig_run_unrecorded(const struct rig_run *run);

/* Replays a stream, which is read from its beginning. False when it is not
 * even opened; `result->error` says why then. */
bool rig_replay(struct recording_buffer *trace,
                const struct replay_options *options,
                struct replay_result *result);

#endif
