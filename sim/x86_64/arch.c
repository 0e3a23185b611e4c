/* SPDX-License-Identifier: Apache-2.0 */
/* What x86_64's two architectures share in the simulator: see arch.h. */
#include "sim/x86_64/arch.h"

#include <string.h>

#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/vmx/vmx.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/put_back.h"

/* What of a save area is not reserved. */
#define SAVE_USED offsetof(struct vmcb_save, reserved_298)

/* Of both vendors, though one of them is in use. */
struct snapshot {
    struct svm_cpu svm[MAX_CPU_NUM];
    struct vmx_cpu vmx[MAX_CPU_NUM];
    struct fake_x86 fake[];
};

size_t x86_64_snapshot_size(uint32_t cpus)
{
    return sizeof(struct snapshot) + cpus * sizeof(struct fake_x86);
}

void x86_64_save(void *to, uint32_t cpus)
{
    struct snapshot *snapshot = to;

    memcpy(snapshot->svm, svm_cpus, sizeof(svm_cpus));
    memcpy(snapshot->vmx, vmx_cpus, sizeof(vmx_cpus));
    memcpy(snapshot->fake, fake_x86_cpus, cpus * sizeof(struct fake_x86));
}

/* Members `first` to `last`, that one left out. */
#define RESTORE(cpu, then, first, last)        \
    put_back(&(cpu)->first, &(then)->first,    \
             offsetof(struct fake_x86, last) - \
                 offsetof(struct fake_x86, first))

/* All but what is large and not in use: of save areas what is reserved, what
 * VMX keeps of VMCSs that are not active, and what the TLB remembers. */
static void restore_cpu(struct fake_x86 *cpu, const struct fake_x86 *then)
{
    RESTORE(cpu, then, profile, loaded);
    put_back(&cpu->loaded, &then->loaded, SAVE_USED);
    RESTORE(cpu, then, fpu, state);
    put_back(&cpu->state, &then->state, SAVE_USED);
    RESTORE(cpu, then, shadow, vmx);
    if (cpu->vendor == &vmx_fake_vendor)
        vmx_restore(&cpu->vmx, &then->vmx);
    RESTORE(cpu, then, vmx_guest, tlb);
    cpu_tlb_flush_all(cpu);
    put_back(&cpu->regs, &then->regs,
             sizeof(*cpu) - offsetof(struct fake_x86, regs));
    cpu->source = NULL;
}

void x86_64_restore(const void *from, uint32_t cpus)
{
    const struct snapshot *snapshot = from;

    put_back(svm_cpus, snapshot->svm, cpus * sizeof(struct svm_cpu));
    put_back(vmx_cpus, snapshot->vmx, cpus * sizeof(struct vmx_cpu));
    for (uint32_t cpu = 0; cpu < cpus; cpu++)
        restore_cpu(&fake_x86_cpus[cpu], &snapshot->fake[cpu]);
}

bool x86_64_format_value(const char *field, uint64_t value, char *text,
                         size_t size)
{
    return false;
}
