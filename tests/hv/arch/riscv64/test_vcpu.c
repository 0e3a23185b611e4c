/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU's life: how it starts, moves, and ends. */
#include "rig.h"
#include "support/rows.h"

Test(vcpu, a_hart_starts_as_sbi_says)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(2, 1);
    struct fake_riscv *cpu = fake_riscv_current();

    cr_expect_eq(v->regs.pc, RIG_ENTRY);
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        uint64_t expected = reg == REG_A0   ? RIG_HART + 2
                            : reg == REG_A1 ? RIG_ARG
                                            : 0;
        cr_expect_eq(v->regs.gpr[reg], expected, "x%u", reg);
    }
    cr_expect_eq(cpu->vsatp, 0);
    cr_expect_eq(cpu->vsstatus & STATUS_SIE, 0);
    cr_expect(riscv_hw_read_spp_impl(), "in VS-mode");
    cr_expect_eq(cpu->vstimecmp, UINT64_MAX);
    cr_expect_eq(cpu->hideleg, HVIP_ALL);
    cr_expect_eq(cpu->hcounteren, 7);
    cr_expect_eq(cpu->htimedelta, 0);
    cr_expect_eq(FIELD_GET(HGATP_MODE, cpu->hgatp), HGATP_SV39X4);
    cr_expect_eq(FIELD_GET(HGATP_PPN, cpu->hgatp) << PAGE_SHIFT,
                 rig.memory.root.raw);
    rig_stop();
}

/* Everything a guest can set in VS-mode goes with it, and no one else sees
 * it. */
Test(vcpu, vs_level_state_stays_with_its_vcpu)
{
    static const struct {
        unsigned csr;
        uint64_t value;
        uint64_t untouched; /* what another vCPU reads */
    } rows[] = {
        {CSR_stvec, 0x80003000},
        {CSR_sscratch, 0x1111},
        {CSR_sepc, 0x2222},
        {CSR_scause, 5},
        {CSR_stval, 0x3333},
        {CSR_satp, UINT64_C(8) << 60 | 0x80000},
        {CSR_scounteren, 5},
        {CSR_sie, 0x222},
        {CSR_sstatus, STATUS_SUM},
        {CSR_stimecmp, 0x4444, UINT64_MAX},
        {CSR_sip, 2},
    };

    rig_start("virt");
    for_each_row (i, rows) {
        struct riscv_vcpu *v = rig_bind(0, 0);
        struct guest_op op = {.kind = OP_CSR_WRITE,
                              .number = rows[i].csr,
                              .reg = OP_DEFAULT_REG,
                              .flags = OP_HAS_VALUE,
                              .value = rows[i].value};
        struct guest_result result;

        cr_expect_eq(rig_do(v, op).outcome, OUTCOME_RETIRED);
        rig_unbind(0);

        op.kind = OP_CSR_READ;
        op.flags = 0;
        result = rig_do(rig_bind(1, 0), op);
        if (rows[i].csr != CSR_stvec)
            cr_expect_eq(result.value & rows[i].value,
                         rows[i].untouched & rows[i].value, "CSR 0x%x leaks",
                         rows[i].csr);
        rig_unbind(1);

        cpus_set_current(3);
        cr_assert_eq(vcpu_bind(&v->base), OK);
        result = rig_do(v, op);
        cr_expect_eq(result.value & rows[i].value, rows[i].value,
                     "CSR 0x%x: 0x%llx", rows[i].csr,
                     (unsigned long long)result.value);
        op.kind = OP_CSR_WRITE;
        op.flags = OP_HAS_VALUE;
        op.value = 0;
        (void)rig_do(v, op);
        rig_unbind(0);
    }
    rig_stop();
}

Test(vcpu, registers_by_number)
{
    rig_start("virt");
    struct vcpu *vcpu = &rig_vcpu(0)->base;
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        uint64_t value;

        cr_assert_eq(vcpu_set_gpr(vcpu, reg, 1000 + reg), OK);
        cr_assert_eq(vcpu_get_gpr(vcpu, reg, &value), OK);
        cr_expect_eq(value, reg == 0 ? 0 : 1000 + reg);
    }
    cr_expect_eq(vcpu_set_gpr(vcpu, REG_COUNT, 0), ERR_INVALID_INPUT);
    cr_assert_eq(vcpu_set_entry(vcpu, gpa(0x80400001)), OK);
    cr_expect_eq(riscv_vcpu_ops.get_pc(vcpu), 0x80400000, "there is no bit 0");
    rig_stop();
}

/* WFI leaves the guest, and the pc is behind it when it goes on. */
Test(vcpu, a_wait_frees_the_cpu)
{
    static const char *const profiles[] = {"virt", "plain", "full"};

    for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
        static struct trap_source source;
        static const struct guest_op wfi = {.kind = OP_WFI};
        struct vm_exit exit;

        rig_start(profiles[i]);
        struct riscv_vcpu *v = rig_bind(0, 0);
        uint64_t pc = v->regs.pc;

        source = (struct trap_source){.op = &wfi};
        fake_riscv_set_source(0, &source);
        cr_assert_eq(vcpu_run(&v->base, &exit), OK);
        cr_expect_eq(exit.kind, EXIT_IDLE, "%s", profiles[i]);
        riscv_vcpu_ops.advance(&v->base, &exit);
        cr_expect_eq(v->regs.pc, pc + 4);
        fake_riscv_set_source(0, NULL);
        rig_stop();
    }
}

/* What hv/ cannot allocate is an error, and nothing is kept. */
Test(vcpu, making_one_without_memory)
{
    rig_start("full");
    struct vcpu *made = NULL;
    const struct vcpu_config config = {
        .id = 0, .peers = rig.peers, .peer_count = RIG_VCPUS};

    for (uint64_t nth = 1; nth < 10; nth++) {
        struct arena arena = ARENA_INIT;
        err_t error;

        shim_fail_nth(nth, "memory_alloc", false);
        error = vcpu_new(&riscv_vcpu_ops, &config, &arena, &made);
        uint64_t failed = shim_failed_calls();
        shim_fail_never();
        cr_expect_eq(error, failed != 0 ? ERR_NO_MEMORY : OK);
        if (error == OK)
            vcpu_destroy(made);
        arena_free_all(&arena);
        if (failed == 0)
            break;
    }
    rig_stop();
}
