/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler offers beyond C17, under names that say what it is for. */
#ifndef LIB_COMPILER_H
#define LIB_COMPILER_H

#include <stddef.h>

/* The caller must look at what the function returns. */
#define MUST_CHECK __attribute__((warn_unused_result))

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define ALIGNED(bytes)          __attribute__((aligned(bytes)))
#define NOINLINE                __attribute__((noinline))
/* For what every exit does, in more places than one. */
#define ALWAYS_INLINE inline __attribute__((always_inline))
/* The same for a function that other files call, or that a table holds, too:
 * where the linker optimises, the exit path becomes one function by it. */
#define EXIT_PATH extern ALWAYS_INLINE

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The structure of `type` whose member `member` is at `ptr`. */
#define container_of(ptr, type, member) \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
