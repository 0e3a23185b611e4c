/* SPDX-License-Identifier: Apache-2.0 */
/* x86_64 with SVM, for the simulator: see sim/arch.h. */
#include "sim/x86_64/arch.h"

#include <string.h>

#include "sim/fake_hw/x86_64/svm/cpu.h"

static const struct fake_profile *profile(unsigned index)
{
    const struct fake_profile *base = &x86_profiles[index].base;

    return base->name != NULL ? base : NULL;
}

static void reset(const struct fake_profile *base, uint32_t cpus)
{
    fake_svm_reset(base != NULL ? container_of(base, struct x86_profile, base)
                                : NULL,
                   cpus);
}

static size_t snapshot_size(uint32_t cpus)
{
    return cpus * sizeof(struct fake_svm);
}

static void save(void *to, uint32_t cpus)
{
    memcpy(to, fake_svm_cpus, snapshot_size(cpus));
}

/* All but the TLB, which is large. */
static void restore_cpu(struct fake_svm *cpu, const struct fake_svm *then)
{
    memcpy(cpu, then, offsetof(struct fake_svm, tlb));
    svm_tlb_flush_all(cpu);
    memcpy(&cpu->regs, &then->regs,
           sizeof(*cpu) - offsetof(struct fake_svm, regs));
    cpu->source = NULL;
}

static void restore(const void *from, uint32_t cpus)
{
    const struct fake_svm *then = from;

    for (uint32_t cpu = 0; cpu < cpus; cpu++)
        restore_cpu(&fake_svm_cpus[cpu], &then[cpu]);
}

static bool instruction(const struct vcpu *vcpu, char *text, size_t size)
{
    return false;
}

static bool format_value(const char *field, uint64_t value, char *text,
                         size_t size)
{
    return false;
}

/* Of hv/arch/x86_64. */
extern const struct vcpu_ops x86_svm_vcpu_ops __attribute__((weak));
extern const struct trace_arch x86_trace_arch __attribute__((weak));

const struct sim_arch x86_64_sim_arch = {
    .name = "x86_64",
    .ops = &x86_svm_vcpu_ops,
    .trace = &x86_trace_arch,
    .profile = profile,
    .reset = reset,
    .set_source = fake_svm_set_source,
    .snapshot_size = snapshot_size,
    .save = save,
    .restore = restore,
    .instruction = instruction,
    .format_value = format_value,
    .language = &x86_64_language,
};
