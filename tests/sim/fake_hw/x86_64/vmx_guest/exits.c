/* SPDX-License-Identifier: Apache-2.0 */
/* What guests do on the fake VMX CPU: which exit it is with its control, and
 * what comes of it without. */
#include <string.h>

#include "rig.h"

TestSuite(exits, .init = rig_setup);

#define NONE 0xff

enum { ALWAYS, PRIMARY, SECONDARY };

static void set_control(unsigned word, uint64_t control)
{
    if (word == PRIMARY)
        FIELD(PRIMARY_CONTROLS) |= control;
    if (word == SECONDARY)
        FIELD(SECONDARY_CONTROLS) |= control;
}

/* Instructions that a control makes exit, or nothing. */
static const struct {
    struct guest_op op;
    uint8_t word;
    uint64_t control;
    uint8_t reason, length;
    uint64_t qualification;
    /* Without the control: it retires, or this exception. */
    uint8_t vector;
} rows[] = {
    {{.kind = OP_X86_CPUID}, ALWAYS, 0, 10, 2, 0, NONE},
    {{.kind = OP_X86_INVD}, ALWAYS, 0, 13, 2, 0, NONE},
    {{.kind = OP_X86_XSETBV, .value = 1}, ALWAYS, 0, 55, 3, 0, NONE},
    {{.kind = OP_X86_VMMCALL}, ALWAYS, 0, 18, 3, 0, NONE},
    {{.kind = OP_ECALL}, ALWAYS, 0, 18, 3, 0, NONE},
    {{.kind = OP_X86_HLT}, PRIMARY, VMX_CPU_HLT_EXITING, 12, 1, 0, NONE},
    {{.kind = OP_WFI}, PRIMARY, VMX_CPU_HLT_EXITING, 12, 1, 0, NONE},
    {{.kind = OP_X86_INVLPG, .address = 0x1234},
     PRIMARY,
     VMX_CPU_INVLPG_EXITING,
     14,
     3,
     0x1234,
     NONE},
    {{.kind = OP_X86_RDPMC}, PRIMARY, VMX_CPU_RDPMC_EXITING, 15, 2, 0, NONE},
    {{.kind = OP_X86_RDTSC}, PRIMARY, VMX_CPU_RDTSC_EXITING, 16, 2, 0, NONE},
    {{.kind = OP_X86_RDTSCP}, PRIMARY, VMX_CPU_RDTSC_EXITING, 51, 3, 0, NONE},
    {{.kind = OP_X86_MWAIT}, PRIMARY, VMX_CPU_MWAIT_EXITING, 36, 3, 0, NONE},
    {{.kind = OP_X86_MONITOR},
     PRIMARY,
     VMX_CPU_MONITOR_EXITING,
     39,
     3,
     0,
     NONE},
    {{.kind = OP_X86_PAUSE}, PRIMARY, VMX_CPU_PAUSE_EXITING, 40, 2, 0, NONE},
    {{.kind = OP_X86_WBINVD},
     SECONDARY,
     VMX_CPU2_WBINVD_EXITING,
     54,
     2,
     0,
     NONE},
    {{.kind = OP_X86_RDRAND},
     SECONDARY,
     VMX_CPU2_RDRAND_EXITING,
     57,
     3,
     0,
     NONE},
    {{.kind = OP_X86_RDSEED},
     SECONDARY,
     VMX_CPU2_RDSEED_EXITING,
     61,
     3,
     0,
     NONE},
    {{.kind = OP_X86_LIDT, .address = RIG_IDT, .number = 0x7ff},
     SECONDARY,
     VMX_CPU2_DESCRIPTOR_TABLE_EXITING,
     46,
     3,
     0,
     NONE},
    {{.kind = OP_X86_SGDT, .address = RIG_DATA},
     SECONDARY,
     VMX_CPU2_DESCRIPTOR_TABLE_EXITING,
     46,
     3,
     0,
     NONE},
    {{.kind = OP_X86_LLDT},
     SECONDARY,
     VMX_CPU2_DESCRIPTOR_TABLE_EXITING,
     47,
     3,
     0,
     NONE},
    {{.kind = OP_X86_STR},
     SECONDARY,
     VMX_CPU2_DESCRIPTOR_TABLE_EXITING,
     47,
     3,
     0,
     NONE},
    {{.kind = OP_X86_READ_DR, .number = 3},
     PRIMARY,
     VMX_CPU_MOV_DR_EXITING,
     29,
     3,
     0x13,
     NONE},
    {{.kind = OP_X86_WRITE_DR, .number = 2, .reg = X86_GPR_RBX},
     PRIMARY,
     VMX_CPU_MOV_DR_EXITING,
     29,
     3,
     0x302,
     NONE},
    {{.kind = OP_X86_READ_CR, .number = 3, .reg = X86_GPR_RCX},
     PRIMARY,
     VMX_CPU_CR3_STORE_EXITING,
     28,
     3,
     0x113,
     NONE},
    {{.kind = OP_X86_WRITE_CR, .number = 3, .value = 0x7000},
     PRIMARY,
     VMX_CPU_CR3_LOAD_EXITING,
     28,
     3,
     0x003,
     NONE},
    {{.kind = OP_X86_READ_CR, .number = 8},
     PRIMARY,
     VMX_CPU_CR8_STORE_EXITING,
     28,
     3,
     0x018,
     NONE},
    {{.kind = OP_X86_WRITE_CR, .number = 8, .value = 5},
     PRIMARY,
     VMX_CPU_CR8_LOAD_EXITING,
     28,
     3,
     0x008,
     NONE},
    {{.kind = OP_X86_VMRUN}, ALWAYS, 0, 0, 0, 0, X86_VECTOR_UD},
    {{.kind = OP_X86_RSM}, ALWAYS, 0, 0, 0, 0, X86_VECTOR_UD},
    {{.kind = OP_X86_GETSEC}, ALWAYS, 0, 0, 0, 0, X86_VECTOR_UD},
    {{.kind = OP_X86_VMLAUNCH}, ALWAYS, 0, 20, 3, 0, NONE},
    {{.kind = OP_X86_VMRESUME}, ALWAYS, 0, 24, 3, 0, NONE},
    {{.kind = OP_X86_VMXOFF}, ALWAYS, 0, 26, 3, 0, NONE},
    {{.kind = OP_X86_VMREAD}, ALWAYS, 0, 23, 3, 0, NONE},
    {{.kind = OP_X86_VMWRITE}, ALWAYS, 0, 25, 3, 0, NONE},
    {{.kind = OP_X86_VMCLEAR}, ALWAYS, 0, 19, 4, 0, NONE},
    {{.kind = OP_X86_VMPTRLD}, ALWAYS, 0, 21, 3, 0, NONE},
    {{.kind = OP_X86_VMPTRST}, ALWAYS, 0, 22, 3, 0, NONE},
    {{.kind = OP_X86_VMXON}, ALWAYS, 0, 27, 4, 0, NONE},
    {{.kind = OP_X86_INVEPT}, ALWAYS, 0, 50, 5, 0, NONE},
    {{.kind = OP_X86_INVVPID}, ALWAYS, 0, 53, 5, 0, NONE},
};

