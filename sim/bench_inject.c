/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many injected exits the process handles: guest operations that exit, of
 * the kinds that the architecture's guests make most, through the whole
 * hypervisor and back into the guest, on one CPU.
 */
#include <stdio.h>

#include "sim/bench.h"
#include "sim/spec.h"

#define BATCH 100000

/* A source that gives the same operations for ever. */
struct loop {
    struct trap_source source;
    const struct guest_op *ops;
    unsigned count, next;
};

static const struct guest_op *loop_next(struct trap_source *source)
{
    struct loop *loop = container_of(source, struct loop, source);
    const struct guest_op *op = &loop->ops[loop->next];

    loop->next = loop->next + 1 == loop->count ? 0 : loop->next + 1;
    return op;
}

/* Exits per second with these operations; 0: the machine did not do it. */
static double measure(struct machine *machine, const struct bench_exits *exits,
                      double seconds)
{
    struct loop loop = {.source = {.next = loop_next},
                        .ops = exits->ops,
                        .count = exits->count};
    uint64_t before = machine_exits(machine);
    double start = bench_seconds();
    double spent;

    machine_set_source(machine, 1, 0, &loop.source);
    do {
        if (machine_run(machine, BATCH) != MACHINE_BUDGET)
            return 0;
        spent = bench_seconds() - start;
    } while (spent < seconds);
    machine_set_source(machine, 1, 0, NULL);
    return (double)(machine_exits(machine) - before) / spent;
}

struct machine *bench_machine(const struct sim_arch *arch)
{
    static struct machine_spec spec;
    struct machine_config config = {.cpus = 1, .arch = arch};
    struct machine *machine = NULL;
    struct bundle bundle;
    err_t error;

    spec = (struct machine_spec){.arch = arch, .vm_count = 1};
    arch->usual_vm(&spec.vms[0], 1, 1);
    if (arch->complete_vm != NULL)
        arch->complete_vm(&spec.vms[0]);
    error = spec_build(&spec, &bundle);
    if (error == OK) {
        config.bundle = &bundle;
        error = machine_create(&config, &machine);
        bundle_free(&bundle);
    }
    if (error != OK)
        fprintf(stderr, "twinax bench: no machine: %s\n", error_text(error));
    return machine;
}

bool bench_inject(const struct bench_options *options,
                  struct bench_report *report)
{
    const struct sim_bench *bench = options->arch->bench;
    struct machine *machine = bench_machine(options->arch);
    bool ok = machine != NULL;

    for (unsigned i = 0; ok && i < bench->exits_count; i++) {
        const struct bench_exits *exits = &bench->exits[i];
        double rate = measure(machine, exits, options->seconds);

        ok = rate > 0;
        bench_add(report, exits->key, rate, exits->summary);
    }
    if (machine != NULL)
        (void)machine_destroy(machine);
    if (machine != NULL && !ok)
        fprintf(stderr, "twinax bench: the guest has stopped\n");
    return ok;
}
