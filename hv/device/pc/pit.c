/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 8254 programmable interval timer of a PC: Intel's data sheet. With it,
 * port 0x61 of the chipset, through which channel 2 is started and seen.
 *
 *   0x40 to 0x42   count of channel 0 to 2
 *   0x43           control word, write-only
 *   0x61           bit 0: gate of channel 2; 1: speaker; 2, 3: checks off;
 *                  4: refresh, toggling; 5: OUT of channel 2
 *
 * Nothing counts by itself: count and OUT follow from the number of clocks
 * since the count was loaded, which is at the clock after the write, as the
 * data sheet has it. The only timer is for channel 0's interrupt.
 *
 * OUT of channel 0 is the interrupt line. Where it is periodic the line is
 * pulsed when OUT rises rather than following it. Edges that the host is too
 * late for become one; and so do those of a period under MIN_PERIOD_NS, or a
 * guest could keep a CPU busy with them.
 *
 * Nothing counts after a reset: the data sheet leaves it open.
 */
#include "device/device.h"
#include "device/pc/alarm.h"
#include "device/pc/pit_channel.h"
#include "lib/bits.h"
#include "memory/arena.h"

#define PIT_GSI        2
#define MIN_PERIOD_NS  UINT64_C(100000)
#define REFRESH_CLOCKS 18 /* of channel 1, as a PC's firmware sets it up */

#define PIT_CONTROL 3
#define CHANNELS    3
#define SPEAKER     2 /* its channel */

/* The control word. */
#define CONTROL_CHANNEL  0xc0
#define CONTROL_READBACK 3
/* The read-back command: what is NOT latched, and of which channels. */
#define READBACK_NO_COUNT  0x20
#define READBACK_NO_STATUS 0x10
#define READBACK_CHANNEL_0 0x02

#define PORT61_GATE    0x01
#define PORT61_WRITTEN 0x0f
#define PORT61_REFRESH 0x10
#define PORT61_OUT     0x20

enum { RANGE_PIT, RANGE_PORT61, RANGES };

struct pit {
    struct device device; /* whose lock guards all that follows */
    struct pit_channel channels[CHANNELS];
    uint8_t port61;
    bool line;        /* the interrupt line */
    uint64_t edge_at; /* when OUT of channel 0 rises, in clocks */
    struct alarm alarm;
};

static struct pit *to_pit(struct device *device)
{
    return container_of(device, struct pit, device);
}

static uint64_t clocks_at(uint64_t nanos)
{
    return alarm_cycles(nanos, PIT_HZ);
}

static void set_line(struct pit *pit, bool high)
{
    if (pit->line == high)
        return;
    pit->line = high;
    device_set_irq(&pit->device, high);
}

/* Waits for OUT's next rise; not before `earliest`. */
static void wait_for_edge(struct pit *pit, uint64_t now, uint64_t earliest)
{
    uint64_t nanos;

    pit->edge_at = pit_channel_next_rise(&pit->channels[0], now);
    if (pit->edge_at == PIT_NEVER) {
        alarm_cancel(&pit->alarm);
        return;
    }
    nanos = alarm_nanos(pit->edge_at, PIT_HZ);
    alarm_set(&pit->alarm, nanos > earliest ? nanos : earliest);
}

/* The line, as OUT is at a pulse's end. */
static bool is_high(const struct pit *pit, uint64_t now)
{
    const struct pit_channel *channel = &pit->channels[0];

    return channel->mode != PIT_MODE_0 || pit_channel_out(channel, now);
}

/* Channel 0 has been written. */
static void update(struct pit *pit, uint64_t now)
{
    set_line(pit, is_high(pit, now));
    wait_for_edge(pit, now, 0);
}

static void pit_on_alarm(void *context, uint64_t now_ns)
{
    struct pit *pit = context;
    struct irq_chip *chip = pit->device.irq_chip;
    uint64_t now = clocks_at(now_ns);

    spin_lock(&pit->device.lock);
    if (pit->edge_at != PIT_NEVER && now >= pit->edge_at) {
        pit_channel_sync(&pit->channels[0], now);
        if (pit->line && chip != NULL)
            chip->pulse(chip, pit->device.irq);
        else
            set_line(pit, true);
        wait_for_edge(pit, now, now_ns + MIN_PERIOD_NS);
    }
    spin_unlock(&pit->device.lock);
}

