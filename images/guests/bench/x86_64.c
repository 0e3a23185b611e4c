/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exits cost, in instructions from guest back to guest. Under QEMU's
 * -icount the time-stamp counter counts everything that the one CPU executes,
 * hypervisor included. Each figure is a loop of ROUNDS operations less the
 * same loop without the operation. Lines: "bench: NAME TOTAL".
 *
 * `first` is the counter at the guest's first instruction. On a bare PC
 * (scripts/bench-image runs it there too) that is the cost of the firmware,
 * and the difference is the cost of the hypervisor's start.
 */
#include "machine.h"

#define ROUNDS       1000
#define PAGE         4096
#define IOAPIC_DATA  UINT64_C(0xfec00010)
#define FRESH_MEMORY UINT64_C(0x2000000) /* 4 MiB that nothing touched */

/* CPUID's leaf of hypervisors, and what Twinax says there. */
#define HYPERVISOR_LEAF 0x40000000
#define SIGNATURE       0x6e697754 /* "Twin" */

/* What CPUID's first leaf begins the name of a processor with VMX with. */
#define GENUINE 0x756e6547 /* "Genu", of Intel */

/* A loop of ROUNDS times `operation`, at `input` and then `step` further each
 * time, and what it counts. RDI is `at`. */
#define COUNT_LOOP(operation, step, input)                              \
    ({                                                                  \
        uint64_t left = ROUNDS;                                         \
        uint64_t at = (input);                                          \
        uint64_t begin = read_tsc();                                    \
        __asm__ volatile(".balign 16\n"                                 \
                         "1: " operation "\n"                           \
                         "add  %2, %1\n"                                \
                         "dec  %0\n"                                    \
                         "jnz  1b\n"                                    \
                         : "+r"(left), "+D"(at)                         \
                         : "r"((uint64_t)(step))                        \
                         : "rax", "rbx", "rcx", "rdx", "memory", "cc"); \
        read_tsc() - begin;                                             \
    })

static void report(const char *name, uint64_t total)
{
    guest_put("bench: ");
    guest_put(name);
    guest_put(" ");
    guest_put_dec(total);
    guest_put("\n");
}

/* Each vendor has an instruction of its own for it. */
static uint64_t count_calls(void)
{
    if (read_cpuid(0).ebx == GENUINE)
        return COUNT_LOOP("vmcall", 0, 0);
    return COUNT_LOOP("vmmcall", 0, 0);
}

void guest_main(void)
{
    uint64_t nothing, cpuid, cpuid_prefixed, call, uart, lapic, ioapic, fault;

    report("first", guest_first_tsc);
    if (read_cpuid(HYPERVISOR_LEAF).ebx != SIGNATURE)
        return;

    nothing = COUNT_LOOP("", 0, 0);
    call = count_calls();
    cpuid = COUNT_LOOP("xor %%eax, %%eax\n cpuid", 0, 0);
    cpuid_prefixed =
        COUNT_LOOP("xor %%eax, %%eax\n .byte 0x66, 0x48\n cpuid", 0, 0);
    uart = COUNT_LOOP("mov $0x3fd, %%edx\n inb %%dx, %%al", 0, 0);
    lapic = COUNT_LOOP("mov 0x30(%%rdi), %%eax", 0, LAPIC_BASE);
    ioapic = COUNT_LOOP("mov (%%rdi), %%eax", 0, IOAPIC_DATA);
    fault = COUNT_LOOP("movq $0, (%%rdi)", PAGE, FRESH_MEMORY);

    report("hypercall", call - nothing);
    report("cpuid", cpuid - nothing - ROUNDS);
    report("cpuid_prefixed", cpuid_prefixed - nothing - ROUNDS);
    report("pio_uart", uart - nothing - ROUNDS);
    report("mmio_intc", lapic - nothing);
    report("mmio_ioapic", ioapic - nothing);
    report("fault_4k", fault - nothing);
}
