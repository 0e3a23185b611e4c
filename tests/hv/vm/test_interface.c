/* SPDX-License-Identifier: Apache-2.0 */
/* What vm/vm.h says of a VM's life, call by call, apart from a scheduler. */
#include "support/machine.h"
#include "support/rows.h"

/* The same VM as the machine's VM 1, made once more from its configuration. */
static const struct vm_config *config(void)
{
    return &vmm_find_vm(1)->config;
}

static err_t create(struct vm **vm, char *what)
{
    const struct vm *first = vmm_find_vm(1);

    return vm_create(config(), first->arch, first->host, vm, what);
}

static err_t load(struct vm *vm)
{
    char what[VM_REASON_SIZE];

    return vm_load(vm, what);
}

static err_t reset(struct vm *vm)
{
    char what[VM_REASON_SIZE];

    return vm_reset(vm, what);
}

/* What each call makes of a state; ERR_BAD_STATE changes nothing. The states
 * in between are the scheduler's. */
static const struct {
    enum vm_state state;
    err_t load, reset, destroy;
    enum vm_state loaded, reset_to;
} rows[] = {
    {VM_CREATED, OK, ERR_BAD_STATE, OK, VM_READY, VM_CREATED},
    {VM_READY, ERR_BAD_STATE, ERR_BAD_STATE, OK, VM_READY, VM_READY},
    {VM_RUNNING, ERR_BAD_STATE, ERR_BAD_STATE, ERR_BAD_STATE, VM_RUNNING,
     VM_RUNNING},
    {VM_PAUSING, ERR_BAD_STATE, ERR_BAD_STATE, ERR_BAD_STATE, VM_PAUSING,
     VM_PAUSING},
    {VM_PAUSED, ERR_BAD_STATE, ERR_BAD_STATE, OK, VM_PAUSED, VM_PAUSED},
    {VM_STOPPING, ERR_BAD_STATE, ERR_BAD_STATE, ERR_BAD_STATE, VM_STOPPING,
     VM_STOPPING},
    {VM_STOPPED, ERR_BAD_STATE, OK, OK, VM_STOPPED, VM_READY},
    {VM_FAILED, ERR_BAD_STATE, OK, OK, VM_FAILED, VM_READY},
};

/* A VM in the state, its images loaded unless it is Created. */
static struct vm *make(enum vm_state state)
{
    char what[VM_REASON_SIZE];
    struct vm *vm = NULL;

    cr_assert_eq(create(&vm, what), OK, "%s", what);
    cr_assert_eq(vm->state, VM_CREATED);
    if (state != VM_CREATED)
        cr_assert_eq(load(vm), OK);
    vm->state = state;
    return vm;
}

static void destroy(struct vm *vm)
{
    vm->state = VM_STOPPED;
    cr_assert_eq(vm_destroy(vm), OK);
}

Test(vm_interface, every_call_in_every_state, .fini = end_machine)
{
    uint64_t frames;

    make_machine(1, 1, 2);
    frames = ram_frames_in_use();
    for_each_row (i, rows) {
        const char *name = vm_state_name(rows[i].state);
        struct vm *vm = make(rows[i].state);

        cr_expect_eq(load(vm), rows[i].load, "load, %s", name);
        cr_expect_eq(vm->state, rows[i].loaded, "load, %s", name);
        destroy(vm);
        vm = make(rows[i].state);
        cr_expect_eq(reset(vm), rows[i].reset, "reset, %s", name);
        cr_expect_eq(vm->state, rows[i].reset_to, "reset, %s", name);
        destroy(vm);
        vm = make(rows[i].state);
        cr_expect_eq(vm_destroy(vm), rows[i].destroy, "destroy, %s", name);
        if (rows[i].destroy != OK) {
            cr_expect_eq(vm->state, rows[i].state);
            destroy(vm);
        }
        cr_expect_eq(ram_frames_in_use(), frames, "%s", name);
    }
}

Test(vm_interface, a_reset_is_a_new_beginning, .fini = end_machine)
{
    const uint64_t scratch = SPEC_MEMORY + 0x200000;
    uint64_t value = 0x1122334455667788, read = 1;
    struct vm *vm;

    make_machine(1, 1, 2);
    vm = make(VM_STOPPED);
    cr_assert_eq(aspace_write(&vm->aspace, gpa(scratch), &value, 8), OK);
    cr_assert_eq(vcpu_set_gpr(vm->vcpus[0], REG_A0, 99), OK);
    vm_request_stop(vm, VM_STOP_FAULT, "for a test");
    atomic_store(&vm->vcpus[1]->powered, true);
    cr_assert_eq(reset(vm), OK);
    cr_assert_eq(aspace_read(&vm->aspace, gpa(scratch), &read, 8), OK);
    cr_expect_eq(read, 0u);
    cr_assert_eq(vcpu_get_gpr(vm->vcpus[0], REG_A0, &read), OK);
    cr_expect_eq(read, 0u, "the hart's number");
    cr_expect_eq(vm->stop, VM_STOP_NONE);
    cr_expect_str_eq(vm->reason, "");
    cr_expect(atomic_load(&vm->vcpus[0]->powered));
    cr_expect_not(atomic_load(&vm->vcpus[1]->powered));
    destroy(vm);
}

Test(vm_interface, the_first_reason_to_stop_stands, .fini = end_machine)
{
    struct vm *vm;

    make_machine(1, 1, 1);
    vm = make(VM_READY);
    vm_request_stop(vm, VM_STOP_POWER_OFF, "first, %d", 1);
    vm_request_stop(vm, VM_STOP_FAULT, "second");
    cr_expect_eq(vm->stop, VM_STOP_POWER_OFF);
    cr_expect_str_eq(vm->reason, "first, 1");
    destroy(vm);
}

Test(vm_interface, vcpus_are_found_by_the_id_that_the_guest_knows,
     .fini = end_machine)
{
    struct vm *vm;

    make_machine(1, 1, 3);
    vm = vmm_find_vm(1);
    for (uint32_t id = 0; id < 3; id++)
        cr_expect_eq(vm_find_vcpu(vm, id), vm->vcpus[id]);
    cr_expect_null(vm_find_vcpu(vm, 3));
    cr_expect_null(vm_find_vcpu(vm, UINT64_MAX));
}

Test(vm_interface, states_and_reasons_have_names_of_their_own)
{
    for (unsigned a = 0; a < VM_STATE_COUNT; a++) {
        for (unsigned b = 0; b < a; b++)
            cr_expect_str_neq(vm_state_name((enum vm_state)a),
                              vm_state_name((enum vm_state)b));
    }
    for (unsigned a = 0; a < VM_STOP_COUNT; a++) {
        for (unsigned b = 0; b < a; b++)
            cr_expect_str_neq(vm_stop_name((enum vm_stop)a),
                              vm_stop_name((enum vm_stop)b));
    }
    cr_expect_str_eq(vm_state_name(VM_RUNNING), "running");
    cr_expect_str_eq(vm_stop_name(VM_STOP_REBOOT), "reboot");
    cr_expect_str_eq(vm_state_name(VM_STATE_COUNT), "?");
    cr_expect_str_eq(vm_stop_name(VM_STOP_COUNT), "?");
}
