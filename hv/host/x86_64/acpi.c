/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine, as its ACPI tables describe it (ACPI 6.5, section 5.2): CPUs,
 * interrupt controllers, and how it is powered off and reset. Tables are used
 * if length and checksum are right, and they can be read.
 *
 * AML is not interpreted. The one thing in it that is needed, the value that
 * powers off, is a constant package in all firmware that is known; it is found
 * by its name and the form of its encoding (section 20.2).
 */
#include <stddef.h>

#include "host/host.h"
#include "host/x86_64/x86_board.h"
#include "lib/bits.h"
#include "lib/compiler.h"
#include "lib/string.h"

#define MAX_TABLE  (UINT64_C(1) << 24)
#define MAX_TABLES 1024 /* that are looked at in the root */
#define SPACE_PORT 1    /* of a generic address structure */

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum; /* of all of it */
    uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct rsdp) == 36, "");
#define RSDP_OLD_SIZE 20
#define BDA_EBDA      0x40e

struct table {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

struct address {
    uint8_t space, width, offset, size;
    uint64_t address;
} __attribute__((packed));

struct fadt {
    struct table table;
    uint32_t firmware_ctrl, dsdt;
    uint8_t reserved, pm_profile;
    uint16_t sci_int;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
    uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt;
    uint8_t unused[40];
    uint32_t flags; /* at 112 */
    struct address reset_reg;
    uint8_t reset_value;
    uint8_t unused_2[11];
    uint64_t x_dsdt;
} __attribute__((packed));
_Static_assert(offsetof(struct fadt, pm1a_cnt) == 64, "");
_Static_assert(offsetof(struct fadt, flags) == 112, "");
_Static_assert(offsetof(struct fadt, reset_reg) == 116, "");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "");
#define FADT_RESET_REG_SUP BIT(10)
#define FADT_OLD_SIZE      offsetof(struct fadt, reset_reg)
#define FADT_RESET_SIZE    offsetof(struct fadt, unused_2)

struct madt {
    struct table table;
    uint32_t lapic, flags;
} __attribute__((packed));

/* An entry of the MADT: its kinds begin the same way. */
struct madt_entry {
    uint8_t type, length;
    union {
        struct {
            uint8_t acpi_id, apic_id;
            uint32_t flags;
        } __attribute__((packed)) lapic;
        struct {
            uint8_t id, reserved;
            uint32_t address, first_gsi;
        } __attribute__((packed)) ioapic;
        struct {
            uint8_t bus, source;
            uint32_t gsi;
            uint16_t flags;
        } __attribute__((packed)) override;
        struct {
            uint16_t reserved;
            uint64_t address;
        } __attribute__((packed)) lapic_address;
        struct {
            uint16_t reserved;
            uint32_t apic_id, flags, acpi_id;
        } __attribute__((packed)) x2apic;
    };
} __attribute__((packed));
enum madt_type {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_ADDRESS = 5,
    MADT_X2APIC = 9,
};
#define MADT_ENTRY_SIZE(kind) \
    (offsetof(struct madt_entry, kind) + sizeof(((struct madt_entry *)0)->kind))
#define LAPIC_ENABLED     BIT(0)
#define INTI_POLARITY     BIT_MASK(1, 0)
#define INTI_TRIGGER      BIT_MASK(3, 2)
#define INTI_LOW          3
#define INTI_LEVEL        3
#define BUS_ISA           0
#define ISA_COM1          4
#define XAPIC_IDS         255 /* without x2APIC, ids are below */
#define X2APIC_IDS        UINT32_MAX
#define AML_NAME_S5       "_S5_"
#define AML_ZERO          0x00
#define AML_ONE           0x01
#define AML_BYTE_PREFIX   0x0a
#define AML_PACKAGE       0x12
#define AML_PKG_LENGTH(x) ((x) >> 6) /* how many more bytes it has */

static bool sums_up(const void *bytes, uint64_t size)
{
    const uint8_t *byte = bytes;
    uint8_t sum = 0;

    for (uint64_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + byte[i]);
    return sum == 0;
}

/* The table at `address` if it is one of `signature`, and good. */
static const struct table *open_table(uint64_t address, const char *signature)
{
    const struct table *table = x86_board_look(address, sizeof(*table));

    if (table == NULL ||
        memcmp(table->signature, signature, sizeof(table->signature)) != 0 ||
        table->length < sizeof(*table) || table->length > MAX_TABLE ||
        x86_board_look(address, table->length) == NULL ||
        !sums_up(table, table->length))
        return NULL;
    return table;
}

