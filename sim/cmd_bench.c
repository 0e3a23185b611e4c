/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax bench`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/compiler.h"
#include "sim/bench.h"
#include "sim/commands.h"

static const char usage[] =
    "usage: twinax bench [--arch ARCH] [--json] [--seconds S] [TRACE]\n\n"
    "Measures how many injected exits the process handles per second, what\n"
    "decoding and the check of a VM entry cost, and, with a TRACE, how fast\n"
    "it replays.\n\n"
    "  --arch ARCH  of the exits and of what is decoded (default riscv64)\n"
    "  --json       print one JSON object\n"
    "  --seconds S  measure each number for S seconds (default 1)\n"
    "  --help       print this\n\n"
    "All times are of this process's CPU time, on one core.\n";

void bench_add(struct bench_report *report, const char *key, double value,
               const char *summary)
{
    if (report->count < BENCH_NUMBERS)
        report->numbers[report->count++] =
            (struct bench_number){key, value, summary};
}

double bench_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void print_text(const struct bench_report *report)
{
    for (unsigned i = 0; i < report->count; i++)
        printf("%-28s %16.2f  %s\n", report->numbers[i].key,
               report->numbers[i].value, report->numbers[i].summary);
}

static void print_json(const struct bench_report *report)
{
    printf("{");
    for (unsigned i = 0; i < report->count; i++)
        printf("%s\"%s\": %.3f", i == 0 ? "" : ", ", report->numbers[i].key,
               report->numbers[i].value);
    printf("}\n");
}

static bool run(const struct bench_options *options,
                struct bench_report *report)
{
    if (!bench_inject(options, report) ||
        !options->arch->bench->decode(options, report) ||
        !bench_entry_check(options, report))
        return false;
    if (options->trace == NULL)
        return true;
    if (bench_replay == NULL) {
        fprintf(stderr, "twinax bench: this build cannot replay\n");
        return false;
    }
    return bench_replay(options, report);
}

static int unknown_arch(const char *name)
{
    fprintf(stderr, "twinax bench: --arch %s: it is one of", name);
    for (unsigned i = 0; sim_archs[i] != NULL; i++)
        fprintf(stderr, " %s", sim_archs[i]->name);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

int cmd_bench(int argc, char **argv)
{
    struct bench_options options = {.arch = sim_archs[0], .seconds = 1};
    struct bench_report report = {0};
    bool json = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--arch") == 0 && i + 1 < argc) {
            options.arch = sim_arch_find(argv[++i]);
            if (options.arch == NULL)
                return unknown_arch(argv[i]);
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc &&
                   atof(argv[i + 1]) > 0) {
            options.seconds = atof(argv[++i]);
        } else if (argv[i][0] != '-' && options.trace == NULL) {
            options.trace = argv[i];
        } else {
            fprintf(stderr, "twinax bench: what is '%s'?\n\n%s", argv[i],
                    usage);
            return EXIT_USAGE;
        }
    }
    if (!run(&options, &report))
        return EXIT_WRONG;
    if (json)
        print_json(&report);
    else
        print_text(&report);
    return 0;
}
