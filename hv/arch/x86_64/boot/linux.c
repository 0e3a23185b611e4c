/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's 64-bit boot protocol: a bzImage of protocol 2.12 or later, entered
 * in long mode behind its real-mode part, with a zero page (struct
 * boot_params). Linux, Documentation/arch/x86/boot.rst, "64-bit Boot
 * Protocol", and zero-page.rst. Names of fields are from there.
 *
 * Older kernels, zImages and 32-bit kernels are refused. Everything is placed
 * below 4 GiB, so that it makes no difference which of
 * XLF_CAN_BE_LOADED_ABOVE_4G and ext_ramdisk_image a kernel knows.
 */
#include "arch/x86_64/boot/bytes.h"
#include "arch/x86_64/boot/internal.h"
#include "lib/bits.h"
#include "lib/string.h"

/* Fields of the setup header, at the same offsets in file and zero page. */
#define SETUP_SECTS        0x1f1
#define SYSSIZE            0x1f4
#define BOOT_FLAG          0x1fe
#define JUMP_LENGTH        0x201
#define HEADER             0x202
#define VERSION            0x206
#define TYPE_OF_LOADER     0x210
#define LOADFLAGS          0x211
#define RAMDISK_IMAGE      0x218
#define RAMDISK_SIZE       0x21c
#define CMD_LINE_PTR       0x228
#define INITRD_ADDR_MAX    0x22c
#define KERNEL_ALIGNMENT   0x230
#define RELOCATABLE_KERNEL 0x234
#define XLOADFLAGS         0x236
#define CMDLINE_SIZE       0x238
#define PREF_ADDRESS       0x258
#define INIT_SIZE          0x260
#define HEADER_NEEDED      0x264 /* where what is looked at ends */
#define HEADER_LIMIT       0x290 /* of the zero page's room for it */

/* Further fields of the zero page. */
#define ACPI_RSDP_ADDR 0x070
#define E820_ENTRIES   0x1e8
#define E820_TABLE     0x2d0
#define E820_ROW       20 /* address, size, type */

#define BOOT_FLAG_MAGIC 0xaa55
#define HEADER_MAGIC    0x53726448 /* "HdrS" */
#define OLDEST_VERSION  0x20c
#define LOADED_HIGH     BIT(0)
#define XLF_KERNEL_64   BIT(0)
#define UNKNOWN_LOADER  0xff

#define SECTOR_SIZE        512
#define DEFAULT_SECTS      4 /* what a setup_sects of 0 means */
#define SYSSIZE_UNIT       16
#define ENTRY_64           0x200
#define RSDP_SINCE_VERSION 0x20e

/* The copy of the setup header that is looked at, and where things go. */
struct linux_kernel {
    uint8_t zero_page[PAGE_SIZE];
    uint64_t payload, payload_size; /* the protected-mode part, in the file */
    gpa_t at, initrd, cmdline, zero_page_at, tables, gdt;
};

static uint64_t get(const struct linux_kernel *kernel, unsigned field,
                    unsigned width)
{
    return get_le(kernel->zero_page + field, width);
}

static void put(struct linux_kernel *kernel, unsigned field, uint64_t value,
                unsigned width)
{
    put_le(kernel->zero_page + field, value, width);
}

static err_t check_header(struct boot *boot, const struct linux_kernel *kernel)
{
    if (get(kernel, BOOT_FLAG, 2) != BOOT_FLAG_MAGIC)
        return boot_refuse(boot, "boot_flag: 0x%llx is not 0xaa55",
                           (unsigned long long)get(kernel, BOOT_FLAG, 2));
    if (get(kernel, HEADER, 4) != HEADER_MAGIC)
        return boot_refuse(boot, "header: there is no HdrS: not a bzImage");
    if (get(kernel, VERSION, 2) < OLDEST_VERSION)
        return boot_refuse(boot, "version: 0x%llx is older than 2.12",
                           (unsigned long long)get(kernel, VERSION, 2));
    if ((get(kernel, LOADFLAGS, 1) & LOADED_HIGH) == 0)
        return boot_refuse(boot, "loadflags: LOADED_HIGH is clear: a zImage");
    if ((get(kernel, XLOADFLAGS, 2) & XLF_KERNEL_64) == 0)
        return boot_refuse(boot, "xloadflags: XLF_KERNEL_64 is clear: there is"
                                 " no 64-bit entry");
    if (!is_power_of_two(get(kernel, KERNEL_ALIGNMENT, 4)))
        return boot_refuse(
            boot, "kernel_alignment: 0x%llx is no power of two",
            (unsigned long long)get(kernel, KERNEL_ALIGNMENT, 4));
    return OK;
}

