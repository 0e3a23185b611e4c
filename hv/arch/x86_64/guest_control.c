/* SPDX-License-Identifier: Apache-2.0 */
/* Control registers of guests: SDM volume 3A, sections 2.5 and 2.2.1; APM
 * volume 2, sections 3.1.3 and 3.1.7; XCR0: SDM volume 1, section 13.3. */
#include "arch/x86_64/guest_control.h"

/* A bit that may be set, and the feature that brings it. */
struct bit_rule {
    uint64_t bits;
    enum x86_feature needs;
};

/* Not in it, and so #GP: VMXE, SMXE, LA57, PKE, CET, PKS. PCE is, since RDPMC
 * exists without counters, too. */
static const struct bit_rule cr4_rules[] = {
    {X86_CR4_VME | X86_CR4_PVI, X86_FEATURE_VME},
    {X86_CR4_TSD, X86_FEATURE_TSC},
    {X86_CR4_DE, X86_FEATURE_DE},
    {X86_CR4_PSE, X86_FEATURE_PSE},
    {X86_CR4_PAE, X86_FEATURE_PAE},
    {X86_CR4_MCE, X86_FEATURE_MCE},
    {X86_CR4_PGE, X86_FEATURE_PGE},
    {X86_CR4_PCE, X86_FEATURE_NONE},
    {X86_CR4_OSFXSR, X86_FEATURE_FXSR},
    {X86_CR4_OSXMMEXCPT, X86_FEATURE_SSE},
    {X86_CR4_UMIP, X86_FEATURE_UMIP},
    {X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE},
    {X86_CR4_PCIDE, X86_FEATURE_PCID},
    {X86_CR4_OSXSAVE, X86_FEATURE_XSAVE},
    {X86_CR4_SMEP, X86_FEATURE_SMEP},
    {X86_CR4_SMAP, X86_FEATURE_SMAP},
};

/* Not in it: SVME, LMSLE, TCE. Writes of LMA are ignored. */
static const struct bit_rule efer_rules[] = {
    {X86_EFER_SCE, X86_FEATURE_SYSCALL},
    {X86_EFER_LME | X86_EFER_LMA, X86_FEATURE_LM},
    {X86_EFER_NXE, X86_FEATURE_NX},
    {X86_EFER_FFXSR, X86_FEATURE_FFXSR},
};

static const struct bit_rule xcr0_rules[] = {
    {X86_XCR0_X87 | X86_XCR0_SSE, X86_FEATURE_XSAVE},
    {X86_XCR0_AVX, X86_FEATURE_AVX},
};

static uint64_t bits_of(const struct x86_guest_cpuid *cpuid,
                        const struct bit_rule *rules, size_t count)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < count; i++) {
        if (x86_guest_has(cpuid, rules[i].needs))
            bits |= rules[i].bits;
    }
    return bits;
}

uint64_t x86_guest_cr4_bits(const struct x86_guest_cpuid *cpuid)
{
    return bits_of(cpuid, cr4_rules, ARRAY_SIZE(cr4_rules));
}

uint64_t x86_guest_efer_bits(const struct x86_guest_cpuid *cpuid)
{
    return bits_of(cpuid, efer_rules, ARRAY_SIZE(efer_rules));
}

uint64_t x86_guest_xcr0_bits(const struct x86_guest_cpuid *cpuid)
{
    return bits_of(cpuid, xcr0_rules, ARRAY_SIZE(xcr0_rules));
}

bool x86_xcr0_is_valid(uint64_t value, uint64_t supported)
{
    if ((value & ~supported) != 0 || (value & X86_XCR0_X87) == 0)
        return false;
    return (value & X86_XCR0_AVX) == 0 || (value & X86_XCR0_SSE) != 0;
}

err_t x86_efer_write(const struct x86_guest_cpuid *cpuid, uint64_t cr0,
                     uint64_t old, uint64_t value, uint64_t *efer)
{
    if ((value & ~x86_guest_efer_bits(cpuid)) != 0)
        return ERR_OUT_OF_RANGE;
    if ((cr0 & X86_CR0_PG) != 0 && ((value ^ old) & X86_EFER_LME) != 0)
        return ERR_OUT_OF_RANGE;
    *efer = (value & ~X86_EFER_LMA) | (old & X86_EFER_LMA);
    return OK;
}
