/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest operations on control registers, debug registers and MSRs. APM volume
 * 2, sections 3.1, 13.1, 15.8 (intercepts of control and debug registers),
 * 15.11 (of MSRs), 15.21.2 (CR8 with V_INTR_MASKING).
 */
#include "sim/fake_hw/x86_64/svm/cpu.h"

#define LMSW_BITS (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS)

static void protection_fault(struct fake_svm *cpu)
{
    svm_exception(cpu, X86_VECTOR_GP, 0, 0);
}

/* EXITINFO1 of an access to a control register. */
static uint64_t cr_info(const struct fake_svm *cpu)
{
    if (!svm_has(cpu, SVM_FEATURE_DECODE_ASSISTS))
        return 0;
    return CR_EXIT_MOV | FIELD_PUT(CR_EXIT_GPR, svm_op(cpu)->reg & 15u);
}

static uint64_t dr_info(const struct fake_svm *cpu)
{
    return cr_info(cpu) & ~CR_EXIT_MOV;
}

/* Whether there is a control register of that number. */
static bool is_cr(unsigned number)
{
    return number == 0 || (number >= 2 && number <= 4) || number == 8;
}

static bool has_virtual_tpr(const struct fake_svm *cpu)
{
    return (cpu->guest.control.vintr & VINTR_V_INTR_MASKING) != 0;
}

static uint64_t read_cr(const struct fake_svm *cpu, unsigned number)
{
    const struct vmcb_save *save = &cpu->guest.save;

    switch (number) {
    case 0: return save->cr0;
    case 2: return save->cr2;
    case 3: return save->cr3;
    case 4: return save->cr4;
    default:
        return has_virtual_tpr(cpu)
                   ? FIELD_GET(VINTR_V_TPR, cpu->guest.control.vintr)
                   : 0;
    }
}

void svm_op_read_cr(struct fake_svm *cpu)
{
    unsigned number = svm_op(cpu)->number & 15;

    if (!is_cr(number)) {
        svm_exception(cpu, X86_VECTOR_UD, 0, 0);
    } else if ((cpu->guest.control.intercept_cr_read & BIT(number)) != 0) {
        svm_op_exit(cpu, VMEXIT_CR0_READ + number, cr_info(cpu), 0);
    } else {
        *svm_gpr(cpu, svm_op(cpu)->reg) = read_cr(cpu, number);
        svm_retire(cpu);
    }
}

void svm_update_lma(struct vmcb_save *save)
{
    save->efer &= ~X86_EFER_LMA;
    if ((save->efer & X86_EFER_LME) != 0 && (save->cr0 & X86_CR0_PG) != 0)
        save->efer |= X86_EFER_LMA;
}

static bool write_cr0(struct fake_svm *cpu, uint64_t value)
{
    struct vmcb_save *save = &cpu->guest.save;
    uint64_t changed = save->cr0 ^ value;

    if (value >> 32 != 0 || (value & (X86_CR0_PG | X86_CR0_PE)) == X86_CR0_PG ||
        (value & (X86_CR0_CD | X86_CR0_NW)) == X86_CR0_NW ||
        ((value & X86_CR0_PG) != 0 && (save->efer & X86_EFER_LME) != 0 &&
         (save->cr4 & X86_CR4_PAE) == 0))
        return false;
    save->cr0 = value | X86_CR0_ET;
    svm_update_lma(save);
    if ((changed & (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE)) != 0)
        svm_tlb_flush_guest(cpu, true);
    return true;
}

static bool write_cr3(struct fake_svm *cpu, uint64_t value)
{
    if (svm_long_mode(cpu) && value >> cpu->profile->phys_bits != 0)
        return false;
    cpu->guest.save.cr3 = value;
    svm_tlb_flush_guest(cpu, false);
    return true;
}

