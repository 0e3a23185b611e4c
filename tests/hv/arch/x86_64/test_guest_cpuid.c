/* SPDX-License-Identifier: Apache-2.0 */
/* What CPUID says to a guest: bits that pass, that do not, and topology. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/vmm.h"
#include "arch/x86_64/hw.h"
#include "hosts.h"
#include "random.h"
#include "support/rows.h"

enum { EAX, EBX, ECX, EDX };

static const char *const vendors[] = {AMD, INTEL};

static bool is_of(const char *vendor)
{
    return strcmp(host.vendor, vendor) == 0;
}

/* What the guest is told itself, rather than through its features: topology,
 * addresses, sizes, and copies of other leaves. */
static const struct {
    uint32_t leaf, subleaf;
    uint32_t bits[4];
} computed[] = {
    {0x00000000, 0, {UINT32_MAX, 0, 0, 0}},
    {0x00000001, 0, {0, 0xffff0000, 0, 0x10000200}},
    {0x00000004, 0, {0xffffc000, 0, 0, 0}},
    {0x00000004, 1, {0xffffc000, 0, 0, 0}},
    {0x00000004, 2, {0xffffc000, 0, 0, 0}},
    {0x00000004, 3, {0xffffc000, 0, 0, 0}},
    {0x00000004, 4, {0xffffc000, 0, 0, 0}},
    {0x00000007, 0, {UINT32_MAX, 0, 0, 0}},
    {0x0000000d, 0, {0, UINT32_MAX, UINT32_MAX, 0}},
    {0x0000000d, 1, {0, UINT32_MAX, 0, 0}},
    {0x80000000, 0, {UINT32_MAX, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 2, 0x0183f3ff}},
    {0x80000008, 0, {0xffff, 0, 0xf0ff, 0}},
    {0x8000001d, 0, {0x03ffc000, 0, 0, 0}},
    {0x8000001d, 1, {0x03ffc000, 0, 0, 0}},
    {0x8000001d, 2, {0x03ffc000, 0, 0, 0}},
    {0x8000001d, 3, {0x03ffc000, 0, 0, 0}},
    {0x8000001d, 4, {0x03ffc000, 0, 0, 0}},
};

static uint32_t computed_bits(const struct host_leaf *row, unsigned reg)
{
    for (size_t i = 0; i < ARRAY_SIZE(computed); i++) {
        if (computed[i].leaf == row->leaf &&
            computed[i].subleaf == row->subleaf)
            return computed[i].bits[reg];
    }
    return 0;
}

/* On a host that has everything, and one that has nothing. */
static void check_features(enum host_fill fill)
{
    struct x86_guest_cpuid cpuid;

    host_guest(&cpuid, 4);
    for (size_t i = 0; i < host_leaf_count; i++) {
        const struct host_leaf *row = &host_leaves[i];
        bool absent = row->only && !is_of(row->only);
        struct x86_cpuid host_has, has;

        if (absent && row->leaf > 0x80000008)
            continue; /* out of range: that is another test's */
        host_cpuid(row->leaf, row->subleaf, &host_has);
        has = host_ask(&cpuid, 0, row->leaf, row->subleaf);
        for (unsigned reg = EAX; reg <= EDX; reg++) {
            uint32_t care = ~computed_bits(row, reg);
            uint32_t want = (host_register(&host_has, reg) & row->pass[reg]) |
                            row->set[reg];

            if (absent)
                want = 0;
            cr_expect_eq(host_register(&has, reg) & care, want & care,
                         "%s %d: %08x.%u.%u: %08x, not %08x", host.vendor, fill,
                         row->leaf, row->subleaf, reg, host_register(&has, reg),
                         want);
        }
    }
}

Test(guest_cpuid, all_that_guests_may_have_and_nothing_else)
{
    for_each_row (i, vendors) {
        host_set(vendors[i], HOST_ONES);
        check_features(HOST_ONES);
        host_set(vendors[i], HOST_ZEROS);
        check_features(HOST_ZEROS);
    }
}

