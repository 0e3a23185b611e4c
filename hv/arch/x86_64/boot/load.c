/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boots a VM: makes the memory map and the ACPI tables of what the VM has, and
 * lets the boot protocol do the rest.
 */
#include "arch/x86_64/boot/load.h"

#include "addrspace/aspace.h"
#include "api/memory.h"
#include "arch/x86_64/boot/acpi.h"
#include "arch/x86_64/boot/boot.h"
#include "arch/x86_64/hw.h"
#include "device/pc/fw_cfg.h"
#include "lib/format.h"
#include "lib/string.h"
#include "memory/arena.h"
#include "vcpu/vcpu.h"

_Static_assert(VM_REASON_SIZE == X86_BOOT_WHAT_SIZE, "one message for both");
_Static_assert(MAX_VCPU_NUM <= ACPI_MAX_CPUS, "every vCPU has its entry");

#define ACPI_BASE   gpa(E820_FIRMWARE_START)
#define ACPI_FRAMES 8

static err_t PRINTF_LIKE(2, 3) refuse(char *what, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)format_args(what, VM_REASON_SIZE, format, args);
    va_end(args);
    return ERR_INVALID_INPUT;
}

static err_t find_protocol(const char *name, enum x86_boot_protocol *protocol,
                           char *what)
{
    *protocol = X86_BOOT_LINUX;
    if (name == NULL)
        return OK;
    for (unsigned i = 0; i < X86_BOOT_PROTOCOL_COUNT; i++) {
        *protocol = (enum x86_boot_protocol)i;
        if (strcmp(x86_boot_name(*protocol), name) == 0)
            return OK;
    }
    return refuse(what, "boot-protocol: there is no '%s'", name);
}

/* Images ------------------------------------------------------------------*/

static err_t take_file(const char *name, const struct vm_image *image,
                       struct x86_boot_file *file, char *what)
{
    if (image->has_load)
        return refuse(what, "%s: load-address: the boot protocol chooses",
                      name);
    *file = (struct x86_boot_file){image->data, image->size, image->cmdline};
    return OK;
}

static err_t take_module(struct x86_boot_image *to, const char *name,
                         const struct vm_image *module, char *what)
{
    if (to->module_count == X86_BOOT_MAX_MODULES)
        return refuse(what, "%s: more than %d modules", name,
                      X86_BOOT_MAX_MODULES);
    return take_file(name, module, &to->modules[to->module_count++], what);
}

/* The initrd is the first module. */
static err_t take_images(const struct vm_boot *boot, struct x86_boot_image *to,
                         char *what)
{
    err_t error = take_file("kernel", boot->kernel, &to->kernel, what);

    to->kernel.cmdline = boot->cmdline[0] != '\0' ? boot->cmdline : NULL;
    if (error == OK && boot->initrd->size != 0)
        error = take_module(to, "initrd", boot->initrd, what);
    for (unsigned i = 0; i < boot->module_count && error == OK; i++)
        error = take_module(to, "module", &boot->modules[i], what);
    return error;
}

/* Memory -------------------------------------------------------------------*/

#define MOST_RANGES 16

static err_t make_map(const struct vm_boot *boot, struct e820 *map, char *what)
{
    struct e820_entry ranges[MOST_RANGES];

    if (boot->memory_count > MOST_RANGES)
        return refuse(what, "memory: more than %d regions", MOST_RANGES);
    for (unsigned i = 0; i < boot->memory_count; i++) {
        const struct vm_memory *memory = &boot->memory[i];

        /* What the guest may not write is no memory to it. */
        ranges[i] = (struct e820_entry){
            memory->base.raw, memory->size,
            (memory->flags & MEM_WRITE) != 0 ? E820_RAM : E820_RESERVED};
    }
    return e820_build(map, ranges, boot->memory_count);
}

/* ACPI ---------------------------------------------------------------------*/

/* False: it lacks what the tables cannot do without. */
static bool describe(const struct vm_boot *boot,
                     uint32_t apic_ids[MAX_VCPU_NUM],
                     struct acpi_machine *machine)
{
    *machine = (struct acpi_machine){.cpu_count = boot->vcpu_count,
                                     .apic_ids = apic_ids};
    for (unsigned i = 0; i < boot->vcpu_count; i++)
        apic_ids[i] = (uint32_t)boot->vcpus[i]->config.hw_id;
    for (unsigned i = 0; i < boot->device_count; i++) {
        const struct device *device = boot->devices[i];

        if (device->model->describe_acpi != NULL)
            device->model->describe_acpi(device, machine);
    }
    return machine->lapic_base != 0 && machine->ioapic_base != 0 &&
           machine->pm_event != 0;
}

/* Makes the tables in a buffer of this size, and hands them over: to memory,
 * or to fw_cfg. */
