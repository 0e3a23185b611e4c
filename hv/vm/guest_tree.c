/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree that a guest boots with, made from the VM's configuration
 * and what its devices and vCPUs say of themselves. Devicetree Specification
 * 0.4; the nodes of the vCPUs are the architecture's.
 */
#include <libfdt.h>

#include "device/parse.h"
#include "lib/format.h"
#include "lib/string.h"
#include "vm/internal.h"

/* A tree being written: the first error stands, and ends the writing. */
struct tree {
    void *fdt;
    int error;
};

static void begin(struct tree *tree, const char *name)
{
    if (tree->error == 0)
        tree->error = fdt_begin_node(tree->fdt, name);
}

static void end(struct tree *tree)
{
    if (tree->error == 0)
        tree->error = fdt_end_node(tree->fdt);
}

static void put_u32(struct tree *tree, const char *name, uint32_t value)
{
    if (tree->error == 0)
        tree->error = fdt_property_u32(tree->fdt, name, value);
}

static void put_u64(struct tree *tree, const char *name, uint64_t value)
{
    if (tree->error == 0)
        tree->error = fdt_property_u64(tree->fdt, name, value);
}

static void put_string(struct tree *tree, const char *name, const char *text)
{
    if (tree->error == 0)
        tree->error =
            fdt_property(tree->fdt, name, text, (int)strlen(text) + 1);
}

static void put_flag(struct tree *tree, const char *name)
{
    if (tree->error == 0)
        tree->error = fdt_property(tree->fdt, name, NULL, 0);
}

static void put_reg(struct tree *tree, uint64_t base, uint64_t size)
{
    fdt64_t cells[] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};

    if (tree->error == 0)
        tree->error = fdt_property(tree->fdt, "reg", cells, sizeof(cells));
}

static void put_cell_sizes(struct tree *tree, uint32_t address, uint32_t size)
{
    put_u32(tree, "#address-cells", address);
    put_u32(tree, "#size-cells", size);
}

static void write_chosen(struct tree *tree, const struct vm *vm)
{
    begin(tree, "chosen");
    put_string(tree, "bootargs", vm->config.cmdline);
    if (vm->initrd_end.raw != 0) {
        put_u64(tree, "linux,initrd-start", vm->initrd_start.raw);
        put_u64(tree, "linux,initrd-end", vm->initrd_end.raw);
    }
    if (vm->console->device != NULL) {
        char path[64];
        (void)format_text(path, sizeof(path), "/soc/%s",
                          vm->console->device->name);
        put_string(tree, "stdout-path", path);
    }
    end(tree);
}

static void write_memory(struct tree *tree, const struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.memory_count; i++) {
        const struct vm_memory *memory = &vm->config.memory[i];
        char name[32];

        /* What the guest may not write is no memory to it. */
        if (!(memory->flags & MEM_WRITE))
            continue;
        (void)format_text(name, sizeof(name), "memory@%llx",
                          (unsigned long long)memory->base.raw);
        begin(tree, name);
        put_string(tree, "device_type", "memory");
        put_reg(tree, memory->base.raw, memory->size);
        end(tree);
    }
}

static void write_cpus(struct tree *tree, const struct vm *vm)
{
    begin(tree, "cpus");
    put_cell_sizes(tree, 1, 0);
    if (tree->error == 0)
        tree->error = vm->arch->describe_cpus(vm->vcpus[0], tree->fdt);
    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        char name[16];

        (void)format_text(name, sizeof(name), "cpu@%llx",
                          (unsigned long long)vm->vcpus[i]->config.hw_id);
        begin(tree, name);
        if (tree->error == 0)
            tree->error = vm->arch->describe_cpu(vm->vcpus[i], tree->fdt);
        end(tree);
    }
    end(tree);
}

static void write_soc(struct tree *tree, const struct vm *vm)
{
    begin(tree, "soc");
    put_string(tree, "compatible", "simple-bus");
    put_cell_sizes(tree, 2, 2);
    put_flag(tree, "ranges");
    for (unsigned i = 0; i < vm->devices.count && tree->error == 0; i++)
        tree->error = device_describe(vm->devices.devices[i], tree->fdt);
    end(tree);
}

err_t vm_write_guest_tree(const struct vm *vm, void *buffer, size_t size,
                          size_t *used)
{
    struct tree tree = {buffer, fdt_create(buffer, (int)size)};

    if (tree.error == 0)
        tree.error = fdt_finish_reservemap(buffer);
    begin(&tree, "");
    put_cell_sizes(&tree, 2, 2);
    put_string(&tree, "compatible", "twinax,vm");
    put_string(&tree, "model", vm->config.name);
    write_chosen(&tree, vm);
    write_memory(&tree, vm);
    write_cpus(&tree, vm);
    write_soc(&tree, vm);
    end(&tree);
    if (tree.error == 0)
        tree.error = fdt_finish(buffer);
    if (tree.error != 0)
        return tree.error == -FDT_ERR_NOSPACE ? ERR_NO_MEMORY
                                              : ERR_INVALID_INPUT;
    *used = fdt_totalsize(buffer);
    return OK;
}
