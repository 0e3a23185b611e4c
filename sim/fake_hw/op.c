/* SPDX-License-Identifier: Apache-2.0 */
/* Names of what guests do. */
#include "sim/fake_hw/op.h"
#include "lib/compiler.h"

const char *guest_op_name(enum guest_op_kind kind)
{
    static const char *const names[OP_KIND_COUNT] = {
#define X(kind, name) name,
        GUEST_OPS(X)
#undef X
    };

    return (unsigned)kind < OP_KIND_COUNT ? names[kind] : "?";
}

const char *guest_outcome_name(enum guest_outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_PENDING] = "pending",     [OUTCOME_RETIRED] = "retired",
        [OUTCOME_EXCEPTION] = "exception", [OUTCOME_REDIRECTED] = "redirected",
        [OUTCOME_RESUMED] = "resumed",
    };

    return (unsigned)outcome < ARRAY_SIZE(names) ? names[outcome] : "?";
}
