/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is an architecture's own in the language of scenarios: names, and what
 * operations look like. sim/<arch>/scenario.c has one of these each.
 */
#ifndef SIM_SCENARIO_LANGUAGE_H
#define SIM_SCENARIO_LANGUAGE_H

#include "sim/scenario_internal.h"

/* The words of one operation while it is read. */
struct op_reader {
    struct scenario *s;
    const struct words *words;
    unsigned next, end;
    struct guest_op *op;
};

/* An operation; its name is guest_op_name()'s, and a width if it has one. */
struct op_syntax {
    uint8_t kind;
    bool has_width;
    bool (*read)(struct op_reader *reader);
};

struct scenario_language {
    /* A general register, an exception; false: none. */
    bool (*parse_register)(const char *text, uint8_t *reg);
    bool (*parse_cause)(const char *text, uint64_t *cause);
    /* A register of another kind, by its name; false: there is none. May be
     * NULL. */
    bool (*read_register)(const struct vcpu *vcpu, const char *name,
                          uint64_t *value);
    /* A number where there is no name. */
    const char *(*cause_name)(uint64_t cause);
    /* "interrupt=TEXT": whether it is what the guest has taken; *known: the
     * text names interrupts, or none. */
    bool (*took)(const struct guest_result *result, const char *text,
                 bool *known);
    uint8_t default_reg; /* of accesses that name none */
    const struct op_syntax *ops;
    unsigned op_count;
};

/* What operations are read with; false after a message. take() gives the next
 * word, or NULL. */
const char *op_take(struct op_reader *reader);
bool op_take_number(struct op_reader *reader, uint64_t *value);
bool op_take_register(struct op_reader *reader);
/* Words that change how an access is made, and its register: up to the end. */
bool op_read_modifiers(struct op_reader *reader);

bool op_read_load(struct op_reader *reader);    /* address, modifiers */
bool op_read_store(struct op_reader *reader);   /* address, value, modifiers */
bool op_read_address(struct op_reader *reader); /* address */
bool op_read_value(struct op_reader *reader);   /* value */
bool op_read_number(struct op_reader *reader);  /* number */
bool op_read_set(struct op_reader *reader);     /* reg, value */

/* A raw exit: its cause, then KEY=N of `keys`, for args[1] on. */
bool op_read_raw_exit(struct op_reader *reader,
                      bool (*parse_cause)(const char *text, uint64_t *cause),
                      const char *const *keys, unsigned count);

/* A table of names. */
struct scenario_name {
    const char *name;
    uint64_t value;
};

bool scenario_find_name(const struct scenario_name *names, size_t count,
                        const char *text, uint64_t *value);
/* The value's name, or it as a number, until the next call. */
const char *scenario_name_of(const struct scenario_name *names, size_t count,
                             uint64_t value);

#endif
