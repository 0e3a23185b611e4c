/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a VM's devices from the `devices` node of its configuration. */
#include <libfdt.h>

#include "device/parse.h"
#include "lib/format.h"
#include "lib/string.h"
#include "vm/internal.h"

static void on_system_down(void *vm_object, bool reboot)
{
    struct vm *vm = vm_object;

    vm_request_stop(vm, reboot ? VM_STOP_REBOOT : VM_STOP_POWER_OFF,
                    "the guest asked for it through a device");
}

static void on_system_failed(void *vm_object, uint32_t code)
{
    vm_request_stop(vm_object, VM_STOP_FAULT, "the guest reports failure %u",
                    code);
}

/* The VM's console is that of its first device with a stream of bytes. Until
 * there is one, everybody may use it. */
static struct chardev *open_console(void *vm_object, const char *name)
{
    struct vm *vm = vm_object;

    return vm->console->device == NULL ? vm->console
                                       : vm->host->open_console(vm, name);
}

/* The region of guest memory that a range of addresses reaches into, or NULL.
 */
static const struct vm_memory *memory_under(const struct vm_config *config,
                                            const struct device_range *range)
{
    for (uint32_t i = 0; i < config->memory_count; i++) {
        const struct vm_memory *memory = &config->memory[i];

        if (range->base < memory->base.raw + memory->size &&
            memory->base.raw <= range->base + (range->size - 1))
            return memory;
    }
    return NULL;
}

/* Where there is memory, no access would ever reach the device. */
static err_t check_place(const struct vm *vm, const struct device *device,
                         char *what)
{
    for (unsigned i = 0; i < device->range_count; i++) {
        const struct device_range *range = &device->ranges[i];
        const struct vm_memory *memory =
            range->bus == BUS_MMIO ? memory_under(&vm->config, range) : NULL;

        if (memory == NULL)
            continue;
        (void)format_text(what, VM_REASON_SIZE,
                          "%s: 0x%llx bytes at 0x%llx overlap memory@%llx",
                          device->name, (unsigned long long)range->size,
                          (unsigned long long)range->base,
                          (unsigned long long)memory->base.raw);
        return ERR_ALREADY_EXISTS;
    }
    return OK;
}

static err_t add_device(struct vm *vm, struct device_context *context,
                        char *what)
{
    const char *name = fdt_get_name(context->fdt, context->node, NULL);
    const char *problem = "";
    struct device *device = NULL;
    struct device *conflict = NULL;
    err_t error;

    context->irq_chip = vm->irq_chip;
    context->console = open_console(vm, name);
    if (context->console == NULL)
        return ERR_NO_MEMORY;
    error = device_from_node(context, &device, &problem);
    if (error != OK) {
        (void)format_text(what, VM_REASON_SIZE, "%s: %s: %s", name, problem,
                          error_text(error));
        return error;
    }
    error = check_place(vm, device, what);
    if (error != OK)
        return error;
    error = device_set_add(&vm->devices, device, &conflict);
    if (error != OK) {
        (void)format_text(what, VM_REASON_SIZE, "%s: %s (%s)", name,
                          error_text(error),
                          conflict != NULL ? conflict->name : "reg");
        return error;
    }
    if (device->model->is_irq_chip && vm->irq_chip == NULL) {
        vm->irq_chip = device->model->irq_chip(device);
        context->msi = device->model->msi;
        context->msi_context = device;
    }
    return OK;
}

/* Whether `node` is made in this pass: controllers come before what they
 * serve. */
static bool in_pass(const void *fdt, int node, bool irq_chips)
{
    const char *compatible = fdt_getprop(fdt, node, "compatible", NULL);
    const struct device_model *model =
        compatible != NULL ? device_model_find(compatible) : NULL;

    return irq_chips == (model != NULL && model->is_irq_chip);
}

static unsigned list_ram(const struct vm_config *config,
                         struct device_ram ram[VM_MAX_MEMORY])
{
    unsigned count = 0;

    for (uint32_t i = 0; i < config->memory_count; i++) {
        const struct vm_memory *memory = &config->memory[i];

        if (memory->flags & MEM_WRITE)
            ram[count++] = (struct device_ram){memory->base.raw, memory->size};
    }
    return count;
}

err_t vm_make_devices(struct vm *vm, char *what)
{
    struct device_ram ram[VM_MAX_MEMORY];
    const void *fdt = vm->config.fdt;
    int devices = fdt_subnode_offset(fdt, vm->config.node, "devices");
    struct device_context context = {
        .arena = &vm->arena,
        .memory = &vm->aspace,
        .ram = ram,
        .ram_count = list_ram(&vm->config, ram),
        .open_console = open_console,
        .vm = vm->config.id,
        .vcpu_count = vm->config.cpu_num,
        .fdt = fdt,
        .images = vm->config.images,
        .images_size = vm->config.images_size,
        .system_down = on_system_down,
        .system_failed = on_system_failed,
        .vm_object = vm,
        .external_vector = vm->arch->external_vector,
    };

    if (devices < 0)
        return OK;
    for (int pass = 0; pass < 2; pass++) {
        fdt_for_each_subnode(context.node, fdt, devices)
        {
            err_t error;

            if (!in_pass(fdt, context.node, pass == 0))
                continue;
            error = add_device(vm, &context, what);
            if (error != OK)
                return error;
        }
    }
    return OK;
}
