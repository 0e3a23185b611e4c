/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk behind virtio-pci, and a driver that the input plays. Found out here:
 * a message that may not be sent, work for a device that is not bus master, a
 * disk that does not read what was written after it was started anew.
 */
#include <string.h>

#include "fuzz/harness.h"
#include "fuzz/rewind.h"
#include "tests/hv/device/pci/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_STEPS 48
#define BAR0_SIZE 0x4000

/* Where the driver has its rings and buffers. */
#define RAM_OF_DRIVER UINT64_C(0x10000)

static struct machine *machine;
static struct found disk, found; /* now, and before each input */

static struct bus *mmio(void)
{
    return &machine->guest.devices.buses[BUS_MMIO];
}

static uint32_t flags(void)
{
    return pci_get(machine, DISK, disk.msix + PCI_MSIX_FLAGS, 2);
}

/* An access of which messages come only if they may, before or after it. */
static void guarded_write(uint64_t at, unsigned width, uint64_t value)
{
    bool before = (flags() & PCI_MSIX_FLAGS_ENABLE) != 0;

    machine->message_count = 0;
    (void)!bus_write(mmio(), at, width, value);
    if (machine->message_count == 0)
        return;
    fuzz_need(before, "a message with MSI-X switched off");
    fuzz_need((flags() & PCI_MSIX_FLAGS_MASKALL) == 0,
              "a message with MSI-X masked");
}

static void power_on(void)
{
    device_set_reset(&machine->guest.devices);
    fuzz_need(aspace_clear(&machine->guest.memory, gpa(RAM_START),
                           RAM_OF_DRIVER) == OK,
              "memory cannot be cleared");
    machine->next_bar = WINDOW;
    machine->guest.next_free = RAM_START;
    machine->message_count = 0;
    disk = probe(machine, VIRTIO_ID_BLOCK);
}

static bool is_fresh; /* nothing was done since the machine was put back */
static bool is_again; /* it has been switched off and on */

/*
 * At first the device is up, with MSI-X. Where a driver begins that has not
 * been there before, another input may begin: later in this one, the machine is
 * switched off and on, for some, as that takes as long as the rest. False: it
 * is not.
 */
static bool do_start(struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 1);
    bool off = how >= (is_fresh ? 0xfc : 0xf0);

    if (!is_fresh && (!off || is_again))
        return false;
    is_fresh = false;
    if (how < 0xc0)
        return true;
    if (off)
        power_on();
    is_again |= off;
    pci_put(machine, DISK, disk.msix + PCI_MSIX_FLAGS, 2, 0);
    bring_up(machine, &disk, 1, how % 2 != 0);
    return true;
}

static void do_start_only(struct fuzz_input *input)
{
    (void)do_start(input);
}

static uint8_t transfer(uint32_t type, uint64_t sector, uint64_t at)
{
    struct guest *guest = &machine->guest;
    struct request request = request_make(guest, type, sector, at, SECTOR);

    (void)ring_add(guest, 0, request.buffers, request.count);
    kick(machine, &disk, 0);
    return request_status(guest, &request);
}

/* What was written is read, on a device that has just been started. */
static void do_sector(struct fuzz_input *input)
{
    uint32_t seed = (uint32_t)fuzz_take(input, 2);
    uint64_t sector = fuzz_pick(input, SMALL_DISK);
    uint64_t at;

    if (!do_start(input))
        return;
    at = give(&machine->guest, SECTOR, 512);
    pattern_put(&machine->guest, at, SECTOR, seed);
    fuzz_need(transfer(VIRTIO_BLK_T_OUT, sector, at) == VIRTIO_BLK_S_OK,
              "a sector cannot be written");
    pattern_put(&machine->guest, at, SECTOR, ~seed);
    fuzz_need(transfer(VIRTIO_BLK_T_IN, sector, at) == VIRTIO_BLK_S_OK,
              "a sector cannot be read");
    fuzz_need(pattern_is(&machine->guest, at, SECTOR, seed),
              "a sector is not what was written");
}

/* Registers, mostly those that are there. */
static void do_write(struct fuzz_input *input)
{
    static const uint8_t widths[] = {1, 2, 4, 8};
    unsigned how = (unsigned)fuzz_take(input, 1);
    uint64_t offset = how < 0xc0 ? how % 64u : fuzz_take(input, 2) % BAR0_SIZE;
    unsigned width = widths[fuzz_pick(input, 4)];

    guarded_write(disk.common + align_down(offset, width), width,
                  fuzz_number(input));
}

static void do_read(struct fuzz_input *input)
{
    unsigned width = 1u << fuzz_pick(input, 4);
    uint64_t offset = align_down(fuzz_take(input, 2) % BAR0_SIZE, width);
    uint64_t value;

    fuzz_need(bus_read(mmio(), disk.common + offset, width, &value) == OK,
              "a read fails");
}

static void do_table(struct fuzz_input *input)
{
    uint64_t offset = fuzz_pick(input, 16) * UINT64_C(4);

    guarded_write(disk.table + offset, 4, fuzz_number(input));
}

static void do_config(struct fuzz_input *input)
{
    unsigned how = fuzz_pick(input, 3);
    uint32_t value = (uint32_t)fuzz_number(input);

    machine->message_count = 0;
    out(machine, CONFIG_ADDRESS, 4,
        0x80000000 | DISK << 8 |
            (how == 0   ? PCI_COMMAND
             : how == 1 ? disk.msix
                        : (disk.cfg + 4u * fuzz_pick(input, 5)) & 0xfc));
    (void)!bus_write(&machine->guest.devices.buses[BUS_PORT],
                     CONFIG_DATA + (how == 1 ? 2 : 0), how < 2 ? 2 : 4, value);
    fuzz_need(machine->message_count == 0 ||
                  (flags() & PCI_MSIX_FLAGS_ENABLE) != 0,
              "a message with MSI-X switched off");
}

/* A chain of one descriptor, or what is none, and the doorbell. */
static void do_chain(struct fuzz_input *input)
{
    struct ring *ring = &machine->guest.rings[0];
    bool master;
    uint16_t used;

    if (ring->size == 0)
        return;
    desc_set(&machine->guest, desc_at(ring, 0),
             RAM_START + fuzz_take(input, 3) % RAM_SIZE,
             (uint32_t)fuzz_number(input), (unsigned)fuzz_take(input, 1) & 7,
             (unsigned)fuzz_take(input, 1) & 7);
    ring_publish(&machine->guest, 0, (uint16_t)fuzz_take(input, 1) & 15);
    used = peek16(&machine->guest, used_idx_at(ring));
    master = pci_get(machine, DISK, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
    guarded_write(disk.notify, 2, 0);
    fuzz_need(master || (peek16(&machine->guest, used_idx_at(ring)) == used &&
                         machine->message_count == 0),
              "work of a device that is not bus master");
}

static void (*const steps[])(struct fuzz_input *input) = {
    do_start_only, do_sector, do_write,  do_write,
    do_read,       do_table,  do_config, do_chain,
};

static void make(void)
{
    machine = fuzz_new(sizeof(*machine));
    machine_make(machine, true);
    found = probe(machine, VIRTIO_ID_BLOCK);
    bring_up(machine, &found, 1, true);
    fuzz_remember();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    if (machine == NULL)
        make();
    fuzz_rewind();
    disk = found;
    is_fresh = true;
    is_again = false;
    for (unsigned i = 0; i < MAX_STEPS && !fuzz_is_empty(&input); i++) {
        steps[fuzz_pick(&input, ARRAY_SIZE(steps))](&input);
        is_fresh = false;
    }
    return 0;
}
