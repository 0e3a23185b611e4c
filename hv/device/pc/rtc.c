/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MC146818 real-time clock of a PC, with 128 bytes of which the clock does
 * not need most: Motorola's data sheet, and what PCs keep in the other bytes.
 *
 *   0x70   index; bit 7 would mask NMIs of the chipset, which has none.
 *          Write-only
 *   0x71   the register of that index
 *
 * Properties of the configuration node, besides those of all devices:
 *   boot-time     seconds since 1970 when the VM is made, two cells; by
 *                 default the year 2000 begins
 *
 * Time is not counted but follows from the host's. Flags are found out when
 * somebody looks: what has happened since the last look. There is a host timer
 * only while an interrupt is enabled, and it is not yet requested.
 *
 * The day of the week follows from the date, and a register that holds no
 * valid value is taken for the nearest one once the clock runs. Daylight
 * saving (which US law outdated), square wave and other crystals are absent.
 * The battery is good: a reset keeps time and memory.
 */
#include <libfdt.h>

#include "device/device.h"
#include "device/pc/acpi.h"
#include "device/pc/alarm.h"
#include "device/pc/calendar.h"
#include "lib/bits.h"
#include "memory/arena.h"

#define RTC_PORT  0x70
#define RTC_GSI   8
#define REGISTERS 128
#define INDEX     0x7f

enum {
    SECONDS,
    SECONDS_ALARM,
    MINUTES,
    MINUTES_ALARM,
    HOURS,
    HOURS_ALARM,
    WEEKDAY,
    DAY,
    MONTH,
    YEAR,
    REG_A,
    REG_B,
    REG_C,
    REG_D,
    /* What PCs and QEMU keep in the rest. */
    BASE_MEMORY = 0x15,     /* in KiB */
    EXTENDED_MEMORY = 0x17, /* in KiB, and again: */
    EXTENDED_MEMORY_2 = 0x30,
    CENTURY = 0x32,
    MEMORY_OVER_16M = 0x34, /* in 64 KiB */
    MEMORY_OVER_4G = 0x5b,  /* in 64 KiB, three bytes */
    OTHER_CPUS = 0x5f
};

#define A_UIP          0x80
#define A_DIVIDER      0x70
#define A_RATE         0x0f
#define A_AT_POWER_ON  0x26
#define DIVIDER_NORMAL 2 /* up to here, it runs: crystals differ */

#define B_SET   0x80
#define B_PIE   0x40
#define B_AIE   0x20
#define B_UIE   0x10
#define B_SQWE  0x08
#define B_DM    0x04 /* binary */
#define B_24H   0x02
#define HOUR_PM 0x80

#define C_IRQF    0x80
#define C_FLAGS   0x70 /* where B has the enables */
#define C_PF      0x40
#define C_AF      0x20
#define C_UF      0x10
#define D_VRT     0x80
#define DONT_CARE 0xc0 /* of an alarm: both bits set */
#define NO_ALARM  UINT64_MAX

#define SECOND_NS  INT64_C(1000000000)
#define HALF_NS    (SECOND_NS / 2)
#define UIP_NS     244000 /* before the update */
#define DIVIDER_HZ 32768
#define YEAR_2000  UINT64_C(946684800)
#define MIB        (UINT64_C(1) << 20)
#define GIB        (UINT64_C(1) << 30)
#define BASE_KIB   640

struct rtc {
    struct device device; /* whose lock guards all that follows */
    uint8_t index;
    uint8_t registers[REGISTERS]; /* those of time while it stands still */
    bool irq_high;
    /* When second `base_seconds` since 1970 began; it may be before 0. */
    int64_t base_ns;
    uint64_t base_seconds;
    /* The last look: what has been taken into account. */
    uint64_t seen_seconds;
    uint64_t seen_periods;
    bool shows_seen; /* the registers of time are those of `seen_seconds` */
    struct alarm alarm;
};

static struct rtc *to_rtc(struct device *device)
{
    return container_of(device, struct rtc, device);
}

