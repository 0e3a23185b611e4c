/* SPDX-License-Identifier: Apache-2.0 */
/* The table of models, and the way from a device tree to a device and back. */
#include <libfdt.h>
#include <string.h>

#include "board.h"
#include "sim/shim.h"
#include "support/rows.h"

/* The plainest of devices. */
struct plain {
    struct device device;
    unsigned resets, ready;
};

static err_t plain_read(struct device *device, unsigned range, uint64_t offset,
                        unsigned width, uint64_t *value)
{
    *value = 0;
    return OK;
}

static err_t plain_write(struct device *device, unsigned range, uint64_t offset,
                         unsigned width, uint64_t value)
{
    return OK;
}

static void plain_reset(struct device *device)
{
    container_of(device, struct plain, device)->resets++;
    device_set_irq(device, false);
}

static void plain_ready(struct device *device)
{
    cr_assert(spin_is_locked(&device->lock));
    container_of(device, struct plain, device)->ready++;
}

static const struct device_ops plain_ops = {
    .read = plain_read,
    .write = plain_write,
    .reset = plain_reset,
    .chardev_ready = plain_ready,
};

static const struct device_ops deaf_ops = {
    .read = plain_read,
    .write = plain_write,
    .reset = plain_reset,
};

static err_t plain_create(const struct device_context *context,
                          struct device **device, const char **what)
{
    struct plain *plain = arena_new(context->arena, struct plain);

    if (plain == NULL)
        return ERR_NO_MEMORY;
    plain->device.ops = &plain_ops;
    *device = &plain->device;
    return OK;
}

static const struct device_model plain_model = {
    .compatible = "test,plain",
    .create = plain_create,
};

DEVICE_MODEL(plain_model);

/* It fills in by itself what device_from_node() would. */
static err_t own_create(const struct device_context *context,
                        struct device **device, const char **what)
{
    err_t error = plain_create(context, device, what);

    if (error != OK)
        return error;
    (*device)->range_count = 2;
    (*device)->ranges[0] = (struct device_range){0x70, 2, BUS_PORT, 3, WIDTH_1};
    (*device)->ranges[1] =
        (struct device_range){0x5000, 0x1000, BUS_MMIO, 4, WIDTH_8};
    (*device)->irq_chip = context->irq_chip;
    (*device)->irq = 9;
    return OK;
}

static int own_describe(const struct device *device, void *fdt)
{
    return fdt_property_u32(fdt, "own", 7);
}

static int own_describe_beside(const struct device *device, void *fdt)
{
    int error = fdt_begin_node(fdt, "beside");

    return error != 0 ? error : fdt_end_node(fdt);
}

static const struct device_model own_model = {
    .compatible = "test,own",
    .guest_compatible = "guest,own",
    .create = own_create,
    .describe = own_describe,
    .describe_beside = own_describe_beside,
};

DEVICE_MODEL(own_model);

/* It takes only 32-bit accesses, and has an optional property. */
static err_t picky_create(const struct device_context *context,
                          struct device **device, const char **what)
{
    uint32_t value = 0;
    err_t error = device_parse_cell(context, "level", 1, 5, &value, what);

    if (error == OK)
        error = plain_create(context, device, what);
    if (error == OK)
        (*device)->ranges[0].widths = WIDTH_4;
    return error;
}

static const struct device_model picky_model = {
    .compatible = "test,picky",
    .create = picky_create,
};

DEVICE_MODEL(picky_model);

static err_t failing_create(const struct device_context *context,
                            struct device **device, const char **what)
{
    *what = "nothing in particular";
    return ERR_UNSUPPORTED;
}

static const struct device_model failing_model = {
    .compatible = "test,failing",
    .create = failing_create,
};

DEVICE_MODEL(failing_model);

