/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio over PCI, modern: virtio 1.2, section 4.1. No transitional device:
 * the interface of before virtio 1.0 needs I/O BARs.
 *
 *   BAR 0   0x0000   common configuration     4.1.4.3
 *           0x1000   ISR status               4.1.4.5
 *           0x2000   device configuration     4.1.4.6
 *           0x3000   notification, 4 bytes for each queue   4.1.4.4
 *   BAR 1   MSI-X table and pending bits (msix.c)
 *
 * A common register takes accesses of its own width, a register of 64 bits
 * two of 32 (4.1.3.1); another access reads as 0 and writes nothing. What is
 * beyond the structures reads as 0, too. The same structures are reached
 * through the capability VIRTIO_PCI_CAP_PCI_CFG (4.1.4.9), in the
 * configuration space.
 *
 * A device that may not be bus master touches no memory and sends no message:
 * notifications are lost then, as the doorbell of a device that is off.
 *
 * config_generation stays 0: see virtio/mmio.c. There is no shared memory, and
 * no notification data: VIRTIO_F_NOTIFICATION_DATA is not offered.
 */
#include "device/pci/virtio_pci.h"

#include "device/pci/msix.h"
#include "lib/string.h"
#include "memory/arena.h"

#define VENDOR      0x1af4
#define DEVICE_BASE 0x1040 /* 4.1.2: plus the type's number */
#define SUBSYSTEM   0x1100 /* 4.1.2.1: 0x40 or higher */
#define NO_VECTOR   0xffff /* VIRTIO_MSI_NO_VECTOR */

enum { BAR_VIRTIO, BAR_MSIX };

/* The structures in BAR 0, each in a window of its own. */
#define WINDOW_SHIFT      12
#define WINDOW_SIZE       (UINT64_C(1) << WINDOW_SHIFT)
#define NOTIFY_MULTIPLIER 4

enum window { COMMON, ISR, DEVICE, NOTIFY, WINDOWS };

/* 4.1.4: struct virtio_pci_cap, and what follows it. */
#define CAP_VENDOR     0x09
#define CAP_LENGTH     2
#define CAP_TYPE       3
#define CAP_BAR        4
#define CAP_OFFSET     8
#define CAP_SIZE       12
#define CAP_END        16
#define CAP_MULTIPLIER 16 /* struct virtio_pci_notify_cap */
#define CAP_DATA       16 /* struct virtio_pci_cfg_cap */

enum capability_type {
    VIRTIO_PCI_CAP_COMMON_CFG = 1,
    VIRTIO_PCI_CAP_NOTIFY_CFG = 2,
    VIRTIO_PCI_CAP_ISR_CFG = 3,
    VIRTIO_PCI_CAP_DEVICE_CFG = 4,
    VIRTIO_PCI_CAP_PCI_CFG = 5,
};

struct virtio_pci {
    struct pci_function function;
    struct virtio_transport transport;
    struct virtio_device *virtio;
    struct msix msix; /* without vectors: there is none */
    uint8_t cfg;      /* offset of the capability VIRTIO_PCI_CAP_PCI_CFG */

    uint8_t isr; /* enum virtio_event */
    uint32_t device_feature_select;
    uint32_t driver_feature_select;
    uint16_t config_msix_vector;
    uint16_t queue_select;
    uint16_t queue_msix_vector[VIRTIO_MAX_QUEUES];
};

/* A register of the common configuration. A missing function makes it read as
 * 0, or ignore writes. */
struct common_register {
    uint8_t offset;
    uint8_t width;
    uint32_t (*read)(struct virtio_pci *pci);
    void (*write)(struct virtio_pci *pci, uint32_t value);
};

static struct virtio_pci *to_pci(struct device *device)
{
    return container_of(device, struct virtio_pci, function.device);
}

/* --- Interrupts --- */

/* 4.1.4.5.1: with MSI-X, the ISR status moves no line. */
static void update_line(struct virtio_pci *pci)
{
    pci_function_set_interrupt(&pci->function,
                               pci->isr != 0 && !msix_is_enabled(&pci->msix));
}

static void signal_driver(struct virtio_transport *transport,
                          enum virtio_event event, unsigned queue)
{
    struct virtio_pci *pci =
        container_of(transport, struct virtio_pci, transport);
    uint16_t vector = event == VIRTIO_EVENT_USED ? pci->queue_msix_vector[queue]
                                                 : pci->config_msix_vector;
    bool by_message = msix_is_enabled(&pci->msix);

