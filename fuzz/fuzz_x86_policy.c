/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest is told of its processor, and what it does to its MSRs. The
 * input is a host's CPUID, the VM, and accesses. Whatever the host, a guest
 * must not see what it cannot have, nor store what a processor refuses; a
 * refused write changes nothing, an accepted one only its MSR.
 */
#include <string.h>

#include "arch/x86_64/guest_control.h"
#include "arch/x86_64/guest_msr.h"
#include "arch/x86_64/hw.h"
#include "fuzz/harness.h"
#include "lib/bits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Leaves of which the host has an answer of its own; the others are all ones.
 */
#define ANSWERS 8

static struct {
    struct {
        uint32_t leaf, subleaf;
        struct x86_cpuid cpuid;
    } answers[ANSWERS];
    unsigned count;
    bool intel;
} host;

static uint32_t take_leaf(struct fuzz_input *input)
{
    static const uint32_t classes[] = {0, 0x40000000, 0x80000000};
    unsigned which = fuzz_pick(input, 4);

    if (which < ARRAY_SIZE(classes))
        return classes[which] + fuzz_pick(input, 64);
    return (uint32_t)fuzz_take(input, 4);
}

static void take_host(struct fuzz_input *input)
{
    host.intel = fuzz_pick(input, 2) != 0;
    host.count = fuzz_pick(input, ANSWERS + 1);
    for (unsigned i = 0; i < host.count; i++) {
        host.answers[i].leaf = take_leaf(input);
        host.answers[i].subleaf = fuzz_pick(input, 4);
        host.answers[i].cpuid = (struct x86_cpuid){
            (uint32_t)fuzz_number(input), (uint32_t)fuzz_number(input),
            (uint32_t)fuzz_number(input), (uint32_t)fuzz_number(input)};
    }
}

static size_t ask_host(uint32_t leaf, uint32_t subleaf, struct x86_cpuid *cpuid)
{
    memset(cpuid, 0xff, sizeof(*cpuid));
    for (unsigned i = 0; i < host.count; i++) {
        if (host.answers[i].leaf == leaf && host.answers[i].subleaf == subleaf)
            *cpuid = host.answers[i].cpuid;
    }
    if (leaf == 0) {
        memcpy(&cpuid->ebx, host.intel ? "Genu" : "Auth", 4);
        memcpy(&cpuid->edx, host.intel ? "ineI" : "enti", 4);
        memcpy(&cpuid->ecx, host.intel ? "ntel" : "cAMD", 4);
    }
    return sizeof(*cpuid);
}

/* Bits that no guest has, of leaves of features. */
static void check_cpuid(uint32_t leaf, uint32_t subleaf,
                        const struct x86_cpuid *has)
{
    static const struct {
        uint32_t leaf, subleaf;
        struct x86_cpuid never;
    } rows[] = {
        {1, 0, {0, 0, 0x0005cdfc, 0xe0740400}},
        {7, 0, {0xfffffffe, 0xde63d814, 0xfdbff8fb, 0xffffbbef}},
        {7, 1, {0xff7fe3e8, UINT32_MAX, UINT32_MAX, 0xffffbbcf}},
        {13, 0, {0xfffffff8, 0xfffffc00, 0xfffffc00, UINT32_MAX}},
        {13, 1, {0xfffffff8, 0xfffffc00, UINT32_MAX, UINT32_MAX}},
        {0x80000001, 0, {0, UINT32_MAX, 0xff9ef40c, 0x102c0400}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].leaf != leaf || rows[i].subleaf != subleaf)
            continue;
        fuzz_need((has->eax & rows[i].never.eax) == 0, "a bit of EAX");
        fuzz_need((has->ebx & rows[i].never.ebx) == 0, "a bit of EBX");
        fuzz_need((has->ecx & rows[i].never.ecx) == 0, "a bit of ECX");
        fuzz_need((has->edx & rows[i].never.edx) == 0, "a bit of EDX");
    }
}

static void do_cpuid(const struct x86_guest_cpuid *cpuid,
                     struct fuzz_input *input)
{
    uint32_t leaf = take_leaf(input), subleaf = fuzz_pick(input, 8);
    unsigned how = fuzz_pick(input, 8);
    const struct x86_vcpu_facts facts = {fuzz_pick(input, 64), (how & 1) != 0,
                                         (how & 2) != 0 ? X86_CR4_OSXSAVE : 0,
                                         (how & 4) != 0 ? 7 : 3};
    struct x86_cpuid first, second;

