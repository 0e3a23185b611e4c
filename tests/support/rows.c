/* SPDX-License-Identifier: Apache-2.0 */
/* Counting the rows of tables: see rows.h. */
#include "support/rows.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

size_t rows_begin(const char *file, int line, size_t count)
{
    const char *path = getenv("TWINAX_ROWS");
    FILE *out = path != NULL ? fopen(path, "a") : NULL;

    if (out != NULL) {
        fprintf(out, "%s::%s %s:%d %zu\n", criterion_current_test->category,
                criterion_current_test->name, file, line, count);
        fclose(out);
    }
    return 0;
}
