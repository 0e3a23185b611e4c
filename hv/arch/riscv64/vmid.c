/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMIDs, which tell the translations of one vCPU from another's in a CPU's
 * TLB. Privileged Architecture 1.12, "Hypervisor Guest Address Translation
 * and Protection Register".
 *
 * Each CPU gives out VMIDs of its own, so no CPU ever waits for another: a
 * vCPU that comes to a CPU gets a number that nobody has used there in the
 * CPU's current generation. What it left behind on the CPU it came from is
 * never matched again before that CPU's numbers are used up; then the CPU
 * drops everything and starts a new generation. So a vCPU that moves needs no
 * fence but that one, and a processor without VMID bits, where 0 is the only
 * number, is the case of a generation per change of vCPU.
 */
#include "arch/riscv64/riscv.h"
#include "lib/string.h"

/* Zero is a state as good as any: see riscv_assign_vmid(). */
struct riscv_cpu riscv_cpus[MAX_CPU_NUM];

void riscv_reset_machine(void)
{
    memset(riscv_cpus, 0, sizeof(riscv_cpus));
}

/* VMID 0 is left to the time in which no guest was bound, if there is
 * another one. */
static void start_generation(struct riscv_cpu *cpu, unsigned vmid_bits)
{
    cpu->generation++;
    cpu->next_vmid = vmid_bits == 0 ? 0 : 1;
    riscv_hw_hfence_gvma_all();
}

bool riscv_assign_vmid(struct riscv_vcpu *v, uint32_t number)
{
    struct riscv_cpu *cpu = &riscv_cpus[number];

    if (v->vmid_cpu == number && v->vmid_generation == cpu->generation)
        return false;
    if (cpu->generation == 0 || cpu->next_vmid >> v->vmid_bits != 0)
        start_generation(cpu, v->vmid_bits);
    v->vmid = cpu->next_vmid++;
    v->vmid_cpu = (uint8_t)number;
    v->vmid_generation = cpu->generation;
    return true;
}
