/* SPDX-License-Identifier: Apache-2.0 */
#include "device/pc/pit_channel.h"

#include "lib/bits.h"

#define BINARY_RANGE 65536
#define BCD_RANGE    10000

/* The control word, and the status. */
#define CONTROL_RW   0x30
#define CONTROL_MODE 0x0e
#define CONTROL_BCD  0x01
#define STATUS_OUT   0x80
#define STATUS_NULL  0x40 /* what was written is not yet loaded */

static uint32_t range_of(const struct pit_channel *channel)
{
    return channel->bcd ? BCD_RANGE : BINARY_RANGE;
}

static bool is_periodic(const struct pit_channel *channel)
{
    return channel->mode == PIT_MODE_2 || channel->mode == PIT_MODE_3;
}

/* Modes in which only a rise of the gate starts the count. */
static bool is_triggered(const struct pit_channel *channel)
{
    return channel->mode == PIT_MODE_1 || channel->mode == PIT_MODE_5;
}

/* Digits over 9 count for what they are: the part's own are not defined. */
static uint32_t from_bcd(uint32_t bcd)
{
    return (bcd >> 12) * 1000 + (bcd >> 8 & 0xf) * 100 + (bcd >> 4 & 0xf) * 10 +
           (bcd & 0xf);
}

static uint32_t to_bcd(uint32_t number)
{
    return number / 1000 % 10 << 12 | number / 100 % 10 << 8 |
           number / 10 % 10 << 4 | number % 10;
}

/* A count of 0 is the highest there is. */
static uint32_t decode_count(const struct pit_channel *channel, uint16_t raw)
{
    uint32_t range = range_of(channel);
    uint32_t count = (channel->bcd ? from_bcd(raw) : raw) % range;

    return count != 0 ? count : range;
}

/* Clocks since the load, which is at the clock after its cause. A square wave
 * that was given a new count may have begun before clock 0. */
static uint64_t clocks_of(const struct pit_channel *channel, uint64_t now)
{
    if (channel->frozen)
        return channel->clocks;
    return (int64_t)(now - channel->start) > 0 ? now - channel->start : 0;
}

/* Mode 3: how long OUT is high, of a period. */
static uint64_t high_half(uint32_t reload)
{
    return (reload + 1) / 2;
}

/* Mode 3 counts down by two, twice a period; from an odd count one less. */
static uint32_t square_count(uint32_t reload, uint64_t position)
{
    uint64_t high = high_half(reload);
    uint64_t within = position < high ? position : position - high;

    return (uint32_t)((reload & ~1U) - 2 * within);
}

static uint16_t count_at(const struct pit_channel *channel, uint64_t now)
{
    uint64_t clocks = clocks_of(channel, now);
    uint32_t range = range_of(channel);
    uint32_t reload = channel->reload;
    uint32_t count = reload;

    if (channel->counts && channel->mode == PIT_MODE_2)
        count = (uint32_t)(reload - clocks % reload);
    else if (channel->counts && channel->mode == PIT_MODE_3)
        count = square_count(reload, clocks % reload);
    else if (channel->counts)
        count = (uint32_t)(reload + range - clocks % range) % range;
    count %= range;
    return (uint16_t)(channel->bcd ? to_bcd(count) : count);
}

bool pit_channel_out(const struct pit_channel *channel, uint64_t now)
{
    uint64_t clocks = clocks_of(channel, now);
    uint32_t reload = channel->reload;

    if (!channel->counts)
        return channel->mode != PIT_MODE_0;
    switch (channel->mode) {
    case PIT_MODE_0:
    /* A clock early: with the trigger, not with the load. */
    case PIT_MODE_1: return clocks >= reload;
    case PIT_MODE_2: return channel->frozen || clocks % reload != reload - 1;
    case PIT_MODE_3:
        return channel->frozen || clocks % reload < high_half(reload);
    case PIT_MODE_4:
    case PIT_MODE_5: break;
    }
    return clocks != reload;
}

/* From what was written; the clock after `now` is the first that counts. */
static void load(struct pit_channel *channel, uint64_t now)
{
    if (channel->written == 0)
        return;
    channel->reload = channel->written;
    channel->start = now + 1;
    channel->clocks = 0;
    channel->counts = true;
    channel->load_at = 0;
    channel->is_null = false;
}

/* When the half of a square wave, or the period, that `now` is in ends. */
static uint64_t end_of_cycle(const struct pit_channel *channel, uint64_t now)
{
    uint64_t clocks = clocks_of(channel, now);
    uint64_t position = clocks % channel->reload;
    uint64_t high = high_half(channel->reload);
    uint64_t begin = channel->start + clocks - position;

    if (channel->mode == PIT_MODE_3 && position < high)
        return begin + high;
    return begin + channel->reload;
}

/* A square wave goes on with its other half, of the new count. */
void pit_channel_sync(struct pit_channel *channel, uint64_t now)
{
    uint64_t at = channel->load_at;
    bool was_high;

    if (at == 0 || now < at || channel->frozen)
        return;
    was_high = channel->mode == PIT_MODE_3 && pit_channel_out(channel, at - 1);
    load(channel, at - 1);
    if (was_high)
        channel->start -= high_half(channel->reload);
}

/* A whole count has been written. */
static void on_count(struct pit_channel *channel, uint16_t raw, uint64_t now)
{
    channel->written = decode_count(channel, raw);
    channel->is_null = true;
    if (is_triggered(channel))
        return;
    if (is_periodic(channel) && channel->counts &&
        (int64_t)(now - channel->start) >= 0) {
        /* With the gate low, its rise will load it. */
        channel->load_at = channel->frozen ? 0 : end_of_cycle(channel, now);
        return;
    }
    load(channel, now);
    channel->frozen = !channel->gate;
}