Test(guest_cpuid, hidden)
{
    static const struct {
        const char *name;
        uint32_t leaf, subleaf;
        unsigned reg, first, last;
    } rows[] = {
        {"DTES64, MONITOR, DS-CPL, VMX, SMX, EIST, TM2", 1, 0, ECX, 2, 8},
        {"CNXT-ID, SDBG", 1, 0, ECX, 10, 11},
        {"xTPR, PDCM", 1, 0, ECX, 14, 15},
        {"DCA", 1, 0, ECX, 18, 18},
        {"PSN", 1, 0, EDX, 18, 18},
        {"DS, ACPI", 1, 0, EDX, 21, 22},
        {"TM, IA64, PBE", 1, 0, EDX, 29, 31},
        {"MONITOR", 5, 0, EAX, 0, 31},
        {"thermal sensor, turbo", 6, 0, EAX, 0, 1},
        {"HWP", 6, 0, EAX, 7, 31},
        {"APERF, MPERF, EPB", 6, 0, ECX, 0, 31},
        {"SGX", 7, 0, EBX, 2, 2},
        {"HLE", 7, 0, EBX, 4, 4},
        {"RTM, RDT-M", 7, 0, EBX, 11, 12},
        {"MPX, RDT-A, AVX512F, AVX512DQ", 7, 0, EBX, 14, 17},
        {"AVX512_IFMA", 7, 0, EBX, 21, 21},
        {"PT, AVX512PF, AVX512ER, AVX512CD", 7, 0, EBX, 25, 28},
        {"AVX512BW, AVX512VL", 7, 0, EBX, 30, 31},
        {"AVX512_VBMI", 7, 0, ECX, 1, 1},
        {"PKU, OSPKE, WAITPKG, AVX512_VBMI2, CET_SS", 7, 0, ECX, 3, 7},
        {"AVX512_VNNI to LA57, MAWAU", 7, 0, ECX, 11, 21},
        {"KL, bus lock", 7, 0, ECX, 23, 24},
        {"MOVDIRI to PKS", 7, 0, ECX, 27, 31},
        {"AVX512_4VNNIW, AVX512_4FMAPS", 7, 0, EDX, 2, 3},
        {"UINTR to SRBDS_CTRL", 7, 0, EDX, 5, 9},
        {"TSX, hybrid, TSXLDTRK", 7, 0, EDX, 11, 13},
        {"hybrid to AMX, IBRS, STIBP, ARCH_CAP, SSBD", 7, 0, EDX, 15, 31},
        {"AVX512_BF16", 7, 1, EAX, 5, 5},
        {"LAM", 7, 1, EAX, 26, 26},
        {"AVX10", 7, 1, EDX, 19, 19},
        {"performance counters", 10, 0, EAX, 0, 31},
        {"MPX, AVX-512, PKRU, AMX", 13, 0, EAX, 3, 31},
        {"components 32 to 63", 13, 0, EDX, 0, 31},
        {"XSAVES, XFD", 13, 1, EAX, 3, 31},
        {"IA32_XSS", 13, 1, ECX, 0, 31},
        {"cache monitoring", 15, 0, EDX, 0, 31},
        {"cache allocation", 16, 0, EBX, 0, 31},
        {"SGX", 18, 0, EAX, 0, 31},
        {"PT", 20, 0, EBX, 0, 31},
        {"SVM, extended APIC space", 0x80000001, 0, ECX, 2, 3},
        {"IBS", 0x80000001, 0, ECX, 10, 10},
        {"SKINIT, WDT", 0x80000001, 0, ECX, 12, 13},
        {"LWP", 0x80000001, 0, ECX, 15, 15},
        {"TCE", 0x80000001, 0, ECX, 17, 17},
        {"NodeId", 0x80000001, 0, ECX, 19, 19},
        {"counters, breakpoint masks, MONITORX", 0x80000001, 0, ECX, 23, 31},
        {"RAS", 0x80000007, 0, EBX, 0, 31},
        {"frequency and power", 0x80000007, 0, EDX, 0, 7},
        {"boost, feedback", 0x80000007, 0, EDX, 9, 31},
        {"IRPERF", 0x80000008, 0, EBX, 1, 1},
        {"INVLPGB, RDPRU", 0x80000008, 0, EBX, 3, 25},
        {"SVM", 0x8000000a, 0, EAX, 0, 31},
        {"SVM", 0x8000000a, 0, EDX, 0, 31},
        {"IBS", 0x8000001b, 0, EAX, 0, 31},
        {"LWP", 0x8000001c, 0, EAX, 0, 31},
        {"SME, SEV", 0x8000001f, 0, EAX, 0, 31},
        {"QoS", 0x80000020, 0, EBX, 0, 31},
        {"UAI, AutoIBRS", 0x80000021, 0, EAX, 7, 31},
        {"performance monitoring", 0x80000022, 0, EAX, 0, 31},
    };

    host_set(AMD, HOST_ONES);
    for_each_row (i, rows) {
        struct x86_guest_cpuid cpuid;
        struct x86_cpuid has;

        host_guest(&cpuid, 4);
        has = host_ask(&cpuid, 0, rows[i].leaf, rows[i].subleaf);
        cr_expect_eq(host_register(&has, rows[i].reg) &
                         BIT_MASK(rows[i].last, rows[i].first),
                     0, "%s: %08x.%u: %08x", rows[i].name, rows[i].leaf,
                     rows[i].subleaf, host_register(&has, rows[i].reg));
    }
}

