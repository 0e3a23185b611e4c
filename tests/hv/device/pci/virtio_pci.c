/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio over PCI: a driver that finds its devices, and one that is hostile. */
#include <string.h>

#include "machine.h"
#include "support/rows.h"

#define SEED 7

static uint8_t read_sector(struct machine *machine, const struct found *found,
                           uint64_t data, uint64_t sector)
{
    struct guest *guest = &machine->guest;
    struct request request =
        request_make(guest, VIRTIO_BLK_T_IN, sector, data, SECTOR);

    (void)ring_add(guest, 0, request.buffers, request.count);
    kick(machine, found, 0);
    cr_expect(ring_take(guest, 0, NULL, NULL));
    return request_status(guest, &request);
}

static uint8_t write_sector(struct machine *machine, const struct found *found,
                            uint64_t data, uint64_t sector)
{
    struct guest *guest = &machine->guest;
    struct request request =
        request_make(guest, VIRTIO_BLK_T_OUT, sector, data, SECTOR);

    (void)ring_add(guest, 0, request.buffers, request.count);
    kick(machine, found, 0);
    cr_expect(ring_take(guest, 0, NULL, NULL));
    return request_status(guest, &request);
}

/* Finds the disk by enumeration, sets its BARs up, writes and reads a sector;
 * by message, by line with MSI-X off, and where there is no MSI-X. */
Test(virtio_pci, reads_a_sector)
{
    static const struct {
        bool messages, vectors;
    } rows[] = {{true, true}, {true, false}, {false, false}};

    for_each_row (i, rows) {
        struct machine machine;
        struct found disk;
        uint64_t data;

        machine_make(&machine, rows[i].messages);
        disk = probe(&machine, VIRTIO_ID_BLOCK);
        cr_expect_eq(disk.number, DISK);
        cr_expect_eq(disk.vectors, rows[i].messages ? 2 : 0);
        cr_expect_eq(load(&machine, disk.device, 4), SMALL_DISK);
        bring_up(&machine, &disk, 1, rows[i].vectors);
        data = give(&machine.guest, SECTOR, 512);
        pattern_put(&machine.guest, data, SECTOR, SEED);
        cr_expect_eq(write_sector(&machine, &disk, data, 5), VIRTIO_BLK_S_OK);
        poke(&machine.guest, data, (uint8_t[512]){0}, SECTOR);
        cr_expect_eq(read_sector(&machine, &disk, data, 5), VIRTIO_BLK_S_OK);
        cr_expect(pattern_is(&machine.guest, data, SECTOR, SEED));

        cr_expect_eq(machine.lines[LINE_A + 1], !rows[i].vectors);
        /* The driver asks for one: VIRTIO_F_EVENT_IDX. */
        cr_expect_eq(machine.message_count, rows[i].vectors);
        if (rows[i].vectors) {
            cr_expect_eq(machine.messages[0].address, 0xfee01000);
            cr_expect_eq(machine.messages[0].data, 0x41);
        }
        cr_expect_eq(load(&machine, disk.isr, 1), !rows[i].vectors);
        cr_expect_not(machine.lines[LINE_A + 1]);
        cr_expect_eq(load(&machine, disk.isr, 1), 0);
        machine_free(&machine);
    }
}

/* The common registers after power-on, of the disk's queue 0. */
static const struct common_row {
    unsigned offset, width;
    uint32_t reset;
    uint32_t writable; /* bits that read back as written */
} common_rows[] = {
    {COMMON(DFSELECT), 4, 0, UINT32_MAX},
    {COMMON(DF), 4, 0x30006e46, 0},
    {COMMON(GFSELECT), 4, 0, UINT32_MAX},
    {COMMON(GF), 4, 0, UINT32_MAX},
    {COMMON(MSIX), 2, 0xffff, 0},
    {COMMON(NUMQ), 2, 1, 0},
    {COMMON(STATUS), 1, 0, ACKNOWLEDGE | DRIVER | FAILED},
    {COMMON(CFGGENERATION), 1, 0, 0},
    {COMMON(Q_SELECT), 2, 0, 0xffff},
    {COMMON(Q_SIZE), 2, 128, 0xffff},
    {COMMON(Q_MSIX), 2, 0xffff, 0},
    {COMMON(Q_NOFF), 2, 0, 0},
    {COMMON(Q_DESCLO), 4, 0, UINT32_MAX},
    {COMMON(Q_DESCHI), 4, 0, UINT32_MAX},
    {COMMON(Q_AVAILLO), 4, 0, UINT32_MAX},
    {COMMON(Q_AVAILHI), 4, 0, UINT32_MAX},
    {COMMON(Q_USEDLO), 4, 0, UINT32_MAX},
    {COMMON(Q_USEDHI), 4, 0, UINT32_MAX},
    {56, 2, 0, 0}, /* queue_notify_data */
    {58, 2, 0, 0}, /* queue_reset */
};

