/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image's string functions against libc's, for every alignment and for
 * lengths on both sides of the unrolled loops.
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define memcpy  image_memcpy
#define memmove image_memmove
#define memset  image_memset
#define memcmp  image_memcmp
#define memchr  image_memchr
#define strlen  image_strlen
#define strnlen image_strnlen
#define strcmp  image_strcmp
#define strncmp image_strncmp
#define strchr  image_strchr
#define strrchr image_strrchr
#include "hv/lib/freestanding/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr

#define ROOM    600
#define LENGTHS 300

/* The bytes around what a function may write must keep this. */
static void fill_pattern(unsigned char *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 7 + seed);
}

static void expect_same(const unsigned char *image, const unsigned char *libc,
                        const char *function, size_t to, size_t from,
                        size_t length)
{
    cr_assert(memcmp(image, libc, ROOM) == 0, "%s: to %zu from %zu length %zu",
              function, to, from, length);
}

Test(string, memset_writes_the_range_and_nothing_else)
{
    _Alignas(8) unsigned char image[ROOM], libc[ROOM];

    for (size_t at = 0; at < 9; at++) {
        for (size_t length = 0; length < LENGTHS; length++) {
            fill_pattern(image, ROOM, 1);
            fill_pattern(libc, ROOM, 1);
            cr_assert(image_memset(image + at, 0x1a5, length) == image + at);
            memset(libc + at, 0xa5, length);
            expect_same(image, libc, "memset", at, 0, length);
        }
    }
}

Test(string, memcpy_copies_the_range_and_nothing_else)
{
    _Alignas(8) unsigned char image[ROOM], libc[ROOM], from[ROOM];

    fill_pattern(from, ROOM, 99);
    for (size_t i = 0; i < 64; i++) {
        size_t to = i % 8, source = i / 8;

        for (size_t length = 0; length < LENGTHS; length++) {
            fill_pattern(image, ROOM, 1);
            fill_pattern(libc, ROOM, 1);
            cr_assert(image_memcpy(image + to, from + source, length) ==
                      image + to);
            memcpy(libc + to, from + source, length);
            expect_same(image, libc, "memcpy", to, source, length);
        }
    }
}

Test(string, memmove_copies_overlapping_ranges)
{
    _Alignas(8) unsigned char image[ROOM], libc[ROOM];
    static const size_t lengths[] = {0,  1,  7,   8,   9,   15,  16, 17,
                                     63, 64, 127, 128, 129, 200, 300};

    for (size_t to = 0; to < 150; to++) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            for (size_t from = 70; from < 80; from++) {
                fill_pattern(image, ROOM, 1);
                fill_pattern(libc, ROOM, 1);
                image_memmove(image + to, image + from, lengths[i]);
                memmove(libc + to, libc + from, lengths[i]);
                expect_same(image, libc, "memmove", to, from, lengths[i]);
            }
        }
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

Test(string, comparisons_agree_with_libc)
{
    static const char *const texts[] = {"",    "a",    "b",   "ab",
                                        "abc", "\xff", "abd", "ab\0x"};
    size_t count = sizeof(texts) / sizeof(texts[0]);

    for (size_t i = 0; i < count * count; i++) {
        const char *a = texts[i / count], *b = texts[i % count];
        size_t shorter = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

        cr_assert(sign(image_strcmp(a, b)) == sign(strcmp(a, b)), "%s %s", a,
                  b);
        for (size_t limit = 0; limit < 5; limit++)
            cr_assert(sign(image_strncmp(a, b, limit)) ==
                          sign(strncmp(a, b, limit)),
                      "%s %s %zu", a, b, limit);
        cr_assert(sign(image_memcmp(a, b, shorter + 1)) ==
                      sign(memcmp(a, b, shorter + 1)),
                  "%s %s", a, b);
    }
}

Test(string, searches_agree_with_libc)
{
    static const char *const texts[] = {"", "a", "aba", "xyz", "/a/b", "\xff"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = texts[i];

        cr_assert(image_strlen(text) == strlen(text), "%s", text);
        for (size_t limit = 0; limit < 6; limit++)
            cr_assert(image_strnlen(text, limit) == strnlen(text, limit), "%s",
                      text);
        for (int byte = 0; byte < 256; byte++) {
            cr_assert(image_strchr(text, byte) == strchr(text, byte), "%s",
                      text);
            cr_assert(image_strrchr(text, byte) == strrchr(text, byte), "%s",
                      text);
            cr_assert(image_memchr(text, byte, strlen(text)) ==
                          memchr(text, byte, strlen(text)),
                      "%s", text);
        }
    }
}
