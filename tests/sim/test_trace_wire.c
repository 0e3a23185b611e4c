/* SPDX-License-Identifier: Apache-2.0 */
/* The wire (hv/trace/wire.c) and its reader: what goes in comes out, whatever
 * else the wire has carried, and as far as it goes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/trace_drain.h"
#include "sim/trace_file.h"
#include "support/rows.h"
#include "trace/wire.h"

#define MOST 300000

/* What is on the wire, and what was handed to it as the trace. */
static uint8_t wired[MOST + 1000], sent[MOST];
static size_t wired_size, sent_size;

static void put(void *context, const void *bytes, size_t size)
{
    memcpy(wired + wired_size, bytes, size);
    wired_size += size;
}

static void noise(const char *text)
{
    put(NULL, text, strlen(text));
}

/* A trace of pieces of these sizes, up to one of 0. */
static void send(const size_t *sizes)
{
    struct trace_sink wire = {.write = put};
    struct trace_sink sink = trace_wire_begin(&wire);

    for (; *sizes != 0; sizes++) {
        for (size_t i = 0; i < *sizes; i++)
            sent[sent_size + i] = (uint8_t)((sent_size + i) * 31 >> 3);
        sink.write(sink.context, sent + sent_size, *sizes);
        sent_size += *sizes;
    }
    trace_wire_end(&wire);
}

static void start(void)
{
    wired_size = sent_size = 0;
}

static const volatile sig_atomic_t never;

/* What trace_drain_wire() says to the first `size` bytes; how many of the
 * trace's it has found. */
static bool drain(size_t size, size_t *found)
{
    char from[] = "/tmp/twinax-test-XXXXXX", to[] = "/tmp/twinax-test-XXXXXX";
    struct drain_options options = {
        .wire = from, .out = to, .wanted_end = &never};
    static uint8_t got[MOST];
    char what[TRACE_ERROR_SIZE];
    struct twx_reader *reader;
    FILE *file = fdopen(mkstemp(from), "wb");
    bool drained;

    close(mkstemp(to));
    fwrite(wired, 1, size, file);
    fclose(file);
    drained = trace_drain_wire(&options);
    *found = 0;
    reader = twx_open(to, what);
    if (reader != NULL) {
        size_t piece;

        while ((piece = twx_read(reader, got + *found, MOST - *found)) != 0)
            *found += piece;
        twx_close(reader);
    }
    unlink(from);
    unlink(to);
    cr_assert(*found <= sent_size && memcmp(got, sent, *found) == 0);
    return drained;
}

Test(trace_wire, what_goes_in_comes_out)
{
    static const struct {
        const char *before, *behind;
        size_t sizes[5];
    } rows[] = {
        {"", "", {1}},
        {"", "", {1000, 1, 24, 1023}},
        {"", "", {65535, 1}},
        {"", "", {65536}},
        {"", "", {200000, 7}},
        {"Bochs 2.7\n<bochs:1> c\n", "(0).[1234] bye\n", {500, 500}},
        {"TWXTTWXWIRTWXWIRE0", "TWXWIRE1 and more", {500}},
    };

    for_each_row (i, rows) {
        size_t found;

        start();
        noise(rows[i].before);
        send(rows[i].sizes);
        noise(rows[i].behind);
        cr_assert(drain(wired_size, &found), "row %zu", i);
        cr_assert(found == sent_size, "row %zu: %zu bytes", i, found);
    }
}

/* As far as it goes: that is no failure, as the machine may have been ended. */
Test(trace_wire, a_wire_that_is_cut)
{
    static const size_t sizes[] = {3, 40, 0};
    size_t found, magic = TRACE_WIRE_MAGIC_SIZE, head = TRACE_WIRE_HEAD_SIZE;

    start();
    send(sizes);
    for (size_t size = 0; size <= wired_size; size++) {
        size_t in = size < magic + head ? 0 : size - magic - head;
        size_t expected = in <= 3          ? in
                          : in < 3 + head  ? 3
                          : in - head < 43 ? in - head
                                           : 43;

        cr_assert(drain(size, &found) == (size >= magic), "%zu", size);
        cr_assert(found == expected, "%zu: %zu, not %zu", size, found,
                  expected);
    }
}

Test(trace_wire, what_comes_in_the_middle_is_noticed)
{
    static const size_t sizes[] = {3, 40, 0};
    size_t found, second = TRACE_WIRE_MAGIC_SIZE + TRACE_WIRE_HEAD_SIZE + 3;

    for (size_t i = 0; i < TRACE_WIRE_HEAD_SIZE; i++) {
        start();
        send(sizes);
        wired[second + i] ^= 0x20;
        cr_assert_not(drain(wired_size, &found));
        cr_assert(found == 3, "%zu bytes", found);
    }
}
