/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers of virtio devices, good and bad: see virtio.h. */
#include "fuzz/virtio.h"

#include <string.h>

#include "api/memory.h"
#include "sim/ram.h"
#include "sim/shim.h"

#define MOST_OPS 48

/* The largest of all slices is 512 KiB, and each descriptor costs 64 of it. */
#define MOST_SEAM_CALLS (1u << 16)

/* What memory can be changed in while the device works: where rings are. */
#define CHANGING_PAGES 4
#define CHANGING_SIZE  (CHANGING_PAGES * PAGE_SIZE)
#define MOST_CHANGES   8

/* Pages that an input has written to, to be cleared for the next one. */
#define MOST_WRITTEN 512

struct change {
    unsigned after; /* so many more reads */
    unsigned page, offset;
    uint64_t value;
};

struct rig {
    struct guest guest;
    uint8_t *changing[CHANGING_PAGES];
    uint8_t *images_copy;
    uint64_t written[MOST_WRITTEN]; /* host-physical */
    unsigned written_count;         /* more than MOST_WRITTEN: any page */
};

static bool is_noted[RAM_DEFAULT_SIZE / PAGE_SIZE]; /* among them, by frame */

static const struct virtio_target *target;
static struct rig rigs[2]; /* modern, legacy */
static struct rig *rig;

static bool is_clean; /* nothing wrong was done since the device was started */
static bool is_untouchable; /* the device may not touch memory now */
static unsigned seam_calls;
static struct change changes[MOST_CHANGES];
static unsigned change_count;

/* --- What the device does to memory --- */

static bool in_images(uint64_t address)
{
    return address - rig->guest.images.raw < rig->guest.images_size;
}

static bool *noted(uint64_t page)
{
    return &is_noted[(page - ram_base()) / PAGE_SIZE];
}

static void note_page(uint64_t page)
{
    if (*noted(page))
        return;
    if (rig->written_count < MOST_WRITTEN) {
        rig->written[rig->written_count] = page;
        *noted(page) = true;
    }
    rig->written_count++;
}

static void note_write(uint64_t to, uint64_t size)
{
    if (size == 0)
        return;
    for (uint64_t page = align_down(to, PAGE_SIZE); page < to + size;
         page += PAGE_SIZE)
        note_page(page);
}

static void change_memory(void)
{
    for (unsigned i = 0; i < change_count;) {
        struct change *change = &changes[i];

        if (change->after-- != 0) {
            i++;
            continue;
        }
        note_page(memory_virt_to_phys(rig->changing[change->page]).raw);
        memcpy(rig->changing[change->page] + change->offset, &change->value,
               sizeof(change->value));
        *change = changes[--change_count];
    }
}

static void before(void *context, const struct shim_call *call)
{
    switch (call->id) {
    case SHIM_memory_read_guest: change_memory(); break;
    case SHIM_memory_write_guest:
        note_write(call->args[0], call->result);
        break;
    case SHIM_memory_move: note_write(call->args[0], call->args[2]); break;
    case SHIM_memory_clear: note_write(call->args[0], call->args[1]); break;
    default: return;
    }
    cr_assert(!is_untouchable, "%s in this state", shim_rows[call->id].name);
    cr_assert(seam_calls++ < MOST_SEAM_CALLS, "this does not end");
}

static const struct shim_hooks hooks = {.before = before};

/* --- The machines --- */

static void clear_page(uint64_t page)
{
    uint8_t *bytes = memory_phys_to_virt(hpa(page));

    if (in_images(page))
        memcpy(bytes, rig->images_copy + (page - rig->guest.images.raw),
               PAGE_SIZE);
    else
        memset(bytes, 0, PAGE_SIZE);
}

/* All memory is as it was at first. */
static void clear_written(void)
{
    struct guest *guest = &rig->guest;

    for (unsigned i = 0; i < rig->written_count && i < MOST_WRITTEN; i++) {
        clear_page(rig->written[i]);
        *noted(rig->written[i]) = false;
    }
    if (rig->written_count > MOST_WRITTEN) {
        cr_assert_eq(aspace_clear(&guest->memory, gpa(RAM_START), RAM_SIZE),
                     OK);
        if (guest->images_size != 0)
            memcpy(memory_phys_to_virt(guest->images), rig->images_copy,
                   guest->images_size);
    }
    rig->written_count = 0;
}

static void find_changing(void)
{
    for (unsigned i = 0; i < CHANGING_PAGES; i++) {
        gpa_t at = gpa(RAM_START + i * PAGE_SIZE);
        hpa_t host;

        cr_assert_eq(aspace_store(&rig->guest.memory, at, "", 1), OK);
        cr_assert_eq(
            aspace_translate(&rig->guest.memory, at, &host, NULL, NULL), OK);
        rig->changing[i] = memory_phys_to_virt(host);
    }
}

