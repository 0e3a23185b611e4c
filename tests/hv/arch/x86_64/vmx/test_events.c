/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VMX does its own way: NMIs behind an IRET that faults, control registers
 * of which the guest sees shadows, entries that the processor refuses, and a
 * turn's end by the preemption timer.
 */
#include "hv/arch/x86_64/vmx/rig.h"

static const struct guest_op iret = {.kind = OP_X86_IRET};
static const struct guest_op pause_op = {.kind = OP_X86_PAUSE};

/* An IRET unblocks NMIs though it faults: the guest gets the fault, and the NMI
 * before the first instruction of the fault's handler. */
Test(vmx_events, nmi_behind_an_iret_that_faults)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        uint64_t at;

        rig_start_at_iret(rig_vmx_profiles[p], 0);
        rig_unmap_page(0, RIG_DATA);
        rig_set_stack(0, RIG_DATA);
        at = rig_rip(0);
        rig_do_series(0, &iret, 1);
        cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s: %d",
                     rig_vmx_profiles[p], rig_handler(0));
        cr_expect_eq(rig_stacked(0, 0), RIG_HANDLER + 16 * X86_VECTOR_PF);
        cr_expect_eq(rig_get(0, X86_REG_CR2), RIG_DATA);
        rig_do_series(0, &iret, 1);
        cr_expect_eq(rig_handler(0), X86_VECTOR_PF, "%s: %d",
                     rig_vmx_profiles[p], rig_handler(0));
        cr_expect_eq(rig_stacked(0, 0), 0u, "a read of what is not there");
        cr_expect_eq(rig_stacked(0, 1), at);
        cr_expect_eq(rig_get(0, X86_REG_DR6), X86_DR6_RESET);
        rig_stop();
    }
}

/* An IRET that exits unblocks NMIs before, and comes again: the NMI waits for
 * that. Its stack ends in a page that nobody has touched: there, SS is 0. */
Test(vmx_events, nmi_behind_an_iret_that_exits)
{
    static const uint64_t frame[4] = {RIG_RETURNS_TO, 0x10, X86_RFLAGS_FIXED,
                                      RIG_STACK};
    const uint64_t end = 0x52000;

    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        rig_start_at_iret(rig_vmx_profiles[p], 0);
        rig_do(0, pause_op); /* which tells it from a second handler */
        rig_write(end - sizeof(frame), frame, sizeof(frame));
        rig_set_stack(0, end - sizeof(frame));
        rig_do_series(0, &iret, 1);
        cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s: at the IRET again",
                     rig_vmx_profiles[p]);
        cr_expect_eq(rig_stacked(0, 0), RIG_RETURNS_TO, "%s: 0x%llx",
                     rig_vmx_profiles[p],
                     (unsigned long long)rig_stacked(0, 0));
        cr_expect_eq(rig_stacked(0, 3), RIG_STACK);
        rig_stop();
    }
}

/* The interruption information of exceptions, with bit 12: an IRET was about to
 * unblock NMIs. It comes again behind the exception's handler, so the next NMI
 * waits for that one's IRET; without bit 12, or where the exception has come
 * while an event was delivered, NMIs are as they were. */
