/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two vCPUs take turns on a CPU, or one goes from CPU to CPU: each finds what
 * it left, and nothing of another's. And the time, which is the same for all.
 */
#include "hv/arch/x86_64/vcpu/rig.h"

/* State of a vCPU: written to each in turn, then read from each. */
struct piece {
    const char *name;
    struct guest_op write, read;
    uint64_t mask; /* of the bits that a value may have */
    bool needs_xsave;
};

#define MSR(name, bits)                                                      \
    {                                                                        \
#name,                                                               \
            {.kind = OP_X86_WRMSR, .number = X86_MSR_##name },               \
            {.kind = OP_X86_RDMSR, .number = X86_MSR_##name }, (bits), false \
    }
#define REG(what, op, n, bits)                                                \
    {                                                                         \
        what, {.kind = OP_X86_WRITE_##op, .number = (n), .reg = X86_GPR_RDI}, \
            {.kind = OP_X86_READ_##op, .number = (n), .reg = X86_GPR_RDI},    \
            (bits), false                                                     \
    }
#define XMM(n)                                                    \
    {                                                             \
        "XMM" #n, {.kind = OP_FP, .reg = (n)},                    \
            {.kind = OP_FP_READ, .reg = (n)}, ~UINT64_C(0), false \
    }
#define LOW BIT_MASK(46, 0) /* canonical */

/* clang-format off */
static const struct piece pieces[] = {
    MSR(FS_BASE, LOW), MSR(GS_BASE, LOW), MSR(KERNEL_GS_BASE, LOW),
    MSR(STAR, ~UINT64_C(0)), MSR(LSTAR, LOW), MSR(CSTAR, LOW),
    MSR(SFMASK, UINT32_MAX), MSR(SYSENTER_CS, 0xffff),
    MSR(SYSENTER_ESP, LOW), MSR(SYSENTER_EIP, LOW),
    MSR(TSC_AUX, UINT32_MAX), MSR(MTRR_BASE0, 0xfffff000),
    REG("CR2", CR, 2, ~UINT64_C(0)), REG("CR8", CR, 8, 15),
    REG("DR0", DR, 0, LOW), REG("DR1", DR, 1, LOW),
    REG("DR2", DR, 2, LOW), REG("DR3", DR, 3, LOW),
    REG("DR6", DR, 6, 0xe00f), REG("DR7", DR, 7, 0xff),
    XMM(0), XMM(1), XMM(7), XMM(8), XMM(15),
};
/* clang-format on */

/* Bits of DR6 and DR7 that are always set. */
static uint64_t fixed_bits(const struct piece *piece)
{
    if (piece->write.kind != OP_X86_WRITE_DR)
        return 0;
    return piece->write.number == 6   ? X86_DR6_RESET
           : piece->write.number == 7 ? X86_DR7_RESET
                                      : 0;
}

static uint64_t pattern(const struct piece *piece, vcpu_id id)
{
    uint64_t bits = (piece->write.number + piece->write.reg + 3) *
                    UINT64_C(0x9e3779b97f4a7c15) * (2 * id + 1);

    return (bits & piece->mask) | fixed_bits(piece);
}

static void enable_fp(vcpu_id id)
{
    struct guest_op op = {.kind = OP_X86_WRITE_CR,
                          .number = 4,
                          .reg = X86_GPR_RDI,
                          .value = X86_CR4_PAE | X86_CR4_OSFXSR};

    rig_do(id, op);
}

static bool has_xsave(const char *profile)
{
    return rig_profile(profile)->xcr0 != 0;
}

/* AVX's half of YMM, which no operation accesses, and XCR0. */
static void set_extended(vcpu_id id, bool read)
{
    struct fake_x86 *cpu;

    rig_do(id, (struct guest_op){.kind = OP_X86_PAUSE});
    cpu = &fake_x86_cpus[rig_vcpu(id)->base.cpu];
    if (!read) {
        memset(cpu->fpu.bytes + X86_XSAVE_AVX, (int)(0xa0 + id), 256);
        cpu->xcr0 = id == 0 ? X86_XCR0_X87 | X86_XCR0_SSE
                            : X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX;
        return;
    }
    for (unsigned i = 0; i < 256; i++)
        cr_expect_eq(cpu->fpu.bytes[X86_XSAVE_AVX + i], 0xa0 + id);
    cr_expect_eq(cpu->xcr0, id == 0
                                ? X86_XCR0_X87 | X86_XCR0_SSE
                                : X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX);
}

/* RDTSCP asks the processor, where RDMSR asks the hypervisor. */
static void check_rdtscp(const char *profile, vcpu_id id)
{
    const struct piece tsc_aux = MSR(TSC_AUX, UINT32_MAX);

    rig_do(id, (struct guest_op){.kind = OP_X86_RDTSCP});
    cr_expect_eq(rig_gpr(id, X86_GPR_RCX), pattern(&tsc_aux, id),
                 "%s: TSC_AUX of vCPU %u", profile, id);
}

/* One piece per turn, so that the vCPUs take many. */
static void check(const char *profile, uint32_t vcpus)
{
    for_each_row (i, pieces) {
        for (vcpu_id id = 0; id < vcpus; id++) {
            struct guest_op op = pieces[i].write;

            op.value = pattern(&pieces[i], id);
            cr_expect_eq(rig_do(id, op).outcome, OUTCOME_RETIRED, "%s: %s",
                         profile, pieces[i].name);
        }
    }
    for (vcpu_id id = 0; has_xsave(profile) && id < vcpus; id++)
        set_extended(id, false);
    for_each_row (i, pieces) {
        for (vcpu_id id = 0; id < vcpus; id++) {
            struct guest_result result = rig_do(id, pieces[i].read);

            cr_expect_eq(result.value, pattern(&pieces[i], id),
                         "%s: %s of vCPU %u: 0x%llx", profile, pieces[i].name,
                         id, (unsigned long long)result.value);
        }
    }
    for (vcpu_id id = 0; has_xsave(profile) && id < vcpus; id++)
        set_extended(id, true);
    for (vcpu_id id = 0; id < vcpus; id++)
        check_rdtscp(profile, id);
}

Test(switch, state_of_each)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (uint32_t cpus = 1; cpus <= 3; cpus += 2) {
            rig_start(rig_profiles[p], cpus, 4);
            for (vcpu_id id = 0; id < 4; id++) {
                rig_mode(id, RIG_LONG);
                enable_fp(id);
            }
            check(rig_profiles[p], 4);
            rig_stop();
        }
    }
}

/* After a reset, a guest finds nothing of the one before. */
Test(switch, nothing_is_left_by_a_reset)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start(rig_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        enable_fp(0);
        for_each_row (i, pieces) {
            struct guest_op op = pieces[i].write;

            op.value = pattern(&pieces[i], 0);
            rig_do(0, op);
        }
        if (has_xsave(rig_profiles[p]))
            set_extended(0, false);
        rig_do(0, (struct guest_op){.kind = OP_X86_SHUTDOWN});
        rig_run();
        cr_assert_eq(rig.vm->state, VM_RUNNING, "%s", rig.vm->reason);
        rig_mode(0, RIG_LONG);
        enable_fp(0);
        for_each_row (i, pieces) {
            uint64_t found = rig_do(0, pieces[i].read).value;

            cr_expect_eq(found, fixed_bits(&pieces[i]), "%s: %s: 0x%llx",
                         rig_profiles[p], pieces[i].name,
                         (unsigned long long)found);
        }
        for (unsigned i = 0; i < 256; i++)
            cr_expect_eq(fake_x86_cpus[0].fpu.bytes[X86_XSAVE_AVX + i], 0);
        rig_stop();
    }
}

/* Time ------------------------------------------------------------------- */

static uint64_t tsc_of(vcpu_id id)
{
    return rig_do(id, (struct guest_op){.kind = OP_X86_RDTSC}).value;
}

static uint64_t read_msr(vcpu_id id, uint32_t msr)
{
    return rig_do(id, (struct guest_op){.kind = OP_X86_RDMSR, .number = msr})
        .value;
}

static void write_msr(vcpu_id id, uint32_t msr, uint64_t value)
{
    struct guest_result result = rig_do(
        id,
        (struct guest_op){.kind = OP_X86_WRMSR, .number = msr, .value = value});

    cr_expect_eq(result.outcome, OUTCOME_RETIRED);
}

#define SOON 100 /* ticks, in which a few exits are made */

static bool is_about(uint64_t value, uint64_t expected)
{
    return value - expected < SOON;
}

Test(switch, tsc)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        uint64_t t0, t1;

        rig_start(rig_profiles[p], 2, 2);
        rig_mode(0, RIG_LONG);
        rig_mode(1, RIG_LONG);
        t0 = tsc_of(0);
        cr_expect_lt(t0, 1000, "it starts at 0: %llu", (unsigned long long)t0);
        cr_expect(is_about(tsc_of(1), t0), "the same everywhere");
        cr_expect(is_about(read_msr(0, X86_MSR_TSC), t0));
        cr_expect_eq(read_msr(0, X86_MSR_TSC_ADJUST), 0);

        write_msr(0, X86_MSR_TSC, UINT64_C(1) << 50);
        cr_expect(is_about(tsc_of(0), UINT64_C(1) << 50));
        t1 = read_msr(0, X86_MSR_TSC_ADJUST);
        cr_expect(is_about((UINT64_C(1) << 50) - t0, t1));
        cr_expect_lt(tsc_of(1), 2000, "each has its own");

        write_msr(0, X86_MSR_TSC_ADJUST, 0);
        cr_expect(is_about(tsc_of(0), t0), "they move together");
        write_msr(1, X86_MSR_TSC_ADJUST, -UINT64_C(5000));
        cr_expect_gt(tsc_of(1), ~UINT64_C(0) - 5000);
        rig_stop();
    }
}

