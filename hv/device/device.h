/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices, and what a device model is made of.
 *
 * A model is one file: its registers, a struct device_ops, and a descriptor
 * placed with DEVICE_MODEL(). Adding a device touches nothing else.
 */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include "api/vmm.h"
#include "lib/compiler.h"
#include "lib/error.h"
#include "lib/spinlock.h"

struct arena;
struct aspace;
struct chardev;
struct device;
struct irq_chip;

enum bus_kind { BUS_MMIO, BUS_PORT, BUS_SYSREG, BUS_KIND_COUNT };

/* Bits of device_range.widths. */
enum { WIDTH_1 = 1, WIDTH_2 = 2, WIDTH_4 = 4, WIDTH_8 = 8, WIDTH_ALL = 15 };

/* A piece of a bus that a device answers. */
struct device_range {
    uint64_t base;
    uint64_t size;
    uint8_t bus;    /* enum bus_kind */
    uint8_t index;  /* given back to read and write: which of its ranges */
    uint8_t widths; /* access widths it knows, as WIDTH_ bits */
};

/*
 * Called with the device's lock held. `offset` counts from the range's base;
 * the access lies in the range, is naturally aligned and of a known width.
 * A register that does not exist reads as 0 and ignores writes, or is
 * ERR_OUT_OF_RANGE where the data sheet calls for a bus error.
 */
struct device_ops {
    err_t (*read)(struct device *device, unsigned range, uint64_t offset,
                  unsigned width, uint64_t *value);
    err_t (*write)(struct device *device, unsigned range, uint64_t offset,
                   unsigned width, uint64_t value);
    /* The state after power-on. Lowers its interrupt lines. */
    void (*reset)(struct device *device);
    /* Its chardev has input, or can take output again. May be NULL. */
    void (*chardev_ready)(struct device *device);
};

#define DEVICE_MAX_RANGES 2
#define DEVICE_NO_IRQ     0

struct device {
    const struct device_ops *ops;
    const struct device_model *model;
    char name[32];
    struct spinlock lock;
    unsigned range_count;
    struct device_range ranges[DEVICE_MAX_RANGES];
    struct irq_chip *irq_chip; /* where its interrupt goes; NULL: nowhere */
    uint32_t irq;              /* the input there; DEVICE_NO_IRQ: none */
};

/*
 * An interrupt controller's inputs. `set_level` may be called with the lock
 * of the device that drives the line held, and takes the controller's own:
 * the order is device, then controller, then vCPU.
 */
struct irq_chip {
    void (*set_level)(struct irq_chip *chip, uint32_t irq, bool high);
    /* A complete edge. */
    void (*pulse)(struct irq_chip *chip, uint32_t irq);
    uint32_t irq_count; /* inputs 1 to irq_count - 1 exist */
};

/* Drives the device's interrupt line; nothing if it has none. */
void device_set_irq(struct device *device, bool high);

/* A stream of bytes to and from the outside, a VM's console say. */
struct chardev {
    /* All of them are taken. */
    void (*write)(struct chardev *chardev, const uint8_t *bytes, size_t size);
    /* How many there were, at most `size`. */
    size_t (*read)(struct chardev *chardev, uint8_t *bytes, size_t size);
    struct device *device; /* its reader: told by chardev_ready */
};

/* What a model may use. The strings and the tree live as long as the VM. */
struct device_context {
    struct arena *arena;
    struct aspace *memory;
    struct irq_chip *irq_chip; /* NULL while none has been made */
    struct chardev *console;
    vm_id vm;
    uint32_t vcpu_count;
    const void *fdt; /* the VM's configuration ... */
    int node;        /* ... and the device's node in it */
    hpa_t images;    /* what image offsets in the configuration count from */
    uint64_t images_size;
    /* The guest asked for power off, or for a reset. */
    void (*system_down)(void *vm_object, bool reboot);
    void *vm_object;
};

/*
 * A model. `create` reads its properties from the configuration and returns a
 * device made in the arena, its ops, ranges and irq filled in, or an error
 * with the property that is wrong in `*what`. `describe` adds the node's
 * properties to the guest's device tree (the generic ones, reg, interrupts
 * and compatible, are already there).
 */
struct device_model {
    const char *compatible;       /* in the configuration, and by default ... */
    const char *guest_compatible; /* ... in the guest's tree, unless this is */
    bool is_irq_chip;
    err_t (*create)(const struct device_context *context,
                    struct device **device, const char **what);
    int (*describe)(const struct device *device, void *fdt); /* may be NULL */
    /* For is_irq_chip: its inputs. */
    struct irq_chip *(*irq_chip)(struct device *device);
};

/* Puts a model into the table that device_model_find() searches. */
#define DEVICE_MODEL(model)                                                    \
    static const struct device_model *const model##_entry                      \
        __attribute__((used, section("device_models"))) = &(model)

/* The model for a configuration's `compatible`, or NULL. */
const struct device_model *device_model_find(const char *compatible);

#endif
