/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio over MMIO: the transport of a machine without PCI. */
#ifndef DEVICE_VIRTIO_MMIO_H
#define DEVICE_VIRTIO_MMIO_H

#include "device/virtio/virtio.h"

/*
 * virtio_create() where the context has no other transport: the registers are
 * those of a device of its own. Property `legacy` of the node chooses the
 * interface of before virtio 1.0. ERR_NO_MEMORY, or
 * ERR_INVALID_INPUT with the property in `*what`: `reg` has no room for the
 * registers and the configuration space.
 */
err_t virtio_mmio_create(const struct device_context *context,
                         struct virtio_device *virtio, struct device **device,
                         const char **what) MUST_CHECK;

#endif
