/* SPDX-License-Identifier: Apache-2.0 */
/* Runs guests and compares: see world.h. */
#include "hv/interrupts/world.h"

#include <stdarg.h>
#include <stdio.h>

#include "sim/machine_internal.h"
#include "sim/sim.h"
#include "support/machine.h"
#include "vmm/internal.h"

/* Far more turns than anything that comes to an end takes. */
#define PATIENCE 4000

/* A register that nobody uses: a reset clears it. */
#define MARK_REG   27
#define MARK_VALUE 0x5a5a

bool world_fail(struct world *world, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(world->failure, sizeof(world->failure), format, args);
    va_end(args);
    return false;
}

struct model_vm *who_vm(struct who who)
{
    return &who.world->model.vm[who.vm];
}

struct model_hart *who_hart(struct who who)
{
    return &who_vm(who)->hart[who.hart];
}

static struct hart *hart_of(struct who who)
{
    return &who.world->hart[who.vm][who.hart];
}

static struct vcpu *vcpu_of(struct who who)
{
    return vmm_find_vm(WORLD_VM_ID(who.vm))->vcpus[who.hart];
}

static const struct guest_op *hart_next(struct trap_source *source)
{
    struct hart *hart = container_of(source, struct hart, source);

    return hart->busy ? &hart->op : NULL;
}

static void hart_done(struct trap_source *source,
                      const struct guest_result *result)
{
    struct hart *hart = container_of(source, struct hart, source);

    hart->result = *result;
    hart->busy = false;
}

/* What it was doing is lost with it. */
static void forget(struct hart *hart)
{
    hart->source = (struct trap_source){
        .next = hart_next, .done = hart_done, .starved = true};
    hart->busy = false;
}

void world_begin(struct world *world, struct machine *on, uint32_t cpus,
                 bool sstc, uint64_t seed)
{
    uint32_t harts[MODEL_VMS];

    *world = (struct world){.machine = on, .cpus = cpus};
    for (unsigned vm = 0; vm < MODEL_VMS; vm++) {
        harts[vm] = vmm_find_vm(WORLD_VM_ID(vm))->config.cpu_num;
        for (uint32_t h = 0; h < harts[vm]; h++) {
            forget(&world->hart[vm][h]);
            machine_set_source(on, WORLD_VM_ID(vm), h,
                               &world->hart[vm][h].source);
        }
    }
    on->random = seed * 2 + 1;
    model_init(&world->model, sstc, harts);
}

static void note_time(struct world *world, bool settled)
{
    model_pass_time(&world->model, clock_ticks(), settled);
}

void world_pass_time(struct world *world, uint64_t nanos)
{
    clock_set_nanos(clock_nanos() + nanos);
    note_time(world, false);
}

/* ---- interrupts that were taken ----------------------------------------- */

/* The hart is about to do something: an interrupt that must be taken has been,
 * or will be, before it does. */
static void begin(struct who who)
{
    struct model_hart *hart = who_hart(who);

    note_time(who.world, false);
    hart_of(who)->must_take =
        hart->enabled
            ? model_must_pend(&who.world->model, who_vm(who), who.hart) &
                  hart->sie
            : 0;
}

/* It has: the interrupts that it took meanwhile are `taken`. */
static bool end(struct who who, uint64_t taken)
{
    struct model_hart *hart = who_hart(who);
    uint64_t must = hart_of(who)->must_take;

    note_time(who.world, false);
    if ((taken & ~hart->may_take) != 0)
        return world_fail(who.world,
                          "VM %u hart %u took interrupts %#llx, could only "
                          "take %#llx",
                          WORLD_VM_ID(who.vm), who.hart,
                          (unsigned long long)taken,
                          (unsigned long long)hart->may_take);
    if ((taken & (taken - 1)) != 0)
        return world_fail(who.world, "VM %u hart %u took two interrupts: %#llx",
                          WORLD_VM_ID(who.vm), who.hart,
                          (unsigned long long)taken);
    if (taken == 0 && must != 0)
        return world_fail(
            who.world, "VM %u hart %u did not take its interrupt %#llx",
            WORLD_VM_ID(who.vm), who.hart, (unsigned long long)must);
    if (taken != 0)
        hart->enabled = false;
    hart->may_take = 0;
    note_time(who.world, false);
    who.world->taken += taken != 0;
    if (vcpu_of(who)->cpu != hart_of(who)->cpu)
        who.world->migrations++;
    hart_of(who)->cpu = vcpu_of(who)->cpu;
    return true;
}

