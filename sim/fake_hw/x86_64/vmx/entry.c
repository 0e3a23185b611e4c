/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VM entries from where the guest's state is loaded: SDM volume 3, chapter on
 * VM entries. What comes before is vmx_enter()'s.
 */
#include "sim/clock.h"
#include "sim/fake_hw/x86_64/vmx/guest.h"

static void enter_guest(struct fake_x86 *cpu)
{
    fake_vmx_tag_guest(cpu);
    fake_vmx_drop_untagged(cpu);
    fake_vmx_load_guest(cpu);
    fake_vmx_load_msrs(cpu);
    fake_vmx_enter_apic(cpu);
    cpu_settle(cpu, fake_vmx_event(cpu));
    fake_vmx_inject(cpu);
    if (!cpu->exited)
        (void)fake_vmx_check_tpr(cpu);
    cpu_run(cpu);
}

uint32_t x86_vmx_enter_impl(struct x86_regs *regs, bool launched)
{
    struct fake_x86 *cpu = fake_x86_current();

    cpu->regs = regs;
    cpu->exited = false;
    cpu->delivering = 0;
    cpu->vmx.efer = cpu->efer;
    clock_advance_ticks(FAKE_X86_OP_TICKS);
    switch (vmx_enter(&cpu->vmx, !launched)) {
    case VMX_SUCCEED: enter_guest(cpu); return X86_VMX_ENTERED;
    case VMX_EXIT: fake_vmx_leave(cpu); return X86_VMX_ENTERED;
    case VMX_FAIL_VALID: return X86_VMX_FAIL_VALID;
    default: return X86_VMX_FAIL_INVALID;
    }
}
