/* SPDX-License-Identifier: Apache-2.0 */
/* VM entries and VM exits of the fake VMX CPU: what is loaded, saved, refused.
 */
#include <string.h>

#include "rig.h"

TestSuite(entry, .init = rig_setup);

/* Fields that a guest which does nothing leaves as they were. */
Test(entry, state_is_kept)
{
    static const struct {
        uint8_t at;
        uint64_t value;
    } rows[] = {
        {VMCS_AT_GUEST_RSP, 0x1234560},
        {VMCS_AT_GUEST_ES_SELECTOR, 0x23},
        {VMCS_AT_GUEST_DS_BASE, 0x12340000},
        {VMCS_AT_GUEST_FS_BASE, 0x5678},
        {VMCS_AT_GUEST_GS_BASE, UINT64_C(0xffff888000000000)},
        {VMCS_AT_GUEST_GS_LIMIT, 0xfffff},
        {VMCS_AT_GUEST_FS_ACCESS_RIGHTS, 0xd093},
        {VMCS_AT_GUEST_ES_ACCESS_RIGHTS, VMX_AR_UNUSABLE},
        {VMCS_AT_GUEST_TR_SELECTOR, 0x40},
        {VMCS_AT_GUEST_TR_LIMIT, 0x1067},
        {VMCS_AT_GUEST_GDTR_BASE, 0x9000},
        {VMCS_AT_GUEST_GDTR_LIMIT, 0x7f},
        {VMCS_AT_GUEST_IDTR_LIMIT, 0x1ff},
        {VMCS_AT_GUEST_DR7, 0x455},
        {VMCS_AT_GUEST_IA32_SYSENTER_ESP, 0x1111},
        {VMCS_AT_GUEST_IA32_SYSENTER_EIP, 0x2222},
        {VMCS_AT_GUEST_IA32_SYSENTER_CS, 0x33},
        {VMCS_AT_GUEST_RFLAGS, 0x10ad7},
        {VMCS_AT_GUEST_INTERRUPTIBILITY_STATE, VMX_BLOCKING_NMI},
        {VMCS_AT_GUEST_CR3, 0x123000},
        {VMCS_AT_GUEST_CR4, 0x2668},
    };
    uint64_t *field = rig.cpu->vmx.vmcs->field;

    for_each_row (i, rows)
        field[rows[i].at] = rows[i].value;
    rig_run(NULL, 0);
    cr_assert_eq(rig.result, X86_VMX_ENTERED);
    cr_assert_eq(rig_reason(), VMX_REASON_EXTERNAL_INTERRUPT, "0x%x",
                 rig_reason());
    for_each_row (i, rows)
        cr_assert_eq(field[rows[i].at], rows[i].value, "row %zu: 0x%llx", i,
                     (unsigned long long)field[rows[i].at]);
}

/* EFER, PAT and debug controls by the controls of the entry and the exit. */
Test(entry, what_controls_load_and_save)
{
    FIELD(ENTRY_CONTROLS) &=
        ~(VMX_ENTRY_LOAD_EFER | VMX_ENTRY_LOAD_DEBUG_CONTROLS);
    FIELD(GUEST_IA32_EFER) = X86_EFER_SCE;
    rig.cpu->efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    rig_run(NULL, 0);
    /* The host's, without what the guest's mode has not. */
    cr_assert_eq(FIELD(GUEST_IA32_EFER), X86_EFER_NXE);

    rig_setup();
    FIELD(ENTRY_CONTROLS) |= VMX_ENTRY_LOAD_PAT;
    FIELD(EXIT_CONTROLS) |= VMX_EXIT_SAVE_PAT | VMX_EXIT_LOAD_PAT;
    FIELD(GUEST_IA32_PAT) = 0x0606060606060606;
    FIELD(HOST_IA32_PAT) = 0x0404040404040404;
    rig_run(NULL, 0);
    cr_assert_eq(FIELD(GUEST_IA32_PAT), 0x0606060606060606);
    cr_assert_eq(rig.cpu->pat, 0x0404040404040404);
}

