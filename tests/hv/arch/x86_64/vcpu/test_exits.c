/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest gets for each instruction that exits, on every processor, in
 * every mode.
 */
#include "arch/x86_64/guest_control.h"
#include "hv/arch/x86_64/vcpu/rig.h"

#define ALL_MODES         (BIT(RIG_MODES) - 1)
#define LONG_ONLY         BIT(RIG_LONG)
#define PROTECTED         (ALL_MODES & ~BIT(RIG_REAL))
#define TSC_AUX           0x12345678
#define UNKNOWN           0x12345 /* an MSR that nobody has */
#define EXCEPTION(vector) OUTCOME_EXCEPTION, (vector)
#define RETIRED           OUTCOME_RETIRED, 0

struct row {
    const char *name;
    struct guest_op op;
    enum guest_outcome outcome;
    uint64_t cause; /* OUTCOME_EXCEPTION: the vector */
    uint64_t modes;
    bool has_value;
    uint64_t value; /* what the operation leaves */
};

#define MSR(op, msr, what)                                              \
    {                                                                   \
        .kind = OP_X86_##op, .number = (uint32_t)(msr), .value = (what) \
    }
#define CR(op, cr, what)                                         \
    {                                                            \
        .kind = OP_X86_##op, .number = (cr), .reg = X86_GPR_RDI, \
        .value = (what)                                          \
    }
#define PORT(op, port, bytes, what)                              \
    {                                                            \
        .kind = OP_X86_##op, .width = (bytes), .number = (port), \
        .value = (what)                                          \
    }

