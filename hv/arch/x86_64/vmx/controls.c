/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controls, from the capability MSRs: see controls.h. One table says what
 * each word must have, and what it gets where it is offered.
 *
 * Not used: I/O bitmaps, since all ports exit; EPT's accessed and dirty flags,
 * since dirty pages are found by write protection, and the flags would make
 * the guest's own page walks writes.
 *
 * Reserved controls that must be 1 are so (sections A.3 to A.5, the "default1"
 * classes). A control that means something, must be 1, and is not asked for,
 * is a reason to refuse the processor.
 */
#include "arch/x86_64/vmx/controls.h"

#include "arch/x86_64/msr.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/capability.h"
#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/vmcs.h"
#include "lib/compiler.h"
#include "lib/format.h"

#define VPIDS 65536

/* A control's name, for whoever is told that it is missing. */
struct named {
    uint32_t bit;
    const char *name;
};

struct word {
    const char *name;
    size_t capability, controls; /* offsets */
    uint32_t default1;           /* reserved bits, which may have to be 1 */
    const struct named *required;
    size_t required_count;
    uint32_t optional;
    /* Off at first, and switched on while it is needed. */
    uint32_t later;
};

static const struct named pin_required[] = {
    {VMX_PIN_EXTERNAL_INTERRUPT_EXITING, "external-interrupt exiting"},
    {VMX_PIN_NMI_EXITING, "NMI exiting"},
    {VMX_PIN_VIRTUAL_NMIS, "virtual NMIs"},
};

static const struct named cpu_required[] = {
    {VMX_CPU_SECONDARY_CONTROLS, "secondary controls"},
    {VMX_CPU_TSC_OFFSETTING, "TSC offsetting"},
    {VMX_CPU_HLT_EXITING, "HLT exiting"},
    {VMX_CPU_MWAIT_EXITING, "MWAIT exiting"},
    {VMX_CPU_RDPMC_EXITING, "RDPMC exiting"},
    {VMX_CPU_CR8_LOAD_EXITING, "CR8-load exiting"},
    {VMX_CPU_CR8_STORE_EXITING, "CR8-store exiting"},
    {VMX_CPU_UNCONDITIONAL_IO_EXITING, "unconditional I/O exiting"},
    {VMX_CPU_MSR_BITMAPS, "MSR bitmaps"},
    {VMX_CPU_MONITOR_EXITING, "MONITOR exiting"},
};

static const struct named cpu2_required[] = {
    {VMX_CPU2_EPT, "EPT"},
    {VMX_CPU2_UNRESTRICTED_GUEST, "unrestricted guest"},
    {VMX_CPU2_WBINVD_EXITING, "WBINVD exiting"},
};

static const struct named exit_required[] = {
    {VMX_EXIT_SAVE_DEBUG_CONTROLS, "save debug controls"},
    {VMX_EXIT_HOST_64, "host address-space size"},
    {VMX_EXIT_ACKNOWLEDGE_INTERRUPT, "acknowledge interrupt on exit"},
    {VMX_EXIT_SAVE_PAT, "save IA32_PAT"},
    {VMX_EXIT_LOAD_PAT, "load IA32_PAT"},
    {VMX_EXIT_SAVE_EFER, "save IA32_EFER"},
    {VMX_EXIT_LOAD_EFER, "load IA32_EFER"},
};

static const struct named entry_required[] = {
    {VMX_ENTRY_LOAD_DEBUG_CONTROLS, "load debug controls"},
    {VMX_ENTRY_LOAD_PAT, "load IA32_PAT"},
    {VMX_ENTRY_LOAD_EFER, "load IA32_EFER"},
};

#define AT(field) \
    offsetof(struct vmx_capability, field), offsetof(struct vmx_controls, field)
#define NAMED(array) (array), ARRAY_SIZE(array)

static const struct word words[] = {
    {"pin-based", AT(pin), 0x00000016, NAMED(pin_required),
     (uint32_t)VMX_PIN_PREEMPTION_TIMER, 0},
    {"primary processor-based", AT(cpu), 0x04006172, NAMED(cpu_required), 0,
     (uint32_t)(VMX_CPU_INTERRUPT_WINDOW_EXITING | VMX_CPU_NMI_WINDOW_EXITING)},
    {"secondary processor-based", AT(cpu2), 0, NAMED(cpu2_required),
     (uint32_t)(VMX_CPU2_RDTSCP | VMX_CPU2_VPID | VMX_CPU2_INVPCID |
                VMX_CPU2_ENCLS_EXITING | VMX_CPU2_ENCLV_EXITING),
     0},
    {"VM-exit", AT(exit), 0x00036dfb, NAMED(exit_required), 0, 0},
    {"VM-entry", AT(entry), 0x000011fb, NAMED(entry_required), 0,
     (uint32_t)VMX_ENTRY_IA32E_MODE_GUEST},
};

