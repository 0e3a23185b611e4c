/* SPDX-License-Identifier: Apache-2.0 */
/* The MSR permission map: AMD APM volume 2, section 15.11. */
#include "arch/x86_64/svm/msrpm.h"
#include "lib/compiler.h"
#include "lib/string.h"

#define BITS_PER_MSR  2 /* read, write: set is an exit */
#define MSRS_PER_BYTE (8 / BITS_PER_MSR)
#define BOTH_BITS     3

struct range {
    uint32_t first;
    size_t byte;
};

static const struct range ranges[] = {
#define X(msr, byte) {msr, byte},
    MSRPM_RANGES(X)
#undef X
};

static void pass(void *map, uint32_t msr)
{
    uint8_t *bytes = map;

    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        uint32_t offset = msr - ranges[i].first;

        if (offset < MSRPM_RANGE)
            bytes[ranges[i].byte + offset / MSRS_PER_BYTE] &=
                (uint8_t) ~(BOTH_BITS << offset % MSRS_PER_BYTE * BITS_PER_MSR);
    }
}

void svm_msrpm_init(uint8_t map[MSRPM_SIZE],
                    const struct x86_guest_cpuid *cpuid)
{
    memset(map, 0xff, MSRPM_SIZE);
    x86_msr_for_each_direct(cpuid, pass, map);
}
