/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board.h"
#include "lib/format.h"
#include "support/rows.h"

/* A device that tells what reached it. */
struct probe {
    struct device device;
    unsigned reads, writes, resets;
    unsigned *clock; /* if not NULL, counts all resets, and ... */
    unsigned reset_at;
    unsigned range, width;
    uint64_t offset, value;
    err_t answer;
};

static err_t probe_read(struct device *device, unsigned range, uint64_t offset,
                        unsigned width, uint64_t *value)
{
    struct probe *probe = container_of(device, struct probe, device);

    cr_assert(spin_is_locked(&device->lock));
    probe->reads++;
    probe->range = range;
    probe->offset = offset;
    probe->width = width;
    if (probe->answer == OK)
        *value = probe->value;
    return probe->answer;
}

static err_t probe_write(struct device *device, unsigned range, uint64_t offset,
                         unsigned width, uint64_t value)
{
    struct probe *probe = container_of(device, struct probe, device);

    cr_assert(spin_is_locked(&device->lock));
    probe->writes++;
    probe->range = range;
    probe->offset = offset;
    probe->width = width;
    probe->value = value;
    return probe->answer;
}

static void probe_reset(struct device *device)
{
    struct probe *probe = container_of(device, struct probe, device);

    probe->resets++;
    if (probe->clock != NULL)
        probe->reset_at = ++*probe->clock;
}

static const struct device_ops probe_ops = {
    .read = probe_read,
    .write = probe_write,
    .reset = probe_reset,
};

static const struct device_model chip_model = {
    .compatible = "test,chip",
    .is_irq_chip = true,
};

/* A device of `count` ranges, of which the first `count` of `ranges` are. */
static void probe_make(struct probe *probe, const struct device_range *ranges,
                       unsigned count)
{
    memset(probe, 0, sizeof(*probe));
    probe->device.ops = &probe_ops;
    probe->device.range_count = count;
    for (unsigned i = 0; i < count && i < DEVICE_MAX_RANGES; i++)
        probe->device.ranges[i] = ranges[i];
}

static void probe_make_one(struct probe *probe, uint64_t base, uint64_t size)
{
    const struct device_range range = {base, size, BUS_MMIO, 0, WIDTH_ALL};

    probe_make(probe, &range, 1);
}

static void add(struct device_set *set, struct probe *probe)
{
    struct device *conflict;

    cr_assert_eq(device_set_add(set, &probe->device, &conflict), OK);
    cr_assert_null(conflict);
}

/* Whatever the order in which devices come, each answers its own range and
 * nothing answers between them. */
Test(bus, finds_each_device)
{
    enum { COUNT = 32, SIZE = 0x1000, STRIDE = 0x3000 };
    static const unsigned strides[] = {1, 3, 5, 31}; /* prime to COUNT */

    for (size_t s = 0; s < ARRAY_SIZE(strides); s++) {
        static struct device_set set;
        static struct probe probes[COUNT];
        struct bus *bus = &set.buses[BUS_MMIO];

        memset(&set, 0, sizeof(set));
        for (unsigned i = 0; i < COUNT; i++) {
            unsigned at = i * strides[s] % COUNT;
            probe_make_one(&probes[at], 0x10000000 + at * STRIDE, SIZE);
            add(&set, &probes[at]);
        }
        for (uint32_t i = 1; i < bus->count; i++)
            cr_expect_lt(bus->slots[i - 1].base, bus->slots[i].base);
        for (unsigned i = 0; i < COUNT; i++) {
            uint64_t base = 0x10000000 + i * STRIDE;
            const struct bus_slot *slot = bus_find(bus, base);

            cr_assert_not_null(slot);
            cr_expect_eq(slot->device, &probes[i].device);
            cr_expect_eq(bus_find(bus, base + SIZE - 1), slot);
            cr_expect_null(bus_find(bus, base - 1));
            cr_expect_null(bus_find(bus, base + SIZE));
        }
        cr_expect_null(bus_find(bus, 0));
        cr_expect_null(bus_find(bus, UINT64_MAX));
    }
}

