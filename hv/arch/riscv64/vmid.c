/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMIDs (vcpu/tag.h): Privileged Architecture 1.12, "Hypervisor Guest Address
 * Translation and Protection Register". A vCPU that moves needs no fence but
 * that of a new generation.
 */
#include "arch/riscv64/riscv.h"
#include "lib/string.h"

/* Zero is a state as good as any: see riscv_assign_vmid(). */
struct riscv_cpu riscv_cpus[MAX_CPU_NUM];

void riscv_reset_machine(void)
{
    memset(riscv_cpus, 0, sizeof(riscv_cpus));
}

bool riscv_assign_vmid(struct riscv_vcpu *v, uint32_t number)
{
    struct riscv_cpu *cpu = &riscv_cpus[number];

    if (tag_is_valid(&v->vmid, &cpu->vmids, number))
        return false;
    if (tag_take(&v->vmid, &cpu->vmids, number, UINT32_C(1) << v->vmid_bits))
        riscv_hw_hfence_gvma_all();
    return true;
}
