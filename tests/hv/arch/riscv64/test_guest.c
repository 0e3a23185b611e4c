/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests of several harts see of the firmware interface, on the whole
 * hypervisor: calls that the VMM has a part in.
 */
#include "rig.h"
#include "sim/machine.h"
#include "sim/spec.h"
#include "support/rows.h"

#define VM    1
#define HARTS 4

static struct machine *make(const char *profile, uint32_t cpus)
{
    static struct machine_spec spec;
    struct machine_config config = {
        .cpus = cpus, .profile = sim_profile_find(&riscv64_sim_arch, profile)};
    struct machine *machine = NULL;
    struct bundle bundle;

    spec = (struct machine_spec){.vm_count = 1};
    spec_usual_vm(&spec.vms[0], VM, HARTS);
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    config.bundle = &bundle;
    cr_assert_eq(machine_create(&config, &machine), OK);
    bundle_free(&bundle);
    return machine;
}

static void end(struct machine *machine)
{
    cr_expect_eq(violations_count(), 0, "%s", violations_last());
    cr_expect_eq(machine_destroy(machine), 0, "frames have leaked");
}

static struct guest_result act(struct machine *machine, vcpu_id hart,
                               struct guest_op op)
{
    struct guest_result result;

    cr_assert_eq(machine_do(machine, VM, hart, &op, &result), OK);
    return result;
}

static struct guest_result call(struct machine *machine, vcpu_id hart,
                                struct rig_call c)
{
    struct guest_op op = {.kind = OP_ECALL};

    memcpy(op.args, c.args, sizeof(c.args));
    op.args[6] = c.fid;
    op.args[7] = c.eid;
    return act(machine, hart, op);
}

static int64_t error_of(struct machine *machine, vcpu_id hart,
                        struct rig_call c)
{
    return (int64_t)call(machine, hart, c).value;
}

static void write_csr(struct machine *machine, vcpu_id hart, uint32_t csr,
                      uint64_t value)
{
    const struct guest_op op = {.kind = OP_CSR_WRITE,
                                .reg = OP_DEFAULT_REG,
                                .flags = OP_HAS_VALUE,
                                .number = csr,
                                .value = value};

    cr_assert_eq(act(machine, hart, op).outcome, OUTCOME_RETIRED);
}

static uint64_t read_csr(struct machine *machine, vcpu_id hart, uint32_t csr)
{
    const struct guest_op op = {
        .kind = OP_CSR_READ, .reg = OP_DEFAULT_REG, .number = csr};

    return act(machine, hart, op).value;
}

/* Guests know their harts as 0 to 3 here. */
static void start_harts(struct machine *machine)
{
    for (uint64_t hart = 1; hart < HARTS; hart++)
        cr_assert_eq(error_of(machine, 0,
                              (struct rig_call){SBI_EID_HSM,
                                                0,
                                                {hart, SPEC_MEMORY, hart * 7}}),
                     SBI_SUCCESS);
}

Test(guest, harts_start_and_stop)
{
    static const struct rig_call status = {SBI_EID_HSM, 2, {1}};
    static const struct rig_call start = {SBI_EID_HSM, 0, {1, SPEC_MEMORY, 9}};
    static const struct rig_call stop = {SBI_EID_HSM, 1, {0}};

    for (uint32_t cpus = 1; cpus <= 4; cpus *= 2) {
        struct machine *machine = make("virt", cpus);

        for (unsigned life = 0; life < 3; life++) {
            cr_expect_eq(call(machine, 0, status).value1, HSM_STOPPED);
            cr_expect_eq(error_of(machine, 0, start), SBI_SUCCESS);
            cr_expect_eq(error_of(machine, 0, start),
                         SBI_ERR_ALREADY_AVAILABLE);
            cr_expect_eq(call(machine, 0, status).value1, HSM_STARTED);
            /* Its old life ended in a call; that one does not return. */
            (void)machine_run(machine, 1000);
            if (life != 0)
                cr_expect_eq(machine_last_result(machine, VM, 1)->outcome,
                             OUTCOME_REDIRECTED);
            /* It finds its number and its argument, and nothing of before. */
            cr_expect_eq(read_csr(machine, 1, CSR_sscratch), 0);
            cr_expect_eq(machine_register(machine, VM, 1, REG_A0), 1);
            cr_expect_eq(machine_register(machine, VM, 1, REG_A1), 9);
            cr_expect_eq(machine_register(machine, VM, 1, REG_A7), 0);
            write_csr(machine, 1, CSR_sscratch, 0x1234);
            cr_expect_eq(call(machine, 1, stop).outcome, OUTCOME_PENDING);
        }
        end(machine);
    }
}

