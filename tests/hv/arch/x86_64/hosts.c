/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up processors; see hosts.h. */
#include "hosts.h"

#include <string.h>

#include "lib/compiler.h"
#include "random.h"

#define ALL UINT32_MAX

struct host host;

/* clang-format off */
const struct host_leaf host_leaves[] = {
    {0x00000000, 0, {ALL, ALL, ALL, ALL}, {0}, NULL},
    {0x00000001, 0, {ALL, 0x0000ff00, 0x76da3203, 0x0f8ba95f},
     {0, 0, 0x81200000, 0x000050a0}, NULL},
    {0x00000002, 0, {ALL, ALL, ALL, ALL}, {0}, INTEL},
    {0x00000004, 0, {0x3ff, ALL, ALL, 7}, {0}, INTEL},
    {0x00000004, 1, {0x3ff, ALL, ALL, 7}, {0}, INTEL},
    {0x00000004, 2, {0x3ff, ALL, ALL, 7}, {0}, INTEL},
    {0x00000004, 3, {0x3ff, ALL, ALL, 7}, {0}, INTEL},
    {0x00000004, 4, {0x3ff, ALL, ALL, 7}, {0}, INTEL},
    {0x00000006, 0, {0, 0, 0, 0}, {4, 0, 0, 0}, NULL},
    {0x00000007, 0, {ALL, 0x219c27e9, 0x02400704, 0x00004410}, {0, 2, 0, 0},
     NULL},
    {0x00000007, 1, {0x00801c17, 0, 0, 0x00004430}, {0}, NULL},
    {0x0000000d, 0, {7, 0, 0, 0}, {0}, NULL},
    {0x0000000d, 1, {7, 0, 0, 0}, {0}, NULL},
    {0x80000000, 0, {ALL, ALL, ALL, ALL}, {0}, NULL},
    {0x80000001, 0, {ALL, 0, 0x00610bf1, 0xee500800}, {0}, NULL},
    {0x80000002, 0, {ALL, ALL, ALL, ALL}, {0}, NULL},
    {0x80000003, 0, {ALL, ALL, ALL, ALL}, {0}, NULL},
    {0x80000004, 0, {ALL, ALL, ALL, ALL}, {0}, NULL},
    {0x80000005, 0, {ALL, ALL, ALL, ALL}, {0}, AMD},
    {0x80000006, 0, {ALL, ALL, ALL, ALL}, {0}, NULL},
    {0x80000007, 0, {0, 0, 0, 0}, {0, 0, 0, 0x100}, NULL},
    {0x80000008, 0, {0xff, 0x24000005, 0, 0}, {0}, NULL},
    {0x80000019, 0, {ALL, ALL, 0, 0}, {0}, AMD},
    {0x8000001a, 0, {7, 0, 0, 0}, {0}, AMD},
    {0x8000001d, 0, {0x3ff, ALL, ALL, 7}, {0}, AMD},
    {0x8000001d, 1, {0x3ff, ALL, ALL, 7}, {0}, AMD},
    {0x8000001d, 2, {0x3ff, ALL, ALL, 7}, {0}, AMD},
    {0x8000001d, 3, {0x3ff, ALL, ALL, 7}, {0}, AMD},
    {0x8000001d, 4, {0x3ff, ALL, ALL, 7}, {0}, AMD},
    {0x80000021, 0, {0x00000045, 0, 0, 0}, {0}, AMD},
};
/* clang-format on */
const size_t host_leaf_count = ARRAY_SIZE(host_leaves);

static const uint32_t *mask_of(uint32_t leaf, uint32_t subleaf)
{
    static const uint32_t none[4];
    uint32_t max = leaf >= 0x80000000 ? host.max_extended : host.max_basic;

    for (size_t i = 0; i < ARRAY_SIZE(host_leaves); i++) {
        if (host_leaves[i].leaf == leaf && host_leaves[i].subleaf == subleaf &&
            leaf <= max)
            return host_leaves[i].pass;
    }
    return none;
}

static uint32_t bits_of(uint64_t seed, uint32_t leaf, uint32_t subleaf,
                        unsigned reg)
{
    uint64_t state = seed ^ (uint64_t)leaf << 32 ^ subleaf << 8 ^ (reg + 1);

    switch (host.fill) {
    case HOST_ZEROS: return 0;
    case HOST_ONES: return ALL;
    default: random_next(&state); return (uint32_t)(random_next(&state) >> 32);
    }
}

size_t host_cpuid(uint32_t leaf, uint32_t subleaf, struct x86_cpuid *cpuid)
{
    uint32_t *const regs[] = {&cpuid->eax, &cpuid->ebx, &cpuid->ecx,
                              &cpuid->edx};
    const uint32_t *mask = mask_of(leaf, subleaf);

    for (unsigned i = 0; i < 4; i++) {
        *regs[i] = (bits_of(host.seed, leaf, subleaf, i) & mask[i]) |
                   (bits_of(host.noise, leaf, subleaf, i) & ~mask[i]);
    }
    if (leaf == 0 || leaf == 0x80000000) {
        cpuid->eax = leaf == 0 ? host.max_basic : host.max_extended;
        memcpy(&cpuid->ebx, host.vendor, 4);
        memcpy(&cpuid->edx, host.vendor + 4, 4);
        memcpy(&cpuid->ecx, host.vendor + 8, 4);
    }
    return sizeof(*cpuid);
}

void host_set(const char *vendor, enum host_fill fill)
{
    host = (struct host){vendor, 0xff, 0x800000ff, fill, 1, 2};
}

void host_guest(struct x86_guest_cpuid *cpuid, unsigned vcpus)
{
    const struct x86_vm_facts facts = {vcpus, 48, UINT64_C(2500000000), true};

    x86_guest_cpuid_init(cpuid, &facts, host_cpuid);
}

struct x86_cpuid host_ask(const struct x86_guest_cpuid *cpuid, uint32_t id,
                          uint32_t leaf, uint32_t subleaf)
{
    const struct x86_vcpu_facts facts = {id, true, 0, 1};
    struct x86_cpuid result;

    x86_guest_cpuid(cpuid, &facts, leaf, subleaf, &result);
    return result;
}
