/* SPDX-License-Identifier: Apache-2.0 */
/* fw_cfg, for whoever has files for a guest's firmware. */
#ifndef DEVICE_PC_FW_CFG_H
#define DEVICE_PC_FW_CFG_H

#include "device/device.h"

#define FW_CFG_NAME_SIZE 56 /* with the 0 at its end */

/*
 * Adds file `name` to the device, which was made of "qemu,fw-cfg", before its
 * VM runs: the ACPI generator's tables, say. The bytes stay the caller's and
 * live as long as the VM. ERR_INVALID_INPUT: the name is empty or too long;
 * ERR_ALREADY_EXISTS; ERR_NO_MEMORY: there are as many files as there can be.
 */
err_t fw_cfg_add_file(struct device *device, const char *name,
                      const void *bytes, uint32_t size) MUST_CHECK;

/* Whether it has the file. */
bool fw_cfg_has_file(const struct device *device, const char *name);

/* The first of a VM's devices that is one; NULL: none. */
struct device *fw_cfg_find(struct device *const *devices, unsigned count);

#endif
