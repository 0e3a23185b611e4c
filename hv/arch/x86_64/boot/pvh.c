/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PVH, direct boot: an ELF file whose Xen note says where it is entered, in
 * protected mode without paging, with a struct hvm_start_info. Xen,
 * docs/misc/pvh.pandoc ("x86/HVM direct boot ABI") and
 * xen/include/public/arch-x86/hvm/start_info.h, version 1.
 *
 * There is no Xen below the guest, and nothing says there were.
 */
#include "arch/x86_64/boot/bytes.h"
#include "arch/x86_64/boot/elf.h"

#define NOTE_OWNER               "Xen"
#define XEN_ELFNOTE_PHYS32_ENTRY 18

/* struct hvm_start_info */
#define MAGIC           0 /* 4 bytes, as all that is not marked */
#define VERSION         4
#define NR_MODULES      12
#define MODLIST_PADDR   16 /* 8 bytes */
#define CMDLINE_PADDR   24 /* 8 bytes */
#define RSDP_PADDR      32 /* 8 bytes */
#define MEMMAP_PADDR    40 /* 8 bytes */
#define MEMMAP_ENTRIES  48
#define START_INFO_SIZE 56

#define START_MAGIC        0x336ec578
#define START_INFO_VERSION 1

/* struct hvm_modlist_entry; 8 bytes each */
#define MODULE_PADDR   0
#define MODULE_SIZE    8
#define MODULE_CMDLINE 16
#define MODLIST_ROW    32

/* struct hvm_memmap_table_entry; 8 bytes each, but for the type */
#define MEMMAP_ADDR 0
#define MEMMAP_SIZE 8
#define MEMMAP_TYPE 16
#define MEMMAP_ROW  24

struct pvh {
    struct elf elf;
    uint64_t entry;
    struct boot_modules modules;
    gpa_t cmdline, start_info, modlist, memmap, gdt;
};

static err_t read_entry(struct boot *boot, struct pvh *pvh)
{
    err_t error = elf_read(boot, &pvh->elf);

    if (error == OK)
        error = elf_find_note(boot, &pvh->elf, NOTE_OWNER,
                              XEN_ELFNOTE_PHYS32_ENTRY, &pvh->entry);
    if (error == OK && !elf_has(&pvh->elf, pvh->entry))
        error = boot_refuse(boot,
                            "XEN_ELFNOTE_PHYS32_ENTRY: 0x%llx is in no"
                            " segment",
                            (unsigned long long)pvh->entry);
    return error;
}

static err_t place_all(struct boot *boot, struct pvh *pvh)
{
    const struct x86_boot_image *image = boot->image;
    err_t error = elf_claim(boot, &pvh->elf);

    if (error == OK)
        error = boot_place_modules(boot, 0, &pvh->modules);
    if (error == OK)
        error = boot_place_text(boot, "command line", image->kernel.cmdline,
                                &pvh->cmdline);
    if (error == OK)
        error = boot_place_low(boot, "start_info", START_INFO_SIZE,
                               &pvh->start_info);
    if (error == OK)
        error = boot_place_low(
            boot, "modlist", image->module_count * MODLIST_ROW, &pvh->modlist);
    if (error == OK)
        error = boot_place_low(boot, "memmap",
                               boot->machine->map->count * MEMMAP_ROW,
                               &pvh->memmap);
    if (error == OK)
        error = boot_place_gdt(boot, &pvh->gdt);
    return error;
}

static err_t store_start_info(struct boot *boot, const struct pvh *pvh)
{
    unsigned modules = boot->image->module_count;
    uint8_t info[START_INFO_SIZE] = {0};

    put_le(info + MAGIC, START_MAGIC, 4);
    put_le(info + VERSION, START_INFO_VERSION, 4);
    put_le(info + NR_MODULES, modules, 4);
    put_le(info + MODLIST_PADDR, modules != 0 ? pvh->modlist.raw : 0, 8);
    put_le(info + CMDLINE_PADDR, pvh->cmdline.raw, 8);
    put_le(info + RSDP_PADDR, boot->machine->rsdp.raw, 8);
    put_le(info + MEMMAP_PADDR, pvh->memmap.raw, 8);
    put_le(info + MEMMAP_ENTRIES, boot->machine->map->count, 4);
    return boot_store(boot, "start_info", pvh->start_info, info, sizeof(info));
}

static err_t store_modlist(struct boot *boot, const struct pvh *pvh)
{
    err_t error = OK;

    for (unsigned i = 0; i < boot->image->module_count && error == OK; i++) {
        uint8_t row[MODLIST_ROW] = {0};

        put_le(row + MODULE_PADDR, pvh->modules.at[i].raw, 8);
        put_le(row + MODULE_SIZE, boot->image->modules[i].size, 8);
        put_le(row + MODULE_CMDLINE, pvh->modules.cmdline[i].raw, 8);
        error =
            boot_store(boot, "modlist", gpa_add(pvh->modlist, i * sizeof(row)),
                       row, sizeof(row));
    }
    return error;
}

static err_t store_memmap(struct boot *boot, const struct pvh *pvh)
{
    const struct e820 *map = boot->machine->map;
    err_t error = OK;

    for (unsigned i = 0; i < map->count && error == OK; i++) {
        uint8_t row[MEMMAP_ROW] = {0};

        put_le(row + MEMMAP_ADDR, map->entries[i].start, 8);
        put_le(row + MEMMAP_SIZE, map->entries[i].size, 8);
        put_le(row + MEMMAP_TYPE, map->entries[i].type, 4);
        error =
            boot_store(boot, "memmap", gpa_add(pvh->memmap, i * sizeof(row)),
                       row, sizeof(row));
    }
    return error;
}

static err_t store_all(struct boot *boot, const struct pvh *pvh)
{
    err_t error = elf_store(boot, &pvh->elf);

    if (error == OK)
        error = boot_store_modules(boot, &pvh->modules);
    if (error == OK)
        error = boot_store_text(boot, "command line",
                                boot->image->kernel.cmdline, pvh->cmdline);
    if (error == OK)
        error = store_modlist(boot, pvh);
    if (error == OK)
        error = store_memmap(boot, pvh);
    if (error == OK)
        error = store_start_info(boot, pvh);
    return error;
}

err_t boot_pvh(struct boot *boot)
{
    struct pvh pvh;
    err_t error = read_entry(boot, &pvh);

    if (error == OK)
        error = place_all(boot, &pvh);
    if (error == OK)
        error = store_all(boot, &pvh);
    if (error != OK)
        return error;
    x86_entry_init(boot->entry, X86_ENTRY_PROTECTED, pvh.entry);
    boot->entry->gpr[X86_GPR_RBX] = pvh.start_info.raw;
    return boot_store_gdt(boot, pvh.gdt);
}