#define ACPI_SIZE (ACPI_FRAMES * PAGE_SIZE)
typedef err_t (*acpi_writer)(const struct vm_boot *boot,
                             const struct acpi_machine *machine, void *buffer);

static err_t write_acpi(const struct vm_boot *boot, acpi_writer writer,
                        const struct acpi_machine *machine, char *what)
{
    hpa_t buffer = memory_alloc_contiguous(ACPI_FRAMES, PAGE_SIZE);
    err_t error = ERR_NO_MEMORY;

    if (!hpa_is_none(buffer)) {
        error = writer(boot, machine, memory_phys_to_virt(buffer));
        memory_free_contiguous(buffer, ACPI_FRAMES);
    }
    if (error != OK)
        (void)refuse(what, "ACPI tables: %s", error_text(error));
    return error;
}

static err_t write_to_memory(const struct vm_boot *boot,
                             const struct acpi_machine *machine, void *buffer)
{
    size_t used = 0;
    err_t error = acpi_build(machine, ACPI_BASE, buffer, ACPI_SIZE, &used);

    return error == OK ? aspace_store(boot->aspace, ACPI_BASE, buffer, used)
                       : error;
}

/* Files stay for the VM's life. */
static err_t write_to_fw_cfg(const struct vm_boot *boot,
                             const struct acpi_machine *machine, void *buffer)
{
    struct device *fw_cfg = fw_cfg_find(boot->devices, boot->device_count);
    struct acpi_files files;
    err_t error = acpi_build_files(machine, buffer, ACPI_SIZE, &files);
    size_t size = error == OK ? files.script.at + files.script.size : 0;
    uint8_t *kept = error == OK ? arena_alloc(boot->arena, size, 1) : NULL;

    if (error == OK && kept == NULL)
        error = ERR_NO_MEMORY;
    if (error != OK)
        return error;
    memcpy(kept, buffer, size);
    error = fw_cfg_add_file(fw_cfg, ACPI_FILE_RSDP, kept + files.rsdp.at,
                            (uint32_t)files.rsdp.size);
    if (error == OK)
        error =
            fw_cfg_add_file(fw_cfg, ACPI_FILE_TABLES, kept + files.tables.at,
                            (uint32_t)files.tables.size);
    if (error == OK)
        error =
            fw_cfg_add_file(fw_cfg, ACPI_FILE_SCRIPT, kept + files.script.at,
                            (uint32_t)files.script.size);
    return error;
}

/* Whether the map has a place for what firmware leaves below 1 MiB. */
static bool has_firmware_area(const struct e820 *map)
{
    for (unsigned i = 0; i < map->count; i++) {
        if (map->entries[i].start == E820_FIRMWARE_START)
            return map->entries[i].type == E820_RESERVED;
    }
    return false;
}

/* `*rsdp` is 0 when there are no tables. */
static err_t make_acpi(const struct vm_boot *boot, const struct e820 *map,
                       gpa_t *rsdp, char *what)
{
    uint32_t apic_ids[MAX_VCPU_NUM];
    struct acpi_machine machine;

    *rsdp = gpa(0);
    if (!describe(boot, apic_ids, &machine) || !has_firmware_area(map))
        return OK;
    *rsdp = ACPI_BASE;
    return write_acpi(boot, write_to_memory, &machine, what);
}

/* For firmware, once in the VM's life, unless the configuration has files of
 * that name. */
static err_t offer_acpi(const struct vm_boot *boot, char *what)
{
    struct device *fw_cfg = fw_cfg_find(boot->devices, boot->device_count);
    uint32_t apic_ids[MAX_VCPU_NUM];
    struct acpi_machine machine;

    if (fw_cfg == NULL || fw_cfg_has_file(fw_cfg, ACPI_FILE_SCRIPT) ||
        !describe(boot, apic_ids, &machine))
        return OK;
    return write_acpi(boot, write_to_fw_cfg, &machine, what);
}

static uint32_t processor_signature(void)
{
    struct x86_cpuid cpuid;

    x86_hw_cpuid(X86_CPUID_FEATURES, 0, &cpuid);
    return cpuid.eax;
}

err_t x86_boot_vm(const struct vm_boot *boot, void *state, char *what)
{
    struct x86_boot_image image = {.module_count = 0};
    struct x86_boot_machine machine = {.signature = processor_signature()};
    enum x86_boot_protocol protocol;
    struct e820 map;
    err_t error = find_protocol(boot->protocol, &protocol, what);

    machine.map = &map;
    if (error == OK)
        error = take_images(boot, &image, what);
    if (error == OK)
        error = make_map(boot, &map, what);
    if (error == OK)
        error = protocol == X86_BOOT_FIRMWARE
                    ? offer_acpi(boot, what)
                    : make_acpi(boot, &map, &machine.rsdp, what);
    if (error != OK)
        return error;
    return x86_boot_load(protocol, &image, &machine, boot->aspace, state, what);
}
