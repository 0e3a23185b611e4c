/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Violations: what the hypervisor did that real hardware would punish, at once
 * or some day: a missing fence, an illegal entry state, a guest that reaches
 * memory nobody gave it. They are counted by rule, kept as text, and printed.
 */
#ifndef SIM_FAKE_HW_VIOLATION_H
#define SIM_FAKE_HW_VIOLATION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

/* X(rule, name, what it says) */
/* clang-format off */
#define VIOLATION_RULES(X)                                                     \
    X(RULE_STALE_G_STAGE, "stale-g-stage",                                     \
      "a stage-2 translation was changed without an HFENCE.GVMA")              \
    X(RULE_STALE_VS_STAGE, "stale-vs-stage",                                   \
      "a VS-stage translation of another vCPU is still in the TLB")            \
    X(RULE_REACHES_HOST, "reaches-host",                                       \
      "a guest access reached host memory that is not allocated")              \
    X(RULE_ENTRY_SPV, "entry-spv",                                             \
      "hstatus.SPV is clear: SRET would enter HS- or U-mode")                  \
    X(RULE_ENTRY_HGATP_BARE, "entry-hgatp-bare",                               \
      "hgatp.MODE is Bare: the guest would see host memory")                   \
    X(RULE_ENTRY_HGATP_ROOT, "entry-hgatp-root",                               \
      "hgatp.PPN does not name an allocated 16 KiB root table")                \
    X(RULE_ENTRY_ZERO, "entry-zero", "the guest's x0 is not 0")                \
    X(RULE_ENTRY_PC, "entry-pc", "the guest's pc is odd")                      \
    X(RULE_HGATP_ALIGN, "hgatp-align",                                         \
      "a root table that is not aligned to 16 KiB")                            \
    X(RULE_HGATP_MODE, "hgatp-mode", "an hgatp.MODE the processor lacks")      \
    X(RULE_HGATP_VMID, "hgatp-vmid", "a VMID wider than VMIDLEN")              \
    X(RULE_UNIT_OFF, "unit-off",                                               \
      "FP or vector registers were touched while the unit is off")             \
    X(RULE_UNIT_ABSENT, "unit-absent",                                         \
      "a unit or CSR was used that the processor does not have")
/* clang-format on */

enum violation_rule {
#define X(rule, name, text) rule,
    VIOLATION_RULES(X)
#undef X
        RULE_COUNT
};

/* What an illegal entry state does. */
enum rule_mode {
    RULES_REJECT, /* counts, and the entry fails */
    RULES_REPAIR, /* the state becomes the nearest legal one; not counted */
    RULES_LABEL,  /* counts only */
};

/* Forgets all violations. */
void violations_reset(void);

/* Whether they are printed to standard error as they occur: yes by default,
 * the first twenty. */
void violations_set_print(bool print);

/* Whether the first one ends the process, as a fuzzer wants it. */
void violations_set_fatal(bool fatal);

/* Reports a violation; the text says what was found. */
void violation(enum violation_rule rule, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* How many there were, in all and of one rule. */
uint64_t violations_count(void);
uint64_t violations_of(enum violation_rule rule);

/* The last one as text; "" if there was none. */
const char *violations_last(void);

const char *violation_rule_name(enum violation_rule rule);
const char *violation_rule_text(enum violation_rule rule);

#endif
