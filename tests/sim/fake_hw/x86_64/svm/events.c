/* SPDX-License-Identifier: Apache-2.0 */
/* Events on the fake SVM CPU: injection, virtual interrupts, what happens on
 * the way, and the way back. */
#include <string.h>

#include "rig.h"

TestSuite(events, .init = rig_setup);

#define EVENT(type, vector) (EVENT_V | FIELD_PUT(EVENT_TYPE, type) | (vector))
#define WITH_ERROR(error)   (EVENT_EV | FIELD_PUT(EVENT_ERRORCODE, error))
#define HANDLER(vector)     (RIG_CODE + 0x100 + (vector))

static struct vmcb_control *control(void)
{
    return &rig.vmcb->control;
}

static bool took(unsigned vector)
{
    return (rig.source.result.vectors[vector / 64] >> (vector % 64) & 1) != 0;
}

/* What is on the guest's stack, `slot` bytes each. */
static uint64_t stacked(unsigned index, unsigned slot)
{
    uint64_t value = 0;

    memcpy(&value,
           (uint8_t *)rig_memory(rig.vmcb->save.rsp) + (size_t)index * slot,
           slot);
    return value;
}

static void load_mode(bool is_long)
{
    rig_setup();
    if (is_long)
        rig_long_mode();
    rig_idt();
    rig.vmcb->save.rflags |= X86_RFLAGS_IF;
}

Test(events, injection)
{
    static const struct {
        uint64_t event;
        uint8_t vector;
        bool has_error;
    } rows[] = {
        {EVENT(EVENT_TYPE_INTR, 0x31), 0x31, false},
        {EVENT(EVENT_TYPE_NMI, 2), 2, false},
        {EVENT(EVENT_TYPE_NMI, 77), 2, false}, /* whatever the vector */
        {EVENT(EVENT_TYPE_EXCEPTION, X86_VECTOR_UD), X86_VECTOR_UD, false},
        {EVENT(EVENT_TYPE_EXCEPTION, X86_VECTOR_GP) | WITH_ERROR(0x55),
         X86_VECTOR_GP, true},
        {EVENT(EVENT_TYPE_SOFT, 0x80), 0x80, false},
    };

    for_each_row (i, rows) {
        for (unsigned is_long = 0; is_long < 2; is_long++) {
            unsigned slot = is_long ? 8 : 4;
            unsigned at = rows[i].has_error ? 1 : 0;

            load_mode(is_long);
            control()->intercept_exceptions = UINT32_MAX;
            control()->eventinj = rows[i].event;
            rig_run(NULL, 0);
            cr_assert_eq(control()->exitcode, VMEXIT_INTR, "row %zu", i);
            cr_assert_eq(control()->exitintinfo, 0, "row %zu", i);
            cr_assert_eq(control()->eventinj & EVENT_V, 0, "row %zu", i);
            cr_assert_eq(rig.vmcb->save.rip, HANDLER(rows[i].vector), "row %zu",
                         i);
            cr_assert_eq(rig.vmcb->save.rflags & X86_RFLAGS_IF, 0);
            if (rows[i].has_error)
                cr_assert_eq(stacked(0, slot), 0x55, "row %zu", i);
            cr_assert_eq(stacked(at, slot), RIG_CODE, "row %zu", i);
            cr_assert_eq(stacked(at + 2, slot) & X86_RFLAGS_IF, X86_RFLAGS_IF);
            cr_assert_eq(violations_count(), 0);
        }
    }
}

Test(events, in_real_mode)
{
    static const uint16_t gate[2] = {0x0100, 0x0200};

    rig.vmcb->save.cr0 = X86_CR0_ET;
    rig.vmcb->save.cs.attrib = 0x9b;
    rig.vmcb->save.idtr.limit = 0x3ff;
    memcpy(rig_memory(4 * 0x10), gate, sizeof(gate));
    control()->eventinj = EVENT(EVENT_TYPE_SOFT, 0x10);
    rig_run(NULL, 0);
    cr_assert_eq(rig.vmcb->save.rip, 0x100);
    cr_assert_eq(rig.vmcb->save.cs.base, 0x2000);
    cr_assert_eq(rig.vmcb->save.rsp, RIG_STACK - 6);
    cr_assert_eq(stacked(0, 2), RIG_CODE);
}

/* An exit on the way says which event it was; injected again it arrives. */
Test(events, exits_on_the_way)
{
    static const uint64_t lost[] = {RIG_IDT, RIG_STACK - PAGE_SIZE};
    uint64_t event = EVENT(EVENT_TYPE_EXCEPTION, X86_VECTOR_GP) | WITH_ERROR(8);

    for_each_row (i, lost) {
        load_mode(true);
        *rig_nested(lost[i]) = 0;
        control()->eventinj = event;
        rig_run(NULL, 0);
        cr_assert_eq(control()->exitcode, VMEXIT_NPF, "row %zu", i);
        cr_assert_eq(control()->exitinfo2 & ~UINT64_C(0xfff), lost[i]);
        cr_assert_eq(control()->exitintinfo, event, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.rip, RIG_CODE, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.rsp, RIG_STACK, "row %zu", i);
        *rig_nested(lost[i]) = (rig.memory.raw + lost[i]) | RIG_LEAF;
        control()->eventinj = control()->exitintinfo;
        rig_enter();
        cr_assert_eq(rig.vmcb->save.rip, HANDLER(X86_VECTOR_GP), "row %zu", i);
        cr_assert_eq(control()->exitintinfo, 0, "row %zu", i);
    }
}