/* In this order: some see what those before have left. */
/* clang-format off */
static const struct row rows[] = {
    {"hypercall", {.kind = OP_X86_VMMCALL, .args = {5}}, RETIRED, ALL_MODES,
     true, ~UINT64_C(0)},
    {"invd", {.kind = OP_X86_INVD}, RETIRED, ALL_MODES},
    {"wbinvd", {.kind = OP_X86_WBINVD}, RETIRED, ALL_MODES},
    {"rdpmc", {.kind = OP_X86_RDPMC}, EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"monitor", {.kind = OP_X86_MONITOR}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"mwait", {.kind = OP_X86_MWAIT}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"rdpru", {.kind = OP_X86_RDPRU}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"vmrun", {.kind = OP_X86_VMRUN}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"vmload", {.kind = OP_X86_VMLOAD}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"vmsave", {.kind = OP_X86_VMSAVE}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"stgi", {.kind = OP_X86_STGI}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"clgi", {.kind = OP_X86_CLGI}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"skinit", {.kind = OP_X86_SKINIT}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"invlpga", {.kind = OP_X86_INVLPGA}, EXCEPTION(X86_VECTOR_UD), ALL_MODES},
    {"#AC of the guest", {.kind = OP_X86_RAISE, .number = X86_VECTOR_AC},
     EXCEPTION(X86_VECTOR_AC), ALL_MODES},
    {"#DB of the guest", {.kind = OP_X86_RAISE, .number = X86_VECTOR_DB},
     EXCEPTION(X86_VECTOR_DB), ALL_MODES},
    {"host's NMI", {.kind = OP_X86_NMI}, RETIRED, ALL_MODES},
    {"host's SMI", {.kind = OP_X86_SMI}, RETIRED, ALL_MODES},
    {"host's INIT", {.kind = OP_X86_INIT}, RETIRED, ALL_MODES},

    /* MSRs, of each home. */
    {"absent", MSR(RDMSR, UNKNOWN, 0), EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"absent", MSR(WRMSR, UNKNOWN, 0), EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"in no map", MSR(RDMSR, 0x40000000, 0), EXCEPTION(X86_VECTOR_GP),
     ALL_MODES},
    {"VM_CR", MSR(RDMSR, X86_MSR_VM_CR, 0), EXCEPTION(X86_VECTOR_GP),
     ALL_MODES},
    {"direct", MSR(WRMSR, X86_MSR_LSTAR, 0x1234567890), RETIRED, ALL_MODES},
    {"direct", MSR(RDMSR, X86_MSR_LSTAR, 0), RETIRED, ALL_MODES, true,
     0x1234567890},
    {"state", MSR(WRMSR, X86_MSR_MTRR_FIX64K, 0x0606060606060606), RETIRED,
     ALL_MODES},
    {"state", MSR(RDMSR, X86_MSR_MTRR_FIX64K, 0), RETIRED, ALL_MODES, true,
     0x0606060606060606},
    {"state, reserved", MSR(WRMSR, X86_MSR_MTRR_FIX64K, 2),
     EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"constant", MSR(WRMSR, X86_MSR_MTRRcap, 0), EXCEPTION(X86_VECTOR_GP),
     ALL_MODES},
    {"TSC_AUX", MSR(WRMSR, X86_MSR_TSC_AUX, TSC_AUX), RETIRED, ALL_MODES},
    {"TSC_AUX", MSR(RDMSR, X86_MSR_TSC_AUX, 0), RETIRED, ALL_MODES, true,
     TSC_AUX},
    {"TSC_AUX, reserved", MSR(WRMSR, X86_MSR_TSC_AUX, BIT(32)),
     EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"PAT", MSR(RDMSR, X86_MSR_PAT, 0), RETIRED, ALL_MODES, true,
     X86_PAT_RESET},
    {"PAT, reserved", MSR(WRMSR, X86_MSR_PAT, 2), EXCEPTION(X86_VECTOR_GP),
     ALL_MODES},
    {"PAT", MSR(WRMSR, X86_MSR_PAT, 0x0706050401000607), RETIRED, ALL_MODES},
    {"PAT", MSR(RDMSR, X86_MSR_PAT, 0), RETIRED, ALL_MODES, true,
     0x0706050401000607},
    {"EFER.SVME", MSR(WRMSR, X86_MSR_EFER, X86_EFER_SVME),
     EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"EFER", MSR(RDMSR, X86_MSR_EFER, 0), RETIRED, PROTECTED & ~LONG_ONLY, true,
     0},
    {"EFER", MSR(WRMSR, X86_MSR_EFER, X86_EFER_SCE | X86_EFER_NXE), RETIRED,
     PROTECTED & ~LONG_ONLY},
    {"EFER", MSR(RDMSR, X86_MSR_EFER, 0), RETIRED, PROTECTED & ~LONG_ONLY, true,
     X86_EFER_SCE | X86_EFER_NXE},
    {"EFER.LME, paging is on", MSR(WRMSR, X86_MSR_EFER, X86_EFER_SCE),
     EXCEPTION(X86_VECTOR_GP), LONG_ONLY},
    {"EFER, LMA is ignored",
     MSR(WRMSR, X86_MSR_EFER, X86_EFER_LME | X86_EFER_SCE), RETIRED, LONG_ONLY},
    {"EFER", MSR(RDMSR, X86_MSR_EFER, 0), RETIRED, LONG_ONLY, true,
     X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE},
    {"APIC_BASE", MSR(RDMSR, X86_MSR_APIC_BASE, 0), RETIRED, ALL_MODES, true,
     0xfee00900},
    {"x2APIC, off", MSR(RDMSR, X86_MSR_X2APIC + 2, 0),
     EXCEPTION(X86_VECTOR_GP), ALL_MODES},

    /* Control registers. */
    {"CR4", CR(READ_CR, 4, 0), RETIRED, BIT(RIG_PROTECTED), true, 0},
    {"CR4.VMXE", CR(WRITE_CR, 4, X86_CR4_PAE | BIT(13)),
     EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"CR4.LA57", CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_LA57),
     EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"CR4.PKE", CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_PKE),
     EXCEPTION(X86_VECTOR_GP), ALL_MODES},
    {"CR4, high", CR(WRITE_CR, 4, X86_CR4_PAE | BIT(32)),
     EXCEPTION(X86_VECTOR_GP), LONG_ONLY},
    {"CR4.PCIDE, not long", CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_PCIDE),
     EXCEPTION(X86_VECTOR_GP), ALL_MODES & ~LONG_ONLY},
    {"CR4.PAE, long", CR(WRITE_CR, 4, 0), EXCEPTION(X86_VECTOR_GP), LONG_ONLY},
    {"CR4", CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_PGE), RETIRED,
     ALL_MODES & ~BIT(RIG_TWO_LEVEL)},
    {"CR4", CR(READ_CR, 4, 0), RETIRED, ALL_MODES & ~BIT(RIG_TWO_LEVEL), true,
     X86_CR4_PAE | X86_CR4_PGE},
    {"CR8", CR(WRITE_CR, 8, 5), RETIRED, LONG_ONLY},
    {"CR8", CR(READ_CR, 8, 0), RETIRED, LONG_ONLY, true, 5},
    {"CR8, reserved", CR(WRITE_CR, 8, 16), EXCEPTION(X86_VECTOR_GP),
     LONG_ONLY},
    {"CR8", CR(WRITE_CR, 8, 0), RETIRED, LONG_ONLY},

    /* Ports. */
    {"out 4", PORT(OUT, RIG_PORT, 4, 0x8badf00d), RETIRED, ALL_MODES},
    {"in 4", PORT(IN, RIG_PORT, 4, 0), RETIRED, ALL_MODES, true, 0x8badf00d},
    {"in 2", PORT(IN, RIG_PORT, 2, 0), RETIRED, ALL_MODES, true, 0xf00d},
    {"in 1", PORT(IN, RIG_PORT + 3, 1, 0), RETIRED, ALL_MODES, true, 0x8b},
    {"out 1", PORT(OUT, RIG_PORT + 1, 1, 0x55), RETIRED, ALL_MODES},
    {"out 2", PORT(OUT, RIG_PORT + 2, 2, 0x6677), RETIRED, ALL_MODES},
    {"in 4", PORT(IN, RIG_PORT, 4, 0), RETIRED, ALL_MODES, true, 0x6677550d},
    {"in 4 of nobody", PORT(IN, 0x7000, 4, 0), RETIRED, ALL_MODES, true,
     UINT32_MAX},
    {"in 1 of nobody", PORT(IN, 0x7000, 1, 0), RETIRED, ALL_MODES, true, 0xff},
    {"out 2 to nobody", PORT(OUT, 0x7000, 2, 0), RETIRED, ALL_MODES},
    {"in 4, misaligned", PORT(IN, RIG_PORT + 1, 4, 0), RETIRED, ALL_MODES},
    {"out at the last port", PORT(OUT, 0xffff, 4, 0), RETIRED, ALL_MODES},
};
/* clang-format on */

