/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the images of a VM into its memory: as the architecture does it, or, if
 * that has no protocols of its own, with a device tree. Then all go to the
 * first memory region: the kernel where its header says, the device tree at the
 * end, the initrd below it; a kernel keeps all the room above itself that way.
 */
#include "api/memory.h"
#include "lib/format.h"
#include "vm/internal.h"

static err_t PRINTF_LIKE(2, 3) refuse(char *what, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)format_args(what, VM_REASON_SIZE, format, args);
    va_end(args);
    return ERR_INVALID_INPUT;
}

static err_t load_image(struct vm *vm, const char *name,
                        const struct vm_image *image, gpa_t to, char *what)
{
    err_t error = aspace_load(&vm->aspace, to, image->data, image->size);

    if (error != OK)
        (void)refuse(what, "%s: 0x%llx bytes at 0x%llx: %s", name,
                     (unsigned long long)image->size,
                     (unsigned long long)to.raw, error_text(error));
    return error;
}

static err_t load_kernel(struct vm *vm, char *what)
{
    const struct vm_image *kernel = &vm->config.kernel;
    uint8_t header[VCPU_KERNEL_HEADER] = {0};
    size_t size =
        kernel->size < sizeof(header) ? (size_t)kernel->size : sizeof(header);

    if (kernel->has_load) {
        vm->entry = kernel->load;
    } else {
        (void)memory_read_guest(kernel->data, header, size);
        vm->entry = vm->arch->place_kernel(header, vm->config.memory[0].base);
    }
    return load_image(vm, "kernel", kernel, vm->entry, what);
}

static err_t load_initrd(struct vm *vm, gpa_t below, char *what)
{
    const struct vm_image *initrd = &vm->config.initrd;
    uint64_t base = vm->config.memory[0].base.raw;

    vm->initrd_start = vm->initrd_end = gpa(0);
    if (initrd->size == 0)
        return OK;
    if (!initrd->has_load && initrd->size > below.raw - base)
        return refuse(what, "initrd: 0x%llx bytes do not fit below 0x%llx",
                      (unsigned long long)initrd->size,
                      (unsigned long long)below.raw);
    vm->initrd_start =
        initrd->has_load ? initrd->load
                         : gpa(align_down(below.raw - initrd->size, PAGE_SIZE));
    vm->initrd_end = gpa_add(vm->initrd_start, initrd->size);
    return load_image(vm, "initrd", initrd, vm->initrd_start, what);
}

static err_t load_tree(struct vm *vm, char *what)
{
    hpa_t buffer = memory_alloc_contiguous(VM_TREE_SIZE / PAGE_SIZE, PAGE_SIZE);
    size_t size = 0;
    err_t error;

    if (hpa_is_none(buffer)) {
        (void)refuse(what, "device tree: out of memory");
        return ERR_NO_MEMORY;
    }
    error = vm_write_guest_tree(vm, memory_phys_to_virt(buffer), VM_TREE_SIZE,
                                &size);
    if (error == OK)
        error = aspace_store(&vm->aspace, vm->boot_arg,
                             memory_phys_to_virt(buffer), size);
    memory_free_contiguous(buffer, VM_TREE_SIZE / PAGE_SIZE);
    if (error != OK)
        (void)refuse(what, "device tree: %s", error_text(error));
    return error;
}

static bool overlap(gpa_t a, uint64_t a_size, gpa_t b, uint64_t b_size)
{
    return a.raw < b.raw + b_size && b.raw < a.raw + a_size;
}

/* Nothing that was loaded has overwritten another thing, or will be. */
static err_t check_apart(const struct vm *vm, char *what)
{
    uint64_t kernel = vm->config.kernel.size;
    uint64_t initrd = vm->config.initrd.size;

    if (overlap(vm->entry, kernel, vm->initrd_start, initrd))
        return refuse(what, "initrd: it overlaps the kernel at 0x%llx",
                      (unsigned long long)vm->entry.raw);
    if (overlap(vm->entry, kernel, vm->boot_arg, VM_TREE_SIZE) ||
        overlap(vm->initrd_start, initrd, vm->boot_arg, VM_TREE_SIZE))
        return refuse(what,
                      "memory: no room for the device tree at 0x%llx beside"
                      " the images",
                      (unsigned long long)vm->boot_arg.raw);
    return OK;
}

static err_t load_with_tree(struct vm *vm, char *what)
{
    const struct vm_memory *memory = &vm->config.memory[0];
    err_t error;

    if (vm->config.protocol != NULL)
        return refuse(what, "boot-protocol: %s has one only", vm->arch->name);
    if (vm->config.module_count != 0)
        return refuse(what, "module: %s has none", vm->arch->name);
    if (memory->size < 2 * VM_TREE_SIZE)
        return refuse(what, "memory: 0x%llx bytes do not hold a guest",
                      (unsigned long long)memory->size);
    /* So aligned, it lies in one 2 MiB page: all that Linux maps at first. */
    vm->boot_arg = gpa(align_down(
        memory->base.raw + memory->size - VM_TREE_SIZE, VM_TREE_SIZE));
    error = load_kernel(vm, what);
    if (error == OK)
        error = load_initrd(vm, vm->boot_arg, what);
    if (error == OK)
        error = check_apart(vm, what);
    if (error == OK)
        error = load_tree(vm, what);
    return error;
}

err_t vm_load_images(struct vm *vm, char *what)
{
    const struct vm_config *config = &vm->config;
    const struct vm_boot boot = {
        .protocol = config->protocol,
        .kernel = &config->kernel,
        .initrd = &config->initrd,
        .modules = config->modules,
        .module_count = config->module_count,
        .cmdline = config->cmdline,
        .memory = config->memory,
        .memory_count = config->memory_count,
        .vcpus = vm->vcpus,
        .vcpu_count = config->cpu_num,
        .devices = vm->devices.devices,
        .device_count = vm->devices.count,
        .aspace = &vm->aspace,
        .arena = &vm->arena,
    };

    return vm->arch->load != NULL ? vm->arch->load(&boot, vm->boot_state, what)
                                  : load_with_tree(vm, what);
}
