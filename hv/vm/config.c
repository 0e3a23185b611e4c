/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a VM's configuration from its node of the configuration tree. The
 * properties are described in docs/configuration.md.
 *
 * The tree comes from a file that somebody wrote: nothing in it is trusted,
 * and what is wrong is named.
 */
#include <libfdt.h>

#include "lib/check.h"
#include "lib/format.h"
#include "lib/string.h"
#include "vm/vm.h"

/* One configuration being read. */
struct reader {
    struct vm_config *config;
    const void *fdt;
    char *what;
};

static err_t PRINTF_LIKE(2, 3)
    refuse(const struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)format_args(reader->what, VM_REASON_SIZE, format, args);
    va_end(args);
    return ERR_INVALID_INPUT;
}

/* Reads property `name`, big-endian, of 4 or 8 bytes. */
static err_t read_number(const struct reader *reader, int node,
                         const char *name, uint64_t *value)
{
    int size;
    const void *data = fdt_getprop(reader->fdt, node, name, &size);

    if (data == NULL)
        return ERR_NOT_FOUND;
    if (size == 4)
        *value = fdt32_ld(data);
    else if (size == 8)
        *value = fdt64_ld(data);
    else
        return refuse(reader, "%s: %d bytes where 4 or 8 are expected", name,
                      size);
    return OK;
}

static err_t read_string(const struct reader *reader, int node,
                         const char *name, const char **value)
{
    int size;
    const char *text = fdt_getprop(reader->fdt, node, name, &size);

    if (text == NULL)
        return ERR_NOT_FOUND;
    if (size < 1 || text[size - 1] != '\0')
        return refuse(reader, "%s: not a string", name);
    *value = text;
    return OK;
}

static bool is_vm_name(const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < size; i++) {
        if (name[i] < ' ' || name[i] > '~')
            return false;
    }
    return size != 0 && size < VM_NAME_SIZE;
}

static err_t read_identity(const struct reader *reader)
{
    struct vm_config *config = reader->config;
    const char *name = "";
    uint64_t id = 0;
    err_t error = read_number(reader, config->node, "id", &id);

    if (error != OK)
        return error == ERR_NOT_FOUND ? refuse(reader, "id: missing") : error;
    if (id > UINT32_MAX)
        return refuse(reader, "id: %llu is too large", (unsigned long long)id);
    config->id = (vm_id)id;

    error = read_string(reader, config->node, "vm-name", &name);
    if (error == ERR_NOT_FOUND)
        name = fdt_get_name(reader->fdt, config->node, NULL);
    else if (error != OK)
        return error;
    else if (!is_vm_name(name))
        return refuse(reader,
                      "vm-name: 1 to %d printable characters are"
                      " expected",
                      VM_NAME_SIZE - 1);
    (void)format_text(config->name, sizeof(config->name), "%s", name);
    return OK;
}

static err_t read_cpus(const struct reader *reader)
{
    struct vm_config *config = reader->config;
    uint64_t count = 1;
    int size;
    const void *masks;
    err_t error = read_number(reader, config->node, "cpus", &count);

    if (error != OK && error != ERR_NOT_FOUND)
        return error;
    if (count < 1 || count > MAX_VCPU_NUM)
        return refuse(reader, "cpus: %llu is not in 1 to %d",
                      (unsigned long long)count, MAX_VCPU_NUM);
    config->cpu_num = (uint32_t)count;

    masks = fdt_getprop(reader->fdt, config->node, "affinity", &size);
    if (masks == NULL)
        return OK;
    if ((uint64_t)size != count * 8)
        return refuse(reader,
                      "affinity: %d bytes where %u masks of 8 are"
                      " expected",
                      size, config->cpu_num);
    for (uint32_t i = 0; i < config->cpu_num; i++) {
        config->affinity[i] = fdt64_ld((const fdt64_t *)masks + i);
        if (config->affinity[i] == 0)
            return refuse(reader, "affinity: vCPU %u may run nowhere", i);
    }
    return OK;
}

static bool has(const struct reader *reader, int node, const char *name)
{
    return fdt_getprop(reader->fdt, node, name, NULL) != NULL;
}

/* How it starts, and ends. */
static err_t read_start(const struct reader *reader)
{
    struct vm_config *config = reader->config;
    int node = config->node;
    err_t error = read_string(reader, node, "bootargs", &config->cmdline);

    if (error == OK || error == ERR_NOT_FOUND)
        error = read_string(reader, node, "boot-protocol", &config->protocol);
    config->autostart = !has(reader, node, "no-autostart");
    config->restart_on_reboot = !has(reader, node, "stop-on-reboot");
    config->report_statistics = !has(reader, node, "no-statistics");
    return error == ERR_NOT_FOUND ? OK : error;
}

