/* SPDX-License-Identifier: Apache-2.0 */
/* The x86_64 hardware seam (hv/arch/x86_64/hw.h) on fake CPUs, as far as it is
 * no vendor's. */
#include <string.h>

#include "sim/clock.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/ram.h"

#define LEGACY_SIZE 512

struct fake_x86 fake_x86_cpus[MAX_CPU_NUM];

struct fake_x86 *fake_x86_current(void)
{
    return &fake_x86_cpus[host_current_cpu_impl()];
}

static struct fake_x86 *current(void)
{
    return fake_x86_current();
}

static void reset_cpu(struct fake_x86 *cpu, uint32_t index,
                      const struct x86_profile *profile)
{
    uint64_t generation = cpu->tlb.generation;

    memset(cpu, 0, offsetof(struct fake_x86, tlb));
    cpu->tlb.generation = generation + 1;
    memset(&cpu->regs, 0, sizeof(*cpu) - offsetof(struct fake_x86, regs));
    cpu->profile = profile;
    cpu->vendor = profile->vendor;
    cpu->index = index;
    cpu->pat = X86_PAT_RESET;
    cpu->xcr0 = profile->xcr0 != 0 ? X86_XCR0_X87 : 0;
    cpu->efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    cpu->dr6 = X86_DR6_RESET;
    cpu->vendor->reset(cpu);
}

void fake_x86_reset(const struct x86_profile *profile, uint32_t cpus)
{
    for (uint32_t cpu = 0; cpu < cpus; cpu++)
        reset_cpu(&fake_x86_cpus[cpu], cpu,
                  profile != NULL ? profile : &x86_profiles[0]);
}

void fake_x86_set_source(uint32_t cpu, struct trap_source *source)
{
    fake_x86_cpus[cpu].source = source;
}

/* The TSC is what the host tells the time by. */
uint64_t cpu_tsc(void)
{
    return clock_ticks();
}

size_t x86_hw_cpuid_impl(uint32_t leaf, uint32_t subleaf,
                         struct x86_cpuid *cpuid)
{
    cpu_cpuid(current(), leaf, subleaf, cpuid);
    return sizeof(*cpuid);
}

/* The host's MSRs. What VMLOAD loads is whoever's was loaded last. */
uint64_t *cpu_host_msr(struct fake_x86 *cpu, uint32_t msr)
{
    struct vmcb_save *loaded = &cpu->loaded;

    switch ((enum x86_msr)msr) {
    case X86_MSR_EFER: return &cpu->efer;
    case X86_MSR_PAT: return &cpu->pat;
    case X86_MSR_TSC_AUX: return &cpu->tsc_aux;
    case X86_MSR_STAR: return &loaded->star;
    case X86_MSR_LSTAR: return &loaded->lstar;
    case X86_MSR_CSTAR: return &loaded->cstar;
    case X86_MSR_SFMASK: return &loaded->sfmask;
    case X86_MSR_FS_BASE: return &loaded->fs.base;
    case X86_MSR_GS_BASE: return &loaded->gs.base;
    case X86_MSR_KERNEL_GS_BASE: return &loaded->kernel_gs_base;
    case X86_MSR_SYSENTER_CS: return &loaded->sysenter_cs;
    case X86_MSR_SYSENTER_ESP: return &loaded->sysenter_esp;
    case X86_MSR_SYSENTER_EIP: return &loaded->sysenter_eip;
    default: return cpu->vendor->host_msr(cpu, msr);
    }
}

uint64_t x86_hw_read_msr_impl(uint32_t msr)
{
    const uint64_t *at = cpu_host_msr(current(), msr);

    if (at != NULL)
        return *at;
    violation(RULE_SVM_MSR, "read of MSR 0x%x", msr);
    return 0;
}

void x86_hw_write_msr_impl(uint32_t msr, uint64_t value)
{
    struct fake_x86 *cpu = current();
    uint64_t *at = cpu_host_msr(cpu, msr);

    if (at != NULL && cpu->vendor->msr_takes(cpu, msr, value))
        *at = value;
    else
        violation(RULE_SVM_MSR, "0x%llx to MSR 0x%x", (unsigned long long)value,
                  msr);
}

