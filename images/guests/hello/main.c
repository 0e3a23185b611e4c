/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest guest with something to say: greets on each of its CPUs, one
 * after the other, through the emulated serial port, and powers off. It also
 * stands for the well-behaved neighbour in tests of bad ones.
 */
#include "guest.h"

static void greet(void)
{
    guest_put_uart("guest: hello from a CPU\n");
}

void guest_main(void)
{
    unsigned count;

    greet();
    count = guest_for_each_other_cpu(greet);
    guest_put("guest: CPUs ");
    guest_put_dec(count);
    guest_put("\nguest: all checks: ok\n");
}
