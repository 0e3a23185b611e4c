/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a trace is replayed, and how small it is. */
#include <stdio.h>

#include "sim/bench.h"
#include "sim/replay.h"
#include "sim/trace_input.h"

/* One replay; false when it was not identical. */
static bool run_once(const struct bench_options *options,
                     struct replay_result *result, uint64_t *raw,
                     uint64_t *packed)
{
    static const struct replay_options all;
    struct trace_input input;
    bool identical;

    if (!trace_input_open(&input, options->trace))
        return false;
    identical = replay_run(input.decoder, &all, result);
    *raw = twx_reader_raw_bytes(input.file);
    *packed = twx_reader_file_bytes(input.file);
    identical = !trace_input_report(&input, "twinax bench") && identical;
    trace_input_close(&input);
    return identical && result->exits != 0;
}

bool bench_replay(const struct bench_options *options,
                  struct bench_report *report)
{
    double start = bench_seconds(), spent, best = 0, exits = 0;
    struct replay_result result;
    uint64_t raw, packed;

    do {
        double before = bench_seconds();

        if (!run_once(options, &result, &raw, &packed)) {
            fprintf(stderr,
                    "twinax bench: %s: its replay is not identical; see "
                    "twinax replay\n",
                    options->trace);
            return false;
        }
        exits = (double)result.exits;
        spent = bench_seconds();
        if (exits / (spent - before) > best)
            best = exits / (spent - before);
    } while (spent - start < options->seconds);
    bench_add(report, "replay_exits_per_second", best,
              "recorded exits replayed and verified, the best of the runs");
    bench_add(report, "replay_exits", exits, "exits in the trace");
    bench_add(report, "trace_bytes_per_exit", (double)packed / exits,
              "bytes of the file");
    bench_add(report, "stream_bytes_per_exit", (double)raw / exits,
              "bytes of the stream in it, unpacked");
    return true;
}
