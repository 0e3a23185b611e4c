/* SPDX-License-Identifier: Apache-2.0 */
/* Events as SVM has them: exits by IRET, and what EXITINTINFO says that an exit
 * has cut short. */
#include "hv/arch/x86_64/svm/rig.h"

#define EVENT(type, vector) \
    (EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_##type) | (vector))

static const struct guest_op iret = {.kind = OP_X86_IRET};

/* An interrupt of the host's, which comes first, is as good as the window: not
 * every processor opens that for a guest that takes interrupts at VMRUN. */
Test(events, interrupt_that_is_due_when_the_host_gets_one)
{
    static const struct rig_exit host = {.code = VMEXIT_INTR};

    rig_start_events("full", 0);
    rig_interrupt(0, 0x41);
    rig_go_on(0);
    rig_vmcb(0)->save.rflags |= X86_RFLAGS_IF;
    cr_expect_eq(rig_exit(0, &host), VERDICT_YIELD);
    cr_expect_eq(vcpu_commit(&rig_vcpu(0)->base), OK);
    cr_expect_eq(rig_vmcb(0)->control.eventinj, EVENT(INTR, 0x41));
    cr_expect_eq(rig_vmcb(0)->control.vintr & VINTR_V_IRQ, 0);
    rig_stop();
}

/* Before an interrupt, too, that comes when the handler, which lets them in, is
 * at its IRET. */
Test(events, nmi_behind_the_iret_comes_before_an_interrupt)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        rig_start_at_iret(rig_svm_profiles[p], X86_RFLAGS_IF);
        rig_do(0,
               (struct guest_op){.kind = OP_RAW_EXIT, .args = {VMEXIT_IRET}});
        rig_set_flags(0, X86_RFLAGS_IF, 0);
        rig_interrupt(0, 0x41);
        rig_do(0, iret);
        cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s", rig_svm_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_RETURNS_TO);
        rig_do(0, iret);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), 0x41, "%s", rig_svm_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_RETURNS_TO);
        rig_stop();
    }
}

/* An IRET that faults: the guest gets that, with its own flags, and the NMI
 * behind the IRET of the fault's handler. */
Test(events, nmi_behind_an_iret_that_faults)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        uint64_t at;

        rig_start_at_iret(rig_svm_profiles[p], 0);
        rig_unmap_page(0, RIG_DATA);
        rig_set_stack(0, RIG_DATA);
        at = rig_rip(0);
        rig_do_series(0, &iret, 1);
        cr_expect_eq(rig_handler(0), X86_VECTOR_PF, "%s: %d",
                     rig_svm_profiles[p], rig_handler(0));
        cr_expect_eq(rig_get(0, X86_REG_CR2), RIG_DATA);
        cr_expect_eq(rig_stacked(0, 0), 0u, "a read of what is not there");
        cr_expect_eq(rig_stacked(0, 1), at);
        cr_expect_eq(rig_stacked(0, 3), X86_RFLAGS_FIXED);
        cr_expect_eq(rig_get(0, X86_REG_DR6), X86_DR6_RESET);
        rig_set_stack(0, rig_rsp(0) + 8);
        rig_do_series(0, &iret, 1);
        cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s", rig_svm_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), at);
        rig_stop();
    }
}

/* What is intercepted while an IRET is stepped over is the guest's own again
 * afterwards, however the step has ended. */
Test(events, exceptions_behind_a_step)
{
    static const uint64_t vectors[] = {X86_VECTOR_TS, X86_VECTOR_NP,
                                       X86_VECTOR_SS, X86_VECTOR_GP};

    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        for (unsigned faults = 0; faults < 2; faults++) {
            const struct exit_stats *stats;
            uint64_t before;

            rig_start_at_iret(rig_svm_profiles[p], 0);
            if (faults) {
                rig_unmap_page(0, RIG_DATA);
                rig_set_stack(0, RIG_DATA);
            }
            rig_do_series(0, &iret, 1);
            cr_expect_eq(rig_handler(0),
                         faults ? X86_VECTOR_PF : X86_VECTOR_NMI);
            stats = rig_vcpu(0)->base.stats;
            before = exit_stats_count(stats, EXIT_EXCEPTION);
            for_each_row (i, vectors) {
                rig_do(0, (struct guest_op){.kind = OP_X86_RAISE,
                                            .number = (uint32_t)vectors[i]});
                cr_expect_eq(rig_handler(0), (int)vectors[i]);
            }
            cr_expect_eq(exit_stats_count(stats, EXIT_EXCEPTION), before,
                         "%s, %u", rig_svm_profiles[p], faults);
            rig_stop();
        }
    }
}

