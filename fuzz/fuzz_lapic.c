/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three local APICs that are given anything by their guests, by each other and
 * by devices. After each step, what they offer must follow from what their
 * registers say: the processor's priority, the highest request, no vector
 * under 16; and their timers do not keep the host busy.
 */
#include "fuzz/pc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_STEP     192
#define MSR_BASE     0x1b
#define MSR_DEADLINE 0x6e0
#define EXTD         0x400
#define EN           0x800

enum step_kind {
    READ,
    WRITE,
    READ_MSR,
    WRITE_MSR,
    MESSAGE,
    MSI,
    LINT,
    TAKE,
    EVENTS,
    TIME,
    TSC,
    RESET
};

struct step {
    enum step_kind kind;
    vcpu_id vcpu;
    uint32_t where;
    unsigned width;
    uint64_t value;
};

static struct fuzz_pc *pc;

/* A register: most often one that exists. */
static uint32_t take_register(struct fuzz_input *input)
{
    static const uint8_t known[] = {0x08, 0x0b, 0x0b, 0x0d, 0x0e, 0x0f, 0x28,
                                    0x2f, 0x30, 0x30, 0x31, 0x32, 0x32, 0x35,
                                    0x36, 0x37, 0x38, 0x38, 0x39, 0x3e, 0x3f};
    unsigned how = (unsigned)fuzz_take(input, 1);

    return how < 200 ? known[how % sizeof(known)]
                     : (uint32_t)fuzz_take(input, 1);
}

static void take_step(struct fuzz_input *input, struct step *step)
{
    static const uint8_t kinds[] = {
        WRITE, WRITE,    READ, WRITE_MSR, WRITE,  MESSAGE, TAKE,  TAKE,
        TIME,  READ_MSR, MSI,  LINT,      EVENTS, TSC,     WRITE, WRITE_MSR};
    unsigned how = (unsigned)fuzz_take(input, 1);

    *step = (struct step){.kind = how == 0xff ? RESET : kinds[how % 16],
                          .vcpu = how / 16 % FUZZ_PC_VCPUS,
                          .width = 4};
    switch (step->kind) {
    case READ:
    case WRITE:
        step->where = take_register(input) * 16;
        if (how / 64 == 3) {
            step->where += (uint32_t)fuzz_take(input, 1) % 16;
            step->width = 1U << step->where % 4;
        }
        break;
    case READ_MSR:
    case WRITE_MSR:
        step->where = 0x800 + take_register(input);
        if (how / 64 == 3)
            step->where = MSR_DEADLINE;
        if (how / 64 == 2)
            step->where = MSR_BASE;
        break;
    default: break;
    }
    if (step->kind != READ && step->kind != TAKE && step->kind != EVENTS &&
        step->kind != RESET && step->kind != READ_MSR)
        step->value = fuzz_number(input);
    if (step->where == MSR_BASE && how / 32 % 2)
        step->value = 0xfee00000 | (step->value & 0xf00);
}

static void skip(struct fuzz_input *input)
{
    struct step step;

    take_step(input, &step);
}

FUZZ_MUTATOR(skip)

static struct lapic *apic(vcpu_id vcpu)
{
    return lapics_get(pc->lapics, vcpu);
}

static void send(uint64_t value)
{
    const struct apic_message message = {
        .vector = (uint8_t)value,
        .mode = (enum apic_mode)(value >> 8 & 7),
        .logical = value >> 11 & 1,
        .level = value >> 12 & 1,
        .wide = value >> 13 & 1,
        .destination = (uint32_t)(value >> 16),
    };

    (void)lapics_deliver(pc->lapics, &message);
}

static void take_events(vcpu_id vcpu)
{
    uint32_t attention = lapic_attention(apic(vcpu));
    uint8_t vector;
    bool bsp;

    fuzz_need(lapic_take_init(apic(vcpu), &bsp) ==
                  ((attention & LAPIC_INIT) != 0),
              "INIT is not what was said");
    fuzz_need(lapic_take_sipi(apic(vcpu), &vector) ==
                  ((attention & LAPIC_SIPI) != 0),
              "SIPI is not what was said");
    (void)lapic_take_nmi(apic(vcpu));
    fuzz_need((lapic_attention(apic(vcpu)) &
               (LAPIC_INIT | LAPIC_SIPI | LAPIC_NMI)) == 0,
              "an event stays");
}

