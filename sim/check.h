/* SPDX-License-Identifier: Apache-2.0 */
/* Who wants to know of a CHECK that does not hold, before the process ends. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

/* May jump out; the process ends when it returns. */
typedef void (*check_hook)(void *context, const char *expression,
                           const char *file, int line);

/* NULL: nobody. */
void check_set_hook(check_hook hook, void *context);

#endif
