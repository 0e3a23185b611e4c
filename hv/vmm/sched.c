/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: round robin over one queue of vCPUs that could run. A CPU
 * takes the first that may run on it; while others wait, a vCPU runs for
 * SLICE_NS at a time. Without waiting vCPUs there is no tick.
 *
 * Nothing is lost between deciding to block and being Blocked: whoever makes
 * an interrupt pending first publishes it, then, under the scheduler's lock,
 * either finds the vCPU Blocked and wakes it, or leaves wake_pending, which
 * the vCPU looks at under the same lock before it becomes Blocked.
 */
#include "api/arch.h"
#include "api/time.h"
#include "lib/check.h"
#include "vmm/internal.h"

static struct vm *vm_of(const struct vcpu *vcpu)
{
    return vcpu->config.vm;
}

static struct vcpu *queue_entry(struct list *link)
{
    return list_entry(link, struct vcpu, run_link);
}

/* The longest waiting vCPU that may run on `cpu`, or NULL. */
static struct vcpu *first_for(const struct vmm_cpu *cpu)
{
    list_for_each (link, &vmm->queue) {
        if (vcpu_may_run_on(queue_entry(link), cpu->index))
            return queue_entry(link);
    }
    return NULL;
}

/* Makes a CPU look at the queue: at once if it idles, otherwise so that it
 * begins to count slices. */
static bool rouse(struct vmm_cpu *cpu, const struct vcpu *waiting)
{
    if (!vcpu_may_run_on(waiting, cpu->index))
        return false;
    if (cpu->idle) {
        cpu->idle = false;
        host_kick_cpu(cpu->index);
        return true;
    }
    if (!cpu->slice_armed && cpu->current != NULL) {
        vcpu_request(cpu->current, VCPU_REQUEST_YIELD);
        if (atomic_load(&cpu->current->in_guest))
            host_kick_cpu(cpu->index);
    }
    return false;
}

/* Queues a vCPU, for the CPU it was on before if that one idles. */
void sched_enqueue(struct vcpu *vcpu)
{
    struct vmm_cpu *home = &vmm->cpus[vcpu->cpu];

    if (vm_of(vcpu)->state != VM_RUNNING) {
        vcpu->place = PLACE_PARKED;
        return;
    }
    vcpu->place = PLACE_QUEUED;
    list_append(&vmm->queue, &vcpu->run_link);
    if (home->idle && rouse(home, vcpu))
        return;
    for (uint32_t i = 0; i < vmm->cpu_count; i++) {
        if (rouse(&vmm->cpus[i], vcpu))
            return;
    }
}

static void cancel_wake_timer(struct vcpu *vcpu)
{
    if (vcpu->wake_timer == TIMER_NONE)
        return;
    err_t fired = time_cancel_timer(vcpu->wake_timer);
    (void)fired; /* too late is as good */
    vcpu->wake_timer = TIMER_NONE;
}

static void wake(struct vcpu *vcpu)
{
    err_t error = vcpu_wake(vcpu);

    CHECK(error == OK);
    cancel_wake_timer(vcpu);
    sched_enqueue(vcpu);
}

void sched_end_wait(struct vcpu *vcpu)
{
    if (vcpu->place != PLACE_BLOCKED)
        return;
    cancel_wake_timer(vcpu);
    vcpu->place = PLACE_PARKED;
}

void sched_notify(struct vcpu *vcpu)
{
    /* Its own exit is being handled here: it looks before it enters again. */
    if (vmm->cpus[host_current_cpu()].current == vcpu)
        return;
    if (atomic_load(&vcpu->in_guest)) {
        host_kick_cpu(vcpu->cpu);
        return;
    }
    spin_lock(&vmm->lock);
    if (vcpu->place == PLACE_BLOCKED)
        wake(vcpu);
    else
        vcpu->wake_pending = true;
    spin_unlock(&vmm->lock);
}

err_t sched_power_on(struct vcpu *vcpu, const struct vcpu_setup *setup)
{
    err_t error = OK;

    spin_lock(&vmm->lock);
    if (atomic_load(&vcpu->powered))
        error = ERR_BAD_STATE;
    else if (vcpu->state != VCPU_CREATED)
        error = vcpu_reset(vcpu);
    if (error == OK)
        error = vcpu_setup(vcpu, setup);
    if (error == OK) {
        atomic_store(&vcpu->powered, true);
        sched_enqueue(vcpu);
    }
    spin_unlock(&vmm->lock);
    return error;
}

