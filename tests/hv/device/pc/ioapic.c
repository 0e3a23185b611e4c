/* SPDX-License-Identifier: Apache-2.0 */
/* The IOAPIC: data sheet 82093AA, and the EOI register. */
#include "pc.h"

#define LEVEL      0x8000
#define ACTIVE_LOW 0x2000
#define REMOTE_IRR 0x4000
#define MASKED     0x10000

static bool is_requested(struct pc *pc, vcpu_id vcpu, uint8_t vector)
{
    return pc_has(pc, vcpu, APIC_IRR, vector);
}

/* vCPU `vcpu` takes the one interrupt that it has. */
static void take(struct pc *pc, vcpu_id vcpu, uint8_t vector)
{
    cr_expect_eq(lapic_acknowledge(pc_apic(pc, vcpu)), vector);
}

static void eoi(struct pc *pc, vcpu_id vcpu)
{
    pc_put(pc, vcpu, APIC_EOI, 0);
}

static void set(struct pc *pc, uint32_t gsi, bool high)
{
    pc->gsi->set_level(pc->gsi, gsi, high);
}

Test(ioapic, registers)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    cr_expect_eq(pc_ioapic_get(&pc, 0), 0);
    cr_expect_eq(pc_ioapic_get(&pc, 1), 0x00170020);
    pc_ioapic_put(&pc, 0, 0xffffffff);
    cr_expect_eq(pc_ioapic_get(&pc, 0), 0x0f000000);
    cr_expect_eq(pc_ioapic_get(&pc, 2), 0x0f000000);
    pc_ioapic_put(&pc, 1, 0xffffffff);
    pc_ioapic_put(&pc, 2, 0);
    cr_expect_eq(pc_ioapic_get(&pc, 1), 0x00170020);
    cr_expect_eq(pc_ioapic_get(&pc, 2), 0x0f000000);
    for (uint32_t pin = 0; pin < 24; pin++) {
        cr_expect_eq(pc_entry(&pc, pin), MASKED);
        pc_route(&pc, pin, UINT64_MAX);
        cr_expect_eq(pc_entry(&pc, pin), 0xff0000000001afff, "pin %u", pin);
    }
    /* What is not there is 0, and takes nothing. */
    for (unsigned reg = 0; reg < 256; reg++) {
        if (reg < 3 || (reg >= 0x10 && reg < 0x40))
            continue;
        pc_ioapic_put(&pc, (uint8_t)reg, 0xffffffff);
        cr_expect_eq(pc_ioapic_get(&pc, (uint8_t)reg), 0);
    }
    pc_store(&pc, IOAPIC_SELECT, 1, 1);
    cr_expect_eq(pc_load(&pc, IOAPIC_SELECT, 4), 1);
    cr_expect_eq(pc_load(&pc, IOAPIC_WINDOW, 1), 0);
    cr_expect_eq(pc_load(&pc, IOAPIC_EOI, 4), 0);
    device_set_reset(&pc.set);
    cr_expect_eq(pc_ioapic_get(&pc, 0), 0);
    cr_expect_eq(pc_entry(&pc, 7), MASKED);
    pc_end(&pc);
}

/* An edge: once, of the kind that the polarity says; lost while masked. */
Test(ioapic, edges)
{
    struct pc pc;

    for (uint32_t low = 0; low < 2; low++) {
        pc_make(&pc, 1, NULL);
        set(&pc, 17, low != 0);
        pc_route(&pc, 17, 0x61 | (low ? ACTIVE_LOW : 0));
        cr_expect_not(is_requested(&pc, 0, 0x61));
        set(&pc, 17, low == 0);
        take(&pc, 0, 0x61);
        cr_expect_not(pc_has(&pc, 0, APIC_TMR, 0x61));
        eoi(&pc, 0);
        set(&pc, 17, low == 0);
        set(&pc, 17, low != 0);
        cr_expect_not(is_requested(&pc, 0, 0x61));
        pc.gsi->pulse(pc.gsi, 17);
        take(&pc, 0, 0x61);
        eoi(&pc, 0);
        set(&pc, 17, low == 0);
        take(&pc, 0, 0x61);
        eoi(&pc, 0);
        pc.gsi->pulse(pc.gsi, 17);
        take(&pc, 0, 0x61);
        eoi(&pc, 0);
        set(&pc, 17, low != 0);
        pc_route(&pc, 17, 0x61 | (low ? ACTIVE_LOW : 0) | MASKED);
        set(&pc, 17, low == 0);
        pc_route(&pc, 17, 0x61 | (low ? ACTIVE_LOW : 0));
        cr_expect_not(is_requested(&pc, 0, 0x61));
        pc_end(&pc);
    }
}

