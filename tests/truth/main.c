/* SPDX-License-Identifier: Apache-2.0 */
/*
 * truth: lists of VMCBs and VMCSs, and what comes of them on fake hardware and
 * on machines. scripts/svm-truth is what people use.
 *
 *   truth make --cpu CPU --profile PROFILE --seed N --cases N LIST
 *   truth check [--json] [--show N] --machine MACHINE LIST ANSWERS
 *   truth show LIST CASE
 *   truth rules --cpu CPU LIST...
 *
 * LIST and ANSWERS may be compressed by zstd.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "tests/truth/host.h"
#include "tests/truth/ops.h"

#define MAX_FILE  (64u << 20)
#define MAX_NAMES 8

static const char usage[] =
    "Usage: truth make --cpu svm --profile PROFILE --seed N --cases N LIST\n"
    "       truth check [--json] [--show N] --machine MACHINE LIST ANSWERS\n"
    "       truth show LIST CASE\n"
    "       truth rules --cpu CPU LIST...\n";

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "truth: error: %s: %s\n", what, why);
    exit(2);
}

static struct truth_buffer expand(const char *name, struct truth_buffer file)
{
    unsigned long long size = ZSTD_getFrameContentSize(file.bytes, file.size);
    struct truth_buffer plain = {0};

    if (size == ZSTD_CONTENTSIZE_ERROR)
        return file;
    if (size > MAX_FILE)
        die(name, "too large, or of no known size");
    plain.bytes = malloc(size + 1);
    if (plain.bytes == NULL)
        die(name, "no memory");
    plain.size = ZSTD_decompress(plain.bytes, size, file.bytes, file.size);
    if (ZSTD_isError(plain.size))
        die(name, ZSTD_getErrorName(plain.size));
    free(file.bytes);
    return plain;
}

static struct truth_buffer read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    struct truth_buffer buffer = {.bytes = malloc(MAX_FILE)};

    if (file == NULL || buffer.bytes == NULL)
        die(name, "cannot be read");
    buffer.size = fread(buffer.bytes, 1, MAX_FILE, file);
    if (ferror(file) || !feof(file))
        die(name, "cannot be read, or is too large");
    fclose(file);
    return expand(name, buffer);
}

static void write_file(const char *name, const struct truth_buffer *buffer)
{
    FILE *file = fopen(name, "wb");

    if (file == NULL ||
        fwrite(buffer->bytes, 1, buffer->size, file) != buffer->size ||
        fclose(file) != 0)
        die(name, "cannot be written");
}

struct options {
    const char *cpu, *profile, *machine;
    uint64_t seed;
    uint32_t cases, show;
    bool json;
    const char *names[MAX_NAMES];
    int name_count;
};

static uint64_t number(const char *option, const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);

    if (*text == '\0' || *end != '\0' || *text == '-')
        die(option, "this is no number");
    return value;
}

static void take_option(struct options *options, const char *name,
                        const char *value)
{
    if (strcmp(name, "--cpu") == 0)
        options->cpu = value;
    else if (strcmp(name, "--profile") == 0)
        options->profile = value;
    else if (strcmp(name, "--machine") == 0)
        options->machine = value;
    else if (strcmp(name, "--seed") == 0)
        options->seed = number(name, value);
    else if (strcmp(name, "--cases") == 0)
        options->cases = (uint32_t)number(name, value);
    else if (strcmp(name, "--show") == 0)
        options->show = (uint32_t)number(name, value);
    else
        die(name, "there is no such option");
}

static struct options take_options(int count, char **words)
{
    struct options options = {.cpu = "svm",
                              .profile = "qemu",
                              .machine = "qemu",
                              .seed = 1,
                              .cases = 1000,
                              .show = 20};

    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "--json") == 0)
            options.json = true;
        else if (words[i][0] == '-' && i + 1 < count)
            take_option(&options, words[i], words[i + 1]), i++;
        else if (words[i][0] != '-' && options.name_count < MAX_NAMES)
            options.names[options.name_count++] = words[i];
        else
            die(words[i], "this is one word too many");
    }
    return options;
}

static const struct truth_maker *const makers[] = {&truth_maker_svm,
                                                   &truth_maker_vmx};

static const struct truth_maker *maker_of(const char *cpu)
{
    for (unsigned i = 0; i < ARRAY_SIZE(makers); i++) {
        if (strcmp(makers[i]->vendor->name, cpu) == 0)
            return makers[i];
    }
    die(cpu, "there is no such kind of processor");
}

static int make(const struct options *options)
{
    const struct truth_maker *maker = maker_of(options->cpu);
    struct truth_buffer list = {0};

    if (options->name_count != 1)
        die("make", "one LIST is needed");
    if (!truth_set_profile(maker->vendor->cpu, options->profile))
        die(options->profile, "there is no such profile");
    truth_make(maker, options->profile, options->seed, options->cases, &list);
    write_file(options->names[0], &list);
    return 0;
}

static void open_list(const char *name, struct truth_buffer *file,
                      struct truth_list *list)
{
    const char *wrong;

    *file = read_file(name);
    wrong = truth_open(list, file->bytes, file->size);
    if (wrong != NULL)
        die(name, wrong);
    if (!truth_set_profile(list->header.cpu, list->header.profile))
        die(name, "its profile is none of this program's");
}

static void print_text(const struct truth_list *list,
                       const struct truth_departures *departures,
                       const struct truth_result *result)
{
    printf("%u cases: %u legal, %u that break one rule, %u random\n",
           result->cases, result->by_kind[TRUTH_LEGAL],
           result->by_kind[TRUTH_RULE], result->by_kind[TRUTH_RANDOM]);
    for (uint32_t i = 0; i < list->header.rules; i++) {
        if (result->by_rule[i] != 0)
            printf("  %5u  %.*s\n", result->by_rule[i], list->rules[i].size,
                   (const char *)list->rules[i].name);
    }
    printf("%u differences, %u unexplained\n", result->differences,
           result->unexplained);
    for (unsigned i = 0; i < departures->count; i++)
        printf("  %5u  %s\n", result->explained[i], departures->rows[i].name);
}

static void print_json(const struct truth_list *list,
                       const struct truth_departures *departures,
                       const struct truth_result *result)
{
    const char *comma = "";

    printf("{\"cpu\": \"%s\", \"machine\": \"%s\", \"seed\": %llu, "
           "\"cases\": %u, \"legal\": %u, \"rule\": %u, \"random\": %u, "
           "\"rules\": {",
           truth_vendor_of(list)->name, departures->machine,
           (unsigned long long)list->header.seed, result->cases,
           result->by_kind[TRUTH_LEGAL], result->by_kind[TRUTH_RULE],
           result->by_kind[TRUTH_RANDOM]);
    for (uint32_t i = 0; i < list->header.rules; i++) {
        if (result->by_rule[i] == 0)
            continue;
        printf("%s\"%.*s\": %u", comma, list->rules[i].size,
               (const char *)list->rules[i].name, result->by_rule[i]);
        comma = ", ";
    }
    printf("}, \"departures\": {");
    for (unsigned i = 0; i < departures->count; i++)
        printf("%s\"%s\": %u", i == 0 ? "" : ", ", departures->rows[i].name,
               result->explained[i]);
    printf("}, \"differences\": %u, \"unexplained\": %u}\n",
           result->differences, result->unexplained);
}

/* A departure that its machine does not show is none; with few cases, or others
 * than those that are kept, it may just not have come up. */
