/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share: see harness.h. */
#include "fuzz/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/features.h"
#include "sim/clock.h"
#include "sim/console.h"
#include "sim/ram.h"
#include "sim/sim.h"
#include "vmm/internal.h"

/* How many turns of CPUs an input may take: some, and so many per operation. A
 * guest that makes an instruction again and again, as the hypervisor says it
 * is to, would otherwise cost what a thousand other inputs do. */
#define STEPS         64
#define STEPS_PER_OP  8
#define FUZZ_PATIENCE 4
#define FUZZ_RAM      (UINT64_C(32) << 20)

/* How often the slow checks are made: the walk of all tables, and the machine
 * taken apart to see whether something has leaked. */
#define RUNS_PER_WALK   256
#define RUNS_PER_REMAKE 16384

/* How often a bystander runs, by the input's sum, also if the target is
 * thorough: something else would happen. With it there are more vCPUs than CPUs
 * from the start, and their slices cost as much as what they do. */
#define INPUTS_PER_BYSTANDER 8

/* Where guests store something before the first input, and how often. */
#define FIRST_STORE_AT (SPEC_MEMORY + 0x1000)
#define ROUNDS         32

/* Longer than a slice. */
#define SETTLE_NS UINT64_C(100000000)

/* What the bystander's memory holds, and where. */
#define BYSTANDER_AT    (SPEC_MEMORY + 0x1000)
#define BYSTANDER_VALUE UINT64_C(0x5ca1ab1e0ddba11)

/* An actor, and what it is to do. */
struct fuzz_source {
    struct trap_source source;
    struct fuzz_actor actor;
    unsigned next, count; /* of the operations */
    uint64_t exits;       /* the machine's, when the operation began */
    struct guest_op ops[FUZZ_OPERATIONS];
};

static struct fuzz_source sources[FUZZ_ACTORS];

const char *fuzz_profile;
static struct machine *machine;
static uint64_t runs;

static bool is_time(uint64_t interval)
{
    return fuzz_is_thorough || runs % interval == 0;
}

struct guest_op *fuzz_add(struct fuzz_script *script)
{
    struct guest_op *op;

    if (script->count < FUZZ_SCRIPT)
        script->count++;
    op = &script->ops[script->count - 1];
    *op = (struct guest_op){.reg = OP_DEFAULT_REG};
    return op;
}

/* What prefixes the console's own commands, one of which powers off: those are
 * the host's user's. */
#define CONSOLE_ESCAPE 0x1d

static void type(const struct guest_op *op)
{
    uint8_t bytes[sizeof(op->value)];

    memcpy(bytes, &op->value, sizeof(bytes));
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        if (bytes[i] == CONSOLE_ESCAPE)
            bytes[i] = (uint8_t)~CONSOLE_ESCAPE;
    }
    (void)console_inject(bytes, op->width % (sizeof(bytes) + 1));
}

static void happen(const struct fuzz_actor *actor, const struct guest_op *op)
{
    if (op->kind == FUZZ_INJECT) {
        err_t refused = machine_inject(machine, actor->vm, actor->vcpu,
                                       (interrupt_vector)op->number);

        (void)refused;
        return;
    }
    type(op);
}

static const struct guest_op *next_op(struct trap_source *source)
{
    struct fuzz_source *fuzz = container_of(source, struct fuzz_source, source);

    while (fuzz->next < fuzz->count) {
        const struct guest_op *op = &fuzz->ops[fuzz->next++];

        if (op->kind != FUZZ_INJECT && op->kind != FUZZ_TYPE) {
            fuzz->exits = machine_exits(machine);
            return op;
        }
        happen(&fuzz->actor, op);
    }
    return NULL;
}

static void op_done(struct trap_source *source,
                    const struct guest_result *result)
{
    struct fuzz_source *fuzz = container_of(source, struct fuzz_source, source);

    features_of_operation(fuzz->actor.vm, fuzz->actor.vcpu, source->op,
                          fuzz->exits != machine_exits(machine), result);
}

/* Has the bystander load what it once stored. Its turn comes when the slices of
 * others are over, which may be many deadlines of their timers from now. */
