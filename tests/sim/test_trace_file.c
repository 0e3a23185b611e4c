/* SPDX-License-Identifier: Apache-2.0 */
/* Trace files that are cut off, and such with a wrong byte: what comes out of
 * one is what went in, as far as it goes, and what is wrong is said. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/trace_file.h"
#include "sim/trace_file_layout.h"
#include "sim/trace_input.h"
#include "support/trace_rig.h"

/* A file's bytes. */
struct bytes {
    uint8_t *at;
    size_t size;
};

static struct bytes file_of(const void *stream, size_t size)
{
    char path[] = "/tmp/twinax-test-XXXXXX", what[TRACE_ERROR_SIZE];
    struct twx_writer *writer;
    struct bytes bytes = {0};
    uint64_t file_size = 0;
    FILE *file;

    close(mkstemp(path));
    writer = twx_create(path, what);
    cr_assert_not_null(writer, "%s", what);
    cr_assert(twx_write(writer, stream, size));
    cr_assert(twx_finish(writer, &file_size, what), "%s", what);
    bytes.at = malloc(file_size);
    bytes.size = file_size;
    file = fopen(path, "rb");
    cr_assert_eq(fread(bytes.at, 1, file_size, file), file_size);
    fclose(file);
    unlink(path);
    return bytes;
}

static struct bytes file_of_run(const struct rig_run *run)
{
    struct recording_buffer trace = {0};
    struct bytes bytes;

    rig_record(run, &trace);
    bytes = file_of(trace.bytes, trace.size);
    recording_buffer_free(&trace);
    return bytes;
}

/* Reads all that can be read. Returns how much that is; `what` says what is
 * wrong, "" if nothing is. */
static size_t read_all(struct bytes file, const uint8_t *expected, char *what)
{
    /* A file of no bytes cannot be opened so. */
    struct twx_reader *reader = twx_open_stream(
        fmemopen(file.at, file.size + (file.size == 0), "rb"), what);
    static uint8_t piece[100000];
    size_t done = 0, size;

    if (reader == NULL)
        return 0;
    while ((size = twx_read(reader, piece, sizeof(piece))) != 0) {
        cr_assert_eq(memcmp(piece, expected + done, size), 0);
        done += size;
    }
    snprintf(what, TRACE_ERROR_SIZE, "%s",
             twx_reader_error(reader) == NULL ? "" : twx_reader_error(reader));
    twx_close(reader);
    return done;
}

/* Bytes that compress to about half. */
static uint8_t *make_stream(size_t size)
{
    uint8_t *stream = malloc(size);
    uint32_t state = 1;

    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        stream[i] = (uint8_t)(state >> 28);
    }
    return stream;
}

/* Whether it has the number in it. */
static bool names(const char *text, size_t number)
{
    char digits[32];

    snprintf(digits, sizeof(digits), "byte %zu", number);
    return strstr(text, digits) != NULL;
}

/* Everywhere near the ends, and here and there between. */
static size_t next_cut(size_t cut, size_t size)
{
    if (cut < 60 || cut >= size - 60)
        return cut + 1;
    return cut + 9973 < size - 60 ? cut + 9973 : size - 60;
}

Test(trace_file, of_a_file_that_is_cut_off_the_chunks_before_are_read)
{
    const size_t size = 3 * TWX_CHUNK_SIZE + 50000;
    uint8_t *stream = make_stream(size);
    struct bytes file = file_of(stream, size);
    char what[TRACE_ERROR_SIZE];
    size_t last = 0, steps = 0;

    cr_assert_eq(read_all(file, stream, what), size, "%s", what);
    cr_assert_str_empty(what);
    for (size_t cut = 0; cut < file.size; cut = next_cut(cut, file.size)) {
        size_t got = read_all((struct bytes){file.at, cut}, stream, what);

        cr_assert(names(what, cut) || cut < sizeof(struct twx_header),
                  "%zu: %s", cut, what);
        cr_assert_geq(got, last);
        steps += got != last;
        last = got;
    }
    /* One chunk after the other, and the last one before the trailer. */
    cr_assert_eq(steps, 4);
    cr_assert_eq(last, size);
    free(stream);
    free(file.at);
}

Test(trace_file, every_wrong_byte_is_found)
{
    static const uint8_t wrong[] = {0x01, 0x80, 0xff};
    uint8_t *stream = make_stream(3000);
    struct bytes file = file_of(stream, 3000);
    char what[TRACE_ERROR_SIZE];

    for (size_t at = 0; at < file.size; at++) {
        for (size_t i = 0; i < sizeof(wrong); i++) {
            file.at[at] ^= wrong[i];
            (void)read_all(file, stream, what);
            cr_assert_str_not_empty(what, "byte %zu", at);
            file.at[at] ^= wrong[i];
        }
    }
    free(stream);
    free(file.at);
}

Test(trace_file, what_follows_the_trailer_is_found)
{
    uint8_t *stream = make_stream(100);
    struct bytes file = file_of(stream, 100);
    char what[TRACE_ERROR_SIZE];

    file.at = realloc(file.at, file.size + 1);
    file.at[file.size++] = 0;
    cr_assert_eq(read_all(file, stream, what), 100);
    cr_assert_not_null(strstr(what, "something follows"), "%s", what);
    free(stream);
    free(file.at);
}

/* As `twinax replay` does. */
static bool replay_file(struct bytes file, struct replay_result *result,
                        char *what)
{
    static const struct replay_options all;
    struct trace_input input = {.path = "memory"};
    struct trace_source source;
    bool identical = false;

    *result = (struct replay_result){0};
    input.file = twx_open_stream(fmemopen(file.at, file.size, "rb"), what);
    if (input.file == NULL)
        return false;
    source = twx_source(input.file);
    input.decoder = trace_decoder_open(&source, what);
    if (input.decoder != NULL)
        identical = replay_run(input.decoder, &all, result) &&
                    !trace_input_error(&input, what);
    trace_input_close(&input);
    return identical;
}

Test(trace_file, a_trace_that_is_cut_off_anywhere_is_not_identical)
{
    const struct rig_run small = {
        .cpus = 1, .vcpus = 1, .vms = 1, .seed = 3, .steps = 100};
    struct bytes file = file_of_run(&small);
    struct replay_result result;
    char what[2 * TRACE_ERROR_SIZE];

    cr_assert(replay_file(file, &result, what), "%s", result.error);
    for (size_t cut = 1; cut < file.size; cut++) {
        what[0] = '\0';
        cr_assert_not(replay_file((struct bytes){file.at, cut}, &result, what));
        cr_assert_str_not_empty(what, "%zu", cut);
        cr_assert_eq(result.divergences, 0, "%zu", cut);
    }
    free(file.at);
}

Test(trace_file, a_trace_with_a_wrong_byte_is_not_identical)
{
    const struct rig_run small = {
        .cpus = 1, .vcpus = 1, .vms = 1, .seed = 3, .steps = 100};
    struct bytes file = file_of_run(&small);
    struct replay_result result;
    char what[2 * TRACE_ERROR_SIZE];

    for (size_t at = 0; at < file.size; at++) {
        file.at[at] ^= 0x10;
        cr_assert_not(replay_file(file, &result, what), "byte %zu", at);
        cr_assert_eq(result.divergences, 0, "byte %zu", at);
        file.at[at] ^= 0x10;
    }
    free(file.at);
}
