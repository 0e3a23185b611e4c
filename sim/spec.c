/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual machines as a C structure: see spec.h. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/bits.h"
#include "lib/compiler.h"
#include "sim/spec.h"

#define TREE_SIZE (UINT64_C(64) << 10)

/* Short names of device models. */
static const struct {
    const char *name, *compatible;
    uint64_t size;
} models[] = {
    {"plic", "sifive,plic-1.0.0", 0x4000000},
    {"uart", "ns16550a", 0x100},
    {"disk", "virtio,blk", 0x1000},
    {"vconsole", "virtio,console", 0x1000},
    {"rng", "virtio,rng", 0x1000},
    {"finisher", "sifive,test1", 0x1000},
    {"lapic", "intel,lapic", 0},
    {"ioapic", "intel,ioapic", 0},
    {"pic", "intel,i8259", 0},
    {"pit", "intel,i8254", 0},
    {"rtc", "motorola,mc146818", 0},
    {"i8042", "intel,i8042", 0},
    {"acpi-pm", "acpi-pm", 0},
    {"debug-console", "bochs,debug-console", 1},
    {"debug-exit", "qemu,debug-exit", 4},
    {"fw-cfg", "qemu,fw-cfg", 0},
    {"pci", "intel,82441fx", 0x20000000},
};

const char *spec_device_model(const char *name, uint64_t *size)
{
    for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
        if (strcmp(models[i].name, name) == 0) {
            *size = models[i].size;
            return models[i].compatible;
        }
    }
    return NULL;
}

/* A tree being written: the first error stays. */
struct writer {
    uint8_t *fdt;
    int error;
};

static void keep(struct writer *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
}

static void begin(struct writer *writer, const char *name)
{
    keep(writer, fdt_begin_node(writer->fdt, name));
}

static void begin_at(struct writer *writer, const char *name, uint64_t address)
{
    char full[64];

    snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)address);
    begin(writer, full);
}

static void end(struct writer *writer)
{
    keep(writer, fdt_end_node(writer->fdt));
}

static void put_u32(struct writer *writer, const char *name, uint32_t value)
{
    keep(writer, fdt_property_u32(writer->fdt, name, value));
}

static void put_u64(struct writer *writer, const char *name, uint64_t value)
{
    keep(writer, fdt_property_u64(writer->fdt, name, value));
}

static void put_string(struct writer *writer, const char *name,
                       const char *text)
{
    keep(writer, fdt_property(writer->fdt, name, text, (int)strlen(text) + 1));
}

static void put_flag(struct writer *writer, const char *name, bool set)
{
    if (set)
        keep(writer, fdt_property(writer->fdt, name, NULL, 0));
}

static void put_cells(struct writer *writer)
{
    put_u32(writer, "#address-cells", 2);
    put_u32(writer, "#size-cells", 2);
}

static void put_reg(struct writer *writer, uint64_t base, uint64_t size)
{
    fdt64_t reg[2] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};

    keep(writer, fdt_property(writer->fdt, "reg", reg, sizeof(reg)));
}

static void put_property(struct writer *writer,
                         const struct spec_property *property)
{
    switch (property->type) {
    case SPEC_FLAG: put_flag(writer, property->name, true); break;
    case SPEC_U32:
        put_u32(writer, property->name, (uint32_t)property->value);
        break;
    case SPEC_U64: put_u64(writer, property->name, property->value); break;
    case SPEC_STRING: put_string(writer, property->name, property->text); break;
    }
}

static void put_device(struct writer *writer, const struct spec_device *device)
{
    if (device->size == 0)
        begin(writer, device->compatible);
    else
        begin_at(writer, "device", device->base);
    put_string(writer, "compatible", device->compatible);
    if (device->size != 0)
        put_reg(writer, device->base, device->size);
    if (device->irq != 0)
        put_u32(writer, "interrupts", device->irq);
    for (unsigned i = 0; i < device->property_count; i++)
        put_property(writer, &device->properties[i]);
    end(writer);
}

static void put_memory(struct writer *writer, const struct spec_memory *memory)
{
    begin_at(writer, "memory", memory->base);
    put_reg(writer, memory->base, memory->size);
    put_flag(writer, "read-only", memory->read_only);
    put_flag(writer, "no-execute", memory->no_execute);
    put_flag(writer, "populate", memory->populate);
    end(writer);
}

static void put_affinity(struct writer *writer, const struct spec_vm *vm)
{
    fdt64_t masks[MAX_VCPU_NUM];
    bool any = false;

    for (uint32_t i = 0; i < vm->vcpus && i < MAX_VCPU_NUM; i++) {
        masks[i] =
            cpu_to_fdt64(vm->affinity[i] != 0 ? vm->affinity[i] : ~UINT64_C(0));
        any |= vm->affinity[i] != 0;
    }
    if (any)
        keep(writer, fdt_property(writer->fdt, "affinity", masks,
                                  (int)(vm->vcpus * sizeof(masks[0]))));
}

/* Sizes in the image area. */
static uint64_t kernel_size(const struct spec_vm *vm)
{
    return vm->kernel != NULL ? vm->kernel_size : PAGE_SIZE;
}

static uint64_t image_size(const struct spec_vm *vm)
{
    return align_up(kernel_size(vm), PAGE_SIZE) +
           align_up(vm->initrd_size, PAGE_SIZE);
}

/* `load`: where it goes; NULL: where the boot protocol says. */
static void put_image(struct writer *writer, const char *name, uint64_t offset,
                      uint64_t size, const uint64_t *load)
{
    begin(writer, name);
    put_u64(writer, "data-offset", offset);
    put_u64(writer, "data-size", size);
    if (load != NULL)
        put_u64(writer, "load-address", *load);
    end(writer);
}

