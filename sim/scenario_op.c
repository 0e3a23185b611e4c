/* SPDX-License-Identifier: Apache-2.0 */
/* Guest operations in scenarios: "VCPU: store1 0x10000000 0x41 => retired". */
#include <stdio.h>
#include <string.h>

#include "sim/console.h"
#include "sim/scenario_internal.h"

/* The words of one operation while it is read. */
struct op_reader {
    struct scenario *s;
    const struct words *words;
    unsigned next, end;
    struct guest_op *op;
};

/* The next word, or NULL. */
static const char *take(struct op_reader *reader)
{
    return reader->next < reader->end ? reader->words->at[reader->next++]
                                      : NULL;
}

static bool take_number(struct op_reader *reader, uint64_t *value)
{
    const char *word = take(reader);

    if (word == NULL) {
        scenario_bad(reader->s, "a number is missing");
        return false;
    }
    return need_number(reader->s, word, value);
}

static bool take_register(struct op_reader *reader)
{
    const char *word = take(reader);

    if (word != NULL && parse_register(word, &reader->op->reg))
        return true;
    scenario_bad(reader->s, "a register is missing");
    return false;
}

/* Words that change how an access is made, and its register. */
static bool read_modifiers(struct op_reader *reader)
{
    struct guest_op *op = reader->op;
    const char *word;

    while ((word = take(reader)) != NULL) {
        if (strcmp(word, "compressed") == 0)
            op->flags |= OP_COMPRESSED;
        else if (strcmp(word, "fp") == 0)
            op->flags |= OP_FP_REG;
        else if (strcmp(word, "signed") == 0)
            op->flags |= OP_SIGNED;
        else if (strcmp(word, "nofetch") == 0)
            op->flags |= OP_NO_FETCH;
        else if (!parse_register(word, &op->reg)) {
            scenario_bad(reader->s, "what is '%.40s'?", word);
            return false;
        }
    }
    return true;
}

static bool read_load(struct op_reader *reader)
{
    return take_number(reader, &reader->op->address) && read_modifiers(reader);
}

static bool read_store(struct op_reader *reader)
{
    reader->op->flags |= OP_HAS_VALUE;
    return take_number(reader, &reader->op->address) &&
           take_number(reader, &reader->op->value) && read_modifiers(reader);
}

static bool read_address(struct op_reader *reader)
{
    return take_number(reader, &reader->op->address);
}

static bool read_csr(struct op_reader *reader)
{
    const char *word = take(reader);

    if (word == NULL || !parse_csr(word, &reader->op->number)) {
        scenario_bad(reader->s, "a CSR is missing, or not known");
        return false;
    }
    if (reader->op->kind != OP_CSR_READ) {
        reader->op->flags |= OP_HAS_VALUE;
        if (!take_number(reader, &reader->op->value))
            return false;
    }
    return read_modifiers(reader);
}

/* ecall EXTENSION [FUNCTION [a0 to a5]] */
static bool read_ecall(struct op_reader *reader)
{
    const char *word = take(reader);

    if (word == NULL || !parse_extension(word, &reader->op->args[7])) {
        scenario_bad(reader->s, "an SBI extension is missing");
        return false;
    }
    if (reader->next < reader->end &&
        !take_number(reader, &reader->op->args[6]))
        return false;
    for (unsigned i = 0; i < 6 && reader->next < reader->end; i++) {
        if (!take_number(reader, &reader->op->args[i]))
            return false;
    }
    return true;
}

static bool read_register_value(struct op_reader *reader)
{
    return take_register(reader) && take_number(reader, &reader->op->value);
}

static bool read_value(struct op_reader *reader)
{
    return take_number(reader, &reader->op->value);
}

static bool read_bits(struct op_reader *reader)
{
    uint64_t bits;

    if (!take_number(reader, &bits))
        return false;
    reader->op->number = (uint32_t)bits;
    return true;
}

static bool read_nothing(struct op_reader *reader)
{
    return read_modifiers(reader);
}

