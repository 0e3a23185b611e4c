/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI's fixed hardware: ACPI 6.5, sections 4.8.2.1 (PM timer), 4.8.3.1 (PM1
 * event) and 4.8.3.2 (PM1 control), laid out as in Intel's 82371AB (PIIX4).
 *
 *   offset  bytes  register
 *   0x0     2      PM1_STS: writing ones clears
 *   0x2     2      PM1_EN
 *   0x4     2      PM1_CNT: SLP_EN with SLP_TYP 0 is S5, the end
 *   0x8     4      PM_TMR: 3.579545 MHz, 32 bits, read-only
 *
 * A register takes accesses of its width or narrower. The rest reads as 0.
 *
 * ACPI mode is always on (SCI_EN reads as 1; there is no SMI command). There
 * is no button, no RTC wake, no global lock, and the timer's carry interrupts
 * nobody: TMR_EN reads as 0. So there is no SCI, and of PM1_STS only TMR_STS
 * is ever set: when bit 31 of the timer has changed since it was cleared.
 *
 * Properties of the configuration node: `reg`, of ports; default: 64 at
 * ACPI_PM_BASE. No sleep state but S5 exists; another SLP_TYP does nothing.
 */
#include "device/pc/acpi_pm.h"

#include "api/time.h"
#include "device/device.h"
#include "device/pc/acpi.h"
#include "lib/bits.h"
#include "memory/arena.h"

#define PM_TIMER_HZ 3579545

enum { PM1_STS = 0, PM1_EN = 2, PM1_CNT = 4, PM_TMR = 8 };

#define TMR_STS     0x0001
#define EN_WRITABLE 0x0520 /* GBL_EN, PWRBTN_EN, RTC_EN */
#define SCI_EN      0x0001
#define CNT_KEPT    0x1c02 /* SLP_TYP, BM_RLD */
#define SLP_TYP     UINT64_C(0x1c00)
#define SLP_EN      0x2000

struct acpi_pm {
    struct device device;
    uint16_t enable;
    uint16_t control;
    uint64_t cleared; /* the timer's half-periods when TMR_STS was cleared */
    void (*system_down)(void *vm_object, bool reboot);
    void *vm_object;
};

static uint64_t half_periods(void)
{
    return time_ticks_at(PM_TIMER_HZ) >> 31;
}

/* The 4 bytes at `offset`, a multiple of 4. */
static uint32_t read_block(const struct acpi_pm *pm, uint64_t offset)
{
    switch (offset) {
    case PM1_STS:
        return (half_periods() != pm->cleared ? TMR_STS : 0) |
               (uint32_t)pm->enable << 16;
    case PM1_CNT: return pm->control | SCI_EN;
    case PM_TMR: return (uint32_t)time_ticks_at(PM_TIMER_HZ);
    default: return 0;
    }
}

static err_t acpi_pm_read(struct device *device, unsigned range,
                          uint64_t offset, unsigned width, uint64_t *value)
{
    const struct acpi_pm *pm = container_of(device, struct acpi_pm, device);
    uint32_t block = read_block(pm, align_down(offset, 4));

    *value = zero_extend(block >> (8 * (offset % 4)), 8 * width);
    return OK;
}

static void write_control(struct acpi_pm *pm, uint16_t value)
{
    pm->control = value & CNT_KEPT;
    if ((value & SLP_EN) && FIELD_GET(SLP_TYP, value) == ACPI_PM_SLP_TYP_S5)
        pm->system_down(pm->vm_object, false);
}

/* What a register becomes of which some bytes are written. */
static uint16_t merge(uint16_t old, uint64_t offset, unsigned width,
                      uint64_t value)
{
    unsigned shift = 8 * (offset % 2);
    uint64_t mask = (width == 1 ? UINT64_C(0xff) : 0xffff) << shift;

    return (uint16_t)((old & ~mask) | ((value << shift) & mask));
}

/* At most 2 bytes of one register. */
static void write_part(struct acpi_pm *pm, uint64_t offset, unsigned width,
                       uint64_t value)
{
    switch (align_down(offset, 2)) {
    case PM1_STS:
        if (merge(0, offset, width, value) & TMR_STS)
            pm->cleared = half_periods();
        break;
    case PM1_EN:
        pm->enable = merge(pm->enable, offset, width, value) & EN_WRITABLE;
        break;
    case PM1_CNT:
        write_control(pm, merge(pm->control, offset, width, value));
        break;
    default: break;
    }
}

static err_t acpi_pm_write(struct device *device, unsigned range,
                           uint64_t offset, unsigned width, uint64_t value)
{
    struct acpi_pm *pm = container_of(device, struct acpi_pm, device);

    if (width < 4) {
        write_part(pm, offset, width, value);
    } else {
        write_part(pm, offset, 2, value & 0xffff);
        write_part(pm, offset + 2, 2, value >> 16);
    }
    return OK;
}

static void acpi_pm_reset(struct device *device)
{
    struct acpi_pm *pm = container_of(device, struct acpi_pm, device);

    pm->enable = 0;
    pm->control = 0;
    pm->cleared = half_periods();
}

static const struct device_ops acpi_pm_ops = {
    .read = acpi_pm_read,
    .write = acpi_pm_write,
    .reset = acpi_pm_reset,
};

static err_t acpi_pm_create(const struct device_context *context,
                            struct device **device, const char **what)
{
    struct acpi_pm *pm = arena_new(context->arena, struct acpi_pm);
    uint64_t base = ACPI_PM_BASE, size = ACPI_PM_SIZE;
    err_t error;

    if (pm == NULL)
        return ERR_NO_MEMORY;
    error = device_parse_reg(context, &base, &size, what);
    if (error == ERR_NOT_FOUND)
        error = OK;
    if (error == OK && (base > ACPI_PM_MAX_BASE || !is_aligned(base, 4) ||
                        size != ACPI_PM_SIZE))
        error = ERR_INVALID_INPUT;
    pm->device.ops = &acpi_pm_ops;
    pm->device.ranges[0] = (struct device_range){base, size, BUS_PORT, 0,
                                                 WIDTH_1 | WIDTH_2 | WIDTH_4};
    pm->device.range_count = 1;
    pm->system_down = context->system_down;
    pm->vm_object = context->vm_object;
    *device = &pm->device;
    return error;
}

static void acpi_pm_describe(const struct device *device,
                             struct acpi_machine *machine)
{
    uint16_t base = (uint16_t)device->ranges[0].base;

    machine->pm_event = base + ACPI_PM_PM1A_EVENT;
    machine->pm_control = base + ACPI_PM_PM1A_CONTROL;
    machine->pm_timer = base + ACPI_PM_TIMER;
    machine->s5_type = ACPI_PM_SLP_TYP_S5;
    machine->sci = ACPI_PM_SCI;
}

static const struct device_model acpi_pm_model = {
    .compatible = "acpi-pm",
    .create = acpi_pm_create,
    .describe_acpi = acpi_pm_describe,
};
DEVICE_MODEL(acpi_pm_model);
