/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of the local APIC that the processor has: guests see what they see
 * without, and see it without an exit.
 */
#include "hv/arch/x86_64/random.h"
#include "hv/arch/x86_64/vmx/rig.h"

#define PLAIN RIG_VMX "plain"

/* Registers, by number. */
enum {
    ID = 0x02,
    TPR = 0x08,
    PPR = 0x0a,
    EOI = 0x0b,
    DFR = 0x0e,
    SVR = 0x0f,
    ISR = 0x10,
    IRR = 0x20,
    ESR = 0x28,
    CMCI = 0x2f,
    ICR = 0x30,
    ICR2 = 0x31,
    LINT0 = 0x35,
    CURRENT_COUNT = 0x39,
    SELF_IPI = 0x3f,
    REGISTERS
};

#define X2APIC        0x800u
#define APIC_BASE     0x1bu
#define BASE(bits)    (RIG_LAPIC | (bits))
#define BASE_X2APIC   0xc00u
#define BASE_XAPIC    0x800u
#define ICR_SELF      0x40000u
#define ANY_INTERRUPT 0x20 /* vectors from here on are nobody's own */

static const struct guest_op pause_op = {.kind = OP_X86_PAUSE};

static const struct vmx_controls *controls(void)
{
    return rig_vmx(0)->controls;
}

static bool has(uint32_t control)
{
    return (controls()->apic & control) != 0;
}

static bool delivers(void)
{
    return has((uint32_t)VMX_CPU2_VIRTUAL_INTERRUPTS);
}

static struct guest_result load(vcpu_id id, unsigned number)
{
    return rig_do(id, (struct guest_op){.kind = OP_LOAD,
                                        .width = 4,
                                        .reg = X86_GPR_RSI,
                                        .address = RIG_LAPIC + 16 * number});
}

static struct guest_result store(vcpu_id id, unsigned number, uint32_t value)
{
    return rig_do(id, (struct guest_op){.kind = OP_STORE,
                                        .width = 4,
                                        .reg = X86_GPR_RSI,
                                        .flags = OP_HAS_VALUE,
                                        .value = value,
                                        .address = RIG_LAPIC + 16 * number});
}

static struct guest_result rdmsr(vcpu_id id, uint32_t msr)
{
    return rig_do(id, (struct guest_op){.kind = OP_X86_RDMSR, .number = msr});
}

static struct guest_result wrmsr(vcpu_id id, uint32_t msr, uint64_t value)
{
    return rig_do(id, (struct guest_op){
                          .kind = OP_X86_WRMSR, .number = msr, .value = value});
}

static struct guest_result write_cr8(vcpu_id id, uint64_t value)
{
    return rig_do(id, (struct guest_op){.kind = OP_X86_WRITE_CR,
                                        .number = 8,
                                        .reg = X86_GPR_RDI,
                                        .value = value});
}

static struct guest_result read_cr8(vcpu_id id)
{
    return rig_do(id, (struct guest_op){.kind = OP_X86_READ_CR,
                                        .number = 8,
                                        .reg = X86_GPR_RDI});
}

static void start(const char *profile, unsigned vcpus)
{
    rig_start(profile, 1, vcpus);
    for (vcpu_id id = 0; id < vcpus; id++) {
        rig_mode(id, RIG_PROTECTED);
        rig_enable_apic(id);
        /* Pages that an interrupt touches for the first time. */
        (void)rdmsr(id, 1);
        (void)rig_do(id, pause_op);
    }
}

/* What exits ----------------------------------------------------------------
 */

/* In the page's order: which registers can be read at all, and which of them
 * are no processor's. */
static bool is_register(unsigned number)
{
    return number == 2 || number == 3 || number == 8 || number == 0xa ||
           (number >= 0xd && number <= 0x28) || number == 0x2f ||
           (number >= 0x30 && number <= 0x39) || number == 0x3e;
}

static bool is_computed(unsigned number)
{
    return number == PPR || number == CURRENT_COUNT || number == CMCI;
}

