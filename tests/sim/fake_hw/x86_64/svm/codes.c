/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every exit code of AMD's manual (APM volume 2, appendix C): a guest's
 * operation that it comes of, with all intercepts on, or why nothing makes it.
 */
#include "rig.h"
#include "sim/console.h"

TestSuite(codes, .init = rig_setup);

static struct vmcb_control *control(void)
{
    return &rig.vmcb->control;
}

static void without(enum svm_intercept intercept)
{
    vmcb_set_intercept(control(), intercept, false);
}

/* What a row has done before. */

static void host_interrupt(void)
{
    (void)console_inject("x", 1);
}

static void virtual_interrupt(void)
{
    control()->vintr |= VINTR_V_IRQ | FIELD_PUT(VINTR_V_INTR_PRIO, UINT64_C(8));
    rig.vmcb->save.rflags |= X86_RFLAGS_IF;
}

static void no_cr_writes(void)
{
    control()->intercept_cr_write = 0;
}

static void traps(void)
{
    no_cr_writes();
    without(INTERCEPT_CR0_SEL_WRITE);
}

static void no_msrs(void)
{
    without(INTERCEPT_MSR);
}

static void armed(void)
{
    without(INTERCEPT_MWAIT);
    rig.cpu->monitor_armed = true;
}

#define TSS_SELECTOR 8

static void task_segment(void)
{
    uint64_t descriptor = UINT64_C(0x8900) << 32 | 0x67;

    *(uint64_t *)rig_memory(RIG_DATA + TSS_SELECTOR) = descriptor;
    rig.vmcb->save.gdtr.base = RIG_DATA;
    rig.vmcb->save.gdtr.limit = 0xf;
}

static void asid_0(void)
{
    control()->guest_asid = 0;
}

#define OP(name, ...)                      \
    {                                      \
        .kind = OP_X86_##name, __VA_ARGS__ \
    }
#define CR(n)                                                     \
    {VMEXIT_CR0_READ + (n), OP(READ_CR, .number = (n)), NULL},    \
    {                                                             \
        VMEXIT_CR0_WRITE + (n), OP(WRITE_CR, .number = (n)), NULL \
    }
#define DR(n)                                                     \
    {VMEXIT_DR0_READ + (n), OP(READ_DR, .number = (n)), NULL},    \
    {                                                             \
        VMEXIT_DR0_WRITE + (n), OP(WRITE_DR, .number = (n)), NULL \
    }
#define EXCEPTION(n)                                       \
    {                                                      \
        VMEXIT_EXCP0 + (n), OP(RAISE, .number = (n)), NULL \
    }

