/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IOAPIC: data sheet 82093AA, with the EOI register of version 0x20.
 *
 *   0x00   IOREGSEL, the register that IOWIN shows
 *   0x10   IOWIN: 0 ID, 1 version, 2 arbitration ID, 0x10 + 2n and 0x11 + 2n
 *          the redirection entry of pin n
 *   0x40   EOI, write-only: a vector
 *
 * Registers are accessed 32 bits at a time; IOREGSEL takes bytes, too. An
 * entry sends a message to the local APICs when its pin is asserted: at the
 * edge, or, when it is level-triggered, while it is asserted and no message
 * is out (remote IRR), which an EOI of its vector ends.
 *
 * As the data sheet has it, an edge while its entry is masked is lost, and a
 * pin that its entry says is active low is asserted by a low level.
 *
 * Its messages are accepted at once, so delivery status is always idle. Of
 * those that nobody accepts, an edge is lost and a level is tried again when
 * the entry, or the pin, changes.
 */
#include "device/pc/acpi.h"
#include "device/pc/lapic.h"
#include "lib/bits.h"
#include "memory/arena.h"

#define IOAPIC_PAGE      UINT64_C(0xfec00000)
#define IOAPIC_PAGE_SIZE 0x1000
#define PINS             24

#define IOREGSEL 0x00
#define IOWIN    0x10
#define EOI      0x40

#define REG_ID      0x00
#define REG_VERSION 0x01
#define REG_ARB     0x02
#define REG_ENTRIES 0x10

#define ID_FIELD UINT32_C(0x0f000000)
#define VERSION  (UINT32_C(0x20) | (PINS - 1) << 16)

/* A redirection entry. */
#define ENTRY_VECTOR      UINT64_C(0xff)
#define ENTRY_MODE        UINT64_C(0x700)
#define ENTRY_LOGICAL     UINT64_C(0x800)
#define ENTRY_ACTIVE_LOW  UINT64_C(0x2000)
#define ENTRY_REMOTE_IRR  UINT64_C(0x4000)
#define ENTRY_LEVEL       UINT64_C(0x8000)
#define ENTRY_MASKED      UINT64_C(0x10000)
#define ENTRY_DESTINATION UINT64_C(0xff00000000000000)
#define ENTRY_WRITABLE                                              \
    (ENTRY_VECTOR | ENTRY_MODE | ENTRY_LOGICAL | ENTRY_ACTIVE_LOW | \
     ENTRY_LEVEL | ENTRY_MASKED | ENTRY_DESTINATION)

struct ioapic {
    struct device device; /* whose lock guards all that follows */
    struct irq_chip chip;
    struct lapics *lapics;
    uint32_t high; /* pins, by their level */
    uint32_t id;
    uint8_t select;
    uint64_t entries[PINS];
};

static struct ioapic *to_ioapic(struct device *device)
{
    return container_of(device, struct ioapic, device);
}

static bool is_asserted(const struct ioapic *ioapic, uint32_t pin)
{
    bool high = (ioapic->high >> pin & 1) != 0;

    return high != ((ioapic->entries[pin] & ENTRY_ACTIVE_LOW) != 0);
}

static bool send(struct ioapic *ioapic, uint32_t pin)
{
    uint64_t entry = ioapic->entries[pin];
    const struct apic_message message = {
        .destination = (uint32_t)FIELD_GET(ENTRY_DESTINATION, entry),
        .logical = (entry & ENTRY_LOGICAL) != 0,
        .level = (entry & ENTRY_LEVEL) != 0,
        .vector = (uint8_t)entry,
        .mode = (enum apic_mode)FIELD_GET(ENTRY_MODE, entry),
    };

    return lapics_deliver(ioapic->lapics, &message);
}

/* Of the modes, fixed and lowest priority have an EOI: the others are edges,
 * whatever the entry says. */
static bool is_level(uint64_t entry)
{
    return (entry & ENTRY_LEVEL) != 0 &&
           FIELD_GET(ENTRY_MODE, entry) <= APIC_LOWEST_PRIORITY;
}

/* A level-triggered pin, after a change. */
static void check_level(struct ioapic *ioapic, uint32_t pin)
{
    uint64_t *entry = &ioapic->entries[pin];

    if (!is_level(*entry) || !is_asserted(ioapic, pin) ||
        (*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) != 0)
        return;
    if (send(ioapic, pin))
        *entry |= ENTRY_REMOTE_IRR;
}

static void on_edge(struct ioapic *ioapic, uint32_t pin)
{
    uint64_t entry = ioapic->entries[pin];

    if (!is_level(entry) && (entry & ENTRY_MASKED) == 0)
        (void)send(ioapic, pin);
}

static void set_pin(struct ioapic *ioapic, uint32_t pin, bool high)
{
    bool was_asserted = is_asserted(ioapic, pin);

    ioapic->high =
        (uint32_t)((ioapic->high & ~BIT(pin)) | (high ? BIT(pin) : 0));
    if (is_asserted(ioapic, pin) && !was_asserted) {
        on_edge(ioapic, pin);
        check_level(ioapic, pin);
    }
}

static void ioapic_set_level(struct irq_chip *chip, uint32_t pin, bool high)
{
    struct ioapic *ioapic = container_of(chip, struct ioapic, chip);

    if (pin >= PINS)
        return;
    spin_lock(&ioapic->device.lock);
    set_pin(ioapic, pin, high);
    spin_unlock(&ioapic->device.lock);
}

/* To the other level and back, so that there is an edge of either kind. */
static void ioapic_pulse(struct irq_chip *chip, uint32_t pin)
{
    struct ioapic *ioapic = container_of(chip, struct ioapic, chip);
    bool high;

    if (pin >= PINS)
        return;
    spin_lock(&ioapic->device.lock);
    high = (ioapic->high >> pin & 1) != 0;
    set_pin(ioapic, pin, !high);
    set_pin(ioapic, pin, high);
    spin_unlock(&ioapic->device.lock);
}

