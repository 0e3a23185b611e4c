/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "disk.h"
#include "support/rows.h"

#define RX 0
#define TX 1

/* What the device sends for one notification, at most. */
#define SLICE UINT64_C(1024)

static const struct property console_properties[] = {
    PROPERTY_CELL("cols", 132),
    PROPERTY_CELL("rows", 43),
    PROPERTY_END,
};

static void make_console(struct guest *guest, bool legacy)
{
    guest_make(guest, &(struct setup){.compatible = "virtio,console",
                                      .legacy = legacy,
                                      .properties = console_properties});
}

static char letter(size_t i)
{
    return (char)('a' + i % 26);
}

static void fill(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        text[i] = letter(i);
}

/* Whether the host got exactly `size` letters, in order. */
static bool output_is(const struct guest *guest, size_t size)
{
    for (size_t i = 0; i < guest->output_size; i++) {
        if (guest->output[i] != letter(i))
            return false;
    }
    return guest->output_size == size;
}

/* Offers a buffer of `size` bytes for input; where it is. */
static uint64_t offer(struct guest *guest, uint32_t size)
{
    uint64_t at = give(guest, size, 1);

    ring_add(guest, RX, &(struct buffer){at, size, true}, 1);
    return at;
}

Test(virtio_console, config_space)
{
    struct guest guest;

    make_console(&guest, false);
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_CONSOLE);
    cr_expect_eq(
        config(&guest, offsetof(struct virtio_console_config, cols), 2), 132);
    cr_expect_eq(
        config(&guest, offsetof(struct virtio_console_config, rows), 2), 43);
    cr_expect_eq(
        config(&guest, offsetof(struct virtio_console_config, max_nr_ports), 4),
        1);
    /* SIZE and EMERG_WRITE, no MULTIPORT. */
    cr_expect_eq(reg(&guest, VIRTIO_MMIO_DEVICE_FEATURES) & 0xff, 5);
    guest_free(&guest);
    guest_make(&guest, &(struct setup){.compatible = "virtio,console"});
    cr_expect_eq(config(&guest, 0, 4), 25 << 16 | 80);
    guest_free(&guest);
}

Test(virtio_console, configuration)
{
    static const struct {
        struct property property;
        const char *what;
    } rows[] = {
        {PROPERTY_CELL("cols", 0), "cols"},
        {PROPERTY_CELL("cols", 0x10000), "cols"},
        {PROPERTY_CELL("rows", 0), "rows"},
        {{"rows", "abc", 3, 0}, "rows"},
    };

    for_each_row (i, rows) {
        const struct property properties[] = {rows[i].property, PROPERTY_END};
        struct guest guest;
        const char *what;

        cr_expect_eq(guest_try(&guest,
                               &(struct setup){.compatible = "virtio,console",
                                               .properties = properties},
                               0, &what),
                     ERR_INVALID_INPUT);
        cr_expect_str_eq(what, rows[i].what);
        cr_expect_null(guest.console.device);
        guest_free(&guest);
    }
}

/* A device that could not be made does not listen. */
Test(virtio_console, no_room_for_registers)
{
    struct guest guest;
    const char *what;

    cr_expect_eq(guest_try(&guest,
                           &(struct setup){.compatible = "virtio,console",
                                           .reg_size = 0x100},
                           0, &what),
                 ERR_INVALID_INPUT);
    cr_expect_str_eq(what, "reg");
    cr_expect_null(guest.console.device);
    guest_free(&guest);
}

/* Output of any size, in any number of pieces, arrives once and in order; a
 * notification sends a slice at most. */
Test(virtio_console, output)
{
    static const struct {
        uint32_t pieces[3];
        unsigned again;
    } rows[] = {
        {{1, 0, 0}, 0},       {{0, 0, 0}, 0},         {{255, 256, 257}, 0},
        {{SLICE, 0, 0}, 0},   {{SLICE + 1, 0, 0}, 1}, {{10, 4 * SLICE, 300}, 4},
        {{100000, 0, 0}, 97},
    };
    static char text[100000];

    fill(text, sizeof(text));
    for (int legacy = 0; legacy < 2; legacy++) {
        for_each_row (i, rows) {
            struct guest guest;
            struct buffer buffers[3];
            uint32_t total = 0;
            uint32_t len;

            make_console(&guest, legacy);
            start(&guest, F_ALL, 8);
            for (unsigned n = 0; n < 3; n++) {
                uint32_t size = rows[i].pieces[n];
                buffers[n] =
                    (struct buffer){give(&guest, size, 1), size, false};
                poke(&guest, buffers[n].at, text + total, size);
                total += size;
            }
            ring_add(&guest, TX, buffers, 3);
            cr_expect_eq(ring_kick(&guest, TX), rows[i].again, "row %zu", i);
            cr_expect(ring_take(&guest, TX, NULL, &len), "row %zu", i);
            cr_expect_eq(len, 0);
            cr_expect(output_is(&guest, total), "row %zu", i);
            cr_expect(guest.line, "row %zu", i);
            guest_free(&guest);
        }
    }
}

