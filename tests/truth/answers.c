/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what the image has printed: a line for each case, among whatever else
 * the console has shown.
 *
 *     = CASE FIELD=VALUE... *CHECKSUM
 *     end CASES *CHECKSUM
 *
 * CASE and CASES are decimal, the others hexadecimal; the checksum is the
 * CRC-32 of what is before the space in front of it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/truth/host.h"

struct reading {
    struct truth_answers *answers;
    uint32_t cases;
    bool *seen;
    char *wrong;
    unsigned line;
};

static bool fail(struct reading *reading, const char *what)
{
    snprintf(reading->wrong, 128, "line %u: %s", reading->line, what);
    return false;
}

/* Whether the line ends with its checksum, which is then cut off. */
static bool take_checksum(char *line)
{
    char *mark = strrchr(line, '*');
    uint32_t checksum;
    char rest;

    if (mark == NULL || mark == line || mark[-1] != ' ' ||
        sscanf(mark, "*%8" SCNx32 "%c", &checksum, &rest) != 1)
        return false;
    mark[-1] = '\0';
    return checksum == truth_checksum(0, line, strlen(line));
}

/* The changes of one line. */
static bool read_changes(struct reading *reading, char *text,
                         struct truth_some *some)
{
    static struct truth_entry changes[TRUTH_MAX_CHANGES];
    char *end;

    some->count = 0;
    while (*text == ' ') {
        unsigned long field = strtoul(text + 1, &end, 16);

        if (end == text + 1 || *end != '=' || field > UINT16_MAX ||
            some->count == TRUTH_MAX_CHANGES)
            return fail(reading, "this is no change of a field");
        text = end + 1;
        changes[some->count].field = (uint16_t)field;
        changes[some->count++].value = strtoull(text, &end, 16);
        if (end == text)
            return fail(reading, "a field has no value");
        text = end;
    }
    if (*text != '\0')
        return fail(reading, "there is something behind the changes");
    some->changes = malloc((some->count + 1) * sizeof(*changes));
    if (some->changes == NULL)
        abort();
    memcpy(some->changes, changes, some->count * sizeof(*changes));
    return true;
}

static bool read_answer(struct reading *reading, char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    struct truth_some *some;

    if (end == text || number >= reading->cases)
        return fail(reading, "there is no such case");
    if (reading->seen[number])
        return fail(reading, "a case has two answers");
    reading->seen[number] = true;
    some = &reading->answers->answers[number];
    return read_changes(reading, end, some);
}

static bool read_line(struct reading *reading, char *line)
{
    static const char answer[] = "= ";

    reading->line++;
    if (strncmp(line, answer, sizeof(answer) - 1) != 0)
        return true;
    if (!take_checksum(line))
        return fail(reading, "the checksum is wrong");
    return read_answer(reading, line + sizeof(answer) - 1);
}

static bool read_lines(struct reading *reading, char *text)
{
    while (text != NULL && *text != '\0') {
        char *next = strchr(text, '\n');
        size_t length;

        if (next != NULL)
            *next++ = '\0';
        length = strlen(text);
        if (length > 0 && text[length - 1] == '\r')
            text[length - 1] = '\0';
        if (!read_line(reading, text))
            return false;
        text = next;
    }
    for (uint32_t i = 0; i < reading->cases; i++) {
        if (!reading->seen[i]) {
            snprintf(reading->wrong, 128, "case %" PRIu32 " has no answer", i);
            return false;
        }
    }
    return true;
}

bool truth_read_answers(const char *text, size_t size, uint32_t cases,
                        struct truth_answers *answers, char wrong[128])
{
    struct reading reading = {
        .answers = answers, .cases = cases, .wrong = wrong};
    char *copy = malloc(size + 1);
    bool ok;

    answers->count = cases;
    answers->answers = calloc(cases + 1, sizeof(*answers->answers));
    reading.seen = calloc(cases + 1, sizeof(*reading.seen));
    if (copy == NULL || answers->answers == NULL || reading.seen == NULL)
        abort();
    for (size_t i = 0; i < size; i++)
        copy[i] = text[i] != '\0' ? text[i] : '?';
    copy[size] = '\0';
    ok = read_lines(&reading, copy);
    free(copy);
    free(reading.seen);
    if (!ok)
        truth_free_answers(answers);
    return ok;
}

void truth_free_answers(struct truth_answers *answers)
{
    for (uint32_t i = 0; i < answers->count; i++)
        free(answers->answers[i].changes);
    free(answers->answers);
    answers->answers = NULL;
    answers->count = 0;
}
