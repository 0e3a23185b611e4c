/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scenario reader: lines into words, words to the statement's function,
 * which does what it says at once.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/recording.h"
#include "sim/scenario_internal.h"
#include "sim/sim.h"

static void add_failure(struct scenario *s, bool in_text, const char *format,
                        va_list args)
{
    struct scenario_report *report = s->report;
    struct scenario_failure *failure;

    if (report->failure_count++ >= SCENARIO_FAILURES)
        return;
    failure = &report->failures[report->failure_count - 1];
    failure->line = s->line;
    failure->in_text = in_text;
    vsnprintf(failure->message, sizeof(failure->message), format, args);
}

void scenario_bad(struct scenario *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_failure(s, true, format, args);
    va_end(args);
    s->broken = true;
}

void scenario_fail(struct scenario *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_failure(s, false, format, args);
    va_end(args);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The character behind a backslash: \n \r \t \0 \xHH, or itself. */
static const char *unescape(const char *from, const char *end, char *to)
{
    switch (*from) {
    case 'n': *to = '\n'; break;
    case 'r': *to = '\r'; break;
    case 't': *to = '\t'; break;
    case '0': *to = '\0'; break;
    case 'x':
        if (end - from < 3 || hex_digit(from[1]) < 0 || hex_digit(from[2]) < 0)
            return NULL;
        *to = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
        return from + 3;
    default: *to = *from;
    }
    return from + 1;
}

/* A quoted word; returns what follows it, or NULL: it has no end. */
static const char *read_quoted(const char *from, const char *end, char **to)
{
    from++;
    while (from < end && *from != '"') {
        if (*from == '\\' && from + 1 < end) {
            from = unescape(from + 1, end, *to);
            if (from == NULL)
                return NULL;
        } else {
            **to = *from++;
        }
        (*to)++;
    }
    return from < end ? from + 1 : NULL;
}

static const char *read_plain(const char *from, const char *end, char **to)
{
    while (from < end && !is_space(*from) && *from != '#')
        *(*to)++ = *from++;
    return from;
}

/* Splits [from, end) into words; false: it cannot be (which is reported). */
static bool split(struct scenario *s, const char *from, const char *end,
                  struct words *words)
{
    char *to = words->text;

    words->count = 0;
    if (end - from > SCENARIO_LINE) {
        scenario_bad(s, "the line is longer than %d bytes", SCENARIO_LINE);
        return false;
    }
    for (;;) {
        while (from < end && is_space(*from))
            from++;
        if (from == end || *from == '#')
            return true;
        if (words->count == SCENARIO_WORDS) {
            scenario_bad(s, "more than %d words", SCENARIO_WORDS);
            return false;
        }
        words->at[words->count] = to;
        from = *from == '"' ? read_quoted(from, end, &to)
                            : read_plain(from, end, &to);
        if (from == NULL) {
            scenario_bad(s, "a quoted text without an end, or a bad \\x");
            return false;
        }
        words->length[words->count] = (size_t)(to - words->at[words->count]);
        words->count++;
        *to++ = '\0';
    }
}

/* The configuration that the scenario's statements, or its file, describe. */
static err_t make_bundle(struct scenario *s, struct bundle *bundle)
{
    struct bundle_source source = {.path = s->config_path};
    char what[BUNDLE_WHAT_SIZE] = "";
    err_t error;

    if (s->config_path[0] == '\0') {
        s->spec.arch = s->arch;
        if (s->spec.vm_count == 0)
            s->arch->usual_vm(&s->spec.vms[s->spec.vm_count++], 1, 1);
        return spec_build(&s->spec, bundle);
    }
    error = bundle_make(&source, bundle, what);
    if (error != OK)
        scenario_bad(s, "%.200s", what);
    return error;
}

static err_t start_recording(void *context, const struct vmm_boot *boot)
{
    const struct scenario_options *options = context;

    return recording_start(boot, options->record);
}

struct machine *need_machine(struct scenario *s)
{
    struct bundle bundle;
    err_t error;

    if (s->machine == NULL && !s->broken)
        s->machine = s->options->machine;
    if (s->machine != NULL || s->broken)
        return s->machine;
    error = make_bundle(s, &bundle);
    if (error == OK) {
        s->config.arch = s->arch;
        s->config.bundle = &bundle;
        if (s->options->record != NULL) {
            s->config.before_boot = start_recording;
            s->config.context = (void *)s->options;
        }
        error = machine_create(&s->config, &s->machine);
        bundle_free(&bundle);
    }
    if (error != OK && !s->broken)
        scenario_bad(s, "the machine cannot be made: %s", error_text(error));
    return s->machine;
}

static void do_input(struct scenario *s, const struct words *words)
{
    if (words->count != 2)
        scenario_bad(s, "usage: input \"TEXT\"");
    else if (need_machine(s) != NULL &&
             console_inject(words->at[1], words->length[1]) != words->length[1])
        scenario_fail(s, "the console's input is full");
}

static void do_inject(struct scenario *s, const struct words *words)
{
    struct vcpu_name name;
    uint64_t vector;
    err_t error;

    if (words->count != 3) {
        scenario_bad(s, "usage: inject [VM.]VCPU VECTOR");
        return;
    }
    if (need_machine(s) == NULL || !parse_vcpu_name(s, words->at[1], &name) ||
        !need_number(s, words->at[2], &vector))
        return;
    /* It does not come through a seam, so a trace cannot hold it. */
    if (s->options->record != NULL) {
        scenario_bad(s, "inject: cannot be recorded");
        return;
    }
    error = machine_inject(s->machine, name.vm, name.vcpu,
                           (interrupt_vector)vector);
    if (error != OK)
        scenario_fail(s, "inject: %s", error_text(error));
}

static void do_time(struct scenario *s, const struct words *words)
{
    uint64_t nanos;

    if (words->count != 2)
        scenario_bad(s, "usage: time NANOSECONDS");
    else if (need_machine(s) != NULL && need_number(s, words->at[1], &nanos))
        clock_set_nanos(clock_nanos() + nanos);
}

static void do_run(struct scenario *s, const struct words *words)
{
    uint64_t steps = MACHINE_DO_STEPS;

    if (words->count > 2)
        scenario_bad(s, "usage: run [STEPS]");
    else if (need_machine(s) != NULL &&
             (words->count < 2 || need_number(s, words->at[1], &steps)))
        (void)machine_run(s->machine, steps);
}

static void do_fail(struct scenario *s, const struct words *words)
{
    bool forever = words->count == 4 && is_word(words->at[3], "forever");
    uint64_t nth;

    if (words->count < 3 || (words->count == 4 && !forever) || words->count > 4)
        scenario_bad(s, "usage: fail FUNCTION NTH [forever]");
    else if (need_machine(s) != NULL && need_number(s, words->at[2], &nth))
        shim_fail_nth(nth, words->at[1], forever);
}

static void do_repeat(struct scenario *s, const struct words *words);
static void do_only(struct scenario *s, const struct words *words);

static const struct {
    const char *name;
    void (*run)(struct scenario *s, const struct words *words);
} statements[] = {
    {"machine", scenario_machine},
    {"config", scenario_config},
    {"vm", scenario_vm},
    {"memory", scenario_memory},
    {"device", scenario_device},
    {"affinity", scenario_affinity},
    {"expect", scenario_expect},
    {"input", do_input},
    {"inject", do_inject},
    {"time", do_time},
    {"run", do_run},
    {"fail", do_fail},
    {"track", scenario_track},
    {"repeat", do_repeat},
    {"only", do_only},
};

static void run_words(struct scenario *s, const struct words *words)
{
    const char *name = words->at[0];
    size_t length = strlen(name);

    if (length != 0 && name[length - 1] == ':') {
        scenario_operation(s, words);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(statements); i++) {
        if (is_word(statements[i].name, name)) {
            statements[i].run(s, words);
            return;
        }
    }
    scenario_bad(s, "no statement is called '%.40s'", name);
}

/* The words from the third on. */
static struct words behind_two(const struct words *words)
{
    struct words rest = {.count = words->count - 2};

    memcpy(rest.at, words->at + 2, rest.count * sizeof(rest.at[0]));
    memcpy(rest.length, words->length + 2, rest.count * sizeof(rest.length[0]));
    return rest;
}

/* only ARCH STATEMENT */
static void do_only(struct scenario *s, const struct words *words)
{
    const struct sim_arch *arch;
    struct words rest;

    if (words->count < 3 || is_word(words->at[2], "only")) {
        scenario_bad(s, "usage: only ARCH STATEMENT");
        return;
    }
    arch = sim_arch_find(words->at[1]);
    if (arch == NULL) {
        scenario_bad(s, "no architecture is called '%.40s'", words->at[1]);
        return;
    }
    if (arch != s->arch && !is_word(words->at[1], s->arch->ops->name))
        return;
    rest = behind_two(words);
    run_words(s, &rest);
}

/* repeat COUNT STATEMENT, until one of them fails */
static void do_repeat(struct scenario *s, const struct words *words)
{
    uint32_t failures = s->report->failure_count;
    struct words rest;
    uint64_t count;

    if (words->count < 3 || is_word(words->at[2], "repeat") ||
        is_word(words->at[2], "only")) {
        scenario_bad(s, "usage: repeat COUNT STATEMENT");
        return;
    }
    if (!need_number(s, words->at[1], &count))
        return;
    rest = behind_two(words);
    while (count-- != 0 && s->report->failure_count == failures)
        run_words(s, &rest);
}

static void run_text(struct scenario *s, const char *text, const char *end)
{
    struct words words;

    while (text < end && !s->broken) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));

        if (line_end == NULL)
            line_end = end;
        s->line++;
        if (split(s, text, line_end, &words) && words.count != 0)
            run_words(s, &words);
        text = line_end < end ? line_end + 1 : end;
    }
    s->line = 0;
}

