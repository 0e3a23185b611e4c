/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax`: picks the subcommand. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/compiler.h"
#include "sim/commands.h"

static const struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"inject", "run scenarios: guests do things, and get what they should",
     cmd_inject},
    {"replay", "replay a recorded trace and compare every exit", cmd_replay},
    {"trace", "show a trace: statistics, exits, exports", cmd_trace},
    {"bench", "measure how fast exits are handled and replayed", cmd_bench},
    {"rules", "list what fake processors check when a guest is entered",
     cmd_rules},
    {"bundle", "pack a configuration of virtual machines with its files",
     cmd_bundle},
};

static void print_help(FILE *to)
{
    fprintf(to, "usage: twinax COMMAND [ARGUMENT]...\n"
                "       twinax COMMAND --help\n"
                "       twinax --help | --version\n\n"
                "A hypervisor as a process, on fake hardware. Commands:\n\n");
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
}

static const struct command *find_command(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* What was printed may have gone to a file on a full disk. */
static int flush_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "twinax: the output cannot be written: %s\n",
            strerror(errno));
    return EXIT_WRONG;
}

static int run(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("twinax %s\n", TWINAX_VERSION);
        return 0;
    }
    command = find_command(argv[1]);
    if (command == NULL) {
        fprintf(stderr,
                "twinax: no command is called '%s'; try twinax --help\n",
                argv[1]);
        return EXIT_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    int status = run(argc, argv);
    int flushed = flush_output();

    return status != 0 ? status : flushed;
}
