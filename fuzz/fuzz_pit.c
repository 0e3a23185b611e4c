/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 8254: channel 2 against the counter of the tests, which counts clock by
 * clock; the other channels are given anything, and must not keep the host
 * busy.
 */
#include "fuzz/pc.h"
#include "tests/hv/device/pc/pit_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HZ         UINT64_C(1193182)
#define SECOND     UINT64_C(1000000000)
#define CONTROL    0x43
#define PORT61     0x61
#define MAX_STEP   128
#define MAX_CLOCKS 100000 /* counted, of all steps */

enum step_kind { MODE, COUNT, GATE, TIME, OTHERS, RESET };

struct step {
    enum step_kind kind;
    uint16_t value;
    uint8_t how;
};

static struct fuzz_pc *pc;
static struct pit_model model;
static uint64_t clocks_left;

static void take_step(struct fuzz_input *input, struct step *step)
{
    static const uint8_t kinds[] = {MODE, COUNT, GATE, TIME,
                                    TIME, COUNT, GATE, OTHERS};
    unsigned how = (unsigned)fuzz_take(input, 1);

    *step = (struct step){.kind = how == 0xff ? RESET : kinds[how % 8],
                          .how = (uint8_t)(how / 8)};
    if (step->kind != RESET && step->kind != GATE)
        step->value = (uint16_t)fuzz_number(input);
}

static void skip(struct fuzz_input *input)
{
    struct step step;

    take_step(input, &step);
}

FUZZ_MUTATOR(skip)

static uint64_t clocks_now(void)
{
    return clock_nanos() / SECOND * HZ + clock_nanos() % SECOND * HZ / SECOND;
}

static void run(uint64_t clocks)
{
    uint64_t end;

    clocks = clocks < clocks_left ? clocks : clocks_left;
    clocks_left -= clocks;
    end = ((clocks_now() + clocks) * SECOND + HZ - 1) / HZ;
    fuzz_pc_run(end - clock_nanos());
    pit_model_run(&model, clocks);
}

static void set_mode(unsigned mode, bool bcd)
{
    fuzz_pc_out(pc, CONTROL, (uint8_t)(0xb0 | mode << 1 | bcd));
    pit_model_control(&model, mode, bcd);
}

/* Of BCD, digits; counts that the data sheet forbids in some modes, not. */
static void write_count(uint16_t raw)
{
    uint32_t count = raw != 0 ? raw : 65536;

    if (model.bcd) {
        count = raw % 10000;
        raw = (uint16_t)(count / 1000 << 12 | count / 100 % 10 << 8 |
                         count / 10 % 10 << 4 | count % 10);
        count = count != 0 ? count : 10000;
    }
    if (count < 2)
        return;
    fuzz_pc_out(pc, 0x42, (uint8_t)raw);
    pit_model_first_byte(&model);
    fuzz_pc_out(pc, 0x42, (uint8_t)(raw >> 8));
    pit_model_count(&model, count);
}

/* Channel 0 or 1, a latch or nothing. */
static void write_others(const struct step *step)
{
    uint8_t low = (uint8_t)step->value;
    uint8_t high = (uint8_t)(step->value >> 8);

    switch (step->how % 4) {
    case 0: fuzz_pc_out(pc, CONTROL, low & 0x7f); break;
    case 1: fuzz_pc_out(pc, 0x40 + high % 2, low); break;
    case 2: (void)fuzz_pc_in(pc, 0x40 + high % 2); break;
    default: fuzz_pc_out(pc, CONTROL, 0xc0 | (low & 0x36)); break;
    }
}

static void start_over(void)
{
    device_set_reset(&pc->set);
    model.gate = false;
    fuzz_pc_out(pc, PORT61, 0);
    set_mode(0, false);
}

static void do_step(const struct step *step)
{
    bool gate = !model.gate;

    switch (step->kind) {
    case MODE: set_mode(step->value % 6, step->value / 6 % 2 != 0); break;
    case COUNT: write_count(step->value); break;
    case GATE:
        /* The data sheet does not say what a gate does to a strobe. */
        if (model.mode >= 4 && !model.out)
            break;
        fuzz_pc_out(pc, PORT61, gate);
        pit_model_gate(&model, gate);
        break;
    case TIME: run(step->value % 8192); break;
    case OTHERS: write_others(step); break;
    case RESET: start_over(); break;
    }
}

/* A clock later: the device may be ahead of what the next clock brings. */
static void compare(void)
{
    uint8_t status;
    uint32_t count;

    run(1);
    if (clocks_left == 0)
        return;
    fuzz_pc_out(pc, CONTROL, 0xc8);
    status = fuzz_pc_in(pc, 0x42);
    count = fuzz_pc_in(pc, 0x42);
    count |= (uint32_t)fuzz_pc_in(pc, 0x42) << 8;
    fuzz_need(status >> 7 == model.out, "OUT is not the model's");
    fuzz_need((status >> 6 & 1) == model.null, "null is not the model's");
    if (model.counting)
        fuzz_need(count == pit_model_read(&model),
                  "the count is not the model's");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    fuzz_pc_begin(&pc, "intel,i8254", start_over);
    clocks_left = MAX_CLOCKS;
    model.gate = false;
    pit_model_control(&model, 0, false);
    for (unsigned i = 0; i < MAX_STEP && !fuzz_is_empty(&input); i++) {
        struct step step;

        take_step(&input, &step);
        do_step(&step);
        compare();
    }
    fuzz_pc_end(&pc);
    return 0;
}
