/* SPDX-License-Identifier: Apache-2.0 */
/* Who runs, where, and that nobody is forgotten. */
#include "support/machine.h"

#define SSIP 2 /* the vector of a supervisor software interrupt in VS-mode */

Test(sched, vcpus_share_a_cpu_in_turns, .fini = end_machine)
{
    struct busy_guest guests[3];

    make_machine(1, 3, 1);
    for (vm_id vm = 1; vm <= 3; vm++)
        busy_guest_start(&guests[vm - 1], vm, 0);
    /* Many slices: an exit takes the machine far less than SLICE_NS. */
    cr_assert_eq(machine_run(machine, 600000), MACHINE_BUDGET);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_gt(guests[i].done, 150000u, "VM %u", i + 1);
        cr_expect_lt(guests[i].done, 250000u, "VM %u", i + 1);
    }
}

Test(sched, affinity_is_obeyed_and_free_cpus_are_used, .fini = end_machine)
{
    struct machine_spec spec = {.vm_count = 3};
    struct busy_guest guests[3];

    for (unsigned i = 0; i < 3; i++)
        spec_usual_vm(&spec.vms[i], i + 1, 1);
    spec.vms[0].affinity[0] = 2;
    spec.vms[1].affinity[0] = 2;
    make_machine_of(2, &spec);
    for (vm_id vm = 1; vm <= 3; vm++)
        busy_guest_start(&guests[vm - 1], vm, 0);
    for (unsigned i = 0; i < 2000; i++) {
        cr_assert(machine_step(machine));
        const struct vcpu *on_0 = vmm_current_vcpu(0);
        cr_assert(on_0 == NULL || on_0->config.vm_id == 3);
    }
    machine_run(machine, 300000);
    /* The VM that may go anywhere has a CPU for itself. */
    cr_expect_gt(guests[2].done, guests[0].done + guests[1].done / 2);
    cr_expect_gt(guests[0].done, 50000u);
    cr_expect_gt(guests[1].done, 50000u);
}

Test(sched, a_wait_frees_the_cpu_and_an_interrupt_ends_it, .fini = end_machine)
{
    const struct guest_op enable = OP_CSR_OF(OP_CSR_SET, CSR_sie, 2);
    const struct guest_op wait = {.kind = OP_WFI};
    struct busy_guest other;
    struct guest_result result;

    make_machine(1, 2, 1);
    busy_guest_start(&other, 2, 0);
    (void)run_op(1, 0, enable);
    cr_assert_eq(machine_do(machine, 1, 0, &wait, &result), OK);
    cr_expect_eq(result.outcome, OUTCOME_PENDING);
    cr_expect_eq(vmm_find_vm(1)->vcpus[0]->state, VCPU_BLOCKED);

    uint64_t before = other.done;
    machine_run(machine, 1000);
    cr_expect_geq(other.done, before + 999, "all the CPU is the other's");

    cr_assert_eq(machine_inject(machine, 1, 0, SSIP), OK);
    machine_run(machine, 100000);
    cr_expect_eq(machine_last_result(machine, 1, 0)->outcome, OUTCOME_RETIRED);
}

Test(sched, an_interrupt_before_the_wait_is_not_lost, .fini = end_machine)
{
    const struct guest_op enable = OP_CSR_OF(OP_CSR_SET, CSR_sie, 2);

    make_machine(1, 1, 1);
    (void)run_op(1, 0, enable);
    for (unsigned i = 0; i < 100; i++) {
        struct guest_result result;

        cr_assert_eq(machine_inject(machine, 1, 0, SSIP), OK);
        result = run_op(1, 0, (struct guest_op){.kind = OP_WFI});
        cr_assert_eq(result.outcome, OUTCOME_RETIRED, "round %u", i);
        /* The guest takes it down itself. */
        (void)run_op(1, 0, OP_CSR_OF(OP_CSR_CLEAR, CSR_sip, 2));
    }
}

/* A vCPU that is waiting for a CPU is woken: it looks once more when it wants
 * to wait, and only once. */
Test(sched, a_wake_before_the_wait_is_not_lost, .fini = end_machine)
{
    const struct guest_op wait = {.kind = OP_WFI};
    struct guest_result result;

    make_machine(1, 2, 1);
    (void)run_op(1, 0, OP_LOAD_OF(SPEC_MEMORY, 8));
    cr_assert_eq(vmm_current_vcpu(0), vmm_find_vm(1)->vcpus[0]);
    cr_assert_eq(vmm_wake_vcpu(2, 0), OK);
    cr_expect_eq(run_op(2, 0, wait).outcome, OUTCOME_RETIRED);
    cr_assert_eq(machine_do(machine, 2, 0, &wait, &result), OK);
    cr_expect_eq(result.outcome, OUTCOME_PENDING);
    cr_assert_eq(vmm_wake_vcpu(2, 0), OK);
    machine_run(machine, 1000);
    cr_expect_eq(machine_last_result(machine, 2, 0)->outcome, OUTCOME_RETIRED);
}

