/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions, interrupts and NMIs: that a guest gets all of them, once, in the
 * order of their priorities, when it takes them and not before.
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

static void start(const char *profile, uint64_t flags)
{
    rig_start(profile, 1, 1);
    rig_mode(0, RIG_LONG);
    rig_enable_apic(0);
    rig_set_flags(0, flags, 0);
    rig_go_on(0);
}

static void set_stack(uint64_t rsp)
{
    rig_do(0, (struct guest_op){
                  .kind = OP_SET_REG, .reg = X86_GPR_RSP, .value = rsp});
}

static uint64_t rip(void)
{
    return rig_rip(0);
}

Test(events, interrupt)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        start(rig_profiles[p], X86_RFLAGS_IF);
        rig_interrupt(0, 0x41);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), 0x41, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_CODE);
        rig_do(0, iret);
        cr_expect_eq(rip(), RIG_CODE, "once");
        rig_stop();
    }
}

/* An exit says when the guest takes interrupts: not in the shadow of STI. */
Test(events, interrupt_waits_for_its_window)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        struct guest_result result;

        start(rig_profiles[p], 0);
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
        start(rig_profiles[p], 0);
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
        start(profile, 0);
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
        start(rig_profiles[p], 0);
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
        start(rig_profiles[p], 0);
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
        cr_expect_eq(rip(), RIG_CODE);
        rig_stop();
    }
}

/* A higher one comes while a lower one is served, not the other way. */
EACH_VENDOR(events, nested_interrupts)
{
    start(profile, X86_RFLAGS_IF);
    rig_interrupt(0, 0x41);
    rig_go_on(0);
    rig_do(0, sti);
    rig_do(0, pause_op);
    rig_interrupt(0, 0x45);
    rig_go_on(0);
    cr_expect_eq(rip() - RIG_HANDLER, 16 * 0x41 + 1 + 2, "the same class");
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

        start(rig_profiles[p], X86_RFLAGS_IF);
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

    start(profile, 0);
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
        cr_expect_eq(rip(), RIG_CODE);
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

    start(profile, X86_RFLAGS_IF);
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

/* NMIs ------------------------------------------------------------------- */

Test(events, nmi_comes_first_and_whatever_if_is)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned on = 0; on < 2; on++) {
            start(rig_profiles[p], on ? X86_RFLAGS_IF : 0);
            rig_interrupt(0, 0x41);
            rig_nmi(0);
            rig_do(0, (struct guest_op){.kind = OP_DELAY});
            cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s", rig_profiles[p]);
            cr_expect_eq(rig_stacked(0, 0), RIG_CODE);
            rig_do(0, iret);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), on ? 0x41 : -1, "%s", rig_profiles[p]);
            rig_stop();
        }
    }
}

Test(events, nmi_waits_for_iret)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned on = 0; on < 2; on++) {
            start(rig_profiles[p], on ? X86_RFLAGS_IF : 0);
            rig_nmi(0);
            rig_go_on(0);
            rig_nmi(0);
            rig_do(0, pause_op);
            rig_do(0, cpuid);
            rig_go_on(0);
            cr_expect_eq(rip(), RIG_HANDLER + 16 * X86_VECTOR_NMI + 4, "%s",
                         rig_profiles[p]);
            rig_nmi(0); /* the same as the one before */
            rig_do(0, iret);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s, %u",
                         rig_profiles[p], on);
            cr_expect_eq(rig_stacked(0, 0), RIG_CODE);
            rig_do(0, iret);
            rig_do(0, cpuid);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), -1, "%s: two of them",
                         rig_profiles[p]);
            rig_stop();
        }
    }
}

static uint64_t dr6(void)
{
    return rig_get(0, X86_REG_DR6);
}

/* An NMI's handler, in which another one has come, and which has come to its
 * IRET, at RIP. Nothing makes the guest exit by itself. */
#define RETURNS_TO (RIG_CODE + 2)

static void start_at_iret(const char *profile, uint64_t flags)
{
    start(profile, 0);
    rig_do(0, pause_op); /* there is code, which makes no exit any more */
    rig_set_flags(0, flags, 0);
    rig_nmi(0);
    rig_go_on(0);
    rig_nmi(0);
    rig_go_on(0);
}

/* The next NMI comes right behind the IRET, whatever the guest's flags are, and
 * the guest sees nothing of how that was found out. */
