/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From VM exit to struct vm_exit: SDM volume 3, chapter 28 and appendix C.
 * Pure.
 *
 * What exits, and why, is in vcpu.c. Reasons that our controls do not allow are
 * not in the table: they are unknown, and stop the VM. Each of them needs a
 * control that controls.c does not ask for (INVLPG, RDTSC, RDTSCP, MOV DR,
 * PAUSE, descriptor tables, RDRAND, RDSEED, MTF, PML, XSAVES, PCONFIG and what
 * follows), the dual-monitor treatment (SMIs, RSM), or an activity state that
 * no guest is put into (SIPI).
 */
#include "arch/x86_64/vmx/vmx.h"

typedef void (*decoder)(const struct vmx_vcpu *v, struct vm_exit *exit);

static void decode_unknown(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_UNKNOWN;
    exit->unknown.reason = v->exit.reason;
}

static void set_instruction(const struct vmx_vcpu *v, struct vm_exit *exit,
                            enum x86_intercepted number)
{
    exit->kind = EXIT_INSTRUCTION;
    exit->insn.number = number;
    exit->insn_len = (uint8_t)v->exit.length;
}

/* The host has been given it (vmx_take_interruption()). An INIT of the machine
 * is nobody's: CPUs in VMX operation hold it back until they leave guests. */
static void decode_external(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_EXTERNAL_INTERRUPT;
}

static void decode_timer(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_PREEMPTION_TIMER;
}

static void decode_window(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_INTERRUPT_WINDOW;
}

/* #MC is no guest's. */
static void decode_exception(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    uint64_t info = v->exit.interruption;
    uint32_t vector = (uint32_t)FIELD_GET(VMX_EVENT_VECTOR, info);

    switch ((enum vmx_event_type)FIELD_GET(VMX_EVENT_TYPE, info)) {
    case VMX_EVENT_NMI: decode_external(v, exit); return;
    case VMX_EVENT_PRIVILEGED_EXCEPTION:
        set_instruction(v, exit, X86_INTERCEPTED_ICEBP);
        return;
    default: break;
    }
    if (vector != X86_VECTOR_DB && vector != X86_VECTOR_AC) {
        decode_unknown(v, exit);
        return;
    }
    exit->kind = EXIT_EXCEPTION;
    exit->exception.number = vector;
    exit->exception.value =
        (info & VMX_EVENT_ERROR_CODE) != 0 ? v->exit.error_code : 0;
}

static void decode_triple_fault(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    x86_decode_shutdown(exit);
}

static ALWAYS_INLINE void decode_cpuid(const struct vmx_vcpu *v,
                                       struct vm_exit *exit)
{
    exit->kind = EXIT_CPUID;
    exit->insn_len = (uint8_t)v->exit.length;
}

static void decode_hlt(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_HALT;
    exit->insn_len = (uint8_t)v->exit.length;
}

static ALWAYS_INLINE void decode_vmcall(const struct vmx_vcpu *v,
                                        struct vm_exit *exit)
{
    exit->kind = EXIT_HYPERCALL;
    exit->hypercall.nr = v->x86.regs.gpr[X86_GPR_RAX];
    exit->insn_len = (uint8_t)v->exit.length;
}

static void decode_rdmsr(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_SYSREG_READ;
    exit->sysreg.addr = (uint32_t)v->x86.regs.gpr[X86_GPR_RCX];
    exit->sysreg.value = 0;
    exit->insn_len = (uint8_t)v->exit.length;
}

static void decode_wrmsr(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_SYSREG_WRITE;
    exit->sysreg.addr = (uint32_t)v->x86.regs.gpr[X86_GPR_RCX];
    exit->sysreg.value = x86_edx_eax(&v->x86);
    exit->insn_len = (uint8_t)v->exit.length;
}

static void decode_cache(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    set_instruction(v, exit, X86_INTERCEPTED_CACHE);
}

static void decode_xsetbv(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    set_instruction(v, exit, X86_INTERCEPTED_XSETBV);
}

/* What the guest's processor does not have. */
static void decode_ud(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    set_instruction(v, exit, X86_INTERCEPTED_UD);
}

/* It has no counters. */
static void decode_rdpmc(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    set_instruction(v, exit, X86_INTERCEPTED_GP);
}

/* MOV to CR0, CR4 and CR8, from CR8. CLTS and LMSW change no bit that the guest
 * does not own. */
