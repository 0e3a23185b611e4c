/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's firmware configuration device, as of docs/specs/fw_cfg of QEMU: what
 * OVMF and Linux' qemu_fw_cfg read about the machine.
 *
 *   0x510   16 bits, write: selects an item, from its start
 *   0x511   8 bits, read: the item's next byte; beyond its end 0
 *   0x514   two times 32 bits, big-endian: DMA address, the upper half first;
 *           writing the lower one starts. Reading says "QEMU CFG"
 *
 * Items are read-only: a DMA write is an error, a write to the data register
 * goes nowhere. An item that does not exist is empty.
 *
 * DMA is done while the vCPU that started it waits, a slice at a time: the
 * write says ERR_BUSY until all is done, and is made again. The guest's
 * command is copied at its start, and the copy alone counts.
 *
 * RAM_SIZE and the file etc/e820 say what memory the VM has. Children of the
 * configuration node are further items:
 *   file-name    of a file (string), or
 *   key          of another item (u32), below FILE_FIRST or from ARCH_LOCAL on
 *   data         its bytes, or
 *   data-offset, where they are in the bundle's image area (two cells)
 *   data-size
 */
#include "device/pc/fw_cfg.h"

#include <libfdt.h>

#include "addrspace/aspace.h"
#include "api/memory.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "lib/string.h"
#include "memory/arena.h"

enum { RANGE_SELECT, RANGE_DMA, RANGES };

static const struct device_range fw_cfg_ranges[RANGES] = {
    {0x510, 2, BUS_PORT, RANGE_SELECT, WIDTH_1 | WIDTH_2},
    {0x514, 8, BUS_PORT, RANGE_DMA, WIDTH_4},
};
#define DATA    1 /* offsets in the ranges */
#define DMA_LOW 4

enum fw_cfg_key {
    SIGNATURE = 0x0000,
    ID = 0x0001,
    RAM_SIZE = 0x0003,
    CPU_COUNT = 0x0005,
    MAX_CPUS = 0x000f,
    FILE_DIR = 0x0019,
    FILE_FIRST = 0x0020,
    ARCH_LOCAL = 0x8000,
    NO_KEY = 0xffff, /* nothing is selected, and nothing has it */
};

#define ID_TRADITIONAL 1
#define ID_DMA         2
static const uint8_t dma_signature[8] = "QEMU CFG";

/* struct fw_cfg_dma_access: three big-endian numbers. */
struct dma_access {
    uint32_t control;
    uint32_t length;
    uint64_t address;
};
_Static_assert(sizeof(struct dma_access) == 16, "docs/specs/fw_cfg");

#define DMA_ERROR  0x01
#define DMA_READ   0x02
#define DMA_SKIP   0x04
#define DMA_SELECT 0x08
#define DMA_WRITE  0x10
#define DMA_KEY    UINT64_C(0xffff0000)

/* How much is moved before others get their turn. */
#define DMA_SLICE UINT32_C(0x40000)

/* struct fw_cfg_file, big-endian; the directory is a count and these. */
struct file_entry {
    uint32_t size;
    uint16_t select;
    uint16_t reserved;
    char name[FW_CFG_NAME_SIZE];
};
_Static_assert(sizeof(struct file_entry) == 64, "docs/specs/fw_cfg");

/* struct e820_entry of Linux, QEMU, and BIOSes since 1999. */
struct e820_entry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
} __attribute__((packed));
#define E820_RAM   1
#define E820_FILE  "etc/e820"
#define MAX_MEMORY 16

#define MAX_FILES 32
#define MAX_ITEMS (MAX_FILES + 32)

struct item {
    uint16_t key;
    uint32_t size;
    const uint8_t *bytes;
};

struct fw_cfg {
    struct device device;
    struct aspace *memory;

    unsigned item_count;
    struct item items[MAX_ITEMS];
    struct {
        uint32_t count; /* big-endian, as all of it */
        struct file_entry files[MAX_FILES];
    } directory;
    unsigned file_count;
    /* What items are made of that are no one else's. */
    uint16_t cpus;
    uint32_t id;
    uint64_t ram_size;
    struct e820_entry e820[MAX_MEMORY];

    uint16_t selected;
    uint32_t offset; /* of the next byte; it stays at the end */
    uint32_t dma_high;
    /* A DMA that is not complete. */
    bool dma_runs;
    uint64_t dma_at; /* where its command is */
    struct dma_access dma;
};

static struct fw_cfg *to_fw_cfg(struct device *device)
{
    return container_of(device, struct fw_cfg, device);
}

