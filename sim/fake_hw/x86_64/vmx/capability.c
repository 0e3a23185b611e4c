/* SPDX-License-Identifier: Apache-2.0 */
/* VMX capabilities of the processors that are faked; see capability.h. */
#include <stddef.h>
#include <string.h>

#include "arch/x86_64/msr.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/capability.h"
#include "lib/compiler.h"
#include "sim/fake_hw/x86_64/vmx/capability.h"
#include "sim/fake_hw/x86_64/vmx/vmcs.h"

/* Controls that are 1 in the MSRs without TRUE_, whatever those say: what the
 * first processors did not know (appendix A.2 to A.5). */
#define PIN_DEFAULT1   0x00000016u
#define CPU_DEFAULT1   0x0401e172u
#define EXIT_DEFAULT1  0x00036dffu
#define ENTRY_DEFAULT1 0x000011ffu

/* Of these, software can clear CR3-load and CR3-store exiting, and saving and
 * loading of debug controls. */
#define CPU_FIXED1   (CPU_DEFAULT1 & ~0x00018000u)
#define EXIT_FIXED1  (EXIT_DEFAULT1 & ~0x00000004u)
#define ENTRY_FIXED1 (ENTRY_DEFAULT1 & ~0x00000004u)

/* Revision 2bh, 4 KiB, write-back, INS and OUTS reported, TRUE_... */
#define BASIC       UINT64_C(0x00d810000000002b)
#define CR0_FIXED0  (X86_CR0_PE | X86_CR0_NE | X86_CR0_PG)
#define CR0_FIXED1  UINT64_C(0xffffffff)
#define CR4_FIXED0  X86_CR4_VMXE
#define EFER_BITS   (X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE)
#define EPT_BASIC   UINT64_C(0x06114141) /* 4 levels, UC, WB, 2M, INVEPT */
#define EPT_TIGER   (EPT_HASWELL | VMX_EPT_CAP_SHADOW_STACK)
#define EPT_HASWELL UINT64_C(0x06334141) /* with 1G and accessed, dirty */
#define VPID_ALL    UINT64_C(0x00000f0100000000)
#define DEBUGCTL    UINT64_C(0xdfc3) /* LBR, BTF, TR to freezing */
#define DEBUGCTL_P6 UINT64_C(0x7c3)

/* Bochs' models of that time, and what is made after them: they differ in
 * processor-based controls. */
#define NEHALEM(cpu_allowed, cpu2_allowed)                                \
    .basic = BASIC, .misc = UINT64_C(0x401e0),                            \
    .pin = {PIN_DEFAULT1, 0x0000007f}, .cpu = {CPU_FIXED1, cpu_allowed},  \
    .cpu2 = (cpu2_allowed), .exit = {EXIT_FIXED1, 0x007fffff},            \
    .entry = {ENTRY_FIXED1, 0x0000ffff}, .cr0_fixed0 = CR0_FIXED0,        \
    .cr0_fixed1 = CR0_FIXED1, .cr4_fixed0 = CR4_FIXED0,                   \
    .cr4_fixed1 = UINT64_C(0x000067ff), .ept_vpid = EPT_BASIC | VPID_ALL, \
    .phys_bits = 40, .linear_bits = 48, .debugctl = DEBUGCTL_P6,          \
    .efer = EFER_BITS, .perf_global_ctrl = UINT64_C(0x70000000f)