Test(device, models_are_found)
{
    static const char *const known[] = {
        "ns16550a",   "sifive,plic-1.0.0", "sifive,test1",
        "test,plain", "test,own",          "test,failing",
    };
    static const char *const unknown[] = {"", "ns16550", "ns16550ab",
                                          "guest,own", "sifive,test0"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        const struct device_model *model = device_model_find(known[i]);
        cr_assert_not_null(model, "%s", known[i]);
        cr_expect_str_eq(model->compatible, known[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
        cr_expect_null(device_model_find(unknown[i]), "%s", unknown[i]);
}

#define REG                                         \
    {                                               \
        "reg", CELLS(CELL64(0x1000), CELL64(0x100)) \
    }
#define IS(text)                 \
    {                            \
        "compatible", TEXT(text) \
    }

Test(device, from_node)
{
    static const struct {
        const char *name;
        const struct property properties[4];
        err_t error;
        const char *what;
    } rows[] = {
        {"plain@1000", {IS("test,plain"), REG}, OK, NULL},
        {"list@1000", {IS("no,such\0test,plain"), REG}, OK, NULL},
        {"no-model", {IS("no,such"), REG}, ERR_NOT_FOUND, "compatible"},
        {"no-compatible", {REG}, ERR_NOT_FOUND, "compatible"},
        {"no-string",
         {{"compatible", DATA("test,plain", 10)}, REG},
         ERR_NOT_FOUND,
         "compatible"},
        {"no-reg", {IS("test,plain")}, ERR_NOT_FOUND, "reg"},
        {"short-reg",
         {IS("test,plain"), {"reg", CELLS(CELL64(0x1000))}},
         ERR_INVALID_INPUT,
         "reg"},
        {"long-reg",
         {IS("test,plain"),
          {"reg", CELLS(CELL64(1), CELL64(1), CELL64(9), CELL64(1))}},
         ERR_INVALID_INPUT,
         "reg"},
        {"empty-reg",
         {IS("test,plain"), {"reg", CELLS(CELL64(0x1000), CELL64(0))}},
         ERR_INVALID_INPUT,
         "reg"},
        {"wrapping-reg",
         {IS("test,plain"), {"reg", CELLS(CELL64(UINT64_MAX), CELL64(2))}},
         ERR_INVALID_INPUT,
         "reg"},
        {"irq",
         {IS("test,plain"), REG, {"interrupts", CELLS(CELL(31))}},
         OK,
         NULL},
        {"irq-0",
         {IS("test,plain"), REG, {"interrupts", CELLS(CELL(0))}},
         ERR_INVALID_INPUT,
         "interrupts"},
        {"irq-too-large",
         {IS("test,plain"), REG, {"interrupts", CELLS(CELL(BOARD_IRQS))}},
         ERR_INVALID_INPUT,
         "interrupts"},
        {"irq-of-two-cells",
         {IS("test,plain"), REG, {"interrupts", CELLS(CELL(5), CELL(4))}},
         ERR_INVALID_INPUT,
         "interrupts"},
        {"irq-of-no-cell",
         {IS("test,plain"), REG, {"interrupts", DATA("", 0)}},
         ERR_INVALID_INPUT,
         "interrupts"},
        {"name-that-takes-31-characters@1", {IS("test,plain"), REG}, OK, NULL},
        {"name-that-takes-32-characters@10",
         {IS("test,plain"), REG},
         ERR_INVALID_INPUT,
         "node name"},
        {"failing",
         {IS("test,failing"), REG},
         ERR_UNSUPPORTED,
         "nothing in particular"},
        {"own", {IS("test,own")}, OK, NULL},
        {"picky", {IS("test,picky"), REG}, OK, NULL},
        {"picky-5",
         {IS("test,picky"), REG, {"level", CELLS(CELL(5))}},
         OK,
         NULL},
        {"picky-0",
         {IS("test,picky"), REG, {"level", CELLS(CELL(0))}},
         ERR_INVALID_INPUT,
         "level"},
        {"picky-6",
         {IS("test,picky"), REG, {"level", CELLS(CELL(6))}},
         ERR_INVALID_INPUT,
         "level"},
        {"picky-bytes",
         {IS("test,picky"), REG, {"level", CELLS(1, 2)}},
         ERR_INVALID_INPUT,
         "level"},
    };

    for_each_row (i, rows) {
        struct board board;
        struct device *device = NULL;
        const char *what = NULL;
        err_t error;

        board_make(&board, 1);
        board_configure(&board, rows[i].name, rows[i].properties);
        error = device_from_node(&board.context, &device, &what);
        cr_expect_eq(error, rows[i].error, "%s: %s", rows[i].name,
                     error_text(error));
        if (error == OK) {
            cr_assert_not_null(device);
            cr_expect_str_eq(device->name, rows[i].name);
            cr_expect_eq(device_set_add(&board.set, device, NULL), OK);
        } else {
            cr_expect_null(device);
            cr_expect_str_eq(what, rows[i].what, "%s: %s", rows[i].name, what);
        }
        board_end(&board);
    }
}

Test(device, from_node_fills_in_what_create_left)
{
    static const struct property plain[] = {IS("test,plain"),
                                            REG,
                                            {"interrupts", CELLS(CELL(7))},
                                            END_OF_PROPERTIES};
    static const struct property picky[] = {IS("test,picky"), REG,
                                            END_OF_PROPERTIES};
    static const struct property own[] = {
        IS("test,own"), {"interrupts", CELLS(CELL(7))}, END_OF_PROPERTIES};
    struct board board;
    struct device *device;

    board_make(&board, 1);
    device = board_add(&board, "plain@1000", plain);
    cr_expect_str_eq(device->model->compatible, "test,plain");
    cr_expect_eq(device->range_count, 1);
    cr_expect_eq(device->ranges[0].base, 0x1000);
    cr_expect_eq(device->ranges[0].size, 0x100);
    cr_expect_eq(device->ranges[0].bus, BUS_MMIO);
    cr_expect_eq(device->ranges[0].widths, WIDTH_ALL);
    cr_expect_eq(device->irq, 7);
    cr_expect_eq(device->irq_chip, &board.chip);
    cr_expect_eq(container_of(device, struct plain, device)->resets, 1);
    board_end(&board);

    board_make(&board, 1);
    device = board_add(&board, "picky@1000", picky);
    cr_expect_eq(device->ranges[0].widths, WIDTH_4);
    cr_expect_eq(device->irq, DEVICE_NO_IRQ);
    board_end(&board);

    board_make(&board, 1);
    device = board_add(&board, "own", own);
    cr_expect_eq(device->range_count, 2);
    cr_expect_eq(device->ranges[0].base, 0x70);
    cr_expect_eq(device->ranges[0].bus, BUS_PORT);
    cr_expect_eq(device->ranges[1].widths, WIDTH_8);
    cr_expect_eq(device->irq, 9);
    board_end(&board);
}

/* An interrupt needs a controller. */
Test(device, no_controller)
{
    static const struct property wired[] = {IS("test,plain"),
                                            REG,
                                            {"interrupts", CELLS(CELL(7))},
                                            END_OF_PROPERTIES};
    static const struct property unwired[] = {IS("test,plain"), REG,
                                              END_OF_PROPERTIES};
    struct board board;
    struct device *device;
    const char *what;

    board_make(&board, 1);
    board.context.irq_chip = NULL;
    board_configure(&board, "plain", wired);
    cr_expect_eq(device_from_node(&board.context, &device, &what),
                 ERR_INVALID_INPUT);
    cr_expect_str_eq(what, "interrupts");
    device = board_add(&board, "plain", unwired);
    device_set_irq(device, true);
    device->irq = 5;
    device_set_irq(device, true);
    board_end(&board);
}

Test(device, irq_line)
{
    static const struct property wired[] = {IS("test,plain"),
                                            REG,
                                            {"interrupts", CELLS(CELL(7))},
                                            END_OF_PROPERTIES};
    struct board board;
    struct device *device;

    board_make(&board, 1);
    device = board_add(&board, "plain", wired);
    device_set_irq(device, true);
    cr_expect(board.lines[7]);
    device_set_irq(device, false);
    cr_expect_not(board.lines[7]);
    cr_expect_eq(board.line_changes, 2);
    board_end(&board);
}

Test(device, chardev_tells_its_reader)
{
    static const struct property properties[] = {IS("test,plain"), REG,
                                                 END_OF_PROPERTIES};
    struct board board;
    struct plain *plain;

    board_make(&board, 1);
    plain = container_of(board_add(&board, "plain", properties), struct plain,
                         device);
    chardev_notify(&board.console);
    cr_expect_eq(plain->ready, 0);
    board.console.device = &plain->device;
    chardev_notify(&board.console);
    cr_expect_eq(plain->ready, 1);
    cr_expect_not(spin_is_locked(&plain->device.lock));
    plain->device.ops = &deaf_ops;
    chardev_notify(&board.console);
    cr_expect_eq(plain->ready, 1);
    board_end(&board);
}

Test(device, out_of_memory)
{
    static const char *const models[] = {"ns16550a", "sifive,plic-1.0.0",
                                         "sifive,test1", "test,plain"};

    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        const struct property properties[] = {
            {"compatible", DATA(models[i], (int)strlen(models[i]) + 1)},
            {"reg", CELLS(CELL64(0xc000000), CELL64(0x600000))},
            END_OF_PROPERTIES,
        };
        struct board board;
        struct device *device = NULL;
        const char *what;

        board_make(&board, 1);
        board_configure(&board, "device", properties);
        shim_fail_nth(1, "memory_alloc", true);
        cr_expect_eq(device_from_node(&board.context, &device, &what),
                     ERR_NO_MEMORY, "%s", models[i]);
        shim_fail_never();
        cr_expect_null(device);
        board_end(&board);
    }
}

/* What a guest's tree says of a device, and where. */
Test(device, describe)
{
    static const struct property plain[] = {IS("test,plain"),
                                            REG,
                                            {"interrupts", CELLS(CELL(7))},
                                            END_OF_PROPERTIES};
    static const struct property own[] = {IS("test,own"), END_OF_PROPERTIES};
    static const uint8_t plain_reg[] = {CELL64(0x1000), CELL64(0x100)};
    static const uint8_t own_reg[] = {CELL64(0x5000), CELL64(0x1000)};
    static const uint8_t seven[] = {CELL(7)};
    static const uint8_t nine[] = {CELL(9)};
    static const uint8_t controller[] = {CELL(DEVICE_PHANDLE_IRQ_CHIP)};
    struct board board;
    int node;

    board_make(&board, 1);
    node = board_describe(&board, board_add(&board, "plain@1000", plain));
    cr_assert_gt(node, 0);
    cr_expect(board_described(&board, node, "compatible", "test,plain",
                              sizeof("test,plain")));
    cr_expect(board_described(&board, node, "reg", plain_reg, 16));
    cr_expect(board_described(&board, node, "interrupts", seven, 4));
    cr_expect(board_described(&board, node, "interrupt-parent", controller, 4));

    node = board_describe(&board, board_add(&board, "own@5000", own));
    cr_assert_gt(node, 0);
    cr_expect(board_described(&board, node, "compatible", "guest,own",
                              sizeof("guest,own")));
    cr_expect(board_described(&board, node, "reg", own_reg, 16));
    cr_expect(board_described(&board, node, "interrupts", nine, 4));
    cr_expect(board_described(&board, node, "own", seven, 4));
    cr_expect_gt(fdt_subnode_offset(board.guest_tree, 0, "beside"), 0);
    board_end(&board);
}

/* A tree without room is libfdt's error, whatever is cut off. */
Test(device, describe_without_room)
{
    static const char *const models[] = {"ns16550a", "sifive,plic-1.0.0",
                                         "sifive,test1", "test,own"};

    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        const struct property properties[] = {
            {"compatible", DATA(models[i], (int)strlen(models[i]) + 1)},
            {"reg", CELLS(CELL64(0xc000000), CELL64(0x600000))},
            END_OF_PROPERTIES,
        };
        struct board board;
        struct device *device;
        bool fitted = false;

        board_make(&board, 4);
        device = board_add(&board, "device", properties);
        for (int size = 64; !fitted; size += 4) {
            char small[4096];

            cr_assert_lt(size, (int)sizeof(small));
            cr_assert_eq(fdt_create(small, size), 0);
            if (fdt_finish_reservemap(small) != 0 ||
                fdt_begin_node(small, "") != 0)
                continue;
            fitted = device_describe(device, small) == 0;
        }
        board_end(&board);
    }
}