static const struct {
    uint64_t code;
    struct guest_op op;
    void (*prepare)(void);
} rows[] = {
    CR(0),
    CR(2),
    CR(3),
    CR(4),
    CR(8),
    DR(0),
    DR(1),
    DR(2),
    DR(3),
    DR(4),
    DR(5),
    DR(6),
    DR(7),
    EXCEPTION(0),
    EXCEPTION(1),
    EXCEPTION(3),
    EXCEPTION(4),
    EXCEPTION(5),
    EXCEPTION(6),
    EXCEPTION(7),
    EXCEPTION(8),
    EXCEPTION(10),
    EXCEPTION(11),
    EXCEPTION(12),
    EXCEPTION(13),
    EXCEPTION(14),
    EXCEPTION(16),
    EXCEPTION(17),
    EXCEPTION(18),
    EXCEPTION(19),
    EXCEPTION(21),
    {VMEXIT_INTR, OP(PAUSE), host_interrupt},
    {VMEXIT_NMI, OP(NMI), NULL},
    {VMEXIT_SMI, OP(SMI), NULL},
    {VMEXIT_INIT, OP(INIT), NULL},
    {VMEXIT_VINTR, OP(PAUSE), virtual_interrupt},
    {VMEXIT_CR0_SEL_WRITE, OP(WRITE_CR, .value = X86_CR0_PE | X86_CR0_WP),
     no_cr_writes},
    {VMEXIT_CR0_SEL_WRITE, OP(LMSW, .value = X86_CR0_EM), no_cr_writes},
    {VMEXIT_CR0_WRITE, OP(CLTS), NULL},
    {VMEXIT_CR0_WRITE, OP(LMSW), NULL},
    {VMEXIT_CR0_READ, OP(SMSW), NULL},
    {VMEXIT_IDTR_READ, OP(SIDT, .address = RIG_DATA), NULL},
    {VMEXIT_GDTR_READ, OP(SGDT, .address = RIG_DATA), NULL},
    {VMEXIT_LDTR_READ, OP(SLDT), NULL},
    {VMEXIT_TR_READ, OP(STR), NULL},
    {VMEXIT_IDTR_WRITE, OP(LIDT), NULL},
    {VMEXIT_GDTR_WRITE, OP(LGDT), NULL},
    {VMEXIT_LDTR_WRITE, OP(LLDT), NULL},
    {VMEXIT_TR_WRITE, OP(LTR, .value = 8), NULL},
    {VMEXIT_RDTSC, OP(RDTSC), NULL},
    {VMEXIT_RDPMC, OP(RDPMC), NULL},
    {VMEXIT_PUSHF, OP(PUSHF), NULL},
    {VMEXIT_POPF, OP(POPF), NULL},
    {VMEXIT_CPUID, OP(CPUID), NULL},
    {VMEXIT_RSM, OP(RSM), NULL},
    {VMEXIT_IRET, OP(IRET), NULL},
    {VMEXIT_SWINT, OP(INT, .number = 0x80), NULL},
    {VMEXIT_INVD, OP(INVD), NULL},
    {VMEXIT_PAUSE, OP(PAUSE), NULL},
    {VMEXIT_HLT, OP(HLT), NULL},
    {VMEXIT_INVLPG, OP(INVLPG), NULL},
    {VMEXIT_INVLPGA, OP(INVLPGA), NULL},
    {VMEXIT_IOIO, OP(IN, .width = 1, .number = 0x60), NULL},
    {VMEXIT_IOIO, OP(OUT, .width = 4, .number = 0xcf8), NULL},
    {VMEXIT_IOIO, OP(INS, .width = 2, .number = 0x1f0, .address = RIG_DATA),
     NULL},
    {VMEXIT_IOIO, OP(OUTS, .width = 1, .address = RIG_DATA, .value = 9), NULL},
    {VMEXIT_MSR, OP(RDMSR, .number = X86_MSR_EFER), NULL},
    {VMEXIT_MSR, OP(WRMSR, .number = 0x12345678), NULL},
    {VMEXIT_TASK_SWITCH, OP(JMP_FAR, .number = TSS_SELECTOR), task_segment},
    {VMEXIT_FERR_FREEZE, OP(FWAIT), NULL},
    {VMEXIT_SHUTDOWN, OP(SHUTDOWN), NULL},
    {VMEXIT_VMRUN, OP(VMRUN), NULL},
    {VMEXIT_VMMCALL, OP(VMMCALL), NULL},
    {VMEXIT_VMLOAD, OP(VMLOAD), NULL},
    {VMEXIT_VMSAVE, OP(VMSAVE), NULL},
    {VMEXIT_STGI, OP(STGI), NULL},
    {VMEXIT_CLGI, OP(CLGI), NULL},
    {VMEXIT_SKINIT, OP(SKINIT), NULL},
    {VMEXIT_RDTSCP, OP(RDTSCP), NULL},
    {VMEXIT_ICEBP, OP(ICEBP), NULL},
    {VMEXIT_WBINVD, OP(WBINVD), NULL},
    {VMEXIT_MONITOR, OP(MONITOR), NULL},
    {VMEXIT_MWAIT, OP(MWAIT), NULL},
    {VMEXIT_MWAIT_CONDITIONAL, OP(MWAIT), armed},
    {VMEXIT_XSETBV, OP(XSETBV, .value = 1), NULL},
    {VMEXIT_RDPRU, OP(RDPRU), NULL},
    {VMEXIT_EFER_WRITE_TRAP,
     OP(WRMSR, .number = X86_MSR_EFER, .value = X86_EFER_SVME), no_msrs},
    {VMEXIT_CR0_WRITE_TRAP, OP(WRITE_CR, .value = X86_CR0_PE), traps},
    {VMEXIT_CR0_WRITE_TRAP + 2, OP(WRITE_CR, .number = 2), traps},
    {VMEXIT_CR0_WRITE_TRAP + 3, OP(WRITE_CR, .number = 3), traps},
    {VMEXIT_CR0_WRITE_TRAP + 4, OP(WRITE_CR, .number = 4), traps},
    {VMEXIT_CR0_WRITE_TRAP + 8, OP(WRITE_CR, .number = 8), traps},
    {VMEXIT_INVPCID, OP(INVPCID), NULL},
    {VMEXIT_NPF, {.kind = OP_LOAD, .width = 4, .address = RIG_HOLE}, NULL},
    {VMEXIT_INVALID, OP(PAUSE), asid_0},
};