/* Leaves that a guest may ask for, and a few beyond. */
static const struct {
    uint32_t first, last;
} asked[] = {
    {0, 0x24},
    {0x3fffffff, 0x40000012},
    {0x40010000, 0x40010001},
    {0x7fffffff, 0x80000028},
    {0x8fffffff, 0x8fffffff},
    {0xffffffff, 0xffffffff},
};
#define SUBLEAVES 8

/* Every answer there is, to vCPU 1. */
static unsigned ask_all(const struct x86_guest_cpuid *cpuid,
                        struct x86_cpuid *answers)
{
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        for (uint64_t leaf = asked[i].first; leaf <= asked[i].last; leaf++) {
            for (uint32_t sub = 0; sub < SUBLEAVES; sub++)
                answers[count++] = host_ask(cpuid, 1, (uint32_t)leaf, sub);
        }
    }
    return count;
}

/* Two hosts that differ in what is not let through, and only in that, look the
 * same to a guest; so nothing else gets through, however it is combined. */
Test(guest_cpuid, nothing_else_of_the_host_gets_through)
{
    static const uint32_t basic[] = {0, 1, 5, 6, 0xd, 0x10, 0x16, 0x20, 0xff};
    static const uint32_t extended[] = {0,          0x80000001, 0x80000004,
                                        0x80000008, 0x8000001a, 0x8000001e,
                                        0x80000021, 0x80000028};
    static struct x86_cpuid first[1024], second[1024];
    uint64_t state = 42;

    for (unsigned round = 0; round < 2000; round++) {
        struct x86_guest_cpuid one, other;
        unsigned count, vcpus = 1 + random_pick(&state, MAX_VCPU_NUM);

        host_set(vendors[round % 2], HOST_RANDOM);
        host.max_basic = basic[random_pick(&state, ARRAY_SIZE(basic))];
        host.max_extended = extended[random_pick(&state, ARRAY_SIZE(extended))];
        host.seed = random_next(&state);
        host.noise = random_next(&state);
        host_guest(&one, vcpus);
        host.noise = random_next(&state);
        host_guest(&other, vcpus);
        count = ask_all(&one, first);
        cr_assert_leq(count, ARRAY_SIZE(first));
        cr_assert_eq(ask_all(&other, second), count);
        for (unsigned i = 0; i < count; i++)
            cr_assert_arr_eq(&first[i], &second[i], sizeof(first[i]),
                             "round %u, answer %u", round, i);
        cr_assert_arr_eq(one.features, other.features, sizeof(one.features));
    }
}

Test(guest_cpuid, avx_needs_its_state)
{
    static const struct {
        uint32_t leaf, subleaf;
        unsigned reg;
        uint32_t bits;
    } rows[] = {
        {1, 0, ECX, 0x30001000},          /* FMA, AVX, F16C */
        {7, 0, EBX, 0x00000020},          /* AVX2 */
        {7, 0, ECX, 0x00000600},          /* VAES, VPCLMULQDQ */
        {7, 1, EAX, 0x00800017},          /* SHA512 to AVX_IFMA */
        {7, 1, EDX, 0x00000430},          /* AVX_VNNI_INT8 ... */
        {13, 0, EAX, 0x00000004},         /* the component */
        {0x80000001, 0, ECX, 0x00010800}, /* XOP, FMA4 */
    };
    struct x86_guest_cpuid with, without;

    host_set(AMD, HOST_ONES);
    host_guest(&with, 1);
    /* No leaf 0DH: no state. Leaf 7 is there. */
    host.max_basic = 7;
    host_guest(&without, 1);
    for_each_row (i, rows) {
        struct x86_cpuid has =
            host_ask(&with, 0, rows[i].leaf, rows[i].subleaf);

        cr_expect_eq(host_register(&has, rows[i].reg) & rows[i].bits,
                     rows[i].bits, "%x", rows[i].leaf);
        has = host_ask(&without, 0, rows[i].leaf, rows[i].subleaf);
        cr_expect_eq(host_register(&has, rows[i].reg) & rows[i].bits, 0, "%x",
                     rows[i].leaf);
    }
    cr_expect(x86_guest_has(&with, X86_FEATURE_AVX));
    cr_expect(!x86_guest_has(&without, X86_FEATURE_AVX));
}

