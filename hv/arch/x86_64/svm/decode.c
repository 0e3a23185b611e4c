/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From #VMEXIT to struct vm_exit: APM volume 2, chapter 15 and appendix C. No
 * effect but on the struct vm_exit; where the processor does not say how long
 * the instruction is, guest memory is read for it.
 *
 * What is intercepted, and why, is in vcpu.c. An exit code that our controls do
 * not allow is unknown, and stops the VM.
 */
#include "arch/x86_64/svm/svm.h"

typedef void (*decoder)(const struct svm_vcpu *v, struct vm_exit *exit);

static void decode_unknown(const struct svm_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_UNKNOWN;
    exit->unknown.reason = v->vmcb.control.exitcode;
}

/* NMIs, too: the host takes them as soon as it sets its global interrupt
 * flag. */
static void decode_external(const struct svm_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_EXTERNAL_INTERRUPT;
}

static void decode_window(const struct svm_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_INTERRUPT_WINDOW;
}

/* While the guest is stepped over an IRET, nmi.c sees to what that raises. */
static void decode_exception(const struct svm_vcpu *v, struct vm_exit *exit)
{
    if (v->step.on) {
        decode_window(v, exit);
        return;
    }
    exit->kind = EXIT_EXCEPTION;
    exit->exception.number =
        (uint32_t)(v->vmcb.control.exitcode - VMEXIT_EXCP0);
    exit->exception.value = v->vmcb.control.exitinfo1;
}

/* One that exits only then. */
static void decode_step(const struct svm_vcpu *v, struct vm_exit *exit)
{
    if (v->step.on)
        decode_window(v, exit);
    else
        decode_unknown(v, exit);
}

/* If the instruction is no longer there, the guest tries again. */
static NOINLINE void find_length(const struct svm_vcpu *v, struct vm_exit *exit)
{
    exit->insn_len = x86_insn_length((struct x86_vcpu *)&v->x86);
    if (unlikely(exit->insn_len == 0))
        exit->kind = EXIT_NOTHING;
}

/* The instruction's length. */
static void set_length(const struct svm_vcpu *v, struct vm_exit *exit)
{
    if (v->features & SVM_FEATURE_NRIPS)
        exit->insn_len = (uint8_t)(v->vmcb.control.nrip - v->vmcb.save.rip);
    else
        find_length(v, exit);
}

static void decode_cpuid(const struct svm_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_CPUID;
    set_length(v, exit);
}

static void decode_hlt(const struct svm_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_HALT;
    set_length(v, exit);
}

static void decode_msr(const struct svm_vcpu *v, struct vm_exit *exit)
{
    bool write = v->vmcb.control.exitinfo1 == MSR_EXIT_WRITE;

    exit->kind = write ? EXIT_SYSREG_WRITE : EXIT_SYSREG_READ;
    exit->sysreg.addr = (uint32_t)v->x86.regs.gpr[X86_GPR_RCX];
    exit->sysreg.value = write ? x86_edx_eax(&v->x86) : 0;
    set_length(v, exit);
}

static void set_instruction(struct vm_exit *exit, enum x86_intercepted number)
{
    exit->kind = EXIT_INSTRUCTION;
    exit->insn.number = number;
}

static void decode_invd(const struct svm_vcpu *v, struct vm_exit *exit)
{
    set_instruction(exit, X86_INTERCEPTED_CACHE);
    set_length(v, exit);
}

static void decode_wbinvd(const struct svm_vcpu *v, struct vm_exit *exit)
{
    set_instruction(exit, X86_INTERCEPTED_CACHE);
    set_length(v, exit);
}

static void decode_xsetbv(const struct svm_vcpu *v, struct vm_exit *exit)
{
    set_instruction(exit, X86_INTERCEPTED_XSETBV);
    set_length(v, exit);
}

static void decode_icebp(const struct svm_vcpu *v, struct vm_exit *exit)
{
    set_instruction(exit, X86_INTERCEPTED_ICEBP);
    set_length(v, exit);
}

/* Their exit codes are in the order of the numbers, reads before writes. */
static void decode_mov_cr(const struct svm_vcpu *v, struct vm_exit *exit)
{
    _Static_assert(VMEXIT_CR0_WRITE - VMEXIT_CR0_READ == X86_MOV_CR_WRITE, "");
    set_instruction(exit, X86_INTERCEPTED_MOV_CR);
    exit->insn.operand = v->vmcb.control.exitcode - VMEXIT_CR0_READ;
}

/* What the guest's processor does not have. */
static void decode_ud(const struct svm_vcpu *v, struct vm_exit *exit)
{
    set_instruction(exit, X86_INTERCEPTED_UD);
}

/* It has no counters. */
static void decode_rdpmc(const struct svm_vcpu *v, struct vm_exit *exit)
{
    set_instruction(exit, X86_INTERCEPTED_GP);
}

static void decode_vmmcall(const struct svm_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_HYPERCALL;
    exit->hypercall.nr = v->x86.regs.gpr[X86_GPR_RAX];
    set_length(v, exit);
}

