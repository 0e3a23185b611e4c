/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest may load into CR4, EFER and XCR0. */
#include <criterion/criterion.h>

#include "arch/x86_64/guest_control.h"
#include "arch/x86_64/hw.h"
#include "hosts.h"
#include "support/rows.h"

/* On a host that has everything: VME to PCE, OSFXSR, OSXMMEXCPT, UMIP,
 * FSGSBASE, PCIDE, OSXSAVE, SMEP, SMAP. */
#define CR4_OF_ALL  UINT64_C(0x370fff)
#define EFER_OF_ALL UINT64_C(0x4d01)

Test(guest_control, bits_of_a_host_with_everything)
{
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    cr_expect_eq(x86_guest_cr4_bits(&cpuid), CR4_OF_ALL);
    cr_expect_eq(x86_guest_efer_bits(&cpuid), EFER_OF_ALL);
    cr_expect_eq(x86_guest_xcr0_bits(&cpuid), 7);
}

/* MCE and PCE do not depend on it. */
Test(guest_control, bits_of_a_host_with_nothing)
{
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ZEROS);
    host_guest(&cpuid, 1);
    cr_expect_eq(x86_guest_cr4_bits(&cpuid), X86_CR4_MCE | X86_CR4_PCE);
    cr_expect_eq(x86_guest_efer_bits(&cpuid), 0);
    cr_expect_eq(x86_guest_xcr0_bits(&cpuid), 0);
}

/* Without one bit of CPUID, those of the register are reserved. */
static uint32_t missing_leaf;
static unsigned missing_register;
static uint32_t missing_bit;

static size_t host_without(uint32_t leaf, uint32_t subleaf,
                           struct x86_cpuid *cpuid)
{
    uint32_t *const regs[] = {&cpuid->eax, &cpuid->ebx, &cpuid->ecx,
                              &cpuid->edx};

    host_cpuid(leaf, subleaf, cpuid);
    if (leaf == missing_leaf)
        *regs[missing_register] &= ~missing_bit;
    return sizeof(*cpuid);
}

Test(guest_control, each_feature_has_its_bits)
{
    enum { EBX = 1, ECX, EDX };
    static const struct {
        uint32_t leaf;
        unsigned reg, bit;
        uint64_t cr4, efer, xcr0; /* reserved without it */
    } rows[] = {
        {1, EDX, 1, X86_CR4_VME | X86_CR4_PVI, 0, 0},
        {1, EDX, 2, X86_CR4_DE, 0, 0},
        {1, EDX, 3, X86_CR4_PSE, 0, 0},
        {1, EDX, 4, X86_CR4_TSD, 0, 0},
        {1, EDX, 6, X86_CR4_PAE, 0, 0},
        {1, EDX, 13, X86_CR4_PGE, 0, 0},
        {1, EDX, 24, X86_CR4_OSFXSR, 0, 0},
        {1, EDX, 25, X86_CR4_OSXMMEXCPT, 0, 0},
        {1, ECX, 17, X86_CR4_PCIDE, 0, 0},
        {1, ECX, 26, X86_CR4_OSXSAVE, 0, 7},
        {1, ECX, 28, 0, 0, X86_XCR0_AVX},
        {7, EBX, 0, X86_CR4_FSGSBASE, 0, 0},
        {7, EBX, 7, X86_CR4_SMEP, 0, 0},
        {7, EBX, 20, X86_CR4_SMAP, 0, 0},
        {7, ECX, 2, X86_CR4_UMIP, 0, 0},
        {0x80000001, EDX, 11, 0, X86_EFER_SCE, 0},
        {0x80000001, EDX, 20, 0, X86_EFER_NXE, 0},
        {0x80000001, EDX, 25, 0, X86_EFER_FFXSR, 0},
        {0x80000001, EDX, 29, 0, X86_EFER_LME | X86_EFER_LMA, 0},
        {0x80000001, ECX, 2, 0, 0, 0}, /* SVM */
    };
    const struct x86_vm_facts facts = {1, 48, 1, true};

    host_set(AMD, HOST_ONES);
    for_each_row (i, rows) {
        struct x86_guest_cpuid cpuid;

        missing_leaf = rows[i].leaf;
        missing_register = rows[i].reg;
        missing_bit = UINT32_C(1) << rows[i].bit;
        x86_guest_cpuid_init(&cpuid, &facts, host_without);
        cr_expect_eq(x86_guest_cr4_bits(&cpuid), CR4_OF_ALL & ~rows[i].cr4,
                     "row %zu", i);
        cr_expect_eq(x86_guest_efer_bits(&cpuid), EFER_OF_ALL & ~rows[i].efer,
                     "row %zu", i);
        cr_expect_eq(x86_guest_xcr0_bits(&cpuid), 7 & ~rows[i].xcr0, "row %zu",
                     i);
    }
}

