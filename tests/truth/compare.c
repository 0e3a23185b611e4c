/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares what a machine has answered with what the fake processor does. A
 * difference is one field of one case; a departure from the manual that is
 * known (departures*.c) may explain it.
 */
#include <string.h>

#include "tests/truth/host.h"

#define NOT_FOUND UINT32_MAX

static uint32_t find(const struct truth_entry *changes, uint32_t count,
                     uint16_t field)
{
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].field == field)
            return i;
    }
    return NOT_FOUND;
}

static uint64_t after(const struct truth_entry *changes, uint32_t count,
                      uint16_t field, uint64_t before)
{
    uint32_t i = find(changes, count, field);

    return i == NOT_FOUND ? before : changes[i].value;
}

uint64_t truth_before(const struct truth_difference *difference, uint16_t field)
{
    const struct truth_machine *machine = difference->machine;
    const struct truth_field *row = truth_field(machine->vendor, field);

    return row != NULL ? machine->vendor->get(machine, row) : 0;
}

uint64_t truth_fake(const struct truth_difference *difference, uint16_t field)
{
    return after(difference->fake->changes, difference->fake->count, field,
                 truth_before(difference, field));
}

uint64_t truth_real(const struct truth_difference *difference, uint16_t field)
{
    return after(difference->real->changes, difference->real->count, field,
                 truth_before(difference, field));
}

const char *truth_field_name(const struct truth_vendor *vendor, uint16_t field)
{
    static char name[32];
    const struct truth_field *row = truth_field(vendor, field);

    if (row != NULL)
        return row->name;
    if (field >= TRUTH_PAGE)
        snprintf(name, sizeof(name), "page %u", field - TRUTH_PAGE);
    else
        snprintf(name, sizeof(name), "%s",
                 field == TRUTH_FAIL ? "VMfail" : "field ?");
    return name;
}

static int explanation(const struct truth_departures *departures,
                       const struct truth_difference *difference)
{
    for (unsigned i = 0; i < departures->count; i++) {
        if (departures->rows[i].explains != NULL &&
            departures->rows[i].explains(difference))
            return (int)i;
    }
    return -1;
}

struct comparing {
    const struct truth_departures *departures;
    unsigned show;
    FILE *out;
    struct truth_result *result;
    uint32_t number; /* of the case */
};

/* What one run of a case has come to. */
struct outcome {
    uint32_t differences, unexplained;
    uint32_t explained[TRUTH_MAX_DEPARTURES];
};

static void print(const struct comparing *comparing,
                  const struct truth_difference *difference)
{
    const struct truth_case *one = difference->one;
    const struct truth_list *list = difference->machine->list;

    fprintf(comparing->out, "case %u (state %u, op %u", comparing->number,
            one->state, one->op);
    if (one->rule != TRUTH_NO_RULE)
        fprintf(comparing->out, ", %.*s", list->rules[one->rule].size,
                (const char *)list->rules[one->rule].name);
    fprintf(comparing->out, "): %s: fake 0x%llx, machine 0x%llx\n",
            truth_field_name(difference->machine->vendor, difference->field),
            (unsigned long long)difference->expected,
            (unsigned long long)difference->found);
}

static void differs(const struct comparing *comparing,
                    struct truth_difference *difference, uint16_t field,
                    unsigned show, struct outcome *outcome)
{
    int by;

    difference->field = field;
    difference->expected = truth_fake(difference, field);
    difference->found = truth_real(difference, field);
    if (difference->expected == difference->found)
        return;
    outcome->differences++;
    by = explanation(comparing->departures, difference);
    if (by >= 0)
        outcome->explained[by]++;
    else if (outcome->unexplained++ < show)
        print(comparing, difference);
}

static struct outcome compare_answers(const struct comparing *comparing,
                                      struct truth_difference *difference,
                                      unsigned show)
{
    const struct truth_answer *fake = difference->fake;
    const struct truth_some *real = difference->real;
    struct outcome outcome = {0};

    for (uint32_t i = 0; i < fake->count; i++)
        differs(comparing, difference, fake->changes[i].field, show, &outcome);
    for (uint32_t i = 0; i < real->count; i++) {
        uint16_t field = real->changes[i].field;

        if (find(fake->changes, fake->count, field) == NOT_FOUND)
            differs(comparing, difference, field, show, &outcome);
    }
    return outcome;
}