/*
 * The vCPU's CPU works on it no longer. Returns the VM if that was the last
 * vCPU that kept it from stopping or pausing; finish it without the lock.
 */
static struct vm *take_off_cpu(struct vmm_cpu *cpu, struct vcpu *vcpu)
{
    struct vm *vm = vm_of(vcpu);

    cpu->current = NULL;
    vm->on_cpu--;
    return vm->on_cpu == 0 && vm->state != VM_RUNNING ? vm : NULL;
}

static void fault(struct vcpu *vcpu, const char *doing, err_t error)
{
    vm_request_stop(vm_of(vcpu), VM_STOP_FAULT, "vCPU %u: %s: %s",
                    vcpu->config.id, doing, error_text(error));
}

static void unbind(struct vcpu *vcpu)
{
    err_t error = vcpu_unbind(vcpu);

    if (error != OK)
        fault(vcpu, "unbind", error);
}

static void wake_by_timer(void *context, uint64_t now_ns)
{
    struct vcpu *vcpu = context;

    (void)now_ns;
    spin_lock(&vmm->lock);
    vcpu->wake_timer = TIMER_NONE;
    if (vcpu->place == PLACE_BLOCKED)
        wake(vcpu);
    spin_unlock(&vmm->lock);
}

/* Whether the vCPU, bound and Ready, has a reason to go on. The scheduler's
 * lock is not held: an interrupt controller's comes before it. */
static bool has_reason_to_run(struct vcpu *vcpu)
{
    uint32_t requests = atomic_exchange(&vcpu->requests, 0);
    err_t error = vcpu->ops->prepare(vcpu, requests);

    if (error != OK)
        fault(vcpu, "prepare", error);
    return error != OK || vcpu->ops->has_wakeup(vcpu);
}

/* False when something has come up since. */
static bool try_block(struct vcpu *vcpu)
{
    uint64_t deadline;
    err_t error;

    if (vcpu->wake_pending || atomic_load(&vcpu->requests) != 0) {
        vcpu->wake_pending = false;
        return false;
    }
    deadline = vcpu->ops->wakeup_deadline(vcpu);
    if (deadline != UINT64_MAX) {
        vcpu->wake_timer = time_register_timer(deadline, wake_by_timer, vcpu);
        if (vcpu->wake_timer == TIMER_NONE)
            return false; /* no timer left: it polls instead */
    }
    unbind(vcpu);
    error = vcpu_block(vcpu);
    if (error != OK)
        return false;
    vcpu->place = PLACE_BLOCKED;
    return true;
}

static struct vm *block(struct vmm_cpu *cpu, struct vcpu *vcpu)
{
    struct vm *done = NULL;

    if (has_reason_to_run(vcpu))
        return NULL;
    spin_lock(&vmm->lock);
    if (vm_of(vcpu)->state == VM_RUNNING && try_block(vcpu))
        done = take_off_cpu(cpu, vcpu);
    spin_unlock(&vmm->lock);
    return done;
}

static struct vm *power_off(struct vmm_cpu *cpu, struct vcpu *vcpu)
{
    struct vm *done;

    spin_lock(&vmm->lock);
    unbind(vcpu);
    vcpu->place = PLACE_OFF;
    atomic_store(&vcpu->powered, false);
    done = take_off_cpu(cpu, vcpu);
    spin_unlock(&vmm->lock);
    return done;
}

/* The VM has a reason to stop: it does, if another CPU has not seen to it. */
static void stop(struct vm *vm)
{
    err_t error = vmm_stop_vm(vm, vm->stop, vm->reason);

    CHECK(error == OK);
}

void sched_settle(struct vmm_cpu *cpu, struct vcpu *vcpu, enum verdict verdict)
{
    struct vm *done = NULL;
    err_t error = vcpu_leave(vcpu);

    CHECK(error == OK);
    if (verdict == VERDICT_BLOCK)
        done = block(cpu, vcpu);
    else if (verdict == VERDICT_POWER_OFF)
        done = power_off(cpu, vcpu);
    if (vm_of(vcpu)->stop != VM_STOP_NONE)
        stop(vm_of(vcpu));
    if (done != NULL)
        vmm_finish_stop(done);
}

