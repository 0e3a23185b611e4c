/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax replay`. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/commands.h"
#include "sim/json.h"
#include "sim/replay.h"
#include "sim/trace_report.h"

static const char usage[] =
    "usage: twinax replay FILE.twx [--json] [--from N] [--until N] "
    "[--verbose]\n"
    "\n"
    "Has the hypervisor handle every recorded exit again, and compares all "
    "that\n"
    "it does. The first difference is reported, and ends the replay.\n"
    "\n"
    "  --from N    report only on events from N on; those before are replayed\n"
    "              all the same, since what follows depends on them\n"
    "  --until N   end before event N\n"
    "  --verbose   print a line per event that was verified\n"
    "  --json      print one JSON object (docs/record-replay.md)\n"
    "\n"
    "Exit status: 0 all is identical, 1 it is not, or the trace is broken, 2\n"
    "the trace cannot be read or an option is wrong.\n";

struct arguments {
    const char *file;
    struct replay_options options;
    bool json, verbose;
};

/* What is wrong with the trace, or with the replay of it; NULL: nothing. */
static const char *error_of(const struct trace_input *input,
                            const struct replay_result *result, char *room)
{
    if (trace_input_error(input, room))
        return room;
    return result->error[0] != '\0' ? result->error : NULL;
}

static double rate(const struct replay_result *result)
{
    return result->seconds > 0 ? (double)result->exits / result->seconds : 0;
}

static void json_text(const char *key, const char *text)
{
    printf(", \"%s\": ", key);
    if (text == NULL || text[0] == '\0')
        fputs("null", stdout);
    else
        json_string(stdout, text);
}

static void print_json_difference(const struct replay_difference *first)
{
    printf(", \"first_divergence\": {\"event\": %" PRIu64 ", \"exit\": %" PRIu64
           ", \"cpu\": %u",
           first->event, first->exit, first->cpu);
    if (first->has_vcpu)
        printf(", \"vm\": %u, \"vcpu\": %u", first->vm, first->vcpu);
    json_text("reason", first->reason);
    json_text("field", first->field);
    json_text("expected", first->expected);
    json_text("actual", first->actual);
    json_text("instruction", first->insn);
    json_text("expected_instruction", first->expected_insn);
    json_text("actual_instruction", first->actual_insn);
    fputc('}', stdout);
}

static void print_json(const struct trace_input *input,
                       const struct replay_result *result, bool identical)
{
    char room[2 * TRACE_ERROR_SIZE];

    printf("{\"file\": ");
    json_string(stdout, input->path);
    printf(", \"exits\": %" PRIu64 ", \"events\": %" PRIu64
           ", \"divergences\": %" PRIu64
           ", \"exits_per_second\": %.0f, \"seconds\": %.3f, "
           "\"identical\": %s, \"interrupted\": %s",
           result->exits, result->events, result->divergences, rate(result),
           result->seconds, identical ? "true" : "false",
           result->interrupted ? "true" : "false");
    json_text("end", result->has_end ? trace_end_text(result->end) : NULL);
    json_text("warning", result->warning);
    json_text("error", error_of(input, result, room));
    if (result->divergences != 0)
        print_json_difference(&result->first);
    else
        fputs(", \"first_divergence\": null", stdout);
    fputs("}\n", stdout);
}

static void print_difference(const struct replay_difference *first)
{
    printf("the replay differs in event %" PRIu64 " (exit %" PRIu64 "), CPU %u",
           first->event, first->exit, first->cpu);
    if (first->has_vcpu)
        printf(", VM %u vCPU %u", first->vm, first->vcpu);
    printf("\n  reason       %s\n", first->reason);
    if (first->insn[0] != '\0')
        printf("  instruction  %s\n", first->insn);
    else if (first->has_vcpu)
        printf("  instruction  not known: the exit's registers do not tell, "
               "and guest memory is not in a trace\n");
    printf("  field        %s\n  expected     %s", first->field,
           first->expected);
    if (first->expected_insn[0] != '\0')
        printf("  (%s)", first->expected_insn);
    printf("\n  actual       %s", first->actual);
    if (first->actual_insn[0] != '\0')
        printf("  (%s)", first->actual_insn);
    fputc('\n', stdout);
}

static void print_text(const struct trace_input *input,
                       const struct replay_result *result, bool identical)
{
    char room[2 * TRACE_ERROR_SIZE];
    const char *error = error_of(input, result, room);

    if (result->warning[0] != '\0')
        fprintf(stderr, "twinax replay: %s: %s\n", input->path,
                result->warning);
    printf("%s: %" PRIu64 " exits in %" PRIu64 " events replayed in %.3f s "
           "(%.0f exits/s), %" PRIu64 " divergences\n",
           input->path, result->exits, result->events, result->seconds,
           rate(result), result->divergences);
    if (result->divergences != 0)
        print_difference(&result->first);
    if (error != NULL)
        fprintf(stderr, "twinax replay: %s: %s; what precedes is %s\n",
                input->path, error,
                result->divergences != 0 ? "not identical" : "identical");
    if (result->interrupted && error == NULL)
        printf("the recording was interrupted: it has no end\n");
}

static void on_verified(void *context, uint64_t number,
                        const struct trace_event *event)
{
    (void)context;
    printf("#%" PRIu64 " CPU %" PRIu64, number, event->cpu);
    if (event->kind == TRACE_EVENT_EXIT)
        printf(" VM %u vCPU %u pc=%" PRIx64 " %s", trace_name_vm(event->vcpu),
               trace_name_vcpu(event->vcpu), event->fields[TRACE_FIELD_PC],
               exit_kind_name((enum exit_kind)event->exit_kind));
    puts(" ok");
}

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"from", required_argument, NULL, 'F'},
        {"until", required_argument, NULL, 'U'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":vh", options, NULL)) >= 0) {
        uint64_t *number = option == 'F'   ? &arguments->options.from
                           : option == 'U' ? &arguments->options.until
                                           : NULL;

        if (number != NULL && !command_number(optarg, number))
            return command_misused("replay", "not a number: ", optarg);
        switch (option) {
        case 'j': arguments->json = true; break;
        case 'v': arguments->verbose = true; break;
        case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
        case ':':
        case '?': return command_bad_option("replay", option, argv);
        default: break;
        }
    }
    if (optind + 1 != argc)
        return command_misused("replay", "one trace is expected", "");
    if (arguments->options.until != 0 &&
        arguments->options.from >= arguments->options.until)
        return command_misused("replay", "--from is not below --until", "");
    arguments->file = argv[optind];
    return -1;
}

int cmd_replay(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct replay_result result;
    struct trace_input input;
    char room[2 * TRACE_ERROR_SIZE];
    int status = parse(argc, argv, &arguments);
    bool identical;

    if (status >= 0)
        return status;
    if (!trace_input_open(&input, arguments.file))
        return EXIT_USAGE;
    if (arguments.verbose)
        arguments.options.verified = on_verified;
    identical = replay_run(input.decoder, &arguments.options, &result);
    identical = identical && error_of(&input, &result, room) == NULL;
    if (arguments.json)
        print_json(&input, &result, identical);
    else
        print_text(&input, &result, identical);
    trace_input_close(&input);
    return identical ? EXIT_SUCCESS : EXIT_WRONG;
}
