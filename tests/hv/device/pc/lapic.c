/* SPDX-License-Identifier: Apache-2.0 */
/* What interrupts do in a local APIC: SDM volume 3A, chapter 11. */
#include "pc.h"

#include <string.h>

static bool deliver(struct pc *pc, enum apic_mode mode, uint8_t vector)
{
    const struct apic_message message = {.vector = vector, .mode = mode};

    return lapics_deliver(pc->lapics, &message);
}

static bool is_interrupted(struct pc *pc, vcpu_id vcpu)
{
    return (lapic_attention(pc_apic(pc, vcpu)) & LAPIC_INTERRUPT) != 0;
}

/* A model that looks at all vectors, as the manual words it. */
struct model {
    bool irr[256], isr[256], tmr[256];
    unsigned tpr;
};

static int model_highest(const bool *set)
{
    for (int vector = 255; vector >= 0; vector--) {
        if (set[vector])
            return vector;
    }
    return -1;
}

static unsigned model_ppr(const struct model *model)
{
    int served = model_highest(model->isr);
    unsigned isrv = served < 0 ? 0 : (unsigned)served;

    return model->tpr / 16 >= isrv / 16 ? model->tpr : isrv / 16 * 16;
}

static int model_deliverable(const struct model *model)
{
    int vector = model_highest(model->irr);

    return vector >= 0 && (unsigned)vector / 16 > model_ppr(model) / 16 ? vector
                                                                        : -1;
}

static void compare(struct pc *pc, const struct model *model)
{
    int vector = model_deliverable(model);
    uint8_t found;

    cr_assert_eq(is_interrupted(pc, 0), vector >= 0);
    cr_assert_eq(lapic_peek(pc_apic(pc, 0), &found), vector >= 0);
    if (vector >= 0)
        cr_assert_eq(found, vector);
    cr_assert_eq(pc_get(pc, 0, APIC_PPR), model_ppr(model));
}

static void compare_sets(struct pc *pc, const struct model *model)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        uint8_t v = (uint8_t)vector;

        cr_assert_eq(pc_has(pc, 0, APIC_IRR, v), model->irr[v]);
        cr_assert_eq(pc_has(pc, 0, APIC_ISR, v), model->isr[v]);
        cr_assert_eq(pc_has(pc, 0, APIC_TMR, v), model->tmr[v]);
    }
}

static void step(struct pc *pc, struct model *model, uint64_t *seed)
{
    uint8_t vector = (uint8_t)(16 + pc_random(seed, 240));
    bool level = pc_random(seed, 2) != 0;
    int expected;

    switch (pc_random(seed, 5)) {
    case 0:
    case 1:
        cr_assert(
            lapics_deliver(pc->lapics, &(struct apic_message){.vector = vector,
                                                              .level = level}));
        model->irr[vector] = true;
        model->tmr[vector] = level;
        break;
    case 2:
        expected = model_deliverable(model);
        cr_assert_eq(lapic_acknowledge(pc_apic(pc, 0)),
                     expected < 0 ? 0xff : expected);
        if (expected >= 0) {
            model->irr[expected] = false;
            model->isr[expected] = true;
        }
        break;
    case 3:
        pc_put(pc, 0, APIC_EOI, 0);
        expected = model_highest(model->isr);
        if (expected >= 0)
            model->isr[expected] = false;
        break;
    default:
        model->tpr = (unsigned)pc_random(seed, 256);
        if (level)
            model->tpr &= 0xf0;
        if (level)
            lapic_set_cr8(pc_apic(pc, 0), (uint8_t)(model->tpr / 16));
        else
            pc_put(pc, 0, APIC_TPR, model->tpr);
        cr_assert_eq(lapic_cr8(pc_apic(pc, 0)), model->tpr / 16);
        break;
    }
}

Test(lapic, priorities_are_the_models)
{
    struct model model;
    uint64_t seed = 1;
    struct pc pc;

    for (unsigned run = 0; run < 20; run++) {
        memset(&model, 0, sizeof(model));
        pc_make(&pc, 1, NULL);
        for (unsigned i = 0; i < 400; i++) {
            step(&pc, &model, &seed);
            compare(&pc, &model);
            if (i % 20 == 0)
                compare_sets(&pc, &model);
        }
        pc_end(&pc);
    }
}

