/* SPDX-License-Identifier: Apache-2.0 */
/* VMX instructions: their results, and what a VMCS keeps where. */
#include <string.h>

#include "api/memory.h"
#include "rig.h"

TestSuite(vmx_instructions, .init = rig_setup);

#define OTHER RIG_FREE /* another VMCS */
#define WIDE  BIT(46)

static uint64_t error(void)
{
    uint64_t value = 0;

    cr_assert_eq(vmx_vmread(&rig.vmx, VMCS_VM_INSTRUCTION_ERROR, &value),
                 VMX_SUCCEED);
    return value;
}

/* VMfailValid(number) with a current VMCS, VMfailInvalid without. */
#define EXPECT_FAIL(number, call)                        \
    do {                                                 \
        cr_assert_eq(call, VMX_FAIL_VALID, "%s", #call); \
        cr_assert_eq(error(), number, "%s", #call);      \
    } while (0)

static void make_region(uint64_t address)
{
    rig_poke(address, rig.vmx.profile->basic & VMX_BASIC_REVISION, 4);
}

static void make_current_legal(void)
{
    struct vmx_check check = vmx_check_of(&rig.vmx);

    vmx_make_legal(&check, VMX_GUEST_LONG);
}

static void load(struct fake_vmx *vmx, uint64_t address)
{
    cr_assert_eq(vmx_vmptrld(vmx, address), VMX_SUCCEED);
}

static void clear(struct fake_vmx *vmx, uint64_t address)
{
    cr_assert_eq(vmx_vmclear(vmx, address), VMX_SUCCEED);
}

Test(vmx_instructions, vmxon)
{
    static const struct {
        uint64_t cr0, cr4, control; /* what is missing */
        uint64_t address, revision;
        enum vmx_outcome outcome;
    } rows[] = {
        {0, 0, 0, RIG_VMXON, 0x2b, VMX_SUCCEED},
        {X86_CR0_PE, 0, 0, RIG_VMXON, 0x2b, VMX_UD},
        {0, X86_CR4_VMXE, 0, RIG_VMXON, 0x2b, VMX_UD},
        {X86_CR0_NE, 0, 0, RIG_VMXON, 0x2b, VMX_GP},
        {X86_CR0_PG, 0, 0, RIG_VMXON, 0x2b, VMX_GP},
        {0, 0, VMX_FEATURE_LOCK, RIG_VMXON, 0x2b, VMX_GP},
        {0, 0, VMX_FEATURE_OUTSIDE_SMX, RIG_VMXON, 0x2b, VMX_GP},
        {0, 0, 0, RIG_VMXON + 8, 0x2b, VMX_FAIL_INVALID},
        {0, 0, 0, WIDE, 0x2b, VMX_FAIL_INVALID},
        {0, 0, 0, RIG_VMXON, 0x2a, VMX_FAIL_INVALID},
        {0, 0, 0, RIG_VMXON, 0x2b | VMCS_SHADOW, VMX_FAIL_INVALID},
    };

    for_each_row (i, rows) {
        struct fake_vmx vmx;

        vmx_reset(&vmx, rig.vmx.profile, 0);
        vmx.cr0 = rig.vmx.profile->cr0_fixed0 & ~rows[i].cr0;
        vmx.cr4 = rig.vmx.profile->cr4_fixed0 & ~rows[i].cr4;
        vmx.feature_control =
            (VMX_FEATURE_LOCK | VMX_FEATURE_OUTSIDE_SMX) & ~rows[i].control;
        rig_poke(RIG_VMXON, rows[i].revision, 4);
        cr_assert_eq(vmx_vmxon(&vmx, rows[i].address), rows[i].outcome,
                     "row %zu", i);
        cr_assert_eq(vmx.on, rows[i].outcome == VMX_SUCCEED, "row %zu", i);
    }
}

/* Every instruction but VMXON is undefined outside of VMX operation. */
Test(vmx_instructions, outside)
{
    static const uint64_t descriptor[2];
    uint64_t value;

    cr_assert_eq(vmx_vmxoff(&rig.vmx), VMX_SUCCEED);
    cr_assert_eq(vmx_vmxoff(&rig.vmx), VMX_UD);
    cr_assert_eq(vmx_vmclear(&rig.vmx, RIG_VMCS), VMX_UD);
    cr_assert_eq(vmx_vmptrld(&rig.vmx, RIG_VMCS), VMX_UD);
    cr_assert_eq(vmx_vmptrst(&rig.vmx, &value), VMX_UD);
    cr_assert_eq(vmx_vmread(&rig.vmx, VMCS_GUEST_RIP, &value), VMX_UD);
    cr_assert_eq(vmx_vmwrite(&rig.vmx, VMCS_GUEST_RIP, 0), VMX_UD);
    cr_assert_eq(vmx_vmcall(&rig.vmx), VMX_UD);
    cr_assert_eq(vmx_invept(&rig.vmx, 2, descriptor), VMX_UD);
    cr_assert_eq(vmx_invvpid(&rig.vmx, 2, descriptor), VMX_UD);
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_UD);
}

/* Without a current VMCS nobody says why. */
Test(vmx_instructions, no_current)
{
    static const uint64_t descriptor[2];
    uint64_t value;

    clear(&rig.vmx, RIG_VMCS);
    cr_assert_eq(vmx_vmptrst(&rig.vmx, &value), VMX_SUCCEED);
    cr_assert_eq(value, UINT64_MAX);
    cr_assert_eq(vmx_vmread(&rig.vmx, VMCS_GUEST_RIP, &value),
                 VMX_FAIL_INVALID);
    cr_assert_eq(vmx_vmwrite(&rig.vmx, VMCS_GUEST_RIP, 0), VMX_FAIL_INVALID);
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_FAIL_INVALID);
    cr_assert_eq(vmx_enter(&rig.vmx, false), VMX_FAIL_INVALID);
    cr_assert_eq(vmx_vmxon(&rig.vmx, RIG_VMXON), VMX_FAIL_INVALID);
    cr_assert_eq(vmx_vmclear(&rig.vmx, 1), VMX_FAIL_INVALID);
    cr_assert_eq(vmx_vmptrld(&rig.vmx, 1), VMX_FAIL_INVALID);
    cr_assert_eq(vmx_vmcall(&rig.vmx), VMX_FAIL_INVALID);
    cr_assert_eq(vmx_invept(&rig.vmx, 0, descriptor), VMX_FAIL_INVALID);
    cr_assert_eq(vmx_invvpid(&rig.vmx, 0, descriptor), VMX_FAIL_INVALID);
}

