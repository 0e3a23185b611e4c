/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the guest-state area (section 29.3.1), but for segments; see
 * rules.h.
 */
#include "sim/fake_hw/x86_64/vmx/rules_internal.h"

#define DEBUGCTL_BTF BIT(1)

#define RFLAGS_RESERVED (BIT_MASK(63, 22) | BIT(15) | BIT(5) | BIT(3))

#define BNDCFGS_RESERVED BIT_MASK(11, 2)
#define BNDCFGS_ADDRESS  BIT_MASK(63, 12)

#define VMCS_POINTER_OFFSET BIT_MASK(11, 0)

/* PDPTEs: what is reserved besides bits above the physical addresses. */
#define PDPTE_P        BIT(0)
#define PDPTE_RESERVED (BIT_MASK(8, 5) | BIT_MASK(2, 1))

static bool has_cr0(const struct vmx_check *c, uint64_t bits)
{
    return has_all(F(GUEST_CR0), bits);
}

static bool has_cr4(const struct vmx_check *c, uint64_t bits)
{
    return has_all(F(GUEST_CR4), bits);
}

/* What CR0 must have: PE and PG not of an unrestricted guest. */
static uint64_t cr0_fixed0(const struct vmx_check *c)
{
    uint64_t fixed0 = c->profile->cr0_fixed0 & ~(X86_CR0_NW | X86_CR0_CD);

    return unrestricted(c) ? fixed0 & ~(X86_CR0_PE | X86_CR0_PG) : fixed0;
}

/* What it must not have. */
static uint64_t cr0_reserved(const struct vmx_check *c)
{
    return ~(c->profile->cr0_fixed1 | X86_CR0_NW | X86_CR0_CD);
}

static bool loads_cet(const struct vmx_check *c)
{
    return entry_has(c, VMX_ENTRY_LOAD_CET);
}

static bool loads_debug(const struct vmx_check *c)
{
    return entry_has(c, VMX_ENTRY_LOAD_DEBUG_CONTROLS);
}

static bool loads_efer(const struct vmx_check *c)
{
    return entry_has(c, VMX_ENTRY_LOAD_EFER);
}

static void set_efer(struct vmx_check *c, uint64_t bit, bool on)
{
    F(GUEST_IA32_EFER) = (F(GUEST_IA32_EFER) & ~bit) | (on ? bit : UINT64_C(0));
}

RULE(GUEST_CR0_FIXED0, missing(F(GUEST_CR0), cr0_fixed0(c)) == 0,
     F(GUEST_CR0) |= cr0_fixed0(c))
RULE(GUEST_CR0_FIXED1, !has_any(F(GUEST_CR0), cr0_reserved(c)),
     F(GUEST_CR0) &= ~cr0_reserved(c))
RULE(GUEST_PG_PE, implies(has_cr0(c, X86_CR0_PG), has_cr0(c, X86_CR0_PE)),
     F(GUEST_CR0) |= X86_CR0_PE)
RULE(GUEST_CR4_FIXED0, missing(F(GUEST_CR4), c->profile->cr4_fixed0) == 0,
     F(GUEST_CR4) |= c->profile->cr4_fixed0)
RULE(GUEST_CR4_FIXED1, !has_any(F(GUEST_CR4), ~c->profile->cr4_fixed1),
     F(GUEST_CR4) &= c->profile->cr4_fixed1)
RULE(GUEST_CET_WP, implies(has_cr4(c, X86_CR4_CET), has_cr0(c, X86_CR0_WP)),
     F(GUEST_CR0) |= X86_CR0_WP)
RULE(GUEST_DEBUGCTL,
     implies(loads_debug(c),
             !has_any(F(GUEST_IA32_DEBUGCTL), ~c->profile->debugctl)),
     F(GUEST_IA32_DEBUGCTL) &= c->profile->debugctl)
