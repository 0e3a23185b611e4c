/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream's grammar: which value follows which, and from what each is
 * predicted. It is written once, for the encoder and for the decoder: the file
 * that includes this one has defined
 *
 *   TRACE_CODER   the type of what codes, complete, with the members
 *                 `struct trace_situation at` and `struct codec codec`
 *   trace_code()  void (TRACE_CODER *, uint64_t strong, struct codec_weak weak,
 *                 uint64_t *value): puts *value into the stream, or takes it
 *                 out.
 *
 * docs/trace-format.md says the same in words.
 */
#ifndef TRACE_GRAMMAR_H
#define TRACE_GRAMMAR_H

#include "lib/bits.h"
#include "lib/timer_queue.h"
#include "trace/format.h"
#include "trace/rows.h"

/* What a value is: values of one name share a weak key, and names never do. */
enum trace_value {
    VALUE_EVENT = 1, /* kind and CPU */
    VALUE_TIME,      /* ... by which it is later than the last event's */
    VALUE_MASK,
    VALUE_EXIT_KIND,
    VALUE_CHANGED,
    VALUE_KEPT,
    VALUE_ENTERED,
    VALUE_REWRITTEN,
    VALUE_ROW,
    VALUE_RESULT,       /* INIT */
    VALUE_NUMBER,       /* of COSTS and END */
    VALUE_TIMER,        /* a key: which one was called */
    VALUE_FIELD = 64,   /* + field, by an exit */
    VALUE_OUTPUT = 128, /* + field, by the hypervisor */
    VALUE_ENTRY = 192,  /* + field, of a rewritten vCPU */
    VALUE_SEAM = 256,   /* + 16 * row + one of: */
};

enum trace_seam_value {
    SEAM_ARG = 0,                 /* + argument, up to TRACE_MAX_ARGS */
    SEAM_RESULT = TRACE_MAX_ARGS, /* the size, of a GET or PUT */
    SEAM_WORD = 8,                /* + word of its bytes, up to 8 */
    SEAM_VALUES = 16
};

/* A small argument says which, a small result which way the hypervisor goes;
 * what is large is data. Only the former become part of the situation. */
#define TRACE_SMALL 64

static inline struct codec_weak trace_weak(uint64_t value_name, uint64_t with)
{
    return (struct codec_weak){value_name, with};
}

static inline uint64_t trace_key(uint64_t value_name, uint64_t with)
{
    return codec_key(trace_weak(value_name, with));
}

/* A value with one key. */
static inline void trace_code_plain(TRACE_CODER *coder, uint64_t value_name,
                                    uint64_t with, uint64_t *value)
{
    trace_code(coder, trace_key(value_name, with), trace_weak(value_name, with),
               value);
}

static inline unsigned trace_place(uint64_t vcpu)
{
    return (unsigned)(vcpu ^ vcpu >> 5) % TRACE_PLACES;
}

/* A value whose strong key is the event so far. */
static inline void trace_code_here(TRACE_CODER *coder, uint64_t value_name,
                                   uint64_t with, uint64_t *value)
{
    trace_code(coder, codec_mix(coder->at.key, value_name),
               trace_weak(value_name, with), value);
}

/* The values of the fields in `mask`. */
static inline void trace_code_fields(TRACE_CODER *coder, uint64_t mask,
                                     uint64_t value_name, uint64_t *values)
{
    for (; mask != 0; mask &= mask - 1) {
        unsigned field = bit_lowest(mask);

        trace_code_here(coder, value_name + field, 0, &values[field]);
    }
}

static inline void trace_code_exit(TRACE_CODER *coder,
                                   struct trace_event *event)
{
    const uint64_t always = BIT(TRACE_FIELD_PC) | BIT(TRACE_FIELD_CAUSE);
    struct trace_situation *at = &coder->at;
    uint64_t *pc = &event->fields[TRACE_FIELD_PC];
    uint64_t *cause = &event->fields[TRACE_FIELD_CAUSE];
    uint64_t *last, key;

    last = at->places[trace_place(event->vcpu)].pc;
    key = codec_mix(trace_key(VALUE_FIELD + TRACE_FIELD_PC, last[0]), last[1]);
    trace_code(coder, codec_mix(key, event->vcpu),
               trace_weak(VALUE_FIELD + TRACE_FIELD_PC, last[0]), pc);
    last[1] = last[0];
    last[0] = *pc;

