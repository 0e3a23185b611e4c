/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fake RAM: the host memory of the process. One window of host-physical
 * addresses, backed by one anonymous mapping, and a frame allocator whose
 * choices depend on nothing but the calls made before: the lowest free run
 * that fits. It implements hv/api/memory.h.
 *
 * Frames come zeroed. Freeing what is not allocated ends the process; under
 * AddressSanitizer a freed frame may not be touched either. The allocator may
 * be called from several threads at once.
 */
#ifndef SIM_RAM_H
#define SIM_RAM_H

#include "api/memory.h"

/* Where the window starts, as on QEMU's virt machine, unless ram_reset_at() has
 * put it elsewhere. */
#define RAM_BASE         UINT64_C(0x80000000)
#define RAM_DEFAULT_SIZE (UINT64_C(1) << 30)
#define RAM_MAX_SIZE     (UINT64_C(16) << 30)

/*
 * Frees every frame. `bytes` is the window's size from now on: a multiple of
 * PAGE_SIZE, RAM_MAX_SIZE at most, 0 to keep the size it has. Without any
 * call, the window has RAM_DEFAULT_SIZE.
 */
void ram_reset(uint64_t bytes);
/* The same with a window that starts at `base`, a multiple of PAGE_SIZE and not
 * 0: until the next ram_reset(). */
void ram_reset_at(uint64_t base, uint64_t bytes);

uint64_t ram_base(void);

uint64_t ram_size(void);

/* Frames that are allocated at present: 0 again when nothing has leaked. */
uint64_t ram_frames_in_use(void);

/* The most that ever were, since the last reset. */
uint64_t ram_frames_peak(void);

/* Whether all of [address, address + size) lies in allocated frames. */
bool ram_is_allocated(hpa_t address, uint64_t size);

/* Where that is, or NULL if not all of it lies in allocated frames. */
void *ram_pointer(hpa_t address, uint64_t size);

/* Changes whenever frames are freed, one way or another: what was allocated is
 * so still, as long as this is the same. */
uint64_t ram_frees(void);

/* Whether [address, address + size) lies in the window. */
static inline bool ram_has(uint64_t address, uint64_t size)
{
    return address >= ram_base() && size <= ram_size() &&
           address - ram_base() <= ram_size() - size;
}

/*
 * A snapshot of all allocated frames, of which there is one at a time; a
 * ram_reset() drops it. The restore gives the allocator its state of then, and
 * the frames their contents.
 *
 * Frames of a range handed to ram_track() (not before the snapshot is taken)
 * are copied back only if ram_note_write() has said that they changed: that
 * is for memory which is only written through hv/api/memory.h and by fake
 * hardware, which say so.
 */
err_t ram_snapshot_take(void) MUST_CHECK;
void ram_snapshot_restore(void);
void ram_snapshot_drop(void);
void ram_track(hpa_t start, uint64_t size);

/*
 * From soon on, of the other frames too, those are copied back that were
 * written to. It is found out by write-protecting them, at the price of a few
 * SIGSEGVs, which a debugger must pass on. Not for memory that the kernel
 * writes: it would fail instead of faulting.
 */
void ram_snapshot_watch(void);

/* Whether writes are to be noted at present. */
extern bool ram_is_tracking;
void ram_note_tracked_write(hpa_t start, uint64_t size);

static inline void ram_note_write(hpa_t start, uint64_t size)
{
    if (unlikely(ram_is_tracking))
        ram_note_tracked_write(start, size);
}

#endif
