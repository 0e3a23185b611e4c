/* SPDX-License-Identifier: Apache-2.0 */
/* The replay: see replay.h. */
#include "sim/replay.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/check.h"
#include "sim/device_tree.h"
#include "sim/replay_engine.h"
#include "sim/sim.h"
#include "trace/start.h"
#include "vm/vm.h"
#include "vmm/internal.h"

/*
 * What a register holds that the guest has changed, as far as the hypervisor
 * may know: something unlikely, so that it shows where it decides anything,
 * and whether it was overwritten.
 */
#define POISON UINT64_C(0x5eed0ff0dead0000)

static uint64_t poison_of(unsigned field)
{
    return POISON + field;
}

/* A byte of ones for each byte of `value` that is 0. */
static uint64_t zero_bytes(uint64_t value)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);

    return (~(((value & low) + low) | value | low) >> 7) * 0xff;
}

/* Whether `value` is `expected` as far as it was written: of a field that holds
 * several registers, a byte that is poison still says nothing. */
static bool is_as_expected(uint64_t value, uint64_t expected, unsigned field)
{
    uint64_t poison = zero_bytes(value ^ poison_of(field));

    return ((value ^ expected) & ~poison) == 0;
}

static uint64_t *field_of(const struct replay *replay, struct vcpu *vcpu,
                          unsigned field)
{
    return trace_layout_field(&replay->layout, vcpu, field);
}

/* The vCPU in the tables: two that share an entry only lose checks. */
static unsigned place_of(uint64_t name)
{
    return trace_shadow_index(name);
}

/* --- Into a step --- */

/* Gives the vCPU the state that its exit left it in: what is known of it. */
static void enter_exit(struct replay *replay, struct vcpu *vcpu)
{
    const struct trace_event *event = &replay->event;
    uint64_t *known = &replay->known[place_of(event->vcpu)];

    for (uint64_t set = *known & ~event->mask; set != 0; set &= set - 1)
        *field_of(replay, vcpu, bit_lowest(set)) = poison_of(bit_lowest(set));
    for (uint64_t set = event->mask; set != 0; set &= set - 1) {
        unsigned field = bit_lowest(set);

        replay->before[replay->layout.words[field]] = event->fields[field];
        *field_of(replay, vcpu, field) = event->fields[field];
    }
    *known = event->mask;
    if (vcpu->ops->exited != NULL)
        vcpu->ops->exited(vcpu);
}

static uint64_t name_of(const struct vcpu *vcpu)
{
    return vcpu == NULL ? 0
                        : trace_vcpu_name(vcpu->config.vm_id, vcpu->config.id);
}

static void vcpu_text(uint64_t name, char *text)
{
    if (name == 0)
        snprintf(text, REPLAY_TEXT_SIZE, "none");
    else
        snprintf(text, REPLAY_TEXT_SIZE, "VM %" PRIu32 " vCPU %" PRIu32,
                 trace_name_vm(name), trace_name_vcpu(name));
}

static void expect_vcpu(struct replay *replay, uint64_t expected,
                        uint64_t actual, const char *field)
{
    char expected_text[REPLAY_TEXT_SIZE], actual_text[REPLAY_TEXT_SIZE];

    if (likely(expected == actual))
        return;
    vcpu_text(expected, expected_text);
    vcpu_text(actual, actual_text);
    replay_differ_text(replay, expected_text, actual_text, field);
}

/* --- Out of a step --- */

static const char *field_name(const struct replay *replay, unsigned field)
{
    return trace_field_name(replay->start, field);
}

/*
 * A field of the vCPU that exited. `before` is what the exit brought, or the
 * poison. The recording lists a field when it has changed, and perhaps when it
 * has not; it could not see that a register was given the value which the
 * guest had left in it, and then the value cannot be verified here.
 */
static void check_output(struct replay *replay, unsigned field, uint64_t before,
                         uint64_t now)
{
    const struct trace_event *event = &replay->event;
    uint64_t bit = BIT(field);
    bool brought = (event->mask & bit) != 0;
    bool listed = (event->changed & bit) != 0;

    if (listed && now == event->outputs[field])
        return;
    if (listed && now != before &&
        is_as_expected(now, event->outputs[field], field))
        return;
    if (now == before && (!listed || (event->kept & bit) != 0))
        return;
    if (!listed && !brought)
        return;
    replay_differ(replay, listed ? event->outputs[field] : before, now,
                  "register %s, set by the hypervisor",
                  field_name(replay, field));
}

