/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One channel of an 8254: pure arithmetic on the number of clocks. Whoever
 * calls these at `now` has called pit_channel_sync() at `now`; `now` does not
 * go back.
 */
#ifndef DEVICE_PC_PIT_CHANNEL_H
#define DEVICE_PC_PIT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#define PIT_HZ    UINT64_C(1193182)
#define PIT_NEVER UINT64_MAX

enum pit_mode {
    PIT_MODE_0, /* interrupt on terminal count */
    PIT_MODE_1, /* one-shot, triggered by the gate */
    PIT_MODE_2, /* rate generator */
    PIT_MODE_3, /* square wave */
    PIT_MODE_4, /* strobe */
    PIT_MODE_5  /* strobe, triggered by the gate */
};

enum pit_rw { PIT_LATCH, PIT_RW_LOW, PIT_RW_HIGH, PIT_RW_BOTH };

struct pit_channel {
    enum pit_mode mode;
    enum pit_rw rw;
    bool bcd;
    bool gate;
    bool counts;    /* a count has been loaded, and a trigger come */
    bool frozen;    /* by the gate: `clocks` have passed */
    uint64_t start; /* the clock at which it was loaded */
    uint64_t clocks;
    uint32_t reload;  /* what is counted from: 1 to 65536 */
    uint32_t written; /* what the next load takes; 0: nothing yet */
    bool is_null;     /* `written`, if any, is not yet loaded */
    /* When a periodic channel loads it by itself; 0: it does not. */
    uint64_t load_at;

    bool low_written; /* of two bytes */
    uint8_t low;
    bool low_read;
    bool count_latched, status_latched;
    uint16_t latched_count;
    uint8_t latched_status;
};

void pit_channel_sync(struct pit_channel *channel, uint64_t now);

/* A control word. True: it was not just the command to latch the count. */
bool pit_channel_control(struct pit_channel *channel, uint8_t value,
                         uint64_t now);
/* A byte of a count. True: OUT may have changed, or may rise at another time.
 */
bool pit_channel_write(struct pit_channel *channel, uint8_t value,
                       uint64_t now);
uint8_t pit_channel_read(struct pit_channel *channel, uint64_t now);
void pit_channel_latch_count(struct pit_channel *channel, uint64_t now);
void pit_channel_latch_status(struct pit_channel *channel, uint64_t now);
void pit_channel_set_gate(struct pit_channel *channel, bool gate, uint64_t now);

bool pit_channel_out(const struct pit_channel *channel, uint64_t now);
/* The first clock after `now` at which OUT rises, or PIT_NEVER. */
uint64_t pit_channel_next_rise(const struct pit_channel *channel, uint64_t now);

#endif
