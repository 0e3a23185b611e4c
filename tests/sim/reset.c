/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reset undoes everything: whatever guests did, and whatever happened to the
 * memory of the hypervisor, the machine is the one that was made, byte by byte,
 * on each architecture. The fuzz targets depend on it.
 */
#include "sim/reset.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/ram_internal.h"
#include "sim/sim.h"
#include "support/rows.h"

#define VMS   2
#define VCPUS 2
#define CPUS  RESET_CPUS
#define RAM   (UINT64_C(32) << 20)

/* More than the restores before frames are watched, in which the first ones
 * find out which frames to copy. */
#define ROUNDS 200

static const struct reset_arch *const archs[] = {&reset_riscv64, &reset_x86_64,
                                                 &reset_x86_64_vmx};

static uint32_t random_state = 1;

uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

uint64_t draw64(void)
{
    return (uint64_t)draw(1 << 24) << 40 ^ (uint64_t)draw(1 << 24) << 20 ^
           draw(1 << 24);
}

static struct machine *make(const struct sim_arch *arch)
{
    static struct machine_spec spec;
    struct machine_config config = {
        .cpus = CPUS, .ram = RAM, .patience = 4, .arch = arch};
    struct machine *machine = NULL;
    struct bundle bundle;

    spec = (struct machine_spec){.arch = arch, .vm_count = VMS};
    for (uint32_t i = 0; i < VMS; i++) {
        arch->usual_vm(&spec.vms[i], i + 1, VCPUS);
        spec.vms[i].memory[0].size = UINT64_C(2) << 20;
        spec.vms[i].stop_on_reboot = i == 0;
    }
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    config.bundle = &bundle;
    config.do_steps = 50;
    cr_assert_eq(machine_create(&config, &machine), OK);
    bundle_free(&bundle);
    (void)machine_run(machine, 16);
    return machine;
}

/* All of a machine that can be told apart, as bytes. */
struct image {
    size_t size;
    uint8_t bytes[RAM / 4];
};

void put(struct image *image, const void *bytes, size_t size)
{
    cr_assert_leq(image->size + size, sizeof(image->bytes));
    memcpy(image->bytes + image->size, bytes, size);
    image->size += size;
}

void put_number(struct image *image, uint64_t number)
{
    put(image, &number, sizeof(number));
}

static void put_ram(struct image *image)
{
    put_number(image, ram.in_use);
    put_number(image, ram.hint);
    for (uint64_t frame = 0; frame < ram.frames; frame++) {
        if (!ram_frame_is_used(frame))
            continue;
        put_number(image, frame);
        put(image, ram_frame(frame), PAGE_SIZE);
    }
}

static void take_image(struct image *image, const struct reset_arch *arch,
                       struct machine *machine)
{
    size_t written;
    const char *output = console_output(&written);

    image->size = 0;
    put_ram(image);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
        arch->put_cpu(image, cpu);
        put_number(image, clock_next_deadline(cpu));
    }
    put_number(image, clock_ticks());
    put_number(image, clock_timer_count());
    put_number(image, machine_exits(machine));
    put_number(image, cpus_state.kicked * 4 + cpus_power());
    put_number(image, console_has_interrupt());
    put(image, output, written);
}

static void expect_same(const struct image *image, const struct image *wanted,
                        const char *when)
{
    size_t at = 0;

    while (at < image->size && at < wanted->size &&
           image->bytes[at] == wanted->bytes[at])
        at++;
    cr_assert(image->size == wanted->size && at == image->size,
              "%s: byte %zu of %zu and %zu", when, at, image->size,
              wanted->size);
}

/* Damage -------------------------------------------------------------------*/

static void guest_acts(const struct reset_arch *arch, struct machine *machine)
{
    struct guest_op op = arch->draw_op();
    struct guest_result result;

    (void)!machine_do(machine, 1 + draw(VMS), draw(VCPUS), &op, &result);
}