/* A word of the registers that is not what it was before the step. */
static void check_word(struct replay *replay, unsigned word, uint64_t now)
{
    unsigned field = replay->layout.field_of_word[word];

    if (field == TRACE_NO_FIELD)
        return;
    replay->known[place_of(replay->event.vcpu)] |= BIT(field);
    check_output(replay, field, replay->before[word], now);
}

/* The words of a run that are not what they were before the step. */
static void check_run(struct replay *replay, struct vcpu *vcpu,
                      const struct trace_run *run)
{
    const uint64_t *now = trace_layout_run(run, vcpu);
    const uint64_t *before = replay->before + run->first;

    if (memcmp(now, before, run->count * sizeof(*now)) == 0)
        return;
    for (unsigned word = 0; word < run->count; word++) {
        if (unlikely(now[word] != before[word]))
            check_word(replay, run->first + word, now[word]);
    }
}

static void check_outputs(struct replay *replay, struct vcpu *vcpu)
{
    const struct trace_event *event = &replay->event;
    const struct trace_layout *layout = &replay->layout;

    for (unsigned i = 0; i < layout->run_count; i++)
        check_run(replay, vcpu, &layout->runs[i]);
    for (uint64_t set = event->changed; set != 0; set &= set - 1) {
        unsigned field = bit_lowest(set);
        uint64_t before = replay->before[layout->words[field]];
        uint64_t now = *field_of(replay, vcpu, field);

        if (now == before)
            check_output(replay, field, before, now);
    }
    for (uint64_t set = event->mask; set != 0; set &= set - 1)
        replay->before[layout->words[bit_lowest(set)]] =
            poison_of(bit_lowest(set));
}

/* The vCPU that exited is left: remembers what with. */
static void note_leave(struct replay *replay, struct vcpu *vcpu)
{
    uint64_t name = replay->event.vcpu;
    struct trace_shadow *shadow = &replay->shadows[place_of(name)];

    shadow->vcpu = name;
    for (unsigned field = 0; field < replay->layout.count; field++)
        shadow->fields[field] = *field_of(replay, vcpu, field);
}

/*
 * Another vCPU than the one that exited is entered. What the recording does not
 * list is as it was when the vCPU was left; but what the guest had left in a
 * register, which is poison here, the hypervisor may have put there again.
 */
static void check_entry(struct replay *replay, struct vcpu *entered)
{
    const struct trace_event *event = &replay->event;
    unsigned place = place_of(event->entered);
    const struct trace_shadow *shadow = &replay->shadows[place];

    for (unsigned field = 0; field < replay->layout.count; field++) {
        uint64_t left = trace_shadow_field(shadow, event->entered, field);
        bool listed = (event->rewritten & BIT(field)) != 0;
        uint64_t expected = listed ? event->entries[field] : left;
        uint64_t actual = *field_of(replay, entered, field);

        if (actual == left && !listed)
            continue;
        if (listed ? !is_as_expected(actual, expected, field)
                   : !is_as_expected(left, actual, field))
            replay_differ(replay, expected, actual,
                          "register %s of the vCPU that is entered",
                          field_name(replay, field));
        replay->known[place] |= BIT(field);
    }
}

static bool is_alive(const struct replay *replay, const struct vcpu *vcpu)
{
    const struct vm *vm = vmm_find_vm(trace_name_vm(replay->event.vcpu));
    uint32_t id = trace_name_vcpu(replay->event.vcpu);

    return vm != NULL && id < vm->config.cpu_num && vm->vcpus[id] == vcpu;
}

static void check_tail(struct replay *replay, struct vcpu *exited,
                       struct vcpu *entered)
{
    const struct trace_event *event = &replay->event;
    bool alive = exited != NULL && is_alive(replay, exited);

    if (alive) {
        uint64_t kind = exited->exit_kind;

        if (event->exit_kind != kind)
            replay_differ_text(
                replay, trace_exit_kind_name(replay->start, event->exit_kind),
                exit_kind_name((enum exit_kind)kind),
                "what the exit was taken for");
        check_outputs(replay, exited);
    }
    expect_vcpu(replay, event->entered, name_of(entered),
                "the vCPU that is entered");
    if (event->entered == event->vcpu)
        return;
    if (alive)
        note_leave(replay, exited);
    if (entered != NULL)
        check_entry(replay, entered);
}

