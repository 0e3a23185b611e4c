/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest operations on control registers, debug registers and MSRs. APM volume
 * 2, sections 3.1, 13.1, 15.8 (intercepts of control and debug registers),
 * 15.11 (of MSRs), 15.21.2 (CR8 with V_INTR_MASKING).
 */
#include "sim/fake_hw/x86_64/cpu/cpu.h"

#define LMSW_BITS (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS)

static void protection_fault(struct fake_x86 *cpu)
{
    cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
}

/* Whether there is a control register of that number. */
static bool is_cr(unsigned number)
{
    return number == 0 || (number >= 2 && number <= 4) || number == 8;
}

uint64_t cpu_cr(const struct fake_x86 *cpu, unsigned number)
{
    switch (number) {
    case 0: return cpu->state.cr0;
    case 2: return cpu->state.cr2;
    case 3: return cpu->state.cr3;
    case 4: return cpu->state.cr4;
    default: return cpu->vendor->read_tpr(cpu);
    }
}

void cpu_op_read_cr(struct fake_x86 *cpu)
{
    unsigned number = cpu_op(cpu)->number & 15;

    if (!is_cr(number)) {
        cpu_exception(cpu, X86_VECTOR_UD, 0, 0);
    } else if (!cpu->vendor->read_cr_exits(cpu, number)) {
        *cpu_gpr(cpu, cpu_op(cpu)->reg) = cpu->vendor->read_cr(cpu, number);
        cpu_retire(cpu);
    }
}

void cpu_update_lma(struct vmcb_save *save)
{
    save->efer &= ~X86_EFER_LMA;
    if ((save->efer & X86_EFER_LME) != 0 && (save->cr0 & X86_CR0_PG) != 0)
        save->efer |= X86_EFER_LMA;
}

static bool write_cr0(struct fake_x86 *cpu, uint64_t value)
{
    struct vmcb_save *save = &cpu->state;
    uint64_t changed = save->cr0 ^ value;

    if (value >> 32 != 0 || (value & (X86_CR0_PG | X86_CR0_PE)) == X86_CR0_PG ||
        (value & (X86_CR0_CD | X86_CR0_NW)) == X86_CR0_NW ||
        ((value & X86_CR0_PG) != 0 && (save->efer & X86_EFER_LME) != 0 &&
         ((save->cr4 & X86_CR4_PAE) == 0 ||
          (!cpu_long_mode(cpu) && (save->cs.attrib & VMCB_ATTRIB_L) != 0))) ||
        ((value & X86_CR0_PG) == 0 && (save->cr4 & X86_CR4_PCIDE) != 0))
        return false;
    save->cr0 = value | X86_CR0_ET;
    cpu_update_lma(save);
    if ((changed & (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE)) != 0)
        cpu_tlb_flush_guest(cpu, true);
    return true;
}

static bool write_cr3(struct fake_x86 *cpu, uint64_t value)
{
    value = cpu_address(cpu, value);
    if (cpu_long_mode(cpu) && value >> cpu->profile->phys_bits != 0)
        return false;
    cpu->state.cr3 = value;
    cpu_tlb_flush_guest(cpu, false);
    return true;
}

/* PCIDs begin in long mode, with that of address space 0. */
static bool may_set_pcide(struct fake_x86 *cpu)
{
    return cpu_long_mode(cpu) && (cpu->state.cr3 & (PAGE_SIZE - 1)) == 0;
}

static bool write_cr4(struct fake_x86 *cpu, uint64_t value)
{
    struct vmcb_save *save = &cpu->state;

    if ((value & ~cpu->profile->cr4) != 0 ||
        (cpu_long_mode(cpu) && (value & X86_CR4_PAE) == 0) ||
        ((value & ~save->cr4 & X86_CR4_PCIDE) != 0 && !may_set_pcide(cpu)))
        return false;
    save->cr4 = value;
    cpu_tlb_flush_guest(cpu, true);
    return true;
}

