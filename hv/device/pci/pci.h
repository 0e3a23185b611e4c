/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI functions: what a device behind the host bridge (host.c) is made of.
 * PCI Local Bus Specification 3.0, chapter 6.
 *
 * A function is a struct device that is on no bus of the VM. Its range i is
 * what base address register i decodes, and the host bridge calls its
 * operations: offsets count from the BAR, accesses are aligned and of 1, 2 or
 * 4 bytes, as the 32-bit bus has them. Its interrupt line is INTA#.
 *
 * Of the header's type 0 there are: memory BARs of 32 bits, one function per
 * interrupt pin, the list of capabilities. There are no I/O BARs, no BARs of
 * 64 bits (the window is below 4 GiB), no expansion ROM, no bridge below the
 * host's, and no error reporting: those bits of command and status are 0.
 */
#ifndef DEVICE_PCI_PCI_H
#define DEVICE_PCI_PCI_H

#include "device/device.h"

#define PCI_CONFIG_SIZE 256
#define PCI_FUNCTIONS   256 /* of the one bus: 32 devices of 8 */
#define PCI_MAX_BARS    DEVICE_MAX_RANGES

/* 6.1, figure 6-1. */
enum pci_register {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_CODE = 0x09, /* interface, sub-class, class */
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_HEADER_SIZE = 0x40,
};

/* 6.2.2, 6.2.3. */
#define PCI_COMMAND_MEMORY      0x0002
#define PCI_COMMAND_MASTER      0x0004
#define PCI_COMMAND_INTX_OFF    0x0400
#define PCI_STATUS_INTERRUPT    0x0008
#define PCI_STATUS_CAPABILITIES 0x0010

#define PCI_MULTIFUNCTION 0x80 /* of the header type */

struct pci_ids {
    uint16_t vendor, device;
    uint16_t subsystem_vendor, subsystem;
    uint32_t class_code; /* class << 16 | sub-class << 8 | interface */
    uint8_t revision;
    bool no_interrupt; /* it has no pin */
};

/* The device's lock guards what is not said to be otherwise. */
struct pci_function {
    struct device device;
    struct pci_bridge *bridge; /* this and the next two are constant */
    struct pci_function *next; /* on the bridge, by number */
    unsigned number;           /* device << 3 | function */
    /* Guarded by the bridge's lock: where the BARs are decoded now. */
    uint32_t decoded[PCI_MAX_BARS];
    bool decodes;
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE]; /* the bits that software may change */
    uint8_t reset[PCI_CONFIG_SIZE];    /* config after power-on */
    uint8_t end;                       /* of the capabilities so far */
    uint8_t last;                      /* capability, or 0 */
    bool interrupt;                    /* what the device wants of INTA# */
    /* Software is about to read registers that are not there in `config`, or
     * has written some: `offset` is the access's. ERR_BUSY as of a device's
     * write. Either may be NULL. */
    void (*before_read)(struct pci_function *function, unsigned offset,
                        unsigned width);
    err_t (*after_write)(struct pci_function *function, unsigned offset,
                         unsigned width);
};

/* --- For functions --- */

/* Fills in a zeroed function: its header, its device's operations. */
void pci_function_init(struct pci_function *function, const struct pci_ids *ids,
                       const struct device_ops *ops);
/* Adds BAR `index` of `size` bytes, a power of two of 16 or more. */
void pci_function_add_bar(struct pci_function *function, unsigned index,
                          uint32_t size);
/* Adds a capability of `size` bytes, header included, which is zeroed: its
 * offset. They all fit: no function here has many. 6.7. */
uint8_t pci_function_add_capability(struct pci_function *function, uint8_t id,
                                    uint8_t size);

/*
 * Puts the function on the bus that the context's node is in, where its
 * properties `slot` (1 to 31) and `function` (0 to 7, else 0) say.
 * ERR_INVALID_INPUT, ERR_NOT_FOUND, ERR_ALREADY_EXISTS with the property in
 * `*what`.
 */
err_t pci_function_attach(const struct device_context *context,
                          struct pci_function *function,
                          const char **what) MUST_CHECK;

/* The header as after power-on; INTA# is not asserted. For a device's reset. */
void pci_function_reset(struct pci_function *function);

/* Drives INTA#: the interrupt bit of the status, and the line unless it is
 * switched off. */
void pci_function_set_interrupt(struct pci_function *function, bool high);

/* Whether the function may access memory, which includes messages. */
static inline bool pci_function_is_master(const struct pci_function *function)
{
    return (function->config[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0;
}

/* Registers, little-endian. */
uint32_t pci_config_get(const uint8_t *bytes, unsigned offset, unsigned width);
void pci_config_set(uint8_t *bytes, unsigned offset, unsigned width,
                    uint32_t value);

/* --- For the bridge, with the device's lock held --- */

uint32_t pci_function_read(struct pci_function *function, unsigned offset,
                           unsigned width);
err_t pci_function_write(struct pci_function *function, unsigned offset,
                         unsigned width, uint32_t value) MUST_CHECK;
/* Whether a BAR decodes `address`: which, and the offset in it. With the
 * bridge's lock held instead. */
bool pci_function_decodes(const struct pci_function *function, uint64_t address,
                          unsigned *bar, uint64_t *offset);

#endif