/* The same vector again while in service is requested once more; twice while
 * requested is once. */
Test(lapic, one_bit_each)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    deliver(&pc, APIC_FIXED, 0x41);
    deliver(&pc, APIC_FIXED, 0x41);
    cr_expect_eq(lapic_acknowledge(pc_apic(&pc, 0)), 0x41);
    cr_expect_not(is_interrupted(&pc, 0));
    deliver(&pc, APIC_FIXED, 0x41);
    cr_expect_not(is_interrupted(&pc, 0));
    pc_put(&pc, 0, APIC_EOI, 0);
    cr_expect(is_interrupted(&pc, 0));
    cr_expect_eq(lapic_acknowledge(pc_apic(&pc, 0)), 0x41);
    pc_put(&pc, 0, APIC_EOI, 0);
    cr_expect_not(is_interrupted(&pc, 0));
    /* An EOI of nothing is nothing. */
    pc_put(&pc, 0, APIC_EOI, 0);
    pc_end(&pc);
}

/* What was over the task's priority, and is no more: the spurious vector, for
 * which there is no EOI. */
Test(lapic, spurious_vector)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_SVR, 0x1ef);
    deliver(&pc, APIC_FIXED, 0x41);
    pc_put(&pc, 0, APIC_TPR, 0x40);
    cr_expect_eq(lapic_acknowledge(pc_apic(&pc, 0)), 0xef);
    cr_expect_not(pc_has(&pc, 0, APIC_ISR, 0xef));
    cr_expect(pc_has(&pc, 0, APIC_IRR, 0x41));
    pc_end(&pc);
}

/* What each delivery mode comes to, at an APIC that is on, disabled by
 * software, or off. */
Test(lapic, delivery_modes)
{
    static const struct {
        enum apic_mode mode;
        uint32_t on, disabled;
    } rows[] = {
        {APIC_FIXED, LAPIC_INTERRUPT, 0},
        {APIC_LOWEST_PRIORITY, LAPIC_INTERRUPT, 0},
        {APIC_SMI, 0, 0},
        {APIC_RESERVED, 0, 0},
        {APIC_NMI, LAPIC_NMI, LAPIC_NMI},
        {APIC_INIT, LAPIC_INIT, LAPIC_INIT},
        {APIC_SIPI, 0, 0}, /* the boot processor waits for none */
        {APIC_EXTINT, LAPIC_EXTINT, LAPIC_EXTINT},
    };
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        pc_make(&pc, 1, NULL);
        deliver(&pc, rows[i].mode, 0x45);
        cr_expect_eq(lapic_attention(pc_apic(&pc, 0)), rows[i].on, "row %zu",
                     i);
        pc_end(&pc);
        pc_make(&pc, 1, NULL);
        pc_put(&pc, 0, APIC_SVR, 0xff);
        deliver(&pc, rows[i].mode, 0x45);
        cr_expect_eq(lapic_attention(pc_apic(&pc, 0)), rows[i].disabled,
                     "row %zu", i);
        pc_wrmsr(&pc, 0, MSR_BASE, BASE_OFF);
        pc_end(&pc);
        pc_make(&pc, 1, NULL);
        pc_wrmsr(&pc, 0, MSR_BASE, BASE_OFF);
        cr_expect_not(deliver(&pc, rows[i].mode, 0x45));
        cr_expect_eq(lapic_attention(pc_apic(&pc, 0)), 0, "row %zu", i);
        pc_end(&pc);
    }
}

/* What was requested before the APIC was disabled by software is held. */
Test(lapic, disabled_holds_what_is_pending)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    deliver(&pc, APIC_FIXED, 0x41);
    pc_put(&pc, 0, APIC_SVR, 0xff);
    cr_expect(is_interrupted(&pc, 0));
    cr_expect_eq(lapic_acknowledge(pc_apic(&pc, 0)), 0x41);
    pc_end(&pc);
}

