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

static bool pending_step(const struct truth_difference *difference)
{
    return difference->field == VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS &&
           ((difference->expected ^ difference->found) &
            ~(VMX_PENDING_BS | VMX_PENDING_B)) == 0 &&
           ((difference->expected ^ difference->found) & VMX_PENDING_BS) != 0;
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
           difference->found == (uint32_t)difference->expected;
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
     "an exit saves BS as pending if a single step is, and was not delivered",
     "it saves BS as it was loaded, and loses others",
     .explains = pending_step},
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