/* All errors but those of SMM, where 16 to 20 and 22 to 25 are. */
Test(vmx_instructions, errors)
{
    static const uint64_t zero[2];
    struct fake_vmx *vmx = &rig.vmx;
    uint64_t value;

    EXPECT_FAIL(1, vmx_vmcall(vmx));
    EXPECT_FAIL(2, vmx_vmclear(vmx, RIG_VMCS + 1));
    EXPECT_FAIL(2, vmx_vmclear(vmx, WIDE));
    EXPECT_FAIL(3, vmx_vmclear(vmx, RIG_VMXON));
    EXPECT_FAIL(5, vmx_enter(vmx, false));
    EXPECT_FAIL(7, vmx_enter(vmx, true));
    make_current_legal();
    cr_assert_eq(vmx_vmwrite(vmx, VMCS_HOST_CR0, 0), VMX_SUCCEED);
    EXPECT_FAIL(8, vmx_enter(vmx, true));
    make_current_legal();
    cr_assert_eq(vmx_enter(vmx, true), VMX_SUCCEED);
    EXPECT_FAIL(4, vmx_enter(vmx, true));
    vmx->mov_ss = true;
    EXPECT_FAIL(26, vmx_enter(vmx, true));
    EXPECT_FAIL(26, vmx_enter(vmx, false));
    vmx->mov_ss = false;
    EXPECT_FAIL(9, vmx_vmptrld(vmx, RIG_VMCS + 16));
    EXPECT_FAIL(9, vmx_vmptrld(vmx, WIDE));
    EXPECT_FAIL(10, vmx_vmptrld(vmx, RIG_VMXON));
    rig_poke(OTHER, 0x2c, 4);
    EXPECT_FAIL(11, vmx_vmptrld(vmx, OTHER));
    EXPECT_FAIL(12, vmx_vmread(vmx, 0x7000, &value));
    EXPECT_FAIL(12, vmx_vmwrite(vmx, VMCS_GUEST_RIP | 1, 0));
    EXPECT_FAIL(12, vmx_vmread(vmx, VMCS_GUEST_RIP | BIT(32), &value));
    EXPECT_FAIL(15, vmx_vmxon(vmx, OTHER));
    EXPECT_FAIL(28, vmx_invept(vmx, 0, zero));
    EXPECT_FAIL(28, vmx_invvpid(vmx, 4, zero));
    cr_assert_eq(vmx_vmxoff(vmx), VMX_SUCCEED);
    cr_assert_eq(vmx_vmxon(vmx, RIG_VMXON), VMX_SUCCEED);
    load(vmx, RIG_VMCS);
    EXPECT_FAIL(6, vmx_enter(vmx, false));
    EXPECT_FAIL(4, vmx_enter(vmx, true));
    rig_profile(vmx_profile_find("lynnfield"));
    EXPECT_FAIL(13, vmx_vmwrite(vmx, VMCS_EXIT_REASON, 0));
    rig_poke(OTHER, 0x2b | VMCS_SHADOW, 4);
    EXPECT_FAIL(11, vmx_vmptrld(vmx, OTHER));
    cr_assert_eq(violations_of(RULE_VMX_ADDRESS), 0);
}