static bool write_cr4(struct fake_svm *cpu, uint64_t value)
{
    struct vmcb_save *save = &cpu->guest.save;

    if ((value & ~cpu->profile->cr4) != 0 ||
        (svm_long_mode(cpu) && (value & X86_CR4_PAE) == 0))
        return false;
    save->cr4 = value;
    svm_tlb_flush_guest(cpu, true);
    return true;
}

static bool write_cr8(struct fake_svm *cpu, uint64_t value)
{
    uint64_t *vintr = &cpu->guest.control.vintr;

    if (value > 15)
        return false;
    if (has_virtual_tpr(cpu))
        *vintr = (*vintr & ~VINTR_V_TPR) | value;
    return true;
}

static bool write_cr(struct fake_svm *cpu, unsigned number, uint64_t value)
{
    switch (number) {
    case 0: return write_cr0(cpu, value);
    case 2: cpu->guest.save.cr2 = value; return true;
    case 3: return write_cr3(cpu, value);
    case 4: return write_cr4(cpu, value);
    default: return write_cr8(cpu, value);
    }
}

/* The selective intercept of CR0 looks at what changes. */
static bool write_cr_exits(struct fake_svm *cpu, unsigned number,
                           uint64_t value, uint64_t info)
{
    const struct vmcb_control *control = &cpu->guest.control;
    uint64_t changed = (cpu->guest.save.cr0 ^ value);

    if ((control->intercept_cr_write & BIT(number)) != 0) {
        svm_op_exit(cpu, VMEXIT_CR0_WRITE + number, info, 0);
        return true;
    }
    if (number != 0 || (changed & ~(X86_CR0_TS | X86_CR0_MP)) == 0 ||
        !vmcb_intercepts(control, INTERCEPT_CR0_SEL_WRITE))
        return false;
    svm_op_exit(cpu, VMEXIT_CR0_SEL_WRITE, info, 0);
    return true;
}

/* A trap: the register has its value, and the instruction is behind. */
static void retire_write(struct fake_svm *cpu, unsigned trap, uint64_t value)
{
    svm_retire(cpu);
    if (vmcb_intercepts(&cpu->guest.control, (enum svm_intercept)trap))
        svm_exit(cpu, (uint64_t)VMEXIT_INTR + trap, value, 0);
}

void svm_op_write_cr(struct fake_svm *cpu)
{
    unsigned number = svm_op(cpu)->number & 15;
    uint64_t value = *svm_gpr(cpu, svm_op(cpu)->reg);

    if (!is_cr(number))
        svm_exception(cpu, X86_VECTOR_UD, 0, 0);
    else if (write_cr_exits(cpu, number, value, cr_info(cpu)))
        return;
    else if (write_cr(cpu, number, value))
        retire_write(cpu, INTERCEPT_CR_WRITE_TRAP + number, value);
    else
        protection_fault(cpu);
}

/* Both may exit as any access to CR0, but are no MOV. */

void svm_op_smsw(struct fake_svm *cpu)
{
    if ((cpu->guest.control.intercept_cr_read & 1) != 0) {
        svm_op_exit(cpu, VMEXIT_CR0_READ, 0, 0);
        return;
    }
    *svm_gpr(cpu, svm_op(cpu)->reg) = cpu->guest.save.cr0;
    svm_retire(cpu);
}

static void write_msw(struct fake_svm *cpu, uint64_t value)
{
    if (write_cr_exits(cpu, 0, value, 0))
        return;
    if (write_cr0(cpu, value))
        retire_write(cpu, INTERCEPT_CR_WRITE_TRAP, value);
    else
        protection_fault(cpu);
}

/* PE, MP, EM, TS; PE cannot be cleared by it. */
void svm_op_lmsw(struct fake_svm *cpu)
{
    uint64_t cr0 = cpu->guest.save.cr0;
    uint64_t msw = *svm_gpr(cpu, svm_op(cpu)->reg);

    write_msw(cpu, (cr0 & ~LMSW_BITS) | (msw & LMSW_BITS) | (cr0 & X86_CR0_PE));
}

