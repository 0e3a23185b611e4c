/* SPDX-License-Identifier: Apache-2.0 */
/* What the shims of the process do when something is armed: see shim.h. */
#include <string.h>

#include "sim/shim_calls.h"

bool shim_is_armed;
const struct shim_hooks *shim_hooks;

static struct {
    bool fault_armed, fault_forever;
    uint64_t fault_nth, fault_calls, fault_failed;
    bool fault_selects[SHIM_COUNT];
} shim;

#define ROW_FN(ret, name, params, args, traced, row_flow, failure) \
    {#name, SHIM_KIND_FN, row_flow, SHIM_CAN_FAIL(failure)},
#define ROW_PROC(name, params, args, traced, row_flow) \
    {#name, SHIM_KIND_PROC, row_flow, false},
#define ROW_GET(name, params, args, traced, buffer, size) \
    {#name, SHIM_KIND_GET, FEED, false},
#define ROW_PUT(name, params, args, traced, buffer, size) \
    {#name, SHIM_KIND_PUT, FEED, false},
#define ROWS(TABLE) TABLE(ROW_FN, ROW_PROC, ROW_GET, ROW_PUT)

const struct shim_row shim_rows[SHIM_COUNT] = {SHIM_TABLES(ROWS)};

static void shim_update(void)
{
    shim_is_armed = shim_hooks != NULL || shim.fault_armed;
}

void shim_set_hooks(const struct shim_hooks *hooks)
{
    shim_hooks = hooks;
    shim_update();
}

const struct shim_hooks *shim_get_hooks(void)
{
    return shim_hooks;
}

void shim_fail_nth(uint64_t nth, const char *prefix, bool forever)
{
    size_t length = prefix == NULL ? 0 : strlen(prefix);

    for (unsigned id = 0; id < SHIM_COUNT; id++)
        shim.fault_selects[id] =
            shim_rows[id].can_fail &&
            (length == 0 || strncmp(shim_rows[id].name, prefix, length) == 0);
    shim.fault_armed = true;
    shim.fault_forever = forever;
    shim.fault_nth = nth;
    shim.fault_calls = 0;
    shim.fault_failed = 0;
    shim_update();
}

void shim_fail_never(void)
{
    shim.fault_armed = false;
    shim_update();
}

uint64_t shim_fallible_calls(void)
{
    return shim.fault_calls;
}

uint64_t shim_failed_calls(void)
{
    return shim.fault_failed;
}

bool shim_fails(enum shim_id id)
{
    if (!shim.fault_armed || !shim.fault_selects[id])
        return false;
    shim.fault_calls++;
    if (shim.fault_calls < shim.fault_nth ||
        (shim.fault_calls > shim.fault_nth && !shim.fault_forever))
        return false;
    shim.fault_failed++;
    return true;
}

/* The hooks that see row `id`, or NULL. */
static const struct shim_hooks *shim_hooks_for(enum shim_id id)
{
    return shim_rows[id].flow == QUIET ? NULL : shim_hooks;
}

void shim_before(const struct shim_call *call)
{
    const struct shim_hooks *hooks = shim_hooks_for(call->id);

    if (hooks != NULL && hooks->before != NULL)
        hooks->before(hooks->context, call);
}

bool shim_feeds_bytes(struct shim_call *call, void *buffer, size_t size)
{
    const struct shim_hooks *hooks = shim_hooks;
    size_t filled = 0;

    if (hooks == NULL || hooks->feed_bytes == NULL ||
        !hooks->feed_bytes(hooks->context, call, buffer, size, &filled))
        return false;
    call->result = filled;
    return true;
}

void shim_after(const struct shim_call *call)
{
    const struct shim_hooks *hooks = shim_hooks_for(call->id);

    if (hooks != NULL && hooks->after != NULL)
        hooks->after(hooks->context, call);
}
