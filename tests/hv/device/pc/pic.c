/* SPDX-License-Identifier: Apache-2.0 */
/* The pair of 8259A: Intel's data sheet, and against a model of its text. */
#include "pic_model.h"

#include "pc.h"

#define MASTER 0x20
#define SLAVE  0xa0

static void set(struct pc *pc, uint32_t irq, bool high)
{
    pc->gsi->set_level(pc->gsi, irq == 0 ? 2 : irq, high);
}

/* A board whose 8259s are set up as by a BIOS, at 0x08 and 0x70, and reach
 * vCPU 0 by LINT0. */
static void make(struct pc *pc, uint8_t icw4)
{
    pc_make(pc, 2, NULL);
    pc_put(pc, 0, APIC_LINT0, 0x700);
    pc_out(pc, MASTER, 0x11);
    pc_out(pc, MASTER + 1, 0x08);
    pc_out(pc, MASTER + 1, 0x04);
    pc_out(pc, MASTER + 1, icw4);
    pc_out(pc, SLAVE, 0x11);
    pc_out(pc, SLAVE + 1, 0x70);
    pc_out(pc, SLAVE + 1, 0x02);
    pc_out(pc, SLAVE + 1, 0x01);
}

static bool intr(struct pc *pc)
{
    return (lapic_attention(pc_apic(pc, 0)) & LAPIC_EXTINT) != 0;
}

static uint8_t take(struct pc *pc)
{
    return lapic_acknowledge(pc_apic(pc, 0));
}

static uint8_t read_isr(struct pc *pc, uint64_t port)
{
    pc_out(pc, port, 0x0b);
    return pc_in(pc, port);
}

static uint8_t read_irr(struct pc *pc, uint64_t port)
{
    pc_out(pc, port, 0x0a);
    return pc_in(pc, port);
}

/* Every input, from its device to its vector; the cascade is none. */
Test(pic, vectors)
{
    struct pc pc;

    make(&pc, 1);
    for (uint32_t irq = 0; irq < 16; irq++) {
        uint8_t bit = (uint8_t)(1 << irq % 8);

        if (irq == 2)
            continue;
        set(&pc, irq, true);
        cr_expect(intr(&pc), "IRQ %u", irq);
        cr_expect_eq(read_irr(&pc, irq < 8 ? MASTER : SLAVE), bit);
        cr_expect_eq(take(&pc), (irq < 8 ? 0x08 : 0x70) + irq % 8);
        cr_expect_not(intr(&pc));
        cr_expect_eq(read_isr(&pc, irq < 8 ? MASTER : SLAVE), bit);
        cr_expect_eq(read_isr(&pc, MASTER), irq < 8 ? bit : 4);
        set(&pc, irq, false);
        if (irq >= 8)
            pc_out(&pc, SLAVE, 0x20);
        pc_out(&pc, MASTER, 0x20);
        cr_expect_eq(read_isr(&pc, MASTER) | read_isr(&pc, SLAVE), 0);
    }
    pc_end(&pc);
}

/* Before it is initialised, and after a reset, it says nothing. */
Test(pic, reset)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_LINT0, 0x700);
    set(&pc, 1, true);
    cr_expect_not(intr(&pc));
    set(&pc, 1, false);
    pc_end(&pc);
    make(&pc, 1);
    set(&pc, 1, true);
    cr_expect(intr(&pc));
    device_set_reset(&pc.set);
    pc_put(&pc, 0, APIC_SVR, 0x1ff);
    pc_put(&pc, 0, APIC_LINT0, 0x700);
    cr_expect_not(intr(&pc));
    pc_end(&pc);
}

/* A request that goes before it is acknowledged: input 7's vector, and
 * nothing in service; of the slave, its 7, and the master's 2 in service. */
