/* SPDX-License-Identifier: Apache-2.0 */
/* What guests do on the fake SVM CPU: which exit it is with its intercept, and
 * what comes of it without. */
#include <string.h>

#include "rig.h"

TestSuite(exits, .init = rig_setup);

#define NONE 0xff

static struct vmcb_control *control(void)
{
    return &rig.vmcb->control;
}

/* Instructions with an intercept of their own. */
static const struct {
    struct guest_op op;
    uint8_t intercept, length;
    uint64_t code, info1;
    /* Without the intercept: it retires, or this exception. */
    uint8_t vector;
} rows[] = {
    {{.kind = OP_X86_CPUID}, INTERCEPT_CPUID, 2, 0x72, 0, NONE},
    {{.kind = OP_X86_HLT}, INTERCEPT_HLT, 1, 0x78, 0, NONE},
    {{.kind = OP_WFI}, INTERCEPT_HLT, 1, 0x78, 0, NONE},
    {{.kind = OP_X86_VMMCALL}, INTERCEPT_VMMCALL, 3, 0x81, 0, X86_VECTOR_UD},
    {{.kind = OP_ECALL}, INTERCEPT_VMMCALL, 3, 0x81, 0, X86_VECTOR_UD},
    {{.kind = OP_X86_PAUSE}, INTERCEPT_PAUSE, 2, 0x77, 0, NONE},
    {{.kind = OP_X86_MONITOR}, INTERCEPT_MONITOR, 3, 0x8a, 0, NONE},
    {{.kind = OP_X86_MWAIT}, INTERCEPT_MWAIT, 3, 0x8b, 0, NONE},
    {{.kind = OP_X86_XSETBV, .value = 1},
     INTERCEPT_XSETBV,
     3,
     0x8d,
     0,
     X86_VECTOR_UD},
    {{.kind = OP_X86_RDTSC}, INTERCEPT_RDTSC, 2, 0x6e, 0, NONE},
    {{.kind = OP_X86_RDTSCP}, INTERCEPT_RDTSCP, 3, 0x87, 0, NONE},
    {{.kind = OP_X86_RDPMC}, INTERCEPT_RDPMC, 2, 0x6f, 0, NONE},
    {{.kind = OP_X86_INVLPG, .address = 0x1234},
     INTERCEPT_INVLPG,
     3,
     0x79,
     0x1234,
     NONE},
    {{.kind = OP_X86_INT, .number = 0x80},
     INTERCEPT_SWINT,
     2,
     0x75,
     0x80,
     NONE},
    {{.kind = OP_X86_ICEBP}, INTERCEPT_ICEBP, 1, 0x88, 0, X86_VECTOR_DB},
    {{.kind = OP_X86_IRET}, INTERCEPT_IRET, 1, 0x74, 0, NONE},
    {{.kind = OP_X86_INVD}, INTERCEPT_INVD, 2, 0x76, 0, NONE},
    {{.kind = OP_X86_WBINVD}, INTERCEPT_WBINVD, 2, 0x89, 0, NONE},
    {{.kind = OP_X86_LIDT, .address = RIG_IDT, .number = 0x7ff},
     INTERCEPT_IDTR_WRITE,
     3,
     0x6a,
     0,
     NONE},
};

Test(exits, of_instructions)
{
    for_each_row (i, rows) {
        rig_setup();
        rig_idt();
        rig.vmcb->save.cr4 = X86_CR4_OSXSAVE;
        vmcb_set_intercept(control(), rows[i].intercept, true);
        rig_one(&rows[i].op);
        cr_assert_eq(control()->exitcode, rows[i].code, "row %zu: 0x%llx", i,
                     (unsigned long long)control()->exitcode);
        cr_assert_eq(control()->exitinfo1, rows[i].info1, "row %zu", i);
        cr_assert_eq(control()->nrip, RIG_CODE + rows[i].length, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.rip, RIG_CODE, "row %zu", i);
        cr_assert_eq(rig.done, 0, "row %zu", i);
        /* The hypervisor steps over it. */
        rig.vmcb->save.rip = control()->nrip;
        rig_enter();
        cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED, "row %zu", i);
        cr_assert_eq(rig.last.exits, 1, "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
    }
}

