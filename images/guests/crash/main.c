/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that breaks beyond repair: its trap vector leads to where there is
 * no memory, and it traps. On hardware the hart would now trap for ever; the
 * hypervisor must see it and stop the VM, and that VM only.
 */
#include "guest.h"

#define NOWHERE 0x40000000

void guest_main(uint64_t hart, const void *device_tree)
{
    (void)hart;
    (void)device_tree;
    guest_put("guest: crashing\n");
    csr_write(stvec, NOWHERE);
    __asm__ volatile("unimp");
}
