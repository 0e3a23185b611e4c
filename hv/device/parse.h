/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between device trees and devices: the VM's configuration says which devices
 * there are; the guest's tree says it to the guest.
 */
#ifndef DEVICE_PARSE_H
#define DEVICE_PARSE_H

#include "device/device.h"

/*
 * Makes the device that `context->node` configures: finds its model by
 * `compatible`, lets it create the device, and fills in what create has left:
 * name, one range from `reg` (two cells of address, two of size) of the bus
 * that ranges[0] says, irq from `interrupts` (one cell). Behind a PCI bridge
 * there is no `reg`: where a device is, the guest says. The device is reset, in
 * no device_set yet, and lives as long as the arena.
 *
 * On an error `*what` names the wrong property. ERR_NOT_FOUND: no model, or a
 * property is missing; ERR_INVALID_INPUT: its value; ERR_NO_MEMORY; or what
 * create says.
 */
err_t device_from_node(const struct device_context *context,
                       struct device **device, const char **what) MUST_CHECK;

/* Writes the device's whole node, and those beside it, sequentially into the
 * guest's tree `fdt`. Returns libfdt's code. */
int device_describe(const struct device *device, void *fdt);

#endif
