/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pair of 8259 against the model of the tests: after each step its output,
 * and all that can be read without an effect, must be the model's.
 */
#include "fuzz/pc.h"
#include "tests/hv/device/pc/pic_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MASTER   0x20
#define SLAVE    0xa0
#define ELCR     0x4d0
#define MAX_STEP 256
/* OCW3's poll command, which the model has not. */
#define IS_POLL(value) (((value)&0x1c) == 0x0c)

enum step_kind { COMMAND, DATA, LINE, TAKE, SET_ELCR, RESET };

struct step {
    enum step_kind kind;
    unsigned chip, irq;
    uint8_t value;
};

static struct fuzz_pc *pc;
static struct pic_model model;

static void take_step(struct fuzz_input *input, struct step *step)
{
    static const uint8_t kinds[] = {COMMAND, DATA, LINE, LINE,
                                    TAKE,    LINE, TAKE, SET_ELCR};
    unsigned how = (unsigned)fuzz_take(input, 1);

    *step = (struct step){.kind = how == 0xff ? RESET : kinds[how % 8],
                          .chip = how / 8 % 2,
                          .irq = how / 16};
    if (step->kind != TAKE && step->kind != RESET)
        step->value = (uint8_t)fuzz_take(input, 1);
}

static void skip(struct fuzz_input *input)
{
    struct step step;

    take_step(input, &step);
}

FUZZ_MUTATOR(skip)

static struct lapic *boot_apic(void)
{
    return lapics_get(pc->lapics, 0);
}

static bool has_intr(void)
{
    return (lapic_attention(boot_apic()) & LAPIC_EXTINT) != 0;
}

static void let_through(void)
{
    lapic_write(boot_apic(), 0xf0, 4, 0x1ff);
    lapic_write(boot_apic(), 0x350, 4, 0x700);
}

static void set_line(unsigned irq, bool high)
{
    if (irq == 2)
        return;
    pc->gsi->set_level(pc->gsi, irq == 0 ? 2 : irq, high);
    pic_model_line(&model, irq, high);
}

/* The lines are their devices'. */
static void reset(void)
{
    struct pic_model old = model;

    device_set_reset(&pc->set);
    pic_model_reset(&model);
    for (unsigned irq = 0; irq < 16; irq++)
        model.chips[irq / 8].line[irq % 8] =
            irq != 2 && old.chips[irq / 8].line[irq % 8];
    let_through();
}

static void do_step(const struct step *step)
{
    struct pic_chip_model *chip = &model.chips[step->chip];
    uint64_t port = step->chip ? SLAVE : MASTER;
    uint8_t levels = step->value & (step->chip ? 0xde : 0xf8);

    switch (step->kind) {
    case COMMAND:
        if (IS_POLL(step->value))
            break;
        fuzz_pc_out(pc, port, step->value);
        pic_model_command(chip, step->value);
        break;
    case DATA:
        fuzz_pc_out(pc, port + 1, step->value);
        pic_model_data(chip, step->value);
        break;
    case LINE: set_line(step->irq, step->value & 1); break;
    case TAKE:
        if (pic_model_settle(&model))
            fuzz_need(lapic_acknowledge(boot_apic()) ==
                          pic_model_acknowledge(&model),
                      "a vector is not the model's");
        break;
    case SET_ELCR:
        fuzz_pc_out(pc, ELCR + step->chip, step->value);
        for (unsigned i = 0; i < 8; i++)
            chip->level[i] = levels >> i & 1;
        break;
    case RESET: reset(); break;
    }
}

static void compare(void)
{
    fuzz_need(has_intr() == pic_model_settle(&model),
              "the output is not the model's");
    for (unsigned i = 0; i < 2; i++) {
        uint64_t port = i ? SLAVE : MASTER;

        fuzz_need(fuzz_pc_in(pc, port) == pic_model_read(&model.chips[i], 0),
                  "IRR or ISR is not the model's");
        fuzz_need(fuzz_pc_in(pc, port + 1) ==
                      pic_model_read(&model.chips[i], 1),
                  "IMR is not the model's");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    fuzz_pc_begin(&pc, NULL, let_through);
    pic_model_reset(&model);
    for (unsigned i = 0; i < MAX_STEP && !fuzz_is_empty(&input); i++) {
        struct step step;

        take_step(&input, &step);
        do_step(&step);
        compare();
    }
    fuzz_pc_end(&pc);
    return 0;
}