/* Many chains for one notification: all of them, in slices. */
Test(virtio_console, output_of_many_chains)
{
    struct guest guest;
    char text[100];

    make_console(&guest, false);
    start(&guest, F_ALL, 128);
    for (unsigned i = 0; i < 128; i++) {
        uint64_t at = give(&guest, sizeof(text), 1);
        for (unsigned n = 0; n < sizeof(text); n++)
            text[n] = letter(i * sizeof(text) + n);
        poke(&guest, at, text, sizeof(text));
        ring_add(&guest, TX, &(struct buffer){at, sizeof(text), false}, 1);
    }
    cr_expect(ring_kick_once(&guest, TX));
    cr_expect_leq(guest.output_size, SLICE);
    (void)ring_kick(&guest, TX);
    cr_expect(output_is(&guest, 128 * sizeof(text)));
    guest_free(&guest);
}

/* Input waits for buffers, and buffers for input, whichever comes first. */
Test(virtio_console, input)
{
    for (int legacy = 0; legacy < 2; legacy++) {
        for (int input_first = 0; input_first < 2; input_first++) {
            struct guest guest;
            char got[5];
            uint64_t at;
            uint32_t len;

            make_console(&guest, legacy);
            start(&guest, F_ALL, 8);
            if (input_first)
                type_text(&guest, "hello", 5);
            at = offer(&guest, 100);
            cr_expect_eq(ring_kick(&guest, RX), 0);
            if (!input_first) {
                cr_expect(!guest.line);
                type_text(&guest, "hello", 5);
            }
            cr_expect(guest.line);
            cr_expect(ring_take(&guest, RX, NULL, &len));
            cr_expect_eq(len, 5);
            peek(&guest, at, got, 5);
            cr_expect_eq(memcmp(got, "hello", 5), 0);
            cr_expect(!ring_take(&guest, RX, NULL, NULL));
            guest_free(&guest);
        }
    }
}

/* More input than buffers: each gets the next part, the rest stays with the
 * host, and nothing is lost or doubled. */
Test(virtio_console, input_back_pressure)
{
    static const uint32_t sizes[] = {1, 7, 255, 256, 257, 4096};
    static char text[5000];

    fill(text, sizeof(text));
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct guest guest;
        size_t got = 0;

        make_console(&guest, false);
        start(&guest, F_ALL, 8);
        type_text(&guest, text, sizeof(text));
        cr_assert_eq(guest.input_start, 0);
        while (got < sizeof(text)) {
            uint64_t at[5];

            for (unsigned n = 0; n < 5; n++)
                at[n] = offer(&guest, sizes[i]);
            (void)ring_kick(&guest, RX);
            cr_assert_leq(guest.input_start,
                          got + UINT64_C(5) * sizes[i] + 256);
            for (unsigned n = 0; n < 5 && got < sizeof(text); n++) {
                static char bytes[4096];
                uint32_t len;

                cr_assert(ring_take(&guest, RX, NULL, &len));
                cr_assert_gt(len, 0);
                cr_assert_leq(len, sizes[i]);
                peek(&guest, at[n], bytes, len);
                cr_assert_eq(memcmp(bytes, text + got, len), 0);
                got += len;
            }
            if (guest.next_free > RAM_START + RAM_SIZE / 2)
                guest.next_free = RAM_START + RAM_SIZE / 4;
        }
        cr_expect_eq(got, sizeof(text));
        guest_free(&guest);
    }
}

/* With event indices: a driver is asked to notify of buffers only when there
 * are none, which is when they are needed. */
Test(virtio_console, buffers_are_asked_for)
{
    struct guest guest;
    struct ring *ring;

    make_console(&guest, false);
    start(&guest, F_ALL, 8);
    ring = &guest.rings[RX];
    for (unsigned i = 0; i < 4; i++)
        offer(&guest, 1);
    (void)ring_kick(&guest, RX);
    type_text(&guest, "abc", 3);
    cr_expect_eq(peek16(&guest, used_idx_at(ring)), 3);
    cr_expect_neq(peek16(&guest, avail_event_at(ring)), 4);
    type_text(&guest, "de", 2);
    cr_expect_eq(peek16(&guest, used_idx_at(ring)), 4);
    cr_expect_eq(peek16(&guest, avail_event_at(ring)), 4);
    offer(&guest, 1);
    (void)ring_kick(&guest, RX);
    cr_expect_eq(peek16(&guest, used_idx_at(ring)), 5);
    guest_free(&guest);
}