Test(virtio_pci, common_registers)
{
    for_each_row (i, common_rows) {
        const struct common_row *row = &common_rows[i];
        struct machine machine;
        struct found disk;

        machine_make(&machine, true);
        disk = probe(&machine, VIRTIO_ID_BLOCK);
        cr_expect_eq(common(&machine, &disk, row->offset, row->width),
                     row->reset, "offset %u", row->offset);
        set_common(&machine, &disk, row->offset, row->width, UINT32_MAX);
        cr_expect_eq(common(&machine, &disk, row->offset, row->width),
                     row->writable != 0 ? row->writable : row->reset,
                     "offset %u", row->offset);
        /* In another width it is not there, and another value is not kept. */
        for (unsigned width = 1; width <= 4; width *= 2) {
            uint32_t now = common(&machine, &disk, row->offset, row->width);

            if (width == row->width || row->offset % width != 0)
                continue;
            cr_expect_eq(common(&machine, &disk, row->offset, width), 0);
            set_common(&machine, &disk, row->offset, width, 1);
            cr_expect_eq(common(&machine, &disk, row->offset, row->width), now,
                         "offset %u, width %u", row->offset, width);
        }
        machine_free(&machine);
    }
}

/* Vectors that do not exist read back as none, which sends nothing. */
Test(virtio_pci, vectors_that_do_not_exist)
{
    static const struct {
        bool messages;
        uint16_t vector, reads;
    } rows[] = {
        {true, 0, 0},
        {true, 1, 1},
        {true, 2, 0xffff},
        {true, 0x100, 0xffff},
        {true, 0xffff, 0xffff},
        {false, 0, 0xffff},
        {false, 0xfffe, 0xffff},
    };

    for_each_row (i, rows) {
        struct machine machine;
        struct found disk;

        machine_make(&machine, rows[i].messages);
        disk = probe(&machine, VIRTIO_ID_BLOCK);
        bring_up(&machine, &disk, 1, rows[i].messages);
        set_common(&machine, &disk, COMMON(MSIX), 2, rows[i].vector);
        set_common(&machine, &disk, COMMON(Q_MSIX), 2, rows[i].vector);
        cr_expect_eq(common(&machine, &disk, COMMON(MSIX), 2), rows[i].reads);
        cr_expect_eq(common(&machine, &disk, COMMON(Q_MSIX), 2), rows[i].reads);
        (void)read_sector(&machine, &disk, give(&machine.guest, SECTOR, 512),
                          0);
        cr_expect_eq(machine.message_count, rows[i].reads != 0xffff);
        machine_free(&machine);
    }
}

/* What keeps a message back, and what lets it go. */
enum obstacle { VECTOR_MASK, FUNCTION_MASK, DISABLED, OBSTACLES };

static void block(struct machine *machine, const struct found *disk,
                  enum obstacle how, bool on)
{
    uint16_t flags = PCI_MSIX_FLAGS_ENABLE;

    switch (how) {
    case VECTOR_MASK:
        store(machine, disk->table + 16 + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, on);
        return;
    case FUNCTION_MASK: flags |= on ? PCI_MSIX_FLAGS_MASKALL : 0; break;
    default: flags = on ? 0 : PCI_MSIX_FLAGS_ENABLE; break;
    }
    pci_put(machine, disk->number, disk->msix + PCI_MSIX_FLAGS, 2, flags);
}

