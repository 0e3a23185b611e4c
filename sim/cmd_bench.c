/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax bench`. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/bench.h"
#include "sim/commands.h"
#include "sim/trace_input.h"

#define MAX_SECONDS 1e6

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
    return bench_inject(options, report) &&
           options->arch->bench->decode(options, report) &&
           bench_entry_check(options, report) &&
           (options->trace == NULL || bench_replay(options, report));
}

/* Whether the trace can be read; if not, that is said before anything has been
 * measured. */
static bool is_trace(const char *path)
{
    struct trace_input input;

    if (!trace_input_open(&input, path))
        return false;
    trace_input_close(&input);
    return true;
}

static bool parse_seconds(const char *text, double *seconds)
{
    char *end;

    *seconds = strtod(text, &end);
    return end != text && *end == '\0' && *seconds > 0 &&
           *seconds < MAX_SECONDS;
}

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct bench_options *options,
                 bool *json)
{
    static const struct option known[] = {
        {"arch", required_argument, NULL, 'a'},
        {"json", no_argument, NULL, 'j'},
        {"seconds", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) >= 0) {
        switch (option) {
        case 'a':
            options->arch = command_arch("bench", optarg);
            if (options->arch == NULL)
                return EXIT_USAGE;
            break;
        case 's':
            if (!parse_seconds(optarg, &options->seconds))
                return command_misused("bench", "--seconds cannot be ", optarg);
            break;
        case 'j': *json = true; break;
        case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
        default: return command_bad_option("bench", option, argv);
        }
    }
    options->trace = optind < argc ? argv[optind++] : NULL;
    if (optind < argc)
        return command_misused("bench", "one trace is enough: ", argv[optind]);
    return -1;
}

int cmd_bench(int argc, char **argv)
{
    struct bench_options options = {.arch = sim_archs[0], .seconds = 1};
    struct bench_report report = {0};
    bool json = false;
    int status = parse(argc, argv, &options, &json);

    if (status >= 0)
        return status;
    if (options.trace != NULL && !is_trace(options.trace))
        return EXIT_USAGE;
    if (!run(&options, &report))
        return EXIT_WRONG;
    if (json)
        print_json(&report);
    else
        print_text(&report);
    return EXIT_SUCCESS;
}