RULE(GUEST_LONG_PG, implies(guest_long(c), has_cr0(c, X86_CR0_PG)),
     F(GUEST_CR0) |= X86_CR0_PG | X86_CR0_PE)
RULE(GUEST_LONG_PAE, implies(guest_long(c), has_cr4(c, X86_CR4_PAE)),
     F(GUEST_CR4) |= X86_CR4_PAE)
RULE(GUEST_PCIDE, implies(has_cr4(c, X86_CR4_PCIDE), guest_long(c)),
     F(GUEST_CR4) &= ~X86_CR4_PCIDE)
RULE(GUEST_CR3, !has_any(F(GUEST_CR3), above(c)), F(GUEST_CR3) &= ~above(c))
RULE(GUEST_DR7, implies(loads_debug(c), F(GUEST_DR7) <= UINT32_MAX),
     F(GUEST_DR7) &= UINT32_MAX)

#define CANONICAL_RULE(id, used, name)                \
    RULE(id, implies(used, is_canonical(c, F(name))), \
         F(name) = canonical(c, F(name)))

CANONICAL_RULE(GUEST_SYSENTER_ESP, true, GUEST_IA32_SYSENTER_ESP)
CANONICAL_RULE(GUEST_SYSENTER_EIP, true, GUEST_IA32_SYSENTER_EIP)
CANONICAL_RULE(GUEST_S_CET_CANONICAL, loads_cet(c), GUEST_IA32_S_CET)
CANONICAL_RULE(GUEST_SSP_TABLE, loads_cet(c), GUEST_IA32_SSP_TABLE_ADDRESS)
RULE(GUEST_PERF_GLOBAL_CTRL,
     implies(entry_has(c, VMX_ENTRY_LOAD_PERF_GLOBAL_CTRL),
             !has_any(F(GUEST_IA32_PERF_GLOBAL_CTRL),
                      ~c->profile->perf_global_ctrl)),
     F(GUEST_IA32_PERF_GLOBAL_CTRL) &= c->profile->perf_global_ctrl)
RULE(GUEST_PAT,
     implies(entry_has(c, VMX_ENTRY_LOAD_PAT), pat_is_legal(F(GUEST_IA32_PAT))),
     F(GUEST_IA32_PAT) = PAT_RESET)
RULE(GUEST_EFER,
     implies(loads_efer(c), !has_any(F(GUEST_IA32_EFER), ~c->profile->efer)),
     F(GUEST_IA32_EFER) &= c->profile->efer)
RULE(GUEST_EFER_LMA,
     implies(loads_efer(c),
             has_all(F(GUEST_IA32_EFER), X86_EFER_LMA) == guest_long(c)),
     set_efer(c, X86_EFER_LMA, guest_long(c)))
RULE(GUEST_EFER_LME,
     implies(loads_efer(c) && has_cr0(c, X86_CR0_PG),
             has_all(F(GUEST_IA32_EFER), X86_EFER_LME) ==
                 has_all(F(GUEST_IA32_EFER), X86_EFER_LMA)),
     set_efer(c, X86_EFER_LME, guest_long(c)))
RULE(GUEST_BNDCFGS,
     implies(entry_has(c, VMX_ENTRY_LOAD_BNDCFGS),
             !has_any(F(GUEST_IA32_BNDCFGS), BNDCFGS_RESERVED)),
     F(GUEST_IA32_BNDCFGS) &= ~BNDCFGS_RESERVED)
RULE(GUEST_BNDCFGS_CANONICAL,
     implies(entry_has(c, VMX_ENTRY_LOAD_BNDCFGS),
             is_canonical(c, F(GUEST_IA32_BNDCFGS) & BNDCFGS_ADDRESS)),
     F(GUEST_IA32_BNDCFGS) = canonical(c, F(GUEST_IA32_BNDCFGS)))