static bool write_cr8(struct fake_x86 *cpu, uint64_t value)
{
    if (value > 15)
        return false;
    cpu->vendor->write_tpr(cpu, value);
    return true;
}

static bool write_cr(struct fake_x86 *cpu, unsigned number, uint64_t value)
{
    switch (number) {
    case 0: return write_cr0(cpu, value);
    case 2: cpu->state.cr2 = value; return true;
    case 3: return write_cr3(cpu, value);
    case 4: return write_cr4(cpu, value);
    default: return write_cr8(cpu, value);
    }
}

/* What a write of CR0 by any instruction leads to. */
static void finish_write(struct fake_x86 *cpu, unsigned number, uint64_t value)
{
    uint64_t kept;

    if (cpu->vendor->write_cr_exits(cpu, number, value))
        return;
    kept = cpu->vendor->merge_cr(cpu, number, value);
    if (!cpu->vendor->takes_cr(cpu, number, kept) ||
        !write_cr(cpu, number, kept)) {
        protection_fault(cpu);
        return;
    }
    cpu_retire(cpu);
    cpu->vendor->wrote_cr(cpu, number, kept);
}

void cpu_op_write_cr(struct fake_x86 *cpu)
{
    unsigned number = cpu_op(cpu)->number & 15;

    if (is_cr(number))
        finish_write(cpu, number, *cpu_gpr(cpu, cpu_op(cpu)->reg));
    else
        cpu_exception(cpu, X86_VECTOR_UD, 0, 0);
}

/* Both may exit as any access to CR0, but are no MOV. */

/* By the size of operands; in 64-bit mode there is a REX.W. */
void cpu_op_smsw(struct fake_x86 *cpu)
{
    uint64_t *reg = cpu_gpr(cpu, cpu_op(cpu)->reg);
    uint64_t value;

    if (cpu->vendor->read_cr_exits(cpu, 0))
        return;
    value = cpu->vendor->read_cr(cpu, 0);
    if (cpu_64bit(cpu))
        *reg = value;
    else if ((cpu->state.cs.attrib & VMCB_ATTRIB_D) != 0)
        *reg = value & UINT32_MAX;
    else
        *reg = (*reg & ~UINT64_C(0xffff)) | (value & 0xffff);
    cpu_retire(cpu);
}

/* PE, MP, EM, TS; PE cannot be cleared by it. */
void cpu_op_lmsw(struct fake_x86 *cpu)
{
    uint64_t cr0 = cpu->state.cr0;
    uint64_t msw = *cpu_gpr(cpu, cpu_op(cpu)->reg);

    finish_write(cpu, 0,
                 (cr0 & ~LMSW_BITS) | (msw & LMSW_BITS) | (cr0 & X86_CR0_PE));
}