Test(sched, ipis_reach_vcpus_wherever_they_are, .fini = end_machine)
{
    make_machine(2, 1, 4);
    for (vcpu_id id = 1; id < 4; id++) {
        struct guest_result result =
            run_op(1, 0, OP_ECALL_OF(SBI_HSM, 0, id, SPEC_MEMORY, 0));
        cr_assert_eq(result.value, 0u, "hart_start of %u", id);
    }
    for (vcpu_id id = 1; id < 4; id++)
        (void)run_op(1, id, OP_CSR_OF(OP_CSR_SET, CSR_sie, 2));
    for (vcpu_id id = 1; id < 4; id++) {
        struct guest_op wait = {.kind = OP_WFI};
        struct guest_result result;
        cr_assert_eq(machine_do(machine, 1, id, &wait, &result), OK);
        cr_expect_eq(result.outcome, OUTCOME_PENDING);
    }
    (void)run_op(1, 0, OP_ECALL_OF(SBI_IPI, 0, 7, 1));
    machine_run(machine, 100);
    for (vcpu_id id = 1; id < 4; id++)
        cr_expect_eq(machine_last_result(machine, 1, id)->outcome,
                     OUTCOME_RETIRED, "vCPU %u", id);
}

Test(sched, a_timer_wakes_a_waiting_vcpu, .fini = end_machine)
{
    make_machine(1, 1, 1);
    (void)run_op(1, 0, OP_CSR_OF(OP_CSR_SET, CSR_sie, BIT(IRQ_S_TIMER)));
    (void)run_op(1, 0,
                 OP_ECALL_OF(0x54494d45 /* TIME */, 0, clock_ticks() + 5000));
    uint64_t before = clock_ticks();
    struct guest_result result =
        run_op(1, 0, (struct guest_op){.kind = OP_WFI});
    cr_expect_eq(result.outcome, OUTCOME_RETIRED);
    cr_expect_geq(clock_ticks(), before + 4000, "it waited");
}

Test(sched, api_names_the_current_vcpu_and_refuses_what_is_not,
     .fini = end_machine)
{
    vm_id vm = 77;
    vcpu_id vcpu = 77;
    uint32_t count = 0;
    vcpu_set set = {0};

    make_machine(1, 1, 2);
    machine_run(machine, 10);
    cr_expect_eq(vmm_vcpu_num(1, &count), OK);
    cr_expect_eq(count, 2u);
    cr_expect_eq(vmm_active_vcpus(1, &set), OK);
    cr_expect_eq(set.bits, 1u);
    cr_expect_eq(vmm_vcpu_num(2, &count), ERR_NOT_FOUND);
    cr_expect_eq(vmm_vcpu_num(UINT32_MAX, &count), ERR_NOT_FOUND);
    cr_expect_eq(vmm_active_vcpus(0, &set), ERR_NOT_FOUND);
    cr_expect_eq(vmm_inject_interrupt(1, 2, SSIP), ERR_NOT_FOUND);
    cr_expect_eq(vmm_inject_interrupt(9, 0, SSIP), ERR_NOT_FOUND);
    cr_expect_eq(vmm_inject_interrupt(1, 0, 0), ERR_INVALID_INPUT);
    cr_expect_eq(vmm_inject_interrupt_to_vcpus(1, (vcpu_set){7}, SSIP),
                 ERR_NOT_FOUND);
    cr_expect_eq(vmm_set_interrupt_line(1, 5, 10, true), ERR_NOT_FOUND);
    cr_expect_eq(vmm_notify_vcpu_timer_expired(1, 0), OK);
    cr_expect_eq(vmm_notify_vcpu_timer_expired(1, 9), ERR_NOT_FOUND);
    cr_expect_eq(vmm_wake_vcpu(4, 0), ERR_NOT_FOUND);
    cr_expect_eq(vmm_wake_vcpu(1, 1), OK);
    cr_expect_eq(vmm_start_vcpu(1, 0, gpa(0), 0), ERR_BAD_STATE);
    cr_expect_eq(vmm_start_vcpu(1, 9, gpa(0), 0), ERR_NOT_FOUND);

    /* Outside any vCPU's context. */
    (void)run_op(1, 0, OP_ECALL_OF(SBI_HSM, 1, 0));
    cr_expect_eq(vmm_current_vm_id(&vm), ERR_BAD_STATE);
    cr_expect_eq(vmm_current_vcpu_id(&vcpu), ERR_BAD_STATE);
    cr_expect_eq(vm, 77u);
}
