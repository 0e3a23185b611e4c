/* SPDX-License-Identifier: Apache-2.0 */
/* See trace_devices.h; the configuration: docs/configuration.md. */
#include "sim/trace_devices.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "sim/device_tree.h"

static uint64_t cell(const fdt32_t *cells, int at)
{
    return fdt32_to_cpu(cells[at]);
}

/* Reads `reg`, two cells of address and two of size. */
static void add_device(struct trace_devices *devices, const void *fdt, int node,
                       uint32_t vm)
{
    struct trace_device *device;
    const fdt32_t *reg;
    int size;

    reg = fdt_getprop(fdt, node, "reg", &size);
    if (reg == NULL || size != 16 || devices->count == TRACE_MAX_DEVICES)
        return;
    device = &devices->devices[devices->count++];
    *device = (struct trace_device){.vm = vm,
                                    .base = cell(reg, 0) << 32 | cell(reg, 1),
                                    .size = cell(reg, 2) << 32 | cell(reg, 3)};
    snprintf(device->name, sizeof(device->name), "%s",
             fdt_get_name(fdt, node, NULL));
}

static void add_vm(struct trace_devices *devices, const void *fdt, int node)
{
    const fdt32_t *id = fdt_getprop(fdt, node, "id", NULL);
    const char *name = fdt_getprop(fdt, node, "vm-name", NULL);
    int group = fdt_subnode_offset(fdt, node, "devices");
    int child;

    if (id == NULL || devices->vm_count == ARRAY_SIZE(devices->vms))
        return;
    devices->vms[devices->vm_count].id = fdt32_to_cpu(*id);
    snprintf(devices->vms[devices->vm_count].name, sizeof(devices->vms[0].name),
             "%s", name != NULL ? name : fdt_get_name(fdt, node, NULL));
    devices->vm_count++;
    if (group < 0)
        return;
    fdt_for_each_subnode(child, fdt, group)
        add_device(devices, fdt, child, fdt32_to_cpu(*id));
}

void trace_devices_init(struct trace_devices *devices,
                        const struct trace_start *start)
{
    const void *fdt = start->config;
    char what[TRACE_ERROR_SIZE];
    int vms, node;

    memset(devices, 0, sizeof(*devices));
    if (trace_layout_make(&devices->layout, start, what) == OK)
        devices->scratch = trace_scratch_new(&devices->layout);
    if (device_tree_check(fdt, start->numbers.config_size) != 0)
        return;
    vms = fdt_path_offset(fdt, "/vms");
    if (vms < 0)
        return;
    fdt_for_each_subnode(node, fdt, vms) add_vm(devices, fdt, node);
}

void trace_devices_fini(struct trace_devices *devices)
{
    trace_scratch_free(devices->scratch);
}

static struct trace_device *find(struct trace_devices *devices, uint32_t vm,
                                 uint64_t gpa)
{
    for (unsigned i = 0; i < devices->count; i++) {
        struct trace_device *device = &devices->devices[i];

        if (device->vm == vm && gpa - device->base < device->size)
            return device;
    }
    return NULL;
}

void trace_describe_exit(struct trace_devices *devices,
                         const struct trace_start *start,
                         const struct trace_event *event,
                         struct trace_exit *exit)
{
    struct vm_exit decoded;

    *exit = (struct trace_exit){.kind = event->exit_kind};
    if (devices->scratch == NULL)
        return;
    trace_scratch_decode(&devices->layout, devices->scratch, event, &decoded);
    (void)devices->layout.arch->instruction(devices->scratch, exit->insn,
                                            sizeof(exit->insn));
    if (decoded.kind != EXIT_NESTED_PAGE_FAULT)
        return;
    exit->has_gpa = true;
    exit->gpa = decoded.fault.gpa.raw;
    exit->is_write = (decoded.fault.access & ACCESS_WRITE) != 0;
    exit->device = find(devices, trace_name_vm(event->vcpu), exit->gpa);
}

const char *trace_vm_name(const struct trace_devices *devices, uint32_t vm,
                          char *room, size_t size)
{
    for (unsigned i = 0; i < devices->vm_count; i++) {
        if (devices->vms[i].id == vm)
            return devices->vms[i].name;
    }
    snprintf(room, size, "VM %u", vm);
    return room;
}