void cpu_op_clts(struct fake_x86 *cpu)
{
    finish_write(cpu, 0, cpu->state.cr0 & ~X86_CR0_TS);
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE. NULL: no such register. */
static uint64_t *debug_register(struct fake_x86 *cpu, unsigned number)
{
    bool has_aliases = (cpu->state.cr4 & X86_CR4_DE) == 0;

    switch (number) {
    case 0:
    case 1:
    case 2:
    case 3: return &cpu->dr[number];
    case 4: return has_aliases ? &cpu->state.dr6 : NULL;
    case 5: return has_aliases ? &cpu->state.dr7 : NULL;
    case 6: return &cpu->state.dr6;
    case 7: return &cpu->state.dr7;
    default: return NULL;
    }
}

void cpu_op_read_dr(struct fake_x86 *cpu)
{
    unsigned number = cpu_op(cpu)->number & 15;
    const uint64_t *dr = debug_register(cpu, number);

    if (dr == NULL) {
        cpu_exception(cpu, X86_VECTOR_UD, 0, 0);
    } else if (!cpu->vendor->dr_exits(cpu, number, false)) {
        *cpu_gpr(cpu, cpu_op(cpu)->reg) = *dr;
        cpu_retire(cpu);
    }
}

void cpu_op_write_dr(struct fake_x86 *cpu)
{
    unsigned number = cpu_op(cpu)->number & 15;
    uint64_t value = *cpu_gpr(cpu, cpu_op(cpu)->reg);
    uint64_t *dr = debug_register(cpu, number);

    if (dr == NULL) {
        cpu_exception(cpu, X86_VECTOR_UD, 0, 0);
    } else if (cpu->vendor->dr_exits(cpu, number, true)) {
        return;
    } else if (number >= 4 && value >> 32 != 0) {
        protection_fault(cpu);
    } else {
        *dr = value;
        cpu_retire(cpu);
    }
}

/* The guest's MSRs that are in registers of its own; NULL: none such. */
uint64_t *cpu_guest_msr(struct fake_x86 *cpu, uint32_t msr)
{
    struct vmcb_save *save = &cpu->state;

    switch ((enum x86_msr)msr) {
    case X86_MSR_EFER: return &save->efer;
    case X86_MSR_PAT: return &save->g_pat;
    case X86_MSR_STAR: return &save->star;
    case X86_MSR_LSTAR: return &save->lstar;
    case X86_MSR_CSTAR: return &save->cstar;
    case X86_MSR_SFMASK: return &save->sfmask;
    case X86_MSR_FS_BASE: return &save->fs.base;
    case X86_MSR_GS_BASE: return &save->gs.base;
    case X86_MSR_KERNEL_GS_BASE: return &save->kernel_gs_base;
    case X86_MSR_SYSENTER_CS: return &save->sysenter_cs;
    case X86_MSR_SYSENTER_ESP: return &save->sysenter_esp;
    case X86_MSR_SYSENTER_EIP: return &save->sysenter_eip;
    case X86_MSR_DBG_CTL: return &save->dbgctl;
    case X86_MSR_TSC_AUX: return &cpu->tsc_aux;
    default: return NULL;
    }
}

/* Whether the access exits, is done, or there is nothing to access. */
static bool msr_is_denied(struct fake_x86 *cpu, bool write)
{
    uint32_t msr = cpu_op(cpu)->number;

    if (cpu->vendor->msr_exits(cpu, msr, write) ||
        cpu->vendor->msr_answers(cpu, msr, write))
        return true;
    if (cpu_guest_msr(cpu, msr) != NULL)
        return false;
    protection_fault(cpu);
    return true;
}

void cpu_op_rdmsr(struct fake_x86 *cpu)
{
    uint64_t value;

    if (msr_is_denied(cpu, false))
        return;
    value = *cpu_guest_msr(cpu, cpu_op(cpu)->number);
    cpu->state.rax = value & UINT32_MAX;
    *cpu_gpr(cpu, X86_GPR_RDX) = value >> 32;
    cpu_retire(cpu);
}

/* Of addresses, and of EFER; others take all values. */
static bool msr_takes(const struct fake_x86 *cpu, uint32_t msr, uint64_t value)
{
    switch ((enum x86_msr)msr) {
    case X86_MSR_EFER:
        return (value & ~(cpu->profile->efer | X86_EFER_SVME)) == 0;
    case X86_MSR_LSTAR:
    case X86_MSR_CSTAR:
    case X86_MSR_FS_BASE:
    case X86_MSR_GS_BASE:
    case X86_MSR_KERNEL_GS_BASE:
    case X86_MSR_SYSENTER_ESP:
    case X86_MSR_SYSENTER_EIP: return cpu_is_canonical(value);
    default: return true;
    }
}

/* A guest that may write EFER may leave SVM: VMRUN has checked that it is on,
 * and the guest's own must not end it. */
void cpu_op_wrmsr(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
    uint64_t value = op->value;

    if (msr_is_denied(cpu, true))
        return;
    if (!msr_takes(cpu, op->number, value)) {
        protection_fault(cpu);
        return;
    }
    *cpu_guest_msr(cpu, op->number) = value;
    if ((enum x86_msr)op->number == X86_MSR_EFER)
        cpu_update_lma(&cpu->state);
    cpu_retire(cpu);
    cpu->vendor->wrote_msr(cpu, op->number, value);
}