/* What every scenario expects in the end. */
static void finish(struct scenario *s)
{
    struct scenario_report *report = s->report;
    const char *mixed;

    if (s->machine == NULL)
        return;
    report->has_machine = true;
    report->exits = machine_exits(s->machine);
    report->violations = violations_count();
    if (report->violations != s->expected_violations && !s->broken)
        scenario_fail(s, "%llu violations, of which %llu were expected: %s",
                      (unsigned long long)report->violations,
                      (unsigned long long)s->expected_violations,
                      violations_last());
    if (s->options->machine != NULL)
        return;
    mixed = machine_check_isolation(s->machine);
    if (mixed != NULL)
        scenario_fail(s, "%s", mixed);
    report->leaked_frames = machine_destroy(s->machine);
    if (report->leaked_frames != 0)
        scenario_fail(s, "%llu frames have leaked",
                      (unsigned long long)report->leaked_frames);
}

bool scenario_run(const char *text, size_t size,
                  const struct scenario_options *options,
                  struct scenario_report *report)
{
    static struct scenario s; /* it is large */

    memset(&s, 0, offsetof(struct scenario, spec.vms));
    s.options = options;
    s.report = report;
    memset(report, 0, offsetof(struct scenario_report, failures));
    s.config.seed = options->seed;
    s.config.cpus = options->cpus;
    s.config.do_steps = options->do_steps;
    s.arch = options->arch != NULL ? options->arch : sim_archs[0];
    s.config.profile = options->profile;
    violations_reset();
    violations_set_print(options->verbose);
    run_text(&s, text, text + size);
    if (need_machine(&s) != NULL) {
        recording_stop(TRACE_END_STOPPED);
        finish(&s);
    }
    violations_set_print(true);
    return report->failure_count == 0;
}