static void end_of_interrupt(struct ioapic *ioapic, uint8_t vector)
{
    for (uint32_t pin = 0; pin < PINS; pin++) {
        uint64_t *entry = &ioapic->entries[pin];

        if ((*entry & ENTRY_VECTOR) != vector ||
            (*entry & ENTRY_REMOTE_IRR) == 0)
            continue;
        *entry &= ~ENTRY_REMOTE_IRR;
        check_level(ioapic, pin);
    }
}

static void ioapic_eoi(struct irq_chip *chip, uint8_t vector)
{
    struct ioapic *ioapic = container_of(chip, struct ioapic, chip);

    spin_lock(&ioapic->device.lock);
    end_of_interrupt(ioapic, vector);
    spin_unlock(&ioapic->device.lock);
}

/* A change to edge-triggered ends a level-triggered interrupt: so do drivers
 * that know no EOI register. A change of polarity is no edge. */
static void write_entry(struct ioapic *ioapic, uint32_t reg, uint32_t value)
{
    uint32_t pin = (reg - REG_ENTRIES) / 2;
    unsigned shift = reg % 2 * 32;
    uint64_t writable = ENTRY_WRITABLE & (uint64_t)UINT32_MAX << shift;
    uint64_t *entry = &ioapic->entries[pin];

    *entry = (*entry & ~writable) | ((uint64_t)value << shift & writable);
    if (!is_level(*entry))
        *entry &= ~ENTRY_REMOTE_IRR;
    check_level(ioapic, pin);
}

static uint32_t read_window(const struct ioapic *ioapic)
{
    uint32_t reg = ioapic->select;

    if (reg == REG_VERSION)
        return VERSION;
    if (reg == REG_ID || reg == REG_ARB)
        return ioapic->id;
    if (reg < REG_ENTRIES || reg >= REG_ENTRIES + 2 * PINS)
        return 0;
    return (uint32_t)(ioapic->entries[(reg - REG_ENTRIES) / 2] >> reg % 2 * 32);
}

static void write_window(struct ioapic *ioapic, uint32_t value)
{
    uint32_t reg = ioapic->select;

    if (reg == REG_ID)
        ioapic->id = value & ID_FIELD;
    else if (reg >= REG_ENTRIES && reg < REG_ENTRIES + 2 * PINS)
        write_entry(ioapic, reg, value);
}

static err_t ioapic_read(struct device *device, unsigned range, uint64_t offset,
                         unsigned width, uint64_t *value)
{
    struct ioapic *ioapic = to_ioapic(device);

    *value = 0;
    if (offset == IOREGSEL)
        *value = ioapic->select;
    else if (offset == IOWIN && width == sizeof(uint32_t))
        *value = read_window(ioapic);
    return OK;
}

static err_t ioapic_write(struct device *device, unsigned range,
                          uint64_t offset, unsigned width, uint64_t value)
{
    struct ioapic *ioapic = to_ioapic(device);

    if (offset == IOREGSEL)
        ioapic->select = (uint8_t)value;
    else if (width != sizeof(uint32_t))
        return OK;
    else if (offset == IOWIN)
        write_window(ioapic, (uint32_t)value);
    else if (offset == EOI)
        end_of_interrupt(ioapic, (uint8_t)value);
    return OK;
}

/* The pins are their devices'. */
static void ioapic_reset(struct device *device)
{
    struct ioapic *ioapic = to_ioapic(device);

    ioapic->id = 0;
    ioapic->select = 0;
    for (uint32_t pin = 0; pin < PINS; pin++)
        ioapic->entries[pin] = ENTRY_MASKED;
}

static const struct device_ops ioapic_ops = {
    .read = ioapic_read,
    .write = ioapic_write,
    .reset = ioapic_reset,
};

static err_t ioapic_create(const struct device_context *context,
                           struct device **device, const char **what)
{
    struct lapics *lapics = lapics_of_chip(context->irq_chip);
    struct ioapic *ioapic;

    if (lapics == NULL) {
        *what = "no intel,lapic before it";
        return ERR_NOT_FOUND;
    }
    ioapic = arena_new(context->arena, struct ioapic);
    if (ioapic == NULL)
        return ERR_NO_MEMORY;
    ioapic->lapics = lapics;
    ioapic->chip = (struct irq_chip){ioapic_set_level, ioapic_pulse, PINS};
    ioapic->device.ops = &ioapic_ops;
    ioapic->device.range_count = 1;
    ioapic->device.ranges[0] =
        (struct device_range){IOAPIC_PAGE, IOAPIC_PAGE_SIZE, BUS_MMIO, 0,
                              WIDTH_1 | WIDTH_2 | WIDTH_4};
    lapics_attach_ioapic(lapics,
                         &(struct pc_ioapic){&ioapic->chip, ioapic_eoi});
    *device = &ioapic->device;
    return OK;
}

static struct irq_chip *ioapic_irq_chip(struct device *device)
{
    return &to_ioapic(device)->chip;
}

/* Its ID after a reset. */
static void ioapic_describe_acpi(const struct device *device,
                                 struct acpi_machine *machine)
{
    machine->ioapic_base = (uint32_t)device->ranges[0].base;
    machine->ioapic_id = 0;
}

static const struct device_model ioapic_model = {
    .compatible = "intel,ioapic",
    .is_irq_chip = true,
    .create = ioapic_create,
    .irq_chip = ioapic_irq_chip,
    .describe_acpi = ioapic_describe_acpi,
};

DEVICE_MODEL(ioapic_model);
