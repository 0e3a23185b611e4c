/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of cases: VMCBs or VMCSs, each with what a guest does once it is in.
 * Image and process read the same bytes (docs/truth.md has them), and perform
 * the same entries by the same code (run.h).
 *
 * A state is a set of fields. A field has a number: its offset in the VMCB, or
 * its encoding in the VMCS; general registers have numbers of their own. What a
 * state does not name is 0. Numbers are little-endian, and nothing is aligned.
 */
#ifndef TESTS_TRUTH_LIST_H
#define TESTS_TRUTH_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUTH_MAGIC   UINT64_C(0x6874757274787774) /* "twxtruth" */
#define TRUTH_VERSION 1

#define TRUTH_MAX_PAGES 64 /* of guest memory */
#define TRUTH_MAX_CODE  15 /* bytes of an instruction */

enum truth_cpu {
    TRUTH_SVM = 1,
    TRUTH_VMX = 2,
};

/* Numbers of fields. Flagged, the value is relative to the start of the memory
 * that the runner has: host-physical addresses differ from body to body. */
#define TRUTH_RELATIVE 0x8000
#define TRUTH_GPR      0x7f00 /* plus its number in instructions */
#define TRUTH_CR2      0x7f10 /* where the control block has none */
/* Only in answers: of VMLAUNCH, the VM-instruction error, or all ones; and,
 * plus its number, a page that has changed, by its CRC-32. */
#define TRUTH_FAIL 0x7f20
#define TRUTH_PAGE 0x7f40

/* What a page of guest memory allows. */
enum truth_rights {
    TRUTH_READ = 1,
    TRUTH_WRITE = 2,
    TRUTH_EXECUTE = 4,
};

/* Why a case is in the list. */
enum truth_kind {
    TRUTH_LEGAL,
    TRUTH_RULE,   /* it breaks one rule and no other */
    TRUTH_RANDOM, /* anything, repaired */
};

#define TRUTH_NO_RULE 0xffff

struct truth_header {
    uint64_t magic;
    uint32_t version;
    uint32_t cpu;      /* enum truth_cpu */
    uint32_t size;     /* of the list, in bytes */
    uint32_t checksum; /* CRC-32 of what follows the header */
    uint64_t seed;     /* what it was made from */
    char profile[16];  /* and for which processor */
    uint32_t pages;    /* of guest memory; the rest is absent */
    uint32_t pieces;
    uint32_t rules;
    uint32_t states;
    uint32_t cases;
    uint32_t reserved;
};
_Static_assert(sizeof(struct truth_header) == 72, "");

/* What follows: `pages` bytes of enum truth_rights; then the others, each
 * without gaps. */
struct truth_piece {
    uint32_t at, size;
    const uint8_t *bytes;
};

struct truth_entries {
    uint32_t count;
    const uint8_t *bytes; /* of TRUTH_ENTRY_SIZE each */
};

/* A field's number (2 bytes) and its value (8 bytes). */
#define TRUTH_ENTRY_SIZE 10

struct truth_case {
    uint16_t state; /* that these entries change */
    uint16_t rule;  /* or TRUTH_NO_RULE */
    uint8_t kind;   /* enum truth_kind */
    uint8_t op;     /* what the code is, for who does not read code: ops.h */
    uint8_t code_size;
    const uint8_t *code; /* at `code_at` */
    uint32_t code_at;    /* guest-physical */
    struct truth_entries entries;
};

#define TRUTH_MAX_PIECES 32
#define TRUTH_MAX_RULES  512
#define TRUTH_MAX_STATES 64

/* A list that has been looked through. */
struct truth_list {
    struct truth_header header;
    const uint8_t *rights;
    struct truth_piece pieces[TRUTH_MAX_PIECES];
    struct {
        const uint8_t *name;
        uint8_t size;
    } rules[TRUTH_MAX_RULES];
    struct truth_entries states[TRUTH_MAX_STATES];
    const uint8_t *bytes; /* the list itself */
    uint32_t first;       /* where its first case begins */
};

/*
 * Looks through a list, which may be anything: NULL, or what is wrong with it.
 * `bytes` must stay where it is.
 */
const char *truth_open(struct truth_list *list, const void *bytes, size_t size);

/* The case at `*at`, which is list->first for the first; moves on to the next.
 * Only for so many as there are. */
void truth_next(const struct truth_list *list, uint32_t *at,
                struct truth_case *result);

struct truth_entry {
    uint16_t field;
    uint64_t value;
};
struct truth_entry truth_entry(const struct truth_entries *entries,
                               uint32_t index);

/* CRC-32 as in zip files; `checksum` is 0, or that of what comes before. */
uint32_t truth_checksum(uint32_t checksum, const void *bytes, size_t size);

#endif
