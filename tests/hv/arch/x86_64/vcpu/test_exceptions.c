/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions, and what else is delivered: events that an exit cuts short, two
 * exceptions at once, single steps.
 */
#include "hv/arch/x86_64/vcpu/rig.h"

static const struct guest_op iret = {.kind = OP_X86_IRET};

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

Test(exceptions, delivered_again)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for_each_row (i, cuts) {
            unsigned at = cuts[i].has_error ? 1 : 0;

            rig_start_events(rig_profiles[p], X86_RFLAGS_IF);
            rig_set_stack(0, FRESH);
            if (cuts[i].injected == 2)
                rig_nmi(0);
            else if (cuts[i].injected != 0)
                rig_interrupt(0, (uint8_t)cuts[i].injected);
            rig_do(0, cuts[i].op);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), cuts[i].vector, "%s: %s: %d at 0x%llx",
                         rig_profiles[p], cuts[i].name, rig_handler(0),
                         (unsigned long long)rig_rip(0));
            cr_expect_eq(rig_rsp(0), FRESH - 8 * (5 + at));
            cr_expect_eq(rig_stacked(0, at), RIG_CODE + cuts[i].length, "%s",
                         cuts[i].name);
            rig_set_stack(0, FRESH - 8 * 5);
            rig_do(0, iret);
            rig_go_on(0);
            cr_expect_eq(rig_rip(0), RIG_CODE + cuts[i].length, "%s, once",
                         cuts[i].name);
            rig_stop();
        }
    }
}

/* APM volume 2, section 8.2.9: what comes of an exception on the way to
 * another one's handler. Of those that do not go together the second wins. */
EACH_VENDOR(exceptions, double_faults)
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
        rig_start_events(profile, 0);
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
Test(exceptions, single_step)
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
            rig_start_events(rig_profiles[p], X86_RFLAGS_TF);
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
Test(exceptions, icebp)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start_events(rig_profiles[p], 0);
        rig_do(0, (struct guest_op){.kind = OP_X86_ICEBP});
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), X86_VECTOR_DB);
        cr_expect_eq(rig_stacked(0, 0), RIG_CODE + 1, "%s", rig_profiles[p]);
        rig_stop();
    }
}
