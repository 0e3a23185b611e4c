/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that can fail, fails, one call after the other: while virtual
 * machines are made, and while they live. What a guest asks for then fails in
 * a way that it can see, or its VM stops and says why; nothing is lost, and
 * afterwards the machine works as if nothing had been.
 */
#include <stdio.h>

#include "hv/vmm/life.h"
#include "sim/shim.h"
#include "support/rows.h"
#include "vmm/internal.h"

static const struct life *const lives[] = {&life_riscv64, &life_x86_64,
                                           &life_x86_64_vmx};

/* The one that the sweep is at. */
static const struct life *life;

static struct machine *make(const char *profile, uint32_t cpus, bool *failed)
{
    struct machine_spec spec = {.arch = life->arch, .vm_count = 2};
    struct machine *made = NULL;
    struct bundle bundle;
    const struct machine_config config = {
        .cpus = cpus,
        .arch = life->arch,
        .profile = sim_profile_find(life->arch, profile),
        .bundle = &bundle,
    };
    err_t error;

    life->arch->usual_vm(&spec.vms[0], 1, 2);
    cr_assert(spec_add_device(&spec.vms[0], "vconsole", 0x10002000, 5));
    cr_assert(spec_add_device(&spec.vms[0], "rng", 0x10003000, 6));
    spec.vms[0].memory[spec.vms[0].memory_count++] = (struct spec_memory){
        .base = 0x90000000, .size = 0x4000, .populate = true};
    life->arch->usual_vm(&spec.vms[1], 2, 1);
    if (life->describe != NULL)
        life->describe(&spec);
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    error = machine_create(&config, &made);
    *failed = shim_failed_calls() != 0;
    bundle_free(&bundle);
    cr_assert(error == OK || error == ERR_NO_MEMORY);
    cr_assert(error == OK || ram_frames_in_use() == 0);
    return error == OK ? made : NULL;
}

/* What the sweep is at, for the messages. */
static char at[96];

static bool runs(vm_id id)
{
    const struct vm *vm = vmm_find_vm(id);

    return vm != NULL && vm->state == VM_RUNNING;
}

/* Guests may have written anything, zeros too. */
static bool was_said(const char *text)
{
    size_t size;
    const char *said = console_output(&size);

    for (size_t i = 0; i + strlen(text) <= size; i++) {
        if (memcmp(&said[i], text, strlen(text)) == 0)
            return true;
    }
    return false;
}

/* A VM that does not run has said why. */
static void expect_reason(vm_id id)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "(vm@%u)", id);
    if (vmm_find_vm(id) == NULL)
        (void)snprintf(name, sizeof(name), "VM vm@%u", id);
    cr_expect(was_said(name) && was_said("memory"), "%s: no reason", at);
}

/* One operation. A vCPU that was stopped in the middle of another one first
 * finds that that is over. */
static struct guest_result do_step(vcpu_id vcpu, const struct guest_op *op)
{
    struct guest_result result;
    err_t error = machine_do(machine, 1, vcpu, op, &result);

    if (error == ERR_BUSY) {
        (void)machine_run(machine, 100);
        error = machine_do(machine, 1, vcpu, op, &result);
    }
    cr_assert_eq(error, OK, "%s: %s", at, error_text(error));
    return result;
}

/* The guest's life; false when its VM has stopped, or it waits for ever.
 * `whole`: nothing fails. */
static bool live(bool whole)
{
    for (size_t i = 0; i < life->count; i++) {
        const struct life_step *step = &life->steps[i];
        struct guest_result result = do_step(step->vcpu, &step->op);

        if (!runs(1)) {
            (void)machine_run(machine, 100);
            cr_assert(!whole, "%s, step %zu", at, i);
            expect_reason(1);
            return false;
        }
        if (!whole && step->need == LIFE_MAY_WAIT &&
            result.outcome == OUTCOME_PENDING)
            return false;
        cr_assert(result.outcome == OUTCOME_RETIRED, "%s, step %zu (%s): %s",
                  at, i, guest_op_name(step->op.kind),
                  guest_outcome_name(result.outcome));
        if (step->need != LIFE_SUCCESS)
            continue;
        cr_assert(!whole || result.value == 0, "%s, step %zu", at, i);
        if (result.value != 0)
            return true;
    }
    return true;
}

