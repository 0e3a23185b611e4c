/* SPDX-License-Identifier: Apache-2.0 */
/* Formatted text against libc's snprintf, and where the two differ. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/format.h"

/* Both get the same arguments, into a buffer that is long enough. */
#define EXPECT_AS_LIBC(...)                                                    \
    do {                                                                       \
        char ours[128], libc[128];                                             \
        size_t length = format_text(ours, sizeof(ours), __VA_ARGS__);          \
        int wanted = snprintf(libc, sizeof(libc), __VA_ARGS__);                \
                                                                               \
        cr_assert(strcmp(ours, libc) == 0, "\"%s\", libc \"%s\"", ours, libc); \
        cr_assert(length == (size_t)wanted, "\"%s\": length %zu, libc %d",     \
                  ours, length, wanted);                                       \
    } while (0)

Test(format, agrees_with_libc)
{
    static const int numbers[] = {0,     1,     -1,     9,       10,
                                  -10,   127,   128,    255,     256,
                                  32767, 32768, -32769, INT_MAX, INT_MIN};
    static const long longs[] = {0, -1, LONG_MAX, LONG_MIN, 0x123456789abcdef};
    static const char *const texts[] = {"", "a", "hello, world"};

    EXPECT_AS_LIBC("plain");
    EXPECT_AS_LIBC("100%%");
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        int n = numbers[i];

        EXPECT_AS_LIBC("%d %i %u %x", n, n, (unsigned)n, (unsigned)n);
        EXPECT_AS_LIBC("%8d|%-8d|%08d", n, n, n);
        EXPECT_AS_LIBC("%3x|%-12x|%012x", (unsigned)n, (unsigned)n,
                       (unsigned)n);
        EXPECT_AS_LIBC("%hhd %hhu %hhx", (signed char)n, (unsigned char)n,
                       (unsigned char)n);
        EXPECT_AS_LIBC("%hd %hu %hx", (short)n, (unsigned short)n,
                       (unsigned short)n);
        EXPECT_AS_LIBC("%*d|%-*d|%0*d", 7, n, 7, n, 7, n);
        EXPECT_AS_LIBC("%c|%3c|%-3c|", 'a' + (n & 7), 'x', 'y');
    }
    for (size_t i = 0; i < ARRAY_SIZE(longs); i++) {
        unsigned long n = (unsigned long)longs[i];

        EXPECT_AS_LIBC("%ld %lu %lx %020lx", longs[i], n, n, n);
        EXPECT_AS_LIBC("%lld %llx %zu %zx", (long long)n, (long long)n,
                       (size_t)n, (size_t)n);
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        EXPECT_AS_LIBC("[%s] [%20s] [%-20s]", texts[i], texts[i], texts[i]);
        EXPECT_AS_LIBC("[%.0s] [%.3s] [%20.3s] [%-9.2s]", texts[i], texts[i],
                       texts[i], texts[i]);
        EXPECT_AS_LIBC("[%.*s] [%*.*s]", 2, texts[i], 9, 1, texts[i]);
    }
    EXPECT_AS_LIBC("%p", (void *)&numbers);
}

Test(format, a_precision_keeps_it_inside_unterminated_text)
{
    char bytes[3] = {'a', 'b', 'c'};
    char text[8];

    cr_assert(format_text(text, sizeof(text), "%.*s", 3, bytes) == 3);
    cr_assert_str_eq(text, "abc");
}

Test(format, truncates_and_terminates_at_every_size)
{
    static const char whole[] = "x=00ff, y=     ab";

    for (size_t size = 0; size <= sizeof(whole) + 1; size++) {
        char text[32];
        size_t kept = size == 0 ? 0 : size - 1;

        if (kept > strlen(whole))
            kept = strlen(whole);
        memset(text, '#', sizeof(text));
        cr_assert(format_text(text, size, "x=%04x, y=%7s", 255, "ab") ==
                  strlen(whole));
        cr_assert(memcmp(text, whole, kept) == 0, "size %zu", size);
        cr_assert(size == 0 || text[kept] == '\0', "size %zu", size);
        cr_assert(text[size] == '#', "size %zu", size);
    }
}

/* The compiler would warn of the formats. */
static void expect_odd(const char *format, const char *wanted)
{
    char text[64];
    size_t (*call)(char *, size_t, const char *, ...) = format_text;

    cr_assert(call(text, sizeof(text), format, 77) == strlen(wanted));
    cr_assert_str_eq(text, wanted);
}

Test(format, what_is_no_conversion_is_copied)
{
    expect_odd("%q %d", "%q 77");
    expect_odd("%-05ly|%d", "%-05ly|77");
    expect_odd("%", "%");
    expect_odd("%d%", "77%");
    expect_odd("%08l", "%08l");
    expect_odd("%n%d", "%n77");
}

Test(format, a_null_string_is_named)
{
    char text[16];
    const char *volatile none = NULL;

    format_text(text, sizeof(text), "%s", none);
    cr_assert_str_eq(text, "(null)");
}
