/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regression test from a trace: a C source, for tests/, that holds the trace
 * (up to event --until) and fails when the hypervisor does anything else than
 * it did in the recording.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/trace_report.h"

#define NAME_SIZE 48

static const char head[] =
    "/* SPDX-License-Identifier: Apache-2.0 */\n"
    "/* A recording that must replay without a difference: %" PRIu64 " exits,\n"
    " * by `twinax trace export --format test`. */\n"
    "#include <criterion/criterion.h>\n"
    "#include <stdio.h>\n\n"
    "#include \"sim/replay.h\"\n"
    "#include \"sim/trace_file.h\"\n\n"
    "static const unsigned char trace[] = {\n";

static const char tail[] =
    "};\n\n"
    "Test(regress, %s)\n"
    "{\n"
    "    static const struct replay_options all;\n"
    "    char what[TRACE_ERROR_SIZE] = \"\";\n"
    "    struct twx_reader *file = twx_open_stream(\n"
    "        fmemopen((void *)trace, sizeof(trace), \"rb\"), what);\n"
    "    struct trace_decoder *decoder;\n"
    "    struct trace_source source;\n"
    "    struct replay_result result;\n"
    "    bool identical;\n\n"
    "    cr_assert_not_null(file, \"%%s\", what);\n"
    "    source = twx_source(file);\n"
    "    decoder = trace_decoder_open(&source, what);\n"
    "    cr_assert_not_null(decoder, \"%%s\", what);\n"
    "    identical = replay_run(decoder, &all, &result);\n"
    "    cr_assert(identical, \"event %%llu, %%s: %%s: expected %%s, got %%s "
    "%%s\",\n"
    "              (unsigned long long)result.first.event, "
    "result.first.reason,\n"
    "              result.first.field, result.first.expected,\n"
    "              result.first.actual, result.error);\n"
    "    trace_decoder_close(decoder);\n"
    "    twx_close(file);\n"
    "}\n";

struct prefix {
    uint64_t until, exits;
};

static bool on_end(void *context, uint64_t number,
                   const struct trace_event *event, bool cut)
{
    struct prefix *prefix = context;

    (void)cut;
    prefix->exits += event->kind == TRACE_EVENT_EXIT;
    return prefix->until == 0 || number + 1 < prefix->until;
}

/* The first `size` bytes of the stream of `path` as a file of their own. */
static bool copy_prefix(const char *path, uint64_t size, const char *to)
{
    char what[TRACE_ERROR_SIZE];
    struct twx_reader *from = twx_open(path, what);
    struct twx_writer *writer = from != NULL ? twx_create(to, what) : NULL;
    static uint8_t bytes[65536];

    while (writer != NULL && size != 0) {
        size_t got =
            twx_read(from, bytes, size < sizeof(bytes) ? size : sizeof(bytes));

        if (got == 0 || !twx_write(writer, bytes, got))
            break;
        size -= got;
    }
    twx_close(from);
    if (writer != NULL && twx_finish(writer, NULL, what) && size == 0)
        return true;
    fprintf(stderr, "twinax trace export: %s\n", what);
    return false;
}

static bool put_bytes(const char *path, FILE *out)
{
    FILE *file = fopen(path, "rb");
    int byte;
    unsigned column = 0;

    if (file == NULL) {
        fprintf(stderr, "twinax trace export: %s: %s\n", path, strerror(errno));
        return false;
    }
    while ((byte = fgetc(file)) != EOF) {
        fprintf(out, "%s%d,", column == 0 ? "    " : "", byte);
        column = (column + 1) % 18;
        if (column == 0)
            fputc('\n', out);
    }
    if (column != 0)
        fputc('\n', out);
    fclose(file);
    return true;
}

/* The file's name without folder and suffix, as an identifier. */
static void test_name(const char *path, char name[NAME_SIZE])
{
    const char *base = strrchr(path, '/');
    size_t used = 0;

    base = base != NULL ? base + 1 : path;
    if (isdigit((unsigned char)*base))
        name[used++] = '_';
    for (; *base != '\0' && *base != '.' && used + 1 < NAME_SIZE; base++)
        name[used++] = isalnum((unsigned char)*base) ? *base : '_';
    name[used] = '\0';
}

bool report_test(struct trace_input *input, uint64_t until, const char *path,
                 FILE *out)
{
    struct prefix prefix = {.until = until};
    struct trace_visitor visitor = {.end = on_end, .context = &prefix};
    char name[NAME_SIZE], copy[PATH_MAX];
    bool intact = trace_walk(input->decoder, &visitor);
    bool done;

    if ((size_t)snprintf(copy, sizeof(copy), "%s.twx", path) >= sizeof(copy)) {
        fputs("twinax trace export: the name is too long\n", stderr);
        return false;
    }
    if (!copy_prefix(input->path, trace_decoder_position(input->decoder), copy))
        return false;
    test_name(path, name);
    fprintf(out, head, prefix.exits);
    done = put_bytes(copy, out);
    unlink(copy);
    fprintf(out, tail, name);
    return (intact || !trace_input_report(input, "twinax trace export")) &&
           done;
}