/* A level: one message until its EOI, and one more while it lasts. */
Test(ioapic, levels)
{
    struct pc pc;

    for (uint32_t low = 0; low < 2; low++) {
        uint64_t entry = 0x61 | LEVEL | (low ? ACTIVE_LOW : 0);

        pc_make(&pc, 1, NULL);
        set(&pc, 20, low != 0);
        pc_route(&pc, 20, entry);
        set(&pc, 20, low == 0);
        cr_expect_eq(pc_entry(&pc, 20), entry | REMOTE_IRR);
        cr_expect(pc_has(&pc, 0, APIC_TMR, 0x61));
        take(&pc, 0, 0x61);
        set(&pc, 20, low != 0);
        set(&pc, 20, low == 0);
        cr_expect_not(is_requested(&pc, 0, 0x61));
        eoi(&pc, 0);
        take(&pc, 0, 0x61);
        cr_expect_eq(pc_entry(&pc, 20), entry | REMOTE_IRR);
        set(&pc, 20, low != 0);
        cr_expect_eq(pc_entry(&pc, 20), entry | REMOTE_IRR);
        eoi(&pc, 0);
        cr_expect_eq(pc_entry(&pc, 20), entry);
        cr_expect_not(is_requested(&pc, 0, 0x61));
        /* Masked, it waits. */
        pc_route(&pc, 20, entry | MASKED);
        set(&pc, 20, low == 0);
        cr_expect_not(is_requested(&pc, 0, 0x61));
        pc_route(&pc, 20, entry);
        take(&pc, 0, 0x61);
        /* Masked while in service, it does not come back with the EOI. */
        pc_route(&pc, 20, entry | MASKED);
        cr_expect_eq(pc_entry(&pc, 20), entry | MASKED | REMOTE_IRR);
        eoi(&pc, 0);
        cr_expect_eq(pc_entry(&pc, 20), entry | MASKED);
        cr_expect_not(is_requested(&pc, 0, 0x61));
        pc_end(&pc);
    }
}

/* Broadcasts that are suppressed, and directed EOIs. */
Test(ioapic, directed_eoi)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_SVR, 0x11ff);
    pc_route(&pc, 20, 0x61 | LEVEL);
    pc_route(&pc, 21, 0x62 | LEVEL);
    set(&pc, 20, true);
    take(&pc, 0, 0x61);
    eoi(&pc, 0);
    cr_expect_not(is_requested(&pc, 0, 0x61));
    cr_expect(pc_entry(&pc, 20) & REMOTE_IRR);
    pc_store(&pc, IOAPIC_EOI, 4, 0x62);
    cr_expect(pc_entry(&pc, 20) & REMOTE_IRR);
    pc_store(&pc, IOAPIC_EOI, 4, 0x61);
    take(&pc, 0, 0x61);
    set(&pc, 20, false);
    eoi(&pc, 0);
    pc_store(&pc, IOAPIC_EOI, 4, 0x61);
    cr_expect_not(pc_entry(&pc, 20) & REMOTE_IRR);
    pc_end(&pc);
}

/* Drivers without an EOI register: masked and edge-triggered ends it. */
Test(ioapic, eoi_by_trigger_mode)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_SVR, 0x11ff);
    pc_route(&pc, 20, 0x61 | LEVEL);
    set(&pc, 20, true);
    take(&pc, 0, 0x61);
    eoi(&pc, 0);
    pc_ioapic_put(&pc, 0x10 + 40, 0x61 | MASKED);
    pc_ioapic_put(&pc, 0x10 + 40, 0x61 | LEVEL);
    take(&pc, 0, 0x61);
    pc_end(&pc);
}

