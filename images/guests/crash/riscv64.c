/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that breaks beyond repair: its trap vector leads to where there is
 * no memory, and it traps. On hardware the hart would now trap for ever; the
 * hypervisor must see it and stop the VM, and that VM only.
 */
#include "machine.h"

#define NOWHERE 0x40000000

void guest_main(void)
{
    guest_put("guest: crashing\n");
    csr_write(stvec, NOWHERE);
    __asm__ volatile("unimp");
}