RULE(GUEST_RTIT_CTL,
     implies(entry_has(c, VMX_ENTRY_LOAD_RTIT_CTL),
             !has_any(F(GUEST_IA32_RTIT_CTL), ~c->profile->rtit_ctl)),
     F(GUEST_IA32_RTIT_CTL) &= c->profile->rtit_ctl)
RULE(GUEST_S_CET,
     implies(loads_cet(c), !has_any(F(GUEST_IA32_S_CET), ~c->profile->s_cet)),
     F(GUEST_IA32_S_CET) &= c->profile->s_cet)
RULE(GUEST_S_CET_SUPPRESS,
     implies(loads_cet(c), !s_cet_suppresses_twice(F(GUEST_IA32_S_CET))),
     F(GUEST_IA32_S_CET) &= ~S_CET_SUPPRESS)
RULE(GUEST_LBR_CTL,
     implies(entry_has(c, VMX_ENTRY_LOAD_LBR_CTL),
             !has_any(F(GUEST_IA32_LBR_CTL), ~c->profile->lbr_ctl)),
     F(GUEST_IA32_LBR_CTL) &= c->profile->lbr_ctl)
RULE(GUEST_PKRS,
     implies(entry_has(c, VMX_ENTRY_LOAD_PKRS),
             F(GUEST_IA32_PKRS) <= UINT32_MAX),
     F(GUEST_IA32_PKRS) &= UINT32_MAX)
RULE(GUEST_UINV,
     implies(entry_has(c, VMX_ENTRY_LOAD_UINV), F(GUEST_UINV) <= UINT8_MAX),
     F(GUEST_UINV) &= UINT8_MAX)

STABLE_RULE_GROUP(registers, VMX_RULES_REGISTERS)

/* Whether the guest will be in 64-bit mode. */
static bool is_64bit(const struct vmx_check *c)
{
    return guest_long(c) && has_all(F(GUEST_CS_ACCESS_RIGHTS), VMX_AR_L);
}

CANONICAL_RULE(GUEST_GDTR_BASE, true, GUEST_GDTR_BASE)
CANONICAL_RULE(GUEST_IDTR_BASE, true, GUEST_IDTR_BASE)
RULE(GUEST_GDTR_LIMIT, F(GUEST_GDTR_LIMIT) <= UINT16_MAX,
     F(GUEST_GDTR_LIMIT) &= UINT16_MAX)
RULE(GUEST_IDTR_LIMIT, F(GUEST_IDTR_LIMIT) <= UINT16_MAX,
     F(GUEST_IDTR_LIMIT) &= UINT16_MAX)
RULE(GUEST_RIP_HIGH, is_64bit(c) || F(GUEST_RIP) <= UINT32_MAX,
     F(GUEST_RIP) &= UINT32_MAX)
RULE(GUEST_RIP, implies(is_64bit(c), is_alike(c, F(GUEST_RIP))),
     F(GUEST_RIP) = canonical(c, F(GUEST_RIP)))
RULE(GUEST_RFLAGS, !has_any(F(GUEST_RFLAGS), RFLAGS_RESERVED),
     F(GUEST_RFLAGS) &= ~RFLAGS_RESERVED)
RULE(GUEST_RFLAGS_FIXED, has_all(F(GUEST_RFLAGS), X86_RFLAGS_FIXED),
     F(GUEST_RFLAGS) |= X86_RFLAGS_FIXED)
RULE(GUEST_RFLAGS_VM,
     implies(has_all(F(GUEST_RFLAGS), X86_RFLAGS_VM),
             !guest_long(c) && has_cr0(c, X86_CR0_PE)),
     F(GUEST_RFLAGS) &= ~X86_RFLAGS_VM)
RULE(GUEST_RFLAGS_IF,
     implies(event_type(c) == VMX_EVENT_INTERRUPT,
             has_all(F(GUEST_RFLAGS), X86_RFLAGS_IF)),
     F(GUEST_RFLAGS) |= X86_RFLAGS_IF)
