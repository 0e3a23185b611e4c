/* SPDX-License-Identifier: Apache-2.0 */
#include "ports.h"

#include <string.h>

#include "sim/clock.h"
#include "sim/ram.h"

#define MOST_RETRIES 1000

static void record_level(struct irq_chip *chip, uint32_t irq, bool high)
{
    struct ports *ports = container_of(chip, struct ports, chip);

    ports->rises += high && !ports->line;
    ports->line = high;
}

static void record_pulse(struct irq_chip *chip, uint32_t irq)
{
    container_of(chip, struct ports, chip)->rises++;
}

static void on_down(void *vm_object, bool reboot)
{
    struct ports *ports = vm_object;

    ports->downs += !reboot;
    ports->reboots += reboot;
}

static void on_failed(void *vm_object, uint32_t code)
{
    struct ports *ports = vm_object;

    ports->failures++;
    ports->code = code;
}

static void take_output(struct chardev *chardev, const uint8_t *bytes,
                        size_t size)
{
    struct ports *ports = container_of(chardev, struct ports, console);

    cr_assert_leq(ports->output_size + size, sizeof(ports->output));
    memcpy(ports->output + ports->output_size, bytes, size);
    ports->output_size += size;
}

void ports_begin(struct ports *ports, const char *compatible)
{
    int error;

    memset(ports, 0, sizeof(*ports));
    ram_reset(0);
    clock_reset();
    cr_assert_eq(aspace_init(&ports->memory, &s2_sv39x4, NULL), OK);
    cr_assert_eq(aspace_map_lazy(&ports->memory, gpa(PORTS_RAM), PORTS_RAM_SIZE,
                                 MEM_RWX, false),
                 OK);
    ports->chip = (struct irq_chip){record_level, record_pulse, 24};
    ports->console = (struct chardev){take_output, NULL, NULL};
    ports->context = (struct device_context){
        .arena = &ports->arena,
        .memory = &ports->memory,
        .irq_chip = &ports->chip,
        .console = &ports->console,
        .vcpu_count = 3,
        .fdt = ports->tree,
        .system_down = on_down,
        .system_failed = on_failed,
        .vm_object = ports,
    };
    error = fdt_create(ports->tree, sizeof(ports->tree));
    error |= fdt_finish_reservemap(ports->tree);
    error |= fdt_begin_node(ports->tree, "");
    error |= fdt_begin_node(ports->tree, "device");
    error |= fdt_property(ports->tree, "compatible", compatible,
                          (int)strlen(compatible) + 1);
    cr_assert_eq(error, 0);
}

err_t ports_try(struct ports *ports, const char **what)
{
    int failed = fdt_end_node(ports->tree);
    err_t error;

    failed |= fdt_end_node(ports->tree);
    failed |= fdt_finish(ports->tree);
    cr_assert_eq(failed, 0);
    ports->context.node = fdt_first_subnode(ports->tree, 0);
    *what = "";
    error = device_from_node(&ports->context, &ports->device, what);
    return error != OK ? error
                       : device_set_add(&ports->set, ports->device, NULL);
}

void ports_make(struct ports *ports, const char *compatible, uint64_t base,
                uint64_t size)
{
    const fdt64_t reg[] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};
    const char *what;
    err_t error;

    ports_begin(ports, compatible);
    if (size != 0)
        cr_assert_eq(fdt_property(ports->tree, "reg", reg, sizeof(reg)), 0);
    cr_assert_eq(fdt_property_u32(ports->tree, "interrupts", 1), 0);
    error = ports_try(ports, &what);
    cr_assert_eq(error, OK, "%s: %s: %s", compatible, what, error_text(error));
}

void ports_free(struct ports *ports)
{
    arena_free_all(&ports->arena);
    aspace_fini(&ports->memory);
    cr_assert_eq(ram_frames_in_use(), 0);
}

uint32_t ports_in(struct ports *ports, uint64_t port, unsigned width)
{
    uint64_t value = 0;

    cr_assert_eq(bus_read(&ports->set.buses[BUS_PORT], port, width, &value),
                 OK);
    return (uint32_t)value;
}

void ports_out(struct ports *ports, uint64_t port, unsigned width,
               uint32_t value)
{
    unsigned again = 0;
    err_t error;

    do {
        error = bus_write(&ports->set.buses[BUS_PORT], port, width, value);
        cr_assert_lt(again++, MOST_RETRIES);
    } while (error == ERR_BUSY);
    cr_assert_eq(error, OK);
}
