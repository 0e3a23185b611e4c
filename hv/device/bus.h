/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM's buses: which device answers an access.
 *
 * Ranges are sorted and disjoint. Where an access of a page (of eight ports,
 * of a system register) hit last is remembered, so that the next one costs the
 * same whatever the number of devices.
 *
 * Addresses of BUS_MMIO and BUS_PORT count bytes; those of BUS_SYSREG count
 * registers, each of which is accessed whole.
 *
 * Devices are added while nothing accesses the buses. Accesses may come from
 * any CPU at any time: each device has a lock, which the bus takes.
 */
#ifndef DEVICE_BUS_H
#define DEVICE_BUS_H

#include "device/device.h"

#define BUS_MAX_RANGES 128
#define BUS_HINTS      256

/* One device's range, as the bus keeps it: all that an access needs. */
struct bus_slot {
    uint64_t base;
    uint64_t size;
    struct device *device;
    uint8_t index;  /* given to the device: which of its ranges */
    uint8_t widths; /* WIDTH_ bits, of those that divide base and size */
    uint8_t span;   /* mask of the bits of width - 1 that addresses count */
};

struct bus {
    uint32_t count;
    uint32_t page_shift; /* log2 of the addresses that share a hint */
    struct bus_slot slots[BUS_MAX_RANGES]; /* by base, disjoint */
    /* The slot that was hit last, or NULL. */
    _Atomic(const struct bus_slot *) hints[BUS_HINTS];
};

struct device_set {
    struct bus buses[BUS_KIND_COUNT];
    unsigned count;
    struct device *devices[BUS_MAX_RANGES];
};

/*
 * Adds a device with all its ranges, or nothing, and gives it its phandle. Of
 * its access widths those remain that divide a range's base and size.
 * ERR_INVALID_INPUT: a range is empty, wraps, or is on no bus, or there is
 * none; ERR_ALREADY_EXISTS: a range overlaps another one, or another device
 * has its name or drives the same interrupt; ERR_NO_MEMORY: a table is full.
 * `conflict`, if not NULL, is set to the device in the way, or to NULL.
 */
err_t device_set_add(struct device_set *set, struct device *device,
                     struct device **conflict) MUST_CHECK;

/*
 * Resets every device: interrupt controllers last, when the others have
 * lowered their lines.
 */
void device_set_reset(struct device_set *set);

/* The end of all devices: none of them has a timer when this returns. */
void device_set_release(struct device_set *set);

/*
 * The hint of an address. Pages are folded so that a device that differs from
 * another only in high bits of its address, as on a board they often do, has
 * hints of its own.
 */
static inline _Atomic(const struct bus_slot *) *bus_hint(struct bus *bus,
                                                         uint64_t address)
{
    uint64_t page = address >> bus->page_shift;

    return &bus->hints[(page ^ page >> 8) % BUS_HINTS];
}

/* bus_find() where the hint does not help; gives a new hint. */
const struct bus_slot *bus_search(struct bus *bus, uint64_t address);

/* The slot that answers `address`, or NULL. */
static inline const struct bus_slot *bus_find(struct bus *bus, uint64_t address)
{
    const struct bus_slot *slot =
        atomic_load_explicit(bus_hint(bus, address), memory_order_relaxed);

    if (likely(slot != NULL) && likely(address - slot->base < slot->size))
        return slot;
    return bus_search(bus, address);
}

/*
 * An access of `width` bytes at `address`, which the slot answers. Of a
 * write's value the bytes above the width count for nothing; `*value` is set
 * only on success. ERR_INVALID_INPUT: the access is misaligned, leaves the
 * range, or is of a width that the device does not know; otherwise what the
 * device says.
 */
err_t bus_slot_read(const struct bus_slot *slot, uint64_t address,
                    uint64_t width, uint64_t *value) MUST_CHECK;
err_t bus_slot_write(const struct bus_slot *slot, uint64_t address,
                     uint64_t width, uint64_t value) MUST_CHECK;

/* The same at whatever answers `address`; ERR_NOT_FOUND: nothing does. */
err_t bus_read(struct bus *bus, uint64_t address, unsigned width,
               uint64_t *value) MUST_CHECK;
err_t bus_write(struct bus *bus, uint64_t address, unsigned width,
                uint64_t value) MUST_CHECK;

#endif
