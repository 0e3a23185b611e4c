/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyboard controller of a PC, and a keyboard on which nobody types: IBM
 * Personal System/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller" and "Keyboards (101- and 102-key)".
 *
 *   0x60   read: output buffer; write: to the keyboard, or a command's data
 *   0x64   read: status; write: command
 *   0x92   system control port A: bit 0 reset, bit 1 A20
 *
 * What is here is what firmware and Linux' probe ask for: self-tests, command
 * byte, output port, reset pulses, a keyboard that acknowledges and says what
 * it is. There is no auxiliary port: its test fails, and its loop-back comes
 * from the keyboard's side.
 *
 * A20 is kept and told, but address line 20 is never masked: nothing that runs
 * here relies on wrapping at 1 MiB.
 *
 * The interrupt, `interrupts` of the node, is high while the output buffer is
 * full and the command byte lets it.
 */
#include "device/device.h"
#include "device/pc/acpi.h"
#include "lib/string.h"
#include "memory/arena.h"

enum { RANGE_DATA, RANGE_COMMAND, RANGE_PORT_A, RANGES };

static const struct device_range i8042_ranges[RANGES] = {
    {0x60, 1, BUS_PORT, RANGE_DATA, WIDTH_1},
    {0x64, 1, BUS_PORT, RANGE_COMMAND, WIDTH_1},
    {0x92, 1, BUS_PORT, RANGE_PORT_A, WIDTH_1},
};

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_SYSTEM      0x04
#define STATUS_COMMAND     0x08 /* what was written last, was at 0x64 */
#define STATUS_UNLOCKED    0x10

/* The command byte. */
#define MODE_INTERRUPT 0x01
#define MODE_SYSTEM    0x04
#define MODE_DISABLED  0x10 /* the keyboard's clock */
#define MODE_TRANSLATE 0x40
#define MODE_AFTER_RESET \
    (MODE_INTERRUPT | MODE_SYSTEM | MODE_DISABLED | MODE_TRANSLATE)

/* The output port. */
#define OUTPUT_NO_RESET 0x01
#define OUTPUT_A20      0x02
#define OUTPUT_KBD_FULL 0x10

#define PORT_A_RESET 0x01
#define PORT_A_A20   0x02

enum controller_command {
    READ_MODE = 0x20,
    WRITE_MODE = 0x60,
    DISABLE_AUX = 0xa7,
    ENABLE_AUX = 0xa8,
    TEST_AUX = 0xa9,
    SELF_TEST = 0xaa,
    TEST_KEYBOARD = 0xab,
    DISABLE_KEYBOARD = 0xad,
    ENABLE_KEYBOARD = 0xae,
    READ_INPUT_PORT = 0xc0,
    READ_OUTPUT_PORT = 0xd0,
    WRITE_OUTPUT_PORT = 0xd1,
    WRITE_OUTPUT_BUFFER = 0xd2,
    WRITE_AUX_BUFFER = 0xd3,
    WRITE_AUX = 0xd4,
    DISABLE_A20 = 0xdd,
    ENABLE_A20 = 0xdf,
    READ_TEST_INPUTS = 0xe0,
    PULSE = 0xf0, /* to 0xff: bits 3:0 are the lines left alone */
};

#define SELF_TEST_OK 0x55
#define INTERFACE_OK 0x00
#define CLOCK_LOW    0x01 /* nothing is connected */
#define INPUT_PORT   0x80 /* the keyboard is not locked */

#define KBD_ACK         0xfa
#define KBD_RESEND      0xfe
#define KBD_SET_SCAN    0xf0
#define KBD_IDENTIFY    0xf2
#define KBD_DEFAULT_SET 2

/* More than the longest answer. */
#define QUEUE_SIZE 16

struct i8042 {
    struct device device;
    uint8_t mode;
    uint8_t output_port;
    uint8_t pending;     /* a command that waits for its data, or 0 */
    uint8_t kbd_pending; /* the same of the keyboard's */
    uint8_t scan_set;
    bool last_was_command;

    uint8_t output; /* the output buffer */
    bool output_full;
    uint8_t queue[QUEUE_SIZE]; /* what the keyboard still has to say */
    unsigned queued;

    void (*system_down)(void *vm_object, bool reboot);
    void *vm_object;
};

static struct i8042 *to_i8042(struct device *device)
{
    return container_of(device, struct i8042, device);
}

/* --- The way to the processor --- */

/* The keyboard's next byte moves up while its clock runs. */
static void update(struct i8042 *kbc)
{
    if (!kbc->output_full && kbc->queued > 0 && !(kbc->mode & MODE_DISABLED)) {
        kbc->output = kbc->queue[0];
        kbc->output_full = true;
        kbc->queued--;
        memmove(kbc->queue, kbc->queue + 1, kbc->queued);
    }
    device_set_irq(&kbc->device,
                   kbc->output_full && (kbc->mode & MODE_INTERRUPT));
}

