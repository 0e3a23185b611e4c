/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An architecture whose operations fail, as broken hardware would have them
 * fail: the VM stops and says which; the other one goes on.
 */
#include "support/machine.h"
#include "support/rows.h"
#include "vmm/internal.h"

static struct vcpu_ops ops;
static struct vcpu_ops right;

static err_t fails(struct vcpu *vcpu)
{
    return ERR_IO;
}

static err_t prepare_fails(struct vcpu *vcpu, uint32_t requests)
{
    return ERR_IO;
}

static void break_bind(void)
{
    ops.bind = fails;
}

static void break_unbind(void)
{
    ops.unbind = fails;
}

static void break_prepare(void)
{
    ops.prepare = prepare_fails;
}

static void break_reset(void)
{
    ops.reset = fails;
}

static void break_nothing(void) {}

/* What VM 1's vCPU does when its operations have been broken. */
enum doing { STARTS, WAITS, GETS_INTERRUPT, WAITS_WITH_INTERRUPT };

static const struct {
    const char *name;
    void (*break_it)(void);
    enum doing doing;
    const char *why; /* NULL: it goes on */
} rows[] = {
    {"all is well", break_nothing, WAITS, NULL},
    {"bind, at the start", break_bind, STARTS, "vCPU 0: bind: "},
    {"unbind, for a wait", break_unbind, WAITS, "vCPU 0: unbind: "},
    {"prepare, before an entry", break_prepare, GETS_INTERRUPT,
     "vCPU 0: enter: "},
    {"prepare, before a wait", break_prepare, WAITS_WITH_INTERRUPT,
     "vCPU 0: prepare: "},
};

static void do_it(enum doing doing, struct vm *vm)
{
    const struct guest_op wait = {.kind = OP_WFI};
    struct guest_result result;

    switch (doing) {
    case STARTS: cr_assert_eq(vmm_start_vm(vm), OK); break;
    case WAITS_WITH_INTERRUPT:
        vcpu_request(vm->vcpus[0], VCPU_REQUEST_INTERRUPT);
        /* fall through */
    case WAITS:
        cr_assert_eq(machine_do(machine, 1, 0, &wait, &result), OK);
        break;
    case GETS_INTERRUPT: cr_assert_eq(machine_inject(machine, 1, 0, 2), OK);
    }
    (void)machine_run(machine, 100);
}

/* VM 1's vCPU is about to do what the row says. */
static struct vm *make(enum doing doing)
{
    struct machine_spec spec = {.vm_count = 2};
    struct vm *vm;

    spec_usual_vm(&spec.vms[0], 1, 1);
    spec.vms[0].no_autostart = doing == STARTS;
    spec_usual_vm(&spec.vms[1], 2, 1);
    make_machine_of(2, &spec);
    vm = vmm_find_vm(1);
    if (doing != STARTS)
        (void)run_op(1, 0, OP_LOAD_OF(SPEC_MEMORY, 8));
    right = *vm->vcpus[0]->ops;
    ops = right;
    vm->vcpus[0]->ops = &ops;
    return vm;
}

Test(faults, a_vm_whose_hardware_fails_stops)
{
    for_each_row (i, rows) {
        struct vm *vm = make(rows[i].doing);

        rows[i].break_it();
        do_it(rows[i].doing, vm);
        ops = right;
        cr_expect_eq(vm->state, rows[i].why != NULL ? VM_STOPPED : VM_RUNNING,
                     "%s: %s", rows[i].name, vm_state_name(vm->state));
        cr_expect(rows[i].why == NULL || strstr(vm->reason, rows[i].why),
                  "%s: %s", rows[i].name, vm->reason);
        cr_expect_eq(run_op(2, 0, OP_LOAD_OF(SPEC_MEMORY, 8)).outcome,
                     OUTCOME_RETIRED, "%s", rows[i].name);
        end_machine();
    }
}

/* A vCPU that failed is Invalid, and nothing leads out of that. */
Test(faults, a_vm_whose_hardware_has_failed_is_not_started_again,
     .fini = end_machine)
{
    struct vm *vm = make(WAITS);

    break_unbind();
    do_it(WAITS, vm);
    cr_assert_eq(vm->state, VM_STOPPED);
    ops = right;
    cr_expect_eq(vmm_restart_vm(vm), ERR_BAD_STATE);
    cr_expect_eq(vm->state, VM_FAILED);
    cr_expect_eq(vm->stop, VM_STOP_FAULT);
    cr_expect_not_null(strstr(console_output(NULL), "cannot be reset"));
    cr_expect_eq(vmm_pause_vm(vm), ERR_BAD_STATE);
    cr_expect_eq(vmm_stop_vm(vm, VM_STOP_FORCED, "by a test"), ERR_BAD_STATE);
}

Test(faults, a_reset_that_fails_fails_the_vm, .fini = end_machine)
{
    struct vm *vm = make(WAITS);

    cr_assert_eq(vmm_stop_vm(vm, VM_STOP_FORCED, "by a test"), OK);
    (void)machine_run(machine, 100);
    cr_assert_eq(vm->state, VM_STOPPED);
    break_reset();
    cr_expect_eq(vmm_restart_vm(vm), ERR_IO);
    cr_expect_eq(vm->state, VM_FAILED);
}
