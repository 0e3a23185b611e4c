/* SPDX-License-Identifier: Apache-2.0 */
/* The MSR bitmaps of a VM: SDM volume 3, section "MSR-Bitmap Address". */
#include "arch/x86_64/vmx/vmx.h"
#include "device/pc/lapic.h"
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
    bool write;
} parts[] = {
    {LOW, 0, false},
    {HIGH, RANGE_SIZE, false},
    {LOW, 2 * RANGE_SIZE, true},
    {HIGH, 3 * RANGE_SIZE, true},
};

_Static_assert(ARRAY_SIZE(parts) * RANGE_SIZE == VMX_MSR_BITMAP_SIZE, "");

static void pass_access(uint8_t *bytes, uint32_t msr, bool write)
{
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        uint32_t offset = msr - parts[i].first;

        if (offset < RANGE && parts[i].write == write)
            bytes[parts[i].byte + offset / 8] &= (uint8_t) ~(1u << offset % 8);
    }
}

static void pass(void *bitmap, uint32_t msr)
{
    pass_access(bitmap, msr, false);
    pass_access(bitmap, msr, true);
}

void vmx_msr_bitmap_init(uint8_t bitmap[VMX_MSR_BITMAP_SIZE],
                         const struct x86_guest_cpuid *cpuid)
{
    memset(bitmap, 0xff, VMX_MSR_BITMAP_SIZE);
    x86_msr_for_each_direct(cpuid, pass, bitmap);
}

#define X2APIC_MSRS 0x100
#define X2APIC_TPR  (X86_MSR_X2APIC + 0x08)
#define X2APIC_EOI  (X86_MSR_X2APIC + 0x0b)

/* What the processor does not virtualize would be the host's own local APIC:
 * section "Virtualizing MSR-Based APIC Accesses". */
void vmx_msr_bitmap_pass_x2apic(uint8_t bitmap[VMX_MSR_BITMAP_SIZE],
                                uint32_t controls)
{
    bool has_registers = (controls & VMX_CPU2_APIC_REGISTERS) != 0;

    for (uint32_t i = 0; i < X2APIC_MSRS && has_registers; i++) {
        if (lapic_shows_msr(X86_MSR_X2APIC + i))
            pass_access(bitmap, X86_MSR_X2APIC + i, false);
    }
    pass(bitmap, X2APIC_TPR);
    if ((controls & VMX_CPU2_VIRTUAL_INTERRUPTS) != 0)
        pass_access(bitmap, X2APIC_EOI, true);
}
