/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration trees, right and wrong. They are written here by hand, as
 * blobs: the bundler refuses most of the wrong ones before the hypervisor
 * would see them.
 */
#include <criterion/criterion.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "support/rows.h"
#include "vm/vm.h"

#define TREE_SIZE 4096

/* One property; a value NULL makes `number` its value, in `cells` cells. */
struct property {
    const char *name;
    const char *text;
    uint64_t number;
    unsigned cells;
};

static void put(void *fdt, int node, const struct property *property)
{
    int error = 0;

    if (property->text != NULL)
        error = fdt_setprop(fdt, node, property->name, property->text,
                            (int)strlen(property->text) + 1);
    else if (property->cells == 0)
        error = fdt_setprop(fdt, node, property->name, NULL, 0);
    else if (property->cells == 1)
        error = fdt_setprop_u32(fdt, node, property->name,
                                (uint32_t)property->number);
    else
        error = fdt_setprop_u64(fdt, node, property->name, property->number);
    cr_assert_eq(error, 0);
}

static void put_reg(void *fdt, int node, uint64_t base, uint64_t size)
{
    fdt64_t reg[] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};

    cr_assert_eq(fdt_setprop(fdt, node, "reg", reg, sizeof(reg)), 0);
}

/* A VM that is right: id 3, one region of memory, a kernel. */
static int make_tree(void *fdt)
{
    int vms, vm, node;

    cr_assert_eq(fdt_create_empty_tree(fdt, TREE_SIZE), 0);
    vms = fdt_add_subnode(fdt, 0, "vms");
    vm = fdt_add_subnode(fdt, vms, "vm@3");
    put(fdt, vm, &(struct property){"id", NULL, 3, 1});
    node = fdt_add_subnode(fdt, vm, "kernel");
    put(fdt, node, &(struct property){"data-offset", NULL, 0x1000, 2});
    put(fdt, node, &(struct property){"data-size", NULL, 0x2000, 2});
    node = fdt_add_subnode(fdt, vm, "memory@80000000");
    put_reg(fdt, node, 0x80000000, 0x4000000);
    return fdt_path_offset(fdt, "/vms/vm@3");
}

static err_t parse(const void *fdt, struct vm_config *config, char *what)
{
    return vm_config_parse(config, fdt, fdt_path_offset(fdt, "/vms/vm@3"),
                           hpa(0x90000000), 0x10000, what);
}

Test(config, what_is_not_said_has_a_default)
{
    static uint8_t fdt[TREE_SIZE];
    char what[VM_REASON_SIZE] = "";
    struct vm_config config;

    make_tree(fdt);
    cr_assert_eq(parse(fdt, &config, what), OK, "%s", what);
    cr_expect_eq(config.id, 3u);
    cr_expect_str_eq(config.name, "vm@3");
    cr_expect_eq(config.cpu_num, 1u);
    cr_expect_eq(config.affinity[0], 0u);
    cr_expect_str_eq(config.cmdline, "");
    cr_expect(config.autostart);
    cr_expect(config.restart_on_reboot);
    cr_expect(config.report_statistics);
    cr_expect_eq(config.memory_count, 1u);
    cr_expect_eq(config.memory[0].base.raw, 0x80000000u);
    cr_expect_eq(config.memory[0].size, 0x4000000u);
    cr_expect_eq(config.memory[0].flags, (unsigned)MEM_RWX);
    cr_expect_not(config.memory[0].populate);
    cr_expect_eq(config.kernel.data.raw, 0x90001000u);
    cr_expect_eq(config.kernel.size, 0x2000u);
    cr_expect_not(config.kernel.has_load);
    cr_expect_eq(config.initrd.size, 0u);
    cr_expect_null(config.protocol);
    cr_expect_eq(config.module_count, 0u);
}

