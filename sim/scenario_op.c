/* SPDX-License-Identifier: Apache-2.0 */
/* Guest operations in scenarios: "VCPU: store1 0x10000000 0x41 => retired". */
#include <stdio.h>
#include <string.h>

#include "sim/console.h"
#include "sim/scenario_language.h"

static const struct scenario_language *
language_of(const struct op_reader *reader)
{
    return reader->s->arch->language;
}

const char *op_take(struct op_reader *reader)
{
    return reader->next < reader->end ? reader->words->at[reader->next++]
                                      : NULL;
}

bool op_take_number(struct op_reader *reader, uint64_t *value)
{
    const char *word = op_take(reader);

    if (word == NULL) {
        scenario_bad(reader->s, "a number is missing");
        return false;
    }
    return need_number(reader->s, word, value);
}

bool op_take_register(struct op_reader *reader)
{
    const char *word = op_take(reader);

    if (word != NULL &&
        language_of(reader)->parse_register(word, &reader->op->reg))
        return true;
    scenario_bad(reader->s, "a register is missing");
    return false;
}

bool op_read_modifiers(struct op_reader *reader)
{
    struct guest_op *op = reader->op;
    const char *word;

    while ((word = op_take(reader)) != NULL) {
        if (is_word(word, "compressed"))
            op->flags |= OP_COMPRESSED;
        else if (is_word(word, "fp"))
            op->flags |= OP_FP_REG;
        else if (is_word(word, "signed"))
            op->flags |= OP_SIGNED;
        else if (is_word(word, "nofetch"))
            op->flags |= OP_NO_FETCH;
        else if (!language_of(reader)->parse_register(word, &op->reg)) {
            scenario_bad(reader->s, "what is '%.40s'?", word);
            return false;
        }
    }
    return true;
}

bool op_read_load(struct op_reader *reader)
{
    return op_take_number(reader, &reader->op->address) &&
           op_read_modifiers(reader);
}

bool op_read_store(struct op_reader *reader)
{
    reader->op->flags |= OP_HAS_VALUE;
    return op_take_number(reader, &reader->op->address) &&
           op_take_number(reader, &reader->op->value) &&
           op_read_modifiers(reader);
}

bool op_read_address(struct op_reader *reader)
{
    return op_take_number(reader, &reader->op->address);
}

bool op_read_set(struct op_reader *reader)
{
    return op_take_register(reader) &&
           op_take_number(reader, &reader->op->value);
}

bool op_read_value(struct op_reader *reader)
{
    return op_take_number(reader, &reader->op->value);
}

bool op_read_number(struct op_reader *reader)
{
    uint64_t bits;

    if (!op_take_number(reader, &bits))
        return false;
    reader->op->number = (uint32_t)bits;
    return true;
}

bool op_read_raw_exit(struct op_reader *reader,
                      bool (*parse_cause)(const char *text, uint64_t *cause),
                      const char *const *keys, unsigned count)
{
    const char *word = op_take(reader);

    if (word == NULL || !parse_cause(word, &reader->op->args[0])) {
        scenario_bad(reader->s, "a cause is missing, or not known");
        return false;
    }
    while ((word = op_take(reader)) != NULL) {
        unsigned i = 0;

        while (i < count && value_of(word, keys[i]) == NULL)
            i++;
        if (i == count) {
            scenario_bad(reader->s, "exit: what is '%.40s'?", word);
            return false;
        }
        if (!need_number(reader->s, value_of(word, keys[i]),
                         &reader->op->args[1 + i]))
            return false;
    }
    return true;
}

/* Whether `word` is the operation's name, its width included. */
static bool is_named(const struct op_syntax *syntax, const char *word,
                     uint8_t *width)
{
    const char *name = guest_op_name(syntax->kind);

    while (*name != '\0' && *word == *name) {
        word++;
        name++;
    }
    if (*name != '\0')
        return false;
    if (!syntax->has_width)
        return *word == '\0';
    if (*word == '\0' || strchr("1248", *word) == NULL || word[1] != '\0')
        return false;
    *width = (uint8_t)(*word - '0');
    return true;
}

/* NULL: the architecture has none of that name. */
static const struct op_syntax *
find_operation(const struct scenario_language *language, const char *word,
               uint8_t *width)
{
    for (unsigned i = 0; i < language->op_count; i++) {
        if (is_named(&language->ops[i], word, width))
            return &language->ops[i];
    }
    return NULL;
}

bool parse_operation(struct scenario *s, const struct words *words,
                     unsigned first, unsigned end, struct guest_op *op)
{
    struct op_reader reader = {s, words, first, end, op};
    const char *word = op_take(&reader);
    const struct op_syntax *syntax = NULL;

    *op = (struct guest_op){.reg = s->arch->language->default_reg};
    if (word != NULL)
        syntax = find_operation(s->arch->language, word, &op->width);
    if (syntax == NULL) {
        scenario_bad(s, "no operation is called '%.40s'",
                     word != NULL ? word : "");
        return false;
    }
    op->kind = syntax->kind;
    if (!syntax->read(&reader))
        return false;
    if (reader.next != reader.end) {
        scenario_bad(s, "'%.40s' is too much", words->at[reader.next]);
        return false;
    }
    return true;
}

static void print_operation(const struct scenario *s,
                            const struct vcpu_name *name,
                            const struct words *words,
                            const struct guest_result *result)
{
    printf("%4u  %u.%u ", s->line, name->vm, name->vcpu);
    for (unsigned i = 1; i < words->count && !is_word(words->at[i], "=>"); i++)
        printf(" %s", words->at[i]);
    printf("  -> %s value 0x%llx exits %u", guest_outcome_name(result->outcome),
           (unsigned long long)result->value, result->exits);
    if (result->outcome == OUTCOME_EXCEPTION)
        printf(" %s tval 0x%llx", s->arch->language->cause_name(result->cause),
               (unsigned long long)result->tval);
    printf("\n");
}

static unsigned find_arrow(const struct words *words)
{
    unsigned i = 1;

    while (i < words->count && !is_word(words->at[i], "=>"))
        i++;
    return i;
}

void scenario_operation(struct scenario *s, const struct words *words)
{
    unsigned arrow = find_arrow(words);
    struct guest_result result;
    struct vcpu_name name;
    struct guest_op op;
    err_t error;

    if (need_machine(s) == NULL || !parse_vcpu_name(s, words->at[0], &name) ||
        !parse_operation(s, words, 1, arrow, &op))
        return;
    error = machine_do(s->machine, name.vm, name.vcpu, &op, &result);
    if (error == ERR_BUSY) {
        scenario_fail(s, "%u.%u has not done its operation before", name.vm,
                      name.vcpu);
        return;
    }
    if (error != OK) {
        scenario_bad(s, "there is no vCPU %u.%u; the console says \"%.160s\"",
                     name.vm, name.vcpu, console_output(NULL));
        return;
    }
    s->report->operations++;
    if (s->options->verbose)
        print_operation(s, &name, words, &result);
    check_result(s, words, arrow + 1, &name);
}