/* What departures make of the state that is about to be entered. */
static struct {
    const struct truth_departures *departures;
    bool applied[TRUTH_MAX_DEPARTURES];
} adjusting;

static void adjust(struct truth_machine *machine)
{
    for (unsigned i = 0; i < adjusting.departures->count; i++) {
        const struct truth_departure *row = &adjusting.departures->rows[i];

        if (row->adjust != NULL && row->adjust(machine))
            adjusting.applied[i] = true;
    }
}

static bool is_of_rule(const struct truth_departure *row,
                       const struct truth_list *list,
                       const struct truth_case *one)
{
    return row->rule != NULL && one->rule != TRUTH_NO_RULE &&
           truth_is_rule(list, one->rule, row->rule);
}

/* The fake processor's answer if it departs as the machine does. */
static bool run_adjusted(const struct comparing *comparing,
                         struct truth_machine *machine,
                         const struct truth_case *one,
                         struct truth_answer *answer)
{
    bool checks = true, any = false;

    memset(&adjusting, 0, sizeof(adjusting));
    adjusting.departures = comparing->departures;
    for (unsigned i = 0; i < comparing->departures->count; i++) {
        const struct truth_departure *row = &comparing->departures->rows[i];

        if (is_of_rule(row, machine->list, one) &&
            (row->when == NULL || row->when(machine))) {
            adjusting.applied[i] = true;
            checks = false;
        }
    }
    machine->before_entry = adjust;
    truth_run_fake(machine, one, checks, answer);
    machine->before_entry = NULL;
    for (unsigned i = 0; i < comparing->departures->count; i++)
        any |= adjusting.applied[i];
    return any;
}

static void add(struct truth_result *result, const struct outcome *outcome,
                const bool *applied)
{
    result->differences += outcome->differences;
    result->unexplained += outcome->unexplained;
    for (unsigned i = 0; i < TRUTH_MAX_DEPARTURES; i++)
        result->explained[i] +=
            outcome->explained[i] + (applied != NULL && applied[i]);
}

static void compare_case(struct comparing *comparing,
                         struct truth_machine *machine,
                         const struct truth_case *one,
                         const struct truth_some *real)
{
    static struct truth_answer plain, adjusted;
    struct truth_result *result = comparing->result;
    struct truth_difference difference = {
        .machine = machine, .one = one, .fake = &plain, .real = real};
    struct outcome outcome;
    bool *applied = NULL;
    unsigned show = result->unexplained < comparing->show
                        ? comparing->show - result->unexplained
                        : 0;

    truth_run_fake(machine, one, true, &plain);
    truth_set_up(machine, one);
    outcome = compare_answers(comparing, &difference, 0);
    if (outcome.unexplained != 0) {
        if (run_adjusted(comparing, machine, one, &adjusted)) {
            difference.fake = &adjusted;
            applied = adjusting.applied;
        }
        truth_set_up(machine, one);
        outcome = compare_answers(comparing, &difference, show);
    }
    add(result, &outcome, applied);
}

static void count_case(struct truth_result *result,
                       const struct truth_case *one)
{
    result->cases++;
    result->by_kind[one->kind]++;
    if (one->rule != TRUTH_NO_RULE)
        result->by_rule[one->rule]++;
}

void truth_compare(const struct truth_list *list,
                   const struct truth_answers *answers,
                   const struct truth_departures *departures, unsigned show,
                   FILE *out, struct truth_result *result)
{
    static struct truth_machine machine;
    struct comparing comparing = {
        .departures = departures, .show = show, .out = out, .result = result};
    uint32_t at = list->first;

    *result = (struct truth_result){0};
    truth_prepare(&machine, list);
    for (uint32_t i = 0; i < list->header.cases; i++) {
        struct truth_case one;

        truth_next(list, &at, &one);
        count_case(result, &one);
        comparing.number = i;
        compare_case(&comparing, &machine, &one, &answers->answers[i]);
    }
}
