/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts all the way, on a simulated machine: from a device through the
 * controller to the guest's own interrupt-pending register, by the accesses of
 * a guest and nothing else.
 */
#include <criterion/criterion.h>
#include <linux/serial_reg.h>

#include "sim/machine.h"
#include "sim/sim.h"
#include "sim/spec.h"

#define VM    1
#define VCPUS 4

/* The supervisor's interrupt CSRs, and the external interrupt in them. */
#define CSR_SIE 0x104
#define CSR_SIP 0x144
#define SEI     (1 << 9)

#define PRIORITY(source) (SPEC_PLIC + 4 * (uint64_t)(source))
#define ENABLE(vcpu)     (SPEC_PLIC + 0x2080 + 0x100 * (uint64_t)(vcpu))
#define CLAIM(vcpu)      (SPEC_PLIC + 0x201004 + 0x2000 * (uint64_t)(vcpu))
#define UART(reg)        (SPEC_UART + (reg))
#define SBI_HSM          0x48534d

static struct machine *machine;

static struct guest_result run(vcpu_id vcpu, struct guest_op op)
{
    struct guest_result result;

    cr_assert_eq(machine_do(machine, VM, vcpu, &op, &result), OK);
    return result;
}

static void store(vcpu_id vcpu, uint64_t address, uint8_t width, uint64_t value)
{
    struct guest_op op = {.kind = OP_STORE,
                          .width = width,
                          .reg = OP_DEFAULT_REG,
                          .flags = OP_HAS_VALUE,
                          .address = address,
                          .value = value};

    cr_assert_eq(run(vcpu, op).outcome, OUTCOME_RETIRED);
}

static uint64_t load(vcpu_id vcpu, uint64_t address, uint8_t width)
{
    struct guest_op op = {.kind = OP_LOAD,
                          .width = width,
                          .reg = OP_DEFAULT_REG,
                          .address = address};
    struct guest_result result = run(vcpu, op);

    cr_assert_eq(result.outcome, OUTCOME_RETIRED);
    return result.value;
}

static void set_csr(vcpu_id vcpu, uint32_t csr, uint64_t value)
{
    struct guest_op op = {.kind = OP_CSR_WRITE,
                          .number = csr,
                          .reg = OP_DEFAULT_REG,
                          .flags = OP_HAS_VALUE,
                          .value = value};

    cr_assert_eq(run(vcpu, op).outcome, OUTCOME_RETIRED);
}

static bool is_interrupted(vcpu_id vcpu)
{
    struct guest_op op = {
        .kind = OP_CSR_READ, .number = CSR_SIP, .reg = OP_DEFAULT_REG};

    return (run(vcpu, op).value & SEI) != 0;
}

/* Types, and lets the machine take note of it. */
static void type(const char *text, size_t size)
{
    cr_assert_eq(console_inject(text, size), size);
    (void)machine_run(machine, MACHINE_DO_STEPS);
}

/* A machine whose vCPUs are all on, and have the UART's interrupt enabled at
 * the controller and at themselves. */
static void power_on(uint32_t cpus)
{
    struct machine_spec spec = {.vm_count = 1};
    struct bundle bundle;
    const struct machine_config config = {
        .cpus = cpus, .seed = 1, .bundle = &bundle};

    spec_usual_vm(&spec.vms[0], VM, VCPUS);
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    cr_assert_eq(machine_create(&config, &machine), OK);
    bundle_free(&bundle);
    for (vcpu_id vcpu = 1; vcpu < VCPUS; vcpu++) {
        struct guest_op start = {
            .kind = OP_ECALL,
            .args = {vcpu, SPEC_MEMORY, 0, 0, 0, 0, 0, SBI_HSM}};
        cr_assert_eq(run(0, start).value, 0);
    }
    store(0, PRIORITY(SPEC_UART_IRQ), 4, 1);
    for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++) {
        store(vcpu, ENABLE(vcpu), 4, 1 << SPEC_UART_IRQ);
        set_csr(vcpu, CSR_SIE, SEI);
    }
    store(0, UART(UART_FCR), 1, UART_FCR_ENABLE_FIFO);
    store(0, UART(UART_IER), 1, UART_IER_RDI);
}

static void power_off(void)
{
    cr_expect_eq(machine_destroy(machine), 0);
}

/* What is typed interrupts every vCPU; whoever claims it serves it, and the
 * others are left alone. */
Test(device_machine, input_interrupts_until_it_is_read)
{
    static const uint32_t cpus[] = {1, 2, 4};

    for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
        power_on(cpus[i]);
        for (vcpu_id server = 0; server < VCPUS; server++) {
            type("ok", 2);
            for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++)
                cr_expect(is_interrupted(vcpu));
            cr_expect_eq(load(server, CLAIM(server), 4), SPEC_UART_IRQ);
            for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++) {
                cr_expect_not(is_interrupted(vcpu));
                cr_expect_eq(load(vcpu, CLAIM(vcpu), 4), 0);
            }
            cr_expect_eq(load(server, UART(UART_RX), 1), 'o');
            /* One byte is left: the line stays high, and interrupts again. */
            store(server, CLAIM(server), 4, SPEC_UART_IRQ);
            cr_expect(is_interrupted(server));
            cr_expect_eq(load(server, CLAIM(server), 4), SPEC_UART_IRQ);
            cr_expect_eq(load(server, UART(UART_RX), 1), 'k');
            store(server, CLAIM(server), 4, SPEC_UART_IRQ);
            for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++)
                cr_expect_not(is_interrupted(vcpu));
        }
        power_off();
    }
}

/* A wait ends for the vCPU whose context has the interrupt, and for no other.
 */
Test(device_machine, input_ends_the_right_wait)
{
    struct guest_op wait = {.kind = OP_WFI};

    power_on(2);
    for (vcpu_id vcpu = 0; vcpu < VCPUS; vcpu++) {
        if (vcpu != 2)
            store(vcpu, ENABLE(vcpu), 4, 0);
    }
    for (vcpu_id vcpu = 1; vcpu < VCPUS; vcpu++)
        cr_expect_eq(run(vcpu, wait).outcome, OUTCOME_PENDING);
    type("x", 1);
    for (vcpu_id vcpu = 1; vcpu < VCPUS; vcpu++)
        cr_expect_eq(machine_last_result(machine, VM, vcpu)->outcome,
                     vcpu == 2 ? OUTCOME_RETIRED : OUTCOME_PENDING);
    cr_expect_eq(load(2, CLAIM(2), 4), SPEC_UART_IRQ);
    power_off();
}
