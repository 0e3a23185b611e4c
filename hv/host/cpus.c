/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's CPUs, and how they get each other's attention: hv/api/host.h.
 *
 * host_kick_cpu_and_wait() must know whether its target is in a guest without
 * any cost to the world switch. It goes by what the hypervisor keeps anyway:
 * a vCPU's `in_guest` is set before the last look at its requests, so a CPU
 * whose current vCPU has it clear will look at memory again before it enters a
 * guest. A CPU that waits for a lock, or for another CPU, has it clear: two
 * CPUs that kick each other do not wait for ever.
 *
 * While a recording runs, a CPU that has left its guest waits for its turn
 * before it clears `in_guest`. The recording loop therefore keeps `outside`.
 */
#include "api/host.h"

#include "host/host.h"
#include "host/machine.h"
#include "lib/check.h"
#include "vmm/vmm.h"

/* How long a CPU may take to its first sign of life. */
#define START_TIMEOUT_SECONDS 20

struct host_cpu *host_cpus[MAX_CPU_NUM];
static uint32_t cpu_count;

struct host_cpu *host_cpu_init(void *memory, uint64_t hw_id)
{
    struct host_cpu *cpu = (void *)((uint8_t *)memory + HOST_CPU_OFFSET);

    cpu->id = cpu_count;
    cpu->hw_id = hw_id;
    cpu->frame_mask = 0;
    atomic_store(&cpu->kicked, 0);
    atomic_store(&cpu->kicks_done, 0);
    atomic_store(&cpu->online, false);
    atomic_store(&cpu->outside, false);
    time_init_cpu(cpu);
    return cpu;
}

void host_add_cpu(struct host_cpu *cpu)
{
    CHECK(cpu->id == cpu_count && cpu_count < MAX_CPU_NUM);
    host_cpus[cpu_count++] = cpu;
}

/*
 * It sends an IPI: on a machine that gives its CPUs turns, a CPU that spins
 * would only hold up the others.
 */
bool host_wait_until_online(const struct host_cpu *cpu)
{
    uint64_t deadline =
        machine_ticks() + START_TIMEOUT_SECONDS * machine_frequency();

    while (!atomic_load(&cpu->online)) {
        if (machine_ticks() >= deadline)
            return false;
        machine_set_alarm(deadline);
        machine_wait();
        (void)machine_take_irq();
    }
    machine_set_alarm(UINT64_MAX);
    return true;
}

uint32_t host_cpu_count_impl(void)
{
    return cpu_count;
}

uint32_t host_current_cpu_impl(void)
{
    return machine_this_cpu()->id;
}

void host_kick_cpu_impl(uint32_t cpu)
{
    struct host_cpu *target;

    CHECK(cpu < cpu_count);
    target = host_cpus[cpu];
    /* An IPI that its target has not taken yet will do for this kick too. */
    if (atomic_exchange(&target->kicked, 1) == 0)
        machine_send_ipi(target);
}

void host_take_kick(void)
{
    struct host_cpu *cpu = machine_this_cpu();

    /* After this exchange, what the kicker wrote before its own is seen. */
    atomic_exchange(&cpu->kicked, 0);
    atomic_fetch_add(&cpu->kicks_done, 1);
    if (host_has_panicked())
        machine_park();
}

static bool is_in_guest(const struct host_cpu *target, const struct vcpu *vcpu)
{
    return vcpu != NULL && vmm_current_vcpu(target->id) == vcpu &&
           atomic_load(&vcpu->in_guest) && !atomic_load(&target->outside);
}

void host_kick_cpu_and_wait_impl(uint32_t cpu)
{
    const struct vcpu *vcpu;
    struct host_cpu *target;
    uint32_t kicks_done;

    CHECK(cpu < cpu_count);
    target = host_cpus[cpu];
    kicks_done = atomic_load(&target->kicks_done);
    host_kick_cpu_impl(cpu);
    if (target == machine_this_cpu())
        return;
    atomic_thread_fence(memory_order_seq_cst);
    vcpu = vmm_current_vcpu(cpu);
    while (is_in_guest(target, vcpu) &&
           atomic_load(&target->kicks_done) == kicks_done)
        cpu_pause();
}

void host_power_off_impl(bool reboot)
{
    host_end_recording(reboot);
    machine_end(reboot ? MACHINE_REBOOT : MACHINE_POWER_OFF);
}