/* --- Items --- */

static const struct item *find_item(const struct fw_cfg *cfg, uint16_t key)
{
    for (unsigned i = 0; i < cfg->item_count; i++) {
        if (cfg->items[i].key == key)
            return &cfg->items[i];
    }
    return NULL;
}

static err_t add_item(struct fw_cfg *cfg, uint16_t key, const void *bytes,
                      uint32_t size)
{
    if (find_item(cfg, key) != NULL)
        return ERR_ALREADY_EXISTS;
    if (cfg->item_count == MAX_ITEMS)
        return ERR_NO_MEMORY;
    cfg->items[cfg->item_count++] = (struct item){key, size, bytes};
    return OK;
}

static bool has_file(const struct fw_cfg *cfg, const char *name)
{
    for (unsigned i = 0; i < cfg->file_count; i++) {
        if (strcmp(cfg->directory.files[i].name, name) == 0)
            return true;
    }
    return false;
}

static err_t check_file(const struct fw_cfg *cfg, const char *name)
{
    size_t length = strnlen(name, FW_CFG_NAME_SIZE);

    if (length == 0 || length == FW_CFG_NAME_SIZE)
        return ERR_INVALID_INPUT;
    if (has_file(cfg, name))
        return ERR_ALREADY_EXISTS;
    return cfg->file_count < MAX_FILES ? OK : ERR_NO_MEMORY;
}

static err_t add_file(struct fw_cfg *cfg, const char *name, const void *bytes,
                      uint32_t size)
{
    uint16_t key = (uint16_t)(FILE_FIRST + cfg->file_count);
    struct file_entry *entry;
    err_t error = check_file(cfg, name);

    if (error == OK)
        error = add_item(cfg, key, bytes, size);
    if (error != OK)
        return error;
    entry = &cfg->directory.files[cfg->file_count++];
    entry->size = cpu_to_fdt32(size);
    entry->select = (uint16_t)(key << 8 | key >> 8);
    memcpy(entry->name, name, strlen(name));
    cfg->directory.count = cpu_to_fdt32(cfg->file_count);
    return OK;
}

err_t fw_cfg_add_file(struct device *device, const char *name,
                      const void *bytes, uint32_t size)
{
    return add_file(to_fw_cfg(device), name, bytes, size);
}

bool fw_cfg_has_file(const struct device *device, const char *name)
{
    return has_file(container_of(device, const struct fw_cfg, device), name);
}

/* --- Reading --- */

static void select_item(struct fw_cfg *cfg, uint16_t key)
{
    cfg->selected = key;
    cfg->offset = 0;
}

/* The next bytes of the item, `most` at most, which are taken. */
static const uint8_t *take(struct fw_cfg *cfg, uint32_t most, uint32_t *count)
{
    const struct item *item = find_item(cfg, cfg->selected);
    uint32_t left = item != NULL ? item->size - cfg->offset : 0;
    const uint8_t *bytes = left != 0 ? item->bytes + cfg->offset : NULL;

    *count = left < most ? left : most;
    cfg->offset += *count;
    return bytes;
}

static uint8_t take_byte(struct fw_cfg *cfg)
{
    uint32_t count;
    const uint8_t *byte = take(cfg, 1, &count);

    return count != 0 ? *byte : 0;
}

/* --- DMA --- */

static err_t write_zeros(struct fw_cfg *cfg, uint64_t to, uint32_t size)
{
    static const uint8_t zeros[256];
    err_t error = OK;

    while (size > 0 && error == OK) {
        uint32_t here = size < sizeof(zeros) ? size : sizeof(zeros);

        error = aspace_write(cfg->memory, gpa(to), zeros, here);
        to += here;
        size -= here;
    }
    return error;
}

/* The next slice of a read: bytes of the item, then zeros. */
static err_t read_slice(struct fw_cfg *cfg, uint32_t size)
{
    uint32_t count;
    const uint8_t *bytes = take(cfg, size, &count);
    err_t error = OK;

    if (count != 0)
        error = aspace_write(cfg->memory, gpa(cfg->dma.address), bytes, count);
    if (error == OK)
        error = write_zeros(cfg, cfg->dma.address + count, size - count);
    return error;
}

static void skip(struct fw_cfg *cfg)
{
    uint32_t ignored;

    (void)take(cfg, cfg->dma.length, &ignored);
    cfg->dma.length = 0;
}

/* Tells the guest that its command is done. A guest whose command is not in
 * memory is told nothing. */