RULE(GUEST_SSP, implies(loads_cet(c), is_aligned(F(GUEST_SSP), 4)),
     F(GUEST_SSP) &= ~UINT64_C(3))
RULE(GUEST_SSP_CANONICAL, implies(loads_cet(c), is_alike(c, F(GUEST_SSP))),
     F(GUEST_SSP) = canonical(c, F(GUEST_SSP)))

RULE_GROUP(tables, VMX_RULES_TABLES)

static bool activity_exists(const struct vmx_check *c)
{
    switch (F(GUEST_ACTIVITY_STATE)) {
    case VMX_ACTIVITY_ACTIVE: return true;
    case VMX_ACTIVITY_HLT: return has_all(c->profile->misc, VMX_MISC_HLT);
    case VMX_ACTIVITY_SHUTDOWN:
        return has_all(c->profile->misc, VMX_MISC_SHUTDOWN);
    case VMX_ACTIVITY_WAIT_FOR_SIPI:
        return has_all(c->profile->misc, VMX_MISC_WAIT_FOR_SIPI);
    default: return false;
    }
}

static bool is_exception(const struct vmx_check *c, unsigned vector)
{
    return event_type(c) == VMX_EVENT_EXCEPTION && event_vector(c) == vector;
}

/* Whether the event may be injected into the HLT state. */
static bool wakes_hlt(const struct vmx_check *c)
{
    int type = event_type(c);

    return type < 0 || type == VMX_EVENT_INTERRUPT || type == VMX_EVENT_NMI ||
           is_exception(c, X86_VECTOR_DB) || is_exception(c, X86_VECTOR_MC) ||
           (type == VMX_EVENT_OTHER && event_vector(c) == 0);
}

static bool wakes_shutdown(const struct vmx_check *c)
{
    return event_type(c) < 0 || event_type(c) == VMX_EVENT_NMI ||
           is_exception(c, X86_VECTOR_MC);
}

static bool blocked_by(const struct vmx_check *c, uint64_t what)
{
    return has_any(F(GUEST_INTERRUPTIBILITY_STATE), what);
}

static bool in_activity(const struct vmx_check *c, enum vmx_activity activity)
{
    return F(GUEST_ACTIVITY_STATE) == (uint64_t)activity;
}

/* Whether pending debug exceptions must tell of a single step, or must not. */
static bool step_counts(const struct vmx_check *c)
{
    return blocked_by(c, VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS) ||
           in_activity(c, VMX_ACTIVITY_HLT);
}

static bool steps(const struct vmx_check *c)
{
    return has_all(F(GUEST_RFLAGS), X86_RFLAGS_TF) &&
           !has_all(F(GUEST_IA32_DEBUGCTL), DEBUGCTL_BTF);
}

static bool pending(const struct vmx_check *c, uint64_t what)
{
    return has_any(F(GUEST_PENDING_DEBUG_EXCEPTIONS), what);
}

static void unblock(struct vmx_check *c, uint64_t what)
{
    F(GUEST_INTERRUPTIBILITY_STATE) &= ~what;
}

static void activate(struct vmx_check *c)
{
    F(GUEST_ACTIVITY_STATE) = VMX_ACTIVITY_ACTIVE;
}

RULE(GUEST_ACTIVITY, activity_exists(c), activate(c))
RULE(GUEST_ACTIVITY_HLT,
     implies(in_activity(c, VMX_ACTIVITY_HLT),
             !has_any(F(GUEST_SS_ACCESS_RIGHTS), VMX_AR_DPL)),
     activate(c))
RULE(GUEST_ACTIVITY_BLOCKING,
     implies(blocked_by(c, VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS),
             in_activity(c, VMX_ACTIVITY_ACTIVE)),
     activate(c))
RULE(GUEST_ACTIVITY_HLT_EVENT,
     implies(in_activity(c, VMX_ACTIVITY_HLT), wakes_hlt(c)), activate(c))
