/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share: see harness.h. */
#include "fuzz/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/sim.h"

#define FUZZ_STEPS    1024
#define FUZZ_PATIENCE 4
#define FUZZ_RAM      (UINT64_C(32) << 20)

/* How often the slow checks are made: the walk of all tables, and the machine
 * taken apart to see whether something has leaked. */
#define RUNS_PER_WALK   256
#define RUNS_PER_REMAKE 16384

struct fuzz_source {
    struct trap_source source;
    struct fuzz_input input;
    fuzz_decode decode;
    unsigned left; /* operations that may still be done */
    unsigned next; /* of the script */
    struct fuzz_script script;
};

bool fuzz_is_thorough;

static struct machine *machine;
static uint64_t runs;

static bool is_time(uint64_t interval)
{
    return fuzz_is_thorough || runs % interval == 0;
}

uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && input->at < input->end; i++)
        value |= (uint64_t)*input->at++ << (8 * i);
    return value;
}

uint64_t fuzz_number(struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 1);

    if (how < 0xa0)
        return how;
    if (how < 0xe0)
        return (UINT64_C(1) << (how - 0xa0)) - 1 + fuzz_take(input, 1) % 3;
    if (how < 0xe8)
        return 0 - fuzz_take(input, 1);
    return fuzz_take(input, (how & 7) + 1);
}

void fuzz_usual_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus)
{
    spec_usual_vm(vm, id, vcpus);
    vm->stop_on_reboot = true;
    vm->memory[0].size = FUZZ_MEMORY;
    for (unsigned i = 0; i < vm->device_count; i++) {
        struct spec_device *device = &vm->devices[i];

        if (device->property_count != 0) /* the disk's size */
            device->properties[0].value = PAGE_SIZE;
    }
}

struct guest_op *fuzz_add(struct fuzz_script *script)
{
    struct guest_op *op;

    if (script->count < FUZZ_SCRIPT)
        script->count++;
    op = &script->ops[script->count - 1];
    *op = (struct guest_op){.reg = OP_DEFAULT_REG};
    return op;
}

static const struct guest_op *next_op(struct trap_source *source)
{
    struct fuzz_source *fuzz = container_of(source, struct fuzz_source, source);

    if (fuzz->left == 0)
        return NULL;
    while (fuzz->next == fuzz->script.count) {
        if (fuzz_is_empty(&fuzz->input))
            return NULL;
        fuzz->script.count = fuzz->next = 0;
        fuzz->decode(&fuzz->input, &fuzz->script);
    }
    fuzz->left--;
    return &fuzz->script.ops[fuzz->next++];
}

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static void make_machine(void (*describe)(struct machine_spec *spec))
{
    static struct machine_spec spec;
    struct machine_config config = {
        .cpus = 1, .ram = FUZZ_RAM, .patience = FUZZ_PATIENCE};
    struct bundle bundle;

    spec = (struct machine_spec){0};
    describe(&spec);
    need(spec_build(&spec, &bundle) == OK, "the configuration is too large");
    config.bundle = &bundle;
    need(machine_create(&config, &machine) == OK, "the machine cannot be made");
    bundle_free(&bundle);
    need(vmm_find_vm(1) != NULL, console_output(NULL));
    (void)machine_run(machine, 16);
    need(machine_snapshot(machine) == OK, "no memory for the snapshot");
    violations_set_fatal(true);
}

int fuzz_run(const uint8_t *data, size_t size,
             void (*describe)(struct machine_spec *spec), fuzz_decode decode)
{
    static struct fuzz_source fuzz;
    const char *mixed;

    fuzz.source = (struct trap_source){.next = next_op};
    fuzz.input = (struct fuzz_input){data, data + size};
    fuzz.decode = decode;
    fuzz.left = FUZZ_OPERATIONS;
    fuzz.next = fuzz.script.count = 0;

    if (machine == NULL)
        make_machine(describe);
    machine_set_source(machine, 1, 0, &fuzz.source);
    (void)machine_run(machine, FUZZ_STEPS);
    if (is_time(RUNS_PER_WALK)) {
        mixed = machine_check_isolation(machine);
        need(mixed == NULL, mixed);
    }
    machine_set_source(machine, 1, 0, NULL);
    runs++;
    if (is_time(RUNS_PER_REMAKE)) {
        need(machine_destroy(machine) == 0, "frames have leaked");
        machine = NULL;
    } else {
        machine_reset(machine);
    }
    return 0;
}