static uint64_t capability_of(const struct vmx_capability *capability,
                              const struct word *word)
{
    return *(const uint64_t *)(const void *)((const char *)capability +
                                             word->capability);
}

static void set_controls(struct vmx_controls *controls, const struct word *word,
                         uint32_t value)
{
    *(uint32_t *)(void *)((char *)controls + word->controls) = value;
}

/* Chooses one word: the low half of its MSR says what must be 1, the high half
 * what may be. */
static bool choose_word(const struct vmx_capability *capability,
                        const struct word *word, struct vmx_controls *controls,
                        char *refusal)
{
    uint32_t must = (uint32_t)capability_of(capability, word);
    uint32_t may = (uint32_t)(capability_of(capability, word) >> 32);
    uint32_t wanted = word->optional & may, unasked;

    for (size_t i = 0; i < word->required_count; i++) {
        if ((may & word->required[i].bit) == 0) {
            (void)format_text(refusal, VMX_REFUSAL_SIZE,
                              "this processor's VMX has no \"%s\"",
                              word->required[i].name);
            return false;
        }
        wanted |= word->required[i].bit;
    }
    unasked = must & ~(word->default1 | wanted);
    if ((may & word->later) != word->later || unasked != 0) {
        (void)format_text(refusal, VMX_REFUSAL_SIZE,
                          "this processor's VMX fixes %s controls: 0x%x may "
                          "not be 1, 0x%x not 0",
                          word->name, word->later & ~may, unasked);
        return false;
    }
    set_controls(controls, word, must | wanted);
    return true;
}

/* An EPT capability that cannot be done without. */
static const struct {
    uint64_t bits; /* one of them */
    const char *name;
} ept_required[] = {
    {VMX_EPT_CAP_WALK_4, "a walk of 4 levels"},
    {VMX_EPT_CAP_WB, "write-back tables"},
    {VMX_EPT_CAP_2M, "pages of 2 MiB"},
    {VMX_EPT_CAP_INVEPT, "INVEPT"},
    {VMX_EPT_CAP_INVEPT_SINGLE | VMX_EPT_CAP_INVEPT_ALL, "a type of INVEPT"},
};

static bool choose_ept(const struct vmx_capability *capability,
                       struct vmx_controls *controls, char *refusal)
{
    for (size_t i = 0; i < ARRAY_SIZE(ept_required); i++) {
        if ((capability->ept_vpid & ept_required[i].bits) == 0) {
            (void)format_text(refusal, VMX_REFUSAL_SIZE,
                              "this processor's EPT has no %s",
                              ept_required[i].name);
            return false;
        }
    }
    controls->invept = (capability->ept_vpid & VMX_EPT_CAP_INVEPT_SINGLE) != 0
                           ? VMX_INVEPT_SINGLE_CONTEXT
                           : VMX_INVEPT_ALL_CONTEXTS;
    controls->has_1g = (capability->ept_vpid & VMX_EPT_CAP_1G) != 0;
    return true;
}

static bool may_be_1(uint64_t capability, uint64_t control)
{
    return (capability >> 32 & control) != 0;
}

/* VPIDs that cannot be invalidated are not used: then each entry and each exit
 * does so. All contexts are what a new generation of VPIDs needs. */
static void choose_vpid(const struct vmx_capability *capability,
                        struct vmx_controls *controls)
{
    const uint64_t needed = VMX_VPID_CAP_INVVPID | VMX_VPID_CAP_ALL;

    if ((capability->ept_vpid & needed) != needed)
        controls->cpu2 &= ~(uint32_t)VMX_CPU2_VPID;
    if ((controls->cpu2 & VMX_CPU2_VPID) == 0)
        return;
    controls->vpids = VPIDS;
    controls->invvpid = (capability->ept_vpid & VMX_VPID_CAP_SINGLE) != 0
                            ? VMX_INVVPID_SINGLE_CONTEXT
                            : VMX_INVVPID_ALL_CONTEXTS;
}