/* --- Events --- */

static void check_decoder(struct replay *replay)
{
    if (unlikely(trace_decoder_error(replay->decoder) != NULL))
        replay_fail(replay, NULL);
}

static void replay_step(struct replay *replay)
{
    struct trace_event *event = &replay->event;
    uint32_t cpu = (uint32_t)event->cpu;
    struct vcpu *exited = vmm_current_vcpu(cpu);
    struct vcpu *entered;

    cpus_set_current(cpu);
    expect_vcpu(replay, event->kind == TRACE_EVENT_EXIT ? event->vcpu : 0,
                name_of(exited), "the vCPU that has exited");
    if (exited != NULL)
        enter_exit(replay, exited);
    entered = vmm_step(cpu);
    replay_expect_no_row(replay);
    trace_decode_tail(replay->decoder, event);
    check_decoder(replay);
    check_tail(replay, exited, entered);
}

static void replay_init(struct replay *replay)
{
    const struct trace_start *start = replay->start;
    const struct vmm_boot boot = {
        .arch = replay->layout.arch->ops,
        .config = start->config,
        .images = hpa(start->numbers.images),
        .images_size = start->numbers.images_size,
        .power_off_when_done = start->numbers.power_off_when_done != 0,
    };
    err_t error;

    cpus_set_current((uint32_t)replay->event.cpu);
    error = vmm_init(&boot);
    replay_expect_no_row(replay);
    trace_decode_tail(replay->decoder, &replay->event);
    check_decoder(replay);
    if (replay->event.result != (uint64_t)error)
        replay_differ(replay, replay->event.result, (uint64_t)error,
                      "vmm_init(): result");
}

/* One event. False: there is none left. */
static bool replay_event(struct replay *replay)
{
    struct trace_event *event = &replay->event;
    struct replay_result *result = replay->result;
    bool is_first = result->events == 0;

    do
        trace_decode_head(replay->decoder, event);
    while (event->kind == TRACE_EVENT_COSTS);
    check_decoder(replay);
    if (event->kind == TRACE_EVENT_END) {
        result->has_end = true;
        result->end = event->end < TRACE_END_COUNT ? (enum trace_end)event->end
                                                   : TRACE_END_STOPPED;
        return false;
    }
    if (is_first != (event->kind == TRACE_EVENT_INIT))
        replay_fail(replay, "the trace does not begin with the making of VMs");
    if (is_first)
        replay_init(replay);
    else
        replay_step(replay);
    return true;
}

static void note_event(struct replay *replay,
                       const struct replay_options *options)
{
    struct replay_result *result = replay->result;
    uint64_t number = result->events++;

    if (replay->event.kind == TRACE_EVENT_EXIT)
        result->exits++;
    if (options->verified != NULL && number >= options->from)
        options->verified(options->context, number, &replay->event);
}

__attribute__((noinline)) void replay_from_here(void)
{
    __asm__ volatile(""); /* or its call is nothing, and left out */
}

/* Up to where it was asked for, or to the trace's end. */
static void replay_events(struct replay *replay,
                          const struct replay_options *options)
{
    const uint64_t *events = &replay->result->events;

    while (options->until == 0 || *events < options->until) {
        if (unlikely(*events == options->from))
            replay_from_here();
        if (!replay_event(replay))
            return;
        note_event(replay, options);
    }
}

static void replay_all(struct replay *replay,
                       const struct replay_options *options)
{
    /* What is changed between here and a jump lies in *replay. */
    switch (setjmp(replay->stop)) {
    case REPLAY_GOES_ON:
        replay_events(replay, options);
        replay->result->ended = true;
        break;
    case REPLAY_IS_CUT:
        trace_decode_row(replay->decoder);
        trace_decode_end(replay->decoder);
        note_event(replay, options);
        trace_decode_head(replay->decoder, &replay->event);
        replay->result->has_end = replay->event.kind == TRACE_EVENT_END &&
                                  trace_decoder_error(replay->decoder) == NULL;
        replay->result->ended = replay->result->has_end;
        if (!replay->result->ended)
            snprintf(replay->result->error, TRACE_ERROR_SIZE, "%s",
                     trace_decoder_error(replay->decoder) != NULL
                         ? trace_decoder_error(replay->decoder)
                         : "the trace goes on after the machine went off");
        else if (replay->event.end < TRACE_END_COUNT)
            replay->result->end = (enum trace_end)replay->event.end;
        break;
    case REPLAY_DIFFERS: replay->result->divergences++; break;
    default:
        /* Where the stream is at its end, so is what could be verified. */
        if (trace_decoder_broke_off(replay->decoder)) {
            replay->result->interrupted = true;
            replay->result->ended = true;
            replay->result->error[0] = '\0';
        }
        break;
    }
}

