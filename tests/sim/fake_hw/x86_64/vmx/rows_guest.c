/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the rules of the guest-state area, but for segments, and of MSRs. */
#include "arch/x86_64/msr.h"
#include "rig.h"

#define WIDE         BIT(46)
#define HIGH         BIT(32)
#define HOLE         BIT(47)
#define HOLE_END     UINT64_C(0xffff800000000000)
#define LOADS(x)     OR(ENTRY_CONTROLS, VMX_ENTRY_LOAD_##x)
#define LOADS_DEBUG  LOADS(DEBUG_CONTROLS)
#define UNRESTRICTED OR(SECONDARY_CONTROLS, VMX_CPU2_UNRESTRICTED_GUEST)

#define EVENT(type, vector) \
    (VMX_EVENT_VALID | FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_##type) | (vector))
#define INFO(value)        SET(ENTRY_INTERRUPTION_INFO, value)
#define FLAGS(flag)        OR(GUEST_RFLAGS, X86_RFLAGS_##flag)
#define NO_FLAGS(flag)     CLEAR(GUEST_RFLAGS, X86_RFLAGS_##flag)
#define BLOCKED(x)         SET(GUEST_INTERRUPTIBILITY_STATE, VMX_BLOCKING_##x)
#define ALSO_BLOCKED(what) OR(GUEST_INTERRUPTIBILITY_STATE, VMX_BLOCKING_##what)
#define ACTIVITY(what)     SET(GUEST_ACTIVITY_STATE, VMX_ACTIVITY_##what)
#define PENDING(value)     SET(GUEST_PENDING_DEBUG_EXCEPTIONS, value)
#define RTM                (VMX_PENDING_RTM | VMX_PENDING_ENABLED)

#define CANONICAL_ROW(id, name, ...)                                      \
    {                                                                     \
        RULE_VMX_GUEST_##id, .given = {SET(name, HOLE_END), __VA_ARGS__}, \
                             .breaks = {                                  \
                                 SET(name, HOLE)                          \
                             }                                            \
    }

/* An entry that loads two MSRs, of which it cannot the second. */
#define MSR_ROW(id, index, data)                             \
    {                                                        \
        RULE_VMX_MSR_##id,                                   \
            .pokes = {{RIG_MSRS, X86_MSR_SYSENTER_CS},       \
                      {RIG_MSRS + 16, index},                \
                      {RIG_MSRS + 24, data}},                \
            .given = {SET(ENTRY_MSR_LOAD_ADDRESS, RIG_MSRS), \
                      SET(ENTRY_MSR_LOAD_COUNT, 1)},         \
            .breaks = {                                      \
                SET(ENTRY_MSR_LOAD_COUNT, 2)                 \
            }                                                \
    }

static const struct rule_row rows[] = {
    {RULE_VMX_GUEST_CR0_FIXED0,
     .given = {OR(GUEST_CR0, X86_CR0_CD | X86_CR0_NW)},
     .breaks = {CLEAR(GUEST_CR0, X86_CR0_NE)}},
    {RULE_VMX_GUEST_CR0_FIXED0, .mode = VMX_GUEST_PROTECTED,
     .given = {UNRESTRICTED, CLEAR(GUEST_CR0, X86_CR0_PG)},
     .breaks = {CLEAR(SECONDARY_CONTROLS, VMX_CPU2_UNRESTRICTED_GUEST)}},
    {RULE_VMX_GUEST_CR0_FIXED1, .breaks = {OR(GUEST_CR0, HIGH)}},
    {RULE_VMX_GUEST_PG_PE, .mode = VMX_GUEST_REAL,
     .breaks = {OR(GUEST_CR0, X86_CR0_PG)}},
    {RULE_VMX_GUEST_CR4_FIXED0, .breaks = {CLEAR(GUEST_CR4, X86_CR4_VMXE)}},
    {RULE_VMX_GUEST_CR4_FIXED1, .breaks = {OR(GUEST_CR4, BIT(15))}},
    {RULE_VMX_GUEST_CET_WP, .given = {OR(GUEST_CR4, X86_CR4_CET)},
     .breaks = {CLEAR(GUEST_CR0, X86_CR0_WP)}},
    {RULE_VMX_GUEST_DEBUGCTL, .given = {SET(GUEST_IA32_DEBUGCTL, BIT(2))},
     .breaks = {LOADS_DEBUG}},
    {RULE_VMX_GUEST_LONG_PG, .given = {UNRESTRICTED},
     .breaks = {CLEAR(GUEST_CR0, X86_CR0_PG)}},
    {RULE_VMX_GUEST_LONG_PAE, .breaks = {CLEAR(GUEST_CR4, X86_CR4_PAE)}},
    {RULE_VMX_GUEST_PCIDE, .given = {OR(GUEST_CR4, X86_CR4_PCIDE)},
     .breaks = {CLEAR(ENTRY_CONTROLS, VMX_ENTRY_IA32E_MODE_GUEST)}},
    {RULE_VMX_GUEST_CR3, .given = {OR(GUEST_CR3, WIDE / 2)},
     .breaks = {OR(GUEST_CR3, WIDE)}},
    {RULE_VMX_GUEST_DR7, .given = {SET(GUEST_DR7, HIGH)},
     .breaks = {LOADS_DEBUG}},
    CANONICAL_ROW(SYSENTER_ESP, GUEST_IA32_SYSENTER_ESP, ),
    CANONICAL_ROW(SYSENTER_EIP, GUEST_IA32_SYSENTER_EIP, ),
    CANONICAL_ROW(S_CET_CANONICAL, GUEST_IA32_S_CET, LOADS(CET)),
    CANONICAL_ROW(SSP_TABLE, GUEST_IA32_SSP_TABLE_ADDRESS, LOADS(CET)),
    {RULE_VMX_GUEST_PERF_GLOBAL_CTRL,
     .given = {SET(GUEST_IA32_PERF_GLOBAL_CTRL, BIT(8))},
     .breaks = {LOADS(PERF_GLOBAL_CTRL)}},
    {RULE_VMX_GUEST_PAT, .given = {SET(GUEST_IA32_PAT, 3)},
     .breaks = {LOADS(PAT)}},
    {RULE_VMX_GUEST_EFER, .given = {LOADS(EFER)},
     .breaks = {OR(GUEST_IA32_EFER, BIT(1))}},
    {RULE_VMX_GUEST_EFER_LMA, .given = {LOADS(EFER)},
     .breaks = {CLEAR(GUEST_IA32_EFER, X86_EFER_LMA)}},
    {RULE_VMX_GUEST_EFER_LMA, .mode = VMX_GUEST_REAL,
     .given = {LOADS(EFER), SET(GUEST_IA32_EFER, X86_EFER_LME)},
     .breaks = {OR(GUEST_IA32_EFER, X86_EFER_LMA)}},
    {RULE_VMX_GUEST_EFER_LME, .given = {LOADS(EFER)},
     .breaks = {CLEAR(GUEST_IA32_EFER, X86_EFER_LME)}},
    {RULE_VMX_GUEST_EFER_LME, .mode = VMX_GUEST_PROTECTED,
     .given = {LOADS(EFER)}, .breaks = {SET(GUEST_IA32_EFER, X86_EFER_LME)}},
    {RULE_VMX_GUEST_BNDCFGS,
     .given = {LOADS(BNDCFGS), SET(GUEST_IA32_BNDCFGS, 3)},
     .breaks = {SET(GUEST_IA32_BNDCFGS, 4)}},
    CANONICAL_ROW(BNDCFGS_CANONICAL, GUEST_IA32_BNDCFGS, LOADS(BNDCFGS)),
    {RULE_VMX_GUEST_RTIT_CTL, .given = {SET(GUEST_IA32_RTIT_CTL, BIT(20))},
     .breaks = {LOADS(RTIT_CTL)}},
    {RULE_VMX_GUEST_S_CET, .given = {SET(GUEST_IA32_S_CET, BIT(9))},
     .breaks = {LOADS(CET)}},
    {RULE_VMX_GUEST_S_CET_SUPPRESS,
     .given = {LOADS(CET), SET(GUEST_IA32_S_CET, BIT(11))},
     .breaks = {OR(GUEST_IA32_S_CET, BIT(10))}},
    {RULE_VMX_GUEST_LBR_CTL, .given = {SET(GUEST_IA32_LBR_CTL, BIT(4))},
     .breaks = {LOADS(LBR_CTL)}},
    {RULE_VMX_GUEST_PKRS, .given = {SET(GUEST_IA32_PKRS, HIGH)},
     .breaks = {LOADS(PKRS)}},
    {RULE_VMX_GUEST_UINV, .given = {LOADS(UINV), SET(GUEST_UINV, 0xff)},
     .breaks = {SET(GUEST_UINV, 0x100)}},

    CANONICAL_ROW(GDTR_BASE, GUEST_GDTR_BASE, ),
    CANONICAL_ROW(IDTR_BASE, GUEST_IDTR_BASE, ),
    {RULE_VMX_GUEST_GDTR_LIMIT, .given = {SET(GUEST_GDTR_LIMIT, 0xffff)},
     .breaks = {SET(GUEST_GDTR_LIMIT, 0x10000)}},
    {RULE_VMX_GUEST_IDTR_LIMIT, .given = {SET(GUEST_IDTR_LIMIT, 0xffff)},
     .breaks = {SET(GUEST_IDTR_LIMIT, 0x10000)}},
    {RULE_VMX_GUEST_RIP_HIGH, .mode = VMX_GUEST_PROTECTED,
     .given = {SET(GUEST_RIP, UINT32_MAX)}, .breaks = {SET(GUEST_RIP, HIGH)}},
    {RULE_VMX_GUEST_RIP_HIGH, .given = {SET(GUEST_RIP, HIGH)},
     .breaks = {CLEAR(GUEST_CS_ACCESS_RIGHTS, VMX_AR_L)}},
    {RULE_VMX_GUEST_RIP, .given = {SET(GUEST_RIP, HOLE)},
     .breaks = {SET(GUEST_RIP, BIT(48))}},
    {RULE_VMX_GUEST_RFLAGS, .breaks = {OR(GUEST_RFLAGS, BIT(3))}},
    {RULE_VMX_GUEST_RFLAGS, .breaks = {OR(GUEST_RFLAGS, BIT(5))}},
    {RULE_VMX_GUEST_RFLAGS, .breaks = {OR(GUEST_RFLAGS, BIT(15))}},
    {RULE_VMX_GUEST_RFLAGS, .given = {OR(GUEST_RFLAGS, BIT(21))},
     .breaks = {OR(GUEST_RFLAGS, BIT(22))}},
    {RULE_VMX_GUEST_RFLAGS_FIXED, .breaks = {CLEAR(GUEST_RFLAGS, BIT(1))}},
    {RULE_VMX_GUEST_RFLAGS_VM, .mode = VMX_GUEST_V86, .given = {UNRESTRICTED},
     .breaks = {CLEAR(GUEST_CR0, X86_CR0_PE | X86_CR0_PG)}},
    {RULE_VMX_GUEST_RFLAGS_VM, .mode = VMX_GUEST_V86,
     .given = {OR(GUEST_CR4, X86_CR4_PAE)},
     .breaks = {OR(ENTRY_CONTROLS, VMX_ENTRY_IA32E_MODE_GUEST)}},
    {RULE_VMX_GUEST_RFLAGS_IF, .given = {INFO(EVENT(INTERRUPT, 32)), FLAGS(IF)},
     .breaks = {NO_FLAGS(IF)}},
    {RULE_VMX_GUEST_SSP, .given = {LOADS(CET), SET(GUEST_SSP, 4)},
     .breaks = {SET(GUEST_SSP, 1)}},
    {RULE_VMX_GUEST_SSP_CANONICAL, .given = {LOADS(CET), SET(GUEST_SSP, HOLE)},
     .breaks = {SET(GUEST_SSP, BIT(48))}},

    {RULE_VMX_GUEST_ACTIVITY, .given = {ACTIVITY(WAIT_FOR_SIPI)},
     .breaks = {SET(GUEST_ACTIVITY_STATE, 4)}},
    {RULE_VMX_GUEST_ACTIVITY_HLT, .given = {ACTIVITY(HLT)},
     .breaks = {OR(GUEST_CS_SELECTOR, 3), OR(GUEST_SS_SELECTOR, 3),
                OR(GUEST_CS_ACCESS_RIGHTS, VMX_AR_DPL),
                OR(GUEST_SS_ACCESS_RIGHTS, VMX_AR_DPL)}},
    {RULE_VMX_GUEST_ACTIVITY_BLOCKING, .given = {FLAGS(IF), BLOCKED(STI)},
     .breaks = {ACTIVITY(HLT)}},
    {RULE_VMX_GUEST_ACTIVITY_BLOCKING, .given = {BLOCKED(MOV_SS)},
     .breaks = {ACTIVITY(SHUTDOWN)}},
    {RULE_VMX_GUEST_ACTIVITY_HLT_EVENT,
     .given = {ACTIVITY(HLT), INFO(EVENT(EXCEPTION, 1))},
     .breaks = {INFO(EVENT(EXCEPTION, 3))}},
    {RULE_VMX_GUEST_ACTIVITY_HLT_EVENT,
     .given = {ACTIVITY(HLT), INFO(EVENT(OTHER, 0))},
     .breaks = {INFO(EVENT(SOFTWARE_INTERRUPT, 1))}},
    {RULE_VMX_GUEST_ACTIVITY_SHUTDOWN_EVENT,
     .given = {ACTIVITY(SHUTDOWN), INFO(EVENT(EXCEPTION, 18))},
     .breaks = {INFO(EVENT(EXCEPTION, 1))}},
    {RULE_VMX_GUEST_ACTIVITY_SIPI_EVENT, .given = {ACTIVITY(WAIT_FOR_SIPI)},
     .breaks = {INFO(EVENT(NMI, 2))}},
    {RULE_VMX_GUEST_BLOCKING,
     .breaks = {OR(GUEST_INTERRUPTIBILITY_STATE, BIT(5))}},
    {RULE_VMX_GUEST_BLOCKING_BOTH, .given = {FLAGS(IF), BLOCKED(STI)},
     .breaks = {ALSO_BLOCKED(MOV_SS)}},
    {RULE_VMX_GUEST_BLOCKING_STI, .given = {FLAGS(IF), BLOCKED(STI)},
     .breaks = {NO_FLAGS(IF)}},
    {RULE_VMX_GUEST_BLOCKING_INTERRUPT,
     .given = {FLAGS(IF), INFO(EVENT(INTERRUPT, 255))},
     .breaks = {BLOCKED(STI)}},
    {RULE_VMX_GUEST_BLOCKING_INTERRUPT,
     .given = {FLAGS(IF), INFO(EVENT(INTERRUPT, 255))},
     .breaks = {BLOCKED(MOV_SS)}},
    {RULE_VMX_GUEST_BLOCKING_NMI_STI, .given = {FLAGS(IF), INFO(EVENT(NMI, 2))},
     .breaks = {BLOCKED(STI)}},
    {RULE_VMX_GUEST_BLOCKING_NMI_MOV_SS, .given = {INFO(EVENT(NMI, 2))},
     .breaks = {BLOCKED(MOV_SS)}},
    {RULE_VMX_GUEST_BLOCKING_SMI, .breaks = {BLOCKED(SMI)}},
    {RULE_VMX_GUEST_BLOCKING_NMI,
     .given = {INFO(EVENT(NMI, 2)), BLOCKED(NMI),
               OR(PIN_CONTROLS, VMX_PIN_NMI_EXITING)},
     .breaks = {OR(PIN_CONTROLS, VMX_PIN_VIRTUAL_NMIS)}},
    {RULE_VMX_GUEST_BLOCKING_ENCLAVE, .given = {BLOCKED(ENCLAVE)},
     .breaks = {ALSO_BLOCKED(MOV_SS)}},
    {RULE_VMX_GUEST_BLOCKING_SGX, .profile = "haswell",
     .breaks = {BLOCKED(ENCLAVE)}},
    {RULE_VMX_GUEST_PENDING, .breaks = {PENDING(BIT(4))}},
    {RULE_VMX_GUEST_PENDING, .breaks = {PENDING(BIT(11))}},
    {RULE_VMX_GUEST_PENDING, .breaks = {PENDING(BIT(13))}},
    {RULE_VMX_GUEST_PENDING,
     .given = {PENDING(BIT(12) | BIT(14) | BIT_MASK(3, 0))},
     .breaks = {PENDING(BIT(63))}},
    {RULE_VMX_GUEST_PENDING_BS,
     .given = {FLAGS(TF), BLOCKED(MOV_SS), PENDING(VMX_PENDING_BS)},
     .breaks = {PENDING(0)}},
    {RULE_VMX_GUEST_PENDING_BS,
     .given = {FLAGS(TF), ACTIVITY(HLT), SET(GUEST_IA32_DEBUGCTL, 2)},
     .breaks = {SET(GUEST_IA32_DEBUGCTL, 0)}},
    {RULE_VMX_GUEST_PENDING_NO_BS, .given = {PENDING(VMX_PENDING_BS)},
     .breaks = {BLOCKED(MOV_SS)}},
    {RULE_VMX_GUEST_PENDING_NO_BS,
     .given = {FLAGS(TF), FLAGS(IF), BLOCKED(STI), PENDING(VMX_PENDING_BS)},
     .breaks = {SET(GUEST_IA32_DEBUGCTL, 2)}},
    {RULE_VMX_GUEST_PENDING_RTM, .given = {PENDING(RTM)},
     .breaks = {PENDING(VMX_PENDING_RTM)}},
    {RULE_VMX_GUEST_PENDING_RTM, .given = {PENDING(RTM)},
     .breaks = {PENDING(RTM | 1)}},
    {RULE_VMX_GUEST_PENDING_RTM_ABSENT, .profile = "haswell",
     .breaks = {PENDING(RTM)}},
    {RULE_VMX_GUEST_PENDING_RTM_MOV_SS, .given = {PENDING(RTM)},
     .breaks = {BLOCKED(MOV_SS)}},

    {RULE_VMX_GUEST_LINK_ALIGN,
     .pokes = {{RIG_LINKED, 0x2b}, {RIG_LINKED + 8, 0x2b}},
     .given = {SET(LINK_POINTER, RIG_LINKED)},
     .breaks = {SET(LINK_POINTER, RIG_LINKED + 8)}},
    {RULE_VMX_GUEST_LINK_WIDTH, .breaks = {SET(LINK_POINTER, WIDE)}},
    {RULE_VMX_GUEST_LINK_REVISION,
     .pokes = {{RIG_LINKED, 0x2b}, {RIG_FREE, 0x2c}},
     .given = {SET(LINK_POINTER, RIG_LINKED)},
     .breaks = {SET(LINK_POINTER, RIG_FREE)}},
    {RULE_VMX_GUEST_LINK_SHADOW, .pokes = {{RIG_LINKED, 0x2b}},
     .given = {SET(LINK_POINTER, RIG_LINKED)},
     .breaks = {OR(SECONDARY_CONTROLS, VMX_CPU2_VMCS_SHADOWING)}},
    {RULE_VMX_GUEST_LINK_SHADOW, .pokes = {{RIG_LINKED, 0x2b | VMCS_SHADOW}},
     .given = {SET(LINK_POINTER, RIG_LINKED),
               OR(SECONDARY_CONTROLS, VMX_CPU2_VMCS_SHADOWING)},
     .breaks = {CLEAR(SECONDARY_CONTROLS, VMX_CPU2_VMCS_SHADOWING)}},
    {RULE_VMX_GUEST_LINK_CURRENT, .breaks = {SET(LINK_POINTER, RIG_VMCS)}},

#define PDPTE_ROWS(i)                                                          \
    {RULE_VMX_GUEST_PDPTE##i, .mode = VMX_GUEST_PAE,                           \
     .given = {SET(GUEST_PDPTE##i, 0x6)},                                      \
     .breaks = {SET(GUEST_PDPTE##i, 0x7)}},                                    \
        {RULE_VMX_GUEST_PDPTE##i, .mode = VMX_GUEST_PAE,                       \
         .given = {SET(GUEST_PDPTE##i, 0x1019)},                               \
         .breaks = {OR(GUEST_PDPTE##i, WIDE)}},                                \
    {                                                                          \
        RULE_VMX_GUEST_PDPTE##i,                                               \
            .profile = "penryn", .mode = VMX_GUEST_PROTECTED,                  \
            .pokes = {{RIG_PDPTES + i * 8, 0x1001},                            \
                      {RIG_PDPTES + 32 + i * 8, 0x21}},                        \
            .given = {SET(GUEST_CR3, RIG_PDPTES), OR(GUEST_CR4, X86_CR4_PAE)}, \
            .breaks = {                                                        \
                SET(GUEST_CR3, RIG_PDPTES + 32)                                \
            }                                                                  \
    }
    PDPTE_ROWS(0),
    PDPTE_ROWS(1),
    PDPTE_ROWS(2),
    PDPTE_ROWS(3),

    MSR_ROW(BASE, X86_MSR_FS_BASE, 0),
    MSR_ROW(BASE, X86_MSR_GS_BASE, 0),
    MSR_ROW(X2APIC, 0x808, 0),
    MSR_ROW(SMM, 0x9b, 0),
    MSR_ROW(MODEL, 0x79, 0),
    MSR_ROW(RESERVED, X86_MSR_SYSENTER_CS | HIGH, 0),
    MSR_ROW(VALUE, X86_MSR_PAT, 2),
    MSR_ROW(VALUE, X86_MSR_EFER, 0),
    MSR_ROW(VALUE, X86_MSR_LSTAR, HOLE),
    MSR_ROW(VALUE, X86_MSR_VMX_BASIC, 0),
};

const struct rule_table guest_rows = {rows, ARRAY_SIZE(rows)};