/* A host without Fn8000_0001's RDTSCP has no TSC_AUX to read by RDPID. */
Test(guest_cpuid, rdpid_needs_tsc_aux)
{
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    cr_expect(x86_guest_has(&cpuid, X86_FEATURE_RDPID));
    host.max_extended = 0x80000000;
    host_guest(&cpuid, 1);
    cr_expect(!x86_guest_has(&cpuid, X86_FEATURE_RDPID));
}

Test(guest_cpuid, follows_the_vcpu)
{
    struct x86_guest_cpuid cpuid;
    struct x86_vcpu_facts facts = {3, true, 0, 1};
    struct x86_cpuid result;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 4);
    x86_guest_cpuid(&cpuid, &facts, 1, 0, &result);
    cr_expect_eq(result.ecx & BIT(27), 0, "OSXSAVE");
    cr_expect_neq(result.edx & BIT(9), 0, "APIC");
    cr_expect_eq(result.ebx >> 24, 3);
    x86_guest_cpuid(&cpuid, &facts, 0x80000001, 0, &result);
    cr_expect_neq(result.edx & BIT(9), 0, "APIC");

    facts = (struct x86_vcpu_facts){3, false, X86_CR4_OSXSAVE, 1};
    x86_guest_cpuid(&cpuid, &facts, 1, 0, &result);
    cr_expect_neq(result.ecx & BIT(27), 0, "OSXSAVE");
    cr_expect_eq(result.edx & BIT(9), 0, "APIC");
    x86_guest_cpuid(&cpuid, &facts, 0x80000001, 0, &result);
    cr_expect_eq(result.edx & BIT(9), 0, "APIC");
}

/* The short way answers as the long one does, whoever asks. */
static unsigned check_plain(const struct x86_guest_cpuid *cpuid, uint32_t leaf)
{
    static const struct x86_vcpu_facts facts[] = {
        {0, true, 0, 1}, {3, false, X86_CR4_OSXSAVE, 7}};
    const struct x86_cpuid *plain = x86_guest_plain_cpuid(cpuid, leaf);
    struct x86_cpuid result;

    for (unsigned i = 0; plain != NULL && i < 2 * 8; i++) {
        x86_guest_cpuid(cpuid, &facts[i % 2], leaf, i / 2, &result);
        cr_expect_arr_eq(&result, plain, sizeof(result), "leaf %x, subleaf %u",
                         leaf, i / 2);
    }
    return plain != NULL;
}

Test(guest_cpuid, plain_answers)
{
    static const uint32_t classes[] = {0, 0x40000000, 0x80000000, 0xc0000000};
    struct x86_guest_cpuid cpuid;

    for (unsigned i = 0; i < 2 * 4; i++) {
        unsigned plain = 0;

        host_set(vendors[i / 4], HOST_ONES);
        host_guest(&cpuid, 4);
        for (uint32_t number = 0; number < 64; number++)
            plain += check_plain(&cpuid, classes[i % 4] + number);
        plain += check_plain(&cpuid, classes[i % 4] + 0x3fffffff);
        cr_expect(plain >= 3 || i % 4 == 3, "class %x: %u", classes[i % 4],
                  plain);
    }
}

/* A VM without local APICs. */
Test(guest_cpuid, no_apic)
{
    const struct x86_vm_facts facts = {2, 48, 1, false};
    const struct x86_vcpu_facts vcpu = {1, false, 0, 1};
    struct x86_guest_cpuid cpuid;
    struct x86_cpuid result;

    host_set(AMD, HOST_ONES);
    x86_guest_cpuid_init(&cpuid, &facts, host_cpuid);
    x86_guest_cpuid(&cpuid, &vcpu, 1, 0, &result);
    cr_expect_eq(result.ecx & (BIT(21) | BIT(24)), 0, "x2APIC, TSC-deadline");
    cr_expect_eq(result.edx & BIT(9), 0, "APIC");
    x86_guest_cpuid(&cpuid, &vcpu, 6, 0, &result);
    cr_expect_eq(result.eax, 0, "ARAT");
}

