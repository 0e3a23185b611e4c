/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of a configuration that the tables of bundle_rules.c cannot make:
 * overlap, identifiers used twice, images outside memory.
 */
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/boot/boot.h"
#include "device/bus.h"
#include "sim/bundle.h"
#include "sim/bundle_check.h"
#include "vm/vm.h"
#include "vmm/vmm.h"

#define DISK_SERIAL 20 /* virtio 1.2, 5.2.6: a device ID has 20 bytes */
#define DISK_SECTOR 512
#define MAX_EXTENTS (VM_MAX_MEMORY + BUS_MAX_RANGES)

struct extent {
    int node;
    uint64_t base, size;
    bool is_memory;
    bool is_ports; /* in an address space of their own */
};

struct extents {
    unsigned count;
    struct extent all[MAX_EXTENTS];
};

static struct extent read_extent(const struct check *check, int node)
{
    const fdt64_t *reg = fdt_getprop(check->fdt, node, "reg", NULL);

    return (struct extent){.node = node,
                           .base = fdt64_ld(reg),
                           .size = fdt64_ld(reg + 1),
                           .is_memory = bundle_has_name(check, node, "memory"),
                           .is_ports = bundle_is_at_ports(check, node)};
}

static bool has(const struct check *check, int node, const char *name)
{
    return fdt_getprop(check->fdt, node, name, NULL) != NULL;
}

/* Where there is no `reg`, the model has its own place, and the hypervisor
 * will find what is in its way. */
static err_t add_extent(const struct check *check, struct extents *extents,
                        int node)
{
    struct extent new;

    if (!has(check, node, "reg"))
        return OK;
    new = read_extent(check, node);

    if (new.size == 0 || new.base + new.size - 1 < new.base)
        return bundle_refuse(check, node,
                             "reg: it is empty or leaves the address"
                             " space");
    if (new.is_memory && !is_aligned(new.base | new.size, PAGE_SIZE))
        return bundle_refuse(check, node,
                             "reg: address and size must be multiples of"
                             " 4096");
    for (unsigned i = 0; i < extents->count; i++) {
        const struct extent *old = &extents->all[i];

        if (new.is_ports ==
                old->is_ports &&new.base <= old->base + (old->size - 1) &&
            old->base <= new.base + (new.size - 1))
            return bundle_refuse(check, node,
                                 "reg: it overlaps with that of %s",
                                 fdt_get_name(check->fdt, old->node, NULL));
    }
    extents->all[extents->count++] = new;
    return OK;
}

static err_t check_memory(const struct check *check, int vm,
                          struct extents *extents)
{
    int node;

    fdt_for_each_subnode(node, check->fdt, vm)
    {
        err_t error;

        if (!bundle_has_name(check, node, "memory"))
            continue;
        if (has(check, node, "lazy") && has(check, node, "populate"))
            return bundle_refuse(check, node, "lazy: it contradicts populate");
        error = add_extent(check, extents, node);
        if (error != OK)
            return error;
    }
    return OK;
}

/* No other device before `node` has the same `interrupts`. */
static err_t check_interrupt(const struct check *check, int devices, int node)
{
    const fdt32_t *irq = fdt_getprop(check->fdt, node, "interrupts", NULL);
    int other;

    if (irq == NULL)
        return OK;
    if (*irq == 0)
        return bundle_refuse(check, node,
                             "interrupts: inputs are numbered from 1");
    fdt_for_each_subnode(other, check->fdt, devices)
    {
        const fdt32_t *taken =
            fdt_getprop(check->fdt, other, "interrupts", NULL);
        if (other == node)
            return OK;
        if (taken != NULL && *taken == *irq)
            return bundle_refuse(check, node, "interrupts: %u is that of %s",
                                 fdt32_ld(irq),
                                 fdt_get_name(check->fdt, other, NULL));
    }
    return OK;
}

static err_t check_disk(const struct check *check, int node)
{
    const char *serial = fdt_getprop(check->fdt, node, "serial", NULL);

    if (has(check, node, "file") == has(check, node, "size"))
        return bundle_refuse(check, node, "file, size: a disk has one of them");
    if (serial != NULL && strlen(serial) > DISK_SERIAL)
        return bundle_refuse(
            check, node, "serial: it has more than %d characters", DISK_SERIAL);
    return OK;
}

