/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floating-point and vector registers: what a guest reads is what that guest
 * wrote, wherever it runs and whoever ran in between.
 */
#include "rig.h"
#include "support/rows.h"

static uint64_t read_reg(struct riscv_vcpu *v, bool vector, uint8_t reg)
{
    const struct guest_op op = {.kind = vector ? OP_VECTOR_READ : OP_FP_READ,
                                .reg = reg};
    struct guest_result result = rig_do(v, op);

    cr_expect_eq(result.outcome, OUTCOME_RETIRED);
    return result.value;
}

static void write_reg(struct riscv_vcpu *v, bool vector, uint8_t reg,
                      uint64_t value)
{
    const struct guest_op op = {
        .kind = vector ? OP_VECTOR : OP_FP, .reg = reg, .value = value};

    cr_expect_eq(rig_do(v, op).outcome, OUTCOME_RETIRED);
}

/* Bound, with its own switches on. */
static struct riscv_vcpu *run(unsigned id, uint32_t cpu)
{
    struct riscv_vcpu *v = rig_bind(id, cpu);

    riscv_hw_write_vsstatus_impl(riscv_hw_read_vsstatus_impl() |
                                 FIELD_PUT(STATUS_FS, EXT_INITIAL) |
                                 FIELD_PUT(STATUS_VS, EXT_INITIAL));
    return v;
}

/* Every byte of a vector register is written; eight of them are read. */
static uint64_t spread(uint64_t byte)
{
    return byte * UINT64_C(0x0101010101010101);
}

static const struct {
    const char *profile;
    bool vector;
} units[] = {
    {"virt", false}, {"plain", false}, {"full", false}, {"full", true}};

Test(fpu, registers_stay_with_their_vcpu)
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        bool vector = units[i].vector;

        rig_start(units[i].profile);
        /* Two vCPUs take turns on one CPU. */
        for (unsigned turn = 0; turn < 3; turn++) {
            for (unsigned id = 0; id < 2; id++) {
                struct riscv_vcpu *v = run(id, 0);

                cr_expect_eq(read_reg(v, vector, 7),
                             spread(turn == 0 ? 0 : 16 * turn + id));
                write_reg(v, vector, 7,
                          vector ? 16 * (turn + 1) + id
                                 : spread(16 * (turn + 1) + id));
                rig_unbind(id);
            }
        }
        rig_stop();
    }
}

Test(fpu, registers_follow_to_another_cpu)
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        static const uint32_t cpus[] = {0, 1, 0, 2, 2, 1, 0, 0, 3};
        bool vector = units[i].vector;

        rig_start(units[i].profile);
        for (uint64_t turn = 0; turn < ARRAY_SIZE(cpus); turn++) {
            struct riscv_vcpu *v = run(0, cpus[turn]);

            cr_expect_eq(read_reg(v, vector, 31), spread(turn));
            write_reg(v, vector, 31, vector ? turn + 1 : spread(turn + 1));
            rig_unbind(0);
        }
        rig_stop();
    }
}

/* A vCPU that comes back to a CPU nobody used in between finds them there. */
Test(fpu, registers_that_are_still_there_are_not_loaded_again)
{
    rig_start("virt");
    struct riscv_vcpu *v = run(0, 0);
    write_reg(v, false, 1, 0x11);
    rig_unbind(0);
    /* Another vCPU runs here, and leaves the unit alone. */
    run(1, 0);
    rig_unbind(1);
    v = run(0, 0);
    struct guest_result result =
        rig_do(v, (struct guest_op){.kind = OP_FP_READ, .reg = 1});
    cr_expect_eq(result.value, 0x11);
    cr_expect_eq(result.exits, 0);
    rig_unbind(0);
    /* One that uses it takes them away: that costs an exit. */
    write_reg(run(1, 0), false, 1, 0x22);
    rig_unbind(1);
    result = rig_do(run(0, 0), (struct guest_op){.kind = OP_FP_READ, .reg = 1});
    cr_expect_eq(result.value, 0x11);
    cr_expect_eq(result.exits, 1);
    cr_expect_eq(riscv_hw_read_fs_impl(), EXT_CLEAN, "nothing to save");
    rig_stop();
}