Test(guest_cpuid, xsave_area)
{
    static const struct {
        uint64_t xcr0;
        uint32_t size;
    } rows[] = {{1, 576}, {3, 576}, {7, 832}};
    struct x86_guest_cpuid cpuid;
    struct x86_cpuid result;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    for_each_row (i, rows) {
        const struct x86_vcpu_facts facts = {0, true, 0, rows[i].xcr0};

        x86_guest_cpuid(&cpuid, &facts, 13, 0, &result);
        cr_expect_eq(result.eax, 7);
        cr_expect_eq(result.ebx, rows[i].size);
        cr_expect_eq(result.ecx, sizeof(struct x86_xsave));
        x86_guest_cpuid(&cpuid, &facts, 13, 1, &result);
        cr_expect_eq(result.ebx, rows[i].size);
    }
    result = host_ask(&cpuid, 0, 13, 2);
    cr_expect_eq(result.eax, 256);
    cr_expect_eq(result.ebx, 576);
    for (uint32_t i = 3; i < 64; i++) {
        result = host_ask(&cpuid, 0, 13, i);
        cr_expect_eq(result.eax | result.ebx | result.ecx | result.edx, 0);
    }
}

Test(guest_cpuid, no_xsave_no_leaf)
{
    struct x86_guest_cpuid cpuid;
    struct x86_cpuid result;

    host_set(AMD, HOST_ZEROS);
    host_guest(&cpuid, 1);
    for (uint32_t i = 0; i < 4; i++) {
        result = host_ask(&cpuid, 0, 13, i);
        cr_expect_eq(result.eax | result.ebx | result.ecx | result.edx, 0);
    }
}

/* What is in ECX matters to the leaves that have subleaves, and to no other. */
Test(guest_cpuid, subleaves)
{
    static const struct {
        uint32_t leaf;
        bool has_subleaves;
    } rows[] = {
        {0, false},          {1, false},          {2, false},
        {4, true},           {6, false},          {7, true},
        {13, true},          {0x15, false},       {0x16, false},
        {0x40000000, false}, {0x40000001, false}, {0x40000010, false},
        {0x80000000, false}, {0x80000001, false}, {0x80000002, false},
        {0x80000003, false}, {0x80000004, false}, {0x80000005, false},
        {0x80000006, false}, {0x80000007, false}, {0x80000008, false},
        {0x80000019, false}, {0x8000001a, false}, {0x8000001d, true},
        {0x8000001e, false}, {0x80000021, false},
    };
    static const char *const names[] = {AMD, INTEL};

    for_each_row (i, rows) {
        for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
            struct x86_guest_cpuid cpuid;
            struct x86_cpuid want = {0}, last;

            host_set(names[j], HOST_ONES);
            host_guest(&cpuid, 3);
            if (!rows[i].has_subleaves)
                want = host_ask(&cpuid, 2, rows[i].leaf, 0);
            else if (is_of(INTEL) && rows[i].leaf > 0x80000008)
                want = host_ask(&cpuid, 2, 0x16, 0);
            for (uint32_t sub = 5; sub < 0x10000000; sub *= 15) {
                last = host_ask(&cpuid, 2, rows[i].leaf, sub);
                cr_expect_arr_eq(&last, &want, sizeof(want), "%s: %x.%x",
                                 host.vendor, rows[i].leaf, sub);
            }
        }
    }
}

/* A host that answers leaf 7 and 0DH.1 as the test says. */
static uint32_t structured_subleaves, xsave_features;

static size_t described_host(uint32_t leaf, uint32_t subleaf,
                             struct x86_cpuid *cpuid)
{
    host_cpuid(leaf, subleaf, cpuid);
    if (leaf == 7 && subleaf == 0)
        cpuid->eax = structured_subleaves;
    if (leaf == 13 && subleaf == 1)
        cpuid->eax = xsave_features;
    return sizeof(*cpuid);
}