Test(bus, empty_bus_has_nothing)
{
    static struct device_set set;
    uint64_t value = 42;

    for (unsigned kind = 0; kind < BUS_KIND_COUNT; kind++) {
        struct bus *bus = &set.buses[kind];
        cr_expect_null(bus_find(bus, 0));
        cr_expect_eq(bus_read(bus, 0, 1, &value), ERR_NOT_FOUND);
        cr_expect_eq(bus_write(bus, UINT64_MAX, 8, 0), ERR_NOT_FOUND);
    }
    cr_expect_eq(value, 42);
    device_set_reset(&set);
}

/* What a device set refuses, and that it is unchanged then. The set has
 * devices at MMIO 0x1000 to 0x1fff and 0x3000 to 0x3fff, port 0x60, and the
 * system registers 0x800 and 0x801. */
_Static_assert(DEVICE_MAX_RANGES == 4, "the row of too many ranges");

Test(bus, refusals_change_nothing)
{
    static const struct {
        const char *name;
        struct device_range ranges[DEVICE_MAX_RANGES + 1];
        unsigned count;
        err_t error;
        int conflict; /* the device in the way: 0, 1, its own: 9, none: -1 */
    } rows[] = {
        {"same", {{0x1000, 0x1000, BUS_MMIO, 0, 1}}, 1, ERR_ALREADY_EXISTS, 0},
        {"start", {{0x0ff8, 9, BUS_MMIO, 0, 1}}, 1, ERR_ALREADY_EXISTS, 0},
        {"end", {{0x1fff, 1, BUS_MMIO, 0, 1}}, 1, ERR_ALREADY_EXISTS, 0},
        {"inside", {{0x1800, 8, BUS_MMIO, 0, 1}}, 1, ERR_ALREADY_EXISTS, 0},
        {"around",
         {{0x2000, 0x3000, BUS_MMIO, 0, 1}},
         1,
         ERR_ALREADY_EXISTS,
         1},
        {"second range",
         {{0x5000, 8, BUS_MMIO, 0, 1}, {0x3ff8, 16, BUS_MMIO, 1, 1}},
         2,
         ERR_ALREADY_EXISTS,
         1},
        {"itself",
         {{0x5000, 0x100, BUS_MMIO, 0, 1}, {0x5080, 8, BUS_MMIO, 1, 1}},
         2,
         ERR_ALREADY_EXISTS,
         9},
        {"port", {{0x5c, 8, BUS_PORT, 0, 1}}, 1, ERR_ALREADY_EXISTS, 0},
        {"sysreg", {{0x801, 1, BUS_SYSREG, 0, 8}}, 1, ERR_ALREADY_EXISTS, 1},
        {"empty", {{0x5000, 0, BUS_MMIO, 0, 1}}, 1, ERR_INVALID_INPUT, -1},
        {"wraps",
         {{UINT64_MAX - 7, 9, BUS_MMIO, 0, 1}},
         1,
         ERR_INVALID_INPUT,
         -1},
        {"reaches the end",
         {{UINT64_MAX - 7, 8, BUS_MMIO, 0, 1}},
         1,
         ERR_INVALID_INPUT,
         -1},
        {"no such bus",
         {{0x5000, 8, BUS_KIND_COUNT, 0, 1}},
         1,
         ERR_INVALID_INPUT,
         -1},
        {"no width", {{0x5000, 8, BUS_MMIO, 0, 0}}, 1, ERR_INVALID_INPUT, -1},
        {"no width that fits",
         {{0x5002, 2, BUS_MMIO, 0, WIDTH_4}},
         1,
         ERR_INVALID_INPUT,
         -1},
        {"no range", {{0}}, 0, ERR_INVALID_INPUT, -1},
        {"too many ranges",
         {{0x5000, 8, BUS_MMIO, 0, 1},
          {0x6000, 8, BUS_MMIO, 1, 1},
          {0x7000, 8, BUS_MMIO, 2, 1},
          {0x8000, 8, BUS_MMIO, 3, 1},
          {0x9000, 8, BUS_MMIO, 4, 1}},
         DEVICE_MAX_RANGES + 1,
         ERR_INVALID_INPUT,
         -1},
    };
    static struct device_set set, before;
    static const struct device_range first[] = {
        {0x1000, 0x1000, BUS_MMIO, 0, WIDTH_ALL},
        {0x60, 1, BUS_PORT, 1, WIDTH_1},
    };
    static const struct device_range second[] = {
        {0x3000, 0x1000, BUS_MMIO, 0, WIDTH_ALL},
        {0x800, 2, BUS_SYSREG, 1, WIDTH_8},
    };
    struct probe probes[2], other;

    probe_make(&probes[0], first, 2);
    probe_make(&probes[1], second, 2);
    add(&set, &probes[0]);
    add(&set, &probes[1]);
    for_each_row (i, rows) {
        struct device *conflict = (struct device *)&before;
        struct device *expected = rows[i].conflict == 9 ? &other.device
                                  : rows[i].conflict < 0
                                      ? NULL
                                      : &probes[rows[i].conflict].device;

        memcpy(&before, &set, sizeof(set));
        probe_make(&other, rows[i].ranges, rows[i].count);
        cr_expect_eq(device_set_add(&set, &other.device, &conflict),
                     rows[i].error, "%s", rows[i].name);
        cr_expect_eq(conflict, expected, "%s", rows[i].name);
        cr_expect(same_bytes(&before, &set, sizeof(set)), "%s", rows[i].name);
        cr_expect_eq(device_set_add(&set, &other.device, NULL), rows[i].error);
    }
}