Test(vmx_apic, reads_of_the_page)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        start(rig_vmx_profiles[p], 1);
        for (unsigned number = 0; number < REGISTERS; number++) {
            bool is_virtual =
                has((uint32_t)VMX_CPU2_APIC_REGISTERS) && !is_computed(number);
            struct guest_result result;

            if (!is_register(number))
                continue;
            result = load(0, number);
            cr_expect_eq(result.exits, is_virtual ? 0 : 1, "%s: %x: %u",
                         rig_vmx_profiles[p], number, result.exits);
            cr_expect_eq(result.value, lapic_read(rig_lapic(0), 16 * number, 4),
                         "%s: %x", rig_vmx_profiles[p], number);
        }
        rig_stop();
    }
}

Test(vmx_apic, reads_of_msrs)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        start(rig_vmx_profiles[p], 1);
        (void)wrmsr(0, APIC_BASE, BASE(BASE_X2APIC | 0x100));
        for (unsigned number = 0; number < 0x100; number++) {
            bool exists =
                is_register(number) && number != DFR && number != ICR2;
            bool is_virtual = number == TPR
                                  ? has((uint32_t)VMX_CPU2_X2APIC_MODE)
                                  : has((uint32_t)VMX_CPU2_APIC_REGISTERS) &&
                                        exists && number != PPR &&
                                        number != CURRENT_COUNT;
            struct guest_result result = rdmsr(0, X2APIC + number);
            uint64_t value = 0;

            cr_expect_eq(result.outcome,
                         exists ? OUTCOME_RETIRED : OUTCOME_EXCEPTION, "%s: %x",
                         rig_vmx_profiles[p], number);
            cr_expect_eq(result.exits, is_virtual ? 0 : 1, "%s: %x: %u",
                         rig_vmx_profiles[p], number, result.exits);
            cr_expect_eq(lapic_read_msr(rig_lapic(0), X2APIC + number, &value),
                         exists ? OK : ERR_OUT_OF_RANGE);
            if (exists)
                cr_expect_eq(result.value, value, "%s: %x", rig_vmx_profiles[p],
                             number);
        }
        rig_stop();
    }
}

/* An interrupt of the guest's own, from its request to its end. */
Test(vmx_apic, an_interrupt_without_an_exit)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        static const struct guest_op ops[] = {
            {.kind = OP_X86_STI},
            {.kind = OP_STORE,
             .width = 4,
             .reg = X86_GPR_RSI,
             .flags = OP_HAS_VALUE,
             .value = ICR_SELF | 0x41,
             .address = RIG_LAPIC + 16 * ICR},
            {.kind = OP_X86_PAUSE},
            {.kind = OP_STORE,
             .width = 4,
             .reg = X86_GPR_RSI,
             .flags = OP_HAS_VALUE,
             .value = 0,
             .address = RIG_LAPIC + 16 * EOI},
        };
        uint32_t exits = 0;
        bool taken = false;

        start(rig_vmx_profiles[p], 1);
        for_each_row (i, ops) {
            struct guest_result result = rig_do(0, ops[i]);

            exits += result.exits;
            taken |= rig_took(&result, 0x41);
        }
        cr_expect(taken, "%s", rig_vmx_profiles[p]);
        if (delivers())
            cr_expect_eq(exits, 0, "%s: %u", rig_vmx_profiles[p], exits);
        cr_expect_eq(load(0, ISR + 2).value, 0, "%s", rig_vmx_profiles[p]);
        rig_stop();
    }
}

/* The same as without
 * --------------------------------------------------------*/

#define ROUNDS 400

/* What the guest has seen of one step. */
struct seen {
    enum guest_outcome outcome;
    uint64_t value, vectors[4];
};

/* Vectors of level-triggered interrupts are no others': a processor that makes
 * a self-IPI by itself leaves TMR alone. */
static bool is_level(uint32_t vector)
{
    return vector % 4 == 3;
}