Test(guest_cpuid, subleaves_of_leaf_7)
{
    static const struct {
        uint32_t host, guest;
    } rows[] = {{0, 0}, {1, 1}, {2, 1}};
    const struct x86_vm_facts facts = {1, 48, 1, true};

    host_set(AMD, HOST_ONES);
    for_each_row (i, rows) {
        struct x86_guest_cpuid cpuid;

        structured_subleaves = rows[i].host;
        x86_guest_cpuid_init(&cpuid, &facts, described_host);
        cr_expect_eq(host_ask(&cpuid, 0, 7, 0).eax, rows[i].guest);
        cr_expect_eq(host_ask(&cpuid, 0, 7, 2).eax, 0);
    }
}

/* SDM volume 2, CPUID.(0DH, 1):EBX is 0 without XSAVEC and XSAVES. */
Test(guest_cpuid, compacted_area)
{
    const struct x86_vm_facts facts = {1, 48, 1, true};
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ONES);
    xsave_features = 5;
    x86_guest_cpuid_init(&cpuid, &facts, described_host);
    cr_expect_eq(host_ask(&cpuid, 0, 13, 1).eax, 5);
    cr_expect_eq(host_ask(&cpuid, 0, 13, 1).ebx, 0);
    xsave_features = 0xf;
    x86_guest_cpuid_init(&cpuid, &facts, described_host);
    cr_expect_eq(host_ask(&cpuid, 0, 13, 1).eax, 7);
    cr_expect_eq(host_ask(&cpuid, 0, 13, 1).ebx, 576);
}

/* Topology ---------------------------------------------------------------*/

static unsigned bits_for(unsigned count)
{
    unsigned bits = 0;

    while (1u << bits < count)
        bits++;
    return bits;
}

/* Leaf 0BH: every ID is of the same package, and each is another core. */
static void check_extended_topology(const struct x86_guest_cpuid *cpuid,
                                    unsigned vcpus, uint32_t id)
{
    struct x86_cpuid smt = host_ask(cpuid, id, 11, 0);
    struct x86_cpuid core = host_ask(cpuid, id, 11, 1);
    struct x86_cpuid end = host_ask(cpuid, id, 11, 5);

    cr_expect_eq(smt.eax, 0);
    cr_expect_eq(smt.ebx, 1);
    cr_expect_eq(smt.ecx, 0x100);
    cr_expect_eq(core.eax, bits_for(vcpus), "%u vCPUs", vcpus);
    cr_expect_eq(core.ebx, vcpus);
    cr_expect_eq(core.ecx, 0x201);
    cr_expect_eq(end.eax | end.ebx, 0);
    cr_expect_eq(end.ecx, 5);
    cr_expect(smt.edx == id && core.edx == id && end.edx == id);
    cr_expect_eq(core.edx >> core.eax, 0, "one package");
}

static void check_features_topology(const struct x86_guest_cpuid *cpuid,
                                    unsigned vcpus, uint32_t id)
{
    struct x86_cpuid features = host_ask(cpuid, id, 1, 0);
    struct x86_cpuid extended = host_ask(cpuid, id, 0x80000001, 0);
    bool legacy = (extended.ecx & 2) != 0;

    cr_expect_eq(features.ebx >> 16 & 0xff, vcpus);
    cr_expect_eq(features.ebx >> 24, id);
    cr_expect_eq((features.edx >> 28 & 1) != 0, vcpus > 1, "HTT");
    cr_expect_eq(legacy, is_of(AMD) && vcpus > 1, "CmpLegacy");
}

static void check_amd_topology(const struct x86_guest_cpuid *cpuid,
                               unsigned vcpus, uint32_t id)
{
    struct x86_cpuid size = host_ask(cpuid, id, 0x80000008, 0);
    struct x86_cpuid unit = host_ask(cpuid, id, 0x8000001e, 0);

    cr_expect_eq((size.ecx & 0xff) + 1, vcpus);
    cr_expect_eq(size.ecx >> 12 & 0xf, bits_for(vcpus));
    cr_expect_eq(unit.eax, id);
    cr_expect_eq(unit.ebx, id, "a core of its own, of one thread");
    cr_expect_eq(unit.ecx, 0, "one node");
}

static void check_topology(unsigned vcpus)
{
    struct x86_guest_cpuid cpuid;

    host_guest(&cpuid, vcpus);
    for (uint32_t id = 0; id < vcpus; id++) {
        check_extended_topology(&cpuid, vcpus, id);
        check_features_topology(&cpuid, vcpus, id);
        if (is_of(AMD))
            check_amd_topology(&cpuid, vcpus, id);
    }
}

