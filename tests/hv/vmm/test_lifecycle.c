/* SPDX-License-Identifier: Apache-2.0 */
/* A VM's states, from outside and by its guest's own doing. */
#include "support/machine.h"

#include "sim/shim.h"
#include "support/rows.h"
#include "vmm/internal.h"

static err_t stop(struct vm *vm)
{
    return vmm_stop_vm(vm, VM_STOP_FORCED, "by a test");
}

static const struct {
    const char *name;
    err_t (*call)(struct vm *vm);
} calls[] = {
    {"start", vmm_start_vm},     {"pause", vmm_pause_vm},
    {"resume", vmm_resume_vm},   {"stop", stop},
    {"restart", vmm_restart_vm},
};

enum { START, PAUSE, RESUME, STOP, RESTART, CALLS };

/* The calls that lead from Ready to a state; CALLS ends them. */
static const struct {
    enum vm_state state;
    unsigned path[3];
    int after[CALLS]; /* -1: ERR_BAD_STATE */
} rows[] = {
    {VM_READY, {CALLS}, {VM_RUNNING, -1, -1, VM_STOPPED, VM_RUNNING}},
    {VM_RUNNING, {START, CALLS}, {-1, VM_PAUSED, -1, VM_STOPPED, VM_RUNNING}},
    {VM_PAUSED,
     {START, PAUSE, CALLS},
     {-1, -1, VM_RUNNING, VM_STOPPED, VM_RUNNING}},
    {VM_STOPPED, {STOP, CALLS}, {-1, -1, -1, VM_STOPPED, VM_RUNNING}},
};

static void make_ready_vm(void)
{
    struct machine_spec spec = {.vm_count = 1};

    spec_usual_vm(&spec.vms[0], 1, 2);
    spec.vms[0].no_autostart = true;
    make_machine_of(2, &spec);
}

Test(lifecycle, every_call_in_every_state)
{
    for_each_row (row, rows) {
        for (unsigned call = 0; call < CALLS; call++) {
            struct busy_guest guest;
            struct vm *vm;
            int after = rows[row].after[call];

            make_ready_vm();
            busy_guest_start(&guest, 1, 0);
            vm = vmm_find_vm(1);
            for (const unsigned *to = rows[row].path; *to != CALLS; to++) {
                cr_assert_eq(calls[*to].call(vm), OK);
                machine_run(machine, 10);
            }
            cr_assert_eq(vm->state, rows[row].state);
            cr_expect_eq(calls[call].call(vm), after == -1 ? ERR_BAD_STATE : OK,
                         "%s in %s", calls[call].name,
                         vm_state_name(rows[row].state));
            machine_run(machine, 10);
            cr_expect_eq(
                vm->state, after == -1 ? rows[row].state : (enum vm_state)after,
                "%s in %s leads to %s", calls[call].name,
                vm_state_name(rows[row].state), vm_state_name(vm->state));
            end_machine();
        }
    }
}

Test(lifecycle, a_paused_vm_does_nothing_and_loses_nothing, .fini = end_machine)
{
    struct busy_guest guest;
    struct vm *vm;
    uint64_t done;

    make_machine(1, 1, 1);
    busy_guest_start(&guest, 1, 0);
    machine_run(machine, 100);
    vm = vmm_find_vm(1);
    cr_assert_eq(vmm_pause_vm(vm), OK);
    machine_run(machine, 10);
    cr_assert_eq(vm->state, VM_PAUSED);
    done = guest.done;
    machine_run(machine, 100);
    cr_expect_eq(guest.done, done);
    cr_expect_eq(machine_inject(machine, 1, 0, 2), OK);
    cr_expect_eq(guest.done, done, "an interrupt does not wake a paused VM");
    cr_assert_eq(vmm_resume_vm(vm), OK);
    machine_run(machine, 100);
    cr_expect_gt(guest.done, done + 90);
}

