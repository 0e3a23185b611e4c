/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtqueues whose driver is the input: where the queue's areas lie, what is
 * in all of memory, and what changes there between any two looks of the
 * device. The input goes on with the calls that a device makes.
 *
 * Every write to memory must be where the call may write: an entry and the
 * index of the used ring, or the writable part of the chain. What is read
 * while a chain is decoded is decoded here once more: the device must come to
 * the same chain, whatever the memory holds by now.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "device/virtio/queue.h"
#include "fuzz/harness.h"
#include "lib/compiler.h"
#include "sim/ram.h"
#include "sim/shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Guest memory: the last page may only be read. Beside it, a disk. */
#define START     UINT64_C(0x80000000)
#define PAGES     4
#define ROM_PAGES 1
#define ALL       ((PAGES + ROM_PAGES + 1) * PAGE_SIZE)
#define DISK      ((PAGES + ROM_PAGES) * PAGE_SIZE) /* offset in memory */

#define MOST_CALLS 64 /* calls of the device, per input */
#define QUEUE_MAX  16

/* No call of a queue of QUEUE_MAX entries takes as many looks at memory. */
#define MOST_SEAM_CALLS 256

/* virtio 1.2, 2.7.5. */
enum { F_NEXT = 1, F_WRITE = 2, F_INDIRECT = 4 };
struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

/* Something that the driver writes while the device works. */
struct change {
    unsigned after; /* so many more reads */
    unsigned offset;
    uint64_t value;
};
#define MOST_CHANGES 8

static struct aspace aspace;
static hpa_t frames;
static uint8_t *memory; /* PAGES, ROM_PAGES, the disk */

static struct {
    struct fuzz_input input;
    struct virtqueue queue;
    struct virtqueue_chain chain;
    bool has_chain;

    uint8_t shadow[ALL]; /* what memory must hold */
    struct {
        uint64_t start, size; /* offsets in memory: may be written now */
    } allowed[QUEUE_MAX + 4];
    unsigned allowed_count;
    unsigned seam_calls; /* of this call of the device */

    uint8_t seen[2 + sizeof(struct desc) * (QUEUE_MAX + 2)];
    size_t seen_size; /* what has been read, of a chain being decoded */

    struct change changes[MOST_CHANGES];
    unsigned change_count;
} run;

/* --- What the device does to memory --- */

static void change_now(struct change *change)
{
    memcpy(memory + change->offset, &change->value, sizeof(change->value));
    memcpy(run.shadow + change->offset, &change->value, sizeof(change->value));
    *change = run.changes[--run.change_count];
}

static void change_memory(void)
{
    for (unsigned i = 0; i < run.change_count;) {
        if (run.changes[i].after-- == 0)
            change_now(&run.changes[i]);
        else
            i++;
    }
}

static bool is_allowed(uint64_t start, uint64_t size)
{
    for (unsigned i = 0; i < run.allowed_count; i++) {
        uint64_t offset = start - run.allowed[i].start;

        if (offset <= run.allowed[i].size &&
            size <= run.allowed[i].size - offset)
            return true;
    }
    return false;
}

static void on_write(uint64_t to, uint64_t size)
{
    uint64_t offset = to - frames.raw;

    cr_assert(offset <= ALL && size <= ALL - offset, "%lu bytes at %lx", size,
              to);
    cr_assert(is_allowed(offset, size), "%lu bytes at offset %lx", size,
              offset);
}

static void before(void *context, const struct shim_call *call)
{
    cr_assert(run.seam_calls++ < MOST_SEAM_CALLS, "this does not end");
    if (call->id == SHIM_memory_read_guest)
        change_memory();
    else if (call->id == SHIM_memory_write_guest)
        on_write(call->args[0], call->result);
    else if (call->id == SHIM_memory_move)
        on_write(call->args[0], call->args[2]);
    else
        cr_assert(false, "%s is called", shim_rows[call->id].name);
}

static void after(void *context, const struct shim_call *call)
{
    uint64_t offset = call->args[0] - frames.raw;

    if (call->id == SHIM_memory_move)
        memcpy(run.shadow + offset, memory + offset, call->args[2]);
    else if (call->id == SHIM_memory_write_guest)
        memcpy(run.shadow + offset, call->bytes, call->result);
    else if (run.seen_size + call->result <= sizeof(run.seen))
        memcpy(run.seen + run.seen_size, call->bytes, call->result);
    if (call->id == SHIM_memory_read_guest)
        run.seen_size += call->result;
}

static const struct shim_hooks hooks = {.before = before, .after = after};

static void allow(uint64_t offset, uint64_t size)
{
    run.allowed[run.allowed_count].start = offset;
    run.allowed[run.allowed_count].size = size;
    run.allowed_count++;
}

static void begin_call(void)
{
    run.allowed_count = 0;
    run.seam_calls = 0;
    run.seen_size = 0;
}

/* --- The chain, decoded once more --- */