Test(guest_cpuid, topology)
{
    for_each_row (i, vendors) {
        host_set(vendors[i], HOST_ONES);
        for (unsigned vcpus = 1; vcpus <= MAX_VCPU_NUM; vcpus++)
            check_topology(vcpus);
    }
}

/* A host with caches of these levels, and the last one empty. */
static size_t cached_host(uint32_t leaf, uint32_t subleaf,
                          struct x86_cpuid *cpuid)
{
    static const uint32_t caches[] = {0xfc1fc121, 0xfc1fc122, 0xfc1fc143,
                                      0xfc1fc163, 0};

    host_cpuid(leaf, subleaf, cpuid);
    if ((leaf == 4 || leaf == 0x8000001d) && subleaf < ARRAY_SIZE(caches))
        cpuid->eax = caches[subleaf];
    return sizeof(*cpuid);
}

/* The levels 1 and 2 are a core's, level 3 is shared by all. Linux divides an
 * APIC ID by the sharers on AMD, and shifts it on Intel. */
Test(guest_cpuid, caches)
{
    for (unsigned vcpus = 1; vcpus <= MAX_VCPU_NUM; vcpus++) {
        const struct x86_vm_facts facts = {vcpus, 48, 1, true};
        uint32_t last_id = (1u << bits_for(vcpus)) - 1;
        struct x86_guest_cpuid cpuid;

        host_set(INTEL, HOST_ONES);
        x86_guest_cpuid_init(&cpuid, &facts, cached_host);
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t eax = host_ask(&cpuid, 0, 4, i).eax;

            cr_expect_eq(eax >> 26, last_id, "%u", vcpus);
            cr_expect_eq(eax >> 14 & 0xfff, i == 3 ? last_id : 0);
        }
        cr_expect_eq(host_ask(&cpuid, 0, 4, 4).eax, 0);

        host_set(AMD, HOST_ONES);
        x86_guest_cpuid_init(&cpuid, &facts, cached_host);
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t eax = host_ask(&cpuid, 0, 0x8000001d, i).eax;

            cr_expect_eq(eax >> 14, i == 3 ? vcpus - 1 : 0, "%u", vcpus);
        }
        cr_expect_eq(host_ask(&cpuid, 0, 0x8000001d, 4).eax, 0);
    }
}

/* Numbers ----------------------------------------------------------------*/

static void check_timing(uint64_t hz, bool exact)
{
    const struct x86_vm_facts facts = {1, 48, hz, true};
    struct x86_guest_cpuid cpuid;
    struct x86_cpuid ratio, frequency, timing;

    host_set(INTEL, HOST_ONES);
    x86_guest_cpuid_init(&cpuid, &facts, host_cpuid);
    ratio = host_ask(&cpuid, 0, 0x15, 0);
    frequency = host_ask(&cpuid, 0, 0x16, 0);
    timing = host_ask(&cpuid, 0, 0x40000010, 0);
    cr_expect_eq(timing.eax, hz / 1000);
    cr_expect_eq(timing.ebx, 1000000);
    cr_expect_eq(ratio.eax != 0, exact, "%lu", hz);
    cr_expect_eq(frequency.eax != 0, exact);
    if (ratio.eax == 0) {
        cr_expect_eq(ratio.ebx | ratio.ecx | frequency.ebx, 0);
        return;
    }
    /* As Linux computes it: in 32 bits. */
    cr_expect_eq(ratio.ecx / 1000 * ratio.ebx / ratio.eax * UINT64_C(1000), hz);
    cr_expect_eq(frequency.eax * UINT64_C(1000000), hz);
    cr_expect_eq(ratio.ecx, 1000000000, "what the APIC timer counts");
}

Test(guest_cpuid, frequencies)
{
    static const struct {
        uint64_t hz;
        bool exact;
    } rows[] = {
        {UINT64_C(1000000), true},     {UINT64_C(1000000000), true},
        {UINT64_C(2596000000), true},  {UINT64_C(2596150000), false},
        {UINT64_C(2595999999), false}, {UINT64_C(4294000000), true},
        {UINT64_C(4295000000), false}, {UINT64_C(999999), false},
    };

    for_each_row (i, rows)
        check_timing(rows[i].hz, rows[i].exact);
}

