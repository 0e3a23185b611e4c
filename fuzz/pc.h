/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the targets of a PC's devices share: a board with all controllers and
 * one device, put back for each input, and virtual time. A tick of the clock
 * is a nanosecond.
 */
#ifndef FUZZ_PC_H
#define FUZZ_PC_H

#include <libfdt.h>
#include <string.h>

#include "device/bus.h"
#include "device/parse.h"
#include "device/pc/lapic.h"
#include "fuzz/device.h"
#include "fuzz/rewind.h"
#include "memory/arena.h"
#include "sim/clock.h"
#include "sim/ram.h"

#define FUZZ_PC_VCPUS 3

struct fuzz_pc {
    struct arena arena;
    struct device_set set;
    struct lapics *lapics;
    struct irq_chip *gsi;
};

static inline struct device *fuzz_pc_add(struct fuzz_pc *pc,
                                         const char *compatible)
{
    static uint8_t tree[1024];
    const struct device_context context = {
        .arena = &pc->arena,
        .irq_chip = pc->gsi,
        .vcpu_count = FUZZ_PC_VCPUS,
        .fdt = tree,
        .node = fuzz_make_node(tree, sizeof(tree), compatible, 0x1000, NULL, 0),
    };
    struct device *device = NULL;
    const char *what = "";

    fuzz_need(device_from_node(&context, &device, &what) == OK, what);
    (void)memcpy(device->name, compatible, strlen(compatible) + 1);
    fuzz_need(device_set_add(&pc->set, device, NULL) == OK, compatible);
    return device;
}

static inline struct fuzz_pc *fuzz_pc_make(const char *compatible)
{
    struct fuzz_pc *pc;
    struct device *lapic;

    ram_reset(0);
    clock_reset();
    clock_set_frequency(1000000000);
    pc = fuzz_new(sizeof(*pc));
    lapic = fuzz_pc_add(pc, "intel,lapic");
    pc->gsi = lapic->model->irq_chip(lapic);
    pc->lapics = lapics_of_chip(pc->gsi);
    (void)fuzz_pc_add(pc, "intel,ioapic");
    (void)fuzz_pc_add(pc, "intel,i8259");
    if (compatible != NULL)
        (void)fuzz_pc_add(pc, compatible);
    return pc;
}

/* For an input: the controllers, and a device unless `compatible` is NULL, as
 * they are when they have just been made, and `prepare` has been called. The
 * board is *pc, NULL at first. */
static inline void fuzz_pc_begin(struct fuzz_pc **pc, const char *compatible,
                                 void (*prepare)(void))
{
    if (*pc == NULL) {
        *pc = fuzz_pc_make(compatible);
        prepare();
        fuzz_remember();
    }
    fuzz_rewind();
}

/* What is undone by the next input's beginning, too, but for the last. */
static inline void fuzz_pc_end(struct fuzz_pc **pc)
{
    device_set_release(&(*pc)->set);
    fuzz_need(clock_timer_count() == 0, "a timer is left");
    if (!fuzz_is_last())
        return;
    arena_free_all(&(*pc)->arena);
    fuzz_delete(*pc, sizeof(**pc));
    fuzz_need(ram_frames_in_use() == 0, "frames have leaked");
    *pc = NULL;
}

/* What a guest can access must not fail. */
static inline uint64_t fuzz_pc_read(struct fuzz_pc *pc, enum bus_kind bus,
                                    uint64_t address, unsigned width)
{
    uint64_t value = 0;

    fuzz_need(bus_read(&pc->set.buses[bus], address, width, &value) == OK,
              "a read fails");
    return value;
}

static inline void fuzz_pc_write(struct fuzz_pc *pc, enum bus_kind bus,
                                 uint64_t address, unsigned width,
                                 uint64_t value)
{
    fuzz_need(bus_write(&pc->set.buses[bus], address, width, value) == OK,
              "a write fails");
}

static inline uint8_t fuzz_pc_in(struct fuzz_pc *pc, uint64_t port)
{
    return (uint8_t)fuzz_pc_read(pc, BUS_PORT, port, 1);
}

static inline void fuzz_pc_out(struct fuzz_pc *pc, uint64_t port, uint8_t value)
{
    fuzz_pc_write(pc, BUS_PORT, port, 1, value);
}

/* Lets time pass; more timers than one each 10 us, and a few, are too many. */
static inline void fuzz_pc_run(uint64_t nanos)
{
    uint64_t end = clock_nanos() + nanos;
    uint64_t limit = nanos / 10000 + 64;

    while (clock_next_deadline(0) <= end) {
        fuzz_need(limit-- != 0, "timers keep the host busy");
        clock_set_nanos(clock_next_deadline(0));
        clock_fire_due(0);
    }
    clock_set_nanos(end);
}

#endif
