/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pair of 8259A as the data sheet's text has it: every input by itself, and
 * priorities as a list that is walked, the highest first. For comparison with
 * the device, in tests and fuzz targets.
 */
#ifndef TESTS_PIC_MODEL_H
#define TESTS_PIC_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct pic_chip_model {
    bool line[8], requested[8], served[8], masked[8], level[8];
    unsigned order[8];
    unsigned vector, word; /* of initialisation, next: 0 is none */
    bool wants_icw4, single;
    bool aeoi, rotates, nested, special;
    bool reads_isr;
};

struct pic_model {
    struct pic_chip_model chips[2];
};

static inline void pic_model_reset(struct pic_model *model)
{
    memset(model, 0, sizeof(*model));
    for (unsigned i = 0; i < 16; i++) {
        model->chips[i / 8].masked[i % 8] = true;
        model->chips[i / 8].order[i % 8] = i % 8;
    }
}

/* Makes `input` the lowest. */
static inline void pic_model_rotate(struct pic_chip_model *chip, unsigned input)
{
    for (unsigned i = 0; i < 8; i++)
        chip->order[i] = (input + 1 + i) % 8;
}

static inline bool pic_model_is_request(const struct pic_chip_model *chip,
                                        unsigned input)
{
    return chip->level[input] ? chip->line[input]
                              : chip->requested[input] && chip->line[input];
}

/* From the highest on, until one that is in service stops it. -1: none. */
static inline int pic_model_find(const struct pic_chip_model *chip, bool master)
{
    if (chip->word != 0)
        return -1;
    for (unsigned i = 0; i < 8; i++) {
        unsigned input = chip->order[i];
        bool requests =
            pic_model_is_request(chip, input) && !chip->masked[input];
        bool stops =
            chip->served[input] && !(chip->special && chip->masked[input]);

        if (requests && (!stops || (master && chip->nested && input == 2)))
            return (int)input;
        if (stops)
            return -1;
    }
    return -1;
}

static inline void pic_model_line(struct pic_model *model, unsigned irq,
                                  bool high)
{
    struct pic_chip_model *chip = &model->chips[irq / 8];

    if (high && !chip->line[irq % 8])
        chip->requested[irq % 8] = true;
    if (!high)
        chip->requested[irq % 8] = false;
    chip->line[irq % 8] = high;
}

/* The slave's output is the master's input 2. True: INTR. */
static inline bool pic_model_settle(struct pic_model *model)
{
    pic_model_line(model, 2, pic_model_find(&model->chips[1], false) >= 0);
    return pic_model_find(&model->chips[0], true) >= 0;
}

static inline unsigned pic_model_accept(struct pic_chip_model *chip, int input)
{
    if (input < 0)
        return chip->vector + 7;
    chip->requested[input] = false;
    chip->served[input] = !chip->aeoi;
    if (chip->aeoi && chip->rotates)
        pic_model_rotate(chip, (unsigned)input);
    return chip->vector + (unsigned)input;
}

static inline unsigned pic_model_acknowledge(struct pic_model *model)
{
    int input = pic_model_find(&model->chips[0], true);
    unsigned vector = pic_model_accept(&model->chips[0], input);

    if (input == 2 && !model->chips[0].single) {
        vector = pic_model_accept(&model->chips[1],
                                  pic_model_find(&model->chips[1], false));
        pic_model_line(model, 2, false);
    }
    return vector;
}

/* EOI: of `input`, or of the highest in service when that is 8. */
static inline void pic_model_end(struct pic_chip_model *chip, unsigned input,
                                 bool rotate)
{
    for (unsigned i = 0; i < 8 && input == 8; i++) {
        unsigned at = chip->order[i];

        if (chip->served[at] && !(chip->special && chip->masked[at]))
            input = at;
    }
    if (input == 8)
        return;
    chip->served[input] = false;
    if (rotate)
        pic_model_rotate(chip, input);
}

static inline void pic_model_icw1(struct pic_chip_model *chip, unsigned value)
{
    for (unsigned i = 0; i < 8; i++) {
        chip->requested[i] = chip->served[i] = chip->masked[i] = false;
        chip->order[i] = i;
    }
    chip->aeoi = chip->rotates = chip->nested = chip->special = false;
    chip->reads_isr = false;
    chip->wants_icw4 = value & 1;
    chip->single = value & 2;
    chip->word = 2;
}

static inline void pic_model_command(struct pic_chip_model *chip,
                                     unsigned value)
{
    unsigned level = value & 7;

    if (value & 0x10) {
        pic_model_icw1(chip, value);
        return;
    }
    if (value & 8) {
        if (value & 0x40)
            chip->special = value & 0x20;
        if (value & 2)
            chip->reads_isr = value & 1;
        return;
    }
    switch (value & 0xe0) {
    case 0x00: chip->rotates = false; break;
    case 0x20: pic_model_end(chip, 8, false); break;
    case 0x60: pic_model_end(chip, level, false); break;
    case 0x80: chip->rotates = true; break;
    case 0xa0: pic_model_end(chip, 8, true); break;
    case 0xc0: pic_model_rotate(chip, level); break;
    case 0xe0: pic_model_end(chip, level, true); break;
    }
}

static inline void pic_model_data(struct pic_chip_model *chip, unsigned value)
{
    switch (chip->word) {
    case 0:
        for (unsigned i = 0; i < 8; i++)
            chip->masked[i] = value >> i & 1;
        break;
    case 2:
        chip->vector = value & 0xf8;
        chip->word = !chip->single ? 3 : chip->wants_icw4 ? 4 : 0;
        break;
    case 3: chip->word = chip->wants_icw4 ? 4 : 0; break;
    case 4:
        chip->aeoi = value & 2;
        chip->nested = value & 0x10;
        chip->word = 0;
        break;
    }
}

static inline unsigned pic_model_read(const struct pic_chip_model *chip,
                                      bool data)
{
    unsigned value = 0;

    for (unsigned i = 0; i < 8; i++) {
        bool bit = data              ? chip->masked[i]
                   : chip->reads_isr ? chip->served[i]
                                     : pic_model_is_request(chip, i);
        value |= (unsigned)bit << i;
    }
    return value;
}

#endif
