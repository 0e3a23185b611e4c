/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that goes too far: it saves the state of its FPU into a device's
 * registers, 512 bytes at once, which hardware would do in some way and no
 * hypervisor emulates. The VM must be stopped with a reason, and that VM only.
 * (A triple fault, which is a PC's way to crash, is a reset.)
 */
#include "machine.h"

void guest_main(void)
{
    guest_put("guest: crashing\n");
    __asm__ volatile("fxsave (%0)" ::"r"(LAPIC_BASE) : "memory");
    guest_put("guest: it went on: FAILED\n");
}
