/* SPDX-License-Identifier: Apache-2.0 */
/* The test of resets, on x86_64 with SVM and with VMX: see reset.h. */
#include <string.h>

#include "arch/x86_64/regs.h"
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/vmx/vmx.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/reset.h"
#include "sim/x86_64/arch.h"

/* What a processor does not look at: copies of VMCSs that are not active; and
 * what it only compares, to see whether it must look. */
static void drop_unused(struct fake_vmx *vmx)
{
    memset(vmx->legal, 0, sizeof(vmx->legal));
    for (unsigned i = 0; i < VMX_ACTIVE; i++) {
        if (vmx->active[i].address == 0)
            memset(&vmx->active[i], 0, sizeof(vmx->active[i]));
    }
}

/* Where operations come from is the machine's. */
static void put_cpu(struct image *image, uint32_t index)
{
    static struct fake_x86 cpu;

    memcpy(&cpu, &fake_x86_cpus[index], sizeof(cpu));
    cpu.source = NULL;
    drop_unused(&cpu.vmx);
    put(image, &cpu, offsetof(struct fake_x86, tlb));
    put(image, &cpu.regs, sizeof(cpu) - offsetof(struct fake_x86, regs));
    put(image, &svm_cpus[index], sizeof(svm_cpus[index]));
    put(image, &vmx_cpus[index], sizeof(vmx_cpus[index]));
}

#define LAPIC  UINT64_C(0xfee00000)
#define IOAPIC UINT64_C(0xfec00000)

static uint64_t draw_address(void)
{
    static const uint64_t bases[] = {SPEC_MEMORY, SPEC_UART,     LAPIC, IOAPIC,
                                     SPEC_VIRTIO, SPEC_FINISHER, 0};

    return bases[draw(ARRAY_SIZE(bases))] + (draw(0x2000) & ~7u);
}

/* The first vCPU's start-up of the second is among them. */
static struct guest_op draw_op(void)
{
    static const uint16_t ports[] = {0x20, 0x40, 0x43,   0x70,
                                     0x71, 0x64, 0xb004, 0xcf9};
    static const uint32_t msrs[] = {X86_MSR_TSC, X86_MSR_EFER, X86_MSR_PAT,
                                    X86_MSR_FS_BASE};
    static const uint8_t kinds[] = {
        OP_LOAD,       OP_STORE,     OP_STORE,        OP_STORE,
        OP_X86_OUT,    OP_X86_OUT,   OP_X86_IN,       OP_X86_HLT,
        OP_X86_CPUID,  OP_X86_WRMSR, OP_X86_WRITE_DR, OP_X86_WRITE_CR,
        OP_X86_XSETBV, OP_X86_STI,   OP_DELAY,        OP_FP,
        OP_X86_INT3,   OP_SET_REG,   OP_X86_TRAPS,    OP_X86_SHUTDOWN};
    struct guest_op op = {.kind = kinds[draw(sizeof(kinds))],
                          .width = (uint8_t)(1u << draw(3)),
                          .reg = (uint8_t)draw(X86_GPR_COUNT),
                          .flags = OP_HAS_VALUE,
                          .address = draw_address(),
                          .value = draw(100000)};

    if (op.kind == OP_X86_OUT || op.kind == OP_X86_IN)
        op.number = ports[draw(ARRAY_SIZE(ports))];
    else if (op.kind == OP_X86_WRMSR)
        op.number = msrs[draw(ARRAY_SIZE(msrs))];
    else
        op.number = draw(9);
    return op;
}

static void damage_cpu(uint32_t cpu)
{
    fake_x86_cpus[cpu].loaded.lstar = draw64();
    fake_x86_cpus[cpu].fpu.bytes[draw(X86_XSAVE_SIZE)] ^= 0x55;
    fake_x86_cpus[cpu].state.cr2 = draw64();
    svm_cpus[cpu].asids.generation += draw(3);
}

const struct reset_arch reset_x86_64 = {
    .arch = &x86_64_sim_arch,
    .interrupt = 0x41,
    .put_cpu = put_cpu,
    .draw_op = draw_op,
    .damage_cpu = damage_cpu,
};

static void damage_vmx_cpu(uint32_t cpu)
{
    struct fake_vmx *vmx = &fake_x86_cpus[cpu].vmx;

    vmx->active[draw(VMX_ACTIVE)].vmcs.field[draw(VMCS_FIELD_COUNT)] = draw64();
    vmx->current = draw64();
    fake_x86_cpus[cpu].vmx_guest.pending_debug = draw64();
    fake_x86_cpus[cpu].dr6 = draw64();
    vmx_cpus[cpu].vpids.generation += draw(3);
}

const struct reset_arch reset_x86_64_vmx = {
    .arch = &x86_64_vmx_sim_arch,
    .interrupt = 0x41,
    .put_cpu = put_cpu,
    .draw_op = draw_op,
    .damage_cpu = damage_vmx_cpu,
};
