/* SPDX-License-Identifier: Apache-2.0 */
/* See trace_rig.h. */
#include "support/trace_rig.h"

#include <criterion/criterion.h>
#include <string.h>

#include "arch/riscv64/csr.h"
#include "sim/clock.h"
#include "sim/console.h"
#include "sim/sim.h"
#include "sim/spec.h"

#define SBI_TIME 0x54494d45
#define SBI_IPI  0x735049
#define SBI_RFNC 0x52464e43
#define SBI_HSM  0x48534d
#define SBI_DBCN 0x4442434e
#define SBI_BASE 0x10

/* Guests of one kind, each with its own dice. */
struct actor {
    struct trap_source source;
    uint64_t random;
    struct guest_op op, place;
    unsigned waits; /* operations left of a wait for the timer */
    bool placed;    /* the pc is where `op` belongs */
    uint64_t done;
};

static uint32_t draw(struct actor *actor, uint32_t below)
{
    actor->random = actor->random * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(actor->random >> 33) % below;
}

/* What guests do: a table of operations, some with something drawn. */
static const struct guest_op ops[] = {
    {.kind = OP_ECALL, .args = {[7] = SBI_BASE}},
    {.kind = OP_ECALL, .args = {[6] = 3, [0] = SBI_DBCN, [7] = SBI_BASE}},
    {.kind = OP_LOAD, .width = 1, .reg = 15, .address = SPEC_UART + 5},
    {.kind = OP_STORE,
     .width = 1,
     .reg = 15,
     .flags = OP_HAS_VALUE,
     .address = SPEC_UART},
    {.kind = OP_LOAD, .width = 1, .reg = 15, .address = RIG_UART_SCRATCH},
    {.kind = OP_STORE,
     .width = 1,
     .reg = 15,
     .flags = OP_HAS_VALUE,
     .address = RIG_UART_SCRATCH},
    {.kind = OP_LOAD, .width = 4, .reg = 10, .address = SPEC_PLIC + 4},
    {.kind = OP_STORE,
     .width = 4,
     .reg = 11,
     .flags = OP_HAS_VALUE,
     .address = SPEC_PLIC + 4},
    {.kind = OP_LOAD, .width = 4, .reg = 12, .address = SPEC_VIRTIO},
    {.kind = OP_STORE,
     .width = 8,
     .reg = 13,
     .flags = OP_HAS_VALUE,
     .address = SPEC_MEMORY},
    {.kind = OP_LOAD, .width = 8, .reg = 14, .address = SPEC_MEMORY},
    {.kind = OP_ECALL, .args = {[0] = 1, [7] = SBI_IPI}},
    {.kind = OP_ECALL, .args = {[0] = 3, [6] = 1, [7] = SBI_RFNC}},
    {.kind = OP_ECALL, .args = {[0] = 1, [1] = SPEC_MEMORY, [7] = SBI_HSM}},
    {.kind = OP_WFI},
    {.kind = OP_DELAY, .value = 40000},
    {.kind = OP_FP, .reg = 3, .value = 17},
    {.kind = OP_CSR_READ, .number = 0xc01, .reg = 9},
    {.kind = OP_LOAD, .width = 4, .reg = 7, .address = 0x40000000},
    {.kind = OP_ECALL, .args = {[0] = 8, [1] = SPEC_MEMORY, [7] = SBI_DBCN}},
};

/* After its end has been set, a wait for the timer, last operation first. */
static const struct guest_op wait = {.kind = OP_WFI};
static const struct guest_op enable = {.kind = OP_CSR_WRITE,
                                       .flags = OP_HAS_VALUE,
                                       .reg = 15,
                                       .number = CSR_sie,
                                       .value = BIT(IRQ_S_TIMER)};
static const struct guest_op *const wait_ops[] = {&wait, &enable};

