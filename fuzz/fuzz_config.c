/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations: a device tree, from which the hypervisor makes what virtual
 * machines it can, runs them until they have nothing to do, and gives all
 * memory back. It may say anything, but is a tree: the host has libfdt check
 * that before the hypervisor sees it. The images are a page of zeros.
 *
 * The mutator keeps trees well-formed: it changes, adds and removes properties
 * and nodes by libfdt, with the names that mean something.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/harness.h"
#include "lib/bits.h"
#include "sim/fake_hw/violation.h"
#include "sim/ram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed);

#define RAM        (UINT64_C(2) << 20)
#define TREE_SIZE  8192
#define VALUE_SIZE 64
#define STEPS      64
#define PATIENCE   4

static bool is_tree(const uint8_t *data, size_t size)
{
    return size >= sizeof(struct fdt_header) && size <= TREE_SIZE &&
           fdt_check_full(data, size) == 0;
}

/* A configuration to begin with, where there is none yet. */
static size_t usual_tree(uint8_t *data, size_t max)
{
    static struct machine_spec spec = {.vm_count = 1};
    static struct bundle bundle;
    size_t size;

    if (bundle.bytes == NULL) {
        fuzz_usual_vm(&spec.vms[0], 1, 2);
        fuzz_need(spec_build(&spec, &bundle) == OK,
                  "the usual VM is too large");
    }
    size = fdt_totalsize(bundle.bytes);
    if (size > max)
        size = 0;
    memcpy(data, bundle.bytes, size);
    return size;
}

/* Making VMs takes as long as reading ten configurations: it is done of one in
 * so many, by the input's sum. */
#define READS_PER_BOOT 8

/* A machine with a bundle for the largest tree and the images, and no VMs, as
 * each input finds it. */
static struct machine *machine;
static uint64_t frames_without_vms;

static void make_machine(void)
{
    static uint8_t bytes[TREE_SIZE + PAGE_SIZE];
    const struct bundle bundle = {
        .bytes = bytes, .images = TREE_SIZE, .size = sizeof(bytes)};
    const struct machine_config config = {
        .cpus = 2, .ram = RAM, .patience = PATIENCE, .bundle = &bundle};

    fuzz_need(fdt_create_empty_tree(bytes, TREE_SIZE) == 0 &&
                  fdt_add_subnode(bytes, 0, "vms") > 0 &&
                  machine_create(&config, &machine) == OK,
              "there is no machine without VMs");
    frames_without_vms = machine_end_vms(machine);
    fuzz_need(machine_boot_again(machine, &bundle) == OK &&
                  machine_snapshot(machine) == OK,
              "no memory for the snapshot");
    ram_snapshot_watch();
    violations_set_fatal(true);
}

static void run_vms(void)
{
    const char *mixed;

    (void)machine_run(machine, STEPS);
    mixed = machine_check_isolation(machine);
    fuzz_need(mixed == NULL, mixed);
}

/* All VMs are read, and refused with a reason. */
static void read_vms(const void *tree)
{
    int vms = fdt_path_offset(tree, "/vms"), node;

    if (vms < 0)
        return;
    fdt_for_each_subnode(node, tree, vms)
    {
        char what[VM_REASON_SIZE] = "";
        struct vm_config config;
        err_t error = vm_config_parse(&config, tree, node, hpa(PAGE_SIZE),
                                      PAGE_SIZE, what);

        fuzz_need(error == OK || what[0] != '\0', "refused for no reason");
        fuzz_need(error != OK ||
                      (config.cpu_num >= 1 && config.cpu_num <= MAX_VCPU_NUM &&
                       config.memory_count <= VM_MAX_MEMORY),
                  "a VM that is too large");
    }
}

static void boot(const uint8_t *data, size_t size)
{
    static uint8_t bytes[TREE_SIZE + PAGE_SIZE];
    struct bundle bundle = {.bytes = bytes};

    if (machine == NULL)
        make_machine();
    memcpy(bytes, data, size);
    bundle.images = align_up(size, PAGE_SIZE);
    bundle.size = bundle.images + PAGE_SIZE;
    memset(bytes + size, 0, bundle.size - size);
    if (machine_boot_again(machine, &bundle) == OK)
        run_vms();
    fuzz_need(machine_end_vms(machine) == frames_without_vms,
              "frames have leaked");
    machine_reset(machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!is_tree(data, size))
        return 0;
    if (fuzz_is_one_in(READS_PER_BOOT, data, size))
        boot(data, size);
    else
        read_vms(data);
    return 0;
}

/* Mutations ----------------------------------------------------------------*/

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

static const char *const names[] = {
    "id",         "vm-name",          "cpus",           "affinity",
    "bootargs",   "no-autostart",     "stop-on-reboot", "reg",
    "populate",   "read-only",        "no-execute",     "data-offset",
    "data-size",  "load-address",     "compatible",     "interrupts",
    "riscv,ndev", "reg-shift",        "reg-io-width",   "clock-frequency",
    "capacity",   "guest-compatible", "image",          "no-statistics",
};

static const char *const nodes[] = {
    "vms",         "vm@1",   "vm@2",    "memory@80000000", "memory@0",
    "kernel",      "initrd", "devices", "device@10000000", "device@c000000",
    "device@1000",
};