static void put_vm_images(struct writer *writer, const struct spec_vm *vm,
                          uint64_t offset)
{
    put_image(writer, "kernel", offset, kernel_size(vm),
              vm->kernel_by_header ? NULL : &vm->memory[0].base);
    offset += align_up(kernel_size(vm), PAGE_SIZE);
    if (vm->initrd != NULL)
        put_image(writer, "initrd", offset, vm->initrd_size,
                  vm->initrd_load != 0 ? &vm->initrd_load : NULL);
}

static void put_vm(struct writer *writer, const struct spec_vm *vm,
                   uint64_t offset)
{
    begin_at(writer, "vm", vm->id);
    put_string(writer, "compatible", "twinax,vm");
    put_u32(writer, "id", vm->id);
    put_u32(writer, "cpus", vm->vcpus != 0 ? vm->vcpus : 1);
    put_affinity(writer, vm);
    if (vm->protocol[0] != '\0')
        put_string(writer, "boot-protocol", vm->protocol);
    put_cells(writer);
    put_flag(writer, "no-autostart", vm->no_autostart);
    put_flag(writer, "stop-on-reboot", vm->stop_on_reboot);
    put_flag(writer, "no-statistics", vm->no_statistics);
    for (unsigned i = 0; i < vm->memory_count; i++)
        put_memory(writer, &vm->memory[i]);
    put_vm_images(writer, vm, offset);
    begin(writer, "devices");
    put_cells(writer);
    for (unsigned i = 0; i < vm->device_count; i++)
        put_device(writer, &vm->devices[i]);
    end(writer);
    end(writer);
}

static void put_tree(struct writer *writer, const struct machine_spec *spec)
{
    uint64_t offset = 0;

    /* Looking for names that are there already takes longer than all else. */
    keep(writer, fdt_create_with_flags(writer->fdt, (int)TREE_SIZE,
                                       FDT_CREATE_FLAG_NO_NAME_DEDUP));
    keep(writer, fdt_finish_reservemap(writer->fdt));
    begin(writer, "");
    begin(writer, "vms");
    for (unsigned i = 0; i < spec->vm_count; i++) {
        put_vm(writer, &spec->vms[i], offset);
        offset += image_size(&spec->vms[i]);
    }
    end(writer);
    end(writer);
    keep(writer, fdt_finish(writer->fdt));
}

static void put_images(uint8_t *images, const struct machine_spec *spec)
{
    for (unsigned i = 0; i < spec->vm_count; i++) {
        const struct spec_vm *vm = &spec->vms[i];

        if (vm->kernel != NULL)
            memcpy(images, vm->kernel, vm->kernel_size);
        if (vm->initrd != NULL)
            memcpy(images + align_up(kernel_size(vm), PAGE_SIZE), vm->initrd,
                   vm->initrd_size);
        images += image_size(vm);
    }
}

static err_t build(const struct machine_spec *spec, struct bundle *bundle)
{
    uint64_t images = 0;
    struct writer writer;

    for (unsigned i = 0; i < spec->vm_count; i++)
        images += image_size(&spec->vms[i]);
    writer = (struct writer){.fdt = calloc(1, TREE_SIZE + images)};
    if (writer.fdt == NULL)
        return ERR_NO_MEMORY;
    put_tree(&writer, spec);
    if (writer.error != 0) {
        free(writer.fdt);
        return ERR_OUT_OF_RANGE;
    }
    put_images(writer.fdt + TREE_SIZE, spec);
    *bundle = (struct bundle){
        .bytes = writer.fdt, .size = TREE_SIZE + images, .images = TREE_SIZE};
    return OK;
}

err_t spec_build(const struct machine_spec *spec, struct bundle *bundle)
{
    const struct sim_arch *arch =
        spec->arch != NULL ? spec->arch : sim_archs[0];
    struct machine_spec *complete;
    err_t error;

    if (arch->complete_vm == NULL)
        return build(spec, bundle);
    complete = malloc(sizeof(*complete));
    if (complete == NULL)
        return ERR_NO_MEMORY;
    *complete = *spec;
    for (unsigned i = 0; i < complete->vm_count; i++)
        arch->complete_vm(&complete->vms[i]);
    error = build(complete, bundle);
    free(complete);
    return error;
}

bool spec_add_device(struct spec_vm *vm, const char *name, uint64_t base,
                     uint32_t irq)
{
    struct spec_device *device;
    const char *compatible;
    uint64_t size;

    compatible = spec_device_model(name, &size);
    if (compatible == NULL || vm->device_count == SPEC_MAX_DEVICES)
        return false;
    device = &vm->devices[vm->device_count++];
    *device = (struct spec_device){.base = base, .size = size, .irq = irq};
    memcpy(device->compatible, compatible, strlen(compatible) + 1);
    return true;
}

void spec_init_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus)
{
    memset(vm, 0, offsetof(struct spec_vm, devices));
    vm->id = id;
    vm->vcpus = vcpus;
}

void spec_usual_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus)
{
    spec_init_vm(vm, id, vcpus);
    vm->memory[vm->memory_count++] =
        (struct spec_memory){.base = SPEC_MEMORY, .size = UINT64_C(4) << 20};
    (void)spec_add_device(vm, "plic", SPEC_PLIC, 0);
    (void)spec_add_device(vm, "uart", SPEC_UART, SPEC_UART_IRQ);
    (void)spec_add_device(vm, "disk", SPEC_VIRTIO, SPEC_VIRTIO_IRQ);
    vm->devices[vm->device_count - 1].properties[0] = (struct spec_property){
        .name = "size", .type = SPEC_U64, .value = UINT64_C(64) << 10};
    vm->devices[vm->device_count - 1].property_count = 1;
    (void)spec_add_device(vm, "finisher", SPEC_FINISHER, 0);
}
