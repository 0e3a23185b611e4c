/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All at once: vCPUs that send to each other and end what they get, while
 * devices drive level-triggered lines and the 8259 interrupts. That nobody
 * waits for another for ever is what is tested, and that no level is lost.
 */
#include <pthread.h>

#include "pc.h"

#define VCPUS 2
/* Few: the locks hand over in turns, which takes long where there are fewer
 * CPUs than threads. */
#define ROUNDS     300
#define REMOTE_IRR 0x4000

static struct pc pc;
static _Atomic bool over;

struct worker {
    pthread_t thread;
    vcpu_id vcpu;
};

static void serve(struct lapic *lapic)
{
    uint32_t attention = lapic_attention(lapic);

    if ((attention & (LAPIC_INTERRUPT | LAPIC_EXTINT)) == 0)
        return;
    (void)lapic_acknowledge(lapic);
    lapic_write(lapic, APIC_EOI, 4, 0);
}

static void *run_vcpu(void *context)
{
    const struct worker *worker = context;
    struct lapic *lapic = pc_apic(&pc, worker->vcpu);
    uint64_t seed = worker->vcpu;

    for (unsigned i = 0; i < ROUNDS; i++) {
        lapic_write(lapic, APIC_ICR2, 4,
                    (uint32_t)pc_random(&seed, VCPUS) << 24);
        /* To one, to all, to the others, to the lowest priority. */
        lapic_write(lapic, APIC_ICR, 4,
                    (uint32_t)(0x40 + pc_random(&seed, 64)) |
                        (uint32_t)(pc_random(&seed, 4) << 18));
        lapic_write(lapic, APIC_ICR2, 4, 0xff000000);
        lapic_write(lapic, APIC_ICR, 4, 0x141);
        serve(lapic);
    }
    while (!over)
        serve(lapic);
    return NULL;
}

static void *run_device(void *context)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        pc.gsi->set_level(pc.gsi, 16 + i % 8, i & 8);
        pc.gsi->pulse(pc.gsi, 1 + i % 8);
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *context)
{
    cr_assert_eq(pthread_create(thread, NULL, run, context), 0);
}

Test(concurrent, everybody_at_once)
{
    struct worker workers[VCPUS];
    pthread_t device;

    pc_make(&pc, VCPUS, NULL);
    for (uint32_t pin = 16; pin < 24; pin++)
        pc_route(&pc, pin, (uint64_t)(pin % VCPUS) << 56 | 0x8000 | (pin + 32));
    pc_put(&pc, 0, APIC_LINT0, 0x700);
    pc_out(&pc, 0x20, 0x13);
    pc_out(&pc, 0x21, 0x20);
    pc_out(&pc, 0x21, 0x03); /* ends by itself */
    for (vcpu_id id = 0; id < VCPUS; id++) {
        workers[id].vcpu = id;
        start(&workers[id].thread, run_vcpu, &workers[id]);
    }
    start(&device, run_device, NULL);
    cr_assert_eq(pthread_join(device, NULL), 0);
    over = true;
    for (vcpu_id id = 0; id < VCPUS; id++)
        cr_assert_eq(pthread_join(workers[id].thread, NULL), 0);
    /* With all lines low and everything served, every pin is as new. */
    for (uint32_t pin = 16; pin < 24; pin++)
        pc.gsi->set_level(pc.gsi, pin, false);
    for (unsigned i = 0; i < 1000; i++) {
        for (vcpu_id id = 0; id < VCPUS; id++)
            serve(pc_apic(&pc, id));
    }
    for (uint32_t pin = 16; pin < 24; pin++) {
        cr_expect_not(pc_entry(&pc, pin) & REMOTE_IRR, "pin %u", pin);
        pc.gsi->set_level(pc.gsi, pin, true);
        cr_expect(pc_entry(&pc, pin) & REMOTE_IRR, "pin %u", pin);
    }
    pc_end(&pc);
}
