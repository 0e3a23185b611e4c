/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine around one virtio device, and the driver's side of it:
 * what a guest does, through the device's registers and its own memory only.
 *
 * Registers, rings and requests are those of Linux' user-space headers, which
 * were written independently of the code under test.
 */
#ifndef TESTS_VIRTIO_GUEST_H
#define TESTS_VIRTIO_GUEST_H

#include <criterion/criterion.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "addrspace/aspace.h"
#include "device/bus.h"
#include "memory/arena.h"

#define RAM_START UINT64_C(0x80000000)
#define RAM_SIZE  UINT64_C(0x1000000)
#define ROM_START UINT64_C(0xc0000000) /* the guest may only read it */
#define ROM_SIZE  UINT64_C(0x10000)
#define HOLE      UINT64_C(0xd0000000)

#define DEVICE_START UINT64_C(0x10001000)
#define DEVICE_SIZE  UINT64_C(0x1000)
#define DEVICE_IRQ   5

/* Feature bits as masks. */
#define F(bit) (UINT64_C(1) << (bit))
#define F_ALL  (~UINT64_C(0)) /* whatever is offered */

#define MAX_RINGS 2

/* The device status bits, by the specification's names. */
#define ACKNOWLEDGE VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRIVER      VIRTIO_CONFIG_S_DRIVER
#define DRIVER_OK   VIRTIO_CONFIG_S_DRIVER_OK
#define FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET
#define FAILED      VIRTIO_CONFIG_S_FAILED
#define ALL_OK      (ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

/* Registers and features newer than the Linux headers of some hosts. */
#define QUEUE_RESET  0x0c0
#define F_RING_RESET F(40)

/* VIRTIO_F_VERSION_1 in its word of the features. */
#define VERSION_1_WORD 1
#define VERSION_1_BIT  (UINT32_C(1) << (VIRTIO_F_VERSION_1 - 32))

/* A property of the device's configuration node. */
struct property {
    const char *name; /* NULL ends a list */
    const void *data; /* NULL: one cell, `cell` */
    int size;
    uint32_t cell;
};

#define PROPERTY_CELL(name, value) \
    {                              \
        name, NULL, 0, value       \
    }
#define PROPERTY_TEXT(name, text)   \
    {                               \
        name, text, sizeof(text), 0 \
    }
#define PROPERTY_FLAG(name) \
    {                       \
        name, "", 0, 0      \
    }
#define PROPERTY_END     \
    {                    \
        NULL, NULL, 0, 0 \
    }

struct setup {
    const char *compatible;
    bool legacy;
    const struct property *properties; /* NULL: none */
    uint64_t reg_size;                 /* 0: DEVICE_SIZE */
    vm_id vm;
};

/* The driver's view of a queue. */
struct ring {
    uint16_t size;
    uint64_t desc, avail, used;
    uint16_t free; /* the next descriptor to use */
    uint16_t avail_idx;
    uint16_t used_idx; /* what has been taken */
};

struct guest {
    struct aspace memory;
    struct arena arena;
    struct device_set devices;
    struct device *device;
    bool legacy;

    struct irq_chip chip;
    bool line;      /* the level of the interrupt line */
    unsigned rises; /* how often it went up */

    struct chardev console;
    char output[1 << 17];
    size_t output_size;
    char input[1 << 14];
    size_t input_start, input_end;

    hpa_t images; /* the bundle */
    uint64_t images_size;

    uint64_t next_free; /* of guest RAM */
    uint64_t features;  /* negotiated */
    struct ring rings[MAX_RINGS];
};

/* A piece of a chain. */
struct buffer {
    uint64_t at;
    uint32_t size;
    bool writable;
};

/* Makes the machine, with a bundle of `images_size` bytes (a multiple of 4,
 * each word its offset), and its device. What went wrong with the device is
 * returned, its property in *what. */
err_t guest_try(struct guest *guest, const struct setup *setup,
                uint64_t images_size, const char **what);
/* The same for what cannot go wrong, without a bundle. */
void guest_make(struct guest *guest, const struct setup *setup);
/* Ends it; not a frame of memory may be left. */
void guest_free(struct guest *guest);

/* Registers. */
uint32_t reg(struct guest *guest, uint64_t offset);
void set_reg(struct guest *guest, uint64_t offset, uint32_t value);
uint64_t config(struct guest *guest, uint64_t offset, unsigned width);
void set_config(struct guest *guest, uint64_t offset, unsigned width,
                uint64_t value);
uint32_t status(struct guest *guest);
bool has_status(struct guest *guest, uint32_t bits);
void set_status(struct guest *guest, uint32_t bits);
void accept_word(struct guest *guest, uint32_t word, uint32_t features);
uint32_t offered_word(struct guest *guest, uint32_t word);

/* Memory. `give` is zeroed RAM that is not used for anything else. */
uint64_t give(struct guest *guest, uint64_t size, uint64_t align);
void poke(struct guest *guest, uint64_t at, const void *bytes, size_t size);
void peek(struct guest *guest, uint64_t at, void *bytes, size_t size);
void poke16(struct guest *guest, uint64_t at, uint16_t value);
uint16_t peek16(struct guest *guest, uint64_t at);

/* Initialization, section 3.1.1, step by step, and in one. */
void negotiate(struct guest *guest, uint64_t wanted);
void ring_place(struct guest *guest, unsigned queue, uint16_t size);
void ring_enable(struct guest *guest, unsigned queue);
void start(struct guest *guest, uint64_t wanted, uint16_t ring_size);

/* Where things lie in the rings. */
uint64_t desc_at(const struct ring *ring, unsigned index);
uint64_t avail_flags_at(const struct ring *ring);
uint64_t avail_idx_at(const struct ring *ring);
uint64_t avail_entry_at(const struct ring *ring, unsigned index);
uint64_t used_event_at(const struct ring *ring);
uint64_t used_idx_at(const struct ring *ring);
uint64_t avail_event_at(const struct ring *ring);

void desc_set(struct guest *guest, uint64_t at, uint64_t addr, uint32_t len,
              unsigned flags, unsigned next);

/* Makes a chain available; its head. Does not notify. */
uint16_t ring_add(struct guest *guest, unsigned queue,
                  const struct buffer *buffers, unsigned count);
/* The same with an indirect table. */
uint16_t ring_add_indirect(struct guest *guest, unsigned queue,
                           const struct buffer *buffers, unsigned count);
/* Makes the chain at `head` available. */
void ring_publish(struct guest *guest, unsigned queue, uint16_t head);
/* Notifies once. True: the device wants it to be done again. */
bool ring_kick_once(struct guest *guest, unsigned queue);
/* Notifies until that is not so; how often it was done again. */
unsigned ring_kick(struct guest *guest, unsigned queue);
/* Takes the next answer; false: there is none. Pointers may be NULL. */
bool ring_take(struct guest *guest, unsigned queue, uint32_t *id,
               uint32_t *len);

/* The host's side of the console: input arrives, and the device is told. */
void type_text(struct guest *guest, const char *text, size_t size);

#endif
