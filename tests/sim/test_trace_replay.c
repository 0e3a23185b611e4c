/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulated machine did, recorded and replayed. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check.h"
#include "sim/console.h"
#include "sim/shim.h"
#include "sim/trace_input.h"
#include "support/trace_rig.h"
#include "trace/start.h"

static void assert_identical(const struct replay_result *result, bool identical,
                             const char *what)
{
    cr_assert(identical, "%s: event %d, %s: %s: expected %s, got %s; error: %s",
              what, (int)result->first.event, result->first.reason,
              result->first.field, result->first.expected, result->first.actual,
              result->error);
    cr_assert_eq(result->divergences, 0);
    cr_assert(result->has_end);
    cr_assert_str_empty(result->warning);
}

Test(trace_replay, what_was_recorded_replays_without_a_difference)
{
    const struct rig_run runs[] = {
        {.cpus = 1, .vcpus = 1, .vms = 1, .seed = 1, .steps = 5000},
        {.cpus = 1, .vcpus = 4, .vms = 1, .seed = 2, .steps = 5000},
        {.cpus = 2, .vcpus = 2, .vms = 2, .seed = 3, .steps = 5000},
        {.cpus = 4, .vcpus = 3, .vms = 3, .seed = 4, .steps = 5000},
        {.cpus = 3, .vcpus = 8, .vms = 1, .seed = 5, .steps = 5000},
        {.cpus = 8, .vcpus = 1, .vms = 4, .seed = 6, .steps = 20000},
    };

    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        struct recording_buffer trace = {0};
        struct replay_result result;
        char what[64];
        bool identical;

        rig_record(&runs[i], &trace);
        identical = rig_replay(&trace, NULL, &result);
        snprintf(what, sizeof(what), "run %zu", i);
        assert_identical(&result, identical, what);
        cr_assert_gt(result.exits, runs[i].steps / 2, "%s", what);
        recording_buffer_free(&trace);
    }
}

/* The console's output, and how many exits there were. */
static uint64_t run_plain(const struct rig_run *run, char **output)
{
    uint64_t exits = rig_run_unrecorded(run);

    *output = strdup(console_output(NULL));
    return exits;
}

Test(trace_replay, recording_changes_nothing)
{
    const struct rig_run run = {
        .cpus = 2, .vcpus = 2, .vms = 2, .seed = 9, .steps = 5000};
    struct recording_buffer trace = {0};
    char *plain, *recorded;
    uint64_t exits = run_plain(&run, &plain);
    struct replay_result result;

    rig_record(&run, &trace);
    recorded = strdup(console_output(NULL));
    cr_assert_str_eq(plain, recorded);
    cr_assert(rig_replay(&trace, NULL, &result));
    cr_assert_eq(result.exits, exits);
    free(plain);
    free(recorded);
    recording_buffer_free(&trace);
}

static const struct rig_run usual = {
    .cpus = 2, .vcpus = 2, .vms = 2, .seed = 11, .steps = 3000};

/* --- A hypervisor that does something else --- */

/* Meddles with the replayed machine after event `at`. */
struct meddler {
    uint64_t at;
    void (*meddle)(void);
};

static void on_verified(void *context, uint64_t number,
                        const struct trace_event *event)
{
    const struct meddler *meddler = context;

    if (number == meddler->at)
        meddler->meddle();
}

static void change_device(void)
{
    struct vm *vm = vmm_find_vm(1);
    uint64_t value;

    /* A register without any effect of its own. */
    cr_assert_eq(
        bus_read(&vm->devices.buses[BUS_MMIO], RIG_UART_SCRATCH, 1, &value),
        OK);
    cr_assert_eq(bus_write(&vm->devices.buses[BUS_MMIO], RIG_UART_SCRATCH, 1,
                           value ^ 0x81),
                 OK);
}

static void change_register(void)
{
    struct vm *vm = vmm_find_vm(2);
    struct vcpu *vcpu = vm->vcpus[0];

    vcpu->ops->set_pc(vcpu, vcpu->ops->get_pc(vcpu) + 8);
}

