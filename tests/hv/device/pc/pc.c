/* SPDX-License-Identifier: Apache-2.0 */
#include "pc.h"

#include <libfdt.h>
#include <string.h>

#include "sim/clock.h"
#include "sim/ram.h"

static void record_level(struct irq_chip *chip, uint32_t irq, bool high)
{
    struct pc *pc = container_of(chip, struct pc, recorder);
    struct pc_line *line = &pc->lines[irq];

    cr_assert(irq >= 1 && irq < ARRAY_SIZE(pc->lines));
    line->rises += high && !line->high;
    line->high = high;
}

static void record_pulse(struct irq_chip *chip, uint32_t irq)
{
    struct pc *pc = container_of(chip, struct pc, recorder);

    cr_assert(irq >= 1 && irq < ARRAY_SIZE(pc->lines));
    pc->lines[irq].rises++;
}

void pc_make_bare(struct pc *pc)
{
    memset(pc, 0, sizeof(*pc));
    ram_reset(0);
    clock_reset();
    /* Sub-microsecond clocks show: a tick is a nanosecond. */
    clock_set_frequency(1000000000);
    pc->recorder = (struct irq_chip){record_level, record_pulse, 24};
    pc->context = (struct device_context){
        .arena = &pc->arena,
        .irq_chip = &pc->recorder,
        .vm = 3,
        .vcpu_count = 1,
        .fdt = pc->tree,
    };
}

void pc_make(struct pc *pc, uint32_t vcpus,
             const struct pc_property *properties)
{
    struct device *lapic;

    pc_make_bare(pc);
    pc->context.vcpu_count = vcpus;
    pc->context.irq_chip = NULL;
    lapic = pc_add(pc, "intel,lapic", properties);
    pc->gsi = lapic->model->irq_chip(lapic);
    pc->lapics = lapics_of_chip(pc->gsi);
    cr_assert_not_null(pc->lapics);
    pc->context.irq_chip = pc->gsi;
    (void)pc_add(pc, "intel,ioapic", NULL);
    (void)pc_add(pc, "intel,i8259", NULL);
    for (vcpu_id id = 0; id < vcpus && properties == NULL; id++)
        pc_put(pc, id, APIC_SVR, 0x1ff);
}

void pc_end(struct pc *pc)
{
    device_set_release(&pc->set);
    cr_assert_eq(clock_timer_count(), 0);
    arena_free_all(&pc->arena);
    cr_assert_eq(ram_frames_in_use(), 0);
}

static int add_property(void *fdt, const struct pc_property *p)
{
    switch (p->cells) {
    case 0: return fdt_property(fdt, p->name, "", 0);
    case 1: return fdt_property_u32(fdt, p->name, (uint32_t)p->value);
    default: return fdt_property_u64(fdt, p->name, p->value);
    }
}

err_t pc_try(struct pc *pc, const char *compatible,
             const struct pc_property *properties, const char **what)
{
    void *fdt = pc->tree;
    int error = fdt_create(fdt, sizeof(pc->tree));
    struct device *device = NULL;
    err_t result;

    error |= fdt_finish_reservemap(fdt);
    error |= fdt_begin_node(fdt, "");
    error |= fdt_begin_node(fdt, compatible);
    error |= fdt_property(fdt, "compatible", compatible,
                          (int)strlen(compatible) + 1);
    for (const struct pc_property *p = properties; p && p->name != NULL; p++)
        error |= add_property(fdt, p);
    error |= fdt_end_node(fdt);
    error |= fdt_end_node(fdt);
    error |= fdt_finish(fdt);
    cr_assert_eq(error, 0);
    pc->context.node = fdt_first_subnode(fdt, 0);
    result = device_from_node(&pc->context, &device, what);
    if (result == OK)
        result = device_set_add(&pc->set, device, NULL);
    return result;
}

struct device *pc_add(struct pc *pc, const char *compatible,
                      const struct pc_property *properties)
{
    const char *what = "";
    err_t error = pc_try(pc, compatible, properties, &what);

    cr_assert_eq(error, OK, "%s: %s: %s", compatible, what, error_text(error));
    return pc->set.devices[pc->set.count - 1];
}