static uint32_t random_vector(uint64_t *state)
{
    return ANY_INTERRUPT + random_pick(state, 256 - ANY_INTERRUPT);
}

static uint32_t random_edge(uint64_t *state)
{
    uint32_t vector = random_vector(state);

    return is_level(vector) ? vector - 1 : vector;
}

/* A register, and what is written to it; the timer stands still. */
static uint32_t random_write(uint64_t *state, unsigned *number)
{
    static const uint8_t numbers[] = {
        ID,  TPR, TPR,  EOI,  EOI,  EOI,  0x0d,  0x0e, SVR,  ESR,  ICR,
        ICR, ICR, ICR2, 0x2f, 0x32, 0x33, LINT0, 0x36, 0x37, 0x3e, 0x3f};

    *number = numbers[random_pick(state, ARRAY_SIZE(numbers))];
    switch (*number) {
    case TPR: return random_pick(state, 256);
    case EOI: return 0;
    case SVR:
        return random_pick(state, 8) == 0 ? 0xff : 0x100 | random_vector(state);
    case ICR:
        return random_pick(state, 8) == 0 ? ICR_SELF | random_pick(state, 16)
                                          : ICR_SELF | random_edge(state);
    case SELF_IPI: return random_edge(state);
    default: return (uint32_t)random_next(state);
    }
}

static struct guest_result access_apic(bool is_msr, unsigned number,
                                       bool is_write, uint32_t value)
{
    if (is_msr)
        return is_write ? wrmsr(0, X2APIC + number, value)
                        : rdmsr(0, X2APIC + number);
    return is_write ? store(0, number, value) : load(0, number);
}

static struct guest_result write_random(uint64_t *state, bool is_msr)
{
    unsigned number;
    uint32_t value = random_write(state, &number);

    return access_apic(is_msr, number, true, value);
}

static struct guest_result read_random(uint64_t *state, bool is_msr)
{
    unsigned number;

    do
        number = random_pick(state, 0x40);
    while (number == CURRENT_COUNT);
    return access_apic(is_msr, number, false, 0);
}

static void interrupt_random(uint64_t *state)
{
    uint32_t vector = random_vector(state);
    const struct apic_message message = {.vector = (uint8_t)vector,
                                         .level = is_level(vector)};

    host_kick_cpu_impl(rig_vcpu(0)->base.cpu);
    (void)lapics_deliver(lapics_of_chip(rig_vcpu(0)->base.config.irq_chip),
                         &message);
}

static struct guest_result step(uint64_t *state, bool is_msr)
{
    static const struct guest_op flags[] = {
        {.kind = OP_X86_STI}, {.kind = OP_X86_STI}, {.kind = OP_X86_CLI}};

    switch (random_pick(state, 8)) {
    case 0: return write_cr8(0, random_pick(state, 17));
    case 1: return read_cr8(0);
    case 2: return rig_do(0, flags[random_pick(state, ARRAY_SIZE(flags))]);
    case 3: interrupt_random(state); return rig_go_on(0);
    case 4:
    case 5: return write_random(state, is_msr);
    default: return read_random(state, is_msr);
    }
}

/* The stack is where it was, so that handlers need not return. */
static void go(const char *profile, uint64_t seed, bool is_msr,
               struct seen *seen)
{
    static const struct guest_op stack = {
        .kind = OP_SET_REG, .reg = X86_GPR_RSP, .value = RIG_STACK};
    uint64_t state = seed;

    start(profile, 1);
    if (is_msr)
        (void)wrmsr(0, APIC_BASE, BASE(BASE_X2APIC | 0x100));
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct guest_result result = step(&state, is_msr);
        struct guest_result after;

        (void)rig_do(0, stack);
        after = rig_go_on(0);
        seen[i].outcome = result.outcome;
        seen[i].value = result.value;
        for (unsigned word = 0; word < 4; word++)
            seen[i].vectors[word] = result.vectors[word] | after.vectors[word];
        /* Code goes on where there is memory. */
        if (i % 16 == 0)
            rig_set_rip(0, RIG_CODE);
    }
    rig_stop();
}

