/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of the process: making a list, performing it on fake hardware, and comparing
 * the answers with a machine's.
 */
#ifndef TESTS_TRUTH_HOST_H
#define TESTS_TRUTH_HOST_H

#include <stdio.h>

#include "sim/fake_hw/profile.h"
#include "tests/truth/run.h"

/* layout.c: what is in the guest's memory. ------------------------------- */

#define LAYOUT_PAGES 24

enum layout {
    LAYOUT_IVT = 0x0000,
    LAYOUT_CODE = 0x1000,
    LAYOUT_DATA = 0x2000,
    LAYOUT_STACK = 0x4000, /* RSP; the page below is its */
    LAYOUT_IDT32 = 0x4000,
    LAYOUT_GDT32 = 0x4800,
    LAYOUT_GDT64 = 0xf800,
    LAYOUT_IDT64 = 0x5000,
    LAYOUT_PML4 = 0x6000, /* the next are PDPT, PD and page table */
    LAYOUT_PDPT_PAE = 0xa000,
    LAYOUT_PD32 = 0xb000, /* then its page table */
    LAYOUT_TSS = 0xd000,
    LAYOUT_HANDLERS = 0xf000, /* plus the vector */
    /* What nested tables do not let the guest do. */
    LAYOUT_NESTED_ABSENT = 0x10000,
    LAYOUT_NESTED_NX = 0x11000,
    LAYOUT_NESTED_READ_ONLY = 0x12000,
    /* What its own do not. */
    LAYOUT_SUPERVISOR = 0x13000,
    LAYOUT_READ_ONLY = 0x14000,
    LAYOUT_NX = 0x15000,
    LAYOUT_ABSENT = 0x17000,
};

#define LAYOUT_SELECTOR_CODE 0x08
#define LAYOUT_SELECTOR_DATA 0x10

struct layout_piece {
    uint32_t at, size;
    uint8_t bytes[4096];
};
extern struct layout_piece layout_pieces[TRUTH_MAX_PIECES];
unsigned layout_make(void);
uint8_t layout_rights(uint32_t page);

/* make.c: the generator. ------------------------------------------------- */

struct truth_random {
    uint64_t state;
};
uint64_t truth_random(struct truth_random *random);
/* 0 to below - 1 */
uint32_t truth_below(struct truth_random *random, uint32_t below);

/* A field that the generator changes: to one of `values`, or bits of `mask`. */
struct truth_mutation {
    uint16_t field;
    uint64_t mask;
    uint8_t value_count;
    uint64_t values[12];
};

/* What the generator changes at once: each field loses bits, and gains some. */
struct truth_variant {
    uint8_t count;
    struct truth_setting {
        uint16_t field;
        uint64_t clear, set;
    } settings[5];
};

struct truth_changes {
    const struct truth_mutation *mutations;
    unsigned mutation_count;
    const struct truth_variant *variants; /* of which a case may have one */
    unsigned variant_count;
};

/* What the generator needs of a vendor. States are those that the machine is
 * set up with. */
struct truth_maker {
    const struct truth_vendor *vendor;
    unsigned state_count;
    void (*make_state)(struct truth_machine *machine, unsigned state);
    unsigned (*rule_count)(void);
    const char *(*rule_name)(unsigned rule);
    bool gives_up; /* where many rules are none of the processor's */
    const struct truth_changes *changes;
    /* Fields of host-physical addresses. */
    bool (*is_address)(uint16_t field);
    /* The rules that the state breaks, TRUTH_NO_RULE in front if it is one that
     * no processor could be asked about; at most `max` of them. */
    unsigned (*broken)(const struct truth_machine *machine, uint16_t *rules,
                       unsigned max);
    bool (*repair)(struct truth_machine *machine);
    /* Whether the case leaves something behind that others would find, if they
     * are not of the same kind. NULL: none does. */
    bool (*comes_last)(const struct truth_machine *machine);
    /* Settles what the operation needs. False: not in this state. */
    bool (*settle)(struct truth_machine *machine, unsigned op,
                   struct truth_random *random);
    unsigned (*encode)(const struct truth_machine *machine, unsigned op,
                       uint8_t *code);
};

extern const struct truth_maker truth_maker_svm, truth_maker_vmx;

struct truth_buffer {
    uint8_t *bytes;
    size_t size, room;
};