/* False: no device may take the descriptors for a chain. */
static bool decode_seen(struct virtqueue_chain *chain)
{
    size_t count = (run.seen_size - 2) / sizeof(struct desc);
    bool indirect = false, ended = false;
    struct desc desc;

    for (size_t i = 0; i < count; i++) {
        bool writable;

        memcpy(&desc, run.seen + 2 + i * sizeof(desc), sizeof(desc));
        ended = (desc.flags & (F_NEXT | F_INDIRECT)) == 0;
        if ((desc.flags & F_INDIRECT) != 0) {
            if (indirect || (desc.flags & F_NEXT) != 0 || desc.len % 16 != 0 ||
                (run.queue.features & VIRTIO_F_INDIRECT_DESC) == 0)
                return false;
            indirect = true;
            continue;
        }
        writable = (desc.flags & F_WRITE) != 0;
        if (chain->count == run.queue.size || (!writable && chain->writable))
            return false;
        chain->pieces[chain->count++] =
            (struct virtqueue_piece){gpa(desc.addr), desc.len};
        chain->readable_count += !writable;
        *(writable ? &chain->writable : &chain->readable) += desc.len;
    }
    return count != 0 && ended;
}

static void check_chain(void)
{
    static struct virtqueue_chain wanted;
    uint16_t head;

    memcpy(&head, run.seen, sizeof(head));
    wanted = (struct virtqueue_chain){.head = head};
    cr_assert(run.seen_size <= sizeof(run.seen), "too much was read");
    cr_assert(decode_seen(&wanted), "this is no chain");
    cr_assert_eq(run.chain.head, wanted.head);
    cr_assert_eq(run.chain.count, wanted.count);
    cr_assert_eq(run.chain.readable_count, wanted.readable_count);
    cr_assert_eq(run.chain.readable, wanted.readable);
    cr_assert_eq(run.chain.writable, wanted.writable);
    for (unsigned i = 0; i < wanted.count; i++)
        cr_assert(run.chain.pieces[i].start.raw == wanted.pieces[i].start.raw &&
                      run.chain.pieces[i].size == wanted.pieces[i].size,
                  "piece %u", i);
}

/* --- What the device calls --- */

static void do_available(void)
{
    uint16_t count;

    begin_call();
    if (virtqueue_available(&run.queue, &count) == OK)
        cr_assert(count <= run.queue.size, "%u available", count);
}

static void do_peek(void)
{
    begin_call();
    run.has_chain = virtqueue_peek(&run.queue, &run.chain) == OK;
    if (run.has_chain)
        check_chain();
}

static void do_answer(void)
{
    struct virtqueue *queue = &run.queue;
    uint64_t used = queue->device.raw - START;
    uint16_t slot = queue->next & (uint16_t)(queue->size - 1);
    uint16_t next = queue->next, index;

    if (!run.has_chain)
        return;
    begin_call();
    allow(used + 4 + 8 * (uint64_t)slot, 8);
    allow(used + 2, 2);
    run.has_chain = false;
    if (virtqueue_answer(queue, &run.chain, 1) != OK)
        return;
    memcpy(&index, memory + used + 2, sizeof(index));
    cr_assert_eq(index, (uint16_t)(next + 1));
}

static void do_rearm(void)
{
    bool more;

    begin_call();
    allow(run.queue.device.raw - START + 4 + 8 * (uint64_t)run.queue.size, 2);
    (void)!virtqueue_rearm(&run.queue, &more);
}

static void do_wants_interrupt(void)
{
    bool wanted;

    begin_call();
    (void)!virtqueue_wants_interrupt(&run.queue, &wanted);
}

/* What is writable in the chain may be written: [offset, offset + size) of it.
 */
static void allow_writable(uint64_t offset, uint64_t size)
{
    for (unsigned i = run.chain.readable_count; i < run.chain.count; i++) {
        const struct virtqueue_piece *piece = &run.chain.pieces[i];
        uint64_t here = piece->size;

        if (offset >= here) {
            offset -= here;
            continue;
        }
        here = here - offset < size ? here - offset : size;
        allow(piece->start.raw - START + offset, here);
        size -= here;
        offset = 0;
    }
}

static void do_transfer(void)
{
    static uint8_t bytes[PAGE_SIZE];
    unsigned how = fuzz_pick(&run.input, 4);
    uint64_t offset = fuzz_number(&run.input);
    size_t size = fuzz_take(&run.input, 2) % (PAGE_SIZE + 1);
    hpa_t disk = hpa_add(frames, DISK);
    bool writes = (how & 1) != 0;
    uint64_t part = writes ? run.chain.writable : run.chain.readable;
    err_t error;

    if (!run.has_chain)
        return;
    begin_call();
    if (writes)
        allow_writable(offset, size);
    else if (how == 2)
        allow(DISK, size);
    switch (how) {
    case 0:
        error = virtqueue_read(&run.queue, &run.chain, offset, bytes, size);
        break;
    case 1:
        error = virtqueue_write(&run.queue, &run.chain, offset, bytes, size);
        break;
    case 2:
        error = virtqueue_move_out(&run.queue, &run.chain, offset, disk, size);
        break;
    default:
        error = virtqueue_move_in(&run.queue, &run.chain, offset, disk, size);
        break;
    }
    if (error == OK && size != 0)
        cr_assert(offset <= part && size <= part - offset, "beyond the chain");
}

