/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtualization of the local APIC: which accesses exit and which are the
 * virtual-APIC page's, what follows from a write, and virtual interrupts.
 */
#include "rig.h"

#define NONE      VMX_REASON_EXTERNAL_INTERRUPT /* operations have run out */
#define REGISTERS VMX_CPU2_APIC_REGISTERS
#define DELIVERY  VMX_CPU2_VIRTUAL_INTERRUPTS
#define BOTH      (REGISTERS | DELIVERY)

static void start(uint64_t controls)
{
    rig_setup();
    FIELD(PIN_CONTROLS) |= VMX_PIN_EXTERNAL_INTERRUPT_EXITING;
    FIELD(SECONDARY_CONTROLS) |= controls;
    FIELD(APIC_ACCESS_ADDRESS) = *rig_ept(RIG_DATA) & BIT_MASK(51, 12);
    for (unsigned i = 0; i < 4096; i += 16)
        rig.apic[i] = (uint8_t)(0x80 | i >> 4);
    rig.apic[0x80] = 0;
}

static uint32_t *page(uint32_t offset)
{
    return (uint32_t *)(void *)&rig.apic[offset];
}

static unsigned access_page(uint64_t controls, uint32_t offset, unsigned width,
                            bool write)
{
    const struct guest_op op = {
        .kind = write ? OP_STORE : OP_LOAD,
        .width = (uint8_t)width,
        .flags = write ? OP_HAS_VALUE : 0,
        .value = 0x55,
        .address = RIG_DATA + offset,
    };

    start(controls | VMX_CPU2_APIC_ACCESSES);
    rig_one(&op);
    return rig_reason();
}

/* Sections "Virtualizing Reads from the APIC-Access Page", "... Writes". */
Test(vapic, what_is_virtualized)
{
    enum { A = VMX_REASON_APIC_ACCESS, W = VMX_REASON_APIC_WRITE };
    static const struct {
        uint32_t offset;
        uint8_t width;
        /* With neither control; with registers; with delivery. */
        uint8_t reads[3], writes[3];
    } rows[] = {
        {0x000, 4, {A, A, A}, {A, A, A}},
        {0x020, 4, {A, NONE, A}, {A, W, A}},
        {0x030, 4, {A, NONE, A}, {A, A, A}},
        {0x080, 4, {NONE, NONE, NONE}, {NONE, NONE, NONE}},
        {0x080, 1, {NONE, NONE, NONE}, {NONE, NONE, NONE}},
        {0x082, 4, {A, A, A}, {A, A, A}},
        {0x080, 8, {A, A, A}, {A, A, A}},
        {0x090, 4, {A, A, A}, {A, A, A}},
        {0x0a0, 4, {A, A, A}, {A, A, A}},
        {0x0b0, 4, {A, NONE, A}, {A, W, NONE}},
        {0x0d0, 4, {A, NONE, A}, {A, W, A}},
        {0x0f0, 4, {A, NONE, A}, {A, W, A}},
        {0x100, 4, {A, NONE, A}, {A, A, A}},
        {0x270, 4, {A, NONE, A}, {A, A, A}},
        {0x280, 4, {A, NONE, A}, {A, W, A}},
        {0x2f0, 4, {A, A, A}, {A, A, A}},
        {0x300, 4, {A, NONE, A}, {A, W, W}},
        {0x310, 4, {A, NONE, A}, {A, NONE, A}},
        {0x320, 4, {A, NONE, A}, {A, W, A}},
        {0x370, 4, {A, NONE, A}, {A, W, A}},
        {0x380, 4, {A, NONE, A}, {A, W, A}},
        {0x390, 4, {A, A, A}, {A, A, A}},
        {0x3e0, 4, {A, NONE, A}, {A, W, A}},
        {0x3f0, 4, {A, A, A}, {A, A, A}},
        {0xff0, 4, {A, A, A}, {A, A, A}},
    };
    static const uint64_t controls[] = {0, REGISTERS, DELIVERY};

    for_each_row (i, rows) {
        for (unsigned c = 0; c < ARRAY_SIZE(controls); c++) {
            unsigned reason =
                access_page(controls[c], rows[i].offset, rows[i].width, false);

            cr_expect_eq(reason, rows[i].reads[c], "read %x, %u: %u",
                         rows[i].offset, c, reason);
            if (reason == NONE && rows[i].offset != 0x80)
                cr_expect_eq(rig.last.value,
                             0x80 | (rows[i].offset >> 4 & 0xff),
                             "read %x: %llx", rows[i].offset,
                             (unsigned long long)rig.last.value);
            reason =
                access_page(controls[c], rows[i].offset, rows[i].width, true);
            cr_expect_eq(reason, rows[i].writes[c], "write %x, %u: %u",
                         rows[i].offset, c, reason);
            if (reason == A)
                cr_expect_eq(FIELD(EXIT_QUALIFICATION),
                             rows[i].offset |
                                 FIELD_PUT(VMX_APIC_TYPE, VMX_APIC_WRITE));
            if (reason == W) {
                cr_expect_eq(FIELD(EXIT_QUALIFICATION), rows[i].offset);
                cr_expect_eq(*page(rows[i].offset), 0x55, "it is written");
                cr_expect_gt(FIELD(GUEST_RIP), RIG_CODE, "as a trap");
            }
        }
    }
}