/* Long mode by the entry control, which follows the guest. */
Test(entry, long_mode)
{
    static const struct guest_op leave[] = {
        {.kind = OP_X86_WRMSR, .number = X86_MSR_EFER, .value = 0}};

    rig_long_mode();
    rig_run(NULL, 0);
    cr_assert_eq(rig_reason(), VMX_REASON_EXTERNAL_INTERRUPT, "0x%x",
                 rig_reason());
    cr_assert_neq(FIELD(ENTRY_CONTROLS) & VMX_ENTRY_IA32E_MODE_GUEST, 0);
    rig_run(leave, 1);
    cr_assert_eq(FIELD(ENTRY_CONTROLS) & VMX_ENTRY_IA32E_MODE_GUEST, 0);
}

/* The privilege level is that of SS. */
Test(entry, privilege_level)
{
    static const struct guest_op op = {.kind = OP_X86_HLT};

    rig_idt();
    FIELD(GUEST_SS_SELECTOR) = FIELD(GUEST_CS_SELECTOR) = 0x1b;
    FIELD(GUEST_SS_ACCESS_RIGHTS) |= FIELD_PUT(VMX_AR_DPL, 3);
    FIELD(GUEST_CS_ACCESS_RIGHTS) |= FIELD_PUT(VMX_AR_DPL, 3);
    rig_one(&op);
    cr_assert_eq(rig.last.outcome, OUTCOME_EXCEPTION);
    cr_assert_eq(rig.last.cause, X86_VECTOR_GP);
    cr_assert_eq(FIELD_GET(VMX_AR_DPL, FIELD(GUEST_SS_ACCESS_RIGHTS)), 0,
                 "its handler is at level 0");
}

/* IOPL says who may turn interrupts on and off. */
Test(entry, io_privilege_level)
{
    static const struct guest_op ops[] = {{.kind = OP_X86_STI},
                                          {.kind = OP_X86_CLI}};

    for_each_row (i, ops) {
        for (unsigned iopl = 0; iopl < 4; iopl += 3) {
            rig_setup();
            FIELD(EXCEPTION_BITMAP) = BIT(X86_VECTOR_GP);
            FIELD(GUEST_CS_ACCESS_RIGHTS) |= VMX_AR_DPL;
            FIELD(GUEST_SS_ACCESS_RIGHTS) |= VMX_AR_DPL;
            FIELD(GUEST_RFLAGS) |= FIELD_PUT(X86_RFLAGS_IOPL, iopl);
            rig_run(&ops[i], 1);
            cr_assert_eq(rig.result, X86_VMX_ENTERED);
            cr_assert_eq(rig_reason(),
                         iopl == 0 ? VMX_REASON_EXCEPTION_NMI
                                   : VMX_REASON_EXTERNAL_INTERRUPT,
                         "row %zu: %u", i, iopl);
        }
    }
}

/* Real mode has none: its guests stay at 0, as entries want it. */
Test(entry, real_mode)
{
    static const struct guest_op op = {.kind = OP_USER_MODE};

    FIELD(GUEST_CR0) &= ~X86_CR0_PE;
    rig_run(&op, 1);
    cr_assert_eq(rig.done, 1);
    rig_run(NULL, 0);
    cr_assert_eq(rig_reason(), VMX_REASON_EXTERNAL_INTERRUPT, "0x%x",
                 rig_reason());
}

/* The host's registers after an exit. */
Test(entry, host_state)
{
    FIELD(HOST_FS_BASE) = 0x1000;
    FIELD(HOST_GS_BASE) = 0x2000;
    FIELD(HOST_IA32_SYSENTER_EIP) = 0x3000;
    FIELD(GUEST_FS_BASE) = 0x4000;
    rig_run(NULL, 0);
    cr_assert_eq(x86_hw_read_msr(X86_MSR_FS_BASE), 0x1000);
    cr_assert_eq(x86_hw_read_msr(X86_MSR_GS_BASE), 0x2000);
    cr_assert_eq(x86_hw_read_msr(X86_MSR_SYSENTER_EIP), 0x3000);
    cr_assert_eq(x86_hw_read_msr(X86_MSR_EFER), FIELD(HOST_IA32_EFER));
}