static bool exists(const struct row *row)
{
    const struct x86_guest_cpuid *cpuid = rig_vcpu(0)->cpuid;

    if (row->op.kind == OP_X86_WRITE_CR && row->op.number == 4 &&
        row->outcome == OUTCOME_RETIRED)
        return (row->op.value & ~x86_guest_cr4_bits(cpuid)) == 0;
    return true;
}

static void try_row(const char *profile, enum rig_mode mode,
                    const struct row *row)
{
    uint64_t rip = rig_rip(0);
    struct guest_result result = rig_do(0, row->op);

    cr_expect_eq(result.outcome, row->outcome, "%s, %s: %s: %s, cause %llu",
                 profile, rig_mode_names[mode], row->name,
                 guest_outcome_name(result.outcome),
                 (unsigned long long)result.cause);
    if (row->outcome == OUTCOME_EXCEPTION) {
        cr_expect_eq(result.cause, row->cause, "%s, %s: %s: cause %llu",
                     profile, rig_mode_names[mode], row->name,
                     (unsigned long long)result.cause);
        cr_expect_eq(result.tval, 0, "%s", row->name);
        cr_expect_eq(rig_handler(0), (int)row->cause, "%s, %s: %s at 0x%llx",
                     profile, rig_mode_names[mode], row->name,
                     (unsigned long long)rig_rip(0));
        rig_do(0, (struct guest_op){.kind = OP_SET_PC, .address = rip});
    }
    if (row->has_value)
        cr_expect_eq(result.value, row->value, "%s, %s: %s: 0x%llx", profile,
                     rig_mode_names[mode], row->name,
                     (unsigned long long)result.value);
}

static bool is_selected(const struct row *row, enum rig_mode mode)
{
    return (row->modes & BIT(mode)) != 0 && exists(row);
}

Test(exits, instructions)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned mode = 0; mode < RIG_MODES; mode++) {
            rig_start(rig_profiles[p], 1, 1);
            rig_mode(0, mode);
            for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                if (is_selected(&rows[i], mode))
                    try_row(rig_profiles[p], mode, &rows[i]);
            }
            rig_stop();
        }
    }
}

