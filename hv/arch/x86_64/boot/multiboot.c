/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multiboot Specification, version 0.6.96: a header in the kernel's first 8192
 * bytes; an ELF file, or a flat one with addresses in the header; entered in
 * protected mode without paging, with a boot information structure.
 *
 * Beyond the specification, 64-bit ELF files are taken, too, as GRUB does; the
 * entry is in 32-bit code all the same. A kernel that asks for a video mode is
 * told, by flags that are clear, that there is no display. Section headers and
 * drives are not passed on.
 */
#include "arch/x86_64/boot/bytes.h"
#include "arch/x86_64/boot/elf.h"
#include "lib/bits.h"

/* The header (section 3.1.1). */
#define SEARCHED       8192
#define HEADER_ALIGN   4
#define HEADER_BASICS  12 /* magic, flags, checksum: always there */
#define HEADER_FLAT    32 /* with the addresses of flat files */
#define FLAGS          4
#define CHECKSUM       8
#define HEADER_ADDR    12
#define LOAD_ADDR      16
#define LOAD_END_ADDR  20
#define BSS_END_ADDR   24
#define ENTRY_ADDR     28
#define HEADER_MAGIC   0x1badb002
#define REQUIRED_FLAGS BIT_MASK(15, 0)
#define KNOWN_FLAGS    BIT_MASK(2, 0) /* page-aligned, memory, video */
#define HAS_ADDRESSES  BIT(16)

/* The boot information (section 3.3), all of it in words of 4 bytes. */
#define INFO_FLAGS            0
#define INFO_MEM_LOWER        4
#define INFO_MEM_UPPER        8
#define INFO_CMDLINE          16
#define INFO_MODS_COUNT       20
#define INFO_MODS_ADDR        24
#define INFO_MMAP_LENGTH      44
#define INFO_MMAP_ADDR        48
#define INFO_BOOT_LOADER_NAME 64
#define INFO_SIZE             116

#define HAS_MEMORY      BIT(0)
#define HAS_CMDLINE     BIT(2)
#define HAS_MODULES     BIT(3)
#define HAS_MMAP        BIT(6)
#define HAS_LOADER_NAME BIT(9)

#define MODULE_START  0
#define MODULE_END    4
#define MODULE_STRING 8
#define MODULE_ROW    16

/* A row of the map begins with the size of what follows. */
#define MMAP_BASE   4
#define MMAP_LENGTH 12
#define MMAP_TYPE   20
#define MMAP_ROW    24

#define BOOTLOADER_MAGIC 0x2badb002
#define LOADER_NAME      "Twinax"

struct multiboot {
    uint8_t header[HEADER_FLAT];
    uint64_t header_at; /* in the file */
    struct elf elf;     /* flat files become one segment */
    struct boot_modules modules;
    gpa_t info, mods, mmap, cmdline, name, gdt;
};

static uint32_t field(const struct multiboot *multiboot, unsigned offset)
{
    return (uint32_t)get_le(multiboot->header + offset, 4);
}

/* Whether the header is at `at`; copies as much as there is of it. */
static bool read_header(const struct boot *boot, struct multiboot *multiboot,
                        uint64_t at)
{
    uint64_t limit = boot->image->kernel.size;
    uint64_t size;

    if (limit > SEARCHED)
        limit = SEARCHED;
    if (at + HEADER_BASICS > limit)
        return false;
    size = limit - at < HEADER_FLAT ? limit - at : HEADER_FLAT;
    boot_read(boot, at, multiboot->header, (size_t)size);
    multiboot->header_at = at;
    return field(multiboot, 0) == HEADER_MAGIC &&
           field(multiboot, 0) + field(multiboot, FLAGS) +
                   field(multiboot, CHECKSUM) ==
               0;
}

static err_t find_header(struct boot *boot, struct multiboot *multiboot)
{
    uint32_t unknown;
    uint64_t at = 0;

    while (at < SEARCHED && !read_header(boot, multiboot, at))
        at += HEADER_ALIGN;
    if (at == SEARCHED)
        return boot_refuse(boot,
                           "magic: no multiboot header in the first %d"
                           " bytes",
                           SEARCHED);
    unknown = field(multiboot, FLAGS) & REQUIRED_FLAGS & ~KNOWN_FLAGS;
    if (unknown != 0) {
        (void)boot_refuse(boot, "flags: 0x%x ask for what there is not",
                          unknown);
        return ERR_UNSUPPORTED;
    }
    return OK;
}

