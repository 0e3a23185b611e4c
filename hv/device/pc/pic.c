/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pair of 8259A interrupt controllers: Intel's data sheet, as it is in a
 * PC (PIIX: with ELCR, edge or level by input).
 *
 *   0x20, 0x21   master: ICW1, OCW2, OCW3, IRR, ISR; ICW2 to ICW4, IMR
 *   0xa0, 0xa1   slave, whose output is the master's input 2
 *   0x4d0-0x4d1  ELCR: inputs that are level-triggered
 *
 * An edge-triggered input is a request from its rise until it is acknowledged
 * or falls: when that happens between INTR and the acknowledge cycle, the
 * vector is that of input 7, with nothing in service. A pulse is a rise that
 * lasts until it is acknowledged.
 *
 * Buffered mode and the mode for the MCS-80 change nothing that a PC's guest
 * can see, and are ignored; so is "level-triggered" in ICW1, which the PIIX
 * replaces by ELCR.
 */
#include "device/pc/lapic.h"
#include "lib/bits.h"
#include "memory/arena.h"

#define INPUTS     8
#define NO_INPUT   8
#define CASCADE    2 /* the slave's input at the master */
#define SPURIOUS   7
#define PIC_IRQS   16
#define ELCR_PORT  0x4d0
#define POLL_FOUND 0x80

/* ICW1 and ICW4. */
#define ICW1_ICW4   0x01
#define ICW1_SINGLE 0x02
#define ICW1_INIT   0x10
#define ICW2_VECTOR 0xf8
#define ICW4_AEOI   0x02
#define ICW4_SFNM   0x10

/* OCW2: what, and to which level. OCW3. */
#define OCW2_LEVEL    0x07
#define OCW2_COMMAND  0xe0
#define OCW3_SELECT   0x08
#define OCW3_READ_ISR 0x01
#define OCW3_READ     0x02
#define OCW3_POLL     0x04
#define OCW3_SMM      0x20
#define OCW3_SET_SMM  0x40

enum { MASTER, SLAVE, CHIPS };
enum { RANGE_MASTER, RANGE_SLAVE, RANGE_ELCR, RANGES };

/* Which word of the initialisation is next. */
enum icw { READY, ICW2, ICW3, ICW4 };

struct i8259 {
    uint8_t line, edge, self_lowering, isr, imr, elcr;
    uint8_t elcr_writable; /* the others are edges */
    uint8_t vector;
    uint8_t lowest; /* the input of the lowest priority */
    enum icw next;
    bool single, wants_icw4;
    bool aeoi, rotates, sfnm, special_mask;
    bool reads_isr, polls;
    bool output;
};

struct pic {
    struct device device; /* whose lock guards all that follows */
    struct irq_chip chip;
    struct lapics *lapics;
    struct i8259 chips[CHIPS];
};

static struct pic *to_pic(struct device *device)
{
    return container_of(device, struct pic, device);
}

/* The requests: levels where they are, edges that have not gone. */
static uint8_t irr(const struct i8259 *chip)
{
    return chip->line & (uint8_t)(chip->elcr | chip->edge);
}

/* The input of a set that has the highest priority, or NO_INPUT. */
static unsigned highest(const struct i8259 *chip, unsigned set)
{
    for (unsigned i = 1; i <= INPUTS; i++) {
        unsigned input = (chip->lowest + i) % INPUTS;

        if (set >> input & 1)
            return input;
    }
    return NO_INPUT;
}

/* How far an input is from the highest priority. */
static unsigned rank(const struct i8259 *chip, unsigned input)
{
    return (input + INPUTS - 1 - chip->lowest) % INPUTS;
}

/*
 * The input to be served, or NO_INPUT: it is over all in service, but in
 * special mask mode those that are masked do not count; in the special fully
 * nested mode, the slave may interrupt itself.
 */
