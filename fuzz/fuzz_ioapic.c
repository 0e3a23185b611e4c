/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IOAPIC against a model that knows fixed interrupts to one local APIC:
 * each pin by itself, as the data sheet words it. Entries of other modes and
 * destinations are written, too, for whatever they do.
 */
#include "fuzz/pc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SELECT     0xfec00000
#define WINDOW     0xfec00010
#define DIRECT_EOI 0xfec00040
#define PINS       24
#define FIRST_PIN  3 /* those below share lines with the 8259s' output */
#define MAX_STEP   256

#define ACTIVE_LOW UINT64_C(0x2000)
#define REMOTE_IRR UINT64_C(0x4000)
#define LEVEL      UINT64_C(0x8000)
#define MASKED     UINT64_C(0x10000)
#define WRITABLE   UINT64_C(0xff0000000001afff)

enum step_kind { ENTRY, SIMPLE, LINE, PULSE, SERVE, DIRECTED, OTHER, RESET };

struct step {
    enum step_kind kind;
    uint32_t pin;
    bool half;
    uint64_t value;
};

static struct {
    uint64_t entries[PINS];
    bool high[PINS];
    uint32_t requested[256 / 32]; /* a bit per vector, as the IRR has them */
    bool level[256];
} model;
static struct fuzz_pc *pc;

static void take_step(struct fuzz_input *input, struct step *step)
{
    static const uint8_t kinds[] = {ENTRY, SIMPLE, LINE,  LINE,
                                    PULSE, SERVE,  SERVE, DIRECTED};
    unsigned how = (unsigned)fuzz_take(input, 1);

    *step = (struct step){
        .kind = how == 0xff   ? RESET
                : how == 0xfe ? OTHER
                              : kinds[how % 8],
        .pin = FIRST_PIN + how / 8 % 4,
        .half = how / 32 % 2,
    };
    if (step->kind == ENTRY || step->kind == DIRECTED || step->kind == OTHER ||
        step->kind == SIMPLE)
        step->value = fuzz_number(input);
}

static void skip(struct fuzz_input *input)
{
    struct step step;

    take_step(input, &step);
}

FUZZ_MUTATOR(skip)

static struct lapic *apic(void)
{
    return lapics_get(pc->lapics, 0);
}

static bool is_asserted(uint32_t pin)
{
    return model.high[pin] != ((model.entries[pin] & ACTIVE_LOW) != 0);
}

/* Whether the message gets to the local APIC, fixed. */
static bool is_accepted(uint64_t entry)
{
    uint8_t destination = (uint8_t)(entry >> 56);

    return (entry >> 8 & 7) < 2 && (entry & 0xff) >= 16 &&
           (entry >> 11 & 1 ? destination == 0xff
                            : destination == 0 || destination == 0xff);
}

static bool is_level(uint64_t entry)
{
    return (entry & LEVEL) && (entry >> 8 & 7) < 2;
}

static void model_send(uint32_t pin)
{
    uint64_t entry = model.entries[pin];

    if (!is_accepted(entry))
        return;
    model.requested[(entry & 0xff) / 32] |= UINT32_C(1) << entry % 32;
    model.level[entry & 0xff] = (entry & LEVEL) != 0;
    if (is_level(entry))
        model.entries[pin] |= REMOTE_IRR;
}

static void model_look(uint32_t pin, bool rises)
{
    uint64_t entry = model.entries[pin];

    if ((entry & MASKED) || !is_asserted(pin))
        return;
    if (is_level(entry) ? (entry & REMOTE_IRR) == 0 : rises)
        model_send(pin);
}

static void set_line(uint32_t pin, bool high)
{
    bool was = is_asserted(pin);

    model.high[pin] = high;
    model_look(pin, !was);
}

static void model_eoi(uint8_t vector)
{
    for (uint32_t pin = 0; pin < PINS; pin++) {
        if ((model.entries[pin] & 0xff) != vector ||
            (model.entries[pin] & REMOTE_IRR) == 0)
            continue;
        model.entries[pin] &= ~REMOTE_IRR;
        model_look(pin, false);
    }
}

