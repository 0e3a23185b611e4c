/* SPDX-License-Identifier: Apache-2.0 */
/* Making and loading VMs: what the guest finds, and what is refused. */
#include "support/machine.h"

#include "support/rows.h"
#include <libfdt.h>
#include <stdio.h>

#define TREE_SIZE (64 * 1024)

/* The tree that vCPU 0 of VM `id` boots with, read from its memory. */
static const void *guest_tree(vm_id id)
{
    static uint8_t tree[TREE_SIZE];
    struct vm *vm = vmm_find_vm(id);

    cr_assert_eq(aspace_read(&vm->aspace, vm->boot_arg, tree, sizeof(tree)),
                 OK);
    cr_assert_eq(fdt_check_full(tree, sizeof(tree)), 0);
    return tree;
}

static uint64_t number(const void *tree, const char *path, const char *name,
                       unsigned cell)
{
    int size = 0;
    const fdt32_t *cells =
        fdt_getprop(tree, fdt_path_offset(tree, path), name, &size);

    cr_assert_gt(size, (int)(cell * sizeof(fdt32_t)), "%s %s", path, name);
    return fdt32_to_cpu(cells[cell]);
}

static const char *text(const void *tree, const char *path, const char *name)
{
    const char *value =
        fdt_getprop(tree, fdt_path_offset(tree, path), name, NULL);

    cr_assert_not_null(value, "%s %s", path, name);
    return value;
}

Test(vm, the_guest_finds_its_machine_in_its_device_tree, .fini = end_machine)
{
    const void *tree;

    make_machine(2, 1, 3);
    tree = guest_tree(1);
    cr_expect_str_eq(text(tree, "/", "compatible"), "twinax,vm");
    cr_expect_str_eq(text(tree, "/", "model"), "vm@1");
    cr_expect_eq(number(tree, "/memory@80000000", "reg", 1), SPEC_MEMORY);
    cr_expect_eq(number(tree, "/memory@80000000", "reg", 3), 4u << 20);
    cr_expect_eq(number(tree, "/cpus", "timebase-frequency", 0), 10000000u);
    for (unsigned hart = 0; hart < 3; hart++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "/cpus/cpu@%u", hart);
        cr_expect_eq(number(tree, path, "reg", 0), hart);
        cr_expect(strstr(text(tree, path, "riscv,isa"), "rv64imafdc"));
        cr_expect_null(strchr(text(tree, path, "riscv,isa"), 'h'),
                       "the guest has no H extension");
    }
    cr_expect_lt(fdt_path_offset(tree, "/cpus/cpu@3"), 0);
    cr_expect_str_eq(text(tree, "/chosen", "stdout-path"),
                     "/soc/device@10000000");
    cr_expect_eq(number(tree, "/soc/device@10000000", "interrupts", 0),
                 SPEC_UART_IRQ);
    cr_expect_eq(number(tree, "/soc/device@c000000", "phandle", 0),
                 number(tree, "/soc/device@10000000", "interrupt-parent", 0));
    cr_expect_eq(
        number(tree, "/soc/device@c000000", "interrupts-extended", 2),
        number(tree, "/cpus/cpu@0/interrupt-controller", "phandle", 0));
}

Test(vm, read_only_memory_is_not_offered_as_memory, .fini = end_machine)
{
    struct machine_spec spec = {.vm_count = 1};
    struct spec_vm *vm = &spec.vms[0];

    spec_usual_vm(vm, 1, 1);
    vm->memory[vm->memory_count++] = (struct spec_memory){
        .base = 0xa0000000, .size = 0x10000, .read_only = true};
    make_machine_of(1, &spec);
    cr_expect_lt(fdt_path_offset(guest_tree(1), "/memory@a0000000"), 0);
    cr_expect_eq(run_op(1, 0, OP_LOAD_OF(0xa0000000, 8)).outcome,
                 OUTCOME_RETIRED);
    cr_expect_eq(run_op(1, 0, OP_STORE_OF(0xa0000000, 8, 1)).outcome,
                 OUTCOME_EXCEPTION);
}

