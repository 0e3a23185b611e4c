/* SPDX-License-Identifier: Apache-2.0 */
/* Where Bochs 2.7's SVM departs from AMD's manual (APM volume 2). */
#include "arch/x86_64/svm/vmcb.h"
#include "tests/truth/departures.h"
#include "tests/truth/ops.h"

#define CANONICAL_BITS 48
#define DATA_TYPE      3 /* written to, accessed */

static uint64_t exit_of_fake(const struct truth_difference *difference)
{
    return truth_fake(difference, SVM_CONTROL(exitcode));
}

static uint64_t exit_of_real(const struct truth_difference *difference)
{
    return truth_real(difference, SVM_CONTROL(exitcode));
}

/* State ------------------------------------------------------------------- */

static bool put(uint64_t *field, uint64_t value)
{
    bool differs = *field != value;

    *field = value;
    return differs;
}

static bool short_msrs(struct truth_machine *machine)
{
    struct vmcb_save *save = &truth_vmcb(machine)->save;
    bool cs = put(&save->sysenter_cs, save->sysenter_cs & UINT32_MAX);
    bool mask = put(&save->sfmask, save->sfmask & UINT32_MAX);

    return cs || mask;
}

static uint64_t canonical(uint64_t address)
{
    return (uint64_t)sign_extend(address, CANONICAL_BITS);
}

static bool canonical_msrs(struct truth_machine *machine)
{
    struct vmcb_save *save = &truth_vmcb(machine)->save;
    bool lstar = put(&save->lstar, canonical(save->lstar));
    bool cstar = put(&save->cstar, canonical(save->cstar));
    bool esp = put(&save->sysenter_esp, canonical(save->sysenter_esp));
    bool eip = put(&save->sysenter_eip, canonical(save->sysenter_eip));

    return lstar || cstar || esp || eip;
}

/* The stack is of the guest's privilege level. */
static bool ss_of_cpl(struct truth_machine *machine)
{
    struct vmcb_save *save = &truth_vmcb(machine)->save;
    uint16_t before = save->ss.attrib;

    save->ss.attrib = (uint16_t)((before & ~VMCB_ATTRIB_DPL) |
                                 FIELD_PUT(VMCB_ATTRIB_DPL, save->cpl));
    return save->ss.attrib != before;
}

static bool dr7_fixed(struct truth_machine *machine)
{
    struct vmcb_save *save = &truth_vmcb(machine)->save;

    return put(&save->dr7, save->dr7 | X86_DR7_RESET);
}

static bool cr2_is_lost(struct truth_machine *machine)
{
    return put(&truth_vmcb(machine)->save.cr2, 0);
}

/* Single fields ----------------------------------------------------------- */

static bool refused_state(const struct truth_difference *difference)
{
    return exit_of_fake(difference) == VMEXIT_INVALID &&
           exit_of_real(difference) == VMEXIT_INVALID &&
           difference->field != SVM_CONTROL(exitcode);
}

/* Refused, as it is not in 64-bit mode. */
static bool refuses_l_and_d(const struct truth_difference *difference)
{
    const uint64_t both = VMCB_ATTRIB_L | VMCB_ATTRIB_D;

    return exit_of_fake(difference) != VMEXIT_INVALID &&
           exit_of_real(difference) == VMEXIT_INVALID &&
           (truth_before(difference, SVM_SAVE(cs.attrib)) & both) == both;
}

static bool nrip_of_faults(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(nrip) &&
           difference->expected == 0 &&
           difference->found - truth_real(difference, SVM_SAVE(rip)) <=
               TRUTH_MAX_CODE;
}

static bool real_mode_code(const struct truth_difference *difference)
{
    return difference->field == SVM_SAVE(cs.attrib) &&
           (truth_real(difference, SVM_SAVE(cr0)) & X86_CR0_PE) == 0 &&
           difference->found ==
               ((difference->expected & ~VMCB_ATTRIB_TYPE) | DATA_TYPE);
}

static bool no_l_of_data(const struct truth_difference *difference)
{
    static const uint16_t fields[] = {
        SVM_SAVE(es.attrib), SVM_SAVE(ss.attrib), SVM_SAVE(ds.attrib),
        SVM_SAVE(fs.attrib), SVM_SAVE(gs.attrib), SVM_SAVE(ldtr.attrib)};

    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (difference->field == fields[i])
            return difference->found == (difference->expected & ~VMCB_ATTRIB_L);
    }
    return false;
}

