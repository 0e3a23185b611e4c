/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PLIC against a model: one struct per source, and every question answered
 * by looking at all that are pending, as the specification words it. After
 * each step,
 * the outputs must be the model's, and each read must give what the model
 * says. The file under test is included rather than linked, so that its
 * outputs end here.
 */
#include <string.h>

#include "fuzz/device.h"
#include "lib/bits.h"
#include "lib/compiler.h"

static err_t drive(vm_id vm, vcpu_id vcpu, interrupt_vector vector, bool high);

#define vmm_set_interrupt_line drive
#include "device/plic.c"
#undef vmm_set_interrupt_line

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Few enough that they get in each other's way, over a word's border. */
#define SOURCES  70
#define VCPUS    3
#define VECTOR   9
#define MAX_STEP 256

/* A source as the specification has it: its gateway, and who wants it. */
struct source {
    uint32_t priority;
    bool line, served, edge;
    bool enabled[VCPUS];
};

static struct {
    struct source sources[SOURCES + 1];
    uint64_t pending[SOURCES / 64 + 1]; /* a bit per source */
    uint32_t threshold[VCPUS];
} model;

static bool outputs[VCPUS];
static struct device *device;
static struct irq_chip *chip;

static err_t drive(vm_id vm, vcpu_id vcpu, interrupt_vector vector, bool high)
{
    fuzz_need(vcpu < VCPUS && vector == VECTOR, "a line that does not exist");
    fuzz_need(outputs[vcpu] != high, "a line is driven to what it is");
    outputs[vcpu] = high;
    return OK;
}

static void make_device(void)
{
    static struct arena arena;
    static uint8_t tree[1024];
    const struct device_context context = {
        .arena = &arena,
        .vcpu_count = VCPUS,
        .fdt = tree,
        .node = fuzz_make_node(tree, sizeof(tree), "plic", 0x600000,
                               "riscv,ndev", SOURCES),
        .external_vector = VECTOR,
    };
    const char *what;

    fuzz_need(plic_create(&context, &device, &what) == OK,
              "the device cannot be made");
    chip = plic_irq_chip(device);
}

/* The model ----------------------------------------------------------------*/

static bool is_pending(uint64_t number)
{
    return (model.pending[number / 64] >> number % 64 & 1) != 0;
}

static void set_pending(uint64_t number, bool pending)
{
    model.pending[number / 64] &= ~(UINT64_C(1) << number % 64);
    model.pending[number / 64] |= (uint64_t)pending << number % 64;
}

/* The first of the pending, enabled sources of the highest priority above
 * `least`, or 0. */
static uint32_t first_pending(unsigned vcpu, uint32_t least)
{
    uint32_t best = 0;

    for (unsigned word = 0; word < ARRAY_SIZE(model.pending); word++) {
        for (uint64_t bits = model.pending[word]; bits != 0; bits &= bits - 1) {
            uint32_t number = word * 64 + bit_lowest(bits);
            const struct source *source = &model.sources[number];

            if (source->enabled[vcpu] && source->priority > least) {
                least = source->priority;
                best = number;
            }
        }
    }
    return best;
}

static bool wants(unsigned vcpu)
{
    return first_pending(vcpu, model.threshold[vcpu]) != 0;
}

static void model_level(uint32_t number, bool high)
{
    struct source *source = &model.sources[number];

    source->line = high;
    if (high && !source->served)
        set_pending(number, true);
}

static void model_pulse(uint32_t number)
{
    struct source *source = &model.sources[number];

    if (source->served)
        source->edge = true;
    else
        set_pending(number, true);
}

static uint32_t model_claim(unsigned vcpu)
{
    uint32_t best = first_pending(vcpu, 0);

    if (best != 0) {
        fuzz_need(!model.sources[best].served, "claimed twice");
        model.sources[best].served = true;
        set_pending(best, false);
    }
    return best;
}

static void model_complete(unsigned vcpu, uint32_t number)
{
    struct source *source;

    if (number == 0 || number > SOURCES)
        return;
    source = &model.sources[number];
    if (!source->enabled[vcpu] || !source->served)
        return;
    source->served = false;
    set_pending(number, source->edge || source->line);
    source->edge = false;
}

static void model_reset(void)
{
    memset(model.threshold, 0, sizeof(model.threshold));
    for (unsigned i = 1; i <= SOURCES; i++) {
        bool line = model.sources[i].line;

        model.sources[i] = (struct source){.line = line};
        set_pending(i, line);
    }
}

/* The supervisor's context of a vCPU, or VCPUS. */
static unsigned vcpu_of(uint64_t context)
{
    return context % 2 == 1 && context / 2 < VCPUS ? (unsigned)context / 2
                                                   : VCPUS;
}

/* 32 sources' bits, of being pending (`vcpu` is VCPUS) or enabled. */
static uint32_t model_word(uint64_t word, unsigned vcpu)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < 32; i++) {
        uint64_t number = word * 32 + i;

        if (number == 0 || number > SOURCES)
            continue;
        if (vcpu == VCPUS ? is_pending(number)
                          : model.sources[number].enabled[vcpu])
            bits |= 1U << i;
    }
    return bits;
}

