/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the MSRs that a VM entry loads (section 29.4); see rules.h. Values
 * are checked of those MSRs that the fake processor has.
 */
#include "arch/x86_64/msr.h"
#include "sim/fake_hw/x86_64/vmx/rules_internal.h"

/* MSRs by their manual's name that no guest has (SDM volume 4). */
#define MSR_PLATFORM_ID     0x17
#define MSR_BIOS_UPDT_TRIG  0x79
#define MSR_SMM_MONITOR_CTL 0x9b
#define MSR_SMBASE          0x9e

#define MSR_X2APIC_PAGE 0x8 /* bits 31:8 */

/* Where the entry begins; it takes 16 bytes. */
static uint64_t entry_at(const struct vmx_check *c, uint64_t i)
{
    return F(ENTRY_MSR_LOAD_ADDRESS) + i * sizeof(struct vmx_msr_entry);
}

static uint32_t index_of(const struct vmx_check *c, uint64_t at)
{
    (void)c;
    return (uint32_t)vmx_memory(at, 4);
}

static bool is_base(const struct vmx_check *c, uint64_t at)
{
    uint32_t index = index_of(c, at);

    return index == X86_MSR_FS_BASE || index == X86_MSR_GS_BASE;
}

static bool is_x2apic(const struct vmx_check *c, uint64_t at)
{
    return index_of(c, at) >> 8 == MSR_X2APIC_PAGE;
}

static bool is_of_smm(const struct vmx_check *c, uint64_t at)
{
    uint32_t index = index_of(c, at);

    return index == MSR_SMM_MONITOR_CTL || index == MSR_SMBASE;
}

static bool is_of_model(const struct vmx_check *c, uint64_t at)
{
    uint32_t index = index_of(c, at);

    return index == MSR_PLATFORM_ID || index == MSR_BIOS_UPDT_TRIG;
}

static bool has_reserved(const struct vmx_check *c, uint64_t at)
{
    (void)c;
    return vmx_memory(at + 4, 4) != 0;
}

/* A write to EFER may not change LME while paging is on: it is now as the
 * guest-state area had it, or followed IA-32e mode guest. */
static bool efer_is_refused(const struct vmx_check *c, uint64_t value)
{
    return has_any(value, ~c->profile->efer) ||
           (has_all(F(GUEST_CR0), X86_CR0_PG) &&
            has_all(value, X86_EFER_LME) != guest_long(c));
}

static bool value_is_refused(const struct vmx_check *c, uint64_t at)
{
    uint64_t value = vmx_memory(at + 8, 8);

    switch (index_of(c, at)) {
    case X86_MSR_EFER: return efer_is_refused(c, value);
    case X86_MSR_PAT: return !pat_is_legal(value);
    case X86_MSR_DBG_CTL: return has_any(value, ~c->profile->debugctl);
    case X86_MSR_PERF_GLOBAL_CTRL:
        return has_any(value, ~c->profile->perf_global_ctrl);
    case X86_MSR_SYSENTER_ESP:
    case X86_MSR_SYSENTER_EIP:
    case X86_MSR_LSTAR:
    case X86_MSR_CSTAR:
    case X86_MSR_KERNEL_GS_BASE: return !is_canonical(c, value);
    case X86_MSR_SFMASK:
    case X86_MSR_TSC_AUX: return value > UINT32_MAX;
    case X86_MSR_STAR:
    case X86_MSR_SYSENTER_CS:
    case X86_MSR_TSC: return false;
    default: return true; /* not an MSR of this processor, or read-only */
    }
}

typedef bool is_so_fn(const struct vmx_check *c, uint64_t at);

/* What may be wrong with an entry, in the order of checking. */
static is_so_fn *const faults[] = {is_base,     is_x2apic,    is_of_smm,
                                   is_of_model, has_reserved, value_is_refused};

/* The first entry with a fault, and which; NULL: all can be loaded. */
static is_so_fn *first_fault(const struct vmx_check *c, uint64_t *entry)
{
    for (uint64_t i = 0; i < F(ENTRY_MSR_LOAD_COUNT); i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(faults); k++) {
            if (unlikely(faults[k](c, entry_at(c, i)))) {
                *entry = i;
                return faults[k];
            }
        }
    }
    return NULL;
}

static bool holds(const struct vmx_check *c, is_so_fn *is_so)
{
    uint64_t entry;

    return first_fault(c, &entry) != is_so;
}

/* The MSRs from the faulty entry on are not loaded. */
static void cut(struct vmx_check *c)
{
    uint64_t entry;

    if (first_fault(c, &entry) != NULL)
        F(ENTRY_MSR_LOAD_COUNT) = entry;
}

RULE(MSR_BASE, holds(c, is_base), cut(c))
RULE(MSR_X2APIC, holds(c, is_x2apic), cut(c))
RULE(MSR_SMM, holds(c, is_of_smm), cut(c))
RULE(MSR_MODEL, holds(c, is_of_model), cut(c))
RULE(MSR_RESERVED, holds(c, has_reserved), cut(c))
RULE(MSR_VALUE, holds(c, value_is_refused), cut(c))

RULE_GROUP(msrs, VMX_RULES_MSRS)

unsigned vmx_msr_broken(const struct vmx_check *c)
{
    uint64_t entry;

    return first_fault(c, &entry) == NULL ? 0 : (unsigned)entry + 1;
}