static void name_unseen(const struct truth_departures *departures,
                        const char *machine, const struct truth_result *result)
{
    for (unsigned i = 0; i < departures->count; i++) {
        const struct truth_departure *row = &departures->rows[i];
        const char *shown_by =
            row->shown_by != NULL ? row->shown_by : departures->machine;

        if (result->explained[i] == 0 && strcmp(shown_by, machine) == 0)
            fprintf(stderr, "truth: departure '%s' explains nothing\n",
                    row->name);
    }
}

static int check(const struct options *options)
{
    static struct truth_list list;
    const struct truth_departures *departures;
    struct truth_buffer file, text;
    struct truth_answers answers;
    struct truth_result result;
    char wrong[128];

    if (options->name_count != 2)
        die("check", "a LIST and its ANSWERS are needed");
    open_list(options->names[0], &file, &list);
    departures = truth_departures_of(options->machine, list.header.cpu);
    if (departures == NULL)
        die(options->machine, "no such machine has this kind of processor");
    text = read_file(options->names[1]);
    if (!truth_read_answers((const char *)text.bytes, text.size,
                            list.header.cases, &answers, wrong))
        die(options->names[1], wrong);
    truth_compare(&list, &answers, departures, options->show, stderr, &result);
    (options->json ? print_json : print_text)(&list, departures, &result);
    truth_free_answers(&answers);
    free(text.bytes);
    free(file.bytes);
    name_unseen(departures, options->machine, &result);
    return result.unexplained == 0 ? 0 : 1;
}

