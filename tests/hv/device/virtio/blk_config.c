/* SPDX-License-Identifier: Apache-2.0 */
/* A disk's configuration: by the VM's, and of the guest. */
#include "disk.h"
#include "support/rows.h"

#define DISK_SIZE    (UINT64_C(2) * 1024 * 1024)
#define DISK_SECTORS (DISK_SIZE / SECTOR)
#define BUNDLE_SIZE  (UINT64_C(64) * 1024)

static const struct property disk_properties[] = {
    PROPERTY_CELL("size", DISK_SIZE),
    PROPERTY_END,
};

static void make_disk(struct guest *guest, bool legacy)
{
    guest_make(guest, &(struct setup){.compatible = "virtio,blk",
                                      .legacy = legacy,
                                      .properties = disk_properties});
}

/* The configuration space, as Linux' structure has it. */
Test(virtio_blk, config_space)
{
    struct guest guest;
    struct virtio_blk_config space;
    uint8_t *bytes = (uint8_t *)&space;

    make_disk(&guest, false);
    for (unsigned i = 0; i < sizeof(space); i++)
        bytes[i] = (uint8_t)config(&guest, i, 1);
    cr_expect_eq(space.capacity, DISK_SECTORS);
    cr_expect_geq(space.size_max, 4096);
    cr_expect_geq(space.seg_max, 1);
    cr_expect_eq(space.blk_size, SECTOR);
    cr_expect_eq(space.physical_block_exp, 3);
    cr_expect_eq(space.min_io_size, 8);
    cr_expect_eq(space.wce, 0);
    cr_expect_geq(space.max_discard_sectors, DISK_SECTORS);
    cr_expect_geq(space.max_discard_seg, 1);
    cr_expect_eq(space.discard_sector_alignment, 1);
    cr_expect_geq(space.max_write_zeroes_sectors, DISK_SECTORS);
    cr_expect_geq(space.max_write_zeroes_seg, 1);
    cr_expect_eq(space.write_zeroes_may_unmap, 0);
    /* Other widths see the same bytes; beyond the end there is nothing. */
    cr_expect_eq(config(&guest, 0, 8), DISK_SECTORS);
    cr_expect_eq(config(&guest, 4, 4), 0);
    cr_expect_eq(config(&guest, 20, 2), SECTOR);
    for (uint64_t offset = 64; offset < 512; offset += 8)
        cr_expect_eq(config(&guest, offset, 8), 0);
    cr_expect_eq(config(&guest, DEVICE_SIZE - VIRTIO_MMIO_CONFIG - 4, 4), 0);
    guest_free(&guest);
}

/* The cache mode: written as a byte, by a driver that has negotiated it. */
Test(virtio_blk, writeback)
{
    static const struct {
        uint64_t features;
        uint64_t offset;
        unsigned width;
        uint64_t value;
        uint8_t result;
    } rows[] = {
        {F_ALL, 32, 1, 1, 1},
        {F_ALL, 32, 1, 2, 0},
        {F_ALL, 32, 4, 1, 0},
        {F_ALL & ~F(VIRTIO_BLK_F_CONFIG_WCE), 32, 1, 1, 0},
        {F_ALL, 33, 1, 1, 0},
        {F_ALL, 0, 1, 1, 0},
    };

    for (int legacy = 0; legacy < 2; legacy++) {
        for_each_row (i, rows) {
            struct guest guest;

            make_disk(&guest, legacy);
            start(&guest, rows[i].features, 16);
            set_config(&guest, rows[i].offset, rows[i].width, rows[i].value);
            cr_expect_eq(config(&guest, 32, 1), rows[i].result, "row %zu", i);
            cr_expect_eq(config(&guest, 0, 8), DISK_SECTORS);
            device_set_reset(&guest.devices);
            cr_expect_eq(config(&guest, 32, 1), 0);
            guest_free(&guest);
        }
    }
}

static const uint8_t two_cells[8] = {0, 0, 0, 0, 0, 0, 0x10, 0};