static void load_row(size_t i)
{
    rig_setup();
    rig_idt();
    FIELD(GUEST_CR4) |= X86_CR4_OSXSAVE;
    FIELD(GUEST_GDTR_BASE) = RIG_DATA + 0x800;
}

Test(exits, of_instructions)
{
    for_each_row (i, rows) {
        if (rows[i].vector != NONE)
            continue;
        load_row(i);
        set_control(rows[i].word, rows[i].control);
        FIELD(GUEST_RFLAGS) |= X86_RFLAGS_RF;
        rig_one(&rows[i].op);
        cr_assert_eq(FIELD(GUEST_RFLAGS) & X86_RFLAGS_RF, 0, "row %zu", i);
        cr_assert_eq(rig.result, X86_VMX_ENTERED, "row %zu", i);
        cr_assert_eq(rig_reason(), rows[i].reason, "row %zu: %u", i,
                     rig_reason());
        cr_assert_eq(FIELD(EXIT_QUALIFICATION), rows[i].qualification,
                     "row %zu: 0x%llx", i,
                     (unsigned long long)FIELD(EXIT_QUALIFICATION));
        cr_assert_eq(FIELD(EXIT_INSTRUCTION_LENGTH), rows[i].length, "row %zu",
                     i);
        cr_assert_eq(FIELD(GUEST_RIP), RIG_CODE, "row %zu", i);
        cr_assert_eq(FIELD(EXIT_INTERRUPTION_INFO), 0, "row %zu", i);
        cr_assert_eq(FIELD(IDT_VECTORING_INFO), 0, "row %zu", i);
        cr_assert_eq(rig.done, 0, "row %zu", i);
        /* The hypervisor steps over it. */
        FIELD(GUEST_RIP) += rows[i].length;
        rig_enter();
        cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED, "row %zu", i);
        cr_assert_eq(rig.last.exits, 1, "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
    }
}