static void ask_bystander(vm_id vm)
{
    struct guest_op op = {.kind = OP_LOAD,
                          .width = 8,
                          .reg = OP_DEFAULT_REG,
                          .address = BYSTANDER_AT};
    struct guest_result result;

    clock_set_nanos(clock_nanos() + SETTLE_NS);
    fuzz_need(machine_do(machine, vm, 0, &op, &result) == OK &&
                  result.outcome == OUTCOME_RETIRED,
              "the bystander cannot run any more");
    fuzz_need(result.value == BYSTANDER_VALUE,
              "the bystander's memory has changed");
}

static void resume_bystander(vm_id vm)
{
    fuzz_need(vmm_resume_vm(vmm_find_vm(vm)) == OK,
              "the bystander cannot be resumed");
}

/* Leaves it paused. */
static void prepare_bystander(vm_id vm)
{
    struct guest_op op = {.kind = OP_STORE,
                          .width = 8,
                          .reg = OP_DEFAULT_REG,
                          .flags = OP_HAS_VALUE,
                          .address = BYSTANDER_AT,
                          .value = BYSTANDER_VALUE};
    struct guest_result result;

    fuzz_need(machine_do(machine, vm, 0, &op, &result) == OK &&
                  result.outcome == OUTCOME_RETIRED,
              "there is no bystander");
    fuzz_need(vmm_pause_vm(vmm_find_vm(vm)) == OK,
              "the bystander cannot be paused");
    clock_set_nanos(clock_nanos() +
                    SETTLE_NS); /* others had slices meanwhile */
    (void)machine_run(machine, 16);
    fuzz_need(vmm_find_vm(vm)->state == VM_PAUSED, "the bystander runs on");
}

/* Whether the actors that run from the beginning, the first of their VMs, are
 * on CPUs, and the others have found out that they wait. */
static bool is_settled(const struct fuzz_setup *setup)
{
    for (unsigned i = 0; i < setup->actor_count; i++) {
        const struct fuzz_actor *actor = &setup->actors[i];
        enum place place = vmm_find_vm(actor->vm)->vcpus[actor->vcpu]->place;

        if (actor->vcpu == 0 ? place != PLACE_ON_CPU : place == PLACE_QUEUED)
            return false;
    }
    for (uint32_t cpu = 0; cpu < setup->cpus; cpu++) {
        if (clock_timer_due(cpu))
            return false;
    }
    return true;
}

static void do_first_op(const struct fuzz_actor *actor)
{
    struct guest_op op = {.kind = OP_STORE,
                          .width = 8,
                          .reg = OP_DEFAULT_REG,
                          .flags = OP_HAS_VALUE,
                          .address = FIRST_STORE_AT};
    struct guest_result result;

    if (actor->vcpu == 0)
        fuzz_need(machine_do(machine, actor->vm, 0, &op, &result) == OK &&
                      result.outcome == OUTCOME_RETIRED,
                  "a guest cannot run");
}

/* What the first instruction of a guest brings about, no input need: memory is
 * mapped, entries of its tables are accessed, it is on a CPU. */
static void warm_up(const struct fuzz_setup *setup)
{
    unsigned round = 0;

    do {
        for (unsigned i = 0; i < setup->actor_count; i++)
            do_first_op(&setup->actors[i]);
        (void)machine_run(machine, 4);
    } while (++round < ROUNDS && !is_settled(setup));
}

static void make_machine(const struct fuzz_setup *setup)
{
    static struct machine_spec spec;
    struct machine_config config = {
        .cpus = setup->cpus, .ram = FUZZ_RAM, .patience = FUZZ_PATIENCE};
    struct bundle bundle;

    spec = (struct machine_spec){0};
    setup->describe(&spec);
    fuzz_need(spec_build(&spec, &bundle) == OK,
              "the configuration is too large");
    config.arch = spec.arch;
    if (fuzz_profile != NULL)
        config.profile = sim_profile_find(spec.arch, fuzz_profile);
    config.bundle = &bundle;
    fuzz_need(machine_create(&config, &machine) == OK,
              "the machine cannot be made");
    bundle_free(&bundle);
    fuzz_need(vmm_find_vm(1) != NULL, console_output(NULL));
    (void)machine_run(machine, 16);
    if (setup->bystander != 0)
        prepare_bystander(setup->bystander);
    warm_up(setup);
    fuzz_need(machine_snapshot(machine) == OK, "no memory for the snapshot");
    ram_snapshot_watch();
    machine_reset(machine); /* TLBs know guests by their sources */
    violations_set_fatal(true);
}

