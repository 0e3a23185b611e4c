/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <libfdt.h>
#include <string.h>

#include "device/parse.h"

#define VIRTIO_VENDOR 0x1af4
#define MODERN_BASE   0x1040
#define MOST_KICKS    1000

static void chip_set_level(struct irq_chip *chip, uint32_t irq, bool high)
{
    struct machine *machine = container_of(chip, struct machine, chip);

    cr_assert(irq < ARRAY_SIZE(machine->lines));
    machine->lines[irq] = !high;
}

static void chip_pulse(struct irq_chip *chip, uint32_t irq)
{
    cr_assert(false, "a PCI interrupt is a level");
}

static void on_message(void *context, uint64_t address, uint32_t data)
{
    struct machine *machine = context;

    cr_assert(machine->message_count < MOST_MESSAGES);
    machine->messages[machine->message_count++] =
        (struct message){address, data};
}

static void on_down(void *vm_object, bool reboot)
{
    struct machine *machine = vm_object;

    machine->downs += !reboot;
    machine->reboots += reboot;
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

void machine_make_bare(struct machine *machine)
{
    struct guest *guest = &machine->guest;

    memset(machine, 0, sizeof(*machine));
    guest->next_free = RAM_START;
    cr_assert_eq(aspace_init(&guest->memory, &s2_sv39x4, NULL), OK);
    cr_assert_eq(aspace_map_lazy(&guest->memory, gpa(RAM_START), RAM_SIZE,
                                 MEM_RWX, false),
                 OK);
    guest->console = (struct chardev){console_take, console_give, NULL};
    machine->next_bar = WINDOW;
    machine->chip = (struct irq_chip){chip_set_level, chip_pulse, 24};
    /* The bridge has to let go of its lines first. */
    memset(&machine->lines[LINE_A], true, 4);
    machine->context = (struct device_context){
        .arena = &guest->arena,
        .memory = &guest->memory,
        .irq_chip = &machine->chip,
        .console = &guest->console,
        .vm = 3,
        .vcpu_count = 1,
        .fdt = machine->tree,
        .system_down = on_down,
        .vm_object = machine,
        .msi = on_message,
        .msi_context = machine,
    };
}

err_t machine_try(struct machine *machine, const char **what)
{
    struct guest *guest = &machine->guest;
    err_t error;

    *what = "";
    machine->context.node = fdt_first_subnode(machine->tree, 0);
    error = device_from_node(&machine->context, &guest->device, what);
    return error != OK ? error
                       : device_set_add(&guest->devices, guest->device, NULL);
}

static int add_child(void *tree, const char *name, const char *compatible,
                     unsigned number, const char *cell, uint32_t value)
{
    int error = fdt_begin_node(tree, name);

    error |= fdt_property(tree, "compatible", compatible,
                          (int)strlen(compatible) + 1);
    error |= fdt_property_u32(tree, "slot", number >> 3);
    error |= fdt_property_u32(tree, "function", number & 7);
    if (cell != NULL)
        error |= fdt_property_u32(tree, cell, value);
    return error | fdt_end_node(tree);
}

static void write_tree(void *tree, int size)
{
    const fdt64_t reg[] = {cpu_to_fdt64(WINDOW), cpu_to_fdt64(WINDOW_SIZE)};
    fdt32_t intx[4];
    int error = fdt_create(tree, size);

    for (uint32_t i = 0; i < ARRAY_SIZE(intx); i++)
        intx[i] = cpu_to_fdt32(LINE_A + i);
    error |= fdt_finish_reservemap(tree);
    error |= fdt_begin_node(tree, "");
    error |= fdt_begin_node(tree, "pci");
    error |= fdt_property_string(tree, "compatible", "intel,82441fx");
    error |= fdt_property(tree, "reg", reg, sizeof(reg));
    error |= fdt_property(tree, "intx", intx, sizeof(intx));
    error |= add_child(tree, "rng", "virtio,rng", RNG, NULL, 0);
    error |= add_child(tree, "isa", "intel,piix4-isa", ISA, NULL, 0);
    error |= add_child(tree, "pm", "intel,piix4-pm", PM, NULL, 0);
    error |= add_child(tree, "disk", "virtio,blk", DISK, "size",
                       SMALL_DISK * SECTOR);
    error |= add_child(tree, "console", "virtio,console", CONSOLE, NULL, 0);
    error |= fdt_end_node(tree);
    error |= fdt_end_node(tree);
    error |= fdt_finish(tree);
    cr_assert_eq(error, 0);
}

void machine_make(struct machine *machine, bool messages)
{
    const char *what;
    err_t error;

    machine_make_bare(machine);
    if (!messages)
        machine->context.msi = NULL;
    write_tree(machine->tree, sizeof(machine->tree));
    error = machine_try(machine, &what);
    cr_assert_eq(error, OK, "%s: %s", what, error_text(error));
}

void machine_free(struct machine *machine)
{
    guest_free(&machine->guest);
}

static struct bus *bus_of(struct machine *machine, enum bus_kind kind)
{
    return &machine->guest.devices.buses[kind];
}

uint32_t in(struct machine *machine, uint64_t port, unsigned width)
{
    uint64_t value = 0;

    cr_assert_eq(bus_read(bus_of(machine, BUS_PORT), port, width, &value), OK);
    return (uint32_t)value;
}

void out(struct machine *machine, uint64_t port, unsigned width, uint32_t value)
{
    cr_assert_eq(bus_write(bus_of(machine, BUS_PORT), port, width, value), OK);
}

uint64_t load(struct machine *machine, uint64_t address, unsigned width)
{
    uint64_t value = 0;

    cr_assert_eq(bus_read(bus_of(machine, BUS_MMIO), address, width, &value),
                 OK);
    return value;
}

void store(struct machine *machine, uint64_t address, unsigned width,
           uint64_t value)
{
    err_t error;
    unsigned again = 0;

    do {
        error = bus_write(bus_of(machine, BUS_MMIO), address, width, value);
        cr_assert_lt(again++, MOST_KICKS);
    } while (error == ERR_BUSY);
    cr_assert_eq(error, OK);
}

static void point_at(struct machine *machine, unsigned number, unsigned reg)
{
    out(machine, CONFIG_ADDRESS, 4, 0x80000000 | number << 8 | (reg & ~3u));
}

uint32_t pci_get(struct machine *machine, unsigned number, unsigned reg,
                 unsigned width)
{
    point_at(machine, number, reg);
    return in(machine, CONFIG_DATA + (reg & 3), width);
}

void pci_put(struct machine *machine, unsigned number, unsigned reg,
             unsigned width, uint32_t value)
{
    point_at(machine, number, reg);
    out(machine, CONFIG_DATA + (reg & 3), width, value);
}

uint32_t pci_bar_size(struct machine *machine, unsigned number, unsigned index)
{
    unsigned reg = PCI_BASE_ADDRESS_0 + 4 * index;
    uint32_t old = pci_get(machine, number, reg, 4);
    uint32_t mask;

    pci_put(machine, number, reg, 4, UINT32_MAX);
    mask =
        pci_get(machine, number, reg, 4) & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK;
    pci_put(machine, number, reg, 4, old);
    return ~mask + 1;
}

uint64_t pci_place(struct machine *machine, unsigned number, unsigned index)
{
    uint32_t size = pci_bar_size(machine, number, index);
    uint64_t at;

    if (size == 0)
        return 0;
    at = (machine->next_bar + size - 1) & ~(uint64_t)(size - 1);
    machine->next_bar = at + size;
    cr_assert(machine->next_bar <= WINDOW + WINDOW_SIZE);
    pci_put(machine, number, PCI_BASE_ADDRESS_0 + 4 * index, 4, (uint32_t)at);
    return at;
}

/* One capability of virtio's. */
static void note_structure(struct machine *machine, struct found *found,
                           const uint64_t bars[6], uint8_t at)
{
    unsigned number = found->number;
    uint8_t type = (uint8_t)pci_get(machine, number, at + 3u, 1);
    uint8_t bar = (uint8_t)pci_get(machine, number, at + 4u, 1);
    uint64_t where = bars[bar] + pci_get(machine, number, at + 8u, 4);

    switch (type) {
    case VIRTIO_PCI_CAP_COMMON_CFG: found->common = where; break;
    case VIRTIO_PCI_CAP_ISR_CFG: found->isr = where; break;
    case VIRTIO_PCI_CAP_DEVICE_CFG: found->device = where; break;
    case VIRTIO_PCI_CAP_PCI_CFG: found->cfg = at; break;
    case VIRTIO_PCI_CAP_NOTIFY_CFG:
        found->notify = where;
        found->multiplier = pci_get(machine, number, at + 16u, 4);
        break;
    default: cr_assert(false, "capability of type %u", type);
    }
}

static void note_msix(struct machine *machine, struct found *found,
                      const uint64_t bars[6], uint8_t at)
{
    uint32_t table = pci_get(machine, found->number, at + PCI_MSIX_TABLE, 4);
    uint32_t pba = pci_get(machine, found->number, at + PCI_MSIX_PBA, 4);

    found->msix = at;
    found->vectors = (pci_get(machine, found->number, at + PCI_MSIX_FLAGS, 2) &
                      PCI_MSIX_FLAGS_QSIZE) +
                     1;
    found->table = bars[table & PCI_MSIX_TABLE_BIR] + (table & ~7u);
    found->pending = bars[pba & PCI_MSIX_PBA_BIR] + (pba & ~7u);
}

static void read_capabilities(struct machine *machine, struct found *found,
                              const uint64_t bars[6])
{
    unsigned number = found->number, seen = 0;
    uint8_t at = (uint8_t)pci_get(machine, number, PCI_CAPABILITY_LIST, 1);

    cr_assert(pci_get(machine, number, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
    for (; at != 0;
         at = (uint8_t)pci_get(machine, number, at + PCI_CAP_LIST_NEXT, 1)) {
        cr_assert(seen++ < 48 && at >= 0x40 && (at & 3) == 0);
        switch (pci_get(machine, number, at, 1)) {
        case PCI_CAP_ID_VNDR: note_structure(machine, found, bars, at); break;
        case PCI_CAP_ID_MSIX: note_msix(machine, found, bars, at); break;
        default: cr_assert(false, "a capability of another kind");
        }
    }
}

struct found probe(struct machine *machine, unsigned virtio_id)
{
    struct found found = {0};
    uint64_t bars[6] = {0};
    uint32_t wanted = (MODERN_BASE + virtio_id) << 16 | VIRTIO_VENDOR;

    while (found.number < 256 &&
           pci_get(machine, found.number, PCI_VENDOR_ID, 4) != wanted)
        found.number++;
    cr_assert(found.number < 256, "no virtio device %u", virtio_id);
    for (unsigned i = 0; i < 6; i++)
        bars[i] = pci_place(machine, found.number, i);
    pci_put(machine, found.number, PCI_COMMAND, 2,
            PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    read_capabilities(machine, &found, bars);
    return found;
}

uint32_t common(struct machine *machine, const struct found *found,
                unsigned offset, unsigned width)
{
    return (uint32_t)load(machine, found->common + offset, width);
}

void set_common(struct machine *machine, const struct found *found,
                unsigned offset, unsigned width, uint32_t value)
{
    store(machine, found->common + offset, width, value);
}

void set_vector(struct machine *machine, const struct found *found,
                unsigned vector, uint64_t address, uint32_t data)
{
    uint64_t entry = found->table + PCI_MSIX_ENTRY_SIZE * (uint64_t)vector;

    store(machine, entry + PCI_MSIX_ENTRY_LOWER_ADDR, 4, (uint32_t)address);
    store(machine, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 4, address >> 32);
    store(machine, entry + PCI_MSIX_ENTRY_DATA, 4, data);
    store(machine, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, 0);
}

void negotiate_pci(struct machine *machine, const struct found *found)
{
    uint64_t features = 0;

    set_common(machine, found, COMMON(STATUS), 1, 0);
    set_common(machine, found, COMMON(STATUS), 1, ACKNOWLEDGE | DRIVER);
    for (uint32_t word = 0; word < 2; word++) {
        uint32_t offered;

        set_common(machine, found, COMMON(DFSELECT), 4, word);
        offered = common(machine, found, COMMON(DF), 4);
        set_common(machine, found, COMMON(GFSELECT), 4, word);
        set_common(machine, found, COMMON(GF), 4, offered);
        features |= (uint64_t)offered << (32 * word);
    }
    set_common(machine, found, COMMON(STATUS), 1,
               ACKNOWLEDGE | DRIVER | FEATURES_OK);
    cr_assert(common(machine, found, COMMON(STATUS), 1) & FEATURES_OK);
    machine->guest.features = features;
}

static void put64(struct machine *machine, const struct found *found,
                  unsigned offset, uint64_t value)
{
    set_common(machine, found, offset, 4, (uint32_t)value);
    set_common(machine, found, offset + 4, 4, (uint32_t)(value >> 32));
}

void place_ring(struct machine *machine, const struct found *found,
                unsigned queue)
{
    const struct ring *ring = &machine->guest.rings[queue];

    ring_place(&machine->guest, queue, 8);
    set_common(machine, found, COMMON(Q_SELECT), 2, queue);
    set_common(machine, found, COMMON(Q_SIZE), 2, 8);
    put64(machine, found, COMMON(Q_DESCLO), ring->desc);
    put64(machine, found, COMMON(Q_AVAILLO), ring->avail);
    put64(machine, found, COMMON(Q_USEDLO), ring->used);
}

void bring_up(struct machine *machine, const struct found *found,
              unsigned queues, bool vectors)
{
    negotiate_pci(machine, found);
    if (vectors) {
        pci_put(machine, found->number, found->msix + PCI_MSIX_FLAGS, 2,
                PCI_MSIX_FLAGS_ENABLE);
        set_common(machine, found, COMMON(MSIX), 2, 0);
        set_vector(machine, found, 0, 0xfee00000, 0x40);
    }
    for (unsigned queue = 0; queue < queues; queue++) {
        place_ring(machine, found, queue);
        if (vectors) {
            set_common(machine, found, COMMON(Q_MSIX), 2, queue + 1);
            set_vector(machine, found, queue + 1, 0xfee01000, 0x41 + queue);
        }
        set_common(machine, found, COMMON(Q_ENABLE), 2, 1);
    }
    set_common(machine, found, COMMON(STATUS), 1, ALL_OK);
}

void kick(struct machine *machine, const struct found *found, unsigned queue)
{
    uint32_t off;

    set_common(machine, found, COMMON(Q_SELECT), 2, queue);
    off = common(machine, found, COMMON(Q_NOFF), 2);
    store(machine, found->notify + (uint64_t)off * found->multiplier, 2, queue);
}
