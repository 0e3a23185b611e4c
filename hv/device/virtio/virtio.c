/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device without its transport: see virtio.h. */
#include "device/virtio/virtio.h"

#include "device/virtio/mmio.h"
#include "lib/string.h"

/* What looking at a descriptor costs of a slice, in bytes of work. */
#define DESCRIPTOR_COST 64

/* Section 6: what every device here offers. VIRTIO_F_IN_ORDER would be true
 * as well, but gains nothing and is new to most drivers. */
#define COMMON_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)
#define MODERN_FEATURES (VIRTIO_F_VERSION_1 | VIRTIO_F_RING_RESET)
#define LEGACY_FEATURES VIRTIO_F_ANY_LAYOUT

/* The legacy interface knows 32 feature bits. */
#define LEGACY_FEATURE_MASK BIT_MASK(31, 0)

void virtio_init(struct virtio_device *virtio, const struct virtio_type *type,
                 const struct device_context *context, uint64_t features,
                 void *config, size_t config_size)
{
    virtio->type = type;
    virtio->memory = context->memory;
    virtio->offered = features | COMMON_FEATURES;
    virtio->config = config;
    virtio->config_size = config_size;
    for (unsigned i = 0; i < type->queue_count; i++) {
        virtio->queues[i].memory = context->memory;
        virtio->queues[i].size_max = type->queue_size;
        virtqueue_reset(&virtio->queues[i]);
    }
}

err_t virtio_create(const struct device_context *context,
                    struct virtio_device *virtio, struct device **device,
                    const char **what)
{
    return context->create_virtio != NULL
               ? context->create_virtio(context, virtio, device, what)
               : virtio_mmio_create(context, virtio, device, what);
}

uint64_t virtio_budget(struct virtio_device *virtio, uint64_t wanted)
{
    uint64_t granted = wanted < virtio->budget ? wanted : virtio->budget;

    virtio->budget -= granted;
    return granted;
}

static uint64_t all_offered(const struct virtio_device *virtio)
{
    return virtio->legacy
               ? (virtio->offered & LEGACY_FEATURE_MASK) | LEGACY_FEATURES
               : virtio->offered | MODERN_FEATURES;
}

bool virtio_has(const struct virtio_device *virtio, uint64_t features)
{
    return (virtio->accepted & all_offered(virtio) & features) == features;
}

void virtio_reset(struct virtio_device *virtio)
{
    virtio->accepted = 0;
    virtio->accepts_unknown = false;
    virtio->status = 0;
    virtio->broken = false;
    for (unsigned i = 0; i < virtio->type->queue_count; i++)
        virtqueue_reset(&virtio->queues[i]);
}

void virtio_power_on(struct virtio_device *virtio)
{
    virtio_reset(virtio);
    if (virtio->type->power_on != NULL)
        virtio->type->power_on(virtio);
}

uint32_t virtio_offered_word(const struct virtio_device *virtio, uint32_t word)
{
    return word < 2 ? (uint32_t)(all_offered(virtio) >> (32 * word)) : 0;
}

void virtio_accept_word(struct virtio_device *virtio, uint32_t word,
                        uint32_t features)
{
    uint8_t fixed = virtio->legacy ? VIRTIO_DRIVER_OK : VIRTIO_FEATURES_OK;

    if (virtio->status & fixed)
        return;
    if (word < 2) {
        virtio->accepted &= ~(BIT_MASK(31, 0) << (32 * word));
        virtio->accepted |= (uint64_t)features << (32 * word);
    } else if (features != 0) {
        virtio->accepts_unknown = true;
    }
}

uint8_t virtio_status(const struct virtio_device *virtio)
{
    /* The legacy interface has no bit for it. */
    bool needs_reset = virtio->broken && !virtio->legacy;

    return (uint8_t)(virtio->status |
                     (needs_reset ? VIRTIO_DEVICE_NEEDS_RESET : 0));
}

/* 2.2.2 and 6.2: what decides about FEATURES_OK. */
static bool features_are_ok(const struct virtio_device *virtio)
{
    return (virtio->accepted & ~all_offered(virtio)) == 0 &&
           !virtio->accepts_unknown &&
           (virtio->accepted & VIRTIO_F_VERSION_1) != 0;
}

static void signal_config(struct virtio_device *virtio)
{
    virtio->transport->signal(virtio->transport, VIRTIO_EVENT_CONFIG, 0);
}

/* Until the driver resets the device, nothing is done any more. */
static void break_device(struct virtio_device *virtio)
{
    if (virtio->broken)
        return;
    virtio->broken = true;
    if (!virtio->legacy && (virtio->status & VIRTIO_DRIVER_OK))
        signal_config(virtio);
}

/* 3.1.1: the order of initialization. Each step needs the one before. */
static const struct {
    uint8_t bit;
    uint8_t needs;
} steps[] = {
    {VIRTIO_ACKNOWLEDGE, 0},
    {VIRTIO_DRIVER, VIRTIO_ACKNOWLEDGE},
    {VIRTIO_FEATURES_OK, VIRTIO_DRIVER},
    {VIRTIO_DRIVER_OK, VIRTIO_FEATURES_OK},
    {VIRTIO_FAILED, 0},
};

