/* SPDX-License-Identifier: Apache-2.0 */
/* Where Bochs 2.7's VMX departs from Intel's manual (SDM volume 3; numbers of
 * sections as in sim/fake_hw/x86_64/vmx/rules.h). */
#include "arch/x86_64/msr.h"
#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/vmcs.h"
#include "tests/truth/departures.h"

#define CANONICAL_BITS 48
#define DATA_TYPE      3 /* written to, accessed */
#define CODE           BIT(3)
#define CONFORMING     BIT(2)
#define RPL            3

#define REFUSED (VMX_REASON_ENTRY_FAILURE | VMX_REASON_ENTRY_GUEST_STATE)

static uint64_t reason_of_fake(const struct truth_difference *difference)
{
    return truth_fake(difference, VMCS_EXIT_REASON);
}

static uint64_t reason_of_real(const struct truth_difference *difference)
{
    return truth_real(difference, VMCS_EXIT_REASON);
}

/* A field as the case has it. */
static uint64_t field(const struct truth_machine *machine, uint16_t number)
{
    return machine->vendor->get(machine, truth_field(machine->vendor, number));
}

static void put(struct truth_machine *machine, uint16_t number, uint64_t value)
{
    machine->vendor->put(machine, truth_field(machine->vendor, number), value);
}

static bool is_64bit(const struct truth_difference *difference)
{
    return (truth_before(difference, VMCS_ENTRY_CONTROLS) &
            VMX_ENTRY_IA32E_MODE_GUEST) != 0 &&
           (truth_before(difference, VMCS_GUEST_CS_ACCESS_RIGHTS) & VMX_AR_L) !=
               0;
}

/* What is checked instead of SS.DPL. */
static bool is_of_rpl(const struct truth_machine *machine)
{
    uint64_t rights = field(machine, VMCS_GUEST_CS_ACCESS_RIGHTS);
    uint64_t rpl = field(machine, VMCS_GUEST_CS_SELECTOR) & RPL;
    uint64_t dpl = FIELD_GET(VMX_AR_DPL, rights);

    if ((rights & CODE) == 0 ||
        (field(machine, VMCS_GUEST_RFLAGS) & X86_RFLAGS_VM) != 0)
        return true;
    return (rights & CONFORMING) != 0 ? rpl >= dpl : rpl == dpl;
}

static bool refuses_rpl(const struct truth_difference *difference)
{
    return (reason_of_fake(difference) & VMX_REASON_ENTRY_FAILURE) == 0 &&
           reason_of_real(difference) == REFUSED &&
           !is_of_rpl(difference->machine);
}

static bool refuses_smm_late(const struct truth_difference *difference)
{
    return (truth_before(difference, VMCS_ENTRY_CONTROLS) & VMX_ENTRY_TO_SMM) !=
               0 &&
           truth_fake(difference, TRUTH_FAIL) == VMX_ERROR_ENTRY_CONTROLS &&
           reason_of_real(difference) == REFUSED;
}

/* Whether the instruction exits, or is one for CPL 0. */
static bool rpl_is_cpl(const struct truth_difference *difference)
{
    static const uint16_t fields[] = {
        VMCS_EXIT_REASON,
        VMCS_EXIT_QUALIFICATION,
        VMCS_EXIT_INTERRUPTION_INFO,
        VMCS_EXIT_INSTRUCTION_LENGTH,
        VMCS_GUEST_RFLAGS,
    };
    uint64_t rpl = truth_before(difference, VMCS_GUEST_CS_SELECTOR) & RPL;
    uint64_t rights = truth_before(difference, VMCS_GUEST_SS_ACCESS_RIGHTS);

    if (reason_of_fake(difference) == REFUSED ||
        reason_of_real(difference) == REFUSED ||
        rpl == FIELD_GET(VMX_AR_DPL, rights))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (difference->field == fields[i])
            return true;
    }
    return false;
}

