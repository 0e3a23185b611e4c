/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INIT and SIPI, as guests send them: what becomes of whom, and what of its
 * state stays. SDM volume 3, section 9.4 and table 10-1.
 */
#include "hv/arch/x86_64/vcpu/rig.h"

#define ICR_LOW  0x300
#define ICR_HIGH 0x310
#define INIT     0x500
#define SIPI(to) (0x600 | (to) >> 12)

/* From vCPU 0 to `id`. */
static void send(vcpu_id id, uint32_t icr)
{
    struct guest_op op = {.kind = OP_STORE,
                          .width = 4,
                          .reg = X86_GPR_RDX,
                          .flags = OP_HAS_VALUE,
                          .address = RIG_LAPIC + ICR_HIGH,
                          .value = (uint64_t)id << 24};

    cr_assert_eq(rig_do(0, op).outcome, OUTCOME_RETIRED);
    op.address = RIG_LAPIC + ICR_LOW;
    op.value = icr;
    cr_assert_eq(rig_do(0, op).outcome, OUTCOME_RETIRED);
}

static void start(const char *profile, uint32_t cpus)
{
    rig_start(profile, cpus, 2);
    rig_mode(0, RIG_LONG);
    rig_enable_apic(0);
}

static uint64_t linear_rip(vcpu_id id)
{
    return rig_linear_rip(id);
}

static struct guest_op read_msr(enum x86_msr msr)
{
    return (struct guest_op){.kind = OP_X86_RDMSR, .number = msr};
}

Test(startup, another_vcpu_begins_where_its_sipi_says)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (uint32_t cpus = 1; cpus <= 2; cpus++) {
            start(rig_profiles[p], cpus);
            cr_expect_eq(rig_vcpu(1)->wait, X86_WAITS_FOR_SIPI);
            send(1, INIT);
            cr_expect_eq(rig_vcpu(1)->wait, X86_WAITS_FOR_SIPI);
            send(1, SIPI(RIG_CODE));
            cr_expect_eq(
                rig_do(1, (struct guest_op){.kind = OP_X86_CPUID}).outcome,
                OUTCOME_RETIRED, "%s, %u CPUs", rig_profiles[p], cpus);
            cr_expect_eq(linear_rip(1), RIG_CODE + 2);
            cr_expect_eq(rig_cs(1).selector, RIG_CODE >> 4);
            send(1, SIPI(RIG_DATA));
            rig_do(1, (struct guest_op){.kind = OP_X86_PAUSE});
            cr_expect_eq(linear_rip(1), RIG_CODE + 4, "one that runs");
            rig_stop();
        }
    }
}

/* INIT is not taken yet: vCPU 1 is not on a CPU meanwhile. */
EACH_VENDOR(startup, sipi_right_behind_init)
{
    for (unsigned runs = 0; runs < 2; runs++) {
        struct lapic *lapic;

        start(profile, 2);
        lapic = rig_lapic(0);
        if (runs)
            rig_mode(1, RIG_LONG);
        cpus_set_current(0);
        lapic_write(lapic, ICR_HIGH, 4, 1 << 24);
        lapic_write(lapic, ICR_LOW, 4, INIT);
        lapic_write(lapic, ICR_LOW, 4, SIPI(RIG_CODE));
        rig_do(1, (struct guest_op){.kind = OP_X86_PAUSE});
        cr_expect_eq(linear_rip(1), RIG_CODE + 2, "%u", runs);
        cr_expect_eq(rig_get(1, X86_REG_CR0) & X86_CR0_PE, 0);
        rig_stop();
    }
}

/* In every order in which CPUs can take their turns. */
EACH_VENDOR(startup, no_sipi_is_lost)
{
    for (uint64_t seed = 0; seed < 64; seed++) {
        start(profile, 2);
        machine_set_seed(machine, seed);
        send(1, INIT);
        send(1, SIPI(RIG_CODE));
        rig_do(1, (struct guest_op){.kind = OP_X86_PAUSE});
        cr_expect_eq(linear_rip(1), RIG_CODE + 2, "seed %llu",
                     (unsigned long long)seed);
        rig_stop();
    }
}

