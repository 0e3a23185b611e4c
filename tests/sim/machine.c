/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated machine: what a guest sees, determinism, snapshots, leaks. */
#include <criterion/criterion.h>
#include <string.h>

#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"
#include "sim/machine.h"
#include "sim/sim.h"
#include "sim/spec.h"

static struct machine *make(uint32_t vms, uint32_t vcpus, uint32_t cpus,
                            uint64_t seed)
{
    static struct machine_spec spec;
    struct machine_config config = {.cpus = cpus, .seed = seed};
    struct machine *machine = NULL;
    struct bundle bundle;

    spec = (struct machine_spec){.vm_count = vms};
    for (uint32_t i = 0; i < vms; i++)
        spec_usual_vm(&spec.vms[i], i + 1, vcpus);
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    config.bundle = &bundle;
    cr_assert_eq(machine_create(&config, &machine), OK);
    bundle_free(&bundle);
    return machine;
}

static struct guest_result act(struct machine *machine, vm_id vm, vcpu_id vcpu,
                               const struct guest_op *op)
{
    struct guest_result result;

    cr_assert_eq(machine_do(machine, vm, vcpu, op, &result), OK);
    return result;
}

static const struct guest_op read_lsr = {.kind = OP_LOAD,
                                         .width = 1,
                                         .reg = OP_DEFAULT_REG,
                                         .address = SPEC_UART + 5};
static const struct guest_op wait_op = {.kind = OP_WFI};

static struct guest_op store8(uint64_t address, uint64_t value)
{
    return (struct guest_op){.kind = OP_STORE,
                             .width = 8,
                             .reg = OP_DEFAULT_REG,
                             .flags = OP_HAS_VALUE,
                             .address = address,
                             .value = value};
}

static struct guest_op load8(uint64_t address)
{
    return (struct guest_op){
        .kind = OP_LOAD, .width = 8, .reg = OP_DEFAULT_REG, .address = address};
}

Test(machine, one_operation_and_its_exits)
{
    struct machine *machine = make(1, 1, 1, 0);
    uint8_t kinds[MACHINE_KINDS];
    struct guest_result result = act(machine, 1, 0, &read_lsr);

    cr_assert_eq(result.outcome, OUTCOME_RETIRED);
    cr_assert_eq(result.value, 0x60);
    cr_assert_eq(machine_last_exits(machine, 1, 0, kinds), 1);
    cr_assert_eq(kinds[0], EXIT_MMIO_READ);
    cr_assert_eq(machine_register(machine, 1, 0, OP_DEFAULT_REG), 0x60);
    cr_assert_eq(machine_destroy(machine), 0);
}

Test(machine, errors_of_machine_do)
{
    struct machine *machine = make(1, 2, 1, 0);
    struct trap_source source = {0};
    struct guest_result result;

    cr_assert_eq(machine_do(machine, 2, 0, &read_lsr, &result), ERR_NOT_FOUND);
    cr_assert_eq(machine_do(machine, 1, 2, &read_lsr, &result), ERR_NOT_FOUND);
    cr_assert_eq(act(machine, 1, 1, &read_lsr).outcome, OUTCOME_PENDING,
                 "the vCPU is off");
    cr_assert_eq(machine_do(machine, 1, 1, &read_lsr, &result), ERR_BUSY);
    machine_set_source(machine, 1, 0, &source);
    cr_assert_eq(machine_do(machine, 1, 0, &read_lsr, &result), ERR_BAD_STATE);
    machine_set_source(machine, 1, 0, NULL);
    cr_assert_eq(act(machine, 1, 0, &read_lsr).outcome, OUTCOME_RETIRED);
    cr_assert_eq(machine_destroy(machine), 0);
}

Test(machine, a_configuration_that_is_none)
{
    uint8_t bytes[PAGE_SIZE] = {0};
    struct bundle bundle = {bytes, sizeof(bytes), 0};
    struct machine_config config = {.bundle = &bundle};
    struct machine *machine = NULL;

    cr_assert_eq(machine_create(&config, &machine), ERR_INVALID_INPUT);
    cr_assert_null(machine);
    cr_assert_eq(ram_frames_in_use(), 0);
    config.cpus = MAX_CPU_NUM + 1;
    cr_assert_eq(machine_create(&config, &machine), ERR_INVALID_INPUT);
    config.cpus = 1;
    bundle.size = (size_t)4 << 30;
    cr_assert_eq(machine_create(&config, &machine), ERR_NO_MEMORY);
}