static uint64_t bus_in(struct pc *pc, enum bus_kind bus, uint64_t address,
                       unsigned width)
{
    uint64_t value = 0;

    cr_assert_eq(bus_read(&pc->set.buses[bus], address, width, &value), OK);
    return value;
}

static void bus_out(struct pc *pc, enum bus_kind bus, uint64_t address,
                    unsigned width, uint64_t value)
{
    cr_assert_eq(bus_write(&pc->set.buses[bus], address, width, value), OK);
}

uint8_t pc_in(struct pc *pc, uint64_t port)
{
    return (uint8_t)bus_in(pc, BUS_PORT, port, 1);
}

void pc_out(struct pc *pc, uint64_t port, uint8_t value)
{
    bus_out(pc, BUS_PORT, port, 1, value);
}

uint64_t pc_load(struct pc *pc, uint64_t address, unsigned width)
{
    return bus_in(pc, BUS_MMIO, address, width);
}

void pc_store(struct pc *pc, uint64_t address, unsigned width, uint64_t value)
{
    bus_out(pc, BUS_MMIO, address, width, value);
}

struct lapic *pc_apic(struct pc *pc, vcpu_id vcpu)
{
    return lapics_get(pc->lapics, vcpu);
}

uint32_t pc_get(struct pc *pc, vcpu_id vcpu, uint64_t reg)
{
    return (uint32_t)lapic_read(pc_apic(pc, vcpu), reg, 4);
}

void pc_put(struct pc *pc, vcpu_id vcpu, uint64_t reg, uint32_t value)
{
    lapic_write(pc_apic(pc, vcpu), reg, 4, value);
}

bool pc_has(struct pc *pc, vcpu_id vcpu, uint64_t reg, uint8_t vector)
{
    return (pc_get(pc, vcpu, reg + vector / 32 * 16) >> vector % 32 & 1) != 0;
}

uint64_t pc_rdmsr(struct pc *pc, vcpu_id vcpu, uint32_t msr)
{
    uint64_t value = 0;

    cr_assert_eq(lapic_read_msr(pc_apic(pc, vcpu), msr, &value), OK);
    return value;
}

void pc_wrmsr(struct pc *pc, vcpu_id vcpu, uint32_t msr, uint64_t value)
{
    cr_assert_eq(lapic_write_msr(pc_apic(pc, vcpu), msr, value), OK, "MSR 0x%x",
                 msr);
}

uint32_t pc_ioapic_get(struct pc *pc, uint8_t reg)
{
    pc_store(pc, IOAPIC_SELECT, 4, reg);
    return (uint32_t)pc_load(pc, IOAPIC_WINDOW, 4);
}

void pc_ioapic_put(struct pc *pc, uint8_t reg, uint32_t value)
{
    pc_store(pc, IOAPIC_SELECT, 4, reg);
    pc_store(pc, IOAPIC_WINDOW, 4, value);
}

void pc_route(struct pc *pc, uint32_t pin, uint64_t entry)
{
    pc_ioapic_put(pc, (uint8_t)(0x11 + 2 * pin), (uint32_t)(entry >> 32));
    pc_ioapic_put(pc, (uint8_t)(0x10 + 2 * pin), (uint32_t)entry);
}

uint64_t pc_entry(struct pc *pc, uint32_t pin)
{
    return pc_ioapic_get(pc, (uint8_t)(0x10 + 2 * pin)) |
           (uint64_t)pc_ioapic_get(pc, (uint8_t)(0x11 + 2 * pin)) << 32;
}

void pc_run(uint64_t nanos)
{
    uint64_t end = clock_nanos() + nanos;

    while (clock_next_deadline(0) <= end) {
        clock_set_nanos(clock_next_deadline(0));
        clock_fire_due(0);
    }
    clock_set_nanos(end);
}

/* SplitMix64. */
uint64_t pc_random(uint64_t *state, uint64_t limit)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % limit;
}
