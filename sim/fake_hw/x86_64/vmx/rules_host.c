/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the host-state area (sections 29.2.2 to 29.2.4); see rules.h. Those
 * of the size of the host's addresses count as the host's, though one of them
 * is about a VM-entry control.
 */
#include "sim/fake_hw/x86_64/vmx/rules_internal.h"

#define SELECTOR_LOW BIT_MASK(2, 0) /* RPL and TI */

/* "Host address-space size". */
static bool host_64(const struct vmx_check *c)
{
    return exit_has(c, VMX_EXIT_HOST_64);
}

static bool loads_cet(const struct vmx_check *c)
{
    return exit_has(c, VMX_EXIT_LOAD_CET);
}

static void set_efer(struct vmx_check *c, uint64_t bit)
{
    F(HOST_IA32_EFER) =
        (F(HOST_IA32_EFER) & ~bit) | (host_64(c) ? bit : UINT64_C(0));
}

static bool efer_is_size(const struct vmx_check *c, uint64_t bit)
{
    return !exit_has(c, VMX_EXIT_LOAD_EFER) ||
           has_all(F(HOST_IA32_EFER), bit) == host_64(c);
}

RULE(HOST_CR0_FIXED0, missing(F(HOST_CR0), c->profile->cr0_fixed0) == 0,
     F(HOST_CR0) |= c->profile->cr0_fixed0)
RULE(HOST_CR0_FIXED1, !has_any(F(HOST_CR0), ~c->profile->cr0_fixed1),
     F(HOST_CR0) &= c->profile->cr0_fixed1)
RULE(HOST_CR4_FIXED0, missing(F(HOST_CR4), c->profile->cr4_fixed0) == 0,
     F(HOST_CR4) |= c->profile->cr4_fixed0)
RULE(HOST_CR4_FIXED1, !has_any(F(HOST_CR4), ~c->profile->cr4_fixed1),
     F(HOST_CR4) &= c->profile->cr4_fixed1)
RULE(HOST_CET_WP,
     implies(has_all(F(HOST_CR4), X86_CR4_CET),
             has_all(F(HOST_CR0), X86_CR0_WP)),
     F(HOST_CR0) |= X86_CR0_WP)
RULE(HOST_CR3, !has_any(F(HOST_CR3), above(c)), F(HOST_CR3) &= ~above(c))

/* An address that must be canonical, if a control is set. */
#define CANONICAL_RULE(id, used, name)                \
    RULE(id, implies(used, is_canonical(c, F(name))), \
         F(name) = canonical(c, F(name)))

CANONICAL_RULE(HOST_SYSENTER_ESP, true, HOST_IA32_SYSENTER_ESP)
CANONICAL_RULE(HOST_SYSENTER_EIP, true, HOST_IA32_SYSENTER_EIP)
RULE(HOST_PERF_GLOBAL_CTRL,
     implies(exit_has(c, VMX_EXIT_LOAD_PERF_GLOBAL_CTRL),
             !has_any(F(HOST_IA32_PERF_GLOBAL_CTRL),
                      ~c->profile->perf_global_ctrl)),
     F(HOST_IA32_PERF_GLOBAL_CTRL) &= c->profile->perf_global_ctrl)
RULE(HOST_PAT,
     implies(exit_has(c, VMX_EXIT_LOAD_PAT), pat_is_legal(F(HOST_IA32_PAT))),
     F(HOST_IA32_PAT) = PAT_RESET)
RULE(HOST_EFER,
     implies(exit_has(c, VMX_EXIT_LOAD_EFER),
             !has_any(F(HOST_IA32_EFER), ~c->profile->efer)),
     F(HOST_IA32_EFER) &= c->profile->efer)
RULE(HOST_EFER_LMA, efer_is_size(c, X86_EFER_LMA), set_efer(c, X86_EFER_LMA))
RULE(HOST_EFER_LME, efer_is_size(c, X86_EFER_LME), set_efer(c, X86_EFER_LME))
RULE(HOST_S_CET,
     implies(loads_cet(c), !has_any(F(HOST_IA32_S_CET), ~c->profile->s_cet)),
     F(HOST_IA32_S_CET) &= c->profile->s_cet)
RULE(HOST_S_CET_SUPPRESS,
     implies(loads_cet(c), !s_cet_suppresses_twice(F(HOST_IA32_S_CET))),
     F(HOST_IA32_S_CET) &= ~S_CET_SUPPRESS)
