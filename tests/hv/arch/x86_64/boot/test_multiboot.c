/* SPDX-License-Identifier: Apache-2.0 */
/* Multiboot kernels: ELF and flat files, what they get, and what is wrong. */
#include "hv/arch/x86_64/boot/rig.h"

#include "hv/arch/x86_64/boot/elf_file.h"
#include "lib/bits.h"

TestSuite(multiboot_boot, .init = rig_start, .fini = rig_end);

#define MAGIC       UINT64_C(0x1badb002)
#define FLAT        BIT(16)
#define HEADER      0x280 /* where the file has it, between its headers */
#define FLAT_SIZE   0x2000
#define FLAT_HEADER 0x40
#define FLAT_AT     0x100000u

static struct elf_file file;
static uint8_t flat[FLAT_SIZE];

static void put_header(uint8_t *at, uint64_t flags)
{
    put_le(at, MAGIC, 4);
    put_le(at + 4, flags, 4);
    put_le(at + 8, UINT64_MAX - MAGIC - flags + 1, 4);
}

static void make_elf(unsigned class)
{
    elf_file_make(&file, class);
    put_header(file.bytes + HEADER, 3);
    rig.image.kernel = rig_file(file.bytes, sizeof(file.bytes));
}

/* One that begins 16 bytes before its header. */
static void make_flat(void)
{
    static const uint32_t addresses[] = {
        FLAT_AT + 0x10, FLAT_AT, 0, FLAT_AT + 0x8000, FLAT_AT + 0x100,
    };

    for (unsigned i = 0; i < sizeof(flat); i++)
        flat[i] = (uint8_t)(i * 11 + i / 256);
    put_header(flat + FLAT_HEADER, FLAT);
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        put_le(flat + FLAT_HEADER + 12 + i * 4, addresses[i], 4);
}

static uint64_t info(unsigned offset)
{
    return rig_get(rig.entry.gpr[X86_GPR_RBX] + offset, 4);
}

Test(multiboot_boot, an_elf_file_is_entered_in_protected_mode)
{
    for (unsigned class = 1; class <= 2; class ++) {
        make_elf(class);
        cr_assert_eq(rig_load(X86_BOOT_MULTIBOOT), OK, "%s", rig.what);
        elf_file_expect_loaded(&file);
        cr_expect_eq(rig.entry.rip, ELF_FILE_ENTRY);
        cr_expect_eq(rig.entry.gpr[X86_GPR_RAX], 0x2badb002u);
        cr_expect_eq(rig.entry.cr0, 0x11u);
        cr_expect_eq(rig.entry.rflags, 2u);
        rig_expect_gdt();
    }
}

Test(multiboot_boot, a_flat_file_goes_where_its_header_says)
{
    make_flat();
    rig.image.kernel = rig_file(flat, sizeof(flat));
    cr_assert_eq(rig_load(X86_BOOT_MULTIBOOT), OK, "%s", rig.what);
    cr_expect_eq(rig.entry.rip, FLAT_AT + 0x100);
    for (unsigned i = 0x30; i < sizeof(flat); i++)
        cr_assert_eq(rig_get(FLAT_AT + i - 0x30, 1), flat[i], "%u", i);
    for (unsigned i = sizeof(flat) - 0x30; i < 0x8000; i++)
        cr_assert_eq(rig_get(FLAT_AT + i, 1), 0u);
}

Test(multiboot_boot, a_flat_file_may_end_early)
{
    make_flat();
    put_le(flat + FLAT_HEADER + 20, FLAT_AT + 0x200, 4);
    put_le(flat + FLAT_HEADER + 24, 0, 4);
    rig.image.kernel = rig_file(flat, sizeof(flat));
    cr_assert_eq(rig_load(X86_BOOT_MULTIBOOT), OK, "%s", rig.what);
    cr_expect_eq(rig_get(FLAT_AT + 0x1ff, 1), flat[0x22f]);
    cr_expect_eq(rig_get(FLAT_AT + 0x200, 1), 0u);
}

