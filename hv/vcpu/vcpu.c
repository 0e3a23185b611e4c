/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of a vCPU's states; the table is in vcpu.h. */
#include "vcpu/vcpu.h"

#include "lib/check.h"
#include "memory/arena.h"

const char *vcpu_state_name(enum vcpu_state state)
{
    static const char *const names[] = {
        [VCPU_INVALID] = "invalid", [VCPU_CREATED] = "created",
        [VCPU_FREE] = "free",       [VCPU_READY] = "ready",
        [VCPU_RUNNING] = "running", [VCPU_BLOCKED] = "blocked",
    };
    return (unsigned)state < ARRAY_SIZE(names) ? names[state] : "?";
}

err_t vcpu_new(const struct vcpu_ops *ops, const struct vcpu_config *config,
               struct arena *arena, struct vcpu **vcpu)
{
    struct vcpu *made;
    err_t error;

    if (config->id >= MAX_VCPU_NUM || config->peer_count > MAX_VCPU_NUM ||
        config->id >= config->peer_count)
        return ERR_INVALID_INPUT;
    made = arena_alloc(arena, ops->size, ops->align);
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->stats = arena_new(arena, struct exit_stats);
    if (made->stats == NULL)
        return ERR_NO_MEMORY;
    made->ops = ops;
    made->config = *config;
    made->id = (uint8_t)config->id;
    list_init(&made->run_link);
    error = ops->init(made, arena);
    if (error != OK)
        return error;
    made->state = VCPU_CREATED;
    *vcpu = made;
    return OK;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    if (vcpu == NULL)
        return;
    CHECK(vcpu->state != VCPU_READY && vcpu->state != VCPU_RUNNING);
    vcpu->ops->fini(vcpu);
    vcpu->state = VCPU_INVALID;
}

/* What every transition that the architecture takes part in comes down to. */
static err_t settle(struct vcpu *vcpu, err_t error, enum vcpu_state success)
{
    vcpu->state = (uint8_t)(error == OK ? success : VCPU_INVALID);
    return error;
}

err_t vcpu_setup(struct vcpu *vcpu, const struct vcpu_setup *setup)
{
    if (vcpu->state != VCPU_CREATED)
        return ERR_BAD_STATE;
    vcpu->boot = *setup;
    return settle(vcpu, vcpu->ops->setup(vcpu), VCPU_FREE);
}

err_t vcpu_bind(struct vcpu *vcpu)
{
    uint32_t cpu = host_current_cpu();

    if (vcpu->state != VCPU_FREE)
        return ERR_BAD_STATE;
    if (!vcpu_may_run_on(vcpu, cpu))
        return ERR_DENIED;
    /* The architecture still sees where the vCPU was last. */
    err_t error = settle(vcpu, vcpu->ops->bind(vcpu), VCPU_READY);
    vcpu->cpu = (uint8_t)cpu;
    return error;
}

err_t vcpu_unbind(struct vcpu *vcpu)
{
    if (vcpu->state != VCPU_READY)
        return ERR_BAD_STATE;
    return settle(vcpu, vcpu->ops->unbind(vcpu), VCPU_FREE);
}

err_t vcpu_commit(struct vcpu *vcpu)
{
    while (!vcpu_commit_entry(vcpu)) {
        uint32_t requests = atomic_exchange(&vcpu->requests, 0);
        err_t error =
            vcpu->ops->prepare(vcpu, requests & ~(uint32_t)VCPU_REQUEST_YIELD);
        if (error != OK)
            return error;
        if (requests & VCPU_REQUEST_YIELD)
            return ERR_BUSY;
    }
    return OK;
}

err_t vcpu_enter(struct vcpu *vcpu)
{
    err_t error;

    if (vcpu->state != VCPU_READY)
        return ERR_BAD_STATE;
    error = vcpu_commit(vcpu);
    if (error == ERR_BUSY)
        return error;
    return settle(vcpu, error, VCPU_RUNNING);
}

err_t vcpu_leave(struct vcpu *vcpu)
{
    if (vcpu->state != VCPU_RUNNING)
        return ERR_BAD_STATE;
    atomic_store_explicit(&vcpu->in_guest, false, memory_order_release);
    vcpu->state = VCPU_READY;
    return OK;
}

err_t vcpu_run(struct vcpu *vcpu, struct vm_exit *exit)
{
    err_t error = vcpu_enter(vcpu);

    if (error != OK)
        return error;
    vcpu->ops->world_switch(vcpu);
    error = vcpu_leave(vcpu);
    vcpu->ops->decode(vcpu, exit);
    return error;
}

err_t vcpu_block(struct vcpu *vcpu)
{
    if (vcpu->state != VCPU_FREE)
        return ERR_BAD_STATE;
    vcpu->state = VCPU_BLOCKED;
    return OK;
}

err_t vcpu_wake(struct vcpu *vcpu)
{
    if (vcpu->state != VCPU_BLOCKED)
        return ERR_BAD_STATE;
    vcpu->state = VCPU_FREE;
    return OK;
}

err_t vcpu_reset(struct vcpu *vcpu)
{
    if (vcpu->state != VCPU_FREE && vcpu->state != VCPU_BLOCKED)
        return ERR_BAD_STATE;
    atomic_store(&vcpu->requests, 0);
    vcpu->stalls = 0;
    vcpu->wake_pending = false;
    return settle(vcpu, vcpu->ops->reset(vcpu), VCPU_CREATED);
}

err_t vcpu_set_entry(struct vcpu *vcpu, gpa_t entry)
{
    if (vcpu->state != VCPU_CREATED && vcpu->state != VCPU_FREE)
        return ERR_BAD_STATE;
    vcpu->boot.entry = entry;
    vcpu->ops->set_pc(vcpu, entry.raw);
    return OK;
}

err_t vcpu_set_gpr(struct vcpu *vcpu, unsigned reg, uint64_t value)
{
    if (reg >= vcpu->ops->gpr_count)
        return ERR_INVALID_INPUT;
    vcpu->ops->set_gpr(vcpu, reg, value);
    return OK;
}

err_t vcpu_get_gpr(const struct vcpu *vcpu, unsigned reg, uint64_t *value)
{
    if (reg >= vcpu->ops->gpr_count)
        return ERR_INVALID_INPUT;
    *value = vcpu->ops->get_gpr(vcpu, reg);
    return OK;
}

void vcpu_set_return_value(struct vcpu *vcpu, uint64_t value)
{
    vcpu->ops->set_return_value(vcpu, value);
}

err_t vcpu_inject_interrupt(struct vcpu *vcpu, interrupt_vector vector)
{
    return vcpu_inject_interrupt_with_trigger(vcpu, vector, TRIGGER_EDGE);
}

err_t vcpu_inject_interrupt_with_trigger(struct vcpu *vcpu,
                                         interrupt_vector vector,
                                         enum trigger trigger)
{
    err_t error = vcpu->ops->inject_interrupt(vcpu, vector, trigger);

    if (error == OK)
        vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return error;
}

err_t vcpu_set_interrupt_line(struct vcpu *vcpu, interrupt_vector vector,
                              bool high)
{
    err_t error = vcpu->ops->set_interrupt_line(vcpu, vector, high);

    if (error == OK)
        vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return error;
}

bool vcpu_handle_eoi(struct vcpu *vcpu, interrupt_vector *vector)
{
    return vcpu->ops->handle_eoi(vcpu, vector);
}