Test(exits, not_without_an_intercept)
{
    for_each_row (i, rows) {
        rig_setup();
        rig_idt();
        rig_one(&rows[i].op);
        cr_assert_eq(control()->exitcode, VMEXIT_INTR, "row %zu: 0x%llx", i,
                     (unsigned long long)control()->exitcode);
        cr_assert_eq(rig.done, 1, "row %zu", i);
        cr_assert_eq(rig.last.outcome,
                     rows[i].vector == NONE ? OUTCOME_RETIRED
                                            : OUTCOME_EXCEPTION,
                     "row %zu", i);
        if (rows[i].vector != NONE)
            cr_assert_eq(rig.last.cause, rows[i].vector, "row %zu", i);
        cr_assert_eq(rig.last.exits, 0, "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
    }
}

/* #GP comes before the intercept. */
Test(exits, not_of_programs)
{
    static const struct guest_op privileged[] = {
        {.kind = OP_X86_HLT},
        {.kind = OP_X86_RDMSR},
        {.kind = OP_X86_INVLPG},
        {.kind = OP_X86_WRITE_CR},
        {.kind = OP_X86_XSETBV},
        {.kind = OP_X86_VMRUN},
        {.kind = OP_X86_IN, .width = 1},
        {.kind = OP_X86_RDTSC},
        {.kind = OP_X86_RDTSCP},
        {.kind = OP_X86_RDPMC},
        {.kind = OP_X86_LGDT},
        {.kind = OP_X86_LLDT},
        {.kind = OP_X86_SGDT},
        {.kind = OP_X86_STR},
        {.kind = OP_X86_SMSW},
        {.kind = OP_X86_LMSW},
        {.kind = OP_X86_CLTS},
        {.kind = OP_X86_CLI},
        {.kind = OP_X86_INVPCID},
    };

    for_each_row (i, privileged) {
        rig_setup();
        rig_idt();
        control()->intercept[0] = control()->intercept[1] = UINT32_MAX;
        vmcb_set_intercept(control(), INTERCEPT_VINTR, false);
        rig.vmcb->save.cpl = 3;
        rig.vmcb->save.cr4 = X86_CR4_OSXSAVE | X86_CR4_TSD | X86_CR4_UMIP;
        rig_one(&privileged[i]);
        cr_assert_eq(rig.last.outcome, OUTCOME_EXCEPTION, "row %zu", i);
        cr_assert_eq(rig.last.cause, X86_VECTOR_GP, "row %zu", i);
    }
}

/* So does #UD, of what the processor, or the mode, does not have. */
Test(exits, not_of_what_is_absent)
{
    static const struct {
        const char *profile;
        struct guest_op op;
        bool real_mode;
    } absent[] = {
        {"full", {.kind = OP_X86_XSETBV}, false},
        {"qemu", {.kind = OP_X86_RDPRU}, false},
        {"ryzen", {.kind = OP_X86_INVPCID}, false},
        {"full", {.kind = OP_X86_LTR}, true},
        {"full", {.kind = OP_X86_SLDT}, true},
        {"full", {.kind = OP_X86_STGI}, true},
        {"full", {.kind = OP_X86_READ_CR, .number = 1}, false},
        {"full", {.kind = OP_X86_WRITE_DR, .number = 8}, false},
    };

    for_each_row (i, absent) {
        rig_load(absent[i].profile);
        rig_idt();
        control()->intercept[0] = control()->intercept[1] = UINT32_MAX;
        control()->intercept[2] = UINT32_MAX;
        vmcb_set_intercept(control(), INTERCEPT_VINTR, false);
        control()->intercept_cr_read = UINT16_MAX;
        control()->intercept_dr_write = UINT16_MAX;
        if (absent[i].real_mode)
            rig.vmcb->save.cr0 &= ~X86_CR0_PE;
        rig_one(&absent[i].op);
        cr_assert_eq(rig.last.outcome, OUTCOME_EXCEPTION, "row %zu", i);
        cr_assert_eq(rig.last.cause, X86_VECTOR_UD, "row %zu", i);
    }
}

/* Whatever a processor lacks, the exit comes without. */
Test(exits, nrip_and_decode_assists_by_profile)
{
    static const struct {
        const char *profile;
        bool nrips, assists;
    } profiles[] = {{"full", true, true},
                    {"ryzen", true, false},
                    {"qemu", false, false},
                    {"toliman", false, false}};
    static const struct guest_op cpuid = {.kind = OP_X86_CPUID};
    static const struct guest_op load = {
        .kind = OP_LOAD, .width = 4, .reg = 2, .address = RIG_HOLE + 8};
    static const struct guest_op cr3 = {
        .kind = OP_X86_WRITE_CR, .number = 3, .reg = 6};

    for_each_row (i, profiles) {
        bool assists = profiles[i].assists;

        rig_load(profiles[i].profile);
        vmcb_set_intercept(control(), INTERCEPT_CPUID, true);
        control()->intercept_cr_write = 1 << 3;
        rig_one(&cpuid);
        cr_assert_eq(control()->nrip, profiles[i].nrips ? RIG_CODE + 2 : 0);
        cr_assert_eq(*(uint16_t *)rig_memory(RIG_CODE), 0xa20f,
                     "where the hypervisor can find it");
        rig_one(&load);
        cr_assert_eq(control()->exitcode, VMEXIT_NPF);
        cr_assert_eq(control()->nrip, 0);
        cr_assert_eq(control()->bytes_fetched, assists ? 15 : 0);
        cr_assert_eq(memcmp(control()->instruction_bytes, "\x8b\x13", 2) == 0,
                     assists, "mov edx, [ebx]");
        cr_assert_eq(rig.regs.gpr[X86_GPR_RBX], RIG_HOLE + 8);
        rig_one(&cr3);
        cr_assert_eq(control()->exitcode, VMEXIT_CR0_WRITE + 3);
        cr_assert_eq(control()->exitinfo1, assists ? BIT(63) | 6 : 0);
    }
}

Test(exits, of_control_and_debug_registers)
{
    static const struct {
        struct guest_op op;
        uint64_t code;
    } accesses[] = {
        {{.kind = OP_X86_READ_CR, .number = 0}, 0x00},
        {{.kind = OP_X86_READ_CR, .number = 8}, 0x08},
        {{.kind = OP_X86_WRITE_CR, .number = 4}, 0x14},
        {{.kind = OP_X86_WRITE_CR, .number = 8}, 0x18},
        {{.kind = OP_X86_READ_DR, .number = 7}, 0x27},
        {{.kind = OP_X86_WRITE_DR, .number = 0}, 0x30},
    };

    for_each_row (i, accesses) {
        uint16_t bit = (uint16_t)(1u << accesses[i].op.number);
        uint16_t *word;

        rig_setup();
        word = &control()->intercept_cr_read + accesses[i].code / 16;
        *word = (uint16_t)~bit;
        rig_one(&accesses[i].op);
        cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED, "row %zu", i);
        rig_setup();
        word = &control()->intercept_cr_read + accesses[i].code / 16;
        *word = bit;
        rig_one(&accesses[i].op);
        cr_assert_eq(control()->exitcode, accesses[i].code, "row %zu", i);
    }
}

