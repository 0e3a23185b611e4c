/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CHECK states what only a bug of ours can make false. What a guest, a
 * configuration or a trace can cause is an error that is returned, not a CHECK.
 */
#ifndef LIB_CHECK_H
#define LIB_CHECK_H

#include "lib/compiler.h"

/* Ends the hypervisor with a report. The host implements it. */
_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(expression)                                  \
    do {                                                   \
        if (unlikely(!(expression)))                       \
            check_failed(#expression, __FILE__, __LINE__); \
    } while (0)

#endif
