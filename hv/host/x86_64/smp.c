/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the other CPUs: INIT, and start-up IPIs that name a page below
 * 1 MiB with a copy of the trampoline (Intel MultiProcessor Specification 1.4,
 * appendix B.4). They come one at a time, so one stack pointer will do. A CPU
 * that does not show itself is put back to where it waits for a start-up IPI,
 * and cannot come late.
 */
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/string.h"

#define LOW_START     PAGE_SIZE /* page 0 is the interrupt table */
#define LOW_END       UINT64_C(0x80000)
#define INIT_WAIT_US  10000
#define AGAIN_WAIT_US 200

struct host_cpu *_Atomic x86_starting;
static const struct x86_board *machine;
static uint8_t trampoline_page;

/* Low memory that the firmware keeps for itself is at its upper end; the boot
 * loader may have put the bundle there. */
void smp_place_trampoline(const struct x86_board *x86)
{
    struct range bundle = x86->board.bundle;
    uint64_t at = LOW_END - PAGE_SIZE;

    while (at >= LOW_START && at < range_end(bundle) &&
           bundle.start < at + PAGE_SIZE)
        at -= PAGE_SIZE;
    if (at < LOW_START)
        host_refuse("there is no room below 1 MiB to start CPUs from");
    memcpy((void *)(uintptr_t)at, x86_trampoline,
           (size_t)(x86_trampoline_end - x86_trampoline));
    trampoline_page = (uint8_t)(at / PAGE_SIZE);
    machine = x86;
}

static void start_cpu(uint32_t id, struct x86_block *block)
{
    struct host_cpu *started = host_cpu_init(block, id);

    paging_remove((uint64_t)(uintptr_t)block, HOST_GUARD_PAGES * PAGE_SIZE);
    atomic_store(&x86_starting, started);
    apic_send(id, APIC_INIT);
    clock_wait_us(INIT_WAIT_US);
    apic_send(id, APIC_STARTUP(trampoline_page));
    clock_wait_us(AGAIN_WAIT_US);
    if (!atomic_load(&started->online))
        apic_send(id, APIC_STARTUP(trampoline_page));
    if (host_wait_until_online(started)) {
        host_add_cpu(started);
    } else {
        apic_send(id, APIC_INIT);
        host_print("twinax: the CPU with APIC id %u does not start: going on "
                   "without it\n",
                   id);
    }
    atomic_store(&x86_starting, NULL);
}

void machine_start_cpus(void)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        uint32_t id = machine->apic_ids[i];
        hpa_t memory;

        if (id == apic_id())
            continue;
        memory = memory_alloc_contiguous_impl(
            sizeof(struct x86_block) / PAGE_SIZE, X86_BLOCK_ALIGN);
        if (hpa_is_none(memory))
            host_refuse("there is no memory for the CPU with APIC id %u", id);
        start_cpu(id, memory_phys_to_virt(memory));
    }
}
