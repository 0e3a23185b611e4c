/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X: see msix.h. Table and PBA take accesses of 4 bytes (and of 8, which
 * the bridge makes two of); others read as 0 and write nothing: 6.8.2 leaves
 * them undefined.
 *
 * A vector that interrupts while it, or the function, is masked or may not
 * write to memory is pending; its message goes out once nothing of that is so.
 */
#include "device/pci/msix.h"

#include "lib/bits.h"
#include "lib/check.h"
#include "lib/string.h"

#define MSIX_CAPABILITY 0x11
#define MSIX_SIZE       12

/* Offsets in the capability. 6.8.2.3 to 6.8.2.5. */
#define MSIX_CONTROL 2
#define MSIX_TABLE   4
#define MSIX_PBA     8

#define CONTROL_MASKED  0x4000
#define CONTROL_ENABLED 0x8000

#define PBA_OFFSET UINT64_C(0x800)
#define PBA_SIZE   sizeof(uint64_t)

/* 6.8.2.9: vector control. */
#define VECTOR_MASKED 1

void msix_init(struct msix *msix, const struct device_context *context,
               struct pci_function *function, unsigned bar, unsigned count)
{
    uint8_t at =
        pci_function_add_capability(function, MSIX_CAPABILITY, MSIX_SIZE);

    CHECK(count >= 1 && count <= MSIX_MAX_VECTORS);
    pci_function_add_bar(function, bar, MSIX_BAR_SIZE);
    msix->function = function;
    msix->send = context->msi;
    msix->send_context = context->msi_context;
    msix->count = count;
    msix->capability = at;
    pci_config_set(function->reset, at + MSIX_CONTROL, 2, count - 1);
    pci_config_set(function->writable, at + MSIX_CONTROL, 2,
                   CONTROL_MASKED | CONTROL_ENABLED);
    pci_config_set(function->reset, at + MSIX_TABLE, 4, bar);
    pci_config_set(function->reset, at + MSIX_PBA, 4,
                   (uint32_t)PBA_OFFSET | bar);
}

void msix_reset(struct msix *msix)
{
    memset(msix->table, 0, sizeof(msix->table));
    for (unsigned i = 0; i < msix->count; i++)
        msix->table[i].control = VECTOR_MASKED;
    msix->pending = 0;
}

static uint32_t control_of(const struct msix *msix)
{
    return pci_config_get(msix->function->config,
                          msix->capability + MSIX_CONTROL, 2);
}

bool msix_is_enabled(const struct msix *msix)
{
    return msix->count != 0 && (control_of(msix) & CONTROL_ENABLED) != 0;
}

static bool may_send(const struct msix *msix, unsigned vector)
{
    return (control_of(msix) & (CONTROL_ENABLED | CONTROL_MASKED)) ==
               CONTROL_ENABLED &&
           !(msix->table[vector].control & VECTOR_MASKED) &&
           pci_function_is_master(msix->function);
}

void msix_signal(struct msix *msix, unsigned vector)
{
    const struct msix_entry *entry = &msix->table[vector];

    CHECK(vector < msix->count);
    if (!may_send(msix, vector)) {
        msix->pending |= BIT(vector);
        return;
    }
    msix->pending &= ~BIT(vector);
    msix->send(msix->send_context,
               (uint64_t)entry->address_high << 32 | entry->address_low,
               entry->data);
}

void msix_forget(struct msix *msix)
{
    msix->pending = 0;
}

void msix_update(struct msix *msix)
{
    for (unsigned i = 0; i < msix->count; i++) {
        if (msix->pending & BIT(i))
            msix_signal(msix, i);
    }
}

uint32_t msix_read(const struct msix *msix, uint64_t offset, unsigned width)
{
    uint32_t value = 0;

    if (width != 4)
        return 0;
    if (offset < msix->count * sizeof(msix->table[0]))
        memcpy(&value, (const uint8_t *)msix->table + offset, 4);
    else if (offset >= PBA_OFFSET && offset < PBA_OFFSET + PBA_SIZE)
        value = (uint32_t)(msix->pending >> (8 * (offset - PBA_OFFSET)));
    return value;
}

/* 6.8.2.7: an address's two low bits are 0; 6.8.2.9: of the control, the mask
 * bit alone is there. The PBA is read-only. */
void msix_write(struct msix *msix, uint64_t offset, unsigned width,
                uint32_t value)
{
    struct msix_entry *entry;

    if (width != 4 || offset >= msix->count * sizeof(*entry))
        return;
    entry = &msix->table[offset / sizeof(*entry)];
    switch (offset % sizeof(*entry)) {
    case offsetof(struct msix_entry, address_low):
        entry->address_low = value & ~3u;
        break;
    case offsetof(struct msix_entry, address_high):
        entry->address_high = value;
        break;
    case offsetof(struct msix_entry, data): entry->data = value; break;
    default: entry->control = value & VECTOR_MASKED; break;
    }
    msix_update(msix);
}
