/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a machine that is set up to CPUs that run vCPUs.
 *
 * The boot loader hands over the bundle as an initial ramdisk, or a module: a
 * device-tree blob, the configuration of the virtual machines, and from the
 * next page on the image area. docs/configuration.md describes it.
 *
 * Boot arguments (the command line), words separated by spaces:
 *   record, record=SIZE records everything that happens, through a ring of
 *                       SIZE mebibytes (64) in memory, or kibibytes with a K
 *                       behind: docs/record-replay.md
 *   stay                does not power off when the last VM has stopped
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
#include "trace/ring.h"
#include "vm/vm.h"

#define KIB              (UINT64_C(1) << 10)
#define MIB              (UINT64_C(1) << 20)
#define DEFAULT_RING_MIB 64
#define MAX_RING_MIB     65536

/* Set when the VMs have been made: the other CPUs may begin. */
static _Atomic bool released;

/* The recording's ring, or NULL. */
static struct trace_ring *ring;
static struct trace_ring_writer ring_writer;

/* Without a word, a machine that waits for the ring's reader looks hung. */
static void ring_stalled(bool is_over)
{
    host_print(is_over ? "twinax: the recording goes on\n"
                       : "twinax: the recording's ring is full: everything "
                         "waits for its reader, 'twinax trace record'\n");
}

/* The boot argument `name`, or NULL: what follows the name, "=MIB" say. */
static const char *find_argument(const struct board *board, const char *name)
{
    const char *word = board->bootargs;
    size_t length = strlen(name);

    while (word != NULL) {
        word += *word == ' ';
        if (strncmp(word, name, length) == 0 &&
            (word[length] == '\0' || word[length] == ' ' ||
             word[length] == '='))
            return word + length;
        word = strchr(word, ' ');
    }
    return NULL;
}

uint64_t host_recording_size(const struct board *board)
{
    const char *value = find_argument(board, "record");
    uint64_t size = 0, unit = MIB;

    if (value == NULL)
        return 0;
    if (*value != '=')
        return DEFAULT_RING_MIB * MIB;
    for (value++; *value >= '0' && *value <= '9' && size <= MAX_RING_MIB;
         value++)
        size = size * 10 + (uint64_t)(*value - '0');
    if (*value == 'K') {
        unit = KIB;
        value++;
    }
    if (size == 0 || size > MAX_RING_MIB || size * unit < PAGE_SIZE ||
        (*value != '\0' && *value != ' '))
        host_refuse("boot argument record=SIZE: SIZE is 1 to %d, in MiB, or "
                    "4K to %dK, in KiB",
                    MAX_RING_MIB, MAX_RING_MIB);
    return size * unit;
}

static void *need_memory(uint64_t bytes, const char *what)
{
    hpa_t memory =
        memory_alloc_contiguous_impl((bytes + PAGE_SIZE - 1) / PAGE_SIZE, 0);

    if (hpa_is_none(memory))
        host_refuse("there is no memory for %s of %llu bytes; give the machine "
                    "more",
                    what, (unsigned long long)bytes);
    return memory_phys_to_virt(memory);
}

/* From the lowest to the highest byte of RAM. */
static struct range ram_span(const struct board *board)
{
    uint64_t start = UINT64_MAX, end = 0;

    for (uint32_t i = 0; i < board->ram_count; i++) {
        if (board->ram[i].start < start)
            start = board->ram[i].start;
        if (range_end(board->ram[i]) > end)
            end = range_end(board->ram[i]);
    }
    return (struct range){start, end - start};
}

static void start_recording(const struct board *board,
                            const struct vmm_boot *boot)
{
    uint64_t size = host_recording_size(board);
    struct range span = ram_span(board);
    struct trace_sink sink;
    void *memory;

    if (size == 0)
        return;
    ring = need_memory(size + PAGE_SIZE, "a trace ring");
    trace_ring_init(ring, memory_virt_to_phys(ring), size + PAGE_SIZE,
                    machine_ticks());
    ring_writer = (struct trace_ring_writer){
        .ring = ring, .stalled = ring_stalled, .patience = machine_frequency()};
    sink = trace_ring_sink(&ring_writer);
    memory = need_memory(trace_recorder_size(), "the recorder");
    const struct trace_machine machine = {
        .arch = machine_trace_arch(),
        .ram_base = hpa(span.start),
        .ram_size = span.size,
        .cpu_count = host_cpu_count_impl(),
        .time_frequency = machine_frequency(),
    };
    trace_start(memory, &machine, boot, &sink);
    host_print("twinax: recording\n");
}

void host_end_recording(bool reboot)
{
    if (ring == NULL)
        return;
    trace_stop(reboot ? TRACE_END_REBOOT : TRACE_END_POWER_OFF);
    trace_ring_end(ring);
}

void host_cut_recording(void)
{
    if (ring != NULL)
        trace_ring_end(ring);
}

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
        .power_off_when_done = find_argument(board, "stay") == NULL,
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
    start_recording(board, &boot);
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
