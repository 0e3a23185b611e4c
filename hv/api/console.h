/* SPDX-License-Identifier: Apache-2.0 */
/* The host's console. */
#ifndef API_CONSOLE_H
#define API_CONSOLE_H

#include "api/api.h"

/* clang-format off */
#define CONSOLE_API(FN, PROC, GET, PUT)                                        \
    /* Writes `size` bytes, waiting for the device where it must. */           \
    PUT(console_write, (const void *bytes, size_t size), (bytes, size), (0),   \
        bytes, size)                                                           \
    /* The same for measurements (cycles), which no replay can repeat. */      \
    PROC(console_report, (const void *bytes, size_t size), (bytes, size), (0), \
         QUIET)                                                                \
    /* Takes what input there is, without waiting. */                          \
    GET(console_read, (void *bytes, size_t size), (bytes, size), (0), bytes,   \
        size)
/* clang-format on */

API_DECLARE(CONSOLE_API)

#endif
