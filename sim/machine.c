/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated machine: see machine.h.
 *
 * A CPU that vmm_step() has given a vCPU is in its guest until its next turn;
 * other CPUs may have theirs in between. So the interleavings of a real
 * machine occur at the granularity of exits, and a kick that arrives in
 * between takes effect before the guest's next operation.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/machine_internal.h"
#include "sim/sim.h"
#include "trace/record.h"

/* How often time may be moved on without anything happening in a guest, unless
 * the configuration says otherwise. */
#define DEFAULT_PATIENCE 4096

static struct machine the_machine;
static uint64_t fail_at_boot;

static const struct guest_op *guest_next(struct trap_source *source)
{
    struct guest *guest = container_of(source, struct guest, own);

    return guest->busy ? &guest->op : NULL;
}

static void guest_done(struct trap_source *source,
                       const struct guest_result *result)
{
    struct guest *guest = container_of(source, struct guest, own);

    guest->result = *result;
    guest->busy = false;
}

/* The guest that (vm, vcpu) is, made at the first use. */
static struct guest *guest_at(struct machine *machine, vm_id vm, vcpu_id vcpu)
{
    struct guest *guests = machine->guests[vm];

    if (likely(guests != NULL))
        return &guests[vcpu];
    guests = calloc(MAX_VCPU_NUM, sizeof(*guests));
    if (guests == NULL)
        abort();
    for (unsigned i = 0; i < MAX_VCPU_NUM; i++) {
        guests[i].own.next = guest_next;
        guests[i].own.done = guest_done;
        guests[i].own.starved = true;
        guests[i].source = &guests[i].own;
    }
    machine->guests[vm] = guests;
    return &guests[vcpu];
}

static struct guest *guest_of(struct machine *machine, const struct vcpu *vcpu)
{
    return guest_at(machine, vcpu->config.vm_id, vcpu->config.id);
}

static void note_exit(struct guest *guest, const struct vcpu *vcpu)
{
    if (guest->exits < MACHINE_KINDS)
        guest->kinds[guest->exits] = vcpu->exit_kind;
    guest->exits++;
}

/* What vmm_step() decided for a CPU. */
static void place(struct machine *machine, uint32_t index, struct vcpu *vcpu)
{
    struct machine_cpu *cpu = &machine->cpu[index];

    cpu->vcpu = vcpu;
    cpu->guest = vcpu != NULL ? guest_of(machine, vcpu) : NULL;
    machine->arch->set_source(index, vcpu != NULL ? cpu->guest->source : NULL);
}

/* A guest's time on a CPU, then the hypervisor's. */
static void turn(struct machine *machine, uint32_t index)
{
    struct machine_cpu *cpu = &machine->cpu[index];
    struct vcpu *vcpu = cpu->vcpu;
    struct guest *guest = cpu->guest;
    struct vcpu *next;
    bool noted = false;

    cpus_set_current(index);
    if (likely(guest != NULL)) {
        vcpu->ops->world_switch(vcpu);
        machine->exits += !guest->source->starved;
        noted = guest->own.op != NULL;
    }
    cpu->started = true;
    next = trace_step(index);
    if (noted)
        note_exit(guest, vcpu);
    if (next != vcpu)
        place(machine, index, next);
}

static bool is_interrupted(uint32_t cpu)
{
    return cpus_is_kicked(cpu) || clock_timer_due(cpu) ||
           (cpu == 0 && console_has_interrupt());
}

static bool is_ready(const struct machine *machine, uint32_t index)
{
    const struct machine_cpu *cpu = &machine->cpu[index];

    if (cpu->guest != NULL && !cpu->guest->source->starved)
        return true;
    return !cpu->started || is_interrupted(index);
}

/* xorshift64*: the machine's own dice. */
static uint32_t draw(struct machine *machine, uint32_t below)
{
    uint64_t x = machine->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    machine->random = x;
    return (uint32_t)((x * UINT64_C(2685821657736338717)) >> 32) % below;
}

void machine_set_seed(struct machine *machine, uint64_t seed)
{
    machine->random = seed * 2 + 1;
}

/* A CPU that has something to do, or machine->cpus. */
static uint32_t pick(struct machine *machine)
{
    uint32_t first = machine->cpus == 1 ? 0 : draw(machine, machine->cpus);

    for (uint32_t i = 0; i < machine->cpus; i++) {
        uint32_t cpu = (first + i) % machine->cpus;

        if (is_ready(machine, cpu))
            return cpu;
    }
    return machine->cpus;
}