/* The controller's own answers displace what is in the buffer. */
static void answer(struct i8042 *kbc, uint8_t byte)
{
    kbc->output = byte;
    kbc->output_full = true;
}

/* What the keyboard says beyond what its buffer takes is lost. */
static void keyboard_say(struct i8042 *kbc, uint8_t byte)
{
    if (kbc->queued < QUEUE_SIZE)
        kbc->queue[kbc->queued++] = byte;
}

static void reset_machine(const struct i8042 *kbc)
{
    kbc->system_down(kbc->vm_object, true);
}

static void set_output_port(struct i8042 *kbc, uint8_t value)
{
    kbc->output_port = value & OUTPUT_A20;
    if (!(value & OUTPUT_NO_RESET))
        reset_machine(kbc);
}

/* --- The keyboard --- */

/* Commands, what is answered, and whether a byte of data follows. Any other
 * is asked to be sent again. */
static const struct keyboard_command {
    uint8_t command;
    bool has_data;
    uint8_t count;
    uint8_t answer[3];
} keyboard_commands[] = {
    {0xed, true, 1, {KBD_ACK}},         /* set LEDs */
    {0xee, false, 1, {0xee}},           /* echo */
    {KBD_SET_SCAN, true, 1, {KBD_ACK}}, /* scan code set */
    {KBD_IDENTIFY, false, 3, {KBD_ACK, 0xab, 0x83}},
    {0xf3, true, 1, {KBD_ACK}},        /* rate and delay */
    {0xf4, false, 1, {KBD_ACK}},       /* enable scanning */
    {0xf5, false, 1, {KBD_ACK}},       /* default, disable scanning */
    {0xf6, false, 1, {KBD_ACK}},       /* default */
    {0xff, false, 2, {KBD_ACK, 0xaa}}, /* reset: the self-test is good */
};

/* The second byte of the identity is the only one of the keyboard's that
 * translation to scan code set 1 changes here. */
static uint8_t translate(const struct i8042 *kbc, uint8_t byte)
{
    return byte == 0x83 && (kbc->mode & MODE_TRANSLATE) ? 0x41 : byte;
}

static void keyboard_data(struct i8042 *kbc, uint8_t command, uint8_t data)
{
    keyboard_say(kbc, KBD_ACK);
    if (command != KBD_SET_SCAN)
        return;
    if (data == 0)
        keyboard_say(kbc, kbc->scan_set);
    else if (data <= 3)
        kbc->scan_set = data;
}

static void keyboard_command(struct i8042 *kbc, uint8_t command)
{
    kbc->queued = 0;
    if (command >= 0xf5)
        kbc->scan_set = KBD_DEFAULT_SET;
    for (size_t i = 0; i < ARRAY_SIZE(keyboard_commands); i++) {
        const struct keyboard_command *row = &keyboard_commands[i];

        if (row->command != command)
            continue;
        kbc->kbd_pending = row->has_data ? command : 0;
        for (unsigned j = 0; j < row->count; j++)
            keyboard_say(kbc, translate(kbc, row->answer[j]));
        return;
    }
    keyboard_say(kbc, KBD_RESEND);
}

/* Writing to the keyboard starts its clock. */
static void write_keyboard(struct i8042 *kbc, uint8_t byte)
{
    uint8_t command = kbc->kbd_pending;

    kbc->mode &= (uint8_t)~MODE_DISABLED;
    kbc->kbd_pending = 0;
    if (command != 0)
        keyboard_data(kbc, command, byte);
    else
        keyboard_command(kbc, byte);
}

/* --- The controller --- */

static uint8_t read_output_port(const struct i8042 *kbc)
{
    return (uint8_t)(kbc->output_port | OUTPUT_NO_RESET |
                     (kbc->output_full ? OUTPUT_KBD_FULL : 0));
}

static void set_a20(struct i8042 *kbc, bool on)
{
    kbc->output_port = on ? OUTPUT_A20 : 0;
}