/* Vector 0 to 15: an error at the sender, an error at the receiver, no
 * interrupt, and nothing worse. */
Test(lapic, illegal_vectors)
{
    struct pc pc;

    for (uint32_t vector = 0; vector < 18; vector++) {
        bool illegal = vector < 16;

        pc_make(&pc, 1, NULL);
        cr_expect_eq(deliver(&pc, APIC_FIXED, (uint8_t)vector), !illegal);
        pc_put(&pc, 0, APIC_ESR, 0);
        cr_expect_eq(pc_get(&pc, 0, APIC_ESR), illegal ? 0x40 : 0);
        cr_expect_eq(is_interrupted(&pc, 0), !illegal);
        pc_put(&pc, 0, APIC_ICR, 0x40000 | vector);
        pc_put(&pc, 0, APIC_ESR, 0);
        cr_expect_eq(pc_get(&pc, 0, APIC_ESR), illegal ? 0x20 : 0);
        pc_end(&pc);
        pc_make(&pc, 1, NULL);
        pc_wrmsr(&pc, 0, MSR_BASE, BASE_X2APIC);
        pc_wrmsr(&pc, 0, 0x83f, vector);
        pc_wrmsr(&pc, 0, MSR_OF(APIC_ESR), 0);
        cr_expect_eq(pc_rdmsr(&pc, 0, MSR_OF(APIC_ESR)), illegal ? 0x20 : 0);
        cr_expect_eq(is_interrupted(&pc, 0), !illegal);
        pc_end(&pc);
    }
}

/* ESR shows what a write latches; the interrupt comes once per write, and an
 * illegal vector of its own makes no circle. */
Test(lapic, error_interrupt)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_ERROR, 0x52);
    (void)pc_get(&pc, 0, 0x3d0);
    cr_expect_eq(pc_get(&pc, 0, APIC_ESR), 0);
    cr_expect_eq(lapic_acknowledge(pc_apic(&pc, 0)), 0x52);
    pc_put(&pc, 0, APIC_EOI, 0);
    deliver(&pc, APIC_FIXED, 3);
    cr_expect_not(is_interrupted(&pc, 0));
    pc_put(&pc, 0, APIC_ESR, 0);
    cr_expect_eq(pc_get(&pc, 0, APIC_ESR), 0xc0);
    deliver(&pc, APIC_FIXED, 3);
    cr_expect(is_interrupted(&pc, 0));
    pc_put(&pc, 0, APIC_ESR, 0);
    cr_expect_eq(pc_get(&pc, 0, APIC_ESR), 0x40);
    pc_put(&pc, 0, APIC_ESR, 0);
    cr_expect_eq(pc_get(&pc, 0, APIC_ESR), 0);
    pc_put(&pc, 0, APIC_ERROR, 0x02);
    (void)pc_get(&pc, 0, 0x3d0);
    pc_put(&pc, 0, APIC_ESR, 0);
    cr_expect_eq(pc_get(&pc, 0, APIC_ESR), 0xc0);
    pc_end(&pc);
}

/* INIT, then SIPI: an AP waits, takes the first SIPI, and no other until the
 * next INIT. The boot processor waits for none. */
