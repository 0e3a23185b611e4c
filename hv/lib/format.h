/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatted text: printf's %c %s %d %i %u %x %p %% with the flags '-' and '0',
 * a width, a precision for %s (also as '*'), and the lengths hh h l ll z.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "lib/compiler.h"

/*
 * Writes at most `size` bytes to `buffer`, always NUL-terminated when `size`
 * is not 0. Returns the length of the whole text, without the NUL, as snprintf
 * does. An unknown conversion is copied as it stands.
 */
size_t format_text(char *buffer, size_t size, const char *format, ...)
    PRINTF_LIKE(3, 4);
size_t format_args(char *buffer, size_t size, const char *format, va_list args)
    PRINTF_LIKE(3, 0);

#endif