/* TS and MP may change without an exit. */
Test(exits, of_selected_bits_of_cr0)
{
    static const struct {
        uint64_t value;
        bool exits;
    } writes[] = {{X86_CR0_PE | X86_CR0_ET | X86_CR0_TS, false},
                  {X86_CR0_PE | X86_CR0_ET | X86_CR0_MP, false},
                  {X86_CR0_PE | X86_CR0_ET | X86_CR0_WP, true},
                  {X86_CR0_ET, true}};

    for_each_row (i, writes) {
        struct guest_op op = {
            .kind = OP_X86_WRITE_CR, .reg = 6, .value = writes[i].value};

        rig_setup();
        vmcb_set_intercept(control(), INTERCEPT_CR0_SEL_WRITE, true);
        rig_one(&op);
        cr_assert_eq(control()->exitcode == VMEXIT_CR0_SEL_WRITE,
                     writes[i].exits, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.cr0 == writes[i].value, !writes[i].exits,
                     "row %zu", i);
    }
}

Test(exits, of_ports)
{
    static const struct {
        struct guest_op op;
        uint16_t bit; /* of the map that is set; all others are clear */
        bool exits;
        uint64_t info1;
        uint8_t length;
    } accesses[] = {
        {{.kind = OP_X86_IN, .number = 0x3f8, .width = 1},
         0x3f8,
         true,
         0x03f80111,
         1},
        {{.kind = OP_X86_OUT, .number = 0x3f8, .width = 1},
         0x3f8,
         true,
         0x03f80110,
         1},
        {{.kind = OP_X86_OUT, .number = 0x3f8, .width = 1}, 0x3f9, false, 0, 1},
        {{.kind = OP_X86_IN, .number = 0xcf8, .width = 4},
         0xcfb,
         true,
         0x0cf80141,
         1},
        {{.kind = OP_X86_IN, .number = 0xcf8, .width = 4}, 0xcfc, false, 0, 1},
        {{.kind = OP_X86_OUT, .number = 0x1f6, .width = 2},
         0x1f7,
         true,
         0x01f60120,
         2},
        {{.kind = OP_X86_IN, .number = 0xffff, .width = 2},
         0,
         true,
         0xffff0121,
         2}, /* the bit behind the last one */
    };

    for_each_row (i, accesses) {
        rig_setup();
        vmcb_set_intercept(control(), INTERCEPT_IOIO, true);
        memset(rig.iopm, 0, IOPM_SIZE);
        if (accesses[i].bit != 0)
            rig.iopm[accesses[i].bit / 8] =
                (uint8_t)(1u << (accesses[i].bit % 8));
        else
            rig.iopm[0x2000] = 1;
        rig_one(&accesses[i].op);
        if (!accesses[i].exits) {
            cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED, "row %zu", i);
            continue;
        }
        cr_assert_eq(control()->exitcode, VMEXIT_IOIO, "row %zu", i);
        cr_assert_eq(control()->exitinfo1, accesses[i].info1, "row %zu: 0x%llx",
                     i, (unsigned long long)control()->exitinfo1);
        cr_assert_eq(control()->exitinfo2, RIG_CODE + accesses[i].length,
                     "row %zu", i);
    }
}

