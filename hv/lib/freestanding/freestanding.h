/* SPDX-License-Identifier: Apache-2.0 */
/* What libfdt's object code calls in the image, besides lib/string.h. */
#ifndef LIB_FREESTANDING_FREESTANDING_H
#define LIB_FREESTANDING_FREESTANDING_H

#include <stdbool.h>
#include <stdint.h>

/* C's, but without errno: a value out of range is UINT64_MAX. */
unsigned long strtoul(const char *restrict text, char **restrict end, int base);

/* The stack protector's value, and what a function calls that finds the value
 * on its stack overwritten. Debian builds libfdt with it. */
extern uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

#endif