/* Mode 0: the first of two bytes stops the count. */
static bool write_low(struct pit_channel *channel, uint8_t value)
{
    channel->low = value;
    channel->low_written = true;
    if (channel->mode != PIT_MODE_0)
        return false;
    channel->counts = false;
    return true;
}

bool pit_channel_write(struct pit_channel *channel, uint8_t value, uint64_t now)
{
    uint16_t raw = value;

    if (channel->rw == PIT_RW_BOTH && !channel->low_written)
        return write_low(channel, value);
    if (channel->rw == PIT_RW_BOTH)
        raw = (uint16_t)(channel->low | value << 8);
    else if (channel->rw == PIT_RW_HIGH)
        raw = (uint16_t)(value << 8);
    channel->low_written = false;
    on_count(channel, raw, now);
    return true;
}

bool pit_channel_control(struct pit_channel *channel, uint8_t value,
                         uint64_t now)
{
    enum pit_rw rw = (enum pit_rw)FIELD_GET(CONTROL_RW, value);
    unsigned mode = (unsigned)FIELD_GET(CONTROL_MODE, value);

    if (rw == PIT_LATCH) {
        pit_channel_latch_count(channel, now);
        return false;
    }
    *channel = (struct pit_channel){
        .mode = (enum pit_mode)(mode > PIT_MODE_5 ? mode - 4 : mode),
        .rw = rw,
        .bcd = (value & CONTROL_BCD) != 0,
        .gate = channel->gate,
        .reload = channel->reload,
        .is_null = true,
    };
    return true;
}

void pit_channel_latch_count(struct pit_channel *channel, uint64_t now)
{
    if (channel->count_latched)
        return;
    channel->count_latched = true;
    channel->latched_count = count_at(channel, now);
}

static bool is_loaded(const struct pit_channel *channel, uint64_t now)
{
    return !channel->is_null &&
           (channel->frozen || (int64_t)(now - channel->start) >= 0);
}

void pit_channel_latch_status(struct pit_channel *channel, uint64_t now)
{
    unsigned status = (unsigned)FIELD_PUT(CONTROL_RW, channel->rw) |
                      (unsigned)FIELD_PUT(CONTROL_MODE, channel->mode) |
                      (channel->bcd ? CONTROL_BCD : 0);

    if (channel->status_latched)
        return;
    if (pit_channel_out(channel, now))
        status |= STATUS_OUT;
    if (!is_loaded(channel, now))
        status |= STATUS_NULL;
    channel->status_latched = true;
    channel->latched_status = (uint8_t)status;
}

/* A latched count is held until all of it is read. */
uint8_t pit_channel_read(struct pit_channel *channel, uint64_t now)
{
    uint16_t count;
    bool is_high;

    if (channel->status_latched) {
        channel->status_latched = false;
        return channel->latched_status;
    }
    count = channel->count_latched ? channel->latched_count
                                   : count_at(channel, now);
    is_high = channel->rw == PIT_RW_HIGH ||
              (channel->rw == PIT_RW_BOTH && channel->low_read);
    channel->low_read = channel->rw == PIT_RW_BOTH && !channel->low_read;
    if (!channel->low_read)
        channel->count_latched = false;
    return (uint8_t)(is_high ? count >> 8 : count);
}

static void freeze(struct pit_channel *channel, uint64_t now)
{
    channel->clocks = clocks_of(channel, now);
    channel->frozen = true;
    channel->load_at = 0;
}

static void go_on(struct pit_channel *channel, uint64_t now)
{
    uint64_t start = now - channel->clocks;

    channel->frozen = false;
    /* What is loaded at the next clock still is. */
    if (start > channel->start)
        channel->start = start;
}

/* The data sheet's table "Gate Pin Operations Summary". */
void pit_channel_set_gate(struct pit_channel *channel, bool gate, uint64_t now)
{
    bool rises = gate && !channel->gate;
    bool falls = !gate && channel->gate;

    channel->gate = gate;
    if (rises && (is_triggered(channel) || is_periodic(channel))) {
        channel->frozen = false;
        load(channel, now);
    } else if (rises && channel->frozen) {
        go_on(channel, now);
    } else if (falls && channel->counts && !is_triggered(channel)) {
        freeze(channel, now);
    }
}

/* Of what is loaded, the next rise after `now`. */
static uint64_t rise_of(const struct pit_channel *channel, uint64_t now)
{
    uint64_t reload = channel->reload;
    uint64_t rise = channel->start + reload;

    switch (channel->mode) {
    case PIT_MODE_0:
    case PIT_MODE_1: break;
    case PIT_MODE_2:
    case PIT_MODE_3: return rise + clocks_of(channel, now) / reload * reload;
    case PIT_MODE_4:
    case PIT_MODE_5: rise++; break;
    }
    return rise > now ? rise : PIT_NEVER;
}

uint64_t pit_channel_next_rise(const struct pit_channel *channel, uint64_t now)
{
    struct pit_channel later;
    uint64_t rise;

    if (!channel->counts || channel->frozen)
        return PIT_NEVER;
    rise = rise_of(channel, now);
    if (channel->load_at == 0 || rise <= channel->load_at)
        return rise;
    later = *channel;
    pit_channel_sync(&later, channel->load_at);
    return rise_of(&later, channel->load_at);
}