/* Without a TPR shadow nothing is. */
Test(vapic, without_a_tpr_shadow)
{
    const struct guest_op load = {
        .kind = OP_LOAD, .width = 4, .address = RIG_DATA + 0x80};

    start(VMX_CPU2_APIC_ACCESSES);
    FIELD(PRIMARY_CONTROLS) &= ~VMX_CPU_TPR_SHADOW;
    rig_one(&load);
    cr_assert_eq(rig_reason(), VMX_REASON_APIC_ACCESS);
}

Test(vapic, writes_keep_what_registers_have)
{
    start(BOTH | VMX_CPU2_APIC_ACCESSES);
    *page(0x310) = 0;
    rig_one(&(struct guest_op){.kind = OP_STORE,
                               .width = 4,
                               .flags = OP_HAS_VALUE,
                               .value = 0x12345678,
                               .address = RIG_DATA + 0x310});
    cr_assert_eq(*page(0x310), 0x12000000);
    rig_one(&(struct guest_op){.kind = OP_STORE,
                               .width = 4,
                               .flags = OP_HAS_VALUE,
                               .value = 0x12345678,
                               .address = RIG_DATA + 0x80});
    cr_assert_eq(*page(0x80), 0x78);
}

/* An access on the way of an event, and one of a page walk. */
Test(vapic, other_accesses)
{
    const struct guest_op load = {
        .kind = OP_LOAD, .width = 4, .address = RIG_DATA + 0x80};

    start(BOTH | VMX_CPU2_APIC_ACCESSES);
    rig_long_mode();
    FIELD(APIC_ACCESS_ADDRESS) = *rig_ept(RIG_CR3) & BIT_MASK(51, 12);
    rig_one(&load);
    cr_assert_eq(rig_reason(), VMX_REASON_APIC_ACCESS);
    cr_assert_eq(FIELD_GET(VMX_APIC_TYPE, FIELD(EXIT_QUALIFICATION)),
                 VMX_APIC_PHYSICAL);
}

/* MSRs of x2APIC mode ----------------------------------------------------- */

static unsigned access_msr(uint64_t controls, uint32_t msr, bool write,
                           uint64_t value)
{
    start(controls | VMX_CPU2_X2APIC_MODE);
    rig_idt();
    rig_one(&(struct guest_op){.kind = write ? OP_X86_WRMSR : OP_X86_RDMSR,
                               .number = msr,
                               .value = value});
    return rig_reason();
}