Test(events, nmi_comes_right_behind_the_iret)
{
    static const uint64_t flags[] = {0, X86_RFLAGS_IF, X86_RFLAGS_RF};
    static const struct guest_op steps[] = {{.kind = OP_X86_IRET},
                                            {.kind = OP_X86_PAUSE}};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for_each_row (i, flags) {
            start_at_iret(rig_profiles[p], flags[i]);
            rig_do_series(0, steps, ARRAY_SIZE(steps));
            cr_expect_eq(rip(), RIG_HANDLER + 16 * X86_VECTOR_NMI + 2,
                         "%s, row %zu: 0x%llx", rig_profiles[p], i,
                         (unsigned long long)rip());
            cr_expect_eq(rig_stacked(0, 0), RETURNS_TO);
            cr_expect_eq(rig_stacked(0, 2), flags[i] | X86_RFLAGS_FIXED);
            cr_expect_eq(dr6(), X86_DR6_RESET);
            rig_do(0, iret);
            cr_expect_eq(rip(), RETURNS_TO, "%s, row %zu", rig_profiles[p], i);
            rig_stop();
        }
    }
}

/* A guest that single-steps its handler gets its own trap behind the IRET, and
 * the NMI before the first instruction of that trap's handler. */
Test(events, single_step_of_the_iret)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        start_at_iret(rig_profiles[p], 0);
        rig_set_flags(0, X86_RFLAGS_TF, 0);
        rig_do(0, iret);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_HANDLER + 16 * X86_VECTOR_DB);
        cr_expect_eq(dr6(), X86_DR6_RESET | X86_DR6_BS);
        rig_do(0, iret);
        cr_expect_eq(rig_handler(0), X86_VECTOR_DB, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RETURNS_TO);
        cr_expect_eq(rig_stacked(0, 2), X86_RFLAGS_FIXED);
        rig_stop();
    }
}

/* An IRET that would have to be emulated. */
EACH_VENDOR(events, nmi_and_an_iret_that_faults)
{
    start(profile, X86_RFLAGS_IF);
    rig_nmi(0);
    rig_go_on(0);
    rig_nmi(0);
    rig_go_on(0);
    set_stack(RIG_HOLE);
    rig_do(0, (struct guest_op){.kind = OP_X86_IRET});
    cr_expect_eq(rig.vm->state, VM_STOPPED, "IRET is not emulated: %s",
                 rig.vm->reason);
    rig_stop();
}

/* Events that an exit cuts short ---------------------------------------- */

/* The handler's frame goes to a page of memory that nobody has touched. */
#define FRESH UINT64_C(0x51800)

struct cut {
    const char *name;
    struct guest_op op;
    int injected; /* before, from outside; 0: nothing, 2: an NMI */
    int vector;
    bool has_error;
    unsigned length; /* of the instruction that the handler returns behind */
};

static const struct cut cuts[] = {
    {"interrupt", {.kind = OP_DELAY}, 0x41, 0x41, false, 0},
    {"nmi", {.kind = OP_DELAY}, 2, 2, false, 0},
    {"exception", {.kind = OP_X86_RDPMC}, 0, X86_VECTOR_GP, true, 0},
    {"exception without error code",
     {.kind = OP_X86_MWAIT},
     0,
     X86_VECTOR_UD,
     false,
     0},
    {"the processor's exception",
     {.kind = OP_X86_RAISE, .number = X86_VECTOR_DE},
     0,
     X86_VECTOR_DE,
     false,
     0},
    {"int n", {.kind = OP_X86_INT, .number = 0x80}, 0, 0x80, false, 2},
    {"int 3", {.kind = OP_X86_INT3}, 0, X86_VECTOR_BP, false, 1},
};

Test(events, delivered_again)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for_each_row (i, cuts) {
            unsigned at = cuts[i].has_error ? 1 : 0;

            start(rig_profiles[p], X86_RFLAGS_IF);
            set_stack(FRESH);
            if (cuts[i].injected == 2)
                rig_nmi(0);
            else if (cuts[i].injected != 0)
                rig_interrupt(0, (uint8_t)cuts[i].injected);
            rig_do(0, cuts[i].op);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), cuts[i].vector, "%s: %s: %d at 0x%llx",
                         rig_profiles[p], cuts[i].name, rig_handler(0),
                         (unsigned long long)rip());
            cr_expect_eq(rig_rsp(0), FRESH - 8 * (5 + at));
            cr_expect_eq(rig_stacked(0, at), RIG_CODE + cuts[i].length, "%s",
                         cuts[i].name);
            set_stack(FRESH - 8 * 5);
            rig_do(0, iret);
            rig_go_on(0);
            cr_expect_eq(rip(), RIG_CODE + cuts[i].length, "%s, once",
                         cuts[i].name);
            rig_stop();
        }
    }
}

/* APM volume 2, section 8.2.9: what comes of an exception on the way to
 * another one's handler. Of those that do not go together the second wins. */
