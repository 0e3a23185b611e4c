/* SPDX-License-Identifier: Apache-2.0 */
/* A difference in words: see replay_engine.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/replay_engine.h"

/* What the exit was, by its registers: the recording's own word for it comes
 * at the end of the event, which a difference may prevent. */
static void describe_exit(struct replay *replay)
{
    struct replay_difference *first = &replay->result->first;
    const struct trace_event *event = &replay->event;
    struct vm_exit exit;

    first->has_vcpu = true;
    first->vm = trace_name_vm(event->vcpu);
    first->vcpu = trace_name_vcpu(event->vcpu);
    trace_scratch_decode(&replay->layout, replay->scratch, event, &exit);
    snprintf(first->reason, sizeof(first->reason),
             "%s (%s 0x%" PRIx64 ") at pc 0x%" PRIx64,
             exit_kind_name(exit.kind),
             trace_field_name(replay->start, TRACE_FIELD_CAUSE),
             event->fields[TRACE_FIELD_CAUSE], event->fields[TRACE_FIELD_PC]);
    (void)replay->layout.arch->instruction(replay->scratch, first->insn,
                                           sizeof(first->insn));
}

void replay_describe(struct replay *replay)
{
    static const char *const kinds[TRACE_EVENT_COUNT] = {
#define X(kind, name) name,
        TRACE_EVENTS(X)
#undef X
    };
    struct replay_difference *first = &replay->result->first;

    first->event = replay->result->events;
    first->exit = replay->result->exits;
    first->cpu = (uint32_t)replay->event.cpu;
    if (replay->event.kind == TRACE_EVENT_EXIT)
        describe_exit(replay);
    else if (replay->event.kind < TRACE_EVENT_COUNT)
        snprintf(first->reason, sizeof(first->reason), "%s",
                 kinds[replay->event.kind]);
}

_Noreturn void replay_differ_text(struct replay *replay, const char *expected,
                                  const char *actual, const char *field)
{
    struct replay_difference *first = &replay->result->first;

    /* Where the stream has broken, what it says is no expectation. */
    if (trace_decoder_error(replay->decoder) != NULL)
        replay_fail(replay, NULL);
    snprintf(first->field, sizeof(first->field), "%s", field);
    snprintf(first->expected, sizeof(first->expected), "%s", expected);
    snprintf(first->actual, sizeof(first->actual), "%s", actual);
    replay_describe(replay);
    longjmp(replay->stop, REPLAY_DIFFERS);
}

_Noreturn void replay_differ(struct replay *replay, uint64_t expected,
                             uint64_t actual, const char *field, ...)
{
    struct replay_difference *first = &replay->result->first;
    const struct sim_arch *arch = replay->layout.arch;
    char name[REPLAY_TEXT_SIZE], expected_text[32], actual_text[32];
    va_list args;

    va_start(args, field);
    vsnprintf(name, sizeof(name), field, args);
    va_end(args);
    snprintf(expected_text, sizeof(expected_text), "0x%" PRIx64, expected);
    snprintf(actual_text, sizeof(actual_text), "0x%" PRIx64, actual);
    (void)arch->format_value(name, expected, first->expected_insn,
                             sizeof(first->expected_insn));
    (void)arch->format_value(name, actual, first->actual_insn,
                             sizeof(first->actual_insn));
    replay_differ_text(replay, expected_text, actual_text, name);
}
