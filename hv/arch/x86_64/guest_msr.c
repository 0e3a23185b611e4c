/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MSRs of guests: AMD APM volume 2, appendix A, and Intel SDM volume 4.
 *
 * Besides the architectural ones there are those which Linux accesses on
 * processors of that vendor without being ready for #GP. The latter have no
 * effect: caches, memory controllers and power are the host's. So have MTRRs,
 * as with nested paging the host's decide (APM volume 2, section 15.25.8).
 *
 * There are no speculation controls, performance counters, branch records,
 * machine-check banks, and no MSRs of other hypervisors: CPUID has no bits for
 * them.
 */
#include "arch/x86_64/guest_msr.h"
#include "lib/compiler.h"
#include "lib/string.h"

#define ALL      UINT64_MAX
#define FOUR_GIB (UINT64_C(1) << 32)

/* So that six ranges reach 4 GiB. */
#define MTRR_GRANULE (UINT64_C(64) << 20)

/* MTRRcap: the number of variable ranges, fixed ranges, write-combining. */
#define MTRRCAP (X86_MTRR_RANGES | BIT(8) | BIT(10))
/* MTRRdefType, and base and mask of a variable range. */
#define MTRR_TYPE     BIT_MASK(7, 0)
#define MTRR_DEF_TYPE (MTRR_TYPE | MTRR_FIXED | MTRR_ENABLE)
#define MTRR_BASE     (MTRR_TYPE | BIT_MASK(63, 12))
#define MTRR_MASK     BIT_MASK(63, 11)

#define MTRR_ENABLE BIT(11)
#define MTRR_FIXED  BIT(10)
#define MTRR_VALID  BIT(11) /* of a mask */
/* Types, and one of each range of a fixed MTRR. */
#define TYPE_UC      UINT64_C(0)
#define TYPE_WP      UINT64_C(5)
#define TYPE_WB      UINT64_C(6)
#define ALL_OF(type) ((type)*UINT64_C(0x0101010101010101))

#define MCG_STATUS BIT_MASK(2, 0)

/* IA32_MISC_ENABLE: without branch records and PEBS. */
#define MISC_FAST_STRINGS BIT(0)
#define MISC_UNAVAILABLE  (BIT(11) | BIT(12))

/* HWCR: TlbCacheDis, FFDIS and IgnneEm are without effect here; the TSC counts
 * at the frequency of P0. */
#define HWCR_IGNORED     (BIT(3) | BIT(6) | BIT(8))
#define HWCR_MCSTATUS_WR BIT(18)
#define HWCR_TSC_FREQ    BIT(24)

#define SYS_CFG_MTRR_DRAM BIT_MASK(22, 18)
#define NB_CFG_EXT_CF8    BIT(46)
#define DE_CFG_LFENCE     BIT(1) /* LFENCE serializes */
#define OSVW_LENGTH       4      /* errata whose bits exist, and are 0 */

/* Revision 1, where AMD has it and where Intel has it. */
#define PATCH_LEVEL UINT64_C(0x0000000100000001)

static bool is_memory_type(uint64_t type)
{
    return type <= 6 && type != 2 && type != 3;
}

static bool never(const struct x86_guest_cpuid *cpuid, uint64_t value)
{
    return false;
}

static bool is_canonical(const struct x86_guest_cpuid *cpuid, uint64_t value)
{
    return (uint64_t)sign_extend(value, X86_GUEST_LINEAR_BITS) == value;
}

/* PAT has UC-, which is 7, besides the types of MTRRs. */
static bool is_pat(const struct x86_guest_cpuid *cpuid, uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t type = value >> i & 0xff;

        if (!is_memory_type(type) && type != 7)
            return false;
    }
    return true;
}

static bool is_mtrr_fixed(const struct x86_guest_cpuid *cpuid, uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        if (!is_memory_type(value >> i & 0xff))
            return false;
    }
    return true;
}

static bool is_mtrr_def_type(const struct x86_guest_cpuid *cpuid,
                             uint64_t value)
{
    return is_memory_type(FIELD_GET(MTRR_TYPE, value));
}

static bool is_mtrr_mask(const struct x86_guest_cpuid *cpuid, uint64_t value)
{
    return value >> cpuid->physical_bits == 0;
}

/* Bases and masks alternate; a mask has no type, which reads as UC. */
static bool is_mtrr_base(const struct x86_guest_cpuid *cpuid, uint64_t value)
{
    return is_mtrr_mask(cpuid, value) && is_mtrr_def_type(cpuid, value);
}

/* clang-format off */
#define AT(field) offsetof(struct x86_msr_state, field)
#define RANGE(first, last, home, needs)                                        \
    {first, last, X86_MSR_##home, X86_FEATURE_##needs, X86_MSR_CONSTANT, 0,    \
     ALL, 0, NULL}