static void fail_check(void)
{
    CHECK(vmm_find_vm(1) == NULL);
}

/* The first event from `from` on that reads VM 1's scratch register. */
struct search {
    uint64_t from, found;
    bool writes; /* a write came first */
};

static bool find_scratch(void *context, uint64_t number,
                         const struct trace_event *event, bool cut)
{
    struct search *search = context;

    if (number <= search->from || event->kind != TRACE_EVENT_EXIT ||
        trace_name_vm(event->vcpu) != 1)
        return true;
    /* Field 3 is htval: the guest-physical address, shifted. */
    if ((event->mask & BIT(3)) == 0 ||
        event->fields[3] != RIG_UART_SCRATCH >> 2 ||
        (event->fields[2] & 7) != (RIG_UART_SCRATCH & 7))
        return true;
    search->found = number;
    search->writes = event->exit_kind == EXIT_MMIO_WRITE;
    return false;
}

static struct search search_scratch(struct recording_buffer *trace,
                                    uint64_t from)
{
    struct search search = {.from = from};
    const struct trace_visitor visitor = {.end = find_scratch,
                                          .context = &search};
    struct trace_source source;
    struct trace_decoder *decoder;
    char what[TRACE_ERROR_SIZE];

    trace->read = 0;
    source = recording_source(trace);
    decoder = trace_decoder_open(&source, what);
    cr_assert_not_null(decoder, "%s", what);
    cr_assert(trace_walk(decoder, &visitor));
    trace_decoder_close(decoder);
    return search;
}

Test(trace_replay, a_device_that_answers_something_else_is_found_at_that_exit)
{
    struct recording_buffer trace = {0};
    unsigned seen = 0;

    rig_record(&usual, &trace);
    for (uint64_t at = 100; at < 2600; at += 500) {
        struct meddler meddler = {at, change_device};
        const struct replay_options options = {.verified = on_verified,
                                               .context = &meddler};
        struct search search = search_scratch(&trace, at);
        struct replay_result result;

        if (search.found == 0 || search.writes)
            continue;
        cr_assert_not(rig_replay(&trace, &options, &result));
        cr_assert_eq(result.divergences, 1);
        cr_assert_eq(result.first.event, search.found, "%d, not %d",
                     (int)result.first.event, (int)search.found);
        cr_assert_eq(result.first.vm, 1);
        cr_assert_not_null(strstr(result.first.field, "set by the hypervisor"),
                           "%s", result.first.field);
        cr_assert_str_neq(result.first.expected, result.first.actual);
        cr_assert_not_null(strstr(result.first.reason, "nested-page-fault"));
        cr_assert_eq(strncmp(result.first.insn, "lb", 2), 0, "%s",
                     result.first.insn);
        seen++;
    }
    cr_assert_gt(seen, 0);
    recording_buffer_free(&trace);
}

/* A seam that says something else than it did. */
static void fail_allocation(void)
{
    shim_fail_nth(1, "memory_alloc_frame", true);
}

Test(trace_replay, whatever_else_goes_wrong_is_reported)
{
    const struct {
        void (*meddle)(void);
        const char *field;
        bool always; /* whenever it happens */
    } cases[] = {
        /* Not of a vCPU that is in its guest: its exit overwrites it. */
        {change_register, "of the vCPU that is entered", false},
        {fail_check, "vmm_find_vm(1) == NULL", true},
        {fail_allocation, "what is done", false},
    };
    struct recording_buffer trace = {0};

    rig_record(&usual, &trace);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned seen = 0, runs = 0;

        for (uint64_t at = 20; at < 2000; at += 90, runs++) {
            struct meddler meddler = {at, cases[i].meddle};
            const struct replay_options options = {.verified = on_verified,
                                                   .context = &meddler};
            struct replay_result result;

            if (rig_replay(&trace, &options, &result))
                continue;
            cr_assert_eq(result.divergences, 1, "%zu: %s", i, result.error);
            cr_assert_gt(result.first.event, at - (i == 1));
            cr_assert_not_null(strstr(result.first.field, cases[i].field), "%s",
                               result.first.field);
            seen++;
        }
        cr_assert_gt(seen, 0, "%zu", i);
        cr_assert(!cases[i].always || seen == runs, "%zu", i);
    }
    recording_buffer_free(&trace);
}

