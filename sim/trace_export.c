/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of `twinax trace export`. */
#include "sim/trace_report.h"

const struct trace_export trace_exports[] = {
    {"perfetto", "a timeline for ui.perfetto.dev", report_perfetto, false},
    {"html", "a page that needs nothing else", report_html, false},
    {"seeds", "a folder of seeds for the fuzz targets", report_seeds, true},
    {"test", "a regression test, in C", report_test, false},
    {0},
};
