/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the hardware seam that are VMX's, on the hardware itself: Intel
 * SDM volume 3, chapters 24 to 31.
 *
 * The host-state area gives back all that the host uses, by a VM exit: its
 * segments, TR included, descriptor tables, control registers. It sets the
 * limits of GDTR and IDTR to 0xffff, beyond what is there; nothing of the host
 * uses more than is there.
 */
#include "arch/x86_64/hw.h"
#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/vmcs.h"
#include "host/x86_64/processor.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/check.h"

/* A VMX instruction, which says by CF or ZF that it has failed: only a mistake
 * of the hypervisor makes it. */
#define VMX_INSN(text, ...)                                                 \
    do {                                                                    \
        bool failed;                                                        \
                                                                            \
        __asm__ volatile(text : "=@ccbe"(failed) : __VA_ARGS__ : "memory"); \
        CHECK(!failed);                                                     \
    } while (0)

void x86_vmx_vmclear_impl(hpa_t vmcs)
{
    VMX_INSN("vmclear %1", "m"(vmcs.raw));
}

void x86_vmx_vmptrld_impl(hpa_t vmcs)
{
    VMX_INSN("vmptrld %1", "m"(vmcs.raw));
}

EXIT_PATH uint64_t x86_vmx_get_impl(uint32_t field)
{
    uint64_t value;

    __asm__ volatile("vmread %1, %0"
                     : "=r"(value)
                     : "r"((uint64_t)field)
                     : "cc", "memory");
    return value;
}

EXIT_PATH void x86_vmx_put_impl(uint32_t field, uint64_t value)
{
    __asm__ volatile("vmwrite %1, %0"
                     :
                     : "r"((uint64_t)field), "r"(value)
                     : "cc", "memory");
}

uint64_t x86_vmx_vmread_impl(uint32_t field)
{
    uint64_t value;
    bool failed;

    __asm__ volatile("vmread %2, %1"
                     : "=@ccbe"(failed), "=r"(value)
                     : "r"((uint64_t)field)
                     : "memory");
    CHECK(!failed);
    return value;
}

void x86_vmx_vmwrite_impl(uint32_t field, uint64_t value)
{
    VMX_INSN("vmwrite %2, %1", "r"((uint64_t)field), "r"(value));
}

/* vmx.S */
extern const char x86_vmx_exit[];

void x86_vmx_set_host_state_impl(void)
{
    const struct x86_host_cpu *cpu = x86_this_host_cpu();
    const struct {
        uint32_t field;
        uint64_t value;
    } state[] = {
        {VMCS_HOST_CR0, cr0_read()},
        {VMCS_HOST_CR3, cr3_read()},
        {VMCS_HOST_CR4, cr4_read()},
        {VMCS_HOST_ES_SELECTOR, SELECTOR_DATA},
        {VMCS_HOST_CS_SELECTOR, SELECTOR_CODE},
        {VMCS_HOST_SS_SELECTOR, SELECTOR_DATA},
        {VMCS_HOST_DS_SELECTOR, SELECTOR_DATA},
        {VMCS_HOST_FS_SELECTOR, 0},
        {VMCS_HOST_GS_SELECTOR, 0},
        {VMCS_HOST_TR_SELECTOR, SELECTOR_TSS},
        {VMCS_HOST_FS_BASE, 0},
        {VMCS_HOST_GS_BASE, 0},
        {VMCS_HOST_TR_BASE, (uint64_t)(uintptr_t)&cpu->tss},
        {VMCS_HOST_GDTR_BASE, (uint64_t)(uintptr_t)cpu->gdt},
        {VMCS_HOST_IDTR_BASE, idt_base()},
        {VMCS_HOST_IA32_SYSENTER_CS, 0},
        {VMCS_HOST_IA32_SYSENTER_ESP, 0},
        {VMCS_HOST_IA32_SYSENTER_EIP, 0},
        {VMCS_HOST_IA32_EFER, msr_read(X86_MSR_EFER)},
        {VMCS_HOST_IA32_PAT, msr_read(X86_MSR_PAT)},
        {VMCS_HOST_RIP, (uint64_t)(uintptr_t)x86_vmx_exit},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(state); i++)
        x86_vmx_vmwrite_impl(state[i].field, state[i].value);
}

EXIT_PATH uint32_t x86_vmx_enter_impl(struct x86_regs *regs, bool launched)
{
    uint64_t rcx = launched, rdx = VMCS_HOST_RSP;
    bool failed, invalid;

    __asm__ volatile("call x86_vmx_switch"
                     : "=@ccbe"(failed), "=@ccc"(invalid), "+a"(regs),
                       "+c"(rcx), "+d"(rdx)
                     :
                     : "rbx", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
                       "r12", "r13", "r14", "r15", "memory");
    if (likely(!failed))
        return X86_VMX_ENTERED;
    return invalid ? X86_VMX_FAIL_INVALID : X86_VMX_FAIL_VALID;
}

/* The NMI that has ended the guest blocks others until an IRET: that of this
 * one's handler. */
void x86_vmx_host_event_impl(uint32_t info)
{
    if (FIELD_GET(VMX_EVENT_TYPE, info) == VMX_EVENT_NMI)
        __asm__ volatile("int $2" : : : "memory");
    else
        x86_take_interrupt(FIELD_GET(VMX_EVENT_VECTOR, info));
}

void x86_vmx_load_state_impl(const struct x86_vmx_state *state)
{
    cr2_write(state->cr2);
    dr6_write(state->dr6);
    msr_write(X86_MSR_STAR, state->star);
    msr_write(X86_MSR_LSTAR, state->lstar);
    msr_write(X86_MSR_CSTAR, state->cstar);
    msr_write(X86_MSR_SFMASK, state->sfmask);
    msr_write(X86_MSR_KERNEL_GS_BASE, state->kernel_gs_base);
}

void x86_vmx_save_state_impl(struct x86_vmx_state *state)
{
    state->cr2 = cr2_read();
    state->dr6 = dr6_read();
    state->star = msr_read(X86_MSR_STAR);
    state->lstar = msr_read(X86_MSR_LSTAR);
    state->cstar = msr_read(X86_MSR_CSTAR);
    state->sfmask = msr_read(X86_MSR_SFMASK);
    state->kernel_gs_base = msr_read(X86_MSR_KERNEL_GS_BASE);
}

/* SDM volume 3, chapter 31: the descriptor of INVEPT, and of INVVPID. */
struct descriptor {
    uint64_t low, high;
};

void x86_vmx_invept_impl(uint64_t type, uint64_t eptp)
{
    const struct descriptor descriptor = {eptp, 0};

    VMX_INSN("invept %1, %2", "m"(descriptor), "r"(type));
}

void x86_vmx_invvpid_impl(uint64_t type, uint16_t vpid, uint64_t address)
{
    const struct descriptor descriptor = {vpid, address};

    VMX_INSN("invvpid %1, %2", "m"(descriptor), "r"(type));
}

uint64_t x86_vmx_read_apic_impl(const uint32_t *page, uint32_t offset)
{
    return __atomic_load_n(&page[offset / sizeof(*page)], __ATOMIC_RELAXED);
}