/* What VMX does not switch: the guest's, also after the exit. */
Test(entry, what_is_not_switched)
{
    static const struct guest_op ops[] = {
        {.kind = OP_X86_WRITE_CR, .number = 2, .value = 0x1234},
        {.kind = OP_X86_WRMSR, .number = X86_MSR_LSTAR, .value = 0x5678},
        {.kind = OP_SET_REG, .reg = X86_GPR_RAX, .value = 0x9abc},
    };
    struct x86_vmx_state state = {.dr6 = X86_DR6_RESET, .star = 7};

    x86_vmx_load_state(&state);
    rig_run(ops, 3);
    x86_vmx_save_state(&state);
    cr_assert_eq(rig.done, 3);
    cr_assert_eq(state.cr2, 0x1234);
    cr_assert_eq(state.lstar, 0x5678);
    cr_assert_eq(state.star, 7);
    cr_assert_eq(rig.regs.gpr[X86_GPR_RAX], 0x9abc);
}

/* Lists: what the guest gets, what is stored of it, what the host gets. */
Test(entry, msr_lists)
{
    static const struct guest_op op = {
        .kind = OP_X86_WRMSR, .number = X86_MSR_STAR, .value = 0x77};
    struct vmx_msr_entry *lists;
    hpa_t page = memory_alloc_frame();

    lists = memory_phys_to_virt(page);
    lists[0] = (struct vmx_msr_entry){X86_MSR_LSTAR, 0, 0x1111};
    lists[1] = (struct vmx_msr_entry){X86_MSR_STAR, 0, 0};
    lists[2] = (struct vmx_msr_entry){X86_MSR_LSTAR, 0, 0};
    lists[3] = (struct vmx_msr_entry){X86_MSR_LSTAR, 0, 0x2222};
    FIELD(ENTRY_MSR_LOAD_ADDRESS) = page.raw;
    FIELD(ENTRY_MSR_LOAD_COUNT) = 1;
    FIELD(EXIT_MSR_STORE_ADDRESS) = page.raw + 16;
    FIELD(EXIT_MSR_STORE_COUNT) = 2;
    FIELD(EXIT_MSR_LOAD_ADDRESS) = page.raw + 48;
    FIELD(EXIT_MSR_LOAD_COUNT) = 1;
    rig_run(&op, 1);
    cr_assert_eq(rig.done, 1);
    cr_assert_eq(lists[1].data, 0x77);
    cr_assert_eq(lists[2].data, 0x1111);
    cr_assert_eq(x86_hw_read_msr(X86_MSR_LSTAR), 0x2222);
    cr_assert_eq(violations_count(), 0);
}

/* A state that is refused late looks like an exit, and none of it is loaded;
 * one that is refused early is a failure of the instruction. */
Test(entry, refusals)
{
    static const struct {
        uint8_t at;
        uint64_t value;
        uint32_t result, reason, error;
    } rows[] = {
        {VMCS_AT_GUEST_RFLAGS, 0, X86_VMX_ENTERED, 0x80000021, 0},
        {VMCS_AT_LINK_POINTER, 0, X86_VMX_ENTERED, 0x80000021, 0},
        {VMCS_AT_HOST_CR0, 0, X86_VMX_FAIL_VALID, 0, 8},
        {VMCS_AT_PIN_CONTROLS, 0, X86_VMX_FAIL_VALID, 0, 7},
    };

    for_each_row (i, rows) {
        rig_setup();
        rig.cpu->vmx.vmcs->field[rows[i].at] = rows[i].value;
        rig.cpu->state.rip = 0x5555;
        rig_run(NULL, 0);
        cr_assert_eq(rig.result, rows[i].result, "row %zu", i);
        if (rows[i].error != 0)
            cr_assert_eq(FIELD(VM_INSTRUCTION_ERROR), rows[i].error,
                         "row %zu: %llu", i,
                         (unsigned long long)FIELD(VM_INSTRUCTION_ERROR));
        else
            cr_assert_eq(FIELD(EXIT_REASON), rows[i].reason, "row %zu", i);
        cr_assert_eq(rig.cpu->state.rip, 0x5555, "row %zu", i);
    }
}

/* Of shadow stacks there is no more than registers: an entry loads the guest's
 * and an exit the host's, if they say so. */
