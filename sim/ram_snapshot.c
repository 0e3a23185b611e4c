/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of the fake RAM: see ram.h. A restore costs a copy of the frames
 * that may have changed, and nothing for those that were allocated since.
 *
 * Which frames the hypervisor itself may have changed nobody says: it writes
 * them through pointers. So those that seem to rest are watched: protected, so
 * that the next write to one faults; from then on it is copied back, until it
 * rests again.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/check.h"
#include "sim/ram_internal.h"

/* How a frame of the snapshot is copied back: at each restore; if it was
 * dirty; once it is written to, at each restore. */
enum track { TRACK_ALWAYS, TRACK_CLEAN, TRACK_DIRTY, TRACK_WATCHED };

/* So many restores in a row must have found a frame unchanged before it is
 * watched: looking at it so often costs more than the fault that may follow. */
#define WATCH_AFTER 192

struct saved_frame {
    uint32_t frame;
    uint32_t copy;   /* number of its copy */
    uint32_t rested; /* restores that have found it unchanged, in a row */
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
    bool watch;        /* wanted */
    uint32_t always_count, dirty_count;
    struct saved_frame *always; /* those that are copied back every time */
    struct saved_frame *dirty;  /* the tracked ones that have changed */
} snapshot;

bool ram_is_tracking;
static struct sigaction fault_before;

static void protect(uint64_t frame, int protection)
{
    if (mprotect(ram_frame(frame), PAGE_SIZE, protection) != 0)
        abort();
}

static void end_watch(uint64_t frame)
{
    protect(frame, PROT_READ | PROT_WRITE);
    snapshot.track[frame] = TRACK_ALWAYS;
    snapshot.always[snapshot.always_count++] =
        (struct saved_frame){(uint32_t)frame, snapshot.copy_of[frame], 0};
}

/* Only what was watched is ours; anything else goes where it always has. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
    uint64_t at = (uint64_t)((uintptr_t)info->si_addr - (uintptr_t)ram.window);

    if (at < snapshot.words * 64 * PAGE_SIZE &&
        snapshot.track[at / PAGE_SIZE] == TRACK_WATCHED)
        end_watch(at / PAGE_SIZE);
    else if ((fault_before.sa_flags & SA_SIGINFO) != 0)
        fault_before.sa_sigaction(signal, info, context);
    else
        sigaction(SIGSEGV, &fault_before, NULL); /* and it faults again */
}

static void catch_faults(void)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static bool caught;

    if (!caught && sigaction(SIGSEGV, &action, &fault_before) != 0)
        abort();
    caught = true;
}

/* Frame `i` of `always` is not among them any more. */
static void watch(uint32_t i)
{
    uint32_t frame = snapshot.always[i].frame;

    catch_faults();
    protect(frame, PROT_READ);
    snapshot.track[frame] = TRACK_WATCHED;
    snapshot.always[i] = snapshot.always[--snapshot.always_count];
}

static void end_all_watches(void)
{
    for (uint64_t frame = 0; frame < snapshot.words * 64; frame++) {
        if (snapshot.track[frame] == TRACK_WATCHED)
            end_watch(frame);
    }
}

void ram_snapshot_watch(void)
{
    CHECK(snapshot.taken);
    snapshot.watch = true;
}

void ram_snapshot_drop(void)
{
    if (!snapshot.taken)
        return;
    if (snapshot.watch)
        end_all_watches();
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
        snapshot.always[copy] = (struct saved_frame){(uint32_t)frame, copy, 0};
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
    uint64_t first = (start.raw - ram.base) / PAGE_SIZE;
    uint64_t end = first + (size + PAGE_SIZE - 1) / PAGE_SIZE;

    CHECK(snapshot.taken && ram_is_allocated(start, size));
    for (uint64_t frame = first; frame < end; frame++) {
        if (snapshot.track[frame] == TRACK_WATCHED)
            end_watch(frame);
        snapshot.track[frame] = TRACK_CLEAN;
    }
    snapshot.always_stale = true;
    ram_is_tracking = true;
}

bool ram_snapshot_is_tracked(uint64_t frame)
{
    return frame < snapshot.words * 64 &&
           (snapshot.track[frame] == TRACK_CLEAN ||
            snapshot.track[frame] == TRACK_DIRTY);
}

static void note_frame(uint64_t frame)
{
    if (frame >= snapshot.words * 64 || snapshot.track[frame] != TRACK_CLEAN)
        return;
    snapshot.track[frame] = TRACK_DIRTY;
    snapshot.dirty[snapshot.dirty_count++] =
        (struct saved_frame){(uint32_t)frame, snapshot.copy_of[frame], 0};
}

void ram_note_tracked_write(hpa_t start, uint64_t size)
{
    uint64_t first = (start.raw - ram.base) / PAGE_SIZE;
    uint64_t last = (start.raw + size - 1 - ram.base) / PAGE_SIZE;

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
    ram.frees++;
    ram.peak = snapshot.peak;
}

/* Most of a frame is as it was: writing only what is not is quicker than a
 * memcpy(), all the more as AddressSanitizer looks at that byte by byte. The
 * addresses are the snapshot's own. Whether anything had changed. */
__attribute__((no_sanitize("address", "undefined"))) static bool
copy_back(const struct saved_frame *saved)
{
    bool any = false;
    uint64_t *to = (uint64_t *)(void *)ram_frame(saved->frame);
    const uint64_t *from =
        (const uint64_t *)(const void *)(snapshot.copies +
                                         (size_t)saved->copy * PAGE_SIZE);

    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*to); i += 8) {
        uint64_t changed = 0;

        for (unsigned j = i; j < i + 8; j++)
            changed |= to[j] ^ from[j];
        if (changed == 0)
            continue;
        any = true;
        for (unsigned j = i; j < i + 8; j++)
            to[j] = from[j];
    }
    return any;
}

static void restore_always(void)
{
    for (uint32_t i = 0; i < snapshot.always_count;) {
        struct saved_frame *saved = &snapshot.always[i];

        saved->rested = copy_back(saved) ? 0 : saved->rested + 1;
        if (snapshot.watch && saved->rested >= WATCH_AFTER)
            watch(i);
        else
            i++;
    }
}

void ram_snapshot_restore(void)
{
    CHECK(snapshot.taken);
    if (unlikely(snapshot.always_stale))
        keep_untracked();
    restore_allocator();
    restore_always();
    for (uint32_t i = 0; i < snapshot.dirty_count; i++) {
        (void)copy_back(&snapshot.dirty[i]);
        snapshot.track[snapshot.dirty[i].frame] = TRACK_CLEAN;
    }
    snapshot.dirty_count = 0;
}
