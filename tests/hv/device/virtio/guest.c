/* SPDX-License-Identifier: Apache-2.0 */
#include "guest.h"

#include <libfdt.h>
#include <string.h>

#include "api/memory.h"
#include "device/parse.h"
#include "sim/ram.h"

#define TREE_SIZE 4096

/* More retries than any request here can need. */
#define MAX_KICKS 1000

static struct guest *guest_of_chip(struct irq_chip *chip)
{
    return container_of(chip, struct guest, chip);
}

static void chip_set_level(struct irq_chip *chip, uint32_t irq, bool high)
{
    struct guest *guest = guest_of_chip(chip);

    cr_assert_eq(irq, DEVICE_IRQ);
    guest->rises += high && !guest->line;
    guest->line = high;
}

static void chip_pulse(struct irq_chip *chip, uint32_t irq)
{
    cr_assert(false, "a virtio-mmio interrupt is a level");
}

static void console_take(struct chardev *chardev, const uint8_t *bytes,
                         size_t size)
{
    struct guest *guest = container_of(chardev, struct guest, console);

    cr_assert_leq(guest->output_size + size, sizeof(guest->output));
    memcpy(guest->output + guest->output_size, bytes, size);
    guest->output_size += size;
}

static size_t console_give(struct chardev *chardev, uint8_t *bytes, size_t size)
{
    struct guest *guest = container_of(chardev, struct guest, console);
    size_t left = guest->input_end - guest->input_start;

    size = size < left ? size : left;
    memcpy(bytes, guest->input + guest->input_start, size);
    guest->input_start += size;
    return size;
}

void type_text(struct guest *guest, const char *text, size_t size)
{
    cr_assert_leq(guest->input_end + size, sizeof(guest->input));
    memcpy(guest->input + guest->input_end, text, size);
    guest->input_end += size;
    if (guest->console.device != NULL)
        chardev_notify(&guest->console);
}

/* The configuration tree: one node, the device's. */
static void write_tree(void *tree, const struct setup *setup)
{
    uint64_t size = setup->reg_size != 0 ? setup->reg_size : DEVICE_SIZE;
    const fdt64_t cells[] = {cpu_to_fdt64(DEVICE_START), cpu_to_fdt64(size)};
    int error = fdt_create(tree, TREE_SIZE);

    error |= fdt_finish_reservemap(tree);
    error |= fdt_begin_node(tree, "");
    error |= fdt_begin_node(tree, "disk@10001000");
    error |= fdt_property(tree, "compatible", setup->compatible,
                          (int)strlen(setup->compatible) + 1);
    error |= fdt_property(tree, "reg", cells, sizeof(cells));
    error |= fdt_property_u32(tree, "interrupts", DEVICE_IRQ);
    if (setup->legacy)
        error |= fdt_property(tree, "legacy", NULL, 0);
    for (const struct property *p = setup->properties;
         p != NULL && p->name != NULL; p++) {
        error |= p->data == NULL
                     ? fdt_property_u32(tree, p->name, p->cell)
                     : fdt_property(tree, p->name, p->data, p->size);
    }
    error |= fdt_end_node(tree);
    error |= fdt_end_node(tree);
    error |= fdt_finish(tree);
    cr_assert_eq(error, 0);
}

static void make_images(struct guest *guest, uint64_t size)
{
    uint32_t *words;

    guest->images_size = size;
    if (size == 0)
        return;
    guest->images =
        memory_alloc_contiguous((size + PAGE_SIZE - 1) / PAGE_SIZE, PAGE_SIZE);
    cr_assert(!hpa_is_none(guest->images));
    words = memory_phys_to_virt(guest->images);
    for (uint64_t i = 0; i < size / sizeof(*words); i++)
        words[i] = (uint32_t)(i * sizeof(*words));
}