static bool is_divider_on(const struct rtc *rtc)
{
    return FIELD_GET(A_DIVIDER, rtc->registers[REG_A]) <= DIVIDER_NORMAL;
}

static bool is_running(const struct rtc *rtc)
{
    return is_divider_on(rtc) && (rtc->registers[REG_B] & B_SET) == 0;
}

/* Numbers as the registers have them ----------------------------------------*/

static uint8_t encode(const struct rtc *rtc, uint32_t number)
{
    if (rtc->registers[REG_B] & B_DM)
        return (uint8_t)number;
    return (uint8_t)(number / 10 % 10 << 4 | number % 10);
}

/* A digit over 9 makes a number that no register has. */
#define NO_NUMBER 255
static uint32_t decode(const struct rtc *rtc, uint8_t byte)
{
    if (rtc->registers[REG_B] & B_DM)
        return byte;
    if ((byte & 0xf) > 9 || byte >> 4 > 9)
        return NO_NUMBER;
    return (uint32_t)(byte >> 4) * 10 + (byte & 0xf);
}

static uint8_t encode_hour(const struct rtc *rtc, uint32_t hour)
{
    uint8_t byte;

    if (rtc->registers[REG_B] & B_24H)
        return encode(rtc, hour);
    byte = encode(rtc, hour % 12 == 0 ? 12 : hour % 12);
    return hour >= 12 ? byte | HOUR_PM : byte;
}

static uint32_t decode_hour(const struct rtc *rtc, uint8_t byte)
{
    uint32_t hour;

    if (rtc->registers[REG_B] & B_24H)
        return decode(rtc, byte);
    hour = decode(rtc, byte & (uint8_t)~HOUR_PM);
    if (hour == 0 || hour > 12)
        return NO_NUMBER;
    return hour % 12 + (byte & HOUR_PM ? 12 : 0);
}

static void store_time(struct rtc *rtc, uint64_t seconds)
{
    struct calendar c;
    uint8_t *registers = rtc->registers;

    calendar_of_seconds(seconds, &c);
    registers[SECONDS] = encode(rtc, c.second);
    registers[MINUTES] = encode(rtc, c.minute);
    registers[HOURS] = encode_hour(rtc, c.hour);
    registers[WEEKDAY] = encode(rtc, c.weekday);
    registers[DAY] = encode(rtc, c.day);
    registers[MONTH] = encode(rtc, c.month);
    registers[YEAR] = encode(rtc, c.year % 100);
    registers[CENTURY] = encode(rtc, c.year / 100);
}

static uint64_t load_time(const struct rtc *rtc)
{
    const uint8_t *registers = rtc->registers;
    struct calendar c = {
        .second = decode(rtc, registers[SECONDS]),
        .minute = decode(rtc, registers[MINUTES]),
        .hour = decode_hour(rtc, registers[HOURS]),
        .day = decode(rtc, registers[DAY]),
        .month = decode(rtc, registers[MONTH]),
        .year = decode(rtc, registers[CENTURY]) * 100 +
                decode(rtc, registers[YEAR]),
    };

    return calendar_to_seconds(&c);
}

/* Time, and what has happened since the last look ---------------------------*/

/* Nanoseconds since the time that second `base_seconds` began. */
static uint64_t since_base(const struct rtc *rtc, uint64_t now)
{
    return (uint64_t)((int64_t)now - rtc->base_ns);
}

static uint64_t seconds_at(const struct rtc *rtc, uint64_t now)
{
    return rtc->base_seconds + since_base(rtc, now) / (uint64_t)SECOND_NS;
}

/* When second `seconds`, which is to come, begins. */
static uint64_t begin_of(const struct rtc *rtc, uint64_t seconds)
{
    return (uint64_t)(rtc->base_ns) +
           (seconds - rtc->base_seconds) * (uint64_t)SECOND_NS;
}

/* The periodic interrupt's frequency, or 0. The two fastest by name are those
 * of another crystal. */
