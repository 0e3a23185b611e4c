/* SPDX-License-Identifier: Apache-2.0 */
/* Every CSR, as a guest meets it: what is not on a list does not exist. */
#include "rig.h"
#include "support/rows.h"

#define CSR_COUNT 4096

/* What a hart with S-mode and without H has, and the guest may touch. */
static bool is_guests_own(unsigned csr, bool writes, bool sstc)
{
    switch (csr) {
    case CSR_sstatus:
    case CSR_sie:
    case CSR_stvec:
    case CSR_scounteren:
    case CSR_senvcfg:
    case CSR_sscratch:
    case CSR_sepc:
    case CSR_scause:
    case CSR_stval:
    case CSR_sip:
    case CSR_satp:
    case CSR_fflags:
    case CSR_frm:
    case CSR_fcsr: return true;
    case CSR_stimecmp: return sstc;
    case CSR_cycle:
    case CSR_time:
    case CSR_instret: return !writes;
    default: return csr >= 0xc03 && csr <= 0xc1f && !writes;
    }
}

static void try_all(const char *profile, bool sstc, bool writes)
{
    rig_start(profile);
    struct riscv_vcpu *v = rig_bind(0, 0);
    for (unsigned csr = 0; csr < CSR_COUNT; csr++) {
        const struct guest_op op = {.kind = writes ? OP_CSR_WRITE : OP_CSR_READ,
                                    .reg = OP_DEFAULT_REG,
                                    .flags = OP_HAS_VALUE,
                                    .value = 0,
                                    .number = csr};
        struct guest_result result;

        riscv_hw_write_vsstatus_impl(FIELD_PUT(STATUS_FS, EXT_INITIAL));
        fake_riscv_current()->vstvec = RIG_VECTOR;
        v->regs.pc = RIG_ENTRY;
        result = rig_do(v, op);
        if (is_guests_own(csr, writes, sstc)) {
            cr_expect_eq(result.outcome, OUTCOME_RETIRED, "%s 0x%03x: %s",
                         writes ? "write" : "read", csr,
                         guest_outcome_name(result.outcome));
        } else {
            cr_expect_eq(result.outcome, OUTCOME_EXCEPTION, "%s 0x%03x: %s",
                         writes ? "write" : "read", csr,
                         guest_outcome_name(result.outcome));
            cr_expect_eq(result.cause, CAUSE_ILLEGAL_INSN);
            cr_expect_eq(v->regs.gpr[OP_DEFAULT_REG], 0);
        }
    }
    rig_stop();
}

Test(csr, what_a_guest_can_read_and_write)
{
    for (int writes = 0; writes < 2; writes++) {
        try_all("virt", true, writes != 0);
        try_all("plain", false, writes != 0);
    }
}

Test(csr, counters_read_zero_and_go_on)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for (unsigned csr = 0xc03; csr <= 0xc1f; csr++) {
        const struct guest_op op = {.kind = OP_CSR_READ,
                                    .reg = OP_DEFAULT_REG,
                                    .flags = OP_HAS_VALUE,
                                    .value = 0x1234,
                                    .number = csr};
        uint64_t pc = v->regs.pc;

        cr_expect_eq(rig_do(v, op).value, 0);
        cr_expect_eq(v->regs.pc, pc + 4);
    }
    rig_stop();
}

/* User mode sees what the guest's kernel lets it see. */
Test(csr, user_mode_needs_scounteren)
{
    static const struct {
        uint64_t scounteren;
        unsigned csr;
        enum guest_outcome outcome;
    } rows[] = {
        {0, CSR_cycle, OUTCOME_EXCEPTION},
        {0, CSR_time, OUTCOME_EXCEPTION},
        {0, 0xc03, OUTCOME_EXCEPTION},
        {UINT32_MAX & ~BIT(3), 0xc03, OUTCOME_EXCEPTION},
        {BIT(3), 0xc03, OUTCOME_RETIRED},
        {BIT(31), 0xc1f, OUTCOME_RETIRED},
        {BIT(1), CSR_time, OUTCOME_RETIRED},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    struct fake_riscv *cpu = fake_riscv_current();
    for_each_row (i, rows) {
        const struct guest_op op = {
            .kind = OP_CSR_READ, .reg = OP_DEFAULT_REG, .number = rows[i].csr};
        struct guest_result result;

        cpu->scounteren = rows[i].scounteren;
        riscv_hw_write_spp_impl(false);
        result = rig_do(v, op);
        cr_expect_eq(result.outcome, rows[i].outcome, "row %zu: %s", i,
                     guest_outcome_name(result.outcome));
        if (rows[i].outcome == OUTCOME_EXCEPTION)
            cr_expect_eq(result.cause, CAUSE_ILLEGAL_INSN);
    }
    rig_stop();
}

/* No processor lets a write come this far; the answer is the same. */
Test(csr, a_counter_is_not_written)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    struct vm_exit exit = rig_decode(v, CAUSE_VIRTUAL_INSN, 0xc0359573, 0, 0);

    cr_expect_eq(exit.kind, EXIT_SYSREG_WRITE);
    cr_expect_eq(riscv_vcpu_ops.sysreg(&v->base, &exit), VERDICT_INJECT);
    rig_stop();
}