static void make_rig(bool legacy)
{
    const struct setup setup = {.compatible = target->compatible,
                                .legacy = legacy,
                                .properties = target->properties};
    struct guest *guest = &rig->guest;
    const char *what;
    err_t error = guest_try(guest, &setup, target->images_size, &what);

    cr_assert(error == OK, "%s: %s", what, error_text(error));
    find_changing();
    if (guest->images_size == 0)
        return;
    rig->images_copy = malloc(guest->images_size);
    memcpy(rig->images_copy, memory_phys_to_virt(guest->images),
           guest->images_size);
}

static void make_machines(const struct virtio_target *of)
{
    target = of;
    ram_reset(0);
    for (unsigned i = 0; i < 2; i++) {
        rig = &rigs[i];
        make_rig(i != 0);
    }
    shim_set_hooks(&hooks);
}

static void power_on(void)
{
    struct guest *guest = &rig->guest;

    device_set_reset(&guest->devices);
    guest->input_start = guest->input_end = 0;
    guest->output_size = 0;
    guest->next_free = RAM_START;
    memset(guest->rings, 0, sizeof(guest->rings));
    clear_written();
    change_count = 0;
    target->restart(guest);
}

/* --- Operations --- */

static uint64_t device_read(uint64_t offset, unsigned width)
{
    uint64_t value = 0;

    (void)!bus_read(&rig->guest.devices.buses[BUS_MMIO], DEVICE_START + offset,
                    width, &value);
    return value;
}

/* The device must keep its hands off memory unless this is a notification and
 * the driver has got so far. A legacy device does not tell that it is broken.
 */
static void device_write(uint64_t offset, unsigned width, uint64_t value)
{
    uint64_t status = device_read(VIRTIO_MMIO_STATUS, 4);
    bool live =
        rig->guest.legacy || (status & (DRIVER_OK | NEEDS_RESET)) == DRIVER_OK;
    err_t error;

    seam_calls = 0;
    is_untouchable =
        offset != VIRTIO_MMIO_QUEUE_NOTIFY || !live || (status & FAILED) != 0;
    error = bus_write(&rig->guest.devices.buses[BUS_MMIO],
                      DEVICE_START + offset, width, value);
    is_untouchable = false;
    cr_assert(error != ERR_BUSY || offset == VIRTIO_MMIO_QUEUE_NOTIFY,
              "busy at %lx", offset);
}

static void do_start(struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 1);
    uint64_t refused = fuzz_number(input);
    unsigned shift = 2 + how % (target->ring_shift - 1);

    power_on();
    start(&rig->guest, F_ALL & ~(how >= 0x80 ? refused : 0),
          (uint16_t)(1u << shift));
    is_clean = true;
}

/* As far as a queue that is ready, but no further. */
static void do_start_halfway(struct fuzz_input *input)
{
    unsigned queue = fuzz_pick(input, target->queue_count);

    power_on();
    negotiate(&rig->guest, F_ALL);
    set_reg(&rig->guest, VIRTIO_MMIO_QUEUE_SEL, queue);
    ring_place(&rig->guest, queue, 4);
    ring_enable(&rig->guest, queue);
    is_clean = false;
}

static void do_request(struct fuzz_input *input)
{
    if (is_clean)
        target->request(&rig->guest, input);
}

static void do_write(struct fuzz_input *input)
{
    static const uint16_t offsets[] = {
        0x014, 0x020, 0x024, 0x028, 0x030, 0x038, 0x03c, 0x040,
        0x044, 0x050, 0x064, 0x070, 0x080, 0x084, 0x090, 0x094,
        0x0a0, 0x0a4, 0x0c0, 0x100, 0x108, 0x120,
    };
    static const uint8_t widths[] = {4, 4, 4, 4, 1, 2, 8, 4};
    unsigned how = (unsigned)fuzz_take(input, 1);
    uint64_t offset = how < 0xf0 ? offsets[how % ARRAY_SIZE(offsets)]
                                 : fuzz_take(input, 2) % DEVICE_SIZE;
    unsigned width = widths[fuzz_pick(input, ARRAY_SIZE(widths))];

    is_clean = false;
    device_write(offset, width, fuzz_number(input));
}

/* A read changes nothing. */
static void do_read(struct fuzz_input *input)
{
    uint64_t offset = fuzz_take(input, 2) % DEVICE_SIZE;
    unsigned width = 1u << fuzz_pick(input, 4);
    uint64_t first;

    is_untouchable = true;
    first = device_read(offset, width);
    cr_assert_eq(device_read(offset, width), first);
    is_untouchable = false;
}

static void do_notify(struct fuzz_input *input)
{
    device_write(VIRTIO_MMIO_QUEUE_NOTIFY, 4, fuzz_pick(input, 4));
}

/* Mostly where rings and buffers are; in memory; or anywhere. */
static uint64_t take_address(struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 1);

    if (how < 0xe0)
        return RAM_START + how * UINT64_C(0x40);
    switch (how & 3) {
    case 0: return fuzz_number(input);
    case 1: return ROM_START + fuzz_take(input, 2);
    case 2: return RAM_START + RAM_SIZE - fuzz_take(input, 1);
    default: return RAM_START + fuzz_take(input, 3) % RAM_SIZE;
    }
}