Test(virtio_pci, masked_messages_wait)
{
    static const struct {
        enum obstacle obstacle;
        bool pends;
    } rows[] = {{VECTOR_MASK, true}, {FUNCTION_MASK, true}, {DISABLED, false}};

    for_each_row (i, rows) {
        for (int reset = 0; reset < 2; reset++) {
            struct machine machine;
            struct found disk;

            machine_make(&machine, true);
            disk = probe(&machine, VIRTIO_ID_BLOCK);
            bring_up(&machine, &disk, 1, true);
            block(&machine, &disk, rows[i].obstacle, true);
            (void)read_sector(&machine, &disk,
                              give(&machine.guest, SECTOR, 512), 0);
            cr_expect_eq(machine.message_count, 0, "row %zu", i);
            cr_expect_eq(load(&machine, disk.pending, 8), rows[i].pends ? 2 : 0,
                         "row %zu", i);
            store(&machine, disk.pending, 4, 0); /* read-only */
            if (reset)                           /* 2.4.1: none after a reset */
                set_common(&machine, &disk, COMMON(STATUS), 1, 0);
            block(&machine, &disk, rows[i].obstacle, false);
            cr_expect_eq(machine.message_count, rows[i].pends && !reset,
                         "row %zu", i);
            cr_expect_eq(load(&machine, disk.pending, 8), 0, "row %zu", i);
            machine_free(&machine);
        }
    }
}

