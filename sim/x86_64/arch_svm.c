/* SPDX-License-Identifier: Apache-2.0 */
/* x86_64 with SVM, for the simulator: see sim/arch.h. */
#include "sim/x86_64/arch.h"

#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/svm/trace.h"
#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/x86_64/insn.h"

static const struct fake_profile *profile(unsigned index)
{
    const struct fake_profile *base = &x86_profiles[index].base;

    return base->name != NULL ? base : NULL;
}

static void reset(const struct fake_profile *base, uint32_t cpus)
{
    fake_x86_reset(base != NULL ? container_of(base, struct x86_profile, base)
                                : NULL,
                   cpus);
}

/* SVM is on, and each CPU has a page to leave the host's state in. */
static err_t power_on(uint32_t cpus)
{
    for (uint32_t i = 0; i < cpus; i++) {
        struct fake_x86 *cpu = &fake_x86_cpus[i];
        hpa_t page = memory_alloc_frame_impl();

        if (hpa_is_none(page))
            return ERR_NO_MEMORY;
        cpu->svm.vm_hsave_pa = page.raw;
        cpu->efer |= X86_EFER_SVME;
    }
    return OK;
}

static void power_off(uint32_t cpus)
{
    for (uint32_t i = 0; i < cpus; i++) {
        if (fake_x86_cpus[i].svm.vm_hsave_pa != 0)
            memory_free_frame_impl(hpa(fake_x86_cpus[i].svm.vm_hsave_pa));
        fake_x86_cpus[i].svm.vm_hsave_pa = 0;
    }
}

/* Where a processor does not say how long an instruction is, guest memory would
 * be looked at. */
static void init_scratch(struct vcpu *vcpu)
{
    to_svm(vcpu)->features = SVM_FEATURE_NRIPS;
}

static bool instruction(const struct vcpu *vcpu, char *text, size_t size)
{
    return x86_64_insn(&to_svm_const(vcpu)->vmcb, text, size);
}

const struct sim_arch x86_64_sim_arch = {
    X86_64_SIM_ARCH,
    .name = "x86_64",
    .ops = &x86_svm_vcpu_ops,
    .trace = &x86_svm_trace_arch,
    .profile = profile,
    .reset = reset,
    .power_on = power_on,
    .power_off = power_off,
    .init_scratch = init_scratch,
    .instruction = instruction,
    .seeds = &x86_64_seeds,
    .language = &x86_64_language,
};
