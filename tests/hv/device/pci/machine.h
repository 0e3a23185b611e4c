/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PC with functions on its PCI bus, and a guest's side of it: ports, the
 * window, enumeration, and a driver of virtio-pci. Registers are those of
 * Linux' user-space headers. Memory and rings are those of the guests of
 * tests/hv/device/virtio.
 */
#ifndef TESTS_PCI_MACHINE_H
#define TESTS_PCI_MACHINE_H

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "tests/hv/device/virtio/disk.h"

#define WINDOW      UINT64_C(0xe0000000)
#define WINDOW_SIZE UINT64_C(0x1000000)
#define LINE_A      16 /* the controller's input of line A; B is 17, ... */

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc

/* Function numbers of the machine's bus. */
#define AT(slot, function) ((slot) << 3 | (function))
#define BRIDGE             AT(0, 0)
#define DISK               AT(1, 0)
#define PM                 AT(1, 3)
#define CONSOLE            AT(2, 0)
#define ISA                AT(4, 0)
#define RNG                AT(5, 0) /* on the disk's interrupt line */

#define MOST_MESSAGES 64

struct message {
    uint64_t address;
    uint32_t data;
};

struct machine {
    struct guest guest;
    struct device_context context;
    struct irq_chip chip;
    bool lines[32]; /* asserted: low */
    struct message messages[MOST_MESSAGES];
    unsigned message_count;
    unsigned downs, reboots;
    _Alignas(8) char tree[4096];
    uint64_t next_bar; /* of the window */
};

/* How a driver has found a virtio function. */
struct found {
    unsigned number;
    uint64_t common, isr, device, notify;
    uint32_t multiplier;
    uint64_t table; /* MSI-X, or 0 */
    uint64_t pending;
    unsigned vectors;
    uint8_t msix, cfg; /* capabilities, or 0 */
};

/* The machine above; `messages`: it can take them. */
void machine_make(struct machine *machine, bool messages);
/* One of no device, for configurations: NULL node functions is none. */
void machine_make_bare(struct machine *machine);
void machine_free(struct machine *machine);
/* Adds the bridge that the tree's only node describes, or says why not. */
err_t machine_try(struct machine *machine, const char **what);

uint32_t in(struct machine *machine, uint64_t port, unsigned width);
void out(struct machine *machine, uint64_t port, unsigned width,
         uint32_t value);
uint64_t load(struct machine *machine, uint64_t address, unsigned width);
void store(struct machine *machine, uint64_t address, unsigned width,
           uint64_t value);

uint32_t pci_get(struct machine *machine, unsigned number, unsigned reg,
                 unsigned width);
void pci_put(struct machine *machine, unsigned number, unsigned reg,
             unsigned width, uint32_t value);
/* Sizes BAR `index`, places it in the window, and returns where. */
uint64_t pci_place(struct machine *machine, unsigned number, unsigned index);
uint32_t pci_bar_size(struct machine *machine, unsigned number, unsigned index);

/* Enumerates the bus for a virtio device of that type, places its BARs,
 * switches it on, and finds its structures. It must be there. */
struct found probe(struct machine *machine, unsigned virtio_id);

/* Initialization, virtio 1.2 section 3.1.1, with rings of 8; with `vectors`
 * each queue has one, 1 onwards, and the configuration vector 0. */
void bring_up(struct machine *machine, const struct found *found,
              unsigned queues, bool vectors);
/* The features half of it. */
void negotiate_pci(struct machine *machine, const struct found *found);
void place_ring(struct machine *machine, const struct found *found,
                unsigned queue);
/* Sets a table entry, unmasked: message `data` at `address`. */
void set_vector(struct machine *machine, const struct found *found,
                unsigned vector, uint64_t address, uint32_t data);
void kick(struct machine *machine, const struct found *found, unsigned queue);

#define COMMON(field) VIRTIO_PCI_COMMON_##field
uint32_t common(struct machine *machine, const struct found *found,
                unsigned offset, unsigned width);
void set_common(struct machine *machine, const struct found *found,
                unsigned offset, unsigned width, uint32_t value);

#endif
