/* SPDX-License-Identifier: Apache-2.0 */
/* Violations: see violation.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/compiler.h"
#include "sim/fake_hw/violation.h"

#define VIOLATIONS_PRINTED 20

static struct {
    uint64_t counts[RULE_COUNT];
    uint64_t count;
    char last[256];
} violations;

static bool violations_print = true;
static bool violations_fatal;
static bool violations_ignored;

static const struct {
    const char *name, *text;
} rules[RULE_COUNT] = {
#define X(rule, name, text) {name, text},
    VIOLATION_RULES(X)
#undef X
#define X(rule, name, section, failure, text) {name, text},
        VMX_RULES(X)
#undef X
};

void violations_reset(void)
{
    if (violations.count != 0)
        memset(&violations, 0, sizeof(violations));
}

void violations_set_print(bool print)
{
    violations_print = print;
}

void violations_set_fatal(bool fatal)
{
    violations_fatal = fatal;
}

void violations_set_ignored(bool ignored)
{
    violations_ignored = ignored;
}

void violation(enum violation_rule rule, const char *format, ...)
{
    char *text = violations.last;
    size_t size = sizeof(violations.last);
    va_list args;
    int used;

    if (violations_ignored)
        return;
    used = snprintf(text, size, "%s: ", violation_rule_name(rule));
    va_start(args, format);
    vsnprintf(text + used, size - (size_t)used, format, args);
    va_end(args);
    violations.counts[rule]++;
    violations.count++;
    if (violations_print && violations.count <= VIOLATIONS_PRINTED)
        fprintf(stderr, "twinax: violation: %s (%s)\n", text,
                violation_rule_text(rule));
    if (violations_fatal)
        abort();
}

uint64_t violations_count(void)
{
    return violations.count;
}

uint64_t violations_of(enum violation_rule rule)
{
    return violations.counts[rule];
}

const char *violations_last(void)
{
    return violations.last;
}

const char *violation_rule_name(enum violation_rule rule)
{
    return (unsigned)rule < RULE_COUNT ? rules[rule].name : "?";
}

const char *violation_rule_text(enum violation_rule rule)
{
    return (unsigned)rule < RULE_COUNT ? rules[rule].text : "?";
}
