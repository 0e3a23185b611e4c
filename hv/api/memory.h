/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host memory: frames, the mapping between host-physical addresses and
 * pointers, and the only six ways in which hypervisor code touches memory
 * that a guest can touch.
 *
 * The six guest-memory functions take a range that the address space has
 * already checked to lie in one run of the guest's RAM. Callers outside
 * hv/addrspace use aspace_read() and its like instead.
 */
#ifndef API_MEMORY_H
#define API_MEMORY_H

#include "api/api.h"

/* 8 bytes of guest RAM at a multiple of 8, as somebody has read them. */
struct memory_word {
    hpa_t at;
    uint64_t value;
};

/* clang-format off */
#define MEMORY_API(FN, PROC, GET, PUT)                                         \
    /* One zeroed frame of PAGE_SIZE bytes; HPA_NONE when none is left. */     \
    FN(hpa_t, memory_alloc_frame, (void), (), (0), FEED, HPA_NONE)             \
    /* `frames` zeroed frames in one run, whose start is a multiple of `align` \
     * bytes (a power of two; less than PAGE_SIZE counts as PAGE_SIZE).        \
     * HPA_NONE when there is no such run, or `frames` is 0. */                \
    FN(hpa_t, memory_alloc_contiguous, (size_t frames, size_t align),          \
       (frames, align), (frames, align), FEED, HPA_NONE)                       \
    /* Take back frames that the functions above returned, in whatever pieces: \
     * a run may come back frame by frame, and frames that happen to adjoin as \
     * one run. */                                                             \
    PROC(memory_free_frame, (hpa_t frame), (frame), (frame.raw), FEED)         \
    PROC(memory_free_contiguous, (hpa_t first, size_t frames),                 \
         (first, frames), (first.raw, frames), FEED)                           \
    /* Copies guest RAM to `to`. The guest may be changing it: look only at    \
     * the copy. 2, 4 or 8 bytes at a multiple of their size are one load, so  \
     * that a word which the guest stores at once is not seen half stored.     \
     * Returns `size`. */                                                      \
    GET(memory_read_guest, (hpa_t from, void *to, size_t size),                \
        (from, to, size), (from.raw), to, size)                                \
    /* The same of 8 bytes at a multiple of 8, by value. */                    \
    FN(uint64_t, memory_read_word, (hpa_t from), (from), (from.raw), FEED,     \
       NEVER_FAILS)                                                            \
    /* Whether guest RAM holds these words, 1 or more: each is read once, up to\
     * the first that differs. What is expected mostly needs no more than this \
     * in a trace. */                                                          \
    FN(bool, memory_has_words,                                                 \
       (const struct memory_word *words, unsigned count), (words, count),      \
       (words[count - 1].at.raw), FEED, NEVER_FAILS)                           \
    /* Copies `from` to guest RAM; 2, 4 or 8 bytes at a multiple of their size \
     * by one store. */                                                        \
    PUT(memory_write_guest, (hpa_t to, const void *from, size_t size),         \
        (to, from, size), (to.raw), from, size)                                \
    /* 4 or 8 bytes of guest RAM, at a multiple of that, become `new` if they  \
     * are `old`, at once. Returns what they were. */                          \
    FN(uint64_t, memory_exchange_guest,                                        \
       (hpa_t at, uint64_t old, uint64_t new, size_t size),                    \
       (at, old, new, size), (at.raw, old, new, size), FEED, NEVER_FAILS)      \
    /* Moves bytes that the hypervisor never looks at (image bytes, disk       \
     * sectors) from host memory or guest RAM to guest RAM or a disk's host    \
     * memory; the ranges do not overlap. A trace holds the move, not the      \
     * bytes. */                                                               \
    PROC(memory_move, (hpa_t to, hpa_t from, size_t size), (to, from, size),   \
         (to.raw, from.raw, size), FEED)                                       \
    /* Clears guest RAM. */                                                    \
    PROC(memory_clear, (hpa_t at, size_t size), (at, size), (at.raw, size),    \
         FEED)
/* clang-format on */

API_DECLARE(MEMORY_API)

/*
 * The pointer to host-physical `address`, and back. Valid for what the
 * functions above allocate; ranges stay contiguous. Guest RAM is not touched
 * through such a pointer.
 */
void *memory_phys_to_virt(hpa_t address);
hpa_t memory_virt_to_phys(const void *pointer);

#endif