/* Whether any guest, wherever it is, has an operation left. */
static bool any_work(const struct machine *machine)
{
    for (vm_id id = 0; id < VMM_MAX_VMS; id++) {
        const struct guest *guests = machine->guests[id];
        const struct vm *vm = guests != NULL ? vmm_find_vm(id) : NULL;

        for (uint32_t i = 0; vm != NULL && i < vm->config.cpu_num; i++) {
            if (!guests[i].source->starved)
                return true;
        }
    }
    return false;
}

/* No CPU has anything to do: on to the next deadline. False: there is none, or
 * nothing has come of it for too long, or ever will. */
static bool pass_time(struct machine *machine)
{
    uint64_t next = UINT64_MAX;

    if (machine->idle_advances >= machine->patience || !any_work(machine))
        return false;

    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        uint64_t deadline = clock_next_deadline(cpu);

        if (deadline < next)
            next = deadline;
    }
    if (next == UINT64_MAX)
        return false;
    machine->idle_advances++;
    clock_set_nanos(next);
    return true;
}

bool machine_step(struct machine *machine)
{
    uint32_t cpu = pick(machine);
    const struct guest *guest;

    if (unlikely(cpu == machine->cpus)) {
        if (!pass_time(machine))
            return false;
        cpu = pick(machine);
        if (cpu == machine->cpus)
            return true;
    }
    guest = machine->cpu[cpu].guest;
    if (guest != NULL && !guest->source->starved)
        machine->idle_advances = 0;
    turn(machine, cpu);
    return true;
}

static bool any_in_guest(const struct machine *machine)
{
    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        if (machine->cpu[cpu].vcpu != NULL)
            return true;
    }
    return false;
}

enum machine_end machine_run(struct machine *machine, uint64_t steps)
{
    machine->idle_advances = 0;
    while (steps-- != 0) {
        if (unlikely(cpus_power() != POWER_ON))
            return MACHINE_OFF;
        if (!machine_step(machine))
            return any_in_guest(machine) ? MACHINE_STARVED : MACHINE_IDLE;
    }
    return MACHINE_BUDGET;
}

uint64_t machine_exits(const struct machine *machine)
{
    return machine->exits;
}

static struct vcpu *find_vcpu(vm_id vm_number, vcpu_id vcpu)
{
    const struct vm *vm = vmm_find_vm(vm_number);

    if (vm == NULL || vcpu >= vm->config.cpu_num)
        return NULL;
    return vm->vcpus[vcpu];
}

/* The CPU that is in a guest of `guest`, or machine->cpus. */
static uint32_t cpu_in(const struct machine *machine, const struct guest *guest)
{
    uint32_t cpu = 0;

    while (cpu < machine->cpus && machine->cpu[cpu].guest != guest)
        cpu++;
    return cpu;
}

void machine_set_source(struct machine *machine, vm_id vm, vcpu_id vcpu,
                        struct trap_source *source)
{
    struct guest *guest = guest_at(machine, vm, vcpu);
    uint32_t cpu = cpu_in(machine, guest);

    guest->source = source != NULL ? source : &guest->own;
    if (cpu < machine->cpus)
        machine->arch->set_source(cpu, guest->source);
}

err_t machine_do(struct machine *machine, vm_id vm, vcpu_id vcpu,
                 const struct guest_op *op, struct guest_result *result)
{
    struct guest *guest;
    uint64_t steps = machine->do_steps;

    if (find_vcpu(vm, vcpu) == NULL)
        return ERR_NOT_FOUND;
    guest = guest_at(machine, vm, vcpu);
    if (guest->source != &guest->own)
        return ERR_BAD_STATE;
    if (guest->busy)
        return ERR_BUSY;
    guest->op = *op;
    guest->busy = true;
    guest->own.starved = false;
    guest->exits = 0;
    guest->result = (struct guest_result){.outcome = OUTCOME_PENDING};
    machine->idle_advances = 0;
    while (guest->busy && steps-- != 0 && cpus_power() == POWER_ON &&
           machine_step(machine))
        ;
    guest->result.exits = guest->exits;
    *result = guest->result;
    return OK;
}

const struct guest_result *machine_last_result(struct machine *machine,
                                               vm_id vm, vcpu_id vcpu)
{
    return &guest_at(machine, vm, vcpu)->result;
}

uint32_t machine_last_exits(struct machine *machine, vm_id vm, vcpu_id vcpu,
                            uint8_t kinds[MACHINE_KINDS])
{
    const struct guest *guest = guest_at(machine, vm, vcpu);

    memcpy(kinds, guest->kinds, sizeof(guest->kinds));
    return guest->exits;
}

uint64_t machine_register(struct machine *machine, vm_id vm, vcpu_id vcpu,
                          unsigned reg)
{
    const struct vcpu *v = find_vcpu(vm, vcpu);

    if (v == NULL)
        return 0;
    return reg < v->ops->gpr_count ? v->ops->get_gpr(v, reg)
                                   : v->ops->get_pc(v);
}

