/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes and properties of docs/configuration.md as tables, and their
 * interpreter: each kind of node has a list of what may be in it.
 */
#include <inttypes.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "device/bus.h"
#include "sim/bundle.h"
#include "sim/bundle_check.h"
#include "vm/vm.h"
#include "vmm/vmm.h"

#define PATH_SIZE    256
#define NUMBER_CELLS 2 /* what #address-cells and #size-cells must be */

/* What a property must look like. */
enum shape {
    SHAPE_U32,
    SHAPE_NUMBER, /* one cell or two */
    SHAPE_STRING,
    SHAPE_FLAG,
    SHAPE_MASKS, /* of 8 bytes each */
    SHAPE_U64,   /* two cells */
    SHAPE_LINES, /* four cells */
    SHAPE_EXTENT,
    SHAPE_CELLS, /* the number 2 */
    SHAPE_ANY,
};

struct property_rule {
    const char *name;
    enum shape shape;
    bool required;
    uint64_t least, most; /* of a number; most 0: any */
    uint64_t multiple;    /* it must be one of this; 0: any */
};

struct child_rule;

/* What a node may hold. Without `children` it is a leaf. */
struct node_rule {
    const struct property_rule *properties; /* up to one without a name */
    const struct child_rule *children;
};

struct child_rule {
    const char *name; /* without the unit address; NULL: any */
    const struct node_rule *rule;
    unsigned least, most;
};

/*
 * The tables.
 */

/* What dtc adds where something refers to the node. */
/* clang-format off */
#define PHANDLES {"phandle", SHAPE_U32}, {"linux,phandle", SHAPE_U32}
#define CELL_SIZES \
    {"#address-cells", SHAPE_CELLS}, {"#size-cells", SHAPE_CELLS}
/* clang-format on */

static const struct node_rule memory_rule = {
    (const struct property_rule[]){
        {"reg", SHAPE_EXTENT, true},
        {"read-only", SHAPE_FLAG},
        {"no-execute", SHAPE_FLAG},
        {"populate", SHAPE_FLAG},
        {"lazy", SHAPE_FLAG},
        {"device_type", SHAPE_STRING},
        PHANDLES,
        {0},
    },
    NULL,
};

static const struct node_rule image_rule = {
    (const struct property_rule[]){
        {"file", SHAPE_STRING, true},
        {"load-address", SHAPE_NUMBER, .multiple = 4096},
        PHANDLES,
        {0},
    },
    NULL,
};

static const struct node_rule module_rule = {
    (const struct property_rule[]){
        {"file", SHAPE_STRING, true},
        {"bootargs", SHAPE_STRING},
        PHANDLES,
        {0},
    },
    NULL,
};

/* Devices: what more their models have is in model_rules. */
static const struct node_rule device_rule = {
    (const struct property_rule[]){
        {"compatible", SHAPE_STRING, true},
        {"interrupts", SHAPE_U32},
        PHANDLES,
        {0},
    },
    NULL,
};

/* Those behind a PCI bridge: where they are, the guest says. */
static const struct node_rule function_rule = {
    (const struct property_rule[]){
        {"compatible", SHAPE_STRING, true},
        {"slot", SHAPE_U32, true, .least = 1, .most = 31},
        {"function", SHAPE_U32, .most = 7},
        PHANDLES,
        {0},
    },
    NULL,
};

static const struct node_rule item_rule = {
    (const struct property_rule[]){
        {"file-name", SHAPE_STRING},
        {"key", SHAPE_U32},
        {"data", SHAPE_ANY},
        {"file", SHAPE_STRING},
        PHANDLES,
        {0},
    },
    NULL,
};

static const struct node_rule devices_rule = {
    (const struct property_rule[]){CELL_SIZES, PHANDLES, {0}},
    (const struct child_rule[]){{NULL, &device_rule, 0, BUS_MAX_RANGES}, {0}},
};

static const struct node_rule vm_rule = {
    (const struct property_rule[]){
        {"compatible", SHAPE_STRING, true},
        {"id", SHAPE_U32, true},
        {"vm-name", SHAPE_STRING},
        {"cpus", SHAPE_U32},
        {"affinity", SHAPE_MASKS},
        {"bootargs", SHAPE_STRING},
        {"boot-protocol", SHAPE_STRING},
        {"no-autostart", SHAPE_FLAG},
        {"stop-on-reboot", SHAPE_FLAG},
        {"no-statistics", SHAPE_FLAG},
        CELL_SIZES,
        PHANDLES,
        {0},
    },
    (const struct child_rule[]){
        {"memory", &memory_rule, 1, VM_MAX_MEMORY},
        {"kernel", &image_rule, 1, 1},
        {"initrd", &image_rule, 0, 1},
        {"module", &module_rule, 0, VM_MAX_MODULES},
        {"devices", &devices_rule, 0, 1},
        {0},
    },
};