static void write_half(uint32_t pin, bool high, uint32_t value)
{
    uint64_t mask =
        WRITABLE & (high ? UINT64_C(0xffffffff00000000) : UINT64_C(0xffffffff));

    fuzz_pc_write(pc, BUS_MMIO, SELECT, 4, 0x10 + 2 * pin + high);
    fuzz_pc_write(pc, BUS_MMIO, WINDOW, 4, value);
    model.entries[pin] = (model.entries[pin] & ~mask) |
                         (high ? (uint64_t)value << 32 & mask : value & mask);
    if (!is_level(model.entries[pin]))
        model.entries[pin] &= ~REMOTE_IRR;
    model_look(pin, false);
}

/* The highest that is requested, or -1. */
static int highest(void)
{
    for (int i = 7; i >= 0; i--) {
        if (model.requested[i] != 0)
            return 32 * i + 31 - __builtin_clz(model.requested[i]);
    }
    return -1;
}

/* Takes what there is to take, ends it. An 8259's comes first: an entry may
 * send that, and NMIs and INITs, which are left. */
static void serve(void)
{
    int vector = highest();

    if (lapic_attention(apic()) & LAPIC_EXTINT)
        (void)lapic_acknowledge(apic());
    if (vector < 0)
        return;
    fuzz_need(lapic_acknowledge(apic()) == vector, "another vector");
    model.requested[vector / 32] &= ~(UINT32_C(1) << vector % 32);
    lapic_write(apic(), 0xb0, 4, 0);
    if (model.level[vector])
        model_eoi((uint8_t)vector);
}

static void enable(void)
{
    lapic_write(apic(), 0xf0, 4, 0x1ff);
}

static void start_model(void)
{
    memset(&model, 0, sizeof(model));
    for (uint32_t pin = 0; pin < PINS; pin++)
        model.entries[pin] = MASKED;
}

/* The lines are their devices'. */
static void start_over(void)
{
    bool high[PINS];

    memcpy(high, model.high, sizeof(high));
    device_set_reset(&pc->set);
    start_model();
    memcpy(model.high, high, sizeof(high));
    enable();
}

static void do_step(const struct step *step)
{
    bool high = !model.high[step->pin];

    switch (step->kind) {
    case ENTRY: write_half(step->pin, step->half, (uint32_t)step->value); break;
    case SIMPLE:
        write_half(step->pin, true, 0);
        write_half(step->pin, false, (uint32_t)step->value & 0x1a0ff);
        break;
    case LINE:
        pc->gsi->set_level(pc->gsi, step->pin, high);
        set_line(step->pin, high);
        break;
    case PULSE:
        pc->gsi->pulse(pc->gsi, step->pin);
        set_line(step->pin, high);
        set_line(step->pin, !high);
        break;
    case SERVE: serve(); break;
    case DIRECTED:
        fuzz_pc_write(pc, BUS_MMIO, DIRECT_EOI, 4, (uint32_t)step->value);
        model_eoi((uint8_t)step->value);
        break;
    case OTHER:
        (void)fuzz_pc_read(pc, BUS_MMIO, SELECT + (step->value & 0xffc), 4);
        fuzz_pc_write(pc, BUS_MMIO, SELECT, 4, (uint8_t)step->value);
        (void)fuzz_pc_read(pc, BUS_MMIO, WINDOW, 4);
        break;
    case RESET: start_over(); break;
    }
}

static void compare_entry(uint32_t pin)
{
    for (unsigned half = 0; half < 2; half++) {
        fuzz_pc_write(pc, BUS_MMIO, SELECT, 4, 0x10 + 2 * pin + half);
        fuzz_need(fuzz_pc_read(pc, BUS_MMIO, WINDOW, 4) ==
                      (uint32_t)(model.entries[pin] >> half * 32),
                  "an entry is not the model's");
    }
}

/* What an interrupt does to an APIC stays until it is served: the IRR and the
 * other entries are looked at in the end. */
static void compare(void)
{
    for (uint32_t pin = FIRST_PIN; pin < FIRST_PIN + 4; pin++)
        compare_entry(pin);
    for (unsigned i = 0; i < 8; i++)
        fuzz_need(lapic_read(apic(), 0x200 + 16 * i, 4) == model.requested[i],
                  "a request is not the model's");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    fuzz_pc_begin(&pc, NULL, enable);
    start_model();
    for (unsigned i = 0; i < MAX_STEP && !fuzz_is_empty(&input); i++) {
        struct step step;

        take_step(&input, &step);
        do_step(&step);
        compare_entry(step.pin);
    }
    compare();
    fuzz_pc_end(&pc);
    return 0;
}