/* What a machine does with some work, as a number. */
static uint64_t fingerprint(struct machine *machine)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < 200; i++) {
        vm_id vm = 1 + i % 3;
        struct guest_op op =
            i % 4 == 0   ? read_lsr
            : i % 4 == 1 ? store8(SPEC_MEMORY + UINT64_C(512) * i, i)
            : i % 4 == 2
                ? (struct guest_op){.kind = OP_CSR_READ,
                                    .reg = OP_DEFAULT_REG,
                                    .number = CSR_time}
                : (struct guest_op){.kind = OP_DELAY, .value = 4000000};
        struct guest_result result = act(machine, vm, 0, &op);

        hash = hash * 31 + result.value + result.exits;
    }
    return hash * 31 + clock_ticks() + machine_exits(machine);
}

Test(machine, the_same_seed_gives_the_same_run)
{
    uint64_t first = 0;

    for (unsigned i = 0; i < 3; i++) {
        struct machine *machine = make(3, 1, 2, 42);
        uint64_t hash = fingerprint(machine);

        cr_assert_eq(machine_destroy(machine), 0);
        if (i == 0)
            first = hash;
        cr_assert_eq(hash, first, "run %u", i);
    }
}

Test(machine, a_reset_gives_the_same_run_again)
{
    struct machine *machine = make(3, 1, 2, 7);
    uint64_t frames, first;

    (void)act(machine, 1, 0, &read_lsr);
    cr_assert_eq(machine_snapshot(machine), OK);
    frames = ram_frames_in_use();
    first = fingerprint(machine);
    for (unsigned i = 0; i < 3; i++) {
        machine_reset(machine);
        cr_assert_eq(ram_frames_in_use(), frames);
        cr_assert_eq(machine_exits(machine), 1);
        cr_assert_eq(fingerprint(machine), first, "run %u", i);
    }
    cr_assert_eq(machine_destroy(machine), 0);
}

Test(machine, a_reset_undoes_memory_registers_and_devices)
{
    struct machine *machine = make(1, 1, 1, 0);
    struct guest_op before = store8(SPEC_MEMORY + 0x1000, 0x11);
    struct guest_op after = store8(SPEC_MEMORY + 0x1000, 0x22);
    struct guest_op far = store8(SPEC_MEMORY + 0x300000, 0x33);
    struct guest_op read = load8(SPEC_MEMORY + 0x1000);
    struct guest_op read_far = load8(SPEC_MEMORY + 0x300000);
    struct guest_op set = {.kind = OP_SET_REG, .reg = REG_S1, .value = 5};
    char output[1024];

    (void)act(machine, 1, 0, &before);
    cr_assert_eq(machine_snapshot(machine), OK);
    strcpy(output, console_output(NULL));
    for (unsigned i = 0; i < 2; i++) {
        (void)act(machine, 1, 0, &after);
        (void)act(machine, 1, 0, &far);
        (void)act(machine, 1, 0, &set);
        console_write("lost", 4);
        cr_assert_eq(act(machine, 1, 0, &read).value, 0x22);
        machine_reset(machine);
        cr_assert_eq(act(machine, 1, 0, &read).value, 0x11);
        cr_assert_eq(act(machine, 1, 0, &read_far).value, 0);
        cr_assert_eq(machine_register(machine, 1, 0, REG_S1), 0);
        cr_assert_str_eq(console_output(NULL), output);
        cr_assert_null(machine_check_isolation(machine));
    }
    cr_assert_eq(machine_destroy(machine), 0);
}

Test(machine, a_wait_that_nothing_ends_is_pending)
{
    struct machine *machine = make(1, 1, 1, 0);

    cr_assert_eq(act(machine, 1, 0, &wait_op).outcome, OUTCOME_PENDING);
    cr_assert_eq(machine_run(machine, 1000), MACHINE_IDLE);
    cr_assert_eq(machine_inject(machine, 1, 0, IRQ_VS_SOFT), OK);
    (void)machine_run(machine, 1000);
    cr_assert_eq(machine_last_result(machine, 1, 0)->outcome, OUTCOME_RETIRED);
    cr_assert_eq(machine_run(machine, 1000), MACHINE_STARVED);
    cr_assert_eq(machine_inject(machine, 9, 0, IRQ_VS_SOFT), ERR_NOT_FOUND);
    cr_assert_eq(machine_inject(machine, 1, 0, 3), ERR_INVALID_INPUT);
    cr_assert_eq(machine_destroy(machine), 0);
}

