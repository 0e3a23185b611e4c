/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that is only there: it waits for its timer, two seconds, and powers
 * off. The bench guest's neighbour (scripts/bench-image).
 */
#include "guest.h"

#define FREQUENCY 10000000 /* of `time`, in Hz: QEMU's */
#define SECONDS   2
#define SIE_STIE  (UINT64_C(1) << 5)

/* WFI ends when the timer is due, with interrupts off as well. */
void guest_main(uint64_t hart, const void *device_tree)
{
    uint64_t deadline = csr_read(time) + SECONDS * FREQUENCY;

    (void)hart;
    (void)device_tree;
    csr_write(sie, SIE_STIE);
    (void)sbi_call(SBI_TIME, 0, deadline, 0, 0, 0, 0);
    while (csr_read(time) < deadline)
        __asm__ volatile("wfi");
}
