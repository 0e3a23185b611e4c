/* SPDX-License-Identifier: Apache-2.0 */
#include <libfdt.h>
#include <string.h>

#include "board.h"
#include "support/rows.h"

#define BASE UINT64_C(0x100000)

static const struct property properties[] = {
    {"compatible", TEXT("sifive,test1")},
    {"reg", CELLS(CELL64(0x100000), CELL64(0x1000))},
    END_OF_PROPERTIES,
};

Test(finisher, ends_the_machine)
{
    static const struct {
        uint64_t offset;
        unsigned width;
        uint64_t value;
        unsigned downs, reboots, failures;
        uint32_t code;
    } rows[] = {
        {0, 4, 0x5555, 1, 0, 0, 0},          {0, 2, 0x5555, 1, 0, 0, 0},
        {0, 4, 0x7777, 0, 1, 0, 0},          {0, 4, 0x3333, 0, 0, 1, 0},
        {0, 4, 0xbeef3333, 0, 0, 1, 0xbeef}, {0, 2, 0x3333, 0, 0, 1, 0},
        {0, 4, 0x12345555, 1, 0, 0, 0},      {0, 4, 0, 0, 0, 0, 0},
        {0, 4, 0x5554, 0, 0, 0, 0},          {0, 4, 0x55550000, 0, 0, 0, 0},
        {4, 4, 0x5555, 0, 0, 0, 0},          {2, 2, 0x5555, 0, 0, 0, 0},
        {0xffc, 4, 0x7777, 0, 0, 0, 0},
    };

    for_each_row (i, rows) {
        for (int has_failed = 0; has_failed < 2; has_failed++) {
            struct board board;
            unsigned failures = has_failed ? rows[i].failures : 0;

            board_make(&board, 1);
            if (!has_failed)
                board.context.system_failed = NULL;
            (void)board_add(&board, "test@100000", properties);
            board_write(&board, BASE + rows[i].offset, rows[i].width,
                        rows[i].value);
            cr_expect_eq(board.downs,
                         rows[i].downs + rows[i].failures - failures, "row %zu",
                         i);
            cr_expect_eq(board.reboots, rows[i].reboots, "row %zu", i);
            cr_expect_eq(board.failures, failures, "row %zu", i);
            cr_expect_eq(board.code, has_failed ? rows[i].code : 0);
            cr_expect_eq(
                board_read(&board, BASE + rows[i].offset, rows[i].width), 0);
            board_end(&board);
        }
    }
}

Test(finisher, knows_2_and_4_bytes_only)
{
    struct board board;
    struct bus *bus = &board.set.buses[BUS_MMIO];
    uint64_t value;

    board_make(&board, 1);
    (void)board_add(&board, "test@100000", properties);
    cr_expect_eq(bus_write(bus, BASE, 1, 0x55), ERR_INVALID_INPUT);
    cr_expect_eq(bus_write(bus, BASE, 8, 0x5555), ERR_INVALID_INPUT);
    cr_expect_eq(bus_read(bus, BASE, 8, &value), ERR_INVALID_INPUT);
    cr_expect_eq(board.downs, 0);
    board_end(&board);
}

/* A reset of the VM is no reason to end it again. */
Test(finisher, reset_does_nothing)
{
    struct board board;

    board_make(&board, 1);
    (void)board_add(&board, "test@100000", properties);
    device_set_reset(&board.set);
    cr_expect_eq(board.downs + board.reboots + board.failures, 0);
    board_end(&board);
}

/* A guest with no driver but the generic ones finds it. */
Test(finisher, describes_its_users)
{
    static const struct {
        const char *node, *compatible;
        uint8_t value[4];
    } users[] = {
        {"poweroff", "syscon-poweroff", {CELL(0x5555)}},
        {"reboot", "syscon-reboot", {CELL(0x7777)}},
    };
    static const char compatible[] = "sifive,test1\0sifive,test0\0syscon";
    static const uint8_t zero[4];
    struct board board;
    struct device *device;
    fdt32_t phandle;
    int node;

    board_make(&board, 1);
    device = board_add(&board, "test@100000", properties);
    node = board_describe(&board, device);
    phandle = cpu_to_fdt32(device->phandle);
    cr_expect(board_described(&board, node, "compatible", compatible,
                              sizeof(compatible)));
    cr_expect(board_described(&board, node, "phandle", &phandle, 4));
    cr_expect_neq(device->phandle, 0);
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        int user = fdt_subnode_offset(board.guest_tree, 0, users[i].node);

        cr_assert_gt(user, 0);
        cr_expect(board_described(&board, user, "compatible",
                                  users[i].compatible,
                                  (int)strlen(users[i].compatible) + 1));
        cr_expect(board_described(&board, user, "regmap", &phandle, 4));
        cr_expect(board_described(&board, user, "offset", zero, 4));
        cr_expect(board_described(&board, user, "value", users[i].value, 4));
    }
    board_end(&board);
}