Test(vm, the_boot_vcpu_begins_at_the_kernel_with_the_tree, .fini = end_machine)
{
    make_machine(1, 1, 2);
    const struct vm *vm = vmm_find_vm(1);
    cr_expect_eq(machine_register(machine, 1, 0, REG_COUNT), SPEC_MEMORY);
    cr_expect_eq(machine_register(machine, 1, 0, REG_A0), 0u);
    cr_expect_eq(machine_register(machine, 1, 0, REG_A1), vm->boot_arg.raw);
    cr_expect_eq(vm->vcpus[0]->state != VCPU_CREATED, true);
    cr_expect_eq(vm->vcpus[1]->state, VCPU_CREATED, "the other one is off");
}

Test(vm, a_linux_image_goes_where_its_header_says, .fini = end_machine)
{
    static const uint8_t magic[] = {'R', 'S', 'C', 5};
    static uint8_t kernel[PAGE_SIZE];
    struct machine_spec spec = {.vm_count = 1};

    memcpy(kernel + 56, magic, sizeof(magic));
    kernel[8 + 2] = 0x10; /* text_offset 0x100000 */
    spec_usual_vm(&spec.vms[0], 1, 1);
    spec.vms[0].kernel_by_header = true;
    spec.vms[0].kernel = kernel;
    spec.vms[0].kernel_size = sizeof(kernel);
    make_machine_of(1, &spec);
    cr_expect_eq(machine_register(machine, 1, 0, REG_COUNT),
                 SPEC_MEMORY + 0x100000);
    cr_expect_eq(run_op(1, 0, OP_LOAD_OF(SPEC_MEMORY + 0x100000 + 56, 4)).value,
                 0x05435352u);
}

/* A VM that cannot be made is reported and left out; the others run. */
Test(vm, what_cannot_be_made_is_left_out_with_the_reason)
{
    static const struct {
        const char *device; /* added to the usual ones */
        uint64_t base;
        uint32_t irq;
        uint64_t memory; /* of a further region, or 0 */
        const char *reason;
    } rows[] = {
        {"uart", SPEC_UART, 0, 0, "already exists"},
        {"uart", 0x10008000, SPEC_UART_IRQ, 0, "already exists"},
        {"uart", 0x10008000, 1000, 0, "device@10008000"},
        {"uart", SPEC_MEMORY + 0x10000, 0, 0,
         "device@80010000: 0x100 bytes at 0x80010000 overlap memory@80000000"},
        {"uart", SPEC_MEMORY - 1, 0, 0, "overlap memory@80000000"},
        {NULL, 0, 0, UINT64_C(1) << 62, "translates no addresses"},
    };

    for_each_row (i, rows) {
        struct machine_spec spec = {.vm_count = 2};
        struct spec_vm *bad = &spec.vms[0];

        spec_usual_vm(bad, 1, 1);
        spec_usual_vm(&spec.vms[1], 2, 1);
        if (rows[i].device != NULL)
            cr_assert(spec_add_device(bad, rows[i].device, rows[i].base,
                                      rows[i].irq));
        if (rows[i].memory != 0)
            bad->memory[bad->memory_count++] =
                (struct spec_memory){.base = rows[i].memory, .size = 0x10000};
        make_machine_of(1, &spec);
        cr_expect_null(vmm_find_vm(1), "row %zu", i);
        cr_expect_not_null(vmm_find_vm(2), "row %zu", i);
        cr_expect(strstr(console_output(NULL), "is left out"), "row %zu", i);
        cr_expect(strstr(console_output(NULL), rows[i].reason), "row %zu: %s",
                  i, console_output(NULL));
        cr_expect_eq(run_op(2, 0, OP_LOAD_OF(SPEC_MEMORY, 1)).outcome,
                     OUTCOME_RETIRED);
        end_machine();
    }
}

Test(vm, images_that_overlap_are_refused, .fini = end_machine)
{
    static uint8_t kernel[4 << 20];
    struct machine_spec spec = {.vm_count = 1};

    /* It fills the memory up to the end, where the device tree must go. */
    spec_usual_vm(&spec.vms[0], 1, 1);
    spec.vms[0].kernel = kernel;
    spec.vms[0].kernel_size = sizeof(kernel);
    make_machine_of(1, &spec);
    cr_expect_eq(vmm_find_vm(1)->state, VM_CREATED);
    cr_expect(strstr(console_output(NULL),
                     "cannot be loaded: memory: no room for the device tree"),
              "%s", console_output(NULL));
}

/* VM 1 of 4 MiB: where its device tree is. */
#define TREE_AT (SPEC_MEMORY + (4 << 20) - 0x10000)

