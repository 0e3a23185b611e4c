/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leaves of CPUID for guests: AMD APM volume 3, appendix E; Intel SDM
 * volume 2, CPUID. Feature bits are guest_features.h's; here is a row for each
 * leaf, in order, with what of the host's numbers goes through, and who
 * computes the others.
 *
 * AMD and Intel number topology and caches in different leaves. A leaf is of
 * one vendor if hardware has it so; the other one's guests read 0.
 */
#include "arch/x86_64/guest_cpuid.h"
#include "arch/x86_64/cpuid.h"
#include "arch/x86_64/hw.h"
#include "lib/check.h"
#include "lib/string.h"

#define ALL UINT32_MAX

/* How many leaves there are. Higher ones are of what guests do not get. */
#define BASIC_AMD      0x0e
#define BASIC_INTEL    0x17
#define EXTENDED_AMD   0x22
#define EXTENDED_INTEL 0x09

#define CLASS_SHIFT X86_LEAF_CLASS_SHIFT
#define NUMBER      X86_LEAF_NUMBER
#define BASIC       (X86_CPUID_VENDOR >> CLASS_SHIFT)
#define HYPERVISOR  (X86_CPUID_HYPERVISOR >> CLASS_SHIFT)
#define EXTENDED    (X86_CPUID_EXT_MAX >> CLASS_SHIFT)

/* Leaf 1: EBX. */
#define CLFLUSH_SIZE    BIT_MASK(15, 8)
#define LOGICAL_COUNT   BIT_MASK(23, 16)
#define INITIAL_APIC_ID BIT_MASK(31, 24)
/* Leaf 4 and Fn8000_001D, a cache: EAX. */
#define CACHE_TYPE    BIT_MASK(4, 0)
#define CACHE_LEVEL   BIT_MASK(7, 5)
#define CACHE_SHARING BIT_MASK(25, 14)
#define CACHE_CORES   BIT_MASK(31, 26)
#define CACHE_EAX     BIT_MASK(9, 0)
#define CACHE_EDX     BIT_MASK(2, 0)
/* Leaf 0BH: ECX. */
#define LEVEL_NUMBER BIT_MASK(7, 0)
#define LEVEL_TYPE   BIT_MASK(15, 8)
/* Fn8000_0008: ECX. */
#define CORE_COUNT   BIT_MASK(7, 0)
#define APIC_ID_SIZE BIT_MASK(15, 12)
/* Fn8000_001A: EAX; Fn8000_001E: EBX. */
#define FP_WIDTHS BIT_MASK(2, 0)
#define CORE_ID   BIT_MASK(7, 0)

enum level_type { LEVEL_SMT = 1, LEVEL_CORE = 2 };

#define DEFAULT_PHYSICAL_BITS 36 /* APM: without Fn8000_0008 */
#define SHARED_CACHE          3  /* the level that all cores share */

/* Copies of leaf 1's EDX in AMD's Fn8000_0001: APIC is one, too. */
#define EDX_COPIES     (BIT_MASK(9, 0) | BIT_MASK(17, 12) | BIT_MASK(24, 23))
#define EDX_APIC       BIT(9)
#define EDX_HTT        BIT(28)
#define ECX_OSXSAVE    BIT(27)
#define ECX_CMP_LEGACY BIT(1)
#define XSAVEC         BIT(1)

#define KHZ UINT64_C(1000)
#define MHZ UINT64_C(1000000)

enum policy { HIDE, PASS, AVX, AUX, SET, LAPIC, OWN, POLICY_COUNT };
enum reg { EAX, EBX, ECX, EDX };

