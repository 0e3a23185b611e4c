/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSRs whose access traps. The guest gets what is on the list below; all else
 * is the illegal instruction that it is on a hart without the H extension,
 * without an entropy source (seed), without Sstc (stimecmp).
 */
#include "arch/riscv64/riscv.h"

#define CSR_hpmcounter3  0xc03
#define CSR_hpmcounter31 0xc1f
#define COUNTER_FIRST    CSR_cycle

/* Registers that read as 0, and ignore nothing: writing them is illegal. */
static const struct {
    uint16_t first, last;
} zeros[] = {
    /* The host's counters count other guests, too. */
    {CSR_hpmcounter3, CSR_hpmcounter31},
};

static bool reads_zero(uint32_t csr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(zeros); i++) {
        if (csr >= zeros[i].first && csr <= zeros[i].last)
            return true;
    }
    return false;
}

/* The guest's user mode sees the counters that its kernel lets it see. */
static bool is_permitted(uint32_t csr)
{
    return riscv_hw_read_spp() ||
           (riscv_hw_read_scounteren() & BIT(csr - COUNTER_FIRST)) != 0;
}

enum verdict riscv_sysreg(struct vcpu *vcpu, struct vm_exit *exit)
{
    struct riscv_vcpu *v = to_riscv(vcpu);

    if (exit->kind != EXIT_SYSREG_READ || !reads_zero(exit->sysreg.addr) ||
        !is_permitted(exit->sysreg.addr))
        return VERDICT_INJECT;
    riscv_write_gpr(v, exit->sysreg.reg, 0);
    v->regs.pc += exit->insn_len;
    return VERDICT_RESUME;
}
