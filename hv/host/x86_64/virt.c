/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor's virtualization: which one it has, and switching it on. This
 * is the one place where the host goes by the vendor. SVM: AMD APM volume 2,
 * sections 15.4 and 15.30.
 */
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/svm/trace.h"
#include "host/x86_64/processor.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"

const struct vcpu_ops *const machine_vcpu_ops = &x86_svm_vcpu_ops;
const struct trace_arch *const machine_trace_arch = &x86_svm_trace_arch;

static bool has_svm(void)
{
    return cpuid(X86_CPUID_EXT_MAX, 0).eax >= X86_CPUID_SVM &&
           (cpuid(X86_CPUID_EXT_FEATURES, 0).ecx & X86_CPUID_EXT_ECX_SVM) != 0;
}

static void svm_init_cpu(struct x86_host_cpu *cpu)
{
    if ((cpuid(X86_CPUID_SVM, 0).edx & SVM_FEATURE_NP) == 0)
        host_refuse("this processor's SVM has no nested paging; under QEMU, "
                    "use -cpu max,+svm,+npt");
    if ((msr_read(X86_MSR_VM_CR) & X86_VM_CR_SVMDIS) != 0)
        host_refuse("the firmware has disabled SVM: look in its setup");
    msr_write(X86_MSR_EFER, msr_read(X86_MSR_EFER) | X86_EFER_SVME);
    msr_write(X86_MSR_VM_HSAVE_PA, (uint64_t)(uintptr_t)cpu->vm_hsave);
    __asm__ volatile("vmsave %%rax" : : "a"(&cpu->host_state) : "memory");
}

void virt_init_cpu(struct x86_host_cpu *cpu)
{
    if (has_svm())
        svm_init_cpu(cpu);
    else
        host_refuse("this processor has no SVM; under QEMU, use "
                    "-cpu max,+svm,+npt");
    hw_add_cpu();
}
