/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

#include <libfdt.h>
#include <string.h>

#include "sim/ram.h"

static struct board *board_of_chip(struct irq_chip *chip)
{
    return container_of(chip, struct board, chip);
}

static void chip_set_level(struct irq_chip *chip, uint32_t irq, bool high)
{
    struct board *board = board_of_chip(chip);

    cr_assert(irq >= 1 && irq < BOARD_IRQS);
    board->line_changes += board->lines[irq] != high;
    board->lines[irq] = high;
}

static void chip_pulse(struct irq_chip *chip, uint32_t irq)
{
    cr_assert(false, "no device here makes edges");
}

static void console_write_bytes(struct chardev *chardev, const uint8_t *bytes,
                                size_t size)
{
    struct board *board = container_of(chardev, struct board, console);

    cr_assert_leq(board->output_size + size, sizeof(board->output));
    memcpy(board->output + board->output_size, bytes, size);
    board->output_size += size;
}

static size_t console_read_bytes(struct chardev *chardev, uint8_t *bytes,
                                 size_t size)
{
    struct board *board = container_of(chardev, struct board, console);
    size_t left = board->input_end - board->input_start;

    size = size < left ? size : left;
    memcpy(bytes, board->input + board->input_start, size);
    board->input_start += size;
    return size;
}

static void on_system_down(void *vm_object, bool reboot)
{
    struct board *board = vm_object;

    board->downs += !reboot;
    board->reboots += reboot;
}

static void on_system_failed(void *vm_object, uint32_t code)
{
    struct board *board = vm_object;

    board->failures++;
    board->code = code;
}

void board_make(struct board *board, uint32_t vcpus)
{
    memset(board, 0, sizeof(*board));
    ram_reset(0);
    board->chip = (struct irq_chip){chip_set_level, chip_pulse, BOARD_IRQS};
    board->console =
        (struct chardev){console_write_bytes, console_read_bytes, NULL};
    board->context = (struct device_context){
        .arena = &board->arena,
        .irq_chip = &board->chip,
        .console = &board->console,
        .vm = 3,
        .vcpu_count = vcpus,
        .fdt = board->tree,
        .system_down = on_system_down,
        .system_failed = on_system_failed,
        .vm_object = board,
        .external_vector = BOARD_VECTOR,
    };
}

void board_end(struct board *board)
{
    arena_free_all(&board->arena);
    cr_assert_eq(ram_frames_in_use(), 0);
}

void board_configure(struct board *board, const char *name,
                     const struct property *properties)
{
    void *fdt = board->tree;
    int error = fdt_create(fdt, sizeof(board->tree));

    error |= fdt_finish_reservemap(fdt);
    error |= fdt_begin_node(fdt, "");
    error |= fdt_begin_node(fdt, name);
    for (const struct property *p = properties; p->name != NULL; p++)
        error |= fdt_property(fdt, p->name,
                              p->data != NULL ? p->data : p->bytes, p->size);
    error |= fdt_end_node(fdt);
    error |= fdt_end_node(fdt);
    error |= fdt_finish(fdt);
    cr_assert_eq(error, 0);
    board->context.node = fdt_first_subnode(fdt, 0);
}

struct device *board_add(struct board *board, const char *name,
                         const struct property *properties)
{
    struct device *device = NULL;
    const char *what = "";
    err_t error;

    board_configure(board, name, properties);
    error = device_from_node(&board->context, &device, &what);
    cr_assert_eq(error, OK, "%s: %s: %s", name, what, error_text(error));
    cr_assert_eq(device_set_add(&board->set, device, NULL), OK);
    return device;
}

uint64_t board_read(struct board *board, uint64_t address, unsigned width)
{
    uint64_t value = 0;

    cr_assert_eq(bus_read(&board->set.buses[BUS_MMIO], address, width, &value),
                 OK, "read of 0x%llx", (unsigned long long)address);
    return value;
}

void board_write(struct board *board, uint64_t address, unsigned width,
                 uint64_t value)
{
    cr_assert_eq(bus_write(&board->set.buses[BUS_MMIO], address, width, value),
                 OK, "write of 0x%llx", (unsigned long long)address);
}

void board_type(struct board *board, const void *bytes, size_t size)
{
    cr_assert_leq(board->input_end + size, sizeof(board->input));
    memcpy(board->input + board->input_end, bytes, size);
    board->input_end += size;
    chardev_notify(&board->console);
}

int board_describe(struct board *board, const struct device *device)
{
    void *fdt = board->guest_tree;
    int error = fdt_create(fdt, sizeof(board->guest_tree));

    error |= fdt_finish_reservemap(fdt);
    error |= fdt_begin_node(fdt, "");
    error |= device_describe(device, fdt);
    error |= fdt_end_node(fdt);
    error |= fdt_finish(fdt);
    cr_assert_eq(error, 0);
    cr_assert_eq(fdt_check_full(fdt, sizeof(board->guest_tree)), 0);
    return fdt_subnode_offset(fdt, 0, device->name);
}

bool board_described(const struct board *board, int node, const char *name,
                     const void *data, int size)
{
    int found;
    const void *value = fdt_getprop(board->guest_tree, node, name, &found);

    return value != NULL && found == size &&
           (size == 0 || memcmp(value, data, (size_t)size) == 0);
}

bool same_bytes(const void *a, const void *b, size_t size)
{
    return memcmp(a, b, size) == 0;
}

/* SplitMix64. */
uint64_t random_below(uint64_t *state, uint64_t limit)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % limit;
}