static void decode_cr_access(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    uint64_t info = v->exit.qualification;
    uint64_t type = FIELD_GET(VMX_CR_TYPE, info);

    if (unlikely(type != VMX_CR_TO && type != VMX_CR_FROM)) {
        decode_unknown(v, exit);
        return;
    }
    set_instruction(v, exit, X86_INTERCEPTED_MOV_CR);
    exit->insn.operand =
        FIELD_GET(VMX_CR_NUMBER, info) | X86_MOV_CR_DECODED |
        FIELD_PUT(X86_MOV_CR_GPR, FIELD_GET(VMX_CR_GPR, info)) |
        (type == VMX_CR_TO ? X86_MOV_CR_WRITE : 0u);
}

static ALWAYS_INLINE void decode_io(const struct vmx_vcpu *v,
                                    struct vm_exit *exit)
{
    uint64_t info = v->exit.qualification;
    uint8_t width = (uint8_t)(FIELD_GET(VMX_IO_SIZE, info) + 1);
    bool write = (info & VMX_IO_IN) == 0;

    if (unlikely(width != 1 && width != 2 && width != 4)) {
        decode_unknown(v, exit);
        return;
    }
    if (unlikely((info & VMX_IO_STRING) != 0)) {
        set_instruction(v, exit, X86_INTERCEPTED_STRING_IO);
        return;
    }
    exit->kind = write ? EXIT_IO_WRITE : EXIT_IO_READ;
    exit->access = (struct device_access){
        .address = FIELD_GET(VMX_IO_PORT, info),
        .width = width,
        .reg = X86_GPR_RAX,
        .reg_width = width,
        .insn_len = (uint8_t)v->exit.length,
        .write = write,
    };
    if (write)
        exit->access.data =
            zero_extend(v->x86.regs.gpr[X86_GPR_RAX], 8 * width);
}

/* Sources are numbered as the manual does. */
static void decode_task_switch(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    uint64_t info = v->exit.qualification;

    set_instruction(v, exit, X86_INTERCEPTED_TASK_SWITCH);
    exit->insn.operand =
        FIELD_PUT(X86_TASK_SELECTOR, FIELD_GET(VMX_TASK_SELECTOR, info)) |
        FIELD_PUT(X86_TASK_SOURCE, FIELD_GET(VMX_TASK_SOURCE, info));
}

/* The page of the local APIC: as an access to any device that no memory is
 * mapped at. */
static void decode_apic_access(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    uint64_t info = v->exit.qualification;

    exit->kind = EXIT_NESTED_PAGE_FAULT;
    exit->fault.gpa = gpa(APIC_PAGE + FIELD_GET(VMX_APIC_OFFSET, info));
    exit->fault.gva = gva(0);
    switch (FIELD_GET(VMX_APIC_TYPE, info)) {
    case VMX_APIC_WRITE: exit->fault.access = ACCESS_WRITE; break;
    case VMX_APIC_FETCH: exit->fault.access = ACCESS_EXECUTE; break;
    default: exit->fault.access = ACCESS_READ; break;
    }
}

/* The instruction is complete. */
static void decode_apic_write(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_INSTRUCTION;
    exit->insn.number = X86_INTERCEPTED_APIC_WRITE;
    exit->insn.operand = FIELD_GET(VMX_APIC_OFFSET, v->exit.qualification);
}

static void decode_virtualized_eoi(const struct vmx_vcpu *v,
                                   struct vm_exit *exit)
{
    exit->kind = EXIT_INSTRUCTION;
    exit->insn.number = X86_INTERCEPTED_APIC_EOI;
    exit->insn.operand = FIELD_GET(VMX_EOI_VECTOR, v->exit.qualification);
}

static void decode_entry_failure(const struct vmx_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_FAIL_ENTRY;
    exit->fail_entry.reason = v->exit.reason;
}