static unsigned take_actor(struct fuzz_input *input, unsigned actors)
{
    return actors > 1 ? fuzz_pick(input, actors) : 0;
}

static void give(struct fuzz_source *fuzz, const struct fuzz_script *script,
                 unsigned *left)
{
    for (unsigned i = 0; i < script->count && *left != 0; i++) {
        fuzz->ops[fuzz->count++] = script->ops[i];
        --*left;
    }
}

/* Tells each actor what to do; returns how many operations that are. */
static unsigned decode_all(struct fuzz_input *input,
                           const struct fuzz_setup *setup)
{
    static struct fuzz_script script;
    unsigned left = FUZZ_OPERATIONS;

    for (unsigned i = 0; i < setup->actor_count; i++) {
        sources[i].source =
            (struct trap_source){.next = next_op, .done = op_done};
        sources[i].actor = setup->actors[i];
        sources[i].next = sources[i].count = 0;
    }
    while (left != 0 && !fuzz_is_empty(input)) {
        unsigned actor = take_actor(input, setup->actor_count);

        script.count = 0;
        setup->decode(input, &script);
        give(&sources[actor], &script, &left);
    }
    /* Nobody need find out that there is nothing to do. */
    for (unsigned i = 0; i < setup->actor_count; i++)
        sources[i].source.starved = sources[i].count == 0;
    return FUZZ_OPERATIONS - left;
}

static void set_sources(const struct fuzz_setup *setup, bool set)
{
    for (unsigned i = 0; i < setup->actor_count; i++)
        machine_set_source(machine, setup->actors[i].vm, setup->actors[i].vcpu,
                           set ? &sources[i].source : NULL);
}

/* What is to hold after each input, and what is too slow for that. */
static void check(const struct fuzz_setup *setup, bool has_bystander)
{
    const char *mixed;

    for (unsigned i = 0; i < setup->actor_count; i++) {
        if (i == 0 || setup->actors[i].vm != setup->actors[i - 1].vm)
            features_of_end(setup->actors[i].vm);
    }
    if (has_bystander)
        ask_bystander(setup->bystander);
    if (!is_time(RUNS_PER_WALK))
        return;
    mixed = machine_check_isolation(machine);
    fuzz_need(mixed == NULL, mixed);
}

int fuzz_run_setup(const uint8_t *data, size_t size,
                   const struct fuzz_setup *setup)
{
    struct fuzz_input input = {data, data + size};
    bool has_bystander = setup->bystander != 0 &&
                         fuzz_sum(data, size) % INPUTS_PER_BYSTANDER == 0;
    unsigned operations;

    if (machine == NULL)
        make_machine(setup);
    if (setup->actor_count > 1)
        machine_set_seed(machine, fuzz_take(&input, 1));
    operations = decode_all(&input, setup);
    set_sources(setup, true);
    if (has_bystander)
        resume_bystander(setup->bystander);
    (void)machine_run(machine, STEPS + STEPS_PER_OP * operations);
    set_sources(setup, false); /* nobody keeps the bystander waiting */
    check(setup, has_bystander);
    runs++;
    if (is_time(RUNS_PER_REMAKE)) {
        fuzz_need(machine_destroy(machine) == 0, "frames have leaked");
        machine = NULL;
    } else {
        machine_reset(machine);
    }
    return 0;
}

int fuzz_run(const uint8_t *data, size_t size,
             void (*describe)(struct machine_spec *spec), fuzz_decode decode)
{
    static const struct fuzz_actor only = {1, 0};
    const struct fuzz_setup setup = {describe, decode, 1, 1, &only, 0};

    return fuzz_run_setup(data, size, &setup);
}

int fuzz_run_guests(const uint8_t *data, size_t size,
                    void (*describe)(struct machine_spec *spec),
                    fuzz_decode decode, vm_id bystander)
{
    static const struct fuzz_actor actors[] = {{1, 0}, {2, 0}, {1, 1}, {2, 1}};
    const struct fuzz_setup setup = {describe,           decode, 2,
                                     ARRAY_SIZE(actors), actors, bystander};

    return fuzz_run_setup(data, size, &setup);
}

void fuzz_skip_step(struct fuzz_input *input, fuzz_decode decode, bool actors)
{
    static struct fuzz_script script;

    if (actors)
        (void)fuzz_take(input, 1);
    script.count = 0;
    decode(input, &script);
}