Test(exits, of_msrs)
{
    static const struct {
        uint32_t msr;
        uint16_t byte;
        uint8_t bits; /* of the map: read, write */
        bool mapped;
    } msrs[] = {
        {0x10, 0x004, 0x03, true},       {0x174, 0x05d, 0x03, true},
        {0x1fff, 0x7ff, 0xc0, true},     {0xc0000080, 0x820, 0x03, true},
        {0xc0000101, 0x840, 0x0c, true}, {0xc0010117, 0x1045, 0xc0, true},
        {0x2000, 0, 0, false},           {0xc0002000, 0, 0, false},
        {0x40000000, 0, 0, false},
    };

    for_each_row (i, msrs) {
        for (unsigned write = 0; write < 2; write++) {
            struct guest_op op = {.kind = write ? OP_X86_WRMSR : OP_X86_RDMSR,
                                  .number = msrs[i].msr};
            uint8_t bit = msrs[i].bits & (write ? 0xaa : 0x55);

            rig_setup();
            rig_idt();
            vmcb_set_intercept(control(), INTERCEPT_MSR, true);
            memset(rig.msrpm, 0, MSRPM_SIZE);
            rig.msrpm[msrs[i].byte] = bit;
            rig_one(&op);
            cr_assert_eq(control()->exitcode, VMEXIT_MSR, "row %zu", i);
            cr_assert_eq(control()->exitinfo1, write, "row %zu", i);
            cr_assert_eq(rig.regs.gpr[X86_GPR_RCX], msrs[i].msr);
            memset(rig.msrpm, 0xff, MSRPM_SIZE);
            rig.msrpm[msrs[i].byte] = (uint8_t)~bit;
            rig_one(&op);
            cr_assert_eq(control()->exitcode,
                         msrs[i].mapped ? VMEXIT_INTR : VMEXIT_MSR, "row %zu",
                         i);
        }
    }
}

/* What a guest writes to an MSR of its own is where VMSAVE finds it, or in the
 * VMCB. */
Test(exits, not_of_msrs_that_are_passed_on)
{
    static const struct guest_op ops[] = {
        {.kind = OP_X86_WRMSR, .number = X86_MSR_LSTAR, .value = 0x1111},
        {.kind = OP_X86_WRMSR, .number = X86_MSR_FS_BASE, .value = 0x2222},
        {.kind = OP_X86_RDMSR, .number = X86_MSR_LSTAR},
    };

    rig_run(ops, ARRAY_SIZE(ops));
    cr_assert_eq(rig.last.value, 0x1111);
    cr_assert_eq(rig.vmcb->save.lstar, 0, "VMRUN leaves it alone");
    x86_svm_vmsave(rig.vmcb_pa);
    cr_assert_eq(rig.vmcb->save.lstar, 0x1111);
    cr_assert_eq(rig.vmcb->save.fs.base, 0x2222);
    rig.vmcb->save.lstar = 0x3333;
    x86_svm_vmload(rig.vmcb_pa);
    rig_one(&ops[2]);
    cr_assert_eq(rig.last.value, 0x3333);
}