static const struct node_rule vms_rule = {
    (const struct property_rule[]){
        {"#address-cells", SHAPE_ANY}, {"#size-cells", SHAPE_ANY}, {0}},
    (const struct child_rule[]){{NULL, &vm_rule, 1, VMM_MAX_VMS}, {0}},
};

static const struct node_rule root_rule = {
    (const struct property_rule[]){
        {"#address-cells", SHAPE_ANY},
        {"#size-cells", SHAPE_ANY},
        {"compatible", SHAPE_ANY},
        {"model", SHAPE_ANY},
        {0},
    },
    (const struct child_rule[]){{"vms", &vms_rule, 1, 1}, {0}},
};

/* Where a model's device is. */
enum place {
    PLACE_ADDRESS, /* at `reg` */
    PLACE_PORTS,   /* at ports `reg` */
    PLACE_USUAL,   /* there, or where it usually is */
    PLACE_FIXED,   /* no `reg` says */
};

static const struct property_rule place_rules[][2] = {
    [PLACE_ADDRESS] = {{"reg", SHAPE_EXTENT, true}},
    [PLACE_PORTS] = {{"reg", SHAPE_EXTENT, true}},
    [PLACE_USUAL] = {{"reg", SHAPE_EXTENT}},
    [PLACE_FIXED] = {{0}},
};

/* What device models have besides the properties of all devices. */
struct model_rule {
    const char *compatible;
    enum place place;
    const struct property_rule *properties;
    const struct child_rule *children;
};

static const struct model_rule model_rules[] = {
    {"sifive,plic-1.0.0", PLACE_ADDRESS,
     (const struct property_rule[]){
         {"riscv,ndev", SHAPE_U32, .least = 1, .most = 1023}, {0}}},
    {"ns16550a", PLACE_ADDRESS,
     (const struct property_rule[]){
         {"reg-shift", SHAPE_U32, .most = 4},
         {"reg-io-width", SHAPE_U32, .least = 1, .most = 4},
         {"clock-frequency", SHAPE_U32, .least = 1, .most = UINT32_MAX},
         {"ports", SHAPE_FLAG},
         {0},
     }},
    {"virtio,blk", PLACE_ADDRESS,
     (const struct property_rule[]){
         {"file", SHAPE_STRING},
         {"size", SHAPE_NUMBER, .least = 512, .most = UINT64_MAX,
          .multiple = 512},
         {"read-only", SHAPE_FLAG},
         {"serial", SHAPE_STRING},
         {"legacy", SHAPE_FLAG},
         {0},
     }},
    {"virtio,console", PLACE_ADDRESS,
     (const struct property_rule[]){
         {"cols", SHAPE_U32, .least = 1, .most = UINT16_MAX},
         {"rows", SHAPE_U32, .least = 1, .most = UINT16_MAX},
         {"legacy", SHAPE_FLAG},
         {0},
     }},
    {"virtio,rng", PLACE_ADDRESS,
     (const struct property_rule[]){
         {"seed", SHAPE_ANY},
         {"legacy", SHAPE_FLAG},
         {0},
     }},
    {"intel,lapic", PLACE_FIXED,
     (const struct property_rule[]){{"virtual-wire", SHAPE_FLAG}, {0}}},
    {"intel,ioapic", PLACE_FIXED},
    {"intel,i8259", PLACE_FIXED},
    {"intel,i8254", PLACE_FIXED},
    {"intel,i8042", PLACE_FIXED},
    {"motorola,mc146818", PLACE_FIXED,
     (const struct property_rule[]){{"boot-time", SHAPE_U64}, {0}}},
    {"acpi-pm", PLACE_USUAL},
    {"bochs,debug-console", PLACE_PORTS},
    {"qemu,debug-exit", PLACE_PORTS},
    {"qemu,fw-cfg", PLACE_FIXED, NULL,
     (const struct child_rule[]){{NULL, &item_rule, 0, 32}, {0}}},
    {"intel,82441fx", PLACE_ADDRESS,
     (const struct property_rule[]){{"intx", SHAPE_LINES}, {0}},
     (const struct child_rule[]){{NULL, &function_rule, 0, 255}, {0}}},
    {"intel,piix4-isa", PLACE_FIXED},
    {"intel,piix4-pm", PLACE_FIXED,
     (const struct property_rule[]){{"pm-base", SHAPE_U32}, {0}}},
};