/* Without the right to be bus master, a device touches no memory. */
Test(virtio_pci, not_bus_master)
{
    struct machine machine;
    struct guest *guest = &machine.guest;
    struct request request;
    struct found disk;

    machine_make(&machine, true);
    disk = probe(&machine, VIRTIO_ID_BLOCK);
    bring_up(&machine, &disk, 1, true);
    pci_put(&machine, DISK, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    request = request_make(guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    (void)ring_add(guest, 0, request.buffers, request.count);
    kick(&machine, &disk, 0);
    cr_expect_eq(request_status(guest, &request), NO_STATUS);
    pci_put(&machine, DISK, PCI_COMMAND, 2,
            PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    kick(&machine, &disk, 0);
    cr_expect_eq(request_status(guest, &request), VIRTIO_BLK_S_OK);
    cr_expect_eq(machine.message_count, 1);
    machine_free(&machine);
}

/* Two devices on one line: it is high while one of them asks, and may. */
Test(virtio_pci, interrupt_lines)
{
    struct machine machine;
    struct guest *guest = &machine.guest;
    struct found disk, rng;
    struct buffer buffer = {.size = 16, .writable = true};

    machine_make(&machine, true);
    disk = probe(&machine, VIRTIO_ID_BLOCK);
    rng = probe(&machine, VIRTIO_ID_RNG);
    bring_up(&machine, &disk, 1, false);
    (void)read_sector(&machine, &disk, give(guest, SECTOR, 512), 0);
    bring_up(&machine, &rng, 1, false);
    buffer.at = give(guest, 16, 16);
    (void)ring_add(guest, 0, &buffer, 1);
    kick(&machine, &rng, 0);
    cr_expect(machine.lines[LINE_A + 1]);
    cr_expect(pci_get(&machine, RNG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    cr_expect_eq(load(&machine, disk.isr, 1), 1);
    cr_expect(machine.lines[LINE_A + 1]);
    cr_expect_not(pci_get(&machine, DISK, PCI_STATUS, 2) &
                  PCI_STATUS_INTERRUPT);
    /* Switched off, the line falls, and the status stays. */
    pci_put(&machine, RNG, PCI_COMMAND, 2,
            PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
    cr_expect_not(machine.lines[LINE_A + 1]);
    cr_expect(pci_get(&machine, RNG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    pci_put(&machine, RNG, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    cr_expect(machine.lines[LINE_A + 1]);
    /* MSI-X takes its place. */
    pci_put(&machine, RNG, rng.msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    cr_expect_not(machine.lines[LINE_A + 1]);
    pci_put(&machine, RNG, rng.msix + PCI_MSIX_FLAGS, 2, 0);
    cr_expect(machine.lines[LINE_A + 1]);
    device_set_reset(&guest->devices);
    for (size_t i = 0; i < ARRAY_SIZE(machine.lines); i++)
        cr_expect_not(machine.lines[i]);
    machine_free(&machine);
}

/* Input at the console comes by the message of its queue. */
Test(virtio_pci, console_input)
{
    struct machine machine;
    struct guest *guest = &machine.guest;
    struct found console;
    struct buffer buffer = {.size = 64, .writable = true};
    char text[2];
    uint32_t length;

    machine_make(&machine, true);
    console = probe(&machine, VIRTIO_ID_CONSOLE);
    bring_up(&machine, &console, 2, true);
    buffer.at = give(guest, 64, 16);
    (void)ring_add(guest, 0, &buffer, 1);
    kick(&machine, &console, 0);
    cr_expect_eq(machine.message_count, 0);
    type_text(guest, "ok", 2);
    cr_assert(ring_take(guest, 0, NULL, &length));
    cr_expect_eq(length, 2);
    peek(guest, buffer.at, text, 2);
    cr_expect_arr_eq(text, "ok", 2);
    cr_expect_eq(machine.message_count, 1);
    cr_expect_eq(machine.messages[0].data, 0x41);

    buffer = (struct buffer){buffer.at, 2, false};
    (void)ring_add(guest, 1, &buffer, 1);
    kick(&machine, &console, 1);
    cr_expect_eq(guest->output_size, 2);
    cr_expect_eq(machine.message_count, 2);
    cr_expect_eq(machine.messages[1].data, 0x42);
    machine_free(&machine);
}

/* A device that breaks says so by the configuration vector, and the ISR. */
Test(virtio_pci, configuration_change)
{
    for (int vectors = 0; vectors < 2; vectors++) {
        struct machine machine;
        struct found disk;

        machine_make(&machine, true);
        disk = probe(&machine, VIRTIO_ID_BLOCK);
        bring_up(&machine, &disk, 1, vectors);
        ring_publish(&machine.guest, 0, 9999);
        kick(&machine, &disk, 0);
        cr_expect(common(&machine, &disk, COMMON(STATUS), 1) & NEEDS_RESET);
        cr_expect_eq(machine.message_count, vectors ? 1u : 0u);
        if (vectors)
            cr_expect_eq(machine.messages[0].data, 0x40);
        cr_expect_eq(machine.lines[LINE_A + 1], !vectors);
        cr_expect_eq(load(&machine, disk.isr, 1), VIRTIO_PCI_ISR_CONFIG);
        machine_free(&machine);
    }
}

/* A queue that was reset can be set up again, and only then. */
Test(virtio_pci, queue_reset)
{
    struct machine machine;
    struct found disk;
    uint64_t data;

    machine_make(&machine, true);
    disk = probe(&machine, VIRTIO_ID_BLOCK);
    bring_up(&machine, &disk, 1, true);
    set_common(&machine, &disk, COMMON(Q_SIZE), 2, 16);
    cr_expect_eq(common(&machine, &disk, COMMON(Q_SIZE), 2), 8);
    set_common(&machine, &disk, COMMON(Q_ENABLE), 2, 0);
    cr_expect_eq(common(&machine, &disk, COMMON(Q_ENABLE), 2), 1);
    set_common(&machine, &disk, 58, 2, 1);
    cr_expect_eq(common(&machine, &disk, COMMON(Q_ENABLE), 2), 0);
    cr_expect_eq(common(&machine, &disk, COMMON(Q_SIZE), 2), 128);
    place_ring(&machine, &disk, 0);
    set_common(&machine, &disk, COMMON(Q_ENABLE), 2, 1);
    data = give(&machine.guest, SECTOR, 512);
    cr_expect_eq(read_sector(&machine, &disk, data, 0), VIRTIO_BLK_S_OK);
    machine_free(&machine);
}

/* The disk's status through the window in configuration space, 4.1.4.9, and a
 * notification. */
static void cfg_point(struct machine *machine, const struct found *found,
                      uint8_t bar, uint32_t offset, uint32_t length)
{
    pci_put(machine, found->number, found->cfg + 4u, 1, bar);
    pci_put(machine, found->number, found->cfg + 8u, 4, offset);
    pci_put(machine, found->number, found->cfg + 12u, 4, length);
}

Test(virtio_pci, access_by_configuration_space)
{
    static const struct {
        const char *what;
        uint8_t bar;
        uint32_t offset, length;
        uint32_t reads; /* when 3 was written to the status before */
    } rows[] = {
        {"status", 0, COMMON(STATUS), 1, 3},
        {"offered features", 0, COMMON(DF), 4, 0x30006e46},
        {"number of queues", 0, COMMON(NUMQ), 2, 1},
        {"capacity", 0, 0x2000, 4, SMALL_DISK},
        {"misaligned", 0, 0x2001, 4, 0xabcdef},
        {"no length", 0, 0x2000, 0, 0xabcdef},
        {"a length of 3", 0, 0x2000, 3, 0xabcdef},
        {"a length of 8", 0, 0x2000, 8, 0xabcdef},
        {"huge length", 0, 0x2000, UINT32_MAX, 0xabcdef},
        {"behind the end", 0, 0x4000, 4, 0xabcdef},
        {"far behind it", 0, 0xfffffffc, 4, 0xabcdef},
        {"another BAR", 1, 0, 4, 0xabcdef},
        {"no BAR", 7, 0, 4, 0xabcdef},
    };

    for_each_row (i, rows) {
        struct machine machine;
        struct found disk;

        machine_make(&machine, true);
        disk = probe(&machine, VIRTIO_ID_BLOCK);
        /* 4.1.4.9: without memory decoding, too. */
        pci_put(&machine, DISK, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        cfg_point(&machine, &disk, 0, COMMON(STATUS), 1);
        pci_put(&machine, DISK, disk.cfg + 16u, 1, 3);
        cfg_point(&machine, &disk, 7, 0, 0);
        pci_put(&machine, DISK, disk.cfg + 16u, 4, 0xabcdef);
        cfg_point(&machine, &disk, rows[i].bar, rows[i].offset, rows[i].length);
        cr_expect_eq(pci_get(&machine, DISK, disk.cfg + 16u, 4), rows[i].reads,
                     "%s", rows[i].what);
        machine_free(&machine);
    }
}

Test(virtio_pci, notification_by_configuration_space)
{
    struct machine machine;
    struct guest *guest = &machine.guest;
    struct request request;
    struct found disk;

    machine_make(&machine, true);
    disk = probe(&machine, VIRTIO_ID_BLOCK);
    bring_up(&machine, &disk, 1, true);
    request = request_make(guest, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    (void)ring_add(guest, 0, request.buffers, request.count);
    cfg_point(&machine, &disk, 0, 0x3000, 2);
    pci_put(&machine, DISK, disk.cfg + 16u, 2, 0);
    cr_expect_eq(request_status(guest, &request), VIRTIO_BLK_S_OK);
    machine_free(&machine);
}

/* Whatever a driver writes where it has no business, the disk works after it
 * has been started anew. */
Test(virtio_pci, hostile_drivers)
{
    static const struct {
        const char *what;
        uint64_t offset; /* from the common structure on */
        unsigned width;
        uint64_t value;
    } rows[] = {
        {"a queue that does not exist", COMMON(Q_SELECT), 2, 1},
        {"the last queue", COMMON(Q_SELECT), 2, 0xffff},
        {"features that do not exist", COMMON(GFSELECT), 4, 0xffffffff},
        {"enabled again", COMMON(Q_ENABLE), 2, 1},
        {"moved while in use", COMMON(Q_DESCLO), 4, 0xfffffff0},
        {"read-only", COMMON(NUMQ), 2, 0xffff},
        {"beyond the registers", 0x40, 4, UINT32_MAX},
        {"the end of the window", 0xffc, 4, UINT32_MAX},
        {"the ISR", 0x1000, 1, 0xff},
        {"beyond the ISR", 0x1ffc, 4, UINT32_MAX},
        {"the capacity", 0x2000, 8, 1},
        {"beyond the configuration", 0x2ff8, 8, UINT64_MAX},
        {"doorbell of a queue that does not exist", 0x3004, 2, 0},
        {"the last doorbell", 0x3ffc, 4, UINT32_MAX},
        {"between doorbells", 0x3002, 2, 0},
    };

    for_each_row (i, rows) {
        struct machine machine;
        struct found disk;
        uint64_t data;

        machine_make(&machine, true);
        disk = probe(&machine, VIRTIO_ID_BLOCK);
        bring_up(&machine, &disk, 1, true);
        store(&machine, disk.common + rows[i].offset, rows[i].width,
              rows[i].value);
        (void)load(&machine, disk.common + rows[i].offset, rows[i].width);
        cr_expect_eq(common(&machine, &disk, COMMON(STATUS), 1), ALL_OK, "%s",
                     rows[i].what);
        cr_expect_eq(machine.message_count, 0, "%s", rows[i].what);
        data = give(&machine.guest, SECTOR, 512);
        cr_expect_eq(read_sector(&machine, &disk, data, 0), VIRTIO_BLK_S_OK,
                     "%s", rows[i].what);
        cr_expect_eq(load(&machine, disk.device, 4), SMALL_DISK);
        machine_free(&machine);
    }
}

/* Of the MSI-X BAR, table and pending bits are there, by 4 bytes. */
Test(virtio_pci, msix_bar)
{
    static const struct {
        uint64_t offset;
        unsigned width;
        uint32_t value, reads;
    } rows[] = {
        {0x0, 4, UINT32_MAX, 0xfffffffc},
        {0x4, 4, UINT32_MAX, UINT32_MAX},
        {0x8, 4, UINT32_MAX, UINT32_MAX},
        {0xc, 4, UINT32_MAX, 1},
        {0x1c, 4, 0xfffffffe, 0},
        {0x0, 2, UINT32_MAX, 0},
        {0xc, 1, 0, 0},
        {0x20, 4, UINT32_MAX, 0},
        {0x40, 4, UINT32_MAX, 0},
        {0x800, 4, UINT32_MAX, 0},
        {0x804, 4, UINT32_MAX, 0},
        {0x808, 4, UINT32_MAX, 0},
        {0xffc, 4, UINT32_MAX, 0},
    };

    for_each_row (i, rows) {
        struct machine machine;
        struct found disk;

        machine_make(&machine, true);
        disk = probe(&machine, VIRTIO_ID_BLOCK);
        store(&machine, disk.table + rows[i].offset, rows[i].width,
              rows[i].value);
        cr_expect_eq(load(&machine, disk.table + rows[i].offset, rows[i].width),
                     rows[i].reads, "row %zu", i);
        cr_expect_eq(load(&machine, disk.table + 0xc, 4), 1, "row %zu", i);
        machine_free(&machine);
    }
}

/* Queues that may not be set up so: they stay off, and a reset is asked for. */
Test(virtio_pci, bad_queues)
{
    static const struct {
        const char *what;
        unsigned reg, width;
        uint32_t value;
    } rows[] = {
        {"size 0", COMMON(Q_SIZE), 2, 0},
        {"no power of two", COMMON(Q_SIZE), 2, 6},
        {"above the maximum", COMMON(Q_SIZE), 2, 256},
        {"descriptors misaligned", COMMON(Q_DESCLO), 4, 8},
        {"available ring misaligned", COMMON(Q_AVAILLO), 4, 1},
        {"used ring misaligned", COMMON(Q_USEDLO), 4, 2},
    };

    for_each_row (i, rows) {
        struct machine machine;
        struct found disk;

        machine_make(&machine, true);
        disk = probe(&machine, VIRTIO_ID_BLOCK);
        negotiate_pci(&machine, &disk);
        place_ring(&machine, &disk, 0);
        set_common(&machine, &disk, rows[i].reg, rows[i].width, rows[i].value);
        set_common(&machine, &disk, COMMON(Q_ENABLE), 2, 1);
        cr_expect_eq(common(&machine, &disk, COMMON(Q_ENABLE), 2), 0, "%s",
                     rows[i].what);
        cr_expect(common(&machine, &disk, COMMON(STATUS), 1) & NEEDS_RESET,
                  "%s", rows[i].what);
        bring_up(&machine, &disk, 1, true);
        cr_expect_eq(common(&machine, &disk, COMMON(STATUS), 1), ALL_OK, "%s",
                     rows[i].what);
        machine_free(&machine);
    }
}

/* A device that moves while it works stays the same device. */
Test(virtio_pci, moves_in_use)
{
    struct machine machine;
    struct found disk;
    uint64_t data, before;

    machine_make(&machine, true);
    disk = probe(&machine, VIRTIO_ID_BLOCK);
    bring_up(&machine, &disk, 1, true);
    before = disk.common;
    disk.common = pci_place(&machine, DISK, 0);
    disk.notify += disk.common - before;
    cr_expect_neq(disk.common, before);
    data = give(&machine.guest, SECTOR, 512);
    cr_expect_eq(read_sector(&machine, &disk, data, 0), VIRTIO_BLK_S_OK);
    cr_expect_eq(load(&machine, before + COMMON(STATUS), 1), 0xff);
    machine_free(&machine);
}