/* It goes as far as to fetch there. */
static bool rip_is_fetched(const struct truth_difference *difference)
{
    uint64_t rip = truth_before(difference, VMCS_GUEST_RIP);

    return is_64bit(difference) &&
           (uint64_t)sign_extend(rip, CANONICAL_BITS) != rip &&
           reason_of_fake(difference) == REFUSED &&
           reason_of_real(difference) == VMX_REASON_EXCEPTION_NMI &&
           truth_real(difference, VMCS_EXIT_INTERRUPTION_INFO) ==
               (VMX_EVENT_VALID | VMX_EVENT_ERROR_CODE | X86_VECTOR_GP |
                FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_EXCEPTION));
}

/* It goes on in real mode, to where fake processors would not. */
static bool takes_vm(const struct truth_difference *difference)
{
    return (truth_before(difference, VMCS_GUEST_RFLAGS) & X86_RFLAGS_VM) != 0 &&
           (truth_before(difference, VMCS_GUEST_CR0) & X86_CR0_PE) == 0 &&
           reason_of_fake(difference) == REFUSED &&
           (reason_of_real(difference) & VMX_REASON_ENTRY_FAILURE) == 0;
}

static bool rf_of_faults(const struct truth_difference *difference)
{
    uint64_t reason = reason_of_real(difference);

    return difference->field == VMCS_GUEST_RFLAGS &&
           (reason == VMX_REASON_EXCEPTION_NMI ||
            reason == VMX_REASON_EPT_VIOLATION) &&
           difference->expected == (difference->found | X86_RFLAGS_RF);
}

static bool shadow_is_lost(const struct truth_difference *difference)
{
    return difference->field == VMCS_GUEST_INTERRUPTIBILITY_STATE &&
           difference->found == (difference->expected &
                                 ~(VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS));
}

static bool plain_refusal(const struct truth_difference *difference)
{
    return difference->field == VMCS_EXIT_QUALIFICATION &&
           reason_of_fake(difference) == REFUSED &&
           reason_of_real(difference) == REFUSED &&
           difference->expected == VMX_ENTRY_FAILURE_NMI &&
           difference->found == 0;
}

static bool was_blocked(const struct truth_difference *difference)
{
    return (truth_before(difference, VMCS_GUEST_INTERRUPTIBILITY_STATE) &
            (VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS)) != 0;
}

static bool pending_step(const struct truth_difference *difference)
{
    return difference->field == VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS &&
           was_blocked(difference) &&
           ((difference->expected ^ difference->found) &
            ~(VMX_PENDING_BS | VMX_PENDING_B | VMX_PENDING_ENABLED)) == 0;
}

/* Of an instruction that exits. */
static bool steps_exit(const struct truth_difference *difference)
{
    return difference->field == VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS &&
           !was_blocked(difference) &&
           (truth_before(difference, VMCS_GUEST_RFLAGS) & X86_RFLAGS_TF) != 0 &&
           difference->found == (difference->expected | VMX_PENDING_BS);
}

/* In real mode, where exceptions have no error code. */
static bool error_of_real(const struct truth_difference *difference)
{
    return (difference->field == VMCS_EXIT_INTERRUPTION_INFO ||
            difference->field == VMCS_EXIT_INTERRUPTION_ERROR_CODE) &&
           (truth_real(difference, VMCS_GUEST_CR0) & X86_CR0_PE) == 0 &&
           truth_real(difference, VMCS_EXIT_INTERRUPTION_INFO) ==
               (truth_fake(difference, VMCS_EXIT_INTERRUPTION_INFO) |
                VMX_EVENT_ERROR_CODE);
}

/* Breakpoints that are not enabled. */
static bool pending_breakpoints(const struct truth_difference *difference)
{
    return difference->field == VMCS_EXIT_QUALIFICATION &&
           reason_of_fake(difference) == VMX_REASON_EXCEPTION_NMI &&
           (truth_before(difference, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) &
            VMX_PENDING_ENABLED) == 0 &&
           difference->found == (difference->expected & ~VMX_PENDING_B);
}

