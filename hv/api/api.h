/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an API function is declared.
 *
 * Each module of hv/api, and each architecture's hardware seam, is one table:
 * a macro MODULE_API(FN, PROC, GET, PUT) with a row per function and the
 * contract above the row. From the one row follow the prototype (here), the
 * recording shim (hv/trace), the replay and the fault-injection shims (sim).
 * A caller just calls the function; whoever hosts the hypervisor implements
 * `<name>_impl`. A binary that calls a function nobody implements does not
 * link.
 *
 *   FN(ret, name, params, args, traced, flow, failure)
 *       A function of scalars. `params` and `args` are the parenthesised
 *       parameter list and the names in it; `traced` the arguments that are
 *       compared on replay, each as uint64_t; `failure` the value by which
 *       the function reports that it failed, or NEVER_FAILS.
 *   PROC(name, params, args, traced, flow)
 *       The same without a result.
 *   GET(name, params, args, traced, buffer, size)
 *       A size_t function that fills `buffer`, of `size` bytes at most, and
 *       returns how many bytes it filled. The bytes are recorded and fed.
 *   PUT(name, params, args, traced, buffer, size)
 *       A procedure that takes `size` bytes of `buffer` out. They are compared.
 *
 * `flow` says what crosses the seam, and so what a replay does:
 *   FEED  the result comes in from outside: replay feeds the recorded one and
 *         does not call the implementation;
 *   RUN   the result follows from what came before: replay calls the
 *         implementation and compares its result with the recorded one;
 *   QUIET nothing that the hypervisor decides by crosses: never recorded.
 */
#ifndef API_API_H
#define API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/compiler.h"
#include "lib/error.h"

enum api_flow { FEED, RUN, QUIET };

/* In the `failure` column: the function has no way to fail. */
#define NEVER_FAILS

/* The types an FN row may return, and how each travels in a trace. */
#define API_RESULT_TYPES(X)            \
    X(uint64_t, result, raw)           \
    X(uint32_t, result, (uint32_t)raw) \
    X(size_t, result, (size_t)raw)     \
    X(bool, result, raw != 0)          \
    X(err_t, result, (err_t)raw)       \
    X(hpa_t, result.raw, hpa(raw))

#define X(type, pack, unpack)                           \
    static inline uint64_t api_pack_##type(type result) \
    {                                                   \
        return (uint64_t)(pack);                        \
    }                                                   \
    static inline type api_unpack_##type(uint64_t raw)  \
    {                                                   \
        return (type)(unpack);                          \
    }
API_RESULT_TYPES(X)
#undef X

/* Prototypes: what the caller calls, and what the host implements. */
#define API_DECLARE_FN(ret, name, params, args, traced, flow, failure) \
    ret name params MUST_CHECK;                                        \
    ret name##_impl params;
#define API_DECLARE_PROC(name, params, args, traced, flow) \
    void name params;                                      \
    void name##_impl params;
#define API_DECLARE_GET(name, params, args, traced, buffer, size) \
    size_t name params;                                           \
    size_t name##_impl params;
#define API_DECLARE_PUT(name, params, args, traced, buffer, size) \
    void name params;                                             \
    void name##_impl params;

#define API_DECLARE(TABLE) \
    TABLE(API_DECLARE_FN, API_DECLARE_PROC, API_DECLARE_GET, API_DECLARE_PUT)

#endif
