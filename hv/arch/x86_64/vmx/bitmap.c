/* SPDX-License-Identifier: Apache-2.0 */
/* The MSR bitmap of a VM: SDM volume 3, section "MSR-Bitmap Address". */
#include "arch/x86_64/vmx/vmx.h"
#include "lib/string.h"

/* A bit per MSR, for reads and then for writes; MSRs that are in neither range
 * exit. */
#define RANGE      0x2000
#define RANGE_SIZE (RANGE / 8)
#define LOW        UINT32_C(0)
#define HIGH       UINT32_C(0xc0000000)

static const struct {
    uint32_t first;
    uint16_t byte;
} parts[] = {
    {LOW, 0},
    {HIGH, RANGE_SIZE},
    {LOW, 2 * RANGE_SIZE},
    {HIGH, 3 * RANGE_SIZE},
};

_Static_assert(ARRAY_SIZE(parts) * RANGE_SIZE == VMX_MSR_BITMAP_SIZE, "");

static void pass(void *bitmap, uint32_t msr)
{
    uint8_t *bytes = bitmap;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        uint32_t offset = msr - parts[i].first;

        if (offset < RANGE)
            bytes[parts[i].byte + offset / 8] &= (uint8_t) ~(1u << offset % 8);
    }
}

void vmx_msr_bitmap_init(uint8_t bitmap[VMX_MSR_BITMAP_SIZE],
                         const struct x86_guest_cpuid *cpuid)
{
    memset(bitmap, 0xff, VMX_MSR_BITMAP_SIZE);
    x86_msr_for_each_direct(cpuid, pass, bitmap);
}
