/* SPDX-License-Identifier: Apache-2.0 */
/* PVH: ELF files of both classes with Xen's note, and others. */
#include "hv/arch/x86_64/boot/rig.h"

#include "hv/arch/x86_64/boot/elf_file.h"

TestSuite(pvh_boot, .init = rig_start, .fini = rig_end);

static struct elf_file file;

static void use_file(void)
{
    const char *cmdline = rig.image.kernel.cmdline;

    rig.image.kernel = rig_file(file.bytes, sizeof(file.bytes));
    rig.image.kernel.cmdline = cmdline;
}

static uint64_t info(unsigned offset, unsigned width)
{
    return rig_get(rig.entry.gpr[X86_GPR_RBX] + offset, width);
}

Test(pvh_boot, a_kernel_is_entered_in_protected_mode)
{
    for (unsigned class = 1; class <= 2; class ++) {
        elf_file_make(&file, class);
        use_file();
        cr_assert_eq(rig_load(X86_BOOT_PVH), OK, "%s", rig.what);
        cr_expect_eq(rig.entry.mode, X86_ENTRY_PROTECTED);
        cr_expect_eq(rig.entry.rip, ELF_FILE_ENTRY);
        cr_expect_eq(rig.entry.cr0, 0x11u);
        cr_expect_eq(rig.entry.cr4 | rig.entry.efer | rig.entry.cr3, 0u);
        cr_expect_eq(rig.entry.rflags, 2u);
        cr_expect_eq(rig.entry.segment[X86_CS].attributes, 0xc9b);
        cr_expect_eq(rig.entry.segment[X86_CS].limit, UINT32_MAX);
        cr_expect_eq(rig.entry.segment[X86_ENTRY_TR].limit, 0x67u);
        rig_expect_gdt();
        elf_file_expect_loaded(&file);
    }
}

/* What was in memory before, where a segment has no bytes. */
Test(pvh_boot, the_rest_of_a_segment_is_cleared)
{
    uint64_t ones = UINT64_MAX;

    elf_file_make(&file, 2);
    use_file();
    cr_assert_eq(aspace_write(&rig.memory,
                              gpa(ELF_FILE_AT + ELF_FILE_SIZE + 16), &ones,
                              sizeof(ones)),
                 OK);
    cr_assert_eq(rig_load(X86_BOOT_PVH), OK, "%s", rig.what);
    elf_file_expect_loaded(&file);
}

Test(pvh_boot, start_info_says_what_there_is)
{
    uint64_t map, modules;

    elf_file_make(&file, 2);
    rig.image.kernel.cmdline = "pvh=1";
    use_file();
    rig.image.module_count = 2;
    rig.image.modules[0] = rig_pattern_file(0x1801, 1);
    rig.image.modules[1] = rig_pattern_file(5, 2);
    rig.image.modules[1].cmdline = "second";
    cr_assert_eq(rig_load(X86_BOOT_PVH), OK, "%s", rig.what);
    cr_expect_eq(info(0, 4), 0x336ec578u);
    cr_expect_eq(info(4, 4), 1u);
    cr_expect_eq(info(8, 4), 0u);
    cr_expect_eq(info(12, 4), 2u);
    rig_expect_text(info(24, 8), "pvh=1");
    cr_expect_eq(info(32, 8), RIG_RSDP);
    cr_expect_eq(info(48, 4), rig.map.count);
    map = info(40, 8);
    for (unsigned i = 0; i < rig.map.count; i++) {
        cr_expect_eq(rig_get(map + i * 24, 8), rig.map.entries[i].start);
        cr_expect_eq(rig_get(map + i * 24 + 8, 8), rig.map.entries[i].size);
        cr_expect_eq(rig_get(map + i * 24 + 16, 8), rig.map.entries[i].type);
    }
    modules = info(16, 8);
    cr_expect(rig_has_pattern(rig_get(modules, 8), 0x1801, 1));
    cr_expect_eq(rig_get(modules + 8, 8), 0x1801u);
    cr_expect_eq(rig_get(modules + 16, 8), 0u);
    cr_expect(rig_has_pattern(rig_get(modules + 32, 8), 5, 2));
    rig_expect_text(rig_get(modules + 48, 8), "second");
}