/* The bits of EXITINFO1 from SZ8 on are the size. EXITINFO2 is the next RIP. */
static void decode_ioio(const struct svm_vcpu *v, struct vm_exit *exit)
{
    const struct vmcb_control *control = &v->vmcb.control;
    uint64_t info = control->exitinfo1;
    uint8_t width = (uint8_t)FIELD_GET(IOIO_SZ8 | IOIO_SZ16 | IOIO_SZ32, info);
    bool write = (info & IOIO_TYPE_IN) == 0;

    if (unlikely(width != 1 && width != 2 && width != 4)) {
        decode_unknown(v, exit);
        return;
    }
    if (unlikely((info & IOIO_STR) != 0)) {
        set_instruction(exit, X86_INTERCEPTED_STRING_IO);
        return;
    }
    exit->kind = write ? EXIT_IO_WRITE : EXIT_IO_READ;
    exit->access = (struct device_access){
        .address = FIELD_GET(IOIO_PORT, info),
        .width = width,
        .reg = X86_GPR_RAX,
        .reg_width = width,
        .insn_len = (uint8_t)(control->exitinfo2 - v->vmcb.save.rip),
        .write = write,
    };
    if (write)
        exit->access.data =
            zero_extend(v->x86.regs.gpr[X86_GPR_RAX], 8 * width);
}

static void decode_shutdown(const struct svm_vcpu *v, struct vm_exit *exit)
{
    x86_decode_shutdown(exit);
}

/* Exit codes below VMEXIT_NPF. */
static const decoder decoders[] = {
    [VMEXIT_CR0_READ + 8] = decode_mov_cr,
    [VMEXIT_CR0_WRITE + 4] = decode_mov_cr,
    [VMEXIT_CR0_WRITE + 8] = decode_mov_cr,
    [VMEXIT_EXCP0 + X86_VECTOR_DB] = decode_exception,
    [VMEXIT_EXCP0 + X86_VECTOR_TS] = decode_step,
    [VMEXIT_EXCP0 + X86_VECTOR_NP] = decode_step,
    [VMEXIT_EXCP0 + X86_VECTOR_SS] = decode_step,
    [VMEXIT_EXCP0 + X86_VECTOR_GP] = decode_step,
    [VMEXIT_EXCP0 + X86_VECTOR_PF] = decode_step,
    [VMEXIT_EXCP0 + X86_VECTOR_AC] = decode_exception,
    [VMEXIT_INTR] = decode_external,
    [VMEXIT_NMI] = decode_external,
    [VMEXIT_SMI] = decode_external,
    [VMEXIT_INIT] = decode_external,
    [VMEXIT_VINTR] = decode_window,
    [VMEXIT_RDPMC] = decode_rdpmc,
    [VMEXIT_CPUID] = decode_cpuid,
    [VMEXIT_IRET] = decode_window,
    [VMEXIT_INVD] = decode_invd,
    [VMEXIT_HLT] = decode_hlt,
    [VMEXIT_INVLPGA] = decode_ud,
    [VMEXIT_IOIO] = decode_ioio,
    [VMEXIT_MSR] = decode_msr,
    [VMEXIT_SHUTDOWN] = decode_shutdown,
    [VMEXIT_VMRUN] = decode_ud,
    [VMEXIT_VMMCALL] = decode_vmmcall,
    [VMEXIT_VMLOAD] = decode_ud,
    [VMEXIT_VMSAVE] = decode_ud,
    [VMEXIT_STGI] = decode_ud,
    [VMEXIT_CLGI] = decode_ud,
    [VMEXIT_SKINIT] = decode_ud,
    [VMEXIT_ICEBP] = decode_icebp,
    [VMEXIT_WBINVD] = decode_wbinvd,
    [VMEXIT_MONITOR] = decode_ud,
    [VMEXIT_MWAIT] = decode_ud,
    [VMEXIT_MWAIT_CONDITIONAL] = decode_ud,
    [VMEXIT_XSETBV] = decode_xsetbv,
    [VMEXIT_RDPRU] = decode_ud,
    [VMEXIT_INVLPGB] = decode_ud,
    [VMEXIT_INVLPGB_ILLEGAL] = decode_ud,
    [VMEXIT_MCOMMIT] = decode_ud,
    [VMEXIT_TLBSYNC] = decode_ud,
};

/* A walk of the guest's page tables writes A and D bits. */
static ALWAYS_INLINE void decode_npf(const struct svm_vcpu *v,
                                     struct vm_exit *exit)
{
    uint64_t error = v->vmcb.control.exitinfo1;

    exit->kind = EXIT_NESTED_PAGE_FAULT;
    exit->fault.gpa = gpa(v->vmcb.control.exitinfo2);
    exit->fault.gva = gva(0);
    if (error & X86_FAULT_RW)
        exit->fault.access = ACCESS_WRITE;
    else
        exit->fault.access =
            error & X86_FAULT_ID ? ACCESS_EXECUTE : ACCESS_READ;
}

/* VMEXIT_INVALID is -1; QEMU says so in 32 bits. */
static void decode_others(const struct svm_vcpu *v, struct vm_exit *exit)
{
    uint64_t code = v->vmcb.control.exitcode;

    if ((uint32_t)code != (uint32_t)VMEXIT_INVALID) {
        decode_unknown(v, exit);
        return;
    }
    exit->kind = EXIT_FAIL_ENTRY;
    exit->fail_entry.reason = code;
}

EXIT_PATH void svm_decode(const struct vcpu *vcpu, struct vm_exit *exit)
{
    const struct svm_vcpu *v = to_svm_const(vcpu);
    uint64_t code = v->vmcb.control.exitcode;

    exit->insn_len = 0;
    if (code == VMEXIT_NPF)
        decode_npf(v, exit);
    else if (unlikely(v->x86.wait != X86_RUNS))
        x86_decode_wait(&v->x86, exit);
    else if (likely(code < ARRAY_SIZE(decoders) && decoders[code] != NULL))
        decoders[code](v, exit);
    else
        decode_others(v, exit);
}
