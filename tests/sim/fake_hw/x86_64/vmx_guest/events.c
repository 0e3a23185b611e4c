/* SPDX-License-Identifier: Apache-2.0 */
/* Events on the fake VMX CPU: injection, what happens on the way, windows,
 * what comes first. */
#include <string.h>

#include "rig.h"
#include "sim/clock.h"

TestSuite(events, .init = rig_setup);

#define HANDLER(vector) (RIG_CODE + 0x100 + (vector))
#define VALID           UINT64_C(0x80000000)

static const struct guest_op nothing = {.kind = OP_SET_REG};

/* What is on the guest's stack, `slot` bytes each. */
static uint64_t stacked(unsigned index, unsigned slot)
{
    uint64_t value = 0;

    memcpy(&value,
           (uint8_t *)rig_memory(FIELD(GUEST_RSP)) + (size_t)index * slot,
           slot);
    return value;
}

static void load_mode(bool is_long)
{
    rig_setup();
    if (is_long)
        rig_long_mode();
    rig_idt();
    FIELD(GUEST_RFLAGS) |= X86_RFLAGS_IF;
}

Test(events, injection)
{
    static const struct {
        uint64_t info, length;
        uint8_t vector;
        bool has_error;
    } rows[] = {
        {VALID | 0x031, 0, 0x31, false}, {VALID | 0x202, 0, 2, false},
        {VALID | 0x306, 0, 6, false},    {VALID | 0xb0d, 0, 13, true},
        {VALID | 0x480, 2, 0x80, false}, /* INT n */
        {VALID | 0x603, 1, 3, false},    /* INT3 */
        {VALID | 0x501, 1, 1, false},    /* INT1 */
    };

    for_each_row (i, rows) {
        for (unsigned is_long = 0; is_long < 2; is_long++) {
            unsigned slot = is_long ? 8 : 4;
            unsigned rip_at = rows[i].has_error ? 1 : 0;

            load_mode(is_long);
            FIELD(ENTRY_INTERRUPTION_INFO) = rows[i].info;
            FIELD(ENTRY_EXCEPTION_ERROR_CODE) = 0x58;
            FIELD(ENTRY_INSTRUCTION_LENGTH) = rows[i].length;
            rig_run(NULL, 0);
            cr_assert_eq(rig.result, X86_VMX_ENTERED, "row %zu", i);
            cr_assert_eq(FIELD(GUEST_RIP), HANDLER(rows[i].vector), "row %zu",
                         i);
            if (rows[i].has_error)
                cr_assert_eq(stacked(0, slot), 0x58, "row %zu", i);
            cr_assert_eq(stacked(rip_at, slot), RIG_CODE + rows[i].length,
                         "row %zu", i);
            /* It is injected once. */
            cr_assert_eq(FIELD(ENTRY_INTERRUPTION_INFO) & VALID, 0, "row %zu",
                         i);
            cr_assert_eq(
                (FIELD(GUEST_INTERRUPTIBILITY_STATE) & VMX_BLOCKING_NMI) != 0,
                rows[i].vector == 2, "row %zu", i);
            cr_assert_eq(violations_count(), 0, "row %zu", i);
        }
    }
}