static err_t read_memory(const struct reader *reader, int node)
{
    struct vm_config *config = reader->config;
    struct vm_memory *memory = &config->memory[config->memory_count];
    int size;
    const fdt64_t *reg = fdt_getprop(reader->fdt, node, "reg", &size);

    if (config->memory_count == VM_MAX_MEMORY)
        return refuse(reader, "memory: more than %d regions", VM_MAX_MEMORY);
    if (reg == NULL || size != 16)
        return refuse(reader, "memory: reg must be two cells of address and"
                              " two of size");
    *memory = (struct vm_memory){
        .base = gpa(fdt64_ld(reg)),
        .size = fdt64_ld(reg + 1),
        .flags = MEM_RWX,
        .populate = has(reader, node, "populate"),
    };
    if (has(reader, node, "read-only"))
        memory->flags &= ~(unsigned)MEM_WRITE;
    if (has(reader, node, "no-execute"))
        memory->flags &= ~(unsigned)MEM_EXECUTE;
    if (!is_aligned(memory->base.raw | memory->size, PAGE_SIZE) ||
        memory->size == 0 || memory->base.raw + memory->size < memory->size)
        return refuse(reader,
                      "memory: 0x%llx bytes at 0x%llx are not whole pages",
                      (unsigned long long)memory->size,
                      (unsigned long long)memory->base.raw);
    config->memory_count++;
    return OK;
}

static err_t read_image(const struct reader *reader, int node, const char *name,
                        struct vm_image *image)
{
    uint64_t offset = 0;
    uint64_t size = 0;
    err_t error = read_number(reader, node, "data-offset", &offset);

    if (error == OK)
        error = read_number(reader, node, "data-size", &size);
    if (error == ERR_NOT_FOUND)
        return refuse(reader,
                      "%s: no data-offset and data-size: the bundle"
                      " has no such image",
                      name);
    if (error != OK)
        return error;
    if (size == 0 || offset > reader->config->images_size ||
        size > reader->config->images_size - offset)
        return refuse(reader,
                      "%s: 0x%llx bytes at 0x%llx are not in the"
                      " bundle's 0x%llx",
                      name, (unsigned long long)size,
                      (unsigned long long)offset,
                      (unsigned long long)reader->config->images_size);
    image->data = hpa_add(reader->config->images, offset);
    image->size = size;
    error = read_number(reader, node, "load-address", &image->load.raw);
    image->has_load = error == OK;
    if (image->has_load && !is_aligned(image->load.raw, PAGE_SIZE))
        return refuse(
            reader, "%s: load-address 0x%llx is not a multiple of %llu", name,
            (unsigned long long)image->load.raw, (unsigned long long)PAGE_SIZE);
    return error == ERR_NOT_FOUND ? OK : error;
}

static err_t read_module(const struct reader *reader, int node)
{
    struct vm_config *config = reader->config;
    struct vm_image *module = &config->modules[config->module_count];
    err_t error;

    if (config->module_count == VM_MAX_MODULES)
        return refuse(reader, "module: more than %d", VM_MAX_MODULES);
    error = read_image(reader, node, "module", module);
    if (error == OK)
        error = read_string(reader, node, "bootargs", &module->cmdline);
    config->module_count++;
    return error == ERR_NOT_FOUND ? OK : error;
}

/* Whether a node's name, less its unit address, is `wanted`. */
static bool is_named(const char *name, const char *wanted)
{
    size_t size = strlen(wanted);

    return strncmp(name, wanted, size) == 0 &&
           (name[size] == '\0' || name[size] == '@');
}

static err_t read_children(const struct reader *reader)
{
    struct vm_config *config = reader->config;
    int node;

    fdt_for_each_subnode(node, reader->fdt, config->node)
    {
        const char *name = fdt_get_name(reader->fdt, node, NULL);
        err_t error = OK;

        if (is_named(name, "memory"))
            error = read_memory(reader, node);
        else if (is_named(name, "module"))
            error = read_module(reader, node);
        else if (strcmp(name, "kernel") == 0)
            error = read_image(reader, node, "kernel", &config->kernel);
        else if (strcmp(name, "initrd") == 0)
            error = read_image(reader, node, "initrd", &config->initrd);
        else if (strcmp(name, "devices") != 0)
            error = refuse(reader, "%s: no such node is known", name);
        if (error != OK)
            return error;
    }
    return OK;
}

static err_t check_whole(const struct reader *reader)
{
    const struct vm_config *config = reader->config;

    if (config->memory_count == 0)
        return refuse(reader, "memory: missing");
    if (config->kernel.size == 0)
        return refuse(reader, "kernel: missing");
    for (uint32_t a = 0; a < config->memory_count; a++) {
        for (uint32_t b = 0; b < a; b++) {
            const struct vm_memory *one = &config->memory[a];
            const struct vm_memory *two = &config->memory[b];
            if (one->base.raw < two->base.raw + two->size &&
                two->base.raw < one->base.raw + one->size)
                return refuse(reader,
                              "memory: the regions at 0x%llx and 0x%llx"
                              " overlap",
                              (unsigned long long)two->base.raw,
                              (unsigned long long)one->base.raw);
        }
    }
    return OK;
}

err_t vm_config_parse(struct vm_config *config, const void *fdt, int node,
                      hpa_t images, uint64_t images_size, char *what)
{
    const struct reader reader = {config, fdt, what};
    err_t (*const steps[])(const struct reader *) = {
        read_identity, read_cpus, read_children, read_start, check_whole,
    };

    *config = (struct vm_config){
        .fdt = fdt,
        .node = node,
        .images = images,
        .images_size = images_size,
        .cmdline = "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        err_t error = steps[i](&reader);

        if (error != OK)
            return error;
    }
    return OK;
}