Test(pic, spurious)
{
    struct pc pc;

    make(&pc, 1);
    set(&pc, 3, true);
    cr_expect(intr(&pc));
    set(&pc, 3, false);
    cr_expect_not(intr(&pc));
    lapics_deliver(pc.lapics, &(struct apic_message){.mode = APIC_EXTINT});
    cr_expect_eq(take(&pc), 0x0f);
    cr_expect_eq(read_isr(&pc, MASTER), 0);
    /* IRQ 15: masked at the slave while the master's request stands. */
    set(&pc, 10, true);
    set(&pc, 10, false);
    lapics_deliver(pc.lapics, &(struct apic_message){.mode = APIC_EXTINT});
    cr_expect_eq(take(&pc), 0x0f);
    pc_end(&pc);
}

/* An edge is one request; ELCR makes a level of it, of those inputs that may
 * be one. */
Test(pic, edge_and_level)
{
    struct pc pc;

    make(&pc, 1);
    pc_out(&pc, 0x4d0, 0xff);
    pc_out(&pc, 0x4d1, 0xff);
    cr_expect_eq(pc_in(&pc, 0x4d0), 0xf8);
    cr_expect_eq(pc_in(&pc, 0x4d1), 0xde);
    pc_out(&pc, 0x4d0, 0x20);
    for (uint32_t irq = 4; irq < 6; irq++) {
        set(&pc, irq, true);
        cr_expect_eq(take(&pc), 0x08 + irq);
        pc_out(&pc, MASTER, 0x20);
        cr_expect_eq(intr(&pc), irq == 5);
        set(&pc, irq, false);
        cr_expect_not(intr(&pc));
    }
    pc_end(&pc);
}

/* A pulse is a request until it is acknowledged, and not lost. */
Test(pic, pulse)
{
    struct pc pc;

    make(&pc, 1);
    for (unsigned i = 0; i < 3; i++) {
        pc.gsi->pulse(pc.gsi, 2);
        cr_expect(intr(&pc));
        cr_expect_eq(take(&pc), 0x08);
        cr_expect_not(intr(&pc));
        pc.gsi->pulse(pc.gsi, 2);
        pc_out(&pc, MASTER, 0x20);
        cr_expect_eq(take(&pc), 0x08);
        pc_out(&pc, MASTER, 0x20);
        cr_expect_not(intr(&pc));
    }
    /* Of a line that is high, too. */
    set(&pc, 0, true);
    cr_expect_eq(take(&pc), 0x08);
    pc_out(&pc, MASTER, 0x20);
    cr_expect_not(intr(&pc));
    pc.gsi->pulse(pc.gsi, 2);
    cr_expect_eq(take(&pc), 0x08);
    pc_out(&pc, MASTER, 0x20);
    set(&pc, 0, false);
    set(&pc, 0, true);
    cr_expect(intr(&pc));
    pc_end(&pc);
}

/* The poll command: a read is the acknowledge cycle. */
Test(pic, poll)
{
    struct pc pc;

    make(&pc, 1);
    pc_out(&pc, MASTER, 0x0c);
    cr_expect_eq(pc_in(&pc, MASTER), 0);
    set(&pc, 4, true);
    set(&pc, 12, true);
    pc_out(&pc, MASTER, 0x0c);
    cr_expect_eq(pc_in(&pc, MASTER), 0x82);
    pc_out(&pc, SLAVE, 0x0c);
    cr_expect_eq(pc_in(&pc, SLAVE), 0x84);
    cr_expect_eq(read_isr(&pc, MASTER), 0x04);
    cr_expect_eq(read_isr(&pc, SLAVE), 0x10);
    pc_out(&pc, SLAVE, 0x20);
    pc_out(&pc, MASTER, 0x20);
    pc_out(&pc, MASTER, 0x0c);
    cr_expect_eq(pc_in(&pc, MASTER + 1), 0x84);
    cr_expect_not(intr(&pc));
    pc_end(&pc);
}

