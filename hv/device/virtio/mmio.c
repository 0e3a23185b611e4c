/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio over MMIO: virtio 1.2, section 4.2. The register layout of version 2
 * (4.2.2) and, where the configuration says `legacy`, that of version 1
 * (4.2.4), which older guests and boot loaders know.
 *
 * Registers are 32 bits wide; an access of another width, and one that the
 * tables below do not have, reads as 0 and writes nothing. The configuration
 * space takes accesses of 1, 2, 4 and 8 bytes.
 *
 * There are no shared memory regions. ConfigGeneration stays 0: no device
 * here changes its configuration space by itself, so that a driver cannot see
 * it half changed.
 */
#include "device/virtio/mmio.h"

#include <libfdt.h>

#include "memory/arena.h"

/* 4.2.2, table 4.1, and 4.2.4, table 4.2. */
enum {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    GUEST_PAGE_SIZE = 0x028, /* legacy */
    QUEUE_SEL = 0x030,
    QUEUE_NUM_MAX = 0x034,
    QUEUE_NUM = 0x038,
    QUEUE_ALIGN = 0x03c, /* legacy */
    QUEUE_PFN = 0x040,   /* legacy */
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DESC_HIGH = 0x084,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DRIVER_HIGH = 0x094,
    QUEUE_DEVICE_LOW = 0x0a0,
    QUEUE_DEVICE_HIGH = 0x0a4,
    SHM_LEN_LOW = 0x0b0,
    SHM_LEN_HIGH = 0x0b4,
    SHM_BASE_LOW = 0x0b8,
    SHM_BASE_HIGH = 0x0bc,
    QUEUE_RESET = 0x0c0,
    CONFIG = 0x100,
};

/* "virt", and who we are: "TWNX". The vendor has no register of names. */
#define MAGIC     0x74726976
#define VENDOR    0x584e5754
#define NO_REGION 0xffffffff

/* The smallest `reg`: the registers and as much for the configuration. */
#define MIN_SIZE 0x200

struct mmio {
    struct device device;
    struct virtio_transport transport;
    struct virtio_device *virtio;
    const struct mmio_register *registers; /* those of the version */

    uint32_t device_features_sel;
    uint32_t driver_features_sel;
    uint32_t queue_sel;
    uint32_t interrupt_status; /* enum virtio_event */
    uint32_t guest_page_size;  /* legacy, as what follows */
    uint32_t queue_align[VIRTIO_MAX_QUEUES];
    uint32_t queue_pfn[VIRTIO_MAX_QUEUES];
};

/* A register, by offset / 4. A missing function makes it read as 0, or
 * ignore writes. */
struct mmio_register {
    uint32_t (*read)(struct mmio *mmio);
    err_t (*write)(struct mmio *mmio, uint32_t value);
};

static void set_interrupt_status(struct mmio *mmio, uint32_t status)
{
    mmio->interrupt_status = status;
    device_set_irq(&mmio->device, status != 0);
}

static void signal_driver(struct virtio_transport *transport,
                          enum virtio_event event, unsigned queue)
{
    struct mmio *mmio = container_of(transport, struct mmio, transport);

    set_interrupt_status(mmio, mmio->interrupt_status | event);
}

static struct virtqueue *selected(struct mmio *mmio)
{
    return virtio_queue(mmio->virtio, mmio->queue_sel);
}

/* The selected queue, if it may be set up now. */
static struct virtqueue *selected_idle(struct mmio *mmio)
{
    struct virtqueue *queue = selected(mmio);

    return queue != NULL && !queue->ready ? queue : NULL;
}

static uint32_t read_magic_value(struct mmio *mmio)
{
    return MAGIC;
}

static uint32_t read_version(struct mmio *mmio)
{
    return mmio->virtio->legacy ? 1 : 2;
}

static uint32_t read_device_id(struct mmio *mmio)
{
    return mmio->virtio->type->id;
}

static uint32_t read_vendor_id(struct mmio *mmio)
{
    return VENDOR;
}

static uint32_t read_device_features(struct mmio *mmio)
{
    return virtio_offered_word(mmio->virtio, mmio->device_features_sel);
}