/* Changes of a file of 64 bits (elf_file.h). */
static const struct rig_patch wrong[] = {
    {0, 1, 0, "e_ident"},
    {4, 1, 3, "EI_CLASS: 3"},
    {5, 1, 2, "EI_DATA: 2"},
    {16, 2, 1, "e_type: 1"},
    {18, 2, 243, "e_machine: 243"},
    {32, 8, sizeof(file.bytes), "e_phoff: 3"},
    {32, 8, UINT64_MAX, "e_phoff: 3"},
    {54, 2, 55, "e_phentsize: 55"},
    {56, 2, 0xffff, "e_phoff: 65535"},
    {56, 2, 0, "e_phnum: there is no segment"},
    {ELF_FILE_LOAD + 8, 8, sizeof(file.bytes), "p_offset: segment 0"},
    {ELF_FILE_LOAD + 8, 8, UINT64_MAX, "p_offset: segment 0"},
    {ELF_FILE_LOAD + 32, 8, UINT64_MAX, "p_offset: segment 0"},
    {ELF_FILE_LOAD + 40, 8, ELF_FILE_SIZE - 1, "p_filesz: segment 0"},
    {ELF_FILE_LOAD + 40, 8, UINT64_MAX, "p_paddr: 0xff"},
    {ELF_FILE_LOAD_2 + 24, 8, 0, "p_paddr: 0x100 bytes at 0x0"},
    {ELF_FILE_LOAD_2 + 24, 8, 0x9ff01, "p_paddr"},
    {ELF_FILE_LOAD_2 + 24, 8, RIG_MEMORY - 1, "p_paddr"},
    {ELF_FILE_LOAD_2 + 24, 8, UINT64_MAX, "p_paddr"},
    {ELF_FILE_LOAD + 24, 8, ELF_FILE_AT + 0x100000, "is in no segment"},
    {ELF_FILE_LOAD_2 + 24, 8, ELF_FILE_AT + 0xfff, "p_paddr"}, /* overlaps */
    {ELF_FILE_NOTE, 4, 5, "note Xen, type 18: there is none"},
    {ELF_FILE_NOTE, 4, UINT32_MAX, "there is none"},
    {ELF_FILE_NOTE + 4, 4, UINT32_MAX, "there is none"},
    {ELF_FILE_NOTE + 4, 4, 2, "2 bytes where 4 or 8"},
    {ELF_FILE_NOTE + 8, 4, 17, "there is none"},
    {ELF_FILE_NOTE + 12, 1, 'x', "there is none"},
    {ELF_FILE_NOTE + 16, 8, UINT64_C(1) << 32, "XEN_ELFNOTE_PHYS32_ENTRY"},
    {ELF_FILE_NOTE + 16, 8, ELF_FILE_AT - 1, "XEN_ELFNOTE_PHYS32_ENTRY"},
};

Test(pvh_boot, what_is_wrong_with_a_file_is_named)
{
    for_each_row (i, wrong) {
        elf_file_make(&file, 2);
        put_le(file.bytes + wrong[i].offset, wrong[i].value, wrong[i].width);
        use_file();
        rig_expect_refusal(X86_BOOT_PVH, wrong[i].what);
    }
}

Test(pvh_boot, nothing_is_loaded_beyond_4_gib)
{
    static const uint64_t places[] = {
        UINT64_C(1) << 32,
        (UINT64_C(1) << 32) - 0xff,
    };

    cr_assert_eq(e820_set(&rig.map, UINT32_MAX - 0xffff, 0x20000, E820_RAM),
                 OK);
    for_each_row (i, places) {
        elf_file_make(&file, 2);
        put_le(file.bytes + ELF_FILE_LOAD_2 + 24, places[i], 8);
        use_file();
        rig_expect_refusal(X86_BOOT_PVH, "p_paddr: 0x100 bytes at 0x");
    }
}

Test(pvh_boot, a_file_that_is_cut_off_is_refused_wherever_it_is)
{
    for (unsigned class = 1; class <= 2; class ++) {
        elf_file_make(&file, class);
        for (unsigned size = 0; size < sizeof(file.bytes); size += 3) {
            rig.image.kernel = rig_file(file.bytes, size);
            rig_expect_refusal(X86_BOOT_PVH, "");
            cr_assert_neq(rig.what[0], '\0');
            rig_end();
            rig_start();
        }
    }
}

Test(pvh_boot, running_out_of_memory_is_an_error)
{
    elf_file_make(&file, 2);
    rig.image.kernel.cmdline = "pvh=1";
    use_file();
    rig.image.module_count = 1;
    rig.image.modules[0] = rig_pattern_file(5, 2);
    rig.image.modules[0].cmdline = "module";
    rig_expect_failures(X86_BOOT_PVH);
}