/* --- What the driver does --- */

static void store(uint64_t offset, const void *bytes, size_t size)
{
    if (offset > DISK || size > DISK - offset)
        return;
    memcpy(memory + offset, bytes, size);
    memcpy(run.shadow + offset, bytes, size);
}

/* Mostly in memory, and there most of all in the first pages. */
static uint64_t take_address(void)
{
    unsigned how = (unsigned)fuzz_take(&run.input, 1);

    if (how < 0xf0)
        return START + ((uint64_t)how << 4);
    return (how & 1) != 0 ? fuzz_number(&run.input)
                          : START + fuzz_take(&run.input, 2) % DISK;
}

static void do_descriptor(void)
{
    unsigned index = fuzz_pick(&run.input, 32);
    unsigned how = (unsigned)fuzz_take(&run.input, 1);
    struct desc desc = {
        .addr = take_address(),
        .len = (uint32_t)fuzz_number(&run.input),
        .flags = (uint16_t)(how & 7),
        .next = (uint16_t)(how >= 0x80 ? fuzz_number(&run.input) : index + 1),
    };

    store(run.queue.desc.raw - START + index * sizeof(desc), &desc,
          sizeof(desc));
}

/* A chain's head in the ring, and the index behind it. */
static void do_publish(void)
{
    uint64_t avail = run.queue.driver.raw - START;
    uint16_t head = (uint16_t)fuzz_number(&run.input);
    uint16_t index = (uint16_t)(run.queue.next + fuzz_take(&run.input, 1));

    store(avail + 4 + 2 * (run.queue.next & (run.queue.size - 1)), &head,
          sizeof(head));
    store(avail + 2, &index, sizeof(index));
}

static void do_store(void)
{
    uint64_t offset = fuzz_take(&run.input, 2) % (DISK - 7);
    uint64_t value = fuzz_number(&run.input);

    store(offset, &value, sizeof(value));
}

static void do_change(void)
{
    struct change change = {
        .after = fuzz_pick(&run.input, 24),
        .offset = (unsigned)fuzz_take(&run.input, 2) % (DISK - 7),
        .value = fuzz_number(&run.input),
    };

    if (run.change_count < MOST_CHANGES)
        run.changes[run.change_count++] = change;
}

/* Areas anywhere; from small numbers, one behind the other. */
static void do_set_up(void)
{
    struct virtqueue *queue = &run.queue;
    unsigned how = (unsigned)fuzz_take(&run.input, 1);

    virtqueue_reset(queue);
    run.has_chain = false;
    queue->size =
        (how & 8) != 0 ? (uint32_t)fuzz_number(&run.input) : 1u << (how & 3);
    queue->desc = gpa(take_address());
    queue->driver = gpa(take_address());
    queue->device = gpa(take_address());
    if ((how & 0x10) != 0 &&
        virtqueue_set_legacy(queue, queue->desc,
                             (uint32_t)fuzz_number(&run.input)) != OK)
        return;
    (void)!virtqueue_enable(queue, (uint64_t)(how >> 6) << 28);
}

/* --- The input --- */

static void (*const calls[])(void) = {
    do_available,       do_peek,     do_answer,  do_rearm,
    do_wants_interrupt, do_transfer, do_publish, do_descriptor,
    do_store,           do_change,   do_set_up,
};

static void make_memory(void)
{
    ram_reset(0);
    frames = memory_alloc_contiguous(ALL / PAGE_SIZE, PAGE_SIZE);
    memory = memory_phys_to_virt(frames);
    cr_assert_eq(aspace_init(&aspace, &s2_sv39x4, NULL), OK);
    cr_assert_eq(aspace_map_linear(&aspace, gpa(START), frames,
                                   PAGES * PAGE_SIZE, MEM_RWX),
                 OK);
    cr_assert_eq(aspace_map_linear(&aspace, gpa(START + PAGES * PAGE_SIZE),
                                   hpa_add(frames, PAGES * PAGE_SIZE),
                                   ROM_PAGES * PAGE_SIZE, MEM_READ),
                 OK);
    shim_set_hooks(&hooks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (memory == NULL)
        make_memory();
    run.input = (struct fuzz_input){data, data + size};
    run.queue = (struct virtqueue){.memory = &aspace, .size_max = QUEUE_MAX};
    run.change_count = 0;
    memset(memory, 0, ALL);
    memset(run.shadow, 0, ALL);
    do_set_up();
    for (unsigned i = 0; i < MOST_CALLS && !fuzz_is_empty(&run.input); i++) {
        unsigned call = fuzz_pick(&run.input, ARRAY_SIZE(calls));

        if (run.queue.ready)
            calls[call]();
        else
            do_set_up();
    }
    cr_assert(memcmp(memory, run.shadow, ALL) == 0, "memory has changed");
    return 0;
}