static void read_back(struct pit *pit, uint8_t value, uint64_t now)
{
    for (unsigned i = 0; i < CHANNELS; i++) {
        if ((value & READBACK_CHANNEL_0 << i) == 0)
            continue;
        if ((value & READBACK_NO_COUNT) == 0)
            pit_channel_latch_count(&pit->channels[i], now);
        if ((value & READBACK_NO_STATUS) == 0)
            pit_channel_latch_status(&pit->channels[i], now);
    }
}

static void write_control(struct pit *pit, uint8_t value, uint64_t now)
{
    unsigned number = (unsigned)FIELD_GET(CONTROL_CHANNEL, value);

    if (number == CONTROL_READBACK)
        read_back(pit, value, now);
    else if (pit_channel_control(&pit->channels[number], value, now) &&
             number == 0)
        update(pit, now);
}

static void write_port61(struct pit *pit, uint8_t value, uint64_t now)
{
    pit->port61 = value & PORT61_WRITTEN;
    pit_channel_set_gate(&pit->channels[SPEAKER], (value & PORT61_GATE) != 0,
                         now);
}

static uint8_t read_port61(struct pit *pit, uint64_t now)
{
    uint8_t value = pit->port61;

    if (now / REFRESH_CLOCKS % 2 != 0)
        value |= PORT61_REFRESH;
    if (pit_channel_out(&pit->channels[SPEAKER], now))
        value |= PORT61_OUT;
    return value;
}

static err_t pit_read(struct device *device, unsigned range, uint64_t offset,
                      unsigned width, uint64_t *value)
{
    struct pit *pit = to_pit(device);
    uint64_t now = clocks_at(time_nanos());

    for (unsigned i = 0; i < CHANNELS; i++)
        pit_channel_sync(&pit->channels[i], now);
    if (range == RANGE_PORT61)
        *value = read_port61(pit, now);
    else if (offset == PIT_CONTROL)
        *value = UINT8_MAX;
    else
        *value = pit_channel_read(&pit->channels[offset], now);
    return OK;
}

static err_t pit_write(struct device *device, unsigned range, uint64_t offset,
                       unsigned width, uint64_t value)
{
    struct pit *pit = to_pit(device);
    uint64_t now = clocks_at(time_nanos());

    for (unsigned i = 0; i < CHANNELS; i++)
        pit_channel_sync(&pit->channels[i], now);
    if (range == RANGE_PORT61)
        write_port61(pit, (uint8_t)value, now);
    else if (offset == PIT_CONTROL)
        write_control(pit, (uint8_t)value, now);
    else if (pit_channel_write(&pit->channels[offset], (uint8_t)value, now) &&
             offset == 0)
        update(pit, now);
    return OK;
}

static void pit_reset(struct device *device)
{
    struct pit *pit = to_pit(device);

    for (unsigned i = 0; i < CHANNELS; i++)
        pit->channels[i] =
            (struct pit_channel){.rw = PIT_RW_BOTH, .gate = i != SPEAKER};
    pit->port61 = 0;
    pit->edge_at = PIT_NEVER;
    alarm_cancel(&pit->alarm);
    pit->line = false;
    device_set_irq(device, false);
}

static void pit_release(struct device *device)
{
    alarm_end(&to_pit(device)->alarm);
}

static const struct device_ops pit_ops = {
    .read = pit_read,
    .write = pit_write,
    .reset = pit_reset,
    .release = pit_release,
};

static err_t pit_create(const struct device_context *context,
                        struct device **device, const char **what)
{
    struct pit *pit = arena_new(context->arena, struct pit);

    if (pit == NULL)
        return ERR_NO_MEMORY;
    alarm_init(&pit->alarm, pit_on_alarm, pit);
    pit->device.ops = &pit_ops;
    pit->device.range_count = RANGES;
    pit->device.ranges[RANGE_PIT] =
        (struct device_range){0x40, CHANNELS + 1, BUS_PORT, RANGE_PIT, WIDTH_1};
    pit->device.ranges[RANGE_PORT61] =
        (struct device_range){0x61, 1, BUS_PORT, RANGE_PORT61, WIDTH_1};
    pit->device.irq_chip = context->irq_chip;
    pit->device.irq = PIT_GSI;
    *device = &pit->device;
    return OK;
}

static const struct device_model pit_model = {
    .compatible = "intel,i8254",
    .create = pit_create,
};

DEVICE_MODEL(pit_model);
