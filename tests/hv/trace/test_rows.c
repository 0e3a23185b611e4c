/* SPDX-License-Identifier: Apache-2.0 */
/* What the macros make of the API tables. */
#include "trace/rows.h"

#include <criterion/criterion.h>
#include <string.h>

#include "arch/riscv64/trace.h"

static const struct trace_row *row(unsigned number)
{
    return number < ROW_ARCH ? &trace_api_rows[number - ROW_LAST_SPECIAL - 1]
                             : &riscv_trace_arch.rows[number - ROW_ARCH];
}

Test(trace_rows, rows_are_described_as_the_tables_say)
{
    const struct {
        unsigned number;
        const char *name; /* NULL: QUIET */
        enum trace_shape shape;
        enum api_flow flow;
        unsigned args;
    } cases[] = {
        {ROW_arch_fetch_irq, "arch_fetch_irq", TRACE_SHAPE_FN, FEED, 0},
        {ROW_arch_handle_irq, "arch_handle_irq", TRACE_SHAPE_PROC, RUN, 1},
        {ROW_host_current_cpu, NULL, TRACE_SHAPE_FN, QUIET, 0},
        {ROW_memory_alloc_contiguous, "memory_alloc_contiguous", TRACE_SHAPE_FN,
         FEED, 2},
        {ROW_memory_move, "memory_move", TRACE_SHAPE_PROC, FEED, 3},
        {ROW_memory_read_guest, "memory_read_guest", TRACE_SHAPE_GET, FEED, 1},
        {ROW_console_write, "console_write", TRACE_SHAPE_PUT, FEED, 0},
        {ROW_time_cancel_timer, "time_cancel_timer", TRACE_SHAPE_FN, RUN, 2},
        {ROW_riscv_hw_hfence_gvma_range, "riscv_hw_hfence_gvma_range",
         TRACE_SHAPE_PROC, FEED, 3},
        {ROW_riscv_hw_run, NULL, TRACE_SHAPE_PROC, QUIET, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct trace_row *about = row(cases[i].number);

        if (cases[i].name == NULL)
            cr_assert_null(about->name);
        else
            cr_assert_str_eq(about->name, cases[i].name);
        cr_assert_eq(about->shape, cases[i].shape);
        cr_assert_eq(about->flow, cases[i].flow);
        cr_assert_eq(about->arg_count, cases[i].args, "%zu", i);
    }
}

static unsigned count(const uint64_t *args, unsigned arg_count)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < arg_count; i++)
        sum += (unsigned)args[i];
    return sum * 10 + arg_count;
}

Test(trace_rows, traced_arguments_become_an_array)
{
    hpa_t frame = hpa(5);
    bool yes = true;

    cr_assert_eq(count(TRACE_ARGS((0))), 0);
    cr_assert_eq(count(TRACE_ARGS((frame.raw))), 51);
    cr_assert_eq(count(TRACE_ARGS((frame.raw, yes, 4))), 103);
}
