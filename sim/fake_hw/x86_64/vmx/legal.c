/* SPDX-License-Identifier: Apache-2.0 */
/* Legal VMCSs; see legal.h. */
#include <string.h>

#include "sim/fake_hw/x86_64/vmx/legal.h"
#include "sim/fake_hw/x86_64/vmx/rules_internal.h"

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18
#define SELECTOR_V86  0x1000

#define RIGHTS_CODE_64 0xa09b
#define RIGHTS_CODE_32 0xc09b
#define RIGHTS_CODE_16 0x009b
#define RIGHTS_DATA_32 0xc093
#define RIGHTS_DATA_16 0x0093
#define RIGHTS_V86     0x00f3
#define RIGHTS_TSS     0x008b

#define CANONICAL_HIGH UINT64_C(0xffff800000000000)

#define SEGMENTS(X) X(ES) X(CS) X(SS) X(DS) X(FS) X(GS)

bool vmx_mode_exists(const struct vmx_profile *profile,
                     enum vmx_guest_mode mode)
{
    if (mode == VMX_GUEST_REAL)
        return has_all(profile->cpu2, VMX_CPU2_UNRESTRICTED_GUEST);
    if (mode == VMX_GUEST_PAE)
        return has_all(profile->cpu2, VMX_CPU2_EPT);
    return true;
}

