/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the machine's device tree: see devicetree.h. Addresses are taken as the
 * root sees them: a bus with a translation in `ranges` is not followed, since
 * no console or interrupt controller sits behind one on the machines that the
 * image knows.
 *
 * The tree comes from the firmware, so a broken one ends the boot with a
 * message. It is read in one pass by a walk of our own: libfdt's, which look
 * at every byte of every name several times, would be the larger part of what
 * booting costs.
 */
#include "host/devicetree.h"

#include <libfdt.h>

#include "host/host.h"
#include "lib/bits.h"
#include "lib/string.h"

#define MAX_DEPTH 8

static const char *const property_names[PROPERTY_COUNT] = {
#define X(id, name) [PROPERTY_##id] = (name),
    FDT_NODE_PROPERTIES(X)
#undef X
};

/* Device trees align cells to 4 bytes, and no better. */
static uint64_t read_cells(const void *data, uint32_t cells)
{
    const fdt32_t *cell = data;
    uint64_t value = 0;

    for (uint32_t i = 0; i < cells; i++)
        value = value << 32 | fdt32_to_cpu(cell[i]);
    return value;
}

const void *tree_property(const struct tree_node *node,
                          enum tree_property property, uint32_t *size)
{
    bool present = (node->present & BIT(property)) != 0;

    *size = present ? node->properties[property].size : 0;
    return present ? node->properties[property].data : NULL;
}

uint32_t tree_cell(const struct tree_node *node, enum tree_property property,
                   uint32_t otherwise)
{
    uint32_t size;
    const void *data = tree_property(node, property, &size);

    return size == sizeof(fdt32_t) ? (uint32_t)read_cells(data, 1) : otherwise;
}

/* A property that holds one string, or NULL. */
static const char *read_string(const struct tree_node *node,
                               enum tree_property property)
{
    uint32_t size;
    const char *text = tree_property(node, property, &size);

    return size != 0 && text[size - 1] == '\0' ? text : NULL;
}

bool tree_has_string(const struct tree_node *node, enum tree_property property,
                     const char *text)
{
    uint32_t size;
    const char *list = tree_property(node, property, &size);

    return list != NULL && fdt_stringlist_contains(list, (int)size, text) != 0;
}

/* A number of one or two cells. */
static bool read_number(const struct tree_node *node,
                        enum tree_property property, uint64_t *value)
{
    uint32_t size;
    const void *data = tree_property(node, property, &size);

    if (size != 4 && size != 8)
        return false;
    *value = read_cells(data, size / 4);
    return true;
}

bool tree_reg(const struct tree_node *node, unsigned index, struct range *range)
{
    uint32_t address = node->parent->address_cells;
    uint32_t length = node->parent->size_cells;
    uint64_t cells = (uint64_t)address + length;
    uint64_t first = index * cells;
    uint32_t size;
    const fdt32_t *reg = tree_property(node, PROPERTY_REG, &size);

    if (cells == 0 || address > 2 || length > 2 ||
        (first + cells) * sizeof(*reg) > size)
        return false;
    range->start = read_cells(reg + first, address);
    range->size = read_cells(reg + first + address, length);
    return range->start + range->size >= range->start;
}

bool tree_is_enabled(const struct tree_node *node)
{
    uint32_t size;

    return tree_property(node, PROPERTY_STATUS, &size) == NULL ||
           tree_has_string(node, PROPERTY_STATUS, "okay") ||
           tree_has_string(node, PROPERTY_STATUS, "ok");
}

bool tree_is_named(const struct tree_node *node, const char *name)
{
    size_t length = strlen(name);

    return strncmp(node->name, name, length) == 0 &&
           (node->name[length] == '\0' || node->name[length] == '@');
}

static void tree_add_ram(struct devicetree *tree, const struct tree_node *node)
{
    struct range range;

    for (unsigned i = 0; tree_reg(node, i, &range); i++)
        board_add_ram(&tree->board, range.start, range.size);
}

static void tree_reserve(struct devicetree *tree, const struct tree_node *node)
{
    struct range range;

    if (!tree_is_enabled(node))
        return;
    for (unsigned i = 0; tree_reg(node, i, &range); i++)
        board_reserve(&tree->board, range.start, range.size);
}

