/* SPDX-License-Identifier: Apache-2.0 */
/* What each target has, whatever else it needs: see harness.h. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/harness.h"

bool fuzz_is_thorough;

/* libFuzzer allocates for each input: a long quarantine and deep stacks of
 * allocations cost more than what they could ever tell of it. Not weak: the
 * sanitizer's own is, and would come first. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1:thread_local_quarantine_size_kb=16:"
           "malloc_context_size=1";
}

void fuzz_fail(const char *what)
{
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}
