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

struct acpi_machine;
struct arena;
struct aspace;
struct chardev;
struct device;
struct irq_chip;
struct pci_bridge;
struct virtio_device;

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
 * ERR_OUT_OF_RANGE where the data sheet calls for a bus error. ERR_BUSY from
 * a write: a part is done, and the vCPU makes the same access again.
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
    /* The device's end, once: cancels its timers. Without the lock, while
     * nobody accesses it any more. May be NULL. */
    void (*release)(struct device *device);
};

#define DEVICE_MAX_RANGES 4
#define DEVICE_NO_IRQ     0
#define DEVICE_NAME_SIZE  32

struct device {
    struct spinlock lock; /* with its operations: touched on every access */
    const struct device_ops *ops;
    const struct device_model *model;
    char name[DEVICE_NAME_SIZE]; /* its node's, "serial@10000000" say */
    uint32_t phandle;            /* its node's; device_set_add() gives it one */
    unsigned range_count;
    struct device_range ranges[DEVICE_MAX_RANGES];
    struct irq_chip *irq_chip; /* where its interrupt goes; NULL: nowhere */
    uint32_t irq;              /* the input there; DEVICE_NO_IRQ: none */
};

/*
 * An interrupt controller's inputs. One that does not exist ignores what
 * happens to it. Both functions may be called with the lock of the device that
 * drives the line held, and take the controller's own: the order is device,
 * then controller, then vCPU.
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
    struct device *device; /* its reader: told by chardev_ready; NULL: none */
};

/*
 * `chardev` has input, or can take output again: tells its reader, if it has
 * one that wants to know. Takes the device's lock, and under it calls the
 * chardev: the order is device, then chardev.
 */
void chardev_notify(const struct chardev *chardev);

/* Phandles in a guest's device tree: the interrupt controller that devices
 * are wired to, the local one of vCPU `id`, and the device that was added to
 * its device_set as number `n`. */
#define DEVICE_PHANDLE_IRQ_CHIP 1
#define DEVICE_PHANDLE_CPU(id)  (0x100 + (id))
#define DEVICE_PHANDLE_OTHER(n) (0x1000 + (n))

/* Guest memory, as firmware counts it. */
struct device_ram {
    uint64_t base, size;
};

/* What a model may use. The strings and the tree live as long as the VM. */
struct device_context {
    struct arena *arena;
    struct aspace *memory;
    const struct device_ram *ram; /* what of it the guest may write */
    unsigned ram_count;
    struct irq_chip *irq_chip; /* NULL while none has been made */
    struct chardev *console;
    /* The console for `name`, of the devices that are made by another; its
     * error is NULL, out of memory. NULL: they share `console`. */
    struct chardev *(*open_console)(void *vm_object, const char *name);
    vm_id vm;
    uint32_t vcpu_count;
    const void *fdt; /* the VM's configuration ... */
    int node;        /* ... and the device's node in it */
    hpa_t images;    /* what image offsets in the configuration count from */
    uint64_t images_size;
    /* The guest asked for power off, or for a reset. Called with the lock of
     * the device held by which it did. */
    void (*system_down)(void *vm_object, bool reboot);
    /* The same for power off with a failure code. NULL: system_down it is. */
    void (*system_failed)(void *vm_object, uint32_t code);
    void *vm_object;
    /* The vCPU's input that an interrupt controller drives, by
     * vmm_set_interrupt_line(). 0: the architecture has no such input. */
    interrupt_vector external_vector;
    /* A device writes an interrupt message. Called with the device's lock
     * held, as irq_chip's functions are. NULL: messages lead nowhere. */
    void (*msi)(void *msi_context, uint64_t address, uint32_t data);
    void *msi_context;
    /* The bridge that the device is behind, whose node its own is in. NULL: it
     * is on the VM's own buses. */
    struct pci_bridge *pci;
    /* What makes a virtio device a device there, with virtio_create()'s
     * contract. NULL: virtio-mmio. */
    err_t (*create_virtio)(const struct device_context *context,
                           struct virtio_device *virtio, struct device **device,
                           const char **what);
};

/*
 * A model. `create` reads its own properties from the configuration and
 * returns a device made in the arena, its ops filled in, or an error with the
 * property that is wrong in `*what`. What is common to all devices it leaves
 * to device_from_node(); it may fill in ranges of its own, or only in
 * `ranges[0]` the widths that it knows, and the bus if that is another than
 * BUS_MMIO.
 *
 * `describe` adds the node's properties to the guest's device tree, in which
 * the generic ones already are: compatible, reg, interrupts, interrupt-parent,
 * and a controller's phandle. `describe_beside` adds further nodes next to the
 * device's. Both write sequentially and return libfdt's codes. `describe_acpi`
 * does the same for a guest that reads ACPI tables (pc/acpi.h). All three may
 * be NULL.
 */
struct device_model {
    const char *compatible;       /* in the configuration, and by default ... */
    const char *guest_compatible; /* ... in the guest's tree, unless this is */
    uint32_t guest_compatible_size; /* of a list of strings; 0: it is one */
    bool is_irq_chip;
    err_t (*create)(const struct device_context *context,
                    struct device **device, const char **what);
    int (*describe)(const struct device *device, void *fdt);
    int (*describe_beside)(const struct device *device, void *fdt);
    void (*describe_acpi)(const struct device *device,
                          struct acpi_machine *machine);
    /* For is_irq_chip: its inputs; and what takes interrupt messages, the
     * `msi` of those behind it, with the device as its context, or NULL. */
    struct irq_chip *(*irq_chip)(struct device *device);
    void (*msi)(void *device, uint64_t address, uint32_t data);
};

/* Puts a model into the table that device_model_find() searches. */
#define DEVICE_MODEL(model)                               \
    static const struct device_model *const model##_entry \
        __attribute__((used, section("device_models"))) = &(model)

/* The model for a configuration's `compatible`, or NULL. */
const struct device_model *device_model_find(const char *compatible);

/*
 * For a model's create: property `name` of the node, of one cell.
 * `*value` keeps what it holds when there is none. ERR_INVALID_INPUT when it
 * is not one cell, or not in `least` to `most`; `*what` is `name` then.
 */
err_t device_parse_cell(const struct device_context *context, const char *name,
                        uint32_t least, uint32_t most, uint32_t *value,
                        const char **what) MUST_CHECK;
/*
 * Property `reg`: two cells of address, two of size. ERR_NOT_FOUND;
 * ERR_INVALID_INPUT: another size, empty, or it wraps. `*what` is "reg" then.
 */
err_t device_parse_reg(const struct device_context *context, uint64_t *base,
                       uint64_t *size, const char **what) MUST_CHECK;

#endif
