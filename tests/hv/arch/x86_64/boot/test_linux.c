/* SPDX-License-Identifier: Apache-2.0 */
/* Linux's boot protocol: kernels that are taken, and kernels that are not. */
#include "hv/arch/x86_64/boot/rig.h"

#include "api/memory.h"
#include "lib/bits.h"

TestSuite(linux_boot, .init = rig_start, .fini = rig_end);

#define KERNEL_SIZE  0x3000
#define SETUP        0x600 /* two sectors of setup code, and the first */
#define KERNEL_AT    UINT64_C(0x1000000)
#define INIT_SIZE    0x10000
#define CMDLINE_SIZE 2047

static uint8_t kernel[KERNEL_SIZE];

static const struct {
    unsigned offset, width;
    uint64_t value;
} right[] = {
    {0x1f1, 1, 2},
    {0x1f4, 4, (KERNEL_SIZE - SETUP) / 16},
    {0x1fe, 2, 0xaa55},
    {0x200, 1, 0xeb},
    {0x201, 1, 0x6a},
    {0x202, 4, 0x53726448},
    {0x206, 2, 0x20f},
    {0x211, 1, 1},
    {0x22c, 4, INT32_MAX},
    {0x230, 4, 0x200000},
    {0x234, 1, 1},
    {0x236, 2, 0x7f},
    {0x238, 4, CMDLINE_SIZE},
    {0x258, 8, KERNEL_AT},
    {0x260, 4, INIT_SIZE},
};

/* A kernel that is right; what is not in the header says where it is. */
static void make_kernel(void)
{
    for (unsigned i = 0; i < sizeof(kernel); i++)
        kernel[i] = i < SETUP ? 0 : (uint8_t)(i * 3 + i / 256);
    for (unsigned i = 0; i < ARRAY_SIZE(right); i++)
        put_le(kernel + right[i].offset, right[i].value, right[i].width);
    /* The last bytes of the setup header, and what comes behind it. */
    put_le(kernel + 0x268, 0x12345678, 4);
    put_le(kernel + 0x26c, 0xffffffff, 4);
}

static err_t load(void)
{
    rig.image.kernel =
        (struct x86_boot_file){rig_file(kernel, sizeof(kernel)).data,
                               sizeof(kernel), rig.image.kernel.cmdline};
    return rig_load(X86_BOOT_LINUX);
}

static uint64_t zero_page(unsigned offset, unsigned width)
{
    return rig_get(rig.entry.gpr[X86_GPR_RSI] + offset, width);
}

static void expect_kernel_at(uint64_t at)
{
    cr_expect_eq(rig.entry.rip, at + 0x200);
    for (unsigned i = SETUP; i < sizeof(kernel); i++)
        cr_assert_eq(rig_get(at + i - SETUP, 1), kernel[i], "byte %u", i);
}

Test(linux_boot, a_kernel_is_entered_in_long_mode)
{
    make_kernel();
    cr_assert_eq(load(), OK, "%s", rig.what);
    expect_kernel_at(KERNEL_AT);
    cr_expect_eq(rig.entry.mode, X86_ENTRY_LONG);
    cr_expect_eq(rig.entry.cr0, UINT64_C(0x80000011));
    cr_expect_eq(rig.entry.cr4, 0x20u);
    cr_expect_eq(rig.entry.efer, 0x500u);
    cr_expect_eq(rig.entry.rflags, 2u);
    cr_expect_eq(rig.entry.segment[X86_CS].selector, 0x10);
    cr_expect_eq(rig.entry.segment[X86_DS].selector, 0x18);
    cr_expect_eq(rig.entry.segment[X86_CS].attributes, 0xa9b);
    rig_expect_gdt();
}

/* A processor's walk of the tables at entry. */
static uint64_t translate(uint64_t address)
{
    uint64_t table = rig.entry.cr3;

    for (unsigned shift = 39; shift >= 21; shift -= 9) {
        uint64_t pte = rig_get(table + (address >> shift & 0x1ff) * 8, 8);

        if ((pte & 1) == 0)
            return UINT64_MAX;
        if ((pte & 0x80) != 0)
            return (pte & ~BIT_MASK(shift - 1, 0)) |
                   (address & BIT_MASK(shift - 1, 0));
        table = pte & ~UINT64_C(0xfff);
    }
    return UINT64_MAX;
}

