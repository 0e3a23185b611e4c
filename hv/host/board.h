/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine, as its device tree (Devicetree Specification 0.4) describes it
 * to the boot CPU. One pass over the tree collects all of it.
 */
#ifndef HOST_BOARD_H
#define HOST_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/host.h"

struct range {
    uint64_t start;
    uint64_t size;
};

static inline uint64_t range_end(struct range range)
{
    return range.start + range.size;
}

#define BOARD_MAX_RAM      8
#define BOARD_MAX_RESERVED 32
#define BOARD_MAX_UARTS    4
#define BOARD_PATH_SIZE    64

struct board_cpu {
    uint64_t hw_id;
    uint32_t intc;     /* phandle of its interrupt controller's node */
    uint32_t features; /* the architecture's own bits */
    bool usable;
};

struct board_uart {
    char path[BOARD_PATH_SIZE];
    struct range reg;
    uint32_t irq; /* 0: none */
    uint8_t reg_shift;
    uint8_t reg_width; /* bytes */
};

struct board_irq_chip {
    struct range reg;
    const void *contexts; /* interrupts-extended */
    uint32_t contexts_size;
    uint32_t sources;
};

struct board {
    const void *fdt;
    uint64_t fdt_size;
    uint32_t ram_count;
    uint32_t reserved_count;
    struct range ram[BOARD_MAX_RAM];
    struct range reserved[BOARD_MAX_RESERVED]; /* not for the allocator */
    struct range bundle;                       /* /chosen's initrd */
    const char *stdout_path;
    const char *bootargs;
    struct board_irq_chip irq_chip;
    struct range finisher;            /* sifive,test0; size 0: there is none */
    const struct board_uart *console; /* NULL: the firmware's */
    uint32_t uart_count;
    struct board_uart uarts[BOARD_MAX_UARTS];
    uint64_t timebase; /* Hz */
    uint32_t cpu_count;
    uint32_t cpus_ignored; /* beyond MAX_CPU_NUM */
    struct board_cpu cpus[MAX_CPU_NUM];
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

enum board_property {
#define X(id, name) PROPERTY_##id,
    FDT_NODE_PROPERTIES(X)
#undef X
        PROPERTY_COUNT
};

/* A node whose properties have been read. */
struct board_node {
    const struct board_node *parent; /* NULL: this is the root */
    const char *name;
    uint32_t address_cells, size_cells; /* of its children's reg */
    uint32_t present;                   /* bit n: properties[n] is there */
    struct {
        const void *data;
        uint32_t size;
    } properties[PROPERTY_COUNT];
};

/*
 * Reads the tree. Refuses to go on (host_refuse) when it is broken or has no
 * memory.
 */
void board_read(struct board *board, const void *fdt);

/* The architecture's own nodes; called once for each node. */
void machine_visit_node(struct board *board, const struct board_node *node);

/* The property's bytes and how many there are; NULL, 0 without it. */
const void *board_property(const struct board_node *node,
                           enum board_property property, uint32_t *size);
/* A property of one cell, or `otherwise`. */
uint32_t board_cell(const struct board_node *node, enum board_property property,
                    uint32_t otherwise);
/* Whether one of the strings in the property is `text`. */
bool board_has_string(const struct board_node *node,
                      enum board_property property, const char *text);
/* Entry `index` of reg. */
bool board_reg(const struct board_node *node, unsigned index,
               struct range *range);
/* "okay", or no status. */
bool board_is_enabled(const struct board_node *node);
/* Whether the node's name without unit address is `name`. */
bool board_is_named(const struct board_node *node, const char *name);

void board_reserve(struct board *board, uint64_t start, uint64_t size);

#endif
