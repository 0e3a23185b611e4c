/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware, such as OVMF: a flash that ends at 4 GiB, where a processor fetches
 * its first instruction after a reset. UEFI Platform Initialization 1.8,
 * volume 1, section 13 (the reset vector, and the boot firmware volume around
 * it); Intel SDM volume 3, section 10.1.
 *
 * The flash is mapped read-only to the file itself, and below it a second one,
 * with variables, if there is a module. Writes fault, and are for the VM to
 * ignore; firmware finds out, and keeps its variables in memory. The ACPI
 * tables and the memory map are not passed on: firmware asks fw_cfg.
 */
#include "arch/x86_64/boot/internal.h"
#include "lib/bits.h"

/* The flash of a PC is at most so large; below it are the APICs. */
#define FLASH_MAX_SIZE (UINT64_C(16) << 20)

#define RESET_CS_SELECTOR 0xf000
#define RESET_CS_BASE     UINT64_C(0xffff0000)
#define RESET_IP          0xfff0
#define RESET_CR0         UINT64_C(0x60000010) /* CD, NW, ET */

static err_t check_flash(struct boot *boot, const char *name,
                         const struct x86_boot_file *file)
{
    if (file->cmdline != NULL)
        return boot_refuse(boot, "%s: it takes no command line", name);
    if (file->size == 0 || !is_aligned(file->size, PAGE_SIZE))
        return boot_refuse(boot, "%s: 0x%llx bytes are not a number of pages",
                           name, (unsigned long long)file->size);
    if (file->size > FLASH_MAX_SIZE)
        return boot_refuse(boot, "%s: 0x%llx bytes are more than 16 MiB", name,
                           (unsigned long long)file->size);
    if (!is_aligned(file->data.raw, PAGE_SIZE))
        return boot_refuse(boot, "%s: it does not begin at a page", name);
    return OK;
}

/* Whether nothing in the map but what is reserved overlaps the range. */
static bool is_spare(const struct e820 *map, uint64_t start, uint64_t size)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct e820_entry *entry = &map->entries[i];

        if (entry->type != E820_RESERVED && entry->start < start + size &&
            start < entry->start + entry->size)
            return false;
    }
    return true;
}

static err_t map_flash(struct boot *boot, const char *name,
                       const struct x86_boot_file *file, uint64_t start)
{
    /* What the last boot has mapped there goes. */
    err_t error = aspace_unmap(boot->memory, gpa(start), file->size);

    if (error == OK)
        error = aspace_map_linear(boot->memory, gpa(start), file->data,
                                  file->size, MEM_READ | MEM_EXECUTE);
    return boot_fail(boot, name, error);
}

static err_t map_all(struct boot *boot, uint64_t code, uint64_t variables)
{
    const struct x86_boot_image *image = boot->image;
    err_t error = map_flash(boot, "firmware", &image->kernel, code);

    if (error == OK && image->module_count != 0)
        error = map_flash(boot, "variables", &image->modules[0], variables);
    return error;
}

err_t boot_firmware(struct boot *boot)
{
    const struct x86_boot_image *image = boot->image;
    uint64_t code = GIB_4 - image->kernel.size;
    uint64_t variables = code;
    err_t error = check_flash(boot, "firmware", &image->kernel);

    if (error == OK && image->module_count > 1)
        error = boot_refuse(boot, "module: firmware takes one, its variables");
    if (error == OK && image->module_count != 0) {
        error = check_flash(boot, "variables", &image->modules[0]);
        variables -= image->modules[0].size;
    }
    if (error == OK && GIB_4 - variables > FLASH_MAX_SIZE)
        error = boot_refuse(boot, "variables: 16 MiB do not hold both");
    if (error == OK &&
        !is_spare(boot->machine->map, variables, GIB_4 - variables))
        error = boot_refuse(boot, "firmware: there is memory at 0x%llx",
                            (unsigned long long)variables);
    if (error == OK)
        error = map_all(boot, code, variables);
    if (error != OK)
        return error;
    x86_entry_init(boot->entry, X86_ENTRY_REAL, RESET_IP);
    boot->entry->cr0 = RESET_CR0;
    boot->entry->gpr[X86_GPR_RDX] = boot->machine->signature;
    boot->entry->segment[X86_CS].selector = RESET_CS_SELECTOR;
    boot->entry->segment[X86_CS].base = RESET_CS_BASE;
    boot->entry->idtr.limit = 0xffff;
    return OK;
}
