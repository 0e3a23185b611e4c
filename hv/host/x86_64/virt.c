/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor's virtualization: which one it has, and switching it on. This
 * is the one place where the host goes by the vendor. SVM: AMD APM volume 2,
 * sections 15.4 and 15.30. VMX: Intel SDM volume 3, sections 24.6 to 24.8.
 */
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/svm/trace.h"
#include "arch/x86_64/vmx/capability.h"
#include "arch/x86_64/vmx/trace.h"
#include "arch/x86_64/vmx/vmx.h"
#include "host/x86_64/processor.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "lib/string.h"

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
    msr_write(X86_MSR_VM_HSAVE_PA, (uint64_t)(uintptr_t)cpu->virt_page);
    __asm__ volatile("vmsave %%rax" : : "a"(&cpu->host_state) : "memory");
}

static bool has_vmx(void)
{
    return (cpuid(X86_CPUID_FEATURES, 0).ecx & X86_CPUID_ECX_VMX) != 0;
}

/* Firmware that leaves the MSR unlocked leaves the choice to us. */
static void vmx_enable(void)
{
    uint64_t features = msr_read(X86_MSR_FEATURE_CONTROL);

    if ((features & VMX_FEATURE_LOCK) == 0) {
        features |= VMX_FEATURE_LOCK | VMX_FEATURE_OUTSIDE_SMX;
        msr_write(X86_MSR_FEATURE_CONTROL, features);
    }
    if ((features & VMX_FEATURE_OUTSIDE_SMX) == 0)
        host_refuse("the firmware has disabled VMX: look in its setup");
}

static void vmxon(struct x86_host_cpu *cpu, uint32_t revision)
{
    uint64_t region = (uint64_t)(uintptr_t)cpu->virt_page;
    bool failed;

    memcpy(cpu->virt_page, &revision, sizeof(revision));
    __asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region) : "memory");
    CHECK(!failed);
}

static void vmx_init_cpu(struct x86_host_cpu *cpu)
{
    struct vmx_capability capability;
    struct vmx_controls controls;
    char refusal[VMX_REFUSAL_SIZE];

    vmx_enable();
    vmx_read_capability(&capability, msr_read);
    if (!vmx_choose_controls(&capability, &controls, refusal))
        host_refuse("%s", refusal);
    cr0_write((cr0_read() | capability.cr0_fixed0) & capability.cr0_fixed1);
    cr4_write((cr4_read() | capability.cr4_fixed0) & capability.cr4_fixed1);
    vmxon(cpu, controls.revision);
}

static const struct vendor {
    bool (*is_there)(void);
    void (*init_cpu)(struct x86_host_cpu *cpu);
    const struct vcpu_ops *ops;
    const struct trace_arch *trace;
} vendors[] = {
    {has_svm, svm_init_cpu, &x86_svm_vcpu_ops, &x86_svm_trace_arch},
    {has_vmx, vmx_init_cpu, &x86_vmx_vcpu_ops, &x86_vmx_trace_arch},
};

/* A machine's CPUs are of one vendor. */
static const struct vendor *vendor(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(vendors); i++) {
        if (vendors[i].is_there())
            return &vendors[i];
    }
    host_refuse("this processor has no SVM and no VMX; under QEMU, use "
                "-cpu max,+svm,+npt");
}

const struct vcpu_ops *machine_vcpu_ops(void)
{
    return vendor()->ops;
}

const struct trace_arch *machine_trace_arch(void)
{
    return vendor()->trace;
}

void virt_init_cpu(struct x86_host_cpu *cpu)
{
    vendor()->init_cpu(cpu);
    hw_add_cpu();
}