Test(exits, string_ports)
{
    static const uint8_t widths[] = {1, 2, 4};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned mode = 0; mode < RIG_MODES; mode++) {
            rig_start(rig_profiles[p], 1, 1);
            rig_mode(0, mode);
            for (unsigned i = 0; i < ARRAY_SIZE(widths); i++) {
                uint64_t at = mode == RIG_REAL ? 0x5000 : RIG_DATA;
                struct guest_op outs = {.kind = OP_X86_OUTS,
                                        .width = widths[i],
                                        .number = RIG_PORT,
                                        .address = at,
                                        .value = 100};
                struct guest_op ins = outs;
                unsigned before = rig.accesses;

                for (unsigned item = 0; item < 100; item++)
                    rig_poke(at + item * widths[i], item + 1, widths[i]);
                cr_expect_eq(rig_do(0, outs).outcome, OUTCOME_RETIRED,
                             "%s, %s, %u: %s", rig_profiles[p],
                             rig_mode_names[mode], widths[i], rig.vm->reason);
                cr_expect_eq(rig.accesses - before, 100);
                cr_expect_eq(rig.bytes[3 * 4096], 100);
                cr_expect_eq(rig_gpr(0, X86_GPR_RCX), 0);
                ins.kind = OP_X86_INS;
                rig_poke(at + 100 * widths[i], 0x77, 1);
                cr_expect_eq(rig_do(0, ins).outcome, OUTCOME_RETIRED);
                cr_expect_eq(rig_peek(at, widths[i]), 100);
                cr_expect_eq(rig_peek(at + 99 * widths[i], widths[i]), 100);
                cr_expect_eq(rig_peek(at + 100 * widths[i], 1), 0x77);
                cr_expect_eq(rig_gpr(0, X86_GPR_RDI), at + 100 * widths[i]);
            }
            rig_stop();
        }
    }
}

/* XCR0 on processors that have it. */
Test(exits, xsetbv)
{
    static const struct {
        uint32_t number;
        uint64_t value;
        bool is_valid;
    } values[] = {
        {0, X86_XCR0_X87, true},
        {0, X86_XCR0_X87 | X86_XCR0_SSE, true},
        {0, X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX, true},
        {0, 0, false},
        {0, X86_XCR0_SSE, false},
        {0, X86_XCR0_X87 | X86_XCR0_AVX, false},
        {0, X86_XCR0_X87 | BIT(3), false},
        {0, X86_XCR0_X87 | BIT(9), false},
        {0, X86_XCR0_X87 | BIT(63), false},
        {1, X86_XCR0_X87, false},
    };

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        bool has_xsave = rig_profile(rig_profiles[p])->xcr0 != 0;
        struct guest_result result;

        rig_start(rig_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        result = rig_do(
            0, (struct guest_op){.kind = OP_X86_XSETBV, .value = X86_XCR0_X87});
        cr_expect_eq(result.cause, X86_VECTOR_UD, "CR4.OSXSAVE is clear");
        result = rig_do(
            0, (struct guest_op)CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_OSXSAVE));
        cr_expect_eq(result.outcome,
                     has_xsave ? OUTCOME_RETIRED : OUTCOME_EXCEPTION);
        for (unsigned i = 0; has_xsave && i < ARRAY_SIZE(values); i++) {
            uint64_t before = fake_x86_current()->xcr0;

            result = rig_do(0, (struct guest_op){.kind = OP_X86_XSETBV,
                                                 .number = values[i].number,
                                                 .value = values[i].value});
            cr_expect_eq(result.outcome,
                         values[i].is_valid ? OUTCOME_RETIRED
                                            : OUTCOME_EXCEPTION,
                         "%s, row %u", rig_profiles[p], i);
            cr_expect_eq(result.cause, values[i].is_valid ? 0 : X86_VECTOR_GP);
            cr_expect_eq(fake_x86_current()->xcr0,
                         values[i].is_valid ? values[i].value : before);
        }
        rig_stop();
    }
}

