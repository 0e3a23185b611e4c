/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/arch/x86_64/vcpu/own.h"

static struct {
    struct trap_source source;
    const struct guest_op *op;
    struct guest_result result;
} guest;

static const struct guest_op *next(struct trap_source *source)
{
    return guest.op;
}

static void done(struct trap_source *source, const struct guest_result *result)
{
    guest.op = NULL;
    guest.result = *result;
}

void own_take(const char *profile)
{
    rig_start(profile, 3, 2);
    rig_mode(0, RIG_LONG);
    guest.source = (struct trap_source){.next = next, .done = done};
    host_kick_cpu_impl(rig.vm->vcpus[1]->cpu);
    rig_run();
    cr_assert_eq(rig.vm->vcpus[1]->state, VCPU_BLOCKED);
    rig_mode(1, RIG_LONG);
    rig.vm->vcpus[1]->state = VCPU_FREE;
}

void own_give_back(void)
{
    rig.vm->vcpus[1]->state = VCPU_BLOCKED;
    for (uint32_t cpu = 1; cpu < 3; cpu++)
        fake_x86_set_source(cpu, NULL);
    cpus_set_current(0);
}

void own_bind(uint32_t cpu)
{
    cpus_set_current(cpu);
    cr_assert_eq(vcpu_bind(rig.vm->vcpus[1]), OK);
    fake_x86_set_source(cpu, &guest.source);
}

void own_unbind(void)
{
    cr_assert_eq(vcpu_unbind(rig.vm->vcpus[1]), OK);
}

struct guest_result own_run(const struct guest_op *op)
{
    struct vcpu *vcpu = rig.vm->vcpus[1];

    guest.op = op;
    for (unsigned exits = 0; exits < 32; exits++) {
        (void)cpus_take_kick(host_current_cpu());
        cr_assert_eq(vcpu_enter(vcpu), OK);
        vcpu->ops->world_switch(vcpu);
        (void)vm_handle_exit(rig.vm, vcpu);
        cr_assert_eq(vcpu_leave(vcpu), OK);
        if (guest.op == NULL)
            return guest.result;
    }
    cr_assert_fail("it is not done: pc 0x%llx", (unsigned long long)rig_rip(1));
    return guest.result;
}

struct guest_result own_run_once(const struct guest_op *op, uint32_t cpu)
{
    struct guest_result result;

    own_bind(cpu);
    result = own_run(op);
    own_unbind();
    return result;
}

void own_replace_page(uint64_t value)
{
    hpa_t old;

    cr_assert_eq(aspace_unmap(&rig.vm->aspace, gpa(RIG_DATA), PAGE_SIZE), OK);
    old = memory_alloc_frame_impl(); /* the lowest, which was just freed */
    cr_assert_eq(aspace_map_lazy(&rig.vm->aspace, gpa(RIG_DATA), PAGE_SIZE,
                                 MEM_RWX, true),
                 OK);
    memory_free_frame_impl(old);
    rig_poke(RIG_DATA, value, 8);
}