static const struct {
    uint64_t first, last;
    const char *why;
} impossible[] = {
    {VMEXIT_CR0_READ + 1, VMEXIT_CR0_READ + 1, "no such register"},
    {VMEXIT_CR0_READ + 5, VMEXIT_CR0_READ + 7, "no such register"},
    {VMEXIT_CR0_READ + 9, VMEXIT_CR0_READ + 15, "no such register"},
    {VMEXIT_CR0_WRITE + 1, VMEXIT_CR0_WRITE + 1, "no such register"},
    {VMEXIT_CR0_WRITE + 5, VMEXIT_CR0_WRITE + 7, "no such register"},
    {VMEXIT_CR0_WRITE + 9, VMEXIT_CR0_WRITE + 15, "no such register"},
    {VMEXIT_DR0_READ + 8, VMEXIT_DR0_READ + 15, "no such register"},
    {VMEXIT_DR0_WRITE + 8, VMEXIT_DR0_WRITE + 15, "no such register"},
    {VMEXIT_EXCP0 + 2, VMEXIT_EXCP0 + 2, "NMIs have an intercept"},
    {VMEXIT_EXCP0 + 9, VMEXIT_EXCP0 + 9, "no such exception"},
    {VMEXIT_EXCP0 + 15, VMEXIT_EXCP0 + 15, "no such exception"},
    {VMEXIT_EXCP0 + 20, VMEXIT_EXCP0 + 20, "no such exception"},
    {VMEXIT_EXCP0 + 22, VMEXIT_EXCP0 + 31, "reserved, or of SEV and SKINIT"},
    {VMEXIT_CR0_WRITE_TRAP + 1, VMEXIT_CR0_WRITE_TRAP + 1, "no such register"},
    {VMEXIT_CR0_WRITE_TRAP + 5, VMEXIT_CR0_WRITE_TRAP + 7, "no such register"},
    {VMEXIT_CR0_WRITE_TRAP + 9, VMEXIT_CR0_WRITE_TRAP + 15, "no such register"},
    {VMEXIT_INVLPGB, VMEXIT_INVLPGB_ILLEGAL, "of no profile"},
    {VMEXIT_MCOMMIT, VMEXIT_IDLE_HLT, "of no profile"},
};

static void intercept_all(void)
{
    control()->intercept_cr_read = control()->intercept_cr_write = UINT16_MAX;
    control()->intercept_dr_read = control()->intercept_dr_write = UINT16_MAX;
    control()->intercept_exceptions = UINT32_MAX;
    for (unsigned i = 0; i < 3; i++)
        control()->intercept[i] = UINT32_MAX;
    rig.vmcb->save.cr4 = X86_CR4_OSXSAVE;
}

Test(codes, of_operations)
{
    for_each_row (i, rows) {
        rig_setup();
        intercept_all();
        if (rows[i].prepare != NULL)
            rows[i].prepare();
        rig_one(&rows[i].op);
        cr_assert_eq(control()->exitcode, rows[i].code,
                     "row %zu: 0x%llx, not 0x%llx", i,
                     (unsigned long long)control()->exitcode,
                     (unsigned long long)rows[i].code);
        cr_assert_eq(violations_count(), rows[i].code == VMEXIT_INVALID,
                     "row %zu: %s", i, violations_last());
    }
}

static bool has_row(uint64_t code)
{
    for_each_row (i, rows) {
        if (rows[i].code == code)
            return true;
    }
    return false;
}

static bool is_impossible(uint64_t code)
{
    for_each_row (i, impossible) {
        if (code >= impossible[i].first && code <= impossible[i].last)
            return impossible[i].why[0] != '\0';
    }
    return false;
}

/* AVIC and SEV, whose codes follow on that of NPF, are not modelled. */
Test(codes, all_are_accounted_for)
{
    for (uint64_t code = 0; code <= VMEXIT_IDLE_HLT; code++)
        cr_assert_neq(has_row(code), is_impossible(code), "0x%llx",
                      (unsigned long long)code);
    cr_assert(has_row(VMEXIT_NPF) && has_row(VMEXIT_INVALID));
}
