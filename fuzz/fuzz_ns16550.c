/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NS16550A against a model of what a driver relies on: no byte is lost,
 * doubled or out of order on its way in or out, the status registers say what
 * is in the FIFO, the interrupt line and IIR agree, and an interrupt is shown
 * only while it is enabled and its cause is there.
 */
#include <string.h>

#include "device/parse.h"
#include "fuzz/device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TYPED     64
#define MAX_STEP  256
#define FIFO_SIZE 16

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, REGISTERS };

#define LCR_DLAB    0x80
#define LCR_BREAK   0x40
#define MCR_LOOP    0x10
#define LSR_DR      0x01
#define LSR_OE      0x02
#define LSR_ERRORS  0x1c
#define LSR_EMPTY   0x60 /* THRE, TEMT: the line has no speed */
#define LSR_IN_FIFO 0x80

static struct {
    uint8_t ier, lcr, mcr, scr, dll, dlm;
    bool fifos, overrun, thre;
    unsigned trigger, count;
    uint8_t errors; /* of bytes that are, or were, next to be read */
    uint8_t bytes[FIFO_SIZE], byte_errors[FIFO_SIZE];
} model;

static struct chardev console;
static struct irq_chip chip;
static struct device *device;
static bool line;
static uint8_t typed[TYPED];
static unsigned typed_start, typed_end;
static bool output_expected;
static uint8_t expected;

static void set_level(struct irq_chip *of, uint32_t irq, bool high)
{
    line = high;
}

static void pulse(struct irq_chip *of, uint32_t irq)
{
    fuzz_need(false, "a serial port makes no edges");
}

static void transmit(struct chardev *chardev, const uint8_t *bytes, size_t size)
{
    fuzz_need(output_expected && size == 1 && bytes[0] == expected,
              "something is transmitted that nobody wrote");
    output_expected = false;
}

static unsigned room(void)
{
    return (model.fifos ? FIFO_SIZE : 1) - model.count;
}

static void reveal(void)
{
    if (model.count == 0)
        return;
    model.errors |= model.byte_errors[0];
    model.byte_errors[0] = 0;
}

static void receive(uint8_t byte, uint8_t errors)
{
    if (room() == 0) {
        model.overrun = true;
        if (model.fifos)
            return;
        model.count = 0;
    }
    model.bytes[model.count] = byte;
    model.byte_errors[model.count++] = errors;
    reveal();
}

/* What the device takes is in its FIFO from then on. */
static size_t take_typed(struct chardev *chardev, uint8_t *bytes, size_t size)
{
    size_t taken = 0;

    fuzz_need((model.mcr & MCR_LOOP) == 0, "input is taken in the loop");
    fuzz_need(size <= room(), "more input is taken than there is room for");
    while (taken < size && typed_start != typed_end) {
        bytes[taken] = typed[typed_start++];
        receive(bytes[taken++], 0);
    }
    return taken;
}

static void make_device(void)
{
    static struct arena arena;
    static uint8_t tree[1024];
    const struct device_context context = {
        .arena = &arena,
        .console = &console,
        .irq_chip = &chip,
        .vcpu_count = 1,
        .fdt = tree,
        .node = fuzz_make_node(tree, sizeof(tree), "ns16550a", 0x100, NULL, 0),
    };
    const char *what;

    console = (struct chardev){transmit, take_typed, NULL};
    chip = (struct irq_chip){set_level, pulse, 2};
    fuzz_need(device_from_node(&context, &device, &what) == OK,
              "the device cannot be made");
}

static bool has_room_for_typed(void)
{
    return typed_start != typed_end && room() != 0 &&
           (model.mcr & MCR_LOOP) == 0;
}

static void clear_receiver(void)
{
    model.count = 0;
    model.errors = 0;
}

static bool breaks(void)
{
    return (model.mcr & MCR_LOOP) != 0 && (model.lcr & LCR_BREAK) != 0;
}

/* Reads --------------------------------------------------------------------*/

/* The model's FIFO loses its byte before the device may refill its own. */
static void read_rbr(void)
{
    uint8_t wanted = model.count != 0 ? model.bytes[0] : 0;
    uint64_t value;

    if ((model.lcr & LCR_DLAB) != 0) {
        wanted = model.dll;
    } else if (model.count != 0) {
        model.count--;
        memmove(model.bytes, model.bytes + 1, model.count);
        memmove(model.byte_errors, model.byte_errors + 1, model.count);
    }
    (void)device->ops->read(device, 0, RBR, 1, &value);
    fuzz_need(value == wanted, "a byte is lost, doubled, or another one");
    if ((model.lcr & LCR_DLAB) == 0)
        reveal();
}

static void check_iir(uint8_t iir, bool was_high)
{
    bool full = model.count >= (model.fifos ? model.trigger : 1);
    uint8_t id = iir & 0x0f;

    fuzz_need(((iir & 1) == 0) == was_high, "the line and IIR disagree");
    fuzz_need((iir & 0xf0) == (model.fifos ? 0xc0 : 0),
              "IIR's FIFO bits are wrong");
    switch (id) {
    case 0x06:
        fuzz_need((model.ier & 4) != 0 && (model.overrun || model.errors != 0),
                  "a line status interrupt without a cause");
        break;
    case 0x04:
        fuzz_need((model.ier & 1) != 0 && full && model.count != 0,
                  "a data interrupt without data");
        break;
    case 0x0c:
        fuzz_need((model.ier & 1) != 0 && !full && model.count != 0,
                  "a timeout without data");
        break;
    case 0x02:
        fuzz_need((model.ier & 2) != 0 && model.thre,
                  "a THRE interrupt without a cause");
        model.thre = false;
        break;
    case 0x00:
        fuzz_need((model.ier & 8) != 0, "a modem interrupt without a cause");
        break;
    default:
        fuzz_need(id == 0x01, "IIR shows what does not exist");
        fuzz_need((model.ier & 1) == 0 || model.count == 0,
                  "data without an interrupt");
        fuzz_need((model.ier & 2) == 0 || !model.thre,
                  "a THRE interrupt is lost");
        fuzz_need((model.ier & 4) == 0 || (!model.overrun && model.errors == 0),
                  "a line status interrupt is lost");
    }
}