static void choose(struct actor *actor)
{
    uint32_t row = draw(actor, ARRAY_SIZE(ops));

    if (actor->waits != 0) {
        actor->op = *wait_ops[--actor->waits];
        return;
    }
    actor->op = ops[row];
    if (actor->op.kind == OP_WFI) {
        actor->op = (struct guest_op){.kind = OP_ECALL, .args[7] = SBI_TIME};
        actor->op.args[0] = clock_ticks() + draw(actor, 5000);
        actor->waits = ARRAY_SIZE(wait_ops);
    }
    if ((actor->op.flags & OP_HAS_VALUE) != 0)
        actor->op.value = draw(actor, 256);
    if (actor->op.kind == OP_ECALL && actor->op.args[7] == SBI_HSM)
        actor->op.args[0] = draw(actor, 3);
    if (actor->op.address == SPEC_MEMORY)
        actor->op.address += (uint64_t)draw(actor, 1024) * 4096;
}

/* Each operation has its place in the code, to which the guest jumps first. */
static const struct guest_op *actor_next(struct trap_source *source)
{
    struct actor *actor = container_of(source, struct actor, source);

    actor->placed = !actor->placed;
    if (!actor->placed)
        return &actor->op;
    choose(actor);
    actor->place = (struct guest_op){.kind = OP_SET_PC};
    actor->place.address =
        SPEC_MEMORY + 64 * (uint64_t)(actor->op.kind + actor->op.args[7] % 97);
    return &actor->place;
}

static void actor_done(struct trap_source *source,
                       const struct guest_result *result)
{
    struct actor *actor = container_of(source, struct actor, source);

    actor->done++;
}

static err_t start_recording(void *context, const struct vmm_boot *boot)
{
    return recording_start(boot, context);
}

/* `sink`: of a recording, or NULL. */
static struct machine *power_on(const struct rig_run *run,
                                struct trace_sink *sink)
{
    static struct machine_spec spec;
    struct machine_config config = {.cpus = run->cpus, .seed = run->seed};
    struct machine *machine = NULL;
    struct bundle bundle;
    err_t error;

    memset(&spec, 0, sizeof(spec));
    spec.vm_count = run->vms;
    for (uint32_t vm = 0; vm < run->vms; vm++)
        spec_usual_vm(&spec.vms[vm], vm + 1, run->vcpus);
    error = spec_build(&spec, &bundle);
    cr_assert_eq(error, OK);
    config.bundle = &bundle;
    if (sink != NULL)
        config.before_boot = start_recording;
    config.context = sink;
    error = machine_create(&config, &machine);
    bundle_free(&bundle);
    cr_assert_eq(error, OK, "%s", error_text(error));
    return machine;
}

static void run_guests(struct machine *machine, const struct rig_run *run)
{
    static struct actor actors[SPEC_MAX_VMS][MAX_VCPU_NUM];

    for (uint32_t vm = 0; vm < run->vms; vm++) {
        for (uint32_t vcpu = 0; vcpu < run->vcpus; vcpu++) {
            struct actor *actor = &actors[vm][vcpu];

            *actor = (struct actor){.source = {actor_next, actor_done}};
            actor->random = run->seed * 977 + vm * 64 + vcpu;
            machine_set_source(machine, vm + 1, vcpu, &actor->source);
        }
    }
    for (uint64_t step = 0; step < run->steps; step += 1000) {
        uint64_t left = run->steps - step;

        (void)console_inject("x", 1);
        (void)machine_run(machine, left < 1000 ? left : 1000);
    }
}

void rig_record(const struct rig_run *run, struct recording_buffer *trace)
{
    struct trace_sink sink = recording_sink(trace);
    struct machine *machine = power_on(run, &sink);

    run_guests(machine, run);
    recording_stop(TRACE_END_STOPPED);
    cr_assert_not(trace->failed);
    cr_assert_eq(machine_destroy(machine), 0);
}

uint64_t rig_run_unrecorded(const struct rig_run *run)
{
    struct machine *machine = power_on(run, NULL);
    uint64_t exits;

    run_guests(machine, run);
    exits = machine_exits(machine);
    cr_assert_eq(machine_destroy(machine), 0);
    return exits;
}

bool rig_replay(struct recording_buffer *trace,
                const struct replay_options *options,
                struct replay_result *result)
{
    static const struct replay_options all;
    struct trace_source source;
    struct trace_decoder *decoder;
    bool identical;

    trace->read = 0;
    source = recording_source(trace);
    *result = (struct replay_result){0};
    decoder = trace_decoder_open(&source, result->error);
    if (decoder == NULL)
        return false;
    identical = replay_run(decoder, options != NULL ? options : &all, result);
    trace_decoder_close(decoder);
    return identical;
}
