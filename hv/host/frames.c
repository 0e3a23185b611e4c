/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame allocator, and with it the memory module of hv/api.
 *
 * RAM without what is reserved falls into a few pieces, the zones. Each has a
 * bitmap, one bit per frame, set while the frame is free, and above it a
 * summary, one bit per word of the bitmap, set while the word has a free
 * frame; `first` says below which word of the summary nothing is free. A CPU
 * takes the frames of a whole word at a time and hands them out one by one,
 * without the lock; a frame that is freed goes back to the bitmap. So taking
 * and freeing a frame costs about the same however large the machine is, any
 * frame of a run can be freed by itself, and a frame that is freed twice is
 * noticed. When memory runs out, up to 63 free frames are left at each other
 * CPU.
 *
 * Frames are cleared when they are handed out, outside the lock.
 */
#include "api/memory.h"
#include "host/board.h"
#include "host/host.h"
#include "host/machine.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "lib/shared.h"
#include "lib/string.h"

#define WORD_BITS 64

struct zone {
    uint64_t start; /* host-physical address of frame 0 */
    uint64_t frames;
    uint64_t free;
    uint64_t first;
    uint64_t *bitmap;
    uint64_t *summary;
};

/* Every reserved range can split a piece of RAM in two. */
#define MAX_ZONES (BOARD_MAX_RAM + BOARD_MAX_RESERVED)

static struct {
    struct spinlock lock;
    unsigned zone_count;
    struct zone zones[MAX_ZONES]; /* the largest first */
} frames;

static uint64_t words_for(uint64_t bits)
{
    return (bits + WORD_BITS - 1) / WORD_BITS;
}

static void set_first_bits(uint64_t *words, uint64_t bits)
{
    memset(words, 0xff, bits / WORD_BITS * sizeof(*words));
    if (bits % WORD_BITS != 0)
        words[bits / WORD_BITS] = BIT(bits % WORD_BITS) - 1;
}

/* Bits low to low + count - 1 of a word. */
static uint64_t word_mask(uint64_t low, uint64_t count)
{
    return BIT_MASK(low + count - 1, low);
}

static void zone_mark_free(struct zone *zone, uint64_t word, uint64_t mask)
{
    uint64_t above = word / WORD_BITS;

    CHECK((zone->bitmap[word] & mask) == 0); /* not free already */
    zone->bitmap[word] |= mask;
    zone->summary[above] |= BIT(word % WORD_BITS);
    if (above < zone->first)
        zone->first = above;
}

static void zone_mark_used(struct zone *zone, uint64_t word, uint64_t mask)
{
    zone->bitmap[word] &= ~mask;
    if (zone->bitmap[word] == 0)
        zone->summary[word / WORD_BITS] &= ~BIT(word % WORD_BITS);
}

/* Calls `mark` for each word of a run of frames. */
static void zone_mark_run(struct zone *zone, uint64_t frame, uint64_t count,
                          void (*mark)(struct zone *, uint64_t, uint64_t))
{
    while (count != 0) {
        uint64_t low = frame % WORD_BITS;
        uint64_t piece = count < WORD_BITS - low ? count : WORD_BITS - low;

        mark(zone, frame / WORD_BITS, word_mask(low, piece));
        frame += piece;
        count -= piece;
    }
}

/* Takes all free frames of a word. The zone has a free frame. */
static uint64_t zone_take_word(struct zone *zone, uint64_t *base)
{
    uint64_t word, mask;

    while (zone->summary[zone->first] == 0)
        zone->first++;
    word = zone->first * WORD_BITS + bit_lowest(zone->summary[zone->first]);
    mask = zone->bitmap[word];
    zone_mark_used(zone, word, mask);
    zone->free -= bit_count(mask);
    *base = zone->start + word * WORD_BITS * PAGE_SIZE;
    return mask;
}

/* The first frame from `frame` on, below `end`, that is (not) free. */
static uint64_t zone_find(const struct zone *zone, uint64_t frame, uint64_t end,
                          bool is_free)
{
    uint64_t flip = is_free ? 0 : ~UINT64_C(0);

    while (frame < end) {
        uint64_t word =
            (zone->bitmap[frame / WORD_BITS] ^ flip) >> frame % WORD_BITS;
        if (word != 0) {
            frame += bit_lowest(word);
            break;
        }
        frame += WORD_BITS - frame % WORD_BITS;
    }
    return frame < end ? frame : end;
}

