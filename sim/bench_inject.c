/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many injected exits the process handles: guest operations that exit, of
 * the kinds that guests make most, through the whole hypervisor and back into
 * the guest, on one CPU.
 */
#include <stdio.h>

#include "arch/riscv64/hw.h"
#include "sim/bench.h"
#include "sim/machine.h"
#include "sim/spec.h"

#define BATCH          100000
#define UART_LSR       5
#define PLIC_PRIORITY1 4
#define SBI_BASE       0x10
#define SBI_TIME       0x54494d45

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

#define READ(at, bytes)                                           \
    {                                                             \
        .kind = OP_LOAD, .width = (bytes), .reg = OP_DEFAULT_REG, \
        .address = (at)                                           \
    }
#define CALL(extension)                                 \
    {                                                   \
        .kind = OP_ECALL, .args = { [7] = (extension) } \
    }

static const struct guest_op null_calls[] = {CALL(SBI_BASE)};
static const struct guest_op mmio_reads[] = {READ(SPEC_UART + UART_LSR, 1)};
static const struct guest_op mixed[] = {
    CALL(SBI_BASE),
    READ(SPEC_UART + UART_LSR, 1),
    READ(SPEC_PLIC + PLIC_PRIORITY1, 4),
    READ(SPEC_VIRTIO, 4),
    {.kind = OP_ECALL, .args = {[0] = ~UINT64_C(0), [7] = SBI_TIME}},
    {.kind = OP_STORE,
     .width = 4,
     .reg = OP_DEFAULT_REG,
     .flags = OP_HAS_VALUE,
     .address = SPEC_PLIC + PLIC_PRIORITY1,
     .value = 1},
};

/* Exits per second with these operations; 0: the machine did not do it. */
static double measure(struct machine *machine, const struct guest_op *ops,
                      unsigned count, double seconds)
{
    struct loop loop = {
        .source = {.next = loop_next}, .ops = ops, .count = count};
    uint64_t exits = machine_exits(machine);
    double start = bench_seconds();
    double spent;

    machine_set_source(machine, 1, 0, &loop.source);
    do {
        if (machine_run(machine, BATCH) != MACHINE_BUDGET)
            return 0;
        spent = bench_seconds() - start;
    } while (spent < seconds);
    machine_set_source(machine, 1, 0, NULL);
    return (double)(machine_exits(machine) - exits) / spent;
}

static struct machine *make_machine(void)
{
    static struct machine_spec spec;
    struct machine_config config = {.cpus = 1};
    struct machine *machine = NULL;
    struct bundle bundle;
    err_t error;

    spec.vm_count = 1;
    spec_usual_vm(&spec.vms[0], 1, 1);
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
    static const struct {
        const char *key, *summary;
        const struct guest_op *ops;
        unsigned count;
    } rows[] = {
        {"inject_exits_per_second",
         "injected exits handled, SBI calls and MMIO mixed", mixed,
         ARRAY_SIZE(mixed)},
        {"inject_calls_per_second", "SBI calls that do nothing", null_calls,
         ARRAY_SIZE(null_calls)},
        {"inject_mmio_per_second", "reads of the serial port's LSR", mmio_reads,
         ARRAY_SIZE(mmio_reads)},
    };
    struct machine *machine = make_machine();
    bool ok = machine != NULL;

    for (unsigned i = 0; ok && i < ARRAY_SIZE(rows); i++) {
        double rate =
            measure(machine, rows[i].ops, rows[i].count, options->seconds);

        ok = rate > 0;
        bench_add(report, rows[i].key, rate, rows[i].summary);
    }
    if (machine != NULL)
        (void)machine_destroy(machine);
    if (machine != NULL && !ok)
        fprintf(stderr, "twinax bench: the guest has stopped\n");
    return ok;
}