static err_t check_device(const struct check *check, int devices, int node)
{
    const char *compatible = fdt_getprop(check->fdt, node, "compatible", NULL);
    err_t error;
    int behind;

    if (device_model_find(compatible) == NULL)
        return bundle_refuse(check, node, "compatible: there is no model '%s'",
                             compatible);
    error = check_interrupt(check, devices, node);
    if (error == OK && strcmp(compatible, "virtio,blk") == 0)
        error = check_disk(check, node);
    fdt_for_each_subnode(behind, check->fdt, node)
    {
        if (error == OK && has(check, behind, "compatible"))
            error = check_device(check, node, behind);
    }
    return error;
}

static err_t check_devices(const struct check *check, int vm,
                           struct extents *extents)
{
    int devices = fdt_subnode_offset(check->fdt, vm, "devices");
    int node;

    if (devices < 0)
        return OK;
    fdt_for_each_subnode(node, check->fdt, devices)
    {
        err_t error = check_device(check, devices, node);

        if (error == OK)
            error = add_extent(check, extents, node);
        if (error != OK)
            return error;
    }
    return OK;
}

static err_t check_identity(const struct check *check, int vms, int vm)
{
    const char *compatible = fdt_getprop(check->fdt, vm, "compatible", NULL);
    const char *name = fdt_getprop(check->fdt, vm, "vm-name", NULL);
    const fdt32_t *id = fdt_getprop(check->fdt, vm, "id", NULL);
    int other;

    if (strcmp(compatible, "twinax,vm") != 0)
        return bundle_refuse(check, vm, "compatible: it must be \"twinax,vm\"");
    if (name != NULL && strlen(name) >= VM_NAME_SIZE)
        return bundle_refuse(check, vm,
                             "vm-name: it has more than %d characters",
                             VM_NAME_SIZE - 1);
    if (fdt32_ld(id) >= VMM_MAX_VMS)
        return bundle_refuse(check, vm, "id: %u is not below %d", fdt32_ld(id),
                             VMM_MAX_VMS);
    fdt_for_each_subnode(other, check->fdt, vms)
    {
        if (other == vm)
            return OK;
        if (*(const fdt32_t *)fdt_getprop(check->fdt, other, "id", NULL) == *id)
            return bundle_refuse(check, vm, "id: %u is that of %s",
                                 fdt32_ld(id),
                                 fdt_get_name(check->fdt, other, NULL));
    }
    return OK;
}

static err_t check_cpus(const struct check *check, int vm)
{
    const fdt32_t *cpus = fdt_getprop(check->fdt, vm, "cpus", NULL);
    uint32_t count = cpus != NULL ? fdt32_ld(cpus) : 1;
    int size = 0;
    const fdt64_t *masks = fdt_getprop(check->fdt, vm, "affinity", &size);

    if (count < 1 || count > MAX_VCPU_NUM)
        return bundle_refuse(check, vm, "cpus: %u is not in 1 to %d", count,
                             MAX_VCPU_NUM);
    if (masks != NULL && (uint32_t)size / 8 != count)
        return bundle_refuse(check, vm, "affinity: %d masks for %u vCPUs",
                             size / 8, count);
    for (int i = 0; i < size / 8 && masks != NULL; i++) {
        if (fdt64_ld(masks + i) == 0)
            return bundle_refuse(check, vm, "affinity: vCPU %d may run nowhere",
                                 i);
    }
    return OK;
}

static err_t check_protocol(const struct check *check, int vm)
{
    const char *name = fdt_getprop(check->fdt, vm, "boot-protocol", NULL);

    if (name == NULL)
        return OK;
    for (unsigned i = 0; i < X86_BOOT_PROTOCOL_COUNT; i++) {
        if (strcmp(name, x86_boot_name((enum x86_boot_protocol)i)) == 0)
            return OK;
    }
    return bundle_refuse(check, vm, "boot-protocol: there is no '%s'", name);
}