Test(linux_boot, the_lowest_4_gib_are_mapped_to_themselves)
{
    static const uint64_t addresses[] = {
        0,          0x7c00,     0x1fffff,   0x200000,   KERNEL_AT,
        0x3fffffff, 0x40000000, 0xbfe12345, UINT32_MAX,
    };

    make_kernel();
    cr_assert_eq(load(), OK, "%s", rig.what);
    for_each_row (i, addresses)
        cr_expect_eq(translate(addresses[i]), addresses[i]);
    cr_expect_eq(translate(UINT64_C(1) << 32), UINT64_MAX);
    cr_expect_eq(translate(UINT64_C(1) << 39), UINT64_MAX);
}

Test(linux_boot, the_zero_page_says_what_there_is)
{
    static const struct rig_patch fields[] = {
        {0x070, 8, RIG_RSDP},
        {0x1e8, 1, 3},
        {0x1ef, 1, 0},
        {0x1fe, 2, 0xaa55},
        {0x206, 2, 0x20f},
        {0x210, 1, 0xff},
        {0x211, 1, 1},
        {0x21c, 4, 0x4321},
        {0x268, 4, 0x12345678},
        {0x26c, 4, 0},
        {0x258, 8, KERNEL_AT},
        {0x2d0, 8, 0},
        {0x2d8, 8, 0xa0000},
        {0x2e0, 4, E820_RAM},
        {0x2e4, 8, 0xe0000},
        {0x2ec, 8, 0x20000},
        {0x2f4, 4, E820_RESERVED},
        {0x2f8, 8, 0x100000},
        {0x300, 8, RIG_MEMORY - 0x100000},
        {0x308, 4, E820_RAM},
        {0x30c, 8, 0},
    };

    make_kernel();
    rig.image.kernel.cmdline = "console=ttyS0 quiet";
    rig.image.module_count = 1;
    rig.image.modules[0] = rig_pattern_file(0x4321, 1);
    cr_assert_eq(load(), OK, "%s", rig.what);
    for_each_row (i, fields)
        cr_expect_eq(zero_page(fields[i].offset, fields[i].width),
                     fields[i].value, "0x%x", fields[i].offset);
    rig_expect_text(zero_page(0x228, 4), "console=ttyS0 quiet");
    cr_expect_eq(zero_page(0x218, 4), RIG_MEMORY - 0x5000);
    cr_expect(rig_has_pattern(zero_page(0x218, 4), 0x4321, 1));
}

Test(linux_boot, without_initrd_and_command_line_there_are_none)
{
    make_kernel();
    put_le(kernel + 0x206, 0x20d, 2); /* knows no acpi_rsdp_addr */
    cr_assert_eq(load(), OK, "%s", rig.what);
    cr_expect_eq(zero_page(0x218, 8), 0u);
    cr_expect_eq(zero_page(0x228, 4), 0u);
    cr_expect_eq(zero_page(0x070, 8), 0u);
}

/* Changes of the header, and where the kernel goes then. */
static const struct rig_patch places[] = {
    {0x258, 8, 0x200000, ""},
    {0x258, 8, 0x200000 + 0x1000, "\x10"},            /* not aligned */
    {0x258, 8, UINT64_C(0x100000000), "\x10"},        /* no memory there */
    {0x258, 8, UINT64_C(0xffffffffffe00000), "\x10"}, /* wraps */
    {0x258, 8, 0, "\x10"},                            /* not below 1 MiB */
    {0x258, 8, RIG_MEMORY - 0x200000, ""},
    {0x260, 4, RIG_MEMORY - KERNEL_AT, ""},
    {0x260, 4, RIG_MEMORY - KERNEL_AT + 1, "\x10"}, /* ends too late */
    {0x1f1, 1, 0, ""},                              /* means 4: shifts */
};