/* The stack is not there: IDT-vectoring information tells of the event. */
Test(events, exits_on_the_way)
{
    static const struct {
        uint64_t info, length;
        bool has_error;
    } rows[] = {
        {VALID | 0x031, 0, false}, {VALID | 0x202, 0, false},
        {VALID | 0xb0d, 0, true},  {VALID | 0x480, 2, false},
        {VALID | 0x603, 1, false}, {VALID | 0x480, 0, false},
    };

    for_each_row (i, rows) {
        load_mode(false);
        FIELD(EXIT_INSTRUCTION_LENGTH) = 7; /* of the exit before */
        FIELD(GUEST_INTERRUPTIBILITY_STATE) =
            rows[i].info == (VALID | 0x480) ? VMX_BLOCKING_MOV_SS : 0;
        *rig_ept(RIG_STACK - PAGE_SIZE) = 0;
        FIELD(ENTRY_INTERRUPTION_INFO) = rows[i].info;
        FIELD(ENTRY_EXCEPTION_ERROR_CODE) = 0x58;
        FIELD(ENTRY_INSTRUCTION_LENGTH) = rows[i].length;
        rig_run(NULL, 0);
        cr_assert_eq(rig_reason(), VMX_REASON_EPT_VIOLATION, "row %zu", i);
        cr_assert_eq(FIELD(IDT_VECTORING_INFO), rows[i].info, "row %zu", i);
        if (rows[i].has_error)
            cr_assert_eq(FIELD(IDT_VECTORING_ERROR_CODE), 0x58, "row %zu", i);
        if (FIELD_GET(VMX_EVENT_TYPE, rows[i].info) >= 4)
            cr_assert_eq(FIELD(EXIT_INSTRUCTION_LENGTH), rows[i].length,
                         "row %zu", i);
        cr_assert_eq(FIELD(GUEST_INTERRUPTIBILITY_STATE),
                     rows[i].info == (VALID | 0x202) ? VMX_BLOCKING_NMI : 0,
                     "row %zu", i);
        cr_assert_eq(FIELD(GUEST_RIP), RIG_CODE, "row %zu", i);
        cr_assert_eq(FIELD(GUEST_RFLAGS) & X86_RFLAGS_RF, 0, "row %zu", i);
    }
}

/* The same of instructions that raise events. */
Test(events, instructions_cut_short)
{
    static const struct {
        struct guest_op op;
        uint64_t info;
        uint8_t length;
    } rows[] = {
        {{.kind = OP_X86_INT, .number = 0x80}, VALID | 0x480, 2},
        {{.kind = OP_X86_INT3}, VALID | 0x603, 1},
        {{.kind = OP_X86_ICEBP}, VALID | 0x501, 1},
    };

    for_each_row (i, rows) {
        load_mode(false);
        *rig_ept(RIG_STACK - PAGE_SIZE) = 0;
        rig_one(&rows[i].op);
        cr_assert_eq(rig_reason(), VMX_REASON_EPT_VIOLATION, "row %zu", i);
        cr_assert_eq(FIELD(IDT_VECTORING_INFO), rows[i].info, "row %zu: %llx",
                     i, (unsigned long long)FIELD(IDT_VECTORING_INFO));
        cr_assert_eq(FIELD(EXIT_INSTRUCTION_LENGTH), rows[i].length, "row %zu",
                     i);
        cr_assert_eq(FIELD(GUEST_RIP), RIG_CODE, "row %zu", i);
    }
}

/* A fault on the way to a handler, with no IDT at all: #DF, then the end. An
 * exit for #DF is none on the way of what led to it. */
Test(events, double_and_triple_faults)
{
    static const struct guest_op op = {.kind = OP_X86_RAISE,
                                       .number = X86_VECTOR_GP};

    FIELD(GUEST_IDTR_LIMIT) = 0;
    rig_one(&op);
    cr_assert_eq(rig_reason(), VMX_REASON_TRIPLE_FAULT);
    cr_assert_eq(FIELD(IDT_VECTORING_INFO) & VALID, 0);

    rig_setup();
    FIELD(GUEST_IDTR_LIMIT) = 0;
    FIELD(EXCEPTION_BITMAP) = BIT(X86_VECTOR_DF);
    rig_one(&op);
    cr_assert_eq(rig_reason(), VMX_REASON_EXCEPTION_NMI);
    cr_assert_eq(FIELD(EXIT_INTERRUPTION_INFO), VALID | 0xb08);
    cr_assert_eq(FIELD(IDT_VECTORING_INFO) & VALID, 0);

    /* An exception that exits is no triple fault. */
    rig_setup();
    FIELD(GUEST_IDTR_LIMIT) = 0;
    FIELD(EXCEPTION_BITMAP) = BIT(X86_VECTOR_GP);
    FIELD(ENTRY_INTERRUPTION_INFO) = VALID | 0xb08;
    rig_run(NULL, 0);
    cr_assert_eq(rig_reason(), VMX_REASON_EXCEPTION_NMI);
    cr_assert_eq(FIELD(IDT_VECTORING_INFO), VALID | 0xb08);
}

/* In real mode, SP alone moves, AC is cleared, NT is not, and what is returned
 * to is on the stack before the vector is read. */
