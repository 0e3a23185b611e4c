/* SPDX-License-Identifier: Apache-2.0 */
/* Events go into a stream and come out of it: hv/trace/encode.c, and the
 * decoder in sim/. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "hv/trace/stream.h"

/* From guests that do the same for ever to such that do nothing twice. */
static const struct stream_kind kinds[] = {
    {"steady", 4, 3, 8, 1000, 8},    {"usual", 40, 6, 40, 20, 16},
    {"wild", 1000, 10, 64, 2, 64},   {"long", 10, 150, 20, 10, 8},
    {"bytes", 10, 4, 8, 10, 4096},   {"noise", 100000, 8, 64, 1, 100},
    {"one place", 1, 5, 64, 5, 200},
};

Test(trace_codec, events_come_out_as_they_went_in)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (uint64_t seed = 1; seed <= 8; seed++) {
            struct stream stream = {0};
            char error[TRACE_ERROR_SIZE];
            unsigned same;

            stream_write(&stream, &kinds[i], seed, 700);
            same = stream_compare(&stream, &kinds[i], seed, error);
            cr_assert_eq(same, 700, "%s, seed %d: event %u of 700: %s",
                         kinds[i].name, (int)seed, same, error);
            cr_assert_str_empty(error);
            stream_free(&stream);
        }
    }
}

Test(trace_codec, what_repeats_costs_one_bit_a_value)
{
    struct stream few = {0}, many = {0};

    /* 1,000 exits of 22 values: three bytes of flags each. */
    stream_repeat(&few, 1000);
    stream_repeat(&many, 2000);
    cr_assert_eq(many.size - few.size, 3000, "%zu", many.size - few.size);
    stream_free(&few);
    stream_free(&many);
}

Test(trace_codec, of_a_stream_that_breaks_off_the_prefix_is_right)
{
    const struct stream_kind *kind = &kinds[1];
    char error[TRACE_ERROR_SIZE];
    struct stream whole = {0};
    unsigned last = 0;

    stream_write(&whole, kind, 3, 60);
    for (size_t size = 0; size < whole.size; size++) {
        struct stream cut = {malloc(size + 1), size, size, 0};
        unsigned same;

        memcpy(cut.bytes, whole.bytes, size);
        same = stream_compare(&cut, kind, 3, error);
        cr_assert_str_not_empty(error, "%zu bytes", size);
        cr_assert_leq(last, same, "%zu bytes: %u, then %u", size, last, same);
        last = same;
        stream_free(&cut);
    }
    cr_assert_eq(last, 60);
    stream_free(&whole);
}

Test(trace_codec, a_wrong_byte_does_no_harm)
{
    const uint8_t wrong[] = {0x01, 0x80, 0xff};
    char error[TRACE_ERROR_SIZE];
    struct stream stream = {0};

    stream_write(&stream, &kinds[1], 5, 40);
    for (size_t at = 0; at < stream.size; at++) {
        for (size_t i = 0; i < sizeof(wrong); i++) {
            stream.bytes[at] ^= wrong[i];
            (void)stream_drain(&stream, error);
            stream.bytes[at] ^= wrong[i];
        }
    }
    (void)stream_drain(&stream, error);
    cr_assert_str_empty(error);
    stream_free(&stream);
}

Test(trace_codec, noise_is_no_stream)
{
    char error[TRACE_ERROR_SIZE];
    struct stream stream = {0};
    uint64_t state = 1;

    stream_write(&stream, &kinds[0], 5, 1);
    for (unsigned round = 0; round < 200; round++) {
        /* Behind a start record that is sound. */
        for (size_t at = stream.size - 30; at < stream.size; at++) {
            state = state * UINT64_C(6364136223846793005) + 1;
            stream.bytes[at] = (uint8_t)(state >> 56);
        }
        (void)stream_drain(&stream, error);
    }
    stream_free(&stream);
}

/* Where a number is in the stream. */
#define START_NUMBER(name) \
    (TRACE_STREAM_MAGIC_SIZE + offsetof(struct trace_start_numbers, name))

struct row_case {
    const char *name;
    size_t at; /* byte of the start record that is changed */
    uint8_t to;
    const char *error;
};

Test(trace_codec, a_start_record_must_make_sense)
{
    const struct row_case cases[] = {
        {"magic", 0, 'X', "not the stream of a trace"},
        {"version", 8, 99, "format version 99"},
        {"slots", START_NUMBER(slot_bits), 13, "impossible numbers"},
        {"no CPU", START_NUMBER(cpu_count), 0, "impossible numbers"},
        {"CPUs", START_NUMBER(cpu_count), 65, "impossible numbers"},
        {"time shift", START_NUMBER(time_shift), 64, "impossible numbers"},
        {"exit kinds", START_NUMBER(exit_kinds) + 1, 2, "impossible numbers"},
        {"no fields", START_NUMBER(fields), 0, "impossible numbers"},
        {"fields", START_NUMBER(fields), 64, "impossible numbers"},
        {"rows", START_NUMBER(rows) + 2, 1, "impossible numbers"},
        {"tree", START_NUMBER(config_size) + 7, 1, "impossible numbers"},
        {"tree is missing", START_NUMBER(config_size) + 2, 1, "breaks off"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[TRACE_ERROR_SIZE];
        struct stream stream = {0};

        stream_write(&stream, &kinds[0], 1, 1);
        stream.bytes[cases[i].at] = cases[i].to;
        cr_assert_eq(stream_drain(&stream, error), 0, "%s", cases[i].name);
        cr_assert_not_null(strstr(error, cases[i].error), "%s: %s",
                           cases[i].name, error);
        stream_free(&stream);
    }
}