/* Without an IDT: #GP, #DF, shutdown; each of them may be an exit. */
Test(events, double_and_triple_faults)
{
    static const struct {
        uint32_t exceptions;
        uint64_t code, info1;
        uint8_t on_the_way; /* vector in EXITINTINFO; 0: none */
    } rows[] = {
        {0, VMEXIT_SHUTDOWN, 0, 0},
        {1u << X86_VECTOR_DF, VMEXIT_EXCP0 + X86_VECTOR_DF, 0, X86_VECTOR_GP},
        {1u << X86_VECTOR_GP, VMEXIT_EXCP0 + X86_VECTOR_GP,
         X86_VECTOR_UD * 8 + 3, X86_VECTOR_UD},
    };
    static const struct guest_op op = {.kind = OP_INSN, .number = 0xb0f};

    for_each_row (i, rows) {
        rig_setup();
        control()->intercept_exceptions = rows[i].exceptions;
        rig_one(&op);
        cr_assert_eq(control()->exitcode, rows[i].code, "row %zu: 0x%llx", i,
                     (unsigned long long)control()->exitcode);
        cr_assert_eq(control()->exitinfo1, rows[i].info1, "row %zu", i);
        cr_assert_eq(control()->exitintinfo & 0xff, rows[i].on_the_way,
                     "row %zu", i);
        cr_assert_eq(rig.last.outcome, OUTCOME_EXCEPTION);
    }
}

Test(events, shutdown_must_be_intercepted)
{
    static const struct guest_op op = {.kind = OP_X86_SHUTDOWN};

    vmcb_set_intercept(control(), INTERCEPT_SHUTDOWN, false);
    rig_one(&op);
    cr_assert_eq(violations_of(RULE_REACHES_HOST), 1);
}

Test(events, virtual_interrupts)
{
    static const struct {
        uint64_t vintr;
        bool enabled, shadow, intercepted, is_due;
    } rows[] = {
        {VINTR_V_IRQ | FIELD_PUT(VINTR_V_INTR_PRIO, 1), true, false, false,
         true},
        {VINTR_V_IRQ | FIELD_PUT(VINTR_V_INTR_PRIO, 1), true, false, true,
         true},
        {VINTR_V_IRQ | FIELD_PUT(VINTR_V_INTR_PRIO, 1), false, false, true,
         false},
        {VINTR_V_IRQ | FIELD_PUT(VINTR_V_INTR_PRIO, 1), true, true, true,
         false},
        {VINTR_V_IRQ | FIELD_PUT(VINTR_V_INTR_PRIO, 4) | 4, true, false, false,
         false},
        {VINTR_V_IRQ | FIELD_PUT(VINTR_V_INTR_PRIO, 5) | 4, true, false, false,
         true},
        {VINTR_V_IRQ | VINTR_V_IGN_TPR | 15, true, false, false, true},
        {VINTR_V_IRQ | VINTR_V_IGN_TPR | VINTR_VGIF_ENABLE, true, false, false,
         false},
        {VINTR_V_IRQ | VINTR_V_IGN_TPR | VINTR_VGIF_ENABLE | VINTR_VGIF, true,
         false, false, true},
        {FIELD_PUT(VINTR_V_INTR_PRIO, 15), true, false, true, false},
    };

    for_each_row (i, rows) {
        bool delivered = rows[i].is_due && !rows[i].intercepted;

        load_mode(false);
        if (!rows[i].enabled)
            rig.vmcb->save.rflags &= ~X86_RFLAGS_IF;
        control()->interrupt_shadow = rows[i].shadow;
        control()->vintr = rows[i].vintr | VINTR_V_INTR_MASKING |
                           FIELD_PUT(VINTR_V_INTR_VECTOR, 0x42);
        vmcb_set_intercept(control(), INTERCEPT_VINTR, rows[i].intercepted);
        rig_run(NULL, 0);
        cr_assert_eq(control()->exitcode,
                     rows[i].is_due && rows[i].intercepted ? VMEXIT_VINTR
                                                           : VMEXIT_INTR,
                     "row %zu", i);
        cr_assert_eq(took(0x42), delivered, "row %zu", i);
        cr_assert_eq((control()->vintr & VINTR_V_IRQ) != 0,
                     (rows[i].vintr & VINTR_V_IRQ) != 0 && !delivered,
                     "row %zu", i);
        cr_assert_eq(rig.vmcb->save.rip, delivered ? HANDLER(0x42) : RIG_CODE,
                     "row %zu", i);
    }
}

