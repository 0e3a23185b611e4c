/* SPDX-License-Identifier: Apache-2.0 */
/* The `vmm` module of hv/api. */
#include "api/vmm.h"

#include "api/host.h"
#include "vmm/internal.h"

static struct vcpu *find_vcpu(vm_id vm, vcpu_id id)
{
    struct vm *owner = vmm_find_vm(vm);

    return owner != NULL && id < owner->config.cpu_num ? owner->vcpus[id]
                                                       : NULL;
}

static struct vcpu *current_vcpu(void)
{
    return vmm != NULL ? vmm->cpus[host_current_cpu()].current : NULL;
}

err_t vmm_current_vm_id_impl(vm_id *id)
{
    const struct vcpu *vcpu = current_vcpu();

    if (vcpu == NULL)
        return ERR_BAD_STATE;
    *id = vcpu->config.vm_id;
    return OK;
}

err_t vmm_current_vcpu_id_impl(vcpu_id *id)
{
    const struct vcpu *vcpu = current_vcpu();

    if (vcpu == NULL)
        return ERR_BAD_STATE;
    *id = vcpu->config.id;
    return OK;
}

err_t vmm_vcpu_num_impl(vm_id vm, uint32_t *count)
{
    const struct vm *owner = vmm_find_vm(vm);

    if (owner == NULL)
        return ERR_NOT_FOUND;
    *count = owner->config.cpu_num;
    return OK;
}

err_t vmm_active_vcpus_impl(vm_id vm, vcpu_set *set)
{
    const struct vm *owner = vmm_find_vm(vm);

    if (owner == NULL)
        return ERR_NOT_FOUND;
    set->bits = 0;
    for (uint32_t i = 0; i < owner->config.cpu_num; i++) {
        if (atomic_load(&owner->vcpus[i]->powered))
            set->bits |= BIT(i);
    }
    return OK;
}

err_t vmm_inject_interrupt_impl(vm_id vm, vcpu_id id, interrupt_vector vector)
{
    struct vcpu *vcpu = find_vcpu(vm, id);
    err_t error;

    if (vcpu == NULL)
        return ERR_NOT_FOUND;
    error = vcpu_inject_interrupt(vcpu, vector);
    if (error == OK)
        sched_notify(vcpu);
    return error;
}

err_t vmm_inject_interrupt_to_vcpus_impl(vm_id vm, vcpu_set set,
                                         interrupt_vector vector)
{
    struct vm *owner = vmm_find_vm(vm);
    err_t error = OK;

    if (owner == NULL ||
        (set.bits & ~vcpu_set_first(owner->config.cpu_num).bits) != 0)
        return ERR_NOT_FOUND;
    /* The members are alike: what the first accepts, all accept. */
    while (set.bits != 0 && error == OK)
        error = vmm_inject_interrupt_impl(vm, vcpu_set_take(&set), vector);
    return error;
}

err_t vmm_set_interrupt_line_impl(vm_id vm, vcpu_id id, interrupt_vector vector,
                                  bool high)
{
    struct vcpu *vcpu = find_vcpu(vm, id);
    err_t error;

    if (vcpu == NULL)
        return ERR_NOT_FOUND;
    error = vcpu_set_interrupt_line(vcpu, vector, high);
    if (error == OK)
        sched_notify(vcpu);
    return error;
}

err_t vmm_notify_vcpu_timer_expired_impl(vm_id vm, vcpu_id id)
{
    const struct vcpu *vcpu = find_vcpu(vm, id);

    if (vcpu == NULL)
        return ERR_NOT_FOUND;
    return vmm_inject_interrupt_impl(vm, id, vcpu->ops->timer_vector);
}

err_t vmm_start_vcpu_impl(vm_id vm, vcpu_id id, gpa_t entry, uint64_t arg)
{
    struct vcpu *vcpu = find_vcpu(vm, id);

    if (vcpu == NULL)
        return ERR_NOT_FOUND;
    const struct vcpu_setup setup = {
        .entry = entry,
        .stage2 = vcpu->config.peers[0]->boot.stage2,
        .arg = arg,
    };
    return sched_power_on(vcpu, &setup);
}

err_t vmm_wake_vcpu_impl(vm_id vm, vcpu_id id)
{
    struct vcpu *vcpu = find_vcpu(vm, id);

    if (vcpu == NULL)
        return ERR_NOT_FOUND;
    vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    sched_notify(vcpu);
    return OK;
}