    key = codec_mix(trace_key(VALUE_FIELD, event->vcpu), *pc);
    trace_code(coder, key, trace_weak(VALUE_FIELD + TRACE_FIELD_CAUSE, 0),
               cause);
    at->key = codec_mix(key, *cause);

    event->mask &= ~always;
    trace_code_here(coder, VALUE_MASK, *cause, &event->mask);
    trace_code_fields(coder, event->mask & ~always, VALUE_FIELD, event->fields);
    event->mask |= always;
}

static inline void trace_code_number(TRACE_CODER *coder, uint64_t which,
                                     uint64_t *value)
{
    trace_code_plain(coder, VALUE_NUMBER, which, value);
}

/* A recorder may know more kinds of exits than a reader. */
static inline void trace_code_costs(TRACE_CODER *coder,
                                    struct trace_event *event)
{
    trace_code_number(coder, 0, &event->end);
    trace_code_number(coder, 1, &event->events);
    trace_code_number(coder, 2, &event->cost_count);
    if (event->cost_count > TRACE_MAX_COSTS)
        event->cost_count = TRACE_MAX_COSTS;
    for (uint64_t kind = 0; kind < event->cost_count; kind++) {
        struct trace_cost none = {0};
        struct trace_cost *cost =
            kind < EXIT_KIND_COUNT ? &event->costs[kind] : &none;

        trace_code_number(coder, kind * 4 + 3, &cost->count);
        if (cost->count == 0)
            continue;
        trace_code_number(coder, kind * 4 + 4, &cost->sum);
        trace_code_number(coder, kind * 4 + 5, &cost->least);
        trace_code_number(coder, kind * 4 + 6, &cost->most);
    }
}

/* The time, if it is another one than that of the last event. */
static inline void trace_code_time(TRACE_CODER *coder, uint64_t first,
                                   struct trace_event *event)
{
    struct trace_situation *at = &coder->at;

    if ((first & TRACE_EVENT_LATER) != 0) {
        uint64_t by = event->time - at->time;

        trace_code_plain(coder, VALUE_TIME, 0, &by);
        at->time += by;
    }
    event->time = at->time;
}

static inline void trace_code_head(TRACE_CODER *coder,
                                   struct trace_event *event)
{
    struct trace_situation *at = &coder->at;
    uint64_t first = event->kind | event->cpu << TRACE_EVENT_CPU_SHIFT |
                     (event->time != at->time ? TRACE_EVENT_LATER : 0);

    trace_code(coder,
               codec_mix(trace_key(VALUE_EVENT, at->events[0]), at->events[1]),
               trace_weak(VALUE_EVENT, at->events[0]), &first);
    event->kind = first & TRACE_EVENT_KIND;
    event->cpu = first >> TRACE_EVENT_CPU_SHIFT;
    at->events[1] = at->events[0];
    at->events[0] = first & ~TRACE_EVENT_LATER;
    trace_code_time(coder, first, event);
    /* It is the one that was entered. */
    event->vcpu = event->kind == TRACE_EVENT_EXIT
                      ? at->entered[event->cpu % TRACE_PLACES]
                      : 0;
    at->row = ROW_NONE;
    at->key = trace_key(VALUE_EVENT, at->events[0]);
    if (event->kind == TRACE_EVENT_EXIT)
        trace_code_exit(coder, event);
    else if (event->kind == TRACE_EVENT_COSTS || event->kind == TRACE_EVENT_END)
        trace_code_costs(coder, event);
}

/* Which function is crossed next; ROW_NONE and ROW_CUT end the crossings. */
static inline void trace_code_row(TRACE_CODER *coder, uint64_t *row)
{
    struct trace_situation *at = &coder->at;

    trace_code_here(coder, VALUE_ROW, at->row, row);
    at->row = *row;
    at->key = codec_mix(at->key, *row);
}

/* A value of the crossing that trace_code_row() has named. */
static inline void trace_code_seam(TRACE_CODER *coder, unsigned which,
                                   uint64_t *value)
{
    trace_code_here(coder, VALUE_SEAM + SEAM_VALUES * coder->at.row + which, 0,
                    value);
}

