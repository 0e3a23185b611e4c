/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the hardware seam, described from their table. */
#include "arch/x86_64/trace_rows.h"

/* clang-format off */
const struct trace_row x86_trace_rows[X86_TRACE_ROW_COUNT] = {
    TRACE_ROW_TABLE(X86_HW_API)
};
/* clang-format on */