#define CHECKED(name, home, needs, writable, is_valid)                         \
    {X86_MSR_##name, X86_MSR_##name, X86_MSR_##home, X86_FEATURE_##needs,      \
     X86_MSR_CONSTANT, 0, writable, 0, is_valid}
#define STATE(first, last, needs, field, reset, writable, ignored, is_valid)   \
    {first, last, X86_MSR_STATE, X86_FEATURE_##needs, AT(field), reset,        \
     writable, ignored, is_valid}
#define ONE(name, needs, field, reset, writable, ignored, is_valid)            \
    STATE(X86_MSR_##name, X86_MSR_##name, needs, field, reset, writable,       \
          ignored, is_valid)
/* Read-only; or writes have no effect, of the bits of `ignored`. */
#define CONSTANT(name, needs, value)                                           \
    {X86_MSR_##name, X86_MSR_##name, X86_MSR_STATE, X86_FEATURE_##needs,       \
     X86_MSR_CONSTANT, value, 0, 0, never}
#define UNCHANGED(name, needs, value, ignored)                                 \
    {X86_MSR_##name, X86_MSR_##name, X86_MSR_STATE, X86_FEATURE_##needs,       \
     X86_MSR_CONSTANT, value, 0, ignored, NULL}

/* By number. */
static const struct x86_msr_row rows[] = {
    CHECKED(TSC, CORE, TSC, ALL, NULL),
    CONSTANT(PLATFORM_ID, INTEL, 0),
    RANGE(X86_MSR_APIC_BASE, X86_MSR_APIC_BASE, LAPIC, X2APIC),
    CHECKED(TSC_ADJUST, CORE, TSC_ADJUST, ALL, NULL),
    UNCHANGED(PATCH_LEVEL, NONE, PATCH_LEVEL, ALL),
    CONSTANT(MTRRcap, MTRR, MTRRCAP),
    CHECKED(SYSENTER_CS, DIRECT, SEP, ALL, NULL),
    CHECKED(SYSENTER_ESP, DIRECT, SEP, ALL, is_canonical),
    CHECKED(SYSENTER_EIP, DIRECT, SEP, ALL, is_canonical),
    CONSTANT(MCG_CAP, MCA, 0), /* no banks, and so no MCG_CTL */
    ONE(MCG_STAT, MCA, mcg_status, 0, MCG_STATUS, 0, NULL),
    ONE(MISC_ENABLE, INTEL, misc_enable, MISC_FAST_STRINGS | MISC_UNAVAILABLE,
        MISC_FAST_STRINGS, MISC_UNAVAILABLE, NULL),
    UNCHANGED(DBG_CTL, NONE, 0, 0),
    CONSTANT(BR_FROM, AMD, 0),
    CONSTANT(BR_TO, AMD, 0),
    CONSTANT(LAST_EXCP_FROM, AMD, 0),
    CONSTANT(LAST_EXCP_TO, AMD, 0),
#define VARIABLE(n)                                                            \
    STATE(X86_MSR_MTRR_BASE0 + 2 * (n), X86_MSR_MTRR_BASE0 + 2 * (n), MTRR,    \
          mtrr_variable[2 * (n)], 0, MTRR_BASE, 0, is_mtrr_base),              \
    STATE(X86_MSR_MTRR_BASE0 + 2 * (n) + 1, X86_MSR_MTRR_BASE0 + 2 * (n) + 1,  \
          MTRR, mtrr_variable[2 * (n) + 1], 0, MTRR_MASK, 0, is_mtrr_mask)
    VARIABLE(0), VARIABLE(1), VARIABLE(2), VARIABLE(3),
    VARIABLE(4), VARIABLE(5), VARIABLE(6), VARIABLE(7),
#undef VARIABLE
    ONE(MTRR_FIX64K, MTRR, mtrr_fix64k, 0, ALL, 0, is_mtrr_fixed),
    STATE(X86_MSR_MTRR_FIX16K, X86_MSR_MTRR_FIX16K + 1, MTRR, mtrr_fix16k, 0,
          ALL, 0, is_mtrr_fixed),
    STATE(X86_MSR_MTRR_FIX4K, X86_MSR_MTRR_FIX4K + 7, MTRR, mtrr_fix4k, 0,
          ALL, 0, is_mtrr_fixed),
    CHECKED(PAT, CORE, PAT, ALL, is_pat),
    ONE(MTRR_DEF_TYPE, MTRR, mtrr_def_type, 0, MTRR_DEF_TYPE, 0,
        is_mtrr_def_type),
    RANGE(X86_MSR_TSC_DEADLINE, X86_MSR_TSC_DEADLINE, LAPIC, TSC_DEADLINE),
    RANGE(X86_MSR_X2APIC, X86_MSR_X2APIC + 0xff, LAPIC, X2APIC),
    CHECKED(EFER, CORE, NONE, ALL, NULL),
    CHECKED(STAR, DIRECT, SYSCALL, ALL, NULL),
    CHECKED(LSTAR, DIRECT, LM, ALL, is_canonical),
    CHECKED(CSTAR, DIRECT, LM, ALL, is_canonical),
    CHECKED(SFMASK, DIRECT, LM, UINT32_MAX, NULL),
    CHECKED(FS_BASE, DIRECT, LM, ALL, is_canonical),
    CHECKED(GS_BASE, DIRECT, LM, ALL, is_canonical),
    CHECKED(KERNEL_GS_BASE, DIRECT, LM, ALL, is_canonical),
    CHECKED(TSC_AUX, CORE, RDTSCP, UINT32_MAX, NULL),
    UNCHANGED(SYS_CFG, AMD, 0, SYS_CFG_MTRR_DRAM),
    ONE(HWCR, AMD, hwcr, HWCR_TSC_FREQ, HWCR_MCSTATUS_WR,
        HWCR_IGNORED | HWCR_TSC_FREQ, NULL),
    ONE(NB_CFG, AMD, nb_cfg, 0, NB_CFG_EXT_CF8, ALL, NULL),
    CONSTANT(INT_PENDING, AMD, 0),
    CONSTANT(MMIO_CONF_BASE, AMD, 0),
    CONSTANT(SMM_ADDR, AMD, 0),
    CONSTANT(SMM_MASK, AMD, 0),
    CONSTANT(OSVW_ID_LENGTH, OSVW, OSVW_LENGTH),
    CONSTANT(OSVW_STATUS, OSVW, 0),
    UNCHANGED(DE_CFG, AMD, DE_CFG_LFENCE, DE_CFG_LFENCE),
};
/* clang-format on */

