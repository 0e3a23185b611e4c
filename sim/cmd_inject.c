/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax inject`: runs scenarios and reports. */
#include <errno.h>
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
    "  --cpus N        fake CPUs, where the scenario does not say (default 1)\n"
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
            fprintf(to, "  %-8s %s\n", profile->name, profile->summary);
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
    if (!run_recorded(inject, text, size, &report, what)) {
        fprintf(stderr, "twinax inject: %s: %s\n", inject->record, what);
        inject->unusable++;
    }
    free(folder);
    free(text);
    ok = report.failure_count == 0;
    if (inject->json)
        print_json(path, ok, inject->files == 0, &report);
    else
        print_text(path, ok, &report);
    inject->files++;
    inject->failed += !ok;
    inject->unusable += is_unusable(&report);
}

/* An option's value, a number or a name. False: it cannot be used. */
static bool set_option(struct inject *inject, const char *option,
                       const char *value)
{
    uint64_t number = 0;

    if (strcmp(option, "--arch") == 0) {
        inject->scenario.arch = sim_arch_find(value);
        return inject->scenario.arch != NULL;
    }
    if (strcmp(option, "--profile") == 0) {
        inject->profile = value;
        return true;
    }
    if (strcmp(option, "--record") == 0) {
        inject->record = value;
        return true;
    }
    if (!parse_number(value, &number))
        return false;
    if (strcmp(option, "--seed") == 0)
        inject->scenario.seed = number;
    else
        inject->scenario.cpus = (uint32_t)number;
    return strcmp(option, "--cpus") != 0 ||
           (number >= 1 && number <= MAX_CPU_NUM);
}

static bool takes_value(const char *option)
{
    return strcmp(option, "--seed") == 0 || strcmp(option, "--cpus") == 0 ||
           strcmp(option, "--arch") == 0 || strcmp(option, "--profile") == 0 ||
           strcmp(option, "--record") == 0;
}

/* Reads options; returns the first file's index, or -1: what is wrong has been
 * said, or -2: help was asked for. */
static int read_options(struct inject *inject, int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *option = argv[i];

        if (strcmp(option, "--help") == 0)
            return -2;
        if (strcmp(option, "--json") == 0) {
            inject->json = true;
        } else if (strcmp(option, "--verbose") == 0) {
            inject->scenario.verbose = true;
        } else if (!takes_value(option)) {
            fprintf(stderr, "twinax inject: no option is called '%s'\n",
                    option);
            return -1;
        } else if (i + 1 == argc) {
            fprintf(stderr, "twinax inject: %s needs a value\n", option);
            return -1;
        } else if (!set_option(inject, option, argv[++i])) {
            fprintf(stderr, "twinax inject: %s cannot be '%s'\n", option,
                    argv[i]);
            return -1;
        }
    }
    return i;
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
    fprintf(stderr, "twinax inject: %s has no profile called '%s'\n",
            arch->name, inject->profile);
    return false;
}

int cmd_inject(int argc, char **argv)
{
    struct inject inject = {0};
    int first = read_options(&inject, argc, argv);

    if (first == -2)
        return print_usage(stdout, 0);
    if (first < 0 || first == argc)
        return print_usage(stderr, EXIT_USAGE);
    if (!find_profile(&inject))
        return EXIT_USAGE;
    if (inject.record != NULL && argc - first != 1) {
        fprintf(stderr, "twinax inject: --record takes one scenario\n");
        return EXIT_USAGE;
    }
    if (inject.json)
        printf("{\"files\": [");
    for (int i = first; i < argc; i++)
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