/* A chain of which each descriptor is anything, and its header is something.
 */
static void do_chain(struct fuzz_input *input)
{
    unsigned queue = fuzz_pick(input, target->queue_count);
    struct ring *ring = &rig->guest.rings[queue];
    unsigned count = 1 + fuzz_pick(input, 4);
    uint16_t head = ring->free;
    uint64_t words[2];

    is_clean = false;
    if (ring->size == 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        unsigned how = (unsigned)fuzz_take(input, 1);
        unsigned index = (head + i) % ring->size;
        unsigned next = (how & 0x80) != 0 ? how >> 4 : index + 1;
        uint64_t address = take_address(input);

        if (i == 0) {
            words[0] = fuzz_number(input);
            words[1] = fuzz_number(input);
            (void)!aspace_store(&rig->guest.memory, gpa(address), words,
                                sizeof(words));
        }
        desc_set(&rig->guest, desc_at(ring, index), address,
                 (uint32_t)fuzz_number(input),
                 (how & 7) | (i + 1 < count ? VRING_DESC_F_NEXT : 0u),
                 next % ring->size);
    }
    ring->free = (uint16_t)((head + count) % ring->size);
    ring_publish(&rig->guest, queue, head);
}

static void do_poke(struct fuzz_input *input)
{
    uint64_t value = fuzz_number(input);

    is_clean = false;
    (void)!aspace_store(&rig->guest.memory, gpa(take_address(input)), &value,
                        sizeof(value));
}

static void do_change(struct fuzz_input *input)
{
    unsigned at = (unsigned)fuzz_take(input, 2) % CHANGING_SIZE;
    struct change change = {
        .after = (unsigned)fuzz_take(input, 1) % 64,
        .page = at / PAGE_SIZE,
        .offset = (unsigned)align_down(at % PAGE_SIZE, 2),
        .value = fuzz_number(input),
    };

    is_clean = false;
    if (change.offset > PAGE_SIZE - sizeof(change.value))
        change.offset = PAGE_SIZE - sizeof(change.value);
    if (change_count < MOST_CHANGES)
        changes[change_count++] = change;
}

static void do_type(struct fuzz_input *input)
{
    static const char text[64] = "what is typed at any time";
    struct guest *guest = &rig->guest;
    size_t size = fuzz_pick(input, sizeof(text));

    if (is_clean || guest->input_end + size > sizeof(guest->input))
        return;
    type_text(guest, text, size);
}

static void (*const ops[])(struct fuzz_input *input) = {
    do_start,  do_request, do_request, do_request, do_write, do_read,
    do_notify, do_chain,   do_poke,    do_change,  do_type,  do_start_halfway,
};

/* The line is what the register says; a device that is not clean may have
 * said anything on the console. */
static void check(void)
{
    bool pending = device_read(VIRTIO_MMIO_INTERRUPT_STATUS, 4) != 0;

    cr_assert(rig->guest.line == pending, "the line is %d", rig->guest.line);
    if (!is_clean)
        rig->guest.output_size = 0;
}

int virtio_fuzz_run(const struct virtio_target *of, const uint8_t *data,
                    size_t size)
{
    struct fuzz_input input = {data, data + size};

    if (target == NULL)
        make_machines(of);
    rig = &rigs[fuzz_pick(&input, 2)];
    power_on();
    is_clean = false;
    for (unsigned i = 0; i < MOST_OPS && !fuzz_is_empty(&input); i++) {
        seam_calls = 0;
        ops[fuzz_pick(&input, ARRAY_SIZE(ops))](&input);
        check();
    }
    return 0;
}

/* --- For the targets' requests --- */

unsigned virtio_fuzz_pieces(struct guest *guest, struct fuzz_input *input,
                            uint32_t size, bool writable,
                            struct buffer buffers[3])
{
    unsigned count = 0, most = 1 + fuzz_pick(input, 3);

    while (size != 0) {
        uint32_t here = size;

        if (count + 1 < most)
            here = 1 + (uint32_t)fuzz_take(input, 2) % size;
        buffers[count++] =
            (struct buffer){give(guest, here, 1), here, writable};
        size -= here;
    }
    return count;
}

uint16_t virtio_fuzz_add(struct guest *guest, struct fuzz_input *input,
                         unsigned queue, const struct buffer *buffers,
                         unsigned count)
{
    bool indirect = fuzz_pick(input, 2) != 0 &&
                    (guest->features & F(VIRTIO_RING_F_INDIRECT_DESC)) != 0;

    /* A chain is no longer than its ring, wherever it is. */
    cr_assert(count <= guest->rings[queue].size, "a chain of %u", count);
    return indirect ? ring_add_indirect(guest, queue, buffers, count)
                    : ring_add(guest, queue, buffers, count);
}
