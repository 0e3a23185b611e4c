/* SPDX-License-Identifier: Apache-2.0 */
/* A life on riscv64: see life.h. */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"
#include "arch/riscv64/sbi.h"
#include "hv/vmm/life.h"

static const struct life_step steps[] = {
    {0, OP_STORE_OF(FRESH(8), 8, 1), LIFE_ANYTHING},
    {0, OP_LOAD_OF(FRESH(9), 8), LIFE_ANYTHING},
    /* A timer, and a wait for it. */
    {0, OP_CSR_OF(OP_CSR_WRITE, CSR_sie, BIT(IRQ_S_TIMER)), LIFE_ANYTHING},
    {0, OP_ECALL_OF(SBI_EID_TIME, 0, 1 << 24), LIFE_SUCCESS},
    {0, {.kind = OP_WFI}, LIFE_ANYTHING},
    {0, OP_ECALL_OF(0 /* the legacy one */, 0, 1), LIFE_SUCCESS},
    {0, {.kind = OP_WFI}, LIFE_ANYTHING},
    {0, OP_CSR_OF(OP_CSR_WRITE, CSR_sie, 0), LIFE_ANYTHING},
    /* A second hart, and an interrupt for it. */
    {0, OP_ECALL_OF(SBI_EID_HSM, 0, 1, SPEC_MEMORY), LIFE_SUCCESS},
    {1, OP_STORE_OF(FRESH(10), 8, 2), LIFE_ANYTHING},
    {1, OP_CSR_OF(OP_CSR_WRITE, CSR_sie, BIT(IRQ_S_SOFT)), LIFE_ANYTHING},
    {0, OP_ECALL_OF(SBI_EID_IPI, 0, 2, 0), LIFE_SUCCESS},
    {1, {.kind = OP_WFI}, LIFE_ANYTHING},
    {0, OP_ECALL_OF(SBI_EID_RFENCE, 1, 3, 0, 0, 0x1000), LIFE_ANYTHING},
    /* Firmware and devices that touch memory for the guest. */
    {0, OP_ECALL_OF(SBI_EID_DBCN, 0, 4, FRESH(11), 0), LIFE_ANYTHING},
    {0, OP_STORE_OF(SPEC_PLIC + 4 * SPEC_VIRTIO_IRQ, 4, 1), LIFE_ANYTHING},
    {0, OP_STORE_OF(SPEC_PLIC + 0x2080, 4, 1 << SPEC_VIRTIO_IRQ),
     LIFE_ANYTHING},
    {0, OP_STORE_OF(SPEC_UART, 1, 'x'), LIFE_ANYTHING},
    READS_A_SECTOR,
    {0, OP_LOAD_OF(SPEC_PLIC + 0x201004, 4), LIFE_ANYTHING},
};

const struct life life_riscv64 = {
    .arch = &riscv64_sim_arch,
    .profiles = {"virt", "plain"},
    .vms = 2,
    .steps = steps,
    .count = ARRAY_SIZE(steps),
    .reboot = {.kind = OP_ECALL, .args = {1, [7] = SBI_EID_SRST}},
};