/* Ranges that only touch are neighbours, on each bus by itself. */
Test(bus, accepts_neighbours)
{
    static struct device_set set;
    static const struct device_range rows[] = {
        {0x1000, 0x1000, BUS_MMIO, 0, 1}, {0x2000, 0x1000, BUS_MMIO, 0, 1},
        {0x0fff, 1, BUS_MMIO, 0, 1},      {0x1000, 8, BUS_PORT, 0, 1},
        {0x1000, 1, BUS_SYSREG, 0, 8},    {0x1001, 1, BUS_SYSREG, 0, 8},
        {0, 1, BUS_MMIO, 0, 1},
    };
    static struct probe probes[ARRAY_SIZE(rows)];

    for_each_row (i, rows) {
        probe_make(&probes[i], &rows[i], 1);
        add(&set, &probes[i]);
    }
    for_each_row (i, rows)
        cr_expect_eq(bus_find(&set.buses[rows[i].bus], rows[i].base)->device,
                     &probes[i].device);
}

Test(bus, refuses_shared_interrupts_and_names)
{
    static struct irq_chip chips[2];
    static const struct {
        const char *name;
        struct irq_chip *chip;
        uint32_t irq;
        err_t error;
    } rows[] = {
        {"other", &chips[0], 5, ERR_ALREADY_EXISTS},
        {"other", &chips[1], 5, OK},
        {"another", &chips[0], 6, OK},
        {"none", &chips[0], DEVICE_NO_IRQ, OK},
        {"none too", NULL, DEVICE_NO_IRQ, OK},
        {"first", &chips[0], 7, ERR_ALREADY_EXISTS},
        {"", NULL, 0, OK},
        {"", NULL, 0, OK},
    };
    static struct device_set set;
    static struct probe first, probes[ARRAY_SIZE(rows)];
    struct device *conflict;

    probe_make_one(&first, 0x1000, 8);
    (void)format_text(first.device.name, DEVICE_NAME_SIZE, "first");
    first.device.irq_chip = &chips[0];
    first.device.irq = 5;
    add(&set, &first);
    for_each_row (i, rows) {
        struct device *device = &probes[i].device;

        probe_make_one(&probes[i], 0x2000 + i * 8, 8);
        (void)format_text(device->name, DEVICE_NAME_SIZE, "%s", rows[i].name);
        device->irq_chip = rows[i].chip;
        device->irq = rows[i].irq;
        cr_expect_eq(device_set_add(&set, device, &conflict), rows[i].error);
        if (rows[i].error != OK)
            cr_expect_eq(conflict, &first.device);
        else
            cr_expect_eq(set.devices[set.count - 1], device);
    }
    cr_expect_eq(device_set_add(&set, &first.device, &conflict),
                 ERR_ALREADY_EXISTS);
}

