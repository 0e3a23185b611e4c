/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NMIs: each is taken once, whatever RFLAGS.IF is, and the next one right
 * behind the IRET of its handler.
 */
#include "hv/arch/x86_64/vcpu/rig.h"

static const struct guest_op pause_op = {.kind = OP_X86_PAUSE};
static const struct guest_op iret = {.kind = OP_X86_IRET};
static const struct guest_op cpuid = {.kind = OP_X86_CPUID};

Test(nmi, nmi_comes_first_and_whatever_if_is)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned on = 0; on < 2; on++) {
            rig_start_events(rig_profiles[p], on ? X86_RFLAGS_IF : 0);
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

Test(nmi, nmi_waits_for_iret)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned on = 0; on < 2; on++) {
            rig_start_events(rig_profiles[p], on ? X86_RFLAGS_IF : 0);
            rig_nmi(0);
            rig_go_on(0);
            rig_nmi(0);
            rig_do(0, pause_op);
            rig_do(0, cpuid);
            rig_go_on(0);
            cr_expect_eq(rig_rip(0), RIG_HANDLER + 16 * X86_VECTOR_NMI + 4,
                         "%s", rig_profiles[p]);
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

/* The next NMI comes right behind the IRET, whatever the guest's flags are, and
 * the guest sees nothing of how that was found out. */
Test(nmi, nmi_comes_right_behind_the_iret)
{
    static const uint64_t flags[] = {0, X86_RFLAGS_IF, X86_RFLAGS_RF};
    static const struct guest_op steps[] = {{.kind = OP_X86_IRET},
                                            {.kind = OP_X86_PAUSE}};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for_each_row (i, flags) {
            rig_start_at_iret(rig_profiles[p], flags[i]);
            rig_do_series(0, steps, ARRAY_SIZE(steps));
            cr_expect_eq(rig_rip(0), RIG_HANDLER + 16 * X86_VECTOR_NMI + 2,
                         "%s, row %zu: 0x%llx", rig_profiles[p], i,
                         (unsigned long long)rig_rip(0));
            cr_expect_eq(rig_stacked(0, 0), RIG_RETURNS_TO);
            cr_expect_eq(rig_stacked(0, 2), flags[i] | X86_RFLAGS_FIXED);
            cr_expect_eq(dr6(), X86_DR6_RESET);
            rig_do(0, iret);
            cr_expect_eq(rig_rip(0), RIG_RETURNS_TO, "%s, row %zu",
                         rig_profiles[p], i);
            rig_stop();
        }
    }
}

/* A guest that single-steps its handler gets its own trap behind the IRET, and
 * the NMI before the first instruction of that trap's handler. */
Test(nmi, single_step_of_the_iret)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start_at_iret(rig_profiles[p], 0);
        rig_set_flags(0, X86_RFLAGS_TF, 0);
        rig_do(0, iret);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_HANDLER + 16 * X86_VECTOR_DB);
        cr_expect_eq(dr6(), X86_DR6_RESET | X86_DR6_BS);
        rig_do(0, iret);
        cr_expect_eq(rig_handler(0), X86_VECTOR_DB, "%s", rig_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_RETURNS_TO);
        cr_expect_eq(rig_stacked(0, 2), X86_RFLAGS_FIXED);
        rig_stop();
    }
}

/* An IRET that would have to be emulated. */
EACH_VENDOR(nmi, nmi_and_an_iret_that_faults)
{
    rig_start_events(profile, X86_RFLAGS_IF);
    rig_nmi(0);
    rig_go_on(0);
    rig_nmi(0);
    rig_go_on(0);
    rig_set_stack(0, RIG_HOLE);
    rig_do(0, (struct guest_op){.kind = OP_X86_IRET});
    cr_expect_eq(rig.vm->state, VM_STOPPED, "IRET is not emulated: %s",
                 rig.vm->reason);
    rig_stop();
}
