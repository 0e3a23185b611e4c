/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hardware seam of x86_64 (arch/x86_64/hw.h) on the hardware itself: one
 * instruction or a few per row.
 */
#include "arch/x86_64/hw.h"

#include "host/x86_64/processor.h"
#include "host/x86_64/world_switch.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"

/* What all CPUs have: written while they start, one after the other. */
static struct {
    uint64_t svm_features;
    uint64_t svm_asids;
    bool has_xsave;
} hw = {~UINT64_C(0), UINT64_MAX, true};

void hw_add_cpu(void)
{
    struct x86_cpuid svm = cpuid(X86_CPUID_SVM, 0);

    hw.svm_features &= svm.edx;
    if (svm.ebx < hw.svm_asids)
        hw.svm_asids = svm.ebx;
    hw.has_xsave = hw.has_xsave && (cr4_read() & X86_CR4_OSXSAVE) != 0;
}

size_t x86_hw_cpuid_impl(uint32_t leaf, uint32_t subleaf, struct x86_cpuid *out)
{
    *out = cpuid(leaf, subleaf);
    return sizeof(*out);
}

uint64_t x86_hw_read_msr_impl(uint32_t msr)
{
    return msr_read(msr);
}

void x86_hw_write_msr_impl(uint32_t msr, uint64_t value)
{
    msr_write(msr, value);
}

/* Processors with SVM and without XSAVE have x87 and SSE state: FXSAVE's area
 * is what XSAVE's begins with. */
uint64_t x86_hw_read_xcr0_impl(void)
{
    return hw.has_xsave ? xcr0_read() : X86_XCR0_X87 | X86_XCR0_SSE;
}

void x86_hw_write_xcr0_impl(uint64_t value)
{
    if (hw.has_xsave)
        xcr0_write(value);
}

void x86_hw_xsave_impl(struct x86_xsave *area, uint64_t mask)
{
    if (!hw.has_xsave) {
        __asm__ volatile("fxsave64 %0" : "=m"(*area));
        return;
    }
    __asm__ volatile("xsave64 %0"
                     : "+m"(*area)
                     : "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)));
}

void x86_hw_xrstor_impl(const struct x86_xsave *area, uint64_t mask)
{
    if (!hw.has_xsave) {
        __asm__ volatile("fxrstor64 %0" : : "m"(*area));
        return;
    }
    __asm__ volatile("xrstor64 %0"
                     :
                     : "m"(*area), "a"((uint32_t)mask),
                       "d"((uint32_t)(mask >> 32)));
}

/* guest.S */
uint64_t hw_read_xmm_low(uint32_t reg);
uint64_t hw_read_xmm_high(uint32_t reg);
void hw_write_xmm_low(uint32_t reg, uint64_t value);
void hw_write_xmm_high(uint32_t reg, uint64_t value);

uint64_t x86_hw_read_xmm_impl(uint32_t reg, uint32_t half)
{
    return half == 0 ? hw_read_xmm_low(reg % 16) : hw_read_xmm_high(reg % 16);
}

void x86_hw_write_xmm_impl(uint32_t reg, uint32_t half, uint64_t value)
{
    if (half == 0)
        hw_write_xmm_low(reg % 16, value);
    else
        hw_write_xmm_high(reg % 16, value);
}

void x86_hw_load_debug_impl(const struct x86_debug_state *state)
{
    dr0_write(state->dr[0]);
    dr1_write(state->dr[1]);
    dr2_write(state->dr[2]);
    dr3_write(state->dr[3]);
}

void x86_hw_save_debug_impl(struct x86_debug_state *state)
{
    state->dr[0] = dr0_read();
    state->dr[1] = dr1_read();
    state->dr[2] = dr2_read();
    state->dr[3] = dr3_read();
}

uint64_t x86_hw_read_gpr_impl(const struct x86_regs *regs, uint32_t reg)
{
    return regs->gpr[reg];
}

uint64_t x86_hw_read_cr2_impl(void)
{
    return cr2_read();
}

void x86_hw_write_cr2_impl(uint64_t value)
{
    cr2_write(value);
}

uint64_t x86_hw_read_dr6_impl(void)
{
    return dr6_read();
}

void x86_hw_write_dr6_impl(uint64_t value)
{
    dr6_write(value);
}

uint64_t x86_svm_features_impl(void)
{
    return hw.svm_features;
}

uint64_t x86_svm_asids_impl(void)
{
    return hw.svm_asids;
}

EXIT_PATH void x86_svm_run_impl(struct x86_regs *regs, struct vmcb *state,
                                hpa_t vmcb)
{
    world_switch(regs, vmcb);
}

/* From here to x86_svm_vmsave(), TR is the guest's: x86_host.h. */
void x86_svm_vmload_impl(hpa_t vmcb)
{
    cpu_use_emergency_stack(false);
    __asm__ volatile("vmload %%rax" : : "a"(vmcb.raw) : "memory");
}

void x86_svm_vmsave_impl(hpa_t vmcb)
{
    __asm__ volatile("vmsave %%rax" : : "a"(vmcb.raw) : "memory");
    __asm__ volatile("vmload %%rax"
                     :
                     : "a"(&x86_this_host_cpu()->host_state)
                     : "memory");
    cpu_use_emergency_stack(true);
}