Test(bus, full_table)
{
    static struct device_set set, before;
    static struct probe probes[BUS_MAX_RANGES + 1];
    const struct device_range two[] = {
        {0x100000, 8, BUS_MMIO, 0, 1},
        {0x200000, 8, BUS_MMIO, 1, 1},
    };
    const struct device_range port = {0x60, 1, BUS_PORT, 0, 1};

    for (unsigned i = 0; i < BUS_MAX_RANGES - 1; i++) {
        probe_make_one(&probes[i], 0x1000 + i * 8, 8);
        add(&set, &probes[i]);
    }
    /* One place is left: not for two ranges, but for one. */
    memcpy(&before, &set, sizeof(set));
    probe_make(&probes[BUS_MAX_RANGES], two, 2);
    cr_expect_eq(device_set_add(&set, &probes[BUS_MAX_RANGES].device, NULL),
                 ERR_NO_MEMORY);
    cr_expect(same_bytes(&before, &set, sizeof(set)));
    probe_make_one(&probes[BUS_MAX_RANGES - 1], 0, 8);
    add(&set, &probes[BUS_MAX_RANGES - 1]);
    probe_make(&probes[BUS_MAX_RANGES], two, 1);
    cr_expect_eq(device_set_add(&set, &probes[BUS_MAX_RANGES].device, NULL),
                 ERR_NO_MEMORY);
    cr_expect_eq(bus_find(&set.buses[BUS_MMIO], 0)->device,
                 &probes[BUS_MAX_RANGES - 1].device);
    /* The table of devices is full, too: not even one on another bus. */
    probe_make(&probes[BUS_MAX_RANGES], &port, 1);
    cr_expect_eq(device_set_add(&set, &probes[BUS_MAX_RANGES].device, NULL),
                 ERR_NO_MEMORY);
    cr_expect_eq(set.buses[BUS_PORT].count, 0);
}

