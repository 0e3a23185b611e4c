/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio console: virtio 1.2, section 5.3. Port 0 only; MULTIPORT, whose
 * ports would have nobody at their other end, is not offered.
 *
 * Properties of the configuration node, besides those of all devices:
 *   cols, rows   the size that the guest is told, 80 by 25 without them
 *
 * Nothing is lost in either direction. Input stays in the chardev while the
 * driver gives no buffer; what has been taken from there and could not be
 * delivered, because the device broke, waits for the driver's next try. Output
 * is taken by the chardev in full, a slice at a time.
 */
#include "device/virtio/virtio.h"
#include "lib/string.h"
#include "memory/arena.h"

/* 5.3.3: feature bits. */
#define VIRTIO_CONSOLE_F_SIZE        BIT(0)
#define VIRTIO_CONSOLE_F_EMERG_WRITE BIT(2)

/* 5.3.4: struct virtio_console_config. */
struct console_config {
    uint16_t cols;
    uint16_t rows;
    uint32_t max_nr_ports;
    uint32_t emerg_wr;
};
_Static_assert(sizeof(struct console_config) == 12, "5.3.4");

/* 5.3.2: the queues of port 0. */
enum { RECEIVEQ = 0, TRANSMITQ = 1 };

#define CONSOLE_QUEUE_SIZE 128
/* Output may go to a slow line, on which a byte takes 0.1 ms. */
#define CONSOLE_SLICE 1024

/* Bytes that are taken from the chardev, or copied for it, at a time. */
#define STAGING_SIZE 256

/* How often input is delivered for one call: each time as much as there were
 * buffers. What is left then waits for the next input or notification. */
#define MAX_ROUNDS 64

struct console {
    struct virtio_device virtio;
    struct console_config config;
    struct chardev *chardev;
    uint8_t input[STAGING_SIZE]; /* [input_start, input_end): undelivered */
    size_t input_start;
    size_t input_end;
};

static bool has_input(struct console *console)
{
    if (console->input_start == console->input_end) {
        console->input_start = 0;
        console->input_end = console->chardev->read(
            console->chardev, console->input, sizeof(console->input));
    }
    return console->input_start < console->input_end;
}

/* 5.3.6.1: a receiveq has no readable buffers. */
static enum virtio_outcome receive(struct console *console,
                                   struct virtqueue *queue,
                                   const struct virtqueue_chain *chain,
                                   uint32_t *written)
{
    size_t size;

    if (chain->readable != 0 || chain->writable == 0)
        return VIRTIO_BROKEN;
    if (!has_input(console))
        return VIRTIO_WAITING;
    size = console->input_end - console->input_start;
    if (size > chain->writable)
        size = chain->writable;
    size = virtio_budget(&console->virtio, size);
    if (virtqueue_write(queue, chain, 0, console->input + console->input_start,
                        size) != OK)
        return VIRTIO_BROKEN;
    console->input_start += size;
    *written = (uint32_t)size;
    return VIRTIO_ANSWERED;
}

/* Sends `size` bytes of the chain, behind those that progress counts. */
static err_t send(struct console *console, struct virtqueue *queue,
                  const struct virtqueue_chain *chain, uint64_t size)
{
    uint8_t bytes[STAGING_SIZE];

    while (size > 0) {
        size_t here = size < sizeof(bytes) ? size : sizeof(bytes);
        err_t error =
            virtqueue_read(queue, chain, queue->progress, bytes, here);

        if (error != OK)
            return error;
        console->chardev->write(console->chardev, bytes, here);
        queue->progress += here;
        size -= here;
    }
    return OK;
}

/* 5.3.6.1: a transmitq has no writable buffers. */
static enum virtio_outcome transmit(struct console *console,
                                    struct virtqueue *queue,
                                    const struct virtqueue_chain *chain)
{
    uint64_t size;

    /* The guest may have shortened the chain since the last slice. */
    if (chain->writable != 0 || queue->progress > chain->readable)
        return VIRTIO_BROKEN;
    size = virtio_budget(&console->virtio, chain->readable - queue->progress);
    if (send(console, queue, chain, size) != OK)
        return VIRTIO_BROKEN;
    return queue->progress == chain->readable ? VIRTIO_ANSWERED : VIRTIO_LATER;
}

static enum virtio_outcome console_answer(struct virtio_device *virtio,
                                          struct virtqueue *queue,
                                          const struct virtqueue_chain *chain,
                                          uint32_t *written)
{
    struct console *console = container_of(virtio, struct console, virtio);

    return queue == &virtio->queues[RECEIVEQ]
               ? receive(console, queue, chain, written)
               : transmit(console, queue, chain);
}

/* 5.3.5: a character for emergencies, in any state of the device. */
static void console_write_config(struct virtio_device *virtio, uint64_t offset,
                                 unsigned width, uint64_t value)
{
    struct console *console = container_of(virtio, struct console, virtio);
    uint8_t byte = (uint8_t)value;

    if (offset == offsetof(struct console_config, emerg_wr))
        console->chardev->write(console->chardev, &byte, 1);
}

static void console_input_ready(struct virtio_device *virtio)
{
    for (int i = 0; i < MAX_ROUNDS; i++) {
        if (virtio_notify(virtio, RECEIVEQ) != ERR_BUSY)
            return;
    }
}

static void console_power_on(struct virtio_device *virtio)
{
    struct console *console = container_of(virtio, struct console, virtio);

    console->input_start = 0;
    console->input_end = 0;
}

static const struct virtio_type console_type = {
    .id = VIRTIO_ID_CONSOLE,
    .queue_count = 2,
    .queue_size = CONSOLE_QUEUE_SIZE,
    .slice = CONSOLE_SLICE,
    .answer = console_answer,
    .write_config = console_write_config,
    .power_on = console_power_on,
    .input_ready = console_input_ready,
};

static err_t parse_size(const struct device_context *context,
                        struct console_config *config, const char **what)
{
    uint32_t cols = 80;
    uint32_t rows = 25;
    err_t error =
        device_parse_cell(context, "cols", 1, UINT16_MAX, &cols, what);

    if (error == OK)
        error = device_parse_cell(context, "rows", 1, UINT16_MAX, &rows, what);
    config->cols = (uint16_t)cols;
    config->rows = (uint16_t)rows;
    return error;
}

static err_t console_create(const struct device_context *context,
                            struct device **device, const char **what)
{
    struct console *console = arena_new(context->arena, struct console);
    err_t error;

    if (console == NULL)
        return ERR_NO_MEMORY;
    error = parse_size(context, &console->config, what);
    if (error != OK)
        return error;
    console->chardev = context->console;
    console->config.max_nr_ports = 1;
    virtio_init(&console->virtio, &console_type, context,
                VIRTIO_CONSOLE_F_SIZE | VIRTIO_CONSOLE_F_EMERG_WRITE,
                &console->config, sizeof(console->config));
    error = virtio_create(context, &console->virtio, device, what);
    if (error == OK)
        context->console->device = *device;
    return error;
}

static const struct device_model console_model = {
    .compatible = "virtio,console",
    .guest_compatible = "virtio,mmio",
    .create = console_create,
};
DEVICE_MODEL(console_model);
