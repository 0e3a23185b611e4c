/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for the rows of the API tables. Rows of hv/api come first, those of
 * the architecture's hardware seam follow. The numbers hold within one build
 * only: a trace names its rows, and a reader goes by the names.
 */
#ifndef TRACE_ROWS_H
#define TRACE_ROWS_H

#include "api/arch.h"
#include "api/console.h"
#include "api/host.h"
#include "api/memory.h"
#include "api/time.h"
#include "trace/fields.h"

/* The tables whose crossings a trace holds; hv/api/vmm.h is above the seam. */
#define TRACE_API_TABLES(X) \
    X(ARCH_API)             \
    X(CONSOLE_API)          \
    X(HOST_API)             \
    X(MEMORY_API)           \
    X(TIME_API)

/* `ROW_<function>,` for each row of a table. */
#define TRACE_ROW_ENUM(TABLE) \
    TABLE(TRACE_ENUM_FN, TRACE_ENUM_PROC, TRACE_ENUM_BYTES, TRACE_ENUM_BYTES)
#define TRACE_ENUM_FN(ret, name, params, args, traced, flow, failure) \
    ROW_##name,
#define TRACE_ENUM_PROC(name, params, args, traced, flow)         ROW_##name,
#define TRACE_ENUM_BYTES(name, params, args, traced, bytes, size) ROW_##name,

enum trace_row_id {
    ROW_NONE,  /* no row: the end of a step's crossings */
    ROW_TIMER, /* the host called a timer's function: its token, the time */
    ROW_CUT,   /* the step did not return: the machine was powered off */
    ROW_LAST_SPECIAL = ROW_CUT,
    TRACE_API_TABLES(TRACE_ROW_ENUM)
    /* An architecture's own begin here:
     * enum { ROW_X_FIRST = ROW_ARCH - 1, TRACE_ROW_ENUM(X_HW_API) }; */
    ROW_ARCH
};

/* `struct trace_row` initialisers for each row of a table, in its order. */
#define TRACE_ROW_TABLE(TABLE) \
    TABLE(TRACE_ROW_FN, TRACE_ROW_PROC, TRACE_ROW_GET, TRACE_ROW_PUT)
#define TRACE_ROW_FN(ret, name, params, args, traced, flow, failure) \
    {(flow) == QUIET ? NULL : #name, TRACE_SHAPE_FN, (flow),         \
     TRACE_ARG_COUNT(traced)},
#define TRACE_ROW_PROC(name, params, args, traced, flow)       \
    {(flow) == QUIET ? NULL : #name, TRACE_SHAPE_PROC, (flow), \
     TRACE_ARG_COUNT(traced)},
#define TRACE_ROW_GET(name, params, args, traced, bytes, size) \
    {#name, TRACE_SHAPE_GET, FEED, TRACE_ARG_COUNT(traced)},
#define TRACE_ROW_PUT(name, params, args, traced, bytes, size) \
    {#name, TRACE_SHAPE_PUT, FEED, TRACE_ARG_COUNT(traced)},

/*
 * The `traced` column of a row, "(a, b)", as arguments of a hook: the array of
 * its values, and their number. The column "(0)" stands for no arguments.
 */
#define TRACE_ARGS(traced) \
    (const uint64_t[]){TRACE_UNPACK traced}, TRACE_ARG_COUNT(traced)
#define TRACE_UNPACK(...) __VA_ARGS__
#define TRACE_ARG_COUNT(traced) \
    (__builtin_strcmp(#traced, "(0)") == 0 ? 0 : TRACE_COUNT traced)
/* How many there are, 8 at most. */
#define TRACE_COUNT(...) TRACE_COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/* The ninth argument. */
#define TRACE_COUNT_(a, b, c, d, e, f, g, h, n, ...) n

/* The rows of hv/api, ROW_LAST_SPECIAL + 1 to ROW_ARCH - 1, in that order. */
extern const struct trace_row trace_api_rows[ROW_ARCH - ROW_LAST_SPECIAL - 1];

#endif
