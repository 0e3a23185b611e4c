/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio over PCI: the transport of a PC. */
#ifndef DEVICE_PCI_VIRTIO_PCI_H
#define DEVICE_PCI_VIRTIO_PCI_H

#include "device/virtio/virtio.h"

/*
 * virtio_create() behind a PCI bridge, context->pci: a function of the bus,
 * with the properties of pci_function_attach(). Its MSI-X needs context->msi;
 * without, the device interrupts by INTA# only. ERR_NO_MEMORY, or what
 * attaching says.
 */
err_t virtio_pci_create(const struct device_context *context,
                        struct virtio_device *virtio, struct device **device,
                        const char **what) MUST_CHECK;

#endif