/* Makes a list for the processor that the process has at present. */
void truth_make(const struct truth_maker *maker, const char *profile,
                uint64_t seed, uint32_t cases, struct truth_buffer *list);

/* unbroken.c: which rules no case breaks alone. -------------------------- */

/* Why not; NULL: some case does. */
const char *truth_unbroken(const char *rule);

/* Adds to `counts`, by the maker's numbers of rules, what cases break each. */
void truth_count_rules(const struct truth_list *list,
                       const struct truth_maker *maker, uint32_t *counts);

/* Prints for each rule how many cases there are, or the reason. Returns how
 * many have neither, or both. */
unsigned truth_print_rules(const struct truth_maker *maker,
                           const uint32_t *counts, FILE *out);

/* Whether `name` is that of the list's rule. */
bool truth_is_rule(const struct truth_list *list, uint16_t rule,
                   const char *name);

/* fake.c: the process's processor. --------------------------------------- */

/* Whether there is such a profile; the processor is of it from now on. */
bool truth_set_profile(enum truth_cpu cpu, const char *profile);

/* truth_run() on the fake processor, which checks its rules or does not. */
void truth_run_fake(struct truth_machine *machine, const struct truth_case *one,
                    bool checks, struct truth_answer *answer);

/* answers.c -------------------------------------------------------------- */

/* What a machine has answered: of each case, in order. */
struct truth_answers {
    uint32_t count;
    struct truth_some {
        uint32_t count;
        struct truth_entry *changes;
    } * answers;
};

/* Reads what the image has printed, among whatever else the console has shown.
 * False: `wrong` says why. */
bool truth_read_answers(const char *text, size_t size, uint32_t cases,
                        struct truth_answers *answers, char wrong[128]);
void truth_free_answers(struct truth_answers *answers);

/* compare.c, departures*.c ------------------------------------------------ */

/* A difference of one field. */
struct truth_difference {
    const struct truth_machine *machine; /* with the case's state set up */
    const struct truth_case *one;
    const struct truth_answer *fake;
    const struct truth_some *real;
    uint16_t field;
    uint64_t expected, found; /* fake's, machine's */
};

/*
 * A known departure of a machine from the manual. If it has the machine do as
 * if the state, or its rules, were others, then so does the fake processor, and
 * must answer the same. Otherwise it explains single differences.
 */
struct truth_departure {
    const char *name;
    const char *section;  /* of the vendor's manual */
    const char *manual;   /* what the manual says */
    const char *machine;  /* what the machine does instead */
    const char *rule;     /* that it does not check, or NULL */
    const char *shown_by; /* the machine, if it is not the table's; "" if it
                           * does so too seldom for a list */
    bool (*when)(const struct truth_machine *machine); /* NULL: ever */
    /* Puts what the machine makes of the state; false: nothing else. */
    bool (*adjust)(struct truth_machine *machine);
    bool (*explains)(const struct truth_difference *difference);
};

#define TRUTH_MAX_DEPARTURES 64

struct truth_departures {
    const char *machine; /* as scripts call it */
    enum truth_cpu cpu;
    const struct truth_departure *rows;
    unsigned count;
};
/* NULL: there is no such machine. */
const struct truth_departures *truth_departures_of(const char *machine,
                                                   uint32_t cpu);

/* A field before the entry; after it, by either. */
uint64_t truth_before(const struct truth_difference *difference,
                      uint16_t field);
uint64_t truth_fake(const struct truth_difference *difference, uint16_t field);
uint64_t truth_real(const struct truth_difference *difference, uint16_t field);

struct truth_result {
    uint32_t cases, differences, unexplained;
    uint32_t explained[TRUTH_MAX_DEPARTURES];
    uint32_t by_rule[TRUTH_MAX_RULES]; /* cases that break it alone */
    uint32_t by_kind[TRUTH_RANDOM + 1];
};

/* Compares all cases; prints the first `show` differences that nothing
 * explains. */
void truth_compare(const struct truth_list *list,
                   const struct truth_answers *answers,
                   const struct truth_departures *departures, unsigned show,
                   FILE *out, struct truth_result *result);

/* The name of a field, in a static buffer. */
const char *truth_field_name(const struct truth_vendor *vendor, uint16_t field);

#endif
