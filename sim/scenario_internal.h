/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the scenario reader share. */
#ifndef SIM_SCENARIO_INTERNAL_H
#define SIM_SCENARIO_INTERNAL_H

#include "lib/compiler.h"
#include "sim/machine.h"
#include "sim/scenario.h"
#include "sim/spec.h"

#define SCENARIO_WORDS 64
#define SCENARIO_LINE  1024

/* A line as words; quoted words have lost their quotes and escapes. */
struct words {
    unsigned count;
    const char *at[SCENARIO_WORDS];
    size_t length[SCENARIO_WORDS]; /* a quoted word may hold NUL bytes */
    char text[SCENARIO_LINE * 2];
};

struct scenario {
    const struct scenario_options *options;
    const struct sim_arch *arch;
    struct scenario_report *report;
    unsigned line;
    bool broken; /* the text is wrong: no more of it is run */

    char config_path[SCENARIO_LINE]; /* or the file that says it; "": none */
    struct machine_config config;
    struct machine *machine; /* NULL until the first statement needs it */
    uint64_t expected_violations;
    struct machine_spec spec; /* large: of the VMs, only those there are */
};

/* Names a vCPU: "VCPU" of the first VM, or "VM.VCPU". */
struct vcpu_name {
    vm_id vm;
    vcpu_id vcpu;
};

/* The text is wrong; an expectation is not met. */
void scenario_bad(struct scenario *s, const char *format, ...)
    PRINTF_LIKE(2, 3);
void scenario_fail(struct scenario *s, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Whether `text` is that. Not strcmp(): a fuzzer has that tell it of each
 * comparison, which takes longer than all else a reader does. */
static inline bool is_word(const char *text, const char *word)
{
    while (*text == *word && *text != '\0') {
        text++;
        word++;
    }
    return *text == *word;
}

/* Numbers: decimal, 0x, 0b, negative, with K, M or G. */
bool parse_number(const char *text, uint64_t *value);
/* The same, and a message if it is none. */
bool need_number(struct scenario *s, const char *text, uint64_t *value);

/* "key=value": the value if `word` has this key, or NULL. */
const char *value_of(const char *word, const char *key);

bool parse_vcpu_name(struct scenario *s, const char *text,
                     struct vcpu_name *name);

/* The machine, powered on by now; NULL: it could not be (which is reported). */
struct machine *need_machine(struct scenario *s);

/* Statements; words[0] is the statement's name. */
void scenario_machine(struct scenario *s, const struct words *words);
void scenario_config(struct scenario *s, const struct words *words);
void scenario_vm(struct scenario *s, const struct words *words);
void scenario_memory(struct scenario *s, const struct words *words);
void scenario_device(struct scenario *s, const struct words *words);
void scenario_affinity(struct scenario *s, const struct words *words);
void scenario_expect(struct scenario *s, const struct words *words);
void scenario_track(struct scenario *s, const struct words *words);
void scenario_expect_dirty(struct scenario *s, const struct words *words);

/* "VCPU: operation ... => expectations". */
void scenario_operation(struct scenario *s, const struct words *words);

/* Compares a result with the words from `first` on. */
void check_result(struct scenario *s, const struct words *words, unsigned first,
                  const struct vcpu_name *name);

/* An operation from the words [first, end). */
bool parse_operation(struct scenario *s, const struct words *words,
                     unsigned first, unsigned end, struct guest_op *op);

#endif