static void write_command(struct i8042 *kbc, uint8_t command)
{
    kbc->last_was_command = true;
    kbc->pending = 0;
    switch (command) {
    case READ_MODE: answer(kbc, kbc->mode); break;
    case TEST_AUX: answer(kbc, CLOCK_LOW); break;
    case SELF_TEST:
        kbc->mode |= MODE_SYSTEM | MODE_DISABLED;
        answer(kbc, SELF_TEST_OK);
        break;
    case TEST_KEYBOARD: answer(kbc, INTERFACE_OK); break;
    case DISABLE_KEYBOARD: kbc->mode |= MODE_DISABLED; break;
    case ENABLE_KEYBOARD: kbc->mode &= (uint8_t)~MODE_DISABLED; break;
    case READ_INPUT_PORT: answer(kbc, INPUT_PORT); break;
    case READ_OUTPUT_PORT: answer(kbc, read_output_port(kbc)); break;
    case DISABLE_A20: set_a20(kbc, false); break;
    case ENABLE_A20: set_a20(kbc, true); break;
    case READ_TEST_INPUTS: answer(kbc, 0); break;
    case WRITE_MODE:
    case WRITE_OUTPUT_PORT:
    case WRITE_OUTPUT_BUFFER:
    case WRITE_AUX_BUFFER:
    case WRITE_AUX: kbc->pending = command; break;
    default:
        /* The line of bit 0 of the output port is the processor's reset. */
        if (command >= PULSE && !(command & OUTPUT_NO_RESET))
            reset_machine(kbc);
        break;
    }
}

static void write_data(struct i8042 *kbc, uint8_t byte)
{
    uint8_t command = kbc->pending;

    kbc->last_was_command = false;
    kbc->pending = 0;
    switch (command) {
    case WRITE_MODE: kbc->mode = byte; break;
    case WRITE_OUTPUT_PORT: set_output_port(kbc, byte); break;
    case WRITE_OUTPUT_BUFFER:
    case WRITE_AUX_BUFFER: answer(kbc, byte); break;
    case WRITE_AUX: break;
    default: write_keyboard(kbc, byte); break;
    }
}

static uint8_t status(const struct i8042 *kbc)
{
    return (uint8_t)(STATUS_UNLOCKED |
                     (kbc->output_full ? STATUS_OUTPUT_FULL : 0) |
                     (kbc->mode & MODE_SYSTEM ? STATUS_SYSTEM : 0) |
                     (kbc->last_was_command ? STATUS_COMMAND : 0));
}

/* An empty buffer gives its last byte again. The line goes down in between, as
 * each byte is an edge at the interrupt controller. */
static uint8_t take_output(struct i8042 *kbc)
{
    uint8_t byte = kbc->output;

    kbc->output_full = false;
    device_set_irq(&kbc->device, false);
    update(kbc);
    return byte;
}

static err_t i8042_read(struct device *device, unsigned range, uint64_t offset,
                        unsigned width, uint64_t *value)
{
    struct i8042 *kbc = to_i8042(device);

    switch (range) {
    case RANGE_DATA: *value = take_output(kbc); break;
    case RANGE_COMMAND: *value = status(kbc); break;
    default: *value = kbc->output_port & OUTPUT_A20 ? PORT_A_A20 : 0; break;
    }
    return OK;
}

static void write_port_a(struct i8042 *kbc, uint8_t value)
{
    set_a20(kbc, (value & PORT_A_A20) != 0);
    if (value & PORT_A_RESET)
        reset_machine(kbc);
}

static err_t i8042_write(struct device *device, unsigned range, uint64_t offset,
                         unsigned width, uint64_t value)
{
    struct i8042 *kbc = to_i8042(device);

    switch (range) {
    case RANGE_DATA: write_data(kbc, (uint8_t)value); break;
    case RANGE_COMMAND: write_command(kbc, (uint8_t)value); break;
    default: write_port_a(kbc, (uint8_t)value); break;
    }
    update(kbc);
    return OK;
}

static void i8042_reset(struct device *device)
{
    struct i8042 *kbc = to_i8042(device);

    kbc->mode = MODE_AFTER_RESET;
    kbc->output_port = OUTPUT_A20;
    kbc->pending = 0;
    kbc->kbd_pending = 0;
    kbc->scan_set = KBD_DEFAULT_SET;
    kbc->last_was_command = false;
    kbc->output = 0;
    kbc->output_full = false;
    kbc->queued = 0;
    update(kbc);
}

static const struct device_ops i8042_ops = {
    .read = i8042_read,
    .write = i8042_write,
    .reset = i8042_reset,
};

static err_t i8042_create(const struct device_context *context,
                          struct device **device, const char **what)
{
    struct i8042 *kbc = arena_new(context->arena, struct i8042);

    if (kbc == NULL)
        return ERR_NO_MEMORY;
    kbc->device.ops = &i8042_ops;
    memcpy(kbc->device.ranges, i8042_ranges, sizeof(i8042_ranges));
    kbc->device.range_count = RANGES;
    kbc->system_down = context->system_down;
    kbc->vm_object = context->vm_object;
    *device = &kbc->device;
    return OK;
}

static void i8042_describe_acpi(const struct device *device,
                                struct acpi_machine *machine)
{
    machine->devices |= ACPI_I8042;
}

static const struct device_model i8042_model = {
    .compatible = "intel,i8042",
    .create = i8042_create,
    .describe_acpi = i8042_describe_acpi,
};
DEVICE_MODEL(i8042_model);
