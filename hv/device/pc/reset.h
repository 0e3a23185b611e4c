/* SPDX-License-Identifier: Apache-2.0 */
/* The reset control register of a PC, port 0xcf9. */
#ifndef DEVICE_PC_RESET_H
#define DEVICE_PC_RESET_H

#include "device/device.h"

struct reset_control {
    uint8_t value;
    void (*system_down)(void *vm_object, bool reboot);
    void *vm_object;
};

void reset_control_init(struct reset_control *control,
                        const struct device_context *context);
/* The machine was reset. */
void reset_control_reset(struct reset_control *control);

uint8_t reset_control_read(const struct reset_control *control);
void reset_control_write(struct reset_control *control, uint8_t value);

#endif
