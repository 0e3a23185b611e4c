/* SPDX-License-Identifier: Apache-2.0 */
#include "support/machine.h"

struct machine *machine;

void make_machine_of(uint32_t cpus, const struct machine_spec *spec)
{
    struct bundle bundle;
    const struct machine_config config = {.cpus = cpus,
                                          .seed = 1,
                                          .bundle = &bundle,
                                          .power_off_when_done = true};

    cr_assert_eq(spec_build(spec, &bundle), OK);
    cr_assert_eq(machine_create(&config, &machine), OK);
    bundle_free(&bundle);
}

void make_machine(uint32_t cpus, unsigned vms, uint32_t vcpus)
{
    struct machine_spec spec = {.vm_count = vms};

    for (unsigned i = 0; i < vms; i++)
        spec_usual_vm(&spec.vms[i], i + 1, vcpus);
    make_machine_of(cpus, &spec);
}

void end_machine(void)
{
    cr_expect_null(machine_check_isolation(machine));
    cr_expect_eq(machine_destroy(machine), 0u, "frames leaked");
}

struct guest_result run_op(vm_id vm, vcpu_id vcpu, struct guest_op op)
{
    struct guest_result result;

    cr_assert_eq(machine_do(machine, vm, vcpu, &op, &result), OK);
    return result;
}

static const struct guest_op *busy_next(struct trap_source *source)
{
    return &container_of(source, struct busy_guest, source)->op;
}

static void busy_done(struct trap_source *source,
                      const struct guest_result *result)
{
    (void)result;
    container_of(source, struct busy_guest, source)->done++;
}

void busy_guest_start(struct busy_guest *guest, vm_id vm, vcpu_id vcpu)
{
    *guest = (struct busy_guest){
        .source = {.next = busy_next, .done = busy_done},
        .op = OP_ECALL_OF(SBI_BASE, 0, 0),
    };
    machine_set_source(machine, vm, vcpu, &guest->source);
}
