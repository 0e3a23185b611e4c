/* SPDX-License-Identifier: Apache-2.0 */
/* Where QEMU 7.2's SVM departs from AMD's manual (APM volume 2). */
#include "arch/x86_64/svm/vmcb.h"
#include "tests/truth/departures.h"
#include "tests/truth/ops.h"

#define ALL_ONES_32 UINT32_MAX

/* Not checked ------------------------------------------------------------- */

/* State ------------------------------------------------------------------- */

/* The privilege level is that of the stack. */
static bool cpl_of_ss(struct truth_machine *machine)
{
    struct vmcb_save *save = &truth_vmcb(machine)->save;
    uint8_t cpl = (uint8_t)FIELD_GET(VMCB_ATTRIB_DPL, save->ss.attrib);
    bool differs = cpl != save->cpl;

    save->cpl = cpl;
    return differs;
}

static bool shadow_is_lost(struct truth_machine *machine)
{
    struct vmcb_control *control = &truth_vmcb(machine)->control;
    bool had = (control->interrupt_shadow & SHADOW_INTERRUPT) != 0;

    control->interrupt_shadow = 0;
    return had;
}

static bool sysenter_cs_is_short(struct truth_machine *machine)
{
    struct vmcb_save *save = &truth_vmcb(machine)->save;
    bool differs = save->sysenter_cs > UINT32_MAX;

    save->sysenter_cs &= UINT32_MAX;
    return differs;
}

/* The low half of RFLAGS is loaded as it is. */

static bool no_intercept(struct truth_machine *machine,
                         enum svm_intercept intercept)
{
    struct vmcb_control *control = &truth_vmcb(machine)->control;
    bool had = vmcb_intercepts(control, intercept);

    vmcb_set_intercept(control, intercept, false);
    return had;
}

static bool invd_stays(struct truth_machine *machine)
{
    return no_intercept(machine, INTERCEPT_INVD);
}

static bool error_code_by_vector(struct truth_machine *machine)
{
    struct vmcb_control *control = &truth_vmcb(machine)->control;
    uint64_t event = control->eventinj;
    uint64_t vector = FIELD_GET(EVENT_VECTOR, event);
    bool has_code = FIELD_GET(EVENT_TYPE, event) == EVENT_TYPE_EXCEPTION &&
                    vector < X86_EXCEPTIONS &&
                    (X86_ERROR_CODE_VECTORS & BIT(vector)) != 0;

    if ((event & EVENT_V) == 0 || ((event & EVENT_EV) != 0) == has_code)
        return false;
    control->eventinj ^= EVENT_EV;
    return true;
}

static bool xsetbv_stays(struct truth_machine *machine)
{
    return no_intercept(machine, INTERCEPT_XSETBV);
}

/* Bits 39:32 of CR3 count where long mode would have them. */
static bool has_wide_cr3(const struct truth_machine *machine)
{
    const struct vmcb *vmcb = machine->control;

    return vmcb->save.cr3 < BIT(40);
}

/* Only PCIDE is one too many. */
static bool has_pcide(const struct truth_machine *machine)
{
    const struct vmcb *vmcb = machine->control;

    return (vmcb->save.cr4 & X86_CR4_PCIDE) != 0;
}

/* Single fields ----------------------------------------------------------- */

static bool is_refused(const struct truth_difference *difference)
{
    return truth_fake(difference, SVM_CONTROL(exitcode)) == ALL_ONES_32 &&
           truth_real(difference, SVM_CONTROL(exitcode)) == ALL_ONES_32;
}

static bool refused_state(const struct truth_difference *difference)
{
    return is_refused(difference) && difference->field != SVM_CONTROL(exitcode);
}

static bool eventinj_is_cleared(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(eventinj) &&
           difference->found == (difference->expected & ~UINT64_C(0xffffffff));
}

/* With V, or cleared of it by the delivery. */
static bool exitintinfo_is_eventinj(const struct truth_difference *difference)
{
    uint64_t event = truth_before(difference, SVM_CONTROL(eventinj));

    return difference->field == SVM_CONTROL(exitintinfo) &&
           (difference->found == event ||
            difference->found == (event & ~EVENT_V));
}

