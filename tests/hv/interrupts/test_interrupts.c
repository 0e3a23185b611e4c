/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No interrupt is lost, doubled, stuck, or delivered to the wrong vCPU: random
 * sequences of what can happen to interrupts, through the whole hypervisor,
 * against a model.
 *
 * A seed that fails is printed with the shortest sequence that still does:
 *
 *   TWINAX_SEED=1234 build/host/tests/test-hv-interrupts
 *
 * runs that one alone. TWINAX_SEEDS is how many are run, TWINAX_FIRST_SEED the
 * first of them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hv/interrupts/actions.h"
#include "lib/compiler.h"
#include "sim/check.h"
#include "sim/fake_hw/riscv64/profile.h"
#include "sim/machine_internal.h"
#include "support/machine.h"

#define STEPS         300
#define DEFAULT_SEEDS 3000

#if defined(__SANITIZE_ADDRESS__)
#define SLOWNESS 6
#else
#define SLOWNESS 1
#endif

/* The machines: VM 1 has four vCPUs, VM 2 one, which may only run on CPU 0. */
static const struct {
    uint32_t cpus;
    const char *profile;
    uint64_t affinity[MODEL_HARTS]; /* of VM 1 */
} machines[] = {
    {2, "virt", {0}},
    {3, "plain", {0}},
    {4, "virt", {0}},
    {1, "plain", {0}},
    {2, "plain", {0x1, 0x2, 0x3, 0x2}},
    {4, "full", {0xc, 0x3, 0x6, 0}},
};

static struct machine *make(unsigned which)
{
    struct machine_spec spec = {.vm_count = MODEL_VMS};
    struct machine *made = NULL;
    struct bundle bundle;
    const struct machine_config config = {
        .cpus = machines[which].cpus,
        .profile = sim_profile_find(&riscv64_sim_arch, machines[which].profile),
        .bundle = &bundle,
    };

    spec_usual_vm(&spec.vms[0], 1, MODEL_HARTS);
    spec_usual_vm(&spec.vms[1], 2, 1);
    memcpy(spec.vms[0].affinity, machines[which].affinity,
           sizeof(machines[which].affinity));
    spec.vms[1].affinity[0] = 1;
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    cr_assert_eq(machine_create(&config, &made), OK);
    bundle_free(&bundle);
    (void)machine_run(made, 100);
    cr_assert_eq(machine_snapshot(made), OK);
    return made;
}

/* Something to print when the process ends by itself. */
static uint64_t current_seed;

static void say_seed(void *context, const char *expression, const char *file,
                     int line)
{
    fprintf(stderr, "TWINAX_SEED=%llu: %s:%d: check failed: %s\n",
            (unsigned long long)current_seed, file, line, expression);
}

/* Runs a sequence, and lets every hart look in the end. */
static bool run(struct world *world, struct machine *machine_, unsigned which,
                uint64_t seed, const struct action *actions, size_t count)
{
    bool ok = true;

    machine_reset(machine_);
    world_begin(world, machine_, machines[which].cpus,
                strcmp(machines[which].profile, "plain") != 0, seed);
    for (size_t i = 0; i < count && ok; i++)
        ok = action_run(world, &actions[i]);
    for (unsigned i = 0; i < 2 * MODEL_HARTS && ok; i++)
        ok = world_look(
            (struct who){world, i / MODEL_HARTS,
                         i % world->model.vm[i / MODEL_HARTS].harts});
    return ok;
}

/* Leaves out pieces of that size, where it fails without them too. */
static size_t leave_out(struct machine *machine_, unsigned which, uint64_t seed,
                        struct action *actions, size_t count, size_t piece)
{
    static struct world world;
    struct action shorter[STEPS];

    for (size_t at = 0; at + piece <= count;) {
        memcpy(shorter, actions, at * sizeof(actions[0]));
        memcpy(&shorter[at], &actions[at + piece],
               (count - at - piece) * sizeof(actions[0]));
        if (run(&world, machine_, which, seed, shorter, count - piece)) {
            at += piece;
        } else {
            count -= piece;
            memcpy(actions, shorter, count * sizeof(actions[0]));
        }
    }
    return count;
}

/* Of ever smaller size, until nothing can be left out. */
static size_t minimise(struct machine *machine_, unsigned which, uint64_t seed,
                       struct action *actions, size_t count)
{
    size_t before;

    do {
        before = count;
        for (size_t piece = (count + 1) / 2; piece != 0; piece /= 2)
            count = leave_out(machine_, which, seed, actions, count, piece);
    } while (count != before);
    return count;
}

static void report(struct world *world, struct machine *machine_,
                   unsigned which, uint64_t seed, struct action *actions)
{
    size_t count = minimise(machine_, which, seed, actions, STEPS);
    char text[128];

    (void)run(world, machine_, which, seed, actions, count);
    fprintf(stderr, "TWINAX_SEED=%llu, on %u CPUs, %s: %s\n",
            (unsigned long long)seed, machines[which].cpus,
            machines[which].profile, world->failure);
    for (size_t i = 0; i < count; i++) {
        action_print(&actions[i], text, sizeof(text));
        fprintf(stderr, "  %s\n", text);
    }
    cr_assert_fail("TWINAX_SEED=%llu: %s", (unsigned long long)seed,
                   world->failure);
}

static uint64_t setting(const char *name, uint64_t usual)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 0) : usual;
}

/* The seeds of one machine. */
static void run_seeds(unsigned which, uint64_t first, uint64_t count)
{
    static struct world world;
    struct action actions[STEPS];
    uint64_t operations = 0, taken = 0, woken = 0, migrations = 0, runs = 0;

    machine = make(which);
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (seed % ARRAY_SIZE(machines) != which)
            continue;
        current_seed = seed;
        actions_draw(actions, STEPS, seed);
        if (!run(&world, machine, which, seed, actions, STEPS))
            report(&world, machine, which, seed, actions);
        runs++;
        operations += world.operations;
        taken += world.taken;
        woken += world.woken;
        migrations += world.migrations;
    }
    /* It is not for want of interrupts that none was lost. */
    if (runs >= 10) {
        cr_expect_gt(operations, 100 * runs);
        cr_expect_gt(taken, 5 * runs);
        cr_expect_gt(woken, 5 * runs);
        if (machines[which].cpus > 1)
            cr_expect_gt(migrations, runs);
    }
    end_machine();
}

Test(interrupts, none_is_lost_doubled_stuck_or_anothers)
{
    uint64_t first = setting("TWINAX_FIRST_SEED", 1);
    uint64_t count = setting("TWINAX_SEEDS", DEFAULT_SEEDS / SLOWNESS);

    if (getenv("TWINAX_SEED") != NULL) {
        first = setting("TWINAX_SEED", 0);
        count = 1;
    }
    check_set_hook(say_seed, NULL);
    for (unsigned which = 0; which < ARRAY_SIZE(machines); which++)
        run_seeds(which, first, count);
}