/* An exit with this code has cut short the delivery of `event`. */
static void cut_short(uint64_t code, uint64_t event)
{
    struct guest_op op = {.kind = OP_RAW_EXIT};

    op.args[0] = code;
    op.args[3] = event;
    /* Whoever injects an NMI knows that it masks others. */
    if (event == EVENT(NMI, X86_VECTOR_NMI)) {
        rig_svm(0)->nmi = NMI_HANDLED;
        vmcb_set_intercept(&rig_vmcb(0)->control, INTERCEPT_IRET, true);
        rig_vmcb(0)->control.clean = 0;
    }
    rig_do(0, op);
}

/* An exception takes the place of what was on its way; that comes after it. */
Test(events, cut_short_by_an_exception)
{
    static const struct {
        uint64_t first;
        unsigned exception;
        int then; /* after the handler's IRET; -1: nothing */
    } rows[] = {
        {EVENT(INTR, 0x41), X86_VECTOR_DB, 0x41},
        {EVENT(INTR, 0x41), X86_VECTOR_AC, 0x41},
        {EVENT(NMI, 2), X86_VECTOR_DB, 2},
        {EVENT(EXCEPTION, X86_VECTOR_UD), X86_VECTOR_DB, -1},
        {EVENT(SOFT, 0x80), X86_VECTOR_AC, -1},
    };

    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        for_each_row (i, rows) {
            rig_start_events(rig_svm_profiles[p], X86_RFLAGS_IF);
            cut_short(VMEXIT_EXCP0 + rows[i].exception, rows[i].first);
            cr_expect_eq(rig_handler(0), (int)rows[i].exception,
                         "%s, row %zu: %d", rig_svm_profiles[p], i,
                         rig_handler(0));
            if (rows[i].exception == X86_VECTOR_AC)
                rig_set_stack(0, rig_rsp(0) + 8);
            rig_do(0, iret);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), rows[i].then, "%s, row %zu: %d",
                         rig_svm_profiles[p], i, rig_handler(0));
            rig_stop();
        }
    }
}

/* The same by exits that have cut short the delivery of the first, and whose
 * answer is the second. */
Test(events, exceptions_that_exits_deserve)
{
    enum { RESET = -2 };
    static const struct {
        uint64_t first, code;
        int handler, then; /* after its IRET */
    } rows[] = {
        {EVENT(EXCEPTION, X86_VECTOR_GP), VMEXIT_RDPMC, X86_VECTOR_DF, -1},
        {EVENT(EXCEPTION, X86_VECTOR_PF), VMEXIT_RDPMC, X86_VECTOR_DF, -1},
        {EVENT(EXCEPTION, X86_VECTOR_UD), VMEXIT_RDPMC, X86_VECTOR_GP, -1},
        {EVENT(EXCEPTION, X86_VECTOR_GP), VMEXIT_MWAIT, X86_VECTOR_UD, -1},
        {EVENT(EXCEPTION, X86_VECTOR_DF), VMEXIT_MWAIT, X86_VECTOR_UD, -1},
        {EVENT(EXCEPTION, X86_VECTOR_DF), VMEXIT_RDPMC, RESET, RESET},
        {EVENT(INTR, 0x41), VMEXIT_RDPMC, X86_VECTOR_GP, 0x41},
        {EVENT(NMI, 2), VMEXIT_RDPMC, X86_VECTOR_GP, 2},
        {EVENT(SOFT, 0x80), VMEXIT_RDPMC, X86_VECTOR_GP, -1},
        {EVENT(EXCEPTION, X86_VECTOR_BP), VMEXIT_RDPMC, X86_VECTOR_GP, -1},
    };

    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        for_each_row (i, rows) {
            uint64_t codes = X86_ERROR_CODE_VECTORS;

            rig_start_events(rig_svm_profiles[p], X86_RFLAGS_IF);
            cut_short(rows[i].code, rows[i].first);
            if (rows[i].handler == RESET) {
                cr_expect_eq(
                    exit_stats_count(rig_vcpu(0)->base.stats, EXIT_SYSTEM_DOWN),
                    1, "%s", rig_svm_profiles[p]);
                cr_expect_eq(rig.vm->state, VM_RUNNING);
                cr_expect_neq(rig_rip(0), RIG_CODE);
                rig_stop();
                continue;
            }
            cr_expect_eq(rig_handler(0), rows[i].handler, "%s, row %zu: %d",
                         rig_svm_profiles[p], i, rig_handler(0));
            if ((codes >> rows[i].handler & 1) != 0)
                rig_set_stack(0, rig_rsp(0) + 8);
            rig_do(0, iret);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), rows[i].then, "%s, row %zu: %d",
                         rig_svm_profiles[p], i, rig_handler(0));
            rig_stop();
        }
    }
}