/* Takes the lowest run of `count` frames; false when there is none. */
static bool zone_take_run(struct zone *zone, uint64_t count, uint64_t align,
                          uint64_t *run)
{
    uint64_t frame = 0;

    while (zone->free >= count) {
        uint64_t end;

        frame = zone_find(zone, frame, zone->frames, true);
        frame =
            (align_up(zone->start + frame * PAGE_SIZE, align) - zone->start) /
            PAGE_SIZE;
        if (frame > zone->frames || zone->frames - frame < count)
            return false;
        end = zone_find(zone, frame, frame + count, false);
        if (end == frame + count) {
            zone_mark_run(zone, frame, count, zone_mark_used);
            zone->free -= count;
            *run = frame;
            return true;
        }
        frame = end;
    }
    return false;
}

static struct zone *zone_of(hpa_t address)
{
    for (unsigned i = 0; i < frames.zone_count; i++) {
        struct zone *zone = &frames.zones[i];
        if (address.raw - zone->start < zone->frames * PAGE_SIZE)
            return zone;
    }
    return NULL;
}

/* Gives this CPU free frames, unless there are none. */
static __attribute__((noinline)) void refill(struct host_cpu *cpu)
{
    spin_lock(&frames.lock);
    for (unsigned i = 0; i < frames.zone_count && cpu->frame_mask == 0; i++) {
        struct zone *zone = &frames.zones[i];
        if (zone->free != 0)
            cpu->frame_mask = zone_take_word(zone, &cpu->frame_base);
    }
    spin_unlock(&frames.lock);
}

hpa_t memory_alloc_frame_impl(void)
{
    struct host_cpu *cpu = machine_this_cpu();
    hpa_t frame;

    if (unlikely(cpu->frame_mask == 0)) {
        refill(cpu);
        if (cpu->frame_mask == 0)
            return HPA_NONE;
    }
    frame = hpa(cpu->frame_base + bit_lowest(cpu->frame_mask) * PAGE_SIZE);
    cpu->frame_mask &= cpu->frame_mask - 1;
    machine_clear_pages(frame.raw, 1);
    return frame;
}

hpa_t memory_alloc_contiguous_impl(size_t count, size_t align)
{
    hpa_t found = HPA_NONE;
    uint64_t frame;

    if (align < PAGE_SIZE)
        align = PAGE_SIZE;
    if (count == 0 || !is_power_of_two(align))
        return HPA_NONE;
    spin_lock(&frames.lock);
    for (unsigned i = 0; i < frames.zone_count; i++) {
        struct zone *zone = &frames.zones[i];
        if (zone_take_run(zone, count, align, &frame)) {
            found = hpa(zone->start + frame * PAGE_SIZE);
            break;
        }
    }
    spin_unlock(&frames.lock);
    if (!hpa_is_none(found))
        machine_clear_pages(found.raw, count);
    return found;
}

void memory_free_contiguous_impl(hpa_t first, size_t count)
{
    struct zone *zone = zone_of(first);
    uint64_t frame;

    CHECK(zone != NULL && is_aligned(first.raw, PAGE_SIZE));
    frame = (first.raw - zone->start) / PAGE_SIZE;
    CHECK(count <= zone->frames - frame);
    spin_lock(&frames.lock);
    zone_mark_run(zone, frame, count, zone_mark_free);
    zone->free += count;
    spin_unlock(&frames.lock);
}

/* A frame in the hands of a CPU that has not handed it out is free, too. */
static bool is_kept(uint64_t frame)
{
    const struct host_cpu *cpu = machine_this_cpu();
    uint64_t index = (frame - cpu->frame_base) / PAGE_SIZE;

    return index < WORD_BITS && (cpu->frame_mask & BIT(index)) != 0;
}

void memory_free_frame_impl(hpa_t frame)
{
    CHECK(!is_kept(frame.raw));
    memory_free_contiguous_impl(frame, 1);
}

