/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replay's own structure, for its files: replay.c (the machine, and what
 * goes into and comes out of a step), replay_seams.c (what crosses the seams
 * meanwhile), replay_frames.c (the frames that the trace hands out) and
 * replay_report.c (a difference in words).
 */
#ifndef SIM_REPLAY_ENGINE_H
#define SIM_REPLAY_ENGINE_H

#include <setjmp.h>

#include "sim/replay.h"
#include "sim/shim.h"
#include "sim/trace_arch.h"

/* Fake RAM as the trace has handed it out. */
struct replay_frames {
    uint64_t base, count;
    uint64_t *used;  /* bit per frame: allocated */
    uint64_t *dirty; /* bit per frame: was allocated before */
};

struct replay {
    struct trace_decoder *decoder;
    const struct trace_start *start;
    struct trace_layout layout;
    struct trace_event event;
    struct replay_result *result;
    struct replay_frames frames;

    /* A shim's number to the row's in the stream; 0: the trace has no such. */
    uint16_t rows[SHIM_COUNT];
    /* What is crossed next, if it is a timer whose arguments were taken. */
    bool timer_is_next;
    uint64_t timer_token, timer_now;
    uint64_t run_result; /* of the RUN function that is being called */

    /* The words of the vCPU's registers when the step began: what the exit
     * brought, and poison. Between steps all of it is poison. */
    uint64_t before[TRACE_MAX_WORDS];

    /* By vCPU, as in the recorder: the registers it was left with, and which
     * of its fields hold something else than the poison. */
    struct trace_shadow shadows[TRACE_SHADOWS];
    uint64_t known[TRACE_SHADOWS];

    struct vcpu *scratch;
    jmp_buf stop; /* out of a step that cannot go on */
};

/* Values for replay->stop. */
enum replay_stop {
    REPLAY_GOES_ON,
    REPLAY_DIFFERS, /* result->first says how */
    REPLAY_FAILS,   /* result->error says why, or the decoder does */
    REPLAY_IS_CUT,  /* the machine was powered off here */
};

/* Leaves the step: something differs. `expected` and `actual` are numbers, or
 * texts; the format is the field's name. */
_Noreturn void replay_differ(struct replay *replay, uint64_t expected,
                             uint64_t actual, const char *field, ...)
    PRINTF_LIKE(4, 5);
_Noreturn void replay_differ_text(struct replay *replay, const char *expected,
                                  const char *actual, const char *field);
/* Leaves the step: the replay cannot go on. NULL: the decoder says why. */
_Noreturn void replay_fail(struct replay *replay, const char *why);

/* Fills in the difference's circumstances from the event. */
void replay_describe(struct replay *replay);

/* --- replay_seams.c --- */

/* Has the replay see what crosses the seams, through `hooks`, which must live
 * until the second call. */
void replay_listen(struct replay *replay, struct shim_hooks *hooks);
void replay_stop_listening(void);
/* Finds the trace's rows among the shims. */
void replay_map_rows(struct replay *replay);
/* The step has returned: nothing more may have been recorded for it. */
void replay_expect_no_row(struct replay *replay);

/* --- replay_frames.c --- */

/* False when there is no memory, or the process has no such RAM. */
bool replay_frames_init(struct replay *replay);
void replay_frames_fini(struct replay *replay);
/* The trace hands out frames, and takes them back. */
void replay_take_frames(struct replay *replay, uint64_t first, uint64_t count);
void replay_give_frames(struct replay *replay, uint64_t first, uint64_t count);

#endif
