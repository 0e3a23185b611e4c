/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that changes its own data and asks for a reboot. After it, the data
 * must be what the image says: the hypervisor loads images again.
 */
#include "guest.h"

static volatile uint64_t initialised = 0x600d;
static volatile uint64_t zeroed;

void guest_main(void)
{
    if (initialised != 0x600d || zeroed != 0) {
        guest_put("guest: memory of an earlier life: FAILED\n");
        guest_power_off();
    }
    initialised = 0xbad;
    zeroed = 0xbad;
    guest_put("guest: fresh memory, rebooting\n");
    guest_reboot();
}
