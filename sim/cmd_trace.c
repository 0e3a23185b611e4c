/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax trace`: records, and looks at what was recorded. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "sim/commands.h"
#include "sim/trace_drain.h"
#include "sim/trace_report.h"

/* Where QEMU's virt machine has its RAM. */
#define DEFAULT_BASE UINT64_C(0x80000000)

static const char usage[] =
    "usage: twinax trace record --ram FILE --out FILE.twx [--base ADDRESS] "
    "[--pid PID]\n"
    "       twinax trace record --wire FILE --out FILE.twx\n"
    "       twinax trace stat FILE.twx [--json]\n"
    "       twinax trace show FILE.twx [--from N] [--until N]\n"
    "       twinax trace export FILE.twx --format FORMAT -o OUT [--until N]\n"
    "\n"
    "record  waits for a recording in a machine's RAM, and writes it to a "
    "file\n"
    "        until it ends; --pid: or until that process has ended;\n"
    "        --wire: from what its device has put into a file, or a pipe\n"
    "stat    what the exits were, and what they cost\n"
    "show    events N (--from) up to, but without, N (--until), as text\n"
    "export  as another format:\n";

struct arguments {
    const char *ram, *wire, *out, *format, *file;
    uint64_t base, pid, from, until;
    bool json;
};

static volatile sig_atomic_t wanted_end;

static void on_signal(int signal)
{
    (void)signal;
    wanted_end = 1;
}

static int print_usage(FILE *to, int status)
{
    fputs(usage, to);
    for (const struct trace_export *e = trace_exports; e->name != NULL; e++)
        fprintf(to, "        %-9s %s\n", e->name, e->summary);
    return status;
}

/* Records while signals only ask for the end: the file shall be whole. */
static int run_record(const struct arguments *arguments)
{
    const struct sigaction action = {.sa_handler = on_signal};
    const struct drain_options options = {.ram = arguments->ram,
                                          .wire = arguments->wire,
                                          .base = arguments->base,
                                          .out = arguments->out,
                                          .pid = (int64_t)arguments->pid,
                                          .wanted_end = &wanted_end};

    if (arguments->ram == NULL && arguments->wire == NULL)
        return command_misused("trace",
                               "--ram FILE, or --wire FILE, is missing", "");
    if (arguments->ram != NULL && arguments->wire != NULL)
        return command_misused("trace", "--ram and --wire exclude each other",
                               "");
    if (arguments->out == NULL)
        return command_misused("trace", "--out FILE is missing", "");
    if (arguments->pid > INT_MAX)
        return command_misused("trace",
                               "--pid: no process has so high a number", "");
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    if (arguments->wire != NULL)
        return trace_drain_wire(&options) ? EXIT_SUCCESS : EXIT_WRONG;
    return trace_drain(&options) ? EXIT_SUCCESS : EXIT_WRONG;
}

static bool open_input(const struct arguments *arguments,
                       struct trace_input *input, int *status)
{
    *status = EXIT_USAGE;
    if (arguments->file == NULL) {
        command_misused("trace", "the trace's name is missing", "");
        return false;
    }
    return trace_input_open(input, arguments->file);
}

static int run_stat(const struct arguments *arguments)
{
    struct trace_input input;
    int status;
    bool ok;

    if (!open_input(arguments, &input, &status))
        return status;
    ok = trace_stat(&input, arguments->json, stdout);
    trace_input_close(&input);
    return ok ? EXIT_SUCCESS : EXIT_WRONG;
}

static int run_show(const struct arguments *arguments)
{
    struct trace_input input;
    int status;
    bool ok;

    if (!open_input(arguments, &input, &status))
        return status;
    ok = trace_show(&input, arguments->from, arguments->until, stdout);
    trace_input_close(&input);
    return ok ? EXIT_SUCCESS : EXIT_WRONG;
}

static const struct trace_export *find_format(const char *name)
{
    for (const struct trace_export *e = trace_exports; e->name != NULL; e++) {
        if (strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

static int export_failed(const char *path, const char *doing)
{
    fprintf(stderr, "twinax trace export: cannot %s %s: %s\n", doing, path,
            strerror(errno));
    return EXIT_WRONG;
}

/* The file appears whole or not at all; one of a broken trace holds what is
 * intact. */
static int export_to_file(const struct trace_export *format,
                          struct trace_input *input,
                          const struct arguments *arguments)
{
    char partial[PATH_MAX];
    FILE *out;
    bool ok, written;

    if ((size_t)snprintf(partial, sizeof(partial), "%s.partial",
                         arguments->out) >= sizeof(partial)) {
        errno = ENAMETOOLONG;
        return export_failed(arguments->out, "create");
    }
    out = fopen(partial, "wb");
    if (out == NULL)
        return export_failed(partial, "create");
    ok = format->run(input, arguments->until, arguments->out, out);
    written = fflush(out) == 0 && !ferror(out) && fsync(fileno(out)) == 0;
    if (fclose(out) != 0 || !written) {
        int status = export_failed(partial, "write");

        unlink(partial);
        return status;
    }
    if (rename(partial, arguments->out) != 0) {
        int status = export_failed(arguments->out, "create");

        unlink(partial);
        return status;
    }
    return ok ? EXIT_SUCCESS : EXIT_WRONG;
}

static int export_to_folder(const struct trace_export *format,
                            struct trace_input *input,
                            const struct arguments *arguments)
{
    if (mkdir(arguments->out, 0777) != 0 && errno != EEXIST)
        return export_failed(arguments->out, "create");
    return format->run(input, arguments->until, arguments->out, NULL)
               ? EXIT_SUCCESS
               : EXIT_WRONG;
}

static int run_export(const struct arguments *arguments)
{
    const struct trace_export *format;
    struct trace_input input;
    int status;

    if (arguments->format == NULL)
        return command_misused("trace", "--format FORMAT is missing", "");
    format = find_format(arguments->format);
    if (format == NULL)
        return command_misused("trace", "no format is called ",
                               arguments->format);
    if (arguments->out == NULL)
        return command_misused("trace", "-o OUT is missing", "");
    if (!open_input(arguments, &input, &status))
        return status;
    status = format->makes_folder ? export_to_folder(format, &input, arguments)
                                  : export_to_file(format, &input, arguments);
    trace_input_close(&input);
    return status;
}

static const struct {
    const char *name;
    int (*run)(const struct arguments *arguments);
} subcommands[] = {
    {"record", run_record},
    {"stat", run_stat},
    {"show", run_show},
    {"export", run_export},
};

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"ram", required_argument, NULL, 'r'},
        {"wire", required_argument, NULL, 'w'},
        {"out", required_argument, NULL, 'o'},
        {"base", required_argument, NULL, 'b'},
        {"pid", required_argument, NULL, 'p'},
        {"format", required_argument, NULL, 'f'},
        {"from", required_argument, NULL, 'F'},
        {"until", required_argument, NULL, 'U'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":o:h", options, NULL)) >= 0) {
        uint64_t *number = option == 'b'   ? &arguments->base
                           : option == 'p' ? &arguments->pid
                           : option == 'F' ? &arguments->from
                           : option == 'U' ? &arguments->until
                                           : NULL;

        if (number != NULL && !command_number(optarg, number))
            return command_misused("trace", "not a number: ", optarg);
        switch (option) {
        case 'r': arguments->ram = optarg; break;
        case 'w': arguments->wire = optarg; break;
        case 'o': arguments->out = optarg; break;
        case 'f': arguments->format = optarg; break;
        case 'j': arguments->json = true; break;
        case 'h': return print_usage(stdout, EXIT_SUCCESS);
        case ':':
        case '?': return command_bad_option("trace", option, argv);
        default: break;
        }
    }
    arguments->file = optind < argc ? argv[optind++] : NULL;
    if (optind < argc)
        return command_misused("trace", "one trace is enough: ", argv[optind]);
    return -1;
}

int cmd_trace(int argc, char **argv)
{
    struct arguments arguments = {.base = DEFAULT_BASE};
    int status;

    if (argc < 2)
        return print_usage(stderr, EXIT_USAGE);
    for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
        if (strcmp(argv[1], subcommands[i].name) != 0)
            continue;
        status = parse(argc - 1, argv + 1, &arguments);
        return status >= 0 ? status : subcommands[i].run(&arguments);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_usage(stdout, EXIT_SUCCESS);
    return command_misused("trace", "no subcommand is called ", argv[1]);
}
