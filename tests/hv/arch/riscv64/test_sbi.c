/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware interface: what each call answers, right or wrong. */
#include "rig.h"
#include "support/rows.h"

static void expect(struct rig_answer answer, int64_t error, uint64_t value,
                   const char *what)
{
    cr_expect_eq(answer.verdict, VERDICT_RESUME, "%s", what);
    cr_expect_eq(answer.error, error, "%s: %lld", what,
                 (long long)answer.error);
    cr_expect_eq(answer.value, value, "%s: 0x%llx", what,
                 (unsigned long long)answer.value);
    cr_expect_eq(answer.moved, 4, "%s", what);
}

Test(sbi, calls_that_answer_from_themselves)
{
    static const struct {
        const char *what;
        struct rig_call call;
        int64_t error;
        uint64_t value;
    } rows[] = {
        {"spec version", {SBI_EID_BASE, 0, {0}}, 0, 0x02000000},
        {"impl id", {SBI_EID_BASE, 1, {0}}, 0, 0x54574e58},
        {"impl version", {SBI_EID_BASE, 2, {0}}, 0, 1},
        {"probe base", {SBI_EID_BASE, 3, {SBI_EID_BASE}}, 0, 1},
        {"probe time", {SBI_EID_BASE, 3, {SBI_EID_TIME}}, 0, 1},
        {"probe ipi", {SBI_EID_BASE, 3, {SBI_EID_IPI}}, 0, 1},
        {"probe rfence", {SBI_EID_BASE, 3, {SBI_EID_RFENCE}}, 0, 1},
        {"probe hsm", {SBI_EID_BASE, 3, {SBI_EID_HSM}}, 0, 1},
        {"probe srst", {SBI_EID_BASE, 3, {SBI_EID_SRST}}, 0, 1},
        {"probe dbcn", {SBI_EID_BASE, 3, {SBI_EID_DBCN}}, 0, 1},
        {"probe pmu", {SBI_EID_BASE, 3, {SBI_EID_PMU}}, 0, 1},
        {"probe hypercalls", {SBI_EID_BASE, 3, {SBI_EID_HYPERCALL}}, 0, 1},
        {"probe legacy 0", {SBI_EID_BASE, 3, {0}}, 0, 1},
        {"probe legacy 8", {SBI_EID_BASE, 3, {8}}, 0, 1},
        {"probe 9", {SBI_EID_BASE, 3, {9}}, 0, 0},
        {"probe SUSP", {SBI_EID_BASE, 3, {0x53555350}}, 0, 0},
        {"probe CPPC", {SBI_EID_BASE, 3, {0x43505043}}, 0, 0},
        {"probe NACL", {SBI_EID_BASE, 3, {0x4e41434c}}, 0, 0},
        {"probe STA", {SBI_EID_BASE, 3, {0x535441}}, 0, 0},
        {"probe a vendor", {SBI_EID_BASE, 3, {0x09000000}}, 0, 0},
        {"probe all ones", {SBI_EID_BASE, 3, {UINT64_MAX}}, 0, 0},
        {"probe with high bits",
         {SBI_EID_BASE, 3, {UINT64_C(1) << 32 | SBI_EID_BASE}},
         0,
         0},
        {"mvendorid", {SBI_EID_BASE, 4, {0}}, 0, 0},
        {"marchid", {SBI_EID_BASE, 5, {0}}, 0, 0},
        {"mimpid", {SBI_EID_BASE, 6, {0}}, 0, 0},
        {"base 7", {SBI_EID_BASE, 7, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"base -1", {SBI_EID_BASE, UINT64_MAX, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"time 1", {SBI_EID_TIME, 1, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"ipi 1", {SBI_EID_IPI, 1, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"rfence 7", {SBI_EID_RFENCE, 7, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"hsm 4", {SBI_EID_HSM, 4, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"srst 1", {SBI_EID_SRST, 1, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"dbcn 3", {SBI_EID_DBCN, 3, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"pmu 8", {SBI_EID_PMU, 8, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"unknown 9", {9, 0, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"unknown 0x20", {0x20, 0, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"unknown SUSP", {0x53555350, 0, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"unknown -1", {UINT64_MAX, 0, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"base in 33 bits",
         {UINT64_C(1) << 32 | SBI_EID_BASE, 0, {0}},
         SBI_ERR_NOT_SUPPORTED,
         0},
        {"counters", {SBI_EID_PMU, 0, {0}}, 0, 0},
        {"counter info", {SBI_EID_PMU, 1, {0}}, SBI_ERR_INVALID_PARAM, 0},
        {"configure none", {SBI_EID_PMU, 2, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"configure one", {SBI_EID_PMU, 2, {0, 1}}, SBI_ERR_INVALID_PARAM, 0},
        {"start none", {SBI_EID_PMU, 3, {0}}, 0, 0},
        {"start one", {SBI_EID_PMU, 3, {0, 1}}, SBI_ERR_INVALID_PARAM, 0},
        {"stop none", {SBI_EID_PMU, 4, {0}}, 0, 0},
        {"stop one", {SBI_EID_PMU, 4, {5, 2}}, SBI_ERR_INVALID_PARAM, 0},
        {"read firmware", {SBI_EID_PMU, 5, {0}}, SBI_ERR_INVALID_PARAM, 0},
        {"and its high half", {SBI_EID_PMU, 6, {0}}, SBI_ERR_INVALID_PARAM, 0},
        {"snapshot", {SBI_EID_PMU, 7, {0}}, SBI_ERR_NOT_SUPPORTED, 0},
        {"ipi to nobody", {SBI_EID_IPI, 0, {1, 0}}, SBI_ERR_INVALID_PARAM, 0},
        {"ipi beyond", {SBI_EID_IPI, 0, {0x10, 10}}, SBI_ERR_INVALID_PARAM, 0},
        {"shutdown of no type",
         {SBI_EID_SRST, 0, {3, 0}},
         SBI_ERR_INVALID_PARAM,
         0},
        {"a vendor's reset",
         {SBI_EID_SRST, 0, {0xf0000000, 0}},
         SBI_ERR_INVALID_PARAM,
         0},
        {"a reserved reason",
         {SBI_EID_SRST, 0, {0, 2}},
         SBI_ERR_INVALID_PARAM,
         0},
        {"a reserved reason",
         {SBI_EID_SRST, 0, {0, 0xdfffffff}},
         SBI_ERR_INVALID_PARAM,
         0},
        {"start at an odd address",
         {SBI_EID_HSM, 0, {11, 0x80000001, 0}},
         SBI_ERR_INVALID_ADDRESS,
         0},
        {"status of hart 9", {SBI_EID_HSM, 2, {9}}, SBI_ERR_INVALID_PARAM, 0},
        {"status of hart 14", {SBI_EID_HSM, 2, {14}}, SBI_ERR_INVALID_PARAM, 0},
        {"status of hart 13", {SBI_EID_HSM, 2, {13}}, 0, HSM_STARTED},
        {"a reserved suspension",
         {SBI_EID_HSM, 3, {1, 0, 0}},
         SBI_ERR_INVALID_PARAM,
         0},
        {"a platform's suspension",
         {SBI_EID_HSM, 3, {0x10000000, 0, 0}},
         SBI_ERR_INVALID_PARAM,
         0},
        {"a platform's suspension",
         {SBI_EID_HSM, 3, {0x90000000, 0, 0}},
         SBI_ERR_INVALID_PARAM,
         0},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for_each_row (i, rows)
        expect(rig_call(v, rows[i].call), rows[i].error, rows[i].value,
               rows[i].what);
    rig_stop();
}

/* What the VMM does is told in neutral words, and with the pc where it was. */
Test(sbi, calls_that_are_the_vmms)
{
    static const struct {
        struct rig_call call;
        enum exit_kind kind;
    } rows[] = {
        {{SBI_EID_HSM, 0, {11, 0x80200000, 7}}, EXIT_CPU_UP},
        {{SBI_EID_HSM, 1, {0}}, EXIT_CPU_DOWN},
        {{SBI_EID_HSM, 3, {0, 0, 0}}, EXIT_HALT},
        /* Suspend types are 32 bits. */
        {{SBI_EID_HSM, 3, {UINT64_C(0xffffffff00000000), 0, 0}}, EXIT_HALT},
        {{SBI_EID_SRST, 0, {0, 1}}, EXIT_SYSTEM_DOWN},
        {{SBI_EID_SRST, 0, {1, 0}}, EXIT_SYSTEM_DOWN},
        {{SBI_EID_SRST, 0, {2, 0xe0000000}}, EXIT_SYSTEM_DOWN},
        {{8, 0, {0}}, EXIT_SYSTEM_DOWN},
        {{SBI_EID_IPI, 0, {5, 10}}, EXIT_SEND_IPI},
        {{SBI_EID_IPI, 0, {0, 0}}, EXIT_SEND_IPI},
        {{SBI_EID_IPI, 0, {0, UINT64_MAX}}, EXIT_SEND_IPI},
        {{SBI_EID_HYPERCALL, 99, {1, 2, 3, 4, 5, 6}}, EXIT_HYPERCALL},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for_each_row (i, rows) {
        struct rig_answer answer = rig_call(v, rows[i].call);

        cr_expect_eq(answer.exit.kind, rows[i].kind, "row %zu: %s", i,
                     exit_kind_name(answer.exit.kind));
        cr_expect_eq(answer.exit.insn_len, 4);
        cr_expect_eq(answer.moved, 0);
    }
    rig_stop();
}

Test(sbi, what_the_vmm_is_told)
{
    struct vm_exit exit;

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    exit = rig_call(v, (struct rig_call){SBI_EID_HSM, 0, {11, 0x1000, 7}}).exit;
    cr_expect_eq(exit.cpu_up.target, 11);
    cr_expect_eq(exit.cpu_up.entry.raw, 0x1000);
    cr_expect_eq(exit.cpu_up.arg, 7);

    exit = rig_call(v, (struct rig_call){SBI_EID_SRST, 0, {0, 1}}).exit;
    cr_expect_not(exit.system_down.reboot);
    cr_expect_eq(exit.system_down.reason, 1);
    for (uint64_t type = 1; type <= 2; type++) {
        exit = rig_call(v, (struct rig_call){SBI_EID_SRST, 0, {type, 0}}).exit;
        cr_expect(exit.system_down.reboot);
    }

    exit = rig_call(v, (struct rig_call){SBI_EID_HYPERCALL,
                                         UINT64_MAX,
                                         {1, 2, 3, 4, 5, 6}})
               .exit;
    cr_expect_eq(exit.hypercall.nr, UINT64_MAX);
    rig_stop();
}

/* Harts are 10 to 13, vCPUs 0 to 3. */
Test(sbi, a_hart_mask_becomes_a_set_of_vcpus)
{
    static const struct {
        uint64_t mask, base;
        bool valid;
        uint64_t set;
    } rows[] = {
        {0, 0, true, 0},
        {1, 10, true, 1},
        {0xf, 10, true, 0xf},
        {0xf << 10, 0, true, 0xf},
        {2, 12, true, 8},
        {UINT64_C(1) << 10, 0, true, 1},
        {0, UINT64_MAX, true, 0xf},
        {UINT64_MAX, UINT64_MAX, true, 0xf},
        {0, 5000, true, 0},
        {1, 9, false, 0},
        {0x10, 10, false, 0},
        {1, 14, false, 0},
        {1, UINT64_MAX - 1, false, 0},
        {UINT64_MAX, 10, false, 0},
        {1 << 11 | 1, 0, false, 0},
    };

    rig_start("virt");
    for_each_row (i, rows) {
        vcpu_set set;
        bool valid = sbi_harts(rig_vcpu(0), rows[i].mask, rows[i].base, &set);

        cr_expect_eq(valid, rows[i].valid, "row %zu", i);
        if (valid)
            cr_expect_eq(set.bits, rows[i].set, "row %zu: 0x%llx", i,
                         (unsigned long long)set.bits);
    }
    rig_stop();
}

Test(sbi, results_that_the_vmm_gives)
{
    static const struct {
        err_t result;
        int64_t error;
    } rows[] = {
        {OK, SBI_SUCCESS},
        {ERR_INVALID_INPUT, SBI_ERR_INVALID_PARAM},
        {ERR_NOT_FOUND, SBI_ERR_INVALID_PARAM},
        {ERR_BAD_STATE, SBI_ERR_ALREADY_AVAILABLE},
        {ERR_ALREADY_EXISTS, SBI_ERR_ALREADY_AVAILABLE},
        {ERR_OUT_OF_RANGE, SBI_ERR_INVALID_ADDRESS},
        {ERR_DENIED, SBI_ERR_INVALID_ADDRESS},
        {ERR_NO_MEMORY, SBI_ERR_FAILED},
        {ERR_BUSY, SBI_ERR_FAILED},
        {ERROR_COUNT, SBI_ERR_FAILED},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_vcpu(0);
    for_each_row (i, rows) {
        v->regs.gpr[REG_A0] = v->regs.gpr[REG_A1] = 0x55;
        riscv_vcpu_ops.set_cpu_up_result(&v->base, rows[i].result);
        cr_expect_eq((int64_t)v->regs.gpr[REG_A0], rows[i].error, "%s",
                     error_text(rows[i].result));
        cr_expect_eq(v->regs.gpr[REG_A1], 0);
    }
    riscv_vcpu_ops.set_return_value(&v->base, 0x1234);
    cr_expect_eq(v->regs.gpr[REG_A0], SBI_SUCCESS);
    cr_expect_eq(v->regs.gpr[REG_A1], 0x1234);
    rig_stop();
}

Test(sbi, a_call_that_the_vmm_has_done_returns_success)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    struct rig_answer ipi =
        rig_call(v, (struct rig_call){SBI_EID_IPI, 0, {1, 10}});
    uint64_t pc = v->regs.pc;

    riscv_vcpu_ops.advance(&v->base, &ipi.exit);
    cr_expect_eq(v->regs.gpr[REG_A0], SBI_SUCCESS);
    cr_expect_eq(v->regs.gpr[REG_A1], 0);
    cr_expect_eq(v->regs.pc, pc + 4);
    /* And one that it could not do says so. */
    riscv_vcpu_ops.inject_fault(&v->base, &ipi.exit);
    cr_expect_eq((int64_t)v->regs.gpr[REG_A0], SBI_ERR_FAILED);
    cr_expect_eq(v->regs.pc, pc + 8);
    rig_stop();
}

/* --- HSM --- */

Test(sbi_hsm, states_of_harts)
{
    const struct rig_call status = {SBI_EID_HSM, 2, {11}};

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    struct riscv_vcpu *other = rig_bind(1, 1);
    struct rig_answer suspend =
        rig_call(other, (struct rig_call){SBI_EID_HSM, 3, {0}});

    cpus_set_current(0);
    expect(rig_call(v, status), 0, HSM_STARTED, "started");
    cpus_set_current(1);
    uint64_t pc = other->regs.pc;
    riscv_vcpu_ops.advance(&other->base, &suspend.exit);
    cr_expect_eq(other->regs.gpr[REG_A0], SBI_SUCCESS);
    cr_expect_eq(other->regs.pc, pc + 4);
    cpus_set_current(0);
    expect(rig_call(v, status), 0, HSM_STARTED, "not yet suspended");
    rig_unbind(1);
    cr_assert_eq(vcpu_block(&other->base), OK);
    cpus_set_current(0);
    expect(rig_call(v, status), 0, HSM_SUSPENDED, "suspended");

    cr_assert_eq(vcpu_wake(&other->base), OK);
    rig_bind(1, 1);
    cpus_set_current(0);
    expect(rig_call(v, status), 0, HSM_STARTED, "woken");
    /* An ordinary wait is no suspension. */
    rig_unbind(1);
    cr_assert_eq(vcpu_block(&other->base), OK);
    cpus_set_current(0);
    expect(rig_call(v, status), 0, HSM_STARTED, "waiting");
    atomic_store(&other->base.powered, false);
    expect(rig_call(v, status), 0, HSM_STOPPED, "stopped");
    rig_stop();
}

Test(sbi_hsm, a_hart_that_loses_its_state_goes_on_where_it_said)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(2, 0);
    struct fake_riscv *cpu = fake_riscv_current();

    cpu->vsatp = UINT64_C(8) << 60 | 0x80001;
    cpu->vsstatus |= STATUS_SIE | STATUS_SPIE;
    struct rig_answer answer = rig_call(
        v,
        (struct rig_call){SBI_EID_HSM, 3, {0x80000000, RIG_MEMORY + 6, 0x77}});
    cr_expect_eq(answer.exit.kind, EXIT_FIRMWARE_CALL);
    cr_expect_eq(answer.verdict, VERDICT_BLOCK);
    cr_expect_eq(v->regs.pc, RIG_MEMORY + 6);
    cr_expect_eq(v->regs.gpr[REG_A0], RIG_HART + 2);
    cr_expect_eq(v->regs.gpr[REG_A1], 0x77);
    cr_expect_eq(cpu->vsatp, 0);
    cr_expect_eq(cpu->vsstatus & STATUS_SIE, 0);
    rig_stop();
}

Test(sbi_hsm, a_resume_address_must_be_memory)
{
    static const uint64_t addresses[] = {
        RIG_MEMORY + 1, RIG_MEMORY + RIG_SIZE, RIG_MEMORY - 2, 0,
        UINT64_MAX - 1,
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
        expect(rig_call(v, (struct rig_call){SBI_EID_HSM,
                                             3,
                                             {0x80000000, addresses[i], 0}}),
               SBI_ERR_INVALID_ADDRESS, 0, "resume");
    rig_stop();
}

/* --- Console --- */

Test(sbi_console, bytes_go_out_in_bounded_pieces)
{
    char text[600];

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 26);
    cr_assert_eq(
        aspace_write(&rig.memory, gpa(RIG_MEMORY + 4000), text, sizeof(text)),
        OK);
    expect(
        rig_call(v,
                 (struct rig_call){SBI_EID_DBCN, 0, {5, RIG_MEMORY + 4000, 0}}),
        0, 5, "write 5");
    cr_expect_arr_eq(rig.output, "abcde", 5);
    /* However many the guest says, a call writes no more than a piece. */
    expect(rig_call(v, (struct rig_call){SBI_EID_DBCN,
                                         0,
                                         {UINT64_MAX, RIG_MEMORY + 4000, 0}}),
           0, 256, "write without end");
    cr_expect_eq(rig.written, 261);
    cr_expect_arr_eq(rig.output + 5, text, 256);
    expect(rig_call(v, (struct rig_call){SBI_EID_DBCN, 0, {0, 0, 0}}), 0, 0,
           "write nothing");
    expect(rig_call(v, (struct rig_call){SBI_EID_DBCN, 2, {0x141}}), 0, 0,
           "write a byte");
    cr_expect_eq(rig.written, 262);
    cr_expect_eq(rig.output[261], 'A');
    rig_stop();
}

Test(sbi_console, bytes_come_in)
{
    char bytes[16] = "";

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    rig.input = "hello";
    expect(rig_call(v, (struct rig_call){SBI_EID_DBCN, 1, {3, RIG_MEMORY, 0}}),
           0, 3, "read 3");
    expect(rig_call(v, (struct rig_call){SBI_EID_DBCN,
                                         1,
                                         {UINT64_MAX, RIG_MEMORY + 3, 0}}),
           0, 2, "read the rest");
    expect(rig_call(v, (struct rig_call){SBI_EID_DBCN, 1, {10, RIG_MEMORY, 0}}),
           0, 0, "read nothing");
    cr_assert_eq(aspace_read(&rig.memory, gpa(RIG_MEMORY), bytes, 5), OK);
    cr_expect_str_eq(bytes, "hello");
    rig_stop();
}

Test(sbi_console, buffers_outside_memory_are_refused)
{
    static const struct {
        uint64_t size, low, high;
    } rows[] = {
        {1, 0, 0},
        {1, RIG_MEMORY + RIG_SIZE, 0},
        {2, RIG_MEMORY + RIG_SIZE - 1, 0},
        {1, RIG_MEMORY, 1},
        {1, UINT64_MAX, UINT64_MAX},
        {16, UINT64_MAX - 7, 0},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for_each_row (i, rows) {
        for (uint64_t fid = 0; fid < 2; fid++) {
            rig.input = "xxxxxxxxxxxxxxxxxxxx";
            expect(rig_call(v, (struct rig_call){SBI_EID_DBCN,
                                                 fid,
                                                 {rows[i].size, rows[i].low,
                                                  rows[i].high}}),
                   SBI_ERR_INVALID_PARAM, 0, "a buffer outside");
        }
    }
    cr_expect_eq(rig.written, 0);
    rig_stop();
}

Test(sbi_console, without_a_console_calls_fail)
{
    static const struct rig_call calls[] = {
        {SBI_EID_DBCN, 0, {1, RIG_MEMORY, 0}},
        {SBI_EID_DBCN, 1, {1, RIG_MEMORY, 0}},
        {SBI_EID_DBCN, 2, {'x'}},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    v->base.config.console = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        expect(rig_call(v, calls[i]), SBI_ERR_FAILED, 0, "no console");
    for (uint64_t eid = 1; eid <= 2; eid++)
        cr_expect_eq(rig_call(v, (struct rig_call){eid, 0, {'x'}}).error, -1);
    rig_stop();
}

/* --- Time --- */

Test(sbi_time, with_sstc_the_guests_comparator_is_set)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    fake_riscv_current()->hie = HVIP_VSTIP;
    expect(rig_call(v, (struct rig_call){SBI_EID_TIME, 0, {5000}}), 0, 0,
           "set timer");
    cr_expect_eq(fake_riscv_current()->vstimecmp, 5000);
    cr_expect_eq(clock_timer_count(), 0);
    cr_expect_not(riscv_vcpu_ops.has_wakeup(&v->base));
    /* 100 ns a tick, and never before it. */
    cr_expect_eq(riscv_vcpu_ops.wakeup_deadline(&v->base), 500001);
    clock_set_nanos(500000);
    cr_expect(riscv_vcpu_ops.has_wakeup(&v->base));
    /* A timer that is not enabled wakes nobody. */
    fake_riscv_current()->hie = 0;
    cr_expect_not(riscv_vcpu_ops.has_wakeup(&v->base));
    cr_expect_eq(riscv_vcpu_ops.wakeup_deadline(&v->base), UINT64_MAX);
    /* Never. */
    fake_riscv_current()->hie = HVIP_VSTIP;
    expect(rig_call(v, (struct rig_call){SBI_EID_TIME, 0, {UINT64_MAX}}), 0, 0,
           "set no timer");
    cr_expect_eq(riscv_vcpu_ops.wakeup_deadline(&v->base), UINT64_MAX);
    rig_stop();
}

Test(sbi_time, without_sstc_the_host_has_a_timer)
{
    rig_start("plain");
    struct riscv_vcpu *v = rig_bind(0, 0);
    fake_riscv_current()->hie = HVIP_VSTIP;
    /* Each deadline replaces the one before. */
    expect(rig_call(v, (struct rig_call){SBI_EID_TIME, 0, {9000}}), 0, 0, "");
    expect(rig_call(v, (struct rig_call){SBI_EID_TIME, 0, {5000}}), 0, 0, "");
    cr_expect_eq(clock_timer_count(), 1);
    cr_expect_eq(clock_next_deadline(0), 500001);
    cr_expect_eq(riscv_vcpu_ops.wakeup_deadline(&v->base), UINT64_MAX);

    /* It fires: the VMM makes the timer interrupt pending. */
    clock_set_nanos(500001);
    clock_fire_due(0);
    cr_assert_eq(vcpu_inject_interrupt(&v->base, riscv_vcpu_ops.timer_vector),
                 OK);
    cr_expect(riscv_vcpu_ops.has_wakeup(&v->base));
    cr_expect_eq(riscv_hw_read_hip_impl() & HVIP_VSTIP, HVIP_VSTIP);

    /* Another deadline clears it. */
    expect(rig_call(v, (struct rig_call){SBI_EID_TIME, 0, {9000}}), 0, 0, "");
    cr_expect_eq(riscv_hw_read_hip_impl() & HVIP_VSTIP, 0);
    cr_expect_not(riscv_vcpu_ops.has_wakeup(&v->base));

    /* What was on its way meanwhile is the old deadline's. */
    cr_assert_eq(vcpu_inject_interrupt(&v->base, riscv_vcpu_ops.timer_vector),
                 OK);
    cr_expect_not(riscv_vcpu_ops.has_wakeup(&v->base));

    expect(rig_call(v, (struct rig_call){SBI_EID_TIME, 0, {UINT64_MAX}}), 0, 0,
           "never");
    cr_expect_eq(clock_timer_count(), 0);
    rig_stop();
}

Test(sbi_time, a_vcpus_timer_ends_with_it)
{
    rig_start("plain");
    for (unsigned id = 0; id < 2; id++) {
        struct riscv_vcpu *v = rig_bind(id, id);
        expect(rig_call(v, (struct rig_call){SBI_EID_TIME, 0, {9000}}), 0, 0,
               "");
        rig_unbind(id);
    }
    cr_expect_eq(clock_timer_count(), 2);
    cr_assert_eq(vcpu_reset(rig.peers[0]), OK);
    cr_expect_eq(clock_timer_count(), 1);
    rig_stop(); /* there is no timer left after that */
}

/* --- Legacy --- */

Test(sbi_legacy, calls_return_in_a0_alone)
{
    static const struct {
        const char *what;
        uint64_t eid, arg;
        int64_t answer;
    } rows[] = {
        {"set timer", 0, 5000, 0},      {"putchar", 1, 'x', 0},
        {"getchar", 2, 0, 'y'},         {"getchar, nothing", 2, 0, -1},
        {"clear ipi", 3, 0, 0},         {"fence.i everywhere", 5, 0, 0},
        {"sfence everywhere", 6, 0, 0}, {"sfence asid everywhere", 7, 0, 0},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    rig.input = "y";
    for_each_row (i, rows) {
        /* The function id is no part of a legacy call. */
        struct rig_answer answer = rig_call(
            v, (struct rig_call){
                   rows[i].eid, UINT64_C(0xdead), {rows[i].arg, 0x77, 0, 0}});

        cr_expect_eq(answer.verdict, VERDICT_RESUME, "%s", rows[i].what);
        cr_expect_eq(answer.error, rows[i].answer, "%s: %lld", rows[i].what,
                     (long long)answer.error);
        cr_expect_eq(answer.value, 0x77, "%s", rows[i].what);
        cr_expect_eq(answer.moved, 4, "%s", rows[i].what);
    }
    cr_expect_eq(rig.written, 1);
    cr_expect_eq(rig.output[0], 'x');
    rig_stop();
}

Test(sbi_legacy, clear_ipi_says_whether_there_was_one)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    cr_assert_eq(vcpu_inject_interrupt(&v->base, IRQ_VS_SOFT), OK);
    cr_expect_eq(rig_call(v, (struct rig_call){3, 0, {0}}).error, 1);
    cr_expect_eq(rig_call(v, (struct rig_call){3, 0, {0}}).error, 0);
    cr_expect_eq(riscv_hw_read_hip_impl() & HVIP_VSSIP, 0);
    rig_stop();
}

/* Hart masks lie in guest memory. */
Test(sbi_legacy, a_mask_is_read_through_the_guests_eyes)
{
    static const struct {
        uint64_t mask;
        int64_t error;
    } rows[] = {
        {UINT64_C(1) << 10 | UINT64_C(1) << 13, 0},
        {0, 0},
        {1, SBI_ERR_INVALID_PARAM},
        {UINT64_MAX, SBI_ERR_INVALID_PARAM},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for_each_row (i, rows) {
        cr_assert_eq(aspace_write(&rig.memory, gpa(RIG_MEMORY + 0xffc),
                                  &rows[i].mask, sizeof(rows[i].mask)),
                     OK);
        for (uint64_t eid = 5; eid <= 7; eid++)
            cr_expect_eq(
                rig_call(v, (struct rig_call){eid, 0, {RIG_MEMORY + 0xffc}})
                    .error,
                rows[i].error, "row %zu", i);
    }
    for (uint64_t eid = 4; eid <= 7; eid++)
        cr_expect_eq(
            rig_call(v, (struct rig_call){eid, 0, {RIG_MEMORY + RIG_SIZE - 4}})
                .error,
            SBI_ERR_INVALID_ADDRESS);
    /* Translations have become stale: the guest makes the call again. */
    vcpu_request(&v->base, VCPU_REQUEST_FLUSH);
    for (uint64_t eid = 4; eid <= 7; eid++) {
        struct rig_answer answer =
            rig_call(v, (struct rig_call){eid, 0, {RIG_MEMORY + 0xffc}});
        cr_expect_eq(answer.verdict, VERDICT_RESUME);
        cr_expect_eq(answer.moved, 0);
        cr_expect_eq(answer.error, (int64_t)(RIG_MEMORY + 0xffc));
    }
    rig_stop();
}
