/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports for debugging, of emulators rather than of PCs; one per node, at
 * `reg`, one port long for the console and up to four for the exit.
 *
 *   bochs,debug-console   what is written goes to the console; reading says
 *                         0xe9, by which firmware finds it: Bochs' port 0xe9,
 *                         QEMU's isa-debugcon, which OVMF expects at 0x402
 *   qemu,debug-exit       QEMU's isa-debug-exit: a write of `value` fails the
 *                         VM with the code value * 2 + 1, and reads are 0
 *
 * The console is that of the machine for as long as no device with input has
 * taken it: see vm_make_devices(). None of the ports has input or a state.
 */
#include "device/device.h"
#include "memory/arena.h"

#define CONSOLE_MAGIC 0xe9
#define EXIT_MAX_SIZE 4
#define PORT_END      0x10000

struct debug {
    struct device device;
    struct chardev *console;
    void (*system_down)(void *vm_object, bool reboot);
    void (*system_failed)(void *vm_object, uint32_t code);
    void *vm_object;
};

static struct debug *to_debug(struct device *device)
{
    return container_of(device, struct debug, device);
}

static err_t console_read(struct device *device, unsigned range,
                          uint64_t offset, unsigned width, uint64_t *value)
{
    *value = CONSOLE_MAGIC;
    return OK;
}

static err_t console_write(struct device *device, unsigned range,
                           uint64_t offset, unsigned width, uint64_t value)
{
    struct chardev *console = to_debug(device)->console;
    uint8_t byte = (uint8_t)value;

    console->write(console, &byte, 1);
    return OK;
}

static err_t exit_read(struct device *device, unsigned range, uint64_t offset,
                       unsigned width, uint64_t *value)
{
    *value = 0;
    return OK;
}

static err_t exit_write(struct device *device, unsigned range, uint64_t offset,
                        unsigned width, uint64_t value)
{
    const struct debug *debug = to_debug(device);

    if (debug->system_failed != NULL)
        debug->system_failed(debug->vm_object, (uint32_t)(value << 1 | 1));
    else
        debug->system_down(debug->vm_object, false);
    return OK;
}

static void debug_reset(struct device *device) {}

static const struct device_ops console_ops = {
    .read = console_read,
    .write = console_write,
    .reset = debug_reset,
};

static const struct device_ops exit_ops = {
    .read = exit_read,
    .write = exit_write,
    .reset = debug_reset,
};

static err_t debug_create(const struct device_context *context,
                          const struct device_ops *ops, uint64_t most,
                          struct device **device, const char **what)
{
    struct debug *debug = arena_new(context->arena, struct debug);
    uint64_t base, size;
    err_t error;

    if (debug == NULL)
        return ERR_NO_MEMORY;
    error = device_parse_reg(context, &base, &size, what);
    if (error != OK)
        return error;
    if (size > most || base > PORT_END - size)
        return ERR_INVALID_INPUT;
    debug->device.ops = ops;
    debug->device.ranges[0] = (struct device_range){
        base, size, BUS_PORT, 0, WIDTH_1 | WIDTH_2 | WIDTH_4};
    debug->device.range_count = 1;
    debug->console = context->console;
    debug->system_down = context->system_down;
    debug->system_failed = context->system_failed;
    debug->vm_object = context->vm_object;
    *device = &debug->device;
    return OK;
}

static err_t console_create(const struct device_context *context,
                            struct device **device, const char **what)
{
    return debug_create(context, &console_ops, 1, device, what);
}

static err_t exit_create(const struct device_context *context,
                         struct device **device, const char **what)
{
    return debug_create(context, &exit_ops, EXIT_MAX_SIZE, device, what);
}

static const struct device_model console_model = {
    .compatible = "bochs,debug-console",
    .create = console_create,
};
DEVICE_MODEL(console_model);

static const struct device_model exit_model = {
    .compatible = "qemu,debug-exit",
    .create = exit_create,
};
DEVICE_MODEL(exit_model);