/* --- Parts --- */

struct range {
    uint64_t first, last, count;
};

static void note_range(void *context, uint64_t number,
                       const struct trace_event *event)
{
    struct range *range = context;

    if (range->count++ == 0)
        range->first = number;
    range->last = number;
}

Test(trace_replay, from_and_until_choose_events)
{
    const struct {
        uint64_t from, until, first, last, count, replayed;
    } cases[] = {
        {0, 0, 0, 0, 0, 0}, /* all: filled in below */
        {0, 1, 0, 0, 1, 1},
        {10, 20, 10, 19, 10, 20},
        {50, 40, 0, 0, 0, 40},
    };
    struct recording_buffer trace = {0};

    rig_record(&usual, &trace);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct range range = {0};
        const struct replay_options options = {.from = cases[i].from,
                                               .until = cases[i].until,
                                               .verified = note_range,
                                               .context = &range};
        struct replay_result result;

        cr_assert(rig_replay(&trace, &options, &result), "%s", result.error);
        if (cases[i].until == 0) {
            cr_assert_eq(range.count, result.events);
            cr_assert_gt(result.events, usual.steps);
            continue;
        }
        cr_assert_eq(range.first, cases[i].first);
        cr_assert_eq(range.last, cases[i].last);
        cr_assert_eq(range.count, cases[i].count);
        cr_assert_eq(result.events, cases[i].replayed);
    }
    recording_buffer_free(&trace);
}

/* --- Broken streams --- */

Test(trace_replay, a_stream_that_breaks_off_replays_as_far_as_it_goes)
{
    const struct rig_run small = {
        .cpus = 1, .vcpus = 1, .vms = 1, .seed = 3, .steps = 200};
    struct recording_buffer trace = {0};
    uint64_t last = 0;

    rig_record(&small, &trace);
    for (size_t size = 0; size < trace.size; size += 7) {
        struct recording_buffer cut = {trace.bytes, size, size, 0, false};
        struct replay_result result;

        (void)rig_replay(&cut, NULL, &result);
        cr_assert_eq(result.divergences, 0, "%zu bytes: event %d: %s", size,
                     (int)result.first.event, result.first.field);
        cr_assert(result.interrupted || result.error[0] != '\0');
        cr_assert_leq(last, result.events);
        last = result.events;
    }
    cr_assert_gt(last, small.steps / 2);
    recording_buffer_free(&trace);
}

Test(trace_replay, a_stream_with_wrong_bytes_is_not_identical)
{
    const struct rig_run small = {
        .cpus = 1, .vcpus = 1, .vms = 1, .seed = 3, .steps = 60};
    struct recording_buffer trace = {0};
    struct replay_result result;
    size_t start;

    rig_record(&small, &trace);
    cr_assert(rig_replay(&trace, NULL, &result));
    /* The end of the start record and all of the events. */
    start = trace.size > 900 ? trace.size - 900 : 0;
    for (size_t at = start; at < trace.size; at++) {
        trace.bytes[at] ^= 0x10;
        (void)rig_replay(&trace, NULL, &result);
        trace.bytes[at] ^= 0x10;
    }
    cr_assert(rig_replay(&trace, NULL, &result));
    recording_buffer_free(&trace);
}

Test(trace_replay, other_sources_are_warned_of)
{
    struct recording_buffer trace = {0};
    struct replay_result result;
    uint8_t *id;

    rig_record(&usual, &trace);
    id =
        memmem(trace.bytes, trace.size, trace_build_id, strlen(trace_build_id));
    cr_assert_not_null(id);
    id[0] ^= 1;
    cr_assert(rig_replay(&trace, NULL, &result));
    cr_assert_not_null(strstr(result.warning, "other sources"));
    recording_buffer_free(&trace);
}