/* A source that never ends. */
static const struct guest_op *endless(struct trap_source *source)
{
    return &read_lsr;
}

Test(machine, a_budget_ends_a_run_and_a_power_off_does)
{
    struct machine *machine = make(2, 1, 2, 1);
    struct trap_source sources[2] = {{.next = endless}, {.next = endless}};

    machine_set_source(machine, 1, 0, &sources[0]);
    machine_set_source(machine, 2, 0, &sources[1]);
    cr_assert_eq(machine_run(machine, 500), MACHINE_BUDGET);
    cr_assert_gt(machine_exits(machine), 490);
    host_power_off_impl(false);
    cr_assert_eq(machine_run(machine, 500), MACHINE_OFF);
    cr_assert_eq(machine_destroy(machine), 0);
}

Test(machine, destroying_it_at_any_time_leaks_nothing)
{
    for (uint64_t steps = 0; steps < 40; steps++) {
        struct machine *machine = make(2, 2, 2, steps);
        struct trap_source sources[2] = {{.next = endless}, {.next = endless}};

        machine_set_source(machine, 1, 0, &sources[0]);
        machine_set_source(machine, 2, 0, &sources[1]);
        (void)machine_run(machine, steps);
        cr_assert_eq(machine_destroy(machine), 0, "after %u steps",
                     (unsigned)steps);
    }
}

Test(machine, an_allocation_that_fails_anywhere_leaks_nothing)
{
    static struct machine_spec spec;
    struct machine_config config = {0};
    struct bundle bundle;
    bool failed = true;

    spec = (struct machine_spec){.vm_count = 2};
    spec_usual_vm(&spec.vms[0], 1, 2);
    spec_usual_vm(&spec.vms[1], 2, 1);
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    config.bundle = &bundle;
    for (uint64_t nth = 1; failed; nth++) {
        struct machine *machine = NULL;
        err_t error;

        cr_assert_lt(nth, 10000, "it never succeeds");
        /* machine_create() disarms what was armed before. */
        machine_fail_at_boot(nth);
        error = machine_create(&config, &machine);
        failed = shim_failed_calls() != 0;
        cr_assert(error == OK || error == ERR_NO_MEMORY, "allocation %u",
                  (unsigned)nth);
        if (error == OK)
            cr_assert_eq(machine_destroy(machine), 0, "allocation %u",
                         (unsigned)nth);
        cr_assert_eq(ram_frames_in_use(), 0, "allocation %u", (unsigned)nth);
    }
    machine_fail_at_boot(0);
    bundle_free(&bundle);
}

/*
 * Stage-2 tables that change under a guest's feet: it must notice, on whatever
 * CPU it is, and no stale translation may be used.
 */
Test(machine, tables_that_change_while_the_guest_runs)
{
    struct guest_op write = store8(SPEC_MEMORY + 0x1000, 0x11);
    struct guest_op read = load8(SPEC_MEMORY + 0x1000);

    violations_set_print(false);
    for (uint32_t cpus = 1; cpus <= 3; cpus++) {
        struct machine *machine = make(1, 1, cpus, cpus);
        struct aspace *memory = &vmm_find_vm(1)->aspace;
        gpa_t page = gpa(SPEC_MEMORY + 0x1000);

        cr_assert_eq(act(machine, 1, 0, &write).outcome, OUTCOME_RETIRED);
        cr_assert_eq(aspace_protect(memory, page, PAGE_SIZE, MEM_READ), OK);
        cr_assert_eq(act(machine, 1, 0, &write).cause, CAUSE_STORE_ACCESS);
        cr_assert_eq(act(machine, 1, 0, &read).value, 0x11);
        cr_assert_eq(aspace_protect(memory, page, PAGE_SIZE, MEM_RWX), OK);
        cr_assert_eq(act(machine, 1, 0, &write).outcome, OUTCOME_RETIRED);
        cr_assert_eq(aspace_unmap(memory, page, PAGE_SIZE), OK);
        cr_assert_eq(act(machine, 1, 0, &read).cause, CAUSE_LOAD_ACCESS);
        cr_assert_eq(aspace_map_lazy(memory, page, PAGE_SIZE, MEM_RWX, false),
                     OK);
        cr_assert_eq(act(machine, 1, 0, &read).value, 0);
        cr_assert_eq(violations_count(), 0, "%s", violations_last());
        cr_assert_eq(machine_destroy(machine), 0);
    }
}
