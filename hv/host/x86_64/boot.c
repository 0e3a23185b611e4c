/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the first C function of the boot CPU to host_main(), and of the other
 * CPUs to host_cpu_main().
 */
#include "host/x86_64/page_table.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/string.h"

#define MAPPED UINT64_C(0x100000000) /* by entry.S */

#define COM1       0x3f8
#define COM1_PORTS 8

/* Filled in once, by the boot CPU. */
static struct x86_board x86;

/* Not cleared at boot: what is used of it is initialised. */
struct x86_block x86_boot_block
    __attribute__((section(".bss.noinit"), aligned(X86_BLOCK_ALIGN)));
struct host_cpu *const x86_boot_cpu = &x86_boot_block.host;

uint32_t x86_root;

const void *x86_board_look(uint64_t address, uint64_t size)
{
    if (address == 0 || size > MAPPED || address > MAPPED - size)
        return NULL;
    return (const void *)(uintptr_t)address;
}

static void map_machine(void)
{
    struct board *board = &x86.board;

    frames_init(board, 0, MAPPED);
    if (host_is_recorded(board))
        shim_enable_recording();
    paging_init(board);
    paging_remove((uint64_t)(uintptr_t)&x86_boot_block,
                  HOST_GUARD_PAGES * PAGE_SIZE);
    paging_map(x86.lapic, PAGE_SIZE, PTE_DEVICE);
    for (uint32_t i = 0; i < x86.ioapic_count; i++)
        paging_map(x86.ioapics[i].address, PAGE_SIZE, PTE_DEVICE);
    /* What entry.S has not mapped, the allocator gets when this is. */
    for (uint32_t i = 0; i < board->ram_count; i++) {
        uint64_t end = align_down(range_end(board->ram[i]), PAGE_SIZE);
        uint64_t start = board->ram[i].start;
        if (start < MAPPED)
            start = MAPPED;
        if (end > start)
            paging_map(start, end - start, PTE_DATA);
    }
    x86_root = (uint32_t)(uintptr_t)paging_root;
    cr3_write(x86_root);
    frames_init(board, MAPPED, UINT64_MAX);
}

void x86_boot(uint32_t protocol, uint64_t info)
{
    struct board *board = &x86.board;

    memset(&x86_boot_block.x86, 0, sizeof(x86_boot_block.x86));
    host_add_cpu(host_cpu_init(&x86_boot_block, 0));
    cpu_init(&x86_boot_block.x86);
    x86.com1 = (struct board_console){
        .address = COM1, .size = COM1_PORTS, .irq = 4, .reg_width = 1};
    board->console = &x86.com1;
    machine_init_console();
    console_init(board);
    board_reserve(board, (uint64_t)(uintptr_t)image_start,
                  (uint64_t)(image_end - image_start));
    bootinfo_read(&x86, protocol, info);
    acpi_read(&x86);
    apic_init(&x86);
    apic_init_cpu();
    x86_boot_block.host.hw_id = apic_id();
    machine_init(&x86, clock_calibrate());
    machine_set_alarm(UINT64_MAX);
    virt_init_cpu(&x86_boot_block.x86);
    smp_place_trampoline(&x86);
    map_machine();
    ioapic_init(&x86);
    host_main(board);
}

void x86_boot_other(void)
{
    struct x86_host_cpu *cpu = x86_this_host_cpu();

    cpu_init(cpu);
    apic_init_cpu();
    machine_set_alarm(UINT64_MAX);
    virt_init_cpu(cpu);
    host_cpu_main();
}