static bool rflags_low(const struct truth_difference *difference)
{
    uint64_t before = truth_before(difference, SVM_SAVE(rflags));
    uint64_t loaded =
        (before & RFLAGS_RESERVED_LOW) | (~before & X86_RFLAGS_FIXED);

    return difference->field == SVM_SAVE(rflags) &&
           ((difference->found ^ difference->expected) & ~loaded &
            ~X86_RFLAGS_RF) == 0;
}

static bool exitintinfo_high(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(exitintinfo) &&
           (difference->found & EVENT_V) == 0 &&
           difference->found ==
               (truth_before(difference, SVM_CONTROL(exitintinfo)) &
                EVENT_ERRORCODE);
}

static bool shadow_is_lost(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(interrupt_shadow) &&
           difference->expected == SHADOW_INTERRUPT && difference->found == 0;
}

static bool short_error_code(const struct truth_difference *difference)
{
    uint64_t event = truth_before(difference, SVM_CONTROL(eventinj));

    return difference->field == TRUTH_PAGE + (LAYOUT_STACK - 1) / PAGE_SIZE &&
           difference->found != 0 && difference->expected != 0 &&
           (event & EVENT_V) != 0 && (event & EVENT_EV) != 0 &&
           FIELD_GET(EVENT_ERRORCODE, event) > UINT16_MAX;
}

/* Outside 64-bit mode, where there is no RSP. */
static bool rsp_high(const struct truth_difference *difference)
{
    const uint64_t l = VMCB_ATTRIB_L;
    bool is_64bit =
        (truth_fake(difference, SVM_SAVE(efer)) & X86_EFER_LMA) != 0 &&
        (truth_before(difference, SVM_SAVE(cs.attrib)) & l) != 0;

    return difference->field == SVM_SAVE(rsp) && !is_64bit &&
           (uint32_t)difference->found == (uint32_t)difference->expected;
}

static unsigned op_of(const struct truth_difference *difference)
{
    return truth_ops[difference->one->op].op.kind;
}

static bool cr0_is_checked(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(exitcode) &&
           op_of(difference) == OP_X86_WRITE_CR &&
           difference->expected == VMEXIT_CR0_WRITE &&
           difference->found == VMEXIT_EXCP0 + X86_VECTOR_GP;
}

static bool xsetbv_exits_first(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(exitcode) &&
           truth_fake(difference, SVM_SAVE(cpl)) != 0 &&
           difference->expected == VMEXIT_EXCP0 + X86_VECTOR_GP &&
           difference->found == VMEXIT_XSETBV;
}

static bool efer_of_new_cr0(const struct truth_difference *difference)
{
    return difference->field == SVM_SAVE(efer) &&
           exit_of_real(difference) == VMEXIT_CR0_WRITE &&
           difference->found == (difference->expected & ~X86_EFER_LMA);
}

static bool rsm_is_unknown(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(exitcode) &&
           difference->expected == VMEXIT_RSM &&
           difference->found == VMEXIT_EXCP0 + X86_VECTOR_UD;
}

static bool late_accessed(const struct truth_difference *difference)
{
    uint64_t code = exit_of_real(difference);

    return truth_is_late_accessed(difference) &&
           code == exit_of_fake(difference) &&
           (code == VMEXIT_NPF || code == VMEXIT_EXCP0 + X86_VECTOR_PF);
}