/* exit CAUSE [stval=N] [htval=N] [htinst=N] [insn=N] */
static bool read_raw_exit(struct op_reader *reader)
{
    static const char *const keys[] = {NULL, "stval", "htval", "htinst",
                                       "insn"};
    const char *word = take(reader);

    if (word == NULL || !parse_cause(word, &reader->op->args[0])) {
        scenario_bad(reader->s, "a cause is missing, or not known");
        return false;
    }
    while ((word = take(reader)) != NULL) {
        unsigned i = 1;

        while (i < ARRAY_SIZE(keys) && value_of(word, keys[i]) == NULL)
            i++;
        if (i == ARRAY_SIZE(keys)) {
            scenario_bad(reader->s, "exit: what is '%.40s'?", word);
            return false;
        }
        if (!need_number(reader->s, value_of(word, keys[i]),
                         &reader->op->args[i]))
            return false;
    }
    reader->op->number = (uint32_t)reader->op->args[ARRAY_SIZE(keys) - 1];
    return true;
}

/* By kind: how its operands are read, and whether its name ends in a width. */
static const struct {
    bool (*read)(struct op_reader *reader);
    bool has_width;
} readers[OP_KIND_COUNT] = {
    [OP_LOAD] = {read_load, true},
    [OP_STORE] = {read_store, true},
    [OP_LR] = {read_load, true},
    [OP_SC] = {read_store, true},
    [OP_AMO] = {read_store, true},
    [OP_FETCH] = {read_address, false},
    [OP_CSR_READ] = {read_csr, false},
    [OP_CSR_WRITE] = {read_csr, false},
    [OP_CSR_SET] = {read_csr, false},
    [OP_CSR_CLEAR] = {read_csr, false},
    [OP_ECALL] = {read_ecall, false},
    [OP_WFI] = {read_nothing, false},
    [OP_EBREAK] = {read_nothing, false},
    [OP_SRET] = {read_nothing, false},
    [OP_SFENCE] = {read_nothing, false},
    [OP_FENCE_I] = {read_nothing, false},
    [OP_FP] = {read_register_value, false},
    [OP_VECTOR] = {read_register_value, false},
    [OP_FP_READ] = {take_register, false},
    [OP_VECTOR_READ] = {take_register, false},
    [OP_INSN] = {read_bits, false},
    [OP_HYPERVISOR] = {read_nothing, false},
    [OP_SET_REG] = {read_register_value, false},
    [OP_SET_PC] = {read_address, false},
    [OP_USER_MODE] = {read_nothing, false},
    [OP_SUPERVISOR_MODE] = {read_nothing, false},
    [OP_DELAY] = {read_value, false},
    [OP_RAW_EXIT] = {read_raw_exit, false},
};

/* The kind that `word` names, its width included; OP_KIND_COUNT: none. */
static enum guest_op_kind find_kind(const char *word, uint8_t *width)
{
    for (unsigned kind = 0; kind < OP_KIND_COUNT; kind++) {
        const char *name = guest_op_name((enum guest_op_kind)kind);
        size_t length = strlen(name);
        char digit;

        if (strncmp(word, name, length) != 0)
            continue;
        digit = word[length];
        if (!readers[kind].has_width) {
            if (digit == '\0')
                return (enum guest_op_kind)kind;
        } else if (digit != '\0' && strchr("1248", digit) != NULL &&
                   word[length + 1] == '\0') {
            *width = (uint8_t)(digit - '0');
            return (enum guest_op_kind)kind;
        }
    }
    return OP_KIND_COUNT;
}

bool parse_operation(struct scenario *s, const struct words *words,
                     unsigned first, unsigned end, struct guest_op *op)
{
    struct op_reader reader = {s, words, first, end, op};
    const char *word = take(&reader);
    enum guest_op_kind kind = OP_KIND_COUNT;

    *op = (struct guest_op){.reg = OP_DEFAULT_REG};
    if (word != NULL)
        kind = find_kind(word, &op->width);
    if (kind == OP_KIND_COUNT) {
        scenario_bad(s, "no operation is called '%.40s'",
                     word != NULL ? word : "");
        return false;
    }
    op->kind = (uint8_t)kind;
    if (!readers[kind].read(&reader))
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
    for (unsigned i = 1; i < words->count && strcmp(words->at[i], "=>") != 0;
         i++)
        printf(" %s", words->at[i]);
    printf("  -> %s value 0x%llx exits %u", guest_outcome_name(result->outcome),
           (unsigned long long)result->value, result->exits);
    if (result->outcome == OUTCOME_EXCEPTION)
        printf(" %s tval 0x%llx", cause_name(result->cause),
               (unsigned long long)result->tval);
    printf("\n");
}

static unsigned find_arrow(const struct words *words)
{
    unsigned i = 1;

    while (i < words->count && strcmp(words->at[i], "=>") != 0)
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