/*
 * The tables' interpreter.
 */

static bool is_text(const char *text, int size)
{
    return size >= 2 && strnlen(text, (size_t)size) == (size_t)size - 1;
}

/* What is wrong with a property's form, or NULL. */
static const char *shape_problem(enum shape shape, const void *data, int size)
{
    switch (shape) {
    case SHAPE_U32: return size == 4 ? NULL : "one cell is expected";
    case SHAPE_NUMBER:
        return size == 4 || size == 8 ? NULL : "one cell or two are expected";
    case SHAPE_STRING:
        return is_text(data, size) ? NULL : "one string is expected";
    case SHAPE_FLAG: return size == 0 ? NULL : "it is a flag and has no value";
    case SHAPE_MASKS:
        return size > 0 && size % 8 == 0
                   ? NULL
                   : "masks of 64 bits are expected: /bits/ 64 <...>";
    case SHAPE_U64: return size == 8 ? NULL : "two cells are expected";
    case SHAPE_LINES: return size == 16 ? NULL : "four cells are expected";
    case SHAPE_EXTENT:
        return size == 16 ? NULL
                          : "two cells of address and two of size are expected";
    case SHAPE_CELLS:
        return size == 4 && fdt32_ld(data) == NUMBER_CELLS ? NULL
                                                           : "it must be 2";
    case SHAPE_ANY: break;
    }
    return NULL;
}

/* A number that is not one the rule allows is refused. */
static err_t check_number(const struct check *check, int node,
                          const struct property_rule *rule, const void *data,
                          int size)
{
    uint64_t value;

    if (rule->shape != SHAPE_U32 && rule->shape != SHAPE_NUMBER)
        return OK;
    value = size == 4 ? fdt32_ld(data) : fdt64_ld(data);
    if (rule->most != 0 && (value < rule->least || value > rule->most))
        return bundle_refuse(
            check, node, "%s: %" PRIu64 " is not in %" PRIu64 " to %" PRIu64,
            rule->name, value, rule->least, rule->most);
    if (rule->multiple != 0 && value % rule->multiple != 0)
        return bundle_refuse(check, node,
                             "%s: 0x%" PRIx64 " is not a multiple of %" PRIu64,
                             rule->name, value, rule->multiple);
    return OK;
}

static const struct property_rule *
find_property_rule(const struct property_rule *rules, const char *name)
{
    for (; rules != NULL && rules->name != NULL; rules++) {
        if (strcmp(rules->name, name) == 0)
            return rules;
    }
    return NULL;
}

/* Appends `, name` for each rule: what could have been meant. */
static void list_names(const struct property_rule *rules, char *list,
                       size_t size)
{
    for (; rules != NULL && rules->name != NULL; rules++) {
        size_t used = strlen(list);
        if (strstr(rules->name, "phandle") == NULL)
            snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "",
                     rules->name);
    }
}

/* The lists that together say what a node may have; one may be NULL. */
#define RULE_LISTS 3
struct rule_lists {
    const struct property_rule *lists[RULE_LISTS];
};

static err_t refuse_unknown(const struct check *check, int node,
                            const char *name, const struct rule_lists *rules)
{
    char known[BUNDLE_WHAT_SIZE / 2] = "";

    if (strcmp(name, "data-offset") == 0 || strcmp(name, "data-size") == 0)
        return bundle_refuse(check, node,
                             "%s: bundles have it, sources have `file`", name);
    for (unsigned i = 0; i < RULE_LISTS; i++)
        list_names(rules->lists[i], known, sizeof(known));
    return bundle_refuse(check, node,
                         "%s: there is no such property here; there are: %s",
                         name, known);
}

static err_t check_property(const struct check *check, int node,
                            const char *name, const void *data, int size,
                            const struct rule_lists *rules)
{
    const struct property_rule *rule = NULL;
    const char *problem;

    for (unsigned i = 0; i < RULE_LISTS && rule == NULL; i++)
        rule = find_property_rule(rules->lists[i], name);
    if (rule == NULL)
        return refuse_unknown(check, node, name, rules);
    problem = shape_problem(rule->shape, data, size);
    if (problem != NULL)
        return bundle_refuse(check, node, "%s: %s", name, problem);
    return check_number(check, node, rule, data, size);
}

static err_t check_required(const struct check *check, int node,
                            const struct property_rule *rules)
{
    for (; rules != NULL && rules->name != NULL; rules++) {
        if (rules->required &&
            fdt_getprop(check->fdt, node, rules->name, NULL) == NULL)
            return bundle_refuse(check, node, "%s: it is missing", rules->name);
    }
    return OK;
}