/* Which accesses reach a device, and what it is told of them. */
Test(bus, access_rules)
{
    enum { ODD = 0x7001 };
    static const struct device_range ranges[] = {
        {0x1000, 0x100, BUS_MMIO, 5, WIDTH_ALL},
        {0x2000, 0x100, BUS_MMIO, 6, WIDTH_4},
        {0x3000, 0x0c, BUS_MMIO, 7, WIDTH_ALL}, /* no multiple of 8 */
        {ODD, 3, BUS_MMIO, 8, WIDTH_ALL},
        {0x60, 2, BUS_PORT, 9, WIDTH_ALL},
        {0x175, 0x10, BUS_SYSREG, 10, WIDTH_8},
    };
    static const struct {
        unsigned range;
        uint64_t address;
        unsigned width;
        err_t error;
    } rows[] = {
        {0, 0x1000, 1, OK},
        {0, 0x1000, 8, OK},
        {0, 0x10f8, 8, OK},
        {0, 0x10ff, 1, OK},
        {0, 0x1003, 1, OK},
        {0, 0x1006, 2, OK},
        {0, 0x1004, 4, OK},
        {0, 0x1001, 2, ERR_INVALID_INPUT},
        {0, 0x1002, 4, ERR_INVALID_INPUT},
        {0, 0x1004, 8, ERR_INVALID_INPUT},
        {0, 0x10ff, 2, ERR_INVALID_INPUT}, /* would leave it */
        {0, 0x10fc, 8, ERR_INVALID_INPUT},
        {0, 0x0ffe, 4, ERR_NOT_FOUND}, /* would enter it */
        {0, 0x1100, 1, ERR_NOT_FOUND},
        {0, 0x1000, 0, ERR_INVALID_INPUT},
        {0, 0x1000, 3, ERR_INVALID_INPUT},
        {0, 0x1000, 5, ERR_INVALID_INPUT},
        {0, 0x1000, 16, ERR_INVALID_INPUT},
        {0, 0x1000, 0x101, ERR_INVALID_INPUT},
        {0, 0x1000, ~0U, ERR_INVALID_INPUT},
        {1, 0x2004, 4, OK},
        {1, 0x2004, 1, ERR_INVALID_INPUT},
        {1, 0x2004, 2, ERR_INVALID_INPUT},
        {1, 0x2000, 8, ERR_INVALID_INPUT},
        {1, 0x2002, 4, ERR_INVALID_INPUT},
        {2, 0x3008, 4, OK},
        {2, 0x300a, 2, OK},
        {2, 0x3008, 8, ERR_INVALID_INPUT},
        {2, 0x3000, 8, ERR_INVALID_INPUT}, /* no width of this range */
        {3, ODD, 1, OK},
        {3, ODD + 2, 1, OK},
        {3, ODD + 1, 2, ERR_INVALID_INPUT},
        {4, 0x60, 2, OK},
        {4, 0x61, 1, OK},
        {4, 0x60, 4, ERR_INVALID_INPUT},
        {4, 0x5f, 1, ERR_NOT_FOUND},
        {5, 0x175, 8, OK},
        {5, 0x184, 8, OK},
        {5, 0x184, 4, ERR_INVALID_INPUT},
        {5, 0x185, 8, ERR_NOT_FOUND},
    };
    static struct device_set set;
    static struct probe probes[ARRAY_SIZE(ranges)];

    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        probe_make(&probes[i], &ranges[i], 1);
        add(&set, &probes[i]);
    }
    for_each_row (i, rows) {
        const struct device_range *range = &ranges[rows[i].range];
        struct probe *probe = &probes[rows[i].range];
        struct bus *bus = &set.buses[range->bus];
        uint64_t all = ~UINT64_C(0);
        uint64_t value = 42;
        uint64_t sent = 0xf1f2f3f4f5f6f7f8;
        bool ok = rows[i].error == OK;

        probe->value = 0x1234;
        probe->reads = probe->writes = 0;
        cr_expect_eq(bus_read(bus, rows[i].address, rows[i].width, &value),
                     rows[i].error, "row %zu", i);
        cr_expect_eq(value, ok ? 0x1234 : 42, "row %zu", i);
        cr_expect_eq(bus_write(bus, rows[i].address, rows[i].width, sent),
                     rows[i].error, "row %zu", i);
        cr_expect_eq(probe->reads, ok, "row %zu", i);
        cr_expect_eq(probe->writes, ok, "row %zu", i);
        cr_expect_not(spin_is_locked(&probe->device.lock));
        if (!ok)
            continue;
        cr_expect_eq(probe->offset, rows[i].address - range->base);
        cr_expect_eq(probe->width, rows[i].width);
        cr_expect_eq(probe->range, range->index);
        cr_expect_eq(probe->value, sent & all >> (64 - 8 * rows[i].width));
    }
}

Test(bus, passes_the_device_s_error_on)
{
    static const err_t errors[] = {ERR_OUT_OF_RANGE, ERR_IO, ERR_DENIED};
    static struct device_set set;
    struct probe probe;
    uint64_t value = 42;

    probe_make_one(&probe, 0x1000, 0x1000);
    add(&set, &probe);
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        probe.answer = errors[i];
        cr_expect_eq(bus_read(&set.buses[BUS_MMIO], 0x1000, 4, &value),
                     errors[i]);
        cr_expect_eq(bus_write(&set.buses[BUS_MMIO], 0x1000, 4, 0), errors[i]);
        cr_expect_not(spin_is_locked(&probe.device.lock));
    }
    cr_expect_eq(value, 42);
}

/*
 * The devices of a QEMU virt board, and more of them: once each page has been
 * accessed, no access has to search. A search would fail here, as the bus
 * pretends to be empty.
 */