Test(events, in_real_mode)
{
    const uint64_t flags =
        X86_RFLAGS_FIXED | X86_RFLAGS_AC | X86_RFLAGS_NT | X86_RFLAGS_IF;

    for (unsigned has_table = 0; has_table < 2; has_table++) {
        rig_setup();
        FIELD(GUEST_CR0) &= ~X86_CR0_PE;
        FIELD(GUEST_RFLAGS) = flags;
        FIELD(GUEST_RSP) = 0x40000 | RIG_STACK;
        FIELD(GUEST_IDTR_BASE) = RIG_IDT;
        FIELD(GUEST_IDTR_LIMIT) = 0x3ff;
        *rig_ept(RIG_IDT) = has_table != 0 ? *rig_ept(RIG_IDT) : 0;
        FIELD(ENTRY_INTERRUPTION_INFO) = VALID | 0x031;
        rig_run(NULL, 0);
        cr_expect_eq(*(uint16_t *)rig_memory((RIG_STACK & 0xffff) - 6),
                     RIG_CODE & 0xffff, "%u", has_table);
        cr_expect_eq(FIELD(GUEST_RSP),
                     (0x40000 | RIG_STACK) - (has_table != 0 ? 6 : 0), "%u",
                     has_table);
        cr_expect_eq(FIELD(GUEST_RFLAGS),
                     has_table != 0 ? X86_RFLAGS_FIXED | X86_RFLAGS_NT : flags,
                     "%u", has_table);
    }
}

/* Everything at once: what comes first, and then what is left. */
Test(events, priority)
{
    static const uint8_t order[] = {
        VMX_REASON_INIT,
        VMX_REASON_MONITOR_TRAP_FLAG,
        VMX_REASON_PREEMPTION_TIMER,
        VMX_REASON_NMI_WINDOW,
        VMX_REASON_EXCEPTION_NMI,
        VMX_REASON_INTERRUPT_WINDOW,
        VMX_REASON_EXTERNAL_INTERRUPT,
    };

    load_mode(false);
    rig.cpu->init_pending = rig.cpu->nmi_pending = true;
    host_kick_cpu(0);
    FIELD(PIN_CONTROLS) |=
        VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS | VMX_PIN_PREEMPTION_TIMER;
    FIELD(PRIMARY_CONTROLS) |=
        VMX_CPU_NMI_WINDOW_EXITING | VMX_CPU_INTERRUPT_WINDOW_EXITING;
    FIELD(ENTRY_INTERRUPTION_INFO) = VALID | 0x700; /* a pending MTF exit */
    for_each_row (i, order) {
        rig_run(&nothing, 1);
        cr_assert_eq(rig_reason(), order[i], "%zu: %u", i, rig_reason());
        cr_assert_eq(rig.done, 0, "%zu", i);
        switch (order[i]) {
        case VMX_REASON_INIT:
            FIELD(ENTRY_INTERRUPTION_INFO) = VALID | 0x700;
            break;
        case VMX_REASON_PREEMPTION_TIMER:
            FIELD(PIN_CONTROLS) &= ~VMX_PIN_PREEMPTION_TIMER;
            break;
        case VMX_REASON_NMI_WINDOW:
            FIELD(PRIMARY_CONTROLS) &= ~VMX_CPU_NMI_WINDOW_EXITING;
            break;
        case VMX_REASON_INTERRUPT_WINDOW:
            FIELD(PRIMARY_CONTROLS) &= ~VMX_CPU_INTERRUPT_WINDOW_EXITING;
            break;
        default: break;
        }
    }
}