Test(vapic, msrs)
{
    static const struct {
        uint64_t controls;
        uint32_t msr;
        bool write;
        uint64_t value;
        enum guest_outcome outcome;
    } rows[] = {
        {0, 0x808, false, 0, OUTCOME_RETIRED},
        {0, 0x808, true, 0x50, OUTCOME_RETIRED},
        {0, 0x808, true, 0x100, OUTCOME_EXCEPTION},
        {REGISTERS, 0x803, false, 0x83, OUTCOME_RETIRED},
        {REGISTERS, 0x8ff, false, 0xff, OUTCOME_RETIRED},
        {DELIVERY, 0x80b, true, 0, OUTCOME_RETIRED},
        {DELIVERY, 0x80b, true, 1, OUTCOME_EXCEPTION},
        {DELIVERY, 0x83f, true, 0x41, OUTCOME_RETIRED},
        {DELIVERY, 0x83f, true, 0x141, OUTCOME_EXCEPTION},
    };

    for_each_row (i, rows) {
        (void)access_msr(rows[i].controls, rows[i].msr, rows[i].write,
                         rows[i].value);
        cr_expect_eq(rig.last.outcome, rows[i].outcome, "row %zu: %u", i,
                     rig.last.outcome);
        if (!rows[i].write)
            cr_expect_eq(rig.last.value, rows[i].value, "row %zu: %llx", i,
                         (unsigned long long)rig.last.value);
    }
    cr_assert_eq(access_msr(DELIVERY, 0x83f, true, 0xf), VMX_REASON_APIC_WRITE);
    cr_assert_eq(FIELD(EXIT_QUALIFICATION), 0x3f0);
}

/* What the processor does not virtualize is the host's. */
Test(vapic, msrs_of_the_host)
{
    static const struct {
        uint64_t controls;
        uint32_t msr;
        bool write;
    } rows[] = {
        {0, 0x803, false},
        {0, 0x80b, true},
        {REGISTERS, 0x80b, true},
        {BOTH, 0x838, true},
    };

    for_each_row (i, rows) {
        (void)access_msr(rows[i].controls, rows[i].msr, rows[i].write, 0);
        cr_expect_eq(violations_of(RULE_REACHES_HOST), 1, "row %zu", i);
    }
}

/* Virtual interrupts ------------------------------------------------------- */

static void start_delivery(unsigned rvi, unsigned svi, uint64_t flags)
{
    start(BOTH | VMX_CPU2_APIC_ACCESSES);
    rig_idt();
    memset(rig.apic, 0, 4096);
    FIELD(GUEST_INTERRUPT_STATUS) = rvi | svi << 8;
    *page(0x200 + rvi / 32 * 16) |= 1u << rvi % 32;
    if (svi != 0)
        *page(0x100 + svi / 32 * 16) |= 1u << svi % 32;
    FIELD(GUEST_RFLAGS) |= flags;
}

static bool took(unsigned vector)
{
    return FIELD(GUEST_RIP) >= RIG_CODE + 0x100 + vector &&
           FIELD(GUEST_RIP) < RIG_CODE + 0x100 + vector + 8;
}

Test(vapic, delivery)
{
    static const struct {
        unsigned rvi, svi;
        uint8_t tpr;
        uint64_t flags, blocking;
        bool delivered;
    } rows[] = {
        {0x41, 0, 0, X86_RFLAGS_IF, 0, true},
        {0x41, 0, 0, 0, 0, false},
        {0x41, 0, 0, X86_RFLAGS_IF, VMX_BLOCKING_STI, true},
        {0x41, 0, 0, X86_RFLAGS_IF, VMX_BLOCKING_MOV_SS, true},
        {0x41, 0, 0x40, X86_RFLAGS_IF, 0, false},
        {0x41, 0, 0x3f, X86_RFLAGS_IF, 0, true},
        {0x41, 0x45, 0, X86_RFLAGS_IF, 0, false},
        {0x51, 0x45, 0, X86_RFLAGS_IF, 0, true},
    };
    static const struct guest_op pause_op = {.kind = OP_X86_PAUSE};

    for_each_row (i, rows) {
        start_delivery(rows[i].rvi, rows[i].svi, rows[i].flags);
        rig.apic[0x80] = rows[i].tpr;
        FIELD(GUEST_INTERRUPTIBILITY_STATE) = rows[i].blocking;
        rig_run(&pause_op, 1);
        cr_expect_eq(rig_reason(), NONE, "row %zu", i);
        cr_expect_eq(took(rows[i].rvi), rows[i].delivered, "row %zu: %llx", i,
                     (unsigned long long)FIELD(GUEST_RIP));
        cr_expect_eq(FIELD(GUEST_INTERRUPT_STATUS),
                     rows[i].delivered ? rows[i].rvi << 8
                                       : rows[i].rvi | rows[i].svi << 8,
                     "row %zu", i);
        cr_expect_eq(*page(0x200 + rows[i].rvi / 32 * 16) == 0,
                     rows[i].delivered, "row %zu: IRR", i);
        if (rows[i].delivered)
            cr_expect_eq(*page(0x0a0), rows[i].rvi & 0xf0, "row %zu: PPR", i);
    }
}