Test(vmx_events, an_exception_of_an_iret)
{
#define INFO(type, vector) \
    (VMX_EVENT_VALID | FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_##type) | (vector))
    const uint64_t debug = INFO(EXCEPTION, X86_VECTOR_DB);
    const uint64_t alignment =
        INFO(EXCEPTION, X86_VECTOR_AC) | VMX_EVENT_ERROR_CODE;
    const struct {
        const char *name;
        uint64_t interruption, vectoring;
        bool is_blocked;
    } rows[] = {
        {"#AC of an IRET", alignment | VMX_EVENT_NMI_UNBLOCKED, 0, true},
        {"#DB of an IRET", debug | VMX_EVENT_NMI_UNBLOCKED, 0, true},
        {"#AC", alignment, 0, false},
        {"#DB", debug, 0, false},
        {"#AC on the way of an interrupt", alignment | VMX_EVENT_NMI_UNBLOCKED,
         INFO(INTERRUPT, 0x41), false},
    };
#undef INFO

    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        for_each_row (i, rows) {
            struct guest_op op = {.kind = OP_RAW_EXIT,
                                  .args = {VMX_REASON_EXCEPTION_NMI}};
            int vector = (int)FIELD_GET(VMX_EVENT_VECTOR, rows[i].interruption);

            rig_start(rig_vmx_profiles[p], 1, 1);
            rig_mode(0, RIG_LONG);
            rig_enable_apic(0);
            op.args[3] = rows[i].vectoring;
            op.args[5] = rows[i].interruption;
            rig_do(0, op);
            cr_expect_eq(rig_handler(0), vector, "%s: %s", rig_vmx_profiles[p],
                         rows[i].name);
            rig_nmi(0);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0),
                         rows[i].is_blocked ? vector : X86_VECTOR_NMI,
                         "%s: %s: %d", rig_vmx_profiles[p], rows[i].name,
                         rig_handler(0));
            if (rows[i].is_blocked) {
                if (vector == X86_VECTOR_AC)
                    rig_set_stack(0, rig_rsp(0) + 8);
                rig_do(0, iret);
                rig_go_on(0);
                cr_expect_eq(rig_handler(0), X86_VECTOR_NMI, "%s: %s",
                             rig_vmx_profiles[p], rows[i].name);
            }
            rig_stop();
        }
    }
}

/* Control registers ------------------------------------------------------ */

/* The guest reads what it has written, whatever the processor must have. */
Test(vmx_registers, masks_and_shadows)
{
    enum { CR0 = 0, CR4 = 4 };
    static const struct {
        const char *name;
        unsigned number;
        uint64_t value, forced, kept_out; /* of the VMCS's register */
    } rows[] = {
        {"CR0.CD", CR0, X86_CR0_PE | X86_CR0_PG | X86_CR0_ET | X86_CR0_CD,
         X86_CR0_NE, X86_CR0_CD},
        {"CR0.CD and NW", CR0,
         X86_CR0_PE | X86_CR0_PG | X86_CR0_ET | X86_CR0_CD | X86_CR0_NW,
         X86_CR0_NE, X86_CR0_CD | X86_CR0_NW},
        {"CR0.NE set", CR0, X86_CR0_PE | X86_CR0_PG | X86_CR0_ET | X86_CR0_NE,
         X86_CR0_NE, 0},
        {"CR0.NE clear, TS", CR0,
         X86_CR0_PE | X86_CR0_PG | X86_CR0_ET | X86_CR0_TS, X86_CR0_NE, 0},
        {"CR4.MCE", CR4, X86_CR4_PAE | X86_CR4_MCE, X86_CR4_VMXE, 0},
        {"CR4", CR4, X86_CR4_PAE | X86_CR4_PGE, X86_CR4_VMXE, 0},
    };

    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        rig_start(rig_vmx_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        for_each_row (i, rows) {
            struct guest_op op = {.kind = OP_X86_WRITE_CR,
                                  .number = rows[i].number,
                                  .reg = X86_GPR_RDI,
                                  .value = rows[i].value};
            uint64_t real;

            cr_expect_eq(rig_do(0, op).outcome, OUTCOME_RETIRED, "%s: %s",
                         rig_vmx_profiles[p], rows[i].name);
            op.kind = OP_X86_READ_CR;
            cr_expect_eq(rig_do(0, op).value, rows[i].value, "%s: %s",
                         rig_vmx_profiles[p], rows[i].name);
            real = rig_field(0, rows[i].number == CR0 ? VMCS_AT_GUEST_CR0
                                                      : VMCS_AT_GUEST_CR4);
            cr_expect_eq(real & rows[i].forced, rows[i].forced, "%s: %s",
                         rig_vmx_profiles[p], rows[i].name);
            cr_expect_eq(real & rows[i].kept_out, 0, "%s: %s",
                         rig_vmx_profiles[p], rows[i].name);
        }
        rig_stop();
    }
}

/* The processor takes the pointers of PAE paging from the VMCS: writes that
 * exit load them, as those that do not. */
