/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the device that answers an access, and makes it; see bus.h. What an
 * access may be is worked out when the device is added, so that a read touches
 * one line of the bus and one of the device before the device's own.
 */
#include "device/bus.h"

#include "lib/bits.h"
#include "lib/check.h"
#include "lib/string.h"

_Static_assert(sizeof(struct bus_slot) == 32, "two slots in a cache line");

/* What is different on the buses. */
static const struct {
    uint8_t page_shift;
    uint8_t span;
} bus_kinds[BUS_KIND_COUNT] = {
    [BUS_MMIO] = {PAGE_SHIFT, 7},
    [BUS_PORT] = {3, 7},
    [BUS_SYSREG] = {0, 0},
};

static inline bool slot_has(const struct bus_slot *slot, uint64_t address)
{
    return address - slot->base < slot->size;
}

/* The number of slots that begin at or below `address`. */
static uint32_t count_from_below(const struct bus *bus, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = bus->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (bus->slots[middle].base <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct bus_slot *bus_search(struct bus *bus, uint64_t address)
{
    uint32_t below = count_from_below(bus, address);

    if (below == 0 || !slot_has(&bus->slots[below - 1], address))
        return NULL;
    atomic_store_explicit(bus_hint(bus, address), &bus->slots[below - 1],
                          memory_order_relaxed);
    return &bus->slots[below - 1];
}

/*
 * Whether the slot takes an access of that width at an address that it has.
 * An aligned access of a width that divides base and size does not leave it.
 */
static inline bool slot_takes(const struct bus_slot *slot, uint64_t address,
                              uint64_t width)
{
    return likely((slot->widths & width) != 0) &&
           likely((((address & slot->span) | width) & (width - 1)) == 0);
}

EXIT_PATH err_t bus_slot_read(const struct bus_slot *slot, uint64_t address,
                              uint64_t width, uint64_t *value)
{
    struct device *device = slot->device;
    err_t error;

    if (!slot_takes(slot, address, width))
        return ERR_INVALID_INPUT;
    spin_lock(&device->lock);
    error = device->ops->read(device, slot->index, address - slot->base,
                              (unsigned)width, value);
    spin_unlock(&device->lock);
    return error;
}

EXIT_PATH err_t bus_slot_write(const struct bus_slot *slot, uint64_t address,
                               uint64_t width, uint64_t value)
{
    struct device *device = slot->device;
    err_t error;

    if (!slot_takes(slot, address, width))
        return ERR_INVALID_INPUT;
    spin_lock(&device->lock);
    error = device->ops->write(device, slot->index, address - slot->base,
                               (unsigned)width,
                               zero_extend(value, (unsigned)width * 8));
    spin_unlock(&device->lock);
    return error;
}

err_t bus_read(struct bus *bus, uint64_t address, unsigned width,
               uint64_t *value)
{
    const struct bus_slot *slot = bus_find(bus, address);

    if (unlikely(slot == NULL))
        return ERR_NOT_FOUND;
    return bus_slot_read(slot, address, width, value);
}

err_t bus_write(struct bus *bus, uint64_t address, unsigned width,
                uint64_t value)
{
    const struct bus_slot *slot = bus_find(bus, address);

    if (unlikely(slot == NULL))
        return ERR_NOT_FOUND;
    return bus_slot_write(slot, address, width, value);
}

/* A bus whose addresses count registers has no borders within them. */
static uint8_t usable_widths(const struct device_range *range)
{
    uint64_t divided = (range->base | range->size) & bus_kinds[range->bus].span;
    uint64_t limit =
        divided == 0 ? WIDTH_ALL : BIT(bit_lowest(divided) + 1) - 1;

    return (uint8_t)(range->widths & WIDTH_ALL & limit);
}

static bool range_is_sound(const struct device_range *range)
{
    return range->bus < BUS_KIND_COUNT && range->size != 0 &&
           range->base + range->size > range->base && usable_widths(range) != 0;
}

static bool ranges_overlap(const struct device_range *a,
                           const struct device_range *b)
{
    return a->bus == b->bus && a->base < b->base + b->size &&
           b->base < a->base + a->size;
}

/* The device whose range `range` overlaps, or NULL. */
static struct device *bus_overlap(const struct bus *bus,
                                  const struct device_range *range)
{
    uint32_t below = count_from_below(bus, range->base + range->size - 1);
    const struct bus_slot *slot = &bus->slots[below - (below != 0)];

    return below != 0 && slot->base + slot->size > range->base ? slot->device
                                                               : NULL;
}

static bool share_irq(const struct device *a, const struct device *b)
{
    return a->irq != DEVICE_NO_IRQ && a->irq == b->irq &&
           a->irq_chip == b->irq_chip;
}

static bool share_name(const struct device *a, const struct device *b)
{
    return a->name[0] != '\0' && strcmp(a->name, b->name) == 0;
}

/* The device that keeps `device` out of the set, or NULL. */
static struct device *find_conflict(const struct device_set *set,
                                    struct device *device)
{
    for (unsigned i = 0; i < device->range_count; i++) {
        const struct device_range *range = &device->ranges[i];
        struct device *other = bus_overlap(&set->buses[range->bus], range);

        if (other != NULL)
            return other;
        for (unsigned j = 0; j < i; j++) {
            if (ranges_overlap(range, &device->ranges[j]))
                return device;
        }
    }
    for (unsigned i = 0; i < set->count; i++) {
        struct device *other = set->devices[i];

        if (share_irq(other, device) || share_name(other, device))
            return other;
    }
    return NULL;
}

static bool has_room(const struct device_set *set, const struct device *device)
{
    uint32_t needed[BUS_KIND_COUNT] = {0};

    for (unsigned i = 0; i < device->range_count; i++)
        needed[device->ranges[i].bus]++;
    for (unsigned i = 0; i < BUS_KIND_COUNT; i++) {
        if (needed[i] > BUS_MAX_RANGES - set->buses[i].count)
            return false;
    }
    return set->count < BUS_MAX_RANGES;
}

static err_t check_new(const struct device_set *set, struct device *device,
                       struct device **conflict)
{
    if (device->range_count == 0 || device->range_count > DEVICE_MAX_RANGES)
        return ERR_INVALID_INPUT;
    for (unsigned i = 0; i < device->range_count; i++) {
        if (!range_is_sound(&device->ranges[i]))
            return ERR_INVALID_INPUT;
    }
    *conflict = find_conflict(set, device);
    if (*conflict != NULL)
        return ERR_ALREADY_EXISTS;
    return has_room(set, device) ? OK : ERR_NO_MEMORY;
}

static void bus_insert(struct bus *bus, struct device *device,
                       const struct device_range *range)
{
    uint32_t at = count_from_below(bus, range->base);

    CHECK(bus->count < BUS_MAX_RANGES);
    memmove(&bus->slots[at + 1], &bus->slots[at],
            (bus->count - at) * sizeof(bus->slots[0]));
    bus->slots[at] = (struct bus_slot){
        .base = range->base,
        .size = range->size,
        .device = device,
        .index = range->index,
        .widths = usable_widths(range),
        .span = bus_kinds[range->bus].span,
    };
    bus->page_shift = bus_kinds[range->bus].page_shift;
    bus->count++;
}

static bool is_irq_chip(const struct device *device)
{
    return device->model != NULL && device->model->is_irq_chip;
}

err_t device_set_add(struct device_set *set, struct device *device,
                     struct device **conflict)
{
    struct device *in_the_way = NULL;
    err_t error = check_new(set, device, &in_the_way);

    if (conflict != NULL)
        *conflict = in_the_way;
    if (error != OK)
        return error;
    for (unsigned i = 0; i < device->range_count; i++)
        bus_insert(&set->buses[device->ranges[i].bus], device,
                   &device->ranges[i]);
    device->phandle = is_irq_chip(device) ? DEVICE_PHANDLE_IRQ_CHIP
                                          : DEVICE_PHANDLE_OTHER(set->count);
    set->devices[set->count++] = device;
    return OK;
}

static void reset_all(struct device_set *set, bool irq_chips)
{
    for (unsigned i = 0; i < set->count; i++) {
        struct device *device = set->devices[i];

        if (is_irq_chip(device) != irq_chips)
            continue;
        spin_lock(&device->lock);
        device->ops->reset(device);
        spin_unlock(&device->lock);
    }
}

void device_set_reset(struct device_set *set)
{
    reset_all(set, false);
    reset_all(set, true);
}

void device_set_release(struct device_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        struct device *device = set->devices[i];

        if (device->ops->release != NULL)
            device->ops->release(device);
    }
}
