/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a VMCS: what VMREAD and VMWRITE do with each encoding. */
#include "arch/x86_64/msr.h"
#include "rig.h"

TestSuite(vmx_fields, .init = rig_setup);

#define PATTERN UINT64_C(0xfedcba9876543210)

static enum vmx_outcome write_field(uint64_t encoding, uint64_t value)
{
    return vmx_vmwrite(&rig.vmx, encoding, value);
}

static uint64_t read_field(uint64_t encoding)
{
    uint64_t value = 0;

    cr_assert_eq(vmx_vmread(&rig.vmx, encoding, &value), VMX_SUCCEED, "%llx",
                 (unsigned long long)encoding);
    return value;
}

static uint64_t error(void)
{
    return read_field(VMCS_VM_INSTRUCTION_ERROR);
}

static bool is_read_only(uint64_t encoding)
{
    return (encoding >> 10 & 3) == 1;
}

/* Widths of the manual, by bits 14:13. */
static uint64_t mask_of(uint64_t encoding)
{
    static const uint64_t masks[] = {UINT16_MAX, UINT64_MAX, UINT32_MAX,
                                     UINT64_MAX};

    return masks[encoding >> 13 & 3];
}

static void expect_unsupported(uint64_t encoding)
{
    uint64_t value;

    write_field(VMCS_GUEST_RIP, 0);
    cr_assert_eq(vmx_vmread(&rig.vmx, encoding, &value), VMX_FAIL_VALID, "%llx",
                 (unsigned long long)encoding);
    cr_assert_eq(error(), 12);
    cr_assert_eq(write_field(encoding, 0), VMX_FAIL_VALID, "%llx",
                 (unsigned long long)encoding);
    cr_assert_eq(error(), 12);
}

/* A field that is there, by its full encoding. */
static void expect_field(uint64_t encoding, const char *name)
{
    uint64_t mask = mask_of(encoding);

    cr_assert_eq(write_field(encoding, PATTERN), VMX_SUCCEED, "%s", name);
    cr_assert_eq(read_field(encoding), PATTERN & mask, "%s", name);
    if (mask != UINT64_MAX || encoding >> 13 == 3) {
        expect_unsupported(encoding | 1);
        return;
    }
    cr_assert_eq(read_field(encoding | 1), PATTERN >> 32, "%s", name);
    cr_assert_eq(write_field(encoding | 1, PATTERN), VMX_SUCCEED);
    cr_assert_eq(read_field(encoding), UINT64_C(0x7654321076543210), "%s",
                 name);
    cr_assert_eq(write_field(encoding, ~PATTERN), VMX_SUCCEED);
    cr_assert_eq(read_field(encoding), ~PATTERN, "%s", name);
}

static void expect_read_only(uint64_t encoding, const char *name)
{
    uint64_t value = read_field(encoding);

    cr_assert_eq(write_field(encoding, PATTERN), VMX_FAIL_VALID, "%s", name);
    cr_assert_eq(error(), 13);
    if (encoding != VMCS_VM_INSTRUCTION_ERROR)
        cr_assert_eq(read_field(encoding), value, "%s", name);
    if (mask_of(encoding) == UINT64_MAX && encoding >> 13 == 1)
        cr_assert_eq(write_field(encoding | 1, 0), VMX_FAIL_VALID);
}

/* Every encoding that there could be, on every processor. */
Test(vmx_fields, each_encoding)
{
    for (const struct vmx_profile *p = vmx_profiles; p->base.name != NULL;
         p++) {
        unsigned encodings = 0;

        rig_profile(p);
        for (uint64_t encoding = 0; encoding < 0x8000; encoding += 2) {
            enum vmcs_at at = vmcs_find(p, encoding);

            if (at == VMCS_FIELD_COUNT) {
                expect_unsupported(encoding);
                expect_unsupported(encoding | 1);
                continue;
            }
            cr_assert_eq(vmcs_fields[at].encoding, encoding);
            encodings += encoding >> 13 == 1 ? 2 : 1;
            if (is_read_only(encoding) && (p->misc & BIT(29)) == 0)
                expect_read_only(encoding, vmcs_fields[at].name);
            else
                expect_field(encoding, vmcs_fields[at].name);
        }
        cr_assert_geq(encodings, 130, "%s", p->base.name);
    }
}