    if (!by_message || event == VIRTIO_EVENT_CONFIG)
        pci->isr = (uint8_t)(pci->isr | event);
    if (!by_message)
        update_line(pci);
    else if (vector != NO_VECTOR)
        msix_signal(&pci->msix, vector);
}

/* 4.1.4.5: reading it acknowledges. */
static uint8_t take_isr(struct virtio_pci *pci)
{
    uint8_t isr = pci->isr;

    pci->isr = 0;
    update_line(pci);
    return isr;
}

/* 4.1.5.1.2.1: a vector that cannot be had reads back as none. */
static uint16_t usable_vector(const struct virtio_pci *pci, uint32_t vector)
{
    return vector < pci->msix.count ? (uint16_t)vector : NO_VECTOR;
}

/* --- The common configuration --- */

static struct virtqueue *selected(struct virtio_pci *pci)
{
    return virtio_queue(pci->virtio, pci->queue_select);
}

/* The selected queue, if it may be set up now. */
static struct virtqueue *selected_idle(struct virtio_pci *pci)
{
    struct virtqueue *queue = selected(pci);

    return queue != NULL && !queue->ready ? queue : NULL;
}

static uint32_t read_device_feature_select(struct virtio_pci *pci)
{
    return pci->device_feature_select;
}

static void write_device_feature_select(struct virtio_pci *pci, uint32_t value)
{
    pci->device_feature_select = value;
}

static uint32_t read_device_feature(struct virtio_pci *pci)
{
    return virtio_offered_word(pci->virtio, pci->device_feature_select);
}

static uint32_t read_driver_feature_select(struct virtio_pci *pci)
{
    return pci->driver_feature_select;
}

static void write_driver_feature_select(struct virtio_pci *pci, uint32_t value)
{
    pci->driver_feature_select = value;
}

static uint32_t read_driver_feature(struct virtio_pci *pci)
{
    uint32_t word = pci->driver_feature_select;

    return word < 2 ? (uint32_t)(pci->virtio->accepted >> (32 * word)) : 0;
}

static void write_driver_feature(struct virtio_pci *pci, uint32_t value)
{
    virtio_accept_word(pci->virtio, pci->driver_feature_select, value);
}

static uint32_t read_config_msix_vector(struct virtio_pci *pci)
{
    return pci->config_msix_vector;
}

static void write_config_msix_vector(struct virtio_pci *pci, uint32_t value)
{
    pci->config_msix_vector = usable_vector(pci, value);
}

static uint32_t read_num_queues(struct virtio_pci *pci)
{
    return pci->virtio->type->queue_count;
}

static uint32_t read_device_status(struct virtio_pci *pci)
{
    return virtio_status(pci->virtio);
}

/* 2.4.1: after a reset there are no notifications. */
static void driver_reset(struct virtio_pci *pci)
{
    virtio_reset(pci->virtio);
    msix_forget(&pci->msix);
    pci->config_msix_vector = NO_VECTOR;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        pci->queue_msix_vector[i] = NO_VECTOR;
    (void)take_isr(pci);
}

static void write_device_status(struct virtio_pci *pci, uint32_t value)
{
    if (value == 0)
        driver_reset(pci);
    else
        virtio_set_status(pci->virtio, (uint8_t)value);
}

static uint32_t read_queue_select(struct virtio_pci *pci)
{
    return pci->queue_select;
}

static void write_queue_select(struct virtio_pci *pci, uint32_t value)
{
    pci->queue_select = (uint16_t)value;
}

static uint32_t read_queue_size(struct virtio_pci *pci)
{
    const struct virtqueue *queue = selected(pci);

    return queue != NULL ? queue->size : 0;
}

static void write_queue_size(struct virtio_pci *pci, uint32_t value)
{
    struct virtqueue *queue = selected_idle(pci);

    if (queue != NULL)
        queue->size = value;
}

static uint32_t read_queue_msix_vector(struct virtio_pci *pci)
{
    return selected(pci) != NULL ? pci->queue_msix_vector[pci->queue_select]
                                 : NO_VECTOR;
}

static void write_queue_msix_vector(struct virtio_pci *pci, uint32_t value)
{
    if (selected(pci) != NULL)
        pci->queue_msix_vector[pci->queue_select] = usable_vector(pci, value);
}

