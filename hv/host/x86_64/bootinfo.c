/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the boot loader tells: memory, the bundle, the boot arguments, where
 * ACPI's RSDP is. PVH (Xen, xen/include/public/arch-x86/hvm/start_info.h), and
 * Multiboot2 (specification 2.0, section 3.4).
 *
 * The hypervisor's memory is what both call type 1, above 1 MiB: what is below
 * has the firmware's data in places, and is little.
 */
#include "host/host.h"
#include "host/x86_64/entry.h"
#include "host/x86_64/x86_board.h"
#include "lib/bits.h"
#include "lib/string.h"

#define MIB          (UINT64_C(1) << 20)
#define MAX_BOOTARGS 1024
#define TYPE_RAM     1

/* Nobody promises that addresses are aligned. */
#define PACKED __attribute__((packed))

/* struct hvm_start_info and what it points to. */
struct pvh_start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr;
    uint64_t memmap_paddr; /* from version 1 on */
    uint32_t memmap_entries, reserved;
} PACKED;
#define PVH_MAGIC 0x336ec578

struct pvh_module {
    uint64_t paddr, size, cmdline_paddr, reserved;
} PACKED;

struct pvh_memmap_entry {
    uint64_t addr, size;
    uint32_t type, reserved;
} PACKED;

/* Multiboot2's information begins so, then come tags: each at a multiple of 8
 * from there. */
struct tags {
    uint32_t total_size, reserved;
} PACKED;

struct tag {
    uint32_t type, size;
} PACKED;
enum tag_type {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_MODULE = 3,
    TAG_MMAP = 6,
    TAG_RSDP_OLD = 14,
    TAG_RSDP_NEW = 15,
};
#define TAG_ALIGN 8

struct tag_module {
    struct tag tag;
    uint32_t mod_start, mod_end;
} PACKED;

struct tag_mmap {
    struct tag tag;
    uint32_t entry_size, entry_version;
} PACKED;

struct mmap_entry {
    uint64_t base_addr, length;
    uint32_t type, reserved;
} PACKED;

static char bootargs[MAX_BOOTARGS];

/* What lies at `address`, if the boot loader can mean it. */
static const void *look_at(uint64_t address, uint64_t size)
{
    const void *memory = x86_board_look(address, size);

    if (memory == NULL)
        host_refuse("the boot loader's information is broken: 0x%llx",
                    (unsigned long long)address);
    return memory;
}

static void copy_bootargs(struct x86_board *x86, const char *text, size_t limit)
{
    size_t length = strnlen(text, limit);

    if (length >= MAX_BOOTARGS)
        host_refuse("the boot arguments are longer than %d bytes",
                    MAX_BOOTARGS - 1);
    memcpy(bootargs, text, length);
    bootargs[length] = '\0';
    x86->board.bootargs = bootargs;
}

/* The first module is the bundle. */
static void set_bundle(struct x86_board *x86, uint64_t start, uint64_t size)
{
    (void)look_at(start, size);
    board_set_bundle(&x86->board, start, size);
}

static void add_memory(struct x86_board *x86, uint64_t start, uint64_t size,
                       uint32_t type)
{
    uint64_t end = start + size;

    if (type != TYPE_RAM || end <= start || end <= MIB)
        return;
    if (start < MIB)
        start = MIB;
    board_add_ram(&x86->board, start, end - start);
}

static void read_pvh(struct x86_board *x86, uint64_t info)
{
    const struct pvh_start_info *start = look_at(info, sizeof(*start));
    const struct pvh_memmap_entry *map;

    if (start->magic != PVH_MAGIC || start->version == 0)
        host_refuse("the boot loader passed no PVH start info of version 1");
    x86->rsdp = start->rsdp_paddr;
    map = look_at(start->memmap_paddr,
                  (uint64_t)start->memmap_entries * sizeof(*map));
    for (uint32_t i = 0; i < start->memmap_entries; i++)
        add_memory(x86, map[i].addr, map[i].size, map[i].type);
    if (start->nr_modules != 0) {
        const struct pvh_module *module =
            look_at(start->modlist_paddr, sizeof(*module));
        set_bundle(x86, module->paddr, module->size);
    }
    if (start->cmdline_paddr != 0)
        copy_bootargs(x86, look_at(start->cmdline_paddr, MAX_BOOTARGS),
                      MAX_BOOTARGS);
}

static void read_mmap(struct x86_board *x86, const struct tag *tag)
{
    const struct tag_mmap *map = (const void *)tag;
    uint32_t step;

    if (tag->size < sizeof(*map))
        return;
    step = map->entry_size;
    if (step < sizeof(struct mmap_entry))
        return;
    for (uint32_t at = sizeof(*map); step <= tag->size - at; at += step) {
        const struct mmap_entry *entry =
            (const void *)((const uint8_t *)tag + at);
        add_memory(x86, entry->base_addr, entry->length, entry->type);
    }
}

/* `at`: the tag's address. */
static void read_tag(struct x86_board *x86, const struct tag *tag, uint64_t at)
{
    const struct tag_module *module = (const void *)tag;

    switch (tag->type) {
    case TAG_CMDLINE:
        copy_bootargs(x86, (const char *)(tag + 1), tag->size - sizeof(*tag));
        break;
    case TAG_MODULE:
        if (tag->size >= sizeof(*module) && x86->board.bundle.size == 0 &&
            module->mod_end > module->mod_start)
            set_bundle(x86, module->mod_start,
                       module->mod_end - module->mod_start);
        break;
    case TAG_MMAP: read_mmap(x86, tag); break;
    case TAG_RSDP_OLD:
        if (x86->rsdp == 0)
            x86->rsdp = at + sizeof(*tag);
        break;
    case TAG_RSDP_NEW: x86->rsdp = at + sizeof(*tag); break;
    default: break;
    }
}

static void read_multiboot2(struct x86_board *x86, uint64_t info)
{
    const struct tags *tags = look_at(info, sizeof(*tags));
    const uint8_t *all = look_at(info, tags->total_size);
    uint64_t left = tags->total_size;
    const struct tag *tag;

    for (uint64_t at = sizeof(*tags); at + sizeof(*tag) <= left;
         at += align_up(tag->size, TAG_ALIGN)) {
        tag = (const void *)(all + at);
        if (tag->type == TAG_END)
            return;
        if (tag->size < sizeof(*tag) || tag->size > left - at)
            break;
        read_tag(x86, tag, info + at);
    }
    host_refuse("the boot loader's Multiboot2 information is broken");
}

void bootinfo_read(struct x86_board *x86, uint32_t protocol, uint64_t info)
{
    if (protocol == BOOT_PVH)
        read_pvh(x86, info);
    else if (protocol == BOOT_MULTIBOOT2)
        read_multiboot2(x86, info);
    else
        host_refuse("the boot loader speaks neither PVH nor Multiboot2");
    if (x86->board.ram_count == 0)
        host_refuse("the boot loader names no memory");
}
