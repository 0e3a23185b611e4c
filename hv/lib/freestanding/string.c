/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image's string functions (ISO C17, 7.24). The process takes them from
 * libc instead.
 *
 * memset and memcpy run on every frame that is handed out and every sector
 * that is moved, so they work on words, 32 to a turn. Words are only
 * accessed at aligned addresses: RISC-V hardware may trap others.
 *
 * Built with -fno-tree-loop-distribute-patterns: otherwise the compiler finds
 * a memset in memset, and calls it.
 */
#include <stdint.h>

#include "lib/string.h"

/* A word that may overlay objects of any type. */
typedef uint64_t __attribute__((may_alias)) word_t;

#define WORD      sizeof(word_t)
#define UNROLL    32
#define ALL_BYTES UINT64_C(0x0101010101010101)

static size_t misalignment(const void *pointer)
{
    return (uintptr_t)pointer % WORD;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes up to the first word boundary at or after `pointer`. */
static size_t head_bytes(const void *pointer, size_t bytes)
{
    return least((WORD - misalignment(pointer)) % WORD, bytes);
}

#define EACH_OF_8(STEP, n) \
    STEP(n)                \
    STEP(n + 1)            \
    STEP(n + 2)            \
    STEP(n + 3)            \
    STEP(n + 4)            \
    STEP(n + 5)            \
    STEP(n + 6)            \
    STEP(n + 7)

#define EACH_OF_32(STEP) \
    EACH_OF_8(STEP, 0)   \
    EACH_OF_8(STEP, 8)   \
    EACH_OF_8(STEP, 16)  \
    EACH_OF_8(STEP, 24)

static unsigned char *set_words(word_t *at, word_t value, size_t words)
{
#define STEP(n) at[n] = value;
    for (; words >= UNROLL; words -= UNROLL, at += UNROLL) {
        EACH_OF_32(STEP)
    }
#undef STEP
    for (; words != 0; words--)
        *at++ = value;
    return (unsigned char *)at;
}

void *memset(void *to, int byte, size_t bytes)
{
    unsigned char *at = to;
    size_t head = head_bytes(to, bytes);

    bytes -= head;
    for (; head != 0; head--)
        *at++ = (unsigned char)byte;
    at = set_words((word_t *)(void *)at, (unsigned char)byte * ALL_BYTES,
                   bytes / WORD);
    for (bytes %= WORD; bytes != 0; bytes--)
        *at++ = (unsigned char)byte;
    return to;
}

/* Ascending, so that memmove may use it to move downwards. */
static void copy_words(word_t *to, const word_t *from, size_t words)
{
#define STEP(n) to[n] = from[n];
    for (; words >= UNROLL; words -= UNROLL, to += UNROLL, from += UNROLL) {
        EACH_OF_32(STEP)
    }
#undef STEP
    for (; words != 0; words--)
        *to++ = *from++;
}

static void copy_up(unsigned char *to, const unsigned char *from, size_t bytes)
{
    if (misalignment(to) == misalignment(from)) {
        size_t head = head_bytes(to, bytes);

        bytes -= head;
        for (; head != 0; head--)
            *to++ = *from++;
        copy_words((word_t *)(void *)to, (const word_t *)(const void *)from,
                   bytes / WORD);
        to += bytes / WORD * WORD;
        from += bytes / WORD * WORD;
        bytes %= WORD;
    }
    for (; bytes != 0; bytes--)
        *to++ = *from++;
}

static void copy_down(unsigned char *to, const unsigned char *from,
                      size_t bytes)
{
    if (misalignment(to) == misalignment(from)) {
        for (; bytes != 0 && misalignment(to + bytes) != 0; bytes--)
            to[bytes - 1] = from[bytes - 1];
        for (; bytes >= WORD; bytes -= WORD)
            *(word_t *)(void *)(to + bytes - WORD) =
                *(const word_t *)(const void *)(from + bytes - WORD);
    }
    for (; bytes != 0; bytes--)
        to[bytes - 1] = from[bytes - 1];
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    copy_up(to, from, bytes);
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    if ((uintptr_t)to - (uintptr_t)from >= bytes)
        copy_up(to, from, bytes);
    else
        copy_down(to, from, bytes);
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const unsigned char *x = a, *y = b;

    for (; bytes != 0; bytes--, x++, y++) {
        if (*x != *y)
            return *x - *y;
    }
    return 0;
}

void *memchr(const void *in, int byte, size_t bytes)
{
    const unsigned char *at = in;

    for (; bytes != 0; bytes--, at++) {
        if (*at == (unsigned char)byte)
            return (void *)(uintptr_t)at;
    }
    return NULL;
}

size_t strnlen(const char *text, size_t limit)
{
    size_t length = 0;

    while (length < limit && text[length] != '\0')
        length++;
    return length;
}

size_t strlen(const char *text)
{
    return strnlen(text, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (; limit != 0; limit--, a++, b++) {
        if (*a != *b || *a == '\0')
            return (unsigned char)*a - (unsigned char)*b;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *text, int byte)
{
    return memchr(text, byte, strlen(text) + 1);
}

char *strrchr(const char *text, int byte)
{
    for (size_t left = strlen(text) + 1; left != 0; left--) {
        if (text[left - 1] == (char)byte)
            return (char *)(uintptr_t)&text[left - 1];
    }
    return NULL;
}