static uint32_t read_queue_enable(struct virtio_pci *pci)
{
    const struct virtqueue *queue = selected(pci);

    return queue != NULL && queue->ready;
}

/* 4.1.4.3.2: the driver does not write 0. */
static void write_queue_enable(struct virtio_pci *pci, uint32_t value)
{
    struct virtqueue *queue = selected_idle(pci);

    if (queue != NULL && value == 1)
        virtio_enable_queue(pci->virtio, queue);
}

static uint32_t read_queue_notify_off(struct virtio_pci *pci)
{
    return selected(pci) != NULL ? pci->queue_select : 0;
}

/* The halves of the address of one of the selected queue's areas. */
static uint32_t half_of(gpa_t address, unsigned shift)
{
    return (uint32_t)(address.raw >> shift);
}

static void set_half(gpa_t *address, unsigned shift, uint32_t value)
{
    address->raw &= ~(BIT_MASK(31, 0) << shift);
    address->raw |= (uint64_t)value << shift;
}

#define DEFINE_HALF(area, half, shift)                                 \
    static uint32_t read_queue_##area##_##half(struct virtio_pci *pci) \
    {                                                                  \
        const struct virtqueue *queue = selected(pci);                 \
        return queue != NULL ? half_of(queue->area, shift) : 0;        \
    }                                                                  \
    static void write_queue_##area##_##half(struct virtio_pci *pci,    \
                                            uint32_t value)            \
    {                                                                  \
        struct virtqueue *queue = selected_idle(pci);                  \
        if (queue != NULL)                                             \
            set_half(&queue->area, shift, value);                      \
    }
DEFINE_HALF(desc, low, 0)
DEFINE_HALF(desc, high, 32)
DEFINE_HALF(driver, low, 0)
DEFINE_HALF(driver, high, 32)
DEFINE_HALF(device, low, 0)
DEFINE_HALF(device, high, 32)
#undef DEFINE_HALF

/* 2.6.1: done at once, so that it always reads as 0. */
static void write_queue_reset(struct virtio_pci *pci, uint32_t value)
{
    struct virtqueue *queue = selected(pci);

    if (queue != NULL && value == 1 &&
        virtio_has(pci->virtio, VIRTIO_F_RING_RESET))
        virtqueue_reset(queue);
}

/* 4.1.4.3: struct virtio_pci_common_cfg. config_generation at 21 and
 * queue_notify_data at 56 are always 0. */
static const struct common_register common[] = {
    {0, 4, read_device_feature_select, write_device_feature_select},
    {4, 4, read_device_feature, NULL},
    {8, 4, read_driver_feature_select, write_driver_feature_select},
    {12, 4, read_driver_feature, write_driver_feature},
    {16, 2, read_config_msix_vector, write_config_msix_vector},
    {18, 2, read_num_queues, NULL},
    {20, 1, read_device_status, write_device_status},
    {22, 2, read_queue_select, write_queue_select},
    {24, 2, read_queue_size, write_queue_size},
    {26, 2, read_queue_msix_vector, write_queue_msix_vector},
    {28, 2, read_queue_enable, write_queue_enable},
    {30, 2, read_queue_notify_off, NULL},
    {32, 4, read_queue_desc_low, write_queue_desc_low},
    {36, 4, read_queue_desc_high, write_queue_desc_high},
    {40, 4, read_queue_driver_low, write_queue_driver_low},
    {44, 4, read_queue_driver_high, write_queue_driver_high},
    {48, 4, read_queue_device_low, write_queue_device_low},
    {52, 4, read_queue_device_high, write_queue_device_high},
    {58, 2, NULL, write_queue_reset},
};
#define COMMON_SIZE 60

static const struct common_register *find_common(uint64_t offset,
                                                 unsigned width)
{
    for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
        if (common[i].offset == offset && common[i].width == width)
            return &common[i];
    }
    return NULL;
}

/* --- BAR 0 --- */

static uint64_t read_bar(struct virtio_pci *pci, uint64_t offset,
                         unsigned width)
{
    uint64_t inner = offset % WINDOW_SIZE;
    const struct common_register *row;

    switch (offset >> WINDOW_SHIFT) {
    case COMMON:
        row = find_common(inner, width);
        return row != NULL && row->read != NULL ? row->read(pci) : 0;
    case ISR: return inner == 0 ? take_isr(pci) : 0;
    case DEVICE: return virtio_read_config(pci->virtio, inner, width);
    default: return 0;
    }
}

