/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controls, by what the capability MSRs offer: what every processor must
 * have, what is used where it is there, and the words for what is missing.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "arch/x86_64/msr.h"
#include "arch/x86_64/vmx/capability.h"
#include "arch/x86_64/vmx/controls.h"
#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/vmcs.h"
#include "lib/compiler.h"

#define WORD(may, must) ((uint64_t)(uint32_t)(may) << 32 | (must))

/* All controls may be 1, and those that are reserved must be. */
static const struct vmx_capability full = {
    .basic = 0x1234,
    .misc = 5,
    .pin = WORD(~0u, 0x16),
    .cpu = WORD(~0u, 0x04006172),
    .cpu2 = WORD(~0u, 0),
    .exit = WORD(~0u, 0x36dfb),
    .entry = WORD(~0u, 0x11fb),
    .cr0_fixed0 = 0x80000021,
    .cr0_fixed1 = 0xffffffff,
    .cr4_fixed0 = 0x2000,
    .cr4_fixed1 = 0x3727ff,
    .ept_vpid = UINT64_MAX,
};

static bool choose(const struct vmx_capability *capability,
                   struct vmx_controls *controls, char *refusal)
{
    refusal[0] = '\0';
    return vmx_choose_controls(capability, controls, refusal);
}

Test(vmx_controls, what_is_used)
{
    struct vmx_controls controls;
    char refusal[VMX_REFUSAL_SIZE];

    cr_assert(choose(&full, &controls, refusal), "%s", refusal);
    cr_assert_eq(controls.revision, 0x1234);
    cr_assert_eq(controls.pin, 0x16 | VMX_PIN_EXTERNAL_INTERRUPT_EXITING |
                                   VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS |
                                   VMX_PIN_PREEMPTION_TIMER);
    cr_assert_eq(controls.cpu & VMX_CPU_CR3_LOAD_EXITING, 0);
    cr_assert_eq(controls.cpu & VMX_CPU_INTERRUPT_WINDOW_EXITING, 0);
    cr_assert_eq(controls.cpu2, VMX_CPU2_EPT | VMX_CPU2_UNRESTRICTED_GUEST |
                                    VMX_CPU2_WBINVD_EXITING | VMX_CPU2_RDTSCP |
                                    VMX_CPU2_VPID | VMX_CPU2_INVPCID |
                                    VMX_CPU2_ENCLS_EXITING |
                                    VMX_CPU2_ENCLV_EXITING);
    cr_assert_eq(controls.entry & VMX_ENTRY_IA32E_MODE_GUEST, 0);
    cr_assert_eq(controls.cr0_fixed, 0x20, "a guest may be without paging");
    cr_assert_eq(controls.cr4_fixed, 0x2040, "VMXE, and MCE, the host's");
    cr_assert_eq(controls.timer_shift, 5);
    cr_assert_eq(controls.vpids, 65536);
    cr_assert_eq(controls.invept, VMX_INVEPT_SINGLE_CONTEXT);
    cr_assert_eq(controls.invvpid, VMX_INVVPID_SINGLE_CONTEXT);
    cr_assert(controls.has_1g);
}