void svm_op_clts(struct fake_svm *cpu)
{
    write_msw(cpu, cpu->guest.save.cr0 & ~X86_CR0_TS);
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE. NULL: no such register. */
static uint64_t *debug_register(struct fake_svm *cpu, unsigned number)
{
    bool has_aliases = (cpu->guest.save.cr4 & X86_CR4_DE) == 0;

    switch (number) {
    case 0:
    case 1:
    case 2:
    case 3: return &cpu->dr[number];
    case 4: return has_aliases ? &cpu->guest.save.dr6 : NULL;
    case 5: return has_aliases ? &cpu->guest.save.dr7 : NULL;
    case 6: return &cpu->guest.save.dr6;
    case 7: return &cpu->guest.save.dr7;
    default: return NULL;
    }
}

void svm_op_read_dr(struct fake_svm *cpu)
{
    unsigned number = svm_op(cpu)->number & 15;
    const uint64_t *dr = debug_register(cpu, number);

    if (dr == NULL) {
        svm_exception(cpu, X86_VECTOR_UD, 0, 0);
    } else if ((cpu->guest.control.intercept_dr_read & BIT(number)) != 0) {
        svm_op_exit(cpu, VMEXIT_DR0_READ + number, dr_info(cpu), 0);
    } else {
        *svm_gpr(cpu, svm_op(cpu)->reg) = *dr;
        svm_retire(cpu);
    }
}

void svm_op_write_dr(struct fake_svm *cpu)
{
    unsigned number = svm_op(cpu)->number & 15;
    uint64_t value = *svm_gpr(cpu, svm_op(cpu)->reg);
    uint64_t *dr = debug_register(cpu, number);

    if (dr == NULL) {
        svm_exception(cpu, X86_VECTOR_UD, 0, 0);
    } else if ((cpu->guest.control.intercept_dr_write & BIT(number)) != 0) {
        svm_op_exit(cpu, VMEXIT_DR0_WRITE + number, dr_info(cpu), 0);
    } else if (number >= 4 && value >> 32 != 0) {
        protection_fault(cpu);
    } else {
        *dr = value;
        svm_retire(cpu);
    }
}

/* The guest's MSRs that are in registers of its own; NULL: none such. */
static uint64_t *guest_msr(struct fake_svm *cpu, uint32_t msr)
{
    struct vmcb_save *save = &cpu->guest.save;

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

/* Whether the access exits, or there is nothing to access. */
static bool msr_is_denied(struct fake_svm *cpu, bool write)
{
    uint32_t msr = svm_op(cpu)->number;

    if (svm_intercepts_msr(cpu, msr, write))
        svm_op_exit(cpu, VMEXIT_MSR, write ? MSR_EXIT_WRITE : 0, 0);
    else if (guest_msr(cpu, msr) == NULL)
        protection_fault(cpu);
    else
        return false;
    return true;
}

void svm_op_rdmsr(struct fake_svm *cpu)
{
    uint64_t value;

    if (msr_is_denied(cpu, false))
        return;
    value = *guest_msr(cpu, svm_op(cpu)->number);
    cpu->guest.save.rax = value & UINT32_MAX;
    *svm_gpr(cpu, X86_GPR_RDX) = value >> 32;
    svm_retire(cpu);
}

/* A guest that may write EFER may leave SVM: VMRUN has checked that it is on,
 * and the guest's own must not end it. */
void svm_op_wrmsr(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    uint64_t value = op->value;

    if (msr_is_denied(cpu, true))
        return;
    if ((enum x86_msr)op->number == X86_MSR_EFER &&
        (value & ~(cpu->profile->efer | X86_EFER_SVME)) != 0) {
        protection_fault(cpu);
        return;
    }
    *guest_msr(cpu, op->number) = value;
    if ((enum x86_msr)op->number != X86_MSR_EFER) {
        svm_retire(cpu);
        return;
    }
    svm_update_lma(&cpu->guest.save);
    retire_write(cpu, INTERCEPT_EFER_WRITE_TRAP, value);
}