static unsigned find_request(const struct i8259 *chip, bool is_master)
{
    unsigned request = highest(chip, irr(chip) & ~(unsigned)chip->imr);
    unsigned isr = chip->isr;
    unsigned served;

    if (request == NO_INPUT || chip->next != READY)
        return NO_INPUT;
    if (chip->special_mask)
        isr &= ~(unsigned)chip->imr;
    served = highest(chip, isr);
    if (served == NO_INPUT || rank(chip, request) < rank(chip, served))
        return request;
    if (is_master && chip->sfnm && request == CASCADE && served == CASCADE)
        return request;
    return NO_INPUT;
}

static void set_line(struct i8259 *chip, unsigned input, bool high)
{
    uint8_t bit = (uint8_t)(1U << input);

    if (high && (chip->line & bit) == 0)
        chip->edge |= bit;
    if (high) {
        chip->line |= bit;
    } else {
        chip->line &= (uint8_t)~bit;
        chip->edge &= (uint8_t)~bit;
    }
    chip->self_lowering &= (uint8_t)~bit;
}

/* The outputs follow the inputs: the slave's into the master, the master's to
 * the local APICs. */
static void update(struct pic *pic)
{
    struct i8259 *master = &pic->chips[MASTER];
    struct i8259 *slave = &pic->chips[SLAVE];
    bool output;

    slave->output = find_request(slave, false) != NO_INPUT;
    set_line(master, CASCADE, slave->output);
    output = find_request(master, true) != NO_INPUT;
    if (output == master->output)
        return;
    master->output = output;
    lapics_set_intr(pic->lapics, output);
}

/* The end of the service of an input, and how priorities turn by it. */
static void end(struct i8259 *chip, unsigned input, bool rotate)
{
    if (input == NO_INPUT)
        return;
    chip->isr &= (uint8_t) ~(1U << input);
    if (rotate)
        chip->lowest = (uint8_t)input;
}

/* A request is accepted: its vector. */
static uint8_t accept(struct i8259 *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1U << input);

    chip->edge &= (uint8_t)~bit;
    if (chip->self_lowering & bit)
        set_line(chip, input, false);
    chip->isr |= bit;
    if (chip->aeoi)
        end(chip, input, chip->rotates);
    return (uint8_t)(chip->vector + input);
}

static uint8_t accept_or_spurious(struct i8259 *chip, bool is_master)
{
    unsigned input = find_request(chip, is_master);

    return input != NO_INPUT ? accept(chip, input)
                             : (uint8_t)(chip->vector + SPURIOUS);
}

/* The master names the slave on the cascade lines, which gives the vector. A
 * slave whose output comes again is an edge again. */
static uint8_t pic_acknowledge(struct irq_chip *irq_chip)
{
    struct pic *pic = container_of(irq_chip, struct pic, chip);
    struct i8259 *master = &pic->chips[MASTER];
    unsigned input;
    uint8_t vector;

    spin_lock(&pic->device.lock);
    input = find_request(master, true);
    vector = accept_or_spurious(master, true);
    if (input == CASCADE && !master->single) {
        vector = accept_or_spurious(&pic->chips[SLAVE], false);
        set_line(master, CASCADE, false);
    }
    update(pic);
    spin_unlock(&pic->device.lock);
    return vector;
}

static void pic_set_level(struct irq_chip *irq_chip, uint32_t irq, bool high)
{
    struct pic *pic = container_of(irq_chip, struct pic, chip);

    if (irq >= PIC_IRQS || irq == CASCADE)
        return;
    spin_lock(&pic->device.lock);
    set_line(&pic->chips[irq / INPUTS], irq % INPUTS, high);
    update(pic);
    spin_unlock(&pic->device.lock);
}

/* A line that was low falls again with its acknowledge cycle. Of a
 * level-triggered input, nobody sees it. */