Test(guest, harts_that_cannot_be_started)
{
    struct machine *machine = make("virt", 1);

    cr_expect_eq(
        error_of(machine, 0,
                 (struct rig_call){SBI_EID_HSM, 0, {HARTS, SPEC_MEMORY, 0}}),
        SBI_ERR_INVALID_PARAM);
    cr_expect_eq(error_of(machine, 0,
                          (struct rig_call){
                              SBI_EID_HSM, 0, {UINT64_MAX, SPEC_MEMORY, 0}}),
                 SBI_ERR_INVALID_PARAM);
    cr_expect_eq(
        error_of(machine, 0,
                 (struct rig_call){SBI_EID_HSM, 0, {0, SPEC_MEMORY, 0}}),
        SBI_ERR_ALREADY_AVAILABLE);
    end(machine);
}

/* An IPI reaches the harts it is for, once, and no other. */
Test(guest, ipis_arrive)
{
    static const struct {
        struct rig_call call;
        uint64_t harts;
    } rows[] = {
        {{SBI_EID_IPI, 0, {2, 0}}, 0x2},
        {{SBI_EID_IPI, 0, {5, 0}}, 0x5},
        {{SBI_EID_IPI, 0, {3, 2}}, 0xc},
        {{SBI_EID_IPI, 0, {0, UINT64_MAX}}, 0xf},
        {{SBI_EID_IPI, 0, {0, 0}}, 0},
        /* Legacy: all of them; the mask in memory is hart 3. */
        {{4, 0, {0}}, 0xf},
        {{4, 0, {SPEC_MEMORY + 0x100}}, 0x8},
    };
    const struct guest_op mask = {.kind = OP_STORE,
                                  .width = 8,
                                  .reg = OP_DEFAULT_REG,
                                  .flags = OP_HAS_VALUE,
                                  .address = SPEC_MEMORY + 0x100,
                                  .value = 8};

    for (uint32_t cpus = 1; cpus <= 4; cpus *= 2) {
        struct machine *machine = make("virt", cpus);

        start_harts(machine);
        (void)act(machine, 0, mask);
        for_each_row (i, rows) {
            cr_expect_eq(error_of(machine, 0, rows[i].call), 0, "row %zu", i);
            for (vcpu_id hart = 0; hart < HARTS; hart++) {
                bool pending = (read_csr(machine, hart, CSR_sip) & 2) != 0;

                cr_expect_eq(pending, (rows[i].harts & BIT(hart)) != 0,
                             "row %zu, hart %u", i, hart);
                write_csr(machine, hart, CSR_sip, 0);
                cr_expect_eq(read_csr(machine, hart, CSR_sip) & 2, 0);
            }
        }
        end(machine);
    }
}

/* A hart that waits is woken by an IPI, and by its timer. */
Test(guest, waits_end)
{
    static const char *const profiles[] = {"virt", "plain", "full"};
    const struct guest_op wfi = {.kind = OP_WFI};
    const struct guest_op time = {
        .kind = OP_CSR_READ, .reg = OP_DEFAULT_REG, .number = CSR_time};

    for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
        struct machine *machine = make(profiles[i], 2);
        uint64_t deadline;

        start_harts(machine);
        write_csr(machine, 1, CSR_sie, 0x222);
        cr_expect_eq(act(machine, 1, wfi).outcome, OUTCOME_PENDING);
        cr_expect_eq(
            error_of(machine, 0, (struct rig_call){SBI_EID_IPI, 0, {2, 0}}), 0);
        (void)machine_run(machine, 1000);
        cr_expect_eq(machine_last_result(machine, VM, 1)->outcome,
                     OUTCOME_RETIRED, "%s: an IPI", profiles[i]);
        write_csr(machine, 1, CSR_sip, 0);

        deadline = act(machine, 1, time).value + 100000;
        cr_expect_eq(error_of(machine, 1,
                              (struct rig_call){SBI_EID_TIME, 0, {deadline}}),
                     0);
        (void)act(machine, 1, wfi);
        (void)machine_run(machine, 1000);
        cr_expect_eq(machine_last_result(machine, VM, 1)->outcome,
                     OUTCOME_RETIRED, "%s: its timer", profiles[i]);
        cr_expect_geq(act(machine, 1, time).value, deadline);
        cr_expect_eq(read_csr(machine, 1, CSR_sip) & 0x20, 0x20);
        end(machine);
    }
}