Test(exits, of_exceptions)
{
    static const struct {
        uint8_t vector;
        uint64_t error, info1, info2;
    } raised[] = {{X86_VECTOR_DE, 0, 0, 0},     {X86_VECTOR_DB, 0, 0, 0},
                  {X86_VECTOR_UD, 0, 0, 0},     {X86_VECTOR_GP, 0x50, 0x50, 0},
                  {X86_VECTOR_PF, 6, 6, 0xabc}, {X86_VECTOR_AC, 0, 0, 0}};

    for_each_row (i, raised) {
        struct guest_op op = {.kind = OP_X86_RAISE,
                              .number = raised[i].vector,
                              .value = raised[i].error,
                              .address = raised[i].info2};

        rig_setup();
        rig_idt();
        control()->intercept_exceptions = (uint32_t)BIT(raised[i].vector);
        rig_one(&op);
        cr_assert_eq(control()->exitcode, VMEXIT_EXCP0 + raised[i].vector);
        cr_assert_eq(control()->exitinfo1, raised[i].info1, "row %zu", i);
        cr_assert_eq(control()->exitinfo2, raised[i].info2, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.cr2, 0, "row %zu: not yet", i);
        control()->intercept_exceptions = ~control()->intercept_exceptions;
        rig_one(&op);
        cr_assert_eq(rig.last.outcome, OUTCOME_EXCEPTION, "row %zu", i);
        cr_assert_eq(rig.last.cause, raised[i].vector, "row %zu", i);
        cr_assert_eq(rig.vmcb->save.rip, RIG_CODE + 0x100 + raised[i].vector);
        cr_assert_eq(rig.vmcb->save.cr2, raised[i].info2, "row %zu", i);
    }
}

Test(exits, of_what_arrives)
{
    static const struct {
        uint8_t kind, intercept;
        uint64_t code;
    } arrivals[] = {{OP_X86_NMI, INTERCEPT_NMI, VMEXIT_NMI},
                    {OP_X86_SMI, INTERCEPT_SMI, VMEXIT_SMI},
                    {OP_X86_INIT, INTERCEPT_INIT, VMEXIT_INIT},
                    {OP_X86_SHUTDOWN, INTERCEPT_SHUTDOWN, VMEXIT_SHUTDOWN}};

    for_each_row (i, arrivals) {
        struct guest_op op = {.kind = arrivals[i].kind};

        rig_setup();
        vmcb_set_intercept(control(), arrivals[i].intercept, true);
        rig_one(&op);
        cr_assert_eq(control()->exitcode, arrivals[i].code, "row %zu", i);
    }
}

/* Guests have no business with SVM; one that is let is reported. */
Test(exits, of_svm_itself)
{
    static const struct {
        uint8_t kind, intercept;
        uint64_t code;
    } insns[] = {{OP_X86_VMLOAD, INTERCEPT_VMLOAD, VMEXIT_VMLOAD},
                 {OP_X86_VMSAVE, INTERCEPT_VMSAVE, VMEXIT_VMSAVE},
                 {OP_X86_STGI, INTERCEPT_STGI, VMEXIT_STGI},
                 {OP_X86_CLGI, INTERCEPT_CLGI, VMEXIT_CLGI},
                 {OP_X86_SKINIT, INTERCEPT_SKINIT, VMEXIT_SKINIT},
                 {OP_X86_INVLPGA, INTERCEPT_INVLPGA, VMEXIT_INVLPGA}};

    for_each_row (i, insns) {
        struct guest_op op = {.kind = insns[i].kind};

        rig_setup();
        vmcb_set_intercept(control(), insns[i].intercept, true);
        rig_one(&op);
        cr_assert_eq(control()->exitcode, insns[i].code, "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
        vmcb_set_intercept(control(), insns[i].intercept, false);
        rig_one(&op);
        cr_assert_eq(violations_of(RULE_REACHES_HOST), 1, "row %zu", i);
    }
}

Test(exits, raw)
{
    static const struct guest_op op = {.kind = OP_RAW_EXIT,
                                       .args = {0x7d, 1, 2, 0x80000308}};

    rig_one(&op);
    cr_assert_eq(control()->exitcode, 0x7d);
    cr_assert_eq(control()->exitinfo1, 1);
    cr_assert_eq(control()->exitinfo2, 2);
    cr_assert_eq(control()->exitintinfo, 0x80000308);
    rig_enter();
    cr_assert_eq(rig.last.outcome, OUTCOME_RESUMED);
    cr_assert_eq(control()->exitintinfo, 0);
}

Test(exits, pause_filter)
{
    static const struct guest_op ops[3] = {
        {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE}, {.kind = OP_X86_PAUSE}};

    vmcb_set_intercept(control(), INTERCEPT_PAUSE, true);
    control()->pause_filter_count = 2;
    rig_run(ops, 3);
    cr_assert_eq(rig.done, 2);
    cr_assert_eq(control()->exitcode, VMEXIT_PAUSE);
}