const struct truth_departure truth_svm_bochs[] = {
    {"cr3", "15.5.1", "MBZ bits of CR3 make VMRUN fail", "they are not checked",
     .rule = "vmcb-cr3"},
    {"asid-limit", "15.16",
     "ASIDs from 0 to NASID - 1 are supported, as CPUID says; VMRUN with "
     "another one fails",
     "any ASID but 0 is taken", .rule = "vmcb-asid-limit"},
    {"tlb-control", "15.16.1", "other encodings of TLB_CONTROL are reserved",
     "they do nothing", .rule = "vmcb-tlb-control"},
    {"iopm", "15.5.1",
     "an IOIO permission map that ends above the physical addresses makes "
     "VMRUN fail",
     "its address is not checked", .rule = "vmcb-iopm"},
    {"msrpm", "15.5.1",
     "an MSR permission map that ends above the physical addresses makes "
     "VMRUN fail",
     "its address is not checked", .rule = "vmcb-msrpm"},
    {"event-vector", "15.20",
     "an exception whose vector is none makes VMRUN fail",
     "only vectors 2 and those from 32 on do", .rule = "vmcb-event-vector"},
    {"short-msrs", "15.5.2", "VMLOAD loads SYSENTER_CS and SFMASK, of 64 bits",
     "they have 32 bits", .adjust = short_msrs},
    {"canonical-msrs", "15.5.2",
     "VMLOAD makes base addresses canonical, and no other MSRs",
     "it makes LSTAR, CSTAR, SYSENTER_ESP and _EIP so, too",
     .adjust = canonical_msrs},
    {"interrupt-shadow", "15.21.5",
     "INTERRUPT_SHADOW says that the guest is in one when it is entered",
     "a HLT or an exception that exits has ended it",
     .explains = shadow_is_lost},
    {"ss-of-cpl", "15.5.1", "VMRUN loads SS as the VMCB has it",
     "its DPL becomes the CPL", .adjust = ss_of_cpl},
    {"efer-of-new-cr0", "15.9", "an intercepted MOV to CR0 has not happened",
     "EFER.LMA is already what CR0 would have made it",
     .explains = efer_of_new_cr0},
    {"dr7", "15.5.1", "VMRUN loads DR7", "bit 10 is always set",
     .adjust = dr7_fixed},
    {"cr2", "15.5.1", "VMRUN loads CR2", "it does not", .adjust = cr2_is_lost},
    {"refused-state", "15.5.1",
     "an entry that is refused has not begun: the guest's state stays",
     "the VMCB gets the host's state", .explains = refused_state},
    {"cs-l-and-d", "15.5.1", "CS.L and CS.D may both be set outside long mode",
     "they make VMRUN fail", .explains = refuses_l_and_d},
    {"nrip", "15.7.1", "nRIP is 0 but for intercepts of instructions",
     "it is where the processor is", .explains = nrip_of_faults},
    {"real-mode-code", "15.5.1", "VMRUN loads CS as the VMCB has it",
     "in real mode it becomes writable data", .explains = real_mode_code},
    {"l-of-data", "4.8.2", "the attributes have bit 9 of the descriptor",
     "only CS keeps it", .explains = no_l_of_data},
    {"rflags", "3.1.4", "RFLAGS 63:22, 15, 5 and 3 read as zero, bit 1 as one",
     "the lower half stays as it was loaded, and an intercepted instruction "
     "clears RF",
     .explains = rflags_low},
    {"rflags-pushed", "3.1.4", "RFLAGS 63:22, 15, 5 and 3 read as zero",
     "they are pushed as they were loaded",
     .explains = truth_rflags_are_pushed},
    {"exitintinfo", "15.7.2",
     "EXITINTINFO has an event whose delivery the exit has interrupted",
     "without one, its upper half stays as it was",
     .explains = exitintinfo_high},
    {"error-code", "8.9.1", "an error code of 32 bits is pushed",
     "its lower half is", .explains = short_error_code},
    {"rsp-high", "volume 1, 3.1.2",
     "outside 64-bit mode, the upper half of RSP is undefined after a push",
     "it stays, or is cleared, otherwise than here", .explains = rsp_high},
    {"cr0-is-checked", "15.9",
     "an intercepted MOV to CR0 exits, whatever the value",
     "a value that is #GP is so", .explains = cr0_is_checked},
    {"xsetbv", "15.9",
     "an exception for the privilege level comes before the intercept",
     "XSETBV's intercept comes first", .explains = xsetbv_exits_first},
    {"rsm", "15.9", "bit 19 of word 3 intercepts RSM",
     "outside of SMM, #UD comes first", .explains = rsm_is_unknown},
    {"late-accessed", "5.4.2",
     "an accessed bit is set the first time that the table is read",
     "all are set at the end of a walk that has succeeded",
     .explains = late_accessed},
};

const unsigned truth_svm_bochs_count = ARRAY_SIZE(truth_svm_bochs);