static err_t check_vm(const struct check *check, int vms, int vm)
{
    struct extents extents = {0};
    err_t error = check_identity(check, vms, vm);

    if (error == OK)
        error = check_protocol(check, vm);
    if (error == OK)
        error = check_cpus(check, vm);
    if (error == OK)
        error = check_memory(check, vm, &extents);
    if (error == OK)
        error = check_devices(check, vm, &extents);
    return error;
}

err_t bundle_check_source(const void *fdt, char *what)
{
    const struct check check = {fdt, what};
    err_t error = bundle_check_rules(&check);
    int vms = fdt_path_offset(fdt, "/vms");
    int vm;

    if (error != OK)
        return error;
    fdt_for_each_subnode(vm, fdt, vms)
    {
        error = check_vm(&check, vms, vm);
        if (error != OK)
            return error;
    }
    return OK;
}

/*
 * Beyond the source: the hypervisor's own reader has the last word, and
 * images whose place is known must fit there.
 */

static err_t check_image(const struct check *check, int vm, const char *name,
                         const struct vm_config *config,
                         const struct vm_image *image)
{
    int node = fdt_subnode_offset(check->fdt, vm, name);

    if (image->size == 0)
        return OK;
    for (uint32_t i = 0; i < config->memory_count; i++) {
        const struct vm_memory *memory = &config->memory[i];
        uint64_t offset = image->load.raw - memory->base.raw;

        if (!image->has_load && i == 0 && image->size <= memory->size)
            return OK;
        if (image->has_load && image->load.raw >= memory->base.raw &&
            offset < memory->size && image->size <= memory->size - offset)
            return OK;
    }
    if (image->has_load)
        return bundle_refuse(check, node,
                             "load-address: %" PRIu64 " bytes at 0x%" PRIx64
                             " are not inside memory",
                             image->size, image->load.raw);
    return bundle_refuse(
        check, node, "file: its %" PRIu64 " bytes do not fit into main memory",
        image->size);
}

/* A disk's file is whole sectors. */
static err_t check_disk_files(const struct check *check, int devices)
{
    int node;

    fdt_for_each_subnode(node, check->fdt, devices)
    {
        const char *compatible =
            fdt_getprop(check->fdt, node, "compatible", NULL);
        const fdt64_t *size = fdt_getprop(check->fdt, node, "data-size", NULL);
        err_t error;

        if (compatible == NULL)
            continue;
        if (size != NULL && fdt64_ld(size) % DISK_SECTOR != 0)
            return bundle_refuse(check, node,
                                 "file: its %" PRIu64
                                 " bytes are not a multiple of %d",
                                 fdt64_ld(size), DISK_SECTOR);
        error = check_disk_files(check, node);
        if (error != OK)
            return error;
    }
    return OK;
}

/* Firmware is a flash: it is not loaded into memory. */
static err_t check_images(const struct check *check, int vm,
                          const struct vm_config *config)
{
    const char *firmware = x86_boot_name(X86_BOOT_FIRMWARE);
    err_t error;

    if (config->protocol != NULL && strcmp(config->protocol, firmware) == 0)
        return OK;
    error = check_image(check, vm, "kernel", config, &config->kernel);
    return error == OK
               ? check_image(check, vm, "initrd", config, &config->initrd)
               : error;
}

err_t bundle_check_packed(const struct bundle *bundle, char *what)
{
    const struct check check = {bundle->bytes, what};
    uint64_t size = bundle->size - bundle->images;
    int vms = fdt_path_offset(bundle->bytes, "/vms");
    char reason[VM_REASON_SIZE] = "";
    struct vm_config config;
    int vm, devices;

    fdt_for_each_subnode(vm, check.fdt, vms)
    {
        err_t error =
            vm_config_parse(&config, check.fdt, vm, hpa(0), size, reason);

        if (error != OK)
            return bundle_refuse(&check, vm, "%s", reason);
        error = check_images(&check, vm, &config);
        devices = fdt_subnode_offset(check.fdt, vm, "devices");
        if (error == OK && devices >= 0)
            error = check_disk_files(&check, devices);
        if (error != OK)
            return error;
    }
    return OK;
}
