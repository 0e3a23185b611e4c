/* SPDX-License-Identifier: Apache-2.0 */
#include "ports.h"
#include "support/rows.h"

#define DATA    0x60
#define COMMAND 0x64
#define PORT_A  0x92

#define MAX_BYTES 6

/* What is written, and what then comes out, byte by byte. A port of 0 ends. */
Test(pc_i8042, dialogues)
{
    static const struct {
        const char *what;
        struct {
            uint8_t port, value;
        } writes[MAX_BYTES];
        unsigned count;
        uint8_t bytes[MAX_BYTES];
    } rows[] = {
        {"nothing", {{0}}, 0, {0}},
        {"self-test", {{COMMAND, 0xaa}}, 1, {0x55}},
        {"keyboard's interface", {{COMMAND, 0xab}}, 1, {0}},
        {"no auxiliary port", {{COMMAND, 0xa9}}, 1, {1}},
        {"command byte", {{COMMAND, 0x20}}, 1, {0x55}},
        {"command byte written",
         {{COMMAND, 0x60}, {DATA, 0x44}, {COMMAND, 0x20}},
         1,
         {0x44}},
        {"Linux' loop-back", {{COMMAND, 0xd3}, {DATA, 0x5a}}, 1, {0x5a}},
        {"keyboard's buffer", {{COMMAND, 0xd2}, {DATA, 0x12}}, 1, {0x12}},
        {"to nobody", {{COMMAND, 0xd4}, {DATA, 0xff}}, 0, {0}},
        {"input port", {{COMMAND, 0xc0}}, 1, {0x80}},
        {"output port", {{COMMAND, 0xd0}}, 1, {0x03}},
        {"A20 off", {{COMMAND, 0xdd}, {COMMAND, 0xd0}}, 1, {0x01}},
        {"A20 on",
         {{COMMAND, 0xdd}, {COMMAND, 0xdf}, {COMMAND, 0xd0}},
         1,
         {0x03}},
        {"A20 by the output port",
         {{COMMAND, 0xd1}, {DATA, 0x01}, {COMMAND, 0xd0}},
         1,
         {0x01}},
        {"A20 by port A", {{PORT_A, 0}, {COMMAND, 0xd0}}, 1, {0x01}},
        {"echo", {{DATA, 0xee}}, 1, {0xee}},
        {"keyboard reset", {{DATA, 0xff}}, 2, {0xfa, 0xaa}},
        {"identity, translated", {{DATA, 0xf2}}, 3, {0xfa, 0xab, 0x41}},
        {"identity",
         {{COMMAND, 0x60}, {DATA, 0x05}, {DATA, 0xf2}},
         3,
         {0xfa, 0xab, 0x83}},
        {"LEDs", {{DATA, 0xed}, {DATA, 0x07}}, 2, {0xfa, 0xfa}},
        {"scan code set", {{DATA, 0xf0}, {DATA, 0}}, 3, {0xfa, 0xfa, 2}},
        {"scan code set 3",
         {{DATA, 0xf0}, {DATA, 3}, {DATA, 0xf0}, {DATA, 0}},
         4,
         {0xfa, 0xfa, 0xfa, 3}},
        {"unknown", {{DATA, 0x01}}, 1, {0xfe}},
        {"disabled keyboard says nothing yet",
         {{DATA, 0xff}, {COMMAND, 0xad}},
         1,
         {0xfa}},
        {"enabled again",
         {{DATA, 0xff}, {COMMAND, 0xad}, {COMMAND, 0xae}},
         2,
         {0xfa, 0xaa}},
        {"an unknown command of the controller", {{COMMAND, 0x05}}, 0, {0}},
        {"pulse without reset", {{COMMAND, 0xff}}, 0, {0}},
    };

    for_each_row (i, rows) {
        struct ports ports;

        ports_make(&ports, "intel,i8042", 0, 0);
        for (unsigned j = 0; j < MAX_BYTES && rows[i].writes[j].port; j++)
            ports_out(&ports, rows[i].writes[j].port, 1,
                      rows[i].writes[j].value);
        for (unsigned j = 0; j < rows[i].count; j++) {
            cr_expect(ports_in(&ports, COMMAND, 1) & 1, "%s", rows[i].what);
            cr_expect_eq(ports_in(&ports, DATA, 1), rows[i].bytes[j],
                         "%s: byte %u", rows[i].what, j);
        }
        cr_expect_not(ports_in(&ports, COMMAND, 1) & 1, "%s", rows[i].what);
        cr_expect_eq(ports.reboots, 0, "%s", rows[i].what);
        ports_free(&ports);
    }
}

Test(pc_i8042, resets)
{
    static const struct {
        uint8_t port, value, data;
        bool has_data;
    } rows[] = {
        {COMMAND, 0xfe, 0, false},
        {COMMAND, 0xf0, 0, false},
        {COMMAND, 0xd1, 0xfe, true},
        {PORT_A, 0x01, 0, false},
    };

    for_each_row (i, rows) {
        struct ports ports;

        ports_make(&ports, "intel,i8042", 0, 0);
        ports_out(&ports, rows[i].port, 1, rows[i].value);
        if (rows[i].has_data)
            ports_out(&ports, DATA, 1, rows[i].data);
        cr_expect_eq(ports.reboots, 1, "row %zu", i);
        cr_expect_eq(ports.downs, 0);
        ports_free(&ports);
    }
}

/* Each byte is an edge; none without the command byte's leave. */
Test(pc_i8042, interrupts)
{
    struct ports ports;

    ports_make(&ports, "intel,i8042", 0, 0);
    ports_out(&ports, DATA, 1, 0xf2);
    for (unsigned i = 1; i <= 3; i++) {
        cr_expect(ports.line);
        cr_expect_eq(ports.rises, i);
        (void)ports_in(&ports, DATA, 1);
    }
    cr_expect_not(ports.line);
    ports_out(&ports, COMMAND, 1, 0x60);
    ports_out(&ports, DATA, 1, 0x44);
    ports_out(&ports, DATA, 1, 0xee);
    cr_expect_not(ports.line);
    cr_expect(ports_in(&ports, COMMAND, 1) & 1);
    device_set_reset(&ports.set);
    cr_expect_eq(ports_in(&ports, COMMAND, 1), 0x14);
    cr_expect_eq(ports_in(&ports, PORT_A, 1), 2);
    ports_free(&ports);
}

/* Commands without end, and nobody who reads: the last one is answered. */
Test(pc_i8042, nobody_reads)
{
    struct ports ports;

    ports_make(&ports, "intel,i8042", 0, 0);
    for (unsigned i = 0; i < 1000; i++)
        ports_out(&ports, DATA, 1, i & 0xff);
    for (unsigned i = 0; i < 32; i++)
        (void)ports_in(&ports, DATA, 1);
    cr_expect_not(ports_in(&ports, COMMAND, 1) & 1);
    ports_out(&ports, DATA, 1, 0xf6);
    (void)ports_in(&ports, DATA, 1);
    ports_out(&ports, DATA, 1, 0xee);
    cr_expect_eq(ports_in(&ports, DATA, 1), 0xee);
    ports_free(&ports);
}