static void print_entries(const struct truth_vendor *vendor,
                          const struct truth_entries *entries)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        struct truth_entry entry = truth_entry(entries, i);
        uint16_t field = entry.field & (uint16_t)~TRUTH_RELATIVE;

        printf("    %s = 0x%llx%s\n", truth_field_name(vendor, field),
               (unsigned long long)entry.value,
               field != entry.field ? " (relative)" : "");
    }
}

static int show(const struct options *options)
{
    static struct truth_list list;
    static struct truth_machine machine;
    static struct truth_answer answer;
    struct truth_buffer file;
    struct truth_case one = {0};
    uint32_t at, wanted;

    if (options->name_count != 2)
        die("show", "a LIST and a CASE are needed");
    open_list(options->names[0], &file, &list);
    wanted = (uint32_t)number("CASE", options->names[1]);
    if (wanted >= list.header.cases)
        die(options->names[1], "there are not so many cases");
    at = list.first;
    for (uint32_t i = 0; i <= wanted; i++)
        truth_next(&list, &at, &one);
    truth_prepare(&machine, &list);
    truth_run_fake(&machine, &one, true, &answer);
    printf("state %u, %s, changed:\n", one.state,
           guest_op_name(truth_ops[one.op % truth_op_count].op.kind));
    print_entries(machine.vendor, &one.entries);
    printf("answer of the fake processor:\n");
    for (uint32_t i = 0; i < answer.count; i++)
        printf("    %s = 0x%llx\n",
               truth_field_name(machine.vendor, answer.changes[i].field),
               (unsigned long long)answer.changes[i].value);
    free(file.bytes);
    return 0;
}

/* Whether each rule is broken alone in one of the lists, or has a reason. */
static int rules(const struct options *options)
{
    static struct truth_list list;
    static uint32_t counts[TRUTH_MAX_RULES];
    const struct truth_maker *maker = maker_of(options->cpu);
    unsigned wrong;

    for (int i = 0; i < options->name_count; i++) {
        struct truth_buffer file;

        open_list(options->names[i], &file, &list);
        if (list.header.cpu != maker->vendor->cpu)
            die(options->names[i], "is for another kind of processor");
        truth_count_rules(&list, maker, counts);
        free(file.bytes);
    }
    wrong = truth_print_rules(maker, counts, stdout);
    printf("%u rules with neither cases nor a reason, or with both\n", wrong);
    return wrong == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct options *options);
    } commands[] = {
        {"make", make}, {"check", check}, {"show", show}, {"rules", rules}};
    struct options options;

    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    options = take_options(argc - 2, argv + 2);
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(&options);
    }
    die(argv[1], "there is no such command");
}