/* A window that is asked for comes first. */
Test(vapic, interrupt_window)
{
    start_delivery(0x41, 0, X86_RFLAGS_IF);
    FIELD(PRIMARY_CONTROLS) |= VMX_CPU_INTERRUPT_WINDOW_EXITING;
    rig_run(NULL, 0);
    cr_assert_eq(rig_reason(), VMX_REASON_INTERRUPT_WINDOW);
}

/* EOI and TPR let the next one through, in the guest. */
Test(vapic, what_lets_the_next_through)
{
    static const struct {
        struct guest_op op;
        unsigned rvi, svi;
        uint8_t tpr;
        uint64_t exits_by; /* bit of the EOI-exit bitmap's second word */
        unsigned reason, taken;
    } rows[] = {
        {{.kind = OP_STORE, .width = 4, .address = RIG_DATA + 0xb0},
         0x41,
         0x51,
         0,
         0,
         NONE,
         0x41},
        {{.kind = OP_STORE, .width = 4, .address = RIG_DATA + 0xb0},
         0x41,
         0x51,
         0,
         BIT(0x51 - 64),
         VMX_REASON_VIRTUALIZED_EOI,
         0},
        {{.kind = OP_X86_WRITE_CR, .number = 8, .value = 3},
         0x41,
         0,
         0x50,
         0,
         NONE,
         0x41},
        {{.kind = OP_X86_WRITE_CR, .number = 8, .value = 4},
         0x41,
         0,
         0x50,
         0,
         NONE,
         0},
        {{.kind = OP_STORE,
          .width = 4,
          .flags = OP_HAS_VALUE,
          .value = 0x20,
          .address = RIG_DATA + 0x80},
         0x41,
         0,
         0x50,
         0,
         NONE,
         0x41},
        /* A self-IPI. */
        {{.kind = OP_STORE,
          .width = 4,
          .flags = OP_HAS_VALUE,
          .value = 0x40061,
          .address = RIG_DATA + 0x300},
         0x41,
         0,
         0x50,
         0,
         NONE,
         0x61},
        /* Others' are not the processor's. */
        {{.kind = OP_STORE,
          .width = 4,
          .flags = OP_HAS_VALUE,
          .value = 0x80061,
          .address = RIG_DATA + 0x300},
         0x41,
         0,
         0x50,
         0,
         VMX_REASON_APIC_WRITE,
         0},
    };

    for_each_row (i, rows) {
        start_delivery(rows[i].rvi, rows[i].svi, X86_RFLAGS_IF);
        rig.apic[0x80] = rows[i].tpr;
        FIELD(EOI_EXIT1) = rows[i].exits_by;
        rig_run(&rows[i].op, 1);
        cr_expect_eq(rig_reason(), rows[i].reason, "row %zu: %u", i,
                     rig_reason());
        cr_expect_eq(took(rows[i].taken), rows[i].taken != 0, "row %zu", i);
        if (rows[i].reason == VMX_REASON_VIRTUALIZED_EOI) {
            cr_expect_eq(FIELD(EXIT_QUALIFICATION), rows[i].svi);
            cr_expect_eq(FIELD(GUEST_INTERRUPT_STATUS), rows[i].rvi);
        }
    }
}
