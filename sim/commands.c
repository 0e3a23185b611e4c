/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands share: see commands.h. */
#include "sim/commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/arch.h"

int command_misused(const char *command, const char *message,
                    const char *subject)
{
    fprintf(stderr, "twinax %s: %s%s\ntry: twinax %s --help\n", command,
            message, subject, command);
    return EXIT_USAGE;
}

int command_bad_option(const char *command, int answer, char **argv)
{
    return command_misused(
        command, answer == ':' ? "a value is missing: " : "unknown option: ",
        argv[optind - 1]);
}

bool command_number(const char *text, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == '\0' && *text != '-';
}

const struct sim_arch *command_arch(const char *command, const char *name)
{
    const struct sim_arch *arch = sim_arch_find(name);

    if (arch != NULL)
        return arch;
    fprintf(stderr, "twinax %s: --arch %s: it is one of", command, name);
    for (unsigned i = 0; sim_archs[i] != NULL; i++)
        fprintf(stderr, " %s", sim_archs[i]->name);
    fputc('\n', stderr);
    return NULL;
}