Test(config, what_is_said_counts)
{
    static uint8_t fdt[TREE_SIZE];
    char what[VM_REASON_SIZE] = "";
    struct vm_config config;
    fdt64_t masks[] = {cpu_to_fdt64(1), cpu_to_fdt64(6)};
    int vm = make_tree(fdt);
    int node;

    put(fdt, vm, &(struct property){"vm-name", "linux", 0, 0});
    put(fdt, vm, &(struct property){"cpus", NULL, 2, 1});
    put(fdt, vm, &(struct property){"bootargs", "quiet", 0, 0});
    put(fdt, vm, &(struct property){"no-autostart", NULL, 0, 0});
    put(fdt, vm, &(struct property){"stop-on-reboot", NULL, 0, 0});
    put(fdt, vm, &(struct property){"no-statistics", NULL, 0, 0});
    cr_assert_eq(fdt_setprop(fdt, vm, "affinity", masks, sizeof(masks)), 0);
    node = fdt_add_subnode(fdt, vm, "memory@c0000000");
    put_reg(fdt, node, 0xc0000000, 0x1000);
    put(fdt, node, &(struct property){"read-only", NULL, 0, 0});
    put(fdt, node, &(struct property){"no-execute", NULL, 0, 0});
    put(fdt, node, &(struct property){"populate", NULL, 0, 0});
    vm = fdt_path_offset(fdt, "/vms/vm@3");
    node = fdt_add_subnode(fdt, vm, "initrd");
    put(fdt, node, &(struct property){"data-offset", NULL, 0, 2});
    put(fdt, node, &(struct property){"data-size", NULL, 0x10000, 2});
    put(fdt, node, &(struct property){"load-address", NULL, 0x81000000, 2});

    cr_assert_eq(parse(fdt, &config, what), OK, "%s", what);
    cr_expect_str_eq(config.name, "linux");
    cr_expect_eq(config.cpu_num, 2u);
    cr_expect_eq(config.affinity[0], 1u);
    cr_expect_eq(config.affinity[1], 6u);
    cr_expect_str_eq(config.cmdline, "quiet");
    cr_expect_not(config.autostart);
    cr_expect_not(config.restart_on_reboot);
    cr_expect_not(config.report_statistics);
    cr_expect_eq(config.memory_count, 2u);
    cr_expect_eq(config.initrd.load.raw, 0x81000000u);
    cr_expect(config.initrd.has_load);
    for (uint32_t i = 0; i < 2; i++) {
        bool small = config.memory[i].size == 0x1000;
        cr_expect_eq(config.memory[i].flags,
                     small ? (unsigned)MEM_READ : (unsigned)MEM_RWX);
        cr_expect_eq(config.memory[i].populate, small);
    }
}

Test(config, what_is_wrong_is_refused_by_name)
{
    static const struct {
        const char *node; /* under the VM; "" for the VM itself */
        struct property property;
        uint64_t size; /* not 0: a reg of property.number and this */
        const char *named;
    } rows[] = {
        {"", {"id", "three", 0, 0}, 0, "id"},
        {"", {"id", NULL, UINT64_C(1) << 32, 2}, 0, "id"},
        {"", {"vm-name", "", 0, 0}, 0, "vm-name"},
        {"", {"vm-name", "a\033b", 0, 0}, 0, "vm-name"},
        {"",
         {"vm-name", "12345678901234567890123456789012", 0, 0},
         0,
         "vm-name"},
        {"", {"cpus", NULL, 0, 1}, 0, "cpus"},
        {"", {"cpus", NULL, 65, 1}, 0, "cpus"},
        {"", {"affinity", NULL, 0, 2}, 0, "affinity"},
        {"", {"affinity", NULL, 1, 1}, 0, "affinity"},
        {"kernel", {"data-offset", NULL, 0x10001, 2}, 0, "kernel"},
        {"kernel", {"data-offset", NULL, UINT64_MAX, 2}, 0, "kernel"},
        {"kernel", {"data-size", NULL, 0x10000, 2}, 0, "kernel"},
        {"kernel", {"data-size", NULL, UINT64_MAX, 2}, 0, "kernel"},
        {"kernel", {"data-size", NULL, 0, 2}, 0, "kernel"},
        {"kernel", {"load-address", "here", 0, 0}, 0, "load-address"},
        {"kernel", {"load-address", NULL, 0x80000800, 2}, 0, "load-address"},
        {"initrd", {"load-address", NULL, 0, 2}, 0, "initrd"},
        {"memory@1", {"reg", NULL, 0, 2}, 0, "reg"},
        {"memory@80000000", {"reg", NULL, 0x800, 0}, 0x1000, "memory"},
        {"memory@80000000", {"reg", NULL, 0x1000, 0}, 0x800, "memory"},
        {"memory@80000000",
         {"reg", NULL, UINT64_MAX - 0xfff, 0},
         0x2000,
         "memory"},
        {"memory@2", {"reg", NULL, 0x83fff000, 0}, 0x2000, "overlap"},
        {"", {"boot-protocol", NULL, 1, 1}, 0, "boot-protocol"},
        {"module@0", {"bootargs", "a", 0, 0}, 0, "module"},
        {"modules", {"bootargs", "a", 0, 0}, 0, "modules"},
        {"toaster", {"slots", NULL, 2, 1}, 0, "toaster"},
    };
    static uint8_t fdt[TREE_SIZE];

    for_each_row (i, rows) {
        char what[VM_REASON_SIZE] = "";
        struct vm_config config;
        int vm = make_tree(fdt);
        int node = vm;

        if (rows[i].node[0] != '\0') {
            node = fdt_subnode_offset(fdt, vm, rows[i].node);
            if (node < 0)
                node = fdt_add_subnode(fdt, vm, rows[i].node);
        }
        if (rows[i].size != 0)
            put_reg(fdt, node, rows[i].property.number, rows[i].size);
        else
            put(fdt, node, &rows[i].property);
        cr_expect_eq(parse(fdt, &config, what), ERR_INVALID_INPUT, "row %zu",
                     i);
        cr_expect(strstr(what, rows[i].named), "row %zu: \"%s\"", i, what);
    }
}

