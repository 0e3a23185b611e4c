/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts: that a guest gets all of them, once, in the order of their
 * priorities, when it takes them and not before; and what ends a wait.
 */
#include "hv/arch/x86_64/vcpu/rig.h"

#define EOI        0xb0
#define LINT0      0x350
#define LVT_EXTINT 0x700

static const struct guest_op pause_op = {.kind = OP_X86_PAUSE};
static const struct guest_op iret = {.kind = OP_X86_IRET};
static const struct guest_op hlt = {.kind = OP_X86_HLT};
static const struct guest_op sti = {.kind = OP_X86_STI};
static const struct guest_op cpuid = {.kind = OP_X86_CPUID};

Test(events, interrupt)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start_events(rig_profiles[p], X86_RFLAGS_IF);
        rig_interrupt(0, 0x41);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), 0x41, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_CODE);
        rig_do(0, iret);
        cr_expect_eq(rig_rip(0), RIG_CODE, "once");
        rig_stop();
    }
}

/* An exit says when the guest takes interrupts: not in the shadow of STI. */
Test(events, interrupt_waits_for_its_window)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        struct guest_result result;

        rig_start_events(rig_profiles[p], 0);
        rig_interrupt(0, 0x41);
        result = rig_do(0, pause_op);
        cr_expect_not(rig_took(&result, 0x41));
        result = rig_do(0, cpuid);
        cr_expect_not(rig_took(&result, 0x41));
        result = rig_do(0, sti);
        cr_expect_not(rig_took(&result, 0x41));
        cr_expect_eq(rig_handler(0), -1, "%s: in the shadow", rig_profiles[p]);
        rig_do(0, pause_op);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), 0x41, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_CODE + 2 + 2 + 1 + 2);
        cr_expect_not(rig_vcpu(0)->interrupt_window, "none is left open");
        rig_stop();
    }
}

/* One that comes in the shadow waits for its end, too. */
Test(events, interrupt_in_the_shadow)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start_events(rig_profiles[p], 0);
        rig_do(0, sti);
        rig_interrupt(0, 0x41);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), -1, "%s", rig_profiles[p]);
        rig_do(0, pause_op);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), 0x41, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_CODE + 1 + 2);
        rig_stop();
    }
}

/* An exit in the shadow ends it, if the instruction is done there. */
EACH_VENDOR(events, shadow_ends_with_an_emulated_instruction)
{
    static const struct guest_op ops[] = {
        {.kind = OP_X86_CPUID},
        {.kind = OP_X86_VMMCALL},
        {.kind = OP_X86_IN, .width = 1, .number = RIG_PORT},
        {.kind = OP_X86_RDMSR, .number = X86_MSR_EFER},
        {.kind = OP_X86_READ_CR, .number = 8},
        {.kind = OP_LOAD, .width = 4, .address = RIG_DEVICE},
        {.kind = OP_AMO, .width = 4, .address = RIG_DEVICE},
        {.kind = OP_X86_OUTS,
         .width = 1,
         .number = RIG_PORT,
         .address = RIG_DATA},
    };

    for_each_row (i, ops) {
        rig_start_events(profile, 0);
        rig_interrupt(0, 0x41);
        rig_go_on(0);
        rig_do(0, sti);
        cr_expect_eq(rig_handler(0), -1);
        cr_expect_eq(rig_do(0, ops[i]).outcome, OUTCOME_RETIRED);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), 0x41, "row %zu", i);
        rig_stop();
    }
}

/* The same where nothing but that instruction exits. */
Test(events, shadow_ends_with_an_exit_in_it)
{
    const struct guest_op steps[] = {sti, cpuid, pause_op};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start_events(rig_profiles[p], 0);
        rig_interrupt(0, 0x41);
        rig_go_on(0);
        rig_do_series(0, steps, ARRAY_SIZE(steps));
        cr_expect_eq(rig_stacked(0, 0), RIG_CODE + 1 + 2, "%s: 0x%llx",
                     rig_profiles[p], (unsigned long long)rig_stacked(0, 0));
        rig_stop();
    }
}