Test(exits, not_without_a_control)
{
    for_each_row (i, rows) {
        if (rows[i].word == ALWAYS && rows[i].vector == NONE)
            continue;
        load_row(i);
        rig_one(&rows[i].op);
        cr_assert_eq(rig_reason(), VMX_REASON_EXTERNAL_INTERRUPT, "row %zu: %u",
                     i, rig_reason());
        cr_assert_eq(rig.done, 1, "row %zu", i);
        cr_assert_eq(rig.last.outcome,
                     rows[i].vector == NONE ? OUTCOME_RETIRED
                                            : OUTCOME_EXCEPTION,
                     "row %zu", i);
        if (rows[i].vector != NONE)
            cr_assert_eq(rig.last.cause, rows[i].vector, "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
    }
}

/* Faults of privilege come before the exit, but not of VMX's instructions,
 * CPUID and VMCALL. */
Test(exits, of_programs)
{
    static const struct {
        uint8_t kind;
        bool exits;
    } kinds[] = {
        {OP_X86_HLT, false},      {OP_X86_INVLPG, false},
        {OP_X86_INVD, false},     {OP_X86_XSETBV, false},
        {OP_X86_WBINVD, false},   {OP_X86_RDMSR, false},
        {OP_X86_WRITE_CR, false}, {OP_X86_LGDT, false},
        {OP_X86_CPUID, true},     {OP_X86_VMMCALL, true},
        {OP_X86_VMLAUNCH, true},  {OP_X86_VMREAD, true},
        {OP_X86_INVEPT, true},
    };

    for_each_row (i, kinds) {
        struct guest_op ops[2] = {{.kind = OP_USER_MODE},
                                  {.kind = kinds[i].kind}};

        load_row(i);
        FIELD(PRIMARY_CONTROLS) |= VMX_CPU_HLT_EXITING | VMX_CPU_INVLPG_EXITING;
        FIELD(SECONDARY_CONTROLS) |=
            VMX_CPU2_WBINVD_EXITING | VMX_CPU2_DESCRIPTOR_TABLE_EXITING;
        FIELD(GUEST_RIP) = RIG_CODE;
        rig_run(ops, 2);
        if (kinds[i].exits) {
            cr_assert_eq(rig.done, 1, "row %zu", i);
        } else {
            cr_assert_eq(rig.done, 2, "row %zu", i);
            cr_assert_eq(rig.last.cause, X86_VECTOR_GP, "row %zu", i);
        }
    }
}

/* #UD without the control that turns them on. */
Test(exits, of_what_is_turned_off)
{
    static const struct {
        struct guest_op op;
        uint64_t control;
    } off[] = {
        {{.kind = OP_X86_RDTSCP}, VMX_CPU2_RDTSCP},
        {{.kind = OP_X86_INVPCID}, VMX_CPU2_INVPCID},
    };

    for_each_row (i, off) {
        for (unsigned on = 0; on < 2; on++) {
            load_row(i);
            FIELD(PRIMARY_CONTROLS) |=
                VMX_CPU_RDTSC_EXITING | VMX_CPU_INVLPG_EXITING;
            if (!on)
                FIELD(SECONDARY_CONTROLS) &= ~off[i].control;
            rig_one(&off[i].op);
            cr_assert_eq(rig.done, on ? 0 : 1, "row %zu", i);
            if (!on)
                cr_assert_eq(rig.last.cause, X86_VECTOR_UD, "row %zu", i);
        }
    }
}

Test(exits, instruction_information)
{
    static const struct {
        struct guest_op op;
        uint32_t info;
    } infos[] = {
        /* [rbx] of 32 bits in DS, no index; an operand of 32 bits. */
        {{.kind = OP_X86_SGDT}, 0x01c18880},
        {{.kind = OP_X86_LIDT}, 0x31c18880},
        {{.kind = OP_X86_SLDT, .reg = X86_GPR_RCX}, 0x00000408},
        {{.kind = OP_X86_LTR, .reg = X86_GPR_RDX}, 0x30000410},
        {{.kind = OP_X86_VMCLEAR}, 0x01c18080},
        {{.kind = OP_X86_INVEPT, .reg = X86_GPR_RCX}, 0x11c18080},
    };

    for_each_row (i, infos) {
        load_row(i);
        FIELD(SECONDARY_CONTROLS) |= VMX_CPU2_DESCRIPTOR_TABLE_EXITING;
        rig_one(&infos[i].op);
        cr_assert_eq(FIELD(EXIT_INSTRUCTION_INFO), infos[i].info,
                     "row %zu: 0x%llx", i,
                     (unsigned long long)FIELD(EXIT_INSTRUCTION_INFO));
    }
}

Test(exits, of_ports)
{
    static const struct {
        struct guest_op op;
        uint16_t port; /* whose bit is set */
        bool exits;
        uint64_t qualification;
    } accesses[] = {
        {{.kind = OP_X86_IN, .number = 0x60, .width = 1}, 0x60, true, 0x600008},
        {{.kind = OP_X86_IN, .number = 0x60, .width = 1}, 0x61, false, 0},
        {{.kind = OP_X86_OUT, .number = 0x60, .width = 4},
         0x63,
         true,
         0x600003},
        {{.kind = OP_X86_OUT, .number = 0x60, .width = 2}, 0x62, false, 0},
        {{.kind = OP_X86_IN, .number = 0x8000, .width = 2},
         0x8001,
         true,
         0x80000009},
        /* Beyond the last port. */
        {{.kind = OP_X86_IN, .number = 0xffff, .width = 2},
         0,
         true,
         UINT64_C(0xffff0009)},
        {{.kind = OP_X86_OUTS,
          .number = 0x60,
          .width = 1,
          .value = 3,
          .address = RIG_DATA},
         0x60,
         true,
         0x600030},
        {{.kind = OP_X86_INS, .number = 0x60, .width = 4, .address = RIG_DATA},
         0x60,
         true,
         0x60001b},
    };

    for_each_row (i, accesses) {
        load_row(i);
        rig.io[accesses[i].port / 8] |= (uint8_t)(1 << accesses[i].port % 8);
        rig_one(&accesses[i].op);
        cr_assert_eq(rig.done, accesses[i].exits ? 0 : 1, "row %zu", i);
        if (!accesses[i].exits)
            continue;
        cr_assert_eq(rig_reason(), VMX_REASON_IO_INSTRUCTION, "row %zu", i);
        cr_assert_eq(FIELD(EXIT_QUALIFICATION), accesses[i].qualification,
                     "row %zu: 0x%llx", i,
                     (unsigned long long)FIELD(EXIT_QUALIFICATION));
        if (cpu_op_is_string(&accesses[i].op))
            cr_assert_eq(FIELD(GUEST_LINEAR_ADDRESS), RIG_DATA, "row %zu", i);
    }
}

/* Without bitmaps one control is for all ports. */
Test(exits, of_ports_without_bitmaps)
{
    static const struct guest_op op = {
        .kind = OP_X86_IN, .number = 0x60, .width = 1};

    for (unsigned all = 0; all < 2; all++) {
        rig_setup();
        FIELD(PRIMARY_CONTROLS) &= ~VMX_CPU_IO_BITMAPS;
        if (all)
            FIELD(PRIMARY_CONTROLS) |= VMX_CPU_UNCONDITIONAL_IO_EXITING;
        rig_one(&op);
        cr_assert_eq(rig.done, all ? 0 : 1);
    }
}

Test(exits, of_msrs)
{
    static const struct {
        struct guest_op op;
        uint16_t byte; /* of the bitmap: the MSR's bit in it is set */
        bool exits;
    } accesses[] = {
        {{.kind = OP_X86_RDMSR, .number = 0x174}, 0x02e, true},
        {{.kind = OP_X86_RDMSR, .number = 0x174}, 0x82e, false},
        {{.kind = OP_X86_WRMSR, .number = 0x174}, 0x82e, true},
        {{.kind = OP_X86_RDMSR, .number = 0xc0000082}, 0x410, true},
        {{.kind = OP_X86_WRMSR, .number = 0xc0000082}, 0xc10, true},
        {{.kind = OP_X86_WRMSR, .number = 0xc0000082}, 0x410, false},
        {{.kind = OP_X86_RDMSR, .number = 0x2000}, 0, true},
        {{.kind = OP_X86_RDMSR, .number = 0xc0002000}, 0, true},
    };

    for_each_row (i, accesses) {
        bool is_write = accesses[i].op.kind == OP_X86_WRMSR;

        load_row(i);
        rig.msrs[accesses[i].byte] =
            (uint8_t)(1 << (accesses[i].op.number & 7));
        rig_one(&accesses[i].op);
        cr_assert_eq(rig.done, accesses[i].exits ? 0 : 1, "row %zu", i);
        if (accesses[i].exits)
            cr_assert_eq(rig_reason(),
                         is_write ? VMX_REASON_WRMSR : VMX_REASON_RDMSR,
                         "row %zu", i);
    }
}

/* An exit is fault-like: what the exception bitmap, and for page faults the
 * mask and match, say. */
Test(exits, of_exceptions)
{
    static const struct {
        struct guest_op op;
        uint32_t bitmap, mask, match;
        bool exits;
        uint32_t info;
        uint64_t qualification;
        bool rf;
    } raised[] = {
        {{.kind = OP_X86_RAISE, .number = 6},
         0x40,
         0,
         0,
         true,
         0x80000306,
         0,
         true},
        {{.kind = OP_X86_RAISE, .number = 6}, 0x80, 0, 0, false, 0, 0, false},
        {{.kind = OP_X86_RAISE, .number = 13, .value = 0x18},
         0x2000,
         0,
         0,
         true,
         0x80000b0d,
         0,
         true},
        {{.kind = OP_X86_RAISE, .number = 1},
         2,
         0,
         0,
         true,
         0x80000301,
         0x4000,
         false},
        {{.kind = OP_X86_INT3}, 8, 0, 0, true, 0x80000603, 0, false},
        {{.kind = OP_X86_ICEBP}, 2, 0, 0, true, 0x80000501, 0, false},
        {{.kind = OP_X86_RAISE, .number = 14, .value = 2, .address = 0x1234},
         0x4000,
         0,
         0,
         true,
         0x80000b0e,
         0x1234,
         true},
        {{.kind = OP_X86_RAISE, .number = 14, .value = 2, .address = 0x1234},
         0x4000,
         2,
         0,
         false,
         0,
         0,
         false},
        {{.kind = OP_X86_RAISE, .number = 14, .value = 2, .address = 0x1234},
         0,
         2,
         0,
         true,
         0x80000b0e,
         0x1234,
         true},
        {{.kind = OP_X86_RAISE, .number = 14, .value = 2, .address = 0x1234},
         0x4000,
         3,
         2,
         true,
         0x80000b0e,
         0x1234,
         true},
    };

    for_each_row (i, raised) {
        load_row(i);
        FIELD(EXCEPTION_BITMAP) = raised[i].bitmap;
        FIELD(PAGE_FAULT_ERROR_CODE_MASK) = raised[i].mask;
        FIELD(PAGE_FAULT_ERROR_CODE_MATCH) = raised[i].match;
        rig_one(&raised[i].op);
        cr_assert_eq(rig.done, raised[i].exits ? 0 : 1, "row %zu", i);
        if (!raised[i].exits)
            continue;
        cr_assert_eq(rig_reason(), VMX_REASON_EXCEPTION_NMI, "row %zu", i);
        cr_assert_eq(FIELD(EXIT_INTERRUPTION_INFO), raised[i].info,
                     "row %zu: 0x%llx", i,
                     (unsigned long long)FIELD(EXIT_INTERRUPTION_INFO));
        cr_assert_eq(FIELD(EXIT_QUALIFICATION), raised[i].qualification,
                     "row %zu", i);
        cr_assert_eq((FIELD(GUEST_RFLAGS) & X86_RFLAGS_RF) != 0, raised[i].rf,
                     "row %zu", i);
        cr_assert_eq(FIELD(GUEST_RIP), RIG_CODE, "row %zu", i);
        if ((raised[i].info & VMX_EVENT_ERROR_CODE) != 0)
            cr_assert_eq(FIELD(EXIT_INTERRUPTION_ERROR_CODE),
                         raised[i].op.value, "row %zu", i);
        /* CR2 and DR6 are as before. */
        cr_assert_eq(rig.cpu->cr2, 0, "row %zu", i);
        cr_assert_eq(rig.cpu->dr6, X86_DR6_RESET, "row %zu", i);
    }
}

Test(exits, pause_loops)
{
    static const struct guest_op ops[8] = {
        {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE},
        {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE},
        {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE}};

    rig_setup();
    FIELD(SECONDARY_CONTROLS) |= VMX_CPU2_PAUSE_LOOP_EXITING;
    FIELD(PLE_GAP) = 10;
    FIELD(PLE_WINDOW) = 4;
    rig_run(ops, 8);
    cr_assert_eq(rig_reason(), VMX_REASON_PAUSE);
    cr_assert_eq(rig.done, 5);
    /* Too seldom to be a loop. */
    rig_setup();
    FIELD(SECONDARY_CONTROLS) |= VMX_CPU2_PAUSE_LOOP_EXITING;
    FIELD(PLE_WINDOW) = 4;
    rig_run(ops, 8);
    cr_assert_eq(rig.done, 8);
}

Test(exits, of_the_task_priority)
{
    static const struct guest_op op = {
        .kind = OP_X86_WRITE_CR, .number = 8, .value = 3};
    static const struct {
        uint64_t threshold;
        unsigned reason;
    } thresholds[] = {{3, VMX_REASON_EXTERNAL_INTERRUPT},
                      {4, VMX_REASON_TPR_BELOW_THRESHOLD}};

    for_each_row (i, thresholds) {
        rig_setup();
        rig.apic[0x80] = 0x50;
        FIELD(TPR_THRESHOLD) = thresholds[i].threshold;
        rig_one(&op);
        cr_assert_eq(rig_reason(), thresholds[i].reason, "row %zu: %u", i,
                     rig_reason());
        cr_assert_eq(rig.apic[0x80], 0x30, "row %zu", i);
        cr_assert_eq(FIELD(GUEST_RIP), RIG_CODE + 3, "row %zu", i);
    }
}

Test(exits, raw)
{
    static const struct guest_op op = {
        .kind = OP_RAW_EXIT,
        .number = 0x90,
        .args = {0x7f, 1, 2, 0x80000b0e, 5, 0x80000306, 7}};

    rig_one(&op);
    cr_assert_eq(rig_reason(), 0x7f);
    cr_assert_eq(FIELD(EXIT_QUALIFICATION), 1);
    cr_assert_eq(FIELD(GUEST_PHYSICAL_ADDRESS), 2);
    cr_assert_eq(FIELD(IDT_VECTORING_INFO), 0x80000b0e);
    cr_assert_eq(FIELD(EXIT_INSTRUCTION_LENGTH), 5);
    cr_assert_eq(FIELD(EXIT_INTERRUPTION_INFO), 0x80000306);
}