/* What an instruction that fails leaves as it was. */
Test(vmx_instructions, failing_changes_nothing)
{
    uint64_t value;

    make_region(OTHER);
    EXPECT_FAIL(9, vmx_vmptrld(&rig.vmx, OTHER + 8));
    cr_assert_eq(vmx_vmptrst(&rig.vmx, &value), VMX_SUCCEED);
    cr_assert_eq(value, RIG_VMCS);
    EXPECT_FAIL(7, vmx_enter(&rig.vmx, true));
    EXPECT_FAIL(5, vmx_enter(&rig.vmx, false));
}

/* An entry that fails late leaves the VMCS clear. */
Test(vmx_instructions, late_failure)
{
    make_current_legal();
    rig.vmx.vmcs->field[VMCS_AT_GUEST_RFLAGS] = 0;
    rig.vmx.vmcs->field[VMCS_AT_VM_INSTRUCTION_ERROR] = 99;
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_EXIT);
    cr_assert_eq(error(), 99);
    make_current_legal();
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_SUCCEED);
    rig.vmx.vmcs->field[VMCS_AT_GUEST_RFLAGS] = 0;
    cr_assert_eq(vmx_enter(&rig.vmx, false), VMX_EXIT);
    make_current_legal();
    cr_assert_eq(vmx_enter(&rig.vmx, false), VMX_SUCCEED);
}

Test(vmx_instructions, launch_state)
{
    make_current_legal();
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_SUCCEED);
    clear(&rig.vmx, RIG_VMCS);
    load(&rig.vmx, RIG_VMCS);
    EXPECT_FAIL(5, vmx_enter(&rig.vmx, false));
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_SUCCEED);
    make_region(OTHER);
    load(&rig.vmx, OTHER); /* which nobody has cleared */
    EXPECT_FAIL(4, vmx_enter(&rig.vmx, true));
    load(&rig.vmx, RIG_VMCS);
    cr_assert_eq(vmx_enter(&rig.vmx, false), VMX_SUCCEED);
}

/* A shadow VMCS is for VMREAD and VMWRITE. */
Test(vmx_instructions, shadow)
{
    uint64_t value;

    rig_poke(OTHER, 0x2b | VMCS_SHADOW, 4);
    clear(&rig.vmx, OTHER);
    load(&rig.vmx, OTHER);
    cr_assert_eq(vmx_vmwrite(&rig.vmx, VMCS_GUEST_RIP, 5), VMX_SUCCEED);
    cr_assert_eq(vmx_vmread(&rig.vmx, VMCS_GUEST_RIP, &value), VMX_SUCCEED);
    cr_assert_eq(value, 5);
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_FAIL_INVALID);
}