/* It comes between the exit of one that waits and its decision to block. */
EACH_VENDOR(startup, sipi_on_the_way_to_blocking)
{
    struct vcpu *vcpu;

    start(profile, 1);
    send(1, INIT);
    vcpu = rig.vm->vcpus[1];
    cr_assert_eq(rig_vcpu(1)->wait, X86_WAITS_FOR_SIPI);
    /* As the scheduler does. */
    lapic_write(rig_lapic(0), ICR_HIGH, 4, 1 << 24);
    lapic_write(rig_lapic(0), ICR_LOW, 4, SIPI(RIG_CODE));
    cr_assert_eq(vcpu->ops->prepare(vcpu, VCPU_REQUEST_INTERRUPT), OK);
    cr_expect(vcpu->ops->has_wakeup(vcpu));
    cr_expect_eq(linear_rip(1), RIG_CODE);
    rig_stop();
}

/* What INIT changes, and what it leaves, of a vCPU that runs. */
Test(startup, init_of_one_that_runs)
{
    static const struct {
        enum x86_msr msr;
        uint64_t value;
        bool stays;
    } msrs[] = {
        {X86_MSR_STAR, 0x1234, true},
        {X86_MSR_LSTAR, 0x12345678, true},
        {X86_MSR_SYSENTER_EIP, 0x4321, true},
        {X86_MSR_KERNEL_GS_BASE, 0x7777, true},
        {X86_MSR_PAT, 0x0706050401000607, true},
        {X86_MSR_MTRR_DEF_TYPE, 0xc06, true},
        {X86_MSR_FS_BASE, 0x100000, false},
        {X86_MSR_GS_BASE, 0x200000, false},
    };
    static const struct guest_op xmm = {
        .kind = OP_FP, .reg = 3, .value = 0x0123456789abcdef};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        struct guest_result result;

        start(rig_profiles[p], 2);
        rig_mode(1, RIG_LONG);
        for_each_row (i, msrs)
            rig_do(1, (struct guest_op){.kind = OP_X86_WRMSR,
                                        .number = msrs[i].msr,
                                        .value = msrs[i].value});
        rig_do(1, (struct guest_op){.kind = OP_X86_WRITE_CR,
                                    .number = 4,
                                    .reg = X86_GPR_RDI,
                                    .value = X86_CR4_PAE | X86_CR4_OSFXSR});
        rig_do(1, xmm);
        rig_do(1, (struct guest_op){.kind = OP_X86_WRITE_DR,
                                    .number = 1,
                                    .reg = X86_GPR_RDI,
                                    .value = 0x5555});
        /* An NMI is being handled, and another one waits. */
        rig_nmi(1);
        rig_do(1, (struct guest_op){.kind = OP_DELAY});
        cr_expect_eq(rig_handler(1), X86_VECTOR_NMI);
        rig_nmi(1);
        rig_do(1, (struct guest_op){.kind = OP_X86_CPUID});

        send(1, INIT);
        send(1, SIPI(RIG_CODE));
        rig_do(1, (struct guest_op){
                      .kind = OP_X86_LIDT, .address = 0, .number = 0x3ff});
        rig_do(1, (struct guest_op){.kind = OP_X86_CPUID});
        cr_expect_eq(rig_cs(1).selector, RIG_CODE >> 4, "%s: the NMI is gone",
                     rig_profiles[p]);
        for_each_row (i, msrs) {
            result = rig_do(1, read_msr(msrs[i].msr));
            cr_expect_eq(result.value, msrs[i].stays ? msrs[i].value : 0,
                         "%s: MSR 0x%x: 0x%llx", rig_profiles[p], msrs[i].msr,
                         (unsigned long long)result.value);
        }
        result = rig_do(1, (struct guest_op){.kind = OP_X86_READ_DR,
                                             .number = 1,
                                             .reg = X86_GPR_RDI});
        cr_expect_eq(result.value, 0, "DR1");
        rig_do(1, (struct guest_op){.kind = OP_X86_WRITE_CR,
                                    .number = 4,
                                    .reg = X86_GPR_RDI,
                                    .value = X86_CR4_OSFXSR});
        result = rig_do(1, (struct guest_op){.kind = OP_FP_READ, .reg = 3});
        cr_expect_eq(result.value, xmm.value, "XMM3");
        rig_stop();
    }
}