/* When windows are open. */
Test(events, windows)
{
    static const struct {
        uint64_t control, blocking;
        bool no_if;
        unsigned reason; /* 1: none of them */
    } rows[] = {
        {VMX_CPU_INTERRUPT_WINDOW_EXITING, 0, false, 7},
        {VMX_CPU_INTERRUPT_WINDOW_EXITING, 0, true, 1},
        {VMX_CPU_INTERRUPT_WINDOW_EXITING, VMX_BLOCKING_MOV_SS, false, 1},
        {VMX_CPU_INTERRUPT_WINDOW_EXITING, VMX_BLOCKING_STI, false, 1},
        {VMX_CPU_INTERRUPT_WINDOW_EXITING, VMX_BLOCKING_NMI, false, 7},
        {VMX_CPU_NMI_WINDOW_EXITING, 0, true, 8},
        {VMX_CPU_NMI_WINDOW_EXITING, VMX_BLOCKING_NMI, false, 1},
        {VMX_CPU_NMI_WINDOW_EXITING, VMX_BLOCKING_MOV_SS, false, 1},
    };

    for_each_row (i, rows) {
        load_mode(false);
        FIELD(PIN_CONTROLS) |= VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS;
        FIELD(PRIMARY_CONTROLS) |= rows[i].control;
        FIELD(GUEST_INTERRUPTIBILITY_STATE) = rows[i].blocking;
        if (rows[i].no_if)
            FIELD(GUEST_RFLAGS) &= ~X86_RFLAGS_IF;
        rig_run(NULL, 0);
        cr_assert_eq(rig.result, X86_VMX_ENTERED, "row %zu", i);
        cr_assert_eq(rig_reason(), rows[i].reason, "row %zu: %u", i,
                     rig_reason());
    }
}

/* STI's shadow is one instruction long. */
Test(events, interrupt_shadow)
{
    static const struct guest_op ops[] = {
        {.kind = OP_X86_STI}, {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE}};

    rig_idt();
    FIELD(PRIMARY_CONTROLS) |= VMX_CPU_INTERRUPT_WINDOW_EXITING;
    rig_run(ops, 3);
    cr_assert_eq(rig_reason(), VMX_REASON_INTERRUPT_WINDOW);
    cr_assert_eq(rig.done, 2);
}

Test(events, host_interrupts)
{
    for (unsigned acknowledged = 0; acknowledged < 2; acknowledged++) {
        rig_setup();
        if (acknowledged)
            FIELD(EXIT_CONTROLS) |= VMX_EXIT_ACKNOWLEDGE_INTERRUPT;
        host_kick_cpu(0);
        rig_run(&nothing, 1);
        cr_assert_eq(rig_reason(), VMX_REASON_EXTERNAL_INTERRUPT);
        cr_assert_eq(rig.done, 0);
        cr_assert_eq(FIELD(EXIT_INTERRUPTION_INFO),
                     acknowledged ? VALID | FAKE_VMX_HOST_VECTOR : 0);
    }
}

/* NMIs: an exit, or the guest's; and how IRET unblocks them. */
Test(events, nmis)
{
    static const struct {
        uint64_t pin;
        bool blocked, exits, delivered;
    } rows[] = {
        {0, false, false, true},
        {0, true, false, false},
        {VMX_PIN_NMI_EXITING, false, true, false},
        {VMX_PIN_NMI_EXITING, true, false, false},
        {VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS, true, true, false},
    };

    for_each_row (i, rows) {
        load_mode(false);
        FIELD(PIN_CONTROLS) |= rows[i].pin;
        FIELD(GUEST_INTERRUPTIBILITY_STATE) =
            rows[i].blocked ? VMX_BLOCKING_NMI : 0;
        rig.cpu->nmi_pending = true;
        rig_run(&nothing, 1);
        cr_assert_eq(rig.done, rows[i].exits ? 0 : 1, "row %zu", i);
        if (rows[i].exits)
            cr_assert_eq(FIELD(EXIT_INTERRUPTION_INFO), VALID | 0x202,
                         "row %zu", i);
        cr_assert_eq(FIELD(GUEST_RIP) == HANDLER(2), rows[i].delivered,
                     "row %zu", i);
    }
}

Test(events, iret_unblocks_nmis)
{
    static const struct guest_op op = {.kind = OP_X86_IRET};
    static const struct {
        uint64_t pin;
        bool unblocks;
    } rows[] = {
        {0, true},
        {VMX_PIN_NMI_EXITING, false},
        {VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS, true},
    };

    for_each_row (i, rows) {
        for (unsigned faults = 0; faults < 2; faults++) {
            load_mode(false);
            FIELD(PIN_CONTROLS) |= rows[i].pin;
            FIELD(GUEST_INTERRUPTIBILITY_STATE) = VMX_BLOCKING_NMI;
            FIELD(GUEST_RSP) = RIG_DATA;
            if (faults)
                *rig_ept(RIG_DATA) = 0;
            rig_one(&op);
            cr_assert_eq(
                (FIELD(GUEST_INTERRUPTIBILITY_STATE) & VMX_BLOCKING_NMI) == 0,
                rows[i].unblocks, "row %zu", i);
            if (faults)
                cr_assert_eq(
                    (FIELD(EXIT_QUALIFICATION) & VMX_EPT_NMI_UNBLOCKED) != 0,
                    rows[i].unblocks, "row %zu", i);
        }
    }
}

