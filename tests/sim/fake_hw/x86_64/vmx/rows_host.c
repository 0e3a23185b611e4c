/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the rules of the host-state area. */
#include "rig.h"

#define WIDE     BIT(46)
#define HIGH     BIT(32)
#define LOADS(x) OR(EXIT_CONTROLS, VMX_EXIT_LOAD_##x)

/* The lowest address that is not canonical. */
#define HOLE     BIT(47)
#define HOLE_END UINT64_C(0xffff800000000000)

#define CANONICAL_ROW(id, name, ...)                                     \
    {                                                                    \
        RULE_VMX_HOST_##id, .given = {SET(name, HOLE_END), __VA_ARGS__}, \
                            .breaks = {                                  \
                                SET(name, HOLE)                          \
                            }                                            \
    }
#define SELECTOR_ROWS(seg)                          \
    {RULE_VMX_HOST_##seg##_SELECTOR,                \
     .breaks = {OR(HOST_##seg##_SELECTOR, 3)}},     \
    {                                               \
        RULE_VMX_HOST_##seg##_SELECTOR, .breaks = { \
            OR(HOST_##seg##_SELECTOR, 4)            \
        }                                           \
    }

static const struct rule_row rows[] = {
    {RULE_VMX_HOST_CR0_FIXED0, .breaks = {CLEAR(HOST_CR0, X86_CR0_NE)}},
    {RULE_VMX_HOST_CR0_FIXED0, .breaks = {CLEAR(HOST_CR0, X86_CR0_PG)}},
    {RULE_VMX_HOST_CR0_FIXED1, .breaks = {OR(HOST_CR0, HIGH)}},
    {RULE_VMX_HOST_CR4_FIXED0, .breaks = {CLEAR(HOST_CR4, X86_CR4_VMXE)}},
    {RULE_VMX_HOST_CR4_FIXED1, .breaks = {OR(HOST_CR4, BIT(15))}},
    {RULE_VMX_HOST_CET_WP, .given = {OR(HOST_CR4, X86_CR4_CET)},
     .breaks = {CLEAR(HOST_CR0, X86_CR0_WP)}},
    {RULE_VMX_HOST_CR3, .given = {OR(HOST_CR3, WIDE / 2)},
     .breaks = {OR(HOST_CR3, WIDE)}},
    CANONICAL_ROW(SYSENTER_ESP, HOST_IA32_SYSENTER_ESP, ),
    CANONICAL_ROW(SYSENTER_EIP, HOST_IA32_SYSENTER_EIP, ),
    {RULE_VMX_HOST_PERF_GLOBAL_CTRL,
     .given = {SET(HOST_IA32_PERF_GLOBAL_CTRL, BIT(8))},
     .breaks = {LOADS(PERF_GLOBAL_CTRL)}},
    {RULE_VMX_HOST_PAT, .given = {SET(HOST_IA32_PAT, 2)},
     .breaks = {LOADS(PAT)}},
    {RULE_VMX_HOST_PAT,
     .given = {SET(HOST_IA32_PAT, UINT64_C(0x0706050401000607)), LOADS(PAT)},
     .breaks = {SET(HOST_IA32_PAT, UINT64_C(0x0800000000000000))}},
    {RULE_VMX_HOST_PAT, .given = {LOADS(PAT)},
     .breaks = {SET(HOST_IA32_PAT, UINT64_C(0x0003000000000000))}},
    {RULE_VMX_HOST_EFER, .given = {LOADS(EFER)},
     .breaks = {OR(HOST_IA32_EFER, BIT(1))}},
    {RULE_VMX_HOST_EFER_LMA, .given = {LOADS(EFER)},
     .breaks = {CLEAR(HOST_IA32_EFER, X86_EFER_LMA)}},
    {RULE_VMX_HOST_EFER_LME, .given = {LOADS(EFER)},
     .breaks = {CLEAR(HOST_IA32_EFER, X86_EFER_LME)}},
    {RULE_VMX_HOST_EFER_LME, .host_32 = true, .given = {LOADS(EFER)},
     .breaks = {OR(HOST_IA32_EFER, X86_EFER_LME)}},
    {RULE_VMX_HOST_S_CET, .given = {SET(HOST_IA32_S_CET, BIT(6))},
     .breaks = {LOADS(CET)}},
    {RULE_VMX_HOST_S_CET_SUPPRESS,
     .given = {LOADS(CET), SET(HOST_IA32_S_CET, BIT(10))},
     .breaks = {OR(HOST_IA32_S_CET, BIT(11))}},
    {RULE_VMX_HOST_SSP, .given = {LOADS(CET), SET(HOST_SSP, 4)},
     .breaks = {SET(HOST_SSP, 2)}},
    {RULE_VMX_HOST_PKRS,
     .given = {LOADS(PKRS), SET(HOST_IA32_PKRS, UINT32_MAX)},
     .breaks = {SET(HOST_IA32_PKRS, HIGH)}},
    SELECTOR_ROWS(ES),
    SELECTOR_ROWS(CS),
    SELECTOR_ROWS(SS),
    SELECTOR_ROWS(DS),
    SELECTOR_ROWS(FS),
    SELECTOR_ROWS(GS),
    SELECTOR_ROWS(TR),
    {RULE_VMX_HOST_CS_NULL,
     .given = {SET(HOST_SS_SELECTOR, 0), OR(HOST_CR4, X86_CR4_PCIDE)},
     .breaks = {SET(HOST_CS_SELECTOR, 0)}},
    {RULE_VMX_HOST_TR_NULL, .breaks = {SET(HOST_TR_SELECTOR, 0)}},
    {RULE_VMX_HOST_SS_NULL, .host_32 = true,
     .breaks = {SET(HOST_SS_SELECTOR, 0)}},
    CANONICAL_ROW(FS_BASE, HOST_FS_BASE, ),
    CANONICAL_ROW(GS_BASE, HOST_GS_BASE, ),
    CANONICAL_ROW(TR_BASE, HOST_TR_BASE, ),
    CANONICAL_ROW(GDTR_BASE, HOST_GDTR_BASE, ),
    CANONICAL_ROW(IDTR_BASE, HOST_IDTR_BASE, ),
    {RULE_VMX_HOST_GUEST_64_SIZE_32, .host_32 = true,
     .breaks = {OR(ENTRY_CONTROLS, VMX_ENTRY_IA32E_MODE_GUEST)}},
    {RULE_VMX_HOST_GUEST_64_FROM_32, .host_32 = true,
     .breaks = {OR(ENTRY_CONTROLS, VMX_ENTRY_IA32E_MODE_GUEST),
                OR(EXIT_CONTROLS, VMX_EXIT_HOST_64)}},
    {RULE_VMX_HOST_SIZE_64_FROM_32, .host_32 = true,
     .breaks = {OR(EXIT_CONTROLS, VMX_EXIT_HOST_64)}},
    {RULE_VMX_HOST_SIZE_32_FROM_64, .mode = VMX_GUEST_PROTECTED,
     .breaks = {CLEAR(EXIT_CONTROLS, VMX_EXIT_HOST_64)}},
    {RULE_VMX_HOST_PCIDE, .host_32 = true,
     .breaks = {OR(HOST_CR4, X86_CR4_PCIDE)}},
    {RULE_VMX_HOST_RIP_HIGH, .host_32 = true, .breaks = {OR(HOST_RIP, HIGH)}},
    {RULE_VMX_HOST_S_CET_HIGH, .host_32 = true,
     .given = {SET(HOST_IA32_S_CET, HIGH)}, .breaks = {LOADS(CET)}},
    {RULE_VMX_HOST_SSP_HIGH, .host_32 = true, .given = {SET(HOST_SSP, HIGH)},
     .breaks = {LOADS(CET)}},
    {RULE_VMX_HOST_PAE, .breaks = {CLEAR(HOST_CR4, X86_CR4_PAE)}},
    CANONICAL_ROW(RIP, HOST_RIP, ),
    CANONICAL_ROW(S_CET_CANONICAL, HOST_IA32_S_CET, LOADS(CET)),
    CANONICAL_ROW(SSP_CANONICAL, HOST_SSP, LOADS(CET)),
    CANONICAL_ROW(SSP_TABLE, HOST_IA32_SSP_TABLE_ADDRESS, LOADS(CET)),
};

const struct rule_table host_rows = {rows, ARRAY_SIZE(rows)};