Test(events, order_of_the_local_apic)
{
    static const uint8_t order[] = {0x91, 0x71, 0x41};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start_events(rig_profiles[p], 0);
        rig_interrupt(0, 0x71);
        rig_interrupt(0, 0x41);
        rig_interrupt(0, 0x91);
        rig_set_flags(0, X86_RFLAGS_IF, 0);
        for (unsigned i = 0; i < sizeof(order); i++) {
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), order[i], "%s: %x", rig_profiles[p],
                         rig_handler(0));
            rig_do(0, (struct guest_op){.kind = OP_STORE,
                                        .width = 4,
                                        .address = RIG_LAPIC + EOI});
            cr_expect_eq(rig_handler(0), -1, "IF is clear");
            rig_do(0, iret);
        }
        rig_go_on(0);
        cr_expect_eq(rig_rip(0), RIG_CODE);
        rig_stop();
    }
}

/* A higher one comes while a lower one is served, not the other way. */
EACH_VENDOR(events, nested_interrupts)
{
    rig_start_events(profile, X86_RFLAGS_IF);
    rig_interrupt(0, 0x41);
    rig_go_on(0);
    rig_do(0, sti);
    rig_do(0, pause_op);
    rig_interrupt(0, 0x45);
    rig_go_on(0);
    cr_expect_eq(rig_rip(0) - RIG_HANDLER, 16 * 0x41 + 1 + 2, "the same class");
    rig_interrupt(0, 0x51);
    rig_go_on(0);
    cr_expect_eq(rig_handler(0), 0x51);
    rig_stop();
}

Test(events, task_priority)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        struct guest_op cr8 = {.kind = OP_X86_WRITE_CR,
                               .number = 8,
                               .reg = X86_GPR_RDI,
                               .value = 5};

        rig_start_events(rig_profiles[p], X86_RFLAGS_IF);
        rig_do(0, cr8);
        rig_interrupt(0, 0x5f);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), -1, "%s", rig_profiles[p]);
        rig_interrupt(0, 0x60);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), 0x60, "%s", rig_profiles[p]);
        rig_do(0, (struct guest_op){.kind = OP_STORE,
                                    .width = 4,
                                    .address = RIG_LAPIC + EOI});
        rig_do(0, iret);
        cr_expect_eq(rig_handler(0), -1);
        cr8.value = 4;
        rig_do(0, cr8);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), 0x5f, "%s", rig_profiles[p]);
        rig_stop();
    }
}

/* It is raised again over the priority while it waits for its window. */
EACH_VENDOR(events, interrupt_that_goes_away)
{
    struct guest_op cr8 = {
        .kind = OP_X86_WRITE_CR, .number = 8, .reg = X86_GPR_RDI, .value = 5};

    rig_start_events(profile, 0);
    rig_interrupt(0, 0x51);
    rig_go_on(0);
    rig_do(0, cr8);
    rig_set_flags(0, X86_RFLAGS_IF, 0);
    rig_go_on(0);
    cr_expect_eq(rig_handler(0), -1, "neither it nor the spurious one");
    rig_stop();
}

/* A VM without an interrupt controller, into which the host injects. */
Test(events, without_a_local_apic)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        static const uint8_t order[] = {0xff, 0x91, 0x41, 0x10};

        rig_start_bare(rig_profiles[p], 1);
        rig_mode(0, RIG_LONG);
        cr_expect_eq(machine_inject(machine, 1, 0, 15), ERR_INVALID_INPUT);
        for_each_row (i, order)
            rig_interrupt(0, order[ARRAY_SIZE(order) - 1 - i]);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), -1, "IF is clear");
        rig_set_flags(0, X86_RFLAGS_IF, 0);
        for_each_row (i, order) {
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), order[i], "%s: 0x%x", rig_profiles[p],
                         rig_handler(0));
            rig_do(0, iret);
        }
        rig_go_on(0);
        cr_expect_eq(rig_rip(0), RIG_CODE);
        cr_expect_eq(rig_do(0, hlt).outcome, OUTCOME_PENDING);
        rig_interrupt(0, 0x41);
        rig_run();
        cr_expect_eq(rig_handler(0), 0x41, "%s", rig_profiles[p]);
        rig_stop();
    }
}