static uint64_t exit_of_both(const struct truth_difference *difference)
{
    uint64_t code = truth_fake(difference, SVM_CONTROL(exitcode));

    return code == truth_real(difference, SVM_CONTROL(exitcode)) ? code : 0;
}

static bool no_address_size(const struct truth_difference *difference)
{
    const uint64_t sizes = IOIO_A16 | IOIO_A32 | IOIO_A64;

    return exit_of_both(difference) == VMEXIT_IOIO &&
           difference->field == SVM_CONTROL(exitinfo1) &&
           difference->found == (difference->expected & ~sizes);
}

static bool reserved_and_absent(const struct truth_difference *difference)
{
    return exit_of_both(difference) == VMEXIT_EXCP0 + X86_VECTOR_PF &&
           difference->field == SVM_CONTROL(exitinfo1) &&
           (difference->expected & X86_FAULT_RSV) != 0 &&
           difference->found == (difference->expected & ~X86_FAULT_P);
}

static bool has_no_icebp(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(exitcode) &&
           difference->expected == VMEXIT_ICEBP &&
           difference->found == VMEXIT_EXCP0 + X86_VECTOR_UD;
}

static bool xsetbv_level_first(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(exitcode) &&
           truth_ops[difference->one->op].op.kind == OP_X86_XSETBV &&
           truth_fake(difference, SVM_SAVE(cpl)) != 0 &&
           difference->expected == VMEXIT_EXCP0 + X86_VECTOR_UD &&
           difference->found == VMEXIT_EXCP0 + X86_VECTOR_GP;
}

static bool rflags_low(const struct truth_difference *difference)
{
    uint64_t before = truth_before(difference, SVM_SAVE(rflags));

    return difference->field == SVM_SAVE(rflags) &&
           ((difference->found ^ difference->expected) &
            ~(before & (RFLAGS_RESERVED_LOW | X86_RFLAGS_RF))) == 0;
}

static bool svm_in_vm86(const struct truth_difference *difference)
{
    unsigned kind = truth_ops[difference->one->op].op.kind;

    return difference->field == SVM_CONTROL(exitcode) &&
           (kind == OP_X86_LLDT ||
            (kind >= OP_X86_VMRUN && kind <= OP_X86_INVLPGA)) &&
           (truth_before(difference, SVM_SAVE(rflags)) & X86_RFLAGS_VM) != 0 &&
           difference->expected == VMEXIT_EXCP0 + X86_VECTOR_UD &&
           difference->found == VMEXIT_EXCP0 + X86_VECTOR_GP;
}

/* On the stack, too. */
static bool pdpte_accessed(const struct truth_difference *difference)
{
    return truth_is_pdpte_accessed(difference);
}

static bool sti_shadows(const struct truth_difference *difference)
{
    return difference->field == SVM_CONTROL(interrupt_shadow) &&
           truth_ops[difference->one->op].op.kind == OP_X86_STI &&
           (truth_before(difference, SVM_SAVE(rflags)) & X86_RFLAGS_IF) != 0 &&
           difference->found == (difference->expected | SHADOW_INTERRUPT);
}

/* In the delivery of an interrupt. */
static bool no_ext(const struct truth_difference *difference)
{
    uint64_t event = truth_before(difference, SVM_CONTROL(eventinj));
    uint64_t code = exit_of_both(difference);

    return difference->field == SVM_CONTROL(exitinfo1) &&
           (code == VMEXIT_EXCP0 + X86_VECTOR_GP ||
            code == VMEXIT_EXCP0 + X86_VECTOR_NP) &&
           (event & EVENT_V) != 0 &&
           FIELD_GET(EVENT_TYPE, event) != EVENT_TYPE_SOFT &&
           difference->found == (difference->expected & ~UINT64_C(1));
}