RULE(HOST_SSP, implies(loads_cet(c), is_aligned(F(HOST_SSP), 4)),
     F(HOST_SSP) &= ~UINT64_C(3))
RULE(HOST_PKRS,
     implies(exit_has(c, VMX_EXIT_LOAD_PKRS), F(HOST_IA32_PKRS) <= UINT32_MAX),
     F(HOST_IA32_PKRS) &= UINT32_MAX)

#define SELECTOR_RULE(seg)                                 \
    RULE(HOST_##seg##_SELECTOR,                            \
         !has_any(F(HOST_##seg##_SELECTOR), SELECTOR_LOW), \
         F(HOST_##seg##_SELECTOR) &= ~SELECTOR_LOW)

SELECTOR_RULE(ES)
SELECTOR_RULE(CS)
SELECTOR_RULE(SS)
SELECTOR_RULE(DS)
SELECTOR_RULE(FS)
SELECTOR_RULE(GS)
SELECTOR_RULE(TR)
RULE(HOST_CS_NULL, F(HOST_CS_SELECTOR) != 0, F(HOST_CS_SELECTOR) = 8)
RULE(HOST_TR_NULL, F(HOST_TR_SELECTOR) != 0, F(HOST_TR_SELECTOR) = 8)
RULE(HOST_SS_NULL, host_64(c) || F(HOST_SS_SELECTOR) != 0,
     F(HOST_SS_SELECTOR) = 8)
CANONICAL_RULE(HOST_FS_BASE, true, HOST_FS_BASE)
CANONICAL_RULE(HOST_GS_BASE, true, HOST_GS_BASE)
CANONICAL_RULE(HOST_TR_BASE, true, HOST_TR_BASE)
CANONICAL_RULE(HOST_GDTR_BASE, true, HOST_GDTR_BASE)
CANONICAL_RULE(HOST_IDTR_BASE, true, HOST_IDTR_BASE)

RULE(HOST_GUEST_64_SIZE_32, implies(guest_long(c), host_64(c)),
     F(ENTRY_CONTROLS) &= ~VMX_ENTRY_IA32E_MODE_GUEST)
RULE(HOST_GUEST_64_FROM_32, implies(guest_long(c), c->host_long),
     F(ENTRY_CONTROLS) &= ~VMX_ENTRY_IA32E_MODE_GUEST)
RULE(HOST_SIZE_64_FROM_32, implies(host_64(c), c->host_long),
     F(EXIT_CONTROLS) &= ~VMX_EXIT_HOST_64)
RULE(HOST_SIZE_32_FROM_64, implies(c->host_long, host_64(c)),
     F(EXIT_CONTROLS) |= VMX_EXIT_HOST_64)
RULE(HOST_PCIDE, host_64(c) || !has_all(F(HOST_CR4), X86_CR4_PCIDE),
     F(HOST_CR4) &= ~X86_CR4_PCIDE)
RULE(HOST_RIP_HIGH, host_64(c) || F(HOST_RIP) <= UINT32_MAX,
     F(HOST_RIP) &= UINT32_MAX)
RULE(HOST_S_CET_HIGH,
     host_64(c) || !loads_cet(c) || F(HOST_IA32_S_CET) <= UINT32_MAX,
     F(HOST_IA32_S_CET) &= UINT32_MAX)
RULE(HOST_SSP_HIGH, host_64(c) || !loads_cet(c) || F(HOST_SSP) <= UINT32_MAX,
     F(HOST_SSP) &= UINT32_MAX)
RULE(HOST_PAE, implies(host_64(c), has_all(F(HOST_CR4), X86_CR4_PAE)),
     F(HOST_CR4) |= X86_CR4_PAE)
CANONICAL_RULE(HOST_RIP, host_64(c), HOST_RIP)
CANONICAL_RULE(HOST_S_CET_CANONICAL, host_64(c) && loads_cet(c),
               HOST_IA32_S_CET)
CANONICAL_RULE(HOST_SSP_CANONICAL, host_64(c) && loads_cet(c), HOST_SSP)
CANONICAL_RULE(HOST_SSP_TABLE, loads_cet(c), HOST_IA32_SSP_TABLE_ADDRESS)

STABLE_RULE_GROUP(host, VMX_RULES_HOST)
