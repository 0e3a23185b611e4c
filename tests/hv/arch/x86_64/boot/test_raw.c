/* SPDX-License-Identifier: Apache-2.0 */
/* What is entered in real mode: flat images and firmware; and the registers of
 * the mode that no protocol enters, PAE. */
#include "hv/arch/x86_64/boot/rig.h"

TestSuite(raw_boot, .init = rig_start, .fini = rig_end);

#define GIB_4 (UINT64_C(1) << 32)

static void expect_real_mode(void)
{
    cr_expect_eq(rig.entry.mode, X86_ENTRY_REAL);
    cr_expect_eq(rig.entry.cr3 | rig.entry.cr4 | rig.entry.efer, 0u);
    cr_expect_eq(rig.entry.rflags, 2u);
    for (unsigned i = X86_ES; i <= X86_GS; i++) {
        const struct x86_segment *segment = &rig.entry.segment[i];

        cr_expect_eq(segment->limit, 0xffffu);
        cr_expect_eq(segment->attributes, i == X86_CS ? 0x9b : 0x93);
        if (i != X86_CS)
            cr_expect_eq(segment->selector | segment->base, 0u);
    }
}

Test(raw_boot, a_flat_image_is_entered_at_0x7c00)
{
    static const size_t sizes[] = {1, 512, 4096, 0xa0000 - 0x7c00};

    for_each_row (i, sizes) {
        rig.image.kernel = rig_pattern_file(sizes[i], 3);
        cr_assert_eq(rig_load(X86_BOOT_FLAT), OK, "%s", rig.what);
        expect_real_mode();
        cr_expect_eq(rig.entry.cr0, 0x10u);
        cr_expect_eq(rig.entry.rip, 0x7c00u);
        cr_expect_eq(rig.entry.segment[X86_CS].base, 0u);
        cr_expect_eq(rig.entry.gpr[X86_GPR_RDX], 0x80u);
        cr_expect_eq(rig.entry.idtr.limit, 0x3ff);
        cr_expect(rig_has_pattern(0x7c00, sizes[i], 3));
    }
}

Test(raw_boot, a_flat_image_that_does_not_fit_is_refused)
{
    rig_expect_refusal(X86_BOOT_FLAT, "kernel: the file is empty");
    rig.image.kernel = rig_pattern_file(0xa0001 - 0x7c00, 3);
    rig_expect_refusal(X86_BOOT_FLAT, "kernel: 0x98401 bytes at 0x7c00");
    rig.image.kernel = rig_pattern_file(512, 3);
    rig.image.kernel.cmdline = "";
    rig_expect_refusal(X86_BOOT_FLAT, "command line");
    rig.image.kernel.cmdline = NULL;
    rig.image.module_count = 1;
    rig_expect_refusal(X86_BOOT_FLAT, "module");
}

Test(raw_boot, firmware_ends_at_4_gib_and_is_entered_as_after_a_reset)
{
    uint8_t byte = 0;

    rig.image.kernel = rig_pattern_file(0x200000, 4);
    rig.image.module_count = 1;
    rig.image.modules[0] = rig_pattern_file(0x84000, 5);
    for (unsigned boots = 0; boots < 2; boots++) {
        cr_assert_eq(rig_load(X86_BOOT_FIRMWARE), OK, "%s", rig.what);
        expect_real_mode();
        cr_expect_eq(rig.entry.cr0, 0x60000010u);
        cr_expect_eq(rig.entry.rip, 0xfff0u);
        cr_expect_eq(rig.entry.segment[X86_CS].selector, 0xf000);
        cr_expect_eq(rig.entry.segment[X86_CS].base, 0xffff0000u);
        cr_expect_eq(rig.entry.gpr[X86_GPR_RDX], rig.machine.signature);
        cr_expect(rig_has_pattern(GIB_4 - 0x200000, 0x200000, 4));
        cr_expect(rig_has_pattern(GIB_4 - 0x284000, 0x84000, 5));
    }
    cr_expect_eq(aspace_write(&rig.memory, gpa(GIB_4 - 1), &byte, 1),
                 ERR_DENIED);
    cr_expect_eq(aspace_write(&rig.memory, gpa(GIB_4 - 0x284000), &byte, 1),
                 ERR_DENIED);
    cr_expect_eq(aspace_read(&rig.memory, gpa(GIB_4 - 0x284001), &byte, 1),
                 ERR_NOT_FOUND);
}

