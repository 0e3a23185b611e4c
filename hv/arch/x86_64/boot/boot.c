/* SPDX-License-Identifier: Apache-2.0 */
/* What all boot protocols do: looking at images, finding room, writing. */
#include "arch/x86_64/boot/boot.h"

#include "api/memory.h"
#include "arch/x86_64/boot/internal.h"
#include "lib/check.h"
#include "lib/format.h"
#include "lib/string.h"

static const struct {
    const char *name;
    boot_loader load;
} protocols[X86_BOOT_PROTOCOL_COUNT] = {
    [X86_BOOT_LINUX] = {"linux", boot_linux},
    [X86_BOOT_PVH] = {"pvh", boot_pvh},
    [X86_BOOT_MULTIBOOT] = {"multiboot", boot_multiboot},
    [X86_BOOT_FLAT] = {"flat", boot_flat},
    [X86_BOOT_FIRMWARE] = {"firmware", boot_firmware},
};

const char *x86_boot_name(enum x86_boot_protocol protocol)
{
    return protocols[protocol].name;
}

err_t boot_refuse(struct boot *boot, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)format_args(boot->what, X86_BOOT_WHAT_SIZE, format, args);
    va_end(args);
    return ERR_INVALID_INPUT;
}

err_t boot_fail(struct boot *boot, const char *name, err_t error)
{
    if (error != OK)
        (void)boot_refuse(boot, "%s: %s", name, error_text(error));
    return error;
}

void boot_read(const struct boot *boot, uint64_t offset, void *to, size_t size)
{
    const struct x86_boot_file *kernel = &boot->image->kernel;

    CHECK(boot_has(kernel, offset, size));
    (void)memory_read_guest(hpa_add(kernel->data, offset), to, size);
}

/* Room ---------------------------------------------------------------------*/

err_t boot_claim(struct boot *boot, const char *name, uint64_t start,
                 uint64_t size)
{
    if (start > GIB_4 || size > GIB_4 - start ||
        !e820_is_ram(&boot->room, start, size))
        return boot_refuse(
            boot, "%s: 0x%llx bytes at 0x%llx are not free memory", name,
            (unsigned long long)size, (unsigned long long)start);
    if (e820_set(&boot->room, start, size, E820_RESERVED) != OK)
        return boot_refuse(boot, "%s: memory is in too many pieces", name);
    return OK;
}

err_t boot_place(struct boot *boot, const char *name,
                 const struct e820_wish *wish, gpa_t *at)
{
    uint64_t start;

    if (!e820_find(&boot->room, wish, &start))
        return boot_refuse(
            boot, "%s: no room for 0x%llx bytes in 0x%llx to 0x%llx", name,
            (unsigned long long)wish->size, (unsigned long long)wish->from,
            (unsigned long long)wish->to);
    *at = gpa(start);
    return boot_claim(boot, name, start, wish->size);
}

err_t boot_place_low(struct boot *boot, const char *name, uint64_t size,
                     gpa_t *at)
{
    struct e820_wish wish = {.size = size,
                             .align = size < PAGE_SIZE ? 16 : PAGE_SIZE,
                             .to = E820_LOW_END,
                             .highest = true};

    return boot_place(boot, name, &wish, at);
}

err_t boot_place_text(struct boot *boot, const char *name, const char *text,
                      gpa_t *at)
{
    *at = gpa(0);
    return text == NULL ? OK : boot_place_low(boot, name, strlen(text) + 1, at);
}

err_t boot_place_modules(struct boot *boot, uint64_t from,
                         struct boot_modules *modules)
{
    err_t error = OK;

    for (unsigned i = 0; i < boot->image->module_count && error == OK; i++) {
        const struct x86_boot_file *module = &boot->image->modules[i];
        struct e820_wish wish = {.size = module->size,
                                 .align = PAGE_SIZE,
                                 .from = from,
                                 .to = GIB_4,
                                 .highest = from == 0};

        error = boot_place_text(boot, "module's command line", module->cmdline,
                                &modules->cmdline[i]);
        if (error == OK)
            error = boot_place(boot, "module", &wish, &modules->at[i]);
    }
    return error;
}

/* Writing ------------------------------------------------------------------*/

err_t boot_store(struct boot *boot, const char *name, gpa_t to,
                 const void *from, size_t size)
{
    return boot_fail(boot, name, aspace_store(boot->memory, to, from, size));
}

err_t boot_store_text(struct boot *boot, const char *name, const char *text,
                      gpa_t to)
{
    return text == NULL ? OK
                        : boot_store(boot, name, to, text, strlen(text) + 1);
}

err_t boot_store_file(struct boot *boot, const char *name, gpa_t to,
                      const struct x86_boot_file *file, uint64_t offset,
                      uint64_t size)
{
    CHECK(boot_has(file, offset, size));
    return boot_fail(
        boot, name,
        aspace_load(boot->memory, to, hpa_add(file->data, offset), size));
}

err_t boot_clear(struct boot *boot, const char *name, gpa_t start,
                 uint64_t size)
{
    return boot_fail(boot, name, aspace_clear(boot->memory, start, size));
}

err_t boot_store_modules(struct boot *boot, const struct boot_modules *modules)
{
    err_t error = OK;

    for (unsigned i = 0; i < boot->image->module_count && error == OK; i++) {
        const struct x86_boot_file *module = &boot->image->modules[i];

        error = boot_store_text(boot, "module's command line", module->cmdline,
                                modules->cmdline[i]);
        if (error == OK)
            error = boot_store_file(boot, "module", modules->at[i], module, 0,
                                    module->size);
    }
    return error;
}

err_t boot_place_gdt(struct boot *boot, gpa_t *at)
{
    return boot_place_low(boot, "GDT", X86_ENTRY_GDT_ENTRIES * sizeof(uint64_t),
                          at);
}

err_t boot_store_gdt(struct boot *boot, gpa_t at)
{
    uint64_t gdt[X86_ENTRY_GDT_ENTRIES];

    x86_entry_set_gdt(boot->entry, at, gdt);
    return boot_store(boot, "GDT", at, gdt, sizeof(gdt));
}

err_t x86_boot_load(enum x86_boot_protocol protocol,
                    const struct x86_boot_image *image,
                    const struct x86_boot_machine *machine,
                    struct aspace *memory, struct x86_entry *entry, char *what)
{
    struct boot boot = {image, machine, memory, entry, what, *machine->map};

    CHECK(image->module_count <= X86_BOOT_MAX_MODULES);
    if (image->kernel.size == 0)
        return boot_refuse(&boot, "kernel: the file is empty");
    /* Address 0 says that there is none, and the page belongs to interrupt
     * vectors and the firmware's data. */
    if (e820_set(&boot.room, 0, PAGE_SIZE, E820_RESERVED) != OK)
        return boot_refuse(&boot, "memory is in too many pieces");
    return protocols[protocol].load(&boot);
}