static uint32_t model_read(uint64_t offset)
{
    if (offset < 0x1000)
        return offset / 4 <= SOURCES ? model.sources[offset / 4].priority : 0;
    if (offset < 0x1080)
        return model_word((offset - 0x1000) / 4, VCPUS);
    if (offset >= 0x200000) {
        unsigned vcpu = vcpu_of((offset - 0x200000) / 0x1000);

        if (vcpu == VCPUS)
            return 0;
        if (offset % 0x1000 == 0)
            return model.threshold[vcpu];
        return offset % 0x1000 == 4 ? model_claim(vcpu) : 0;
    }
    if (offset >= 0x2000) {
        unsigned vcpu = vcpu_of((offset - 0x2000) / 0x80);

        return vcpu == VCPUS ? 0 : model_word(offset % 0x80 / 4, vcpu);
    }
    return 0;
}

static void model_enable(unsigned vcpu, uint64_t word, uint32_t bits)
{
    for (unsigned i = 0; i < 32; i++) {
        uint64_t number = word * 32 + i;

        if (number != 0 && number <= SOURCES)
            model.sources[number].enabled[vcpu] = (bits >> i & 1) != 0;
    }
}

static void model_write(uint64_t offset, uint32_t value)
{
    unsigned vcpu;

    if (offset < 0x1000) {
        if (offset != 0 && offset / 4 <= SOURCES)
            model.sources[offset / 4].priority = value & 7;
        return;
    }
    if (offset >= 0x200000) {
        vcpu = vcpu_of((offset - 0x200000) / 0x1000);
        if (vcpu != VCPUS && offset % 0x1000 == 0)
            model.threshold[vcpu] = value & 7;
        else if (vcpu != VCPUS && offset % 0x1000 == 4)
            model_complete(vcpu, value);
    } else if (offset >= 0x2000) {
        vcpu = vcpu_of((offset - 0x2000) / 0x80);
        if (vcpu != VCPUS)
            model_enable(vcpu, offset % 0x80 / 4, value);
    }
}

/* Steps --------------------------------------------------------------------*/

enum step_kind { READ, WRITE, LEVEL, PULSE, RESET };

struct step {
    enum step_kind kind;
    uint32_t source;
    uint64_t offset;
    uint32_t value;
};

/* A register: most often one that somebody uses. */
static uint64_t take_offset(struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 1);
    uint64_t context = 2 * (uint64_t)(how / 8 % VCPUS) + 1;

    switch (how % 8) {
    case 0: return fuzz_take(input, 3) % 0x600000 & ~UINT64_C(3);
    case 1: return 4 * fuzz_take(input, 1);
    case 2: return 0x1000 + 4 * fuzz_take(input, 1) % 0x80;
    case 3: return 0x2000 + 0x80 * context + 4 * fuzz_take(input, 1) % 0x80;
    case 4: return 0x200000 + 0x1000 * context;
    case 5: return 0x2000 + 0x80 * context + 4 * (how / 64);
    default: return 0x200004 + 0x1000 * context;
    }
}

static void take_step(struct fuzz_input *input, struct step *step)
{
    static const uint8_t kinds[] = {READ,  WRITE, LEVEL, PULSE,
                                    WRITE, READ,  LEVEL, WRITE};
    unsigned how = (unsigned)fuzz_take(input, 1);

    *step = (struct step){.kind = how == 0xff ? RESET : kinds[how % 8]};
    if (step->kind == READ || step->kind == WRITE)
        step->offset = take_offset(input);
    if (step->kind == WRITE)
        step->value = (uint32_t)fuzz_number(input);
    if (step->kind == LEVEL || step->kind == PULSE)
        step->source = (uint32_t)fuzz_take(input, 1);
    if (step->kind == LEVEL)
        step->value = how / 8 % 2;
}

static void skip(struct fuzz_input *input)
{
    struct step step;

    take_step(input, &step);
}

FUZZ_MUTATOR(skip)

static void read_both(uint64_t offset)
{
    uint64_t value;

    fuzz_need(device->ops->read(device, 0, offset, 4, &value) == OK,
              "a read fails");
    fuzz_need(value == model_read(offset), "a read is not the model's");
}

static void do_step(const struct step *step)
{
    uint32_t source = step->source;
    bool exists = source != 0 && source <= SOURCES;

    switch (step->kind) {
    case READ: read_both(step->offset); break;
    case WRITE:
        fuzz_need(device->ops->write(device, 0, step->offset, 4, step->value) ==
                      OK,
                  "a write fails");
        model_write(step->offset, step->value);
        break;
    case LEVEL:
        chip->set_level(chip, source, step->value != 0);
        if (exists)
            model_level(source, step->value != 0);
        break;
    case PULSE:
        chip->pulse(chip, source);
        if (exists)
            model_pulse(source);
        break;
    case RESET:
        device->ops->reset(device);
        model_reset();
        break;
    }
    for (unsigned vcpu = 0; vcpu < VCPUS; vcpu++)
        fuzz_need(outputs[vcpu] == wants(vcpu), "an output is not the model's");
}

static void start_over(void)
{
    for (uint32_t source = 1; source <= SOURCES; source++) {
        if (model.sources[source].line)
            chip->set_level(chip, source, false);
    }
    device->ops->reset(device);
    memset(&model, 0, sizeof(model));
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