/* 4.1.5.2: which queue is said by the address. */
static err_t notify(struct virtio_pci *pci, uint64_t inner)
{
    if (inner % NOTIFY_MULTIPLIER != 0 ||
        !pci_function_is_master(&pci->function))
        return OK;
    return virtio_notify(pci->virtio, (uint32_t)(inner / NOTIFY_MULTIPLIER));
}

static err_t write_bar(struct virtio_pci *pci, uint64_t offset, unsigned width,
                       uint32_t value)
{
    uint64_t inner = offset % WINDOW_SIZE;
    const struct common_register *row;

    switch (offset >> WINDOW_SHIFT) {
    case COMMON:
        row = find_common(inner, width);
        if (row != NULL && row->write != NULL)
            row->write(pci, value);
        return OK;
    case DEVICE:
        virtio_write_config(pci->virtio, inner, width, value);
        return OK;
    case NOTIFY: return notify(pci, inner);
    default: return OK;
    }
}

static err_t virtio_pci_read(struct device *device, unsigned range,
                             uint64_t offset, unsigned width, uint64_t *value)
{
    struct virtio_pci *pci = to_pci(device);

    *value = range == BAR_MSIX ? msix_read(&pci->msix, offset, width)
                               : read_bar(pci, offset, width);
    return OK;
}

static err_t virtio_pci_write(struct device *device, unsigned range,
                              uint64_t offset, unsigned width, uint64_t value)
{
    struct virtio_pci *pci = to_pci(device);

    if (range != BAR_MSIX)
        return write_bar(pci, offset, width, (uint32_t)value);
    msix_write(&pci->msix, offset, width, (uint32_t)value);
    return OK;
}

/* --- Configuration space --- */

/* 4.1.4.9: what the driver has laid into the capability: an aligned access of
 * 1, 2 or 4 bytes, within BAR 0. */
static bool cfg_access(const struct virtio_pci *pci, uint32_t *offset,
                       uint32_t *width)
{
    const uint8_t *cfg = &pci->function.config[pci->cfg];

    *offset = pci_config_get(cfg, CAP_OFFSET, 4);
    *width = pci_config_get(cfg, CAP_SIZE, 4);
    return cfg[CAP_BAR] == BAR_VIRTIO &&
           (*width == 1 || *width == 2 || *width == 4) &&
           *offset % *width == 0 && *offset < WINDOWS * WINDOW_SIZE;
}

/* Whether an access of the configuration space is one of pci_cfg_data. */
static bool is_cfg_data(const struct virtio_pci *pci, unsigned offset)
{
    return align_down(offset, 4) == (uint64_t)pci->cfg + CAP_DATA;
}

static void before_read(struct pci_function *function, unsigned offset,
                        unsigned width)
{
    struct virtio_pci *pci =
        container_of(function, struct virtio_pci, function);
    uint32_t where, size;

    if (is_cfg_data(pci, offset) && cfg_access(pci, &where, &size))
        pci_config_set(function->config, pci->cfg + CAP_DATA, 4,
                       (uint32_t)read_bar(pci, where, size));
}

static err_t after_write(struct pci_function *function, unsigned offset,
                         unsigned width)
{
    struct virtio_pci *pci =
        container_of(function, struct virtio_pci, function);
    uint32_t where, size;

    msix_update(&pci->msix);
    update_line(pci);
    if (!is_cfg_data(pci, offset) || !cfg_access(pci, &where, &size))
        return OK;
    return write_bar(
        pci, where, size,
        pci_config_get(function->config, pci->cfg + CAP_DATA, size));
}

/* --- Making it --- */

static void virtio_pci_reset(struct device *device)
{
    struct virtio_pci *pci = to_pci(device);

    pci_function_reset(&pci->function);
    msix_reset(&pci->msix);
    driver_reset(pci);
    virtio_power_on(pci->virtio);
    pci->device_feature_select = 0;
    pci->driver_feature_select = 0;
    pci->queue_select = 0;
}

static void virtio_pci_chardev_ready(struct device *device)
{
    struct virtio_pci *pci = to_pci(device);

    if (pci_function_is_master(&pci->function))
        virtio_input_ready(pci->virtio);
}