static void set_status_modern(struct virtio_device *virtio, uint8_t status)
{
    uint8_t before = virtio->status;

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (!(status & steps[i].bit) ||
            (virtio->status & steps[i].needs) != steps[i].needs)
            continue;
        if (steps[i].bit == VIRTIO_FEATURES_OK && !features_are_ok(virtio))
            continue;
        virtio->status |= steps[i].bit;
    }
    /* A device that broke before could not tell so. */
    if (virtio->broken && (~before & virtio->status & VIRTIO_DRIVER_OK))
        signal_config(virtio);
}

void virtio_set_status(struct virtio_device *virtio, uint8_t status)
{
    /* 3.1.2: legacy drivers take steps in orders of their own. */
    if (virtio->legacy)
        virtio->status |= status & (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER |
                                    VIRTIO_DRIVER_OK | VIRTIO_FAILED);
    else
        set_status_modern(virtio, status);
}

uint64_t virtio_read_config(const struct virtio_device *virtio, uint64_t offset,
                            unsigned width)
{
    uint64_t value = 0;

    if (offset < virtio->config_size) {
        uint64_t rest = virtio->config_size - offset;
        memcpy(&value, virtio->config + offset, width < rest ? width : rest);
    }
    return value;
}

void virtio_write_config(struct virtio_device *virtio, uint64_t offset,
                         unsigned width, uint64_t value)
{
    if (virtio->type->write_config != NULL)
        virtio->type->write_config(virtio, offset, width, value);
}

struct virtqueue *virtio_queue(struct virtio_device *virtio, uint32_t index)
{
    return index < virtio->type->queue_count ? &virtio->queues[index] : NULL;
}

void virtio_enable_queue(struct virtio_device *virtio, struct virtqueue *queue)
{
    if (virtqueue_enable(queue, virtio->accepted & all_offered(virtio)) != OK)
        break_device(virtio);
}

/* Whether queues may be touched. 3.1.2: legacy drivers use them before they
 * set DRIVER_OK. */
static bool is_live(const struct virtio_device *virtio)
{
    uint8_t needed = virtio->legacy ? 0 : VIRTIO_DRIVER_OK;

    return !virtio->broken && !(virtio->status & VIRTIO_FAILED) &&
           (virtio->status & needed) == needed;
}

/* Works on the next chain, which is available. */
static enum virtio_outcome answer_next(struct virtio_device *virtio,
                                       struct virtqueue *queue)
{
    struct virtqueue_chain *chain = &virtio->chain;
    enum virtio_outcome outcome;
    uint32_t written = 0;

    if (virtqueue_peek(queue, chain) != OK)
        return VIRTIO_BROKEN;
    outcome = virtio->type->answer(virtio, queue, chain, &written);
    if (outcome == VIRTIO_ANSWERED &&
        virtqueue_answer(queue, chain, written) != OK)
        return VIRTIO_BROKEN;
    /* Paid for afterwards, so that the first chain of a slice always gets
     * somewhere. */
    (void)virtio_budget(virtio, (uint64_t)chain->count * DESCRIPTOR_COST);
    return outcome;
}

/* Works on what is available now, for a slice. `more`: something is left. */
static err_t serve(struct virtio_device *virtio, struct virtqueue *queue,
                   bool *more)
{
    enum virtio_outcome outcome = VIRTIO_ANSWERED;
    uint16_t left = 0;
    err_t error = virtqueue_available(queue, &left);

    *more = false;
    if (error != OK)
        return error;
    while (left > 0 && outcome == VIRTIO_ANSWERED && virtio->budget > 0) {
        outcome = answer_next(virtio, queue);
        if (outcome == VIRTIO_ANSWERED)
            left--;
    }
    if (outcome == VIRTIO_BROKEN)
        return ERR_CORRUPT;
    if (outcome == VIRTIO_WAITING)
        return OK;
    if (left > 0) {
        *more = true;
        return OK;
    }
    return virtqueue_rearm(queue, more);
}

static err_t signal_used(struct virtio_device *virtio, struct virtqueue *queue)
{
    bool wanted;
    err_t error = virtqueue_wants_interrupt(queue, &wanted);

    if (wanted)
        virtio->transport->signal(virtio->transport, VIRTIO_EVENT_USED,
                                  (unsigned)(queue - virtio->queues));
    return error;
}

err_t virtio_notify(struct virtio_device *virtio, uint32_t index)
{
    struct virtqueue *queue = virtio_queue(virtio, index);
    bool more;
    err_t served, signalled;

    if (queue == NULL || !queue->ready || !is_live(virtio))
        return OK;
    virtio->budget = virtio->type->slice;
    served = serve(virtio, queue, &more);
    /* What was answered before something broke is told all the same. */
    signalled = signal_used(virtio, queue);
    if (served != OK || signalled != OK) {
        break_device(virtio);
        return OK;
    }
    return more ? ERR_BUSY : OK;
}

void virtio_input_ready(struct virtio_device *virtio)
{
    if (virtio->type->input_ready != NULL)
        virtio->type->input_ready(virtio);
}