const struct vmx_profile vmx_profiles[] = {
    {
        .base = {"full", "everything that entries can check: unrestricted "
                         "guest, APIC virtualization, HLAT, CET, SGX"},
        .basic = BASIC | VMX_BASIC_ANY_ERROR,
        .misc = UINT64_C(0x7004c1e7),
        .pin = {PIN_DEFAULT1, 0x000000ff},
        .cpu = {CPU_FIXED1, 0xfffbfffe},
        .cpu2 = 0xdfffffff,
        .cpu3 = VMX_CPU3_LOADIWKEY_EXITING | VMX_CPU3_HLAT |
                VMX_CPU3_PAGING_WRITE | VMX_CPU3_GUEST_PAGING |
                VMX_CPU3_IPI_VIRTUALIZATION | VMX_CPU3_VIRTUAL_SPEC_CTRL,
        .exit = {EXIT_FIXED1, 0xffffffff},
        .exit2 = VMX_EXIT2_PREMATURELY_BUSY_SSTACK,
        .entry = {ENTRY_FIXED1, 0x007fffff},
        .function = VMX_FUNCTION_EPTP_SWITCHING,
        .cr0_fixed0 = CR0_FIXED0,
        .cr0_fixed1 = CR0_FIXED1,
        .cr4_fixed0 = CR4_FIXED0,
        .cr4_fixed1 = UINT64_C(0x00f77fff),
        .ept_vpid = EPT_HASWELL | VMX_EPT_CAP_EXECUTE_ONLY |
                    VMX_EPT_CAP_ADVANCED_EXIT | VPID_ALL,
        .phys_bits = 46,
        .linear_bits = 48,
        .sgx = true,
        .rtm = true,
        .debugctl = DEBUGCTL,
        .efer = EFER_BITS,
        .perf_global_ctrl = UINT64_C(0x0001000f000000ff),
        .rtit_ctl = UINT64_C(0x0000ffff0fefffff),
        .lbr_ctl = UINT64_C(0x7f000f),
        .s_cet = ~BIT_MASK(9, 6),
    },
    {
        .base = {"penryn", "as Bochs' core2_penryn_t9600: no EPT, no VPID"},
        .basic = BASIC,
        .misc = UINT64_C(0x401e0),
        .pin = {PIN_DEFAULT1, 0x0000003f},
        .cpu = {CPU_FIXED1, 0xf7f9fffe},
        .cpu2 = 0x00000041,
        .exit = {EXIT_FIXED1, 0x0003ffff},
        .entry = {ENTRY_FIXED1, 0x00003fff},
        .cr0_fixed0 = CR0_FIXED0,
        .cr0_fixed1 = CR0_FIXED1,
        .cr4_fixed0 = CR4_FIXED0,
        .cr4_fixed1 = UINT64_C(0x000467ff),
        .phys_bits = 40,
        .linear_bits = 48,
        .debugctl = DEBUGCTL_P6,
        .efer = EFER_BITS,
        .perf_global_ctrl = UINT64_C(0x700000003),
    },
    {
        .base = {"lynnfield", "as Bochs' corei5_lynnfield_750: EPT and VPID, "
                              "no unrestricted guest"},
        NEHALEM(0xf7f9fffe, 0x0000007f),
    },
    {
        .base = {"haswell", "as Bochs' corei7_haswell_4770: unrestricted "
                            "guest, APIC virtualization, VMCS shadowing"},
        .basic = BASIC,
        .misc = UINT64_C(0x200401e0),
        .pin = {PIN_DEFAULT1, 0x0000007f},
        .cpu = {CPU_FIXED1, 0xf7f9fffe},
        .cpu2 = 0x00047fff,
        .exit = {EXIT_FIXED1, 0x007fffff},
        .entry = {ENTRY_FIXED1, 0x0000ffff},
        .function = VMX_FUNCTION_EPTP_SWITCHING,
        .cr0_fixed0 = CR0_FIXED0,
        .cr0_fixed1 = CR0_FIXED1,
        .cr4_fixed0 = CR4_FIXED0,
        .cr4_fixed1 = UINT64_C(0x001727ff),
        .ept_vpid = EPT_HASWELL | VPID_ALL,
        .phys_bits = 40,
        .linear_bits = 48,
        .debugctl = DEBUGCTL,
        .efer = EFER_BITS,
        .perf_global_ctrl = UINT64_C(0x70000000f),
    },
    {
        .base = {"skylake", "as Bochs' corei7_skylake_x: page-modification "
                            "logging, XSAVES, TSC scaling"},
        .basic = BASIC,
        .misc = UINT64_C(0x600401e0),
        .pin = {PIN_DEFAULT1, 0x0000007f},
        .cpu = {CPU_FIXED1, 0xf7f9fffe},
        .cpu2 = 0x02177fff,
        .exit = {EXIT_FIXED1, 0x007fffff},
        .entry = {ENTRY_FIXED1, 0x0000ffff},
        .function = VMX_FUNCTION_EPTP_SWITCHING,
        .cr0_fixed0 = CR0_FIXED0,
        .cr0_fixed1 = CR0_FIXED1,
        .cr4_fixed0 = CR4_FIXED0,
        .cr4_fixed1 = UINT64_C(0x003727ff),
        .ept_vpid = EPT_HASWELL | VPID_ALL,
        .phys_bits = 40,
        .linear_bits = 48,
        .rtm = true,
        .debugctl = DEBUGCTL,
        .efer = EFER_BITS,
        .perf_global_ctrl = UINT64_C(0x70000000f),
    },
    {
        .base = {"arrandale", "as Bochs' corei5_arrandale_m520: unrestricted "
                              "guest, EPT without accessed and dirty flags"},
        NEHALEM(0xf7f9fffe, 0x000000ff),
    },
    {
        .base = {"tigerlake", "as Bochs' tigerlake: shadow stacks, monitor "
                              "trap flag, sub-page permissions"},
        .basic = (BASIC & ~VMX_BASIC_REVISION) | 4 | VMX_BASIC_ANY_ERROR,
        .misc = UINT64_C(0x600401e0),
        .pin = {PIN_DEFAULT1, 0x0000007f},
        .cpu = {CPU_FIXED1, 0xfff9fffe},
        .cpu2 = 0x02977fff,
        .exit = {EXIT_FIXED1, 0x107fffff},
        .entry = {ENTRY_FIXED1, 0x0010ffff},
        .function = VMX_FUNCTION_EPTP_SWITCHING,
        .cr0_fixed0 = CR0_FIXED0,
        .cr0_fixed1 = CR0_FIXED1,
        .cr4_fixed0 = CR4_FIXED0,
        .cr4_fixed1 = UINT64_C(0x00f72fff),
        .ept_vpid = EPT_TIGER | VPID_ALL,
        .phys_bits = 40,
        .linear_bits = 48,
        .debugctl = DEBUGCTL,
        .efer = EFER_BITS,
        .perf_global_ctrl = UINT64_C(0x70000000f),
        .s_cet = ~BIT_MASK(9, 6),
    },
    {
        .base = {"registers",
                 "as arrandale, with APIC-register virtualization, "
                 "and no virtual-interrupt delivery"},
        NEHALEM(0xf7f9fffe, 0x000001ff),
    },
    {
        .base = {"plain", "as arrandale, without a TPR shadow"},
        NEHALEM(0xf7d9fffe, 0x000000ff),
    },
    {.base = {NULL, NULL}},
};

