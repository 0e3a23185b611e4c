/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All local APICs of a VM: who a message is for, and what they are wired to.
 * SDM volume 3A, sections 11.6 (interprocessor interrupts) and 11.11 (MSIs).
 *
 * Properties of the configuration node, besides those of all devices:
 *   virtual-wire   the boot processor's local APIC lets the 8259 through
 *                  after reset, as firmware leaves it for a guest that is
 *                  booted without
 *
 * A lowest-priority message goes to one of those with the lowest processor
 * priority, in turns.
 */
#include <libfdt.h>

#include "device/pc/acpi.h"
#include "device/pc/lapic_impl.h"
#include "memory/arena.h"

#define PC_IRQS  24 /* global system interrupts */
#define ISA_IRQS 16
#define PIT_GSI  2 /* and input 0 of the 8259 */
#define INTR_PIN 0 /* of the IOAPIC: the 8259's output */

/* The device's ranges. */
enum { RANGE_PAGE, RANGE_X2APIC, RANGE_BASE, RANGE_DEADLINE, RANGES };

/* ICR. */
#define ICR_VECTOR      UINT64_C(0xff)
#define ICR_MODE        UINT64_C(0x700)
#define ICR_LOGICAL     UINT64_C(0x800)
#define ICR_ASSERT      UINT64_C(0x4000)
#define ICR_LEVEL       UINT64_C(0x8000)
#define ICR_SHORTHAND   UINT64_C(0xc0000)
#define ICR_DESTINATION UINT64_C(0xffffffff00000000)

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

/* MSI: address and data. */
#define MSI_DESTINATION UINT64_C(0xff000)
#define MSI_LOGICAL     UINT64_C(0x4)
#define MSI_ADDRESS     UINT64_C(0xfee00000)

struct lapic *lapics_get(struct lapics *lapics, vcpu_id vcpu)
{
    return &lapics->lapics[vcpu];
}

/* Those whom the message is for; who it is for now may not be later. */
static vcpu_set find_targets(struct lapics *lapics,
                             const struct apic_message *message)
{
    vcpu_set found = {0};

    for (vcpu_id id = 0; id < lapics->count; id++) {
        struct lapic *lapic = &lapics->lapics[id];

        spin_lock(&lapic->lock);
        if (lapic_matches(lapic, message))
            found.bits |= BIT(id);
        spin_unlock(&lapic->lock);
    }
    return found;
}

/* The processor priority; none that takes part is as high as the result for
 * one that is off. */
#define NO_PRIORITY 0x100
static uint32_t priority_of(struct lapic *lapic)
{
    uint32_t priority = NO_PRIORITY;

    spin_lock(&lapic->lock);
    if ((lapic->base & BASE_EN) && (lapic->svr & SVR_ENABLE))
        priority = lapic_ppr(lapic);
    spin_unlock(&lapic->lock);
    return priority;
}

/* One of the targets, the next after the one that was chosen last first. */
static vcpu_set choose(struct lapics *lapics, vcpu_set targets)
{
    uint32_t turn = atomic_load(&lapics->turn);
    uint32_t lowest = NO_PRIORITY;
    vcpu_set chosen = {0};

    for (uint32_t i = 1; i <= lapics->count; i++) {
        vcpu_id id = (turn + i) % lapics->count;
        uint32_t priority;

        if (!vcpu_set_has(targets, id))
            continue;
        priority = priority_of(&lapics->lapics[id]);
        if (priority < lowest) {
            lowest = priority;
            chosen = vcpu_set_of(id);
        }
    }
    if (chosen.bits != 0)
        atomic_store(&lapics->turn, bit_lowest(chosen.bits));
    return chosen;
}

static bool deliver_to_one(struct lapics *lapics, vcpu_id id,
                           const struct apic_message *message)
{
    struct lapic *lapic = &lapics->lapics[id];
    bool accepted;

    spin_lock(&lapic->lock);
    accepted = lapic_accept(lapic, message);
    spin_unlock(&lapic->lock);
    return accepted;
}