/* More VMCSs than a processor has copies of: each keeps what was written. */
Test(vmx_instructions, many)
{
    for (unsigned i = 0; i < 8; i++) {
        make_region(OTHER + i * 4096);
        clear(&rig.vmx, OTHER + i * 4096);
        load(&rig.vmx, OTHER + i * 4096);
        cr_assert_eq(vmx_vmwrite(&rig.vmx, VMCS_GUEST_RIP, 100 + i),
                     VMX_SUCCEED);
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t value;

        load(&rig.vmx, OTHER + i * 4096);
        cr_assert_eq(vmx_vmread(&rig.vmx, VMCS_GUEST_RIP, &value), VMX_SUCCEED);
        cr_assert_eq(value, 100 + i);
    }
    cr_assert_eq(violations_count(), 0);
}

static void second_processor(struct fake_vmx *vmx)
{
    vmx_reset(vmx, rig.vmx.profile, 1);
    vmx->cr0 = rig.vmx.cr0;
    vmx->cr4 = rig.vmx.cr4;
    vmx->feature_control = rig.vmx.feature_control;
    make_region(RIG_PAGE(15));
    cr_assert_eq(vmx_vmxon(vmx, RIG_PAGE(15)), VMX_SUCCEED);
}

/* With VMCLEAR a VMCS is the same on another processor, without it is what it
 * was, and that is told. */
Test(vmx_instructions, migration)
{
    struct fake_vmx other;
    uint64_t value;

    second_processor(&other);
    cr_assert_eq(vmx_vmwrite(&rig.vmx, VMCS_GUEST_RIP, 1), VMX_SUCCEED);
    clear(&rig.vmx, RIG_VMCS);
    load(&other, RIG_VMCS);
    cr_assert_eq(vmx_vmread(&other, VMCS_GUEST_RIP, &value), VMX_SUCCEED);
    cr_assert_eq(value, 1);
    cr_assert_eq(violations_count(), 0);
    cr_assert_eq(vmx_vmwrite(&other, VMCS_GUEST_RIP, 2), VMX_SUCCEED);
    load(&rig.vmx, RIG_VMCS);
    cr_assert_eq(violations_of(RULE_VMX_TWO_PROCESSORS), 1);
    cr_assert_eq(vmx_vmread(&rig.vmx, VMCS_GUEST_RIP, &value), VMX_SUCCEED);
    cr_assert_eq(value, 1);
}

/* A VMCS that is active has its fields on the processor, not in memory. */
Test(vmx_instructions, memory_is_behind)
{
    uint8_t before[4096];
    const void *memory = memory_phys_to_virt(hpa(RIG_VMCS));

    memcpy(before, memory, sizeof(before));
    cr_assert_eq(vmx_vmwrite(&rig.vmx, VMCS_GUEST_RIP, 7), VMX_SUCCEED);
    cr_assert_eq(memcmp(before, memory, sizeof(before)), 0);
    clear(&rig.vmx, RIG_VMCS);
    cr_assert_neq(memcmp(before, memory, sizeof(before)), 0);
}

/* Without VMCLEAR before VMXOFF what was written is lost. */
Test(vmx_instructions, vmxoff)
{
    uint64_t value;

    cr_assert_eq(vmx_vmwrite(&rig.vmx, VMCS_GUEST_RIP, 7), VMX_SUCCEED);
    clear(&rig.vmx, RIG_VMCS);
    load(&rig.vmx, RIG_VMCS);
    cr_assert_eq(vmx_vmwrite(&rig.vmx, VMCS_GUEST_RIP, 8), VMX_SUCCEED);
    cr_assert_eq(vmx_vmxoff(&rig.vmx), VMX_SUCCEED);
    cr_assert_eq(vmx_vmxon(&rig.vmx, RIG_VMXON), VMX_SUCCEED);
    load(&rig.vmx, RIG_VMCS);
    cr_assert_eq(vmx_vmread(&rig.vmx, VMCS_GUEST_RIP, &value), VMX_SUCCEED);
    cr_assert_eq(value, 7);
}