Test(guest_cpuid, addresses)
{
    static const struct {
        uint32_t host, stage2;
        uint32_t guest;
    } rows[] = {{48, 48, 48}, {52, 48, 48}, {39, 48, 39},
                {46, 40, 40}, {0, 48, 36},  {0, 32, 32}};

    for_each_row (i, rows) {
        const struct x86_vm_facts facts = {1, rows[i].stage2, 1, true};
        struct x86_guest_cpuid cpuid;

        host_set(AMD, HOST_RANDOM);
        host.max_extended = rows[i].host == 0 ? 0x80000004 : 0x80000008;
        /* The seed that has the host say so. */
        for (struct x86_cpuid has = {0}; rows[i].host != 0; host.seed++) {
            host_cpuid(0x80000008, 0, &has);
            if ((has.eax & 0xff) == rows[i].host)
                break;
        }
        x86_guest_cpuid_init(&cpuid, &facts, host_cpuid);
        cr_expect_eq(cpuid.physical_bits, rows[i].guest);
        cr_expect_eq(host_ask(&cpuid, 0, 0x80000008, 0).eax,
                     48 << 8 | rows[i].guest);
    }
}

Test(guest_cpuid, hypervisor)
{
    struct x86_guest_cpuid cpuid;
    struct x86_cpuid result;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    result = host_ask(&cpuid, 0, 0x40000000, 0);
    cr_expect_eq(result.eax, 0x40000010);
    cr_expect_arr_eq(&result.ebx, "TwinaxTwinax", 12);
    result = host_ask(&cpuid, 0, 0x40000001, 0);
    cr_expect_eq(result.eax, X86_GUEST_HAS_TIMING);
    cr_expect_eq(result.ebx | result.ecx | result.edx, 0);
    for (uint32_t leaf = 0x40000002; leaf < 0x40000100; leaf++) {
        result = host_ask(&cpuid, 0, leaf, 0);
        if (leaf != 0x40000010)
            cr_expect_eq(result.eax | result.ebx | result.ecx | result.edx, 0);
    }
}

/* Beyond the last leaf AMD has 0, Intel the last basic leaf's answer. */
Test(guest_cpuid, out_of_range)
{
    static const uint32_t leaves[] = {0x17,       0x1f,       0x3fffffff,
                                      0x40000011, 0x50000000, 0x80000022,
                                      0x80000030, 0xc0000000, 0xffffffff};
    struct x86_guest_cpuid cpuid;

    for_each_row (i, leaves) {
        struct x86_cpuid result, last;

        host_set(AMD, HOST_ONES);
        host_guest(&cpuid, 1);
        cr_expect_eq(host_ask(&cpuid, 0, 0, 0).eax, 13);
        cr_expect_eq(host_ask(&cpuid, 0, 0x80000000, 0).eax, 0x80000021);
        result = host_ask(&cpuid, 0, leaves[i], 0);
        cr_expect_eq(result.eax | result.ebx | result.ecx | result.edx, 0);

        host_set(INTEL, HOST_ONES);
        host_guest(&cpuid, 1);
        cr_expect_eq(host_ask(&cpuid, 0, 0, 0).eax, 0x16);
        cr_expect_eq(host_ask(&cpuid, 0, 0x80000000, 0).eax, 0x80000008);
        result = host_ask(&cpuid, 0, leaves[i], 0);
        last = host_ask(&cpuid, 0, 0x16, 0);
        cr_expect_eq(last.eax, 2500);
        cr_expect_arr_eq(&result, &last, sizeof(last));
    }
}

Test(guest_cpuid, vendors)
{
    static const struct {
        const char *name;
        enum x86_feature is, is_not;
    } rows[] = {
        {"AuthenticAMD", X86_FEATURE_AMD, X86_FEATURE_INTEL},
        {"HygonGenuine", X86_FEATURE_AMD, X86_FEATURE_INTEL},
        {"GenuineIntel", X86_FEATURE_INTEL, X86_FEATURE_AMD},
        {"CentaurHauls", X86_FEATURE_INTEL, X86_FEATURE_AMD},
    };

    for_each_row (i, rows) {
        struct x86_guest_cpuid cpuid;

        host_set(rows[i].name, HOST_ONES);
        host_guest(&cpuid, 1);
        cr_expect(x86_guest_has(&cpuid, rows[i].is), "%s", rows[i].name);
        cr_expect(!x86_guest_has(&cpuid, rows[i].is_not), "%s", rows[i].name);
        cr_expect(x86_guest_has(&cpuid, X86_FEATURE_NONE));
    }
}