static bool deliver_to(struct lapics *lapics, vcpu_set targets,
                       const struct apic_message *message)
{
    bool accepted = false;

    if (message->mode == APIC_LOWEST_PRIORITY && !is_power_of_two(targets.bits))
        targets = choose(lapics, targets);
    while (targets.bits != 0)
        accepted |= deliver_to_one(lapics, vcpu_set_take(&targets), message);
    return accepted;
}

bool lapics_deliver(struct lapics *lapics, const struct apic_message *message)
{
    uint32_t everybody = message->wide ? UINT32_MAX : UINT8_MAX;

    /* What is sent most needs no look at the others. */
    if (!message->logical && message->destination != everybody) {
        return message->destination < lapics->count &&
               deliver_to_one(lapics, message->destination, message);
    }
    return deliver_to(lapics, find_targets(lapics, message), message);
}

/* 11.11.2: level-triggered messages that are not assertions are dropped. */
void lapics_deliver_msi(struct lapics *lapics, uint64_t address, uint32_t data)
{
    const struct apic_message message = {
        .destination = (uint32_t)FIELD_GET(MSI_DESTINATION, address),
        .logical = (address & MSI_LOGICAL) != 0,
        .level = (data & ICR_LEVEL) != 0,
        .vector = (uint8_t)data,
        .mode = (enum apic_mode)FIELD_GET(ICR_MODE, data),
    };

    if ((address & ~BIT_MASK(19, 0)) != MSI_ADDRESS ||
        (message.level && (data & ICR_ASSERT) == 0))
        return;
    (void)lapics_deliver(lapics, &message);
}

void lapics_set_lint(struct lapics *lapics, unsigned pin, bool high)
{
    for (vcpu_id id = 0; id < lapics->count; id++) {
        struct lapic *lapic = &lapics->lapics[id];

        spin_lock(&lapic->lock);
        lapic_set_lint(lapic, pin, high);
        spin_unlock(&lapic->lock);
    }
}

/* Interprocessor interrupts ---------------------------------------------*/

/*
 * Whether ICR's fields go together: table 11-3. Modes that nobody can send,
 * and the INIT level de-assert of the Pentium, are dropped, too.
 */
static bool is_valid_ipi(uint64_t icr)
{
    enum apic_mode mode = (enum apic_mode)FIELD_GET(ICR_MODE, icr);
    enum shorthand shorthand = (enum shorthand)FIELD_GET(ICR_SHORTHAND, icr);

    switch (mode) {
    case APIC_FIXED: return true;
    case APIC_INIT:
        if ((icr & ICR_LEVEL) && (icr & ICR_ASSERT) == 0)
            return false;
        break;
    case APIC_LOWEST_PRIORITY:
    case APIC_NMI:
    case APIC_SIPI: break;
    case APIC_SMI:
    case APIC_RESERVED:
    case APIC_EXTINT: return false;
    }
    return shorthand == TO_DESTINATION || shorthand == TO_OTHERS;
}

static bool has_illegal_vector(uint64_t icr)
{
    return FIELD_GET(ICR_MODE, icr) <= APIC_LOWEST_PRIORITY &&
           (icr & ICR_VECTOR) < FIRST_VECTOR;
}

static void send(struct lapic *sender, uint64_t icr, bool wide)
{
    struct lapics *lapics = sender->all;
    vcpu_set all = vcpu_set_first(lapics->count);
    const struct apic_message message = {
        .destination = (uint32_t)FIELD_GET(ICR_DESTINATION, icr),
        .wide = wide,
        .logical = (icr & ICR_LOGICAL) != 0,
        .vector = (uint8_t)icr,
        .mode = (enum apic_mode)FIELD_GET(ICR_MODE, icr),
    };

    switch ((enum shorthand)FIELD_GET(ICR_SHORTHAND, icr)) {
    case TO_DESTINATION: (void)lapics_deliver(lapics, &message); break;
    case TO_SELF: (void)deliver_to_one(lapics, sender->id, &message); break;
    case TO_ALL: (void)deliver_to(lapics, all, &message); break;
    case TO_OTHERS:
        all.bits &= ~BIT(sender->id);
        (void)deliver_to(lapics, all, &message);
        break;
    }
}