/* After each instruction, and after an event that is injected. */
Test(events, monitor_trap_flag)
{
    static const struct guest_op ops[] = {{.kind = OP_X86_PAUSE},
                                          {.kind = OP_X86_PAUSE}};

    rig_idt();
    FIELD(PRIMARY_CONTROLS) |= VMX_CPU_MONITOR_TRAP_FLAG;
    rig_run(ops, 2);
    cr_assert_eq(rig_reason(), VMX_REASON_MONITOR_TRAP_FLAG);
    cr_assert_eq(rig.done, 1);
    cr_assert_eq(FIELD(GUEST_RIP), RIG_CODE + 2);
    FIELD(ENTRY_INTERRUPTION_INFO) = VALID | 0x306;
    rig_enter();
    cr_assert_eq(rig_reason(), VMX_REASON_MONITOR_TRAP_FLAG);
    cr_assert_eq(rig.done, 1);
    cr_assert_eq(FIELD(GUEST_RIP), HANDLER(6));
}

Test(events, preemption_timer)
{
    static const struct guest_op op = {.kind = OP_DELAY, .value = 1000000};
    uint64_t rate = FIELD_GET(VMX_MISC_TIMER_RATE, rig.cpu->profile->vmx->misc);
    uint64_t left;

    FIELD(PIN_CONTROLS) |= VMX_PIN_PREEMPTION_TIMER;
    FIELD(EXIT_CONTROLS) |= VMX_EXIT_SAVE_PREEMPTION_TIMER;
    FIELD(PREEMPTION_TIMER_VALUE) = 1;
    rig_run(&op, 1);
    cr_assert_eq(rig_reason(), VMX_REASON_PREEMPTION_TIMER);
    cr_assert_eq(rig.done, 1);
    cr_assert_eq(FIELD(PREEMPTION_TIMER_VALUE), 0);
    FIELD(PREEMPTION_TIMER_VALUE) = 1000000;
    left = cpu_tsc() >> rate;
    rig_run(&op, 1);
    cr_assert_eq(rig_reason(), VMX_REASON_EXTERNAL_INTERRUPT);
    left = 1000000 - ((cpu_tsc() >> rate) - left);
    cr_assert_lt(FIELD(PREEMPTION_TIMER_VALUE), 1000000);
    cr_assert_geq(FIELD(PREEMPTION_TIMER_VALUE), left);
}

/* They come before anything of the guest's, unless MOV SS holds them back. */
Test(events, pending_debug_exceptions)
{
    static const struct {
        uint64_t pending, blocking, info;
        bool taken;
    } rows[] = {
        {VMX_PENDING_BS, 0, 0, true},
        {VMX_PENDING_ENABLED | 1, 0, 0, true},
        {1, 0, 0, false},
        {VMX_PENDING_BS, VMX_BLOCKING_MOV_SS, 0, false},
        {VMX_PENDING_BS, 0, VALID | 0x306, false}, /* lost by an event */
        {VMX_PENDING_BS, 0, VALID | 0x031, false},
        {VMX_PENDING_BS, 0, VALID | 0x202, false},
        {VMX_PENDING_BS, 0, VALID | 0x480, false},
    };

    for_each_row (i, rows) {
        load_mode(false);
        if ((rows[i].pending & VMX_PENDING_BS) != 0 && rows[i].blocking != 0)
            FIELD(GUEST_RFLAGS) |= X86_RFLAGS_TF;
        FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS) = rows[i].pending;
        FIELD(GUEST_INTERRUPTIBILITY_STATE) = rows[i].blocking;
        FIELD(ENTRY_INTERRUPTION_INFO) = rows[i].info;
        rig_run(NULL, 0);
        cr_assert_eq(rig.result, X86_VMX_ENTERED, "row %zu", i);
        cr_assert_eq(rig_reason(), VMX_REASON_EXTERNAL_INTERRUPT,
                     "row %zu: 0x%x", i, rig_reason());
        cr_assert_eq(FIELD(GUEST_RIP) == HANDLER(1), rows[i].taken, "row %zu",
                     i);
        if (rows[i].taken)
            cr_assert_eq(rig.cpu->dr6 & (X86_DR6_BS | 1),
                         rows[i].pending & (X86_DR6_BS | 1), "row %zu", i);
    }
}