/* ---- operations --------------------------------------------------------- */

static void submit(struct who who, struct guest_op op)
{
    struct hart *hart = hart_of(who);

    begin(who);
    hart->op = op;
    hart->busy = true;
    hart->source.starved = false;
    who.world->machine->idle_advances = 0;
    who.world->operations++;
}

/* One turn of the machine; false: nothing will ever happen again. */
static bool step(struct who who)
{
    if (!machine_step(who.world->machine))
        return world_fail(who.world, "VM %u hart %u is stuck in '%s'",
                          WORLD_VM_ID(who.vm), who.hart,
                          guest_op_name(hart_of(who)->op.kind));
    return true;
}

static bool give_up(struct who who)
{
    return world_fail(who.world, "VM %u hart %u does not get done with '%s'",
                      WORLD_VM_ID(who.vm), who.hart,
                      guest_op_name(hart_of(who)->op.kind));
}

/* Runs until the hart is done, or `until` says that it will not be. */
static bool run(struct who who, bool (*until)(struct who who))
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (!hart_of(who)->busy || (until != NULL && until(who)))
            return true;
        if (!step(who))
            return false;
    }
    return give_up(who);
}

bool world_do(struct who who, struct guest_op op, struct guest_result *result)
{
    submit(who, op);
    if (!run(who, NULL))
        return false;
    if (hart_of(who)->result.outcome != OUTCOME_RETIRED)
        return world_fail(who.world, "VM %u hart %u: '%s' ended as %s",
                          WORLD_VM_ID(who.vm), who.hart, guest_op_name(op.kind),
                          guest_outcome_name(hart_of(who)->result.outcome));
    if (result != NULL)
        *result = hart_of(who)->result;
    return end(who, hart_of(who)->result.interrupts);
}

static bool is_blocked(struct who who)
{
    return vcpu_of(who)->state == VCPU_BLOCKED;
}

/*
 * The wait is over: it must have had a reason. What ended it some time ago may
 * have been taken since.
 */
static bool finish_wait(struct who who)
{
    struct model_hart *hart = who_hart(who);
    uint64_t may_take;

    note_time(who.world, false);
    may_take = hart->may_take;
    if (!hart->notified)
        return world_fail(who.world, "VM %u hart %u woke up for no reason",
                          WORLD_VM_ID(who.vm), who.hart);
    hart->waiting = false;
    hart->suspended = false;
    who.world->woken++;
    if (!end(who, hart_of(who)->result.interrupts))
        return false;
    if (hart->enabled)
        hart->may_take |= may_take;
    return true;
}

/* The hart may go on at once for something that was over before, but not
 * again and again. */
bool world_wait(struct who who, struct guest_op op, bool suspended)
{
    struct model_hart *hart = who_hart(who);

    for (unsigned i = 0; i < 2; i++) {
        submit(who, op);
        hart->waiting = true;
        hart->notified = i == 0;
        if (!run(who, is_blocked))
            return false;
        if (hart_of(who)->busy) {
            hart->suspended = suspended;
            hart->notified = false;
            note_time(who.world, false);
            return true;
        }
        if (!finish_wait(who))
            return false;
    }
    return true;
}

static bool is_off(struct who who)
{
    return !atomic_load(&vcpu_of(who)->powered);
}

bool world_stop(struct who who, struct guest_op op)
{
    submit(who, op);
    if (!run(who, is_off))
        return false;
    if (hart_of(who)->busy != true)
        return world_fail(who.world, "VM %u hart %u goes on after it stopped",
                          WORLD_VM_ID(who.vm), who.hart);
    forget(hart_of(who));
    model_stop(who_vm(who), who.hart);
    return true;
}

static bool is_reset(struct who who)
{
    const struct vm *vm = vmm_find_vm(WORLD_VM_ID(who.vm));
    const struct vcpu *first = vm->vcpus[0];

    return vm->state == VM_RUNNING &&
           first->ops->get_gpr(first, MARK_REG) != MARK_VALUE;
}

static void restart_vm(void *context)
{
    err_t error = vmm_restart_vm(vmm_find_vm(*(vm_id *)context));

    cr_assert_eq(error, OK);
}