Test(vmx_fields, table)
{
    unsigned encodings = 0;

    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
        encodings += vmcs_fields[i].encoding >> 13 == 1 ? 2 : 1;
        for (unsigned k = 0; k < i; k++)
            cr_assert_neq(vmcs_fields[i].encoding, vmcs_fields[k].encoding);
    }
    cr_assert_eq(VMCS_FIELD_COUNT, 201);
    cr_assert_eq(encodings, 275);
}

/* Fields that depend on a control, and a processor that has none of it. */
Test(vmx_fields, conditions)
{
    static const struct {
        const char *without, *with;
        uint32_t encoding;
    } rows[] = {
        {"penryn", "lynnfield", VMCS_EPTP},
        {"penryn", "lynnfield", VMCS_VPID},
        {"penryn", "lynnfield", VMCS_GUEST_PDPTE3},
        {"penryn", "lynnfield", VMCS_GUEST_PHYSICAL_ADDRESS},
        {"penryn", "lynnfield", VMCS_PREEMPTION_TIMER_VALUE},
        {"penryn", "lynnfield", VMCS_HOST_IA32_EFER},
        {"penryn", "lynnfield", VMCS_GUEST_IA32_PAT},
        {"lynnfield", "haswell", VMCS_EOI_EXIT0},
        {"lynnfield", "haswell", VMCS_GUEST_INTERRUPT_STATUS},
        {"lynnfield", "haswell", VMCS_EPTP_LIST_ADDRESS},
        {"lynnfield", "haswell", VMCS_PLE_GAP},
        {"lynnfield", "haswell", VMCS_VMREAD_BITMAP},
        {"haswell", "skylake", VMCS_PML_ADDRESS},
        {"haswell", "skylake", VMCS_TSC_MULTIPLIER},
        {"haswell", "skylake", VMCS_XSS_EXITING_BITMAP},
        {"skylake", "full", VMCS_TERTIARY_CONTROLS},
        {"skylake", "full", VMCS_HLATP},
        {"skylake", "full", VMCS_GUEST_IA32_S_CET},
        {"skylake", "full", VMCS_HOST_IA32_PKRS},
        {"skylake", "full", VMCS_SECONDARY_EXIT_CONTROLS},
        {"skylake", "full", VMCS_POSTED_INTERRUPT_DESCRIPTOR},
        {"skylake", "full", VMCS_GUEST_IA32_BNDCFGS},
        {"skylake", "full", VMCS_GUEST_UINV},
    };

    for_each_row (i, rows) {
        cr_assert_eq(
            vmcs_find(vmx_profile_find(rows[i].without), rows[i].encoding),
            VMCS_FIELD_COUNT, "row %zu", i);
        cr_assert_neq(
            vmcs_find(vmx_profile_find(rows[i].with), rows[i].encoding),
            VMCS_FIELD_COUNT, "row %zu", i);
    }
}

/* A field that an exit alone makes use of. */
Test(vmx_fields, other_condition)
{
    struct vmx_profile profile = *vmx_profile_find("penryn");

    cr_assert_eq(vmcs_find(&profile, VMCS_GUEST_IA32_PAT), VMCS_FIELD_COUNT);
    profile.exit.allowed1 |= VMX_EXIT_SAVE_PAT;
    cr_assert_eq(vmcs_find(&profile, VMCS_GUEST_IA32_PAT),
                 VMCS_AT_GUEST_IA32_PAT);
    cr_assert_eq(vmcs_find(&profile, VMCS_HOST_IA32_PAT), VMCS_FIELD_COUNT);
}

