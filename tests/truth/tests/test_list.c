/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and answers as anybody may have written them; departures. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "support/rows.h"
#include "tests/truth/host.h"

static struct truth_buffer list;
static struct truth_list opened;

static void make_list(void)
{
    list = (struct truth_buffer){0};
    cr_assert(truth_set_profile(TRUTH_SVM, "qemu"));
    truth_make(&truth_maker_svm, "qemu", 7, 200, &list);
    cr_assert_null(truth_open(&opened, list.bytes, list.size));
}

static void drop_list(void)
{
    free(list.bytes);
}

TestSuite(truth, .init = make_list, .fini = drop_list);

static struct truth_header *header(void)
{
    return (struct truth_header *)(void *)list.bytes;
}

static void sign(void)
{
    header()->checksum = truth_checksum(0, list.bytes + sizeof(*header()),
                                        header()->size - sizeof(*header()));
}

static void expect_wrong(const char *what)
{
    const char *wrong;

    sign();
    wrong = truth_open(&opened, list.bytes, list.size);
    cr_assert_not_null(wrong, "%s", what);
    cr_assert_not_null(strstr(wrong, what), "%s: %s", what, wrong);
}

#define AT(field) offsetof(struct truth_header, field)

Test(truth, a_header_that_is_wrong)
{
    static const struct {
        size_t at;
        uint32_t value;
        const char *wrong;
    } rows[] = {
        {AT(magic), 1, "no list"},
        {AT(version), 99, "another version"},
        {AT(cpu), 9, "another kind"},
        {AT(size), UINT32_MAX, "cut off"},
        {AT(size), 3, "cut off"},
        {AT(pages), 0, "of no size"},
        {AT(pages), 65, "of no size"},
        {AT(pieces), 1000, "too many"},
        {AT(rules), 100000, "too many"},
        {AT(states), 0, "too many"},
        {AT(cases), 201, "cut off"},
        {AT(cases), 199, "behind the cases"},
        {AT(rules), 0, ""},
        {AT(pieces), 0, ""},
    };

    for_each_row (i, rows) {
        uint32_t before;

        memcpy(&before, list.bytes + rows[i].at, 4);
        memcpy(list.bytes + rows[i].at, &rows[i].value, 4);
        if (rows[i].at != AT(size))
            expect_wrong(rows[i].wrong);
        else
            cr_assert_not_null(strstr(
                truth_open(&opened, list.bytes, list.size), rows[i].wrong));
        memcpy(list.bytes + rows[i].at, &before, 4);
    }
}

/* Cut off anywhere, and with any byte changed, it is refused: by its checksum,
 * and behind that without harm. */
Test(truth, bytes_that_are_wrong)
{
    uint32_t size = header()->size;

    for (uint32_t at = 0; at < size; at += 97)
        cr_assert_not_null(truth_open(&opened, list.bytes, at));
    for (uint32_t at = sizeof(*header()); at < size; at += 41) {
        list.bytes[at] ^= 0xff;
        cr_assert_not_null(truth_open(&opened, list.bytes, list.size));
        sign();
        (void)truth_open(&opened, list.bytes, list.size);
        list.bytes[at] ^= 0xff;
    }
}

/* A list says the same however often it is made. */
Test(truth, the_same_again)
{
    struct truth_buffer again = {0};

    cr_assert(truth_set_profile(TRUTH_SVM, "qemu"));
    truth_make(&truth_maker_svm, "qemu", 7, 200, &again);
    cr_assert_eq(again.size, list.size);
    cr_assert_eq(memcmp(again.bytes, list.bytes, list.size), 0);
    free(again.bytes);
}

/* Where a line ends with '*', adds what belongs there. */
static void add_checksums(const char *from, char *to, size_t size)
{
    size_t used = 0;

    for (; *from != '\0'; from += strcspn(from, "\n") + 1) {
        size_t length = strcspn(from, "\n");

        used +=
            (size_t)snprintf(to + used, size - used, "%.*s", (int)length, from);
        if (from[length - 1] == '*')
            used += (size_t)snprintf(to + used, size - used, "%08x",
                                     truth_checksum(0, from, length - 2));
        used += (size_t)snprintf(to + used, size - used, "\n");
    }
    to[used] = '\0';
}

Test(truth, answers_that_are_wrong)
{
    static const struct {
        const char *text, *wrong;
    } rows[] = {
        {"", "case 0 has no answer"},
        {"= 0 70=78 *00000000\n", "line 1: the checksum is wrong"},
        {"hello\n= 0 70=78\n", "line 2: the checksum is wrong"},
        {"= 9 70=78 *\n", "line 1: there is no such case"},
        {"= 0 70=78 *\n= 0 70=78 *\n", "line 2: a case has two answers"},
        {"= 0 nonsense *\n", "no change"},
        {"= 0 70= *\n", "no value"},
        {"= 0 70=78 and more *\n", "no change"},
    };

    for_each_row (i, rows) {
        struct truth_answers answers;
        char wrong[128] = "", text[256];

        add_checksums(rows[i].text, text, sizeof(text));
        cr_assert_not(
            truth_read_answers(text, strlen(text), 1, &answers, wrong),
            "row %zu", i);
        cr_assert_not_null(strstr(wrong, rows[i].wrong), "row %zu: %s", i,
                           wrong);
    }
}

/* A machine that answers as the fake processor does, and one that departs in
 * one field, which nothing explains. */
Test(truth, what_differs)
{
    static const struct truth_departures none = {.machine = "none"};
    static struct truth_machine machine;
    static struct truth_answer answer;
    struct truth_answers answers = {.count = 200};
    struct truth_result result;
    FILE *sink = fopen("/dev/null", "w");
    uint32_t at = opened.first;

    answers.answers = calloc(200, sizeof(*answers.answers));
    truth_prepare(&machine, &opened);
    for (uint32_t i = 0; i < 200; i++) {
        struct truth_case one;
        size_t size;

        truth_next(&opened, &at, &one);
        truth_run_fake(&machine, &one, true, &answer);
        size = answer.count * sizeof(*answer.changes);
        answers.answers[i].count = answer.count;
        answers.answers[i].changes = malloc(size + 1);
        memcpy(answers.answers[i].changes, answer.changes, size);
    }
    truth_compare(&opened, &answers, &none, 0, sink, &result);
    cr_assert_eq(result.cases, 200);
    cr_assert_eq(result.differences, 0);
    answers.answers[17].changes[0].value ^= 1;
    truth_compare(&opened, &answers, &none, 0, sink, &result);
    cr_assert_eq(result.differences, 1);
    cr_assert_eq(result.unexplained, 1);
    truth_free_answers(&answers);
    fclose(sink);
}
