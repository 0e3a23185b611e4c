/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, pausing, resuming and stopping a VM. */
#include "api/time.h"
#include "lib/check.h"
#include "vmm/internal.h"

/* Puts a vCPU that no CPU works on where it stays while its VM rests. */
static void park(struct vcpu *vcpu)
{
    switch (vcpu->place) {
    case PLACE_QUEUED:
        list_remove(&vcpu->run_link);
        vcpu->place = PLACE_PARKED;
        break;
    case PLACE_ON_CPU:
        vcpu_request(vcpu, VCPU_REQUEST_YIELD);
        if (atomic_load(&vcpu->in_guest))
            host_kick_cpu(vcpu->cpu);
        break;
    default: break; /* off, blocked or parked: it stays where it is */
    }
}

/* Clears the CPUs of a VM that gets state `state`. */
static bool withdraw(struct vm *vm, enum vm_state state)
{
    vm->state = state;
    for (uint32_t i = 0; i < vm->config.cpu_num; i++)
        park(vm->vcpus[i]);
    return vm->on_cpu == 0;
}

static void release_parked(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        if (vm->vcpus[i]->place == PLACE_PARKED)
            sched_enqueue(vm->vcpus[i]);
    }
}

/* Where the vCPUs of a VM that has been loaded are. */
static void place_vcpus(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.cpu_num; i++)
        vm->vcpus[i]->place =
            atomic_load(&vm->vcpus[i]->powered) ? PLACE_PARKED : PLACE_OFF;
}

static err_t run(struct vm *vm, enum vm_state from)
{
    err_t error = ERR_BAD_STATE;

    spin_lock(&vmm->lock);
    if (vm->state == from) {
        if (from == VM_READY)
            place_vcpus(vm);
        vm->state = VM_RUNNING;
        release_parked(vm);
        error = OK;
    }
    spin_unlock(&vmm->lock);
    return error;
}

err_t vmm_start_vm(struct vm *vm)
{
    return run(vm, VM_READY);
}

err_t vmm_resume_vm(struct vm *vm)
{
    return run(vm, VM_PAUSED);
}

err_t vmm_pause_vm(struct vm *vm)
{
    bool at_rest;

    spin_lock(&vmm->lock);
    if (vm->state != VM_RUNNING) {
        spin_unlock(&vmm->lock);
        return ERR_BAD_STATE;
    }
    at_rest = withdraw(vm, VM_PAUSING);
    spin_unlock(&vmm->lock);
    if (at_rest)
        vmm_finish_stop(vm);
    return OK;
}

err_t vmm_stop_vm(struct vm *vm, enum vm_stop stop, const char *why)
{
    bool at_rest;

    spin_lock(&vmm->lock);
    if (vm->state == VM_STOPPING || vm->state == VM_STOPPED) {
        spin_unlock(&vmm->lock);
        return OK;
    }
    if (vm->state != VM_READY && vm->state != VM_RUNNING &&
        vm->state != VM_PAUSING && vm->state != VM_PAUSED) {
        spin_unlock(&vmm->lock);
        return ERR_BAD_STATE;
    }
    vm_request_stop(vm, stop, "%s", why);
    at_rest = withdraw(vm, VM_STOPPING);
    spin_unlock(&vmm->lock);
    if (at_rest)
        vmm_finish_stop(vm);
    return OK;
}

/* Ends the waits of vCPUs that will not be woken any more. */
static void end_waits(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.cpu_num; i++)
        sched_end_wait(vm->vcpus[i]);
}

static void report(struct vm *vm)
{
    console_flush(vm);
    console_print("VM %u (%s) has stopped: %s: %s", vm->config.id,
                  vm->config.name, vm_stop_name(vm->stop), vm->reason);
    if (vm->config.report_statistics)
        console_report_stats(vm);
}

/* With vmm->lock held: takes it upon this CPU, and no other one, to reset the
 * VM. */
static bool claim_reset(struct vm *vm)
{
    if (vm->resets || (vm->state != VM_STOPPED && vm->state != VM_FAILED))
        return false;
    vm->resets = true;
    return true;
}

/* Of a VM that is this CPU's to reset. What goes wrong is reported; that it has
 * been stopped again before it could start is not. */
static err_t reset_and_start(struct vm *vm)
{
    char what[VM_REASON_SIZE] = "";
    err_t error = vm_reset(vm, what);

    if (error != OK)
        console_print("VM %u (%s) cannot be reset: %s", vm->config.id,
                      vm->config.name, what);
    spin_lock(&vmm->lock);
    vm->resets = false;
    spin_unlock(&vmm->lock);
    return error == OK ? vmm_start_vm(vm) : error;
}

static bool starts_again(const struct vm *vm)
{
    return vm->stop == VM_STOP_RESTART ||
           (vm->stop == VM_STOP_REBOOT && vm->config.restart_on_reboot);
}

/*
 * An end has been reported, and the VM started again if it is to be. Powers off
 * if nothing runs any more, and no other CPU is still at that for another VM:
 * its report would be cut off, or its VM about to start.
 */
static void leave_end(void)
{
    bool last;

    spin_lock(&vmm->lock);
    vmm->ending--;
    last = vmm->ending == 0 && vmm_running_count() == 0;
    spin_unlock(&vmm->lock);
    if (last && vmm->power_off_when_done)
        host_power_off(false);
}

void vmm_finish_stop(struct vm *vm)
{
    bool stopped = false;
    bool again = false;
    err_t ignored = OK; /* the console tells of a reset that fails */

    spin_lock(&vmm->lock);
    if (vm->state == VM_PAUSING) {
        vm->state = VM_PAUSED;
    } else if (vm->state == VM_STOPPING && vm->on_cpu == 0) {
        vm->state = VM_STOPPED;
        end_waits(vm);
        vmm->ending++;
        stopped = true;
        again = starts_again(vm) && claim_reset(vm);
    }
    spin_unlock(&vmm->lock);
    if (!stopped)
        return;
    report(vm);
    if (again)
        ignored = reset_and_start(vm);
    (void)ignored;
    leave_end();
}

err_t vmm_restart_vm(struct vm *vm)
{
    bool is_reset, is_mine;
    err_t error;

    spin_lock(&vmm->lock);
    is_reset = vm->resets;
    is_mine = claim_reset(vm);
    if (is_mine)
        vmm->ending++;
    spin_unlock(&vmm->lock);
    if (is_reset)
        return OK;
    if (!is_mine)
        return vmm_stop_vm(vm, VM_STOP_RESTART, "to be started again");
    error = reset_and_start(vm);
    leave_end();
    return error;
}

err_t vmm_retire_vm(struct vm *vm)
{
    spin_lock(&vmm->lock);
    (void)withdraw(vm, VM_STOPPED);
    end_waits(vm);
    spin_unlock(&vmm->lock);
    vmm->vms[vm->config.id] = NULL;
    return vm_destroy(vm);
}