RULE(GUEST_ACTIVITY_SHUTDOWN_EVENT,
     implies(in_activity(c, VMX_ACTIVITY_SHUTDOWN), wakes_shutdown(c)),
     activate(c))
RULE(GUEST_ACTIVITY_SIPI_EVENT,
     implies(in_activity(c, VMX_ACTIVITY_WAIT_FOR_SIPI), event_type(c) < 0),
     activate(c))
RULE(GUEST_BLOCKING, !blocked_by(c, VMX_BLOCKING_RESERVED),
     unblock(c, VMX_BLOCKING_RESERVED))
RULE(GUEST_BLOCKING_BOTH,
     !has_all(F(GUEST_INTERRUPTIBILITY_STATE),
              VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS),
     unblock(c, VMX_BLOCKING_STI))
RULE(GUEST_BLOCKING_STI,
     implies(blocked_by(c, VMX_BLOCKING_STI),
             has_all(F(GUEST_RFLAGS), X86_RFLAGS_IF)),
     unblock(c, VMX_BLOCKING_STI))
RULE(GUEST_BLOCKING_INTERRUPT,
     implies(event_type(c) == VMX_EVENT_INTERRUPT,
             !blocked_by(c, VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS)),
     unblock(c, VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS))
RULE(GUEST_BLOCKING_NMI_STI,
     implies(event_type(c) == VMX_EVENT_NMI, !blocked_by(c, VMX_BLOCKING_STI)),
     unblock(c, VMX_BLOCKING_STI))
RULE(GUEST_BLOCKING_NMI_MOV_SS,
     implies(event_type(c) == VMX_EVENT_NMI,
             !blocked_by(c, VMX_BLOCKING_MOV_SS)),
     unblock(c, VMX_BLOCKING_MOV_SS))
RULE(GUEST_BLOCKING_SMI, !blocked_by(c, VMX_BLOCKING_SMI),
     unblock(c, VMX_BLOCKING_SMI))
RULE(GUEST_BLOCKING_NMI,
     implies(pin_has(c, VMX_PIN_VIRTUAL_NMIS) && event_type(c) == VMX_EVENT_NMI,
             !blocked_by(c, VMX_BLOCKING_NMI)),
     unblock(c, VMX_BLOCKING_NMI))
RULE(GUEST_BLOCKING_ENCLAVE,
     !has_all(F(GUEST_INTERRUPTIBILITY_STATE),
              VMX_BLOCKING_ENCLAVE | VMX_BLOCKING_MOV_SS),
     unblock(c, VMX_BLOCKING_ENCLAVE))
RULE(GUEST_BLOCKING_SGX,
     implies(blocked_by(c, VMX_BLOCKING_ENCLAVE), c->profile->sgx),
     unblock(c, VMX_BLOCKING_ENCLAVE))

RULE(GUEST_PENDING, !pending(c, VMX_PENDING_RESERVED),
     F(GUEST_PENDING_DEBUG_EXCEPTIONS) &= ~VMX_PENDING_RESERVED)
RULE(GUEST_PENDING_BS,
     implies(step_counts(c) && steps(c), pending(c, VMX_PENDING_BS)),
     F(GUEST_PENDING_DEBUG_EXCEPTIONS) |= VMX_PENDING_BS)
RULE(GUEST_PENDING_NO_BS,
     implies(step_counts(c) && !steps(c), !pending(c, VMX_PENDING_BS)),
     F(GUEST_PENDING_DEBUG_EXCEPTIONS) &= ~VMX_PENDING_BS)
RULE(GUEST_PENDING_RTM,
     implies(pending(c, VMX_PENDING_RTM),
             F(GUEST_PENDING_DEBUG_EXCEPTIONS) ==
                 (VMX_PENDING_RTM | VMX_PENDING_ENABLED)),
     F(GUEST_PENDING_DEBUG_EXCEPTIONS) &= ~VMX_PENDING_RTM)