static void compare(const char *profile, uint64_t seed, bool is_msr)
{
    static struct seen with[ROUNDS], without[ROUNDS];

    go(PLAIN, seed, is_msr, without);
    go(profile, seed, is_msr, with);
    for (unsigned i = 0; i < ROUNDS; i++) {
        cr_assert_eq(with[i].outcome, without[i].outcome, "%s, %llu, %d: %u",
                     profile, (unsigned long long)seed, is_msr, i);
        cr_assert_eq(with[i].value, without[i].value,
                     "%s, %llu, %d: %u: 0x%llx, 0x%llx", profile,
                     (unsigned long long)seed, is_msr, i,
                     (unsigned long long)with[i].value,
                     (unsigned long long)without[i].value);
        cr_assert_arr_eq(with[i].vectors, without[i].vectors,
                         sizeof(with[i].vectors), "%s, %llu, %d: %u", profile,
                         (unsigned long long)seed, is_msr, i);
    }
}

Test(vmx_apic, as_without_it)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        for (uint64_t seed = 1; seed <= 8; seed++) {
            compare(rig_vmx_profiles[p], seed, false);
            compare(rig_vmx_profiles[p], seed, true);
        }
    }
}

/* Modes ------------------------------------------------------------------- */

/* One that is off is not there; in x2APIC mode the page is not. The other
 * vCPU's is where it was. */
Test(vmx_apic, modes)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        start(rig_vmx_profiles[p], 2);
        (void)store(0, TPR, 0x50);
        cr_expect_eq(read_cr8(0).value, 5);
        (void)wrmsr(0, APIC_BASE, BASE(BASE_X2APIC | 0x100));
        cr_expect_eq(rdmsr(0, X2APIC + TPR).value, 0x50, "%s",
                     rig_vmx_profiles[p]);
        (void)store(0, TPR, 0x20);
        cr_expect_eq(load(0, TPR).value, 0xffffffff, "%s", rig_vmx_profiles[p]);
        cr_expect_eq(read_cr8(0).value, 5, "%s", rig_vmx_profiles[p]);
        (void)store(1, TPR, 0x70);
        cr_expect_eq(load(1, TPR).value, 0x70, "%s", rig_vmx_profiles[p]);
        cr_expect_eq(load(1, ID).value, 0x01000000);
        (void)wrmsr(0, APIC_BASE, BASE(0x100));
        cr_expect_eq(rdmsr(0, X2APIC + TPR).outcome, OUTCOME_EXCEPTION);
        cr_expect_eq(load(0, ID).value, 0xffffffff, "%s", rig_vmx_profiles[p]);
        (void)wrmsr(0, APIC_BASE, BASE(BASE_XAPIC | 0x100));
        cr_expect_eq(load(0, TPR).value, 0, "%s", rig_vmx_profiles[p]);
        (void)write_cr8(0, 9);
        cr_expect_eq(load(0, TPR).value, 0x90, "%s", rig_vmx_profiles[p]);
        rig_stop();
    }
}

/* Off, and no page has been unmapped. */
Test(vmx_apic, off)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        start(rig_vmx_profiles[p], 1);
        (void)wrmsr(0, APIC_BASE, BASE(0x100));
        (void)store(0, TPR, 0x20);
        for (unsigned number = 0; number < REGISTERS; number++)
            cr_expect_eq(load(0, number).value, 0xffffffff, "%s: %x",
                         rig_vmx_profiles[p], number);
        cr_expect_eq(read_cr8(0).value, 0, "%s", rig_vmx_profiles[p]);
        rig_stop();
    }
}

/* Nothing of the page is memory that anybody else has. */
Test(vmx_apic, the_page_is_no_memory)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        uint8_t byte;

        start(rig_vmx_profiles[p], 1);
        cr_expect_eq(aspace_read(&rig.vm->aspace, gpa(RIG_LAPIC), &byte, 1),
                     ERR_NOT_FOUND);
        cr_expect_eq(aspace_write(&rig.vm->aspace, gpa(RIG_LAPIC), "x", 1),
                     ERR_NOT_FOUND);
        rig_stop();
    }
}