/* Sizes of firmware and variables (0: there are none). */
static const struct {
    size_t firmware, variables;
    const char *what;
} wrong[] = {
    {1, 0, "firmware: 0x1 bytes are not a number of pages"},
    {0x1001, 0, "firmware: 0x1001 bytes"},
    {0x1001000, 0, "firmware: 0x1001000 bytes are more than 16 MiB"},
    {0x1000, 0x800, "variables: 0x800 bytes"},
    {0x1000, 0x1001000, "variables: 0x1001000 bytes are more"},
    {0x800000, 0x801000, "variables: 16 MiB do not hold both"},
};

Test(raw_boot, a_flash_that_cannot_be_is_refused)
{
    for_each_row (i, wrong) {
        rig.image.kernel = rig_pattern_file(wrong[i].firmware, 4);
        rig.image.module_count = wrong[i].variables != 0;
        if (wrong[i].variables != 0)
            rig.image.modules[0] = rig_pattern_file(wrong[i].variables, 5);
        rig_expect_refusal(X86_BOOT_FIRMWARE, wrong[i].what);
        rig_end();
        rig_start();
    }
    rig.image.kernel = rig_pattern_file(0x2000, 4);
    rig.image.kernel.data.raw += 0x800;
    rig_expect_refusal(X86_BOOT_FIRMWARE, "firmware: it does not begin");
    rig.image.kernel = rig_pattern_file(0x2000, 4);
    rig.image.module_count = 2;
    rig_expect_refusal(X86_BOOT_FIRMWARE, "module: firmware takes one");
}

Test(raw_boot, firmware_does_not_take_memorys_place)
{
    rig.image.kernel = rig_pattern_file(0x4000, 4);
    cr_assert_eq(e820_set(&rig.map, GIB_4 - 0x8000, 0x4001, E820_RAM), OK);
    rig_expect_refusal(X86_BOOT_FIRMWARE, "there is memory at 0xffffc000");
    cr_assert_eq(e820_set(&rig.map, GIB_4 - 0x4000, 0x4000, E820_RESERVED), OK);
    cr_expect_eq(rig_load(X86_BOOT_FIRMWARE), OK, "%s", rig.what);
}

Test(raw_boot, protocols_have_names)
{
    static const char *const names[] = {"linux", "pvh", "multiboot", "flat",
                                        "firmware"};

    for_each_row (i, names)
        cr_expect_str_eq(x86_boot_name((enum x86_boot_protocol)i), names[i]);
}

Test(raw_boot, pae_tables_map_the_lowest_4_gib)
{
    struct x86_entry entry;
    gpa_t at = gpa(0x8000);

    x86_entry_init(&entry, X86_ENTRY_PAE, 0x1000);
    x86_entry_set_tables(&entry, at);
    cr_expect_eq(entry.cr0, UINT64_C(0x80000011));
    cr_expect_eq(entry.cr4, 0x20u);
    cr_expect_eq(entry.efer, 0u);
    cr_expect_eq(entry.cr3, 0x9000u);
    for (unsigned i = 0; i < 2048; i++) {
        unsigned page = (unsigned)((entry.cr3 - at.raw) >> 12);
        uint64_t pointer =
            x86_entry_get_pte(entry.mode, at, page * 512 + i / 512);
        unsigned directory = (unsigned)((pointer - at.raw) >> 12);

        /* All but P and the address is reserved. */
        cr_assert_eq(pointer & 0xfff, 1u);
        cr_assert_eq(
            x86_entry_get_pte(entry.mode, at, directory * 512 + i % 512),
            (uint64_t)i << 21 | 0x83);
    }
    cr_expect_eq(x86_entry_get_pte(entry.mode, at, 512 + 4), 0u);
}

/* SDM volume 3, figure 3-8, by hand. */
Test(raw_boot, descriptors_are_laid_out_as_the_manual_says)
{
    static const struct {
        struct x86_segment segment;
        uint64_t descriptor;
    } rows[] = {
        {{0, UINT32_MAX, 0, 0xc93}, UINT64_C(0x00cf93000000ffff)},
        {{0x12345678, 0xa2345, 0, 0x08b}, UINT64_C(0x120a8b3456782345)},
        {{0xff000000, 0x12345fff, 0, 0xa9b}, UINT64_C(0xffa19b0000002345)},
    };
    struct x86_entry entry;
    uint64_t gdt[X86_ENTRY_GDT_ENTRIES];

    for_each_row (i, rows) {
        x86_entry_init(&entry, X86_ENTRY_PROTECTED, 0);
        entry.segment[X86_DS] = rows[i].segment;
        x86_entry_set_gdt(&entry, gpa(0x1000), gdt);
        cr_expect_eq(gdt[3], rows[i].descriptor, "row %zu: 0x%llx", i,
                     (unsigned long long)gdt[3]);
    }
}