/* Makes a segment of a flat file, by the addresses in its header. */
static err_t read_flat(struct boot *boot, struct multiboot *multiboot)
{
    uint64_t size = boot->image->kernel.size;
    uint64_t load = field(multiboot, LOAD_ADDR);
    uint64_t header = field(multiboot, HEADER_ADDR);
    uint64_t load_end = field(multiboot, LOAD_END_ADDR);
    uint64_t bss_end = field(multiboot, BSS_END_ADDR);
    struct elf_segment *segment = &multiboot->elf.segments[0];

    if (multiboot->header_at + HEADER_FLAT > size ||
        multiboot->header_at + HEADER_FLAT > SEARCHED)
        return boot_refuse(boot, "flags: the header's addresses are cut off");
    if (load > header || header - load > multiboot->header_at)
        return boot_refuse(boot, "load_addr: 0x%llx is not in the file",
                           (unsigned long long)load);
    segment->offset = multiboot->header_at - (header - load);
    if (load_end == 0)
        load_end = load + size - segment->offset;
    if (load_end < load || load_end - load > size - segment->offset)
        return boot_refuse(boot, "load_end_addr: 0x%llx is not in the file",
                           (unsigned long long)load_end);
    if (bss_end != 0 && bss_end < load_end)
        return boot_refuse(boot, "bss_end_addr: 0x%llx is before load_end_addr",
                           (unsigned long long)bss_end);
    segment->file_size = load_end - load;
    segment->address = load;
    segment->size = (bss_end != 0 ? bss_end : load_end) - load;
    multiboot->elf.segment_count = 1;
    multiboot->elf.entry = field(multiboot, ENTRY_ADDR);
    return OK;
}

static err_t read_kernel(struct boot *boot, struct multiboot *multiboot)
{
    err_t error = find_header(boot, multiboot);

    if (error != OK)
        return error;
    error = (field(multiboot, FLAGS) & HAS_ADDRESSES) != 0
                ? read_flat(boot, multiboot)
                : elf_read(boot, &multiboot->elf);
    if (error == OK && !elf_has(&multiboot->elf, multiboot->elf.entry))
        error = boot_refuse(boot, "entry: 0x%llx is in no segment",
                            (unsigned long long)multiboot->elf.entry);
    return error;
}

static err_t place_all(struct boot *boot, struct multiboot *multiboot)
{
    const struct x86_boot_image *image = boot->image;
    const struct {
        const char *name;
        uint64_t size;
        gpa_t *at;
    } tables[] = {
        {"mods", image->module_count * MODULE_ROW, &multiboot->mods},
        {"mmap", boot->machine->map->count * MMAP_ROW, &multiboot->mmap},
        {"boot information", INFO_SIZE, &multiboot->info},
    };
    err_t error = elf_claim(boot, &multiboot->elf);

    /* Close behind the kernel: small ones map no more than that. */
    if (error == OK)
        error = boot_place_modules(boot, elf_end(&multiboot->elf),
                                   &multiboot->modules);
    if (error == OK)
        error = boot_place_text(boot, "command line", image->kernel.cmdline,
                                &multiboot->cmdline);
    if (error == OK)
        error = boot_place_text(boot, "boot loader's name", LOADER_NAME,
                                &multiboot->name);
    for (unsigned i = 0; i < ARRAY_SIZE(tables) && error == OK; i++)
        error =
            boot_place_low(boot, tables[i].name, tables[i].size, tables[i].at);
    if (error == OK)
        error = boot_place_gdt(boot, &multiboot->gdt);
    return error;
}

