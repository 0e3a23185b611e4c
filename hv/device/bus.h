/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM's buses: which device answers an access. Ranges are sorted, and the
 * last hits are cached by page, so that an access costs the same whatever the
 * number of devices.
 */
#ifndef DEVICE_BUS_H
#define DEVICE_BUS_H

#include "device/device.h"

#define BUS_MAX_RANGES  128
#define BUS_CACHE_SLOTS 64

/* One device's range, as the bus keeps it. */
struct bus_slot {
    uint64_t base;
    uint64_t end; /* the first address behind it */
    struct device *device;
    const struct device_range *range;
};

struct bus {
    unsigned count;
    struct bus_slot slots[BUS_MAX_RANGES]; /* by base, disjoint */
    uint8_t cache[BUS_CACHE_SLOTS]; /* by page number: slot index + 1 */
};

struct device_set {
    struct bus buses[BUS_KIND_COUNT];
    unsigned count;
    struct device *devices[BUS_MAX_RANGES];
};

/*
 * Adds a device with all its ranges, or nothing. ERR_INVALID_INPUT: a range
 * is empty or wraps; ERR_ALREADY_EXISTS: it overlaps another one, or another
 * device drives the same interrupt; ERR_NO_MEMORY: the table is full.
 * `conflict`, if not NULL, is set to the device in the way.
 */
err_t device_set_add(struct device_set *set, struct device *device,
                     struct device **conflict) MUST_CHECK;

/* The device called `name`, or NULL. */
struct device *device_set_find(const struct device_set *set, const char *name);

/* Resets every device, in the order in which they were added. */
void device_set_reset(struct device_set *set);

/* The slot that answers `address`, or NULL. */
const struct bus_slot *bus_find(struct bus *bus, uint64_t address);

/*
 * An access of `width` bytes (1, 2, 4 or 8) at `address`. ERR_NOT_FOUND: no
 * device; ERR_INVALID_INPUT: it is misaligned, leaves the device's range, or
 * has a width the device does not know; otherwise what the device says.
 */
err_t bus_read(struct bus *bus, uint64_t address, unsigned width,
               uint64_t *value) MUST_CHECK;
err_t bus_write(struct bus *bus, uint64_t address, unsigned width,
                uint64_t value) MUST_CHECK;

#endif