static err_t write_device_features_sel(struct mmio *mmio, uint32_t value)
{
    mmio->device_features_sel = value;
    return OK;
}

static err_t write_driver_features(struct mmio *mmio, uint32_t value)
{
    virtio_accept_word(mmio->virtio, mmio->driver_features_sel, value);
    return OK;
}

static err_t write_driver_features_sel(struct mmio *mmio, uint32_t value)
{
    mmio->driver_features_sel = value;
    return OK;
}

static err_t write_queue_sel(struct mmio *mmio, uint32_t value)
{
    mmio->queue_sel = value;
    return OK;
}

static uint32_t read_queue_num_max(struct mmio *mmio)
{
    const struct virtqueue *queue = selected(mmio);

    return queue != NULL ? queue->size_max : 0;
}

static err_t write_queue_num(struct mmio *mmio, uint32_t value)
{
    struct virtqueue *queue = selected_idle(mmio);

    if (queue != NULL)
        queue->size = value;
    return OK;
}

static uint32_t read_queue_ready(struct mmio *mmio)
{
    const struct virtqueue *queue = selected(mmio);

    return queue != NULL && queue->ready;
}

static err_t write_queue_ready(struct mmio *mmio, uint32_t value)
{
    struct virtqueue *queue = selected(mmio);

    if (queue == NULL || (value != 0) == queue->ready)
        return OK;
    if (value != 0)
        virtio_enable_queue(mmio->virtio, queue);
    else
        queue->ready = false;
    return OK;
}

static err_t write_queue_notify(struct mmio *mmio, uint32_t value)
{
    return virtio_notify(mmio->virtio, value);
}

static uint32_t read_interrupt_status(struct mmio *mmio)
{
    return mmio->interrupt_status;
}

static err_t write_interrupt_ack(struct mmio *mmio, uint32_t value)
{
    set_interrupt_status(mmio, mmio->interrupt_status & ~value);
    return OK;
}

static uint32_t read_status(struct mmio *mmio)
{
    return virtio_status(mmio->virtio);
}

/* The driver's reset leaves the selectors and GuestPageSize alone: Linux'
 * legacy driver writes the latter before its first reset. */
static void driver_reset(struct mmio *mmio)
{
    virtio_reset(mmio->virtio);
    set_interrupt_status(mmio, 0);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        mmio->queue_pfn[i] = 0;
        mmio->queue_align[i] = 0;
    }
}

static err_t write_status(struct mmio *mmio, uint32_t value)
{
    if (value == 0)
        driver_reset(mmio);
    else
        virtio_set_status(mmio->virtio, (uint8_t)value);
    return OK;
}

static void set_half(gpa_t *address, unsigned shift, uint32_t value)
{
    address->raw &= ~(BIT_MASK(31, 0) << shift);
    address->raw |= (uint64_t)value << shift;
}

/* The halves of the address of one of the selected queue's areas. */
#define DEFINE_AREA(area)                                                     \
    static err_t write_queue_##area##_low(struct mmio *mmio, uint32_t value)  \
    {                                                                         \
        struct virtqueue *queue = selected_idle(mmio);                        \
        if (queue != NULL)                                                    \
            set_half(&queue->area, 0, value);                                 \
        return OK;                                                            \
    }                                                                         \
    static err_t write_queue_##area##_high(struct mmio *mmio, uint32_t value) \
    {                                                                         \
        struct virtqueue *queue = selected_idle(mmio);                        \
        if (queue != NULL)                                                    \
            set_half(&queue->area, 32, value);                                \
        return OK;                                                            \
    }
DEFINE_AREA(desc)
DEFINE_AREA(driver)
DEFINE_AREA(device)
#undef DEFINE_AREA

static uint32_t read_no_region(struct mmio *mmio)
{
    return NO_REGION;
}

/* Takes effect at once, so that the register always reads as 0: done. */
static err_t write_queue_reset(struct mmio *mmio, uint32_t value)
{
    struct virtqueue *queue = selected(mmio);

    if (queue != NULL && value == 1 &&
        virtio_has(mmio->virtio, VIRTIO_F_RING_RESET))
        virtqueue_reset(queue);
    return OK;
}

