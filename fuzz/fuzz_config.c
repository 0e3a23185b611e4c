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
#include "sim/device_tree.h"
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
    return size <= TREE_SIZE && device_tree_check(data, size) == 0;
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

/* Making VMs takes as long as reading ten configurations: it is done of those
 * that say so in a field of their header that nobody reads. So many times the
 * mutator does not. */
#define READS_PER_BOOT 16

static bool is_to_boot(const void *tree)
{
    return fuzz_is_thorough || fdt_boot_cpuid_phys(tree) == 0;
}

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

/* Where the images are said to be. */
#define IMAGES      PAGE_SIZE
#define IMAGES_SIZE PAGE_SIZE

static bool is_inside(const struct vm_image *image)
{
    uint64_t at = image->data.raw - IMAGES;

    return image->size == 0 ||
           (at <= IMAGES_SIZE && image->size <= IMAGES_SIZE - at);
}

static void check_vm(const struct vm_config *config)
{
    fuzz_need(config->cpu_num >= 1 && config->cpu_num <= MAX_VCPU_NUM &&
                  config->memory_count <= VM_MAX_MEMORY &&
                  config->module_count <= VM_MAX_MODULES,
              "a VM that is too large");
    fuzz_need(is_inside(&config->kernel) && is_inside(&config->initrd),
              "an image outside of the bundle");
    for (uint32_t i = 0; i < config->module_count; i++)
        fuzz_need(is_inside(&config->modules[i]),
                  "a module outside of the bundle");
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
        err_t error = vm_config_parse(&config, tree, node, hpa(IMAGES),
                                      IMAGES_SIZE, what);

        fuzz_need(error == OK || what[0] != '\0', "refused for no reason");
        if (error == OK)
            check_vm(&config);
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
    if (is_to_boot(data))
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
    "id",
    "vm-name",
    "cpus",
    "affinity",
    "bootargs",
    "no-autostart",
    "stop-on-reboot",
    "reg",
    "populate",
    "read-only",
    "no-execute",
    "data-offset",
    "data-size",
    "load-address",
    "compatible",
    "interrupts",
    "riscv,ndev",
    "reg-shift",
    "reg-io-width",
    "clock-frequency",
    "capacity",
    "guest-compatible",
    "image",
    "no-statistics",
    "boot-protocol",
};

static const char *const nodes[] = {
    "vms",         "vm@1",     "vm@2",    "memory@80000000", "memory@0",
    "kernel",      "initrd",   "devices", "device@10000000", "device@c000000",
    "device@1000", "module@1",
};

static const char *const models[] = {
    "sifive,plic-1.0.0", "ns16550a",   "virtio,blk",
    "virtio,console",    "virtio,rng", "sifive,test1",
};

/*
 * Where the nodes and properties of a tree are. All of it has been checked:
 * libfdt, which checks each tag whenever it comes by, would take as long to
 * find one as everything else that is done to an input.
 */
#define MOST 128

struct outline {
    unsigned nodes, properties;
    int node[MOST];
    struct place {
        int node, offset;
    } property[MOST];
};

static const struct place *draw_property(const struct outline *outline)
{
    return outline->properties == 0
               ? NULL
               : &outline->property[draw(outline->properties)];
}

static int draw_node(const struct outline *outline)
{
    return outline->node[draw(outline->nodes)];
}

static uint32_t load(const void *word)
{
    return fdt32_ld(word);
}

/* Notes what has `tag` at `at`, and returns its size, which may wrap, as it
 * does for libfdt. Trees may lie at any address. */
static uint32_t note_tag(struct outline *outline, uint32_t tag, const char *at,
                         int offset)
{
    switch (tag) {
    case FDT_BEGIN_NODE:
        if (offset != 0 && outline->nodes < MOST)
            outline->node[outline->nodes++] = offset;
        return (uint32_t)(FDT_TAGSIZE + strlen(at + FDT_TAGSIZE) + 1);
    case FDT_PROP:
        if (outline->properties < MOST)
            outline->property[outline->properties++] =
                (struct place){outline->node[outline->nodes - 1], offset};
        return (uint32_t)sizeof(struct fdt_property) + load(at + FDT_TAGSIZE);
    default: return FDT_TAGSIZE;
    }
}

static void make_outline(struct outline *outline, const void *tree)
{
    const char *structure = (const char *)tree + fdt_off_dt_struct(tree);
    uint32_t tag, at = 0;

    outline->nodes = 1; /* the root, at 0 */
    outline->properties = 0;
    while ((tag = load(structure + at)) != FDT_END)
        at = (uint32_t)align_up(
            at + note_tag(outline, tag, structure + at, (int)at), FDT_TAGSIZE);
}

/* A mutation changes `tree`, which `outline` is of; `origin` is the input. */
struct change {
    void *tree;
    const void *origin;
    struct outline outline;
};

/* The value at `place`, its name and its size; NULL where there is none that
 * is short. */
