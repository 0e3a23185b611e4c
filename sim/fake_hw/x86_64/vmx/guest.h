/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMX non-root operation and EPT of a fake CPU: what VM entries and VM exits
 * do, and what exits. Source: Intel SDM volume 3, the chapters on VMX non-root
 * operation, VM entries, VM exits, VMX support for address translation.
 *
 *   entry.c       a VM entry, from where it is legal
 *   exit.c        a VM exit: what it reports
 *   areas.c       the guest-state area and the host-state area
 *   msrs.c        lists of MSRs
 *   intercept.c   what exits by a control: instructions, registers, ports, MSRs
 *   report.c      what exits of instructions say
 *   event.c       exceptions and interrupts, windows, timer
 *   ept.c         EPT, through the TLB
 *   apic.c        virtualization of the local APIC
 *   hw.c          the functions of the seam
 *
 * Not modelled: SMM and dual-monitor treatment (an SMI comes and goes unseen),
 * a VMCS shadow in use, VM functions, page-modification logging, sub-page
 * permissions, mode-based execute control, virtualization exceptions, posted
 * interrupts, IPI virtualization, TSC scaling, processor trace, PDPTE registers
 * (the guest's are read from memory), single steps, start-up IPIs, and the HLT
 * state of a guest whose HLT does not exit: it has slept when HLT ends.
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_GUEST_H
#define SIM_FAKE_HW_X86_64_VMX_GUEST_H

#include "arch/x86_64/vmx/capability.h"
#include "arch/x86_64/vmx/exit.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"

/* The vector that the host's interrupt controller gives: nobody's, whose
 * interrupt it was is asked for elsewhere. */
#define FAKE_VMX_HOST_VECTOR 0xef

/* What of an EPTP tags mappings. */
#define VMX_EP4TA BIT_MASK(51, 12)

/* A field of the current VMCS. */
#define VMCS(cpu, name) ((cpu)->vmx.vmcs->field[VMCS_AT_##name])

static inline bool vmx_pin(const struct fake_x86 *cpu, uint64_t control)
{
    return (VMCS(cpu, PIN_CONTROLS) & control) != 0;
}

static inline bool vmx_cpu(const struct fake_x86 *cpu, uint64_t control)
{
    return (VMCS(cpu, PRIMARY_CONTROLS) & control) != 0;
}

static inline bool vmx_cpu2(const struct fake_x86 *cpu, uint64_t control)
{
    return vmx_cpu(cpu, VMX_CPU_SECONDARY_CONTROLS) &&
           (VMCS(cpu, SECONDARY_CONTROLS) & control) != 0;
}

static inline bool vmx_exit_control(const struct fake_x86 *cpu,
                                    uint64_t control)
{
    return (VMCS(cpu, EXIT_CONTROLS) & control) != 0;
}

static inline bool vmx_entry_control(const struct fake_x86 *cpu,
                                     uint64_t control)
{
    return (VMCS(cpu, ENTRY_CONTROLS) & control) != 0;
}

/* exit.c ------------------------------------------------------------------ */

/* What becomes of RFLAGS.RF. */
enum fake_vmx_rf {
    VMX_RF_KEPT,
    VMX_RF_CLEAR, /* an instruction exits */
    VMX_RF_SET,   /* it has faulted, and will be tried again */
};

struct fake_vmx_exit {
    uint32_t reason; /* enum vmx_reason */
    enum fake_vmx_rf rf;
    uint64_t qualification;
    uint32_t interruption, error; /* VMX_EVENT_...; 0: none */
    bool has_length;              /* of the instruction in flight */
    uint8_t length;               /* if it is not that one's */
};

/* A VM exit: the guest's state goes to the VMCS, the host's comes from it. */
void fake_vmx_exit(struct fake_x86 *cpu, const struct fake_vmx_exit *exit);

/* The same because of the operation in flight, at its RIP. */
void fake_vmx_op_exit(struct fake_x86 *cpu, const struct fake_vmx_exit *exit);

/* An instruction exits for what it is. */
void fake_vmx_insn_exit(struct fake_x86 *cpu, enum vmx_reason reason,
                        uint64_t qualification);

/* The end of a VM exit, or of an entry that fails late: what the host is
 * given. */
void fake_vmx_leave(struct fake_x86 *cpu);

/* areas.c ----------------------------------------------------------------- */

void fake_vmx_load_guest(struct fake_x86 *cpu);
void fake_vmx_save_guest(struct fake_x86 *cpu);
void fake_vmx_load_host(struct fake_x86 *cpu);
/* OP_X86_STATE: number is the encoding of a field of the guest-state area. */
void fake_vmx_set_state(struct fake_x86 *cpu);
/* Fills in the host-state area, legally. */
void fake_vmx_set_host_state(struct fake_x86 *cpu);

/* What an entry or an exit makes of EFER when it does not load it: the host's
 * or guest's, with LMA and LME as the mode is. */
uint64_t fake_vmx_efer(uint64_t efer, bool is_long);

/* msrs.c ------------------------------------------------------------------ */

/* The list of an entry. */
void fake_vmx_load_msrs(struct fake_x86 *cpu);
/* Those of an exit: the guest's to store, before, and the host's to load,
 * after the host-state area. */
void fake_vmx_store_msrs(struct fake_x86 *cpu);
void fake_vmx_load_host_msrs(struct fake_x86 *cpu);

/* intercept.c ------------------------------------------------------------- */

/* Those of struct fake_x86_vendor. */
bool fake_vmx_has_op(unsigned kind);
bool fake_vmx_op_exits(struct fake_x86 *cpu);
bool fake_vmx_read_cr_exits(struct fake_x86 *cpu, unsigned number);
bool fake_vmx_write_cr_exits(struct fake_x86 *cpu, unsigned number,
                             uint64_t value);
uint64_t fake_vmx_read_cr(const struct fake_x86 *cpu, unsigned number);
uint64_t fake_vmx_merge_cr(const struct fake_x86 *cpu, unsigned number,
                           uint64_t value);
bool fake_vmx_takes_cr(const struct fake_x86 *cpu, unsigned number,
                       uint64_t value);
bool fake_vmx_dr_exits(struct fake_x86 *cpu, unsigned number, bool write);
bool fake_vmx_msr_exits(struct fake_x86 *cpu, uint32_t msr, bool write);
bool fake_vmx_port_exits(struct fake_x86 *cpu);
bool fake_vmx_task_switch_exits(struct fake_x86 *cpu, uint64_t selector);
void fake_vmx_raw_exit(struct fake_x86 *cpu);

/* report.c ---------------------------------------------------------------- */

/* The VM-exit instruction information of the operation in flight; 0 of those
 * that have none. */
uint32_t fake_vmx_insn_info(const struct fake_x86 *cpu);

/* event.c ----------------------------------------------------------------- */

bool fake_vmx_exception_exits(struct fake_x86 *cpu, unsigned vector,
                              uint64_t error, uint64_t cr2);
void fake_vmx_shutdown(struct fake_x86 *cpu);
/* What the entry injects, as cpu_deliver() wants it; 0: nothing. */
uint64_t fake_vmx_event(const struct fake_x86 *cpu);
void fake_vmx_inject(struct fake_x86 *cpu);
void fake_vmx_interrupt(struct fake_x86 *cpu);
void fake_vmx_starve(struct fake_x86 *cpu);
void fake_vmx_unblock_nmi(struct fake_x86 *cpu);

/* apic.c ------------------------------------------------------------------ */

/* Those of struct fake_x86_vendor. */
uint64_t fake_vmx_read_tpr(const struct fake_x86 *cpu);
void fake_vmx_write_tpr(struct fake_x86 *cpu, uint64_t value);
void fake_vmx_wrote_cr(struct fake_x86 *cpu, unsigned number, uint64_t value);
bool fake_vmx_msr_answers(struct fake_x86 *cpu, uint32_t msr, bool write);
/* Whether the TPR threshold asks for an exit, which is then made. */
bool fake_vmx_check_tpr(struct fake_x86 *cpu);
/* A VM entry; virtual interrupts are recognized. */
void fake_vmx_enter_apic(struct fake_x86 *cpu);
/* The guest takes the one that vmx_guest's virtual_interrupt says. */
void fake_vmx_deliver_virtual(struct fake_x86 *cpu);
/* Whether the operation's access to the APIC-access page is one to the
 * virtual-APIC page; of a write, at the end of the operation, what follows. */
bool fake_vmx_virtualizes(const struct fake_x86 *cpu, uint32_t offset,
                          enum cpu_access access);
void fake_vmx_finish_write(struct fake_x86 *cpu);

/* ept.c ------------------------------------------------------------------- */

struct cpu_translation fake_vmx_translate(struct fake_x86 *cpu, uint64_t gpa,
                                          enum cpu_access access,
                                          enum cpu_place place);
void fake_vmx_nested_fault(struct fake_x86 *cpu, uint64_t linear,
                           const struct cpu_translation *translation);
/* The tags of the guest's translations, and what an entry or an exit drops. */
void fake_vmx_tag_guest(struct fake_x86 *cpu);
void fake_vmx_drop_untagged(struct fake_x86 *cpu);

#endif