static void tree_read_chosen(struct devicetree *tree,
                             const struct tree_node *node)
{
    uint64_t start, end;

    tree->stdout_path = read_string(node, PROPERTY_STDOUT_PATH);
    tree->board.bootargs = read_string(node, PROPERTY_BOOTARGS);
    if (read_number(node, PROPERTY_INITRD_START, &start) &&
        read_number(node, PROPERTY_INITRD_END, &end) && end > start)
        board_set_bundle(&tree->board, start, end - start);
}

/* The node's path; false when it does not fit. */
static bool write_path(const struct tree_node *node, char *path, size_t size)
{
    size_t used, length = strlen(node->name);

    if (node->parent == NULL) {
        path[0] = '\0';
        return true;
    }
    if (!write_path(node->parent, path, size))
        return false;
    used = strlen(path);
    if (used + 1 + length + 1 > size)
        return false;
    path[used] = '/';
    memcpy(path + used + 1, node->name, length + 1);
    return true;
}

static void tree_add_uart(struct devicetree *tree, const struct tree_node *node)
{
    struct tree_uart *uart = &tree->uarts[tree->uart_count];
    struct board_console *console = &uart->console;
    struct range reg;
    uint32_t size;
    const void *interrupts = tree_property(node, PROPERTY_INTERRUPTS, &size);

    if (tree->uart_count == TREE_MAX_UARTS || !tree_is_enabled(node) ||
        !tree_reg(node, 0, &reg) ||
        !write_path(node, uart->path, sizeof(uart->path)))
        return;
    *console = (struct board_console){
        .address = reg.start,
        .size = reg.size,
        .irq = size >= 4 ? (uint32_t)read_cells(interrupts, 1) : 0,
        .reg_shift = (uint8_t)tree_cell(node, PROPERTY_REG_SHIFT, 0),
        .reg_width = (uint8_t)tree_cell(node, PROPERTY_REG_IO_WIDTH, 1),
    };
    if (console->reg_shift <= 3 &&
        (console->reg_width == 1 || console->reg_width == 4))
        tree->uart_count++;
}

static void tree_visit(struct devicetree *tree, const struct tree_node *node)
{
    const struct tree_node *parent = node->parent;

    if (parent == NULL)
        return;
    if (tree_has_string(node, PROPERTY_DEVICE_TYPE, "memory"))
        tree_add_ram(tree, node);
    else if (parent->parent != NULL && parent->parent->parent == NULL &&
             tree_is_named(parent, "reserved-memory"))
        tree_reserve(tree, node);
    else if (parent->parent == NULL && tree_is_named(node, "chosen"))
        tree_read_chosen(tree, node);
    else if (tree_has_string(node, PROPERTY_COMPATIBLE, "ns16550a"))
        tree_add_uart(tree, node);
    else
        tree->visit(tree, node);
}

static void node_begin(struct tree_node *node, const struct tree_node *parent,
                       const char *name)
{
    node->parent = parent;
    node->name = name;
    node->present = 0;
}

static void node_finish(struct devicetree *tree, struct tree_node *node)
{
    /* Their default values: Devicetree Specification, section 2.3.5. */
    node->address_cells = tree_cell(node, PROPERTY_ADDRESS_CELLS, 2);
    node->size_cells = tree_cell(node, PROPERTY_SIZE_CELLS, 1);
    tree_visit(tree, node);
}

static void node_add(struct tree_node *node, const char *name, const void *data,
                     uint32_t size)
{
    for (unsigned i = 0; i < PROPERTY_COUNT; i++) {
        if (property_names[i][0] == name[0] &&
            strcmp(property_names[i], name) == 0) {
            node->present |= (uint32_t)BIT(i);
            node->properties[i].data = data;
            node->properties[i].size = size;
            return;
        }
    }
}

/* Where the walk is in the structure block, and the strings block. */
struct walk {
    const fdt32_t *at, *end;
    const char *strings;
    uint32_t strings_size;
};

static _Noreturn void walk_refuse(void)
{
    host_refuse("the machine's device tree is broken");
}

static uint32_t walk_cell(struct walk *walk)
{
    if (walk->at == walk->end)
        walk_refuse();
    return fdt32_to_cpu(*walk->at++);
}

