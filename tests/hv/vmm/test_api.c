/* SPDX-License-Identifier: Apache-2.0 */
/* The `vmm` module of hv/api as a device sees it, while an exit is handled;
 * and sets of vCPUs. */
#include "support/machine.h"
#include "support/rows.h"
#include "vmm/internal.h"

#define SSIP 2

static const struct {
    uint32_t count;
    uint64_t first;
} rows[] = {
    {0, 0},           {1, 1},
    {4, 0xf},         {63, UINT64_MAX >> 1},
    {64, UINT64_MAX}, {1000, UINT64_MAX},
};

Test(api, sets_of_vcpus)
{
    vcpu_set set = {UINT64_C(1) << 63 | 6};

    for_each_row (i, rows)
        cr_expect_eq(vcpu_set_first(rows[i].count).bits, rows[i].first,
                     "the first %u", rows[i].count);
    for (vcpu_id id = 0; id < MAX_VCPU_NUM; id++)
        cr_expect_eq(vcpu_set_of(id).bits, UINT64_C(1) << id);
    cr_expect_eq(vcpu_set_of(MAX_VCPU_NUM).bits, 0u);
    cr_expect(vcpu_set_has(set, 63) && vcpu_set_has(set, 1));
    cr_expect_not(vcpu_set_has(set, 0));
    cr_expect_not(vcpu_set_has((vcpu_set){UINT64_MAX}, MAX_VCPU_NUM));
    cr_expect_eq(vcpu_set_take(&set), 1u);
    cr_expect_eq(vcpu_set_take(&set), 2u);
    cr_expect_eq(vcpu_set_take(&set), 63u);
    cr_expect_eq(set.bits, 0u);
}

/* Asks from within a device's access, on whichever CPU that is. */
static struct {
    err_t vm_error, vcpu_error;
    vm_id vm;
    vcpu_id vcpu;
} seen;

static err_t ask(struct device *device, unsigned range, uint64_t offset,
                 unsigned width, uint64_t *value)
{
    seen.vm_error = vmm_current_vm_id(&seen.vm);
    seen.vcpu_error = vmm_current_vcpu_id(&seen.vcpu);
    *value = 0;
    return OK;
}

static void reset(struct device *device) {}

Test(api, who_makes_the_exit_is_known, .fini = end_machine)
{
    static const struct device_ops ops = {.read = ask, .reset = reset};
    static const struct device_model model = {.compatible = "asker"};
    static struct device devices[2];

    make_machine(2, 2, 2);
    for (vm_id vm = 1; vm <= 2; vm++) {
        struct device *conflict;

        devices[vm - 1] = (struct device){
            .ops = &ops,
            .model = &model,
            .name = "asker",
            .range_count = 1,
            .ranges = {{0x20000000, 0x1000, BUS_MMIO, 0, WIDTH_ALL}},
        };
        cr_assert_eq(device_set_add(&vmm_find_vm(vm)->devices, &devices[vm - 1],
                                    &conflict),
                     OK);
        (void)run_op(vm, 0, OP_ECALL_OF(SBI_HSM, 0, 1, SPEC_MEMORY));
        for (vcpu_id vcpu = 0; vcpu < 2; vcpu++) {
            seen.vm = seen.vcpu = 77;
            (void)run_op(vm, vcpu, OP_LOAD_OF(0x20000000, 4));
            cr_expect(seen.vm_error == OK && seen.vcpu_error == OK);
            cr_expect_eq(seen.vm, vm);
            cr_expect_eq(seen.vcpu, vcpu);
        }
    }
}

/* All of a set, or none. */
Test(api, an_interrupt_for_a_set_reaches_its_members, .fini = end_machine)
{
    make_machine(2, 1, 3);
    for (vcpu_id id = 1; id < 3; id++)
        (void)run_op(1, 0, OP_ECALL_OF(SBI_HSM, 0, id, SPEC_MEMORY));
    cr_expect_eq(vmm_inject_interrupt_to_vcpus(1, (vcpu_set){5}, SSIP), OK);
    cr_expect_eq(vmm_inject_interrupt_to_vcpus(1, (vcpu_set){0xa}, SSIP),
                 ERR_NOT_FOUND);
    cr_expect_eq(vmm_inject_interrupt_to_vcpus(1, (vcpu_set){2}, 5),
                 ERR_INVALID_INPUT);
    cr_expect_eq(vmm_inject_interrupt_to_vcpus(1, (vcpu_set){0}, SSIP), OK);
    for (uint32_t cpu = 0; cpu < 2; cpu++)
        host_kick_cpu(cpu);
    for (vcpu_id id = 0; id < 3; id++) {
        const struct guest_op op = {
            .kind = OP_CSR_READ, .number = CSR_sip, .reg = OP_DEFAULT_REG};

        cr_expect_eq(run_op(1, id, op).value, id == 1 ? 0u : 2u, "vCPU %u", id);
    }
}

Test(api, an_id_that_is_taken_is_refused, .fini = end_machine)
{
    struct machine_spec spec = {.vm_count = 3};

    spec_usual_vm(&spec.vms[0], 1, 1);
    spec_usual_vm(&spec.vms[1], 1, 2);
    spec_usual_vm(&spec.vms[2], VMM_MAX_VMS, 1);
    make_machine_of(1, &spec);
    cr_expect_eq(vmm_find_vm(1)->config.cpu_num, 1u);
    cr_expect_null(vmm_find_vm(VMM_MAX_VMS));
    cr_expect_not_null(strstr(console_output(NULL), "id 1 is taken"));
    cr_expect_not_null(strstr(console_output(NULL), "id 64 is taken, or not"));
}

Test(api, without_a_configuration_there_is_no_vmm)
{
    static const uint8_t nothing[64];
    const struct vmm_boot boot = {.config = nothing};

    sim_reset(1);
    cr_expect_eq(vmm_init(&boot), ERR_INVALID_INPUT);
    cr_expect_null(vmm_find_vm(0));
    vmm_abandon_cpu(0);
    vmm_fini();
    cr_expect_eq(ram_frames_in_use(), 0u);
}