const struct vmx_profile *vmx_profile_find(const char *name)
{
    for (const struct vmx_profile *p = vmx_profiles; p->base.name != NULL;
         p++) {
        if (strcmp(p->base.name, name) == 0)
            return p;
    }
    return NULL;
}

uint64_t vmx_allowed(const struct vmx_profile *profile, enum vmx_word word)
{
    switch (word) {
    case VMX_WORD_PIN: return profile->pin.allowed1;
    case VMX_WORD_CPU: return profile->cpu.allowed1;
    case VMX_WORD_CPU2: return profile->cpu2;
    case VMX_WORD_CPU3: return profile->cpu3;
    case VMX_WORD_EXIT: return profile->exit.allowed1;
    case VMX_WORD_EXIT2: return profile->exit2;
    case VMX_WORD_ENTRY: return profile->entry.allowed1;
    case VMX_WORD_FUNCTION: return profile->function;
    case VMX_WORD_NONE:
    case VMX_WORD_COUNT: break;
    }
    return 0;
}

bool vmx_condition_holds(const struct vmx_profile *profile,
                         enum vmcs_condition condition)
{
    static const struct {
        uint8_t word, other_word;
        uint64_t control, other;
    } rows[] = {
#define X(name, word, control, other_word, other) \
    {VMX_WORD_##word, VMX_WORD_##other_word, control, other},
        VMCS_CONDITIONS(X)
#undef X
    };

    return condition == VMCS_IF_ALWAYS ||
           ((vmx_allowed(profile, rows[condition].word) &
             rows[condition].control) |
            (vmx_allowed(profile, rows[condition].other_word) &
             rows[condition].other)) != 0;
}

static uint64_t controls(struct vmx_control_word true_ones, uint32_t default1)
{
    return (uint64_t)true_ones.allowed1 << 32 | true_ones.fixed1 | default1;
}

/* The highest index of a field that is there, as its encoding has it. */
static uint64_t highest_index(const struct vmx_profile *profile)
{
    uint64_t highest = 0;

    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
        uint64_t index = vmcs_fields[i].encoding & VMX_ENUM_INDEX;

        if (index > highest &&
            vmx_condition_holds(profile, vmcs_fields[i].condition))
            highest = index;
    }
    return highest;
}