Test(fpu, using_one_unit_does_not_load_the_other)
{
    rig_start("full");
    struct riscv_vcpu *v = run(0, 0);
    /* This processor's stval tells nothing, so both are loaded. */
    write_reg(v, false, 1, 1);
    cr_expect_eq(v->live, BIT(UNIT_FP) | BIT(UNIT_VECTOR));
    rig_unbind(0);
    rig_stop();

    static const struct {
        uint32_t insn;
        uint8_t units;
    } rows[] = {
        {0xf2000053, BIT(UNIT_FP)},                    /* fmv.d.x */
        {0x0005b507, BIT(UNIT_FP)},                    /* fld */
        {0x00b52027, BIT(UNIT_FP)},                    /* fsw */
        {0x00059507, BIT(UNIT_FP)},                    /* flh */
        {0x02b50043, BIT(UNIT_FP)},                    /* fmadd */
        {0x2188, BIT(UNIT_FP)},                        /* c.fld */
        {0xa188, BIT(UNIT_FP)},                        /* c.fsd */
        {0x2502, BIT(UNIT_FP)},                        /* c.fldsp */
        {0xa02a, BIT(UNIT_FP)},                        /* c.fsdsp */
        {0x00302573, BIT(UNIT_FP)},                    /* csrr fcsr */
        {0x00159073, BIT(UNIT_FP)},                    /* csrw fflags */
        {0x02058507, BIT(UNIT_FP) | BIT(UNIT_VECTOR)}, /* vle8.v */
        {0x0205f527, BIT(UNIT_FP) | BIT(UNIT_VECTOR)}, /* vse64.v */
        {0x0d0572d7, BIT(UNIT_FP) | BIT(UNIT_VECTOR)}, /* vsetvli */
        {0xc2202573, BIT(UNIT_VECTOR)},                /* csrr vlenb */
        {0xc2002573, BIT(UNIT_VECTOR)},                /* csrr vl */
        {0x00f02573, BIT(UNIT_VECTOR)},                /* csrr vcsr */
        {0x00802573, BIT(UNIT_VECTOR)},                /* csrr vstart */
        {0x00000000, BIT(UNIT_FP) | BIT(UNIT_VECTOR)}, /* not told */
        {0x00000013, 0},                               /* nop */
        {0x10500073, 0},                               /* wfi */
        {0x30002573, 0},                               /* csrr mstatus */
        {0xffffffff, 0},
        {0x0001, 0}, /* c.nop */
        {0x4188, 0}, /* c.lw */
        {0x2001, 0}, /* c.addiw */
    };
    for_each_row (i, rows)
        cr_expect_eq(riscv_units_needed(rows[i].insn), rows[i].units, "0x%x",
                     rows[i].insn);
}

/* An instruction is illegal if the guest's own switch is off, whatever the
 * hypervisor has loaded. */
Test(fpu, a_unit_that_the_guest_has_switched_off)
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        struct guest_op op = {.kind = units[i].vector ? OP_VECTOR : OP_FP};
        struct guest_result result;

        rig_start(units[i].profile);
        struct riscv_vcpu *v = rig_bind(0, 0);
        riscv_hw_write_vsstatus_impl(0);
        result = rig_do(v, op);
        cr_expect_eq(result.outcome, OUTCOME_EXCEPTION);
        cr_expect_eq(result.cause, CAUSE_ILLEGAL_INSN);
        cr_expect_eq(v->regs.pc, RIG_VECTOR);
        /* After it has been used, the guest gets the exception directly. */
        riscv_hw_write_vsstatus_impl(FIELD_PUT(STATUS_FS, EXT_CLEAN) |
                                     FIELD_PUT(STATUS_VS, EXT_CLEAN));
        cr_expect_eq(rig_do(v, op).outcome, OUTCOME_RETIRED);
        riscv_hw_write_vsstatus_impl(0);
        result = rig_do(v, op);
        cr_expect_eq(result.cause, CAUSE_ILLEGAL_INSN);
        cr_expect_eq(result.exits, 0);
        rig_stop();
    }
}

/* An illegal instruction that no unit explains reaches the guest. */
Test(fpu, an_instruction_nobody_knows)
{
    static const char *const profiles[] = {"virt", "plain", "full"};

    for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
        const struct guest_op op = {.kind = OP_INSN, .number = 0xffffffff};
        struct guest_result result;

        rig_start(profiles[i]);
        result = rig_do(run(0, 0), op);
        cr_expect_eq(result.outcome, OUTCOME_EXCEPTION, "%s", profiles[i]);
        cr_expect_eq(result.cause, CAUSE_ILLEGAL_INSN);
        rig_stop();
    }
}

/* A vCPU that starts again starts with nothing of its old life. */
Test(fpu, a_reset_clears_the_registers)
{
    rig_start("full");
    for (unsigned vector = 0; vector < 2; vector++) {
        struct riscv_vcpu *v = run(0, 0);
        struct vcpu_setup again = v->base.boot;

        write_reg(v, vector != 0, 3, 0x5a);
        rig_unbind(0);
        cr_assert_eq(vcpu_reset(&v->base), OK);
        cr_assert_eq(vcpu_setup(&v->base, &again), OK);
        cr_expect_eq(read_reg(run(0, 0), vector != 0, 3), 0);
        rig_unbind(0);
    }
    rig_stop();
}