/* What Bochs 2.7 reads of its models' MSRs; UINT64_MAX: #GP. */
Test(vmx_fields, capabilities_of_bochs)
{
    static const struct {
        uint32_t msr;
        uint64_t penryn, lynnfield, haswell, skylake;
    } rows[] = {
#define SAME(msr, value) {X86_MSR_VMX_##msr, value, value, value, value}
        SAME(BASIC, 0x00d810000000002b),
        {X86_MSR_VMX_PINBASED_CTLS, 0x3f00000016, 0x7f00000016, 0x7f00000016,
         0x7f00000016},
        SAME(PROCBASED_CTLS, 0xf7f9fffe0401e172),
        {X86_MSR_VMX_EXIT_CTLS, 0x0003ffff00036dff, 0x007fffff00036dff,
         0x007fffff00036dff, 0x007fffff00036dff},
        {X86_MSR_VMX_ENTRY_CTLS, 0x00003fff000011ff, 0x0000ffff000011ff,
         0x0000ffff000011ff, 0x0000ffff000011ff},
        {X86_MSR_VMX_MISC, 0x401e0, 0x401e0, 0x200401e0, 0x600401e0},
        SAME(CR0_FIXED0, 0x80000021),
        SAME(CR0_FIXED1, 0xffffffff),
        SAME(CR4_FIXED0, 0x2000),
        {X86_MSR_VMX_CR4_FIXED1, 0x467ff, 0x67ff, 0x1727ff, 0x3727ff},
        {X86_MSR_VMX_PROCBASED_CTLS2, 0x0000004100000000, 0x0000007f00000000,
         0x00047fff00000000, 0x02177fff00000000},
        {X86_MSR_VMX_EPT_VPID_CAP, UINT64_MAX, 0x00000f0106114141,
         0x00000f0106334141, 0x00000f0106334141},
        {X86_MSR_VMX_TRUE_PINBASED_CTLS, 0x3f00000016, 0x7f00000016,
         0x7f00000016, 0x7f00000016},
        SAME(TRUE_PROCBASED_CTLS, 0xf7f9fffe04006172),
        {X86_MSR_VMX_TRUE_EXIT_CTLS, 0x0003ffff00036dfb, 0x007fffff00036dfb,
         0x007fffff00036dfb, 0x007fffff00036dfb},
        {X86_MSR_VMX_TRUE_ENTRY_CTLS, 0x00003fff000011fb, 0x0000ffff000011fb,
         0x0000ffff000011fb, 0x0000ffff000011fb},
        {X86_MSR_VMX_VMFUNC, UINT64_MAX, UINT64_MAX, 1, 1},
    };
    static const char *const names[] = {"penryn", "lynnfield", "haswell",
                                        "skylake"};

    for_each_row (i, rows) {
        const uint64_t *values = &rows[i].penryn;

        for (unsigned k = 0; k < ARRAY_SIZE(names); k++) {
            uint64_t value = UINT64_MAX;

            cr_assert_eq(
                vmx_capability(vmx_profile_find(names[k]), rows[i].msr, &value),
                values[k] != UINT64_MAX, "row %zu, %s", i, names[k]);
            cr_assert_eq(value, values[k], "row %zu, %s: %llx", i, names[k],
                         (unsigned long long)value);
        }
    }
}

/* IA32_VMX_VMCS_ENUM: the highest index that some field has. */
Test(vmx_fields, highest_index)
{
    for (const struct vmx_profile *p = vmx_profiles; p->base.name != NULL;
         p++) {
        uint64_t highest = 0, value;

        for (uint64_t encoding = 0; encoding < 0x8000; encoding += 2) {
            if (vmcs_find(p, encoding) != VMCS_FIELD_COUNT &&
                (encoding & 0x3fe) > highest)
                highest = encoding & 0x3fe;
        }
        cr_assert(vmx_capability(p, X86_MSR_VMX_VMCS_ENUM, &value));
        cr_assert_eq(value, highest, "%s", p->base.name);
        cr_assert_geq(value, 0x2a);
    }
}
