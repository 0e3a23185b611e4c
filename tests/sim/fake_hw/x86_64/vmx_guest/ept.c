/* SPDX-License-Identifier: Apache-2.0 */
/* EPT on the fake VMX CPU, and the TLB that remembers it. */
#include <string.h>

#include "rig.h"

TestSuite(ept, .init = rig_setup);

#define EPT_A BIT(8)
#define EPT_D BIT(9)

static const struct guest_op load = {
    .kind = OP_LOAD, .width = 8, .address = RIG_DATA};
static const struct guest_op store = {
    .kind = OP_STORE, .width = 8, .address = RIG_DATA};
static const struct guest_op fetch = {.kind = OP_FETCH, .address = RIG_DATA};

static uint64_t *entry_at(unsigned wanted, uint64_t gpa)
{
    uint64_t table = FIELD(EPTP) & BIT_MASK(51, 12);

    for (unsigned level = 3;; level--) {
        uint64_t *entry = (uint64_t *)memory_phys_to_virt(hpa(table)) +
                          (gpa >> (12 + 9 * level) & 511);

        if (level == wanted)
            return entry;
        table = *entry & BIT_MASK(51, 12);
    }
}

/* Accesses by the leaf's rights. */
Test(ept, violations)
{
    static const struct {
        const struct guest_op *op;
        uint64_t rights;
        uint64_t qualification; /* 0: it is allowed */
    } rows[] = {
        {&load, 7, 0},     {&store, 7, 0},     {&fetch, 7, 0},
        {&load, 0, 0x181}, {&store, 0, 0x182}, {&fetch, 0, 0x184},
        {&load, 1, 0},     {&store, 1, 0x18a}, {&fetch, 1, 0x18c},
        {&store, 3, 0},    {&fetch, 3, 0x19c}, {&load, 4, 0x1a1},
        {&fetch, 4, 0},    {&store, 5, 0x1aa}, {&fetch, 5, 0},
    };

    for_each_row (i, rows) {
        rig_setup();
        *rig_ept(RIG_DATA) =
            (*rig_ept(RIG_DATA) & ~UINT64_C(7)) | rows[i].rights;
        rig_one(rows[i].op);
        cr_assert_eq(rig.done, rows[i].qualification == 0 ? 1 : 0, "row %zu",
                     i);
        if (rows[i].qualification == 0)
            continue;
        cr_assert_eq(rig_reason(), VMX_REASON_EPT_VIOLATION, "row %zu", i);
        cr_assert_eq(FIELD(EXIT_QUALIFICATION), rows[i].qualification,
                     "row %zu: 0x%llx", i,
                     (unsigned long long)FIELD(EXIT_QUALIFICATION));
        cr_assert_eq(FIELD(GUEST_PHYSICAL_ADDRESS), RIG_DATA, "row %zu", i);
        cr_assert_eq(FIELD(GUEST_LINEAR_ADDRESS), RIG_DATA, "row %zu", i);
        cr_assert_neq(FIELD(GUEST_RFLAGS) & X86_RFLAGS_RF, 0, "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
    }
}

/* The rights are those that all entries of the way have. */
Test(ept, rights_of_all_levels)
{
    for (unsigned level = 1; level < 4; level++) {
        rig_setup();
        *entry_at(level, RIG_DATA) &= ~UINT64_C(2);
        rig_one(&store);
        cr_assert_eq(rig_reason(), VMX_REASON_EPT_VIOLATION, "%u", level);
        cr_assert_eq(FIELD(EXIT_QUALIFICATION), 0x1aa, "%u: 0x%llx", level,
                     (unsigned long long)FIELD(EXIT_QUALIFICATION));
    }
}

/* Entries that no processor takes, where the profile has no more. */
Test(ept, misconfigurations)
{
    static const struct {
        uint64_t set, clear;
        const char *profile;
        bool is_legal;
    } rows[] = {
        {0, 0, "full", true},
        {0, 1, "full", false},       /* writes without reads */
        {0, 3, "full", true},        /* fetches alone */
        {0x10, 0x38, "full", false}, /* memory type 2 */
        {0x18, 0x38, "full", false},
        {0x38, 0x38, "full", false},
        {0x28, 0x38, "full", true},            /* write-protected */
        {UINT64_C(1) << 46, 0, "full", false}, /* above the addresses */
        {UINT64_C(1) << 40, 0, "haswell", false},
        {UINT64_C(1) << 52, 0, "full", true}, /* ignored */
    };

    for_each_row (i, rows) {
        uint64_t *entry;

        rig_load(rows[i].profile);
        entry = rig_ept(RIG_DATA);
        *entry = (*entry & ~rows[i].clear) | rows[i].set;
        rig_one(rows[i].clear == 3 ? &fetch : &load);
        cr_assert_eq(rig.done, rows[i].is_legal ? 1 : 0, "row %zu", i);
        if (rows[i].is_legal)
            continue;
        cr_assert_eq(rig_reason(), VMX_REASON_EPT_MISCONFIGURATION,
                     "row %zu: %u", i, rig_reason());
        cr_assert_eq(FIELD(GUEST_PHYSICAL_ADDRESS), RIG_DATA, "row %zu", i);
        cr_assert_eq(FIELD(EXIT_QUALIFICATION), 0, "row %zu", i);
    }
}

/* Pages of 2 MiB and 1 GiB, where there are such. */
Test(ept, large_pages)
{
    static const struct {
        unsigned level;
        const char *profile;
        uint64_t low; /* bits of the address that must be 0 */
        bool exists;
    } rows[] = {
        {1, "full", 0, true},  {1, "full", BIT(13), false},
        {2, "full", 0, true},  {2, "lynnfield", 0, false},
        {3, "full", 0, false},
    };

    for_each_row (i, rows) {
        struct cpu_translation to;
        uint64_t gpa = 0x3000;

        rig_load(rows[i].profile);
        *entry_at(rows[i].level, 0) = rows[i].low | 0xb7;
        fake_vmx_tag_guest(rig.cpu);
        to = fake_vmx_translate(rig.cpu, gpa, CPU_READ, CPU_FINAL);
        cr_assert_eq(to.ok, rows[i].exists, "row %zu", i);
        if (to.ok)
            cr_assert_eq(to.hpa, gpa, "row %zu", i);
    }
}

/* Flags where the EPTP asks for them; then walks of the guest's tables count
 * as writes. */
Test(ept, accessed_and_dirty)
{
    for (unsigned ad = 0; ad < 2; ad++) {
        rig_setup();
        if (ad)
            FIELD(EPTP) |= VMX_EPTP_AD;
        rig_one(&load);
        cr_assert_eq(*rig_ept(RIG_DATA) & (EPT_A | EPT_D), ad ? EPT_A : 0);
        rig_one(&store);
        cr_assert_eq(*rig_ept(RIG_DATA) & (EPT_A | EPT_D),
                     ad ? EPT_A | EPT_D : 0);

        rig_setup();
        rig_long_mode();
        if (ad)
            FIELD(EPTP) |= VMX_EPTP_AD;
        *(uint64_t *)rig_memory(RIG_CR3) |= 0x20;
        *rig_ept(RIG_CR3) &= ~UINT64_C(2);
        *rig_ept(RIG_CR3 + PAGE_SIZE) &= ~UINT64_C(2);
        *(uint64_t *)rig_memory(RIG_CR3 + PAGE_SIZE) |= 0x20;
        *(uint64_t *)rig_memory(RIG_CR3 + 2 * PAGE_SIZE) |= 0x20;
        rig_one(&load);
        cr_assert_eq(rig.done, ad ? 0 : 1);
        if (ad) {
            cr_assert_eq(FIELD(EXIT_QUALIFICATION), 0x0ab, "0x%llx",
                         (unsigned long long)FIELD(EXIT_QUALIFICATION));
            cr_assert_eq(FIELD(GUEST_PHYSICAL_ADDRESS), RIG_CR3);
        }
    }
}

/* An EPTP that has come to ask for flags: of what is remembered, too. */
Test(ept, accessed_and_dirty_from_now_on)
{
    rig_one(&store);
    cr_assert_eq(*rig_ept(RIG_DATA) & (EPT_A | EPT_D), 0);
    FIELD(EPTP) |= VMX_EPTP_AD;
    rig_one(&store);
    cr_assert_eq(*rig_ept(RIG_DATA) & (EPT_A | EPT_D), EPT_A | EPT_D);
}

/* What a change of EPT needs: INVEPT of it, or of all; INVVPID is of another
 * kind. */
Test(ept, invalidations)
{
    enum { NOTHING, SINGLE, OTHER, ALL, VPID_SINGLE, VPID_ALL };
    static const struct {
        unsigned how;
        bool forgets;
    } rows[] = {
        {NOTHING, false}, {SINGLE, true},       {OTHER, false},
        {ALL, true},      {VPID_SINGLE, false}, {VPID_ALL, false},
    };

    for_each_row (i, rows) {
        uint64_t eptp;

        rig_setup();
        eptp = FIELD(EPTP);
        rig_one(&load);
        cr_assert_eq(rig.done, 1);
        *rig_ept(RIG_DATA) = 0;
        switch (rows[i].how) {
        case SINGLE: x86_vmx_invept(VMX_INVEPT_SINGLE_CONTEXT, eptp); break;
        case OTHER:
            x86_vmx_invept(VMX_INVEPT_SINGLE_CONTEXT, eptp + 0x10000);
            break;
        case ALL: x86_vmx_invept(VMX_INVEPT_ALL_CONTEXTS, 0); break;
        case VPID_SINGLE:
            x86_vmx_invvpid(VMX_INVVPID_SINGLE_CONTEXT, 1, 0);
            break;
        case VPID_ALL: x86_vmx_invvpid(VMX_INVVPID_ALL_CONTEXTS, 0, 0); break;
        default: break;
        }
        rig_one(&load);
        cr_assert_eq(rig.done, 0, "row %zu", i);
        cr_assert_eq(violations_of(RULE_STALE_EPT), rows[i].forgets ? 0 : 1,
                     "row %zu", i);
        cr_assert_eq(violations_count(), rows[i].forgets ? 0 : 1, "row %zu", i);
    }
}

/* What a change of the guest's tables by the hypervisor needs, page by page. */
Test(ept, guest_translations)
{
    enum { NOTHING, ADDRESS, OTHER_ADDRESS, SINGLE, GLOBALS, OTHER, EPT, ZERO };
    static const struct {
        unsigned how;
        bool forgets;
    } rows[] = {
        {NOTHING, false}, {ADDRESS, true}, {OTHER_ADDRESS, false},
        {SINGLE, true},   {GLOBALS, true}, {OTHER, false},
        {EPT, true},      {ZERO, true},
    };

    for_each_row (i, rows) {
        uint64_t *pte;

        rig_setup();
        rig_long_mode();
        if (rows[i].how == ZERO)
            FIELD(SECONDARY_CONTROLS) &= ~VMX_CPU2_VPID;
        rig_one(&load);
        cr_assert_eq(rig.done, 1, "row %zu", i);
        pte = rig_memory(RIG_CR3 + 2 * PAGE_SIZE);
        *pte = 0x87 | 0x200000; /* to where nothing is */
        switch (rows[i].how) {
        case ADDRESS: x86_vmx_invvpid(VMX_INVVPID_ADDRESS, 1, RIG_DATA); break;
        case OTHER_ADDRESS:
            x86_vmx_invvpid(VMX_INVVPID_ADDRESS, 1, RIG_STACK);
            break;
        case SINGLE: x86_vmx_invvpid(VMX_INVVPID_SINGLE_CONTEXT, 1, 0); break;
        case GLOBALS:
            x86_vmx_invvpid(VMX_INVVPID_RETAINING_GLOBALS, 1, 0);
            break;
        case OTHER: x86_vmx_invvpid(VMX_INVVPID_SINGLE_CONTEXT, 2, 0); break;
        case EPT: x86_vmx_invept(VMX_INVEPT_SINGLE_CONTEXT, FIELD(EPTP)); break;
        default: break;
        }
        cr_assert_eq(mmu_linear(rig.cpu, RIG_DATA, CPU_READ, 0).ok,
                     !rows[i].forgets, "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
    }
}

/* A VPID that goes to another guest: what the first one left must be gone. */
Test(ept, vpid_of_another_guest)
{
    for (unsigned flushed = 0; flushed < 2; flushed++) {
        struct trap_source other;

        rig_setup();
        rig_long_mode();
        rig_one(&load);
        if (flushed)
            x86_vmx_invvpid(VMX_INVVPID_SINGLE_CONTEXT, 1, 0);
        other = rig.source;
        fake_x86_set_source(0, &other);
        (void)mmu_linear(rig.cpu, RIG_DATA, CPU_READ, 0);
        cr_assert_eq(violations_of(RULE_STALE_VPID), flushed ? 0 : 1);
        fake_x86_set_source(0, &rig.source);
    }
}

Test(ept, apic_accesses)
{
    static const struct {
        struct guest_op op;
        uint64_t qualification;
    } rows[] = {
        {{.kind = OP_LOAD, .width = 4, .address = RIG_DATA + 0x20}, 0x0020},
        {{.kind = OP_STORE, .width = 4, .address = RIG_DATA + 0xb0}, 0x10b0},
    };

    for_each_row (i, rows) {
        rig_setup();
        FIELD(SECONDARY_CONTROLS) |= VMX_CPU2_APIC_ACCESSES;
        FIELD(APIC_ACCESS_ADDRESS) = *rig_ept(RIG_DATA) & BIT_MASK(51, 12);
        rig_one(&rows[i].op);
        cr_assert_eq(rig_reason(), VMX_REASON_APIC_ACCESS, "row %zu", i);
        cr_assert_eq(FIELD(EXIT_QUALIFICATION), rows[i].qualification,
                     "row %zu", i);
    }
}

Test(ept, host_memory_is_out_of_reach)
{
    *rig_ept(RIG_DATA) = (UINT64_C(1) << 39) | RIG_LEAF;
    rig_one(&load);
    cr_assert_eq(violations_of(RULE_REACHES_HOST), 1);
    cr_assert_eq(rig_reason(), VMX_REASON_TRIPLE_FAULT);
}
