/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM's guest-physical address space: its regions, the stage-2 tables made
 * from them, and the only way in which the hypervisor reads and writes guest
 * memory.
 *
 * Every function may be called from any CPU at any time; the address space
 * has its own lock, the innermost of the hypervisor's locks but for those of
 * the host. A function that fails changes nothing and keeps nothing.
 *
 * Addresses and sizes of mappings are multiples of PAGE_SIZE, sizes not 0:
 * ERR_INVALID_INPUT otherwise. A range that leaves the format's guest-physical
 * width, or wraps, is ERR_OUT_OF_RANGE.
 *
 * When translations are flushed:
 *   - not when an entry that was empty becomes valid. A processor may have
 *     kept that there was nothing, which only RISC-V permits, and fault once
 *     more; then the fault finds the access allowed already, and the vCPU
 *     flushes its own translation: see aspace_handle_fault();
 *   - everything else is flushed once per operation, after the old entries
 *     are gone and before new ones take their place or a frame is freed.
 */
#ifndef ADDRSPACE_ASPACE_H
#define ADDRSPACE_ASPACE_H

#include <stdatomic.h>

#include "addrspace/format.h"
#include "addrspace/walk.h"
#include "lib/compiler.h"
#include "lib/error.h"
#include "lib/spinlock.h"
#include "vcpu/exit.h"

#define ASPACE_MAX_REGIONS 32

/*
 * Who is told that translations have become stale. Called at most once per
 * operation, with the address space's lock held. [start, start + size) is the
 * range whose leaves have changed; it is all that the format can address when
 * entries that point to tables have changed, since fences of a range need not
 * cover those.
 */
struct aspace_flusher {
    void (*flush)(void *context, gpa_t start, uint64_t size);
    void *context;
};

enum region_backing {
    BACKING_LINEAR, /* gpa and hpa differ by a constant; not owned */
    BACKING_LAZY,   /* frames come on first touch, and are owned */
    BACKING_HIDDEN, /* linear, for guests' accesses alone */
};

struct region {
    gpa_t start;
    uint64_t size;
    unsigned flags; /* enum mem_flags */
    enum region_backing backing;
    uint64_t mapping;    /* the mapping it is a part of: only such parts join */
    uint64_t *dirty;     /* one bit per page while dirty tracking is on */
    size_t dirty_frames; /* frames of that bitmap */
};

struct aspace {
    /* Constant: what a vCPU needs to enter the guest. */
    const struct s2_format *format;
    hpa_t root;

    struct aspace_flusher flusher;
    _Atomic uint64_t generation; /* see aspace_generation() */
    struct spinlock lock;        /* guards what follows, and the tables */
    struct s2_hint hint;
    uint64_t mappings; /* how many were ever made */
    unsigned last_hit; /* the region found last; one of size 0 is none */
    unsigned region_count;
    /* By address, disjoint. Two to spare, while a range is being cut out. */
    struct region regions[ASPACE_MAX_REGIONS + 2];
};

/* An empty address space. `flusher` may be NULL. ERR_NO_MEMORY. */
err_t aspace_init(struct aspace *aspace, const struct s2_format *format,
                  const struct aspace_flusher *flusher) MUST_CHECK;
/* Unmaps everything and frees the tables. Harmless after a failed init. */
void aspace_fini(struct aspace *aspace);

/*
 * Maps [start, start + size) to host memory at `to`, now, with the largest
 * leaves that alignment permits. ERR_ALREADY_EXISTS on overlap with a region,
 * ERR_NO_MEMORY (also when ASPACE_MAX_REGIONS exist). `flags`: MEM_ACCESS, of
 * which MEM_WRITE brings MEM_READ with it, as no format has the one without
 * the other, and at most one of MEM_TYPE; else ERR_INVALID_INPUT.
 */
err_t aspace_map_linear(struct aspace *aspace, gpa_t start, hpa_t to,
                        uint64_t size, unsigned flags) MUST_CHECK;
/*
 * The same, readable and writable, for a processor that answers there by itself
 * and wants a mapping: it is a hole to all functions below but aspace_unmap().
 */
err_t aspace_map_hidden(struct aspace *aspace, gpa_t start, hpa_t to,
                        uint64_t size) MUST_CHECK;
/*
 * Maps [start, start + size) to zeroed frames of its own. They are allocated
 * on first touch, one by one, or all of them now if `populate`, in runs as
 * large as leaves can be and the host has them. Errors as above.
 */
err_t aspace_map_lazy(struct aspace *aspace, gpa_t start, uint64_t size,
                      unsigned flags, bool populate) MUST_CHECK;
/*
 * Removes mappings; parts of regions are removed by splitting them. What is
 * not mapped is passed over. Owned frames are freed after the flush.
 * ERR_NO_MEMORY when a region or a leaf would have to be split and cannot be;
 * ERR_BUSY when it is tracked (below).
 */