static const struct rsdp *open_rsdp(uint64_t address)
{
    const struct rsdp *rsdp = x86_board_look(address, sizeof(*rsdp));

    if (rsdp == NULL ||
        memcmp(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature)) != 0 ||
        !sums_up(rsdp, RSDP_OLD_SIZE))
        return NULL;
    return rsdp;
}

/* Of the BIOS' extended data area, whose segment it leaves in its data area;
 * 0: it tells of none. */
static uint64_t find_ebda(void)
{
    const void *bda = x86_board_look(BDA_EBDA, sizeof(uint16_t));
    uint16_t segment = 0;

    if (bda != NULL)
        memcpy(&segment, bda, sizeof(segment));
    return (uint64_t)segment << 4;
}

/* Where a BIOS has it (section 5.2.5.1): in the first KiB of its extended data
 * area, or in its own space. */
static const struct rsdp *find_rsdp(const struct x86_board *x86)
{
    const struct range places[] = {
        {x86->rsdp, 16}, {find_ebda(), 1024}, {0xe0000, 0x20000}};

    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        for (uint64_t at = 0; at < places[i].size; at += 16) {
            const struct rsdp *rsdp = open_rsdp(places[i].start + at);
            if (rsdp != NULL)
                return rsdp;
        }
    }
    host_refuse("the firmware has no ACPI tables");
}

static uint64_t get_address(const uint8_t *entry, unsigned width)
{
    uint64_t address = 0;

    memcpy(&address, entry, width);
    return address;
}

static const struct table *find_in(const struct table *root, unsigned width,
                                   const char *signature)
{
    const uint8_t *entry = (const void *)(root + 1);
    uint64_t count = (root->length - sizeof(*root)) / width;

    if (count > MAX_TABLES)
        count = MAX_TABLES;
    for (; count != 0; count--, entry += width) {
        const struct table *table =
            open_table(get_address(entry, width), signature);
        if (table != NULL)
            return table;
    }
    return NULL;
}

static const struct table *find_table(const struct rsdp *rsdp,
                                      const char *signature)
{
    const struct table *root = NULL;

    if (rsdp->revision >= 2 && sums_up(rsdp, sizeof(*rsdp)))
        root = open_table(rsdp->xsdt, "XSDT");
    if (root != NULL)
        return find_in(root, 8, signature);
    root = open_table(rsdp->rsdt, "RSDT");
    return root != NULL ? find_in(root, 4, signature) : NULL;
}

static void add_cpu(struct x86_board *x86, uint32_t apic_id, uint32_t flags)
{
    if ((flags & LAPIC_ENABLED) == 0)
        return;
    /* Firmware may list a CPU both ways. */
    for (uint32_t i = 0; i < x86->cpu_count; i++) {
        if (x86->apic_ids[i] == apic_id)
            return;
    }
    if (x86->cpu_count == MAX_CPU_NUM)
        x86->board.cpus_ignored++;
    else
        x86->apic_ids[x86->cpu_count++] = apic_id;
}

static void read_entry(struct x86_board *x86, const struct madt_entry *entry)
{
    switch (entry->type) {
    case MADT_LAPIC:
        if (entry->length >= MADT_ENTRY_SIZE(lapic) &&
            entry->lapic.apic_id < XAPIC_IDS)
            add_cpu(x86, entry->lapic.apic_id, entry->lapic.flags);
        break;
    case MADT_X2APIC:
        if (entry->length >= MADT_ENTRY_SIZE(x2apic) &&
            entry->x2apic.apic_id < X2APIC_IDS)
            add_cpu(x86, entry->x2apic.apic_id, entry->x2apic.flags);
        break;
    case MADT_IOAPIC:
        if (entry->length >= MADT_ENTRY_SIZE(ioapic) &&
            x86->ioapic_count < X86_MAX_IOAPICS)
            x86->ioapics[x86->ioapic_count++] = (struct x86_ioapic){
                entry->ioapic.address, entry->ioapic.first_gsi};
        break;
    case MADT_OVERRIDE:
        if (entry->length >= MADT_ENTRY_SIZE(override) &&
            entry->override.bus == BUS_ISA &&
            entry->override.source == ISA_COM1)
            x86->com1_irq = (struct x86_irq){
                .gsi = entry->override.gsi,
                .is_low =
                    FIELD_GET(INTI_POLARITY, entry->override.flags) == INTI_LOW,
                .is_level = FIELD_GET(INTI_TRIGGER, entry->override.flags) ==
                            INTI_LEVEL,
            };
        break;
    case MADT_LAPIC_ADDRESS:
        if (entry->length >= MADT_ENTRY_SIZE(lapic_address))
            x86->lapic = entry->lapic_address.address;
        break;
    default: break;
    }
}

