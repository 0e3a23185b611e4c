/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X: PCI Local Bus Specification 3.0, section 6.8.2. Table and pending
 * bits are in a BAR of their own. Called with the function's lock held.
 */
#ifndef DEVICE_PCI_MSIX_H
#define DEVICE_PCI_MSIX_H

#include "device/pci/pci.h"

#define MSIX_MAX_VECTORS 4
#define MSIX_BAR_SIZE    0x1000

/* 6.8.2, figure 6-11: a table entry. */
struct msix_entry {
    uint32_t address_low, address_high, data, control;
};

struct msix {
    struct pci_function *function;
    void (*send)(void *send_context, uint64_t address, uint32_t data);
    void *send_context;
    unsigned count;     /* vectors */
    uint8_t capability; /* its offset */
    struct msix_entry table[MSIX_MAX_VECTORS];
    uint64_t pending; /* the PBA: bit n is vector n */
};

/*
 * Adds the capability for `count` vectors to `function`, with the table in BAR
 * `bar`, and BAR accesses go to msix_read and msix_write from then on. Messages
 * go where the context says.
 */
void msix_init(struct msix *msix, const struct device_context *context,
               struct pci_function *function, unsigned bar, unsigned count);
/* After power-on. The function's header has been reset. */
void msix_reset(struct msix *msix);

/* Whether software has switched MSI-X on, so that INTA# is out of use. */
bool msix_is_enabled(const struct msix *msix);
/* Vector `vector`, which exists, wants to interrupt. */
void msix_signal(struct msix *msix, unsigned vector);
/* What is pending is forgotten. */
void msix_forget(struct msix *msix);
/* Software has written to the configuration space. */
void msix_update(struct msix *msix);

uint32_t msix_read(const struct msix *msix, uint64_t offset, unsigned width);
void msix_write(struct msix *msix, uint64_t offset, unsigned width,
                uint32_t value);

#endif