    x86_guest_cpuid(cpuid, &facts, leaf, subleaf, &first);
    x86_guest_cpuid(cpuid, &facts, leaf, subleaf, &second);
    fuzz_need(memcmp(&first, &second, sizeof(first)) == 0, "another answer");
    check_cpuid(leaf, subleaf, &first);
}

static void do_xsetbv(const struct x86_guest_cpuid *cpuid,
                      struct fuzz_input *input)
{
    uint64_t value = fuzz_number(input);
    uint64_t efer = fuzz_number(input), written = 0;

    if (x86_xcr0_is_valid(value, x86_guest_xcr0_bits(cpuid)))
        fuzz_need(value == 1 || value == 3 || value == 7, "XCR0");
    if (x86_efer_write(cpuid, 0, 0, efer, &written) == OK)
        fuzz_need((written & ~UINT64_C(0x4901)) == 0, "EFER");
}

static uint32_t take_msr(struct fuzz_input *input)
{
    static const uint32_t starts[] = {0, 0x200, 0xc0000080, 0xc0010000};
    unsigned which = fuzz_pick(input, 5);

    if (which < ARRAY_SIZE(starts))
        return starts[which] + (uint32_t)fuzz_take(input, 1);
    return (uint32_t)fuzz_take(input, 4);
}

static bool is_type(uint64_t type)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

static void check_accepted(uint32_t msr, uint64_t value)
{
    if (msr >= 0x200 && msr < 0x210 && msr % 2 == 0)
        fuzz_need(is_type(value & 0xff), "type of a variable MTRR");
    if (msr >= 0x250 && msr < 0x270)
        fuzz_need(is_type(value & 0xff) && is_type(value >> 56),
                  "type of a fixed MTRR");
    if (msr == 0x277)
        fuzz_need(is_type(value & 0xff) || (value & 0xff) == 7, "PAT");
    if (msr == 0xc0000082 || (msr >= 0xc0000100 && msr <= 0xc0000102))
        fuzz_need((uint64_t)sign_extend(value, 48) == value, "canonical");
}

static void do_wrmsr(const struct x86_guest_cpuid *cpuid,
                     struct x86_msr_state *msrs, struct fuzz_input *input)
{
    uint32_t msr = take_msr(input);
    uint64_t value = fuzz_number(input);
    const struct x86_msr_row *row = x86_msr_find(cpuid, msr);
    const struct x86_msr_state before = *msrs;
    unsigned changed = 0;

    if (!row)
        return;
    fuzz_need(msr >= row->first && msr <= row->last, "another MSR's row");
    if (!x86_msr_accepts(cpuid, row, value))
        return;
    check_accepted(msr, value);
    if (row->home != X86_MSR_STATE)
        return;
    x86_msr_store(msrs, row, msr, value);
    fuzz_need((x86_msr_load(msrs, row, msr) & row->writable) ==
                  (value & row->writable),
              "not what was written");
    for (size_t i = 0; i < sizeof(*msrs); i += sizeof(uint64_t))
        changed += memcmp((const char *)msrs + i, (const char *)&before + i,
                          sizeof(uint64_t)) != 0;
    fuzz_need(changed <= 1, "two MSRs have changed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    struct x86_guest_cpuid cpuid;
    struct x86_msr_state msrs;
    struct x86_vm_facts facts;

    take_host(&input);
    facts = (struct x86_vm_facts){
        1 + fuzz_pick(&input, 64), 32 + fuzz_pick(&input, 21),
        fuzz_number(&input), fuzz_pick(&input, 2) != 0};
    x86_guest_cpuid_init(&cpuid, &facts, ask_host);
    fuzz_need(cpuid.physical_bits <= facts.physical_bits, "address bits");
    x86_msr_reset(&msrs);
    x86_msr_set_mtrrs(&msrs, &cpuid, fuzz_number(&input));
    while (!fuzz_is_empty(&input)) {
        switch (fuzz_pick(&input, 3)) {
        case 0: do_cpuid(&cpuid, &input); break;
        case 1: do_xsetbv(&cpuid, &input); break;
        default: do_wrmsr(&cpuid, &msrs, &input); break;
        }
    }
    return 0;
}
