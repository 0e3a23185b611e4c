/* SPDX-License-Identifier: Apache-2.0 */
#include "device/pc/acpi_pm.h"

#include "ports.h"
#include "sim/clock.h"
#include "support/rows.h"

#define BASE    ACPI_PM_BASE
#define SECOND  UINT64_C(1000000000)
#define SLP_EN  0x2000
#define TMR_STS 1

/* Which writes to PM1_CNT end the machine. */
Test(pc_acpi_pm, power_off)
{
    static const struct {
        unsigned offset, width;
        uint32_t value;
        unsigned downs;
        uint16_t reads;
    } rows[] = {
        {4, 2, SLP_EN, 1, 1},
        {4, 4, SLP_EN, 1, 1},
        {5, 1, SLP_EN >> 8, 1, 1},
        {4, 2, 0, 0, 1},
        {4, 2, 0x1c00, 0, 0x1c01},
        {4, 2, SLP_EN | 0x0400, 0, 0x0401},
        {4, 2, SLP_EN | 0x1c00, 0, 0x1c01},
        {4, 1, 0xff, 0, 3},
        {0, 4, 0xffffffff, 0, 1},
        {8, 4, SLP_EN, 0, 1},
        {6, 2, SLP_EN, 0, 1},
        {0x20, 4, SLP_EN, 0, 1},
    };

    for_each_row (i, rows) {
        struct ports ports;

        ports_make(&ports, "acpi-pm", 0, 0);
        ports_out(&ports, BASE + rows[i].offset, rows[i].width, rows[i].value);
        cr_expect_eq(ports.downs, rows[i].downs, "row %zu", i);
        cr_expect_eq(ports.reboots, 0);
        cr_expect_eq(ports_in(&ports, BASE + 4, 2), rows[i].reads, "row %zu",
                     i);
        device_set_reset(&ports.set);
        cr_expect_eq(ports_in(&ports, BASE + 4, 2), 1);
        ports_free(&ports);
    }
}

/* The timer's count, and its carry. */
Test(pc_acpi_pm, timer)
{
    static const struct {
        uint64_t nanos;
        uint32_t count;
        bool carry;
    } rows[] = {
        {0, 0, false},
        {SECOND, 3579545, false},
        {1201 * SECOND, 0xffffffff & (UINT64_C(3579545) * 1201), true},
        {1201 * SECOND, 0xffffffff & (UINT64_C(3579545) * 1201), false},
        {1202 * SECOND, 0xffffffff & (UINT64_C(3579545) * 1202), false},
    };
    struct ports ports;

    ports_make(&ports, "acpi-pm", 0, 0);
    for_each_row (i, rows) {
        clock_set_nanos(rows[i].nanos);
        cr_expect_eq(ports_in(&ports, BASE + 8, 4), rows[i].count, "row %zu",
                     i);
        cr_expect_eq(ports_in(&ports, BASE + 10, 2), rows[i].count >> 16);
        cr_expect_eq(ports_in(&ports, BASE, 2), rows[i].carry, "row %zu", i);
        ports_out(&ports, BASE, 2, (uint16_t)~TMR_STS);
        cr_expect_eq(ports_in(&ports, BASE, 2), rows[i].carry, "row %zu", i);
        ports_out(&ports, BASE, 2, TMR_STS);
        cr_expect_eq(ports_in(&ports, BASE, 2), 0, "row %zu", i);
    }
    ports_free(&ports);
}

Test(pc_acpi_pm, enables)
{
    struct ports ports;

    ports_make(&ports, "acpi-pm", 0, 0);
    ports_out(&ports, BASE + 2, 2, 0xffff);
    cr_expect_eq(ports_in(&ports, BASE + 2, 2), 0x0520);
    cr_expect_eq(ports_in(&ports, BASE, 4), 0x05200000);
    ports_out(&ports, BASE + 3, 1, 0);
    cr_expect_eq(ports_in(&ports, BASE + 2, 2), 0x0020);
    cr_expect_not(ports.line);
    ports_free(&ports);
}

Test(pc_acpi_pm, places)
{
    static const struct {
        uint64_t base, size;
        err_t error;
    } rows[] = {
        {0x600, 0x40, OK},
        {0xffc0, 0x40, OK},
        {0x10000, 0x40, ERR_INVALID_INPUT},
        {0x602, 0x40, ERR_INVALID_INPUT},
        {0x600, 0x20, ERR_INVALID_INPUT},
    };

    for_each_row (i, rows) {
        const fdt64_t reg[] = {cpu_to_fdt64(rows[i].base),
                               cpu_to_fdt64(rows[i].size)};
        struct ports ports;
        const char *what;

        ports_begin(&ports, "acpi-pm");
        cr_assert_eq(fdt_property(ports.tree, "reg", reg, sizeof(reg)), 0);
        cr_expect_eq(ports_try(&ports, &what), rows[i].error, "row %zu", i);
        ports_free(&ports);
    }
}