/* Copies the setup header to the zero page, and checks it. */
static err_t read_header(struct boot *boot, struct linux_kernel *kernel)
{
    const struct x86_boot_file *file = &boot->image->kernel;
    uint8_t jump_length = 0;
    unsigned end;

    if (!boot_has(file, 0, HEADER_NEEDED))
        return boot_refuse(boot, "kernel: 0x%llx bytes hold no setup header",
                           (unsigned long long)file->size);
    boot_read(boot, JUMP_LENGTH, &jump_length, 1);
    end = HEADER + jump_length;
    if (end < HEADER_NEEDED || end > HEADER_LIMIT || !boot_has(file, 0, end))
        return boot_refuse(boot,
                           "jump: a setup header that ends at 0x%x is"
                           " too short or too long",
                           end);
    boot_read(boot, SETUP_SECTS, kernel->zero_page + SETUP_SECTS,
              end - SETUP_SECTS);
    return check_header(boot, kernel);
}

/* Finds the protected-mode part. */
static err_t find_payload(struct boot *boot, struct linux_kernel *kernel)
{
    const struct x86_boot_file *file = &boot->image->kernel;
    uint64_t sectors = get(kernel, SETUP_SECTS, 1);
    uint64_t size = get(kernel, SYSSIZE, 4) * SYSSIZE_UNIT;
    uint64_t init_size = get(kernel, INIT_SIZE, 4);

    kernel->payload =
        ((sectors != 0 ? sectors : DEFAULT_SECTS) + 1) * SECTOR_SIZE;
    if (!boot_has(file, kernel->payload, 0))
        return boot_refuse(boot,
                           "setup_sects: %llu sectors are more than the"
                           " file has",
                           (unsigned long long)sectors);
    kernel->payload_size = file->size - kernel->payload;
    /* What is behind syssize, such as a signature, is no part of the kernel,
     * though some are shorter than syssize, by its rounding. */
    if (size >= kernel->payload_size + SYSSIZE_UNIT)
        return boot_refuse(boot,
                           "syssize: 0x%llx bytes are more than the file"
                           " has",
                           (unsigned long long)size);
    if (size < kernel->payload_size)
        kernel->payload_size = size;
    if (kernel->payload_size <= ENTRY_64)
        return boot_refuse(boot,
                           "syssize: 0x%llx bytes do not reach the 64-bit"
                           " entry",
                           (unsigned long long)size);
    if (init_size < kernel->payload_size)
        return boot_refuse(boot,
                           "init_size: 0x%llx bytes do not hold the"
                           " kernel",
                           (unsigned long long)init_size);
    return OK;
}

/* Where the kernel prefers to be, or else, if it may, anywhere. */
static err_t place_kernel(struct boot *boot, struct linux_kernel *kernel)
{
    uint64_t preferred = get(kernel, PREF_ADDRESS, 8);
    struct e820_wish wish = {
        .size = get(kernel, INIT_SIZE, 4),
        .align = get(kernel, KERNEL_ALIGNMENT, 4),
        .from = E820_HIGH_START,
        .to = GIB_4,
    };

    kernel->at = gpa(preferred);
    if (get(kernel, RELOCATABLE_KERNEL, 1) != 0 &&
        (preferred < E820_HIGH_START || preferred > GIB_4 ||
         !is_aligned(preferred, wish.align) || wish.size > GIB_4 - preferred ||
         !e820_is_ram(&boot->room, preferred, wish.size)))
        return boot_place(boot, "kernel", &wish, &kernel->at);
    return boot_claim(boot, "kernel", preferred, wish.size);
}

static err_t place_initrd(struct boot *boot, struct linux_kernel *kernel)
{
    const struct x86_boot_image *image = boot->image;
    uint64_t last = get(kernel, INITRD_ADDR_MAX, 4);
    struct e820_wish wish = {
        .size = image->modules[0].size,
        .align = PAGE_SIZE,
        .from = E820_HIGH_START,
        .to = last + 1,
        .highest = true,
    };

    kernel->initrd = gpa(0);
    if (image->module_count > 1)
        return boot_refuse(boot, "module: Linux takes one, its initrd");
    if (image->module_count == 0 || wish.size == 0)
        return OK;
    return boot_place(boot, "initrd", &wish, &kernel->initrd);
}