static void pulse(struct i8259 *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1U << input);
    bool was_low = (chip->line & bit) == 0 || (chip->self_lowering & bit) != 0;

    if (chip->elcr & bit)
        return;
    set_line(chip, input, false);
    set_line(chip, input, true);
    if (was_low)
        chip->self_lowering |= bit;
}

static void pic_pulse(struct irq_chip *irq_chip, uint32_t irq)
{
    struct pic *pic = container_of(irq_chip, struct pic, chip);

    if (irq >= PIC_IRQS || irq == CASCADE)
        return;
    spin_lock(&pic->device.lock);
    pulse(&pic->chips[irq / INPUTS], irq % INPUTS);
    update(pic);
    spin_unlock(&pic->device.lock);
}

/* Registers ---------------------------------------------------------------*/

/* ICW1: the data sheet's list of what it does. ELCR and vectors stay. */
static void write_icw1(struct i8259 *chip, uint8_t value)
{
    chip->edge = 0;
    chip->line &= (uint8_t)~chip->self_lowering;
    chip->self_lowering = 0;
    chip->imr = 0;
    chip->isr = 0;
    chip->lowest = INPUTS - 1;
    chip->special_mask = false;
    chip->reads_isr = false;
    chip->polls = false;
    chip->rotates = false;
    chip->aeoi = false;
    chip->sfnm = false;
    chip->single = (value & ICW1_SINGLE) != 0;
    chip->wants_icw4 = (value & ICW1_ICW4) != 0;
    chip->next = ICW2;
}

/* OCW2: R, SL, EOI. */
static void write_ocw2(struct i8259 *chip, uint8_t value)
{
    unsigned level = value & OCW2_LEVEL;
    unsigned isr = chip->isr;

    if (chip->special_mask)
        isr &= ~(unsigned)chip->imr;
    switch (FIELD_GET(OCW2_COMMAND, value)) {
    case 0: chip->rotates = false; break; /* rotate in AEOI: off */
    case 1: end(chip, highest(chip, isr), false); break;
    case 3: end(chip, level, false); break;
    case 4: chip->rotates = true; break; /* rotate in AEOI: on */
    case 5: end(chip, highest(chip, isr), true); break;
    case 6: chip->lowest = (uint8_t)level; break; /* set priority */
    case 7: end(chip, level, true); break;
    default: break; /* no operation */
    }
}

static void write_ocw3(struct i8259 *chip, uint8_t value)
{
    if (value & OCW3_SET_SMM)
        chip->special_mask = (value & OCW3_SMM) != 0;
    if (value & OCW3_POLL)
        chip->polls = true;
    else if (value & OCW3_READ)
        chip->reads_isr = (value & OCW3_READ_ISR) != 0;
}

static void write_command(struct i8259 *chip, uint8_t value)
{
    if (value & ICW1_INIT)
        write_icw1(chip, value);
    else if (value & OCW3_SELECT)
        write_ocw3(chip, value);
    else
        write_ocw2(chip, value);
}

static void write_data(struct i8259 *chip, uint8_t value)
{
    switch (chip->next) {
    case READY: chip->imr = value; break;
    case ICW2:
        chip->vector = value & ICW2_VECTOR;
        chip->next = !chip->single ? ICW3 : chip->wants_icw4 ? ICW4 : READY;
        break;
    case ICW3: /* the wiring is as it is */
        chip->next = chip->wants_icw4 ? ICW4 : READY;
        break;
    case ICW4:
        chip->aeoi = (value & ICW4_AEOI) != 0;
        chip->sfnm = (value & ICW4_SFNM) != 0;
        chip->next = READY;
        break;
    }
}

/* A read after the poll command is an acknowledge cycle, at either port. */
static uint8_t poll(struct i8259 *chip, bool is_master)
{
    unsigned input = find_request(chip, is_master);

    chip->polls = false;
    if (input == NO_INPUT)
        return 0;
    (void)accept(chip, input);
    return (uint8_t)(POLL_FOUND | input);
}