/* The window opens one instruction after STI. */
Test(events, interrupt_shadow)
{
    static const struct guest_op ops[] = {
        {.kind = OP_X86_STI}, {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE}};

    vmcb_set_intercept(control(), INTERCEPT_VINTR, true);
    control()->vintr |= VINTR_V_IRQ | VINTR_V_IGN_TPR;
    rig_run(ops, 3);
    cr_assert_eq(control()->exitcode, VMEXIT_VINTR);
    cr_assert_eq(rig.done, 2);
    cr_assert_eq(rig.vmcb->save.rip, RIG_CODE + 3);
    /* An exit in the shadow says so. */
    rig_setup();
    vmcb_set_intercept(control(), INTERCEPT_PAUSE, true);
    rig_run(ops, 2);
    cr_assert_eq(control()->exitcode, VMEXIT_PAUSE);
    cr_assert_eq(control()->interrupt_shadow, SHADOW_INTERRUPT);
}

/* The host's interrupts are nothing to the guest's flag. */
Test(events, host_interrupts)
{
    static const struct guest_op op = {.kind = OP_X86_PAUSE};

    host_kick_cpu(0);
    rig_one(&op);
    cr_assert_eq(control()->exitcode, VMEXIT_INTR);
    cr_assert_eq(rig.done, 0);
    rig_enter();
    cr_assert_eq(rig.done, 0, "it is still pending");
}

/* The NMI window opens with IRET. */
Test(events, nmi_window)
{
    static const struct guest_op ops[] = {{.kind = OP_X86_NMI},
                                          {.kind = OP_X86_NMI},
                                          {.kind = OP_X86_PAUSE},
                                          {.kind = OP_X86_IRET},
                                          {.kind = OP_X86_PAUSE}};

    load_mode(true);
    vmcb_set_intercept(control(), INTERCEPT_IRET, true);
    rig_run(ops, ARRAY_SIZE(ops));
    cr_assert_eq(control()->exitcode, VMEXIT_IRET);
    cr_assert_eq(rig.vmcb->save.rip, HANDLER(2) + 2);
    cr_assert_eq(rig.vmcb->save.rsp, RIG_STACK - 40, "one frame");
    vmcb_set_intercept(control(), INTERCEPT_IRET, false);
    rig_enter();
    cr_assert_eq(rig.vmcb->save.rip, HANDLER(2) + 2, "again, and one PAUSE");
    cr_assert_eq(rig.vmcb->save.rsp, RIG_STACK - 40);
}

Test(events, return_from_a_handler)
{
    static const struct guest_op ops[] = {{.kind = OP_X86_INT, .number = 0x80},
                                          {.kind = OP_X86_IRET}};

    for (unsigned is_long = 0; is_long < 2; is_long++) {
        load_mode(is_long);
        rig_run(ops, 2);
        cr_assert_eq(rig.vmcb->save.rip, RIG_CODE + 2);
        cr_assert_eq(rig.vmcb->save.rsp, RIG_STACK);
        cr_assert_eq(rig.vmcb->save.rflags & X86_RFLAGS_IF, X86_RFLAGS_IF);
    }
}

/* INT n whose frame cannot be written: RIP is at it, and it comes again. */
Test(events, soft_interrupt_cut_short)
{
    static const struct {
        struct guest_op op;
        uint64_t event;
        uint64_t length;
    } rows[] = {
        {{.kind = OP_X86_INT, .number = 0x80}, EVENT(EVENT_TYPE_SOFT, 0x80), 2},
        {{.kind = OP_X86_INT3}, EVENT(EVENT_TYPE_EXCEPTION, X86_VECTOR_BP), 1},
    };

    for_each_row (i, rows) {
        uint64_t *entry;

        load_mode(true);
        entry = rig_nested(RIG_STACK - PAGE_SIZE);
        *entry &= ~NPT_P;
        rig_one(&rows[i].op);
        cr_assert_eq(control()->exitcode, VMEXIT_NPF, "row %zu", i);
        cr_assert_eq(control()->exitintinfo, rows[i].event, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.rip, RIG_CODE, "row %zu", i);
        cr_assert_eq(rig.done, 0);
        *entry |= NPT_P;
        rig_enter();
        cr_assert_eq(rig.done, 1, "row %zu", i);
        cr_assert_eq(stacked(0, 8), RIG_CODE + rows[i].length, "row %zu", i);
    }
}

/* An operation that the hypervisor answers with an exception. */
Test(events, answers)
{
    static const struct guest_op op = {.kind = OP_X86_RDMSR, .number = 0x1234};

    load_mode(false);
    vmcb_set_intercept(control(), INTERCEPT_MSR, true);
    rig_one(&op);
    control()->eventinj =
        EVENT(EVENT_TYPE_EXCEPTION, X86_VECTOR_GP) | WITH_ERROR(0);
    rig_enter();
    cr_assert_eq(rig.last.outcome, OUTCOME_EXCEPTION);
    cr_assert_eq(rig.last.cause, X86_VECTOR_GP);
    rig_one(&op);
    rig_enter();
    cr_assert_eq(rig.done, 0, "tried again");
    cr_assert_eq(control()->exitcode, VMEXIT_MSR);
    rig.vmcb->save.rip = 0x9000;
    rig_enter();
    cr_assert_eq(rig.last.outcome, OUTCOME_REDIRECTED);
}