/* Pins that share a vector share its EOI. */
Test(ioapic, shared_vector)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_route(&pc, 20, 0x61 | LEVEL);
    pc_route(&pc, 21, 0x61 | LEVEL);
    set(&pc, 20, true);
    set(&pc, 21, true);
    take(&pc, 0, 0x61);
    set(&pc, 20, false);
    eoi(&pc, 0);
    take(&pc, 0, 0x61);
    cr_expect_eq(pc_entry(&pc, 20), 0x61 | LEVEL);
    set(&pc, 21, false);
    eoi(&pc, 0);
    cr_expect_not(is_requested(&pc, 0, 0x61));
    pc_end(&pc);
}

/* Who gets it, and as what. A mode that is not fixed has no level. */
Test(ioapic, destinations_and_modes)
{
    static const struct {
        uint64_t entry;
        vcpu_id vcpu;
        uint32_t attention;
    } rows[] = {
        {0x0000000000000061, 0, LAPIC_INTERRUPT},
        {0x0200000000000061, 2, LAPIC_INTERRUPT},
        {0x0200000000000161, 2, LAPIC_INTERRUPT},
        {0x0800000000000861, 3, LAPIC_INTERRUPT},
        {0x0400000000000961, 2, LAPIC_INTERRUPT},
        {0x0100000000000400, 1, LAPIC_NMI},
        {0x0100000000008400, 1, LAPIC_NMI},
        {0x0100000000000500, 1, LAPIC_INIT},
        {0x0100000000000700, 1, LAPIC_EXTINT},
        {0x0100000000000200, 1, 0},
        {0x0100000000000300, 1, 0},
        {0x010000000000000f, 1, 0}, /* an illegal vector */
        {0x0900000000000061, 1, 0}, /* nobody */
    };
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        pc_make(&pc, 4, NULL);
        for (vcpu_id id = 0; id < 4; id++)
            pc_put(&pc, id, APIC_LDR, 0x01000000U << id);
        pc_route(&pc, 3, rows[i].entry);
        set(&pc, 3, true);
        for (vcpu_id id = 0; id < 4; id++)
            cr_expect_eq(lapic_attention(pc_apic(&pc, id)),
                         id == rows[i].vcpu ? rows[i].attention : 0,
                         "row %zu vCPU %u", i, id);
        cr_expect_eq(pc_entry(&pc, 3), rows[i].entry, "row %zu", i);
        pc_end(&pc);
    }
}

/* A level that nobody accepts is not out: it is tried again. */
Test(ioapic, level_that_nobody_accepts)
{
    struct pc pc;

    pc_make(&pc, 2, NULL);
    pc_route(&pc, 20, 0x0900000000008061);
    set(&pc, 20, true);
    cr_expect_not(pc_entry(&pc, 20) & REMOTE_IRR);
    pc_route(&pc, 20, 0x0100000000008061);
    cr_expect(is_requested(&pc, 1, 0x61));
    pc_end(&pc);
}

/* Inputs that do not exist are ignored. */
Test(ioapic, no_such_input)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    for (uint32_t pin = 0; pin < 24; pin++)
        pc_route(&pc, pin, 0x61);
    set(&pc, 0, true);
    set(&pc, 24, true);
    set(&pc, UINT32_MAX, true);
    pc.gsi->pulse(pc.gsi, 24);
    cr_expect_not(is_requested(&pc, 0, 0x61));
    pc_end(&pc);
}

/* The controllers need the local APICs, and say so. */
Test(ioapic, needs_local_apics)
{
    static const char *const rows[] = {"intel,ioapic", "intel,i8259"};
    const char *what;
    struct pc pc;

    pc_make_bare(&pc);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_expect_eq(pc_try(&pc, rows[i], NULL, &what), ERR_NOT_FOUND);
        pc.context.irq_chip = NULL;
        cr_expect_eq(pc_try(&pc, rows[i], NULL, &what), ERR_NOT_FOUND);
    }
    pc_end(&pc);
}