/* Lets the host handle what is pending on this CPU. */
static void poll_host(void)
{
    uint32_t irq;

    while ((irq = arch_fetch_irq()) != HOST_IRQ_NONE) {
        arch_handle_irq(irq);
        if (irq == HOST_IRQ_CONSOLE)
            console_poll();
    }
}

static void end_slice(void *context, uint64_t now_ns)
{
    struct vmm_cpu *cpu = context;

    (void)now_ns;
    cpu->slice_armed = false;
    cpu->slice_over = true;
}

static void arm_slice(struct vmm_cpu *cpu)
{
    if (cpu->slice_armed || first_for(cpu) == NULL)
        return;
    cpu->slice_armed = time_register_timer(time_nanos() + SLICE_NS, end_slice,
                                           cpu) != TIMER_NONE;
}

/* Takes `vcpu` from the queue and loads it. */
static void bind(struct vmm_cpu *cpu, struct vcpu *vcpu)
{
    err_t error;

    list_remove(&vcpu->run_link);
    vcpu->place = PLACE_ON_CPU;
    cpu->current = vcpu;
    vm_of(vcpu)->on_cpu++;
    error = vcpu_bind(vcpu);
    if (error != OK)
        fault(vcpu, "bind", error);
}

/* Puts the current vCPU back into the queue, or aside if its VM must stop. */
static struct vm *release_current(struct vmm_cpu *cpu)
{
    struct vcpu *vcpu = cpu->current;
    struct vm *done;

    if (vcpu->state == VCPU_READY)
        unbind(vcpu);
    done = take_off_cpu(cpu, vcpu);
    sched_enqueue(vcpu);
    return done;
}

/*
 * Decides who runs on `cpu`, and loads it. Returns a VM that has come to rest
 * by that.
 */
static struct vm *choose(struct vmm_cpu *cpu)
{
    struct vm *done = NULL;
    struct vcpu *next;

    spin_lock(&vmm->lock);
    if (cpu->current != NULL && (vm_of(cpu->current)->state != VM_RUNNING ||
                                 (cpu->slice_over && first_for(cpu) != NULL)))
        done = release_current(cpu);
    cpu->slice_over = false;
    next = first_for(cpu);
    if (cpu->current == NULL && next != NULL)
        bind(cpu, next);
    arm_slice(cpu);
    cpu->idle = cpu->current == NULL;
    spin_unlock(&vmm->lock);
    return done;
}

/* Enters the current vCPU. NULL: look again who runs. */
static struct vcpu *enter(struct vmm_cpu *cpu)
{
    struct vcpu *vcpu = cpu->current;
    err_t error = vcpu_enter(vcpu);

    if (error == OK)
        return vcpu;
    if (error != ERR_BUSY) {
        fault(vcpu, "enter", error);
        stop(vm_of(vcpu));
    }
    return NULL;
}

/* None of its vCPUs runs or could run. */
static bool is_at_rest(const struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        if (vm->vcpus[i]->place == PLACE_QUEUED ||
            vm->vcpus[i]->place == PLACE_ON_CPU)
            return false;
    }
    return true;
}

/* Others' lines wait for the VM in focus to end its own, but not for a guest
 * that waits in the middle of one: it shows a prompt. */
static void keep_console_moving(void)
{
    const struct vm *focus = vmm->console.focus;
    bool at_rest;

    if (likely(!atomic_load(&vmm->console.is_behind)))
        return;
    spin_lock(&vmm->lock);
    at_rest = focus == NULL || is_at_rest(focus);
    spin_unlock(&vmm->lock);
    if (at_rest)
        console_release();
}

struct vcpu *sched_next(struct vmm_cpu *cpu)
{
    struct vcpu *vcpu = NULL;

    do {
        struct vm *done;

        poll_host();
        keep_console_moving();
        done = choose(cpu);
        if (done != NULL) {
            vmm_finish_stop(done);
            continue;
        }
        if (cpu->current == NULL)
            return NULL;
        vcpu = enter(cpu);
    } while (vcpu == NULL);
    return vcpu;
}

void sched_abandon(struct vmm_cpu *cpu)
{
    struct vcpu *vcpu = cpu->current;

    if (vcpu == NULL)
        return;
    if (vcpu->state == VCPU_RUNNING) {
        err_t error = vcpu_leave(vcpu);
        CHECK(error == OK);
    }
    if (vcpu->state == VCPU_READY)
        unbind(vcpu);
    vcpu->place = PLACE_PARKED;
    (void)take_off_cpu(cpu, vcpu);
}