Test(bus, costs_the_same_with_more_devices)
{
    static const unsigned counts[] = {1, 8, 32};

    for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
        static struct device_set set;
        static struct probe plic, uart, virtio[32];
        struct bus *bus = &set.buses[BUS_MMIO];
        uint64_t addresses[3 + 32] = {0x0c000004, 0x0c201004, 0x10000005};
        uint64_t value;

        memset(&set, 0, sizeof(set));
        probe_make_one(&plic, 0x0c000000, 0x600000);
        probe_make_one(&uart, 0x10000000, 0x100);
        add(&set, &plic);
        add(&set, &uart);
        for (unsigned i = 0; i < counts[c]; i++) {
            addresses[3 + i] = 0x10001000 + i * UINT64_C(0x1000);
            probe_make_one(&virtio[i], addresses[3 + i], 0x1000);
            add(&set, &virtio[i]);
        }
        for (unsigned round = 0; round < 3; round++) {
            for (unsigned i = 0; i < 3 + counts[c]; i++)
                cr_expect_eq(bus_read(bus, addresses[i], 1, &value), OK,
                             "%u devices: 0x%llx", counts[c],
                             (unsigned long long)addresses[i]);
            bus->count = 0;
        }
    }
}

/* Random devices and accesses against the plainest of models, devices coming
 * while hints of the ones before exist. */
Test(bus, random_accesses_find_the_right_device)
{
    enum { COUNT = 60, PAGES = 400, ACCESSES = 300 };
    uint64_t seed = 1;

    for (unsigned round = 0; round < 20; round++) {
        static struct device_set set;
        static struct probe probes[COUNT];
        struct bus *bus = &set.buses[BUS_MMIO];

        memset(&set, 0, sizeof(set));
        for (unsigned n = 0; n < COUNT; n++) {
            uint64_t base = random_below(&seed, PAGES * UINT64_C(0x1000));
            uint64_t size = 1 + random_below(&seed, 0x4000);
            bool free = true;

            for (unsigned i = 0; i < set.count; i++) {
                const struct device_range *r = &set.devices[i]->ranges[0];
                free &= base >= r->base + r->size || r->base >= base + size;
            }
            probe_make_one(&probes[n], base, size);
            cr_assert_eq(device_set_add(&set, &probes[n].device, NULL),
                         free ? OK : ERR_ALREADY_EXISTS);
            for (unsigned k = 0; k < ACCESSES; k++) {
                uint64_t at =
                    random_below(&seed, (PAGES + 10) * UINT64_C(0x1000));
                const struct bus_slot *slot = bus_find(bus, at);
                struct device *found = slot != NULL ? slot->device : NULL;
                struct device *expected = NULL;

                for (unsigned i = 0; i < set.count; i++) {
                    const struct device_range *r = &set.devices[i]->ranges[0];
                    if (at >= r->base && at < r->base + r->size)
                        expected = set.devices[i];
                }
                cr_assert_eq(found, expected);
            }
        }
    }
}

/* Controllers are reset when their inputs are low: after all the others. */
Test(bus, resets_everything_controllers_last)
{
    static struct device_set set;
    static struct probe probes[5];
    unsigned clock = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(probes); i++) {
        probe_make_one(&probes[i], UINT64_C(0x1000) * (i + 1), 8);
        probes[i].clock = &clock;
        if (i == 0 || i == 3)
            probes[i].device.model = &chip_model;
        add(&set, &probes[i]);
    }
    device_set_reset(&set);
    for (unsigned i = 0; i < ARRAY_SIZE(probes); i++) {
        bool is_chip = i == 0 || i == 3;
        cr_expect_eq(probes[i].resets, 1);
        cr_expect_eq(probes[i].reset_at > 3, is_chip, "device %u", i);
        cr_expect_not(spin_is_locked(&probes[i].device.lock));
    }
}

Test(bus, phandles_are_distinct)
{
    static struct device_set set;
    static struct probe probes[3];

    for (unsigned i = 0; i < ARRAY_SIZE(probes); i++) {
        probe_make_one(&probes[i], UINT64_C(0x1000) * (i + 1), 8);
        if (i == 1)
            probes[i].device.model = &chip_model;
        add(&set, &probes[i]);
    }
    cr_expect_eq(probes[1].device.phandle, DEVICE_PHANDLE_IRQ_CHIP);
    cr_expect_neq(probes[0].device.phandle, probes[2].device.phandle);
    for (unsigned i = 0; i < ARRAY_SIZE(probes); i++)
        cr_expect(probes[i].device.phandle < DEVICE_PHANDLE_CPU(0) ||
                  probes[i].device.phandle >= DEVICE_PHANDLE_CPU(MAX_VCPU_NUM));
}