static const struct feature {
    uint32_t leaf, subleaf;
    uint8_t reg, bit, policy;
} features[X86_FEATURE_COUNT] = {
#define X(name, leaf, subleaf, reg, bit, policy) \
    [X86_FEATURE_##name] = {leaf, subleaf, reg, bit, policy},
    X86_FEATURES(X)
#undef X
};
#define FIRST_FEATURE (X86_FEATURE_INTEL + 1)

/* What a VM's answers are computed from. */
struct builder {
    struct x86_guest_cpuid *cpuid;
    const struct x86_vm_facts *facts;
    x86_cpuid_fn host;
    uint32_t host_basic, host_extended;
    bool passes[POLICY_COUNT]; /* the host's bits of that policy */
    bool sets[POLICY_COUNT];
    size_t first, end; /* the features of the row being built */
};

struct leaf {
    uint32_t leaf, subleaf;
    bool and_further; /* subleaves have the same answer, or `own` tells them */
    enum x86_feature needs; /* all 0 without */
    struct x86_cpuid mask;  /* of the host's answer */
    /* Computes what is the same for all vCPUs; and what is each one's. */
    void (*build)(const struct builder *b, struct x86_cpuid *answer);
    void (*own)(const struct x86_vcpu_facts *facts, uint32_t subleaf,
                struct x86_cpuid *answer);
};

static uint8_t *index_of(struct x86_guest_cpuid *cpuid, uint32_t leaf)
{
    return &cpuid->index[leaf >> CLASS_SHIFT][leaf & NUMBER];
}

/* What the host has, 0 beyond its leaves: Intel's answer with another one. */
static struct x86_cpuid ask(const struct builder *b, uint32_t leaf,
                            uint32_t subleaf)
{
    struct x86_cpuid host = {0};
    uint32_t max = leaf >= X86_CPUID_EXT_MAX ? b->host_extended : b->host_basic;

    if (leaf <= max)
        (void)b->host(leaf, subleaf, &host);
    return host;
}

static void set_field(uint32_t *word, uint64_t mask, uint64_t value)
{
    *word = (uint32_t)((*word & ~mask) | FIELD_PUT(mask, value));
}

/* How many bits of the APIC ID number the cores. */
static unsigned core_bits(const struct builder *b)
{
    return b->facts->vcpus < 2 ? 0 : bit_highest(b->facts->vcpus - 1) + 1;
}

/* Identification and features --------------------------------------------*/

static void build_vendor(const struct builder *b, struct x86_cpuid *answer)
{
    answer->eax = b->cpuid->limits[BASIC] - 1;
}

static void build_features(const struct builder *b, struct x86_cpuid *answer)
{
    set_field(&answer->ebx, LOGICAL_COUNT, b->facts->vcpus);
    answer->edx |= (uint32_t)EDX_APIC;
    if (b->facts->vcpus > 1)
        answer->edx |= (uint32_t)EDX_HTT;
}

static void own_features(const struct x86_vcpu_facts *facts, uint32_t subleaf,
                         struct x86_cpuid *answer)
{
    set_field(&answer->ebx, INITIAL_APIC_ID, facts->apic_id);
    if (!facts->apic_enabled)
        answer->edx &= ~(uint32_t)EDX_APIC;
    if ((facts->cr4 & X86_CR4_OSXSAVE) != 0)
        answer->ecx |= (uint32_t)ECX_OSXSAVE;
}

/* Of the subleaves, guests have those that features are in. */
static void build_structured(const struct builder *b, struct x86_cpuid *answer)
{
    answer->eax = ask(b, X86_CPUID_STRUCTURED, 0).eax != 0;
}

static void build_ext_max(const struct builder *b, struct x86_cpuid *answer)
{
    answer->eax = X86_CPUID_EXT_MAX | (b->cpuid->limits[EXTENDED] - 1);
}

static void build_ext_features(const struct builder *b,
                               struct x86_cpuid *answer)
{
    uint8_t basic = *index_of(b->cpuid, X86_CPUID_FEATURES);

    if (!x86_guest_has(b->cpuid, X86_FEATURE_AMD))
        return;
    answer->edx |= b->cpuid->answers[basic].edx & (uint32_t)EDX_COPIES;
    if (b->facts->vcpus > 1)
        answer->ecx |= (uint32_t)ECX_CMP_LEGACY;
}

static void own_ext_features(const struct x86_vcpu_facts *facts,
                             uint32_t subleaf, struct x86_cpuid *answer)
{
    if (!facts->apic_enabled)
        answer->edx &= ~(uint32_t)EDX_APIC;
}

/* Topology ---------------------------------------------------------------*/

/* The cores share the last level of cache, and have the others alone. */
static bool is_shared_cache(const struct x86_cpuid *answer)
{
    return FIELD_GET(CACHE_LEVEL, answer->eax) >= SHARED_CACHE;
}

/* Intel's numbers are of APIC IDs, and so powers of two. */
static void build_cache(const struct builder *b, struct x86_cpuid *answer)
{
    uint64_t last_id = BIT(core_bits(b)) - 1;

    if (FIELD_GET(CACHE_TYPE, answer->eax) == 0)
        return;
    set_field(&answer->eax, CACHE_CORES, last_id);
    set_field(&answer->eax, CACHE_SHARING,
              is_shared_cache(answer) ? last_id : 0);
}

static void build_amd_cache(const struct builder *b, struct x86_cpuid *answer)
{
    if (FIELD_GET(CACHE_TYPE, answer->eax) == 0)
        return;
    set_field(&answer->eax, CACHE_SHARING,
              is_shared_cache(answer) ? b->facts->vcpus - 1 : 0);
}

static void build_threads(const struct builder *b, struct x86_cpuid *answer)
{
    answer->ebx = 1;
    set_field(&answer->ecx, LEVEL_TYPE, LEVEL_SMT);
}

static void build_cores(const struct builder *b, struct x86_cpuid *answer)
{
    answer->eax = core_bits(b);
    answer->ebx = b->facts->vcpus;
    set_field(&answer->ecx, LEVEL_TYPE, LEVEL_CORE);
}

static void own_topology(const struct x86_vcpu_facts *facts, uint32_t subleaf,
                         struct x86_cpuid *answer)
{
    set_field(&answer->ecx, LEVEL_NUMBER, subleaf);
    answer->edx = facts->apic_id;
}

/* The vCPU is a core; its node is number 0. */
static void own_amd_topology(const struct x86_vcpu_facts *facts,
                             uint32_t subleaf, struct x86_cpuid *answer)
{
    answer->eax = facts->apic_id;
    set_field(&answer->ebx, CORE_ID, facts->apic_id);
}

static void build_addresses(const struct builder *b, struct x86_cpuid *answer)
{
    set_field(&answer->eax, X86_CPUID_PHYS_ADDR_SIZE, b->cpuid->physical_bits);
    set_field(&answer->eax, X86_CPUID_LIN_ADDR_SIZE, X86_GUEST_LINEAR_BITS);
    if (!x86_guest_has(b->cpuid, X86_FEATURE_AMD))
        return;
    set_field(&answer->ecx, CORE_COUNT, b->facts->vcpus - 1);
    set_field(&answer->ecx, APIC_ID_SIZE, core_bits(b));
}

/* The XSAVE area ---------------------------------------------------------*/

/* The standard and the compacted format have the same size, since the AVX state
 * is the first one after the header. */
static uint32_t xsave_size(uint64_t components)
{
    return (components & X86_XCR0_AVX) != 0 ? X86_XSAVE_SIZE : X86_XSAVE_AVX;
}

static void build_xsave(const struct builder *b, struct x86_cpuid *answer)
{
    answer->eax = (uint32_t)(X86_XCR0_X87 | X86_XCR0_SSE);
    if (x86_guest_has(b->cpuid, X86_FEATURE_AVX))
        answer->eax |= (uint32_t)X86_XCR0_AVX;
    answer->ecx = xsave_size(answer->eax);
}

static void own_xsave(const struct x86_vcpu_facts *facts, uint32_t subleaf,
                      struct x86_cpuid *answer)
{
    answer->ebx = xsave_size(facts->xcr0);
}

static void own_xsavec(const struct x86_vcpu_facts *facts, uint32_t subleaf,
                       struct x86_cpuid *answer)
{
    if ((answer->eax & XSAVEC) != 0)
        answer->ebx = xsave_size(facts->xcr0);
}

static void build_avx_state(const struct builder *b, struct x86_cpuid *answer)
{
    answer->eax = X86_XSAVE_SIZE - X86_XSAVE_AVX;
    answer->ebx = X86_XSAVE_AVX;
}

/* Time -------------------------------------------------------------------*/

/* Linux takes leaves 15H and 16H for exact, and multiplies the crystal's kHz by
 * the numerator in 32 bits. So they are there if that is right; without them it
 * measures. The crystal clocks the APIC timer, too (SDM volume 3A, section
 * 11.5.4). */
static uint32_t exact_mhz(const struct builder *b)
{
    uint64_t mhz = b->facts->tsc_hz / MHZ;

    if (b->facts->tsc_hz % MHZ != 0 ||
        mhz > UINT32_MAX / (X86_GUEST_APIC_HZ / KHZ))
        return 0;
    return (uint32_t)mhz;
}

static void build_tsc_ratio(const struct builder *b, struct x86_cpuid *answer)
{
    uint32_t mhz = exact_mhz(b);

    if (mhz != 0)
        *answer = (struct x86_cpuid){.eax = X86_GUEST_APIC_HZ / MHZ,
                                     .ebx = mhz,
                                     .ecx = X86_GUEST_APIC_HZ};
}

static void build_frequency(const struct builder *b, struct x86_cpuid *answer)
{
    uint32_t mhz = exact_mhz(b);

    if (mhz != 0)
        *answer = (struct x86_cpuid){
            .eax = mhz, .ebx = mhz, .ecx = X86_GUEST_APIC_HZ / MHZ};
}

static void build_timing(const struct builder *b, struct x86_cpuid *answer)
{
    answer->eax = (uint32_t)(b->facts->tsc_hz / KHZ);
    answer->ebx = X86_GUEST_APIC_HZ / KHZ;
}

static void build_signature(const struct builder *b, struct x86_cpuid *answer)
{
    uint32_t words[3];

    memcpy(words, X86_GUEST_SIGNATURE, sizeof(words));
    *answer =
        (struct x86_cpuid){X86_GUEST_LEAF_TIMING, words[0], words[1], words[2]};
}

static void build_interface(const struct builder *b, struct x86_cpuid *answer)
{
    answer->eax = (uint32_t)X86_GUEST_HAS_TIMING;
}

/* The table --------------------------------------------------------------*/

/* clang-format off */
#define CACHES(leaf, n, needs, build)                                          \
    {leaf, n, false, X86_FEATURE_##needs,                                      \
     {CACHE_EAX, ALL, ALL, CACHE_EDX}, build, NULL}
#define FEATURES(leaf, n, needs)                                               \
    {leaf, n, false, X86_FEATURE_##needs, {0, 0, 0, 0}, NULL, NULL}
#define NUMBERS(leaf, needs, ...)                                              \
    {leaf, 0, true, X86_FEATURE_##needs, {__VA_ARGS__}, NULL, NULL}
#define COMPUTED(leaf, n, further, needs, build, own)                          \
    {leaf, n, further, X86_FEATURE_##needs, {0, 0, 0, 0}, build, own}

static const struct leaf leaves[] = {
    {0x00, 0, true, X86_FEATURE_NONE, {0, ALL, ALL, ALL}, build_vendor, NULL},
    {0x01, 0, true, X86_FEATURE_NONE, {ALL, CLFLUSH_SIZE, 0, 0},
     build_features, own_features},
    NUMBERS(0x02, INTEL, ALL, ALL, ALL, ALL), /* caches and TLBs */
    CACHES(0x04, 0, INTEL, build_cache),
    CACHES(0x04, 1, INTEL, build_cache),
    CACHES(0x04, 2, INTEL, build_cache),
    CACHES(0x04, 3, INTEL, build_cache),
    CACHES(0x04, 4, INTEL, build_cache),
    NUMBERS(0x06, NONE, 0),
    COMPUTED(0x07, 0, false, NONE, build_structured, NULL),
    FEATURES(0x07, 1, NONE),
    COMPUTED(0x0b, 0, false, NONE, build_threads, own_topology),
    COMPUTED(0x0b, 1, false, NONE, build_cores, own_topology),
    COMPUTED(0x0b, 2, true, NONE, NULL, own_topology),
    COMPUTED(0x0d, 0, false, XSAVE, build_xsave, own_xsave),
    COMPUTED(0x0d, 1, false, XSAVE, NULL, own_xsavec),
    COMPUTED(0x0d, 2, false, AVX, build_avx_state, NULL),
    COMPUTED(0x15, 0, true, INTEL, build_tsc_ratio, NULL),
    COMPUTED(0x16, 0, true, INTEL, build_frequency, NULL),
    COMPUTED(0x40000000, 0, true, NONE, build_signature, NULL),
    COMPUTED(0x40000001, 0, true, NONE, build_interface, NULL),
    COMPUTED(X86_GUEST_LEAF_TIMING, 0, true, NONE, build_timing, NULL),
    {0x80000000, 0, true, X86_FEATURE_NONE, {0, ALL, ALL, ALL},
     build_ext_max, NULL},
    {0x80000001, 0, true, X86_FEATURE_NONE, {ALL, 0, 0, 0},
     build_ext_features, own_ext_features},
    NUMBERS(0x80000002, NONE, ALL, ALL, ALL, ALL), /* the processor's name */
    NUMBERS(0x80000003, NONE, ALL, ALL, ALL, ALL),
    NUMBERS(0x80000004, NONE, ALL, ALL, ALL, ALL),
    NUMBERS(0x80000005, AMD, ALL, ALL, ALL, ALL), /* caches and TLBs */
    NUMBERS(0x80000006, NONE, ALL, ALL, ALL, ALL),
    NUMBERS(0x80000007, NONE, 0),
    COMPUTED(0x80000008, 0, true, NONE, build_addresses, NULL),
    NUMBERS(0x80000019, AMD, ALL, ALL, 0, 0), /* TLBs of 1 GiB pages */
    NUMBERS(0x8000001a, AMD, FP_WIDTHS, 0, 0, 0),
    CACHES(0x8000001d, 0, TOPOEXT, build_amd_cache),
    CACHES(0x8000001d, 1, TOPOEXT, build_amd_cache),
    CACHES(0x8000001d, 2, TOPOEXT, build_amd_cache),
    CACHES(0x8000001d, 3, TOPOEXT, build_amd_cache),
    CACHES(0x8000001d, 4, TOPOEXT, build_amd_cache),
    COMPUTED(0x8000001e, 0, true, TOPOEXT, NULL, own_amd_topology),
    NUMBERS(0x80000021, AMD, 0),
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(leaves) == X86_GUEST_CPUID_ROWS, "");
_Static_assert(ARRAY_SIZE(leaves) < 64, "indices are bits of a word");
_Static_assert(EXTENDED_AMD <= X86_GUEST_LEAVES, "");

static size_t index_of_row(const struct leaf *row)
{
    return (size_t)(row - leaves) + 1;
}

/* Building ---------------------------------------------------------------*/

static bool is_amd(const struct x86_cpuid *vendor)
{
    const uint32_t text[] = {vendor->ebx, vendor->edx, vendor->ecx};

    return memcmp(text, "AuthenticAMD", sizeof(text)) == 0 ||
           memcmp(text, "HygonGenuine", sizeof(text)) == 0;
}

static void set_feature(struct x86_guest_cpuid *cpuid, enum x86_feature feature)
{
    cpuid->features[feature / 64] |= BIT(feature % 64);
}

static uint32_t *word_of(struct x86_cpuid *answer, uint8_t reg)
{
    uint32_t *const words[] = {&answer->eax, &answer->ebx, &answer->ecx,
                               &answer->edx};

    return words[reg];
}

/* Both tables are in the order of the leaves. */
static void find_features(struct builder *b, const struct leaf *row)
{
    b->first = b->end;
    while (b->end < X86_FEATURE_COUNT && features[b->end].leaf == row->leaf &&
           features[b->end].subleaf == row->subleaf)
        b->end++;
}

static void add_features(const struct builder *b, struct x86_cpuid host,
                         struct x86_cpuid *answer)
{
    for (size_t i = b->first; i < b->end; i++) {
        const struct feature *feature = &features[i];
        uint32_t bit = UINT32_C(1) << feature->bit;

        if (b->passes[feature->policy])
            *word_of(answer, feature->reg) |=
                *word_of(&host, feature->reg) & bit;
        if (b->sets[feature->policy])
            *word_of(answer, feature->reg) |= bit;
    }
}

/* The features that are now in the answer, for those who ask by name. */
static void note_features(const struct builder *b, struct x86_cpuid *answer)
{
    for (size_t i = b->first; i < b->end; i++) {
        if ((*word_of(answer, features[i].reg) >> features[i].bit & 1) != 0)
            set_feature(b->cpuid, (enum x86_feature)i);
    }
}

/* In the order of the table: a row may need features of those before it. */
static void build_row(const struct builder *b, const struct leaf *row,
                      struct x86_cpuid *answer)
{
    struct x86_cpuid host = ask(b, row->leaf, row->subleaf);

    *answer = (struct x86_cpuid){0};
    if (!x86_guest_has(b->cpuid, row->needs))
        return;
    if (row->subleaf == 0)
        *index_of(b->cpuid, row->leaf) = (uint8_t)index_of_row(row);
    if (row->subleaf == 0 && row->and_further && row->own == NULL)
        b->cpuid->plain |= BIT(index_of_row(row));
    *answer =
        (struct x86_cpuid){host.eax & row->mask.eax, host.ebx & row->mask.ebx,
                           host.ecx & row->mask.ecx, host.edx & row->mask.edx};
    add_features(b, host, answer);
    if (row->build)
        row->build(b, answer);
    note_features(b, answer);
}

static bool host_has(const struct builder *b, enum x86_feature name)
{
    const struct feature *feature = &features[name];
    struct x86_cpuid host = ask(b, feature->leaf, feature->subleaf);

    return (*word_of(&host, feature->reg) >> feature->bit & 1) != 0;
}

static bool host_has_avx(const struct builder *b)
{
    const uint64_t components = X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX;

    return host_has(b, X86_FEATURE_XSAVE) && host_has(b, X86_FEATURE_AVX) &&
           (ask(b, X86_CPUID_XSTATE, 0).eax & components) == components;
}

static unsigned physical_bits(const struct builder *b)
{
    struct x86_cpuid addresses = ask(b, X86_CPUID_ADDRESSES, 0);
    unsigned host =
        (unsigned)FIELD_GET(X86_CPUID_PHYS_ADDR_SIZE, addresses.eax);

    if (host == 0)
        host = DEFAULT_PHYSICAL_BITS;
    return host < b->facts->physical_bits ? host : b->facts->physical_bits;
}

void x86_guest_cpuid_init(struct x86_guest_cpuid *cpuid,
                          const struct x86_vm_facts *facts, x86_cpuid_fn host)
{
    struct builder b = {
        .cpuid = cpuid, .facts = facts, .host = host, .end = FIRST_FEATURE};
    struct x86_cpuid vendor, extended;
    bool amd;

    (void)host(X86_CPUID_VENDOR, 0, &vendor);
    (void)host(X86_CPUID_EXT_MAX, 0, &extended);
    amd = is_amd(&vendor);
    b.host_basic = vendor.eax;
    b.host_extended = extended.eax;
    b.passes[PASS] = true;
    b.passes[AVX] = host_has_avx(&b);
    b.passes[AUX] = host_has(&b, X86_FEATURE_RDTSCP);
    b.sets[SET] = true;
    b.sets[LAPIC] = facts->has_apic;

    *cpuid = (struct x86_guest_cpuid){
        .limits = {[BASIC] = amd ? BASIC_AMD : BASIC_INTEL,
                   [HYPERVISOR] = (X86_GUEST_LEAF_TIMING & NUMBER) + 1,
                   [EXTENDED] = amd ? EXTENDED_AMD : EXTENDED_INTEL},
        .physical_bits = physical_bits(&b),
        .plain = BIT(0),
    };
    set_feature(cpuid, X86_FEATURE_NONE);
    set_feature(cpuid, amd ? X86_FEATURE_AMD : X86_FEATURE_INTEL);
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
        find_features(&b, &leaves[i]);
        build_row(&b, &leaves[i], &cpuid->answers[index_of_row(&leaves[i])]);
    }
    CHECK(b.end == X86_FEATURE_COUNT);
}

/* Answering --------------------------------------------------------------*/

/* The row of a subleaf; `row` is the leaf's first. NULL: there is none. */
static const struct leaf *subleaf_of(const struct leaf *row, uint32_t subleaf)
{
    while (row->subleaf != subleaf && !row->and_further) {
        uint32_t leaf = row->leaf;

        row++;
        if (row == leaves + ARRAY_SIZE(leaves) || row->leaf != leaf)
            return NULL;
    }
    return row;
}

static const struct leaf *find(const struct x86_guest_cpuid *cpuid,
                               uint32_t leaf, uint32_t subleaf)
{
    uint32_t class = leaf >> CLASS_SHIFT;
    uint32_t number = leaf & NUMBER;
    uint8_t index;

    /* Beyond its leaves, Intel has the last basic one's answer, AMD has 0. */
    if (number >= cpuid->limits[class]) {
        if (x86_guest_has(cpuid, X86_FEATURE_AMD))
            return NULL;
        class = BASIC;
        number = cpuid->limits[BASIC] - 1;
    }
    index = cpuid->index[class][number];
    return index == 0 ? NULL : subleaf_of(&leaves[index - 1], subleaf);
}

void x86_guest_cpuid(const struct x86_guest_cpuid *cpuid,
                     const struct x86_vcpu_facts *facts, uint32_t leaf,
                     uint32_t subleaf, struct x86_cpuid *result)
{
    const struct leaf *row = find(cpuid, leaf, subleaf);

    if (!row) {
        *result = (struct x86_cpuid){0};
        return;
    }
    *result = cpuid->answers[index_of_row(row)];
    if (row->own)
        row->own(facts, subleaf, result);
}