static err_t place_cmdline(struct boot *boot, struct linux_kernel *kernel)
{
    const char *cmdline = boot->image->kernel.cmdline;
    size_t size = cmdline != NULL ? strlen(cmdline) : 0;

    if (size > get(kernel, CMDLINE_SIZE, 4))
        return boot_refuse(boot,
                           "cmdline_size: the kernel takes %llu bytes,"
                           " not %llu",
                           (unsigned long long)get(kernel, CMDLINE_SIZE, 4),
                           (unsigned long long)size);
    return boot_place_text(boot, "command line", cmdline, &kernel->cmdline);
}

static err_t place_all(struct boot *boot, struct linux_kernel *kernel)
{
    err_t error = place_kernel(boot, kernel);

    if (error == OK)
        error = place_initrd(boot, kernel);
    if (error == OK)
        error = place_cmdline(boot, kernel);
    if (error == OK)
        error =
            boot_place_low(boot, "zero page", PAGE_SIZE, &kernel->zero_page_at);
    if (error == OK)
        error =
            boot_place_low(boot, "page tables",
                           X86_ENTRY_TABLE_PAGES * PAGE_SIZE, &kernel->tables);
    if (error == OK)
        error = boot_place_gdt(boot, &kernel->gdt);
    return error;
}

static void put_e820(struct linux_kernel *kernel, const struct e820 *map)
{
    for (unsigned i = 0; i < map->count; i++) {
        unsigned row = E820_TABLE + i * E820_ROW;

        put(kernel, row, map->entries[i].start, 8);
        put(kernel, row + 8, map->entries[i].size, 8);
        put(kernel, row + 16, map->entries[i].type, 4);
    }
    put(kernel, E820_ENTRIES, map->count, 1);
}

static void finish_zero_page(struct boot *boot, struct linux_kernel *kernel)
{
    put(kernel, TYPE_OF_LOADER, UNKNOWN_LOADER, 1);
    put(kernel, RAMDISK_IMAGE, kernel->initrd.raw, 4);
    put(kernel, RAMDISK_SIZE,
        boot->image->module_count != 0 ? boot->image->modules[0].size : 0, 4);
    put(kernel, CMD_LINE_PTR, kernel->cmdline.raw, 4);
    if (get(kernel, VERSION, 2) >= RSDP_SINCE_VERSION)
        put(kernel, ACPI_RSDP_ADDR, boot->machine->rsdp.raw, 8);
    put_e820(kernel, boot->machine->map);
}

/* Entries that are written at a time. */
#define PTES 64

static err_t store_tables(struct boot *boot, gpa_t at)
{
    uint64_t ptes[PTES];
    err_t error = OK;

    for (unsigned i = 0; i < X86_ENTRY_PTES && error == OK; i += PTES) {
        for (unsigned k = 0; k < PTES; k++)
            ptes[k] = x86_entry_get_pte(X86_ENTRY_LONG, at, i + k);
        error =
            boot_store(boot, "page tables", gpa_add(at, i * sizeof(ptes[0])),
                       ptes, sizeof(ptes));
    }
    return error;
}

static err_t store_all(struct boot *boot, const struct linux_kernel *kernel)
{
    const struct x86_boot_image *image = boot->image;
    err_t error = boot_store_file(boot, "kernel", kernel->at, &image->kernel,
                                  kernel->payload, kernel->payload_size);

    if (error == OK && image->module_count != 0)
        error = boot_store_file(boot, "initrd", kernel->initrd,
                                &image->modules[0], 0, image->modules[0].size);
    if (error == OK)
        error = boot_store_text(boot, "command line", image->kernel.cmdline,
                                kernel->cmdline);
    if (error == OK)
        error = boot_store(boot, "zero page", kernel->zero_page_at,
                           kernel->zero_page, sizeof(kernel->zero_page));
    if (error == OK)
        error = store_tables(boot, kernel->tables);
    return error;
}

err_t boot_linux(struct boot *boot)
{
    struct linux_kernel kernel = {0};
    err_t error = read_header(boot, &kernel);

    if (error == OK)
        error = find_payload(boot, &kernel);
    if (error == OK)
        error = place_all(boot, &kernel);
    if (error != OK)
        return error;
    finish_zero_page(boot, &kernel);
    error = store_all(boot, &kernel);
    if (error != OK)
        return error;
    x86_entry_init(boot->entry, X86_ENTRY_LONG, kernel.at.raw + ENTRY_64);
    x86_entry_set_tables(boot->entry, kernel.tables);
    boot->entry->gpr[X86_GPR_RSI] = kernel.zero_page_at.raw;
    return boot_store_gdt(boot, kernel.gdt);
}