/* The other VM notices nothing, whatever becomes of the first. */
static void expect_other(uint64_t value)
{
    if (!runs(2))
        return;
    (void)run_op(2, 0, OP_STORE_OF(SPEC_MEMORY, 8, value));
    cr_assert_eq(run_op(2, 0, OP_LOAD_OF(SPEC_MEMORY, 8)).value, value, "%s",
                 at);
}

/* Gets VM 1 to its beginning, and has it live, now that nothing fails. */
static void recover(void)
{
    if (vmm_find_vm(1) == NULL || vmm_find_vm(1)->state == VM_CREATED)
        return;
    cr_assert_eq(vmm_restart_vm(vmm_find_vm(1)), OK, "%s", at);
    (void)machine_run(machine, 100);
    cr_assert(runs(1), "%s: VM 1 is %s", at,
              vm_state_name(vmm_find_vm(1)->state));
    cr_assert(live(true), "%s", at);
}

/* All VMs but one at most, which says why not. */
static void expect_all_but_one(bool failed)
{
    unsigned missing = 0;

    for (vm_id id = 1; id <= life->vms; id++) {
        if (runs(id))
            continue;
        missing++;
        expect_reason(id);
    }
    cr_assert_leq(missing, failed ? 1u : 0u, "%s: %s", at,
                  console_output(NULL));
}

static void fail_while_made(const char *profile)
{
    bool failed = true;

    for (uint64_t nth = 1; failed; nth++) {
        cr_assert_lt(nth, 10000u);
        (void)snprintf(at, sizeof(at), "%s: allocation %u while booting",
                       profile, (unsigned)nth);
        machine_fail_at_boot(nth);
        machine = make(profile, 2, &failed);
        machine_fail_at_boot(0);
        if (machine == NULL)
            continue;
        expect_all_but_one(failed);
        expect_other(0x1234);
        recover();
        end_machine();
    }
}

Test(failures, while_virtual_machines_are_made)
{
    for_each_row (i, lives) {
        life = lives[i];
        for (size_t p = 0; p < ARRAY_SIZE(life->profiles); p++)
            fail_while_made(life->profiles[p]);
    }
}

/* The `nth` call of functions `name` fails in VM 1's life or at its end.
 * Returns whether there was one. */
static bool fail(const char *profile, const char *name, uint64_t nth,
                 bool forever)
{
    bool failed;

    (void)snprintf(at, sizeof(at), "%s: %s, call %u%s", profile, name,
                   (unsigned)nth, forever ? " and later" : "");
    /* Without timers nobody's slice ends: then there are CPUs for all. */
    machine = make(profile, forever ? 4 : 2, &failed);
    expect_other(0x1111);
    (void)machine_run(machine, 100);
    shim_fail_nth(nth, name, forever);
    if (live(false)) {
        (void)do_step(0, &life->reboot);
        (void)machine_run(machine, 100);
    }
    failed = shim_failed_calls() != 0;
    shim_fail_never();
    if (!runs(1)) {
        enum vm_state state = vmm_find_vm(1)->state;

        cr_expect(state == VM_STOPPED || state == VM_FAILED, "%s", at);
        expect_reason(1);
    }
    expect_other(0x2222);
    recover();
    end_machine();
    return failed;
}

/*
 * Functions that fail for want of something, and those of the VMM that a
 * guest's call or a device leads to. A host timer's notification is none of
 * them: it fails only when the VM is gone.
 */
static const char *const functions[] = {
    "memory_alloc",        "memory_alloc_frame",   "memory_alloc_contiguous",
    "time_register_timer", "vmm_inject_interrupt", "vmm_set_interrupt_line",
    "vmm_start_vcpu",      "vmm_wake_vcpu",
};

static void fail_while_living(const char *profile)
{
    for (size_t f = 0; f < ARRAY_SIZE(functions); f++) {
        for (unsigned forever = 0; forever < 2; forever++) {
            uint64_t nth = 1;

            while (fail(profile, functions[f], nth, forever != 0)) {
                nth++;
                cr_assert_lt(nth, 10000u);
            }
        }
    }
}

Test(failures, while_they_live)
{
    for_each_row (i, lives) {
        life = lives[i];
        for (size_t p = 0; p < ARRAY_SIZE(life->profiles); p++)
            fail_while_living(life->profiles[p]);
    }
}
