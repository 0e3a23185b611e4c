/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that is only there: it waits for its timer, two seconds, and powers
 * off. The bench guest's neighbour (scripts/bench-image).
 */
#include "guest.h"

#define SECONDS 2

void guest_main(void)
{
    guest_sleep(SECONDS);
}