err_t aspace_unmap(struct aspace *aspace, gpa_t start,
                   uint64_t size) MUST_CHECK;
/*
 * Changes what [start, start + size), all of it mapped, allows: ERR_NOT_FOUND
 * for a hole. Only MEM_ACCESS of `flags` counts. Leaves are split where the
 * range asks for it, and merged again where neighbours have become alike.
 * ERR_NO_MEMORY and ERR_BUSY as above.
 */
err_t aspace_protect(struct aspace *aspace, gpa_t start, uint64_t size,
                     unsigned flags) MUST_CHECK;

/*
 * Resolves a stage-2 fault: OK when the guest may retry. `access` holds one
 * or more of enum access. ERR_NOT_FOUND: no region there. ERR_DENIED: the
 * region does not allow it. ERR_NO_MEMORY. `resolved`, if not NULL, tells
 * whether an entry was changed. If not, the access was allowed already, since
 * another vCPU has resolved the same fault: then the caller flushes what the
 * faulting vCPU holds of this page, or it may fault forever.
 */
err_t aspace_handle_fault(struct aspace *aspace, gpa_t address, unsigned access,
                          bool *resolved) MUST_CHECK;

/*
 * Where `address` is mapped at present, what its region allows, and how many
 * bytes from it on are mapped in one run: to the leaf's or the region's end.
 * Result pointers may be NULL. ERR_NOT_FOUND, also for a page never touched.
 */
err_t aspace_translate(struct aspace *aspace, gpa_t address, hpa_t *to,
                       unsigned *flags, uint64_t *run) MUST_CHECK;

/*
 * Guest memory. A lazy page that was never touched is brought in; a range may
 * cross pages and regions. Reads need MEM_READ, writes MEM_WRITE, which
 * ERR_DENIED says; ERR_NOT_FOUND for a hole, ERR_NO_MEMORY. On an error, a
 * prefix of the range may have been transferred. A size of 0 is OK anywhere.
 * The lock is not held throughout: what others do meanwhile may show in a part
 * of the range.
 */
err_t aspace_read(struct aspace *aspace, gpa_t from, void *to,
                  size_t size) MUST_CHECK;
err_t aspace_write(struct aspace *aspace, gpa_t to, const void *from,
                   size_t size) MUST_CHECK;
/* 4 or 8 bytes, at a multiple of that, become `new` if they are `old`, at once:
 * `found` is what they were. ERR_INVALID_INPUT for another address. */
err_t aspace_exchange(struct aspace *aspace, gpa_t at, uint64_t old,
                      uint64_t new, size_t size, uint64_t *found) MUST_CHECK;
/* Moves between guest memory and host memory that the guest does not see (a
 * disk's), without looking at the bytes. */
err_t aspace_move_out(struct aspace *aspace, gpa_t from, hpa_t to,
                      uint64_t size) MUST_CHECK;
err_t aspace_move_in(struct aspace *aspace, gpa_t to, hpa_t from,
                     uint64_t size) MUST_CHECK;
/*
 * The loader may also write where the guest may not: these ignore the region's
 * flags. Clearing does not bring pages in: one never touched is clear.
 */
err_t aspace_load(struct aspace *aspace, gpa_t to, hpa_t from,
                  uint64_t size) MUST_CHECK; /* aspace_move_in */
err_t aspace_store(struct aspace *aspace, gpa_t to, const void *from,
                   size_t size) MUST_CHECK; /* aspace_write */
err_t aspace_clear(struct aspace *aspace, gpa_t start,
                   uint64_t size) MUST_CHECK;

/*
 * Changes whenever what was mapped may be no longer, before its frames are
 * freed: who has remembered a translation, and what it was then, and finds the
 * same after having read there, has read the guest's memory.
 */
static inline uint64_t aspace_generation(struct aspace *aspace)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&aspace->generation, memory_order_acquire);
}

/*
 * Dirty tracking of whole regions: from `start` on, pages written by the
 * guest or by aspace_write and its like are marked. `collect` copies the
 * marks of [start, start + size), which lies in one tracked region, to
 * `bitmap` (bit n: page n of the range), clears them, and makes the next
 * write mark again. ERR_BAD_STATE when the region is not tracked, ERR_BUSY
 * when it already is, ERR_NOT_FOUND, ERR_NO_MEMORY.
 *
 * Guest writes are noticed by write protection, page by page, and cost one
 * fault each; when memory is too short to split a large leaf, the whole of it
 * is marked instead. A tracked region is not divided: unmapping or protecting
 * a part of it is ERR_BUSY.
 */
err_t aspace_dirty_start(struct aspace *aspace, gpa_t in_region) MUST_CHECK;
err_t aspace_dirty_collect(struct aspace *aspace, gpa_t start, uint64_t size,
                           uint64_t *bitmap) MUST_CHECK;
err_t aspace_dirty_stop(struct aspace *aspace, gpa_t in_region) MUST_CHECK;

#endif