Test(vm, an_initrd_goes_where_it_is_told_or_below_the_tree)
{
    static uint8_t initrd[4 << 20];
    static const struct {
        size_t size;
        uint64_t load;   /* 0: it is not told */
        uint64_t at;     /* where it is then; 0: refused */
        const char *why; /* with these words */
    } rows[] = {
        {1, 0, TREE_AT - 0x1000, NULL},
        {0x1000, 0, TREE_AT - 0x1000, NULL},
        {0x1001, 0, TREE_AT - 0x2000, NULL},
        {0x1234, SPEC_MEMORY + 0x100000, SPEC_MEMORY + 0x100000, NULL},
        {0x1000, TREE_AT - 0x1000, TREE_AT - 0x1000, NULL},
        {0x1001, TREE_AT - 0x1000, 0, "no room for the device tree"},
        {0x10, TREE_AT + 0x8000, 0, "no room for the device tree"},
        {0x10, SPEC_MEMORY, 0, "initrd: it overlaps the kernel"},
        {0x10, 0x1000, 0, "initrd: 0x10 bytes at 0x1000: not found"},
        {0x3f0000, 0, 0, "initrd: it overlaps the kernel"},
        {0x3f0001, 0, 0, "initrd: 0x3f0001 bytes do not fit below"},
    };

    memset(initrd, 0xd1, sizeof(initrd));
    for_each_row (i, rows) {
        struct machine_spec spec = {.vm_count = 1};
        const void *tree;
        uint8_t last = 0;

        spec_usual_vm(&spec.vms[0], 1, 1);
        spec.vms[0].initrd = initrd;
        spec.vms[0].initrd_size = rows[i].size;
        spec.vms[0].initrd_load = rows[i].load;
        make_machine_of(1, &spec);
        cr_assert_not_null(vmm_find_vm(1), "row %zu: %s", i,
                           console_output(NULL));
        if (rows[i].why != NULL) {
            cr_expect_eq(vmm_find_vm(1)->state, VM_CREATED, "row %zu", i);
            cr_expect(strstr(console_output(NULL), rows[i].why), "row %zu: %s",
                      i, console_output(NULL));
            end_machine();
            continue;
        }
        tree = guest_tree(1);
        cr_expect_eq(number(tree, "/chosen", "linux,initrd-start", 1),
                     (uint32_t)rows[i].at, "row %zu", i);
        cr_expect_eq(number(tree, "/chosen", "linux,initrd-end", 1),
                     (uint32_t)(rows[i].at + rows[i].size), "row %zu", i);
        cr_expect_eq(aspace_read(&vmm_find_vm(1)->aspace,
                                 gpa(rows[i].at + rows[i].size - 1), &last, 1),
                     OK);
        cr_expect_eq(last, 0xd1, "row %zu", i);
        end_machine();
    }
}

Test(vm, too_little_memory_for_a_guest_is_refused, .fini = end_machine)
{
    struct machine_spec spec = {.vm_count = 1};

    spec_usual_vm(&spec.vms[0], 1, 1);
    spec.vms[0].memory[0].size = 0x1f000;
    make_machine_of(1, &spec);
    cr_expect(strstr(console_output(NULL),
                     "memory: 0x1f000 bytes do not hold a guest"),
              "%s", console_output(NULL));
}

static err_t fail_nth_allocation(void *nth, const struct vmm_boot *boot)
{
    (void)boot;
    shim_fail_nth(*(const uint64_t *)nth, "memory_alloc", false);
    return OK;
}

/* Every allocation of a VM's creation and loading, failing one by one. */
Test(vm, creation_without_memory_leaves_nothing_behind)
{
    struct machine_spec spec = {.vm_count = 1};
    struct bundle bundle;
    uint64_t nth = 0;
    const struct machine_config config = {.cpus = 1,
                                          .bundle = &bundle,
                                          .before_boot = fail_nth_allocation,
                                          .context = &nth};
    bool failed;

    spec_usual_vm(&spec.vms[0], 1, 2);
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    do {
        nth++;
        err_t error = machine_create(&config, &machine);
        failed = shim_failed_calls() != 0;
        shim_fail_never();
        cr_expect(error == OK || failed);
        if (error == OK)
            cr_expect_eq(machine_destroy(machine), 0u, "allocation %u",
                         (unsigned)nth);
        else
            cr_expect_eq(ram_frames_in_use(), 0u, "allocation %u",
                         (unsigned)nth);
    } while (failed);
    cr_expect_gt(nth, 10u);
    bundle_free(&bundle);
}