/* The image maps RAM where it is. */
void *memory_phys_to_virt(hpa_t address)
{
    return (void *)(uintptr_t)address.raw;
}

hpa_t memory_virt_to_phys(const void *pointer)
{
    return hpa((uint64_t)(uintptr_t)pointer);
}

size_t memory_read_guest_impl(hpa_t from, void *to, size_t size)
{
    shared_read(to, memory_phys_to_virt(from), size);
    return size;
}

EXIT_PATH uint64_t memory_read_word_impl(hpa_t from)
{
    return shared_read_word(memory_phys_to_virt(from));
}

EXIT_PATH bool memory_has_words_impl(const struct memory_word *words,
                                     unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (shared_read_word(memory_phys_to_virt(words[i].at)) !=
            words[i].value)
            return false;
    }
    return true;
}

void memory_write_guest_impl(hpa_t to, const void *from, size_t size)
{
    shared_write(memory_phys_to_virt(to), from, size);
}

uint64_t memory_exchange_guest_impl(hpa_t at, uint64_t old, uint64_t new,
                                    size_t size)
{
    return shared_exchange(memory_phys_to_virt(at), old, new, size);
}

void memory_move_impl(hpa_t to, hpa_t from, size_t size)
{
    memcpy(memory_phys_to_virt(to), memory_phys_to_virt(from), size);
}

void memory_clear_impl(hpa_t at, size_t size)
{
    if (size != 0 && is_aligned(at.raw | size, PAGE_SIZE))
        machine_clear_pages(at.raw, size / PAGE_SIZE);
    else
        memset(memory_phys_to_virt(at), 0, size);
}

uint64_t frames_free_count(void)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < frames.zone_count; i++)
        count += frames.zones[i].free;
    return count;
}

/* Makes a zone of [start, end), whose first frames hold its maps. */
static void zone_add(uint64_t start, uint64_t end)
{
    uint64_t count, words, above, maps;
    struct zone *zone;
    unsigned at;

    start = align_up(start, PAGE_SIZE);
    end = align_down(end, PAGE_SIZE);
    if (start == 0) /* frame 0 would be HPA_NONE */
        start = PAGE_SIZE;
    count = end > start ? (end - start) / PAGE_SIZE : 0;
    words = words_for(count);
    above = words_for(words);
    maps = align_up((words + above) * sizeof(uint64_t), PAGE_SIZE) / PAGE_SIZE;
    if (count <= maps || frames.zone_count == MAX_ZONES)
        return;
    for (at = frames.zone_count++; at > 0; at--) {
        if (frames.zones[at - 1].frames >= count)
            break;
        frames.zones[at] = frames.zones[at - 1];
    }
    zone = &frames.zones[at];
    *zone = (struct zone){.start = start, .frames = count, .free = count};
    zone->bitmap = memory_phys_to_virt(hpa(start));
    zone->summary = zone->bitmap + words;
    set_first_bits(zone->bitmap, count);
    set_first_bits(zone->summary, words);
    zone_mark_run(zone, 0, maps, zone_mark_used);
    zone->free -= maps;
}

/* Adds what [start, end) has outside of the reserved ranges. */
static void add_unreserved(const struct board *board, uint64_t start,
                           uint64_t end)
{
    while (start < end) {
        uint64_t stop = end, next = end;

        for (uint32_t i = 0; i < board->reserved_count; i++) {
            struct range range = board->reserved[i];
            if (range_end(range) <= start || range.start >= stop)
                continue;
            stop = range.start > start ? range.start : start;
            next = range_end(range);
        }
        zone_add(start, stop);
        start = next;
    }
}

void frames_init(const struct board *board, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < board->ram_count; i++) {
        struct range ram = board->ram[i];
        add_unreserved(board, ram.start > start ? ram.start : start,
                       range_end(ram) < end ? range_end(ram) : end);
    }
}

void frames_for_each_zone(void (*visit)(uint64_t start, uint64_t size))
{
    for (unsigned i = 0; i < frames.zone_count; i++)
        visit(frames.zones[i].start, frames.zones[i].frames * PAGE_SIZE);
}