/* The properties of `node` are all in the lists, and as they say. */
static err_t check_properties(const struct check *check, int node,
                              const struct rule_lists *rules)
{
    err_t error = OK;
    int property;

    fdt_for_each_property_offset(property, check->fdt, node)
    {
        const char *name;
        int size;
        const void *data =
            fdt_getprop_by_offset(check->fdt, property, &name, &size);

        error = check_property(check, node, name, data, size, rules);
        if (error != OK)
            return error;
    }
    for (unsigned i = 0; i < RULE_LISTS && error == OK; i++)
        error = check_required(check, node, rules->lists[i]);
    return error;
}

static bool rule_covers(const struct check *check, int node,
                        const struct child_rule *rule)
{
    return rule->name == NULL || bundle_has_name(check, node, rule->name);
}

/* The rule for `node` among its parent's, or NULL. */
static const struct child_rule *find_child_rule(const struct check *check,
                                                int node,
                                                const struct child_rule *rules)
{
    for (; rules != NULL && rules->rule != NULL; rules++) {
        if (rule_covers(check, node, rules))
            return rules;
    }
    return NULL;
}

static err_t check_child_counts(const struct check *check, int node,
                                const struct child_rule *rules)
{
    for (; rules != NULL && rules->rule != NULL; rules++) {
        const char *name = rules->name != NULL ? rules->name : "nodes";
        unsigned count = 0;
        int child;

        fdt_for_each_subnode(child, check->fdt, node)
        {
            if (rule_covers(check, child, rules))
                count++;
        }
        if (count < rules->least)
            return bundle_refuse(check, node, "%s: missing", name);
        if (count > rules->most)
            return bundle_refuse(check, node, "%s: %u, where %u are the most",
                                 name, count, rules->most);
    }
    return OK;
}

/* Of what is not known, the least is expected: the reader refuses it. */
static const struct model_rule *find_model(const struct check *check, int node)
{
    static const struct model_rule unknown = {.place = PLACE_ADDRESS};
    const char *compatible = fdt_getprop(check->fdt, node, "compatible", NULL);

    for (size_t i = 0; i < ARRAY_SIZE(model_rules); i++) {
        if (compatible != NULL &&
            strcmp(compatible, model_rules[i].compatible) == 0)
            return &model_rules[i];
    }
    return &unknown;
}

static err_t check_node(const struct check *check, int node,
                        const struct node_rule *rule)
{
    bool is_function = rule == &function_rule;
    bool is_device = rule == &device_rule || is_function;
    const struct model_rule *model = is_device ? find_model(check, node) : NULL;
    const struct child_rule *children =
        model != NULL ? model->children : rule->children;
    const struct rule_lists rules = {{
        rule->properties,
        model != NULL && !is_function ? place_rules[model->place] : NULL,
        model != NULL ? model->properties : NULL,
    }};
    err_t error = check_properties(check, node, &rules);
    int child;

    if (error == OK)
        error = check_child_counts(check, node, children);
    if (error != OK)
        return error;
    fdt_for_each_subnode(child, check->fdt, node)
    {
        const struct child_rule *next = find_child_rule(check, child, children);

        if (next == NULL)
            return bundle_refuse(check, child, "there is no such node here");
        error = check_node(check, child, next->rule);
        if (error != OK)
            return error;
    }
    return OK;
}

bool bundle_is_at_ports(const struct check *check, int node)
{
    enum place place = find_model(check, node)->place;

    return place == PLACE_PORTS || place == PLACE_USUAL ||
           fdt_getprop(check->fdt, node, "ports", NULL) != NULL;
}

err_t bundle_refuse(const struct check *check, int node, const char *format,
                    ...)
{
    char path[PATH_SIZE];
    va_list args;
    int used;

    if (fdt_get_path(check->fdt, node, path, sizeof(path)) != 0)
        snprintf(path, sizeof(path), "(a node nested too deeply)");
    used = snprintf(check->what, BUNDLE_WHAT_SIZE, "%s: ", path);
    va_start(args, format);
    vsnprintf(check->what + used, BUNDLE_WHAT_SIZE - (size_t)used, format,
              args);
    va_end(args);
    return ERR_INVALID_INPUT;
}

bool bundle_has_name(const struct check *check, int node, const char *name)
{
    const char *full = fdt_get_name(check->fdt, node, NULL);
    size_t size = strcspn(full, "@");

    return strlen(name) == size && strncmp(full, name, size) == 0;
}

err_t bundle_check_rules(const struct check *check)
{
    return check_node(check, 0, &root_rule);
}
