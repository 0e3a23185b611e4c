/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CPU does for ever: see vmm/vmm.h.
 *
 * There are two loops, chosen once. The plain one is the exit path: nothing in
 * it but a step and the world switch, inlined. The recording one costs more,
 * and lets other CPUs know when this one has left its guest, since it then
 * waits for its turn to step.
 */
#include "host/host.h"
#include "host/machine.h"
#include "trace/record.h"
#include "vmm/vmm.h"

static _Noreturn void plain_loop(uint32_t cpu)
{
    for (;;) {
        struct vcpu *vcpu = vmm_step(cpu);

        while (likely(vcpu != NULL))
            vcpu = vmm_leave_guest(cpu, machine_enter_guest(vcpu));
        machine_wait();
    }
}

/*
 * This CPU is about to enter a guest. A CPU that has kicked it by now may see
 * it still outside, and go on: then no instruction of the guest may run before
 * the next step, which the IPI sees to once it is pending here.
 */
static void go_inside(struct host_cpu *self)
{
    atomic_store(&self->outside, false);
    if (atomic_load(&self->kicked) == 0)
        return;
    atomic_store(&self->outside, true);
    while (!machine_has_ipi())
        cpu_pause();
}

static _Noreturn void recording_loop(struct host_cpu *self)
{
    for (;;) {
        struct vcpu *vcpu;

        atomic_store(&self->outside, true);
        vcpu = trace_step(self->id);
        if (vcpu == NULL) {
            machine_wait();
            continue;
        }
        go_inside(self);
        vcpu->ops->world_switch(vcpu);
    }
}

void host_loop(void)
{
    struct host_cpu *self = machine_this_cpu();

    if (trace_is_on())
        recording_loop(self);
    plain_loop(self->id);
}
