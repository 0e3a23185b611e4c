/* SPDX-License-Identifier: Apache-2.0 */
/* The shims: fault injection, feeding, and what hooks see. */
#include <criterion/criterion.h>
#include <string.h>

#include "sim/shim.h"
#include "sim/sim.h"

static struct {
    unsigned before, after;
    enum shim_id id;
    uint64_t args[8], result;
    uint32_t arg_count;
    char bytes[16];
    bool feeds;
    uint64_t fed;
} seen;

static void setup(void)
{
    sim_reset(2);
    memset(&seen, 0, sizeof(seen));
}

static void teardown(void)
{
    shim_set_hooks(NULL);
    shim_fail_never();
}

TestSuite(shim, .init = setup, .fini = teardown);

static void on_before(void *context, const struct shim_call *call)
{
    seen.before++;
}

static void on_after(void *context, const struct shim_call *call)
{
    seen.after++;
    seen.id = call->id;
    seen.result = call->result;
    seen.arg_count = call->arg_count;
    memcpy(seen.args, call->args, call->arg_count * sizeof(seen.args[0]));
    if (call->bytes != NULL)
        memcpy(seen.bytes, call->bytes, call->result);
}

static bool on_feed(void *context, const struct shim_call *call,
                    uint64_t *result)
{
    *result = seen.fed;
    return seen.feeds;
}

static bool on_feed_bytes(void *context, const struct shim_call *call,
                          void *buffer, size_t size, size_t *filled)
{
    memcpy(buffer, "fed", 3);
    *filled = 3;
    return seen.feeds;
}

static const struct shim_hooks hooks = {.before = on_before,
                                        .feed = on_feed,
                                        .feed_bytes = on_feed_bytes,
                                        .after = on_after};

Test(shim, rows_describe_the_tables)
{
    const struct shim_row *alloc = &shim_rows[SHIM_memory_alloc_frame];
    const struct shim_row *count = &shim_rows[SHIM_host_cpu_count];

    cr_assert_str_eq(alloc->name, "memory_alloc_frame");
    cr_assert_eq(alloc->kind, SHIM_KIND_FN);
    cr_assert_eq(alloc->flow, FEED);
    cr_assert(alloc->can_fail);
    cr_assert(!count->can_fail);
    cr_assert_eq(shim_rows[SHIM_console_write].kind, SHIM_KIND_PUT);
    cr_assert_eq(shim_rows[SHIM_console_read].kind, SHIM_KIND_GET);
    cr_assert_eq(shim_rows[SHIM_time_cancel_timer].flow, RUN);
    for (unsigned i = 0; i < SHIM_COUNT; i++)
        cr_assert_not_null(shim_rows[i].name);
}

Test(shim, the_nth_call_fails_and_no_other)
{
    shim_fail_nth(3, NULL, false);
    for (unsigned i = 1; i <= 6; i++)
        cr_assert_eq(hpa_is_none(memory_alloc_frame()), i == 3, "call %u", i);
    cr_assert_eq(shim_fallible_calls(), 6);
    cr_assert_eq(shim_failed_calls(), 1);
    cr_assert_eq(ram_frames_in_use(), 5, "the implementation was not called");
}

Test(shim, failing_for_ever_and_only_what_was_named)
{
    uint64_t timer;

    shim_fail_nth(2, "memory_alloc_c", true);
    cr_assert(!hpa_is_none(memory_alloc_contiguous(1, PAGE_SIZE)));
    cr_assert(!hpa_is_none(memory_alloc_frame()));
    cr_assert(hpa_is_none(memory_alloc_contiguous(1, PAGE_SIZE)));
    cr_assert(hpa_is_none(memory_alloc_contiguous(1, PAGE_SIZE)));
    timer = time_register_timer(1, NULL, NULL);
    cr_assert_neq(timer, TIMER_NONE);
    shim_fail_nth(1, "time_register", false);
    cr_assert_eq(time_register_timer(1, NULL, NULL), TIMER_NONE);
    shim_fail_never();
    cr_assert(!hpa_is_none(memory_alloc_contiguous(1, PAGE_SIZE)));
}

Test(shim, hooks_see_calls_and_results)
{
    hpa_t run;

    shim_set_hooks(&hooks);
    run = memory_alloc_contiguous(2, 8192);
    cr_assert_eq(seen.id, SHIM_memory_alloc_contiguous);
    cr_assert_eq(seen.arg_count, 2);
    cr_assert_eq(seen.args[0], 2);
    cr_assert_eq(seen.args[1], 8192);
    cr_assert_eq(seen.result, run.raw);
    console_write("hello", 5);
    cr_assert_eq(seen.id, SHIM_console_write);
    cr_assert_str_eq(seen.bytes, "hello");
    cr_assert_eq(seen.before, 2);
    cr_assert_eq(seen.after, 2);
    cr_assert_eq(host_current_cpu(), 0);
    cr_assert_eq(seen.after, 2, "QUIET rows are not shown");
    cr_assert_str_eq(console_output(NULL), "hello");
}

Test(shim, fed_calls_do_not_reach_the_implementation)
{
    char text[8] = "";

    shim_set_hooks(&hooks);
    seen.feeds = true;
    seen.fed = 0x1234000;
    cr_assert_eq(memory_alloc_frame().raw, 0x1234000);
    cr_assert_eq(ram_frames_in_use(), 0);
    cr_assert_eq(host_cpu_count(), 0x1234000);
    cr_assert_eq(console_read(text, sizeof(text)), 3);
    cr_assert_str_eq(text, "fed");
    console_write("x", 1);
    cr_assert_str_eq(console_output(NULL), "");
    cr_assert_eq(time_cancel_timer(77), ERR_NOT_FOUND, "RUN rows run");
    seen.feeds = false;
    cr_assert_eq(host_cpu_count(), 2);
}

Test(shim, an_injected_fault_is_what_hooks_see)
{
    shim_set_hooks(&hooks);
    shim_fail_nth(1, NULL, false);
    cr_assert(hpa_is_none(memory_alloc_frame()));
    cr_assert_eq(seen.after, 1);
    cr_assert_eq(seen.result, 0);
}