/* The next `size` bytes, padded to cells. */
static const void *walk_bytes(struct walk *walk, uint32_t size)
{
    const void *bytes = walk->at;
    uint64_t cells = ((uint64_t)size + sizeof(fdt32_t) - 1) / sizeof(fdt32_t);

    if (cells > (uint64_t)(walk->end - walk->at))
        walk_refuse();
    walk->at += cells;
    return bytes;
}

static const char *walk_name(struct walk *walk)
{
    const char *name = (const char *)walk->at;
    size_t limit = (size_t)((const char *)walk->end - name);
    size_t length = strnlen(name, limit);

    if (length == limit)
        walk_refuse();
    return walk_bytes(walk, (uint32_t)length + 1);
}

/* Adds the property that comes next to `node`, if that is not NULL. */
static void walk_property(struct walk *walk, struct tree_node *node)
{
    uint32_t size = walk_cell(walk);
    uint32_t name = walk_cell(walk);
    const void *data = walk_bytes(walk, size);

    if (name >= walk->strings_size)
        walk_refuse();
    if (node != NULL)
        node_add(node, walk->strings + name, data, size);
}

static struct walk walk_begin(const void *fdt)
{
    const char *base = fdt;
    const char *structure = base + fdt_off_dt_struct(fdt);
    struct walk walk = {
        .at = (const void *)structure,
        .end = (const void *)(structure + fdt_size_dt_struct(fdt)),
        .strings = base + fdt_off_dt_strings(fdt),
        .strings_size = fdt_size_dt_strings(fdt),
    };

    /* The last string ends within the block: then all of them do. */
    if (walk.strings_size == 0 || walk.strings[walk.strings_size - 1] != '\0' ||
        fdt_off_dt_struct(fdt) % sizeof(fdt32_t) != 0)
        walk_refuse();
    return walk;
}

/* Nodes deeper than MAX_DEPTH are passed over: none of them matters here. */
static void tree_walk(struct devicetree *tree)
{
    struct walk walk = walk_begin(tree->fdt);
    struct tree_node nodes[MAX_DEPTH];
    struct tree_node *node = NULL; /* whose properties are being read */
    unsigned depth = 0;            /* of the current node, from 1 */
    uint32_t tag;

    while ((tag = walk_cell(&walk)) != FDT_END) {
        if (tag == FDT_PROP) {
            walk_property(&walk, node);
            continue;
        }
        if (node != NULL && tag != FDT_NOP) {
            node_finish(tree, node);
            node = NULL;
        }
        if (tag == FDT_BEGIN_NODE) {
            const char *name = walk_name(&walk);
            if (++depth <= MAX_DEPTH) {
                node = &nodes[depth - 1];
                node_begin(node, depth > 1 ? node - 1 : NULL, name);
            }
        } else if (tag == FDT_END_NODE && depth != 0) {
            depth--;
        } else if (tag != FDT_NOP) {
            walk_refuse();
        }
    }
}

static void tree_choose_console(struct devicetree *tree)
{
    const char *path = tree->stdout_path;
    size_t length;

    if (path == NULL)
        return;
    length = strlen(path);
    if (strchr(path, ':') != NULL) /* its options: speed and so on */
        length = (size_t)(strchr(path, ':') - path);
    if (path[0] != '/') {
        path = fdt_get_alias_namelen(tree->fdt, path, (int)length);
        if (path == NULL)
            return;
        length = strlen(path);
    }
    for (uint32_t i = 0; i < tree->uart_count; i++) {
        if (strncmp(tree->uarts[i].path, path, length) == 0 &&
            tree->uarts[i].path[length] == '\0')
            tree->board.console = &tree->uarts[i].console;
    }
}

void devicetree_read(struct devicetree *tree, const void *fdt)
{
    struct board *board = &tree->board;

    tree->fdt = fdt;
    if (fdt == NULL || fdt_check_header(fdt) != 0)
        host_refuse("the boot loader passed no device tree; start the image "
                    "with one in a1, as QEMU and OpenSBI do");
    tree->fdt_size = fdt_totalsize(fdt);
    board_reserve(board, (uint64_t)(uintptr_t)fdt, tree->fdt_size);
    for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
        uint64_t start, size;
        if (fdt_get_mem_rsv(fdt, i, &start, &size) == 0)
            board_reserve(board, start, size);
    }
    tree_walk(tree);
    tree_choose_console(tree);
    if (board->ram_count == 0)
        host_refuse("the machine's device tree names no memory");
}