/* The pair of 8259 through LINT0. */
EACH_VENDOR(events, external_interrupt)
{
    static const struct {
        uint16_t port;
        uint8_t value;
    } init[] = {{0x20, 0x11}, {0x21, 0x28}, {0x21, 0x04}, {0x21, 0x01},
                {0xa0, 0x11}, {0xa1, 0x70}, {0xa1, 0x02}, {0xa1, 0x01},
                {0x21, 0x00}, {0xa1, 0x00}};
    struct irq_chip *chip;

    rig_start_events(profile, X86_RFLAGS_IF);
    chip = rig.vm->irq_chip;
    for_each_row (i, init)
        rig_do(0, (struct guest_op){.kind = OP_X86_OUT,
                                    .width = 1,
                                    .number = init[i].port,
                                    .value = init[i].value});
    rig_do(0, (struct guest_op){.kind = OP_STORE,
                                .width = 4,
                                .reg = X86_GPR_RDX,
                                .flags = OP_HAS_VALUE,
                                .address = RIG_LAPIC + LINT0,
                                .value = LVT_EXTINT});
    host_kick_cpu_impl(0);
    chip->set_level(chip, 4, true);
    rig_go_on(0);
    cr_expect_eq(rig_handler(0), 0x2c, "%x", rig_handler(0));
    rig_stop();
}

/* Waits ------------------------------------------------------------------ */

Test(events, what_ends_a_halt)
{
    static const struct {
        const char *name;
        uint64_t flags;
        uint8_t vector; /* that comes, 2 for an NMI */
        uint8_t cr8;
        bool ends;
    } rows[] = {
        {"interrupt", X86_RFLAGS_IF, 0x41, 0, true},
        {"interrupt, IF is clear", 0, 0x41, 0, false},
        {"NMI", X86_RFLAGS_IF, X86_VECTOR_NMI, 0, true},
        {"NMI, IF is clear", 0, X86_VECTOR_NMI, 0, true},
        {"below the TPR", X86_RFLAGS_IF, 0x41, 4, false},
    };

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for_each_row (i, rows) {
            const struct guest_result *result;

            rig_start_events(rig_profiles[p], rows[i].flags);
            lapic_set_cr8(rig_lapic(0), rows[i].cr8);
            cr_expect_eq(rig_do(0, hlt).outcome, OUTCOME_PENDING);
            if (rows[i].vector == X86_VECTOR_NMI)
                rig_nmi(0);
            else
                rig_interrupt(0, rows[i].vector);
            rig_run();
            result = machine_last_result(machine, 1, 0);
            cr_expect_eq(result->outcome,
                         rows[i].ends ? OUTCOME_RETIRED : OUTCOME_PENDING,
                         "%s: %s", rig_profiles[p], rows[i].name);
            cr_expect_eq(rig_handler(0), rows[i].ends ? rows[i].vector : -1,
                         "%s: %s: %d", rig_profiles[p], rows[i].name,
                         rig_handler(0));
            if (rows[i].ends)
                cr_expect_eq(rig_stacked(0, 0), RIG_CODE + 1, "%s",
                             rows[i].name);
            rig_stop();
        }
    }
}

/* STI; HLT: what came before does not wait for what comes after. */
Test(events, halt_in_the_shadow)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start_events(rig_profiles[p], 0);
        rig_interrupt(0, 0x41);
        rig_go_on(0);
        rig_do(0, sti);
        cr_expect_eq(rig_do(0, hlt).outcome, OUTCOME_RETIRED);
        cr_expect_eq(rig_handler(0), 0x41, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_CODE + 2);
        rig_stop();
    }
}

/* An NMI that is masked wakes nobody. */
EACH_VENDOR(events, halt_in_an_nmi_handler)
{
    rig_start_events(profile, 0);
    rig_nmi(0);
    rig_go_on(0);
    rig_nmi(0);
    cr_expect_eq(rig_do(0, hlt).outcome, OUTCOME_PENDING);
    rig_stop();
}