static err_t pic_read(struct device *device, unsigned range, uint64_t offset,
                      unsigned width, uint64_t *value)
{
    struct pic *pic = to_pic(device);
    struct i8259 *chip;

    if (range == RANGE_ELCR) {
        *value = pic->chips[offset].elcr;
        return OK;
    }
    chip = &pic->chips[range];
    if (chip->polls) {
        *value = poll(chip, range == RANGE_MASTER);
        if (range == RANGE_SLAVE)
            set_line(&pic->chips[MASTER], CASCADE, false);
        update(pic);
    } else if (offset != 0) {
        *value = chip->imr;
    } else {
        *value = chip->reads_isr ? chip->isr : irr(chip);
    }
    return OK;
}

static err_t pic_write(struct device *device, unsigned range, uint64_t offset,
                       unsigned width, uint64_t value)
{
    struct pic *pic = to_pic(device);
    struct i8259 *chip = &pic->chips[range == RANGE_ELCR ? offset : range];

    if (range == RANGE_ELCR)
        chip->elcr = (uint8_t)value & chip->elcr_writable;
    else if (offset == 0)
        write_command(chip, (uint8_t)value);
    else
        write_data(chip, (uint8_t)value);
    update(pic);
    return OK;
}

/* The lines are their devices'. The data sheet leaves open what a chip is
 * before it is initialised: all of it is masked. */
static void reset_chip(struct i8259 *chip)
{
    uint8_t line = chip->line & (uint8_t)~chip->self_lowering;
    bool output = chip->output;

    *chip = (struct i8259){.line = line,
                           .output = output,
                           .imr = 0xff,
                           .lowest = INPUTS - 1,
                           .elcr_writable = chip->elcr_writable};
}

static void pic_reset(struct device *device)
{
    struct pic *pic = to_pic(device);

    for (unsigned i = 0; i < CHIPS; i++)
        reset_chip(&pic->chips[i]);
    update(pic);
}

static const struct device_ops pic_ops = {
    .read = pic_read,
    .write = pic_write,
    .reset = pic_reset,
};

static const struct device_range pic_ranges[RANGES] = {
    {0x20, 2, BUS_PORT, RANGE_MASTER, WIDTH_1},
    {0xa0, 2, BUS_PORT, RANGE_SLAVE, WIDTH_1},
    {ELCR_PORT, CHIPS, BUS_PORT, RANGE_ELCR, WIDTH_1},
};

static err_t pic_create(const struct device_context *context,
                        struct device **device, const char **what)
{
    struct lapics *lapics = lapics_of_chip(context->irq_chip);
    struct pic *pic;

    if (lapics == NULL) {
        *what = "no intel,lapic before it";
        return ERR_NOT_FOUND;
    }
    pic = arena_new(context->arena, struct pic);
    if (pic == NULL)
        return ERR_NO_MEMORY;
    pic->lapics = lapics;
    pic->chip = (struct irq_chip){pic_set_level, pic_pulse, PIC_IRQS};
    /* Timer, keyboard, cascade; clock, coprocessor: always edges. */
    pic->chips[MASTER].elcr_writable = 0xf8;
    pic->chips[SLAVE].elcr_writable = 0xde;
    pic->device.ops = &pic_ops;
    pic->device.range_count = RANGES;
    for (unsigned i = 0; i < RANGES; i++)
        pic->device.ranges[i] = pic_ranges[i];
    lapics_attach_pic(lapics, &(struct pc_pic){&pic->chip, pic_acknowledge});
    *device = &pic->device;
    return OK;
}

static struct irq_chip *pic_irq_chip(struct device *device)
{
    return &to_pic(device)->chip;
}

static const struct device_model pic_model = {
    .compatible = "intel,i8259",
    .is_irq_chip = true,
    .create = pic_create,
    .irq_chip = pic_irq_chip,
};

DEVICE_MODEL(pic_model);