static bool find_capability(const struct vmx_profile *profile, uint32_t msr,
                            uint64_t *value)
{
    const struct {
        uint32_t msr;
        bool exists;
        uint64_t value;
    } rows[] = {
#define ALWAYS(name, value) {X86_MSR_VMX_##name, true, value}
#define IF(condition, name, value)           \
    {                                        \
        X86_MSR_VMX_##name, condition, value \
    }
#define HAS(word, control) \
    ((vmx_allowed(profile, VMX_WORD_##word) & (control)) != 0)
#define HAS_TRUE ((profile->basic & VMX_BASIC_TRUE) != 0)
        ALWAYS(BASIC, profile->basic),
        ALWAYS(PINBASED_CTLS, controls(profile->pin, PIN_DEFAULT1)),
        ALWAYS(PROCBASED_CTLS, controls(profile->cpu, CPU_DEFAULT1)),
        ALWAYS(EXIT_CTLS, controls(profile->exit, EXIT_DEFAULT1)),
        ALWAYS(ENTRY_CTLS, controls(profile->entry, ENTRY_DEFAULT1)),
        ALWAYS(MISC, profile->misc),
        ALWAYS(CR0_FIXED0, profile->cr0_fixed0),
        ALWAYS(CR0_FIXED1, profile->cr0_fixed1),
        ALWAYS(CR4_FIXED0, profile->cr4_fixed0),
        ALWAYS(CR4_FIXED1, profile->cr4_fixed1),
        ALWAYS(VMCS_ENUM, highest_index(profile)),
        IF(HAS(CPU, VMX_CPU_SECONDARY_CONTROLS), PROCBASED_CTLS2,
           (uint64_t)profile->cpu2 << 32),
        IF(HAS(CPU2, VMX_CPU2_EPT | VMX_CPU2_VPID), EPT_VPID_CAP,
           profile->ept_vpid),
        IF(HAS_TRUE, TRUE_PINBASED_CTLS, controls(profile->pin, 0)),
        IF(HAS_TRUE, TRUE_PROCBASED_CTLS, controls(profile->cpu, 0)),
        IF(HAS_TRUE, TRUE_EXIT_CTLS, controls(profile->exit, 0)),
        IF(HAS_TRUE, TRUE_ENTRY_CTLS, controls(profile->entry, 0)),
        IF(HAS(CPU2, VMX_CPU2_VM_FUNCTIONS), VMFUNC, profile->function),
        IF(HAS(CPU, VMX_CPU_TERTIARY_CONTROLS), PROCBASED_CTLS3, profile->cpu3),
        IF(HAS(EXIT, VMX_EXIT_SECONDARY_CONTROLS), EXIT_CTLS2, profile->exit2),
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].msr == msr && rows[i].exists) {
            *value = rows[i].value;
            return true;
        }
    }
    return false;
}

bool vmx_capability(const struct vmx_profile *profile, uint32_t msr,
                    uint64_t *value)
{
    return msr >= X86_MSR_VMX_BASIC && msr <= X86_MSR_VMX_EXIT_CTLS2 &&
           find_capability(profile, msr, value);
}
