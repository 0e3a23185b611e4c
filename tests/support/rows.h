/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of rows, counted: scripts/count-tests adds up how many rows the
 * suites have. A loop over a table's rows is
 *
 *   for_each_row (i, rows) ...
 */
#ifndef TESTS_SUPPORT_ROWS_H
#define TESTS_SUPPORT_ROWS_H

#include <stddef.h>

#include "lib/compiler.h"

#define for_each_row(i, rows)                                         \
    for (size_t i = rows_begin(__FILE__, __LINE__, ARRAY_SIZE(rows)); \
         i < ARRAY_SIZE(rows); i++)

/* Notes the table in the file that TWINAX_ROWS names, if it does: the running
 * test, the place, the number of rows. Returns 0. */
size_t rows_begin(const char *file, int line, size_t count);

#endif
