/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PC's devices on a simulated machine, by the accesses of a guest: whose
 * local APIC answers, and what is left of their timers when the VM ends. The
 * guest's processor is not a PC's; the devices do not know.
 */
#include "sim/machine.h"
#include "pc.h"
#include "sim/clock.h"
#include "sim/spec.h"

#define VM    1
#define VCPUS 3
#define APIC  UINT64_C(0xfee00000)
#define HSM   0x48534d

static struct machine *machine;

static struct guest_result run(vcpu_id vcpu, struct guest_op op)
{
    struct guest_result result;

    cr_assert_eq(machine_do(machine, VM, vcpu, &op, &result), OK);
    cr_assert_eq(result.outcome, OUTCOME_RETIRED);
    return result;
}

static void store(vcpu_id vcpu, uint64_t reg, uint32_t value)
{
    (void)run(vcpu, (struct guest_op){.kind = OP_STORE,
                                      .width = 4,
                                      .reg = OP_DEFAULT_REG,
                                      .flags = OP_HAS_VALUE,
                                      .address = APIC + reg,
                                      .value = value});
}

static uint32_t load(vcpu_id vcpu, uint64_t reg)
{
    return (uint32_t)run(vcpu, (struct guest_op){.kind = OP_LOAD,
                                                 .width = 4,
                                                 .reg = OP_DEFAULT_REG,
                                                 .address = APIC + reg})
        .value;
}

static void power_on(void)
{
    struct machine_spec spec = {.vm_count = 1};
    struct bundle bundle;
    const struct machine_config config = {
        .cpus = 2, .seed = 1, .bundle = &bundle};
    struct spec_vm *vm = &spec.vms[0];

    spec_usual_vm(vm, VM, VCPUS);
    vm->devices[vm->device_count++] = (struct spec_device){
        .compatible = "intel,lapic", .base = APIC, .size = 0x1000};
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    cr_assert_eq(machine_create(&config, &machine), OK);
    bundle_free(&bundle);
    for (vcpu_id vcpu = 1; vcpu < VCPUS; vcpu++) {
        struct guest_op start = {
            .kind = OP_ECALL, .args = {vcpu, SPEC_MEMORY, 0, 0, 0, 0, 0, HSM}};

        cr_expect_eq(run(0, start).value, 0);
    }
}

Test(pc_machine, each_vcpu_has_its_own)
{
    power_on();
    for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++) {
        cr_expect_eq(load(vcpu, APIC_ID), vcpu << 24);
        store(vcpu, APIC_SVR, 0x1ff);
        store(vcpu, APIC_TPR, 0x10 * vcpu);
    }
    for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++)
        cr_expect_eq(load(vcpu, APIC_TPR), 0x10 * vcpu);
    /* From one to another. */
    store(0, APIC_ICR2, 0x02000000);
    store(0, APIC_ICR, 0x41);
    for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++)
        cr_expect_eq(load(vcpu, APIC_IRR + 0x20), vcpu == 2 ? 2 : 0);
    cr_expect_eq(machine_destroy(machine), 0);
}

/* Timers that are left when the machine is gone: the scheduler's own. */
static uint32_t timers_left(bool armed)
{
    power_on();
    for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++) {
        store(vcpu, APIC_SVR, 0x1ff);
        store(vcpu, APIC_TIMER, 0x20041);
        store(vcpu, APIC_INITIAL, armed ? 1000000 : 0);
    }
    if (armed)
        cr_expect_geq(clock_timer_count(), VCPUS);
    (void)machine_run(machine, MACHINE_DO_STEPS);
    cr_expect_eq(machine_destroy(machine), 0);
    return clock_timer_count();
}

Test(pc_machine, no_timer_outlives_the_vm)
{
    cr_expect_eq(timers_left(true), timers_left(false));
}