static void outside_acts(const struct reset_arch *arch, struct machine *machine)
{
    switch (draw(3)) {
    case 0: (void)console_inject("typed", 1 + draw(5)); break;
    case 1: console_write("lost", 4); break;
    default:
        (void)!machine_inject(machine, 1 + draw(VMS), draw(VCPUS),
                              arch->interrupt);
    }
}

/* As a bug of the hypervisor may: its frames, by pointers. Those of guests it
 * reaches only by functions, which say so. */
static void memory_is_damaged(uint32_t frames)
{
    uint64_t frame = draw(frames), value = draw64();
    size_t at = draw(PAGE_SIZE / 8) * 8;

    if (!ram_frame_is_used(frame))
        return;
    if (ram_snapshot_is_tracked(frame))
        memory_write_guest_impl(hpa(RAM_BASE + frame * PAGE_SIZE + at), &value,
                                sizeof(value));
    else
        memcpy(ram_frame(frame) + at, &value, sizeof(value));
}

static void frames_come_and_go(uint32_t frames)
{
    uint64_t frame = draw(frames);

    if (draw(2) != 0) {
        hpa_t taken = memory_alloc_frame_impl();

        if (!hpa_is_none(taken))
            memset(memory_phys_to_virt(taken), 0xa5, PAGE_SIZE);
    } else if (ram_frame_is_used(frame)) {
        memory_free_frame_impl(hpa(RAM_BASE + frame * PAGE_SIZE));
    }
}

/* Guests first: with damaged memory, nothing can run any more. */
static void damage(const struct reset_arch *arch, struct machine *machine)
{
    uint32_t frames = (uint32_t)ram.touched;

    for (uint32_t i = draw(20); i != 0; i--)
        guest_acts(arch, machine);
    for (uint32_t i = draw(3); i != 0; i--)
        outside_acts(arch, machine);
    for (uint32_t i = draw(40); i != 0; i--)
        memory_is_damaged(frames);
    for (uint32_t i = draw(10); i != 0; i--)
        frames_come_and_go(frames);
    clock_advance_ticks(draw(1000));
    arch->damage_cpu(draw(CPUS));
}

static struct image made, now;

static void expect_undone(const struct reset_arch *arch)
{
    struct machine *machine = make(arch->arch);
    char when[64];

    take_image(&made, arch, machine);
    cr_assert_eq(machine_snapshot(machine), OK);
    ram_snapshot_watch();
    for (unsigned round = 0; round < ROUNDS; round++) {
        damage(arch, machine);
        machine_reset(machine);
        take_image(&now, arch, machine);
        snprintf(when, sizeof(when), "%s, round %u", arch->arch->name, round);
        expect_same(&now, &made, when);
    }
    cr_assert_eq(machine_destroy(machine), 0);
    machine = make(arch->arch);
    take_image(&now, arch, machine);
    snprintf(when, sizeof(when), "%s, one that is made anew", arch->arch->name);
    expect_same(&now, &made, when);
    cr_assert_eq(machine_destroy(machine), 0);
}

Test(reset, undoes_whatever_has_happened)
{
    for_each_row (i, archs)
        expect_undone(archs[i]);
}

/* What was typed and not read yet is typed again. */
Test(reset, brings_back_what_waits_in_the_console)
{
    for_each_row (i, archs) {
        struct machine *machine = make(archs[i]->arch);
        char bytes[16] = {0};

        cr_assert_eq(console_inject("first", 5), 5);
        cr_assert_eq(machine_snapshot(machine), OK);
        for (unsigned round = 0; round < 2; round++) {
            cr_assert_eq(console_read_impl(bytes, sizeof(bytes)), 5);
            cr_assert_eq(memcmp(bytes, "first", 5), 0, "round %u", round);
            cr_assert_eq(console_inject("other text", 10), 10);
            machine_reset(machine);
        }
        cr_assert_eq(machine_destroy(machine), 0);
    }
}
