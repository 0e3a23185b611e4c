/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands of `twinax`. Each gets its own argv: argv[0] is its name.
 * They return the process's exit status: 0 only when all is as it should be.
 */
#ifndef SIM_COMMANDS_H
#define SIM_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#define EXIT_WRONG 1 /* a failed expectation, a divergence */
#define EXIT_USAGE 2 /* an unknown option, a file that cannot be used */

int cmd_inject(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_bundle(int argc, char **argv);

/* What they share: reading their command lines. */

/* Says on standard error what is wrong with the command line, a message and
 * what it is about, and where help is; returns EXIT_USAGE. */
int command_misused(const char *command, const char *message,
                    const char *subject);
/* The same for what getopt_long() answers to an option that is none (`answer`
 * '?') or that lacks its value (':'), optind being as it left it. */
int command_bad_option(const char *command, int answer, char **argv);
/* A number without a sign, of any base that C knows. False: it is none, or does
 * not fit. */
bool command_number(const char *text, uint64_t *number);

struct sim_arch;
/* The architecture of that name; NULL, having said which there are. */
const struct sim_arch *command_arch(const char *command, const char *name);

#endif