static const decoder decoders[] = {
    [VMX_REASON_EXCEPTION_NMI] = decode_exception,
    [VMX_REASON_EXTERNAL_INTERRUPT] = decode_external,
    [VMX_REASON_TRIPLE_FAULT] = decode_triple_fault,
    [VMX_REASON_INIT] = decode_external,
    [VMX_REASON_INTERRUPT_WINDOW] = decode_window,
    [VMX_REASON_NMI_WINDOW] = decode_window,
    [VMX_REASON_TASK_SWITCH] = decode_task_switch,
    [VMX_REASON_GETSEC] = decode_ud,
    [VMX_REASON_HLT] = decode_hlt,
    [VMX_REASON_INVD] = decode_cache,
    [VMX_REASON_RDPMC] = decode_rdpmc,
    [VMX_REASON_VMCLEAR] = decode_ud,
    [VMX_REASON_VMLAUNCH] = decode_ud,
    [VMX_REASON_VMPTRLD] = decode_ud,
    [VMX_REASON_VMPTRST] = decode_ud,
    [VMX_REASON_VMREAD] = decode_ud,
    [VMX_REASON_VMRESUME] = decode_ud,
    [VMX_REASON_VMWRITE] = decode_ud,
    [VMX_REASON_VMXOFF] = decode_ud,
    [VMX_REASON_VMXON] = decode_ud,
    [VMX_REASON_CR_ACCESS] = decode_cr_access,
    [VMX_REASON_RDMSR] = decode_rdmsr,
    [VMX_REASON_WRMSR] = decode_wrmsr,
    [VMX_REASON_MWAIT] = decode_ud,
    [VMX_REASON_MONITOR] = decode_ud,
    [VMX_REASON_TPR_BELOW_THRESHOLD] = decode_window,
    [VMX_REASON_APIC_ACCESS] = decode_apic_access,
    [VMX_REASON_VIRTUALIZED_EOI] = decode_virtualized_eoi,
    [VMX_REASON_INVEPT] = decode_ud,
    [VMX_REASON_PREEMPTION_TIMER] = decode_timer,
    [VMX_REASON_INVVPID] = decode_ud,
    [VMX_REASON_WBINVD] = decode_cache,
    [VMX_REASON_XSETBV] = decode_xsetbv,
    [VMX_REASON_APIC_WRITE] = decode_apic_write,
    [VMX_REASON_VMFUNC] = decode_ud,
    [VMX_REASON_ENCLS] = decode_ud,
    [VMX_REASON_ENCLV] = decode_ud,
    [VMX_REASON_SEAMCALL] = decode_ud,
    [VMX_REASON_TDCALL] = decode_ud,
};

/* The guest's page walk asks for reads, and for reads and writes at once where
 * it sets A and D bits. */
static ALWAYS_INLINE void decode_ept_violation(const struct vmx_vcpu *v,
                                               struct vm_exit *exit)
{
    uint64_t info = v->exit.qualification;

    exit->kind = EXIT_NESTED_PAGE_FAULT;
    exit->fault.gpa = gpa(v->exit.guest_physical);
    exit->fault.gva = gva(0);
    if (info & VMX_EPT_WRITE)
        exit->fault.access = ACCESS_WRITE;
    else
        exit->fault.access =
            info & VMX_EPT_FETCH ? ACCESS_EXECUTE : ACCESS_READ;
}

static NOINLINE struct vm_exit decode_rarely(const struct vmx_vcpu *v)
{
    const uint64_t failed = VMX_ENTRY_REFUSED | VMX_REASON_ENTRY_FAILURE;
    uint64_t reason = v->exit.reason;
    struct vm_exit exit = {0};

    if (v->x86.wait != X86_RUNS)
        x86_decode_wait(&v->x86, &exit);
    else if (reason < ARRAY_SIZE(decoders) && decoders[reason] != NULL)
        decoders[reason](v, &exit);
    else if ((reason & failed) != 0)
        decode_entry_failure(v, &exit);
    else
        decode_unknown(v, &exit);
    return exit;
}

/* What is frequent is decoded here, where the compiler can join it with its
 * handling; so the rest gets no pointer to `exit`. */
EXIT_PATH void vmx_decode(const struct vcpu *vcpu, struct vm_exit *exit)
{
    const struct vmx_vcpu *v = to_vmx_const(vcpu);

    exit->insn_len = 0;
    switch (v->exit.reason) {
    case VMX_REASON_EPT_VIOLATION: decode_ept_violation(v, exit); break;
    case VMX_REASON_IO_INSTRUCTION: decode_io(v, exit); break;
    case VMX_REASON_CPUID: decode_cpuid(v, exit); break;
    case VMX_REASON_VMCALL: decode_vmcall(v, exit); break;
    default: *exit = decode_rarely(v); break;
    }
}