void lapics_send_ipi(struct lapic *sender, uint64_t icr, bool wide)
{
    if (has_illegal_vector(icr)) {
        spin_lock(&sender->lock);
        lapic_error(sender, ESR_SEND_ILLEGAL_VECTOR);
        lapic_update(sender);
        spin_unlock(&sender->lock);
        return;
    }
    if (is_valid_ipi(icr))
        send(sender, icr, wide);
}

/* The global system interrupts ------------------------------------------*/

void lapics_attach_ioapic(struct lapics *lapics, const struct pc_ioapic *ioapic)
{
    lapics->ioapic = *ioapic;
}

void lapics_attach_pic(struct lapics *lapics, const struct pc_pic *pic)
{
    lapics->pic = *pic;
}

void lapics_broadcast_eoi(struct lapics *lapics, uint8_t vector)
{
    if (lapics->ioapic.chip != NULL)
        lapics->ioapic.eoi(lapics->ioapic.chip, vector);
}

void lapics_set_intr(struct lapics *lapics, bool high)
{
    struct irq_chip *ioapic = lapics->ioapic.chip;

    lapics_set_lint(lapics, 0, high);
    if (ioapic != NULL)
        ioapic->set_level(ioapic, INTR_PIN, high);
}

static struct lapics *lapics_of(struct irq_chip *chip)
{
    return container_of(chip, struct lapics, chip);
}

/* The 8259's input of a GSI. False: there is none. */
static bool find_isa_irq(uint32_t gsi, uint32_t *irq)
{
    *irq = gsi == PIT_GSI ? 0 : gsi;
    return gsi < ISA_IRQS;
}

static void gsi_set_level(struct irq_chip *chip, uint32_t gsi, bool high)
{
    struct irq_chip *ioapic = lapics_of(chip)->ioapic.chip;
    struct irq_chip *pic = lapics_of(chip)->pic.chip;
    uint32_t irq;

    if (gsi == 0 || gsi >= PC_IRQS)
        return;
    if (ioapic != NULL)
        ioapic->set_level(ioapic, gsi, high);
    if (pic != NULL && find_isa_irq(gsi, &irq))
        pic->set_level(pic, irq, high);
}

static void gsi_pulse(struct irq_chip *chip, uint32_t gsi)
{
    struct irq_chip *ioapic = lapics_of(chip)->ioapic.chip;
    struct irq_chip *pic = lapics_of(chip)->pic.chip;
    uint32_t irq;

    if (gsi == 0 || gsi >= PC_IRQS)
        return;
    if (ioapic != NULL)
        ioapic->pulse(ioapic, gsi);
    if (pic != NULL && find_isa_irq(gsi, &irq))
        pic->pulse(pic, irq);
}

struct lapics *lapics_of_chip(struct irq_chip *chip)
{
    return chip != NULL && chip->set_level == gsi_set_level ? lapics_of(chip)
                                                            : NULL;
}

/* The device --------------------------------------------------------------*/

static const uint32_t msr_bases[RANGES] = {
    [RANGE_X2APIC] = MSR_X2APIC,
    [RANGE_BASE] = MSR_APIC_BASE,
    [RANGE_DEADLINE] = MSR_TSC_DEADLINE,
};

static struct lapic *current(struct device *device)
{
    struct lapics *lapics = container_of(device, struct lapics, device);
    vcpu_id id;

    if (vmm_current_vcpu_id(&id) != OK || id >= lapics->count)
        return NULL;
    return lapics_get(lapics, id);
}

static err_t lapics_read(struct device *device, unsigned range, uint64_t offset,
                         unsigned width, uint64_t *value)
{
    struct lapic *lapic = current(device);

    if (lapic == NULL)
        return ERR_BAD_STATE;
    if (range != RANGE_PAGE)
        return lapic_read_msr(lapic, msr_bases[range] + (uint32_t)offset,
                              value);
    *value = lapic_read(lapic, offset, width);
    return OK;
}