static err_t store_mods(struct boot *boot, const struct multiboot *multiboot)
{
    err_t error = OK;

    for (unsigned i = 0; i < boot->image->module_count && error == OK; i++) {
        uint8_t row[MODULE_ROW] = {0};
        uint64_t start = multiboot->modules.at[i].raw;

        put_le(row + MODULE_START, start, 4);
        put_le(row + MODULE_END, start + boot->image->modules[i].size, 4);
        put_le(row + MODULE_STRING, multiboot->modules.cmdline[i].raw, 4);
        error =
            boot_store(boot, "mods", gpa_add(multiboot->mods, i * sizeof(row)),
                       row, sizeof(row));
    }
    return error;
}

static err_t store_mmap(struct boot *boot, const struct multiboot *multiboot)
{
    const struct e820 *map = boot->machine->map;
    err_t error = OK;

    for (unsigned i = 0; i < map->count && error == OK; i++) {
        uint8_t row[MMAP_ROW];

        put_le(row, MMAP_ROW - MMAP_BASE, 4);
        put_le(row + MMAP_BASE, map->entries[i].start, 8);
        put_le(row + MMAP_LENGTH, map->entries[i].size, 8);
        put_le(row + MMAP_TYPE, map->entries[i].type, 4);
        error =
            boot_store(boot, "mmap", gpa_add(multiboot->mmap, i * sizeof(row)),
                       row, sizeof(row));
    }
    return error;
}

/* KiB of RAM from `start` on, as far as a word can say. */
static uint64_t kib_at(const struct boot *boot, uint64_t start)
{
    uint64_t kib = e820_ram_at(boot->machine->map, start) >> 10;

    return kib < UINT32_MAX ? kib : UINT32_MAX;
}

static err_t store_info(struct boot *boot, const struct multiboot *multiboot)
{
    const struct x86_boot_image *image = boot->image;
    bool has_cmdline = image->kernel.cmdline != NULL;
    uint8_t info[INFO_SIZE] = {0};

    put_le(info + INFO_FLAGS,
           HAS_MEMORY | HAS_MODULES | HAS_MMAP | HAS_LOADER_NAME |
               (has_cmdline ? HAS_CMDLINE : 0),
           4);
    put_le(info + INFO_MEM_LOWER, kib_at(boot, 0), 4);
    put_le(info + INFO_MEM_UPPER, kib_at(boot, E820_HIGH_START), 4);
    put_le(info + INFO_CMDLINE, multiboot->cmdline.raw, 4);
    put_le(info + INFO_MODS_COUNT, image->module_count, 4);
    put_le(info + INFO_MODS_ADDR,
           image->module_count != 0 ? multiboot->mods.raw : 0, 4);
    put_le(info + INFO_MMAP_LENGTH, boot->machine->map->count * MMAP_ROW, 4);
    put_le(info + INFO_MMAP_ADDR, multiboot->mmap.raw, 4);
    put_le(info + INFO_BOOT_LOADER_NAME, multiboot->name.raw, 4);
    return boot_store(boot, "boot information", multiboot->info, info,
                      sizeof(info));
}

static err_t store_all(struct boot *boot, const struct multiboot *multiboot)
{
    err_t error = elf_store(boot, &multiboot->elf);

    if (error == OK)
        error = boot_store_modules(boot, &multiboot->modules);
    if (error == OK)
        error =
            boot_store_text(boot, "command line", boot->image->kernel.cmdline,
                            multiboot->cmdline);
    if (error == OK)
        error = boot_store_text(boot, "boot loader's name", LOADER_NAME,
                                multiboot->name);
    if (error == OK)
        error = store_mods(boot, multiboot);
    if (error == OK)
        error = store_mmap(boot, multiboot);
    if (error == OK)
        error = store_info(boot, multiboot);
    return error;
}

err_t boot_multiboot(struct boot *boot)
{
    struct multiboot multiboot = {0};
    err_t error = read_kernel(boot, &multiboot);

    if (error == OK)
        error = place_all(boot, &multiboot);
    if (error == OK)
        error = store_all(boot, &multiboot);
    if (error != OK)
        return error;
    x86_entry_init(boot->entry, X86_ENTRY_PROTECTED, multiboot.elf.entry);
    boot->entry->gpr[X86_GPR_RAX] = BOOTLOADER_MAGIC;
    boot->entry->gpr[X86_GPR_RBX] = multiboot.info.raw;
    return boot_store_gdt(boot, multiboot.gdt);
}
