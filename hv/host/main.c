/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a machine that is set up to CPUs that run vCPUs.
 *
 * The boot loader hands over the bundle as an initial ramdisk, or a module: a
 * device-tree blob, the configuration of the virtual machines, and from the
 * next page on the image area. docs/configuration.md describes it.
 *
 * Boot arguments (the command line), words separated by spaces:
 *   record, record=WHERE records everything that happens: see recording.c
 *   stay                 does not power off when the last VM has stopped
 */
#include <libfdt.h>

#include "api/arch.h"
#include "api/memory.h"
#include "host/board.h"
#include "host/host.h"
#include "host/machine.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "trace/record.h"
#include "vm/vm.h"

#define MIB (UINT64_C(1) << 20)

/* Set when the VMs have been made: the other CPUs may begin. */
static _Atomic bool released;

static struct vmm_boot read_bundle(const struct board *board)
{
    const void *config = memory_phys_to_virt(hpa(board->bundle.start));
    uint64_t size = board->bundle.size, images;
    int error;

    if (size == 0)
        host_refuse("there is no bundle, which holds the virtual machines; "
                    "make one by 'twinax bundle' and pass it as -initrd");
    error = fdt_check_full(config, size);
    if (error != 0)
        host_refuse("the bundle does not begin with a configuration (%s); "
                    "make it by 'twinax bundle', and pass that as -initrd",
                    fdt_strerror(error));
    images = align_up(fdt_totalsize(config), PAGE_SIZE);
    if (images > size)
        images = size;
    return (struct vmm_boot){
        .arch = machine_vcpu_ops(),
        .config = config,
        .images = hpa(board->bundle.start + images),
        .images_size = size - images,
        .power_off_when_done = board_argument(board, "stay") == NULL,
    };
}

static void print_banner(const struct board *board)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < board->ram_count; i++)
        total += board->ram[i].size;
    host_print("Twinax " TWINAX_VERSION " for %s: %u CPUs, %llu MiB, %llu MiB "
               "of them free\n",
               machine_name, host_cpu_count_impl(),
               (unsigned long long)(total / MIB),
               (unsigned long long)(frames_free_count() * PAGE_SIZE / MIB));
    if (board->cpus_ignored != 0)
        host_print("twinax: %u CPUs beyond the first %d are not used\n",
                   board->cpus_ignored, MAX_CPU_NUM);
}

static void make_vms(const struct vmm_boot *boot)
{
    err_t error = trace_init(boot);

    if (error == ERR_INVALID_INPUT)
        host_refuse("the bundle's configuration has no /vms node");
    if (error != OK)
        host_refuse("the virtual machines cannot be made: %s",
                    error_text(error));
    for (vm_id id = 0; id < VMM_MAX_VMS; id++) {
        const struct vm *vm = vmm_find_vm(id);

        /* What could not be loaded never stops, either. */
        if (vm != NULL && vm->state != VM_CREATED)
            return;
    }
    host_refuse("none of the bundle's virtual machines can run: see above");
}

static void release_others(void)
{
    atomic_store(&released, true);
    for (uint32_t cpu = 1; cpu < host_cpu_count_impl(); cpu++)
        machine_send_ipi(host_cpus[cpu]);
}

void host_main(const struct board *board)
{
    struct vmm_boot boot = read_bundle(board);

    machine_start_cpus();
    print_banner(board);
    host_start_recording(board, &boot);
    make_vms(&boot);
    release_others();
    host_loop();
}

void host_cpu_main(void)
{
    struct host_cpu *self = machine_this_cpu();

    atomic_store(&self->online, true);
    machine_send_ipi(host_cpus[0]);
    while (!atomic_load(&released))
        machine_wait();
    /* There may be a kick among the IPIs. */
    while (arch_fetch_irq_impl() != HOST_IRQ_NONE) {
    }
    if (self->id >= MAX_CPU_NUM || host_cpus[self->id] != self)
        machine_park();
    host_loop();
}