Test(lapic, init_and_sipi)
{
    struct lapic *ap, *bsp;
    uint8_t vector;
    bool is_bsp;
    struct pc pc;

    pc_make(&pc, 2, NULL);
    ap = pc_apic(&pc, 1);
    bsp = pc_apic(&pc, 0);
    cr_expect_not(lapic_take_init(ap, &is_bsp));
    pc_put(&pc, 0, APIC_ICR2, 0x01000000);
    pc_put(&pc, 1, APIC_TPR, 0x30);
    pc_put(&pc, 0, APIC_ICR, 0x4500); /* INIT */
    pc_put(&pc, 0, APIC_ICR, 0x469a); /* SIPI */
    pc_put(&pc, 0, APIC_ICR, 0x469b);
    cr_expect_eq(lapic_attention(ap), LAPIC_INIT | LAPIC_SIPI);
    cr_expect_not(lapic_take_sipi(ap, &vector));
    cr_expect(lapic_take_init(ap, &is_bsp));
    cr_expect_not(is_bsp);
    cr_expect_eq(pc_get(&pc, 1, APIC_TPR), 0);
    cr_expect_eq(pc_get(&pc, 1, APIC_SVR), 0xff);
    cr_expect(lapic_take_sipi(ap, &vector));
    cr_expect_eq(vector, 0x9a);
    cr_expect_eq(lapic_attention(ap), 0);
    pc_put(&pc, 0, APIC_ICR, 0x469c);
    cr_expect_eq(lapic_attention(ap), 0);
    /* A SIPI alone, to one that waits from INIT on. */
    pc_put(&pc, 0, APIC_ICR, 0x4500);
    cr_expect(lapic_take_init(ap, &is_bsp));
    pc_put(&pc, 0, APIC_ICR, 0x460d);
    cr_expect(lapic_take_sipi(ap, &vector));
    cr_expect_eq(vector, 0x0d);
    /* The Pentium's INIT de-assert, to all, is nothing. */
    pc_put(&pc, 0, APIC_ICR, 0x88500);
    cr_expect_eq(lapic_attention(ap) | lapic_attention(bsp), 0);
    /* To the boot processor: it starts again, and SIPIs are nothing. */
    pc_put(&pc, 1, APIC_ICR, 0x4500);
    pc_put(&pc, 1, APIC_ICR, 0x4699);
    cr_expect_eq(lapic_attention(bsp), LAPIC_INIT);
    cr_expect(lapic_take_init(bsp, &is_bsp));
    cr_expect(is_bsp);
    cr_expect_eq(pc_rdmsr(&pc, 0, MSR_BASE), BASE_XAPIC | BASE_BSP);
    pc_end(&pc);
}

/* From power-on, an AP waits; and an INIT keeps x2APIC mode. */
Test(lapic, sipi_from_power_on)
{
    uint8_t vector;
    bool is_bsp;
    struct pc pc;

    pc_make(&pc, 2, NULL);
    pc_put(&pc, 0, APIC_ICR, 0xc4608);
    cr_expect(lapic_take_sipi(pc_apic(&pc, 1), &vector));
    cr_expect_eq(vector, 8);
    pc_wrmsr(&pc, 1, MSR_BASE, BASE_X2APIC);
    pc_put(&pc, 0, APIC_ICR, 0xc4500);
    cr_expect(lapic_take_init(pc_apic(&pc, 1), &is_bsp));
    cr_expect_eq(pc_rdmsr(&pc, 1, MSR_BASE), BASE_X2APIC);
    cr_expect_eq(pc_rdmsr(&pc, 1, MSR_OF(APIC_LDR)), 2);
    pc_end(&pc);
}

/* NMIs are one latch, and a pending one does not survive INIT. */
Test(lapic, nmi_is_latched)
{
    bool is_bsp;
    struct pc pc;

    pc_make(&pc, 1, NULL);
    deliver(&pc, APIC_NMI, 0);
    lapic_send_nmi(pc_apic(&pc, 0));
    cr_expect(lapic_take_nmi(pc_apic(&pc, 0)));
    cr_expect_not(lapic_take_nmi(pc_apic(&pc, 0)));
    lapic_send_nmi(pc_apic(&pc, 0));
    deliver(&pc, APIC_INIT, 0);
    cr_expect(lapic_take_init(pc_apic(&pc, 0), &is_bsp));
    cr_expect_not(lapic_take_nmi(pc_apic(&pc, 0)));
    pc_end(&pc);
}