#define LVT_TIMER    0x320
#define TSC_DEADLINE (2 << 17)

/* Its deadline is one of the TSC that the guest sees. */
EACH_VENDOR(switch, tsc_deadline)
{
    static const uint64_t offsets[] = {0, UINT64_C(1) << 40,
                                       -UINT64_C(1) << 40};

    for_each_row (i, offsets) {
        uint64_t now;

        rig_start(profile, 1, 1);
        rig_mode(0, RIG_LONG);
        rig_enable_apic(0);
        rig_set_flags(0, X86_RFLAGS_IF, 0);
        write_msr(0, X86_MSR_TSC_ADJUST, offsets[i]);
        lapic_write(rig_lapic(0), LVT_TIMER, 4, TSC_DEADLINE | 0x41);
        now = tsc_of(0);
        write_msr(0, X86_MSR_TSC_DEADLINE, now + 10000);
        cr_expect_eq(rig_do(0, (struct guest_op){.kind = OP_X86_HLT}).outcome,
                     OUTCOME_RETIRED);
        cr_expect_eq(rig_handler(0), 0x41);
        cr_expect(is_about(tsc_of(0), now + 10000), "row %zu: %llu", i,
                  (unsigned long long)(tsc_of(0) - now));
        rig_stop();
    }
}

/* The VM's time begins anew with it. */
EACH_VENDOR(switch, tsc_after_a_reset)
{
    uint64_t now, then;

    rig_start(profile, 2, 2);
    rig_mode(0, RIG_LONG);
    write_msr(0, X86_MSR_TSC_ADJUST, UINT64_C(1) << 40);
    clock_advance_ticks(1000000);
    rig_do(0, (struct guest_op){.kind = OP_X86_SHUTDOWN});
    rig_run();
    cr_assert_eq(rig.vm->state, VM_RUNNING);
    rig_mode(0, RIG_LONG);
    rig_mode(1, RIG_LONG);
    now = tsc_of(0);
    cr_expect_lt(now, 2000);
    then = tsc_of(1);
    cr_expect(is_about(then, now), "%llu, %llu", (unsigned long long)now,
              (unsigned long long)then);
    cr_expect_eq(read_msr(0, X86_MSR_TSC_ADJUST), 0);
    rig_stop();
}