static void do_step(const struct step *step)
{
    struct lapic *lapic = apic(step->vcpu);
    uint64_t value;
    err_t error;

    switch (step->kind) {
    case READ: (void)lapic_read(lapic, step->where, step->width); break;
    case WRITE:
        lapic_write(lapic, step->where, step->width, step->value);
        break;
    case READ_MSR:
        error = lapic_read_msr(lapic, step->where, &value);
        fuzz_need(error == OK || error == ERR_OUT_OF_RANGE, "an odd error");
        break;
    case WRITE_MSR:
        error = lapic_write_msr(lapic, step->where, step->value);
        fuzz_need(error == OK || error == ERR_OUT_OF_RANGE, "an odd error");
        break;
    case MESSAGE: send(step->value); break;
    case MSI:
        lapics_deliver_msi(pc->lapics, 0xfee00000 | step->value >> 16,
                           (uint32_t)step->value & 0xffff);
        break;
    case LINT:
        lapics_set_lint(pc->lapics, step->value & 1, step->value >> 1 & 1);
        break;
    case TAKE: (void)lapic_acknowledge(lapic); break;
    case EVENTS: take_events(step->vcpu); break;
    case TIME: fuzz_pc_run(step->value % 1000000); break;
    case TSC: lapic_set_tsc_offset(lapic, step->value); break;
    case RESET: device_set_reset(&pc->set); break;
    }
}

enum mode { OFF, MMIO, X2APIC };

static enum mode mode_of(struct lapic *lapic)
{
    uint64_t base = 0;

    fuzz_need(lapic_read_msr(lapic, MSR_BASE, &base) == OK, "no base");
    fuzz_need((base & (EXTD | EN)) != EXTD, "a mode that does not exist");
    return (base & EN) == 0 ? OFF : (base & EXTD) == 0 ? MMIO : X2APIC;
}

/* A register, in whatever mode; 0 when it is off. */
static uint32_t get(struct lapic *lapic, enum mode mode, uint32_t number)
{
    uint64_t value = 0;

    if (mode == OFF)
        return 0;
    if (mode == MMIO)
        return (uint32_t)lapic_read(lapic, 16 * number, 4);
    fuzz_need(lapic_read_msr(lapic, 0x800 + number, &value) == OK,
              "a register is not there");
    return (uint32_t)value;
}

static int highest(struct lapic *lapic, enum mode mode, uint32_t number)
{
    fuzz_need((get(lapic, mode, number) & 0xffff) == 0, "a vector under 16");
    for (int i = 7; i >= 0; i--) {
        uint32_t bits = get(lapic, mode, number + (uint32_t)i);

        if (bits != 0)
            return i * 32 + 31 - __builtin_clz(bits);
    }
    return 0;
}

/* What is said is what is answered. */
static bool check_answer(struct lapic *lapic, uint8_t *vector)
{
    bool said = (lapic_attention(lapic) & LAPIC_INTERRUPT) != 0;

    fuzz_need(lapic_peek(lapic, vector) == said, "another answer");
    return said;
}

/* And that is what the registers say. */
static void check(struct lapic *lapic)
{
    enum mode mode = mode_of(lapic);
    int requested = highest(lapic, mode, 0x20);
    int served = highest(lapic, mode, 0x10) & 0xf0;
    int tpr = (int)get(lapic, mode, 0x08);
    int ppr = (tpr & 0xf0) >= served ? tpr : served;
    bool expected = (requested & 0xf0) > (ppr & 0xf0);
    uint8_t vector;

    fuzz_need((int)get(lapic, mode, 0x0a) == ppr, "another priority");
    fuzz_need(check_answer(lapic, &vector) == expected,
              "what is pending is not said");
    fuzz_need(!expected || vector == requested, "another vector");
}

static void enable(void)
{
    for (vcpu_id vcpu = 0; vcpu < FUZZ_PC_VCPUS; vcpu++)
        lapic_write(apic(vcpu), 0xf0, 4, 0x1ff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    uint8_t vector;

    fuzz_pc_begin(&pc, NULL, enable);
    for (unsigned i = 0; i < MAX_STEP && !fuzz_is_empty(&input); i++) {
        struct step step;

        take_step(&input, &step);
        do_step(&step);
        (void)check_answer(apic(step.vcpu), &vector);
    }
    /* Registers in the end only: what one step leaves wrong is the end of a
     * shorter input. */
    for (vcpu_id vcpu = 0; vcpu < FUZZ_PC_VCPUS; vcpu++)
        check(apic(vcpu));
    fuzz_pc_end(&pc);
    return 0;
}