static inline void trace_code_decisive(TRACE_CODER *coder, unsigned which,
                                       uint64_t *value)
{
    trace_code_seam(coder, which, value);
    if (*value < TRACE_SMALL)
        coder->at.key = codec_mix(coder->at.key, *value);
}

/*
 * A timer is called wherever the guest happens to be, but is mostly the one
 * that was in the same slot of the same CPU before: that is the situation it
 * is in.
 */
static inline void trace_code_token(TRACE_CODER *coder, uint64_t *token)
{
    uint64_t slot = TIMER_TOKEN_SLOT(*token);
    uint64_t rest = TIMER_TOKEN_REST(*token);

    trace_code_seam(coder, SEAM_ARG, &slot);
    coder->at.key = codec_mix(trace_key(VALUE_TIMER, slot),
                              coder->at.events[0] >> TRACE_EVENT_CPU_SHIFT);
    trace_code_seam(coder, SEAM_ARG + 1, &rest);
    *token = TIMER_TOKEN(rest, slot);
}

/* Timers that are called one after the other are mostly called at one time. */
static inline void trace_code_timer_time(TRACE_CODER *coder, uint64_t *time)
{
    uint64_t by = *time - coder->at.timer;

    trace_code_seam(coder, SEAM_ARG + 2, &by);
    coder->at.timer += by;
    *time = coder->at.timer;
}

static inline void trace_code_arg(TRACE_CODER *coder, unsigned arg,
                                  uint64_t *value)
{
    if (likely(coder->at.row != ROW_TIMER))
        trace_code_decisive(coder, SEAM_ARG + arg, value);
    else if (arg == 0)
        trace_code_token(coder, value);
    else
        trace_code_timer_time(coder, value);
}

static inline void trace_code_result(TRACE_CODER *coder, uint64_t *value)
{
    trace_code_decisive(coder, SEAM_RESULT, value);
}

/*
 * A field that was given a value in the same situation before is listed again
 * even if it has kept its value this time, so that the list stays the same.
 * Where the decoder cannot tell by itself, because the exit did not bring the
 * field, `kept` does.
 */
static inline void trace_code_changed(TRACE_CODER *coder,
                                      struct trace_event *event)
{
    uint64_t again =
        codec_last(&coder->codec, codec_mix(coder->at.key, VALUE_CHANGED)) &
        ~event->changed & ~TRACE_SOME_KEPT;

    event->changed |= again;
    event->kept = again & ~event->mask;
    if (event->kept != 0)
        event->changed |= TRACE_SOME_KEPT;
    trace_code_here(coder, VALUE_CHANGED, 0, &event->changed);
    if ((event->changed & TRACE_SOME_KEPT) != 0)
        trace_code_here(coder, VALUE_KEPT, 0, &event->kept);
    else
        event->kept = 0;
    event->changed &= ~TRACE_SOME_KEPT;
}

/* After the crossings of an INIT, EXIT or WAKE that was not cut. */
static inline void trace_code_tail(TRACE_CODER *coder,
                                   struct trace_event *event)
{
    struct trace_situation *at = &coder->at;
    uint64_t pc = event->fields[TRACE_FIELD_PC];

    if (event->kind == TRACE_EVENT_INIT) {
        trace_code_here(coder, VALUE_RESULT, 0, &event->result);
        return;
    }
    if (event->kind == TRACE_EVENT_EXIT) {
        trace_code_here(coder, VALUE_EXIT_KIND, 0, &event->exit_kind);
        at->key = codec_mix(at->key, event->exit_kind);
        trace_code_changed(coder, event);
        /* By how much the pc moves is the same in most places. */
        event->outputs[TRACE_FIELD_PC] -= pc;
        trace_code_fields(coder, event->changed, VALUE_OUTPUT, event->outputs);
        event->outputs[TRACE_FIELD_PC] += pc;
    }
    event->entered ^= event->vcpu;
    trace_code_here(coder, VALUE_ENTERED, event->cpu, &event->entered);
    event->entered ^= event->vcpu;
    at->entered[event->cpu % TRACE_PLACES] = event->entered;
    if (event->entered == 0 || event->entered == event->vcpu) {
        event->rewritten = 0;
        return;
    }
    trace_code_here(coder, VALUE_REWRITTEN, 0, &event->rewritten);
    trace_code_fields(coder, event->rewritten, VALUE_ENTRY, event->entries);
}

#endif
