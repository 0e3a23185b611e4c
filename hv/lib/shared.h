/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies from and to memory that others use at the same time, such as guests.
 * 2, 4 or 8 bytes at a multiple of their size are one access, so that neither
 * side ever sees half of what the other has written. Of other copies nothing
 * is promised but that each byte is copied. Fences are the caller's.
 */
#ifndef LIB_SHARED_H
#define LIB_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "lib/bits.h"

/* They overlay objects of any type. */
typedef uint16_t __attribute__((may_alias)) shared_u16;
typedef uint32_t __attribute__((may_alias)) shared_u32;
typedef uint64_t __attribute__((may_alias)) shared_u64;

#define SHARED_IS(type, at, size) \
    ((size) == sizeof(type) && is_aligned((uintptr_t)(at), sizeof(type)))

/* `from` is what is shared. */
static inline void shared_read(void *to, const void *from, size_t size)
{
#define READ_AS(type)                                                       \
    if (SHARED_IS(type, from, size)) {                                      \
        type value = __atomic_load_n((const type *)from, __ATOMIC_RELAXED); \
        __builtin_memcpy(to, &value, sizeof(value));                        \
        return;                                                             \
    }
    READ_AS(shared_u16)
    READ_AS(shared_u32)
    READ_AS(shared_u64)
#undef READ_AS
    __builtin_memcpy(to, from, size);
}

static inline uint64_t shared_read_word(const void *from)
{
    return __atomic_load_n((const shared_u64 *)from, __ATOMIC_RELAXED);
}

/* `to` is what is shared. */
static inline void shared_write(void *to, const void *from, size_t size)
{
#define WRITE_AS(type)                                         \
    if (SHARED_IS(type, to, size)) {                           \
        type value;                                            \
        __builtin_memcpy(&value, from, sizeof(value));         \
        __atomic_store_n((type *)to, value, __ATOMIC_RELAXED); \
        return;                                                \
    }
    WRITE_AS(shared_u16)
    WRITE_AS(shared_u32)
    WRITE_AS(shared_u64)
#undef WRITE_AS
    __builtin_memcpy(to, from, size);
}

/* `to`, 4 or 8 bytes at a multiple of that, becomes `new` if it is `old`, at
 * once. Returns what it was. */
static inline uint64_t shared_exchange(void *to, uint64_t old, uint64_t new,
                                       size_t size)
{
    uint32_t narrow = (uint32_t)old;

    if (size == sizeof(narrow)) {
        (void)__atomic_compare_exchange_n((shared_u32 *)to, &narrow,
                                          (uint32_t) new, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        return narrow;
    }
    (void)__atomic_compare_exchange_n((shared_u64 *)to, &old, new, false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    return old;
}

#endif