/* Addresses: each a page of its own. */
static void make_addresses(struct vmx_check *c)
{
    static const uint16_t pages[] = {
        VMCS_AT_IO_BITMAP_A,
        VMCS_AT_IO_BITMAP_B,
        VMCS_AT_MSR_BITMAPS,
        VMCS_AT_EXIT_MSR_STORE_ADDRESS,
        VMCS_AT_EXIT_MSR_LOAD_ADDRESS,
        VMCS_AT_ENTRY_MSR_LOAD_ADDRESS,
        VMCS_AT_PML_ADDRESS,
        VMCS_AT_VIRTUAL_APIC_ADDRESS,
        VMCS_AT_APIC_ACCESS_ADDRESS,
        VMCS_AT_POSTED_INTERRUPT_DESCRIPTOR,
        VMCS_AT_EPTP_LIST_ADDRESS,
        VMCS_AT_VMREAD_BITMAP,
        VMCS_AT_VMWRITE_BITMAP,
        VMCS_AT_VE_INFORMATION_ADDRESS,
        VMCS_AT_SPP_TABLE_POINTER,
        VMCS_AT_LOW_PASID_DIRECTORY,
        VMCS_AT_HIGH_PASID_DIRECTORY,
        VMCS_AT_HLATP,
        VMCS_AT_PID_POINTER_TABLE,
        VMCS_AT_GUEST_CR3,
        VMCS_AT_HOST_CR3,
        VMCS_AT_EPTP,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        c->field[pages[i]] = (uint64_t)(i + 1) << 12;
    F(EPTP) |= VMX_MEMORY_WB | FIELD_PUT(VMX_EPTP_WALK, 3);
    F(LINK_POINTER) = VMCS_NO_ADDRESS;
    F(TSC_MULTIPLIER) = BIT(48);
    F(VPID) = 1;
}

static void make_controls(struct vmx_check *c, enum vmx_guest_mode mode)
{
    uint64_t secondary = VMX_CPU2_EPT | VMX_CPU2_VPID;

    if (mode == VMX_GUEST_REAL)
        secondary |= VMX_CPU2_UNRESTRICTED_GUEST;
    F(PIN_CONTROLS) =
        c->profile->pin.fixed1 | VMX_PIN_EXTERNAL_INTERRUPT_EXITING;
    F(SECONDARY_CONTROLS) = secondary & c->profile->cpu2;
    F(PRIMARY_CONTROLS) = c->profile->cpu.fixed1 | VMX_CPU_SECONDARY_CONTROLS;
    F(EXIT_CONTROLS) =
        c->profile->exit.fixed1 | (c->host_long ? VMX_EXIT_HOST_64 : 0);
    F(ENTRY_CONTROLS) = c->profile->entry.fixed1;
    if (mode == VMX_GUEST_LONG && c->host_long)
        F(ENTRY_CONTROLS) |= VMX_ENTRY_IA32E_MODE_GUEST;
}

static void make_host(struct vmx_check *c)
{
    uint64_t high = c->host_long ? CANONICAL_HIGH : 0;

    F(HOST_CR0) = c->profile->cr0_fixed0 | X86_CR0_ET | X86_CR0_WP;
    F(HOST_CR4) = c->profile->cr4_fixed0 | X86_CR4_PAE;
    F(HOST_CS_SELECTOR) = SELECTOR_CODE;
    F(HOST_SS_SELECTOR) = SELECTOR_DATA;
    F(HOST_TR_SELECTOR) = SELECTOR_TSS;
    F(HOST_RIP) = high | 0x1000;
    F(HOST_RSP) = high | 0x2000;
    F(HOST_GS_BASE) = high | 0x3000;
    F(HOST_TR_BASE) = high | 0x4000;
    F(HOST_GDTR_BASE) = high | 0x5000;
    F(HOST_IDTR_BASE) = high | 0x6000;
    F(HOST_IA32_PAT) = PAT_RESET;
    F(HOST_IA32_EFER) =
        c->host_long ? X86_EFER_LMA | X86_EFER_LME | X86_EFER_NXE : 0;
}

/* A segment of the guest's, by where its fields are. */
static void make_segment(struct vmx_check *c, unsigned selector_at,
                         uint64_t selector, unsigned base_at, uint64_t base,
                         unsigned limit_at, uint64_t limit, unsigned rights_at,
                         uint64_t rights)
{
    c->field[selector_at] = selector;
    c->field[base_at] = base;
    c->field[limit_at] = limit;
    c->field[rights_at] = rights;
}

#define MAKE(seg, selector, base, limit, rights)              \
    make_segment(c, VMCS_AT_GUEST_##seg##_SELECTOR, selector, \
                 VMCS_AT_GUEST_##seg##_BASE, base,            \
                 VMCS_AT_GUEST_##seg##_LIMIT, limit,          \
                 VMCS_AT_GUEST_##seg##_ACCESS_RIGHTS, rights);

/* All six, then CS where it is something else. */
static void make_segments(struct vmx_check *c, enum vmx_guest_mode mode)
{
    switch (mode) {
    case VMX_GUEST_V86:
#define X(seg) MAKE(seg, SELECTOR_V86, SELECTOR_V86 << 4, 0xffff, RIGHTS_V86)
        SEGMENTS(X)
#undef X
        break;
    case VMX_GUEST_REAL:
#define X(seg) MAKE(seg, 0, 0, 0xffff, RIGHTS_DATA_16)
        SEGMENTS(X)
#undef X
        F(GUEST_CS_ACCESS_RIGHTS) = RIGHTS_CODE_16;
        break;
    default:
#define X(seg) MAKE(seg, SELECTOR_DATA, 0, UINT32_MAX, RIGHTS_DATA_32)
        SEGMENTS(X)
#undef X
        F(GUEST_CS_SELECTOR) = SELECTOR_CODE;
        F(GUEST_CS_ACCESS_RIGHTS) =
            guest_long(c) ? RIGHTS_CODE_64 : RIGHTS_CODE_32;
        break;
    }
    MAKE(TR, SELECTOR_TSS, 0x7000, 0x67, RIGHTS_TSS)
    MAKE(LDTR, 0, 0, 0, VMX_AR_UNUSABLE)
}

static void make_guest(struct vmx_check *c, enum vmx_guest_mode mode)
{
    F(GUEST_CR0) = c->profile->cr0_fixed0 | X86_CR0_ET | X86_CR0_WP;
    F(GUEST_CR4) = c->profile->cr4_fixed0;
    F(GUEST_RFLAGS) = X86_RFLAGS_FIXED;
    F(GUEST_RIP) = 0x1000;
    F(GUEST_DR7) = X86_DR7_RESET;
    F(GUEST_IA32_PAT) = PAT_RESET;
    F(GUEST_GDTR_LIMIT) = 0x1f;
    F(GUEST_IDTR_LIMIT) = 0xfff;
    make_segments(c, mode);
    if (guest_long(c)) {
        F(GUEST_IA32_EFER) = X86_EFER_LMA | X86_EFER_LME;
        F(GUEST_CR4) |= X86_CR4_PAE;
    }
    if (mode == VMX_GUEST_PAE)
        F(GUEST_CR4) |= X86_CR4_PAE;
    if (mode == VMX_GUEST_V86)
        F(GUEST_RFLAGS) |= X86_RFLAGS_VM;
    if (mode == VMX_GUEST_REAL)
        F(GUEST_CR0) &= ~(X86_CR0_PE | X86_CR0_PG);
}

void vmx_make_legal(struct vmx_check *c, enum vmx_guest_mode mode)
{
    memset(c->field, 0, VMCS_FIELD_COUNT * sizeof(c->field[0]));
    make_addresses(c);
    make_controls(c, mode);
    make_host(c);
    make_guest(c, mode);
}
