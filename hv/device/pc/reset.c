/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reset control register: Intel 82371SB (PIIX3) data sheet, section
 * 2.5.5, "RC"; what the reset register of the FADT (ACPI 6.5, section 4.8.3.6)
 * points to.
 *
 *   bit 1   a hard reset rather than one of the CPU; both restart the machine
 *   bit 2   0 to 1: reset
 *
 * Its port lies in the middle of the PCI host bridge's CONFIG_ADDRESS, which
 * is accessed by 4 bytes only (PCI 3.0, 3.2.2.3.2). So it is no device of its
 * own: the bridge has it, and passes accesses of a byte on.
 */
#include "device/pc/reset.h"

#define RC_HARD  0x02
#define RC_RESET 0x04

void reset_control_init(struct reset_control *control,
                        const struct device_context *context)
{
    control->system_down = context->system_down;
    control->vm_object = context->vm_object;
}

void reset_control_reset(struct reset_control *control)
{
    control->value = 0;
}

uint8_t reset_control_read(const struct reset_control *control)
{
    return control->value;
}

void reset_control_write(struct reset_control *control, uint8_t value)
{
    bool was_set = (control->value & RC_RESET) != 0;

    control->value = value & (RC_HARD | RC_RESET);
    if (!was_set && (value & RC_RESET) != 0)
        control->system_down(control->vm_object, true);
}