static err_t write_guest_page_size(struct mmio *mmio, uint32_t value)
{
    mmio->guest_page_size = value;
    return OK;
}

static err_t write_queue_align(struct mmio *mmio, uint32_t value)
{
    if (selected_idle(mmio) != NULL)
        mmio->queue_align[mmio->queue_sel] = value;
    return OK;
}

static uint32_t read_queue_pfn(struct mmio *mmio)
{
    return selected(mmio) != NULL ? mmio->queue_pfn[mmio->queue_sel] : 0;
}

/* Places the selected queue at page `pfn` and makes it ready. What cannot be
 * placed is left for virtio_enable_queue() to refuse. */
static void start_legacy_queue(struct mmio *mmio, uint32_t pfn)
{
    struct virtqueue *queue = selected(mmio);
    gpa_t start = gpa((uint64_t)pfn * mmio->guest_page_size);

    if (!is_power_of_two(mmio->guest_page_size) ||
        virtqueue_set_legacy(queue, start,
                             mmio->queue_align[mmio->queue_sel]) != OK)
        queue->size = 0;
    virtio_enable_queue(mmio->virtio, queue);
    if (queue->ready)
        mmio->queue_pfn[mmio->queue_sel] = pfn;
}

static err_t write_queue_pfn(struct mmio *mmio, uint32_t value)
{
    struct virtqueue *queue = selected(mmio);

    if (queue == NULL)
        return OK;
    if (value == 0) {
        virtqueue_reset(queue);
        mmio->queue_pfn[mmio->queue_sel] = 0;
    } else if (!queue->ready) {
        start_legacy_queue(mmio, value);
    }
    return OK;
}

#define REGISTER_COUNT (CONFIG / 4)

static const struct mmio_register modern[REGISTER_COUNT] = {
    [MAGIC_VALUE / 4] = {read_magic_value, NULL},
    [VERSION / 4] = {read_version, NULL},
    [DEVICE_ID / 4] = {read_device_id, NULL},
    [VENDOR_ID / 4] = {read_vendor_id, NULL},
    [DEVICE_FEATURES / 4] = {read_device_features, NULL},
    [DEVICE_FEATURES_SEL / 4] = {NULL, write_device_features_sel},
    [DRIVER_FEATURES / 4] = {NULL, write_driver_features},
    [DRIVER_FEATURES_SEL / 4] = {NULL, write_driver_features_sel},
    [QUEUE_SEL / 4] = {NULL, write_queue_sel},
    [QUEUE_NUM_MAX / 4] = {read_queue_num_max, NULL},
    [QUEUE_NUM / 4] = {NULL, write_queue_num},
    [QUEUE_READY / 4] = {read_queue_ready, write_queue_ready},
    [QUEUE_NOTIFY / 4] = {NULL, write_queue_notify},
    [INTERRUPT_STATUS / 4] = {read_interrupt_status, NULL},
    [INTERRUPT_ACK / 4] = {NULL, write_interrupt_ack},
    [STATUS / 4] = {read_status, write_status},
    [QUEUE_DESC_LOW / 4] = {NULL, write_queue_desc_low},
    [QUEUE_DESC_HIGH / 4] = {NULL, write_queue_desc_high},
    [QUEUE_DRIVER_LOW / 4] = {NULL, write_queue_driver_low},
    [QUEUE_DRIVER_HIGH / 4] = {NULL, write_queue_driver_high},
    [QUEUE_DEVICE_LOW / 4] = {NULL, write_queue_device_low},
    [QUEUE_DEVICE_HIGH / 4] = {NULL, write_queue_device_high},
    [SHM_LEN_LOW / 4] = {read_no_region, NULL},
    [SHM_LEN_HIGH / 4] = {read_no_region, NULL},
    [SHM_BASE_LOW / 4] = {read_no_region, NULL},
    [SHM_BASE_HIGH / 4] = {read_no_region, NULL},
    [QUEUE_RESET / 4] = {NULL, write_queue_reset},
};