EACH_VENDOR(events, double_faults)
{
    enum kind { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE };
    static const struct {
        uint8_t vector;
        enum kind kind;
    } exceptions[] = {
        {X86_VECTOR_DE, CONTRIBUTORY}, {X86_VECTOR_DB, BENIGN},
        {X86_VECTOR_BP, BENIGN},       {X86_VECTOR_OF, BENIGN},
        {X86_VECTOR_BR, BENIGN},       {X86_VECTOR_UD, BENIGN},
        {X86_VECTOR_NM, BENIGN},       {X86_VECTOR_DF, DOUBLE},
        {X86_VECTOR_TS, CONTRIBUTORY}, {X86_VECTOR_NP, CONTRIBUTORY},
        {X86_VECTOR_SS, CONTRIBUTORY}, {X86_VECTOR_GP, CONTRIBUTORY},
        {X86_VECTOR_PF, PAGE_FAULT},   {X86_VECTOR_MF, BENIGN},
        {X86_VECTOR_AC, BENIGN},       {X86_VECTOR_MC, BENIGN},
        {X86_VECTOR_XF, BENIGN},       {X86_VECTOR_CP, CONTRIBUTORY},
    };
    static const char outcomes[4][5] = {
        /* second: benign, contributory, #PF, #DF */
        [BENIGN] = "2222",
        [CONTRIBUTORY] = "2D22",
        [PAGE_FAULT] = "2DD2",
        [DOUBLE] = "2SSS",
    };

    for (unsigned real = 0; real < 2; real++) {
        start(profile, 0);
        if (real)
            rig_mode(0, RIG_REAL);
        for_each_row (i, exceptions) {
            for_each_row (j, exceptions) {
                struct x86_vcpu *v = rig_vcpu(0);
                struct x86_event event = {X86_EVENT_EXCEPTION,
                                          exceptions[i].vector, false, 0};
                char what = outcomes[exceptions[i].kind][exceptions[j].kind];

                x86_set_event(v, &event);
                x86_inject_exception(
                    v, &(struct x86_exception){.vector = exceptions[j].vector,
                                               .has_error = false});
                cr_expect_eq(v->wait, what == 'S' ? X86_IS_DOWN : X86_RUNS);
                v->wait = X86_RUNS;
                cr_assert(x86_get_event(v, &event));
                cr_expect_eq(event.vector, what == 'D' ? X86_VECTOR_DF
                                                       : exceptions[j].vector);
                cr_expect_eq(event.has_error, what == 'D' && !real);
                cr_expect_eq(event.error, 0);
            }
        }
        rig_stop();
    }
}

/* TF: the trap comes behind the instruction, whoever makes it. */
Test(events, single_step)
{
    static const struct {
        struct guest_op op;
        unsigned length;
    } rows[] = {
        {{.kind = OP_X86_CPUID}, 2},
        {{.kind = OP_X86_IN, .width = 1, .number = RIG_PORT}, 1},
        {{.kind = OP_X86_RDMSR, .number = X86_MSR_EFER}, 2},
        {{.kind = OP_X86_READ_CR, .number = 8}, 4},
        {{.kind = OP_LOAD, .width = 4, .address = RIG_DEVICE}, 2},
        {{.kind = OP_STORE, .width = 4, .address = RIG_DEVICE}, 2},
        {{.kind = OP_AMO, .width = 4, .address = RIG_DEVICE}, 2},
        {{.kind = OP_X86_WBINVD}, 2},
    };

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for_each_row (i, rows) {
            start(rig_profiles[p], X86_RFLAGS_TF);
            rig_do(0, rows[i].op);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), X86_VECTOR_DB, "%s, row %zu: %d",
                         rig_profiles[p], i, rig_handler(0));
            cr_expect_eq(rig_stacked(0, 0), RIG_CODE + rows[i].length);
            cr_expect_neq(rig_stacked(0, 2) & X86_RFLAGS_TF, 0);
            cr_expect_neq(rig_get(0, X86_REG_DR6) & X86_DR6_BS, 0);
            rig_stop();
        }
    }
}

/* INT1 is behind itself when its handler runs, like INT3. */
Test(events, icebp)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        start(rig_profiles[p], 0);
        rig_do(0, (struct guest_op){.kind = OP_X86_ICEBP});
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), X86_VECTOR_DB);
        cr_expect_eq(rig_stacked(0, 0), RIG_CODE + 1, "%s", rig_profiles[p]);
        rig_stop();
    }
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

            start(rig_profiles[p], rows[i].flags);
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
        start(rig_profiles[p], 0);
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
    start(profile, 0);
    rig_nmi(0);
    rig_go_on(0);
    rig_nmi(0);
    cr_expect_eq(rig_do(0, hlt).outcome, OUTCOME_PENDING);
    rig_stop();
}