/* INTR is on the wire to all, and pin 0 of the IOAPIC. */
Test(pic, wired_through_the_ioapic)
{
    struct pc pc;

    make(&pc, 1);
    pc_put(&pc, 0, APIC_LINT0, 0x10700);
    pc_route(&pc, 0, 0x0100000000000700);
    set(&pc, 1, true);
    cr_expect_eq(lapic_attention(pc_apic(&pc, 0)), 0);
    cr_expect_eq(lapic_attention(pc_apic(&pc, 1)), LAPIC_EXTINT);
    cr_expect_eq(lapic_acknowledge(pc_apic(&pc, 1)), 0x09);
    cr_expect_eq(lapic_attention(pc_apic(&pc, 1)), 0);
    pc_end(&pc);
}

/* As firmware leaves it, for a guest that is booted without. */
Test(pic, virtual_wire)
{
    static const struct pc_property wire[] = {{"virtual-wire", 0, 0}, {NULL}};
    struct pc pc;

    pc_make(&pc, 2, wire);
    cr_expect_eq(pc_get(&pc, 0, APIC_LINT0), 0x700);
    cr_expect_eq(pc_get(&pc, 0, APIC_LINT1), 0x400);
    cr_expect_eq(pc_get(&pc, 0, APIC_SVR), 0x1ff);
    cr_expect_eq(pc_get(&pc, 1, APIC_LINT0), 0x10000);
    pc_end(&pc);
}

/* Random everything but polls, against the model. */
static void step(struct pc *pc, struct pic_model *model, uint64_t *seed)
{
    unsigned which = (unsigned)pc_random(seed, 2);
    uint64_t port = which ? SLAVE : MASTER;
    uint8_t value = (uint8_t)pc_random(seed, 256);
    unsigned irq = (unsigned)pc_random(seed, 16);

    switch (pc_random(seed, 10)) {
    case 0: /* rarely ICW1 */
        if ((value & 0x10) && pc_random(seed, 4) != 0)
            break;
        if (value & 8)
            value &= (uint8_t)~4;
        pc_out(pc, port, value);
        pic_model_command(&model->chips[which], value);
        break;
    case 1:
    case 2: /* an EOI */
        pc_out(pc, port, 0x20);
        pic_model_command(&model->chips[which], 0x20);
        break;
    case 3:
        value &= (uint8_t)pc_random(seed, 256);
        pc_out(pc, port + 1, value);
        pic_model_data(&model->chips[which], value);
        break;
    case 4:
        pc_out(pc, 0x4d0 + which, value);
        for (unsigned i = 0; i < 8; i++)
            model->chips[which].level[i] =
                (value & (which ? 0xde : 0xf8)) >> i & 1;
        break;
    case 5:
    case 6:
        (void)pic_model_settle(model);
        cr_assert_eq(lapic_acknowledge(pc_apic(pc, 0)),
                     pic_model_settle(model)
                         ? (uint8_t)pic_model_acknowledge(model)
                         : 0xff);
        break;
    default:
        if (irq == 2)
            break;
        set(pc, irq, value & 1);
        pic_model_line(model, irq, value & 1);
        break;
    }
}

static void compare(struct pc *pc, struct pic_model *model)
{
    cr_assert_eq(intr(pc), pic_model_settle(model));
    for (unsigned which = 0; which < 2; which++) {
        uint64_t port = which ? SLAVE : MASTER;

        cr_assert_eq(pc_in(pc, port), pic_model_read(&model->chips[which], 0));
        cr_assert_eq(pc_in(pc, port + 1),
                     pic_model_read(&model->chips[which], 1));
    }
}

Test(pic, behaves_as_the_model)
{
    struct pic_model model;
    uint64_t seed = 7;
    struct pc pc;

    for (unsigned run = 0; run < 50; run++) {
        static const uint8_t init[] = {0x11, 0x08, 0x04, 0x01};

        make(&pc, 1);
        pic_model_reset(&model);
        for (unsigned which = 0; which < 2; which++) {
            pic_model_command(&model.chips[which], init[0]);
            pic_model_data(&model.chips[which], which ? 0x70 : init[1]);
            pic_model_data(&model.chips[which], init[2]);
            pic_model_data(&model.chips[which], init[3]);
        }
        for (unsigned i = 0; i < 500; i++) {
            step(&pc, &model, &seed);
            compare(&pc, &model);
        }
        pc_end(&pc);
    }
}
