/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fake RAM: see ram.h.
 *
 * The allocator is a bitmap, a bit per frame. Frames beyond the highest that
 * was ever handed out are still as mmap() gave them, zero, and are not cleared
 * again; that and the lowest-first order keep a small machine's memory small
 * and in the cache, however large the window is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/bits.h"
#include "lib/check.h"
#include "lib/compiler.h"
#include "lib/shared.h"
#include "lib/spinlock.h"
#include "sim/ram_internal.h"

/* The address the mapping asks for, so that pointers repeat between runs. */
#define RAM_HINT   ((void *)UINT64_C(0x200000000000))
#define WORD_FULL  (~UINT64_C(0))
#define FRAME_NONE UINT64_MAX

struct ram ram = {.base = RAM_BASE, .frames = RAM_DEFAULT_SIZE / PAGE_SIZE};

static void ram_map(void)
{
    void *at = mmap(RAM_HINT, RAM_MAX_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED) {
        perror("twinax: cannot map the fake RAM");
        exit(EXIT_FAILURE);
    }
    ram.window = at;
    ram.mapped = RAM_MAX_SIZE;
}

/* Called with the lock held, by whatever needs the window. */
static void ram_need_window(void)
{
    if (unlikely(ram.window == NULL))
        ram_map();
}

/* Frames [first, first + count) become used, or free. */
static void mark(uint64_t first, uint64_t count, bool used)
{
    while (count != 0) {
        uint64_t shift = first % 64;
        uint64_t here = 64 - shift < count ? 64 - shift : count;
        uint64_t bits = BIT_MASK(shift + here - 1, shift);

        if (used)
            ram.used[first / 64] |= bits;
        else
            ram.used[first / 64] &= ~bits;
        first += here;
        count -= here;
    }
}

/* The first free frame at or above `frame`, or the window's end. */
static uint64_t next_free(uint64_t frame)
{
    while (frame < ram.frames) {
        uint64_t word = ~ram.used[frame / 64] & (WORD_FULL << frame % 64);

        if (word != 0) {
            frame = align_down(frame, 64) + bit_lowest(word);
            return frame < ram.frames ? frame : ram.frames;
        }
        frame = align_down(frame, 64) + 64;
    }
    return ram.frames;
}

/* How many frames from `first` on are free, `wanted` at most. */
static uint64_t free_run(uint64_t first, uint64_t wanted)
{
    uint64_t run = 0;

    while (run < wanted && first + run < ram.frames) {
        uint64_t frame = first + run;

        if (frame % 64 == 0 && ram.used[frame / 64] == 0)
            run += 64;
        else if (!ram_frame_is_used(frame))
            run++;
        else
            break;
    }
    return run < wanted ? run : wanted;
}

/* The lowest run of `count` free frames that starts at a multiple of `align`
 * bytes of host-physical address, or FRAME_NONE. */
static uint64_t find_run(uint64_t count, uint64_t align)
{
    uint64_t frame = ram.hint;

    for (;;) {
        uint64_t start, run;

        frame = next_free(frame);
        start = align_up(ram.base + frame * PAGE_SIZE, align);
        if (start < ram.base)
            return FRAME_NONE;
        start = (start - ram.base) / PAGE_SIZE;
        if (start >= ram.frames || ram.frames - start < count)
            return FRAME_NONE;
        run = free_run(start, count);
        if (run == count)
            return start;
        frame = start + run + (run == 0);
    }
}

static hpa_t take(uint64_t first, uint64_t count)
{
    uint64_t end = first + count;

    mark(first, count, true);
    if (first == ram.hint)
        ram.hint = end;
    ram.in_use += count;
    if (ram.in_use > ram.peak)
        ram.peak = ram.in_use;
    ASAN_UNPOISON_MEMORY_REGION(ram_frame(first), count * PAGE_SIZE);
    ram_note_write(hpa(ram.base + first * PAGE_SIZE), count * PAGE_SIZE);
    if (first < ram.touched)
        memset(ram_frame(first), 0,
               ((end < ram.touched ? end : ram.touched) - first) * PAGE_SIZE);
    if (end > ram.touched)
        ram.touched = end;
    return hpa(ram.base + first * PAGE_SIZE);
}

static void give_back(hpa_t address, uint64_t count)
{
    uint64_t first = (address.raw - ram.base) / PAGE_SIZE;

    CHECK(is_aligned(address.raw, PAGE_SIZE));
    CHECK(count != 0 && ram_is_allocated(address, count * PAGE_SIZE));
    mark(first, count, false);
    ram.in_use -= count;
    ram.frees++;
    if (first < ram.hint)
        ram.hint = first;
    ASAN_POISON_MEMORY_REGION(ram_frame(first), count * PAGE_SIZE);
}