static err_t lapics_write(struct device *device, unsigned range,
                          uint64_t offset, unsigned width, uint64_t value)
{
    struct lapic *lapic = current(device);

    if (lapic == NULL)
        return ERR_BAD_STATE;
    if (range != RANGE_PAGE)
        return lapic_write_msr(lapic, msr_bases[range] + (uint32_t)offset,
                               value);
    lapic_write(lapic, offset, width, value);
    return OK;
}

static void lapics_reset(struct device *device)
{
    struct lapics *lapics = container_of(device, struct lapics, device);

    for (vcpu_id id = 0; id < lapics->count; id++) {
        struct lapic *lapic = &lapics->lapics[id];

        spin_lock(&lapic->lock);
        lapic_power_on(lapic);
        spin_unlock(&lapic->lock);
    }
}

static void lapics_release(struct device *device)
{
    struct lapics *lapics = container_of(device, struct lapics, device);

    for (vcpu_id id = 0; id < lapics->count; id++)
        alarm_end(&lapics->lapics[id].alarm);
}

static const struct device_ops lapics_ops = {
    .read = lapics_read,
    .write = lapics_write,
    .reset = lapics_reset,
    .release = lapics_release,
};

static const struct device_range lapics_ranges[RANGES] = {
    {APIC_PAGE, APIC_PAGE_SIZE, BUS_MMIO, RANGE_PAGE, WIDTH_ALL},
    {MSR_X2APIC, X2APIC_MSRS, BUS_SYSREG, RANGE_X2APIC, WIDTH_8},
    {MSR_APIC_BASE, 1, BUS_SYSREG, RANGE_BASE, WIDTH_8},
    {MSR_TSC_DEADLINE, 1, BUS_SYSREG, RANGE_DEADLINE, WIDTH_8},
};

static err_t lapics_create(const struct device_context *context,
                           struct device **device, const char **what)
{
    struct lapics *lapics = arena_new(context->arena, struct lapics);

    if (lapics == NULL)
        return ERR_NO_MEMORY;
    lapics->count = context->vcpu_count;
    lapics->lapics =
        arena_new_array(context->arena, struct lapic, lapics->count);
    if (lapics->lapics == NULL)
        return ERR_NO_MEMORY;
    for (vcpu_id id = 0; id < lapics->count; id++) {
        struct lapic *lapic = &lapics->lapics[id];

        lapic->all = lapics;
        lapic->id = id;
        alarm_init(&lapic->alarm, lapic_on_alarm, lapic);
    }
    lapics->chip = (struct irq_chip){gsi_set_level, gsi_pulse, PC_IRQS};
    lapics->vm = context->vm;
    lapics->virtual_wire =
        fdt_getprop(context->fdt, context->node, "virtual-wire", NULL) != NULL;
    lapics->device.ops = &lapics_ops;
    lapics->device.range_count = RANGES;
    for (unsigned i = 0; i < RANGES; i++)
        lapics->device.ranges[i] = lapics_ranges[i];
    *device = &lapics->device;
    return OK;
}

static struct irq_chip *lapics_irq_chip(struct device *device)
{
    return &container_of(device, struct lapics, device)->chip;
}

static void lapics_msi(void *device, uint64_t address, uint32_t data)
{
    lapics_deliver_msi(container_of(device, struct lapics, device), address,
                       data);
}

static void lapics_describe_acpi(const struct device *device,
                                 struct acpi_machine *machine)
{
    machine->lapic_base = (uint32_t)device->ranges[RANGE_PAGE].base;
}

static const struct device_model lapics_model = {
    .compatible = "intel,lapic",
    .is_irq_chip = true,
    .create = lapics_create,
    .irq_chip = lapics_irq_chip,
    .msi = lapics_msi,
    .describe_acpi = lapics_describe_acpi,
};

DEVICE_MODEL(lapics_model);