Test(lifecycle, the_guest_ends_its_vm, .fini = end_machine)
{
    static const struct {
        struct guest_op op;
        enum vm_stop stop;
    } ways[] = {
        {{.kind = OP_ECALL, .args = {0, 0, [7] = SBI_SRST}}, VM_STOP_POWER_OFF},
        {{.kind = OP_ECALL, .args = {1, 0, [7] = SBI_SRST}}, VM_STOP_REBOOT},
        {{.kind = OP_ECALL, .args = {[7] = 8}}, VM_STOP_POWER_OFF},
        {{.kind = OP_STORE,
          .width = 4,
          .reg = 15,
          .flags = OP_HAS_VALUE,
          .address = SPEC_FINISHER,
          .value = 0x5555},
         VM_STOP_POWER_OFF},
        {{.kind = OP_STORE,
          .width = 4,
          .reg = 15,
          .flags = OP_HAS_VALUE,
          .address = SPEC_FINISHER,
          .value = 0x7777},
         VM_STOP_REBOOT},
    };

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        struct machine_spec spec = {.vm_count = 2};
        struct guest_result result;
        struct busy_guest other;

        spec_usual_vm(&spec.vms[0], 1, 2);
        spec.vms[0].stop_on_reboot = true;
        spec_usual_vm(&spec.vms[1], 2, 1);
        if (i != 0)
            end_machine();
        make_machine_of(2, &spec);
        busy_guest_start(&other, 2, 0);
        cr_assert_eq(machine_do(machine, 1, 0, &ways[i].op, &result), OK);
        machine_run(machine, 100);
        cr_expect_eq(vmm_find_vm(1)->state, VM_STOPPED, "way %zu", i);
        cr_expect_eq(vmm_find_vm(1)->stop, ways[i].stop, "way %zu", i);
        cr_expect_eq(vmm_find_vm(2)->state, VM_RUNNING, "way %zu", i);
        cr_expect_eq(vmm_running_count(), 1u);
    }
}

Test(lifecycle, a_reboot_loads_the_images_anew, .fini = end_machine)
{
    static uint8_t kernel[2 * PAGE_SIZE];
    struct machine_spec spec = {.vm_count = 1};
    const uint64_t scratch = SPEC_MEMORY + 0x100000;
    struct guest_result result;

    memset(kernel, 0xa5, sizeof(kernel));
    spec_usual_vm(&spec.vms[0], 1, 1);
    spec.vms[0].kernel = kernel;
    spec.vms[0].kernel_size = sizeof(kernel);
    make_machine_of(1, &spec);
    cr_assert_eq(run_op(1, 0, OP_LOAD_OF(SPEC_MEMORY, 1)).value, 0xa5u);
    (void)run_op(1, 0, OP_STORE_OF(SPEC_MEMORY, 1, 0x11));
    (void)run_op(1, 0, OP_STORE_OF(scratch, 1, 0x22));
    cr_assert_eq(run_op(1, 0, OP_LOAD_OF(SPEC_MEMORY, 1)).value, 0x11u);

    const struct guest_op reboot = OP_ECALL_OF(SBI_SRST, 0, 1, 0);
    cr_assert_eq(machine_do(machine, 1, 0, &reboot, &result), OK);
    machine_run(machine, 10);
    cr_assert_eq(vmm_find_vm(1)->state, VM_RUNNING);
    cr_expect_eq(run_op(1, 0, OP_LOAD_OF(SPEC_MEMORY, 1)).value, 0xa5u,
                 "the kernel is whole again");
    cr_expect_eq(run_op(1, 0, OP_LOAD_OF(scratch, 1)).value, 0u,
                 "and nothing else is left");
}

/* What another CPU does in the middle of a VM's reset. */
static struct {
    bool done;
    err_t error;
    enum vm_state state; /* behind it */
} second;

/* If a second Ctrl-] r did not know of the first, it would wait for ever for
 * the address space. */
static void restart_again(void *context, const struct shim_call *call)
{
    (void)context;
    if (second.done || call->id != SHIM_memory_free_frame)
        return;
    second.done = true;
    second.error = vmm_restart_vm(vmm_find_vm(1));
    second.state = vmm_find_vm(1)->state;
}