RULE(GUEST_PENDING_RTM_ABSENT,
     implies(pending(c, VMX_PENDING_RTM), c->profile->rtm),
     F(GUEST_PENDING_DEBUG_EXCEPTIONS) &= ~VMX_PENDING_RTM)
RULE(GUEST_PENDING_RTM_MOV_SS,
     implies(pending(c, VMX_PENDING_RTM), !blocked_by(c, VMX_BLOCKING_MOV_SS)),
     F(GUEST_PENDING_DEBUG_EXCEPTIONS) &= ~VMX_PENDING_RTM)

/* What is linked, if something is. */
static bool links(const struct vmx_check *c)
{
    return F(LINK_POINTER) != VMCS_NO_ADDRESS;
}

static uint64_t linked_revision(const struct vmx_check *c)
{
    return vmx_memory(F(LINK_POINTER), 4);
}

static void unlink_vmcs(struct vmx_check *c)
{
    F(LINK_POINTER) = VMCS_NO_ADDRESS;
}

RULE(GUEST_LINK_ALIGN,
     implies(links(c), !has_any(F(LINK_POINTER), VMCS_POINTER_OFFSET)),
     unlink_vmcs(c))
RULE(GUEST_LINK_WIDTH, implies(links(c), !has_any(F(LINK_POINTER), above(c))),
     unlink_vmcs(c))
RULE(GUEST_LINK_REVISION,
     !links(c) || (linked_revision(c) & VMCS_REVISION) ==
                      (c->profile->basic & VMX_BASIC_REVISION),
     unlink_vmcs(c))
RULE(GUEST_LINK_SHADOW,
     !links(c) || has_all(linked_revision(c), VMCS_SHADOW) ==
                      cpu2_has(c, VMX_CPU2_VMCS_SHADOWING),
     unlink_vmcs(c))
RULE(GUEST_LINK_CURRENT, F(LINK_POINTER) != c->current || !links(c),
     unlink_vmcs(c))

RULE_GROUP(non_register, VMX_RULES_NON_REGISTER)

/* Whether the guest will use PAE paging. */
static bool uses_pae(const struct vmx_check *c)
{
    return has_cr0(c, X86_CR0_PG) && has_cr4(c, X86_CR4_PAE) && !guest_long(c);
}

static bool has_ept(const struct vmx_check *c)
{
    return cpu2_has(c, VMX_CPU2_EPT);
}

/* PDPTE `i`, of the VMCS or, without EPT, of the table that CR3 names. */
static uint64_t pdpte(const struct vmx_check *c, unsigned i)
{
    if (has_ept(c))
        return c->field[VMCS_AT_GUEST_PDPTE0 + i];
    return vmx_memory((F(GUEST_CR3) & X86_CR3_PAE) + i * 8, 8);
}

static bool pdpte_is_legal(const struct vmx_check *c, unsigned i)
{
    uint64_t entry;

    if (!uses_pae(c))
        return true;
    entry = pdpte(c, i);
    return !has_all(entry, PDPTE_P) ||
           !has_any(entry, PDPTE_RESERVED | above(c));
}

/* Memory is the guest's: it does without PAE. */
static void repair_pdpte(struct vmx_check *c, unsigned i)
{
    if (has_ept(c))
        c->field[VMCS_AT_GUEST_PDPTE0 + i] &= ~(PDPTE_RESERVED | above(c));
    else
        F(GUEST_CR4) &= ~X86_CR4_PAE;
}

RULE(GUEST_PDPTE0, pdpte_is_legal(c, 0), repair_pdpte(c, 0))
RULE(GUEST_PDPTE1, pdpte_is_legal(c, 1), repair_pdpte(c, 1))
RULE(GUEST_PDPTE2, pdpte_is_legal(c, 2), repair_pdpte(c, 2))
RULE(GUEST_PDPTE3, pdpte_is_legal(c, 3), repair_pdpte(c, 3))

RULE_GROUP(pdptes, VMX_RULES_PDPTES)
