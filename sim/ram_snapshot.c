/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of the fake RAM: see ram.h. A restore costs a copy of the frames
 * that may have changed, and nothing for those that were allocated since.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/check.h"
#include "sim/ram_internal.h"

/* How a frame of the snapshot is copied back. */
enum track { TRACK_ALWAYS, TRACK_CLEAN, TRACK_DIRTY };

struct saved_frame {
    uint32_t frame;
    uint32_t copy; /* number of its copy */
};

static struct {
    bool taken;
    uint64_t hint, in_use, peak, words;
    uint64_t *used;    /* the bitmap's first `words` words */
    uint8_t *copies;   /* PAGE_SIZE bytes per frame */
    uint32_t count;    /* of frames */
    uint32_t *copy_of; /* by frame number below `words` * 64 */
    uint8_t *track;    /* likewise: enum track */
    bool always_stale; /* `always` has frames that are tracked by now */
    uint32_t always_count, dirty_count;
    struct saved_frame *always; /* those that are copied back every time */
    struct saved_frame *dirty;  /* the tracked ones that have changed */
} snapshot;

bool ram_is_tracking;

void ram_snapshot_drop(void)
{
    if (!snapshot.taken)
        return;
    free(snapshot.used);
    free(snapshot.copies);
    free(snapshot.copy_of);
    free(snapshot.track);
    free(snapshot.always);
    free(snapshot.dirty);
    memset(&snapshot, 0, sizeof(snapshot));
    ram_is_tracking = false;
}

static void copy_frames(void)
{
    uint32_t copy = 0;

    for (uint64_t frame = 0; frame < snapshot.words * 64; frame++) {
        if (!ram_frame_is_used(frame))
            continue;
        memcpy(snapshot.copies + copy * PAGE_SIZE, ram_frame(frame), PAGE_SIZE);
        snapshot.copy_of[frame] = copy;
        snapshot.always[copy] = (struct saved_frame){(uint32_t)frame, copy};
        copy++;
    }
    snapshot.always_count = copy;
}

err_t ram_snapshot_take(void)
{
    uint64_t words = (ram.touched + 63) / 64;
    uint64_t frames = ram.in_use;

    ram_snapshot_drop();
    snapshot.taken = true;
    snapshot.words = words;
    snapshot.hint = ram.hint;
    snapshot.in_use = frames;
    snapshot.peak = ram.peak;
    snapshot.count = (uint32_t)frames;
    snapshot.used = malloc((words + 1) * sizeof(*snapshot.used));
    snapshot.copies = malloc((frames + 1) * PAGE_SIZE);
    snapshot.copy_of = calloc(words * 64 + 1, sizeof(*snapshot.copy_of));
    snapshot.track = calloc(words * 64 + 1, sizeof(*snapshot.track));
    snapshot.always = calloc(frames + 1, sizeof(*snapshot.always));
    snapshot.dirty = calloc(frames + 1, sizeof(*snapshot.dirty));
    if (snapshot.used == NULL || snapshot.copies == NULL ||
        snapshot.copy_of == NULL || snapshot.track == NULL ||
        snapshot.always == NULL || snapshot.dirty == NULL) {
        ram_snapshot_drop();
        return ERR_NO_MEMORY;
    }
    memcpy(snapshot.used, ram.used, words * sizeof(*snapshot.used));
    copy_frames();
    return OK;
}

/* Drops the newly tracked frames from those that are copied every time. */
static void keep_untracked(void)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < snapshot.always_count; i++) {
        if (snapshot.track[snapshot.always[i].frame] == TRACK_ALWAYS)
            snapshot.always[kept++] = snapshot.always[i];
    }
    snapshot.always_count = kept;
    snapshot.always_stale = false;
}

void ram_track(hpa_t start, uint64_t size)
{
    uint64_t first = (start.raw - RAM_BASE) / PAGE_SIZE;
    uint64_t end = first + (size + PAGE_SIZE - 1) / PAGE_SIZE;

    CHECK(snapshot.taken && ram_is_allocated(start, size));
    for (uint64_t frame = first; frame < end; frame++)
        snapshot.track[frame] = TRACK_CLEAN;
    snapshot.always_stale = true;
    ram_is_tracking = true;
}

static void note_frame(uint64_t frame)
{
    if (frame >= snapshot.words * 64 || snapshot.track[frame] != TRACK_CLEAN)
        return;
    snapshot.track[frame] = TRACK_DIRTY;
    snapshot.dirty[snapshot.dirty_count++] =
        (struct saved_frame){(uint32_t)frame, snapshot.copy_of[frame]};
}

void ram_note_tracked_write(hpa_t start, uint64_t size)
{
    uint64_t first = (start.raw - RAM_BASE) / PAGE_SIZE;
    uint64_t last = (start.raw + size - 1 - RAM_BASE) / PAGE_SIZE;

    if (size == 0)
        return;
    for (uint64_t frame = first; frame <= last; frame++)
        note_frame(frame);
}

/* Frames that were allocated since may not be touched any more, those that
 * were freed may again. */
static void restore_poison(uint64_t word, uint64_t now, uint64_t then)
{
    for (uint64_t bits = now & ~then; bits != 0; bits &= bits - 1)
        ASAN_POISON_MEMORY_REGION(ram_frame(word * 64 + bit_lowest(bits)),
                                  PAGE_SIZE);
    for (uint64_t bits = then & ~now; bits != 0; bits &= bits - 1)
        ASAN_UNPOISON_MEMORY_REGION(ram_frame(word * 64 + bit_lowest(bits)),
                                    PAGE_SIZE);
}

static void restore_allocator(void)
{
    uint64_t words = (ram.touched + 63) / 64;

    for (uint64_t word = 0; word < words; word++) {
        uint64_t then = word < snapshot.words ? snapshot.used[word] : 0;

        if (ram.used[word] != then)
            restore_poison(word, ram.used[word], then);
        ram.used[word] = then;
    }
    ram.hint = snapshot.hint;
    ram.in_use = snapshot.in_use;
    ram.peak = snapshot.peak;
}

static void copy_back(const struct saved_frame *saved)
{
    memcpy(ram_frame(saved->frame),
           snapshot.copies + (size_t)saved->copy * PAGE_SIZE, PAGE_SIZE);
}

void ram_snapshot_restore(void)
{
    CHECK(snapshot.taken);
    if (unlikely(snapshot.always_stale))
        keep_untracked();
    restore_allocator();
    for (uint32_t i = 0; i < snapshot.always_count; i++)
        copy_back(&snapshot.always[i]);
    for (uint32_t i = 0; i < snapshot.dirty_count; i++) {
        copy_back(&snapshot.dirty[i]);
        snapshot.track[snapshot.dirty[i].frame] = TRACK_CLEAN;
    }
    snapshot.dirty_count = 0;
}
