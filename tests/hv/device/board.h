/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A board around devices under test: a configuration to make them from, a bus
 * to reach them by as a guest does, inputs that record what their interrupt
 * lines do, and a console.
 */
#ifndef TESTS_DEVICE_BOARD_H
#define TESTS_DEVICE_BOARD_H

#include <criterion/criterion.h>

#include "device/bus.h"
#include "device/parse.h"
#include "memory/arena.h"

#define BOARD_IRQS   32
#define BOARD_VECTOR 10 /* the external interrupt of its vCPUs */

/* A property of one device's configuration node. */
struct property {
    const char *name; /* NULL ends a list */
    const void *data; /* NULL: the bytes below */
    int size;
    uint8_t bytes[32];
};

/* Big-endian cells. */
#define CELL(v)                                                     \
    (uint8_t)((uint32_t)(v) >> 24), (uint8_t)((uint32_t)(v) >> 16), \
        (uint8_t)((uint32_t)(v) >> 8), (uint8_t)((uint32_t)(v)&0xff)
#define CELL64(v) CELL((uint64_t)(v) >> 32), CELL((uint64_t)(v))

/* What follows the name of a property: bytes, a string, a pointer. */
#define CELLS(...)                                     \
    NULL, (int)sizeof((const uint8_t[]){__VA_ARGS__}), \
    {                                                  \
        __VA_ARGS__                                    \
    }
#define TEXT(text)        \
    (text), sizeof(text), \
    {                     \
        0                 \
    }
#define DATA(data, size) \
    (data), (size),      \
    {                    \
        0                \
    }
#define END_OF_PROPERTIES \
    {                     \
        NULL, NULL, 0,    \
        {                 \
            0             \
        }                 \
    }

struct board {
    struct arena arena;
    struct device_set set;
    struct device_context context;
    struct irq_chip chip;
    bool lines[BOARD_IRQS];
    unsigned line_changes; /* calls of set_level that changed one */

    struct chardev console;
    uint8_t input[4096];
    size_t input_start, input_end;
    uint8_t output[4096];
    size_t output_size;

    unsigned downs, reboots, failures; /* what system_down was called for */
    uint32_t code;

    char tree[4096]; /* the configuration of the last device made */
    char guest_tree[4096];
};

/* A fresh host, and a board on it. */
void board_make(struct board *board, uint32_t vcpus);
/* Ends it; nothing may have leaked. */
void board_end(struct board *board);

/* Makes the context's tree one device node of these properties. */
void board_configure(struct board *board, const char *name,
                     const struct property *properties);
/* The same, and adds the device, which must succeed. */
struct device *board_add(struct board *board, const char *name,
                         const struct property *properties);

/* An access as a guest makes it, which must succeed. */
uint64_t board_read(struct board *board, uint64_t address, unsigned width);
void board_write(struct board *board, uint64_t address, unsigned width,
                 uint64_t value);

/* Types at the console; the device is told. */
void board_type(struct board *board, const void *bytes, size_t size);

/* The device's node in a guest's tree, whose root it is in: its offset. */
int board_describe(struct board *board, const struct device *device);
/* Whether a node of the guest's tree has the property with that value. */
bool board_described(const struct board *board, int node, const char *name,
                     const void *data, int size);

/* Whether two objects hold the same bytes, padding included. */
bool same_bytes(const void *a, const void *b, size_t size);

/* A number below `limit`, from `state`. */
uint64_t random_below(uint64_t *state, uint64_t limit);

#endif
