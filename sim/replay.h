/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a trace: builds the machine that it was recorded on, in fake RAM at
 * the same addresses, and has the hypervisor handle every exit again. What
 * came in through the seams then comes from the trace now; what goes out is
 * compared. The first difference ends the replay, since what follows it has
 * another past.
 */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

#include "sim/trace_decode.h"

#define REPLAY_TEXT_SIZE 128

/* Where and how the replay first did something else than the recording. */
struct replay_difference {
    uint64_t event; /* counted from 0, the making of the VMs */
    uint64_t exit;  /* exits before it */
    uint32_t cpu;
    bool has_vcpu; /* the event was an exit */
    uint32_t vm, vcpu;
    char reason[REPLAY_TEXT_SIZE]; /* of the exit, or what the event was */
    char field[REPLAY_TEXT_SIZE];  /* what differs */
    char expected[REPLAY_TEXT_SIZE], actual[REPLAY_TEXT_SIZE];
    /* The trapped instruction as recorded, and where `expected` and `actual`
     * are instructions, those; "" where the trace does not tell. */
    char insn[REPLAY_TEXT_SIZE];
    char expected_insn[REPLAY_TEXT_SIZE], actual_insn[REPLAY_TEXT_SIZE];
};

struct replay_options {
    uint64_t until; /* events to replay at most; 0: all */
    /* Called for each event from `from` on, when it has been verified. May be
     * NULL. */
    uint64_t from;
    void (*verified)(void *context, uint64_t number,
                     const struct trace_event *event);
    void *context;
};

struct replay_result {
    uint64_t events, exits; /* verified */
    uint64_t divergences;   /* 0 or 1 */
    struct replay_difference first;
    bool ended; /* the trace's end was reached, or options.until */
    /* There was nothing more, in the middle of an event or without an END:
     * whoever has the file knows whether that is its fault. */
    bool interrupted;
    bool has_end; /* the trace has an END event, and says why: */
    enum trace_end end;
    double seconds;
    char warning[TRACE_ERROR_SIZE]; /* "" when there is none */
    /* Why the replay could not go on, divergences apart; "" when it did. */
    char error[TRACE_ERROR_SIZE];
};

/* Called before event options.from is replayed: a place for a breakpoint
 * (docs/record-replay.md). */
void replay_from_here(void);

/*
 * Replays what `decoder`, fresh from trace_decoder_open(), has. It uses the
 * process's one fake machine, and leaves it reset. True when everything is
 * identical as far as it was asked for.
 */
bool replay_run(struct trace_decoder *decoder,
                const struct replay_options *options,
                struct replay_result *result);

#endif
