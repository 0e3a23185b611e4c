/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trace's stream is made of, above the values of codec.h: the start
 * record, then events. The image's recorder writes it, sim/ reads it. The
 * whole format is in docs/trace-format.md.
 */
#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include "lib/bits.h"
#include "trace/codec.h"
#include "trace/fields.h"
#include "vcpu/exit.h"

#define TRACE_FORMAT_VERSION 2

/* The first bytes of the stream. */
#define TRACE_STREAM_MAGIC      "TWXSTRM"
#define TRACE_STREAM_MAGIC_SIZE 8 /* with the NUL */

/* An event is one vmm_step(), but for the first and the last kinds. */
#define TRACE_EVENTS(X)                                                     \
    X(TRACE_EVENT_INIT, "init")   /* vmm_init() */                          \
    X(TRACE_EVENT_EXIT, "exit")   /* a vCPU has left its guest */           \
    X(TRACE_EVENT_WAKE, "wake")   /* a CPU without a vCPU looks for work */ \
    X(TRACE_EVENT_COSTS, "costs") /* what handling has cost up to here */   \
    X(TRACE_EVENT_END, "end")     /* nothing follows */

enum trace_event_kind {
#define X(kind, name) kind,
    TRACE_EVENTS(X)
#undef X
        TRACE_EVENT_COUNT
};

/* The first value of an event: its kind, its CPU, and whether its time is
 * another one than the last event's. */
#define TRACE_EVENT_KIND      BIT_MASK(2, 0)
#define TRACE_EVENT_LATER     BIT(3)
#define TRACE_EVENT_CPU_SHIFT 4

/* In the list of changed fields: some of them have kept their values. */
#define TRACE_SOME_KEPT BIT(63)

/* Why a recording ended. */
#define TRACE_ENDS(X)                                     \
    X(TRACE_END_POWER_OFF, "the machine was powered off") \
    X(TRACE_END_REBOOT, "the machine was rebooted")       \
    X(TRACE_END_STOPPED, "the recording was stopped")

enum trace_end {
#define X(end, text) end,
    TRACE_ENDS(X)
#undef X
        TRACE_END_COUNT
};

/* A vCPU as one value; 0 for none. */
static inline uint64_t trace_vcpu_name(uint32_t vm, uint32_t vcpu)
{
    return ((uint64_t)vm << 8 | vcpu) + 1;
}

static inline uint32_t trace_name_vm(uint64_t name)
{
    return (uint32_t)((name - 1) >> 8);
}

static inline uint32_t trace_name_vcpu(uint64_t name)
{
    return (uint32_t)(name - 1) & 0xff;
}

/*
 * What a vCPU was left with, by which it is told what has changed when it is
 * entered again. Recorder and replayer keep the same of as many: of vCPUs that
 * share an entry, the one that was left last is known.
 */
#define TRACE_SHADOWS 256

struct trace_shadow {
    uint64_t vcpu; /* by trace_vcpu_name(); 0: none */
    uint64_t fields[TRACE_MAX_FIELDS];
};

static inline unsigned trace_shadow_index(uint64_t vcpu_name)
{
    return (unsigned)(((vcpu_name - 1) & 63) | (vcpu_name - 1) >> 8 << 6) %
           TRACE_SHADOWS;
}

/* The field as `vcpu` was left; 0 if that is not known. */
static inline uint64_t trace_shadow_field(const struct trace_shadow *shadow,
                                          uint64_t vcpu, unsigned field)
{
    return shadow->vcpu == vcpu ? shadow->fields[field] : 0;
}

/* Times are coarse, so that most events bring none: the counter shifted right
 * until it runs at this many Hz or less. */
#define TRACE_TIME_HZ 1000

static inline unsigned trace_time_shift(uint64_t frequency)
{
    unsigned shift = 0;

    while (frequency >> shift > TRACE_TIME_HZ)
        shift++;
    return shift;
}

#define TRACE_MAX_COSTS 256

/* What handling the exits of one kind has cost: time_cycles() of the steps,
 * recording included. */
struct trace_cost {
    uint64_t count, sum, least, most;
};

/* An event without its seam crossings, which lie between head and tail. */
struct trace_event {
    /* Head. */
    uint64_t kind; /* enum trace_event_kind */
    uint64_t cpu;
    uint64_t time; /* coarse */
    uint64_t vcpu; /* EXIT: by trace_vcpu_name() */
    uint64_t mask; /* EXIT: fields that the exit brought: bit n, fields[n] */
    uint64_t fields[TRACE_MAX_FIELDS];

    /* Tail. */
    uint64_t result;    /* INIT: vmm_init()'s */
    uint64_t exit_kind; /* EXIT: enum exit_kind */
    uint64_t changed;   /* EXIT: fields that were given a value, outputs[n] */
    uint64_t kept;      /* those of them that had it before */
    uint64_t outputs[TRACE_MAX_FIELDS];
    uint64_t entered;   /* the vCPU that the CPU enters, or 0 */
    uint64_t rewritten; /* its fields that are not as it was left */
    uint64_t entries[TRACE_MAX_FIELDS];

    /* COSTS and END, which have no crossings. */
    uint64_t end;    /* enum trace_end */
    uint64_t events; /* before this one */
    uint64_t cost_count;
    struct trace_cost costs[EXIT_KIND_COUNT];
};

#define TRACE_PLACES 256

/* Where coder and decoder are: what the next value's keys are made from. */
struct trace_situation {
    uint64_t key;                   /* of the event so far */
    uint64_t row;                   /* its last crossing */
    uint64_t time;                  /* of the last event */
    uint64_t timer;                 /* when a timer was called last, ns */
    uint64_t events[2];             /* kind and CPU of the last two */
    uint64_t entered[TRACE_PLACES]; /* by CPU: the vCPU in tail.entered */
    struct {
        uint64_t pc[2];     /* of the last two exits */
    } places[TRACE_PLACES]; /* by vCPU, as far as they do not collide */
};

#endif
