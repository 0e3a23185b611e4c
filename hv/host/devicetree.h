/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine, as its device tree (Devicetree Specification 0.4) describes it
 * to the boot CPU. One pass over the tree collects all of it.
 */
#ifndef HOST_DEVICETREE_H
#define HOST_DEVICETREE_H

#include <stddef.h>

#include "host/board.h"

#define TREE_MAX_UARTS 4
#define TREE_PATH_SIZE 64

struct tree_node;

struct tree_uart {
    char path[TREE_PATH_SIZE];
    struct board_console console;
};

struct devicetree {
    struct board board;
    /* Called for each node of the architecture's own. */
    void (*visit)(struct devicetree *tree, const struct tree_node *node);

    const void *fdt;
    uint64_t fdt_size;
    const char *stdout_path;
    uint32_t uart_count;
    struct tree_uart uarts[TREE_MAX_UARTS];
};

/* The properties that are looked at. */
#define FDT_NODE_PROPERTIES(X)                      \
    X(ADDRESS_CELLS, "#address-cells")              \
    X(SIZE_CELLS, "#size-cells")                    \
    X(BOOTARGS, "bootargs")                         \
    X(COMPATIBLE, "compatible")                     \
    X(DEVICE_TYPE, "device_type")                   \
    X(INITRD_END, "linux,initrd-end")               \
    X(INITRD_START, "linux,initrd-start")           \
    X(INTERRUPTS, "interrupts")                     \
    X(INTERRUPTS_EXTENDED, "interrupts-extended")   \
    X(PHANDLE, "phandle")                           \
    X(REG, "reg")                                   \
    X(REG_IO_WIDTH, "reg-io-width")                 \
    X(REG_SHIFT, "reg-shift")                       \
    X(RISCV_ISA, "riscv,isa")                       \
    X(RISCV_ISA_EXTENSIONS, "riscv,isa-extensions") \
    X(RISCV_NDEV, "riscv,ndev")                     \
    X(STATUS, "status")                             \
    X(STDOUT_PATH, "stdout-path")                   \
    X(TIMEBASE_FREQUENCY, "timebase-frequency")

enum tree_property {
#define X(id, name) PROPERTY_##id,
    FDT_NODE_PROPERTIES(X)
#undef X
        PROPERTY_COUNT
};

/* A node whose properties have been read. */
struct tree_node {
    const struct tree_node *parent; /* NULL: this is the root */
    const char *name;
    uint32_t address_cells, size_cells; /* of its children's reg */
    uint32_t present;                   /* bit n: properties[n] is there */
    struct {
        const void *data;
        uint32_t size;
    } properties[PROPERTY_COUNT];
};

/*
 * Reads the tree; `visit` is set, and more may have been reserved. Refuses to
 * go on (host_refuse) when the tree is broken or has no memory.
 */
void devicetree_read(struct devicetree *tree, const void *fdt);

/* The property's bytes and how many there are; NULL, 0 without it. */
const void *tree_property(const struct tree_node *node,
                          enum tree_property property, uint32_t *size);
/* A property of one cell, or `otherwise`. */
uint32_t tree_cell(const struct tree_node *node, enum tree_property property,
                   uint32_t otherwise);
/* Whether one of the strings in the property is `text`. */
bool tree_has_string(const struct tree_node *node, enum tree_property property,
                     const char *text);
/* Entry `index` of reg. */
bool tree_reg(const struct tree_node *node, unsigned index,
              struct range *range);
/* "okay", or no status. */
bool tree_is_enabled(const struct tree_node *node);
/* Whether the node's name without unit address is `name`. */
bool tree_is_named(const struct tree_node *node, const char *name);

#endif