/* One control that may not be 1, or must be. */
Test(vmx_controls, refusals)
{
    static const struct {
        size_t at;
        uint64_t off, on;
        const char *says; /* NULL: it is used all the same */
    } rows[] = {
#define AT(word)                offsetof(struct vmx_capability, word)
#define NO(word, control, says) {AT(word), (uint64_t)(control) << 32, 0, says}
#define MUST(word, control, says)    \
    {                                \
        AT(word), 0, (control), says \
    }
        NO(pin, VMX_PIN_EXTERNAL_INTERRUPT_EXITING,
           "external-interrupt exiting"),
        NO(pin, VMX_PIN_VIRTUAL_NMIS, "virtual NMIs"),
        NO(pin, VMX_PIN_PREEMPTION_TIMER, NULL),
        NO(cpu, VMX_CPU_SECONDARY_CONTROLS, "secondary controls"),
        NO(cpu, VMX_CPU_MSR_BITMAPS, "MSR bitmaps"),
        NO(cpu, VMX_CPU_TPR_SHADOW, NULL),
        NO(cpu, VMX_CPU_INTERRUPT_WINDOW_EXITING, "0x4 may not be 1"),
        NO(cpu, VMX_CPU_NMI_WINDOW_EXITING, "0x400000 may not be 1"),
        NO(cpu2, VMX_CPU2_EPT, "EPT"),
        NO(cpu2, VMX_CPU2_UNRESTRICTED_GUEST, "unrestricted guest"),
        NO(cpu2, VMX_CPU2_INVPCID, NULL),
        NO(exit, VMX_EXIT_SAVE_EFER, "save IA32_EFER"),
        NO(exit, VMX_EXIT_ACKNOWLEDGE_INTERRUPT, "acknowledge interrupt"),
        NO(entry, VMX_ENTRY_LOAD_PAT, "load IA32_PAT"),
        NO(entry, VMX_ENTRY_IA32E_MODE_GUEST, "0x200 may not be 1"),
        MUST(cpu, VMX_CPU_CR3_LOAD_EXITING, "0x8000 not 0"),
        MUST(cpu2, VMX_CPU2_RDRAND_EXITING, "0x800 not 0"),
        MUST(pin, VMX_PIN_POSTED_INTERRUPTS, "0x80 not 0"),
        MUST(cpu, VMX_CPU_HLT_EXITING, NULL),
        {AT(ept_vpid), VMX_EPT_CAP_WALK_4, 0, "a walk of 4 levels"},
        {AT(ept_vpid), VMX_EPT_CAP_WB, 0, "write-back tables"},
        {AT(ept_vpid), VMX_EPT_CAP_INVEPT, 0, "INVEPT"},
        {AT(ept_vpid), VMX_EPT_CAP_INVEPT_SINGLE | VMX_EPT_CAP_INVEPT_ALL, 0,
         "a type of INVEPT"},
        {AT(ept_vpid), VMX_EPT_CAP_INVEPT_SINGLE, 0, NULL},
        {AT(ept_vpid), VMX_EPT_CAP_1G, 0, NULL},
        {AT(ept_vpid), VMX_VPID_CAP_INVVPID, 0, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vmx_capability capability = full;
        uint64_t *word = (uint64_t *)(void *)((char *)&capability + rows[i].at);
        struct vmx_controls controls;
        char refusal[VMX_REFUSAL_SIZE];

        *word = (*word & ~rows[i].off) | rows[i].on;
        cr_assert_eq(choose(&capability, &controls, refusal),
                     rows[i].says == NULL, "row %zu: %s", i, refusal);
        if (rows[i].says != NULL)
            cr_assert_not_null(strstr(refusal, rows[i].says), "row %zu: %s", i,
                               refusal);
    }
}

/* What is used in place of what is missing. */
Test(vmx_controls, translations)
{
    static const struct {
        uint64_t missing;
        uint8_t invept, invvpid;
        uint32_t vpids;
        bool has_1g;
    } rows[] = {
        {VMX_EPT_CAP_INVEPT_SINGLE, VMX_INVEPT_ALL_CONTEXTS,
         VMX_INVVPID_SINGLE_CONTEXT, 65536, true},
        {VMX_VPID_CAP_SINGLE, VMX_INVEPT_SINGLE_CONTEXT,
         VMX_INVVPID_ALL_CONTEXTS, 65536, true},
        {VMX_VPID_CAP_ALL, VMX_INVEPT_SINGLE_CONTEXT, 0, 0, true},
        {VMX_VPID_CAP_INVVPID, VMX_INVEPT_SINGLE_CONTEXT, 0, 0, true},
        {VMX_EPT_CAP_1G, VMX_INVEPT_SINGLE_CONTEXT, VMX_INVVPID_SINGLE_CONTEXT,
         65536, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vmx_capability capability = full;
        struct vmx_controls controls;
        char refusal[VMX_REFUSAL_SIZE];

        capability.ept_vpid &= ~rows[i].missing;
        cr_assert(choose(&capability, &controls, refusal));
        cr_assert_eq(controls.invept, rows[i].invept, "row %zu", i);
        cr_assert_eq(controls.vpids, rows[i].vpids, "row %zu", i);
        cr_assert_eq(controls.has_1g, rows[i].has_1g, "row %zu", i);
        cr_assert_eq((controls.cpu2 & VMX_CPU2_VPID) != 0, rows[i].vpids != 0,
                     "row %zu", i);
        if (rows[i].vpids != 0)
            cr_assert_eq(controls.invvpid, rows[i].invvpid, "row %zu", i);
    }
}

/* Of the local APIC: nothing without a TPR shadow, and not its page without
 * APIC-register virtualization. */
Test(vmx_controls, local_apic)
{
    enum {
        P = VMX_CPU2_APIC_ACCESSES,
        X = VMX_CPU2_X2APIC_MODE,
        R = VMX_CPU2_APIC_REGISTERS,
        V = VMX_CPU2_VIRTUAL_INTERRUPTS
    };
    static const struct {
        uint64_t cpu, cpu2; /* may not be 1 */
        uint32_t apic;
    } rows[] = {
        {0, 0, P | X | R | V}, {VMX_CPU_TPR_SHADOW, 0, 0},
        {0, R, X | V},         {0, V, P | X | R},
        {0, R | V, X},         {0, P, X | R | V},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vmx_capability capability = full;
        struct vmx_controls controls;
        char refusal[VMX_REFUSAL_SIZE];

        capability.cpu &= ~(rows[i].cpu << 32);
        capability.cpu2 &= ~(rows[i].cpu2 << 32);
        cr_assert(choose(&capability, &controls, refusal));
        cr_assert_eq(controls.apic, rows[i].apic, "row %zu: %x", i,
                     controls.apic);
        cr_assert_eq(controls.has_tpr_shadow, rows[i].cpu == 0);
        cr_assert_eq(controls.cpu2 & (P | X | R | V), 0, "at first none is on");
        /* Bochs' virtual interrupts are not used. */
        capability.basic = UINT64_C(0x00d810000000002b);
        cr_assert(choose(&capability, &controls, refusal));
        cr_assert_eq(controls.apic, rows[i].apic & ~(uint32_t)V, "row %zu", i);
    }
}

/* MSRs of a processor: those that there are, and TRUE ones or not. */
static uint64_t basic, cpu2;
static bool read_absent;

static uint64_t read_msr(uint32_t msr)
{
    bool is_true = (basic & VMX_BASIC_TRUE) != 0;

    switch (msr) {
    case X86_MSR_VMX_BASIC: return basic;
    case X86_MSR_VMX_PROCBASED_CTLS:
    case X86_MSR_VMX_TRUE_PROCBASED_CTLS:
        read_absent |= (msr == X86_MSR_VMX_TRUE_PROCBASED_CTLS) && !is_true;
        return WORD(cpu2 != 0 ? VMX_CPU_SECONDARY_CONTROLS : 0u, msr);
    case X86_MSR_VMX_PROCBASED_CTLS2: read_absent |= cpu2 == 0; return cpu2;
    case X86_MSR_VMX_EPT_VPID_CAP:
        read_absent |= (cpu2 >> 32 & (VMX_CPU2_EPT | VMX_CPU2_VPID)) == 0;
        return 0x77;
    default: return msr;
    }
}

Test(vmx_controls, which_msrs_are_read)
{
    static const struct {
        uint64_t basic, cpu2;
        uint32_t cpu;
        uint64_t ept_vpid;
    } rows[] = {
        {0, 0, X86_MSR_VMX_PROCBASED_CTLS, 0},
        {VMX_BASIC_TRUE, 0, X86_MSR_VMX_TRUE_PROCBASED_CTLS, 0},
        {0, WORD(VMX_CPU2_RDTSCP, 0), X86_MSR_VMX_PROCBASED_CTLS, 0},
        {0, WORD(VMX_CPU2_EPT, 0), X86_MSR_VMX_PROCBASED_CTLS, 0x77},
        {0, WORD(VMX_CPU2_VPID, 0), X86_MSR_VMX_PROCBASED_CTLS, 0x77},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vmx_capability capability;

        basic = rows[i].basic;
        cpu2 = rows[i].cpu2;
        read_absent = false;
        vmx_read_capability(&capability, read_msr);
        cr_assert(!read_absent, "row %zu", i);
        cr_assert_eq((uint32_t)capability.cpu, rows[i].cpu, "row %zu", i);
        cr_assert_eq(capability.cpu2, rows[i].cpu2, "row %zu", i);
        cr_assert_eq(capability.ept_vpid, rows[i].ept_vpid, "row %zu", i);
    }
}