/* A breakpoint that is enabled, and none that it is. */
static bool pending_nothing(struct truth_machine *machine)
{
    uint64_t pending = field(machine, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);

    if ((pending & (VMX_PENDING_B | VMX_PENDING_BS)) != 0 ||
        (pending & VMX_PENDING_ENABLED) == 0)
        return false;
    put(machine, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    return true;
}

static bool injects(const struct truth_machine *machine)
{
    return (field(machine, VMCS_ENTRY_INTERRUPTION_INFO) & VMX_EVENT_VALID) !=
           0;
}

static bool injects_mtf(const struct truth_difference *difference)
{
    return (difference->field == VMCS_GUEST_ACTIVITY_STATE ||
            difference->field == VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) &&
           injects(difference->machine) &&
           reason_of_real(difference) == VMX_REASON_MONITOR_TRAP_FLAG &&
           difference->found == 0;
}

/* By a window, though the timer comes first. */
static bool is_woken(const struct truth_difference *difference)
{
    return difference->field == VMCS_GUEST_ACTIVITY_STATE &&
           reason_of_real(difference) == VMX_REASON_PREEMPTION_TIMER &&
           (truth_before(difference, VMCS_PRIMARY_CONTROLS) &
            (VMX_CPU_INTERRUPT_WINDOW_EXITING | VMX_CPU_NMI_WINDOW_EXITING)) !=
               0 &&
           difference->found == VMX_ACTIVITY_ACTIVE;
}

static bool steps_late(struct truth_machine *machine)
{
    uint64_t controls = field(machine, VMCS_PRIMARY_CONTROLS);
    uint64_t event = field(machine, VMCS_ENTRY_INTERRUPTION_INFO);

    if ((controls & VMX_CPU_MONITOR_TRAP_FLAG) == 0 || !injects(machine) ||
        FIELD_GET(VMX_EVENT_TYPE, event) == VMX_EVENT_OTHER)
        return false;
    put(machine, VMCS_PRIMARY_CONTROLS, controls & ~VMX_CPU_MONITOR_TRAP_FLAG);
    return true;
}

static bool timer_waits(struct truth_machine *machine)
{
    uint64_t controls = field(machine, VMCS_PIN_CONTROLS);

    if ((controls & VMX_PIN_PREEMPTION_TIMER) == 0 || injects(machine) ||
        (field(machine, VMCS_GUEST_INTERRUPTIBILITY_STATE) &
         (VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS)) == 0)
        return false;
    put(machine, VMCS_PIN_CONTROLS, controls & ~VMX_PIN_PREEMPTION_TIMER);
    return true;
}

static bool shutdown_interrupts(const struct truth_difference *difference)
{
    return difference->field == VMCS_GUEST_RFLAGS &&
           truth_before(difference, VMCS_GUEST_ACTIVITY_STATE) ==
               VMX_ACTIVITY_SHUTDOWN &&
           difference->found == (difference->expected & ~X86_RFLAGS_IF);
}

static bool late_accessed(const struct truth_difference *difference)
{
    uint64_t reason = reason_of_real(difference);

    return truth_is_late_accessed(difference) &&
           reason == reason_of_fake(difference) &&
           (reason == VMX_REASON_EPT_VIOLATION ||
            reason == VMX_REASON_EXCEPTION_NMI);
}

/* The handler's first instruction has been fetched. */
static bool early_fetch(const struct truth_difference *difference)
{
    uint64_t reason = reason_of_real(difference);

    return truth_is_of_walks(difference) &&
           reason == reason_of_fake(difference) &&
           (reason == VMX_REASON_PREEMPTION_TIMER ||
            reason == VMX_REASON_NMI_WINDOW ||
            reason == VMX_REASON_INTERRUPT_WINDOW) &&
           injects(difference->machine);
}

static bool mov_dr_exits_first(const struct truth_difference *difference)
{
    return reason_of_fake(difference) == VMX_REASON_EXCEPTION_NMI &&
           reason_of_real(difference) == VMX_REASON_MOV_DR &&
           truth_fake(difference, VMCS_EXIT_INTERRUPTION_INFO) ==
               (VMX_EVENT_VALID | VMX_EVENT_ERROR_CODE | X86_VECTOR_GP |
                FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_EXCEPTION));
}

