/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What code that fuzz targets share with the tests asserts, where there is no
 * Criterion: a failure is a crash.
 */
#ifndef FUZZ_STAND_IN_CRITERION_H
#define FUZZ_STAND_IN_CRITERION_H

#include <stdio.h>
#include <stdlib.h>

#define cr_assert(condition, ...)                                    \
    do {                                                             \
        if (!(condition)) {                                          \
            fprintf(stderr, "fuzz: %s:%d: %s\n", __FILE__, __LINE__, \
                    #condition);                                     \
            fprintf(stderr, "fuzz: " __VA_ARGS__);                   \
            fputc('\n', stderr);                                     \
            abort();                                                 \
        }                                                            \
    } while (0)

#define cr_assert_eq(a, b, ...)  cr_assert((a) == (b), __VA_ARGS__)
#define cr_assert_lt(a, b, ...)  cr_assert((a) < (b), __VA_ARGS__)
#define cr_assert_leq(a, b, ...) cr_assert((a) <= (b), __VA_ARGS__)

#endif