/* Interrupts -------------------------------------------------------------- */

/* The task priority holds two back, and lets them go one by one. */
Test(vmx_apic, task_priority)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        struct guest_result result;

        start(rig_vmx_profiles[p], 1);
        rig_do(0, (struct guest_op){.kind = OP_X86_STI});
        (void)write_cr8(0, 15);
        rig_interrupt(0, 0x41);
        rig_interrupt(0, 0x81);
        result = rig_go_on(0);
        cr_expect_not(rig_took(&result, 0x81), "%s", rig_vmx_profiles[p]);
        (void)write_cr8(0, 8);
        result = rig_go_on(0);
        cr_expect_not(rig_took(&result, 0x81), "%s", rig_vmx_profiles[p]);
        (void)write_cr8(0, 6);
        cr_expect_eq(rig_handler(0), 0x81, "%s", rig_vmx_profiles[p]);
        rig_stop();
    }
}

/* Only an end that somebody must hear of exits. */
Test(vmx_apic, end_of_level_triggered)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        for (unsigned level = 0; level < 2; level++) {
            const struct apic_message message = {.vector = 0x51,
                                                 .level = level != 0};
            const struct exit_stats *stats;
            uint64_t before;

            start(rig_vmx_profiles[p], 1);
            rig_do(0, (struct guest_op){.kind = OP_X86_STI});
            (void)rig_do(0, pause_op);
            host_kick_cpu_impl(0);
            (void)lapics_deliver(
                lapics_of_chip(rig_vcpu(0)->base.config.irq_chip), &message);
            (void)rig_go_on(0);
            cr_expect_eq(load(0, ISR + 2).value, BIT(0x51 - 64), "%s",
                         rig_vmx_profiles[p]);
            stats = rig_vcpu(0)->base.stats;
            before = exit_stats_count(stats, EXIT_INSTRUCTION);
            (void)store(0, EOI, 0);
            if (delivers())
                cr_expect_eq(exit_stats_count(stats, EXIT_INSTRUCTION) - before,
                             level, "%s, level %u", rig_vmx_profiles[p], level);
            cr_expect_eq(load(0, ISR + 2).value, 0);
            rig_stop();
        }
    }
}

/* What was in service before INIT is not afterwards, in the processor either.
 */
Test(vmx_apic, init)
{
    static const struct apic_message messages[] = {
        {.destination = 1, .mode = APIC_INIT},
        {.destination = 1, .mode = APIC_SIPI, .vector = RIG_CODE >> 12},
    };

    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        struct guest_result result;
        struct lapics *lapics;

        start(rig_vmx_profiles[p], 2);
        lapics = lapics_of_chip(rig_vcpu(0)->base.config.irq_chip);
        rig_do(1, (struct guest_op){.kind = OP_X86_STI});
        (void)rig_do(1, pause_op);
        rig_interrupt(1, 0x61);
        (void)rig_do(1, pause_op);
        cr_expect_eq(load(1, ISR + 3).value, 2, "%s", rig_vmx_profiles[p]);
        for_each_row (i, messages) {
            host_kick_cpu_impl(rig_vcpu(1)->base.cpu);
            (void)lapics_deliver(lapics, &messages[i]);
            rig_run();
        }
        rig_do(1, (struct guest_op){
                      .kind = OP_X86_LIDT, .address = 0, .number = 0x3ff});
        rig_enable_apic(1);
        rig_do(1, (struct guest_op){.kind = OP_X86_STI});
        (void)rig_do(1, pause_op);
        rig_interrupt(1, 0x41);
        result = rig_go_on(1);
        cr_expect(rig_took(&result, 0x41), "%s: it is taken",
                  rig_vmx_profiles[p]);
        rig_stop();
    }
}
