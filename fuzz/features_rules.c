/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of rules, for the targets that break some: see features.h. libFuzzer
 * looks at all that are linked. */
#include "fuzz/features.h"

static uint8_t broken[RULE_COUNT]
    __attribute__((section("__libfuzzer_extra_counters"), used));

void features_of_rule(enum violation_rule rule)
{
    broken[rule] = (uint8_t)(broken[rule] + (broken[rule] != UINT8_MAX));
}
