/* SPDX-License-Identifier: Apache-2.0 */
/* The bus behind the host bridge, for those who put functions on it. */
#ifndef DEVICE_PCI_HOST_H
#define DEVICE_PCI_HOST_H

#include "device/pci/pci.h"

struct pci_bridge;

/* The lock that guards where BARs are decoded. Innermost but for the locks of
 * interrupt controllers: a function's may be held. */
struct spinlock *pci_bridge_lock(struct pci_bridge *bridge);

/* Makes `function` number `number` of the bus (device << 3 | function).
 * ERR_ALREADY_EXISTS. */
err_t pci_bridge_add(struct pci_bridge *bridge, struct pci_function *function,
                     unsigned number) MUST_CHECK;

#endif