Test(linux_boot, a_kernel_goes_where_it_wants_or_where_there_is_room)
{
    for_each_row (i, places) {
        uint64_t at = KERNEL_AT;

        make_kernel();
        put_le(kernel + places[i].offset, places[i].value, places[i].width);
        if (places[i].offset == 0x1f1)
            put_le(kernel + 0x1f4, (KERNEL_SIZE - 0xa00) / 16, 4);
        cr_assert_eq(load(), OK, "row %zu: %s", i, rig.what);
        if (places[i].what[0] != '\0')
            at = 0x200000;
        else if (places[i].offset == 0x258)
            at = places[i].value;
        cr_expect_eq(rig.entry.rip, at + 0x200, "row %zu: 0x%llx", i,
                     (unsigned long long)rig.entry.rip);
        cr_expect_eq(rig_get(at, 1),
                     kernel[places[i].offset == 0x1f1 ? 0xa00 : SETUP]);
    }
}

Test(linux_boot, an_initrd_stays_below_its_limit)
{
    make_kernel();
    put_le(kernel + 0x22c, 0x3ffffff, 4);
    rig.image.module_count = 1;
    rig.image.modules[0] = rig_pattern_file(0x1001, 1);
    cr_assert_eq(load(), OK, "%s", rig.what);
    cr_expect_eq(zero_page(0x218, 4), 0x4000000u - 0x2000);
    cr_expect(rig_has_pattern(0x4000000 - 0x2000, 0x1001, 1));
}

static const struct rig_patch wrong[] = {
    {0x1fe, 2, 0x55aa, "boot_flag: 0x55aa"},
    {0x202, 4, 0x53726449, "header: there is no HdrS"},
    {0x206, 2, 0x20b, "version: 0x20b is older"},
    {0x211, 1, 0, "loadflags: LOADED_HIGH is clear"},
    {0x236, 2, 0x7e, "xloadflags: XLF_KERNEL_64 is clear"},
    {0x230, 4, 0, "kernel_alignment: 0x0"},
    {0x230, 4, 0x300000, "kernel_alignment: 0x300000"},
    {0x201, 1, 0x8f, "jump: a setup header that ends at 0x291"},
    {0x201, 1, 0x61, "jump: a setup header that ends at 0x263"},
    {0x1f1, 1, 24, "setup_sects: 24"},
    {0x1f1, 1, 22, "syssize"},
    {0x1f4, 4, (KERNEL_SIZE - SETUP) / 16 + 1, "syssize: 0x2a10 bytes"},
    {0x1f4, 4, UINT32_MAX, "syssize"},
    {0x1f4, 4, 0x20, "syssize: 0x200 bytes do not reach"},
    {0x260, 4, KERNEL_SIZE - SETUP - 1, "init_size: 0x29ff"},
    {0x260, 4, RIG_MEMORY, "kernel: no room"},
    {0x260, 4, UINT32_MAX, "kernel: no room"},
    {0x22c, 4, 0x1007ff, "initrd: no room"},
    {0x238, 4, 4, "cmdline_size: the kernel takes 4 bytes, not 5"},
};

Test(linux_boot, what_is_wrong_with_a_header_is_named)
{
    rig.image.module_count = 1;
    rig.image.modules[0] = rig_pattern_file(0x1000, 1);
    for_each_row (i, wrong) {
        make_kernel();
        put_le(kernel + wrong[i].offset, wrong[i].value, wrong[i].width);
        rig.image.kernel = rig_file(kernel, sizeof(kernel));
        rig.image.kernel.cmdline = "quiet";
        rig_expect_refusal(X86_BOOT_LINUX, wrong[i].what);
    }
}