/* Both suspensions, ended by an IPI. */
Test(guest, suspended_harts_go_on)
{
    static const struct rig_call status = {SBI_EID_HSM, 2, {1}};
    static const struct rig_call wake = {SBI_EID_IPI, 0, {2, 0}};
    static const struct rig_call keeping = {SBI_EID_HSM, 3, {0, 0, 0}};
    static const struct rig_call losing = {
        SBI_EID_HSM, 3, {0x80000000, SPEC_MEMORY + 0x40, 0x66}};

    for (uint32_t cpus = 1; cpus <= 2; cpus++) {
        struct machine *machine = make("virt", cpus);
        struct guest_result result;

        start_harts(machine);
        write_csr(machine, 1, CSR_sie, 2);
        (void)call(machine, 1, keeping);
        cr_expect_eq(call(machine, 0, status).value1, HSM_SUSPENDED);
        cr_expect_eq(error_of(machine, 0, wake), 0);
        (void)machine_run(machine, 1000);
        result = *machine_last_result(machine, VM, 1);
        cr_expect_eq(result.outcome, OUTCOME_RETIRED);
        cr_expect_eq(result.value, SBI_SUCCESS);
        cr_expect_eq(call(machine, 0, status).value1, HSM_STARTED);
        write_csr(machine, 1, CSR_sip, 0);

        (void)call(machine, 1, losing);
        cr_expect_eq(call(machine, 0, status).value1, HSM_SUSPENDED);
        cr_expect_eq(error_of(machine, 0, wake), 0);
        (void)machine_run(machine, 1000);
        cr_expect_eq(machine_last_result(machine, VM, 1)->outcome,
                     OUTCOME_REDIRECTED);
        cr_expect_eq(machine_register(machine, VM, 1, REG_COUNT),
                     SPEC_MEMORY + 0x40);
        cr_expect_eq(machine_register(machine, VM, 1, REG_A0), 1);
        cr_expect_eq(machine_register(machine, VM, 1, REG_A1), 0x66);
        end(machine);
    }
}

/* One that has a reason to go on does not wait at all. */
Test(guest, a_suspension_with_an_interrupt_pending)
{
    struct machine *machine = make("virt", 1);

    write_csr(machine, 0, CSR_sie, 2);
    cr_expect_eq(
        error_of(machine, 0, (struct rig_call){SBI_EID_IPI, 0, {1, 0}}), 0);
    cr_expect_eq(
        call(machine, 0, (struct rig_call){SBI_EID_HSM, 3, {0}}).outcome,
        OUTCOME_RETIRED);
    end(machine);
}

/* More harts than CPUs, all of them with values in the same registers. */
Test(guest, units_are_private_under_preemption)
{
    static const char *const profiles[] = {"virt", "plain", "full"};

    for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
        struct machine *machine = make(profiles[i], 2);

        start_harts(machine);
        for (vcpu_id hart = 0; hart < HARTS; hart++)
            write_csr(machine, hart, CSR_sstatus,
                      FIELD_PUT(STATUS_FS, EXT_INITIAL));
        for (unsigned turn = 0; turn < 20; turn++) {
            for (vcpu_id hart = 0; hart < HARTS; hart++) {
                const struct guest_op write = {
                    .kind = OP_FP, .reg = 5, .value = 1000 * turn + hart};
                const struct guest_op pause = {.kind = OP_DELAY,
                                               .value = 3000000};

                cr_expect_eq(act(machine, hart, write).outcome,
                             OUTCOME_RETIRED);
                (void)act(machine, hart, pause);
            }
            for (vcpu_id hart = 0; hart < HARTS; hart++) {
                const struct guest_op read = {.kind = OP_FP_READ, .reg = 5};

                cr_expect_eq(act(machine, hart, read).value,
                             1000 * turn + hart);
            }
        }
        end(machine);
    }
}

/* What a hart does to the machine with arguments out of its own head. */
Test(guest, calls_with_random_arguments_are_answered)
{
    static const uint64_t eids[] = {SBI_EID_BASE,
                                    SBI_EID_TIME,
                                    SBI_EID_IPI,
                                    SBI_EID_RFENCE,
                                    SBI_EID_DBCN,
                                    SBI_EID_PMU,
                                    0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    5,
                                    6,
                                    7};
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      0xf,
                                      0x10,
                                      255,
                                      UINT64_MAX,
                                      UINT64_MAX - 1,
                                      SPEC_MEMORY,
                                      SPEC_MEMORY + 0xfff,
                                      SPEC_UART,
                                      UINT64_C(1) << 63};
    struct machine *machine = make("virt", 2);
    uint64_t random = 12345;

    start_harts(machine);
    for (unsigned n = 0; n < 3000; n++) {
        struct rig_call c;

        for (unsigned i = 0; i < ARRAY_SIZE(c.args) + 2; i++) {
            random = random * UINT64_C(6364136223846793005) + 1;
            uint64_t pick = random >> 33;

            if (i == 0)
                c.eid = eids[pick % ARRAY_SIZE(eids)];
            else if (i == 1)
                c.fid = pick % 9;
            else
                c.args[i - 2] = values[pick % ARRAY_SIZE(values)];
        }
        cr_assert_eq(call(machine, n % HARTS, c).outcome, OUTCOME_RETIRED,
                     "eid 0x%llx fid %llu", (unsigned long long)c.eid,
                     (unsigned long long)c.fid);
    }
    end(machine);
}
