/* SPDX-License-Identifier: Apache-2.0 */
/* The test of resets, on riscv64: see reset.h. */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"
#include "arch/riscv64/riscv.h"
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/reset.h"
#include "sim/riscv64/arch.h"

static void put_cpu(struct image *image, uint32_t index)
{
    const struct fake_riscv *cpu = &fake_riscv_cpus[index];

    put(image, cpu, offsetof(struct fake_riscv, vector));
    put_number(image, (uintptr_t)cpu->regs);
    put_number(image, cpu->user ? 1 : 0);
    put_number(image, cpu->exited ? 1 : 0);
    put(image, &riscv_cpus[index], sizeof(riscv_cpus[index]));
}

static uint64_t draw_address(void)
{
    static const uint64_t bases[] = {SPEC_MEMORY, SPEC_UART, SPEC_PLIC,
                                     SPEC_VIRTIO, SPEC_FINISHER};

    return bases[draw(ARRAY_SIZE(bases))] + (draw(0x2000) & ~7u);
}

static struct guest_op draw_op(void)
{
    static const uint64_t extensions[] = {0x10,     0x54494d45, 0x735049,
                                          0x48534d, 0x4442434e, 0x53525354};
    static const uint8_t kinds[] = {OP_LOAD,  OP_STORE, OP_STORE,
                                    OP_ECALL, OP_WFI,   OP_CSR_WRITE,
                                    OP_DELAY, OP_FP,    OP_SET_REG};
    struct guest_op op = {.kind = kinds[draw(sizeof(kinds))],
                          .width = (uint8_t)(1u << draw(4)),
                          .reg = (uint8_t)draw(REG_COUNT),
                          .flags = OP_HAS_VALUE,
                          .number = CSR_sscratch,
                          .address = draw_address(),
                          .value = draw(100000)};

    op.args[7] = extensions[draw(ARRAY_SIZE(extensions))];
    op.args[6] = draw(4);
    op.args[0] = draw(3);
    op.args[1] = SPEC_MEMORY;
    return op;
}

static void damage_cpu(uint32_t cpu)
{
    fake_riscv_cpus[cpu].vsatp = draw64();
    fake_riscv_cpus[cpu].fp.f[draw(32)] = draw64();
}

const struct reset_arch reset_riscv64 = {
    .arch = &riscv64_sim_arch,
    .interrupt = IRQ_VS_SOFT,
    .put_cpu = put_cpu,
    .draw_op = draw_op,
    .damage_cpu = damage_cpu,
};