/*
 * Bochs (2.7) delivers a pending virtual interrupt to a guest that has
 * RFLAGS.IF clear, as soon as the host has an interrupt, and an exit on the way
 * of one does not tell of it: a guest would deadlock, or lose it.
 * All its processors have the same IA32_VMX_BASIC.
 */
#define BOCHS_BASIC UINT64_C(0x00d810000000002b)

/*
 * The guest's local APIC says which of them are on. Without APIC-register
 * virtualization the page of the local APIC is none of the processor's: all but
 * the task priority would exit still, as APIC accesses, which are decoded no
 * faster than EPT violations, and guests set the task priority by CR8.
 */
static void choose_apic(const struct vmx_capability *capability,
                        struct vmx_controls *controls)
{
    uint32_t used =
        (uint32_t)(capability->cpu2 >> 32) &
        (uint32_t)(VMX_CPU2_APIC_ACCESSES | VMX_CPU2_X2APIC_MODE |
                   VMX_CPU2_APIC_REGISTERS | VMX_CPU2_VIRTUAL_INTERRUPTS);

    if ((used & VMX_CPU2_APIC_REGISTERS) == 0)
        used &= ~(uint32_t)VMX_CPU2_APIC_ACCESSES;
    if (capability->basic == BOCHS_BASIC)
        used &= ~(uint32_t)VMX_CPU2_VIRTUAL_INTERRUPTS;
    controls->has_tpr_shadow = may_be_1(capability->cpu, VMX_CPU_TPR_SHADOW);
    if (controls->has_tpr_shadow)
        controls->apic = used;
}

bool vmx_choose_controls(const struct vmx_capability *capability,
                         struct vmx_controls *controls, char *refusal)
{
    *controls = (struct vmx_controls){
        .revision = (uint32_t)FIELD_GET(VMX_BASIC_REVISION, capability->basic),
        /* An unrestricted guest may be without these two: section 24.8. */
        .cr0_fixed = capability->cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG),
        .cr4_fixed =
            capability->cr4_fixed0 | (capability->cr4_fixed1 & X86_CR4_MCE),
        .timer_shift =
            (uint8_t)FIELD_GET(VMX_MISC_TIMER_RATE, capability->misc),
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (!choose_word(capability, &words[i], controls, refusal))
            return false;
    }
    if (!choose_ept(capability, controls, refusal))
        return false;
    choose_vpid(capability, controls);
    choose_apic(capability, controls);
    return true;
}

void vmx_read_capability(struct vmx_capability *c, vmx_read_msr_fn read)
{
    bool is_true;

    *c = (struct vmx_capability){.basic = read(X86_MSR_VMX_BASIC)};
    is_true = (c->basic & VMX_BASIC_TRUE) != 0;
    c->misc = read(X86_MSR_VMX_MISC);
    c->pin = read(is_true ? X86_MSR_VMX_TRUE_PINBASED_CTLS
                          : X86_MSR_VMX_PINBASED_CTLS);
    c->cpu = read(is_true ? X86_MSR_VMX_TRUE_PROCBASED_CTLS
                          : X86_MSR_VMX_PROCBASED_CTLS);
    c->exit =
        read(is_true ? X86_MSR_VMX_TRUE_EXIT_CTLS : X86_MSR_VMX_EXIT_CTLS);
    c->entry =
        read(is_true ? X86_MSR_VMX_TRUE_ENTRY_CTLS : X86_MSR_VMX_ENTRY_CTLS);
    c->cr0_fixed0 = read(X86_MSR_VMX_CR0_FIXED0);
    c->cr0_fixed1 = read(X86_MSR_VMX_CR0_FIXED1);
    c->cr4_fixed0 = read(X86_MSR_VMX_CR4_FIXED0);
    c->cr4_fixed1 = read(X86_MSR_VMX_CR4_FIXED1);
    if (may_be_1(c->cpu, VMX_CPU_SECONDARY_CONTROLS))
        c->cpu2 = read(X86_MSR_VMX_PROCBASED_CTLS2);
    if (may_be_1(c->cpu2, VMX_CPU2_EPT | VMX_CPU2_VPID))
        c->ept_vpid = read(X86_MSR_VMX_EPT_VPID_CAP);
}
