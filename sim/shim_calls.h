/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shims of an API table, generated: see shim.h. What a call does when
 * something is armed is written once, in shim.c; the generated function only
 * packs and unpacks.
 *
 * A file for each group of tables has them, so that a program links the
 * implementations of those only that it calls.
 */
#ifndef SIM_SHIM_CALLS_H
#define SIM_SHIM_CALLS_H

#include "lib/compiler.h"
#include "sim/shim.h"

/* Hooks or a fault: the one branch of the fast path. */
extern bool shim_is_armed;

extern const struct shim_hooks *shim_hooks; /* or NULL */

/* Counts a call; says whether it is one that shall fail. */
bool shim_fails(enum shim_id id);

/* What the hooks see of a call that they do not answer; nothing of QUIET
 * ones. */
void shim_before(const struct shim_call *call);
void shim_after(const struct shim_call *call);

/* Whether the hooks answer the call of a FEED row, and with what. */
static inline bool shim_feeds(struct shim_call *call)
{
    const struct shim_hooks *hooks = shim_hooks;

    return hooks != NULL && hooks->feed != NULL &&
           hooks->feed(hooks->context, call, &call->result);
}

/* The same of a PUT, which has no result: what the hooks say is dropped. */
static inline bool shim_feeds_put(const struct shim_call *call)
{
    const struct shim_hooks *hooks = shim_hooks;
    uint64_t dropped = 0;

    return hooks != NULL && hooks->feed != NULL &&
           hooks->feed(hooks->context, call, &dropped);
}

bool shim_feeds_bytes(struct shim_call *call, void *buffer, size_t size);

/*
 * The generated functions. `traced` is a parenthesised list: SHIM_LIST takes
 * the parentheses off.
 */
#define SHIM_LIST(...) __VA_ARGS__
#define SHIM_CALL(name, traced)                                                \
    const uint64_t traced_args[] = {SHIM_LIST traced};                         \
    struct shim_call call = {.id = SHIM_##name,                                \
                             .arg_count =                                      \
                                 sizeof(traced_args) / sizeof(traced_args[0]), \
                             .args = traced_args}

/* The packed failure value: FN rows without one never ask for it. */
#define SHIM_FAILURE(ret, ...) (0 __VA_OPT__(+api_pack_##ret(__VA_ARGS__)))

/* Nobody hears of what is QUIET, unless it is to fail. A failure comes before
 * an answer; of a call that nobody may answer, the hooks can ask for one. */
#define SHIM_FN(ret, name, params, args, traced, flow, failure)                \
    ret name params                                                            \
    {                                                                          \
        if ((flow != QUIET || SHIM_CAN_FAIL(failure)) &&                       \
            unlikely(shim_is_armed)) {                                         \
            SHIM_CALL(name, traced);                                           \
            bool fails =                                                       \
                flow == FEED && SHIM_CAN_FAIL(failure) && shim_fails(call.id); \
            if (flow == FEED && !fails && shim_feeds(&call))                   \
                return api_unpack_##ret(call.result);                          \
            shim_before(&call);                                                \
            if (flow != FEED && SHIM_CAN_FAIL(failure))                        \
                fails = shim_fails(call.id);                                   \
            call.result = fails ? SHIM_FAILURE(ret, failure)                   \
                                : api_pack_##ret(name##_impl args);            \
            shim_after(&call);                                                 \
            return api_unpack_##ret(call.result);                              \
        }                                                                      \
        return name##_impl args;                                               \
    }

#define SHIM_PROC(name, params, args, traced, flow)     \
    void name params                                    \
    {                                                   \
        if (flow != QUIET && unlikely(shim_is_armed)) { \
            SHIM_CALL(name, traced);                    \
            if (flow == FEED && shim_feeds(&call))      \
                return;                                 \
            shim_before(&call);                         \
            name##_impl args;                           \
            shim_after(&call);                          \
            return;                                     \
        }                                               \
        name##_impl args;                               \
    }

#define SHIM_GET(name, params, args, traced, buffer, size) \
    size_t name params                                     \
    {                                                      \
        if (unlikely(shim_is_armed)) {                     \
            SHIM_CALL(name, traced);                       \
            if (shim_feeds_bytes(&call, buffer, size))     \
                return (size_t)call.result;                \
            shim_before(&call);                            \
            call.result = name##_impl args;                \
            call.bytes = buffer;                           \
            shim_after(&call);                             \
            return (size_t)call.result;                    \
        }                                                  \
        return name##_impl args;                           \
    }

#define SHIM_PUT(name, params, args, traced, buffer, size) \
    void name params                                       \
    {                                                      \
        if (unlikely(shim_is_armed)) {                     \
            SHIM_CALL(name, traced);                       \
            call.result = size;                            \
            call.bytes = buffer;                           \
            if (shim_feeds_put(&call))                     \
                return;                                    \
            shim_before(&call);                            \
            name##_impl args;                              \
            shim_after(&call);                             \
            return;                                        \
        }                                                  \
        name##_impl args;                                  \
    }

#define SHIM_CAN_FAIL(...) (0 __VA_OPT__(+1) != 0)

/* Those of a table. */
#define SHIMS(TABLE) TABLE(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)

#endif