bool world_reset(struct who who, const struct guest_op *op)
{
    struct vcpu *first = vmm_find_vm(WORLD_VM_ID(who.vm))->vcpus[0];
    vm_id id = WORLD_VM_ID(who.vm);

    first->ops->set_gpr(first, MARK_REG, MARK_VALUE);
    if (op != NULL)
        submit(who, *op);
    else if (!world_host_call(who.world, who.hart % who.world->cpus, restart_vm,
                              &id))
        return false;
    for (unsigned i = 0; !is_reset(who); i++) {
        if (i == PATIENCE)
            return give_up(who);
        if (!step(who))
            return false;
    }
    for (uint32_t h = 0; h < who_vm(who)->harts; h++)
        forget(&who.world->hart[who.vm][h]);
    /* A device's own reset lowers its line. */
    who_vm(who)->plic.line[SPEC_UART_IRQ] = false;
    model_reset(who_vm(who));
    return true;
}

/* ---- the host ----------------------------------------------------------- */

struct host_call {
    void (*call)(void *);
    void *context;
    bool done;
};

static void fire_call(void *context, uint64_t now_ns)
{
    struct host_call *call = context;

    call->call(call->context);
    call->done = true;
}

/* Whether some CPU is interrupted. */
static bool unsettled(const struct world *world)
{
    for (uint32_t cpu = 0; cpu < world->cpus; cpu++) {
        if (cpus_is_kicked(cpu) || clock_timer_due(cpu))
            return true;
    }
    return false;
}

bool world_host_call(struct world *world, uint32_t cpu, void (*call)(void *),
                     void *context)
{
    struct host_call host_call = {call, context, false};
    uint64_t timer;

    cpus_set_current(cpu);
    timer = time_register_timer(0, fire_call, &host_call);
    if (timer == TIMER_NONE)
        return world_fail(world, "no timer left");
    while (!host_call.done)
        (void)machine_step(world->machine);
    return true;
}

bool world_settle(struct world *world)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (!unsettled(world)) {
            note_time(world, true);
            return true;
        }
        (void)machine_step(world->machine);
    }
    return world_fail(world, "the CPUs kick each other for ever");
}

/* ---- comparing ---------------------------------------------------------- */

static bool check_hart(struct who who)
{
    struct model_hart *hart = who_hart(who);

    if (is_off(who) == hart->on)
        return world_fail(who.world, "VM %u hart %u is %s", WORLD_VM_ID(who.vm),
                          who.hart, hart->on ? "off" : "on");
    if (hart->waiting && !hart_of(who)->busy)
        return finish_wait(who);
    return true;
}

bool world_check(struct world *world)
{
    note_time(world, false);
    if (violations_count() != 0)
        return world_fail(world, "violation: %s", violations_last());
    for (unsigned vm = 0; vm < MODEL_VMS; vm++) {
        if (vmm_find_vm(WORLD_VM_ID(vm))->state != VM_RUNNING)
            return world_fail(world, "VM %u is not running", WORLD_VM_ID(vm));
        for (uint32_t h = 0; h < world->model.vm[vm].harts; h++) {
            if (!check_hart((struct who){world, vm, h}))
                return false;
        }
    }
    return true;
}

/* A hart that waits, and must not. */
static bool must_wake(struct who who)
{
    return (model_must_pend(&who.world->model, who_vm(who), who.hart) &
            who_hart(who)->sie) != 0;
}

static bool look_at_waiting(struct who who)
{
    if (!must_wake(who))
        return true;
    who.world->machine->idle_advances = 0;
    return run(who, NULL) && finish_wait(who);
}

bool world_look(struct who who)
{
    const struct guest_op read_sip = {
        .kind = OP_CSR_READ, .number = CSR_sip, .reg = OP_DEFAULT_REG};
    struct guest_result result;
    uint64_t must, may;

    if (!world_settle(who.world) || !world_check(who.world))
        return false;
    if (!who_hart(who)->on)
        return true;
    if (who_hart(who)->waiting)
        return look_at_waiting(who);
    must = model_must_pend(&who.world->model, who_vm(who), who.hart);
    if (!world_do(who, read_sip, &result))
        return false;
    may = model_may_pend(&who.world->model, who_vm(who), who.hart);
    if ((must & ~result.value) != 0 || (result.value & ~may) != 0)
        return world_fail(who.world,
                          "VM %u hart %u sees sip %#llx; must see %#llx, may "
                          "see %#llx",
                          WORLD_VM_ID(who.vm), who.hart,
                          (unsigned long long)result.value,
                          (unsigned long long)must, (unsigned long long)may);
    return true;
}