static uint64_t rate_of(const struct rtc *rtc)
{
    unsigned rate = rtc->registers[REG_A] & A_RATE;

    if (rate == 0 || !is_divider_on(rtc))
        return 0;
    return DIVIDER_HZ >> (rate <= 2 ? rate + 6 : rate - 1);
}

static uint64_t periods_at(const struct rtc *rtc, uint64_t now)
{
    uint64_t rate = rate_of(rtc);

    return rate != 0 ? alarm_cycles(since_base(rtc, now), rate) : 0;
}

/* The first second after `after` that the alarm's registers match. */
static uint64_t next_alarm(const struct rtc *rtc, uint64_t after)
{
    const uint8_t *registers = rtc->registers;
    struct calendar_match match = {
        .second = decode(rtc, registers[SECONDS_ALARM]),
        .minute = decode(rtc, registers[MINUTES_ALARM]),
        .hour = decode_hour(rtc, registers[HOURS_ALARM]),
    };

    if (registers[SECONDS_ALARM] >= DONT_CARE)
        match.second = CALENDAR_ANY;
    if (registers[MINUTES_ALARM] >= DONT_CARE)
        match.minute = CALENDAR_ANY;
    if (registers[HOURS_ALARM] >= DONT_CARE)
        match.hour = CALENDAR_ANY;
    return calendar_next_match(after, &match);
}

static void set_flags(struct rtc *rtc, uint8_t flags)
{
    uint8_t *c = &rtc->registers[REG_C];

    *c |= flags;
    if (*c & rtc->registers[REG_B] & C_FLAGS)
        *c |= C_IRQF;
    else
        *c &= (uint8_t)~C_IRQF;
}