Test(multiboot_boot, the_boot_information_says_what_there_is)
{
    uint64_t map, module;

    make_elf(1);
    rig.image.kernel.cmdline = "kernel arguments";
    rig.image.module_count = 2;
    rig.image.modules[0] = rig_pattern_file(0x1801, 1);
    rig.image.modules[0].cmdline = "first";
    rig.image.modules[1] = rig_pattern_file(1, 2);
    cr_assert_eq(rig_load(X86_BOOT_MULTIBOOT), OK, "%s", rig.what);
    cr_expect_eq(info(0), BIT(0) | BIT(2) | BIT(3) | BIT(6) | BIT(9));
    cr_expect_eq(info(4), 640u);
    cr_expect_eq(info(8), (RIG_MEMORY >> 10) - 1024);
    rig_expect_text(info(16), "kernel arguments");
    rig_expect_text(info(64), "Twinax");
    cr_expect_eq(info(20), 2u);
    module = info(24);
    cr_expect(is_aligned(rig_get(module, 4), PAGE_SIZE));
    cr_expect(rig_has_pattern(rig_get(module, 4), 0x1801, 1));
    cr_expect_eq(rig_get(module + 4, 4), rig_get(module, 4) + 0x1801);
    rig_expect_text(rig_get(module + 8, 4), "first");
    cr_expect(rig_has_pattern(rig_get(module + 16, 4), 1, 2));
    cr_expect_eq(rig_get(module + 24, 4), 0u);
    /* Close behind the kernel. */
    cr_expect_eq(rig_get(module, 4), align_up(ELF_FILE_SECOND_AT, PAGE_SIZE));
    cr_expect_eq(info(44), rig.map.count * 24);
    map = info(48);
    for (unsigned i = 0; i < rig.map.count; i++) {
        cr_expect_eq(rig_get(map + i * 24, 4), 20u);
        cr_expect_eq(rig_get(map + i * 24 + 4, 8), rig.map.entries[i].start);
        cr_expect_eq(rig_get(map + i * 24 + 12, 8), rig.map.entries[i].size);
        cr_expect_eq(rig_get(map + i * 24 + 20, 4), rig.map.entries[i].type);
    }
}

Test(multiboot_boot, without_command_line_the_flag_is_clear)
{
    make_elf(1);
    cr_assert_eq(rig_load(X86_BOOT_MULTIBOOT), OK, "%s", rig.what);
    cr_expect_eq(info(0) & BIT(2), 0u);
    cr_expect_eq(info(20) | info(24), 0u);
}

/* Where a header is, of a flat file or not, and what is said of it. Without
 * addresses, the file, which is no ELF file, is refused for that. */
static const struct {
    unsigned at;
    uint64_t flags;
    const char *what;
} headers[] = {
    {0, FLAT, NULL},
    {4, FLAT, NULL},
    {2, FLAT, "magic"},
    {8192 - 32, FLAT, NULL},
    {8192 - 28, FLAT, "flags: the header's addresses are cut off"},
    {8192, FLAT, "magic"},
    {8192 - 12, 0, "e_ident"},
    {8192 - 8, 0, "magic"},
};

Test(multiboot_boot, a_header_is_in_the_first_8192_bytes)
{
    static uint8_t long_file[0x4000];

    for_each_row (i, headers) {
        unsigned at = headers[i].at;
        const uint32_t addresses[] = {FLAT_AT + at, FLAT_AT, 0, 0, FLAT_AT};

        memset(long_file, 0, sizeof(long_file));
        put_header(long_file + at, headers[i].flags);
        memcpy(long_file + at + 12, addresses, sizeof(addresses));
        rig.image.kernel = rig_file(long_file, sizeof(long_file));
        if (headers[i].what != NULL)
            rig_expect_refusal(X86_BOOT_MULTIBOOT, headers[i].what);
        else
            cr_expect_eq(rig_load(X86_BOOT_MULTIBOOT), OK, "%u: %s", at,
                         rig.what);
    }
}

Test(multiboot_boot, flags_that_are_not_known_are_refused)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        make_elf(1);
        put_header(file.bytes + HEADER, BIT(bit));
        rig.image.kernel = rig_file(file.bytes, sizeof(file.bytes));
        if (bit >= 3 && bit < 16)
            rig_expect_refusal(X86_BOOT_MULTIBOOT, "flags: 0x");
        else if (bit != 16)
            cr_expect_eq(rig_load(X86_BOOT_MULTIBOOT), OK, "%s", rig.what);
    }
}