static void check_lsr(uint8_t lsr)
{
    uint8_t wanted = LSR_EMPTY | model.errors;
    uint8_t later = model.errors;

    for (unsigned i = 0; i < model.count; i++)
        later |= model.byte_errors[i];
    wanted |= model.count != 0 ? LSR_DR : 0;
    wanted |= model.overrun ? LSR_OE : 0;
    wanted |= model.fifos && later != 0 ? LSR_IN_FIFO : 0;
    fuzz_need(lsr == wanted, "LSR is not what the FIFO has");
    model.errors = 0;
    model.overrun = false;
}

static void read_register(unsigned number)
{
    bool was_high = line;
    uint64_t value;

    if (number == RBR) {
        read_rbr();
        return;
    }
    (void)device->ops->read(device, 0, number, 1, &value);
    switch (number) {
    case IER:
        fuzz_need(value ==
                      ((model.lcr & LCR_DLAB) != 0 ? model.dlm : model.ier),
                  "IER or DLM is another");
        break;
    case IIR: check_iir((uint8_t)value, was_high); break;
    case LCR: fuzz_need(value == model.lcr, "LCR is another"); break;
    case MCR: fuzz_need(value == model.mcr, "MCR is another"); break;
    case LSR: check_lsr((uint8_t)value); break;
    case SCR: fuzz_need(value == model.scr, "SCR is another"); break;
    default: break;
    }
}

/* Writes -------------------------------------------------------------------*/

/* The model first: the device may take input because of the write. */
static void model_thr(uint8_t value)
{
    if ((model.lcr & LCR_DLAB) != 0) {
        model.dll = value;
        return;
    }
    model.thre = true;
    output_expected = (model.mcr & MCR_LOOP) == 0;
    expected = value;
    if (!output_expected)
        receive(value & (uint8_t)(0x1f << (model.lcr & 3) | 0x1f), 0);
}

static void model_ier(uint8_t value)
{
    if ((model.lcr & LCR_DLAB) != 0) {
        model.dlm = value;
        return;
    }
    if (((value ^ model.ier) & 2) != 0)
        model.thre = (value & 2) != 0;
    model.ier = value & 0x0f;
}

static void model_fcr(uint8_t value)
{
    static const uint8_t triggers[] = {1, 4, 8, 14};
    bool fifos = (value & 1) != 0;

    if (fifos != model.fifos) {
        model.thre = true;
        clear_receiver();
    } else if (fifos && (value & 2) != 0) {
        clear_receiver();
    }
    model.fifos = fifos;
    model.trigger = triggers[value >> 6];
}

static void model_write(unsigned number, uint8_t value)
{
    bool broke = breaks();

    switch (number) {
    case RBR: model_thr(value); break;
    case IER: model_ier(value); break;
    case IIR: model_fcr(value); break;
    case LCR: model.lcr = value; break;
    case MCR: model.mcr = value & 0x1f; break;
    case SCR: model.scr = value; break;
    default: break;
    }
    if (breaks() && !broke)
        receive(0, 0x18); /* BI, FE */
}

static void write_register(unsigned number, uint8_t value)
{
    model_write(number, value);
    fuzz_need(device->ops->write(device, 0, number, 1, value) == OK,
              "a write fails");
    fuzz_need(!output_expected, "a byte that was written is lost");
}

/* Steps --------------------------------------------------------------------*/

enum step_kind { READ, WRITE, TYPE, RESET };

struct step {
    enum step_kind kind;
    unsigned number;
    uint8_t value;
};

static void take_step(struct fuzz_input *input, struct step *step)
{
    unsigned how = (unsigned)fuzz_take(input, 1);
    static const uint8_t kinds[] = {READ, WRITE, READ, TYPE};

    *step = (struct step){.kind = how == 0xff ? RESET : kinds[how % 4],
                          .number = how / 4 % REGISTERS};
    if (step->kind == WRITE || step->kind == TYPE)
        step->value = (uint8_t)fuzz_take(input, 1);
}

static void skip(struct fuzz_input *input)
{
    struct step step;

    take_step(input, &step);
}

FUZZ_MUTATOR(skip)

/* A few bytes are typed, as many as there is a place for. */
static void type(unsigned count, uint8_t byte)
{
    for (unsigned i = 0; i <= count && typed_end < TYPED; i++)
        typed[typed_end++] = (uint8_t)(byte + i);
    chardev_notify(&console);
}

static void start_over(void)
{
    typed_start = typed_end = 0;
    output_expected = false;
    memset(&model, 0, sizeof(model));
    model.dll = 12;
    model.trigger = 1;
    device->ops->reset(device);
    fuzz_need(!line, "the line is high after a reset");
}

static void do_step(const struct step *step)
{
    switch (step->kind) {
    case READ: read_register(step->number); break;
    case WRITE: write_register(step->number, step->value); break;
    case TYPE: type(step->number, step->value); break;
    case RESET: start_over(); break;
    }
    fuzz_need(!has_room_for_typed(), "input waits though there is room");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    if (device == NULL)
        make_device();
    start_over();
    for (unsigned i = 0; i < MAX_STEP && !fuzz_is_empty(&input); i++) {
        struct step step;

        take_step(&input, &step);
        do_step(&step);
    }
    return 0;
}
