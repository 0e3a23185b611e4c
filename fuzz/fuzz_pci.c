/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space and the window, by any access. Found out here: a
 * register that changes and may not, a BAR that is decoded where it is not, an
 * interrupt line that is not what the functions' status registers say.
 */
#include "fuzz/harness.h"
#include "fuzz/rewind.h"
#include "tests/hv/device/pci/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_STEPS 64
#define LINES     4

static const uint8_t functions[] = {BRIDGE, DISK, PM, CONSOLE, RNG};
static struct machine *machine;
static uint32_t ids[ARRAY_SIZE(functions)];

static struct bus *ports_bus(void)
{
    return &machine->guest.devices.buses[BUS_PORT];
}

static unsigned take_function(struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 1);

    return how < 0xe0 ? functions[how % ARRAY_SIZE(functions)]
                      : (unsigned)fuzz_take(input, 1);
}

static void do_config_write(struct fuzz_input *input)
{
    unsigned function = take_function(input);
    unsigned width = 1u << fuzz_pick(input, 3);
    unsigned reg = (unsigned)fuzz_take(input, 1) & ~(width - 1);

    out(machine, CONFIG_ADDRESS, 4, 0x80000000 | function << 8 | (reg & ~3u));
    (void)!bus_write(ports_bus(), CONFIG_DATA + (reg & 3), width,
                     fuzz_number(input));
}

/* A BAR in the window, and memory on. */
static void do_place(struct fuzz_input *input)
{
    unsigned function = take_function(input);
    unsigned index = fuzz_pick(input, 2);

    pci_put(machine, function, PCI_BASE_ADDRESS_0 + 4 * index, 4,
            (uint32_t)WINDOW | (uint32_t)fuzz_take(input, 1) << 12);
    pci_put(machine, function, PCI_COMMAND, 2,
            (uint32_t)fuzz_take(input, 2) | PCI_COMMAND_MEMORY);
}

static void do_port(struct fuzz_input *input)
{
    uint64_t port = CONFIG_ADDRESS + fuzz_pick(input, 8);
    unsigned width = 1u << fuzz_pick(input, 3);
    uint64_t value = fuzz_number(input);

    (void)!bus_write(ports_bus(), port, width, value);
    (void)!bus_read(ports_bus(), port, width, &value);
}

/* Whether some BAR is decoded at `address`, as the registers say. */
static bool is_decoded(uint64_t address)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        unsigned number = functions[i];

        if (!(pci_get(machine, number, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
            continue;
        for (unsigned bar = 0; bar < 6; bar++) {
            uint32_t at =
                pci_get(machine, number, PCI_BASE_ADDRESS_0 + 4 * bar, 4);
            uint64_t size = bar == 0 ? 0x4000 : 0x1000;

            if (bar < 2 && number != BRIDGE && number != PM &&
                address - at < size)
                return true;
        }
    }
    return false;
}

static void do_window(struct fuzz_input *input)
{
    struct bus *bus = &machine->guest.devices.buses[BUS_MMIO];
    unsigned width = 1u << fuzz_pick(input, 4);
    uint64_t at = WINDOW + fuzz_take(input, 3) % WINDOW_SIZE;
    uint64_t ones = ~UINT64_C(0) >> (64 - 8 * width);
    uint64_t value = 0;

    at &= ~(uint64_t)(width - 1);
    if (fuzz_pick(input, 2) != 0) {
        (void)!bus_write(bus, at, width, fuzz_number(input));
        return;
    }
    fuzz_need(bus_read(bus, at, width, &value) == OK, "a read fails");
    fuzz_need(is_decoded(at) || is_decoded(at + width - 1) || value == ones,
              "something answers where no BAR is");
}

static void do_type(struct fuzz_input *input)
{
    char byte = (char)fuzz_take(input, 1);

    machine->guest.input_start = machine->guest.input_end = 0;
    type_text(&machine->guest, &byte, 1);
}

static void do_reset(struct fuzz_input *input)
{
    device_set_reset(&machine->guest.devices);
}

static void (*const steps[])(struct fuzz_input *input) = {
    do_config_write, do_place, do_window, do_window,
    do_config_write, do_port,  do_type,   do_reset,
};

/* Returns the index of one of the functions, any of them in turn. */
static unsigned take_step(struct fuzz_input *input)
{
    unsigned step = (unsigned)fuzz_take(input, 1);

    steps[step % ARRAY_SIZE(steps)](input);
    return step / ARRAY_SIZE(steps) % ARRAY_SIZE(functions);
}

static void check_function(unsigned i)
{
    uint32_t command = pci_get(machine, functions[i], PCI_COMMAND, 2);

    fuzz_need(pci_get(machine, functions[i], PCI_VENDOR_ID, 4) == ids[i],
              "a function becomes another");
    fuzz_need((command & ~0x0406u) == 0, "command bits that do not exist");
}

/* In the end: what a step leaves wrong is the end of a shorter input. */
static void check(void)
{
    bool lines[LINES] = {false};

    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        unsigned number = functions[i];
        uint32_t command = pci_get(machine, number, PCI_COMMAND, 2);
        uint32_t status = pci_get(machine, number, PCI_STATUS, 2);

        check_function((unsigned)i);
        lines[(number >> 3) % LINES] |=
            (status & PCI_STATUS_INTERRUPT) != 0 &&
            (command & PCI_COMMAND_INTX_DISABLE) == 0;
    }
    for (unsigned i = 0; i < LINES; i++)
        fuzz_need(machine->lines[LINE_A + i] == lines[i],
                  "a line that is not what the functions say");
}

static void make(void)
{
    machine = fuzz_new(sizeof(*machine));
    machine_make(machine, true);
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        ids[i] = pci_get(machine, functions[i], PCI_VENDOR_ID, 4);
    fuzz_remember();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    if (machine == NULL)
        make();
    fuzz_rewind();
    for (unsigned i = 0; i < MAX_STEPS && !fuzz_is_empty(&input); i++) {
        unsigned function = take_step(&input);

        check_function(function);
        machine->message_count = 0;
        machine->guest.output_size = 0;
    }
    check();
    return 0;
}