/* Changes of the flat file. */
static const struct rig_patch wrong[] = {
    {FLAT_HEADER, 4, MAGIC + 1, "magic: no multiboot header"},
    {FLAT_HEADER + 8, 4, 0, "magic: no multiboot header"},
    {FLAT_HEADER + 12, 4, FLAT_AT - 1, "load_addr: 0x100000"},
    {FLAT_HEADER + 12, 4, FLAT_AT + 0x41, "load_addr: 0x100000"},
    {FLAT_HEADER + 16, 4, 0, "load_addr: 0x0"},
    {FLAT_HEADER + 20, 4, FLAT_AT - 1, "load_end_addr: 0xfffff"},
    {FLAT_HEADER + 20, 4, FLAT_AT + 0x1fd1, "load_end_addr: 0x101fd1"},
    {FLAT_HEADER + 20, 4, UINT32_MAX, "load_end_addr"},
    {FLAT_HEADER + 24, 4, FLAT_AT + 0x1fcf, "bss_end_addr: 0x101fcf"},
    {FLAT_HEADER + 24, 4, UINT32_MAX, "p_paddr: 0xffefffff bytes"},
    {FLAT_HEADER + 28, 4, FLAT_AT - 1, "entry: 0xfffff"},
    {FLAT_HEADER + 28, 4, FLAT_AT + 0x8000, "entry: 0x108000"},
};

Test(multiboot_boot, what_is_wrong_with_a_header_is_named)
{
    for_each_row (i, wrong) {
        make_flat();
        put_le(flat + wrong[i].offset, wrong[i].value, wrong[i].width);
        rig.image.kernel = rig_file(flat, sizeof(flat));
        rig_expect_refusal(X86_BOOT_MULTIBOOT, wrong[i].what);
    }
}

Test(multiboot_boot, a_file_that_is_cut_off_in_its_headers_is_refused)
{
    make_flat();
    for (unsigned size = 0; size < FLAT_HEADER + 32; size++) {
        rig.image.kernel = rig_file(flat, size);
        rig_expect_refusal(X86_BOOT_MULTIBOOT, "");
        rig_end();
        rig_start();
    }
    make_elf(1);
    for (unsigned size = 0; size < sizeof(file.bytes); size += 3) {
        rig.image.kernel = rig_file(file.bytes, size);
        rig_expect_refusal(X86_BOOT_MULTIBOOT, "");
        rig_end();
        rig_start();
    }
}

Test(multiboot_boot, modules_need_room)
{
    make_elf(1);
    rig.image.module_count = 1;
    rig.image.modules[0] = rig_pattern_file(0x1000, 1);
    rig.image.modules[0].size = RIG_MEMORY;
    rig_expect_refusal(X86_BOOT_MULTIBOOT, "module: no room");
}

Test(multiboot_boot, as_many_modules_as_there_can_be_fit)
{
    make_elf(1);
    rig.image.module_count = X86_BOOT_MAX_MODULES;
    for (unsigned i = 0; i < X86_BOOT_MAX_MODULES; i++) {
        rig.image.modules[i] = rig_pattern_file(1 + i, i);
        rig.image.modules[i].cmdline = "module";
    }
    cr_assert_eq(rig_load(X86_BOOT_MULTIBOOT), OK, "%s", rig.what);
    for (unsigned i = 0; i < X86_BOOT_MAX_MODULES; i++) {
        uint64_t row = info(24) + i * 16;

        cr_expect(rig_has_pattern(rig_get(row, 4), 1 + i, i));
        rig_expect_text(rig_get(row + 8, 4), "module");
    }
}

Test(multiboot_boot, running_out_of_memory_is_an_error)
{
    make_elf(2);
    rig.image.kernel.cmdline = "arguments";
    rig.image.module_count = 1;
    rig.image.modules[0] = rig_pattern_file(5, 2);
    rig.image.modules[0].cmdline = "module";
    rig_expect_failures(X86_BOOT_MULTIBOOT);
}
