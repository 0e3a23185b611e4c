/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatted text: see format.h. No floating point, no %n, no locale: nothing
 * of the hypervisor prints such, and %n would be a write that a text decides.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/format.h"
#include "lib/string.h"

/* Where the text goes. `length` counts also what no longer fitted. */
struct sink {
    char *buffer;
    size_t size;
    size_t length;
};

/* A conversion, as its specification says: %[flags][width][.prec][len]conv. */
struct spec {
    bool left, zero;
    size_t width;
    size_t precision; /* SIZE_MAX: none was given */
    unsigned bits;    /* of an integer argument */
    char conversion;
};

/* A va_list that functions can share: it may be of array type. */
struct args {
    va_list list;
};

/* How many of `count` characters fit before the terminator. */
static size_t room_for(const struct sink *sink, size_t count)
{
    size_t room =
        sink->length + 1 < sink->size ? sink->size - sink->length - 1 : 0;

    return count < room ? count : room;
}

static void put_repeated(struct sink *sink, char c, size_t count)
{
    size_t fits = room_for(sink, count);

    if (fits != 0)
        memset(sink->buffer + sink->length, c, fits);
    sink->length += count;
}

static void put_bytes(struct sink *sink, const char *text, size_t length)
{
    size_t fits = room_for(sink, length);

    if (fits != 0)
        memcpy(sink->buffer + sink->length, text, fits);
    sink->length += length;
}

/* `prefix` and `text`, padded to the width: zeros go between the two. */
static void put_padded(struct sink *sink, const struct spec *spec,
                       const char *prefix, const char *text, size_t length)
{
    size_t prefix_length = strlen(prefix);
    size_t used = prefix_length + length;
    size_t pad = spec->width > used ? spec->width - used : 0;
    bool zeros = spec->zero && !spec->left;

    if (!spec->left && !zeros)
        put_repeated(sink, ' ', pad);
    put_bytes(sink, prefix, prefix_length);
    if (zeros)
        put_repeated(sink, '0', pad);
    put_bytes(sink, text, length);
    if (spec->left)
        put_repeated(sink, ' ', pad);
}

static void put_number(struct sink *sink, const struct spec *spec,
                       const char *prefix, uint64_t value, unsigned base)
{
    char digits[20]; /* of UINT64_MAX in decimal */
    size_t first = sizeof(digits);

    do {
        digits[--first] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put_padded(sink, spec, prefix, digits + first, sizeof(digits) - first);
}

static uint64_t take_integer(const struct spec *spec, struct args *args)
{
    if (spec->bits > 32)
        return va_arg(args->list, uint64_t);
    return va_arg(args->list, unsigned);
}

static void put_signed(struct sink *sink, const struct spec *spec,
                       struct args *args)
{
    unsigned shift = 64 - spec->bits;
    int64_t value = (int64_t)(take_integer(spec, args) << shift) >> shift;

    if (value < 0)
        put_number(sink, spec, "-", -(uint64_t)value, 10);
    else
        put_number(sink, spec, "", (uint64_t)value, 10);
}

static void put_unsigned(struct sink *sink, const struct spec *spec,
                         struct args *args, unsigned base)
{
    uint64_t value = take_integer(spec, args);

    put_number(sink, spec, "", value & (UINT64_MAX >> (64 - spec->bits)), base);
}

/* Text is padded with spaces, whatever the flags say. */
static void put_text(struct sink *sink, const struct spec *spec,
                     const char *text, size_t limit)
{
    struct spec spaces = *spec;

    spaces.zero = false;
    put_padded(sink, &spaces, "", text, strnlen(text, limit));
}

static void put_string(struct sink *sink, const struct spec *spec,
                       const char *text)
{
    put_text(sink, spec, text != NULL ? text : "(null)", spec->precision);
}

static void put_char(struct sink *sink, const struct spec *spec, char c)
{
    struct spec spaces = *spec;

    spaces.zero = false;
    put_padded(sink, &spaces, "", &c, 1);
}

/* False for a conversion that does not exist; no argument is taken then. */
static bool convert(struct sink *sink, const struct spec *spec,
                    struct args *args)
{
    switch (spec->conversion) {
    case 'c': put_char(sink, spec, (char)va_arg(args->list, int)); break;
    case 's': put_string(sink, spec, va_arg(args->list, const char *)); break;
    case 'd':
    case 'i': put_signed(sink, spec, args); break;
    case 'u': put_unsigned(sink, spec, args, 10); break;
    case 'x': put_unsigned(sink, spec, args, 16); break;
    case 'p':
        put_number(sink, spec, "0x",
                   (uintptr_t)va_arg(args->list, const void *), 16);
        break;
    case '%': put_bytes(sink, "%", 1); break;
    default: return false;
    }
    return true;
}

/* A decimal number, or '*' for the next argument. What is negative is 0. */
static const char *parse_size(const char *at, struct args *args, size_t *size)
{
    *size = 0;
    if (*at == '*') {
        int value = va_arg(args->list, int);

        *size = value > 0 ? (size_t)value : 0;
        return at + 1;
    }
    for (; *at >= '0' && *at <= '9'; at++)
        *size = *size * 10 + (size_t)(*at - '0');
    return at;
}

static const char *parse_length(const char *at, unsigned *bits)
{
    *bits = 32;
    if (*at == 'h') {
        *bits = at[1] == 'h' ? 8 : 16;
        return at + (at[1] == 'h' ? 2 : 1);
    }
    if (*at == 'l' || *at == 'z') {
        *bits = 64;
        return at + (at[0] == 'l' && at[1] == 'l' ? 2 : 1);
    }
    return at;
}

/* `at` is behind the '%'; returns where the conversion's letter is. */
static const char *parse_spec(const char *at, struct args *args,
                              struct spec *spec)
{
    *spec = (struct spec){.precision = SIZE_MAX};
    for (; *at == '-' || *at == '0'; at++) {
        spec->left |= *at == '-';
        spec->zero |= *at == '0';
    }
    at = parse_size(at, args, &spec->width);
    if (*at == '.')
        at = parse_size(at + 1, args, &spec->precision);
    at = parse_length(at, &spec->bits);
    spec->conversion = *at;
    return at;
}

/* The next conversion, or the end. */
static const char *end_of_text(const char *at)
{
    while (*at != '\0' && *at != '%')
        at++;
    return at;
}

size_t format_args(char *buffer, size_t size, const char *format, va_list list)
{
    struct sink sink = {.buffer = buffer, .size = size};
    struct args args;

    va_copy(args.list, list);
    while (*format != '\0') {
        struct spec spec;
        const char *end;

        if (*format != '%') {
            end = end_of_text(format);
            put_bytes(&sink, format, (size_t)(end - format));
            format = end;
            continue;
        }
        end = parse_spec(format + 1, &args, &spec);
        if (*end != '\0')
            end++;
        if (!convert(&sink, &spec, &args))
            put_bytes(&sink, format, (size_t)(end - format));
        format = end;
    }
    va_end(args.list);
    if (size != 0)
        buffer[sink.length < size ? sink.length : size - 1] = '\0';
    return sink.length;
}

size_t format_text(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    size_t length;

    va_start(args, format);
    length = format_args(buffer, size, format, args);
    va_end(args);
    return length;
}