/* Kernels that cannot be moved, and must not be. */
Test(linux_boot, a_kernel_that_stays_needs_its_place)
{
    static const uint64_t nowhere[] = {
        0,
        0xa0000,
        0xe0000,
        RIG_MEMORY - INIT_SIZE + 1,
        UINT64_C(1) << 32,
        UINT64_C(0xffffffffffff0000),
    };

    for_each_row (i, nowhere) {
        make_kernel();
        put_le(kernel + 0x234, 0, 1);
        put_le(kernel + 0x258, nowhere[i], 8);
        rig.image.kernel = rig_file(kernel, sizeof(kernel));
        rig_expect_refusal(X86_BOOT_LINUX, "kernel: 0x10000 bytes at 0x");
    }
    put_le(kernel + 0x258, RIG_MEMORY - INIT_SIZE, 8);
    cr_expect_eq(load(), OK, "%s", rig.what);
}

Test(linux_boot, a_file_that_is_cut_off_is_refused_wherever_it_is)
{
    make_kernel();
    for (unsigned size = 0; size < SETUP + 0x210; size++) {
        rig.image.kernel = rig_file(kernel, size);
        rig_expect_refusal(X86_BOOT_LINUX, "");
        cr_assert_neq(rig.what[0], '\0');
        rig_end();
        rig_start();
    }
}

Test(linux_boot, linux_takes_one_module)
{
    make_kernel();
    rig.image.kernel = rig_file(kernel, sizeof(kernel));
    rig.image.module_count = 2;
    rig_expect_refusal(X86_BOOT_LINUX, "module");
}

Test(linux_boot, a_machine_without_low_memory_boots_no_linux)
{
    make_kernel();
    rig.image.kernel = rig_file(kernel, sizeof(kernel));
    cr_assert_eq(e820_set(&rig.map, 0, 0xa0000, E820_RESERVED), OK);
    rig_expect_refusal(X86_BOOT_LINUX, "zero page: no room");
}

Test(linux_boot, running_out_of_memory_is_an_error)
{
    make_kernel();
    rig.image.kernel = rig_file(kernel, sizeof(kernel));
    rig.image.kernel.cmdline = "quiet";
    rig.image.module_count = 1;
    rig.image.modules[0] = rig_pattern_file(0x1000, 1);
    rig_expect_failures(X86_BOOT_LINUX);
}

/* The setup header of Debian's linux-image-6.1.0-56-cloud-amd64 (6.1.192-2),
 * from 0x1f1 on, and how long its file is. */
#define DEBIAN_SIZE 14186432
static const uint8_t debian[] = {
    0x27, 0x01, 0x00, 0x20, 0x82, 0x0d, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00,
    0x00, 0x55, 0xaa, 0xeb, 0x6a, 0x48, 0x64, 0x72, 0x53, 0x0f, 0x02, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x10, 0xc0, 0x42, 0x00, 0x01, 0x00, 0x80, 0x00,
    0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xe0, 0x5b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff,
    0xff, 0xff, 0x7f, 0x00, 0x00, 0x20, 0x00, 0x01, 0x15, 0x7f, 0x00, 0xff,
    0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xcc, 0x02, 0x00, 0x00, 0xcc, 0x96, 0xd6, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x80, 0x37, 0x03, 0x10, 0x2f, 0xd7, 0x00, 0x1c,
    0xf9, 0xd7, 0x00,
};

Test(linux_boot, debians_kernel_is_taken)
{
    uint8_t *file;

    rig.image.kernel = rig_pattern_file(DEBIAN_SIZE, 1);
    file = memory_phys_to_virt(rig.image.kernel.data);
    memcpy(file + 0x1f1, debian, sizeof(debian));
    rig.image.kernel.cmdline = "console=ttyS0";
    cr_assert_eq(rig_load(X86_BOOT_LINUX), OK, "%s", rig.what);
    cr_expect_eq(rig.entry.rip, 0x1000200u);
    cr_expect_eq(rig_get(0x1000000, 8), get_le(file + 0x28 * 512, 8));
    /* Up to syssize, not to the file's end. */
    cr_expect_eq(rig_get(0x1000000 + 0xd821f8, 8),
                 get_le(file + 0x28 * 512 + 0xd821f8, 8));
    cr_expect_eq(rig_get(0x1000000 + 0xd82200, 8), 0u);
}