Test(virtio_blk, configuration)
{
    static const struct {
        const char *what;
        struct property properties[4];
        uint64_t reg_size;
        err_t error;
        const char *property;
    } rows[] = {
        {"a size of two cells", {{"size", two_cells, 8}}, 0, OK, NULL},
        {"no disk", {PROPERTY_END}, 0, ERR_NOT_FOUND, "data-offset"},
        {"no size",
         {PROPERTY_CELL("data-offset", 0)},
         0,
         ERR_NOT_FOUND,
         "data-size"},
        {"empty", {PROPERTY_CELL("size", 0)}, 0, ERR_INVALID_INPUT, "size"},
        {"part of a sector",
         {PROPERTY_CELL("size", 513)},
         0,
         ERR_INVALID_INPUT,
         "size"},
        {"a size of three bytes",
         {{"size", "abc", 3}},
         0,
         ERR_INVALID_INPUT,
         "size"},
        {"more than there is",
         {{"size", "\1\0\0\0\0\0\0\0", 8}},
         0,
         ERR_NO_MEMORY,
         "size"},
        {"two disks",
         {PROPERTY_CELL("size", 512), PROPERTY_CELL("data-offset", 0)},
         0,
         ERR_INVALID_INPUT,
         "size"},
        {"the whole bundle",
         {PROPERTY_CELL("data-offset", 0),
          PROPERTY_CELL("data-size", BUNDLE_SIZE)},
         0,
         OK,
         NULL},
        {"beyond the bundle",
         {PROPERTY_CELL("data-offset", 512),
          PROPERTY_CELL("data-size", BUNDLE_SIZE)},
         0,
         ERR_INVALID_INPUT,
         "data-size"},
        {"behind the bundle",
         {PROPERTY_CELL("data-offset", BUNDLE_SIZE + 1),
          PROPERTY_CELL("data-size", 512)},
         0,
         ERR_INVALID_INPUT,
         "data-offset"},
        {"an offset that wraps",
         {{"data-offset", "\377\377\377\377\377\377\376\0", 8},
          PROPERTY_CELL("data-size", 1024)},
         0,
         ERR_INVALID_INPUT,
         "data-offset"},
        {"part of a sector of the bundle",
         {PROPERTY_CELL("data-offset", 0), PROPERTY_CELL("data-size", 100)},
         0,
         ERR_INVALID_INPUT,
         "data-size"},
        {"20 characters",
         {PROPERTY_CELL("size", 512),
          PROPERTY_TEXT("serial", "12345678901234567890")},
         0,
         OK,
         NULL},
        {"21 characters",
         {PROPERTY_CELL("size", 512),
          PROPERTY_TEXT("serial", "123456789012345678901")},
         0,
         ERR_INVALID_INPUT,
         "serial"},
        {"a serial without end",
         {PROPERTY_CELL("size", 512), {"serial", "abc", 3}},
         0,
         ERR_INVALID_INPUT,
         "serial"},
        {"a list of serials",
         {PROPERTY_CELL("size", 512), {"serial", "a\0b", 4}},
         0,
         ERR_INVALID_INPUT,
         "serial"},
        {"the smallest reg", {PROPERTY_CELL("size", 512)}, 0x200, OK, NULL},
        {"too small a reg",
         {PROPERTY_CELL("size", 512)},
         0x100,
         ERR_INVALID_INPUT,
         "reg"},
    };

    for_each_row (i, rows) {
        struct guest guest;
        const char *what;
        err_t error = guest_try(&guest,
                                &(struct setup){
                                    .compatible = "virtio,blk",
                                    .properties = rows[i].properties,
                                    .reg_size = rows[i].reg_size,
                                },
                                BUNDLE_SIZE, &what);

        cr_expect_eq(error, rows[i].error, "%s: %s", rows[i].what,
                     error_text(error));
        if (rows[i].property != NULL)
            cr_expect_str_eq(what, rows[i].property, "%s", rows[i].what);
        guest_free(&guest);
    }
}