hpa_t memory_alloc_frame_impl(void)
{
    return memory_alloc_contiguous_impl(1, PAGE_SIZE);
}

hpa_t memory_alloc_contiguous_impl(size_t frames, size_t align)
{
    hpa_t result = HPA_NONE;
    uint64_t first;

    if (frames == 0)
        return HPA_NONE;
    if (align < PAGE_SIZE)
        align = PAGE_SIZE;
    CHECK(is_power_of_two(align));
    spin_lock(&ram.lock);
    ram_need_window();
    first = find_run(frames, align);
    if (first != FRAME_NONE)
        result = take(first, frames);
    spin_unlock(&ram.lock);
    return result;
}

void memory_free_frame_impl(hpa_t frame)
{
    memory_free_contiguous_impl(frame, 1);
}

void memory_free_contiguous_impl(hpa_t first, size_t frames)
{
    spin_lock(&ram.lock);
    give_back(first, frames);
    spin_unlock(&ram.lock);
}

void *memory_phys_to_virt(hpa_t address)
{
    CHECK(ram_has(address.raw, 1));
    ram_need_window();
    return ram.window + (address.raw - ram.base);
}

hpa_t memory_virt_to_phys(const void *pointer)
{
    uint64_t offset = (uint64_t)((uintptr_t)pointer - (uintptr_t)ram.window);

    CHECK(ram.window != NULL && offset < ram.frames * PAGE_SIZE);
    return hpa(ram.base + offset);
}

/* Guest RAM is touched only where the hypervisor has allocated it. */
static uint8_t *guest_pointer(hpa_t address, uint64_t size)
{
    CHECK(ram_is_allocated(address, size));
    return ram.window + (address.raw - ram.base);
}

size_t memory_read_guest_impl(hpa_t from, void *to, size_t size)
{
    shared_read(to, guest_pointer(from, size), size);
    return size;
}

uint64_t memory_read_word_impl(hpa_t from)
{
    return shared_read_word(guest_pointer(from, sizeof(uint64_t)));
}

bool memory_has_words_impl(const struct memory_word *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (shared_read_word(guest_pointer(words[i].at, sizeof(uint64_t))) !=
            words[i].value)
            return false;
    }
    return true;
}

void memory_write_guest_impl(hpa_t to, const void *from, size_t size)
{
    shared_write(guest_pointer(to, size), from, size);
    ram_note_write(to, size);
}

uint64_t memory_exchange_guest_impl(hpa_t at, uint64_t old, uint64_t new,
                                    size_t size)
{
    uint64_t found = shared_exchange(guest_pointer(at, size), old, new, size);

    ram_note_write(at, size);
    return found;
}

void memory_move_impl(hpa_t to, hpa_t from, size_t size)
{
    memcpy(guest_pointer(to, size), guest_pointer(from, size), size);
    ram_note_write(to, size);
}

void memory_clear_impl(hpa_t at, size_t size)
{
    memset(guest_pointer(at, size), 0, size);
    ram_note_write(at, size);
}

uint64_t ram_size(void)
{
    return ram.frames * PAGE_SIZE;
}

uint64_t ram_frames_in_use(void)
{
    return ram.in_use;
}

uint64_t ram_frames_peak(void)
{
    return ram.peak;
}

bool ram_is_allocated(hpa_t address, uint64_t size)
{
    uint64_t first, last;

    if (size == 0)
        return true;
    if (!ram_has(address.raw, size))
        return false;
    first = (address.raw - ram.base) / PAGE_SIZE;
    last = (address.raw + size - 1 - ram.base) / PAGE_SIZE;
    if (likely(first == last))
        return ram_frame_is_used(first);
    for (uint64_t frame = first; frame <= last; frame++) {
        if (!ram_frame_is_used(frame))
            return false;
    }
    return true;
}

void *ram_pointer(hpa_t address, uint64_t size)
{
    if (unlikely(!ram_is_allocated(address, size)))
        return NULL;
    return ram.window + (address.raw - ram.base);
}

uint64_t ram_frees(void)
{
    return ram.frees;
}

uint64_t ram_base(void)
{
    return ram.base;
}

void ram_reset(uint64_t bytes)
{
    ram_reset_at(RAM_BASE, bytes);
}

void ram_reset_at(uint64_t base, uint64_t bytes)
{
    uint64_t words = (ram.touched + 63) / 64;

    ram_snapshot_drop();
    CHECK(is_aligned(bytes, PAGE_SIZE) && bytes <= RAM_MAX_SIZE);
    memset(ram.used, 0, words * sizeof(ram.used[0]));
    if (bytes != 0)
        ram.frames = bytes / PAGE_SIZE;
    ram.base = base;
    ram.hint = 0;
    ram.in_use = 0;
    ram.peak = 0;
    ram.frees++;
}
