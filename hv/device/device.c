/* SPDX-License-Identifier: Apache-2.0 */
/* The table of device models, and what every device does alike. */
#include "device/device.h"

#include "lib/string.h"

/*
 * The bounds of the section in which DEVICE_MODEL() puts a pointer to each
 * model: the linker defines these two symbols for a section whose name is a C
 * identifier.
 */
extern const struct device_model *const
    models_start[] __asm__("__start_device_models");
extern const struct device_model *const
    models_end[] __asm__("__stop_device_models");

const struct device_model *device_model_find(const char *compatible)
{
    for (const struct device_model *const *model = models_start;
         model != models_end; model++) {
        if (strcmp((*model)->compatible, compatible) == 0)
            return *model;
    }
    return NULL;
}

void device_set_irq(struct device *device, bool high)
{
    if (device->irq_chip != NULL && device->irq != DEVICE_NO_IRQ)
        device->irq_chip->set_level(device->irq_chip, device->irq, high);
}

void chardev_notify(const struct chardev *chardev)
{
    struct device *device = chardev->device;

    if (device == NULL || device->ops->chardev_ready == NULL)
        return;
    spin_lock(&device->lock);
    device->ops->chardev_ready(device);
    spin_unlock(&device->lock);
}