static const struct device_ops virtio_pci_ops = {
    .read = virtio_pci_read,
    .write = virtio_pci_write,
    .reset = virtio_pci_reset,
    .chardev_ready = virtio_pci_chardev_ready,
};

/* PCI 3.0, appendix D. */
static uint32_t class_of(enum virtio_id id)
{
    switch (id) {
    case VIRTIO_ID_BLOCK: return 0x010000;   /* mass storage, SCSI */
    case VIRTIO_ID_CONSOLE: return 0x078000; /* communication, other */
    default: return 0xff0000;                /* in no class */
    }
}

static uint8_t add_capability(struct virtio_pci *pci, enum capability_type type,
                              uint8_t length, uint32_t offset, uint32_t size)
{
    uint8_t *reset = pci->function.reset;
    uint8_t at =
        pci_function_add_capability(&pci->function, CAP_VENDOR, length);

    reset[at + CAP_LENGTH] = length;
    reset[at + CAP_TYPE] = (uint8_t)type;
    reset[at + CAP_BAR] = BAR_VIRTIO;
    pci_config_set(reset, at + CAP_OFFSET, 4, offset);
    pci_config_set(reset, at + CAP_SIZE, 4, size);
    return at;
}

static uint32_t window_at(enum window window)
{
    return (uint32_t)window << WINDOW_SHIFT;
}

static void add_notify_capability(struct virtio_pci *pci)
{
    uint8_t at = add_capability(
        pci, VIRTIO_PCI_CAP_NOTIFY_CFG, CAP_MULTIPLIER + 4, window_at(NOTIFY),
        pci->virtio->type->queue_count * NOTIFY_MULTIPLIER);

    pci_config_set(pci->function.reset, at + CAP_MULTIPLIER, 4,
                   NOTIFY_MULTIPLIER);
}

static void add_cfg_capability(struct virtio_pci *pci)
{
    uint8_t *writable = pci->function.writable;
    uint8_t at =
        add_capability(pci, VIRTIO_PCI_CAP_PCI_CFG, CAP_DATA + 4, 0, 0);

    pci->cfg = at;
    pci_config_set(writable, at + CAP_BAR, 1, 0xff);
    pci_config_set(writable, at + CAP_OFFSET, 4, UINT32_MAX);
    pci_config_set(writable, at + CAP_SIZE, 4, UINT32_MAX);
    pci_config_set(writable, at + CAP_DATA, 4, UINT32_MAX);
}

static void fill_function(struct virtio_pci *pci)
{
    const struct virtio_type *type = pci->virtio->type;
    const struct pci_ids ids = {
        .vendor = VENDOR,
        .device = (uint16_t)(DEVICE_BASE + type->id),
        .subsystem_vendor = VENDOR,
        .subsystem = SUBSYSTEM,
        .class_code = class_of(type->id),
        .revision = 1,
    };

    pci_function_init(&pci->function, &ids, &virtio_pci_ops);
    pci->function.before_read = before_read;
    pci->function.after_write = after_write;
    pci_function_add_bar(&pci->function, BAR_VIRTIO, WINDOWS * WINDOW_SIZE);
    (void)add_capability(pci, VIRTIO_PCI_CAP_COMMON_CFG, CAP_END,
                         window_at(COMMON), COMMON_SIZE);
    (void)add_capability(pci, VIRTIO_PCI_CAP_ISR_CFG, CAP_END, window_at(ISR),
                         1);
    if (pci->virtio->config_size != 0)
        (void)add_capability(pci, VIRTIO_PCI_CAP_DEVICE_CFG, CAP_END,
                             window_at(DEVICE),
                             (uint32_t)pci->virtio->config_size);
    add_notify_capability(pci);
    add_cfg_capability(pci);
}

err_t virtio_pci_create(const struct device_context *context,
                        struct virtio_device *virtio, struct device **device,
                        const char **what)
{
    struct virtio_pci *pci = arena_new(context->arena, struct virtio_pci);

    if (pci == NULL)
        return ERR_NO_MEMORY;
    pci->virtio = virtio;
    pci->transport.signal = signal_driver;
    virtio->transport = &pci->transport;
    fill_function(pci);
    if (context->msi != NULL)
        msix_init(&pci->msix, context, &pci->function, BAR_MSIX,
                  virtio->type->queue_count + 1);
    *device = &pci->function.device;
    return pci_function_attach(context, &pci->function, what);
}
