/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of hv/api, described from their tables. */
#include "trace/rows.h"

/* clang-format off */
const struct trace_row trace_api_rows[ROW_ARCH - ROW_LAST_SPECIAL - 1] = {
    TRACE_API_TABLES(TRACE_ROW_TABLE)
};
/* clang-format on */