/* What was typed before the driver came, or while the device was broken, is
 * there when the driver is. */
Test(virtio_console, input_survives_a_broken_device)
{
    struct guest guest;
    char got[6];
    uint64_t at;

    make_console(&guest, false);
    type_text(&guest, "ab", 2);
    start(&guest, F_ALL, 8);
    ring_add(&guest, RX, &(struct buffer){HOLE, 10, true}, 1);
    (void)ring_kick(&guest, RX);
    cr_assert(has_status(&guest, NEEDS_RESET));
    type_text(&guest, "cdef", 4);
    start(&guest, F_ALL, 8);
    at = offer(&guest, 2);
    offer(&guest, 4);
    (void)ring_kick(&guest, RX);
    peek(&guest, at, got, 6);
    cr_expect_eq(memcmp(got, "abcdef", 6), 0);
    guest_free(&guest);
}

/* Power-on forgets what was typed before. */
Test(virtio_console, power_on_forgets_input)
{
    struct guest guest;
    char got;
    uint64_t at;

    make_console(&guest, false);
    start(&guest, F_ALL, 8);
    type_text(&guest, "abc", 3);
    offer(&guest, 1);
    (void)ring_kick(&guest, RX);
    device_set_reset(&guest.devices);
    start(&guest, F_ALL, 8);
    type_text(&guest, "x", 1);
    at = offer(&guest, 1);
    (void)ring_kick(&guest, RX);
    peek(&guest, at, &got, 1);
    cr_expect_eq(got, 'x');
    guest_free(&guest);
}

/* Chains that no driver may put into these queues. */
Test(virtio_console, wrong_direction)
{
    static const struct {
        unsigned queue;
        struct buffer buffers[2];
        unsigned count;
    } rows[] = {
        {RX, {{RAM_START, 4, false}}, 1},
        {RX, {{RAM_START, 4, false}, {RAM_START, 4, true}}, 2},
        {RX, {{RAM_START, 0, true}}, 1},
        {RX, {{ROM_START, 4, true}}, 1},
        {TX, {{RAM_START, 4, true}}, 1},
        {TX, {{RAM_START, 4, false}, {RAM_START, 4, true}}, 2},
        {TX, {{HOLE, 4, false}}, 1},
    };

    for_each_row (i, rows) {
        struct guest guest;

        make_console(&guest, false);
        start(&guest, F_ALL, 8);
        type_text(&guest, "abc", 3);
        ring_add(&guest, rows[i].queue, rows[i].buffers, rows[i].count);
        (void)ring_kick(&guest, rows[i].queue);
        cr_expect(has_status(&guest, NEEDS_RESET), "row %zu", i);
        cr_expect_eq(guest.output_size, 0, "row %zu", i);
        guest_free(&guest);
    }
}

/* A chain that becomes shorter than what has been sent of it. */
Test(virtio_console, output_shrinks_between_slices)
{
    struct guest guest;
    uint64_t at;

    make_console(&guest, false);
    start(&guest, F_ALL, 8);
    at = give(&guest, 4 * SLICE, 1);
    ring_add(&guest, TX, &(struct buffer){at, 4 * SLICE, false}, 1);
    cr_assert(ring_kick_once(&guest, TX));
    desc_set(&guest, desc_at(&guest.rings[TX], 0), at, 10, 0, 0);
    cr_expect(!ring_kick_once(&guest, TX));
    cr_expect(has_status(&guest, NEEDS_RESET));
    cr_expect_eq(guest.output_size, SLICE);
    guest_free(&guest);
}

/* An emergency character gets out in any state. */
Test(virtio_console, emergency_write)
{
    enum { FRESH, RUNNING, BROKEN, STATES };
    const uint64_t offset = offsetof(struct virtio_console_config, emerg_wr);

    for (int state = FRESH; state < STATES; state++) {
        struct guest guest;

        make_console(&guest, false);
        if (state != FRESH)
            start(&guest, F_ALL, 8);
        if (state == BROKEN) {
            ring_publish(&guest, TX, 0xffff);
            (void)ring_kick(&guest, TX);
        }
        set_config(&guest, offset, 4, 0x12345600 | 'O');
        set_config(&guest, offset, 1, 'K');
        set_config(&guest, 0, 2, 'x');
        set_config(&guest, offset + 4, 4, 'x');
        cr_expect_eq(guest.output_size, 2);
        cr_expect_eq(memcmp(guest.output, "OK", 2), 0);
        cr_expect_eq(config(&guest, 0, 2), 132);
        guest_free(&guest);
    }
}