/* VMCLEAR of a VMCS that is in memory only. */
Test(vmx_instructions, clear_in_memory)
{
    make_current_legal();
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_SUCCEED);
    cr_assert_eq(vmx_vmxoff(&rig.vmx), VMX_SUCCEED);
    cr_assert_eq(vmx_vmxon(&rig.vmx, RIG_VMXON), VMX_SUCCEED);
    clear(&rig.vmx, RIG_VMCS);
    load(&rig.vmx, RIG_VMCS);
    make_current_legal();
    cr_assert_eq(vmx_enter(&rig.vmx, true), VMX_SUCCEED);
}

/* Memory that nobody gave the hypervisor. */
Test(vmx_instructions, unallocated)
{
    EXPECT_FAIL(11, vmx_vmptrld(&rig.vmx, RIG_PAGE(RIG_PAGES)));
    cr_assert_eq(violations_of(RULE_VMX_ADDRESS), 1);
    cr_assert_eq(vmx_vmclear(&rig.vmx, 0x1000), VMX_SUCCEED);
    cr_assert_eq(violations_of(RULE_VMX_ADDRESS), 2);
}

Test(vmx_instructions, invalidation)
{
    const uint64_t eptp = VMX_MEMORY_WB | FIELD_PUT(VMX_EPTP_WALK, 3);
    const struct {
        const char *profile;
        bool vpid;
        uint64_t type, low, high;
        enum vmx_outcome outcome;
    } rows[] = {
        {"full", false, 1, 0x1000 | eptp, 0, VMX_SUCCEED},
        {"full", false, 1, 0x1000 | eptp | VMX_EPTP_AD, 0, VMX_SUCCEED},
        {"lynnfield", false, 1, 0x1000 | eptp | VMX_EPTP_AD, 0, VMX_FAIL_VALID},
        {"full", false, 1, 0x1000, 0, VMX_FAIL_VALID},
        {"full", false, 1, eptp | BIT(7), 0, VMX_FAIL_VALID},
        {"full", false, 1, eptp | WIDE, 0, VMX_FAIL_VALID},
        {"full", false, 1, eptp, 1, VMX_FAIL_VALID},
        {"full", false, 2, 0, 0, VMX_SUCCEED},
        {"full", false, 0, eptp, 0, VMX_FAIL_VALID},
        {"full", false, 3, eptp, 0, VMX_FAIL_VALID},
        {"full", false, BIT(32) | 2, eptp, 0, VMX_FAIL_VALID},
        {"penryn", false, 2, 0, 0, VMX_UD},
        {"full", true, 0, 1, 0x1000, VMX_SUCCEED},
        {"full", true, 0, 1, BIT(47), VMX_FAIL_VALID},
        {"full", true, 0, 0, 0x1000, VMX_FAIL_VALID},
        {"full", true, 0, BIT(16) | 1, 0x1000, VMX_FAIL_VALID},
        {"full", true, 1, 1, 0, VMX_SUCCEED},
        {"full", true, 1, 0, 0, VMX_FAIL_VALID},
        {"full", true, 2, 0, 0, VMX_SUCCEED},
        {"full", true, 2, BIT(16), 0, VMX_FAIL_VALID},
        {"full", true, 3, 0xffff, 0, VMX_SUCCEED},
        {"full", true, 3, 0, 0, VMX_FAIL_VALID},
        {"full", true, 4, 1, 0, VMX_FAIL_VALID},
        {"penryn", true, 2, 0, 0, VMX_UD},
    };

    for_each_row (i, rows) {
        const uint64_t descriptor[2] = {rows[i].low, rows[i].high};

        rig_profile(vmx_profile_find(rows[i].profile));
        cr_assert_eq((rows[i].vpid ? vmx_invvpid : vmx_invept)(
                         &rig.vmx, rows[i].type, descriptor),
                     rows[i].outcome, "row %zu", i);
        if (rows[i].outcome == VMX_FAIL_VALID)
            cr_assert_eq(error(), 28, "row %zu", i);
    }
}
