/* SPDX-License-Identifier: Apache-2.0 */
/* Names of what guests do. */
#include "sim/fake_hw/op.h"
#include "lib/compiler.h"

const char *guest_op_name(unsigned kind)
{
    static const char *const names[OP_KIND_COUNT] = {
#define X(kind, name) name,
        GUEST_OPS(X)
#undef X
    };
    static const char *const x86_names[OP_X86_END - OP_X86_FIRST] = {
#define X(kind, name) name,
        X86_GUEST_OPS(X)
#undef X
    };

    if (kind >= OP_X86_FIRST && kind < OP_X86_END)
        return x86_names[kind - OP_X86_FIRST];
    return kind < OP_KIND_COUNT ? names[kind] : "?";
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
