/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: text files that set a machine up, have its guests do things, and
 * say what must come of it. docs/scenario.md describes the language.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/arch.h"

struct machine;
struct trace_sink;

/* What holds unless the scenario says otherwise. */
struct scenario_options {
    const struct sim_arch *arch;        /* NULL: the default */
    const struct fake_profile *profile; /* of it; NULL: the default */
    uint64_t seed;
    uint32_t cpus;      /* 0: one */
    uint64_t do_steps;  /* as in struct machine_config */
    bool verbose;       /* each operation is printed with what came of it */
    const char *folder; /* what `config` is relative to; NULL: the process's */
    const struct trace_sink *record; /* where a trace of it goes; NULL: none */
    /* Used instead of the machine that the scenario describes, whatever that
     * is, and kept; NULL: none. */
    struct machine *machine;
};

/* Something that is wrong: with the text, or with the hypervisor. */
struct scenario_failure {
    unsigned line; /* 0: the scenario as a whole */
    bool in_text;  /* the scenario is not one */
    char message[256];
};

#define SCENARIO_FAILURES 16

struct scenario_report {
    bool has_machine; /* the text got so far as to need one */
    uint64_t operations, exits, violations, leaked_frames;
    uint32_t failure_count; /* those beyond SCENARIO_FAILURES are not kept */
    struct scenario_failure failures[SCENARIO_FAILURES];
};

/*
 * Runs the scenario in `text`, of `size` bytes. It ends at the first fault of
 * its text; a failed expectation does not end it. True: all was as expected.
 */
bool scenario_run(const char *text, size_t size,
                  const struct scenario_options *options,
                  struct scenario_report *report);

#endif