static void read_madt(struct x86_board *x86, const struct madt *madt)
{
    const uint8_t *at = (const void *)(madt + 1);
    const uint8_t *end = (const uint8_t *)madt + madt->table.length;

    if (madt->table.length < sizeof(*madt))
        return;
    x86->lapic = madt->lapic;
    while (end - at >= 2) {
        const struct madt_entry *entry = (const void *)at;
        if (entry->length < 2 || entry->length > end - at)
            return;
        read_entry(x86, entry);
        at += entry->length;
    }
}

/* An integer of AML that fits in a byte; where the next one is, or NULL. */
static const uint8_t *read_byte(const uint8_t *at, const uint8_t *end,
                                uint8_t *value)
{
    if (end - at >= 2 && at[0] == AML_BYTE_PREFIX) {
        *value = at[1];
        return at + 2;
    }
    if (end - at >= 1 && (at[0] == AML_ZERO || at[0] == AML_ONE)) {
        *value = at[0];
        return at + 1;
    }
    return NULL;
}

/* Name (_S5_, Package () {SLP_TYPa, SLP_TYPb, ...}), behind the name. */
static bool read_s5(struct x86_power *power, const uint8_t *at,
                    const uint8_t *end)
{
    if (end - at < 3 || at[0] != AML_PACKAGE)
        return false;
    at += 2 + AML_PKG_LENGTH(at[1]) + 1; /* and the number of elements */
    if (at >= end)
        return false;
    at = read_byte(at, end, &power->s5_type_a);
    return at != NULL && read_byte(at, end, &power->s5_type_b) != NULL;
}

static void find_s5(struct x86_power *power, const struct table *dsdt)
{
    const uint8_t *at = (const void *)(dsdt + 1);
    const uint8_t *end = (const uint8_t *)dsdt + dsdt->length;

    for (; end - at > 4 && !power->has_s5; at++) {
        if (memcmp(at, AML_NAME_S5, 4) == 0)
            power->has_s5 = read_s5(power, at + 4, end);
    }
}

static void read_fadt(struct x86_board *x86, const struct fadt *fadt)
{
    struct x86_power *power = &x86->power;
    const struct table *dsdt = NULL;
    uint32_t length = fadt->table.length;

    if (length < FADT_OLD_SIZE)
        return;
    power->pm1a_control = (uint16_t)fadt->pm1a_cnt;
    power->pm1b_control = (uint16_t)fadt->pm1b_cnt;
    power->smi_command = (uint16_t)fadt->smi_cmd;
    power->acpi_enable = fadt->acpi_enable;
    if (length >= FADT_RESET_SIZE && (fadt->flags & FADT_RESET_REG_SUP) != 0 &&
        fadt->reset_reg.space == SPACE_PORT) {
        power->reset_port = (uint16_t)fadt->reset_reg.address;
        power->reset_value = fadt->reset_value;
    }
    if (length >= sizeof(*fadt))
        dsdt = open_table(fadt->x_dsdt, "DSDT");
    if (dsdt == NULL)
        dsdt = open_table(fadt->dsdt, "DSDT");
    if (dsdt != NULL)
        find_s5(power, dsdt);
}

void acpi_read(struct x86_board *x86)
{
    const struct rsdp *rsdp = find_rsdp(x86);
    const struct table *madt = find_table(rsdp, "APIC");
    const struct table *fadt = find_table(rsdp, "FACP");

    x86->com1_irq = (struct x86_irq){.gsi = ISA_COM1};
    if (madt == NULL)
        host_refuse("the firmware's ACPI tables have no MADT");
    read_madt(x86, (const struct madt *)madt);
    if (fadt != NULL)
        read_fadt(x86, (const struct fadt *)fadt);
}
