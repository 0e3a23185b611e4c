/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/exit.h"

const char *exit_kind_name(enum exit_kind kind)
{
    static const char *const names[EXIT_KIND_COUNT] = {
#define X(kind, name) [kind] = (name),
        EXIT_KINDS(X)
#undef X
    };
    return (unsigned)kind < EXIT_KIND_COUNT ? names[kind] : "?";
}
