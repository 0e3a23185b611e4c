/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's body of every function of the API tables (hv/api/api.h): for
 * each row, `<name>` is
 *
 *   fault injection   when it is armed and this is the call that shall fail,
 *                     the row's failure value, and the implementation is not
 *                     called; otherwise
 *   feed              when hooks are set: a row whose flow is FEED may get its
 *                     result from them instead of from the implementation;
 *                     otherwise
 *   implementation    <name>_impl
 *   after             when hooks are set: they see arguments, result, bytes.
 *
 * QUIET rows take part in fault injection only. With neither armed, a call
 * costs one predictable branch more than calling <name>_impl.
 */
#ifndef SIM_SHIM_H
#define SIM_SHIM_H

#include "api/arch.h"
#include "api/console.h"
#include "api/host.h"
#include "api/memory.h"
#include "api/time.h"
#include "api/vmm.h"
#include "arch/riscv64/hw.h"
#include "arch/x86_64/hw.h"

/* X(TABLE): every table of the process, in the order of the row numbers. */
#define SHIM_TABLES(X) \
    X(MEMORY_API)      \
    X(TIME_API)        \
    X(HOST_API)        \
    X(CONSOLE_API)     \
    X(ARCH_API)        \
    X(RISCV_HW_API)    \
    X(VMM_API)         \
    X(X86_HW_API)

#define SHIM_ID_FN(ret, name, params, args, traced, flow, failure) SHIM_##name,
#define SHIM_ID_PROC(name, params, args, traced, flow)             SHIM_##name,
#define SHIM_ID_BYTES(name, params, args, traced, buffer, size)    SHIM_##name,
#define SHIM_IDS(TABLE) \
    TABLE(SHIM_ID_FN, SHIM_ID_PROC, SHIM_ID_BYTES, SHIM_ID_BYTES)

/* The number of a row: SHIM_memory_alloc_frame and so on. */
enum shim_id { SHIM_TABLES(SHIM_IDS) SHIM_COUNT };

enum shim_kind { SHIM_KIND_FN, SHIM_KIND_PROC, SHIM_KIND_GET, SHIM_KIND_PUT };

struct shim_row {
    const char *name;
    enum shim_kind kind;
    enum api_flow flow; /* FEED for GET and PUT */
    bool can_fail;      /* the row has a failure value */
};

extern const struct shim_row shim_rows[SHIM_COUNT];

/* One call, as the hooks see it. */
struct shim_call {
    enum shim_id id;
    uint32_t arg_count; /* 1 where the row traces nothing: the value 0 */
    const uint64_t *args;
    uint64_t result;   /* FN: packed; GET, PUT: bytes; else 0 */
    const void *bytes; /* GET, PUT: `result` of them; else NULL */
};

/*
 * Set by whoever records or replays. A NULL function is not called.
 */
struct shim_hooks {
    void *context;
    /* Before a call that is not answered below; `result` and `bytes` are not
     * set yet, but for a PUT, whose bytes are known. */
    void (*before)(void *context, const struct shim_call *call);
    /* FEED rows. True: the call is answered (an FN row by *result, packed) and
     * the implementation is not called. */
    bool (*feed)(void *context, const struct shim_call *call, uint64_t *result);
    /* GET rows. True: *filled bytes, at most `size`, were put into `buffer`,
     * and the implementation is not called. */
    bool (*feed_bytes)(void *context, const struct shim_call *call,
                       void *buffer, size_t size, size_t *filled);
    /* The same call has its result, be it an injected failure. */
    void (*after)(void *context, const struct shim_call *call);
};

/* NULL: no hooks. They stay the caller's, and must live while they are set. */
void shim_set_hooks(const struct shim_hooks *hooks);
const struct shim_hooks *shim_get_hooks(void);

/*
 * Fault injection: the `nth` (from 1) call from now on of a row that can fail
 * fails, and, if `forever`, every later one too. `prefix` selects the rows by
 * the start of their names, "memory_alloc" say; NULL: all.
 */
void shim_fail_nth(uint64_t nth, const char *prefix, bool forever);
void shim_fail_never(void);

/* How many calls of the selected rows were made since shim_fail_nth(), and
 * how many of them were made to fail. */
uint64_t shim_fallible_calls(void);
uint64_t shim_failed_calls(void);

#endif