err_t guest_try(struct guest *guest, const struct setup *setup,
                uint64_t images_size, const char **what)
{
    static uint64_t tree[TREE_SIZE / sizeof(uint64_t)];
    err_t error;

    *guest = (struct guest){.legacy = setup->legacy, .next_free = RAM_START};
    cr_assert_eq(aspace_init(&guest->memory, &s2_sv39x4, NULL), OK);
    cr_assert_eq(aspace_map_lazy(&guest->memory, gpa(RAM_START), RAM_SIZE,
                                 MEM_RWX, false),
                 OK);
    cr_assert_eq(aspace_map_lazy(&guest->memory, gpa(ROM_START), ROM_SIZE,
                                 MEM_READ, false),
                 OK);
    make_images(guest, images_size);
    guest->chip = (struct irq_chip){chip_set_level, chip_pulse, 32};
    guest->console = (struct chardev){console_take, console_give, NULL};
    write_tree(tree, setup);

    const struct device_context context = {
        .arena = &guest->arena,
        .memory = &guest->memory,
        .irq_chip = &guest->chip,
        .console = &guest->console,
        .vm = setup->vm,
        .vcpu_count = 1,
        .fdt = tree,
        .node = fdt_first_subnode(tree, 0),
        .images = guest->images,
        .images_size = guest->images_size,
    };
    *what = "";
    error = device_from_node(&context, &guest->device, what);
    if (error == OK)
        error = device_set_add(&guest->devices, guest->device, NULL);
    return error;
}

void guest_make(struct guest *guest, const struct setup *setup)
{
    const char *what;
    err_t error = guest_try(guest, setup, 0, &what);

    cr_assert_eq(error, OK, "%s: %s: %s", setup->compatible, what,
                 error_text(error));
}

void guest_free(struct guest *guest)
{
    arena_free_all(&guest->arena);
    aspace_fini(&guest->memory);
    if (guest->images_size != 0)
        memory_free_contiguous(
            guest->images, (guest->images_size + PAGE_SIZE - 1) / PAGE_SIZE);
    cr_assert_eq(ram_frames_in_use(), 0);
}

static struct bus *mmio_bus(struct guest *guest)
{
    return &guest->devices.buses[BUS_MMIO];
}

uint32_t reg(struct guest *guest, uint64_t offset)
{
    uint64_t value;

    cr_assert_eq(bus_read(mmio_bus(guest), DEVICE_START + offset, 4, &value),
                 OK);
    cr_assert_leq(value, UINT32_MAX);
    return (uint32_t)value;
}

void set_reg(struct guest *guest, uint64_t offset, uint32_t value)
{
    cr_assert_eq(bus_write(mmio_bus(guest), DEVICE_START + offset, 4, value),
                 OK);
}

uint64_t config(struct guest *guest, uint64_t offset, unsigned width)
{
    uint64_t at = DEVICE_START + VIRTIO_MMIO_CONFIG + offset;
    uint64_t value;

    cr_assert_eq(bus_read(mmio_bus(guest), at, width, &value), OK);
    return value;
}

void set_config(struct guest *guest, uint64_t offset, unsigned width,
                uint64_t value)
{
    uint64_t at = DEVICE_START + VIRTIO_MMIO_CONFIG + offset;

    cr_assert_eq(bus_write(mmio_bus(guest), at, width, value), OK);
}

uint32_t status(struct guest *guest)
{
    return reg(guest, VIRTIO_MMIO_STATUS);
}

bool has_status(struct guest *guest, uint32_t bits)
{
    return (status(guest) & bits) == bits;
}

void set_status(struct guest *guest, uint32_t bits)
{
    set_reg(guest, VIRTIO_MMIO_STATUS, bits);
}

