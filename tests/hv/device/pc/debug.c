/* SPDX-License-Identifier: Apache-2.0 */
#include "ports.h"
#include "support/rows.h"

Test(pc_debug, console)
{
    static const uint16_t bases[] = {0x402, 0xe9};

    for_each_row (i, bases) {
        struct ports ports;

        ports_make(&ports, "bochs,debug-console", bases[i], 1);
        cr_expect_eq(ports_in(&ports, bases[i], 1), 0xe9);
        ports_out(&ports, bases[i], 1, 'o');
        ports_out(&ports, bases[i], 1, 'k');
        cr_expect_eq(ports.output_size, 2);
        cr_expect_arr_eq(ports.output, "ok", 2);
        cr_expect_null(ports.console.device, "input is not for it");
        ports_free(&ports);
    }
}

/* The code is QEMU's exit status. */
Test(pc_debug, exit)
{
    static const struct {
        unsigned width;
        uint32_t value, code;
    } rows[] = {
        {1, 0, 1},        {1, 0x10, 0x21},     {4, 0x10, 0x21},
        {1, 0xff, 0x1ff}, {2, 0x1234, 0x2469}, {4, 0xffffffff, 0xffffffff},
    };

    for_each_row (i, rows) {
        struct ports ports;

        ports_make(&ports, "qemu,debug-exit", 0xf4, 4);
        cr_expect_eq(ports_in(&ports, 0xf4, rows[i].width), 0);
        cr_expect_eq(ports.failures + ports.downs, 0);
        ports_out(&ports, 0xf4, rows[i].width, rows[i].value);
        cr_expect_eq(ports.failures, 1);
        cr_expect_eq(ports.code, rows[i].code, "row %zu: %x", i, ports.code);
        ports_free(&ports);
    }
}

Test(pc_debug, places)
{
    static const struct {
        const char *compatible;
        uint64_t base, size;
        err_t error;
    } rows[] = {
        {"bochs,debug-console", 0x402, 1, OK},
        {"bochs,debug-console", 0xffff, 1, OK},
        {"bochs,debug-console", 0x402, 2, ERR_INVALID_INPUT},
        {"bochs,debug-console", 0x10000, 1, ERR_INVALID_INPUT},
        {"bochs,debug-console", 0x402, 0, ERR_INVALID_INPUT},
        {"qemu,debug-exit", 0x501, 1, OK},
        {"qemu,debug-exit", 0xfffc, 4, OK},
        {"qemu,debug-exit", 0xfffd, 4, ERR_INVALID_INPUT},
        {"qemu,debug-exit", 0xf4, 5, ERR_INVALID_INPUT},
    };

    for_each_row (i, rows) {
        const fdt64_t reg[] = {cpu_to_fdt64(rows[i].base),
                               cpu_to_fdt64(rows[i].size)};
        struct ports ports;
        const char *what;

        ports_begin(&ports, rows[i].compatible);
        cr_assert_eq(fdt_property(ports.tree, "reg", reg, sizeof(reg)), 0);
        cr_expect_eq(ports_try(&ports, &what), rows[i].error, "row %zu", i);
        if (rows[i].error != OK)
            cr_expect_str_eq(what, "reg");
        ports_free(&ports);
    }
}