static err_t end_dma(struct fw_cfg *cfg, bool failed)
{
    fdt32_t control = cpu_to_fdt32(failed ? DMA_ERROR : 0);
    err_t ignored =
        aspace_write(cfg->memory, gpa(cfg->dma_at), &control, sizeof(control));

    (void)ignored;
    cfg->dma_runs = false;
    return OK;
}

/* A slice of the command, of which `dma` says what is left. A command that
 * both reads and writes, reads. */
static err_t continue_dma(struct fw_cfg *cfg)
{
    struct dma_access *dma = &cfg->dma;
    uint32_t size = dma->length < DMA_SLICE ? dma->length : DMA_SLICE;

    if (!(dma->control & DMA_READ)) {
        if (dma->control & DMA_WRITE)
            return end_dma(cfg, dma->length != 0);
        if (dma->control & DMA_SKIP)
            skip(cfg);
        return end_dma(cfg, false);
    }
    if (read_slice(cfg, size) != OK)
        return end_dma(cfg, true);
    dma->address += size;
    dma->length -= size;
    return dma->length != 0 ? ERR_BUSY : end_dma(cfg, false);
}

/* Not one that goes on: `at` is then the same. */
static err_t start_dma(struct fw_cfg *cfg, uint64_t at)
{
    struct dma_access raw;

    cfg->dma_at = at;
    if (aspace_read(cfg->memory, gpa(at), &raw, sizeof(raw)) != OK)
        return end_dma(cfg, true);
    cfg->dma =
        (struct dma_access){fdt32_to_cpu(raw.control), fdt32_to_cpu(raw.length),
                            fdt64_to_cpu(raw.address)};
    cfg->dma_runs = true;
    if (cfg->dma.control & DMA_SELECT)
        select_item(cfg, (uint16_t)FIELD_GET(DMA_KEY, cfg->dma.control));
    return continue_dma(cfg);
}

/* Half of the address, as it comes through a little-endian port. The upper
 * one is 0 again when a command has ended. */
static err_t write_dma(struct fw_cfg *cfg, uint64_t offset, uint32_t value)
{
    uint64_t at;
    err_t error;

    if (offset != DMA_LOW) {
        cfg->dma_high = fdt32_to_cpu(value);
        return OK;
    }
    at = (uint64_t)cfg->dma_high << 32 | fdt32_to_cpu(value);
    error = cfg->dma_runs && cfg->dma_at == at ? continue_dma(cfg)
                                               : start_dma(cfg, at);
    if (error == OK)
        cfg->dma_high = 0;
    return error;
}

/* --- Registers --- */

static err_t fw_cfg_read(struct device *device, unsigned range, uint64_t offset,
                         unsigned width, uint64_t *value)
{
    *value = 0;
    if (range == RANGE_DMA)
        memcpy(value, dma_signature + offset, width);
    else if (offset == DATA)
        *value = take_byte(to_fw_cfg(device));
    return OK;
}

static err_t fw_cfg_write(struct device *device, unsigned range,
                          uint64_t offset, unsigned width, uint64_t value)
{
    struct fw_cfg *cfg = to_fw_cfg(device);

    if (range == RANGE_DMA)
        return write_dma(cfg, offset, (uint32_t)value);
    if (width == 2)
        select_item(cfg, (uint16_t)value);
    return OK;
}

static void fw_cfg_reset(struct device *device)
{
    struct fw_cfg *cfg = to_fw_cfg(device);

    select_item(cfg, SIGNATURE);
    cfg->dma_high = 0;
    cfg->dma_runs = false;
}

static const struct device_ops fw_cfg_ops = {
    .read = fw_cfg_read,
    .write = fw_cfg_write,
    .reset = fw_cfg_reset,
};

/* --- Making it --- */

/* What the machine is. */
static err_t add_memory(const struct device_context *context,
                        struct fw_cfg *cfg, const char **what)
{
    *what = "memory";
    if (context->ram_count > MAX_MEMORY)
        return ERR_INVALID_INPUT;
    for (unsigned i = 0; i < context->ram_count; i++) {
        const struct device_ram *ram = &context->ram[i];

        cfg->e820[i] = (struct e820_entry){ram->base, ram->size, E820_RAM};
        cfg->ram_size += ram->size;
    }
    return add_file(cfg, E820_FILE, cfg->e820,
                    context->ram_count * (uint32_t)sizeof(cfg->e820[0]));
}