/*
 * From outside of all CPUs: the one that is in the vCPU's guest must come out
 * to see it, as it would have to if another CPU did this.
 */
err_t machine_inject(struct machine *machine, vm_id vm, vcpu_id vcpu,
                     interrupt_vector vector)
{
    uint32_t cpu;

    if (find_vcpu(vm, vcpu) == NULL)
        return ERR_NOT_FOUND;
    cpu = cpu_in(machine, guest_at(machine, vm, vcpu));
    if (cpu < machine->cpus)
        host_kick_cpu_impl(cpu);
    return vmm_inject_interrupt(vm, vcpu, vector);
}

/* The bundle goes where a boot loader would put it. */
static err_t load_bundle(struct machine *machine, const struct bundle *bundle)
{
    size_t frames = (bundle->size + PAGE_SIZE - 1) / PAGE_SIZE;

    machine->bundle = memory_alloc_contiguous_impl(frames, PAGE_SIZE);
    if (hpa_is_none(machine->bundle))
        return ERR_NO_MEMORY;
    machine->bundle_frames = frames;
    memcpy(memory_phys_to_virt(machine->bundle), bundle->bytes, bundle->size);
    return OK;
}

static err_t boot(struct machine *machine, const struct machine_config *config)
{
    const struct bundle *bundle = config->bundle;
    struct vmm_boot boot = {
        .arch = machine->arch->ops,
        .config = memory_phys_to_virt(machine->bundle),
        .images = hpa_add(machine->bundle, bundle->images),
        .images_size = bundle->size - bundle->images,
        .power_off_when_done = config->power_off_when_done,
    };

    if (config->before_boot != NULL) {
        err_t error = config->before_boot(config->context, &boot);

        if (error != OK)
            return error;
    }
    return trace_init(&boot);
}

void machine_fail_at_boot(uint64_t nth)
{
    fail_at_boot = nth;
}

static void free_guests(struct machine *machine)
{
    for (unsigned vm = 0; vm < VMM_MAX_VMS; vm++) {
        free(machine->guests[vm]);
        machine->guests[vm] = NULL;
    }
}

err_t machine_create(const struct machine_config *config,
                     struct machine **machine)
{
    struct machine *made = &the_machine;
    uint32_t cpus = config->cpus != 0 ? config->cpus : 1;
    const struct sim_arch *arch =
        config->arch != NULL ? config->arch : sim_archs[0];
    err_t error;

    if (cpus > MAX_CPU_NUM)
        return ERR_INVALID_INPUT;
    sim_reset(cpus);
    ram_reset(config->ram);
    *made = (struct machine){.cpus = cpus, .arch = arch};
    arch->reset(config->profile, cpus);
    machine_set_seed(made, config->seed);
    made->patience =
        config->patience != 0 ? config->patience : DEFAULT_PATIENCE;
    made->do_steps =
        config->do_steps != 0 ? config->do_steps : MACHINE_DO_STEPS;
    error = arch->power_on(cpus);
    if (error == OK)
        error = load_bundle(made, config->bundle);
    if (fail_at_boot != 0)
        shim_fail_nth(fail_at_boot, "memory_alloc", false);
    if (error == OK)
        error = boot(made, config);
    shim_fail_never();
    if (error != OK) {
        (void)machine_destroy(made);
        return error;
    }
    *machine = made;
    return OK;
}

uint64_t machine_end_vms(struct machine *machine)
{
    for (uint32_t cpu = machine->cpus; cpu-- > 0;) {
        cpus_set_current(cpu);
        vmm_abandon_cpu(cpu);
    }
    vmm_fini();
    return ram_frames_in_use();
}

err_t machine_boot_again(struct machine *machine, const struct bundle *bundle)
{
    const struct machine_config config = {.bundle = bundle};

    if (bundle->size > machine->bundle_frames * PAGE_SIZE)
        return ERR_INVALID_INPUT;
    (void)machine_end_vms(machine);
    memcpy(memory_phys_to_virt(machine->bundle), bundle->bytes, bundle->size);
    return boot(machine, &config);
}

uint64_t machine_destroy(struct machine *machine)
{
    shim_fail_never();
    (void)machine_end_vms(machine);
    if (!hpa_is_none(machine->bundle))
        memory_free_contiguous_impl(machine->bundle, machine->bundle_frames);
    machine->bundle = HPA_NONE;
    machine->arch->power_off(machine->cpus);
    snapshot_drop(machine);
    free_guests(machine);
    return ram_frames_in_use();
}