Test(vmx_registers, pae_pointers)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        const uint64_t pointer = RIG_SPARE | 1;
        struct guest_op op = {.kind = OP_X86_WRITE_CR,
                              .number = 4,
                              .reg = X86_GPR_RDI,
                              .value = X86_CR4_PAE | X86_CR4_MCE};

        rig_start(rig_vmx_profiles[p], 1, 1);
        rig_mode(0, RIG_PAE);
        rig_poke(rig_get(0, X86_REG_CR3) + 8, pointer, 8);
        rig_do(0, op);
        cr_expect_neq(rig_field(0, VMCS_AT_GUEST_PDPTE1), pointer, "%s",
                      rig_vmx_profiles[p]);
        op.value = X86_CR4_PAE | X86_CR4_PGE;
        rig_do(0, op);
        cr_expect_eq(rig_field(0, VMCS_AT_GUEST_PDPTE1), pointer, "%s",
                     rig_vmx_profiles[p]);
        rig_stop();
    }
}

/* Refused entries --------------------------------------------------------- */

/* Whatever the hypervisor has done wrong: the VM stops, says why, and the
 * machine goes on. */
Test(vmx_entry, that_is_refused)
{
    static const struct {
        enum vmcs_field field;
        uint64_t value;
        const char *reason, *rule;
    } rows[] = {
        {VMCS_GUEST_TR_ACCESS_RIGHTS, VMX_AR_UNUSABLE, "invalid guest state",
         "vmx-guest-tr-type-long"},
        {VMCS_GUEST_CR3, ~UINT64_C(0), "invalid guest state", "vmx-guest-cr3"},
        {VMCS_LINK_POINTER, 1, "invalid guest state", "vmx-guest-link-align"},
        {VMCS_HOST_CS_SELECTOR, 0, "invalid host-state fields",
         "vmx-host-cs-null"},
        {VMCS_HOST_RIP, BIT(63), "invalid host-state fields", "vmx-host-rip"},
        {VMCS_EPTP, 7, "invalid control fields", "vmx-eptp-memory-type"},
        {VMCS_PIN_CONTROLS, UINT32_MAX, "invalid control fields",
         "vmx-pin-allowed1"},
    };

    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        for_each_row (i, rows) {
            rig_start(rig_vmx_profiles[p], 1, 2);
            rig_mode(0, RIG_LONG);
            rig_do(0, pause_op);
            cpus_set_current(0);
            cr_assert(vmx_is_bound(rig_vmx(0)));
            x86_vmx_vmwrite(rows[i].field, rows[i].value);
            rig_do(0, pause_op);
            cr_expect_eq(rig.vm->state, VM_STOPPED, "%s, row %zu",
                         rig_vmx_profiles[p], i);
            cr_expect_not_null(strstr(rig.vm->reason, rows[i].reason),
                               "%s, row %zu: %s", rig_vmx_profiles[p], i,
                               rig.vm->reason);
            cr_expect_eq(
                strncmp(violations_last(), rows[i].rule, strlen(rows[i].rule)),
                0, "%s, row %zu: %s", rig_vmx_profiles[p], i,
                violations_last());
            cr_expect_eq(violations_count(), 1, "it is not tried again");
            rig_stop_violated();
        }
    }
}

/* The end of a turn ---------------------------------------------------------
 */

/* A guest that makes no exit gets one, and goes on. */
Test(vmx_turn, preemption_timer)
{
    static const struct guest_op steps[] = {
        {.kind = OP_X86_PAUSE},
        {.kind = OP_DELAY, .value = UINT64_C(11000000)},
        {.kind = OP_X86_PAUSE}};

    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        const struct exit_stats *stats;
        uint64_t before;

        rig_start(rig_vmx_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        rig_do(0, pause_op);
        stats = rig_vcpu(0)->base.stats;
        before = exit_stats_count(stats, EXIT_PREEMPTION_TIMER);
        rig_do_series(0, steps, ARRAY_SIZE(steps));
        cr_expect_eq(exit_stats_count(stats, EXIT_PREEMPTION_TIMER), before + 1,
                     "%s", rig_vmx_profiles[p]);
        cr_expect_eq(rig_rip(0), RIG_CODE + 3 * 2);
        rig_stop();
    }
}