static const void *short_value(const void *tree, const struct place *place,
                               const char **name, int *size)
{
    const void *value =
        place == NULL ? NULL
                      : fdt_getprop_by_offset(tree, place->offset, name, size);

    return value != NULL && *size >= 0 && *size <= VALUE_SIZE ? value : NULL;
}

/* A property's value is mutated as bytes are, or becomes a number. */
static void change_property(struct change *change)
{
    const struct place *place = draw_property(&change->outline);
    const char *name;
    int size;
    const void *value = short_value(change->tree, place, &name, &size);
    uint8_t bytes[VALUE_SIZE];

    if (value == NULL)
        return;
    memcpy(bytes, value, (size_t)size);
    if (size >= 4 && draw(2) == 0)
        fdt32_st(bytes + size - 4, 1U << draw(32) >> draw(2));
    else
        size = (int)LLVMFuzzerMutate(bytes, (size_t)size, VALUE_SIZE);
    (void)fdt_setprop(change->tree, place->node, name, bytes, size);
}

static void add_property(struct change *change)
{
    void *tree = change->tree;
    int node = draw_node(&change->outline);
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

static void remove_property(struct change *change)
{
    const struct place *place = draw_property(&change->outline);
    const char *name;

    if (place != NULL &&
        fdt_getprop_by_offset(change->tree, place->offset, &name, NULL))
        (void)fdt_delprop(change->tree, place->node, name);
}

static void add_node(struct change *change)
{
    (void)fdt_add_subnode(change->tree, draw_node(&change->outline),
                          nodes[draw(ARRAY_SIZE(nodes))]);
}

static void remove_node(struct change *change)
{
    int node = draw_node(&change->outline);

    if (node != 0)
        (void)fdt_del_node(change->tree, node);
}

static void rename_node(struct change *change)
{
    int node = draw_node(&change->outline);

    if (node != 0)
        (void)fdt_set_name(change->tree, node, nodes[draw(ARRAY_SIZE(nodes))]);
}

/* A node beside or below another gets properties of the input, most of them of
 * one node. */
static void copy_node(struct change *change)
{
    char name[16] = "device@";
    struct outline outline;
    unsigned from;
    int to;

    name[7] = (char)('1' + draw(9));
    name[8] = (char)('0' + draw(10));
    to = fdt_add_subnode(change->tree, draw_node(&change->outline), name);
    make_outline(&outline, change->origin);
    if (to < 0 || outline.properties == 0)
        return;
    from = draw(outline.properties);
    for (unsigned i = draw(8); i != 0; i--, from++) {
        const char *key;
        int size;
        const void *value;

        if (draw(8) == 0)
            from = draw(outline.properties);
        value = short_value(change->origin,
                            &outline.property[from % outline.properties], &key,
                            &size);
        if (value != NULL)
            (void)fdt_setprop(change->tree, to, key, value, size);
    }
}

/* Packs the tree, without the names that no property has any more: there would
 * soon be nothing but those. */
static void pack(void *tree, struct outline *outline)
{
    static char strings[TREE_SIZE];
    char *structure, *names_at;
    size_t used = 0;

    (void)fdt_pack(tree);
    make_outline(outline, tree);
    if (outline->properties == MOST)
        return;
    structure = (char *)tree + fdt_off_dt_struct(tree);
    names_at = (char *)tree + fdt_off_dt_strings(tree);
    for (unsigned i = 0; i < outline->properties; i++) {
        struct fdt_property *property =
            (void *)(structure + outline->property[i].offset);
        const char *name = names_at + fdt32_ld(&property->nameoff);
        size_t size = strlen(name) + 1;
        const char *known = memmem(strings, used, name, size);

        if (known == NULL) {
            known = memcpy(strings + used, name, size);
            used += size;
        }
        fdt32_st(&property->nameoff, (uint32_t)(known - strings));
    }
    memcpy(names_at, strings, used);
    fdt_set_size_dt_strings(tree, (uint32_t)used);
    fdt_set_totalsize(tree, fdt_off_dt_strings(tree) + (uint32_t)used);
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
    static void (*const mutations[])(struct change *) = {
        change_property, change_property, change_property,
        add_property,    remove_property, add_node,
        remove_node,     rename_node,     copy_node,
    };
    static uint8_t tree[TREE_SIZE];
    static struct change change = {.tree = tree};

    random_state = seed;
    if (draw(32) == 0) {
        may_be_broken = true;
        return LLVMFuzzerMutate(data, size, max);
    }
    if (!seems_tree(data, size) || fdt_open_into(data, tree, TREE_SIZE) != 0)
        return usual_tree(data, max);
    may_be_broken = false;
    change.origin = data;
    for (uint32_t i = draw(3) + 1; i != 0; i--) {
        make_outline(&change.outline, tree);
        mutations[draw(ARRAY_SIZE(mutations))](&change);
    }
    pack(tree, &change.outline);
    fdt_set_boot_cpuid_phys(tree, draw(READS_PER_BOOT));
    if (fdt_totalsize(tree) > max)
        return size;
    memcpy(data, tree, fdt_totalsize(tree));
    return fdt_totalsize(tree);
}
