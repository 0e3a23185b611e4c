/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcmp() of a target that compares names, and has a mutator or a dictionary
 * that knows them: AddressSanitizer's tells libFuzzer of each difference, and
 * that takes longer than all else that the target does. Every byte is looked at
 * as there, as this is code under the sanitizer itself.
 */
#include <stddef.h>
#include <stdint.h>

__attribute__((no_builtin)) int memcmp(const void *one, const void *two,
                                       size_t size)
{
    const uint8_t *a = one, *b = two;

    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}