/* LINT0 and LINT1 by what their entries say. */
Test(lapic, lint_modes)
{
    static const struct {
        unsigned pin;
        uint32_t entry, attention;
    } rows[] = {
        {0, 0x00045, LAPIC_INTERRUPT},
        {0, 0x00700, LAPIC_EXTINT},
        {0, 0x00400, LAPIC_NMI},
        {0, 0x00500, LAPIC_INIT},
        {0, 0x00200, 0},
        {0, 0x00345, 0},
        {0, 0x10045, 0},
        {0, 0x10700, 0},
        {1, 0x00045, LAPIC_INTERRUPT},
        {1, 0x00400, LAPIC_NMI},
        {1, 0x10400, 0},
        {0, 0x08045, LAPIC_INTERRUPT},
    };
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        pc_make(&pc, 2, NULL);
        pc_put(&pc, 1, APIC_LINT0 + 16 * rows[i].pin, rows[i].entry);
        cr_expect_eq(lapic_attention(pc_apic(&pc, 1)), 0);
        lapics_set_lint(pc.lapics, rows[i].pin, true);
        cr_expect_eq(lapic_attention(pc_apic(&pc, 1)), rows[i].attention,
                     "row %zu", i);
        cr_expect_eq(lapic_attention(pc_apic(&pc, 0)), 0);
        lapics_set_lint(pc.lapics, rows[i].pin, false);
        pc_end(&pc);
    }
}

/* A level at LINT0: once until its EOI, and again while it lasts. An inverted
 * one is asserted when low. */
Test(lapic, lint0_level)
{
    struct pc pc;

    for (uint32_t low = 0; low < 2; low++) {
        pc_make(&pc, 1, NULL);
        lapics_set_lint(pc.lapics, 0, low != 0);
        pc_put(&pc, 0, APIC_LINT0, 0x8045 | low << 13);
        cr_expect_not(is_interrupted(&pc, 0));
        lapics_set_lint(pc.lapics, 0, low == 0);
        cr_expect(pc_has(&pc, 0, APIC_TMR, 0x45));
        cr_expect_eq(pc_get(&pc, 0, APIC_LINT0), 0xc045 | low << 13);
        cr_expect_eq(lapic_acknowledge(pc_apic(&pc, 0)), 0x45);
        cr_expect_not(pc_has(&pc, 0, APIC_IRR, 0x45));
        pc_put(&pc, 0, APIC_EOI, 0);
        cr_expect_eq(lapic_acknowledge(pc_apic(&pc, 0)), 0x45);
        lapics_set_lint(pc.lapics, 0, low != 0);
        pc_put(&pc, 0, APIC_EOI, 0);
        cr_expect_not(is_interrupted(&pc, 0));
        cr_expect_eq(pc_get(&pc, 0, APIC_LINT0), 0x8045 | low << 13);
        pc_end(&pc);
    }
}

/* An APIC that is off is not there: LINT0 is INTR, LINT1 is NMI. */
Test(lapic, lints_of_an_apic_that_is_off)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_wrmsr(&pc, 0, MSR_BASE, BASE_OFF);
    lapics_set_lint(pc.lapics, 0, true);
    cr_expect_eq(lapic_attention(pc_apic(&pc, 0)), LAPIC_EXTINT);
    lapics_set_lint(pc.lapics, 0, false);
    cr_expect_eq(lapic_attention(pc_apic(&pc, 0)), 0);
    lapics_set_lint(pc.lapics, 1, true);
    cr_expect_eq(lapic_attention(pc_apic(&pc, 0)), LAPIC_NMI);
    pc_end(&pc);
}

/* A reset takes everything back. */
Test(lapic, reset)
{
    struct pc pc;

    pc_make(&pc, 2, NULL);
    pc_put(&pc, 0, APIC_TIMER, 0x20040);
    pc_put(&pc, 0, APIC_INITIAL, 1000);
    pc_put(&pc, 0, APIC_ICR, 0xc4500);
    deliver(&pc, APIC_FIXED, 0x41);
    pc_wrmsr(&pc, 1, MSR_BASE, BASE_X2APIC);
    device_set_reset(&pc.set);
    pc_run(1000000);
    for (vcpu_id id = 0; id < 2; id++) {
        cr_expect_eq(lapic_attention(pc_apic(&pc, id)), 0);
        cr_expect_eq(pc_get(&pc, id, APIC_SVR), 0xff);
        cr_expect_eq(pc_rdmsr(&pc, id, MSR_BASE),
                     id == 0 ? BASE_XAPIC | BASE_BSP : BASE_XAPIC);
    }
    pc_end(&pc);
}