static const char *const models[] = {
    "sifive,plic-1.0.0", "ns16550a",   "virtio,blk",
    "virtio,console",    "virtio,rng", "sifive,test1",
};

/* Any node of the tree. */
static int draw_node(const void *tree)
{
    uint32_t which = draw(24);
    int node = 0;

    for (uint32_t i = 0; i < which; i++) {
        int next = fdt_next_node(tree, node, NULL);

        node = next < 0 ? 0 : next;
    }
    return node;
}

static int draw_property(const void *tree, int node)
{
    uint32_t which = draw(6);
    int property = fdt_first_property_offset(tree, node);

    while (which-- != 0 && property >= 0) {
        int next = fdt_next_property_offset(tree, property);

        if (next < 0)
            break;
        property = next;
    }
    return property;
}

/* A property's value is mutated as bytes are, or becomes a number. */
static void change_property(void *tree, int node)
{
    int property = draw_property(tree, node);
    const char *name;
    int size;
    const void *value = fdt_getprop_by_offset(tree, property, &name, &size);
    uint8_t bytes[VALUE_SIZE];

    if (property < 0 || value == NULL || size < 0 || size > VALUE_SIZE)
        return;
    memcpy(bytes, value, (size_t)size);
    if (size >= 4 && draw(2) == 0)
        fdt32_st(bytes + size - 4, 1U << draw(32) >> draw(2));
    else
        size = (int)LLVMFuzzerMutate(bytes, (size_t)size, VALUE_SIZE);
    (void)fdt_setprop(tree, node, name, bytes, size);
}

static void add_property(void *tree, int node)
{
    const char *name = names[draw(ARRAY_SIZE(names))];
    const char *model = models[draw(ARRAY_SIZE(models))];
    uint64_t number = (uint64_t)draw(16) << draw(60);

    switch (draw(4)) {
    case 0: (void)fdt_setprop_u32(tree, node, name, draw(256)); break;
    case 1: (void)fdt_setprop_u64(tree, node, name, number); break;
    case 2: (void)fdt_setprop_empty(tree, node, name); break;
    default:
        (void)fdt_setprop(tree, node, "compatible", model,
                          (int)strlen(model) + 1);
        break;
    }
}

static void remove_property(void *tree, int node)
{
    const char *name;
    int property = draw_property(tree, node);

    if (property >= 0 && fdt_getprop_by_offset(tree, property, &name, NULL))
        (void)fdt_delprop(tree, node, name);
}

static void add_node(void *tree, int node)
{
    (void)fdt_add_subnode(tree, node, nodes[draw(ARRAY_SIZE(nodes))]);
}

static void remove_node(void *tree, int node)
{
    if (node != 0)
        (void)fdt_del_node(tree, node);
}

static void rename_node(void *tree, int node)
{
    if (node != 0)
        (void)fdt_set_name(tree, node, nodes[draw(ARRAY_SIZE(nodes))]);
}

/* A node beside or below another gets the properties of a third. */
static void copy_node(void *tree, int node)
{
    char name[16] = "device@";
    int from = draw_node(tree);
    int property, to;

    name[7] = (char)('1' + draw(9));
    name[8] = (char)('0' + draw(10));
    to = fdt_add_subnode(tree, node, name);
    for (int i = 0; to >= 0 && i < 8; i++) {
        const char *key;
        const void *value;
        uint8_t bytes[VALUE_SIZE];
        int size;

        from = draw(4) == 0 ? draw_node(tree) : from;
        property = draw_property(tree, from);
        value = fdt_getprop_by_offset(tree, property, &key, &size);
        if (property < 0 || value == NULL || size < 0 || size > VALUE_SIZE)
            continue;
        memcpy(bytes, value, (size_t)size);
        (void)fdt_setprop(tree, to, key, bytes, size);
        to = fdt_subnode_offset(tree, node, name);
    }
}

/* What has found something is a tree, and so is what becomes of one here,
 * unless its bytes were mutated: only then all of it has to be looked at. */
static bool may_be_broken = true;

static bool seems_tree(const uint8_t *data, size_t size)
{
    if (may_be_broken)
        return is_tree(data, size);
    return size >= sizeof(struct fdt_header) && size <= TREE_SIZE &&
           fdt_check_header(data) == 0 && fdt_totalsize(data) <= size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    static void (*const mutations[])(void *tree, int node) = {
        change_property, change_property, change_property,
        add_property,    remove_property, add_node,
        remove_node,     rename_node,     copy_node,
    };
    static uint8_t tree[TREE_SIZE];

    random_state = seed;
    if (draw(32) == 0) {
        may_be_broken = true;
        return LLVMFuzzerMutate(data, size, max);
    }
    if (!seems_tree(data, size) || fdt_open_into(data, tree, TREE_SIZE) != 0)
        return usual_tree(data, max);
    may_be_broken = false;
    for (uint32_t i = draw(3) + 1; i != 0; i--)
        mutations[draw(ARRAY_SIZE(mutations))](tree, draw_node(tree));
    (void)fdt_pack(tree);
    if (fdt_totalsize(tree) > max)
        return size;
    memcpy(data, tree, fdt_totalsize(tree));
    return fdt_totalsize(tree);
}
