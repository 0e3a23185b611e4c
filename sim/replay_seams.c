/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seams during a replay: each crossing must be the one that was recorded
 * next, with the same arguments. What comes in is what came in then; only RUN
 * rows are carried out.
 */
#include <string.h>

#include "sim/clock.h"
#include "sim/replay_engine.h"

/* Rows beyond the generic: what their values mean is known here. */
static bool is_row(const struct shim_call *call, enum shim_id id)
{
    return call->id == id;
}

/* The shim of this name, looked for from `guess` on; SHIM_COUNT: none is. */
static unsigned find_shim(const char *name, unsigned guess)
{
    for (unsigned i = 0; i < SHIM_COUNT; i++) {
        unsigned id = (guess + i) % SHIM_COUNT;

        if (strcmp(name, shim_rows[id].name) == 0)
            return id;
    }
    return SHIM_COUNT;
}

/* Rows are mostly in the order of the shims. */
void replay_map_rows(struct replay *replay)
{
    const struct trace_start *start = replay->start;
    unsigned guess = 0;

    for (unsigned row = ROW_LAST_SPECIAL + 1; row < start->row_count; row++) {
        unsigned id = find_shim(start->rows[row].name, guess);

        if (id == SHIM_COUNT)
            continue;
        replay->rows[id] = (uint16_t)row;
        guess = id + 1;
    }
}

static void check_decoder(struct replay *replay)
{
    if (unlikely(trace_decoder_error(replay->decoder) != NULL))
        replay_fail(replay, NULL);
}

/* What the trace says is crossed next, as text. */
static const char *next_row_name(struct replay *replay)
{
    if (replay->timer_is_next)
        return "a timer's function is called";
    switch (trace_peek_row(replay->decoder)) {
    case ROW_NONE: return "the step returns";
    case ROW_TIMER: return "a timer's function is called";
    case ROW_CUT: return "the machine is powered off";
    default:
        return trace_row_name(replay->start, trace_peek_row(replay->decoder));
    }
}

/* The next crossing must be of `row`. */
static void expect_row(struct replay *replay, unsigned row, const char *name)
{
    unsigned next =
        replay->timer_is_next ? ROW_TIMER : trace_peek_row(replay->decoder);

    check_decoder(replay);
    if (unlikely(next != row || row == ROW_NONE))
        replay_differ_text(replay, next_row_name(replay), name, "what is done");
    (void)trace_decode_row(replay->decoder);
}

void replay_expect_no_row(struct replay *replay)
{
    if (replay->timer_is_next || trace_peek_row(replay->decoder) != ROW_NONE) {
        check_decoder(replay);
        replay_differ_text(replay, next_row_name(replay), "the step returns",
                           "what is done");
    }
    (void)trace_decode_row(replay->decoder);
}

static void expect_args(struct replay *replay, const struct shim_call *call)
{
    const struct trace_row *row = &replay->start->rows[replay->rows[call->id]];
    unsigned count = row->arg_count;

    for (unsigned arg = 0; arg < count; arg++) {
        uint64_t expected = trace_decode_arg(replay->decoder, arg);
        uint64_t actual = arg < call->arg_count ? call->args[arg] : 0;

        if (unlikely(expected != actual)) {
            check_decoder(replay);
            replay_differ(replay, expected, actual, "%s(): argument %u",
                          row->name, arg + 1);
        }
    }
}

static void expect_call(struct replay *replay, const struct shim_call *call)
{
    expect_row(replay, replay->rows[call->id], shim_rows[call->id].name);
    expect_args(replay, call);
}

static void expect_bytes(struct replay *replay, const struct shim_call *call)
{
    const uint8_t *actual = call->bytes;
    const uint8_t *expected;
    const char *name = shim_rows[call->id].name;
    size_t size, same = 0;

    expected = trace_decode_bytes(replay->decoder, &size);
    check_decoder(replay);
    while (same < size && same < call->result && actual[same] == expected[same])
        same++;
    if (likely(same == size && same == call->result))
        return;
    if (same < size && same < call->result)
        replay_differ(replay, expected[same], actual[same], "%s(): byte %zu",
                      name, same);
    replay_differ(replay, size, call->result, "%s(): number of bytes", name);
}

/* Frames that the trace hands out become RAM of this process. */
static void note_frames(struct replay *replay, const struct shim_call *call,
                        uint64_t result)
{
    switch (call->id) {
    case SHIM_memory_alloc_frame:
        if (result != 0)
            replay_take_frames(replay, result, 1);
        break;
    case SHIM_memory_alloc_contiguous:
        if (result != 0)
            replay_take_frames(replay, result, call->args[0]);
        break;
    case SHIM_memory_free_frame:
        replay_give_frames(replay, call->args[0], 1);
        break;
    case SHIM_memory_free_contiguous:
        replay_give_frames(replay, call->args[0], call->args[1]);
        break;
    default: break;
    }
}