Test(guest_control, xcr0)
{
    static const struct {
        uint64_t supported;
        uint64_t valid; /* bit n: value n */
    } rows[] = {
        {7, BIT(1) | BIT(3) | BIT(7)},
        {3, BIT(1) | BIT(3)},
        {1, BIT(1)},
        {0, 0},
    };

    for_each_row (i, rows) {
        for (unsigned value = 0; value < 64; value++)
            cr_expect_eq(x86_xcr0_is_valid(value, rows[i].supported),
                         (rows[i].valid & BIT(value)) != 0, "%u of %lu", value,
                         rows[i].supported);
        for (unsigned bit = 3; bit < 64; bit++)
            cr_expect(!x86_xcr0_is_valid(3 | BIT(bit), rows[i].supported),
                      "bit %u", bit);
    }
}

/* Whatever the host has: what a guest can enable is in the area that is
 * switched, and there is no other state that it can bring into being. */
Test(guest_control, nothing_that_is_not_switched)
{
    host_set(AMD, HOST_RANDOM);
    for (unsigned round = 0; round < 1000; round++) {
        const struct x86_vcpu_facts facts = {0, true, 0, 7};
        struct x86_guest_cpuid cpuid;
        struct x86_cpuid area;

        host.seed = host.noise = round + 1;
        host_guest(&cpuid, 1);
        for (uint64_t value = 0; value < 0x1000; value++) {
            if (x86_xcr0_is_valid(value, x86_guest_xcr0_bits(&cpuid)))
                cr_assert(value == 1 || value == 3 || value == 7, "%lx", value);
        }
        x86_guest_cpuid(&cpuid, &facts, 13, 0, &area);
        cr_assert_leq(area.ebx, sizeof(struct x86_xsave));
        cr_assert_eq(x86_guest_cr4_bits(&cpuid) & (X86_CR4_PKE | X86_CR4_CET),
                     0);
        cr_assert_eq(x86_guest_cr4_bits(&cpuid) & ~CR4_OF_ALL, 0);
        cr_assert_eq(x86_guest_efer_bits(&cpuid) & ~EFER_OF_ALL, 0);
    }
}

Test(guest_control, efer)
{
    static const struct {
        const char *name;
        uint64_t cr0, old, value;
        bool is_gp;
        uint64_t efer;
    } rows[] = {
        {"SCE and NXE", 0, 0, 0x801, false, 0x801},
        {"LME without paging", 0, 0, 0x100, false, 0x100},
        {"LMA is not taken over", 0, 0, 0x500, false, 0x100},
        {"LMA is kept", X86_CR0_PG, 0x500, 0x900, false, 0xd00},
        {"LMA alone", 0, 0, 0x400, false, 0},
        {"LME while paging", X86_CR0_PG, 0, 0x100, true, 0},
        {"LME off while paging", X86_CR0_PG, 0x500, 0x400, true, 0},
        {"LME off without paging", 0, 0x100, 0, false, 0},
        {"SVME", 0, 0, 0x1000, true, 0},
        {"LMSLE", 0, 0, 0x2000, true, 0},
        {"FFXSR", 0, 0, 0x4000, false, 0x4000},
        {"TCE", 0, 0, 0x8000, true, 0},
        {"AutoIBRS", 0, 0, 0x200000, true, 0},
        {"bit 1", 0, 0, 2, true, 0},
        {"bit 63", 0, 0, BIT(63), true, 0},
    };
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    for_each_row (i, rows) {
        uint64_t efer = 0;
        err_t error = x86_efer_write(&cpuid, rows[i].cr0, rows[i].old,
                                     rows[i].value, &efer);

        cr_expect_eq(error, rows[i].is_gp ? ERR_OUT_OF_RANGE : OK, "%s",
                     rows[i].name);
        cr_expect_eq(efer, rows[i].efer, "%s: %lx", rows[i].name, efer);
    }
}
