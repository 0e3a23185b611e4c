/* SPDX-License-Identifier: Apache-2.0 */
/* What the allocator of the fake RAM and its snapshots share. */
#ifndef SIM_RAM_INTERNAL_H
#define SIM_RAM_INTERNAL_H

#include "lib/bits.h"
#include "lib/spinlock.h"
#include "sim/ram.h"

#if defined(__SANITIZE_ADDRESS__)
#define RAM_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RAM_POISONS 1
#endif
#endif

#ifdef RAM_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define RAM_WORDS (RAM_MAX_SIZE / PAGE_SIZE / 64)

struct ram {
    struct spinlock lock;
    uint8_t *window; /* NULL until the first use */
    uint64_t base;
    uint64_t mapped;  /* bytes of the mapping */
    uint64_t frames;  /* of the window */
    uint64_t hint;    /* no frame below it is free */
    uint64_t touched; /* no frame from it on was ever handed out */
    uint64_t in_use, peak;
    uint64_t frees;           /* see ram_frees(); never reset */
    uint64_t used[RAM_WORDS]; /* bit per frame */
};

extern struct ram ram;

/* Whether the snapshot relies on being told of writes to a frame of it. */
bool ram_snapshot_is_tracked(uint64_t frame);

static inline uint8_t *ram_frame(uint64_t frame)
{
    return ram.window + frame * PAGE_SIZE;
}

static inline bool ram_frame_is_used(uint64_t frame)
{
    return (ram.used[frame / 64] & BIT(frame % 64)) != 0;
}

#endif
