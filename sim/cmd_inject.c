/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax inject`: runs scenarios and reports. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/commands.h"
#include "sim/json.h"
#include "sim/scenario.h"
#include "sim/scenario_internal.h"
#include "sim/trace_file.h"
#include "trace/encode.h"

static const char usage[] =
    "usage: twinax inject [OPTION]... FILE...\n\n"
    "Runs each scenario (docs/scenario.md) on a machine of its own.\n\n"
    "  --seed N        the order in which the CPUs take turns (default 0)\n"
    "  --cpus N        fake CPUs, up to 64, where the scenario does not say\n"
    "                  (default 1)\n"
    "  --arch NAME     riscv64 (the default), x86_64 or x86_64-vmx, where\n"
    "                  the scenario does not say\n"
    "  --profile NAME  the processor, where the scenario does not say\n"
    "  --record TRACE  record every exit of FILE, one only, to TRACE.twx\n"
    "  --verbose       print each operation and what came of it\n"
    "  --json          print one JSON object instead of text\n"
    "  --help          print this\n\n"
    "Exit status: 0 all as expected, 1 an expectation failed, 2 a file or an\n"
    "option cannot be used.\n";

struct inject {
    struct scenario_options scenario;
    const char *record, *profile;
    bool json;
    unsigned files, failed, unusable;
};

static int print_usage(FILE *to, int status)
{
    fputs(usage, to);
    for (unsigned i = 0; sim_archs[i] != NULL; i++) {
        const struct fake_profile *profile;

        fprintf(to, "\nProfiles of %s:\n", sim_archs[i]->name);
        for (unsigned k = 0; (profile = sim_archs[i]->profile(k)) != NULL; k++)
            fprintf(to, "  %-9s  %s\n", profile->name, profile->summary);
    }
    return status;
}

/* All of a file, for free(); NULL with errno set. */
static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t room = 0;

    *size = 0;
    if (file == NULL)
        return NULL;
    do {
        char *more = realloc(text, room += 65536);

        if (more == NULL)
            break;
        text = more;
        *size += fread(text + *size, 1, room - *size, file);
    } while (*size == room);
    if (ferror(file)) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

static void print_text(const char *path, bool ok,
                       const struct scenario_report *report)
{
    uint32_t kept = report->failure_count < SCENARIO_FAILURES
                        ? report->failure_count
                        : SCENARIO_FAILURES;

    for (uint32_t i = 0; i < kept; i++) {
        const struct scenario_failure *failure = &report->failures[i];

        if (failure->line != 0)
            printf("%s:%u: %s\n", path, failure->line, failure->message);
        else
            printf("%s: %s\n", path, failure->message);
    }
    if (kept != report->failure_count)
        printf("%s: and %u more\n", path, report->failure_count - kept);
    printf("%s: %s, %llu operations, %llu exits\n", path, ok ? "ok" : "FAILED",
           (unsigned long long)report->operations,
           (unsigned long long)report->exits);
}

static void print_json(const char *path, bool ok, bool first,
                       const struct scenario_report *report)
{
    printf("%s\n  {\"file\": ", first ? "" : ",");
    json_string(stdout, path);
    printf(", \"ok\": %s, \"operations\": %llu, \"exits\": %llu, "
           "\"violations\": %llu, \"leaked_frames\": %llu, \"failures\": [",
           ok ? "true" : "false", (unsigned long long)report->operations,
           (unsigned long long)report->exits,
           (unsigned long long)report->violations,
           (unsigned long long)report->leaked_frames);
    for (uint32_t i = 0; i < report->failure_count && i < SCENARIO_FAILURES;
         i++) {
        printf("%s{\"line\": %u, \"message\": ", i == 0 ? "" : ", ",
               report->failures[i].line);
        json_string(stdout, report->failures[i].message);
        printf("}");
    }
    printf("]}");
}

static bool is_unusable(const struct scenario_report *report)
{
    for (uint32_t i = 0; i < report->failure_count && i < SCENARIO_FAILURES;
         i++) {
        if (report->failures[i].in_text)
            return true;
    }
    return false;
}

/* The folder that a file is in, for free(). */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? strdup(".")
                         : strndup(path, (size_t)(slash - path) + 1);
}

static void trace_write(void *context, const void *bytes, size_t size)
{
    (void)twx_write(context, bytes, size);
}

static bool trace_is_refused(void *context)
{
    return twx_error(context) != NULL;
}

/* Runs the scenario; false, with the reason in `what`, when it should have
 * been recorded and could not be. */
static bool run_recorded(struct inject *inject, const char *text, size_t size,
                         struct scenario_report *report, char *what)
{
    struct twx_writer *writer = NULL;
    struct trace_sink sink = {trace_write, trace_is_refused, NULL};

    if (inject->record != NULL) {
        sink.context = writer = twx_create(inject->record, what);
        if (writer == NULL)
            return false;
        inject->scenario.record = &sink;
    }
    (void)scenario_run(text, size, &inject->scenario, report);
    inject->scenario.record = NULL;
    if (writer == NULL)
        return true;
    if (!is_unusable(report))
        return twx_finish(writer, NULL, what);
    twx_abandon(writer);
    return true;
}

static void run_file(struct inject *inject, const char *path)
{
    struct scenario_report report = {0};
    char what[TRACE_ERROR_SIZE];
    size_t size;
    char *text = read_file(path, &size);
    char *folder;
    bool ok;

    if (text == NULL) {
        fprintf(stderr, "twinax inject: %s: %s\n", path, strerror(errno));
        inject->unusable++;
        return;
    }
    folder = folder_of(path);
    inject->scenario.folder = folder;
    ok = run_recorded(inject, text, size, &report, what);
    free(folder);
    free(text);
    if (!ok) {
        fprintf(stderr, "twinax inject: %s: %s\n", inject->record, what);
        inject->unusable++;
        return;
    }
    ok = report.failure_count == 0;
    if (inject->json)
        print_json(path, ok, inject->files == 0, &report);
    else
        print_text(path, ok, &report);
    inject->files++;
    inject->failed += !ok;
    inject->unusable += is_unusable(&report);
}

/* -1: go on; otherwise the exit status. */
static int parse(struct inject *inject, int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"cpus", required_argument, NULL, 'c'},
        {"arch", required_argument, NULL, 'a'},
        {"profile", required_argument, NULL, 'p'},
        {"record", required_argument, NULL, 'r'},
        {"verbose", no_argument, NULL, 'v'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct scenario_options *scenario = &inject->scenario;
    uint64_t number;
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":vh", options, NULL)) >= 0) {
        switch (option) {
        case 's':
            if (!parse_number(optarg, &scenario->seed))
                return command_misused("inject", "--seed cannot be ", optarg);
            break;
        case 'c':
            if (!parse_number(optarg, &number) || number < 1 ||
                number > MAX_CPU_NUM)
                return command_misused("inject", "--cpus cannot be ", optarg);
            scenario->cpus = (uint32_t)number;
            break;
        case 'a':
            scenario->arch = command_arch("inject", optarg);
            if (scenario->arch == NULL)
                return EXIT_USAGE;
            break;
        case 'p': inject->profile = optarg; break;
        case 'r': inject->record = optarg; break;
        case 'v': scenario->verbose = true; break;
        case 'j': inject->json = true; break;
        case 'h': return print_usage(stdout, EXIT_SUCCESS);
        default: return command_bad_option("inject", option, argv);
        }
    }
    if (optind == argc)
        return command_misused("inject", "a scenario is expected", "");
    if (inject->record != NULL && argc - optind != 1)
        return command_misused("inject", "--record takes one scenario", "");
    return -1;
}

/* The profile is one of the architecture, which may be named behind it. */
static bool find_profile(struct inject *inject)
{
    const struct sim_arch *arch = inject->scenario.arch;

    if (arch == NULL)
        inject->scenario.arch = arch = sim_archs[0];
    if (inject->profile == NULL)
        return true;
    inject->scenario.profile = sim_profile_find(arch, inject->profile);
    if (inject->scenario.profile != NULL)
        return true;
    fprintf(stderr,
            "twinax inject: %s has no profile called '%s'\n"
            "try: twinax inject --help\n",
            arch->name, inject->profile);
    return false;
}

int cmd_inject(int argc, char **argv)
{
    struct inject inject = {0};
    int status = parse(&inject, argc, argv);

    if (status >= 0)
        return status;
    if (!find_profile(&inject))
        return EXIT_USAGE;
    if (inject.json)
        printf("{\"files\": [");
    for (int i = optind; i < argc; i++)
        run_file(&inject, argv[i]);
    if (inject.json)
        printf("\n], \"failed\": %u, \"unusable\": %u}\n", inject.failed,
               inject.unusable);
    else if (inject.files > 1)
        printf("%u scenarios, %u failed\n", inject.files, inject.failed);
    if (inject.unusable != 0)
        return EXIT_USAGE;
    return inject.failed != 0 ? EXIT_WRONG : 0;
}