Test(entry, shadow_stack_registers)
{
    static const struct guest_op op = {.kind = OP_X86_CPUID};

    rig_load("tigerlake");
    FIELD(GUEST_IA32_S_CET) = 0x1000;
    FIELD(GUEST_SSP) = 0x2000;
    FIELD(ENTRY_CONTROLS) |= VMX_ENTRY_LOAD_CET;
    rig_one(&op);
    cr_assert_eq(FIELD(GUEST_IA32_S_CET), 0x1000);
    cr_assert_eq(FIELD(GUEST_SSP), 0x2000);
    /* They are the host's now, and so the next guest's. */
    FIELD(GUEST_SSP) = 0x3000;
    FIELD(ENTRY_CONTROLS) &= ~VMX_ENTRY_LOAD_CET;
    FIELD(EXIT_CONTROLS) |= VMX_EXIT_LOAD_CET;
    FIELD(HOST_SSP) = 0x4000;
    rig_one(&op);
    cr_assert_eq(FIELD(GUEST_SSP), 0x2000);
    rig_one(&op);
    cr_assert_eq(FIELD(GUEST_SSP), 0x4000);
}

/* Without EFER.NXE, bit 63 of an entry is reserved. */
Test(entry, what_bit_63_is)
{
    static const struct guest_op op = {.kind = OP_LOAD, .width = 8};

    for (unsigned nxe = 0; nxe < 2; nxe++) {
        rig_setup();
        rig_long_mode();
        FIELD(EXCEPTION_BITMAP) = BIT(X86_VECTOR_PF);
        FIELD(GUEST_IA32_EFER) =
            X86_EFER_LME | X86_EFER_LMA | (nxe != 0 ? X86_EFER_NXE : 0);
        *(uint64_t *)rig_memory(RIG_CR3 + 2 * PAGE_SIZE) |= BIT(63);
        rig_one(&op);
        cr_assert_eq(rig_reason(), VMX_REASON_EXCEPTION_NMI, "%u", nxe);
        cr_assert_eq((FIELD(EXIT_INTERRUPTION_ERROR_CODE) & X86_FAULT_RSV) != 0,
                     nxe == 0, "%u", nxe);
    }
}

/* VMLAUNCH once, then VMRESUME. */
Test(entry, launch_state)
{
    cr_assert_eq(x86_vmx_enter(&rig.regs, true), X86_VMX_FAIL_VALID);
    cr_assert_eq(FIELD(VM_INSTRUCTION_ERROR), 5);
    cr_assert_eq(x86_vmx_enter(&rig.regs, false), X86_VMX_ENTERED);
    cr_assert_eq(x86_vmx_enter(&rig.regs, false), X86_VMX_FAIL_VALID);
    cr_assert_eq(FIELD(VM_INSTRUCTION_ERROR), 4);
    cr_assert_eq(x86_vmx_enter(&rig.regs, true), X86_VMX_ENTERED);
}

Test(entry, tsc_offset)
{
    static const struct guest_op op = {.kind = OP_X86_RDTSC};
    uint64_t before = cpu_tsc();

    FIELD(TSC_OFFSET) = UINT64_C(1) << 40;
    rig_one(&op);
    cr_assert_lt(rig.last.value, UINT64_C(1) << 40);
    FIELD(PRIMARY_CONTROLS) |= VMX_CPU_TSC_OFFSETTING;
    rig_one(&op);
    cr_assert_geq(rig.last.value, (UINT64_C(1) << 40) + before);
}

/* The profiles say the same of CR4 as their capabilities. */
Test(entry, profiles_agree)
{
    unsigned i = 0;

    for (; x86_vmx_profiles[i].base.name != NULL; i++) {
        const struct x86_profile *profile = &x86_vmx_profiles[i];

        cr_assert_str_eq(profile->base.name, vmx_profiles[i].base.name);
        cr_assert_eq(profile->vmx, &vmx_profiles[i]);
        cr_assert_eq(profile->cr4, vmx_profiles[i].cr4_fixed1, "%s",
                     profile->base.name);
        cr_assert_eq(profile->phys_bits, vmx_profiles[i].phys_bits);
    }
    cr_assert_null(vmx_profiles[i].base.name);
}
