/* SPDX-License-Identifier: Apache-2.0 */
/* riscv64 with the hypervisor extension, for the simulator: see sim/arch.h. */
#include "sim/riscv64/arch.h"

#include <string.h>

#include "arch/riscv64/riscv.h"
#include "arch/riscv64/trace.h"
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/riscv64/insn.h"
#include "sim/spec.h"

static const struct fake_profile *profile(unsigned index)
{
    const struct fake_profile *base = &riscv_profiles[index].base;

    return base->name != NULL ? base : NULL;
}

static void reset(const struct fake_profile *base, uint32_t cpus)
{
    fake_riscv_reset(
        base != NULL ? container_of(base, struct riscv_profile, base) : NULL,
        cpus);
}

static err_t power_on(uint32_t cpus)
{
    return OK;
}

static void power_off(uint32_t cpus) {}

struct snapshot {
    struct riscv_cpu known[MAX_CPU_NUM];
    struct fake_riscv fake[];
};

static size_t snapshot_size(uint32_t cpus)
{
    return sizeof(struct snapshot) + cpus * sizeof(struct fake_riscv);
}

static void save(void *to, uint32_t cpus)
{
    struct snapshot *snapshot = to;

    memcpy(snapshot->known, riscv_cpus, sizeof(riscv_cpus));
    memcpy(snapshot->fake, fake_riscv_cpus, cpus * sizeof(struct fake_riscv));
}

/* The vector registers are large, and most processors have none. */
static void restore_cpu(struct fake_riscv *cpu, const struct fake_riscv *then)
{
    memcpy(cpu, then, offsetof(struct fake_riscv, vector));
    if ((cpu->profile->features & RISCV_FEATURE_V) != 0)
        cpu->vector = then->vector;
    tlb_reset(cpu);
    cpu->regs = then->regs;
    cpu->source = NULL;
    cpu->user = then->user;
    cpu->exited = then->exited;
}

static void restore(const void *from, uint32_t cpus)
{
    const struct snapshot *snapshot = from;

    memcpy(riscv_cpus, snapshot->known, cpus * sizeof(struct riscv_cpu));
    for (uint32_t cpu = 0; cpu < cpus; cpu++)
        restore_cpu(&fake_riscv_cpus[cpu], &snapshot->fake[cpu]);
}

static bool instruction(const struct vcpu *vcpu, char *text, size_t size)
{
    return riscv64_insn(&to_riscv_const(vcpu)->regs, text, size);
}

static bool format_value(const char *field, uint64_t value, char *text,
                         size_t size)
{
    if (strstr(field, "htinst") == NULL && strstr(field, "fetch") == NULL)
        return false;
    riscv64_format_insn((uint32_t)value, text, size);
    return true;
}

const struct sim_arch riscv64_sim_arch = {
    .name = "riscv64",
    .ops = &riscv_vcpu_ops,
    .trace = &riscv_trace_arch,
    .profile = profile,
    .reset = reset,
    .power_on = power_on,
    .power_off = power_off,
    .set_source = fake_riscv_set_source,
    .snapshot_size = snapshot_size,
    .save = save,
    .restore = restore,
    .instruction = instruction,
    .format_value = format_value,
    .seeds = &riscv64_seeds,
    .usual_vm = spec_usual_vm,
    .language = &riscv64_language,
    .bench = &riscv64_bench,
};