static void add_machine(const struct device_context *context,
                        struct fw_cfg *cfg)
{
    static const uint8_t signature[4] = "QEMU";
    const struct item items[] = {
        {SIGNATURE, sizeof(signature), signature},
        {ID, sizeof(cfg->id), (const uint8_t *)&cfg->id},
        {RAM_SIZE, sizeof(cfg->ram_size), (const uint8_t *)&cfg->ram_size},
        {CPU_COUNT, sizeof(cfg->cpus), (const uint8_t *)&cfg->cpus},
        {MAX_CPUS, sizeof(cfg->cpus), (const uint8_t *)&cfg->cpus},
        {FILE_DIR, sizeof(cfg->directory), (const uint8_t *)&cfg->directory},
    };

    cfg->id = ID_TRADITIONAL | ID_DMA;
    cfg->cpus = (uint16_t)context->vcpu_count;
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        err_t error =
            add_item(cfg, items[i].key, items[i].bytes, items[i].size);
        CHECK(error == OK);
    }
}

/* The bytes of a child: its own, or of the bundle's. */
static err_t parse_data(const struct device_context *context, int node,
                        struct item *item, const char **what)
{
    int size, offset_size, size_size;
    const void *data = fdt_getprop(context->fdt, node, "data", &size);
    const void *offset =
        fdt_getprop(context->fdt, node, "data-offset", &offset_size);
    const void *length =
        fdt_getprop(context->fdt, node, "data-size", &size_size);
    uint64_t from, bytes;

    *what = "data";
    if ((data != NULL) == (offset != NULL))
        return ERR_INVALID_INPUT;
    if (data != NULL) {
        item->bytes = data;
        item->size = (uint32_t)size;
        return OK;
    }
    *what = "data-offset";
    if (length == NULL || offset_size != sizeof(from) ||
        size_size != sizeof(bytes))
        return ERR_INVALID_INPUT;
    from = fdt64_ld(offset);
    bytes = fdt64_ld(length);
    if (from > context->images_size || bytes > context->images_size - from ||
        bytes > UINT32_MAX)
        return ERR_INVALID_INPUT;
    item->bytes = (const uint8_t *)memory_phys_to_virt(context->images) + from;
    item->size = (uint32_t)bytes;
    return OK;
}

static err_t parse_key(const struct device_context *context, int node,
                       uint16_t *key, const char **what)
{
    struct device_context child = *context;
    uint32_t value = NO_KEY;
    err_t error;

    child.node = node;
    error = device_parse_cell(&child, "key", 0, NO_KEY - 1, &value, what);
    if (error == OK && value >= FILE_FIRST && value < ARCH_LOCAL) {
        *what = "key";
        error = ERR_INVALID_INPUT;
    }
    *key = (uint16_t)value;
    return error;
}

static err_t add_child(const struct device_context *context, struct fw_cfg *cfg,
                       int node, const char **what)
{
    int size;
    const char *name = fdt_getprop(context->fdt, node, "file-name", &size);
    struct item item = {.key = NO_KEY};
    err_t error = parse_data(context, node, &item, what);

    if (error == OK)
        error = parse_key(context, node, &item.key, what);
    if (error != OK)
        return error;
    *what = "file-name";
    if ((name != NULL) == (item.key != NO_KEY))
        return ERR_INVALID_INPUT;
    if (name == NULL) {
        *what = "key";
        return add_item(cfg, item.key, item.bytes, item.size);
    }
    if (size < 1 || name[size - 1] != '\0')
        return ERR_INVALID_INPUT;
    return add_file(cfg, name, item.bytes, item.size);
}

static err_t fw_cfg_create(const struct device_context *context,
                           struct device **device, const char **what)
{
    struct fw_cfg *cfg = arena_new(context->arena, struct fw_cfg);
    err_t error;
    int node;

    if (cfg == NULL)
        return ERR_NO_MEMORY;
    cfg->device.ops = &fw_cfg_ops;
    memcpy(cfg->device.ranges, fw_cfg_ranges, sizeof(fw_cfg_ranges));
    cfg->device.range_count = RANGES;
    cfg->memory = context->memory;
    add_machine(context, cfg);
    error = add_memory(context, cfg, what);
    fdt_for_each_subnode(node, context->fdt, context->node)
    {
        if (error == OK)
            error = add_child(context, cfg, node, what);
    }
    *device = &cfg->device;
    return error;
}

static const struct device_model fw_cfg_model = {
    .compatible = "qemu,fw-cfg",
    .create = fw_cfg_create,
};
DEVICE_MODEL(fw_cfg_model);

struct device *fw_cfg_find(struct device *const *devices, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (devices[i]->model == &fw_cfg_model)
            return devices[i];
    }
    return NULL;
}