/* x87 state cannot be turned off, AVX needs SSE. */
bool cpu_xcr0_is_legal(const struct fake_x86 *cpu, uint64_t value)
{
    return (value & ~cpu->profile->xcr0) == 0 && (value & X86_XCR0_X87) != 0 &&
           ((value & X86_XCR0_AVX) == 0 || (value & X86_XCR0_SSE) != 0);
}

uint64_t x86_hw_read_xcr0_impl(void)
{
    return current()->xcr0;
}

void x86_hw_write_xcr0_impl(uint64_t value)
{
    struct fake_x86 *cpu = current();

    if (cpu_xcr0_is_legal(cpu, value))
        cpu->xcr0 = value;
    else
        violation(RULE_SVM_XCR0, "0x%llx on CPU %u", (unsigned long long)value,
                  cpu->index);
}

void x86_hw_load_debug_impl(const struct x86_debug_state *state)
{
    memcpy(current()->dr, state->dr, sizeof(state->dr));
}

void x86_hw_save_debug_impl(struct x86_debug_state *state)
{
    memcpy(state->dr, current()->dr, sizeof(state->dr));
}

/* Copies components between the processor's registers and an area. x87 and SSE
 * state are one here. */
static void move_state(uint8_t *to, const uint8_t *from, uint64_t mask)
{
    if ((mask & (X86_XCR0_X87 | X86_XCR0_SSE)) != 0)
        memcpy(to, from, LEGACY_SIZE);
    if ((mask & X86_XCR0_AVX) != 0)
        memcpy(to + X86_XSAVE_AVX, from + X86_XSAVE_AVX,
               X86_XSAVE_SIZE - X86_XSAVE_AVX);
}

/* Without XSAVE the processor has FXSAVE, which knows no mask. */
static uint64_t components(const struct fake_x86 *cpu, uint64_t mask)
{
    if (cpu->profile->xcr0 == 0)
        return X86_XCR0_X87 | X86_XCR0_SSE;
    return mask & cpu->xcr0;
}

void x86_hw_xsave_impl(struct x86_xsave *area, uint64_t mask)
{
    const struct fake_x86 *cpu = current();
    uint64_t present = components(cpu, mask);

    move_state(area->bytes, cpu->fpu.bytes, present);
    memcpy(area->bytes + X86_XSAVE_HEADER, &present, sizeof(present));
}

/* A component that the area's header does not have gets its initial state. */
void x86_hw_xrstor_impl(const struct x86_xsave *area, uint64_t mask)
{
    static const struct x86_xsave initial;
    struct fake_x86 *cpu = current();
    uint64_t wanted = components(cpu, mask);
    uint64_t present;

    memcpy(&present, area->bytes + X86_XSAVE_HEADER, sizeof(present));
    if (cpu->profile->xcr0 == 0)
        present = wanted;
    move_state(cpu->fpu.bytes, initial.bytes, wanted & ~present);
    move_state(cpu->fpu.bytes, area->bytes, wanted & present);
}

uint64_t x86_hw_read_xmm_impl(uint32_t reg, uint32_t half)
{
    uint64_t value;

    memcpy(&value,
           &current()->fpu.bytes[CPU_XMM_AT + reg % 16 * 16 + half % 2 * 8],
           sizeof(value));
    return value;
}

void x86_hw_write_xmm_impl(uint32_t reg, uint32_t half, uint64_t value)
{
    memcpy(&current()->fpu.bytes[CPU_XMM_AT + reg % 16 * 16 + half % 2 * 8],
           &value, sizeof(value));
}

uint64_t x86_hw_read_gpr_impl(const struct x86_regs *regs, uint32_t reg)
{
    return regs->gpr[reg];
}

uint64_t x86_hw_read_cr2_impl(void)
{
    return current()->cr2;
}

void x86_hw_write_cr2_impl(uint64_t value)
{
    current()->cr2 = value;
}

uint64_t x86_hw_read_dr6_impl(void)
{
    return current()->dr6;
}

void x86_hw_write_dr6_impl(uint64_t value)
{
    current()->dr6 = value;
}