void accept_word(struct guest *guest, uint32_t word, uint32_t features)
{
    set_reg(guest, VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
    set_reg(guest, VIRTIO_MMIO_DRIVER_FEATURES, features);
}

uint32_t offered_word(struct guest *guest, uint32_t word)
{
    set_reg(guest, VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
    return reg(guest, VIRTIO_MMIO_DEVICE_FEATURES);
}

uint64_t give(struct guest *guest, uint64_t size, uint64_t align)
{
    uint64_t at = (guest->next_free + align - 1) & ~(align - 1);

    cr_assert_leq(at + size, RAM_START + RAM_SIZE);
    guest->next_free = at + size;
    return at;
}

void poke(struct guest *guest, uint64_t at, const void *bytes, size_t size)
{
    cr_assert_eq(aspace_store(&guest->memory, gpa(at), bytes, size), OK);
}

void peek(struct guest *guest, uint64_t at, void *bytes, size_t size)
{
    cr_assert_eq(aspace_read(&guest->memory, gpa(at), bytes, size), OK);
}

void poke16(struct guest *guest, uint64_t at, uint16_t value)
{
    poke(guest, at, &value, sizeof(value));
}

uint16_t peek16(struct guest *guest, uint64_t at)
{
    uint16_t value;

    peek(guest, at, &value, sizeof(value));
    return value;
}

static void accept_features(struct guest *guest, uint64_t wanted)
{
    guest->features = 0;
    for (uint32_t word = 0; word < (guest->legacy ? 1U : 2U); word++) {
        uint32_t mine =
            (uint32_t)(wanted >> (32 * word)) & offered_word(guest, word);

        accept_word(guest, word, mine);
        guest->features |= (uint64_t)mine << (32 * word);
    }
}

void negotiate(struct guest *guest, uint64_t wanted)
{
    if (guest->legacy)
        set_reg(guest, VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096);
    set_status(guest, 0);
    set_status(guest, ACKNOWLEDGE);
    set_status(guest, ACKNOWLEDGE | DRIVER);
    if (guest->legacy) {
        accept_features(guest, wanted);
        return;
    }
    accept_features(guest, wanted | F(VIRTIO_F_VERSION_1));
    set_status(guest, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    cr_assert(has_status(guest, FEATURES_OK));
}

void ring_place(struct guest *guest, unsigned queue, uint16_t size)
{
    struct ring *ring = &guest->rings[queue];
    struct vring layout;
    uint64_t start = give(guest, vring_size(size, 4096), 4096);

    /* The legacy layout serves both interfaces. */
    vring_init(&layout, size, (void *)start, 4096);
    *ring = (struct ring){
        .size = size,
        .desc = (uint64_t)layout.desc,
        .avail = (uint64_t)layout.avail,
        .used = (uint64_t)layout.used,
    };
}

static void set_address(struct guest *guest, uint64_t low, uint64_t address)
{
    set_reg(guest, low, (uint32_t)address);
    set_reg(guest, low + 4, (uint32_t)(address >> 32));
}

void ring_enable(struct guest *guest, unsigned queue)
{
    const struct ring *ring = &guest->rings[queue];

    set_reg(guest, VIRTIO_MMIO_QUEUE_SEL, queue);
    set_reg(guest, VIRTIO_MMIO_QUEUE_NUM, ring->size);
    if (guest->legacy) {
        set_reg(guest, VIRTIO_MMIO_QUEUE_ALIGN, 4096);
        set_reg(guest, VIRTIO_MMIO_QUEUE_PFN, (uint32_t)(ring->desc / 4096));
        return;
    }
    set_address(guest, VIRTIO_MMIO_QUEUE_DESC_LOW, ring->desc);
    set_address(guest, VIRTIO_MMIO_QUEUE_AVAIL_LOW, ring->avail);
    set_address(guest, VIRTIO_MMIO_QUEUE_USED_LOW, ring->used);
    set_reg(guest, VIRTIO_MMIO_QUEUE_READY, 1);
}

void start(struct guest *guest, uint64_t wanted, uint16_t ring_size)
{
    negotiate(guest, wanted);
    for (unsigned queue = 0; queue < MAX_RINGS; queue++) {
        set_reg(guest, VIRTIO_MMIO_QUEUE_SEL, queue);
        if (reg(guest, VIRTIO_MMIO_QUEUE_NUM_MAX) < ring_size)
            continue;
        ring_place(guest, queue, ring_size);
        ring_enable(guest, queue);
    }
    set_status(guest, status(guest) | DRIVER_OK);
}

uint64_t desc_at(const struct ring *ring, unsigned index)
{
    return ring->desc + index * sizeof(struct vring_desc);
}

uint64_t avail_flags_at(const struct ring *ring)
{
    return ring->avail + offsetof(struct vring_avail, flags);
}

uint64_t avail_idx_at(const struct ring *ring)
{
    return ring->avail + offsetof(struct vring_avail, idx);
}

uint64_t avail_entry_at(const struct ring *ring, unsigned index)
{
    return ring->avail + offsetof(struct vring_avail, ring) +
           (uint64_t)(index % ring->size) * 2;
}

uint64_t used_event_at(const struct ring *ring)
{
    return ring->avail + offsetof(struct vring_avail, ring) +
           ring->size * UINT64_C(2);
}

uint64_t used_idx_at(const struct ring *ring)
{
    return ring->used + offsetof(struct vring_used, idx);
}

uint64_t avail_event_at(const struct ring *ring)
{
    return ring->used + offsetof(struct vring_used, ring) +
           ring->size * sizeof(struct vring_used_elem);
}

void desc_set(struct guest *guest, uint64_t at, uint64_t addr, uint32_t len,
              unsigned flags, unsigned next)
{
    const struct vring_desc desc = {addr, len, (uint16_t)flags, (uint16_t)next};

    poke(guest, at, &desc, sizeof(desc));
}

/* Writes a chain to the table at `table`, of `size` entries, from entry
 * `first` on. */
static void write_chain(struct guest *guest, uint64_t table, unsigned size,
                        unsigned first, const struct buffer *buffers,
                        unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned index = (first + i) % size;
        unsigned flags = i + 1 < count ? VRING_DESC_F_NEXT : 0;

        if (buffers[i].writable)
            flags |= VRING_DESC_F_WRITE;
        desc_set(guest, table + index * sizeof(struct vring_desc),
                 buffers[i].at, buffers[i].size, flags, (index + 1) % size);
    }
}

void ring_publish(struct guest *guest, unsigned queue, uint16_t head)
{
    struct ring *ring = &guest->rings[queue];

    poke16(guest, avail_entry_at(ring, ring->avail_idx), head);
    ring->avail_idx++;
    poke16(guest, avail_idx_at(ring), ring->avail_idx);
}

uint16_t ring_add(struct guest *guest, unsigned queue,
                  const struct buffer *buffers, unsigned count)
{
    struct ring *ring = &guest->rings[queue];
    uint16_t head = ring->free;

    write_chain(guest, ring->desc, ring->size, head, buffers, count);
    ring->free = (uint16_t)((head + count) % ring->size);
    ring_publish(guest, queue, head);
    return head;
}

uint16_t ring_add_indirect(struct guest *guest, unsigned queue,
                           const struct buffer *buffers, unsigned count)
{
    struct ring *ring = &guest->rings[queue];
    uint16_t head = ring->free;
    uint32_t size = count * (uint32_t)sizeof(struct vring_desc);
    uint64_t table = give(guest, size, 16);

    write_chain(guest, table, count, 0, buffers, count);
    desc_set(guest, desc_at(ring, head), table, size, VRING_DESC_F_INDIRECT, 0);
    ring->free = (uint16_t)((head + 1) % ring->size);
    ring_publish(guest, queue, head);
    return head;
}

bool ring_kick_once(struct guest *guest, unsigned queue)
{
    err_t error = bus_write(mmio_bus(guest),
                            DEVICE_START + VIRTIO_MMIO_QUEUE_NOTIFY, 4, queue);

    cr_assert(error == OK || error == ERR_BUSY);
    return error == ERR_BUSY;
}

unsigned ring_kick(struct guest *guest, unsigned queue)
{
    unsigned again = 0;

    while (ring_kick_once(guest, queue)) {
        again++;
        cr_assert_lt(again, MAX_KICKS);
    }
    return again;
}

bool ring_take(struct guest *guest, unsigned queue, uint32_t *id, uint32_t *len)
{
    struct ring *ring = &guest->rings[queue];
    struct vring_used_elem elem;

    if (peek16(guest, used_idx_at(ring)) == ring->used_idx)
        return false;
    peek(guest,
         ring->used + offsetof(struct vring_used, ring) +
             ring->used_idx % ring->size * sizeof(elem),
         &elem, sizeof(elem));
    ring->used_idx++;
    if (id != NULL)
        *id = elem.id;
    if (len != NULL)
        *len = elem.len;
    return true;
}
