/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A board of one device with ports, a tree that describes it, and the guest's
 * accesses. Time is the simulator's, and stands still.
 */
#ifndef TESTS_PC_PORTS_H
#define TESTS_PC_PORTS_H

#include <criterion/criterion.h>
#include <libfdt.h>

#include "addrspace/aspace.h"
#include "device/bus.h"
#include "device/parse.h"
#include "memory/arena.h"

#define PORTS_RAM      UINT64_C(0x80000000)
#define PORTS_RAM_SIZE UINT64_C(0x400000)

struct ports {
    struct arena arena;
    struct aspace memory;
    struct device_set set;
    struct device_context context;
    struct irq_chip chip;
    struct device *device;
    bool line;
    unsigned rises;
    struct chardev console;
    char output[64];
    size_t output_size;
    unsigned downs, reboots, failures;
    uint32_t code;
    _Alignas(8) char tree[4096];
};

/* Begins a board, and the tree up to the device's node, to which properties
 * and children can be added. */
void ports_begin(struct ports *ports, const char *compatible);
/* Ends the tree, and adds the device or says why not. */
err_t ports_try(struct ports *ports, const char **what);
/* Both, with `reg` unless `size` is 0, and it must succeed. */
void ports_make(struct ports *ports, const char *compatible, uint64_t base,
                uint64_t size);
void ports_free(struct ports *ports);

uint32_t ports_in(struct ports *ports, uint64_t port, unsigned width);
void ports_out(struct ports *ports, uint64_t port, unsigned width,
               uint32_t value);

#endif