const struct truth_departure truth_svm_qemu[] = {
    {"asid-limit", "15.16",
     "ASIDs from 0 to NASID - 1 are supported, as CPUID says; VMRUN with "
     "another one fails",
     "any ASID but 0 is taken", .rule = "vmcb-asid-limit"},
    {"tlb-control", "15.16.1", "other encodings of TLB_CONTROL are reserved",
     "they do nothing", .rule = "vmcb-tlb-control"},
    {"g-pat", "15.25.4", "a reserved type or bit in G_PAT makes VMRUN fail",
     "G_PAT is not read", .rule = "vmcb-g-pat"},
    {"event-vector", "15.20",
     "an exception whose vector is none makes VMRUN fail",
     "only vectors 2 and those from 31 on do", .rule = "vmcb-event-vector"},
    {"cpl-of-ss", "15.5.1", "the VMCB's CPL is the guest's", "SS.DPL is",
     .adjust = cpl_of_ss},
    {"interrupt-shadow", "15.21.5",
     "INTERRUPT_SHADOW says that the guest is in one when it is entered",
     "it is not loaded", .adjust = shadow_is_lost},
    {"sysenter-cs", "15.5.2", "VMLOAD loads SYSENTER_CS, of 64 bits",
     "it has 32 bits", .adjust = sysenter_cs_is_short},
    {"invd", "15.9", "bit 22 intercepts INVD", "it does not",
     .adjust = invd_stays},
    {"cr4-pcide", "15.5.1", "CR4 bits that the processor does not have are MBZ",
     "PCIDE is taken, though CPUID does not have it", .rule = "vmcb-cr4",
     .when = has_pcide},
    {"error-code", "15.20", "EVENTINJ.EV says whether an error code is pushed",
     "the vector does", .adjust = error_code_by_vector},
    {"ioio-address-size", "15.10.2",
     "EXITINFO1 bits 9:7 are the address size of the instruction",
     "they are zero but for strings", .explains = no_address_size},
    {"reserved-and-absent", "8.4.2",
     "a page fault for a reserved bit has P set in its error code",
     "it is clear", .explains = reserved_and_absent},
    {"icebp", "15.9", "bit 14 of word 4 intercepts ICEBP",
     "the instruction is not known", .explains = has_no_icebp},
    {"xsetbv-level", "8.2", "XSETBV without CR4.OSXSAVE is #UD",
     "the privilege level comes first: #GP", .explains = xsetbv_level_first},
    {"xsetbv", "15.9", "bit 13 of word 4 intercepts XSETBV", "it does not",
     .adjust = xsetbv_stays},
    {"cr3-legacy", "15.5.1", "outside long mode, CR3 bits 63:32 are MBZ",
     "only those beyond physical addresses are", .rule = "vmcb-cr3",
     .when = has_wide_cr3},
    {"vm86", "volume 3",
     "LLDT and SVM's instructions are #UD in virtual-8086 mode",
     "they are #GP, as for any program", .explains = svm_in_vm86},
    {"rflags-pushed", "3.1.4", "RFLAGS 63:22, 15, 5 and 3 read as zero",
     "they are pushed as they were loaded",
     .explains = truth_rflags_are_pushed},
    {"refused-state", "15.5.1",
     "an entry that is refused has not begun: the guest's state stays",
     "the VMCB gets what was loaded so far, of the guest and of the host",
     .explains = refused_state},
    {"eventinj-cleared", "15.20", "VMRUN clears EVENTINJ.V",
     "the whole lower half is cleared", .explains = eventinj_is_cleared},
    {"exitintinfo", "15.7.2",
     "EXITINTINFO has an event whose delivery the exit has interrupted",
     "it has the EVENTINJ of the entry, whatever became of it",
     .explains = exitintinfo_is_eventinj},
    {"rflags", "3.1.4", "RFLAGS 63:22, 15, 5 and 3 read as zero",
     "the lower half stays as it was loaded, and RF when an instruction is "
     "complete",
     .explains = rflags_low},
    {"sti", "volume 3, STI",
     "an interrupt shadow follows an STI that has enabled interrupts",
     "it follows any STI", .explains = sti_shadows, .shown_by = ""},
    {"ext", "8.4.1",
     "bit 0 of an error code says that the event is not of an instruction",
     "it is 0 with an event that is injected", .explains = no_ext,
     .shown_by = ""},
    {"pdpte-accessed", "5.2.3",
     "bit 5 of a page-directory-pointer entry in legacy mode is reserved",
     "it is set, as if it were the accessed bit", .explains = pdpte_accessed},
};

const unsigned truth_svm_qemu_count = ARRAY_SIZE(truth_svm_qemu);