const struct x86_msr_row *x86_msr_find(const struct x86_guest_cpuid *cpuid,
                                       uint32_t msr)
{
    size_t low = 0, high = ARRAY_SIZE(rows);

    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (msr < rows[middle].first)
            high = middle;
        else
            low = middle;
    }
    if (msr < rows[low].first || msr > rows[low].last ||
        !x86_guest_has(cpuid, rows[low].needs))
        return NULL;
    return &rows[low];
}

bool x86_msr_accepts(const struct x86_guest_cpuid *cpuid,
                     const struct x86_msr_row *row, uint64_t value)
{
    if ((value & ~(row->writable | row->ignored)) != 0)
        return false;
    return !row->is_valid || row->is_valid(cpuid, value);
}

static size_t at(const struct x86_msr_row *row, uint32_t msr)
{
    return row->at + (msr - row->first) * sizeof(uint64_t);
}

uint64_t x86_msr_load(const struct x86_msr_state *state,
                      const struct x86_msr_row *row, uint32_t msr)
{
    uint64_t value = row->reset;

    if (row->at != X86_MSR_CONSTANT)
        memcpy(&value, (const char *)state + at(row, msr), sizeof(value));
    return value;
}

void x86_msr_store(struct x86_msr_state *state, const struct x86_msr_row *row,
                   uint32_t msr, uint64_t value)
{
    uint64_t stored = (value & row->writable) | (row->reset & ~row->writable);

    if (row->at != X86_MSR_CONSTANT)
        memcpy((char *)state + at(row, msr), &stored, sizeof(stored));
}

void x86_msr_reset(struct x86_msr_state *state)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (uint32_t msr = rows[i].first; msr <= rows[i].last; msr++)
            x86_msr_store(state, &rows[i], msr, rows[i].reset);
    }
}

void x86_msr_set_mtrrs(struct x86_msr_state *state,
                       const struct x86_guest_cpuid *cpuid, uint64_t devices)
{
    uint64_t *range = state->mtrr_variable;

    state->mtrr_def_type = MTRR_ENABLE | MTRR_FIXED | TYPE_WB;
    state->mtrr_fix64k = ALL_OF(TYPE_WB);
    state->mtrr_fix16k[0] = ALL_OF(TYPE_WB);
    state->mtrr_fix16k[1] = ALL_OF(TYPE_UC);
    for (size_t i = 0; i < ARRAY_SIZE(state->mtrr_fix4k); i++)
        state->mtrr_fix4k[i] = ALL_OF(TYPE_WP);
    /* A range's size is a power of two, and its base a multiple of it. */
    for (uint64_t size, base = align_up(devices, MTRR_GRANULE);
         base != 0 && base < FOUR_GIB; base += size) {
        size = base & -base;
        *range++ = base | TYPE_UC;
        *range++ = (BIT(cpuid->physical_bits) - size) | MTRR_VALID;
    }
}

void x86_msr_for_each_direct(const struct x86_guest_cpuid *cpuid,
                             void (*pass)(void *context, uint32_t msr),
                             void *context)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].home != X86_MSR_DIRECT ||
            !x86_guest_has(cpuid, rows[i].needs))
            continue;
        for (uint32_t msr = rows[i].first; msr <= rows[i].last; msr++)
            pass(context, msr);
    }
}
