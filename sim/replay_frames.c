/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames that a trace hands out. The fake RAM's own allocator has no part
 * in a replay: which frame it is comes from the trace. A frame comes zeroed,
 * as the hypervisor may expect; one that is handed out for the first time
 * still is, since the replay begins with untouched RAM.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/bits.h"
#include "sim/ram.h"
#include "sim/replay_engine.h"

#if defined(__SANITIZE_ADDRESS__)
#define REPLAY_UNPOISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REPLAY_UNPOISONS 1
#endif
#endif

#ifdef REPLAY_UNPOISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

/* All of RAM as the kernel gives it: zero, and not there until touched. The
 * allocator, which may have poisoned frames it took back, is not asked. */
static bool wipe(const struct replay_frames *frames)
{
    void *ram = memory_phys_to_virt(hpa(frames->base));

    ASAN_UNPOISON_MEMORY_REGION(ram, frames->count * PAGE_SIZE);
    return madvise(ram, frames->count * PAGE_SIZE, MADV_DONTNEED) == 0;
}

bool replay_frames_init(struct replay *replay)
{
    const struct trace_start_numbers *numbers = &replay->start->numbers;
    struct replay_frames *frames = &replay->frames;
    uint64_t words;

    if (numbers->ram_base == 0 || numbers->ram_size == 0 ||
        numbers->ram_size > RAM_MAX_SIZE ||
        numbers->ram_base > UINT64_MAX - numbers->ram_size ||
        !is_aligned(numbers->ram_base | numbers->ram_size, PAGE_SIZE))
        return false;
    frames->base = numbers->ram_base;
    frames->count = numbers->ram_size / PAGE_SIZE;
    words = frames->count / 64 + 1;
    frames->used = calloc(words, sizeof(uint64_t));
    frames->dirty = calloc(words, sizeof(uint64_t));
    ram_reset_at(numbers->ram_base, numbers->ram_size);
    return frames->used != NULL && frames->dirty != NULL && wipe(frames);
}

void replay_frames_fini(struct replay *replay)
{
    if (replay->frames.count != 0)
        (void)wipe(&replay->frames);
    free(replay->frames.used);
    free(replay->frames.dirty);
}

static bool test(const uint64_t *bits, uint64_t at)
{
    return (bits[at / 64] & BIT(at % 64)) != 0;
}

/* The number of the frame at `first`, if it and those after it are RAM. */
static uint64_t frame_number(struct replay *replay, uint64_t first,
                             uint64_t count)
{
    const struct replay_frames *frames = &replay->frames;
    uint64_t number = (first - frames->base) / PAGE_SIZE;

    if (first < frames->base || !is_aligned(first, PAGE_SIZE) ||
        number >= frames->count || count > frames->count - number)
        replay_fail(replay, "the trace hands out frames outside of RAM");
    return number;
}

void replay_take_frames(struct replay *replay, uint64_t first, uint64_t count)
{
    struct replay_frames *frames = &replay->frames;
    uint64_t number = frame_number(replay, first, count);

    for (uint64_t i = number; i < number + count; i++) {
        if (test(frames->used, i))
            replay_fail(replay, "the trace hands out a frame twice");
        frames->used[i / 64] |= BIT(i % 64);
        if (test(frames->dirty, i))
            memset(memory_phys_to_virt(hpa(frames->base + i * PAGE_SIZE)), 0,
                   PAGE_SIZE);
        frames->dirty[i / 64] |= BIT(i % 64);
    }
}

void replay_give_frames(struct replay *replay, uint64_t first, uint64_t count)
{
    struct replay_frames *frames = &replay->frames;
    uint64_t number = frame_number(replay, first, count);

    for (uint64_t i = number; i < number + count; i++) {
        if (!test(frames->used, i))
            replay_fail(replay, "a frame is freed twice");
        frames->used[i / 64] &= ~BIT(i % 64);
    }
}
