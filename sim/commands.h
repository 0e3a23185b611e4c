/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands of `twinax`. Each gets its own argv: argv[0] is its name.
 * They return the process's exit status: 0 only when all is as it should be.
 */
#ifndef SIM_COMMANDS_H
#define SIM_COMMANDS_H

#define EXIT_WRONG 1 /* a failed expectation, a divergence */
#define EXIT_USAGE 2 /* an unknown option, a file that cannot be used */

int cmd_inject(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_replay(int argc, char **argv) __attribute__((weak));
int cmd_trace(int argc, char **argv) __attribute__((weak));
int cmd_bundle(int argc, char **argv) __attribute__((weak));

#endif