Test(config, what_is_missing_is_named)
{
    static const struct {
        const char *node;
        const char *property; /* NULL: the whole node */
        const char *named;
    } rows[] = {
        {"", "id", "id"},
        {"kernel", NULL, "kernel"},
        {"memory@80000000", NULL, "memory"},
        {"kernel", "data-size", "kernel"},
        {"memory@80000000", "reg", "reg"},
    };
    static uint8_t fdt[TREE_SIZE];

    for_each_row (i, rows) {
        char what[VM_REASON_SIZE] = "";
        struct vm_config config;
        int vm = make_tree(fdt);
        int node = rows[i].node[0] != '\0'
                       ? fdt_subnode_offset(fdt, vm, rows[i].node)
                       : vm;

        if (rows[i].property != NULL)
            cr_assert_eq(fdt_delprop(fdt, node, rows[i].property), 0);
        else
            cr_assert_eq(fdt_del_node(fdt, node), 0);
        cr_expect_eq(parse(fdt, &config, what), ERR_INVALID_INPUT, "row %zu",
                     i);
        cr_expect(strstr(what, rows[i].named), "row %zu: \"%s\"", i, what);
    }
}

Test(config, more_memory_than_there_is_room_for_is_refused)
{
    static uint8_t fdt[TREE_SIZE];
    char what[VM_REASON_SIZE] = "";
    struct vm_config config;
    int vm = make_tree(fdt);

    for (uint64_t i = 0; i < VM_MAX_MEMORY; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "memory@%lx", i << 12);
        put_reg(fdt, fdt_add_subnode(fdt, vm, name), i << 12, 0x1000);
        vm = fdt_path_offset(fdt, "/vms/vm@3");
    }
    cr_expect_eq(parse(fdt, &config, what), ERR_INVALID_INPUT);
    cr_expect(strstr(what, "more than 8"), "%s", what);
}

Test(config, more_modules_than_there_is_room_for_are_refused)
{
    static uint8_t fdt[TREE_SIZE];
    char what[VM_REASON_SIZE] = "";
    struct vm_config config;
    char name[16];

    make_tree(fdt);
    for (unsigned i = 0; i <= VM_MAX_MODULES; i++) {
        int node;

        cr_expect_eq(parse(fdt, &config, what), OK, "%s", what);
        cr_expect_eq(config.module_count, i);
        (void)snprintf(name, sizeof(name), "module@%x", i);
        node = fdt_add_subnode(fdt, fdt_path_offset(fdt, "/vms/vm@3"), name);
        put(fdt, node, &(struct property){"data-offset", NULL, 0, 2});
        put(fdt, node, &(struct property){"data-size", NULL, 1, 2});
    }
    cr_expect_eq(parse(fdt, &config, what), ERR_INVALID_INPUT);
    cr_expect(strstr(what, "module"));
}