static void sync(struct rtc *rtc, uint64_t now)
{
    uint64_t periods = periods_at(rtc, now);
    uint64_t seconds = seconds_at(rtc, now);
    uint8_t flags = 0;

    if (periods > rtc->seen_periods)
        flags |= C_PF;
    rtc->seen_periods = periods;
    if (is_running(rtc)) {
        if (seconds > rtc->seen_seconds) {
            flags |= C_UF;
            if (seconds >= next_alarm(rtc, rtc->seen_seconds))
                flags |= C_AF;
        }
        if (seconds != rtc->seen_seconds || !rtc->shows_seen)
            store_time(rtc, seconds);
        rtc->seen_seconds = seconds;
        rtc->shows_seen = true;
    }
    set_flags(rtc, flags);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When the next enabled interrupt is due; NO_ALARM: there is none. */
static uint64_t next_event(const struct rtc *rtc)
{
    uint8_t enabled = rtc->registers[REG_B];
    uint64_t rate = rate_of(rtc);
    uint64_t event = NO_ALARM;
    uint64_t second;

    if ((enabled & B_PIE) && rate != 0)
        event =
            (uint64_t)rtc->base_ns + alarm_nanos(rtc->seen_periods + 1, rate);
    if (!is_running(rtc))
        return event;
    if (enabled & B_UIE)
        event = earlier(event, begin_of(rtc, rtc->seen_seconds + 1));
    if (enabled & B_AIE) {
        second = next_alarm(rtc, rtc->seen_seconds);
        if (second != CALENDAR_NEVER)
            event = earlier(event, begin_of(rtc, second));
    }
    return event;
}

/* The line follows IRQF; while it is high, there is nothing to wait for. */
static void update(struct rtc *rtc)
{
    bool high = (rtc->registers[REG_C] & C_IRQF) != 0;
    uint64_t event = high ? NO_ALARM : next_event(rtc);

    if (event != NO_ALARM)
        alarm_set(&rtc->alarm, event);
    else
        alarm_cancel(&rtc->alarm);
    if (high != rtc->irq_high) {
        rtc->irq_high = high;
        device_set_irq(&rtc->device, high);
    }
}

static void rtc_on_alarm(void *context, uint64_t now_ns)
{
    struct rtc *rtc = context;

    spin_lock(&rtc->device.lock);
    sync(rtc, now_ns);
    update(rtc);
    spin_unlock(&rtc->device.lock);
}

/* Registers ---------------------------------------------------------------*/

static uint8_t read_a(const struct rtc *rtc, uint64_t now)
{
    uint8_t value = rtc->registers[REG_A];
    uint64_t within = since_base(rtc, now) % (uint64_t)SECOND_NS;

    if (is_running(rtc) && within >= (uint64_t)SECOND_NS - UIP_NS)
        value |= A_UIP;
    return value;
}

static uint8_t read_c(struct rtc *rtc)
{
    uint8_t value = rtc->registers[REG_C];

    rtc->registers[REG_C] = 0;
    update(rtc);
    return value;
}

/* What the registers of time say holds from now on. */
static void take_time(struct rtc *rtc, uint64_t now)
{
    uint64_t within = since_base(rtc, now) % (uint64_t)SECOND_NS;

    rtc->base_ns = (int64_t)(now - within);
    rtc->base_seconds = load_time(rtc);
    rtc->seen_seconds = rtc->base_seconds;
    rtc->seen_periods = periods_at(rtc, now);
}

/* A divider that leaves its reset ends the first second half a second on. */
static void write_a(struct rtc *rtc, uint8_t value, uint64_t now)
{
    bool was_on = is_divider_on(rtc);

    rtc->registers[REG_A] = value & (uint8_t)~A_UIP;
    if (!was_on && is_divider_on(rtc)) {
        rtc->base_ns = (int64_t)now - HALF_NS;
        take_time(rtc, now);
    }
    rtc->seen_periods = periods_at(rtc, now);
}

/* The registers are not converted when their format changes: B_SET is for
 * that. */
static void write_b(struct rtc *rtc, uint8_t value, uint64_t now)
{
    bool was_running = is_running(rtc);

    if (value & B_SET)
        value &= (uint8_t)~B_UIE;
    rtc->registers[REG_B] = value;
    if (!was_running && is_running(rtc))
        take_time(rtc, now);
    set_flags(rtc, 0);
}

static bool is_time(uint8_t index)
{
    switch (index) {
    case SECONDS:
    case MINUTES:
    case HOURS:
    case WEEKDAY:
    case DAY:
    case MONTH:
    case YEAR:
    case CENTURY: return true;
    default: return false;
    }
}

static void write_register(struct rtc *rtc, uint8_t value, uint64_t now)
{
    uint8_t index = rtc->index;

    if (index == REG_A) {
        write_a(rtc, value, now);
    } else if (index == REG_B) {
        write_b(rtc, value, now);
    } else if (index != REG_C && index != REG_D) {
        rtc->registers[index] = value;
        if (is_time(index) && is_running(rtc))
            take_time(rtc, now);
    }
}

static err_t rtc_read(struct device *device, unsigned range, uint64_t offset,
                      unsigned width, uint64_t *value)
{
    struct rtc *rtc = to_rtc(device);
    uint64_t now = time_nanos();

    *value = UINT8_MAX;
    if (offset == 0)
        return OK;
    sync(rtc, now);
    if (rtc->index == REG_A)
        *value = read_a(rtc, now);
    else if (rtc->index == REG_C)
        *value = read_c(rtc);
    else
        *value = rtc->registers[rtc->index];
    return OK;
}

static err_t rtc_write(struct device *device, unsigned range, uint64_t offset,
                       unsigned width, uint64_t value)
{
    struct rtc *rtc = to_rtc(device);
    uint64_t now = time_nanos();

    if (offset == 0) {
        rtc->index = value & INDEX;
        return OK;
    }
    sync(rtc, now);
    rtc->shows_seen = false;
    write_register(rtc, (uint8_t)value, now);
    update(rtc);
    return OK;
}

/* The data sheet, "RESET": enables and flags. */
static void rtc_reset(struct device *device)
{
    struct rtc *rtc = to_rtc(device);

    rtc->index = 0;
    rtc->registers[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    rtc->registers[REG_C] = 0;
    rtc->irq_high = false;
    alarm_cancel(&rtc->alarm);
    device_set_irq(device, false);
}

static void rtc_release(struct device *device)
{
    alarm_end(&to_rtc(device)->alarm);
}

static const struct device_ops rtc_ops = {
    .read = rtc_read,
    .write = rtc_write,
    .reset = rtc_reset,
    .release = rtc_release,
};

/* `value` in `size` bytes, or the most that fits. */
static void store(struct rtc *rtc, unsigned index, unsigned size,
                  uint64_t value)
{
    uint64_t most = BIT(size * 8) - 1;

    value = earlier(value, most);
    for (unsigned i = 0; i < size; i++)
        rtc->registers[index + i] = (uint8_t)(value >> i * 8);
}

static uint64_t above(uint64_t size, uint64_t limit)
{
    return size > limit ? size - limit : 0;
}

/* What the VM has, for those who ask the CMOS. */
static void store_memory(struct rtc *rtc, const struct device_context *context)
{
    uint64_t low = 0;
    uint64_t high = 0;

    for (unsigned i = 0; i < context->ram_count; i++) {
        const struct device_ram *ram = &context->ram[i];

        if (ram->base < 4 * GIB)
            low += ram->size;
        else
            high += ram->size;
    }
    store(rtc, BASE_MEMORY, 2, earlier(low / 1024, BASE_KIB));
    store(rtc, EXTENDED_MEMORY, 2, above(low, MIB) / 1024);
    store(rtc, EXTENDED_MEMORY_2, 2, above(low, MIB) / 1024);
    store(rtc, MEMORY_OVER_16M, 2, above(low, 16 * MIB) / 65536);
    store(rtc, MEMORY_OVER_4G, 3, high / 65536);
}

/* A property of two cells; `*value` keeps what it holds when there is none. */
static err_t parse_number(const struct device_context *context,
                          const char *name, uint64_t *value, const char **what)
{
    int size;
    const void *cells = fdt_getprop(context->fdt, context->node, name, &size);

    if (cells == NULL)
        return OK;
    *what = name;
    if (size != sizeof(fdt64_t))
        return ERR_INVALID_INPUT;
    *value = fdt64_ld(cells);
    return OK;
}

static err_t configure(struct rtc *rtc, const struct device_context *context,
                       const char **what)
{
    err_t error;

    rtc->base_seconds = YEAR_2000;
    error = parse_number(context, "boot-time", &rtc->base_seconds, what);
    if (error != OK)
        return error;
    if (rtc->base_seconds > CALENDAR_LAST) {
        *what = "boot-time";
        return ERR_INVALID_INPUT;
    }
    store_memory(rtc, context);
    return OK;
}

static err_t rtc_create(const struct device_context *context,
                        struct device **device, const char **what)
{
    struct rtc *rtc = arena_new(context->arena, struct rtc);
    err_t error;

    if (rtc == NULL)
        return ERR_NO_MEMORY;
    error = configure(rtc, context, what);
    if (error != OK)
        return error;
    rtc->registers[OTHER_CPUS] = (uint8_t)(context->vcpu_count - 1);
    rtc->registers[REG_A] = A_AT_POWER_ON;
    rtc->registers[REG_B] = B_24H;
    rtc->registers[REG_D] = D_VRT;
    rtc->base_ns = (int64_t)time_nanos();
    rtc->seen_seconds = rtc->base_seconds;
    alarm_init(&rtc->alarm, rtc_on_alarm, rtc);
    rtc->device.ops = &rtc_ops;
    rtc->device.range_count = 1;
    rtc->device.ranges[0] =
        (struct device_range){RTC_PORT, 2, BUS_PORT, 0, WIDTH_1};
    rtc->device.irq_chip = context->irq_chip;
    rtc->device.irq = RTC_GSI;
    *device = &rtc->device;
    return OK;
}

static void rtc_describe_acpi(const struct device *device,
                              struct acpi_machine *machine)
{
    machine->devices |= ACPI_RTC;
}

static const struct device_model rtc_model = {
    .compatible = "motorola,mc146818",
    .create = rtc_create,
    .describe_acpi = rtc_describe_acpi,
};

DEVICE_MODEL(rtc_model);