/* Translations of before are not those of real mode. */
Test(startup, init_flushes)
{
    static const struct guest_op load = {
        .kind = OP_LOAD, .width = 4, .address = 0x5000};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        start(rig_profiles[p], 2);
        rig_mode(1, RIG_LONG);
        for (unsigned i = 0; i < 512; i++)
            rig_poke(RIG_SPARE + 8 * i, i << PAGE_SHIFT | 0x63, 8);
        rig_poke(RIG_SPARE + 8 * 5, RIG_DATA | 0x63, 8);
        rig_poke(RIG_TABLES + 2 * PAGE_SIZE, RIG_SPARE | 0x63, 8);
        rig_do(1, (struct guest_op){.kind = OP_X86_WRITE_CR,
                                    .number = 3,
                                    .reg = X86_GPR_RDI,
                                    .value = RIG_TABLES});
        rig_poke(RIG_DATA, 1, 4);
        rig_poke(0x5000, 2, 4);
        cr_expect_eq(rig_do(1, load).value, 1);
        send(1, INIT);
        send(1, SIPI(RIG_CODE));
        cr_expect_eq(rig_do(1, load).value, 2, "%s", rig_profiles[p]);
        rig_stop();
    }
}

/* The boot processor goes on at the reset vector, where there is nothing. */
Test(startup, init_of_the_boot_processor)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        start(rig_profiles[p], 2);
        rig_mode(1, RIG_LONG);
        cpus_set_current(rig_vcpu(1)->base.cpu);
        lapic_write(rig_lapic(1), ICR_HIGH, 4, 0);
        lapic_write(rig_lapic(1), ICR_LOW, 4, INIT);
        cpus_set_current(0);
        cr_assert_eq(vcpu_commit(rig.vm->vcpus[0]), OK);
        cr_expect_eq(rig_vcpu(0)->wait, X86_RUNS);
        cr_expect_eq(linear_rip(0), UINT64_C(0xfffffff0));
        cr_expect_eq(rig_cs(0).selector, 0xf000);
        cr_expect_eq(rig_get(0, X86_REG_CR0), X86_CR0_ET);
        cr_expect_neq(rig_gpr(0, X86_GPR_RDX), 0, "the signature");
        rig_stop();
    }
}

/* Without local APICs nobody sends SIPIs: whoever powers on a vCPU says where
 * it begins, in 32-bit code. */
EACH_VENDOR(startup, without_a_local_apic)
{
    struct vcpu_setup setup = {.entry = gpa(RIG_CODE), .arg = 0x1234};

    rig_start_bare(profile, 2);
    setup.stage2 = rig_vcpu(0)->base.boot.stage2;
    cr_assert_eq(vcpu_reset(&rig_vcpu(1)->base), OK);
    cr_assert_eq(vcpu_setup(&rig_vcpu(1)->base, &setup), OK);
    cr_expect_eq(rig_vcpu(1)->wait, X86_RUNS);
    cr_expect_eq(rig_rip(1), RIG_CODE);
    cr_expect_eq(rig_gpr(1, X86_GPR_RBX), 0x1234u);
    cr_expect_eq(rig_get(1, X86_REG_CR0) & (X86_CR0_PE | X86_CR0_PG),
                 X86_CR0_PE);
    cr_expect_eq(rig_cs(1).base, 0u);
    rig_stop();
}

/* What other architectures' guests do by calls, PCs' do by devices. */
EACH_VENDOR(startup, there_is_no_firmware_to_call)
{
    struct vm_exit exit = {.kind = EXIT_FIRMWARE_CALL};
    interrupt_vector vector;
    struct vcpu *vcpu;

    rig_start_bare(profile, 1);
    rig_mode(0, RIG_LONG);
    vcpu = &rig_vcpu(0)->base;
    cr_expect_eq(vcpu->ops->firmware_call(vcpu, &exit), VERDICT_INJECT);
    cr_expect_not(vcpu_handle_eoi(vcpu, &vector));
    cr_expect_eq(vcpu_set_interrupt_line(vcpu, 15, true), ERR_INVALID_INPUT);
    cr_expect_eq(vcpu_set_interrupt_line(vcpu, 15, false), ERR_INVALID_INPUT);
    cr_expect_eq(vcpu_set_interrupt_line(vcpu, 0x41, false), OK);
    rig_set_flags(0, X86_RFLAGS_IF, 0);
    rig_go_on(0);
    cr_expect_eq(rig_handler(0), -1);
    cr_expect_eq(vcpu_set_interrupt_line(vcpu, 0x41, true), OK);
    host_kick_cpu_impl(vcpu->cpu);
    rig_go_on(0);
    cr_expect_eq(rig_handler(0), 0x41);
    rig_stop();
}