static const struct mmio_register legacy[REGISTER_COUNT] = {
    [MAGIC_VALUE / 4] = {read_magic_value, NULL},
    [VERSION / 4] = {read_version, NULL},
    [DEVICE_ID / 4] = {read_device_id, NULL},
    [VENDOR_ID / 4] = {read_vendor_id, NULL},
    [DEVICE_FEATURES / 4] = {read_device_features, NULL},
    [DEVICE_FEATURES_SEL / 4] = {NULL, write_device_features_sel},
    [DRIVER_FEATURES / 4] = {NULL, write_driver_features},
    [DRIVER_FEATURES_SEL / 4] = {NULL, write_driver_features_sel},
    [GUEST_PAGE_SIZE / 4] = {NULL, write_guest_page_size},
    [QUEUE_SEL / 4] = {NULL, write_queue_sel},
    [QUEUE_NUM_MAX / 4] = {read_queue_num_max, NULL},
    [QUEUE_NUM / 4] = {NULL, write_queue_num},
    [QUEUE_ALIGN / 4] = {NULL, write_queue_align},
    [QUEUE_PFN / 4] = {read_queue_pfn, write_queue_pfn},
    [QUEUE_NOTIFY / 4] = {NULL, write_queue_notify},
    [INTERRUPT_STATUS / 4] = {read_interrupt_status, NULL},
    [INTERRUPT_ACK / 4] = {NULL, write_interrupt_ack},
    [STATUS / 4] = {read_status, write_status},
};

static err_t mmio_read(struct device *device, unsigned range, uint64_t offset,
                       unsigned width, uint64_t *value)
{
    struct mmio *mmio = container_of(device, struct mmio, device);

    *value = 0;
    if (offset >= CONFIG) {
        *value = virtio_read_config(mmio->virtio, offset - CONFIG, width);
    } else if (width == 4) {
        const struct mmio_register *row = &mmio->registers[offset / 4];
        if (row->read != NULL)
            *value = row->read(mmio);
    }
    return OK;
}

static err_t mmio_write(struct device *device, unsigned range, uint64_t offset,
                        unsigned width, uint64_t value)
{
    struct mmio *mmio = container_of(device, struct mmio, device);

    if (offset >= CONFIG) {
        virtio_write_config(mmio->virtio, offset - CONFIG, width, value);
    } else if (width == 4) {
        const struct mmio_register *row = &mmio->registers[offset / 4];
        if (row->write != NULL)
            return row->write(mmio, (uint32_t)value);
    }
    return OK;
}

static void mmio_reset(struct device *device)
{
    struct mmio *mmio = container_of(device, struct mmio, device);

    driver_reset(mmio);
    virtio_power_on(mmio->virtio);
    mmio->device_features_sel = 0;
    mmio->driver_features_sel = 0;
    mmio->queue_sel = 0;
    mmio->guest_page_size = 0;
}

static void mmio_chardev_ready(struct device *device)
{
    virtio_input_ready(container_of(device, struct mmio, device)->virtio);
}

static const struct device_ops mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .reset = mmio_reset,
    .chardev_ready = mmio_chardev_ready,
};

err_t virtio_mmio_create(const struct device_context *context,
                         struct virtio_device *virtio, struct device **device,
                         const char **what)
{
    struct mmio *mmio;
    uint64_t base, size;
    err_t error = device_parse_reg(context, &base, &size, what);

    if (error != OK)
        return error;
    if (size < MIN_SIZE || size - CONFIG < virtio->config_size) {
        *what = "reg";
        return ERR_INVALID_INPUT;
    }
    mmio = arena_new(context->arena, struct mmio);
    if (mmio == NULL)
        return ERR_NO_MEMORY;
    virtio->legacy =
        fdt_getprop(context->fdt, context->node, "legacy", NULL) != NULL;
    virtio->transport = &mmio->transport;
    mmio->transport.signal = signal_driver;
    mmio->virtio = virtio;
    mmio->registers = virtio->legacy ? legacy : modern;
    mmio->device.ops = &mmio_ops;
    mmio->device.ranges[0].widths = WIDTH_ALL;
    *device = &mmio->device;
    return OK;
}
