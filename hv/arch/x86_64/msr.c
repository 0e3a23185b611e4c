/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RDMSR and WRMSR that exit: what an MSR is to the guest, guest_msr.c says;
 * here it is done. Whatever is refused is #GP(0), as on bare hardware.
 */
#include "api/time.h"
#include "arch/x86_64/guest_control.h"
#include "arch/x86_64/guest_msr.h"
#include "arch/x86_64/x86.h"
#include "device/pc/lapic.h"

static uint64_t read_tsc(const struct x86_vcpu *v)
{
    return time_ticks() + v->tsc_offset;
}

static err_t read_core(const struct x86_vcpu *v, uint32_t msr, uint64_t *value)
{
    switch ((enum x86_msr)msr) {
    case X86_MSR_TSC: *value = read_tsc(v); return OK;
    case X86_MSR_TSC_ADJUST: *value = v->tsc_adjust; return OK;
    case X86_MSR_TSC_AUX: *value = v->tsc_aux; return OK;
    case X86_MSR_EFER: *value = v->vendor->get(v, X86_REG_EFER); return OK;
    case X86_MSR_PAT: *value = v->vendor->get(v, X86_REG_PAT); return OK;
    default: return ERR_OUT_OF_RANGE;
    }
}

/* SDM volume 3B, section 18.17.3: the TSC and its adjustment move together. */
static void move_tsc(struct x86_vcpu *v, uint64_t by)
{
    v->tsc_adjust += by;
    x86_set_tsc_offset(v, v->tsc_offset + by);
}

static void write_tsc_aux(struct x86_vcpu *v, uint64_t value)
{
    v->tsc_aux = value;
    if (v->has_tsc_aux)
        x86_hw_write_msr(X86_MSR_TSC_AUX, value);
}

/* NXE changes what translations allow. */
static err_t write_efer(struct x86_vcpu *v, uint64_t value)
{
    uint64_t old = v->vendor->get(v, X86_REG_EFER);
    uint64_t new;
    err_t error = x86_efer_write(v->cpuid, v->vendor->get(v, X86_REG_CR0), old,
                                 value, &new);

    if (error != OK)
        return error;
    v->vendor->set(v, X86_REG_EFER, new);
    if (((old ^ new) & X86_EFER_NXE) != 0)
        v->vendor->flush(v);
    return OK;
}

static err_t write_core(struct x86_vcpu *v, uint32_t msr, uint64_t value)
{
    switch ((enum x86_msr)msr) {
    case X86_MSR_TSC: move_tsc(v, value - read_tsc(v)); return OK;
    case X86_MSR_TSC_ADJUST: move_tsc(v, value - v->tsc_adjust); return OK;
    case X86_MSR_TSC_AUX: write_tsc_aux(v, value); return OK;
    case X86_MSR_EFER: return write_efer(v, value);
    case X86_MSR_PAT:
        v->vendor->set(v, X86_REG_PAT, value);
        v->vendor->flush(v);
        return OK;
    default: return ERR_OUT_OF_RANGE;
    }
}

static err_t read_msr(struct x86_vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct x86_msr_row *row = x86_msr_find(v->cpuid, msr);

    if (row == NULL)
        return ERR_OUT_OF_RANGE;
    switch (row->home) {
    case X86_MSR_LAPIC:
        return v->lapic != NULL ? lapic_read_msr(v->lapic, msr, value)
                                : ERR_OUT_OF_RANGE;
    case X86_MSR_STATE: *value = x86_msr_load(&v->msrs, row, msr); return OK;
    case X86_MSR_CORE:
    case X86_MSR_DIRECT: break;
    }
    return read_core(v, msr, value);
}

static err_t write_msr(struct x86_vcpu *v, uint32_t msr, uint64_t value)
{
    const struct x86_msr_row *row = x86_msr_find(v->cpuid, msr);

    if (row == NULL || !x86_msr_accepts(v->cpuid, row, value))
        return ERR_OUT_OF_RANGE;
    switch (row->home) {
    case X86_MSR_LAPIC:
        return v->lapic != NULL ? lapic_write_msr(v->lapic, msr, value)
                                : ERR_OUT_OF_RANGE;
    case X86_MSR_STATE: x86_msr_store(&v->msrs, row, msr, value); return OK;
    case X86_MSR_CORE:
    case X86_MSR_DIRECT: break;
    }
    return write_core(v, msr, value);
}

enum verdict x86_sysreg(struct vcpu *vcpu, struct vm_exit *exit)
{
    struct x86_vcpu *v = to_x86(vcpu);
    uint64_t value = exit->sysreg.value;

    if (exit->kind == EXIT_SYSREG_WRITE) {
        if (write_msr(v, exit->sysreg.addr, value) != OK)
            return VERDICT_INJECT;
    } else {
        if (read_msr(v, exit->sysreg.addr, &value) != OK)
            return VERDICT_INJECT;
        v->regs.gpr[X86_GPR_RAX] = (uint32_t)value;
        v->regs.gpr[X86_GPR_RDX] = value >> 32;
    }
    x86_advance(vcpu, exit);
    return VERDICT_RESUME;
}