/* The recorded machine may have gone off in this call. */
static void note_power_off(struct replay *replay, const struct shim_call *call)
{
    if (is_row(call, SHIM_host_power_off) &&
        trace_peek_row(replay->decoder) == ROW_CUT)
        longjmp(replay->stop, REPLAY_IS_CUT);
}

static bool feed(void *context, const struct shim_call *call, uint64_t *result)
{
    struct replay *replay = context;

    expect_call(replay, call);
    switch (shim_rows[call->id].kind) {
    case SHIM_KIND_FN: *result = trace_decode_result(replay->decoder); break;
    case SHIM_KIND_PUT: expect_bytes(replay, call); break;
    default: note_power_off(replay, call); break;
    }
    check_decoder(replay);
    note_frames(replay, call, *result);
    return true;
}

static bool feed_bytes(void *context, const struct shim_call *call,
                       void *buffer, size_t size, size_t *filled)
{
    struct replay *replay = context;
    const void *bytes;

    expect_call(replay, call);
    bytes = trace_decode_bytes(replay->decoder, filled);
    check_decoder(replay);
    if (*filled > size)
        replay_differ(replay, *filled, size, "%s(): room for bytes",
                      shim_rows[call->id].name);
    memcpy(buffer, bytes, *filled);
    return true;
}

/* Whether a timer comes next; takes its arguments then. */
static void take_timer(struct replay *replay)
{
    if (replay->timer_is_next || trace_peek_row(replay->decoder) != ROW_TIMER)
        return;
    (void)trace_decode_row(replay->decoder);
    replay->timer_token = trace_decode_arg(replay->decoder, 0);
    replay->timer_now = trace_decode_arg(replay->decoder, 1);
    replay->timer_is_next = true;
    check_decoder(replay);
}

static void timer_fires(struct replay *replay, uint64_t token, uint64_t now_ns)
{
    take_timer(replay);
    if (!replay->timer_is_next)
        replay_differ_text(replay, next_row_name(replay),
                           "a timer's function is called", "what is done");
    replay->timer_is_next = false;
    if (replay->timer_token != token)
        replay_differ(replay, replay->timer_token, token, "timer that fires");
    if (replay->timer_now != now_ns)
        replay_differ(replay, replay->timer_now, now_ns,
                      "time at which a timer fires");
}

/* The clock's listener has no context: the replay whose timers it hears of. */
static struct replay *listening;

static void on_timer(uint64_t token, uint64_t now_ns)
{
    timer_fires(listening, token, now_ns);
}

/*
 * RUN rows, before they are carried out. A function's result is known already:
 * if the host had run out of timers, it does now. When timers fire, it is the
 * time it was.
 */
static void before(void *context, const struct shim_call *call)
{
    struct replay *replay = context;

    if (likely(shim_rows[call->id].flow != RUN))
        return;
    expect_call(replay, call);
    if (shim_rows[call->id].kind == SHIM_KIND_FN)
        replay->run_result = trace_decode_result(replay->decoder);
    check_decoder(replay);
    if (is_row(call, SHIM_time_register_timer) &&
        replay->run_result == TIMER_NONE)
        shim_fail_nth(1, shim_rows[call->id].name, false);
    if (!is_row(call, SHIM_arch_handle_irq))
        return;
    take_timer(replay);
    if (replay->timer_is_next)
        clock_set_nanos(replay->timer_now);
}

static void after(void *context, const struct shim_call *call)
{
    struct replay *replay = context;

    if (likely(shim_rows[call->id].flow != RUN))
        return;
    shim_fail_never();
    if (shim_rows[call->id].kind == SHIM_KIND_FN &&
        call->result != replay->run_result)
        replay_differ(replay, replay->run_result, call->result, "%s(): result",
                      shim_rows[call->id].name);
    if (replay->timer_is_next)
        replay_differ_text(replay, "a timer's function is called",
                           "no timer is due", "what is done");
}

void replay_listen(struct replay *replay, struct shim_hooks *hooks)
{
    *hooks = (struct shim_hooks){.context = replay,
                                 .before = before,
                                 .feed = feed,
                                 .feed_bytes = feed_bytes,
                                 .after = after};
    listening = replay;
    shim_set_hooks(hooks);
    clock_set_announce(on_timer);
}

void replay_stop_listening(void)
{
    shim_set_hooks(NULL);
    shim_fail_never();
    clock_set_announce(NULL);
    listening = NULL;
}