/* A write that changes what translations mean drops them. */
Test(exits, cr4_flushes)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        static const struct guest_op load = {
            .kind = OP_LOAD, .width = 8, .address = RIG_DATA};
        struct guest_op set = CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_PGE);
        struct guest_result result;

        rig_start(rig_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        rig_do(0, load);
        /* The directory's first entry leads elsewhere from now on. */
        rig_poke(RIG_DATA, 1, 8);
        rig_poke(RIG_SPARE, 2, 8);
        for (unsigned i = 0; i < 512; i++)
            rig_poke(RIG_SPARE + PAGE_SIZE + 8 * i, i << 12 | 0x63, 8);
        rig_poke(RIG_SPARE + PAGE_SIZE + 8 * (RIG_DATA >> 12), RIG_SPARE | 0x63,
                 8);
        rig_poke(RIG_TABLES + 2 * PAGE_SIZE, (RIG_SPARE + PAGE_SIZE) | 0x63, 8);
        result = rig_do(0, load);
        cr_expect_eq(result.value, 1, "the TLB has it");
        rig_do(0, set);
        result = rig_do(0, load);
        cr_expect_eq(result.value, 2, "%s", rig_profiles[p]);
        rig_stop();
    }
}

/* VMX keeps the pointers of PAE paging in registers, which some writes load, of
 * which those that exit are done for the guest; SVM reads the table whenever it
 * walks it (APM volume 2, section 15.25.10). */
EACH_VENDOR(exits, pae_pointers_are_checked_when_they_are_loaded)
{
#define PAGED (X86_CR0_PG | X86_CR0_PE)
    static const struct {
        const char *name;
        struct guest_op before, op;
        bool loads;
    } writes[] = {
        {"CR0.CD", CR(WRITE_CR, 0, PAGED), CR(WRITE_CR, 0, PAGED | X86_CR0_CD),
         true},
        {"CR0.NW", CR(WRITE_CR, 0, PAGED | X86_CR0_CD),
         CR(WRITE_CR, 0, PAGED | X86_CR0_CD | X86_CR0_NW), true},
        {"CR0.NE", CR(WRITE_CR, 0, PAGED), CR(WRITE_CR, 0, PAGED | X86_CR0_NE),
         false},
        {"CR4.PGE", CR(WRITE_CR, 4, X86_CR4_PAE),
         CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE), true},
        {"CR4.MCE", CR(WRITE_CR, 4, X86_CR4_PAE),
         CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_MCE), false},
    };
#undef PAGED
    static const uint64_t illegal[] = {BIT(1), BIT(5), BIT(62)};

    for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(illegal); k++) {
            struct guest_result result;
            bool faults;

            rig_start(profile, 1, 1);
            faults = writes[i].loads && rig_is_vmx();
            rig_mode(0, RIG_PAE);
            rig_do(0, writes[i].before);
            rig_poke(rig_get(0, X86_REG_CR3) + 16, illegal[k] | 1, 8);
            result = rig_do(0, writes[i].op);
            cr_expect_eq(result.outcome,
                         faults ? OUTCOME_EXCEPTION : OUTCOME_RETIRED,
                         "%s, %s, pointer %u", profile, writes[i].name, k);
            cr_expect_eq(result.cause, faults ? X86_VECTOR_GP : 0);
            rig_stop();
        }
    }
}

Test(exits, cpuid)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        struct guest_result result;

        rig_start(rig_profiles[p], 1, 2);
        rig_mode(1, RIG_LONG);
        result = rig_do(1, (struct guest_op){.kind = OP_X86_CPUID,
                                             .args = {1, ~UINT64_C(0)}});
        cr_expect_eq(result.value >> 56, 1, "%s: APIC ID", rig_profiles[p]);
        cr_expect_neq(result.value1 >> 32 & BIT(9), 0, "APIC");
        cr_expect_neq(result.value1 & BIT(31), 0, "hypervisor");
        cr_expect_eq(result.value1 & BIT(27), 0, "OSXSAVE");
        cr_expect_eq(rig_gpr(1, X86_GPR_RCX) >> 32, 0);
        rig_do(1, (struct guest_op)MSR(WRMSR, X86_MSR_APIC_BASE, 0xfee00000));
        result =
            rig_do(1, (struct guest_op){.kind = OP_X86_CPUID, .args = {1}});
        cr_expect_eq(result.value1 >> 32 & BIT(9), 0, "APIC is off");
        rig_stop();
    }
}