static bool real_mode_code(const struct truth_difference *difference)
{
    return difference->field == VMCS_GUEST_CS_ACCESS_RIGHTS &&
           (truth_real(difference, VMCS_GUEST_CR0) & X86_CR0_PE) == 0 &&
           difference->found ==
               ((difference->expected & ~VMX_AR_TYPE) | DATA_TYPE);
}

static bool no_l_of_system(const struct truth_difference *difference)
{
    return (difference->field == VMCS_GUEST_TR_ACCESS_RIGHTS ||
            difference->field == VMCS_GUEST_LDTR_ACCESS_RIGHTS) &&
           difference->found == (difference->expected & ~VMX_AR_L);
}

static bool rsp_high(const struct truth_difference *difference)
{
    return difference->field == VMCS_GUEST_RSP && !is_64bit(difference) &&
           (uint32_t)difference->found == (uint32_t)difference->expected;
}

const struct truth_departure truth_vmx_bochs[] = {
    {"cs-dpl", "29.3.1.2", "the DPL of CS equals that of SS",
     "it equals the RPL of CS", .rule = "vmx-guest-cs-dpl", .when = is_of_rpl},
    {"cs-rpl", "29.3.1.2", "no rule has the RPL of CS but by that of SS",
     "a guest is refused if it is not the DPL, or below that of conforming "
     "code",
     .explains = refuses_rpl},
    {"cpl", "27.4.1", "the privilege level is the DPL of SS",
     "it is the RPL of CS", .explains = rpl_is_cpl},
    {"debugctl", "29.3.1.1", "reserved bits of IA32_DEBUGCTL are 0",
     "that is not checked", .rule = "vmx-guest-debugctl"},
    {"long-pg", "29.3.1.1", "a guest in IA-32e mode has CR0.PG",
     "that is not checked", .rule = "vmx-guest-long-pg"},
    {"hlt-event", "29.3.1.5",
     "a guest that is halted takes only some exceptions",
     "it takes all of them", .rule = "vmx-guest-activity-hlt-event"},
    {"nmi-blocked", "29.3.1.5",
     "no NMI is injected while virtual NMIs are blocked", "that is not checked",
     .rule = "vmx-guest-blocking-nmi"},
    {"guest-perf", "29.3.1.1",
     "reserved bits of IA32_PERF_GLOBAL_CTRL are 0 if an entry loads it",
     "that is not checked", .rule = "vmx-guest-perf-global-ctrl"},
    {"host-perf", "29.2.2",
     "reserved bits of IA32_PERF_GLOBAL_CTRL are 0 if an exit loads it",
     "that is not checked", .rule = "vmx-host-perf-global-ctrl"},
    {"msr-smm", "29.4", "an entry loads no MSR that is written in SMM only",
     "that is not checked", .rule = "vmx-msr-smm"},
    {"msr-model", "29.4",
     "an entry loads no MSR that the processor's model leaves out",
     "that is not checked", .rule = "vmx-msr-model"},
    {"pending-bs", "29.3.1.5",
     "BS is pending if RFLAGS.TF is set, DEBUGCTL.BTF clear, and debug "
     "exceptions are blocked or the guest halted",
     "that is not checked", .rule = "vmx-guest-pending-bs"},
    {"pending-no-bs", "29.3.1.5", "BS is pending only then",
     "that is not checked", .rule = "vmx-guest-pending-no-bs"},
    {"rip", "29.3.1.4", "RIP is canonical in 64-bit mode",
     "that is not checked: the fetch is a #GP", .explains = rip_is_fetched},
    {"rflags-vm", "29.3.1.4", "RFLAGS.VM is 0 if CR0.PE is",
     "that is not checked", .explains = takes_vm},
    {"smm", "29.2.1.3", "an entry to SMM from outside of it is VMfailValid(7)",
     "it is refused as of the guest's state", .explains = refuses_smm_late},
    {"rf-of-faults", "30.3.3", "an exit by a fault saves RFLAGS.RF as 1",
     "it saves RF as it was", .explains = rf_of_faults},
    {"shadow", "30.3.4",
     "an exit by an instruction that STI or MOV SS shadows has not ended that",
     "it has", .explains = shadow_is_lost},
    {"nmi-sti", "29.8",
     "an NMI for a guest that is blocked by STI: the exit's qualification is 3",
     "it is 0", .explains = plain_refusal},
    {"pending-step", "30.3.4",
     "an exit while MOV SS blocks debug exceptions saves which are pending; BS "
     "is saved as entries want it",
     "it saves BS as it was loaded, and loses others",
     .explains = pending_step},
    {"steps-exit", "30.3.4",
     "an exit clears pending debug exceptions, but in a shadow",
     "a single step of the instruction that exits is pending now and then",
     .explains = steps_exit},
    {"error-of-real", "30.2.2",
     "an exception that exits in real mode has no error code", "it has",
     .explains = error_of_real},
    {"msr-x2apic", "29.4", "an entry loads no MSR of the local APIC",
     "a processor without x2APIC does not check that", .rule = "vmx-msr-x2apic",
     .shown_by = "bochs-arrandale"},
    {"pending-breakpoints", "30.2.1",
     "the qualification of a debug exception tells of breakpoints that are not "
     "enabled, too",
     "it does not tell of them", .explains = pending_breakpoints},
    {"pending-nothing", "29.7.3",
     "debug exceptions are pending if the bit of enabled breakpoints is set",
     "which one it is must be told, too", .adjust = pending_nothing},
    {"mtf-injection", "29.6.2",
     "an MTF exit that is injected is no vectored event: the guest's activity "
     "state and pending debug exceptions stay",
     "the guest becomes active, and forgets them", .explains = injects_mtf,
     .shown_by = "bochs-tigerlake"},
    {"woken", "30.3.4",
     "an exit saves the activity state that the guest has been in",
     "a window makes it active, even if the exit is the timer's",
     .explains = is_woken, .shown_by = "bochs-tigerlake"},
    {"mtf-late", "28.5.2",
     "with an event that is injected, a MTF exit comes before the first "
     "instruction",
     "it comes behind it", .adjust = steps_late, .shown_by = "bochs-tigerlake"},
    {"timer-shadow", "29.7.4",
     "a timer that has run out in the entry exits before any instruction",
     "STI and MOV SS block that", .adjust = timer_waits},
    {"shutdown-if", "29.3.2.3",
     "an entry loads RFLAGS, whatever the activity state",
     "one to the shutdown state clears IF", .explains = shutdown_interrupts},
    {"late-accessed", "5.8", "accessed bits are set as the tables are used",
     "all are set at the end of a walk that has succeeded",
     .explains = late_accessed},
    {"early-fetch", "29.7.4",
     "a timer that has run out, or a window, exits before any instruction",
     "the page of a handler's first one has been accessed",
     .explains = early_fetch},
    {"mov-dr", "28.1.1",
     "an exception for the privilege level comes before an instruction's exit",
     "MOV DR's exit comes first", .explains = mov_dr_exits_first},
    {"error-type", "29.2.1.3",
     "only hardware exceptions are injected with an error code",
     "where exceptions may have one or none, that is not checked",
     .rule = "vmx-event-error-type", .shown_by = "bochs-tigerlake"},
    {"error-real", "29.2.1.3", "no error code is injected in real mode",
     "where exceptions may have one or none, that is not checked",
     .rule = "vmx-event-error-real", .shown_by = "bochs-tigerlake"},
    {"real-mode-code", "29.3.2.2", "an entry loads the type of CS",
     "in real mode it becomes writable data", .explains = real_mode_code},
    {"l-of-system", "29.3.2.2",
     "an entry loads bit 13 of the access rights of LDTR and TR", "it loads 0",
     .explains = no_l_of_system},
    {"rsp-high", "volume 1, 3.4.1.1",
     "outside of 64-bit mode, the upper half of RSP is undefined",
     "an entry loads 0", .explains = rsp_high},
};

const unsigned truth_vmx_bochs_count = ARRAY_SIZE(truth_vmx_bochs);
