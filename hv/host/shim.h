/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image's body of every function of the API tables: the implementation,
 * and, while a recording runs, the recorder's hook. An architecture's shim.c
 * defines shim_is_recording(), includes this, and says SHIM_ALL(its hw table).
 *
 * Whether to call the hook is not a variable: each place is a NOP, which
 * shim_enable_recording() replaces by a jump to the code with the hook, before
 * paging makes the text read-only. An image that does not record pays one NOP
 * per crossing.
 */
#ifndef HOST_SHIM_H
#define HOST_SHIM_H

#include "api/arch.h"
#include "api/console.h"
#include "api/host.h"
#include "api/memory.h"
#include "api/time.h"
#include "api/vmm.h"
#include "trace/record.h"

/* A place with a NOP, and where to jump instead; both relative to here. */
struct shim_site {
    int32_t nop;
    int32_t hook;
};

/* The linker collects them: images/<arch>/twinax.ld. */
extern const struct shim_site shim_sites_start[], shim_sites_end[];

/* In assembly: a struct shim_site of the label 1, before, and `hook`. */
#define SHIM_SITE                      \
    ".pushsection shim_sites, \"a\"\n" \
    ".balign 4\n"                      \
    ".4byte 1b - .\n"                  \
    ".4byte %l[hook] - .\n"            \
    ".popsection\n"

#define SHIM_FN(ret, name, params, args, traced, flow, failure)               \
    ret name params                                                           \
    {                                                                         \
        ret result = name##_impl args;                                        \
        if ((flow) != QUIET && shim_is_recording())                           \
            trace_fn(ROW_##name, TRACE_ARGS(traced), api_pack_##ret(result)); \
        return result;                                                        \
    }
#define SHIM_PROC(name, params, args, traced, flow)     \
    void name params                                    \
    {                                                   \
        if ((flow) != QUIET && shim_is_recording())     \
            trace_proc(ROW_##name, TRACE_ARGS(traced)); \
        name##_impl args;                               \
    }
#define SHIM_GET(name, params, args, traced, buffer, size)             \
    size_t name params                                                 \
    {                                                                  \
        size_t filled = name##_impl args;                              \
        if (shim_is_recording())                                       \
            trace_get(ROW_##name, TRACE_ARGS(traced), buffer, filled); \
        return filled;                                                 \
    }
#define SHIM_PUT(name, params, args, traced, buffer, size)           \
    void name params                                                 \
    {                                                                \
        if (shim_is_recording())                                     \
            trace_put(ROW_##name, TRACE_ARGS(traced), buffer, size); \
        name##_impl args;                                            \
    }

/* This module lies above the seams. */
#define PLAIN_FN(ret, name, params, args, traced, flow, failure) \
    ret name params                                              \
    {                                                            \
        return name##_impl args;                                 \
    }
#define PLAIN_PROC(name, params, args, traced, flow) \
    void name params                                 \
    {                                                \
        name##_impl args;                            \
    }

#define SHIM_ALL(HW_API)                                \
    ARCH_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)    \
    CONSOLE_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT) \
    HOST_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)    \
    MEMORY_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)  \
    TIME_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)    \
    HW_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)      \
    VMM_API(PLAIN_FN, PLAIN_PROC, PLAIN_GET, PLAIN_PUT)

#endif