Test(lifecycle, a_vm_is_reset_by_one_cpu_at_a_time, .fini = end_machine,
     .timeout = 20)
{
    static const struct shim_hooks hooks = {.before = restart_again};
    struct machine_spec spec = {.vm_count = 1};

    spec_usual_vm(&spec.vms[0], 1, 1);
    make_machine_of(1, &spec);
    (void)run_op(1, 0, OP_STORE_OF(SPEC_MEMORY + 0x100000, 1, 0x22));
    cr_assert_eq(stop(vmm_find_vm(1)), OK);
    machine_run(machine, 10);
    cr_assert_eq(vmm_find_vm(1)->state, VM_STOPPED);
    shim_set_hooks(&hooks);
    cr_expect_eq(vmm_restart_vm(vmm_find_vm(1)), OK);
    shim_set_hooks(NULL);
    cr_assert(second.done);
    cr_expect_eq(second.error, OK);
    cr_expect_eq(second.state, VM_STOPPED, "the first one still resets it");
    cr_expect_eq(vmm_find_vm(1)->state, VM_RUNNING);
    cr_expect_eq(run_op(1, 0, OP_LOAD_OF(SPEC_MEMORY + 0x100000, 1)).value, 0u);
}

Test(lifecycle, the_machine_powers_off_with_its_last_vm, .fini = end_machine)
{
    struct guest_result result;
    const struct guest_op off = OP_ECALL_OF(SBI_SRST, 0, 0, 0);

    make_machine(1, 2, 1);
    cr_assert_eq(machine_do(machine, 1, 0, &off, &result), OK);
    machine_run(machine, 100);
    cr_expect_eq(cpus_power(), POWER_ON);
    cr_assert_eq(machine_do(machine, 2, 0, &off, &result), OK);
    machine_run(machine, 100);
    cr_expect_eq(cpus_power(), POWER_OFF);
}

static void stop_vm_2(void *context, const struct shim_call *call)
{
    (void)context;
    if (second.done || call->id != SHIM_memory_free_frame)
        return;
    second.done = true;
    second.error = stop(vmm_find_vm(2));
}

Test(lifecycle, the_machine_stays_on_for_a_vm_that_is_being_reset,
     .fini = end_machine)
{
    static const struct shim_hooks hooks = {.before = stop_vm_2};

    make_machine(1, 2, 1);
    (void)run_op(1, 0, OP_STORE_OF(SPEC_MEMORY + 0x100000, 1, 0x22));
    cr_assert_eq(vmm_pause_vm(vmm_find_vm(2)), OK);
    cr_assert_eq(stop(vmm_find_vm(1)), OK);
    machine_run(machine, 10);
    cr_assert_eq(vmm_find_vm(1)->state, VM_STOPPED);
    cr_assert_eq(vmm_find_vm(2)->state, VM_PAUSED);
    shim_set_hooks(&hooks);
    cr_expect_eq(vmm_restart_vm(vmm_find_vm(1)), OK);
    shim_set_hooks(NULL);
    cr_assert(second.done);
    cr_expect_eq(second.error, OK);
    cr_expect_eq(vmm_find_vm(2)->state, VM_STOPPED);
    cr_expect_eq(cpus_power(), POWER_ON);
    cr_expect_eq(vmm_find_vm(1)->state, VM_RUNNING);
}

Test(lifecycle, a_vm_that_could_not_be_loaded_keeps_no_machine_on,
     .fini = end_machine)
{
    static uint8_t kernel[5 << 20]; /* more than the VM's memory */
    struct machine_spec spec = {.vm_count = 2};
    struct guest_result result;
    const struct guest_op off = OP_ECALL_OF(SBI_SRST, 0, 0, 0);

    spec_usual_vm(&spec.vms[0], 1, 1);
    spec_usual_vm(&spec.vms[1], 2, 1);
    spec.vms[0].kernel = kernel;
    spec.vms[0].kernel_size = sizeof(kernel);
    make_machine_of(1, &spec);
    cr_expect_not_null(
        strstr(console_output(NULL), "cannot be loaded: kernel"));
    cr_expect_eq(vmm_find_vm(1)->state, VM_CREATED);
    cr_expect_eq(vmm_running_count(), 1u);
    cr_assert_eq(machine_do(machine, 2, 0, &off, &result), OK);
    machine_run(machine, 100);
    cr_expect_eq(cpus_power(), POWER_OFF);
}
