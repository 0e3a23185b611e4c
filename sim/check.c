/* SPDX-License-Identifier: Apache-2.0 */
/* How a CHECK ends the process: with a message, and a core to look at. */
#include "sim/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/check.h"

static check_hook hook;
static void *hook_context;

void check_set_hook(check_hook new_hook, void *context)
{
    hook = new_hook;
    hook_context = context;
}

_Noreturn void check_failed(const char *expression, const char *file, int line)
{
    if (hook != NULL)
        hook(hook_context, expression, file, line);
    fprintf(stderr, "twinax: %s:%d: check failed: %s\n", file, line,
            expression);
    abort();
}
