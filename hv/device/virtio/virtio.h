/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device without its transport: virtio 1.2, chapters 2 and 3. The
 * device types (blk.c, console.c, rng.c) fill in a struct virtio_type; a
 * transport (mmio.c, and on a PC pci/virtio_pci.c) translates its registers
 * into the calls below. Neither knows the other.
 *
 * How work is bounded. A notification is handled while the vCPU that sent it
 * waits. It handles what was available when it came, and ends early when it
 * has done a slice of work, be it in the middle of a chain. What is left, or
 * has come in between without a notification of its own, makes
 * virtio_notify() return ERR_BUSY: the access has not come to its end, and
 * the vCPU makes it again after its interrupts and the scheduler had their
 * turn. So a guest pays for its own work, in pieces, and nothing needs a
 * timer or a thread.
 *
 * What a device cannot deal with (see queue.h, and each type) makes it ask
 * for a reset: DEVICE_NEEDS_RESET and a configuration change notification,
 * and it touches no queue until the driver has reset it. 2.1.2.
 *
 * All functions are called with the lock of the transport's device held.
 */
#ifndef DEVICE_VIRTIO_VIRTIO_H
#define DEVICE_VIRTIO_VIRTIO_H

#include "device/device.h"
#include "device/virtio/queue.h"

/* 2.1: the device status field. */
enum virtio_status {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_DEVICE_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128,
};

/* Section 6: the feature bits of all devices, but for those in queue.h. */
#define VIRTIO_F_ANY_LAYOUT BIT(27) /* legacy: framing is free */
#define VIRTIO_F_VERSION_1  BIT(32)
#define VIRTIO_F_RING_RESET BIT(40)

/* Chapter 5: device types. */
enum virtio_id {
    VIRTIO_ID_BLOCK = 2,
    VIRTIO_ID_CONSOLE = 3,
    VIRTIO_ID_ENTROPY = 4,
};

#define VIRTIO_MAX_QUEUES 2

struct virtio_device;

/* What a type does with a chain. */
enum virtio_outcome {
    VIRTIO_ANSWERED, /* it is done, and goes back to the driver */
    VIRTIO_LATER,    /* the slice is over; queue->progress says how far */
    VIRTIO_WAITING,  /* there is nothing yet to answer it with */
    VIRTIO_BROKEN,   /* no driver may send this: a reset is needed */
};

struct virtio_type {
    enum virtio_id id;
    unsigned queue_count;
    uint16_t queue_size; /* the most a driver may use, a power of two */
    uint32_t slice;      /* bytes of work for one notification */
    /* Works on the next chain of `queue`, as far as virtio_budget() goes.
     * `written` is 0 before. */
    enum virtio_outcome (*answer)(struct virtio_device *virtio,
                                  struct virtqueue *queue,
                                  const struct virtqueue_chain *chain,
                                  uint32_t *written);
    /* The driver writes `width` bytes of the configuration space, in any
     * state. NULL: it is read-only. */
    void (*write_config)(struct virtio_device *virtio, uint64_t offset,
                         unsigned width, uint64_t value);
    /* The power comes on. NULL: nothing to do. */
    void (*power_on)(struct virtio_device *virtio);
    /* The chardev has input. NULL: there is none. */
    void (*input_ready)(struct virtio_device *virtio);
};

/* 2.3: what a device tells its driver. */
enum virtio_event {
    VIRTIO_EVENT_USED = 1,
    VIRTIO_EVENT_CONFIG = 2,
};

/* The way to the driver. `queue` is the one that VIRTIO_EVENT_USED is about:
 * a transport may have an interrupt for each. */
struct virtio_transport {
    void (*signal)(struct virtio_transport *transport, enum virtio_event event,
                   unsigned queue);
};

struct virtio_device {
    const struct virtio_type *type;
    struct aspace *memory;
    struct virtio_transport *transport;
    bool legacy; /* the driver sees the interface of before virtio 1.0 */

    uint64_t offered;     /* features */
    uint64_t accepted;    /* of the driver, as it wrote them */
    bool accepts_unknown; /* it wrote features beyond the first 64 */
    uint8_t status;       /* without DEVICE_NEEDS_RESET, which is ... */
    bool broken;
    uint8_t *config; /* the configuration space, little-endian */
    size_t config_size;
    uint64_t budget; /* bytes of work that are left of the slice */

    struct virtqueue queues[VIRTIO_MAX_QUEUES];
    struct virtqueue_chain chain; /* the one being worked on */
};

/*
 * For a type's create function: fills in a zeroed device. `features` are
 * those of the type; what goes for all devices is added. `config` stays the
 * type's, which keeps it up to date.
 */
void virtio_init(struct virtio_device *virtio, const struct virtio_type *type,
                 const struct device_context *context, uint64_t features,
                 void *config, size_t config_size);

/* For a type's answer function: how much of `wanted` bytes of work it may do
 * now. They are taken from the slice. */
uint64_t virtio_budget(struct virtio_device *virtio, uint64_t wanted);

/* Whether all of `features` were negotiated. */
bool virtio_has(const struct virtio_device *virtio, uint64_t features);

/*
 * For a type's create function: puts `virtio`, which virtio_init() has filled
 * in, behind the registers of a device: those of virtio-mmio, or what the
 * context has instead. Errors are the transport's, with the property in
 * `*what`.
 */
err_t virtio_create(const struct device_context *context,
                    struct virtio_device *virtio, struct device **device,
                    const char **what) MUST_CHECK;

/*
 * What follows is for transports.
 */

/* The state after power-on, but for the transport's own registers. */
void virtio_power_on(struct virtio_device *virtio);
/* 2.4: the driver resets the device. */
void virtio_reset(struct virtio_device *virtio);

/* Bits 32 * `word` onwards of the features. 0 for what does not exist. */
uint32_t virtio_offered_word(const struct virtio_device *virtio, uint32_t word);
/* Ignored from FEATURES_OK on; without it, in the legacy interface, from
 * DRIVER_OK on. */
void virtio_accept_word(struct virtio_device *virtio, uint32_t word,
                        uint32_t features);

uint8_t virtio_status(const struct virtio_device *virtio);
/* Sets the bits of `status` that may be set; never clears one. 3.1.1. */
void virtio_set_status(struct virtio_device *virtio, uint8_t status);

/* `width` bytes of the configuration space, as zeros beyond its end. */
uint64_t virtio_read_config(const struct virtio_device *virtio, uint64_t offset,
                            unsigned width);
void virtio_write_config(struct virtio_device *virtio, uint64_t offset,
                         unsigned width, uint64_t value);

/* Queue `index`, or NULL. */
struct virtqueue *virtio_queue(struct virtio_device *virtio, uint32_t index);
/* The driver has set `queue` up. One that cannot be used stays off and breaks
 * the device. */
void virtio_enable_queue(struct virtio_device *virtio, struct virtqueue *queue);

/*
 * The driver says that there is something in queue `index`. ERR_BUSY: there
 * is more than one slice of work, or more has come; call again.
 */
err_t virtio_notify(struct virtio_device *virtio, uint32_t index) MUST_CHECK;

/* The device's chardev has input. */
void virtio_input_ready(struct virtio_device *virtio);

#endif