/* An exit leaves them pending while MOV SS blocks them, or if it is a trap. */
Test(events, debug_exceptions_that_stay)
{
    static const uint64_t pending = VMX_PENDING_ENABLED | 1;
    static const struct {
        uint64_t pending, blocking, info, reason, left;
        uint8_t activity;
    } rows[] = {
        {1, 0, 0, VMX_REASON_HLT, 0, VMX_ACTIVITY_ACTIVE},
        {pending, VMX_BLOCKING_MOV_SS, 0, VMX_REASON_HLT, pending,
         VMX_ACTIVITY_ACTIVE},
        {pending, VMX_BLOCKING_STI, 0, VMX_REASON_EXCEPTION_NMI, 0,
         VMX_ACTIVITY_ACTIVE},
        {pending, 0, VALID | 0x700, VMX_REASON_MONITOR_TRAP_FLAG, pending,
         VMX_ACTIVITY_HLT},
        {pending, 0, 0, VMX_REASON_EXTERNAL_INTERRUPT, 0,
         VMX_ACTIVITY_SHUTDOWN},
    };
    static const struct guest_op op = {.kind = OP_X86_HLT};

    for_each_row (i, rows) {
        load_mode(false);
        FIELD(PRIMARY_CONTROLS) |= VMX_CPU_HLT_EXITING;
        FIELD(EXCEPTION_BITMAP) = UINT32_MAX;
        FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS) = rows[i].pending;
        FIELD(GUEST_INTERRUPTIBILITY_STATE) = rows[i].blocking;
        FIELD(GUEST_ACTIVITY_STATE) = rows[i].activity;
        FIELD(ENTRY_INTERRUPTION_INFO) = rows[i].info;
        rig_one(&op);
        cr_assert_eq(rig_reason(), rows[i].reason, "row %zu: %u", i,
                     rig_reason());
        cr_assert_eq(FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS), rows[i].left,
                     "row %zu", i);
        cr_assert_eq(FIELD(GUEST_ACTIVITY_STATE), rows[i].activity, "row %zu",
                     i);
    }
}

/* A guest that halts waits for what ends its wait. */
Test(events, activity)
{
    static const struct {
        uint8_t activity;
        bool has_event, runs;
    } rows[] = {
        {VMX_ACTIVITY_ACTIVE, false, true},
        {VMX_ACTIVITY_HLT, false, false},
        {VMX_ACTIVITY_HLT, true, true},
        {VMX_ACTIVITY_SHUTDOWN, false, false},
        {VMX_ACTIVITY_WAIT_FOR_SIPI, false, false},
    };

    for_each_row (i, rows) {
        load_mode(false);
        FIELD(GUEST_ACTIVITY_STATE) = rows[i].activity;
        if (rows[i].has_event)
            FIELD(ENTRY_INTERRUPTION_INFO) = VALID | 0x031;
        rig_run(&nothing, 1);
        cr_assert_eq(rig.result, X86_VMX_ENTERED, "row %zu", i);
        cr_assert_eq(rig.done, rows[i].runs ? 1 : 0, "row %zu", i);
        cr_assert_eq(FIELD(GUEST_ACTIVITY_STATE),
                     rows[i].runs ? VMX_ACTIVITY_ACTIVE : rows[i].activity,
                     "row %zu", i);
    }
}

/* A shadow is for one instruction, whatever has made it. */
Test(events, shadows_end)
{
    static const uint64_t shadows[] = {VMX_BLOCKING_STI, VMX_BLOCKING_MOV_SS};
    static const struct guest_op pause_op = {.kind = OP_X86_PAUSE};

    for_each_row (i, shadows) {
        rig_setup();
        FIELD(GUEST_RFLAGS) |= X86_RFLAGS_IF;
        FIELD(GUEST_INTERRUPTIBILITY_STATE) = shadows[i];
        rig_run(&pause_op, 1);
        cr_expect_eq(FIELD(GUEST_INTERRUPTIBILITY_STATE), 0, "row %zu", i);
    }
}