_Noreturn void replay_fail(struct replay *replay, const char *why)
{
    const char *decoder = trace_decoder_error(replay->decoder);

    if (why == NULL)
        snprintf(replay->result->error, TRACE_ERROR_SIZE, "%s",
                 decoder != NULL ? decoder : "unknown");
    else
        snprintf(replay->result->error, TRACE_ERROR_SIZE,
                 "%s, in event %" PRIu64, why, replay->result->events);
    longjmp(replay->stop, REPLAY_FAILS);
}

/* A CHECK of the hypervisor does not hold: it did in the recording. */
static void on_check(void *context, const char *expression, const char *file,
                     int line)
{
    char text[REPLAY_TEXT_SIZE];

    snprintf(text, sizeof(text), "%s:%d: %s", file, line, expression);
    replay_differ_text(context, "holds", "does not hold", text);
}

/* --- The machine --- */

static bool is_tree(const struct trace_start *start)
{
    return device_tree_check(start->config, start->numbers.config_size) == 0;
}

/* A fresh machine like the recorded one. False with result->error. */
static bool build_machine(struct replay *replay)
{
    const struct trace_start_numbers *numbers = &replay->start->numbers;
    char *error = replay->result->error;

    if (trace_layout_make(&replay->layout, replay->start, error) != OK)
        return false;
    sim_reset((uint32_t)numbers->cpu_count);
    vmm = NULL;
    violations_set_ignored(true);
    clock_set_frequency(numbers->frequency);
    replay->scratch = trace_scratch_new(&replay->layout);
    if (replay->scratch == NULL || !replay_frames_init(replay)) {
        snprintf(error, TRACE_ERROR_SIZE,
                 "cannot make the machine's RAM: %" PRIu64
                 " bytes at 0x%" PRIx64,
                 numbers->ram_size, numbers->ram_base);
        return false;
    }
    if (!is_tree(replay->start)) {
        snprintf(error, TRACE_ERROR_SIZE,
                 "the configuration in the trace is no device tree");
        return false;
    }
    replay_map_rows(replay);
    for (unsigned field = 0; field < replay->layout.count; field++)
        replay->before[replay->layout.words[field]] = poison_of(field);
    for (unsigned i = 0; i < TRACE_SHADOWS; i++)
        replay->known[i] = trace_all_fields(replay->start);
    return true;
}

/* The machine is left where it stands, with locks held, say: nothing of it is
 * used again. */
static void drop_machine(struct replay *replay)
{
    vmm = NULL;
    replay_frames_fini(replay);
    trace_scratch_free(replay->scratch);
    sim_reset(1);
    violations_set_ignored(false);
}

static void warn(const struct trace_start *start, struct replay_result *result)
{
    if (strcmp(start->build_id, trace_build_id) != 0)
        snprintf(result->warning, sizeof(result->warning),
                 "recorded with other sources of hv/ (%.40s) than these (%s): "
                 "differences are to be expected",
                 start->build_id, trace_build_id);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

bool replay_run(struct trace_decoder *decoder,
                const struct replay_options *options,
                struct replay_result *result)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    struct shim_hooks hooks;
    double start = now();

    *result = (struct replay_result){0};
    if (replay == NULL) {
        snprintf(result->error, sizeof(result->error), "out of memory");
        return false;
    }
    replay->decoder = decoder;
    replay->start = trace_decoder_start(decoder);
    replay->result = result;
    warn(replay->start, result);
    if (build_machine(replay)) {
        replay_listen(replay, &hooks);
        check_set_hook(on_check, replay);
        replay_all(replay, options);
        check_set_hook(NULL, NULL);
        replay_stop_listening();
    }
    drop_machine(replay);
    free(replay);
    result->seconds = now() - start;
    return result->ended && result->divergences == 0 &&
           result->error[0] == '\0';
}
